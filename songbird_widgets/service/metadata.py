"""Sessions, profiles, organizations and keys: what is asked, and what is written (`session_writes`, `upload_writes`).

Every method here blocks on the disk: call it on the service's executor, never on its loop. Times are
milliseconds since the epoch, UTC, as on the wire.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from . import session_writes, tables, upload_writes
from .errors import Forbidden, Unauthorized
from .quotas import Held, Quotas, held
from .rows import DatasetRow, day_row, now_ms, profile_row, select_days, select_uploads, session_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from ..secret import Secret
    from .database import Database
    from .rows import Arrival, DayRow, Figures, NewProfile, ProfileRow, SessionRow, UploadRow


def hash_key(key: Secret) -> str:
    """Return what is kept of an API key."""
    # A key is 300 bits of randomness and not a password: one round of SHA-256 cannot be searched.
    return hashlib.sha256(key.reveal().encode("utf-8", "surrogateescape")).hexdigest()


_SWEEP = 1


class Metadata:
    """What the service knows.

    Parameters
    ----------
    database
        Where it keeps that.
    limits : Quotas, optional
        What guests may keep; by default there is no limit.
    """

    def __init__(self, database: Database, limits: Quotas | None = None) -> None:
        self._database = database
        limits = limits or Quotas()
        # Each once: writes of one callable share a call.
        self._create_sessions = partial(session_writes.create_sessions, limits=limits)
        self._announce = partial(session_writes.announce_profiles, limits=limits)
        self._confirm = partial(upload_writes.confirm_uploads, limits=limits)

    def close(self) -> None:
        """Write what waits, and close the database."""
        self._database.close()

    def check(self) -> None:
        """Raise `errors.Unavailable` when the database does not answer."""
        self._database.check()

    def alone_in_sweep(self) -> AbstractContextManager[bool]:
        """Say whether no other replica sweeps (`direct_uploads`) until the end of the block."""
        return self._database.alone(_SWEEP)

    # Organizations and keys

    def add_organization(self, org_id: str, key: Secret) -> None:
        """Make an organization and its key known; doing so again changes nothing."""
        with self._database.transaction() as connection:
            known = connection.execute(
                sa.select(tables.organizations.c.id).where(tables.organizations.c.id == org_id)
            ).first()
            if known is None:
                connection.execute(tables.organizations.insert().values(id=org_id, created=now_ms()))
            hashed = hash_key(key)
            if connection.execute(sa.select(tables.keys.c.hash).where(tables.keys.c.hash == hashed)).first() is None:
                connection.execute(
                    tables.keys.insert().values(
                        hash=hashed, public_id=key.reveal().partition(".")[0], org_id=org_id, created=now_ms()
                    )
                )

    def forget_other_keys(self, org_id: str, key: Secret) -> None:
        """Let an organization have one key of those that nobody made by hand: others may have leaked."""
        others = (tables.keys.c.org_id == org_id) & tables.keys.c.name.is_(None) & (tables.keys.c.hash != hash_key(key))
        with self._database.transaction() as connection:
            connection.execute(tables.keys.delete().where(others))

    def organization_for_key(self, key: Secret) -> str | None:
        """The id of the organization that an API key belongs to, or None for a key unknown here or revoked."""
        return self.organization_for_hash(hash_key(key))

    def organization_for_hash(self, hashed: str) -> str | None:
        """The same for what `hash_key` returns of a key."""
        query = sa.select(tables.keys.c.org_id).where(tables.keys.c.hash == hashed, tables.keys.c.revoked.is_(None))
        with self._database.read() as connection:
            return cast("str | None", connection.execute(query).scalar())

    def datasets(self, org_id: str) -> list[DatasetRow]:
        """The datasets of an organization, oldest first, with the number of profiles uploaded to each."""
        uploaded = sa.func.count(tables.profiles.c.uploaded)
        query = (
            sa.select(tables.datasets.c.id, tables.datasets.c.created, uploaded)
            .join_from(
                tables.datasets,
                tables.profiles,
                (tables.profiles.c.org_id == tables.datasets.c.org_id)
                & (tables.profiles.c.dataset_id == tables.datasets.c.id),
                isouter=True,
            )
            .where(tables.datasets.c.org_id == org_id)
            .group_by(tables.datasets.c.id, tables.datasets.c.created)
            .order_by(tables.datasets.c.created, tables.datasets.c.id)
        )
        with self._database.read() as connection:
            return [DatasetRow(*row) for row in connection.execute(query)]

    def has_dataset(self, org_id: str, dataset_id: str) -> bool:
        """Whether an organization has a dataset."""
        query = sa.select(tables.datasets.c.id).where(
            tables.datasets.c.org_id == org_id, tables.datasets.c.id == dataset_id
        )
        return self._database.first(query) is not None

    # Sessions

    def create_session(self, user_id: str) -> str:
        """A new guest session in a guest organization and dataset of its own; returns its id."""
        return self._database.write(self._create_sessions, user_id)

    def name_session(self, session_id: str, name: str | None) -> None:
        """Keep what its owner calls an open session; raises like `session`."""
        self._database.write(session_writes.name_sessions, (session_id, name))

    def newest_sessions(self, limit: int) -> list[SessionRow]:
        """The sessions that have not ended, newest first, at most `limit`."""
        columns = tables.sessions.c
        query = sa.select(tables.sessions).where(columns.ended.is_(None)).order_by(columns.created.desc(), columns.id)
        with self._database.read() as connection:
            return [session_row(row) for row in connection.execute(query.limit(limit)).mappings()]

    def session(self, session_id: str) -> SessionRow:
        """An open session.

        Raises
        ------
        ResourceNotFound
            When there is no such session.
        ResourceGone
            When it was claimed; the message says by which organization.
        """
        with self._database.read() as connection:
            return session_writes.open_session(connection, session_id)

    def ids_beginning(self, begun: str) -> list[str]:
        """Return the ids of at most two sessions that begin with some letters."""
        ids = tables.sessions.c.id
        with self._database.read() as connection:
            return list(connection.scalars(sa.select(ids).where(sa.func.substr(ids, 1, len(begun)) == begun).limit(2)))

    def slot(self, profile_id: str) -> tuple[str | None, int]:
        """The session of a profile, None for an organization's, and the bytes that it has already."""
        columns = (tables.profiles.c.session_id, tables.profiles.c.size)
        row = self._database.first(sa.select(*columns).where(tables.profiles.c.id == profile_id))
        return (None, 0) if row is None else (row["session_id"], row["size"] or 0)

    def held(self, session_id: str) -> tuple[Held, Held]:
        """What a session holds, and what all open sessions hold."""
        with self._database.read() as connection:
            found = held(connection, [session_id])
        return found.get(session_id, Held()), found[tables.ALL_SESSIONS]

    def claim(self, session_id: str, org_id: str, key: Secret) -> str:
        """Move a session's profiles into a new dataset of an organization and close it: both or neither.

        Parameters
        ----------
        session_id, org_id : str
            Which session, and into which organization.
        key : Secret
            The API key that came with the request; it must belong to `org_id`.

        Returns
        -------
        str
            The id of the new dataset.

        Raises
        ------
        Unauthorized
            When the key is unknown.
        Forbidden
            When it is another organization's.
        ResourceNotFound, ResourceGone
            As `session` raises them.
        """
        owner = self.organization_for_key(key)
        if owner is None:
            raise Unauthorized("This API key is not known to this service.")
        if owner != org_id:
            raise Forbidden(
                f"The API key belongs to organization {owner}, and the claim names another one. "
                "Name the key's own organization, or send a key of the one named.",
                "org_id",
            )
        return self._database.write(session_writes.claim_sessions, (session_id, org_id))

    # Profiles

    def announce(self, session_id: str, profiles: Sequence[NewProfile]) -> tuple[SessionRow, list[str]]:
        """Note profiles whose bytes are to come; returns the session and their ids, in the order given.

        Raises
        ------
        ResourceNotFound, ResourceGone
            As `session` raises them.
        """
        return self._database.write(self._announce, (session_id, profiles))

    def confirm(self, upload: UploadRow) -> Arrival:
        """Note that a profile's bytes are safe; from now on it is listed and shown.

        Raises
        ------
        ResourceNotFound, ResourceGone
            When the slot is unknown, or its session was claimed meanwhile.
        """
        return self.begin_to_confirm(upload).result()

    def begin_to_confirm(self, upload: UploadRow) -> Future[Arrival]:
        """Have that noted, as `Database.begin_to_write` does."""
        return self._database.begin_to_write(self._confirm, upload)

    def preparing(self) -> AbstractContextManager[None]:
        """Have the next transaction wait a moment for what is confirmed after this block."""
        return self._database.preparing()

    def note_figures(self, figures: Sequence[Figures]) -> None:
        """Note what data of uploaded profiles hold."""
        self._database.write(upload_writes.note_figures, figures)

    def profiles(
        self, org_id: str, dataset_id: str, *, after: tuple[int, str] = (0, ""), limit: int | None = None
    ) -> list[ProfileRow]:
        """The uploaded profiles of a dataset, oldest upload first.

        Parameters
        ----------
        after : tuple of int and str, optional
            Upload timestamp and id of a profile: only what follows it.
        limit : int, optional
            At most so many.
        """
        uploaded, profile_id = tables.profiles.c.uploaded, tables.profiles.c.id
        query = (
            select_uploads(org_id, dataset_id)
            .where(sa.tuple_(uploaded, profile_id) > sa.tuple_(*map(sa.literal, after)))
            .order_by(uploaded, profile_id)
            .limit(limit)
        )
        return self._rows(query)

    def exported(self, org_id: str, dataset_id: str) -> Iterator[tuple[ProfileRow, list[tuple[str, str]], str | None]]:
        """Yield the uploaded profiles of a dataset, oldest first, with their segment tags and regions."""
        profiles = tables.profiles.c
        query = select_uploads(org_id, dataset_id).add_columns(profiles.segment_tags, profiles.region)
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(profiles.uploaded, profiles.id)).mappings():
                yield profile_row(row), [(key, value) for key, value in json.loads(row["segment_tags"])], row["region"]

    def newest(self, org_id: str, dataset_id: str, limit: int) -> list[ProfileRow]:
        """The uploaded profiles of a dataset, newest upload first, at most `limit`."""
        query = select_uploads(org_id, dataset_id).order_by(
            tables.profiles.c.uploaded.desc(), tables.profiles.c.id.desc()
        )
        return self._rows(query.limit(limit))

    def reference(self, org_id: str, dataset_id: str, profile_id: str) -> ProfileRow | None:
        """A reference profile of a dataset by its id, announced or uploaded, or None."""
        row = self._database.first(sa.select(tables.profiles).where(tables.profiles.c.id == profile_id))
        if row is None or (row["org_id"], row["dataset_id"], row["kind"]) != (org_id, dataset_id, "reference"):
            return None
        if row["same_as"] is not None:
            same = self.reference(org_id, dataset_id, row["same_as"])
            return same and replace(same, id=profile_id)
        return profile_row(row)

    def references(self, org_id: str, dataset_id: str, *, search: str = "", limit: int) -> list[ProfileRow]:
        """The uploaded reference profiles of a dataset by name, at most `limit`.

        Parameters
        ----------
        search : str, optional
            Text that the alias, or else the id, contains; ASCII letters of either case match.
        """
        query = _references(org_id, dataset_id)
        if search:
            literal = re.sub("[/%_]", r"/\g<0>", search)
            query = query.where(tables.reference_name.like(sa.func.lower(f"%{literal}%"), escape="/"))
        return self._rows(query.order_by(tables.reference_name, tables.profiles.c.id).limit(limit))

    def count_references(self, org_id: str, dataset_id: str, most: int) -> int:
        """How many reference profiles were uploaded to a dataset; `most` + 1 for more."""
        return self._count(_references(org_id, dataset_id), most)

    def day(self, org_id: str, dataset_id: str, day: int) -> DayRow | None:
        """The uploaded batches of one UTC day, or None.

        Parameters
        ----------
        day : int
            Its first millisecond (`day_start`).
        """
        row = self._database.first(select_days(org_id, dataset_id).where(tables.days.c.day == day))
        return None if row is None else day_row(row)

    def days(
        self,
        org_id: str,
        dataset_id: str,
        *,
        limit: int | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> list[DayRow]:
        """The days of a dataset that have batches, newest first, at most `limit`.

        Parameters
        ----------
        start, end : int, optional
            The first and the last day, by their first milliseconds.
        """
        query = select_days(org_id, dataset_id)
        if start is not None:
            query = query.where(tables.days.c.day >= start)
        if end is not None:
            query = query.where(tables.days.c.day <= end)
        query = query.order_by(tables.days.c.day.desc()).limit(limit)
        with self._database.read() as connection:
            return [day_row(row) for row in connection.execute(query).mappings()]

    def first_day(self, org_id: str, dataset_id: str) -> DayRow | None:
        """The earliest day of a dataset that has batches, or None."""
        return next(iter(self.first_days(org_id, dataset_id, 1)), None)

    def first_days(self, org_id: str, dataset_id: str, limit: int) -> list[DayRow]:
        """The earliest days of a dataset that have batches, at most `limit`."""
        query = select_days(org_id, dataset_id).order_by(tables.days.c.day).limit(limit)
        with self._database.read() as connection:
            return [day_row(row) for row in connection.execute(query).mappings()]

    def count_days(self, org_id: str, dataset_id: str, most: int) -> int:
        """How many days of a dataset have batches; `most` + 1 for more."""
        return self._count(select_days(org_id, dataset_id), most)

    def _count(self, query: sa.Select[Any], most: int) -> int:
        some = query.with_only_columns(sa.literal(1)).limit(most + 1).subquery()
        with self._database.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar() or 0)

    def day_uploads(
        self, org_id: str, dataset_id: str, day: int, *, after: tuple[int, str] = (0, "")
    ) -> list[ProfileRow]:
        """The uploaded batches of one UTC day in the order of their arrival.

        Parameters
        ----------
        day : int
            Its first millisecond.
        after : tuple of int and str, optional
            Upload timestamp and id of a batch: only what follows it.
        """
        uploaded, profile_id = tables.profiles.c.uploaded, tables.profiles.c.id
        query = (
            select_uploads(org_id, dataset_id)
            .where(tables.profiles.c.day == day, sa.tuple_(uploaded, profile_id) > sa.tuple_(*map(sa.literal, after)))
            .order_by(uploaded, profile_id)
        )
        return self._rows(query)

    def is_announced(self, org_id: str, dataset_id: str, day: int) -> bool:
        """Whether any batch of one UTC day was announced, arrived or not."""
        query = sa.select(tables.profiles.c.id).where(
            tables.profiles.c.org_id == org_id,
            tables.profiles.c.dataset_id == dataset_id,
            tables.profiles.c.day == day,
        )
        return self._database.first(query.limit(1)) is not None

    def has_open_slots(self, org_id: str, dataset_id: str, since: int) -> bool:
        """Whether a profile of a dataset was announced since a time (ms) and has not arrived."""
        query = sa.select(tables.profiles.c.id).where(
            tables.profiles.c.org_id == org_id,
            tables.profiles.c.dataset_id == dataset_id,
            tables.profiles.c.uploaded.is_(None),
            tables.profiles.c.announced >= since,
        )
        return self._database.first(query.limit(1)) is not None

    def etags(self, profile_ids: Sequence[str]) -> dict[str, str | None]:
        """Of those profiles that are known: the etag with which each was taken over from a store, if it was."""
        query = sa.select(tables.profiles.c.id, tables.profiles.c.etag).where(tables.profiles.c.id.in_(profile_ids))
        with self._database.read() as connection:
            return {row.id: row.etag for row in connection.execute(query)}

    def unknown_references(self, org_id: str, dataset_id: str, profile_ids: Sequence[str]) -> list[str]:
        """Those of `profile_ids` that name no reference of a dataset, each once, in the order given."""
        asked = list(dict.fromkeys(profile_ids))
        # By id alone: each is one step, whatever else the dataset holds.
        profiles = tables.profiles.c
        query = sa.select(profiles.id, profiles.org_id, profiles.dataset_id, profiles.kind).where(
            profiles.id.in_(asked)
        )
        with self._database.read() as connection:
            known = {
                row.id
                for row in connection.execute(query)
                if (row.org_id, row.dataset_id, row.kind) == (org_id, dataset_id, "reference")
            }
        return [profile_id for profile_id in asked if profile_id not in known]

    def _rows(self, query: sa.Select[Any]) -> list[ProfileRow]:
        with self._database.read() as connection:
            return [profile_row(row) for row in connection.execute(query).mappings()]


def _references(org_id: str, dataset_id: str) -> sa.Select[Any]:
    return select_uploads(org_id, dataset_id).where(tables.profiles.c.kind == sa.literal_column("'reference'"))

"""Sessions, profiles, organizations and keys, through SQLAlchemy Core.

Every method here blocks on the disk: call it on the service's executor, never on its loop. Times are
milliseconds since the epoch, UTC, as on the wire.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, cast

import sqlalchemy as sa

from songbird_widgets.basics import DAY_MS
from songbird_widgets.local.identity import random_text

from . import tables
from .errors import Forbidden, ResourceGone, ResourceNotFound, Unauthorized
from .tables import chained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from .database import Database


@dataclass(frozen=True)
class SessionRow:
    """A guest session. Its id opens it to whoever has it, so the repr leaves it out."""

    session_id: str = field(repr=False)
    org_id: str
    dataset_id: str
    user_id: str
    state: Literal["open", "claimed"]


@dataclass(frozen=True)
class SeenSession:
    """A session in a list of all; ``created`` in ms, ``claimed_by`` the organization that has its profiles now."""

    session_id: str
    org_id: str
    dataset_id: str
    created: int
    name: str = ""
    claimed_by: str | None = None
    claimed_dataset: str | None = None


@dataclass(frozen=True)
class ProfileRow:
    """A profile: announced when its slot was given out, uploaded once its bytes are safe on disk.

    ``sha256`` is the key for `Blobs.read`; ``size`` (bytes), ``sha256`` and ``upload_timestamp`` (ms) are None
    until the upload. ``dataset_timestamp`` (ms) is exact; the batch it belongs to is its UTC day.
    """

    id: str
    kind: Literal["batch", "reference"]
    alias: str | None
    dataset_timestamp: int | None
    upload_timestamp: int | None
    state: Literal["announced", "uploaded"]
    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class DayRow:
    """The uploaded batches of one UTC day.

    Attributes
    ----------
    day : int
        Its first millisecond.
    uploads, size : int
        How many, and their bytes.
    digest : str
        Of their contents in the order of arrival (`tables.chained`).
    """

    day: int
    uploads: int
    size: int
    digest: str


@dataclass(frozen=True)
class Upload:
    """Bytes of a profile that are safe on disk, and the slot they were put to."""

    profile_id: str
    size: int
    sha256: str
    etag: str | None = None
    """Of the object, if it was put straight to a store."""


@dataclass(frozen=True)
class Arrival:
    """An upload that was confirmed: where it belongs, by its day if it is a batch (ms), and its content's hash."""

    org_id: str
    dataset_id: str
    day: int | None
    sha256: str


@dataclass(frozen=True)
class DatasetRow:
    """A dataset of an organization and how many uploaded profiles it holds."""

    id: str
    created: int
    profiles: int


@dataclass(frozen=True)
class NewProfile:
    """What is known of a profile when its slot is asked for; times in ms."""

    kind: Literal["batch", "reference"]
    alias: str | None = None
    dataset_timestamp: int | None = None
    segment_tags: tuple[tuple[str, str], ...] = ()
    region: str | None = None


def now_ms() -> int:
    """The time now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def day_start(timestamp: int) -> int:
    """The start of the UTC day of `timestamp`, both in ms: the batch period of guest sessions is daily."""
    return timestamp - timestamp % DAY_MS


def hash_key(key: str) -> str:
    """Return what is kept of an API key."""
    # A key is 300 bits of randomness and not a password: one round of SHA-256 cannot be searched.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _shortened(secret: str) -> str:
    """Enough of a bearer id to recognise a typo by, too little to use."""
    return "".join(c if c.isprintable() else "?" for c in secret[:12]) + ("…" if len(secret) > 12 else "")


_SWEEP = 1


class Metadata:
    """What the service knows.

    Parameters
    ----------
    database
        Where it keeps that.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def add_organization(self, org_id: str, key: str) -> None:
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
                        hash=hashed, public_id=key.partition(".")[0], org_id=org_id, created=now_ms()
                    )
                )

    def forget_other_keys(self, org_id: str, key: str) -> None:
        """Let an organization have one key of those that nobody made by hand: others may have leaked."""
        others = (tables.keys.c.org_id == org_id) & tables.keys.c.name.is_(None) & (tables.keys.c.hash != hash_key(key))
        with self._database.transaction() as connection:
            connection.execute(tables.keys.delete().where(others))

    def organization_for_key(self, key: str) -> str | None:
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
        return self._database.write(_create_sessions, user_id)

    def newest_sessions(self, limit: int) -> list[SeenSession]:
        """The sessions that have not ended, newest first, at most `limit`."""
        columns = tables.sessions.c
        query = sa.select(tables.sessions).where(columns.ended.is_(None)).order_by(columns.created.desc(), columns.id)
        with self._database.read() as connection:
            return [
                SeenSession(
                    row["id"],
                    row["org_id"],
                    row["dataset_id"],
                    row["created"],
                    claimed_by=row["claimed_by"],
                    claimed_dataset=row["claimed_dataset"],
                )
                for row in connection.execute(query.limit(limit)).mappings()
            ]

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
            return open_session(connection, session_id)

    def claim(self, session_id: str, org_id: str, key: str) -> str:
        """Move a session's profiles into a new dataset of an organization and close it: both or neither.

        Parameters
        ----------
        session_id, org_id : str
            Which session, and into which organization.
        key : str
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
        return self._database.write(_claim, (session_id, org_id))

    # Profiles

    def announce(self, session_id: str, profiles: Sequence[NewProfile]) -> tuple[SessionRow, list[str]]:
        """Note profiles whose bytes are to come; returns the session and their ids, in the order given.

        Raises
        ------
        ResourceNotFound, ResourceGone
            As `session` raises them.
        """
        return self._database.write(_announce, (session_id, profiles))

    def confirm(self, upload: Upload) -> Arrival:
        """Note that a profile's bytes are safe; from now on it is listed and shown.

        Raises
        ------
        ResourceNotFound, ResourceGone
            When the slot is unknown, or its session was claimed meanwhile.
        """
        return self._database.write(_confirm, upload)

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
            _uploads(org_id, dataset_id)
            .where(sa.tuple_(uploaded, profile_id) > sa.tuple_(*map(sa.literal, after)))
            .order_by(uploaded, profile_id)
            .limit(limit)
        )
        return self._rows(query)

    def exported(self, org_id: str, dataset_id: str) -> Iterator[tuple[ProfileRow, list[tuple[str, str]], str | None]]:
        """Yield the uploaded profiles of a dataset, oldest first, with their segment tags and regions."""
        profiles = tables.profiles.c
        query = _uploads(org_id, dataset_id).add_columns(profiles.segment_tags, profiles.region)
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(profiles.uploaded, profiles.id)).mappings():
                yield _profile_row(row), [(key, value) for key, value in json.loads(row["segment_tags"])], row["region"]

    def newest(self, org_id: str, dataset_id: str, limit: int) -> list[ProfileRow]:
        """The uploaded profiles of a dataset, newest upload first, at most `limit`."""
        query = _uploads(org_id, dataset_id).order_by(tables.profiles.c.uploaded.desc(), tables.profiles.c.id.desc())
        return self._rows(query.limit(limit))

    def reference(self, org_id: str, dataset_id: str, profile_id: str) -> ProfileRow | None:
        """A reference profile of a dataset by its id, announced or uploaded, or None."""
        row = self._database.first(sa.select(tables.profiles).where(tables.profiles.c.id == profile_id))
        if row is None or (row["org_id"], row["dataset_id"], row["kind"]) != (org_id, dataset_id, "reference"):
            return None
        if row["same_as"] is not None:
            same = self.reference(org_id, dataset_id, row["same_as"])
            return same and replace(same, id=profile_id)
        return _profile_row(row)

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
        row = self._database.first(_days(org_id, dataset_id).where(tables.days.c.day == day))
        return None if row is None else _day_row(row)

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
        query = _days(org_id, dataset_id)
        if start is not None:
            query = query.where(tables.days.c.day >= start)
        if end is not None:
            query = query.where(tables.days.c.day <= end)
        query = query.order_by(tables.days.c.day.desc()).limit(limit)
        with self._database.read() as connection:
            return [_day_row(row) for row in connection.execute(query).mappings()]

    def first_day(self, org_id: str, dataset_id: str) -> DayRow | None:
        """The earliest day of a dataset that has batches, or None."""
        row = self._database.first(_days(org_id, dataset_id).order_by(tables.days.c.day).limit(1))
        return None if row is None else _day_row(row)

    def count_days(self, org_id: str, dataset_id: str, most: int) -> int:
        """How many days of a dataset have batches; `most` + 1 for more."""
        return self._count(_days(org_id, dataset_id), most)

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
            _uploads(org_id, dataset_id)
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
            return [_profile_row(row) for row in connection.execute(query).mappings()]


def _uploads(org_id: str, dataset_id: str) -> sa.Select[Any]:
    return sa.select(*_PROFILE_COLUMNS).where(
        tables.profiles.c.org_id == org_id,
        tables.profiles.c.dataset_id == dataset_id,
        tables.profiles.c.uploaded.is_not(None),
    )


_PROFILE_COLUMNS = tuple(
    tables.profiles.c[name] for name in ("id", "kind", "alias", "dataset_timestamp", "uploaded", "size", "sha256")
)


def _references(org_id: str, dataset_id: str) -> sa.Select[Any]:
    return _uploads(org_id, dataset_id).where(tables.profiles.c.kind == sa.literal_column("'reference'"))


def _days(org_id: str, dataset_id: str) -> sa.Select[Any]:
    columns = (tables.days.c.day, tables.days.c.uploads, tables.days.c.size, tables.days.c.digest)
    return sa.select(*columns).where(tables.days.c.org_id == org_id, tables.days.c.dataset_id == dataset_id)


def _day_row(row: Mapping[Any, Any]) -> DayRow:
    return DayRow(row["day"], row["uploads"], row["size"], row["digest"])


def _profile_row(row: Mapping[Any, Any]) -> ProfileRow:
    return ProfileRow(
        id=row["id"],
        kind=row["kind"],
        alias=row["alias"],
        dataset_timestamp=row["dataset_timestamp"],
        upload_timestamp=row["uploaded"],
        state="announced" if row["uploaded"] is None else "uploaded",
        size=row["size"],
        sha256=row["sha256"],
    )


# What the writer runs; each returns a result or an exception for each item.


def _create_sessions(connection: sa.Connection, user_ids: Sequence[str]) -> list[str | Exception]:
    created = now_ms()
    made = [(f"session-{random_text(24)}", f"org-{random_text(12)}", user_id) for user_id in user_ids]
    connection.execute(tables.organizations.insert(), [{"id": org_id, "created": created} for _, org_id, _ in made])
    connection.execute(
        tables.datasets.insert(), [{"org_id": org_id, "id": "model-1", "created": created} for _, org_id, _ in made]
    )
    connection.execute(
        tables.sessions.insert(),
        [
            {"id": session_id, "org_id": org_id, "dataset_id": "model-1", "user_id": user_id, "created": created}
            for session_id, org_id, user_id in made
        ],
    )
    return [session_id for session_id, _, _ in made]


def _claim(connection: sa.Connection, claims: Sequence[tuple[str, str]]) -> list[str | Exception]:
    results: list[str | Exception] = []
    for session_id, org_id in claims:
        try:
            results.append(_claim_one(connection, session_id, org_id))
        except (ResourceNotFound, ResourceGone) as error:
            results.append(error)
    return results


def _claim_one(connection: sa.Connection, session_id: str, org_id: str) -> str:
    now = now_ms()
    session = open_session(connection, session_id)
    taken = connection.execute(sa.select(tables.datasets.c.id).where(tables.datasets.c.org_id == org_id)).scalars()
    numbers = [int(text) for text in (name.removeprefix("model-") for name in taken) if text.isdecimal()]
    dataset_id = f"model-{max(numbers, default=0) + 1}"
    connection.execute(tables.datasets.insert().values(org_id=org_id, id=dataset_id, created=now))
    connection.execute(
        tables.profiles.update()
        .where(
            tables.profiles.c.session_id == session.session_id,
            tables.profiles.c.uploaded.is_not(None) | tables.profiles.c.same_as.is_not(None),
        )
        .values(org_id=org_id, dataset_id=dataset_id)
    )
    connection.execute(
        tables.days.update()
        .where(tables.days.c.org_id == session.org_id, tables.days.c.dataset_id == session.dataset_id)
        .values(org_id=org_id, dataset_id=dataset_id)
    )
    connection.execute(
        tables.sessions.update()
        .where(tables.sessions.c.id == session.session_id)
        .values(claimed=now, claimed_by=org_id, claimed_dataset=dataset_id)
    )
    return dataset_id


def new_ids(profiles: Sequence[NewProfile]) -> list[str]:
    """Return an id for each of several profiles."""
    return [("log-" if profile.kind == "batch" else "ref-") + random_text(16) for profile in profiles]


def slot_rows(
    key: tuple[str, str],
    ids: Sequence[str],
    profiles: Sequence[NewProfile],
    *,
    session_id: str | None = None,
    transaction_id: str | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of profiles of a dataset whose bytes are to come."""
    now = now_ms()
    return [
        {
            "id": profile_id,
            "session_id": session_id,
            "transaction_id": transaction_id,
            "org_id": key[0],
            "dataset_id": key[1],
            "kind": profile.kind,
            "alias": profile.alias,
            "dataset_timestamp": profile.dataset_timestamp,
            "segment_tags": json.dumps(profile.segment_tags),
            "region": profile.region,
            "announced": now,
            "day": None
            if profile.kind != "batch" or profile.dataset_timestamp is None
            else day_start(profile.dataset_timestamp),
        }
        for profile_id, profile in zip(ids, profiles, strict=True)
    ]


def _announce(
    connection: sa.Connection, requests: Sequence[tuple[str, Sequence[NewProfile]]]
) -> list[tuple[SessionRow, list[str]] | Exception]:
    found = _sessions(connection, {session_id for session_id, _ in requests})
    results: list[tuple[SessionRow, list[str]] | Exception] = []
    rows = []
    for session_id, profiles in requests:
        row = found.get(session_id)
        refusal = _no_session(session_id) if row is None else _refusal(row)
        if row is None or refusal is not None:
            results.append(refusal or _no_session(session_id))
            continue
        ids = new_ids(profiles)
        results.append((_session_row(row), ids))
        rows += slot_rows((row["org_id"], row["dataset_id"]), ids, profiles, session_id=session_id)
    if rows:
        connection.execute(tables.profiles.insert(), rows)
    return results


def _confirm(connection: sa.Connection, uploads: Sequence[Upload]) -> list[Arrival | Exception]:
    """Note uploads of one transaction of the database.

    No transaction's time of upload is that of another, so that whoever lists what came after a certain one
    (`profiles`) misses none.
    """
    slots = _slots(connection, {upload.profile_id for upload in uploads})
    results: list[Arrival | Exception] = []
    kept: dict[str, Upload] = {}
    staged: dict[str, Upload] = {}
    for upload in uploads:
        slot = slots.get(upload.profile_id)
        if slot is None:
            results.append(_no_slot())
        elif slot["transaction_state"] == "aborted":
            results.append(ResourceGone("The transaction of this upload was aborted."))
        # What the store has taken of a claimed session goes where the others went.
        elif (refusal := _refusal(slot)) and (upload.etag is None or slot["claimed"] is None):
            results.append(refusal)
        else:
            if slot["claimed"] is not None:
                slot = {**slot, "org_id": slot["claimed_by"], "dataset_id": slot["claimed_dataset"]}
                slots[upload.profile_id] = slot
            results.append(Arrival(slot["org_id"], slot["dataset_id"], slot["day"], upload.sha256))
            if upload.etag is None or upload.etag != slot["etag"]:  # else another replica was faster
                (staged if slot["transaction_state"] == "open" else kept)[upload.profile_id] = upload
    _write_uploads(connection, slots, staged, None)
    if kept:
        _show_uploads(connection, slots, kept)
    return results


def _show_uploads(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, Upload]
) -> None:
    """Note uploads that are to be listed and shown from now on."""
    now = _next_upload(connection)
    kept = _without_twins(connection, slots, uploads, now)
    _write_uploads(connection, slots, kept, now)
    _note_days(connection, [(slots[one.profile_id], one) for one in sorted(kept.values(), key=_by_id)])


def _write_uploads(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, Upload], now: int | None
) -> None:
    if uploads:
        rows = [
            {
                "profile_id": one.profile_id,
                "org": slots[one.profile_id]["org_id"],
                "dataset": slots[one.profile_id]["dataset_id"],
                "bytes": one.size,
                "hash": one.sha256,
                "etag_taken": one.etag,
                "now": now,
            }
            for one in uploads.values()
        ]
        connection.execute(_TAKEN, rows)


_TAKEN = (
    tables.profiles.update()
    .where(tables.profiles.c.id == sa.bindparam("profile_id"))
    .values(
        uploaded=sa.bindparam("now"),
        org_id=sa.bindparam("org"),
        dataset_id=sa.bindparam("dataset"),
        same_as=None,
        size=sa.bindparam("bytes"),
        etag=sa.bindparam("etag_taken"),
        sha256=sa.bindparam("hash"),
        blob=sa.bindparam("hash"),
    )
)


def confirm_committed(connection: sa.Connection, transaction_id: str) -> list[Arrival]:
    """Let the uploads of a client's transaction, which is being committed, appear at one moment."""
    profiles = tables.profiles.c
    query = sa.select(profiles.id, profiles.size, profiles.sha256, profiles.etag).where(
        profiles.transaction_id == transaction_id, profiles.sha256.is_not(None)
    )
    uploads = {row.id: Upload(row.id, row.size, row.sha256, row.etag) for row in connection.execute(query)}
    slots = _slots(connection, uploads)
    if uploads:
        _show_uploads(connection, slots, uploads)
    return [Arrival(slot["org_id"], slot["dataset_id"], slot["day"], slot["sha256"]) for slot in slots.values()]


def _next_upload(connection: sa.Connection) -> int:
    last = connection.execute(sa.select(tables.clock.c.last_upload)).scalar() or 0
    now = max(now_ms(), last + 1)
    connection.execute(tables.clock.update().values(last_upload=now))
    return now


def _without_twins(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, Upload], now: int
) -> dict[str, Upload]:
    """Leave out what is there already: equal content of one day, or of references of one name, is one profile.

    It may arrive twice when a kernel that was killed had sent it, and the next one sends it again.
    """
    profiles = tables.profiles.c
    columns = (profiles.kind, profiles.day, profiles.alias, profiles.segment_tags)
    by_dataset: dict[tuple[str, str], list[Upload]] = {}
    for one in uploads.values():
        slot = slots[one.profile_id]
        by_dataset.setdefault((slot["org_id"], slot["dataset_id"]), []).append(one)
    rest: dict[str, Upload] = {}
    for (org_id, dataset_id), some in by_dataset.items():
        hashes = sorted({one.sha256 for one in some})
        query = sa.select(profiles.id, profiles.sha256, *columns).where(
            profiles.org_id == org_id,
            profiles.dataset_id == dataset_id,
            profiles.sha256.in_(hashes),
            profiles.uploaded.is_not(None),
        )
        known: dict[tuple[Any, ...], str] = {tuple(row[1:]): row[0] for row in connection.execute(query)}
        replaced: list[str] = []
        for one in some:
            slot = slots[one.profile_id]
            what = (one.sha256, *(slot[column.name] for column in columns))
            twin = known.setdefault(what, one.profile_id)
            if slot["uploaded"] is not None and slot["sha256"] != one.sha256:
                replaced.append(one.profile_id)
                known.pop((slot["sha256"], *what[1:]), None)
            nameless = (
                slot["kind"] == "reference" and slot["alias"] is None
            )  # it is called by its id, so none is like it
            if twin == one.profile_id or nameless:
                if slot["uploaded"] is None or slot["sha256"] != one.sha256:
                    rest[one.profile_id] = one
                continue
            connection.execute(
                tables.profiles.update()
                .where(profiles.id == one.profile_id)
                .values(
                    uploaded=None,
                    same_as=twin,
                    org_id=org_id,
                    dataset_id=dataset_id,
                    size=one.size,
                    sha256=one.sha256,
                    blob=one.sha256,
                    etag=one.etag,
                )
            )
        if replaced:
            _release_twins(connection, [slots[profile_id] for profile_id in replaced], now)
            renew_days(connection, {(org_id, dataset_id, slots[profile_id]["day"]) for profile_id in replaced})
    return rest


def _release_twins(connection: sa.Connection, slots: Sequence[Mapping[Any, Any]], now: int) -> None:
    """Have the first twin of each profile whose content was replaced stand for that content."""
    profiles = tables.profiles.c
    for slot in slots:
        query = sa.select(profiles.id).where(
            profiles.sha256 == slot["sha256"],
            profiles.org_id == slot["org_id"],
            profiles.dataset_id == slot["dataset_id"],
            profiles.same_as == slot["id"],
        )
        twins = list(connection.execute(query.order_by(profiles.announced)).scalars())
        for twin in twins:
            values = {"same_as": None, "uploaded": now} if twin == twins[0] else {"same_as": twins[0]}
            connection.execute(tables.profiles.update().where(profiles.id == twin).values(**values))


def _by_id(upload: Upload) -> str:
    return upload.profile_id


def _note_days(connection: sa.Connection, uploads: Sequence[tuple[Mapping[Any, Any], Upload]]) -> None:
    """Add uploads of one transaction, in the order of their ids, to their days."""
    by_day: dict[tuple[str, str, int], list[tuple[Mapping[Any, Any], Upload]]] = {}
    for slot, upload in uploads:
        if slot["day"] is not None:
            by_day.setdefault((slot["org_id"], slot["dataset_id"], slot["day"]), []).append((slot, upload))
    for key, added in by_day.items():
        where = (tables.days.c.org_id == key[0], tables.days.c.dataset_id == key[1], tables.days.c.day == key[2])
        row = connection.execute(_days(*key[:2]).where(where[2])).mappings().first()
        before = DayRow(key[2], 0, 0, "") if row is None else _day_row(row)
        if all(slot["uploaded"] is None for slot, _ in added):
            values = {
                "uploads": before.uploads + len(added),
                "size": before.size + sum(upload.size for _, upload in added),
                "digest": chained(before.digest, (upload.sha256 for _, upload in added)),
            }
        else:  # put once more to the same slot
            values = _whole_day(connection, key)
        if row is None:
            names = dict(zip(("org_id", "dataset_id", "day"), key, strict=True))
            connection.execute(tables.days.insert().values(**names, **values))
        else:
            connection.execute(tables.days.update().where(*where).values(**values))


def renew_days(connection: sa.Connection, keys: Iterable[tuple[str, str, int | None]]) -> None:
    """Gather days anew from their uploads."""
    for org_id, dataset_id, day in keys:
        if day is None:
            continue
        where = (tables.days.c.org_id == org_id, tables.days.c.dataset_id == dataset_id, tables.days.c.day == day)
        connection.execute(tables.days.delete().where(*where))
        values = _whole_day(connection, (org_id, dataset_id, day))
        if values["uploads"]:
            connection.execute(tables.days.insert().values(org_id=org_id, dataset_id=dataset_id, day=day, **values))


def _whole_day(connection: sa.Connection, key: tuple[str, str, int]) -> dict[str, Any]:
    query = (
        _uploads(*key[:2])
        .where(tables.profiles.c.day == key[2])
        .order_by(tables.profiles.c.uploaded, tables.profiles.c.id)
    )
    uploads = connection.execute(query).all()
    return {
        "uploads": len(uploads),
        "size": sum(row.size for row in uploads),
        "digest": chained("", (row.sha256 for row in uploads)),
    }


def _sessions(connection: sa.Connection, session_ids: Iterable[str]) -> dict[str, Mapping[Any, Any]]:
    query = sa.select(tables.sessions).where(tables.sessions.c.id.in_(sorted(session_ids)))
    return {row["id"]: row for row in connection.execute(query).mappings()}


def _slots(connection: sa.Connection, profile_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    profiles, sessions = tables.profiles.c, tables.sessions.c
    query = (
        sa.select(
            profiles.id,
            profiles.org_id,
            profiles.dataset_id,
            profiles.day,
            profiles.uploaded,
            profiles.sha256,
            profiles.kind,
            profiles.alias,
            profiles.segment_tags,
            profiles.etag,
            sessions.ended,
            sessions.ended_why,
            sessions.claimed,
            sessions.claimed_by,
            sessions.claimed_dataset,
            tables.transactions.c.state.label("transaction_state"),
        )
        .join_from(tables.profiles, tables.sessions, profiles.session_id == sessions.id, isouter=True)
        .join(tables.transactions, profiles.transaction_id == tables.transactions.c.id, isouter=True)
        .where(profiles.id.in_(sorted(profile_ids)))
    )
    return {row["id"]: dict(row) for row in connection.execute(query).mappings()}


def open_session(connection: sa.Connection, session_id: str) -> SessionRow:
    """Return a session that is open; raises as `Metadata.session` does."""
    row = _sessions(connection, [session_id]).get(session_id)
    if row is None:
        raise _no_session(session_id)
    if refusal := _refusal(row):
        raise refusal
    return _session_row(row)


def _session_row(row: Mapping[Any, Any]) -> SessionRow:
    return SessionRow(row["id"], row["org_id"], row["dataset_id"], row["user_id"], "open")


def _no_session(session_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"Resource session with ID {_shortened(session_id)} not found.")


def _no_slot() -> ResourceNotFound:
    return ResourceNotFound("This upload slot does not exist. Ask for a new one.")


def _refusal(row: Mapping[Any, Any]) -> ResourceGone | None:
    """What there is to say of a session that was claimed or has ended."""
    if row["ended"] is not None:
        day = f"{datetime.fromtimestamp(row['ended'] / 1000, timezone.utc):%Y-%m-%d}"
        why = "was deleted" if row["ended_why"] == "deleted" else "had not been used for long and expired"
        return ResourceGone(
            f"This session {why} on {day}, with its profiles. Start a new session to upload them again."
        )
    if row["claimed"] is None:
        return None
    return ResourceGone(
        f"This session was claimed by organization {row['claimed_by']} and is closed for good; its "
        f"profiles are in dataset {row['claimed_dataset']} there. Start a new session to upload more."
    )

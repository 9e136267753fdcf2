"""How long things are kept: profiles and sessions that are deleted or expire, and what nobody needs any more.

A guest session expires so many days after its last upload; what was claimed never does. Slots that nobody put anything
to, blobs that no profile has and the tombstones of ended sessions are swept, some at a time, so that nobody waits.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..basics import DAY_MS
from . import quotas, tables
from .errors import ResourceGone, ResourceNotFound
from .failures import explained, log_once
from .group_commit import one_by_one
from .quotas import Held
from .rows import now_ms
from .session_writes import open_session
from .upload_writes import renew_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from .blobs import BlobStore
    from .database import Database

logger = logging.getLogger("songbird_widgets.service")

DEFAULT_DAYS = 30
"""Days after its last upload for which a guest session is kept."""

SLOT_HOURS = 24
"""Hours for which a slot is kept that nothing was put to; its URL is good for minutes only."""

TOMBSTONE_DAYS = 90
"""Days for which an ended session is still said to have ended, and not to be unknown."""

ORPHAN_DAYS = 2
"""Days for which a blob is kept that no profile has: it may be of a database that is to be restored."""

SWEEP_SECONDS = 3600.0
FIRST_SWEEP_SECONDS = 30.0
_ROWS = 1_000  # in one transaction
_KEYS = 500  # in one question


class Retention:
    """Deletes, and sweeps on a thread of its own.

    Parameters
    ----------
    database, blobs
        What is kept.
    summaries : Path
        The directory of summaries.
    days : float
        Days after its last upload for which a guest session is kept; 0 for ever.
    """

    def __init__(self, database: Database, blobs: BlobStore, summaries: Path, days: float = DEFAULT_DAYS) -> None:
        self._database = database
        self._blobs = blobs
        self._summaries = summaries
        self._days = days
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # What guests ask for

    def expires(self, session_id: str) -> int | None:
        """Return when a session expires if nothing more is uploaded, in ms; None for never."""
        if not self._days:
            return None
        with self._database.read() as connection:
            session = open_session(connection, session_id)
            last = connection.execute(_last_use(session.org_id, session.dataset_id)).scalar()
        return None if last is None else int(last + self._days * DAY_MS)

    def delete_session(self, session_id: str) -> None:
        """End a session at once; its profiles are removed soon after.

        Raises
        ------
        ResourceNotFound, ResourceGone
            As `Metadata.session` raises them.
        """
        self._database.write(_end_sessions, (session_id, "deleted", 0))
        self._wake.set()

    def delete_profile(self, session_id: str, profile_id: str) -> None:
        """Remove a profile of a session, and its bytes if no other profile has the same.

        Raises
        ------
        ResourceNotFound
            When there is no such session, or it has no such profile.
        ResourceGone
            When the session has ended.
        """
        for sha256 in self._database.write(_delete_profiles, (session_id, profile_id)):
            self.remove_blob(sha256)

    # What is swept

    def start(self) -> None:
        """Sweep from now on: soon, and then every hour."""
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sweep no more."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        self._wake.wait(FIRST_SWEEP_SECONDS)
        while not self._ended.is_set():
            self._wake.clear()
            try:
                self.sweep()
            except Exception as error:
                if answer := explained(error):
                    log_once(answer, error)
                else:
                    logger.exception("what nobody needs could not be swept; it is tried again")
            self._wake.wait(SWEEP_SECONDS)

    def sweep(self) -> None:
        """Remove what nobody needs any more."""
        now = now_ms()
        if self._days:
            before = int(now - self._days * DAY_MS)
            expired = self._ids(_unused_sessions(before))
            for session_id in expired:
                with contextlib.suppress(ResourceNotFound, ResourceGone):
                    self._database.write(_end_sessions, (session_id, "expired", before))
            if expired:
                logger.info("%d guest sessions have expired", len(expired))
        self._all_of(_rows_of_ended_sessions(), _remove_rows)
        self._all_of(_unused_slots(now - SLOT_HOURS * 3_600_000), _remove_rows)
        self._all_of(_old_tombstones(now - TOMBSTONE_DAYS * DAY_MS), _remove_tombstones)
        self._sweep_blobs(time.time() - ORPHAN_DAYS * 86_400)

    def _all_of(self, query: sa.Select[Any], remove: Callable[[sa.Connection, Sequence[Any]], list[Any]]) -> None:
        """Remove what a query finds, some at a time: others write in between."""
        while not self._ended.is_set() and (ids := self._ids(query)):
            for key in self._database.write(remove, tuple(ids)):
                self.remove_blob(key)

    def _ids(self, query: sa.Select[Any]) -> list[str]:
        with self._database.read() as connection:
            return list(connection.execute(query.limit(_ROWS)).scalars())

    def _sweep_blobs(self, before: float) -> None:
        """Remove blobs that nobody has and that are older than a moment (seconds since 1970)."""
        for prefix in self._blobs.prefixes():
            if self._ended.is_set():
                return
            keys = self._blobs.keys(prefix)
            for start in range(0, len(keys), _KEYS):
                some = keys[start : start + _KEYS]
                for key in set(some) - self._needed(some):
                    with contextlib.suppress(FileNotFoundError):
                        if self._blobs.written(key) < before:
                            self.remove_blob(key)

    def _needed(self, keys: Iterable[str]) -> set[str]:
        query = sa.select(tables.profiles.c.sha256).where(tables.profiles.c.sha256.in_(list(keys)))
        with self._database.read() as connection:
            return {str(key) for key in connection.execute(query).scalars()}

    def remove_blob(self, key: str) -> None:
        """Remove a blob, and what was made of it, unless some profile has it."""
        if self._blobs.remove(key, lambda: bool(self._needed([key]))):
            with contextlib.suppress(OSError):
                (self._summaries / key[:2] / key).unlink(missing_ok=True)


def _last_use(org_id: str, dataset_id: str) -> sa.Select[Any]:
    created = sa.select(tables.sessions.c.created).where(
        tables.sessions.c.org_id == org_id, tables.sessions.c.dataset_id == dataset_id
    )
    uploaded = sa.select(sa.func.max(tables.profiles.c.uploaded)).where(
        tables.profiles.c.org_id == org_id, tables.profiles.c.dataset_id == dataset_id
    )
    return sa.select(sa.func.coalesce(uploaded.scalar_subquery(), created.scalar_subquery()))


def _unused_sessions(before: int) -> sa.Select[Any]:
    sessions, profiles = tables.sessions.c, tables.profiles.c
    used = sa.exists().where(
        profiles.org_id == sessions.org_id, profiles.dataset_id == sessions.dataset_id, profiles.uploaded >= before
    )
    return sa.select(sessions.id).where(
        sessions.claimed.is_(None), sessions.ended.is_(None), sessions.created < before, ~used
    )


def _rows_of_ended_sessions() -> sa.Select[Any]:
    profiles, sessions = tables.profiles.c, tables.sessions.c
    return (
        sa.select(profiles.id)
        .join_from(tables.sessions, tables.profiles, profiles.session_id == sessions.id)
        .where(sessions.ended.is_not(None))
    )


def _unused_slots(before: int) -> sa.Select[Any]:
    profiles = tables.profiles.c
    return sa.select(profiles.id).where(
        profiles.uploaded.is_(None), profiles.sha256.is_(None), profiles.announced < before
    )


def _old_tombstones(before: int) -> sa.Select[Any]:
    return sa.select(tables.sessions.c.id).where(tables.sessions.c.ended < before)


# What the writer runs; each returns a result or an exception for each item.


@one_by_one
def _end_sessions(connection: sa.Connection, item: tuple[str, str, int]) -> None:
    """End a session, unless something was uploaded since a moment in ms (0 for whenever)."""
    session_id, why, before = item
    session = open_session(connection, session_id)
    # An upload that came just now keeps it.
    if before and connection.execute(_last_use(session.org_id, session.dataset_id)).scalar_one() >= before:
        return
    connection.execute(
        tables.sessions.update()
        .where(tables.sessions.c.id == session_id)
        .values(ended=now_ms(), ended_why=why, name=None)
    )
    connection.execute(
        tables.days.delete().where(
            tables.days.c.org_id == session.org_id, tables.days.c.dataset_id == session.dataset_id
        )
    )
    quotas.end(connection, session_id)


@one_by_one
def _delete_profiles(connection: sa.Connection, item: tuple[str, str]) -> list[str]:
    """Remove a profile of an open session; return what content it had."""
    session_id, profile_id = item
    profiles = tables.profiles.c
    open_session(connection, session_id)
    query = sa.select(profiles.org_id, profiles.dataset_id, profiles.day, profiles.sha256, profiles.same_as).where(
        profiles.id == profile_id, profiles.session_id == session_id
    )
    row = connection.execute(query).first()
    if row is None:
        raise ResourceNotFound(f"Resource profile with ID {profile_id[:40]} not found in this session.")
    first = row.same_as or profile_id
    # Uploads of equal content are one profile, under several ids.
    _remove(
        connection,
        (profiles.org_id == row.org_id)
        & (profiles.dataset_id == row.dataset_id)
        & sa.or_(profiles.id == profile_id, profiles.id == first, profiles.same_as == first)
        & (profiles.sha256 == row.sha256 if row.sha256 else profiles.id == profile_id),
    )
    renew_days(connection, {(row.org_id, row.dataset_id, row.day)})
    return [row.sha256] if row.sha256 else []


def _remove_rows(connection: sa.Connection, items: Sequence[tuple[str, ...]]) -> list[list[str] | Exception]:
    """Remove profiles of ended sessions and unused slots; return what content they had."""
    profiles, sessions = tables.profiles.c, tables.sessions.c
    ended = sa.select(sessions.id).where(sessions.ended.is_not(None))
    results: list[list[str] | Exception] = []
    for ids in items:
        # What was put to a slot since it was found stays.
        still = profiles.id.in_(ids) & sa.or_(profiles.sha256.is_(None), profiles.session_id.in_(ended))
        query = sa.select(profiles.sha256).where(still, profiles.sha256.is_not(None)).distinct()
        results.append(list(connection.execute(query).scalars()))
        _remove(connection, still)
    return results


def _remove(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Remove profiles, and count them no more in their sessions."""
    profiles = tables.profiles.c
    counts = sa.select(profiles.session_id, sa.func.count(), sa.func.coalesce(sa.func.sum(profiles.size), 0)).where(
        which, profiles.session_id.is_not(None)
    )
    gone = {
        session_id: Held(-count, -int(size))
        for session_id, count, size in connection.execute(counts.group_by(profiles.session_id))
    }
    connection.execute(tables.profiles.delete().where(which))
    quotas.change(connection, gone)


def _remove_tombstones(connection: sa.Connection, items: Sequence[tuple[str, ...]]) -> list[list[str] | Exception]:
    for ids in items:
        query = sa.select(tables.sessions.c.org_id).where(tables.sessions.c.id.in_(ids))
        org_ids = list(connection.execute(query).scalars())
        connection.execute(tables.sessions.delete().where(tables.sessions.c.id.in_(ids)))
        connection.execute(tables.datasets.delete().where(tables.datasets.c.org_id.in_(org_ids)))
        connection.execute(tables.organizations.delete().where(tables.organizations.c.id.in_(org_ids)))
    return [[] for _ in items]

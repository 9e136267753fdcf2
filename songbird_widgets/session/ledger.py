"""The journal of what was to be sent and what was confirmed; it outlives the kernel.

It is written before anything is sent, so that a session can be finished after a restart. It holds session
ids, which open their sessions to whoever has them: only its owner can read it. It holds no API key.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client.redaction import short_id
from .state import Kind, SessionProfile, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VERSION = 1
_SCHEMA = """
create table if not exists sessions (
    session_id text primary key,
    endpoint text,
    label text not null,
    state text not null,
    created integer not null,
    used integer not null
);
create table if not exists profiles (
    session_id text not null references sessions on delete cascade,
    key text not null,
    kind text not null,
    label text not null,
    alias text,
    dataset_timestamp integer,
    name text not null,
    size integer not null,
    sha256 text not null,
    columns integer,
    rows integer,
    path blob,
    state text not null,
    problem text,
    profile_id text,
    upload_timestamp integer,
    primary key (session_id, key)
);
"""
_BUSY_SECONDS = 10.0
_KEPT_SECONDS = 30 * 86_400


class LedgerError(Exception):
    """The ledger cannot be read or written; the text says where it is and why."""


@dataclass(frozen=True)
class LedgerSession:
    """One session of this user, as the ledger knows it.

    Attributes
    ----------
    session_id : str
        What ``Session(session_id=...)`` continues it with; not in the repr.
    endpoint : str or None
        Where it lives; None for the local service. Not in the repr.
    label : str
        The endpoint as people may see it.
    state : str
        As last seen: ``"open"``, ``"claimed"`` or ``"expired"``.
    created, used : int
        Milliseconds since 1970 in UTC.
    profiles, unfinished : int
        How many there are, and how many of them did not arrive.
    """

    session_id: str = field(repr=False)
    endpoint: str | None = field(repr=False)
    label: str
    state: str
    created: int
    used: int
    profiles: int
    unfinished: int

    @property
    def short_id(self) -> str:
        """The id, shortened to what opens nothing."""
        return short_id(self.session_id)


@dataclass(frozen=True)
class LedgerEntry:
    """A profile of a session and where its bytes are."""

    profile: SessionProfile
    path: Path | None


class Ledger:
    """The journal in one directory, shared by all kernels of a user.

    Parameters
    ----------
    directory : Path
        Where it lives; made if missing.

    Raises
    ------
    LedgerError
        By every method, if the journal cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file = directory / "ledger.sqlite3"
        self._spool = directory / "spool"
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def begin(self, session_id: str, endpoint: str | None, label: str) -> None:
        """Write a session down, or that it was used again.

        Parameters
        ----------
        session_id : str
            The session.
        endpoint : str or None
            Where it lives; None for the local service, whose address may change.
        label : str
            The endpoint as people may see it.
        """
        now = time.time_ns() // 1_000_000
        with self._write() as ledger:
            ledger.execute(
                "insert into sessions values (?, ?, ?, 'open', ?, ?) "
                "on conflict (session_id) do update set endpoint = excluded.endpoint, "
                "label = excluded.label, used = excluded.used",
                (session_id, endpoint, label, now, now),
            )

    def mark(self, session_id: str, state: str) -> None:
        """Write down what became of a session."""
        with self._write() as ledger:
            ledger.execute("update sessions set state = ? where session_id = ?", (state, session_id))

    def announce(self, session_id: str, entries: Iterable[LedgerEntry]) -> None:
        """Write down what is about to be sent; what was confirmed stays confirmed."""
        rows = [_row(session_id, entry) for entry in entries]
        with self._write() as ledger:
            ledger.executemany(
                "insert into profiles values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'added', null, null, null) "
                "on conflict (session_id, key) do update set path = excluded.path, state = 'added', "
                "problem = null where state <> 'uploaded'",
                rows,
            )

    def confirm(self, session_id: str, profiles: Iterable[SessionProfile]) -> None:
        """Write down profiles whose bytes have arrived, also those that others uploaded."""
        rows = [
            (*_row(session_id, LedgerEntry(profile, None)), profile.profile_id, profile.upload_timestamp)
            for profile in profiles
        ]
        with self._write() as ledger:
            ledger.executemany(
                "insert into profiles values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'uploaded', null, ?, ?) "
                "on conflict (session_id, key) do update set state = 'uploaded', problem = null, "
                "path = null, profile_id = coalesce(excluded.profile_id, profile_id), "
                "upload_timestamp = coalesce(excluded.upload_timestamp, upload_timestamp)",
                rows,
            )

    def fail(self, session_id: str, key: str, problem: str) -> None:
        """Write down why a profile has not arrived."""
        with self._write() as ledger:
            ledger.execute(
                "update profiles set state = 'failed', problem = ? "
                "where session_id = ? and key = ? and state <> 'uploaded'",
                (problem, session_id, key),
            )

    def forget(self, session_id: str, keys: Iterable[str]) -> None:
        """Strike out profiles that are not to be sent after all; what was confirmed stays."""
        with self._write() as ledger:
            ledger.executemany(
                "delete from profiles where session_id = ? and key = ? and state <> 'uploaded'",
                [(session_id, key) for key in keys],
            )

    def session(self, session_id: str) -> LedgerSession | None:
        """Return what is known of one session."""
        return next(iter(self._sessions("where s.session_id = ?", (session_id,))), None)

    def recent(self, most: int = 20) -> list[LedgerSession]:
        """Return the sessions used last, the latest first."""
        return self._sessions("order by s.used desc limit ?", (most,))

    def _sessions(self, which: str, values: tuple[object, ...]) -> list[LedgerSession]:
        with self._read() as ledger:
            rows = ledger.execute(
                "select s.session_id, s.endpoint, s.label, s.state, s.created, s.used, "  # noqa: S608 - all literals
                "(select count(*) from profiles p where p.session_id = s.session_id), "
                "(select count(*) from profiles p where p.session_id = s.session_id "
                "and p.state <> 'uploaded') "
                f"from sessions s {which}",
                values,
            ).fetchall()
        return [LedgerSession(*row) for row in rows]

    def entries(self, session_id: str) -> list[LedgerEntry]:
        """Return the profiles of a session in the order in which they were written down."""
        with self._read() as ledger:
            rows = ledger.execute(
                "select key, kind, label, alias, dataset_timestamp, name, size, sha256, columns, rows, path, "
                "state, problem, profile_id, upload_timestamp from profiles "
                "where session_id = ? order by rowid",
                (session_id,),
            ).fetchall()
        return [_entry(row) for row in rows]

    def spool(self, sha256: str, content: bytes) -> Path:
        """Keep bytes that are in no file of the user's until they are confirmed."""
        target = self._spool / sha256
        try:
            if target.is_file() and target.stat().st_size == len(content):
                return target
            _private_directory(self._spool)
            part = self._spool / f"{sha256}.{secrets.token_hex(4)}"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            part.replace(target)
        except OSError as error:
            raise LedgerError(_unusable(self._spool, error)) from error
        return target

    def tidy(self) -> None:
        """Drop kept bytes that no unfinished profile needs, or that nobody came back for in 30 days."""
        with self._read() as ledger:
            needed = {row[0] for row in ledger.execute("select sha256 from profiles where path is not null")}
        oldest = time.time() - _KEPT_SECONDS
        with contextlib.suppress(OSError):
            for file in self._spool.iterdir():
                if file.name.partition(".")[0] not in needed or file.stat().st_mtime < oldest:
                    file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._read() as ledger:
            ledger.execute("begin immediate")
            try:
                yield ledger
            except BaseException:
                ledger.execute("rollback")
                raise
            ledger.execute("commit")

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._opened()
        except sqlite3.Error as error:
            raise LedgerError(_unusable(self._file, error)) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        try:
            _private_directory(self.directory)
            # SQLite gives its journal files the rights of the main file, so this makes all of them private.
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise LedgerError(_unusable(self._file, error)) from error
        connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        weakref.finalize(self, connection.close)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # A killed kernel loses nothing that was committed; only a power cut could, and then the endpoint
        # knows what arrived. So no sync for each profile.
        for pragma in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on"):
            connection.execute(f"pragma {pragma}")
        version = connection.execute("pragma user_version").fetchone()[0]
        if version > _VERSION:
            raise LedgerError(f"The ledger {self._file} is of a newer songbird-widgets. Update this one.")
        if version < _VERSION:
            connection.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {_VERSION}; commit;")


def _private_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _unusable(file: Path, error: Exception) -> str:
    return f"The ledger {file} cannot be used: {error}."


def _row(session_id: str, entry: LedgerEntry) -> tuple[object, ...]:
    profile = entry.profile
    return (
        session_id,
        profile.key,
        profile.kind,
        profile.label,
        profile.alias,
        profile.dataset_timestamp,
        profile.name,
        profile.size,
        profile.sha256,
        profile.columns,
        profile.rows,
        None if entry.path is None else os.fsencode(entry.path),  # a name need not be Unicode
    )


def _entry(row: tuple[Any, ...]) -> LedgerEntry:
    (
        key,
        kind,
        label,
        alias,
        timestamp,
        name,
        size,
        sha256,
        columns,
        rows,
        path,
        state,
        problem,
        profile_id,
        when,
    ) = row
    kinds: dict[str, Kind] = {"batch": "batch", "reference": "reference"}
    states: dict[str, State] = {"uploaded": "uploaded", "failed": "failed"}
    profile = SessionProfile(
        key=key,
        kind=kinds[kind],
        label=label,
        state=states.get(state, "added"),
        alias=alias,
        dataset_timestamp=timestamp,
        profile_id=profile_id,
        problem=problem,
        size=size,
        columns=columns,
        rows=rows,
        name=name,
        sha256=sha256,
        upload_timestamp=when,
    )
    if profile.state == "uploaded":
        profile = replace(profile, sent=size)
    return LedgerEntry(profile, None if path is None else Path(os.fsdecode(path)))

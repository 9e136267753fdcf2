"""The ledger of what is to be sent and what was confirmed; it outlives a kernel, and all kernels of a user share it.

It is written before anything is sent, so that a session can be finished after a restart, and it says which
kernel sends what, so that two of them send each profile once. It holds session ids, which open their sessions to
whoever has them: only its owner can read it. It holds no API key.
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
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout

from ..basics import DAY_MS
from ..local import local_service
from . import ledger_tables as tables
from .errors import LedgerError
from .models import LedgerSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..secret import Secret
    from .ledger_tables import LedgerEntry
    from .models import SessionProfile

T = TypeVar("T")

_BUSY_SECONDS = 5.0
_FRESH_SECONDS = 600
_MAX_UNUSED_DAYS = 30
_DAMAGE = ("malformed", "not a database")
_ONE = f"select {', '.join(tables.READ_COLUMNS)} from profiles where session_id = ? and key = ?"


@dataclass(frozen=True)
class Lease:
    """What of a session this kernel may send now.

    Attributes
    ----------
    granted : frozenset of str
        Keys of the profiles that nobody else sends until `Ledger.release`.
    uploaded : mapping of str to SessionProfile
        What others have sent meanwhile, by the key of the profile that holds the same data here.
    elsewhere : frozenset of str
        Keys of those that another kernel is sending.
    """

    granted: frozenset[str]
    uploaded: Mapping[str, SessionProfile] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()


class Ledger:
    """The ledger in one directory, shared by all kernels of a user.

    Parameters
    ----------
    directory : Path, optional
        Where it lies; by default the user's own.
    on_problem : callable, optional
        Called with a sentence when the ledger cannot be used, and from then on nothing is read or written: losing
        the ledger must not cost an upload. Without it, every method raises.

    Raises
    ------
    LedgerError
        By every method, if the ledger cannot be used and nobody is told of it otherwise.
    """

    def __init__(self, directory: Path | None = None, on_problem: Callable[[str], None] | None = None) -> None:
        self._on_problem = on_problem
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._sender = secrets.token_hex(8)
        self._sending: FileLock | None = None
        self._lost = False
        self._untold: list[str] = []
        self._begun: dict[Secret, tuple[object, ...]] = {}  # rows of sessions, as they were begun here
        self.directory = directory or Path()
        if directory is None:
            self._attempt(self._find_directory, None)
        self._file = self.directory / "ledger.sqlite3"
        self._spool = self.directory / "spool"

    def _find_directory(self) -> None:
        try:
            self.directory = local_service.data_directory()
        except local_service.LocalServiceError as error:
            raise LedgerError(str(error)) from None

    # -- sessions -------------------------------------------------------------------------------------------

    def begin(self, session_id: Secret, endpoint: Secret | None, label: str, name: str = "") -> None:
        """Record a session, or that it was used again; delete kept bytes that nothing needs any more.

        Parameters
        ----------
        session_id : Secret
            The session.
        endpoint : Secret or None
            Where it lives; None for the local service, whose address may change.
        label : str
            The endpoint as people may see it.
        name : str
            What its owner calls it; empty leaves the name that it has.
        """
        now = time.time_ns() // 1_000_000

        row = self._begun[session_id] = (session_id, endpoint, label, now, now, name or None)

        def write(ledger: sqlite3.Connection) -> None:
            ledger.execute("insert or ignore into days values (?)", (now // DAY_MS,))
            ledger.execute(
                f"{tables.BEGIN} on conflict (session_id) do update set endpoint = excluded.endpoint, "
                "label = excluded.label, used = excluded.used, name = coalesce(excluded.name, name)",
                row,
            )
            self._tidy(ledger)

        self._write(write, None)

    def _begin_again(self, ledger: sqlite3.Connection, session_id: Secret) -> None:
        """Record a session once more, for another kernel may have set a damaged ledger aside and begun a new one."""
        if session_id in self._begun:
            ledger.execute(f"{tables.BEGIN} on conflict do nothing", self._begun[session_id])

    def rename(self, session_id: Secret, name: str) -> None:
        """Record the name of a session."""
        self._write(
            lambda ledger: ledger.execute("update sessions set name = ? where session_id = ?", (name, session_id)), None
        )

    def mark(self, session_id: Secret, state: str) -> None:
        """Record the state of a session."""
        self._write(
            lambda ledger: ledger.execute("update sessions set state = ? where session_id = ?", (state, session_id)),
            None,
        )

    def session(self, session_id: Secret) -> LedgerSession | None:
        """Return what is known of one session."""
        return next(iter(self._sessions("where s.session_id = ?", session_id)), None)

    def recent(self, most: int = 20) -> list[LedgerSession]:
        """Return the sessions used last, the latest first."""
        return self._sessions("order by s.used desc limit ?", most)

    def _sessions(self, which: str, value: object) -> list[LedgerSession]:
        query = (
            f"select {', '.join(f's.{name}' for name in tables.SESSION_COLUMNS)}, "
            "(select count(*) from profiles p where p.session_id = s.session_id), "
            "(select count(*) from profiles p where p.session_id = s.session_id and p.state <> 'uploaded') "
            f"from sessions s {which}"
        )
        nothing: list[tuple[Any, ...]] = []
        rows = self._read(lambda ledger: ledger.execute(query, (value,)).fetchall(), nothing)
        names = (*tables.SESSION_COLUMNS, "profiles", "unfinished")
        return [LedgerSession(**dict(zip(names, row, strict=True))) for row in rows]

    # -- profiles -------------------------------------------------------------------------------------------

    def entries(self, session_id: Secret) -> list[LedgerEntry]:
        """Return the profiles of a session in the order in which they were recorded."""
        query = f"select {', '.join(tables.READ_COLUMNS)} from profiles where session_id = ? order by rowid"
        nothing: list[tuple[Any, ...]] = []
        rows = self._read(lambda ledger: ledger.execute(query, (session_id,)).fetchall(), nothing)
        return [tables.entry_of(dict(zip(tables.READ_COLUMNS, row, strict=True))) for row in rows]

    def lease(self, session_id: Secret, entries: Iterable[LedgerEntry]) -> Lease:
        """Record what this kernel is about to send, and keep bytes that are in no file until they are confirmed.

        What was confirmed stays confirmed, and what another living kernel is sending stays that kernel's, also when it
        has profiled the same data itself. A lease ends with `release`, or with the process that holds it.
        """
        given = list(entries)

        def write(ledger: sqlite3.Connection) -> Lease:
            self._begin_again(ledger, session_id)
            living: dict[str, bool] = {self._sender: False}
            granted, uploaded, elsewhere = set(), {}, set()
            found = _rows_like(ledger, session_id, [entry.profile for entry in given])
            for entry, rows in zip(given, found, strict=True):
                key = entry.profile.key
                arrived = [row for row in rows if row["state"] == "uploaded"]
                senders = [row["sender"] for row in rows if row["sender"]]
                if arrived:
                    uploaded[key] = tables.entry_of(arrived[0]).profile
                elif any(living.setdefault(sender, self._lives(sender)) for sender in senders):
                    elsewhere.add(key)
                else:
                    new = tables.row_of(session_id, entry.profile, entry.content, kept.get(key), sender=self._sender)
                    ledger.execute(tables.ANNOUNCE, new)
                    granted.add(key)
            return Lease(frozenset(granted), uploaded, frozenset(elsewhere))

        nothing: dict[str, Path | None] = {}
        self._attempt(self._hold, None)
        # Before the transaction, which keeps other kernels waiting.
        kept = self._attempt(lambda: {entry.profile.key: self._kept(entry) for entry in given}, nothing)
        return self._write(write, Lease(frozenset(entry.profile.key for entry in given)))

    def release(self, session_id: Secret) -> None:
        """Let others send what this kernel has not."""
        self._write(
            lambda ledger: ledger.execute(
                "update profiles set sender = null where session_id = ? and sender = ?", (session_id, self._sender)
            ),
            None,
        )
        if self._sending is not None:
            self._sending.release()
            Path(self._sending.lock_file).unlink(missing_ok=True)
            self._sending = None

    def confirm(self, session_id: Secret, profiles: Iterable[SessionProfile]) -> None:
        """Record profiles whose bytes have arrived, also those that others uploaded."""
        rows = [tables.row_of(session_id, replace(profile, state="uploaded", problem=None)) for profile in profiles]

        def write(ledger: sqlite3.Connection) -> None:
            self._begin_again(ledger, session_id)
            ledger.executemany(tables.CONFIRM, rows)

        if rows:
            self._write(write, None)

    def fail(self, session_id: Secret, key: str, problem: str) -> None:
        """Record why a profile has not arrived."""
        self._write(
            lambda ledger: ledger.execute(
                "update profiles set state = 'failed', problem = ? "
                "where session_id = ? and key = ? and state <> 'uploaded'",
                (problem, session_id, key),
            ),
            None,
        )

    def forget(self, session_id: Secret, keys: Iterable[str]) -> None:
        """Delete profiles that are not to be sent after all; what was confirmed stays."""
        rows = [(session_id, key) for key in keys]
        self._write(
            lambda ledger: ledger.executemany(
                "delete from profiles where session_id = ? and key = ? and state <> 'uploaded'", rows
            ),
            None,
        )

    def erase(self, session_id: Secret, keys: Iterable[str]) -> None:
        """Delete profiles, also confirmed ones: the endpoint has deleted them."""
        rows = [(session_id, key) for key in keys]
        self._write(
            lambda ledger: ledger.executemany("delete from profiles where session_id = ? and key = ?", rows), None
        )

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # -- kept bytes -----------------------------------------------------------------------------------------

    def _kept(self, entry: LedgerEntry) -> Path | None:
        """Return the file of an entry's bytes: the user's own, or a private one made now."""
        data = None if entry.content is None else entry.content.data
        if not isinstance(data, bytes):
            return data
        target = self._spool / entry.profile.sha256
        try:
            if target.is_file() and target.stat().st_size == len(data):
                return target
            _make_private(self._spool)
            part = self._spool / f"{entry.profile.sha256}.{secrets.token_hex(4)}"
            try:
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
                part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise LedgerError(_unusable(self._spool, error)) from error
        return target

    def _tidy(self, ledger: sqlite3.Connection) -> None:
        """Drop kept bytes that no unfinished profile needs, or whose session was not used for 30 days of use."""
        needed = {
            row[0]
            for row in ledger.execute(
                "select p.sha256 from profiles p join sessions s on s.session_id = p.session_id "
                "where p.path is not null and (select count(*) from days where day > s.used / ?) < ?",
                (DAY_MS, _MAX_UNUSED_DAYS),
            )
        }
        with contextlib.suppress(OSError):
            for file in self._spool.iterdir():
                # What another kernel has just kept is not recorded yet.
                fresh = abs(time.time() - file.stat().st_mtime) < _FRESH_SECONDS
                if file.name.partition(".")[0] not in needed and not fresh:
                    file.unlink(missing_ok=True)

    # -- who sends what -------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Take the lock that tells other kernels that this one is alive and sending."""
        if self._sending is None:
            lock = self._lock_of(self._sender)
            try:
                _make_private(Path(lock.lock_file).parent)
                lock.acquire(timeout=0)
            except (OSError, NotImplementedError) as error:
                raise LedgerError(_unusable(Path(lock.lock_file), error)) from error
            self._sending = lock

    def _lives(self, sender: str) -> bool:
        """Tell whether a kernel that leased profiles is alive: its lock ends with it."""
        lock = self._lock_of(sender)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except (OSError, NotImplementedError):
            return False  # it is gone, with its directory
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)  # its name is never used again
        return False

    def _lock_of(self, sender: str) -> FileLock:
        # Another thread than the one that took it may release it.
        return FileLock(self.directory / "senders" / f"{sender}.lock", mode=0o600, thread_local=False)

    # -- the file -------------------------------------------------------------------------------------------

    def _write(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        def write(ledger: sqlite3.Connection) -> T:
            ledger.execute("begin immediate")
            try:
                result = action(ledger)
                ledger.execute("commit")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back by itself
                    ledger.execute("rollback")
                raise
            return result

        return self._read(write, otherwise)

    def _read(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        def read() -> T:
            try:
                return action(self._opened())
            except sqlite3.DatabaseError as error:
                if not any(word in str(error) for word in _DAMAGE):
                    raise LedgerError(_unusable(self._file, error)) from error
            self._set_aside()
            try:
                return action(self._opened())
            except sqlite3.Error as error:
                raise LedgerError(_unusable(self._file, error)) from error

        return self._attempt(read, otherwise)

    def _attempt(self, action: Callable[[], T], otherwise: T) -> T:
        """Do something with the ledger; where it fails and someone can be told, say so once and go on without."""
        with self._lock:
            if self._lost:
                return otherwise
            try:
                result = action()
            except LedgerError as error:
                if self._on_problem is None:
                    raise
                result, self._lost = otherwise, True
                self._untold.append(
                    f"{error} The session goes on, but could not be finished after a restart of the kernel."
                )
            untold, self._untold = self._untold, []
        for reason in untold:  # without the lock: the callback may take locks of its own
            self._tell(reason)
        return result

    def _tell(self, reason: str) -> None:
        if self._on_problem is None:
            raise LedgerError(reason)
        self._on_problem(reason)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        try:
            _make_private(self.directory)
            # SQLite gives its journal files the rights of the main file, so this makes all of them private.
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise LedgerError(_unusable(self._file, error)) from error
        connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            tables.prepare(connection, self._file)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        weakref.finalize(self, connection.close)
        return connection

    def _set_aside(self) -> None:
        """Move a damaged ledger out of the way, once for all kernels, and say so."""
        self.close()
        try:
            with FileLock(self.directory / "ledger.lock", timeout=_BUSY_SECONDS, mode=0o600):
                if self._is_sound():
                    return  # another kernel has done it
                aside = f"{self._file.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
                for suffix in ("-wal", "-shm", ""):
                    with contextlib.suppress(FileNotFoundError):
                        (self.directory / f"{self._file.name}{suffix}").rename(self.directory / f"{aside}{suffix}")
        except (OSError, NotImplementedError) as error:
            raise LedgerError(_unusable(self._file, error)) from error
        self._untold.append(
            f"The ledger {self._file} was damaged: it was set aside as {aside} and a new one begun. Sessions of "
            "before are no longer listed, but can be continued by their ids."
        )

    def _is_sound(self) -> bool:
        if not self._file.exists():
            return True
        try:
            with contextlib.closing(sqlite3.connect(self._file, timeout=_BUSY_SECONDS)) as connection:
                return bool(connection.execute("pragma quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError as error:
            if any(word in str(error) for word in _DAMAGE):
                return False
            raise LedgerError(_unusable(self._file, error)) from error


def _rows_like(
    ledger: sqlite3.Connection, session_id: Secret, profiles: Sequence[SessionProfile]
) -> list[list[dict[str, Any]]]:
    """Return for each profile its own row, if there is one, and then those that hold the same data."""
    keys: dict[str, list[str]] = {profile.data_digest: [] for profile in profiles if profile.data_digest}
    for key, digest in ledger.execute("select key, data_digest from profiles where session_id = ?", (session_id,)):
        if digest in keys:
            keys[digest].append(key)
    found = []
    for profile in profiles:
        rows: list[dict[str, Any]] = []
        for key in dict.fromkeys([profile.key, *keys.get(profile.data_digest, ())]):
            row = ledger.execute(_ONE, (session_id, key)).fetchone()
            if row is not None:
                known = dict(zip(tables.READ_COLUMNS, row, strict=True))
                if key == profile.key or tables.entry_of(known).profile.holds_same_as(profile):
                    rows.append(known)
        found.append(rows)
    return found


def _make_private(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _unusable(file: Path, error: Exception) -> str:
    return f"The ledger {file} cannot be used: {str(error).rstrip('.')}."

"""How much guests may keep: bytes and profiles of each session and of all together, and what a disk must have left.

What sessions hold is counted in the transaction that changes it, so that it is right whoever writes at once. Bytes are
those that were sent: content that is there twice is kept once and counts twice.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ..basics import size_text
from ..local.identity import LocalServiceError
from . import tables
from .errors import OutOfSpace, QuotaExceeded, ServiceError
from .statements import Statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .blobs import BlobStore

NAMES = ("session_bytes", "session_profiles", "guest_bytes", "guest_profiles")
"""Options of ``songbird-widgets serve``; each has a variable in capitals with the prefix ``SONGBIRD_``."""

SESSION_PROFILES = 200_000
GUEST_PROFILES = 5_000_000
SHARE = 0.5
"""Of the free disk what guests may keep together, and of that what one session may."""

STORE_SESSION_BYTES, STORE_GUEST_BYTES = 50_000_000_000, 2_000_000_000_000
"""What one session and all guests may keep where no disk says what there is room for, as in an object store."""

RESERVE_BYTES, RESERVE_SHARE = 1_000_000_000, 0.05
"""Of a disk so much is left free, whichever is less: a full one stops whatever else works on it."""

_ALL = tables.ALL_SESSIONS
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]i?)?B?", re.IGNORECASE)
_UNITS = {unit: 1000**power for power, unit in enumerate(("", "k", "m", "g", "t"))}
_UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("kmgt", start=1)}


@dataclass(frozen=True)
class Quotas:
    """What guests may keep; None for what is not limited.

    Attributes
    ----------
    session_bytes, session_profiles : int or None
        Of one guest session; profiles are counted from the moment that a slot is given out.
    guest_bytes, guest_profiles : int or None
        Of all guest sessions together; each session counts as a profile, too.
    """

    session_bytes: int | None = None
    session_profiles: int | None = None
    guest_bytes: int | None = None
    guest_profiles: int | None = None

    @classmethod
    def of(cls, options: Mapping[str, object], environment: Mapping[str, str], blobs: BlobStore, used: int) -> Quotas:
        """Gather the quotas of a service.

        Parameters
        ----------
        options
            What was given on the command line, by `NAMES`; None for what was not given. 0 is no limit.
        environment
            As `os.environ`.
        blobs
            Where profiles are kept; by default guests may fill `SHARE` of what its disk has free, and of a store
            without one `STORE_GUEST_BYTES`.
        used
            Bytes that guests keep already.

        Raises
        ------
        LocalServiceError
            When one of them is no size or number.
        """
        given = {name: str(options.get(name) or environment.get(f"SONGBIRD_{name.upper()}") or "") for name in NAMES}
        disk = blobs.disk()
        guest_bytes = STORE_GUEST_BYTES if disk is None else int(SHARE * (disk[0] + used))
        if given["guest_bytes"]:
            guest_bytes = size_of(given["guest_bytes"])
        session_bytes = int(SHARE * guest_bytes)
        if disk is None:
            session_bytes = min(session_bytes or STORE_SESSION_BYTES, STORE_SESSION_BYTES)
        if given["session_bytes"]:
            session_bytes = size_of(given["session_bytes"])
        return cls(
            session_bytes=session_bytes or None,
            session_profiles=_count(given["session_profiles"], SESSION_PROFILES) or None,
            guest_bytes=guest_bytes or None,
            guest_profiles=_count(given["guest_profiles"], GUEST_PROFILES) or None,
        )

    def is_filling(self, session: Held) -> bool:
        """Tell whether a session holds so much that what has just arrived matters."""
        return self.session_bytes is not None and session.size >= SHARE * self.session_bytes

    def refusal(self, session: Held, guests: Held, profiles: int, size: int) -> ServiceError | None:
        """Return why a session may not keep so much more, or None if it may.

        Parameters
        ----------
        session, guests
            What it holds, and what all hold together.
        profiles, size
            Slots and bytes that are to be added.
        """
        more = session.size + max(size, 1)  # where nothing more fits no slot is given out, either
        if self.session_bytes is not None and more > self.session_bytes:
            return QuotaExceeded(
                f"This session holds {size_text(session.size)}, and a guest session may hold "
                f"{size_text(self.session_bytes)} here: there is no room for "
                f"{f'{size_text(size)} more' if size else 'more'}. {_DELETE}, start another session, or ask whoever "
                "runs the service for more (SONGBIRD_SESSION_BYTES)."
            )
        if self.session_profiles is not None and session.profiles + profiles > self.session_profiles:
            return QuotaExceeded(
                f"This session holds {session.profiles:,} profiles, and a guest session may hold "
                f"{self.session_profiles:,} here. {_DELETE}, start another session, or ask whoever runs the service "
                "for more (SONGBIRD_SESSION_PROFILES)."
            )
        if self.guest_bytes is not None and guests.size + max(size, 1) > self.guest_bytes:
            return OutOfSpace(
                f"All guest sessions of this service together may hold {size_text(self.guest_bytes)}, and hold "
                f"{size_text(guests.size)}. {_DELETE_SESSIONS}, or ask whoever runs the service for more "
                "(SONGBIRD_GUEST_BYTES)."
            )
        if self.guest_profiles is not None and guests.profiles + profiles > self.guest_profiles:
            return OutOfSpace(
                f"All guest sessions of this service together may hold {self.guest_profiles:,} profiles, and hold as "
                f"many. {_DELETE_SESSIONS}, or ask whoever runs the service for more (SONGBIRD_GUEST_PROFILES)."
            )
        return None


_DELETE = "Delete profiles of it (session.delete(…), songbird-widgets delete)"
_DELETE_SESSIONS = "Delete sessions that nobody needs (songbird-widgets delete)"


@dataclass
class Held:
    """How many profiles, slots included, and bytes there are."""

    profiles: int = 0
    size: int = 0

    def add(self, profiles: int, size: int) -> None:
        """Count more, or less."""
        self.profiles += profiles
        self.size += size


class Room:
    """The room for uploads that are under way: large ones claim theirs before the first byte is written.

    Parameters
    ----------
    blobs
        Where they are kept.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._under_way: dict[str | None, int] = {}

    def check_disk(self, size: int = 0) -> None:
        """Refuse what would leave the disk too little.

        Raises
        ------
        OutOfSpace
        """
        disk = self._blobs.disk()
        if disk is None:
            return
        free, whole = disk
        reserve = int(min(RESERVE_BYTES, RESERVE_SHARE * whole))
        with self._lock:
            under_way = sum(self._under_way.values())
        if free - size - under_way < reserve:
            raise OutOfSpace(
                f"The disk of this service has {size_text(free)} left, and {size_text(reserve)} of it stay free. "
                "Free some space on it, or delete sessions that nobody needs (songbird-widgets delete)."
            )

    def under_way(self, session_id: str | None) -> tuple[int, int]:
        """Return the bytes that are under way to a session, and to all sessions."""
        with self._lock:
            of_all = sum(size for key, size in self._under_way.items() if key is not None)
            return self._under_way.get(session_id, 0), of_all

    def claim(self, session_id: str | None, size: int) -> None:
        """Count bytes that are under way; None for what no session holds."""
        with self._lock:
            self._under_way[session_id] = self._under_way.get(session_id, 0) + size

    def release(self, session_id: str | None, size: int) -> None:
        """Count them no more."""
        with self._lock:
            left = self._under_way.get(session_id, 0) - size
            if left > 0:
                self._under_way[session_id] = left
            else:
                self._under_way.pop(session_id, None)


# What is counted, in the transaction that changes it


def held(connection: sa.Connection, session_ids: Iterable[str]) -> dict[str, Held]:
    """Return what open sessions hold, by their ids; and under `tables.ALL_SESSIONS` what all hold."""
    rows = connection.execute(_HELD, {"ids": [_ALL, *set(session_ids)]})
    return {session_id: Held(profiles, size) for session_id, profiles, size in rows}


# Statements that every upload needs are made once: making one takes as long as executing it.
_HELD = sa.select(tables.usage.c.session_id, tables.usage.c.profiles, tables.usage.c.size).where(
    tables.usage.c.session_id.in_(sa.bindparam("ids", expanding=True))
)


def begin(connection: sa.Connection, session_ids: Iterable[str]) -> None:
    """Count what new sessions hold: nothing yet."""
    rows = [{"session_id": session_id, "profiles": 0, "size": 0} for session_id in session_ids]
    connection.execute(tables.usage.insert(), rows)
    _add(connection, {_ALL: Held(len(rows))})


def change(connection: sa.Connection, changes: Mapping[str, Held], known: Collection[str] | None = None) -> None:
    """Add to what sessions hold, or take from it; those that are not open, and so not among the known, hold nothing."""
    if known is None:
        known = held(connection, changes)
    changed = {key: more for key, more in changes.items() if key in known and (more.profiles or more.size)}
    if changed:
        of_all = Held(sum(more.profiles for more in changed.values()), sum(more.size for more in changed.values()))
        _add(connection, {**changed, _ALL: of_all})


def end(connection: sa.Connection, session_id: str) -> None:
    """Count what a session holds no more: it was claimed, or has ended."""
    known = held(connection, [session_id]).get(session_id)
    if known is not None:
        connection.execute(tables.usage.delete().where(tables.usage.c.session_id == session_id))
        _add(connection, {_ALL: Held(-known.profiles - 1, -known.size)})


def _add(connection: sa.Connection, changes: Mapping[str, Held]) -> None:
    rows = [{"key": key, "more": more.profiles, "more_bytes": more.size} for key, more in sorted(changes.items())]
    _MORE.run(connection, rows)


_MORE = Statement(
    tables.usage.update()
    .where(tables.usage.c.session_id == sa.bindparam("key"))
    .values(
        profiles=tables.usage.c.profiles + sa.bindparam("more"), size=tables.usage.c.size + sa.bindparam("more_bytes")
    )
)


# What is written on a command line


def size_of(text: str) -> int:
    """Return the bytes of a text such as ``20GB``, ``512 MiB`` or ``0``; raises `LocalServiceError` for others."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise LocalServiceError(f"{text} is no size such as 20GB, 512MiB, or 0 for no limit.")
    return int(float(found[1]) * _UNITS[(found[2] or "").lower()])


def _count(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise LocalServiceError(f"{text} is no number of profiles; 0 is no limit.")
    return int(text)

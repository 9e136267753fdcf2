"""What the disk, the database or the clock refuse: a sentence for whoever asked, and one line of the log a kind."""

from __future__ import annotations

import errno
import logging
import threading
import time

import sqlalchemy as sa

from ..budget import OutOfTimeError, WorkStoppedError
from .errors import Internal, ServiceError, TookTooLong, Unavailable
from .privacy import forget_variables_of

logger = logging.getLogger("songbird_widgets.service")
for _one in (logger, *map(logging.getLogger, ("tornado.general", "tornado.application", "asyncio"))):
    _one.addFilter(forget_variables_of)

_LOG_SECONDS = 60.0

_FULL = Internal("The service's disk is full: nothing more was kept. Free some space and try again.")
_READ_ONLY = Internal("The service may not write into its data directory: nothing more was kept. Make it writable.")
_BROKEN = Internal("The service's disk reports errors: nothing more was kept. Look after the disk and try again.")
_DAMAGED = Internal("The service's database is damaged. Restore it from a backup, or move it away to start afresh.")
_LOCKED = Unavailable("Another program holds the service's database. Try again in a moment.")
_NO_FILES = Unavailable("The service has too many files open. Try again in a moment.")

_BY_NUMBER: dict[int, ServiceError] = {
    errno.ENOSPC: _FULL,
    getattr(errno, "EDQUOT", errno.ENOSPC): _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EIO: _BROKEN,
    errno.EMFILE: _NO_FILES,
    errno.ENFILE: _NO_FILES,
}
# What SQLite and PostgreSQL say; SQLite's numbers are known to Python from 3.11 on only.
_BY_TEXT: tuple[tuple[str, ServiceError], ...] = (
    ("disk is full", _FULL),
    ("no space left", _FULL),
    ("readonly database", _READ_ONLY),
    ("read-only", _READ_ONLY),
    ("disk i/o error", _BROKEN),
    ("malformed", _DAMAGED),
    ("not a database", _DAMAGED),
    ("locked", _LOCKED),
)
_TOO_LONG = TookTooLong(
    "This took longer than an answer may. Ask for less at once, or try again in a moment: what is made of a profile "
    "is kept."
)
_ENDING = Unavailable("The service is ending. Try again in a moment.")


def explained(error: BaseException | None) -> ServiceError | None:
    """Return the answer to a failure that is nobody's mistake, or None if it is not one of these."""
    if isinstance(error, WorkStoppedError):
        return _TOO_LONG if isinstance(error, OutOfTimeError) else _ENDING
    if isinstance(error, sa.exc.DBAPIError):
        text = str(error.orig).lower()
        return next((answer for words, answer in _BY_TEXT if words in text), None)
    return _BY_NUMBER.get(error.errno or 0) if isinstance(error, OSError) else None


_said: dict[str, float] = {}
_lock = threading.Lock()


def is_new(kind: str) -> bool:
    """Tell whether a failure of some kind is to be logged: none was within the last minute."""
    now = time.monotonic()
    with _lock:
        if now - _said.get(kind, -_LOG_SECONDS) < _LOG_SECONDS:
            return False
        _said[kind] = now
        return True


def log_once(answer: ServiceError, error: BaseException) -> None:
    """Log a failure in one line, unless one of its kind was logged within the last minute."""
    if is_new(answer.message) and not isinstance(error, WorkStoppedError):
        reason = error.strerror if isinstance(error, OSError) else getattr(error, "orig", error)
        logger.error("%s (%s)", answer.message, reason)

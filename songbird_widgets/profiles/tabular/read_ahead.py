"""Streams of ours that Arrow's threads read ahead from."""

from __future__ import annotations

import atexit
import io
import threading
import time
import weakref

_WAIT_SECONDS = 1.0


class ReadAhead(io.RawIOBase):
    """A stream that Arrow's threads may go on reading, and release, after an error has ended the reading here.

    A thread that enters Python to do so while the interpreter ends would end the process with a signal instead of its
    exit status, so the interpreter's end waits for them: what is read from then on is empty.
    """

    def __init__(self) -> None:
        _streams.add(self)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return what comes next; nothing at the end."""
        return b"" if _ending.is_set() else self.following(size)

    def following(self, size: int) -> bytes:
        """Return up to so many bytes, all for a negative number."""
        raise NotImplementedError


_streams: weakref.WeakSet[ReadAhead] = weakref.WeakSet()
_ending = threading.Event()


@atexit.register
def _end() -> None:
    _ending.set()
    until = time.monotonic() + _WAIT_SECONDS
    while len(_streams) and time.monotonic() < until:
        time.sleep(0.005)

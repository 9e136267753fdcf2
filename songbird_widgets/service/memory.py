"""Memory that was freed and not returned: glibc keeps it thread by thread, some hundred MB after large profiles."""

from __future__ import annotations

import ctypes
import sys
import threading
import time

_SECONDS = 0.5  # at least between two times: it takes some milliseconds

_lock = threading.Lock()
_last = 0.0


def return_freed_memory() -> None:
    """Return to the system what this process has freed; elsewhere than with glibc do nothing."""
    global _last  # noqa: PLW0603 - one allocator a process
    now = time.monotonic()
    with _lock:
        if now - _last < _SECONDS:
            return
        _last = now
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)

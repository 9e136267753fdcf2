"""How far an upload is: counted on the threads that send, told in numbers and words."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from .state import UploadStatus, shown_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MINUTE = 60


class Tally:
    """Bytes and profiles of one upload.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each profile, by key.
    clock : callable
        Seconds; replaced by tests.
    """

    def __init__(self, sizes: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes = dict(sizes)
        self._sent = dict.fromkeys(sizes, 0)
        self._ended: dict[str, str] = {}
        self._changed: set[str] = set()
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()

    def note(self, key: str, state: str, sent: int) -> None:
        """Note what became of a profile so far; called from any thread."""
        with self._lock:
            self._sent[key] = min(sent, self._sizes[key])
            if state != "sending":
                self._ended[key] = state
            self._changed.add(key)

    def changed(self) -> dict[str, int]:
        """Return the bytes sent of the profiles that moved since the last call."""
        with self._lock:
            moved = {key: self._sent[key] for key in self._changed}
            self._changed.clear()
        return moved

    def status(self) -> UploadStatus:
        """Return how far it is."""
        with self._lock:
            sent = sum(self._sent.values())
            ended = list(self._ended.values())
        total = sum(self._sizes.values())
        seconds = self._clock() - self._began
        rate = sent / seconds if seconds > 0 else 0.0
        done = ended.count("uploaded")
        failed = ended.count("failed")
        over = len(ended) == len(self._sizes)
        remaining = None if over or not rate else (total - sent) / rate
        head = f"{done} of {len(self._sizes)} uploaded"
        if failed:
            head += f", {failed} failed"
        if over and done + failed < len(ended):
            head += f", {len(ended) - done - failed} cancelled"
        words = [f"{head}: {shown_size(sent)} of {shown_size(total)}"]
        if over:
            words = [f"{head}: {shown_size(sent)} in {shown_duration(seconds)}"]
        elif rate:
            words += [f"{shown_size(rate)}/s"]
        if remaining is not None:
            words += [f"{shown_duration(remaining)} left"]
        return UploadStatus(
            total=len(self._sizes),
            done=done,
            failed=failed,
            bytes_sent=sent,
            bytes_total=total,
            rate=rate,
            remaining=remaining,
            text=", ".join(words),
        )


def shown_duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest} s"
    return f"{minutes // _MINUTE} h {minutes % _MINUTE} min"

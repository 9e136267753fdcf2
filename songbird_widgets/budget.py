"""Time limits of work: set by the caller, checked within loops that a hostile file can make long.

It imports nothing of ours, so every room may import it.
"""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator


_TURN_SECONDS = 0.002
_SHORT_TURN_SECONDS = 0.0003
_PAUSE_SECONDS = 0.00005

_urgent: WeakSet[object] = WeakSet()


def begin_urgent(request: object) -> None:
    """Have all work that has a budget give way at every checkpoint until this request was answered, or is gone."""
    _urgent.add(request)


def end_urgent(request: object) -> None:
    """Say that a request was answered."""
    _urgent.discard(request)


class WorkStoppedError(Exception):
    """The work was stopped before its end; nothing is wrong with its data."""


class OutOfTimeError(WorkStoppedError):
    """The work has used its time."""


class NotWantedError(WorkStoppedError):
    """The work was cancelled: nobody waits for it any more."""


class Budget:
    """The time of one piece of work.

    Parameters
    ----------
    seconds : float
        How long it may take, from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._cancelled = False
        self._yielded = time.monotonic()

    def cancel(self) -> None:
        """Stop the work at its next checkpoint; may be called from any thread."""
        self._cancelled = True

    def extend(self, seconds: float) -> None:
        """Give more time, as much as the work had to wait for something else."""
        self._end += seconds

    def check(self) -> None:
        """Stop the work if its time is used or it was cancelled; else let other threads run now and then.

        Raises
        ------
        OutOfTimeError, NotWantedError
        """
        if self._cancelled:
            raise NotWantedError
        now = time.monotonic()
        if now > self._end:
            raise OutOfTimeError
        if now - self._yielded > (_SHORT_TURN_SECONDS if len(_urgent) else _TURN_SECONDS):
            # Else a short request, which needs the interpreter dozens of times, waits a switch interval each time.
            time.sleep(_PAUSE_SECONDS)
            self._yielded = time.monotonic()

    @contextlib.contextmanager
    def spent(self) -> Iterator[None]:
        """Apply this budget within a ``with`` block: there `checkpoint` stops the work when it is spent."""
        token = _current.set(self)
        try:
            self.check()
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Budget | None] = ContextVar("songbird_budget", default=None)


def checkpoint() -> None:
    """Raise `WorkStoppedError` if the budget of this work is spent; without a budget do nothing."""
    budget = _current.get()
    if budget is not None:
        budget.check()

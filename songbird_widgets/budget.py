"""How long a piece of work may take: set by who waits for it, asked within loops that a hostile file can make long.

It imports nothing of ours, so every room may import it.
"""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_TURN_SECONDS = 0.002
_PAUSE_SECONDS = 0.00005


class WorkStoppedError(Exception):
    """The work was stopped before its end. Nothing is wrong with what it was about."""


class OutOfTimeError(WorkStoppedError):
    """The work has had all the time that it may take."""


class NotWantedError(WorkStoppedError):
    """Nobody waits for the work any more."""


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
        """Have the work end at its next checkpoint, on whichever thread it runs."""
        self._cancelled = True

    def extend(self, seconds: float) -> None:
        """Give more time: what the work had to wait for does not count."""
        self._end += seconds

    def check(self) -> None:
        """Go on only if there is time left and someone waits; let other threads have a turn now and then.

        Raises
        ------
        OutOfTimeError, NotWantedError
        """
        if self._cancelled:
            raise NotWantedError
        now = time.monotonic()
        if now > self._end:
            raise OutOfTimeError
        if now - self._yielded > _TURN_SECONDS:
            # Else a short request, which needs the interpreter a dozen times, waits a whole switch interval each time.
            time.sleep(_PAUSE_SECONDS)
            self._yielded = time.monotonic()

    @contextlib.contextmanager
    def spent(self) -> Iterator[None]:
        """Have what is done within stop at a `checkpoint` when this budget is spent."""
        token = _current.set(self)
        try:
            self.check()
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Budget | None] = ContextVar("songbird_budget", default=None)


def checkpoint() -> None:
    """Raise `WorkStoppedError` where the budget of this work is spent; without a budget do nothing."""
    budget = _current.get()
    if budget is not None:
        budget.check()

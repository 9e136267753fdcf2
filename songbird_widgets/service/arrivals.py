"""What was uploaded and whose summaries are to be made: kept until what makes them is loaded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rows import Arrival

MAX_KEPT = 10_000
"""Uploads remembered until then; the summaries of older ones are made when a page asks for them."""


class Arrivals:
    """The uploads of a service, as they are confirmed."""

    def __init__(self) -> None:
        self._kept: deque[Arrival] = deque(maxlen=MAX_KEPT)
        self._take: Callable[[Arrival], None] | None = None

    def add(self, arrival: Arrival) -> None:
        """Hand on an upload, now or later; from any thread."""
        if self._take is None:
            self._kept.append(arrival)
        else:
            self._take(arrival)

    def hand_to(self, take: Callable[[Arrival], None]) -> None:
        """Hand on what was kept, and from now on what is added."""
        self._take = take
        while self._kept:
            take(self._kept.popleft())

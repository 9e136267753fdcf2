"""A small cache with a bounded weight, shared by the executor's threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

V = TypeVar("V")


class Cache(Generic[V]):
    """Keeps what was used last, up to a weight.

    Parameters
    ----------
    most
        The weight that is kept; something heavier on its own is handed out and not kept.
    weigh
        The weight of a value, in the unit of `most`.
    """

    def __init__(self, most: int, weigh: Callable[[V], int]) -> None:
        self._most = most
        self._weigh = weigh
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Return what is kept under `key`, if it still is."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: V) -> None:
        """Keep `value`, and let go of what was not used for longest."""
        weight = self._weigh(value)
        with self._lock:
            if key in self._kept:
                self._weight -= self._kept.pop(key)[1]
            if weight > self._most:
                return
            self._kept[key] = (value, weight)
            self._weight += weight
            while self._weight > self._most:
                self._weight -= self._kept.popitem(last=False)[1][1]

    def through(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return what is kept under `key`, else what `make` returns, and keep it.

        Two threads that miss at once both make it: that costs less than having one wait for the other.
        """
        found = self.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    @property
    def weight(self) -> int:
        """The weight kept now."""
        return self._weight

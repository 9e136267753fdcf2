"""A sketch of frequent strings in the making, written as Apache DataSketches reads it."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frequent_items import FrequentItemsSketch
    from .kll import Ints

LG_SIZE = 10  # whylogs' choice: a table of 1,024 slots, of which three quarters are filled
MAX_TRACKED_ITEMS = 3 << LG_SIZE >> 2
_MIN_LG_SIZE = 3
_FAMILY = 10


class FrequentItemsBuilder:
    """Counts strings, exactly while there are few, and the frequent ones within bounds after that.

    More are counted than can be written. Whenever they become too many, the weight of the first that has no room is
    taken off each (Misra and Gries, 1982), and remembered as the offset, by which the count of any string may be off.

    Parameters
    ----------
    room : int
        How many strings are kept while counting, at least; the offset stays below ``2 * total / room``.
    """

    __slots__ = ("_offset", "_room", "_total", "_weights")

    def __init__(self, room: int) -> None:
        self._room = max(room, MAX_TRACKED_ITEMS + 1)
        self._weights: dict[str, int] = {}
        self._offset = 0
        self._total = 0

    @property
    def room(self) -> int:
        """How many strings of one lot `add` looks at."""
        return self._room

    def add(self, values: Sequence[str], counts: Sequence[int], *, missed: int = 0, missed_total: int = 0) -> None:
        """Count strings, each named once.

        Parameters
        ----------
        values : sequence of str
        counts : sequence of int
            How often each came.
        missed : int, optional
            The most that any string came that is not named.
        missed_total : int, optional
            How often those came that are not named, together.
        """
        weights = self._weights
        if weights:
            get = weights.get
            weights.update((value, get(value, 0) + count) for value, count in zip(values, counts, strict=True))
        else:
            weights.update(zip(values, counts, strict=True))
        self._total += sum(counts) + missed_total
        self._offset += missed
        self._trim()

    def join(self, sketch: FrequentItemsSketch) -> None:
        """Count all that a sketch counted."""
        weights = sketch.weights.tolist()
        self.add(sketch.values, weights, missed=sketch.offset, missed_total=sketch.total - sum(weights))

    def _trim(self) -> None:
        if len(self._weights) <= 2 * self._room:
            return
        weights = np.fromiter(self._weights.values(), np.int64, len(self._weights))
        place = len(weights) - self._room - 1
        over = int(np.partition(weights, place)[place])
        self._weights = {value: weight - over for value, weight in self._weights.items() if weight > over}
        self._offset += over

    def to_bytes(self) -> bytes:
        """Write the heaviest strings; the first that has no room makes the offset."""
        if not self._total:
            return pack("<8B", 1, 1, _FAMILY, LG_SIZE, _MIN_LG_SIZE, 1, 0, 0)
        kept, offset = list(self._weights), self._offset
        weights: Ints = np.fromiter(self._weights.values(), np.int64, len(kept))
        if len(kept) > MAX_TRACKED_ITEMS:
            left_out = len(kept) - MAX_TRACKED_ITEMS
            order = weights.argpartition(left_out - 1)
            offset += int(weights[order[left_out - 1]])
            heaviest = order[left_out:]
            kept, weights = [kept[place] for place in heaviest.tolist()], weights[heaviest]
        lg_size = _MIN_LG_SIZE
        while 4 * len(kept) > 3 << lg_size:
            lg_size += 1
        head = pack("<8BIIQQ", *(4, 1, _FAMILY, LG_SIZE, lg_size, 0, 0, 0), len(kept), 0, self._total, offset)
        encoded = [value.encode() for value in kept]
        lengths = np.fromiter(map(len, encoded), "<u4", len(encoded)).tobytes()
        pieces = [b""] * (2 * len(encoded))
        pieces[::2] = [lengths[place : place + 4] for place in range(0, len(lengths), 4)]
        pieces[1::2] = encoded
        return b"".join([head, weights.astype("<i8", copy=False).tobytes(), *pieces])

"""A KLL sketch in the making: takes whole arrays, joins others, and writes what whylogs reads."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from .kll import KllSketch, level_capacity, total_capacity

if TYPE_CHECKING:
    from .kll import Floats, Ints

K = 1024  # whylogs' choice for distributions
_M = 8  # the least capacity of a level
_FAMILY, _PREAMBLE = 15, 6
_EMPTY, _LEVEL_ZERO_SORTED, _SINGLE = 1, 2, 4


class KllBuilder:
    """Keeps some of many numbers, each standing for 1, 2, 4, … of its neighbours.

    Whole arrays are taken in sorted and cut into rows of neighbours, of each of which the middle one is kept. That
    moves a rank by half a row at most, where numbers that come in one by one are halved again and again. What comes
    together after that is halved, level by level, as in Karnin, Lang and Liberty (arXiv:1603.05346).
    """

    __slots__ = ("_levels", "_random", "k", "max", "min", "n")

    def __init__(self, k: int = K) -> None:
        self.k = k
        self.n = 0
        self.min = np.inf
        self.max = -np.inf
        self._levels: list[Floats] = []  # by height; each sorted
        self._random: np.random.Generator | None = None  # made when it is needed: of most columns it never is

    def add_sorted(self, values: Floats, counts: Ints | None = None) -> None:
        """Take in numbers, ascending and none of them NaN.

        Parameters
        ----------
        values : ndarray of float
        counts : ndarray of int64, optional
            How often each comes; once by default.
        """
        n = len(values) if counts is None else int(counts.sum())
        if not n:
            return
        self.min = min(self.min, float(values[0]))
        self.max = max(self.max, float(values[-1]))
        self.n += n
        height = max(0, (n - 1) // self.k).bit_length()
        if not height:
            self._put(0, values if counts is None else values.repeat(counts))
            self._compact()
            return
        rows, rest = n >> height, n & (1 << height) - 1
        # What is left over is less than a row: it makes shorter rows, one for each bit, evenly between the others.
        shorter = [bit for bit in range(height) if rest >> bit & 1]
        gaps = np.linspace(0, rows, len(shorter) + 2)[1:-1].astype(np.int64)
        heights = np.insert(np.full(rows, height), gaps, shorter)
        sizes = np.left_shift(np.int64(1), heights)
        middles = np.cumsum(sizes) - sizes + sizes // 2
        chosen = values[middles if counts is None else np.cumsum(counts).searchsorted(middles, side="right")]
        for level in [*shorter, height]:
            self._put(level, chosen[heights == level])
        self._compact()

    def join(self, sketch: KllSketch) -> None:
        """Take in all that a sketch stands for."""
        if not sketch.n:
            return
        self.n += sketch.n
        self.min = min(self.min, sketch.min)
        self.max = max(self.max, sketch.max)
        for weight in np.unique(sketch.weights).tolist():
            height = int(weight).bit_length() - 1
            self._put(height, sketch.items[sketch.weights == weight])
        self._compact()

    def _put(self, height: int, values: Floats) -> None:
        while len(self._levels) <= height:
            self._levels.append(np.empty(0, np.float64))
        mine = self._levels[height]
        self._levels[height] = np.sort(np.concatenate([mine, values])) if len(mine) else values

    def _compact(self) -> None:
        """Halve the lowest level that is too full, until all fits."""
        levels = self._levels
        while sum(map(len, levels)) > total_capacity(self.k, _M, len(levels)):
            height = next(
                height
                for height, level in enumerate(levels)
                if len(level) > max(_M, level_capacity(self.k, len(levels) - height - 1))
            )
            level = levels[height]
            if self._random is None:
                self._random = np.random.default_rng(0)
            # Of an odd number one stays; its weight must not be lost.
            odd = len(level) % 2
            levels[height] = level[:odd]
            self._put(height + 1, level[odd + int(self._random.integers(2)) :: 2])

    def sketch(self) -> KllSketch:
        """Return what was taken in, as a sketch to ask."""
        return KllSketch.read(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Write the sketch as whylogs' fork of DataSketches does, with a preamble of six ints."""
        if not self.n:
            return pack("<BBBBHBB", 2, 1, _FAMILY, _EMPTY, self.k, _M, 0)
        if self.n == 1:
            return pack("<BBBBHBBd", 2, 2, _FAMILY, _SINGLE, self.k, _M, 0, self.min)
        count = len(self._levels)
        sizes = [len(level) for level in self._levels]
        place = total_capacity(self.k, _M, count) - sum(sizes)
        starts = []
        for size in sizes:
            starts.append(place)
            place += size
        return b"".join(
            [
                pack("<BBBBHBB", _PREAMBLE, 1, _FAMILY, _LEVEL_ZERO_SORTED, self.k, _M, 0),
                pack("<QHB5x", self.n, self.k, count),
                pack(f"<{count}I", *starts),
                pack("<dd", self.min, self.max),
                *(level.astype("<f8", copy=False).tobytes() for level in self._levels),
            ]
        )

"""KLL: quantiles of a stream of doubles (Karnin, Lang, Liberty, arXiv:1603.05346)."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from itertools import pairwise
from struct import Struct, unpack_from
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import corrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HEAD = Struct("<BBBB")  # preamble ints, serial version, family, flags

_KLL_FAMILY = 15
_KLL_EMPTY, _KLL_SINGLE = 1, 4
_KLL_BODY = Struct("<QHB")  # n, min_k, number of levels, from byte 8
_KLL_MIN_K, _KLL_MAX_LEVELS = 8, 61
_ENDS = Struct("<dd")
_WHYLOGS_PREAMBLE_INTS = 6
_EMPTY_FLOATS: Floats = np.empty(0, dtype=np.float64)


def level_capacity(k: int, depth: int) -> int:
    if depth > _DEEP:  # in two steps, as the writer does, because it works in 64 bits
        half = depth // 2
        return level_capacity(level_capacity(k, half), depth - half)
    power: int = 3**depth
    return (((2 * k) << depth) // power + 1) >> 1


_DEEP = 30


@lru_cache(maxsize=256)
def total_capacity(k: int, m: int, levels: int) -> int:
    return sum(max(m, level_capacity(k, levels - height - 1)) for height in range(levels))


class KllSketch:
    """What is left of a stream of numbers: some of them, each standing for 1, 2, 4, … of its neighbours.

    Attributes
    ----------
    n : int
        Length of the stream.
    k : int
        The sketch's size parameter (1,024 in whylogs' distributions).
    min, max : float
        Smallest and largest number of the stream, exact; NaN when `n` is 0.
    rank_error : float
        With 99 % confidence no rank is further off than this, as a fraction of `n`; 0 while the sketch still
        holds every number. ``2.296 / k ** 0.9723`` is what the DataSketches authors fitted
        (https://datasketches.apache.org/docs/KLL/KLLAccuracyAndSize.html).
    """

    __slots__ = (
        "__dict__",
        "_counts",
        "_heights",
        "_known",
        "_levels",
        "_values",
        "k",
        "max",
        "min",
        "n",
        "rank_error",
    )

    def __init__(
        self,
        *,
        n: int,
        k: int,
        minimum: float,
        maximum: float,
        values: Floats,
        levels: Ints,
        counts: Sequence[int],
        rank_error: float,
    ) -> None:
        self.n = n
        self.k = k
        self.min = minimum
        self.max = maximum
        self.rank_error = rank_error
        self._values = values
        # The weight of each level, and how many of the values, in their order, belong to it.
        self._levels = levels
        self._counts = counts
        # Of a sketch whose numbers are sorted already: what computes their `heights`, and quantiles by rank.
        self._heights: Callable[[], NDArray[np.uint8]] | None = None
        self._known: Mapping[float, float] = {}

    @classmethod
    def read(cls, data: bytes) -> KllSketch:
        """Read the bytes of one ``kll_doubles_sketch``; raises `ProfileError`."""
        if len(data) < 8:
            raise corrupt("a KLL sketch is cut off")
        preamble, _, family, flags = _HEAD.unpack_from(data)
        k, m = data[4] | data[5] << 8, data[6]
        if family != _KLL_FAMILY:
            raise corrupt("what should be a KLL sketch is none")
        if k < _KLL_MIN_K:
            raise corrupt("a KLL sketch has an impossible k")
        if flags & _KLL_EMPTY:
            return cls(
                n=0,
                k=k,
                minimum=math.nan,
                maximum=math.nan,
                values=_EMPTY_FLOATS,
                levels=_POWERS[:0],
                counts=(),
                rank_error=0.0,
            )
        if flags & _KLL_SINGLE:
            values = _doubles(data, 8, 1)
            only = float(values[0])
            if math.isnan(only):
                raise corrupt("a KLL sketch holds NaN")
            return cls(
                n=1,
                k=k,
                minimum=only,
                maximum=only,
                values=values,
                levels=_POWERS[:1],
                counts=(1,),
                rank_error=0.0,
            )
        return cls._read_full(data, k, m, 24 if preamble == _WHYLOGS_PREAMBLE_INTS else 20)

    @classmethod
    def read_floats_or_doubles(cls, data: bytes) -> KllSketch:
        """Read a ``kll_floats_sketch`` or a ``kll_doubles_sketch``, which only their length tells apart.

        Version 0 profiles hold floats where whylogs 0 wrote them, doubles where whylogs 1 did.
        """
        if len(data) < 8 or data[3] & _KLL_EMPTY:
            return cls.read(data)
        if data[3] & _KLL_SINGLE:
            floats = len(data) < 16
            return cls.read(data[:8] + _widened(data[8:12]) if floats else data)
        start = 24 if data[0] == _WHYLOGS_PREAMBLE_INTS else 20
        if len(data) < start + 4:
            raise corrupt("a KLL sketch is cut off")
        levels = data[18]
        items = start + 4 * levels
        capacity = total_capacity(data[4] | data[5] << 8, data[6], min(levels, _KLL_MAX_LEVELS))
        retained = capacity - unpack_from("<I", data, start)[0]
        if len(data) == items + 4 * (2 + retained):
            return cls.read(data[:items] + _widened(data[items:]))
        return cls.read(data)

    @classmethod
    def _read_full(cls, data: bytes, k: int, m: int, start: int) -> KllSketch:
        if len(data) < start:
            raise corrupt("a KLL sketch is cut off")
        n, min_k, levels = _KLL_BODY.unpack_from(data, 8)
        if not 1 <= levels <= _KLL_MAX_LEVELS or len(data) < start + 4 * levels + 16 or min_k < _KLL_MIN_K:
            raise corrupt("a KLL sketch has impossible levels")
        bounds = [*unpack_from(f"<{levels}I", data, start), total_capacity(k, m, levels)]
        retained = bounds[-1] - bounds[0]
        # The weights are powers of two by level; they tell at once whether the levels are what the writer
        # meant.
        counts = [after - before for before, after in pairwise(bounds)]
        weight = 0
        for height, count in enumerate(counts):
            if count < 0:
                raise corrupt("a KLL sketch has impossible levels")
            weight += count << height
        if weight != n or not 0 < n < 1 << _KLL_MAX_LEVELS:
            raise corrupt("a KLL sketch's weights do not add up to its count")
        start += 4 * levels
        minimum, maximum = _ENDS.unpack_from(data, start)
        values = _doubles(data, start + 16, retained)
        if not (minimum <= values.min() and values.max() <= maximum):  # false for NaN, too
            raise corrupt("a KLL sketch holds numbers beyond its minimum and maximum, or NaN")
        return cls(
            n=n,
            k=k,
            minimum=minimum,
            maximum=maximum,
            values=values,
            levels=_POWERS[:levels],
            counts=counts,
            rank_error=2.296 / min_k**0.9723 if levels > 1 else 0.0,
        )

    @classmethod
    def union(cls, sketches: Sequence[KllSketch]) -> KllSketch:
        """Join sketches without compacting them.

        Every retained number keeps its weight, so the joint rank error is at most the mean of the parts'
        errors, weighted by their counts: no worse than merging sketches, which compacts again.
        """
        parts = [sketch for sketch in sketches if sketch.n]
        if not parts:
            return sketches[0]
        n = sum(part.n for part in parts)
        if n >= 1 << 63:
            raise corrupt("the profiles to merge count more numbers than there can be")
        runs = [part._runs for part in parts]
        return cls(
            n=n,
            k=min(part.k for part in parts),
            minimum=min(part.min for part in parts),
            maximum=max(part.max for part in parts),
            values=np.concatenate([part._values for part in parts]),
            levels=np.concatenate([levels for levels, _ in runs]),
            counts=[count for _, counts in runs for count in counts],
            rank_error=sum(part.n / n * part.rank_error for part in parts),
        )

    @property
    def _runs(self) -> tuple[Ints, Sequence[int]]:
        return (self._levels, self._counts) if self._heights is None else (self.weights, (1,) * len(self._values))

    @classmethod
    def from_sorted(
        cls,
        items: Floats,
        heights: Callable[[], NDArray[np.uint8]],
        *,
        n: int,
        k: int,
        minimum: float,
        maximum: float,
        rank_error: float,
        known: Mapping[float, float],
    ) -> KllSketch:
        """Make a sketch of what is known of it.

        Parameters
        ----------
        items : ndarray of float
            The retained numbers, ascending.
        heights : callable
            Returns the binary logarithms of their weights; not called before they are needed.
        n, k, minimum, maximum, rank_error
            As the attributes.
        known : mapping of float to float
            Some of its quantiles, by rank.
        """
        made = cls(
            n=n,
            k=k,
            minimum=minimum,
            maximum=maximum,
            values=items,
            levels=_POWERS[:0],
            counts=(),
            rank_error=rank_error,
        )
        made._heights, made._known = heights, known
        return made

    @property
    def heights(self) -> NDArray[np.uint8]:
        """Binary logarithms of `weights`."""
        logarithms: NDArray[np.uint8] = np.frexp(self.weights.astype(np.float64))[1].astype(np.uint8) - np.uint8(1)
        return logarithms

    @cached_property
    def _sorted(self) -> tuple[Floats, Ints, Ints]:
        if self._heights is not None:
            weights = _POWERS[self._heights()]
            return self._values, weights, _added_up(weights)
        order = self._values.argsort()
        items = self._values[order]
        if (items[1:] == items[:-1]).any():
            # Quantiles depend on the order of equal items: it is that of their levels. Such a sort takes twice as long.
            order = self._values.argsort(kind="stable")
        weights = self._levels.repeat(self._counts)[order]
        return items, weights, _added_up(weights)

    @property
    def items(self) -> Floats:
        """The retained numbers, ascending."""
        return self._values if self._heights is not None else self._sorted[0]

    @property
    def weights(self) -> Ints:
        """How many numbers of the stream each of `items` stands for; they add up to `n`."""
        return self._sorted[1]

    @property
    def cumulative(self) -> Ints:
        """``cumulative[i]`` is the weight of ``items[:i]``: one longer than `items`, from 0 to `n`."""
        return self._sorted[2]

    def quantiles(self, ranks: ArrayLike) -> Floats:
        """Numbers at the given ranks.

        Parameters
        ----------
        ranks : array_like of float
            Fractions of `n` from 0 (minimum) to 1 (maximum).

        Returns
        -------
        ndarray of float
            The first item before which at least ``floor(rank * n)`` numbers lie; NaN when the sketch is
            empty.

        Raises
        ------
        ValueError
            A rank is outside 0 to 1.
        """
        if isinstance(ranks, tuple) and self._known.keys() >= set(ranks):
            return np.array([self._known[rank] for rank in ranks])
        asked = np.asarray(ranks, np.float64)
        if not np.all((asked >= 0) & (asked <= 1)):
            raise ValueError("Ranks run from 0 to 1.")
        if self.n == 0:
            return np.full(asked.shape, np.nan)
        before = self.cumulative[:-1]
        found = np.searchsorted(before, np.floor(asked * self.n).astype(np.int64), side="left")
        answer = self.items[np.minimum(found, len(before) - 1)]
        answer = np.where(asked == 0, self.min, answer)
        return np.where(asked == 1, self.max, answer)

    def cdf(self, points: ArrayLike) -> Floats:
        """Fraction of the stream below each point, strictly; NaN when the sketch is empty."""
        asked = np.asarray(points, np.float64)
        if self.n == 0:
            return np.full(asked.shape, np.nan)
        below: Floats = self.cumulative[np.searchsorted(self.items, asked, side="left")] / self.n
        return below

    def pmf(self, points: ArrayLike) -> Floats:
        """Fraction of the stream between ascending points.

        One cell more than points: below the first, from each (inclusive) to the next (exclusive), and from
        the last up.
        """
        inner = self.cdf(points)
        below = np.empty(len(inner) + 2)
        below[0], below[1:-1], below[-1] = 0.0, inner, 1.0 if self.n else np.nan
        masses: Floats = below[1:] - below[:-1]
        return masses


def _added_up(weights: Ints) -> Ints:
    cumulative = np.zeros(len(weights) + 1, np.int64)
    np.cumsum(weights, out=cumulative[1:])
    return cumulative


_POWERS: Ints = np.left_shift(np.int64(1), np.arange(_KLL_MAX_LEVELS, dtype=np.int64))


def _widened(data: bytes) -> bytes:
    """Turn floats into doubles."""
    with np.errstate(invalid="ignore"):  # a NaN is refused where the numbers are looked at
        return np.frombuffer(data[: len(data) // 4 * 4], "<f4").astype("<f8").tobytes()


def _doubles(data: bytes, start: int, count: int) -> Floats:
    if len(data) < start + 8 * count:
        raise corrupt("a KLL sketch is cut off")
    return np.frombuffer(data, "<f8", count, start)

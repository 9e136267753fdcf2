"""Frequent strings: the values seen most often (Anderson et al., arXiv:1705.07001)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from ..errors import corrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .kll import Ints

_U32 = Struct("<I")
_LG_MOST = 10  # whylogs' tables have at most 1,024 slots

_ITEMS_FAMILY = 10
_ITEMS_EMPTY = 1 | 4  # written by different versions of the library
_ITEMS_WEIGHTS_AT = 32
_ITEMS_HEAD = Struct("<QQ")  # total weight, offset; from byte 16


@dataclass(frozen=True)
class FrequentItem:
    """One value and how often it was seen.

    Attributes
    ----------
    value : str
        As whylogs wrote it: numbers as text, floats with six decimals, strings cut at 128 characters.
    estimate, lower, upper : int
        Occurrences; the truth lies between the bounds, and the estimate is the upper one.
    """

    value: str
    estimate: int
    lower: int
    upper: int


class FrequentItemsSketch:
    """The values seen most often.

    Attributes
    ----------
    total : int
        Length of the stream.
    offset : int
        How much an item's count may be off. 0: nothing was ever dropped, the items are all there are and their counts
        exact.
    unlisted : int
        The most that any item not listed was seen.
    weights : ndarray of int64
        Lower bounds of the counts of `values`, descending.
    """

    __slots__ = ("__dict__", "_lg_most", "_read", "offset", "total", "unlisted", "weights")

    def __init__(
        self,
        values: Sequence[str],
        weights: Ints,
        *,
        offset: int,
        total: int,
        lg_most: int = _LG_MOST,
        unlisted: int | None = None,
    ) -> None:
        order = (-weights).argsort(kind="stable")
        # How many slots the hash table may have, as a binary logarithm.
        self._lg_most = lg_most
        self._read: Callable[[], tuple[str, ...]] = lambda: tuple(map(values.__getitem__, order.tolist()))
        self.weights = weights[order]
        self.offset = offset
        self.unlisted = offset if unlisted is None else unlisted
        self.total = total

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The retained values, heaviest first."""
        return self._read()

    @classmethod
    def from_sorted(
        cls, values: Callable[[], tuple[str, ...]], weights: Ints, *, offset: int, unlisted: int, total: int
    ) -> FrequentItemsSketch:
        """Make a sketch of items whose values `values` reads, when they are asked for, heaviest first."""
        made = cls((), weights[:0], offset=offset, total=total, unlisted=unlisted)
        made._read, made.weights = values, weights
        return made

    @classmethod
    def read(cls, data: bytes) -> FrequentItemsSketch:
        """Read the bytes of one ``frequent_strings_sketch``; raises `ProfileError`."""
        if len(data) < 8 or data[2] != _ITEMS_FAMILY:
            raise corrupt("what should be a frequent items sketch is none")
        if data[5] & _ITEMS_EMPTY:
            return cls([], np.empty(0, np.int64), offset=0, total=0, lg_most=data[3])
        if len(data) < _ITEMS_WEIGHTS_AT:
            raise corrupt("a frequent items sketch is cut off")
        count = _U32.unpack_from(data, 8)[0]
        total, offset = _ITEMS_HEAD.unpack_from(data, 16)
        start = _ITEMS_WEIGHTS_AT + 8 * count
        if len(data) < start + 4 * count:
            raise corrupt("a frequent items sketch is cut off")
        weights = np.frombuffer(data, "<i8", count, _ITEMS_WEIGHTS_AT)
        # Lower bounds add up to no more than the length of the stream, so that no sum of counts leaves 64 bits.
        heavy = sum(weights.tolist())
        if total > _INT64_MAX or offset > total or heavy > total or (count and weights.min() <= 0):
            raise corrupt("a frequent items sketch has impossible counts")
        if heavy + offset > _INT64_MAX:
            raise corrupt("a frequent items sketch has impossible counts")
        values = _strings(data[start:], count)
        if len(frozenset(values)) < count:
            raise corrupt("a frequent items sketch counts a value twice")
        return cls(values, weights, offset=offset, total=total, lg_most=data[3])

    @classmethod
    def union(cls, sketches: Sequence[FrequentItemsSketch]) -> FrequentItemsSketch:
        """Join sketches as DataSketches' merge does, one after the other into the first.

        Weights add up, and so do offsets. Whenever there are more items than the first sketch has room for (768
        in whylogs'), the median of all weights is taken off each, what is left without weight is dropped, and the
        offset grows by that median (D. Anderson et al., arXiv:1705.07001). Which items are kept then depends on the
        order in which they come; the bounds hold in any.
        """
        first = sketches[0]
        room = 3 << first._lg_most >> 2
        joined = dict(zip(first.values, first.weights.tolist(), strict=True))
        offset = first.offset
        for sketch in sketches[1:]:
            for value, weight in zip(sketch.values, sketch.weights.tolist(), strict=True):
                joined[value] = joined.get(value, 0) + weight
                if len(joined) > room:
                    median = sorted(joined.values())[len(joined) // 2]
                    joined = {one: count - median for one, count in joined.items() if count > median}
                    offset += median
            offset += sketch.offset
        if sum(sketch.total for sketch in sketches) + offset > _INT64_MAX:
            raise corrupt("the profiles to merge count more values than there can be")
        return cls(
            list(joined),
            np.fromiter(joined.values(), np.int64, len(joined)),
            offset=offset,
            total=sum(sketch.total for sketch in sketches),
            lg_most=first._lg_most,
        )

    def as_values(self, *, booleans: bool = False) -> FrequentItemsSketch:
        """Spell numbers as numbers, for a column that holds no text: ``3.000000`` and ``3`` are one value.

        Parameters
        ----------
        booleans : bool
            ``True`` and ``False`` are numbers, too: 1 and 0.
        """
        everything = "\n".join(self.values)
        if not booleans and "." not in everything and "-0" not in everything:
            return self
        spelled = [_number(value, booleans) for value in self.values]
        if tuple(spelled) == self.values:
            return self
        joined: dict[str, int] = {}
        for value, weight in zip(spelled, self.weights.tolist(), strict=True):
            joined[value] = joined.get(value, 0) + weight
        weights = np.fromiter(joined.values(), np.int64, len(joined))
        return FrequentItemsSketch(list(joined), weights, offset=self.offset, total=self.total, lg_most=self._lg_most)

    def without_rare(self, most: int) -> FrequentItemsSketch:
        """Leave out the items that may be as rare as those that were dropped, beyond the first `most` of them."""
        kept = max(int(np.count_nonzero(self.weights > self.offset)), most)
        if not self.offset or kept >= len(self.values):
            return self
        return FrequentItemsSketch(
            self.values[:kept],
            self.weights[:kept],
            offset=self.offset,
            total=self.total,
            lg_most=self._lg_most,
            unlisted=self.offset + int(self.weights[kept]),
        )

    @cached_property
    def estimates(self) -> dict[str, int]:
        """By value: how often it was seen, at most."""
        return dict(zip(self.values, (self.weights + self.offset).tolist(), strict=True))

    @property
    def lossless(self) -> bool:
        """Whether the items are all that were ever seen, with exact counts."""
        return self.offset == 0

    @cached_property
    def items(self) -> tuple[FrequentItem, ...]:
        """All retained items, heaviest first; some may not be frequent at all (see `certain`)."""
        offset = self.offset
        return tuple(
            FrequentItem(value, weight + offset, weight, weight + offset)
            for value, weight in zip(self.values, self.weights.tolist(), strict=True)
        )

    @property
    def certain(self) -> tuple[FrequentItem, ...]:
        """The items surely seen more often than any value not listed: lower bound above the offset."""
        return self.items[: int(np.count_nonzero(self.weights > self.offset))]

    @property
    def frequent(self) -> tuple[FrequentItem, ...]:
        """Those of `certain` that were surely seen more than once."""
        return self.items[: int(np.count_nonzero(self.weights > max(self.offset, 1)))]


_INT64_MAX = (1 << 63) - 1

_FLOAT = re.compile(r"-?\d+\.\d+")


def _number(value: str, booleans: bool) -> str:
    if booleans and value in _BOOLEANS:
        return _BOOLEANS[value]
    if "." in value and _FLOAT.fullmatch(value):
        value = value.rstrip("0").rstrip(".")
    return "0" if value == "-0" else value


_BOOLEANS = {"True": "1", "False": "0"}
_SIX_DECIMALS = re.compile(rb"-?\d+\.\d{6}")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?|True|False")

MAX_CHARACTERS = 128
"""Characters of a text that whylogs keeps."""


def spelled_as_number(value: bytes) -> bytes:
    """Spell a text as a number, if it reads as one with six decimals, which is how whylogs writes numbers."""
    if not _SIX_DECIMALS.fullmatch(value):
        return value
    value = value.rstrip(b"0").rstrip(b".")
    return b"0" if value == b"-0" else value


def spells_number(value: str) -> bool:
    """Whether a text is what a number or a boolean looks like as text."""
    return _NUMBER.fullmatch(value) is not None


def _strings(data: bytes, count: int) -> list[str]:
    """Read `count` strings, each a u32 length and UTF-8."""
    values = _short_strings(data.decode("ascii"), data, count) if data.isascii() else None
    if values is not None:
        return values
    values = []
    position = 0
    for _ in range(count):
        start = position + 4
        if start > len(data):
            raise corrupt("a frequent items sketch is cut off")
        position = start + int(_U32.unpack_from(data, position)[0])
        if position > len(data):
            raise corrupt("a frequent items sketch is cut off")
        try:
            values.append(data[start:position].decode())
        except UnicodeDecodeError:
            raise corrupt("a frequent item is not UTF-8") from None
    return values


def _short_strings(everything: str, data: bytes, count: int) -> list[str] | None:
    """Read ASCII strings shorter than 128 characters, with one decoding for all of them.

    None when the bytes are something else, which the slower way then reads or refuses.
    """
    values: list[str] = []
    position = 0
    try:
        for _ in range(count):
            if data[position + 1] or data[position + 2] or data[position + 3]:
                return None
            start = position + 4
            position = start + data[position]
            values.append(everything[start:position])
    except IndexError:
        return None
    return values if position <= len(data) else None

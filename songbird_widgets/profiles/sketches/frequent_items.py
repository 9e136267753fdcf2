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
    from collections.abc import Sequence

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
        How much an item's count may be off, and the most that any item not listed was seen. 0: nothing was
        ever dropped, the items are all there are and their counts exact.
    values : tuple of str
        The retained values, heaviest first.
    weights : ndarray of int64
        Their lower bounds, descending.
    """

    __slots__ = ("__dict__", "_lg_most", "_lg_size", "_order", "offset", "total", "values", "weights")

    def __init__(
        self,
        values: Sequence[str],
        weights: Ints,
        *,
        offset: int,
        total: int,
        lg_size: int = _LG_MOST,
        lg_most: int = _LG_MOST,
    ) -> None:
        order = (-weights).argsort(kind="stable")
        self._order = order
        # How many slots the hash table has that was written, and may have, as binary logarithms.
        self._lg_size = lg_size
        self._lg_most = lg_most
        self.values = tuple(map(values.__getitem__, order.tolist()))
        self.weights = weights[order]
        self.offset = offset
        self.total = total

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
        return cls(values, weights, offset=offset, total=total, lg_size=data[4], lg_most=data[3])

    @classmethod
    def union(cls, sketches: Sequence[FrequentItemsSketch]) -> FrequentItemsSketch:
        """Join sketches as DataSketches' merge does, one after the other into the first.

        Weights add up, and so do offsets. Whenever there are more items than the first sketch has room for (768
        in whylogs'), the median of all weights is taken off each, what is left without weight is dropped, and the
        offset grows by that median. What is kept then depends on the order in which items come; it is that of
        DataSketches' hash table on Linux (`_as_iterated`). Tables for more than 768 items are gone through in
        the order of the file: the bounds hold, if they are not the same.
        """
        first = sketches[0]
        room = 3 << first._lg_most >> 2  # noqa: SLF001 - the same class
        joined = dict(zip(first.values, first.weights.tolist(), strict=True))
        offset = first.offset
        for sketch in sketches[1:]:
            items = zip(sketch.values, sketch.weights.tolist(), strict=True)
            for value, weight in items if len(joined) + len(sketch.values) <= room else sketch._as_iterated():  # noqa: SLF001
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
            lg_most=first._lg_most,  # noqa: SLF001 - the same class
        )

    def _as_iterated(self) -> list[tuple[str, int]]:
        """Order the items as DataSketches goes through them after reading the file.

        It puts each into the hash table at the first free slot from where its hash points, and walks the table
        in steps of about 0.618 of its size.
        """
        items: list[tuple[str, int]] = [("", 0)] * len(self.values)
        for place, value, weight in zip(self._order.tolist(), self.values, self.weights.tolist(), strict=True):
            items[place] = value, weight
        size = 1 << min(self._lg_size, _LG_MOST)
        if len(items) > 3 * size // 4:
            return items
        table: list[tuple[str, int] | None] = [None] * size
        for item in items:
            place = _hash(item[0].encode()) % size
            while table[place]:
                place = (place + 1) % size
            table[place] = item
        start = next((place for place, slot in enumerate(table) if slot), 0)
        stride = int(size * _STRIDE) | 1
        return [slot for step in range(size) if (slot := table[(start + step * stride) % size])]

    def as_values(self, *, booleans: bool = False) -> FrequentItemsSketch:
        """Spell numbers as numbers, for a column that holds no text: ``3.000000`` and ``3`` are one value.

        Parameters
        ----------
        booleans : bool
            ``True`` and ``False`` are numbers, too: 1 and 0.
        """
        spelled = [_number(value, booleans) for value in self.values]
        if tuple(spelled) == self.values:
            return self
        joined: dict[str, int] = {}
        for value, weight in zip(spelled, self.weights.tolist(), strict=True):
            joined[value] = joined.get(value, 0) + weight
        weights = np.fromiter(joined.values(), np.int64, len(joined))
        return FrequentItemsSketch(list(joined), weights, offset=self.offset, total=self.total, lg_most=self._lg_most)

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


_INT64_MAX = (1 << 63) - 1
_UINT64_MAX = (1 << 64) - 1
_STRIDE = 0.6180339887498949


def _hash(data: bytes) -> int:
    """Hash a string as DataSketches does on Linux: MurmurHash64A, as in ``std::hash``, then Murmur3's finish.

    A. Appleby's public domain functions; https://github.com/aappleby/smhasher.
    """
    multiplier = 0xC6A4A7935BD1E995
    value = 0xC70F6907 ^ len(data) * multiplier & _UINT64_MAX
    for start in range(0, len(data), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        if start + 8 <= len(data):
            word = word * multiplier & _UINT64_MAX
            word = (word ^ word >> 47) * multiplier & _UINT64_MAX
        value = (value ^ word) * multiplier & _UINT64_MAX
    value = (value ^ value >> 47) * multiplier & _UINT64_MAX
    value ^= value >> 47
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _UINT64_MAX
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _UINT64_MAX
    return value ^ value >> 33


_FLOAT = re.compile(r"-?\d+\.\d+")


def _number(value: str, booleans: bool) -> str:
    if booleans and value in _BOOLEANS:
        return _BOOLEANS[value]
    if "." in value and _FLOAT.fullmatch(value):
        value = value.rstrip("0").rstrip(".")
    return "0" if value == "-0" else value


_BOOLEANS = {"True": "1", "False": "0"}


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

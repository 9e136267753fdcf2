"""The values of a column in the few forms that a profile counts: numbers, booleans, strings and the rest.

The modules of the libraries decide which form a column takes, as whylogs 1.6.4 decides it for pandas: a column
of integers or booleans has bounds and frequent items, one of floats has no frequent items, one of dates has neither and
no distribution. A missing number counts as NaN, too, as it does in whylogs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..sketches import hashing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..sketches.hashing import Hashes
    from ..sketches.kll import Floats, Ints

# Metrics of a column besides counts and types.
INTEGRAL = frozenset({"distribution", "ints", "cardinality", "frequent_items"})
FRACTIONAL = frozenset({"distribution", "cardinality"})
TEXT = frozenset({"distribution", "cardinality", "frequent_items"})
OTHER: frozenset[str] = frozenset()

MAX_INTEGER = (1 << 63) - 1
NO_FLOATS: Floats = np.empty(0, np.float64)
NO_INTEGERS: Ints = np.empty(0, np.int64)
_MAX_ITEM_LENGTH = 128  # characters of a frequent item
_MAX_SPREAD = 4  # integers are counted in a table if it needs no more than so many places for each


class ValueNotProfiledError(Exception):
    """A value cannot be profiled.

    Parameters
    ----------
    reason : str
        What it is.
    row : int or None
        Its row, counted from 0 within the part of the column that was looked at.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.row = row


class Texts(Protocol):
    """Distinct strings, wherever they lie."""

    def __len__(self) -> int: ...

    def hashes(self) -> Iterator[tuple[Hashes, Hashes]]:
        """Hash those that are not empty: DataSketches does not count an empty one."""

    def longer_than(self, length: int) -> bool:
        """Whether any has more characters, or may have."""

    def to_list(self, places: Ints | None = None) -> list[str]:
        """Return those at some places, or all."""


class TextList:
    """Distinct strings of Python."""

    __slots__ = ("_values",)

    def __init__(self, values: list[str]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def hashes(self) -> Iterator[tuple[Hashes, Hashes]]:
        yield from hashing.hash_strings(filter(None, self._values))

    def longer_than(self, length: int) -> bool:
        return any(len(value) > length for value in self._values)

    def to_list(self, places: Ints | None = None) -> list[str]:
        return self._values if places is None else [self._values[place] for place in places.tolist()]


@dataclass(slots=True)
class Strings:
    """Distinct strings, in the order in which they first came, and how often each came."""

    values: Texts
    counts: Ints

    @classmethod
    def counted(cls, counts: Mapping[str, int]) -> Strings:
        """Take strings that were counted."""
        return cls(TextList(list(counts)), np.fromiter(counts.values(), np.int64, len(counts)))

    @property
    def total(self) -> int:
        """How many strings there were."""
        return int(self.counts.sum())

    def items(self, room: int) -> tuple[list[str], list[int], int, int]:
        """Return the strings that came most often, `room` at most, cut as frequent items are.

        Returns
        -------
        values : list of str
        counts : list of int
        missed : int
            The most that any other came.
        missed_total : int
            How often all others came.
        """
        if self.values.longer_than(_MAX_ITEM_LENGTH):
            cut: dict[str, int] = {}
            for value, count in zip(self.values.to_list(), self.counts.tolist(), strict=True):
                start = value[:_MAX_ITEM_LENGTH]
                cut[start] = cut.get(start, 0) + count
            # All are cut to the characters of a frequent item now.
            short = Strings.counted(cut)
            return _heaviest(short.values, short.counts, room)
        return _heaviest(self.values, self.counts, room)


def _heaviest(values: Texts, counts: Ints, room: int) -> tuple[list[str], list[int], int, int]:
    places, missed, missed_total = most_frequent(counts, room)
    chosen = counts if places is None else counts[places]
    return values.to_list(places), chosen.tolist(), missed, missed_total


def most_frequent(counts: Ints, room: int) -> tuple[Ints | None, int, int]:
    """Return the places of the `room` largest counts, the largest other, and the sum of the others.

    None instead of places if there is room for all.
    """
    if len(counts) <= room:
        return None, 0, 0
    order = counts.argpartition(len(counts) - room)
    rest = counts[order[: len(counts) - room]]
    return np.sort(order[len(counts) - room :]), int(rest.max()), int(rest.sum())


@dataclass(slots=True)
class Values:
    """A column, or a part of one, by what its values are.

    Attributes
    ----------
    metrics : frozenset of str
        What is kept beside counts and types: one of the sets above.
    n, null, nan : int
        Rows, missing ones, and those of the missing ones that count as NaN.
    floats : ndarray of float64
        Without NaN.
    integers : ndarray of int64
    booleans, true : int
    strings : Strings or None
    objects, tensors : int
        Anything else; arrays of numbers.
    """

    metrics: frozenset[str]
    n: int
    null: int = 0
    nan: int = 0
    floats: Floats = field(default_factory=lambda: NO_FLOATS)
    integers: Ints = field(default_factory=lambda: NO_INTEGERS)
    booleans: int = 0
    true: int = 0
    strings: Strings | None = None
    objects: int = 0
    tensors: int = 0


def too_large(value: int) -> str:
    """Say that an integer is too large."""
    text = str(value) if abs(value) < 10**30 else f"of {value.bit_length()} bits"
    return f"the integer {text} does not fit into 64 bits, which is all that a profile has for one"


def tally(integers: Ints) -> tuple[Ints, Ints]:
    """Return the distinct integers, ascending, and how often each comes."""
    n = len(integers)
    if not n:
        return integers, integers
    low, high = int(integers.min()), int(integers.max())
    if high - low <= _MAX_SPREAD * n:
        counts = np.bincount(integers - low)
        places = np.flatnonzero(counts)
        return places + low, counts[places]
    ordered = np.sort(integers)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(starts, append=n)


def texts_of_floats(floats: Floats) -> Strings:
    """Write floats as whylogs' frequent items do, with six decimals, and count them."""
    bits, counts = np.unique(floats.view(np.int64), return_counts=True)
    counted: dict[str, int] = {}
    for value, count in zip(bits.view(np.float64).tolist(), counts.tolist(), strict=True):
        text = f"{value:f}"
        counted[text] = counted.get(text, 0) + count
    return Strings.counted(counted)

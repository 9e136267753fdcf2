"""One profile as arrays over all its columns: what pages, comparisons and trends need, read once.

A `ProfileSummary` holds every figure of every column, and of every part of a compound metric, which is a column
of its own here: ``text.emoticon``. `summarizing` makes it, `ProfileSummary.to_bytes` writes it. The layout of the bytes
is private to this module and named by its version: a summary that another version wrote is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..budget import checkpoint
from .data_model import Column, Counts, Types
from .errors import ProfileError
from .sketches import DistinctEstimate, FrequentItemsSketch, KllSketch
from .statistics import QUANTILE_RANKS, ColumnStatistics, column_statistics, inferred_types, type_of_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .sketches import Floats, Ints

_MAGIC = b"SBW-SUMMARY\x07"
DECILES = np.arange(1, 10) / 10
MIDDLE = (0.16, 0.84)  # one deviation below and above the median, were the numbers normal
STEPS_OF_SHARE = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class ProfileSummary:
    """All figures of one profile, by column; a column is a row of every array.

    Attributes
    ----------
    names : tuple of str
        Columns, sorted, each followed by its parts.
    parents : tuple of (str or None)
        The column whose metric a part is of; None for a column of the data.
    problems : mapping of str to str
        Why a column cannot be read, by name; its figures say nothing.
    dataset_timestamp, creation_timestamp : int
        Milliseconds since 1970, UTC.
    version : str
    tags, metadata : mapping of str to str
    segments : tuple of (str, str)
    size : int
        Bytes of the file.
    counted, typed : ndarray of bool
        Whether rows were counted, and types.
    counts : ndarray of int64, shape (columns, 5)
        By the fields of `Counts`.
    types : ndarray of int64, shape (columns, 6)
        By the fields of `Types`.
    has_ints : ndarray of bool
    ints : ndarray of int64, shape (columns, 2)
        Smallest and largest integer, where there was any.
    has_moments : ndarray of bool
    moments : ndarray of float, shape (columns, 2)
        Mean and sum of squared deviations (M2), exact.
    kll_n, kll_k : ndarray of int64
        Numbers in the distribution, -1 without one; size parameter of the sketch.
    kll_error : ndarray of float
        Rank error of the sketch, 0 while it counted everything.
    kll_ends : ndarray of float, shape (columns, 2)
        Smallest and largest number, exact; NaN without numbers.
    quantiles : ndarray of float, shape (columns, 9)
        By `QUANTILE_RANKS`.
    item_offsets : ndarray of int64, one more than columns
        Where the retained numbers of each column begin in `items` and `heights`.
    items : ndarray of float
        Retained numbers of the sketches, ascending by column.
    heights : ndarray of uint8
        The binary logarithms of their weights; two in a byte, the first one lower, where all are below 16.
    checks : ndarray of uint64
        Each column's items as whole numbers, added up.
    grid_offsets : ndarray of int64, one more than columns
    grid_places, grid_steps : ndarray of uint32, uint16
        The distributions at no more than `MAX_EXACT_GRID` points (see `grid_numbers`): where each is among the items of
        the column, and the share of it that is no larger, in steps of 1/(2**16 - 1), from which the counts can be told
        of every sketch that counted everything.
    outline_offsets, heap_offsets : ndarray of int64, one more than columns
    outline_places, heap_places : ndarray of uint16
        Points of the grid by their places in the column's: at most `MAX_OUTLINE` (see `outline`), and those that hold
        much of the column by themselves.
    middles : ndarray of float, shape (columns, 2)
        Numbers at the ranks 16 and 84 %.
    deciles : ndarray of float, shape (columns, 9)
    distinct : ndarray of float, shape (columns, 3)
        Distinct values: estimate, and bounds at two deviations; NaN where not counted.
    frequent_total, frequent_offset, frequent_unlisted : ndarray of int64
        Length of the stream of frequent items, -1 without a sketch; how much a count may be too small; the most that a
        value which is not listed was seen. Of values that may be as rare as those which the sketch dropped, a few are
        listed.
    frequent_offsets : ndarray of int64, one more than columns
    frequent_weights : ndarray of int64
        Lower bounds of the counts, descending by column.
    frequent_lengths : ndarray of uint32
        Bytes of each value.
    frequent_text : ndarray of uint8
        The values in UTF-8, one after the other; as values: ``3``, however it was spelled.
    frequent_hashes : ndarray of uint64
        Hashes of the values, by which those of two summaries are matched. Texts that read as numbers with six decimals,
        as whylogs writes them, have the hashes of the numbers.
    conditions : mapping of str to mapping of str to int
        Rows that met each named condition, by column.
    metrics : mapping of str to mapping of str to (int or float)
        Figures of other metrics, by column.
    aggregates : mapping of str to mapping of str to str
        What those of these figures are that are no sums, by column.
    performance : mapping of str to object, or None
        What the profile says of a model, as `Performance.to_dict` gives it.
    """

    names: tuple[str, ...]
    parents: tuple[str | None, ...]
    problems: Mapping[str, str]
    dataset_timestamp: int
    creation_timestamp: int
    version: str
    tags: Mapping[str, str]
    metadata: Mapping[str, str]
    segments: tuple[tuple[str, str], ...]
    size: int
    counted: NDArray[np.bool_]
    typed: NDArray[np.bool_]
    counts: Ints
    types: Ints
    has_ints: NDArray[np.bool_]
    ints: Ints
    has_moments: NDArray[np.bool_]
    moments: Floats
    kll_n: Ints
    kll_k: Ints
    kll_error: Floats
    kll_ends: Floats
    quantiles: Floats
    item_offsets: Ints
    items: Floats
    heights: NDArray[np.uint8]
    checks: NDArray[np.uint64]
    grid_offsets: Ints
    grid_places: NDArray[np.uint32]
    grid_steps: NDArray[np.uint16]
    outline_offsets: Ints
    outline_places: NDArray[np.uint16]
    heap_offsets: Ints
    heap_places: NDArray[np.uint16]
    middles: Floats
    deciles: Floats
    distinct: Floats
    frequent_total: Ints
    frequent_offset: Ints
    frequent_unlisted: Ints
    frequent_offsets: Ints
    frequent_weights: Ints
    frequent_lengths: NDArray[np.uint32]
    frequent_text: NDArray[np.uint8]
    frequent_hashes: NDArray[np.uint64]
    conditions: Mapping[str, Mapping[str, int]]
    metrics: Mapping[str, Mapping[str, float]]
    aggregates: Mapping[str, Mapping[str, str]]
    performance: Mapping[str, Any] | None

    def __repr__(self) -> str:
        return f"<ProfileSummary: {len(self.names)} columns, dataset {self.dataset_timestamp}>"

    @cached_property
    def places(self) -> dict[str, int]:
        """By name: the row of a column in the arrays."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def inferred_types(self) -> tuple[str, ...]:
        """The inferred type of each column, see `statistics.inferred_type`."""
        kinds = inferred_types(self.types)
        for place in np.flatnonzero(~self.typed).tolist():
            if kinds[place] == "unknown":
                begin, end = self.item_offsets[place : place + 2].tolist()
                kinds[place] = type_of_values(self.items[begin:end], int(self.frequent_total[place]))
        return tuple(kinds)

    def grid_numbers(self, rows: Ints, points: Ints) -> Floats:
        """Return numbers of the grid, which has the distinct numbers of a small sketch, else some, ascending by column.

        Parameters
        ----------
        rows, points : ndarray of int64
            The columns, and the points' places among those of all columns.
        """
        numbers: Floats = self.items[self.item_offsets[rows] + self.grid_places[points]]
        return numbers

    def grid_shares(self, rows: Ints, points: Ints) -> Floats:
        """Return the shares of these columns that are no larger than these points of the grid."""
        n = self.kll_n[rows].astype(np.float64)
        shares: Floats = np.rint(self.grid_steps[points] * (n / STEPS_OF_SHARE)) / n
        return shares

    @cached_property
    def outline(self) -> tuple[Floats, Floats]:
        """Some numbers of each column's grid, and their shares, as if every number were the nearest of them."""
        lengths = np.diff(self.outline_offsets)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        places = self.grid_offsets[rows] + self.outline_places
        ends = places.copy()
        ends[:-1] += (places[1:] - places[:-1]) // 2
        some = np.flatnonzero(lengths)
        ends[self.outline_offsets[some + 1] - 1] = self.grid_offsets[some + 1] - 1
        return self.grid_numbers(rows, places), self.grid_shares(rows, ends)

    @cached_property
    def _text_ends(self) -> Ints:
        return offsets_of(self.frequent_lengths)

    def frequent_value(self, item: int) -> str:
        """Return one frequent item by its place among those of all columns."""
        begin, end = self._text_ends[item : item + 2].tolist()
        return self.frequent_text[begin:end].tobytes().decode(errors="surrogatepass")

    def frequent_values(self, place: int) -> tuple[str, ...]:
        """Return the frequent items of the column in a row of the arrays, the commonest first."""
        begin, end = self.frequent_offsets[place : place + 2].tolist()
        ends = self._text_ends[begin : end + 1]
        try:
            text = self.frequent_text[ends[0] : ends[-1]].tobytes()
            cuts = (ends - ends[0]).tolist()
            if text.isascii():
                letters = text.decode()
                return tuple([letters[one:other] for one, other in pairwise(cuts)])
            return tuple([text[one:other].decode(errors="surrogatepass") for one, other in pairwise(cuts)])
        except UnicodeDecodeError:
            raise _damaged() from None

    @property
    def rows(self) -> int | None:
        """Rows of the data set: those of its fullest column; None where nothing was counted."""
        columns = np.array([parent is None for parent in self.parents], bool) & self.counted
        return int(self.counts[columns, 0].max()) if columns.any() else None

    def is_bare(self, name: str) -> bool:
        """Whether a column has no figures of its own: none but those of the parts of its metrics."""
        place = self.places[name]
        return not self.counted[place] and self.kll_n[place] < 0 and self.frequent_total[place] < 0

    def column(self, name: str) -> Column:
        """Return one column as `Profile.column` does, its values spelled as values.

        Raises
        ------
        KeyError
            There is no column of that name.
        ProfileError
            It cannot be read.
        """
        checkpoint()
        if name in self.problems:
            raise ProfileError(self.problems[name], column=name)
        return self._column(self.places[name])

    def _column(self, place: int) -> Column:
        moments = self.moments[place].tolist() if self.has_moments[place] else (None, None)
        ints = self.ints[place].tolist() if self.has_ints[place] else (None, None)
        name = self.names[place]
        return Column(
            name=name,
            counts=Counts(*self.counts[place].tolist()),
            types=Types(*self.types[place].tolist()),
            ints_min=ints[0],
            ints_max=ints[1],
            mean=moments[0],
            m2=moments[1],
            kll=self.kll(place),
            cardinality=None if np.isnan(self.distinct[place, 0]) else DistinctEstimate(*self.distinct[place].tolist()),
            frequent_items=self._frequent_items(place),
            conditions=self.conditions.get(name, {}),
            metrics=self.metrics.get(name, {}),
            aggregates=self.aggregates.get(name, {}),
            counted=bool(self.counted[place]),
            typed=bool(self.typed[place]),
        )

    def kll(self, place: int) -> KllSketch | None:
        """Return the distribution of the column in a row of the arrays, or None; raises `ProfileError`."""
        if self.kll_n[place] < 0:
            return None
        begin, end = self.item_offsets[place : place + 2].tolist()
        items = self.items[begin:end]
        if added_up(items) != int(self.checks[place]):
            raise _damaged()
        low, high = self.kll_ends[place].tolist()
        return KllSketch.from_sorted(
            items,
            lambda: _unpacked(self.heights, begin, end, len(self.items)),
            n=int(self.kll_n[place]),
            k=int(self.kll_k[place]),
            minimum=low,
            maximum=high,
            rank_error=float(self.kll_error[place]),
            known=dict(zip(QUANTILE_RANKS, self.quantiles[place].tolist(), strict=True)) if begin < end else {},
        )

    def _frequent_items(self, place: int) -> FrequentItemsSketch | None:
        total = int(self.frequent_total[place])
        if total < 0:
            return None
        begin, end = self.frequent_offsets[place : place + 2].tolist()
        return FrequentItemsSketch.from_sorted(
            lambda: self.frequent_values(place),
            self.frequent_weights[begin:end],
            offset=int(self.frequent_offset[place]),
            unlisted=int(self.frequent_unlisted[place]),
            total=total,
        )

    def statistics(self, name: str) -> ColumnStatistics:
        """Sum up one column; raises like `column`."""
        return column_statistics(self.column(name))

    def to_bytes(self) -> bytes:
        """Write the summary, for `from_bytes`."""
        return b"".join(self.to_parts())

    def to_parts(self) -> tuple[bytes, memoryview, bytes]:
        """Write the same in parts, the second of which has the items: most of all, and not copied."""
        arrays = [_narrowed(np.ascontiguousarray(getattr(self, name), kind)) for name, kind in _ARRAYS.items()]
        head = msgspec.msgpack.encode(
            {name: getattr(self, name) for name in _FIELDS}
            | {"lengths": [array.size for array in arrays], "kinds": [array.dtype.str for array in arrays]}
        )
        parts = [_MAGIC, len(head).to_bytes(8, "little"), head, bytes(-(len(_MAGIC) + 8 + len(head)) % 8)]
        *others, items = arrays
        for array in others:
            parts += [array.tobytes(), bytes(-array.nbytes % 8)]
        checked = b"".join(parts)
        return checked, items.data, added_up(checked).to_bytes(8, "little")

    @classmethod
    def from_bytes(cls, content: bytes | memoryview) -> ProfileSummary:
        """Read what `to_bytes` wrote; the arrays stay in `content`.

        Raises
        ------
        ProfileError
            It is no summary, was written by another version, or is damaged. (Numbers of a column's sketch are checked
            when that column is asked for.)
        """
        content = memoryview(content)
        if bytes(content[: len(_MAGIC)]) != _MAGIC:
            raise ProfileError("This is no summary of a profile, or one of another version.")
        try:
            return cls._from_bytes(content)
        except (ValueError, TypeError, KeyError, OverflowError, msgspec.MsgspecError) as error:
            raise _damaged() from error

    @classmethod
    def _from_bytes(cls, content: memoryview) -> ProfileSummary:
        start = len(_MAGIC) + 8
        end = start + int.from_bytes(content[start - 8 : start], "little")
        if end > len(content):
            raise _damaged()
        head = msgspec.msgpack.decode(content[start:end], type=_Head)
        if not len(head.lengths) == len(head.kinds) == len(_ARRAYS):
            raise _damaged()
        place = end + -end % 8
        arrays: dict[str, Any] = {}
        columns = len(head.names)
        for (name, wanted), kind, length in zip(_ARRAYS.items(), head.kinds, head.lengths, strict=True):
            if np.dtype(kind) != wanted and kind not in _NARROW:
                raise _damaged()
            checkpoint()
            if name == "items" and added_up(content[:place]) != int.from_bytes(content[-8:], "little"):
                raise _damaged()
            array: NDArray[Any] = np.frombuffer(content, kind, length, place)
            place += array.nbytes + -array.nbytes % 8
            array = array if name in _PLACES else array.astype(wanted, copy=False)
            arrays[name] = array.reshape(columns, _WIDTHS[name]) if name in _WIDTHS else array
        if place + 8 != len(content):
            raise _damaged()
        made = cls(**arrays, **{name: getattr(head, name) for name in _FIELDS})
        made._check_lengths(arrays)
        return made

    def _check_lengths(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raise `ProfileError` unless the arrays fit together."""
        columns = len(self.names)
        for offsets, many in _OFFSETS.items():
            found = getattr(self, offsets)
            sizes = {len(arrays[name]) for name in many}
            if len(found) != columns + 1 or found[0] != 0 or sizes != {found[-1]} or (np.diff(found) < 0).any():
                raise _damaged()
        if self.frequent_lengths.sum(dtype=np.int64) != len(self.frequent_text):
            raise _damaged()
        if len(self.heights) not in {len(self.items), (len(self.items) + 1) // 2}:
            raise _damaged()
        if any(len(arrays[name]) != columns for name in _ONE_A_COLUMN):
            raise _damaged()


class _Head(msgspec.Struct):
    names: tuple[str, ...]
    parents: tuple[str | None, ...]
    problems: dict[str, str]
    dataset_timestamp: int
    creation_timestamp: int
    version: str
    tags: dict[str, str]
    metadata: dict[str, str]
    segments: tuple[tuple[str, str], ...]
    size: int
    conditions: dict[str, dict[str, int]]
    metrics: dict[str, dict[str, int | float]]
    aggregates: dict[str, dict[str, str]]
    performance: dict[str, Any] | None
    lengths: tuple[int, ...]
    kinds: tuple[str, ...]


_FIELDS = tuple(name for name in _Head.__struct_fields__ if name not in {"lengths", "kinds"})
_ARRAYS = {
    "counted": "?",
    "typed": "?",
    "counts": "<i8",
    "types": "<i8",
    "has_ints": "?",
    "ints": "<i8",
    "has_moments": "?",
    "moments": "<f8",
    "kll_n": "<i8",
    "kll_k": "<i8",
    "kll_error": "<f8",
    "kll_ends": "<f8",
    "quantiles": "<f8",
    "item_offsets": "<i8",
    "heights": "<u1",
    "checks": "<u8",
    "grid_offsets": "<i8",
    "grid_places": "<u4",
    "grid_steps": "<u2",
    "outline_offsets": "<i8",
    "outline_places": "<u2",
    "heap_offsets": "<i8",
    "heap_places": "<u2",
    "middles": "<f8",
    "deciles": "<f8",
    "distinct": "<f8",
    "frequent_total": "<i8",
    "frequent_offset": "<i8",
    "frequent_unlisted": "<i8",
    "frequent_offsets": "<i8",
    "frequent_weights": "<i8",
    "frequent_lengths": "<u4",
    "frequent_text": "<u1",
    "frequent_hashes": "<u8",
    "items": "<f8",  # last, because they are checked column by column
}
_PLACES = frozenset(
    {"grid_places", "outline_places", "heap_places"}
)  # never counted with, so left as small as they are
_NARROW = ("|u1", "<u2", "<u4")
_OFFSETS = {
    "item_offsets": ("items",),
    "grid_offsets": ("grid_places", "grid_steps"),
    "outline_offsets": ("outline_places",),
    "heap_offsets": ("heap_places",),
    "frequent_offsets": ("frequent_weights", "frequent_lengths", "frequent_hashes"),
}
_WIDTHS = {
    "counts": 5,
    "types": 6,
    "ints": 2,
    "moments": 2,
    "kll_ends": 2,
    "quantiles": len(QUANTILE_RANKS),
    "middles": len(MIDDLE),
    "deciles": len(DECILES),
    "distinct": 3,
}
_ONE_A_COLUMN = (
    "counted",
    "typed",
    "has_ints",
    "has_moments",
    "kll_n",
    "kll_k",
    "kll_error",
    "checks",
    "frequent_total",
    "frequent_offset",
    "frequent_unlisted",
)


def _damaged() -> ProfileError:
    return ProfileError("The summary of the profile is damaged.")


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers in the smallest type that holds them all."""
    if array.dtype.kind not in "iu" or not array.size or array.min() < 0:
        return array
    most = int(array.max())
    kind = next((kind for kind in _NARROW if most <= np.iinfo(kind).max), array.dtype.str)
    return array.astype(kind, copy=False)


def added_up(content: Any) -> int:
    """Add up bytes as whole numbers of eight: of a few MB ten times as fast as a CRC, and no single change hides."""
    return int(np.frombuffer(content, "<u8").sum(dtype=np.uint64)) if len(content) else 0


_PACKED_BELOW = 16


def packed(heights: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put two heights into a byte, unless some are too large."""
    if heights.max(initial=0) >= _PACKED_BELOW:
        return heights
    padded = np.zeros(len(heights) + len(heights) % 2, np.uint8)
    padded[: len(heights)] = heights
    packed: NDArray[np.uint8] = padded[::2] | padded[1::2] << np.uint8(4)
    return packed


def _unpacked(heights: NDArray[np.uint8], begin: int, end: int, many: int) -> NDArray[np.uint8]:
    """Take some of `many` heights that `packed` packed."""
    if len(heights) == many:
        return heights[begin:end]
    both = heights[begin // 2 : (end + 1) // 2]
    one_by_one = np.empty(2 * len(both), np.uint8)
    one_by_one[::2], one_by_one[1::2] = both & np.uint8(15), both >> np.uint8(4)
    return one_by_one[begin % 2 :][: end - begin]


def offsets_of(lengths: Any) -> Ints:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets

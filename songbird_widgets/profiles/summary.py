"""One profile as arrays over all its columns: what pages, comparisons and trends need, read once.

A `ProfileSummary` holds every figure of every column, and of every part of a compound metric, which is a column
of its own here: ``text.emoticon``. `summarize` makes it, `ProfileSummary.to_bytes` writes it. The layout of the bytes
is private to this module and named by its version: a summary that another version wrote is made anew.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..budget import checkpoint
from .container import Column, Counts, Types
from .errors import ProfileError
from .sketches import DistinctEstimate, FrequentItemsSketch, KllSketch
from .statistics import QUANTILE_RANKS, ColumnStatistics, column_statistics, inferred_type, type_of_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .container import Profile
    from .sketches import Floats, Ints

MAX_GRID = 512
"""Points at which the distribution of a sketch that estimates is compared; one that counted everything keeps all."""

MAX_EXACT_GRID = 1024

_TAIL = 16  # points at either end of a grid that are kept whatever their weight
_MAGIC = b"SBW-SUMMARY\x02"


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
    items : ndarray of float, heights : ndarray of uint8
        Retained numbers of the sketches, ascending by column, and the binary logarithms of their weights.
    checks : ndarray of uint32
        CRC-32 of each column's items and heights.
    grid_offsets : ndarray of int64, one more than columns
    grid, grid_cdf : ndarray of float
        The distributions at no more than `MAX_EXACT_GRID` points: distinct numbers, ascending, and the share of the
        column that is no larger.
    distinct : ndarray of float, shape (columns, 3)
        Distinct values: estimate, and bounds at two deviations; NaN where not counted.
    frequent_total, frequent_offset : ndarray of int64
        Length of the stream of frequent items, -1 without a sketch; how much a count may be too small.
    frequent_offsets : ndarray of int64, one more than columns
    frequent_weights : ndarray of int64
        Lower bounds of the counts, descending by column.
    frequent_values : tuple of str
        The values, as values: ``3``, however it was spelled.
    conditions : mapping of str to mapping of str to int
        Rows that met each named condition, by column.
    metrics : mapping of str to mapping of str to (int or float)
        Figures of other metrics, by column.
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
    checks: NDArray[np.uint32]
    grid_offsets: Ints
    grid: Floats
    grid_cdf: Floats
    distinct: Floats
    frequent_total: Ints
    frequent_offset: Ints
    frequent_offsets: Ints
    frequent_weights: Ints
    frequent_values: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, int]]
    metrics: Mapping[str, Mapping[str, float]]
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
        found = []
        for place, types in enumerate(self.types.tolist()):
            kind = inferred_type(Types(*types)._asdict())
            if kind == "unknown" and not self.typed[place]:
                begin, end = self.grid_offsets[place : place + 2].tolist()
                kind = type_of_values(self.grid[begin:end], int(self.frequent_total[place]))
            found.append(kind)
        return tuple(found)

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
            counted=bool(self.counted[place]),
            typed=bool(self.typed[place]),
        )

    def kll(self, place: int) -> KllSketch | None:
        """Return the distribution of the column in a row of the arrays, or None; raises `ProfileError`."""
        if self.kll_n[place] < 0:
            return None
        begin, end = self.item_offsets[place : place + 2].tolist()
        items, heights = self.items[begin:end], self.heights[begin:end]
        if _check(items, heights) != self.checks[place]:
            raise _damaged()
        low, high = self.kll_ends[place].tolist()
        return KllSketch.from_sorted(items, heights, int(self.kll_k[place]), low, high, float(self.kll_error[place]))

    def _frequent_items(self, place: int) -> FrequentItemsSketch | None:
        total = int(self.frequent_total[place])
        if total < 0:
            return None
        begin, end = self.frequent_offsets[place : place + 2].tolist()
        return FrequentItemsSketch(
            self.frequent_values[begin:end],
            self.frequent_weights[begin:end],
            offset=int(self.frequent_offset[place]),
            total=total,
        )

    def statistics(self, name: str) -> ColumnStatistics:
        """Sum up one column; raises like `column`."""
        return column_statistics(self.column(name))

    def to_bytes(self) -> bytes:
        """Write the summary, for `from_bytes`."""
        arrays = [np.ascontiguousarray(getattr(self, name), kind) for name, kind in _ARRAYS.items()]
        head = msgspec.msgpack.encode(
            {name: getattr(self, name) for name in _FIELDS} | {"lengths": [array.size for array in arrays]}
        )
        parts = [_MAGIC, len(head).to_bytes(8, "little"), head, bytes(-(len(_MAGIC) + 8 + len(head)) % 8)]
        for array in arrays:
            parts += [array.tobytes(), bytes(-array.nbytes % 8)]
        check = 0
        for name, array in zip(_ARRAYS, arrays, strict=True):
            check = zlib.crc32(array.data, check) if array.size and name not in _CHECKED_LATER else check
        parts.append(zlib.crc32(head, check).to_bytes(4, "little"))
        return b"".join(parts)

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
        if len(head.lengths) != len(_ARRAYS):
            raise _damaged()
        place = end + -end % 8
        arrays: dict[str, Any] = {}
        check = 0
        columns = len(head.names)
        for (name, kind), length in zip(_ARRAYS.items(), head.lengths, strict=True):
            array: NDArray[Any] = np.frombuffer(content, kind, length, place)
            place += array.nbytes + -array.nbytes % 8
            check = zlib.crc32(array.data, check) if length and name not in _CHECKED_LATER else check
            arrays[name] = array.reshape(columns, _WIDTHS[name]) if name in _WIDTHS else array
        if zlib.crc32(content[start:end], check) != int.from_bytes(content[place:], "little"):
            raise _damaged()
        made = cls(**arrays, **{name: getattr(head, name) for name in _FIELDS})
        for offsets, many in (("item_offsets", "items"), ("grid_offsets", "grid"), ("frequent_offsets", None)):
            found = getattr(made, offsets)
            target = len(getattr(made, many)) if many else len(made.frequent_values)
            if len(found) != columns + 1 or found[0] != 0 or found[-1] != target or (np.diff(found) < 0).any():
                raise _damaged()
        if len(made.heights) != len(made.items) or any(len(arrays[name]) != columns for name in _ONE_A_COLUMN):
            raise _damaged()
        return made


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
    frequent_values: tuple[str, ...]
    conditions: dict[str, dict[str, int]]
    metrics: dict[str, dict[str, int | float]]
    performance: dict[str, Any] | None
    lengths: tuple[int, ...]


_FIELDS = tuple(name for name in _Head.__struct_fields__ if name != "lengths")
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
    "items": "<f8",
    "heights": "<u1",
    "checks": "<u4",
    "grid_offsets": "<i8",
    "grid": "<f8",
    "grid_cdf": "<f8",
    "distinct": "<f8",
    "frequent_total": "<i8",
    "frequent_offset": "<i8",
    "frequent_offsets": "<i8",
    "frequent_weights": "<i8",
}
_CHECKED_LATER = frozenset({"items", "heights"})
_WIDTHS = {
    "counts": 5,
    "types": 6,
    "ints": 2,
    "moments": 2,
    "kll_ends": 2,
    "quantiles": len(QUANTILE_RANKS),
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
)


def _damaged() -> ProfileError:
    return ProfileError("The summary of the profile is damaged.")


def _check(items: Floats, heights: NDArray[np.uint8]) -> int:
    return zlib.crc32(heights.data, zlib.crc32(items.data)) if len(items) else 0


# --- making one


def summarize(profile: Profile) -> ProfileSummary:
    """Read all columns of a profile once.

    A column that is damaged is named in `ProfileSummary.problems`; the others are read.
    """
    gathered = _Gathered()
    taken = frozenset(profile.column_names)
    for name in profile.column_names:
        try:
            column = profile.column(name)
            gathered.add(name, profile.parent_of(name), column)
            for part, inner in column.others.items():
                gathered.add(_part_name(name, part, taken), name, inner)
        except ProfileError as error:
            gathered.add_problem(name, error.reason)
    return gathered.summary(profile)


def summarize_column(column: Column) -> ProfileSummary:
    """Make a summary of one column, and of its parts."""
    gathered = _Gathered()
    gathered.add(column.name, None, column)
    for part, inner in column.others.items():
        gathered.add(_part_name(column.name, part, frozenset({column.name})), column.name, inner)
    return gathered.summary(None)


def _part_name(column: str, part: str, taken: frozenset[str]) -> str:
    """Name a part as whylogs does before an upload to a guest session: ``column.part``, or ``column.metric.part``."""
    short = f"{column}.{part.partition('/')[2]}"
    return short if short not in taken else f"{column}.{part.replace('/', '.')}"


@dataclass
class _Gathered:
    names: list[str] = field(default_factory=list)
    parents: list[str | None] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    conditions: dict[str, dict[str, int]] = field(default_factory=dict)
    metrics: dict[str, dict[str, int | float]] = field(default_factory=dict)
    sketches: list[tuple[Floats, NDArray[np.uint8]]] = field(default_factory=list)
    quantiles: list[Floats] = field(default_factory=list)
    grids: list[tuple[Floats, Floats]] = field(default_factory=list)
    frequent: list[FrequentItemsSketch | None] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def add(self, name: str, parent: str | None, column: Column) -> None:
        if name in self.known:
            return
        kll = column.kll if column.kll is not None and column.kll.n else None
        parts = (kll.items, kll.heights) if kll else _NO_ITEMS
        quantiles = kll.quantiles(QUANTILE_RANKS) if kll else _NO_QUANTILES
        grid = thinned(kll) if kll else _NO_GRID
        frequent = column.values
        if max(column.counts) > _MAX_INT or max(column.types) > _MAX_INT:
            raise ProfileError("The file is corrupt: a count in it is larger than any can be.", column=name)
        self.known.add(name)
        self.names.append(name)
        self.parents.append(parent)
        self.columns.append(column)
        self.sketches.append(parts)
        self.quantiles.append(quantiles)
        self.grids.append(grid)
        self.frequent.append(frequent)
        if column.conditions:
            self.conditions[name] = dict(column.conditions)
        if column.metrics:
            self.metrics[name] = dict(column.metrics)

    def add_problem(self, name: str, reason: str) -> None:
        self.add(name, None, Column(name, counted=False, typed=False))
        self.problems[name] = reason

    def summary(self, profile: Profile | None) -> ProfileSummary:
        columns = self.columns
        ints = [(_int64(column.ints_min), _int64(column.ints_max)) for column in columns]
        frequent = self.frequent
        values = [value for sketch in frequent if sketch for value in sketch.values]
        return ProfileSummary(
            names=tuple(self.names),
            parents=tuple(self.parents),
            problems=self.problems,
            dataset_timestamp=profile.dataset_timestamp if profile else 0,
            creation_timestamp=profile.creation_timestamp if profile else 0,
            version=profile.version if profile else "",
            tags=dict(profile.tags) if profile else {},
            metadata=dict(profile.metadata) if profile else {},
            segments=tuple(profile.segments) if profile else (),
            size=profile.size if profile else 0,
            performance=profile.performance.to_dict() if profile and profile.performance else None,
            counted=np.array([column.counted for column in columns], np.bool_),
            typed=np.array([column.typed for column in columns], np.bool_),
            counts=np.array([column.counts for column in columns], np.int64).reshape(-1, 5),
            types=np.array([column.types for column in columns], np.int64).reshape(-1, 6),
            has_ints=np.array([None not in pair for pair in ints], np.bool_),
            ints=np.array([(low or 0, high or 0) for low, high in ints], np.int64).reshape(-1, 2),
            has_moments=np.array([_has_moments(column) for column in columns], np.bool_),
            moments=np.array(
                [(column.mean, column.m2) if _has_moments(column) else (0.0, 0.0) for column in columns], np.float64
            ).reshape(-1, 2),
            kll_n=np.array([column.kll.n if column.kll else -1 for column in columns], np.int64),
            kll_k=np.array([column.kll.k if column.kll else 0 for column in columns], np.int64),
            kll_error=np.array([column.kll.rank_error if column.kll else 0.0 for column in columns], np.float64),
            kll_ends=np.array(
                [(column.kll.min, column.kll.max) if column.kll else (np.nan, np.nan) for column in columns], np.float64
            ).reshape(-1, 2),
            quantiles=np.array(self.quantiles, np.float64).reshape(-1, len(QUANTILE_RANKS)),
            item_offsets=_offsets([len(items) for items, _ in self.sketches]),
            items=_joined([items for items, _ in self.sketches], np.float64),
            heights=_joined([heights for _, heights in self.sketches], np.uint8),
            checks=np.array([_check(*sketch) for sketch in self.sketches], np.uint32),
            grid_offsets=_offsets([len(points) for points, _ in self.grids]),
            grid=_joined([points for points, _ in self.grids], np.float64),
            grid_cdf=_joined([shares for _, shares in self.grids], np.float64),
            distinct=np.array([_distinct(column) for column in columns], np.float64).reshape(-1, 3),
            frequent_total=np.array([sketch.total if sketch else -1 for sketch in frequent], np.int64),
            frequent_offset=np.array([sketch.offset if sketch else 0 for sketch in frequent], np.int64),
            frequent_offsets=_offsets([len(sketch.values) if sketch else 0 for sketch in frequent]),
            frequent_weights=_joined([sketch.weights for sketch in frequent if sketch], np.int64),
            frequent_values=tuple(values),
            conditions=self.conditions,
            metrics=self.metrics,
        )


_MAX_INT = (1 << 63) - 1
_EMPTY: Floats = np.empty(0)
_NO_ITEMS: tuple[Floats, NDArray[np.uint8]] = (_EMPTY, np.empty(0, np.uint8))
_NO_QUANTILES: Floats = np.full(len(QUANTILE_RANKS), np.nan)
_NO_GRID: tuple[Floats, Floats] = (_EMPTY, _EMPTY)


def _int64(value: int | None) -> int | None:
    return value if value is not None and -_MAX_INT <= value <= _MAX_INT else None


def _has_moments(column: Column) -> bool:
    return column.mean is not None and column.m2 is not None


def _distinct(column: Column) -> tuple[float, float, float]:
    found = column.cardinality
    return (found.estimate, found.lower, found.upper) if found is not None else (np.nan, np.nan, np.nan)


def _offsets(lengths: list[int]) -> Ints:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _joined(parts: list[Any], kind: type) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def thinned(kll: KllSketch) -> tuple[Floats, Floats]:
    """Read a distribution at few points: distinct numbers, ascending, and the share that is no larger.

    A sketch with at most `MAX_EXACT_GRID` distinct numbers loses nothing. Else the points are those nearest to
    `MAX_GRID` equal steps of rank, and the outermost ones; each stands for the numbers around it, so that no share
    changes by more than half a step (0.1 %).
    """
    items, shares = kll.items, kll.cumulative[1:] / kll.n
    last = np.empty(len(items), np.bool_)
    last[-1] = True
    np.not_equal(items[1:], items[:-1], out=last[:-1])
    if not last.all():
        items, shares = items[last], shares[last]
    if len(items) <= MAX_EXACT_GRID:
        return items, shares
    middle = np.searchsorted(shares, _STEPS)
    chosen = np.unique(np.concatenate([_FIRST, middle, len(items) - 1 - _FIRST]))
    boundaries = np.append((chosen[:-1] + chosen[1:]) // 2, len(items) - 1)
    return items[chosen], shares[boundaries]


_FIRST = np.arange(_TAIL)
_STEPS = (np.arange(MAX_GRID - 2 * _TAIL) + 0.5) / (MAX_GRID - 2 * _TAIL)

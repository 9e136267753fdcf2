"""The summary of a profile, made of its columns: each is read once, and its sketches are cut to what is compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .data_model import Column
from .errors import ProfileError
from .sketches import DistinctEstimate
from .sketches.frequent_items import spelled_as_number
from .sketches.hashing import hash_bytes
from .statistics import QUANTILE_RANKS
from .summary import DECILES, MIDDLE, STEPS_OF_SHARE, ProfileSummary, added_up, offsets_of, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .data_model import Profile
    from .sketches import Floats, FrequentItemsSketch, Ints, KllSketch

MAX_GRID = 512
"""Points at which the distribution of a sketch that estimates is compared; one that counted everything keeps all."""

MAX_EXACT_GRID = 1024

MAX_OUTLINE = 256
"""Points of the grid at which two distributions are compared as wholes; a share there is off by 0.2 % at most."""

_KEPT_RARE = 64  # values of a column that may be as rare as those which its sketch dropped
_TAIL = 16  # points at either end of a grid that are kept whatever their weight
_HEAP = 0.005  # the share of one number that may tell of a drift by itself
_HAIR = 1e-9


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
    aggregates: dict[str, dict[str, str]] = field(default_factory=dict)
    sketches: list[_Sketch] = field(default_factory=list)
    frequent: list[_Frequent] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def add(self, name: str, parent: str | None, column: Column) -> None:
        if name in self.known:
            return
        sketch = _Sketch.of(column.kll)
        frequent = column.values and column.values.without_rare(_KEPT_RARE)
        for counts in (column.counts, column.types, column.conditions.values()):
            if max(counts, default=0) > _MAX_INT or min(counts, default=0) < 0:
                raise ProfileError("The file is corrupt: a count in it is not one.", column=name)
        self.known.add(name)
        self.names.append(name)
        self.parents.append(parent)
        # Without its sketches, which are ten times as large as what is kept of them.
        self.columns.append(replace(column, kll=None, cardinality=_distinct(column), frequent_items=None, others={}))
        self.sketches.append(sketch)
        self.frequent.append(_Frequent.of(frequent))
        self.values += [value.encode(errors="surrogatepass") for value in frequent.values] if frequent else []
        if column.conditions:
            self.conditions[name] = dict(column.conditions)
        if column.metrics:
            self.metrics[name] = dict(column.metrics)
        if column.aggregates:
            self.aggregates[name] = dict(column.aggregates)

    def add_problem(self, name: str, reason: str) -> None:
        self.add(name, None, Column(name, counted=False, typed=False))
        self.problems[name] = reason

    def summary(self, profile: Profile | None) -> ProfileSummary:
        columns = self.columns
        ints = [(_int64(column.ints_min), _int64(column.ints_max)) for column in columns]
        sketches, frequent, values = self.sketches, self.frequent, self.values
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
            kll_n=np.array([sketch.n for sketch in sketches], np.int64),
            kll_k=np.array([sketch.k for sketch in sketches], np.int64),
            kll_error=np.array([sketch.error for sketch in sketches], np.float64),
            kll_ends=np.array([sketch.ends for sketch in sketches], np.float64).reshape(-1, 2),
            quantiles=np.array([sketch.quantiles for sketch in sketches]).reshape(-1, len(QUANTILE_RANKS)),
            item_offsets=offsets_of([len(sketch.items) for sketch in sketches]),
            items=_joined([sketch.items for sketch in sketches], np.float64),
            heights=packed(_joined([sketch.heights for sketch in sketches], np.uint8)),
            checks=np.array([added_up(sketch.items) for sketch in sketches], np.uint64),
            grid_offsets=offsets_of([len(sketch.places) for sketch in sketches]),
            grid_places=_joined([sketch.places for sketch in sketches], np.uint32),
            grid_steps=_joined([sketch.steps for sketch in sketches], np.uint16),
            outline_offsets=offsets_of([len(sketch.outline) for sketch in sketches]),
            outline_places=_joined([sketch.outline for sketch in sketches], np.uint16),
            heap_offsets=offsets_of([len(sketch.heaps) for sketch in sketches]),
            heap_places=_joined([sketch.heaps for sketch in sketches], np.uint16),
            middles=np.array([sketch.middles for sketch in sketches]).reshape(-1, len(MIDDLE)),
            deciles=np.array([sketch.deciles for sketch in sketches]).reshape(-1, len(DECILES)),
            distinct=np.array(
                [(one.estimate, one.lower, one.upper) if (one := column.cardinality) else _NAN_3 for column in columns],
                np.float64,
            ).reshape(-1, 3),
            frequent_total=np.array([one.total for one in frequent], np.int64),
            frequent_offset=np.array([one.offset for one in frequent], np.int64),
            frequent_unlisted=np.array([one.unlisted for one in frequent], np.int64),
            frequent_offsets=offsets_of([len(one.weights) for one in frequent]),
            frequent_weights=_joined([one.weights for one in frequent], np.int64),
            frequent_lengths=np.fromiter(map(len, values), np.uint32, len(values)),
            frequent_text=np.frombuffer(b"".join(values), np.uint8),
            frequent_hashes=_hashes(values),
            conditions=self.conditions,
            metrics=self.metrics,
            aggregates=self.aggregates,
        )


_MAX_INT = (1 << 63) - 1


def _int64(value: int | None) -> int | None:
    return value if value is not None and -_MAX_INT <= value <= _MAX_INT else None


def _has_moments(column: Column) -> bool:
    return column.mean is not None and column.m2 is not None


def _distinct(column: Column) -> DistinctEstimate | None:
    found = column.cardinality
    return None if found is None else DistinctEstimate(found.estimate, found.lower, found.upper)


def _joined(parts: list[Any], kind: type) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _hashes(values: list[bytes]) -> NDArray[np.uint64]:
    """Hash values by what they spell."""
    values = [spelled_as_number(value) if b"." in value else value for value in values]
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    parts = [
        first
        for first, _ in hash_bytes(np.frombuffer(b"".join(values), np.uint8), np.cumsum(lengths) - lengths, lengths)
    ]
    hashes: NDArray[np.uint64] = _joined(parts, np.uint64)
    return hashes


HASHES_OF_FLAGS = dict(zip(*(map(int, _hashes(words)) for words in ([b"True", b"False"], [b"1", b"0"])), strict=True))
"""The hashes of booleans, and those of the numbers that they are."""

_NOTHING = (
    *("", "-", "--", "?", ".", "0", "-1", "n/a", "na", "<na>", "#n/a", "nan", "nil", "none", "null", "(null)"),
    *("undefined", "unknown", "unspecified", "missing", "empty", "blank", "default", "other", "not available", "NaN"),
)
_FORMS = (str, str.upper, str.capitalize, str.title)
HASHES_OF_NOTHING = _hashes([word.encode() for word in dict.fromkeys(form(one) for one in _NOTHING for form in _FORMS)])
"""The hashes of words that are written where there is no value."""


def hashes_of_whole(numbers: Floats) -> NDArray[np.uint64]:
    """Hash whole numbers as `summarize` hashes the frequent items that spell them; others are hashed as nothing is."""
    return _hashes([b"%d" % number if math.isfinite(number) else b"\0" for number in numbers.tolist()])


class _Sketch(NamedTuple):
    """What a summary keeps of a distribution.

    The grid has the distinct numbers, ascending, and the shares that are no larger. A sketch with at most
    `MAX_EXACT_GRID` distinct numbers loses nothing. Else the points are those nearest to `MAX_GRID` equal steps of
    rank, and the outermost ones; each stands for the numbers around it, so that no share changes by more than half a
    step (0.1 %). The outline has fewer of these points, chosen in the same way.
    """

    n: int
    k: int
    error: float
    ends: tuple[float, float]
    items: Floats
    heights: NDArray[np.uint8]
    quantiles: Floats
    places: NDArray[np.uint32]
    steps: NDArray[np.uint16]
    outline: NDArray[np.uint16]
    heaps: NDArray[np.uint16]
    middles: Floats
    deciles: Floats

    @classmethod
    def of(cls, kll: KllSketch | None) -> _Sketch:
        if kll is None:
            return _NO_SKETCH
        n = kll.n
        if not n:
            return _NO_SKETCH._replace(n=n, k=kll.k, error=kll.rank_error, ends=(kll.min, kll.max))
        items, cumulative = kll.items, kll.cumulative
        many = len(items)
        ranks = cumulative[:-1].searchsorted(np.floor(_RANKS * n))
        last = np.empty(many, np.bool_)
        last[-1] = True
        np.not_equal(items[1:], items[:-1], out=last[:-1])
        places = np.flatnonzero(last)
        ends = places + 1
        if len(places) > MAX_EXACT_GRID:
            among = _spread(cumulative[ends] / n, _STEPS)
            ends = ends[np.append((among[:-1] + among[1:]) // 2, len(places) - 1)]
            places = places[among]
        shares = cumulative[ends] / n
        outline = np.arange(len(shares)) if len(shares) <= MAX_OUTLINE else _spread(shares, _OUTLINE_STEPS)
        alone = shares.copy()
        alone[1:] -= shares[:-1]
        middles, deciles = (items[places[shares.searchsorted(ranks)]] for ranks in (_MIDDLES, _DECILES))
        return cls(
            n=n,
            k=kll.k,
            error=kll.rank_error,
            ends=(kll.min, kll.max),
            items=items,
            heights=kll.heights,
            quantiles=items[np.minimum(ranks, many - 1)],
            places=places.astype(np.uint32),
            steps=np.rint(shares * STEPS_OF_SHARE).astype(np.uint16),
            outline=outline.astype(np.uint16),
            heaps=np.flatnonzero(alone >= _HEAP - kll.rank_error - _HAIR).astype(np.uint16),
            middles=middles,
            deciles=deciles,
        )


class _Frequent(NamedTuple):
    """What a summary keeps of frequent items, beside their values."""

    total: int
    offset: int
    unlisted: int
    weights: Ints

    @classmethod
    def of(cls, sketch: FrequentItemsSketch | None) -> _Frequent:
        if sketch is None:
            return cls(-1, 0, 0, np.empty(0, np.int64))
        return cls(sketch.total, sketch.offset, sketch.unlisted, sketch.weights)


def _spread(shares: Floats, steps: Floats) -> Ints:
    """Choose the points nearest to equal steps of rank, and the outermost ones."""
    chosen = np.zeros(len(shares), np.bool_)
    chosen[shares.searchsorted(steps)] = chosen[:_TAIL] = chosen[-_TAIL:] = True
    return np.flatnonzero(chosen)


def _steps(points: int) -> Floats:
    steps: Floats = (np.arange(points - 2 * _TAIL) + 0.5) / (points - 2 * _TAIL)
    return steps


_RANKS = np.array(QUANTILE_RANKS)
_MIDDLES, _DECILES = np.array(MIDDLE) - _HAIR, DECILES - _HAIR
_STEPS, _OUTLINE_STEPS = _steps(MAX_GRID), _steps(MAX_OUTLINE)
_NAN_3 = (np.nan, np.nan, np.nan)
_NO_SKETCH = _Sketch(
    n=-1,
    k=0,
    error=0.0,
    ends=(np.nan, np.nan),
    items=np.empty(0),
    heights=np.empty(0, np.uint8),
    quantiles=np.full(len(_RANKS), np.nan),
    places=np.empty(0, np.uint32),
    steps=np.empty(0, np.uint16),
    outline=np.empty(0, np.uint16),
    heaps=np.empty(0, np.uint16),
    middles=np.full(len(MIDDLE), np.nan),
    deciles=np.full(len(DECILES), np.nan),
)

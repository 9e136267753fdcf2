"""What a page says about a column: statistics, type, discreteness, insights, and a histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .data_model import Types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .data_model import Column
    from .sketches import Floats, Ints, KllSketch

QUANTILE_RANKS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

_DOMINANT = 0.7
_MAJORITY = 0.5
_DISCRETE_SHARE = 0.15
_IMBALANCED_SHARE = 0.5
_IMBALANCED_SHARE_OF_TWO = 0.625  # one of two values is always at half
_MANY_NULLS = 0.1


@dataclass(frozen=True)
class Insight:
    """Something about a column that is worth a look.

    Attributes
    ----------
    kind : {"mixed_types", "imbalanced", "nulls"}
    text : str
        One sentence. It may quote a value of the data: text, never markup.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class ColumnStatistics:
    """A column in figures. None means that the profile does not say, never zero.

    Attributes
    ----------
    count, null_count : int or None
        Rows, nulls included, and nulls; None where the schema did not count them.
    null_fraction : float or None
        None without rows.
    mean, stddev, minimum, maximum, median : float or None
        Of the numbers; None without numbers, mean and stddev also when an infinity spoilt them. Bounds of
        integers are exact ints.
    quantiles : mapping of float to float
        By the ranks of `QUANTILE_RANKS`; empty without numbers.
    unique_estimate, unique_lower, unique_upper : float or None
        Distinct values and their bounds at two deviations.
    inferred_type : str
        ``integral``, ``fractional``, ``boolean``, ``string``, ``object``, ``tensor`` or ``unknown``.
    type_counts : mapping of str to int
        Values that are not null, by type.
    type_fraction : float or None
        Share of the inferred type among them; None without values.
    is_discrete : bool
        Whether frequent items say more than a histogram.
    insights : tuple of Insight
    """

    count: int | None
    null_count: int | None
    null_fraction: float | None
    mean: float | None
    stddev: float | None
    minimum: float | None
    maximum: float | None
    median: float | None
    quantiles: Mapping[float, float]
    unique_estimate: float | None
    unique_lower: float | None
    unique_upper: float | None
    inferred_type: str
    type_counts: Mapping[str, int]
    type_fraction: float | None
    is_discrete: bool
    insights: tuple[Insight, ...]


def column_statistics(column: Column) -> ColumnStatistics:
    """Sum up one column."""
    kll = column.kll if column.kll is not None and column.kll.n else None
    quantiles = dict(zip(QUANTILE_RANKS, kll.quantiles(QUANTILE_RANKS).tolist(), strict=True)) if kll else {}
    types = column.types._asdict()
    kind = inferred_type(types)
    if kind == "unknown" and not column.typed:
        kind = type_of_values(
            kll.items if kll else np.empty(0), column.frequent_items.total if column.frequent_items else 0
        )
    values = sum(types.values())
    unique = column.cardinality
    low, high = (unique.lower, unique.upper) if unique is not None else (None, None)
    minimum, maximum = _extremes(column, kll)
    return ColumnStatistics(
        count=column.counts.n if column.counted else None,
        null_count=column.counts.null if column.counted else None,
        null_fraction=column.counts.null / column.counts.n if column.counts.n else None,
        mean=_finite(column.mean) if kll else None,
        stddev=_finite(column.stddev) if kll else None,
        minimum=minimum,
        maximum=maximum,
        median=quantiles.get(0.5),
        quantiles=quantiles,
        unique_estimate=unique.estimate if unique is not None else None,
        unique_lower=low,
        unique_upper=high,
        inferred_type=kind,
        type_counts=types,
        type_fraction=_share(types, kind, values),
        is_discrete=is_discrete(column, kind),
        insights=tuple(_insights(column, types)),
    )


def inferred_type(types: Mapping[str, int]) -> str:
    """Name the type of a column.

    The commonest type if it has more than 70 % of the values; else string, if strings outnumber numbers; else
    the commonest if it has at least half; else fractional, if numbers of both kinds have at least half; else
    unknown.
    """
    values = sum(types.values())
    if not values:
        return "unknown"
    name, most = max(types.items(), key=lambda item: item[1])
    numbers = types["integral"] + types["fractional"]
    if most / values > _DOMINANT:
        return name
    if types["string"] > numbers:
        return "string"
    if most / values >= _MAJORITY:
        return name
    return "fractional" if numbers / values >= _MAJORITY else "unknown"


def inferred_types(types: Ints) -> list[str]:
    """Name the types of many columns, as `inferred_type` does that of one.

    Parameters
    ----------
    types : ndarray of int64, shape (columns, 6)
        Values by type, in the order of `Types`.
    """
    names = np.array([*Types._fields, "unknown"])
    values = types.sum(axis=1, dtype=np.float64)
    most = types.max(axis=1, initial=0) / np.maximum(values, 1)
    numbers = types[:, :2].sum(axis=1, dtype=np.float64)
    commonest = types.argmax(axis=1) if len(types) else np.empty(0, np.int64)
    unknown, string, fractional = (names.tolist().index(name) for name in ("unknown", "string", "fractional"))
    mixed = np.where(numbers / np.maximum(values, 1) >= _MAJORITY, fractional, unknown)
    kinds = np.where(most >= _MAJORITY, commonest, mixed)
    kinds = np.where(types[:, string] > numbers, string, kinds)
    kinds = np.where(most > _DOMINANT, commonest, kinds)
    found: list[str] = names[np.where(values > 0, kinds, unknown)].tolist()
    for row in np.flatnonzero(values >= _EXACT).tolist():
        found[row] = inferred_type(Types(*types[row].tolist())._asdict())
    return found


_EXACT = 2.0**52  # up to which doubles add up counts exactly


def type_of_values(numbers: Floats, items: int) -> str:
    """Name the type of a column whose types were not counted, from what its sketches hold.

    Parameters
    ----------
    numbers : ndarray of float
        Some of its numbers.
    items : int
        How many frequent items were counted.
    """
    if len(numbers):
        return "integral" if np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all() else "fractional"
    return "string" if items > 0 else "unknown"


def _share(types: Mapping[str, int], kind: str, values: int) -> float | None:
    if not values:
        return None
    return types.get(kind, 0) / values


def is_discrete(column: Column, kind: str) -> bool:
    """Whether a column takes so few values that its frequent items say more than a histogram.

    Fractional columns never, strings always; else if the distinct values are at most 15 % of the rows.

    Parameters
    ----------
    column : Column
    kind : str
        Its inferred type.
    """
    if kind == "fractional":
        return False
    if kind in {"string", "unknown"} or column.cardinality is None:
        return True
    unique, n = column.cardinality.estimate, column.counts.n
    return unique < n and (unique + 1) / n <= _DISCRETE_SHARE


def _extremes(column: Column, kll: KllSketch | None) -> tuple[float | None, float | None]:
    minimum, maximum = (kll.min, kll.max) if kll else (None, None)
    # Doubles cannot hold every integer beyond 2**53: where the integers' own bound is that number, it is the
    # exact one.
    if column.ints_min is not None and (minimum is None or float(column.ints_min) == minimum):
        minimum = column.ints_min
    if column.ints_max is not None and (maximum is None or float(column.ints_max) == maximum):
        maximum = column.ints_max
    return minimum, maximum


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _insights(column: Column, types: Mapping[str, int]) -> list[Insight]:
    found = []
    mixed = sorted(((count, name) for name, count in types.items() if count), reverse=True)
    if len(mixed) > 1:
        parts = ", ".join(f"{count:,} {name}" for count, name in mixed)
        found.append(Insight("mixed_types", f"Mixed data types: {parts}."))
    items = column.frequent_items
    if items is not None and len(items.weights) and items.total:
        share = int(items.weights[0]) / items.total  # the lower bound: surely at least so often
        if share >= (_IMBALANCED_SHARE_OF_TWO if len(items.weights) == 2 else _IMBALANCED_SHARE):
            value = items.values[0]
            shown = value if len(value) <= _SHOWN_VALUE else value[:_SHOWN_VALUE] + "…"
            found.append(Insight("imbalanced", f"Imbalanced: “{shown}” is {_percent(share)} of the values."))
    if column.counts.n and column.counts.null / column.counts.n >= _MANY_NULLS:
        share = column.counts.null / column.counts.n
        found.append(
            Insight(
                "nulls",
                f"Null values: {column.counts.null:,} of {column.counts.n:,} rows ({_percent(share)}).",
            )
        )
    return found


_SHOWN_VALUE = 60


def _percent(share: float) -> str:
    """Write a share as a percentage; nothing that is not all is called 100 %."""
    if share == 1:
        return "100 %"
    return f"{min(share * 100, 99.9):.1f} %"


@dataclass(frozen=True)
class Histogram:
    """Several columns on one axis.

    Attributes
    ----------
    edges : ndarray of float
        One more than there are bins, ascending. Bin i runs from ``edges[i]`` (inclusive) to ``edges[i + 1]``
        (exclusive; the last one inclusive). Empty when no column has a finite number.
    counts : tuple of (ndarray of float or None)
        Numbers of each column by bin, as the sketch estimates them; None for a column without numbers.
    fractions : tuple of (ndarray of float or None)
        The same over all numbers of that column, infinities included.
    """

    edges: Floats
    counts: tuple[Floats | None, ...]
    fractions: tuple[Floats | None, ...]


def histogram(
    columns: Sequence[Column | None], bins: int = 30, *, span: tuple[float, float] | None = None
) -> Histogram:
    """Count columns into equal bins between their joint minimum and maximum.

    Infinities belong into no bin of finite width and are left out. Columns that hold one and the same number
    share one bin of width 1 around it.

    Parameters
    ----------
    columns : sequence of (Column or None)
        None for a profile that lacks the column.
    bins : int
        How many bins.
    span : tuple of float, optional
        Where they begin and end, instead of at the joint minimum and maximum; numbers beyond are left out.
    """
    sketches = [column.kll if column is not None and column.kll is not None else None for column in columns]
    ends = [end for sketch in sketches if sketch is not None for end in _finite_span(sketch)]
    edges = _edges(ends if span is None else list(span), bins)
    counts = tuple(None if sketch is None or not sketch.n else _binned(sketch, edges) for sketch in sketches)
    fractions = tuple(
        None if count is None or sketch is None else count / sketch.n
        for count, sketch in zip(counts, sketches, strict=True)
    )
    return Histogram(edges, counts, fractions)


def _finite_span(sketch: KllSketch) -> tuple[float, ...]:
    """Smallest and largest finite number; beside an infinity, of those that the sketch retained."""
    ends = [sketch.min, sketch.max]
    if not all(map(math.isfinite, ends)):
        finite = sketch.items[np.isfinite(sketch.items)]
        ends += [float(finite[0]), float(finite[-1])] if len(finite) else []
    return tuple(end for end in ends if math.isfinite(end))


def _edges(ends: list[float], bins: int) -> Floats:
    if not ends:
        return np.empty(0)
    low, high = min(ends), max(ends)
    if low == high:
        return np.array([low - 0.5, high + 0.5]) if abs(low) < _WHOLE_STEPS else np.array([low, low])
    steps = _steps(bins)
    edges = low * (1 - steps) + high * steps  # the span itself may be too large for a double
    edges[0], edges[-1] = low, high
    return np.maximum.accumulate(edges)


@lru_cache(maxsize=32)
def _steps(bins: int) -> Floats:
    return np.linspace(0.0, 1.0, bins + 1)


_WHOLE_STEPS = 2.0**52


def _binned(sketch: KllSketch, edges: Floats) -> Floats:
    if not len(edges):
        return np.empty(0)
    items = sketch.items
    places = items.searchsorted(edges)
    places[-1] = items.searchsorted(edges[-1], side="right")
    below = sketch.cumulative[places].astype(np.float64)
    counts: Floats = below[1:] - below[:-1]
    return counts

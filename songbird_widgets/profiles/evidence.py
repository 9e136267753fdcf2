"""What two summaries say about the difference of their columns: measures, sizes of effects, and how sure they are.

Everything is computed for all columns at once. An effect is a size in units of the verdict's thresholds; beside it
stands the probability that chance alone makes such a difference between two samples of one distribution. The tests
condition on both samples taken together (permutation), so that they hold whatever the distribution; `drift` says
which they are and where they are from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .numerics import chi_squared_quantiles, chi_squared_tails, normal_tails

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .sketches import Floats, Ints
    from .summary import ProfileSummary

JS_UNIT = 0.1
WASSERSTEIN_UNIT = 0.25
MEAN_UNIT = 0.2
SPREAD_UNIT = math.log(1.5)
SHARE_UNIT = 0.04
NEW_SHARE = 0.01
RANGE_UNIT = 0.0025
MAX_EFFECT = 10.0

FEWEST = 10
"""Values below which nothing is said."""

MAX_CODES = 12
"""Distinct numbers up to which a column may hold codes, which have no distance."""

_DECILES = np.arange(1, 10) / 10
_ATOM = 0.05  # a number that fills this much is a cell of its own
_PSI_FLOOR = 1e-4
_CONFIDENCE = 0.99
# Counts of frequent items are exact to within the offset; an item is a cell when it is this many times above it.
_CLEAR_OF_OFFSET = 5
# Below so few expected of one value, what chance does is not what the formulas for many say (W. Cochran, Biometrics 10,
# 1954).
FEWEST_OF_ONE = 5
_JENSEN_SHANNON_CURVATURE = 8 * math.log(2)
_CELLS = 10
_CHUNK = 48  # rows that are compared at once: few enough for the processor's cache
_HAIR = 1e-9  # by how much a number may differ, relative to its size, and be the same
_NEAR = 0.05  # numbers that moved less, in deviations on average, are where they were

FAMILIES = ("values", "mean", "spread", "nulls", "types", "conditions", "range")
"""What is tested of a column."""


@dataclass
class Evidence:
    """What is known about pairs of columns; every array has an element for each.

    Attributes
    ----------
    measures : dict of str to ndarray of float
        By the names of `Drift`'s fields; NaN where the sketches do not say.
    effects, chances : ndarray of float, shape (families, pairs)
        Size of each effect in units of its threshold, and the probability that chance makes such a difference; NaN
        where it was not measured.
    too_few : ndarray of bool
        Whether even a strong drift of the values might be chance.
    compared : ndarray of bool
        Whether the values could be compared at all.
    boundless : ndarray of bool
        Whether mean and spread, which would tell of a tail, are not known: beside infinite values, or where squares are
        too large or too small for a double.
    basis : list of (str or None)
    texts : dict of (int, str) to str
        Words that need more than numbers, by pair and what they are about.
    """

    measures: dict[str, Floats]
    effects: Floats
    chances: Floats
    too_few: NDArray[np.bool_]
    compared: NDArray[np.bool_]
    boundless: NDArray[np.bool_]
    basis: list[str | None]
    sizes: Ints
    texts: dict[tuple[int, str], str] = field(default_factory=dict)
    items: dict[int, tuple[tuple[str, ...] | None, tuple[str, ...] | None]] = field(default_factory=dict)

    def note(self, family: str, rows: Any, effects: Any, chances: Any) -> None:
        """Keep what was found of a family."""
        place = FAMILIES.index(family)
        self.effects[place, rows] = effects
        self.chances[place, rows] = chances


@dataclass(frozen=True)
class Pairs:
    """Columns of two summaries, a pair an element.

    Attributes
    ----------
    first, second : ProfileSummary
        The baseline and the other.
    before, after : ndarray of int64
        Rows of the columns in each.
    types : sequence of (str, str)
        Their inferred types.
    """

    first: ProfileSummary
    second: ProfileSummary
    before: Ints
    after: Ints
    types: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.before)

    @property
    def sides(self) -> tuple[tuple[ProfileSummary, Ints], tuple[ProfileSummary, Ints]]:
        """Each summary, and the rows of the columns in it."""
        return (self.first, self.before), (self.second, self.after)

    def of(self, array: str) -> tuple[Any, Any]:
        """Take an array of the summaries, by pair."""
        return getattr(self.first, array)[self.before], getattr(self.second, array)[self.after]

    @cached_property
    def numbers(self) -> tuple[Floats, Floats]:
        """How many numbers each distribution holds."""
        n, m = self.of("kll_n")
        return n.astype(np.float64), m.astype(np.float64)

    @cached_property
    def error(self) -> Floats:
        """The rank errors of both sketches together."""
        first, second = self.of("kll_error")
        both: Floats = first + second
        return both


MEASURED = (
    "js_distance",
    "js_noise",
    "psi",
    "wasserstein",
    "wasserstein_noise",
    "ks",
    "ks_error",
    "chi2",
    "chi2_degrees",
    "cramers_v",
    "balanced_v",
    "covered",
    "null_delta",
    "unique_delta",
    "mean_shift",
    "spread_ratio",
)

_TEXT_LIKE = frozenset({"string", "object", "tensor"})


def weigh(pairs: Pairs) -> Evidence:
    """Compare columns of two summaries."""
    many = len(pairs)
    found = Evidence(
        measures={name: np.full(many, np.nan) for name in MEASURED},
        effects=np.full((len(FAMILIES), many), np.nan),
        chances=np.full((len(FAMILIES), many), np.nan),
        too_few=np.zeros(many, np.bool_),
        compared=np.zeros(many, np.bool_),
        boundless=np.zeros(many, np.bool_),
        basis=[None] * many,
        sizes=np.zeros((many, 2), np.int64),
    )
    with np.errstate(all="ignore"):
        _weigh_rows(pairs, found)
        _weigh_types(pairs, found)
        _weigh_conditions(pairs, found)
        _weigh_distinct(pairs, found)
        numbers = (pairs.numbers[0] > 0) & (pairs.numbers[1] > 0)
        numbers &= np.array([_TEXT_LIKE.isdisjoint(pair) for pair in pairs.types], np.bool_)
        _weigh_moments(pairs, numbers, found)
        _weigh_range(pairs, numbers, found)
        _weigh_numbers(pairs, np.flatnonzero(numbers), found)
        _weigh_items(pairs, numbers, found)
    found.chances[0, found.compared & (found.sizes.min(axis=1, initial=FEWEST) < FEWEST)] = 1.0
    return found


# --- shares of rows


def share_chances(first: Any, of_first: Any, second: Any, of_second: Any) -> Any:
    """Probability that two samples of one population differ so much in a share, at most.

    Parameters
    ----------
    first, second : array_like of int
        How many are such, in each sample.
    of_first, of_second : array_like of int
        The samples' sizes.
    """
    a, n, b, m = (np.asarray(one, np.float64) for one in (first, of_first, second, of_second))
    pooled = (a + b) / (n + m)
    spread = np.sqrt(pooled * (1 - pooled))
    return _chances(np.abs(b / m - a / n), spread, np.maximum(pooled, 1 - pooled), n, m)


def _chances(distance: Any, spread: Any, farthest: Any, n: Any, m: Any) -> Any:
    """Probability that means of two samples, drawn from what both hold together, are so far apart.

    The deviation of that difference is exact: ``spread * sqrt((1/n + 1/m) * N / (N - 1))``. Its tail is a normal one
    while no single value weighs much; where one does, S. Bernstein's inequality says how much heavier it can be: the
    exponent shrinks by ``1 + z * farthest / (3 * smaller * deviation)``.
    """
    total = n + m
    deviation = spread * np.sqrt((1 / n + 1 / m) * total / np.maximum(total - 1, 1))
    z = distance / deviation
    heavier = 1 + z * farthest / (3 * np.minimum(n, m) * deviation)
    chances = 2 * normal_tails(z / np.sqrt(heavier))
    return np.where(distance == 0, 1.0, np.where(deviation > 0, np.minimum(chances, 1.0), 1.0))


def share_effects(before: Floats, after: Floats) -> Floats:
    """Size of a change of share: four points count, and one where there was none before or is none now."""
    change = np.abs(after - before)
    appeared = (np.minimum(before, after) == 0) & (change >= NEW_SHARE)
    effects: Floats = np.minimum(np.maximum(change / SHARE_UNIT, appeared), MAX_EFFECT)
    return effects


def _weigh_rows(pairs: Pairs, found: Evidence) -> None:
    """Compare how many rows are null, and how many infinite."""
    rows, others = pairs.of("counts")
    counted = np.logical_and(*pairs.of("counted")) & (rows[:, 0] > 0) & (others[:, 0] > 0)
    for column in (1, 3):  # null, infinite
        # Hostile or odd files may count more nulls than rows.
        a, b = np.minimum(rows[:, column], rows[:, 0]), np.minimum(others[:, column], others[:, 0])
        change = b / others[:, 0] - a / rows[:, 0]
        if column == 1:
            found.measures["null_delta"][counted] = change[counted]
        chances = share_chances(a, rows[:, 0], b, others[:, 0])
        enough = counted & (np.minimum(rows[:, 0], others[:, 0]) >= FEWEST)
        effects = share_effects(a / rows[:, 0], b / others[:, 0])
        if column == 1:
            found.note("nulls", enough, effects[enough], chances[enough])
        else:
            more = enough & (effects > np.nan_to_num(found.effects[3])) & (change != 0)
            found.note("nulls", more, effects[more], chances[more])
            found.texts |= {
                (place, "nulls"): f"Infinite values went from {percent(x)} to {percent(y)}."
                for place, x, y in _shares(more, a / rows[:, 0], b / others[:, 0])
            }


def _shares(rows: NDArray[np.bool_], *arrays: Floats) -> Iterator[tuple[Any, ...]]:
    places = np.flatnonzero(rows)
    yield from zip(places.tolist(), *(array[places].tolist() for array in arrays), strict=True)


_GROUPS = ((0, 1, 2), (3,), (4,), (5,))
GROUP_NAMES = ("numbers", "text", "objects", "tensors")


def _weigh_types(pairs: Pairs, found: Evidence) -> None:
    """Compare the shares of types.

    Numbers and booleans are one: whole numbers become fractions as soon as a value is missing.
    """
    rows, others = pairs.of("types")
    n, m = rows.sum(axis=1, dtype=np.float64), others.sum(axis=1, dtype=np.float64)
    typed = np.logical_and(*pairs.of("typed")) & (np.minimum(n, m) >= FEWEST)
    best = np.full(len(pairs), -1.0)
    for group, name in zip(_GROUPS, GROUP_NAMES, strict=True):
        a, b = rows[:, group].sum(axis=1, dtype=np.float64), others[:, group].sum(axis=1, dtype=np.float64)
        effects = share_effects(a / n, b / m)
        more = typed & (effects > best)
        best[more] = effects[more]
        found.note("types", more, effects[more], share_chances(a, n, b, m)[more])
        found.texts |= {
            (place, "types"): f"The share of {name} went from {percent(x)} to {percent(y)}."
            for place, x, y in _shares(more & (effects > 0), a / n, b / m)
        }


def _weigh_conditions(pairs: Pairs, found: Evidence) -> None:
    """Compare how many rows met each condition."""
    first, second = pairs.first, pairs.second
    if not first.conditions or not second.conditions:
        return
    for place, (row, other) in enumerate(zip(pairs.before.tolist(), pairs.after.tolist(), strict=True)):
        met, others = first.conditions.get(first.names[row]), second.conditions.get(second.names[other])
        if not met or not others:
            continue
        n, m = met.get("total", 0), others.get("total", 0)
        names = sorted((met.keys() & others.keys()) - {"total"})
        if not names or min(n, m) < FEWEST:
            continue
        a, b = (np.minimum([row[name] for name in names], size) for row, size in ((met, n), (others, m)))
        effects = np.minimum(np.abs(b / m - a / n) / SHARE_UNIT, MAX_EFFECT)
        worst = int(effects.argmax())
        chance = min(1.0, len(names) * float(share_chances(a[worst], n, b[worst], m)))
        found.note("conditions", place, effects[worst], chance)
        found.texts[place, "conditions"] = (
            f"Rows that meet “{_short(names[worst])}” went from {percent(a[worst] / n)} to {percent(b[worst] / m)}."
        )


def _weigh_distinct(pairs: Pairs, found: Evidence) -> None:
    rows, others = (counts[:, 0] for counts in pairs.of("counts"))
    distinct, other_distinct = (figures[:, 0] for figures in pairs.of("distinct"))
    ratios = other_distinct / others - distinct / rows
    found.measures["unique_delta"] = np.where((rows > 0) & (others > 0), ratios, np.nan)


# --- numbers: what is exact


def _weigh_moments(pairs: Pairs, numbers: NDArray[np.bool_], found: Evidence) -> None:
    """Compare means and spreads, which are exact, and how many values lie beyond the other's range."""
    n, m = pairs.numbers
    (mean, squares), (other, others) = (moments.T for moments in pairs.of("moments"))
    ends, other_ends = pairs.of("kll_ends")
    low, high = np.minimum(ends[:, 0], other_ends[:, 0]), np.maximum(ends[:, 1], other_ends[:, 1])
    known = numbers & np.logical_and(*pairs.of("has_moments"))
    kept = known.copy()
    known &= np.isfinite(low) & np.isfinite(high) & (np.minimum(n, m) >= 2)
    for one in (mean, other, squares, others):
        known &= np.isfinite(one)
    shift = other - mean
    sd, other_sd = np.sqrt(squares / (n - 1)), np.sqrt(others / (m - 1))
    constant, other_constant = ends[:, 0] == ends[:, 1], other_ends[:, 0] == other_ends[:, 1]
    # Squares of what is below 1e-160 are zero, so that nothing is known of its spread.
    known &= ((squares > 0) | constant) & ((others > 0) | other_constant)
    few = np.maximum(*(np.diff(side.grid_offsets)[rows] for side, rows in pairs.sides)) <= MAX_CODES
    found.boundless = kept & ~known & (np.minimum(n, m) >= FEWEST) & ~few
    same = np.abs(shift) <= _HAIR * np.maximum(np.abs(low), np.abs(high))
    found.measures["mean_shift"] = np.where(known & (sd > 0), shift / sd, np.nan)
    found.measures["spread_ratio"] = np.where(known & (sd > 0), other_sd / sd, np.nan)
    effects = np.where(constant & ~same, MAX_EFFECT, np.abs(shift) / np.where(sd > 0, sd, np.inf) / MEAN_UNIT)
    effects = np.where(same, 0.0, np.minimum(effects, MAX_EFFECT))
    # Both together: what a permutation draws from.
    total = n + m
    center = (mean * n + other * m) / total
    variance = (squares + others + shift * shift * n * m / total) / total
    farthest = np.maximum(high - center, center - low)
    beyond = _chances_of_range(pairs)
    chances = np.minimum(1.0, 2 * np.fmin(_chances(np.abs(shift), np.sqrt(variance), farthest, n, m), beyond))
    usable = known & (np.minimum(n, m) >= FEWEST) & (variance > 0)
    boolean = np.array(["boolean" in pair for pair in pairs.types], np.bool_)
    rows = usable & ~boolean
    found.note("mean", rows, effects[rows], chances[rows])
    spreads = np.abs(np.log(other_sd / sd)) / SPREAD_UNIT
    spreads = np.where(
        constant & other_constant, 0.0, np.where(np.isnan(spreads), 0.0, np.minimum(spreads, MAX_EFFECT))
    )
    # Squared distances from the common mean: their own spread is at most that of values at both ends.
    apart = np.abs(others / m + (other - center) ** 2 - squares / n - (mean - center) ** 2)
    most = farthest**2
    own = np.sqrt(np.maximum(variance * (most - variance), 0))
    chances = np.minimum(1.0, 2 * np.fmin(_chances(apart, own, most - variance, n, m), beyond))
    rows &= np.isfinite(most)
    found.note("spread", rows, spreads[rows], chances[rows])


def _weigh_range(pairs: Pairs, numbers: NDArray[np.bool_], found: Evidence) -> None:
    """Compare how many values of one profile lie far outside the range of the other, as sentinels do.

    Far is half a deviation of the other, or half of what the middle two thirds say it is. A sentinel's share is small,
    and so is its share of the mean where the deviation is large; that no value was ever near it tells.
    """
    n, m = pairs.numbers
    ends, other_ends = pairs.of("kll_ends")
    usable = numbers & np.logical_and(*pairs.of("has_moments")) & (np.minimum(n, m) >= FEWEST)
    sides = (
        (pairs.second, pairs.after, m, pairs.first, pairs.before, n, ends, "the baseline's range"),
        (pairs.first, pairs.before, n, pairs.second, pairs.after, m, other_ends, "the range of the other profile"),
    )
    best = np.zeros(len(pairs))
    for inner, inner_rows, size, outer, outer_rows, outer_size, limits, which in sides:
        spread = np.sqrt(outer.moments[outer_rows, 1] / np.maximum(outer_size - 1, 1))
        least_spread = _HAIR * np.abs(limits).max(axis=1, initial=0)
        for place in np.flatnonzero(usable & (spread > least_spread) & np.isfinite(spread)).tolist():
            row = int(inner_rows[place])
            low, high = limits[place]
            least, most = inner.kll_ends[row]
            if least >= low and most <= high:
                continue
            middle = np.diff(np.ravel(_middle(outer, outer_rows[place : place + 1])))[0] / 2
            far = _FAR * (min(spread[place], middle) if middle > 0 else spread[place])
            begin, end = inner.grid_offsets[row : row + 2].tolist()
            points, shares = inner.grid[begin:end], inner.grid_cdf[begin:end]
            below, above = points.searchsorted(low - far, side="right"), points.searchsorted(high + far, side="left")
            share = max(shares[below - 1] if below else 0.0, 1 - shares[above - 1] if above else 1.0)
            effect = min(math.sqrt(share / RANGE_UNIT), MAX_EFFECT)
            if effect <= best[place]:
                continue
            best[place] = effect
            many = max((share - inner.kll_error[row]) * size[place], 1.0)
            logarithm = many * math.log(size[place] / (size[place] + outer_size[place]))
            found.note("range", place, effect, min(1.0, 4 * math.exp(logarithm)))
            found.texts[place, "range"] = f"{percent(share)} of the values lie far outside {which}."


_FAR = 0.5


def _chances_of_range(pairs: Pairs) -> Floats:
    """Probability that so many values of one sample lie beyond all of the other.

    Each of the `j` largest values of both together is of the larger sample with the same chance, so that all of them
    are with ``(m / (n + m)) ** j`` at most (E. Gumbel and H. von Schelling, Ann. Math. Stat. 21, 1950). The sketch's
    error is taken off the count.
    """
    logs = np.zeros(len(pairs))
    n, m = pairs.numbers
    first, second = pairs.of("kll_ends")
    places = np.flatnonzero((n > 0) & (m > 0))
    sides = (
        (pairs.first, pairs.before, n, first, m, second),
        (pairs.second, pairs.after, m, second, n, first),
    )
    for summary, rows, size, own, other_size, ends in sides:
        # Nobody lies beyond unless the end does.
        outside = (own[:, 1] > ends[:, 1]) | (own[:, 0] < ends[:, 0])
        for place in places[outside[places]].tolist():
            begin, end = summary.grid_offsets[rows[place] : rows[place] + 2].tolist()
            points, shares = summary.grid[begin:end], summary.grid_cdf[begin:end]
            above = points.searchsorted(ends[place, 1], side="right")
            below = points.searchsorted(ends[place, 0], side="left")
            most = max(1 - shares[above - 1] if above else 1.0, shares[below - 1] if below else 0.0)
            many = max((most - summary.kll_error[rows[place]]) * size[place], 1.0)
            logs[place] = min(logs[place], many * math.log(size[place] / (size[place] + other_size[place])))
    chances: Floats = np.minimum(1.0, 4 * np.exp(logs))
    return chances


# --- numbers: their distributions


def _weigh_numbers(pairs: Pairs, places: Ints, found: Evidence) -> None:
    """Compare distributions."""
    if not len(places):
        return
    found.compared[places] = True
    n, m = pairs.numbers
    found.sizes[places, 0], found.sizes[places, 1] = n[places], m[places]
    widths = np.diff(pairs.first.grid_offsets)[pairs.before] + np.diff(pairs.second.grid_offsets)[pairs.after]
    ordered = places[widths[places].argsort(kind="stable")]
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        merged = _Merged.of(*_padded(pairs.first, pairs.before[chunk]), *_padded(pairs.second, pairs.after[chunk]))
        _weigh_merged(merged, _Sizes(n[chunk], m[chunk], pairs.error[chunk]), chunk, found)
    _weigh_deciles(pairs, places, found)
    for place in places.tolist():
        found.basis[place] = "deciles"
    _conclude_numbers(pairs, places, found)


@dataclass(frozen=True)
class _Sizes:
    """How many values two samples hold, and by how much a share in them may be wrong; an element a pair."""

    n: Floats
    m: Floats
    error: Floats

    @property
    def smaller(self) -> Floats:
        return np.minimum(self.n, self.m)

    @property
    def scale(self) -> Floats:
        return 1 / self.n + 1 / self.m


def _padded(summary: ProfileSummary, rows: Ints) -> tuple[Floats, Floats]:
    """Take distributions as a matrix, a row each: points, and the mass at each; ends repeat, without mass."""
    starts, ends = summary.grid_offsets[rows], summary.grid_offsets[rows + 1]
    places = np.minimum(starts[:, None] + np.arange((ends - starts).max()), ends[:, None] - 1)
    return summary.grid[places], np.diff(summary.grid_cdf[places], axis=1, prepend=0.0)


@dataclass
class _Merged:
    """Two distributions at all points of both, a row a pair: cumulative shares before and after each distinct point."""

    points: Floats
    first: Floats
    second: Floats
    first_mass: Floats
    second_mass: Floats

    @classmethod
    def of(cls, points: Floats, masses: Floats, others: Floats, other_masses: Floats) -> _Merged:
        every = np.concatenate([points, others], axis=1)
        order = every.argsort(axis=1, kind="stable")  # of two sorted runs: no more than a merger
        every = np.take_along_axis(every, order, axis=1)
        signed = np.take_along_axis(np.concatenate([masses, -other_masses], axis=1), order, axis=1)
        first = np.maximum(signed, 0).cumsum(axis=1)
        second = first - signed.cumsum(axis=1)
        # The cumulative functions are what they are only after the last of equal points.
        last = np.empty(every.shape, np.bool_)
        last[:, -1] = True
        np.not_equal(every[:, 1:], every[:, :-1], out=last[:, :-1])
        if not last.all():
            first = np.maximum.accumulate(np.where(last, first, 0), axis=1)
            second = np.maximum.accumulate(np.where(last, second, 0), axis=1)
        return cls(every, first, second, np.diff(first, axis=1, prepend=0.0), np.diff(second, axis=1, prepend=0.0))


def _weigh_merged(merged: _Merged, sizes: _Sizes, rows: Ints, found: Evidence) -> None:
    measures = found.measures
    n, m, error = sizes.n, sizes.m, sizes.error
    gaps = np.abs(merged.first - merged.second)
    measures["ks"][rows] = gaps.max(axis=1)
    measures["ks_error"][rows] = error
    widths = np.diff(merged.points, axis=1)
    moved = np.einsum("ij,ij->i", gaps[:, :-1], widths)
    measures["wasserstein"][rows] = moved  # of the values; `_conclude_numbers` puts it in deviations
    total = n + m
    joint = (merged.first * n[:, None] + merged.second * m[:, None]) / total[:, None]
    scale = np.sqrt(sizes.scale)
    deviation = np.einsum("ij,ij->i", np.sqrt(np.maximum(joint * (1 - joint), 0))[:, :-1], widths)
    span = merged.points[:, -1] - merged.points[:, 0]
    measures["wasserstein_noise"][rows] = error * span + 3 * scale * deviation
    measures.setdefault("chance_move", np.zeros(len(found.basis)))[rows] = scale * deviation
    masses = np.diff(joint, axis=1, prepend=0.0)
    middle = joint - masses / 2
    differences = merged.first_mass - merged.second_mass
    chances = [
        _chances_of_scores(middle - 0.5, masses, differences, sizes),
        _chances_of_scores((middle - 0.5) ** 2, masses, differences, sizes),
        _chances_of_cells(middle, merged, sizes),
    ]
    shared = np.minimum(merged.first_mass, merged.second_mass) > 0
    measures.setdefault("shared", np.zeros(len(found.basis)))[rows] = np.minimum(
        np.where(shared, merged.first_mass, 0).sum(axis=1), np.where(shared, merged.second_mass, 0).sum(axis=1)
    )
    found.chances[0, rows] = np.minimum(1.0, len(chances) * np.fmin.reduce(chances))


def _chances_of_scores(scores: Floats, masses: Floats, differences: Floats, sizes: _Sizes) -> Floats:
    """Test scores of ranks: their mean in one sample against that in the other."""
    scores = scores - np.einsum("ij,ij->i", scores, masses)[:, None]
    spread = np.sqrt(np.einsum("ij,ij->i", scores * scores, masses))
    farthest = np.abs(scores).max(axis=1, where=masses > 0, initial=0)
    # A rank that is off by the sketches' error changes the mean score by no more than that.
    distance = np.maximum(np.abs(np.einsum("ij,ij->i", scores, differences)) - sizes.error, 0)
    chances: Floats = _chances(distance, spread, farthest, sizes.n, sizes.m)
    return chances


def _chances_of_cells(middle: Floats, merged: _Merged, sizes: _Sizes) -> Floats:
    """Test the shares in cells that hold about equally many of both samples together."""
    rows = len(middle)
    cells = np.clip(sizes.smaller // (FEWEST_OF_ONE + 1), 2, _CELLS).astype(np.int64)
    places = np.minimum((middle * cells[:, None]).astype(np.int64), cells[:, None] - 1)
    places += np.arange(rows)[:, None] * _CELLS
    p, q = (
        np.bincount(places.ravel(), masses.ravel(), rows * _CELLS).astype(np.float64).reshape(rows, _CELLS)
        for masses in (merged.first_mass, merged.second_mass)
    )
    return _chances_of_counts(p, q, sizes)


def _chances_of_counts(p: Floats, q: Floats, sizes: _Sizes) -> Floats:
    """Test shares of several cells, a row a pair: Pearson's chi-squared statistic, two samples.

    Cells of which fewer than five are expected in the smaller sample are one, which where it is still too small joins
    the smallest other. The tail is that of the chi-squared distribution, its exponent shrunk as in `_chances` by what
    one value in the smallest cell weighs.
    """
    n, m, smaller = sizes.n, sizes.m, sizes.smaller[:, None]
    pooled = (p * n[:, None] + q * m[:, None]) / (n + m)[:, None]
    few = pooled * smaller < FEWEST_OF_ONE
    rows = np.arange(len(p))
    smallest = np.where(few, np.inf, pooled).argmin(axis=1)
    merged = []
    for shares in (p, q, pooled):
        rest = np.where(few, shares, 0).sum(axis=1)
        kept = np.where(few, 0, shares)
        merged.append((kept, rest))
    joins = (merged[2][1] * smaller[:, 0] < FEWEST_OF_ONE) & ~few.all(axis=1)
    for kept, rest in merged:
        kept[rows, smallest] += np.where(joins, rest, 0)
        rest[joins] = 0
    p, q, pooled = (np.concatenate([kept, rest[:, None]], axis=1) for kept, rest in merged)
    filled = pooled > _NOTHING
    apart = np.maximum(np.abs(p - q) - sizes.error[:, None], 0)
    squares = np.where(filled, apart * apart / np.where(filled, pooled, 1), 0).sum(axis=1)
    statistic = squares / sizes.scale
    degrees = filled.sum(axis=1) - 1.0
    least = np.where(filled, pooled, 1).min(axis=1) * smaller[:, 0]
    heavier = 1 + np.sqrt(statistic / np.maximum(least, 1)) / 3
    return chi_squared_tails(statistic / heavier, degrees)


_NOTHING = 1e-12  # what rounding leaves of an empty cell


def _weigh_deciles(pairs: Pairs, places: Ints, found: Evidence) -> None:
    """Compare the shares between the baseline's deciles: the cells of Jensen-Shannon distance and PSI."""
    first, second, before, after = pairs.first, pairs.second, pairs.before, pairs.after
    n, m = (sizes[places] for sizes in pairs.numbers)
    p, q = np.zeros((2, len(places), 2 * len(_DECILES) + 1))
    offsets, others = first.grid_offsets.tolist(), second.grid_offsets.tolist()
    for row, (mine, other) in enumerate(zip(before[places].tolist(), after[places].tolist(), strict=True)):
        begin, end = offsets[mine], offsets[mine + 1]
        shares = first.grid_cdf[begin:end]
        cuts = np.minimum(shares.searchsorted(_DECILES - _HAIR), end - begin - 1)
        p[row, 0:-1:2] = np.where(cuts > 0, shares[cuts - 1], 0.0)
        p[row, 1:-1:2] = shares[cuts]
        begin, end = others[other], others[other + 1]
        q[row, :-1] = _boundaries(second.grid[begin:end], second.grid_cdf[begin:end], first.grid[offsets[mine] + cuts])
    # A decile that many values share is cut off on both sides, so that a column of one value, or of many zeros, does
    # not hide a shift within one cell.
    mass = p[:, 1:-1:2] - p[:, 0:-1:2]
    atoms = (mass >= _ATOM) & (mass * n[:, None] > 1.5)
    for shares in (p, q):
        shares[:, 1:-1:2] = np.where(atoms, shares[:, 1:-1:2], shares[:, 0:-1:2])
        shares[:, -1] = 1
    p, q = (np.diff(np.maximum.accumulate(shares, axis=1), axis=1, prepend=0.0) for shares in (p, q))
    _measure_cells(p, q, _Sizes(n, m, pairs.error[places]), places, found)


def _boundaries(points: Floats, shares: Floats, cuts: Floats) -> Floats:
    """Shares of a distribution that are smaller than each cut, and no larger."""
    places = np.empty(2 * len(cuts), np.int64)
    places[0::2] = points.searchsorted(cuts, side="left")
    places[1::2] = points.searchsorted(cuts, side="right")
    return np.where(places > 0, shares[places - 1], 0.0)


def _measure_cells(p: Floats, q: Floats, sizes: _Sizes, rows: Any, found: Evidence) -> None:
    """Measure Jensen-Shannon distance and PSI of cells, a row a pair."""
    measures = found.measures
    middle = (p + q) / 2
    joint, one, other = (
        (shares * np.log2(shares, where=shares > 0, out=np.zeros_like(shares))).sum(axis=1) for shares in (middle, p, q)
    )
    divergence = np.clip((one + other) / 2 - joint, 0, 1)
    filled = middle > 0
    degrees = filled.sum(axis=1) - 1
    scale = sizes.scale
    # With m = (p + q)/2 the divergence is near sum((p - q)**2 / m) / (8 ln 2), and between samples of one distribution
    # that sum is (1/n + 1/m) times a chi-squared variable. A cell that is also wrong by the error adds error**2 / m.
    wrong = np.where(filled, np.minimum(sizes.error[:, None], middle) ** 2 / np.where(filled, middle, 1), 0).sum(axis=1)
    noise = np.sqrt((scale * chi_squared_quantiles(_CONFIDENCE, degrees) + wrong) / _JENSEN_SHANNON_CURVATURE)
    high, low = np.maximum(p, _PSI_FLOOR), np.maximum(q, _PSI_FLOOR)
    measures["js_distance"][rows] = np.sqrt(divergence)
    measures["js_noise"][rows] = noise
    measures["psi"][rows] = np.where(filled, (high - low) * np.log(high / low), 0).sum(axis=1)
    # What chance adds to the divergence on average is no part of the effect.
    effect = np.sqrt(np.maximum(divergence - scale * degrees / _JENSEN_SHANNON_CURVATURE, 0)) / JS_UNIT
    found.effects[0, rows] = effect
    found.too_few[rows] = (noise > 2 * JS_UNIT) | (sizes.smaller < FEWEST)


def _conclude_numbers(pairs: Pairs, places: Ints, found: Evidence) -> None:
    """Put distances in deviations of the baseline, and let cells count only where values moved."""
    measures = found.measures
    first, rows = pairs.first, pairs.before[places]
    n = first.kll_n[rows]
    moved, noise = measures["wasserstein"][places], measures["wasserstein_noise"][places]
    spread = np.sqrt(first.moments[rows, 1] / np.maximum(n - 1, 1))
    spread = np.where(first.has_moments[rows] & (spread > 0) & np.isfinite(spread), spread, np.nan)
    distance = np.where(moved == 0, 0.0, moved / spread)
    distance = np.where(np.isfinite(distance), distance, np.nan)
    measures["wasserstein"][places] = distance
    # Where a few extremes make the deviation, the middle two thirds tell what is near.
    low, high = _middle(first, rows)
    robust = np.where(high > low, (high - low) / 2, np.nan)
    near = moved <= _NEAR * np.fmin(spread, robust) + measures["chance_move"][places]
    size = np.maximum(np.abs(first.kll_ends[rows, 0]), np.abs(first.kll_ends[rows, 1]))
    near |= moved <= _HAIR * size
    near &= np.isfinite(moved)  # beside infinite values neither tells what is near
    near &= ~((measures["shared"][places] > _SHARED) & (np.diff(first.grid_offsets)[rows] <= MAX_CODES))
    effects = np.where(near, 0.0, np.minimum(found.effects[0, places], MAX_EFFECT))
    far = (distance >= WASSERSTEIN_UNIT) & (moved > noise)
    effects = np.where(far, np.fmax(effects, np.minimum(distance / WASSERSTEIN_UNIT, MAX_EFFECT)), effects)
    measures["wasserstein_noise"][places] = np.where(distance >= WASSERSTEIN_UNIT, noise / spread, np.nan)
    found.effects[0, places] = effects


_SHARED = 0.9


def _middle(summary: ProfileSummary, rows: Ints) -> tuple[Floats, Floats]:
    """The numbers one deviation below and above the median, were they normal: ranks 16 and 84 %."""
    found = np.empty((2, len(rows)))
    for place, row in enumerate(rows.tolist()):
        begin, end = summary.grid_offsets[row : row + 2].tolist()
        cut = summary.grid_cdf[begin:end].searchsorted(_MIDDLE)
        found[:, place] = summary.grid[begin + np.minimum(cut, end - begin - 1)]
    return found[0], found[1]


_MIDDLE = (0.16, 0.84)


# --- values without a distance


def _weigh_items(pairs: Pairs, numbers: NDArray[np.bool_], found: Evidence) -> None:
    """Compare values item by item: text, booleans, and codes, of which there are few."""
    totals, offsets = (np.array(pairs.of(name), np.float64) for name in ("frequent_total", "frequent_offset"))
    lengths = np.array(
        [
            np.diff(side.frequent_offsets)[rows]
            for side, rows in ((pairs.first, pairs.before), (pairs.second, pairs.after))
        ]
    )
    whole = np.array(["fractional" not in types for types in pairs.types], np.bool_)
    few = whole & ((lengths <= MAX_CODES) & (offsets == 0)).all(axis=0)
    same = np.array([one == other or "unknown" in (one, other) for one, other in pairs.types], np.bool_)
    tables = []
    for place in np.flatnonzero((totals > 0).all(axis=0) & np.where(numbers, few, same)).tolist():
        types = pairs.types[place]
        items = (
            _Items.of(pairs.first, int(pairs.before[place])),
            _Items.of(pairs.second, int(pairs.after[place])),
        )
        if not numbers[place]:
            found.sizes[place] = items[0].total, items[1].total
        if "boolean" in types:
            items = replace(items[0], booleans=True), replace(items[1], booleans=True)
        table = _Table.of(*items)
        if not len(table.p):
            found.texts[place, "blind"] = (
                too_few(*(one.total for one in items))
                if table.lossless or min(one.total for one in items) < FEWEST
                else "No value is frequent enough to be compared, so the sketches cannot tell."
            )
            continue
        found.basis[place] = "items"
        found.compared[place] = True
        if table.lossless:
            known, others = (frozenset(one.values) for one in items)
            found.items[place] = (
                tuple(value for value in items[1].values if value not in known),
                tuple(value for value in items[0].values if value not in others),
            )
        tables.append((len(table.p), place, table))
    tables.sort(key=lambda one: one[:2])
    for start in range(0, len(tables), _CHUNK):
        chunk = tables[start : start + _CHUNK]
        _weigh_tables([table for _, _, table in chunk], np.array([place for _, place, _ in chunk]), numbers, found)


def _weigh_tables(tables: Sequence[_Table], places: Ints, numbers: NDArray[np.bool_], found: Evidence) -> None:
    """Compare shares of items, a row a pair; the last cell is what is in no other."""
    p, q = np.zeros((2, len(tables), max(len(table.p) for table in tables) + 1))
    for row, table in enumerate(tables):
        p[row, : len(table.p)], q[row, : len(table.q)] = table.p, table.q
    covered = np.minimum(p.sum(axis=1), q.sum(axis=1))
    p[:, -1], q[:, -1] = np.maximum(0, 1 - p.sum(axis=1)), np.maximum(0, 1 - q.sum(axis=1))
    n, m, error = np.array([(table.n, table.m, table.error) for table in tables], np.float64).T
    sizes = _Sizes(n, m, error)
    # Numbers that hardly moved are where they were, whatever the cells say.
    gated = numbers[places] & (found.effects[0, places] == 0)
    _measure_cells(p, q, sizes, places, found)
    chances = _chances_of_counts(p, q, sizes)
    both = np.minimum(1.0, 2 * np.fmin(chances, found.chances[0, places]))
    found.chances[0, places] = np.where(numbers[places], both, chances)
    # A column of two values is one share.
    binary = ((p > 0) | (q > 0)).sum(axis=1) == 2
    shares = np.where(binary, np.minimum(np.abs(p - q).max(axis=1) / SHARE_UNIT, 1.0), 0.0)
    effects = np.minimum(np.fmax(found.effects[0, places], shares), MAX_EFFECT)
    found.effects[0, places] = np.where(gated, 0.0, effects)
    measures = found.measures
    measures["covered"][places] = covered
    for place in places[covered < 0.5].tolist():
        text = f"Only {percent(measures['covered'][place])} of the values are frequent enough to be compared."
        found.texts[place, "blind"] = text
        found.too_few[place] = True
    for place, table in zip(places.tolist(), tables, strict=True):
        if table.cut >= 0.5:
            found.texts[place, "blind"] = f"Profiles keep {_CUT_LENGTH} characters of a text; what follows may differ."
            found.too_few[place] = True
    total = n + m
    counts = p * n[:, None] + q * m[:, None]
    filled = counts > _NOTHING * total[:, None]
    squares = np.where(filled, (p - q) ** 2, 0)
    statistic = (squares / np.where(filled, counts, 1)).sum(axis=1) * n * m
    measures["chi2"][places] = statistic
    measures["cramers_v"][places] = np.sqrt(statistic / total)
    measures["balanced_v"][places] = np.sqrt((squares / np.where(filled, p + q, 1)).sum(axis=1) / 2)
    # By Cochran, too: at most one expected count in five below 5.
    cells = filled.sum(axis=1)
    rare = sum((filled & (counts * (size / total)[:, None] < FEWEST_OF_ONE)).sum(axis=1) for size in (n, m))
    lossless = np.array([table.lossless for table in tables], np.bool_)
    measures["chi2_degrees"][places] = np.where(lossless & (rare <= 0.4 * cells), cells - 1, np.nan)


@dataclass
class _Items:
    """The frequent items of a column."""

    everything: tuple[str, ...]
    begin: int
    weights: Ints
    offset: int
    total: int
    booleans: bool = False

    def first(self, many: int) -> tuple[str, ...]:
        """The heaviest values."""
        values = self.everything[self.begin : self.begin + many]
        return tuple(map(_spelled, values)) if self.booleans else values

    @property
    def values(self) -> tuple[str, ...]:
        return self.first(len(self.weights))

    @classmethod
    def of(cls, summary: ProfileSummary, row: int) -> _Items:
        begin, end = summary.frequent_offsets[row : row + 2].tolist()
        return cls(
            summary.frequent_values,
            begin,
            summary.frequent_weights[begin:end],
            int(summary.frequent_offset[row]),
            int(summary.frequent_total[row]),
        )


def _spelled(value: str) -> str:
    return {"True": "1", "False": "0"}.get(value, value)


@dataclass(frozen=True)
class _Table:
    """Shares of the values that are cells of their own, in either sample."""

    p: Floats
    q: Floats
    n: int
    m: int
    error: float
    lossless: bool
    cut: float = 0.0

    @classmethod
    def of(cls, first: _Items, second: _Items) -> _Table:
        """Choose the cells.

        Those values' share is far above the sketches' error, and chance would bring several into either sample: of
        names or identifiers that are seen once, any two samples have few in common. A share is its upper bound, which
        is exact for an item that was never dropped; half the offset for one not listed.
        """
        limit = _CLEAR_OF_OFFSET * max(sketch.offset / sketch.total for sketch in (first, second))
        names: dict[str, None] = {}
        for sketch in (first, second):
            clear = int(np.count_nonzero(sketch.weights >= limit * sketch.total - sketch.offset))
            names |= dict.fromkeys(sketch.first(clear))
        one, other = (_counts_of(sketch, names) if names else np.empty(0) for sketch in (first, second))
        smaller, larger = sorted((first.total, second.total))
        frequent = one + other >= FEWEST_OF_ONE * (1 + larger / smaller)
        p, q = one[frequent] / first.total, other[frequent] / second.total
        cut = np.array([len(name) >= _CUT_LENGTH for name in names], np.bool_)[frequent]
        return cls(
            p / max(1.0, float(p.sum())),
            q / max(1.0, float(q.sum())),
            first.total,
            second.total,
            first.offset / first.total + second.offset / second.total,
            not first.offset and not second.offset,
            min(float(p[cut].sum()), float(q[cut].sum())),
        )


_CUT_LENGTH = 128  # characters of a string that whylogs keeps


def _counts_of(sketch: _Items, names: dict[str, None]) -> Floats:
    known = dict(zip(sketch.values, sketch.weights.tolist(), strict=True))
    missing = -sketch.offset / 2
    return np.array([known.get(name, missing) + sketch.offset for name in names], np.float64)


# --- words


def too_few(first: int, second: int) -> str:
    """Say that there are too few values."""
    return f"Too few values ({first:,} and {second:,}) to tell a drift from chance."


def percent(share: float) -> str:
    """Write a share so that what is neither nothing nor all does not look so."""
    value = float(share) * 100
    if 0 < value < 0.01:
        return "less than 0.01 %"
    if 99.99 < value < 100:
        return "more than 99.99 %"
    return f"{value:.3g} %"


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


_MAX_SHOWN = 60

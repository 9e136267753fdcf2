"""How two columns of numbers differ: in moments and ranges, which are exact, and in their distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from .evidence import (
    CHUNK,
    ERRORS,
    FAMILIES,
    FEWEST,
    FEWEST_OF_ONE,
    FEWEST_SEEN,
    MAX_EFFECT,
    NEW_VALUE_SHARE,
    SELDOM,
    SUSPICIOUS,
    TELLING_CELLS,
    Candidates,
    Sizes,
    as_if_tried,
    chances_of_counts,
    chances_of_means,
    measure_cells,
    reached,
    share_chances,
    times_tried,
    value_effects,
)
from .listed_items import Listed
from .numerics import normal_tails, row_sums
from .sketches.frequent_items import spells_number
from .statistics import QUANTILE_RANKS
from .summary import DECILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .evidence import Evidence, Pairs
    from .sketches import Floats, Ints, KllSketch
    from .summary import ProfileSummary

    Flags = NDArray[np.bool_]

WASSERSTEIN_UNIT = 0.25
MEAN_UNIT = 0.2
SPREAD_UNIT = math.log(1.5)
RANGE_UNIT = 0.0025

MAX_CODES = 12
"""Distinct numbers up to which a column may hold codes, which have no distance."""

_ATOM = 0.05  # a number that fills this much is a cell of its own
_CELLS = 10
_TAIL_RANKS = np.array([0.005, 0.02, 0.05, 0.95, 0.98, 0.995])
# By how much fractions may differ, relative to their size, and be the same: of a constant, and of others by rounding.
_HAIR, _ROUNDED = 1e-9, 2.0**-46
_NEAR = 0.05  # numbers that moved less, in deviations on average, are where they were
_MOVED = 0.5  # numbers of which most deciles moved by more, in deviations of the middle two thirds, are elsewhere
_FAR, _VERY_FAR = 0.5, 3.0  # deviations
_UNSUSPICIOUS = 0.2  # an effect that nobody minds
_MEDIAN = QUANTILE_RANKS.index(0.5)
_SHARED = 0.9
_FEW = 3  # values
_FEWEST_RUNNING = 30
_SLACK = 1e-6  # version 0 keeps ends as floats
_LARGEST_WHOLE = 2.0**53  # beyond, doubles do not tell all whole numbers apart
_FEWEST_STEPS = 1000  # between the smallest and the largest of numbers that doubles tell apart well enough


def weigh_numbers(pairs: Pairs, numbers: Flags, found: Evidence) -> None:
    """Compare all pairs that are numbers on both sides."""
    whole = ~pairs.any_of(frozenset({"fractional"}))
    constant = np.logical_and(*(ends[:, 0] == ends[:, 1] for ends in pairs.of("kll_ends")))
    hair = np.where(whole, 0.0, np.where(constant, _HAIR, _ROUNDED) * _largest(pairs))
    found.blunt = _blunt(pairs, numbers & whole)
    found.running = _running(pairs, numbers)
    _weigh_moments(pairs, numbers, hair, found)
    _weigh_range(pairs, numbers, found)
    _weigh_distributions(pairs, np.flatnonzero(numbers), hair, found)
    for family in (0, 1, 2, 3, 7):  # all that the values of running numbers tell is how many came before
        found.effects[family, found.running] = np.nan
        found.chances[family, found.running] = np.nan
    found.too_few &= ~found.running
    found.blurred &= ~found.running


def _largest(pairs: Pairs) -> Floats:
    ends, others = pairs.of("kll_ends")
    largest: Floats = np.abs(np.concatenate([ends, others], axis=1)).max(axis=1, initial=0)
    return largest


def _blunt(pairs: Pairs, whole: Flags) -> Flags:
    """Find whole numbers so large, and so near to each other, that doubles hardly tell them apart."""
    ends, others = pairs.of("kll_ends")
    largest = _largest(pairs)
    span = np.maximum(ends[:, 1], others[:, 1]) - np.minimum(ends[:, 0], others[:, 0])
    blunt: Flags = whole & (largest >= _LARGEST_WHOLE) & ~(span > _FEWEST_STEPS * np.spacing(largest))
    return blunt


def _running(pairs: Pairs, numbers: Flags) -> Flags:
    """Find running numbers: whole, every value once, and at least every second one of their range there.

    Drawn by chance, numbers so dense would hold many values twice.
    """
    found: Flags = numbers.copy()
    for (summary, rows), values in zip(pairs.sides, pairs.numbers, strict=True):
        ends = summary.kll_ends[rows]
        found &= summary.has_ints[rows] & (summary.types[rows, 0] == values) & (values >= _FEWEST_RUNNING)
        found &= ends[:, 1] - ends[:, 0] + 1 <= 2 * values
        found &= summary.distinct[rows, 2] >= values  # the upper bound
        found &= ends[:, 1] - ends[:, 0] + 1 >= values  # of fewer numbers than values one would come twice
    ends, others = pairs.of("kll_ends")
    found &= (ends[:, 0] >= 0) == (others[:, 0] >= 0)  # to change its sign is not to run on
    return found | _running_in_steps(pairs, numbers)


def _running_in_steps(pairs: Pairs, numbers: Flags) -> Flags:
    """Find running numbers that repeat, as those of orders do in line items, and that go on from one to the other.

    Whole, of one sign, a wide range of which hardly a number is missing, each about equally often and in few rows; the
    later begin where the former end. What is drawn from a scale seldom fills two parts of it evenly, side by side.
    """
    ends, others = pairs.of("kll_ends")
    every = np.concatenate([ends, others], axis=1)
    found: Flags = numbers & ((every >= 0).all(axis=1) | (every < 0).all(axis=1))
    found &= np.abs(every).max(axis=1, initial=0) > _LARGEST_OF_SCALES
    spans = [limits[:, 1] - limits[:, 0] + 1 for limits in (ends, others)]
    for (summary, rows), values, limits, span in zip(pairs.sides, pairs.numbers, (ends, others), spans, strict=True):
        found &= summary.has_ints[rows] & (summary.types[rows, 0] == values) & (span >= _FEWEST_STEPS_ON)
        found &= (summary.distinct[rows, 2] >= _HARDLY_MISSING * span) & (values <= _MOST_ROWS_OF_ONE * span)
        held = np.flatnonzero(np.diff(summary.frequent_offsets)[rows])
        heaviest = summary.frequent_weights[summary.frequent_offsets[rows[held]]]  # the first of each
        most = np.maximum(NEW_VALUE_SHARE * values, _MOST_OF_ALL * values / span)
        found[held] &= heaviest <= most[held]
        even = limits[:, :1] + span[:, None] * DECILES
        uneven = np.abs(summary.deciles[rows] - even).max(axis=1, initial=0)
        found &= uneven <= (_EVEN + summary.kll_error[rows]) * span
    gaps = np.maximum(ends[:, 0], others[:, 0]) - np.minimum(ends[:, 1], others[:, 1]) - 1
    found &= np.abs(gaps) <= _EDGE * np.minimum(*spans)
    return found


_LARGEST_OF_SCALES = 1440  # minutes of a day, scores, per mille
_FEWEST_STEPS_ON = 200
_MOST_ROWS_OF_ONE = 8  # on average
_MOST_OF_ALL = 10  # times as many as on average
_HARDLY_MISSING = 0.98
_EVEN = 0.05  # of the range, by which a decile may be elsewhere
_EDGE = 0.02  # of the range, by which they may overlap, or be apart


# --- shares of a distribution, read off the summaries' grids


def shares_of(summary: ProfileSummary, rows: Ints, points: Floats, *, inclusive: bool) -> Floats:
    """Share of a column's numbers that are smaller than each point, or no larger.

    Parameters
    ----------
    summary : ProfileSummary
    rows : ndarray of int64
        Columns, a row of the answer each.
    points : ndarray of float, shape (rows, points)
    inclusive : bool
        Whether equal numbers count.
    """
    starts, ends = summary.grid_offsets[rows][:, None], summary.grid_offsets[rows + 1][:, None]
    low = np.broadcast_to(starts, points.shape).copy()
    high = np.broadcast_to(ends, points.shape).copy()
    last = max(len(summary.grid_places) - 1, 0)
    firsts, places, items = summary.item_offsets[rows][:, None], summary.grid_places, summary.items
    smaller = np.less_equal if inclusive else np.less
    for _ in range(int((ends - starts).max(initial=0)).bit_length()):  # a binary search, all at once
        middle = (low + high) >> 1
        up = smaller(items[firsts + places[np.minimum(middle, last)]], points)
        up &= low < high
        np.copyto(low, middle + 1, where=up)
        np.copyto(high, middle, where=~up)
    columns = np.broadcast_to(rows[:, None], points.shape)
    return np.where(low > starts, summary.grid_shares(columns, np.maximum(low - 1, 0)), 0.0)


# --- what is exact


def _spreads(summary: ProfileSummary, rows: Ints) -> Floats:
    """Standard deviations; NaN where they are not known."""
    n = summary.kll_n[rows]
    spread = np.sqrt(summary.moments[rows, 1] / np.maximum(n - 1, 1))
    return np.where(summary.has_moments[rows] & np.isfinite(spread), spread, np.nan)


def _weigh_moments(pairs: Pairs, numbers: Flags, hair: Floats, found: Evidence) -> None:
    """Compare means and spreads, which are exact, and how many values lie beyond the other's range."""
    n, m = pairs.numbers
    (mean, squares), (other, others) = (moments.T for moments in pairs.of("moments"))
    ends, other_ends = pairs.of("kll_ends")
    low, high = np.minimum(ends[:, 0], other_ends[:, 0]), np.maximum(ends[:, 1], other_ends[:, 1])
    kept = numbers & np.logical_and(*pairs.of("has_moments"))
    known = kept & np.isfinite(low) & np.isfinite(high) & (np.minimum(n, m) >= 2) & ~found.blunt
    for one in (mean, other, squares, others):
        known &= np.isfinite(one)
    for values, average, square, of in ((n, mean, squares, ends), (m, other, others, other_ends)):
        span, slack = of[:, 1] - of[:, 0], _SLACK * np.abs(of).max(axis=1, initial=0)
        known &= (average >= of[:, 0] - slack) & (average <= of[:, 1] + slack)
        known &= (square >= 0) & (square <= values * (span + slack) ** 2)  # else the file contradicts itself
    shift = other - mean
    sd, other_sd = np.sqrt(squares / (n - 1)), np.sqrt(others / (m - 1))
    constant, other_constant = ends[:, 0] == ends[:, 1], other_ends[:, 0] == other_ends[:, 1]
    # Squares of what is below 1e-160 are zero, so that nothing is known of its spread.
    known &= ((squares > 0) | constant) & ((others > 0) | other_constant)
    few = np.maximum(*(np.diff(side.grid_offsets)[rows] for side, rows in pairs.sides)) <= MAX_CODES
    found.boundless = kept & ~known & (np.minimum(n, m) >= FEWEST) & ~few & ~found.blunt
    still = np.maximum(sd, other_sd) <= hair
    same = (shift == 0) | (still & (np.abs(shift) <= hair))
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
    chances = _any_of_three(np.fmin(chances_of_means(np.abs(shift), np.sqrt(variance), farthest, n, m), beyond))
    usable = known & (np.minimum(n, m) >= FEWEST) & (variance > 0)
    rows = usable & ~pairs.any_of(frozenset({"boolean"}))
    found.note("mean", rows, effects[rows], chances[rows], _TESTS_OF_MOMENTS)
    spreads = np.abs(np.log(other_sd / sd)) / SPREAD_UNIT
    quiet = (constant & other_constant) | still | np.isnan(spreads)
    spreads = np.where(quiet, 0.0, np.minimum(spreads, MAX_EFFECT))
    # Squared distances from the common mean: their own spread is at most that of values at both ends.
    apart = np.abs(others / m + (other - center) ** 2 - squares / n - (mean - center) ** 2)
    most = farthest**2
    own = np.sqrt(np.maximum(variance * (most - variance), 0))
    chances = _any_of_three(np.fmin(chances_of_means(apart, own, most - variance, n, m), beyond))
    rows &= np.isfinite(most)
    found.note("spread", rows, spreads[rows], chances[rows], _TESTS_OF_MOMENTS)


def _any_of_three(chances: Any) -> Any:
    """Correct what one of three tests says of a moment: its own, of the range (both here), and of the tails (later)."""
    return np.minimum(1.0, _TESTS_OF_MOMENTS * chances)


_TESTS_OF_MOMENTS = 3


def _weigh_range(pairs: Pairs, numbers: Flags, found: Evidence) -> None:
    """Compare how many values of one profile lie far outside the range of the other, as sentinels do.

    Far is half a deviation of the other, or half of what the middle two thirds say it is. A sentinel's share is small,
    and so is its share of the mean where the deviation is large; that no value was ever near it tells.
    """
    n, m = pairs.numbers
    ends, other_ends = pairs.of("kll_ends")
    usable = numbers & np.logical_and(*pairs.of("has_moments")) & (np.minimum(n, m) >= FEWEST)
    sides = (
        (pairs.second, pairs.after, m, other_ends, pairs.first, pairs.before, n, ends),
        (pairs.first, pairs.before, n, ends, pairs.second, pairs.after, m, other_ends),
    )
    best = np.zeros(len(pairs))
    for which, (inner, inner_rows, size, own, outer, outer_rows, outer_size, limits) in enumerate(sides):
        spread = _spreads(outer, outer_rows)
        beyond = usable & ((own[:, 0] < limits[:, 0]) | (own[:, 1] > limits[:, 1]))
        places = np.flatnonzero(beyond & (spread > _ROUNDED * np.abs(limits).max(axis=1, initial=0)))
        if not len(places):
            continue
        low, high = outer.middles[outer_rows[places]].T
        half = (high - low) / 2
        far = _FAR * np.where(half > 0, np.fmin(half, spread[places]), spread[places])
        rows = inner_rows[places]
        below = shares_of(inner, rows, (limits[places, 0] - far)[:, None], inclusive=True)[:, 0]
        above = 1 - shares_of(inner, rows, (limits[places, 1] + far)[:, None], inclusive=False)[:, 0]
        shares = np.maximum(below, above)
        effects = np.minimum(np.sqrt(shares / RANGE_UNIT), MAX_EFFECT)
        many = np.maximum((shares - inner.kll_error[rows]) * size[places], 1.0)
        chances = np.minimum(1.0, 4 * np.exp(many * np.log(size[places] / (size[places] + outer_size[places]))))
        # One value or two are often farthest; they are suspicious only where they are very far.
        median = outer.quantiles[outer_rows[places], _MEDIAN]
        very_far = np.zeros(len(places), np.bool_)
        for end, side, step in ((0, low, -1.0), (1, high, 1.0)):
            away = (own[places, end] - limits[places, end]) * step
            beside = np.abs(side - median)
            very_far |= (away > _VERY_FAR * np.where(beside > 0, beside, spread[places])) & (
                away > np.abs(limits[places, end] - median)
            )
        effects = np.where(~very_far & (chances > SELDOM), np.minimum(effects, _UNSUSPICIOUS), effects)
        better = effects > best[places]
        places, effects = places[better], effects[better]
        best[places] = effects
        found.note("range", places, effects, chances[better])
        found.note_shares("range", places, 0.0, shares[better], which)


def _chances_of_range(pairs: Pairs) -> Floats:
    """Probability that so many values of one sample lie beyond all of the other.

    Each of the `j` largest values of both together is of the larger sample with the same chance, so that all of them
    are with ``(m / (n + m)) ** j`` at most (E. Gumbel and H. von Schelling, Ann. Math. Stat. 21, 1950). The sketch's
    error is taken off the count.
    """
    logs = np.zeros(len(pairs))
    n, m = pairs.numbers
    first, second = pairs.of("kll_ends")
    sides = (
        (pairs.first, pairs.before, n, first, m, second),
        (pairs.second, pairs.after, m, second, n, first),
    )
    for summary, rows, size, own, other_size, ends in sides:
        # Nobody lies beyond unless the end does.
        outside = (n > 0) & (m > 0) & ((own[:, 1] > ends[:, 1]) | (own[:, 0] < ends[:, 0]))
        places = np.flatnonzero(outside)
        if not len(places):
            continue
        above = 1 - shares_of(summary, rows[places], ends[places, 1:], inclusive=True)[:, 0]
        below = shares_of(summary, rows[places], ends[places, :1], inclusive=False)[:, 0]
        most = np.maximum(above, below) - summary.kll_error[rows[places]]
        many = np.maximum(most * size[places], 1.0)
        these = many * np.log(size[places] / (size[places] + other_size[places]))
        logs[places] = np.minimum(logs[places], these)
    chances: Floats = np.minimum(1.0, 4 * np.exp(logs))
    return chances


# --- distributions


@dataclass
class _Moves:
    """How far the values of each pair moved, in their own units, and what tells whether that is far."""

    moved: Floats
    noise: Floats
    chance: Floats
    shared: Floats
    tails: Floats

    @classmethod
    def of(cls, many: int) -> _Moves:
        return cls(*(np.full(many, np.nan) for _ in range(5)))


def _weigh_distributions(pairs: Pairs, places: Ints, hair: Floats, found: Evidence) -> None:
    if not len(places):
        return
    found.compared[places] = True
    n, m = pairs.numbers
    found.sizes[places, 0], found.sizes[places, 1] = n[places], m[places]
    moves = _Moves.of(len(pairs))
    windows = np.maximum(_windows(pairs), hair)
    found.sharp = windows < 1
    widths = np.diff(pairs.first.outline_offsets)[pairs.before] + np.diff(pairs.second.outline_offsets)[pairs.after]
    ordered = places[widths[places].argsort(kind="stable")]
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        merged = _Merged.of(*_padded(pairs.first, pairs.before[chunk]), *_padded(pairs.second, pairs.after[chunk]))
        sizes = Sizes(n[chunk], m[chunk], pairs.error[chunk])
        _weigh_merged(merged, sizes, chunk, found, moves)
    _weigh_deciles(pairs, places, found)
    numbers = np.zeros(len(pairs), np.bool_)
    numbers[places] = True
    unlisted = places[~exactly_listed(pairs, numbers, found)[places]]
    _weigh_single_values(pairs, unlisted, windows, found)
    for place in places.tolist():
        found.basis[place] = "deciles"
    _conclude(pairs, places, moves, hair, found)


def _padded(summary: ProfileSummary, rows: Ints) -> tuple[Floats, Floats]:
    """Take distributions as a matrix, a row each: points, and the mass at each; ends repeat, without mass."""
    starts, ends = summary.outline_offsets[rows], summary.outline_offsets[rows + 1]
    places = np.minimum(starts[:, None] + np.arange((ends - starts).max()), ends[:, None] - 1)
    points, cumulative = summary.outline
    shares = cumulative[places]
    masses = shares.copy()
    masses[:, 1:] -= shares[:, :-1]
    return points[places], masses


@dataclass
class _Merged:
    """Two distributions at all points of both, a row a pair: cumulative shares before and after each distinct point.

    Of equal points only the last changes the shares.
    """

    points: Floats
    first: Floats
    second: Floats
    first_mass: Floats
    second_mass: Floats

    @classmethod
    def of(cls, points: Floats, masses: Floats, others: Floats, other_masses: Floats) -> _Merged:
        every = np.concatenate([points, others], axis=1)
        order = every.argsort(axis=1, kind="stable")  # of two sorted runs: no more than a merger
        order += np.arange(0, every.size, every.shape[1])[:, None]
        signed = np.concatenate([masses, -other_masses], axis=1).ravel()[order]
        every = every.ravel()[order]
        first, second = (np.maximum(one, 0).cumsum(axis=1) for one in (signed, -signed))
        # The cumulative functions are what they are only after the last of equal points.
        last = np.empty(every.shape, np.bool_)
        last[:, -1] = True
        np.not_equal(every[:, 1:], every[:, :-1], out=last[:, :-1])
        if not last.all():
            first, second = (np.maximum.accumulate(np.where(last, one, 0), axis=1) for one in (first, second))
        first_mass, second_mass = first.copy(), second.copy()
        first_mass[:, 1:] -= first[:, :-1]
        second_mass[:, 1:] -= second[:, :-1]
        return cls(every, first, second, first_mass, second_mass)


def _weigh_merged(merged: _Merged, sizes: Sizes, rows: Ints, found: Evidence, moves: _Moves) -> None:
    n, m, error = sizes.n, sizes.m, sizes.error
    found.measures["ks_error"][rows] = error
    found.measures["ks"][rows], moves.moved[rows], widths = _gaps(merged)
    weight = (n / (n + m))[:, None]
    joint = merged.first * weight + merged.second * (1 - weight)
    scale = np.sqrt(sizes.scale)
    deviation = row_sums(np.sqrt(np.maximum(joint * (1 - joint), 0))[:, :-1] * widths)
    span = merged.points[:, -1] - merged.points[:, 0]
    moves.noise[rows] = error * span + 3 * scale * deviation
    moves.chance[rows] = scale * deviation
    masses = joint.copy()
    masses[:, 1:] -= joint[:, :-1]
    middle = joint - 0.5 * masses
    differences = merged.first_mass - merged.second_mass
    centered = middle - 0.5
    chances = [
        _chances_of_scores(centered, masses, differences, sizes),
        _chances_of_scores(centered * centered, masses, differences, sizes),
        _chances_of_cells(middle, merged, sizes),
    ]
    shared = np.minimum(merged.first_mass, merged.second_mass) > 0
    moves.shared[rows] = np.minimum(row_sums(shared * merged.first_mass), row_sums(shared * merged.second_mass))
    found.tried[0, rows] = len(chances)
    found.chances[0, rows] = np.minimum(1.0, len(chances) * np.fmin.reduce(chances))
    moves.tails[rows] = _chances_of_tails(joint, merged, sizes)


def _gaps(merged: _Merged) -> tuple[Floats, Floats, Floats]:
    """Measure the largest gap of two cumulative distributions and the area between them; and the points' distances."""
    gaps = np.abs(merged.first - merged.second)
    widths = merged.points[:, 1:] - merged.points[:, :-1]
    return gaps.max(axis=1), row_sums(gaps[:, :-1] * widths), widths


def gaps_of_sketches(first: KllSketch, second: KllSketch) -> tuple[float, float]:
    """Measure what `_gaps` does of two whole sketches: the largest gap, and the area."""
    points = np.concatenate([first.items, second.items])
    order = points.argsort(kind="stable")  # of two sorted runs
    points = points[order]
    # Whole numbers, which doubles add up exactly.
    signed = np.concatenate([first.weights * float(second.n), second.weights * -float(first.n)])[order]
    gaps = np.abs(signed.cumsum()) / (float(first.n) * second.n)
    fresh = points[1:] != points[:-1]
    with np.errstate(all="ignore"):
        return float(gaps[:-1][fresh].max(initial=0)), float(gaps[:-1] @ np.diff(points))


def _chances_of_scores(scores: Floats, masses: Floats, differences: Floats, sizes: Sizes) -> Floats:
    """Test scores of ranks: their mean in one sample against that in the other."""
    scores = scores - row_sums(scores * masses)[:, None]
    spread = np.sqrt(row_sums(scores * scores * masses))
    held = np.where(masses > 0, scores, 0)  # points without mass fill up rows
    farthest = np.maximum(held.max(axis=1), -held.min(axis=1))
    # A rank that is off by the sketches' error changes the mean score by no more than that.
    distance = np.maximum(np.abs(row_sums(scores * differences)) - sizes.error, 0)
    chances: Floats = chances_of_means(distance, spread, farthest, sizes.n, sizes.m)
    return chances


def _chances_of_cells(middle: Floats, merged: _Merged, sizes: Sizes) -> Floats:
    """Test the shares in cells that hold about equally many of both samples together."""
    rows, width = middle.shape
    cells = np.clip(sizes.smaller // (FEWEST_OF_ONE + 1), 2, _CELLS).astype(np.int64)
    # Ranks ascend, so that the cells of all rows are parts of one ascending array.
    places = np.minimum((middle * cells[:, None]).astype(np.int64), cells[:, None] - 1)
    places += np.arange(rows)[:, None] * _CELLS
    starts = np.arange(0, rows * width, width)[:, None]
    ends = places.ravel().searchsorted(np.arange(1, rows * _CELLS + 1)).reshape(rows, _CELLS)
    p, q = (
        np.diff(np.where(ends > starts, cumulative.ravel()[np.maximum(ends - 1, 0)], 0.0), axis=1, prepend=0.0)
        for cumulative in (merged.first, merged.second)
    )
    return chances_of_counts(p, q, sizes)


def _chances_of_tails(joint: Floats, merged: _Merged, sizes: Sizes) -> Floats:
    """Test the shares beyond some outer ranks of both samples together."""
    many, width = joint.shape
    apart = 2.0 * np.arange(many)[:, None]  # rows of one ascending array
    cuts = (joint + apart).ravel().searchsorted(_TAIL_RANKS[None, :] + apart)
    places = np.clip(cuts - np.arange(0, many * width, width)[:, None], 0, width - 1)
    p, q = (np.take_along_axis(cumulative, places, axis=1) for cumulative in (merged.first, merged.second))
    n, m = sizes.n[:, None], sizes.m[:, None]
    chances: Floats = len(_TAIL_RANKS) * share_chances(p * n, n, q * m, m, sizes.error[:, None]).min(axis=1)
    return chances


def _weigh_deciles(pairs: Pairs, rows: Ints, found: Evidence) -> None:
    """Compare the shares between the baseline's deciles: the cells of Jensen-Shannon distance and PSI."""
    n, m = (of_side[rows] for of_side in pairs.numbers)
    sizes = Sizes(n, m, pairs.error[rows])
    # Many days have one baseline.
    own, of_own = np.unique(pairs.before[rows], return_inverse=True)
    cuts = pairs.first.deciles[own]
    p, q = np.ones((2, len(rows), 2 * len(DECILES) + 1))
    for place, inclusive in enumerate((False, True)):
        p[:, place:-1:2] = shares_of(pairs.first, own, cuts, inclusive=inclusive)[of_own]
        q[:, place:-1:2] = shares_of(pairs.second, pairs.after[rows], cuts[of_own], inclusive=inclusive)
    # A decile that many values share is cut off on both sides, so that a column of one value, or of many zeros, does
    # not hide a shift within one cell.
    mass = p[:, 1:-1:2] - p[:, 0:-1:2]
    atoms = (mass >= _ATOM) & (mass * sizes.n[:, None] > 1.5)
    for shares in (p, q):
        shares[:, 1:-1:2] = np.where(atoms, shares[:, 1:-1:2], shares[:, 0:-1:2])
    p, q = (np.diff(np.maximum.accumulate(shares, axis=1), axis=1, prepend=0.0) for shares in (p, q))
    measure_cells(p, q, sizes, rows, found, most_degrees=TELLING_CELLS)


def _windows(pairs: Pairs) -> Floats:
    """How near numbers are taken for the same place: a twentieth of the smaller deviation of either kind."""
    spreads = []
    for summary, rows in pairs.sides:
        low, high = summary.middles[rows].T
        half = (high - low) / 2
        spreads += [_spreads(summary, rows), np.where(half > 0, half, np.nan)]
    with np.errstate(all="ignore"):
        least = np.fmin.reduce([np.where(spread > 0, spread, np.nan) for spread in spreads])
    return np.where(np.isfinite(least), _NEAR * least, 0.0)


def exactly_listed(pairs: Pairs, numbers: Flags, found: Evidence) -> Flags:
    """Find whole numbers of which both lists of frequent items have all, and neighbours are different values."""
    listed: Flags = numbers & found.sharp & ~pairs.any_of(frozenset({"fractional"}))
    for (summary, rows), values in zip(pairs.sides, pairs.numbers, strict=True):
        listed &= (summary.frequent_offset[rows] == 0) & (summary.frequent_total[rows] == values)
    return listed


def _weigh_single_values(pairs: Pairs, places: Ints, windows: Floats, found: Evidence) -> None:
    """Compare the shares of single numbers: sentinels within the range, zeros, heaps, codes.

    A share counts by what it changed at the number itself, but no more than it surely did near it: numbers that moved
    by less are where they were. Where more is near than lets that be told, and the column has few heaps, other heaps
    near it tell.
    """
    listed = _listed_sharper(pairs, windows, found)[places]
    heaps = _Heaps.joined(_Heaps.of(pairs, places[~listed]), _Heaps.of_listed(pairs, places[listed]))
    rows, points, before, after = heaps.rows, heaps.points, heaps.before, heaps.after
    n, m = (of_side[rows] for of_side in pairs.numbers)
    looked_at = np.minimum(n, m) >= FEWEST
    looked_at &= np.maximum(before, after) * np.maximum(n, m) >= FEWEST_SEEN - _ROUNDING
    several = np.bincount(rows[looked_at], minlength=len(pairs))
    sentinels = _may_be_sentinels(pairs, heaps)
    apart = np.bincount(rows[looked_at & sentinels], minlength=len(pairs))
    # Of two values that are all there are, one tells of the other.
    both = [np.bincount(rows[looked_at], one[looked_at], len(pairs)) for one in (before, after)]
    only_two = (several == 2) & (np.minimum(*both) >= 1 - _ROUNDING)
    others = heaps.near(windows)
    errors = heaps.error + ERRORS * np.sqrt(before / n + after / m)
    looked_at &= np.abs(before - after) + errors >= NEW_VALUE_SHARE
    looked_at &= np.where(before > after, before * n, after * m) >= FEWEST_SEEN - _ROUNDING
    if not looked_at.any():
        return
    heaps, others, sentinels = heaps.part(looked_at), others[looked_at], sentinels[looked_at]
    rows, points, before, after, error = heaps.rows, heaps.points, heaps.before, heaps.after, heaps.error
    n, m = n[looked_at], m[looked_at]
    beside, other_beside = (
        np.maximum(_shares_within(summary, of_side[rows], points, windows[rows]) - own, 0)
        for (summary, of_side), own in zip(pairs.sides, heaps.own(pairs), strict=True)
    )
    change = after - before
    pooled = (beside * n + other_beside * m) / (n + m)
    # The more values are looked at, the farther off is one of them by chance.
    chance = (1 + np.log(several[rows]) / 2) * np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    noise = chance + np.minimum(pairs.error[rows], pooled)
    by_heaps = (2 * noise > np.abs(change)) & (several[rows] <= MAX_CODES)
    outside = chances_outside(pairs, rows, points, (heaps.least_before * n, heaps.least_after * m))
    often = np.where(before > after, before * n, after * m) >= _rare_repetitions(pairs)[rows]
    by_heaps &= often | (outside <= SUSPICIOUS)
    around = np.abs(change) + np.where(by_heaps, others, other_beside - beside) * np.sign(change)
    seen, sure = (np.clip(one, 0, np.abs(change)) for one in (around, around - np.where(by_heaps, 0, noise)))
    most = np.where(2 * sure >= np.abs(change), seen, sure)
    of_sentinels, of_others = times_tried(apart, several - apart)
    tried = np.where(only_two[rows], 1, np.where(sentinels, of_sentinels[rows], of_others[rows]))
    single = share_chances(before * n, n, after * m, m, error)
    chances = np.minimum(tried * single, outside)
    effects = value_effects(most, before, after)
    alone = (before * n + after * m) / (n + m)
    variances = alone * (1 - alone) * (1 / n + 1 / m) + (error / _SURE) ** 2
    sharper = np.minimum(2 * tried * normal_tails(np.abs(change) / np.sqrt(variances)), 1.0)
    # A value that seems rare in an estimate may be none at all, and then less of a change counts.
    rarest = np.maximum(np.where(change > 0, heaps.least_before, heaps.least_after), 0)
    possible = value_effects(most, rarest, np.maximum(before, after))
    blurred = (chances > SUSPICIOUS) & (sharper <= SELDOM) & (reached(possible, sharper, tried) >= 1)
    # What surely changed is too little to count, and what was seen is not: the values beside it may be a part of that.
    open_ = (chances <= SELDOM) & (reached(effects, chances, tried) < 1) & (2 * seen >= np.abs(change))
    open_ &= reached(value_effects(seen, before, after), chances, tried) >= 1
    blurred |= open_ & (np.bincount(rows[open_], minlength=len(pairs)) <= _FEW)[rows]  # all of them: numbers that moved
    found.blurred[rows[blurred]] = True
    Candidates(rows, effects, chances, as_if_tried(chances, single), before, after, points.tolist()).note(found)


def _rare_repetitions(pairs: Pairs) -> Floats:
    """Return how often hardly any number is seen that is like the others: of many, chance repeats a few."""
    repeated = np.zeros(len(pairs))
    for (summary, rows), values in zip(pairs.sides, pairs.numbers, strict=True):
        each = values / summary.distinct[rows, 0]
        # Of those that are seen at all; the expectation of a Poisson distribution from its mean without zero.
        repeated = np.maximum(repeated, np.minimum(np.maximum(2 * (each - 1), 0), each))
    return 4 + 5 * repeated


def _listed_sharper(pairs: Pairs, windows: Floats, found: Evidence) -> Flags:
    """Find the pairs of which frequent items tell more of single numbers than their distributions do.

    That is so where a distribution is an estimate, and nothing that counts was dropped from the items. These are
    spelled with six decimals, so that much nearer numbers are one of them.
    """
    sharper = (pairs.error > 0) & ~found.blunt
    sharper &= (windows >= 2 * _SPELLED) | ~pairs.any_of(frozenset({"fractional"}))
    for (summary, rows), values in zip(pairs.sides, pairs.numbers, strict=True):
        sharper &= (summary.frequent_total[rows] == values) & (summary.types[rows, _BOOLEAN] == 0)
        sharper &= 2 * summary.frequent_unlisted[rows] <= NEW_VALUE_SHARE * values
    return sharper


@dataclass
class _Heaps:
    """Numbers that hold much of either column of some pairs, those of a pair ascending beside each other.

    Attributes
    ----------
    rows : ndarray of int64
        The pair.
    points, hairs : ndarray of float
        The number, and how far from it others are spelled in the same way.
    before, after : ndarray of float
        Its shares.
    least_before, least_after : ndarray of float
        Its shares at least.
    error : ndarray of float
        By how much the difference of the shares may be wrong.
    """

    rows: Ints
    points: Floats
    hairs: Floats
    before: Floats
    after: Floats
    least_before: Floats
    least_after: Floats
    error: Floats

    @classmethod
    def of(cls, pairs: Pairs, places: Ints) -> _Heaps:
        """Read them off the distributions."""
        rows, points = _heaps(pairs, places)
        hairs = np.zeros(len(rows))
        before, after = (_shares_within(summary, of_side[rows], points, hairs) for summary, of_side in pairs.sides)
        errors = [summary.kll_error[of_side[rows]] for summary, of_side in pairs.sides]
        return cls(rows, points, hairs, before, after, before - errors[0], after - errors[1], pairs.error[rows])

    @classmethod
    def of_listed(cls, pairs: Pairs, places: Ints) -> _Heaps:
        """Read them off the frequent items, and where a distribution is exact off that."""
        heavy = np.zeros(len(places), np.bool_)
        for summary, of_side in pairs.sides:
            own = of_side[places]
            held = np.flatnonzero(np.diff(summary.frequent_offsets)[own])
            heaviest = summary.frequent_weights[summary.frequent_offsets[own[held]]]  # the first of each
            heaviest += summary.frequent_offset[own[held]]
            heavy[held] |= heaviest >= NEW_VALUE_SHARE * summary.kll_n[own[held]]
        places = places[heavy]
        if not len(places):
            return cls.of(pairs, places)
        sides = []
        for summary, of_side in pairs.sides:
            own = of_side[places]
            bounds = (one[own].astype(np.float64) for one in (summary.frequent_offset, summary.frequent_unlisted))
            sides.append(Listed.of(summary, own, np.zeros(len(places), np.bool_), *bounds))
        chosen = [
            side.counts >= NEW_VALUE_SHARE * size[places][side.pairs]
            for side, size in zip(sides, pairs.numbers, strict=True)
        ]
        keys, first = np.unique(
            np.concatenate([side.keys[one] for side, one in zip(sides, chosen, strict=True)]), return_index=True
        )
        of_pair = np.concatenate([side.pairs[one] for side, one in zip(sides, chosen, strict=True)])[first]
        counts = [side.look_up(keys, of_pair) for side in sides]
        points = np.full(len(keys), np.nan)
        for (summary, _), (_, items) in zip(pairs.sides, counts, strict=True):
            for place in np.flatnonzero(np.isnan(points) & (items >= 0)).tolist():
                value = summary.frequent_value(int(items[place]))
                points[place] = float(value) if spells_number(value) and value not in _FLAGS else np.nan
        order = np.lexsort((points, of_pair))
        order = order[np.isfinite(points[order])]
        rows, points = places[of_pair[order]], points[order]
        hairs = _SPELLED + _ROUNDED * np.abs(points)
        shares: list[Floats] = []
        least: list[Floats] = []
        most: list[Floats] = []
        for (summary, of_side), size, side, found in zip(pairs.sides, pairs.numbers, sides, counts, strict=True):
            many, items = (one[order] for one in found)
            own, limits = of_side[rows], summary.kll_ends[of_side[rows]]
            within = (points >= limits[:, 0] - hairs) & (points <= limits[:, 1] + hairs)
            share = np.where(within, many / size[rows], 0)
            off = np.where(within, side.offsets[of_pair[order]], 0) / size[rows]
            unknown = items < 0
            exact = summary.kll_error[own] == 0
            share = np.where(exact, _shares_within(summary, own, points, hairs), share)
            shares.append(share)
            least.append(np.where(exact, share, np.where(unknown, 0, share - off)))
            most.append(np.where(exact | ~unknown, share, 2 * share))
        surely = np.maximum(least[1] - most[0], least[0] - most[1])
        error = np.abs(shares[1] - shares[0]) - np.maximum(surely, 0)
        return cls(rows, points, hairs, shares[0], shares[1], least[0], least[1], error)

    @classmethod
    def joined(cls, these: _Heaps, those: _Heaps) -> _Heaps:
        """Join those of different pairs."""
        return cls(*map(np.concatenate, zip(vars(these).values(), vars(those).values(), strict=True)))

    def part(self, kept: Flags) -> _Heaps:
        """Take some of them."""
        return _Heaps(*(one[kept] for one in vars(self).values()))

    def own(self, pairs: Pairs) -> tuple[Floats, Floats]:
        """Return what the distributions say of the shares."""
        first, second = (
            _shares_within(summary, of_side[self.rows], self.points, self.hairs) for summary, of_side in pairs.sides
        )
        return first, second

    def near(self, windows: Floats) -> Floats:
        """Return by how much the share of the other heaps near each changed; of many heaps, of some of these."""
        found, changes = np.zeros(len(self.rows)), self.after - self.before
        for step in range(1, MAX_CODES):
            near = self.rows[step:] == self.rows[:-step]
            near &= self.points[step:] - self.points[:-step] <= windows[self.rows[step:]]
            found[:-step] += np.where(near, changes[step:], 0)
            found[step:] += np.where(near, changes[:-step], 0)
        return found


def _shares_within(summary: ProfileSummary, rows: Ints, points: Floats, hairs: Floats) -> Floats:
    """Share of a column's numbers that are no farther from a point than this, an element each."""
    most, least = (points + hairs)[:, None], (points - hairs)[:, None]
    shares: Floats = shares_of(summary, rows, most, inclusive=True) - shares_of(summary, rows, least, inclusive=False)
    return shares[:, 0]


def common_ranges(pairs: Pairs, rows: Ints) -> tuple[Floats, Floats]:
    """Return the smallest and the largest number of both columns of some pairs."""
    ends, others = (side[rows] for side in pairs.of("kll_ends"))
    return np.minimum(ends[:, 0], others[:, 0]), np.maximum(ends[:, 1], others[:, 1])


def _may_be_sentinels(pairs: Pairs, heaps: _Heaps) -> Flags:
    """Whether numbers are where sentinels and defaults mostly are: zero, and either end of both columns' range."""
    lowest, highest = common_ranges(pairs, heaps.rows)
    found: Flags = heaps.points == 0
    for end in (lowest, highest):
        found |= np.abs(heaps.points - end) <= heaps.hairs
    return found


def _heaps(pairs: Pairs, places: Ints) -> tuple[Ints, Floats]:
    """List the numbers that hold much of either column of some pairs: the pairs, and the numbers."""
    rows, points = [], []
    for summary, of_side in pairs.sides:
        starts = summary.heap_offsets[of_side[places]]
        lengths = summary.heap_offsets[of_side[places] + 1] - starts
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows.append(np.repeat(places, lengths))
        columns = of_side[rows[-1]]
        heaps = summary.heap_places[np.repeat(starts, lengths) + within]
        points.append(summary.grid_numbers(columns, summary.grid_offsets[columns] + heaps))
    row, point = np.concatenate(rows), np.concatenate(points)
    order = np.lexsort((point, row))
    row, point = row[order], point[order]
    fresh = np.ones(len(row), np.bool_)
    fresh[1:] = (row[1:] != row[:-1]) | (point[1:] != point[:-1])
    return row[fresh], point[fresh]


def chances_outside(pairs: Pairs, rows: Ints, points: Floats, fewest: tuple[Floats, Floats]) -> Floats:
    """Probability that so many values lie beyond all of the other sample, as in `_chances_of_range`; 1 if within.

    Parameters
    ----------
    pairs : Pairs
    rows : ndarray of int64
        The pair of each value.
    points : ndarray of float
    fewest : tuple of two ndarrays of float
        How often each was seen in either sample, at least.
    """
    n, m = (of_side[rows] for of_side in pairs.numbers)
    ends, others = (side[rows] for side in pairs.of("kll_ends"))
    chances = np.ones(len(points))
    for many, size, other_size, limits in zip(fewest, (n, m), (m, n), (others, ends), strict=True):
        beyond = (points < limits[:, 0]) | (points > limits[:, 1])
        parts = 4 * (size / (size + other_size)) ** np.maximum(many, 1.0)
        chances = np.where(beyond, np.minimum(chances, parts), chances)
    return chances


_ROUNDING = 1e-6
_SPELLED = 6e-7  # numbers among the frequent items have six decimals
_BOOLEAN = 2  # column of the types
_FLAGS = frozenset({"True", "False"})
_SURE = 2.576  # deviations within which 99 % are: what a sketch's rank error is


def _conclude(pairs: Pairs, places: Ints, moves: _Moves, hair: Floats, found: Evidence) -> None:
    """Put distances in deviations of the baseline, and let cells count only where values moved."""
    measures = found.measures
    first, rows = pairs.first, pairs.before[places]
    moved, noise = moves.moved[places], moves.noise[places]
    spread = _spreads(first, rows)
    spread = np.where(spread > 0, spread, np.nan)
    distance = np.where(moved == 0, 0.0, moved / spread)
    distance = np.where(np.isfinite(distance), distance, np.nan)
    measures["wasserstein"][places] = distance
    # Where a few extremes make the deviation, the middle two thirds tell what is near.
    low, high = first.middles[rows].T
    robust = np.where(high > low, (high - low) / 2, np.nan)
    near = moved <= _NEAR * np.fmin(spread, robust) + moves.chance[places]
    near |= moved <= hair[places]
    near &= np.isfinite(moved)  # beside infinite values neither tells what is near
    # Of heavy tails, extremes alone may make a distance: what most deciles did is no chance then.
    steps = np.abs(pairs.second.deciles[pairs.after[places]] - first.deciles[rows])
    near &= ~(np.median(steps, axis=1) > _MOVED * robust)
    near &= ~((moves.shared[places] > _SHARED) & (np.diff(first.grid_offsets)[rows] <= MAX_CODES))
    effects = np.where(near, 0.0, np.minimum(found.effects[0, places], MAX_EFFECT))
    far = (distance >= WASSERSTEIN_UNIT) & (moved > noise)
    effects = np.where(far, np.fmax(effects, np.minimum(distance / WASSERSTEIN_UNIT, MAX_EFFECT)), effects)
    for family in ("mean", "spread"):
        known = found.chances[FAMILIES.index(family)]
        known[places] = np.where(
            np.isnan(known[places]), np.nan, np.fmin(known[places], _any_of_three(moves.tails[places]))
        )
    measures["wasserstein_noise"][places] = np.where(distance >= WASSERSTEIN_UNIT, noise / spread, np.nan)
    found.effects[0, places] = effects


def smallest_shift(sizes: Any, chance: float) -> float:
    """Return the shift of a mean, in standard deviations, that chance makes with no more than this probability.

    For one of a normal distribution; where few values decide a mean it is larger.
    """
    n, m = (max(int(one), 1) for one in sizes)
    return -NormalDist().inv_cdf(min(max(chance, 1e-300), 1.0) / 4) * math.sqrt(1 / n + 1 / m)

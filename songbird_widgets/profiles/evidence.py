"""What two columns' sketches say about their difference: the measures that `drift` judges by.

Every function adds to `Findings`: measures by name, effects in units of the verdict's thresholds, notes on
what could not be measured, and why a drift, if there is one, would not be seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .numerics import chi_squared_quantile, chi_squared_tail, kolmogorov_tail
from .statistics import is_discrete

if TYPE_CHECKING:
    from .container import Column
    from .sketches import Floats, FrequentItemsSketch, KllSketch

_JS_UNIT = 0.1
_WASSERSTEIN_UNIT = 0.25
_PSI_FLOOR = 1e-4
_CONFIDENCE = 0.99
# Counts of frequent items are exact to within the offset; an item is a cell when it is this many times above
# it.
_CLEAR_OF_OFFSET = 5
# Below so many values, or so few expected of one value, what chance does is not what the formulas for many say
# (W. Cochran, Biometrics 10, 1954).
_FEWEST = 10
_FEWEST_OF_ONE = 5
# The Kolmogorov-Smirnov test's p-value means nothing once the sketches' error is near the critical distance.
_NEGLIGIBLE_ERROR = 0.2
_CRITICAL_KS = 1.358  # for a level of 5 %
_JENSEN_SHANNON_CURVATURE = 8 * math.log(2)


@dataclass
class Findings:
    """What the parts of a comparison find, to become one `Drift`."""

    verdict_only: bool = False  # leave out what neither counts as an effect nor hides one
    measures: dict[str, Any] = field(default_factory=dict)  # by the names of Drift's fields
    effects: list[tuple[float, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)  # why a drift, if there is one, would not be seen


# --- nulls, ratios


def compare_nulls(baseline: Column, other: Column, found: Findings) -> None:
    """Compare how many rows are null."""
    rows, others = baseline.counts.n, other.counts.n
    if not rows or not others:
        found.blind.append("There are no rows to compare.")
        return
    # Hostile or odd files may count more nulls than rows.
    before, after = min(1.0, baseline.counts.null / rows), min(1.0, other.counts.null / others)
    found.measures["null_delta"] = after - before
    if before == after or min(rows, others) < _FEWEST:
        return
    p, q = np.array([before, 1 - before]), np.array([after, 1 - after])
    distance, noise = _jensen_shannon(p, q, rows, others, 0)
    if distance > noise:
        found.effects.append((distance / _JS_UNIT, f"Nulls went from {_percent(before)} to {_percent(after)}."))


def compare_ratios(baseline: Column, other: Column, found: Findings) -> None:
    """Compare the share of distinct values, and the mean in the baseline's standard deviations."""
    if baseline.cardinality and other.cardinality and baseline.counts.n and other.counts.n:
        found.measures["unique_delta"] = (
            other.cardinality.estimate / other.counts.n - baseline.cardinality.estimate / baseline.counts.n
        )
    spread = baseline.stddev
    if baseline.mean is None or other.mean is None or spread is None or not _has_numbers(baseline, other):
        return
    if spread > 0 and math.isfinite(shift := (other.mean - baseline.mean) / spread):
        found.measures["mean_shift"] = shift


def _percent(share: float) -> str:
    """Write a share so that what is neither nothing nor all does not look so."""
    percent = share * 100
    if 0 < percent < 0.01:
        return "less than 0.01 %"
    if 99.99 < percent < 100:
        return "more than 99.99 %"
    return f"{percent:.3g} %"


# --- values


def _has_numbers(baseline: Column, other: Column) -> bool:
    return bool(baseline.kll and other.kll and baseline.kll.n and other.kll.n)


def compare_values(baseline: Column, other: Column, types: tuple[str, str], found: Findings) -> None:
    """Compare the values, by their distribution or, where there are few different ones, one by one."""
    items, others = baseline.frequent_items, other.frequent_items
    numbers = _has_numbers(baseline, other) and "string" not in types
    by_items = False
    if items is not None and others is not None and items.total and others.total:
        # Numbers whose rare values were dropped are better told apart by their distribution.
        counted = not numbers or (items.lossless and others.lossless)
        by_items = counted and is_discrete(baseline, types[0]) and is_discrete(other, types[1])
        if by_items:
            _compare_items(items, others, found)
    if numbers and baseline.kll and other.kll:
        _compare_numbers(baseline.kll, other.kll, baseline.stddev, found, use_cells=not by_items)
    elif not by_items:
        found.blind.append(_why_blind(baseline, other))


def _why_blind(baseline: Column, other: Column) -> str:
    for column, which in ((baseline, "the baseline"), (other, "the other profile")):
        if column.counts.n and column.counts.null >= column.counts.n:
            return f"In {which} every value is null."
    return "The profiles hold no sketch of these values (whylogs keeps none for this type)."


def _compare_numbers(
    first: KllSketch, second: KllSketch, spread: float | None, found: Findings, *, use_cells: bool
) -> None:
    error = first.rank_error + second.rank_error
    if use_cells:
        cells, shares = first.decile_cells
        found.measures["basis"] = "deciles"
        _compare_cells(shares, second.pmf(cells), first.n, second.n, error, found)
    points = np.concatenate([first.items, second.items])
    order = points.argsort(kind="stable")  # of two sorted runs: no more than a merger
    points = points[order]
    steps = np.concatenate([first.weights / first.n, second.weights / -second.n])[order]
    gaps = np.abs(steps.cumsum()[:-1])
    finite = math.isfinite(points[0]) and math.isfinite(points[-1])
    if finite:
        _compare_positions(points, steps, gaps, first, second, spread, error, found)
    if found.verdict_only:
        return
    _kolmogorov_smirnov(points, gaps, first, second, found)
    if finite:
        found.measures["hellinger"] = _hellinger(first, second, float(points[0]), float(points[-1]))
    else:
        found.notes.append("Wasserstein and Hellinger distance are undefined beside infinite values.")


def _kolmogorov_smirnov(points: Floats, gaps: Floats, first: KllSketch, second: KllSketch, found: Findings) -> None:
    error = first.rank_error + second.rank_error
    # The cumulative functions are what they are only after the last of equal points.
    distance = float(gaps.max(initial=0.0, where=points[1:] != points[:-1]))
    found.measures["ks"] = distance
    found.measures["ks_error"] = error
    pairs = first.n * second.n / (first.n + second.n)
    if error < _NEGLIGIBLE_ERROR * _CRITICAL_KS / math.sqrt(pairs):
        found.measures["ks_p"] = kolmogorov_tail(distance, pairs)
    elif distance <= error:
        found.notes.append("The Kolmogorov-Smirnov distance is within the sketches' error.")
    else:
        found.notes.append("No Kolmogorov-Smirnov p-value: for so many values the sketches are not exact enough.")


def _compare_positions(  # noqa: PLR0917 - the merged cumulative functions, and what they were made of
    points: Floats,
    steps: Floats,
    gaps: Floats,
    first: KllSketch,
    second: KllSketch,
    spread: float | None,
    error: float,
    found: Findings,
) -> None:
    with np.errstate(over="ignore"):
        widths = points[1:] - points[:-1]
        moved = float(gaps @ widths) if np.isfinite(widths).all() else math.inf
    if moved == 0:
        found.measures["wasserstein"] = 0.0
        return
    if spread is None or not math.isfinite(spread) or spread <= 0 or not math.isfinite(moved):
        found.notes.append("The Wasserstein distance needs a baseline with a spread.")
        return
    found.measures["wasserstein"] = distance = moved / spread
    if distance < _WASSERSTEIN_UNIT or min(first.n, second.n) < _FEWEST:
        return
    # By how much ∫|F - G| may be off: the sketches' rank error all along, and three standard errors of F - G.
    joint = np.abs(steps).cumsum()[:-1] / 2
    deviation = float(np.sqrt(np.maximum(joint * (1 - joint), 0)) @ widths)
    sampling = 3 * math.sqrt(1 / first.n + 1 / second.n) * deviation
    noise = (error * float(points[-1] - points[0]) + sampling) / spread
    found.measures["wasserstein_noise"] = noise
    if distance > noise:
        found.effects.append((distance / _WASSERSTEIN_UNIT, f"Values moved by {distance:.2g} sd on average."))
    else:
        found.notes.append("The Wasserstein distance is within what the sketches and chance explain.")


def _hellinger(first: KllSketch, second: KllSketch, low: float, high: float) -> float:
    """Hellinger distance on equal bins, as many as whylogs takes: one for four values, 2 to 30."""
    bins = min(30, max(2, math.ceil((first.n + second.n) / 4)))
    edges = low * (1 - _STEPS[bins]) + high * _STEPS[bins]  # high - low may be too large for a double
    p, q = first.pmf(edges[1:-1]), second.pmf(edges[1:-1])
    return math.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum())))


_STEPS = {bins: np.arange(bins + 1) / bins for bins in range(2, 31)}


# --- frequent items


def _compare_items(first: FrequentItemsSketch, second: FrequentItemsSketch, found: Findings) -> None:
    lossless = first.lossless and second.lossless
    p, q = _shares(first, second)
    if not len(p):
        few = min(first.total, second.total) < _FEWEST
        found.blind.append(
            _too_few(first.total, second.total)
            if few
            else "No value is frequent enough to be compared, so the sketches cannot tell."
        )
        return
    covered = min(float(p.sum()), float(q.sum()))
    p, q = np.append(p, max(0.0, 1 - p.sum())), np.append(q, max(0.0, 1 - q.sum()))
    found.measures["basis"] = "items"
    uncertain = first.offset / first.total + second.offset / second.total
    _compare_cells(p, q, first.total, second.total, uncertain, found)
    if covered < 0.5:
        found.blind.append(f"Only {_percent(covered)} of the values are frequent enough to be compared.")
    if found.verdict_only:
        return
    if lossless:
        known, others = frozenset(first.values), frozenset(second.values)
        found.measures["new_values"] = tuple(value for value in second.values if value not in known)
        found.measures["vanished_values"] = tuple(value for value in first.values if value not in others)
    else:
        found.notes.append("No chi-squared p-value and no list of new values: rare values were dropped from the count.")
    _chi_squared(p * first.total, q * second.total, found, exact=lossless)


def _shares(first: FrequentItemsSketch, second: FrequentItemsSketch) -> tuple[Floats, Floats]:
    """Shares of the values that are cells of their own, in either sample.

    Those values' share is far above the sketches' error, and chance would bring several into either sample: of
    names or identifiers that are seen once, any two samples have few in common. A share is its upper bound, which
    is exact for an item that was never dropped; half the offset for one not listed.
    """
    limit = _CLEAR_OF_OFFSET * max(sketch.offset / sketch.total for sketch in (first, second))
    names: dict[str, None] = {}
    for sketch in (first, second):
        clear = int(np.count_nonzero(sketch.weights + sketch.offset >= limit * sketch.total))
        names |= dict.fromkeys(sketch.values[:clear])
    one, other = (
        np.array([sketch.estimates.get(name, sketch.offset / 2) for name in names], np.float64)
        for sketch in (first, second)
    )
    frequent = one + other >= _FEWEST_OF_ONE * (1 + max(first.total, second.total) / min(first.total, second.total))
    p, q = one[frequent] / first.total, other[frequent] / second.total
    return p / max(1.0, float(p.sum())), q / max(1.0, float(q.sum()))


def _chi_squared(first: Floats, second: Floats, found: Findings, *, exact: bool) -> None:
    both = first + second
    filled = both > 1e-9
    first, second, both = first[filled], second[filled], both[filled]
    rows, others = float(first.sum()), float(second.sum())
    # The 2 x C table's statistic without its expected counts, which are `both` in the samples' proportion.
    ratio = math.sqrt(others / rows)
    statistic = float(((first * ratio - second / ratio) ** 2 / both).sum())
    found.measures["chi2"] = statistic
    found.measures["cramers_v"] = math.sqrt(statistic / (rows + others))
    if not exact:
        return
    # By Cochran, too: at most one expected count in five below 5.
    rare = sum(int(np.count_nonzero(both * size / (rows + others) < _FEWEST_OF_ONE)) for size in (rows, others))
    if rare > 0.2 * 2 * len(both):
        found.notes.append("No chi-squared p-value: too many values are too rare for it.")
    else:
        found.measures["chi2_p"] = chi_squared_tail(statistic, len(both) - 1)


# --- cells


def _compare_cells(  # noqa: PLR0917 - two distributions and how well each is known
    p: Floats, q: Floats, first: int, second: int, error: float, found: Findings
) -> None:
    distance, noise = _jensen_shannon(p, q, first, second, error)
    found.measures["js_distance"] = distance
    found.measures["js_noise"] = noise
    if not found.verdict_only:
        high, low = np.maximum(p, _PSI_FLOOR), np.maximum(q, _PSI_FLOOR)
        found.measures["psi"] = float(((high - low) * np.log(high / low)).sum())
    few = min(first, second) < _FEWEST
    if distance > noise and not few:
        found.effects.append((distance / _JS_UNIT, f"The distributions are {distance:.2g} apart (Jensen-Shannon)."))
    elif few or noise > 2 * _JS_UNIT:
        found.blind.append(_too_few(first, second))


def _too_few(first: int, second: int) -> str:
    return f"Too few values ({first:,} and {second:,}) to tell a drift from chance."


def _jensen_shannon(p: Floats, q: Floats, first: int, second: int, error: float) -> tuple[float, float]:
    """Jensen-Shannon distance, base 2, and the distance that chance explains.

    With m = (p + q)/2 the divergence is near ``sum((p - q)**2 / m) / (8 ln 2)``, and between samples of one
    distribution that sum is ``(1/first + 1/second)`` times a chi-squared variable with one degree of freedom
    less than there are cells. A cell that is also wrong by `error` adds ``error**2 / m``.
    """
    m = (p + q) / 2
    rows = np.array([m, p, q])
    # Entropies in bits, negative; cells that are empty have none.
    joint, one, other = (rows * np.log2(rows, where=rows > 0, out=np.zeros_like(rows))).sum(axis=1).tolist()
    divergence = (one + other) / 2 - joint
    m = m[m > 0]
    chance = (1 / first + 1 / second) * chi_squared_quantile(_CONFIDENCE, len(m) - 1)
    wrong = float((np.minimum(error, m) ** 2 / m).sum()) if error else 0.0
    noise = math.sqrt((chance + wrong) / _JENSEN_SHANNON_CURVATURE)
    return math.sqrt(min(1.0, max(0.0, divergence))), noise

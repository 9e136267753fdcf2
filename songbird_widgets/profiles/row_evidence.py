"""How two columns differ in what is counted of rows: nulls, infinite values, types, conditions, distinct values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .evidence import (
    FAMILIES,
    FEWEST,
    MAX_EFFECT,
    SHARE_UNIT,
    from_to,
    from_to_percent,
    share_chances,
    share_effects,
    short,
)

if TYPE_CHECKING:
    from .evidence import Evidence, Pairs

_NULL, _INFINITE = 1, 3  # columns of the counts
_GROUPS = ((0, 1, 2), (3,), (4,), (5,))  # columns of the types; numbers and booleans are one
GROUP_NAMES = ("numbers", "text", "objects", "tensors")
INFINITE = 1
"""What the shares of `nulls` are of, where it is not nulls."""


def weigh_rows(pairs: Pairs, found: Evidence) -> None:
    """Compare everything that is counted of rows."""
    _weigh_nulls(pairs, found)
    _weigh_types(pairs, found)
    _weigh_conditions(pairs, found)
    _weigh_metrics(pairs, found)
    _weigh_distinct(pairs, found)


def _weigh_nulls(pairs: Pairs, found: Evidence) -> None:
    """Compare how many rows are null, and how many infinite."""
    rows, others = pairs.of("counts")
    counted = np.logical_and(*pairs.of("counted")) & (rows[:, 0] > 0) & (others[:, 0] > 0)
    enough = counted & (np.minimum(rows[:, 0], others[:, 0]) >= FEWEST)
    # Where there is nothing in either, nothing is left to be compared.
    found.compared |= enough & (rows[:, _NULL] >= rows[:, 0]) & (others[:, _NULL] >= others[:, 0])
    best = np.full(len(pairs), -1.0)
    for column in (_NULL, _INFINITE):
        # Hostile or odd files may count more nulls than rows.
        a, b = np.minimum(rows[:, column], rows[:, 0]), np.minimum(others[:, column], others[:, 0])
        before, after = a / rows[:, 0], b / others[:, 0]
        if column == _NULL:
            found.measures["null_delta"][counted] = (after - before)[counted]
        effects = share_effects(before, after)
        more = enough & (effects > best)
        best[more] = effects[more]
        found.note("nulls", more, effects[more], share_chances(a, rows[:, 0], b, others[:, 0])[more])
        found.note_shares("nulls", more, before[more], after[more], 0 if column == _NULL else INFINITE)


def _weigh_types(pairs: Pairs, found: Evidence) -> None:
    """Compare the shares of types.

    Numbers and booleans are one: whole numbers become fractions as soon as a value is missing.
    """
    rows, others = pairs.of("types")
    n, m = rows.sum(axis=1, dtype=np.float64), others.sum(axis=1, dtype=np.float64)
    typed = np.logical_and(*pairs.of("typed")) & (np.minimum(n, m) >= FEWEST)
    best = np.full(len(pairs), -1.0)
    for number, group in enumerate(_GROUPS):
        a, b = rows[:, group].sum(axis=1, dtype=np.float64), others[:, group].sum(axis=1, dtype=np.float64)
        effects = share_effects(a / n, b / m)
        more = typed & (effects > best)
        best[more] = effects[more]
        found.note("types", more, effects[more], share_chances(a, n, b, m)[more])
        found.note_shares("types", more, (a / n)[more], (b / m)[more], number)


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
        a, b = (
            np.minimum(np.array([float(row[name]) for name in names]), size) for row, size in ((met, n), (others, m))
        )
        effects = np.minimum(np.abs(b / m - a / n) / SHARE_UNIT, MAX_EFFECT)
        worst = int(effects.argmax())
        chance = min(1.0, len(names) * float(share_chances(a[worst], n, b[worst], m)))
        found.note("conditions", place, effects[worst], chance, len(names))
        found.texts[place, "conditions"] = (
            f"Rows that meet “{short(names[worst])}” went {from_to_percent(a[worst] / n, b[worst] / m)}."
        )


def _weigh_metrics(pairs: Pairs, found: Evidence) -> None:
    """Compare figures of metrics that whylogs does not have.

    A whole number that is a sum over the rows, and no larger than their number, counts rows. What chance does to any
    other figure is not known: a change by a fifth is suspicious.
    """
    first, second = pairs.first, pairs.second
    if not first.metrics or not second.metrics:
        return
    for place, (row, other) in enumerate(zip(pairs.before.tolist(), pairs.after.tolist(), strict=True)):
        name = first.names[row]
        figures, others = first.metrics.get(name, {}), second.metrics.get(second.names[other], {})
        bounds = {**first.aggregates.get(name, {}), **second.aggregates.get(second.names[other], {})}
        rows = int(first.counts[row, 0]), int(second.counts[other, 0])
        tested = [
            _weigh_metric(metric, (figures[metric], others[metric]), rows, is_sum=metric not in bounds)
            for metric in sorted(figures.keys() & others.keys())
        ]
        if not tested:
            continue
        found.compared[place] |= all(chance < np.inf for _, chance, _ in tested) and min(rows) >= FEWEST
        effect, chance, text = max(tested, key=lambda one: (one[0] >= 1, -one[1], one[0]))
        found.note("metrics", place, effect, min(1.0, chance * len(tested)), len(tested))
        found.texts[place, "metrics"] = text


def _weigh_metric(
    metric: str, values: tuple[float, float], rows: tuple[int, int], *, is_sum: bool
) -> tuple[float, float, str]:
    """Return the effect, its probability (infinite if nothing is known of it), and what to say."""
    (a, b), (n, m) = values, rows
    whole = isinstance(a, int) and isinstance(b, int)
    if is_sum and whole and min(n, m) >= FEWEST and 0 <= a <= n and 0 <= b <= m:
        text = f"Rows that “{short(metric)}” counts went {from_to_percent(a / n, b / m)}."
        return float(share_effects(a / n, b / m)), float(share_chances(a, n, b, m)), text
    change = _relative(a, b)
    if is_sum and n and m:  # it may be an average all the same
        change = min(change, _relative(a / n, b / m))
    text = f"{short(metric)} went {from_to(a, b, 6)}."
    return min(change / _SUSPICIOUS_CHANGE, 1.0) if change >= _SUSPICIOUS_CHANGE else 0.0, np.inf, text


def _relative(a: float, b: float) -> float:
    if a == b or not (np.isfinite(a) and np.isfinite(b)):
        return 0.0 if a == b or (np.isnan(a) and np.isnan(b)) else 1.0
    return abs(b - a) / max(abs(a), abs(b))


_SUSPICIOUS_CHANGE = 0.2


def _weigh_distinct(pairs: Pairs, found: Evidence) -> None:
    rows, others = (counts[:, 0] for counts in pairs.of("counts"))
    distinct, other_distinct = (figures[:, 0] for figures in pairs.of("distinct"))
    ratios = other_distinct / others - distinct / rows
    found.measures["unique_delta"] = np.where((rows > 0) & (others > 0), ratios, np.nan)
    # Of a part of a sample's values, at least that part of its distinct ones is expected, and at most all of them.
    (_, low, high), (_, other_low, other_high) = (figures.T for figures in pairs.of("distinct"))
    values, other_values = (np.maximum(side[:, 0] - side[:, _NULL], 0) for side in pairs.of("counts"))
    part = np.where(values < other_values, values / other_values, 1.0)
    other_part = np.where(other_values < values, other_values / values, 1.0)
    # The variance of a count of distinct values is at most twice the repetitions (B. Efron and C. Stein, Ann. Stat. 9,
    # 1981: to replace a value changes the count by one at most, and only where either repeats another).
    repeated = np.maximum((values - low) / values, (other_values - other_low) / other_values)
    variances = (np.minimum(top, 2 * repeated * of) for top, of in ((high, values), (other_high, other_values)))
    chance = _CHANCE_OF_DISTINCT * np.sqrt(np.maximum(*variances))
    more, fewer = low - chance, high + chance
    other_more, other_fewer = other_low - chance, other_high + chance
    found.repeating = np.logical_and(*pairs.of("counted")) & (np.minimum(values, other_values) >= FEWEST)
    found.repeating &= np.isfinite(distinct) & np.isfinite(other_distinct)
    found.repeating &= (fewer * _FEWER_DISTINCT < other_more * part) | (
        other_fewer * _FEWER_DISTINCT < more * other_part
    )


_CHANCE_OF_DISTINCT = 2.0
_FEWER_DISTINCT = 1.25


def forgive_types(found: Evidence, place: int) -> None:
    """Let a change of type of one pair be no drift: the texts spell the numbers of the other."""
    found.effects[FAMILIES.index("types"), place] = 0.0

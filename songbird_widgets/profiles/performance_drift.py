"""How what two profiles say of a model differs: accuracy, and how far predictions are off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .drift import LEVEL, QUIET
from .drift_model import Drift, DriftTest
from .evidence import (
    FEWEST,
    MAX_EFFECT,
    SHARE_UNIT,
    SUSPICIOUS,
    chances_of_means,
    few_rows,
    from_to,
    from_to_percent,
    percent,
    reached,
    share_chances,
)
from .number_evidence import MEAN_UNIT
from .thresholds import STRONG

if TYPE_CHECKING:
    from collections.abc import Mapping


_Found = tuple[DriftTest, str, tuple[int, int]]
"""A test, what to say of it, and of how many predictions it is."""


def compare_performance(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Drift | None:
    """Compare what two profiles say of a model, as `Performance.to_dict` gives it.

    Four points of accuracy are a moderate drift and eight a strong one, like any share; a mean absolute error in units
    of 0.2 standard deviations of the errors' sizes, like any mean. Half of `LEVEL` is for each. What is certain, left
    open and excluded is decided as for columns, see `drift`.

    Returns
    -------
    Drift or None
        ``unknown`` where a change may count and may be chance, or where there are too few predictions to tell; None
        unless both say the same kind of thing.
    """
    with np.errstate(all="ignore"):
        found = [*_accuracy(before, after), *_errors(before, after)]
    if not found:
        return None
    tests = tuple(test for test, _, _ in found)
    effects, chances = np.array([[test.effect, test.p] for test in tests]).T
    counts = reached(effects, chances, np.ones(len(tests))) >= 1
    sure = [place for place, test in enumerate(tests) if test.significant and counts[place]]
    if sure:
        score = max(1.0, *(tests[place].effect for place in sure))
        reasons = tuple(found[place][1] for place in sure)
        return Drift("strong" if score >= STRONG else "moderate", score, reasons, tests=tests)
    open_ = [text for place, (test, text, _) in enumerate(found) if counts[place] and test.p <= SUSPICIOUS]
    few = [sizes for _, _, sizes in found if few_rows(*sizes)]
    if open_ or few:
        reasons = tuple(f"{text[:-1]}, but with so few predictions that may be chance." for text in open_) or (
            f"Too few predictions ({few[0][0]:,} and {few[0][1]:,}) to tell a drift from chance.",
        )
        return Drift("unknown", 0.0, reasons, tests=tests)
    worst, text, _ = max(found, key=lambda one: one[0].effect)
    return Drift("none", min(worst.effect, QUIET), notes=(text,), tests=tests)


def _said(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, kind: str) -> list[Mapping[str, Any]]:
    said = [side[kind] for side in (before, after) if side and side[kind]]
    return said if len(said) == 2 else []


def _accuracy(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[_Found]:
    said = _said(before, after, "confusion_matrix")
    if not said or not all(one["total"] for one in said):
        return []
    (accuracy, total), (other, others) = ((one["accuracy"], one["total"]) for one in said)
    chance = float(share_chances(accuracy * total, total, other * others, others))
    test = _test("accuracy", abs(other - accuracy) / SHARE_UNIT, chance, min(total, others))
    if other == accuracy:
        return [(test, f"The accuracy is {percent(accuracy)} in both.", (total, others))]
    return [(test, f"The accuracy went {from_to_percent(accuracy, other)}.", (total, others))]


def _errors(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[_Found]:
    said = _said(before, after, "regression")
    if not said or not all(one["count"] for one in said):
        return []
    (n, error, squared), (m, other, others) = (
        (one["count"], one["mean_absolute_error"], one["mean_squared_error"]) for one in said
    )
    variances = squared - error**2, others - other**2
    if not all(math.isfinite(value) and value >= 0 for value in (error, other, *variances)):
        return []
    pooled = (n * variances[0] + m * variances[1]) / (n + m) + n * m * (other - error) ** 2 / (n + m) ** 2
    chance = float(chances_of_means(abs(other - error), math.sqrt(pooled), 0.0, n, m))
    spread = math.sqrt(variances[0])
    effect = abs(other - error) / spread / MEAN_UNIT if spread else MAX_EFFECT * (other != error)
    test = _test("error", effect, chance, min(n, m))
    if other == error:
        return [(test, f"The mean absolute error is {error:.4g} in both.", (n, m))]
    return [(test, f"The mean absolute error went {from_to(error, other, 4)}.", (n, m))]


def _test(kind: str, effect: float, chance: float, fewest: int) -> DriftTest:
    return DriftTest(kind, min(effect, MAX_EFFECT), chance, chance <= LEVEL / 2 and fewest >= FEWEST)

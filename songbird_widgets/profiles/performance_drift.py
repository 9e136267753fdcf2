"""How what two profiles say of a model differs: accuracy, and how far predictions are off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .drift import LEVEL, STRONG, Drift, DriftTest
from .evidence import FEWEST, MAX_EFFECT, SHARE_UNIT, chances_of_means, from_to, from_to_percent, percent, share_chances
from .number_evidence import MEAN_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping


def compare_performance(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Drift | None:
    """Compare what two profiles say of a model, as `Performance.to_dict` gives it.

    Four points of accuracy are a moderate drift and eight a strong one, like any share; a mean absolute error in units
    of 0.2 standard deviations of the errors' sizes, like any mean. Half of `LEVEL` is for each.

    Returns
    -------
    Drift or None
        ``unknown`` where a change that would count may be chance; None unless both say the same kind of thing.
    """
    with np.errstate(all="ignore"):
        found = [*_accuracy(before, after), *_errors(before, after)]
    if not found:
        return None
    worst, text = max(found, key=lambda one: (one[0].significant and one[0].effect >= 1, one[0].effect))
    tests = tuple(test for test, _ in found)
    if worst.effect < 1:
        return Drift("none", worst.effect, notes=(text,), tests=tests)
    if not worst.significant:
        return Drift("unknown", 0.0, (f"{text[:-1]}, but with so few predictions that may be chance.",), tests=tests)
    reasons = tuple(text for test, text in found if test.significant and test.effect >= 1)
    return Drift("strong" if worst.effect >= STRONG else "moderate", worst.effect, reasons, tests=tests)


def _said(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, kind: str) -> list[Mapping[str, Any]]:
    said = [side[kind] for side in (before, after) if side and side[kind]]
    return said if len(said) == 2 else []


def _accuracy(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[tuple[DriftTest, str]]:
    said = _said(before, after, "confusion_matrix")
    if not said or not all(one["total"] for one in said):
        return []
    (accuracy, total), (other, others) = ((one["accuracy"], one["total"]) for one in said)
    chance = float(share_chances(accuracy * total, total, other * others, others))
    test = _test("accuracy", abs(other - accuracy) / SHARE_UNIT, chance, min(total, others))
    if other == accuracy:
        return [(test, f"The accuracy is {percent(accuracy)} in both.")]
    return [(test, f"The accuracy went {from_to_percent(accuracy, other)}.")]


def _errors(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[tuple[DriftTest, str]]:
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
        return [(test, f"The mean absolute error is {error:.4g} in both.")]
    return [(test, f"The mean absolute error went {from_to(error, other, 4)}.")]


def _test(kind: str, effect: float, chance: float, fewest: int) -> DriftTest:
    return DriftTest(kind, min(effect, MAX_EFFECT), chance, chance <= LEVEL / 2 and fewest >= FEWEST)

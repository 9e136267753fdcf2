"""What a comparison of columns gives: the drift of each with its measures, tests and reasons, and how many are what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["none", "moderate", "strong", "unknown", "missing", "new"]

ABSENT = 100.0
"""The score of a column that only one profile has."""


@dataclass(frozen=True)
class DriftTest:
    """What was tested of a column, and what came out.

    Attributes
    ----------
    kind : {"values", "shares", "mean", "spread", "nulls", "types", "conditions", "range", "metrics"}
        Of a model: "accuracy" or "error".
    effect : float
        In units of the default thresholds: 1 is moderate, 2 is strong.
    p : float
        Probability that chance makes such a difference between two samples of one distribution, at most.
    significant : bool
        Whether it is below what the comparison as a whole allows (S. Holm, Scand. J. Stat. 6, 1979).
    """

    kind: str
    effect: float
    p: float
    significant: bool


@dataclass(frozen=True)
class Drift:
    """How a column differs from the baseline's. None means that the sketches cannot say.

    Attributes
    ----------
    verdict : {"none", "moderate", "strong", "unknown", "missing", "new"}
        ``missing``: only the baseline has the column; ``new``: only the other profile has it.
    score : float
        The effect in units of the default thresholds (1 is moderate, 2 is strong), whichever hold here; 0 when
        unknown, 100 for a column that only one profile has.
    reasons : tuple of str
        Why, in sentences, weightiest first. They may quote values of the data: text, never markup.
    notes : tuple of str
        What could not be measured, and why.
    basis : {"deciles", "items"} or None
        The cells of `js_distance` and `psi`.
    type_change : tuple of (str, str) or None
        Inferred types before and after, if they differ.
    js_distance, js_noise : float or None
        The distance, and how large one would be seen by chance (99 %) between samples of one distribution of
        these sizes.
    psi, wasserstein, hellinger : float or None
    wasserstein_noise : float or None
        How much of a Wasserstein distance that would count sketches and chance explain.
    ks, ks_error, ks_p : float or None
        The distance as seen, the rank error of both sketches, and a p-value where that error is negligible.
    chi2, chi2_p, cramers_v, balanced_v : float or None
        The p-value only where both sketches counted everything; `balanced_v` is Cramér's V of profiles of equal size.
    covered : float or None
        The share of the values that the cells of frequent items cover, of the profile where it is smaller.
    null_delta, unique_delta, mean_shift, spread_ratio : float or None
        The mean's shift in standard deviations of the baseline; the standard deviation as a multiple of its.
    new_values, vanished_values : tuple of str or None
        Known only where both sketches counted everything.
    tests : tuple of DriftTest
        What the verdict is made of.
    """

    verdict: Verdict
    score: float
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    basis: Literal["deciles", "items"] | None = None
    type_change: tuple[str, str] | None = None
    js_distance: float | None = None
    js_noise: float | None = None
    psi: float | None = None
    wasserstein: float | None = None
    wasserstein_noise: float | None = None
    hellinger: float | None = None
    ks: float | None = None
    ks_error: float | None = None
    ks_p: float | None = None
    chi2: float | None = None
    chi2_p: float | None = None
    cramers_v: float | None = None
    balanced_v: float | None = None
    covered: float | None = None
    null_delta: float | None = None
    unique_delta: float | None = None
    mean_shift: float | None = None
    spread_ratio: float | None = None
    new_values: tuple[str, ...] | None = None
    vanished_values: tuple[str, ...] | None = None
    tests: tuple[DriftTest, ...] = ()

    @property
    def ks_beyond_error(self) -> float | None:
        """The Kolmogorov-Smirnov distance that the sketches' error cannot explain."""
        return None if self.ks is None or self.ks_error is None else max(0.0, self.ks - self.ks_error)

    @property
    def drifted(self) -> bool:
        """Whether the values changed noticeably (a column that came or went is not counted here)."""
        return self.verdict in {"moderate", "strong"}


@dataclass(frozen=True)
class DriftSummary:
    """How many columns of a comparison are what.

    Attributes
    ----------
    columns, strong, moderate, unknown, missing, new, type_changed : int
    """

    columns: int
    strong: int
    moderate: int
    unknown: int
    missing: int
    new: int
    type_changed: int


def count_verdicts(verdicts: Sequence[str], type_changed: int) -> DriftSummary:
    """Count verdicts."""
    return DriftSummary(
        columns=len(verdicts),
        type_changed=type_changed,
        **{name: verdicts.count(name) for name in ("strong", "moderate", "unknown", "missing", "new")},
    )

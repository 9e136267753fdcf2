"""How far a column of one profile is from the same column of another, from their sketches alone.

The first profile is the baseline. Every measure says how large a difference is, and none is a bare p-value:
with enough rows any difference is significant, with sketches even none. `MEASURES` names each with its
formula and source.

The verdict goes by effect size. It is ``none``, ``moderate`` or ``strong`` when the larger of these reaches 1
or 2 times its unit and stands out from the noise of sampling and sketching: the Jensen-Shannon distance of
the values in units of 0.1, the Wasserstein distance in units of a quarter of the baseline's standard
deviation, and the Jensen-Shannon distance of null against not null in units of 0.1. (For a shifted normal
distribution the first two agree: a quarter of a standard deviation is a distance of 0.106.) Where the
sketches hold too little to see even a strong drift, the verdict is ``unknown``: fewer than ten values, or
mostly values that were seen so seldom that any two samples have few of them in common (identifiers, times).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .errors import ProfileError
from .evidence import Findings, compare_nulls, compare_ratios, compare_values
from .statistics import inferred_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .container import Column, Profile

Verdict = Literal["none", "moderate", "strong", "unknown", "missing", "new"]

_NUMERIC = frozenset({"integral", "fractional", "boolean"})


@dataclass(frozen=True)
class Drift:
    """How a column differs from the baseline's. None means that the sketches cannot say.

    Attributes
    ----------
    verdict : {"none", "moderate", "strong", "unknown", "missing", "new"}
        ``missing``: only the baseline has the column; ``new``: only the other profile has it.
    score : float
        To sort by: the effect in units of the verdict's thresholds (1 is moderate, 2 is strong); 0 when
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
    chi2, chi2_p, cramers_v : float or None
        The p-value only where both sketches counted everything.
    null_delta, unique_delta, mean_shift : float or None
    new_values, vanished_values : tuple of str or None
        Known only where both sketches counted everything.
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
    null_delta: float | None = None
    unique_delta: float | None = None
    mean_shift: float | None = None
    new_values: tuple[str, ...] | None = None
    vanished_values: tuple[str, ...] | None = None

    @property
    def ks_beyond_error(self) -> float | None:
        """The Kolmogorov-Smirnov distance that the sketches' error cannot explain."""
        return None if self.ks is None or self.ks_error is None else max(0.0, self.ks - self.ks_error)

    @property
    def drifted(self) -> bool:
        """Whether the values changed noticeably (a column that came or went is not counted here)."""
        return self.verdict in {"moderate", "strong"}


def compare_columns(baseline: Column | None, other: Column | None, *, verdict_only: bool = False) -> Drift:
    """Compare a column with the baseline's.

    Parameters
    ----------
    baseline, other : Column or None
        None where the profile lacks the column; one of them is there.
    verdict_only : bool
        Find verdict, score, reasons and change of type, and none of the measures that they do not need: for
        sorting many columns, in half the time.
    """
    if other is None:
        return Drift("missing", _ABSENT, ("The column is in the baseline only.",))
    if baseline is None:
        return Drift("new", _ABSENT, ("The column is not in the baseline.",))
    found = Findings(verdict_only=verdict_only)
    types = inferred_type(baseline.types._asdict()), inferred_type(other.types._asdict())
    compare_nulls(baseline, other, found)
    change = None
    if types[0] != types[1] and "unknown" not in types:
        change = types
        text = f"The type changed from {types[0]} to {types[1]}."
        if _NUMERIC.issuperset(types):
            found.notes.append(text)  # whole numbers become fractions as soon as a null is among them
        else:
            found.effects.append((2.0, text))
    if change is None or _NUMERIC.issuperset(change):
        compare_values(baseline, other, types, found)
    else:
        found.notes.append("Values of different types are not compared.")
    if not verdict_only:
        compare_ratios(baseline, other, found)
    return _judged(found, change)


_ABSENT = 100.0


def compare_profiles(baseline: Profile, other: Profile) -> dict[str, Drift]:
    """Compare all columns of two profiles, by name in sorted order; a damaged column is ``unknown``."""
    before, after = frozenset(baseline.column_names), frozenset(other.column_names)

    def compared(name: str) -> Drift:
        try:
            first = baseline.column(name) if name in before else None
            return compare_columns(first, other.column(name) if name in after else None)
        except ProfileError as error:
            return Drift("unknown", 0.0, (str(error),))

    return {name: compared(name) for name in sorted(before | after)}


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


def summarize_drift(drifts: Iterable[Drift]) -> DriftSummary:
    """Count the verdicts of a comparison."""
    every = list(drifts)
    count = {verdict: sum(drift.verdict == verdict for drift in every) for verdict in ("strong", "moderate")}
    return DriftSummary(
        columns=len(every),
        strong=count["strong"],
        moderate=count["moderate"],
        unknown=sum(drift.verdict == "unknown" for drift in every),
        missing=sum(drift.verdict == "missing" for drift in every),
        new=sum(drift.verdict == "new" for drift in every),
        type_changed=sum(drift.type_change is not None for drift in every),
    )


def _judged(found: Findings, change: tuple[str, str] | None) -> Drift:
    effects = sorted(found.effects, reverse=True)
    score = effects[0][0] if effects else 0.0
    verdict: Verdict = "strong" if score >= 2 else "moderate" if score >= 1 else "none"
    reasons = [text for size, text in effects if size >= 1]
    if verdict == "none" and found.blind:
        verdict, score, reasons = "unknown", 0.0, found.blind
    return Drift(verdict, score, tuple(reasons), tuple(found.notes), type_change=change, **found.measures)

"""Up to three profiles side by side: statistics of each column, drift of each profile from the first, counts.

One answer for page, JSON, CSV, notebook and exit code, which are views of a `Comparison`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..basics import column_text, meant
from ..budget import checkpoint
from .drift import Drifts
from .drift_model import ABSENT, Drift, DriftSummary, count_verdicts
from .errors import ProfileError
from .performance_drift import compare_performance
from .summarizing import summarize, summarize_column
from .summary import ProfileSummary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from .data_model import Column, Profile
    from .drift_model import Verdict
    from .evidence import Evidence
    from .statistics import ColumnStatistics
    from .thresholds import Thresholds

MAX_SIDES = 3
"""Profiles in a comparison."""


@dataclass(frozen=True)
class ColumnComparison:
    """One column in every profile of a comparison.

    Attributes
    ----------
    name : str
    statistics : tuple of (ColumnStatistics or None)
        A profile each; None where it lacks the column or it cannot be read.
    drifts : tuple of (Drift or None)
        From the first profile, a profile each; None for the first itself.
    """

    name: str
    statistics: tuple[ColumnStatistics | None, ...]
    drifts: tuple[Drift | None, ...]

    @property
    def drift(self) -> Drift | None:
        """The drift of the other profile; of two others the larger one; None where there is no other."""
        return max((drift for drift in self.drifts if drift is not None), key=lambda drift: drift.score, default=None)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Up to three profiles; the first is the baseline.

    Attributes
    ----------
    sides : tuple of ProfileSummary
    labels : tuple of str
        What to call each side.
    thresholds : Thresholds or None
        From which scores on a change is moderate, and strong; None for the default.
    evidence : tuple of (Evidence or None)
        What `weigh_each` found of each side beside the first, where that is known already; empty if it is not.
    only : frozenset of str or None
        The columns, or parts of their metrics, that are compared; None for all.
    """

    sides: tuple[ProfileSummary, ...]
    labels: tuple[str, ...]
    thresholds: Thresholds | None = None
    evidence: tuple[Evidence | None, ...] = ()
    only: frozenset[str] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column of any side, sorted; parts of metrics are columns of their own."""
        return tuple(sorted(set().union(*(_chosen_names(side, self.only) for side in self.sides))))

    @cached_property
    def parents(self) -> dict[str, str]:
        """By name of a column that is a part of another's metric: the name of that other."""
        return {
            name: parent
            for side in reversed(self.sides)
            for name, parent in zip(side.names, side.parents, strict=True)
            if parent is not None
        }

    def column(self, name: str) -> tuple[Column | None, ...]:
        """Return the column in each side; None where a side lacks it or it cannot be read (see `problem`)."""
        return tuple(
            side.column(name) if name in side.places and name not in side.problems else None for side in self.sides
        )

    def problem(self, name: str) -> str | None:
        """Say why a column cannot be read in some side; None when it can be."""
        return next((side.problems[name] for side in self.sides if name in side.problems), None)

    def statistics(self, name: str) -> tuple[ColumnStatistics | None, ...]:
        """Sum up the column in each side; None where a side lacks it or it cannot be read."""
        return tuple(
            side.statistics(name) if name in side.places and name not in side.problems else None for side in self.sides
        )

    def drift(self, name: str) -> tuple[Drift | None, ...]:
        """Return the drift of each side from the first; None for the first, and where neither has the column."""
        return (None, *(versus.drift(name) for versus in self._versus))

    def verdict(self, name: str) -> tuple[Drift | None, ...]:
        """Return the same with verdict, score, reasons and change of type alone, which costs much less."""
        return (None, *(versus.drift(name, measured=False) for versus in self._versus))

    @cached_property
    def columns(self) -> dict[str, ColumnComparison]:
        """Every column by name, the one that drifted most first; see `precedence`."""
        return _ByName(
            (name, ColumnComparison(name, self.statistics(name), self.drift(name)))
            for name in sorted(self.names, key=self.precedence, reverse=True)
        )

    @property
    def drifted(self) -> tuple[str, ...]:
        """Columns whose values changed noticeably in any other profile, the largest change first, see `precedence`."""
        found = [
            name
            for name in self.names
            if any(versus.verdicts.get(name) in {"moderate", "strong"} for versus in self._versus)
        ]
        return tuple(sorted(found, key=self.precedence, reverse=True))

    def precedence(self, name: str) -> tuple[int, float]:
        """Return what to sort columns by: the larger, the more it says.

        It is the largest drift of the column in any side, in units of its thresholds; after all others that drifted
        come those that only tell the date.
        """
        rank = self._ranks.get(name, 0.0)
        return (0 if rank < 1 else 1 if name in self.calendar else 2), rank

    @cached_property
    def calendar(self) -> frozenset[str]:
        """Drifted columns that tell the date, and of which nothing else changed: they differ wherever the days do."""
        told = frozenset[str]().union(*(versus.drifts.calendar for versus in self._versus))
        return frozenset(
            name
            for name in told
            if all(name in one.drifts.calendar or one.ranks.get(name, 0.0) < 1 for one in self._versus)
        )

    @cached_property
    def _ranks(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for versus in self._versus:
            found = {name: max(rank, found.get(name, 0.0)) for name, rank in versus.ranks.items()} | {
                name: rank for name, rank in found.items() if name not in versus.ranks
            }
        return found

    @cached_property
    def _versus(self) -> tuple[Versus, ...]:
        known = self.evidence[1:] or (None,) * (len(self.sides) - 1)
        return tuple(
            Versus(self.sides[0], other, found, self.thresholds, self.only)
            for other, found in zip(self.sides[1:], known, strict=True)
        )

    @cached_property
    def running(self) -> tuple[str, ...]:
        """Running numbers that moved in some side: new values of these are no drift, all else is judged."""
        return tuple(sorted({name for versus in self._versus for name in versus.drifts.running}))

    @cached_property
    def all_null(self) -> frozenset[str]:
        """Columns that every side has, with nothing but nulls."""
        found = []
        for side in self.sides:
            rows, nulls = side.counts[:, 0], side.counts[:, 1]
            empty = np.flatnonzero(side.counted & (rows > 0) & (nulls >= rows)).tolist()
            found.append(frozenset(side.names[place] for place in empty))
        return frozenset(self.names).intersection(*found)

    def verdicts(self, side: int) -> dict[str, Verdict]:
        """Return the verdict on every column that the first side or the given one (1 or 2) has."""
        return self._versus[side - 1].verdicts

    def type_changes(self, side: int) -> dict[str, tuple[str, str]]:
        """Return the inferred types before and after, of the columns where they differ."""
        return self._versus[side - 1].type_changes

    @cached_property
    def performance(self) -> tuple[Drift | None, ...]:
        """How what each side says of a model differs from the first; None where one of both says nothing."""
        first = self.sides[0].performance
        return (None, *(compare_performance(first, side.performance) for side in self.sides[1:]))

    @cached_property
    def counts(self) -> tuple[DriftSummary | None, ...]:
        """How many columns of each side drifted from the first, and how; None for the first."""
        return (
            None,
            *(count_verdicts(list(one.verdicts.values()), len(one.type_changes)) for one in self._versus),
        )


def compare_profiles(
    sides: Sequence[Profile | ProfileSummary],
    labels: Sequence[str] | None = None,
    thresholds: Thresholds | None = None,
    only: Sequence[str] | None = None,
) -> Comparison:
    """Compare up to three profiles.

    Parameters
    ----------
    sides : sequence of (Profile or ProfileSummary)
        The first is the baseline.
    labels : sequence of str, optional
        What to call each; ``P1``, ``P2``, ``P3`` by default.
    thresholds : Thresholds, optional
        From which scores on a change is moderate, and strong.
    only : sequence of str, optional
        The columns to compare; all by default.

    Raises
    ------
    ProfileError
        None of the sides has one of `only`.
    ValueError
        There is no side, there are too many, not as many labels as sides, or thresholds of a column that is in none.
    TypeError
        One of `only` is no string.
    """
    if not 1 <= len(sides) <= MAX_SIDES:
        raise ValueError(f"One to {MAX_SIDES} profiles can be compared, not {len(sides)}.")
    named = tuple(labels) if labels is not None else tuple(f"P{place}" for place in range(1, len(sides) + 1))
    if len(named) != len(sides):
        raise ValueError(f"There are {len(sides)} profiles and {len(named)} labels.")
    summaries = tuple(side if isinstance(side, ProfileSummary) else summarize(side) for side in sides)
    comparison = Comparison(summaries, named, thresholds)
    if thresholds is not None:
        thresholds.check_names(comparison.names)
    if only is None:
        return comparison
    named_by: Sequence[object] = only
    wrong = [name for name in named_by if not isinstance(name, str)]
    if wrong:
        kind = type(wrong[0]).__name__
        raise TypeError(f"Columns are named by strings, as profiles keep them, not by {kind}: {wrong[0]!r:.60}.")
    unknown = sorted(set(only).difference(comparison.names))
    if unknown or not only:
        listed = ", ".join(column_text(name) for name in unknown[:_MOST_NAMED])
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        if not unknown:
            raise ProfileError("No column is named.")
        raise ProfileError(f"No profile has a column called {listed}{more}.{meant(unknown[0], comparison.names)}")
    return replace(comparison, only=frozenset(only))


class _ByName(dict[str, "ColumnComparison"]):
    """Columns by name; a name that there is not is answered with one that may be meant."""

    def __missing__(self, name: object) -> ColumnComparison:
        raise KeyError(f"There is no column {name!r:.200}.{meant(name, self)}")


def compare_columns(baseline: Column | None, other: Column | None) -> Drift:
    """Compare one column with the baseline's, as if the profiles had no others.

    Parameters
    ----------
    baseline, other : Column or None
        None where the profile lacks the column; one of them is there.
    """
    if other is None:
        return _MISSING
    if baseline is None:
        return _NEW
    first, second = summarize_column(baseline), summarize_column(replace(other, name=baseline.name))
    drift = Versus(first, second).drift(baseline.name)
    assert drift is not None
    return drift


def shared_names(baseline: ProfileSummary, other: ProfileSummary) -> list[str]:
    """Return the columns that both have and that can be read in both."""
    unreadable = baseline.problems.keys() | other.problems.keys()
    if not unreadable and baseline.names == other.names:
        return list(baseline.names)
    return [name for name in baseline.names if name in other.places and name not in unreadable]


def _chosen_names(side: ProfileSummary, only: frozenset[str] | None) -> AbstractSet[str]:
    """Return the columns of a side that are compared; the parts of a column's metrics are so with it."""
    if only is None:
        return side.places.keys()
    pairs = zip(side.names, side.parents, strict=True)
    return frozenset(name for name, parent in pairs if name in only or parent in only)


_MOST_NAMED = 5


def _of_part(part: str, reasons: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{part}: {text}" for text in reasons)


_MISSING = Drift("missing", ABSENT, ("The column is in the baseline only.",))
_NEW = Drift("new", ABSENT, ("The column is not in the baseline.",))
_RANKS: dict[str, int] = {"none": 0, "unknown": 1, "moderate": 2, "strong": 3}


class Versus:
    """One profile against the baseline: what is said of every column that either has.

    Parameters
    ----------
    baseline, other : ProfileSummary
    evidence : Evidence, optional
        What was found of the columns that `shared_names` names, if that is known already.
    thresholds : Thresholds, optional
        From which scores on a change is moderate, and strong.
    only : frozenset of str, optional
        The columns to compare; all by default.
    """

    def __init__(
        self,
        baseline: ProfileSummary,
        other: ProfileSummary,
        evidence: Evidence | None = None,
        thresholds: Thresholds | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        checkpoint()
        before, after = _chosen_names(baseline, only), _chosen_names(other, only)
        problems = {**other.problems, **baseline.problems}
        self.problems = {name: reason for name, reason in problems.items() if name in before or name in after}
        shared = [name for name in shared_names(baseline, other) if only is None or name in before or name in after]
        self.drifts = Drifts(baseline, other, shared, evidence, thresholds)
        self.missing = before - after
        self.new = after - before
        # A column that holds nothing but a compound metric drifts as that metric's parts do.
        self.parts: dict[str, list[str]] = {}
        for name, parent in zip(baseline.names, baseline.parents, strict=True):
            if parent is not None and name in self.drifts.places and parent in self.drifts.places:
                self.parts.setdefault(parent, []).append(name)
        self.parts = {
            name: parts for name, parts in self.parts.items() if all(side.is_bare(name) for side in (baseline, other))
        }

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        checkpoint()
        found = dict(zip(self.drifts.places, self.drifts.verdicts, strict=True))
        found |= {name: self._verdict(name) for name in (*self.parts, *self.missing, *self.new, *self.problems)}
        return {name: found[name] for name in sorted(found)}

    @cached_property
    def ranks(self) -> dict[str, float]:
        found = dict(zip(self.drifts.places, self.drifts.ranks.tolist(), strict=True))
        return found | {name: self._rank(name) for name in (*self.parts, *self.missing, *self.new, *self.problems)}

    @cached_property
    def type_changes(self) -> dict[str, tuple[str, str]]:
        found = ((name, self.drifts.type_change(name)) for name in self.drifts.places)
        return {name: change for name, change in found if change is not None}

    def _verdict(self, name: str) -> Verdict:
        if name in self.missing:
            return "missing"
        if name in self.new:
            return "new"
        if name in self.problems:
            return "unknown"
        return self.drifts.verdict(self.leading(name))

    def _rank(self, name: str) -> float:
        if name in self.missing or name in self.new:
            return ABSENT
        return 0.0 if name in self.problems else self.drifts.rank(self.leading(name))

    def leading(self, name: str) -> str:
        """Return the part that a column's verdict is of, or the column itself."""
        parts = self.parts.get(name)
        if not parts:
            return name
        return max(parts, key=lambda part: (_RANKS[self.drifts.verdict(part)], self.drifts.rank(part)))

    def drift(self, name: str, *, measured: bool = True) -> Drift | None:
        if name in self.missing:
            return _MISSING
        if name in self.new:
            return _NEW
        if name in self.problems:
            return Drift("unknown", 0.0, (str(ProfileError(self.problems[name], column=name)),))
        if name not in self.drifts.places:
            return None
        leading = self.leading(name)
        drift = self._described(leading) if measured else self.drifts.brief(leading)
        return drift if leading == name else Drift(drift.verdict, drift.score, _of_part(leading, drift.reasons))

    def reasons(self, name: str) -> tuple[str, ...]:
        """Say why the verdict on a column that both have is what it is."""
        leading = self.leading(name)
        reasons = self.drifts.reasons(leading)
        return reasons if leading == name else _of_part(leading, reasons)

    def _described(self, name: str) -> Drift:
        try:
            return self.drifts.describe(name)
        except ProfileError as error:
            return Drift("unknown", 0.0, (str(error),))

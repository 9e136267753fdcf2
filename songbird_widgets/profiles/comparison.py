"""Up to three profiles side by side: statistics of each column, drift of each profile from the first, counts.

One answer for page, JSON, CSV, notebook and exit code, which are views of a `Comparison`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .drift import Drift, DriftSummary, compare_columns, summarize_drift
from .errors import ProfileError
from .summary import ProfileSummary, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .container import Column, Profile
    from .statistics import ColumnStatistics

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
    """

    sides: tuple[ProfileSummary, ...]
    labels: tuple[str, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column of any side, sorted; parts of metrics are columns of their own."""
        return tuple(sorted(frozenset().union(*(side.names for side in self.sides))))

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
        return (None, *(found.get(name) for found in self._drifts))

    @cached_property
    def columns(self) -> dict[str, ColumnComparison]:
        """Every column by name, the one that drifted most first."""
        found = [ColumnComparison(name, self.statistics(name), self.drift(name)) for name in self.names]
        found.sort(key=lambda column: (-(column.drift.score if column.drift else 0.0), column.name))
        return {column.name: column for column in found}

    @property
    def drifted(self) -> tuple[str, ...]:
        """Columns whose values changed noticeably in any other profile, the largest change first."""
        return tuple(
            name for name, column in self.columns.items() if any(drift and drift.drifted for drift in column.drifts)
        )

    @cached_property
    def _drifts(self) -> tuple[dict[str, Drift], ...]:
        return tuple(_drifts(self.sides[0], other) for other in self.sides[1:])

    def scores(self, side: int) -> dict[str, float]:
        """Return the drift score of every column that the first or the given side has, to sort by."""
        return {name: drift.score for name, drift in self._drifts[side - 1].items()}

    def verdicts(self, side: int) -> dict[str, str]:
        """Return the verdict on every column that the first or the given side has."""
        return {name: drift.verdict for name, drift in self._drifts[side - 1].items()}

    @cached_property
    def counts(self) -> tuple[DriftSummary | None, ...]:
        """How many columns of each side drifted from the first, and how; None for the first."""
        return (None, *(summarize_drift(found.values()) for found in self._drifts))


def compare(sides: Sequence[Profile | ProfileSummary], labels: Sequence[str] | None = None) -> Comparison:
    """Compare up to three profiles.

    Parameters
    ----------
    sides : sequence of (Profile or ProfileSummary)
        The first is the baseline.
    labels : sequence of str, optional
        What to call each; ``P1``, ``P2``, ``P3`` by default.

    Raises
    ------
    ValueError
        There is no side, there are too many, or not as many labels as sides.
    """
    if not 1 <= len(sides) <= MAX_SIDES:
        raise ValueError(f"One to {MAX_SIDES} profiles can be compared, not {len(sides)}.")
    named = tuple(labels) if labels is not None else tuple(f"P{place}" for place in range(1, len(sides) + 1))
    if len(named) != len(sides):
        raise ValueError(f"There are {len(sides)} profiles and {len(named)} labels.")
    return Comparison(tuple(side if isinstance(side, ProfileSummary) else summarize(side) for side in sides), named)


def _drifts(baseline: ProfileSummary, other: ProfileSummary) -> dict[str, Drift]:
    def compared(name: str) -> Drift:
        try:
            first = baseline.column(name) if name in baseline.places else None
            return compare_columns(first, other.column(name) if name in other.places else None)
        except ProfileError as error:
            return Drift("unknown", 0.0, (str(error),))

    return {name: compared(name) for name in sorted({*baseline.names, *other.names})}

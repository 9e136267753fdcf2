"""The columns of up to three profiles as a page lists them: order, search, filters. A view of their `Comparison`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from songbird_widgets.budget import checkpoint
from songbird_widgets.profiles import compare_profiles
from songbird_widgets.profiles.statistics import column_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from songbird_widgets.profiles import Column, ColumnStatistics, Comparison, Drift

    from .query import PageQuery
    from .sides import Side

T = TypeVar("T")

MAX_ROWS_KEPT = 200
"""Drawn rows that a view keeps, about 6 kB each."""

MAX_COLUMNS_KEPT = 10
"""Columns that a view keeps as they were read, up to 50 kB each: a page looks at one several times in a row."""


@dataclass(frozen=True)
class DriftCounts:
    """How many columns drifted from P1 in any other profile, and how."""

    drifted: int
    strong: int
    unknown: int
    type_changed: int


class Columns:
    """One column in each shown side.

    Parameters
    ----------
    view
        Where from.
    name
        The column's name.
    """

    def __init__(self, view: View, name: str) -> None:
        self.name = name
        self.places = view.places
        self._comparison = view.comparison

    @cached_property
    def columns(self) -> tuple[Column | None, ...]:
        """The columns; None for a side that has none of that name, or an unreadable one."""
        return self._comparison.column(self.name)

    @cached_property
    def statistics(self) -> tuple[ColumnStatistics | None, ...]:
        """The figures of each; None as in `columns`."""
        return tuple(None if column is None else column_statistics(column) for column in self.columns)

    @cached_property
    def drifts(self) -> tuple[Drift | None, ...]:
        """How far each is from the first; None for the first itself, and where neither has the column."""
        return self._comparison.drift(self.name)

    @cached_property
    def verdicts(self) -> tuple[Drift | None, ...]:
        """The same without measures."""
        return self._comparison.verdict(self.name)

    def problem(self, index: int) -> str | None:
        """Why the column of a side cannot be read."""
        return self._comparison.sides[index].problems.get(self.name)

    @property
    def first(self) -> ColumnStatistics | None:
        """The figures of the first side that has the column."""
        return next((one for one in self.statistics if one), None)

    @property
    def type_changed(self) -> bool:
        """Whether any side holds values of another inferred type than the first."""
        return any(drift and drift.type_change for drift in self.verdicts)

    @property
    def has_insights(self) -> bool:
        """Whether something deserves a look."""
        return any(one and one.insights for one in self.statistics)


class View:
    """One to three profiles side by side.

    Parameters
    ----------
    sides
        The profiles asked for; those with a problem take part in no comparison.
    comparison
        Of the sides that can be shown, if it was made already.
    """

    def __init__(self, sides: Sequence[Side], comparison: Comparison | None = None) -> None:
        self.sides = tuple(sides)
        self.shown = tuple(side for side in self.sides if side.summary is not None)
        self.places = tuple(place for place, side in enumerate(self.sides, start=1) if side.summary is not None)
        self._rows: dict[str, Any] = {}
        self._columns: dict[str, Columns] = {}
        self._keys: dict[str, dict[str, tuple[float, str] | None]] = {}
        self._given = comparison

    @cached_property
    def comparison(self) -> Comparison:
        """What is said of the sides that can be shown."""
        return self._given or compare_profiles(
            [side.summary for side in self.shown if side.summary], [side.label for side in self.shown]
        )

    @property
    def performance(self) -> tuple[Drift | None, ...]:
        """How what each shown side says of a model differs from the first; None where one of both says nothing."""
        return self.comparison.performance if self.shown else ()

    @property
    def several(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.shown) > 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column of any side, in the order of names, parts of a column (``column.part``) after it."""
        return tuple(sorted(self.comparison.names, key=self._by_name()))

    @property
    def parents(self) -> dict[str, str]:
        """Which columns are parts of another: ``text.digits`` of ``text``."""
        return self.comparison.parents

    def _by_name(self) -> Callable[[str], tuple[str, str, str]]:
        parents = self.parents
        tops: dict[str, str] = {}
        for name in self.comparison.names:
            parent = parents.get(name)
            tops[name] = name if parent is None else tops.get(parent, parent)  # a parent's name is sorted before
        return lambda name: (tops[name].casefold(), tops[name], "" if name == tops[name] else name)

    def columns(self, name: str) -> Columns:
        """Return a column in all shown sides; decodes nothing yet."""
        found = self._columns.get(name)
        if found is None:
            found = Columns(self, name)
            if len(self._columns) >= MAX_COLUMNS_KEPT:
                self._columns.clear()
            self._columns[name] = found
        return found

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """Return what was drawn of a column, kept for the next time unless there is too much."""
        if name not in self._rows:
            drawn = make()
            if len(self._rows) >= MAX_ROWS_KEPT:
                self._rows.clear()
            self._rows[name] = drawn
            return drawn
        found: T = self._rows[name]
        return found

    @cached_property
    def _names_of(self) -> tuple[frozenset[str], ...]:
        compared = frozenset(self.names)
        return tuple(compared.intersection(side.names) for side in self.comparison.sides)

    @cached_property
    def missing(self) -> frozenset[str]:
        """The columns that P1 has and another side lacks."""
        return self._names_of[0].difference(frozenset.intersection(*self._names_of))

    @cached_property
    def new(self) -> frozenset[str]:
        """The columns that P1 lacks."""
        return frozenset(self.names) - self._names_of[0]

    @cached_property
    def only_in_one(self) -> frozenset[str]:
        """The columns that exactly one of several sides has."""
        once: frozenset[str] = frozenset()
        again: frozenset[str] = frozenset()
        for names in self._names_of:
            again |= once & names
            once |= names
        return once - again if self.several else frozenset()

    @cached_property
    def verdicts(self) -> dict[str, tuple[str, ...]]:
        """By name: the verdict on each side after the first."""
        checkpoint()
        each = [self.comparison.verdicts(index) for index in range(1, len(self.shown))]
        found = zip(*(map(one.get, self.names) for one in each), strict=True) if each else [()] * len(self.names)
        return {name: tuple(filter(None, verdicts)) for name, verdicts in zip(self.names, found, strict=True)}

    @cached_property
    def type_changed(self) -> frozenset[str]:
        """The columns whose inferred type changed in any side."""
        return frozenset().union(*(self.comparison.type_changes(index) for index in range(1, len(self.shown))))

    @cached_property
    def drift_counts(self) -> DriftCounts | None:
        """How many columns drifted; None for a single profile."""
        if not self.several:
            return None
        drifted = strong = unknown = 0
        for verdicts, count in Counter(self.verdicts.values()).items():
            moved = "strong" in verdicts or "moderate" in verdicts
            drifted += count * moved
            strong += count * ("strong" in verdicts)
            unknown += count * (not moved and "unknown" in verdicts)
        return DriftCounts(drifted, strong, unknown, len(self.type_changed))

    def _keys_of(self, sort: str) -> dict[str, tuple[float, str] | None]:
        """By name: what columns are sorted by, kept of the last order alone."""
        if sort not in self._keys:
            self._keys = {sort: {name: _key(self.columns(name).first, sort) for name in self.names}}
        return self._keys[sort]

    @cached_property
    def _kinds(self) -> dict[str, tuple[str, bool, bool]]:
        """By name: inferred type, whether it is discrete, whether something deserves a look."""
        found = {}
        for name in self.names:
            columns = self.columns(name)
            first = columns.first
            found[name] = (
                "" if first is None else first.inferred_type,
                first is not None and first.is_discrete,
                columns.has_insights,
            )
        return found

    @cached_property
    def discrete(self) -> frozenset[str]:
        """The columns that take few values."""
        return frozenset(name for name, (_, discrete, _) in self._kinds.items() if discrete)

    @cached_property
    def with_insights(self) -> frozenset[str]:
        """The columns of which something deserves a look."""
        return frozenset(name for name, (_, _, insights) in self._kinds.items() if insights)

    def selected(self, query: PageQuery) -> list[str]:
        """Return the names of the columns that the search and filters leave, in the order asked for."""
        search = query.search.casefold()
        names = [
            name
            for name in self.names
            if search in name.casefold() and (not query.highlights or name in query.highlights)
        ]
        for show in query.show:
            names = [name for name in names if self._shows(show, name)]
        if query.types:
            names = [name for name in names if self._kinds[name][0] in query.types]
        return self._ordered(names, query)

    def _shows(self, show: str, name: str) -> bool:
        if show == "drifted":
            return "strong" in self.verdicts[name] or "moderate" in self.verdicts[name]
        sets: dict[str, Callable[[], frozenset[str]]] = {
            "missing": lambda: self.missing,
            "new": lambda: self.new,
            "only-in-one": lambda: self.only_in_one,
            "type-changed": lambda: self.type_changed,
            "insights": lambda: self.with_insights,
            "discrete": lambda: self.discrete,
            "non-discrete": lambda: frozenset(self.names) - self.discrete,
        }
        return name in sets[show]()

    def order(self, query: PageQuery) -> tuple[str, bool]:
        """Return what the columns are sorted by, and whether the other way round: by drift unless asked otherwise."""
        if query.sort:
            return query.sort, query.descending
        return ("drift", True) if self.several else ("name", False)

    def _ordered(self, names: list[str], query: PageQuery) -> list[str]:
        sort, descending = self.order(query)
        if sort == "name" or (sort == "drift" and not self.several):
            return names[::-1] if descending else names
        key = self.comparison.precedence if sort == "drift" else self._keys_of(sort).__getitem__
        keyed = [(key(name), name) for name in names]
        present = [(value, name) for value, name in keyed if value is not None]
        # Equal columns keep the order of names; those without a value stay last, whichever way the others run.
        present.sort(key=lambda one: one[0], reverse=descending)
        return [name for _, name in present] + [name for value, name in keyed if value is None]


def _key(statistics: ColumnStatistics | None, sort: str) -> tuple[float, str] | None:
    value = None if statistics is None else SORT_KEYS[sort](statistics)
    if isinstance(value, str):
        return (0.0, value)
    return None if value is None or math.isnan(value) else (value, "")


SORT_KEYS: dict[str, Callable[[ColumnStatistics], float | str | None]] = {
    "count": lambda s: s.count,
    "mean": lambda s: s.mean,
    "median": lambda s: s.median,
    "min": lambda s: s.minimum,
    "max": lambda s: s.maximum,
    "stddev": lambda s: s.stddev,
    "nulls": lambda s: s.null_fraction,
    "unique": lambda s: s.unique_estimate,
    "discrete": lambda s: s.is_discrete,
    "type": lambda s: s.inferred_type,
    "type-count": lambda s: s.type_counts.get(s.inferred_type),
}

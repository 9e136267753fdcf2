"""The columns of up to three profiles, put side by side: statistics and drift of each, order, filters.

Only the columns of the page are decoded, unless the order or a filter asks for all of them: then helper processes
look at them (`songbird_widgets.service.survey`). What was computed is kept, by the hashes of the files, within a
bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from songbird_widgets.profiles import ProfileError

from .cache import Cache
from .sides import MAX_OUTLINE_NAMES
from .survey import Surveyors, What, drift_of, facts_of, mark_of, read_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from songbird_widgets.profiles import Column, ColumnStatistics, Drift, Profile

    from .query import PageQuery
    from .sides import Side
    from .survey import Facts, Mark

MAX_FACTS = 9_000
"""Columns whose statistics are kept: those of three profiles of 3,000 columns; about 2 KB each."""

MAX_MARKS = 24_000
"""Pairs of columns whose drift is kept; about 300 B each."""

SMALL = 200
"""Columns up to which every page looks at all of them at once; beyond, helper processes do."""

MAX_AHEAD = 5_000
"""Columns up to which drift is looked for before anybody asks for it."""


@dataclass(frozen=True)
class DriftCounts:
    """How many columns drifted from P1, and how."""

    drifted: int
    strong: int
    unknown: int
    type_changed: int


@dataclass(frozen=True)
class KindCounts:
    """How many columns are of which kind."""

    insights: int
    discrete: int


class Shelf(Protocol):
    """Where profiles are opened."""

    def opened(self, side: Side) -> Profile:
        """Return a side's profile, merged if it has several files."""

    def paths(self, side: Side) -> list[Path]:
        """Return where a side's files lie."""


@dataclass
class Library:
    """The shelf of profiles, and what was computed from them.

    Parameters
    ----------
    shelf
        Opened profiles.
    """

    shelf: Shelf
    surveyors: Surveyors = field(default_factory=Surveyors)
    #: What is known of every column, by name: facts of a side, or marks of a pair of sides.
    tables: dict[What, Cache[dict[str, Any]]] = field(
        default_factory=lambda: {"facts": Cache(MAX_FACTS, len), "marks": Cache(MAX_MARKS, len)}
    )
    orders: Cache[tuple[tuple[str, ...], dict[str, str]]] = field(
        default_factory=lambda: Cache(MAX_OUTLINE_NAMES, lambda order: len(order[0]))
    )
    drift_counts: Cache[DriftCounts] = field(default_factory=lambda: Cache(500, lambda _: 1))
    kind_counts: Cache[KindCounts] = field(default_factory=lambda: Cache(500, lambda _: 1))


class Columns:
    """One column in each shown side, decoded when first looked at.

    Parameters
    ----------
    comparison
        Where from.
    name
        The column's name.
    """

    def __init__(self, comparison: Comparison, name: str) -> None:
        self.comparison = comparison
        self.sides = comparison.shown
        self.name = name

    @cached_property
    def read(self) -> list[Column | str | None]:
        """The columns, or why one cannot be read; None for a side that has none of that name."""
        return [self._read(side) if self.name in side.names else None for side in self.sides]

    def _read(self, side: Side) -> Column | str:
        try:
            return read_column(self.comparison.library.shelf.opened(side), self.name)
        except (ProfileError, FileNotFoundError):
            return "The file is missing from the store, or was damaged there."

    @property
    def decoded(self) -> list[Column | None]:
        """The columns; None for a side that has none of that name, or an unreadable one."""
        return [None if isinstance(column, str) else column for column in self.read]

    @cached_property
    def facts(self) -> list[Facts | None]:
        """The statistics of each; None for a side that has no such column."""
        return [
            facts_of(self.read[index]) if table is None else table.get(self.name)
            for index, table in enumerate(self.comparison.tables("facts"))
        ]

    @cached_property
    def marks(self) -> list[Mark | None]:
        """How far each is from the first; None for the first itself."""
        return [None] + [
            mark_of(self.read[0], self.read[index]) if table is None else table.get(self.name)
            for index, table in enumerate(self.comparison.tables("marks"), start=1)
        ]

    def drift(self, index: int) -> Drift | None:
        """Return all measures of the drift of one side from the first; None where neither has the column."""
        return drift_of(self.read[0], self.read[index])

    @property
    def first(self) -> ColumnStatistics | None:
        """The statistics of the first side that has the column."""
        return next((facts.statistics for facts in self.facts if facts and facts.statistics), None)

    @property
    def type_changed(self) -> bool:
        """Whether any side holds values of another inferred type than the first."""
        return any(mark and mark.type_changed for mark in self.marks)

    @property
    def has_insights(self) -> bool:
        """Whether something deserves a look."""
        return any(facts and facts.statistics and facts.statistics.insights for facts in self.facts)

    @property
    def drifted(self) -> bool:
        """Whether any side drifted from the first."""
        return any(mark and mark.drifted for mark in self.marks)

    @property
    def score(self) -> float | None:
        """The largest drift from the first, to sort by."""
        return max((mark.score for mark in self.marks if mark), default=None)


@dataclass
class Comparison:
    """One to three profiles side by side.

    Parameters
    ----------
    library
        Where statistics come from.
    sides
        The profiles asked for; those with a problem take part in no comparison.
    """

    library: Library
    sides: tuple[Side, ...]
    _kept: dict[str, Columns] = field(default_factory=dict, init=False, repr=False)
    _tables: dict[What, list[dict[str, Any] | None]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def shown(self) -> tuple[Side, ...]:
        """The sides that can be shown."""
        return tuple(side for side in self.sides if side.outline)

    @property
    def several(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.shown) > 1

    @property
    def names(self) -> tuple[str, ...]:
        """Every column of any side, in the order of names, parts of a column (``column.part``) after it."""
        return self._order[0]

    @property
    def parents(self) -> dict[str, str]:
        """Which columns are parts of another.

        whylogs splits compound metrics before it uploads to a guest session: ``text`` becomes ``text`` and
        ``text.digits``, ``text.letters``, ….
        """
        return self._order[1]

    @cached_property
    def _order(self) -> tuple[tuple[str, ...], dict[str, str]]:
        return self.library.orders.through(self._fingerprints, self._in_order)

    def _in_order(self) -> tuple[tuple[str, ...], dict[str, str]]:
        known = frozenset[str]().union(*(side.names for side in self.shown))
        names = tuple(sorted(known, key=lambda name: _by_name(name, known)))
        return names, {name: parent for name in names if (parent := _parent(name, known))}

    @cached_property
    def missing(self) -> frozenset[str]:
        """The columns that P1 has and another side lacks."""
        return self.shown[0].names.difference(frozenset.intersection(*(side.names for side in self.shown)))

    @cached_property
    def new(self) -> frozenset[str]:
        """The columns that P1 lacks."""
        return frozenset(self.names) - self.shown[0].names

    @cached_property
    def only_in_one(self) -> frozenset[str]:
        """The columns that exactly one of several sides has."""
        once: frozenset[str] = frozenset()
        again: frozenset[str] = frozenset()
        for side in self.shown:
            again |= once & side.names
            once |= side.names
        return once - again if self.several else frozenset()

    def columns(self, name: str) -> Columns:
        """Return a column in all shown sides; decodes nothing yet."""
        if len(self.names) > SMALL:
            return Columns(self, name)
        # Few enough to stay decoded while a page is made: its summary and its rows look at the same ones.
        if name not in self._kept:
            self._kept[name] = Columns(self, name)
        return self._kept[name]

    def tables(self, what: What) -> list[dict[str, Any] | None]:
        """Return the facts of each side, or the marks of each but the first; None where not all columns are known."""
        if what not in self._tables:
            self._tables[what] = [self.library.tables[what].get(key) for key in self._keys(what)]
        return self._tables[what]

    def _keys(self, what: What) -> list[tuple[Any, ...]]:
        if what == "facts":
            return [side.fingerprint for side in self.shown]
        return [(self.shown[0].fingerprint, side.fingerprint) for side in self.shown[1:]]

    def know(self, what: What, *, wait: bool = True) -> bool:
        """Have facts or marks of every column at hand.

        Parameters
        ----------
        what
            Which of them.
        wait
            Whether to wait where that takes long; else it is only begun, for the next one who asks.

        Returns
        -------
        bool
            Whether `tables` has them now. If not, each column is looked at when it is asked for.
        """
        tables = self.tables(what)
        absent = [index for index, table in enumerate(tables) if table is None]
        if not absent:
            return True
        if len(self.names) <= SMALL:
            made = [self._table(what, index) for index in absent]
            self._keep(what, absent, made)
        else:
            keys = self._keys(what)
            survey = self.library.surveyors.begin(
                (what, *(keys[index] for index in absent)), partial(self._survey, what, absent), ahead=not wait
            )
            if survey is None or not wait:
                return False
            try:
                made = survey.result()
            except (ProfileError, FileNotFoundError):  # files that went bad: each column will say so
                return False
        for index, table in zip(absent, made, strict=True):
            tables[index] = table
        return True

    def _table(self, what: What, index: int) -> dict[str, Any]:
        columns = [self.columns(name) for name in self.names]
        each: list[Any] = [one.facts[index] if what == "facts" else one.marks[index + 1] for one in columns]
        return {name: found for name, found in zip(self.names, each, strict=True) if found is not None}

    def _survey(self, what: What, absent: list[int]) -> list[dict[str, Any]]:
        sides = [self.shown[index] for index in absent]
        if what == "marks":
            sides = [self.shown[0], *(self.shown[index + 1] for index in absent)]
        shelf = self.library.shelf
        found = self.library.surveyors.look([shelf.paths(side) for side in sides], self.names, what)
        tables = [
            {name: values[place] for name, values in found.items() if values[place] is not None}
            for place in range(len(absent))
        ]
        self._keep(what, absent, tables)
        return tables

    def _keep(self, what: What, absent: list[int], tables: list[dict[str, Any]]) -> None:
        keys = self._keys(what)
        for index, table in zip(absent, tables, strict=True):
            self.library.tables[what].put(keys[index], table)

    def drift_counts(self, *, wait: bool) -> DriftCounts | None:
        """Count the columns that drifted.

        Parameters
        ----------
        wait
            Whether to look at all columns however many they are; otherwise None if they are many and were not
            looked at before.
        """
        if not self.several:
            return None
        key = self._fingerprints
        known = self.library.drift_counts.get(key)
        if known is not None or not (wait or len(self.names) <= SMALL or None not in self.tables("marks")):
            return known
        self.know("marks")
        drifted = strong = unknown = type_changed = 0
        for columns in self._each():
            verdicts = {mark.verdict for mark in columns.marks if mark}
            drifted += columns.drifted
            strong += "strong" in verdicts
            unknown += not columns.drifted and "unknown" in verdicts
            type_changed += columns.type_changed
        counts = DriftCounts(drifted, strong, unknown, type_changed)
        self.library.drift_counts.put(key, counts)
        return counts

    def look_ahead(self) -> None:
        """Begin to look for drift among many columns: who sees their page will want to know."""
        if self.several and SMALL < len(self.names) <= MAX_AHEAD:
            self.know("marks", wait=False)

    def kind_counts(self, *, wait: bool) -> KindCounts | None:
        """Count the columns of each kind; None if they are many and were not looked at before."""
        key = self._fingerprints
        known = self.library.kind_counts.get(key)
        if known is not None or not (wait or len(self.names) <= SMALL):
            return known
        self.know("facts")
        insights = discrete = 0
        for columns in self._each():
            insights += columns.has_insights
            discrete += (first := columns.first) is not None and first.is_discrete
        counts = KindCounts(insights, discrete)
        self.library.kind_counts.put(key, counts)
        return counts

    @property
    def _fingerprints(self) -> tuple[tuple[str, ...], ...]:
        return tuple(side.fingerprint for side in self.shown)

    def _each(self, names: Sequence[str] | None = None) -> Iterator[Columns]:
        return (self.columns(name) for name in (self.names if names is None else names))

    def selected(self, query: PageQuery) -> list[str]:
        """Return the names of the columns that the search and filters leave, in the order asked for."""
        for what in query.looks_at:
            self.know(what)
        names = [name for name in self.names if _matches(name, query)]
        for test in self._tests(query):
            names = [columns.name for columns in self._each(names) if test(columns)]
        return self._ordered(names, query)

    def _tests(self, query: PageQuery) -> list[Callable[[Columns], bool]]:
        tests: dict[str, Callable[[Columns], bool]] = {
            "missing": lambda columns: columns.name in self.missing,
            "new": lambda columns: columns.name in self.new,
            "only-in-one": lambda columns: columns.name in self.only_in_one,
            "drifted": lambda columns: columns.drifted,
            "type-changed": lambda columns: columns.type_changed,
            "insights": lambda columns: columns.has_insights,
            "discrete": lambda columns: (first := columns.first) is not None and first.is_discrete,
            "non-discrete": lambda columns: (first := columns.first) is not None and not first.is_discrete,
        }
        wanted = [tests[show] for show in query.show]
        if query.types:
            wanted.append(lambda columns: (first := columns.first) is not None and first.inferred_type in query.types)
        return wanted

    def _ordered(self, names: list[str], query: PageQuery) -> list[str]:
        if query.sort == "name":
            return names[::-1] if query.descending else names
        keyed = [(_key(columns, query.sort), columns.name) for columns in self._each(names)]
        present = [(key, name) for key, name in keyed if key is not None]
        # Equal columns keep the order of names; those without a value stay last, whichever way the others run.
        present.sort(key=lambda one: one[0], reverse=query.descending)
        return [name for _, name in present] + [name for key, name in keyed if key is None]


def _key(columns: Columns, sort: str) -> tuple[float, str] | None:
    if sort == "drift":
        return None if columns.score is None else (columns.score, "")
    statistics = columns.first
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


def _matches(name: str, query: PageQuery) -> bool:
    if query.highlights and name not in query.highlights:
        return False
    return query.search.casefold() in name.casefold()


def _parent(name: str, known: frozenset[str]) -> str | None:
    at = name.rfind(".")
    while at > 0:
        if name[:at] in known:
            return name[:at]
        at = name.rfind(".", 0, at)
    return None


def _by_name(name: str, known: frozenset[str]) -> tuple[str, str, str]:
    """Order by the outermost parent, then itself: ``a``, ``a.part``, ``a-b``."""
    top = name
    while parent := _parent(top, known):
        top = parent
    return (top.casefold(), top, "" if name == top else name)

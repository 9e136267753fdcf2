"""The columns of up to three profiles, put side by side: statistics and drift of each, order, filters.

Only the columns of the page are decoded, unless the order or a filter asks for all of them. What was computed
is kept, by the hashes of the files, within a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from songbird_widgets.profiles import (
    ColumnStatistics,
    Drift,
    ProfileError,
    column_statistics,
    compare_columns,
)

from .cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from songbird_widgets.profiles import Column

    from .loading import Shelf, Side
    from .query import PageQuery

MOST_FACTS = 9_000
"""Columns whose statistics are kept: those of three profiles of 3,000 columns; about 2 KB each."""

MOST_MARKS = 12_000
"""Pairs of columns whose drift is kept."""

SMALL = 200
"""Columns up to which every page looks at all of them, for its summary; beyond, it does so when asked to."""


@dataclass(frozen=True)
class Facts:
    """One column of one profile.

    Parameters
    ----------
    statistics
        What its sketches and counters say; None when they cannot be read.
    trouble
        Why they cannot.
    """

    statistics: ColumnStatistics | None
    trouble: str | None = None


@dataclass(frozen=True)
class Mark:
    """How far a column of another profile is from P1's.

    Parameters
    ----------
    verdict
        ``none``, ``moderate``, ``strong``, ``unknown``, ``missing`` or ``new``.
    score
        To sort by: 1 is moderate, 2 is strong.
    why
        Reasons in words.
    """

    verdict: str
    score: float
    why: str
    type_changed: bool = False

    @property
    def drifted(self) -> bool:
        """Whether the values changed noticeably."""
        return self.verdict in {"moderate", "strong"}


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


@dataclass
class Library:
    """The shelf of profiles, and what was computed from them.

    Parameters
    ----------
    shelf
        Opened profiles.
    """

    shelf: Shelf
    facts: Cache[Facts] = field(default_factory=lambda: Cache(MOST_FACTS, lambda _: 1))
    marks: Cache[Mark] = field(default_factory=lambda: Cache(MOST_MARKS, lambda _: 1))
    drift_counts: Cache[DriftCounts] = field(default_factory=lambda: Cache(500, lambda _: 1))
    kind_counts: Cache[KindCounts] = field(default_factory=lambda: Cache(500, lambda _: 1))


class Columns:
    """One column in each shown side, decoded when first looked at.

    Parameters
    ----------
    library, sides
        Where from.
    name
        The column's name.
    """

    def __init__(self, library: Library, sides: Sequence[Side], name: str) -> None:
        self.library = library
        self.sides = sides
        self.name = name
        self.troubles: dict[int, str] = {}

    @cached_property
    def decoded(self) -> list[Column | None]:
        """The columns; None for a side that has none of that name, or an unreadable one."""
        return [self._decode(side) for side in self.sides]

    def _decode(self, side: Side) -> Column | None:
        try:
            return self.library.shelf.column(side, self.name)
        except ProfileError as error:
            self.troubles[side.place] = str(error)
        except FileNotFoundError:
            self.troubles[side.place] = "The file is missing from the store."
        return None

    @cached_property
    def facts(self) -> list[Facts | None]:
        """The statistics of each; None for a side that has no such column."""
        return [
            self.library.facts.through((side.fingerprint, self.name), partial(self._summed_up, index))
            if self.name in side.names
            else None
            for index, side in enumerate(self.sides)
        ]

    @cached_property
    def marks(self) -> list[Mark | None]:
        """How far each is from the first; None for the first itself."""
        marks: list[Mark | None] = [None]
        for index, side in enumerate(self.sides[1:], start=1):
            key = (self.sides[0].fingerprint, side.fingerprint, self.name)
            if self.name not in self.sides[0].names and self.name not in side.names:
                marks.append(None)
                continue
            marks.append(self.library.marks.through(key, partial(self._mark, index)))
        return marks

    def drift(self, index: int, *, verdict_only: bool = False) -> Drift | None:
        """Return the drift of one side from the first; None where neither has the column."""
        before, after = self.decoded[0], self.decoded[index]
        trouble = self.troubles.get(self.sides[0].place) or self.troubles.get(self.sides[index].place)
        if trouble:
            return Drift("unknown", 0.0, (trouble,))
        if before is None and after is None:
            return None
        return compare_columns(before, after, verdict_only=verdict_only)

    def _mark(self, index: int) -> Mark:
        drift = self.drift(index, verdict_only=True)
        if drift is None:
            return Mark("unknown", 0.0, "")
        return Mark(drift.verdict, drift.score, " ".join(drift.reasons[:2]), drift.type_change is not None)

    def _summed_up(self, index: int) -> Facts:
        column = self.decoded[index]
        if column is None:
            return Facts(None, self.troubles.get(self.sides[index].place, ""))
        return Facts(column_statistics(column))

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

    @cached_property
    def shown(self) -> tuple[Side, ...]:
        """The sides that can be shown."""
        return tuple(side for side in self.sides if side.outline)

    @property
    def several(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.shown) > 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column of any side, in the order of names, parts of a column (``column.part``) after it."""
        everything = frozenset[str]().union(*(side.names for side in self.shown))
        return tuple(sorted(everything, key=lambda name: _by_name(name, everything)))

    @cached_property
    def parents(self) -> dict[str, str]:
        """Which columns are parts of another.

        whylogs splits compound metrics before it uploads to a guest session: ``text`` becomes ``text`` and
        ``text.digits``, ``text.letters``, ….
        """
        known = frozenset(self.names)
        return {name: parent for name in self.names if (parent := _parent(name, known))}

    def columns(self, name: str) -> Columns:
        """Return a column in all shown sides; decodes nothing yet."""
        if len(self.names) > SMALL:
            return Columns(self.library, self.shown, name)
        # Few enough to stay decoded while a page is made: its summary and its rows look at the same ones.
        if name not in self._kept:
            self._kept[name] = Columns(self.library, self.shown, name)
        return self._kept[name]

    def missing(self, name: str) -> bool:
        """Whether P1 has a column that another side lacks."""
        return name in self.shown[0].names and any(name not in side.names for side in self.shown[1:])

    def new(self, name: str) -> bool:
        """Whether P1 lacks a column that another side has."""
        return name not in self.shown[0].names

    def only_in_one(self, name: str) -> bool:
        """Whether exactly one of several sides has a column."""
        return self.several and sum(name in side.names for side in self.shown) == 1

    def drift_counts(self, *, whatever_it_takes: bool) -> DriftCounts | None:
        """Count the columns that drifted.

        Parameters
        ----------
        whatever_it_takes
            Whether to look at all columns however many they are; otherwise None if they are many and were not
            looked at before.
        """
        key = self._fingerprints
        known = self.library.drift_counts.get(key)
        if known is not None or not (whatever_it_takes or len(self.names) <= SMALL):
            return known
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

    def kind_counts(self, *, whatever_it_takes: bool) -> KindCounts | None:
        """Count the columns of each kind; parameter and None as for `drift_counts`."""
        key = self._fingerprints
        known = self.library.kind_counts.get(key)
        if known is not None or not (whatever_it_takes or len(self.names) <= SMALL):
            return known
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
        names = [name for name in self.names if _matches(name, query)]
        for test in self._tests(query):
            names = [columns.name for columns in self._each(names) if test(columns)]
        return self._ordered(names, query)

    def _tests(self, query: PageQuery) -> list[Callable[[Columns], bool]]:
        tests: dict[str, Callable[[Columns], bool]] = {
            "missing": lambda columns: self.missing(columns.name),
            "new": lambda columns: self.new(columns.name),
            "only-in-one": lambda columns: self.only_in_one(columns.name),
            "drifted": lambda columns: columns.drifted,
            "type-changed": lambda columns: columns.type_changed,
            "insights": lambda columns: columns.has_insights,
            "discrete": lambda columns: (first := columns.first) is not None and first.is_discrete,
            "non-discrete": lambda columns: (first := columns.first) is not None and not first.is_discrete,
        }
        wanted = [tests[show] for show in query.show]
        if query.types:
            wanted.append(
                lambda columns: (first := columns.first) is not None and first.inferred_type in query.types
            )
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

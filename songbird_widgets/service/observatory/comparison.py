"""The columns of up to three profiles, put side by side: statistics and drift of each, order, filters.

Only the columns of the page are decoded, unless the order or a filter asks for all of them. What was computed is
kept, by the hashes of the files, within a bound.
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
    from collections.abc import Callable, Sequence

    from songbird_widgets.profiles import Column

    from .loading import Shelf, Side
    from .query import PageQuery

MOST_FACTS = 12_000
"""Columns whose statistics are kept: those of four profiles of 3,000 columns; about 2 KB each."""

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

    @property
    def drifted(self) -> bool:
        """Whether the values changed noticeably."""
        return self.verdict in {"moderate", "strong"}


@dataclass(frozen=True)
class Summary:
    """How many columns there are of what."""

    total: int
    common: int
    drifted: int
    strong: int
    unknown: int
    missing: int
    new: int
    only_in_one: int
    type_changed: int
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
    summaries: Cache[Summary] = field(default_factory=lambda: Cache(500, lambda _: 1))


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

    def drift(self, index: int) -> Drift | None:
        """Return all measures of the drift of one side from the first; None where neither has the column."""
        before, after = self.decoded[0], self.decoded[index]
        trouble = self.troubles.get(self.sides[0].place) or self.troubles.get(self.sides[index].place)
        if trouble:
            return Drift("unknown", 0.0, (trouble,))
        return None if before is None and after is None else compare_columns(before, after)

    def _mark(self, index: int) -> Mark:
        drift = self.drift(index)
        if drift is None:
            return Mark("unknown", 0.0, "")
        return Mark(drift.verdict, drift.score, " ".join(drift.reasons[:2]))

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
        """Whether the inferred type differs between sides that hold values."""
        types = {facts.statistics.inferred_type for facts in self.facts if facts and facts.statistics}
        return len(types - {"unknown"}) > 1

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
        return Columns(self.library, self.shown, name)

    def missing(self, name: str) -> bool:
        """Whether P1 has a column that another side lacks."""
        return name in self.shown[0].names and any(name not in side.names for side in self.shown[1:])

    def new(self, name: str) -> bool:
        """Whether P1 lacks a column that another side has."""
        return name not in self.shown[0].names

    def only_in_one(self, name: str) -> bool:
        """Whether exactly one of several sides has a column."""
        return self.several and sum(name in side.names for side in self.shown) == 1

    def summary(self, *, whatever_it_takes: bool) -> Summary | None:
        """Count the columns of each kind.

        Parameters
        ----------
        whatever_it_takes
            Whether to look at all columns however many they are; otherwise None if they are many and were not
            looked at before.
        """
        key = tuple(side.fingerprint for side in self.shown)
        known = self.library.summaries.get(key)
        if known is not None or not (whatever_it_takes or len(self.names) <= SMALL):
            return known
        counts = dict.fromkeys(("drifted", "strong", "unknown", "type_changed", "insights", "discrete"), 0)
        for name in self.names:
            columns = self.columns(name)
            verdicts = {mark.verdict for mark in columns.marks if mark}
            counts["strong"] += "strong" in verdicts
            counts["drifted"] += columns.drifted
            counts["unknown"] += not columns.drifted and "unknown" in verdicts
            counts["type_changed"] += columns.type_changed
            counts["insights"] += columns.has_insights
            counts["discrete"] += (first := columns.first) is not None and first.is_discrete
        summary = Summary(
            total=len(self.names),
            common=sum(all(name in side.names for side in self.shown) for name in self.names),
            missing=sum(map(self.missing, self.names)),
            new=sum(map(self.new, self.names)),
            only_in_one=sum(map(self.only_in_one, self.names)),
            **counts,
        )
        self.library.summaries.put(key, summary)
        return summary

    def selected(self, query: PageQuery) -> list[str]:
        """Return the names of the columns that the search and filters leave, in the order asked for."""
        names = [name for name in self.names if _matches(name, query)]
        for test in self._tests(query):
            names = [name for name in names if test(name)]
        return self._ordered(names, query)

    def _tests(self, query: PageQuery) -> list[Callable[[str], bool]]:
        tests: dict[str, Callable[[str], bool]] = {
            "missing": self.missing,
            "new": self.new,
            "only-in-one": self.only_in_one,
            "drifted": lambda name: self.columns(name).drifted,
            "type-changed": lambda name: self.columns(name).type_changed,
            "insights": lambda name: self.columns(name).has_insights,
            "discrete": lambda name: self._is_discrete(name) is True,
            "non-discrete": lambda name: self._is_discrete(name) is False,
        }
        wanted = [tests[show] for show in query.show]
        if query.types:
            wanted.append(
                lambda name: (
                    (first := self.columns(name).first) is not None and first.inferred_type in query.types
                )
            )
        return wanted

    def _is_discrete(self, name: str) -> bool | None:
        first = self.columns(name).first
        return None if first is None else first.is_discrete

    def _ordered(self, names: list[str], query: PageQuery) -> list[str]:
        if query.sort == "name":
            return names[::-1] if query.descending else names
        keyed = [(self._key(name, query.sort), name) for name in names]
        present = [(key, name) for key, name in keyed if key is not None]
        # Equal columns keep the order of names, and those without a value stay last, whichever way the others run.
        present.sort(key=lambda one: one[0], reverse=query.descending)
        return [name for _, name in present] + [name for key, name in keyed if key is None]

    def _key(self, name: str, sort: str) -> tuple[float, str] | None:
        columns = self.columns(name)
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
    """Order by the outermost parent, then itself: ``a``, ``a.part``, ``a-b``, and not ``a``, ``a-b``, ``a.part``."""
    top = name
    while parent := _parent(top, known):
        top = parent
    return (top.casefold(), top, "" if name == top else name)

"""The columns of up to three profiles, put side by side: statistics of each, order, filters, a page of them.

Only the columns of the page are decoded, unless the order or a filter asks for all of them; what was computed is kept,
by the hashes of the files, with a bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from songbird_widgets.profiles import ColumnStatistics, ProfileError, column_statistics

from .cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from songbird_widgets.profiles import Column

    from .loading import Shelf, Side
    from .query import PageQuery

MOST_FACTS = 12_000
"""Columns whose statistics are kept: all those of four profiles of 3,000 columns."""


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


@dataclass
class Library:
    """The shelf of profiles, and the statistics that were computed from them.

    Parameters
    ----------
    shelf
        Opened profiles.
    """

    shelf: Shelf
    _facts: Cache[Facts] = field(default_factory=lambda: Cache(MOST_FACTS, lambda _: 1))

    def facts(self, side: Side, name: str) -> Facts | None:
        """Return a column's statistics, or None when the side has no such column."""
        if name not in side.names:
            return None
        return self._facts.through((side.fingerprint, name), lambda: self._compute(side, name))

    def column(self, side: Side, name: str) -> Column | None:
        """Return a decoded column; None when the side has none of that name, or an unreadable one."""
        try:
            return self.shelf.column(side, name)
        except ProfileError:
            return None

    def _compute(self, side: Side, name: str) -> Facts:
        try:
            return Facts(column_statistics(self.shelf.opened(side).column(name)))
        except ProfileError as error:
            return Facts(None, str(error))


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

    def facts(self, name: str) -> list[Facts | None]:
        """Return a column's statistics in each shown side."""
        return [self.library.facts(side, name) for side in self.shown]

    def selected(self, query: PageQuery) -> list[str]:
        """Return the names of the columns that the search and filters leave, in the order asked for."""
        names = [name for name in self.names if _matches(name, query)]
        for test in self._tests(query):
            names = [name for name in names if test(name)]
        return self._ordered(names, query)

    def missing(self, name: str) -> bool:
        """Whether P1 has a column and another side lacks it, or the other way round."""
        return any(name not in side.names for side in self.shown)

    def only_in_one(self, name: str) -> bool:
        """Whether exactly one of several sides has a column."""
        return len(self.shown) > 1 and sum(name in side.names for side in self.shown) == 1

    def _first(self, name: str) -> ColumnStatistics | None:
        return next((facts.statistics for facts in self.facts(name) if facts and facts.statistics), None)

    def _tests(self, query: PageQuery) -> list[Callable[[str], bool]]:
        tests = [self._test(show) for show in query.show]
        if query.types:
            tests.append(
                lambda name: (first := self._first(name)) is not None and first.inferred_type in query.types
            )
        return tests

    def _test(self, show: str) -> Callable[[str], bool]:
        if show == "missing":
            return self.missing
        if show == "only-in-one":
            return self.only_in_one
        if show == "type-changed":
            return self.type_changed
        if show == "insights":
            return self.has_insights
        wanted = show == "discrete"
        return lambda name: (first := self._first(name)) is not None and first.is_discrete is wanted

    def type_changed(self, name: str) -> bool:
        """Whether a column's inferred type differs between sides that hold values of it."""
        types = {
            facts.statistics.inferred_type
            for facts in self.facts(name)
            if facts and facts.statistics and facts.statistics.inferred_type != "unknown"
        }
        return len(types) > 1

    def has_insights(self, name: str) -> bool:
        """Whether something about a column deserves a look."""
        return any(facts and facts.statistics and facts.statistics.insights for facts in self.facts(name))

    def _ordered(self, names: list[str], query: PageQuery) -> list[str]:
        if query.sort == "name":
            return names[::-1] if query.descending else names
        keys = {name: self._key(name, query.sort) for name in names}
        present = [name for name in names if keys[name] is not None]
        absent = [name for name in names if keys[name] is None]
        # Columns without a value stay last whichever way the others run.
        return [*sorted(present, key=lambda name: keys[name], reverse=query.descending), *absent]  # type: ignore[arg-type,return-value]

    def _key(self, name: str, sort: str) -> float | str | None:
        statistics = self._first(name)
        if statistics is None:
            return None
        value = SORT_KEYS[sort](statistics)
        return None if isinstance(value, float) and math.isnan(value) else value


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

"""A dataset over time as a page: its columns, and what is said of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from songbird_widgets.profiles.drift import LEVEL
from songbird_widgets.profiles.thresholds import STRONG
from songbird_widgets.profiles.trends import FIGURES, UNKNOWN, figures_of
from songbird_widgets.profiles.trends import VERDICTS as VERDICT_WORDS

from . import formatting
from .figures import NARROW, WIDE
from .table import MAX_LINKED_NAME, VERDICTS, pages_of
from .trend_charts import KINDS, Course, TrendChart, day_kinds, large_charts, small_charts
from .trend_query import MAX_CHARTED, SORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from songbird_widgets.profiles import Trends
    from songbird_widgets.profiles.trends import Episode

    from .sides import Side
    from .trend_query import TrendQuery

    Floats = NDArray[np.float64]

MAX_NAMED = 5
"""Drifted columns named in the headline."""

SORT_LABELS = {"drift": "When drift began", "score": "Largest drift", "name": "Name"}


@dataclass(frozen=True)
class TrendDay:
    """A day of a dataset.

    Attributes
    ----------
    value : str
        Its value in URLs.
    timestamp : int
        Its first millisecond.
    label : str
    uploads : int
    problem : str
        Why it cannot be compared; empty if it can, or is not compared yet.
    is_baseline : bool
    """

    value: str
    timestamp: int
    label: str
    uploads: int = 1
    problem: str = ""
    is_baseline: bool = False


@dataclass(frozen=True, eq=False)
class TrendView:
    """The days of a dataset beside one baseline.

    Attributes
    ----------
    baseline : Side
        With its summary.
    days : tuple of TrendDay
        In order of time.
    trends : Trends
        A day each.
    more_days : str
        Which days are left out, in words; empty if none is.
    waiting : int
        How many days are still to be compared.
    """

    baseline: Side
    days: tuple[TrendDay, ...]
    trends: Trends
    more_days: str = ""
    waiting: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Every column of the baseline or any day."""
        return self.trends.names

    @cached_property
    def timestamps(self) -> tuple[int, ...]:
        """The days' first milliseconds."""
        return tuple(day.timestamp for day in self.days)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What the days are called."""
        return tuple(day.label for day in self.days)

    @cached_property
    def baseline_figures(self) -> Floats:
        """The baseline's figures, by column of `names`, shape (figures, columns)."""
        assert self.baseline.summary is not None
        return figures_of(self.baseline.summary, self.names)

    def selected(self, query: TrendQuery) -> list[int]:
        """Return the places of the columns that the search leaves, in the order asked for."""
        trends = self.trends
        places = trends.order.tolist()
        if query.sort == "name":
            places = sorted(range(len(self.names)), key=lambda place: (self.names[place].casefold(), place))
        elif query.sort == "score":
            ranks = np.where(trends.largest > 0, np.where(trends.calendar, 1, 2), 0)
            places = sorted(places, key=lambda place: (-ranks[place], -trends.largest[place]))
        search, columns = query.search.casefold(), frozenset(query.columns)
        return [
            place
            for place in places
            if search in self.names[place].casefold() and (not columns or self.names[place] in columns)
        ]

    def kinds_of_days(self) -> list[str]:
        """Say of each day what it is for the column that drifted most, by `KINDS`.

        Columns that only tell the date say nothing of a day: they drift on every one.
        """
        trends = self.trends
        found = []
        for day, compared in enumerate(trends.known.tolist()):
            drifted = trends.drifted[:, day] & ~trends.told[:, day]
            if not compared:
                found.append("waiting")
            elif drifted.any():
                found.append("strong" if trends.scores[drifted, day].max() >= STRONG else "moderate")
            elif trends.absent[:, day].any():
                found.append("absent")
            elif trends.uncertain[:, day].any():
                found.append("uncertain")
            else:
                found.append("unknown" if (trends.verdicts[:, day] == UNKNOWN).all() else "none")
        return found

    def said_of_days(self) -> list[str]:
        """Say of each day how many columns drifted."""
        trends = self.trends
        days = zip(
            self.days,
            trends.known.tolist(),
            trends.drifted.sum(axis=0).tolist(),
            trends.told.sum(axis=0).tolist(),
            self.kinds_of_days(),
            strict=True,
        )
        return [
            "the baseline"
            if day.is_baseline
            else day.problem or "not compared yet"
            if not known
            else _said_of_count(drifted, told)
            if drifted
            else KINDS[kind]
            for day, known, drifted, told, kind in days
        ]


def _said_of_count(drifted: int, told: int) -> str:
    said = f"{drifted:,} column{'' if drifted == 1 else 's'} drifted"
    if not told:
        return said
    return f"{said}, {'' if told == drifted else f'{told:,} of them '}only because the days differ"


@dataclass(frozen=True)
class TrendRow:
    """A column as the page shows it."""

    name: str
    shown: str
    url: str
    kind: str
    sign: str
    word: str
    said: Markup
    charts: tuple[TrendChart, ...]


@dataclass(frozen=True)
class TrendTable:
    """A page of columns, with the links to the other pages."""

    rows: tuple[TrendRow, ...]
    first: int
    last: int
    total: int
    previous_url: str
    next_url: str
    pages: tuple[tuple[int, str], ...]
    sorts: tuple[tuple[str, str, bool], ...]
    legend: tuple[tuple[str, str], ...]


def make_trend_table(view: TrendView, query: TrendQuery) -> TrendTable:
    """Put together the page of columns that `query` asks for."""
    places = view.selected(query)
    limit = min(query.limit, MAX_CHARTED)
    offset = min(query.offset, max(len(places) - 1, 0) // limit * limit)
    page = places[offset : offset + limit]
    kinds = set(view.kinds_of_days())
    for place in page:
        trends = view.trends
        kinds.update(day_kinds(trends.verdicts[place], trends.scores[place], trends.drifted[place], trends.known))
    return TrendTable(
        rows=tuple(_row(view, query, place) for place in page),
        first=offset + 1,
        last=offset + len(page),
        total=len(places),
        previous_url=query.url(offset=max(offset - limit, 0)) if offset else "",
        next_url=query.url(offset=offset + limit) if offset + limit < len(places) else "",
        pages=pages_of(limit, offset, len(places), lambda start: query.url(offset=start)),
        sorts=tuple((name, SORT_LABELS[name], name == query.sort) for name in SORTS),
        legend=tuple((kind, text) for kind, text in KINDS.items() if kind in kinds),
    )


def course_of(view: TrendView, place: int, links: Sequence[str] = ()) -> Course:
    """Return what is drawn of a column, by its place."""
    trends = view.trends
    return Course(
        view.timestamps,
        view.labels,
        _shown_figures(trends.figures[:, place]),
        _shown_figures(view.baseline_figures[:, place]),
        trends.verdicts[place],
        trends.scores[place],
        trends.drifted[place],
        trends.known,
        trends.began(place),
        links,
    )


def _shown_figures(figures: Floats) -> Floats:
    """Return figures by `FIGURES` with no more different values than values, whatever was estimated."""
    count, nulls, unique = (figures[FIGURES.index(key)] for key in ("count", "null_fraction", "unique_estimate"))
    shown: Floats = figures.copy()
    most = count - np.rint(count * np.nan_to_num(nulls))
    shown[FIGURES.index("unique_estimate")] = np.where(most < unique, most, unique)
    return shown


def _row(view: TrendView, query: TrendQuery, place: int) -> TrendRow:
    name = view.names[place]
    kind, said = said_of(view, query, place)
    sign, word = VERDICTS[kind]
    return TrendRow(
        name,
        formatting.clipped(name, 120),
        query.url(columns=(name,), search="") if len(name) <= MAX_LINKED_NAME else "",
        kind,
        sign,
        word,
        said,
        small_charts(course_of(view, place)),
    )


def said_of(view: TrendView, query: TrendQuery | None, place: int) -> tuple[str, Markup]:
    """Say in words what became of a column.

    Parameters
    ----------
    view, place
        Which column.
    query
        What a page was asked for, whose days are links; None where there is no page.

    Returns
    -------
    str, Markup
        The verdict as in `VERDICTS` (the worst, of a column that drifted), and a sentence or two.
    """
    trends = view.trends
    found = trends.episode(place)
    known, verdicts = trends.known, trends.verdicts[place]
    parts: list[Markup] = []
    kind = "none"
    if found is not None:
        kind = "strong" if trends.scores[place, found.worst] >= STRONG else "moderate"
        parts += _said_of_drift(view, query, place, found)
    absent = np.flatnonzero(trends.absent[place] & known)
    if len(absent):
        word = VERDICT_WORDS[verdicts[absent[0]]]
        kind = word if found is None else kind
        what = "Missing" if word == "missing" else "Not in the baseline, there"
        count = f"{len(absent):,} day{'' if len(absent) == 1 else 's'}"
        parts.append(Markup("{} on {}, first on {}.").format(what, count, _link(view, query, place, int(absent[0]))))
    uncertain = np.flatnonzero(trends.uncertain[place])
    if len(uncertain):
        worst = int(uncertain[trends.scores[place, uncertain].argmax()])
        alone = _link(view, query, place, worst)
        parts.append(Markup("{} alone would count; among so many tests chance may do that.").format(alone))
    blind = int(np.count_nonzero(known & (verdicts == UNKNOWN)))
    if blind and blind == int(np.count_nonzero(known)):
        kind = "unknown"
        parts.append(Markup("It cannot be told of any day whether it drifted."))
    elif blind:
        parts.append(Markup("It cannot be told of {:,} day{}.").format(blind, "" if blind == 1 else "s"))
    return kind, Markup(" ").join(parts or ["No drift on any day."])


def _link(view: TrendView, query: TrendQuery | None, place: int, day: int) -> Markup:
    """Name a day, with a link to the column on it, beside the baseline."""
    name, one = view.names[place], view.days[day]
    if query is None or len(name) > MAX_LINKED_NAME:
        return Markup("{}").format(one.label)
    return Markup('<a href="{}">{}</a>').format(query.day_url(view.baseline.value, one.value, name), one.label)


def _said_of_drift(view: TrendView, query: TrendQuery | None, place: int, found: Episode) -> list[Markup]:
    """Say when a column drifted, and why it began."""
    first, last = (_link(view, query, place, day) for day in (found.first, found.last))
    begin = found.first if found.since is None else found.since
    if found.days == 1:
        said = Markup("On {}{}.").format(first, _latest(found.first, view.trends.known))
    elif found.since is None:
        said = Markup("On {:,} days, first on {}, last on {}.").format(found.days, first, last)
    elif found.since == found.first:
        said = Markup("Since {}, on {:,} days.").format(first, found.days)
    else:
        said = Markup("Since {}, and first on {}.").format(_link(view, query, place, begin), first)
    reason = view.trends.reason(place, begin)
    parts = [said, *([Markup("{}").format(formatting.visible(reason))] if reason else [])]
    codes = view.trends.verdicts[place]
    worst = view.trends.reason(place, found.worst)
    if worst and codes[found.worst] > codes[begin]:
        day = _link(view, query, place, found.worst)
        parts.append(Markup("Most on {}: {}").format(day, formatting.visible(worst)))
    return parts


def _latest(day: int, known: NDArray[np.bool_]) -> str:
    return ", the latest day" if not known[day + 1 :].any() else ""


def headline(view: TrendView) -> Markup:
    """Say at a glance what drifted, and when."""
    trends = view.trends
    total = len(view.names)
    compared = int(np.count_nonzero(trends.known))
    counted = f"{total:,} column{'' if total == 1 else 's'}"
    days = f"{compared:,} day{'' if compared == 1 else 's'}"
    baseline = formatting.isolated(view.baseline.label, 60)
    if not compared:
        return Markup("Nothing is compared with {} yet.").format(baseline)
    drifted = [place for place in trends.order.tolist() if trends.drifted[place].any()]
    silent = view.kinds_of_days().count("unknown")
    if not drifted:
        blind = silent == compared
        text = "nothing can be told of" if blind else "none of"
        said = Markup('<strong class="drift-{}">On {}, {} {}</strong>{} beside {}').format(
            "unknown" if blind else "none", days, text, counted, "" if blind else " drifted", baseline
        )
    else:
        strong = bool((trends.scores[trends.drifted] >= 2).any())
        named = Markup(", ").join(
            Markup("{} ({})").format(
                formatting.isolated(view.names[place], 40), view.days[int(trends.began(place) or 0)].label
            )
            for place in drifted[:MAX_NAMED]
        )
        said = Markup('<strong class="drift-{}">{:,} of {}</strong> drifted from {} in {}: {}{}').format(
            "strong" if strong else "moderate",
            len(drifted),
            counted,
            baseline,
            days,
            named,
            " …" if len(drifted) > MAX_NAMED else "",
        )
    counts = (
        (int(np.count_nonzero(trends.calendar)), "only because the days differ"),
        (int(np.count_nonzero(trends.came_or_went)), "came or went"),
        (silent if silent < compared else 0, f"day{' says' if silent == 1 else 's say'} too little to tell"),
    )
    return Markup(" · ").join([said, *(Markup("{:,} {}").format(count, word) for count, word in counts if count)])


def rule(view: TrendView) -> str:
    """Say by which rule a day counts."""
    return (
        "A day counts as drift when a change is as large as on the page of two profiles, and certain among all "
        f"{view.trends.tests:,} tests of these columns and days: by the procedure of S. Holm (Scand. J. Stat. 6, 1979) "
        f"the probability that chance makes any of them count is below {formatting.percent(LEVEL)}. Days are UTC."
    )


@dataclass(frozen=True)
class DayLine:
    """A day of one column, as its table shows it."""

    label: str
    url: str
    kind: str
    sign: str
    word: str
    score: str
    cells: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class TrendDetail:
    """One column over time."""

    row: TrendRow
    wide: tuple[TrendChart, ...]
    narrow: tuple[TrendChart, ...]
    heads: tuple[str, ...]
    lines: tuple[DayLine, ...]
    baseline: tuple[str, ...]


_HEADS = ("Rows", "Nulls", "Mean", "Std dev", "Median", "Unique")


def make_trend_detail(view: TrendView, query: TrendQuery, place: int) -> TrendDetail:
    """Put together the page of one column over time."""
    name = view.names[place]
    trends = view.trends
    links = [query.day_url(view.baseline.value, day.value, name) for day in view.days]
    course = course_of(view, place, links)
    figures = _shown_figures(np.concatenate([view.baseline_figures[:, [place]], trends.figures[:, place]], axis=1))
    columns = []
    for key, values in zip(FIGURES, figures, strict=True):
        known = [None if value != value else value for value in values.tolist()]
        if key == "null_fraction":
            columns.append([formatting.percent(value) for value in known])
        elif key in {"count", "unique_estimate"}:
            columns.append([formatting.count(None if value is None else round(value)) for value in known])
        else:
            columns.append(formatting.numbers(known))
    kinds = day_kinds(trends.verdicts[place], trends.scores[place], trends.drifted[place], trends.known)
    lines = []
    for index, day in enumerate(view.days):
        sign, word = _said_of_day(day, kinds[index], VERDICT_WORDS[trends.verdicts[place, index]])
        scored = kinds[index] in {"none", "moderate", "strong", "uncertain"}
        lines.append(
            DayLine(
                day.label,
                links[index] if len(name) <= MAX_LINKED_NAME else "",
                kinds[index],
                sign,
                word,
                f"{trends.scores[place, index]:.1f}" if scored else "",
                tuple(cells[index + 1] for cells in columns),
                formatting.clipped(day.problem, 300)
                if day.problem
                else formatting.visible(trends.reason(place, index)),
            )
        )
    return TrendDetail(
        _row(view, query, place),
        large_charts(course, WIDE),
        large_charts(course, NARROW),
        _HEADS,
        tuple(reversed(lines)),
        tuple(cells[0] for cells in columns),
    )


def _said_of_day(day: TrendDay, kind: str, verdict: str) -> tuple[str, str]:
    if day.is_baseline:
        return "", "baseline"
    if kind == "waiting":
        return "", "cannot be compared" if day.problem else "not compared yet"
    if kind == "uncertain":
        return VERDICTS[verdict][0], f"{verdict}, may be chance"
    return VERDICTS[verdict]

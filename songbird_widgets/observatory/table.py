"""The table of columns: a page of rows, a line per profile, with heads that sort, filters and page links."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from ..budget import checkpoint
from . import formatting
from .query import MAX_ROWS, TYPES
from .sparklines import sparkline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from songbird_widgets.profiles import ColumnStatistics, Drift

    from .query import PageQuery
    from .view import Columns, DriftCounts, View

MAX_KINDS_COUNTED = 200
"""Columns up to which each page counts those of each kind; beyond, only a page that filters by it."""

MAX_LINKED_NAME = 2_000
"""Characters of a column's name up to which it has a page: longer ones make URLs that servers refuse."""

MAX_CHARACTERS = 85
"""Characters of figures up to which the table fits its frame; a broader one scrolls within."""


@dataclass(frozen=True)
class Head:
    """A column of the table: its name in URLs, its label, what it means."""

    sort: str
    label: str
    help: str
    number: bool = True


HEADS = (
    Head("count", "Count", "Values seen, nulls included"),
    Head("mean", "Mean", "Mean of the numbers"),
    Head("median", "Median", "Estimated median of the numbers"),
    Head("min", "Min", "Smallest number, exact"),
    Head("max", "Max", "Largest number, exact"),
    Head("stddev", "Std dev", "Standard deviation of the numbers"),
    Head("nulls", "Nulls", "Share of values that are null"),
    Head("unique", "Unique", "Estimated number of different values"),
    Head("type", "Type", "The type that most values have", number=False),
    Head("type-count", "Of type", "Values of that type"),
)

DRIFT = Head("drift", "Drift", "How far from P1, by effect size", number=False)

SORT_LABELS = {
    "name": "Name",
    "drift": "Drift",
    **{head.sort: head.label for head in HEADS},
    "discrete": "Discreteness",
}


class Cell(NamedTuple):
    """One figure: as written, and exactly where rounding hid something."""

    css: str
    text: str
    exact: str = ""


class Line(NamedTuple):
    """One profile's figures of a column, or why there are none."""

    place: int
    cells: tuple[Cell, ...]
    absent: str = ""
    labels: bool = False


class Tag(NamedTuple):
    """A word about a column."""

    label: str
    help: str = ""
    warn: bool = False


class Row(NamedTuple):
    """One column: its chart, its tags, a line per profile."""

    name: str
    chart: Markup
    tags: tuple[Tag, ...]
    lines: tuple[Line, ...]


def row_of(view: View, name: str) -> Row:
    """Return the row of a column."""
    return view.kept(name, lambda: _row(view, name))


def _row(view: View, name: str) -> Row:
    columns = view.columns(name)
    chart = sparkline(columns.places, columns.columns, columns.statistics).html
    checkpoint()
    tags = _tags(columns)
    checkpoint()
    return Row(name, chart, tags, _lines(view, columns))


def _tags(columns: Columns) -> tuple[Tag, ...]:
    known = [one for one in columns.statistics if one]
    if not known:
        return ()
    tags = [Tag("discrete" if known[0].is_discrete else "non-discrete")]
    if columns.type_changed:
        types = " / ".join(statistics.inferred_type for statistics in known)
        tags.append(Tag("type changed", types, warn=True))
    said: dict[str, str] = {}
    for statistics in known:
        for insight in statistics.insights:
            said.setdefault(insight.kind, formatting.visible(insight.text))
    tags += [Tag(INSIGHTS.get(kind, kind), text, warn=True) for kind, text in said.items()]
    return tuple(tags)


INSIGHTS = {"mixed_types": "mixed types", "imbalanced": "imbalanced", "nulls": "many nulls"}


def _lines(view: View, columns: Columns) -> tuple[Line, ...]:
    known = columns.statistics
    figures = {
        "mean": [s.mean if s else None for s in known],
        "median": [s.median if s else None for s in known],
        "min": [s.minimum if s else None for s in known],
        "max": [s.maximum if s else None for s in known],
        "stddev": [s.stddev if s else None for s in known],
    }
    written = {name: formatting.numbers([_finite(v, name) for v in values]) for name, values in figures.items()}
    lines = []
    labelled = False
    for index, (place, statistics) in enumerate(zip(columns.places, known, strict=True)):
        if statistics is None:
            problem = columns.problem(index)
            why = f"Cannot be read: {problem}" if problem else "Not in this profile"
            lines.append(Line(place, (), formatting.clipped(why, 200)))
            continue
        numbers = {
            name: Cell(_css(name), written[name][index], _hidden(values[index], written[name][index]))
            for name, values in figures.items()
        }
        cells = _cells(statistics, numbers)
        if view.several:
            cells = (_drift_cell(columns.verdicts[index], first=index == 0), *cells)
        lines.append(Line(place, cells, labels=not labelled))
        labelled = True
    return tuple(lines)


def _finite(value: float | None, name: str) -> float | None:
    # Infinities are values of their own as least and greatest; a mean or deviation of them says nothing.
    return value if value is None or math.isfinite(value) or name in {"min", "max", "median"} else None


def _cells(statistics: ColumnStatistics, numbers: dict[str, Cell]) -> tuple[Cell, ...]:
    of_type = statistics.type_counts.get(statistics.inferred_type)
    share = f"{formatting.percent(statistics.type_fraction)} of the values" if of_type else ""
    null_count = f"{formatting.count(statistics.null_count)} nulls" if statistics.null_count else ""
    others = {
        "count": Cell(_css("count"), formatting.count(statistics.count)),
        "nulls": Cell(_css("nulls"), formatting.percent(statistics.null_fraction), null_count),
        "unique": _unique(statistics),
        "type": Cell("type c-type", statistics.inferred_type),
        "type-count": Cell(_css("type-count"), formatting.count(of_type), share),
    }
    return tuple(numbers.get(head.sort) or others[head.sort] for head in HEADS)


VERDICTS = {
    "none": ("○", "none"),
    "moderate": ("◐", "moderate"),
    "strong": ("●", "strong"),
    "unknown": ("?", "unclear"),
    "missing": (formatting.MINUS, "missing"),
    "new": ("+", "new"),
}
"""Each verdict as a mark and a word: never by colour alone."""

SCORED = frozenset({"none", "moderate", "strong"})
"""Verdicts beside which the score stands: 1 is moderate, 2 is strong."""


def score_of(drift: Drift) -> str:
    """Write the score that stands beside a verdict; nothing beside one that has none."""
    return f"{drift.score:.1f}" if drift.verdict in SCORED and math.isfinite(drift.score) else ""


def _drift_cell(drift: Drift | None, *, first: bool) -> Cell:
    if drift is None:
        return Cell("c-drift muted", "baseline" if first else formatting.NONE)
    sign, word = VERDICTS[drift.verdict]
    score = score_of(drift)
    why = " ".join(drift.reasons[:2])
    return Cell(
        f"c-drift mark drift-{drift.verdict}",
        f"{sign} {word} {score}".rstrip(),
        formatting.visible(why),
    )


def _unique(statistics: ColumnStatistics) -> Cell:
    estimate = statistics.unique_estimate
    if estimate is None:
        return Cell(_css("unique"), formatting.NONE)
    low, high = statistics.unique_lower, statistics.unique_upper
    # There are no more different values than values, whatever is estimated.
    most = math.inf if statistics.count is None else statistics.count - (statistics.null_count or 0)
    whole = formatting.count(round(min(estimate, most)))
    bounds = ""
    if low is not None and high is not None and round(low) != round(min(high, most)):
        bounds = f"between {formatting.count(round(min(low, most)))} and {formatting.count(round(min(high, most)))}"
    return Cell(_css("unique"), whole, bounds)


def _css(name: str) -> str:
    return f"number c-{name}"


def _hidden(value: float | None, written: str) -> str:
    if value is None:
        return ""
    if not math.isfinite(value):
        return "not a number: the column holds infinite values" if written == formatting.NONE else ""
    exact = formatting.exact(value)
    return "" if exact == written.replace(",", "").replace(formatting.MINUS, "-") else exact


@dataclass(frozen=True)
class ShownHead:
    """A head of the table as drawn: a link that sorts."""

    label: str
    url: str = ""
    css: str = ""
    sorted: str = ""
    help: str = ""


@dataclass(frozen=True)
class Chip:
    """A filter as drawn: a link that switches it."""

    label: str
    url: str
    on: bool
    count: str | None = None


@dataclass(frozen=True)
class DrawnRow:
    """A row of which all but the name is drawn, with the characters of its figures."""

    span: int
    labels: bool
    rest: Markup
    widths: tuple[int, ...]


@dataclass(frozen=True)
class ShownRow:
    """A row as drawn on a page: with its link, and its name within its parent."""

    shown: Markup
    url: str
    sub: bool
    span: int
    labels: bool
    rest: Markup


@dataclass(frozen=True)
class Table:
    """A page of the table, with the links to the other pages."""

    rows: tuple[ShownRow, ...]
    heads: tuple[ShownHead, ...]
    chips: tuple[Chip, ...]
    types: tuple[Chip, ...]
    sorts: tuple[tuple[str, str], ...]
    sort: str
    descending: bool
    sorted_by: str
    nothing: str
    clear_url: str
    first: int
    last: int
    total: int
    previous_url: str
    next_url: str
    pages: tuple[tuple[int, str], ...]
    cell_count: int
    broad: bool


def make_table(view: View, query: PageQuery) -> Table:
    """Put together the page of the table that `query` asks for."""
    query = query.but(limit=min(query.limit, MAX_ROWS), offset=query.offset)
    sort, descending = view.order(query)
    names = view.selected(query)
    offset = min(query.offset, max(len(names) - 1, 0) // query.limit * query.limit)
    page = names[offset : offset + query.limit]
    heads = HEADS if not view.several else (DRIFT, *HEADS)
    drawn = {name: _drawn(view, name, len(heads)) for name in page}
    rows = tuple(_shown(view, query, name, one, grouped=sort == "name") for name, one in drawn.items())
    return Table(
        rows=rows,
        heads=_heads(query.but(sort=sort, descending=descending, offset=query.offset), heads),
        chips=_chips(view, query),
        types=_type_chips(query),
        sorts=tuple(item for item in SORT_LABELS.items() if item[0] != "drift" or view.several),
        sort=sort,
        descending=descending,
        sorted_by=SORT_LABELS[sort],
        nothing="No column matches the search and the filters." if query.searching else _EMPTY,
        clear_url=query.url(search="", highlights=(), show=(), types=()),
        first=offset + 1,
        last=offset + len(page),
        total=len(names),
        previous_url=query.url(offset=max(offset - query.limit, 0)) if offset else "",
        next_url=query.url(offset=offset + query.limit) if offset + query.limit < len(names) else "",
        pages=pages_of(query.limit, offset, len(names), lambda start: query.url(offset=start)),
        cell_count=len(heads),
        broad=_width(drawn.values()) > MAX_CHARACTERS,
    )


def _drawn(view: View, name: str, cell_count: int) -> DrawnRow:
    """Draw all of a row but the name, once."""

    def draw() -> DrawnRow:
        row = _row(view, name)
        lines = [line.cells for line in row.lines if line.cells]
        widths = tuple(max(len(cell.text) for cell in column) for column in zip(*lines, strict=True))
        return DrawnRow(len(row.lines), row.lines[0].labels, _rest(row, cell_count), widths)

    return view.kept(f"drawn\n{name}", draw)


def _rest(row: Row, cell_count: int) -> Markup:
    """Write what follows a column's name: without a template, which takes three times as long for so many cells."""
    checkpoint()
    written = []
    if row.tags:
        tags = "".join(
            f'<span class="tag{" warn" if tag.warn else ""}"{_title(tag.help)}>{_escaped(tag.label)}</span>'
            for tag in row.tags
        )
        written.append(f'<div class="tags">{tags}</div>')
    written.append(f'</th>\n<td rowspan="{len(row.lines)}" class="chart">{row.chart}</td>\n')
    for number, line in enumerate(row.lines, start=1):
        if number > 1:
            written.append(f'<tr class="l{number}{" lab" if line.labels else ""}">')
        written.append(f'<th scope="row" class="who"><span class="badge p{line.place}">P{line.place}</span></th>')
        if line.cells:
            written += [f'<td class="{cell.css}"{_title(cell.exact)}>{_escaped(cell.text)}</td>' for cell in line.cells]
        else:
            written.append(f'<td class="absent" colspan="{cell_count}">{_escaped(line.absent)}</td>')
        written.append("</tr>\n")
    return Markup("".join(written))


def _title(text: str) -> str:
    return f' title="{_escaped(text)}"' if text else ""


def _escaped(text: str) -> str:
    """Escape a text; most of a table are figures, in which nothing is to be."""
    return str(escape(text)) if _MARKUP.search(text) else text


_MARKUP = re.compile("[&<>\"']")


def _width(rows: Iterable[DrawnRow]) -> int:
    """Count the characters of the broadest figures."""
    return sum(max(column) for column in zip(*(row.widths for row in rows if row.widths), strict=True))


_EMPTY = "These profiles hold no columns: nothing was logged into them."


def _shown(view: View, query: PageQuery, name: str, row: DrawnRow, *, grouped: bool) -> ShownRow:
    parent = view.parents.get(name) if grouped else None
    if parent is None:
        shown = escape(formatting.clipped(name, 120))
    else:
        own = formatting.clipped(name[len(parent) :], 120)
        hidden = formatting.clipped(parent, 120)
        shown = Markup('<span class="visually-hidden">{}</span>{}').format(hidden, own)
    url = query.url(column=name, offset=0) if len(name) <= MAX_LINKED_NAME else ""
    return ShownRow(shown, url, parent is not None, row.span, row.labels, row.rest)


def _heads(query: PageQuery, heads: Sequence[Head]) -> tuple[ShownHead, ...]:
    def sorting(name: str) -> str:
        if query.sort != name:
            return ""
        return "descending" if query.descending else "ascending"

    def shown(head: Head) -> ShownHead:
        css = "number" if head.number else ""
        return ShownHead(head.label, query.sorted_by(head.sort), css, sorting(head.sort), head.help)

    return (
        ShownHead("Column", query.sorted_by("name"), "name", sorting("name"), "The column's name"),
        ShownHead("Distribution", css="chart"),
        ShownHead("Profile", css="who"),
        *map(shown, heads),
    )


def _chips(view: View, query: PageQuery) -> tuple[Chip, ...]:
    def chip(name: str, label: str, count: int | None) -> Chip:
        shown = None if count is None else f"{count:,}"
        return Chip(label, query.toggled(name), name in query.show, shown)

    total = len(view.names)
    chips = [Chip("All", query.url(show=(), types=()), not query.show and not query.types, f"{total:,}")]
    drift = view.drift_counts
    if drift:
        chips += [
            chip("drifted", "Drifted", drift.drifted),
            chip("missing", "Missing", len(view.missing)),
            chip("new", "New", len(view.new)),
            chip("only-in-one", "Only in one", len(view.only_in_one)),
            chip("type-changed", "Type changed", drift.type_changed),
        ]
    kinds = total <= MAX_KINDS_COUNTED or bool({"insights", "discrete", "non-discrete"}.intersection(query.show))
    chips += [
        chip("insights", "Insights", len(view.with_insights) if kinds else None),
        chip("discrete", "Discrete", len(view.discrete) if kinds else None),
        chip("non-discrete", "Non-discrete", total - len(view.discrete) if kinds else None),
    ]
    # A filter that would leave nothing says nothing, except that it can be switched off.
    return tuple(chip for chip in chips if chip.count != "0" or chip.on)


def _type_chips(query: PageQuery) -> tuple[Chip, ...]:
    return tuple(
        Chip(
            name,
            query.url(
                types=tuple(one for one in query.types if one != name) if name in query.types else (*query.types, name)
            ),
            name in query.types,
        )
        for name in TYPES
    )


def summary_of(view: View) -> Markup:
    """Say at a glance what changed."""
    total = len(view.names)
    counted = f"{total:,} column{'' if total == 1 else 's'}"
    drift = view.drift_counts
    if drift is None:
        return Markup("<strong>{}</strong>").format(counted)
    said = [
        Markup('<strong class="drift-{}">{:,} of {}</strong> drifted from {}').format(
            _overall(view, drift), drift.drifted, counted, formatting.isolated(view.shown[0].label, 40)
        )
    ]
    parts = (
        (drift.strong, "strongly"),
        (len(view.comparison.calendar), "only because the days differ"),
        (len(view.missing), "missing"),
        (len(view.new), "new"),
        (drift.type_changed, "with another type"),
        (drift.unknown, "unclear"),
    )
    said += [Markup("{:,} {}").format(number, word) for number, word in parts if number]
    return Markup(" · ").join(said)


def _overall(view: View, drift: DriftCounts) -> str:
    if drift.strong:
        return "strong"
    if drift.drifted:
        return "moderate"
    if view.missing or view.new:
        return "missing"
    # Green would promise what nobody can say of most columns.
    return "unknown" if drift.unknown > len(view.names) / 2 else "none"


def pages_of(limit: int, offset: int, total: int, url: Callable[[int], str]) -> tuple[tuple[int, str], ...]:
    """Page numbers with their URLs; the current page has none, and (0, "") stands for those left out.

    Parameters
    ----------
    limit, offset, total
        Of rows.
    url
        Returns the URL of the page that begins at a row.
    """
    count = -(-total // limit)
    current = offset // limit + 1
    near = sorted({1, count, *range(max(current - 2, 1), min(current + 2, count) + 1)})
    pages: list[tuple[int, str]] = []
    for number in near:
        if pages and number - pages[-1][0] > 1:
            pages.append((0, ""))
        pages.append((number, "" if number == current else url((number - 1) * limit)))
    return tuple(pages)

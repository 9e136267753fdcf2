"""The table of columns: a page of rows, a line per profile, with heads that sort, filters and page links."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from songbird_widgets.profiles import histogram

from . import charts, formatting
from .cache import Cache
from .query import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from songbird_widgets.profiles import Column, ColumnStatistics

    from .comparison import Comparison, Facts
    from .loading import Side
    from .query import PageQuery

MOST_ROWS_KEPT = 3_000
"""Drawn rows kept, about 6 KB each."""

SPARK_BINS = 30
SPARK_ITEMS = 8
NUMERIC_ITEMS = 40
"""Items in a sparkline: a few words, or the days of a month and suchlike if all are numbers."""


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

SORT_LABELS = {
    "name": "Name",
    **{head.sort: head.label for head in HEADS},
    "discrete": "Discreteness",
}


@dataclass(frozen=True)
class Cell:
    """One figure: as written, and exactly where rounding hid something."""

    css: str
    text: str
    exact: str = ""


@dataclass(frozen=True)
class Line:
    """One profile's figures of a column, or why there are none."""

    place: int
    cells: tuple[Cell, ...]
    absent: str = ""
    labels: bool = False


@dataclass(frozen=True)
class Tag:
    """A word about a column."""

    label: str
    help: str = ""
    warn: bool = False


@dataclass(frozen=True)
class Row:
    """One column: its chart, its tags, a line per profile."""

    name: str
    chart: Markup
    tags: tuple[Tag, ...]
    lines: tuple[Line, ...]


@dataclass
class RowMaker:
    """Draws rows and keeps them."""

    _rows: Cache[Row] = field(default_factory=lambda: Cache(MOST_ROWS_KEPT, lambda _: 1))

    def row(self, comparison: Comparison, name: str) -> Row:
        """Return the row of a column."""
        key = (tuple((side.place, side.fingerprint) for side in comparison.shown), name)
        return self._rows.through(key, lambda: _row(comparison, name))


def _row(comparison: Comparison, name: str) -> Row:
    facts = comparison.facts(name)
    columns = [comparison.library.column(side, name) for side in comparison.shown]
    return Row(
        name, chart_of(comparison.shown, columns, facts), _tags(facts), _lines(comparison.shown, facts)
    )


def chart_of(
    sides: Sequence[Side], columns: Sequence[Column | None], facts: Sequence[Facts | None]
) -> Markup:
    """Draw a column's sparkline: a histogram, or frequent items if it is discrete or holds no numbers."""
    discrete = all(fact.statistics.is_discrete for fact in facts if fact and fact.statistics)
    numbers = any(column is not None and column.kll is not None and column.kll.n for column in columns)
    if numbers and not discrete:
        drawn = _histogram_chart(sides, columns)
    else:
        drawn = _items_chart(sides, columns) or (_histogram_chart(sides, columns) if numbers else None)
    return drawn or Markup('<span class="muted">no distribution</span>')


def _histogram_chart(sides: Sequence[Side], columns: Sequence[Column | None]) -> Markup | None:
    bins = histogram(columns, bins=SPARK_BINS)
    if not bins.edges.size:
        return None
    series = [
        charts.Series(side.place, fractions)
        for side, fractions in zip(sides, bins.fractions, strict=True)
        if fractions is not None
    ]
    low, high = formatting.number(float(bins.edges[0])), formatting.number(float(bins.edges[-1]))
    return charts.histogram_spark(bins.edges, series) + _ends(low, high)


def _items_chart(sides: Sequence[Side], columns: Sequence[Column | None]) -> Markup | None:
    shares = [item_shares(column) for column in columns]
    names = common_items(shares, SPARK_ITEMS, NUMERIC_ITEMS)
    if not names:
        return None
    series = [
        charts.Series(side.place, charts.heights(names, share))
        for side, share in zip(sides, shares, strict=True)
        if share
    ]
    left = formatting.clipped(names[0], 18)
    right = formatting.clipped(names[-1], 18) if len(names) > 1 else ""
    return charts.items_spark(names, series) + _ends(left, right)


def _ends(left: str, right: str) -> Markup:
    return Markup('<div class="ends" aria-hidden="true"><span>{}</span><span>{}</span></div>').format(
        left, right
    )


def item_shares(column: Column | None) -> dict[str, float]:
    """Return a column's frequent items with their estimated share of all that were counted."""
    sketch = column.frequent_items if column is not None else None
    if sketch is None or not sketch.total:
        return {}
    return {item.value: item.estimate / sketch.total for item in sketch.items}


def common_items(shares: Sequence[dict[str, float]], most: int, most_numbers: int) -> list[str]:
    """Return the items that say most about any of several profiles: by number if all are, else by share."""
    best: dict[str, float] = {}
    for share in shares:
        for name, fraction in share.items():
            best[name] = max(best.get(name, 0.0), fraction)
    by_share = sorted(best, key=lambda name: (-best[name], name))
    few = by_share[:most_numbers]
    as_numbers = {name: number for name in few if (number := _as_number(name)) is not None}
    if len(as_numbers) == len(few):
        return sorted(few, key=as_numbers.__getitem__)
    return by_share[:most]


def _as_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _tags(facts: Sequence[Facts | None]) -> tuple[Tag, ...]:
    known = [fact.statistics for fact in facts if fact and fact.statistics]
    if not known:
        return ()
    tags = [Tag("discrete" if known[0].is_discrete else "non-discrete")]
    if len({statistics.inferred_type for statistics in known} - {"unknown"}) > 1:
        tags.append(Tag("type changed", warn=True))
    said: dict[str, str] = {}
    for statistics in known:
        for insight in statistics.insights:
            said.setdefault(insight.kind, insight.text)
    tags += [Tag(_INSIGHTS.get(kind, kind), text, warn=True) for kind, text in said.items()]
    return tuple(tags)


_INSIGHTS = {"mixed_types": "mixed types", "imbalanced": "imbalanced", "nulls": "many nulls"}


def _lines(sides: Sequence[Side], facts: Sequence[Facts | None]) -> tuple[Line, ...]:
    known = [fact.statistics if fact else None for fact in facts]
    figures = {
        "mean": [s.mean if s else None for s in known],
        "median": [s.median if s else None for s in known],
        "min": [s.minimum if s else None for s in known],
        "max": [s.maximum if s else None for s in known],
        "stddev": [s.stddev if s else None for s in known],
    }
    written = {
        name: formatting.numbers([_finite(v, name) for v in values]) for name, values in figures.items()
    }
    lines = []
    labelled = False
    for index, (side, fact) in enumerate(zip(sides, facts, strict=True)):
        statistics = known[index]
        if statistics is None:
            why = f"Cannot be read: {fact.trouble}" if fact and fact.trouble else "Not in this profile"
            lines.append(Line(side.place, (), formatting.clipped(why, 200)))
            continue
        numbers = {
            name: Cell(_css(name), written[name][index], _hidden(values[index], written[name][index]))
            for name, values in figures.items()
        }
        lines.append(Line(side.place, _cells(statistics, numbers), labels=not labelled))
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


def _unique(statistics: ColumnStatistics) -> Cell:
    estimate = statistics.unique_estimate
    if estimate is None:
        return Cell(_css("unique"), formatting.NONE)
    low, high = statistics.unique_lower, statistics.unique_upper
    whole = formatting.count(round(estimate))
    bounds = ""
    if low is not None and high is not None and round(low) != round(high):
        bounds = f"between {formatting.count(round(low))} and {formatting.count(round(high))}"
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
class ShownRow:
    """A row as drawn on a page: with its link, and its name within its parent."""

    shown: Markup
    url: str
    sub: bool
    chart: Markup
    tags: tuple[Tag, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A page of the table, with the links to the other pages."""

    rows: tuple[ShownRow, ...]
    heads: tuple[ShownHead, ...]
    chips: tuple[Chip, ...]
    sorts: tuple[tuple[str, str], ...]
    sorted_by: str
    summary: str
    nothing: str
    clear_url: str
    first: int
    last: int
    total: int
    previous_url: str
    next_url: str
    pages: tuple[tuple[int, str], ...]
    cell_count: int = len(HEADS)


def make_table(comparison: Comparison, query: PageQuery, maker: RowMaker) -> Table:
    """Put together the page of the table that `query` asks for."""
    query = query.but(limit=min(query.limit, MOST_ROWS), offset=query.offset)
    names = comparison.selected(query)
    offset = min(query.offset, max(len(names) - 1, 0) // query.limit * query.limit)
    page = names[offset : offset + query.limit]
    grouped = query.sort == "name"
    rows = tuple(_shown(comparison, query, maker.row(comparison, name), grouped=grouped) for name in page)
    return Table(
        rows=rows,
        heads=_heads(query),
        chips=_chips(comparison, query),
        sorts=tuple(SORT_LABELS.items()),
        sorted_by=SORT_LABELS[query.sort],
        summary=_summary(comparison),
        nothing="No column matches the search and the filters." if query.searching else _EMPTY,
        clear_url=query.url(search="", highlights=(), show=(), types=()),
        first=offset + 1,
        last=offset + len(page),
        total=len(names),
        previous_url=query.url(offset=max(offset - query.limit, 0)) if offset else "",
        next_url=query.url(offset=offset + query.limit) if offset + query.limit < len(names) else "",
        pages=_pages(query, offset, len(names)),
    )


_EMPTY = "These profiles hold no columns: nothing was logged into them."


def _shown(comparison: Comparison, query: PageQuery, row: Row, *, grouped: bool) -> ShownRow:
    parent = comparison.parents.get(row.name) if grouped else None
    if parent is None:
        shown = Markup(escape(formatting.clipped(row.name, 120)))  # noqa: S704 - escaped
    else:
        part = formatting.clipped(row.name[len(parent) :], 120)
        hidden = formatting.clipped(parent, 120)
        shown = Markup('<span class="visually-hidden">{}</span>{}').format(hidden, part)
    url = query.url(column=row.name, offset=0)
    return ShownRow(shown, url, parent is not None, row.chart, row.tags, row.lines)


def _heads(query: PageQuery) -> tuple[ShownHead, ...]:
    def sorting(name: str) -> str:
        if query.sort != name:
            return ""
        return "descending" if query.descending else "ascending"

    return (
        ShownHead("Column", query.sorted_by("name"), "name", sorting("name"), "The column's name"),
        ShownHead("Distribution", css="chart"),
        ShownHead("Profile", css="who"),
        *(
            ShownHead(
                head.label,
                query.sorted_by(head.sort),
                "number" if head.number else "",
                sorting(head.sort),
                head.help,
            )
            for head in HEADS
        ),
    )


def _chips(comparison: Comparison, query: PageQuery) -> tuple[Chip, ...]:
    several = len(comparison.shown) > 1
    chips = [Chip("All columns", query.url(show=(), types=()), not query.show and not query.types)]
    if several:
        missing = sum(map(comparison.missing, comparison.names))
        chips.append(_chip(query, "missing", "Not in all", str(missing)))
        chips.append(
            _chip(
                query, "only-in-one", "Only in one", str(sum(map(comparison.only_in_one, comparison.names)))
            )
        )
        chips.append(_chip(query, "type-changed", "Type changed"))
    chips += [
        _chip(query, "insights", "With insights"),
        _chip(query, "discrete", "Discrete"),
        _chip(query, "non-discrete", "Non-discrete"),
    ]
    return tuple(chips)


def _chip(query: PageQuery, name: str, label: str, count: str | None = None) -> Chip:
    return Chip(label, query.toggled(name), name in query.show, count)


def _summary(comparison: Comparison) -> str:
    total = len(comparison.names)
    said = [f"{total:,} column{'' if total == 1 else 's'}"]
    if len(comparison.shown) > 1:
        common = sum(not comparison.missing(name) for name in comparison.names)
        said.append(f"{common:,} in {'both' if len(comparison.shown) == 2 else 'all three'}")  # noqa: PLR2004
    return ", ".join(said)


def _pages(query: PageQuery, offset: int, total: int) -> tuple[tuple[int, str], ...]:
    """Page numbers with their URLs; the current page has none, and (0, "") stands for those left out."""
    count = -(-total // query.limit)
    current = offset // query.limit + 1
    near = sorted({1, count, *range(max(current - 2, 1), min(current + 2, count) + 1)})
    pages: list[tuple[int, str]] = []
    for number in near:
        if pages and number - pages[-1][0] > 1:
            pages.append((0, ""))
        pages.append((number, "" if number == current else query.url(offset=(number - 1) * query.limit)))
    return tuple(pages)

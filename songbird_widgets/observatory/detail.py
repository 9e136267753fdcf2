"""One column in full: what the page of a column shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from songbird_widgets.profiles import MEASURES

from . import charts, figures, formatting
from .charts import Series
from .problems import PageProblem, not_found
from .sparklines import common_items, item_shares
from .table import HEADS
from .tails import histogram_of, middle
from .verdicts import verdict_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from songbird_widgets.profiles import Column, KllSketch
    from songbird_widgets.profiles.sketches.frequent_items import FrequentItemsSketch

    from .query import PageQuery
    from .table import Row
    from .verdicts import VerdictLine
    from .view import Columns, View

RANKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""Ranks of the quantile table; the first and last are minimum and maximum, exact."""

MAX_ITEMS = 15
"""Items that are drawn; the table lists more."""

MAX_LISTED = 50
_CURVE_POINTS = 240

CHARTS = ("histogram", "distribution", "box", "items")
"""Charts that can be exported (``chart=``)."""


@dataclass(frozen=True)
class Sheet:
    """A small table: a line per thing, a column per profile.

    Parameters
    ----------
    heads
        What the lines' first cells are, then a letter per profile.
    lines
        First cell and figures of each line.
    """

    corner: str
    letters: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart in two widths, and where it can be had as a file."""

    key: str
    wide: Markup
    narrow: Markup
    url: str


@dataclass(frozen=True)
class Option:
    """A way to draw the histogram, as a link."""

    label: str
    url: str
    on: bool


@dataclass(frozen=True)
class MeasureLine:
    """One measure of drift, with what it means."""

    title: str
    formula: str
    source: str
    reading: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class DriftSheet:
    """Drift from P1, profile by profile and measure by measure."""

    letters: tuple[str, ...]
    verdicts: tuple[VerdictLine, ...]
    measures: tuple[MeasureLine, ...]


@dataclass(frozen=True)
class Detail:
    """All there is to show of a column."""

    name: str
    shown: str
    row: Row
    figures: Sheet
    charts: dict[str, Chart]
    options: tuple[tuple[str, tuple[Option, ...]], ...]
    bins: Sheet | None
    quantiles: Sheet | None
    items: Sheet | None
    types: Sheet
    conditions: Sheet | None
    metrics: Sheet | None
    children: tuple[tuple[str, str], ...]
    previous: tuple[str, str] | None
    next: tuple[str, str] | None
    insights: tuple[str, ...]
    drift: DriftSheet | None


def drawn(view: View, name: str, query: PageQuery, width: int) -> dict[str, Markup]:
    """Draw every chart that a column has something for.

    Parameters
    ----------
    view, name
        The column of these profiles.
    query
        Bins, and whether in counts and on a logarithmic axis.
    width
        Pixels.
    """
    columns = view.columns(name).columns
    places = view.places
    made: dict[str, Markup] = {}
    bins, _ = histogram_of(columns, query.bins, whole=query.whole)
    if bins.edges.size:
        heights = bins.counts if query.counts else bins.fractions
        series = [Series(place, one) for place, one in zip(places, heights, strict=True) if one is not None]
        made["histogram"] = figures.histogram(bins.edges, series, width=width, counts=query.counts, log=query.log)
        sketches = [
            (place, column.kll)
            for place, column in zip(places, columns, strict=True)
            if column is not None and column.kll is not None and column.kll.n
        ]
        curves = [(place, *_curve(kll)) for place, kll in sketches]
        curves = [(place, values, shares) for place, values, shares in curves if values.size]
        if curves:
            made["distribution"] = figures.distribution(curves, width=width)
        finite = [
            (place, kll.quantiles((0, 0.25, 0.5, 0.75, 1)).tolist())
            for place, kll in sketches
            if math.isfinite(kll.min) and math.isfinite(kll.max)
        ]
        if finite:
            made["box"] = figures.boxes(finite, width=width)
    shares = [item_shares(column) for column in columns]
    names = common_items(columns, MAX_ITEMS, 2 * MAX_ITEMS)
    counted = [column.frequent_items if column is not None else None for column in columns]
    if _largest_share(counted) < _FREQUENT_SHARE:
        names = []
    if names:
        series = [
            Series(place, charts.heights(names, share)) for place, share in zip(places, shares, strict=True) if share
        ]
        made["items"] = figures.items(names, series, width=width)
    return made


def make_detail(view: View, name: str, query: PageQuery, row: Row) -> Detail:
    """Put together the page of a column.

    Raises
    ------
    PageProblem
        When none of the profiles has the column.
    """
    check_column(view, name)
    looked_at = view.columns(name)
    columns = looked_at.columns
    letters = tuple(f"P{place}" for place in view.places)
    wide, narrow = (drawn(view, name, query, width) for width in (figures.WIDE, figures.NARROW))
    made = {
        key: Chart(key, wide[key], narrow[key], f"{query.url('.svg')}&chart={key}") for key in CHARTS if key in wide
    }
    order = view.selected(query)
    if name not in order:  # opened by its address, past the search and the filters
        order = list(view.names)
    return Detail(
        name=name,
        shown=formatting.clipped(name, 120),
        row=row,
        figures=_figures(letters, row),
        charts=made,
        options=_options(query, long_tails=middle(columns) is not None),
        bins=_bins(letters, columns, query),
        quantiles=_quantiles(letters, columns),
        items=_items(letters, columns),
        types=_types(letters, columns),
        conditions=_conditions(letters, columns),
        metrics=_metrics(letters, columns),
        children=tuple(
            (formatting.clipped(child, 120), query.url(column=child))
            for child, parent in view.parents.items()
            if parent == name
        ),
        previous=_neighbour(order, name, query, -1),
        next=_neighbour(order, name, query, 1),
        insights=_insights(looked_at),
        drift=_drift(looked_at, [side.label for side in view.shown]) if view.several else None,
    )


def check_column(view: View, name: str) -> None:
    """Refuse a column that none of the profiles has.

    Raises
    ------
    PageProblem
        When there is none.
    """
    if not any(name in side.places for side in view.comparison.sides):
        raise PageProblem(
            not_found(
                "There is no such column",
                f"None of these profiles has a column called {formatting.clipped(name, 60)}.",
                "Go back to all columns, or search there.",
            )
        )


def _curve(kll: KllSketch) -> tuple[np.ndarray, np.ndarray]:
    """Thin a sketch's cumulative distribution to what can be seen."""
    values, cumulative = kll.items, kll.cumulative[1:] / kll.n
    finite = np.isfinite(values)
    values, cumulative = values[finite], cumulative[finite]
    if values.size > _CURVE_POINTS:
        # Evenly by rank and by value: the first keeps the steep parts, the second the tails.
        steps = np.linspace(0, 1, _CURVE_POINTS)
        ranks = np.searchsorted(cumulative, steps)
        # The distance of both ends may be too large for a double.
        spread = np.searchsorted(values, values[0] * (1 - steps) + values[-1] * steps)
        kept = np.unique(np.concatenate([ranks, spread, [0, values.size - 1]]).clip(0, values.size - 1))
        values, cumulative = values[kept], cumulative[kept]
    # The ends are exact, whether or not the sketch retained them.
    if math.isfinite(kll.min) and math.isfinite(kll.max):
        values = np.concatenate([[kll.min], values, [kll.max]])
        cumulative = np.concatenate([[0.0], cumulative, [1.0]])
    return values, cumulative


def _figures(letters: tuple[str, ...], row: Row) -> Sheet:
    lines = []
    for index, head in enumerate(reversed(HEADS), start=1):  # from the end: drift may stand before them
        cells = tuple(line.cells[-index].text if line.cells else formatting.NONE for line in row.lines)
        if head.sort == "nulls" or any(cell != formatting.NONE for cell in cells):
            lines.append((head.label, cells))
    return Sheet("Figure", letters, tuple(reversed(lines)))


def _options(query: PageQuery, *, long_tails: bool) -> tuple[tuple[str, tuple[Option, ...]], ...]:
    ranges = (
        Option("middle 98 %", query.url(whole=False), not query.whole),
        Option("all", query.url(whole=True), query.whole),
    )
    return (
        *((("Range", ranges),) if long_tails else ()),
        ("Bins", tuple(Option(str(n), query.url(bins=n), query.bins == n) for n in (30, 60, 90))),
        (
            "Height",
            (
                Option("percent", query.url(counts=False), not query.counts),
                Option("count", query.url(counts=True), query.counts),
            ),
        ),
        (
            "Scale",
            (
                Option("linear", query.url(log=False), not query.log),
                Option("log", query.url(log=True), query.log),
            ),
        ),
    )


def _bins(letters: tuple[str, ...], columns: Sequence[Column | None], query: PageQuery) -> Sheet | None:
    bins, beyond = histogram_of(columns, query.bins, whole=query.whole)
    if not bins.edges.size:
        return None
    edges = formatting.numbers(bins.edges.tolist())
    lines = []
    for index in range(bins.edges.size - 1):
        cells = []
        for counts, fractions in zip(bins.counts, bins.fractions, strict=True):
            if counts is None or fractions is None:
                cells.append(formatting.NONE)
            elif query.counts:
                cells.append(formatting.count(round(float(counts[index]))))
            else:
                cells.append(formatting.percent(float(fractions[index])))
        lines.append((f"{edges[index]} to {edges[index + 1]}", tuple(cells)))
    return Sheet("Bin", letters, tuple(lines), beyond)


def _quantiles(letters: tuple[str, ...], columns: Sequence[Column | None]) -> Sheet | None:
    known = [
        column.kll.quantiles(RANKS).tolist() if column is not None and column.kll is not None and column.kll.n else None
        for column in columns
    ]
    if not any(known):
        return None
    lines = []
    for index, rank in enumerate(RANKS):
        label = {0.0: "Minimum", 0.5: "Median", 1.0: "Maximum"}.get(rank, f"{rank * 100:g} %")
        lines.append((label, tuple(formatting.numbers([one[index] if one else None for one in known]))))
    return Sheet("Quantile", letters, tuple(lines), _rank_note(columns))


def _rank_note(columns: Sequence[Column | None]) -> str:
    errors = [column.kll.rank_error for column in columns if column is not None and column.kll is not None]
    worst = max(errors, default=0.0)
    if not worst:
        return "Exact: the sketches still hold every number."
    return f"Ranks are right within {formatting.percent(worst)}; minimum and maximum are exact."


def _items(letters: tuple[str, ...], columns: Sequence[Column | None]) -> Sheet | None:
    sketches = [column.frequent_items if column is not None else None for column in columns]
    found = [{item.value: (item.lower, item.upper) for item in sketch.items} if sketch else {} for sketch in sketches]
    names = common_items(columns, MAX_LISTED, MAX_LISTED)
    if not names:
        return None
    largest = _largest_share(sketches)
    if largest < _FREQUENT_SHARE:
        note = f"Many different values, none of them frequent: each makes up {formatting.percent(largest)} at most."
        return Sheet("Value", letters, (), note)
    lines = []
    for name in names:
        cells = []
        for sketch, known in zip(sketches, found, strict=True):
            if sketch is None or not sketch.total:
                cells.append(formatting.NONE)
            else:
                low, high = known.get(name, (0, sketch.unlisted))
                cells.append(_count_text(low, high, sketch.total))
        lines.append((formatting.clipped(name, 120), tuple(cells)))
    lossless = all(sketch is None or not sketch.offset for sketch in sketches)
    note = (
        "Counts are exact: no value was left out."
        if lossless
        else "Ranges are bounds of counts that were not kept exactly; values that may have occurred once are left out."
    )
    return Sheet("Value", letters, tuple(lines), note)


def _largest_share(sketches: Sequence[FrequentItemsSketch | None]) -> float:
    """Return the share that the most frequent value of any profile has at most."""
    return max(
        (item.upper / sketch.total for sketch in sketches if sketch and sketch.total for item in sketch.items[:1]),
        default=0.0,
    )


_FREQUENT_SHARE = 0.002
"""Below it for all values, a column holds identifiers, addresses or free text, and a list of some says nothing."""


def _count_text(low: int, high: int, total: int) -> str:
    """Write how many rows hold a value, and their share of all: a number where it is known, else its bounds."""
    if low == high:
        return f"{formatting.percent(low / total)} · {low:,}"
    if not low:
        return f"at most {formatting.percent(high / total)} · {high:,}"
    return f"{formatting.percent(low / total)} to {formatting.percent(high / total)} · {low:,} to {high:,}"


def _types(letters: tuple[str, ...], columns: Sequence[Column | None]) -> Sheet:
    names = ("integral", "fractional", "boolean", "string", "object", "tensor")
    lines = [
        (
            name,
            tuple(formatting.NONE if column is None else f"{getattr(column.types, name):,}" for column in columns),
        )
        for name in names
    ]
    counts: tuple[tuple[str, Callable[[Column], int]], ...] = (
        ("null", lambda column: column.counts.null),
        ("NaN, also among the nulls", lambda column: column.counts.nan),
        ("infinite", lambda column: column.counts.inf),
    )
    for label, count in counts:
        lines.append((label, tuple(formatting.NONE if column is None else f"{count(column):,}" for column in columns)))
    shown = [line for line in lines if any(cell not in {"0", formatting.NONE} for cell in line[1])]
    return Sheet("Values", letters, tuple(shown or lines[:1]))


def _conditions(letters: tuple[str, ...], columns: Sequence[Column | None]) -> Sheet | None:
    names = sorted({name for column in columns if column is not None for name in column.conditions} - {"total"})
    if not names:
        return None
    lines = []
    for name in names:
        cells = []
        for column in columns:
            met = column.conditions.get(name) if column is not None else None
            tried = column.conditions.get("total", 0) if column is not None else 0
            if met is None or not tried:
                cells.append(formatting.NONE)
            else:
                cells.append(f"{formatting.percent(met / tried)} · {met:,} of {tried:,}")
        lines.append((formatting.clipped(name, 120), tuple(cells)))
    return Sheet("Condition met", letters, tuple(lines))


def _metrics(letters: tuple[str, ...], columns: Sequence[Column | None]) -> Sheet | None:
    """List the figures of metrics that whylogs does not have, under their own names."""
    every = [column.metrics if column is not None else {} for column in columns]
    lines = []
    for name in sorted(frozenset().union(*every))[:MAX_LISTED]:
        figures = [metrics.get(name) for metrics in every]
        lines.append((formatting.clipped(name, 120), tuple(formatting.numbers(figures))))
    return Sheet("Figure", letters, tuple(lines)) if lines else None


def _insights(columns: Columns) -> tuple[str, ...]:
    return tuple(
        f"P{place}: {formatting.visible(insight.text)}"
        for place, statistics in zip(columns.places, columns.statistics, strict=True)
        if statistics
        for insight in statistics.insights
    )


def _drift(columns: Columns, labels: Sequence[str]) -> DriftSheet:
    found = [(f"P{place}", drift) for place, drift in zip(columns.places, columns.drifts, strict=True) if drift]
    lines = []
    for key, measure in MEASURES.items():
        # What the sketches' own error explains of this distance says nothing of the data.
        values = [drift.ks_beyond_error if key == "ks" else getattr(drift, key) for _, drift in found]
        if any(value is not None for value in values):
            chances = [getattr(drift, f"{key}_p", None) for _, drift in found]
            written = tuple(
                number if chance is None else f"{number} (p {_probability(chance)})"
                for number, chance in zip(formatting.numbers(values), chances, strict=True)
            )
            lines.append(MeasureLine(measure.title, measure.formula, measure.source, measure.reading, written))
    verdicts = verdict_lines(columns.places, columns.drifts, labels)
    return DriftSheet(tuple(letter for letter, _ in found), verdicts, tuple(lines))


def _probability(chance: float) -> str:
    return "< 0.001" if chance < 0.001 else f"= {chance:.3f}"


def _neighbour(order: Sequence[str], name: str, query: PageQuery, step: int) -> tuple[str, str] | None:
    at = order.index(name) + step
    if not 0 <= at < len(order):
        return None
    return formatting.clipped(order[at], 40), query.url(column=order[at])

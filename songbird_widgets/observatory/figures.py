"""Larger charts with axes, for the page of one column and for export.

Each is drawn for a given width, because text in a drawing that is scaled to a phone cannot be read: pages hold
one for wide and one for narrow screens and show the one that fits.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from ..basics import DAY_MS
from . import charts, formatting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from .charts import Series

    Floats = NDArray[np.float64]

WIDE, NARROW = 760, 330
"""Widths in pixels that figures are drawn for."""

_TOP, _BOTTOM, _RIGHT = 14, 34, 14
_CHARACTER = 7.2
_LEAST_SPAN = 1e-300


@dataclass(frozen=True)
class Scale:
    """Where values of an axis lie.

    Parameters
    ----------
    low, high
        The values at its ends.
    begin, end
        The pixels of its ends.
    log
        Whether equal steps are equal factors.
    """

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        if self.log:
            value, low, high = (math.log10(max(one, self.low)) for one in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        span = high - low
        part = (value - low) / span if math.isfinite(span) and span > _LEAST_SPAN else 0.5
        return round(self.begin + (self.end - self.begin) * part, 1)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers between `low` and `high`, about as many as asked for.

    Steps are 1, 2 or 5 times a power of ten.
    """
    span = high - low
    if not math.isfinite(span) or span <= _LEAST_SPAN:
        return [low]
    raw = span / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten between `low` and `high`."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max((last - first) // 5, 1)
    return [10.0**exponent for exponent in range(first, last + 1, step)]


@dataclass(frozen=True)
class _Frame:
    width: int
    height: int
    left: float
    x: Scale
    y: Scale
    grid: str

    @property
    def bottom(self) -> int:
        return self.height - _BOTTOM


def _frame(
    width: int,
    height: int,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    written: Callable[[Sequence[float]], list[str]],
    *,
    log: bool = False,
) -> _Frame:
    """Lay out both axes, with room for the labels of the y axis."""
    y_ticks = log_ticks(*y_range) if log else ticks(*y_range, 4)
    y_labels = [written([tick])[0] for tick in y_ticks] if log else written(y_ticks)
    left = 12 + _CHARACTER * max((len(label) for label in y_labels), default=1)
    x = Scale(*x_range, left, width - _RIGHT)
    y = Scale(*y_range, height - _BOTTOM, _TOP, log)
    lines = "".join(f"M{left:.0f} {y(tick)}H{width - _RIGHT}" for tick in y_ticks)
    grid = f'<path class="grid" d="{lines}"/>'
    grid += "".join(_text(left - 6, y(tick) + 4, "end", label) for tick, label in zip(y_ticks, y_labels, strict=True))
    return _Frame(width, height, left, x, y, grid + _x_axis(x, width, height))


def _x_axis(x: Scale, width: int, height: int) -> str:
    at = ticks(x.low, x.high, max(width // 110, 2))
    labels = formatting.numbers(at)
    axis = f'<path class="axis" d="M{x.begin:.0f} {height - _BOTTOM}H{width - _RIGHT}'
    axis += "".join(f"M{x(tick)} {height - _BOTTOM}v5" for tick in at) + '"/>'
    for tick, label in zip(at, labels, strict=True):
        half = len(label) * _CHARACTER / 2
        place = min(max(x(tick), half), width - half)
        axis += _text(place, height - 12, "middle", label)
    return axis


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def histogram(
    edges: Floats, series: Sequence[Series], *, width: int = WIDE, counts: bool = False, log: bool = False
) -> Markup:
    """Draw histograms over the same bins.

    Parameters
    ----------
    edges
        Bin edges, ascending.
    series
        Fractions, or counts, per bin.
    width
        Pixels.
    counts
        Whether heights are counts.
    log
        Whether the heights' axis is logarithmic.
    """
    heights = np.concatenate([one.heights for one in series]) if series else np.zeros(1)
    top = float(heights.max()) or 1.0
    positive = heights[heights > 0]
    low = float(positive.min()) / 2 if log and positive.size else 0.0
    frame = _frame(
        width,
        280,
        (float(edges[0]), float(edges[-1])),
        (low, top),
        _counts if counts else _percents,
        log=log and bool(positive.size),
    )
    paths = []
    for one in series:
        stops = [frame.x(float(edge)) for edge in edges]
        parts = [f"M{stops[0]} {frame.bottom}"]
        for height, end in zip(one.heights.tolist(), stops[1:], strict=True):
            parts.append(f"V{frame.y(height) if height > 0 else frame.bottom}H{end}")
        heights_told = ",".join(f"{height:.4g}" for height in one.heights.tolist())
        paths.append(f'<path class="s{one.place}" data-heights="{heights_told}" d="{"".join(parts)}V{frame.bottom}"/>')
    told = {"chart": "histogram", "bins": edges.size - 1, "counts": int(counts), **_axis(frame)}
    return _svg(frame, "".join(paths), charts.histogram_summary(edges, series, counts=counts), told)


def _counts(values: Sequence[float]) -> list[str]:
    return formatting.numbers(values)


def _percents(values: Sequence[float]) -> list[str]:
    return [f"{text} %" for text in formatting.numbers([value * 100 for value in values])]


def distribution(curves: Sequence[tuple[int, Floats, Floats]], *, width: int = WIDE) -> Markup:
    """Draw cumulative distributions.

    Parameters
    ----------
    curves
        Place, ascending values, and the share of numbers up to each.
    width
        Pixels.
    """
    low = min(float(values[0]) for _, values, _ in curves)
    high = max(float(values[-1]) for _, values, _ in curves)
    frame = _frame(width, 240, (low, high), (0, 1), _percents)
    paths = []
    said = ["Cumulative distribution."]
    for place, values, shares in curves:
        points = [f"M{frame.x(float(values[0]))} {frame.bottom}"]
        for value, share in zip(values.tolist(), shares.tolist(), strict=True):
            points.append(f"H{frame.x(value)}V{frame.y(share)}")
        paths.append(f'<path class="l{place}" d="{"".join(points)}H{frame.x.end}"/>')
        half = float(values[min(int(np.searchsorted(shares, 0.5)), values.size - 1)])
        said.append(f"P{place}: half of the numbers are at most {formatting.number(half)}.")
    told = {"chart": "distribution", "top": frame.y(1), "bottom": frame.bottom, **_axis(frame)}
    return _svg(frame, "".join(paths), " ".join(said), told)


def boxes(rows: Sequence[tuple[int, Sequence[float]]], *, width: int = WIDE) -> Markup:
    """Draw a box plot a profile: whiskers from least to greatest, the box around the middle half.

    Parameters
    ----------
    rows
        Place, and minimum, quartiles (three) and maximum.
    width
        Pixels.
    """
    low, high = min(five[0] for _, five in rows), max(five[4] for _, five in rows)
    height = _TOP + 38 * len(rows) + _BOTTOM
    x = Scale(low, high, 40, width - _RIGHT)
    drawn = [_x_axis(x, width, height)]
    said = ["Box plots."]
    rows_told = []
    for index, (place, five) in enumerate(rows):
        middle = _TOP + 38 * index + 16
        least, first, median, third, greatest = (x(value) for value in five)
        drawn.append(f'<text class="name" x="30" y="{middle + 4}" text-anchor="end">P{place}</text>')
        words = formatting.numbers(list(five))
        told = f"P{place}: {', '.join(words[:4])} and {words[4]} (minimum, quartiles, maximum)"
        rows_told.append(f"\tP{place} {told.partition(': ')[2]}")
        drawn.append(
            f'<g><path class="x{place}" d="M{least} {middle - 6}v12m0-6H{first}M{third} {middle}H{greatest}'
            f'm0-6v12M{first} {middle - 11}H{third}v22H{first}z"/>'
            f'<path class="m{place}" d="M{median} {middle - 11}v22"/></g>'
        )
        said.append(
            f"P{place}: from {words[0]} to {words[4]}, the middle half from {words[1]} to {words[3]}, "
            f"median {words[2]}."
        )
    told_rows = {"chart": "box", "top": _TOP, "row": 38, "said": "\n".join(rows_told)}
    return _markup(width, height, "".join(drawn), " ".join(said), _data(told_rows))


def items(names: Sequence[str], series: Sequence[Series], *, width: int = WIDE) -> Markup:
    """Draw the shares of frequent items as horizontal bars, a group an item."""
    top = max((float(one.heights.max()) for one in series if one.heights.size), default=0.0) or 1.0
    characters = 12 if width < WIDE else 26
    labels = [formatting.clipped(name, characters) for name in names]
    left = 12 + _CHARACTER * max(len(label) for label in labels)
    bar = 9
    group = bar * len(series) + 8
    height = _TOP + group * len(names) + _BOTTOM
    at = ticks(0, top, 3 if width < WIDE else 6)
    x = Scale(0, top, left, width - 30)
    lines = "".join(f"M{x(tick)} {_TOP}V{height - _BOTTOM}" for tick in at)
    drawn = [f'<path class="grid" d="{lines}"/>']
    drawn += [_text(x(tick), height - 12, "middle", label) for tick, label in zip(at, _percents(at), strict=True)]
    for index, label in enumerate(labels):
        y = _TOP + group * index + group / 2 + 4
        drawn.append(_text(left - 6, y, "end", label))
    for order, one in enumerate(series):
        path = ""
        for index, share in enumerate(one.heights.tolist()):
            if share > 0:
                y = _TOP + group * index + 4 + bar * order
                path += f"M{left:.0f} {y}H{max(x(share), left + 1)}v{bar - 2}H{left:.0f}z"
        drawn.append(f'<path class="b{one.place}" d="{path}"/>')
    rows_told = []
    for index, name in enumerate(names):
        shares = (f"P{one.place} {formatting.percent(float(one.heights[index]))}" for one in series)
        rows_told.append("\t".join([formatting.clipped(name, 80), *shares]))
    told = {"chart": "items", "top": _TOP, "row": group, "said": "\n".join(rows_told)}
    return _markup(width, height, "".join(drawn), charts.items_summary(names, series), _data(told))


def timeline(days: Sequence[tuple[int, str, str]], *, kinds: Sequence[str] = ()) -> Markup:
    """Draw batches over time, each a link, as broad as the page allows, and no broader than the days need.

    Parameters
    ----------
    days
        Start in ms, what to call it, and its URL; at least two.
    kinds
        What each day is, by `trend_charts.KINDS`; its colour and height say so.
    """
    first, last = min(day for day, _, _ in days), max(day for day, _, _ in days)
    span = (last - first) // DAY_MS + 1
    slot = _STRIP_WIDTH / span
    mark = max(slot * 0.8, _STRIP_WIDTH / 300)
    drawn = []
    for (day, label, url), kind in zip(days, kinds or [""] * len(days), strict=True):
        # What drifted stands out by its height, too: never by colour alone.
        top = _DAY_TOPS.get(kind, 10)
        x = min(slot * (day - first) / DAY_MS, _STRIP_WIDTH - mark)
        drawn.append(
            f'<a href="{escape(url)}" aria-label="{escape(label)}"><title>{escape(label)}</title>'
            f'<rect class="day {kind}" x="{x:.1f}" y="{top}" width="{mark:.1f}" height="{_STRIP_HEIGHT - top}"/></a>'
        )
    middle = [first + span // 2 * DAY_MS] if span > _STRIP_MIDDLE else []
    ends = "".join(f"<span>{escape(formatting.day(day))}</span> " for day in (first, *middle, last))
    # A group: links inside of an image could not be reached.
    return Markup(  # all text is escaped above
        f'<div class="strip"><svg viewBox="0 0 {_STRIP_WIDTH} {_STRIP_HEIGHT}" width="{span * _STRIP_DAY}" '
        f'preserveAspectRatio="none" role="group" aria-label="Batches over time">{"".join(drawn)}</svg>'
        f'<div class="ends" aria-hidden="true">{ends}</div></div>'
    )


_STRIP_WIDTH, _STRIP_HEIGHT = 1000, 42  # units, which are stretched to the page
_STRIP_DAY = 28  # the most pixels of a day
_STRIP_MIDDLE = 20  # days from which on one between the first and the last is named
_DAY_TOPS = {"strong": 2, "moderate": 8, "uncertain": 18, "absent": 12, "none": 20, "unknown": 28, "waiting": 28}


def _axis(frame: _Frame) -> dict[str, float]:
    """What the script needs to say which values are under the pointer."""
    return {"left": frame.x.begin, "right": frame.x.end, "low": frame.x.low, "high": frame.x.high}


def _svg(frame: _Frame, inner: str, summary: str, told: dict[str, object]) -> Markup:
    return _markup(frame.width, frame.height, frame.grid + inner, summary, _data(told))


def _data(told: Mapping[str, object]) -> str:
    """Write what the script says of what is under the pointer."""
    return "".join(f' data-{name}="{escape(str(value))}"' for name, value in told.items())


def _markup(width: int, height: int, inner: str, summary: str, data: str = "") -> Markup:
    return Markup(  # text is escaped where it is written, the rest is made of numbers
        f'<svg class="figure" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(summary)}"{data}>'
        f"{inner}</svg>"
    )


_COLOURS = ("#0e7490", "#c4500f", "#8b36b5")
_DASHES = ("", ' stroke-dasharray="6 2"', ' stroke-dasharray="2 2"')
_TEXT = 'font-family="sans-serif" font-size="12" fill="#566070"'
_ATTRIBUTES = {
    "axis": 'fill="none" stroke="#868f9c"',
    "grid": 'fill="none" stroke="#dfe3e9"',
    "tick": _TEXT,
    "name": _TEXT + ' font-weight="bold"',
    **{
        f"s{i + 1}": f'fill="{c}" fill-opacity=".12" stroke="{c}" stroke-width="1.6"{_DASHES[i]}'
        for i, c in enumerate(_COLOURS)
    },
    **{f"l{i + 1}": f'fill="none" stroke="{c}" stroke-width="1.8"{_DASHES[i]}' for i, c in enumerate(_COLOURS)},
    **{f"b{i + 1}": f'fill="{c}" fill-opacity="{1 - 0.35 * i}" stroke="{c}"' for i, c in enumerate(_COLOURS)},
    **{f"x{i + 1}": f'fill="{c}" fill-opacity=".15" stroke="{c}" stroke-width="1.6"' for i, c in enumerate(_COLOURS)},
    **{f"m{i + 1}": f'stroke="{c}" stroke-width="3"' for i, c in enumerate(_COLOURS)},
}
_CLASS = re.compile(r'class="([a-z0-9]+)"')
_SIZE = re.compile(r'^<svg class="figure" viewBox="0 0 (\d+) (\d+)"')


def standalone(figure: Markup, legend: Sequence[tuple[int, str]]) -> str:
    """Return a figure as a file of its own: colours as attributes, a white ground, a legend.

    Parameters
    ----------
    figure
        What one of the functions above drew.
    legend
        Place and name of each profile.
    """
    found = _SIZE.match(figure)
    if found is None:
        raise ValueError("Only figures can be exported.")
    width, height = int(found[1]), int(found[2])
    body = str(figure)[found.end() :]
    attributes, _, inner = body.partition(">")
    inner = _CLASS.sub(lambda match: _ATTRIBUTES.get(match[1], ""), inner.removesuffix("</svg>"))
    lines = ""
    for index, (place, name) in enumerate(legend):
        y, colour = height + 16 + 20 * index, _COLOURS[place - 1]
        lines += f'<rect x="14" y="{y - 10}" width="12" height="12" fill="{colour}"/>'
        lines += f'<text x="34" y="{y}" {_TEXT}>{escape(formatting.clipped(name, 60))}</text>'
    total = height + 20 * len(legend) + 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" '
        f'viewBox="0 0 {width} {total}"'
        f'{attributes}><rect width="{width}" height="{total}" fill="#fff"/>{inner}{lines}</svg>'
    )

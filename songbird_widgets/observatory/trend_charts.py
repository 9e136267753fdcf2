"""Small charts of a column over many days, as inline SVG: one path for all days of a kind, styled by class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from songbird_widgets.basics import DAY_MS
from songbird_widgets.profiles.thresholds import STRONG
from songbird_widgets.profiles.trends import FIGURES, MISSING, NEW, NONE, UNKNOWN

from . import figures, formatting
from .sparklines import in_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WIDTH, HEIGHT = 480, 112
"""Units of a small chart, about twice the pixels that it is shown at."""

FIGURE_HEIGHT = 190
"""Pixels of a large one."""

MAX_SCORE = 4.0
"""The score at the top of a chart of drift; what is more is drawn as high."""

_COUNT, _NULLS, _MEAN, _STDDEV, _MEDIAN, _UNIQUE = range(len(FIGURES))
_PAD = 6


@dataclass(frozen=True)
class TrendChart:
    """One chart: what of, its drawing, and what its lower and upper end stand for; nothing to draw without the last."""

    key: str
    svg: Markup
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class Course:
    """What is drawn of one column.

    Attributes
    ----------
    days : tuple of int
        Start of each day in ms, ascending.
    labels : sequence of str
    figures : ndarray of float, shape (figures, days)
    baseline : ndarray of float
        The same figures of the baseline.
    verdicts, scores, drifted : ndarray
        By day, as in `Trends`.
    known : ndarray of bool
        Whether a day was compared.
    began : int or None
        The day on which it began to drift, by its place.
    links : sequence of str
        Where each day leads, for large charts.
    """

    days: tuple[int, ...]
    labels: Sequence[str]
    figures: Floats
    baseline: Floats
    verdicts: NDArray[np.uint8]
    scores: Floats
    drifted: NDArray[np.bool_]
    known: NDArray[np.bool_]
    began: int | None
    links: Sequence[str] = ()


CHARTS = ("drift", "mean", "nulls", "unique")
"""What is drawn of a column, in this order."""

TITLES = {
    "drift": "Drift",
    "mean": "Mean and spread",
    "nulls": "Nulls",
    "unique": "Unique",
}


@dataclass(frozen=True)
class _Box:
    """Where things are drawn: horizontally by time, vertically by value."""

    left: float
    right: float
    top: float
    bottom: float
    days: tuple[int, ...]

    @property
    def xs(self) -> Sequence[float]:
        return _positions(self.days, self.left, self.right, self.mark)

    @property
    def mark(self) -> float:
        """The breadth of a day."""
        days = (self.days[-1] - self.days[0]) // DAY_MS + 1
        return min((self.right - self.left) / days, 24)

    def ys(self, values: Floats, low: float, high: float) -> list[float | None]:
        span, room = high - low, self.bottom - self.top
        scaled = (values - low) * (room / span) if math.isfinite(span) and span > 0 else values * 0 + room / 2
        placed = (self.bottom - np.minimum(np.maximum(scaled, 0), room)).round(1).tolist()
        return [None if y != y else y for y in placed] if np.isnan(values).any() else placed


@lru_cache(maxsize=16)
def _positions(days: tuple[int, ...], left: float, right: float, mark: float) -> tuple[float, ...]:
    """Return where days lie; the same for every column of a page."""
    first, last = days[0], days[-1]
    if first == last:
        return (round((left + right) / 2, 1),) * len(days)
    scale = (right - left - mark) / (last - first)
    return tuple(round(left + mark / 2 + scale * (day - first), 1) for day in days)


def small_charts(course: Course) -> tuple[TrendChart, ...]:
    """Draw a column small: drift, mean and spread, nulls, unique values."""
    return tuple(_drawn(course, key, 0) for key in CHARTS)


def large_charts(course: Course, width: int) -> tuple[TrendChart, ...]:
    """Draw a column large, with axes, for a width in pixels; each day is a link."""
    return tuple(_drawn(course, key, width) for key in CHARTS)


MAX_BLOCKS = 30
"""Characters of a chart in text; of more days than that several share one, the most of them."""


@dataclass(frozen=True)
class TrendText:
    """A small chart in text, for where drawings are taken out of HTML: a block for some days, and its ends in words."""

    blocks: str
    low: str
    high: str


def texts(course: Course) -> tuple[TrendText | None, ...]:
    """Return the charts of `small_charts` in text; None where one shows nothing."""
    rows = {"mean": _MEAN, "nulls": _NULLS, "unique": _UNIQUE}
    return tuple(_text(course.figures[rows[key]] if key in rows else course.scores, key) for key in CHARTS)


def _text(values: Floats, key: str) -> TrendText | None:
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    low = float(known.min()) if key == "mean" else 0.0
    high = MAX_SCORE if key == "drift" else float(known.max())
    written = _percents([low, high]) if key == "nulls" else formatting.numbers([low, high])
    span = high - low
    parts = np.array_split(values, min(MAX_BLOCKS, len(values)))
    most = [max((value for value in part.tolist() if math.isfinite(value)), default=None) for part in parts]
    heights = [
        None if one is None else min((one - low) / span, 1.0) if math.isfinite(span) and span > 0 else 0.0
        for one in most
    ]
    blocks = "".join("·" if height is None else in_blocks([height]) for height in heights)
    return TrendText(blocks, written[0], "≥ 4" if key == "drift" else written[1])


def _drawn(course: Course, key: str, width: int) -> TrendChart:
    if key == "drift":
        return _drift(course, width)
    with np.errstate(all="ignore"):  # figures may be as large as a double can be
        return _figure(course, key, width)


def _figure(course: Course, key: str, width: int) -> TrendChart:
    row = {"mean": _MEAN, "nulls": _NULLS, "unique": _UNIQUE}[key]
    values = np.where(np.isfinite(course.figures[row]), course.figures[row], np.nan)
    if np.isnan(values).all():
        return TrendChart(key, Markup("<span class='muted'>{}</span>").format(_NOTHING[key]))
    base = float(course.baseline[row])
    spread = course.figures[_STDDEV] if key == "mean" else np.zeros(len(values))
    base_spread = float(course.baseline[_STDDEV]) if key == "mean" else 0.0
    lows, highs = values - np.nan_to_num(spread), values + np.nan_to_num(spread)
    ends = [*lows[~np.isnan(lows)].tolist(), *highs[~np.isnan(highs)].tolist()]
    if math.isfinite(base):
        known_spread = base_spread if math.isfinite(base_spread) else 0.0
        ends += [base - known_spread, base + known_spread]
    low, high = min(ends), max(ends)
    if key != "mean":
        low, high = 0.0, max(high, _LEAST[key])
    elif not math.isfinite(high - low):
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
    written = _percents if key == "nulls" else formatting.numbers
    box, axes = _box(course, width, low, high, written)
    xs = box.xs
    inner = ""
    if key == "mean":
        inner += f'<path class="band" d="{_band(xs, box.ys(lows, low, high), box.ys(highs, low, high))}"/>'
    if math.isfinite(base):
        (y,) = box.ys(np.array([base]), low, high)
        inner += f'<path class="base" d="M{box.left} {y}H{box.right}"/>'
    inner += f'<path class="course" d="{_line(xs, box.ys(values, low, high))}"/>'
    inner += _began(course, box, xs)
    if course.links:
        inner += _day_links(course, box, xs, by_keyboard=False)
    shown = written([low, high])
    summary = _summary(course, key, values, base, written)
    told = _told(values, width, written) or {"low": f"{low:.6g}", "high": f"{high:.6g}"}
    return TrendChart(key, _svg(key, summary, axes + inner, width, told), *shown)


_NOTHING = {"mean": "no numbers", "nulls": "not counted", "unique": "not counted"}
_LEAST = {"nulls": 0.05, "unique": 1.0}


def _percents(values: Sequence[float | None]) -> list[str]:
    return [formatting.percent(value) for value in values]


def _drift(course: Course, width: int) -> TrendChart:
    """Draw a bar a day, as high as its score; the lines are where drift is moderate and strong."""
    box, axes = _box(course, width, 0, MAX_SCORE, None)
    xs = box.xs
    heights = box.ys(np.minimum(course.scores, MAX_SCORE), 0, MAX_SCORE)
    kinds: dict[str, list[int]] = {}
    for day, kind in enumerate(day_kinds(course.verdicts, course.scores, course.drifted, course.known)):
        kinds.setdefault(kind, []).append(day)
    one, two = box.ys(np.array([1, STRONG]), 0, MAX_SCORE)
    inner = f'<path class="level" d="M{box.left} {one}H{box.right}M{box.left} {two}H{box.right}"/>'
    breadth = max(min(box.mark * 0.8, 12) if width else box.mark * 0.8, 1.5)
    for kind, days in kinds.items():
        if kind == "waiting":
            continue
        if kind == "unknown":
            d = "".join(f"M{xs[day]} {box.bottom}v-5" for day in days)
        else:
            foot, least = box.bottom, box.bottom - 2
            tops = [box.top if kind == "absent" else min(heights[day] or foot, least) for day in days]
            d = "".join([f"M{xs[day]} {foot}V{top}" for day, top in zip(days, tops, strict=True)])
        inner += f'<path class="k-{kind}" stroke-width="{breadth:.1f}" d="{d}"/>'
    inner += _began(course, box, xs)
    if course.links:
        inner += _day_links(course, box, xs)
    told = {"values": " ".join(f"{score:.1f}" for score in course.scores.tolist())}
    return TrendChart("drift", _svg("drift", _drift_summary(course), axes + inner, width, told), "0", "≥ 4")


KINDS = {
    "strong": "strong drift",
    "moderate": "moderate drift",
    "uncertain": "would count alone; among so many it may be chance",
    "absent": "column is missing or new",
    "unknown": "cannot tell",
    "none": "no drift",
    "waiting": "not compared",
}
"""What a day can be for a column, and what that means."""


def day_kinds(
    verdicts: NDArray[np.uint8], scores: Floats, drifted: NDArray[np.bool_], known: NDArray[np.bool_]
) -> list[str]:
    """Say of each day what it is for a column, by `KINDS`."""
    found = np.full(len(verdicts), "uncertain", dtype="<U9")
    found[verdicts == NONE] = "none"
    found[verdicts == UNKNOWN] = "unknown"
    found[(verdicts == MISSING) | (verdicts == NEW)] = "absent"
    found[drifted] = np.where(scores[drifted] >= STRONG, "strong", "moderate")
    found[~known] = "waiting"
    kinds: list[str] = found.tolist()
    return kinds


def _began(course: Course, box: _Box, xs: Sequence[float]) -> str:
    return "" if course.began is None else f'<path class="began" d="M{xs[course.began]} {box.top}V{box.bottom}"/>'


def _day_links(course: Course, box: _Box, xs: Sequence[float], *, by_keyboard: bool = True) -> str:
    """Make each day a link; of several charts of the same days one is enough for the keyboard."""
    kinds = day_kinds(course.verdicts, course.scores, course.drifted, course.known)
    half = max(box.mark / 2, 1)
    size = f'width="{2 * half:.1f}" height="{box.bottom - box.top}"'
    drawn = []
    for x, label, link, kind in zip(xs, course.labels, course.links, kinds, strict=True):
        said = f'aria-label="{escape(f"{label}: {KINDS[kind]}")}"' if by_keyboard else 'tabindex="-1"'
        rect = f'<rect class="hit" x="{x - half:.1f}" y="{box.top}" {size}/>'
        drawn.append(f'<a href="{escape(link)}" {said}>{rect}</a>')
    return "".join(drawn) if by_keyboard else f'<g aria-hidden="true">{"".join(drawn)}</g>'


def _box(course: Course, width: int, low: float, high: float, written: object) -> tuple[_Box, str]:
    """Lay out a chart; a large one has axes."""
    if not width:
        return _Box(0, WIDTH, _PAD, HEIGHT, course.days), ""
    bottom = FIGURE_HEIGHT - 30
    if callable(written):
        at = figures.ticks(low, high, 3)
        labels = written(at)
    else:
        at, labels = [0, 1, STRONG, MAX_SCORE], ["0", "moderate", "strong", "4"]
    left = 12 + 7.2 * max(map(len, labels), default=1)
    box = _Box(round(left, 1), width - 14, 12, bottom, course.days)
    ys = box.ys(np.array(at), low, high)
    grid = "".join(f"M{box.left} {y}H{box.right}" for y in ys)
    texts = "".join(
        f'<text class="tick" x="{box.left - 6}" y="{(y or 0) + 4:.1f}" text-anchor="end">{escape(label)}</text>'
        for y, label in zip(ys, labels, strict=True)
    )
    return box, f'<path class="grid" d="{grid}"/>{texts}{_dates(box, course)}'


def _dates(box: _Box, course: Course) -> str:
    """Write the first day, the last, and as many between as there is room for."""
    xs = box.xs
    wanted = max(int((box.right - box.left) // 130), 1)
    places = sorted({round(step * (len(xs) - 1) / wanted) for step in range(wanted + 1)})
    drawn, end = [], -1e9
    for place in places:
        x = min(max(xs[place], box.left + 36), box.right - 30)
        if x - end < 84:
            continue
        drawn.append(
            f'<text class="tick" x="{x:.1f}" y="{box.bottom + 20}" text-anchor="middle">'
            f"{escape(course.labels[place])}</text>"
        )
        end = x
    return f'<path class="axis" d="M{box.left} {box.bottom}H{box.right}"/>{"".join(drawn)}'


def _line(xs: Sequence[float], ys: Sequence[float | None]) -> str:
    """Join the days that have a value; one between days that have none is a dot."""
    if None not in ys:
        return "M" + "L".join([f"{x} {y}" for x, y in zip(xs, ys, strict=True)]) + ("h0" if len(xs) == 1 else "")
    written = []
    pen = False
    for x, y in zip(xs, ys, strict=True):
        if y is None:
            pen = False
        else:
            written.append(f"L{x} {y}" if pen else f"M{x} {y}h0")
            pen = True
    return "".join(written)


def _band(xs: Sequence[float], lows: Sequence[float | None], highs: Sequence[float | None]) -> str:
    if None not in lows:
        there = "L".join([f"{x} {y}" for x, y in zip(xs, highs, strict=True)])
        back = "L".join([f"{x} {y}" for x, y in zip(reversed(xs), reversed(lows), strict=True)])
        return f"M{there}L{back}z"
    written = []
    run: list[tuple[float, float, float]] = []
    for x, low, high in [*zip(xs, lows, highs, strict=True), (0.0, None, None)]:
        if low is not None and high is not None:
            run.append((x, low, high))
            continue
        if run:
            there = "L".join(f"{x} {high}" for x, _, high in run)
            back = "".join(f"L{x} {low}" for x, low, _ in reversed(run))
            written.append(f"M{there}{back}z")
        run = []
    return "".join(written)


def _told(values: Floats, width: int, written: object) -> dict[str, str]:
    """What the script says of the day under the pointer; small charts are read from their paths."""
    if not width or not callable(written):
        return {}
    return {"values": "\t".join(written([None if value != value else value])[0] for value in values.tolist())}


def _summary(course: Course, key: str, values: Floats, base: float, written: object) -> str:
    assert callable(written)
    least, most = int(np.nanargmin(values)), int(np.nanargmax(values))
    low, high = written([float(values[least]), float(values[most])])
    said = f"{TITLES[key]} from {low} ({course.labels[least]}) to {high} ({course.labels[most]})"
    return f"{said}; baseline {written([base])[0]}." if math.isfinite(base) else f"{said}."


def _drift_summary(course: Course) -> str:
    drifted = np.flatnonzero(course.drifted)
    if not len(drifted):
        return "Drift: on no day."
    count = len(drifted)
    first = course.labels[int(drifted[0])]
    return f"Drift: on {count:,} day{'' if count == 1 else 's'}, first on {first}."


def _svg(key: str, summary: str, inner: str, width: int, told: dict[str, str]) -> Markup:
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in told.items())
    if width:
        # A group: links inside of an image could not be reached.
        opening = f'<svg class="figure trend {key}" viewBox="0 0 {width} {FIGURE_HEIGHT}" role="group"'
    else:
        opening = f'<svg class="course {key}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
    return Markup(  # text is escaped where it is written, the rest is made of numbers
        f'{opening} aria-label="{escape(summary)}" data-trend="{key}"{data}>{inner}</svg>'
    )

"""Charts as inline SVG: one ``<path>`` a profile and chart, drawn on shared axes.

One path a histogram instead of one rectangle a bar keeps a page of 1,000 columns at a quarter of the size and
half of the time to paint. All styling is by class, so that light, dark and print need no other markup and the
Content-Security-Policy can forbid inline styles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from . import formatting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SPARK_WIDTH = 480
SPARK_HEIGHT = 96
"""Sparkline units: twice the pixels they are shown at, so that whole numbers are half pixels."""


@dataclass(frozen=True)
class Series:
    """One profile's part of a chart.

    Parameters
    ----------
    place
        The profile's place on the page, 1 to 3: its colour, line and letter.
    heights
        A height per bin or item, in the unit of the chart's axis (fractions or counts).
    """

    place: int
    heights: Floats


def histogram_spark(edges: Floats, series: Sequence[Series], beyond: str = "") -> Markup:
    """Draw histograms of up to three profiles over the same bins into one sparkline.

    Parameters
    ----------
    edges
        Bin edges, ascending, one more than there are bins.
    series
        Fractions per bin.
    beyond
        What is not shown, in words.
    """
    top = max((float(one.heights.max()) for one in series if one.heights.size), default=0.0)
    paths = "".join(
        f'<path class="s{one.place}" d="{steps(one.heights, top, SPARK_WIDTH, SPARK_HEIGHT)}"/>' for one in series
    )
    data = {"low": float(edges[0]), "high": float(edges[-1]), "bins": edges.size - 1, "top": top}
    return _svg("hist", f"{histogram_summary(edges, series)} {beyond}".rstrip(), paths, data)


def items_spark(names: Sequence[str], series: Sequence[Series]) -> Markup:
    """Draw frequent items of up to three profiles as groups of bars, the same item at the same place."""
    top = max((float(one.heights.max()) for one in series if one.heights.size), default=0.0)
    paths = "".join(
        f'<path class="b{one.place}" d="{bars(one.heights, top, index, len(series))}"/>'
        for index, one in enumerate(series)
    )
    shown = "\n".join(formatting.clipped(name, 40) for name in names)
    return _svg("items", items_summary(names, series), paths, {"names": shown, "top": top})


def histogram_summary(edges: Floats, series: Sequence[Series], *, counts: bool = False) -> str:
    """Say in words what a histogram shows.

    Parameters
    ----------
    edges, series
        As it was drawn.
    counts
        Whether heights are counts, not fractions.
    """
    low, high = formatting.numbers([float(edges[0]), float(edges[-1])])
    said = [f"Histogram from {low} to {high}, {edges.size - 1} bins."]
    for one in series:
        total = float(one.heights.sum())
        if not total:
            continue
        peak = int(one.heights.argmax())
        begin, end = formatting.numbers(edges[peak : peak + 2].tolist())
        share = formatting.percent(float(one.heights[peak]) / total)
        much = f"{formatting.count(round(float(one.heights[peak])))}, {share}" if counts else share
        said.append(f"P{one.place} is highest from {begin} to {end}: {much}.")
    return " ".join(said)


def items_summary(names: Sequence[str], series: Sequence[Series]) -> str:
    """Say in words what a chart of frequent items shows."""
    said = [f"Frequent items: {', '.join(formatting.clipped(name, 24) for name in names)}."]
    for one in series:
        if one.heights.size and one.heights.max() > 0:
            most = int(one.heights.argmax())
            share = formatting.percent(float(one.heights[most]))
            said.append(f"P{one.place} has most of {formatting.clipped(names[most], 24)}: {share}.")
    return " ".join(said)


def heights(names: Sequence[str], shares: Mapping[str, float]) -> Floats:
    """Return the share of each item of `names`, nothing for an item that a profile does not have."""
    return np.array([shares.get(name, 0.0) for name in names])


def steps(heights: Floats, top: float, width: int, height: int) -> str:
    """Return the outline of a histogram as path data, from the lower left to the lower right."""
    if not top:
        return f"M0 {height}h{width}"
    written = [f"M0 {height}"]
    at, before = 0, height
    for stop, level in zip(_stops(len(heights), width), [*_levels(heights, top, height), height], strict=True):
        if level != before:
            # Up at the left edge, and down at the right one, without a step aside.
            written.append(f"h{stop - at}v{level - before}" if stop > at else f"v{level - before}")
            at, before = stop, level
    if at < width:
        written.append(f"h{width - at}")
    return "".join(written)


@lru_cache(maxsize=32)
def _stops(bins: int, width: int) -> tuple[int, ...]:
    """Where the edges of so many bins are drawn."""
    return tuple(round(width * index / bins) for index in range(bins + 1))


def bars(heights: Floats, top: float, index: int, of: int) -> str:
    """Return the bars of the profile number `index` of `of`, one a group, as path data."""
    if not heights.size or not top:
        return ""
    slot = min(SPARK_WIDTH / heights.size, SPARK_WIDTH / 4)
    width = max(round(slot * 0.84 / of) - 1, 2)
    written = []
    for group, level in enumerate(_levels(heights, top, SPARK_HEIGHT)):
        tall = SPARK_HEIGHT - level
        if tall:
            left = round(slot * (group + 0.08) + slot * 0.84 * index / of)
            written.append(f"M{left} {SPARK_HEIGHT}v{-tall}h{width}v{tall}z")
    return "".join(written)


def _levels(heights: Floats, top: float, height: int) -> list[int]:
    """Heights as y coordinates; what is there at all is at least two units tall."""
    return [height - max(round(one / top * (height - 2)), 2) if one > 0 else height for one in heights.tolist()]


def _svg(kind: str, summary: str, inner: str, data: Mapping[str, object]) -> Markup:
    # What the script needs to say what is under the pointer; the heights are in the paths.
    written = {name: f"{value:.6g}" if isinstance(value, float) else escape(value) for name, value in data.items()}
    attributes = "".join(f' data-{name}="{value}"' for name, value in written.items())
    return Markup(  # the summary is escaped, the rest is made of numbers
        f'<svg class="spark {kind}" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(summary)}"{attributes}>{inner}</svg>'
    )

"""A column as a sparkline: which chart says most about it, and of which values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from ..budget import checkpoint
from . import charts, formatting
from .tails import histogram_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from songbird_widgets.profiles import Column, ColumnStatistics

SPARK_BINS = 30
SPARK_ITEMS = 8
NUMERIC_ITEMS = 40
"""Items in a sparkline: a few words, or the days of a month and suchlike if all are numbers."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_NAMED_ITEMS = 3


@dataclass(frozen=True)
class Sparkline:
    """A column's small chart.

    Attributes
    ----------
    drawing : Markup
    ends : tuple of str
        What the left and the right end stand for; none where there is nothing to draw.
    series : tuple of Series
        What is drawn.
    names : tuple of str
        The items of which that are the shares; none in a histogram.
    """

    drawing: Markup
    ends: tuple[str, ...] = ()
    series: tuple[charts.Series, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def html(self) -> Markup:
        """The drawing, and what its ends stand for."""
        if not self.ends:
            return self.drawing
        ends = " ".join(f"<span>{escape(end)}</span>" for end in self.ends)
        return self.drawing + Markup(f'<div class="ends" aria-hidden="true">{ends}</div>')

    @property
    def in_words(self) -> bool:
        """Whether `texts` name values."""
        return 0 < len(self.names) <= SPARK_ITEMS

    @property
    def texts(self) -> list[tuple[int, str]]:
        """The chart as a line of text for each profile by its place: blocks between the ends, or values and shares."""
        if self.in_words:
            return [(one.place, _in_words(self.names, one.heights.tolist())) for one in self.series]
        # Two bins a block: a line of text is to stay as narrow as the drawing.
        drawn = [one.heights if self.names else one.heights[::2] + one.heights[1::2] for one in self.series]
        top = max((float(heights.max()) for heights in drawn if heights.size), default=0.0) or 1.0
        return [
            (one.place, in_blocks((heights / top).tolist())) for one, heights in zip(self.series, drawn, strict=True)
        ]


def in_blocks(heights: Sequence[float]) -> str:
    """Write heights up to 1 as block characters; the lowest is nothing, so that what is there at all stands out."""
    return "".join(_BLOCKS[math.ceil(height * (len(_BLOCKS) - 1))] for height in heights)


def _in_words(names: Sequence[str], shares: Sequence[float]) -> str:
    most = sorted(zip(shares, names, strict=True), key=lambda pair: -pair[0])[:_NAMED_ITEMS]
    named = [f"{formatting.clipped(name, 18)}: {formatting.percent(share)}" for share, name in most if share]
    return ", ".join(named) or "none of them"


def sparkline(
    places: Sequence[int], columns: Sequence[Column | None], statistics: Sequence[ColumnStatistics | None]
) -> Sparkline:
    """Draw a column of up to three profiles: a histogram, or frequent items if they are few or there are no numbers.

    Parameters
    ----------
    places
        1 to 3: which profile each column is of, which decides its colour and line.
    columns, statistics
        None for a profile that lacks the column.
    """
    discrete = all(figures.is_discrete for figures in statistics if figures)
    # More numbers than there is room for bars would be a choice among them, on an axis that looks complete.
    crowded = any(
        column is not None and column.frequent_items is not None and len(column.frequent_items.weights) > NUMERIC_ITEMS
        for column in columns
    )
    numbers = any(column is not None and column.kll is not None and column.kll.n for column in columns)
    if numbers and (crowded or not discrete):
        drawn = _histogram(places, columns)
    else:
        drawn = _items(places, columns) or (_histogram(places, columns) if numbers else None)
    if drawn is None:
        counted = any(
            column is not None and column.frequent_items and column.frequent_items.total for column in columns
        )
        said = "no value stands out" if counted else "no distribution"
        drawn = Sparkline(Markup('<span class="muted">{}</span>').format(said))
    return drawn


def _histogram(places: Sequence[int], columns: Sequence[Column | None]) -> Sparkline | None:
    bins, beyond = histogram_of(columns, SPARK_BINS)
    checkpoint()
    if not bins.edges.size:
        return None
    series = [
        charts.Series(place, fractions)
        for place, fractions in zip(places, bins.fractions, strict=True)
        if fractions is not None
    ]
    low, high = formatting.number(float(bins.edges[0])), formatting.number(float(bins.edges[-1]))
    if beyond:
        low, high = f"≤ {low}", f"{high} ≤"
    return Sparkline(charts.histogram_spark(bins.edges, series, beyond), (low, high), tuple(series))


def _items(places: Sequence[int], columns: Sequence[Column | None]) -> Sparkline | None:
    shares = [item_shares(column) for column in columns]
    names = common_items(columns, SPARK_ITEMS, NUMERIC_ITEMS)
    # Bars of some identifiers out of thousands, all as high, would say what is not so.
    if not names or not any(map(_stands_out, columns)):
        return None
    series = [
        charts.Series(place, charts.heights(names, share)) for place, share in zip(places, shares, strict=True) if share
    ]
    left = formatting.clipped(names[0], 18)
    right = formatting.clipped(names[-1], 18) if len(names) > 1 else ""
    return Sparkline(charts.items_spark(names, series), (left, right), tuple(series), tuple(names))


def _stands_out(column: Column | None) -> bool:
    """Whether a column has values that were seen more than once, as far as the sketch can tell."""
    sketch = column.frequent_items if column is not None else None
    return sketch is not None and (len(sketch.weights) <= SPARK_ITEMS or int(sketch.weights[0]) > max(1, sketch.offset))


def item_shares(column: Column | None) -> dict[str, float]:
    """Return the items that a column surely holds most of, with the share of the rows that surely hold each."""
    sketch = column.frequent_items if column is not None else None
    if sketch is None or not sketch.total:
        return {}
    certain = int(np.count_nonzero(sketch.weights > sketch.offset))
    return dict(zip(sketch.values[:certain], (sketch.weights[:certain] / sketch.total).tolist(), strict=True))


def common_items(columns: Sequence[Column | None], most: int, most_numbers: int) -> list[str]:
    """Return the items that say most about any of several profiles: by number if all are, else by share.

    Those that may have occurred once in each are none of them.
    """
    best: dict[str, float] = {}
    for column in columns:
        sketch = column.frequent_items if column is not None else None
        if sketch is None:
            continue
        # Heaviest first, and what is among the heaviest of all is among the heaviest of its own profile.
        frequent = min(int(np.count_nonzero(sketch.weights > max(sketch.offset, 1))), most_numbers)
        shares = (sketch.weights[:frequent] / sketch.total).tolist()
        for value, share in zip(sketch.values, shares, strict=False):
            best[value] = max(best.get(value, 0.0), share)
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

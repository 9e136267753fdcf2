"""A column as a sparkline: which chart says most about it, and of which values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from . import charts, formatting
from .tails import histogram_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from songbird_widgets.profiles import Column, ColumnStatistics

SPARK_BINS = 30
SPARK_ITEMS = 8
NUMERIC_ITEMS = 40
"""Items in a sparkline: a few words, or the days of a month and suchlike if all are numbers."""


def sparkline(
    places: Sequence[int], columns: Sequence[Column | None], statistics: Sequence[ColumnStatistics | None]
) -> Markup:
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
        drawn = Markup('<span class="muted">{}</span>').format("no value stands out" if counted else "no distribution")
    return drawn


def _histogram(places: Sequence[int], columns: Sequence[Column | None]) -> Markup | None:
    bins, beyond = histogram_of(columns, SPARK_BINS)
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
    return charts.histogram_spark(bins.edges, series, beyond) + _ends(low, high)


def _items(places: Sequence[int], columns: Sequence[Column | None]) -> Markup | None:
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
    return charts.items_spark(names, series) + _ends(left, right)


def _stands_out(column: Column | None) -> bool:
    """Whether a column has values that were seen more than once, as far as the sketch can tell."""
    sketch = column.frequent_items if column is not None else None
    return sketch is not None and (len(sketch.weights) <= SPARK_ITEMS or int(sketch.weights[0]) > max(1, sketch.offset))


def _ends(left: str, right: str) -> Markup:
    ends = f"<span>{escape(left)}</span> <span>{escape(right)}</span>"
    return Markup(f'<div class="ends" aria-hidden="true">{ends}</div>')  # noqa: S704 - both are escaped


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

"""Histograms of long tails: over the middle 98 % of the numbers, with the rest named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from songbird_widgets.profiles import histogram

from . import formatting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from songbird_widgets.profiles import Column, Histogram

_RANKS = (0.01, 0.99)
_LONG = 1 / 3
"""The middle 98 % take less than this part of the whole range: else most of the chart would show next to nothing."""

_MIN_NUMBERS = 100
"""Numbers below which a hundredth of them is none."""


def middle(columns: Sequence[Column | None]) -> tuple[float, float] | None:
    """Return where 98 % of the numbers of each column lie, if that is a small part of their range; else None."""
    sketches = [column.kll for column in columns if column is not None and column.kll is not None and column.kll.n]
    if not sketches or min(sketch.n for sketch in sketches) < _MIN_NUMBERS:
        return None
    lows, highs = zip(*(sketch.quantiles(_RANKS).tolist() for sketch in sketches), strict=True)
    low, high = min(lows), max(highs)
    least, greatest = min(sketch.min for sketch in sketches), max(sketch.max for sketch in sketches)
    whole = greatest - least
    if not math.isfinite(whole) or not low < high or high - low >= _LONG * whole:
        return None
    return low, high


def histogram_of(columns: Sequence[Column | None], bins: int, *, whole: bool = False) -> tuple[Histogram, str]:
    """Count columns into bins that show where most of their numbers lie.

    Parameters
    ----------
    columns
        None for a profile that lacks the column.
    bins
        How many.
    whole
        Whether to show the whole range, however long its tails are.

    Returns
    -------
    Histogram, str
        And what is not shown, in words; empty when all is.
    """
    span = None if whole else middle(columns)
    if span is None:
        return histogram(columns, bins=bins), ""
    found = histogram(columns, bins=bins, span=span)
    sketches = [column.kll for column in columns if column is not None and column.kll is not None and column.kll.n]
    least, greatest = min(sketch.min for sketch in sketches), max(sketch.max for sketch in sketches)
    shown = [float(fractions.sum()) for fractions in found.fractions if fractions is not None]
    left = formatting.percent(max(0.0, 1 - min(shown)))
    low, high = formatting.numbers([least, greatest])
    return found, f"Not shown: up to {left} of a profile's numbers, beyond either end (from {low} to {high})."

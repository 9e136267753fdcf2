"""Columns that tell the date, such as ``day`` or a timestamp: they move because the profiles are of other days."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .summary import ProfileSummary

# What the last word of a name says, and the whole numbers that it can mean.
_RANGES = {
    "year": (1, 9999),
    "quarter": (0, 4),
    "month": (0, 12),
    "week": (0, 53),
    "weekday": (0, 7),
    "day": (0, 366),
    "dayofweek": (0, 7),
    "dayofmonth": (1, 31),
    "dayofyear": (0, 366),
    "yearmonth": (1_01, 9999_12),
    "date": (1_01_01, 9999_12_31),
}
_RATES = frozenset({"per", "by", "each", "every", "a"})  # calls_per_day counts calls
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?([T ]\d{2}:\d{2}\S*)?")
_SECONDS = (631_152_000.0, 4_102_444_800.0)  # 1990 to 2100
_UNITS = (1.0, 1e3, 1e6, 1e9)  # s, ms, µs, ns since 1970
_LOOKED_AT = 20


def tells_date(summary: ProfileSummary, name: str) -> bool:
    """Tell whether a column's values are dates, parts of dates by its name, or times since 1970.

    Parameters
    ----------
    summary : ProfileSummary
    name : str
        A column of it that can be read.
    """
    place = summary.places[name]
    low, high = summary.kll_ends[place].tolist()
    if summary.kll_n[place] > 0:
        if low >= _SECONDS[0] and any(unit * _SECONDS[0] <= low and high < unit * _SECONDS[1] for unit in _UNITS):
            return True
        first, last = _range_by_name(name)
        if not (first <= low and high <= last):
            return False
        begin, end = summary.item_offsets[place : place + 2].tolist()
        numbers = summary.items[begin:end]
        return bool((numbers == np.rint(numbers)).all())
    begin, end = summary.frequent_offsets[place : place + 2].tolist()
    try:
        return begin < end and all(
            _DATE.fullmatch(summary.frequent_value(item)) for item in range(begin, min(end, begin + _LOOKED_AT))
        )
    except UnicodeDecodeError:  # the summary is damaged
        return False


@lru_cache(maxsize=4096)  # of both sides, and of page after page
def _range_by_name(name: str) -> tuple[float, float]:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or _RATES.intersection(words[:-1]):
        return np.inf, -np.inf
    return _RANGES.get(words[-1], (np.inf, -np.inf))

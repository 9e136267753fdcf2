"""Columns of categories: codes, and what each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .object_columns import encodable, from_objects
from .values import TEXT, Strings, TextList, Values

if TYPE_CHECKING:
    from numpy.typing import NDArray


def from_categories(categories: list[Any], codes: NDArray[Any]) -> Values:
    """Take codes, below 0 for missing ones, as the categories that they stand for."""
    if not all(type(category) is str for category in categories):
        known = [*categories, None]
        return from_objects([known[max(code, -1)] for code in codes.tolist()])
    null = int(np.count_nonzero(codes < 0))
    present = codes[codes >= 0].astype(np.int64)
    found = Values(TEXT, len(codes), null=null)
    if len(present):
        counts = np.bincount(present, minlength=len(categories))
        first = np.empty(len(categories), np.int64)
        first[present[::-1]] = np.arange(len(present))[::-1]
        used = np.flatnonzero(counts)
        used = used[first[used].argsort()]
        found.strings = Strings(TextList([categories[place] for place in used.tolist()]), counts[used])
    return encodable(found, categories)

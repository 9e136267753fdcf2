"""The picker's rows as bytes: about 60 a row, where JSON takes 300 and a widget a row takes seconds.

All numbers are little-endian, column after column, so that the browser reads them as typed arrays:

=============  ==================================================================================
u32, u32       number of rows; unused
f64 each       dataset timestamp, ms since 1970 UTC; NaN if unknown
u32 each       the row's number, which stays the same while the list changes
u32 each       size in bytes; 2**32 - 1 if larger
u32 each       rows of the dataset; 2**32 - 1 if unknown or larger
u32 each       columns; 2**32 - 1 if unknown
u32 each       where the label ends in the text, in UTF-16 units, as JavaScript counts
u32 each       where the source's name ends (it follows the label)
u8 each        0 batch, 1 reference
UTF-8          the text: label, name, label, name, …
=============  ==================================================================================
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .words import middle_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import SessionProfile

    Column: TypeAlias = np.ndarray[tuple[int], np.dtype[np.generic]]

UNKNOWN = 2**32 - 1
STATES = ("added", "uploading", "uploaded", "failed")

_AT_ONCE = 512
_LONGEST_LABEL = 120
_LONGEST_NAME = 60


def pack(profiles: Sequence[SessionProfile], numbers: Sequence[int]) -> bytes:
    """Write the rows that the picker shows.

    Parameters
    ----------
    profiles : sequence of SessionProfile
        In any order; the browser sorts.
    numbers : sequence of int
        A number for each, by which the browser speaks of it.

    Returns
    -------
    bytes
        See this module's description.
    """
    labels, names, times, sizes, rows, widths, kinds = fields(
        profiles, "label", "name", "dataset_timestamp", "size", "rows", "columns", "kind"
    )
    texts = [""] * (2 * len(profiles))
    texts[::2], texts[1::2] = labels, names
    lengths = _lengths(texts)
    longest = lengths[::2].max(initial=0), lengths[1::2].max(initial=0)
    if longest[0] > _LONGEST_LABEL or longest[1] > _LONGEST_NAME:
        texts[::2] = [middle_out(label, _LONGEST_LABEL) for label in labels]
        texts[1::2] = [middle_out(name, _LONGEST_NAME) for name in names]
        lengths = _lengths(texts)
    text = "".join(texts)
    ends = np.cumsum(lengths if text.isascii() else np.array([*map(_units, texts)]), dtype="<u4")
    columns: list[Column] = [
        np.array([len(profiles), 0], "<u4"),
        np.array(times, "<f8"),  # None becomes NaN
        np.array(numbers, "<u4"),
        _counts(sizes),
        _counts(rows),
        _counts(widths),
        ends[::2],
        ends[1::2],
        np.array([kind == "reference" for kind in kinds], "u1"),
    ]
    return b"".join([*(column.tobytes() for column in columns), text.encode("utf-8", "replace")])


def fields(profiles: Sequence[SessionProfile], *names: str) -> tuple[list[Any], ...]:
    """Return fields of profiles, a list each.

    They are read of some profiles at a time: a processor's cache holds few of 100,000, and a tuple for each of them
    would make the garbage collector go through all there is.
    """
    found: tuple[list[Any], ...] = tuple([] for _ in names)
    getters = [attrgetter(name) for name in names]
    for begin in range(0, len(profiles), _AT_ONCE):
        some = profiles[begin : begin + _AT_ONCE]
        for get, values in zip(getters, found, strict=True):
            values.extend(map(get, some))
    return found


def pack_states(profiles: Sequence[SessionProfile]) -> bytes:
    """Write one byte a row: the place of its state in `STATES`.

    Parameters
    ----------
    profiles : sequence of SessionProfile
        In the order of the rows.

    Returns
    -------
    bytes
        As many as there are profiles.
    """
    places = {state: place for place, state in enumerate(STATES)}
    return bytes(map(places.__getitem__, *fields(profiles, "state")))


def _counts(values: list[int | None]) -> Column:
    counts = np.array(values, "<f8")  # None becomes NaN
    known = (counts >= 0) & (counts < UNKNOWN)
    return np.where(known, counts, UNKNOWN).astype("<u4")


def _lengths(texts: list[str]) -> Column:
    return np.fromiter(map(len, texts), "<u4", len(texts))


def _units(text: str) -> int:
    """Count as JavaScript does: characters beyond the first 65,536 are two units each."""
    return len(text.encode("utf-16-le", "replace")) // 2

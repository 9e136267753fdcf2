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

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .words import middle_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import SessionProfile

    Column: TypeAlias = np.ndarray[tuple[int], np.dtype[np.generic]]

UNKNOWN = 2**32 - 1
STATES = ("added", "uploading", "uploaded", "failed")

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
    # One field after the other: a tuple for each profile would make the garbage collector go through all there is.
    texts = [""] * (2 * len(profiles))
    texts[::2] = _shortened([p.label for p in profiles], _LONGEST_LABEL)
    texts[1::2] = _shortened([p.name for p in profiles], _LONGEST_NAME)
    text = "".join(texts)
    ends = np.cumsum([*map(len if text.isascii() else _units, texts)]).astype("<u4")
    columns: list[Column] = [
        np.array([len(profiles), 0], "<u4"),
        np.array([p.dataset_timestamp for p in profiles], "<f8"),  # None becomes NaN
        np.array(numbers, "<u4"),
        _counts([p.size for p in profiles]),
        _counts([p.rows for p in profiles]),
        _counts([p.columns for p in profiles]),
        ends[::2],
        ends[1::2],
        np.array([p.kind == "reference" for p in profiles], "u1"),
    ]
    return b"".join([*(column.tobytes() for column in columns), text.encode("utf-8", "replace")])


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
    return bytes([places[p.state] for p in profiles])


def _counts(values: list[int | None]) -> Column:
    counts = np.array(values, "<f8")  # None becomes NaN
    known = (counts >= 0) & (counts < UNKNOWN)
    return np.where(known, counts, UNKNOWN).astype("<u4")


def _shortened(texts: list[str], longest: int) -> list[str]:
    if max(map(len, texts), default=0) <= longest:
        return texts
    return [middle_out(text, longest) for text in texts]


def _units(text: str) -> int:
    """Count as JavaScript does: characters beyond the first 65,536 are two units each."""
    return len(text.encode("utf-16-le", "replace")) // 2

"""What an object given by a user is, told by the library of its class, which is not imported for that.

Its methods do not tell: data frames of some libraries have ``serialize`` and ``read``, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .data_model import Profile

# Classes of tables, by their libraries and names; what offers the Arrow stream needs no listing.
_LIBRARIES = frozenset({"pandas", "polars", "pyarrow", "dask", "dask_expr", "pyspark", "modin", "cudf", "vaex"})
_TABLES = frozenset({"DataFrame", "LazyFrame", "Table", "RecordBatch", "RecordBatchReader", "Dataset"})
_SUFFIXES = frozenset({".bin", ".zip", ".gz", ".tgz", ".tar"})
_LOOKED_AT = 10  # items of a collection by which it is judged


def _kinds(thing: Any) -> set[tuple[str, str]]:
    """The libraries and names of a thing's class and its bases."""
    return {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(thing).__mro__}


def is_of_whylogs(thing: Any) -> bool:
    """Whether this is an object of whylogs: a result set, a profile, a view, the view of a segment."""
    return any(library == "whylogs" for library, _ in _kinds(thing))


def is_grouped(thing: Any) -> bool:
    """Whether this is a data frame that was grouped and not aggregated."""
    return any(
        library in _LIBRARIES and ("GroupBy" in name or name == "GroupedData") for library, name in _kinds(thing)
    )


def is_series(thing: Any) -> bool:
    """Whether this is one column of a data frame."""
    return any(library in _LIBRARIES and name == "Series" for library, name in _kinds(thing))


def is_data(thing: Any) -> bool:
    """Whether this is a table of data, rather than something that holds or leads to profiles.

    Besides frames and series of any library these are a list of dicts (rows), a dict of scalars (one row) and a dict
    of lists or series (columns).
    """
    if isinstance(thing, Mapping):
        values = list(thing.values())
        return bool(values) and (all(map(_is_column, values)) or (_is_row(thing) and not all(map(_is_text, values))))
    if isinstance(thing, (list, tuple)):
        return bool(thing) and all(isinstance(row, Mapping) for row in thing) and all(map(_is_row, thing[:_LOOKED_AT]))
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind not in "OUS"
    if is_series(thing) or hasattr(type(thing), "__arrow_c_stream__") or hasattr(type(thing), "__dataframe__"):
        return True
    return any(library in _LIBRARIES and name in _TABLES for library, name in _kinds(thing))


def may_hold_profiles(thing: Any, depth: int = 3) -> bool:
    """Whether a thing may be, hold or lead to a profile, or to data; numbers and lists of them do not."""
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind in "OUSV"
    if isinstance(thing, (list, tuple, set, frozenset)):
        return not thing or depth == 0 or any(may_hold_profiles(one, depth - 1) for one in islice(thing, _LOOKED_AT))
    return not is_scalar(thing)


def is_scalar(thing: Any) -> bool:
    """Whether this is a value of data other than text: a number, a date, nothing."""
    return not (
        isinstance(thing, (str, Path, bytes, bytearray, memoryview, Profile))
        or hasattr(type(thing), "__iter__")
        or hasattr(type(thing), "read")
        or is_of_whylogs(thing)
        or is_data(thing)
    )


def _is_text(thing: Any) -> bool:
    return isinstance(thing, str)


def _is_value(thing: Any) -> bool:
    """Whether this may be a value of data: a scalar, or a text that is no path."""
    return not _leads(thing) if isinstance(thing, str) else is_scalar(thing)


def _is_row(row: Mapping[Any, Any]) -> bool:
    return all(map(_is_value, row.values()))


def _is_column(thing: Any) -> bool:
    if isinstance(thing, np.ndarray):
        return thing.ndim == 1 and (thing.dtype.kind not in "OUS" or all(map(_is_value, thing[:_LOOKED_AT].tolist())))
    if isinstance(thing, (list, tuple, range)):
        return bool(thing) and all(map(_is_value, thing[:_LOOKED_AT]))
    return is_series(thing)


def _leads(text: str) -> bool:
    """Whether a text is a path rather than a value."""
    try:
        return Path(text).suffix.lower() in _SUFFIXES or (os.sep in text and Path(text).is_file())
    except (OSError, ValueError):
        return False

"""What an object given by a user is, told by the library of its class, which is not imported for that.

Its methods do not tell: data frames of some libraries have ``serialize`` and ``read``, too. Whatever makes profiles of
data asks here, so that all of it takes the same for data.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from .archives import is_archive
from .data_model import Profile
from .errors import ProfileError
from .reading import is_profile

# Classes of tables, by their libraries and names; what offers the Arrow stream needs no listing.
_LIBRARIES = frozenset({"pandas", "polars", "pyarrow", "dask", "dask_expr", "pyspark", "modin", "cudf", "vaex"})
_TABLES = frozenset({"DataFrame", "LazyFrame", "Table", "RecordBatch", "RecordBatchReader", "Dataset", "Scanner"})
_WINDOWS = frozenset({"BaseWindow", "Resampler"})
_WAYS_OF_ARROW = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
_SUFFIXES = frozenset({".bin", ".zip", ".gz", ".tgz", ".tar"})
_LOOKED_AT = 10  # items of a collection by which it is judged
_HEAD = 1 << 14  # bytes that tell whether they are a profile


def _kinds(thing: Any) -> set[tuple[str, str]]:
    """The libraries and names of a thing's class and its bases."""
    return {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(thing).__mro__}


def is_of_whylogs(thing: Any) -> bool:
    """Whether this is an object of whylogs: a result set, a profile, a view, the view of a segment."""
    return any(library == "whylogs" for library, _ in _kinds(thing))


def is_path(thing: Any) -> bool:
    """Whether this is a path, as text or as an object that stands for one."""
    return isinstance(thing, (str, os.PathLike))


def paths_of(thing: Any) -> tuple[list[str | os.PathLike[str]], Any]:
    """Return the paths that a path, or a list or an iterator of some, stands for, and what stands for anything else.

    Returns
    -------
    list of (str or os.PathLike)
        Empty if this is something else.
    object
        The thing; instead of an iterator, of which the first item was looked at, one of the same items.
    """
    if is_path(thing):
        return [thing], thing
    if isinstance(thing, Iterator) and not (is_data(thing) or hasattr(thing, "read") or refusal_of(thing)):
        first = list(islice(thing, 1))
        thing = chain(first, thing)
        if first and is_path(first[0]):
            thing = list(thing)
    if isinstance(thing, (list, tuple)) and all(map(is_path, thing)):
        return list(thing), thing
    return [], thing


def refusal_of(thing: Any) -> str | None:
    """Say of what is nearly a table, or many of them, what to give instead; None for anything else."""
    kinds = _kinds(thing)
    if any(library in _LIBRARIES and ("GroupBy" in name or name == "GroupedData") for library, name in kinds):
        return "This is a grouped data frame: give its groups by name, {str(key): group for key, group in it}."
    if any(library in _LIBRARIES and name in _WINDOWS for library, name in kinds):
        return "These are moving windows over a data frame: compute something of them, it.mean() say, and give that."
    if ("xarray", "Dataset") in kinds or ("xarray", "DataArray") in kinds:
        return "This is no table but arrays of xarray: make a data frame of them, to_dataframe()."
    if hasattr(thing, "fetchall") and hasattr(thing, "description") and not is_data(thing):
        return "This is a cursor of a database, whose rows name no columns: give a data frame, pandas.read_sql(…) say."
    if hasattr(thing, "cursor") and hasattr(thing, "commit") and not is_data(thing):
        return "This is a connection to a database: give a data frame, pandas.read_sql(query, connection) say."
    rows = [thing] if hasattr(type(thing), "_fields") else thing  # a named tuple is a row itself
    return refusal_of_rows(rows[0]) if isinstance(rows, (list, tuple)) and rows else None


def refusal_of_rows(first: Any) -> str | None:
    """Say of rows that name their columns, but are no dicts, how to make dicts of them; None of anything else.

    Parameters
    ----------
    first : object
        One of the rows.
    """
    kind = type(first)
    if isinstance(first, (Mapping, Profile)) or is_of_whylogs(first) or is_data(first):
        return None
    if hasattr(kind, "_asdict") and hasattr(kind, "_fields"):
        return "These are named tuples: give dicts, [one._asdict() for one in it]."
    if is_dataclass(kind):
        return "These are dataclasses: give dicts, [dataclasses.asdict(one) for one in it]."
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):
        return "These are rows of a database: give dicts, [dict(one) for one in it]."
    return None


def as_table(thing: Any) -> Any:
    """Return data as what can be read as a table: a dict of scalars is one row.

    Raises
    ------
    ProfileError
        It is nearly a table, and the message says what to give instead.
    """
    refusal = refusal_of(thing)
    if refusal is not None:
        raise ProfileError(refusal)
    if isinstance(thing, Mapping) and thing and all(_is_text(value) or is_scalar(value) for value in thing.values()):
        return [thing]
    return thing


def is_row_without_names(thing: Any) -> bool:
    """Whether this is a row of data of which the columns have no names: a tuple with numbers in it, say."""
    return isinstance(thing, (list, tuple)) and any(map(is_scalar, thing)) and all(map(_is_value, thing))


def is_series(thing: Any) -> bool:
    """Whether this is one column of a data frame, or an index."""
    return any(library in _LIBRARIES and name in {"Series", "Index"} for library, name in _kinds(thing))


def is_data(thing: Any) -> bool:
    """Whether this is a table of data, rather than something that holds or leads to profiles.

    Besides frames and series of any library these are a list of dicts (rows), a dict of scalars (one row) and a dict
    of lists, arrays or series (columns).
    """
    if isinstance(thing, Mapping):
        values = list(thing.values())
        if _is_of(thing, "xarray", "Dataset") or not values:
            return False
        return all(map(_is_column, values)) or (all(map(_is_value, values)) and not all(map(_is_text, values)))
    if isinstance(thing, (list, tuple)):
        return bool(thing) and all(isinstance(row, Mapping) for row in thing) and all(map(is_row, thing[:_LOOKED_AT]))
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind not in "OUS"
    kind = type(thing)
    if is_series(thing) or any(hasattr(kind, way) for way in _WAYS_OF_ARROW):
        return not _is_of(thing, "xarray", "DataArray")
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


def _is_of(thing: Any, library: str, name: str) -> bool:
    return (library, name) in _kinds(thing)


def _is_text(thing: Any) -> bool:
    return isinstance(thing, str)


def _is_value(thing: Any) -> bool:
    """Whether this may be a value of data: a scalar, or a text that is no path."""
    return not _leads(thing) if isinstance(thing, str) else is_scalar(thing)


def is_row(row: Mapping[Any, Any]) -> bool:
    """Whether a mapping is a row of a table, which may hold lists and mappings, rather than profiles by name."""
    return all(_is_nested_value(value) for value in row.values())


def _is_nested_value(thing: Any, depth: int = 3) -> bool:
    if isinstance(thing, (list, tuple, set, frozenset, Mapping)) and depth:
        inner = thing.values() if isinstance(thing, Mapping) else thing
        return all(_is_nested_value(one, depth - 1) for one in islice(inner, _LOOKED_AT))
    if isinstance(thing, (bytes, bytearray)):
        return not (is_profile(bytes(thing[:_HEAD])) or is_archive(bytes(thing[:_HEAD])))
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind != "O" or all(_is_nested_value(one, 0) for one in thing.flat[:_LOOKED_AT])
    return _is_value(thing)


def _is_column(thing: Any) -> bool:
    """Whether this may be a column of a mapping: values, or lists of numbers, but no rows with names of their own."""
    if isinstance(thing, np.ndarray):
        if thing.ndim < 1:
            return False
        return thing.dtype.kind not in "OUS" or all(map(_is_value_or_list, thing[:_LOOKED_AT].tolist()))
    if isinstance(thing, (list, tuple, range, array)):
        return all(map(_is_value_or_list, thing[:_LOOKED_AT]))
    kinds = _kinds(thing)
    return is_series(thing) or ("pyarrow", "Array") in kinds or ("pyarrow", "ChunkedArray") in kinds


def _is_value_or_list(thing: Any) -> bool:
    if isinstance(thing, (list, tuple)):
        return bool(thing) and all(is_scalar(one) for one in thing[:_LOOKED_AT])
    return _is_value(thing)


def _leads(text: str) -> bool:
    """Whether a text is a path rather than a value."""
    try:
        return Path(text).suffix.lower() in _SUFFIXES or (os.sep in text and Path(text).is_file())
    except (OSError, ValueError):
        return False

"""Columns of every library by one name each: their values, their times, and some of their rows.

pandas and numpy are read as they are, everything else by way of Arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProfileError
from .arrow_columns import arrow, from_arrow
from .numpy_columns import from_numpy
from .object_columns import from_list
from .pandas_columns import from_series
from .values import ValueNotProfiledError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..sketches.kll import Ints
    from .values import Values

_NO_TIMES = "it holds no points in time: give datetimes, dates or ISO 8601 strings"
_NUMBERS = (
    "it holds numbers, not points in time: make datetimes of them (of seconds since 1970 by "
    "pandas.to_datetime(…, unit='s'), say) or ISO 8601 strings"
)


def column_of(name: Any, given: Any) -> Any:
    """Take what may be a column of a mapping: a list, an array, a series of any library.

    Raises
    ------
    ProfileError
        It is none.
    """
    if isinstance(given, np.ndarray) and given.ndim:
        return given
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes)):
        return list(given)
    if _is_pandas(given) and hasattr(given, "iloc"):
        return given
    if hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
        return arrow().chunked_array(given) if hasattr(given, "__arrow_c_stream__") else arrow().array(given)
    raise ProfileError("Of a mapping each value must be a column: a list, an array or a series.", column=str(name))


def values_of(column: Any) -> Values:
    """Take a column apart.

    Raises
    ------
    ValueNotProfiledError
        A value cannot be profiled.
    """
    if isinstance(column, list):
        return from_list(column)
    if isinstance(column, np.ndarray):
        return from_numpy(column)
    if _is_pandas(column):
        return from_series(column)
    pa = arrow()
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        return from_arrow(column)
    try:
        return from_arrow(pa.chunked_array(column))
    except pa.ArrowException:  # a type that Arrow does not have
        return from_list(column.to_list())


def take_rows(column: Any, rows: Ints) -> Any:
    """Return some rows of a column."""
    if isinstance(column, list):
        return [column[row] for row in rows.tolist()]
    if _is_pandas(column):
        return column.iloc[rows]
    if isinstance(column, np.ndarray):
        return column[rows]
    return column.take(arrow().array(rows))


def _is_pandas(column: Any) -> bool:
    return type(column).__module__.partition(".")[0] == "pandas"


# --- points in time


def times_of(column: Any) -> NDArray[np.datetime64]:
    """Return a column as points in time, UTC, in milliseconds; what has no zone is UTC.

    Raises
    ------
    ValueNotProfiledError
        It holds something else, or a time that no calendar has.
    """
    return _in_milliseconds(_times_of(column))


def _times_of(column: Any) -> NDArray[np.datetime64]:
    if isinstance(column, list):
        return _from_objects(column)
    if isinstance(column, np.ndarray):
        return _from_array(column)
    if _is_pandas(column):
        if type(column.dtype).__name__ == "PeriodDtype":
            column = column.dt.to_timestamp()
        if getattr(column.dtype, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return _from_array(column.to_numpy())
    pa = arrow()
    return _from_arrow(column) if isinstance(column, (pa.Array, pa.ChunkedArray)) else _from_array(np.asarray(column))


def _in_milliseconds(times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Convert times; those that a coarser unit can hold and milliseconds cannot would become others."""
    if np.datetime_data(times.dtype)[0] not in _FINE:
        counts = times.astype(np.int64)
        first, last = (np.datetime64(end).astype(times.dtype).astype(np.int64) for end in _CALENDAR)
        far = (counts < first) | (counts > last)
        far &= ~np.isnat(times)
        if far.any():
            raise ValueNotProfiledError("the time lies beyond the years 1 to 9999", int(far.argmax()))
    return times.astype("datetime64[ms]")


_FINE = frozenset({"generic", "ns", "ps", "fs", "as"})  # these reach no further than 1677 to 2262
_CALENDAR = ("0001-01-01", "9999-12-31T23:59:59.999")


def _from_arrow(column: Any) -> NDArray[np.datetime64]:
    pa = arrow()
    kind = column.type
    if pa.types.is_dictionary(kind):
        try:
            column = column.cast(kind.value_type)
        except pa.ArrowNotImplementedError:  # of polars' strings
            column = pa.array(column.to_pylist())
        return _from_arrow(column)
    if pa.types.is_timestamp(kind):
        # The numbers of a timestamp with a zone count from 1970, UTC; only its display is elsewhere.
        return np.asarray(column.cast(pa.timestamp(kind.unit)).to_numpy(zero_copy_only=False))
    if pa.types.is_date(kind):
        return np.asarray(column.cast(pa.timestamp("ms")).to_numpy(zero_copy_only=False))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _from_objects(column.to_pylist())
    if column.null_count == len(column):
        return _no_times(len(column))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return _from_array(column.to_numpy(zero_copy_only=False))
    raise ValueNotProfiledError(_NO_TIMES)


def _from_array(array: NDArray[Any]) -> NDArray[np.datetime64]:
    if array.dtype.kind == "M":
        return array
    if array.dtype.kind in "OUT":
        return _from_objects(array.tolist())
    # A column without a value has whatever type its library gives such a one.
    if not array.size or (array.dtype.kind == "f" and np.isnan(array).all()):
        return _no_times(array.size)
    raise ValueNotProfiledError(_NUMBERS if array.dtype.kind in "iuf" else _NO_TIMES)


def _no_times(rows: int) -> NDArray[np.datetime64]:
    return np.full(rows, np.datetime64("NaT", "ms"), "datetime64[ms]")


def _from_objects(values: list[Any]) -> NDArray[np.datetime64]:
    times = np.empty(len(values), "datetime64[ms]")
    for row, value in enumerate(values):
        times[row] = _as_time(value, row)
    return times


def _as_time(value: Any, row: int) -> np.datetime64:
    try:
        if value is None or value != value:
            return np.datetime64("NaT", "ms")
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if isinstance(value, (date, np.datetime64)):
            if isinstance(value, datetime) and value.tzinfo is not None:
                value = value.astimezone(timezone.utc).replace(tzinfo=None)
            moment: np.datetime64 = np.datetime64(value, "ms")
            return moment
    except (ValueError, OverflowError, TypeError):  # TypeError: pandas' NA is neither equal nor unequal
        if type(value).__name__ == "NAType":
            return np.datetime64("NaT", "ms")
    kind = "" if isinstance(value, str) else f" ({type(value).__name__})"
    raise ValueNotProfiledError(
        f"this is no point in time: {str(value)[:60]!r}{kind}; a datetime is, or text like 2026-01-31", row
    )

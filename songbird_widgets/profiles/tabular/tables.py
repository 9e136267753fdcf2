"""Data of many libraries as parts of a table: some rows of named columns, each of which can be counted.

pandas and numpy are read as they are, everything else by way of the Arrow C stream
(https://arrow.apache.org/docs/format/CStreamInterface.html), which polars, DuckDB, pyarrow and others offer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import ProfileError
from .arrow_columns import arrow, from_arrow
from .numpy_columns import from_numpy
from .object_columns import from_list
from .pandas_columns import from_series
from .values import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .values import Values

MAX_PART_BYTES = 1 << 26  # of Arrow data that are looked at together
_MAX_PART_ROWS = 1 << 20


class Part(Protocol):
    """Some rows of a table."""

    names: list[str]
    rows: int

    def values(self, name: str) -> Values:
        """Take a column apart; raises `values.ValueNotProfiledError`."""

    def times(self, name: str) -> NDArray[np.datetime64]:
        """Return a column as points in time, UTC; raises `ProfileError`."""

    def take(self, rows: NDArray[np.int64]) -> Part:
        """Return only these rows."""


def is_table(data: Any) -> bool:
    """Whether this is a table that `parts_of` can read; of a sequence the first item is looked at."""
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    if isinstance(data, (list, tuple)):
        return bool(data) and isinstance(data[0], Mapping)
    return _is_pandas(data) or _is_lazy(data) or _is_dataset(data) or _is_arrow(data)


def parts_of(data: Any, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """Read a table in parts.

    Parameters
    ----------
    data : table
        See `profiling.profile`.
    wanted : sequence of str, optional
        The only columns to read; all by default.

    Raises
    ------
    ProfileError
        It is no table, has no column of a name that is wanted, or two of one name.
    """
    if _is_pandas(data):
        yield _PandasPart(_chosen_of_pandas(data if hasattr(data, "columns") else data.to_frame(), wanted))
    elif isinstance(data, np.ndarray) and data.ndim and data.dtype.names is not None:
        yield _chosen(_ListPart({name: data[name] for name in data.dtype.names}), wanted)
    elif isinstance(data, (list, tuple)) and all(isinstance(row, Mapping) for row in data):
        yield _chosen(_ListPart(_turned(data)), wanted)
    elif isinstance(data, Mapping):
        yield _chosen(_ListPart({name: _sequence(name, column) for name, column in data.items()}), wanted)
    else:
        yield from _parts_of_arrow(data, wanted)


# --- pandas


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc")


def _chosen_of_pandas(frame: Any, wanted: Sequence[str] | None) -> Any:
    names = names_of(frame.columns)
    if wanted is None:
        return frame
    return frame.iloc[:, [place_of(name, names) for name in wanted]]


def place_of(name: str, names: Sequence[str]) -> int:
    """Return the place of a column; raises `ProfileError`."""
    try:
        return names.index(name)
    except ValueError:
        raise ProfileError("The data have no column of this name.", column=name) from None


class _PandasPart:
    def __init__(self, frame: Any) -> None:
        self.names = names_of(frame.columns)
        self.rows = len(frame)
        self._frame = frame
        self._places = {name: place for place, name in enumerate(self.names)}

    def values(self, name: str) -> Values:
        return from_series(self._frame.iloc[:, self._places[name]])

    def times(self, name: str) -> NDArray[np.datetime64]:
        series = self._frame.iloc[:, self._places[name]]
        if getattr(series.dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _as_times(series.to_numpy(), name)

    def take(self, rows: NDArray[np.int64]) -> Part:
        return _PandasPart(self._frame.iloc[rows])


def _as_times(array: NDArray[Any], name: str) -> NDArray[np.datetime64]:
    """Read datetimes, dates and ISO strings; what has no zone is UTC."""
    if array.dtype.kind == "M":
        return array
    if array.dtype.kind in "OU":
        times = np.empty(len(array), "datetime64[ms]")
        for row, value in enumerate(array.tolist()):
            times[row] = _as_time(value, name, row)
        return times
    raise ProfileError("This column holds no points in time: give datetimes, dates or ISO 8601 strings.", column=name)


def _as_time(value: Any, name: str, row: int) -> np.datetime64:
    if value is None or value != value:
        return np.datetime64("NaT", "ms")
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if isinstance(value, (date, np.datetime64)):
            if isinstance(value, datetime) and value.tzinfo is not None:
                value = value.astimezone(timezone.utc).replace(tzinfo=None)
            moment: np.datetime64 = np.datetime64(value, "ms")
            return moment
    except (ValueError, OverflowError):
        pass
    raise ProfileError(f"Row {row} holds no point in time: {str(value)[:60]!r}.", column=name)


# --- lists and arrays


def _turned(rows: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Turn rows into columns; what a row does not name is missing there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _sequence(name: Any, column: Any) -> list[Any] | NDArray[Any]:
    if isinstance(column, np.ndarray) and column.ndim:
        return column
    if isinstance(column, Sequence) and not isinstance(column, (str, bytes)):
        return list(column)
    raise ProfileError("Of a mapping each value must be a column: a list or an array.", column=str(name))


class _ListPart:
    def __init__(self, table: Mapping[Any, list[Any] | NDArray[Any]]) -> None:
        self.names = names_of(table)
        self._columns = dict(zip(self.names, table.values(), strict=True))
        self.rows = len(next(iter(self._columns.values()), ()))
        for name, column in self._columns.items():
            if len(column) != self.rows:
                raise ProfileError(
                    f"The columns are not equally long: {len(column)} rows here, {self.rows} in the first.", column=name
                )

    def values(self, name: str) -> Values:
        column = self._columns[name]
        return from_list(column) if isinstance(column, list) else from_numpy(column)

    def times(self, name: str) -> NDArray[np.datetime64]:
        column = self._columns[name]
        if isinstance(column, list):
            array = np.empty(len(column), object)
            array[:] = column
            column = array
        return _as_times(column, name)

    def take(self, rows: NDArray[np.int64]) -> _ListPart:
        return _ListPart(
            {
                name: [column[row] for row in rows.tolist()] if isinstance(column, list) else column[rows]
                for name, column in self._columns.items()
            }
        )

    def select(self, names: Sequence[str]) -> _ListPart:
        return _ListPart({name: self._columns[name] for name in names})


def _chosen(part: _ListPart, wanted: Sequence[str] | None) -> _ListPart:
    if wanted is None:
        return part
    return part.select([part.names[place_of(name, part.names)] for name in wanted])


# --- Arrow


def _is_arrow(data: Any) -> bool:
    if isinstance(data, type):
        return False
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def _is_dataset(data: Any) -> bool:
    """Whether this is a data set or a scanner of pyarrow, which are no streams but can be read as one."""
    return type(data).__module__ == "pyarrow._dataset" and (hasattr(data, "scanner") or hasattr(data, "to_reader"))


def _is_lazy(data: Any) -> bool:
    """Whether this is a frame of polars or narwhals that is still to be computed."""
    return hasattr(data, "collect") and hasattr(data, "collect_schema")


def _parts_of_arrow(data: Any, wanted: Sequence[str] | None) -> Iterator[Part]:
    pa = arrow()
    try:
        yield from _read_arrow(data, wanted, pa)
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0][:300]
        raise ProfileError(f"This data cannot be read ({type(data).__name__}): {reason}") from error


def _collected(data: Any, wanted: Sequence[str] | None) -> Any:
    try:
        if wanted is not None:
            names = data.collect_schema().names()
            data = data.select([names[place_of(name, names)] for name in wanted])
        return data.collect()
    except ProfileError:
        raise
    except Exception as error:  # whatever the query is of
        reason = str(error).partition("\n")[0][:300]
        raise ProfileError(f"The query of this lazy frame fails: {reason}") from error


class _FramePart:
    """A frame that as a whole is no Arrow stream, because of the types of some columns; each is taken by itself."""

    def __init__(self, frame: Any) -> None:
        self.names = names_of(frame.columns)
        self.rows = len(frame)
        self._frame = frame

    def values(self, name: str) -> Values:
        pa = arrow()
        series = self._frame.get_column(name)
        try:
            return from_arrow(pa.chunked_array(series))
        except pa.ArrowException:
            return from_list(series.to_list())

    def times(self, name: str) -> NDArray[np.datetime64]:
        return _as_times(np.asarray(self._frame.get_column(name)), name)

    def take(self, rows: NDArray[np.int64]) -> Part:
        return _FramePart(self._frame[rows.tolist()])


def _read_arrow(data: Any, wanted: Sequence[str] | None, pa: Any) -> Iterator[Part]:
    if _is_lazy(data):
        data = _collected(data, wanted)
    if _is_dataset(data):
        data = _reader_of_dataset(data, wanted)
    if _is_arrow(data) and hasattr(data, "__arrow_c_stream__"):
        try:
            reader = pa.RecordBatchReader.from_stream(data)
        except pa.ArrowInvalid:
            if hasattr(data, "get_column") and hasattr(data, "columns"):
                yield _FramePart(
                    data
                    if wanted is None
                    else data.select([data.columns[place_of(name, data.columns)] for name in wanted])
                )
                return
            raise ProfileError(f"This is no table but a column ({type(data).__name__}): make a frame of it.") from None
        yield from parts_of_batches(reader.schema, reader, wanted)
    elif _is_arrow(data):
        batch = pa.record_batch(data)
        yield from parts_of_batches(batch.schema, iter([batch]), wanted)
    else:
        raise ProfileError(
            f"This is no table that can be profiled ({type(data).__name__}): give a data frame, an Arrow table or "
            "stream, a record array, a list of dicts, or the path of a Parquet, CSV, JSON-lines or Arrow file."
        )


def _reader_of_dataset(data: Any, wanted: Sequence[str] | None) -> Any:
    if hasattr(data, "scanner"):
        names = None if wanted is None else [data.schema.names[place_of(name, data.schema.names)] for name in wanted]
        # Reading ahead as far as pyarrow does by default takes hundreds of megabytes.
        data = data.scanner(columns=names, batch_readahead=2, fragment_readahead=1, batch_size=1 << 16)
    return data.to_reader()


def parts_of_batches(schema: Any, batches: Iterator[Any], wanted: Sequence[str] | None) -> Iterator[Part]:
    """Put Arrow's record batches together until it is worth to look at them."""
    pa = arrow()
    names = names_of(schema.names)
    places = None if wanted is None else [place_of(name, names) for name in wanted]
    waiting: list[Any] = []
    rows = size = 0
    found = False
    for batch in batches:
        chosen = batch if places is None or batch.num_columns == len(places) else batch.select(places)
        waiting.append(chosen)
        rows += chosen.num_rows
        size += chosen.nbytes
        if rows >= _MAX_PART_ROWS or size >= MAX_PART_BYTES:
            found = True
            yield _ArrowPart(pa.Table.from_batches(waiting))
            waiting, rows, size = [], 0, 0
    if waiting:
        yield _ArrowPart(pa.Table.from_batches(waiting))
    elif not found:
        table = schema.empty_table()
        yield _ArrowPart(table if places is None else table.select(places))


class _ArrowPart:
    def __init__(self, table: Any) -> None:
        self.names = names_of(table.column_names)
        self.rows = table.num_rows
        self._table = table
        self._places = {name: place for place, name in enumerate(self.names)}

    def values(self, name: str) -> Values:
        return from_arrow(self._table.column(self._places[name]))

    def times(self, name: str) -> NDArray[np.datetime64]:
        pa = arrow()
        column = self._table.column(self._places[name])
        kind = column.type
        if pa.types.is_timestamp(kind):
            # The numbers of a timestamp with a zone count from 1970, UTC; only its display is elsewhere.
            return np.asarray(column.cast(pa.timestamp(kind.unit)).to_numpy())
        if pa.types.is_date(kind):
            return np.asarray(column.cast(pa.timestamp("ms")).to_numpy())
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
            array = np.empty(len(column), object)
            array[:] = column.to_pylist()
            return _as_times(array, name)
        return _as_times(np.empty(0), name)

    def take(self, rows: NDArray[np.int64]) -> Part:
        return _ArrowPart(self._table.take(arrow().array(rows)))

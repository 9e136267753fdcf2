"""Data of many libraries as parts of a table: some of its rows, by named columns.

pandas and numpy are read as they are, everything else by way of the Arrow C stream
(https://arrow.apache.org/docs/format/CStreamInterface.html), which polars, DuckDB, pyarrow and others offer.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProfileError
from .arrow_columns import arrow
from .columns import column_of, take_rows, times_of, values_of
from .names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from ..sketches.kll import Ints
    from .values import Values

MAX_PART_BYTES = 1 << 26  # of Arrow data that are looked at together
_MAX_PART_ROWS = 1 << 20
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")  # as pyarrow calls it


class TablePart(ABC):
    """Some rows of a table.

    Attributes
    ----------
    names : list of str
        The columns that can be told apart.
    problems : dict of str to str
        By name: why the other columns cannot be profiled.
    rows : int
    index : tuple
        Names of what is no column but an index of the table.
    source : str
        The file that it was read from; empty for a table in memory.
    first_row : int
        Its first row, counted from 0 in the file or the table.
    line_of : callable or None
        Tells the line of a text file, counted from 1, on which a row begins; None if there are no lines.
    """

    def __init__(self, names: Iterable[Any], rows: int) -> None:
        known = Names(names)
        self.names = list(known.places)
        self.problems = known.problems
        self.rows = rows
        self.index: tuple[object, ...] = ()
        self.source = ""
        self.first_row = 0
        self.line_of: Callable[[int], int | None] | None = None
        self._places = known.places
        self._taken: Ints | None = None

    @abstractmethod
    def _column(self, place: int) -> Any:
        """Return a column in the form of its library."""

    @abstractmethod
    def _chosen(self, rows: Ints) -> TablePart: ...

    def values(self, name: str) -> Values:
        """Take a column apart; raises `values.ValueNotProfiledError`."""
        return values_of(self._column(self._places[name]))

    def times(self, name: str) -> NDArray[np.datetime64]:
        """Return a column as points in time, UTC; raises `values.ValueNotProfiledError`."""
        return times_of(self._column(self._places[name]))

    def take(self, rows: Ints) -> TablePart:
        """Return only these rows."""
        part = self._chosen(rows)
        part.source, part.first_row, part.line_of = self.source, self.first_row, self.line_of
        part._taken = rows if self._taken is None else self._taken[rows]  # noqa: SLF001 - of the same class
        return part

    def where(self, row: int | None) -> str:
        """Say where a row is, counted from 0 within the part: ``orders.csv, row 7 (line 9)``."""
        if row is None:
            return self.source
        row = self.first_row + (row if self._taken is None else int(self._taken[row]))
        return ", ".join(filter(None, [self.source, row_text(row, self.line_of)]))


def row_text(row: int, line_of: Callable[[int], int | None] | None) -> str:
    """Name a row, counted from 0, and the line of it where the source has lines."""
    line = None if line_of is None else line_of(row)
    return f"row {row} counted from 0" if line is None else f"row {row} (line {line})"


def numbered(parts: Iterable[TablePart]) -> Iterator[TablePart]:
    """Tell each part which row of the table is its first."""
    rows = 0
    for part in parts:
        part.first_row = rows
        rows += part.rows
        yield part


def parts_of(data: Any, wanted: Sequence[str] | None = None) -> Iterator[TablePart]:
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
        It is no table, or has no column of a name that is wanted.
    """
    return numbered(_parts_of(data, wanted))


def _parts_of(data: Any, wanted: Sequence[str] | None) -> Iterator[TablePart]:
    if _is_column(data):
        data = data.to_frame()
    if _is_pandas(data):
        yield _PandasPart(
            data if wanted is None else data.iloc[:, Names(data.columns).select(wanted, data.index.names)]
        )
    elif isinstance(data, np.ndarray) and data.ndim and data.dtype.names is not None:
        yield _of_columns({name: data[name] for name in data.dtype.names}, wanted)
    elif isinstance(data, Mapping):
        yield _of_columns({name: column_of(name, column) for name, column in data.items()}, wanted)
    elif _is_frame(data):
        yield from _parts_of_arrow(data, wanted)
    elif isinstance(data, (list, tuple, Iterator)):
        kind = "iterator" if isinstance(data, Iterator) else type(data).__name__
        yield from _parts_of_each(iter(data), wanted, kind)
    else:
        raise _no_table(type(data).__name__)


def _no_table(kind: str) -> ProfileError:
    return ProfileError(
        f"This is no table that can be profiled ({kind}): give a data frame, an Arrow table or stream, a record array, "
        "a list of dicts, or the path of a Parquet, CSV, JSON-lines or Arrow file."
    )


def _parts_of_each(items: Iterator[Any], wanted: Sequence[str] | None, kind: str) -> Iterator[TablePart]:
    """Read rows, or frames and batches that are one table together."""
    first = next(items, None)
    if first is None:
        yield _of_columns({}, wanted)
    elif isinstance(first, Mapping):
        rows = [first, *items]
        if not all(isinstance(row, Mapping) for row in rows):
            raise _no_table(kind)
        yield _of_columns(_turned(rows), wanted)
    else:
        for item in chain([first], items):
            if not _is_frame(item):
                raise _no_table(f"{kind} of {type(item).__name__}")
            yield from _parts_of(item, wanted)


def _is_frame(data: Any) -> bool:
    return _is_pandas(data) or _is_lazy(data) or _is_dataset(data) or _is_arrow(data)


def _is_column(data: Any) -> bool:
    """Whether this is a series of pandas or polars, or an index."""
    return hasattr(data, "to_frame") and not hasattr(data, "columns") and not isinstance(data, type)


# --- pandas


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc")


class _PandasPart(TablePart):
    def __init__(self, frame: Any) -> None:
        super().__init__(frame.columns, len(frame))
        self.index = tuple(frame.index.names)
        self._frame = frame

    def _column(self, place: int) -> Any:
        return self._frame.iloc[:, place]

    def _chosen(self, rows: Ints) -> TablePart:
        return _PandasPart(self._frame.iloc[rows])


# --- lists and arrays


def _turned(rows: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Turn rows into columns; what a row does not name is missing there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


class _ColumnsPart(TablePart):
    def __init__(self, names: Sequence[Any], columns: Sequence[Any]) -> None:
        super().__init__(names, len(columns[0]) if columns else 0)
        self._columns = columns
        self._labels = names
        for name, column in zip(names, columns, strict=True):
            if len(column) != self.rows:
                raise ProfileError(
                    f"The columns are not equally long: {len(column)} rows here, {self.rows} in the first.",
                    column=str(name),
                )

    def _column(self, place: int) -> Any:
        return self._columns[place]

    def _chosen(self, rows: Ints) -> TablePart:
        return _ColumnsPart(self._labels, [take_rows(column, rows) for column in self._columns])


def _of_columns(table: Mapping[Any, Any], wanted: Sequence[str] | None) -> TablePart:
    names, columns = list(table), list(table.values())
    if wanted is not None:
        columns = [columns[place] for place in Names(names).select(wanted)]
        names = list(wanted)
    return _ColumnsPart(names, columns)


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
    return hasattr(data, "collect") and hasattr(data, "collect_schema") and not isinstance(data, type)


def _parts_of_arrow(data: Any, wanted: Sequence[str] | None) -> Iterator[TablePart]:
    pa = arrow(f"This kind of data ({type(data).__name__} of {type(data).__module__.partition('.')[0]})")
    try:
        yield from _read_arrow(data, wanted, pa)
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0][:300]
        raise ProfileError(f"This data cannot be read ({type(data).__name__}): {reason}") from error


def _collected(data: Any, wanted: Sequence[str] | None) -> Any:
    try:
        if wanted is not None:
            names = data.collect_schema().names()
            data = data.select([names[place] for place in Names(names).select(wanted)])
        return data.collect()
    except ProfileError:
        raise
    except Exception as error:  # whatever the query is of
        reason = str(error).partition("\n")[0][:300]
        raise ProfileError(f"The query of this lazy frame fails: {reason}") from error


class _FramePart(TablePart):
    """A frame that as a whole is no Arrow stream, because of the types of some columns; each is taken by itself."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._labels = list(frame.columns)  # which a frame makes anew each time
        super().__init__(self._labels, len(frame))

    def _column(self, place: int) -> Any:
        return self._frame.get_column(self._labels[place])

    def _chosen(self, rows: Ints) -> TablePart:
        return _FramePart(self._frame[rows.tolist()])


def _read_arrow(data: Any, wanted: Sequence[str] | None, pa: Any) -> Iterator[TablePart]:
    if _is_lazy(data):
        data = _collected(data, wanted)
    if _is_dataset(data):
        data = _reader_of_dataset(data, wanted)
    if hasattr(data, "__arrow_c_stream__"):
        try:
            reader = pa.RecordBatchReader.from_stream(data)
        except pa.ArrowInvalid:
            if hasattr(data, "get_column") and hasattr(data, "columns"):
                names = list(data.columns)
                places = range(len(names)) if wanted is None else Names(names).select(wanted)
                yield _FramePart(data.select([names[place] for place in places]))
                return
            raise ProfileError(_COLUMN.format(type(data).__name__)) from None
        yield from parts_of_batches(reader.schema, reader, wanted)
    else:
        try:
            batch = pa.record_batch(data)
        except pa.ArrowInvalid:
            raise ProfileError(_COLUMN.format(type(data).__name__)) from None
        yield from parts_of_batches(batch.schema, iter([batch]), wanted)


_COLUMN = "This is no table but a column ({}): make a frame of it."


def _reader_of_dataset(data: Any, wanted: Sequence[str] | None) -> Any:
    if hasattr(data, "scanner"):
        names = data.schema.names
        chosen = None if wanted is None else [names[place] for place in Names(names).select(wanted)]
        # Reading ahead as far as pyarrow does by default takes hundreds of megabytes.
        data = data.scanner(columns=chosen, batch_readahead=2, fragment_readahead=1, batch_size=1 << 16)
    return data.to_reader()


def parts_of_batches(schema: Any, batches: Iterable[Any], wanted: Sequence[str] | None) -> Iterator[TablePart]:
    """Join record batches of Arrow to parts that are large enough to be counted quickly."""
    pa = arrow()
    places = _places_but_index(schema) if wanted is None else Names(schema.names).select(wanted)
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


def _places_but_index(schema: Any) -> list[int] | None:
    """Return the places of all columns but the nameless index that pandas writes beside them; None without one."""
    names = schema.names
    if b"pandas" not in (schema.metadata or {}) or not any(map(_NAMELESS_INDEX.fullmatch, names)):
        return None
    return [place for place, name in enumerate(names) if not _NAMELESS_INDEX.fullmatch(name)] or None


class _ArrowPart(TablePart):
    def __init__(self, table: Any) -> None:
        super().__init__(table.column_names, table.num_rows)
        self._table = table

    def _column(self, place: int) -> Any:
        return self._table.column(place)

    def _chosen(self, rows: Ints) -> TablePart:
        return _ArrowPart(self._table.take(arrow().array(rows)))

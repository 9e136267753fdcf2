"""CSV files: their delimiter, their encoding, and the types that hold for whole columns."""

from __future__ import annotations

import codecs
import csv as text_csv
import io
import re
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...basics import one_line
from ..errors import ProfileError
from .arrow_columns import arrow
from .read_ahead import ReadAhead
from .tables import row_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

_MAX_HEADER = 1 << 20  # bytes of the first line that are looked at for the delimiter
_DELIMITERS = ",;\t|"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_UTF_8 = "it is not encoded as UTF-8: save it as UTF-8 and try again."
_SHOWN_VALUE, _SHOWN_ROW = 60, 120
_KINDS = {"int64": "integers", "double": "numbers", "bool": "booleans", "date32[day]": "dates"}
_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)")


class CsvFile:
    """A CSV file that can be read several times.

    Parameters
    ----------
    path : pathlib.Path
    opened : callable
        Opens the file, unpacked; also gives what tells how far it was read.
    block : int
        Bytes read at once.
    """

    def __init__(
        self, path: Path, opened: Callable[[Path], AbstractContextManager[tuple[Any, Callable[[], int]]]], block: int
    ) -> None:
        self._path, self._opened, self._block = path, opened, block
        self._quotes = 0  # of the last reading

    @contextmanager
    def batches(
        self, kinds: Mapping[str, Any] | None = None, *, by_row: bool = False
    ) -> Iterator[tuple[Any, Callable[[], int]]]:
        """Open the file as a stream of record batches, and what tells how far it was read, in bytes.

        Parameters
        ----------
        kinds : mapping of str to pyarrow.DataType, optional
            The columns' types; by default those that their first values seem to have.
        by_row : bool, optional
            Read on one core, so that an error names its row.

        Raises
        ------
        ProfileError
            It is not encoded as UTF-8 or UTF-16.
        pyarrow.ArrowInvalid
            It is no CSV file, or a value is not of its column's type.
        """
        pa, csv = arrow(), import_module("pyarrow.csv")
        with self._opened(self._path) as (source, position):
            head = source.read(_MAX_HEADER)
            encoding = "utf-16" if head.startswith(_UTF_16) else "utf-8"
            stream = _Rejoined(head, source)
            try:
                with csv.open_csv(
                    pa.PythonFile(stream, "r"),
                    read_options=csv.ReadOptions(block_size=self._block, encoding=encoding, use_threads=not by_row),
                    parse_options=csv.ParseOptions(
                        delimiter=_delimiter(head, encoding, self._path), newlines_in_values=True
                    ),
                    convert_options=csv.ConvertOptions(strings_can_be_null=True, column_types=kinds),
                ) as batches:
                    if pa.binary() in batches.schema.types:
                        raise ProfileError(_NO_UTF_8)
                    yield batches, position
            except pa.ArrowInvalid as error:
                if "invalid UTF8" in str(error):
                    raise ProfileError(_NO_UTF_8) from error
                raise
            except UnicodeDecodeError as error:
                raise ProfileError(_NO_UTF_8) from error
            finally:
                self._quotes = stream.quotes

    def check_quotes(self, kinds: Mapping[str, Any] | None) -> None:
        """Look whether a quotation mark is opened and never closed, which pyarrow takes for one long last value.

        To be called after the file was read.

        Raises
        ------
        ProfileError
            There is one.
        """
        if self._quotes % 2 == 0:
            return
        rows, last = 0, None
        with self.batches(kinds) as (batches, _):
            for batch in batches:
                if batch.num_rows:
                    rows += batch.num_rows
                    last = batch.slice(batch.num_rows - 1)
        values = [] if last is None else [column[0].as_py() for column in last.columns]
        if any(isinstance(value, str) and "\n" in value for value in values):
            where = row_text(rows - 1, self.line_of)
            raise ProfileError(f'{where} opens a quotation mark (") that is never closed.')

    def naming_row(self, error: Exception) -> Exception:
        """Read the file again for the row of too many or too few values; on several cores no row is named."""
        if not _RAGGED.search(str(error)):
            return error
        try:
            with self.batches(by_row=True) as (batches, _):
                for _ in batches:
                    pass
        except arrow().ArrowInvalid as again:
            if found := _RAGGED.search(str(again)):
                row, expected, got, text = found.groups()
                # arrow counts from 1, and the header with them
                where = row_text(int(row) - 2, self.line_of) if row else "a row"
                counted = f"{got} value{'' if got == '1' else 's'}, but the header {expected}"
                return ProfileError(f"{where} has {counted}: {one_line(text, _SHOWN_ROW)}")
        return error

    def line_of(self, row: int) -> int | None:
        """Return the line, counted from 1, on which a row begins; None if that cannot be told.

        Values may hold line ends and pyarrow passes over empty lines, so the file is read again up to the row, which
        is counted from 0 behind the header.
        """
        with self._opened(self._path) as (source, _):
            head = source.read(_MAX_HEADER)
        encoding = "utf-16" if head.startswith(_UTF_16) else "utf-8"
        with self._opened(self._path) as (source, _):
            stream = io.BufferedReader(source)
            text = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
            begins = 1
            try:
                lines = text_csv.reader(text, delimiter=_delimiter(head, encoding, self._path))
                for values in lines:
                    row -= bool(values)
                    if row < -1:
                        return begins
                    begins = lines.line_num + 1
            except text_csv.Error:  # a value of more than csv.field_size_limit(), which belongs to the whole process
                return None
            finally:
                text.detach()
                stream.detach()
        return None

    def whole_types(self, wanted: Sequence[str] | None, notes: list[str]) -> dict[str, Any]:
        """Find types that all values of each column have; a column without such a type is text.

        Parameters
        ----------
        wanted : sequence of str or None
            The columns that matter; None for all. The others are called text.
        notes : list of str
            Takes a sentence for each column that is text only because some of its values are.

        Returns
        -------
        dict of str to pyarrow.DataType
        """
        pa = arrow()
        with self.batches() as (batches, _):
            names = batches.schema.names
            kinds = dict(zip(names, batches.schema.types, strict=True))
        text = pa.string()
        kinds.update(dict.fromkeys(() if wanted is None else set(names).difference(wanted), text))
        row = 0
        with self.batches(dict.fromkeys(names, text)) as (batches, _):
            for batch in batches:
                for name, column in zip(names, batch.columns, strict=True):
                    known = kinds[name]
                    if known == text:
                        continue
                    values = pa.compute.utf8_trim_whitespace(column)
                    kinds[name] = next((kind for kind in (known, *_wider(known)) if _fit(values, kind)), text)
                    if kinds[name] == text and known != pa.null():
                        place = _first_misfit(values, [known, *_wider(known)])
                        value = column[place].as_py()
                        shown = value if len(value) <= _SHOWN_VALUE else value[:_SHOWN_VALUE] + "…"
                        where, before = row_text(row + place, self.line_of), _KINDS.get(str(known), "times")
                        notes.append(
                            f"{self._path.name}: column {name[:_SHOWN_VALUE]!r} is profiled as text: {where} holds "
                            f"{shown!r}, and the rows before hold {before}."
                        )
                row += batch.num_rows
        return kinds


class _Rejoined(ReadAhead):
    """A stream of which the beginning was read already; it counts quotation marks."""

    def __init__(self, head: bytes, rest: Any) -> None:
        super().__init__()
        self._head, self._rest = head, rest
        self.quotes = 0

    def following(self, size: int) -> bytes:
        if self._head:
            taken, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
        else:
            taken = bytes(self._rest.read(None if size < 0 else size))
        self.quotes += taken.count(b'"')
        return taken


def _delimiter(head: bytes, encoding: str, path: Path) -> str:
    """Take what parts the first line: a comma, unless another sign comes more often outside of quotes."""
    if ".tsv" in (suffix.lower() for suffix in path.suffixes):
        return "\t"
    line = head.decode(encoding, "replace").partition("\n")[0]
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _wider(kind: Any) -> tuple[Any, ...]:
    """The types that can take what a column holds so far, and more."""
    pa = arrow()
    if kind == pa.null():
        moments = (pa.date32(), pa.timestamp("s"), pa.timestamp("ns"))
        return (pa.int64(), pa.bool_(), *moments, pa.float64())
    if kind == pa.int64():
        return (pa.float64(),)
    if kind == pa.date32():
        return (pa.timestamp("s"), pa.timestamp("ns"))
    return (pa.timestamp("ns"),) if kind == pa.timestamp("s") else ()


def _fit(values: Any, kind: Any) -> bool:
    if values.null_count == len(values):
        return True
    pa = arrow()
    try:
        return kind != pa.null() and values.cast(kind) is not None
    except pa.ArrowInvalid:
        return False


def _first_misfit(values: Any, kinds: list[Any]) -> int:
    """Find the first value that is of none of some types, the last of which takes all that the others take."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        if any(_fit(values[low:middle], kind) for kind in kinds):
            low = middle
        else:
            high = middle
    return low

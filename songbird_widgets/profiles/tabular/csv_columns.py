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
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_LINE_ENDS = frozenset(b"\r\n")
_LINE_END = {("utf-8", False): b"\n", ("utf-16", False): b"\n\0", ("utf-16", True): b"\0\n"}
_FOR_EXCEL = re.compile(r'"?sep=.?"?', re.IGNORECASE)
_WITH_COMMA = re.compile(r"[+-]?\d+,(\d+)")
_WITH_POINT = re.compile(r"[+-]?\d+\.\d+")
_THOUSANDS = 3  # digits behind a comma that may part thousands
_MAX_ROWS = 1000  # that are looked at for decimal commas
_NO_UTF_8 = (
    "it is not encoded as UTF-8: save it as UTF-8, or read it with pandas.read_csv(…, encoding='cp1252') say, and give "
    "what that returns."
)
_HTML = ("<!doctype html", "<html")
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
        self.decimal_comma = False

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
            head = bytes(source.read(_MAX_HEADER))
            encoding = _encoding(head)
            _check_header(head, encoding)
            delimiter = _delimiter(head, encoding, self._path)
            self.decimal_comma = delimiter != "," and _has_decimal_commas(head, encoding, delimiter)
            if not _LINE_ENDS.intersection(head):  # a header alone, which pyarrow takes for nothing
                head += _LINE_END[encoding, head.startswith(codecs.BOM_UTF16_BE)]
            stream = _Rejoined(head, source)
            try:
                with csv.open_csv(
                    pa.PythonFile(stream, "r"),
                    read_options=csv.ReadOptions(block_size=self._block, encoding=encoding, use_threads=not by_row),
                    parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                    convert_options=csv.ConvertOptions(
                        strings_can_be_null=True,
                        column_types=kinds,
                        decimal_point="," if self.decimal_comma else ".",
                    ),
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
                if "\ufffd" in text and not self._begins_as_text():
                    return ProfileError(_NO_UTF_8)
                return ProfileError(f"{where} has {counted}: {one_line(text, _SHOWN_ROW)}")
        return error

    def _begins_as_text(self) -> bool:
        """Whether the beginning is encoded as it should be; a character may be cut in two at the end of it."""
        with self._opened(self._path) as (source, _):
            head = bytes(source.read(_MAX_HEADER))
        try:
            codecs.getincrementaldecoder(_encoding(head))().decode(head)
        except UnicodeDecodeError:
            return False
        return True

    def line_of(self, row: int) -> int | None:
        """Return the line, counted from 1, on which a row begins; None if that cannot be told.

        Values may hold line ends and pyarrow passes over empty lines, so the file is read again up to the row, which
        is counted from 0 behind the header.
        """
        with self._opened(self._path) as (source, _):
            head = bytes(source.read(_MAX_HEADER))
        encoding = _encoding(head)
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
                    values = self._as_numbers_are_written(pa.compute.utf8_trim_whitespace(column))
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

    def _as_numbers_are_written(self, texts: Any) -> Any:
        """Write decimal points for decimal commas; what has a point already is no number then."""
        if not self.decimal_comma:
            return texts
        compute = arrow().compute
        return compute.replace_substring(compute.replace_substring(texts, ".", "_"), ",", ".", max_replacements=1)


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


def _encoding(head: bytes) -> str:
    if head.startswith(_UTF_32):
        raise ProfileError(_NO_UTF_8)
    return "utf-16" if head.startswith(_UTF_16) else "utf-8"


def _check_header(head: bytes, encoding: str) -> None:
    """Refuse what is no header, and would be taken for one.

    Raises
    ------
    ProfileError
        It is none.
    """
    first = head.decode(encoding, "replace").removeprefix("\ufeff").lstrip("\r\n").partition("\n")[0]
    if not first.strip():
        raise ProfileError("it holds nothing but empty lines: a CSV file begins with the names of its columns.")
    if "\0" in first:
        raise ProfileError("it is no text: its first line holds NUL characters.")
    if first.lstrip().lower().startswith(_HTML):
        raise ProfileError("it is an HTML page: perhaps a sign-in or error page was saved instead of the file.")
    if _FOR_EXCEL.fullmatch(first.strip()):
        raise ProfileError(f"its first line, {first.strip()}, is for Excel alone and no header: remove it.")


def _has_decimal_commas(head: bytes, encoding: str, delimiter: str) -> bool:
    """Whether numbers are written as ``1,5``: where some are so, and none with a point.

    ``1,234`` alone may be a thousand and more, and does not tell.
    """
    lines = head.decode(encoding, "replace").splitlines()[1:_MAX_ROWS]
    commas = False
    try:
        for row in text_csv.reader(lines, delimiter=delimiter):
            for cell in map(str.strip, row):
                if _WITH_POINT.fullmatch(cell):
                    return False
                commas |= bool((found := _WITH_COMMA.fullmatch(cell)) and len(found[1]) != _THOUSANDS)
    except text_csv.Error:  # a value of more than csv.field_size_limit()
        return False
    return commas


def _delimiter(head: bytes, encoding: str, path: Path) -> str:
    """Take what parts the first line: a comma, or what else comes more often outside of quotes; of a .tsv any tab."""
    line = head.decode(encoding, "replace").partition("\n")[0]
    bare = "".join(line.split('"')[::2])
    if "\t" in bare and ".tsv" in (suffix.lower() for suffix in path.suffixes):
        return "\t"
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

"""CSV files: their delimiter, their encoding, and the types that hold for whole columns."""

from __future__ import annotations

import codecs
import io
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ProfileError
from .arrow_columns import arrow
from .values import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

_BLOCK = 1 << 22  # bytes read at once
_MAX_HEADER = 1 << 20  # bytes of the first line that are looked at for the delimiter
_DELIMITERS = ",;\t|"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_UTF_8 = "it is not encoded as UTF-8: save it as UTF-8 and try again."
_SHOWN_VALUE = 60
_KINDS = {"int64": "integers", "double": "numbers", "bool": "booleans", "date32[day]": "dates"}


@contextmanager
def reader(source: Any, path: Path, kinds: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Open a CSV file as a stream of record batches.

    Parameters
    ----------
    source : pyarrow.NativeFile
        At the beginning of the file.
    path : pathlib.Path
        What the file is called.
    kinds : mapping of str to pyarrow.DataType, optional
        The columns' types; by default those that their first values seem to have.

    Raises
    ------
    ProfileError
        It is not encoded as UTF-8 or UTF-16.
    pyarrow.ArrowInvalid
        It is no CSV file, or a value is not of its column's type.
    """
    csv = import_module("pyarrow.csv")
    head = source.read(_MAX_HEADER)
    encoding = "utf-16" if head.startswith(_UTF_16) else "utf-8"
    try:
        with csv.open_csv(
            arrow().PythonFile(_Rejoined(head, source), "r"),
            read_options=csv.ReadOptions(block_size=_BLOCK, encoding=encoding),
            parse_options=csv.ParseOptions(delimiter=_delimiter(head, encoding, path), newlines_in_values=True),
            convert_options=csv.ConvertOptions(strings_can_be_null=True, column_types=kinds),
        ) as batches:
            if arrow().binary() in batches.schema.types:
                raise ProfileError(_NO_UTF_8)
            yield batches
    except arrow().ArrowInvalid as error:
        if "invalid UTF8" in str(error):
            raise ProfileError(_NO_UTF_8) from error
        raise
    except UnicodeDecodeError as error:
        raise ProfileError(_NO_UTF_8) from error


class _Rejoined(io.RawIOBase):
    """A stream of which the beginning was read already."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return bytes(self._rest.read(None if size < 0 else size))
        taken, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
        return taken


def _delimiter(head: bytes, encoding: str, path: Path) -> str:
    """Take what parts the first line: a comma, unless another sign comes more often outside of quotes."""
    if ".tsv" in (suffix.lower() for suffix in path.suffixes):
        return "\t"
    line = head.decode(encoding, "replace").partition("\n")[0]
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def whole_types(
    path: Path,
    wanted: Sequence[str] | None,
    opened: Callable[[Path], AbstractContextManager[tuple[Any, Any]]],
    notes: list[str],
) -> dict[str, Any]:
    """Find types that all values of each column have; a column without such a type is text.

    Parameters
    ----------
    path : pathlib.Path
    wanted : sequence of str or None
        The columns that matter; None for all. The others are called text.
    opened : callable
        Opens the file, unpacked.
    notes : list of str
        Takes a sentence for each column that is text only because some of its values are.

    Returns
    -------
    dict of str to pyarrow.DataType
    """
    pa = arrow()
    with opened(path) as (source, _), reader(source, path) as batches:
        names = names_of(batches.schema.names)
        kinds = dict(zip(names, batches.schema.types, strict=True))
    text = pa.string()
    kinds.update(dict.fromkeys(() if wanted is None else set(names).difference(wanted), text))
    row = 0
    with opened(path) as (source, _), reader(source, path, dict.fromkeys(names, text)) as batches:
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
                    notes.append(
                        f"{path.name}: column {name[:_SHOWN_VALUE]!r} is profiled as text: row {row + place} holds "
                        f"{shown!r}, and the rows before hold {_KINDS.get(str(known), 'times')}."
                    )
            row += batch.num_rows
    return kinds


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

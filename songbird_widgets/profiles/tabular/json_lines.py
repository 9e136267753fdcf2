"""JSON lines read one by one: slower than pyarrow, but a column may hold several types, and an error names its line."""

from __future__ import annotations

import codecs
import io
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProfileError
from .read_ahead import ReadAhead
from .tables import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .tables import TablePart

_MAX_DEPTH = 500
_MAX_LINE = 64 << 20  # bytes
_PART_BYTES = 1 << 22


ONE_A_LINE = (
    "Give one object a line (of pandas by to_json(path, orient='records', lines=True)), or what json.load returns."
)


def check_start(source: Any) -> None:
    """Look whether a stream begins as JSON lines do.

    Raises
    ------
    ProfileError
        It is an array.
    """
    if bytes(source.read(_START)).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
        raise ProfileError(f"This is a JSON array. {ONE_A_LINE}")


_START = 1 << 10


class UnsafeError(Exception):
    """What ends the process in pyarrow's parser: deep nesting, as it calls itself, or null in place of an object."""


class Safe(ReadAhead):
    """A stream of JSON that ends with `UnsafeError` where pyarrow's parser would be in danger."""

    def __init__(self, source: Any) -> None:
        super().__init__()
        self._source = source
        self._depth = 0
        self._quotes = 0  # so far; within a string their number is odd
        self._cut = b""  # a backslash, of which the rest is still to come

    def following(self, size: int) -> bytes:
        content = bytes(self._source.read(None if size < 0 else size))
        self._look(content)
        return content

    def _look(self, content: bytes) -> None:
        if self._cut or b"\\" in content:
            content = (self._cut + content).replace(b"\\\\", b"").replace(b'\\"', b"")
            self._cut = b"\\" if content.endswith(b"\\") else b""
        signs = np.frombuffer(content, np.uint8)
        steps = _STEPS[signs]
        brackets, quotes = np.flatnonzero(steps), np.flatnonzero(signs == ord('"'))
        outside = (quotes.searchsorted(brackets) + self._quotes) % 2 == 0
        brackets = brackets[outside]
        depths = np.append(self._depth, self._depth + steps[brackets].cumsum(dtype=np.int64))
        nulls = np.array([found.end() for found in _NULL.finditer(content)], np.int64) - 1
        nulls = nulls[(quotes.searchsorted(nulls) + self._quotes) % 2 == 0]
        if depths.max() > _MAX_DEPTH or (depths[brackets.searchsorted(nulls)] == 0).any():
            raise UnsafeError
        self._quotes += len(quotes)
        self._depth = int(depths[-1])


_NULL = re.compile(
    rb"(?:\A(?:\xef\xbb\xbf)?|[\n\r}])[ \t]*n"
)  # where a line or what follows an object begins, perhaps within one
_STEPS = np.zeros(256, np.int8)
_STEPS[[ord(sign) for sign in "[{"]] = 1
_STEPS[[ord(sign) for sign in "]}"]] = -1


def column_names(source: Any) -> list[str]:
    """Return the names in any of the lines.

    Raises
    ------
    ProfileError
        A line holds no JSON object.
    """
    return list(dict.fromkeys(name for row, _ in _rows(source) for name in row))


def line_of(source: Any, row: int) -> int | None:
    """Return the line, counted from 1, of a row, counted from 0 among those that are not empty."""
    lines = io.BufferedReader(source)
    try:
        for number, line in enumerate(iter(lambda: lines.readline(_MAX_LINE + 1), b""), 1):
            row -= bool(line.strip())
            if row < 0:
                return number
        return None
    finally:
        lines.detach()


def parts(source: Any, names: Sequence[str], wanted: Sequence[str] | None) -> Iterator[TablePart]:
    """Read lines as parts of a table; what a line does not name is missing there."""
    rows: list[dict[str, Any]] = []
    size = 0
    for row, length in _rows(source):
        rows.append(row)
        size += length
        if size >= _PART_BYTES:
            yield from _part(rows, names, wanted)
            rows, size = [], 0
    if rows:
        yield from _part(rows, names, wanted)


def _part(rows: list[dict[str, Any]], names: Sequence[str], wanted: Sequence[str] | None) -> Iterator[TablePart]:
    return parts_of({name: [row.get(name) for row in rows] for name in names}, wanted)


def _rows(source: Any) -> Iterator[tuple[dict[str, Any], int]]:
    lines = io.BufferedReader(source)
    try:
        for number, line in enumerate(iter(lambda: lines.readline(_MAX_LINE + 1), b""), 1):
            if line.strip():
                yield _row(line, number), len(line)
    finally:
        lines.detach()  # whoever opened the source closes it


def _row(line: bytes, number: int) -> dict[str, Any]:
    if len(line) > _MAX_LINE:
        raise ProfileError(f"Line {number} is longer than {_MAX_LINE >> 20} MiB: this is no file of JSON lines.")
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        raise ProfileError(f"Line {number} is not encoded as UTF-8: save the file as UTF-8.") from None
    except RecursionError:
        raise ProfileError(f"Line {number} is nested too deeply.") from None
    except ValueError as error:
        raise ProfileError(f"Line {number} is no JSON ({getattr(error, 'msg', error)}).") from None
    if not isinstance(row, dict):
        raise ProfileError(f'Line {number} is no JSON object: give one object a line, such as {{"name": 1}}.')
    return row

"""Parquet, CSV, JSON-lines and Arrow files as parts of a table, read by pyarrow in bounded memory."""

from __future__ import annotations

import glob
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...basics import reason_of
from ..errors import ProfileError
from . import csv_columns, json_lines
from .arrow_columns import arrow
from .names import Names
from .progress import ProgressBar
from .tables import MAX_PART_BYTES, parts_of_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .tables import TablePart

_PARQUET, _ARROW = b"PAR1", b"ARROW1"
_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_NAMES = {"parquet": "Parquet", "csv": "CSV", "json": "JSON lines", "arrow": "Arrow"}
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_BLOCK, _LARGE_BLOCK = 1 << 22, 1 << 26  # bytes of text read at once; no row may be longer
_MIN_BATCH, _MAX_BATCH = 1 << 10, 1 << 17  # rows of a batch of Parquet
_BATCH_BYTES = MAX_PART_BYTES // 2


@dataclass(frozen=True)
class Manner:
    """How text files are read.

    Attributes
    ----------
    careful : bool
        Look at whole columns before deciding on their types, instead of at the beginning of each.
    block : int
        Bytes read at once.
    """

    careful: bool = False
    block: int = _BLOCK


class ReadAgainError(Exception):
    """A file is not as its beginning seemed: read everything again, in another manner."""

    def __init__(self, manner: Manner) -> None:
        super().__init__(manner)
        self.manner = manner


def file_format(start: bytes, name: str) -> str | None:
    """Tell which of the formats a file has, by its first bytes and else by its name; None for any other."""
    if start.startswith(_PARQUET):
        return "parquet"
    if start.startswith(_ARROW):
        return "arrow"
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
        return found if suffixes and (found := _FORMATS.get(suffixes[-1])) in {"csv", "json"} else None
    return _FORMATS.get(suffixes[-1]) if suffixes else None


def leads_to_data(pattern: str | Path) -> bool:
    """Whether a path or a glob leads to files, and all of them are of formats that can be read as tables."""
    try:
        return all(file_format(_start(path), path.name) is not None for path in _paths(pattern))
    except (ProfileError, OSError, ValueError):  # no file; a name too long, or with a NUL in it
        return False


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def parts_of_files(
    pattern: str | Path, wanted: Sequence[str] | None, notes: list[str], manner: Manner
) -> Iterator[TablePart]:
    """Read one file, or all that a glob names, with a progress bar when it takes long.

    Parameters
    ----------
    pattern : str or pathlib.Path
    wanted : sequence of str or None
        The columns to read; None for all.
    notes : list of str
        Takes what a person should know of how the files were read.
    manner : Manner

    Raises
    ------
    ProfileError
        There is no such file, its format is none of those known, or it is damaged.
    ReadAgainError
        The manner does not fit.
    """
    paths = _paths(pattern)
    total = sum(path.stat().st_size for path in paths)
    done = 0
    with closing(ProgressBar(total, unit="B", unit_scale=True)) as bar:
        for path in paths:
            try:
                start = _start(path)
            except OSError as error:
                raise ProfileError(f"{path.name} cannot be read: {reason_of(error)}") from error
            kind = file_format(start, path.name)
            if not start:
                raise ProfileError(f"{path.name} is empty (0 bytes).")
            if kind is None:
                raise ProfileError(
                    f"{path.name} is no file that can be profiled: give Parquet, CSV, JSON lines or Arrow."
                )
            # pandas reads by pyarrow, too, so a file is read the same way with and without it.
            pa = arrow(f"{path.name} ({_NAMES[kind]})")
            bar.name = path.name
            size = path.stat().st_size
            reading = _Reading(path, wanted, notes, manner)
            line_of = _LINES[kind](reading) if kind in _LINES else None
            rows = 0
            with _explained(path, pa):
                for part, position in _READERS[kind](reading):
                    part.source, part.first_row, part.line_of = path.name, rows, line_of
                    rows += part.rows
                    yield part
                    bar.reach(min(position, size) + done)
            done += size
            bar.reach(done)


def _paths(pattern: str | Path) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # takes absolute ones
    files = [each for each in found if each.is_file()]
    if not files:
        where = (
            f"is a directory: give the files in it, like {str(path / '*.parquet')!r}"
            if path.is_dir()
            else "names no file"
        )
        raise ProfileError(f"{str(pattern)!r} {where}.")
    return files


@dataclass(frozen=True)
class _Reading:
    """One file to read, and how; see `parts_of_files`."""

    path: Path
    wanted: Sequence[str] | None
    notes: list[str]
    manner: Manner


@contextmanager
def _explained(path: Path, pa: Any) -> Iterator[None]:
    try:
        yield
    except ProfileError as error:
        raise ProfileError(f"{path.name}: {error.reason}", offset=error.offset, column=error.column) from error
    except (pa.ArrowException, OSError) as error:
        raise ProfileError(f"{path.name} cannot be read: {reason_of(error)}") from error


def _read_parquet(reading: _Reading) -> Iterator[tuple[TablePart, int]]:
    path, wanted = reading.path, reading.wanted
    parquet = import_module("pyarrow.parquet")
    # Without pre_buffer and with a small buffer a row group is read piece by piece, however large it is.
    with parquet.ParquetFile(path, memory_map=False, buffer_size=1 << 16, pre_buffer=False) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        names = None if wanted is None else [schema.names[place] for place in Names(schema.names).select(wanted)]
        groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
        row_bytes = sum(group.total_byte_size for group in groups) / max(rows, 1)
        batch_rows = int(min(max(_BATCH_BYTES / max(row_bytes, 1), _MIN_BATCH), _MAX_BATCH))
        if names is not None:
            schema = arrow().schema([schema.field(name) for name in names])
        batches = file.iter_batches(batch_size=batch_rows, columns=names)
        size, seen = path.stat().st_size, 0
        for part in parts_of_batches(schema, batches, None):
            seen += part.rows
            yield part, size * seen // max(rows, 1)


def _read_arrow(reading: _Reading) -> Iterator[tuple[TablePart, int]]:
    pa = arrow()
    with pa.memory_map(str(reading.path)) as source:
        if bytes(source.read(len(_ARROW))) == _ARROW:
            file = pa.ipc.open_file(source)
            count = file.num_record_batches
            schema, batches = file.schema, (file.get_batch(index) for index in range(count))
        else:
            source.seek(0)
            batches = pa.ipc.open_stream(source)
            schema = batches.schema
        for part in parts_of_batches(schema, batches, reading.wanted):
            yield part, source.tell()


def _read_csv(reading: _Reading) -> Iterator[tuple[TablePart, int]]:
    file = csv_columns.CsvFile(reading.path, _opened, reading.manner.block)
    try:
        kinds = file.whole_types(reading.wanted, reading.notes) if reading.manner.careful else None
        with file.batches(kinds) as (batches, position):
            for part in parts_of_batches(batches.schema, batches, reading.wanted):
                yield part, position()
        file.check_quotes(kinds)
    except arrow().ArrowInvalid as error:
        if "conversion error" in str(error) and not reading.manner.careful:
            raise ReadAgainError(replace(reading.manner, careful=True)) from error
        _read_larger(reading.manner, error)
        raise file.naming_row(error) from error


def _read_larger(manner: Manner, error: Exception) -> None:
    """Raise `ReadAgainError` with larger blocks where a row is longer than a block; else do nothing."""
    if "straddl" not in str(error):
        return
    if manner.block < _LARGE_BLOCK:
        raise ReadAgainError(replace(manner, block=_LARGE_BLOCK)) from error
    raise ProfileError(
        f'A row is longer than {_LARGE_BLOCK >> 20} MiB: perhaps a quotation mark (") is opened and never closed.'
    ) from error


def _read_json(reading: _Reading) -> Iterator[tuple[TablePart, int]]:
    if reading.manner.careful:
        with _opened(reading.path) as (source, position):
            names = json_lines.column_names(source)
        with _opened(reading.path) as (source, position):
            for part in json_lines.parts(source, names, reading.wanted):
                yield part, position()
        return
    json = import_module("pyarrow.json")
    try:
        with _opened(reading.path) as (source, position):
            stream = arrow().PythonFile(json_lines.Shallow(source), "r")
            batches = json.open_json(stream, read_options=json.ReadOptions(block_size=_BLOCK))
            for part in parts_of_batches(batches.schema, batches, reading.wanted):
                yield part, position()
    except (arrow().ArrowInvalid, json_lines.DeepError) as error:
        # pyarrow's reader takes one type for each column, and names no line; reading line by line does neither.
        raise ReadAgainError(replace(reading.manner, careful=True)) from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Callable[[], int]]]:
    """Open a file, unpacking it on the way; also gives what tells how far it was read."""
    pa = arrow()
    with pa.OSFile(str(path)) as raw:
        packing = _PACKED.get(path.suffix.lower())
        yield (raw if packing is None else pa.CompressedInputStream(raw, packing)), raw.tell


def _lines_of_csv(reading: _Reading) -> Callable[[int], int | None]:
    return csv_columns.CsvFile(reading.path, _opened, reading.manner.block).line_of


def _lines_of_json(reading: _Reading) -> Callable[[int], int | None]:
    def line_of(row: int) -> int | None:
        with _opened(reading.path) as (source, _):
            return json_lines.line_of(source, row)

    return line_of


_LINES = {"csv": _lines_of_csv, "json": _lines_of_json}


_READERS: dict[str, Callable[[_Reading], Iterator[tuple[TablePart, int]]]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "json": _read_json,
    "arrow": _read_arrow,
}

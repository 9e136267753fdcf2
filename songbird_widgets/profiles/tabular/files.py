"""Parquet, CSV, JSON-lines and Arrow files as parts of a table, read by pyarrow in bounded memory."""

from __future__ import annotations

import glob
import lzma
import os
import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...basics import one_line_path, reason_of
from ..errors import ProfileError
from . import csv_columns, json_lines
from .arrow_columns import arrow
from .names import Names
from .progress import ProgressBar
from .tables import MAX_PART_BYTES, parts_of_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .tables import TablePart

_PARQUET, _ARROW, _FEATHER_1 = b"PAR1", b"ARROW1", b"FEA1"
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
    ".arrows": "arrow",
}
_SUFFIXES_OF_TEXT = frozenset({"csv", "json"})
_NAMES = {"parquet": "Parquet", "csv": "CSV", "json": "JSON lines", "arrow": "Arrow"}
_PACKED = frozenset({".gz", ".bz2", ".zst", ".xz", ".lz4"})
_PACKINGS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "lz4",
}
# Data that are not read here, by how they begin or what they are called, and what reads them.
_ELSEWHERE: tuple[tuple[bytes | None, tuple[str, ...], str, str], ...] = (
    (None, (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"), "a spreadsheet", "pandas.read_excel"),
    (None, (".orc",), "an ORC file", "pyarrow.orc.read_table"),
    (b"Obj\x01", (".avro",), "an Avro file", "polars.read_avro"),
    (b"SQLite format 3\x00", (".db", ".sqlite", ".sqlite3"), "an SQLite database", "pandas.read_sql"),
    (None, (".duckdb", ".ddb"), "a DuckDB database", "duckdb.connect(…).table"),
    (b"\x89HDF", (".h5", ".hdf", ".hdf5"), "an HDF5 file", "pandas.read_hdf"),
    (b"\x80\x04\x95", (".pkl", ".pickle"), "a Python pickle", "pandas.read_pickle"),
    (b"\x80\x05\x95", (), "a Python pickle", "pandas.read_pickle"),
    (b"\x93NUMPY", (".npy", ".npz"), "a numpy array", "numpy.load"),
    (None, (".sas7bdat", ".xpt"), "a SAS file", "pandas.read_sas"),
    (None, (".dta",), "a Stata file", "pandas.read_stata"),
    (None, (".sav",), "an SPSS file", "pandas.read_spss"),
)
_PROFILE = b"WHY1"
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
        return found if suffixes and (found := _FORMATS.get(suffixes[-1])) in _SUFFIXES_OF_TEXT else None
    return _FORMATS.get(suffixes[-1]) if suffixes and advice_on(start) is None else None


def advice_on(start: bytes, name: str = "") -> str | None:
    """Say what reads a file of data that is not read here; None of any other file.

    Parameters
    ----------
    start : bytes
        Its first bytes.
    name : str, optional
    """
    suffix = Path(name).suffix.lower()
    for mark, suffixes, what, reader in _ELSEWHERE:
        if suffix in suffixes or (mark is not None and start.startswith(mark)):
            return f"This is {what}: read it with {reader}, and give what that returns."
    return _NAMELESS_TEXT if suffix in {".txt", ".dat", ".data"} and _is_text(start) else None


_NAMELESS_TEXT = "This looks like text, but its name does not tell of which kind: call it .csv, .tsv or .jsonl."


def _is_text(start: bytes) -> bool:
    try:
        return bool(start) and b"\0" not in start and bool(start.decode(errors="ignore"))
    except ValueError:
        return False


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


def parts_of_files(
    paths: Sequence[Path], wanted: Sequence[str] | None, notes: list[str], manner: Manner
) -> Iterator[TablePart]:
    """Read files as one table, with a progress bar when it takes long.

    Parameters
    ----------
    paths : sequence of pathlib.Path
    wanted : sequence of str or None
        The columns to read; None for all.
    notes : list of str
        Takes what a person should know of how the files were read.
    manner : Manner

    Raises
    ------
    ProfileError
        The format of a file is none of those known, or it is damaged.
    ReadAgainError
        The manner does not fit.
    """
    partitions = _partitions(paths)
    total = sum(path.stat().st_size for path in paths)
    done = 0
    with closing(ProgressBar(total, unit="B", unit_scale=True)) as bar:
        for path in paths:
            try:
                start = _start(path)
            except OSError as error:
                raise ProfileError(f"{path.name}: The file cannot be read ({reason_of(error)}).") from error
            kind = file_format(start, path.name)
            if not start:
                raise ProfileError(f"{path.name}: The file is empty (0 bytes).")
            if kind is None:
                raise ProfileError(f"{path.name}: {_no_data(start, path)}")
            # pandas reads by pyarrow, too, so a file is read the same way with and without it.
            pa = arrow(f"{path.name} ({_NAMES[kind]})")
            bar.name = path.name
            size = path.stat().st_size
            reading = _Reading(path, wanted, notes, manner)
            line_of = _LINES[kind](reading) if kind in _LINES else None
            rows = 0
            with _explained(path, pa):
                for part, position in _READERS[kind](reading):
                    if not rows and wanted is None:
                        notes.extend(_only_in_directories(partitions, part, kind))
                    part.source, part.first_row, part.line_of = path.name, rows, line_of
                    rows += part.rows
                    yield part
                    bar.reach(min(position, size) + done)
            done += size
            bar.reach(done)


def _no_data(start: bytes, path: Path) -> str:
    advice = advice_on(start, path.name)
    if advice is not None:
        return advice
    if start.startswith(_PROFILE):
        return "This is a profile already: compare and Session.add take it as it is."
    if _is_text(start):
        return _NAMELESS_TEXT
    return "This is no file that can be profiled: give Parquet, CSV, JSON lines or Arrow."


def find_paths(pattern: str | os.PathLike[str]) -> list[Path]:
    """Return the file at a path, or all that a glob names, in the order of their names.

    Raises
    ------
    ProfileError
        There is none that could be read. The message does not name the path.
    """
    text = os.fsdecode(pattern)
    if _ADDRESS.match(text):
        raise ProfileError("Addresses are not fetched: give the downloaded file's path.")
    if not text:
        raise ProfileError("The path is empty.")
    try:
        path = Path(text)
        if not os.path.lexists(path):
            path = path.expanduser()
        if path.is_file():
            return [path]
        refusal = _refusal_of(path)
        # pathlib takes no absolute patterns
        files = (
            [] if refusal else [one for one in map(Path, sorted(glob.glob(str(path), recursive=True))) if one.is_file()]
        )
    except (OSError, ValueError, RuntimeError) as error:  # too long; a NUL in it; a "~" of nobody's
        raise ProfileError(f"This is no path that can be opened ({reason_of(error)}).") from error
    if not files:
        raise ProfileError(
            refusal or ("No file has a name like that." if glob.has_magic(text) else "There is no such file.")
        )
    return files


def _partitions(paths: Sequence[Path]) -> list[str]:
    """Return the columns that tell files of a partitioned data set apart by names of directories, as ``city=Oslo``."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for part in path.parent.parts:
            name, sign, value = part.partition("=")
            if sign:
                found.setdefault(name, set()).add(value)
    return [name for name, values in found.items() if len(values) > 1]


def _only_in_directories(partitions: Sequence[str], part: TablePart, kind: str) -> Iterator[str]:
    """Note the columns of a partitioned data set that its files do not hold."""
    for name in partitions:
        if name not in part.names:
            yield (
                f"Not in the profile: column {name!r}, which stands in the names of directories only. To have it, give "
                f"{_dataset('directory', kind)}."
            )


def _dataset(directory: str, kind: str | None) -> str:
    """Write what reads a partitioned data set."""
    form = "" if kind == "parquet" else f"format={kind!r}, "
    return f"pyarrow.dataset.dataset({directory}, {form}partitioning='hive')"


def _refusal_of(path: Path) -> str | None:
    """Say why what is at a path cannot be read though it is there."""
    if path.is_dir():
        return f"This is a directory: give the files in it, {_files_in(path)}."
    return "This is no file but a device or a pipe: write what it gives into a file." if path.exists() else None


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def path_shown(pattern: str | os.PathLike[str]) -> str:
    """Name a path in a message, without what may be secret of an address."""
    text = os.fsdecode(pattern)
    return one_line_path(text.partition("?")[0] if _ADDRESS.match(text) else text, 200)


def _files_in(directory: Path) -> str:
    """Say how to name the files of a directory: a pattern, of profiles unless it holds data."""
    looked_at = 0
    for folder, _, names in os.walk(directory):
        data = next((name for name in sorted(names) if not name.endswith(".bin") and file_format(b"", name)), None)
        if data is not None:
            below = Path(folder).relative_to(directory)
            pattern = str(directory / ("**" if below.parts else "") / f"*{''.join(Path(data).suffixes[-1:])}")
            if any("=" in part for part in below.parts):
                reader = _dataset(repr(str(directory)), file_format(b"", data))
                return f"like {pattern!r}, or {reader}, which has the columns that stand in names of directories, too"
            return f"like {pattern!r}"
        looked_at += len(names) + 1
        if looked_at > _MOST_LOOKED_AT:
            break
    return f"like {str(directory / '*.bin')!r}"


_MOST_LOOKED_AT = 1000  # files of a directory


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
    except (pa.ArrowException, OSError, EOFError, lzma.LZMAError) as error:
        raise ProfileError(f"{path.name}: The file cannot be read ({reason_of(error)}).") from error


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
            if _start(reading.path).startswith(_FEATHER_1):
                raise ProfileError("This is Feather of version 1: read it with pyarrow.feather.read_table.")
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
    with _opened(reading.path) as (source, _):
        json_lines.check_start(source)
    try:
        rows = 0
        with _opened(reading.path) as (source, position):
            stream = arrow().PythonFile(json_lines.Safe(source), "r")
            batches = json.open_json(stream, read_options=json.ReadOptions(block_size=_BLOCK))
            for part in parts_of_batches(batches.schema, batches, reading.wanted):
                rows += part.rows
                yield part, position()
        types = arrow().types
        if rows == 1 and all(types.is_nested(kind) for kind in batches.schema.types):
            reading.notes.append(
                f"{reading.path.name} holds a single object of objects and lists, and is profiled as one row. "
                f"{json_lines.ONE_A_LINE}"
            )
    except (arrow().ArrowInvalid, json_lines.UnsafeError) as error:
        # pyarrow's reader takes one type for each column, and names no line; reading line by line does neither.
        raise ReadAgainError(replace(reading.manner, careful=True)) from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Callable[[], int]]]:
    """Open a file, unpacking it on the way; also gives what tells how far it was read."""
    pa = arrow()
    start = _start(path)
    packing = next((name for mark, name in _PACKINGS.items() if start.startswith(mark)), None)
    if packing == "bz2" and not start.endswith(b"1AY&"):  # text may begin as the first mark does
        packing = None
    if packing == "xz":  # which Arrow does not unpack
        with path.open("rb") as file, lzma.open(file) as unpacked:
            yield pa.PythonFile(unpacked, "r"), file.tell
        return
    with pa.OSFile(str(path)) as raw:
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

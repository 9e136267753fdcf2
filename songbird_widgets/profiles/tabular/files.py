"""Parquet, CSV, JSON-lines and Arrow files as parts of a table, read by pyarrow in bounded memory."""

from __future__ import annotations

import glob
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ProfileError
from .arrow_columns import arrow
from .tables import MAX_PART_BYTES, parts_of_batches, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .tables import Part

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
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_CSV_BLOCK, _JSON_BLOCK = 1 << 22, 1 << 22  # bytes read at once
_MIN_BATCH, _MAX_BATCH = 1 << 10, 1 << 17  # rows of a batch of Parquet
_BATCH_BYTES = MAX_PART_BYTES // 2
_BAR_AFTER = 1.0  # seconds after which a progress bar appears


def file_format(path: Path) -> str | None:
    """Tell which of the formats a file has, by its first bytes and else by its name; None for any other."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError:
        start = b""
    if start.startswith(_PARQUET):
        return "parquet"
    if start.startswith(_ARROW):
        return "arrow"
    return _format_by_name(path)


def _format_by_name(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
        return found if suffixes and (found := _FORMATS.get(suffixes[-1])) in {"csv", "json"} else None
    return _FORMATS.get(suffixes[-1]) if suffixes else None


def leads_to_data(pattern: str | Path) -> bool:
    """Whether a path or a glob leads to files, and all of them are of formats that can be read as tables."""
    try:
        return all(file_format(path) is not None for path in _paths(pattern))
    except (ProfileError, OSError, ValueError):  # no file; a name too long, or with a NUL in it
        return False


def parts_of_files(pattern: str | Path, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """Read one file, or all that a glob names, with a progress bar when it takes long.

    Raises
    ------
    ProfileError
        There is no such file, its format is none of those known, or it is damaged.
    """
    paths = _paths(pattern)
    # pandas reads by pyarrow, too, so a file is read the same way with and without it.
    pa = arrow()
    tqdm = import_module("tqdm.auto").tqdm
    total = sum(path.stat().st_size for path in paths)
    done = 0
    with tqdm(total=total, unit="B", unit_scale=True, delay=_BAR_AFTER, disable=None, leave=False) as bar:
        for path in paths:
            kind = file_format(path)
            if kind is None:
                raise ProfileError(
                    f"{path.name} is no file that can be profiled: give Parquet, CSV, JSON lines or Arrow."
                )
            bar.set_description(path.name, refresh=False)
            size = path.stat().st_size
            with _explained(path, pa):
                for part, position in _READERS[kind](path, wanted):
                    yield part
                    bar.update(min(position, size) + done - bar.n)
            done += size
            bar.update(done - bar.n)


def _paths(pattern: str | Path) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - takes absolute ones
    files = [each for each in found if each.is_file()]
    if not files:
        where = "is a directory: give the files in it" if path.is_dir() else "names no file"
        raise ProfileError(f"{str(pattern)!r} {where}.")
    return files


@contextmanager
def _explained(path: Path, pa: Any) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0][:300]
        raise ProfileError(f"{path.name} cannot be read: {reason}") from error


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> Iterator[tuple[Part, int]]:
    parquet = import_module("pyarrow.parquet")
    # Without pre_buffer and with a small buffer a row group is read piece by piece, however large it is.
    with parquet.ParquetFile(path, memory_map=False, buffer_size=1 << 16, pre_buffer=False) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        names = None if wanted is None else [schema.names[place_of(name, schema.names)] for name in wanted]
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


def _read_arrow(path: Path, wanted: Sequence[str] | None) -> Iterator[tuple[Part, int]]:
    pa = arrow()
    with pa.memory_map(str(path)) as source:
        if bytes(source.read(len(_ARROW))) == _ARROW:
            file = pa.ipc.open_file(source)
            count = file.num_record_batches
            schema, batches = file.schema, (file.get_batch(index) for index in range(count))
        else:
            source.seek(0)
            batches = pa.ipc.open_stream(source)
            schema = batches.schema
        for part in parts_of_batches(schema, batches, wanted):
            yield part, source.tell()


def _read_csv(path: Path, wanted: Sequence[str] | None) -> Iterator[tuple[Part, int]]:
    csv = import_module("pyarrow.csv")
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    with _opened(path) as (source, position):
        reader = csv.open_csv(
            source,
            read_options=csv.ReadOptions(block_size=_CSV_BLOCK),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(strings_can_be_null=True),
        )
        for part in parts_of_batches(reader.schema, reader, wanted):
            yield part, position()


def _read_json(path: Path, wanted: Sequence[str] | None) -> Iterator[tuple[Part, int]]:
    json = import_module("pyarrow.json")
    with _opened(path) as (source, position):
        reader = json.open_json(source, read_options=json.ReadOptions(block_size=_JSON_BLOCK))
        for part in parts_of_batches(reader.schema, reader, wanted):
            yield part, position()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Callable[[], int]]]:
    """Open a file, unpacking it on the way; also gives what tells how far it was read."""
    pa = arrow()
    with pa.OSFile(str(path)) as raw:
        packing = _PACKED.get(path.suffix.lower())
        yield (raw if packing is None else pa.CompressedInputStream(raw, packing)), raw.tell


_READERS: dict[str, Callable[[Path, Sequence[str] | None], Iterator[tuple[Part, int]]]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "json": _read_json,
    "arrow": _read_arrow,
}

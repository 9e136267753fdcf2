"""Profiles of data files: the same figures in every format, and what becomes of files that are not as they seem."""

from __future__ import annotations

import bz2
import fcntl
import gzip
import io
import json
import lzma
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import warnings
import zipfile
from pathlib import Path
from unittest.mock import ANY

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest

import songbird_widgets as sw
from songbird_widgets.profiles import ProfileError, ProfilingWarning, find_sources

FAR, WIDE = 50_000, "x" * 100  # rows of such a text: beyond the first block of a file
TABLE = pa.table({"n": [3, 1, 2, 2], "price": [0.5, 2.5, -1.0, 4.0], "city": ["Bonn", "Oslo", None, "Žilina"]})


def write_json_lines(table, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()), encoding="utf-8")


WRITERS = {
    "parquet": pyarrow.parquet.write_table,
    "csv": pyarrow.csv.write_csv,
    "jsonl": write_json_lines,
    "feather": pyarrow.feather.write_feather,
}


def lz4(content):
    return pa.Codec("lz4").compress(content, asbytes=True)


def figures(profile):
    """Counts, types, bounds and items of each column."""
    columns = {name: profile.column(name) for name in profile.column_names}
    return {
        name: (
            one.counts,
            one.types,
            one.ints_min,
            one.kll and one.kll.max,
            one.frequent_items and one.frequent_items.estimates,
        )
        for name, one in columns.items()
    }


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_gives_the_profile_of_its_table_and_a_glob_that_of_all(tmp_path, suffix):
    WRITERS[suffix](TABLE, tmp_path / f"one.{suffix}")
    WRITERS[suffix](TABLE.slice(1), tmp_path / f"two.{suffix}")
    assert figures(sw.profile(tmp_path / f"one.{suffix}")) == figures(sw.profile(TABLE))
    both = pa.concat_tables([TABLE, TABLE.slice(1)])
    assert figures(sw.profile(str(tmp_path / f"*.{suffix}"))) == figures(sw.profile(both))


@pytest.mark.parametrize("kind", [list, tuple, iter], ids=lambda kind: kind.__name__)
def test_paths_together_are_one_data_set_as_a_glob_is(tmp_path, kind):
    for name in ("a", "b"):
        pyarrow.csv.write_csv(TABLE, tmp_path / f"{name}.csv")
    paths = [tmp_path / "a.csv", str(tmp_path / "b.csv")]
    assert figures(sw.profile(kind(paths))) == figures(sw.profile(tmp_path / "*.csv"))
    assert sw.compare(kind(paths), TABLE).sides[0].rows == 8
    with pytest.raises(ProfileError, match=r"c\.csv: There is no such file"):
        sw.profile(kind([*paths, tmp_path / "c.csv"]))
    with pytest.raises(ProfileError, match="no table that can be profiled"):
        sw.profile(kind([*paths, 1]))


def test_data_sets_streams_and_relations_give_the_profile_of_their_table(tmp_path):
    pyarrow.parquet.write_table(TABLE, tmp_path / "one.parquet")
    relation = duckdb.connect().from_arrow(TABLE)
    for data in (pyarrow.dataset.dataset(tmp_path), TABLE.to_reader(max_chunksize=2), relation):
        assert figures(sw.profile(data)) == figures(sw.profile(TABLE))


# --- columns that change


def test_a_csv_column_that_turns_to_text_is_text_as_a_whole_and_costs_no_other(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("id,n,late,wide\n" + f"1,2,,{WIDE}\n" * FAR + "x7,2.5,3,\n", encoding="utf-8")
    with pytest.warns(
        ProfilingWarning, match=rf"late.csv: column 'id' .* text: row {FAR} \(line {FAR + 2}\) holds 'x7'.* integers"
    ) as seen:
        profile = sw.profile(path)
    assert len(seen) == 1
    assert profile.column("id").frequent_items.estimates == {"1": FAR, "x7": 1}
    n, late = profile.column("n"), profile.column("late")
    assert (n.types.fractional, n.types.integral, n.kll.max) == (FAR + 1, 0, 2.5)
    assert (late.types.integral, late.counts.null, late.ints_max) == (1, FAR, 3)


@pytest.mark.parametrize("rows", [pytest.param(1, id="at once"), pytest.param(FAR, id="late", marks=pytest.mark.slow)])
def test_a_json_column_of_two_types_is_counted_value_by_value(tmp_path, rows):
    path = tmp_path / "mixed.jsonl"
    path.write_text(f'{{"a": 1, "wide": "{WIDE}"}}\n' * rows + '{"a": "x", "b": 2.5}\n', encoding="utf-8")
    profile = sw.profile(path)
    a, b = profile.column("a"), profile.column("b")
    assert (a.types.integral, a.types.string, a.counts.n) == (rows, 1, rows + 1)
    assert (b.types.fractional, b.counts.null, b.counts.n) == (1, rows, rows + 1)


# --- files as people have them


@pytest.mark.parametrize(
    "content",
    ["\ufeffn,city\n1,Žilina\n".encode(), "n,city\n1,Žilina\n".encode("utf-16"), "n;city\n1;Žilina\n".encode()],
    ids=["byte order mark", "utf-16", "semicolons"],
)
def test_a_csv_file_of_another_habit_is_understood(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    profile = sw.profile(path)
    assert (profile.column("n").ints_max, profile.column("city").frequent_items.estimates) == (1, {"Žilina": 1})


@pytest.mark.parametrize("kind", ["parquet", "feather", "table"])
def test_the_nameless_index_that_pandas_writes_beside_the_columns_is_none_of_them(tmp_path, kind):
    frame = pd.DataFrame({"n": [3, 1, 2], "day": [1, 2, 3]}).sort_values("n")
    data, path = pa.Table.from_pandas(frame), tmp_path / f"shuffled.{kind}"
    assert data.column_names == ["n", "day", "__index_level_0__"]
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "feather":
        pa.feather.write_feather(data, path)
    assert sw.profile(data if kind == "table" else path).column_names == ("day", "n")
    named = pa.Table.from_pandas(frame.set_index("day"))
    assert sw.profile(named).column_names == ("day", "n")


def test_columns_of_one_name_cost_no_other_and_are_named_with_their_file(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("a,a,b\n1,2,3\n", encoding="utf-8")
    with pytest.warns(ProfilingWarning, match=r"column 'a' \(twice.csv: columns 0 and 1 have this one name"):
        assert sw.profile(path).column_names == ("b",)


def test_a_value_that_cannot_be_profiled_is_named_with_its_file_and_its_row_there(tmp_path):
    for name, ids in {"a": [1, 2], "b": [3, 2**63]}.items():
        table = pa.table({"id": pa.array(ids, pa.uint64()), "n": ids[:1] * 2})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    with pytest.warns(
        ProfilingWarning, match=r"column 'id' \(b.parquet, row 1 counted from 0: the integer 9223372036854775808"
    ):
        assert sw.profile(tmp_path / "*.parquet").column("n").counts.n == 4
    (tmp_path / "times.csv").write_text("when,n\n2026-01-01,1\nyesterday,2\n", encoding="utf-8")
    with pytest.raises(
        ProfileError, match=r"times.csv, row 1 \(line 3\): this is no point in time: 'yesterday'.*column 'when'"
    ):
        sw.profile_batches(tmp_path / "times.csv", "when")


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("lines.csv", b'when,note\r\n2026-01-01,"two\r\nlines"\r\n\r\nyesterday,x\r\n', "row 1 (line 5)"),
        ("wide.csv", "when;note\n2026-01-01;a\nyesterday;b\n".encode("utf-16"), "row 1 (line 3)"),
        ("lines.jsonl", b'{"when": "2026-01-01"}\n\n{"when": "yesterday"}\n', "row 1 (line 3)"),
        (
            "packed.jsonl.gz",
            gzip.compress(b'\n{"when": "2026-01-01"}\n{"when": "yesterday"}\n', mtime=0),
            "row 1 (line 3)",
        ),
    ],
)
def test_a_row_of_a_text_file_is_told_by_the_line_that_an_editor_shows(tmp_path, name, content, where):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ProfileError, match=re.escape(f"{name}, {where}: this is no point in time: 'yesterday'")):
        sw.profile_batches(tmp_path / name, "when")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(range(1, 256)) * 4, "binary.csv: row 0 (line 2) has 1 value"),  # the csv module of 3.10 ends at a NUL
        (b"a,b\n1,2\n\x1b[2J,\x07,3\n", "row 1 (line 3) has 3 values"),
    ],
)
def test_what_is_said_of_a_file_holds_none_of_its_control_characters(tmp_path, content, said):
    (tmp_path / "binary.csv").write_bytes(content)
    with pytest.raises(ProfileError) as caught:
        sw.profile(tmp_path / "binary.csv")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("take", [sw.profile, lambda path: sw.compare(path, path)])
def test_a_directory_is_refused_with_a_pattern_that_names_its_files(tmp_path, take):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "day.parquet").touch()
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / '**' / '*.parquet'}'.")):
        take(tmp_path)
    (tmp_path / "day.csv").write_text("n\n1\n")
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / '*.csv'}'.")):
        take(tmp_path)


@pytest.mark.parametrize("name", ["all.zip", "all.tar", "all.tar.gz", "all.csv"])  # the last is a zip all the same
def test_an_archive_of_data_gives_the_profile_of_the_files_in_it_wherever_a_path_is_taken(tmp_path, name):
    for folder, table in (("region=a", TABLE), ("region=b", TABLE.slice(1))):
        (tmp_path / "trips" / folder).mkdir(parents=True)
        pyarrow.csv.write_csv(
            table.append_column("when", [["2026-01-01"] * len(table)]), tmp_path / "trips" / folder / "x.csv"
        )
    archive = tmp_path / name
    made = shutil.make_archive(
        tmp_path / "made", {".gz": "gztar", ".tar": "tar"}.get(archive.suffix, "zip"), tmp_path / "trips"
    )
    Path(made).rename(archive)
    with pytest.warns(ProfilingWarning, match="column 'region', which stands in the names of directories only"):
        whole = sw.profile(archive)
    assert figures(whole) == figures(sw.profile(pa.concat_tables([TABLE, TABLE.slice(1)]))) | {"when": ANY}
    assert sw.compare(archive, whole).sides[0].rows == whole.rows == 7
    assert [found.rows for found in find_sources(archive)] == [4, 3]
    with pytest.warns(ProfilingWarning, match="column 'region'"):
        assert [day.rows for day in sw.profile_batches(archive, "when")] == [7]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.csv": b"n\n1\n", "a.bin": sw.profile(TABLE).to_bytes()}, "a.bin: This is a profile already: compare and"),
        ({"note.txt": b"n\n1\n"}, "all.zip: The archive holds no profile and no data"),
        ({"a.csv": b"n\n1\n", "b.csv": b"a,b\n1\n"}, r"b.csv: row 0 \(line 2\) has 1 value, but the header 2"),
        ({"a.csv": b"n\n1\n", "b.csv": b""}, r"b.csv: The file is empty \(0 bytes\)"),
        ({"a.csv": b"n\n1\n", "b.zip": b"PK"}, "all.zip:b.zip: This is an archive in the archive"),
    ],
)
def test_an_archive_of_which_a_file_cannot_be_profiled_is_refused_with_its_name(tmp_path, members, said):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ProfileError, match=said):
        sw.profile(tmp_path / "all.zip")


@pytest.mark.parametrize("kind", ["parquet", "csv", "json", "arrow"])
def test_columns_that_stand_in_names_of_directories_only_are_missed_aloud(tmp_path, kind):
    data = pa.table({"n": [3, 1, 2, 2], "city": ["Bonn", "Oslo", "none", "Bonn"]})
    for city in ("Bonn", "Oslo", "none"):
        (tmp_path / "trips" / f"city={city}").mkdir(parents=True)
        rows = data.filter(pa.compute.field("city") == city).drop(["city"])
        {**WRITERS, "json": write_json_lines, "arrow": pyarrow.feather.write_feather}[kind](
            rows, tmp_path / "trips" / f"city={city}" / f"a.{kind}"
        )
    with pytest.raises(
        ProfileError, match=r"or (pyarrow.dataset.dataset\(.*, partitioning='hive'\)), which"
    ) as refused:
        sw.profile(tmp_path / "trips")
    (code,) = re.findall(r"or (pyarrow.dataset.dataset\(.*\)), which", str(refused.value))
    with pytest.warns(ProfilingWarning, match=r"column 'city', .* names of directories .* partitioning='hive'") as seen:
        profile = sw.profile(str(tmp_path / "trips" / "**" / f"*.{kind}"))
    assert len(seen) == 1
    assert (profile.rows, profile.column_names) == (4, ("n",))
    assert figures(sw.profile(eval(code)))["city"][0].n == 4  # noqa: S307 - what the refusal says to give


def test_a_row_larger_than_what_is_read_at_once_is_read(tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("n,text\n1," + "x" * 5_000_000 + "\n", encoding="utf-8")
    assert sw.profile(path).column("text").frequent_items.estimates == {"x" * 128: 1}


CSV = b"n,city\n3,Bonn\n1,Oslo\n"


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.csv", gzip.compress),
        ("a.csv", lzma.compress),
        ("a.csv.gz", bytes),
        ("a.csv.gz", lz4),
        ("a.csv.xz", gzip.compress),
        ("a.csv.xz", bz2.compress),
    ],
    ids=lambda given: getattr(given, "__name__", given),
)
def test_how_a_file_is_packed_is_told_by_its_content_and_not_by_its_name(tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack(CSV))
    assert figures(sw.profile(path)) == figures(sw.profile({"n": [3, 1], "city": ["Bonn", "Oslo"]}))
    assert sw.compare(path, io.BytesIO(sw.profile(path).to_bytes())).names == ("city", "n")
    with path.open("rb") as file:
        assert sw.compare(file, path).names == ("city", "n")


def test_nulls_within_objects_of_several_lines_are_nulls(tmp_path):
    (tmp_path / "pretty.jsonl").write_text('{"a": [\n null,\nnull], "b":\nnull}\n{"a": [1], "b": 2}\n')
    profile = sw.profile(tmp_path / "pretty.jsonl")
    assert (profile.rows, profile.column("b").counts.null, profile.column("b").types.integral) == (2, 1, 1)


def test_a_tsv_is_parted_by_commas_only_where_it_has_no_tab(tmp_path):
    path = tmp_path / "a.tsv"
    for content, names in (("a,b\n1,2\n", ("a", "b")), ("a\tb,c,d\n1\t2\n", ("a", "b,c,d"))):
        path.write_text(content)
        assert sw.profile(path).column_names == names


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        pytest.param("a;b\n1,5;x\n2,25;y\n3;z\n", [1.5, 2.25, 3.0], id="decimal commas"),
        pytest.param('a\tb\n"1,5"\tx\n2,25\ty\n', [1.5, 2.25], id="in quotes"),
        pytest.param("a;b\n1.5;x\n2.25;y\n", [1.5, 2.25], id="points"),
        pytest.param("a;b\n1,234;x\n2,345;y\n", [], id="perhaps thousands"),
        pytest.param('a,b\n"1,5",x\n', [], id="commas between values"),
        pytest.param("a;b\n" + f"1;{WIDE}\n" * FAR + "2,5;y\n1,5;z\n", None, id="late", marks=pytest.mark.slow),
    ],
)
def test_decimal_commas_are_numbers_where_no_comma_parts_values(tmp_path, content, numbers):
    path = tmp_path / "a.csv"
    path.write_text(content)
    if numbers is None:  # the beginning has none
        with pytest.warns(ProfilingWarning, match="holds '2,5'"):
            assert sw.profile(path).column("a").types.string == FAR + 2
        return
    column = sw.profile(path).column("a")
    assert column.types.fractional == len(numbers)
    assert sorted(column.kll.items.tolist()) == numbers


def test_decimal_commas_that_turn_to_text_are_text_as_a_whole(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("a;b;wide\n" + f"1,5;2,5;{WIDE}\n" * FAR + "1.5;3,5;\n")
    with pytest.warns(ProfilingWarning, match=r"column 'a' .* holds '1\.5'"):
        profile = sw.profile(path)
    assert (profile.column("a").types.string, profile.column("b").types.fractional) == (FAR + 1, FAR + 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_a_header_without_a_line_end_has_columns_without_rows(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(("\ufeff" * encoding.startswith("utf-16") + "n,city").encode(encoding))
    assert figures(sw.profile(path)).keys() == {"n", "city"}
    assert sw.profile(path).rows == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"<!DOCTYPE html>\n<html>", "an HTML page: perhaps a sign-in"),
        ("a.csv", b"\n\n\n", "nothing but empty lines"),
        ("a.csv", bytes(1000), "no text"),
        ("a.csv", b"sep=;\na;b\n1;2\n", "its first line, sep=;, is for Excel"),
        ("a.csv", "a,b\n".encode("utf-32"), "not encoded as UTF-8"),
        ("a.csv", b"a,b\n\xff\xfe,\x80,\x81\n", "not encoded as UTF-8"),
        ("a.json", b'\n [{"a": 1}]', "JSON array.*orient='records', lines=True"),
        ("a.xlsx", b"PK\x03\x04", "spreadsheet: read it with pandas.read_excel"),
        ("a.orc", b"ORC", "an ORC file: read it with pyarrow.orc.read_table"),
        ("a", b"Obj\x01", "an Avro file: read it with polars.read_avro"),
        ("a.txt", b"n,city\n", "call it .csv, .tsv or .jsonl"),
        ("a.feather", b"FEA1", "Feather of version 1"),
    ],
)
def test_what_is_not_read_is_refused_by_all_with_what_to_do(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    for take in (sw.profile, lambda path: sw.compare(path, path)):
        with pytest.raises(ValueError, match=said) as refused:
            take(path)
        assert "\ufffd" not in str(refused.value)


def test_a_text_that_begins_as_another_file_does_is_text(tmp_path):
    for header in ("ORCID", "FEA1", "BZh", "PAR"):
        (tmp_path / "a.csv").write_text(f"{header},n\nx,1\n")
        assert sw.profile(tmp_path / "a.csv").column_names == (header, "n")


def test_a_json_file_of_columns_is_not_silently_one_row(tmp_path):
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_json(tmp_path / "a.json")
    with pytest.warns(ProfilingWarning, match=r"a\.json holds a single object .* lines=True"):
        assert sw.profile(tmp_path / "a.json").rows == 1


def test_a_csv_file_of_a_header_alone_has_columns_without_rows(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("n,city\n", encoding="utf-8")
    assert [sw.profile(path).column(name).counts.n for name in ("n", "city")] == [0, 0]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("header.csv", b"when,n\n", "header.csv has no rows"),
        ("header.csv.gz", gzip.compress(b"when,n\n", mtime=0), "header.csv.gz has no rows"),
        ("rows.csv", b"when,n\n,1\n,2\n", "no row has a time"),
        ("rows.jsonl", b'{"when": null}\n{"when": null}\n', "no row has a time"),
        *(
            (f"{kind}.{kind}", TABLE.slice(0, rows).append_column("when", pa.nulls(rows, pa.date32())), said)
            for kind in ("parquet", "arrow")
            for rows, said in ((0, f"{kind}.{kind} has no rows"), (2, "no row has a time"))
        ),
    ],
)
def test_no_batches_are_made_of_a_file_without_rows_or_times(tmp_path, name, content, said):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(content, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
            writer.write_table(content)
    with pytest.raises(ProfileError, match=f"No batches can be made: {said}"):
        sw.profile_batches(path, "when")


PARQUET = pa.BufferOutputStream()
pyarrow.parquet.write_table(TABLE, PARQUET)
UNREADABLE = {
    "empty.csv": (b"", "is empty"),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n", r"row 1 \(line 3\) has 3 values, but the header 2: 1,2,3"),
    "short.csv": (
        ("a,b\n" + f"1,{WIDE}\n" * FAR + "1\n").encode(),
        rf"row {FAR} \(line {FAR + 2}\) has 1 value, but the header 2",
    ),
    "quote.csv": (b'a,b\n1,"x\n2,y\n3,z\n', r"row 0 \(line 2\) opens a quotation mark \(\"\) that is never closed"),
    "deep.jsonl": (b'{"a": 1}\n{"a": ' + b'["]", ' * 100_000, "Line 2 is nested too deeply"),
    "latin.csv": ("a,b\n1,café\n".encode("latin-1"), "not encoded as UTF-8"),
    "late-latin.csv": (("a,b\n" + f"1,{WIDE}\n" * FAR + "1,café\n").encode("latin-1"), "not encoded as UTF-8"),
    "latin-header.csv": ("café,b\n1,2\n".encode("latin-1"), "not encoded as UTF-8"),
    "broken.jsonl": (b'{"a": 1}\n{"a": 2\n{"a": 3}\n', "Line 2 is no JSON"),
    # pyarrow's parser ends the process where a block begins with null.
    "null.jsonl": (b"\xef\xbb\xbf null\n", "Line 1 is no JSON object"),
    "late-null.jsonl": (b'{"a": 1}\n' * FAR + b"null\n" * 1_000_000, f"Line {FAR + 1} is no JSON object"),
    "array.json": (b'[{"a": 1}]\n', "This is a JSON array"),
    "cut.parquet": (PARQUET.getvalue().to_pybytes()[:-9], "cannot be read .*Parquet"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_one_error_that_names_it_and_says_why(tmp_path, name):
    content, reason = UNREADABLE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ProfileError, match=rf"^{name}.*{reason}"):
        sw.profile(tmp_path / name)


# --- where it runs


def run(*arguments, **options):
    return subprocess.run([sys.executable, *map(str, arguments)], text=True, check=True, timeout=120, **options)


@pytest.mark.slow
def test_the_command_line_writes_a_profile_for_each_day(tmp_path):
    days = np.array(["2026-01-01T10", "2026-01-02T10", "2026-01-02T11", "2026-01-03T01"], "M8[ns]")
    pyarrow.parquet.write_table(TABLE.append_column("when", [days]), tmp_path / "trips.parquet")
    command = ("-W", "error", "-m", "songbird_widgets", "profile", "trips.parquet")
    assert run(*command, cwd=tmp_path, capture_output=True).stdout == "trips.bin\n"
    whole = sw.read_profile((tmp_path / "trips.bin").read_bytes())
    assert figures(whole) == figures(sw.profile(tmp_path / "trips.parquet"))
    done = run(*command, "--timestamp-column", "when", "--by", "day", cwd=tmp_path, capture_output=True)
    assert done.stdout.split() == [f"trips-2026-01-0{day}.bin" for day in (1, 2, 3)]
    rows = [sw.read_profile((tmp_path / name).read_bytes()).column("n").counts.n for name in done.stdout.split()]
    assert rows == [1, 2, 1]


@pytest.mark.slow
def test_the_progress_bar_appears_on_a_terminal_and_not_in_a_pipe(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("n,wide\n" + f"1,{WIDE}\n" * FAR, encoding="utf-8")
    program = (
        "import sys; from songbird_widgets.profiles.tabular import progress; progress.BAR_AFTER = 0;"
        "import songbird_widgets as sw; sw.profile(sys.argv[1])"
    )
    assert run("-c", program, path, stderr=subprocess.PIPE).stderr == ""
    terminal, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # a terminal without columns shows nothing
    run("-c", program, path, stderr=screen)
    os.set_blocking(terminal, False)
    assert b"long.csv" in os.read(terminal, 1 << 16)
    os.close(screen)
    os.close(terminal)


@pytest.mark.slow
def test_pandas_needs_no_pyarrow_and_a_file_says_that_it_does(tmp_path):
    (tmp_path / "data.csv").write_text("n\n1\n", encoding="utf-8")
    program = """
import sys
class NoArrow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoArrow())
import pandas as pd, songbird_widgets as sw
made = sw.profile(pd.DataFrame({"n": [1, 2], "city": ["Bonn", None]}))
print(made.column("n").ints_max, made.column("city").frequent_items.estimates)
try:
    sw.profile(sys.argv[1])
except sw.profiles.ProfileError as error:
    print(error)
"""
    shown = run("-c", program, tmp_path / "data.csv", stdout=subprocess.PIPE).stdout.splitlines()
    assert shown[0] == "2 {'Bonn': 1}"
    assert shown[1] == "data.csv (CSV) is read by way of Arrow, and pyarrow is not installed here: pip install pyarrow."


def test_nothing_is_warned_of_where_a_column_is_of_one_type(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("n,wide\n" + f"1,{WIDE}\n" * FAR + "2.5,\n", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sw.profile(path).column("n").kll.max == 2.5


def test_the_interpreter_ends_after_the_threads_that_read_ahead():
    program = """
import threading
from songbird_widgets.profiles.tabular.read_ahead import ReadAhead

class Endless(ReadAhead):
    def following(self, size):
        reading.set()
        return b"1"

def read():
    stream = Endless()
    while stream.read(1):
        pass
    print("at the end", flush=True)

reading = threading.Event()
threading.Thread(target=read, daemon=True).start()
reading.wait()
"""
    assert run("-c", program, stdout=subprocess.PIPE).stdout == "at the end\n"

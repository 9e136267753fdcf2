"""What can be given, and what becomes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import hashlib
import io
import itertools
import json
import os
import re
import sqlite3
import subprocess
import tarfile
import tracemalloc
import zipfile
from array import array
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest

import songbird_widgets as sw
from songbird_widgets.basics import as_timestamp
from songbird_widgets.profiles import (
    ProfileSource,
    SourceError,
    find_sources,
    profile,
    read_profile,
)

ROOT = Path(__file__).parents[2]


def one(source, **options):
    (found,) = find_sources(source, **options)
    return found


def reason(source, **options):
    found = one(source, **options)
    assert isinstance(found, SourceError)
    assert found.reason in str(found)
    return found.reason


@pytest.fixture
def july(profile_path):
    return profile_path("batch-2013-07-08.bin")


def test_a_path_becomes_a_batch_at_its_own_time(july):
    found = one(july)
    assert found == one(str(july))
    assert found.name == "batch-2013-07-08.bin"
    assert (found.kind, found.alias, found.dataset_timestamp) == ("batch", None, 1_373_241_600_000)
    assert (found.columns, found.rows, found.size) == (16, 1004, july.stat().st_size)
    assert found.sha256 == hashlib.sha256(july.read_bytes()).hexdigest()
    assert found.content == july.resolve()
    assert found.segment_tags == ()
    assert found.problem is None


def test_an_alias_makes_a_reference(july):
    assert (one(july, alias="train").kind, one(july, alias="train").alias) == ("reference", "train")
    assert one(july, kind="reference").alias == "batch-2013-07-08"
    assert one(july, kind="batch").alias is None
    assert one({"train": july}).alias == "train"
    assert one({"train": july}, kind="batch").alias is None
    assert one([{"train": july}]).alias == "train"
    assert str(one({"train": ["missing.bin"]})) == "train (missing.bin): There is no such file."


def test_contradictions_are_refused_before_anything_is_looked_at():
    with pytest.raises(ValueError, match="known by its timestamp"):
        find_sources("missing", alias="a", kind="batch")
    with pytest.raises(ValueError, match="'batch' or a 'reference'"):
        find_sources("missing", kind="other")
    with pytest.raises(ValueError, match="neither an ISO date nor milliseconds"):
        find_sources("missing", timestamp="yesterday")
    with pytest.raises(ValueError, match="looks like seconds"):
        find_sources("missing", timestamp=1_373_241_600)


@pytest.mark.parametrize(
    "moment",
    [
        1_373_241_600_000,
        dt.date(2013, 7, 8),
        dt.datetime.fromisoformat("2013-07-08"),  # what has no zone is UTC
        dt.datetime(2013, 7, 8, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        np.datetime64("2013-07-08"),
        np.int64(1_373_241_600_000),
        "2013-07-08",
        "2013-07-08T02:00+02:00",
        "1373241600000",
    ],
)
def test_timestamps(moment, july):
    assert sw.profile([{"n": 1}], timestamp=moment).dataset_timestamp == 1_373_241_600_000
    assert as_timestamp(moment) == 1_373_241_600_000
    assert one(july, timestamp=moment, alias="x").dataset_timestamp == 1_373_241_600_000


AFTER_ALL = dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-12)))  # of the year 10000 in UTC


@pytest.mark.parametrize(
    "moment",
    ["", "2013-13-01", True, np.True_, 1.5, b"2013-07-08", [0], np.arange(2), pd.NaT, 1_373_241_600, 10**30, AFTER_ALL],
)
def test_what_is_no_time_is_refused_in_words_by_all_who_take_one(moment, july):
    for take in (lambda: sw.profile([{"n": 1}], timestamp=moment), lambda: find_sources(july, timestamp=moment)):
        with pytest.raises(
            (TypeError, ValueError), match=r"imestamps? (is|are) milliseconds|no time|an ISO date|calendar"
        ):
            take()


def test_a_glob_is_every_file_in_order(july):
    found = list(find_sources(str(july.parent / "batch-*.bin")))
    assert [source.name for source in found] == [f"batch-2013-07-{day:02}.bin" for day in range(8, 15)]
    assert len({source.dataset_timestamp for source in found}) == 7


def test_an_alias_for_many_names_none(july):
    assert "One alias cannot name 7 profiles" in reason(str(july.parent / "batch-*.bin"), alias="train")


def test_a_name_with_glob_signs_may_be_a_file(july, tmp_path):
    (tmp_path / "a[1].bin").write_bytes(july.read_bytes())
    assert one(str(tmp_path / "a[1].bin")).name == "a[1].bin"


def test_bytes_and_files(july):
    content = july.read_bytes()
    for given in (content, bytearray(content), memoryview(content), io.BytesIO(content)):
        assert one(given).sha256 == hashlib.sha256(content).hexdigest()
        assert one(given if not isinstance(given, io.BytesIO) else io.BytesIO(content)).content == content
    with july.open("rb") as file:
        assert one(file).name == "batch-2013-07-08.bin"
    with july.open(encoding="latin-1") as file:
        assert "mode 'rb'" in reason(file)
    assert one({"today": content}).name == "today"


def test_lists_nest_and_a_bad_one_keeps_none_back(july, tmp_path):
    found = list(find_sources([july, [str(tmp_path / "missing.bin"), b"hello"], (july,), 7]))
    assert [type(source) for source in found] == [
        ProfileSource,
        SourceError,
        SourceError,
        ProfileSource,
        SourceError,
    ]


def test_what_is_wrong_is_said(tmp_path, july):
    (tmp_path / "cut.bin").write_bytes(july.read_bytes()[:-5000])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.bin").touch()
    assert "no such file" in reason(tmp_path / "missing.bin")
    assert "No file has a name like that" in reason(str(tmp_path / "*.profile"))
    assert "directory" in reason(tmp_path)
    assert "can be opened" in reason(f"{'x' * 5000}.csv")
    assert "path is empty" in reason("")
    assert str(tmp_path / "*.bin") in reason(str(tmp_path))
    assert "truncated" in reason(tmp_path / "cut.bin")
    assert "looks like text" in reason(tmp_path / "notes.txt")
    assert "`songbird-widgets profile`" in reason(b"hello")
    assert "empty" in reason(tmp_path / "empty.bin")
    assert "Addresses are not fetched" in reason("https://example.com/profile.bin?X-Amz-Signature=secret")
    assert "secret" not in str(one("https://example.com/profile.bin?X-Amz-Signature=secret"))
    assert "no such file" in reason("nul\0.bin")
    assert "whylogs result set" in reason(object())


@pytest.mark.parametrize(
    "wrong",
    ["https://example.com/a.csv?X=secret", "hf://data/a.csv", "file:///a.csv", f"{'x' * 5000}.csv", "a\0.csv", "", "."],
)
def test_a_path_is_refused_with_the_same_reason_by_all(wrong):
    with pytest.raises(sw.ProfileError) as refused:
        sw.profile(wrong)
    assert str(refused.value).endswith(reason(wrong))
    assert "secret" not in str(refused.value)


def test_a_path_may_be_an_object_or_begin_with_a_tilde_that_is_no_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~backup.csv").write_text("n\n1\n2\n")
    assert rows_and_columns("~backup.csv") == ("batch", 2, 1)
    (entry,) = os.scandir(tmp_path)
    assert rows_and_columns(entry) == ("batch", 2, 1)
    assert sw.profile(entry).rows == sw.profile("~backup.csv").rows == 2


def test_a_pipe_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("This system has no named pipes.")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in reason(tmp_path / "pipe")


def test_an_error_fits_a_line_whatever_the_name():
    text = str(one("missing\n" + "x" * 5000))
    assert len(text) < 400
    assert "\n" not in text


def test_a_profile_without_columns_is_taken_with_a_remark():
    found = one(b"WHY1\x00\x04\x0a\x02\x28\x07")
    assert (found.columns, found.rows, found.dataset_timestamp) == (0, None, 7)
    assert "no columns" in found.problem


# --- archives


def archive(members, method=zipfile.ZIP_DEFLATED):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return memory.getvalue()


def tarred(members):
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as made:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def test_an_archive_is_the_profiles_in_it(profile_path):
    found = list(find_sources(profile_path("edge-segments.zip")))
    values = ("x", "y", "z", "żółw", "日本")
    assert [source.segment_tags for source in found] == [(("cat", value),) for value in values]
    assert [source.alias for source in found] == [f"cat = {value}" for value in values]
    assert all(source.name.startswith("edge-segments.zip:profile_") for source in found)
    assert all(isinstance(source.content, bytes) for source in found)


def test_an_archive_of_bytes_skips_what_no_profile_would_be_called(july):
    content = july.read_bytes()
    packed = archive({"a/b.bin": content, "__MACOSX/b.bin": b"x", ".hidden.bin": b"x", "README.md": b"x"})
    assert one(packed, kind="reference").alias == "b"
    assert "no profile" in reason(archive({"README.md": b"x"}))
    assert "no profile" in reason(archive({}))


def test_damaged_and_odd_archives_are_refused_one_by_one(july):
    content = july.read_bytes()
    packed = archive({"bad.bin": b"hello", "good.bin": content})
    assert [type(source) for source in find_sources(packed)] == [SourceError, ProfileSource]
    assert "damaged" in reason(packed[:-30])
    spoilt = bytearray(archive({"a.bin": content}))
    spoilt[1000:1200] = bytes(200)
    assert "damaged here" in reason(bytes(spoilt))
    assert "rare method" in reason(archive({"a.bin": content}, zipfile.ZIP_LZMA))
    encrypted = bytearray(archive({"a.bin": content}))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    encrypted[6] |= 1
    assert "encrypted" in reason(bytes(encrypted))


@pytest.mark.slow
def test_a_bomb_is_left_alone(july):
    zeros = bytes(30 << 20)
    for bomb in (
        archive({"a.bin": zeros, "b.bin": zeros}),
        archive({"a": b"WHY1" + zeros, "b": b"WHY1" + zeros}),
        gzip.compress(b"WHY1" + zeros),
        gzip.compress(tarred({"a.bin": zeros})),
    ):
        assert len(bomb) < 1 << 17
        tracemalloc.start()
        assert "unpacks to more than" in reason(bomb)  # and the second member is not even tried
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40 << 20
    assert isinstance(one(archive({"a.bin": july.read_bytes()})), ProfileSource)


def test_what_is_no_profile_is_not_unpacked(july):
    packed = archive({"log.txt": bytes(100 << 20), "tmp0": july.read_bytes()})
    tracemalloc.start()
    assert one(packed).rows == 1004
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


def test_an_archive_of_very_many_members_is_not_listed():
    assert "more than 10,000 members" in reason(archive({f"{name}": b"" for name in range(10_001)}))


def test_an_archive_is_read_by_what_its_members_hold(july):
    content = july.read_bytes()
    old = (Path(__file__).parent / "data" / "version0" / "three.bin").read_bytes()
    members = {
        "exports/2013/tmp0001": content,
        "old.profile": old,
        "__MACOSX/exports/._tmp0001": b"WHY1",
        "exports/._tmp0001": b"WHY1",
        "notes": b"hello",
        "inner.zip": archive({"a.bin": content}),
    }
    for packed in (archive(members), tarred(members), gzip.compress(tarred(members))):
        found = list(find_sources(packed))
        assert [source.name for source in found] == [
            "bytes:exports/2013/tmp0001",
            *(f"bytes:old.profile#{number}" for number in (1, 2, 3)),
            "bytes:inner.zip",
        ]
        assert [source.rows for source in found[:4]] == [1004, 30, 30, 30]
        assert "archive in the archive" in found[4].reason
    assert one(gzip.compress(content)).rows == 1004


@pytest.mark.parametrize("cut", [100, 2000, 20_000])
def test_a_tar_or_gzip_that_is_cut_is_refused(july, cut):
    content = july.read_bytes()
    for packed in (tarred({"a.bin": content}), gzip.compress(content)):
        found = list(find_sources(packed[:-cut] if packed[:2] == b"\x1f\x8b" else packed[:cut]))
        assert found
        assert all(isinstance(source, SourceError) for source in found)


def test_what_stands_beside_a_zip_in_its_file_is_told_and_spoils_nothing(july):
    content = july.read_bytes()
    packed = archive({"a.bin": content})
    for given, told in ((archive({}) + packed, "Ahead of"), (packed * 2, "Ahead of"), (packed + b"more", "Behind")):
        problem, source = find_sources(given)
        assert told in problem.reason
        assert source.rows == 1004
    assert one(packed + bytes(512)).rows == 1004


def test_a_tar_without_the_mark_of_later_ones_is_read(july):
    packed = bytearray(tarred({"a.bin": july.read_bytes()}))
    packed[257:265] = bytes(8)
    packed[148:156] = b"%06o\0 " % (sum(packed[:148]) + 8 * ord(" ") + sum(packed[156:512]))
    assert one(bytes(packed)).rows == one(gzip.compress(packed)).rows == 1004


def test_an_iterator_without_end_is_refused():
    (problem,) = find_sources(itertools.count())
    assert problem.name == "10000 or more things, the first a int"


def test_a_gzip_file_in_parts_is_read_as_a_whole(july):
    content = july.read_bytes()
    assert one(gzip.compress(content[:500]) + gzip.compress(content[500:]) + bytes(512)).rows == one(content).rows
    packed = tarred({"a.bin": content, "b.bin": content})
    parts = [gzip.compress(packed[:9000]), gzip.compress(packed[9000:])]
    assert [source.name for source in find_sources(b"".join(parts))] == ["bytes:a.bin", "bytes:b.bin"]


def test_a_tar_that_ends_between_members_or_goes_on_behind_its_end_is_named(july):
    content = july.read_bytes()
    first = 512 + -(-len(content) // 512) * 512
    packed = tarred({"a.bin": content, "b.bin": content})
    for harmed, said in ((packed[:first], "truncated"), (packed + tarred({"c.bin": content}), "Behind the end")):
        *read, problem = find_sources(harmed)
        assert [source.name for source in read] == ["bytes:a.bin", "bytes:b.bin"][: 1 if said == "truncated" else 2]
        assert said in problem.reason


def test_a_large_file_that_is_no_profile_is_not_read(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.write(b"a,b\n1,2\n" * 10_000)
        file.truncate(1 << 30)
    tracemalloc.start()
    assert "looks like text" in reason(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


# --- data


def test_a_file_of_data_is_profiled_by_its_path_and_as_bytes(tmp_path):
    table = pa.table({"n": [1, 2, 3], "city": ["Bonn", "Oslo", None]})
    pyarrow.parquet.write_table(table, tmp_path / "trips.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "trips.feather")
    pyarrow.csv.write_csv(table, tmp_path / "trips.csv")
    (tmp_path / "trips.csv.gz").write_bytes(gzip.compress((tmp_path / "trips.csv").read_bytes()))
    (tmp_path / "trips.jsonl").write_text(
        '{"n": 1, "city": "Bonn"}\n{"n": 2, "city": "Oslo"}\n{"n": 3, "city": null}\n'
    )
    for path in tmp_path.iterdir():
        with path.open("rb") as file:
            sources = [one(path, alias="trips"), one(file, kind="reference")]
        if path.suffix in {".parquet", ".feather"}:  # these tell by themselves what they are
            sources.append(one(path.read_bytes(), alias="trips"))
        assert [(found.kind, found.alias, found.columns, found.rows) for found in sources] == [
            ("reference", "trips", 2, 3)
        ] * len(sources)
        assert read_profile(sources[1].content).column("n").ints_max == 3


def test_a_file_of_data_that_cannot_be_read_is_named_with_its_reason(tmp_path):
    path = tmp_path / "trips.csv"
    path.write_bytes(b"a,b\n1,2\n1,2,3\n")
    with path.open("rb") as file:
        for found in (one(path), one(file)):
            assert found.name == "trips.csv"
            assert found.reason == "row 1 (line 3) has 3 values, but the header 2: 1,2,3"


def test_a_damaged_file_is_named_once(tmp_path):
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    assert str(one(tmp_path / "cut.parquet")).count("cut.parquet") == 1


def rows_and_columns(source):
    found = one(source)
    return (found.kind, found.rows, found.columns)


FRAME = pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]})


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (FRAME, 2),
        (FRAME["a"], 1),
        (pl.from_pandas(FRAME), 2),
        (pl.from_pandas(FRAME).lazy(), 2),
        (pl.from_pandas(FRAME)["b"], 1),
        (pa.Table.from_pandas(FRAME), 2),
        (FRAME.to_dict("records"), 2),
        (FRAME.to_dict("list"), 2),
        ({"a": FRAME["a"], "b": FRAME["b"]}, 2),
        (FRAME.to_records(index=False), 2),
        (profile(FRAME), 2),
    ],
)
def test_data_of_any_library_are_profiled(data, columns):
    assert rows_and_columns(data) == ("batch", 3, columns)
    assert one({"train": data} if not isinstance(data, pd.Series | pl.Series) else [data]).rows == 3


def test_a_row_is_a_data_set_of_one_row():
    assert rows_and_columns({"city": "Oslo", "temperature": 7.5}) == ("batch", 1, 2)
    assert sw.profile({"city": "Oslo", "temperature": 7.5}).rows == 1


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: ({"n": place, "city": "Bonn"} for place in range(3)), id="rows one by one"),
        pytest.param(
            lambda: [{"n": 1, "more": {"tags": ["a"], "none": None}}, {"n": 2, "raw": b"x"}], id="nested rows"
        ),
        pytest.param(lambda: {"a": pa.array([1, 2]), "b": pa.chunked_array([[1.5], [2.5]])}, id="arrays of Arrow"),
        pytest.param(lambda: {"a": np.ones((2, 3)), "b": [[1, 2], [3]], "c": array("i", [1, 2])}, id="tensors"),
        pytest.param(lambda: {"a": [], "b": []}, id="columns without values"),
        pytest.param(lambda: {"when": pd.Series(pd.to_datetime(["2026-01-01", None]))}, id="times"),
        pytest.param(lambda: pa.array([{"a": 1}, {"a": 2}]), id="structs"),
        pytest.param(lambda: pyarrow.dataset.dataset(pa.table({"a": [1, 2]})).scanner(), id="scanner"),
        pytest.param(lambda: pd.Index([1, 2, 2], name="a"), id="index"),
    ],
)
def test_what_profile_takes_for_one_table_is_one_table_to_all(make):
    made, found = sw.profile(make()), one(make())
    read = read_profile(found.content)
    assert (read.column_names, read.rows) == (made.column_names, made.rows)
    for name in read.column_names:
        assert (read.column(name).types, read.column(name).counts) == (
            made.column(name).types,
            made.column(name).counts,
        )


def test_names_lead_to_frames_and_files_but_not_to_values(july):
    found = list(find_sources({"train": FRAME, "july": july, "days": [july, july]}))
    assert [(source.alias, source.rows) for source in found[:2]] == [("train", 3), ("july", 1004)]
    assert "One alias cannot name 2 profiles" in found[2].reason


def test_grouped_frames_of_polars_are_refused_once():
    assert "grouped" in reason(pl.from_pandas(FRAME).group_by("a"))


@pytest.mark.parametrize("data", [np.arange(6.0).reshape(2, 3), pa.array([1, 2])])
def test_arrays_that_are_no_table_are_refused_once(data):
    assert reason(data)


# --- things that are something else


@pytest.mark.parametrize("given", [[1.5, 2.5, 3.5], range(5), (None,), object()])
def test_what_holds_no_profile_is_refused_once(given):
    assert "give a path, bytes" in reason(given)


@pytest.mark.parametrize("given", [[[1, 2], [3, 4]], [(1, "a"), (2, "b")], zip([1, 2], "ab", strict=True)])
def test_rows_without_names_are_refused_once_and_no_text_in_them_is_taken_for_a_path(given):
    assert "rows without names" in reason(given)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: FRAME.groupby("b"), "grouped data frame"),
        (lambda: FRAME.rolling(2), "moving windows"),
        (lambda: FRAME.set_index(pd.date_range("2026", periods=3)).resample("D"), "grouped|windows"),
    ],
)
def test_what_is_nearly_a_table_is_refused_by_all_with_what_to_give(make, said):
    assert re.search(said, reason(make()))
    with pytest.raises(sw.ProfileError, match=said):
        sw.profile(make())


def test_a_cursor_is_refused_and_no_text_in_its_rows_is_taken_for_a_path():
    with closing(sqlite3.connect(":memory:")) as connection:
        for factory in (None, sqlite3.Row):
            connection.row_factory = factory
            cursor = connection.execute("SELECT 'x.bin' AS a, 1 AS b")
            assert "cursor of a database" in reason(cursor)
            with pytest.raises(sw.ProfileError, match="cursor of a database"):
                sw.profile(cursor)


class Named(NamedTuple):
    city: str
    n: int


@dataclasses.dataclass
class Data:
    city: str
    n: int


@pytest.mark.parametrize("kind", [Named, Data, sqlite3.Row])
def test_rows_that_name_their_columns_but_are_no_dicts_are_refused_by_all_with_what_makes_dicts_of_them(kind):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        rows = (
            connection.execute("SELECT 'x.bin' AS city, 1 AS n").fetchall()
            if kind is sqlite3.Row
            else [kind("x.bin", 1)]
        )
        assert "connection to a database: give a data frame" in reason(connection)
    (code,) = re.findall(r"give dicts, (\[.*\])\.", reason(rows))
    with pytest.raises(sw.ProfileError, match=re.escape(code)):
        sw.profile(rows)
    assert code in reason(iter(rows))
    if kind is Named:
        assert code in reason(rows[0])
    dicts = eval(code, {"it": rows, "dataclasses": dataclasses})  # noqa: S307 - what the refusal says to give
    assert sw.profile(dicts).column_names == ("city", "n")


@pytest.mark.parametrize("bad", [None, object(), b"junk", [1, 2], np.zeros(())], ids=lambda bad: type(bad).__name__)
def test_what_holds_no_profile_is_named_as_whoever_compares_it_calls_it(bad):
    with pytest.raises(SourceError, match=r"^today \("):
        sw.compare(train=FRAME, today=bad)
    with pytest.raises(SourceError, match=r"^P2 \("):
        sw.compare(FRAME, bad)


def test_a_list_that_holds_itself_is_refused():
    given = []
    given.append(given)
    assert isinstance(one(given), SourceError)


def test_a_path_may_be_read_directly(july):
    assert read_profile(str(july)).rows == read_profile(july).rows == read_profile(july.read_bytes()).rows
    with pytest.raises(FileNotFoundError):
        read_profile("missing.bin")


# --- whylogs


@pytest.fixture(scope="module")
def of_whylogs(whylogs_python, tmp_path_factory):
    """What is made of whylogs' own objects (see find_whylogs_sources.py)."""
    tmp_path = tmp_path_factory.mktemp("whylogs")
    script = Path(__file__).with_name("find_whylogs_sources.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "WHYLOGS_NO_ANALYTICS": "True"}
    command = [str(whylogs_python), str(script)]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_whylogs_objects_and_frames_are_taken(of_whylogs):
    found = of_whylogs
    plain = {"kind": "batch", "alias": None, "columns": 2, "rows": 3, "tags": [], "time": 1_691_712_000_000}
    for what in ("result set", "view", "profile"):
        assert found[what] == [plain], what
    assert found["alias"] == [plain | {"kind": "reference", "alias": "train"}]
    assert found["segment view"] == found["segmented"][:1]
    (frame,) = found["frame"]
    assert (frame["columns"], frame["rows"]) == (2, 3)


def test_a_named_result_set_keeps_its_name(of_whylogs):
    (named,) = of_whylogs["named"]
    assert (named["kind"], named["alias"]) == ("reference", "monday")
    (batch,) = of_whylogs["named batch"]
    assert (batch["kind"], batch["alias"]) == ("batch", None)


def test_segments_are_references_called_after_what_they_are_of(of_whylogs):
    def told(what):
        return [(item["kind"], item["alias"], item["tags"], item["rows"]) for item in of_whylogs[what]]

    assert told("segmented") == [("reference", "a = 1", [["a", "1"]], 1), ("reference", "a = 2", [["a", "2"]], 2)]
    assert [item["alias"] for item in of_whylogs["segments with an alias"]] == ["train (a = 1)", "train (a = 2)"]
    assert [item["alias"] for item in of_whylogs["segments as batches"]] == [None, None]
    assert [item["tags"] for item in of_whylogs["segments as batches"]] == [[["a", "1"]], [["a", "2"]]]
    assert sorted(item["alias"] for item in of_whylogs["segments both ways"]) == [
        *("a = 1", "a = 2", "b = x", "b = y", "b = z")
    ]


def test_a_result_set_that_was_merged_says_so(of_whylogs):
    ((merged,), (warning,)) = of_whylogs["merged"]
    assert merged["rows"] == 6
    assert "add them by name" in warning
    assert of_whylogs["not merged"][1] == []


def test_a_grouped_frame_is_refused_once_with_what_to_do(of_whylogs):
    for what in ("grouped", "grouped column"):
        (refused,) = of_whylogs[what]
        assert "grouped" in refused
        assert "for key, group in" in refused


def test_result_sets_keep_their_performance_metrics(of_whylogs):
    assert of_whylogs["classified"]["confusion_matrix"]["counts"] == [[1, 1], [0, 1]]
    assert of_whylogs["regressed"]["regression"]["mean_absolute_error"] == pytest.approx(2 / 3)
    assert of_whylogs["classified segments"] == [[["truth", "x"]], [["truth", "y"]]]


def test_what_whylogs_refuses_is_told_and_kept_apart(july):
    class View:
        __module__ = "whylogs.core.view"

        def serialize(self):
            raise RuntimeError("disk full")

    found = list(find_sources([View(), july]))
    assert found[0].reason == "whylogs cannot write it (disk full)."
    assert isinstance(found[1], ProfileSource)


def test_data_in_an_archive_are_profiled_beside_profiles(tmp_path):
    (tmp_path / "a.csv").write_text("n\n1\n2\n")
    (tmp_path / "broken.csv").write_text("n,m\n1\n")
    FRAME.to_parquet(tmp_path / "b.parquet")
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.csv", "b.parquet", "broken.csv"):
            archive.write(tmp_path / name, f"data/{name}")
        archive.writestr("metadata.json", "{}")
    found = list(find_sources(tmp_path / "all.zip"))
    assert [one.name for one in found] == ["all.zip:data/a.csv", "all.zip:data/b.parquet", "all.zip:data/broken.csv"]
    assert [one.rows for one in found[:2]] == [2, 3]
    assert found[2].reason == "row 0 (line 2) has 1 value, but the header 2: 1"


def test_what_could_not_be_profiled_is_noted_beside_the_profile(tmp_path):
    (tmp_path / "twice.csv").write_text("a,a,b\n1,2,3\n")
    (found,) = find_sources(tmp_path / "twice.csv")
    assert found.notes == (
        "Not in the profile: column 'a' (twice.csv: columns 0 and 1 have this one name, counted from 0: rename them).",
    )

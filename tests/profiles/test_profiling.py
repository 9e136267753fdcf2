"""Profiles made of data: the same figures whichever library holds it, saved and merged."""

from __future__ import annotations

import io
import pickle
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import songbird_widgets as sw
from songbird_widgets.profiles import ProfileError, ProfilingWarning, SourceError

ROWS = [
    {"count": 3, "price": 2.5, "city": "Bonn", "paid": True},
    {"count": None, "price": None, "city": None, "paid": False},
    {"count": -7, "price": 1e9, "city": "Bonn", "paid": True},
    {"count": 3, "price": -0.0, "city": "Žilina", "paid": True},
]


def figures(profile):
    """All that a profile says, as plain values."""
    return {name: column_figures(profile.column(name)) for name in profile.column_names}


def column_figures(column):
    kll, hll, items = column.kll, column.cardinality, column.frequent_items
    return {
        "counts": column.counts,
        "types": column.types,
        "bounds": (column.ints_min, column.ints_max),
        "moments": (column.mean, column.m2),
        "numbers": None if kll is None else (kll.n, kll.items.tolist(), kll.weights.tolist()),
        "distinct": None if hll is None else (hll.registers.tolist(), hll.estimate),
        "items": None if items is None else (items.estimates, items.offset, items.total),
    }


def nullable():
    return pd.DataFrame(ROWS).astype({"count": "Int64", "price": "Float64", "city": "string", "paid": "boolean"})


def record_array():
    kinds = [("count", "i4"), ("price", "f4"), ("city", "U8"), ("paid", "?")]
    return np.array([(3, 2.5, "Bonn", True), (-7, 1e9, "Bonn", True), (3, -0.0, "Žilina", True)], kinds)


@pytest.mark.parametrize(
    "data",
    [
        nullable(),
        pl.DataFrame(ROWS),
        pl.DataFrame(ROWS).lazy(),
        pa.Table.from_pylist(ROWS),
        pa.Table.from_pylist(ROWS).to_reader(max_chunksize=4),
        {name: [row[name] for row in ROWS] for name in ROWS[0]},
    ],
    ids=["pandas", "polars", "polars lazy", "arrow table", "arrow stream", "dict of lists"],
)
def test_every_library_gives_the_same_profile(data):
    assert figures(sw.profile(data)) == figures(sw.profile(ROWS))


def test_what_is_counted_of_rows():
    profile = sw.profile(ROWS, timestamp=1_700_000_000_000)
    count, price, city, paid = (profile.column(name) for name in ("count", "price", "city", "paid"))
    assert (profile.column_names, profile.dataset_timestamp) == (("city", "count", "paid", "price"), 1_700_000_000_000)
    assert (count.counts.n, count.counts.null, count.counts.nan, count.types.integral) == (4, 1, 1, 3)
    assert (count.ints_min, count.ints_max, count.kll.n) == (-7, 3, 3)
    assert (price.types.fractional, price.kll.max, price.frequent_items) == (3, 1e9, None)
    assert city.frequent_items.estimates == {"Bonn": 2, "Žilina": 1}
    assert (paid.counts.true, paid.types.boolean, paid.mean) == (3, 4, 0.75)


def test_a_record_array_is_profiled_by_its_dtypes():
    whole = [row for row in ROWS if row["city"]]
    assert figures(sw.profile(record_array())) == figures(sw.profile(whole))


def test_only_the_columns_asked_for_are_profiled():
    assert sw.profile(ROWS, columns=["paid", "city"]).column_names == ("city", "paid")
    with pytest.raises(ProfileError, match=r"no column of this name\. \(column 'town'"):
        sw.profile(ROWS, columns=["town"])


def test_a_saved_profile_is_read_again(tmp_path):
    profile = sw.profile(ROWS)
    profile.save(tmp_path / "rows.bin")
    assert figures(sw.read_profile((tmp_path / "rows.bin").read_bytes())) == figures(profile)
    assert list(tmp_path.iterdir()) == [tmp_path / "rows.bin"]


def test_saving_into_no_directory_names_the_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="no directory to write into") as refused:
        sw.profile([{"price": 1}]).save(tmp_path / "nowhere" / "day.bin")
    assert refused.value.filename == str(tmp_path / "nowhere")


def test_parts_merged_and_saved_equal_the_whole():
    parts = sw.merge_profiles([sw.profile(ROWS[:1]), sw.profile(ROWS[1:])])
    read = sw.read_profile(parts.to_bytes())
    whole = figures(sw.profile(ROWS))
    for name, found in figures(read).items():
        assert found["moments"] == pytest.approx(whole[name]["moments"], rel=1e-14, nan_ok=True)
        assert {**found, "moments": None} == {**whole[name], "moments": None}


def test_what_is_merged_may_be_whatever_is_compared(tmp_path):
    day = sw.profile({"n": [1, 2]})
    day.save(tmp_path / "day.bin")
    (tmp_path / "day.csv").write_text("n\n1\n2\n")
    content, frame = day.to_bytes(), pd.DataFrame({"n": [1, 2]})
    for one in (tmp_path / "day.bin", str(tmp_path / "day.csv"), content, frame):
        assert sw.merge_profiles([one]).column("n").counts.n == 2
        assert sw.merge_profiles(iter([day, one])).column("n").counts.n == 4
    assert sw.merge_profiles([io.BytesIO(content), day]).column("n").counts.n == 4


@pytest.mark.parametrize("one", [None, 5, "missing.bin", b"WHY1 cut off", object()])
def test_what_cannot_be_merged_is_refused_in_words(one):
    day = sw.profile({"n": [1, 2]})
    for several in ([one], [day, one]):
        with pytest.raises(ValueError, match=r"no such file|nothing that holds a profile|truncated"):
            sw.merge_profiles(several)
    for alone in (day, one, bytearray(day.to_bytes()), {"day": day}, pd.DataFrame({"n": [1]})):
        with pytest.raises(TypeError, match="takes a list of profiles"):
            sw.merge_profiles(alone)


def test_a_set_of_paths_is_merged(tmp_path):
    for place in range(3):
        sw.profile([{"n": place}]).save(tmp_path / f"{place}.bin")
    assert sw.merge_profiles({tmp_path / f"{place}.bin" for place in range(3)}).rows == 3


@pytest.mark.parametrize("wrong", [pd.DataFrame(ROWS), 5, io.BytesIO(b""), ROWS])
def test_what_is_no_profile_to_read_is_told_what_makes_one(wrong):
    with pytest.raises(TypeError, match=r"a path or bytes, not \w+: songbird_widgets.profile makes"):
        sw.read_profile(wrong)


def test_one_bad_column_does_not_cost_the_others():
    with pytest.warns(
        ProfilingWarning, match=r"column 'id' \(row 2 counted from 0: the integer 18446744073709551616 does not fit"
    ):
        profile = sw.profile({"id": [1, None, 2**64], "city": ["a", "b", "c"]})
    assert profile.column_names == ("city",)
    with pytest.raises(ProfileError, match=r"No column could be profiled: column 'id' \(row 0 counted from 0"):
        sw.profile({"id": [2**64]})


def test_a_batch_for_each_day():
    days = pd.date_range("2026-01-01T12:00", periods=4, freq="12h", tz="Europe/Berlin")
    frame = pd.DataFrame({"when": days, "n": [1, 2, 3, 4]})
    batches = sw.profile_batches(frame, "when")
    assert [np.datetime64(batch.dataset_timestamp, "ms").astype(str)[:10] for batch in batches] == [
        "2026-01-01",
        "2026-01-02",
    ]
    assert [(batch.column("n").ints_min, batch.column("n").ints_max) for batch in batches] == [(1, 2), (3, 4)]


TIMES = pa.table({"when": pa.array([None, None], pa.timestamp("us")), "n": [1, 2]})


@pytest.mark.parametrize(
    "of",
    [
        pa.Table.to_pandas,
        lambda table: table.to_pandas().assign(when=float("nan")),
        pl.from_arrow,
        lambda table: pl.from_arrow(table).lazy(),
        lambda table: table,
        lambda table: table.set_column(0, "when", pa.nulls(len(table))),
        lambda table: table.set_column(0, "when", pa.array([float("nan")] * len(table), pa.float64())),
        lambda table: table.to_reader(),
        lambda table: table.to_pydict(),
        lambda table: np.array([("NaT", 1)] * len(table), [("when", "M8[s]"), ("n", "i4")]),
    ],
    ids=["pandas", "nan", "polars", "lazy", "arrow", "null", "arrow nan", "reader", "dict", "records"],
)
@pytest.mark.parametrize(("rows", "said"), [(0, "the data have no rows"), (2, "no row has a time")])
def test_no_batches_are_made_of_no_rows_and_of_rows_without_times(of, rows, said):
    with pytest.raises(ProfileError, match=f"No batches can be made: {said}"):
        sw.profile_batches(of(TIMES[:rows]), "when")


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(pd.period_range("2026-01-01", periods=2), id="periods"),
        pytest.param(pl.Series(["2026-01-01", "2026-01-02"], dtype=pl.Categorical), id="categories of polars"),
        pytest.param(pd.Categorical(["2026-01-01", "2026-01-02"]), id="categories of pandas"),
        pytest.param(pa.array([1767225600, 1767312000], pa.timestamp("s", "Asia/Tokyo")), id="zones of Arrow"),
    ],
)
def test_times_are_taken_in_every_form(times):
    table = pl.DataFrame if isinstance(times, pl.Series) else pa.table if isinstance(times, pa.Array) else pd.DataFrame
    made = sw.profile_batches(table({"when": times, "n": [1, 2]}), "when")
    assert [batch.dataset_timestamp for batch in made] == [1767225600000, 1767312000000]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (pa.array([0, 1 << 62], pa.timestamp("s")), "row 1 .* beyond the years 1 to 9999"),
        (pa.array([0, 1 << 60], pa.timestamp("us")), "row 1 .* beyond the years 1 to 9999"),
        (pa.array([0, -(10**15)], pa.timestamp("ms")), "row 1 .* beyond the years 1 to 9999"),
        (pa.array([1767225600, 1767225601]), "numbers, not points in time: .*to_datetime"),
        (pa.array(["2026-01-01", "31.12.2026"]), r"row 1 .*'31\.12\.2026'.* text like 2026"),
    ],
)
def test_what_is_no_time_of_the_calendar_is_refused_and_never_becomes_another(times, said):
    with pytest.raises(ProfileError, match=said):
        sw.profile_batches(pa.table({"when": times, "n": [1, 2]}), "when")


def test_rows_without_a_time_are_counted_in_words():
    with pytest.warns(ProfilingWarning, match="1 row has no time in column 'when', and is in no batch"):
        sw.profile_batches({"when": ["2026-01-01", None]}, "when")


@pytest.mark.parametrize("make", [sw.profile, lambda data, columns: sw.profile_batches(data, "when", columns=columns)])
def test_columns_are_asked_for_by_a_list_of_their_names_and_a_wrong_one_is_told_what_may_be_meant(make):
    frame = pd.DataFrame({"when": ["2026-01-01"], "price": [1.5]}, index=pd.Index([7], name="order"))
    for wrong, error, said in (
        (["prise"], ProfileError, "no column of this name. Did you mean 'price'"),
        (["order"], ProfileError, r"It is the index: .*reset_index\(\)"),
        ([], ProfileError, "No column is named"),
        ("price", TypeError, r"takes a list of names, not a string: \['price'\]"),
        ([0], TypeError, "named by strings"),
    ):
        with pytest.raises(error, match=said):
            make(frame, columns=wrong)
    with pytest.raises(ProfileError, match=r"reset_index\(\)"):
        sw.profile_batches(frame, "order")
    with pytest.raises(TypeError, match="named by strings"):
        sw.profile_batches(frame, 0)


def test_a_profile_can_be_pickled_however_it_came_about(profile_path):
    made = sw.profile(ROWS)
    other = sw.read_profile(profile_path("batch-2013-07-08.bin"))
    for profile in (made, other, sw.merge_profiles([made, sw.profile(ROWS[1:])])):
        again = pickle.loads(pickle.dumps(profile))
        assert figures(again) == figures(profile)
        assert again.to_bytes() == profile.to_bytes()
    comparison = sw.compare(made, made)
    assert str(pickle.loads(pickle.dumps(comparison))) == str(comparison)


@pytest.mark.parametrize(
    "error", [SourceError("a.csv", "It is empty."), ProfileError("Damaged.", column="a", offset=3)]
)
def test_errors_can_be_pickled(error):
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_column_that_is_not_there_is_told_what_may_be_meant():
    profile = sw.profile(ROWS)
    for read in (profile.column, sw.compare(profile, profile).columns.__getitem__):
        with pytest.raises(KeyError, match=r"no column 'Citi'\. Did you mean 'city'"):
            read("Citi")
        with pytest.raises(KeyError, match=r"no column 'elsewhere'\.\"$"):
            read("elsewhere")


@pytest.mark.slow
def test_no_column_depends_on_what_else_imported_arrows_functions(tmp_path):
    prices = pa.array([Decimal("1.25"), None, Decimal("2.50")], pa.decimal128(9, 2))
    table = pa.table({f"{name}{number}": values for number in range(8) for name, values in (
        ("price", prices), ("sold", pa.array([True, False, None])),
    )})  # fmt: skip
    with pa.OSFile(str(tmp_path / "table.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    script = "import sys, songbird_widgets as sw; print(len(sw.profile(sys.argv[1]).column_names))"
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "table.arrow")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("16\n", 0), done.stderr


# --- columns and names that are like no other


def test_categories_of_polars_with_missing_ones_are_counted():
    values = ["a", None, "b", "a"]
    frame = pl.DataFrame(
        {"enum": pl.Series(values, dtype=pl.Enum(["z", "a", "b"])), "cat": pl.Series(values, dtype=pl.Categorical)}
    )
    made = sw.profile(frame)
    for name in ("enum", "cat"):
        column = made.column(name)
        assert (column.counts.n, column.counts.null, column.types.string) == (4, 1, 3)


def test_a_type_that_arrow_does_not_know_costs_no_other_column():
    frame = pl.DataFrame({"wide": pl.Series([1, None, 3], dtype=pl.Int128), "ok": [1.5, 2.5, None]})
    made = sw.profile(frame)
    assert (made.column("wide").types.integral, made.column("wide").counts.null) == (2, 1)
    with pytest.warns(UserWarning, match=r"column 'wide' \(row 1 counted from 0: the integer"):
        made = sw.profile(pl.DataFrame({"wide": pl.Series([1, 2**100], dtype=pl.Int128), "ok": [1, 2]}))
    assert made.column_names == ("ok",)


def test_masked_values_are_missing_ones():
    table = np.ma.array([(1, 2.5), (2, 3.5)], dtype=[("a", "i4"), ("b", "f8")], mask=[(True, False), (False, False)])
    counts = sw.profile(table).column("a").counts
    assert (counts.n, counts.null) == (2, 1)


def test_columns_that_cannot_be_told_apart_cost_no_other():
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=[1, "1", "\ud800", "ok"])
    with pytest.warns(ProfilingWarning) as seen:
        assert sw.profile(frame).column_names == ("ok",)
    assert [str(one.message) for one in seen] == [
        "Not in the profile: column '\\ud800' (its name holds half of a character (a lone surrogate)).",
        "Not in the profile: column '1' (columns 0 and 1 have this one name as text, counted from 0: rename them).",
    ]
    assert sw.profile(frame, columns=["ok"]).column_names == ("ok",)
    with pytest.raises(ProfileError, match=r"cannot be profiled: columns 0 and 1 have this one name.*column '1'"):
        sw.profile(frame, columns=["1"])


@pytest.mark.parametrize(
    "data",
    [pd.DataFrame(ROWS), pl.DataFrame(ROWS), ROWS, {"price": [1.5]}],
    ids=["pandas", "polars", "rows", "columns"],
)
def test_a_column_that_is_asked_for_twice_is_profiled_once(data):
    assert figures(sw.profile(data, columns=["price", "price"])) == figures(sw.profile(data, columns=["price"]))


@pytest.mark.parametrize(
    "data",
    [
        iter(pa.Table.from_pylist(ROWS).to_batches(max_chunksize=2)),
        [pd.DataFrame(ROWS[:2]), pl.DataFrame(ROWS[2:])],
        {name: pd.Series([row[name] for row in ROWS]) for name in ("price", "paid")},
        {name: pl.Series([row[name] for row in ROWS]) for name in ("count", "city")},
    ],
    ids=["batches", "frames", "series of pandas", "series of polars"],
)
def test_batches_frames_and_series_together_are_one_table(data):
    profile = sw.profile(data)
    whole = sw.profile(ROWS)
    for name in profile.column_names:
        assert (profile.column(name).counts.n, profile.column(name).counts.true) == (4, whole.column(name).counts.true)
        assert profile.column(name).counts.null == whole.column(name).counts.null


def test_strings_of_any_length_are_hashed_alike():
    texts = [letter * length for length in (1, 15, 16, 17, 40, 5_000) for letter in "ab"]
    alone = sw.merge_profiles([sw.profile({"text": [text] * 3}) for text in texts])
    together = sw.profile({"text": texts * 3})
    assert together.column("text").cardinality.registers.tolist() == alone.column("text").cardinality.registers.tolist()


def test_a_profile_shows_what_it_is_and_its_day():
    shown = repr(sw.profile({"n": [1]}, timestamp=1_767_225_600_000))
    assert re.fullmatch(r"<Profile: 1 column, \d+ bytes, data of 2026-01-01>", shown)


class Nameless:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "data",
    [
        pl.LazyFrame({"a": [1]}).select("b"),
        pd.DataFrame([[1]], columns=pd.Index([Nameless()], dtype=object)),
        [[1, 2]],
        np.zeros((), [("a", "i4")]),
        pd.DataFrame,
    ],
    ids=["failing query", "nameless", "lists", "scalar record", "class"],
)
def test_what_cannot_be_read_is_refused_in_words(data):
    with pytest.raises(ProfileError):
        sw.profile(data)


def test_a_merged_profile_does_not_claim_the_size_of_its_parts():
    days = [sw.profile({"n": list(range(500))}, timestamp=0) for _ in range(3)]
    assert "kB" in repr(days[0])
    assert repr(sw.merge_profiles(days)) == "<Profile: 1 column, data of 1970-01-01>"

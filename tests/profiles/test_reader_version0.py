"""Version 0 of the format against the figures of whylogs' own converter (see make_version0.py)."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from songbird_widgets.profiles import (
    KllSketch,
    Performance,
    ProfileError,
    column_statistics,
    merge_profiles,
    read_profile,
    split_profiles,
)

DATA = Path(__file__).parent / "data" / "version0"
NAMES = sorted(path.stem for path in DATA.glob("*.bin"))
RANKS = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0]
POINTS = [-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 100.0, 1000.0]


def content(name):
    return (DATA / f"{name}.bin").read_bytes()


@pytest.fixture(params=NAMES)
def pairs(request):
    """The profiles in a file, each with whylogs' figures for it."""
    figures = json.loads((DATA / f"{request.param}.json").read_text("utf-8"))
    return list(zip(map(read_profile, split_profiles(content(request.param))), figures, strict=True))


def test_there_are_twelve_files_of_both_writers():
    assert len(NAMES) == 12
    assert sum(name.startswith("new-") for name in NAMES) == 4


def test_what_is_said_of_the_whole_is_equal(pairs):
    for profile, figures in pairs:
        assert list(profile.column_names) == sorted(figures["columns"])
        for name in ("dataset_timestamp", "creation_timestamp", "tags", "metadata"):
            assert getattr(profile, name) == figures[name]
        assert profile.rows == max((column["n"] for column in figures["columns"].values()), default=None)


def test_counts_and_types_are_equal(pairs):
    for profile, figures in pairs:
        for name, expected in figures["columns"].items():
            column = profile.column(name)
            assert (column.counts.n, column.counts.null) == (expected["n"], expected["null"])
            assert column.counts.true == expected["true"]
            assert list(column.types[:4]) == expected["types"]
            bounds = None if column.ints_min is None else [column.ints_min, column.ints_max]
            assert bounds == expected["ints"]


def test_distributions_are_equal(pairs):
    for profile, figures in pairs:
        for name, expected in figures["columns"].items():
            column = profile.column(name)
            n, *rest = expected["kll"]
            assert column.kll.n == n
            assert column.mean == expected["mean"]
            assert column.stddev == pytest.approx(expected["stddev"], rel=1e-12)
            if n:
                assert column.kll.quantiles(RANKS).tolist() == rest[: len(RANKS)]
                assert column.kll.cdf(POINTS).tolist() == pytest.approx(rest[len(RANKS) : -1], abs=1e-12)
                assert column_statistics(column).median == rest[RANKS.index(0.5)]


def test_distinct_values_and_frequent_items_are_equal(pairs):
    for profile, figures in pairs:
        for name, expected in figures["columns"].items():
            column = profile.column(name)
            estimate, low, high = expected["card"]
            assert column.cardinality.estimate == pytest.approx(estimate, rel=1e-12)
            assert column.cardinality.bounds(1) == pytest.approx((low, high), rel=1e-8)
            found = [] if column.frequent_items is None else column.frequent_items.items
            kept = {(item.value, item.estimate, item.lower, item.upper) for item in found}
            assert kept >= {tuple(item) for item in expected["items"]}


def test_a_column_of_which_no_item_was_kept_does_not_say_that_there_were_none():
    assert read_profile(content("kinds")).column("normal").frequent_items is None
    assert read_profile(content("kinds")).column("word").frequent_items.lossless


def test_performance_is_shown_as_what_it_is(pairs):
    for profile, figures in pairs:
        confusion, regression = figures["confusion"], figures["regression"]
        if not confusion and not regression:
            assert profile.performance is None
            continue
        if confusion:
            assert list(profile.performance.confusion.labels) == confusion["labels"]
            assert profile.performance.confusion.counts.tolist() == confusion["counts"]
            assert profile.performance.confusion.total == sum(map(sum, confusion["counts"]))
        if regression:
            found = profile.performance.regression
            errors = (found.mean_absolute_error, found.mean_squared_error, found.root_mean_squared_error)
            assert found.count == regression["count"]
            assert errors == (regression["mae"], regression["mse"], regression["rmse"])


def test_the_names_of_a_models_columns_are_kept_where_they_were_written():
    confusion = read_profile(content("classification")).performance.confusion
    assert (confusion.target_field, confusion.prediction_field, confusion.score_field) == ("truth", "said", "score")
    right = sum(confusion.counts[i, i] for i in range(3))
    assert confusion.accuracy == right / 300
    assert confusion.precision("cat") == confusion.counts[0, 0] / sum(confusion.counts[0])
    assert confusion.recall("cat") == confusion.counts[0, 0] / sum(confusion.counts[:, 0])
    assert read_profile(content("new-regression")).performance.regression.target_field == ""


def test_merged_performance_adds_up_over_all_labels():
    cats, digits = read_profile(content("classification")), read_profile(content("new-digits"))
    regression = read_profile(content("regression"))
    merged = merge_profiles([cats, digits, regression, regression, cats]).performance
    assert merged.confusion.labels == ("0", "1", "2", "cat", "dog", "żółw")
    assert merged.confusion.counts[3:, 3:].tolist() == (2 * cats.performance.confusion.counts).tolist()
    assert merged.confusion.counts[:3, :3].tolist() == digits.performance.confusion.counts.tolist()
    assert merged.confusion.counts[:3, 3:].sum() == 0
    assert merged.regression.count == 600
    assert merged.regression.mean_absolute_error == regression.performance.regression.mean_absolute_error


def test_performance_that_counts_more_than_64_bits_hold_is_not_added_up():
    cats, regression = read_profile(content("classification")), read_profile(content("regression"))
    confusion = cats.performance.confusion
    many = replace(confusion, counts=confusion.counts + (1 << 59))
    assert merge_profiles([replace(cats, performance=Performance(many)), cats]).performance.confusion.total > 9 << 59
    for performance in (
        Performance(many),
        Performance(None, replace(regression.performance.regression, count=1 << 62)),
    ):
        with pytest.raises(ProfileError, match="more rows than there can be"):
            merge_profiles([replace(cats, performance=performance)] * 2)


@pytest.mark.parametrize(
    "name", ["new-classification", "new-regression", "new-segment", "classification", "regression"]
)
def test_a_merged_profile_with_performance_is_saved_and_read_again(name):
    merged = merge_profiles([read_profile(content(name))] * 2)
    again = read_profile(merged.to_bytes())
    assert again.performance.to_dict() == merged.performance.to_dict()
    assert (again.dataset_timestamp, again.segments) == (merged.dataset_timestamp, merged.segments)
    for column in map(merged.column, merged.column_names):
        read = again.column(column.name)
        assert (read.counts.n, read.counts.null, read.types) == (column.counts.n, column.counts.null, column.types)
        assert (read.ints_min, read.ints_max) == (column.ints_min, column.ints_max)
        if column.kll is not None:
            assert (read.kll.items.tolist(), read.mean, read.m2) == (column.kll.items.tolist(), column.mean, column.m2)
        if column.frequent_items is not None:
            assert read.frequent_items.estimates == column.frequent_items.estimates


def test_whylogs_reads_the_performance_of_a_merged_profile(whylogs_python, tmp_path):
    merge_profiles([read_profile(content("new-classification"))] * 2).save(tmp_path / "merged.bin")
    program = (
        "import sys; from whylogs.migration.converters import read_v0_to_view; view = read_v0_to_view(sys.argv[1]);"
        "cells = view.model_performance_metrics.confusion_matrix.confusion_matrix.values();"
        "print(sum(cell.n for cell in cells), len(view.get_columns()))"
    )
    command = [str(whylogs_python), "-W", "ignore", "-c", program, str(tmp_path / "merged.bin")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "800 8\n"


@pytest.mark.parametrize("name", ["segment", "new-segment"])
def test_a_segment_has_its_name(name):
    assert read_profile(content(name)).segments == (("city", "Oslo"),)
    assert read_profile(content(name)).segment == "city = Oslo"


def test_several_in_one_file_are_one_and_can_be_taken_apart():
    parts = split_profiles(content("three"))
    assert b"".join(parts) == content("three")
    assert [read_profile(part).rows for part in parts] == [30, 30, 30]
    assert len({read_profile(part).dataset_timestamp for part in parts}) == 3
    assert read_profile(content("three")).rows == 90
    assert read_profile(content("three")).size == len(content("three"))
    mixed = content("segment") + content("kinds")
    with pytest.raises(ProfileError, match="different segments"):
        read_profile(mixed)


@pytest.mark.parametrize(
    "order", ["1 kinds", "kinds 1", "1 bare", "bare 1", "bare kinds", "bare bare", "1 1 kinds bare 1", "kinds 1 kinds"]
)
def test_profiles_of_both_versions_in_one_file_are_each_read(profile_bytes, order):
    parts = [profile_bytes("edge-tiny.bin") if name == "1" else content(name) for name in order.split()]
    assert split_profiles(b"".join(parts)) == parts
    alone = [read_profile(part) for part in parts]
    together = read_profile(b"".join(parts))
    assert set(together.column_names) == {name for one in alone for name in one.column_names}
    for name in together.column_names:
        counts = [one.column(name).counts.n for one in alone if name in one.column_names]
        assert together.column(name).counts.n == sum(counts)


def test_what_trails_a_profile_of_version_1_hides_none_behind_it(profile_bytes):
    segment, one = profile_bytes("edge-segment.bin"), profile_bytes("edge-tiny.bin")
    assert split_profiles(segment + content("kinds")) == [segment, content("kinds")]
    assert split_profiles(one + bytes(4096) + one) == [one + bytes(4096), one]


def test_version_0_that_is_cut_or_mixed_is_refused():
    one = content("one-row")
    for end in range(100, len(one), 97):
        with pytest.raises(ProfileError, match="truncated"):
            read_profile(one[:end])
    with pytest.raises(ProfileError):
        read_profile(one + b"hello")
    with pytest.raises(ProfileError, match="corrupt"):
        read_profile(content("new-digits").replace(b"\x0a\x011", b"\x1a\x011", 1))  # a label fewer than the matrix has


def test_a_sketch_of_floats_that_holds_a_signalling_nan_is_refused():
    floats = struct.pack("<BBBBHBBQHBBI", 5, 1, 15, 0, 256, 8, 0, 1, 256, 1, 0, 255) + struct.pack(
        "<3I", *[0x7FA00001] * 3
    )
    with pytest.raises(ProfileError, match="NaN"):
        KllSketch.read_floats_or_doubles(floats)


@pytest.mark.parametrize("name", ["classification", "regression", "kinds"])
def test_performance_is_plain_data_for_json(name):
    performance = read_profile(content(name)).performance
    assert performance is None or json.loads(json.dumps(performance.to_dict())) == performance.to_dict()

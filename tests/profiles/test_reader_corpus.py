"""The reader and the merger against whylogs and Apache DataSketches, on profiles that whylogs makes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from songbird_widgets.profiles import merge_profiles, read_profile

RANKS = [0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0]
PROFILES = [
    *(f"kinds-{rows}" for rows in (1, 2, 9, 400, 3000, 60_000)),
    "rows-2000000",
    "columns-1",
    "columns-100",
    "names",
    "rows-0",
    "conditions",
    "unicode",
    "small-k",
]
MERGES = [
    "few",
    "list-into-array",
    "array-into-list",
    "two-sets",
    "arrays",
    "middle",
    "three",
    "full tables",
    "full small tables",
    "other columns",
    "overlapping",
    "unicode",
    "conditions",
]


def load(folder, name):
    figures = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return read_profile((folder / f"{name}.bin").read_bytes()), figures


def every_column(profile, figures):
    """Columns with their figures, the parts of compound metrics among them."""
    assert sorted(figures) == list(profile.column_names)
    for name, expected in figures.items():
        column = profile.column(name)
        assert column.name == name
        yield column, expected
        assert sorted(column.others) == sorted(expected.get("others", {}))
        for part, inner in expected.get("others", {}).items():
            yield column.others[part], inner


def check_counters(column, expected):
    assert column.counts._asdict() == expected.get("counts", column.counts._asdict())
    assert column.types._asdict() == expected.get("types", column.types._asdict())
    bounds = expected.get("ints")
    if bounds is None or bounds["max"] < bounds["min"]:  # whylogs begins so
        assert (column.ints_min, column.ints_max) == (None, None)
    else:
        assert (column.ints_min, column.ints_max) == (bounds["min"], bounds["max"])
    assert column.conditions == expected.get("condition_count", {})


def check_moments(column, expected):
    distribution = expected.get("distribution")
    if distribution is None:
        assert column.kll is None
        return
    assert column.kll.n == distribution["n"]
    np.testing.assert_equal(column.mean, distribution["mean"])
    np.testing.assert_equal(column.m2, distribution["m2"])
    np.testing.assert_equal(column.stddev, distribution["stddev"])
    if column.kll.n:
        assert (column.kll.min, column.kll.max) == (distribution["min"], distribution["max"])


def items_of(sketch_items):
    return sorted([item.value, item.estimate, item.lower, item.upper] for item in sketch_items)


@pytest.mark.parametrize("name", [*PROFILES, *(f"merged-{name}" for name in MERGES)])
def test_what_whylogs_wrote_is_read_as_whylogs_reads_it(corpus, name):
    profile, figures = load(corpus, name)
    for column, expected in every_column(profile, figures):
        check_counters(column, expected)
        check_moments(column, expected)
        distribution = expected.get("distribution", {"n": 0})
        if distribution["n"]:
            assert column.kll.quantiles(RANKS).tolist() == distribution["quantiles"]
            assert (column.kll.rank_error > 0) == distribution["estimation"]
        if "points" in distribution:
            for oracle in (distribution, distribution["apache"]):
                points = distribution["points"]
                np.testing.assert_allclose(column.kll.pmf(points), oracle["pmf"], rtol=0, atol=1e-12)
                np.testing.assert_allclose(column.kll.cdf(points), oracle["cdf"][:-1], rtol=0, atol=1e-12)
        if "frequent_items" in expected:
            items = expected["frequent_items"]
            for oracle in (items, items["apache"]):
                assert items_of(column.frequent_items.certain) == oracle["certain"]
                assert {tuple(item) for item in oracle["possible"]} <= {
                    tuple(item) for item in items_of(column.frequent_items.items)
                }
            assert column.frequent_items.total == items["total"]
            assert column.frequent_items.offset == items["apache"]["offset"]


@pytest.mark.parametrize("name", PROFILES)
def test_cardinalities_and_bounds_are_equal(corpus, name):
    profile, figures = load(corpus, name)
    for column, expected in every_column(profile, figures):
        if "cardinality" in expected:
            oracle = expected["cardinality"]
            assert column.cardinality.estimate == pytest.approx(oracle["estimate"], rel=1e-9)
            # Only the usual size has its measured error here; the others' is the asymptotic one.
            precision = 1e-7 if column.cardinality.lg_k == 12 else 0.02
            for deviations, bounds in oracle["bounds"].items():
                assert column.cardinality.bounds(int(deviations)) == pytest.approx(bounds, rel=precision)


@pytest.mark.parametrize("name", MERGES)
def test_cardinalities_of_merged_files_are_near(corpus, name):
    profile, figures = load(corpus, f"merged-{name}")
    for column, expected in every_column(profile, figures):
        if "cardinality" in expected:
            assert column.cardinality.estimate == pytest.approx(expected["cardinality"]["estimate"], rel=0.005)


@pytest.fixture(params=MERGES)
def merged(request, corpus):
    """Profiles merged here, and whylogs' figures for their merger."""
    parts = []
    while (path := corpus / f"merge-{request.param}-{len(parts)}.bin").exists():
        parts.append(read_profile(path.read_bytes()))
    return (
        merge_profiles(parts),
        json.loads((corpus / f"merged-{request.param}.json").read_text("utf-8")),
        parts,
    )


def test_merging_equals_whylogs_in_counters_and_moments(merged):
    profile, figures, _ = merged
    for column, expected in every_column(profile, figures):
        check_counters(column, expected)
        check_moments(column, expected)


def test_merging_equals_whylogs_in_cardinality(merged):
    profile, figures, _ = merged
    for column, expected in every_column(profile, figures):
        if "cardinality" in expected:
            assert column.cardinality.estimate == pytest.approx(expected["cardinality"]["estimate"], rel=0.01)


def test_merging_agrees_with_whylogs_on_the_bounds_of_frequent_items(merged):
    profile, figures, _ = merged
    for column, expected in every_column(profile, figures):
        if "frequent_items" not in expected:
            continue
        items, oracle = column.frequent_items, expected["frequent_items"]
        assert items.total == oracle["total"]
        if items.lossless and not oracle["apache"]["offset"]:
            assert items_of(items.certain) == oracle["certain"]
        known = {item.value: item for item in items.items}
        for value, _, lower, upper in oracle["possible"]:
            # Which rare items are dropped depends on their order; a count lies within the bounds of both.
            assert lower <= (known[value].upper if value in known else items.offset)
            assert value not in known or known[value].lower <= upper


def test_merging_equals_whylogs_in_quantiles_within_the_rank_error(merged):
    profile, figures, _ = merged
    for column, expected in every_column(profile, figures):
        distribution = expected.get("distribution", {"n": 0})
        if "points" not in distribution:
            continue
        assert int(column.kll.weights.sum()) == column.kll.n == distribution["n"]
        allowed = column.kll.rank_error + (2.296 / column.kll.k**0.9723 if distribution["estimation"] else 0)
        difference = np.abs(column.kll.cdf(distribution["points"]) - distribution["cdf"][:-1])
        assert difference.max() <= allowed + 1e-12
        if not allowed:
            assert column.kll.quantiles(RANKS).tolist() == distribution["quantiles"]


def test_a_file_of_a_segment_says_which(corpus):
    seen = set()
    for path in corpus.glob("segment-*.bin"):
        profile = read_profile(path.read_bytes())
        ((key, value),) = profile.segments
        assert key == "integer"
        assert profile.tags == {f"whylogs.tag.{key}": value}
        assert profile.column("integer").cardinality.estimate == pytest.approx(1, rel=1e-6)
        seen.add(value)
    assert seen == {"0", "1", "2"}


def test_headers_are_read(corpus):
    profile, _ = load(corpus, "kinds-400")
    assert profile.dataset_timestamp == 1_691_712_000_000
    assert profile.creation_timestamp > profile.dataset_timestamp
    assert profile.size == (corpus / "kinds-400.bin").stat().st_size
    assert profile.segments == ()
    assert read_profile((corpus / "segment-0.bin").read_bytes()).version == "1.6.4"


def test_the_merger_of_one_is_itself_and_of_none_an_error(corpus):
    profile, _ = load(corpus, "kinds-9")
    assert merge_profiles([profile]) is profile
    with pytest.raises(ValueError, match="no profile"):
        merge_profiles([])


def test_a_merger_asks_for_columns_by_name(corpus):
    profile, _ = load(corpus, "kinds-9")
    both = merge_profiles([profile, profile])
    assert both.column_names == profile.column_names
    assert both.column("integer").counts.n == 18
    assert math.isclose(both.column("normal").mean, profile.column("normal").mean)
    with pytest.raises(KeyError):
        both.column("none such")

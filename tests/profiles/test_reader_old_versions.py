"""Profiles of old versions of whylogs are read as these read them, and equal rows do not drift."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from songbird_widgets.profiles import compare_profiles, read_profile, summarize

from .conftest import DATA

FOLDER = DATA / "old_versions"
VERSIONS = ("1.0.14", "1.1.45", "1.3.32", "1.6.4")
RANKS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]


def read(version):
    return read_profile((FOLDER / f"{version}.bin").read_bytes())


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_profile_is_read_as_its_writer_reads_it(version):
    profile, columns = read(version), json.loads((FOLDER / f"{version}.json").read_text("utf-8"))
    assert list(profile.column_names) == sorted(columns)
    for name, expected in columns.items():
        column = profile.column(name)
        assert expected["counts"].items() <= column.counts._asdict().items()
        assert expected["types"].items() <= column.types._asdict().items()
        if "distribution" in expected:
            oracle = expected["distribution"]
            assert (column.kll.n, column.kll.min, column.kll.max) == (oracle["n"], oracle["min"], oracle["max"])
            assert (column.mean, column.stddev) == pytest.approx((oracle["mean"], oracle["stddev"]), rel=1e-12)
            assert column.kll.quantiles(RANKS).tolist() == oracle["quantiles"]
        if "cardinality" in expected:
            assert column.cardinality.estimate == pytest.approx(expected["cardinality"], rel=1e-9)
        if "frequent_items" in expected:
            assert sorted([item.value, item.estimate] for item in column.frequent_items.certain) == [
                list(item) for item in expected["frequent_items"]
            ]


@pytest.mark.parametrize("versions", list(permutations(VERSIONS, 2)), ids=str)
def test_the_same_rows_profiled_by_two_versions_are_no_drift(versions):
    comparison = compare_profiles([summarize(read(version)) for version in versions])
    verdicts = comparison.verdicts(1)
    assert verdicts.pop("boolean") == "unknown"  # the old ones keep nothing of booleans but their number
    assert verdicts == dict.fromkeys(verdicts, "none")

"""The reader against whylogs' own figures for the sample profiles."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from songbird_widgets.profiles import column_statistics, read_profile

DATA = Path(__file__).parent / "data"
NAMES = sorted(path.name.removesuffix(".whylogs.json") for path in DATA.glob("*.whylogs.json"))
# The ranks of the figures' quantiles.
RANKS = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1]


@pytest.fixture(params=NAMES)
def pair(request, profile_bytes):
    """A profile and whylogs' figures for it."""
    figures = json.loads((DATA / f"{request.param}.whylogs.json").read_text("utf-8"))
    return read_profile(profile_bytes(f"{request.param}.bin")), figures


def test_there_are_eleven_oracles():
    assert len(NAMES) == 11


def test_the_columns_are_whylogs_columns(pair):
    profile, figures = pair
    assert sorted(figures) == list(profile.column_names)


def test_counts_types_and_integer_bounds_are_equal(pair):
    profile, figures = pair
    for name, expected in figures.items():
        column = profile.column(name)
        assert column.counts._asdict() == expected["counts"]
        assert column.types._asdict() == expected["types"]
        bounds = expected.get("ints")
        if bounds is None or bounds[0] < bounds[1]:  # whylogs begins with max < min
            assert column.ints_max is None
            assert column.ints_min is None
        else:
            assert [column.ints_max, column.ints_min] == bounds


def test_distributions_are_equal(pair):
    profile, figures = pair
    for name, expected in figures.items():
        column = profile.column(name)
        distribution = expected.get("dist")
        if distribution is None:
            assert column.kll is None
            assert column.mean is None
            continue
        kll = column.kll
        assert kll.n == distribution["n"]
        assert column.mean == distribution["mean"]
        np.testing.assert_equal(column.stddev, distribution["stddev"])
        assert (kll.rank_error > 0) == distribution["est"]
        if not kll.n:
            assert math.isnan(kll.min)
            continue
        assert (kll.min, kll.max) == (distribution["min"], distribution["max"])
        assert kll.quantiles(RANKS).tolist() == distribution["q"]
        np.testing.assert_allclose(kll.pmf(distribution["sp"]), distribution["pmf"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(kll.cdf(distribution["sp"]), distribution["cdf"][:-1], rtol=0, atol=1e-12)
        assert kll.weights.sum() == kll.n


def test_cardinalities_and_their_bounds_are_equal(pair):
    profile, figures = pair
    for name, expected in figures.items():
        sketch = profile.column(name).cardinality
        if "card" not in expected:
            assert sketch is None
            continue
        estimate, low_1, high_1, low_2, high_2 = expected["card"]
        assert sketch.estimate == pytest.approx(estimate, rel=1e-12)
        assert sketch.bounds(1) == pytest.approx((low_1, high_1), rel=1e-8)
        assert sketch.bounds(2) == pytest.approx((low_2, high_2), rel=1e-8)
        assert (sketch.lower, sketch.upper) == sketch.bounds(2)


def test_frequent_items_are_equal(pair):
    profile, figures = pair
    for name, expected in figures.items():
        sketch = profile.column(name).frequent_items
        if "fi_nfp" not in expected:
            assert sketch is None
            continue
        certain = {(item.value, item.estimate, item.lower, item.upper) for item in sketch.certain}
        everything = {(item.value, item.estimate, item.lower, item.upper) for item in sketch.items}
        assert certain == {tuple(item) for item in expected["fi_nfp"]}
        # whylogs leaves out what may be rarer than the items it dropped; the sketch holds them all the same.
        assert everything >= {tuple(item) for item in expected["fi_nfn"]}
        assert [item.estimate for item in sketch.items] == sorted(
            (item.estimate for item in sketch.items), reverse=True
        )


def test_statistics_show_what_whylogs_counted(pair):
    profile, figures = pair
    for name, expected in figures.items():
        statistics = column_statistics(profile.column(name))
        assert statistics.count == expected["counts"]["n"]
        assert statistics.null_count == expected["counts"]["null"]
        distribution = expected.get("dist", {"n": 0})
        if distribution["n"]:
            assert statistics.median == distribution["q"][5]
            assert statistics.minimum == distribution["min"]
            assert statistics.maximum == distribution["max"]
            if math.isfinite(distribution["mean"]):
                assert statistics.mean == distribution["mean"]
        else:
            assert statistics.mean is statistics.median is statistics.minimum is None
            assert not statistics.quantiles

"""Profiles made here beside those that whylogs 1.6.4 makes of the same columns, and read by whylogs itself."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import songbird_widgets as sw
from songbird_widgets.profiles import KllSketch
from songbird_widgets.profiles.sketches.kll_builder import KllBuilder

CASES = runpy.run_path(str(Path(__file__).with_name("profiling_cases.py")))
SERIES = CASES["series"]()


@pytest.fixture(scope="module")
def oracle(profile_bytes):
    return sw.read_profile(profile_bytes("profiling-oracle.bin"))


def close(values):
    return pytest.approx(values, rel=1e-12, abs=0, nan_ok=True)


@pytest.mark.parametrize("name", sorted(SERIES))
def test_a_column_has_the_counts_numbers_and_values_that_whylogs_finds(name, oracle):
    mine, theirs = sw.profile(pd.DataFrame({name: SERIES[name]})).column(name), oracle.column(name)
    assert (mine.counts, mine.types) == (theirs.counts, theirs.types)
    assert (mine.ints_min, mine.ints_max) == (theirs.ints_min, theirs.ints_max)
    assert (mine.mean is None, mine.kll is None) == (theirs.mean is None, theirs.kll is None)
    if theirs.kll is not None:
        assert (mine.mean, mine.m2) == close((theirs.mean, theirs.m2))
        assert (mine.kll.n, mine.kll.min, mine.kll.max) == close((theirs.kll.n, theirs.kll.min, theirs.kll.max))
    if theirs.kll is not None and 0 < theirs.kll.n <= theirs.kll.k:
        assert mine.kll.items.tolist() == theirs.kll.items.tolist()
    assert (mine.cardinality is None, mine.frequent_items is None) == (
        theirs.cardinality is None,
        theirs.frequent_items is None,
    )
    if theirs.cardinality is not None:
        assert mine.cardinality.registers.tolist() == theirs.cardinality.registers.tolist()
        assert mine.cardinality.estimate == close(theirs.cardinality.estimate)
    if theirs.frequent_items is not None:
        assert mine.frequent_items.total == theirs.frequent_items.total
        if theirs.frequent_items.lossless:
            assert mine.frequent_items.estimates == theirs.frequent_items.estimates


@pytest.mark.parametrize("parts", [1, 7])
def test_frequent_items_beyond_what_is_kept_have_true_bounds(parts):
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.zipf(1.3, 30_000) % 100_000, rng.integers(0, 50_000, 30_000)])
    rng.shuffle(values)
    profiles = [sw.profile({"v": part}) for part in np.array_split(values, parts)]
    items = sw.merge_profiles(profiles).column("v").frequent_items
    truth = dict(zip(*(column.tolist() for column in np.unique(values, return_counts=True)), strict=True))
    assert 300 < len(items.values) <= 768
    assert items.total == len(values)
    assert all(item.lower <= truth[int(item.value)] <= item.upper for item in items.items)
    listed = {int(item.value) for item in items.items}
    assert max(count for value, count in truth.items() if value not in listed) <= items.offset
    assert items.offset <= 2 * len(values) / 768


@pytest.mark.slow  # simulates
def test_ranks_stay_within_the_promised_error_over_hundreds_of_sets():
    rng = np.random.default_rng(7)
    beyond = 0
    for turn in range(500):
        n = int(10 ** rng.uniform(0, 4.7))
        draws = (rng.normal(size=n), rng.integers(0, 40, n).astype(float), rng.pareto(1, n), np.arange(n, dtype=float))
        values = draws[turn % 4]
        builder = KllBuilder()
        for part in np.array_split(values, turn % 6 + 1):
            builder.add_sorted(np.sort(part))
        sketch = KllSketch.read(builder.to_bytes())
        assert (sketch.n, sketch.min, sketch.max) == (n, values.min(), values.max())
        points = np.unique(np.quantile(values, np.linspace(0.01, 0.99, 99)))
        truth = np.searchsorted(np.sort(values), points) / n
        beyond += np.abs(sketch.cdf(points) - truth).max() > 2.296 / 1024**0.9723
    assert beyond <= 5  # 99 % confidence


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.decimals(allow_nan=False),
    st.dates(),
    st.lists(st.integers(-5, 5), max_size=3),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SCALARS, max_size=30))
def test_whatever_a_column_holds_every_value_is_counted_once(values):
    column = sw.profile(pd.DataFrame({"c": pd.Series(values, dtype=object)})).column("c")
    assert column.counts.n == len(values)
    assert sum(column.types) + column.counts.null == len(values)
    numbers = column.types.integral + column.types.fractional + column.types.boolean
    assert column.kll.n == numbers
    assert column.frequent_items.total == numbers + column.types.string


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame(index=range(3)), pd.DataFrame({"a": [], "b": []})])
def test_nothing_is_profiled_as_nothing(frame):
    profile = sw.profile(frame)
    assert profile.column_names == tuple(frame.columns)
    assert all(profile.column(name).counts.n == 0 for name in profile.column_names)


@pytest.mark.slow
def test_thousands_of_columns_are_profiled():
    frame = pd.DataFrame(np.arange(8_000).reshape(2, 4_000))
    profile = sw.profile(frame)
    assert len(profile.column_names) == 4_000
    assert profile.column("3999").ints_max == 7_999


READ_BY_WHYLOGS = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd, whylogs as why
from whylogs.core import DatasetProfileView
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores
sys.path.insert(0, sys.argv[2])
from profiling_cases import series
mine = DatasetProfileView.read(sys.argv[1])
columns = {name: column for name, column in series().items() if name.startswith("many")}
theirs = why.log(pd.DataFrame(columns)).view()
merged = mine.merge(theirs)
summaries = {name: merged.get_column(name).to_summary_dict() for name in columns}
print(json.dumps({
    "n": {name: summary["counts/n"] for name, summary in summaries.items()},
    "distinct": {name: [summary["cardinality/est"], theirs.get_column(name).to_summary_dict()["cardinality/est"]]
                 for name, summary in summaries.items()},
    "rank": {name: theirs.get_column(name).get_metric("distribution").kll.value.get_rank(summary["distribution/median"])
             for name, summary in summaries.items() if summary.get("distribution/median") is not None},
    "drift": {name: None if score is None else score["pvalue"]
              for name, score in calculate_drift_scores(mine, theirs, with_thresholds=False).items()},
}))
"""


def test_whylogs_reads_merges_and_compares_what_was_made_here(whylogs_python, tmp_path):
    names = sorted(CASES["large"]())
    sw.profile(pd.DataFrame({name: SERIES[name] for name in names})).save(tmp_path / "mine.bin")
    command = [str(whylogs_python), "-c", READ_BY_WHYLOGS, str(tmp_path / "mine.bin"), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["n"] == dict.fromkeys(names, 10_000)
    for merged, theirs in found["distinct"].values():
        assert merged == pytest.approx(theirs, rel=0.05)
    # Sketches promise ranks, not values: the merged median lies near the middle of whylogs' own sketch.
    assert found["rank"]
    assert all(rank == pytest.approx(0.5, abs=0.05) for rank in found["rank"].values())
    # Of strings too many for a sketch, whylogs compares those that each sketch happened to keep.
    scores = {name: score for name, score in found["drift"].items() if name != "many strings"}
    assert len(scores) == len(names) - 1
    assert all(score > 0.9 for score in scores.values())


def test_every_column_has_an_oracle(oracle):
    assert set(SERIES) == set(oracle.column_names)

"""Profiles of Dask and Spark data frames, made where the partitions lie, beside those of the whole in one piece."""

from __future__ import annotations

import importlib
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

import songbird_widgets as sw
from songbird_widgets.profiles import ProfileError, ProfilingWarning

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # engines take their time to start
ROWS, PARTITIONS = 10_000, 5
CITIES = np.array(["Bonn", "Oslo", "Žilina", None], object)


def engine(name):
    """Import an engine. Without it a test is skipped, on a continuous integration server it fails."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("The engines are not installed: pip install -e '.[engines]'.")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "price": np.where(rng.random(ROWS) < 0.1, np.nan, rng.pareto(2, ROWS)),
            "stock": rng.integers(0, 20_000, ROWS),
            "city": pd.Series(CITIES[rng.integers(0, 4, ROWS)], dtype="str"),
            "paid": rng.random(ROWS) < 0.3,
        }
    )


@pytest.fixture(scope="module")
def dask_client():
    """Two workers, each a process of its own."""
    distributed = engine("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def spark():
    """A local session of one core, whose Python then starts once; skipped where Java is missing, but not in CI."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        message = "Spark needs Java: install default-jre-headless or another one"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    sql = engine("pyspark.sql")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        sql.SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.memory", "1g")
        # To compile what runs once takes most of the time.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    yield session
    session.stop()


def agree(found, whole):
    """Exact figures equal those of the whole; sketches stay within their error."""
    assert found.column_names == whole.column_names
    for name in whole.column_names:
        one, other = found.column(name), whole.column(name)
        assert (one.counts, one.types, one.ints_min, one.ints_max) == (
            other.counts,
            other.types,
            other.ints_min,
            other.ints_max,
        )
        assert (one.mean, one.m2) == pytest.approx((other.mean, other.m2), rel=1e-12)
        assert one.cardinality.registers.tolist() == other.cardinality.registers.tolist()
        if other.frequent_items is not None:
            items, truth = one.frequent_items, other.frequent_items
            assert items.total == truth.total
            if truth.lossless:
                assert items.estimates == truth.estimates
        if other.kll.n:
            assert (one.kll.n, one.kll.min, one.kll.max) == (other.kll.n, other.kll.min, other.kll.max)
            points = other.kll.quantiles([0.05, 0.25, 0.5, 0.75, 0.95])
            apart = np.abs(one.kll.cdf(points) - other.kll.cdf(points)).max()
            assert apart <= one.kll.rank_error + other.kll.rank_error


@pytest.mark.usefixtures("dask_client")
def test_dask_workers_profile_their_partitions(frame):
    data = engine("dask.dataframe").from_pandas(frame, npartitions=PARTITIONS)
    agree(sw.profile(data), sw.profile(frame))
    assert sw.profile(data, columns=["city"], timestamp=5).dataset_timestamp == 5
    with pytest.raises(ProfileError, match="no column of this name"):
        sw.profile(data, columns=["town"])


def test_batches_of_a_dask_frame_are_refused_with_what_to_do():
    data = engine("dask.dataframe").from_pandas(pd.DataFrame({"when": ["2026-01-01"]}), npartitions=1)
    with pytest.raises(ProfileError, match="profile each of its days by itself"):
        sw.profile_batches(data, "when")


@pytest.mark.usefixtures("dask_client")
def test_a_column_that_fails_in_one_partition_of_dask_is_named():
    data = engine("dask.dataframe").from_pandas(
        pd.DataFrame({"id": np.array([1, 2, 2**64 - 1], "u8"), "n": [1, 2, 3]}), npartitions=3
    )
    with pytest.warns(
        ProfilingWarning, match=r"column 'id' \(partition 2, row 0 counted from 0: the integer 18446744073709551615"
    ):
        profile = sw.profile(data)
    assert (profile.column_names, profile.column("n").ints_max) == (("n",), 3)


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_spark_executors_profile_their_partitions(frame, spark):
    frame = frame.head(2_000)
    rows = frame.astype(object).where(frame.notna(), None)
    schema = "price double, stock long, city string, paid boolean"
    data = spark.createDataFrame(rows.to_numpy().tolist(), schema).repartition(2)
    agree(sw.profile(data), sw.profile(frame))
    empty = sw.profile(data.where("stock < 0"), columns=["stock", "city"])
    assert (empty.column_names, empty.column("stock").counts.n) == (("city", "stock"), 0)

"""How fast profiles are made, beside whylogs' and beside polars' own look at the same frame.

    python tests/benchmarks/profiling_speed.py [--tiny] [--case CASE] [--memory FOLDER]

`SONGBIRD_TEST_WHYLOGS_PYTHON` names an interpreter with whylogs 1.6.4, which makes the same data from the same seed.
Every figure is the least of some rounds; what is compared runs in turns, so that other work on the machine meets all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()


def mixed(rows):
    """12 columns: floats, integers of 100 to 100,000 values, strings of 10 to 1,000, booleans, some with nulls."""
    rng = np.random.default_rng(12)
    words = np.array([f"category {place}" for place in range(1000)], object)
    with_nulls = words[rng.integers(0, 200, rows)]
    with_nulls[rng.random(rows) < 0.05] = None
    return {
        "normal": rng.normal(size=rows),
        "pareto": rng.pareto(1.5, rows),
        "gaps": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(size=rows)),
        "cents": np.round(rng.exponential(50, rows), 2),
        "hundred": rng.integers(0, 100, rows),
        "thousands": rng.integers(-5_000, 5_000, rows),
        "many": rng.integers(0, 100_000, rows),
        "ten words": words[rng.integers(0, 10, rows)],
        "hundred words": words[rng.integers(0, 100, rows)],
        "thousand words": words[rng.integers(0, 1000, rows)],
        "some words": with_nulls,
        "flag": rng.random(rows) < 0.3,
    }


def wide(rows, columns):
    """Floats and integers by turns."""
    rng = np.random.default_rng(5)
    return {
        f"c{place}": rng.normal(size=rows) if place % 2 else rng.integers(0, 50 * (place + 1), rows)
        for place in range(columns)
    }


def texts(rows):
    """Strings of half as many values as rows."""
    rng = np.random.default_rng(6)
    return {"text": np.array([f"user-{value:06d}" for value in rng.integers(0, rows // 2, rows)], object)}


CASES = {
    "mixed": lambda tiny: mixed(2_000 if tiny else 200_000),
    "wide": lambda tiny: wide(200 if tiny else 20_000, 20 if tiny else 1000),
    "texts": lambda tiny: texts(2_000 if tiny else 200_000),
}


def once(what, case, tiny):
    """Seconds and CPU seconds that one way takes for one case, best of the rounds, in a process of its own."""
    python = os.environ["SONGBIRD_TEST_WHYLOGS_PYTHON"] if what == "whylogs" else sys.executable
    command = [python, str(HERE), "--child", what, case, *(["--tiny"] if tiny else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def child(what, case, tiny):
    import pandas as pd

    data = CASES[case](tiny)
    if what == "whylogs":
        import logging

        import whylogs as why

        logging.disable(logging.CRITICAL)
        frame = pd.DataFrame(data)
        run, rounds = lambda: why.log(frame).view().serialize(), 1
    elif what == "polars":
        import polars as pl

        frame = pl.DataFrame({name: pl.Series(name, column.tolist()) for name, column in data.items()})

        def run():
            frame.describe()
            for name in frame.columns:
                frame[name].value_counts()

        rounds = 5
    else:
        if what == "ours on one core":
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        sys.path.insert(0, str(HERE.parents[2]))
        from songbird_widgets.profiles import profile

        frame = pd.DataFrame(data)
        if what == "ours on polars":
            import polars as pl

            frame = pl.DataFrame({name: pl.Series(name, column.tolist()) for name, column in data.items()})
        run, rounds = lambda: profile(frame).to_bytes(), 5
        profile({"warm": [1.5, "a"]})
    best = (float("inf"), float("inf"))
    for _ in range(1 if tiny or (what == "polars" and case == "wide") else rounds):  # polars takes minutes there
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        best = min(best[0], time.perf_counter() - wall), min(best[1], time.process_time() - cpu)
    print(json.dumps(best))


def memory(folder, rows, groups):
    """Peak memory in MB of profiling Parquet files of growing size."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for count in groups:
        path = folder / f"{count}.parquet"
        data = mixed(rows)
        table = pa.table({name: pa.array(column, from_pandas=True) for name, column in data.items()})
        with pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False) as writer:
            for _ in range(count):
                writer.write_table(table)
        code = (
            "import resource, sys, time; from songbird_widgets.profiles import profile; start = time.perf_counter();"
            "profile(sys.argv[1]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,"
            " time.perf_counter() - start)"
        )
        environment = os.environ | {"PYTHONPATH": str(HERE.parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env=environment
        )
        peak, seconds = done.stdout.split()
        size = path.stat().st_size
        print(f"{size / 1e6:10,.0f} MB of Parquet   {peak:>6} MB at most   {float(seconds):7.1f} s", flush=True)
        path.unlink()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true", help="see that it runs; the figures say nothing")
    parser.add_argument("--memory", metavar="FOLDER", help="measure memory with files of up to 10 GB in this folder")
    parser.add_argument("--case", action="append", choices=list(CASES), help="this only; may be repeated")
    parser.add_argument("--child", nargs=2)
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.tiny)
        return
    if options.memory:
        memory(Path(options.memory), 2_000 if options.tiny else 500_000, (1, 2) if options.tiny else (1, 10, 140))
        return
    ways = ["ours", "ours on one core", "ours on polars", "polars"]
    if not hasattr(os, "sched_setaffinity"):
        ways.remove("ours on one core")
    if "SONGBIRD_TEST_WHYLOGS_PYTHON" in os.environ:
        ways.append("whylogs")
    for case in options.case or CASES:
        if options.tiny and case != "mixed":
            CASES[case](True)  # each way has run once
            continue
        found = {what: once(what, case, options.tiny) for what in ways}
        ours = found["ours"]
        for what, (wall, cpu) in found.items():
            times = f"{wall * 1e3:9.0f} ms   {cpu * 1e3:9.0f} ms CPU"
            print(f"{case:6} {what:16} {times}   {wall / ours[0]:6.1f} x wall {cpu / ours[1]:6.1f} x CPU", flush=True)


if __name__ == "__main__":
    main()

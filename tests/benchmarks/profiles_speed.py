"""How fast profiles are read and compared here and by whylogs, in one run.

    python tests/benchmarks/profiles_speed.py PYTHON [FOLDER]
    python tests/benchmarks/profiles_speed.py --tiny

PYTHON is that of an environment with ``whylogs[viz]==1.6.4``, ``numpy<2``, ``pandas<3`` and ``scipy``.
whylogs makes two profiles of 1,000 columns and 20,000 rows (kept in FOLDER), and then both sides take turns
on them. Each figure is the best of several tries; the ratios are what counts, because both sides bear the
same load. --tiny only sees that our side runs, on two of the shipped profiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
ROUNDS = 4
GOALS = {"read whole": 8, "header and 50 columns": 50, "drift": 10}

# Run by whylogs' Python: no name of this project in it.
MAKE = """
import sys
import numpy as np
import pandas as pd
from whylogs.core import DatasetProfile

LEVELS = np.array([f"level {i}" for i in range(12)])

def column(random, i, seed, rows):
    kind = i % 10
    if kind < 4:
        return random.normal(i, 1 + 0.3 * seed * (i % 3 == 0), rows)
    if kind < 6:
        return random.integers(0, 50 if kind == 4 else 100_000, rows)
    if kind < 8:
        return LEVELS[random.integers(0, 12 - 3 * (seed * i % 4 == 2), rows)]
    if kind == 8:
        return np.char.add("customer ", random.integers(0, 10**6, rows).astype(str))
    return random.random(rows) < 0.3

for seed in (0, 1):
    random = np.random.default_rng(seed)
    profile = DatasetProfile()
    profile.track(pandas=pd.DataFrame({f"column {i:04}": column(random, i, seed, 20_000) for i in range(1000)}))
    open(f"{sys.argv[1]}/{seed}.bin", "wb").write(profile.view().serialize())
"""
WHYLOGS = """
import json, logging, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from whylogs.core import DatasetProfileView
from whylogs.viz import NotebookProfileVisualizer
first, second = (open(f"{sys.argv[1]}/{seed}.bin", "rb").read() for seed in (0, 1))
def read(): return DatasetProfileView.deserialize(first)
def drift():
    view = NotebookProfileVisualizer()
    view.set_profiles(
        target_profile_view=DatasetProfileView.deserialize(second),
        reference_profile_view=DatasetProfileView.deserialize(first),
    )
    return view.summary_drift_report()
took = {}
for name, work in (("read", read), ("drift", drift)):
    before = time.perf_counter()
    work()
    took[name] = time.perf_counter() - before
print(json.dumps(took))
"""


def timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def ours(first: bytes, second: bytes) -> dict[str, float]:
    from songbird_widgets.profiles import column_statistics, compare_profiles, read_profile, summarize

    def read(count: int | None = None) -> list[object]:
        profile = read_profile(first)
        return [profile.column(name) for name in profile.column_names[:count]]

    def statistics_of_all() -> list[object]:
        profile = read_profile(first)
        return [column_statistics(profile.column(name)) for name in profile.column_names]

    sides = [summarize(read_profile(content)) for content in (first, second, second)]

    def verdicts_of_three() -> object:
        return compare_profiles(sides).counts

    def drifts() -> object:
        comparison = compare_profiles([read_profile(first), read_profile(second)])
        return [comparison.drift(name) for name in comparison.names]

    return {
        "header": timed(lambda: read_profile(first)),
        "fifty": timed(lambda: read(50)),
        "read": timed(read),
        "statistics": timed(statistics_of_all),
        "summarize": timed(lambda: summarize(read_profile(first))),
        "verdicts": timed(verdicts_of_three),
        "drift": timed(drifts),
    }


def main(python: str, folder: Path) -> None:
    if not (folder / "1.bin").exists():
        subprocess.run([python, "-c", MAKE, str(folder)], check=True, capture_output=True)
    first, second = ((folder / f"{seed}.bin").read_bytes() for seed in (0, 1))
    print(f"two profiles of 1,000 columns, {len(first) / 1e6:.1f} and {len(second) / 1e6:.1f} MB")
    here: list[dict[str, float]] = []
    there: list[dict[str, float]] = []
    for _ in range(ROUNDS):  # in turns, so that both meet the same load
        here += [ours(first, second) for _ in range(3)]
        command = [python, "-c", WHYLOGS, str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        there.append(json.loads(done.stdout.splitlines()[-1]))
    best = {name: min(took[name] for took in here) for name in here[0]}
    middle = {name: statistics.median(took[name] for took in here) for name in here[0]}
    slow = {name: min(took[name] for took in there) for name in there[0]}
    for name, took in best.items():
        print(f"{name:12} here    {took * 1e3:8.1f} ms (median {middle[name] * 1e3:.1f})")
    for name, took in slow.items():
        print(f"{name:12} whylogs {took * 1e3:8.1f} ms")
    ratios = {
        "read whole": slow["read"] / best["read"],
        "header and 50 columns": slow["read"] / best["fifty"],
        "drift": slow["drift"] / best["drift"],
    }
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} times faster (goal: {GOALS[name]})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="?")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    given = parser.parse_args()
    if given.tiny:
        flights = [(ROOT / "examples" / "profiles" / f"batch-2013-07-{day}.bin").read_bytes() for day in ("08", "09")]
        print(ours(*flights))
    elif not given.python:
        parser.error("PYTHON is needed")
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(given.python, given.folder or Path(temporary))

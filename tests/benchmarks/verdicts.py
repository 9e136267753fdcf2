"""How often verdicts are wrong: false alarms and misses on pairs of columns whose truth is known.

    python tests/benchmarks/verdicts.py [--runs N] [--evidently PYTHON] [--whylogs PYTHON] [--tiny]

Three tables. *Equal*: how many of N equal pairs of each distribution and size are said to drift (goal: at most 0.3 %),
each pair as a comparison of its own. *Drifted*: how many of N pairs that differ are found. *Others*: the same raw
columns given to Evidently and whylogs, with their defaults, by the Pythons of environments that have them:

    uv venv -p 3.11 evidently && uv pip install -p evidently/bin/python evidently "pandas<3"
    uv venv -p 3.11 whylogs && uv pip install -p whylogs/bin/python "whylogs[viz]==1.6.4" "numpy<2" "pandas<3"

The script ends with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from songbird_widgets.profiles import compare_columns, profile

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, int], np.ndarray]

MAX_FALSE = 0.003
MIN_FOUND = 0.95
SIZES = ((30, 30), (30, 1000), (1000, 30), (100, 100), (1000, 1000))


def of(values: object, shares: object | None = None) -> Draw:
    array = np.asarray(values)
    weights = None if shares is None else np.asarray(shares) / np.sum(shares)
    return lambda random, n: array[random.choice(len(array), n, p=weights)]


def some(share: float, these: Draw, those: Draw) -> Draw:
    return lambda random, n: np.where(random.random(n) < share, these(random, n), those(random, n))


def times(factor: float, draw: Draw) -> Draw:
    return lambda random, n: factor * draw(random, n)


def always(value: float) -> Draw:
    return lambda _, n: np.full(n, value)


def normal(mean: float = 0.0, sd: float = 1.0) -> Draw:
    return lambda random, n: random.normal(mean, sd, n)


def amounts(random: np.random.Generator, n: int) -> np.ndarray:
    return np.round(random.lognormal(3, 1, n), 2)


def ages(random: np.random.Generator, n: int) -> np.ndarray:
    return np.clip(random.normal(40, 15, n), 0, 99).astype(int)


EQUAL: dict[str, Draw] = {
    "normal": normal(),
    "uniform": lambda random, n: random.random(n),
    "exponential": lambda random, n: random.exponential(size=n),
    "lognormal": lambda random, n: random.lognormal(size=n),
    "lognormal, sigma 2": lambda random, n: random.lognormal(0, 2, n),
    "Pareto 1.5": lambda random, n: random.pareto(1.5, n),
    "Cauchy": lambda random, n: random.standard_cauchy(n),
    "Student's t, 2": lambda random, n: random.standard_t(2, n),
    "Poisson 0.1": lambda random, n: random.poisson(0.1, n),
    "Poisson 1": lambda random, n: random.poisson(1, n),
    "Poisson 5": lambda random, n: random.poisson(5, n),
    "Poisson 100": lambda random, n: random.poisson(100, n),
    "ages": ages,
    "amounts": amounts,
    "prices": of([0.99, 1.99, 4.99, 9.99, 19.99, 49.99], [6, 5, 4, 3, 1.4, 0.6]),
    "hours": of(np.arange(24), 1 + np.sin(np.arange(24) * np.pi / 12) ** 2),
    "ties": lambda random, n: np.round(random.normal(size=n)),
    "mostly zero": some(0.8, always(0.0), amounts),
    "two humps": some(0.5, normal(-3), normal(3)),
    "1 % outliers": some(0.01, normal(0, 100), normal()),
    "1 % sentinels": some(0.01, always(-999), ages),
    "codes": of([1, 2, 3, 4, 5], [8, 6, 3, 2, 1]),
    "yes or no": lambda random, n: random.random(n) < 0.3,
    "rarely yes": lambda random, n: random.random(n) < 0.03,
    "2 words": of(["a", "b"], [9, 1]),
    "3 words": of(["a", "b", "c"], [5, 3, 2]),
    "5 words": of(list("abcde")),
    "20 words": of([f"word {i}" for i in range(20)], 0.85 ** np.arange(20)),
    "identifiers": lambda random, n: random.integers(0, 10**9, n).astype(str),
}
"""Distributions of which two samples are one column, unchanged."""

DRIFTED: dict[str, tuple[Draw, Draw, int]] = {
    "mean moved by 1 sd": (normal(), normal(1), 100),
    "mean moved by 0.3 sd": (normal(), normal(0.3), 1000),
    "spread doubled": (normal(), normal(0, 2), 1000),
    "3 words, .5 .3 .2 to .3 .3 .4": (EQUAL["3 words"], of(["a", "b", "c"], [3, 3, 4]), 1000),
    "5 words, a new one": (EQUAL["5 words"], of(list("abcdef")), 1000),
    "2 % of the amounts in cents": (amounts, some(0.02, times(100, amounts), amounts), 5000),
    "1 % outliers": (normal(), some(0.01, normal(0, 100), normal()), 10_000),
    "1 % outliers above": (normal(), some(0.01, lambda random, n: 100 * random.random(n), normal()), 10_000),
    "1 % outliers below": (normal(), some(0.01, lambda random, n: -100 * random.random(n), normal()), 10_000),
    "outliers vanished": (some(0.01, normal(0, 100), normal()), normal(), 10_000),
    "1 % sentinels -999": (ages, some(0.01, always(-999), ages), 5000),
    "1 % sentinels 9999": (ages, some(0.01, always(9999), ages), 5000),
    "lognormal, twice": (lambda r, n: r.lognormal(0, 1.5, n), lambda r, n: 2 * r.lognormal(0, 1.5, n), 5000),
    "Cauchy, moved": (lambda r, n: r.standard_cauchy(n), lambda r, n: 2 + r.standard_cauchy(n), 2000),
    "one hump to two": (normal(), some(0.5, normal(-1.5, 0.5), normal(1.5, 0.5)), 2000),
    "fewer zeros": (EQUAL["mostly zero"], some(0.5, always(0.0), amounts), 2000),
    "codes permuted": (EQUAL["codes"], of([1, 2, 3, 4, 5], [1, 2, 3, 6, 8]), 1000),
    "more yes": (EQUAL["yes or no"], lambda random, n: random.random(n) < 0.5, 1000),
    "nulls came": (normal(), some(0.1, always(np.nan), normal()), 1000),
    "constant moved": (always(7.0), always(7.5), 500),
}
"""Pairs that differ, and the rows of each sample: all of them are a matter that somebody should know of."""

SAME_BUT: dict[str, tuple[Draw, Draw, int]] = {
    "multiples of ten, less one": (of(np.arange(0, 2000, 10)), of(np.arange(-1, 1999, 10)), 5000),
    "flags as numbers": (EQUAL["yes or no"], lambda random, n: (random.random(n) < 0.3).astype(int), 2000),
    "minutes of the day": (of(np.arange(5, 24 * 60, 5)), of(np.arange(5, 24 * 60, 5)), 20_000),
    "0.05 sd": (normal(), normal(0.05), 20_000),
}
"""Pairs whose difference nobody need know of."""


def verdicts(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """What `compare_columns` says of each pair, which is a comparison of its own."""
    found: dict[int, str] = {}
    for sizes in {tuple(map(len, pair)) for pair in pairs}:
        places = [place for place, pair in enumerate(pairs) if tuple(map(len, pair)) == sizes]
        sides = [profile({str(place): pairs[place][side] for place in places}) for side in (0, 1)]
        found |= {place: compare_columns(*(side.column(str(place)) for side in sides)).verdict for place in places}
    return [found[place] for place in range(len(pairs))]


def shares(found: list[str]) -> tuple[float, float]:
    """How many are said to drift, and of how many nothing is known."""
    drifted = sum(verdict in {"moderate", "strong"} for verdict in found)
    return drifted / len(found), found.count("unknown") / len(found)


def equal_table(runs: int, sizes: tuple[tuple[int, int], ...]) -> bool:
    print(f"\nEqual: false alarms (and unknown), % of {runs} pairs")
    print(f"{'':22}" + "".join(f"{f'{n:,} v {m:,}':>16}" for n, m in sizes))
    total = 0.0
    for place, (name, draw) in enumerate(EQUAL.items()):
        cells = []
        for n, m in sizes:
            random = np.random.default_rng([place, n, m])
            alarms, unknown = shares(verdicts([(draw(random, n), draw(random, m)) for _ in range(runs)]))
            cells.append(f"{100 * alarms:>9.2f} ({100 * unknown:>3.0f})")
            total += alarms
        print(f"{name:22}" + "".join(f"{cell:>16}" for cell in cells), flush=True)
    rate = total / len(EQUAL) / len(sizes)
    print(f"all: {100 * rate:.3f} % (goal: {100 * MAX_FALSE} %)")
    return rate <= MAX_FALSE


def drifted_table(runs: int) -> bool:
    print(f"\nDrifted: found, unknown, not seen, % of {runs} pairs")
    met = True
    for place, (name, (before, after, n)) in enumerate(DRIFTED.items()):
        random = np.random.default_rng([99, place])
        found, unknown = shares(verdicts([(before(random, n), after(random, n)) for _ in range(runs)]))
        cells = "".join(f"{100 * share:>7.1f}" for share in (found, unknown, 1 - found - unknown))
        print(f"{name:32} n = {n:<7,}{cells}", flush=True)
        met &= found >= MIN_FOUND
    print(f"goal: {100 * MIN_FOUND:.0f} % found of each")
    return met


# Run by the other environments' Pythons: no name of this project in them. Each reads a folder of pairs and prints which
# of them drifted.
EVIDENTLY = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
found = {}
for path in sorted(Path(sys.argv[1]).glob("*.npz")):
    pair = np.load(path)
    frames = [pd.DataFrame({"x": pair[key]}) for key in ("before", "after")]
    text = frames[0]["x"].dtype.kind in "OUSb"
    definition = DataDefinition(categorical_columns=["x"]) if text else DataDefinition(numerical_columns=["x"])
    sets = [Dataset.from_pandas(frame.astype(str) if text else frame, definition) for frame in frames]
    answer = Report([DataDriftPreset()]).run(sets[1], sets[0]).dict()
    drifted = next(one for one in answer["metrics"] if "DriftedColumnsCount" in str(one))
    found[path.stem] = bool(drifted["value"]["count"])
print(json.dumps(found))
"""
WHYLOGS = """
import json, logging, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
import numpy as np, pandas as pd
import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores
found = {}
for path in sorted(Path(sys.argv[1]).glob("*.npz")):
    pair = np.load(path)
    views = [why.log(pd.DataFrame({"x": pair[key]})).view() for key in ("before", "after")]
    try:
        score = calculate_drift_scores(views[1], views[0], with_thresholds=True)["x"]
    except Exception:
        score = None
    found[path.stem] = bool(score and score["drift_category"] == "DRIFT")
print(json.dumps(found))
"""


def others_table(runs: int, programs: dict[str, tuple[str, str]]) -> bool:
    """Count false alarms and misses of each on the same raw columns."""
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for run in range(runs):
        for place, (name, draw) in enumerate(EQUAL.items()):
            for n, m in ((1000, 1000), (500, 10_000)):
                random = np.random.default_rng([7, run, place, n])
                pairs[f"equal-{name}-{n}-{run}"] = draw(random, n), draw(random, m)
        for kind, table in (("equal", SAME_BUT), ("drifted", DRIFTED)):
            for place, (name, (before, after, n)) in enumerate(table.items()):
                random = np.random.default_rng([8, run, place])
                pairs[f"{kind}-{name}-{run}"] = before(random, n), after(random, n)
    keys = sorted(pairs)
    found = {"songbird": dict(zip(keys, verdicts([pairs[key] for key in keys]), strict=True))}
    answers: dict[str, dict[str, bool]] = {
        "songbird": {key: verdict in {"moderate", "strong"} for key, verdict in found["songbird"].items()}
    }
    with tempfile.TemporaryDirectory() as folder:
        numbered = {f"{place:05}": key for place, key in enumerate(keys)}
        for stem, key in numbered.items():
            np.savez(Path(folder) / f"{stem}.npz", before=pairs[key][0], after=pairs[key][1])
        for name, (python, script) in programs.items():
            done = subprocess.run([python, "-c", script, folder], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr[-2000:]}")
            said = json.loads(done.stdout.splitlines()[-1])
            answers[name] = {numbered[stem]: answer for stem, answer in said.items()}
    equal = [key for key in keys if key.startswith("equal-")]
    drifted = [key for key in keys if key.startswith("drifted-")]
    print(f"\nOthers, on the same columns: {len(equal)} equal pairs, {len(drifted)} drifted ones")
    wrong = {}
    for name, said in answers.items():
        wrong[name] = sum(said[key] for key in equal), sum(not said[key] for key in drifted)
        print(f"{name:10} false alarms {wrong[name][0]:>5}   misses {wrong[name][1]:>5}")
    unsaid = sum(verdict == "unknown" for verdict in found["songbird"].values())
    print(f"of {unsaid} pairs songbird says that it cannot tell")
    ours = wrong.pop("songbird")
    return all(ours[0] <= alarms and ours[1] <= misses for alarms, misses in wrong.values())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--evidently", help="the Python of an environment with evidently")
    parser.add_argument("--whylogs", help="the Python of an environment with whylogs[viz]")
    parser.add_argument("--tiny", action="store_true", help="few runs: that everything works")
    options = parser.parse_args()
    runs = 2 if options.tiny else options.runs
    met = equal_table(runs, SIZES[:1] if options.tiny else SIZES)
    met &= drifted_table(min(runs, 100))
    programs = {
        name: (python, script)
        for name, python, script in (
            ("Evidently", options.evidently, EVIDENTLY),
            ("whylogs", options.whylogs, WHYLOGS),
        )
        if python
    }
    met &= others_table(1 if options.tiny else max(1, runs // 100), programs)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

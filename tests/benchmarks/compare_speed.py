"""How long it takes from two data frames to a saved report, how much memory, and how large the file is: beside others.

    uv venv peers && uv pip install -p peers/bin/python evidently skrub 'pandas<3'
    python tests/benchmarks/compare_speed.py --peers peers/bin/python --whylogs whylogs/bin/python

Two frames of 200,000 rows and 50 columns (25 normal, 15 of integers, 10 of five strings), of which the second drifted
in five. Each way runs in a process of its own; what is timed begins with both frames in memory and everything
imported, and ends with the file on disk. Memory is the process's most, with the frames.

Without `--peers` (Evidently's data drift preset, skrub's TableReport of one frame) and `--whylogs` (`why.log` of both
and its drift report) only ours is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve()
ROWS, TINY_ROWS = 200_000, 1_000


def frames(rows):
    import numpy as np
    import pandas as pd

    made = []
    for seed, moved in ((1, 0.0), (2, 0.5)):
        rng = np.random.default_rng(seed)
        columns = {f"normal {place}": rng.normal(moved * (place < 2), 1, rows) for place in range(25)}
        columns |= {
            f"integer {place}": rng.integers(0, 100 + 50 * bool(moved and place < 2), rows) for place in range(15)
        }
        words = np.array(["alpha", "beta", "gamma", "delta", "epsilon"], object)
        shares = np.array([0.1 if moved else 0.2, 0.3 if moved else 0.2, 0.2, 0.2, 0.2])
        columns |= {f"text {place}": words[rng.choice(5, rows, p=shares if not place else None)] for place in range(10)}
        made.append(pd.DataFrame(columns))
    return made


def ours(before, after, target):
    sys.path.insert(0, str(HERE.parents[2]))
    import songbird_widgets as sw
    import songbird_widgets.observatory

    sw.compare({"warm": [{"a": 1.5, "b": "x"}]})._repr_mimebundle_()
    return lambda: sw.compare(before=before, after=after).save(target)


def evidently(before, after, target):
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return lambda: Report([DataDriftPreset()]).run(after, before).save_html(str(target))


def skrub(_, after, target):
    from skrub import TableReport

    return lambda: TableReport(after, verbose=0).write_html(target)


def whylogs(before, after, target):
    import logging

    import whylogs as why
    from whylogs.viz import NotebookProfileVisualizer

    logging.disable(logging.CRITICAL)

    def run():
        shown = NotebookProfileVisualizer()
        shown.set_profiles(target_profile_view=why.log(after).view(), reference_profile_view=why.log(before).view())
        target.write_text(shown.summary_drift_report().data)

    return run


WAYS = {"ours": ours, "Evidently": evidently, "skrub (one frame)": skrub, "whylogs": whylogs}


def child(what, rows):
    import warnings

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.html"
        run = WAYS[what](*frames(rows), target)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([wall, cpu, most * 1024, before * 1024, target.stat().st_size]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter with Evidently and skrub")
    parser.add_argument("--whylogs", metavar="PYTHON", help="an interpreter with whylogs 1.6.4 and its viz extra")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="see that it runs; the figures say nothing")
    parser.add_argument("--child", metavar="WAY")
    options = parser.parse_args()
    rows = TINY_ROWS if options.tiny else ROWS
    if options.child:
        child(options.child, rows)
        return
    pythons = {"ours": sys.executable, "Evidently": options.peers, "skrub (one frame)": options.peers}
    pythons["whylogs"] = options.whylogs
    best = {}
    for _ in range(options.rounds):
        for way, python in pythons.items():
            if python is None:
                continue
            command = [python, str(HERE), "--child", way, *(["--tiny"] if options.tiny else [])]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
            if done.returncode:
                print(f"{way:18} fails: {done.stderr.strip().splitlines()[-1]}", flush=True)
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            best[way] = min(best.get(way, found), found)
            wall, cpu, most, before, size = found
            print(
                f"{way:18} {wall:7.2f} s   {cpu:7.2f} s CPU   {most / 1e6:6.0f} MB ({before / 1e6:.0f} before)   "
                f"{size / 1e6:6.2f} MB file",
                flush=True,
            )
    for way, (wall, cpu, *_) in best.items():
        print(f"{way:18} {wall / best['ours'][0]:6.1f} x ours, {cpu / best['ours'][1]:6.1f} x in CPU, at best")


if __name__ == "__main__":
    main()

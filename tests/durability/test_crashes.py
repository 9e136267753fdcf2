"""A round of each kind of `crashes.py`, which is run for long by hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDS_COMPILER = pytest.mark.skipif(
    sys.platform != "linux" or (shutil.which("cc") is None and os.environ.get("CI") != "true"),
    reason="Power cuts are played with LD_PRELOAD and a C compiler; `sh tests/install-programs.sh` installs one.",
)


def crashes(*arguments):
    command = [sys.executable, str(HERE / "crashes.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("kind", ["service", pytest.param("power", marks=NEEDS_COMPILER), "kernels"])
def test_a_kill_loses_nothing_and_doubles_nothing(kind):
    done = crashes("--rounds", "1", "--kinds", kind)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 half-written, 0 twice, 0 never sent, 0 sessions unfinished" in done.stdout


@NEEDS_COMPILER
@pytest.mark.slow
@pytest.mark.parametrize(("forgotten", "missed"), [("/blobs/", "half-written"), ("songbird.db", "lost")])
def test_a_power_cut_takes_what_was_not_synced(forgotten, missed):
    done = crashes("--rounds", "1", "--kinds", "power", "--forget", forgotten)
    assert done.returncode == 1, done.stdout + done.stderr
    found = re.search(rf"([0-9]+) {missed}", done.stdout)
    assert int(found[1]) > 0

"""A round of each kind of `crashes.py`, which is run for long by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("kind", ["service", "power", "kernels"])
def test_a_kill_loses_nothing_and_doubles_nothing(kind):
    command = [sys.executable, str(HERE / "crashes.py"), "--rounds", "1", "--kinds", kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 half-written, 0 twice, 0 never sent, 0 sessions unfinished" in done.stdout

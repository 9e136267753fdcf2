"""Every benchmark still runs, at a tiny size. No test asserts a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Run by client_speed.py, in processes of their own.
PARTS = {"client_peer.py", "client_server.py"}
SCRIPTS = sorted(path.name for path in HERE.glob("*.py") if path.name not in {*PARTS, Path(__file__).name})
IN_BROWSER = {"observatory_pages.py", "panels_speed.py"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=[pytest.mark.browser] if name in IN_BROWSER else []) for name in SCRIPTS]
)
def test_a_benchmark_runs(script, tmp_path):
    command = [sys.executable, str(HERE / script), "--tiny"]
    environment = {**os.environ, "SONGBIRD_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=540, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout

"""What README promises in commands and code is what CI and the package really do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from songbird_widgets.__main__ import parser
from songbird_widgets.profiles import profile

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = [line for line in README.splitlines() if "python -m pytest" in line]
    assert BLOCKS[1] == f"{command}\n"
    script = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert """bash -euo pipefail -c "$(grep -F 'python -m pytest' README.md)\"""" in script


@pytest.mark.parametrize(
    "line", [line for block in BLOCKS for line in block.splitlines() if line.startswith("songbird-widgets ")]
)
def test_commands_in_the_readme_are_understood(line):
    parser().parse_args(shlex.split(line, comments=True)[1:])


def test_what_the_first_install_brings_reads_the_files_of_the_commands():
    assert BLOCKS[0].startswith("python -m pip install '.[demo]'")
    extras = dict(re.findall(r"^(data|demo) = \[(.*)\]$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE))
    assert set(extras["data"].split(", ")) <= set(extras["demo"].split(", "))


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON)
def test_python_in_the_readme_runs(block, tmp_path):
    environment = {**os.environ, "SONGBIRD_DATA_DIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=ROOT / "examples",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    finally:
        subprocess.run([sys.executable, "-m", "songbird_widgets", "stop"], env=environment, check=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for printed in re.findall(r"print\(.*\)\s+# (.+)", block):
        assert printed in done.stdout


def test_the_table_of_rooms_says_what_the_walls_allow():
    rooms = {path.name for path in (ROOT / "songbird_widgets").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE)) == rooms


def test_csv_files_are_read_as_the_readme_says(tmp_path):
    assert "(`007` is 7), and fields that are empty or `n/a` are null" in README
    data = tmp_path / "codes.csv"
    data.write_text("code,note\n007,n/a\n008,\n009,x\n")
    found = profile(data)
    assert (found.column("code").types.integral, found.column("note").counts.null) == (3, 2)
    assert "`polars.read_csv(path, has_header=False)`" in README
    assert (profile(data).rows, profile(pl.read_csv(data, has_header=False)).rows) == (3, 4)


def test_a_profile_is_as_large_as_the_readme_says():
    assert "from about 0.6 kB a column (texts of which a few are different) to about 25 kB" in README
    for rows in (1_000, 50_000):
        few, many = (
            profile({"x": [f"text number {row % values}" for row in range(rows)]}).size for values in (3, rows)
        )
        assert 500 < few < 900
        assert 15_000 < many < 30_000

"""What README promises in commands is what CI and the packaging really have."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from songbird_widgets.__main__ import _parser

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_ci_runs_the_test_command_of_the_readme():
    # The second block is the test command: one line that finds Chromium, one that installs and runs.
    chromium, tests = BLOCKS[1].strip().splitlines()
    script = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert chromium in script
    assert tests in script


@pytest.mark.parametrize(
    "line", [line for block in BLOCKS for line in block.splitlines() if line.startswith("songbird-widgets ")]
)
def test_commands_in_the_readme_are_understood(line):
    _parser().parse_args(shlex.split(line)[1:])

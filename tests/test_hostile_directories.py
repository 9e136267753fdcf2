"""Nothing that others left in the current or the data directory is imported by what a user starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from songbird_widgets.local import child, local_service

pytestmark = pytest.mark.slow  # each starts processes

SCRIPT = Path(sys.executable).with_name("songbird-widgets.exe" if os.name == "nt" else "songbird-widgets")
MODULES = ["numpy", "tornado", "songbird_widgets", "jupyterlab", "json", "filelock", "sqlalchemy", "jinja2"]
CONFIGURATIONS = ["voila", "jupyter_config", "jupyter_lab_config", "jupyter_server_config"]  # of Jupyter, in Python


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Plant modules in the directories, and return the file that says which of them has run."""
    ran = tmp_path / "ran"
    for directory in (tmp_path / "shared", tmp_path / "data", tmp_path / "data" / "examples"):
        directory.mkdir(mode=0o700)
        for name in MODULES + CONFIGURATIONS:
            (directory / f"{name}.py").write_text(f"with open({str(ran)!r}, 'a') as file: print(__file__, file=file)")
    monkeypatch.chdir(tmp_path / "shared")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "data"))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    yield ran
    local_service.stop()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve"], "/k/"),
        (["demo", "--no-browser"], "JupyterLab"),
        (["demo", "--no-browser", "--voila"], "Dashboard"),
    ],
)
def test_what_is_planted_where_it_is_started_or_keeps_its_data_does_not_run(ran, ports, arguments, says):
    command = [SCRIPT, *arguments, "--port", str(*ports(1))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert any(says in line for line in iter(process.stdout.readline, ""))
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=300)
    assert not ran.exists(), ran.read_text()


def test_a_child_finds_what_is_installed_and_nothing_beside_it(ran):
    (Path.cwd() / "mine.py").write_text("")
    by_hand = [sys.executable, "-c", child._BY_HAND.format("mine")]  # as for Python 3.10
    for command in (child.command("mine"), by_hand):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, "No module named mine" in done.stderr) == (1, True)
    for command in (child.command("this"), [*by_hand[:2], child._BY_HAND.format("this")]):
        assert "Zen" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert not ran.exists()

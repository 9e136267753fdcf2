"""Nothing that others left in the current or the data directory is imported by what a user starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
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


@contextmanager
def started(arguments, messages):
    """Run a command until the block ends, and give what it prints; what it warns of goes into a file."""
    with (
        messages.open("wb") as errors,
        subprocess.Popen([SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            yield process.stdout
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=300)


def test_what_is_planted_where_the_service_is_started_or_keeps_its_data_does_not_run(ran, ports, tmp_path):
    with started(["serve", "--port", str(*ports(1))], tmp_path / "messages") as printed:
        assert "/k/" in printed.readline()
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize(("arguments", "title"), [([], "JupyterLab"), (["--voila"], "Flight profiles")])
def test_the_demo_prints_a_url_that_answers_warns_of_nothing_and_runs_nothing_planted(
    ran, ports, tmp_path, arguments, title
):
    command = ["demo", "--no-browser", *arguments, "--port", str(*ports(1))]
    with started(command, tmp_path / "messages") as printed:
        url = re.search(r"http://\S+", [printed.readline() for _ in range(2)][1])[0]
        assert not ran.exists(), ran.read_text()
        for planted in (tmp_path / "data" / "examples").glob("*.py"):  # kernels look beside their notebooks
            planted.unlink()
        with urllib.request.urlopen(url, timeout=300) as answer:
            assert title in answer.read().decode("utf-8")
        with urllib.request.urlopen(url.partition("?")[0], timeout=300) as answer:  # another user of this machine
            assert title not in answer.read().decode("utf-8")
            assert "login" in answer.url
    assert "Warning" not in (tmp_path / "messages").read_text("utf-8")
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

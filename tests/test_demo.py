"""The demo, as a newcomer runs it; the notebooks themselves run in tests/browser and tests/test_examples.py."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from songbird_widgets.jupyter.demo import DemoError, copy_examples, run
from songbird_widgets.local import local_service


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "data"))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    yield
    local_service.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "title"), [([], "JupyterLab"), (["--voila"], "Flight profiles")])
def test_the_demo_prints_a_url_that_answers_and_warns_of_nothing(arguments, title, tmp_path):
    command = [sys.executable, "-m", "songbird_widgets", "demo", "--no-browser", *arguments]
    messages = tmp_path / "messages"
    with (
        messages.open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as demo,
    ):
        try:
            said = [demo.stdout.readline() for _ in range(2)]
            url = re.search(r"http://\S+", said[1])[0]
            with urllib.request.urlopen(url, timeout=60) as answer:
                assert title in answer.read().decode("utf-8")
            with urllib.request.urlopen(url.partition("?")[0], timeout=60) as answer:  # another user of this machine
                assert title not in answer.read().decode("utf-8")
                assert "login" in answer.url
        finally:
            os.kill(demo.pid, signal.SIGTERM)
        demo.wait(timeout=300)
    assert "Warning" not in messages.read_text("utf-8")


def test_the_examples_are_copied_once_and_changes_are_kept(tmp_path):
    target = copy_examples(tmp_path / "examples")
    assert len(list(target.glob("profiles/*.bin"))) == 9
    changed = target / "quickstart.ipynb"
    changed.write_text("mine")
    (target / "dashboard.ipynb").unlink()
    copy_examples(target)
    assert changed.read_text() == "mine"
    assert (target / "dashboard.ipynb").exists()


def test_a_taken_port_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DemoError, match="in use"):
            run(port=taken.getsockname()[1], browser=False)


def test_an_installation_without_examples_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.metadata.files", lambda _: [])
    with pytest.raises(DemoError, match="without the examples"):
        copy_examples(tmp_path / "examples")
    assert not (tmp_path / "examples").exists()

"""What the demo prepares; it runs in tests/test_hostile_directories.py, its notebooks in tests/browser."""

from __future__ import annotations

import socket

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

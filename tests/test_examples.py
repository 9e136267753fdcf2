"""The example notebooks, run whole by real kernels; in front ends they run in tests/browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from html import unescape
from pathlib import Path

import nbformat
import pytest

from songbird_widgets.jupyter import local_service

EXAMPLES = Path(__file__).parents[1] / "examples"
EXECUTE = """
import sys, nbformat, nbclient
notebook = nbformat.read("{name}", 4)
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
nbformat.write(notebook, "{name}")
"""


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run a copy of a notebook with an interpreter and a home of its own; answer its outputs as text."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "data"))
    for name in list(os.environ):
        if name.startswith(
            ("JUPYTER_", "JPY_", "WHYLABS_", "WHYLOGS_", "SONGBIRD_E", "SONGBIRD_A", "IPYTHONDIR")
        ):
            monkeypatch.delenv(name)
    shutil.copytree(EXAMPLES, tmp_path / "examples")

    def run(name, python=sys.executable):
        done = subprocess.run(
            [str(python), "-c", EXECUTE.format(name=name)],
            cwd=tmp_path / "examples", capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        notebook = nbformat.read(tmp_path / "examples" / name, 4)
        said = []
        for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
            said.append(output.get("text", ""))
            said += [unescape(str(data)) for data in output.get("data", {}).values()]
        return "\n".join(said)

    yield run
    local_service.stop()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode("utf-8")


def test_the_quickstart_runs_without_an_edit_and_shows_a_link_that_answers(execute):
    said = execute("quickstart.ipynb")
    links = re.findall(r"http://[^\s\"'<>]+sessionToken=[\w-]+", said)
    three = next(link for link in links if link.count("&profile=") == 2)
    figures = json.loads(get(three.replace("/profiles?", "/profiles.json?")))
    assert [profile["label"] for profile in figures["profiles"]] == ["july", "2013-07-14", "2013-07-10"]


def test_the_dashboard_runs_without_an_edit_and_shows_its_session(execute):
    said = execute("dashboard.ipynb")
    assert "9 of 9 uploaded" in said
    assert "9 profiles, 3 selected" in said


def test_whylogs_itself_uploads_to_the_local_service(execute, whylogs_python):
    said = execute("whylogs_guest_session.ipynb", whylogs_python)
    links = re.findall(r"http://[^\s\"'<>]+sessionToken=[\w-]+", said)
    pages = "".join(get(link) for link in set(links))
    for name in ("monday", "monday again", "tuesday"):
        assert name in pages


def test_the_notebooks_are_committed_without_outputs():
    for path in EXAMPLES.glob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None

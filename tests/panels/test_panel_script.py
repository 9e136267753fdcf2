"""The panel's script: built from its modules as it is committed, typed, linted, and tested under Node."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import songbird_widgets
from songbird_widgets.panels.rows import pack
from songbird_widgets.session import SessionProfile

PANELS = Path(songbird_widgets.__file__).parent / "panels"
MODULES = PANELS / "js"
LABELS = ["july", "日本語 🐦", "a\ud800b", "\u202eevil", "İstanbul", "", "ä" * 200, "x\x00\ny", "2013-07-08"]
READ = """
import { Table } from "./table.js";
const bytes = Buffer.from(process.argv[1], "base64");
const table = new Table(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
const all = Array.from({ length: table.count }, (_, i) => i);
console.log(JSON.stringify({ labels: all.map((i) => table.label(i)), names: all.map((i) => table.name(i)),
  sizes: [...table.size], numbers: [...table.number], references: [...table.reference] }));
"""


def run(*command):
    done = subprocess.run(command, cwd=MODULES, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def give_up(reason):
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def panel_tools():
    """Node, and what the lock file names, installed beside the modules."""
    if shutil.which("node") is None:
        give_up("Node is not on PATH; install it with `sh tests/install-programs.sh`.")
    installed = MODULES / "node_modules" / ".installed"
    if not installed.exists() or installed.read_bytes() != (MODULES / "package-lock.json").read_bytes():
        give_up("What builds the panel's script is not installed; `sh tests/install-programs.sh` does it.")


@pytest.mark.usefixtures("panel_tools")
def test_the_committed_script_and_style_are_what_the_modules_build(tmp_path):
    run("node", "build.js", str(tmp_path))
    for name in ("panel.js", "panel.css"):
        built, committed = (tmp_path / name).read_bytes(), (PANELS / "static" / name).read_bytes()
        assert built == committed, f"static/{name} is stale: run `npm run build` in {MODULES}"


@pytest.mark.usefixtures("panel_tools")
def test_the_modules_are_typed_and_linted():
    run("npm", "run", "--silent", "check")


@pytest.mark.usefixtures("panel_tools")
def test_the_modules_do_what_their_own_tests_say():
    assert "# fail 0" in run("npm", "test", "--silent")


def test_the_lock_file_names_no_registry():
    packages = json.loads((MODULES / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 10
    assert not [name for name, package in packages.items() if "resolved" in package]


@pytest.mark.usefixtures("panel_tools")
def test_rows_are_read_as_they_were_written():
    profiles = [
        SessionProfile(f"k{i}", "reference" if i % 2 else "batch", label, name=f"Name-{i} ø🎈.bin", size=i)
        for i, label in enumerate(LABELS)
    ]
    data = base64.b64encode(pack(profiles, [len(LABELS) - i for i in range(len(LABELS))])).decode()
    read = json.loads(run("node", "--input-type=module", "-e", READ, data))
    shown = [label if len(label) <= 120 else f"{label[:59]}…{label[-60:]}" for label in LABELS]
    assert read["labels"] == [label.replace("\ud800", "?") for label in shown]
    assert read["names"] == [f"Name-{i} ø🎈.bin" for i in range(len(LABELS))]
    assert read["references"] == [i % 2 for i in range(len(LABELS))]
    assert read["sizes"] == list(range(len(LABELS)))
    assert read["numbers"] == list(range(len(LABELS), 0, -1))

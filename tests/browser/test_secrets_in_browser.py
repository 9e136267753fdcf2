"""What is kept and sent of a key and of a session's id, looked for in everything that JupyterLab keeps and sends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

KEY = "canarykeyt.the-key-that-was-typed-must-be-nowhere-but-in-its-one-message"
CELL = """
import logging
logging.basicConfig(level=logging.DEBUG, filename="kernel.log")
import songbird_widgets as sw
session = sw.Session()
session.add("profiles/reference-july.bin", alias="july")
session.add("profiles/batch-2013-07-*.bin")
session
"""


def outside_links(data, session_id):
    """Count the id where it is not the token of a link."""
    return data.count(session_id.encode()) - data.count(f"sessionToken={session_id}".encode())


@pytest.fixture
def used(desk):
    """A session whose id was copied and typed, and which a key that was typed did not claim."""
    someone = desk("lab", height=1600)
    frames = someone.listen()
    someone.write("secrets.ipynb", CELL)
    someone.open("secrets.ipynb")
    someone.run_all()
    page, line, link = someone.page, someone.panel("session"), someone.panel("link")
    someone.panel("upload").get_by_role("button", name="Upload 8 profiles").click()
    expect(someone.panel("upload").get_by_role("status")).to_have_text("All 8 profiles are uploaded.")
    session_id = someone.copy_session_id()
    options = someone.panel("picker").get_by_role("option")
    line.get_by_text("Another session").click()
    line.get_by_role("button", name="Open").click()  # a new one: it shows when the other has been opened again
    expect(options).to_have_count(0)
    line.get_by_text("Another session").click()
    line.get_by_label("Session id").fill(session_id)
    line.get_by_role("button", name="Open").click()
    expect(line.get_by_label("Session id")).to_have_value("")
    expect(options).to_have_count(8)
    for label in ("july", "2013-07-08"):
        someone.panel("picker").get_by_role("option", name=label).click()
    expect(link.get_by_role("link", name="side by side")).to_be_visible()
    claim = someone.panel("claim")
    claim.locator("summary").click()
    claim.get_by_label("Organization").fill("org-other")
    claim.get_by_label("API key").fill(KEY)
    claim.get_by_role("button", name="Claim…").click()
    claim.get_by_role("button", name="Claim for good").click()
    expect(claim.get_by_role("alert")).to_be_visible()
    expect(claim.get_by_label("API key")).to_have_value("")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    return someone, frames, session_id


def test_key_and_session_id_are_only_where_they_belong(used, environment):
    someone, frames, session_id = used
    assert session_id.startswith("session-")
    sent = [data for way, data in frames if way == "out"]
    received = [data for way, data in frames if way == "in"]  # the kernel's iopub among it, as every client gets it
    assert sum(data.count(KEY.encode()) for data in sent) == 1
    assert not [data for data in received if KEY.encode() in data]
    assert sum(outside_links(data, session_id) for data in sent) == 1  # from the id field
    assert sum(outside_links(data, session_id) for data in received) == 1  # to be copied
    assert [data for data in received if f"sessionToken={session_id}".encode() in data]

    notebook = someone.front_end.root / "secrets.ipynb"
    html = notebook.with_suffix(".html")
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", str(notebook)],
        env=environment, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    (state,) = json.loads(notebook.read_text("utf-8"))["metadata"]["widgets"].values()
    (panel,) = [one["state"] for one in state["state"].values() if "claim_facts" in one["state"]]
    assert panel["claim_facts"]["uploaded"] == 8
    assert len(json.dumps(state)) < 60_000
    assert "application/vnd.jupyter.widget-state+json" in html.read_text("utf-8")
    for kept in (notebook, html):
        data = kept.read_bytes()
        assert f"sessionToken={session_id}".encode() in data
        assert outside_links(data, session_id) == 0
        assert KEY.encode() not in data

    data_directory = Path(environment["SONGBIRD_DATA_DIR"])
    logs = [someone.front_end.log, someone.front_end.root / "kernel.log", *data_directory.glob("*.log")]
    assert len(logs) > 2
    # The kernel logs messages.
    assert b"handle_msg" in (someone.front_end.root / "kernel.log").read_bytes()
    owners_key = environment["SONGBIRD_API_KEY"]
    for log in logs:
        data = log.read_bytes()
        assert data, log
        for secret in (KEY, session_id, owners_key):
            at = data.find(secret.encode())
            assert at < 0, data[max(0, at - 300) : at + 100]
    everything = b"".join([*sent, *received, notebook.read_bytes(), html.read_bytes()])
    assert owners_key.encode() not in everything

"""What holds for every panel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import ipywidgets
import pytest

import songbird_widgets
from songbird_widgets import panels
from songbird_widgets.local import local_service

ROOT = Path(songbird_widgets.__file__).parent
STATIC = ROOT / "panels" / "static"
ALL = [
    panels.SessionPanel,
    panels.AddPanel,
    panels.ProfilePicker,
    panels.UploadPanel,
    panels.LinkPanel,
    panels.ClaimPanel,
]


def test_all_together_holds_each(uploaded):
    def kinds(widget):
        return set(type(widget).mro()).union(*(kinds(child) for child in getattr(widget, "children", ())))

    assert kinds(panels.panel(uploaded)) >= set(ALL)


def test_a_session_displays_one_panel_however_often(uploaded):
    view = "application/vnd.jupyter.widget-view+json"
    first, second = panels.display_bundle(uploaded), panels.display_bundle(uploaded)
    assert first == second
    data, metadata = first
    assert set(data) == {view}
    assert metadata == {}
    assert data[view]["model_id"] in ipywidgets.widget_serialization["from_json"].__globals__["_instances"]


@pytest.mark.parametrize("kind", ALL)
def test_no_panel_state_holds_the_session_id_or_the_services_secret(kind, uploaded, wire):
    kind(uploaded)
    sent = str([message for comm in wire for message in comm.sent])
    assert uploaded.session_id not in sent
    assert urlsplit(local_service.find().endpoint).path not in sent


@pytest.mark.parametrize("kind", ALL)
def test_a_failure_in_a_handler_is_shown(kind, uploaded, say, monkeypatch):
    panel = kind(uploaded)

    def fail(*_):
        raise RuntimeError("the disk is <full>")

    monkeypatch.setattr(kind, "_do_break", fail, raising=False)
    say(panel, {"do": "break"})
    assert panel.failure == "the disk is <full>"
    say(panel, {"do": "forget"})
    assert panel.failure == ""


@pytest.mark.parametrize("kind", ALL)
def test_a_failure_in_an_observer_or_a_job_is_shown(kind, uploaded, monkeypatch, eventually):
    panel = kind(uploaded)

    def fail(*_):
        raise ValueError

    panel._later(fail)
    assert eventually(lambda: panel.failure).startswith("ValueError")
    panel.failure = ""
    monkeypatch.setattr(kind, "_facts", fail)
    monkeypatch.setattr(kind, "_show", lambda self: self._facts())
    panel._on_change({})
    assert panel.failure.startswith("ValueError")


@pytest.mark.parametrize("kind", ALL)
def test_state_is_json_and_a_panel_can_be_closed(kind, uploaded):
    panel = kind(uploaded)
    json.dumps(panel.facts)
    panel.close()
    uploaded.select("july")


def test_nothing_makes_a_link_or_html_but_its_one_place():
    makers = [
        path.name
        for path in ROOT.rglob("*.py")
        if "<a " in path.read_text("utf-8") and not {"service", "observatory"} & set(path.parts)
    ]
    assert makers == ["links.py"]
    scripts = {path.name: path.read_text("utf-8") for path in STATIC.glob("*.js")}
    writers = [name for name, text in scripts.items() if re.search(r"innerHTML|outerHTML|insertAdjacentHTML", text)]
    assert writers == ["link_panel.js"]
    assert not [name for name, text in scripts.items() if re.search(r"\beval\b|new Function|document\.write", text)]


def test_styles_and_scripts_load_nothing_from_elsewhere():
    for path in STATIC.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), path.name


def test_what_no_person_sent_dismisses_no_failure(uploaded, say):
    line, add = panels.SessionPanel(uploaded), panels.AddPanel(uploaded)
    line.failure = add.failure = "to be read"
    say(line, {"do": "look"})
    say(add, {"do": "complete", "text": "x"})
    assert line.failure == add.failure == "to be read"


def test_the_id_is_given_only_when_asked_for(uploaded, say, eventually):
    line = panels.SessionPanel(uploaded)
    assert uploaded.session_id not in str(line.comm.sent)
    say(line, {"do": "identify"})
    eventually(lambda: {"id": uploaded.session_id} in [m["data"].get("content") for m in line.comm.sent])
    assert uploaded.session_id not in str(line.get_state())


def test_an_earlier_session_can_be_continued(uploaded, session, say, eventually, flights):
    line, picker = panels.SessionPanel(session), panels.ProfilePicker(session)
    session.add(flights / "batch-2013-07-08.bin", alias="not sent")
    say(line, {"do": "recall"})
    earlier = eventually(lambda: [m["data"]["content"] for m in line.comm.sent if m["data"].get("content")])
    assert uploaded.session_id not in str(earlier)
    place = [one["id"] for one in earlier[0]["earlier"]].index(uploaded.short_id)
    say(line, {"do": "continue", "place": place})
    eventually(lambda: line.facts["id"] == uploaded.short_id)
    eventually(lambda: len(session.profiles) == 10)  # the nine of that session, and what came along
    assert line.failure == ""
    session.select("july")
    assert [one["label"] for one in picker.facts["chosen"]] == ["july"]


def test_a_session_can_be_opened_by_its_id_and_left_for_a_new_one(uploaded, session, say, eventually):
    line = panels.SessionPanel(session)
    say(line, {"do": "open", "endpoint": ""}, [f" {uploaded.session_id} ".encode()])
    eventually(lambda: len(session.profiles) == 9)
    say(line, {"do": "open", "endpoint": ""})
    eventually(lambda: line.facts["state"] == "new")
    assert session.profiles == ()
    assert uploaded.session_id not in str(line.get_state())


def test_an_endpoint_that_is_none_is_said(session, say, eventually, flights):
    line, upload = panels.SessionPanel(session), panels.UploadPanel(session)
    session.add(flights / "batch-2013-07-08.bin")
    say(line, {"do": "open", "endpoint": "not an address"})
    eventually(lambda: line.facts["endpoint"] == "(no URL)")
    say(upload, {"do": "upload"})
    assert eventually(lambda: upload.facts["trouble"] or upload.failure)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (panels.SessionPanel, {"do": "recall"}),
        (panels.SessionPanel, {"do": "continue", "place": 0}),
        (panels.SessionPanel, {"do": "open", "endpoint": "http://127.0.0.1:1"}),
        (panels.AddPanel, {"do": "add", "source": "/etc/passwd"}),
        (panels.AddPanel, {"do": "complete", "text": "/"}),
        (panels.ClaimPanel, {"do": "claim", "organization": ""}),
    ],
)
def test_a_dashboards_visitors_reach_nothing_of_its_owner(uploaded, say, monkeypatch, kind, content):
    monkeypatch.setenv("VOILA_REQUEST_URL", "http://127.0.0.1:8866/")
    panel = kind(uploaded)
    panel.comm.sent.clear()
    say(panel, content)
    assert "author" in panel.failure
    assert "custom" not in [message["data"]["method"] for message in panel.comm.sent]
    assert uploaded.state == "open"

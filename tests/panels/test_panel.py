"""What holds for a panel, whichever parts it has."""

from __future__ import annotations

import base64
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
CLASSES = {
    panels.AddPanel: ["add"],
    panels.ProfilePicker: ["picker"],
    panels.UploadPanel: ["upload"],
    panels.LinkPanel: ["link"],
    panels.ResultPanel: ["result"],
    panels.ClaimPanel: ["claim"],
    panels.SessionPanel: list(panels.PARTS),
}


@pytest.fixture
def whole(uploaded, eventually):
    """A panel with all parts, which has come to rest: without a selection it asks for one link by itself."""
    panel = panels.SessionPanel(uploaded)
    eventually(lambda: panel.link_facts["trends"])
    return panel


def test_each_class_is_a_panel_with_its_parts(uploaded):
    assert {kind: kind(uploaded).parts for kind in CLASSES} == CLASSES
    some = panels.SessionPanel(uploaded, parts=("picker", "link"))
    assert some.picker_facts
    assert some.add_facts == {}


@pytest.mark.parametrize("parts", [(), ("picker", "nonsense")])
def test_parts_that_there_are_not_are_refused_with_those_that_there_are(session, parts):
    with pytest.raises(ValueError, match="session, add, picker, upload, link, result, claim, delete"):
        panels.SessionPanel(session, parts)


def test_a_keyword_that_there_is_not_is_refused_with_the_one_that_is_meant(session):
    with pytest.raises(TypeError, match=r"no 'prats'\. Did you mean 'parts'\?"):
        panels.SessionPanel(session, prats=("picker",))


def test_a_session_displays_one_panel_however_often(uploaded):
    view = "application/vnd.jupyter.widget-view+json"
    first, second = panels.display_bundle(uploaded), panels.display_bundle(uploaded)
    assert first == second
    data, metadata = first
    assert set(data) == {view}
    assert metadata == {}
    assert data[view]["model_id"] in ipywidgets.widget_serialization["from_json"].__globals__["_instances"]


def test_a_whole_panel_is_one_widget_of_at_most_60_kilobytes(uploaded, wire, eventually):
    wire.clear()
    uploaded.select("july", "2013-07-10", "2013-07-14")
    panel = panels.SessionPanel(uploaded)
    eventually(lambda: panel.result_facts["headline"] and panel.link_facts["main"])
    models = [comm for comm in wire if comm.sent[0]["data"]["state"]["_model_name"] != "LayoutModel"]
    assert len(models) == 1
    # As a notebook saves it: JSON, with binary values in base64.
    saved = json.dumps(panel.get_state(), default=lambda value: base64.b64encode(value).decode())
    assert len(saved.encode()) < 60_000


def test_no_state_holds_the_session_id_or_the_services_secret(uploaded, wire, eventually):
    panel = panels.SessionPanel(uploaded)
    uploaded.select("july")
    eventually(lambda: panel.link_facts["main"])
    sent = str([message for comm in wire for message in comm.sent])
    # A link is the one place that needs it.
    assert sent.count(uploaded.session_id) == sent.count(f"sessionToken={uploaded.session_id}")
    assert urlsplit(local_service.find().endpoint).path not in sent


@pytest.mark.parametrize("name", panels.PARTS)
def test_a_failure_in_a_handler_is_shown_in_its_part(name, whole, say, monkeypatch):
    part = type(whole._parts[name])

    def fail(*_):
        raise RuntimeError("the disk is <full>")

    monkeypatch.setattr(part, "do_break", fail, raising=False)
    say(whole, {"part": name, "do": "break", "message": 7})
    assert whole.failures == {name: "the disk is <full>"}
    assert whole.comm.sent[-1]["data"]["content"] == {"ack": 7}
    say(whole, {"part": name, "do": "forget"})
    assert whole.failures == {}


@pytest.mark.parametrize("name", panels.PARTS)
def test_a_failure_in_an_observer_or_a_job_is_shown(name, whole, monkeypatch, eventually):
    part = whole._parts[name]

    def fail(*_):
        raise ValueError

    whole.later(part, fail)
    assert eventually(lambda: whole.failures)[name].startswith("ValueError")
    whole.failures = {}
    monkeypatch.setattr(part, "follow", fail)
    whole._on_change({"name": next(iter(part.watched))})
    assert whole.failures[name].startswith("ValueError")


def test_a_panel_that_is_closed_follows_no_longer(whole, uploaded):
    whole.close()
    uploaded.select("july")
    assert whole.picker_facts["chosen"] == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        "add",
        [],
        {},
        {"part": "add"},
        {"part": "nowhere", "do": "add"},
        {"part": ["add"], "do": "add"},
        {"part": "add", "do": "__init__"},
    ],
)
def test_nonsense_from_the_browser_does_nothing(whole, uploaded, say, content):
    before = whole.get_state()
    say(whole, content)
    assert whole.get_state() == before
    assert uploaded.selection == ()


def test_nothing_makes_a_link_but_its_one_place():
    makers = [
        path.name
        for path in ROOT.rglob("*.py")
        if "<a " in path.read_text("utf-8") and not {"service", "observatory"} & set(path.parts)
    ]
    assert makers == ["links.py"]
    script = (STATIC / "panel.js").read_text("utf-8")
    assert not re.search(r"insertAdjacentHTML|document\.write|\beval\(|new Function", script)


def test_style_and_script_load_nothing_from_elsewhere():
    for path in STATIC.iterdir():
        text = re.sub(r"http://www\.w3\.org/[\w/]+", "", path.read_text("utf-8"))
        assert not re.search(r"https?://\w|@import|url\(", text), path.name


def test_what_no_person_sent_dismisses_no_failure(uploaded, say):
    panel = panels.SessionPanel(uploaded)
    panel.failures = there = dict.fromkeys(panels.PARTS, "to be read")
    say(panel, {"part": "session", "do": "look"})
    say(panel, {"part": "add", "do": "complete", "text": "x"})
    say(panel, {"part": "claim", "do": "ping"})
    assert panel.failures == there


def test_the_id_is_given_only_when_asked_for(uploaded, say, eventually, replies):
    line = panels.SessionPanel(uploaded, ["session"])
    assert uploaded.session_id not in str(line.comm.sent)
    say(line, {"do": "identify"})
    eventually(lambda: {"id": uploaded.session_id} in replies(line))
    assert uploaded.session_id not in str(line.get_state())


def test_an_earlier_session_can_be_continued(uploaded, session, say, eventually, flights, replies):
    line, picker = panels.SessionPanel(session, ["session"]), panels.ProfilePicker(session)
    session.add(flights / "batch-2013-07-08.bin", alias="not sent")
    say(line, {"do": "recall"})
    earlier = eventually(lambda: replies(line))
    assert uploaded.session_id not in str(earlier)
    place = [one["id"] for one in earlier[0]["earlier"]].index(uploaded.short_id)
    say(line, {"do": "continue", "place": place})
    eventually(lambda: line.session_facts["id"] == uploaded.short_id)
    eventually(lambda: len(session.profiles) == 10)  # the nine of that session, and what came along
    assert line.failures == {}
    session.select("july")
    assert [one["label"] for one in picker.picker_facts["chosen"]] == ["july"]


def test_a_session_can_be_opened_by_its_id_and_left_for_a_new_one(uploaded, session, say, eventually):
    line = panels.SessionPanel(session, ["session"])
    say(line, {"do": "open", "endpoint": ""}, [f" {uploaded.session_id} ".encode()])
    eventually(lambda: len(session.profiles) == 9)
    say(line, {"do": "open", "endpoint": ""})
    eventually(lambda: line.session_facts["state"] == "new" and session.profiles == ())
    assert uploaded.session_id not in str(line.get_state())


def test_an_endpoint_that_is_none_is_said_and_changes_nothing(session, say, eventually):
    line = panels.SessionPanel(session, ["session"])
    say(line, {"do": "open", "endpoint": "nonsense"})
    eventually(lambda: "is not an address that can be used" in line.failures.get("session", ""))
    assert line.session_facts["endpoint"] == session.endpoint_label == "local service"


@pytest.mark.parametrize(
    "content",
    [
        {"part": "session", "do": "recall"},
        {"part": "session", "do": "continue", "place": 0},
        {"part": "session", "do": "open", "endpoint": "http://127.0.0.1:1"},
        {"part": "add", "do": "add", "source": "/etc/passwd"},
        {"part": "add", "do": "complete", "text": "/"},
        {"part": "claim", "do": "claim", "organization": ""},
    ],
)
def test_a_dashboards_visitors_reach_nothing_of_its_owner(uploaded, say, monkeypatch, replies, content):
    monkeypatch.setenv("VOILA_REQUEST_URL", "http://127.0.0.1:8866/")
    panel = panels.SessionPanel(uploaded)
    assert panel.visited
    say(panel, content)
    assert "author" in panel.failures[content["part"]]
    assert replies(panel) == []
    assert uploaded.state == "open"


def test_what_one_part_says_the_session_line_does_not_repeat(session, say, eventually):
    panel = panels.SessionPanel(session)
    say(panel, {"part": "add", "do": "add", "source": "no-such.bin"})
    eventually(lambda: panel.add_facts["messages"])
    eventually(lambda: panel.session_facts["notice"] is None)
    with pytest.raises(songbird_widgets.SongbirdError):
        session.add("no-such-either.bin")  # in a cell
    assert "no-such-either.bin" in panel.session_facts["notice"]["text"]
    say(panel, {"part": "session", "do": "dismiss"})
    assert panel.session_facts["notice"] is None

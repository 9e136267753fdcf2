from __future__ import annotations

import shutil

import pytest

from songbird_widgets.client import Songbird
from songbird_widgets.panels import ProfilePicker, SessionPanel, UploadPanel
from songbird_widgets.panels.rows import pack
from songbird_widgets.session import Session


@pytest.fixture
def upload(session):
    return UploadPanel(session)


def test_upload_from_the_panel(upload, session, say, flights, eventually):
    session.add(str(flights / "batch-*.bin"))
    assert upload.upload_facts["waiting"] == 7
    say(upload, {"do": "upload"})
    eventually(lambda: upload.upload_facts["uploaded"] == 7 and not upload.upload_facts["busy"])
    assert upload.upload_facts["waiting"] == upload.upload_facts["failed"] == 0
    assert (upload.upload_facts["done"], upload.upload_facts["total"]) == (7, 7)
    assert len([p for p in session.profiles if p.state == "uploaded"]) == 7


def test_what_failed_says_why_and_is_sent_again_alone(upload, session, say, flights, tmp_path, eventually):
    for name in ("batch-2013-07-08.bin", "batch-2013-07-09.bin"):
        shutil.copyfile(flights / name, tmp_path / name)
    session.add(str(tmp_path / "*.bin"))
    gone = tmp_path / "batch-2013-07-09.bin"
    gone.unlink()
    say(upload, {"do": "upload"})
    eventually(lambda: upload.upload_facts["failed"] == 1 and not upload.upload_facts["busy"])
    assert upload.upload_facts["uploaded"] == 1
    assert upload.upload_facts["failures"][0]["label"] == "2013-07-09"
    assert "No such file" in upload.upload_facts["failures"][0]["problem"]
    shutil.copyfile(flights / gone.name, gone)
    say(upload, {"do": "upload"})
    eventually(lambda: upload.upload_facts["uploaded"] == 2)
    eventually(lambda: not upload.upload_facts["busy"])
    assert upload.upload_facts["total"] == 1  # only what had failed
    assert upload.upload_facts["failures"] == []


def test_an_unreachable_endpoint_is_said(flights, say, eventually):
    with Session(client=Songbird("http://127.0.0.1:1", retries=0)) as session:
        line, upload = SessionPanel(session, ("session",)), UploadPanel(session)
        session.add(flights / "batch-2013-07-08.bin")
        say(upload, {"do": "upload"})
        eventually(lambda: line.session_facts["state"] == "unreachable" and upload.upload_facts["trouble"])
        assert line.session_facts["words"] == "the endpoint does not answer"
        assert "127.0.0.1:1" in upload.upload_facts["trouble"]
        eventually(lambda: not upload.upload_facts["busy"])
        assert upload.upload_facts["waiting"] + upload.upload_facts["failed"] == 1


def test_cancel_without_an_upload_does_no_harm(upload, say, failure):
    say(upload, {"do": "cancel"})
    assert failure(upload) == ""


def test_the_session_line_has_no_secret(session, flights):
    session.add(flights / "batch-2013-07-08.bin")
    session.upload()
    line = SessionPanel(session, ("session",))
    assert line.session_facts["state"] == "open"
    state = line.get_state()
    del state["_esm"]  # the script, packed
    assert session.session_id not in str(state)
    assert "/k/" not in str(state)


def test_refresh_shows_what_others_uploaded(session, say, flights, eventually, failure):
    session.add(flights / "batch-2013-07-08.bin")
    session.upload()
    line = SessionPanel(session, ("session",))
    with Session(session_id=session.session_id) as other:
        other.add(flights / "batch-2013-07-09.bin")
        other.upload()
    assert len(session.profiles) == 1
    say(line, {"do": "refresh"})
    eventually(lambda: len(session.profiles) == 2)
    assert failure(line) == ""


def test_what_others_uploaded_is_counted_a_moment_later(session, flights, eventually):
    session.add(flights / "batch-2013-07-08.bin")
    session.upload()
    picker = ProfilePicker(session)
    with Session(session_id=session.session_id) as other:
        other.add(flights / "batch-2013-07-09.bin")
        other.upload()
        known = other.profiles[-1]

    def counted():
        session.refresh()
        return session.profiles[-1].columns

    eventually(counted)
    assert (session.profiles[-1].rows, session.profiles[-1].columns) == (known.rows, known.columns)
    assert picker.rows == pack(session.profiles, [0, 1])


def test_what_others_uploaded_shows_by_itself(session, say, flights, eventually, failure):
    line = SessionPanel(session, ("session",))
    say(line, {"do": "look"})  # there is no session yet: nothing is asked
    assert session.state == "new"
    session.add(flights / "batch-2013-07-08.bin")
    session.upload()
    with Session(session_id=session.session_id) as other:
        other.add(flights / "batch-2013-07-09.bin")
        other.upload()
    say(line, {"do": "look"})
    eventually(lambda: len(session.profiles) == 2)
    assert failure(line) == ""


def test_looking_at_an_endpoint_that_is_away_says_so_in_the_line(say, eventually, failure):
    with Session(session_id="session-elsewhere", client=Songbird("http://127.0.0.1:1", retries=0)) as session:
        line = SessionPanel(session, ("session",))
        say(line, {"do": "look"})
        eventually(lambda: line.session_facts["state"] == "unreachable")
        assert failure(line) == ""

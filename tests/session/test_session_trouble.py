"""Endpoints that are not there, or not what they should be: each a clear message, and the rest goes on."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from songbird_widgets.client import ConfigurationError, EndpointUnreachable, ResponseError, Songbird, SongbirdError
from songbird_widgets.local import local_service
from songbird_widgets.session import Session, SessionError
from songbird_widgets.session import endpoint as endpoint_module


def session_at(endpoint):
    return Session(client=Songbird(endpoint, retries=0, timeout=60.0))


def test_an_unreachable_endpoint(nobody, profiles):
    session = session_at(nobody)
    session.add(profiles / "batch-2013-07-08.bin")
    with pytest.raises(EndpointUnreachable, match="127"):
        session.upload()
    assert session.state == "unreachable"
    assert session.notice.level == "error"
    assert not session.busy
    assert [profile.state for profile in session.profiles] == ["added"]
    session.select("2013-07-08")
    assert len(session.selection) == 1


@pytest.mark.parametrize(
    "body", [b"<html><title>Sign in</title></html>", b"", b"{}", b"[1]", b"\xff\xfe\x00"], ids=repr
)
def test_an_endpoint_that_is_none(endpoint_that, profiles, body):
    with endpoint_that(body=body) as endpoint:
        session = session_at(endpoint)
        session.add(profiles / "batch-2013-07-08.bin")
        with pytest.raises(ResponseError):
            session.upload()
        assert session.notice.level == "error"
        assert session.short_id == ""
        assert [profile.state for profile in session.profiles] == ["added"]


@pytest.mark.parametrize("endpoint", ["", "ftp://x", "songbird", "http://user:canary@host", "http://[::1"])
def test_an_address_that_is_none_is_refused_at_once(endpoint, session):
    for call in (Session, session.switch):
        with pytest.raises(ConfigurationError, match="endpoint from the argument endpoint is not an address") as caught:
            call(endpoint)
        assert "canary" not in str(caught.value)
    assert session.endpoint_label == "local service"


def test_an_address_of_the_environment_that_is_none_is_said_on_first_use(monkeypatch, profiles):
    monkeypatch.setenv("SONGBIRD_ENDPOINT", "http://user:canary@host")
    session = Session()
    session.add(profiles / "batch-2013-07-08.bin")
    with pytest.raises(ConfigurationError, match="variable SONGBIRD_ENDPOINT") as caught:
        session.upload()
    assert "canary" not in str(caught.value) + repr(session) + session.endpoint_label


def test_the_environment_names_the_endpoint_as_for_the_client(monkeypatch):
    for name in ("WHYLABS_API_ENDPOINT", "SONGBIRD_ENDPOINT"):
        monkeypatch.setenv(name, f"https://{name.lower().replace('_', '-')}.example.com/secret")
        session = Session()
        assert session.endpoint_label == Songbird().settings.origin
        assert "secret" not in repr(session)
    assert session.endpoint_label == "https://songbird-endpoint.example.com"


def test_a_foreign_endpoint_without_listing(endpoint_that, profiles):
    with endpoint_that(status=404, body=b'{"message": "no such route"}', content_type="application/json") as endpoint:
        session = Session(session_id="session-abcdefghijklmnopqr", client=Songbird(endpoint, retries=0))
        assert session.profiles == ()
        assert session.notice is None
        session.refresh()
        session.add(profiles / "batch-2013-07-08.bin")
        assert session.upload() == []
        assert session.profiles[0].state == "failed"


def test_a_link_that_is_no_address_is_not_shown(endpoint_that, profiles):
    body = b'{"id": "session-1234567", "observatoryUrl": "javascript:alert(1)", "individualObservatoryUrls": []}'
    with endpoint_that(body=body, content_type="application/json") as endpoint:
        session = session_at(endpoint)
        profile = session.add(profiles / "batch-2013-07-08.bin")[0]
        session._store.merge([replace(profile, profile_id="log-1", state="uploaded")])
        session._publish()
        session.select("2013-07-08")
        with pytest.raises(SessionError, match="no http"):
            _ = session.link
        assert session.current_link is None


def test_a_local_service_that_cannot_be_started(monkeypatch, profiles):
    def broken():
        raise local_service.LocalServiceError("The local service did not start. Disk full.")

    monkeypatch.setattr(local_service, "ensure", broken)
    session = Session()
    session.add(profiles / "batch-2013-07-08.bin")
    with pytest.raises(SessionError, match="Disk full"):
        session.upload()
    assert session.notice.text == "The local service did not start. Disk full."
    assert endpoint_module.local_service.ensure is broken


def test_a_data_directory_that_cannot_be_written(monkeypatch, tmp_path, profiles, endpoint_that):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "file" / "songbird"))
    with endpoint_that(status=500) as endpoint:
        session = session_at(endpoint)
        assert session.notice.level == "warning"
        assert "could not be finished after a restart" in session.notice.text
        session.add(profiles / "batch-2013-07-08.bin")
        with pytest.raises(SongbirdError, match="500"):
            session.upload()


def test_cancelling_keeps_what_arrived_and_the_rest_can_be_sent(session, profiles):
    session.add(str(profiles / "batch-*.bin"))
    started = threading.Event()

    def stop(change):
        if any(profile.state == "uploading" for profile in change["new"]):
            started.set()
            session.cancel()

    session.observe(stop, "profiles")
    landed = session.upload()
    session.unobserve(stop, "profiles")
    assert started.is_set()
    states = {profile.state for profile in session.profiles}
    assert states <= {"added", "uploaded"}
    assert [profile for profile in session.profiles if profile.state == "uploaded"] == landed
    rest = session.upload()
    assert len(landed) + len(rest) == 7
    assert not {profile.key for profile in landed} & {profile.key for profile in rest}


def test_cancelling_drops_uploads_that_wait_their_turn(session, profiles, eventually):
    gate, begun, landed = threading.Event(), threading.Event(), []
    session._uploads.submit(lambda: begun.set() or gate.wait(60))
    assert begun.wait(60)
    session.add(profiles / "batch-2013-07-08.bin")
    waiting = threading.Thread(target=lambda: landed.append(session.upload()))
    waiting.start()
    eventually(lambda: session._uploads._jobs)
    session.cancel()
    waiting.join(60)
    gate.set()
    assert landed == [[]]
    assert session.profiles[0].state == "added"


def test_an_upload_that_is_interrupted_while_it_begins_is_not_sent_later(session, profiles, monkeypatch):
    gate, begun, submit = threading.Event(), threading.Event(), session._uploads.submit
    submit(lambda: begun.set() or gate.wait(60))
    assert begun.wait(60)
    session.add(profiles / "batch-2013-07-08.bin")

    def interrupted(call):
        submit(call)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session._uploads, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.upload()
    last = submit(lambda: None)
    gate.set()
    last.result(60)
    assert session.profiles[0].state == "added"
    assert len(session.upload()) == 1


def test_what_nobody_foresaw_is_said_and_leaves_nothing_half_sent(session, profiles, monkeypatch):
    def broken(*_, **__):
        raise KeyError("http://host/?sessionToken=canary")

    session.add(profiles / "batch-2013-07-08.bin")
    with monkeypatch.context() as patch:
        patch.setattr("songbird_widgets.client.iter_uploads", broken)
        assert session.upload(wait=False) == []
        session._uploads.submit(lambda: None).result(120)
    assert session.notice.level == "error"
    assert "broke off (KeyError)" in session.notice.text
    assert "canary" not in session.notice.text
    assert not session.busy
    assert session.profiles[0].state == "added"
    assert len(session.upload()) == 1

"""No secret of a request reaches a log."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from songbird_widgets.service import app
from songbird_widgets.service.handler import Handler
from songbird_widgets.service.uploads import UploadHandler


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


def test_nothing_secret_is_logged(service, log):
    session = service.session()
    slot = service.announce(session)
    reference = service.announce_reference(session, alias="canary-alias")
    signature = parse_qs(urlsplit(slot["uploadUrl"]).query)["signature"][0]
    service.put(slot, b"canary-content")
    service.listed(session)
    body = {"referenceProfileIds": [reference["id"]]}
    observatory = service.call("POST", f"/v0/sessions/observatory-link/{session}", json=body).json()["observatoryUrl"]
    service.http.get(observatory)
    # what is wrong is logged no more openly than what is right
    service.call("GET", f"/v0/sessions/{session}", key=service.key)
    service.call("GET", f"/v0/sessions/{session}", key="canary-wrong-key")
    service.call("GET", f"/k/canary-wrong-secret/v0/sessions/{session}")
    service.call("POST", f"/v0/sessions/{session}/upload", content=b"canary-nonsense")
    service.call("POST", f"/v0/sessions/{session}/upload", json={"datasetTimestamp": "canary-time"})
    service.call("GET", f"/canary-path?canary-query={session}")
    service.call("DELETE", f"/v0/sessions/{session}/profiles/log-canary?canary=1")
    service.http.put(slot["uploadUrl"] + "0", content=b"x")
    service.call("PUT", "/uploads/log-canary?expires=x&signature=canary-signature", content=b"x")
    service.claim(session)
    service.put(slot, b"x")
    service.http.get(observatory)

    # The client under test runs in this process too, and logs what it likes.
    text = "\n".join(
        f"{log.handler.format(record)} {record.args}"
        for record in log.records
        if not record.name.startswith(("httpx", "httpcore"))
    )
    assert "create_session 200" in text
    assert "upload 200" in text
    assert "claim_guest_session 200" in text
    for secret in (
        session,
        session[-10:],
        signature,
        service.secret,
        service.key,
        service.signing_key,
        "canary",
    ):
        assert secret not in text
    assert slot["id"] not in text


def test_a_failure_is_logged_without_what_was_asked(own_service, log, monkeypatch):
    session = own_service.session()
    slot = own_service.announce_reference(session, alias="canary-alias")

    # A constraint that fails makes SQLAlchemy quote the statement's values, were it allowed to.
    monkeypatch.setattr("songbird_widgets.service.session_writes.random_text", lambda _: slot["id"][4:])
    answer = own_service.call("POST", f"/v0/sessions/{session}/reference", json={"alias": "canary-alias"})
    own_service.check(answer, 500)
    text = "\n".join(
        f"{log.handler.format(record)} {record.args}"
        for record in log.records
        if record.name.startswith(("songbird", "tornado", "asyncio", "sqlalchemy"))
    )
    assert "IntegrityError" in text
    assert "create_reference_profile_upload failed" in text
    assert session not in text
    assert "canary" not in text


@pytest.mark.parametrize("when", ["before a handler", "as a handler is made", "as a body comes"])
def test_a_failure_outside_of_handlers_is_answered_and_shows_nothing(
    own_service, log, shown_in_frames, monkeypatch, when
):
    session = own_service.session()
    slot = own_service.announce(session)

    def fail(*_):
        raise RuntimeError("canary of a mistake")

    if when == "before a handler":
        monkeypatch.setattr(app, "check_framing", fail)
    elif when == "as a handler is made":
        monkeypatch.setattr(Handler, "set_default_headers", fail)
    else:
        monkeypatch.setattr(UploadHandler, "data_received", fail)
    answer = own_service.call(
        "PUT",
        urlsplit(slot["uploadUrl"]).path,
        content=b"x",
        params=urlsplit(slot["uploadUrl"]).query,
        key=own_service.key,
    )
    assert "its log has the details" in own_service.check(answer, 500)
    failures = [record.exc_info[1] for record in log.records if record.exc_info]
    assert [str(error) for error in failures] == ["canary of a mistake"]
    text = "\n".join(line for error in failures for line in shown_in_frames(error))
    assert "server.py" in text
    query = urlsplit(slot["uploadUrl"]).query
    for secret in (own_service.key, query.partition("signature=")[2], slot["id"]):
        assert secret not in text


# What is asked, with what gives access in it; SESSION, PROFILE and QUERY (of an upload URL) are those of the test.
ASKED = {
    "create a session": ("POST", "/k/SECRET/v0/sessions", b'{"userId": "someone"}'),
    "what a session is": ("GET", "/v0/sessions/SESSION", b""),
    "delete a session": ("DELETE", "/v0/sessions/SESSION", b""),
    "a slot for a batch": ("POST", "/v0/sessions/SESSION/upload", b'{"datasetTimestamp": 0, "segmentTags": []}'),
    "a slot for a reference": ("POST", "/v0/sessions/SESSION/reference", b"{}"),
    "slots for references": ("POST", "/v0/sessions/SESSION/references", b'{"references": [{}]}'),
    "a link": ("POST", "/v0/sessions/observatory-link/SESSION", b'{"referenceProfileIds": ["PROFILE"]}'),
    "a claim": ("POST", "/v0/sessions/SESSION/claim?org_id=org-Canary", b""),
    "a listing": ("GET", "/v0/sessions/SESSION/profiles", b""),
    "delete a profile": ("DELETE", "/v0/sessions/SESSION/profiles/PROFILE", b""),
    "an upload": ("PUT", "/uploads/PROFILE?QUERY", b"some bytes"),
    "a large upload": ("PUT", "/uploads/PROFILE?QUERY", b"some bytes" * 200_000),
    "a slot of an organization": (
        "POST",
        "/v0/organizations/org-Canary/log/async/model-1",
        b'{"datasetTimestamp": 0, "segmentTags": []}',
    ),
    "the page of a session": ("GET", "/resources/DATASET/profiles?sessionToken=SESSION", b""),
    "the page of a profile": ("GET", "/resources/DATASET/profiles?profile=PROFILE&sessionToken=SESSION", b""),
    "a page over time": ("GET", "/resources/DATASET/trends?sessionToken=SESSION", b""),
    "the data of a page": ("GET", "/resources/DATASET/profiles.json?profile=PROFILE&sessionToken=SESSION", b""),
    "the page of an organization": ("GET", "/organizations/org-Canary", b""),
    "a sign-in": ("POST", "/sign-in", b"key=KEY"),
    "a page below a sign-in": ("GET", "/s/TOKEN/organizations/org-Canary", b""),
    "a sign-out": ("POST", "/s/TOKEN/sign-out", b""),
}


@pytest.fixture(scope="module")
def failing(serve_directory, tmp_path_factory):
    """A service that has lost its tables, with the words for what was in them, and the secrets among these."""
    with serve_directory(tmp_path_factory.mktemp("failing")) as service:
        session = service.session()
        slot = service.announce_reference(session)
        signed_in = service.http.post(f"{service.base}/sign-in", data={"key": service.key})
        secrets = {
            "SECRET": service.secret,
            "SESSION": session,
            "QUERY": urlsplit(slot["uploadUrl"]).query,
            "TOKEN": signed_in.headers["Location"].split("/")[1],
            "KEY": service.key,
        }
        with service.app.settings["metadata"]._database.transaction() as connection:
            for table in ("sessions", "profiles", "keys", "sign_ins", "days"):
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_gone")
        yield service, {**secrets, "PROFILE": slot["id"], "DATASET": slot["modelId"]}, secrets


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_no_frame_of_a_failure_holds_what_gives_access(failing, log, shown_in_frames, asked):
    service, names, secrets = failing
    method, path, content = asked
    for name, value in names.items():
        path, content = path.replace(name, value), content.replace(name.encode(), value.encode())
    headers = {"X-API-Key": service.key} if "claim" in path or ("/organizations" in path and "/s/" not in path) else {}
    headers |= {"Content-Type": "application/x-www-form-urlencoded"} if content.startswith(b"key=") else {}
    key = service.key if path == f"/v0/sessions/{secrets['SESSION']}" and method == "GET" else None
    answer = service.call(method, path, content=content, headers=headers, key=key)
    assert answer.status_code == 500, answer.text
    failures = [record.exc_info[1] for record in log.records if record.exc_info]
    assert failures
    text = "\n".join(line for error in failures for line in shown_in_frames(error))
    assert "handler.py" in text or "web.py" in text
    values = [*service.http.cookies.values(), secrets["QUERY"].partition("signature=")[2], *secrets.values()]
    assert [value for value in values if value in text] == []

"""No secret of a request reaches a log."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest


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

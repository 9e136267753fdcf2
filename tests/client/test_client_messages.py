"""The messages on the wire, and what is refused before anything is sent."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from songbird_widgets import client as c
from songbird_widgets.client.checks import check
from songbird_widgets.client.models import Request
from songbird_widgets.client.redaction import excerpt, origin_of, plain, redact, short_id
from songbird_widgets.secret import Secret

SESSION = "session-6LpLSESSIONCANARY"
L = c.LogReferenceRequest

BODIES = {
    c.CreateSessionRequest("u"): ("POST", "/v0/sessions", {"userId": "u"}),
    c.GetSessionRequest("s"): ("GET", "/v0/sessions/s", None),
    c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(0), "s"): (
        "POST",
        "/v0/sessions/s/upload",
        {"datasetTimestamp": 0, "segmentTags": []},
    ),
    c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(0, (c.SegmentTag("k", ""),), "eu"), "s"): (
        "POST",
        "/v0/sessions/s/upload",
        {"datasetTimestamp": 0, "segmentTags": [{"key": "k", "value": ""}], "region": "eu"},
    ),
    c.CreateReferenceProfileUploadRequest(L(), "s"): ("POST", "/v0/sessions/s/reference", {}),
    c.CreateReferenceProfileUploadRequest(L("a", 5, "eu"), "s"): (
        "POST",
        "/v0/sessions/s/reference",
        {"alias": "a", "datasetTimestamp": 5, "region": "eu"},
    ),
    c.BatchCreateReferenceProfileUploadRequest(c.BatchLogReferenceRequest((L("a"), L())), "s"): (
        "POST",
        "/v0/sessions/s/references",
        {"references": [{"alias": "a"}, {}]},
    ),
    c.ClaimGuestSessionRequest("o&=?/é", "a/b#%"): (
        "POST",
        "/v0/sessions/a%2Fb%23%25/claim?org_id=o%26%3D%3F%2F%C3%A9",
        None,
    ),
    c.GetSessionProfileObservatoryLinkRequest(c.GetProfileObservatoryLinkRequest((1,)), "s"): (
        "POST",
        "/v0/sessions/observatory-link/s",
        {"batchProfileTimestamps": [1], "referenceProfileIds": []},
    ),
    c.NameSessionRequest(c.SessionName("flights"), "s"): ("POST", "/v0/sessions/s/name", {"name": "flights"}),
    c.DeleteSessionRequest("s"): ("DELETE", "/v0/sessions/s", None),
    c.DeleteProfileRequest("log-1", "s"): ("DELETE", "/v0/sessions/s/profiles/log-1", None),
    c.ListSessionProfilesRequest("s"): ("GET", "/v0/sessions/s/profiles", None),
    c.ListSessionProfilesRequest("s", "5.log&1", 10): ("GET", "/v0/sessions/s/profiles?after=5.log%261&limit=10", None),
    c.GetProfileFilesRequest("m/1", "5", "s&t"): (
        "GET",
        "/resources/m%2F1/profiles.bin?profile=5&sessionToken=s%26t",
        None,
    ),
}


@pytest.mark.parametrize("message", BODIES, ids=lambda m: type(m).__name__)
def test_request_on_the_wire(message):
    method, target, body = BODIES[message]
    operation = message.operation
    check(message)
    assert (operation.method, operation.target(message)) == (method, target)
    content = operation.content(message)
    assert (None if content is None else json.loads(content)) == body


def test_operations_are_the_contracts():
    named = {kind.operation.name: kind for kind in Request.__subclasses__()}
    of_organizations = {
        "log_async",
        "log_reference",
        "get_profile_observatory_link",
        "list_dataset_profiles",
        "get_dataset_files",
    }
    assert set(named) == {
        "create_session",
        "get_session",
        "create_dataset_profile_upload",
        "create_reference_profile_upload",
        "batch_create_reference_profile_upload",
        "claim_guest_session",
        "get_session_profile_observatory_link",
        "list_session_profiles",
        "get_profile_files",
        "name_session",
        "delete_session",
        "delete_profile",
        *of_organizations,
    }
    assert {name for name, kind in named.items() if kind.operation.keyed} == {
        "get_session",
        "claim_guest_session",
        *of_organizations,
    }
    assert named["claim_guest_session"].answer() is c.ClaimGuestSessionResponse
    assert named["batch_create_reference_profile_upload"].answer() is c.BatchLogSessionReferenceResponse


def test_unknown_fields_are_tolerated_and_whylogs_requests_understood():
    asked = b'{"session_id": "x", "references": [{"alias": "test", "datasetTimestamp": 0, "new": []}]}'
    message = msgspec.json.decode(asked, type=c.BatchLogReferenceRequest)
    assert message.references == (L("test", 0),)
    asked = b'{"datasetTimestamp": 7, "segmentTags": [], "dataset": "model-1"}'
    assert msgspec.json.decode(asked, type=c.LogAsyncRequest) == c.LogAsyncRequest(7)
    assert msgspec.json.decode(b"{}", type=L) == L()


def test_reprs_show_no_secret():
    messages = [
        c.CreateSessionResponse(SESSION),
        c.GetSessionRequest(SESSION),
        c.GetSessionResponse(c.SessionMetadata(SESSION, "o", "m", "u")),
        c.CreateDatasetProfileUploadResponse(
            "log-1", "http://h:1/b?S=KEYCANARY", "m", f"http://x/r?sessionToken={SESSION}"
        ),
        c.GetProfileObservatoryLinkResponse(f"http://x/{SESSION}", (f"http://x/{SESSION}",)),
        c.ProfileUpload(b"KEYCANARY", "batch"),
        c.UploadResult("k", "uploaded", "ref-1", Secret(f"http://x/{SESSION}")),
    ]
    for message in messages:
        rich = getattr(message, "__rich_repr__", list)()
        for text in (repr(message), str(message), *map(repr, rich)):
            assert "CANARY" not in text
    assert "session-6LpL…" in repr(messages[0])
    assert "http://h:1/…" in repr(messages[3])


REFUSED = {
    "no user": (c.CreateSessionRequest(""), "user id is empty"),
    "user of spaces": (c.CreateSessionRequest(" \u200b\n"), "user id is empty"),
    "user no text": (c.CreateSessionRequest(7), "must be text, not int"),
    "user half a character": (c.CreateSessionRequest("a\ud83d"), "lone surrogate"),
    "user with NUL": (c.CreateSessionRequest("a\0b"), "user id holds characters that cannot be sent (NUL)"),
    "huge user": (c.CreateSessionRequest("x" * 10_000_000), "10000000 characters"),
    "no session": (c.GetSessionRequest(None), "session id must be text, not NoneType"),
    "empty session": (c.GetSessionRequest(""), "session id is empty"),
    "session with NUL": (c.GetSessionRequest(SESSION + "\x00"), "holds characters"),
    "session with line": (c.GetSessionRequest(SESSION + "\r\nX-Evil: 1"), "holds characters"),
    "session with RTL": (c.GetSessionRequest(SESSION + "\u202e"), "holds characters"),
    "session of dots": (c.ListSessionProfilesRequest(".."), "holds characters"),
    "long session": (c.GetSessionRequest("s" * 257), "257 characters"),
    "no organization": (c.ClaimGuestSessionRequest(None, "s"), "org id must be text"),
    "no time": (c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(None), "s"), "not NoneType"),
    "tag no tag": (c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(1, ("k",)), "s"), "SegmentTag"),
    "tag without key": (
        c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(1, (c.SegmentTag("", "v"),)), "s"),
        "segment tag's key is empty",
    ),
    "tag without value": (
        c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(1, (c.SegmentTag("k", None),)), "s"),
        "segment tag's value must be text",
    ),
    "empty region": (
        c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(1, (), " "), "s"),
        "region is empty",
    ),
    "empty alias": (c.CreateReferenceProfileUploadRequest(L("  "), "s"), "alias is empty"),
    "no references": (
        c.BatchCreateReferenceProfileUploadRequest(c.BatchLogReferenceRequest(()), "s"),
        "no references",
    ),
    "one alias empty": (
        c.BatchCreateReferenceProfileUploadRequest(c.BatchLogReferenceRequest((L("a"), L(""))), "s"),
        "alias is empty",
    ),
    "references no references": (
        c.BatchCreateReferenceProfileUploadRequest(c.BatchLogReferenceRequest(("a",)), "s"),
        "LogReferenceRequest",
    ),
    "nothing selected": (
        c.GetSessionProfileObservatoryLinkRequest(c.GetProfileObservatoryLinkRequest(), "s"),
        "No profile is selected",
    ),
    "four selected": (
        c.GetSessionProfileObservatoryLinkRequest(c.GetProfileObservatoryLinkRequest((0, 1), ("a", "b")), "s"),
        "4 profiles are selected, but a page shows at most 3. Take 1 away",
    ),
    "id in a link": (
        c.GetSessionProfileObservatoryLinkRequest(c.GetProfileObservatoryLinkRequest((), ("a b",)), "s"),
        "reference profile id holds",
    ),
    "seconds in a link": (
        c.GetSessionProfileObservatoryLinkRequest(c.GetProfileObservatoryLinkRequest((1373414400,)), "s"),
        "batch profile timestamp 1373414400 looks like seconds",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_sending(endpoint, case):
    message, words = REFUSED[case]
    with (
        c.Songbird(endpoint.endpoint, "key") as client,
        pytest.raises(c.ValidationError) as caught,
    ):
        client.send(message)
    assert words in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert isinstance(caught.value, ValueError)
    assert not endpoint.accepted


TIMES = {
    1373414400: "looks like seconds (2013-07-10), but milliseconds are expected. Multiply by 1000: 1373414400000.",
    1373414400000000: "looks like microseconds (2013-07-10), but milliseconds are expected. Divide by 1000",
    1373414400000000000: "looks like nanoseconds (2013-07-10)",
    20130710: "looks like a date (2013-07-10), but milliseconds are expected. Use that day's beginning: 1373414400000.",
    10**30: "is not a time",
    -1: "lies before 1970",
    1.5: "must be milliseconds since 1970 as an int, not float",
    True: "not bool",
    "1373414400000": "not str",
}


@pytest.mark.parametrize("value", TIMES)
def test_timestamps_refused(endpoint, value):
    with c.Songbird(endpoint.endpoint) as client, pytest.raises(c.ValidationError) as caught:
        client.create_dataset_profile_upload("s", value)
    assert TIMES[value] in str(caught.value)


def test_datetime_is_refused_with_the_conversion(endpoint):
    from datetime import datetime, timezone

    moment = datetime(2013, 7, 10, tzinfo=timezone.utc)
    with (
        c.Songbird(endpoint.endpoint) as client,
        pytest.raises(c.ValidationError, match=r"int\(moment.timestamp"),
    ):
        client.create_dataset_profile_upload("s", moment)


@pytest.mark.parametrize("value", [0, 5, 1373414400000, np.int64(1373414400000), 253_402_300_799_999])
def test_timestamps_accepted(endpoint, value):
    with c.Songbird(endpoint.endpoint) as client:
        client.create_dataset_profile_upload("s", value)
        client.get_session_profile_observatory_link("s", [value])
    assert json.loads(endpoint.seen[0].body)["datasetTimestamp"] == int(value)


def test_one_text_is_no_list_of_ids(endpoint):
    with c.Songbird(endpoint.endpoint) as client, pytest.raises(c.ValidationError, match="not one text"):
        client.get_session_profile_observatory_link("s", (), "ref-1")


def test_what_is_shown_of_secrets():
    assert short_id("session-6LpLjnAE") == "session-6LpL…"
    assert short_id("session-abc") == "session-…"
    assert short_id("abcdefghijklmnop") == "abcd…"
    assert short_id("") == "…"
    assert origin_of("https://user:pw@h.example:1/k/x?y") == "https://h.example:1"
    assert origin_of("nonsense\n") == "(no URL)"
    assert plain("a\x00b\u202ec\r\n d") == "a b c d"
    assert redact("see https://h/a?b=c and x?key=v1&k2=v2", ()) == "see https://h/… and x?key=…&k2=…"
    assert redact("50%2F1 abc/1", ["50/1", "abc/1"]) == "… …"
    assert excerpt(b"<b>KEYCAN</b>ARY", ["KEYCANARY"]) == "KEYCAN ARY"
    assert excerpt(b"KEY<!-- -->CANARY", ["KEYCANARY"]) == "KEY CANARY"
    assert excerpt(b"x" * 1000, ()) == "x" * 159 + "…"
    assert excerpt("é".encode()[:1] + b"\x00ok", ()) == "\ufffd ok"
    assert excerpt(b"", ()) == ""

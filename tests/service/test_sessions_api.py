"""The sessions API against the wire contract."""

from __future__ import annotations

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from songbird_widgets.service import handler

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
DAY = 86_400_000
JULY_8 = 1_373_241_600_000


def query(link):
    return parse_qsl(urlsplit(link).query)


OPERATIONS = [
    ("GET", "/v0/sessions/{}", None),
    ("POST", "/v0/sessions/{}/upload", {"datasetTimestamp": 0, "segmentTags": []}),
    ("POST", "/v0/sessions/{}/reference", {}),
    ("POST", "/v0/sessions/{}/references", {"references": [{"alias": "test", "datasetTimestamp": 0}]}),
    ("POST", "/v0/sessions/observatory-link/{}", {"batchProfileTimestamps": [0]}),
    ("POST", "/v0/sessions/{}/claim?org_id=org-Canary", None),
    ("GET", "/v0/sessions/{}/profiles", None),
]


def test_a_session_id_cannot_be_guessed(service):
    ids = {service.session() for _ in range(20)}
    assert len(ids) == 20
    # 22 characters of 62 carry 131 bits.
    assert all(re.fullmatch("session-[A-Za-z0-9]{22,}", session) for session in ids)


@pytest.mark.parametrize("prefix", ["", "/k/wrong", "/k/", "/k/{}x", "/k/%00", "/k/ü"])
def test_sessions_are_created_with_the_secret_only(service, prefix):
    service.check(service.call("POST", prefix.format(service.secret) + "/v0/sessions", json={"userId": "someone"}), 403)


def test_everything_else_answers_with_and_without_the_secret(service, session):
    for prefix in ("", f"/k/{service.secret}"):
        assert service.call("GET", f"{prefix}/v0/sessions/{session}", key=service.key).status_code == 200
        assert service.call("GET", f"{prefix}/v0/sessions/{session}/profiles").status_code == 200
    service.check(service.call("GET", f"/k/wrong/v0/sessions/{session}/profiles"), 403)


def test_get_session_needs_a_known_key(service, session):
    path = f"/v0/sessions/{session}"
    service.check(service.call("GET", path), 401)
    # the key that whylogs sends in guest sessions
    service.check(service.call("GET", path, key="xxxxxxxxxx." + "x" * 50), 401)
    service.check(service.call("GET", path, key=service.key[:-1]), 401)
    body = service.call("GET", path, key=service.key).json()
    assert set(body) == {"session"}
    assert body["session"].pop("orgId").startswith("org-")
    assert body["session"] == {"sessionId": session, "modelId": "model-1", "userId": "someone"}


def test_a_batch_is_announced_and_uploaded(service, session):
    slot = service.announce(session, JULY_8 + 5 * 3_600_000)
    assert set(slot) == {"id", "datasetId", "modelId", "observatoryUrl", "uploadUrl", "uploadTimestamp"}
    assert slot["uploadTimestamp"] > 1_700_000_000_000
    assert re.fullmatch("log-[A-Za-z0-9]{16}", slot["id"])
    assert slot["datasetId"] == slot["modelId"] == "model-1"
    assert slot["observatoryUrl"].startswith(f"{service.base}/resources/model-1/profiles?")
    assert query(slot["observatoryUrl"]) == [("profile", str(JULY_8)), ("sessionToken", session)]
    assert service.listed(session) == []

    content = (PROFILES / "batch-2013-07-08.bin").read_bytes()
    answer = service.put(slot, content)
    assert (answer.status_code, answer.content) == (200, b"")
    (profile,) = service.listed(session)
    assert profile.pop("uploadTimestamp") > 1_700_000_000_000
    assert profile == {
        "id": slot["id"],
        "kind": "batch",
        "datasetTimestamp": JULY_8 + 5 * 3_600_000,
        "size": len(content),
        "sha256": sha256(content).hexdigest(),
    }


def test_references_are_announced_and_uploaded(service, session):
    asked = [
        {"alias": "foo", "datasetTimestamp": 0},
        {"alias": "foo"},
        {"alias": "bar"},
        {"alias": "\u202e<b>\n"},
    ]
    body = service.call(
        "POST",
        f"/v0/sessions/{session}/references",
        json={"references": asked, "session_id": session, "dataset": 1},
    ).json()
    slots = body["references"]
    assert [slot["alias"] for slot in slots] == ["foo", "foo", "bar", "\u202e<b>\n"]
    assert len({slot["id"] for slot in slots}) == 4
    for slot in slots:
        assert set(slot) == {"id", "modelId", "alias", "observatoryUrl", "uploadUrl", "uploadTimestamp"}
        assert re.fullmatch("ref-[A-Za-z0-9]{16}", slot["id"])
        assert query(slot["observatoryUrl"]) == [("profile", slot["id"]), ("sessionToken", session)]
    assert query(body["observatoryUrl"]) == [
        *(("profile", slot["id"]) for slot in slots[:3]),
        ("sessionToken", session),
    ]
    for slot in reversed(slots):
        assert service.put(slot, slot["id"].encode()).status_code == 200
    assert [profile["id"] for profile in service.listed(session)] == [slot["id"] for slot in reversed(slots)]


def test_a_reference_without_an_alias_is_called_by_its_id(service, session):
    slot = service.call("POST", f"/v0/sessions/{session}/reference", json={}).json()
    assert slot["alias"] == slot["id"]
    service.put(slot)
    assert "alias" not in service.listed(session)[0]


def test_the_probe_of_whylogs_is_never_listed(service, session):
    probe = {"references": [{"alias": "test", "datasetTimestamp": 0}], "session_id": session}
    assert service.call("POST", f"/v0/sessions/{session}/references", json=probe).status_code == 200
    assert service.listed(session) == []


def test_a_listing_can_be_read_in_parts_and_later_for_what_is_new(service, session):
    def page(**parameters):
        answer = service.call("GET", f"/v0/sessions/{session}/profiles", params=parameters)
        return answer.json()

    for number in range(5):
        service.put(service.announce(session), b"%d" % number)
    whole = service.listed(session)
    seen, after = [], ""
    while after is not None:
        part = page(limit=2, after=after)
        assert 1 <= len(part["profiles"]) <= 2
        seen += part["profiles"]
        after = part.get("next")
    assert seen == whole
    last = f"{whole[-1]['uploadTimestamp']}.{whole[-1]['id']}"
    assert page(limit=2, after=last)["profiles"] == []
    later = service.announce(session)
    service.put(later)
    assert [profile["id"] for profile in page(limit=2, after=last)["profiles"]] == [later["id"]]


@pytest.mark.parametrize(
    ("parameter", "value"), [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("after", "x"), ("after", "1.é")]
)
def test_a_part_that_makes_no_sense_is_refused(service, session, parameter, value):
    answer = service.call("GET", f"/v0/sessions/{session}/profiles", params={parameter: value})
    service.check(answer, 400, parameter)


def link(service, session, **selection):
    return service.call("POST", f"/v0/sessions/observatory-link/{session}", json=selection)


def test_links_name_references_first_and_then_days(service, session):
    one, two = (service.announce_reference(session)["id"] for _ in range(2))
    later, earlier = JULY_8 + 3 * DAY + 1, JULY_8 + DAY - 1
    body = link(service, session, batchProfileTimestamps=[later, earlier], referenceProfileIds=[two, one]).json()
    assert set(body) == {"observatoryUrl", "individualObservatoryUrls"}
    days = [str(JULY_8 + 3 * DAY), str(JULY_8)]
    assert query(body["observatoryUrl"]) == [
        *(("profile", name) for name in (two, one, days[0])),  # the fourth is in no page of three
        ("sessionToken", session),
    ]
    assert [query(single) for single in body["individualObservatoryUrls"]] == [
        [("profile", name), ("sessionToken", session)] for name in (two, one, *days)
    ]


def test_a_day_named_twice_is_shown_once(service, session):
    body = link(service, session, batchProfileTimestamps=[JULY_8, JULY_8 + 1, JULY_8 + DAY, JULY_8 + 2 * DAY]).json()
    assert [value for name, value in query(body["observatoryUrl"]) if name == "profile"] == [
        str(JULY_8 + days * DAY) for days in range(3)
    ]
    assert len(body["individualObservatoryUrls"]) == 4


@pytest.mark.parametrize("selection", [{}, {"batchProfileTimestamps": [], "referenceProfileIds": []}])
def test_an_empty_selection_is_refused(service, session, selection):
    assert "Nothing is selected" in service.check(link(service, session, **selection), 400)


def test_unknown_references_are_named(service, session):
    other = service.announce_reference(service.session())["id"]
    batch = service.announce(session)["id"]
    mine = service.announce_reference(session)["id"]
    answer = link(service, session, referenceProfileIds=[mine, other, batch, "ref-nonsense"])
    message = service.check(answer, 404, "referenceProfileIds")
    assert all(name in message for name in (other, batch, "ref-nonsense"))
    assert mine not in message


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_an_unknown_session_is_not_found(service, method, path, body):
    session = "session-" + "z" * 24
    message = service.check(service.call(method, path.format(session), key=service.key, json=body), 404)
    assert re.fullmatch("Resource session with ID session-.* not found.", message)
    assert session not in message


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("upload", {}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": True}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": "1"}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": 1.5}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": None}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": -1}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": 253_402_300_800_000}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": 10**30}, "datasetTimestamp"),
        ("upload", {"datasetTimestamp": 1, "segmentTags": {}}, "segmentTags"),
        ("upload", {"datasetTimestamp": 1, "segmentTags": [{"key": "a"}]}, "segmentTags[0].value"),
        ("upload", {"datasetTimestamp": 1, "segmentTags": [{"key": "", "value": ""}]}, "segmentTags[0].key"),
        ("upload", {"datasetTimestamp": 1, "region": 7}, "region"),
        ("reference", {"alias": 7}, "alias"),
        ("reference", {"alias": ""}, "alias"),
        ("reference", {"alias": "a\0b"}, "alias"),
        ("reference", {"alias": "x" * 1_001}, "alias"),
        ("reference", {"datasetTimestamp": -5}, "datasetTimestamp"),
        ("references", {}, "references"),
        ("references", {"references": []}, "references"),
        ("references", {"references": [{}] * 1_001}, "references"),
        ("references", {"references": [{}, {"alias": []}]}, "references[1].alias"),
        ("references", {"references": [{}, {"alias": ""}]}, "references[1].alias"),
        ("observatory", {"batchProfileTimestamps": 7}, "batchProfileTimestamps"),
        ("observatory", {"batchProfileTimestamps": [0, -1]}, "batchProfileTimestamps[1]"),
        ("observatory", {"referenceProfileIds": [7]}, "referenceProfileIds[0]"),
        ("observatory", {"referenceProfileIds": ["a"] * 1_001}, "referenceProfileIds"),
        ("create", {}, "userId"),
        ("create", {"userId": None}, "userId"),
        ("create", {"userId": ""}, "userId"),
        ("create", {"userId": "x" * 100_000}, "userId"),
    ],
)
def test_a_wrong_argument_is_named(service, session, path, body, parameter):
    paths = {
        "observatory": f"/v0/sessions/observatory-link/{session}",
        "create": f"/k/{service.secret}/v0/sessions",
    }
    url = paths.get(path, f"/v0/sessions/{session}/{path}")
    message = service.check(service.call("POST", url, json=body), 400, parameter)
    assert parameter in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b"{",
        b'{"datasetTimestamp": NaN}',
        b'{"datasetTimestamp": Infinity}',
        b'{"datasetTimestamp": 1, "x": "\\ud800"}',
        b'{"datasetTimestamp": 1, "region": "\xff"}',
        b'{"datasetTimestamp": 1, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(service, session, content):
    service.check(service.call("POST", f"/v0/sessions/{session}/upload", content=content), 400)


def test_times_at_the_ends_are_taken(service, session):
    for timestamp in (0, 253_402_300_799_999):
        slot = service.announce(session, timestamp)
        assert query(slot["observatoryUrl"])[0] == ("profile", str(timestamp // DAY * DAY))


def test_a_message_is_of_bounded_size(service, session):
    huge = b'{"alias": "' + b"x" * 10_000_000 + b'"}'
    service.check(service.call("POST", f"/v0/sessions/{session}/reference", content=huge), 413)

    def pieces():
        for _ in range(100):
            yield b"x" * 100_000

    service.check(service.call("POST", f"/v0/sessions/{session}/reference", content=pieces()), 413)


def test_request_ids_are_echoed_when_they_are_sensible(service):
    given = "018f-abc.DEF:9_"
    assert service.call("GET", "/nothing", headers={"X-Request-Id": given}).json()["requestId"] == given
    for nonsense in ("x" * 129, "with space", "<b>", "ü".encode()):
        answer = service.call("GET", "/nothing", headers={"X-Request-Id": nonsense})
        assert re.fullmatch("[0-9a-f]{32}", answer.json()["requestId"])
        service.check(answer, 404)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "[::"])
def test_only_names_of_this_machine_are_answered(service, host):
    service.check(service.call("GET", "/v0/sessions/x/profiles", headers={"Host": host}), 403)


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "LOCALHOST", "[::1]:1"])
def test_links_use_the_host_that_was_asked(service, session, host):
    body = {"batchProfileTimestamps": [JULY_8]}
    answer = service.call("POST", f"/v0/sessions/observatory-link/{session}", json=body, headers={"Host": host})
    assert answer.json()["observatoryUrl"].startswith(f"http://{host}/resources/")


def test_an_id_that_is_no_text_is_malformed(service):
    service.check(service.call("GET", "/v0/sessions/%ff/profiles"), 400)
    service.check(service.call("GET", "/v0/sessions/%00%0a/profiles"), 404)
    service.check(service.call("POST", "/v0/sessions/x/claim?org_id=%ff", key=service.key), 400)


def test_a_refusal_before_any_handler_arrives_after_a_large_body(service):
    for path, status in (("/nowhere", 404), ("/k/wrong/uploads/log-x", 403), ("/uploads/ü/x", 404)):
        service.check(service.call("PUT", path, content=bytes(4 << 20)), status)


def test_wrong_addresses_and_methods_are_refused_in_shape(service, session):
    service.check(service.call("GET", "/nowhere"), 404)
    service.check(service.call("GET", "/v0"), 404)
    service.check(service.call("PATCH", f"/v0/sessions/{session}"), 405)
    service.check(service.call("GET", f"/v0/sessions/{session}/upload"), 405)
    service.check(service.call("BREW", f"/v0/sessions/{session}"), 405)


def test_who_asks_by_another_method_is_told_which_there_are(service, session):
    asked = {
        f"/v0/sessions/{session}": "GET, DELETE",
        f"/v0/sessions/{session}/upload": "POST",
        "/uploads/log-1": "PUT",
        f"/resources/model-1/profiles?sessionToken={session}": "GET, HEAD",
    }
    said = {path: service.call("OPTIONS", path) for path in asked}
    assert {answer.status_code for answer in said.values()} == {405}
    assert {path: answer.headers["Allow"] for path, answer in said.items()} == asked


def test_answers_are_kept_by_nobody_and_framed_by_nobody(service, session):
    headers = service.call("GET", f"/v0/sessions/{session}/profiles").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


def test_a_claim_moves_the_profiles_and_ends_the_session(service):
    session = service.session()
    slots = [service.announce(session), service.announce_reference(session)]
    late = service.announce(session, JULY_8 + DAY)
    for slot in slots:
        service.put(slot, (PROFILES / "batch-2013-07-08.bin").read_bytes())
    old_link = slots[0]["observatoryUrl"]
    assert service.http.get(old_link).status_code == 200

    metadata = service.app.settings["metadata"]
    before = {dataset.id for dataset in metadata.datasets(service.organization)}
    answer = service.claim(session)
    assert (answer.status_code, answer.json()) == (200, {})
    (dataset,) = [dataset for dataset in metadata.datasets(service.organization) if dataset.id not in before]
    assert re.fullmatch("model-[0-9]+", dataset.id)
    assert dataset.profiles == 2
    assert [row.id for row in metadata.profiles(service.organization, dataset.id)] == [slot["id"] for slot in slots]

    for method, path, body in OPERATIONS:
        message = service.check(service.call(method, path.format(session), key=service.key, json=body), 410)
        assert "claimed" in message
        assert service.organization in message
    for slot in (*slots, late):
        assert "claimed" in service.check(service.put(slot), 410)
    assert service.http.get(old_link).status_code == 410

    page = service.call("GET", f"/resources/{dataset.id}/profiles?profile={JULY_8}", key=service.key)
    assert page.status_code == 200
    assert service.call("GET", f"/organizations/{service.organization}", key=service.key).status_code == 200


def test_each_claim_gets_a_dataset_of_its_own(service):
    for _ in range(2):
        session = service.session()
        service.put(service.announce(session))
        assert service.claim(session).status_code == 200
    datasets = service.app.settings["metadata"].datasets(service.organization)
    assert len({dataset.id for dataset in datasets}) == len(datasets) >= 2
    assert all(dataset.profiles for dataset in datasets[-2:])


def test_a_claim_that_is_refused_changes_nothing(service, session):
    service.put(service.announce(session))
    service.check(service.claim(session, key=None), 401)
    service.check(service.claim(session, key="xxxxxxxxxx.nonsense"), 401)
    service.check(service.claim(session, organization="org-other"), 403, "org_id")
    service.check(service.call("POST", f"/v0/sessions/{session}/claim", key=service.key), 400, "org_id")
    assert len(service.listed(session)) == 1


def test_of_two_claims_at_once_one_succeeds(service):
    session = service.session()
    service.put(service.announce(session))
    before = len(service.app.settings["metadata"].datasets(service.organization))
    barrier = threading.Barrier(6)

    def claim(_):
        barrier.wait()
        return service.claim(session).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(claim, range(6))) == [200] + [410] * 5
    assert len(service.app.settings["metadata"].datasets(service.organization)) == before + 1


def test_more_than_can_be_done_in_time_is_put_off(service, session, monkeypatch):
    monkeypatch.setattr(handler, "MAX_WAITING", 0)
    answer = service.call("GET", f"/v0/sessions/{session}/profiles")
    service.check(answer, 429)
    assert answer.headers["Retry-After"] == "1"
    monkeypatch.undo()
    assert service.listed(session) == []


def test_what_fails_inside_is_an_internal_error_and_no_more(own_service, caplog):
    session = own_service.session()
    own_service.app.settings["metadata"]._database._engine.dispose()
    (own_service.directory / "songbird.db").rename(own_service.directory / "away.db")
    for name in ("songbird.db-wal", "songbird.db-shm"):
        (own_service.directory / name).unlink(missing_ok=True)
    (own_service.directory / "songbird.db").mkdir()
    answer = own_service.call("GET", f"/v0/sessions/{session}/profiles", headers={"X-Request-Id": "the-one"})
    own_service.check(answer, 500)
    assert answer.json()["type"] == "Internal"
    assert "the-one" in caplog.text
    assert "Traceback" in caplog.text
    assert session not in caplog.text


def test_a_timestamp_may_be_a_double_without_a_fraction(service, session):
    slot = service.call(
        "POST",
        f"/v0/sessions/{session}/upload",
        content=b'{"datasetTimestamp": 1359763200000.0}',
    ).json()
    assert query(slot["observatoryUrl"])[0] == ("profile", "1359763200000")
    answer = service.call("POST", f"/v0/sessions/{session}/upload", content=b'{"datasetTimestamp": 1359763200000.5}')
    assert (answer.status_code, answer.json()["parameter"]) == (400, "datasetTimestamp")


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: twelve",
        "Content-Length: -1",
        "Content-Length: 2, 3",
        "Content-Length: " + "9" * 5000,
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
    ],
)
@pytest.mark.parametrize("line", ["POST /v0/sessions/x/upload", "GET /v0/sessions/x", "GET /health", "PUT /nowhere"])
def test_a_request_of_unknown_length_gets_the_contracts_error_and_its_connection_ends(service, framing, line):
    address = urlsplit(service.base)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: {address.netloc}\r\n{framing}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(json.loads(body)) == {"message", "requestId", "type", "parameter"}

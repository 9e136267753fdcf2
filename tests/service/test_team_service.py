"""The service for a team: replicas over PostgreSQL and an object store, to which uploads go straight."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from songbird_widgets.secret import Secret
from songbird_widgets.service import direct_uploads
from songbird_widgets.service.app import close_app
from songbird_widgets.service.settings import TeamSettings
from songbird_widgets.service.team import data_directory, make_team_app

JULY_8 = 1_373_241_600_000
KEY = "publicpart.canarykey" + "x" * 40 + ":org-1"


class Replica:
    """One replica as its clients see it."""

    def __init__(self, base, app, http):
        self.base, self.app, self.http = base, app, http

    def ask(self, method, path, status=200, **options):
        answer = self.http.request(method, self.base + path, **options)
        assert answer.status_code == status, answer.text
        return answer

    def session(self):
        return self.ask("POST", "/v0/sessions", json={"userId": "someone"}).json()["id"]

    def slot(self, session):
        body = {"datasetTimestamp": JULY_8, "segmentTags": []}
        return self.ask("POST", f"/v0/sessions/{session}/upload", json=body).json()

    def put(self, slot, content):
        answer = self.http.put(slot["uploadUrl"], content=content)
        assert answer.status_code == 200, answer.text

    def listed(self, session):
        return self.ask("GET", f"/v0/sessions/{session}/profiles").json()["profiles"]

    @property
    def direct(self):
        return self.app.settings["direct_uploads"]


@pytest.fixture
def settings(postgresql, object_store):
    return TeamSettings(
        database_url=postgresql.database(), storage=object_store.place(), storage_endpoint=object_store.endpoint
    )


@pytest.fixture
def start(serve):
    """Start a replica with these settings: ``with start(settings) as replica``."""

    @contextmanager
    def running(settings):
        with ExitStack() as stack:
            directory = stack.enter_context(data_directory(settings))
            http = stack.enter_context(httpx.Client(timeout=60, trust_env=False))
            base, app = stack.enter_context(
                serve(lambda: make_team_app(settings, directory), close_app, max_body_size=1 << 20)
            )
            yield Replica(base, app, http)

    return running


@pytest.fixture
def replicas(start, settings):
    with start(settings) as first, start(settings) as second:
        yield first, second


def test_an_upload_goes_straight_to_the_store_and_every_replica_shows_it(replicas, profile_bytes, object_store):
    first, second = replicas
    content = profile_bytes("batch-2013-07-08.bin")
    session = first.session()
    slot = second.slot(session)
    assert slot["uploadUrl"].startswith(object_store.endpoint + "/")
    assert first.listed(session) == []
    first.put(slot, content)
    (listed,) = second.listed(session)
    assert (listed["id"], listed["size"], listed["sha256"]) == (slot["id"], len(content), sha256(content).hexdigest())
    assert first.listed(session) == [listed]
    page = first.http.get(slot["observatoryUrl"])
    assert page.status_code == 200
    assert "2013-07-08" in page.text
    link = slot["observatoryUrl"].replace("/profiles?", "/profiles.bin?")
    assert second.http.get(link).content == content


def test_those_who_look_at_once_share_what_is_asked_of_the_store(replicas, monkeypatch, eventually):
    replica, store = replicas[0], replicas[0].app.settings["blobs"]
    session, lists, list_incoming = replica.session(), [], store.list_incoming
    looks, asked = replica.direct._looks, []
    run = looks.run

    def counted(scope=""):
        lists.append(scope)
        eventually(lambda: len(asked) == 6)
        return list_incoming(scope)

    def ask(scope, look):
        asked.append(scope)
        run(scope, look)

    slot = replica.slot(session)
    replica.put(slot, b"some bytes")
    monkeypatch.setattr(store, "list_incoming", counted)
    monkeypatch.setattr(looks, "run", ask)
    replica.slot(session)  # one that stays open
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: replica.listed(session), range(6)))
    assert [[one["id"] for one in listed] for listed in found] == [[slot["id"]]] * 6
    assert 1 <= len(lists) <= 3


def test_replicas_that_look_at_once_take_an_upload_once(replicas):
    session = replicas[0].session()
    slots = [replicas[0].slot(session) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda numbered: replicas[0].put(numbered[1], b"%d" % numbered[0]), enumerate(slots)))
        looks = list(pool.map(lambda n: replicas[n % 2].listed(session), range(6)))
    assert sorted(one["id"] for one in looks[-1]) == sorted(slot["id"] for slot in slots)
    assert replicas[0].listed(session) == replicas[1].listed(session) == max(looks, key=len)
    day = replicas[0].app.settings["metadata"].days(*_dataset(replicas[0], session))
    assert [(one.uploads, one.size) for one in day] == [(12, 14)]


def _dataset(replica, session):
    row = replica.app.settings["metadata"].session(session)
    return row.org_id, row.dataset_id


def test_a_claim_takes_what_the_store_has_and_what_arrives_there_later(replicas):
    first, second = replicas
    first.app.settings["metadata"].add_organization("org-1", Secret(KEY))
    session = first.session()
    early, late, never = (first.slot(session) for _ in range(3))
    first.put(early, b"early")
    second.ask("POST", f"/v0/sessions/{session}/claim?org_id=org-1", headers={"X-API-Key": KEY})
    second.put(late, b"late")  # the store knows nothing of the claim, and says that it has it
    first.direct.sweep()
    for replica in replicas:
        replica.ask("GET", f"/v0/sessions/{session}/profiles", status=410)
        rows = replica.app.settings["metadata"].profiles("org-1", "model-1")
        assert [row.id for row in rows] == [early["id"], late["id"]]
    assert never["id"] not in second.ask("GET", "/organizations/org-1", headers={"X-API-Key": KEY}).text


def test_what_the_store_takes_counts_in_the_quota_of_its_session(start, settings):
    with start(replace(settings, quotas={"session_bytes": "1MB"})) as replica:
        session, other = replica.session(), replica.session()
        first, second, third = (replica.slot(session) for _ in range(3))
        replica.put(first, b"1" * 600_000)
        replica.direct.sweep()
        replica.put(second, b"2" * 600_000)
        # Nobody has looked since: who asks for another slot does.
        body = {"datasetTimestamp": JULY_8, "segmentTags": []}
        refused = replica.ask("POST", f"/v0/sessions/{session}/upload", status=413, json=body)
        assert "This session holds 1.2 MB, and a guest session may hold 1.0 MB here" in refused.json()["message"]
        replica.put(third, b"3")  # a slot that was given out stays good: what the store has confirmed is kept
        assert [one["size"] for one in replica.listed(session)] == [600_000, 600_000, 1]
        replica.slot(other)


def test_what_is_put_again_is_taken_again_and_what_is_old_is_cleared_away(replicas, monkeypatch, eventually):
    first, second = replicas
    session = first.session()
    slot = first.slot(session)
    first.put(slot, b"first")
    assert [one["size"] for one in first.listed(session)] == [5]
    first.put(slot, b"another")
    second.direct.sweep()
    assert [one["sha256"] for one in first.listed(session)] == [sha256(b"another").hexdigest()]
    store = first.app.settings["blobs"]
    assert len(list(store.list_incoming())) == 1
    monkeypatch.setattr(direct_uploads, "EXPIRED_SECONDS", 0)
    first.put(slot, b"at last")

    def is_cleared():
        first.direct.sweep()  # what is taken is not removed in the same breath
        second.direct.sweep()
        return not list(store.list_incoming())

    eventually(is_cleared, pause=0.2)  # stores keep times in seconds
    assert [one["sha256"] for one in second.listed(session)] == [sha256(b"at last").hexdigest()]
    assert store.read(sha256(b"at last").hexdigest()) == b"at last"


def test_what_is_replaced_after_it_was_seen_is_not_read_as_what_was_seen(replicas):
    replica, store = replicas[0], replicas[0].app.settings["blobs"]
    session = replica.session()
    slot = replica.slot(session)
    replica.put(slot, b"small")
    (seen,) = store.list_incoming()
    replica.put(slot, b"larger than what was seen")
    with pytest.raises(FileNotFoundError):
        store.read_incoming(seen)
    assert [one["size"] for one in replica.listed(session)] == [25]


def test_what_is_too_large_or_has_no_slot_is_not_taken(replicas, monkeypatch):
    first, second = replicas
    session = first.session()
    slot = first.slot(session)
    monkeypatch.setattr(direct_uploads, "MAX_PROFILE_BYTES", 10)
    first.put(slot, b"x" * 11)
    store = first.app.settings["blobs"]
    first.http.put(store.upload_url("f" * 24, "log-unknown", 60), content=b"x")
    second.direct.sweep()
    assert first.listed(session) == []
    assert len(list(store.list_incoming())) == 2


def test_a_database_and_a_store_that_are_away_are_said_to_be(start, settings, postgresql):
    with start(settings) as replica:
        session = replica.session()
        slot = replica.slot(session)
        postgresql.stop("immediate")
        try:
            answer = replica.ask("GET", f"/v0/sessions/{session}/profiles", status=503)
            assert answer.headers["Retry-After"] == "2"
            assert answer.json()["type"] == "Unavailable"
            replica.ask("GET", "/ready", status=503)
            replica.ask("GET", "/health")
            replica.put(slot, b"meanwhile")
        finally:
            postgresql.start()
        replica.ask("GET", "/ready")
        assert [one["id"] for one in replica.listed(session)] == [slot["id"]]
    away = TeamSettings(
        database_url=settings.database_url, storage="s3://songbird/x", storage_endpoint="http://127.0.0.1:1"
    )
    with start(away) as replica:
        session = replica.session()
        assert replica.listed(session) == []  # it has no slot, so the store need not be asked
        replica.slot(session)
        answer = replica.ask("GET", f"/v0/sessions/{session}/profiles", status=503)
        assert "object store" in answer.json()["message"]
        replica.ask("GET", "/ready", status=503)


def test_a_team_can_begin_with_one_directory(start, tmp_path, profile_bytes):
    with start(TeamSettings(public_url="https://songbird.example.com/base", data_dir=tmp_path)) as replica:
        session = replica.session()
        slot = replica.slot(session)
        base = "https://songbird.example.com/base/"
        assert slot["uploadUrl"].startswith(f"{base}uploads/")
        assert slot["observatoryUrl"].startswith(f"{base}resources/")
        replica.put(
            {"uploadUrl": slot["uploadUrl"].replace(base, replica.base + "/")}, profile_bytes("batch-2013-07-08.bin")
        )
        assert len(replica.listed(session)) == 1
        page = replica.http.get(slot["observatoryUrl"].replace(base, replica.base + "/"), headers={"Host": "pod-1"})
        assert page.status_code == 200


@pytest.fixture
def serving(tmp_path, object_store):
    """Start ``songbird-widgets serve`` in a process; returns it and its address, and ends it."""
    started = []

    def start(arguments, environment):
        log = (tmp_path / f"log-{len(started)}").open("w+")
        process = subprocess.Popen(
            [sys.executable, "-m", "songbird_widgets", "serve", "--bind", "127.0.0.1:0", *arguments],
            env={**os.environ, **object_store.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        started.append((process, log))
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address, line + Path(log.name).read_text()
        return process, address[0], log.name

    yield start
    for process, log in started:
        process.kill()
        process.wait()
        process.stdout.close()
        log.close()


def test_the_command_serves_a_team_from_a_file_with_the_password_and_ends_gracefully(
    serving, settings, tmp_path, profile_bytes, eventually
):
    (tmp_path / "url").write_text(settings.database_url + "\n")
    environment = {"SONGBIRD_STORAGE": settings.storage, "SONGBIRD_STORAGE_ENDPOINT": settings.storage_endpoint}
    process, base, log = serving(["--database-url-file", str(tmp_path / "url")], environment)
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as http:
        assert http.get("/health").json() == {"status": "ok"}
        assert http.get("/ready").json() == {"status": "ready"}
        session = http.post("/v0/sessions", json={"userId": "someone"}).json()["id"]
        slot = http.post(f"/v0/sessions/{session}/reference", json={"alias": "july"}).json()
        assert http.put(slot["uploadUrl"], content=profile_bytes("batch-2013-07-08.bin")).status_code == 200
        # nobody looks: the service does by itself
        eventually(lambda: _references(settings, slot["id"]))
        assert http.get(slot["observatoryUrl"]).status_code == 200
        metrics = http.get("/metrics").text
        assert 'songbird_requests_total{operation="create_session",status="200"} 1.0' in metrics
        assert "songbird_request_seconds_bucket" in metrics
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    text = Path(log).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"method": "POST", "operation": "create_session", "status": 200}.items() <= next(
        line for line in lines if line.get("operation") == "create_session"
    ).items()
    assert lines[-1]["message"] == "ended"
    query = urlsplit(slot["uploadUrl"]).query
    for secret in (session, urlsplit(settings.database_url).password, "canary", query, slot["uploadUrl"]):
        assert secret not in text


def _references(settings, profile_id):
    import psycopg

    with psycopg.connect(settings.database_url) as connection:
        query = "SELECT 1 FROM profiles WHERE id = %s AND uploaded IS NOT NULL"
        return connection.execute(query, [profile_id]).fetchone()


def test_who_is_being_answered_when_a_replica_is_told_to_end_is_answered(serving, tmp_path, eventually):
    process, base, _ = serving(["--data-dir", str(tmp_path / "data"), "--public-url", "http://127.0.0.1:1"], {})
    base = _listening(process)
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as http:
        session = http.post("/v0/sessions", json={"userId": "someone"}).json()["id"]
        slot = http.post(f"/v0/sessions/{session}/reference", json={}).json()
        go_on = threading.Event()

        def body():
            yield bytes(2 << 20)
            assert go_on.wait(60)
            yield bytes(2 << 20)

        path = slot["uploadUrl"].partition("127.0.0.1:1")[2]
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(http.put, path, content=body(), headers={"Content-Length": str(4 << 20)})
            eventually(lambda: list((tmp_path / "data" / "blobs" / "incoming").iterdir()))
            process.send_signal(signal.SIGTERM)
            eventually(lambda: not _takes_connections(base))
            go_on.set()
            assert answer.result().status_code == 200
    assert process.wait(60) == 0


def _takes_connections(base):
    address = urlsplit(base)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


def _listening(process):
    import psutil

    (port,) = {one.laddr.port for one in psutil.Process(process.pid).net_connections("tcp") if one.status == "LISTEN"}
    return f"http://127.0.0.1:{port}"

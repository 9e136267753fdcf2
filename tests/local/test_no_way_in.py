"""Who gets between this user's programs and the local service learns nothing and confirms nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
import traceback
from pathlib import Path

import httpx
import pytest
from tornado.httpclient import HTTPError, HTTPRequest

from songbird_widgets.__main__ import main
from songbird_widgets.client import AsyncSongbird, ProfileUpload, Songbird, SongbirdError, upload_profiles
from songbird_widgets.jupyter.relay import Upstream
from songbird_widgets.local import local_service
from songbird_widgets.local.identity import Identity, Record
from songbird_widgets.secret import Secret
from songbird_widgets.session import Session

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("home")]  # each starts processes
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no Unix sockets")
PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
KEY = "abcdefghij.canary-organization-key"


class Thief:
    """Takes connections, keeps all that is sent, and says yes to everything."""

    def __init__(self, listener):
        self.heard = b""
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        body = b'{"id":"x","proof":"%s","pid":1,"version":"9","unusedSeconds":0}' % (b"0" * 64)
        with connection:
            while data := connection.recv(65536):
                self.heard += data
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def close(self):
        self._listener.close()


@pytest.fixture(params=["socket", "no socket"])
def thief_at_port(home, request, monkeypatch, tmp_path):
    """Make a service with or without a Unix socket, and later someone else at the port where it was."""
    if request.param == "no socket":  # the path would be too long for one
        long = tmp_path / ("d" * 60) / ("e" * 60)
        monkeypatch.setenv("SONGBIRD_DATA_DIR", str(long))
        home = long
    thieves = []

    def come():
        record = Record.read(home)
        assert record.has_socket == (request.param == "socket")
        os.kill(record.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            try:
                thieves.append(Thief(socket.create_server(("127.0.0.1", record.port), backlog=50)))
                return thieves[-1]
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    yield come
    for thief in thieves:
        thief.close()
    local_service.stop()


def secrets_of(service):
    identity = Identity.read(service.data_dir)
    return [identity.secret, identity.signing_key, identity.organization_key]


def assert_learned_nothing(thief, *texts):
    plain = [text.reveal() if isinstance(text, Secret) else text for text in texts]
    assert not [text for text in plain if (text if isinstance(text, bytes) else text.encode()) in thief.heard]


def test_whoever_takes_its_port_learns_nothing_from_live_clients(thief_at_port, monkeypatch):
    service, profile = local_service.ensure(), b"canary-profile-bytes" * 10

    async def asynchronous(come):
        async with AsyncSongbird(api_key=KEY, retries=0) as client:
            session = (await client.create_session("canary-user")).id
            assert (await client.list_session_profiles(session)).profiles == ()
            come()
            with pytest.raises(SongbirdError):
                await client.list_session_profiles(session)
            return session

    with Songbird(api_key=KEY, retries=0) as client:
        with Songbird(service.endpoint, retries=0) as named:  # which is the local service all the same
            sessions, thieves = [named.create_session("me").id, client.create_session("canary-user").id], []
            sessions.append(asyncio.run(asynchronous(lambda: thieves.append(thief_at_port()))))
            for session in sessions:
                with pytest.raises(SongbirdError):
                    named.list_session_profiles(session)
        monkeypatch.setenv("WHYLABS_API_ENDPOINT", service.endpoint)
        with Songbird(retries=0) as later, pytest.raises(SongbirdError):
            later.list_session_profiles(sessions[0])
        results = upload_profiles(client, sessions[1], [ProfileUpload(profile, "batch", 1373414400000)])
        assert [result.state for result in results] == ["failed"]
        for ask in (
            lambda: client.create_session("canary-user"),
            lambda: client.list_session_profiles(sessions[1]),
            lambda: client.claim_guest_session(sessions[1], "org-1"),
        ):
            with pytest.raises(SongbirdError):
                ask()
    assert_learned_nothing(thieves[0], *sessions, profile, KEY, "canary-user", *secrets_of(service))


async def ask_by_relay(session, between):
    """Ask as the relay does; `between` happens after it found the service, and before it connects."""
    upstream = Upstream(organization=True)
    origin = await upstream.origin()
    between()
    url = f"{origin}/resources/model-1/profiles?sessionToken={session}"
    with pytest.raises((HTTPError, OSError)):
        await upstream.client.fetch(HTTPRequest(url, headers={"X-API-Key": KEY}, connect_timeout=60))


def test_whoever_takes_its_port_learns_nothing_from_the_relay(thief_at_port):
    service, thieves = local_service.ensure(), []
    asyncio.run(ask_by_relay("session-canary", lambda: thieves.append(thief_at_port())))
    assert_learned_nothing(thieves[0], "session-canary", KEY, *secrets_of(service))


@posix
def test_whoever_replaces_its_socket_learns_nothing_and_is_not_believed(home):
    service, thieves = local_service.ensure(), []

    def replace():
        os.kill(Record.read(home).pid, signal.SIGKILL)
        service.route.socket.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(service.route.socket))
        listener.listen(50)
        thieves.append(Thief(listener))

    with Songbird(api_key=KEY, retries=0) as client:
        session = client.create_session("me").id
        asyncio.run(ask_by_relay(session, replace))
        with pytest.raises(SongbirdError):  # the connection that was open has ended
            client.list_session_profiles(session)
        for ask in (client.list_session_profiles, lambda session: client.claim_guest_session(session, "org-1")):
            with pytest.raises(SongbirdError, match="another program answers there"):
                ask(session)

    async def main():
        async with AsyncSongbird(retries=0) as later:
            await later.list_session_profiles(session)

    assert local_service.find() is None
    asyncio.run(main())  # it was started again, in the place of the thief
    assert thieves[0].heard
    assert_learned_nothing(thieves[0], session, KEY, *secrets_of(service))
    thieves[0].close()


def test_a_live_session_finds_the_service_again_and_tells_a_stranger_nothing(thief_at_port):
    service = local_service.ensure()
    first, second = sorted(PROFILES.glob("batch-*.bin"))[:2]
    with Session() as session:
        session.add(first)
        assert len(session.upload()) == 1
        thief = thief_at_port()
        session.add(second)
        assert len(session.upload()) == 1
        assert local_service.find().port != service.port
        session.select("2013-07-08")
        assert f":{service.port}/" not in str(session.link)
        assert_learned_nothing(thief, session.session_id, second.read_bytes()[:100], *secrets_of(service))


def test_who_passes_the_question_on_to_the_service_is_not_believed(monkeypatch, tmp_path):
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / ("d" * 60) / ("e" * 60)))
    service = local_service.ensure()
    record = Record.read(service.data_dir)
    listener = socket.create_server(("127.0.0.1", 0))
    heard = []

    def pass_on():
        with listener.accept()[0] as mine, socket.create_connection(("127.0.0.1", service.port)) as its:
            while data := mine.recv(65536):
                heard.append(data)
                its.sendall(data.replace(b":%d" % listener.getsockname()[1], b":%d" % service.port))
                mine.sendall(its.recv(65536))

    threading.Thread(target=pass_on, daemon=True).start()
    moved = Record(record.pid, listener.getsockname()[1], record.host, record.started, has_socket=False)
    moved.write(service.data_dir)
    assert local_service.find() is None
    assert heard
    record.write(service.data_dir)
    assert local_service.stop()
    listener.close()


@posix
def test_its_socket_is_its_users_alone_and_a_stale_one_is_replaced(home):
    service = local_service.ensure()
    path = service.route.socket
    assert (path.parent, path.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (home, 0o600, 0o700)
    with Songbird() as client:
        session = client.create_session("me").id
        os.kill(service.pid, signal.SIGKILL)
        assert path.is_socket()
        again = local_service.ensure()
        assert again.pid != service.pid
        assert client.list_session_profiles(session).profiles == ()  # the client found it by the same path
    assert local_service.stop()
    assert not path.exists()


@posix
def test_what_lies_in_the_place_of_its_socket_is_not_removed(home):
    local_service.ensure()
    local_service.stop()
    (home / "service.sock").write_text("mine")
    service = local_service.ensure()
    assert service.route.socket is None
    with Songbird() as client:
        assert client.create_session("me").id
    assert (home / "service.sock").read_text() == "mine"


def test_after_a_rotation_old_secrets_open_nothing_and_sessions_remain(home, capsys):
    service, key = local_service.ensure(), local_service.organization_key()
    with Session() as session:
        session.add(PROFILES / "batch-2013-07-08.bin")
        session.upload()
        old, slot = Identity.read(home), upload_slot(service, session.session_id)
        assert main(["rotate"]) == 0
        assert "Remaining: sessions" in capsys.readouterr().out
        session.add(PROFILES / "batch-2013-07-09.bin")
        assert len(session.upload()) == 1  # the live session goes on
        now = local_service.ensure()
        assert now.organization_id == service.organization_id
        url = f"{now.origin}/organizations/{now.organization_id}"
        assert httpx.get(url, headers={"X-API-Key": key}, trust_env=False, timeout=60).status_code == 401
        fresh = httpx.get(url, headers={"X-API-Key": local_service.organization_key()}, trust_env=False, timeout=60)
        assert fresh.status_code == 200
        for endpoint in (service.endpoint, f"{now.origin}/k/{old.secret.reveal()}"):
            assert (
                httpx.post(f"{endpoint}/v0/sessions", json={"userId": "x"}, trust_env=False, timeout=60).status_code
                == 403
            )
        assert httpx.put(slot, content=b"x", trust_env=False, timeout=60).status_code == 403
        with Session() as another:
            another.add(PROFILES / "batch-2013-07-08.bin")
            assert len(another.upload()) == 1


def upload_slot(service, session_id):
    asked = {"datasetTimestamp": 1373414400000, "segmentTags": []}
    url = f"{service.endpoint}/v0/sessions/{session_id}/upload"
    return httpx.post(url, json=asked, trust_env=False, timeout=60).json()["uploadUrl"]


def test_no_frame_of_what_fails_locally_holds_a_secret(home, monkeypatch):
    local_service.ensure()
    identity = Identity.read(home)
    canaries = [identity.secret, identity.signing_key, identity.organization_key]

    def refuse(*_, **__):
        raise OSError("no connection")

    for call in (local_service.ensure, local_service.way_in, local_service.rotate, local_service.stop):
        with monkeypatch.context() as patch:
            patch.setattr("socket.socket.connect", refuse)
            patch.setattr(local_service, "_SETTLE_SECONDS", 0.1)
            with pytest.raises(local_service.LocalServiceError) as caught:
                call()
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in frames.stack if "songbird_widgets" in frame.filename]
        assert ours
        shown = f"{caught.value} {[frame.locals for frame in ours]}"
        assert not [canary for canary in canaries if canary.reveal() in shown]

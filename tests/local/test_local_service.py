"""The one detached service of a user: real processes, found, started, ended, killed."""

from __future__ import annotations

import errno
import http.server
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import httpx
import psutil
import pytest

from songbird_widgets.local import local_service
from songbird_widgets.local.identity import Identity, Record
from songbird_widgets.local.local_service import LocalServiceError

pytestmark = pytest.mark.slow  # each starts processes

STARTER = "from songbird_widgets.local import local_service; print(local_service.ensure().pid)"

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and modes")


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory, keep_data_in):
    directory = tmp_path_factory.mktemp("kept") / "data"
    yield directory
    with keep_data_in(directory):
        pass


@pytest.fixture
def shared_home(kept_home, monkeypatch):
    """A data directory with a service that tests leave as it is: starting one takes longer than most of them."""
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(kept_home))
    return kept_home


@pytest.fixture
def kill(eventually):
    """End a process as a power cut would, and return once it is gone."""

    def end(pid):
        psutil.Process(pid).kill()
        eventually(lambda: is_gone(pid))

    return end


def new_session(service):
    answer = httpx.post(f"{service.endpoint}/v0/sessions", json={"userId": "someone"}, trust_env=False, timeout=60)
    assert answer.status_code == 200
    return answer.json()["id"]


def test_it_is_started_once_found_again_and_stopped_once(home, eventually):
    assert local_service.find() is None
    service = local_service.ensure()
    assert local_service.find() == local_service.ensure() == service
    assert service.origin == f"http://127.0.0.1:{service.port}"
    assert service.endpoint.startswith(f"{service.origin}/k/")
    assert service.data_dir == home
    assert psutil.pid_exists(service.pid)
    assert new_session(service).startswith("session-")
    assert local_service.stop() is True
    assert local_service.stop() is False
    eventually(lambda: is_gone(service.pid))
    assert not (home / "service.json").exists()


def test_its_repr_keeps_the_secret(shared_home):
    service = local_service.ensure()
    assert Identity.read(shared_home).secret.reveal() in service.endpoint
    for secret in (
        Identity.read(shared_home).secret.reveal(),
        local_service.organization_key(),
        Identity.read(shared_home).signing_key.reveal(),
    ):
        assert secret not in repr(service)
        assert secret not in repr(Identity.read(shared_home))
        assert secret not in (shared_home / "service.log").read_text()


def test_the_organizations_key_is_made_once_and_works(shared_home):
    key = local_service.organization_key()
    service = local_service.find()
    assert re.fullmatch(rf"[A-Za-z0-9]{{10}}\.[A-Za-z0-9]{{40,}}:{service.organization_id}", key)
    assert key == local_service.organization_key()
    session = new_session(service)
    path = f"{service.origin}/v0/sessions/{session}"
    claim = httpx.post(
        f"{path}/claim",
        params={"org_id": service.organization_id},
        headers={"X-API-Key": key},
        trust_env=False,
        timeout=60,
    )
    assert claim.status_code == 200
    database = sqlite3.connect(shared_home / "songbird.db")
    dump = "\n".join(map(str, database.execute("SELECT * FROM keys").fetchall()))
    database.close()
    assert key[:10] in dump
    assert key[10:30] not in dump


def test_of_several_starters_one_starts(home):
    starters = [subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    pids = set()
    for starter in starters:
        pids.add(starter.communicate(timeout=300)[0])
        assert starter.returncode == 0
    assert len(pids) == 1
    running = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and str(home) in process.info["cmdline"]
    ]
    assert running == [int(pids.pop())]


@pytest.mark.usefixtures("home")
def test_threads_of_one_process_start_one_too():
    with ThreadPoolExecutor(8) as pool:
        assert len({service.pid for service in pool.map(lambda _: local_service.ensure(), range(8))}) == 1


@posix
@pytest.mark.usefixtures("home")
def test_it_outlives_an_interrupt_of_who_started_it():
    code = STARTER + "; import os, signal; os.killpg(0, signal.SIGINT)"
    starter = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True, check=False
    )
    pid = int(starter.stdout)
    assert local_service.find().pid == pid
    assert os.getsid(pid) == pid


def test_killed_it_comes_back_as_the_same_service_whatever_it_left_as_its_record(home, kill):
    before = local_service.ensure()
    session, key = new_session(before), local_service.organization_key()
    slot = httpx.post(
        f"{before.origin}/v0/sessions/{session}/upload",
        json={"datasetTimestamp": 0, "segmentTags": []},
        trust_env=False,
        timeout=60,
    ).json()
    kill(before.pid)
    assert local_service.find() is None
    (home / "service.json").write_text('{"pid": 12')
    after = local_service.ensure()
    assert Record.read(home) is not None
    assert after.pid != before.pid
    assert after.endpoint == before.endpoint
    assert local_service.organization_key() == key
    # what was given out before the kill is still good
    assert httpx.put(slot["uploadUrl"], content=b"bytes", trust_env=False, timeout=60).status_code == 200
    assert httpx.get(f"{after.origin}/v0/sessions/{session}/profiles", trust_env=False, timeout=60).json()["profiles"]


def test_what_was_confirmed_survives_a_kill_at_any_moment(home, kill, eventually):
    for moment in (0.1, None):  # at last once something was confirmed
        service = local_service.ensure()
        session = new_session(service)
        confirmed, going_on = {}, threading.Event()

        def upload(number, service=service, session=session, confirmed=confirmed, going_on=going_on):
            path = f"{service.origin}/v0/sessions/{session}/upload"
            with httpx.Client(trust_env=False, timeout=60) as client:
                for turn in range(10_000):
                    content = f"{number} {turn} ".encode() * 30_000
                    try:
                        body = {"datasetTimestamp": turn, "segmentTags": []}
                        slot = client.post(path, json=body).json()
                        going_on.set()
                        if client.put(slot["uploadUrl"], content=content).status_code == 200:
                            confirmed[slot["id"]] = sha256(content).hexdigest()
                    except httpx.HTTPError:
                        return

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        assert going_on.wait(60)
        if moment is None:
            eventually(lambda confirmed=confirmed: confirmed)
        else:
            time.sleep(moment)
        kill(service.pid)
        for thread in threads:
            thread.join(60)

        service = local_service.ensure()
        profiles = httpx.get(f"{service.origin}/v0/sessions/{session}/profiles", trust_env=False, timeout=60).json()[
            "profiles"
        ]
        listed = {profile["id"]: profile["sha256"] for profile in profiles}
        assert {name: listed.get(name) for name in confirmed} == confirmed
        for digest in listed.values():
            assert sha256((home / "blobs" / digest[:2] / digest).read_bytes()).hexdigest() == digest
        assert list((home / "blobs" / "incoming").iterdir()) == []
    assert confirmed


def test_killed_while_it_starts_it_is_started_anew(home):
    for moment in (0.0, 0.1, 0.3):
        home.mkdir(mode=0o700, exist_ok=True)
        half = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "songbird_widgets.service",
                "--data-dir",
                str(home),
                "--idle-seconds",
                "60",
            ],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moment)
        half.kill()
        half.wait()
        assert new_session(local_service.ensure())
        assert local_service.stop()


class Stranger(http.server.BaseHTTPRequestHandler):
    """Says yes to everything, as someone might who wants to be taken for the service."""

    seen: list[str]

    def do_GET(self):
        self.seen.append(f"{self.requestline} {dict(self.headers)}")
        port = self.server.server_address[1]
        record = {"service": "songbird-widgets", "version": "0.1.0", "pid": os.getpid(), "unusedSeconds": 0}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**record, "port": port, "proof": "0" * 64}).encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger(home):
    """Someone else at the port where the service was, under a process id that lives."""
    before = local_service.ensure()
    identity = Identity.read(home)
    assert local_service.stop()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", before.port), Stranger)
    Stranger.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Record.of_this_process(before.port, has_socket=False).write(home)
    yield before, identity
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_stranger_at_its_port_is_not_believed_and_learns_nothing(stranger):
    before, identity = stranger
    assert local_service.find() is None
    assert local_service.stop() is False
    after = local_service.ensure()
    assert after.port != before.port
    assert after.pid != os.getpid()
    assert new_session(after)
    assert Stranger.seen
    for secret in (identity.secret, identity.signing_key, identity.organization_key):
        assert all(secret.reveal() not in request for request in Stranger.seen)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '{"pid": 1}', '{"pid": true, "port": "x", "started": 1}', "\x00\xff"]
)
def test_a_record_that_makes_no_sense_is_no_record(home, text):
    local_service.data_directory()
    (home / "service.json").write_text(text)
    assert local_service.find() is None
    assert local_service.stop() is False


def test_used_it_goes_on_and_unused_it_ends_itself(home, monkeypatch, eventually):
    idle = 3.0
    monkeypatch.setattr(local_service, "IDLE_SECONDS", idle)
    service, last = local_service.ensure(), time.monotonic()
    end = last + 1.5 * idle
    while last < end:
        time.sleep(0.3)
        found, before, last = local_service.find(), last, time.monotonic()
        if last - before < idle / 2:
            assert found == service
        else:  # the machine was too busy to ask in time
            service, last = local_service.ensure(), time.monotonic()
            end = last + 1.5 * idle
    eventually(lambda: is_gone(service.pid))
    assert not (home / "service.json").exists()
    assert "unused" in (home / "service.log").read_text()
    assert local_service.find() is None


def test_without_its_directory_it_ends(home, eventually):
    service = local_service.ensure()
    shutil.rmtree(home)
    eventually(lambda: is_gone(service.pid))
    assert local_service.ensure().endpoint != service.endpoint


def test_where_another_directory_has_taken_the_place_of_its_own_it_ends_and_touches_nothing_there(
    home, tmp_path, eventually
):
    service = local_service.ensure()
    home.rename(tmp_path / "away")
    home.mkdir(mode=0o700)
    for name in ("identity.json", "service.sock"):  # of another service
        (home / name).write_bytes((tmp_path / "away" / "identity.json").read_bytes())
    eventually(lambda: is_gone(service.pid))
    assert sorted(path.name for path in home.iterdir()) == ["identity.json", "service.sock"]


def test_nobody_else_can_stop_it(shared_home):
    service = local_service.ensure()
    nonce = "0" * 32
    identity = Identity.read(shared_home)
    wrong = [
        {},
        {"X-Songbird-Proof": "ü".encode()},
        {"X-Songbird-Proof": identity.proof("health", nonce, service.port)},
        {"X-Songbird-Proof": identity.proof("stop", "1" * 32, service.port, service.pid)},
    ]
    for headers in wrong:
        answer = httpx.post(f"{service.endpoint}/stop?nonce={nonce}", headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 403
        assert answer.json()["type"] == "Forbidden"
    assert local_service.find() == service


def test_a_stranger_learns_that_it_lives_and_no_more(shared_home):
    service, nonce = local_service.ensure(), "0" * 32
    identity = Identity.read(shared_home)
    for proof in (
        "",
        "ü",
        identity.proof("details", "1" * 32, service.port, 0),
        identity.proof("stop", nonce, service.port, 0),
    ):
        headers = {"X-Songbird-Proof": proof.encode()}
        answer = httpx.get(f"{service.origin}/health?nonce={nonce}", headers=headers, trust_env=False, timeout=60)
        assert answer.json() == {"status": "ok"}
        assert not {"Server", "X-Powered-By"} & set(answer.headers)


@pytest.mark.parametrize("nonce", ["", "?nonce=", "?nonce=abc", "?nonce=" + "g" * 32, "?nonce=" + "0" * 33])
@pytest.mark.usefixtures("shared_home")
def test_a_health_check_needs_a_nonce(nonce):
    answer = httpx.get(f"{local_service.ensure().origin}/health{nonce}", trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "nonce")


@posix
def test_a_signal_ends_it_once_the_uploads_it_has_begun_are_finished(home, eventually):
    service = local_service.ensure()
    path = f"{service.origin}/v0/sessions/{new_session(service)}/upload"
    slot = httpx.post(path, json={"datasetTimestamp": 0, "segmentTags": []}, trust_env=False, timeout=60).json()
    begun, go_on = threading.Event(), threading.Event()

    def pieces():
        yield bytes(2 << 20)
        begun.set()
        assert go_on.wait(60)
        yield b"end"  # no more: it has 2.5 seconds, which are few on a busy machine

    def put():
        headers = {"Content-Length": str((2 << 20) + 3)}
        return httpx.put(slot["uploadUrl"], content=pieces(), headers=headers, trust_env=False, timeout=60).status_code

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(put)
        assert begun.wait(60)
        eventually(lambda: list((home / "blobs" / "incoming").iterdir()))
        os.kill(service.pid, signal.SIGTERM)
        eventually(lambda: not (home / "service.json").exists())
        go_on.set()
        assert answer.result() == 200
    eventually(lambda: is_gone(service.pid))
    assert (home / "service.log").read_text().endswith("ended\n")


@posix
@pytest.mark.usefixtures("home")
def test_one_that_hangs_is_named(monkeypatch, eventually):
    service = local_service.ensure()
    monkeypatch.setattr("songbird_widgets.local.route.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(local_service, "_SETTLE_SECONDS", 0.5)
    os.kill(service.pid, signal.SIGSTOP)
    try:
        with pytest.raises(LocalServiceError, match=f"End process {service.pid} on"):
            local_service.stop()
        with pytest.raises(LocalServiceError, match=f"End process {service.pid} on"):
            local_service.ensure()
    finally:
        os.kill(service.pid, signal.SIGCONT)
    eventually(local_service.find)


@posix
def test_what_it_keeps_is_its_users_alone(shared_home):
    service = local_service.ensure()
    new_session(service)
    assert stat.S_IMODE(shared_home.stat().st_mode) == 0o700
    for path in shared_home.rglob("*"):
        if path.suffix != ".lock":  # empty
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_damaged_identity_is_said_and_kept(home):
    local_service.data_directory()
    (home / "identity.json").write_text('{"secret": "x"')
    for call in (local_service.ensure, local_service.organization_key):
        with pytest.raises(LocalServiceError, match=r"identity\.json cannot be read") as caught:
            call()
        assert caught.value.__cause__ is None
    assert (home / "identity.json").read_text() == '{"secret": "x"'


def test_a_data_directory_that_cannot_be_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "file" / "data"))
    for call in (local_service.find, local_service.ensure, local_service.stop):
        with pytest.raises(LocalServiceError, match="SONGBIRD_DATA_DIR"):
            call()


def test_a_database_it_cannot_use_is_said(home):
    local_service.data_directory()
    database = sqlite3.connect(home / "songbird.db")
    database.executescript("CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (99)")
    database.close()
    with pytest.raises(LocalServiceError, match="newer songbird-widgets"):
        local_service.ensure()
    (home / "songbird.db").write_bytes(b"no database" * 1000)
    with pytest.raises(LocalServiceError, match="cannot be used"):
        local_service.ensure()


@pytest.mark.usefixtures("home")
def test_an_older_one_is_replaced_once_it_is_quiet(monkeypatch):
    old = local_service.ensure()
    new_session(old)
    monkeypatch.setattr(local_service, "__version__", "99.0.0")
    assert local_service.ensure() == old  # in use until just now
    monkeypatch.setattr(local_service, "_QUIET_SECONDS", 0)
    new = local_service.ensure()
    assert new.pid != old.pid
    assert new.endpoint == old.endpoint
    monkeypatch.setattr(local_service, "__version__", "0.0.1")
    assert local_service.ensure() == new  # a newer one is never replaced by an older


def foreground(directory, port=None):
    code = "import sys, pathlib; from songbird_widgets.service import loopback; "
    return [sys.executable, "-c", f"{code}sys.exit(loopback.run(pathlib.Path({str(directory)!r}), {port}))"]


def test_a_second_one_over_the_same_data_is_refused(shared_home):
    service = local_service.ensure()
    second = subprocess.run(foreground(shared_home), capture_output=True, text=True, timeout=300, check=False)
    assert second.returncode == 1
    assert f"process {service.pid}" in second.stderr
    assert local_service.find() == service


@pytest.mark.usefixtures("shared_home")
def test_a_port_that_is_taken_is_said(tmp_path):
    service = local_service.ensure()
    command = foreground(tmp_path / "other", service.port)
    second = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert second.returncode == 1
    assert f"Port {service.port} cannot be used" in second.stderr


def test_a_foreground_service_is_found_like_a_detached_one(home):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(foreground(home), **pipes) as running:
        printed = running.stdout.readline()
        service = local_service.ensure()
        assert service.pid == running.pid
        assert re.search(r"http://\S+", printed)[0] == service.endpoint
        assert local_service.stop()
        assert running.wait(60) == 0
        assert Identity.read(home).secret.reveal() not in running.stderr.read()


@pytest.mark.usefixtures("home")
def test_it_has_ended_when_stop_says_so_however_long_python_would_take_to_end():
    endless = "import atexit, threading; atexit.register(threading.Event().wait); "
    python, flag, code = foreground(local_service.data_directory())
    with subprocess.Popen([python, flag, endless + code], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout.readline()
            assert local_service.stop()
            assert running.wait(60) == 0
        finally:
            running.kill()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("local.local_service", {"httpx", "tornado", "sqlalchemy", "numpy", "msgspec"}),
        ("service.loopback", {"httpx", "httpcore", "numpy", "jinja2", "IPython", "traitlets"}),
    ],
)
def test_what_must_be_quick_loads_nothing_heavy(module, heavy):
    code = f"import sys, songbird_widgets.{module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(loaded.stdout.split())


@pytest.mark.usefixtures("home")
def test_what_sends_the_first_request_is_loaded_while_the_service_starts():
    code = "import sys, songbird_widgets.client as c; c.Songbird(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert {"httpx", "songbird_widgets.client.transport"} <= set(done.stdout.split())


def test_code_that_others_left_in_a_directory_is_not_run(home, tmp_path, monkeypatch):
    home.mkdir(mode=0o700)
    for directory in (tmp_path / "shared", home):
        directory.mkdir(exist_ok=True)
        for name in ("numpy", "tornado", "sqlalchemy", "json", "filelock"):
            (directory / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path / "shared")
    assert new_session(local_service.ensure())
    assert not (tmp_path / "ran").exists()


@posix
@pytest.mark.parametrize("why", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO, errno.EROFS])
@pytest.mark.usefixtures("home")
def test_a_file_system_without_locks_is_said(monkeypatch, why):
    def refuse(*_):
        raise OSError(why, os.strerror(why))

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refuse)
        with pytest.raises(LocalServiceError, match=r"cannot be used: .*Set SONGBIRD_DATA_DIR to a local directory"):
            local_service.ensure()

"""The ledger: what was confirmed is never lost, what was not is never said to have arrived."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from dataclasses import replace

import pytest

from songbird_widgets.session import LedgerError, Session
from songbird_widgets.session.ledger import Ledger, LedgerEntry
from songbird_widgets.session.state import SessionProfile

ID = "session-CANARYcanaryCANARYcanary"
PROFILE = SessionProfile(
    key="k1",
    kind="batch",
    label="2013-07-08",
    dataset_timestamp=1373241600000,
    size=5,
    sha256="ab" * 32,
    name="a.bin",
)


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "data")
    yield made
    made.close()


def test_what_is_written_is_read_again(ledger, tmp_path):
    ledger.begin(ID, None, "local service")
    ledger.announce(ID, [LedgerEntry(PROFILE, tmp_path / "a.bin"), LedgerEntry(replace(PROFILE, key="k2"), None)])
    ledger.fail(ID, "k2", "why")
    ledger.confirm(ID, [replace(PROFILE, profile_id="log-1", upload_timestamp=7)])
    one, two = ledger.entries(ID)
    assert one.profile == replace(PROFILE, state="uploaded", profile_id="log-1", upload_timestamp=7, sent=5)
    assert one.path is None
    assert (two.profile.state, two.profile.problem) == ("failed", "why")
    (session,) = ledger.recent()
    assert (session.session_id, session.endpoint, session.profiles, session.unfinished) == (ID, None, 2, 1)
    assert ID not in repr(session)
    assert session.short_id == "session-CANA…"
    assert ledger.session(ID) == session
    assert ledger.session("session-other") is None


def test_what_was_confirmed_stays_confirmed(ledger, tmp_path):
    ledger.begin(ID, None, "local service")
    ledger.announce(ID, [LedgerEntry(PROFILE, None)])
    ledger.confirm(ID, [replace(PROFILE, profile_id="log-1", upload_timestamp=7)])
    ledger.announce(ID, [LedgerEntry(PROFILE, tmp_path / "a.bin")])
    ledger.fail(ID, "k1", "too late")
    ledger.forget(ID, ["k1"])
    ledger.confirm(ID, [PROFILE])
    assert ledger.entries(ID)[0].profile.profile_id == "log-1"
    assert ledger.entries(ID)[0].profile.state == "uploaded"


def test_only_its_owner_reads_it(ledger):
    ledger.begin(ID, None, "local service")
    kept = ledger.spool("ab" * 32, b"bytes")
    files = [file for file in ledger.directory.rglob("*") if file.is_file()]
    assert {file.name for file in files} == {
        "ledger.sqlite3",
        "ledger.sqlite3-wal",
        "ledger.sqlite3-shm",
        kept.name,
    }
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (ledger.directory, kept.parent)} == {0o700}


def test_no_umask_opens_it(tmp_path):
    before = os.umask(0)
    try:
        ledger = Ledger(tmp_path / "data")
        ledger.begin(ID, None, "local service")
        assert stat.S_IMODE((tmp_path / "data" / "ledger.sqlite3").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        ledger.close()
    finally:
        os.umask(before)


def test_kept_bytes_go_when_nobody_needs_them(ledger):
    ledger.begin(ID, None, "local service")
    kept = ledger.spool(PROFILE.sha256, b"bytes")
    assert ledger.spool(PROFILE.sha256, b"bytes") == kept
    ledger.announce(ID, [LedgerEntry(PROFILE, kept)])
    ledger.tidy()
    assert kept.read_bytes() == b"bytes"
    ledger.confirm(ID, [PROFILE])
    ledger.tidy()
    assert not kept.exists()


def test_kept_bytes_that_nobody_came_back_for_go_too(ledger):
    ledger.begin(ID, None, "local service")
    kept = ledger.spool(PROFILE.sha256, b"bytes")
    ledger.announce(ID, [LedgerEntry(PROFILE, kept)])
    old = time.time() - 31 * 86_400
    os.utime(kept, (old, old))
    ledger.tidy()
    assert not kept.exists()


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_a_damaged_file_is_named_or_begun_anew(tmp_path, content):
    (tmp_path / "ledger.sqlite3").write_bytes(content)
    ledger = Ledger(tmp_path)
    if content:
        with pytest.raises(LedgerError, match=r"ledger\.sqlite3 cannot be used: file is not a database"):
            ledger.recent()
    else:
        assert ledger.recent() == []
    ledger.close()


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(LedgerError, match="newer songbird-widgets"):
        Ledger(tmp_path).recent()


def test_a_session_goes_on_without_a_usable_ledger(monkeypatch, tmp_path, profiles):
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database" * 100)
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path))
    from songbird_widgets.local import local_service

    try:
        with Session() as session:
            session.add(profiles / "batch-2013-07-08.bin")
            notices = []
            session.observe(lambda change: notices.append(change["new"].text), "notice")
            assert len(session.upload()) == 1
            assert any("could not be finished after a restart" in text for text in notices)
        with pytest.raises(LedgerError):
            Session.recent()
    finally:
        local_service.stop()


def test_hostile_texts_are_kept_as_they_are(ledger, tmp_path):
    nasty = "'; drop table profiles; --\x00\u202e\n" + "x" * 100_000
    ledger.begin(ID, "https://example.com/" + nasty, nasty)
    ledger.announce(ID, [LedgerEntry(replace(PROFILE, alias=nasty, name=nasty), tmp_path / os.fsdecode(b"\xff.bin"))])
    (entry,) = ledger.entries(ID)
    assert entry.profile.alias == nasty
    assert os.fsencode(entry.path.name) == b"\xff.bin"


def test_many_threads_and_many_kernels_write_at_once(tmp_path):
    code = textwrap.dedent("""
        import sys, threading
        from dataclasses import replace
        from pathlib import Path
        from songbird_widgets.session.ledger import Ledger, LedgerEntry
        from songbird_widgets.session.state import SessionProfile
        ledger = Ledger(Path(sys.argv[1]))
        me = sys.argv[2]
        ledger.begin(me, None, "x")
        def work(n):
            for i in range(25):
                p = SessionProfile(key=f"{n}-{i}", kind="batch", label="", size=1)
                ledger.announce(me, [LedgerEntry(p, None)])
                ledger.confirm(me, [replace(p, profile_id=f"log-{n}-{i}")])
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        [t.start() for t in threads]; [t.join() for t in threads]
        ledger.close()
    """)
    kernels = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"session-{n}"], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    assert [kernel.communicate()[1] for kernel in kernels] == [b""] * 4
    ledger = Ledger(tmp_path)
    assert sorted((s.session_id, s.profiles, s.unfinished) for s in ledger.recent()) == [
        (f"session-{n}", 100, 0) for n in range(4)
    ]
    ledger.close()


def test_a_kernel_killed_in_the_middle_of_an_upload_is_finished_by_the_next(profiles):
    """Nothing is lost, nothing is only said to have arrived, nothing is sent twice."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from songbird_widgets.session import Session
        session = Session()
        files = sorted(Path(sys.argv[1]).glob("batch-*.bin"))
        session.add(*files[:4])
        session.add(*[file.read_bytes() for file in files[4:]])
        print(session.session_id, flush=True)
        session.observe(lambda change: print("+", flush=True), "profiles")
        session.upload()
        print("done", flush=True)
        sys.stdin.read()
    """)
    for lines in (1, 2, 3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(profiles)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as kernel:
            session_id = kernel.stdout.readline().strip()
            for _ in range(lines):
                kernel.stdout.readline()
            kernel.send_signal(signal.SIGKILL)
        # What was in the sockets' buffers still arrives. A kernel takes longer than this to start.
        time.sleep(1)
        with Session(session_id=session_id) as session:
            known = {profile.key: profile.state for profile in session.profiles}
            assert len(known) == 7
            before = {profile.key for profile in session.profiles if profile.state == "uploaded"}
            landed = {profile.key for profile in session.upload()}
            assert not before & landed
            assert before | landed == set(known)
        with Session(session_id=session_id) as again:
            assert len(again.profiles) == len({profile.profile_id for profile in again.profiles}) == 7
            listed = again._connection.client().list_session_profiles(session_id).profiles
            assert len(listed) == 7


def test_what_arrived_after_all_is_not_sent_again(session, profiles):
    """Bytes that a killed kernel left in the sockets, or an upload that was cancelled or lost its answer."""
    days = sorted(profiles.glob("batch-*.bin"))[:2]
    session.add(*days)
    late = replace(session.profiles[0], state="failed", problem="It was not answered.")
    session._roster.change([late])
    slot = session._connection.client().create_dataset_profile_upload(session.session_id, late.dataset_timestamp)
    request = urllib.request.Request(slot.upload_url, data=days[0].read_bytes(), method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    assert [item.label for item in session.upload()] == [session.profiles[1].label]
    assert session.profiles[0].profile_id == slot.id
    assert {item.state for item in session.profiles} == {"uploaded"}
    listed = session._connection.client().list_session_profiles(session.session_id).profiles
    assert len(listed) == 2
    assert session.upload() == []


def test_a_continued_session_finds_its_endpoint_by_itself(endpoint_that):
    with endpoint_that(body=b'{"id": "session-elsewhere12345"}', content_type="application/json") as endpoint:
        with Session(endpoint=f"{endpoint}/secret-path") as session:
            session_id = session.session_id
        with Session(session_id=session_id) as again:
            assert again.endpoint_label == endpoint
            assert again._connection.endpoint == f"{endpoint}/secret-path"
        assert any(known.session_id == session_id and known.label == endpoint for known in Session.recent())
        assert "secret-path" not in repr(Session.recent())


def test_threads_share_one_ledger(ledger):
    ledger.begin(ID, None, "x")
    errors = []

    def work(n):
        try:
            for i in range(20):
                ledger.announce(ID, [LedgerEntry(replace(PROFILE, key=f"{n}-{i}"), None)])
                ledger.entries(ID)
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(ledger.entries(ID)) == 120

"""The ledger: what was confirmed is never lost, what was not is never said to have arrived."""

from __future__ import annotations

import contextlib
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
from pathlib import Path

import pytest

from songbird_widgets.session import LedgerError, Session
from songbird_widgets.session.content import Content, key_of
from songbird_widgets.session.ledger import Lease, Ledger
from songbird_widgets.session.ledger_tables import LedgerEntry
from songbird_widgets.session.models import SessionProfile

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
IN_FILE = Content(Path("/somewhere/a.bin"))


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "data")
    yield made
    made.close()


def test_what_is_written_is_read_again(ledger):
    ledger.begin(ID, None, "local service")
    ledger.lease(ID, [LedgerEntry(PROFILE, IN_FILE), LedgerEntry(replace(PROFILE, key="k2"), IN_FILE)])
    ledger.fail(ID, "k2", "why")
    ledger.confirm(ID, [replace(PROFILE, profile_id="log-1", upload_timestamp=7)])
    one, two = ledger.entries(ID)
    assert one.profile == replace(PROFILE, state="uploaded", profile_id="log-1", upload_timestamp=7, sent=5)
    assert one.content is None
    assert two.content == IN_FILE
    assert (two.profile.state, two.profile.problem) == ("failed", "why")
    (session,) = ledger.recent()
    assert (session.session_id, session.endpoint, session.profiles, session.unfinished) == (ID, None, 2, 1)
    assert ID not in repr(session)
    assert session.short_id == "session-CANA…"
    assert ledger.session(ID) == session
    assert ledger.session("session-other") is None


def test_what_was_confirmed_stays_confirmed(ledger):
    ledger.begin(ID, None, "local service")
    arrived = replace(PROFILE, state="uploaded", profile_id="log-1", upload_timestamp=7, sent=5)
    ledger.lease(ID, [LedgerEntry(PROFILE, IN_FILE)])
    ledger.confirm(ID, [arrived])
    assert ledger.lease(ID, [LedgerEntry(PROFILE, IN_FILE)]) == Lease(frozenset(), {"k1": arrived})
    ledger.fail(ID, "k1", "too late")
    ledger.forget(ID, ["k1"])
    ledger.confirm(ID, [PROFILE])
    assert [entry.profile for entry in ledger.entries(ID)] == [arrived]


def test_what_one_kernel_sends_no_other_does(ledger):
    other = Ledger(ledger.directory)
    two = replace(PROFILE, key="k2")
    ledger.begin(ID, None, "local service")
    assert ledger.lease(ID, [LedgerEntry(PROFILE, IN_FILE)]) == Lease(frozenset({"k1"}))
    both = [LedgerEntry(PROFILE, IN_FILE), LedgerEntry(two, IN_FILE)]
    assert other.lease(ID, both) == Lease(frozenset({"k2"}), elsewhere=frozenset({"k1"}))
    ledger.release(ID)
    assert other.lease(ID, both) == Lease(frozenset({"k1", "k2"}))
    assert ledger.lease(ID, both).elsewhere == {"k1", "k2"}
    for each in (ledger, other):
        each.release(ID)
    assert list((ledger.directory / "senders").iterdir()) == []
    other.close()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"timed": False}, {"timed": False, "dataset_timestamp": 1373241600001}, True),
        ({"timed": False}, {"timed": True, "dataset_timestamp": 1373241600001}, False),
        ({}, {}, True),
        ({"timed": False}, {"timed": False, "dataset_timestamp": 1373328000000}, False),
        ({"kind": "reference", "alias": "o"}, {"kind": "reference", "alias": "o"}, True),
        ({"kind": "reference", "alias": "o"}, {"kind": "reference", "alias": "p"}, False),
        ({"kind": "reference"}, {"kind": "reference"}, False),
        ({}, {"data_digest": "other"}, False),
    ],
)
def test_what_two_kernels_have_profiled_of_the_same_data_one_sends(ledger, first, second, same):
    other = Ledger(ledger.directory)
    ours = replace(PROFILE, **{"data_digest": "d", **first})
    theirs = replace(PROFILE, key="k2", sha256="cd" * 32, **{"data_digest": "d", **second})
    ledger.begin(ID, None, "local service")
    ledger.lease(ID, [LedgerEntry(ours, IN_FILE)])
    assert other.lease(ID, [LedgerEntry(theirs, IN_FILE)]).elsewhere == ({"k2"} if same else set())
    other.release(ID)
    arrived = replace(ours, state="uploaded", profile_id="log-1", sent=5)
    ledger.confirm(ID, [arrived])
    ledger.release(ID)
    assert other.lease(ID, [LedgerEntry(theirs, IN_FILE)]).uploaded == ({"k2": arrived} if same else {})
    other.release(ID)
    other.close()


def test_a_killed_kernel_holds_nothing_back(ledger):
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from songbird_widgets.session.content import Content, key_of
        from songbird_widgets.session.ledger import Ledger
        from songbird_widgets.session.ledger_tables import LedgerEntry
        from songbird_widgets.session.models import SessionProfile
        ledger = Ledger(Path(sys.argv[1]))
        ledger.begin(sys.argv[2], None, "x")
        profile = SessionProfile(key="k1", kind="batch", label="", size=1)
        ledger.lease(sys.argv[2], [LedgerEntry(profile, Content(Path("a.bin")))])
        print("leased", flush=True)
        sys.stdin.read()
    """)
    entries = [LedgerEntry(PROFILE, IN_FILE)]
    command = [sys.executable, "-c", code, str(ledger.directory), ID]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout.readline() == "leased\n"
        assert ledger.lease(ID, entries).elsewhere == {"k1"}
        kernel.kill()
        kernel.wait(60)
        assert ledger.lease(ID, entries).granted == {"k1"}
    ledger.release(ID)


def test_only_its_owner_reads_it(ledger):
    ledger.begin(ID, None, "local service")
    ledger.lease(ID, [LedgerEntry(PROFILE, Content(b"bytes"))])
    files = [file for file in ledger.directory.rglob("*") if file.is_file()]
    assert {file.name for file in files} > {"ledger.sqlite3", "ledger.sqlite3-wal", PROFILE.sha256}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    directories = [path for path in (ledger.directory, *ledger.directory.rglob("*")) if path.is_dir()]
    assert len(directories) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in directories} == {0o700}
    ledger.release(ID)


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


@pytest.fixture
def kept(ledger):
    """Bytes that were in no file, kept for a session an hour ago."""
    ledger.begin(ID, None, "local service")
    ledger.lease(ID, [LedgerEntry(PROFILE, Content(b"bytes"))])
    ledger.release(ID)
    file = ledger.directory / "spool" / PROFILE.sha256
    assert file.read_bytes() == b"bytes"
    os.utime(file, (time.time() - 3600,) * 2)
    return file


def test_kept_bytes_go_when_nobody_needs_them(ledger, kept):
    assert ledger.entries(ID)[0].content == Content(kept)
    ledger.begin("session-other", None, "local service")
    assert kept.exists()
    ledger.confirm(ID, [PROFILE])
    ledger.begin("session-other", None, "local service")
    assert not kept.exists()


def days_later(monkeypatch, days):
    now, then = time.time(), time.time_ns()
    monkeypatch.setattr(time, "time", lambda: now + days * 86_400)
    monkeypatch.setattr(time, "time_ns", lambda: then + days * 86_400 * 10**9)


def test_a_clock_that_jumps_ahead_drops_nothing_that_was_not_sent(ledger, kept, monkeypatch):
    for days in (31, 4000, 31):
        with monkeypatch.context() as patch:
            days_later(patch, days)
            ledger.begin("session-other", None, "local service")
    ledger.begin("session-other", None, "local service")
    assert kept.exists()


def test_kept_bytes_that_nobody_came_back_for_on_thirty_days_of_use_go_too(ledger, kept, monkeypatch):
    for day in range(1, 31):
        assert kept.exists()
        with monkeypatch.context() as patch:
            days_later(patch, day)
            ledger.begin("session-other", None, "local service")
    assert not kept.exists()


def test_a_ledger_of_the_first_version_is_read(tmp_path):
    noon = PROFILE.dataset_timestamp + 43_200_000
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as database:
        database.executescript(f"""
            create table sessions (session_id text primary key, endpoint text, label text not null,
                state text not null, created integer not null, used integer not null);
            create table profiles (session_id text not null references sessions on delete cascade, key text not null,
                kind text not null, label text not null, alias text, dataset_timestamp integer, name text not null,
                size integer not null, sha256 text not null, columns integer, rows integer, path blob,
                state text not null, problem text, profile_id text, upload_timestamp integer,
                primary key (session_id, key));
            insert into sessions values ('{ID}', null, 'local service', 'open', 1, 2);
            insert into profiles values ('{ID}', 'old1', 'batch', '2013-07-08', null, {PROFILE.dataset_timestamp},
                'a.bin', 5, '{PROFILE.sha256}', 3, 4, null, 'uploaded', null, 'log-1', 7);
            insert into profiles values ('{ID}', 'old2', 'batch', '2013-07-08T12:00:00Z', null, {noon}, 'b.bin', 5,
                '{"cd" * 32}', 3, 4, cast('/b.bin' as blob), 'failed', 'why', null, null);
            insert into profiles values ('{ID}', 'old3', 'reference', 'july', 'july', 7, 'c.bin', 5, '{"ef" * 32}',
                3, 4, cast('/c.bin' as blob), 'added', null, null, null);
            pragma user_version = 1;
        """)
    database.close()
    ledger = Ledger(tmp_path)
    one, two, three = ledger.entries(ID)
    assert (one.profile.state, one.profile.profile_id, one.profile.rows) == ("uploaded", "log-1", 4)
    assert one.profile.key == key_of("batch", None, PROFILE.dataset_timestamp, PROFILE.sha256)
    assert (two.profile.problem, two.content) == ("why", Content(Path("/b.bin")))
    assert (three.profile.key, three.profile.alias) == ("old3", "july")
    assert (one.profile.data_digest, one.profile.timed) == ("", True)
    assert ledger.lease(ID, [two, three]).granted == {two.profile.key, "old3"}
    ledger.release(ID)
    ledger.close()


def test_a_ledger_of_the_third_version_is_read_and_written(ledger):
    ledger.begin(ID, None, "local service")
    ledger.confirm(ID, [replace(PROFILE, profile_id="log-1")])
    ledger.close()
    with sqlite3.connect(ledger.directory / "ledger.sqlite3") as database:
        for name in ("alias_timestamp", "data_digest", "timed"):
            database.execute(f"alter table profiles drop column {name}")
        database.execute("pragma user_version = 3")
    database.close()
    other = replace(PROFILE, key="k2", data_digest="ef" * 32, timed=False, alias_timestamp=7)
    ledger.lease(ID, [LedgerEntry(other, IN_FILE)])
    ledger.release(ID)
    first, second = ledger.entries(ID)
    assert first.profile == replace(PROFILE, profile_id="log-1", state="uploaded", sent=5)
    assert second.profile == other


def test_segments_are_still_segments_for_the_next_kernel(ledger):
    content = Content(Path("a.bin"), (("country", "nl"), ("x", "\u20ac")))
    ledger.begin(ID, None, "local service")
    ledger.lease(ID, [LedgerEntry(PROFILE, content)])
    ledger.release(ID)
    assert ledger.entries(ID)[0].content == content


def test_a_damaged_ledger_is_set_aside_with_a_word(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database" * 100)
    said = []
    ledger = Ledger(tmp_path, said.append)
    ledger.begin(ID, None, "local service")
    assert [session.session_id for session in ledger.recent()] == [ID]
    (text,) = said
    (aside,) = tmp_path.glob("ledger.sqlite3.damaged-*")
    assert aside.read_bytes() == b"not a database" * 100
    assert aside.name in text
    assert "can be continued by their ids" in text
    ledger.close()


def test_damage_that_shows_later_is_met_in_the_same_way(tmp_path):
    said = []
    ledger = Ledger(tmp_path, said.append)
    ledger.begin(ID, None, "local service")
    for n in range(200):
        ledger.confirm(ID, [replace(PROFILE, key=f"k{n}", name="x" * 500)])
    ledger.close()
    file = tmp_path / "ledger.sqlite3"
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xff" * (file.stat().st_size - 4096))
    ledger.begin(ID, None, "local service")
    ledger.confirm(ID, [PROFILE])
    assert [entry.profile.key for entry in ledger.entries(ID)] == ["k1"]
    assert len(said) == 1
    ledger.close()


@pytest.mark.slow
def test_of_many_kernels_one_sets_a_damaged_ledger_aside(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database" * 100)
    ledgers = [Ledger(tmp_path, lambda _: None) for _ in range(6)]
    threads = [
        threading.Thread(target=ledger.begin, args=(f"session-{n}", None, "x")) for n, ledger in enumerate(ledgers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledgers[0].recent()) == 6
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    for ledger in ledgers:
        ledger.close()


def test_an_empty_file_is_a_new_ledger(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"")
    ledger = Ledger(tmp_path)
    assert ledger.recent() == []
    ledger.close()


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(LedgerError, match="newer songbird-widgets"):
        Ledger(tmp_path).recent()


@pytest.mark.slow
def test_a_locked_ledger_delays_an_upload_by_seconds_and_is_said_in_the_end(session, profiles, data_dir):
    session.add(str(profiles / "batch-*.bin"))
    assert session.session_id
    with contextlib.closing(sqlite3.connect(data_dir / "ledger.sqlite3", isolation_level=None)) as other:
        other.execute("begin exclusive")
        asked = []
        session._remote.ledger._connection.set_trace_callback(asked.append)
        assert len(session.upload()) == 7
    assert asked.count("begin immediate") == 1  # not seven profiles wait for it
    assert session.notice.level == "warning"
    assert session.notice.text.startswith("7 of 7 uploaded")
    assert "database is locked. The session goes on, but could not be finished" in session.notice.text


@pytest.mark.slow
def test_a_full_disk_is_said_in_the_end(session, profiles):
    code = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from songbird_widgets.session import Session
        session = Session(session_id=sys.argv[1])
        _ = session.profiles
        session.add(*[path.read_bytes() for path in sorted(Path(sys.argv[2]).glob("batch-*.bin"))])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        print(len(session.upload()), session.notice.level, session.notice.text.replace("\\n", " "))
    """)
    command = [sys.executable, "-c", code, session.session_id, str(profiles)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.startswith("7 warning 7 of 7 uploaded")
    assert "cannot be used" in done.stdout
    assert "could not be finished" in done.stderr
    session.refresh()
    assert len(session.profiles) == 7


def test_hostile_texts_are_kept_as_they_are(ledger, tmp_path):
    nasty = "'; drop table profiles; --\x00\u202e\n" + "x" * 100_000
    ledger.begin(ID, "https://example.com/" + nasty, nasty)
    content = Content(tmp_path / os.fsdecode(b"\xff.bin"))
    ledger.lease(ID, [LedgerEntry(replace(PROFILE, alias=nasty, name=nasty), content)])
    ledger.release(ID)
    (entry,) = ledger.entries(ID)
    assert entry.profile.alias == nasty
    assert entry.content == content


@pytest.mark.slow
def test_many_threads_and_many_kernels_write_at_once(tmp_path):
    code = textwrap.dedent("""
        import sys, threading
        from dataclasses import replace
        from pathlib import Path
        from songbird_widgets.session.ledger import Ledger
        from songbird_widgets.session.ledger_tables import LedgerEntry
        from songbird_widgets.session.models import SessionProfile
        ledger = Ledger(Path(sys.argv[1]))
        me = sys.argv[2]
        ledger.begin(me, None, "x")
        def work(n):
            for i in range(25):
                p = SessionProfile(key=f"{n}-{i}", kind="batch", label="", size=1)
                ledger.lease(me, [LedgerEntry(p, None)])
                ledger.confirm(me, [replace(p, profile_id=f"log-{n}-{i}")])
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        [t.start() for t in threads]; [t.join() for t in threads]
        ledger.release(me)
        ledger.close()
    """)
    kernels = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"session-{n}"], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    assert [kernel.communicate()[1] for kernel in kernels] == [b""] * 3
    ledger = Ledger(tmp_path)
    assert sorted((s.session_id, s.profiles, s.unfinished) for s in ledger.recent()) == [
        (f"session-{n}", 100, 0) for n in range(3)
    ]
    ledger.close()


@pytest.mark.slow
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
    for lines in (1, 3):
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
        with Session(session_id=session_id) as session:
            known = {profile.key: profile.state for profile in session.profiles}
            assert len(known) == 7
            before = {profile.key for profile in session.profiles if profile.state == "uploaded"}
            landed = {profile.key for profile in session.upload()}
            assert not before & landed
            # What was in the sockets' buffers of the other kernel may have arrived in between.
            assert {profile.state for profile in session.profiles} == {"uploaded"}
        with Session(session_id=session_id) as again:
            assert len(again.profiles) == len({profile.profile_id for profile in again.profiles}) == 7
            listed = again._remote.endpoint.client().list_session_profiles(session_id).profiles
            assert len(listed) == 7


def test_what_arrived_after_all_is_not_sent_again(session, profiles):
    """Bytes that a killed kernel left in the sockets, or an upload that was cancelled or lost its answer."""
    days = sorted(profiles.glob("batch-*.bin"))[:2]
    session.add(*days)
    late = replace(session.profiles[0], state="failed", problem="It was not answered.")
    session._store.update([late], uncertain=True)
    slot = session._remote.endpoint.client().create_dataset_profile_upload(session.session_id, late.dataset_timestamp)
    request = urllib.request.Request(slot.upload_url, data=days[0].read_bytes(), method="PUT")
    urllib.request.urlopen(request, timeout=60).close()
    assert [item.label for item in session.upload()] == [session.profiles[1].label]
    assert session.profiles[0].profile_id == slot.id
    assert {item.state for item in session.profiles} == {"uploaded"}
    listed = session._remote.endpoint.client().list_session_profiles(session.session_id).profiles
    assert len(listed) == 2
    assert session.upload() == []


def forget_sessions(session):
    """Empty the ledger, as if another kernel had set a damaged one aside and begun a new one."""
    with contextlib.closing(sqlite3.connect(session._remote.ledger.directory / "ledger.sqlite3")) as connection:
        connection.execute("pragma foreign_keys = on")
        connection.execute("delete from sessions")
        connection.commit()


def test_a_session_is_written_down_again_where_another_kernel_began_the_ledger_anew(session, profiles, capsys):
    days = sorted(profiles.glob("batch-*.bin"))[:3]
    session.add(days[0])
    session.upload()
    forget_sessions(session)
    with Session(session_id=session.session_id) as other:
        assert len(other.profiles) == len(other._remote.ledger.entries(other._remote.session_id)) == 1
        assert [known.session_id for known in Session.recent()] == [session.session_id]
        forget_sessions(session)
        session.add(days[1])
        session.upload()
        forget_sessions(session)
        other.refresh()
        assert {entry.profile.state for entry in other._remote.ledger.entries(other._remote.session_id)} == {"uploaded"}
        assert [known.session_id for known in Session.recent()] == [session.session_id]
        other.add(days[2])
        forget_sessions(session)
        other.upload()
        assert {entry.profile.state for entry in other._remote.ledger.entries(other._remote.session_id)} == {"uploaded"}
    assert "ledger" not in "".join(capsys.readouterr())


def test_a_continued_session_finds_its_endpoint_by_itself(endpoint_that):
    with endpoint_that(body=b'{"id": "session-elsewhere12345"}', content_type="application/json") as endpoint:
        with Session(endpoint=f"{endpoint}/secret-path") as session:
            session_id = session.session_id
        with Session(session_id=session_id) as again:
            assert again.endpoint_label == endpoint
            assert again._remote.endpoint.url.reveal() == f"{endpoint}/secret-path"
        assert any(known.session_id == session_id and known.label == endpoint for known in Session.recent())
        assert "secret-path" not in repr(Session.recent())


def test_threads_share_one_ledger(ledger):
    ledger.begin(ID, None, "x")
    errors = []

    def work(n):
        try:
            for i in range(20):
                ledger.lease(ID, [LedgerEntry(replace(PROFILE, key=f"{n}-{i}"), None)])
                ledger.entries(ID)
        except Exception as error:  # asserted below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(ledger.entries(ID)) == 120


@pytest.mark.slow
def test_two_kernels_on_one_session_send_each_profile_once(session, profiles):
    code = textwrap.dedent("""
        import sys
        from datetime import date, timedelta
        from songbird_widgets.session import Session
        with Session(session_id=sys.argv[1]) as session:
            for day in range(40):
                session.add(sys.argv[2], timestamp=date(2013, 7, 8) + timedelta(days=day))
            print("ready", flush=True)
            sys.stdin.readline()
            landed = session.upload()
            assert {profile.state for profile in session.profiles} == {"uploaded"}
            print(len(landed))
    """)
    command = [sys.executable, "-c", code, session.session_id, str(profiles / "batch-2013-07-08.bin")]
    kernels = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for kernel in kernels:
        assert kernel.stdout.readline() == "ready\n"
    for kernel in kernels:
        kernel.stdin.write("\n")
        kernel.stdin.flush()
    landed = [int(kernel.communicate(timeout=300)[0]) for kernel in kernels]
    assert [kernel.returncode for kernel in kernels] == [0, 0]
    assert sum(landed) == 40
    session.refresh()
    assert len(session.profiles) == 40

"""A disk that is full, read-only or broken, a database that is damaged: one sentence, and what can be read is read."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3

import pytest

from songbird_widgets.local.identity import LocalServiceError
from songbird_widgets.service import blobs, loopback
from songbird_widgets.service.database import Database, SchemaError

JULY_8 = 1_373_241_600_000


@pytest.fixture
def limited(own_service):
    """Have the service's database refuse what SQLite refuses on such a disk."""

    def refuse(pragma):
        from sqlalchemy import event

        engine = own_service.app.settings["retention"]._database._engine
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(pragma))

    return refuse


@pytest.mark.parametrize(
    ("pragma", "said"),
    [("pragma max_page_count = 1", "disk is full"), ("pragma query_only = 1", "may not write")],
)
def test_what_the_database_cannot_write_is_said_in_a_sentence_and_one_line(own_service, limited, caplog, pragma, said):
    session = own_service.session()
    own_service.put(own_service.announce(session))
    limited(pragma)
    for _ in range(20):
        answer = own_service.call("POST", f"/v0/sessions/{session}/references", json={"references": [{}] * 500})
        if answer.status_code != 200:
            assert said in own_service.check(answer, 500)
    assert answer.status_code == 500
    assert len(own_service.listed(session)) == 1
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "may not write"), (errno.EIO, "reports errors")]
)
def test_what_the_disk_cannot_keep_is_said_and_leaves_nothing(own_service, monkeypatch, caplog, number, said):
    session, whole = own_service.session(), own_service.announce
    assert own_service.put(whole(session), b"before").status_code == 200

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(blobs.os, "fsync", refuse)
    for _ in range(5):
        assert said in own_service.check(own_service.put(whole(session), os.urandom(3 << 20)), 500)
    monkeypatch.undo()
    assert not list((own_service.directory / "blobs" / "incoming").iterdir())
    assert len(own_service.listed(session)) == 1
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    assert own_service.put(whole(session), b"after").status_code == 200


@pytest.mark.parametrize("failure", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("no locks")])
def test_a_service_over_a_file_system_without_locks_says_so(tmp_path, monkeypatch, failure):
    def refuse(*_, **__):
        raise failure

    monkeypatch.setattr(loopback.FileLock, "acquire", refuse)
    with pytest.raises(LocalServiceError, match="Set SONGBIRD_DATA_DIR"):
        loopback.serve(tmp_path / "data")


def test_an_empty_database_beside_profiles_is_not_begun_anew(tmp_path):
    Database.in_directory(tmp_path).close()
    (tmp_path / "songbird.db").write_bytes(b"")
    (tmp_path / "blobs" / "ab").mkdir(parents=True)
    with pytest.raises(SchemaError, match="is empty, and profiles lie beside it"):
        Database.in_directory(tmp_path)


def crashed(directory, commits=12):
    """Leave the database as a kill does: with a journal of several commits."""
    Database.in_directory(directory).close()
    connection = sqlite3.connect(directory / "songbird.db", isolation_level=None)
    connection.execute("pragma wal_autocheckpoint = 0")
    connection.execute("create table more (number integer, text text)")
    for number in range(commits):
        connection.execute("insert into more values (?, ?)", (number, "x" * 3_000))
    journal = directory / "songbird.db-wal"
    content, database = journal.read_bytes(), (directory / "songbird.db").read_bytes()
    connection.close()
    (directory / "songbird.db").write_bytes(database)
    return journal, content


def test_a_damaged_journal_is_said_and_set_aside(tmp_path):
    journal, content = crashed(tmp_path)
    damaged = bytearray(content)
    damaged[len(content) // 3] ^= 255
    journal.write_bytes(damaged)
    with pytest.raises(SchemaError, match="was set aside as"):
        Database.in_directory(tmp_path)
    assert (tmp_path / "songbird.db-wal.damaged").read_bytes() == damaged
    Database.in_directory(tmp_path).close()  # and then it goes on with what can be read


@pytest.mark.parametrize("end", [None, -2_000])
def test_what_a_kill_or_a_power_cut_leaves_is_no_damage(tmp_path, end):
    journal, content = crashed(tmp_path)
    journal.write_bytes(content[:end])
    Database.in_directory(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "songbird.db")) as connection:
        assert connection.execute("select count(*) from more").fetchone()[0] == (12 if end is None else 11)

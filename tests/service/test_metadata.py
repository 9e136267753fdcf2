"""The database: an older one is taken over, writes share a transaction, and days follow their uploads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from hashlib import sha256

import pytest
import sqlalchemy as sa

from songbird_widgets.local.identity import LocalServiceError
from songbird_widgets.secret import Secret
from songbird_widgets.service import group_commit, tables
from songbird_widgets.service.database import Database
from songbird_widgets.service.errors import ResourceGone, ResourceNotFound, Unavailable
from songbird_widgets.service.group_commit import GroupCommit
from songbird_widgets.service.metadata import Metadata
from songbird_widgets.service.rows import DayRow, NewProfile, UploadRow
from songbird_widgets.service.tables import chained

JULY_8, DAY = 1_373_241_600_000, 86_400_000

# What version 0.1 of the package wrote.
FIRST_SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE organizations (id TEXT PRIMARY KEY, created BIGINT NOT NULL);
INSERT INTO organizations VALUES ('org-1', 1);
CREATE TABLE keys (hash TEXT PRIMARY KEY, public_id TEXT NOT NULL, org_id TEXT NOT NULL, created BIGINT NOT NULL);
CREATE TABLE datasets (org_id TEXT, id TEXT, created BIGINT NOT NULL, PRIMARY KEY (org_id, id));
INSERT INTO datasets VALUES ('org-1', 'model-1', 1);
CREATE TABLE sessions (id TEXT PRIMARY KEY, org_id TEXT NOT NULL, dataset_id TEXT NOT NULL, user_id TEXT NOT NULL,
    created BIGINT NOT NULL, claimed BIGINT, claimed_by TEXT, claimed_dataset TEXT);
INSERT INTO sessions VALUES ('session-1', 'org-1', 'model-1', 'someone', 1, NULL, NULL, NULL);
CREATE TABLE profiles (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, org_id TEXT NOT NULL, dataset_id TEXT NOT NULL,
    kind TEXT NOT NULL, alias TEXT, dataset_timestamp BIGINT, segment_tags TEXT NOT NULL, region TEXT,
    announced BIGINT NOT NULL, uploaded BIGINT, size BIGINT, sha256 TEXT, blob TEXT);
CREATE INDEX ix_profiles_session_id ON profiles (session_id);
CREATE INDEX profiles_by_dataset ON profiles (org_id, dataset_id, uploaded);
CREATE INDEX profiles_by_time ON profiles (org_id, dataset_id, kind, dataset_timestamp);
INSERT INTO profiles VALUES
    ('ref-1', 'session-1', 'org-1', 'model-1', 'reference', 'july', NULL, '[]', NULL, 1, 10, 7, 'aa', 'aa'),
    ('log-1', 'session-1', 'org-1', 'model-1', 'batch', NULL, 1373241600005, '[]', NULL, 1, 11, 5, 'bb', 'bb'),
    ('log-2', 'session-1', 'org-1', 'model-1', 'batch', NULL, 1373241600009, '[]', NULL, 1, 12, 6, 'cc', 'cc'),
    ('log-3', 'session-1', 'org-1', 'model-1', 'batch', NULL, 1373328000000, '[]', NULL, 1, NULL, NULL, NULL, NULL);
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def open_database(request, tmp_path):
    """Open one and the same new database, as often as one likes."""
    if request.param == "sqlite":
        return lambda: Database.in_directory(tmp_path)
    url = request.getfixturevalue("postgresql").database()
    return lambda: Database.at(url)


@pytest.fixture
def metadata(open_database):
    made = Metadata(open_database())
    yield made
    made.close()


def announced(metadata, *profiles):
    session_id = metadata.create_session("someone")
    session, ids = metadata.announce(session_id, profiles)
    return (session.org_id, session.dataset_id), ids


def digest(*parts):
    return sha256("".join(parts).encode()).hexdigest()


def test_an_older_database_is_taken_over_with_its_days(tmp_path):
    with sqlite3.connect(tmp_path / "songbird.db") as old:
        old.executescript(FIRST_SCHEMA)
    old.close()
    for _ in range(2):  # the second time it is a present one
        metadata = Metadata(Database.in_directory(tmp_path))
        assert metadata.days("org-1", "model-1") == [DayRow(JULY_8, 2, 11, digest("bb", "cc"))]
        assert [row.id for row in metadata.profiles("org-1", "model-1")] == ["ref-1", "log-1", "log-2"]
        assert [row.alias for row in metadata.references("org-1", "model-1", limit=9)] == ["july"]
        assert metadata.is_announced("org-1", "model-1", JULY_8 + DAY)
        metadata.close()


def test_a_day_follows_its_uploads(metadata):
    batch = NewProfile("batch", dataset_timestamp=JULY_8 + 5)
    key, ids = announced(metadata, batch, batch, batch)
    assert metadata.day(*key, JULY_8) is None
    for profile_id, content in zip(ids, ("aa", "bb", "cc"), strict=True):
        metadata.confirm(UploadRow(profile_id, 10, content))
    assert metadata.day(*key, JULY_8) == DayRow(JULY_8, 3, 30, chained("", ["aa", "bb", "cc"]))
    metadata.confirm(UploadRow(ids[0], 99, "dd"))  # once more to the same slot: what was there is replaced
    uploads = metadata.day_uploads(*key, JULY_8)
    assert [row.sha256 for row in uploads] == ["bb", "cc", "dd"]
    assert metadata.day(*key, JULY_8) == DayRow(JULY_8, 3, 119, chained("", ["bb", "cc", "dd"]))
    last = uploads[1]
    assert metadata.day_uploads(*key, JULY_8, after=(last.upload_timestamp, last.id)) == uploads[2:]


def test_equal_content_is_looked_for_on_its_own_day_only(tmp_path):
    opened = Database.in_directory(tmp_path)
    metadata, asked = Metadata(opened), []
    batches = [NewProfile("batch", dataset_timestamp=JULY_8 + day * 86_400_000) for day in range(3)]
    key, ids = announced(metadata, *batches, batches[0], NewProfile("reference", alias="july"))

    def listen(connection):
        connection.connection.dbapi_connection.set_trace_callback(asked.append)

    sa.event.listen(opened._engine, "begin", listen)
    for profile_id in ids:
        metadata.confirm(UploadRow(profile_id, 1, "aa"))
    assert [row.uploads for row in metadata.days(*key)] == [1, 1, 1]
    assert len(metadata.profiles(*key)) == 4
    metadata.close()
    looked = [one for one in asked if one.startswith("SELECT") and "profiles.sha256 IN" in one]
    assert len(looked) == len(ids)
    with sqlite3.connect(tmp_path / "songbird.db") as database:
        plans = [database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall() for statement in looked]
    database.close()
    assert all("profiles_by_content (sha256=? AND org_id=? AND dataset_id=? AND day=?" in f"{plan}" for plan in plans)


def test_who_lists_what_came_after_misses_none(metadata):
    key, ids = announced(metadata, *[NewProfile("reference", alias=str(index)) for index in range(40)])
    seen, done = [], threading.Event()

    def look():
        while True:
            last = done.is_set()
            seen.extend(metadata.profiles(*key, after=_place(seen), limit=7))
            if last and not metadata.profiles(*key, after=_place(seen), limit=1):
                return

    looking = threading.Thread(target=look)
    looking.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda profile_id: metadata.confirm(UploadRow(profile_id, 1, "aa")), ids))
    done.set()
    looking.join()
    assert sorted(row.id for row in seen) == sorted(ids)


def _place(rows):
    return (rows[-1].upload_timestamp, rows[-1].id) if rows else (0, "")


def test_one_that_is_refused_costs_the_others_nothing(metadata):
    key, ids = announced(metadata, *[NewProfile("reference")] * 8)

    def confirm(profile_id):
        try:
            return metadata.confirm(UploadRow(profile_id, 1, "aa")).sha256
        except ResourceNotFound:
            return "refused"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(confirm, [*ids, "ref-nonsense", "log-nonsense"]))
    assert answers == ["aa"] * 8 + ["refused"] * 2
    assert len(metadata.profiles(*key)) == 8


def test_what_breaks_a_transaction_breaks_its_own_write_only(open_database):
    database = open_database()
    hold = threading.Event()

    def make(_connection, items):
        hold.wait(60)
        if "broken" in items:
            raise OSError("No room.")
        return items

    writer = GroupCommit(database.transaction)
    writes = {item: writer.write(make, item) for item in ("a", "b", "broken", "c")}
    hold.set()
    assert isinstance(writes.pop("broken").exception(60), OSError)
    assert {item: write.result(60) for item, write in writes.items()} == {item: item for item in writes}
    writer.close()
    database.close()


def test_writes_that_wait_for_a_database_which_lets_none_begin_are_refused_together():
    waiting, tried = threading.Event(), []

    def begin():
        waiting.wait(60)
        tried.append(1)
        raise OSError("Another program holds it.")

    writer = GroupCommit(begin)
    writes = [writer.write(lambda _, items: items, number) for number in range(50)]
    waiting.set()
    assert {type(write.exception(60)) for write in writes} == {OSError}
    assert len(tried) <= 2  # the first may have been alone
    writer.close()


def test_a_transaction_waits_for_what_is_being_prepared_and_for_nothing_else(monkeypatch):
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 600)
    monkeypatch.setattr(group_commit, "MAX_GROUP", 2)
    groups = []

    def make(_connection, items):
        groups.append(list(items))
        return items

    writer = GroupCommit(contextlib.nullcontext)
    with writer.preparing():
        first = writer.write(make, "a")
        assert not wait([first], 0.2).done
        second = writer.write(make, "b")
        assert [first.result(60), second.result(60)] == ["a", "b"]
    assert writer.write(make, "c").result(60) == "c"
    assert groups == [["a", "b"], ["c"]]
    writer.close()


def test_replicas_that_start_at_once_make_one_schema_and_one_key(open_database):
    barrier = threading.Barrier(4)

    def start(_):
        barrier.wait()
        return open_database()

    with ThreadPoolExecutor(4) as pool:
        replicas = list(pool.map(start, range(4)))
    assert len({replica.setting("signing_key") for replica in replicas}) == 1
    first, second = Metadata(replicas[0]), Metadata(replicas[1])
    key, ids = announced(first, NewProfile("reference", alias="july"))
    second.confirm(UploadRow(ids[0], 1, "aa"))
    assert [row.alias for row in first.references(*key, limit=9)] == ["july"]
    for replica in replicas:
        replica.close()


def test_an_older_schema_is_brought_up_to_date_however_long_that_takes(open_database, monkeypatch):
    database = open_database()
    with database.transaction() as connection:
        connection.execute(tables.version.update().values(version=tables.SCHEMA_VERSION - 1))
    database.close()
    ends = () if database.has_one_process else ("statement_timeout", "idle_in_transaction_session_timeout")
    found = {}

    def upgrade(connection, _found):
        found.update({name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ends})
        connection.execute(tables.version.update().values(version=tables.SCHEMA_VERSION))
        return True

    monkeypatch.setattr(tables, "upgrade", upgrade)
    database = open_database()
    assert found == dict.fromkeys(ends, "0")
    with database.read() as connection:  # and then they have an end
        assert "0" not in [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ends]
    database.close()


def test_replicas_that_confirm_at_once_lose_no_upload_of_a_day_and_give_each_a_time_of_its_own(open_database):
    replicas = [Metadata(open_database()) for _ in range(3)]
    batch = NewProfile("batch", dataset_timestamp=JULY_8)
    key, ids = announced(replicas[0], *[batch] * 60)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda n: replicas[n % 3].confirm(UploadRow(ids[n], 10, f"{n:02}")), range(60)))
    rows = replicas[1].profiles(*key)
    assert sorted(row.id for row in rows) == sorted(ids)
    assert replicas[2].day(*key, JULY_8) == DayRow(JULY_8, 60, 600, chained("", [row.sha256 for row in rows]))
    for replica in replicas:
        replica.close()


def test_a_claim_is_made_by_one_of_two_replicas(open_database):
    replicas = [Metadata(open_database()) for _ in range(2)]
    replicas[0].add_organization("org-1", Secret("key"))
    session_id = replicas[0].create_session("someone")
    barrier = threading.Barrier(2)

    def claim(replica):
        barrier.wait()
        try:
            return replica.claim(session_id, "org-1", Secret("key"))
        except ResourceGone:
            return "gone"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(claim, replicas)) == ["gone", "model-1"]
    for replica in replicas:
        replica.close()


def test_a_postgresql_of_an_older_schema_is_taken_over(postgresql):
    import psycopg

    url = postgresql.database()
    with psycopg.connect(url) as old:
        old.execute(FIRST_SCHEMA)
    for _ in range(2):
        metadata = Metadata(Database.at(url))
        assert metadata.days("org-1", "model-1") == [DayRow(JULY_8, 2, 11, digest("bb", "cc"))]
        assert metadata.announce("session-1", [NewProfile("reference")])[1]
        metadata.close()


def test_a_database_that_goes_away_and_comes_back_is_used_again(postgresql):
    metadata = Metadata(Database.at(postgresql.database()))
    key, ids = announced(metadata, NewProfile("reference", alias="july"))
    postgresql.stop("immediate")
    try:
        for use in (lambda: metadata.profiles(*key), lambda: metadata.confirm(UploadRow(ids[0], 1, "aa"))):
            with pytest.raises(Unavailable, match="does not answer"):
                use()
    finally:
        postgresql.start()
    metadata.confirm(UploadRow(ids[0], 1, "aa"))
    assert [row.id for row in metadata.profiles(*key)] == ids
    metadata.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://me:canarypassword@127.0.0.1:1/songbird", "127.0.0.1:1/songbird cannot be reached"),
        ("postgresql+psycopg://me:canarypassword@/", "is none that the service can use"),
        ("mysql://me:canarypassword@host/name", "is none that the service can use"),
        ("canarypassword", "is none that the service can use"),
    ],
)
def test_what_is_wrong_with_a_database_url_is_said_without_its_password(address, said):
    with pytest.raises(LocalServiceError, match=said) as caught:
        Database.at(address)
    assert "canary" not in str(caught.value)


def test_a_connection_that_is_held_while_the_database_is_closed_is_closed_too(tmp_path):
    database = Database.in_directory(tmp_path)
    with database.read() as held:
        kept = held.connection.dbapi_connection
        database.close()
    with database.read() as late:
        after = late.connection.dbapi_connection
    for connection in (kept, after):
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("select 1")

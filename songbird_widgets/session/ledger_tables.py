"""The tables of the ledger: their columns, statements and upgrades, and its rows as profiles of a session."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..secret import Secret
from .content import Content, key_of
from .errors import LedgerError
from .models import SessionProfile

_VERSION = 4
SESSION_COLUMNS = {
    "session_id": "text primary key",
    "endpoint": "text",
    "label": "text not null",
    "state": "text not null",
    "created": "integer not null",
    "used": "integer not null",
    "name": "text",
}
# Named as the attributes of `SessionProfile` where they hold one.
_PROFILE_COLUMNS = {
    "session_id": "text not null references sessions on delete cascade",
    "key": "text not null",
    "kind": "text not null",
    "label": "text not null",
    "alias": "text",
    "dataset_timestamp": "integer",
    "name": "text not null",
    "size": "integer not null",
    "sha256": "text not null",
    "columns": "integer",
    "rows": "integer",
    "path": "blob",
    "state": "text not null",
    "problem": "text",
    "profile_id": "text",
    "upload_timestamp": "integer",
    "segment_tags": "text",
    "sender": "text",
    "alias_timestamp": "integer",
    "data_digest": "text not null default ''",
    "timed": "integer not null default 1",
}
_NEW_IN_2 = ("segment_tags", "sender")
_NEW_IN_4 = ("alias_timestamp", "data_digest", "timed")
# A session's id is not read back: it would be plain text in a variable.
READ_COLUMNS = tuple(name for name in _PROFILE_COLUMNS if name != "session_id")
_OF_PROFILE = tuple(field.name for field in fields(SessionProfile) if field.name in _PROFILE_COLUMNS)
_KEY = "primary key (session_id, key)"
_SCHEMA = (
    f"create table if not exists sessions ({', '.join(map(' '.join, SESSION_COLUMNS.items()))})",
    f"create table if not exists profiles ({', '.join(map(' '.join, _PROFILE_COLUMNS.items()))}, {_KEY})",
    # Days on which the ledger was used. Ages are counted in these, so a clock that jumps ages nothing by more than one.
    "create table if not exists days (day integer primary key)",
)
_VALUES = ", ".join(f":{name}" for name in _PROFILE_COLUMNS)
_PUT = f"insert into profiles ({', '.join(_PROFILE_COLUMNS)}) values ({_VALUES}) "
BEGIN = f"insert into sessions ({', '.join(SESSION_COLUMNS)}) values (?, ?, ?, 'open', ?, ?, ?)"
ANNOUNCE = _PUT + (
    "on conflict (session_id, key) do update set path = excluded.path, state = 'added', problem = null, "
    "segment_tags = excluded.segment_tags, sender = excluded.sender, alias_timestamp = excluded.alias_timestamp, "
    "data_digest = excluded.data_digest, timed = excluded.timed"
)
CONFIRM = _PUT + (
    "on conflict (session_id, key) do update set state = 'uploaded', problem = null, path = null, sender = null, "
    "profile_id = coalesce(excluded.profile_id, profile_id), "
    "upload_timestamp = coalesce(excluded.upload_timestamp, upload_timestamp), "
    "alias_timestamp = coalesce(excluded.alias_timestamp, alias_timestamp)"
)
# A session id opens its session, so it becomes text only on its way into the file.
sqlite3.register_adapter(Secret, Secret.reveal)


@dataclass(frozen=True)
class LedgerEntry:
    """A profile of a session and where its bytes are, if it still has to be sent."""

    profile: SessionProfile
    content: Content | None


def prepare(connection: sqlite3.Connection, file: Path) -> None:
    """Set up a connection to the ledger in a file, and make or upgrade its tables.

    Raises
    ------
    LedgerError
        If a newer version has made them.
    """
    # A killed kernel loses nothing that was committed; only a power cut could, and then the endpoint
    # knows what arrived. So no sync for each profile.
    for pragma in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")
    version = connection.execute("pragma user_version").fetchone()[0]
    if version > _VERSION:
        raise LedgerError(f"The ledger {file} is of a newer songbird-widgets. Update this one.")
    if version == _VERSION:
        return
    connection.execute("begin immediate")
    try:
        _upgrade(connection)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _upgrade(connection: sqlite3.Connection) -> None:
    version = connection.execute("pragma user_version").fetchone()[0]  # another kernel may have been faster
    if version == 1:
        _upgrade_from_1(connection)
    if version in (1, 2):
        connection.execute(f"alter table sessions add column name {SESSION_COLUMNS['name']}")
    if version in (1, 2, 3):
        for name in _NEW_IN_4:
            connection.execute(f"alter table profiles add column {name} {_PROFILE_COLUMNS[name]}")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"pragma user_version = {_VERSION}")


def _upgrade_from_1(connection: sqlite3.Connection) -> None:
    """Bring a ledger of version 1 up to date: it named batches by their moment instead of their day."""
    for name in _NEW_IN_2:
        connection.execute(f"alter table profiles add column {name} {_PROFILE_COLUMNS[name]}")
    rows = connection.execute(
        "select rowid, kind, alias, dataset_timestamp, sha256 from profiles where kind = 'batch' and sha256 <> '' "
        "order by state <> 'uploaded'"
    ).fetchall()
    for rowid, kind, alias, when, sha256 in rows:
        key = key_of(kind, alias, when, sha256)
        # The same bytes of one day under two moments: those that arrived stay as they are.
        connection.execute("update or ignore profiles set key = ? where rowid = ?", (key, rowid))


def row_of(
    session_id: Secret,
    profile: SessionProfile,
    content: Content | None = None,
    path: Path | None = None,
    *,
    sender: str | None = None,
) -> dict[str, object]:
    """Return a profile of a session as a row."""
    return {
        **{name: getattr(profile, name) for name in _OF_PROFILE},
        "session_id": session_id,
        "state": profile.state if profile.state == "uploaded" else "added",
        "path": None if path is None else os.fsencode(path),  # a name need not be Unicode
        "segment_tags": json.dumps(content.segment_tags) if content is not None and content.segment_tags else None,
        "sender": sender,
    }


def entry_of(row: dict[str, Any]) -> LedgerEntry:
    """Return a row as a profile of a session, and where its bytes are."""
    profile = SessionProfile(**{name: row[name] for name in _OF_PROFILE if name != "timed"}, timed=bool(row["timed"]))
    if profile.state == "uploaded":
        profile = replace(profile, sent=profile.size)
    if row["path"] is None:
        return LedgerEntry(profile, None)
    tags = tuple((key, value) for key, value in json.loads(row["segment_tags"] or "[]"))
    return LedgerEntry(profile, Content(Path(os.fsdecode(row["path"])), tags))

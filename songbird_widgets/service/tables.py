"""The tables of the service's database, and how an older database becomes a present one."""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ..basics import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = 8

schema = sa.MetaData()

version = sa.Table("schema_version", schema, sa.Column("version", sa.Integer, nullable=False))

organizations = sa.Table(
    "organizations",
    schema,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)

keys = sa.Table(
    "keys",
    schema,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("public_id", sa.Text, nullable=False),
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text),  # what it is for, in its owner's words
    sa.Column("revoked", sa.BigInteger),
)

datasets = sa.Table(
    "datasets",
    schema,
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)

sessions = sa.Table(
    "sessions",
    schema,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("dataset_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("claimed", sa.BigInteger),
    sa.Column("claimed_by", sa.Text),
    sa.Column("claimed_dataset", sa.Text),
    sa.Column("ended", sa.BigInteger),  # when it expired or was deleted; its profiles go
    sa.Column("ended_why", sa.Text),  # expired or deleted
    sa.Column("name", sa.Text),  # what its owner calls it
    sa.ForeignKeyConstraint(["org_id", "dataset_id"], ["datasets.org_id", "datasets.id"]),
)

profiles = sa.Table(
    "profiles",
    schema,
    sa.Column("id", sa.Text, primary_key=True),
    # None for what an organization uploaded with its key.
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), index=True),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("dataset_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("alias", sa.Text),
    sa.Column("dataset_timestamp", sa.BigInteger),
    sa.Column("segment_tags", sa.Text, nullable=False),
    sa.Column("region", sa.Text),
    sa.Column("announced", sa.BigInteger, nullable=False),
    sa.Column("uploaded", sa.BigInteger),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", sa.Text),
    sa.Column("blob", sa.Text),
    sa.Column("day", sa.BigInteger),  # of a batch: the first millisecond of its UTC day
    # The uploaded profile of equal content, which alone is listed and shown; then this one is not uploaded itself.
    sa.Column("same_as", sa.Text),
    # Of its data, from when its summary is made.
    sa.Column("data_rows", sa.BigInteger),
    sa.Column("data_columns", sa.BigInteger),
    sa.Column("etag", sa.Text),  # of the object that was put straight to a store, as it was when it was taken
    # Its bytes are kept and noted, but it is not uploaded before the transaction is committed.
    sa.Column("transaction_id", sa.Text, index=True),
    sa.ForeignKeyConstraint(["org_id", "dataset_id"], ["datasets.org_id", "datasets.id"]),
)

_uploaded_reference = (profiles.c.kind == "reference") & profiles.c.uploaded.is_not(None)
reference_name = sa.func.lower(sa.func.coalesce(profiles.c.alias, profiles.c.id))
"""What references are listed by."""

_references_by_name = sa.Index(
    "references_by_name",
    profiles.c.org_id,
    profiles.c.dataset_id,
    reference_name,
    profiles.c.id,
    sqlite_where=_uploaded_reference,
)
_indexes = (
    sa.Index("profiles_listed", profiles.c.org_id, profiles.c.dataset_id, profiles.c.uploaded, profiles.c.id),
    sa.Index(
        "profiles_by_day",
        profiles.c.org_id,
        profiles.c.dataset_id,
        profiles.c.day,
        profiles.c.uploaded,
        profiles.c.id,
    ),
    sa.Index(
        "profiles_by_content",
        profiles.c.sha256,
        profiles.c.org_id,
        profiles.c.dataset_id,
        profiles.c.day,
        profiles.c.alias,
    ),
    sa.Index("profiles_by_kind", profiles.c.org_id, profiles.c.dataset_id, profiles.c.kind, profiles.c.uploaded),
    _references_by_name,
)


def prepare_for_postgresql() -> None:
    """Limit the index of references in PostgreSQL, too; only saying so loads SQLAlchemy's dialect, which takes long."""
    _references_by_name.dialect_options["postgresql"]["where"] = _uploaded_reference


days = sa.Table(
    "days",
    schema,
    sa.Column("org_id", sa.Text, primary_key=True),
    sa.Column("dataset_id", sa.Text, primary_key=True),
    sa.Column("day", sa.BigInteger, primary_key=True),
    sa.Column("uploads", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    # Of the contents in the order of their arrival, see `chained`.
    sa.Column("digest", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["org_id", "dataset_id"], ["datasets.org_id", "datasets.id"]),
)
"""The uploaded batches of each day, so that lists of days need not look at each upload."""


transactions = sa.Table(
    "transactions",
    schema,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("dataset_id", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # open, committed or aborted
)

members = sa.Table(
    "members",
    schema,
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Index("members_by_person", "person"),
)
"""Who may see an organization's profiles after a sign-in; with a key anybody may."""

sign_ins = sa.Table(
    "sign_ins",
    schema,
    sa.Column("id", sa.Text, primary_key=True),  # the hash of its cookie
    sa.Column("path", sa.Text, nullable=False),  # the hash of its path's token
    sa.Column("key_hash", sa.Text),
    sa.Column("person", sa.Text),
    sa.Column("is_user", sa.Integer, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)
"""Who is signed in with a browser (`sign_ins`)."""

documents = sa.Table(
    "documents",
    schema,
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("dataset_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
"""What else clients keep with a dataset: weights of its columns, and which are outputs."""

usage = sa.Table(
    "usage",
    schema,
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("profiles", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)
"""What each open session holds, slots included, and under `ALL_SESSIONS` what all hold together (`quotas`)."""

ALL_SESSIONS = ""

clock = sa.Table("clock", schema, sa.Column("last_upload", sa.BigInteger, nullable=False))
"""The one row holds the time of the last transaction that noted uploads: no other has the same."""

settings = sa.Table(
    "settings",
    schema,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""What all replicas of the service share, see `database.SETTINGS`."""


def chained(digest: str, hashes: Iterable[str]) -> str:
    """Return the digest of a day after further uploads.

    Parameters
    ----------
    digest : str
        The day's digest before; empty for a day without uploads.
    hashes : iterable of str
        SHA-256 of each further content, in hexadecimal, in the order of arrival.

    Returns
    -------
    str
        For a day of one upload its own hash; else SHA-256 of the digest before and the hash, in hexadecimal.
    """
    for one in hashes:
        digest = hashlib.sha256(f"{digest}{one}".encode()).hexdigest() if digest else one
    return digest


def upgrade(connection: sa.Connection, found: int) -> bool:
    """Make a database of an older schema one of the present schema.

    Returns
    -------
    bool
        Whether that schema is known.
    """
    if not 1 <= found < SCHEMA_VERSION:
        return False
    steps = (_add_days, _add_organizations, _add_usage, _index_twins, _add_sign_ins, _add_figures, _add_names)
    for step in steps[found - 1 :]:
        step(connection)
    connection.execute(version.update().values(version=SCHEMA_VERSION))
    return True


def _add_days(connection: sa.Connection) -> None:
    """From schema 1, which has no days: they are gathered from its profiles."""
    connection.execute(sa.text("ALTER TABLE profiles ADD COLUMN day BIGINT"))
    stamp = profiles.c.dataset_timestamp
    connection.execute(profiles.update().where(profiles.c.kind == "batch").values(day=stamp - stamp % DAY_MS))
    for index in ("profiles_by_dataset", "profiles_by_time"):
        connection.execute(sa.text(f"DROP INDEX IF EXISTS {index}"))
    days.create(connection, checkfirst=True)
    for index_ in _indexes:
        index_.create(connection, checkfirst=True)
    key = (profiles.c.org_id, profiles.c.dataset_id, profiles.c.day)
    query = (
        sa.select(*key, profiles.c.size, profiles.c.sha256)
        .where(profiles.c.day.is_not(None), profiles.c.uploaded.is_not(None))
        .order_by(*key, profiles.c.uploaded, profiles.c.id)
    )
    gathered = []
    for (org_id, dataset_id, day), rows in groupby(connection.execute(query), key=lambda row: tuple(row[:3])):
        uploads = [(row.size or 0, row.sha256 or "") for row in rows]
        gathered.append(
            {
                "org_id": org_id,
                "dataset_id": dataset_id,
                "day": day,
                "uploads": len(uploads),
                "size": sum(size for size, _ in uploads),
                "digest": chained("", (sha256 for _, sha256 in uploads)),
            }
        )
    if gathered:
        connection.execute(days.insert(), gathered)


def _add_organizations(connection: sa.Connection) -> None:
    """From schema 2, in which every profile has a session, and no key has a name or an end."""
    for column in (
        "keys ADD COLUMN name TEXT",
        "keys ADD COLUMN revoked BIGINT",
        "profiles ADD COLUMN etag TEXT",
        "profiles ADD COLUMN same_as TEXT",
        "sessions ADD COLUMN ended BIGINT",
        "sessions ADD COLUMN ended_why TEXT",
        "profiles ADD COLUMN transaction_id TEXT",
    ):
        connection.execute(sa.text(f"ALTER TABLE {column}"))
    if connection.dialect.name == "sqlite":
        _make_profiles_anew(connection)
    else:
        connection.execute(sa.text("ALTER TABLE profiles ALTER COLUMN session_id DROP NOT NULL"))
        connection.execute(sa.text("CREATE INDEX ix_profiles_transaction_id ON profiles (transaction_id)"))
    for table in (transactions, members, documents, clock, settings):
        table.create(connection)
    last = connection.execute(sa.select(sa.func.max(profiles.c.uploaded))).scalar()
    connection.execute(clock.insert().values(last_upload=last or 0))


def _add_usage(connection: sa.Connection) -> None:
    """From schema 3, in which nobody has counted what sessions hold."""
    usage.create(connection)
    of_session = (
        sa.select(sessions.c.id, sa.func.count(profiles.c.id), sa.func.coalesce(sa.func.sum(profiles.c.size), 0))
        .join_from(sessions, profiles, profiles.c.session_id == sessions.c.id, isouter=True)
        .where(sessions.c.claimed.is_(None), sessions.c.ended.is_(None))
        .group_by(sessions.c.id)
    )
    connection.execute(usage.insert().from_select(["session_id", "profiles", "size"], of_session))
    of_all = sa.select(
        sa.literal(ALL_SESSIONS),
        sa.func.coalesce(sa.func.sum(usage.c.profiles), 0) + sa.func.count(),
        sa.func.coalesce(sa.func.sum(usage.c.size), 0),
    )
    connection.execute(usage.insert().from_select(["session_id", "profiles", "size"], of_all))


def _index_twins(connection: sa.Connection) -> None:
    """From schema 4, in which equal content was looked for on all days."""
    connection.execute(sa.text("DROP INDEX IF EXISTS profiles_by_content"))
    (index,) = (index for index in _indexes if index.name == "profiles_by_content")
    index.create(connection)


def _add_sign_ins(connection: sa.Connection) -> None:
    """From schema 5, in which cookies were signed, and good until they expired."""
    sign_ins.create(connection)


def _add_figures(connection: sa.Connection) -> None:
    """From schema 6, in which nobody has counted what profiles hold."""
    known = {column["name"] for column in sa.inspect(connection).get_columns("profiles")}
    for name in ("data_rows", "data_columns"):
        if name not in known:  # a table that was made anew has them
            connection.execute(sa.text(f"ALTER TABLE profiles ADD COLUMN {name} BIGINT"))


def _add_names(connection: sa.Connection) -> None:
    """From schema 7, in which sessions have no names."""
    connection.execute(sa.text("ALTER TABLE sessions ADD COLUMN name TEXT"))


def _make_profiles_anew(connection: sa.Connection) -> None:
    """Copy the profiles into a table as it is made today: SQLite changes no column."""
    connection.execute(sa.text("ALTER TABLE profiles RENAME TO profiles_before"))
    for name in ("ix_profiles_session_id", *(str(index.name) for index in _indexes)):
        connection.execute(sa.text(f"DROP INDEX IF EXISTS {name}"))
    profiles.create(connection)
    known = {column["name"] for column in sa.inspect(connection).get_columns("profiles_before")}
    names = ", ".join(column.name for column in profiles.columns if column.name in known)
    connection.execute(sa.text(f"INSERT INTO profiles ({names}) SELECT {names} FROM profiles_before"))
    connection.execute(sa.text("DROP TABLE profiles_before"))

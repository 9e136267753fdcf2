"""Sessions, profiles, organizations and keys, in SQLite through SQLAlchemy Core.

Every method here blocks on the disk: call it on the service's executor, never on its loop. Times are
milliseconds since the epoch, UTC, as on the wire.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import sqlalchemy as sa

from songbird_widgets.local.identity import LocalServiceError, random_text

from .errors import Forbidden, Gone, NotFound, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DAY_MS = 86_400_000
DATABASE_FILE = "songbird.db"
SCHEMA_VERSION = 1

_schema = sa.MetaData()

_version = sa.Table("schema_version", _schema, sa.Column("version", sa.Integer, nullable=False))

_organizations = sa.Table(
    "organizations",
    _schema,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)

_keys = sa.Table(
    "keys",
    _schema,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("public_id", sa.Text, nullable=False),
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)

_datasets = sa.Table(
    "datasets",
    _schema,
    sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)

_sessions = sa.Table(
    "sessions",
    _schema,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("org_id", sa.Text, nullable=False),
    sa.Column("dataset_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("claimed", sa.BigInteger),
    sa.Column("claimed_by", sa.Text),
    sa.Column("claimed_dataset", sa.Text),
    sa.ForeignKeyConstraint(["org_id", "dataset_id"], ["datasets.org_id", "datasets.id"]),
)

_profiles = sa.Table(
    "profiles",
    _schema,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), nullable=False, index=True),
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
    sa.ForeignKeyConstraint(["org_id", "dataset_id"], ["datasets.org_id", "datasets.id"]),
    sa.Index("profiles_by_dataset", "org_id", "dataset_id", "uploaded"),
    sa.Index("profiles_by_time", "org_id", "dataset_id", "kind", "dataset_timestamp"),
)


class SchemaError(LocalServiceError):
    """The database was written by a newer version of the package, or is no database of this service."""


@dataclass(frozen=True)
class SessionRow:
    """A guest session. Its id opens it to whoever has it, so the repr leaves it out."""

    session_id: str = field(repr=False)
    org_id: str
    dataset_id: str
    user_id: str
    state: Literal["open", "claimed"]


@dataclass(frozen=True)
class ProfileRow:
    """A profile: announced when its slot was given out, uploaded once its bytes are safe on disk.

    ``blob`` is the key for `Blobs.read`; ``size`` (bytes), ``sha256``, ``blob`` and ``upload_timestamp`` (ms)
    are None until the upload. ``dataset_timestamp`` (ms) is exact; the batch it belongs to is its UTC day.
    """

    id: str
    kind: Literal["batch", "reference"]
    alias: str | None
    dataset_timestamp: int | None
    upload_timestamp: int | None
    state: Literal["announced", "uploaded"]
    size: int | None
    sha256: str | None
    blob: str | None


@dataclass(frozen=True)
class DatasetRow:
    """A dataset of an organization and how many uploaded profiles it holds."""

    id: str
    created: int
    profiles: int


@dataclass(frozen=True)
class NewProfile:
    """What is known of a profile when its slot is asked for; times in ms."""

    kind: Literal["batch", "reference"]
    alias: str | None = None
    dataset_timestamp: int | None = None
    segment_tags: tuple[tuple[str, str], ...] = ()
    region: str | None = None


def now_ms() -> int:
    """The time now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def day_start(timestamp: int) -> int:
    """The start of the UTC day of `timestamp`, both in ms: the batch period of guest sessions is daily."""
    return timestamp - timestamp % DAY_MS


def _hash_key(key: str) -> str:
    # A key is 300 bits of randomness and not a password: one round of SHA-256 cannot be searched.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _shortened(secret: str) -> str:
    """Enough of a bearer id to recognise a typo by, too little to use."""
    return "".join(c if c.isprintable() else "?" for c in secret[:12]) + ("…" if len(secret) > 12 else "")


class Metadata:
    """The service's database.

    Parameters
    ----------
    data_dir : Path
        An existing directory; the database and its schema are made on first use.

    Raises
    ------
    SchemaError
        When the database is damaged or newer than this version of the package.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / DATABASE_FILE
        self._path.touch(mode=0o600)
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self._path)),
            connect_args={"timeout": 30},
            hide_parameters=True,  # else an error would carry session ids and aliases into the log
        )
        sa.event.listen(self._engine, "connect", _on_connect)
        sa.event.listen(self._engine, "begin", _on_begin)
        # SQLite lets one writer in and has the others poll; a lock here lets the next one in at once.
        self._writing = threading.Lock()
        try:
            self._make_schema()
        except sa.exc.DatabaseError as error:
            self.close()
            raise SchemaError(
                f"{self._path} cannot be used: {error.orig}. Restore it, or move it away to start afresh."
            ) from None
        except SchemaError:
            self.close()
            raise

    def _make_schema(self) -> None:
        with self._write() as connection:
            _version.create(connection, checkfirst=True)
            version = connection.execute(sa.select(_version.c.version)).scalar()
            if version is None:
                _schema.create_all(connection)
                connection.execute(_version.insert().values(version=SCHEMA_VERSION))
            elif version != SCHEMA_VERSION:
                raise SchemaError(
                    f"{self._path} was written by a newer songbird-widgets (schema {version}; this one knows "
                    f"{SCHEMA_VERSION}). Upgrade it here, or set SONGBIRD_DATA_DIR to another directory."
                )

    @contextlib.contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with (
            self._writing,
            self._engine.connect().execution_options(songbird_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close every connection; SQLite folds its journal into the database."""
        self._engine.dispose()

    # Organizations and keys

    def add_organization(self, org_id: str, key: str) -> None:
        """Make an organization and its key known; doing so again changes nothing."""
        with self._write() as connection:
            known = connection.execute(sa.select(_organizations.c.id).where(_organizations.c.id == org_id)).first()
            if known is None:
                connection.execute(_organizations.insert().values(id=org_id, created=now_ms()))
            hashed = _hash_key(key)
            if connection.execute(sa.select(_keys.c.hash).where(_keys.c.hash == hashed)).first() is None:
                connection.execute(
                    _keys.insert().values(hash=hashed, public_id=key.partition(".")[0], org_id=org_id, created=now_ms())
                )

    def organization_for_key(self, key: str) -> str | None:
        """The id of the organization that an API key belongs to, or None for a key unknown here."""
        query = sa.select(_keys.c.org_id).where(_keys.c.hash == _hash_key(key))
        with self._engine.connect() as connection:
            return cast("str | None", connection.execute(query).scalar())

    def datasets(self, org_id: str) -> list[DatasetRow]:
        """The datasets of an organization, oldest first, with the number of profiles uploaded to each."""
        uploaded = sa.func.count(_profiles.c.uploaded)
        query = (
            sa.select(_datasets.c.id, _datasets.c.created, uploaded)
            .join_from(
                _datasets,
                _profiles,
                (_profiles.c.org_id == _datasets.c.org_id) & (_profiles.c.dataset_id == _datasets.c.id),
                isouter=True,
            )
            .where(_datasets.c.org_id == org_id)
            .group_by(_datasets.c.id, _datasets.c.created)
            .order_by(_datasets.c.created, _datasets.c.id)
        )
        with self._engine.connect() as connection:
            return [DatasetRow(*row) for row in connection.execute(query)]

    # Sessions

    def create_session(self, user_id: str) -> str:
        """A new guest session in a guest organization and dataset of its own; returns its id."""
        session_id = f"session-{random_text(24)}"
        org_id, created = f"org-{random_text(12)}", now_ms()
        with self._write() as connection:
            connection.execute(_organizations.insert().values(id=org_id, created=created))
            connection.execute(_datasets.insert().values(org_id=org_id, id="model-1", created=created))
            connection.execute(
                _sessions.insert().values(
                    id=session_id, org_id=org_id, dataset_id="model-1", user_id=user_id, created=created
                )
            )
        return session_id

    def session(self, session_id: str) -> SessionRow:
        """An open session.

        Raises
        ------
        NotFound
            When there is no such session.
        Gone
            When it was claimed; the message says by which organization.
        """
        with self._engine.connect() as connection:
            return _open_session(connection, session_id)

    def claim(self, session_id: str, org_id: str, key: str) -> str:
        """Move a session's profiles into a new dataset of an organization and close it: both or neither.

        Parameters
        ----------
        session_id, org_id : str
            Which session, and into which organization.
        key : str
            The API key that came with the request; it must belong to `org_id`.

        Returns
        -------
        str
            The id of the new dataset.

        Raises
        ------
        Unauthorized
            When the key is unknown.
        Forbidden
            When it is another organization's.
        NotFound, Gone
            As `session` raises them.
        """
        owner = self.organization_for_key(key)
        if owner is None:
            raise Unauthorized("This API key is not known to this service.")
        if owner != org_id:
            raise Forbidden(
                f"The API key belongs to organization {owner}, and the claim names another one. "
                "Name the key's own organization, or send a key of the one named.",
                "org_id",
            )
        now = now_ms()
        with self._write() as connection:
            session = _open_session(connection, session_id)
            taken = connection.execute(sa.select(_datasets.c.id).where(_datasets.c.org_id == org_id)).scalars()
            numbers = [int(text) for text in (name.removeprefix("model-") for name in taken) if text.isdecimal()]
            dataset_id = f"model-{max(numbers, default=0) + 1}"
            connection.execute(_datasets.insert().values(org_id=org_id, id=dataset_id, created=now))
            connection.execute(
                _profiles.update()
                .where(_profiles.c.session_id == session.session_id, _profiles.c.uploaded.is_not(None))
                .values(org_id=org_id, dataset_id=dataset_id)
            )
            connection.execute(
                _sessions.update()
                .where(_sessions.c.id == session.session_id)
                .values(claimed=now, claimed_by=org_id, claimed_dataset=dataset_id)
            )
        return dataset_id

    # Profiles

    def announce(self, session_id: str, profiles: Sequence[NewProfile]) -> tuple[SessionRow, list[str]]:
        """Note profiles whose bytes are to come; returns the session and their ids, in the order given.

        Raises
        ------
        NotFound, Gone
            As `session` raises them.
        """
        ids = [("log-" if profile.kind == "batch" else "ref-") + random_text(16) for profile in profiles]
        now = now_ms()
        with self._write() as connection:
            session = _open_session(connection, session_id)
            connection.execute(
                _profiles.insert(),
                [
                    {
                        "id": profile_id,
                        "session_id": session_id,
                        "org_id": session.org_id,
                        "dataset_id": session.dataset_id,
                        "kind": profile.kind,
                        "alias": profile.alias,
                        "dataset_timestamp": profile.dataset_timestamp,
                        "segment_tags": json.dumps(profile.segment_tags),
                        "region": profile.region,
                        "announced": now,
                    }
                    for profile_id, profile in zip(ids, profiles, strict=True)
                ],
            )
        return session, ids

    def check_slot(self, profile_id: str) -> None:
        """Whether bytes may still be put to a slot.

        Raises
        ------
        NotFound, Gone
            When the slot is unknown, or its session was claimed.
        """
        with self._engine.connect() as connection:
            _open_slot(connection, profile_id)

    def confirm(self, profile_id: str, *, size: int, sha256: str, blob: str) -> None:
        """Note that a profile's bytes are safe; from now on it is listed and shown.

        Raises
        ------
        NotFound, Gone
            When the slot is unknown, or its session was claimed meanwhile.
        """
        with self._write() as connection:
            _open_slot(connection, profile_id)
            connection.execute(
                _profiles.update()
                .where(_profiles.c.id == profile_id)
                .values(uploaded=now_ms(), size=size, sha256=sha256, blob=blob)
            )

    def profiles(self, org_id: str, dataset_id: str) -> list[ProfileRow]:
        """The uploaded profiles of a dataset, oldest upload first."""
        return self._profiles(
            _profiles.c.org_id == org_id,
            _profiles.c.dataset_id == dataset_id,
            _profiles.c.uploaded.is_not(None),
        )

    def reference(self, org_id: str, dataset_id: str, profile_id: str) -> ProfileRow | None:
        """A reference profile of a dataset by its id, announced or uploaded, or None."""
        rows = self._profiles(
            _profiles.c.id == profile_id,
            _profiles.c.org_id == org_id,
            _profiles.c.dataset_id == dataset_id,
            _profiles.c.kind == "reference",
        )
        return rows[0] if rows else None

    def batches(self, org_id: str, dataset_id: str, period_start_ms: int) -> list[ProfileRow]:
        """The batch profiles of one UTC day of a dataset, announced or uploaded, oldest first.

        Parameters
        ----------
        period_start_ms : int
            The day's first millisecond (`day_start`).
        """
        return self._profiles(
            _profiles.c.org_id == org_id,
            _profiles.c.dataset_id == dataset_id,
            _profiles.c.kind == "batch",
            _profiles.c.dataset_timestamp >= period_start_ms,
            _profiles.c.dataset_timestamp < period_start_ms + DAY_MS,
        )

    def unknown_references(self, session: SessionRow, profile_ids: Sequence[str]) -> list[str]:
        """Those of `profile_ids` that name no reference of the session, each once, in the order given."""
        asked = list(dict.fromkeys(profile_ids))
        query = sa.select(_profiles.c.id).where(
            _profiles.c.id.in_(asked),
            _profiles.c.session_id == session.session_id,
            _profiles.c.kind == "reference",
        )
        with self._engine.connect() as connection:
            known = set(connection.execute(query).scalars())
        return [profile_id for profile_id in asked if profile_id not in known]

    def _profiles(self, *conditions: sa.ColumnElement[bool]) -> list[ProfileRow]:
        query = sa.select(_profiles).where(*conditions).order_by(_profiles.c.uploaded, _profiles.c.announced)
        with self._engine.connect() as connection:
            return [_profile_row(row) for row in connection.execute(query).mappings()]


def _profile_row(row: Mapping[Any, Any]) -> ProfileRow:
    return ProfileRow(
        id=row["id"],
        kind=row["kind"],
        alias=row["alias"],
        dataset_timestamp=row["dataset_timestamp"],
        upload_timestamp=row["uploaded"],
        state="announced" if row["uploaded"] is None else "uploaded",
        size=row["size"],
        sha256=row["sha256"],
        blob=row["blob"],
    )


def _open_session(connection: sa.Connection, session_id: str) -> SessionRow:
    row = connection.execute(sa.select(_sessions).where(_sessions.c.id == session_id)).mappings().first()
    if row is None:
        raise NotFound(f"Resource session with ID {_shortened(session_id)} not found.")
    _refuse_claimed(row)
    return SessionRow(row["id"], row["org_id"], row["dataset_id"], row["user_id"], "open")


def _open_slot(connection: sa.Connection, profile_id: str) -> None:
    query = (
        sa.select(_sessions)
        .join_from(_profiles, _sessions, _profiles.c.session_id == _sessions.c.id)
        .where(_profiles.c.id == profile_id)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound("This upload slot does not exist. Ask for a new one.")
    _refuse_claimed(row)


def _refuse_claimed(row: Mapping[Any, Any]) -> None:
    if row["claimed"] is not None:
        raise Gone(
            f"This session was claimed by organization {row['claimed_by']} and is closed for good; its "
            f"profiles are in dataset {row['claimed_dataset']} there. Start a new session to upload more."
        )


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions late and on its own terms; _on_begin does
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    # A transaction that reads and then writes must hold the write lock from its start, or it may fail.
    write = connection.get_execution_options().get("songbird_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

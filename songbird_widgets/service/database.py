"""One database, SQLite's or PostgreSQL's: connections, transactions, and its schema.

Whatever writes holds the one write lock of the database from the start of its transaction to its end. SQLite knows no
other way; in PostgreSQL it is an advisory lock that all replicas of the service share, so that what is written by one
code is right in both. Writes of many requests share a transaction (`GroupCommit`), and so the lock and the wait for
the disk.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from ..local.identity import LocalServiceError, random_text
from . import quotas, tables, wal
from .errors import Unavailable
from .group_commit import GroupCommit
from .statements import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from pathlib import Path

T = TypeVar("T")
A = TypeVar("A")

DATABASE_FILE = "songbird.db"

SETTINGS = {"signing_key": 43}
"""What the service makes up once and keeps in the database, so that all replicas have it: its letters."""

_WRITE_LOCK = 0x5042_1D57  # of this application among those that may share a PostgreSQL database
_POSTGRESQL_SETTINGS = {
    # A replica that vanished while it wrote must not hold up the others for long.
    "idle_in_transaction_session_timeout": "20s",
    "lock_timeout": "20s",
    "statement_timeout": "60s",
}


class SchemaError(LocalServiceError):
    """The database was written by a newer version of the package, or is no database of this service."""


class DatabaseAwayError(LocalServiceError):
    """The database cannot be reached."""


class Database:
    """A database with the present schema, which is made, or brought up to date, when it is opened.

    Parameters
    ----------
    url : sqlalchemy.URL
        ``sqlite`` or ``postgresql+psycopg``.
    called : str, optional
        What messages call it; by default its address without user and password.

    Raises
    ------
    SchemaError
        When the database is damaged or newer than this version of the package.
    DatabaseAwayError
        When it cannot be reached.
    """

    def __init__(self, url: sa.URL, *, called: str = "") -> None:
        self._called = called or _shown(url)
        sqlite = url.get_backend_name() == "sqlite"
        connect_args: dict[str, Any] = {"timeout": 30}
        pool: dict[str, Any] = {}
        if not sqlite:
            tables.prepare_for_postgresql()
            connect_args = {
                "connect_timeout": 5,
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
            }
            pool = {"pool_size": 12, "max_overflow": 4, "pool_timeout": 10, "pool_pre_ping": True}
        try:
            self._engine = sa.create_engine(
                url,
                connect_args=connect_args,
                hide_parameters=True,  # else an error would carry session ids and aliases into the log
                **pool,
            )
        except ModuleNotFoundError:
            raise LocalServiceError(
                "PostgreSQL needs psycopg, which is not installed here: pip install 'psycopg[binary]'."
            ) from None
        sa.event.listen(self._engine, "connect", _on_connect_sqlite if sqlite else _on_connect_postgresql)
        sa.event.listen(self._engine, "begin", _on_begin_sqlite if sqlite else _on_begin_postgresql)
        sa.event.listen(self._engine, "checkin", self._on_return)
        self._closed = False
        self._writer = GroupCommit(self._written)
        self._writing: sa.Connection | None = None  # of SQLite
        try:
            self._make_schema()
        except sa.exc.OperationalError as error:
            self.close()
            if sqlite:
                raise self._unusable(error) from None
            raise DatabaseAwayError(
                f"The database at {self._called} cannot be reached: {_reason(error)}. Check its address, that it "
                "runs, and that it lets this user in."
            ) from None
        except sa.exc.DatabaseError as error:
            self.close()
            raise self._unusable(error) from None
        except BaseException:
            self.close()
            raise

    @classmethod
    def in_directory(cls, data_dir: Path) -> Database:
        """Open the SQLite database of a data directory, which exists."""
        path = data_dir / DATABASE_FILE
        if path.exists() and not path.stat().st_size and any((data_dir / "blobs").glob("[0-9a-f][0-9a-f]")):
            raise SchemaError(
                f"{path} is empty, and profiles lie beside it. Restore it from a backup, or move it away to start "
                "afresh."
            )
        if aside := wal.set_aside_if_damaged(path):
            raise SchemaError(
                f"The journal of {path} is damaged: what was confirmed last cannot be read. It was set aside as "
                f"{aside.name}. Restore {data_dir} from a backup, or start the service again to go on without that."
            )
        path.touch(mode=0o600)
        return cls(sa.URL.create("sqlite", database=str(path)), called=str(path))

    @classmethod
    def at(cls, address: str) -> Database:
        """Open the database at an address such as ``postgresql://user:password@host/name``.

        Raises
        ------
        LocalServiceError
            When it is no address of a database that the service can use; the message does not repeat it.
        """
        try:
            url = sa.make_url(address)
        except (sa.exc.ArgumentError, ValueError):
            url = None
        if url is not None and url.drivername in {"postgres", "postgresql"}:
            url = url.set(drivername="postgresql+psycopg")
        if url is None or url.drivername not in {"sqlite", "postgresql+psycopg"} or not url.database:
            raise LocalServiceError(
                "The database URL is none that the service can use: postgresql://user:password@host/name, or "
                "sqlite:///path."
            )
        return cls(url)

    @property
    def has_one_process(self) -> bool:
        """Whether one process alone uses it, as SQLite's; else replicas share it."""
        return self._engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a connection for reading.

        Raises
        ------
        Unavailable
            When the database cannot be reached.
        """
        with _unavailable(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock.

        Raises
        ------
        Unavailable
            When the database cannot be reached; whether anything was written is then unknown.
        """
        with (
            _unavailable(),
            self._engine.connect().execution_options(songbird_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextlib.contextmanager
    def _written(self) -> Iterator[sa.Connection]:
        """Open a transaction as `transaction` does, in SQLite on a connection that stays open for the next one."""
        if not self.has_one_process:  # a server may have gone away meanwhile: the pool asks before it lends
            with self.transaction() as connection:
                yield connection
            return
        connection = self._writing or self._engine.connect().execution_options(songbird_write=True)
        self._writing = None
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._writing = connection

    def write(self, make: Callable[[sa.Connection, Sequence[A]], list[T | Exception]], item: A) -> T:
        """Write something together with what others write just then, and return once it is on disk.

        Raises
        ------
        Exception
            What `make` answered, or whatever kept the transaction from being committed.
        """
        return self.begin_to_write(make, item).result()

    def begin_to_write(self, make: Callable[[sa.Connection, Sequence[A]], list[T | Exception]], item: A) -> Future[T]:
        """Have something written together with what others write just then, see `GroupCommit.write`."""
        return self._writer.write(make, item)

    def preparing(self) -> AbstractContextManager[None]:
        """Have the next transaction wait a moment for what is written after this block."""
        return self._writer.preparing()

    @contextlib.contextmanager
    def alone(self, number: int) -> Iterator[bool]:
        """Say whether no other replica does what has this number; none begins it before the end of the block."""
        with _unavailable(), self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":  # its one process
                yield True
                return
            connection.execution_options(isolation_level="AUTOCOMMIT")
            alone = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_WRITE_LOCK + number})").scalar())
            try:
                yield alone
            finally:
                if alone:
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_WRITE_LOCK + number})")

    def first(self, query: sa.Select[Any]) -> Mapping[Any, Any] | None:
        """Return the first row of a query, or None."""
        with self.read() as connection:
            return connection.execute(query).mappings().first()

    def check(self) -> None:
        """Ask the database something.

        Raises
        ------
        Unavailable
            When it does not answer.
        """
        with self.read() as connection:
            connection.execute(sa.select(tables.version.c.version)).scalar()

    def guest_bytes(self) -> int:
        """Return the bytes that all open guest sessions hold together."""
        with self.read() as connection:
            return quotas.held(connection, ())[tables.ALL_SESSIONS].size

    def setting(self, name: str) -> str:
        """Return what was made up for all replicas: one of `SETTINGS`."""
        value = self.first(sa.select(tables.settings.c.value).where(tables.settings.c.name == name))
        if value is None:  # an older schema has none yet
            with self.transaction() as connection:
                _make_settings(connection)
            return self.setting(name)
        return str(value["value"])

    def close(self) -> None:
        """Write what waits, and close every connection; SQLite folds its journal into the database."""
        self._writer.close()
        self._closed = True
        if self._writing is not None:
            self._writing.close()
        self._engine.dispose()

    def _on_return(self, _connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        """Close what another thread still held when the pool was closed: nobody else would."""
        if self._closed:
            record.close()

    def _make_schema(self) -> None:
        with self._engine.connect().execution_options(songbird_write=True) as connection, connection.begin():
            if not self.has_one_process:  # to bring an older schema up to date may take long
                for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    connection.exec_driver_sql(f"SET LOCAL {name} = 0")
            tables.version.create(connection, checkfirst=True)
            found = connection.execute(sa.select(tables.version.c.version)).scalar()
            if found is None:
                others = [table for table in tables.schema.sorted_tables if table is not tables.version]
                tables.schema.create_all(connection, others, checkfirst=False)
                connection.execute(tables.version.insert().values(version=tables.SCHEMA_VERSION))
                connection.execute(tables.clock.insert().values(last_upload=0))
                connection.execute(tables.usage.insert().values(session_id=tables.ALL_SESSIONS, profiles=0, size=0))
            elif found != tables.SCHEMA_VERSION and not tables.upgrade(connection, found):
                raise SchemaError(
                    f"{self._called} was written by a newer songbird-widgets (schema {found}; this one knows "
                    f"{tables.SCHEMA_VERSION}). Upgrade it here, or set SONGBIRD_DATA_DIR to another directory."
                )

    def _unusable(self, error: sa.exc.DatabaseError) -> SchemaError:
        reason = _reason(error)
        advice = next((said for word, said in _ADVICE.items() if word in reason.lower()), _RESTORE)
        return SchemaError(f"{self._called} cannot be used: {reason}. {advice}")


_RESTORE = "Restore it, or move it away to start afresh."
_ADVICE = {
    "full": "Free some space on its disk.",
    "readonly": "Make it and its directory writable, or set SONGBIRD_DATA_DIR to another one.",
    "locked": "End the program that holds it.",
    "i/o": "Look after its disk: it reports errors.",
    "unable to open": "Make it and its directory readable and writable, or set SONGBIRD_DATA_DIR to another one.",
}


def _make_settings(connection: sa.Connection) -> None:
    known = set(connection.execute(sa.select(tables.settings.c.name)).scalars())
    for name, length in SETTINGS.items():
        if name not in known:
            connection.execute(tables.settings.insert().values(name=name, value=random_text(length)))


def _shown(url: sa.URL) -> str:
    """Return where a database is, without who may enter it."""
    port = f":{url.port}" if url.port else ""
    return (
        f"{url.host or url.query.get('host', 'localhost')}{port}/{url.database}"
        if url.host or url.port
        else str(url.database)
    )


def _reason(error: sa.exc.DBAPIError) -> str:
    """Return the first line of what a database says, which names no password."""
    return (str(error.orig).strip().splitlines() or ["no reason given"])[0].rstrip(".")


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    """Say that a database is away in the contract's shape; what else is wrong stays as it is."""
    try:
        yield
    except sa.exc.TimeoutError:
        raise Unavailable("The service has more to do than its database allows. Try again in a moment.") from None
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        if not _is_away(error):
            raise
        raise Unavailable("The service's database does not answer. Try again in a moment.") from error


def _is_away(error: sa.exc.DBAPIError) -> bool:
    """Tell a PostgreSQL that is away, starting, ending or waiting too long from a SQLite that cannot be written."""
    return type(error.orig).__module__.startswith("psycopg")


def _on_connect_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions late and on its own terms; "begin" does
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads and then writes must hold the write lock from its start, or it may fail.
    (_BEGIN_TO_WRITE if _writes(connection) else _BEGIN_TO_READ).rows(connection, {})


_BEGIN_TO_WRITE, _BEGIN_TO_READ = Statement(sa.text("BEGIN IMMEDIATE")), Statement(sa.text("BEGIN"))


def _on_connect_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for name, value in _POSTGRESQL_SETTINGS.items():
            cursor.execute(f"SET {name} = '{value}'")
    connection.commit()


def _on_begin_postgresql(connection: sa.Connection) -> None:
    if _writes(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")


def _writes(connection: sa.Connection) -> bool:
    return bool(connection.get_execution_options().get("songbird_write", False))

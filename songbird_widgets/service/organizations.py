"""Organizations: their keys, their members, and what is uploaded with a key.

Every method blocks on the database, as those of `metadata.Metadata` do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..local.identity import random_text
from ..secret import Secret
from . import tables
from .errors import InvalidArgument, ResourceExists, ResourceGone, ResourceNotFound
from .metadata import hash_key
from .rows import now_ms
from .session_writes import new_ids, slot_rows
from .upload_writes import confirm_committed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .database import Database
    from .rows import Arrival, NewProfile

TRANSACTION_SECONDS = 24 * 3600

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_TEXT = 200


@dataclass(frozen=True)
class KeyRow:
    """An API key, without what opens anything; times in ms."""

    public_id: str
    name: str
    created: int
    revoked: int | None


@dataclass(frozen=True)
class Transaction:
    """Uploads that appear together, or not at all."""

    id: str = field(repr=False)
    org_id: str
    dataset_id: str
    created: int
    state: str

    @property
    def expires(self) -> int:
        """When it can be committed no more, in ms."""
        return self.created + 1000 * TRANSACTION_SECONDS


def check_name(name: str, what: str, parameter: str | None = None) -> str:
    """Return a name of an organization or dataset.

    Raises
    ------
    InvalidArgument
        When it is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"{what} is named with 1 to 100 letters, digits, dots, hyphens and underscores, the first no sign.",
            parameter,
        )
    return name


class Organizations:
    """The organizations of a database.

    Parameters
    ----------
    database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # What the command line does

    def create(self, org_id: str) -> None:
        """Make an organization.

        Raises
        ------
        InvalidArgument
            When its name is none.
        ResourceExists
            When there is one of this name.
        """
        check_name(org_id, "An organization")
        with self.database.transaction() as connection:
            if self._exists(connection, org_id):
                raise ResourceExists(f"There is an organization {org_id} already.")
            connection.execute(tables.organizations.insert().values(id=org_id, created=now_ms()))

    def create_key(self, org_id: str, name: str = "") -> str:
        """Return a new key of an organization; it is kept as a hash, and shown only this once.

        Raises
        ------
        ResourceNotFound
            When there is no such organization.
        """
        _check_text(name, "The name of a key", empty=True)
        public_id = random_text(10)
        key = Secret(f"{public_id}.{random_text(50)}:{org_id}")
        with self.database.transaction() as connection:
            self._check(connection, org_id)
            connection.execute(
                tables.keys.insert().values(
                    hash=hash_key(key), public_id=public_id, org_id=org_id, created=now_ms(), name=name
                )
            )
        return key.reveal()

    def keys(self, org_id: str) -> list[KeyRow]:
        """Return an organization's keys, oldest first."""
        keys = tables.keys.c
        query = sa.select(keys.public_id, keys.name, keys.created, keys.revoked)
        with self.database.read() as connection:
            self._check(connection, org_id)
            rows = connection.execute(query.where(keys.org_id == org_id).order_by(keys.created, keys.public_id))
            return [KeyRow(row.public_id, row.name or "", row.created, row.revoked) for row in rows]

    def revoke(self, org_id: str, public_id: str) -> None:
        """End a key at once and for good.

        Raises
        ------
        ResourceNotFound
            When the organization has no such key.
        """
        keys = tables.keys.c
        with self.database.transaction() as connection:
            self._check(connection, org_id)
            of_key = (keys.org_id == org_id) & (keys.public_id == public_id)
            if connection.execute(sa.select(keys.hash).where(of_key)).first() is None:
                raise ResourceNotFound(f"Organization {org_id} has no key {public_id[:10]}.")
            connection.execute(tables.keys.update().where(of_key, keys.revoked.is_(None)).values(revoked=now_ms()))

    def add_member(self, org_id: str, person: str) -> None:
        """Let a person see an organization's profiles; doing so again changes nothing."""
        _check_text(person, "A person's name")
        with self.database.transaction() as connection:
            self._check(connection, org_id)
            if person not in self._members(connection, org_id):
                connection.execute(tables.members.insert().values(org_id=org_id, person=person, created=now_ms()))

    def remove_member(self, org_id: str, person: str) -> None:
        """Let a person see an organization's profiles no more.

        Raises
        ------
        ResourceNotFound
            When the person is none of its members.
        """
        members = tables.members.c
        with self.database.transaction() as connection:
            self._check(connection, org_id)
            if person not in self._members(connection, org_id):
                raise ResourceNotFound(f"{person[:_MAX_TEXT]} is no member of organization {org_id}.")
            connection.execute(tables.members.delete().where(members.org_id == org_id, members.person == person))

    def members(self, org_id: str) -> list[str]:
        """Return an organization's members by name."""
        with self.database.read() as connection:
            self._check(connection, org_id)
            return self._members(connection, org_id)

    def of_person(self, person: str) -> list[str]:
        """Return the organizations of which a person is a member, by name."""
        members = tables.members.c
        query = sa.select(members.org_id).where(members.person == person).order_by(members.org_id)
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())

    @staticmethod
    def _members(connection: sa.Connection, org_id: str) -> list[str]:
        members = tables.members.c
        query = sa.select(members.person).where(members.org_id == org_id).order_by(members.person)
        return list(connection.execute(query).scalars())

    @staticmethod
    def _exists(connection: sa.Connection, org_id: str) -> bool:
        organizations = tables.organizations.c
        return connection.execute(sa.select(organizations.id).where(organizations.id == org_id)).first() is not None

    def _check(self, connection: sa.Connection, org_id: str) -> None:
        if not self._exists(connection, org_id):
            raise ResourceNotFound(f"There is no organization {org_id[:_MAX_TEXT]}.")

    # What is uploaded with a key

    def announce(
        self, org_id: str, dataset_id: str, profiles: Sequence[NewProfile], transaction_id: str | None = None
    ) -> list[str]:
        """Note profiles whose bytes are to come; the first ones make the dataset.

        Returns
        -------
        list of str
            Their ids, in the order given.
        """
        return self.database.write(_announce, _Announcement(org_id, dataset_id, tuple(profiles), transaction_id))

    # Transactions

    def begin(self, org_id: str, dataset_id: str) -> Transaction:
        """Begin a transaction."""
        made = Transaction(random_text(24), org_id, dataset_id, now_ms(), "open")
        with self.database.transaction() as connection:
            values = {"id": made.id, "org_id": org_id, "dataset_id": dataset_id, "created": made.created}
            connection.execute(tables.transactions.insert().values(**values, state="open"))
        return made

    def transaction(self, org_id: str, transaction_id: str) -> Transaction:
        """Return a transaction of an organization.

        Raises
        ------
        ResourceNotFound
            When there is none.
        """
        with self.database.read() as connection:
            return _transaction(connection, org_id, transaction_id)

    def uploads_of(self, transaction: Transaction) -> list[str]:
        """Return the ids of the profiles that were announced in a transaction."""
        profiles = tables.profiles.c
        query = sa.select(profiles.id).where(profiles.transaction_id == transaction.id).order_by(profiles.id)
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())

    def commit(self, org_id: str, transaction_id: str) -> list[Arrival]:
        """Let everything that was uploaded in a transaction appear, at one moment.

        Raises
        ------
        ResourceNotFound
            When there is none, or it was aborted.
        ResourceGone
            When it has expired.
        """
        with self.database.transaction() as connection:
            found = _transaction(connection, org_id, transaction_id)
            if found.state == "aborted":
                raise ResourceNotFound("Transaction has been aborted.")  # whylogs looks for these words
            if found.state == "open" and found.expires < now_ms():
                raise ResourceGone("This transaction has expired. Upload its profiles again in a new one.")
            if found.state == "committed":
                return []
            _set_state(connection, transaction_id, "committed")
            return confirm_committed(connection, transaction_id)

    def abort(self, org_id: str, transaction_id: str) -> None:
        """Drop a transaction: what was uploaded in it never appears.

        Raises
        ------
        ResourceNotFound
            When there is none.
        ResourceGone
            When it was committed.
        """
        with self.database.transaction() as connection:
            found = _transaction(connection, org_id, transaction_id)
            if found.state == "committed":
                raise ResourceGone("This transaction is committed already.")
            _set_state(connection, transaction_id, "aborted")

    # Documents

    def document(self, org_id: str, dataset_id: str, name: str) -> Mapping[str, Any] | None:
        """Return what a client keeps with a dataset under a name: ``content``, ``version``, ``changed`` (ms)."""
        documents = tables.documents.c
        query = sa.select(documents.content, documents.version, documents.changed).where(
            documents.org_id == org_id, documents.dataset_id == dataset_id, documents.name == name
        )
        return self.database.first(query)

    def keep_document(self, org_id: str, dataset_id: str, name: str, content: str) -> None:
        """Keep something with a dataset, in place of what was kept there."""
        documents = tables.documents.c
        key = {"org_id": org_id, "dataset_id": dataset_id, "name": name}
        of_key = [documents[column] == value for column, value in key.items()]
        with self.database.transaction() as connection:
            version = connection.execute(sa.select(documents.version).where(*of_key)).scalar()
            values = {"content": content, "version": (version or 0) + 1, "changed": now_ms()}
            if version is None:
                connection.execute(tables.documents.insert().values(**key, **values))
            else:
                connection.execute(tables.documents.update().where(*of_key).values(**values))


@dataclass(frozen=True)
class _Announcement:
    org_id: str
    dataset_id: str
    profiles: tuple[NewProfile, ...]
    transaction_id: str | None


def _announce(connection: sa.Connection, requests: Sequence[_Announcement]) -> list[list[str] | Exception]:
    datasets = tables.datasets.c
    results: list[list[str] | Exception] = []
    known: set[tuple[str, str]] = set()
    rows: list[dict[str, Any]] = []
    for request in requests:
        key = (request.org_id, request.dataset_id)
        if key not in known:
            query = sa.select(datasets.id).where(datasets.org_id == key[0], datasets.id == key[1])
            if connection.execute(query).first() is None:
                connection.execute(tables.datasets.insert().values(org_id=key[0], id=key[1], created=now_ms()))
            known.add(key)
        ids = new_ids(request.profiles)
        rows += slot_rows(key, ids, request.profiles, transaction_id=request.transaction_id)
        results.append(ids)
    if rows:
        connection.execute(tables.profiles.insert(), rows)
    return results


def _transaction(connection: sa.Connection, org_id: str, transaction_id: str) -> Transaction:
    transactions = tables.transactions.c
    columns = (transactions.id, transactions.org_id, transactions.dataset_id, transactions.created, transactions.state)
    row = connection.execute(sa.select(*columns).where(transactions.id == transaction_id)).first()
    if row is None or row.org_id != org_id:
        raise ResourceNotFound("There is no such transaction.", "transaction_id")
    return Transaction(*row)


def _set_state(connection: sa.Connection, transaction_id: str, state: str) -> None:
    transactions = tables.transactions
    connection.execute(transactions.update().where(transactions.c.id == transaction_id).values(state=state))


def _check_text(text: str, what: str, *, empty: bool = False) -> None:
    if (not text and not empty) or len(text) > _MAX_TEXT or not text.isprintable():
        raise InvalidArgument(f"{what} has 1 to {_MAX_TEXT} printable characters.")

"""The sign-ins of browsers: each is a row in the database, so that it ends everywhere once it is signed out.

Where a service shares its host with others, a sign-in is an address and a cookie, of no use alone: cookies reach every
port of 127.0.0.1, also those of other users. So it has pages of its own, below ``/s/<token>/``, and its cookie is sent
below that path only: whoever is at another port gets no cookie, since nobody asks him for that path, and whoever has
learned the path has no cookie. Replicas of a service for a team share the rows, and their sign-ins have no such path.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ..secret import Secret
from .privacy import PrivateText
from .rows import now_ms
from .tables import sign_ins

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from .database import Database

SECONDS = 12 * 3600
"""How long a sign-in lasts."""

MAX_SIGN_INS = 1_000
"""Of one key or one person; the oldest ones end when there are more."""

_PATH = re.compile(r"/s/([A-Za-z0-9_-]{43})(/.*)", re.DOTALL)


@dataclass(frozen=True)
class SignedIn:
    """What a sign-in opens.

    Attributes
    ----------
    key_hash : str or None
        The hash of an organization's key, so that it ends with the key.
    person : str or None
        Who it is, as others have said.
    user : bool
        Whether it is the service's own user.
    """

    key_hash: str | None = None
    person: str | None = None
    user: bool = False


class SignIns:
    """All that are signed in. Every method blocks on the database.

    Parameters
    ----------
    database
        Where they are kept; of the cookies only hashes.
    own_paths : bool
        Whether each has a path of its own.
    """

    def __init__(self, database: Database, *, own_paths: bool) -> None:
        self._database = database
        self._own_paths = own_paths
        if database.has_one_process:  # which has just begun: whoever signed in did so at another one
            with database.transaction() as connection:
                connection.execute(sign_ins.delete())

    def begin(self, opens: SignedIn) -> tuple[str, Secret]:
        """Return the token of a new sign-in's path, empty for none, and its cookie's value."""
        token, cookie = secrets.token_urlsafe(32) if self._own_paths else "", Secret(secrets.token_urlsafe(32))
        columns = sign_ins.c
        alike = (
            columns.key_hash.is_not_distinct_from(opens.key_hash),
            columns.person.is_not_distinct_from(opens.person),
        )
        kept = sa.select(columns.id).where(*alike).order_by(columns.until.desc()).limit(MAX_SIGN_INS - 1)
        values = {"key_hash": opens.key_hash, "person": opens.person, "is_user": int(opens.user)}
        with self._database.transaction() as connection:
            now = now_ms()
            connection.execute(sign_ins.delete().where(columns.until < now))
            connection.execute(sign_ins.delete().where(*alike, columns.id.not_in(kept)))
            ends = {"id": _hash(cookie), "path": _hash(Secret(token)), "until": now + 1000 * SECONDS}
            connection.execute(sign_ins.insert().values(**ends, **values))
        return token, cookie

    def find(self, token: str, cookie: Secret) -> SignedIn | None:
        """Return what token and cookie open together."""
        if not cookie.reveal() or bool(token) != self._own_paths:
            return None
        row = self._database.first(sa.select(sign_ins).where(*_which(token, cookie), sign_ins.c.until >= now_ms()))
        return None if row is None else SignedIn(row["key_hash"], row["person"], bool(row["is_user"]))

    def end(self, token: str, cookie: Secret) -> None:
        """Forget a sign-in: from now on nobody finds it."""
        if self.find(token, cookie) is not None:
            with self._database.transaction() as connection:
                connection.execute(sign_ins.delete().where(*_which(token, cookie)))


def take_token(request: HTTPServerRequest) -> None:
    """Take a sign-in's token off the path of a request, and keep it for `token_of`."""
    found = _PATH.fullmatch(request.path)
    if found is not None:
        request.path = found[2]
        request.sign_in_token = PrivateText(found[1])  # type: ignore[attr-defined]


def token_of(request: HTTPServerRequest) -> str:
    """Return the token of the sign-in below whose path a request was made; empty for none."""
    token: str = getattr(request, "sign_in_token", "")
    return token


def path_of(token: str) -> str:
    """Return the path of a sign-in's pages."""
    return f"/s/{token}/"


def _which(token: str, cookie: Secret) -> tuple[sa.ColumnElement[bool], ...]:
    return sign_ins.c.id == _hash(cookie), sign_ins.c.path == _hash(Secret(token))


def _hash(secret: Secret) -> str:
    return hashlib.sha256(secret.reveal().encode("utf-8", "replace")).hexdigest()

"""The sign-ins of a service that shares its host with others: each is an address and a cookie, of no use alone.

Cookies reach every port of 127.0.0.1, also those of other users. So a sign-in has pages of its own, below
``/s/<token>/``, and its cookie is sent below that path only: whoever is at another port gets no cookie, since nobody
asks him for that path, and whoever has learned the path has no cookie. Both are kept here and nowhere else, so a
sign-in ends when it is signed out and when the service ends.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

SECONDS = 12 * 3600.0
"""How long a sign-in lasts."""

_MAX_SIGN_INS = 100
_PATH = re.compile(r"/s/([A-Za-z0-9_-]{43})(/.*)", re.DOTALL)


@dataclass(frozen=True)
class SignedIn:
    """What a sign-in opens.

    Attributes
    ----------
    key_hash : bytes
        The hash of an organization's key, so that it ends with the key; empty for none.
    user : bool
        Whether it is the service's own user.
    """

    key_hash: bytes
    user: bool = False


class SignIns:
    """All that are signed in, the newest ones; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, SignedIn, float]] = {}

    def begin(self, sign_in: SignedIn) -> tuple[str, str]:
        """Return the token of a new sign-in's path, and its cookie's value."""
        token, cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with self._lock:
            while len(self._known) >= _MAX_SIGN_INS:
                del self._known[next(iter(self._known))]
            self._known[token] = (_hash(cookie), sign_in, time.monotonic() + SECONDS)
        return token, cookie

    def find(self, token: str, cookie: str) -> SignedIn | None:
        """Return what token and cookie open together."""
        with self._lock:
            known = self._known.get(token)
        if known is None or not hmac.compare_digest(known[0], _hash(cookie)) or time.monotonic() > known[2]:
            return None
        return known[1]

    def end(self, token: str, cookie: str) -> None:
        """Forget a sign-in."""
        if self.find(token, cookie) is not None:
            with self._lock:
                self._known.pop(token, None)


def take_token(request: HTTPServerRequest) -> None:
    """Take a sign-in's token off the path of a request, and keep it for `token_of`."""
    found = _PATH.fullmatch(request.path)
    if found is not None:
        request.path = found[2]
        request.sign_in_token = found[1]  # type: ignore[attr-defined]


def token_of(request: HTTPServerRequest) -> str:
    """Return the token of the sign-in below whose path a request was made; empty for none."""
    token: Any = getattr(request, "sign_in_token", "")
    return str(token)


def path_of(token: str) -> str:
    """Return the path of a sign-in's pages."""
    return f"/s/{token}/"


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()

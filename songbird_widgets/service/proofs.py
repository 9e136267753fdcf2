"""How this user's programs prove to the local service that they are, and it to them; and what only they may ask."""

from __future__ import annotations

import hmac
import os
import re
import time
from typing import TYPE_CHECKING, Literal

from .. import __version__
from ..local.identity import SOCKET_PORT
from .errors import Forbidden, InvalidArgument
from .handler import Handler

if TYPE_CHECKING:
    from ..local.identity import Identity

_NONCE = re.compile(r"[0-9a-f]{32}")


class ServiceProof(Handler):
    """``GET /health?nonce=``: proves to this user's programs that this is this user's service, and tells them more."""

    operation = "health"

    def get(self) -> None:
        nonce = self.get_query_argument("nonce", "")
        if not _NONCE.fullmatch(nonce):
            raise InvalidArgument("nonce must be 32 hexadecimal digits.", "nonce")
        identity: Identity = self.settings["identity"]
        port = SOCKET_PORT if self.over_socket else self.settings["port"]
        if not _is_proof(self, identity.proof("details", nonce, port)):
            self.answer({"status": "ok"})  # to who cannot prove to be one of them
            return
        self.answer(
            {
                "service": "songbird-widgets",
                "version": __version__,
                "pid": os.getpid(),
                "unusedSeconds": int(time.monotonic() - self.settings["last_used"]()),
                "proof": identity.proof("health", nonce, port),
            }
        )


class Stop(Handler):
    """``POST /stop?nonce=``: ends the service gracefully for who can prove to be this user."""

    operation = "stop"

    def post(self) -> None:
        if not is_own_program(self, "stop"):
            raise Forbidden("Only this user's programs may stop the service: `songbird-widgets stop`.")
        self.answer({})
        self.settings["stop"]()


def is_own_program(handler: Handler, action: Literal["stop", "open"]) -> bool:
    """Whether a request proves that one of this user's programs wants something of this very process."""
    nonce, identity = handler.get_query_argument("nonce", ""), handler.settings.get("identity")
    if identity is None or not _NONCE.fullmatch(nonce):
        return False
    return _is_proof(handler, identity.proof(action, nonce, handler.settings["port"], os.getpid()))


def _is_proof(handler: Handler, expected: str) -> bool:
    proof = handler.request.headers.get("X-Songbird-Proof", "")
    return hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace"))

"""The way to this user's local service on which nobody else can answer: proved connections to its Unix socket.

A service that has ended leaves its port to whoever binds it next. So what is secret goes through the socket in the
private data directory, or to the port where there is none, on Windows or in a directory with a long path. Whoever
answers has to prove on each new connection, before anything else is sent on it, that the service's key is known to him.

Only the standard library is imported here.
"""

from __future__ import annotations

import hmac
import http.client
import json
import re
import secrets
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .identity import HOST, SOCKET_PORT, Identity, Record, socket_path

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 3.0
_MAX_ANSWER = 10_000
_HEAD = re.compile(
    rb"HTTP/1\.1 200 .*?\r\nContent-Length: (\d{1,4})(?:\r\n[^\r\n]+)*\r\n\r\n", re.IGNORECASE | re.DOTALL
)


class StrangerError(OSError):
    """Whoever answers is not this user's service."""


@dataclass(frozen=True)
class Route:
    """How to reach the service.

    Attributes
    ----------
    port : int
        Its port on 127.0.0.1, for browsers and programs of others.
    socket : Path or None
        Its Unix socket; None where there is none.
    """

    port: int
    socket: Path | None
    _identity: Identity = field(repr=False)

    @classmethod
    def to(cls, data_dir: Path, identity: Identity, record: Record | None) -> Route:
        """The route to the service over a directory, whether or not it runs just now."""
        path = socket_path(data_dir) if record is None or record.has_socket else None
        return cls(record.port if record else identity.port, path, identity)

    def challenge(self) -> Challenge:
        """A question for a new connection."""
        return Challenge(self)

    def knock(self) -> None:
        """Raise `OSError` if nobody listens at the socket; httpcore would leave one open that cannot connect."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(ANSWER_SECONDS)
            probe.connect(str(self.socket))

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Send one request, past any proxy, and return the JSON object that answers it.

        Raises
        ------
        OSError, http.client.HTTPException, ValueError
            When nobody answers, or not as the service does.
        """
        connection = _Connection(self)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            said = json.loads(response.read(_MAX_ANSWER))
        finally:
            connection.close()
        if response.status != http.client.OK or not isinstance(said, dict):
            raise ValueError("this is not the answer of the service")
        return said

    @property
    def _proved_port(self) -> int:
        return self.port if self.socket is None else SOCKET_PORT

    def question(self, nonce: str) -> str:
        """The proof that a health check comes from one of this user's programs."""
        return self._identity.proof("details", nonce, self._proved_port)

    def answers(self, nonce: str, said: Any) -> bool:
        """Whether an answer to a health check proves that it is the service's."""
        proof = said.get("proof") if isinstance(said, dict) else None
        expected = self._identity.proof("health", nonce, self._proved_port)
        return isinstance(proof, str) and proof.isascii() and hmac.compare_digest(proof, expected)


class Challenge:
    """Asks whoever is at the other end of a connection to prove that it is the service; no I/O.

    `request` holds the bytes to send; what comes back goes to `receive` until that returns True.
    """

    def __init__(self, route: Route) -> None:
        self._route = route
        self._nonce = secrets.token_hex(16)
        self._received = b""
        head = f"GET /health?nonce={self._nonce} HTTP/1.1\r\nHost: {HOST}:{route.port}\r\n"
        self.request = f"{head}X-Songbird-Proof: {route.question(self._nonce)}\r\n\r\n".encode()

    def receive(self, data: bytes) -> bool:
        """Take the next bytes of the answer, and return whether the service is proved.

        Raises
        ------
        StrangerError
            If it is another who answers, or nobody.
        """
        self._received += data
        head = _HEAD.match(self._received)
        end = head.end() + int(head[1]) if head else _MAX_ANSWER
        if data and len(self._received) < end:
            return False
        try:
            said = json.loads(self._received[head.end() :]) if head else None
        except ValueError:
            said = None
        if not self._route.answers(self._nonce, said):
            raise StrangerError("another program answers there")
        return True


class _Connection(http.client.HTTPConnection):
    """A connection by a route."""

    def __init__(self, route: Route) -> None:
        super().__init__(HOST, route.port, timeout=ANSWER_SECONDS)
        self._route = route

    def connect(self) -> None:
        """Connect to the socket, or to the port, and see that it is the service."""
        if self._route.socket is not None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self._route.socket))
        else:
            super().connect()
        challenge = self._route.challenge()
        self.sock.sendall(challenge.request)
        while not challenge.receive(self.sock.recv(_MAX_ANSWER)):
            pass

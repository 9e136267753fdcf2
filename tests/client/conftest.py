"""A Songbird endpoint and storage on real sockets, which does on request what real ones do on bad days."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import re
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

import pytest

SESSION = "session-6LpLSESSIONCANARY"
KEY = "canarykey0.KEYCANARYKEYCANARY:org-1"
PATH = "/k/PATHCANARY"
SIGNATURE = "SIGNATURECANARY%2Bx%2f'~("
CANARIES = ("SESSIONCANARY", "KEYCANARY", "PATHCANARY", "SIGNATURECANARY", "HEADERCANARY", "PROXYCANARY")


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    connection: int = 0
    complete: bool = False


@dataclass
class Line:
    """One connection, for behaviours to answer on."""

    sock: socket.socket
    server: Server
    number: int
    buffer: bytes = b""
    reset: bool = field(default=False)

    def read_until(self, mark):
        while mark not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(mark)
        return head

    def head(self):
        """Return the next request without its body, or None at the end."""
        head = self.read_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        seen = Seen(method, target, headers, connection=self.number)
        self.server.seen.append(seen)
        return seen

    def body(self, seen, most=None):
        """Read the request's body, or the first `most` bytes of it."""
        length = int(seen.headers.get("content-length", 0))
        wanted = length if most is None else min(most, length)
        while len(self.buffer) < wanted:
            data = self.sock.recv(65536)
            if not data:
                return
            self.buffer += data
        seen.body, self.buffer = self.buffer[:wanted], self.buffer[wanted:]
        seen.complete = wanted == length

    def send(self, status, content=b"", headers=(), *, length=None):
        head = [
            f"HTTP/1.1 {status} Whatever",
            f"Content-Length: {len(content) if length is None else length}",
        ]
        self.sock.sendall("\r\n".join([*head, *headers, "", ""]).encode("latin-1") + content)

    def abort(self):
        """Close with a reset instead of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    def wait(self):
        """Say nothing until the client or the test is done."""
        self.sock.settimeout(0.05)
        while not self.server.closing.is_set():
            try:
                if not self.sock.recv(65536):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


class Server:
    """Accepts on 127.0.0.1 and answers by `behave(line, seen)`, or `behave(line, None)` on each new connection.

    A behaviour returns True if it has answered (or broken) what it saw; else the server answers as it should.
    """

    def __init__(self, behave=None, context=None):
        self.behave, self.context = behave, context
        self.seen: list[Seen] = []
        self.open: set[int] = set()
        self.closing = threading.Event()
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.endpoint = self.origin + PATH
        self.upload_origin = self.origin
        self.known: dict[str, bytes] = {}
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []
        self._sockets: dict[int, socket.socket] = {}
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.open.add(self.accepted)
            thread = threading.Thread(target=self._serve, args=(sock, self.accepted), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock, number):
        try:
            self._sockets[number] = sock
            sock.settimeout(None)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
            line = Line(sock, self, number)
            if self.behave is not None and self.behave(line, None):
                return
            while (seen := line.head()) is not None:
                if self.behave is not None and self.behave(line, seen):
                    if line.reset:
                        return
                    continue
                line.body(seen)
                self.answer(line, seen)
        except (OSError, ValueError, ssl.SSLError):
            pass
        finally:
            with contextlib.suppress(OSError):
                sock.close()
            self.open.discard(number)
            self._sockets.pop(number, None)

    def answer(self, line, seen):
        """Answer as the contract says."""
        if seen.method == "PUT":
            self.known[seen.target] = seen.body
            line.send(200)
            return
        line.send(200, json.dumps(self.result(seen)).encode(), ["Content-Type: application/json"])

    def result(self, seen):
        path = seen.target.partition("?")[0].removeprefix(PATH)
        asked = json.loads(seen.body or b"{}")
        link = f"{self.origin}/resources/model-1/profiles?profile=1&sessionToken={SESSION}"
        number = next(self._numbers)

        def slot(prefix, **more):
            return {
                "id": f"{prefix}-{number}{len(more)}",
                "observatoryUrl": link,
                "uploadUrl": f"{self.upload_origin}/blobs/{prefix}%20{number}?a=1&X-Amz-Signature={SIGNATURE}",
                "uploadTimestamp": 1,
                "unknownField": {"x": 1},
                **more,
            }

        if path.startswith("/v0/sessions/observatory-link/"):
            n = len(asked["batchProfileTimestamps"]) + len(asked["referenceProfileIds"])
            return {"observatoryUrl": link, "individualObservatoryUrls": [link] * n}

        def slots():
            made = [slot("ref", modelId="model-1", alias=r.get("alias")) for r in asked["references"]]
            for i, one in enumerate(made):
                one["id"] += f"-{i}"
                one["uploadUrl"] = one["uploadUrl"].replace("?a=1", f"?a={i}")
            return {"references": made, "observatoryUrl": link}

        profile = {"id": "ref-1", "kind": "reference", "alias": "a", "uploadTimestamp": 1, "size": 2, "sha256": "0"}
        session = {"sessionId": SESSION, "orgId": "org-0", "modelId": "model-1", "userId": "u"}
        answers = {
            "sessions": lambda: {"id": SESSION, "more": 1},
            "upload": lambda: slot("log", datasetId="model-1"),
            "reference": lambda: slot("ref", modelId="model-1", alias=asked.get("alias")),
            "references": slots,
            "claim": dict,
            "profiles": lambda: {"datasetId": "model-1", "profiles": [profile]},
        }
        return answers.get(path.rpartition("/")[2], lambda: {"session": session})()

    def idle(self, seconds=120.0):
        """Wait until no connection is open; return whether that came about."""
        until = time.monotonic() + seconds
        while self.open and time.monotonic() < until:
            time.sleep(0.005)
        return not self.open

    def close(self):
        self.closing.set()
        self._listener.close()
        with contextlib.suppress(OSError):
            # Wakes the acceptor up, where closing alone does not.
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        self._acceptor.join(60)
        for sock in list(self._sockets.values()):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)

    def of(self, method):
        return [seen for seen in self.seen if seen.method == method]


class Records(logging.Handler):
    """Keeps every record of every logger, as text with all that hangs on it."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record):
        self.texts.append(f"{record.name} {record.getMessage()} {record.msg!r} {record.args!r} {record.exc_info!r}")

    def leaks(self):
        return [text for text in self.texts if re.search("|".join(CANARIES), text)]


@pytest.fixture(autouse=True)
def records():
    """Look at all logging at DEBUG during a test, and find no secret in it."""
    handler, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
        assert not handler.leaks()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.fixture
def serve():
    """Start servers that end with the test."""
    servers = []

    def start(behave=None, context=None):
        servers.append(Server(behave, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def server_class():
    return Server


@pytest.fixture(scope="session")
def record_class():
    return Records


@pytest.fixture
def endpoint(serve):
    return serve()

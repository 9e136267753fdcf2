"""The HTTP server of the service: tornado's, with bounds on what connections may cost.

Who sends or reads too slowly is cut off, connections are capped below the limit of descriptors, and where there is no
room left, whoever has asked for nothing yields to the newcomer: connections that only wait keep nobody out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPInputError, HTTPMessageDelegate
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, UnsatisfiableReadError

from .errors import HeadTooLarge, Internal, InvalidArgument
from .handler import logger, new_request_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine

    from .errors import ServiceError

MAX_CONNECTIONS = 1_000
"""Connections at once, as far as the process may have so many descriptors."""

OTHER_DESCRIPTORS = 128
"""Descriptors that are left for the database, for files and for the rest of the process."""

HEADER_SECONDS = 20.0
"""How long a connection may take until its first request has come, and any further request once it has begun."""

IDLE_SECONDS = 120.0
"""How long a connection may wait for its next request. Clients close theirs sooner."""

STALL_SECONDS = 20.0
"""How long nothing may come of a body, or be taken of an answer."""

MIN_BYTES_PER_SECOND = 8_192
"""On average, after the first `STALL_SECONDS`, of a body or an answer."""

HEAD_LIMIT = 1 << 16
"""Bytes of a request's line and headers."""

BODY_LIMIT = 1 << 20
"""Requests with a larger body are refused, unless their handler reads the body piece by piece."""

_ARRIVE_SECONDS = 0.25  # what a newcomer has for its request before it may have to yield to another
_YIELD_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 0.05
_LOG_SECONDS = 60.0
_ACCEPTED_AT_ONCE = 64
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LAST_SECONDS = 2.0  # for which what a refused connection still sends is read
_MAX_LAST = 32  # of such connections at once
_TORNADO_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Connection(IOStream):
    """The stream of one connection, which knows what it is doing and since when.

    Attributes
    ----------
    phase : str
        ``"waiting"`` for a request, ``"reading"`` its body, ``"answering"``.
    since, progressed : float
        `time.monotonic` of the beginning of the phase, and of the last bytes received or sent.
    received, sent : int
        Bytes in this phase.
    requests : int
        How many requests have come.
    failure : ServiceError or None
        What tornado is to answer to a request that failed outside of all handlers.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.requests = 0
        self.failure: ServiceError | None = None
        self._writing_since = 0.0
        self.enter("waiting")

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self.since = self.progressed = time.monotonic()
        self.received = self.sent = 0

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read, and note that something came."""
        count = super().read_from_fd(buf)
        if count:
            self.received += count
            self.progressed = time.monotonic()
        return count

    def write_to_fd(self, data: memoryview) -> int:
        """Write, and note that something was taken."""
        count = super().write_to_fd(data)
        if count:
            self.sent += count
            self.progressed = time.monotonic()
        return count

    def write(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """Write; where tornado refuses a malformed request without a word, in the contract's shape."""
        if data == _TORNADO_REFUSAL:
            error = self.failure or InvalidArgument("The request is malformed.")
            if not (self.writing() or self.closed()):
                _say_and_close(self.socket, error)
                done = asyncio.get_running_loop().create_future()
                done.set_result(None)
                return done
            data = _refusal(error)
        if not self.writing():
            self._writing_since = self.progressed = time.monotonic()
            self.sent = 0
        return super().write(data)

    def close(self, exc_info: Any = False) -> None:
        """Close; where tornado does so without a word because something has no end, say so first."""
        if isinstance(exc_info, UnsatisfiableReadError) and not (self.closed() or self.sent or self.writing()):
            error: ServiceError = InvalidArgument("The request is malformed.")
            if self.phase == "waiting":
                error = HeadTooLarge(f"The request's line and headers are larger than {HEAD_LIMIT >> 10} KiB.")
            _say_and_close(self.socket, error)
        super().close(exc_info)

    def is_over(self, now: float) -> bool:
        """Whether its peer has had all the time that is due to it."""
        if self.phase == "waiting":
            begun = self.received > 0 or not self.requests
            return now - self.since > (HEADER_SECONDS if begun else IDLE_SECONDS)
        if self.phase == "reading":
            since, amount = self.since, self.received
        elif self.writing():
            since, amount = self._writing_since, self.sent
        else:
            return False  # it waits for us
        return now - self.progressed > STALL_SECONDS or now - since > STALL_SECONDS + amount / MIN_BYTES_PER_SECOND

    def yields(self, now: float) -> tuple[bool, float] | None:
        """Return a key by which to choose who makes room, the least first; None for one that must stay."""
        if self.phase == "waiting":
            return (False, self.since) if now - self.since > _ARRIVE_SECONDS else None
        if (self.phase == "reading" or self.writing()) and now - self.progressed > _YIELD_SECONDS:
            return True, self.progressed
        return None


def _refusal(error: ServiceError) -> bytes:
    """Return the whole answer to a request of which tornado makes none."""
    request_id = new_request_id()
    body = msgspec.json.encode(error.body(request_id))
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
        f"Content-Type: application/json\r\nX-Request-Id: {request_id}\r\n"
        f"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_last: set[asyncio.Task[None]] = set()


def _say_and_close(refused: socket.socket, error: ServiceError) -> None:
    """Answer on a connection that is about to be closed, and close it once its peer has stopped sending, or soon.

    Closed at once, with what was not read, it would be reset, and the answer with it.
    """
    try:
        connection = refused.dup()
    except OSError:  # no descriptor is left
        return
    with contextlib.suppress(OSError):
        connection.send(_refusal(error))
        connection.shutdown(socket.SHUT_WR)
        if len(_last) < _MAX_LAST:
            task = asyncio.get_running_loop().create_task(_drain(connection))
            _last.add(task)
            task.add_done_callback(_last.discard)
            return
    connection.close()


async def _drain(connection: socket.socket) -> None:
    async def read() -> None:
        while await asyncio.get_running_loop().sock_recv(connection, HEAD_LIMIT):
            pass

    with connection, contextlib.suppress(OSError, asyncio.TimeoutError):
        await asyncio.wait_for(read(), _LAST_SECONDS)


class Server(HTTPServer):
    """Serves an application over bounded connections.

    Parameters
    ----------
    application : tornado.web.Application
    max_connections : int, optional
        By default `MAX_CONNECTIONS`, or what the limit of descriptors leaves.
    """

    def initialize(  # type: ignore[override]
        self, application: Any, *, max_connections: int | None = None, **options: Any
    ) -> None:
        super().initialize(application, **{"max_header_size": HEAD_LIMIT, "max_body_size": BODY_LIMIT, **options})
        self.max_connections = max_connections or default_connections()
        self._open: set[Connection] = set()
        self._acceptors: list[_Acceptor] = []
        self._looking: asyncio.TimerHandle | None = None

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on listening sockets."""
        for sock in sockets:
            acceptor = _Acceptor(self, sock)
            self._acceptors.append(acceptor)
            self._sockets[sock.fileno()] = sock
            self._handlers[sock.fileno()] = acceptor.stop
        self._look()

    def stop(self) -> None:
        """Accept no more connections."""
        super().stop()
        if self._looking is not None:
            self._looking.cancel()

    def take(self, sock: socket.socket, address: Any) -> None:
        """Serve a connection."""
        connection = Connection(sock, max_buffer_size=self.max_buffer_size, read_chunk_size=self.read_chunk_size)
        self._open.add(connection)
        self.handle_stream(connection, address)

    def make_room(self) -> bool:
        """Whether there is room for one more connection; where there is none, someone who only waits yields."""
        self._forget_closed()
        return len(self._open) < self.max_connections or self.end_one()

    def end_one(self) -> bool:
        """Close the connection that has waited longest for nothing of ours, if there is any."""
        now = time.monotonic()
        keyed = [(key, connection) for connection in self._open if (key := connection.yields(now)) is not None]
        if not keyed:
            return False
        _, connection = min(keyed, key=lambda one: one[0])
        connection.close()
        self._open.discard(connection)
        return True

    def _forget_closed(self) -> None:
        if len(self._open) >= self.max_connections:
            self._open = {connection for connection in self._open if not connection.closed()}

    def _look(self) -> None:
        """Cut off who sends or reads too slowly, again and again."""
        now = time.monotonic()
        for connection in list(self._open):
            if not connection.closed() and connection.is_over(now):
                connection.close()
        self._open = {connection for connection in self._open if not connection.closed()}
        self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Follow a request of a connection through its phases."""
        delegate = super().start_request(server_conn, request_conn)
        connection = server_conn.stream
        return _Followed(delegate, connection) if isinstance(connection, Connection) else delegate


class _Followed(HTTPMessageDelegate):
    """Notes the phases of one request."""

    def __init__(self, delegate: HTTPMessageDelegate, connection: Connection) -> None:
        self._delegate = delegate
        self._connection = connection
        connection.enter("waiting")

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._connection.requests += 1
        try:
            pending = self._delegate.headers_received(start_line, headers)
        except Exception as error:
            del start_line, headers  # variables of a frame that runs cannot be cleared
            self._delegate = HTTPMessageDelegate()  # which may be told that the connection ends
            raise self._failed(error) from None
        return self._ours(pending)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        try:
            pending = self._delegate.data_received(chunk)
        except Exception as error:
            del chunk
            raise self._failed(error) from None
        return self._ours(pending)

    def _failed(self, error: Exception) -> HTTPInputError:
        """Log what failed outside of all handlers, and return what makes tornado answer and end the connection.

        Tornado would log it with a frame that holds the head of the request, and end the connection without a word.
        """
        if isinstance(error, HTTPInputError):
            return error
        logger.error("a request failed before any handler had it", exc_info=error)
        self._connection.failure = Internal("The service failed at this; its log has the details.")
        return HTTPInputError("a failure of the service, which was logged")

    def _ours(self, pending: Awaitable[None] | None) -> Awaitable[None] | None:
        """Wait for what the service does; meanwhile it is not the peer that is slow."""
        connection = self._connection
        if connection.phase != "reading":
            connection.enter("reading")
        if pending is None or (isinstance(pending, asyncio.Future) and pending.done()):
            return pending
        return self._waited(pending)

    async def _waited(self, pending: Awaitable[None]) -> None:
        connection = self._connection
        before, began = connection.since, time.monotonic()
        connection.phase = "answering"
        try:
            await pending
        except Exception as error:
            raise self._failed(error) from None
        finally:
            now = time.monotonic()
            connection.phase, connection.since, connection.progressed = "reading", before + now - began, now

    def finish(self) -> None:
        self._connection.enter("answering")
        try:
            self._delegate.finish()
        except Exception as error:
            raise self._failed(error) from None

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()


class _Acceptor:
    """Accepts the connections of one listening socket; where there are no descriptors, it waits and says so once."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self._server = server
        self._socket = sock
        self._loop = IOLoop.current()
        self._said = -_LOG_SECONDS
        self._retry: object | None = None
        self._stopped = False
        self._resume()

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_handler(self._socket, self._ready, IOLoop.READ)

    def _pause(self) -> None:
        """Look away for a moment: the socket would call again and again."""
        self._loop.remove_handler(self._socket)
        self._retry = self._loop.call_later(_RETRY_SECONDS, self._resume)

    def stop(self) -> None:
        """Accept no more."""
        self._stopped = True
        if self._retry is None:
            self._loop.remove_handler(self._socket)
        else:
            self._loop.remove_timeout(self._retry)

    def _ready(self, _socket: object, _events: int) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            if self._stopped:
                return
            if not self._server.make_room():
                self._say("all connections are in use")
                self._pause()
                return
            try:
                connection, address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # gone before it was accepted
                continue
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    raise
                self._say(f"no connection can be accepted: {error.strerror}")
                if not self._server.end_one():
                    self._pause()
                    return
                continue
            self._server.take(connection, address)

    def _say(self, what: str) -> None:
        now = time.monotonic()
        if now - self._said >= _LOG_SECONDS:
            self._said = now
            logger.warning("%s; newcomers wait", what)


def default_connections() -> int:
    """Return how many connections the process may have at once."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MAX_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(min(MAX_CONNECTIONS, soft - OTHER_DESCRIPTORS), 16)

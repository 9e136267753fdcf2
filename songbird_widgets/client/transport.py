"""Requests over httpx: sent, answered or failed. It is imported only when something is to be sent."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from ..basics import duration_text
from .calls import finished
from .connection import WATCH, Connection
from .environment import Proxy, Trust, proxy_for
from .errors import ConfigurationError, SongbirdError
from .failures import failure_of, refused_by_proxy
from .redaction import is_host
from .response import Failure, RawResponse
from .retry import FailureKind

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from ..local.route import Route
    from ..secret import Secret
    from .request import HTTPRequest

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_CONNECT_SECONDS = 10.0
MAX_CONNECTIONS = 100
_KEPT_SECONDS = 5.0  # which httpx, too, keeps a connection for the next request
_KEPT_AFTER_UPLOAD = 2  # one to the endpoint and one to the storage
_PROOF_SECONDS, _PROOF_BYTES = 5.0, 4096

_TIMEOUTS = (httpx.TimeoutException, asyncio.TimeoutError)

_log = logging.getLogger("songbird_widgets.client")
_ours: ContextVar[bool] = ContextVar("songbird_request", default=False)


class _Quiet(logging.Filter):
    """Keep URLs and headers of our requests out of the libraries' logs; others' pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _ours.get():
            record.msg, record.args = str(record.msg).split(":")[0].split(" ")[0], None  # the event's name
        return True


for _name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(_Quiet())


# What blocks with threads, and what is awaited in asyncio: httpx's classes, and how their methods are called.
_BLOCKING = httpx.Client, httpx.BaseTransport, httpx.HTTPTransport, "handle_request", "close"
_AWAITED = httpx.AsyncClient, httpx.AsyncBaseTransport, httpx.AsyncHTTPTransport, "handle_async_request", "aclose"


class Transport:
    """An httpx client or transport that was given, or transports of our own, made again in a forked child.

    Ours are used without a client around them, whose cookies, redirects and authentication are not wanted and would
    cost as much time as the rest of a request. Each holds one connection, so that it is known which one is to be ended
    when time is over; and httpx looks through all that one transport holds several times a request. They are made when
    needed: so a proxy's setting or a file of certificates does no harm where it is not used.

    It is usable from many threads; or, `asynchronous`, on one event loop.
    """

    def __init__(
        self,
        http_client: Any = None,
        transport: Any = None,
        proxy: Secret | None = None,
        verify: bool | str | Path | ssl.SSLContext = True,
        *,
        route: Route | None = None,
        asynchronous: bool = False,
    ) -> None:
        kinds: tuple[Any, ...] = _AWAITED if asynchronous else _BLOCKING
        client_kind, transport_kind, self._kind, self._handle, self._close = kinds
        self._asynchronous = asynchronous
        if http_client is not None and (transport or proxy or verify is not True):
            raise ConfigurationError("Give an http_client, or a transport, proxy and certificates, not both.")
        for given, kind in ((http_client, client_kind), (transport, transport_kind)):
            if given is not None and not isinstance(given, kind):
                raise ConfigurationError(f"This client needs an httpx.{kind.__name__}, not {type(given).__name__}.")
        self._http_client, self._given, self._route = http_client, http_client or transport, route
        self._proxy = None if proxy is None else Proxy(proxy, "the argument proxy").checked()
        self._trust = Trust(verify)
        self._proxies: dict[tuple[str, str, int | None], Proxy | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._start()

    def _start(self) -> None:
        """Begin without any connection."""
        self._lock = threading.Lock()
        self._free: Any = (asyncio if self._asynchronous else threading).Semaphore(MAX_CONNECTIONS)
        self._closed = False
        self._kept: list[tuple[float, Connection]] = []  # that wait for another request, and since when
        self._pid = os.getpid()  # the last, by which other threads know that all of it is there

    def _stay_in_process(self) -> None:
        if self._pid != os.getpid():
            self._inherited = self._kept  # the parent's sockets stay its own: neither used nor closed here
            self._start()

    async def send(self, request: HTTPRequest) -> RawResponse[Any] | Failure:
        """Return the answer, or why there is none; never raises for what a network can do."""
        began, came = time.monotonic(), None
        token = _ours.set(True)
        try:
            came = await self._send(request, began + max(0.001, min(request.seconds, request.deadline - began)))
        except Exception as error:
            host = ""
            with contextlib.suppress(httpx.InvalidURL):
                host = _parsed(request.url)[0].host
            came = failure_of(error, host, self._proxy_for(request.url), self._trust)
            if came is None:
                raise
            if came.kind is FailureKind.TIMEOUT:
                came = msgspec.structs.replace(came, detail=duration_text(time.monotonic() - began))
        finally:
            _ours.reset(token)
        if _log.isEnabledFor(logging.DEBUG):
            said, ms = came.kind.value if isinstance(came, Failure) else came.status, (time.monotonic() - began) * 1000
            about = request.operation.name, request.origin, said, ms, request.request_id
            _log.debug("%s to %s: %s in %.0f ms (request id %s)", *about)
        return came

    async def _send(self, request: HTTPRequest, until: float) -> RawResponse[Any] | Failure:
        body = bytearray()

        def check() -> None:
            if time.monotonic() >= until:
                raise httpx.ReadTimeout("")

        def receive(chunk: bytes) -> None:
            body.extend(chunk)
            if len(body) > MAX_ANSWER_BYTES:
                raise httpx.RemoteProtocolError("")
            check()

        def pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                check()
                yield chunk

        content: Any = request.content
        if callable(content):
            content = _Pieces(pieces(content()), blocking=request.blocking)
        step = max(0.001, min(request.timeout, until - time.monotonic()))
        timeout = {"connect": min(MAX_CONNECT_SECONDS, step), "read": step, "write": step, "pool": step}
        response = await self._answer(self._made(request, content, timeout), until, receive)
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            return refused_by_proxy(self._proxy_for(request.url), response.status_code)
        return RawResponse(request, response.status_code, response.headers, bytes(body))

    def _made(self, request: HTTPRequest, content: bytes | _Pieces | None, timeout: dict[str, float]) -> httpx.Request:
        """Return a request of its own, to which no client adds its headers, cookies or authentication.

        It is made with its stream: httpx takes longer to find out what content is than for the rest of a request.
        """
        method, (url, target) = request.operation.method, _parsed(request.url)
        headers = [("Host", url.netloc.decode("ascii")), *((name, value.reveal()) for name, value in request.headers)]
        stream: Any = content
        if not isinstance(content, _Pieces):
            stream = httpx.ByteStream(content or b"")
            if content is not None or method == "POST":
                headers.append(("Content-Length", str(len(content or b""))))
        if self._given is not None:  # to whom the whole URL may matter
            url = httpx.URL(request.url.reveal())
        made = httpx.Request(method, url, headers=headers, stream=stream, extensions={"timeout": timeout})
        made.url = _ExactURL(url, target)
        if self._given is not None and stream is not content:
            made.read()  # as hooks expect it
        return made

    async def _answer(self, request: httpx.Request, until: float, receive: Callable[[bytes], None]) -> httpx.Response:
        """Return the answer to a request whose body was received, by then, or raise httpx's errors."""
        connection: Connection | None = None
        whole = False

        async def exchange() -> httpx.Response:
            nonlocal connection
            connection = await self._taken(request, until)
            if not self._asynchronous:
                WATCH.add(connection)
            response: httpx.Response = await self._call(self._sender(connection), request)
            await self._read(response.stream, receive)
            if connection.late:  # so that its end is not the answer's
                raise httpx.ReadTimeout("")
            return response

        try:
            work = exchange()
            response = await (asyncio.wait_for(work, until - time.monotonic()) if self._asynchronous else work)
        except Exception as error:
            if connection is None:
                raise (httpx.PoolTimeout("") if isinstance(error, asyncio.TimeoutError) else error) from None
            if not connection.sending and (connection.late or isinstance(error, _TIMEOUTS)):
                raise httpx.ConnectTimeout("") from None
            if connection.late:
                raise httpx.ReadTimeout("") from None
            raise
        else:
            whole = True
            return response
        finally:
            if connection is not None:
                WATCH.remove(connection)
                await self._give_back(connection, whole=whole)

    async def _taken(self, request: httpx.Request, until: float) -> Connection:
        """Return a connection for a request, after one has become free if there are too many; `_give_back` follows."""
        self._stay_in_process()
        if self._asynchronous:
            loop = asyncio.get_running_loop()
            self._loop = self._loop or loop
            if self._loop is not loop:
                said = "This AsyncSongbird was used on another event loop before: its connections belong there."
                raise ConfigurationError(said, advice="Make one for each event loop, within `async with`.")
        if self._closed or getattr(self._http_client, "is_closed", False):
            raise ConfigurationError("This client is closed.", advice="Make a new one.")
        if self._given is not None:
            connection = Connection(self._given)
            connection.begin(until)
            return connection
        seconds = () if self._asynchronous else (True, max(0.001, until - time.monotonic()))
        if not await self._call(self._free.acquire, *seconds):
            raise httpx.PoolTimeout("")
        try:
            connection = self._connection_for(request)
        except BaseException:
            self._free.release()
            raise
        connection.begin(until)
        return connection

    async def _give_back(self, connection: Connection, *, whole: bool) -> None:
        """Keep a connection for the next request, unless this one failed or the client is closed.

        Those that wait too long, or are too many, end. Of a request that failed or was interrupted nothing is used
        again: httpx may hold its transport's only place taken, or a lock, and leave its connection open.
        """
        if connection.place is None:
            return
        self._stay_in_process()
        now, ended = time.monotonic(), []
        if whole:
            with self._lock:
                self._kept.append((now, connection))
                over = sum(since < now - _KEPT_SECONDS for since, _ in self._kept)
                over = len(self._kept) if self._closed else max(over, len(self._kept) - MAX_CONNECTIONS)
                ended, self._kept = self._kept[:over], self._kept[over:]
        self._free.release()
        if not whole and connection.stream is not None:
            with contextlib.suppress(Exception):
                await self._call(getattr(connection.stream, self._close))
        await self._end(ended)

    async def _end(self, connections: Iterable[tuple[float, Connection]]) -> None:
        for _, connection in connections:
            await self._call(getattr(connection.transport, self._close))

    async def trim(self) -> None:
        """End the connections that wait for another request, but for the last two, after many were sent at once."""
        self._stay_in_process()
        with self._lock:
            ended, self._kept = self._kept[:-_KEPT_AFTER_UPLOAD], self._kept[-_KEPT_AFTER_UPLOAD:]
        await self._end(ended)

    async def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        self._stay_in_process()
        with self._lock:
            self._closed = True
            ended, self._kept = self._kept, []
        await self._end(ended)

    def _sender(self, connection: Connection) -> Any:
        if self._http_client is not None:
            return functools.partial(self._http_client.send, stream=True, auth=None, follow_redirects=False)
        return getattr(connection.transport, self._handle)

    def _proxy_for(self, address: Secret) -> Proxy | None:
        """Return the proxy on the way to an address; that of a client that was given is not known."""
        with contextlib.suppress(httpx.InvalidURL, SongbirdError):
            return None if self._given is not None else self._proxy_to(_parsed(address)[0])
        return None

    def _proxy_to(self, url: httpx.URL) -> Proxy | None:
        if self._route is not None:
            return None
        place = (url.scheme, url.host, url.port)
        if place not in self._proxies:
            self._proxies[place] = self._proxy or proxy_for(*place)
        return self._proxies[place]

    def _connection_for(self, request: httpx.Request) -> Connection:
        url, proxy = request.url, self._proxy_to(request.url)
        place, path = (url.scheme, url.host, url.port), None
        with self._lock:
            kept = next((n for n in reversed(range(len(self._kept))) if self._kept[n][1].place == place), None)
            connection = None if kept is None else self._kept.pop(kept)[1]
        if connection is None:
            if self._route is not None and self._route.socket is not None:
                path = str(self._route.socket)  # the local service, and all that it names
            transport = self._kind(
                verify=self._trust.context(secure=url.scheme == "https"),
                limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEPT_SECONDS),
                proxy=None if proxy is None else proxy.for_httpx(self._trust),
                uds=path,
            )
            connection = Connection(transport, place)
        if self._asynchronous or self._route is not None:
            trace = self._trace_awaited if self._asynchronous else self._trace
            request.extensions["trace"] = functools.partial(trace, connection)
        else:
            request.extensions["trace"] = connection.notice
        return connection

    def _trace(self, connection: Connection, event: str, info: Mapping[str, Any]) -> None:
        """Take what httpx tells of a request."""
        connection.notice(event, info)
        if self._route is not None and event.startswith("connection.connect_"):
            finished(self._prove(self._route, event, info))

    async def _trace_awaited(self, connection: Connection, event: str, info: Mapping[str, Any]) -> None:
        connection.notice(event, info)
        if self._route is not None and event.startswith("connection.connect_"):
            await self._prove(self._route, event, info)

    async def _prove(self, route: Route, event: str, info: Mapping[str, Any]) -> None:
        """Have the service prove itself on a new connection, before anything else is sent: else there is none."""
        try:
            if event == "connection.connect_unix_socket.started":
                route.knock()
            if not event.endswith(".complete"):
                return
            challenge, stream = route.challenge(), info["return_value"]
            await self._call(stream.write, challenge.request, _PROOF_SECONDS)
            while not challenge.receive(await self._call(stream.read, _PROOF_BYTES, _PROOF_SECONDS)):
                pass
        except Exception as error:
            raise httpx.ConnectError("") from error

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._call(asyncio.sleep if self._asynchronous else time.sleep, seconds)

    async def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        made = function(*arguments)
        return await made if self._asynchronous else made

    async def _read(self, stream: Any, receive: Callable[[bytes], None]) -> None:
        if self._asynchronous:
            async with contextlib.aclosing(stream):
                async for chunk in stream:
                    receive(chunk)
        else:
            with contextlib.closing(stream):
                for chunk in stream:
                    receive(chunk)


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces, which are made without blocking the event loop."""

    def __init__(self, pieces: Iterator[bytes], *, blocking: bool) -> None:
        self._pieces, self._blocking = pieces, blocking

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._pieces
        while chunk := (await asyncio.to_thread(next, pieces, b"") if self._blocking else next(pieces, b"")):
            yield chunk


class _ExactURL(httpx.URL):
    """A URL whose path and query are sent as they are.

    httpx's extension `target`, which is for that, would also be what a proxy is asked to connect to.
    """

    def __init__(self, url: httpx.URL, target: bytes) -> None:
        super().__init__(url)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        """The path and the query."""
        return self._target


def _parsed(secret: Secret) -> tuple[httpx.URL, bytes]:
    """Return scheme, host and port of a URL, and the rest as it is: httpx would encode anew what a signature covers."""
    url = secret.reveal()
    start = url.find("/", url.find("://") + 3)
    target = url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpx.InvalidURL("")
    return _origin(url[:start] if start > 0 else url), target.encode("ascii")


@functools.lru_cache(maxsize=64)  # httpx takes long to read one
def _origin(text: str) -> httpx.URL:
    try:
        parsed = httpx.URL(text)
        usable = is_host(parsed.host)  # which httpx decodes, where it is of another script
    except UnicodeError:
        usable = False
    if not usable:
        raise httpx.InvalidURL("")
    return parsed

"""Requests over httpx: sent, answered or failed. It is imported only when something is to be sent."""

from __future__ import annotations

import asyncio
import contextlib
import copy
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
from .environment import Proxy, Trust, proxy_for
from .errors import ConfigurationError, SongbirdError
from .failures import failure_of, refused_by_proxy
from .redaction import is_host
from .response import Failure, RawResponse
from .retry import FailureKind

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from ..local.route import Route
    from ..secret import Secret
    from .request import HTTPRequest

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_CONNECT_SECONDS = 10.0
MAX_CONNECTIONS = 100
_HOSTS_OF_UPLOAD = 2  # the endpoint, and the storage that it names
_PROOF_SECONDS, _PROOF_BYTES = 5.0, 4096
# Of httpx's trace extension: it gives the stream of a connection that was made.
_CONNECTED = {"connection.connect_unix_socket.complete", "connection.connect_tcp.complete"}

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
    cost as much time as the rest of a request. There is one for each proxy, with and without TLS, made when it is first
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
        self._means, self._route = (http_client, transport, proxy, verify), route
        self._given = http_client is not None or transport is not None  # and so closed by its owner
        self._proxy = None if proxy is None else Proxy(proxy, "the argument proxy").checked()
        self._trust = Trust(verify)
        self._proxies: dict[tuple[str, str, int | None], Proxy | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.start(MAX_CONNECTIONS)

    def start(self, connections: int) -> None:
        """Begin without any connection, with room for some in each pool."""
        self._limit = connections
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._closed, self._under_way = False, 0
        self._made: dict[tuple[bool, Proxy | None], Any] = {}

    def _stay_in_process(self) -> None:
        if self._pid != os.getpid():
            self._inherited = self._made  # the parent's sockets stay its own: neither used nor closed here
            self.start(self._limit)

    def for_one(self) -> Self:
        """Return a transport for one request at a time: in a pool, each request looks through all connections."""
        other = copy.copy(self)
        other.start(_HOSTS_OF_UPLOAD)
        return other

    async def send(self, request: HTTPRequest) -> RawResponse[Any] | Failure:
        """Return the answer, or why there is none; never raises for what a network can do."""
        began, came = time.monotonic(), None
        token = _ours.set(True)
        try:
            came = await self._send(request, began + max(0.001, min(request.seconds, request.deadline - began)))
        except Exception as error:
            host = ""
            with contextlib.suppress(httpx.InvalidURL):
                host = _parsed(request.url).host
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

        step, url = max(0.001, min(request.timeout, until - time.monotonic())), _parsed(request.url)
        timeout = {"connect": min(MAX_CONNECT_SECONDS, step), "read": step, "write": step, "pool": step}
        content = request.content
        stream = _Pieces(content, check, blocking=request.blocking) if callable(content) else httpx.ByteStream(content)
        # A request of its own, to which no client adds its headers, cookies or authentication. Its headers are whole:
        # with content instead of a stream, httpx would go through them twice more.
        made = httpx.Request(
            request.operation.method,
            url,
            headers=[("Host", url.netloc.decode()), *((name, value.reveal()) for name, value in request.headers)],
            stream=stream,
            extensions={"timeout": timeout},
        )
        made.url = url  # httpx.Request has made a plain URL of it
        if not callable(content):
            made.read()  # for hooks and transports of the caller's, which may look at what is sent
        self._begin()
        try:
            response = await self._call(self._sender(made), made)
            await self._read(response.stream, receive)
        finally:
            await self._end(1)
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            return refused_by_proxy(self._proxy_for(request.url), response.status_code)
        return RawResponse(request, response.status_code, response.headers, bytes(body))

    def _begin(self) -> None:
        """Count one more request; `_end` follows."""
        self._stay_in_process()
        if self._asynchronous:
            loop = asyncio.get_running_loop()
            self._loop = self._loop or loop
            if self._loop is not loop:
                said = "This AsyncSongbird was used on another event loop before: its connections belong there."
                raise ConfigurationError(said, advice="Make one for each event loop, within `async with`.")
        with self._lock:
            if self._closed or getattr(self._means[0], "is_closed", False):
                raise ConfigurationError("This client is closed.", advice="Make a new one.")
            self._under_way += 1

    async def _end(self, requests: int) -> None:
        """Take a request off, or with 0 close: after the last one, lest one that is just connecting leak that."""
        self._stay_in_process()
        with self._lock:
            self._under_way -= requests
            self._closed |= not requests
            over = list(self._made.values()) if self._closed and not self._under_way else []
        for transport in over:
            await self._call(getattr(transport, self._close))

    async def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        await self._end(0)

    def _sender(self, request: httpx.Request) -> Any:
        http_client, transport, *_ = self._means
        if http_client is not None:
            return functools.partial(http_client.send, stream=True, auth=None, follow_redirects=False)
        if transport is None:
            transport = self._transport_for(request)
            if self._route is not None:
                request.extensions["trace"] = functools.partial(self._trace, self._route)
        return getattr(transport, self._handle)

    def _proxy_for(self, address: Secret) -> Proxy | None:
        """Return the proxy on the way to an address; that of a client that was given is not known."""
        with contextlib.suppress(httpx.InvalidURL, SongbirdError):
            return None if self._given else self._proxy_to(_parsed(address))
        return None

    def _proxy_to(self, url: httpx.URL) -> Proxy | None:
        if self._route is not None:
            return None
        place = (url.scheme, url.host, url.port)
        if place not in self._proxies:
            self._proxies[place] = self._proxy or proxy_for(*place)
        return self._proxies[place]

    def _transport_for(self, request: httpx.Request) -> Any:
        url, proxy = request.url, self._proxy_to(request.url)
        secure, path = url.scheme == "https", None
        with self._lock:
            if (secure, proxy) not in self._made:
                if self._route is not None and self._route.socket is not None:
                    path = str(self._route.socket)  # the local service, and all that it names
                self._made[secure, proxy] = self._kind(
                    verify=self._trust.context(secure=secure),
                    limits=httpx.Limits(max_connections=self._limit, max_keepalive_connections=self._limit),
                    proxy=None if proxy is None else proxy.for_httpx(self._trust),
                    uds=path,
                )
            return self._made[secure, proxy]

    def _trace(self, route: Route, event: str, info: Mapping[str, Any]) -> Any:
        """Take what httpx tells of a request to the local service."""
        if event.startswith("connection.connect_") or self._asynchronous:
            proof = self._prove(route, event, info)
            return proof if self._asynchronous else finished(proof)
        return None

    async def _prove(self, route: Route, event: str, info: Mapping[str, Any]) -> None:
        """Have the service prove itself on a new connection, before anything else is sent: else there is none."""
        try:
            if event == "connection.connect_unix_socket.started":
                route.knock()
            if event not in _CONNECTED:
                return
            challenge, stream = route.challenge(), info["return_value"]
            try:
                await self._call(stream.write, challenge.request, _PROOF_SECONDS)
                while not challenge.receive(await self._call(stream.read, _PROOF_BYTES, _PROOF_SECONDS)):
                    pass
            except BaseException:
                await self._call(getattr(stream, self._close))
                raise
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
    """The pieces of what a request sends, checked between them; one from a disk is read beside an event loop."""

    def __init__(self, content: Callable[[], Iterator[bytes]], check: Callable[[], None], *, blocking: bool) -> None:
        self._content, self._check, self._blocking = content, check, blocking

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._content():
            self._check()
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self)
        while piece := (await asyncio.to_thread(next, pieces, b"") if self._blocking else next(pieces, b"")):
            yield piece


class _ExactURL(httpx.URL):
    """A URL whose path and query are sent as they are.

    httpx's extension `target`, which is for that, would also be what a proxy is asked to connect to.
    """

    def __init__(self, url: str, target: str) -> None:
        super().__init__(url)
        self._target = target.encode("ascii")

    @property
    def raw_path(self) -> bytes:
        """The path and the query."""
        return self._target


@functools.lru_cache(maxsize=64)  # the slots of a session share one URL, and httpx takes long to read it
def _parsed(secret: Secret) -> _ExactURL:
    """Read a URL whose path and query stay as they are: httpx would encode anew what a signature covers."""
    url = secret.reveal()
    start = url.find("/", url.find("://") + 3)
    target = url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpx.InvalidURL("")
    try:
        parsed = _ExactURL(url, target)
        usable = is_host(parsed.host)  # which httpx decodes, where it is of another script
    except UnicodeError:
        usable = False
    if not usable:
        raise httpx.InvalidURL("")
    return parsed

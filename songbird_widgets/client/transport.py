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

from ..secret import Hidden
from .environment import Proxy, Trust, proxy_for
from .errors import ConfigurationError, SongbirdError
from .failures import failure_of, refused_by_proxy
from .outcome import Failure, HTTPResponse

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from ..local.route import Challenge, Route
    from ..secret import Secret
    from .outcome import Outcome
    from .request import HTTPRequest

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_CONNECT_SECONDS = 10.0
MAX_CONNECTIONS = 100
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


class _Connections:
    """Connections of our own: an httpx transport for each proxy, with and without TLS, made when it is first needed.

    So a proxy's setting or a file of certificates does no harm where it is not used, and plain HTTP reads none.
    """

    def __init__(self, kind: Any, limit: int, proxy: Proxy | None, trust: Trust, route: Route | None) -> None:
        self._kind, self._proxy, self._trust, self._route = kind, proxy, trust, route
        self._limits = httpx.Limits(max_connections=limit, max_keepalive_connections=limit)
        self._proxies: dict[tuple[str, str, int | None], Proxy | None] = {}
        self.transports: dict[tuple[bool, Proxy | None], Any] = {}
        self._lock = threading.Lock()

    def proxy_for(self, url: httpx.URL) -> Proxy | None:
        if self._route is not None:
            return None
        place = (url.scheme, url.host, url.port)
        if place not in self._proxies:
            self._proxies[place] = self._proxy or proxy_for(*place)
        return self._proxies[place]

    def transport_for(self, request: httpx.Request) -> Any:
        secure, proxy = request.url.scheme == "https", self.proxy_for(request.url)
        if proxy is not None and not secure and "target" in request.extensions:  # a proxy is told the whole address
            origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
            request.extensions["target"] = origin.encode("ascii") + request.extensions["target"]
        with self._lock:
            if (secure, proxy) not in self.transports:
                self.transports[secure, proxy] = self._made(secure=secure, proxy=proxy)
            return self.transports[secure, proxy]

    def _made(self, *, secure: bool, proxy: Proxy | None) -> Any:
        through = None
        if proxy is not None:
            over_tls = proxy.url.reveal().lower().startswith("https:")
            through = httpx.Proxy(proxy.url.reveal(), ssl_context=self._trust.context() if over_tls else None)
        # The local service and what it names are all reached through its socket, where it has one.
        path = None if self._route is None or self._route.socket is None else str(self._route.socket)
        context = self._trust.context(secure=secure)
        return self._kind(verify=context, limits=self._limits, proxy=through, uds=path)


class _Transport:
    """An httpx client or transport that was given, or transports of our own, made again in a forked child.

    Ours are used without a client around them, whose cookies, redirects and authentication are not wanted and would
    cost as much time as the rest of a request.
    """

    _client_kind: Any
    _given_kind: Any  # of transport
    _made_kind: Any
    _handle: str  # the method of a transport

    def __init__(
        self,
        http_client: Any = None,
        transport: Any = None,
        proxy: Secret | None = None,
        verify: bool | str | Path | ssl.SSLContext = True,
        *,
        route: Route | None = None,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        if http_client is not None and (transport or proxy or verify is not True):
            raise ConfigurationError("Give an http_client, or a transport, proxy and certificates, not both.")
        for given, kind in ((http_client, self._client_kind), (transport, self._given_kind)):
            if given is not None and not isinstance(given, kind):
                raise ConfigurationError(f"This client needs an httpx.{kind.__name__}, not {type(given).__name__}.")
        self._means, self._route = (http_client, transport, proxy, verify), route
        self._given = http_client is not None or transport is not None  # and so closed by its owner
        self._proxy = None if proxy is None else Proxy(proxy, "the argument proxy").checked()
        self._trust, self._limit = Trust(verify), connections
        self._start()

    def _start(self) -> None:
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._closed, self._under_way = False, 0
        self._connections = _Connections(self._made_kind, self._limit, self._proxy, self._trust, self._route)

    def single(self) -> Self:
        """Return a transport of one connection to each host: in a pool, each request looks through all of them."""
        return type(self)(*self._means, route=self._route, connections=1)

    def proxy_for(self, url: Secret) -> Proxy | None:
        """Return the proxy on the way to a URL; that of a client that was given is not known."""
        with contextlib.suppress(httpx.InvalidURL, SongbirdError):
            return None if self._given else self._connections.proxy_for(_parsed(url)[0])
        return None

    def begin(self) -> None:
        """Count one more request; `end` follows."""
        self._stay_in_process()
        http_client = self._means[0]
        with self._lock:
            if self._closed or (http_client is not None and http_client.is_closed):
                raise ConfigurationError("This client is closed.", advice="Make a new one.")
            self._under_way += 1

    def sender(self, request: httpx.Request) -> Any:
        """Return what sends a request."""
        http_client, transport, *_ = self._means
        if http_client is not None:
            return functools.partial(http_client.send, stream=True, auth=None, follow_redirects=False)
        if transport is None:
            transport = self._connections.transport_for(request)
            if self._route is not None:
                request.extensions["trace"] = self._tell_connecting
        return getattr(transport, self._handle)

    _tell_connecting: Any

    def _greeting(self, event: str) -> Challenge | None:
        """Return the question for a new connection to the local service, which comes before all that is sent on it."""
        if self._route is not None and event == "connection.connect_unix_socket.started":
            self._route.knock()
        return self._route.challenge() if self._route is not None and event in _CONNECTED else None

    def _stay_in_process(self) -> None:
        if self._pid != os.getpid():
            self._inherited = self._connections  # the parent's sockets stay its own: neither used nor closed here
            self._start()

    def end(self, requests: int) -> list[Any]:
        """Return what to close, now that a request has ended or, with 0, the client is closed.

        One that is closed while it makes a connection would leak that, so the last request closes it.
        """
        self._stay_in_process()
        with self._lock:
            self._under_way -= requests
            self._closed |= not requests
            over = self._closed and not self._under_way
            return list(self._connections.transports.values()) if over else []

    def failure(self, error: Exception, url: Secret) -> Failure | None:
        """Return why there is no answer, or None if the error is nothing that a network does."""
        host = ""
        with contextlib.suppress(httpx.InvalidURL):
            host = _parsed(url)[0].host
        return failure_of(error, host, self.proxy_for(url), self._trust)


class Transport(_Transport):
    """Sends requests and waits for their answers; usable from many threads."""

    _client_kind, _given_kind, _made_kind = httpx.Client, httpx.BaseTransport, httpx.HTTPTransport
    _handle = "handle_request"

    def send(self, request: HTTPRequest) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        with _Attempt(self, request) as attempt:
            self._send(attempt)
        return attempt.outcome

    def _send(self, attempt: _Attempt) -> None:
        request = attempt.made(attempt.pieces())
        self.begin()
        try:
            response = self.sender(request)(request)
            with contextlib.closing(response.stream) as chunks:
                for chunk in chunks:
                    attempt.receive(chunk)
            attempt.answered(response)
        finally:
            for transport in self.end(1):
                transport.close()

    def _tell_connecting(self, event: str, info: Mapping[str, Any]) -> None:
        with _as_connect_error():
            if (challenge := self._greeting(event)) is None:
                return
            stream = info["return_value"]
            try:
                stream.write(challenge.request, _PROOF_SECONDS)
                while not challenge.receive(stream.read(_PROOF_BYTES, _PROOF_SECONDS)):
                    pass
            except BaseException:
                stream.close()
                raise

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended."""
        for transport in self.end(0):
            transport.close()


class AsyncTransport(_Transport):
    """Sends requests on one event loop."""

    _client_kind, _given_kind, _made_kind = httpx.AsyncClient, httpx.AsyncBaseTransport, httpx.AsyncHTTPTransport
    _handle = "handle_async_request"
    _loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: HTTPRequest) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            said = "This AsyncSongbird was used on another event loop before: its connections belong there."
            raise ConfigurationError(said, advice="Make one for each event loop, within `async with`.")
        with _Attempt(self, request) as attempt:
            await self._send(attempt)
        return attempt.outcome

    async def _send(self, attempt: _Attempt) -> None:
        request = attempt.made(attempt.apieces())
        self.begin()
        try:
            response = await self.sender(request)(request)
            async with contextlib.aclosing(response.stream) as chunks:
                async for chunk in chunks:
                    attempt.receive(chunk)
            attempt.answered(response)
        finally:
            for transport in self.end(1):
                await transport.aclose()

    async def _tell_connecting(self, event: str, info: Mapping[str, Any]) -> None:
        with _as_connect_error():
            if (challenge := self._greeting(event)) is None:
                return
            stream = info["return_value"]
            try:
                await stream.write(challenge.request, _PROOF_SECONDS)
                while not challenge.receive(await stream.read(_PROOF_BYTES, _PROOF_SECONDS)):
                    pass
            except BaseException:
                await stream.aclose()
                raise

    async def aclose(self) -> None:
        """Close the connections that this client made, once what is under way has ended."""
        for transport in self.end(0):
            await transport.aclose()


@contextlib.contextmanager
def _as_connect_error() -> Iterator[None]:
    """Let whatever keeps a connection from being proved count as no connection, before anything was sent."""
    try:
        yield
    except Exception as error:
        raise httpx.ConnectError("") from error


@functools.lru_cache(maxsize=64)  # the slots of a session share one URL, and httpx takes long to read it
def _parsed(secret: Secret) -> tuple[httpx.URL, dict[str, bytes]]:
    """Return a URL, and as httpx's extension its path where httpx would encode anew what a signature covers."""
    url = secret.reveal()
    start = url.find("/", url.find("://") + 3)
    target = url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpx.InvalidURL("")
    parsed = httpx.URL(url)
    return parsed, {} if parsed.raw_path == target.encode("ascii") else {"target": target.encode("ascii")}


class _Attempt:
    """One attempt: how long it may take, what comes of it, and silence in the libraries' logs meanwhile."""

    outcome: Outcome

    def __init__(self, transport: _Transport, request: HTTPRequest) -> None:
        self._transport, self._request, self._began = transport, request, time.monotonic()
        self._until = self._began + max(0.001, min(request.seconds, request.deadline - self._began))
        self._body = Hidden(bytearray())

    def __enter__(self) -> Self:
        self._token = _ours.set(True)
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        _ours.reset(self._token)
        request = self._request
        if error is not None:
            failure = self._transport.failure(error, request.url) if isinstance(error, Exception) else None
            if failure is None:
                error.__cause__ = error.__context__ = None  # frames, httpx's own too, hold the request and its answer
                raise error.with_traceback(None)
            self.outcome = failure
        if _log.isEnabledFor(logging.DEBUG):
            came = self.outcome.kind.value if isinstance(self.outcome, Failure) else self.outcome.status
            milliseconds = (time.monotonic() - self._began) * 1000
            about = (request.operation.name, request.origin, came, milliseconds, request.request_id)
            _log.debug("%s to %s: %s in %.0f ms (request id %s)", *about)
        return True

    def made(self, pieces: Any) -> httpx.Request:
        """Return a request of its own, to which no client adds its headers, cookies or authentication."""
        request, step = self._request, max(0.001, min(self._request.timeout, self._until - time.monotonic()))
        url, target = _parsed(request.url)
        timeout = {"connect": min(MAX_CONNECT_SECONDS, step), "read": step, "write": step, "pool": step}
        return httpx.Request(
            request.operation.method,
            url,
            headers=[(name, value.reveal()) for name, value in request.headers],
            content=pieces if callable(request.content) else request.content,
            extensions={"timeout": timeout, **target},
        )

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces of the body, as long as there is time."""
        for chunk in self._request.content() if callable(self._request.content) else ():
            self._check()
            yield chunk

    async def apieces(self) -> AsyncIterator[bytes]:
        """Return the pieces without blocking the event loop."""
        pieces, blocking = self.pieces(), self._request.blocking
        while chunk := (await asyncio.to_thread(next, pieces, b"") if blocking else next(pieces, b"")):
            yield chunk

    def receive(self, chunk: bytes) -> None:
        """Take a piece of the answer."""
        body = self._body.reveal()
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise httpx.RemoteProtocolError("")
        self._check()

    def _check(self) -> None:
        if time.monotonic() >= self._until:
            raise httpx.ReadTimeout("")

    def answered(self, response: httpx.Response) -> None:
        """Take what an answer says."""
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            self.outcome = refused_by_proxy(self._transport.proxy_for(self._request.url), response.status_code)
            return
        self.outcome = HTTPResponse(response.status_code, Hidden((response.headers, bytes(self._body.reveal()))))

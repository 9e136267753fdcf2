"""Requests over httpx: sent, answered or failed. It is imported only when something is to be sent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from contextvars import ContextVar
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any

import httpx
from typing_extensions import Self

from .environment import Proxy, Trust, proxy_for
from .errors import ConfigurationError, SongbirdError
from .failures import failure_of, refused_by_proxy
from .response import Failure, HTTPResponse

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from .redaction import Secret
    from .request import Body, HTTPRequest
    from .response import Outcome

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_CONNECT_SECONDS = 10.0
MAX_CONNECTIONS = 100

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


class Route:
    """How endpoints are reached: through whose client, transport or proxy, trusting which certificates."""

    def __init__(
        self, http_client: Any, transport: Any, proxy: Secret | None, verify: bool | str | Path | ssl.SSLContext
    ) -> None:
        if http_client is not None and (transport or proxy or verify is not True):
            raise ConfigurationError("Give an http_client, or a transport, proxy and certificates, not both.")
        self.http_client, self.transport = http_client, transport
        self.given = http_client is not None or transport is not None  # and so closed by its owner
        self.proxy = None if proxy is None else Proxy(proxy, "the argument proxy").checked()
        self.trust = Trust(verify)
        self._proxies: dict[tuple[str, str, int | None], Proxy | None] = {}

    def proxy_for(self, url: httpx.URL) -> Proxy | None:
        """Return the proxy for a URL, given or the environment's; that of a client that was given is not known."""
        if self.proxy is not None or self.given:
            return self.proxy
        place = (url.scheme, url.host, url.port)
        if place not in self._proxies:
            self._proxies[place] = proxy_for(*place)
        return self._proxies[place]


class _Routed:
    """The transports of a client, one for each way to an endpoint, made when it is first needed."""

    kind: Any  # httpx.HTTPTransport or its asynchronous twin

    def __init__(self, route: Route, connections: int) -> None:
        self._route = route
        self._limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._transports: dict[tuple[bool, Proxy | None], Any] = {}
        self._lock = threading.Lock()

    def transport_for(self, request: httpx.Request) -> Any:
        secure, proxy = request.url.scheme == "https", self._route.proxy_for(request.url)
        if proxy is not None and not secure and "target" in request.extensions:  # a proxy is told the whole address
            origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
            request.extensions["target"] = origin.encode("ascii") + request.extensions["target"]
        with self._lock:
            if (secure, proxy) not in self._transports:
                trust = self._route.trust
                self._transports[secure, proxy] = self.kind(
                    verify=trust.context() if secure else trust.no_context(),
                    limits=self._limits,
                    proxy=None if proxy is None else proxy.for_httpx(trust),
                )
            return self._transports[secure, proxy]

    def made(self) -> list[Any]:
        return list(self._transports.values())


class _RoutedTransport(_Routed, httpx.BaseTransport):
    kind = httpx.HTTPTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = self.transport_for(request).handle_request(request)
        return response

    def close(self) -> None:
        for transport in self.made():
            transport.close()


class _RoutedAsyncTransport(_Routed, httpx.AsyncBaseTransport):
    kind = httpx.AsyncHTTPTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await self.transport_for(request).handle_async_request(request)
        return response

    async def aclose(self) -> None:
        for transport in self.made():
            await transport.aclose()


class _NoCookies(CookieJar):
    """Keeps no cookies: none is wanted, and their number has no bound."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


class _Transport:
    """An httpx client, given or made, and made again in a forked child."""

    _client_kind: Any
    _transport_kind: Any
    _routed_kind: Any

    def __init__(self, route: Route, connections: int = MAX_CONNECTIONS) -> None:
        for given, kind in ((route.http_client, self._client_kind), (route.transport, self._transport_kind)):
            if given is not None and not isinstance(given, kind):
                raise ConfigurationError(f"This client needs an httpx.{kind.__name__}, not {type(given).__name__}.")
        self.route, self._connections = route, connections
        self._start()

    def _start(self) -> None:
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._closed, self._under_way = False, 0
        self._client = self.route.http_client
        if self._client is None:
            transport = self.route.transport or self._routed_kind(self.route, self._connections)
            self._client = self._client_kind(transport=transport, trust_env=False, cookies=_NoCookies())

    def _stay_in_process(self) -> None:
        if self._pid != os.getpid():
            self._inherited = self._client  # the parent's sockets stay its own: neither used nor closed here
            self._start()

    def _begin(self) -> Any:
        """Return the httpx client for one more request."""
        self._stay_in_process()
        with self._lock:
            if self._closed or self._client.is_closed:
                raise ConfigurationError("This client is closed.", advice="Make a new one.")
            self._under_way += 1
            return self._client

    def _unneeded(self, ended: int) -> Any:
        """Return the httpx client to close, now that a request has ended or the client is closed; or None.

        One that is closed while it makes a connection would leak that, so the last request closes it.
        """
        self._stay_in_process()
        with self._lock:
            self._under_way -= ended
            self._closed |= not ended
            return None if self.route.given or self._under_way or not self._closed else self._client

    def _failure(self, error: Exception, request: HTTPRequest) -> Failure | None:
        host, proxy = "", None
        with contextlib.suppress(httpx.InvalidURL, SongbirdError):
            url = httpx.URL(request.url)
            host, proxy = url.host, self.route.proxy_for(url)
        return failure_of(error, host, proxy, self.route.trust)

    def _response(self, request: HTTPRequest, response: httpx.Response, body: bytearray) -> Outcome:
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            return refused_by_proxy(self.route.proxy_for(httpx.URL(request.url)), response.status_code)
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers.raw}
        return HTTPResponse(response.status_code, headers, bytes(body))


class Transport(_Transport):
    """Sends requests and waits for their answers; usable from many threads."""

    _client_kind, _transport_kind, _routed_kind = httpx.Client, httpx.BaseTransport, _RoutedTransport

    def send(self, request: HTTPRequest) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        with _Attempt(request) as attempt:
            try:
                attempt.outcome = self._exchange(request, attempt)
            except Exception as error:
                failure = self._failure(error, request)
                if failure is None:
                    raise
                attempt.outcome = failure
        return attempt.outcome

    def _exchange(self, request: HTTPRequest, attempt: _Attempt) -> Outcome:
        content, body = request.content, bytearray()
        sent = content if content is None or isinstance(content, bytes) else attempt.pieces(content)
        client = self._begin()
        try:
            made = _for_httpx(request, sent, attempt.until)
            with contextlib.closing(client.send(made, stream=True, auth=None, follow_redirects=False)) as response:
                for chunk in response.stream:
                    body += chunk
                    attempt.check(len(body))
            return self._response(request, response, body)
        finally:
            if (unneeded := self._unneeded(ended=1)) is not None:
                unneeded.close()

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended."""
        if (unneeded := self._unneeded(ended=0)) is not None:
            unneeded.close()


class AsyncTransport(_Transport):
    """Sends requests on one event loop."""

    _client_kind, _transport_kind, _routed_kind = httpx.AsyncClient, httpx.AsyncBaseTransport, _RoutedAsyncTransport
    _loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: HTTPRequest) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            said = "This AsyncSongbird was used on another event loop before: its connections belong there."
            raise ConfigurationError(said, advice="Make one for each event loop, within `async with`.")
        with _Attempt(request) as attempt:
            try:
                attempt.outcome = await self._exchange(request, attempt)
            except Exception as error:
                failure = self._failure(error, request)
                if failure is None:
                    raise
                attempt.outcome = failure
        return attempt.outcome

    async def _exchange(self, request: HTTPRequest, attempt: _Attempt) -> Outcome:
        content, body = request.content, bytearray()
        sent = content if content is None or isinstance(content, bytes) else _in_threads(content, attempt)
        client = self._begin()
        try:
            made = _for_httpx(request, sent, attempt.until)
            sending = client.send(made, stream=True, auth=None, follow_redirects=False)
            async with contextlib.aclosing(await sending) as response:
                async for chunk in response.stream:
                    body += chunk
                    attempt.check(len(body))
            return self._response(request, response, body)
        finally:
            if (unneeded := self._unneeded(ended=1)) is not None:
                await unneeded.aclose()

    def single(self) -> AsyncTransport:
        """Return a transport of one connection to each host: in a pool, each request looks through all of them."""
        return AsyncTransport(self.route, connections=1)

    async def aclose(self) -> None:
        """Close the connections that this client made, once what is under way has ended."""
        if (unneeded := self._unneeded(ended=0)) is not None:
            await unneeded.aclose()


class _Attempt:
    """One attempt: how long it may take, what comes of it, and silence in the libraries' logs meanwhile."""

    outcome: Outcome

    def __init__(self, request: HTTPRequest) -> None:
        self.request, self.began = request, time.monotonic()
        self.until = self.began + max(0.001, min(request.seconds, request.deadline - self.began))

    def __enter__(self) -> Self:
        self._token = _ours.set(True)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _ours.reset(self._token)
        if kind is None and _log.isEnabledFor(logging.DEBUG):
            came = self.outcome.kind.value if isinstance(self.outcome, Failure) else self.outcome.status
            milliseconds = (time.monotonic() - self.began) * 1000
            about = (self.request.operation.name, self.request.origin, came, milliseconds, self.request.request_id)
            _log.debug("%s to %s: %s in %.0f ms (request id %s)", *about)

    def check(self, received: int = 0) -> None:
        """Raise if it is to end now; looked at between the pieces of what is sent and received."""
        if received > MAX_ANSWER_BYTES:
            raise httpx.RemoteProtocolError("")
        if time.monotonic() >= self.until:
            raise httpx.ReadTimeout("")

    def pieces(self, body: Body) -> Iterator[bytes]:
        """Return the pieces of a body, as long as there is time."""
        for chunk in body.chunks():
            self.check()
            yield chunk


async def _in_threads(body: Body, attempt: _Attempt) -> AsyncIterator[bytes]:
    pieces = attempt.pieces(body)
    while chunk := (await asyncio.to_thread(next, pieces, b"") if body.blocking else next(pieces, b"")):
        yield chunk


def _for_httpx(request: HTTPRequest, content: Any, until: float) -> httpx.Request:
    """Make a request of its own, to which no client adds its headers, cookies or authentication."""
    made = httpx.Request(request.operation.method, request.url, headers=list(request.headers), content=content)
    left = until - time.monotonic()
    step = max(0.001, min(request.timeout, left))
    made.extensions["timeout"] = {"connect": min(MAX_CONNECT_SECONDS, step), "read": step, "write": step, "pool": step}
    start = request.url.find("/", request.url.find("://") + 3)
    target = request.url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpx.InvalidURL("")
    if made.url.raw_path != target.encode("ascii"):  # httpx encodes anew what a signature covers
        made.extensions["target"] = target.encode("ascii")
    return made

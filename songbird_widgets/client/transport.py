"""Exchanges over httpx: the only module that imports it, and only when something is to be sent.

httpx bounds each read, not a whole exchange, and nothing can tell a thread to stop that waits in one. So in
threads connections are made by a network backend of ours, the extension point of httpx's engine, which knows
how long the exchange may still take and whether the caller has said stop; asyncio can do both by itself. An
injected client or transport is used as it is, and bounded between the pieces of an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import selectors
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import httpcore
import httpx

from .conversation import Failure, Reply
from .errors import ConfigurationError, SongbirdError
from .retry import Trouble
from .secrecy import origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from typing_extensions import Self

    from .conversation import Exchange, Outcome

_LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_KEEPALIVE_SECONDS = 5.0
_CONNECTIONS = 100
_PIECE = 64 * 1024
_POLL_SECONDS = 0.1  # how soon a waiting thread notices that the caller has said stop
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_log = logging.getLogger("songbird_widgets.client")


class _StoppedError(Exception):
    """The caller said stop."""


class _Attempt:
    """The exchange under way in a thread or task: how long it may take, and what comes of it."""

    outcome: Outcome

    def __init__(self, exchange: Exchange, stopped: Callable[[], bool] = lambda: False) -> None:
        self.exchange, self.stopped = exchange, stopped
        self.began = time.monotonic()
        self.until = self.began + exchange.seconds

    def left(self) -> float:
        """Return the seconds for the next step."""
        return max(0.001, min(self.exchange.stall, self.until - time.monotonic()))

    def check(self) -> None:
        """Raise if it is to end now."""
        if self.stopped():
            raise _StoppedError
        if time.monotonic() >= self.until:
            raise httpcore.ReadTimeout

    def __enter__(self) -> Self:
        self._token = _attempt.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        _attempt.reset(self._token)
        failure = _failure(error, self.exchange) if isinstance(error, Exception) else None
        if error is not None and failure is None:
            return False  # nothing that a network can do
        self.outcome = failure or self.outcome
        if _log.isEnabledFor(logging.DEBUG):
            came = self.outcome.status if isinstance(self.outcome, Reply) else self.outcome.trouble.value
            milliseconds = (time.monotonic() - self.began) * 1000
            about = (self.exchange.operation, origin_of(self.exchange.url), came, milliseconds)
            _log.debug("%s to %s: %s in %.0f ms (request id %s)", *about, self.exchange.request_id)
        return True


_attempt: ContextVar[_Attempt] = ContextVar("songbird_attempt")


class _Quiet(logging.Filter):
    """Keep addresses and headers of our exchanges out of the libraries' logs; others' pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _attempt.get(None) is not None:
            record.msg, record.args = str(record.msg).split(":")[0].split(" ")[0], None  # the event's name
        return True


for _name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(_Quiet())


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes obey the attempt."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        attempt = _attempt.get()
        until = time.monotonic() + _shorter(timeout)
        while True:
            attempt.check()
            try:
                return self._stream.read(max_bytes, min(_POLL_SECONDS, max(0.001, until - time.monotonic())))
            except httpcore.ReadTimeout:
                if time.monotonic() >= until:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        attempt = _attempt.get()
        with selectors.DefaultSelector() as selector:
            selector.register(self.get_extra_info("socket"), selectors.EVENT_WRITE)
            for start in range(0, len(buffer), _PIECE):
                until = time.monotonic() + _shorter(timeout)
                attempt.check()
                while not selector.select(_POLL_SECONDS):
                    attempt.check()
                    if time.monotonic() >= until:
                        raise httpcore.WriteTimeout
                self._stream.write(buffer[start : start + _PIECE], _shorter(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Stream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> _Stream:
        return _Stream(httpcore.SyncBackend().connect_tcp(host, port, _shorter(timeout), *args, **options))


def _shorter(timeout: float | None) -> float:
    left = _attempt.get().left()
    return left if timeout is None else min(left, timeout)


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        self._stream.close()


class _Transport(httpx.BaseTransport):
    """What `httpx.HTTPTransport` is, over connections that obey the attempt."""

    def __init__(self, verify: ssl.SSLContext, proxy: httpx.Proxy | None, limits: httpx.Limits) -> None:
        through = None
        if proxy is not None:
            through = httpcore.Proxy(_raw(proxy.url), proxy.raw_auth, ssl_context=proxy.ssl_context)
        self._pool = httpcore.ConnectionPool(
            verify,
            through,
            limits.max_connections,
            limits.max_keepalive_connections,
            limits.keepalive_expiry,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content: Any = request.stream
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                _raw(request.url),
                headers=request.headers.raw,
                content=content,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream))

    def close(self) -> None:
        self._pool.close()


def _raw(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


class Route:
    """How endpoints are reached: through whose client, transport or proxy, trusting which certificates."""

    def __init__(
        self,
        http_client: Any,
        transport: Any,
        proxy: str | None,
        verify: bool | str | Path | ssl.SSLContext,
    ) -> None:
        if http_client is not None and (transport or proxy or verify is not True):
            raise ConfigurationError("Give an http_client, or a transport, proxy and certificates, not both.")
        self.http_client, self.transport, self._given, self._verify = http_client, transport, proxy, verify
        if proxy is not None:
            self.proxy("http://")  # so that a bad one is refused now

    def proxy(self, origin: str) -> httpx.Proxy | None:
        """Return the proxy on the way to an origin: the one given, or the environment's."""
        address = _environments_proxy(origin) if self._given is None else self._given
        if address is None:
            return None
        with contextlib.suppress(ValueError, httpx.InvalidURL):
            secure = self.context(address) if address.startswith("https:") else None
            proxy = httpx.Proxy(address, ssl_context=secure)
            if proxy.url.host:
                return proxy
        said = "The proxy is not an address that can be used, like http://proxy.example.com:3128."
        raise ConfigurationError(said)

    def context(self, origin: str) -> ssl.SSLContext:
        """Return what to trust an origin by; reading the authorities takes tens of milliseconds."""
        return self._authorities if origin.startswith("https:") else _NOBODY

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        verify = self._verify
        if isinstance(verify, ssl.SSLContext):
            return verify
        if isinstance(verify, bool):
            return httpx.create_ssl_context(verify=verify)
        with contextlib.suppress(OSError):
            folder = Path(verify).is_dir()
            return ssl.create_default_context(
                cafile=None if folder else verify, capath=verify if folder else None
            )
        raise ConfigurationError(f"The certificates to trust cannot be read from {verify}.")


_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Lines:
    """A client's connections: an httpx client for each origin, made when needed, and again in a forked child."""

    _kinds: tuple[Any, Any, Any]  # of httpx client, of transport that may be given, of our transport

    def __init__(self, route: Route, connections: int = _CONNECTIONS) -> None:
        for given, kind in zip((route.http_client, route.transport), self._kinds, strict=False):
            if given is not None and not isinstance(given, kind):
                said = f"This client needs an httpx.{kind.__name__}, not {type(given).__name__}."
                raise ConfigurationError(said)
        self.route, self._connections = route, connections
        self._start()

    def _start(self) -> None:
        self._pid, self._lock, self._closed = os.getpid(), threading.Lock(), False
        self._clients: dict[str, Any] = {}

    def _send(self, exchange: Exchange, content: Any) -> Any:
        """Return the response, or what is to be awaited for it."""
        origin, target = origin_of(exchange.url).lower(), _target(exchange.url)
        request = httpx.Request(
            exchange.method, exchange.url, headers=list(exchange.headers), content=content
        )
        request.extensions["timeout"] = _limits(exchange)
        if request.url.raw_path != target:  # httpx encodes anew what a signature covers
            forwarded = origin.startswith("http:") and self.route.proxy(origin) is not None
            request.extensions["target"] = origin.encode("ascii") + target if forwarded else target
        client = self.route.http_client or self._client(origin)
        return client.send(request, stream=True, auth=None, follow_redirects=False)

    def _client(self, origin: str) -> Any:
        # One for each origin: in one for all, each request would search through the others' connections.
        if self._pid != os.getpid():
            self._inherited = self._clients  # the parent's sockets stay its own: neither used nor closed here
            self._start()
        if self._closed:
            raise ConfigurationError("This client is closed.", advice="Make a new one.")
        with self._lock:
            if origin not in self._clients:
                transport = self.route.transport or self._kinds[2](
                    verify=self.route.context(origin),
                    proxy=self.route.proxy(origin),
                    limits=httpx.Limits(
                        max_connections=self._connections,
                        max_keepalive_connections=self._connections,
                        keepalive_expiry=_KEEPALIVE_SECONDS,
                    ),
                )
                self._clients[origin] = self._kinds[0](transport=transport)
            return self._clients[origin]

    def _to_close(self) -> list[Any]:
        ours = self._pid == os.getpid() and self.route.transport is None  # which its owner closes
        clients = list(self._clients.values()) if ours else []
        self._clients, self._closed = {}, True
        return clients


class Wire(_Lines):
    """Sends exchanges and waits for their answers; usable from many threads."""

    _kinds = (httpx.Client, httpx.BaseTransport, _Transport)

    def send(self, exchange: Exchange, stopped: Callable[[], bool] = lambda: False) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        with _Attempt(exchange, stopped) as attempt:
            content = exchange.content
            response = self._send(exchange, content.chunks() if hasattr(content, "chunks") else content)
            body = bytearray()
            with contextlib.closing(response):
                for chunk in response.stream:
                    body += chunk
                    _bound(body, attempt)
            attempt.outcome = _reply(response, body)
        return attempt.outcome

    def close(self) -> None:
        """Close the connections that this client made."""
        for client in self._to_close():
            client.close()


class AsyncWire(_Lines):
    """Sends exchanges on one event loop."""

    _kinds = (httpx.AsyncClient, httpx.AsyncBaseTransport, httpx.AsyncHTTPTransport)
    _loop: asyncio.AbstractEventLoop | None = None

    async def send(self, exchange: Exchange) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        self._stay_on_loop()
        # The deadline is a little later than httpx's own, which know whether a connection was made.
        with _Attempt(exchange) as attempt, anyio.fail_after(exchange.seconds + 0.05):
            content = exchange.content
            response = await self._send(
                exchange, _achunks(content) if hasattr(content, "chunks") else content
            )
            body = bytearray()
            async with contextlib.aclosing(response):
                async for chunk in response.stream:
                    body += chunk
                    _bound(body, attempt)
            attempt.outcome = _reply(response, body)
        return attempt.outcome

    def _stay_on_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise ConfigurationError(
                "This AsyncSongbird was used on another event loop before: its connections belong there.",
                advice="Make one for each event loop, within `async with`.",
            )

    async def pause(self, seconds: float) -> None:
        """Wait, and let others work."""
        await asyncio.sleep(seconds)

    def single(self) -> AsyncWire:
        """Return a wire of one connection to each host: in a pool, each request is a search through all of them."""
        return AsyncWire(self.route, connections=1)

    async def aclose(self) -> None:
        """Close the connections that this client made."""
        for client in self._to_close():
            await client.aclose()


async def _achunks(body: Any) -> AsyncIterator[bytes]:
    chunks = body.chunks()
    while chunk := (await asyncio.to_thread(next, chunks, b"") if body.blocking else next(chunks, b"")):
        yield chunk


def _target(url: str) -> bytes:
    """Return path and query byte for byte."""
    start = url.find("/", url.find("://") + 3)
    target = url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpcore.LocalProtocolError
    return target.encode("ascii")


def _limits(exchange: Exchange) -> dict[str, float]:
    connect = min(_CONNECT_SECONDS, exchange.seconds)
    return {"connect": connect, "read": exchange.stall, "write": exchange.stall, "pool": exchange.seconds}


def _bound(body: bytearray, attempt: _Attempt) -> None:
    attempt.check()
    if len(body) > _LARGEST_ANSWER:
        raise httpcore.RemoteProtocolError


def _reply(response: httpx.Response, body: bytearray) -> Reply:
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers.raw}
    return Reply(response.status_code, headers, bytes(body))


def _environments_proxy(origin: str) -> str | None:
    host = urlsplit(origin).hostname or ""
    if host in _LOCAL_HOSTS or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - slow, seldom needed

    proxies = getproxies()
    if proxy_bypass(host):
        return None
    proxy = proxies.get(origin.partition(":")[0]) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


# By name, since httpx and its engine call their exceptions the same; the first that fits.
_TROUBLES = {
    "ConnectTimeout": Failure(Trouble.CONNECT, "no answer to the attempt to connect"),
    "PoolTimeout": Failure(Trouble.CONNECT, "no connection was free"),
    "TimeoutException": Failure(Trouble.TIMEOUT),
    "TimeoutError": Failure(Trouble.TIMEOUT),
    "ProxyError": Failure(Trouble.REFUSED, "the proxy refused to connect"),
    "UnsupportedProtocol": Failure(Trouble.LOCAL, "its address cannot be used"),
    "InvalidURL": Failure(Trouble.LOCAL, "its address cannot be used"),
    "LocalProtocolError": Failure(Trouble.LOCAL, "its address or one of its headers cannot be used"),
    "_StoppedError": Failure(Trouble.CANCELLED),
    "NetworkError": Failure(Trouble.BROKEN),
    "RemoteProtocolError": Failure(Trouble.BROKEN),
    "OSError": Failure(Trouble.BROKEN),
}


def _failure(error: Exception, exchange: Exchange) -> Failure | None:
    # No text of an exception is used: httpx's carry URLs and header values.
    if isinstance(error, SongbirdError):
        error.__traceback__ = error.__context__ = None
        return Failure(Trouble.LOCAL, error=error)
    names = {kind.__name__ for kind in type(error).__mro__}
    if "ConnectError" in names:
        return _not_connected(error, exchange)
    return next((failure for name, failure in _TROUBLES.items() if name in names), None)


def _not_connected(error: BaseException | None, exchange: Exchange) -> Failure:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Failure(Trouble.REFUSED, f"its certificate is not trusted ({error.verify_message})")
        if isinstance(error, ssl.SSLError):
            return Failure(Trouble.REFUSED, "no secure connection (TLS) came about")
        if isinstance(error, socket.gaierror):
            return Failure(
                Trouble.CONNECT, f"the name {urlsplit(origin_of(exchange.url)).hostname} is not known (DNS)"
            )
        if isinstance(error, ConnectionRefusedError):
            return Failure(Trouble.CONNECT, "nothing is listening there")
        error = error.__cause__ or error.__context__
    return Failure(Trouble.CONNECT)

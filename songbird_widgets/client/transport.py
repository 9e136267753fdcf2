"""Requests over real connections: the only module that imports httpx.

By itself a client sends httpx's requests through httpcore's pools over a network backend of our own, because no
timeout of httpx ends an answer that trickles in byte by byte: here every read knows how long the whole exchange may
still take, and whether the caller has said stop. It also sends presigned URLs byte for byte as they came, and leaves
httpx's logging of full URLs out. An injected `httpx.Client` or transport is used as it is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpcore
import httpx

from .conversation import Exchange, Failure, Outcome, Reply
from .errors import ConfigurationError, SongbirdError
from .retry import Trouble
from .secrecy import origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .conversation import Body

_LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_KEEPALIVE_SECONDS = 5.0
_POLL_SECONDS = 0.1  # how soon a waiting read notices that the caller has said stop
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_log = logging.getLogger("songbird_widgets.client")


@dataclass(frozen=True)
class _Clock:
    """How long the exchange under way in this thread or task may take."""

    until: float
    stall: float
    stopped: Callable[[], bool] | None

    def left(self) -> float:
        return max(0.001, min(self.stall, self.until - time.monotonic()))

    def is_over(self) -> bool:
        return time.monotonic() >= self.until


_clock: ContextVar[_Clock | None] = ContextVar("songbird_exchange", default=None)


class _Quiet(logging.Filter):
    """Keep addresses and headers of our exchanges out of the libraries' logs; others' pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _clock.get() is not None:
            record.msg = str(record.msg).split(":")[0].split(" ")[0]  # the event's name
            record.args = None
        return True


for _name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(_Quiet())


class _StoppedError(Exception):
    """The caller said stop while bytes were awaited."""


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        clock = _clock.get()
        if clock is None:
            return self._stream.read(max_bytes, timeout)
        quiet_until = time.monotonic() + clock.left()
        while True:
            wait = max(0.001, quiet_until - time.monotonic())
            if clock.stopped is not None:
                if clock.stopped():
                    raise _StoppedError
                wait = min(wait, _POLL_SECONDS)
            try:
                return self._stream.read(max_bytes, wait)
            except httpcore.ReadTimeout:
                if time.monotonic() >= quiet_until:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        clock = _clock.get()
        if clock is not None:
            if clock.stopped is not None and clock.stopped():
                raise _StoppedError
            if clock.is_over():
                raise httpcore.WriteTimeout
        self._stream.write(buffer, timeout if clock is None else clock.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        return _Stream(self._backend.connect_tcp(host, port, _shorter(timeout), **options))


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        return await self._stream.read(max_bytes, _shorter(timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._stream.write(buffer, _shorter(timeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        return _AsyncStream(await self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        **options: Any,
    ) -> _AsyncStream:
        return _AsyncStream(await self._backend.connect_tcp(host, port, _shorter(timeout), **options))


def _shorter(timeout: float | None) -> float | None:
    clock = _clock.get()
    return timeout if clock is None else min(clock.left(), timeout or clock.left())


class _Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer's bytes, from httpcore's stream to httpx's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return cast("AsyncIterator[bytes]", self._stream.__aiter__())

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _for_httpcore(request: httpx.Request) -> httpcore.Request:
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.extensions["target"],  # as it came, where httpx's own would be normalised
    )
    return httpcore.Request(
        request.method,
        url,
        headers=request.headers.raw,
        content=cast("Any", request.stream),
        extensions={"timeout": request.extensions["timeout"]},
    )


class _Pool(httpx.BaseTransport):
    def __init__(self, **options: Any) -> None:
        self._pool = httpcore.ConnectionPool(network_backend=_Backend(), **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reply = self._pool.handle_request(_for_httpcore(request))
        return httpx.Response(reply.status, headers=reply.headers, stream=_Chunks(reply.stream))

    def close(self) -> None:
        self._pool.close()


class _AsyncPool(httpx.AsyncBaseTransport):
    def __init__(self, **options: Any) -> None:
        self._pool = httpcore.AsyncConnectionPool(network_backend=_AsyncBackend(), **options)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await self._pool.handle_async_request(_for_httpcore(request))
        return httpx.Response(reply.status, headers=reply.headers, stream=_Chunks(reply.stream))

    async def aclose(self) -> None:
        await self._pool.aclose()


@dataclass(frozen=True)
class Route:
    """How endpoints are reached: through whose client, transport or proxy, and trusting which certificates."""

    http_client: Any = None
    transport: Any = None
    proxy: str | None = None
    verify: bool | str | Path | ssl.SSLContext = True


class _Lines:
    """The connections of one client: made when first needed, and again in a forked child."""

    def __init__(self, route: Route, connections: int, context: ssl.SSLContext | None = None) -> None:
        if route.http_client is not None and (route.transport or route.proxy or route.verify is not True):
            raise ConfigurationError("An http_client brings its own transport, proxy and certificates: give one of them.")
        self.route = route
        self._connections = connections
        self._context = context
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pools: dict[str, Any] = {}
        self._closed = False

    def context(self) -> ssl.SSLContext:
        """Return the SSLContext of all connections; making one takes tens of milliseconds."""
        if self._context is None:
            verify = self.route.verify
            if isinstance(verify, ssl.SSLContext):
                self._context = verify
            elif isinstance(verify, bool):
                self._context = httpx.create_ssl_context(verify=verify)
            else:
                self._context = _trusting(Path(verify))
        return self._context

    def _pool(self, url: str, kind: type[Any]) -> Any:
        if self._pid != os.getpid():
            # The sockets of the parent stay its own: neither used nor closed here.
            self._inherited = self._pools
            self._start()
        if self._closed:
            raise ConfigurationError("This client is closed.", advice="Make a new one.")
        if self.route.transport is not None:
            return self.route.transport
        origin = origin_of(url).lower()
        with self._lock:
            pool = self._pools.get(origin)
            if pool is None:
                pool = self._pools[origin] = kind(**self._options(origin))
        return pool

    def _options(self, origin: str) -> dict[str, Any]:
        proxy = self.route.proxy or _environments_proxy(origin)
        secure = origin.startswith("https:") or (proxy or "").startswith("https:")
        options: dict[str, Any] = {
            "ssl_context": self.context() if secure else None,
            "max_connections": self._connections,
            "max_keepalive_connections": self._connections,
            "keepalive_expiry": _KEEPALIVE_SECONDS,
        }
        if proxy is not None:
            options["proxy"] = _proxy(proxy, self.context() if proxy.startswith("https:") else None)
        return options

    def _taken(self) -> list[Any]:
        with self._lock:
            pools = list(self._pools.values()) if self._pid == os.getpid() else []
            self._pools = {}
            self._closed = True
        return pools


def _trusting(path: Path) -> ssl.SSLContext:
    try:
        folder = path.is_dir()
        return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except OSError:
        pass
    raise ConfigurationError(f"The certificates to trust cannot be read from {path}.")


def _environments_proxy(origin: str) -> str | None:
    host = urlsplit(origin).hostname or ""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if host in _LOCAL_HOSTS or not named:
        return None
    from urllib.request import getproxies_environment, proxy_bypass_environment  # noqa: PLC0415 - 20 ms, seldom needed

    proxies = getproxies_environment()
    if proxy_bypass_environment(host, proxies):  # type: ignore[arg-type] # typeshed wants one of its own classes
        return None
    proxy = proxies.get(origin.partition(":")[0]) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _proxy(proxy: str, context: ssl.SSLContext | None) -> httpcore.Proxy:
    try:
        parsed = httpx.Proxy(proxy)
    except (ValueError, httpx.InvalidURL):
        parsed = None
    if parsed is None:
        raise ConfigurationError("The proxy is not an address that can be used, like http://proxy.example.com:3128.")
    return httpcore.Proxy(
        httpcore.URL(
            scheme=parsed.url.raw_scheme, host=parsed.url.raw_host, port=parsed.url.port, target=parsed.url.raw_path
        ),
        auth=parsed.raw_auth,
        ssl_context=context,
    )


class Wire(_Lines):
    """Sends exchanges and waits for their answers; usable from many threads."""

    def send(self, exchange: Exchange, stopped: Callable[[], bool] | None = None) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        began = time.monotonic()
        clock = _Clock(began + exchange.seconds, exchange.stall, stopped)
        token = _clock.set(clock)
        outcome: Outcome
        try:
            content = exchange.content
            request = _request(exchange, content if content is None or isinstance(content, bytes) else content.chunks())
            outcome = self._answer(exchange, request, clock)
        except Exception as error:  # noqa: BLE001 - `_failure` raises what is no failure of a network again
            outcome = _failure(error, exchange)
        finally:
            _clock.reset(token)
        _report(exchange, outcome, began)
        return outcome

    def _answer(self, exchange: Exchange, request: httpx.Request, clock: _Clock) -> Outcome:
        client = self.route.http_client
        if client is not None:
            response = client.send(request, stream=True, auth=None, follow_redirects=False)
        else:
            response = self._pool(exchange.url, _Pool).handle_request(request)
        body = bytearray()
        try:
            for chunk in response.stream:
                body += chunk
                _bound(body, clock)
        finally:
            response.close()
        return _reply(response, body)

    def close(self) -> None:
        """Close the connections that this client made."""
        for pool in self._taken():
            pool.close()


class AsyncWire(_Lines):
    """Sends exchanges on one event loop."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def send(self, exchange: Exchange) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        self._stay_on_loop()
        began = time.monotonic()
        clock = _Clock(began + exchange.seconds, exchange.stall, None)
        token = _clock.set(clock)
        outcome: Outcome
        try:
            content = exchange.content
            request = _request(exchange, content if content is None or isinstance(content, bytes) else _achunks(content))
            outcome = await self._answer(exchange, request, clock)
        except Exception as error:  # noqa: BLE001 - `_failure` raises what is no failure of a network again
            outcome = _failure(error, exchange)
        finally:
            _clock.reset(token)
        _report(exchange, outcome, began)
        return outcome

    async def _answer(self, exchange: Exchange, request: httpx.Request, clock: _Clock) -> Outcome:
        client = self.route.http_client
        if client is not None:
            response = await client.send(request, stream=True, auth=None, follow_redirects=False)
        else:
            response = await self._pool(exchange.url, _AsyncPool).handle_async_request(request)
        body = bytearray()
        try:
            async for chunk in response.stream:
                body += chunk
                _bound(body, clock)
        finally:
            await response.aclose()
        return _reply(response, body)

    def single(self) -> AsyncWire:
        """Return a wire of one connection to each host, with the same certificates.

        One pool for many tasks costs them a search through all its connections with every request.
        """
        context = self.context() if self._context is not None or self.route.verify is not True else None
        return AsyncWire(self.route, 1, context)

    def _stay_on_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise ConfigurationError(
                "This AsyncSongbird was used on another event loop before, and its connections belong to that one.",
                advice="Make one for each event loop, within `async with`.",
            )

    async def pause(self, seconds: float) -> None:
        """Wait, and let others work."""
        await asyncio.sleep(seconds)

    async def aclose(self) -> None:
        """Close the connections that this client made."""
        for pool in self._taken():
            await pool.aclose()


async def _achunks(body: Body) -> AsyncIterator[bytes]:
    chunks = body.chunks()
    while True:
        chunk = await asyncio.to_thread(next, chunks, None) if body.blocking else next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _request(exchange: Exchange, content: Any) -> httpx.Request:
    start = exchange.url.find("/", exchange.url.find("://") + 3)
    target = exchange.url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpx.InvalidURL("")
    seconds = exchange.seconds
    limits = {"connect": min(_CONNECT_SECONDS, seconds), "read": exchange.stall, "write": exchange.stall, "pool": seconds}
    return httpx.Request(
        exchange.method,
        exchange.url,
        headers=list(exchange.headers),
        content=content,
        extensions={"timeout": limits, "target": target.encode("ascii")},
    )


def _bound(body: bytearray, clock: _Clock) -> None:
    if clock.is_over():
        raise httpcore.ReadTimeout
    if len(body) > _LARGEST_ANSWER:
        raise httpcore.RemoteProtocolError


def _reply(response: httpx.Response, body: bytearray) -> Reply:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
    return Reply(response.status_code, headers, bytes(body))


_TIMEOUTS = (httpcore.TimeoutException, httpx.TimeoutException)
_NOT_CONNECTED = (httpcore.ConnectError, httpx.ConnectError)
_NEVER_CONNECTED = (httpcore.ConnectTimeout, httpcore.PoolTimeout, httpx.ConnectTimeout, httpx.PoolTimeout)
_PROXY_REFUSED = (httpcore.ProxyError, httpx.ProxyError)
_UNUSABLE = (
    *(httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.CookieConflict),
    *(httpcore.UnsupportedProtocol, httpcore.LocalProtocolError),
)
_BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError, OSError)


def _failure(error: Exception, exchange: Exchange) -> Failure:
    # No text of an exception is used: httpx's carry URLs and header values.
    if isinstance(error, SongbirdError):
        error.__traceback__ = error.__context__ = None
        return Failure(Trouble.LOCAL, error=error)
    if isinstance(error, _StoppedError):
        return Failure(Trouble.CANCELLED)
    if isinstance(error, _NEVER_CONNECTED):
        return Failure(Trouble.CONNECT, "no answer to the attempt to connect")
    if isinstance(error, _TIMEOUTS):
        return Failure(Trouble.TIMEOUT)
    if isinstance(error, _PROXY_REFUSED):
        return Failure(Trouble.REFUSED_FOR_GOOD, "the proxy refused to connect")
    if isinstance(error, _NOT_CONNECTED):
        return _not_connected(error, exchange)
    if isinstance(error, _UNUSABLE):
        return Failure(Trouble.LOCAL, "its address or one of its headers cannot be used")
    if isinstance(error, _BROKEN):
        return Failure(Trouble.BROKEN)
    raise error


def _not_connected(error: BaseException, exchange: Exchange) -> Failure:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(Trouble.REFUSED_FOR_GOOD, f"its certificate is not trusted ({cause.verify_message})")
        if isinstance(cause, ssl.SSLError):
            return Failure(Trouble.REFUSED_FOR_GOOD, "no secure connection (TLS) came about")
        if isinstance(cause, socket.gaierror):
            host = urlsplit(origin_of(exchange.url)).hostname
            return Failure(Trouble.CONNECT, f"the name {host} is not known (DNS)")
        if isinstance(cause, ConnectionRefusedError):
            return Failure(Trouble.CONNECT, "nothing is listening there")
        if type(cause) is OSError and cause.errno:
            return Failure(Trouble.CONNECT, os.strerror(cause.errno).lower())
        cause = cause.__cause__ or cause.__context__
    return Failure(Trouble.CONNECT)


def _report(exchange: Exchange, outcome: Outcome, began: float) -> None:
    if _log.isEnabledFor(logging.DEBUG):
        came = outcome.status if isinstance(outcome, Reply) else outcome.trouble.value
        milliseconds = (time.monotonic() - began) * 1000
        _log.debug(
            "%s to %s: %s in %.0f ms (request id %s)",
            exchange.operation,
            origin_of(exchange.url),
            came,
            milliseconds,
            exchange.request_id,
        )

"""Exchanges over real connections: the only module that imports httpx, and only when it is needed.

Clients send through httpcore, the engine inside httpx, over a network backend of their own: here each read
and write knows how long the whole exchange may still take and whether the caller has said stop, while no
timeout of httpx ends an answer that trickles in; a presigned URL leaves byte for byte as it came; and no full
URL is logged. By way of an `httpx.Client` a request costs more than twice the CPU (cookies, redirects, URLs
read three times: all that is not wanted here), and uploads to loopback are half as fast. An injected httpx
client or transport is used as it is; it is bounded between the pieces of an answer.
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
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import httpcore

from .conversation import Failure, Reply
from .errors import Cancelled, ConfigurationError, SongbirdError
from .retry import Trouble
from .secrecy import origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import httpx
    from typing_extensions import Self

    from .conversation import Exchange, Outcome

_LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_CONNECTIONS = 100
_JOINED = 64 * 1024  # headers and a body up to this leave in one piece: sending is what costs most
_POLL_SECONDS = 0.1  # how soon a waiting read notices that the caller has said stop

_log = logging.getLogger("songbird_widgets.client")


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

    def check(self, received: int = 0) -> None:
        """Raise if it is to end now."""
        if received > _LARGEST_ANSWER:
            raise httpcore.RemoteProtocolError
        if self.stopped():
            raise Cancelled("Stopped before the answer came.")
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
            milliseconds, where = (time.monotonic() - self.began) * 1000, origin_of(self.exchange.url)
            about = (self.exchange.operation, where, came, milliseconds, self.exchange.request_id)
            _log.debug("%s to %s: %s in %.0f ms (request id %s)", *about)
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
        self._unsent = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with contextlib.suppress(httpcore.WriteError):  # the server may have answered early: the read will tell
            self._flush()
        attempt, until = _attempt.get(), time.monotonic() + _shorter(timeout)
        while True:
            attempt.check()
            try:
                return self._stream.read(max_bytes, min(_POLL_SECONDS, max(0.001, until - time.monotonic())))
            except httpcore.ReadTimeout:
                if time.monotonic() >= until:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - see _flush
        self._unsent = self._unsent + buffer if self._unsent else buffer
        if len(self._unsent) > _JOINED:
            self._flush()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, b""
        attempt = _attempt.get()
        for start in range(0, len(unsent), _JOINED):
            attempt.check()
            if len(unsent) > _JOINED:  # less fits into the buffers on the way
                self._until_writable(attempt)
            self._stream.write(unsent[start : start + _JOINED], attempt.left())

    def _until_writable(self, attempt: _Attempt) -> None:
        until = time.monotonic() + attempt.left()
        with selectors.DefaultSelector() as selector:
            selector.register(self.get_extra_info("socket"), selectors.EVENT_WRITE)
            while not selector.select(_POLL_SECONDS):
                attempt.check()
                if time.monotonic() >= until:
                    raise httpcore.WriteTimeout

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any) -> _Stream:
        return _Stream(httpcore.SyncBackend().connect_tcp(host, port, _shorter(timeout), *args, **options))


def _shorter(timeout: float | None) -> float:
    left = _attempt.get().left()
    return left if timeout is None else min(left, timeout)


class Route:
    """How endpoints are reached: through whose client, transport or proxy, trusting which certificates."""

    def __init__(
        self, http_client: Any, transport: Any, proxy: str | None, verify: bool | str | Path | ssl.SSLContext
    ) -> None:
        if http_client is not None and (transport or proxy or verify is not True):
            raise ConfigurationError("Give an http_client, or a transport, proxy and certificates, not both.")
        self.http_client, self.transport, self.proxy, self._verify = http_client, transport, proxy, verify
        if proxy is not None:
            _proxy(proxy, None)  # so that a bad one is refused now

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The SSLContext of all connections; making one takes tens of milliseconds."""
        verify = self._verify
        if isinstance(verify, ssl.SSLContext):
            return verify
        if isinstance(verify, bool):
            import httpx

            return httpx.create_ssl_context(verify=verify)
        with contextlib.suppress(OSError):
            if Path(verify).is_dir():
                return ssl.create_default_context(capath=verify)
            return ssl.create_default_context(cafile=verify)
        raise ConfigurationError(f"The certificates to trust cannot be read from {verify}.")


class _Lines:
    """A client's connections, a pool for each origin: made when needed, and again in a forked child."""

    _fitting: tuple[str, str]  # the httpx client and transport that can be given
    _pool_kind: Any
    _handle: str  # what sends with a transport or a pool
    _backend: Any

    def __init__(self, route: Route, connections: int = _CONNECTIONS) -> None:
        for given, kind in zip((route.http_client, route.transport), self._fitting, strict=True):
            if given is not None and kind not in {base.__name__ for base in type(given).__mro__}:
                raise ConfigurationError(f"This client needs an httpx.{kind}, not {type(given).__name__}.")
        self.route, self._connections = route, connections
        self._start()

    def _start(self) -> None:
        self._pid, self._lock, self._closed = os.getpid(), threading.Lock(), False
        self._pools: dict[str, Any] = {}
        self._under_way = 0

    def _send_with(self, exchange: Exchange, content: Any) -> Any:
        """Return what there is to call, or to await, for an answer."""
        if self.route.http_client is not None:
            request = _for_httpx(exchange, content)
            return self.route.http_client.send(request, stream=True, auth=None, follow_redirects=False)
        if self.route.transport is not None:
            return getattr(self.route.transport, self._handle)(_for_httpx(exchange, content))
        return getattr(self._pool(exchange.url), self._handle)(_for_httpcore(exchange, content))

    def _begin(self) -> None:
        self._stay_in_process()
        with self._lock:
            if self._closed:
                raise ConfigurationError("This client is closed.", advice="Make a new one.")
            self._under_way += 1

    def _unneeded(self, ended: int) -> list[Any]:
        """Return the pools to close, now that an exchange has ended, or the client is closed."""
        self._stay_in_process()
        with self._lock:
            self._under_way -= ended
            self._closed |= not ended
            if self._under_way or not self._closed:
                return []  # a pool that is closed forgets, and so leaks, a connection that is being made
            pools, self._pools = list(self._pools.values()), {}
            return pools

    def _stay_in_process(self) -> None:
        if self._pid != os.getpid():
            self._inherited = self._pools  # the parent's sockets stay its own: neither used nor closed here
            self._start()

    def _pool(self, url: str) -> Any:
        origin = origin_of(url).lower()
        with self._lock:
            if origin not in self._pools:
                self._pools[origin] = self._make_pool(origin)
            return self._pools[origin]

    def _make_pool(self, origin: str) -> Any:
        proxy = self.route.proxy or _environments_proxy(origin)
        return self._pool_kind(
            ssl_context=self.route.context if origin.startswith("https:") else None,
            proxy=proxy and _proxy(proxy, self.route.context if proxy.startswith("https:") else None),
            max_connections=self._connections,
            max_keepalive_connections=self._connections,
            keepalive_expiry=5.0,
            network_backend=self._backend,
        )


class Wire(_Lines):
    """Sends exchanges and waits for their answers; usable from many threads."""

    _fitting, _handle, _pool_kind = ("Client", "BaseTransport"), "handle_request", httpcore.ConnectionPool
    _backend = _Backend()

    def send(self, exchange: Exchange, stopped: Callable[[], bool] = lambda: False) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        with _Attempt(exchange, stopped) as attempt:
            content, body = exchange.content, bytearray()
            if hasattr(content, "chunks"):
                content = content.chunks()
            with self._in_use(), contextlib.closing(self._send_with(exchange, content)) as response:
                for chunk in response.stream:
                    body += chunk
                    attempt.check(len(body))
            attempt.outcome = _reply(response, body)
        return attempt.outcome

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        finally:
            for pool in self._unneeded(ended=1):
                pool.close()

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended."""
        for pool in self._unneeded(ended=0):
            pool.close()


class AsyncWire(_Lines):
    """Sends exchanges on one event loop."""

    _fitting, _handle = ("AsyncClient", "AsyncBaseTransport"), "handle_async_request"
    _pool_kind = httpcore.AsyncConnectionPool
    _backend = httpcore.AnyIOBackend()
    _loop: asyncio.AbstractEventLoop | None = None

    async def send(self, exchange: Exchange) -> Outcome:
        """Return the answer, or why there is none; never raises for what a network can do."""
        self._stay_on_loop()
        # The deadline is a little later than httpcore's own, which know whether a connection was made.
        with _Attempt(exchange) as attempt, anyio.fail_after(exchange.seconds + 0.05):
            content, body = exchange.content, bytearray()
            if hasattr(content, "chunks"):
                content = _achunks(content)
            async with self._in_use(), contextlib.aclosing(await self._send_with(exchange, content)) as response:
                async for chunk in response.stream:
                    body += chunk
                    attempt.check(len(body))
            attempt.outcome = _reply(response, body)
        return attempt.outcome

    def _stay_on_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            said = "This AsyncSongbird was used on another event loop before: its connections belong there."
            raise ConfigurationError(said, advice="Make one for each event loop, within `async with`.")

    def single(self) -> AsyncWire:
        """Return a wire of one connection to each host: in a pool, each request is a search through all of them."""
        return AsyncWire(self.route, connections=1)

    @contextlib.asynccontextmanager
    async def _in_use(self) -> AsyncIterator[None]:
        self._begin()
        try:
            yield
        finally:
            for pool in self._unneeded(ended=1):
                await pool.aclose()

    async def aclose(self) -> None:
        """Close the connections that this client made, once what is under way has ended."""
        for pool in self._unneeded(ended=0):
            await pool.aclose()


async def _achunks(body: Any) -> AsyncIterator[bytes]:
    chunks = body.chunks()
    while chunk := (await asyncio.to_thread(next, chunks, b"") if body.blocking else next(chunks, b"")):
        yield chunk


@lru_cache(64)
def _address(origin: str) -> tuple[bytes, bytes, int | None, tuple[bytes, bytes]]:
    parts = urlsplit(origin)
    host = (parts.hostname or "").encode("ascii")
    return parts.scheme.encode("ascii"), host, parts.port, (b"Host", parts.netloc.encode("ascii"))


def _target(exchange: Exchange) -> bytes:
    start = exchange.url.find("/", exchange.url.find("://") + 3)
    target = exchange.url[start:].partition("#")[0] if start > 0 else "/"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise httpcore.LocalProtocolError
    return target.encode("ascii")


def _limits(exchange: Exchange) -> dict[str, float]:
    connect = min(_CONNECT_SECONDS, exchange.seconds)
    return {"connect": connect, "read": exchange.stall, "write": exchange.stall, "pool": exchange.seconds}


def _for_httpcore(exchange: Exchange, content: Any) -> httpcore.Request:
    scheme, address, port, host = _address(origin_of(exchange.url))
    headers = [host, *((name.encode("ascii"), value.encode("ascii")) for name, value in exchange.headers)]
    if exchange.method == "POST":
        headers.append((b"Content-Length", str(len(content or b"")).encode("ascii")))
    url = httpcore.URL(scheme=scheme, host=address, port=port, target=_target(exchange))
    extensions = {"timeout": _limits(exchange)}
    return httpcore.Request(exchange.method, url, headers=headers, content=content, extensions=extensions)


def _for_httpx(exchange: Exchange, content: Any) -> httpx.Request:
    import httpx

    request = httpx.Request(exchange.method, exchange.url, headers=list(exchange.headers), content=content)
    request.extensions["timeout"], target = _limits(exchange), _target(exchange)
    if request.url.raw_path != target:  # httpx encodes anew what a signature covers
        request.extensions["target"] = target
    return request


def _reply(response: Any, body: bytearray) -> Reply:
    raw = getattr(response.headers, "raw", response.headers)  # httpx's, or httpcore's
    status = response.status_code if hasattr(response, "status_code") else response.status
    return Reply(status, {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in raw}, bytes(body))


def _environments_proxy(origin: str) -> str | None:
    host = urlsplit(origin).hostname or ""
    if host in {"localhost", "127.0.0.1", "::1"} or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    if proxy_bypass(host):
        return None
    proxy = proxies.get(origin.partition(":")[0]) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _proxy(proxy: str, context: ssl.SSLContext | None) -> httpcore.Proxy:
    import httpx

    parsed = None
    with contextlib.suppress(ValueError, httpx.InvalidURL):
        parsed = httpx.Proxy(proxy)
    if parsed is None or not parsed.url.host:
        raise ConfigurationError("The proxy is not an address that can be used, like http://proxy.example.com:3128.")
    url = parsed.url
    where = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return httpcore.Proxy(where, auth=parsed.raw_auth, ssl_context=context)


# By name, since httpx and httpcore call their exceptions the same; the first that fits.
_TROUBLES = {
    "ConnectTimeout": Failure(Trouble.CONNECT, "no answer to the attempt to connect"),
    "PoolTimeout": Failure(Trouble.CONNECT, "no connection was free"),
    "ProxyError": Failure(Trouble.REFUSED, "the proxy refused to connect"),
    **dict.fromkeys(("TimeoutException", "TimeoutError"), Failure(Trouble.TIMEOUT)),
    **dict.fromkeys(("UnsupportedProtocol", "InvalidURL"), Failure(Trouble.LOCAL, "its address cannot be used")),
    "LocalProtocolError": Failure(Trouble.LOCAL, "its address or one of its headers cannot be used"),
    **dict.fromkeys(("NetworkError", "RemoteProtocolError", "OSError"), Failure(Trouble.BROKEN)),
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
            return Failure(Trouble.CONNECT, f"the name {urlsplit(origin_of(exchange.url)).hostname} is not known (DNS)")
        if isinstance(error, ConnectionRefusedError):
            return Failure(Trouble.CONNECT, "nothing is listening there")
        error = error.__cause__ or error.__context__
    return Failure(Trouble.CONNECT)

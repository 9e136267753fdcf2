"""The relay: passes what a browser needs of the local service through its Jupyter, and nothing else.

Only GET and HEAD of the observatory's pages, exports and static files go through, never the API. What
Jupyter's login uses stays in Jupyter: the service sees neither its cookies nor its tokens.
"""

from __future__ import annotations

import asyncio
import re
import socket
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.httpclient import HTTPError, HTTPRequest
from tornado.httputil import parse_response_start_line
from tornado.iostream import IOStream
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.tcpclient import TCPClient
from tornado.web import HTTPError as WebError
from tornado.web import authenticated

from ..local import local_service
from ..secret import Hidden, Secret

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from ..local.route import Route

T = TypeVar("T")

MARK = "X-Songbird-Relay"
"""Header by which a relay is known."""

# What a page needs to be asked for; everything else of a request (cookies, Authorization, proxies' notes)
# stays here.
FORWARDED = ("Accept", "Accept-Encoding", "Accept-Language", "If-Modified-Since", "If-None-Match")
_RETURNED = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "etag",
        "last-modified",
        "permissions-policy",
        "referrer-policy",
        "vary",
        "x-content-type-options",
        "x-frame-options",
        "x-request-id",
    }
)
# The pages live on Jupyter's origin here: one that came without a policy of its own may do nothing at all.
_STRICTEST = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 120.0
_LARGEST = 1 << 40  # the service knows its limits; the answer is passed on piece by piece
_BAD_GATEWAY = 502
_UNAVAILABLE = 503


class _RouteClient(TCPClient):
    """Connects by the route to the local service, whatever address is asked for."""

    route: Route

    async def connect(self, host: str, port: int, *args: Any, **options: Any) -> IOStream:
        """Return a connection on which nobody else can answer."""
        if self.route.socket is None:
            stream = await super().connect(host, port, *args, **options)
        else:
            stream = IOStream(socket.socket(socket.AF_UNIX), max_buffer_size=options.get("max_buffer_size"))
            await stream.connect(str(self.route.socket))
        challenge = self.route.challenge()
        try:
            await stream.write(challenge.request)
            while not challenge.receive(await stream.read_bytes(4096, partial=True)):
                pass
        except BaseException:
            stream.close()
            raise
        return stream


class Upstream:
    """The local service as the relay sees it.

    Parameters
    ----------
    organization : bool
        Whether requests without a session's token are made in the name of the local organization.
    """

    def __init__(self, *, organization: bool) -> None:
        self.organization = organization
        #: Path and cookie of the user's sign-in at the service, for the home page.
        self.sign_in: tuple[Secret, Secret] | None = None
        self.client = SimpleAsyncHTTPClient(force_instance=True, max_clients=32, max_body_size=_LARGEST)
        self.client.tcp_client = self._connector = _RouteClient()

    async def origin(self) -> str:
        """Return the service's address, starting it if need be; connections go by its route.

        One that has ended may have left its port to a stranger, whose pages would be shown on Jupyter's own origin.
        """
        service = await beside_loop(local_service.ensure)
        self._connector.route = service.route
        return service.origin

    async def key(self) -> Secret:
        """Return the API key of the local organization."""
        return Secret(await beside_loop(local_service.organization_key))


class _Handler(JupyterHandler):
    """What all addresses below the relay have in common: no query of theirs is logged, logged in or out."""

    auth_resource: ClassVar[str] = "songbird"

    def get_login_url(self) -> str:
        """Return where to log in; what the login is told of this address, and logs, leaves the query out."""
        self._hide_query()
        return str(super().get_login_url())

    def _log(self) -> None:
        """Let Jupyter log the request; it hides what is called a token, and not what is a sessionToken."""
        self._hide_query()
        super()._log()

    def log_exception(self, *error: Any) -> None:
        """Let Jupyter log what went wrong, with the request but without its query."""
        self._hide_query()
        super().log_exception(*error)

    def _hide_query(self) -> None:
        self.request.uri = self.request.path


class RelayHandler(_Handler):
    """GET and HEAD of one path of the local service."""

    def initialize(self, upstream: Upstream, prefix: str) -> None:
        """Take what the route gives."""
        self.upstream = upstream
        self.prefix = prefix
        self._status_line: str | None = None

    @authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Pass the request on and the answer back."""
        del path  # decoded; what is passed on is the address as it was sent
        target, query = self._target()
        self._hide_query()
        with_token = _has_session_token(query.reveal())
        if not self.upstream.organization and not with_token and not target.startswith("static/"):
            self._refuse(
                404,
                "There is nothing here",
                "Open a profile page by the link that a session gives: it carries its token.",
            )
            return
        try:
            await self._pass_on(await self.upstream.origin(), target, query, with_token=with_token)
        except local_service.LocalServiceError as error:
            self._refuse(_UNAVAILABLE, "The local Songbird service cannot be started", str(error))
        except (HTTPError, OSError):
            self._refuse(
                _BAD_GATEWAY,
                "The local Songbird service did not answer",
                "Try again in a moment. If it stays like this, run: songbird-widgets stop",
            )

    head = get

    def compute_etag(self) -> None:
        """Leave the tag of an answer to the service."""

    def _target(self) -> tuple[str, Secret]:
        """Return path and query to ask the service for, as they were sent but without Jupyter's token."""
        raw = urlsplit("http://relay" + str(self.request.uri).partition("#")[0])
        target = raw.path[len(self.prefix) :]
        pieces = [piece for piece in raw.query.split("&") if unquote_plus(piece.partition("=")[0]) != "token"]
        return target, Secret("&".join(piece for piece in pieces if piece))

    async def _pass_on(self, origin: str, target: str, query: Secret, *, with_token: bool) -> None:
        by_key = self.upstream.organization and not with_token and not target.startswith("static/")
        request = self._asked(f"{origin}/{target}", query, await self.upstream.key() if by_key else None)
        await self.upstream.client.fetch(request.reveal(), raise_error=False)
        if self._status_line is None:
            raise HTTPError(_BAD_GATEWAY)
        await self.flush()
        await self.finish()

    def _asked(self, address: str, query: Secret, key: Secret | None) -> Hidden[HTTPRequest]:
        """Return the request to the service."""
        request = HTTPRequest(
            address + (f"?{query.reveal()}" if query.reveal() else ""),
            method=str(self.request.method),
            headers={name: self.request.headers[name] for name in FORWARDED if name in self.request.headers},
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
            follow_redirects=False,
            decompress_response=False,
            header_callback=self._take_header,
            # Awaited by the client: it reads on when the browser has taken what there is.
            streaming_callback=self._take_piece,
        )
        if key is not None:
            request.headers["X-API-Key"] = key.reveal()
        return Hidden(request)

    def _take_header(self, line: str) -> None:
        line = line.rstrip("\r\n")
        if self._status_line is None:
            self._status_line = line
            start = parse_response_start_line(line)
            self.set_status(start.code, start.reason)
            self.clear_header("Content-Type")
            self.set_header("Content-Security-Policy", _STRICTEST)
            self.set_header("X-Content-Type-Options", "nosniff")
            return
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "location":
            self.set_header("Location", self._rebased(value))
        elif name in _RETURNED:
            self.set_header(name.title(), value)

    def _rebased(self, location: str) -> str:
        """Return where a redirect of the service leads as the browser reaches it."""
        parts = urlsplit(location)
        if not parts.netloc and not parts.path.startswith("/"):
            return location
        query = f"?{parts.query}" if parts.query else ""
        return url_path_join(self.prefix, parts.path) + query

    def _take_piece(self, piece: bytes) -> Future[None]:
        self.write(piece)
        return self.flush()

    def _refuse(self, status: int, title: str, text: str) -> None:
        """Answer with a page of our own."""
        if self._headers_written:
            # Half an answer must not look like a whole one.
            self.request.connection.stream.close()  # type: ignore[union-attr]
            return
        self.clear()
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", _STRICTEST)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.finish(_PAGE.format(title=escape(title), text=escape(text)))


class NothingHandler(_Handler):
    """Every other address below the relay: there is nothing, and Jupyter's own answer would log its query."""

    def prepare(self) -> None:  # type: ignore[override]
        """Refuse whatever is asked."""
        raise WebError(404)


class RootHandler(_Handler):
    """Says that there is a relay: how a kernel with a cleaned environment finds out."""

    @authenticated
    @authorized
    def get(self) -> None:
        """Answer with a header and nothing else."""
        self.set_status(204)
        self.set_header(MARK, "1")
        self.finish()


def handlers(base_url: str, *, organization: bool) -> list[tuple[str, type[JupyterHandler], dict[str, Any]]]:
    """Return the routes of the relay.

    Parameters
    ----------
    base_url : str
        Path under which the server lives.
    organization : bool
        Whether whoever is let in by the server is the local organization: its pages are relayed then, and
        profile pages also without a session's token.

    Returns
    -------
    list of tuple
        Pattern, handler and its arguments, for `tornado.web.Application.add_handlers`.
    """
    upstream = Upstream(organization=organization)
    prefix = url_path_join(base_url, "songbird/")
    pages = rf"{re.escape(prefix)}((?:resources|static|organizations)(?:/.*)?)"
    return [
        (re.escape(prefix), RootHandler, {}),
        (pages, RelayHandler, {"upstream": upstream, "prefix": prefix}),
        (rf"{re.escape(prefix.rstrip('/'))}(?:/.*)?", NothingHandler, {}),
    ]


def _has_session_token(query: str) -> bool:
    return any(name == "sessionToken" and value.strip() for name, value in parse_qsl(query))


async def beside_loop(call: Callable[[], T]) -> T:
    """Do what takes time on another thread than the server's own."""
    return await asyncio.get_running_loop().run_in_executor(None, call)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui,sans-serif;margin:3rem
auto;max-width:40rem;padding:0 1rem}}</style> <h1>{title}</h1><p>{text}</p></html>
"""

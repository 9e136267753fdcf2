"""The home page of the local service behind Jupyter's login: the sessions of this user."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado.httpclient import HTTPError, HTTPRequest, HTTPResponse
from tornado.web import authenticated

from ..local import local_service
from ..secret import Secret
from .relay import FORWARDED, MARK, RelayHandler, Upstream, beside_loop

if TYPE_CHECKING:
    from typing import Any

    from jupyter_server.base.handlers import JupyterHandler

_SECONDS = 30.0
_UNAUTHORIZED = 401


class HomeHandler(RelayHandler):
    """``songbird/``: the home page for browsers; other clients only learn that there is a relay.

    The server's user signs in at the service as `songbird-widgets open` does. The sign-in stays in this process.
    """

    @authenticated
    @authorized
    async def get(self, path: str = "") -> None:
        """Answer with the page."""
        del path
        self.set_header(MARK, "1")
        if "text/html" not in self.request.headers.get("Accept", ""):
            self.set_status(204)
            self.finish()
            return
        try:
            answer = await self._home()
        except local_service.LocalServiceError as error:
            self._refuse(503, "The local Songbird service cannot be started", str(error))
            return
        except (HTTPError, OSError):
            self._refuse(
                502,
                "The local Songbird service did not answer",
                "Try again in a moment. If it stays like this, run: songbird-widgets stop",
            )
            return
        self._take_header(f"HTTP/1.1 {answer.code} {answer.reason}")
        for name, value in answer.headers.get_all():
            self._take_header(f"{name}: {value}")
        self.finish(answer.body)

    head = get

    async def _home(self) -> HTTPResponse:
        origin = await self.upstream.origin()
        headers = {name: self.request.headers[name] for name in FORWARDED if name in self.request.headers}
        answer = None
        if self.upstream.sign_in is not None:
            address, cookie = self.upstream.sign_in
            answer = await self._ask(urljoin(origin, address.reveal()), {**headers, "Cookie": cookie.reveal()})
        if answer is None or answer.code == _UNAUTHORIZED:  # it ended with the service, or after its time
            self.upstream.sign_in = address, cookie = await self._sign_in()
            answer = await self._ask(urljoin(origin, address.reveal()), {**headers, "Cookie": cookie.reveal()})
        return answer

    async def _sign_in(self) -> tuple[Secret, Secret]:
        """Return the path of the pages of a new sign-in, and its cookie."""
        way_in = Secret(await beside_loop(local_service.way_in))
        answer = await self._ask(way_in.reveal(), {})
        where, cookie = answer.headers.get("Location"), answer.headers.get("Set-Cookie")
        if where is None or cookie is None:
            raise local_service.LocalServiceError("It gave no way in. `songbird-widgets stop` ends it; try again.")
        return Secret(urljoin("/open/x", where)), Secret(cookie.partition(";")[0])

    async def _ask(self, address: str, headers: dict[str, str]) -> HTTPResponse:
        request = HTTPRequest(
            address, headers=headers, request_timeout=_SECONDS, follow_redirects=False, decompress_response=False
        )
        return await self.upstream.client.fetch(request, raise_error=False)


def route(base_url: str) -> tuple[str, type[JupyterHandler], dict[str, Any]]:
    """Return the route of the home page: only for servers whose login lets in this user alone.

    Parameters
    ----------
    base_url : str
        Path under which the server lives.
    """
    prefix = url_path_join(base_url, "songbird/")
    return prefix, HomeHandler, {"upstream": Upstream(organization=True), "prefix": prefix}

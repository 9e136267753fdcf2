"""Who a person is, as others have found out: a proxy that authenticates, or JupyterHub. Never by a password of our own.

What a person may see is a matter of the organizations that have the person as a member (`organizations`).
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote, urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import url

from ..local.identity import LocalServiceError
from ..observatory import formatting
from ..observatory.problems import PageProblem, ProblemText
from ..observatory.rendering import render
from ..secret import Secret
from . import access
from .handler import logger
from .page_handlers import HTML, NEXT, Answer, PageHandler
from .sign_ins import SignedIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornado.httputil import HTTPServerRequest

    from .app import Application

PROXY_HEADER = "X-Songbird-Proxy-Secret"

_STATE_COOKIE = "songbird_sign_in"
_STATE_SECONDS = 1800
_MAX_NAME = 200


@dataclass(frozen=True)
class SignInProxy:
    """A proxy that authenticates, and says in a header who somebody is.

    Parameters
    ----------
    header
        Its name.
    addresses
        Networks from which the header is believed; any, if there is a secret.
    secret
        What the proxy must send in ``X-Songbird-Proxy-Secret``, if that is set.
    """

    header: str
    addresses: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    secret: Secret | None = None

    @classmethod
    def of(cls, header: str, addresses: str, secret: str | None) -> SignInProxy:
        """Make one from settings.

        Raises
        ------
        LocalServiceError
            When anybody could send the header.
        """
        believed = networks(addresses)
        if not believed and not secret:
            raise LocalServiceError(
                f"Anybody could send {header}. Say from which addresses it is to be believed (--proxy-addresses), or "
                "which secret comes with it (SONGBIRD_PROXY_SECRET)."
            )
        return cls(header, believed, Secret.of(secret))

    def person(self, request: HTTPServerRequest) -> str | None:
        """Return who the proxy says somebody is; None without a proxy, and for a stranger that pretends to be one."""
        name = request.headers.get(self.header, "").strip()
        if not name or len(name) > _MAX_NAME or len(request.headers.get_list(self.header)) != 1:
            return None
        if self.secret is not None:
            given = request.headers.get(PROXY_HEADER, "")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), self.secret.reveal().encode()):
                return None
        try:
            address = ipaddress.ip_address(str(request.remote_ip))
        except ValueError:
            return None
        return name if not self.addresses or any(address in network for network in self.addresses) else None


def networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Return the networks of a text such as ``10.0.0.0/8, 127.0.0.1``; raises `LocalServiceError` for what is none."""
    try:
        named = [one.strip() for one in text.split(",") if one.strip()]
        return tuple(ipaddress.ip_network(one, strict=False) for one in named)
    except ValueError as error:
        raise LocalServiceError(f"The addresses of the proxy are none: {error}.") from None


@dataclass(frozen=True)
class Hub:
    """A JupyterHub that knows this service, by the environment that it gives to its services."""

    client_id: str
    token: Secret
    api_url: str
    authorize_url: str
    callback: str
    service: str
    public_url: str | None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Hub | None:
        """Return the hub of an environment, or None if there is none."""
        token = environment.get("JUPYTERHUB_API_TOKEN")
        name = environment.get("JUPYTERHUB_SERVICE_NAME")
        if not token or not name:
            return None
        prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX") or f"/services/{name}/"
        base = environment.get("JUPYTERHUB_PUBLIC_HUB_URL") or f"{environment.get('JUPYTERHUB_BASE_URL') or '/'}hub/"
        return cls(
            client_id=environment.get("JUPYTERHUB_CLIENT_ID") or f"service-{name}",
            token=Secret(token),
            api_url=(environment.get("JUPYTERHUB_API_URL") or "http://127.0.0.1:8081/hub/api").rstrip("/"),
            authorize_url=f"{base.rstrip('/')}/api/oauth2/authorize",
            callback=environment.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or f"{prefix}oauth_callback",
            service=name,
            public_url=(environment.get("JUPYTERHUB_PUBLIC_URL") or "").rstrip("/") or None,
        )

    async def person(self, code: str) -> str | None:
        """Return whom the hub has sent with a code; None when it sent nobody who may use this service."""
        client = AsyncHTTPClient()
        body = urlencode(
            {
                "client_id": self.client_id,
                "client_secret": self.token.reveal(),
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback,
            }
        )
        try:
            answer = await client.fetch(f"{self.api_url}/oauth2/token", method="POST", body=body, request_timeout=10)
            token = json.loads(answer.body)["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.fetch(f"{self.api_url}/user", headers=headers, request_timeout=10)
            user = json.loads(answer.body)
        except (HTTPClientError, OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("JupyterHub did not say who came: %s", getattr(error, "code", type(error).__name__))
            return None
        allowed = {"access:services", f"access:services!service={self.service}"}
        if user.get("kind") != "user" or not allowed.intersection(user.get("scopes", ())):
            return None
        name = user.get("name")
        return name if isinstance(name, str) and 0 < len(name) <= _MAX_NAME else None


class HubSignIn(PageHandler):
    """``/sign-in/hub``: to JupyterHub, which sends the person back with a code."""

    operation = "hub-sign-in"
    root = "../"

    async def get(self) -> None:
        """Send the browser to the hub."""
        hub = cast("Hub", self.settings["hub"])
        state, following = secrets.token_urlsafe(24), self.get_query_argument("next", "")
        kept = f"{state}.{quote(following, safe='')}"
        options = {"max_age": _STATE_SECONDS, "path": self.base_path, **self.cookie_options}
        self.set_cookie(_STATE_COOKIE, kept, **options)
        query = {"client_id": hub.client_id, "redirect_uri": hub.callback, "response_type": "code", "state": state}
        self.redirect(f"{hub.authorize_url}?{urlencode(query)}")


class HubCallback(PageHandler):
    """``/oauth_callback``: back from JupyterHub."""

    operation = "hub-callback"
    root = ""

    async def get(self) -> None:
        """Sign the person in, and go where the person wanted to."""
        expected, _, following = self.cookie(_STATE_COOKIE).reveal().partition(".")
        self.clear_cookie(_STATE_COOKIE, path=self.base_path)
        state = self.get_query_argument("state", "").encode("utf-8", "replace")
        if not expected or not hmac.compare_digest(expected.encode("utf-8", "replace"), state):
            raise PageProblem(NOT_BEGUN_HERE, sign_in=True)
        person = await cast("Hub", self.settings["hub"]).person(self.get_query_argument("code", ""))
        if person is None:
            raise PageProblem(NOT_KNOWN, sign_in=True)
        await self.work(self.sign_ins.end, "", self.cookie(access.PERSON_COOKIE))
        _, cookie = await self.work(self.sign_ins.begin, SignedIn(person=person))
        self.set_cookie(access.PERSON_COOKIE, cookie.reveal(), path=self.base_path, **self.cookie_options)
        following = unquote(following)
        self.redirect(following if NEXT.fullmatch(following) else "organizations", status=303)


NOT_BEGUN_HERE = ProblemText(
    HTTPStatus.BAD_REQUEST,
    "InvalidArgument",
    "This sign-in was not begun here",
    "It took too long, or was begun in another browser.",
    "Sign in again.",
)
NOT_KNOWN = ProblemText(
    HTTPStatus.FORBIDDEN,
    "Forbidden",
    "JupyterHub has not let you in",
    "It did not say who you are, or you may not use this service.",
    "Sign in again, or ask whoever runs the hub to let you use this service.",
)


class PersonsOrganizations(PageHandler):
    """``/organizations``, and ``/``: the organizations of the person who is asking; of only one its page."""

    operation = "organizations"
    root = ""

    async def get(self) -> None:
        """Answer with the list, or go to the only one."""
        person, found = await self.made(lambda: (self.person, self.organizations_of_person))
        if person is None:
            raise PageProblem(access.NO_ACCESS, sign_in=True)
        if not found:
            raise PageProblem(access.no_member(person))
        if len(found) == 1:
            self.redirect(f"{self.base_path}organizations/{quote(found[0], safe='')}")
            return
        name = formatting.clipped(person)
        page = render("organizations.html", self.root, person=name, organizations=found, home="")
        await self.send(Answer(page, HTML))

    head = get


def add_to(app: Application, proxy: SignInProxy | None, hub: Hub | None) -> None:
    """Let people sign in to an application."""
    app.settings.update(proxy_sign_in=proxy, hub=hub)
    routes = [url("/(?:organizations)?", PersonsOrganizations)]
    if hub is not None:
        routes += [url("/sign-in/hub", HubSignIn), url("/oauth_callback", HubCallback)]
    app.wildcard_router.add_rules(routes)

"""Signing in with an organization's key, and out, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornado.web import url

from ..observatory.problems import PageProblem, ProblemText
from ..secret import Secret
from . import access
from .metadata import hash_key
from .page_handlers import NEXT, PageHandler
from .sign_ins import SignedIn, token_of

if TYPE_CHECKING:
    from tornado.routing import URLSpec

_MAX_KEY = 512


class SignIn(PageHandler):
    """``POST /sign-in``: a key for a cookie."""

    operation = "sign-in"
    root = ""

    def check_origin(self) -> None:
        """Refuse forms of other sites.

        Raises
        ------
        PageProblem
            When the browser says that the form is another site's.
        """
        origin = self.request.headers.get("Origin")
        cross = self.request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
        # With Referrer-Policy no-referrer browsers send the opaque origin "null" with a form of our own.
        foreign = origin not in {None, "null"} and urlsplit(origin).netloc != urlsplit(self.origin).netloc
        if cross or foreign:
            raise PageProblem(
                ProblemText(
                    403,
                    "Forbidden",
                    "This form is not ours",
                    "It came from another site.",
                    "Sign in from here.",
                )
            )

    async def post(self) -> None:
        """Set the cookie and go where the person wanted to; every wrong key gets the same answer."""
        self.check_origin()
        key = Secret(self.get_body_argument("key", "").strip())
        next_page = self.get_body_argument("next", "")
        org_id = await self.work(self.metadata.organization_for_key, key) if 0 < len(key.reveal()) <= _MAX_KEY else None
        if org_id is None:
            self._next = next_page
            self.say(WRONG_KEY_TYPED, sign_in=True, wrong_key=True)
            return
        up = "../../" if token_of(self.request) else ""
        below = await self.begin_sign_in(SignedIn(hash_key(key)))
        target = next_page if NEXT.fullmatch(next_page) else f"organizations/{org_id}"
        self.redirect(f"{up}{below}{target}", status=303)

    @property
    def next_page(self) -> str:
        """Where the person wanted to go before."""
        return getattr(self, "_next", "")


class SignOut(SignIn):
    """``POST /sign-out``: end the sign-in."""

    operation = "sign-out"

    async def post(self) -> None:
        """End it everywhere, and say so."""
        self.check_origin()
        await self.end_sign_in()
        await self.work(self.sign_ins.end, token_of(self.request), self.cookie(access.PERSON_COOKIE))
        self.clear_cookie(access.PERSON_COOKIE, path=self.base_path)
        self.say(
            ProblemText(
                200,
                "",
                "You are signed out",
                "This sign-in opens nothing any more.",
                "Sign in again below.",
            ),
            sign_in=True,
        )


WRONG_KEY_TYPED = ProblemText(
    401,
    "Unauthorized",
    "You are not signed in",
    "No organization was opened.",
    "Try again with the organization's API key.",
)


def routes() -> list[URLSpec]:
    """Return the addresses of signing in and out."""
    return [url(r"/sign-in", SignIn), url(r"/sign-out", SignOut)]

"""The page at the service's root: this user's sessions, for who came in with a ticket of this user's programs."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tornado.web import url

from ..observatory import formatting
from ..observatory.problems import PageProblem, ProblemText
from ..observatory.query import PageQuery
from ..observatory.rendering import render
from ..observatory.trend_query import TrendQuery
from .errors import Forbidden, ResourceGone, ResourceNotFound
from .handler import Handler
from .metadata import hash_key
from .page_handlers import HTML, Answer, PageHandler
from .proofs import is_own_program
from .sign_ins import SignedIn

if TYPE_CHECKING:
    from tornado.routing import URLSpec

    from ..local.identity import Identity
    from .metadata import Metadata
    from .retention import Retention
    from .rows import SessionRow

MAX_SESSIONS = 50
"""Sessions that are listed, the newest ones."""

MAX_NAMED = 3
"""References of a session that are named."""

TICKET_SECONDS = 60.0
"""How long a ticket can be used, once."""

_MAX_TICKETS = 100


class Tickets:
    """One-time ways in: each opens the door once, soon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def issue(self) -> str:
        """Return a new one; the oldest ones end when there are many."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._until) >= _MAX_TICKETS:
                del self._until[next(iter(self._until))]
            self._until[ticket] = time.monotonic() + TICKET_SECONDS
        return ticket

    def take(self, ticket: str) -> bool:
        """Use one up; tell whether it was good."""
        with self._lock:
            until = self._until.pop(ticket, 0.0)
        return time.monotonic() < until


class WayIn(Handler):
    """``POST /open?nonce=``: a ticket for who can prove to be this user, as `stop` does."""

    operation = "open"

    def post(self) -> None:
        """Answer with a ticket, for ``/open/<ticket>``."""
        if not is_own_program(self, "open"):
            raise Forbidden("Only this user's programs may ask for a way in: `songbird-widgets open`.")
        self.answer({"ticket": _tickets(self.settings).issue()})


class Enter(PageHandler):
    """``/open/<ticket>``: a ticket for a cookie, then the home page."""

    operation = "enter"
    root = "../"

    async def get(self, ticket: str) -> None:
        """Set the cookie; a ticket that was used already, or is too old, opens nothing."""
        self.set_header("Cache-Control", "no-store")
        if not _tickets(self.settings).take(ticket):
            raise PageProblem(USED)
        identity: Identity | None = self.settings.get("identity")
        # This user has the key of the organization.
        key_hash = None if identity is None else hash_key(identity.organization_key)
        self.redirect(f"../{await self.begin_sign_in(SignedIn(key_hash, user=True))}", status=303)


class Home(PageHandler):
    """``/``: the sessions and the organization of this service's user; strangers see how to come in."""

    operation = "home"
    root = ""

    async def get(self) -> None:
        """Answer with the page."""
        self.set_header("Cache-Control", "no-store")
        sign_in = await self.made(lambda: self.sign_in)
        if sign_in is None or not sign_in.user:
            raise PageProblem(STRANGER)
        identity: Identity | None = self.settings.get("identity")
        organization = identity.organization_id if identity is not None else ""
        await self.send(Answer(await self.made(_page, self.metadata, self.retention, organization), HTML))

    head = get


def _tickets(settings: dict[str, Any]) -> Tickets:
    tickets: Tickets = settings.setdefault("tickets", Tickets())
    return tickets


def _page(metadata: Metadata, retention: Retention, organization: str) -> str:
    sessions = metadata.newest_sessions(MAX_SESSIONS + 1)
    datasets = [row for row in metadata.datasets(organization) if row.profiles] if organization else []
    page = {
        "sessions": [_shown(metadata, retention, one) for one in sessions[:MAX_SESSIONS]],
        "more": len(sessions) > MAX_SESSIONS,
        "most": MAX_SESSIONS,
        "organization": formatting.clipped(organization) if organization else "",
        "organization_url": f"organizations/{quote(organization, safe='')}",
        "datasets": len(datasets),
    }
    return render("home.html", "", page=page, home="./")


def _shown(metadata: Metadata, retention: Retention, one: SessionRow) -> dict[str, Any]:
    """Say what a session holds, without counting it all."""
    claimed = one.claimed_by is not None
    key = (one.claimed_by or one.org_id, one.claimed_dataset or one.dataset_id)
    references = metadata.references(*key, limit=MAX_NAMED + 1)
    newest, first = metadata.days(*key, limit=1), metadata.first_day(*key)
    named = [formatting.clipped(row.alias or row.id, 30) for row in references[:MAX_NAMED]]
    if len(references) > MAX_NAMED:
        named.append("…")
    days = ""
    if newest and first:
        days = formatting.day(first.day)
        if newest[0].day != first.day:
            days += f" to {formatting.day(newest[0].day)}"
    base = f"resources/{quote(key[1], safe='')}/"
    token = "" if claimed else one.session_id
    return {
        "title": formatting.clipped(one.name) if one.name else f"Session of {formatting.timestamp(one.created)}",
        "begun": formatting.timestamp(one.created) if one.name else "",
        "holds": "; ".join(part for part in (", ".join(named), days) if part) or "nothing uploaded yet",
        "state": f"claimed by {formatting.clipped(one.claimed_by or '', 40)}" if claimed else _how_long(retention, one),
        "url": base + PageQuery(token=token).url(),
        "trends_url": base + TrendQuery(token=token).url() if newest and first and newest[0].day != first.day else "",
    }


def _how_long(retention: Retention, one: SessionRow) -> str:
    try:
        expires = retention.expires(one.session_id)
    except (ResourceGone, ResourceNotFound):
        return "ended just now"
    if expires is None:
        return "open"
    return f"open; kept until {formatting.day(expires)} (UTC) unless more is uploaded"


STRANGER = ProblemText(
    401,
    "Unauthorized",
    "This is a Songbird service",
    "It keeps profiles of data, and shows them to its user and to whoever has a session's link.",
    "To see your sessions here, run `songbird-widgets open` in a terminal, or open a link of a session.",
)
USED = ProblemText(
    403,
    "Forbidden",
    "This way in is closed",
    "It opens once, within a minute of being made.",
    "Run `songbird-widgets open` again.",
)


def routes() -> list[URLSpec]:
    """Return the addresses of the home page."""
    return [url(r"/", Home), url(r"/open", WayIn), url(r"/open/([A-Za-z0-9_-]{20,60})", Enter)]

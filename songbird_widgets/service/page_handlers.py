"""The observatory over HTTP: who asks, for what, in which form."""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import unquote, urlsplit

import msgspec
from tornado import web
from tornado.web import url

from ..budget import Budget
from ..observatory import exports, query
from ..observatory.detail import check_column
from ..observatory.problems import PageProblem, ProblemText, bad_request
from ..observatory.rendering import STATIC, render
from ..observatory.trend_exports import trends_as_csv, trends_as_json
from ..observatory.trend_query import parse_trends
from ..secret import Secret
from . import access
from .handler import Handler
from .pages import Observatory, file_name
from .privacy import PrivateText
from .sign_ins import SignedIn, path_of, token_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tornado.routing import URLSpec

    from ..observatory.query import PageQuery
    from ..observatory.trend_query import TrendQuery
    from ..observatory.view import View
    from .access import Viewer
    from .organizations import Organizations
    from .sign_ins import SignIns

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors "
)
# A notebook's panel previews a session's page: from the same origin behind the relay, else from this machine.
# What a key opens comes through the relay; what a sign-in opens is framed by nobody.
_SESSION_FRAMED_BY = "'self' http://127.0.0.1:* http://localhost:*"
_RELAYED_FRAMED_BY = "'self'"
NEXT = re.compile(r"(?:resources|organizations)/[^\\\x00-\x20]*")
_MIN_COMPRESSED = 4096
_LEVEL = 3  # a sixth more bytes than at 5 in half of the time

PAGE_SECONDS = 30.0
"""How long a page may take from the moment it was asked for."""

STREAM_SECONDS = 120.0
"""How long the making of an answer that is sent in parts may take; its reader's time does not count."""

T = TypeVar("T")

HTML = "text/html; charset=utf-8"
JSON = "application/json"
CSV = "text/csv; charset=utf-8"
SVG = "image/svg+xml"


@dataclass(frozen=True)
class Answer:
    """What to answer with: a whole, or parts of `size` bytes in all, if that is known, which are made as they are sent.

    `file_name` if a browser should keep it as a file.
    """

    body: str | bytes | Iterator[bytes]
    content_type: str
    status: int = 200
    file_name: str = ""
    size: int | None = None


class PageHandler(Handler):
    """What the observatory's handlers share: access, answers in the asked form, problems as pages."""

    #: The relative URL from a page to the observatory's root.
    root: ClassVar[str] = "../../"

    def set_default_headers(self) -> None:
        super().set_default_headers()
        if any(value.strip() for value in self.request.query_arguments.get("sessionToken", [])):
            framed = _SESSION_FRAMED_BY
        else:
            framed = _RELAYED_FRAMED_BY if "X-API-Key" in self.request.headers else "'none'"
        self.set_header("Content-Security-Policy", _POLICY + framed)

    @property
    def observatory(self) -> Observatory:
        """The one maker of pages of this application."""
        return cast("Observatory", self.settings["observatory"])

    async def made(self, function: Callable[..., T], *args: Any) -> T:
        """Run what makes an answer on the observatory's own threads, within the budget of this request."""
        return await self.observatory.makers.run(self.owner, self.budget, function, *args)

    @property
    def budget(self) -> Budget:
        """The time that this answer may take."""
        known = getattr(self, "_budget", None)
        if known is None:
            known = self._budget = Budget(PAGE_SECONDS)
        return known

    @property
    def owner(self) -> str:
        """Among whom the threads that make pages are shared."""
        return PrivateText(self.get_query_argument("sessionToken", ""))

    def on_connection_close(self) -> None:
        """Make no more for a reader who has left."""
        super().on_connection_close()
        self.budget.cancel()

    def viewer(self, token: str, dataset_id: str | None = None) -> Viewer:
        """Return who is asking, and of a person's organizations the one that has a dataset; blocks on the database.

        Raises
        ------
        PageProblem
            When nothing that came with the request opens anything.
        """
        if token:
            return access.guest(self.metadata, token)
        key = Secret.of(self.request.headers.get("X-API-Key"))
        if key is None and self.signed_in_key is None and self.person is not None:
            return access.person(self.metadata, self.person, self.organizations_of_person, dataset_id)
        return access.member(self.metadata, key, self.signed_in_key)

    @property
    def person(self) -> str | None:
        """The name of the person who is asking, as a proxy or an earlier sign-in has it; blocks on the database."""
        proxy = self.settings.get("proxy_sign_in")
        if proxy is not None:
            return cast("str | None", proxy.person(self.request))
        if self.settings.get("hub") is None:
            return None
        found = self._sign_in_of(access.PERSON_COOKIE)
        return None if found is None else found.person

    @property
    def organizations_of_person(self) -> list[str]:
        """The organizations of the person who is asking; blocks on the database."""
        organizations = cast("Organizations", self.settings["organizations"])
        return [] if self.person is None else organizations.of_person(self.person)

    @property
    def cookie_options(self) -> dict[str, Any]:
        """What all cookies of a sign-in elsewhere have in common: they come along when that sends the browser back."""
        return {"httponly": True, "samesite": "Lax", "secure": self.origin.startswith("https:")}

    @property
    def base_path(self) -> str:
        """The path of the observatory's root, as browsers have it."""
        return urlsplit(self.settings.get("public_url") or "").path.rstrip("/") + "/"

    @property
    def sign_ins(self) -> SignIns:
        """Who is signed in."""
        return cast("SignIns", self.settings["sign_ins"])

    @property
    def sign_in(self) -> SignedIn | None:
        """The sign-in that this request belongs to by its path and its cookie; blocks on the database."""
        return self._sign_in_of(access.COOKIE)

    def _sign_in_of(self, cookie: str) -> SignedIn | None:
        known: dict[str, SignedIn | None] = self.__dict__.setdefault("_signed_in", {})
        if cookie not in known:
            known[cookie] = self.sign_ins.find(token_of(self.request), self.cookie(cookie))
        return known[cookie]

    def cookie(self, name: str) -> Secret:
        """Return what a cookie of this request holds, empty for none."""
        return Secret(self.get_cookie(name) or "")

    async def begin_sign_in(self, opens: SignedIn) -> str:
        """Set the cookie of a new sign-in, and return the path of its pages from the observatory's root."""
        await self.end_sign_in()
        token, cookie = await self.work(self.sign_ins.begin, opens)
        # Without a path the browser takes this URL's directory: right behind any proxy.
        path, secure = path_of(token) if token else "", self.origin.startswith("https:")
        self.set_cookie(access.COOKIE, cookie.reveal(), path=path, httponly=True, samesite="Strict", secure=secure)
        return path.lstrip("/")

    async def end_sign_in(self) -> None:
        """End the sign-in of this request, here and in the browser."""
        token = token_of(self.request)
        await self.work(self.sign_ins.end, token, self.cookie(access.COOKIE))
        self.clear_cookie(access.COOKIE, path=path_of(token) if token else "")

    @property
    def signed_in_key(self) -> str | None:
        """The hash of the key of an earlier sign-in; blocks on the database."""
        return None if self.sign_in is None else self.sign_in.key_hash

    @property
    def wants_json(self) -> bool:
        """Whether problems should be answered as JSON."""
        return self.request.path.endswith((".json", ".csv", ".svg", ".bin"))

    async def send(self, answer: Answer) -> None:
        """Answer, compressed where that is worth it and understood."""
        self.set_status(answer.status)
        if answer.file_name:
            self.set_header("Content-Disposition", f'attachment; filename="{answer.file_name}"')
        self.set_header("Content-Type", answer.content_type)
        self.set_header("Vary", "Accept-Encoding, Cookie, X-API-Key")
        compressed = "gzip" in self.request.headers.get("Accept-Encoding", "")
        if isinstance(answer.body, Iterator):
            if answer.size is not None:
                self.set_header("Content-Length", str(answer.size))
                compressed = False
            await self._stream(answer.body, compressed=compressed)
            return
        data = answer.body.encode("utf-8", "replace") if isinstance(answer.body, str) else answer.body
        if len(data) >= _MIN_COMPRESSED and compressed:
            data = await self.made(gzip.compress, data, _LEVEL)
            self.set_header("Content-Encoding", "gzip")
        await self.finish(data)

    async def _stream(self, parts: Iterator[bytes], *, compressed: bool) -> None:
        """Send parts as they are made, none before the one before was taken."""
        self._budget = Budget(STREAM_SECONDS)
        if compressed:
            self.set_header("Content-Encoding", "gzip")
            parts = _gzipped(parts)
        if self.request.method == "HEAD":
            await self.finish()
            return
        try:
            while (part := await self.made(next, parts, None)) is not None:
                began = time.monotonic()
                self.write(part)
                await self.flush()
                self._budget.extend(time.monotonic() - began)
        except Exception as error:
            if not self._headers_written:
                raise
            # Too late for another answer: a reader tells by the missing end that this one is not whole.
            self.log_exception(type(error), error, error.__traceback__)
            self.detach().close()
            return
        await self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        exc_info = kwargs.get("exc_info")
        raised = exc_info[1] if exc_info else None
        if isinstance(raised, PageProblem):
            self.say(raised.problem, sign_in=raised.sign_in)
            return
        if self.wants_json:
            super().write_error(status_code, **kwargs)
            return
        error = self.service_error(status_code, exc_info)
        self.set_headers_of(error)
        self.say(
            ProblemText(error.status, error.type, "This did not work", error.message, "Try again, or go back."),
            request_id=self.request_id,
        )

    def say(
        self, problem: ProblemText, *, sign_in: bool = False, request_id: str = "", wrong_key: bool = False
    ) -> None:
        """Finish with a problem, as a page or as JSON."""
        self.set_status(problem.status)
        if self.wants_json:
            body = {"message": problem.message, "requestId": self.request_id, "type": problem.type}
            self.set_header("Content-Type", JSON)
            self.finish(msgspec.json.encode(body))
            return
        self.set_header("Content-Type", HTML)
        theme = query.parse(_decoded(self.request.query_arguments)).theme
        self.finish(
            render(
                "problem.html",
                self.root,
                problem=problem,
                sign_in=sign_in,
                # A claimed session's profiles are in another dataset now: after a sign-in, to the list of all.
                next="" if problem.status == HTTPStatus.GONE else self.next_page,
                request_id=request_id,
                wrong_key=wrong_key,
                hub=self.settings.get("hub") is not None,
                theme=theme,
            )
        )

    @property
    def next_page(self) -> str:
        """The page relative to the observatory's root, without a session token, for after a sign-in."""
        found = NEXT.search(self.request.path)
        return found[0] if found else ""

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if not isinstance(value, PageProblem):
            super().log_exception(typ, value, tb)


class ProfilesPage(PageHandler):
    """``/resources/{dataset}/profiles``: one to three profiles side by side, or the choice of them."""

    operation = "observatory"

    async def get(self, dataset: str, form: str | None) -> None:
        """Answer with the page, or its data as ``.json`` or ``.csv``."""
        asked = query.parse(_decoded(self.request.query_arguments))
        answer = await self.made(self._make, unquote(dataset), form or "", asked)
        await self.send(answer)

    head = get

    def _make(self, dataset: str, form: str, asked: PageQuery) -> Answer:
        viewer = self.viewer(asked.token, dataset)
        access.check_dataset(self.metadata, viewer, dataset)
        self.upload_urls.take(viewer.org_id, dataset)
        if not asked.profiles:
            if form:
                raise PageProblem(
                    bad_request(
                        "No profile was named",
                        "The link has no profile parameter.",
                        "Add one to three: profile=<reference id, or batch timestamp in ms>.",
                    )
                )
            return Answer(
                self.observatory.session_page(
                    viewer, dataset, asked, self.retention.expires(asked.token) if viewer.guest else None
                ),
                HTML,
            )
        if form == ".bin":
            name, size, parts = self.observatory.files(viewer, dataset, asked)
            return Answer(parts, "application/octet-stream", file_name=name, size=size)
        if form == ".svg":
            chart = self.get_query_argument("chart", "")
            name = f"{file_name(asked.column or '')}-{file_name(chart)}.svg"
            return Answer(self.observatory.chart(viewer, dataset, asked, chart), SVG, file_name=name)
        if form:
            return self._data(viewer, dataset, form, asked)
        status, html = self.observatory.profiles_page(viewer, dataset, asked)
        return Answer(html, HTML, status)

    def _data(self, viewer: Viewer, dataset: str, form: str, asked: PageQuery) -> Answer:
        return self.observatory.show(
            viewer, dataset, asked, lambda view: self._data_of(view, viewer, dataset, form, asked)
        )

    def _data_of(self, view: View, viewer: Viewer, dataset: str, form: str, asked: PageQuery) -> Answer:
        problem = view.sides[0].problem
        if not view.shown and problem:
            raise PageProblem(problem)
        if asked.column is not None:
            check_column(view, asked.column)
        if form == ".json":
            uploads = self.observatory.uploads(viewer, dataset, asked)
            return Answer(_whole_if_small(exports.json_parts(dataset, view, asked, uploads), asked), JSON)
        return Answer(_whole_if_small(exports.csv_parts(view, asked), asked), CSV, file_name="profiles.csv")


class TrendsPage(PageHandler):
    """``/resources/{dataset}/trends``: a dataset over time, each day beside one baseline."""

    operation = "trends"

    async def get(self, dataset: str, form: str | None) -> None:
        """Answer with the page, or its data as ``.json`` or ``.csv``."""
        asked = parse_trends(_decoded(self.request.query_arguments))
        answer = await self.made(self._make, unquote(dataset), form or "", asked)
        await self.send(answer)

    head = get

    def _make(self, dataset: str, form: str, asked: TrendQuery) -> Answer:
        viewer = self.viewer(asked.token)
        access.check_dataset(self.metadata, viewer, dataset)
        pages = self.observatory.trends
        if not form:
            return Answer(pages.page(viewer, dataset, asked), HTML)
        view = pages.view(viewer, dataset, asked)
        if form == ".json":
            return Answer(msgspec.json.encode(trends_as_json(dataset, view, asked)), JSON)
        return Answer(trends_as_csv(view, asked), CSV, file_name="trends.csv")


class OrganizationPage(PageHandler):
    """``/organizations/{org}``: what was claimed for an organization."""

    operation = "organization"
    root = "../"

    async def get(self, org: str) -> None:
        """Answer with the organization's datasets and profiles."""
        await self.send(Answer(await self.made(self._make, unquote(org)), HTML))

    head = get

    def _make(self, org: str) -> str:
        if org not in self.organizations_of_person:
            access.check_organization(self.viewer(""), org)
        by_cookie = self.sign_in is not None or self._sign_in_of(access.PERSON_COOKIE) is not None
        signed_in = by_cookie and "X-API-Key" not in self.request.headers
        return self.observatory.organization_page(org, signed_in=signed_in)


class Static(Handler, web.StaticFileHandler):
    """The observatory's own style sheet and script."""

    operation = "static"

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 (tornado's hook)
        # URLs in pages carry the file's hash: what they name never changes.
        versioned = "v" in self.request.query_arguments
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if versioned else "no-cache")


def _whole_if_small(parts: Iterator[bytes], asked: PageQuery) -> bytes | Iterator[bytes]:
    """Make a page's data at once, as its page is; an export of everything is sent in parts."""
    return b"".join(parts) if asked.limit <= query.MAX_ROWS else parts


def _gzipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(5, wbits=31)
    for part in parts:
        if packed := packer.compress(part):
            yield packed
    yield packer.flush()


def _decoded(arguments: dict[str, list[bytes]]) -> dict[str, list[str]]:
    return {name: [value.decode("utf-8", "replace") for value in values] for name, values in arguments.items()}


def routes() -> list[URLSpec]:
    """Return the observatory's routes; pages link relatively, so they can be mounted under any prefix."""
    return [
        url(r"/resources/([^/]+)/profiles(\.json|\.csv|\.svg|\.bin)?", ProfilesPage),
        url(r"/resources/([^/]+)/trends(\.json|\.csv)?", TrendsPage),
        url(r"/organizations/([^/]+)", OrganizationPage),
        url(r"/static/([a-z]+\.(?:css|js|svg))", Static, {"path": str(STATIC)}),
    ]

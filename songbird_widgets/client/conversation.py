"""One call, from request to answer, with its repetitions and redirects, as a generator that does no I/O.

A conversation yields what is to be done (an `Exchange` or a `Pause`) and is sent what came of it (a `Reply`
or a `Failure`). `Songbird` does it with sockets, `AsyncSongbird` with an event loop; both hold the same ones.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import urljoin

import msgspec

from . import errors
from .models import ErrorResponse
from .operations import OPERATIONS, check
from .retry import Repeat, Retry, Trouble, pause_before, retry_after
from .secrecy import Discreet, excerpt, origin_of

if TYPE_CHECKING:
    from .configuration import Settings
    from .models import Request

T = TypeVar("T")
_MOST_REDIRECTS = 3
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}")
AGENT = ("User-Agent", "songbird-widgets")


class Exchange(Discreet, frozen=True):
    """A request to send, with the seconds that it may take in all, and without a sign of life."""

    _shown = ("operation", "method")
    operation: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content: Any  # bytes, None, or something with `chunks()`, made anew for each attempt, and `blocking`
    seconds: float
    stall: float
    request_id: str | None = None


class Pause(Discreet, frozen=True):
    """Seconds to wait."""

    seconds: float


class Reply(Discreet, frozen=True):
    """An answer, whatever it says; names of headers in lower case."""

    _shown = ("status",)
    status: int
    headers: Mapping[str, str]
    body: bytes


class Failure(Discreet, frozen=True):
    """Why there is no answer, in words without secrets; `error` if the request itself could not be made."""

    _shown = ("trouble", "detail")
    trouble: Trouble
    detail: str = ""
    error: errors.SongbirdError | None = None


Outcome: TypeAlias = Reply | Failure
Steps: TypeAlias = Generator[Exchange | Pause, Reply | Failure | None, T]


class RawResponse(Discreet, Generic[T], frozen=True):
    """An answer as it came, for those who need its headers or the fields that the messages leave out.

    `headers` have names in lower case. Headers and content may hold secrets; the repr shows neither.
    """

    _shown = ("status", "request_id", "operation")
    status: int
    headers: Mapping[str, str]
    content: bytes
    request_id: str
    operation: str
    _parse: Callable[[], T]

    def parse(self) -> T:
        """Return the operation's message, or raise the error that the answer stands for."""
        return self._parse()


def attempts(make: Callable[[float], Exchange], repeat: Repeat, policy: Retry, began: float) -> Steps[Outcome]:
    """Send a request until it is answered for good; `make` makes it for one attempt, given the seconds left.

    `began` is when the budget of time began to run, by the monotonic clock.
    """
    attempt = 0
    while True:
        attempt += 1
        outcome = cast("Outcome", (yield make(max(0.001, policy.budget - (time.monotonic() - began)))))
        if not repeat.allows(outcome.status if isinstance(outcome, Reply) else outcome.trouble):
            return outcome
        asked = retry_after(outcome.headers, time.time()) if isinstance(outcome, Reply) else None
        pause = pause_before(policy, attempt, time.monotonic() - began, asked)
        if pause is None:
            return outcome
        yield Pause(pause)


def call(message: Request[T], settings: Settings, api_key: str | None = None) -> Steps[RawResponse[T]]:
    """Hold the conversation for one operation; `api_key` is for this call alone.

    Returns the last answer, whatever its status. Raises `ValidationError` or `ConfigurationError` before
    anything is sent, and another `SongbirdError` if no answer came, or one that leads elsewhere.
    """
    talk = _Talk(message, settings, api_key)
    url, began = talk.url, time.monotonic()
    for _ in range(1 + _MOST_REDIRECTS):
        outcome = yield from attempts(partial(talk.exchange, url), talk.operation.repeat, settings.retry, began)
        if isinstance(outcome, Failure):
            raise talk.failed(outcome)
        if not (300 <= outcome.status < 400 and "location" in outcome.headers):
            return talk.answer(outcome)
        url = talk.redirected(outcome, url)
    raise talk.error(errors.ResponseError, f"{settings.origin} redirects {talk.operation.doing} in circles.")


def no_answer(failure: Failure, doing: str, origin: str, seconds: float) -> errors.SongbirdError:
    """Put into words why there is no answer; `seconds` is how long an attempt may take."""
    detail = f": {failure.detail}" if failure.detail else ""
    if failure.error is not None:
        return failure.error
    if failure.trouble is Trouble.TIMEOUT:
        said = f"{origin} did not finish answering {doing} within {seconds:g} s."
        return errors.EndpointTimeout(said, advice="Try again, or allow more time.", ambiguous=True)
    if failure.trouble is Trouble.BROKEN:
        said = f"The connection to {origin} broke while {doing}{detail}."
        return errors.EndpointUnreachable(said, advice="Try again.", ambiguous=True)
    if failure.trouble is Trouble.LOCAL:
        return errors.ConfigurationError(f"The request for {doing} could not be made{detail}.")
    advice = "Check the address, and that the service is running."
    return errors.EndpointUnreachable(f"No connection to {origin}{detail}.", advice=advice)


class _Talk:
    """A call's request, and what to say about each way in which it can end."""

    def __init__(self, message: Request[Any], settings: Settings, api_key: str | None) -> None:
        operation = OPERATIONS.get(type(message))
        if operation is None:
            raise errors.ValidationError(f"A {type(message).__name__} does not ask for an operation.")
        check(message)
        self.operation, self.settings, self.request_id = operation, settings, uuid.uuid4().hex
        self.url = settings.endpoint + operation.target(message)
        self.content = operation.content(message)
        key = (api_key or settings.api_key) if operation.keyed else None
        if operation.keyed and key is None:
            advice = "Set SONGBIRD_API_KEY, or pass api_key."
            raise self.error(errors.ConfigurationError, "This needs an API key, and there is none.", advice=advice)
        session_id = getattr(message, "session_id", "")
        self.secrets = (*settings.secrets, *(s for s in (key, session_id) if s))
        headers = {"user-agent": AGENT, "accept": ("Accept", "application/json")}
        if self.content is not None:
            headers["content-type"] = ("Content-Type", "application/json")
        headers.update((name.lower(), (name, value)) for name, value in settings.headers)
        own = [("X-Request-Id", self.request_id)] + ([("X-API-Key", key)] if key else [])
        self.headers = (*headers.values(), *own)

    def exchange(self, url: str, left: float) -> Exchange:
        asked, seconds = self.operation, min(self.settings.timeout, left)
        return Exchange(asked.name, asked.method, url, self.headers, self.content, seconds, seconds, self.request_id)

    def error(self, kind: type[errors.SongbirdError], said: str, reply: Reply | None = None, **fields: Any) -> Any:
        request_id, status = (self.request_id, None) if reply is None else (self.answered_by(reply), reply.status)
        return kind(said, operation=self.operation.name, status=status, request_id=request_id, **fields)

    def answered_by(self, reply: Reply) -> str:
        said = reply.headers.get("x-request-id", "")
        usable = _REQUEST_ID.fullmatch(said) and not any(secret in said for secret in self.secrets)
        return said if usable else self.request_id

    def answer(self, reply: Reply) -> RawResponse[Any]:
        said, name = self.answered_by(reply), self.operation.name
        return RawResponse(reply.status, reply.headers, reply.body, said, name, lambda: self.parsed(reply))

    def failed(self, failure: Failure) -> errors.SongbirdError:
        error = no_answer(failure, self.operation.doing, self.settings.origin, self.settings.timeout)
        error.operation, error.request_id = self.operation.name, self.request_id
        if error.ambiguous and self.operation.repeat is Repeat.UNSENT:
            error.advice = _ASK
        return error

    def redirected(self, reply: Reply, url: str) -> str:
        try:
            target = urljoin(url, reply.headers["location"])
            same = origin_of(target).lower() == origin_of(url).lower() and "@" not in target
        except ValueError:
            target, same = "", False
        origin, doing = self.settings.origin, self.operation.doing
        if not same or not target.isascii() or not target.isprintable():
            said = f"{origin} redirects {doing} to another place ({origin_of(target)})."
            advice = "Nothing was sent there. If you trust it, use it as the endpoint."
            raise self.error(errors.ResponseError, said, reply, advice=advice)
        if reply.status not in {307, 308} and self.operation.method != "GET":
            said = f"{origin} redirects {doing} in a way that loses what is sent."
            raise self.error(errors.ResponseError, said, reply, advice="Check the address of the endpoint.")
        return target

    def parsed(self, reply: Reply) -> Any:
        if not 200 <= reply.status < 300:
            raise self.refused(reply)
        reason = "it is not JSON" if reply.body else "it is empty"
        try:
            return msgspec.json.decode(reply.body, type=self.operation.answer)
        except msgspec.ValidationError as error:
            reason = str(error)  # which names fields and types, never values
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        shown = excerpt(reply.body, self.secrets)
        said = f"{self.settings.origin} answered {self.operation.doing} ({reply.status}), but not as Songbird"
        said += f" does: {reason}." + (f" It begins: “{shown}”." if shown else "")
        raise self.error(errors.ResponseError, said, reply, advice="Check the address of the endpoint.")

    def refused(self, reply: Reply) -> errors.SongbirdError:
        plain_text = False
        try:
            words = msgspec.json.decode(reply.body, type=ErrorResponse).message.encode("utf-8", "replace")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            words, plain_text = reply.body, True
        shown = excerpt(words, self.secrets, length=160 if plain_text else 400)
        server_error = 500 <= reply.status < 600
        kind, advice = _REFUSALS.get(500 if server_error else reply.status, (errors.ResponseError, None))
        ambiguous = server_error and self.operation.repeat is Repeat.UNSENT
        advice = _ASK if ambiguous else advice
        if kind is errors.AuthenticationError and not self.operation.keyed:
            advice = "No key is involved: this address may be blocked. Ask who runs the endpoint."
        if kind is errors.NotFound and plain_text:
            advice = "Check that the address is that of a Songbird endpoint."
        said = f"{self.settings.origin} refused {self.operation.doing} ({reply.status})"
        said += f": {shown}" if shown else "."
        return cast("errors.SongbirdError", self.error(kind, said, reply, advice=advice, ambiguous=ambiguous))


_ASK = "It is unknown whether the claim went through: ask get_session. If the session has expired, it did."
_REFUSALS: dict[int, tuple[type[errors.SongbirdError], str | None]] = {
    400: (errors.BadRequest, None),
    401: (errors.AuthenticationError, "Check the API key."),
    403: (errors.AuthenticationError, "Check the API key."),
    404: (errors.NotFound, "Check the id."),
    409: (errors.Conflict, None),
    410: (errors.SessionExpired, "It was claimed or has expired: start a new session."),
    413: (errors.PayloadTooLarge, "Send less at once."),
    429: (errors.RateLimited, "Wait a while, then try again."),
    500: (errors.ServerError, "Try again later; whoever runs the endpoint can look up the request id."),
}

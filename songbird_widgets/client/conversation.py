"""One call, from request to answer, with its repetitions and redirects, as a generator that does no I/O.

A conversation yields what is to be done (an `Exchange` or a `Pause`) and is sent what came of it (a `Reply` or a
`Failure`). `Songbird` does it with sockets, `AsyncSongbird` with an event loop; both hold the same conversations.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, Union, cast
from urllib.parse import urljoin

import msgspec

from . import errors
from .models import ErrorResponse
from .operations import OPERATIONS, Operation
from .retry import Repeat, Retry, Trouble, may_repeat, pause_before, retry_after
from .secrecy import excerpt, origin_of, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .configuration import Settings
    from .models import Request

T = TypeVar("T")
_MOST_REDIRECTS = 3
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}")
_AGENT = "songbird-widgets"


class Body(Protocol):
    """A body that is too large to hold, or whose sending someone watches."""

    size: int
    blocking: bool  # whether making the chunks waits for a disk

    def chunks(self) -> Iterator[bytes]:
        """Return all of it anew, for one attempt."""


@dataclass(frozen=True)
class Exchange:
    """A request to send: everything in it may be secret, so the repr shows its operation and origin only."""

    operation: str
    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    content: bytes | Body | None = field(repr=False)
    seconds: float  # for all of it
    stall: float  # without a sign of life
    request_id: str | None = None


@dataclass(frozen=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """An answer, whatever it says; names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """Why there is no answer, in words without secrets; `error` if the request itself could not be made."""

    trouble: Trouble
    detail: str = ""
    error: errors.SongbirdError | None = None


Outcome: TypeAlias = Union[Reply, Failure]
Steps: TypeAlias = Generator[Union[Exchange, Pause], Union[Reply, Failure, None], T]


@dataclass(frozen=True)
class RawResponse(Generic[T]):
    """An answer as it came, for those who need its headers or the fields that the messages leave out.

    `headers` have names in lower case. Headers and content may hold secrets; the repr shows neither.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    request_id: str
    operation: str
    _parse: Callable[[], T] = field(repr=False)

    def parse(self) -> T:
        """Return the operation's message, or raise the error that the answer stands for."""
        return self._parse()


def attempts(
    make: Callable[[float], Exchange], repeat: Repeat, policy: Retry, began: float
) -> Steps[Outcome]:
    """Send one request until it is answered for good.

    Parameters
    ----------
    make
        Makes the request for an attempt, given the seconds that are left.
    repeat
        Which failures may be repeated.
    policy
        How patient to be.
    began
        When the budget of time began to run, by the monotonic clock.
    """
    attempt = 0
    while True:
        attempt += 1
        outcome = cast(Outcome, (yield make(max(0.001, policy.budget - (time.monotonic() - began)))))
        if not may_repeat(repeat, outcome.status if isinstance(outcome, Reply) else outcome.trouble):
            return outcome
        asked = retry_after(outcome.headers, time.time()) if isinstance(outcome, Reply) else None
        pause = pause_before(policy, attempt, time.monotonic() - began, asked)
        if pause is None:
            return outcome
        yield Pause(pause)


def call(message: Request[T], settings: Settings, api_key: str | None = None) -> Steps[RawResponse[T]]:
    """Hold the conversation for one operation.

    Parameters
    ----------
    message
        What is asked for.
    settings
        The client's.
    api_key
        A key for this call alone.

    Returns
    -------
    RawResponse
        The last answer, whatever its status.

    Raises
    ------
    ValidationError, ConfigurationError
        Before anything is sent.
    EndpointUnreachable, EndpointTimeout, ResponseError
        If no answer came, or one that leads elsewhere.
    """
    operation = _operation_of(message)
    operation.check(message)
    request_id = uuid.uuid4().hex
    headers = [("User-Agent", _AGENT), ("Accept", "application/json"), ("Accept-Encoding", "identity")]
    content = operation.content(message)
    if content is not None:
        headers.append(("Content-Type", "application/json"))
    headers.append(("X-Request-Id", request_id))
    own = {name.lower() for name, _ in settings.headers}
    headers = [h for h in headers if h[0].lower() not in own] + list(settings.headers)
    secrets = (*settings.secrets, *operation.secrets(message))
    if operation.keyed:
        key = api_key or settings.api_key
        if key is None:
            raise errors.ConfigurationError(
                f"{operation.name} needs an API key, and there is none.",
                operation=operation.name,
                advice="Set SONGBIRD_API_KEY, or pass api_key.",
            )
        headers.append(("X-API-Key", key))
        secrets = (*secrets, key)
    about = _About(operation, settings, request_id, secrets)

    url = settings.endpoint + operation.target(message)
    began = time.monotonic()
    for _ in range(1 + _MOST_REDIRECTS):

        def make(left: float, url: str = url) -> Exchange:
            seconds = min(settings.timeout, left)
            return Exchange(
                operation.name, operation.method, url, tuple(headers), content, seconds, seconds, request_id
            )

        outcome = yield from attempts(make, operation.repeat, settings.retry, began)
        if isinstance(outcome, Failure):
            raise about.failed(outcome)
        if not (300 <= outcome.status < 400 and "location" in outcome.headers):  # noqa: PLR2004 - HTTP's redirects
            said = about.answered_by(outcome)
            return RawResponse(
                outcome.status, outcome.headers, outcome.body, said, operation.name, lambda: about.parsed(outcome)
            )
        url = about.redirected(outcome, url)
    raise about.error(
        errors.ResponseError, f"{settings.origin} redirects {operation.doing} in circles.", status=outcome.status
    )


def _operation_of(message: Request[Any]) -> Operation:
    operation = OPERATIONS.get(type(message))
    if operation is None:
        raise errors.ValidationError(f"A {type(message).__name__} does not ask for an operation.")
    return operation


def no_answer(failure: Failure, doing: str, origin: str, seconds: float) -> errors.SongbirdError:
    """Put into words why there is no answer."""
    if failure.error is not None:
        return failure.error
    detail = f": {failure.detail}" if failure.detail else ""
    if failure.trouble is Trouble.TIMEOUT:
        return errors.EndpointTimeout(
            f"{origin} did not finish answering {doing} within {seconds:g} s{detail}.",
            advice="Try again, or allow more time.",
            ambiguous=True,
        )
    if failure.trouble is Trouble.BROKEN:
        return errors.EndpointUnreachable(
            f"The connection to {origin} broke while {doing}{detail}.", advice="Try again.", ambiguous=True
        )
    if failure.trouble is Trouble.CANCELLED:
        return errors.Cancelled(f"Stopped while {doing}.")
    if failure.trouble is Trouble.LOCAL:
        return errors.ConfigurationError(f"The request for {doing} could not be made{detail}.")
    return errors.EndpointUnreachable(
        f"No connection to {origin}{detail}.", advice="Check the address, and that the service is running."
    )


@dataclass(frozen=True)
class _About:
    """What an error should say about the call that it ends."""

    operation: Operation
    settings: Settings
    request_id: str
    secrets: tuple[str, ...] = field(repr=False)

    def error(self, kind: type[errors.SongbirdError], message: str, **fields: Any) -> errors.SongbirdError:
        return kind(message, operation=self.operation.name, **{"request_id": self.request_id, **fields})

    def answered_by(self, reply: Reply) -> str:
        said = reply.headers.get("x-request-id", "")
        return said if _REQUEST_ID.fullmatch(said) and redact(said, self.secrets) == said else self.request_id

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
        if same and target.isascii() and target.isprintable():
            if reply.status in {307, 308} or self.operation.method == "GET":
                return target
            raise self.error(
                errors.ResponseError,
                f"{self.settings.origin} redirects {self.operation.doing} in a way that loses what is sent.",
                status=reply.status,
                advice="Check the address of the endpoint.",
            )
        raise self.error(
            errors.ResponseError,
            f"{self.settings.origin} redirects {self.operation.doing} to another place ({origin_of(target)}).",
            status=reply.status,
            advice="Nothing was sent there. If you trust it, use it as the endpoint.",
        )

    def parsed(self, reply: Reply) -> Any:
        if not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's successes
            raise self.refused(reply)
        try:
            return msgspec.json.decode(reply.body, type=self.operation.answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # msgspec's words name fields and types, never values.
            reason = "it is not JSON" if not isinstance(error, msgspec.ValidationError) else str(error)
        shown = excerpt(reply.body, self.secrets)
        raise self.error(
            errors.ResponseError,
            f"{self.settings.origin} answered {self.operation.doing} ({reply.status}), but not as a Songbird endpoint "
            f"does: {reason if reply.body else 'it is empty'}." + (f" It begins: “{shown}”." if shown else ""),
            status=reply.status,
            request_id=self.answered_by(reply),
            advice="Check the address of the endpoint.",
        )

    def refused(self, reply: Reply) -> errors.SongbirdError:
        said = None
        try:
            said = msgspec.json.decode(reply.body, type=ErrorResponse)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            words = excerpt(reply.body, self.secrets)
        else:
            words = excerpt(said.message.encode("utf-8", "replace"), self.secrets, length=400)
        kind = errors.error_for_status(reply.status)
        ambiguous = kind is errors.ServerError and self.operation.repeat is Repeat.UNSENT
        advice = _ADVICE.get(kind)
        if kind is errors.AuthenticationError and not self.operation.keyed:
            advice = "No key is involved: this computer's address may be blocked. Ask who runs the endpoint."
        if kind is errors.NotFound and said is None:
            advice = "Check that the address is that of a Songbird endpoint."
        return self.error(
            kind,
            f"{self.settings.origin} refused {self.operation.doing} ({reply.status})" + (f": {words}" if words else "."),
            status=reply.status,
            request_id=self.answered_by(reply),
            advice=_ASK if ambiguous else advice,
            ambiguous=ambiguous,
        )


_ASK = "It is unknown whether the claim went through: ask get_session. If the session has expired, it did."
_ADVICE: dict[type[errors.SongbirdError], str] = {
    errors.AuthenticationError: "Check the API key.",
    errors.NotFound: "Check the id.",
    errors.SessionExpired: "It was claimed or has expired: start a new session.",
    errors.PayloadTooLarge: "Send less at once.",
    errors.RateLimited: "Wait a while, then try again.",
    errors.ServerError: "Try again later; whoever runs the endpoint can look up the request id.",
}

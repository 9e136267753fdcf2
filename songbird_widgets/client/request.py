"""A request: made from a message and a client's settings, repeated while that is safe, and sent on by redirects."""

from __future__ import annotations

import random
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urljoin

import msgspec

from . import errors
from .operations import OPERATIONS, Operation, check
from .redaction import Redacted, Secret, origin_of
from .response import HTTPResponse, Outcome, RawResponse, answered_id, raw_response
from .retry import Retry, pause_before_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from .configuration import Settings
    from .models import Request

T = TypeVar("T")
# What a client does step by step, in threads or asyncio: a request to send, answered by its outcome; or seconds to
# wait, answered by True if nothing is to be sent any more.
Steps: TypeAlias = "Generator[HTTPRequest | float, Any, T]"

MAX_REDIRECTS = 3


class HTTPRequest(Redacted, frozen=True):
    """What to send, and how long that may take.

    `content` may be a function that returns its pieces anew for each attempt; they are `blocking` if they wait for a
    disk. `timeout` is the seconds without a sign of life, `seconds` those of a whole attempt; after `deadline`, by the
    monotonic clock, it is not repeated. `secrets` must not be seen in what is said about the answer.
    """

    _shown = ("operation", "origin")
    operation: Operation
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes | Callable[[], Iterator[bytes]] | None
    timeout: float
    seconds: float
    retry: Retry
    deadline: float
    secrets: tuple[Secret, ...] = ()
    request_id: str | None = None
    blocking: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown of the URL."""
        return origin_of(self.url)

    def error(
        self, kind: type[errors.SongbirdError], said: str, response: HTTPResponse | None = None, **fields: Any
    ) -> Any:
        """Make an error about this request, or about the answer to it."""
        request_id = self.request_id if response is None else answered_id(self, response)
        status = None if response is None else response.status
        return kind(said, operation=self.operation.name, status=status, request_id=request_id, **fields)


def build_request(message: Request[Any], settings: Settings, api_key: Secret | None = None) -> HTTPRequest:
    """Make the request for an operation; `api_key` is for this one alone.

    Raises
    ------
    ValidationError, ConfigurationError
        If no endpoint would take it, or the key is missing.
    """
    operation = OPERATIONS.get(type(message))
    if operation is None:
        raise errors.ValidationError(f"A {type(message).__name__} does not ask for an operation.")
    check(message)
    key = (api_key or settings.api_key) if operation.keyed else None
    request_id = uuid.uuid4().hex
    if operation.keyed and key is None:
        advice = "Set SONGBIRD_API_KEY, or pass api_key."
        raise errors.ConfigurationError(
            "This needs an API key, and there is none.",
            advice=advice,
            operation=operation.name,
            request_id=request_id,
        )
    content = operation.content(message)
    said = [("User-Agent", "songbird-widgets"), ("Accept", "application/json")]
    if content is not None:
        said.append(("Content-Type", "application/json"))
    said += [(name, value.reveal()) for name, value in settings.headers]
    said.append(("X-Request-Id", request_id))
    if key is not None:
        said.append(("X-API-Key", key.reveal()))
    # The last of a name counts, in whatever case it is written.
    headers = {name.lower(): (name, value) for name, value in said}
    private = tuple(Secret.of(value) for value in (key, getattr(message, "session_id", "")) if value)
    return HTTPRequest(
        operation=operation,
        url=settings.endpoint.reveal() + operation.target(message),
        headers=tuple(headers.values()),
        content=content,
        timeout=settings.timeout,
        seconds=settings.timeout,
        retry=settings.retry,
        deadline=time.monotonic() + settings.retry.budget,
        secrets=(*settings.secrets, *private),
        request_id=request_id,
    )


def sent(request: HTTPRequest) -> Steps[Outcome]:
    """Return what comes of a request, after as many attempts as are safe and allowed."""
    attempt = 0
    while True:
        attempt += 1
        outcome: Outcome = yield request
        left, jitter = request.deadline - time.monotonic(), random.random()  # noqa: S311 - no secret
        pause = pause_before_retry(
            request.retry, request.operation.repeat, outcome, attempt, left=left, now=time.time(), jitter=jitter
        )
        if pause is None or (yield pause):
            return outcome


def answered(request: HTTPRequest) -> Steps[RawResponse[Any]]:
    """Return the answer to an operation, whatever its status, following redirects within the endpoint.

    Raises
    ------
    SongbirdError
        If no answer came, or one that leads elsewhere or in circles.
    """
    for _ in range(1 + MAX_REDIRECTS):
        outcome = yield from sent(request)
        if not isinstance(outcome, HTTPResponse) or not outcome.location:
            return raw_response(request, outcome)
        request = _redirected(request, outcome)
    raise request.error(errors.ResponseError, f"{request.origin} redirects {request.operation.doing} in circles.")


def _redirected(request: HTTPRequest, response: HTTPResponse) -> HTTPRequest:
    """Return the request to send instead; another origin gets none, and what was to be sent must not be lost."""
    origin, doing = request.origin, request.operation.doing
    try:
        target = Secret(urljoin(request.url, response.location))
    except ValueError:
        target = Secret("")
    place, usable = origin_of(target.reveal()), target.reveal().isascii() and target.reveal().isprintable()
    if place.lower() != origin.lower() or "@" in target.reveal() or not usable:
        said = f"{origin} redirects {doing} to another place ({place})."
        advice = "Nothing was sent there. If you trust it, use it as the endpoint."
        raise request.error(errors.ResponseError, said, response, advice=advice)
    if response.status not in {307, 308} and request.operation.method != "GET":
        said = f"{origin} redirects {doing} in a way that loses what is sent."
        raise request.error(errors.ResponseError, said, response, advice="Check the address of the endpoint.")
    return msgspec.structs.replace(request, url=target.reveal())

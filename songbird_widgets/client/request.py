"""A request as it is sent: made from a message and a client's settings, and sent elsewhere where it is redirected."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar
from urllib.parse import urljoin

import msgspec

from . import errors
from .operations import OPERATIONS, Operation, check
from .redaction import Redacted, Secret, origin_of
from .response import HTTPResponse, Outcome, RawResponse, answered_id, raw_response

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .configuration import Settings
    from .models import Request

T = TypeVar("T")
Steps: TypeAlias = "Generator[HTTPRequest, Outcome, T]"

MAX_REDIRECTS = 3
_AGENT = ("User-Agent", "songbird-widgets")


class Body(Protocol):
    """Bytes to send in pieces, made anew for each attempt; `blocking` if reading them waits for a disk."""

    blocking: bool

    def chunks(self) -> Iterator[bytes]:
        """Return the pieces."""
        ...


class HTTPRequest(Redacted, frozen=True):
    """What to send, and how long that may take.

    `timeout` is the seconds without a sign of life, `seconds` those of a whole attempt; after `deadline`, by the
    monotonic clock, it is not repeated. `secrets` must not be seen in what is said about the answer.
    """

    _shown = ("operation", "origin")
    operation: Operation
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes | Body | None
    timeout: float
    seconds: float
    deadline: float
    secrets: tuple[Secret, ...] = ()
    request_id: str | None = None

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
        raise errors.ConfigurationError(
            "This needs an API key, and there is none.",
            advice="Set SONGBIRD_API_KEY, or pass api_key.",
            operation=operation.name,
            request_id=request_id,
        )
    content = operation.content(message)
    headers = {"user-agent": _AGENT, "accept": ("Accept", "application/json")}
    if content is not None:
        headers["content-type"] = ("Content-Type", "application/json")
    headers.update((name.lower(), (name, value.reveal())) for name, value in settings.headers)
    own = [("X-Request-Id", request_id)] + ([("X-API-Key", key.reveal())] if key else [])
    private = tuple(Secret.of(value) for value in (key, getattr(message, "session_id", "")) if value)
    return HTTPRequest(
        operation=operation,
        url=settings.endpoint.reveal() + operation.target(message),
        headers=(*headers.values(), *own),
        content=content,
        timeout=settings.timeout,
        seconds=settings.timeout,
        deadline=time.monotonic() + settings.retry.budget,
        secrets=(*settings.secrets, *private),
        request_id=request_id,
    )


def redirected(request: HTTPRequest, response: HTTPResponse) -> HTTPRequest | None:
    """Return the request to send instead, or None if the answer redirects nowhere.

    Raises
    ------
    ResponseError
        If it leads to another origin, or what was to be sent would be lost on the way.
    """
    if not (300 <= response.status < 400 and "location" in response.headers):
        return None
    origin, doing = request.origin, request.operation.doing
    target = _target(request, response)
    if target is None:
        elsewhere = _elsewhere(request, response)
        said = f"{origin} redirects {doing} to another place ({elsewhere})."
        advice = "Nothing was sent there. If you trust it, use it as the endpoint."
        raise request.error(errors.ResponseError, said, response, advice=advice)
    if response.status not in {307, 308} and request.operation.method != "GET":
        said = f"{origin} redirects {doing} in a way that loses what is sent."
        raise request.error(errors.ResponseError, said, response, advice="Check the address of the endpoint.")
    return msgspec.structs.replace(request, url=target.reveal())


def _elsewhere(request: HTTPRequest, response: HTTPResponse) -> str:
    try:
        return origin_of(urljoin(request.url, response.headers["location"]))
    except ValueError:
        return "(no URL)"


def _target(request: HTTPRequest, response: HTTPResponse) -> Secret | None:
    try:
        target = urljoin(request.url, response.headers["location"])
    except ValueError:
        return None
    same = origin_of(target).lower() == request.origin.lower() and "@" not in target
    return Secret(target) if same and target.isascii() and target.isprintable() else None


def answered(request: HTTPRequest) -> Steps[RawResponse[Any]]:
    """Return the answer to an operation, whatever its status: yields each request, and is sent what came of it.

    Raises
    ------
    SongbirdError
        If no answer came, or one that leads elsewhere or in circles.
    """
    for _ in range(1 + MAX_REDIRECTS):
        outcome = yield request
        following = redirected(request, outcome) if isinstance(outcome, HTTPResponse) else None
        if following is None:
            return raw_response(request, outcome)
        request = following
    raise request.error(errors.ResponseError, f"{request.origin} redirects {request.operation.doing} in circles.")

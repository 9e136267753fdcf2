"""A request over HTTP, made from a message and a client's settings."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from ..secret import Secret
from . import errors
from .checks import check
from .models import Operation, Request
from .redaction import Redacted, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .configuration import Settings
    from .retry import Retry

# By their names in lower case, under which a caller's own may replace them.
_HEADERS = {
    "user-agent": ("User-Agent", Secret("songbird-widgets")),
    "accept": ("Accept", Secret("application/json")),
    "accept-encoding": ("Accept-Encoding", Secret("identity")),  # a few kilobytes may unpack to gigabytes
}
_JSON = {"content-type": ("Content-Type", Secret("application/json"))}


class HTTPRequest(Redacted, frozen=True):
    """What to send, and how long that may take.

    `headers` are all but Host. `content` may be a function that returns its pieces anew for each attempt; they are
    `blocking` if they wait for a disk. `timeout` is the seconds without a sign of life, `seconds` those of a whole
    attempt; after `deadline`, by the monotonic clock, it is not repeated. `secrets` must not be seen in what is said
    about the answer.
    """

    _shown = ("operation", "origin")
    operation: Operation
    url: Secret
    headers: tuple[tuple[str, Secret], ...]
    content: bytes | Callable[[], Iterator[bytes]]
    timeout: float
    seconds: float
    retry: Retry
    deadline: float
    secrets: tuple[Secret, ...] = ()
    request_id: str | None = None
    blocking: bool = False
    answer: Any = None  # the type of the message that answers it

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown of the URL."""
        return origin_of(self.url.reveal())


def build_request(message: Request[Any], settings: Settings, api_key: Secret | None = None) -> HTTPRequest:
    """Make the request for an operation, if an endpoint would take it; `api_key` is for this one alone."""
    if not isinstance(message, Request):
        raise errors.ValidationError(f"A {type(message).__name__} does not ask for an operation.")
    check(message)
    operation, request_id = message.operation, uuid.uuid4().hex
    key = (api_key or settings.api_key) if operation.keyed else None
    if operation.keyed and key is None:
        said, advice = "This needs an API key, and there is none.", "Set SONGBIRD_API_KEY, or pass api_key."
        raise errors.ConfigurationError(said, advice=advice, operation=operation.name, request_id=request_id)
    content = operation.content(message)
    headers = {**_HEADERS, **({} if content is None else _JSON), **{n.lower(): (n, v) for n, v in settings.headers}}
    if operation.method == "POST":
        headers["content-length"] = ("Content-Length", Secret(str(len(content or b""))))
    headers["x-request-id"] = ("X-Request-Id", Secret(request_id))
    if key is not None:
        headers["x-api-key"] = ("X-API-Key", key)
    private = (key, Secret.of(getattr(message, "session_id", None)))
    return HTTPRequest(
        operation=operation,
        url=Secret(settings.endpoint.reveal() + operation.target(message)),
        headers=tuple(headers.values()),
        content=content or b"",
        timeout=settings.timeout,
        seconds=settings.timeout,
        retry=settings.retry,
        deadline=time.monotonic() + settings.retry.budget,
        secrets=(*settings.secrets, *filter(None, private)),
        request_id=request_id,
        answer=message.answer(),
    )

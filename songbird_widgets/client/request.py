"""A request over HTTP, made from a message and a client's settings."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from ..secret import Secret
from . import errors
from .operations import OPERATIONS, Operation, check
from .redaction import Redacted, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .configuration import Settings
    from .models import Request
    from .retry import Retry


class HTTPRequest(Redacted, frozen=True):
    """What to send, and how long that may take.

    `content` may be a function that returns its pieces anew for each attempt; they are `blocking` if they wait for a
    disk. `timeout` is the seconds without a sign of life, `seconds` those of a whole attempt; after `deadline`, by the
    monotonic clock, it is not repeated. `secrets` must not be seen in what is said about the answer.
    """

    _shown = ("operation", "origin")
    operation: Operation
    url: Secret
    headers: tuple[tuple[str, Secret], ...]
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
        return origin_of(self.url.reveal())


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
    said = [("User-Agent", Secret("songbird-widgets")), ("Accept", Secret("application/json"))]
    if content is not None:
        said.append(("Content-Type", Secret("application/json")))
    said += settings.headers
    said.append(("X-Request-Id", Secret(request_id)))
    if key is not None:
        said.append(("X-API-Key", key))
    # The last of a name counts, in whatever case it is written.
    headers = {name.lower(): (name, value) for name, value in said}
    private = tuple(Secret.of(value) for value in (key, getattr(message, "session_id", "")) if value)
    return HTTPRequest(
        operation=operation,
        url=Secret(settings.endpoint.reveal() + operation.target(message)),
        headers=tuple(headers.values()),
        content=content,
        timeout=settings.timeout,
        seconds=settings.timeout,
        retry=settings.retry,
        deadline=time.monotonic() + settings.retry.budget,
        secrets=(*settings.secrets, *private),
        request_id=request_id,
    )

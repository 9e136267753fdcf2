"""The steps of a call: a request, repeated while that is safe, and sent on by redirects."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import msgspec

from ..secret import Secret
from . import errors
from .redaction import origin_of
from .response import Failure, RawResponse, unanswered
from .retry import pause_before_retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .request import HTTPRequest
    from .transport import Transport

MAX_REDIRECTS = 3
_random = random.SystemRandom()


async def sent(
    request: HTTPRequest, transport: Transport, wait: Callable[[float], Awaitable[object]] | None = None
) -> RawResponse[Any]:
    """Return the answer to a request, whatever its status, after as many attempts as are safe and allowed.

    `wait` sleeps between them, and returns True if nothing is to be sent any more. No answer is a `SongbirdError`.
    """
    attempt, wait = 0, wait or transport.sleep
    while True:
        attempt += 1
        came = await transport.send(request)
        reason, headers = (came.kind, {}) if isinstance(came, Failure) else (came.status, came.headers)
        if reason in request.operation.repeat.value:
            left, jitter = request.deadline - time.monotonic(), _random.random()
            pause = pause_before_retry(request.retry, attempt, headers, left=left, now=time.time(), jitter=jitter)
            if pause is not None and not await wait(pause):
                continue
        if isinstance(came, Failure):
            raise unanswered(request, came)
        return came


async def answered(
    request: HTTPRequest, transport: Transport, wait: Callable[[float], Awaitable[object]] | None = None
) -> RawResponse[Any]:
    """Return the answer to an operation as `sent` does, following redirects within the endpoint."""
    for _ in range(1 + MAX_REDIRECTS):
        response = await sent(request, transport, wait)
        location = response.headers.get("location") if 300 <= response.status < 400 else None
        if not location:
            return response
        request = _redirected(request, response, location)
    said = f"{request.origin} redirects {request.operation.doing} in circles."
    raise errors.ResponseError(said, operation=request.operation.name, request_id=request.request_id)


def _redirected(request: HTTPRequest, response: RawResponse[Any], location: str) -> HTTPRequest:
    """Return the request to send instead; another origin gets none, and what was to be sent must not be lost."""
    origin, doing = request.origin, request.operation.doing
    try:
        target = urljoin(request.url.reveal(), location)
    except ValueError:
        target = ""
    place = origin_of(target)
    if (
        "@" in target
        or " " in target
        or not (target.isascii() and target.isprintable() and place.lower().startswith("http"))
    ):
        said = f"{origin} redirects {doing} to an address that cannot be used."
        raise response.error(errors.ResponseError, said, "Check the address of the endpoint.")
    if place.lower() != origin.lower():
        said = f"{origin} redirects {doing} to another place ({place})."
        advice = "Nothing was sent there. If you trust it, use it as the endpoint."
        raise response.error(errors.ResponseError, said, advice)
    if response.status not in {307, 308} and request.operation.method != "GET":
        said = f"{origin} redirects {doing} in a way that loses what is sent."
        raise response.error(errors.ResponseError, said, "Check the address of the endpoint.")
    return msgspec.structs.replace(request, url=Secret(target))

"""The steps of a call: a request, repeated while that is safe, and sent on by redirects. No I/O."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urljoin

import msgspec

from ..secret import Secret
from . import errors
from .outcome import Failure, HTTPResponse, Outcome
from .redaction import origin_of
from .response import RawResponse, request_error, unanswered
from .retry import pause_before_retry

if TYPE_CHECKING:
    from collections.abc import Generator

    from .request import HTTPRequest

T = TypeVar("T")
# What a client does step by step, in threads or asyncio: a request to send, answered by its outcome; or seconds to
# wait, answered by True if nothing is to be sent any more.
Steps: TypeAlias = "Generator[HTTPRequest | float, Any, T]"

MAX_REDIRECTS = 3


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
        if isinstance(outcome, Failure):
            raise unanswered(request, outcome)
        if not outcome.location:
            return RawResponse(request, outcome)
        request = _redirected(request, outcome)
    raise request_error(
        request, errors.ResponseError, f"{request.origin} redirects {request.operation.doing} in circles."
    )


def _redirected(request: HTTPRequest, response: HTTPResponse) -> HTTPRequest:
    """Return the request to send instead; another origin gets none, and what was to be sent must not be lost."""
    origin, doing = request.origin, request.operation.doing
    try:
        target = Secret(urljoin(request.url.reveal(), response.location))
    except ValueError:
        target = Secret("")
    place, usable = origin_of(target.reveal()), target.reveal().isascii() and target.reveal().isprintable()
    if place.lower() != origin.lower() or "@" in target.reveal() or not usable:
        said = f"{origin} redirects {doing} to another place ({place})."
        advice = "Nothing was sent there. If you trust it, use it as the endpoint."
        raise request_error(request, errors.ResponseError, said, response, advice=advice)
    if response.status not in {307, 308} and request.operation.method != "GET":
        said = f"{origin} redirects {doing} in a way that loses what is sent."
        raise request_error(request, errors.ResponseError, said, response, advice="Check the address of the endpoint.")
    return msgspec.structs.replace(request, url=target)

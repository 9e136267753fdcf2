"""What an answer means, or that there is none: a message, or an error in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from . import errors
from .models import ErrorResponse
from .outcome import Failure, FailureKind, HTTPResponse
from .redaction import Redacted, excerpt, secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..secret import Secret
    from .request import HTTPRequest

T = TypeVar("T")
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}")
_ASK = "It is unknown whether the claim went through: ask get_session. If the session has expired, it did."
_CHECK_ADDRESS = "Check the address, and that the service is running."
_REFUSALS: dict[int, tuple[type[errors.SongbirdError], str | None]] = {
    400: (errors.BadRequest, None),
    401: (errors.AuthenticationError, "Check the API key."),
    403: (errors.AuthenticationError, "Check the API key."),
    404: (errors.NotFound, "Check the id."),
    409: (errors.Conflict, None),
    410: (errors.SessionExpired, "It was claimed or has expired: start a new session."),
    413: (errors.PayloadTooLarge, "Send less at once."),
    429: (errors.RateLimited, "Wait a while, then try again."),
    507: (errors.PayloadTooLarge, "Ask whoever runs the endpoint to make room."),
    500: (errors.ServerError, "Try again later; whoever runs the endpoint can look up the request id."),
}


class RawResponse(Redacted, Generic[T], frozen=True):
    """An answer as it came, for those who need its headers or the fields that the messages leave out.

    `headers` have names in lower case. Headers and content may hold secrets; the repr shows neither.
    """

    _shown = ("status", "request_id", "operation")
    _request: HTTPRequest
    _response: HTTPResponse

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        return self._response.headers

    @property
    def content(self) -> bytes:
        """The body."""
        return self._response.body

    @property
    def request_id(self) -> str:
        """The id under which the endpoint's operator finds the request."""
        return answered_id(self._request, self._response)

    @property
    def operation(self) -> str:
        """The operation's name."""
        return self._request.operation.name

    def parse(self) -> T:
        """Return the operation's message, or raise the error that the answer stands for."""
        return cast("T", _message(self._request, self._response))


def answered_id(request: HTTPRequest, response: HTTPResponse) -> str:
    """Return the request id that the endpoint answered with, or ours if that is not fit to be shown."""
    said = response.headers.get("x-request-id", "")
    usable = _REQUEST_ID.fullmatch(said) and not any(secret.reveal() in said for secret in request.secrets)
    return said if usable else request.request_id or ""


def request_error(
    request: HTTPRequest,
    kind: type[errors.SongbirdError],
    said: str,
    response: HTTPResponse | None = None,
    *,
    advice: str | None = None,
    ambiguous: bool = False,
) -> errors.SongbirdError:
    """Make an error about a request, or about the answer to it."""
    return kind(
        said,
        operation=request.operation.name,
        status=None if response is None else response.status,
        request_id=request.request_id if response is None else answered_id(request, response),
        advice=advice,
        ambiguous=ambiguous,
    )


def unanswered(request: HTTPRequest, failure: Failure) -> errors.SongbirdError:
    """Put into words why there is no answer."""
    detail, doing = f": {failure.detail}" if failure.detail else "", request.operation.doing
    origin = request.origin
    kind: type[errors.SongbirdError]
    kind, advice = errors.EndpointUnreachable, failure.advice
    if failure.error is not None:
        return failure.error
    if failure.kind is FailureKind.TIMEOUT:
        kind, advice = errors.EndpointTimeout, "Try again, or allow more time."
        said = f"{origin} did not finish answering {doing} within {request.timeout:g} s."
    elif failure.kind is FailureKind.BROKEN:
        said, advice = f"The connection to {origin} broke while {doing}{detail}.", "Try again."
    elif failure.kind is FailureKind.LOCAL:
        kind, said = errors.ConfigurationError, f"The request for {doing} could not be made{detail}."
    else:
        said, advice = f"No connection to {origin}{detail}.", advice or _CHECK_ADDRESS
    ambiguous = failure.kind in {FailureKind.TIMEOUT, FailureKind.BROKEN}
    advice = _ASK if ambiguous and not request.operation.repeatable else advice
    error = request_error(request, kind, said, advice=advice, ambiguous=ambiguous)
    if failure.kind in {FailureKind.CONNECT, FailureKind.UNUSABLE}:
        error.request_id = None  # the request reached nobody who could look it up
    return error


def _message(request: HTTPRequest, response: HTTPResponse) -> Any:
    """Return the message that answers an operation, or raise the error that the answer stands for."""
    if not response.success:
        raise _refusal(request, response)
    if request.operation.answer is bytes:
        return response.body
    reason = "it is not JSON" if response.body else "it is empty"
    try:
        return msgspec.json.decode(response.body, type=request.operation.answer)
    except msgspec.ValidationError as error:
        reason = str(error)  # which names fields and types, never values
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    shown = excerpt(response.body, request.secrets)
    said = f"{request.origin} answered {request.operation.doing} ({response.status}), "
    said += f"but not as Songbird does: {reason}."
    said += f" It begins: “{shown}”." if shown else ""
    raise request_error(request, errors.ResponseError, said, response, advice="Check the address of the endpoint.")


def _refusal(request: HTTPRequest, response: HTTPResponse) -> errors.SongbirdError:
    shown, plain_text = _words(response, request.secrets)
    server_error = 500 <= response.status < 600
    unknown = _REFUSALS[500] if server_error else (errors.ResponseError, None)
    kind, advice = _REFUSALS.get(response.status, unknown)
    ambiguous = server_error and not request.operation.repeatable
    advice = _ASK if ambiguous else advice
    if kind is errors.AuthenticationError and not request.operation.keyed:
        advice = "No key is involved: this address may be blocked. Ask who runs the endpoint."
    if kind is errors.PayloadTooLarge and not plain_text:
        advice = None  # the words say what to do
    if kind is errors.NotFound and plain_text:
        advice = "Check that the address is that of a Songbird endpoint."
    said = f"{request.origin} refused {request.operation.doing} ({response.status})"
    said += f": {shown}" if shown else "."
    return request_error(request, kind, said, response, advice=advice, ambiguous=ambiguous)


def _words(response: HTTPResponse, secrets: tuple[Secret, ...]) -> tuple[str, bool]:
    """Return what a refusal says, to be shown, and whether it is not in the contract's shape."""
    try:
        words = msgspec.json.decode(response.body, type=ErrorResponse).message.encode("utf-8", "replace")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return excerpt(response.body, secrets), True
    return excerpt(words, secrets, length=400), False


def refused_upload(request: HTTPRequest, response: HTTPResponse) -> errors.SongbirdError:
    """Put into words why the storage did not take a profile."""
    shown, plain_text = _words(response, (*request.secrets, *secrets_of(request.url.reveal())))
    said = f"{request.origin} did not take the profile ({response.status})" + (f": {shown}" if shown else ".")
    full = response.status in {413, 507} and not plain_text  # the words say what to do
    advice = None if full else "Try again; if it stays so, ask who runs the endpoint."
    return errors.UploadRefused(said, status=response.status, operation="upload", advice=advice)


def damaged_upload(request: HTTPRequest) -> errors.SongbirdError:
    """Say that something else arrived than was sent."""
    said = f"What arrived of the profile at {request.origin} is not what was sent: something on the way changes bytes."
    return errors.UploadRefused(said, operation="upload", advice="Try again, or use an https address.", ambiguous=True)

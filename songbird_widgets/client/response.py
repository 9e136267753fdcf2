"""What an answer means, or that there is none: a message, or an error in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from . import errors
from .models import ErrorResponse
from .redaction import Redacted, excerpt, secrets_of
from .retry import FailureKind, Repeat

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
    410: (errors.SessionExpired, "It was claimed or deleted, or has expired: start a new session."),
    413: (errors.PayloadTooLarge, "Send less at once."),
    429: (errors.RateLimited, "Wait a while, then try again."),
    507: (errors.PayloadTooLarge, "Ask whoever runs the endpoint to make room."),
    500: (errors.ServerError, "Try again later; whoever runs the endpoint can look up the request id."),
}


class RawResponse(Redacted, Generic[T], frozen=True):
    """An answer as it came, for those who need its headers or the fields that the messages leave out.

    Attributes
    ----------
    status : int
        The HTTP status.
    headers : mapping of str to str
        Names are found in lower case. Headers and content may hold secrets; the repr shows neither.
    content : bytes
        The body.
    """

    _shown = ("status", "request_id", "operation")
    _request: HTTPRequest
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def request_id(self) -> str:
        """The id under which the endpoint's operator finds the request: the answer's if that may be shown, or ours."""
        said = self.headers.get("x-request-id", "")
        usable = _REQUEST_ID.fullmatch(said) and not any(secret.reveal() in said for secret in self._request.secrets)
        return said if usable else self._request.request_id or ""

    @property
    def operation(self) -> str:
        """The operation's name."""
        return self._request.operation.name

    @property
    def success(self) -> bool:
        """Whether the status is one of HTTP's successes."""
        return 200 <= self.status < 300

    @property
    def encoded(self) -> bool:
        """Whether the content is compressed, or encoded in another way; nothing is unpacked here."""
        return self.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}

    def parse(self) -> T:
        """Return the operation's message, or raise the error that the answer stands for."""
        if not self.success:
            raise _refusal(self._request, self)
        if self.encoded:
            said = (
                f"{self._request.origin} answered {self._request.operation.doing} compressed, which nobody asked for."
            )
            raise self.error(errors.ResponseError, said, "Ask who runs it, or what stands before it.")
        return cast("T", self.content if self._request.answer is bytes else _decoded(self._request, self))

    def error(
        self, kind: type[errors.SongbirdError], said: str, advice: str | None = None, *, ambiguous: bool = False
    ) -> errors.SongbirdError:
        """Make an error about this answer."""
        error = kind(said, operation=self.operation, request_id=self.request_id, advice=advice, ambiguous=ambiguous)
        error.status = self.status
        return error


class Failure(Redacted, frozen=True):
    """Why there is no answer, in words without secrets, or after which time; `error` if these are an error already."""

    _shown = ("kind", "detail")
    kind: FailureKind
    detail: str = ""
    advice: str | None = None
    error: errors.SongbirdError | None = None


def unanswered(request: HTTPRequest, failure: Failure) -> errors.SongbirdError:
    """Put into words why there is no answer."""
    if failure.error is not None:
        return failure.error
    detail, doing = f": {failure.detail}" if failure.detail else "", request.operation.doing
    kind: type[errors.SongbirdError]
    kind, advice, request_id = errors.EndpointUnreachable, failure.advice, request.request_id
    if failure.kind is FailureKind.TIMEOUT:
        kind, advice = errors.EndpointTimeout, "Try again, or allow more time."
        said = f"{request.origin} did not finish answering {doing} in {failure.detail}."
    elif failure.kind is FailureKind.BROKEN:
        said, advice = f"The connection to {request.origin} broke while {doing}{detail}.", "Try again."
    elif failure.kind is FailureKind.LOCAL:
        kind, said = errors.ConfigurationError, f"The request for {doing} could not be made{detail}."
    else:  # it reached nobody who could look its id up
        said, advice, request_id = f"No connection to {request.origin}{detail}.", advice or _CHECK_ADDRESS, None
    ambiguous = failure.kind in {FailureKind.TIMEOUT, FailureKind.BROKEN}
    if ambiguous and request.operation.repeat is Repeat.UNSENT:
        advice = _ASK
    return kind(said, operation=request.operation.name, request_id=request_id, advice=advice, ambiguous=ambiguous)


def _decoded(request: HTTPRequest, response: RawResponse[Any]) -> Any:
    reason = "it is not JSON" if response.content else "it is empty"
    try:
        return msgspec.json.decode(response.content, type=request.answer)
    except msgspec.ValidationError as error:
        reason = str(error)  # which names fields and types, never values
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    shown = excerpt(response.content, request.secrets)
    said = f"{request.origin} answered {request.operation.doing} ({response.status}), "
    said += f"but not as Songbird does: {reason}."
    said += f" It begins: “{shown}”." if shown else ""
    raise response.error(errors.ResponseError, said, "Check the address of the endpoint.")


def _refusal(request: HTTPRequest, response: RawResponse[Any]) -> errors.SongbirdError:
    shown, plain_text = _words(response, request.secrets)
    server_error = 500 <= response.status < 600
    unknown = _REFUSALS[500] if server_error else (errors.ResponseError, None)
    kind, advice = _REFUSALS.get(response.status, unknown)
    ambiguous = server_error and request.operation.repeat is Repeat.UNSENT
    advice = _ASK if ambiguous else advice
    if kind is errors.AuthenticationError and not request.operation.keyed:
        advice = "No key is involved: this address may be blocked. Ask who runs the endpoint."
    if (kind is errors.PayloadTooLarge and not plain_text) or "new session" in shown:
        advice = None  # the words say what to do
    if kind is errors.NotFound and plain_text:
        advice = "Check that the address is that of a Songbird endpoint."
    said = f"{request.origin} refused {request.operation.doing} ({response.status})"
    said += f": {shown}" if shown else "."
    return response.error(kind, said, advice, ambiguous=ambiguous)


def _words(response: RawResponse[Any], secrets: tuple[Secret, ...]) -> tuple[str, bool]:
    """Return what a refusal says, to be shown, and whether it is not in the contract's shape."""
    if response.encoded:
        return "", True
    try:
        words = msgspec.json.decode(response.content, type=ErrorResponse).message.encode("utf-8", "replace")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return excerpt(response.content, secrets), True
    return excerpt(words, secrets, length=400), False


def refused_upload(request: HTTPRequest, response: RawResponse[Any]) -> errors.SongbirdError:
    """Put into words why the storage did not take a profile."""
    shown, plain_text = _words(response, (*request.secrets, *secrets_of(request.url.reveal())))
    said = f"{request.origin} did not take the profile ({response.status})" + (f": {shown}" if shown else ".")
    full = response.status in {413, 507} and not plain_text  # the words say what to do
    advice = None if full else "Try again; if it stays so, ask who runs the endpoint."
    return errors.UploadRefused(said, status=response.status, operation="upload", advice=advice)


def damaged_upload(request: HTTPRequest, *, whole: bool) -> errors.SongbirdError:
    """Say that something else arrived than was sent, or was confirmed before the whole was sent."""
    said = f"What arrived of the profile at {request.origin} is not what was sent: something on the way changes bytes."
    advice = "Try again, or use an https address."
    if not whole:
        said = f"{request.origin} confirmed the profile before all of it was sent, so it may be torn there."
        advice = "Try again; if it stays so, ask who runs the endpoint."
    return errors.UploadRefused(said, operation="upload", advice=advice, ambiguous=True)

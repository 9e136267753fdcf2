"""Everything that can go wrong with a Songbird endpoint, as one small tree of exceptions.

``str(error)`` is for the person reading: what happened, to what, and what to do now. No error holds an API
key, a whole session id, a presigned URL or the path of an endpoint, nor a chained exception that does.
"""

from __future__ import annotations

from typing import Any


class SongbirdError(Exception):
    """Anything that went wrong.

    Parameters
    ----------
    message
        What happened, and to what.
    status
        The HTTP status, if there was an answer.
    request_id
        The id under which the endpoint's operator finds this request; None if it reached nobody.
    operation
        The operation's name, for example ``create_session``, or ``upload`` for the bytes of a profile.
    advice
        What to do now.
    ambiguous
        True if the endpoint may have done what was asked although no proper answer came.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> with sw.Songbird() as client:
    ...     try:
    ...         client.list_session_profiles("session-that-never-was")
    ...     except sw.SongbirdError as error:
    ...         print(error.status)
    404
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        operation: str | None = None,
        advice: str | None = None,
        ambiguous: bool = False,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.request_id = message, status, request_id
        self.operation, self.advice, self.ambiguous = operation, advice, ambiguous

    def __str__(self) -> str:
        text = self.message if self.message.endswith((".", "!", "?", "…")) else f"{self.message}."
        text = text if self.advice is None else f"{text} {self.advice}"
        return text if self.request_id is None else f"{text} (request id {self.request_id})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), {k: v for k, v in self.__dict__.items() if not k.startswith("__")})


def _restored(kind: type[SongbirdError], fields: dict[str, Any]) -> SongbirdError:
    return kind(**fields)


class ConfigurationError(SongbirdError):
    """The client was given something that it cannot work with, or is used where it cannot be."""


class ValidationError(SongbirdError, ValueError):
    """A value that no endpoint would take, found before anything was sent."""


class Cancelled(SongbirdError):
    """Stopped because the caller asked for it."""


class EndpointUnreachable(SongbirdError):
    """No connection, or one that broke before the whole answer was there."""


class EndpointTimeout(SongbirdError):
    """The answer did not come in time."""


class ResponseError(SongbirdError):
    """An answer came, but not one of the contract's: HTML, nothing, a field missing, an unexpected status."""


class BadRequest(SongbirdError):
    """400: the endpoint does not accept an argument."""


class AuthenticationError(SongbirdError):
    """401 or 403: the API key, or this address, is refused."""


class NotFound(SongbirdError):
    """404: no such session, profile or operation."""


class Conflict(SongbirdError):
    """409: it exists already."""


class SessionExpired(SongbirdError):
    """410: the session was claimed or deleted, or has expired."""


class PayloadTooLarge(SongbirdError):
    """413 or 507: more than the endpoint takes, or has room for."""


class RateLimited(SongbirdError):
    """429: too many requests, even after waiting."""


class ServerError(SongbirdError):
    """5xx: the endpoint itself failed."""


class UploadRefused(SongbirdError):
    """The storage did not take a profile's bytes."""

"""Errors in the contract's shape: ``message``, ``requestId``, ``type``, and sometimes ``parameter``."""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """An answer other than success.

    Parameters
    ----------
    message : str
        For the person who reads it: what happened, to what, and what to do. Holds no secret.
    parameter : str, optional
        The argument that was wrong, by its name on the wire.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "Internal"

    #: Seconds after which to try again, where that is known (``Retry-After``).
    retry_after: int | None = None

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.parameter = parameter

    def body(self, request_id: str) -> dict[str, str]:
        """The JSON object that says this on the wire."""
        body = {"message": self.message, "requestId": request_id, "type": self.type}
        if self.parameter is not None:
            body["parameter"] = self.parameter
        return body


class InvalidArgument(ServiceError):
    """400: an argument is missing or wrong."""

    status = 400
    type = "InvalidArgument"


class Unauthorized(ServiceError):
    """401: no API key, or none that this service knows."""

    status = 401
    type = "Unauthorized"


class Forbidden(ServiceError):
    """403: the key, the signature or the address does not allow this."""

    status = 403
    type = "Forbidden"


class ResourceNotFound(ServiceError):
    """404: there is no such thing."""

    status = 404
    type = "ResourceNotFound"


class MethodNotAllowed(ServiceError):
    """405: the address exists and does not answer this method."""

    status = 405
    type = "MethodNotAllowed"


class ResourceExists(ServiceError):
    """409: it exists already."""

    status = 409
    type = "ResourceExists"


class ResourceGone(ServiceError):
    """410: it was here and is gone for good."""

    status = 410
    type = "ResourceGone"


class LengthRequired(ServiceError):
    """411: a body came without a Content-Length."""

    status = 411
    type = "LengthRequired"


class TooLarge(ServiceError):
    """413: the body is larger than the service takes."""

    status = 413
    type = "PayloadTooLarge"


class QuotaExceeded(TooLarge):
    """413: the session may hold no more."""


class HeadTooLarge(ServiceError):
    """431: the head of a request is larger than the service reads."""

    status = 431
    type = "RequestHeaderFieldsTooLarge"


class TooManyRequests(ServiceError):
    """429: more than the service takes just now."""

    status = 429
    type = "TooManyRequests"
    retry_after = 1


class Unavailable(ServiceError):
    """503: not now. What the service needs does not answer, or it has too much to do, or it ends."""

    status = 503
    type = "Unavailable"
    retry_after = 2


class Internal(ServiceError):
    """500: a mistake of the service itself."""


class OutOfSpace(ServiceError):
    """507: all guests together may hold no more, or the disk has no room."""

    status = 507
    type = "InsufficientStorage"


class TookTooLong(ServiceError):
    """504: the answer was not made in the time that one may take."""

    status = 504
    type = "Timeout"

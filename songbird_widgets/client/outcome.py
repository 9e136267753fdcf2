"""What comes of a request: an answer, or the reason why there is none."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from .redaction import Redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..secret import Hidden
    from .errors import SongbirdError


class HTTPResponse(Redacted, frozen=True):
    """An answer, whatever it says: its status, headers whose names are found in lower case, and body."""

    _shown = ("status",)
    status: int
    _answer: Hidden[tuple[Mapping[str, str], bytes]]

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""
        return self._answer.reveal()[0]

    @property
    def body(self) -> bytes:
        """Its body."""
        return self._answer.reveal()[1]

    @property
    def success(self) -> bool:
        """Whether the status is one of HTTP's successes."""
        return 200 <= self.status < 300

    @property
    def location(self) -> str:
        """Where it redirects to, or ""."""
        return self.headers.get("location", "") if 300 <= self.status < 400 else ""


class FailureKind(Enum):
    """Why no answer came."""

    CONNECT = "no connection"
    UNUSABLE = "no connection, and trying again will not make one (TLS, proxy, name)"
    BROKEN = "the connection broke"
    TIMEOUT = "time ran out"
    LOCAL = "the request could not be made here"


class Failure(Redacted, frozen=True):
    """Why there is no answer, in words without secrets; `error` if these are an error already."""

    _shown = ("kind", "detail")
    kind: FailureKind
    detail: str = ""
    advice: str | None = None
    error: SongbirdError | None = None


Outcome: TypeAlias = HTTPResponse | Failure

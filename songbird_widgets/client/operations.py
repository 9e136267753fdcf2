"""The operations of the sessions API as data, and what is checked before anything is sent. No I/O."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, cast
from urllib.parse import quote

import msgspec

from . import models as m
from .errors import ValidationError
from .retry import Repeat
from .secrecy import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_E = TypeVar("_E")
_R = TypeVar("_R", bound=m.Request[Any])

MOST_PROFILES_A_LINK = 3
_LONGEST_ID = 256
_LONGEST_TEXT = 4096
# Milliseconds below this are dates before March 1973, and seconds above the lower bound dates after it.
_SECONDS = range(10**8, 10**11)
_LAST_MILLISECOND = 253_402_300_799_999  # the end of the year 9999


@dataclass(frozen=True)
class Operation:
    """One operation: its name in Python and in words, method and path, what answers it, if it takes the API key.

    `path` names fields of the request message in braces; `body` is the field that is sent as JSON ("" for the whole
    message); `check` raises `ValidationError` for what no endpoint would take.
    """

    name: str
    doing: str
    method: str
    path: str
    answer: type[Any]
    check: Callable[[Any], None]
    body: str | None = None
    keyed: bool = False
    repeat: Repeat = Repeat.ANY

    def target(self, message: m.Request[Any]) -> str:
        """Return path and query for a message, every value escaped."""
        fields = {name: quote(str(getattr(message, name)), safe="") for name in self._fields_in_path()}
        return self.path.format(**fields)

    def content(self, message: m.Request[Any]) -> bytes | None:
        """Return the JSON body for a message, or None if the operation has none."""
        if self.body is None:
            return None
        part = getattr(message, self.body) if self.body else message
        return msgspec.json.encode(part, enc_hook=operator.index)  # for numpy's integers, the only others let in

    def secrets(self, message: m.Request[Any]) -> tuple[str, ...]:
        """Return the values in a message that nobody may see."""
        return tuple(str(getattr(message, name)) for name in self._fields_in_path() if name == "session_id")

    def _fields_in_path(self) -> tuple[str, ...]:
        return tuple(name for name in ("session_id", "org_id") if "{" + name + "}" in self.path)


def identifier(value: object, what: str) -> None:
    """Refuse what cannot be an id: the value itself is not shown, since it may be a secret."""
    if not isinstance(value, str):
        raise ValidationError(f"The {what} must be text, not {type(value).__name__}.")
    if not value:
        raise ValidationError(f"The {what} is empty.")
    if len(value) > _LONGEST_ID:
        raise ValidationError(f"The {what} is {len(value)} characters long; no id has more than {_LONGEST_ID}.")
    if value in {".", ".."} or not value.isprintable() or any(c.isspace() for c in value):
        raise ValidationError(f"The {what} holds characters that no id has (spaces, line breaks or the like).")


def timestamp(value: SupportsIndex, what: str = "dataset timestamp") -> int:
    """Check a timestamp.

    Parameters
    ----------
    value
        Milliseconds since 1970-01-01 UTC.
    what
        What the timestamp is, for the error.

    Returns
    -------
    int
        The same as a plain int, also if it came as numpy's.

    Raises
    ------
    ValidationError
        If it is not a whole number, before 1970, or looks like seconds, microseconds or nanoseconds.
    """
    if isinstance(value, (bool, datetime)) or not hasattr(value, "__index__"):
        advice = "Use int(moment.timestamp() * 1000)." if hasattr(value, "timestamp") else None
        kind = type(value).__name__
        raise ValidationError(f"The {what} must be milliseconds since 1970 as an int, not {kind}.", advice=advice)
    number = operator.index(value)
    if number < 0:
        raise ValidationError(f"The {what} {number} lies before 1970.")
    if number in _SECONDS:
        raise ValidationError(
            f"The {what} {number} looks like seconds ({_moment(number * 1000)}), but milliseconds are expected.",
            advice=f"Multiply by 1000: {number * 1000}.",
        )
    for unit, factor in (("microseconds", 1000), ("nanoseconds", 1_000_000)):
        if number > _LAST_MILLISECOND and number // factor <= _LAST_MILLISECOND:
            raise ValidationError(
                f"The {what} {number} looks like {unit} ({_moment(number // factor)}), "
                "but milliseconds are expected.",
                advice=f"Divide by {factor}: {number // factor}.",
            )
    if number > _LAST_MILLISECOND:
        raise ValidationError(f"The {what} is not a time: a number of {len(str(number))} digits.")
    return number


def _moment(milliseconds: int) -> str:
    # In UTC and without the platform's limits on timestamps.
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=min(milliseconds, _LAST_MILLISECOND))
    return moment.strftime("%Y-%m-%d")


def _text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise ValidationError(f"The {what} must be text, not {type(value).__name__}.")
    if not plain(value):
        raise ValidationError(f"The {what} is empty.", advice="Give it a name that people will recognise.")
    if len(value) > _LONGEST_TEXT:
        raise ValidationError(f"The {what} is {len(value)} characters long; at most {_LONGEST_TEXT} are sent.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValidationError(f"The {what} holds half a character (a lone surrogate) and cannot be sent.")


def _several(value: object, kind: type[_E], what: str) -> tuple[_E, ...]:
    if not isinstance(value, (tuple, list)) or not all(isinstance(item, kind) for item in value):
        raise ValidationError(f"The {what} must be a sequence of {kind.__name__}.")
    return tuple(value)


def _region(value: object) -> None:
    if value is not None:
        _text(value, "region")


def _check_create(message: m.CreateSessionRequest) -> None:
    _text(message.user_id, "user id")


def _check_session(message: m.GetSessionRequest | m.ListSessionProfilesRequest) -> None:
    identifier(message.session_id, "session id")


def _check_batch(message: m.CreateDatasetProfileUploadRequest) -> None:
    identifier(message.session_id, "session id")
    timestamp(message.log_async_request.dataset_timestamp)
    for tag in _several(message.log_async_request.segment_tags, m.SegmentTag, "segment tags"):
        _text(tag.key, "key of a segment tag")
        if not isinstance(tag.value, str):
            raise ValidationError(f"The value of segment tag {plain(tag.key)[:40]!r} must be text.")
    _region(message.log_async_request.region)


def check_reference(reference: m.LogReferenceRequest) -> None:
    """Refuse a reference profile that no endpoint would take."""
    if reference.alias is not None:
        _text(reference.alias, "alias")
    if reference.dataset_timestamp is not None:
        timestamp(reference.dataset_timestamp)
    _region(reference.region)


def _check_reference(message: m.CreateReferenceProfileUploadRequest) -> None:
    identifier(message.session_id, "session id")
    check_reference(message.log_reference_request)


def _check_references(message: m.BatchCreateReferenceProfileUploadRequest) -> None:
    identifier(message.session_id, "session id")
    references = message.batch_log_reference_request.references
    if not references:
        raise ValidationError("There are no references to upload.")
    for reference in _several(references, m.LogReferenceRequest, "references"):
        check_reference(reference)


def _check_claim(message: m.ClaimGuestSessionRequest) -> None:
    identifier(message.session_id, "session id")
    identifier(message.org_id, "organization id")


def _check_link(message: m.GetSessionProfileObservatoryLinkRequest) -> None:
    identifier(message.session_id, "session id")
    wanted = message.get_profile_observatory_link_request
    batches, references = wanted.batch_profile_timestamps, wanted.reference_profile_ids
    for value in _several(batches, object, "batch profile timestamps"):
        timestamp(value, "batch profile timestamp")  # type: ignore[arg-type] # it is there to find out
    for reference in _several(references, object, "reference profile ids"):
        identifier(reference, "reference profile id")
    count = len(batches) + len(references)
    if not count:
        raise ValidationError("No profile is selected.", advice="Select one to three profiles.")
    if count > MOST_PROFILES_A_LINK:
        raise ValidationError(
            f"{count} profiles are selected, but a page shows at most {MOST_PROFILES_A_LINK}.",
            advice=f"Take {count - MOST_PROFILES_A_LINK} away.",
        )


_SESSION = "/v0/sessions/{session_id}"

OPERATIONS: dict[type[m.Request[Any]], Operation] = {
    m.CreateSessionRequest: Operation(
        "create_session", "opening a session", "POST", "/v0/sessions", m.CreateSessionResponse, _check_create, body=""
    ),
    m.GetSessionRequest: Operation(
        "get_session", "asking about the session", "GET", _SESSION, m.GetSessionResponse, _check_session, keyed=True
    ),
    m.CreateDatasetProfileUploadRequest: Operation(
        "create_dataset_profile_upload",
        "asking for a slot for a batch",
        "POST",
        _SESSION + "/upload",
        m.CreateDatasetProfileUploadResponse,
        _check_batch,
        body="log_async_request",
    ),
    m.CreateReferenceProfileUploadRequest: Operation(
        "create_reference_profile_upload",
        "asking for a slot for a reference profile",
        "POST",
        _SESSION + "/reference",
        m.LogSessionReferenceResponse,
        _check_reference,
        body="log_reference_request",
    ),
    m.BatchCreateReferenceProfileUploadRequest: Operation(
        "batch_create_reference_profile_upload",
        "asking for slots for reference profiles",
        "POST",
        _SESSION + "/references",
        m.BatchLogSessionReferenceResponse,
        _check_references,
        body="batch_log_reference_request",
    ),
    m.ClaimGuestSessionRequest: Operation(
        "claim_guest_session",
        "claiming the session",
        "POST",
        _SESSION + "/claim?org_id={org_id}",
        m.ClaimGuestSessionResponse,
        _check_claim,
        keyed=True,
        repeat=Repeat.UNSENT,
    ),
    m.GetSessionProfileObservatoryLinkRequest: Operation(
        "get_session_profile_observatory_link",
        "asking for the link to the profiles",
        "POST",
        "/v0/sessions/observatory-link/{session_id}",
        m.GetProfileObservatoryLinkResponse,
        _check_link,
        body="get_profile_observatory_link_request",
    ),
    m.ListSessionProfilesRequest: Operation(
        "list_session_profiles",
        "listing the session's profiles",
        "GET",
        _SESSION + "/profiles",
        m.ListSessionProfilesResponse,
        _check_session,
    ),
}


def request(kind: type[_R], given: object, **fields: Any) -> _R:
    """Return the request message that was given as one, or make it from the fields given as keywords."""
    return given if isinstance(given, kind) else cast("Any", kind)(**fields)


def batch_request(
    session_id: str | m.CreateDatasetProfileUploadRequest,
    dataset_timestamp: SupportsIndex | None,
    segment_tags: Iterable[m.SegmentTag],
    region: str | None,
) -> m.CreateDatasetProfileUploadRequest:
    """Make the message that asks for a slot for a batch."""
    if isinstance(session_id, m.CreateDatasetProfileUploadRequest):
        return session_id
    if dataset_timestamp is None:
        raise ValidationError("A batch is known by its dataset timestamp, and there is none.")
    log = m.LogAsyncRequest(timestamp(dataset_timestamp), tuple(segment_tags), region)
    return m.CreateDatasetProfileUploadRequest(log, session_id)


def reference_request(
    session_id: str | m.CreateReferenceProfileUploadRequest,
    alias: str | None,
    dataset_timestamp: SupportsIndex | None,
    region: str | None,
) -> m.CreateReferenceProfileUploadRequest:
    """Make the message that asks for a slot for a reference profile."""
    if isinstance(session_id, m.CreateReferenceProfileUploadRequest):
        return session_id
    moment = None if dataset_timestamp is None else timestamp(dataset_timestamp)
    return m.CreateReferenceProfileUploadRequest(m.LogReferenceRequest(alias, moment, region), session_id)


def references_request(
    session_id: str | m.BatchCreateReferenceProfileUploadRequest, references: Iterable[m.LogReferenceRequest]
) -> m.BatchCreateReferenceProfileUploadRequest:
    """Make the message that asks for slots for several reference profiles."""
    if isinstance(session_id, m.BatchCreateReferenceProfileUploadRequest):
        return session_id
    return m.BatchCreateReferenceProfileUploadRequest(m.BatchLogReferenceRequest(tuple(references)), session_id)


def link_request(
    session_id: str | m.GetSessionProfileObservatoryLinkRequest,
    timestamps: Iterable[SupportsIndex],
    reference_ids: Iterable[str],
) -> m.GetSessionProfileObservatoryLinkRequest:
    """Make the message that asks for the link to one to three profiles."""
    if isinstance(session_id, m.GetSessionProfileObservatoryLinkRequest):
        return session_id
    moments = tuple(timestamp(moment, "batch profile timestamp") for moment in timestamps)
    if isinstance(reference_ids, str):
        raise ValidationError("The reference profile ids must be a sequence of ids, not one text.")
    wanted = m.GetProfileObservatoryLinkRequest(moments, tuple(reference_ids))
    return m.GetSessionProfileObservatoryLinkRequest(wanted, session_id)

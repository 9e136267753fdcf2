"""The operations of the sessions API as data: how each is sent, and what is checked before. No I/O."""

from __future__ import annotations

import operator
import re
from functools import partial
from typing import TYPE_CHECKING, Any, SupportsIndex
from urllib.parse import quote, urlencode

import msgspec

from ..basics import DAY_MS, MAX_COMPARED, MAX_TIMESTAMP_MS, mistaken_unit, time_text
from . import models as m
from .errors import ValidationError
from .redaction import Redacted, plain
from .retry import Repeat

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_ID_CHARACTERS = 256
_MAX_TEXT_CHARACTERS = 4096
_FIELD = re.compile(r"{(\w+)}")


class Operation(Redacted, frozen=True):
    """One operation: its name and what it does in words, method, path with the message's fields in braces, answer.

    `body` names the field that is sent as JSON, "" the whole message; `query` the fields that go into the address
    where they are given; `keyed` says that it needs an API key.
    """

    _shown = ("name",)
    name: str
    doing: str
    method: str
    path: str
    answer: Any = None
    body: str | None = None
    query: tuple[str, ...] = ()
    keyed: bool = False
    repeat: Repeat = Repeat.HARMLESS

    @property
    def repeatable(self) -> bool:
        """Whether it may be repeated although the endpoint may have done it already."""
        return self.repeat is not Repeat.UNSENT

    def target(self, message: m.Request[Any]) -> str:
        """Return path and query for a message, every value escaped."""
        path = _FIELD.sub(lambda field: quote(getattr(message, field[1]), safe=""), self.path)
        given = {name: value for name in self.query if (value := getattr(message, name)) is not None}
        return f"{path}?{urlencode(given)}" if given else path

    def content(self, message: m.Request[Any]) -> bytes | None:
        """Return the JSON body for a message, or None if the operation has none."""
        if self.body is None:
            return None
        part = getattr(message, self.body) if self.body else message
        return msgspec.json.encode(part, enc_hook=operator.index)  # for numpy's integers, the only others let in


_ORGANIZATION = "/v0/organizations/{org_id}"
_SESSION, _LINK = "/v0/sessions/{session_id}", "/v0/sessions/observatory-link/{session_id}"
OPERATIONS: dict[type[m.Request[Any]], Operation] = {
    m.CreateSessionRequest: Operation(
        "create_session", "opening a session", "POST", "/v0/sessions", m.CreateSessionResponse, body=""
    ),
    m.GetSessionRequest: Operation(
        "get_session", "asking about the session", "GET", _SESSION, m.GetSessionResponse, keyed=True
    ),
    m.CreateDatasetProfileUploadRequest: Operation(
        "create_dataset_profile_upload",
        "asking for a slot for a batch",
        "POST",
        _SESSION + "/upload",
        m.CreateDatasetProfileUploadResponse,
        body="log_async_request",
    ),
    m.CreateReferenceProfileUploadRequest: Operation(
        "create_reference_profile_upload",
        "asking for a slot for a reference",
        "POST",
        _SESSION + "/reference",
        m.LogSessionReferenceResponse,
        body="log_reference_request",
    ),
    m.BatchCreateReferenceProfileUploadRequest: Operation(
        "batch_create_reference_profile_upload",
        "asking for slots for references",
        "POST",
        _SESSION + "/references",
        m.BatchLogSessionReferenceResponse,
        body="batch_log_reference_request",
    ),
    m.ClaimGuestSessionRequest: Operation(
        "claim_guest_session",
        "claiming the session",
        "POST",
        _SESSION + "/claim?org_id={org_id}",
        m.ClaimGuestSessionResponse,
        keyed=True,
        repeat=Repeat.UNSENT,
    ),
    m.DeleteSessionRequest: Operation("delete_session", "deleting the session", "DELETE", _SESSION, m.DeleteResponse),
    m.DeleteProfileRequest: Operation(
        "delete_profile",
        "deleting a profile",
        "DELETE",
        _SESSION + "/profiles/{profile_id}",
        m.DeleteResponse,
    ),
    m.GetSessionProfileObservatoryLinkRequest: Operation(
        "get_session_profile_observatory_link",
        "asking for the link to the profiles",
        "POST",
        _LINK,
        m.GetProfileObservatoryLinkResponse,
        body="get_profile_observatory_link_request",
    ),
    m.ListSessionProfilesRequest: Operation(
        "list_session_profiles",
        "listing the session's profiles",
        "GET",
        _SESSION + "/profiles",
        m.ListSessionProfilesResponse,
        query=("after", "limit"),
    ),
    m.GetProfileFilesRequest: Operation(
        "get_profile_files",
        "asking for a profile's bytes",
        "GET",
        "/resources/{dataset_id}/profiles.bin?profile={profile}&sessionToken={session_id}",
        bytes,
    ),
    m.LogDatasetProfileRequest: Operation(
        "log_async",
        "asking for a slot for a batch",
        "POST",
        _ORGANIZATION + "/log/async/{dataset_id}",
        m.CreateDatasetProfileUploadResponse,
        body="log_async_request",
        keyed=True,
    ),
    m.LogDatasetReferenceRequest: Operation(
        "log_reference",
        "asking for a slot for a reference",
        "POST",
        _ORGANIZATION + "/log/reference/{dataset_id}",
        m.LogSessionReferenceResponse,
        body="log_reference_request",
        keyed=True,
    ),
    m.GetDatasetObservatoryLinkRequest: Operation(
        "get_profile_observatory_link",
        "asking for the link to the profiles",
        "POST",
        _ORGANIZATION + "/log/observatory-link/{dataset_id}",
        m.GetProfileObservatoryLinkResponse,
        body="get_profile_observatory_link_request",
        keyed=True,
    ),
    m.ListDatasetProfilesRequest: Operation(
        "list_dataset_profiles",
        "listing the dataset's profiles",
        "GET",
        _ORGANIZATION + "/datasets/{dataset_id}/profiles",
        m.ListSessionProfilesResponse,
        query=("after", "limit"),
        keyed=True,
    ),
    m.GetDatasetFilesRequest: Operation(
        "get_dataset_files",
        "asking for a profile's bytes",
        "GET",
        "/resources/{dataset_id}/profiles.bin?profile={profile}",
        bytes,
        keyed=True,
    ),
}
UPLOAD = Operation("upload", "sending a profile", "PUT", "", repeat=Repeat.STORAGE)


def check(message: m.Message) -> None:
    """Raise `ValidationError` for what no endpoint would take, in any message that asks for something."""
    problem: ValidationError | None = None
    try:
        _check(message)
    except ValidationError as error:
        problem = error.with_traceback(None)  # its frames hold values that may be secret, and this one does
    del message
    if problem is not None:
        raise problem


def _check(message: m.Message) -> None:
    for name in message.__struct_fields__:
        value, what = getattr(message, name), name.replace("_", " ")
        if isinstance(message, m.SegmentTag):
            what = f"segment tag's {what}"
        if isinstance(value, m.Message):
            _check(value)
        elif name in _LISTS:
            _check_list(value, what, *_LISTS[name])
        elif value is not None or not (name in _OPTIONAL or isinstance(message, m.LogReferenceRequest)):
            _CHECKS.get(name, text)(value, what)
    if isinstance(message, m.GetProfileObservatoryLinkRequest):
        count = len(message.batch_profile_timestamps) + len(message.reference_profile_ids)
        if not count:
            raise ValidationError("No profile is selected.", advice="Select one to three profiles.")
        if count > MAX_COMPARED:
            said = f"{count} profiles are selected, but a page shows at most {MAX_COMPARED}."
            raise ValidationError(said, advice=f"Take {count - MAX_COMPARED} away.")
    if isinstance(message, m.BatchLogReferenceRequest) and not message.references:
        raise ValidationError("There are no references to upload.")


def _check_list(value: object, what: str, kind: type, check_item: Callable[..., object]) -> None:
    if isinstance(value, str):
        raise ValidationError(f"The {what} must be a list, not one text.")
    if not isinstance(value, (tuple, list)) or not all(isinstance(item, kind) for item in value):
        raise ValidationError(f"The {what} must be a tuple or list of {kind.__name__}.")
    for item in value:
        check_item(item) if check_item is _check else check_item(item, what.removesuffix("s"))


def identifier(value: object, what: str) -> None:
    """Refuse what cannot be an id; the value itself is not shown, since it may be a secret."""
    text(value, what)
    if len(str(value)) > _MAX_ID_CHARACTERS:
        raise ValidationError(
            f"The {what} is {len(str(value))} characters long; no id has more than {_MAX_ID_CHARACTERS}."
        )
    if value in {".", ".."} or not str(value).isprintable() or " " in str(value):
        raise ValidationError(f"The {what} holds characters that no id has (spaces, line breaks or the like).")


def text(value: object, what: str, *, may_be_empty: bool = False) -> None:
    """Refuse what is no text, or empty, or cannot be sent."""
    if not isinstance(value, str):
        raise ValidationError(f"The {what} must be text, not {type(value).__name__}.")
    if len(value) > _MAX_TEXT_CHARACTERS:
        raise ValidationError(f"The {what} is {len(value)} characters long; at most {_MAX_TEXT_CHARACTERS} are sent.")
    if not may_be_empty and not plain(value):
        raise ValidationError(f"The {what} is empty.")
    if not value.isascii() and value.encode("utf-8", "ignore").decode("utf-8") != value:
        raise ValidationError(f"The {what} holds half a character (a lone surrogate) and cannot be sent.")


def timestamp(value: SupportsIndex, what: str = "dataset timestamp") -> int:
    """Return a timestamp in milliseconds since 1970 UTC as a plain int, also if it came as numpy's.

    Raises
    ------
    ValidationError
        If it is not a whole number, lies before 1970, or looks like seconds, microseconds or nanoseconds.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        advice = "Use int(moment.timestamp() * 1000)." if hasattr(value, "timestamp") else None
        kind = type(value).__name__
        raise ValidationError(f"The {what} must be milliseconds since 1970 as an int, not {kind}.", advice=advice)
    number = operator.index(value)
    if number < 0:
        raise ValidationError(f"The {what} {number if number > -(10**20) else '(a huge number)'} lies before 1970.")
    mistaken = mistaken_unit(number)
    if mistaken is not None:
        unit, milliseconds = mistaken
        day = time_text(milliseconds - milliseconds % DAY_MS)
        said = f"The {what} {number} looks like {unit} ({day}), but milliseconds are expected."
        step = {"seconds": "Multiply by 1000", "microseconds": "Divide by 1000", "nanoseconds": "Divide by 1000000"}
        raise ValidationError(said, advice=f"{step[unit]}: {milliseconds}.")
    if number > MAX_TIMESTAMP_MS:
        raise ValidationError(f"The {what} is not a time: it lies after the year 9999.")
    return number


def _limit(value: object, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValidationError(f"The {what} must be a whole number from 1 on.")


_CHECKS: dict[str, Callable[..., object]] = {
    "session_id": identifier,
    "org_id": identifier,
    "dataset_id": identifier,
    "profile_id": identifier,
    "after": identifier,
    "limit": _limit,
    "dataset_timestamp": timestamp,
    "value": partial(text, may_be_empty=True),
}
_OPTIONAL = frozenset({"alias", "region", "after", "limit"})
_LISTS: dict[str, tuple[type, Callable[..., object]]] = {
    "segment_tags": (m.SegmentTag, _check),
    "references": (m.LogReferenceRequest, _check),
    "batch_profile_timestamps": (object, timestamp),
    "reference_profile_ids": (object, identifier),
}

"""The operations of the sessions API as data, and what is checked before anything is sent. No I/O."""

from __future__ import annotations

import operator
import re
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, SupportsIndex, cast, get_args
from urllib.parse import quote

import msgspec

from . import models as m
from .errors import ValidationError
from .retry import Repeat
from .secrecy import plain

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_PROFILES_A_LINK = 3
_LONGEST_ID = 256
_LONGEST_TEXT = 4096
_SECONDS = range(10**8, 10**11)  # as seconds 1973 to 5138, as milliseconds 1970 to 1973
_LAST_MILLISECOND = 253_402_300_799_999  # the end of the year 9999


class Operation(msgspec.Struct, frozen=True):
    """One operation: in words, method, path with the message's fields in braces, key or not.

    `body` names the field that is sent as JSON, "" the whole message.
    """

    doing: str
    method: str
    path: str
    body: str | None = None
    keyed: bool = False
    repeat: Repeat = Repeat.HARMLESS
    name: str = ""
    answer: Any = None

    def target(self, message: m.Request[Any]) -> str:
        """Return path and query for a message, every value escaped."""
        values = {name: getattr(message, name) for name in re.findall(r"{(\w+)}", self.path)}
        return self.path.format(**{name: quote(value, safe="") for name, value in values.items()})

    def content(self, message: m.Request[Any]) -> bytes | None:
        """Return the JSON body for a message, or None if the operation has none."""
        if self.body is None:
            return None
        part = getattr(message, self.body) if self.body else message
        return msgspec.json.encode(part, enc_hook=operator.index)  # for numpy's integers, the only others let in


def _named(kind: type[m.Request[Any]], operation: Operation) -> Operation:
    """Name an operation after its message, and take what answers it from its message's type."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Request")).lower()
    return msgspec.structs.replace(operation, name=name, answer=get_args(cast("Any", kind).__orig_bases__[0])[0])


_SESSION, _LINK = "/v0/sessions/{session_id}", "/v0/sessions/observatory-link/{session_id}"
_UNNAMED: dict[type[m.Request[Any]], Operation] = {
    m.CreateSessionRequest: Operation("opening a session", "POST", "/v0/sessions", body=""),
    m.GetSessionRequest: Operation("asking about the session", "GET", _SESSION, keyed=True),
    m.CreateDatasetProfileUploadRequest: Operation(
        "asking for a slot for a batch", "POST", _SESSION + "/upload", body="log_async_request"
    ),
    m.CreateReferenceProfileUploadRequest: Operation(
        "asking for a slot for a reference", "POST", _SESSION + "/reference", body="log_reference_request"
    ),
    m.BatchCreateReferenceProfileUploadRequest: Operation(
        "asking for slots for references", "POST", _SESSION + "/references", body="batch_log_reference_request"
    ),
    m.ClaimGuestSessionRequest: Operation(
        "claiming the session", "POST", _SESSION + "/claim?org_id={org_id}", keyed=True, repeat=Repeat.UNSENT
    ),
    m.GetSessionProfileObservatoryLinkRequest: Operation(
        "asking for the link to the profiles", "POST", _LINK, body="get_profile_observatory_link_request"
    ),
    m.ListSessionProfilesRequest: Operation("listing the session's profiles", "GET", _SESSION + "/profiles"),
}
OPERATIONS = {kind: _named(kind, operation) for kind, operation in _UNNAMED.items()}


def check(message: m.Message) -> None:
    """Raise `ValidationError` for what no endpoint would take, in any message that asks for something."""
    for name in message.__struct_fields__:
        value, what = getattr(message, name), name.replace("_", " ")
        if isinstance(message, m.SegmentTag):
            what = f"segment tag's {what}"
        if isinstance(value, m.Message):
            check(value)
        elif name in _LISTS:
            _check_list(value, what, *_LISTS[name])
        elif value is not None or not (name in _OPTIONAL or isinstance(message, m.LogReferenceRequest)):
            _CHECKS.get(name, text)(value, what)
    if isinstance(message, m.GetProfileObservatoryLinkRequest):
        count = len(message.batch_profile_timestamps) + len(message.reference_profile_ids)
        if not count:
            raise ValidationError("No profile is selected.", advice="Select one to three profiles.")
        if count > MOST_PROFILES_A_LINK:
            said = f"{count} profiles are selected, but a page shows at most {MOST_PROFILES_A_LINK}."
            raise ValidationError(said, advice=f"Take {count - MOST_PROFILES_A_LINK} away.")
    if isinstance(message, m.BatchLogReferenceRequest) and not message.references:
        raise ValidationError("There are no references to upload.")


def _check_list(value: object, what: str, kind: type, check_item: Callable[..., object]) -> None:
    if not isinstance(value, (tuple, list)) or not all(isinstance(item, kind) for item in value):
        raise ValidationError(f"The {what} must be a tuple or list of {kind.__name__}.")
    for item in value:
        check_item(item) if check_item is check else check_item(item, what.removesuffix("s"))


def identifier(value: object, what: str) -> None:
    """Refuse what cannot be an id; the value itself is not shown, since it may be a secret."""
    text(value, what)
    if len(str(value)) > _LONGEST_ID:
        raise ValidationError(f"The {what} is {len(str(value))} characters long; no id has more than {_LONGEST_ID}.")
    if value in {".", ".."} or not str(value).isprintable() or " " in str(value):
        raise ValidationError(f"The {what} holds characters that no id has (spaces, line breaks or the like).")


def text(value: object, what: str, *, may_be_empty: bool = False) -> None:
    """Refuse what is no text, or empty, or cannot be sent."""
    if not isinstance(value, str):
        raise ValidationError(f"The {what} must be text, not {type(value).__name__}.")
    if len(value) > _LONGEST_TEXT:
        raise ValidationError(f"The {what} is {len(value)} characters long; at most {_LONGEST_TEXT} are sent.")
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
    for unit, milliseconds, advice in (
        ("seconds", number * 1000 if number in _SECONDS else None, "Multiply by 1000"),
        ("microseconds", number // 1000 if number > _LAST_MILLISECOND else None, "Divide by 1000"),
        ("nanoseconds", number // 10**6 if number > _LAST_MILLISECOND * 1000 else None, "Divide by 1000000"),
    ):
        if milliseconds is not None and milliseconds <= _LAST_MILLISECOND:
            day = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)).date()
            said = f"The {what} {number} looks like {unit} ({day}), but milliseconds are expected."
            raise ValidationError(said, advice=f"{advice}: {milliseconds}.")
    if number > _LAST_MILLISECOND:
        raise ValidationError(f"The {what} is not a time: it lies after the year 9999.")
    return number


_CHECKS: dict[str, Callable[..., object]] = {
    "session_id": identifier,
    "org_id": identifier,
    "dataset_timestamp": timestamp,
    "value": partial(text, may_be_empty=True),
}
_OPTIONAL = frozenset({"alias", "region"})
_LISTS: dict[str, tuple[type, Callable[..., object]]] = {
    "segment_tags": (m.SegmentTag, check),
    "references": (m.LogReferenceRequest, check),
    "batch_profile_timestamps": (object, timestamp),
    "reference_profile_ids": (object, identifier),
}

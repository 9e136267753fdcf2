"""The operations of the sessions API as data: how each is called, sent and checked. No I/O."""

from __future__ import annotations

import operator
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, cast, get_args
from urllib.parse import quote

import msgspec

from ..basics import DAY_MS, MAX_COMPARED, MAX_TIMESTAMP_MS, mistaken_unit, time_text
from . import models as m
from .errors import ValidationError
from .redaction import Redacted, Secret, plain
from .retry import Repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAX_ID_CHARACTERS = 256
_MAX_TEXT_CHARACTERS = 4096


T = TypeVar("T")


class Operation(Redacted, frozen=True):
    """One operation: in words, method, path with the message's fields in braces, key or not.

    `body` names the field that is sent as JSON, "" the whole message.
    """

    _shown = ("name",)
    doing: str
    method: str
    path: str
    body: str | None = None
    keyed: bool = False
    repeat: Repeat = Repeat.HARMLESS
    name: str = ""
    answer: Any = None

    @property
    def repeatable(self) -> bool:
        """Whether it may be repeated although the endpoint may have done it already."""
        return self.repeat is not Repeat.UNSENT

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
UPLOAD = Operation("sending a profile", "PUT", "", repeat=Repeat.STORAGE, name="upload")


class Call(Redacted, Generic[T], frozen=True):
    """An operation called with arguments: its message, and the API key for it alone; `T` answers it."""

    _shown = ("message",)
    message: m.Request[T]
    api_key: Secret | None = None


_R = TypeVar("_R", bound=m.Request[Any])


def _message(kind: type[_R], given: object, *before: object) -> _R:
    """Return the request message that was given as one, or make it; what was given is its last field."""
    return given if isinstance(given, kind) else cast("Any", kind)(*before, given)


def _items(values: Iterable[Any]) -> Any:
    """Return values as a tuple; one text, which would fall apart into characters, is left for `check` to refuse."""
    return values if isinstance(values, str) else tuple(values)


# What follows are the operations as people call them: `Songbird` and `AsyncSongbird` have them as methods.


def create_session(user_id: str | m.CreateSessionRequest) -> Call[m.CreateSessionResponse]:
    """Open a guest session for a user id of one's own choosing; its id is a bearer: keep it safe."""
    return Call(_message(m.CreateSessionRequest, user_id))


def get_session(session_id: str | m.GetSessionRequest, *, api_key: str | None = None) -> Call[m.GetSessionResponse]:
    """Return a session's organization, model and user; needs an API key, the client's or this one."""
    return Call(_message(m.GetSessionRequest, session_id), Secret.of(api_key))


def create_dataset_profile_upload(
    session_id: str | m.CreateDatasetProfileUploadRequest,
    dataset_timestamp: SupportsIndex | None = None,
    segment_tags: Iterable[m.SegmentTag] = (),
    region: str | None = None,
) -> Call[m.CreateDatasetProfileUploadResponse]:
    """Ask for a slot for a batch: an id, and a URL that takes the profile's bytes for about 15 minutes.

    Parameters
    ----------
    session_id : str or CreateDatasetProfileUploadRequest
        The session, or the whole request message.
    dataset_timestamp : int
        Milliseconds since 1970 UTC: what the batch is known by.
    segment_tags : iterable of SegmentTag
        Which segment of the dataset it is.
    region : str, optional
        Where to store it, for endpoints that have a choice.
    """
    body = m.LogAsyncRequest(cast("int", dataset_timestamp), _items(segment_tags), region)
    return Call(_message(m.CreateDatasetProfileUploadRequest, session_id, body))


def create_reference_profile_upload(
    session_id: str | m.CreateReferenceProfileUploadRequest,
    alias: str | None = None,
    dataset_timestamp: SupportsIndex | None = None,
    region: str | None = None,
) -> Call[m.LogSessionReferenceResponse]:
    """Ask for a slot for a reference profile, known by the id in the answer and shown by its alias."""
    body = m.LogReferenceRequest(alias, cast("int | None", dataset_timestamp), region)
    return Call(_message(m.CreateReferenceProfileUploadRequest, session_id, body))


def batch_create_reference_profile_upload(
    session_id: str | m.BatchCreateReferenceProfileUploadRequest,
    references: Iterable[m.LogReferenceRequest] = (),
) -> Call[m.BatchLogSessionReferenceResponse]:
    """Ask for slots for several reference profiles at once."""
    body = m.BatchLogReferenceRequest(_items(references))
    return Call(_message(m.BatchCreateReferenceProfileUploadRequest, session_id, body))


def claim_guest_session(
    session_id: str | m.ClaimGuestSessionRequest, org_id: str | None = None, api_key: str | None = None
) -> Call[m.ClaimGuestSessionResponse]:
    """Move a session's profiles into an organization for good; the session expires.

    An error whose `ambiguous` is true leaves open whether that happened. The claim is then not repeated:
    `get_session` says that the session has expired if it did.
    """
    return Call(_message(m.ClaimGuestSessionRequest, session_id, org_id), Secret.of(api_key))


def get_session_profile_observatory_link(
    session_id: str | m.GetSessionProfileObservatoryLinkRequest,
    batch_profile_timestamps: Iterable[SupportsIndex] = (),
    reference_profile_ids: Iterable[str] = (),
) -> Call[m.GetProfileObservatoryLinkResponse]:
    """Return the link that shows one to three profiles side by side, and one link for each alone."""
    body = m.GetProfileObservatoryLinkRequest(_items(batch_profile_timestamps), _items(reference_profile_ids))
    return Call(_message(m.GetSessionProfileObservatoryLinkRequest, session_id, body))


def list_session_profiles(
    session_id: str | m.ListSessionProfilesRequest,
) -> Call[m.ListSessionProfilesResponse]:
    """Return what was uploaded to a session, oldest first; NotFound where an endpoint cannot tell."""
    return Call(_message(m.ListSessionProfilesRequest, session_id))


def check(message: m.Message) -> None:
    """Raise `ValidationError` for what no endpoint would take, in any message that asks for something."""
    problem = _problem(message)
    if problem is not None:
        raise problem.with_traceback(None)  # its frames hold values that may be secret


def _problem(message: m.Message) -> ValidationError | None:
    try:
        _check(message)
    except ValidationError as error:
        return error
    return None


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


_CHECKS: dict[str, Callable[..., object]] = {
    "session_id": identifier,
    "org_id": identifier,
    "dataset_timestamp": timestamp,
    "value": partial(text, may_be_empty=True),
}
_OPTIONAL = frozenset({"alias", "region"})
_LISTS: dict[str, tuple[type, Callable[..., object]]] = {
    "segment_tags": (m.SegmentTag, _check),
    "references": (m.LogReferenceRequest, _check),
    "batch_profile_timestamps": (object, timestamp),
    "reference_profile_ids": (object, identifier),
}

"""The messages of the sessions API, and how each that asks for something is sent; their fields are camelCase there.

The service answers with the same ones. Unknown fields are ignored, as the contract asks. Fields that carry a
session id or a signed URL are shortened in reprs.
"""

from __future__ import annotations

import operator
import re
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args
from urllib.parse import quote, urlencode

import msgspec

from .redaction import Redacted, origin_of, plain, short_id
from .retry import Repeat

T = TypeVar("T")
_FIELD = re.compile(r"{(\w+)}")
_SESSION, _LINK = "/v0/sessions/{session_id}", "/v0/sessions/observatory-link/{session_id}"
_ORGANIZATION, _FILES = "/v0/organizations/{org_id}", "/resources/{dataset_id}/profiles.bin?profile={profile}"


def _shown(name: str, value: Any) -> str:
    if name.endswith("_urls"):
        return f"[{len(value)} URLs]"
    if not isinstance(value, str):
        return repr(value)
    if name == "session_id" or (name == "id" and value.startswith("session-")):
        return repr(short_id(value))
    return repr(origin_of(value) + "/…" if name.endswith("_url") else plain(value))


class Message(Redacted, frozen=True, rename="camel"):
    """What all messages have in common: immutable, camelCase on the wire, reprs without secrets."""

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"


class Operation(Redacted, frozen=True):
    """One operation: its name and what it does in words, method, path with the message's fields in braces.

    Of the other fields a POST sends those as JSON, or the one that is a message itself; else they are the query, where
    they are given. `keyed` says that it needs an API key.
    """

    _shown = ("name",)
    name: str
    doing: str
    method: str
    path: str
    keyed: bool = False
    repeat: Repeat = Repeat.HARMLESS

    def target(self, message: Request[Any]) -> str:
        """Return path and query for a message, every value escaped."""
        path = _FIELD.sub(lambda field: quote(getattr(message, field[1]), safe=""), self.path)
        others = {} if self.method == "POST" else self._others(message)
        given = {name: value for name, value in others.items() if value is not None}
        return f"{path}?{urlencode(given)}" if given else path

    def content(self, message: Request[Any]) -> bytes | None:
        """Return the JSON body for a message, or None if the operation has none."""
        others = self._others(message) if self.method == "POST" else {}
        part = next((value for value in others.values() if isinstance(value, Message)), message)
        # The only foreign numbers that are let in are numpy's integers.
        return msgspec.json.encode(part, enc_hook=operator.index) if others else None

    def _others(self, message: Request[Any]) -> dict[str, Any]:
        named = _FIELD.findall(self.path)
        return {name: getattr(message, name) for name in message.__struct_fields__ if name not in named}


UPLOAD = Operation("upload", "sending a profile", "PUT", "", repeat=Repeat.STORAGE)


class Request(Message, Generic[T], frozen=True):
    """A message that asks for an operation; `T` is the message that answers it."""

    operation: ClassVar[Operation]

    @classmethod
    def answer(cls) -> Any:
        """Return the type of the message that answers it."""
        return get_args(cls.__orig_bases__[0])[0]  # type: ignore[attr-defined]


# The tuples' defaults come from functions, because msgspec would leave plain ones out of the encoded body.

# The shared messages: bodies of requests, and parts of answers.


class SegmentTag(Message, frozen=True):
    """One key and value that tell a segment of a dataset from the others."""

    key: str
    value: str


class LogAsyncRequest(Message, frozen=True, omit_defaults=True):
    """A dataset profile (a batch) about to be uploaded; `dataset_timestamp` in ms since 1970, UTC."""

    dataset_timestamp: int
    segment_tags: tuple[SegmentTag, ...] = msgspec.field(default_factory=lambda: ())
    region: str | None = None


class LogReferenceRequest(Message, frozen=True, omit_defaults=True):
    """A reference profile about to be uploaded; `dataset_timestamp` in ms since 1970, UTC."""

    alias: str | None = None
    dataset_timestamp: int | None = None
    region: str | None = None


class BatchLogReferenceRequest(Message, frozen=True):
    """Several reference profiles about to be uploaded."""

    references: tuple[LogReferenceRequest, ...]


class GetProfileObservatoryLinkRequest(Message, frozen=True):
    """Which profiles to show side by side: timestamps of batches in ms, ids of references."""

    batch_profile_timestamps: tuple[int, ...] = msgspec.field(default_factory=lambda: ())
    reference_profile_ids: tuple[str, ...] = msgspec.field(default_factory=lambda: ())


class SessionName(Message, frozen=True):
    """What a session's owner calls it; None for nothing."""

    name: str | None = None


class SessionMetadata(Message, frozen=True):
    """What is known about a session."""

    session_id: str
    org_id: str
    model_id: str
    user_id: str


class ListedProfile(Message, frozen=True, omit_defaults=True):
    """One uploaded profile in the listing of a session; times in ms since 1970, size in bytes.

    `rows` and `columns` of its data are known a moment after the upload, where an endpoint counts them.
    """

    id: str
    kind: Literal["batch", "reference"]
    upload_timestamp: int
    size: int
    sha256: str
    alias: str | None = None
    dataset_timestamp: int | None = None
    rows: int | None = None
    columns: int | None = None


class ErrorResponse(Message, frozen=True, omit_defaults=True):
    """How a Songbird endpoint words a refusal."""

    message: str
    request_id: str | None = None
    type: str | None = None
    parameter: str | None = None


# What the operations answer.


class CreateSessionResponse(Message, frozen=True):
    """The new session's id: a bearer, to be kept like a password."""

    id: str


class GetSessionResponse(Message, frozen=True):
    """A session's metadata."""

    session: SessionMetadata


class CreateDatasetProfileUploadResponse(Message, frozen=True, omit_defaults=True):
    """A slot for a batch: its id, and the presigned URL that takes the bytes for about 15 minutes.

    The API of 2023 leaves `dataset_id` and `observatory_url` out, and calls the dataset `model_id`.
    """

    id: str
    upload_url: str
    dataset_id: str | None = None
    observatory_url: str | None = None
    upload_timestamp: int | None = None
    model_id: str | None = None


class LogSessionReferenceResponse(Message, frozen=True, omit_defaults=True):
    """A slot for a reference: its id, and the presigned URL that takes the bytes for about 15 minutes.

    The API of 2023 leaves `observatory_url` out.
    """

    id: str
    upload_url: str
    model_id: str | None = None
    observatory_url: str | None = None
    alias: str | None = None
    upload_timestamp: int | None = None


class BatchLogSessionReferenceResponse(Message, frozen=True, omit_defaults=True):
    """Slots for several reference profiles, and the link that shows them."""

    references: tuple[LogSessionReferenceResponse, ...]
    observatory_url: str | None = None


class ClaimGuestSessionResponse(Message, frozen=True):
    """The session's profiles belong to the organization now; the session itself has expired."""


class GetProfileObservatoryLinkResponse(Message, frozen=True):
    """The link that shows the selected profiles side by side, and one for each alone."""

    observatory_url: str
    individual_observatory_urls: tuple[str, ...]


class ListSessionProfilesResponse(Message, frozen=True):
    """The uploaded profiles of a session, oldest upload first.

    `next` says where a listing with a limit goes on (``after=``), None at its end; `expires` when the session ends if
    nothing more is uploaded, in ms since 1970, None for never.
    """

    dataset_id: str
    profiles: tuple[ListedProfile, ...]
    next: str | None = None
    expires: int | None = None


class NameSessionResponse(Message, frozen=True):
    """The session has the name."""


class DeleteResponse(Message, frozen=True):
    """Something was deleted."""


# What asks for the operations.


class CreateSessionRequest(Request[CreateSessionResponse], frozen=True):
    """Open a guest session for a user id of one's own choosing."""

    operation = Operation("create_session", "opening a session", "POST", "/v0/sessions")
    user_id: str


class GetSessionRequest(Request[GetSessionResponse], frozen=True):
    """Ask for a session's metadata; needs an API key."""

    operation = Operation("get_session", "asking about the session", "GET", _SESSION, keyed=True)
    session_id: str


class CreateDatasetProfileUploadRequest(Request[CreateDatasetProfileUploadResponse], frozen=True):
    """Ask for a slot for a batch."""

    operation = Operation(
        "create_dataset_profile_upload", "asking for a slot for a batch", "POST", _SESSION + "/upload"
    )
    log_async_request: LogAsyncRequest
    session_id: str


class CreateReferenceProfileUploadRequest(Request[LogSessionReferenceResponse], frozen=True):
    """Ask for a slot for a reference profile."""

    operation = Operation(
        "create_reference_profile_upload", "asking for a slot for a reference", "POST", _SESSION + "/reference"
    )
    log_reference_request: LogReferenceRequest
    session_id: str


class BatchCreateReferenceProfileUploadRequest(Request[BatchLogSessionReferenceResponse], frozen=True):
    """Ask for slots for several reference profiles."""

    operation = Operation(
        "batch_create_reference_profile_upload", "asking for slots for references", "POST", _SESSION + "/references"
    )
    batch_log_reference_request: BatchLogReferenceRequest
    session_id: str


class ClaimGuestSessionRequest(Request[ClaimGuestSessionResponse], frozen=True):
    """Move a session's profiles into an organization for good; needs an API key."""

    operation = Operation(
        "claim_guest_session",
        "claiming the session",
        "POST",
        _SESSION + "/claim?org_id={org_id}",
        keyed=True,
        repeat=Repeat.UNSENT,
    )
    org_id: str
    session_id: str


class NameSessionRequest(Request[NameSessionResponse], frozen=True):
    """Give a session a name for its owner's list of sessions: an addition of songbird-widgets' own service."""

    operation = Operation("name_session", "naming the session", "POST", _SESSION + "/name")
    session_name: SessionName
    session_id: str


class DeleteSessionRequest(Request[DeleteResponse], frozen=True):
    """Delete a session with all its profiles: an addition of songbird-widgets' own service."""

    operation = Operation("delete_session", "deleting the session", "DELETE", _SESSION)
    session_id: str


class DeleteProfileRequest(Request[DeleteResponse], frozen=True):
    """Delete a profile of a session: an addition of songbird-widgets' own service."""

    operation = Operation("delete_profile", "deleting a profile", "DELETE", _SESSION + "/profiles/{profile_id}")
    profile_id: str
    session_id: str


class GetSessionProfileObservatoryLinkRequest(Request[GetProfileObservatoryLinkResponse], frozen=True):
    """Ask for the link that shows one to three profiles side by side."""

    operation = Operation("get_session_profile_observatory_link", "asking for the link to the profiles", "POST", _LINK)
    get_profile_observatory_link_request: GetProfileObservatoryLinkRequest
    session_id: str


class ListSessionProfilesRequest(Request[ListSessionProfilesResponse], frozen=True):
    """Ask what a session holds: an addition of songbird-widgets' own service.

    `after` is where to go on, the `next` of an earlier answer; `limit` how many at most (1 to 1,000), None for all.
    """

    operation = Operation("list_session_profiles", "listing the session's profiles", "GET", _SESSION + "/profiles")
    session_id: str
    after: str | None = None
    limit: int | None = None


class GetProfileFilesRequest(Request[bytes], frozen=True):
    """Ask for the bytes of a profile: an addition of songbird-widgets' own service.

    The answer is the file, or a zip of them where a day was uploaded in several. `dataset_id` is as listings name it,
    `profile` the id of a reference, or a batch's UTC day in ms since 1970.
    """

    operation = Operation(
        "get_profile_files", "asking for a profile's bytes", "GET", _FILES + "&sessionToken={session_id}"
    )
    dataset_id: str
    profile: str
    session_id: str


# The same for a dataset of an organization, with its API key. The slots that answer hold no observatory link.


class Dataset(Message, frozen=True):
    """A dataset of an organization: what profiles are uploaded to in place of a session."""

    org_id: str
    dataset_id: str


class LogDatasetProfileRequest(Request[CreateDatasetProfileUploadResponse], frozen=True):
    """Ask for a slot for a batch of a dataset."""

    operation = Operation(
        "log_async", "asking for a slot for a batch", "POST", _ORGANIZATION + "/log/async/{dataset_id}", keyed=True
    )
    log_async_request: LogAsyncRequest
    org_id: str
    dataset_id: str


class LogDatasetReferenceRequest(Request[LogSessionReferenceResponse], frozen=True):
    """Ask for a slot for a reference profile of a dataset."""

    operation = Operation(
        "log_reference",
        "asking for a slot for a reference",
        "POST",
        _ORGANIZATION + "/log/reference/{dataset_id}",
        keyed=True,
    )
    log_reference_request: LogReferenceRequest
    org_id: str
    dataset_id: str


class GetDatasetObservatoryLinkRequest(Request[GetProfileObservatoryLinkResponse], frozen=True):
    """Ask for the link that shows one to three profiles of a dataset side by side, to members of its organization."""

    operation = Operation(
        "get_profile_observatory_link",
        "asking for the link to the profiles",
        "POST",
        _ORGANIZATION + "/log/observatory-link/{dataset_id}",
        keyed=True,
    )
    get_profile_observatory_link_request: GetProfileObservatoryLinkRequest
    org_id: str
    dataset_id: str


class ListDatasetProfilesRequest(Request[ListSessionProfilesResponse], frozen=True):
    """Ask what a dataset holds, as `ListSessionProfilesRequest` does of a session."""

    operation = Operation(
        "list_dataset_profiles",
        "listing the dataset's profiles",
        "GET",
        _ORGANIZATION + "/datasets/{dataset_id}/profiles",
        keyed=True,
    )
    org_id: str
    dataset_id: str
    after: str | None = None
    limit: int | None = None


class GetDatasetFilesRequest(Request[bytes], frozen=True):
    """Ask for the bytes of a dataset's profile, as `GetProfileFilesRequest` does of a session."""

    operation = Operation("get_dataset_files", "asking for a profile's bytes", "GET", _FILES, keyed=True)
    dataset_id: str
    profile: str

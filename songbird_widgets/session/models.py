"""The values that a session hands out: frozen, so that any thread and any panel may hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..basics import DAY_MS, Kind, size_text, time_text
from ..client.redaction import short_id

ProfileState = Literal["added", "uploading", "uploaded", "failed"]
Level = Literal["info", "warning", "error"]

_MAX_LISTED = 20


@dataclass(frozen=True, repr=False, slots=True)
class SessionProfile:
    """One profile of a session.

    Attributes
    ----------
    key : str
        Name of this profile within its session: the same for the same bytes, kind and UTC day or alias.
    kind : {"batch", "reference"}
        A batch is known by its timestamp, a reference by its alias and id.
    label : str
        What people are shown: the alias, or the time in UTC. Free of control characters; escape it in HTML.
    state : {"added", "uploading", "uploaded", "failed"}
        ``"uploaded"`` only once the endpoint's storage has confirmed the bytes.
    alias : str or None
        A reference's alias, as given.
    dataset_timestamp : int or None
        Milliseconds since 1970 in UTC.
    profile_id : str or None
        The endpoint's id, once uploaded.
    problem : str or None
        Why it failed.
    sent, size : int
        Bytes.
    columns, rows : int or None
        Counted when the file was read; of what others uploaded, by endpoints that count.
    name : str
        Where it came from, for people.
    sha256 : str
        Of the bytes, in hex.
    upload_timestamp : int or None
        When it was uploaded, in milliseconds since 1970 in UTC.
    alias_timestamp : int or None
        When its alias was last given to it by this user, in milliseconds since 1970 in UTC. Of several references of
        one alias, the alias means the latest.
    data_digest : str
        Equal for profiles that hold the same, whenever they were made; empty where it is not known.
    timed : bool
        Whether somebody has said when the data are from. Otherwise the profile's time is when it was made.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> (july,) = sw.Session().add([{"price": price} for price in range(100)], alias="july")
    >>> july.kind, july.alias, july.state, july.rows
    ('reference', 'july', 'added', 100)
    """

    key: str
    kind: Kind
    label: str
    state: ProfileState = "added"
    alias: str | None = None
    dataset_timestamp: int | None = None
    profile_id: str | None = None
    problem: str | None = None
    sent: int = 0
    size: int = 0
    columns: int | None = None
    rows: int | None = None
    name: str = ""
    sha256: str = ""
    upload_timestamp: int | None = None
    alias_timestamp: int | None = None
    data_digest: str = ""
    timed: bool = True

    @property
    def slot(self) -> str:
        """Name of the place that it takes among the three of a page: batches of one UTC day share one."""
        if self.kind == "batch" and self.dataset_timestamp is not None:
            return f"batch:{self.dataset_timestamp // DAY_MS}"
        return f"reference:{self.key}"

    @property
    def choice(self) -> str:
        """What selecting it selects, in words: the UTC day of a batch, the alias of a reference."""
        if self.kind == "batch" and self.dataset_timestamp is not None:
            return time_text(self.dataset_timestamp // DAY_MS * DAY_MS)
        return self.label

    def holds_same_as(self, other: SessionProfile) -> bool:
        """Tell whether both are of one day or alias and hold the same data, perhaps profiled at two times."""
        if not self.data_digest or self.data_digest != other.data_digest or self.kind != other.kind:
            return False
        if self.kind == "reference":
            return self.alias is not None and self.alias == other.alias
        # Equal data of two times that somebody has named are two data sets.
        timed = self.timed or other.timed
        return self.slot == other.slot and (self.dataset_timestamp == other.dataset_timestamp or not timed)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.label!r}, {self.state}, {size_text(self.size)}>"


class ProfileList(list[SessionProfile]):
    """A list of profiles that reads as one in a cell: a line for each.

    Attributes
    ----------
    note : str
        What is worth knowing, a line each; empty if nothing is: `notes`, and which data sets become one.
    notes : tuple of str
        Columns of the data that are not in the profiles, or not as one would expect.
    """

    note = ""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [
            f"{item.kind:<9}  {item.label:<24}  {item.state:<9}  {size_text(item.size):>9}  {item.name}".rstrip()
            for item in self[:_MAX_LISTED]
        ]
        if len(self) > _MAX_LISTED:
            lines.append(f"and {len(self) - _MAX_LISTED} more")
        return "\n".join([*lines, *filter(None, [self.note])]) or "[]"


@dataclass(frozen=True)
class UploadProgress:
    """How far an upload is.

    Attributes
    ----------
    total, done, failed : int
        Profiles.
    bytes_sent, bytes_total : int
        Bytes.
    rate : float
        Bytes per second since the upload began.
    remaining : float or None
        Seconds, as far as can be told.
    text : str
        The same in words.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    bytes_sent: int = 0
    bytes_total: int = 0
    rate: float = 0.0
    remaining: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Notice:
    """The last message for people."""

    level: Level
    text: str


@dataclass(frozen=True)
class Problem:
    """Something that could not be added, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class LedgerSession:
    """One session of this user, as the ledger knows it.

    Attributes
    ----------
    session_id : str
        What ``Session(session_id=...)`` continues it with; not in the repr.
    endpoint : str or None
        Where it lives; None for the local service. Not in the repr.
    label : str
        The endpoint as people may see it.
    state : str
        As last seen: ``"open"``, ``"claimed"`` or ``"expired"``.
    created, used : int
        Milliseconds since 1970 in UTC.
    profiles, unfinished : int
        How many there are, and how many of them did not arrive.
    name : str or None
        What its owner calls it.
    """

    session_id: str = field(repr=False)
    endpoint: str | None = field(repr=False)
    label: str
    state: str
    created: int
    used: int
    profiles: int
    unfinished: int
    name: str | None = None

    @property
    def short_id(self) -> str:
        """The id, shortened to what opens nothing."""
        return short_id(self.session_id)

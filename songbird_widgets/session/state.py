"""What a session shows of itself: frozen values, safe to hand to any thread and to any panel."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Literal

Kind = Literal["batch", "reference"]
State = Literal["added", "uploading", "uploaded", "failed"]
Level = Literal["info", "warning", "error"]

DAY = 86_400_000
"""Milliseconds of a batch period: guest sessions are daily, in UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LONGEST = 80


@dataclass(frozen=True)
class SessionProfile:
    """One profile of a session.

    Attributes
    ----------
    key : str
        Name of this profile within its session: the same for the same bytes, kind and time or alias.
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
        Counted when the file was read; unknown for what others uploaded.
    name : str
        Where it came from, for people.
    sha256 : str
        Of the bytes, in hex.
    upload_timestamp : int or None
        When it was uploaded, in milliseconds since 1970 in UTC.
    """

    key: str
    kind: Kind
    label: str
    state: State = "added"
    alias: str | None = None
    dataset_timestamp: int | None = None
    profile_id: str | None = None
    problem: str | None = None
    sent: int = 0
    size: int = 0
    columns: int | None = None
    rows: int | None = None
    name: str = ""
    sha256: str = field(default="", repr=False)
    upload_timestamp: int | None = None

    @property
    def slot(self) -> str:
        """Name of the place that it takes among the three of a page: batches of one UTC day share one."""
        if self.kind == "batch" and self.dataset_timestamp is not None:
            return f"batch:{self.dataset_timestamp // DAY}"
        return f"reference:{self.key}"


@dataclass(frozen=True)
class UploadStatus:
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


def utc(timestamp: int) -> datetime | None:
    """Return the moment of a timestamp in ms, or None beyond the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(milliseconds=timestamp)
    except OverflowError:
        return None


def shown_time(timestamp: int) -> str:
    """Return a timestamp in ms as people read it: the UTC date, and the time of day unless it is midnight."""
    moment = utc(timestamp)
    if moment is None:
        return f"{timestamp} ms"
    if timestamp % DAY == 0:
        return f"{moment:%Y-%m-%d}"
    precision = "milliseconds" if timestamp % 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def shown(text: str, longest: int = _LONGEST) -> str:
    """Return a foreign text fit for one line of a message: no control or direction marks, and not endless."""
    # Cutting first keeps a 10 MB name from being walked through.
    cut = text[: longest + 1]
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char for char in cut)
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def shown_size(size: float) -> str:
    """Return a number of bytes in decimal units."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit in ("bytes", "kB") else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError

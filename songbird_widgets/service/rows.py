"""What the service's database tells of sessions and profiles, and what it is told. Times are ms since 1970, UTC."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from ..basics import DAY_MS
from . import tables

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SessionRow:
    """A guest session, begun at `created` (ms), and the organization and dataset that have its profiles now, if any.

    `name` is what its owner calls it.

    Its id opens it to whoever has it, so the repr leaves it out.
    """

    session_id: str = field(repr=False)
    org_id: str
    dataset_id: str
    user_id: str
    created: int
    claimed_by: str | None = None
    claimed_dataset: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class ProfileRow:
    """A profile: announced when its slot was given out, uploaded once its bytes are safe on disk.

    ``sha256`` is the key for `Blobs.read`; ``size`` (bytes), ``sha256`` and ``upload_timestamp`` (ms) are None
    until the upload. ``dataset_timestamp`` (ms) is exact; the batch it belongs to is its UTC day. ``rows`` and
    ``columns`` of its data are None until its summary was made, and where they cannot be told.
    """

    id: str
    kind: Literal["batch", "reference"]
    alias: str | None
    dataset_timestamp: int | None
    upload_timestamp: int | None
    state: Literal["announced", "uploaded"]
    size: int | None
    sha256: str | None
    rows: int | None = None
    columns: int | None = None


@dataclass(frozen=True)
class DayRow:
    """The uploaded batches of one UTC day.

    Attributes
    ----------
    day : int
        Its first millisecond.
    uploads, size : int
        How many, and their bytes.
    digest : str
        Of their contents in the order of arrival (`tables.chained`).
    """

    day: int
    uploads: int
    size: int
    digest: str


@dataclass(frozen=True)
class UploadRow:
    """Bytes of a profile that are safe on disk, and the slot they were put to."""

    profile_id: str
    size: int
    sha256: str
    etag: str | None = None
    """Of the object, if it was put straight to a store."""


@dataclass(frozen=True)
class Arrival:
    """An upload that was confirmed: where it belongs, by its day if it is a batch (ms), its content's hash, its id."""

    org_id: str
    dataset_id: str
    day: int | None
    sha256: str
    profile_id: str


@dataclass(frozen=True)
class Figures:
    """Rows and columns of the data of an uploaded profile; rows are None where nothing was counted."""

    profile_id: str
    rows: int | None
    columns: int


@dataclass(frozen=True)
class DatasetRow:
    """A dataset of an organization and how many uploaded profiles it holds."""

    id: str
    created: int
    profiles: int


@dataclass(frozen=True)
class NewProfile:
    """What is known of a profile when its slot is asked for; times in ms."""

    kind: Literal["batch", "reference"]
    alias: str | None = None
    dataset_timestamp: int | None = None
    segment_tags: tuple[tuple[str, str], ...] = ()
    region: str | None = None


def now_ms() -> int:
    """The time now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def day_start(timestamp: int) -> int:
    """The start of the UTC day of `timestamp`, both in ms: the batch period of guest sessions is daily."""
    return timestamp - timestamp % DAY_MS


def select_uploads(org_id: str, dataset_id: str) -> sa.Select[Any]:
    """Return the query of the uploaded profiles of a dataset."""
    return sa.select(*_PROFILE_COLUMNS).where(
        tables.profiles.c.org_id == org_id,
        tables.profiles.c.dataset_id == dataset_id,
        tables.profiles.c.uploaded.is_not(None),
    )


_PROFILE_COLUMNS = tuple(
    tables.profiles.c[name]
    for name in (
        *("id", "kind", "alias", "dataset_timestamp", "uploaded", "size", "sha256"),
        *("data_rows", "data_columns"),
    )
)


def select_days(org_id: str, dataset_id: str) -> sa.Select[Any]:
    """Return the query of the days of a dataset."""
    columns = (tables.days.c.day, tables.days.c.uploads, tables.days.c.size, tables.days.c.digest)
    return sa.select(*columns).where(tables.days.c.org_id == org_id, tables.days.c.dataset_id == dataset_id)


def session_row(row: Mapping[Any, Any]) -> SessionRow:
    """Return a session as the table has it."""
    names = ("org_id", "dataset_id", "user_id", "created", "claimed_by", "claimed_dataset", "name")
    return SessionRow(row["id"], *(row[name] for name in names))


def day_row(row: Mapping[Any, Any]) -> DayRow:
    """Return a day as `select_days` finds it."""
    return DayRow(row["day"], row["uploads"], row["size"], row["digest"])


def profile_row(row: Mapping[Any, Any]) -> ProfileRow:
    """Return a profile as `select_uploads` finds it."""
    return ProfileRow(
        id=row["id"],
        kind=row["kind"],
        alias=row["alias"],
        dataset_timestamp=row["dataset_timestamp"],
        upload_timestamp=row["uploaded"],
        state="announced" if row["uploaded"] is None else "uploaded",
        size=row["size"],
        sha256=row["sha256"],
        rows=row["data_rows"],
        columns=row["data_columns"],
    )

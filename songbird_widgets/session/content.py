"""The bytes of an added profile: where they are, and whether they are unchanged when they are sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics import DAY_MS, one_line, time_text
from ..client.checks import text, timestamp
from ..client.errors import ValidationError
from .models import SessionProfile

if TYPE_CHECKING:
    from ..basics import Kind
    from ..client.models import ListedProfile
    from ..profiles import ProfileSource

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Content:
    """Bytes to send: in memory, or in a file that must not have changed since it was read.

    Attributes
    ----------
    data : bytes or pathlib.Path
    segment_tags : tuple of (str, str)
    stamp : tuple of (int, int) or None
        Size and time of change of a file when it was read.
    """

    data: bytes | Path
    segment_tags: tuple[tuple[str, str], ...] = ()
    stamp: tuple[int, int] | None = None

    @classmethod
    def of(cls, source: ProfileSource) -> Content:
        """Return where the bytes of a source are."""
        data = source.content
        return cls(data, source.segment_tags, _stamp(data) if isinstance(data, Path) else None)

    def problem(self, sha256: str) -> str | None:
        """Return why the bytes are not those that were added: their file has gone or has changed; else None."""
        if isinstance(self.data, bytes):
            return None
        # A large file is not read again if its size and time of change are the same.
        if self.stamp is not None and _stamp(self.data) == self.stamp:
            return None
        name = one_line(str(self.data))
        try:
            if _digest(self.data) == sha256:
                return None
        except OSError as error:
            return f"The file {name} can no longer be read ({error.strerror or error}). Add it again."
        return f"The file {name} has changed since it was added. Add it again."


def profile_of_source(source: ProfileSource) -> SessionProfile:
    """Return a source as a profile of a session.

    Raises
    ------
    ValidationError
        If it has a time or an alias that no endpoint would take.
    """
    from ..profiles.sameness import described

    if source.problem is not None:
        raise ValidationError(source.problem)
    when = source.dataset_timestamp
    if when is not None:
        timestamp(when)
    if source.alias is not None:
        text(source.alias, "alias")
    digest, made = ("", None) if isinstance(source.content, Path) else described(source.content)
    return SessionProfile(
        key=key_of(source.kind, source.alias, when, source.sha256),
        kind=source.kind,
        label=label_of(source.kind, source.alias, when, source.name),
        alias=source.alias,
        dataset_timestamp=when,
        size=source.size,
        columns=source.columns,
        rows=source.rows,
        name=one_line(source.name),
        sha256=source.sha256,
        data_digest=digest or source.sha256,
        timed=isinstance(source.content, Path) or when != made,
    )


def profile_of_listing(profile: ListedProfile) -> SessionProfile:
    """Return a profile that an endpoint lists as a profile of a session."""
    return SessionProfile(
        key=key_of(profile.kind, profile.alias, profile.dataset_timestamp, profile.sha256),
        kind=profile.kind,
        label=label_of(profile.kind, profile.alias, profile.dataset_timestamp, profile.id),
        state="uploaded",
        alias=profile.alias,
        dataset_timestamp=profile.dataset_timestamp,
        profile_id=profile.id,
        sent=profile.size,
        size=profile.size,
        columns=_count(profile.columns),
        rows=_count(profile.rows),
        name=one_line(profile.id),
        sha256=profile.sha256,
        upload_timestamp=profile.upload_timestamp,
    )


def _count(given: int | None) -> int | None:
    """Take a count only where it can be one: an endpoint may answer anything."""
    return given if given is not None and given >= 0 else None


def renamed(profile: SessionProfile, alias: str | None, when: int | None) -> SessionProfile:
    """Return a profile under another alias, which makes it a reference, or at another time.

    Raises
    ------
    ValidationError
        If it has a time or an alias that no endpoint would take.
    """
    kind: Kind = "reference" if alias is not None else "batch" if when is not None else profile.kind
    timed = profile.timed or when is not None
    when = profile.dataset_timestamp if when is None else timestamp(when)
    if alias is not None:
        text(alias, "alias")
    return replace(
        profile,
        key=key_of(kind, alias, when, profile.sha256),
        kind=kind,
        label=label_of(kind, alias, when, profile.name),
        alias=alias,
        dataset_timestamp=when,
        state="added",
        problem=None,
        timed=timed,
    )


def key_of(kind: Kind, alias: str | None, when: int | None, sha256: str) -> str:
    """Return the key of a profile: equal in every kernel for the same bytes in the same slot.

    Batches of one UTC day share a slot, and the endpoint adds up what arrives there: equal bytes would count twice.
    """
    day = None if when is None else when // DAY_MS
    name = str(day) if kind == "batch" else alias or ""
    identity = f"{kind}\0{name}\0{sha256}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(identity).hexdigest()[:16]


def label_of(kind: Kind, alias: str | None, when: int | None, name: str) -> str:
    """Return what people are shown of a profile."""
    if kind == "batch" and when is not None:
        return time_text(when)
    return one_line(alias or name)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

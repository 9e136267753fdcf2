"""The profiles of a dataset that one can choose from: references by name, batches by day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from . import formatting

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LISTED = 500
"""Profiles of a kind on a dataset's own page; the others are found by searching there."""

MAX_COUNTED = 10_000
"""Profiles of a kind up to which they are counted."""

MAX_CHOICES = 200
"""Profiles of a kind that a chooser offers; the session's own page lists more."""


class ListedUpload(Protocol):
    """An uploaded profile as whoever keeps it describes it; times in ms, UTC."""

    @property
    def id(self) -> str: ...
    @property
    def alias(self) -> str | None: ...
    @property
    def upload_timestamp(self) -> int | None: ...
    @property
    def size(self) -> int | None: ...
    @property
    def sha256(self) -> str | None: ...


class ListedDay(Protocol):
    """The batches of a day as whoever keeps them describes them."""

    @property
    def day(self) -> int: ...
    @property
    def uploads(self) -> int: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class Choice:
    """A profile to choose: its URL value, what people call it, and what tells it from its like."""

    value: str
    label: str
    detail: str
    timestamp: int = 0


@dataclass(frozen=True)
class Group:
    """Profiles of one kind: how many there are, and those that are listed."""

    label: str
    choices: tuple[Choice, ...]
    more: str


@dataclass(frozen=True)
class Choices:
    """The profiles of a dataset by kind, references by name, batches newest first."""

    groups: tuple[Group, ...]

    @property
    def values(self) -> frozenset[str]:
        """The URL values of all that are listed."""
        return frozenset(choice.value for group in self.groups for choice in group.choices)


def choices_of(
    references: Sequence[ListedUpload], reference_count: int | None, days: Sequence[ListedDay], day_count: int | None
) -> Choices:
    """Group what can be chosen.

    Parameters
    ----------
    references, days
        Those to list, in their order.
    reference_count, day_count
        How many there are, counted up to `MAX_COUNTED`; None for more than are listed, however many.
    """
    groups = (
        ("Reference profiles", "first", _references(references), reference_count),
        ("Batch profiles", "newest", tuple(map(day_choice, days)), day_count),
    )
    return Choices(
        tuple(
            Group(f"{label} (the {which} {len(choices):,})", choices, "")
            if count is None
            else Group(f"{label} ({_counted(count)})", choices, _more(count, len(choices)))
            for label, which, choices, count in groups
            if choices
        )
    )


def _counted(count: int) -> str:
    return f"{count:,}" if count <= MAX_COUNTED else f"over {MAX_COUNTED:,}"


def _more(count: int, shown: int) -> str:
    """Say how many are not listed; nothing when all are."""
    if count <= shown:
        return ""
    return f"{count - shown:,}" if count <= MAX_COUNTED else f"over {MAX_COUNTED - shown:,}"


def day_choice(day: ListedDay) -> Choice:
    """Return the batches of a day as a choice."""
    size = formatting.size(day.size)
    return Choice(
        str(day.day),
        formatting.day(day.day),
        f"{day.uploads:,} uploads, {size}" if day.uploads > 1 else size,
        day.day,
    )


def _references(rows: Sequence[ListedUpload]) -> tuple[Choice, ...]:
    """Tell references of the same alias apart by their ids."""
    labels = [formatting.clipped(row.alias or row.id, 60) for row in rows]
    seen = Counter(labels)
    return tuple(
        Choice(row.id, label if seen[label] == 1 else f"{label} ({row.id})", formatting.size(row.size))
        for row, label in zip(rows, labels, strict=True)
    )

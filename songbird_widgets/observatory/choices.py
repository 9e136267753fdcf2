"""The profiles of a dataset that one can choose from: references by name, batches by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from . import formatting

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LISTED = 500
"""Profiles of a kind on a dataset's own page; the others are found by searching there."""

MAX_CHOICES = 200
"""Profiles of a kind that a chooser offers; the session's own page lists all of them."""

_KINDS = {"reference": "Reference profiles", "batch": "Batch profiles"}


class Upload(Protocol):
    """An uploaded profile as whoever keeps it describes it; times in ms, UTC."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def alias(self) -> str | None: ...
    @property
    def dataset_timestamp(self) -> int | None: ...
    @property
    def upload_timestamp(self) -> int | None: ...
    @property
    def size(self) -> int | None: ...
    @property
    def sha256(self) -> str | None: ...


@dataclass(frozen=True)
class Choice:
    """A profile to choose: its URL value, what people call it, and what tells it from its like."""

    value: str
    label: str
    detail: str
    kind: str
    timestamp: int


@dataclass(frozen=True)
class Group:
    """Profiles of one kind."""

    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Choices:
    """The profiles of a dataset by kind, references by name, batches newest first."""

    groups: tuple[Group, ...]

    @property
    def any(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.groups)

    @property
    def values(self) -> frozenset[str]:
        """The URL values of all choices."""
        return frozenset(choice.value for group in self.groups for choice in group.choices)

    def matching(self, search: str, used: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the chooser's page lists: what `search` leaves of each kind, not too many, and what is used."""
        found = []
        for group in self.groups:
            fitting = [one for one in group.choices if search.casefold() in one.label.casefold() or one.value in used]
            listed = fitting[:MAX_LISTED]
            if listed:
                found.append({"label": group.label, "choices": listed, "more": f"{len(fitting) - len(listed):,}"})
        return found

    def first(self) -> Choices:
        """Return as many as a chooser offers."""
        return Choices(tuple(Group(group.label, group.choices[:MAX_CHOICES]) for group in self.groups))


def choices_of(rows: Sequence[Upload]) -> Choices:
    """Group a dataset's uploads: a day's batches are one choice."""
    references = [
        Choice(
            row.id,
            formatting.clipped(row.alias or row.id, 60),
            _uploaded([row]),
            "reference",
            row.upload_timestamp or 0,
        )
        for row in rows
        if row.kind == "reference"
    ]
    days: dict[int, list[Upload]] = {}
    for row in rows:
        if row.kind == "batch" and row.dataset_timestamp is not None:
            days.setdefault(row.dataset_timestamp - row.dataset_timestamp % formatting.DAY_MS, []).append(row)
    batches = [Choice(str(day), formatting.day(day), _uploaded(uploads), "batch", day) for day, uploads in days.items()]
    references.sort(key=lambda choice: (choice.label.casefold(), -choice.timestamp))
    batches.sort(key=lambda choice: -choice.timestamp)
    return Choices(
        tuple(
            Group(f"{_KINDS[kind]} ({len(members):,})", tuple(members))
            for kind, members in (("reference", _distinct(references)), ("batch", batches))
            if members
        )
    )


def _distinct(references: list[Choice]) -> list[Choice]:
    """Tell references of the same alias apart by their ids."""
    seen: dict[str, int] = {}
    for choice in references:
        seen[choice.label] = seen.get(choice.label, 0) + 1
    return [
        choice
        if seen[choice.label] == 1
        else Choice(choice.value, f"{choice.label} ({choice.value})", choice.detail, choice.kind, choice.timestamp)
        for choice in references
    ]


def _uploaded(rows: Sequence[Upload]) -> str:
    sizes = formatting.size(sum(row.size or 0 for row in rows))
    return f"{len(rows)} uploads, {sizes}" if len(rows) > 1 else sizes

"""The profiles that a page puts side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import problems

if TYPE_CHECKING:
    from songbird_widgets.profiles import Profile

    from .choices import Upload
    from .problems import Problem

MAX_OUTLINE_NAMES = 200_000
"""Column names kept, over all outlines."""


@dataclass(frozen=True)
class Outline:
    """What is known of a profile without its bytes.

    Parameters
    ----------
    names
        Column names, in no order.
    rows
        The most values that one of the first columns counts; None for a profile without columns.
    dataset_timestamp, creation_timestamp
        Milliseconds, UTC.
    segment
        Tags of the segment it was cut to, as (key, value).
    """

    names: frozenset[str]
    rows: int | None
    dataset_timestamp: int | None
    creation_timestamp: int | None
    segment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Side:
    """One of the profiles that a page was asked for.

    Parameters
    ----------
    place
        1 to 3: P1 is the first in the URL and the baseline.
    value
        The ``profile`` parameter's value.
    kind
        ``batch`` or ``reference``.
    label
        What people call it: its alias, or its day.
    uploads
        The files it is made of; several for a batch day that was uploaded in parts.
    outline
        What it holds, unless there is a problem.
    problem
        Why it cannot be shown.
    """

    place: int
    value: str
    kind: str
    label: str
    uploads: tuple[Upload, ...] = ()
    outline: Outline | None = None
    problem: Problem | None = None

    @property
    def letter(self) -> str:
        """P1, P2 or P3."""
        return f"P{self.place}"

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """What its content depends on: the hashes of its files."""
        return tuple(row.sha256 or "" for row in self.uploads)

    @property
    def names(self) -> frozenset[str]:
        """Its column names; none when it cannot be shown."""
        return self.outline.names if self.outline else frozenset()


def outline_of(profile: Profile) -> Outline:
    """Take down what a page says of a profile as a whole."""
    return Outline(
        names=frozenset(profile.column_names),
        rows=profile.rows,
        dataset_timestamp=profile.dataset_timestamp,
        creation_timestamp=profile.creation_timestamp,
        segment=profile.segments,
    )


LOST = problems.Problem(
    500,
    "Internal",
    "This file is missing from the store",
    "The profile was uploaded, and its file is no longer where the service put it.",
    "Upload it again, or restore the service's data directory.",
)

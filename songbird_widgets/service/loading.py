"""From a URL's parameters to opened profiles: which files they name, merged by day, what is wrong with each.

Everything here blocks (database, disk, decoding) and runs on the service's executor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from songbird_widgets.observatory import formatting, problems
from songbird_widgets.observatory.cache import Cache
from songbird_widgets.observatory.sides import LOST, MAX_OUTLINE_NAMES, Outline, Side, outline_of
from songbird_widgets.observatory.survey import open_profile
from songbird_widgets.profiles import ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from songbird_widgets.observatory.problems import Problem
    from songbird_widgets.profiles import Profile

    from .blobs import Blobs
    from .metadata import Metadata

MAX_OPEN_BYTES = 45_000_000
"""Bytes of profiles kept open; three 1,000-column profiles are 42 MB."""

_BATCH = re.compile(r"-?[0-9]{1,16}")


@dataclass
class Shelf:
    """Opened profiles of a service, with a bounded memory.

    Parameters
    ----------
    metadata, blobs
        Where profiles are known and kept.
    """

    metadata: Metadata
    blobs: Blobs
    _open: Cache[Profile] = field(default_factory=lambda: Cache(MAX_OPEN_BYTES, lambda profile: profile.size + 1000))
    _outlines: Cache[Outline] = field(
        default_factory=lambda: Cache(MAX_OUTLINE_NAMES, lambda outline: len(outline.names) + 10)
    )

    def sides(self, org_id: str, dataset_id: str, values: Sequence[str]) -> tuple[Side, ...]:
        """Find the profiles that the ``profile`` parameters name, in their order."""
        return tuple(self._side(org_id, dataset_id, value, place) for place, value in enumerate(values, start=1))

    def opened(self, side: Side) -> Profile:
        """Return a side's profile, merged if it has several files.

        Raises
        ------
        ProfileError
            When one of its files is no readable profile.
        FileNotFoundError
            When one of its files is gone from the store.
        """
        return self._open.through(side.fingerprint, lambda: self._read(side))

    def paths(self, side: Side) -> list[Path]:
        """Where a side's files lie."""
        return [self.blobs.path(row.sha256) for row in side.uploads if row.sha256]

    def _read(self, side: Side) -> Profile:
        return open_profile([path.read_bytes() for path in self.paths(side)])

    def _side(self, org_id: str, dataset_id: str, value: str, place: int) -> Side:
        if _BATCH.fullmatch(value):
            start = int(value) - int(value) % formatting.DAY_MS
            label = formatting.day(start)
            uploads = tuple(self.metadata.day_uploads(org_id, dataset_id, start))
            if not uploads:
                announced = self.metadata.is_announced(org_id, dataset_id, start)
                return Side(place, value, "batch", label, problem=_no_batch(label, announced=announced))
            return self._outlined(Side(place, value, "batch", label, uploads))
        row = self.metadata.reference(org_id, dataset_id, value)
        if row is None:
            return Side(place, value, "reference", value, problem=_no_reference(value))
        label = row.alias or row.id
        if row.state != "uploaded":
            return Side(place, value, "reference", label, problem=_never_uploaded(label))
        return self._outlined(Side(place, value, "reference", label, (row,)))

    def _outlined(self, side: Side) -> Side:
        try:
            outline = self._outlines.through(side.fingerprint, lambda: outline_of(self.opened(side)))
        except ProfileError as error:
            return replace(side, problem=_unreadable(error))
        except FileNotFoundError:
            return replace(side, problem=LOST)
        return replace(side, outline=outline)


def _no_batch(label: str, *, announced: bool) -> Problem:
    if announced:
        return problems.not_found(
            "This batch never arrived",
            f"An upload for {label} was announced, and its file never came.",
            "Upload it again: session.upload() sends what is missing.",
        )
    return problems.not_found(
        "There is no such batch",
        f"Nothing was uploaded for {label} (UTC).",
        "Choose another profile, or upload this day's.",
    )


def _no_reference(value: str) -> Problem:
    return problems.not_found(
        "There is no such profile",
        f"No reference profile here has the id {formatting.clipped(value, 60)}.",
        "Choose another profile, or take the link again from where it was made.",
    )


def _never_uploaded(label: str) -> Problem:
    return problems.not_found(
        "This profile never arrived",
        f"The reference profile {formatting.clipped(label, 60)} was announced, and its file never came.",
        "Upload it again: session.upload() sends what is missing.",
    )


def _unreadable(error: ProfileError) -> Problem:
    return problems.unreadable(
        "This file cannot be read",
        formatting.clipped(str(error), 400),
        "Write the profile again with whylogs 1.x and upload that; the file is kept and can be downloaded.",
    )

"""From a URL's parameters to the profiles that they name: what each holds, or what is wrong with it.

Everything here blocks (database, disk) and runs on the service's executor.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..observatory import formatting, problems
from ..observatory.sides import Side
from ..profiles import ProfileError
from .rows import DayRow, day_start
from .summaries import give_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..observatory.problems import ProblemText
    from .metadata import Metadata
    from .rows import ProfileRow
    from .summaries import Summaries

_BATCH = re.compile(r"-?[0-9]{1,16}")


class Loader:
    """Finds the profiles of pages.

    Parameters
    ----------
    metadata, summaries
        Where they are known, and what is known of them.
    """

    def __init__(self, metadata: Metadata, summaries: Summaries) -> None:
        self._metadata = metadata
        self._summaries = summaries

    def find(self, org_id: str, dataset_id: str, values: Sequence[str]) -> tuple[Side, ...]:
        """Find the profiles that the ``profile`` parameters name, in their order; what each holds is not loaded."""
        return tuple(self._find(org_id, dataset_id, value) for value in values)

    def load(self, org_id: str, dataset_id: str, side: Side) -> Side:
        """Return a side that was found with what it holds, or with what is wrong with it."""
        if side.problem:
            return side
        try:
            if side.kind == "batch":
                day = DayRow(day_start(int(side.value)), side.upload_count, 0, side.fingerprint)
                kept = self._summaries.of_day(org_id, dataset_id, day)
            else:
                kept = self._summaries.of_upload(side.fingerprint)
        except ProfileError as error:
            return replace(side, problem=_unreadable(error))
        except FileNotFoundError:
            return replace(side, problem=problems.LOST)
        return replace(side, summary=kept.summary, damaged=kept.damaged)

    def uploads(self, org_id: str, dataset_id: str, value: str) -> list[ProfileRow]:
        """Return the files that one ``profile`` parameter names."""
        if _BATCH.fullmatch(value):
            return self._metadata.day_uploads(org_id, dataset_id, day_start(int(value)))
        row = self._metadata.reference(org_id, dataset_id, value)
        return [row] if row is not None and row.state == "uploaded" else []

    def give_back(self, sides: Sequence[Side]) -> None:
        """Give back the memory of what was read of the profiles' files."""
        for side in sides:
            if side.summary is not None:
                give_back(side.summary)

    def discard(self, org_id: str, dataset_id: str, sides: Sequence[Side]) -> None:
        """Remove the summaries of profiles, which proved to be damaged."""
        for side in sides:
            day = day_start(int(side.value)) if side.kind == "batch" else None
            self._summaries.discard(org_id, dataset_id, day, side.fingerprint)

    def _find(self, org_id: str, dataset_id: str, value: str) -> Side:
        if not _BATCH.fullmatch(value):
            return self._reference(org_id, dataset_id, value)
        start = day_start(int(value))
        label = formatting.day(start)
        day = self._metadata.day(org_id, dataset_id, start)
        if day is None:
            announced = self._metadata.is_announced(org_id, dataset_id, start)
            return Side(value, "batch", label, problem=_no_batch(label, announced=announced))
        return Side(value, "batch", label, upload_count=day.uploads, fingerprint=day.digest)

    def _reference(self, org_id: str, dataset_id: str, value: str) -> Side:
        row = self._metadata.reference(org_id, dataset_id, value)
        if row is None:
            return Side(value, "reference", value, problem=_no_reference(value))
        label = row.alias or row.id
        if row.state != "uploaded" or row.sha256 is None:
            return Side(value, "reference", label, problem=_never_uploaded(label))
        return Side(value, "reference", label, upload_count=1, fingerprint=row.sha256)


def _no_batch(label: str, *, announced: bool) -> ProblemText:
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


def _no_reference(value: str) -> ProblemText:
    return problems.not_found(
        "There is no such profile",
        f"No reference profile here has the id {formatting.clipped(value, 60)}.",
        "Choose another profile, or take the link again from where it was made.",
    )


def _never_uploaded(label: str) -> ProblemText:
    return problems.not_found(
        "This profile never arrived",
        f"The reference profile {formatting.clipped(label, 60)} was announced, and its file never came.",
        "Upload it again: session.upload() sends what is missing.",
    )


def _unreadable(error: ProfileError) -> ProblemText:
    return problems.unreadable(
        "This file cannot be read",
        formatting.clipped(str(error), 400),
        "Write the profile again with whylogs 1.x and upload that; the file is kept and can be downloaded.",
    )

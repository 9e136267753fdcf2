"""What is said of a column of one profile beside the first: mark, word, score and why; for card, page and report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import formatting
from .table import VERDICTS, score_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from songbird_widgets.profiles import Drift

_MAX_NAMED = 5


@dataclass(frozen=True)
class VerdictLine:
    """What is said of a column of one profile.

    Attributes
    ----------
    place : int
        Of the profile: 2 or 3.
    label : str
        What the profile is called.
    verdict, sign, word : str
        The verdict, and it as a mark and a word.
    score : str
        From 1 on moderate, from 2 on strong; empty where none is to be shown.
    reasons, notes : tuple of str
    """

    place: int
    label: str
    verdict: str
    sign: str
    word: str
    score: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def letter(self) -> str:
        """The profile by its place: ``P2``."""
        return f"P{self.place}"

    @property
    def reason(self) -> str:
        """The weightiest reasons in one line; empty without any."""
        return " ".join(self.reasons[:2])


def verdict_lines(
    places: Iterable[int], drifts: Iterable[Drift | None], labels: Iterable[str]
) -> tuple[VerdictLine, ...]:
    """Say how each profile differs from the first; nothing of the first itself, or where neither has the column."""
    every = zip(places, drifts, labels, strict=True)
    return tuple(_line(place, drift, label) for place, drift, label in every if drift is not None)


def _line(place: int, drift: Drift, label: str) -> VerdictLine:
    sign, word = VERDICTS[drift.verdict]
    return VerdictLine(
        place,
        formatting.clipped(label, 40),
        drift.verdict,
        sign,
        word,
        score_of(drift),
        tuple(formatting.visible(text) for text in drift.reasons),
        tuple(formatting.visible(text) for text in (*drift.notes, *_came_and_went(drift))),
    )


def _came_and_went(drift: Drift) -> list[str]:
    """Name some of the values that are new and that vanished."""
    said = []
    for what, values in (("New", drift.new_values), ("Vanished", drift.vanished_values)):
        if values:
            some = ", ".join(formatting.clipped(value, 30) for value in values[:_MAX_NAMED])
            more = f" and {len(values) - _MAX_NAMED:,} more" if len(values) > _MAX_NAMED else ""
            said.append(f"{what} values: {some}{more}.")
    return said

"""The profiles of a page as cards: what each is, and the links that move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import formatting
from .query import PageQuery

if TYPE_CHECKING:
    from .sides import Side

MAX_NAMED = 3
"""Damaged uploads that a card names; the page's data name all."""


@dataclass(frozen=True)
class SideCard:
    """A profile as its card shows it, with the links that move it."""

    place: int
    value: str
    label_shown: str
    describe: str
    problem: Any
    damaged: str
    query_before: list[tuple[str, str]]
    query_after: list[tuple[str, str]]
    baseline_url: str
    remove_url: str
    files_url: str


def card_of(place: int, side: Side, query: PageQuery) -> SideCard:
    """Return the card of the profile at a place, 1 to 3."""
    others = [value for value in query.profiles if value != side.value]
    before = [("profile", value) for value in query.profiles[: place - 1]]
    after = [("profile", value) for value in query.profiles[place:]]
    return SideCard(
        place=place,
        value=side.value,
        label_shown=formatting.clipped(side.label, 60),
        describe=_describe(side),
        problem=side.problem,
        damaged=_damaged(side),
        query_before=before,
        query_after=after + query.hidden("profile", "offset"),
        baseline_url=query.url(profiles=(side.value, *others)) if place > 1 else "",
        remove_url=query.url(profiles=tuple(others)),
        files_url=PageQuery(profiles=(side.value,), token=query.token).url(".bin") if side.upload_count else "",
    )


def _describe(side: Side) -> str:
    summary = side.summary
    if summary is None:
        return ""
    said = ["Batch: this day, UTC" if side.kind == "batch" else "Reference"]
    if side.upload_count > 1:
        said[0] += f", {side.upload_count:,} uploads merged"
    if summary.rows is not None:
        said.append(f"{summary.rows:,} row{'' if summary.rows == 1 else 's'}")
    elif summary.names:
        said.append("rows not counted")
    count = len(summary.names)
    said.append(f"{count:,} column{'' if count == 1 else 's'}")
    if summary.segments:
        tags = ", ".join(f"{key} = {value}" for key, value in summary.segments)
        said.append(f"segment {formatting.clipped(tags, 80)}")
    return " · ".join(said)


def _damaged(side: Side) -> str:
    """Name the uploads of a day that it is shown without."""
    if not side.damaged:
        return ""
    named = "; ".join(
        f"{formatting.clipped(name, 60)}: {formatting.clipped(reason, 160)}"
        for name, reason in side.damaged[:MAX_NAMED]
    )
    more = f" and {len(side.damaged) - MAX_NAMED:,} more" if len(side.damaged) > MAX_NAMED else ""
    count = len(side.damaged)
    return f"Shown without {count:,} upload{'' if count == 1 else 's'} ({named}{more})."


def nothing_logged(place: int, side: Side) -> str:
    """Say that a profile is empty; nothing when it is not."""
    summary = side.summary
    if summary is None or summary.rows or summary.performance or (summary.names and summary.rows is None):
        return ""
    return f"P{place}, {formatting.clipped(side.label, 60)}, is empty: nothing was logged into it."

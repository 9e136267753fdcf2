"""The profiles of a page as cards: what each is, and the links that move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import formatting
from .query import PageQuery

if TYPE_CHECKING:
    from .sides import Side


@dataclass(frozen=True)
class SideCard:
    """A profile as its card shows it, with the links that move it."""

    place: int
    value: str
    label_shown: str
    describe: str
    problem: Any
    query_before: list[tuple[str, str]]
    query_after: list[tuple[str, str]]
    baseline_url: str
    remove_url: str
    files_url: str


def card_of(side: Side, query: PageQuery) -> SideCard:
    others = [value for value in query.profiles if value != side.value]
    before = [("profile", value) for value in query.profiles[: side.place - 1]]
    after = [("profile", value) for value in query.profiles[side.place :]]
    rest = query.hidden("profile", "offset")
    return SideCard(
        place=side.place,
        value=side.value,
        label_shown=formatting.clipped(side.label, 60),
        describe=_describe(side),
        problem=side.problem,
        query_before=before,
        query_after=after + rest,
        baseline_url=query.url(profiles=(side.value, *others)) if side.place > 1 else "",
        remove_url=query.url(profiles=tuple(others)),
        files_url=PageQuery(profiles=(side.value,), token=query.token).url(".bin") if side.uploads else "",
    )


def _describe(side: Side) -> str:
    outline = side.outline
    if outline is None:
        return ""
    said = ["Batch" if side.kind == "batch" else "Reference"]
    if len(side.uploads) > 1:
        said[0] += f" of {len(side.uploads)} uploads, merged"
    if outline.rows is not None:
        said.append(f"{outline.rows:,} row{'' if outline.rows == 1 else 's'}")
    said.append(f"{len(outline.names):,} column{'' if len(outline.names) == 1 else 's'}")
    if side.kind == "reference" and outline.dataset_timestamp:
        said.append(formatting.day(outline.dataset_timestamp))
    if outline.segment:
        tags = ", ".join(f"{key} = {value}" for key, value in outline.segment)
        said.append(f"segment {formatting.clipped(tags, 80)}")
    return " · ".join(said)


def rows_of(side: Side) -> int:
    return (side.outline.rows or 0) if side.outline else 0


def nothing_logged(side: Side) -> str:
    return f"{side.letter}, {formatting.clipped(side.label, 60)}, is empty: nothing was logged into it."

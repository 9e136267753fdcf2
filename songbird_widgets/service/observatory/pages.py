"""Pages as HTML: what the templates are given, and the templates' environment."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..survey import return_memory
from . import formatting
from .comparison import Comparison, Library
from .detail import check_column, drawn, make_detail
from .figures import NARROW, WIDE, standalone, timeline
from .loading import LOST
from .problems import PageProblem, bad_request, not_found
from .query import MOST_PROFILES, PageQuery
from .table import RowMaker, make_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from ..metadata import DatasetRow, Metadata, ProfileRow
    from .access import Viewer
    from .loading import Side

HERE = Path(__file__).parent
STATIC = HERE / "static"

MOST_DAYS = 400
"""Batches that the timeline draws, the newest ones."""

MOST_LISTED = 500
"""Profiles of a kind on a dataset's own page; the others are found by searching there."""

MOST_CHOICES = 200
"""Profiles of a kind that a chooser offers; the session's own page lists all of them."""

_MANY_COLUMNS_BYTES = 1 << 20  # smaller profiles have few columns, and need no helpers
_KINDS = {"reference": "Reference profiles", "batch": "Batch profiles"}


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["clip"] = formatting.clipped
    return environment


def prepare() -> None:
    """Compile every template, so that the first page need not wait for it."""
    for name in _templates().list_templates():
        _templates().get_template(name)


@lru_cache(maxsize=32)
def _stamp(name: str) -> str:
    """Tell versions of a static file apart, so that browsers may keep each for long."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def render(template: str, root: str, **context: Any) -> str:
    """Render a template.

    Parameters
    ----------
    template
        File name.
    root
        The relative URL of the observatory's root as seen from the page, such as ``../../``.
    context
        What the template shows.
    """
    context.setdefault("theme", "")
    context.setdefault("home", root)
    return (
        _templates()
        .get_template(template)
        .render(root=root, static=lambda name: f"{root}static/{name}?v={_stamp(name)}", **context)
    )


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
            listed = fitting[:MOST_LISTED]
            if listed:
                found.append({"label": group.label, "choices": listed, "more": f"{len(fitting) - len(listed):,}"})
        return found

    def first(self) -> Choices:
        """Return as many as a chooser offers."""
        return Choices(tuple(Group(group.label, group.choices[:MOST_CHOICES]) for group in self.groups))


def choices_of(rows: Sequence[ProfileRow]) -> Choices:
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
    days: dict[int, list[ProfileRow]] = {}
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


def _uploaded(rows: Sequence[ProfileRow]) -> str:
    sizes = formatting.size(sum(row.size or 0 for row in rows))
    return f"{len(rows)} uploads, {sizes}" if len(rows) > 1 else sizes


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


@dataclass
class Observatory:
    """Makes the pages of a service.

    Parameters
    ----------
    metadata
        The service's database.
    library
        Its opened profiles and their statistics.
    """

    metadata: Metadata
    library: Library
    rows: RowMaker = field(default_factory=RowMaker)
    #: Threads of its own, and few: other requests do not wait behind pages, and buffers of many megabytes are
    #: not left lying in the allocator's arenas of eight threads.
    makers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=2, thread_name_prefix="observatory")
    )

    def __post_init__(self) -> None:
        return_memory()
        # A page is a tenth of a second of Python. With the usual 5 ms the loop would wait as long for the
        # interpreter again and again within one short answer to someone else.
        sys.setswitchinterval(min(sys.getswitchinterval(), 0.0001))

    def close(self) -> None:
        """Finish the pages that were begun, and end what helps making them."""
        self.library.surveyors.close()
        self.makers.shutdown()

    def expect(self, size: int) -> None:
        """Make ready for pages of a profile of `size` bytes, which was just uploaded."""
        if size >= _MANY_COLUMNS_BYTES:
            self.library.surveyors.expect()

    def compare(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> Comparison:
        """Open the profiles that a URL names.

        Raises
        ------
        PageProblem
            When there are more than three, or none of them can be shown.
        """
        if len(query.profiles) > MOST_PROFILES:
            raise PageProblem(
                bad_request(
                    "At most three profiles fit side by side",
                    f"This link names {len(query.profiles)}.",
                    "Leave out the profile parameters beyond the third, or choose again on the session's page.",
                )
            )
        sides = self.library.shelf.sides(viewer.org_id, dataset_id, query.profiles)
        return Comparison(self.library, sides)

    def profiles_page(
        self, viewer: Viewer, dataset_id: str, query: PageQuery, *, patient: bool = False
    ) -> tuple[int, str]:
        """Return status and HTML of the page of one to three profiles, or of one column of theirs.

        Parameters
        ----------
        viewer, dataset_id, query
            Who asks for what.
        patient
            Whether to count what drifted even where that takes a while.
        """
        comparison = self.compare(viewer, dataset_id, query)
        choices = choices_of(self.metadata.profiles(viewer.org_id, dataset_id))
        cards = [_card(side, query) for side in comparison.sides]
        labels = [card.label_shown for card in cards]
        page = {
            "query": query,
            "dataset": dataset_id,
            "dataset_shown": formatting.clipped(dataset_id),
            "whose": viewer.shown,
            "organization_url": "" if viewer.guest else f"../../organizations/{quote(viewer.org_id, safe='')}",
            "title": " · ".join(labels),
            "labels": labels,
            "sides": cards,
            "choices": choices.first(),
            "used": frozenset(query.profiles),
            "can_add": len(cards) < MOST_PROFILES and choices.any,
            "notices": [_nothing_logged(side) for side in comparison.shown if not _rows(side)],
            "table": None,
        }
        template = "profiles.html"
        if comparison.shown and query.column is not None:
            check_column(comparison, query.column)
            template = "column.html"
            page["column"] = make_detail(comparison, query.column, query, self.rows.row(comparison, query.column))
        elif comparison.shown:
            page["table"] = make_table(comparison, query, self.rows, patient=patient)
        home = PageQuery(token=query.token, theme=query.theme).url()
        html = render(template, "../../", page=page, theme=query.theme, home=home)
        comparison.look_ahead()
        return page_status(comparison), html

    def chart(self, viewer: Viewer, dataset_id: str, query: PageQuery, chart: str) -> str:
        """Return one chart of a column as an SVG file.

        Raises
        ------
        PageProblem
            When there is no such column, or nothing to draw.
        """
        comparison = self.compare(viewer, dataset_id, query)
        if comparison.shown:
            check_column(comparison, query.column or "")
            found = drawn(comparison, query.column or "", query, WIDE).get(chart)
            if found is not None:
                return standalone(found, [(side.place, f"{side.letter} {side.label}") for side in comparison.shown])
        raise PageProblem(
            not_found("There is no such chart", "This column has nothing to draw it from.", "Go back to the column.")
        )

    def files(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> tuple[str, bytes]:
        """Return the name and bytes of an uploaded profile; a zip of them when a day has several.

        Raises
        ------
        PageProblem
            When the URL does not name exactly one profile, or its file never came.
        """
        if len(query.profiles) != 1:
            raise PageProblem(
                bad_request("One file at a time", "The link does not name exactly one profile.", "Name one of them.")
            )
        (side,) = self.library.shelf.sides(viewer.org_id, dataset_id, query.profiles)
        if not side.uploads:
            raise PageProblem(side.problem or not_found("There is no file", "Nothing was uploaded.", "Choose another."))
        try:
            contents = [self.library.shelf.blobs.read(row.blob) for row in side.uploads if row.blob]
        except FileNotFoundError:
            raise PageProblem(LOST) from None
        name = file_name(side.label)
        if len(contents) == 1:
            return f"{name}.bin", contents[0]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for index, content in enumerate(contents, start=1):
                archive.writestr(f"{name}-{index}.bin", content)
        return f"{name}.zip", packed.getvalue()

    def session_page(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> str:
        """Return the HTML of a dataset's own page, with nothing chosen."""
        choices = choices_of(self.metadata.profiles(viewer.org_id, dataset_id))
        page = {
            "query": query,
            "dataset": dataset_id,
            "dataset_shown": formatting.clipped(dataset_id),
            "whose": viewer.shown,
            "organization_url": "" if viewer.guest else f"../../organizations/{quote(viewer.org_id, safe='')}",
            "groups": choices.matching(query.search, query.profiles),
            "any": choices.any,
            "used": frozenset(query.profiles),
            "timeline": _timelines(choices, query),
        }
        return render("session.html", "../../", page=page, theme=query.theme, home=query.url())

    def organization_page(self, org_id: str, *, signed_in: bool) -> str:
        """Return the HTML of an organization's page: its datasets and their profiles, newest first."""
        datasets = [self._dataset(org_id, row) for row in reversed(self.metadata.datasets(org_id))]
        datasets = [dataset for dataset in datasets if dataset["profiles"]]
        total = sum(len(dataset["profiles"]) for dataset in datasets)
        page = {
            "organization": formatting.clipped(org_id),
            "counted": f"{len(datasets)} dataset{'' if len(datasets) == 1 else 's'}, "
            f"{total} profile{'' if total == 1 else 's'}",
            "datasets": datasets,
            "signed_in": signed_in,
        }
        return render("organization.html", "../", page=page, home="")

    def _dataset(self, org_id: str, row: DatasetRow) -> dict[str, Any]:
        base = f"../resources/{quote(row.id, safe='')}/"
        newest = sorted(self.metadata.profiles(org_id, row.id), key=lambda one: -(one.upload_timestamp or 0))
        profiles = []
        seen: set[str] = set()
        for one in newest:
            value = (
                one.id
                if one.kind == "reference"
                else str((one.dataset_timestamp or 0) // formatting.DAY_MS * formatting.DAY_MS)
            )
            if value in seen:
                continue
            seen.add(value)
            label = (one.alias or one.id) if one.kind == "reference" else formatting.day(int(value))
            profiles.append(
                {
                    "label": formatting.clipped(label),
                    "kind": one.kind,
                    "uploaded": formatting.timestamp(one.upload_timestamp),
                    "size": formatting.size(one.size),
                    "url": base + PageQuery(profiles=(value,)).url(),
                }
            )
        return {"name": formatting.clipped(row.id), "url": f"{base}profiles", "profiles": profiles}


def _timelines(choices: Choices, query: PageQuery) -> tuple[Markup, ...]:
    """Draw a dataset's batches over time, for wide and for narrow screens."""
    days = [
        (choice.timestamp, f"{choice.label}, {choice.detail}", query.url(profiles=(choice.value,)))
        for group in choices.groups
        for choice in group.choices
        if choice.kind == "batch"
    ][:MOST_DAYS]
    return tuple(timeline(days, width=width) for width in (WIDE, NARROW)) if len(days) > 1 else ()


def file_name(label: str) -> str:
    """Return a file name that holds of a label what is harmless in file names."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:80] or "profile"


def page_status(comparison: Comparison) -> int:
    """Return 200 if any profile can be shown, else the status of the first one's problem."""
    if comparison.shown:
        return 200
    problem = comparison.sides[0].problem
    return problem.status if problem else 200


def _card(side: Side, query: PageQuery) -> SideCard:
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


def _rows(side: Side) -> int:
    return (side.outline.rows or 0) if side.outline else 0


def _nothing_logged(side: Side) -> str:
    return f"{side.letter}, {formatting.clipped(side.label, 60)}, is empty: nothing was logged into it."

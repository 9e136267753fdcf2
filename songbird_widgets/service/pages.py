"""Pages of a service's profiles: which files, whose, and how they are shown."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from songbird_widgets.observatory import formatting
from songbird_widgets.observatory.cards import card_of, nothing_logged, rows_of
from songbird_widgets.observatory.choices import choices_of
from songbird_widgets.observatory.comparison import Comparison, Library
from songbird_widgets.observatory.detail import check_column, drawn, make_detail
from songbird_widgets.observatory.figures import NARROW, WIDE, standalone, timeline
from songbird_widgets.observatory.problems import PageProblem, bad_request, not_found
from songbird_widgets.observatory.query import MAX_PROFILES, PageQuery
from songbird_widgets.observatory.rendering import render
from songbird_widgets.observatory.sides import LOST
from songbird_widgets.observatory.survey import return_memory
from songbird_widgets.observatory.table import RowMaker, make_table

if TYPE_CHECKING:
    from markupsafe import Markup

    from songbird_widgets.observatory.choices import Choices

    from .access import Viewer
    from .loading import Shelf
    from .metadata import DatasetRow, Metadata

MAX_DAYS = 400
"""Batches that the timeline draws, the newest ones."""


@dataclass
class Observatory:
    """Makes the pages of a service.

    Parameters
    ----------
    metadata
        The service's database.
    shelf
        Its opened profiles.
    """

    metadata: Metadata
    shelf: Shelf
    rows: RowMaker = field(default_factory=RowMaker)
    #: Threads of its own, and few: other requests do not wait behind pages, and buffers of many megabytes are
    #: not left lying in the allocator's arenas of eight threads.
    makers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=2, thread_name_prefix="observatory")
    )

    def __post_init__(self) -> None:
        self.library = Library(self.shelf)
        return_memory()
        # A page is a tenth of a second of Python. With the usual 5 ms the loop would wait as long for the
        # interpreter again and again within one short answer to someone else.
        sys.setswitchinterval(min(sys.getswitchinterval(), 0.0001))

    def close(self) -> None:
        """Finish the pages that were begun, and end what helps making them."""
        self.library.surveyors.close()
        self.makers.shutdown()

    def compare(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> Comparison:
        """Open the profiles that a URL names.

        Raises
        ------
        PageProblem
            When there are more than three, or none of them can be shown.
        """
        if len(query.profiles) > MAX_PROFILES:
            raise PageProblem(
                bad_request(
                    "At most three profiles fit side by side",
                    f"This link names {len(query.profiles)}.",
                    "Leave out the profile parameters beyond the third, or choose again on the session's page.",
                )
            )
        sides = self.shelf.sides(viewer.org_id, dataset_id, query.profiles)
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
        cards = [card_of(side, query) for side in comparison.sides]
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
            "can_add": len(cards) < MAX_PROFILES and choices.any,
            "notices": [nothing_logged(side) for side in comparison.shown if not rows_of(side)],
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
        (side,) = self.shelf.sides(viewer.org_id, dataset_id, query.profiles)
        if not side.uploads:
            raise PageProblem(side.problem or not_found("There is no file", "Nothing was uploaded.", "Choose another."))
        try:
            contents = [self.shelf.blobs.read(row.sha256) for row in side.uploads if row.sha256]
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
    ][:MAX_DAYS]
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

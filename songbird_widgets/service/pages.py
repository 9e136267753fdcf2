"""Pages of a service's profiles: which files, whose, and how they are shown."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ..basics import MAX_COMPARED
from ..observatory import formatting
from ..observatory.cards import card_of, nothing_logged
from ..observatory.choices import MAX_COUNTED, MAX_LISTED, choices_of
from ..observatory.detail import check_column, drawn, make_detail
from ..observatory.figures import WIDE, standalone
from ..observatory.performance import performance_tables
from ..observatory.problems import LOST, PageProblem, bad_request, not_found
from ..observatory.query import PageQuery
from ..observatory.rendering import render
from ..observatory.table import make_table, row_of, summary_of
from ..observatory.trend_query import TrendQuery, days_of
from ..observatory.view import View
from ..profiles import Comparison, ProfileError, compare_profiles, profile, summarize
from .access import Viewer
from .loading import Loader
from .makers import Makers
from .rows import day_start
from .trend_pages import TrendPages, first_choices, frame_of
from .view_cache import ViewCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..observatory.choices import Choices
    from ..observatory.sides import Side
    from .blobs import BlobStore
    from .day_comparisons import DayComparisons
    from .metadata import Metadata
    from .rows import DatasetRow, DayRow, ProfileRow
    from .summaries import Summaries

T = TypeVar("T")

_PART_OF_A_DATE = re.compile(r"[0-9-]{1,10}")

MAX_DATASETS = 200
"""Datasets on an organization's page, the newest ones."""

MAX_SEARCHED = 10_000
"""Days that a search looks at; one for a year or a month looks at these alone."""

MAX_NEWEST = 20
"""Profiles of a dataset on its organization's page, the newest ones; the dataset's own page lists more."""


class Observatory:
    """Makes the pages of a service.

    Parameters
    ----------
    metadata, blobs, summaries, compared
        What the service keeps.
    """

    def __init__(self, metadata: Metadata, blobs: BlobStore, summaries: Summaries, compared: DayComparisons) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._loader = Loader(metadata, summaries)
        self.trends = TrendPages(metadata, self._loader, compared)
        self._evidence = compared.evidence
        self._views = ViewCache()
        #: Threads of their own, so that other requests do not wait behind pages.
        self.makers = Makers()

    def warm_up(self) -> None:
        """Make a page of made-up profiles: what is loaded and compiled at first use is then at hand for readers.

        Profiles that do not exist are asked for, too, of a dataset that does not.
        """
        viewer, query = Viewer("", ""), PageQuery(profiles=("warm", "up", "0"))
        found = self._loader.find("", "", query.profiles)
        made = [
            summarize(profile({"number": [row / 3 for row in range(300)], "code": range(300), "word": words * 100}))
            for words in (["one", "two", "three"], ["one", "two", "four"])
        ]
        sides = [replace(side, summary=one, problem=None) for side, one in zip(found, made, strict=False)]
        self._profiles_page(View([*sides, *found[2:]], compare_profiles(made)), viewer, "", query)

    def view(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> View:
        """Put the profiles that a URL names side by side.

        Raises
        ------
        PageProblem
            When there are more than three.
        """
        if len(query.profiles) > MAX_COMPARED:
            raise PageProblem(
                bad_request(
                    "At most three profiles fit side by side",
                    f"This link names {len(query.profiles)}.",
                    "Leave out the profile parameters beyond the third, or choose again on the session's page.",
                )
            )
        key = (viewer.org_id, dataset_id)
        return self._views.through(self._loader.find(*key, query.profiles), lambda sides: self._compared(*key, sides))

    def _compared(self, org_id: str, dataset_id: str, found: Sequence[Side]) -> View:
        """Load what profiles hold, and what is known of them beside the first."""
        sides = [self._loader.load(org_id, dataset_id, side) for side in found]
        shown = [(side, side.summary) for side in sides if side.summary is not None]
        if len(shown) < 2:
            return View(sides)
        (first, baseline), *others = shown
        known = [(side.fingerprint, summary) for side, summary in others]
        evidence = (None, *self._evidence.of(first.fingerprint, baseline, known))
        labels = tuple(side.label for side, _ in shown)
        return View(sides, Comparison(tuple(summary for _, summary in shown), labels, evidence=evidence))

    def show(self, viewer: Viewer, dataset_id: str, query: PageQuery, make: Callable[[View], T]) -> T:
        """Return what is made of the profiles that a URL names; once more when a summary turns out to be damaged."""
        view = self.view(viewer, dataset_id, query)
        try:
            return make(view)
        except ProfileError:
            self._views.discard(view)
            self._loader.discard(viewer.org_id, dataset_id, view.shown)
        finally:
            self._loader.give_back(view.shown)
        return make(self.view(viewer, dataset_id, query))

    def profiles_page(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> tuple[int, str]:
        """Return status and HTML of the page of one to three profiles, or of one column of theirs."""
        return self.show(viewer, dataset_id, query, lambda view: self._profiles_page(view, viewer, dataset_id, query))

    def _profiles_page(self, view: View, viewer: Viewer, dataset_id: str, query: PageQuery) -> tuple[int, str]:
        choices = first_choices(self._metadata, viewer.org_id, dataset_id)
        cards = [card_of(place, side, query) for place, side in enumerate(view.sides, start=1)]
        labels = [card.label_shown for card in cards]
        notices = [nothing_logged(place, side) for place, side in enumerate(view.sides, start=1)]
        page = {
            **frame_of(viewer, dataset_id),
            "query": query,
            "used": frozenset(query.profiles),
            "trends_url": TrendQuery(
                baseline=query.profiles[0], token=query.token, theme=query.theme, columns=_columns(query)
            ).url(),
            "title": " · ".join(labels),
            "labels": labels,
            "sides": cards,
            "choices": choices,
            "can_add": len(cards) < MAX_COMPARED and bool(choices.groups),
            "notices": [notice for notice in notices if notice],
            "summary": summary_of(view) if view.shown else "",
            "performance": performance_tables(view),
            "table": None,
        }
        template = "profiles.html"
        if view.shown and query.column is not None:
            check_column(view, query.column)
            template = "column.html"
            page["column"] = make_detail(view, query.column, query, row_of(view, query.column))
        elif view.shown:
            page["table"] = make_table(view, query)
        home = PageQuery(token=query.token, theme=query.theme).url()
        return page_status(view), render(template, "../../", page=page, theme=query.theme, home=home)

    def chart(self, viewer: Viewer, dataset_id: str, query: PageQuery, chart: str) -> str:
        """Return one chart of a column as an SVG file.

        Raises
        ------
        PageProblem
            When there is no such column, or nothing to draw.
        """
        return self.show(viewer, dataset_id, query, lambda view: _chart(view, query, chart))

    def files(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> tuple[str, int | None, Iterator[bytes]]:
        """Return the name, size in bytes and parts of an uploaded profile; a zip of them when a day has several.

        The size of a zip is known at its end only.

        Raises
        ------
        PageProblem
            When the URL does not name exactly one profile, or its file never came.
        """
        if len(query.profiles) != 1:
            raise PageProblem(
                bad_request("One file at a time", "The link does not name exactly one profile.", "Name one of them.")
            )
        (value,) = query.profiles
        uploads = self._loader.uploads(viewer.org_id, dataset_id, value)
        if not uploads:
            (side,) = self._loader.find(viewer.org_id, dataset_id, query.profiles)
            raise PageProblem(side.problem or not_found("There is no file", "Nothing was uploaded.", "Choose another."))
        keys = [row.sha256 for row in uploads if row.sha256]
        try:
            sizes = [self._blobs.size(key) for key in keys]
        except FileNotFoundError:
            raise PageProblem(LOST) from None
        first = uploads[0]
        label = first.alias or first.id if first.kind == "reference" else formatting.day(first.dataset_timestamp)
        name = file_name(label)
        if len(keys) == 1:
            return f"{name}.bin", sizes[0], self._blobs.parts(keys[0])
        return f"{name}.zip", None, self._zipped(name, keys)

    def _zipped(self, name: str, keys: list[str]) -> Iterator[bytes]:
        """Pack uploads, without ever holding one of them whole."""
        packed = _Packed()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for index, key in enumerate(keys, start=1):
                member = zipfile.ZipInfo(f"{name}-{index}.bin")
                member.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(member, "w", force_zip64=True) as file:
                    for part in self._blobs.parts(key):
                        file.write(part)
                        yield packed.taken()
        yield packed.taken()

    def session_page(self, viewer: Viewer, dataset_id: str, query: PageQuery, expires: int | None = None) -> str:
        """Return the HTML of a dataset's own page, with nothing chosen; it says when (ms) a guest session expires."""
        choices = self._choices(viewer.org_id, dataset_id, MAX_LISTED, query.search, query.profiles)
        found = bool(choices.groups)
        timeline, timeline_said = self.trends.timeline(viewer, dataset_id, query)
        page = {
            **frame_of(viewer, dataset_id),
            "query": query,
            "used": frozenset(query.profiles),
            "trends_url": TrendQuery(token=query.token, theme=query.theme).url(),
            "groups": choices.groups,
            "any": found or bool(query.search and self._choices(viewer.org_id, dataset_id, 1).groups),
            "timeline": timeline,
            "timeline_said": timeline_said,
            "kept_until": "" if expires is None else formatting.day(expires),
        }
        return render("session.html", "../../", page=page, theme=query.theme, home=query.url())

    def uploads(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> list[list[ProfileRow]]:
        """Return the files of which each profile of a page is made."""
        return [self._loader.uploads(viewer.org_id, dataset_id, value) for value in query.profiles]

    def _choices(
        self, org_id: str, dataset_id: str, limit: int, search: str = "", used: tuple[str, ...] = ()
    ) -> Choices:
        """Return the profiles of a dataset to choose from: what a search leaves of each kind, and what is used."""
        key = (org_id, dataset_id)
        references = self._metadata.references(*key, search=search, limit=limit)
        days = self._days(*key, search, limit)
        if not search:
            counts = (self._metadata.count_references(*key, MAX_COUNTED), self._metadata.count_days(*key, MAX_COUNTED))
            return choices_of(references, counts[0], days, counts[1])
        known = {row.id for row in references}
        chosen = [row for value in used if value not in known and (row := self._metadata.reference(*key, value))]
        references += [row for row in chosen if row.state == "uploaded"]
        days = [day for day in days if search.casefold() in formatting.day(day.day) or str(day.day) in used]
        return choices_of(references, len(references), days[:limit], len(days))

    def _days(self, org_id: str, dataset_id: str, search: str, limit: int) -> list[DayRow]:
        """Return the newest days; those that a search may find, looked for among the newest `MAX_SEARCHED`."""
        if not search:
            return self._metadata.days(org_id, dataset_id, limit=limit)
        if not _PART_OF_A_DATE.fullmatch(search):
            return []
        start, end = days_of(search)
        return self._metadata.days(org_id, dataset_id, limit=MAX_SEARCHED, start=start, end=end)

    def organization_page(self, org_id: str, *, signed_in: bool) -> str:
        """Return the HTML of an organization's page: its datasets and their profiles, newest first."""
        datasets = [row for row in reversed(self._metadata.datasets(org_id)) if row.profiles]
        total = sum(row.profiles for row in datasets)
        page = {
            "organization": formatting.clipped(org_id),
            "counted": f"{len(datasets):,} dataset{'' if len(datasets) == 1 else 's'}, "
            f"{total:,} profile{'' if total == 1 else 's'}",
            "datasets": [self._dataset(org_id, row) for row in datasets[:MAX_DATASETS]],
            "more": f"{len(datasets) - MAX_DATASETS:,}" if len(datasets) > MAX_DATASETS else "",
            "signed_in": signed_in,
        }
        return render("organization.html", "../", page=page, home="")

    def _dataset(self, org_id: str, row: DatasetRow) -> dict[str, Any]:
        base = f"../resources/{quote(row.id, safe='')}/"
        profiles = []
        seen: set[str] = set()
        for one in self._metadata.newest(org_id, row.id, MAX_NEWEST):
            value = one.id if one.kind == "reference" else str(day_start(one.dataset_timestamp or 0))
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
        more = f"{row.profiles:,}" if row.profiles > MAX_NEWEST else ""
        return {"name": formatting.clipped(row.id), "url": f"{base}profiles", "profiles": profiles, "all": more}


class _Packed(io.RawIOBase):
    """A file that is read while it is written."""

    def __init__(self) -> None:
        self._content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._content += data
        return len(data)

    def taken(self) -> bytes:
        """Take what was written so far."""
        content = bytes(self._content)
        self._content.clear()
        return content


def _columns(query: PageQuery) -> tuple[str, ...]:
    return () if query.column is None else (query.column,)


def file_name(label: str) -> str:
    """Return a file name that holds of a label what is harmless in file names."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:80] or "profile"


def page_status(view: View) -> int:
    """Return 200 if any profile can be shown, else the status of the first one's problem."""
    if view.shown:
        return 200
    problem = view.sides[0].problem
    return problem.status if problem else 200


def _chart(view: View, query: PageQuery, chart: str) -> str:
    if view.shown:
        check_column(view, query.column or "")
        found = drawn(view, query.column or "", query, WIDE).get(chart)
        if found is not None:
            legend = zip(view.places, view.shown, strict=True)
            return standalone(found, [(place, f"P{place} {side.label}") for place, side in legend])
    raise PageProblem(
        not_found("There is no such chart", "This column has nothing to draw it from.", "Go back to the column.")
    )

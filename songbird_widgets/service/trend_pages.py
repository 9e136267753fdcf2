"""Pages of a dataset over time: which days, beside what, and how they are shown."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from ..observatory import formatting
from ..observatory.choices import MAX_CHOICES, choices_of, day_choice
from ..observatory.figures import timeline
from ..observatory.problems import PageProblem, not_found
from ..observatory.rendering import render
from ..observatory.trend_charts import CHARTS, KINDS, TITLES
from ..observatory.trend_query import day_text
from ..observatory.trends import (
    TrendDay,
    TrendView,
    headline,
    make_trend_detail,
    make_trend_table,
    rule,
)
from ..profiles import Trends
from ..profiles.trends import MAX_DAYS, left_out, most_days
from .day_comparisons import Baseline
from .rows import day_start

if TYPE_CHECKING:
    from ..observatory.choices import Choices
    from ..observatory.query import PageQuery
    from ..observatory.sides import Side
    from ..observatory.trend_query import TrendQuery
    from .access import Viewer
    from .day_comparisons import DayComparisons
    from .loading import Loader
    from .metadata import Metadata
    from .rows import DayRow

COMPARE_SECONDS = 10.0
"""How long data waits for days that were not compared yet; then it holds those that were."""

PAGE_SECONDS = 0.5
"""How long a page does; the rest is compared beside it."""


class TrendPages:
    """Makes the pages of datasets over time.

    Parameters
    ----------
    metadata, loader, compared
        Where profiles are known, what they hold, and what is known of days beside baselines.
    """

    def __init__(self, metadata: Metadata, loader: Loader, compared: DayComparisons) -> None:
        self._metadata = metadata
        self._loader = loader
        self._compared = compared

    def view(self, viewer: Viewer, dataset_id: str, query: TrendQuery, seconds: float = COMPARE_SECONDS) -> TrendView:
        """Put a dataset's days beside a baseline; take so many seconds for days that were not compared yet.

        Raises
        ------
        PageProblem
            When there is nothing to show, or the baseline cannot be.
        """
        key = (viewer.org_id, dataset_id)
        side = self._baseline(*key, query.baseline)
        assert side.summary is not None
        baseline = Baseline(side.value, side.fingerprint, side.summary)
        columns = len(side.summary.names)
        rows = self._compared.days(*key, columns=columns, start=query.start, end=query.end)
        most = most_days(columns)
        more = left_out(len(rows), columns)
        found = self._compared.compared(*key, baseline, rows[-most:], until=time.monotonic() + seconds)
        if found.waiting:
            self._compared.expect(*key, baseline.value)
            left = f"{found.waiting:,} of {len(found.days):,} days are still being compared"
            more = f"{more} {left}: they are here when the page is loaded again.".lstrip()
        days = tuple(_day(row, found.problems.get(place, ""), baseline.value) for place, row in enumerate(found.days))
        return TrendView(side, days, Trends(found.comparisons), more, found.waiting)

    def page(self, viewer: Viewer, dataset_id: str, query: TrendQuery) -> str:
        """Return the HTML of a dataset over time, or of one column of it."""
        view = self.view(viewer, dataset_id, query, PAGE_SECONDS)
        page: dict[str, Any] = {
            **frame_of(viewer, dataset_id),
            "query": query,
            "baseline": view.baseline,
            "baseline_shown": formatting.clipped(view.baseline.label, 60),
            "choices": first_choices(self._metadata, viewer.org_id, dataset_id),
            "start": day_text(query.start),
            "end": day_text(query.end),
            "headline": headline(view) if view.days else "",
            "rule": rule(view),
            "notice": view.more_days,
            "waiting": view.waiting,
            "days": [day.value for day in view.days],
            "labels": [day.label for day in view.days],
            "open": query.day_url(view.baseline.value, view.baseline.value),
            "titles": [(key, TITLES[key]) for key in CHARTS],
            "timeline": _timeline(view, query),
            "table": None,
            "column": None,
        }
        if view.days:
            places = view.selected(query)
            if len(query.columns) == 1:
                if not places:
                    raise PageProblem(
                        not_found(
                            "There is no such column",
                            f"No day has a column called {formatting.clipped(query.columns[0], 60)}.",
                            "Go back to all columns, or search there.",
                        )
                    )
                page["column"] = make_trend_detail(view, query, places[0])
            else:
                page["table"] = make_trend_table(view, query)
        template = "trend_column.html" if page["column"] else "trends.html"
        return render(template, "../../", page=page, theme=query.theme, home=query.home.url())

    def timeline(self, viewer: Viewer, dataset_id: str, query: PageQuery) -> tuple[Markup, str]:
        """Draw a dataset's batches over time, coloured by what is known of drift.

        Returns
        -------
        Markup, str
            The drawing, and what its colours mean; nothing for fewer than two days.
        """
        key = (viewer.org_id, dataset_id)
        rows = self._metadata.days(*key, limit=MAX_DAYS)[::-1]
        if len(rows) < 2:
            return Markup(), ""
        choices = [day_choice(row) for row in rows]
        said, kinds, baseline = self._known(*key, rows)
        drawn = [
            (choice.timestamp, f"{choice.label}, {choice.detail}{extra}", query.url(profiles=(choice.value,)))
            for choice, extra in zip(choices, said, strict=True)
        ]
        means = (
            f"Beside {baseline}: days that drifted strongly are tall and red, moderately orange; what pale ones hold "
            "cannot be told, or is not compared yet."
        )
        return timeline(drawn, kinds=kinds), means if baseline else ""

    def _known(self, org_id: str, dataset_id: str, rows: list[DayRow]) -> tuple[list[str], list[str], str]:
        """Say of each day what is known already of its drift from the dataset's own baseline."""
        baseline = self._compared.own_baseline(org_id, dataset_id)
        if baseline is None:
            return [""] * len(rows), [], ""
        (side,) = self._loader.find(org_id, dataset_id, [baseline.value])
        rows, left = rows[-most_days(len(baseline.summary.names)) :], len(rows)
        course = self._compared.kept_course(baseline, rows)
        if course is None:
            known = self._compared.kept(baseline, rows)
            days = tuple(_day(row, "", baseline.value) for row in rows)
            view = TrendView(side, days, Trends(known))
            course = list(zip(view.kinds_of_days(), view.said_of_days(), strict=True))
            if all(one or day.is_baseline for one, day in zip(known, days, strict=True)):
                self._compared.keep_course(baseline, rows, course)
            else:
                self._compared.expect(org_id, dataset_id)
        left -= len(rows)
        return (
            [*[""] * left, *(f": {text}" for _, text in course)],
            [*["waiting"] * left, *(kind for kind, _ in course)],
            formatting.clipped(side.label, 40),
        )

    def _baseline(self, org_id: str, dataset_id: str, value: str) -> Side:
        """Find what days are compared with.

        Raises
        ------
        PageProblem
            When there is none, or it cannot be shown.
        """
        own = None if value else self._compared.own_baseline(org_id, dataset_id)
        if own is not None:
            value = own.value
        elif not value:
            references = self._metadata.references(org_id, dataset_id, limit=1)
            first = None if references else self._metadata.first_day(org_id, dataset_id)
            if not references and first is None:
                raise PageProblem(
                    not_found(
                        "Nothing has been uploaded yet",
                        "There are no profiles to show over time.",
                        "Upload some: session.add(…), session.upload(). Then load this page again.",
                    )
                )
            value = references[0].id if references else str(first.day if first else 0)
        (found,) = self._loader.find(org_id, dataset_id, [value])
        if found.kind == "batch":  # any time of the day names it
            found = replace(found, value=str(day_start(int(found.value))))
        side = self._loader.load(org_id, dataset_id, found)
        if side.problem:
            raise PageProblem(side.problem)
        return side


def _day(row: DayRow, problem: str, baseline: str) -> TrendDay:
    return TrendDay(
        str(row.day),
        row.day,
        formatting.day(row.day),
        row.uploads,
        formatting.clipped(problem, 300) if problem else "",
        is_baseline=baseline == str(row.day),
    )


def _timeline(view: TrendView, query: TrendQuery) -> Markup:
    if len(view.days) < 2:
        return Markup()
    days = [
        (day.timestamp, f"{day.label}: {said}", query.day_url(view.baseline.value, day.value))
        for day, said in zip(view.days, view.said_of_days(), strict=True)
    ]
    return timeline(days, kinds=view.kinds_of_days())


def first_choices(metadata: Metadata, org_id: str, dataset_id: str) -> Choices:
    """Return as many profiles of a dataset as a chooser offers, without counting the others."""
    references = metadata.references(org_id, dataset_id, limit=MAX_CHOICES + 1)
    days = metadata.days(org_id, dataset_id, limit=MAX_CHOICES + 1)
    counts = [None if len(found) > MAX_CHOICES else len(found) for found in (references, days)]
    return choices_of(references[:MAX_CHOICES], counts[0], days[:MAX_CHOICES], counts[1])


def frame_of(viewer: Viewer, dataset_id: str) -> dict[str, Any]:
    """Return what every page of a dataset shows: which, and whose."""
    return {
        "dataset": dataset_id,
        # All guest sessions have the same one.
        "dataset_shown": "" if viewer.guest else formatting.clipped(dataset_id),
        "whose": viewer.shown,
        "organization_url": "" if viewer.guest else f"../../organizations/{quote(viewer.org_id, safe='')}",
        "kinds": KINDS,
    }

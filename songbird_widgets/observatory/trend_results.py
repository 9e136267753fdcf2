"""A dataset over time as data that displays itself: in a cell, without a service."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from songbird_widgets.basics import write_whole
from songbird_widgets.profiles import Trends, compare_days

from . import formatting
from .exports import require_pandas
from .query import MAX_EXPORTED
from .rendering import STATIC, part, render
from .sides import Side
from .table import VERDICTS
from .trend_charts import CHARTS, TITLES, small_charts, texts
from .trend_exports import trend_rows, trends_as_json
from .trend_query import TrendQuery
from .trends import TrendDay, TrendView, course_of, headline, rule, said_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import pandas as pd
    from markupsafe import Markup

    from songbird_widgets.profiles import DayComparison, ProfileSummary

    from .trend_charts import TrendChart, TrendText

MAX_SHOWN_ROWS = 15
"""Columns that drifted which are seen without unfolding."""

MAX_FOLDED_ROWS = 50
"""Further columns that can be unfolded: a notebook is to stay small."""

_GROUP = 16  # days that are held at once


class DayContent(NamedTuple):
    """What there is of a day.

    Attributes
    ----------
    timestamp : int
        Its first millisecond, UTC.
    summary : ProfileSummary or None
    problem : str
        Why there is none.
    uploads : int
    is_baseline : bool
        Whether it is the baseline itself, with which it is not compared.
    """

    timestamp: int
    summary: ProfileSummary | None
    problem: str = ""
    uploads: int = 1
    is_baseline: bool = False


@dataclass(frozen=True)
class _Row:
    name: str
    verdict: str
    sign: str
    word: str
    said: Markup
    charts: tuple[TrendChart, ...]
    texts: tuple[TrendText | None, ...]


@dataclass(frozen=True, eq=False, repr=False)
class TrendResult:
    """Days beside a baseline; made by `follow`.

    Attributes
    ----------
    view : TrendView
        What its pages are drawn from.
    """

    view: TrendView

    @property
    def drifted(self) -> tuple[str, ...]:
        """Columns that drifted on any day, the one that began earliest first; those that only tell the date last."""
        trends = self.view.trends
        return tuple(self.view.names[place] for place in trends.order.tolist() if trends.drifted[place].any())

    @property
    def days(self) -> tuple[str, ...]:
        """The days, in order of time."""
        return tuple(day.label for day in self.view.days)

    def __repr__(self) -> str:
        return f"<Trends: {headline(self.view).striptags()}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.to_text(), "text/html": str(self._card())}

    def to_text(self) -> str:
        """Return a few lines: what drifted, when, and why."""
        view, trends = self.view, self.view.trends
        changed = [place for place in trends.order.tolist() if trends.changed[place]][:MAX_SHOWN_ROWS]
        lines = [
            f"  {formatting.clipped(view.names[place], 40)}: {said_of(view, None, place)[1].striptags()}"
            for place in changed
        ]
        return "\n".join([headline(view).striptags(), *lines])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as the observatory's JSON does: ``days``, and of each column a value a day."""
        return trends_as_json("trends", self.view, TrendQuery(limit=MAX_EXPORTED))

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each column and day: verdict, score, whether it drifted, why, and the column's figures.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        require_pandas()
        import pandas as pd

        rows = trend_rows(self.view, self.view.selected(TrendQuery()))
        index = pd.MultiIndex.from_arrays(
            [[row.pop("column") for row in rows], pd.to_datetime([row.pop("day") for row in rows])],
            names=["column", "day"],
        )
        frame: pd.DataFrame = pd.DataFrame(rows, index=index)
        return frame

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write what a cell shows as one HTML file, which needs no script and no server.

        Parameters
        ----------
        path
            Where to; a file that is there is replaced, and stays as it is if that fails.

        Raises
        ------
        ValueError
            The name does not end in ``.html``; nothing is written.
        OSError
            It cannot be written there.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in {".html", ".htm"}:
            raise ValueError(f"Trends are written as HTML: end the file's name in .html, not {suffix or 'nothing'!r}.")
        title = headline(self.view).striptags()
        return write_whole(path, render("trends_file.html", "", title=title, card=self._card()).encode())

    def _card(self) -> Markup:
        view, trends = self.view, self.view.trends
        order = trends.order.tolist()
        changed = [place for place in order if trends.changed[place]]
        shown = changed[:MAX_SHOWN_ROWS]
        folded = [*changed[MAX_SHOWN_ROWS:], *(place for place in order if not trends.changed[place])]
        return part(
            "trends_card.html",
            style="".join((STATIC / name).read_text("utf-8") for name in ("card.css", "trends_card.css")),
            headline=headline(view),
            titles=[TITLES[key] for key in CHARTS],
            shown=[self._row(place) for place in shown],
            folded=[self._row(place) for place in folded[:MAX_FOLDED_ROWS]],
            folded_count=len(folded),
            more=max(0, len(folded) - MAX_FOLDED_ROWS),
            notice=view.more_days,
            first=view.days[0].label if view.days else "",
            last=view.days[-1].label if view.days else "",
            rule=rule(view),
        )

    def _row(self, place: int) -> _Row:
        verdict, said = said_of(self.view, None, place)
        name = formatting.clipped(self.view.names[place], 80)
        if not self.view.days:
            return _Row(name, verdict, *VERDICTS[verdict], said, (), ())
        course = course_of(self.view, place)
        return _Row(name, verdict, *VERDICTS[verdict], said, small_charts(course), texts(course))


def follow(label: str, baseline: ProfileSummary, days: Iterable[DayContent], more_days: str = "") -> TrendResult:
    """Compare days with a baseline.

    Parameters
    ----------
    label : str
        What to call the baseline.
    baseline : ProfileSummary
    days : iterable of DayContent
        In order of time; few of them are held at once.
    more_days : str, optional
        Which days are left out, in words.
    """
    shown: list[TrendDay] = []
    compared: list[DayComparison | None] = []
    remaining = iter(days)
    while group := list(islice(remaining, _GROUP)):
        found = iter(compare_days(baseline, [one.summary for one in group if one.summary is not None]))
        for one in group:
            text = formatting.day(one.timestamp)
            shown.append(TrendDay(str(one.timestamp), one.timestamp, text, one.uploads, one.problem, one.is_baseline))
            compared.append(None if one.summary is None else next(found))
    return TrendResult(TrendView(Side(label, "data", label, baseline), tuple(shown), Trends(compared), more_days))

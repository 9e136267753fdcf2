"""What the page of a dataset over time was asked for: its URL parameters as a value, and URLs made from such values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from songbird_widgets.basics import DAY_MS, MAX_TIMESTAMP_MS, day_of, to_milliseconds

from .query import MAX_EXPORTED, PAGE_SIZE, THEMES, PageQuery, encoded, first_in, number_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SORTS = ("drift", "score", "name")
"""What columns can be sorted by: when they began to drift, how far they did, their names."""

MAX_CHARTED = 200
"""The most columns on one page, whatever ``limit`` says: each has four charts."""

_MAX_COLUMNS = 200


@dataclass(frozen=True)
class TrendQuery:
    """The parameters of the page of a dataset over time.

    Parameters
    ----------
    baseline
        What each day is compared with: a batch's timestamp (ms, UTC) or a reference's id; empty for the first
        reference, or the first day if there is none.
    token
        The guest session's id; empty when the organization's key or cookie authorises.
    start, end
        The first and the last UTC day, in ms; None for all.
    search
        Text that column names contain, ignoring case.
    columns
        Names of the columns that alone are shown.
    sort
        One of `SORTS`.
    limit, offset
        The page of columns.
    theme
        ``light`` or ``dark`` to override what the browser prefers; else empty.
    """

    baseline: str = ""
    token: str = ""
    start: int | None = None
    end: int | None = None
    search: str = ""
    columns: tuple[str, ...] = ()
    sort: str = SORTS[0]
    limit: int = PAGE_SIZE
    offset: int = 0
    theme: str = ""

    def __repr__(self) -> str:
        """Show the baseline and the days, never the session token."""
        return f"TrendQuery(baseline={self.baseline!r}, start={self.start}, end={self.end})"

    def pairs(self) -> list[tuple[str, str]]:
        """Name the parameters that differ from their defaults, as (name, value) in URL order."""
        parameters = [
            ("profile", self.baseline),
            ("sessionToken", self.token),
            ("from", day_text(self.start)),
            ("to", day_text(self.end)),
            ("q", self.search),
            ("sort", self.sort if self.sort != SORTS[0] else ""),
            ("limit", str(self.limit) if self.limit != PAGE_SIZE else ""),
            ("offset", str(self.offset) if self.offset else ""),
            ("theme", self.theme),
        ]
        return [*((name, value) for name, value in parameters if value), *(("column", one) for one in self.columns)]

    def url(self, ending: str = "", /, **changes: Any) -> str:
        """Return the relative URL of this page with `changes`, or of the same as data (``".json"``, ``".csv"``).

        Whatever changes the columns leads back to their first page.
        """
        if "offset" not in changes and changes.keys() - {"theme"}:
            changes["offset"] = 0
        query = encoded(replace(self, **changes).pairs())
        return f"trends{ending}?{query}" if query else f"trends{ending}"

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """Name what a GET form must carry along hidden, but for the parameters it asks for itself."""
        return [(name, value) for name, value in self.pairs() if name not in without]

    def day_url(self, baseline: str, day: str, column: str | None = None) -> str:
        """Return the relative URL of the page of one day beside the baseline, or of one column of theirs."""
        profiles = (baseline, day) if day != baseline else (baseline,)
        return PageQuery(profiles=profiles, token=self.token, column=column, theme=self.theme).url()

    @property
    def home(self) -> PageQuery:
        """The dataset's own page."""
        return PageQuery(token=self.token, theme=self.theme)


def day_text(day: int | None) -> str:
    """Write a UTC day as date fields of forms do; empty for none."""
    return "" if day is None else day_of(datetime.fromtimestamp(day / 1000, timezone.utc))


def parse_trends(arguments: Mapping[str, Sequence[str]]) -> TrendQuery:
    """Read the page's URL parameters; unknown ones and values that mean nothing are passed over.

    Parameters
    ----------
    arguments
        Decoded values by parameter name.
    """
    start, end = _day(first_in(arguments, "from")), _day(first_in(arguments, "to"))
    if start is not None and end is not None and end < start:
        start, end = end, start
    return TrendQuery(
        baseline=first_in(arguments, "profile"),
        token=first_in(arguments, "sessionToken"),
        start=start,
        end=end,
        search=first_in(arguments, "q").strip(),
        columns=tuple(dict.fromkeys(arguments.get("column", ())))[:_MAX_COLUMNS],
        sort=first_in(arguments, "sort") if first_in(arguments, "sort") in SORTS else SORTS[0],
        limit=min(max(number_in(first_in(arguments, "limit"), PAGE_SIZE), 1), MAX_EXPORTED),
        offset=number_in(first_in(arguments, "offset"), 0),
        theme=first_in(arguments, "theme") if first_in(arguments, "theme") in THEMES else "",
    )


def days_of(text: str) -> tuple[int | None, int | None]:
    """Return the first and the last day, in ms, of a year, a month (``2024-02``) or a day; None of another text."""
    found = _BEGINNING.fullmatch(text)
    if found is None:
        return None, None
    year, month, day = found.groups()
    first = _day(f"{year}-{month or '01'}-{day or '01'}")
    last = _day(f"{year}-{month or '12'}-{day}") if day else None
    if month and not day:
        following = (int(year) + (month == "12"), int(month) % 12 + 1)
        after = _day(f"{following[0]:04}-{following[1]:02}-01")
        last = None if after is None else after - DAY_MS
    elif not month:
        last = _day(f"{year}-12-31")
    return (first, last) if first is not None else (None, None)


_BEGINNING = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?-?", re.ASCII)


def _day(text: str) -> int | None:
    """Read a date, or milliseconds since 1970, as the first millisecond of its UTC day."""
    if text.isascii() and text.isdigit() and len(text) > 8:
        moment = int(text[:16])
        return moment - moment % DAY_MS if moment <= MAX_TIMESTAMP_MS else None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return to_milliseconds(datetime(day.year, day.month, day.day, tzinfo=timezone.utc))

"""What a page was asked for: its URL parameters as a value, and URLs made from such values.

Every control of a page is a plain link or a GET form, so that the page works with scripts off and whatever is
seen can be bookmarked and sent. All URLs are relative: the page lives under prefixes it does not know
(``/user/alice/songbird/``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PAGE_SIZE = 50
"""Columns a page, unless ``limit`` says otherwise."""

MAX_ROWS = 1_000
"""The most columns on one page, whatever ``limit`` says."""

MAX_EXPORTED = 100_000
"""The most columns in one export."""

BINS = (30, 60, 90)
"""Bin counts that the histogram of a column can be drawn with."""

SORTS = (
    "name",
    "count",
    "mean",
    "median",
    "min",
    "max",
    "stddev",
    "nulls",
    "unique",
    "discrete",
    "type",
    "type-count",
    "drift",
)
"""What columns can be sorted by (``sort=``); ``order=desc`` reverses."""

FILTERS = (
    "drifted",
    "missing",
    "new",
    "only-in-one",
    "type-changed",
    "insights",
    "discrete",
    "non-discrete",
)
"""What columns can be narrowed to (``show=``, repeatable: all of them must hold)."""

TYPES = ("integral", "fractional", "boolean", "string", "object", "tensor", "unknown")
"""Inferred types that ``type=`` (repeatable: any of them) narrows to."""

THEMES = ("light", "dark")

_MAX_TEXT = 500
_MAX_HIGHLIGHTS = 200


@dataclass(frozen=True)
class PageQuery:
    """The parameters of an observatory page.

    Parameters
    ----------
    profiles
        Batch timestamps (ms, UTC) or reference ids as in the URL, P1 first; not yet limited to three.
    token
        The guest session's id; empty when the organization's key or cookie authorises.
    search
        Text that column names contain, ignoring case.
    highlights
        Column names that alone are shown (``feature-highlight`` of old links).
    sort, descending
        One of `SORTS`, and whether reversed; empty for drift from the most to the least, or for the names of a
        single profile's columns.
    limit, offset
        The page of columns.
    show, types
        Filters, of `FILTERS` and `TYPES`.
    column
        The one column that the page is about, if any.
    bins, counts, log, whole
        How that column's histogram is drawn: bin count, counts instead of percent, logarithmic height, the whole
        range however long its tails are.
    theme
        ``light`` or ``dark`` to override what the browser prefers; else empty.
    """

    profiles: tuple[str, ...] = ()
    token: str = ""
    search: str = ""
    highlights: tuple[str, ...] = ()
    sort: str = ""
    descending: bool = False
    limit: int = PAGE_SIZE
    offset: int = 0
    show: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    column: str | None = None
    bins: int = BINS[0]
    counts: bool = False
    log: bool = False
    whole: bool = False
    theme: str = ""

    def __repr__(self) -> str:
        """Show which profiles, never the session token."""
        return f"PageQuery(profiles={self.profiles!r}, column={self.column!r})"

    @property
    def searching(self) -> bool:
        """Whether search or filters hide some columns."""
        return bool(self.search or self.highlights or self.show or self.types)

    def pairs(self) -> list[tuple[str, str]]:
        """Name the parameters that differ from their defaults, as (name, value) in URL order."""
        parameters: list[tuple[str, Sequence[str]]] = [
            ("profile", self.profiles),
            ("sessionToken", [self.token] if self.token else ()),
            ("column", () if self.column is None else [self.column]),
            ("q", [self.search] if self.search else ()),
            ("feature-highlight", self.highlights),
            ("show", self.show),
            ("type", self.types),
            ("sort", [self.sort] if self.sort else ()),
            ("order", ["desc"] if self.descending else ()),
            ("limit", [str(self.limit)] if self.limit != PAGE_SIZE else ()),
            ("offset", [str(self.offset)] if self.offset else ()),
            ("bins", [str(self.bins)] if self.bins != BINS[0] else ()),
            ("y", ["count"] if self.counts else ()),
            ("scale", ["log"] if self.log else ()),
            ("range", ["all"] if self.whole else ()),
            ("theme", [self.theme] if self.theme else ()),
        ]
        return [(name, value) for name, values in parameters for value in values]

    def but(self, **changes: Any) -> PageQuery:
        """Return the query with `changes`; whatever changes the rows leads back to their first page."""
        if "offset" not in changes and changes.keys() & _CHANGES_ROWS:
            changes["offset"] = 0
        return replace(self, **changes)

    def url(self, ending: str = "", /, **changes: Any) -> str:
        """Return the relative URL of this page with `changes`.

        Parameters
        ----------
        ending
            ``""`` for the page, ``".json"``, ``".csv"`` … for the same as data.
        """
        query = encoded(self.but(**changes).pairs())
        return f"profiles{ending}?{query}" if query else f"profiles{ending}"

    def hidden(self, *without: str, **changes: Any) -> list[tuple[str, str]]:
        """Name what a GET form must carry along hidden, but for the parameters it asks for itself."""
        return [(name, value) for name, value in self.but(**changes).pairs() if name not in without]

    def toggled(self, filter_name: str) -> str:
        """Return the URL with the filter `filter_name` switched over."""
        if filter_name in self.show:
            return self.url(show=tuple(name for name in self.show if name != filter_name))
        return self.url(show=(*self.show, filter_name))

    def sorted_by(self, name: str) -> str:
        """Return the URL sorted by `name`: largest first but for names, and reversed if it already is."""
        if self.sort == name:
            return self.url(sort=name, descending=not self.descending)
        return self.url(sort=name, descending=name != "name")


_CHANGES_ROWS = {field.name for field in fields(PageQuery)} - {
    "column",
    "bins",
    "counts",
    "log",
    "whole",
    "theme",
    "offset",
    "token",
}


def parse(arguments: Mapping[str, Sequence[str]]) -> PageQuery:
    """Read a page's URL parameters.

    Unknown parameters and values that mean nothing are passed over, as in any hand-edited link: the page then
    shows its default. A profile named twice is shown once.

    Parameters
    ----------
    arguments
        Decoded values by parameter name.
    """

    def known(name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for value in arguments.get(name, ()) if value in allowed))

    sort = first_in(arguments, "sort")
    columns = arguments.get("column", ())
    bins = number_in(first_in(arguments, "bins"), BINS[0])
    return PageQuery(
        profiles=tuple(dict.fromkeys(value for value in arguments.get("profile", ()) if value)),
        token=first_in(arguments, "sessionToken"),
        search=first_in(arguments, "q").strip(),
        highlights=tuple(dict.fromkeys(arguments.get("feature-highlight", ())))[:_MAX_HIGHLIGHTS],
        sort=sort if sort in SORTS else "",
        descending=first_in(arguments, "order") == "desc",
        limit=min(max(number_in(first_in(arguments, "limit"), PAGE_SIZE), 1), MAX_EXPORTED),
        offset=max(number_in(first_in(arguments, "offset"), 0), 0),
        show=known("show", FILTERS),
        types=known("type", TYPES),
        # A column's name may be empty or long: it is looked up, not interpreted.
        column=columns[0] if columns else None,
        bins=bins if bins in BINS else BINS[0],
        counts=first_in(arguments, "y") == "count",
        log=first_in(arguments, "scale") == "log",
        whole=first_in(arguments, "range") == "all",
        theme=first_in(arguments, "theme") if first_in(arguments, "theme") in THEMES else "",
    )


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """Write parameters as a URL's query; a page has hundreds of links, nearly all without a character to quote."""
    return "&".join([f"{name}={value if _PLAIN.fullmatch(value) else quote(value, safe='')}" for name, value in pairs])


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")


def first_in(arguments: Mapping[str, Sequence[str]], name: str) -> str:
    """Return the first value of a parameter, of bounded length; empty if it is not there."""
    values = arguments.get(name, ())
    return values[0][:_MAX_TEXT] if values else ""


def number_in(text: str, default: int) -> int:
    """Read a parameter's digits; `default` for anything else."""
    # int() would take other scripts' digits, "1_000" and numbers of any length.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else default

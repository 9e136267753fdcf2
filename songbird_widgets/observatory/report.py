"""A comparison as one HTML file: the table and every column's page, with no script, no address and no server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from . import formatting
from .card import headline
from .detail import Detail, make_detail
from .performance import performance_tables
from .query import PageQuery
from .rendering import STATIC, render
from .table import DRIFT, HEADS, Row, row_of, summary_of

if TYPE_CHECKING:
    from .view import View

MAX_COLUMNS = 1_000
"""Columns in a report; those that drifted most."""

MAX_DETAILS = 200
"""Columns of which a report holds the page too: a file is to be small enough to be mailed."""


@dataclass(frozen=True)
class ReportPart:
    """One column of the report: its row in the table and what its page shows, if it has one."""

    number: int
    shown: str
    row: Row
    detail: Detail | None


def as_html(view: View) -> str:
    """Return the file's content."""
    names = view.selected(PageQuery())
    parts = [_part(view, name, number) for number, name in enumerate(names[:MAX_COLUMNS], start=1)]
    return render(
        "report.html",
        "",
        style=_style(),
        title=headline(view),
        summary=summary_of(view),
        sides=[
            (place, formatting.clipped(side.label, 80), side.summary)
            for place, side in zip(view.places, view.shown, strict=True)
        ],
        several=view.several,
        heads=[DRIFT, *HEADS] if view.several else HEADS,
        parts=parts,
        performance=performance_tables(view),
        left_out=len(names) - len(parts),
        without_page=sum(part.detail is None for part in parts),
    )


def _part(view: View, name: str, number: int) -> ReportPart:
    row = row_of(view, name)
    detail = make_detail(view, name, PageQuery(column=name), row) if number <= MAX_DETAILS else None
    return ReportPart(number, formatting.clipped(name, 120), row, detail)


@lru_cache(maxsize=1)
def _style() -> str:
    """Return the pages' style sheet without its comments, as the content of an element."""
    css = (STATIC / "observatory.css").read_text("utf-8")
    return re.sub(r"/\*.*?\*/|(?<=[;{}])\s+", "", css, flags=re.DOTALL)

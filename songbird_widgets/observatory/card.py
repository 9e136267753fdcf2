"""A comparison as a card in a notebook: static HTML that needs no script, no server and no style sheet of its host.

JupyterLab takes drawings and style sheets out of the outputs of notebooks that it does not trust, so the distributions
are in the card as text, too, which its style sheet hides; what such outputs keep is written at the elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import formatting
from .performance import performance_lines
from .query import PageQuery
from .rendering import STATIC, render
from .sparklines import Sparkline, sparkline
from .verdicts import verdict_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from songbird_widgets.profiles import ProfileSummary

    from .verdicts import VerdictLine
    from .view import View

MAX_NAMED = 5
"""Drifted columns named in the headline."""

MAX_SHOWN_ROWS = 15
"""Drifted columns that are seen without unfolding."""

MAX_UNCLEAR_ROWS = 5
"""Unclear columns of which the text says why."""

MAX_FOLDED_ROWS = 100
"""Further columns that can be unfolded: a notebook is to stay small."""

_MAX_NAME = 80


@dataclass(frozen=True)
class CardRow:
    """One column: its chart, and a line per profile other than the first."""

    name: str
    chart: Sparkline
    lines: tuple[VerdictLine, ...]


def headline(view: View) -> str:
    """Say in one sentence what drifted: ``2 of 9 columns drifted: delay and, as the days differ, day``."""
    total = len(view.names)
    counted = f"{total:,} column{'' if total == 1 else 's'}"
    drift = view.drift_counts
    if drift is None:
        return f"{counted}, nothing to compare with"
    untold = all({"unknown"}.issuperset(verdicts) for verdicts in view.verdicts.values())
    if drift.drifted:
        said = f"{drift.drifted:,} of {counted} drifted{_drifted(view)}"
    else:
        said = f"Nothing can be told of {counted}" if untold else f"None of {counted} drifted"
    parts = (
        (len(view.missing), "missing"),
        (len(view.new), "new"),
        (0 if untold else drift.unknown, "unclear"),
    )
    counts = [f"{number:,} {word}" for number, word in parts if number]
    return "; ".join([said, *counts, *_with_another_type(view), *_all_null(view), *_not_judged(view)])


def _drifted(view: View) -> str:
    """Name what drifted, and apart from it what did so because it tells the date."""
    calendar = view.comparison.calendar
    real, dates = ([name for name in view.comparison.drifted if (name in calendar) is told] for told in (False, True))
    if not dates:
        return f": {_named(real)}"
    return (
        f": {_named(real)} and, as the days differ, {_named(dates)}"
        if real
        else f", as the days differ: {_named(dates)}"
    )


def _with_another_type(view: View) -> list[str]:
    """Name the columns whose type changed: values that are the same as text and as numbers are no drift."""
    changes = [view.comparison.type_changes(index) for index in range(len(view.shown) - 1, 0, -1)]
    every = {name: types for one in changes for name, types in one.items()}
    names = [f"{formatting.clipped(name, 40)} ({' to '.join(every[name])})" for name in view.names if name in every]
    return [f"{len(names):,} with another type: {_listed(names)}"] if names else []


def _all_null(view: View) -> list[str]:
    """Name the columns that hold nothing but nulls in every side: nothing of them differs."""
    names = [name for name in view.names if name in view.comparison.all_null]
    return [f"{len(names):,} of nothing but nulls: {_named(names)}"] if names else []


def _not_judged(view: View) -> list[str]:
    """Name the running numbers that count as not drifted because new values of theirs are none."""
    names = [name for name in view.comparison.running if {"none"}.issuperset(view.verdicts[name])]
    if not names:
        return []
    counted = f"{len(names):,} running number{'' if len(names) == 1 else 's'} not judged"
    return [f"{counted}: {_named(names)}"]


def _named(names: Sequence[str]) -> str:
    """Name some columns in a line."""
    return _listed([formatting.clipped(name, 40) for name in names])


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:MAX_NAMED]) + " …" * (len(texts) > MAX_NAMED)


def as_html(view: View) -> str:
    """Return the card: what drifted first, with chart, verdict, score and reason; the rest folded."""
    names = view.selected(PageQuery())
    changed = [name for name in names if _changed(view, name)]
    changed.sort(key=lambda name: not {"moderate", "strong"}.intersection(view.verdicts[name]))
    rest = [name for name in names if not _changed(view, name)]
    shown, folded = changed[:MAX_SHOWN_ROWS], [*changed[MAX_SHOWN_ROWS:], *rest]
    return render(
        "card.html",
        "",
        style=(STATIC / "card.css").read_text("utf-8"),
        headline=headline(view),
        sides=[
            (place, formatting.clipped(side.label, 60), _size(side.summary))
            for place, side in zip(view.places, view.shown, strict=True)
            if side.summary
        ],
        several=view.several,
        performance=performance_lines(view),
        shown=[_row(view, name) for name in shown],
        folded=[_row(view, name) for name in folded[:MAX_FOLDED_ROWS]],
        folded_count=len(folded),
        more=max(0, len(folded) - MAX_FOLDED_ROWS),
    )


def as_text(view: View) -> str:
    """Return the comparison as a few lines: the headline, what drifted and why, and what cannot be told and why."""
    names = view.selected(PageQuery())
    changed = [name for name in names if _changed(view, name)]
    unclear = [name for name in names if not _changed(view, name) and "unknown" in view.verdicts[name]]
    lines = [
        f"  {formatting.clipped(name, 40)} ({line.label}): {line.word}"
        f"{f', score {line.score}' if line.score else ''}. {line.reason}".rstrip()
        for name in changed[:MAX_SHOWN_ROWS]
        for line in _verdicts(view, name)
        if line.verdict not in {"none", "unknown"}
    ]
    if len(changed) > MAX_SHOWN_ROWS:
        lines.append(f"  … {len(changed) - MAX_SHOWN_ROWS:,} more columns drifted, came or went")
    lines += [
        f"  {formatting.clipped(name, 40)} ({line.label}): {line.word}. {line.reason}".rstrip()
        for name in unclear[:MAX_UNCLEAR_ROWS]
        for line in _verdicts(view, name)
        if line.verdict == "unknown"
    ]
    if len(unclear) > MAX_UNCLEAR_ROWS:
        lines.append(f"  … {len(unclear) - MAX_UNCLEAR_ROWS:,} more columns are unclear")
    return "\n".join([headline(view), *(f"  {line}" for line in performance_lines(view)), *lines])


def _changed(view: View, name: str) -> bool:
    return not {"none", "unknown"}.issuperset(view.verdicts[name])


def _size(summary: ProfileSummary) -> str:
    rows, columns = summary.rows, len(summary.names)
    counted = "rows not counted" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"
    return f"{counted}, {columns:,} column{'' if columns == 1 else 's'}"


def _row(view: View, name: str) -> CardRow:
    columns = view.columns(name)
    return CardRow(
        formatting.clipped(name, _MAX_NAME),
        sparkline(view.places, columns.columns, columns.statistics),
        _verdicts(view, name),
    )


def _verdicts(view: View, name: str) -> tuple[VerdictLine, ...]:
    return verdict_lines(view.places, view.columns(name).drifts, [side.label for side in view.shown])

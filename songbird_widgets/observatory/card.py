"""A comparison as a card in a notebook: static HTML that needs no script, no server and no style sheet of its host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import formatting
from .rendering import STATIC, render
from .sparklines import sparkline
from .table import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from songbird_widgets.profiles import ColumnComparison, Comparison, Drift

MAX_NAMED = 5
"""Drifted columns named in the headline."""

MAX_SHOWN_ROWS = 15
"""Drifted columns that are seen without unfolding."""

MAX_FOLDED_ROWS = 100
"""Further columns that can be unfolded: a notebook is to stay small."""

_MAX_NAME = 80
_MAX_REASON = 240


@dataclass(frozen=True)
class VerdictLine:
    """What is said of one column of one profile."""

    place: int
    verdict: str
    sign: str
    word: str
    score: str
    reason: str


@dataclass(frozen=True)
class CardRow:
    """One column: its chart, and a line per profile other than the first."""

    name: str
    chart: Markup
    lines: tuple[VerdictLine, ...]


def headline(comparison: Comparison) -> str:
    """Say in one sentence what drifted, such as ``6 of 16 columns drifted: arr_delay, dep_delay, day …``."""
    total = len(comparison.names)
    counted = f"{total:,} column{'' if total == 1 else 's'}"
    if len(comparison.sides) == 1:
        return f"{counted}, nothing to compare with"
    drifted = comparison.drifted
    unknown = _count(comparison, {"unknown"})
    if drifted:
        named = ", ".join(formatting.clipped(name, 40) for name in drifted[:MAX_NAMED])
        said = f"{len(drifted):,} of {counted} drifted: {named}{' …' if len(drifted) > MAX_NAMED else ''}"
    elif unknown == total:
        said = f"Nothing can be told of {'the' if total == 1 else 'any of the'} {counted}"
    else:
        said = f"None of {counted} drifted"
    parts = (
        (_count(comparison, {"missing"}), "missing"),
        (_count(comparison, {"new"}), "new"),
        (unknown if unknown != total else 0, "that the profiles cannot tell"),
    )
    return "; ".join([said, *(f"{number:,} {word}" for number, word in parts if number)])


def as_html(comparison: Comparison) -> str:
    """Return the card: what drifted first, with chart, verdict, score and reason; the rest folded."""
    changed = [column for column in comparison.columns.values() if _changed(column)]
    changed.sort(key=lambda column: not any(drift and drift.drifted for drift in column.drifts))
    rest = [column for column in comparison.columns.values() if not _changed(column)]
    shown, folded = changed[:MAX_SHOWN_ROWS], [*changed[MAX_SHOWN_ROWS:], *rest]
    return render(
        "card.html",
        "",
        style=(STATIC / "card.css").read_text("utf-8"),
        headline=headline(comparison),
        sides=[
            (place, formatting.clipped(label, 60), _size(side.rows, len(side.names)))
            for place, (label, side) in enumerate(zip(comparison.labels, comparison.sides, strict=True), start=1)
        ],
        several=len(comparison.sides) > 1,
        shown=[_row(comparison, column) for column in shown],
        folded=[_row(comparison, column) for column in folded[:MAX_FOLDED_ROWS]],
        folded_count=len(folded),
        more=max(0, len(folded) - MAX_FOLDED_ROWS),
    )


def as_text(comparison: Comparison) -> str:
    """Return the comparison as a few lines: the headline, then what drifted and why."""
    lines = [headline(comparison)]
    for column in list(comparison.columns.values())[:MAX_SHOWN_ROWS]:
        lines += [
            f"  {formatting.clipped(column.name, 40)} (P{line.place}): {line.word}"
            f"{f', score {line.score}' if line.score else ''}. {line.reason}".rstrip()
            for line in _lines(column.drifts)
            if line.verdict not in {"none", "unknown"}
        ]
    return "\n".join(lines)


def _changed(column: ColumnComparison) -> bool:
    return any(drift is not None and drift.verdict not in {"none", "unknown"} for drift in column.drifts)


def _count(comparison: Comparison, verdicts: set[str]) -> int:
    """Count the columns on which some profile has one of these verdicts."""
    return sum(
        any(drift is not None and drift.verdict in verdicts for drift in column.drifts)
        for column in comparison.columns.values()
    )


def _size(rows: int | None, columns: int) -> str:
    counted = "rows not counted" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"
    return f"{counted}, {columns:,} column{'' if columns == 1 else 's'}"


def _row(comparison: Comparison, column: ColumnComparison) -> CardRow:
    places = range(1, len(comparison.sides) + 1)
    return CardRow(
        formatting.clipped(column.name, _MAX_NAME),
        sparkline(places, comparison.column(column.name), column.statistics),
        tuple(_lines(column.drifts)),
    )


def _lines(drifts: Sequence[Drift | None]) -> list[VerdictLine]:
    lines = []
    for place, drift in enumerate(drifts, start=1):
        if drift is None:
            continue
        sign, word = VERDICTS[drift.verdict]
        scored = drift.verdict in {"none", "moderate", "strong"}
        lines.append(
            VerdictLine(
                place,
                drift.verdict,
                sign,
                word,
                f"{drift.score:.1f}" if scored else "",
                formatting.clipped(" ".join(drift.reasons[:2]), _MAX_REASON) if drift.reasons else "",
            )
        )
    return lines

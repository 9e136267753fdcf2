"""What a page shows, as JSON and as CSV: the same columns, the same order, figures in full precision."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any

from songbird_widgets.profiles import MEASURES, histogram

if TYPE_CHECKING:
    from songbird_widgets.profiles import Column, ColumnStatistics, Drift

    from .comparison import Comparison
    from .query import PageQuery
    from .sides import Side
    from .survey import Facts

MAX_ITEMS = 50
"""Frequent items a column in an export."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - Excel folds width


def as_json(dataset: str, comparison: Comparison, query: PageQuery) -> dict[str, Any]:
    """Return the page's data for JSON.

    Numbers that JSON cannot hold are the strings ``"Infinity"`` and ``"-Infinity"``; null means that the profile
    does not say.
    """
    page, total = exported(comparison, query)
    return {
        "dataset": dataset,
        "profiles": [_profile(side) for side in comparison.sides],
        "total": total,
        "offset": query.offset,
        "limit": query.limit,
        "sort": query.sort,
        "order": "desc" if query.descending else "asc",
        "columns": [_column(comparison, name) for name in page],
    }


def exported(comparison: Comparison, query: PageQuery) -> tuple[list[str], int]:
    """Return the names of a page's columns, and how many there are on all its pages."""
    if query.column is not None:
        return [query.column], 1
    names = comparison.selected(query)
    return names[query.offset : query.offset + query.limit], len(names)


def _profile(side: Side) -> dict[str, Any]:
    outline = side.outline
    return {
        "place": side.letter,
        "profile": side.value,
        "kind": side.kind,
        "label": side.label,
        "rows": outline and outline.rows,
        "columns": len(outline.names) if outline else None,
        "datasetTimestamp": outline and outline.dataset_timestamp,
        "segment": dict(outline.segment) if outline else {},
        "uploads": [
            {"id": row.id, "uploadTimestamp": row.upload_timestamp, "size": row.size, "sha256": row.sha256}
            for row in side.uploads
        ],
        "problem": {"type": side.problem.type, "message": side.problem.message} if side.problem else None,
    }


def _column(comparison: Comparison, name: str) -> dict[str, Any]:
    columns = comparison.columns(name)
    bins = histogram(columns.decoded)
    return {
        "name": name,
        "parent": comparison.parents.get(name),
        "profiles": {
            side.letter: facts and _facts(facts, column)
            for side, facts, column in zip(comparison.shown, columns.facts, columns.decoded, strict=True)
        },
        "drift": {
            side.letter: (drift := columns.drift(index)) and _drift(drift)
            for index, side in enumerate(comparison.shown)
            if index
        },
        "histogram": {
            "edges": bins.edges.tolist(),
            "fractions": {
                side.letter: None if fractions is None else fractions.tolist()
                for side, fractions in zip(comparison.shown, bins.fractions, strict=True)
            },
        }
        if bins.edges.size
        else None,
    }


def _drift(drift: Drift) -> dict[str, Any]:
    return {
        "verdict": drift.verdict,
        "score": plain(drift.score),
        "reasons": drift.reasons,
        "notes": drift.notes,
        "typeChange": drift.type_change,
        "measures": {name: plain(getattr(drift, name)) for name in MEASURES},
        "newValues": drift.new_values,
        "vanishedValues": drift.vanished_values,
    }


def _facts(facts: Facts, column: Column | None) -> dict[str, Any]:
    statistics = facts.statistics
    if statistics is None or column is None:
        return {"problem": facts.trouble}
    return {
        **_figures(statistics),
        "typeCounts": dict(statistics.type_counts),
        "quantiles": {str(rank): plain(value) for rank, value in statistics.quantiles.items()},
        "insights": [{"kind": insight.kind, "text": insight.text} for insight in statistics.insights],
        "conditions": dict(column.conditions),
        "frequentItems": [
            {"value": item.value, "estimate": item.estimate, "lower": item.lower, "upper": item.upper}
            for item in (column.frequent_items.items[:MAX_ITEMS] if column.frequent_items else ())
        ],
    }


def _figures(statistics: ColumnStatistics) -> dict[str, Any]:
    return {
        "count": statistics.count,
        "nullCount": statistics.null_count,
        "nullFraction": plain(statistics.null_fraction),
        "mean": plain(statistics.mean),
        "median": plain(statistics.median),
        "min": plain(statistics.minimum),
        "max": plain(statistics.maximum),
        "stddev": plain(statistics.stddev),
        "uniqueEstimate": plain(statistics.unique_estimate),
        "uniqueLower": plain(statistics.unique_lower),
        "uniqueUpper": plain(statistics.unique_upper),
        "discrete": statistics.is_discrete,
        "type": statistics.inferred_type,
        "typeCount": statistics.type_counts.get(statistics.inferred_type),
        "typeFraction": plain(statistics.type_fraction),
    }


def plain(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def as_csv(comparison: Comparison, query: PageQuery) -> str:
    """Return the page's table as CSV (RFC 4180), a line per column and profile.

    Cells of text that a spreadsheet would take for a formula begin with an apostrophe instead.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names, _ = exported(comparison, query)
    head: tuple[str, ...] = ()
    for name in names:
        columns = comparison.columns(name)
        for side, facts, mark in zip(comparison.shown, columns.facts, columns.marks, strict=True):
            if facts is None or facts.statistics is None:
                continue
            figures = _figures(facts.statistics)
            if not head:
                head = tuple(figures)
                writer.writerow(("column", "place", "kind", "label", "drift", "driftScore", *head))
            drift = (mark.verdict, mark.score) if mark else ("", "")
            cells = ("" if figures[key] is None else figures[key] for key in head)
            writer.writerow((as_text(name), side.letter, side.kind, as_text(side.label), *drift, *cells))
    return text.getvalue()


def as_text(text: str) -> str:
    """Return `text` as a CSV cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = text.replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text

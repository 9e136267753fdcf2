"""What a page shows, as JSON and as CSV: the same columns, the same order, figures in full precision."""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from songbird_widgets.profiles import MEASURES, histogram

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from songbird_widgets.profiles import Column, ColumnStatistics, Drift

    from .choices import ListedUpload
    from .query import PageQuery
    from .sides import Side
    from .view import View

MAX_ITEMS = 50
"""Frequent items a column in an export."""

_COLUMNS_A_PART = 50

ERRORS = ("js_noise", "wasserstein_noise", "ks_error", "ks_beyond_error", "ks_p", "chi2_p")
"""How sure the measures of drift are, by the names of `Drift`."""

_FORMULA_SIGNS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")  # the same at full width: Excel folds it


def as_json(dataset: str, view: View, query: PageQuery, uploads: Sequence[Sequence[ListedUpload]]) -> dict[str, Any]:
    """Return the page's data for JSON.

    Parameters
    ----------
    dataset, view, query
        What the page shows.
    uploads
        The files of which each side is made.

    Returns
    -------
    dict
        Numbers that JSON cannot hold are the strings ``"Infinity"`` and ``"-Infinity"``; null means that the profile
        does not say.
    """
    page, total = exported(view, query)
    return {**_head(dataset, view, query, uploads, total), "columns": [_column(view, name) for name in page]}


def json_parts(
    dataset: str, view: View, query: PageQuery, uploads: Sequence[Sequence[ListedUpload]]
) -> Iterator[bytes]:
    """Yield what `as_json` returns as JSON, some columns at a time."""
    page, total = exported(view, query)
    yield msgspec.json.encode(_head(dataset, view, query, uploads, total))[:-1] + b',"columns":['
    names = iter(page)
    separator = b""
    while some := list(islice(names, _COLUMNS_A_PART)):
        yield separator + b",".join(msgspec.json.encode(_column(view, name)) for name in some)
        separator = b","
    yield b"]}"


def _head(
    dataset: str, view: View, query: PageQuery, uploads: Sequence[Sequence[ListedUpload]], total: int
) -> dict[str, Any]:
    sort, descending = view.order(query)
    return {
        "dataset": dataset,
        "profiles": [
            _profile(place, side, files)
            for place, (side, files) in enumerate(zip(view.sides, uploads, strict=True), start=1)
        ],
        "performanceDrift": {
            f"P{place}": drift and _drift(drift)
            for place, drift in list(zip(view.places, view.performance, strict=True))[1:]
        },
        "total": total,
        "offset": query.offset,
        "limit": query.limit,
        "sort": sort,
        "order": "desc" if descending else "asc",
    }


def exported(view: View, query: PageQuery) -> tuple[list[str], int]:
    """Return the names of a page's columns, and how many there are on all its pages."""
    if query.column is not None:
        return [query.column], 1
    names = view.selected(query)
    return names[query.offset : query.offset + query.limit], len(names)


def _profile(place: int, side: Side, uploads: Sequence[ListedUpload]) -> dict[str, Any]:
    summary = side.summary
    return {
        "place": f"P{place}",
        "profile": side.value,
        "kind": side.kind,
        "label": side.label,
        "rows": summary and summary.rows,
        "columns": len(summary.names) if summary else None,
        "datasetTimestamp": summary and summary.dataset_timestamp,
        "segment": dict(summary.segments) if summary else {},
        "performance": summary and summary.performance and _plain_values(summary.performance),
        "uploads": [
            {"id": row.id, "uploadTimestamp": row.upload_timestamp, "size": row.size, "sha256": row.sha256}
            for row in uploads
        ],
        "damaged": [{"upload": name, "message": reason} for name, reason in side.damaged],
        "problem": {"type": side.problem.type, "message": side.problem.message} if side.problem else None,
    }


def _column(view: View, name: str) -> dict[str, Any]:
    columns = view.columns(name)
    letters = [f"P{place}" for place in view.places]
    bins = histogram(columns.columns)
    return {
        "name": name,
        "parent": view.parents.get(name),
        "profiles": {
            letter: _figures_of(statistics, column, columns.problem(index))
            for index, (letter, statistics, column) in enumerate(
                zip(letters, columns.statistics, columns.columns, strict=True)
            )
        },
        "drift": {
            letter: drift and _drift(drift) for letter, drift in zip(letters[1:], columns.drifts[1:], strict=True)
        },
        "histogram": {
            "edges": bins.edges.tolist(),
            "fractions": {
                letter: None if fractions is None else fractions.tolist()
                for letter, fractions in zip(letters, bins.fractions, strict=True)
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
        "basis": drift.basis,
        "measures": {name: plain(getattr(drift, name)) for name in (*MEASURES, *ERRORS)},
        "tests": [
            {"kind": test.kind, "effect": plain(test.effect), "p": plain(test.p), "significant": test.significant}
            for test in drift.tests
        ],
        "newValues": drift.new_values,
        "vanishedValues": drift.vanished_values,
    }


def _figures_of(
    statistics: ColumnStatistics | None, column: Column | None, problem: str | None
) -> dict[str, Any] | None:
    if statistics is None or column is None:
        return {"problem": problem} if problem else None
    return {
        **_figures(statistics),
        "typeCounts": dict(statistics.type_counts),
        "quantiles": {str(rank): plain(value) for rank, value in statistics.quantiles.items()},
        "insights": [{"kind": insight.kind, "text": insight.text} for insight in statistics.insights],
        "conditions": dict(column.conditions),
        "metrics": _plain_values(column.metrics),
        "frequentItems": [
            {"value": item.value, "estimate": item.estimate, "lower": item.lower, "upper": item.upper}
            for item in (column.frequent_items.frequent[:MAX_ITEMS] if column.frequent_items else ())
        ],
    }


_FIGURE_KEYS = (
    "count",
    "nullCount",
    "nullFraction",
    "mean",
    "median",
    "min",
    "max",
    "stddev",
    "uniqueEstimate",
    "uniqueLower",
    "uniqueUpper",
    "discrete",
    "type",
    "typeCount",
    "typeFraction",
)


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


def _plain_values(value: Any) -> Any:
    """Return nested data with numbers as JSON can hold them."""
    if isinstance(value, Mapping):
        return {key: _plain_values(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_values(one) for one in value]
    return plain(value) if isinstance(value, float) else value


def plain(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


_FIELDS = (
    "count",
    "null_count",
    "null_fraction",
    "mean",
    "stddev",
    "minimum",
    "median",
    "maximum",
    "unique_estimate",
    "unique_lower",
    "unique_upper",
    "inferred_type",
    "type_fraction",
    "is_discrete",
)


def require_pandas() -> None:
    """Look whether pandas is there, which is optional.

    Raises
    ------
    ImportError
        It is not installed.
    """
    if find_spec("pandas") is None:
        raise ImportError("pandas is not installed here: pip install pandas. to_dict() needs none.")


def rows_of(view: View, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each column and profile: its label, the drift from the first, every figure and measure."""
    rows = []
    for name in names:
        columns = view.columns(name)
        for side, statistics, drift in zip(view.shown, columns.statistics, columns.drifts, strict=True):
            judged = drift and {
                "drift": drift.verdict,
                "drift_score": drift.score,
                "reasons": " ".join(drift.reasons),
                **{key: getattr(drift, key) for key in MEASURES},
            }
            figures = statistics and {field: getattr(statistics, field) for field in _FIELDS}
            if judged or figures:
                rows.append({"column": name, "profile": side.label, **(judged or {}), **(figures or {})})
    return rows


def csv_parts(view: View, query: PageQuery) -> Iterator[bytes]:
    """Yield the page's table as CSV (RFC 4180, UTF-8), a line per column and profile, some columns at a time.

    Cells of text that a spreadsheet would take for a formula begin with an apostrophe instead.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names, _ = exported(view, query)
    measures = (*MEASURES, *ERRORS)
    added = ("reasons", "basis", *measures, "metrics")
    writer.writerow(("column", "place", "kind", "label", "drift", "driftScore", *_FIGURE_KEYS, *added))
    for number, name in enumerate(names):
        if number % _COLUMNS_A_PART == 0:
            yield _taken(text)
        columns = view.columns(name)
        for place, side, statistics, column, drift in zip(
            view.places, view.shown, columns.statistics, columns.columns, columns.drifts, strict=True
        ):
            if statistics is None and drift is None:
                continue
            figures = _figures(statistics) if statistics else {}
            cells = (
                f"P{place}",
                side.kind,
                as_text(side.label),
                *((drift.verdict, drift.score) if drift else ("", "")),
                *(figures.get(key) for key in _FIGURE_KEYS),
                *((as_text(" ".join(drift.reasons)), drift.basis) if drift else ("", "")),
                *(plain(getattr(drift, measure)) if drift else None for measure in measures),
                as_text("; ".join(f"{key}={value}" for key, value in column.metrics.items())) if column else None,
            )
            writer.writerow((as_text(name), *("" if cell is None else cell for cell in cells)))
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    """Take what was written so far."""
    content = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return content


def as_text(text: str) -> str:
    """Return `text` as a CSV cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = text.replace("\x00", "")
    seen = next((char for char in text if not _is_blank(char)), "")
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) or seen in _FORMULA_SIGNS else text


def _is_blank(char: str) -> bool:
    """Whether a spreadsheet may pass over a character at the beginning of a cell."""
    return char.isspace() or unicodedata.category(char) in {"Cc", "Cf", "Zs"}

"""A dataset over time as data: JSON, CSV, and the rows of a table."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from songbird_widgets.profiles.drift import LEVEL
from songbird_widgets.profiles.trends import FIGURES
from songbird_widgets.profiles.trends import VERDICTS as VERDICT_WORDS

from .exports import as_text, plain
from .query import MAX_EXPORTED
from .trend_query import day_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .trend_query import TrendQuery
    from .trends import TrendView


def trends_as_json(dataset: str, view: TrendView, query: TrendQuery) -> dict[str, Any]:
    """Return the page's data for JSON: ``days``, and of each column a value a day.

    ``verdict`` is what comparing that day alone says; ``drifted`` whether it is certain among all days and columns.
    """
    places = view.selected(query)
    return {
        "dataset": dataset,
        "baseline": {"profile": view.baseline.value, "kind": view.baseline.kind, "label": view.baseline.label},
        "from": day_text(query.start) or None,
        "to": day_text(query.end) or None,
        "leftOut": view.more_days or None,
        "tests": view.trends.tests,
        "level": LEVEL,
        "days": [
            {
                "profile": day.value,
                "day": day.label,
                "uploads": day.uploads,
                "rows": None if compared is None else compared.rows,
                "compared": compared is not None,
                "problem": day.problem or None,
            }
            for day, compared in zip(view.days, view.trends.comparisons, strict=True)
        ],
        "total": len(places),
        "offset": query.offset,
        "limit": query.limit,
        "sort": query.sort,
        "columns": [_column(view, place) for place in places[query.offset : query.offset + query.limit]],
    }


def _column(view: TrendView, place: int) -> dict[str, Any]:
    trends = view.trends
    found = trends.episode(place)
    known = trends.known.tolist()
    return {
        "name": view.names[place],
        "drift": None
        if found is None
        else {
            "first": view.days[found.first].label,
            "last": view.days[found.last].label,
            "since": None if found.since is None else view.days[found.since].label,
            "days": found.days,
            "reason": trends.reason(place, found.first if found.since is None else found.since),
        },
        "baseline": {
            key: plain(float(value)) for key, value in zip(_KEYS, view.baseline_figures[:, place].tolist(), strict=True)
        },
        "verdict": [
            VERDICT_WORDS[code] if here else None
            for code, here in zip(trends.verdicts[place].tolist(), known, strict=True)
        ],
        "score": [
            plain(score) if here else None for score, here in zip(trends.scores[place].tolist(), known, strict=True)
        ],
        "drifted": trends.drifted[place].tolist(),
        **{
            key: [plain(value) for value in values]
            for key, values in zip(_KEYS, trends.figures[:, place].tolist(), strict=True)
        },
    }


_KEYS = ("count", "nullFraction", "mean", "stddev", "median", "uniqueEstimate")


def trend_rows(view: TrendView, places: Sequence[int]) -> list[dict[str, Any]]:
    """Return a row for each column and day: verdict, score, whether it drifted, why, and its figures."""
    trends = view.trends
    rows = []
    for place in places:
        name = view.names[place]
        figures = trends.figures[:, place].T.tolist()
        for index, day in enumerate(view.days):
            if not trends.known[index]:
                continue
            known = {key: None if value != value else value for key, value in zip(FIGURES, figures[index], strict=True)}
            rows.append(
                {
                    "column": name,
                    "day": day.label,
                    "drift": VERDICT_WORDS[trends.verdicts[place, index]],
                    "drift_score": float(trends.scores[place, index]),
                    "drifted": bool(trends.drifted[place, index]),
                    "reasons": trends.reason(place, index),
                    **known,
                }
            )
    return rows


def trends_as_csv(view: TrendView, query: TrendQuery) -> str:
    """Return the page's data as CSV (RFC 4180), a line per column and day."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("column", "day", "drift", "driftScore", "drifted", "reasons", *_KEYS))
    places = view.selected(query)[query.offset : query.offset + min(query.limit, MAX_EXPORTED)]
    for row in trend_rows(view, places):
        cells = list(row.values())
        writer.writerow(
            [
                as_text(cell) if isinstance(cell, str) else str(cell).lower() if isinstance(cell, bool) else plain(cell)
                for cell in cells
            ]
        )
    return text.getvalue()

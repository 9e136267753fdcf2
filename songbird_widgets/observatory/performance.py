"""What profiles say of a model: confusion matrices and regression figures as small tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import formatting
from .verdicts import verdict_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .view import View

MAX_LABELS = 20
"""Labels of a confusion matrix that a page shows; the JSON holds all."""

_FIGURES = (
    ("count", "Predictions"),
    ("mean_absolute_error", "Mean absolute error"),
    ("mean_error", "Mean error (predicted - actual)"),
    ("mean_squared_error", "Mean squared error"),
    ("root_mean_squared_error", "Root mean squared error"),
)


@dataclass(frozen=True)
class PerformanceTable:
    """One profile's figures of a model: a caption, heads, and lines that begin with their name."""

    place: int
    caption: str
    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    note: str = ""


def performance_tables(view: View) -> list[PerformanceTable]:
    """Return the tables of all profiles that say something of a model."""
    tables = []
    for place, side, drift in zip(view.places, view.shown, view.performance, strict=True):
        said = side.summary.performance if side.summary else None
        change = " ".join([f"Drift from P1: {drift.verdict}.", *drift.reasons, *drift.notes]) if drift else ""
        if said and said["confusion_matrix"]:
            tables.append(_confusion(place, said["confusion_matrix"], change))
        if said and said["regression"]:
            tables.append(_regression(place, said["regression"], change))
    return tables


def performance_lines(view: View) -> list[str]:
    """Say of each profile how its model differs from that of the first, such as ``Model (july): strong …``."""
    return [
        f"Model ({formatting.clipped(line.label, 60)}): {line.word}{f', score {line.score}' if line.score else ''}. "
        + " ".join([*line.reasons, *line.notes])
        for line in verdict_lines(view.places, view.performance, [side.label for side in view.shown])
    ]


def _confusion(place: int, matrix: Mapping[str, Any], change: str) -> PerformanceTable:
    labels: Sequence[str] = matrix["labels"]
    counts: Sequence[Sequence[int]] = matrix["counts"]
    shown = range(min(len(labels), MAX_LABELS))
    names = [formatting.clipped(label, 30) for label in labels]
    lines = []
    for row in shown:
        predicted = sum(counts[row])
        precision = formatting.percent(counts[row][row] / predicted) if predicted else formatting.NONE
        lines.append((f"predicted {names[row]}", (*(f"{counts[row][column]:,}" for column in shown), precision)))
    actual = [sum(line[column] for line in counts) for column in shown]
    recall = [
        formatting.percent(counts[column][column] / actual[column]) if actual[column] else formatting.NONE
        for column in shown
    ]
    lines.append(("Recall", (*recall, "")))
    left_out = len(labels) - len(shown)
    return PerformanceTable(
        place,
        f"Confusion matrix{_of(matrix)}: {matrix['total']:,} predictions, "
        f"accuracy {formatting.percent(matrix['accuracy'])}",
        (*(f"actual {names[column]}" for column in shown), "Precision"),
        tuple(lines),
        " ".join(filter(None, (f"{left_out:,} further labels are in the JSON." if left_out else "", change))),
    )


def _regression(place: int, figures: Mapping[str, Any], change: str) -> PerformanceTable:
    lines = [
        (label, (formatting.count(figures[key]) if key == "count" else formatting.number(figures[key]),))
        for key, label in _FIGURES
    ]
    return PerformanceTable(place, f"Regression{_of(figures)}", ("Figure",), tuple(lines), change)


def _of(said: Mapping[str, Any]) -> str:
    target = said["target_field"]
    return f" of {formatting.clipped(target, 60)}" if target else ""

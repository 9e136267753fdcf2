"""Performance of a model, where a profile holds it: a confusion matrix or regression figures.

whylogs keeps them beside the columns, in version 0 of its format only (`log_classification_metrics`,
`log_regression_metrics`, and the model profiles of whylogs 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import corrupt
from .protobuf import MAX_INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Counts2D = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often each label was predicted for each true one.

    Attributes
    ----------
    labels : tuple of str
        In the order of rows and columns of `counts`.
    counts : ndarray of int64, shape (labels, labels)
        ``counts[i, j]`` rows were predicted as ``labels[i]`` and are in truth ``labels[j]``.
    prediction_field, target_field, score_field : str
        Names of the columns that it was made from; empty where the writer kept none.
    """

    labels: tuple[str, ...]
    counts: Counts2D
    prediction_field: str = ""
    target_field: str = ""
    score_field: str = ""

    @property
    def total(self) -> int:
        """Rows in all."""
        return sum(self.counts.ravel().tolist())

    @property
    def accuracy(self) -> float | None:
        """Fraction of the rows that were predicted right; None without rows."""
        return sum(self.counts.diagonal().tolist()) / self.total if self.total else None

    def precision(self, label: str) -> float | None:
        """Fraction of what was predicted as `label` that is; None where nothing was."""
        return self._share(label, self.counts[self.labels.index(label), :])

    def recall(self, label: str) -> float | None:
        """Fraction of what is `label` that was predicted so; None where nothing is."""
        return self._share(label, self.counts[:, self.labels.index(label)])

    def _share(self, label: str, line: NDArray[np.int64]) -> float | None:
        total = sum(line.tolist())
        return int(line[self.labels.index(label)]) / total if total else None

    def to_dict(self) -> dict[str, Any]:
        """The matrix as plain data for JSON."""
        return {
            "labels": list(self.labels),
            "counts": self.counts.tolist(),
            "rows": "predicted",
            "columns": "actual",
            "total": self.total,
            "accuracy": self.accuracy,
            "prediction_field": self.prediction_field,
            "target_field": self.target_field,
            "score_field": self.score_field,
        }


@dataclass(frozen=True)
class RegressionMetrics:
    """How far the predicted numbers were from the true ones.

    Attributes
    ----------
    count : int
        Predictions.
    sum_absolute, sum_difference, sum_squared : float
        Sums of ``abs(predicted - actual)``, ``predicted - actual`` and ``(predicted - actual) ** 2``.
    prediction_field, target_field : str
        Names of the columns that it was made from; empty where the writer kept none.
    """

    count: int
    sum_absolute: float
    sum_difference: float
    sum_squared: float
    prediction_field: str = ""
    target_field: str = ""

    @property
    def mean_absolute_error(self) -> float | None:
        """None without predictions."""
        return self.sum_absolute / self.count if self.count else None

    @property
    def mean_error(self) -> float | None:
        """Mean of predicted minus actual; None without predictions."""
        return self.sum_difference / self.count if self.count else None

    @property
    def mean_squared_error(self) -> float | None:
        """None without predictions."""
        return self.sum_squared / self.count if self.count else None

    @property
    def root_mean_squared_error(self) -> float | None:
        """None without predictions; NaN when the sum of squares cannot be one."""
        squared = self.mean_squared_error
        if squared is None:
            return None
        return math.sqrt(squared) if squared >= 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data for JSON."""
        return {
            "count": self.count,
            "mean_absolute_error": self.mean_absolute_error,
            "mean_error": self.mean_error,
            "mean_squared_error": self.mean_squared_error,
            "root_mean_squared_error": self.root_mean_squared_error,
            "prediction_field": self.prediction_field,
            "target_field": self.target_field,
        }


@dataclass(frozen=True)
class Performance:
    """What a profile says of a model.

    Attributes
    ----------
    confusion : ConfusionMatrix or None
    regression : RegressionMetrics or None
    output_fields : tuple of str
        Columns that are the model's output.
    """

    confusion: ConfusionMatrix | None = None
    regression: RegressionMetrics | None = None
    output_fields: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data for JSON."""
        return {
            "confusion_matrix": self.confusion.to_dict() if self.confusion else None,
            "regression": self.regression.to_dict() if self.regression else None,
            "output_fields": list(self.output_fields),
        }


MAX_MATRIX_LABELS = 1024
"""Labels of a confusion matrix that are read, or that merged ones may have together; whylogs writes at most 256."""


def merge_performance(parts: Iterable[Performance | None]) -> Performance | None:
    """Add up the performance in several profiles; None when none holds any.

    Confusion matrices that have more than `MAX_MATRIX_LABELS` labels together are left out.
    """
    known = [part for part in parts if part is not None]
    if len(known) <= 1:
        return known[0] if known else None
    return Performance(
        _merge_confusion([part.confusion for part in known if part.confusion is not None]),
        _merge_regression([part.regression for part in known if part.regression is not None]),
        tuple(dict.fromkeys(name for part in known for name in part.output_fields)),
    )


def _merge_confusion(parts: Sequence[ConfusionMatrix]) -> ConfusionMatrix | None:
    if len(parts) <= 1:
        return parts[0] if parts else None
    labels = tuple(sorted({label for part in parts for label in part.labels}))
    if len(labels) > MAX_MATRIX_LABELS:
        return None
    index = {label: place for place, label in enumerate(labels)}
    if sum(part.total for part in parts) > MAX_INT64:
        raise corrupt("the profiles to merge count more rows than there can be")
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for part in parts:
        places = [index[label] for label in part.labels]
        np.add.at(counts, np.ix_(places, places), part.counts)
    first = parts[0]
    return ConfusionMatrix(labels, counts, first.prediction_field, first.target_field, first.score_field)


def _merge_regression(parts: Sequence[RegressionMetrics]) -> RegressionMetrics | None:
    if len(parts) <= 1:
        return parts[0] if parts else None
    count = sum(part.count for part in parts)
    if count > MAX_INT64:
        raise corrupt("the profiles to merge count more rows than there can be")
    return RegressionMetrics(
        count,
        sum(part.sum_absolute for part in parts),
        sum(part.sum_difference for part in parts),
        sum(part.sum_squared for part in parts),
        parts[0].prediction_field,
        parts[0].target_field,
    )

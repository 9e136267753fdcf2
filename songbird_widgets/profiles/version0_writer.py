"""Writing version 0 of the format, as whylogs 1.6.4 itself does for a profile with performance metrics.

Version 1 has no place for them, and version 0 none for some counts of version 1 (NaN, infinite values, conditions); the
fields are described in `version0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .data_model import SEGMENT_TAG
from .protobuf_writer import bytes_field, double_field, encode_varint, number_field, text_field
from .sketches import HllSketch
from .sketches.frequent_items_builder import MAX_TRACKED_ITEMS, FrequentItemsBuilder
from .sketches.hll_builder import HllBuilder
from .sketches.kll_builder import KllBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .data_model import Column, Profile
    from .performance import ConfusionMatrix, Performance, RegressionMetrics

_SCHEMA = (1, 2)  # major and minor version
_LG_MAX_K = 12
_CLASSIFICATION, _REGRESSION = 1, 2  # whylogs' types of models


def write_version_0(profile: Profile, performance: Performance, *, timestamp: int, columns: Iterable[str]) -> bytes:
    """Write a profile with what it says of a model.

    Parameters
    ----------
    profile : Profile
    performance : Performance
    timestamp : int
        The data set's timestamp in ms, UTC.
    columns : iterable of str
        The columns to write.

    Raises
    ------
    ProfileError
        A column's bytes are damaged.
    """
    tags = {**profile.tags, **{f"{SEGMENT_TAG}{key}": value for key, value in profile.segments}}
    properties = b"".join(
        [
            number_field(1, _SCHEMA[0]),
            number_field(2, _SCHEMA[1]),
            number_field(4, profile.creation_timestamp),
            number_field(5, timestamp),
            _map(6, tags),
            _map(7, profile.metadata),
        ]
    )
    message = b"".join(
        [
            bytes_field(1, properties),
            *(bytes_field(2, text_field(1, name) + bytes_field(2, _column(profile.column(name)))) for name in columns),
            bytes_field(10, _model(performance)),
        ]
    )
    return encode_varint(len(message)) + message


def _map(field: int, pairs: Mapping[str, str]) -> bytes:
    return b"".join(bytes_field(field, text_field(1, key) + text_field(2, value)) for key, value in pairs.items())


def _column(column: Column) -> bytes:
    counts, types = column.counts, column.types
    # As whylogs counts them: unknown 0, null 1, fractional 2, integral 3, boolean 4, string 5.
    kinds = (types.object + types.tensor, counts.null, types.fractional, types.integral, types.boolean, types.string)
    hll = column.cardinality if isinstance(column.cardinality, HllSketch) else None
    distinct = HllBuilder() if hll is None else HllBuilder(hll.lg_k)
    if hll is not None:
        distinct.join(hll)
    items = FrequentItemsBuilder(MAX_TRACKED_ITEMS)
    if column.frequent_items is not None:
        items.join(column.frequent_items)
    return b"".join(
        [
            text_field(1, column.name),
            bytes_field(
                2,
                number_field(1, counts.n)
                + bytes_field(2, number_field(1, counts.true))
                + bytes_field(3, number_field(1, counts.null)),
            ),
            bytes_field(
                3, b"".join(bytes_field(1, number_field(1, kind) + number_field(2, n)) for kind, n in enumerate(kinds))
            ),
            bytes_field(4, _numbers(column)),
            bytes_field(7, bytes_field(1, items.to_bytes()) + number_field(2, _LG_MAX_K)),
            bytes_field(8, bytes_field(1, distinct.to_bytes()) + number_field(2, distinct.lg_k)),
        ]
    )


def _numbers(column: Column) -> bytes:
    kll = KllBuilder() if column.kll is None else KllBuilder(column.kll.k)
    if column.kll is not None:
        kll.join(column.kll)
    longs = b""
    if column.ints_min is not None and column.ints_max is not None:
        longs = bytes_field(
            3,
            number_field(1, column.types.integral)
            + number_field(2, column.ints_min)
            + number_field(3, column.ints_max),
        )
    return _variance(kll.n, column.m2 or 0.0, column.mean or 0.0) + longs + bytes_field(4, kll.to_bytes())


def _variance(count: int, m2: float, mean: float) -> bytes:
    return bytes_field(1, number_field(1, count) + double_field(2, m2) + double_field(3, mean))


def _model(performance: Performance) -> bytes:
    metrics = b""
    if performance.confusion is not None:
        metrics += bytes_field(1, _confusion(performance.confusion)) + number_field(2, _CLASSIFICATION)
    if performance.regression is not None:
        metrics += b"" if metrics else number_field(2, _REGRESSION)
        metrics += bytes_field(3, _regression(performance.regression))
    fields = b"".join(text_field(1, name) for name in performance.output_fields)
    return fields + bytes_field(10, metrics)


def _confusion(matrix: ConfusionMatrix) -> bytes:
    return b"".join(
        [
            *(text_field(1, label) for label in matrix.labels),
            text_field(2, matrix.prediction_field),
            text_field(3, matrix.target_field),
            text_field(4, matrix.score_field),
            *(bytes_field(10, _cell(count)) for count in matrix.counts.ravel().tolist()),
        ]
    )


def _cell(count: int) -> bytes:
    """Write a count as whylogs does: as a distribution of the rows' scores, each 1.0 where it knows none."""
    scores = KllBuilder()
    scores.add_sorted(np.array([1.0]), np.array([count], np.int64))
    return _variance(count, 0.0, 1.0 if count else 0.0) + bytes_field(4, scores.to_bytes())


def _regression(figures: RegressionMetrics) -> bytes:
    return b"".join(
        [
            text_field(1, figures.prediction_field),
            text_field(2, figures.target_field),
            number_field(3, figures.count),
            double_field(4, figures.sum_absolute),
            double_field(5, figures.sum_difference),
            double_field(6, figures.sum_squared),
        ]
    )

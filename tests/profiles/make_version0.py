"""Make the profiles of version 0 that the tests read, and write down what whylogs 1.6.4 says of them.

Not a test. In an environment with whylogs 0.7.10 (Python 3.8) ``make_version0.py old FOLDER`` makes the profiles of
whylogs 0; then, in one with whylogs 1.6.4, ``make_version0.py new FOLDER`` makes those that whylogs 1 writes of
performance metrics, and ``NAME.json`` for each: the figures of ``whylogs.migration.converters.read_v0_to_view``.
"""

import datetime as dt
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

RANKS = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0]
POINTS = [-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 100.0, 1000.0]
WHEN = dt.datetime(2021, 5, 1, tzinfo=dt.timezone.utc)
WORDS = ["alpha", "beta", "żółw", "日本", "", "<b>&'\"", "line\nbreak"]


def kinds(rows, seed):
    random = np.random.default_rng(seed)
    normal = random.normal(size=rows)
    gaps = normal.copy()
    gaps[random.random(rows) < 0.3] = np.nan
    words = random.choice(WORDS, rows)
    return pd.DataFrame(
        {
            "normal": normal,
            "gaps": gaps,
            "constant": np.full(rows, 3.0),
            "integer": random.integers(-5, 20, rows),
            "large": random.integers(2**55, 2**56, rows),
            "boolean": random.random(rows) < 0.7,
            "word": words,
            "sparse word": [None if place % 3 else word for place, word in enumerate(words)],
            "identifier": [f"id-{row:06d}" for row in range(rows)],
            "day": pd.date_range("2021-05-01", periods=rows, freq="h"),
            "number as text": [str(value) for value in random.integers(0, 9, rows)],
            "nothing": [None] * rows,
        }
    )


def outcomes(rows, seed):
    random = np.random.default_rng(seed)
    truth = random.choice(["cat", "dog", "żółw"], rows)
    said = np.where(random.random(rows) < 0.6, truth, random.choice(["cat", "dog", "żółw"], rows))
    amount = random.normal(100, 20, rows)
    return pd.DataFrame(
        {
            "truth": truth,
            "said": said,
            "score": random.random(rows),
            "digit": random.integers(0, 3, rows),
            "guess": random.integers(0, 3, rows),
            "amount": amount,
            "forecast": amount + random.normal(2, 5, rows),
            "city": random.choice(["Oslo", "Bergen"], rows),
        }
    )


# --- whylogs 0


def old(folder):
    from whylogs.core import DatasetProfile
    from whylogs.proto import ModelType

    def profile(frame, when=WHEN, **tags):
        made = DatasetProfile(name="old", dataset_timestamp=when, tags=tags)
        if frame is not None:
            made.track_dataframe(frame)
        return made

    def write(name, content):
        (folder / f"{name}.bin").write_bytes(content)

    write("kinds", profile(kinds(2500, 1), maker="tests").serialize_delimited())
    write("bare", profile(kinds(40, 2)).to_protobuf().SerializeToString())
    write("one-row", profile(kinds(1, 3)).serialize_delimited())
    write("empty", profile(None).serialize_delimited())
    days = [profile(kinds(30, 4 + day), WHEN + dt.timedelta(days=day)) for day in range(3)]
    write("three", b"".join(day.serialize_delimited() for day in days))
    segment = json.dumps([{"key": "city", "value": "Oslo"}])
    write("segment", profile(kinds(20, 8), segment=segment).serialize_delimited())
    classified = profile(outcomes(300, 9))
    frame = outcomes(300, 9)
    names = {"target_field": "truth", "prediction_field": "said", "score_field": "score"}
    columns = [frame[column].tolist() for column in ("truth", "said", "score")]
    classified.track_metrics(*columns, model_type=ModelType.CLASSIFICATION, **names)
    write("classification", classified.serialize_delimited())
    regressed = profile(frame[["amount"]])
    names = {"target_field": "amount", "prediction_field": "forecast"}
    columns = [frame[column].tolist() for column in ("amount", "forecast")]
    regressed.track_metrics(*columns, model_type=ModelType.REGRESSION, **names)
    write("regression", regressed.serialize_delimited())


# --- whylogs 1


def new(folder):
    import whylogs as why
    from whylogs.core.proto.v0 import DatasetProfileMessageV0
    from whylogs.core.schema import DatasetSchema
    from whylogs.core.segmentation_partition import segment_on_column
    from whylogs.core.utils import read_delimited_protobuf
    from whylogs.migration.converters import v0_to_v1_view

    def write(name, results):
        results.set_dataset_timestamp(WHEN)
        (made,) = results.get_writables()
        made.write(str(folder / f"{name}.bin"))

    frame = outcomes(400, 10)
    words = {"target_column": "truth", "prediction_column": "said", "score_column": "score"}
    write("new-classification", why.log_classification_metrics(frame, log_full_data=True, **words))
    digits = {"target_column": "digit", "prediction_column": "guess"}
    write("new-digits", why.log_classification_metrics(frame, **digits))
    numbers = {"target_column": "amount", "prediction_column": "forecast"}
    write("new-regression", why.log_regression_metrics(frame, log_full_data=True, **numbers))
    oslo = frame[frame.city == "Oslo"]
    schema = DatasetSchema(segments=segment_on_column("city"))
    write("new-segment", why.log_classification_metrics(oslo, schema=schema, log_full_data=True, **words))

    for path in sorted(folder.glob("*.bin")):
        views = []
        with path.open("rb") as file:
            while file.tell() < path.stat().st_size:
                message = read_delimited_protobuf(file, DatasetProfileMessageV0, offset=file.tell())
                views.append(figures(message, v0_to_v1_view(message)))
        path.with_suffix(".json").write_text(json.dumps(views, ensure_ascii=False, indent=0), "utf-8")


def figures(message, view):
    performance = view.model_performance_metrics
    confusion = performance and performance.confusion_matrix
    regression = performance and performance.regression_metrics
    return {
        "dataset_timestamp": message.properties.data_timestamp,
        "creation_timestamp": message.properties.session_timestamp,
        "tags": dict(message.properties.tags),
        "metadata": dict(message.properties.metadata),
        "columns": {name: column_figures(message.columns[name], view.get_column(name)) for name in message.columns},
        "confusion": confusion
        and {
            "labels": list(confusion.labels),
            "counts": [
                [confusion.confusion_matrix[i, j].n for j in range(len(confusion.labels))]
                for i in range(len(confusion.labels))
            ],
        },
        "regression": regression
        and {
            "count": regression.count,
            "mae": regression.mean_absolute_error(),
            "mse": regression.mean_squared_error(),
            "rmse": regression.root_mean_squared_error(),
        },
    }


def column_figures(message, column):
    import whylogs_sketching

    types = column.get_metric("types")
    kll = column.get_metric("distribution").kll.value
    hll = column.get_metric("cardinality").hll.value
    items = column.get_metric("frequent_items").frequent_strings.value
    kept = items.get_frequent_items(whylogs_sketching.frequent_items_error_type.NO_FALSE_NEGATIVES)
    return {
        "n": column.get_metric("counts").n.value,
        # The converter loses the nulls, which the message counts among the types.
        "null": message.schema.typeCounts.get(1, 0),
        "true": message.counters.true_count.value,
        "types": [types.integral.value, types.fractional.value, types.boolean.value, types.string.value],
        # The converter makes 0 of bounds that there are none of.
        "ints": [message.numbers.longs.min, message.numbers.longs.max] if message.numbers.longs.count else None,
        "mean": column.get_metric("distribution").mean.value,
        "stddev": column.get_metric("distribution").stddev,
        "kll": [kll.get_n(), *kll.get_quantiles(RANKS), *kll.get_cdf(POINTS)] if kll.get_n() else [0],
        "card": [hll.get_estimate(), hll.get_lower_bound(1), hll.get_upper_bound(1)],
        "items": sorted([value, estimate, lower, upper] for value, estimate, lower, upper in kept),
    }


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    {"old": old, "new": new}[sys.argv[1]](target)

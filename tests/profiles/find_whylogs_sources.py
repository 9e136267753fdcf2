"""Give whylogs' own objects to find_sources and print what it makes of them.

Not a test: test_sources.py runs it with the Python of an environment that has whylogs and an older numpy.
"""

from __future__ import annotations

import datetime as dt
import json
import warnings

import pandas as pd
import whylogs as why
from whylogs.api.logger.result_set import ViewResultSet
from whylogs.core.schema import DatasetSchema
from whylogs.core.segmentation_partition import segment_on_column

from songbird_widgets.profiles import SourceError, SourceWarning, find_sources, read_profile

WHEN = dt.datetime(2023, 8, 11, tzinfo=dt.timezone.utc)
FRAME = pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]})


def show(source, **options):
    return [
        found.reason
        if isinstance(found, SourceError)
        else {
            "kind": found.kind,
            "alias": found.alias,
            "columns": found.columns,
            "rows": found.rows,
            "tags": found.segment_tags,
            "time": found.dataset_timestamp,
        }
        for found in find_sources(source, **options)
    ]


def warned(source):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = show(source)
    return [found, [str(warning.message) for warning in caught if issubclass(warning.category, SourceWarning)]]


def performance(source):
    (found,) = find_sources(source)
    return read_profile(found.content).performance.to_dict()


results = why.log(FRAME, dataset_timestamp=WHEN)
segmented = why.log(FRAME, schema=DatasetSchema(segments=segment_on_column("a")), dataset_timestamp=WHEN)
two_ways = DatasetSchema(segments={**segment_on_column("a"), **segment_on_column("b")})
outcomes = pd.DataFrame({"truth": ["x", "y", "y"], "said": ["x", "x", "y"], "amount": [1.0, 2.0, 3.0], "guess": 2.0})
classified = why.log_classification_metrics(outcomes, target_column="truth", prediction_column="said")
regressed = why.log_regression_metrics(outcomes, target_column="amount", prediction_column="guess")
classified_segments = why.log_classification_metrics(
    outcomes, target_column="truth", prediction_column="said", schema=DatasetSchema(segments=segment_on_column("truth"))
)
print(
    json.dumps(
        {
            "result set": show(results),
            "view result set": show(ViewResultSet(results.view())),
            "view": show(results.view()),
            "profile": show(results.profile()),
            "alias": show(results, alias="train"),
            "segmented": show(segmented),
            "segment view": show(segmented.get_writables()[0]),
            "frame": show(FRAME),
            "named": show(why.log(FRAME, name="monday", dataset_timestamp=WHEN)),
            "named batch": show(why.log(FRAME, name="monday", dataset_timestamp=WHEN), kind="batch"),
            "segments with an alias": show(segmented, alias="train"),
            "segments as batches": show(segmented, kind="batch"),
            "segments both ways": show(why.log(FRAME, schema=two_ways)),
            "merged": warned(why.log(multiple={"x": FRAME, "y": FRAME}, dataset_timestamp=WHEN)),
            "not merged": warned(ViewResultSet(type(results.view()).deserialize(results.view().serialize()))),
            "grouped": show(FRAME.groupby("a")),
            "grouped column": show(FRAME.groupby("a").b),
            "classified": performance(classified),
            "regressed": performance(regressed),
            "classified segments": [item["tags"] for item in show(classified_segments)],
        }
    )
)

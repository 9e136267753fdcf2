"""Give whylogs' own objects to find_sources and print what it makes of them.

Not a test: test_sources.py runs it with the Python of an environment that has whylogs and an older numpy.
"""

from __future__ import annotations

import datetime as dt
import json

import pandas as pd
import whylogs as why
from whylogs.api.logger.result_set import ViewResultSet
from whylogs.core.schema import DatasetSchema
from whylogs.core.segmentation_partition import segment_on_column

from songbird_widgets.profiles import find_sources

WHEN = dt.datetime(2023, 8, 11, tzinfo=dt.timezone.utc)
FRAME = pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]})


def show(source, **options):
    return [
        {
            "kind": found.kind,
            "alias": found.alias,
            "columns": found.columns,
            "rows": found.rows,
            "tags": found.segment_tags,
            "time": found.dataset_timestamp,
        }
        for found in find_sources(source, **options)
    ]


results = why.log(FRAME, dataset_timestamp=WHEN)
segmented = why.log(FRAME, schema=DatasetSchema(segments=segment_on_column("a")), dataset_timestamp=WHEN)
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
        }
    )
)

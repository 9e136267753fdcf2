"""Spark data frames: partitions are profiled by the executors that read them, as Arrow batches."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .partitions import FAN_IN, PartialResult, count_partition, join_results
from .tabular.arrow_columns import arrow
from .tabular.names import Names
from .tabular.tables import numbered, parts_of, parts_of_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_RESULT = "content binary, problems string"


def is_frame(data: Any) -> bool:
    """Whether this is a Spark data frame, of a classic session or of Spark Connect."""
    return type(data).__module__.startswith("pyspark.sql.") and hasattr(data, "mapInArrow")


def profile_partitions(data: Any, wanted: Sequence[str] | None, timestamp: int | None) -> PartialResult:
    """Profile each partition on its executor, merge the results on eight of them, and those here.

    Raises
    ------
    ProfileError
        The frame has no column of a name that is wanted.
    """
    if wanted is not None:
        data = data.select([data.columns[place] for place in Names(data.columns).select(wanted)])
    counted = data.mapInArrow(_count, _RESULT).repartition(FAN_IN).mapInArrow(_join, _RESULT)
    results = [PartialResult(bytes(row.content), json.loads(row.problems)) for row in counted.collect()]
    if not results:  # no partition has a row: only the columns are known
        empty = data.limit(0)
        results = [count_partition(parts_of(empty.toArrow() if hasattr(empty, "toArrow") else empty.toPandas()), 0)]
    return join_results(results, timestamp)


def _count(batches: Iterator[Any]) -> Iterator[Any]:
    first = next(batches, None)
    if first is None:
        return
    context = import_module("pyspark").TaskContext.get()
    number = 0 if context is None else context.partitionId()
    yield _as_batch(count_partition(numbered(parts_of_batches(first.schema, _chained(first, batches), None)), number))


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _join(batches: Iterator[Any]) -> Iterator[Any]:
    """Merge the results that come, eight by eight, so that no more than those are held."""
    held: list[PartialResult] = []
    for batch in batches:
        for row in batch.to_pylist():
            held.append(PartialResult(row["content"], json.loads(row["problems"])))
            if len(held) >= FAN_IN:
                held = [join_results(held)]
    if held:
        yield _as_batch(join_results(held))


def _as_batch(result: PartialResult) -> Any:
    columns = {"content": [result.content], "problems": [json.dumps(result.problems)]}
    return arrow().RecordBatch.from_pydict(columns)

"""Dask data frames: partitions are profiled by the workers that hold them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .partitions import FAN_IN, PartialResult, count_partition, join_results
from .tabular.names import Names
from .tabular.tables import parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_frame(data: Any) -> bool:
    """Whether this is a Dask data frame or series."""
    return type(data).__module__.partition(".")[0] in {"dask", "dask_expr"} and hasattr(data, "to_delayed")


def profile_partitions(data: Any, wanted: Sequence[str] | None, timestamp: int | None) -> PartialResult:
    """Profile each partition on its worker, and merge the results eight by eight.

    Raises
    ------
    ProfileError
        The frame has no column of a name that is wanted.
    """
    delayed = import_module("dask").delayed
    frame = data if hasattr(data, "columns") else data.to_frame()
    if wanted is not None:
        frame = frame[[frame.columns[place] for place in Names(frame.columns).select(wanted)]]
    count, join = delayed(_count), delayed(join_results)
    results = [count(part, number) for number, part in enumerate(frame.to_delayed())]
    while len(results) > 1:
        results = [join(results[first : first + FAN_IN]) for first in range(0, len(results), FAN_IN)]
    return join_results([results[0].compute()], timestamp)


def _count(partition: Any, number: int) -> PartialResult:
    return count_partition(parts_of(partition), number)

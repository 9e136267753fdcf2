"""Profiles of a table's partitions, which engines make on their workers and merge in a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .builder import TableBuilder
from .merge import join_profiles
from .version1 import read_version_1
from .writing import write_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .tabular.tables import TablePart

FAN_IN = 8  # results that are merged at once


class PartialResult(NamedTuple):
    """The profile of one partition, or of several: its bytes, and why columns are not in it, by column."""

    content: bytes
    problems: dict[str, str]


def count_partition(parts: Iterable[TablePart], number: int) -> PartialResult:
    """Profile one partition where it lies, on one core: engines run as many at once as there are cores."""
    builder = TableBuilder()
    for part in parts:
        builder.add(part)
    return PartialResult(
        builder.to_bytes(), {name: f"partition {number}, {reason}" for name, reason in builder.problems.items()}
    )


def join_results(results: Sequence[PartialResult], timestamp: int | None = None) -> PartialResult:
    """Merge results; a column that failed in one of them is in none of them.

    Parameters
    ----------
    results : sequence of PartialResult
    timestamp : int, optional
        The data set's timestamp in ms, UTC; the earliest of the results' by default.
    """
    problems: dict[str, str] = {}
    for result in results:
        problems = {**result.problems, **problems}
    merged = join_profiles([read_version_1(result.content) for result in results])
    return PartialResult(write_profile(merged, without=frozenset(problems), timestamp=timestamp), problems)

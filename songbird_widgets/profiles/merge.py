"""Several profiles of one batch period, shown as one."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from .data_model import Column, Counts, Profile, Types
from .errors import corrupt
from .performance import merge_performance
from .protobuf import MAX_INT64
from .sketches import FrequentItemsSketch, HllSketch, KllSketch
from .writing import write_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def join_profiles(profiles: Sequence[Profile]) -> Profile:
    """Join profiles as `merge_profiles` does; raises the same of profiles."""
    if not profiles:
        raise ValueError("There is no profile to merge.")
    first = profiles[0]
    if len(profiles) == 1:
        return first
    names = [frozenset(profile.column_names) for profile in profiles]
    return Profile(
        dataset_timestamp=min(profile.dataset_timestamp for profile in profiles),
        creation_timestamp=min(profile.creation_timestamp for profile in profiles),
        version=first.version,
        tags={key: value for profile in reversed(profiles) for key, value in profile.tags.items()},
        metadata={key: value for profile in reversed(profiles) for key, value in profile.metadata.items()},
        segments=first.segments if all(profile.segments == first.segments for profile in profiles) else (),
        column_names=tuple(sorted(frozenset().union(*names))),
        size=sum(profile.size for profile in profiles),
        paths=tuple(dict.fromkeys(path for profile in profiles for path in profile.paths)),
        _read=partial(_read_joined, profiles, names),
        _write=write_profile,
        performance=merge_performance(profile.performance for profile in profiles),
        is_file=False,
    )


def _read_joined(profiles: Sequence[Profile], names: Sequence[frozenset[str]], name: str) -> Column:
    columns = [profile.column(name) for profile, known in zip(profiles, names, strict=True) if name in known]
    if not columns:
        raise KeyError(name)
    return merge_columns(columns)


def addable(segments: Sequence[Sequence[tuple[str, str]]]) -> list[int]:
    """Say which profiles of one period may be added up, so that no row counts twice.

    Segments are never added to their whole, nor to segments by other columns, in which their rows are, too.

    Parameters
    ----------
    segments : sequence of sequence of (str, str)
        `Profile.segments` of each.

    Returns
    -------
    list of int
        The places of the wholes; if there is none, of the segments by the same columns as the first.
    """
    wholes = [place for place, tags in enumerate(segments) if not tags]
    if wholes or not segments:
        return wholes
    by = {key for key, _ in segments[0]}
    return [place for place, tags in enumerate(segments) if {key for key, _ in tags} == by]


def merge_columns(columns: Sequence[Column]) -> Column:
    """Join columns of one name; one column is its own merger."""
    first = columns[0]
    if len(columns) == 1:
        return first
    mean, m2 = _moments(columns)
    klls = [column.kll for column in columns if column.kll is not None]
    hlls = [column.cardinality for column in columns if isinstance(column.cardinality, HllSketch)]
    items = [items for column in columns if (items := column.values) is not None]
    smallest = [column.ints_min for column in columns if column.ints_min is not None]
    largest = [column.ints_max for column in columns if column.ints_max is not None]
    conditions = dict.fromkeys(name for column in columns for name in column.conditions)
    others = dict.fromkeys(name for column in columns for name in column.others)
    return Column(
        name=first.name,
        counts=Counts(*_added(column.counts for column in columns)),
        types=Types(*_added(column.types for column in columns)),
        ints_min=min(smallest, default=None),
        ints_max=max(largest, default=None),
        mean=mean,
        m2=m2,
        kll=KllSketch.union(klls) if klls else None,
        cardinality=HllSketch.union(hlls) if hlls else None,
        frequent_items=FrequentItemsSketch.union(items) if items else None,
        counted=any(column.counted for column in columns),
        typed=any(column.typed for column in columns),
        metrics=_metrics(columns),
        aggregates={name: how for column in columns for name, how in column.aggregates.items()},
        conditions={name: _sum(column.conditions.get(name, 0) for column in columns) for name in conditions},
        others={
            name: merge_columns([column.others[name] for column in columns if name in column.others]) for name in others
        },
    )


def _metrics(columns: Sequence[Column]) -> dict[str, int | float]:
    """Join figures of metrics that whylogs does not have; those that cannot be joined are left out."""
    found: dict[str, int | float] = {}
    for column in columns:
        for name, value in column.metrics.items():
            how = column.aggregates.get(name, "sum")
            if name not in found:
                found[name] = value
            elif how in _JOINS:
                found[name] = _JOINS[how]((found[name], value))
            else:
                found[name] = math.nan
    return {
        name: value
        for name, value in found.items()
        if (abs(value) < _TOO_LARGE if isinstance(value, int) else not math.isnan(value))
    }


_TOO_LARGE = 1 << 63  # for a whole number of the format
_JOINS: dict[str, Callable[[Iterable[int | float]], int | float]] = {"sum": sum, "min": min, "max": max}


def _added(rows: Iterable[tuple[int, ...]]) -> Iterable[int]:
    return map(_sum, zip(*rows, strict=True))


def _sum(counts: Iterable[int]) -> int:
    """Add up counts, which a profile holds in 64 bits with a sign."""
    total = sum(counts)
    if total > MAX_INT64:
        raise corrupt("the profiles to merge count more rows than there can be")
    return total


def _moments(columns: Sequence[Column]) -> tuple[float | None, float | None]:
    """Combine means and sums of squared deviations (Chan, Golub, LeVeque 1979, eq. 2.1)."""
    n, mean, m2 = 0, 0.0, 0.0
    known = False
    for column in columns:
        if column.kll is None or column.mean is None or column.m2 is None:
            continue
        known = True
        both = n + column.kll.n
        if both:
            apart = column.mean - mean
            m2 = m2 + column.m2 + apart * apart * n * column.kll.n / both
            mean = n / both * mean + column.kll.n / both * column.mean
        n = both
    return (mean, m2) if known else (None, None)

"""Several profiles beside one baseline, weighed at once: one step for all costs little more than for one of them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .comparison import shared_names
from .drift import pairs_of, weigh
from .evidence import Pairs
from .summary import ProfileSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .evidence import Evidence

MAX_AT_ONCE = 1_999
"""Columns that are weighed at once, of as many profiles as have them; of wide profiles copies would be large."""

_BY_NAME = ("conditions", "metrics", "aggregates")
_NOT_COMPARED = frozenset({"heights", "checks", "ints"})


def weigh_each(baseline: ProfileSummary, others: Sequence[ProfileSummary]) -> list[Evidence]:
    """Compare all columns that a baseline shares with each of several profiles.

    What is found of each can be kept, and be handed to a `Comparison`.
    """
    found = [one for batch in _batches(baseline, others) for one in _weigh_batch(baseline, batch)]
    for side in (baseline, *others):
        side.__dict__.pop("outline", None)  # 4 MB of 1,000 columns, for nothing but this
    return found


def _batches(baseline: ProfileSummary, others: Sequence[ProfileSummary]) -> Iterator[list[Pairs]]:
    batch: list[Pairs] = []
    waiting = 0
    for other in others:
        pairs = pairs_of(baseline, other, shared_names(baseline, other))
        if batch and waiting + len(pairs) > MAX_AT_ONCE:
            yield batch
            batch, waiting = [], 0
        batch.append(pairs)
        waiting += len(pairs)
    if batch:
        yield batch


def _weigh_batch(baseline: ProfileSummary, batch: Sequence[Pairs]) -> list[Evidence]:
    if len(batch) == 1:
        return [weigh(batch[0])]
    stacked, offsets = _stacked([pairs.second for pairs in batch])
    every = Pairs(
        baseline,
        stacked,
        np.concatenate([pairs.before for pairs in batch]),
        np.concatenate([pairs.after + offset for pairs, offset in zip(batch, offsets, strict=True)]),
        [types for pairs in batch for types in pairs.types],
    )
    evidence = weigh(every)
    ends = np.cumsum([len(pairs) for pairs in batch]).tolist()
    return [evidence.part(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def _stacked(profiles: Sequence[ProfileSummary]) -> tuple[ProfileSummary, list[int]]:
    """Put the columns of several profiles under each other; returns where each profile's begin, too."""
    by_name: dict[str, Any] = {field: {} for field in _BY_NAME}
    names: list[str] = []
    starts = []
    renamed = any(getattr(one, field) for one in profiles for field in _BY_NAME)
    for number, one in enumerate(profiles):
        starts.append(len(names))
        if renamed:  # what is known by the columns' names needs names that differ
            names += [f"{number}\n{name}" for name in one.names]
            for field, known in by_name.items():
                known |= {f"{number}\n{name}": values for name, values in getattr(one, field).items()}
        else:
            names += one.names
    arrays: dict[str, Any] = {}
    for name in (field.name for field in fields(ProfileSummary)):
        parts = [getattr(one, name) for one in profiles]
        if name in _NOT_COMPARED:
            continue
        if name.endswith("offsets"):
            ends = np.cumsum([0, *(part[-1] for part in parts[:-1])])
            arrays[name] = np.concatenate(
                [np.zeros(1, np.int64), *(part[1:] + end for part, end in zip(parts, ends, strict=True))]
            )
        elif isinstance(parts[0], np.ndarray):
            arrays[name] = np.concatenate(parts)
    made = replace(profiles[0], **arrays, names=tuple(names), parents=(None,) * len(names), **by_name)
    return made, starts

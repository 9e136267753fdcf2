"""The frequent items of many columns at once, matched by their hashes (see `summary`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .summarizing import HASHES_OF_FLAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sketches import Floats, Ints
    from .summary import ProfileSummary

    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd


def spread(pairs: Ints) -> Hashes:
    """Return what to add to the hashes of values, so that equal ones of different pairs are apart."""
    added: Hashes = (pairs.astype(np.uint64) + np.uint64(1)) * _SPREAD
    return added


@dataclass
class Listed:
    """The frequent items of many columns of one summary, ascending by key."""

    pairs: Ints
    keys: Hashes
    weights: Floats
    items: Ints
    offsets: Floats
    unlisted: Floats

    @classmethod
    def of(cls, summary: ProfileSummary, rows: Ints, flags: Flags, offsets: Floats, unlisted: Floats) -> Listed:
        starts = summary.frequent_offsets[rows]
        lengths = summary.frequent_offsets[rows + 1] - starts
        pairs = np.repeat(np.arange(len(rows)), lengths)
        items = np.arange(len(pairs)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths)
        hashes = summary.frequent_hashes[items]
        if flags.any():
            for word, number in HASHES_OF_FLAGS.items():
                hashes = np.where(flags[pairs] & (hashes == word), number, hashes)
        keys = hashes + spread(pairs)
        order = keys.argsort()
        weights = summary.frequent_weights[items].astype(np.float64)
        return cls(pairs[order], keys[order], weights[order], items[order], offsets, unlisted)

    @property
    def counts(self) -> Floats:
        counts: Floats = self.weights + self.offsets[self.pairs]
        return counts

    def look_up(self, keys: Hashes, of_pair: Ints) -> tuple[Floats, Ints]:
        """Count these values, in these pairs; spellings of one value add up."""
        offsets, missed = self.offsets[of_pair], self.unlisted[of_pair] / 2
        if not len(self.keys):
            return missed, np.full(len(keys), -1, np.int64)
        begin, end = self.keys.searchsorted(keys), self.keys.searchsorted(keys, side="right")
        sums = np.append(0.0, np.cumsum(self.weights))
        listed = end > begin
        counts = np.where(listed, sums[end] - sums[begin] + offsets, missed)
        return counts, np.where(listed, self.items[np.minimum(begin, len(self.keys) - 1)], -1)

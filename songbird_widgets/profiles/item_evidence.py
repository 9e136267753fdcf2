"""How two columns differ in values without a distance: text, booleans, and codes, of which there are few.

Values are matched by their hashes (see `summary`), of all columns at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .evidence import (
    CHUNK,
    ERRORS,
    FEWEST,
    FEWEST_OF_ONE,
    FEWEST_SEEN,
    MAX_EFFECT,
    NEW_VALUE_SHARE,
    SELDOM,
    SHARE_UNIT,
    Candidates,
    Sizes,
    as_if_tried,
    chances_of_counts,
    measure_cells,
    percent,
    reached,
    share_chances,
    times_tried,
    too_few,
    value_effects,
)
from .listed_items import Listed, spread
from .number_evidence import MAX_CODES, chances_outside, common_ranges, exactly_listed
from .numerics import normal_tails, row_sums
from .row_evidence import forgive_types
from .sketches.frequent_items import MAX_CHARACTERS, spells_number
from .summarizing import HASHES_OF_FLAGS, HASHES_OF_NOTHING, hashes_of_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .evidence import Evidence, Pairs
    from .sketches import Floats, Ints

    Flags = NDArray[np.bool_]
    Hashes = NDArray[np.uint64]

# Counts of frequent items are exact to within the offset; an item is a cell when it is this many times above it.
_CLEAR_OF_OFFSET = 5
_MOST_READ = 768  # items that must be numbers for a text to be one
_NOTHING = 1e-12
_ROUNDING = 1e-6


def weigh_items(
    pairs: Pairs, numbers: Flags, found: Evidence, wholes: Floats | None = None, among: Flags | None = None
) -> None:
    """Compare the frequent items of all pairs that have some and may be compared by them.

    Parameters
    ----------
    pairs : Pairs
    numbers : ndarray of bool
        Which of them were compared as numbers.
    found : Evidence
    wholes : ndarray of float, optional
        The share of the values that the items are of; 1 by default.
    among : ndarray of bool, optional
        Which pairs to look at; all by default.
    """
    among = np.ones(len(pairs), np.bool_) if among is None else among
    totals, offsets, unlisted = (
        np.array(pairs.of(f"frequent_{name}"), np.float64).reshape(2, -1) for name in ("total", "offset", "unlisted")
    )
    lengths = np.array([np.diff(side.frequent_offsets)[rows] for side, rows in pairs.sides]).reshape(2, -1)
    whole = ~pairs.any_of(frozenset({"fractional"}))
    lossless = (offsets == 0).all(axis=0)
    few = whole & (lengths <= MAX_CODES).all(axis=0) & lossless
    _find_spelled(pairs, among & ~numbers & (totals > 0).all(axis=0), found)
    same = np.array([one == other or "unknown" in (one, other) for one, other in pairs.types], np.bool_)
    by_items = np.where(numbers, few | (found.blunt & lossless), same | found.as_values)
    by_items |= exactly_listed(pairs, numbers, found)
    places = np.flatnonzero(among & (totals > 0).all(axis=0) & by_items & ~found.running)
    if not len(places):
        return
    apart = ~numbers[places]
    found.sizes[places[apart]] = totals[:, places[apart]].T
    counts = totals[:, places], offsets[:, places], unlisted[:, places]
    cells = _Cells.of(pairs, places, numbers[places], *counts, found)
    filled = np.bincount(cells.pairs, minlength=len(places))
    usable = np.bincount(cells.pairs[cells.dense], minlength=len(places)) > 0
    single = numbers[places] & ~(few | found.blunt)[places]  # the rest of these has a distance
    for place in places[~usable & ~single].tolist():
        sizes = totals[:, place].astype(np.int64).tolist()
        rows_are_few = bool(lossless[place]) or min(sizes) < FEWEST
        found.too_few[place] |= rows_are_few
        found.texts[place, "blind"] = (
            too_few(*sizes)
            if rows_are_few
            else "No value is frequent enough to be compared, so the sketches cannot tell."
        )
    ordered = np.flatnonzero(np.where(single, filled > 0, usable))
    ordered = ordered[filled[ordered].argsort(kind="stable")]
    starts = np.append(0, np.cumsum(filled))
    wholes = np.ones(len(pairs)) if wholes is None else wholes
    for begin in range(0, len(ordered), CHUNK):
        chunk = ordered[begin : begin + CHUNK]
        width = int(filled[chunk].max())
        cell = np.minimum(starts[chunk][:, None] + np.arange(width), len(cells.pairs) - 1)
        there = np.arange(width) < filled[chunk][:, None]
        error = (unlisted[:, places[chunk]] / totals[:, places[chunk]]).sum(axis=0)
        sizes = Sizes(totals[0, places[chunk]], totals[1, places[chunk]], error)
        before, after = (np.where(there, one[cell], 0.0) for one in (cells.before, cells.after))
        tables = _Tables(pairs, cells, cell, before, after, there & cells.dense[cell], lossless[places[chunk]])
        _weigh_tables(tables, sizes, places[chunk], numbers, single[chunk], wholes, found)


def _find_spelled(pairs: Pairs, candidates: Flags, found: Evidence) -> None:
    """Find texts that spell nothing but numbers or booleans, beside a column of such: they are compared as values."""
    for place in np.flatnonzero(candidates).tolist():
        types = pairs.types[place]
        if types[0] == types[1] or "string" not in types or not {"integral", "boolean"} & set(types):
            continue
        side, rows = pairs.sides[types.index("string")]
        row = int(rows[place])
        values = side.frequent_values(row)
        pure = side.types[row, 3:].sum() == side.types[row, 3]  # no objects among them
        if pure and len(values) <= _MOST_READ and all(map(spells_number, values)):
            found.as_values[place] = True
            forgive_types(found, place)


@dataclass
class _Cells:
    """The values that are compared, those of a pair beside each other: counts, and where each is in its list.

    A value's share must be far above the sketches' error. Those are dense of which chance would bring several into
    either sample: of names or identifiers that are seen once, any two samples have few in common. The others are
    compared by themselves alone. A count is its upper bound, which is exact for an item that was never dropped; half of
    what one not listed may have.
    """

    pairs: Ints
    before: Floats
    after: Floats
    items: tuple[Ints, Ints]
    """Places in the lists of frequent items of both summaries; -1 where it is not listed."""
    dense: Flags
    sentinels: Flags
    """Whether it is where sentinels mostly are: at either end of numbers, zero, a word for nothing."""

    @classmethod
    def of(
        cls,
        pairs: Pairs,
        places: Ints,
        numbers: Flags,
        totals: Floats,
        offsets: Floats,
        unlisted: Floats,
        found: Evidence,
    ) -> _Cells:
        smaller, larger = totals.min(axis=0), totals.max(axis=0)
        fewest = FEWEST_OF_ONE * (1 + larger / smaller)
        limit = _CLEAR_OF_OFFSET * (offsets / totals).max(axis=0)
        flags = (pairs.any_of(frozenset({"boolean"})) | found.as_values)[places]
        sides = [
            Listed.of(summary, rows[places], flags, offset, most)
            for (summary, rows), offset, most in zip(pairs.sides, offsets, unlisted, strict=True)
        ]
        _mind_values_of_one_side(sides, totals, fewest, (offsets == 0).all(axis=0) & ~numbers, places, found)
        chosen = []
        for side, total in zip(sides, totals, strict=True):
            counts = side.counts
            clear = counts >= (limit * total)[side.pairs]
            # The larger of two counts is at least half of both.
            clear &= (counts >= np.minimum(fewest / 2, FEWEST_SEEN)[side.pairs]) | (limit > 0)[side.pairs]
            chosen.append((side.keys[clear], side.pairs[clear]))
        keys, first = np.unique(np.concatenate([one for one, _ in chosen]), return_index=True)
        of_pair = np.concatenate([pair for _, pair in chosen])[first]
        (before, listed), (after, other_listed) = (side.look_up(keys, of_pair) for side in sides)
        dense = before + after >= fewest[of_pair]
        kept = np.flatnonzero(dense | ((np.maximum(before, after) >= FEWEST_SEEN) & (limit == 0)[of_pair]))
        # In the same order whatever other pairs there are, so that sums are the same to the last digit.
        hashes = keys[kept] - spread(of_pair[kept])
        order = np.lexsort((hashes, of_pair[kept]))
        kept, hashes = kept[order], hashes[order]
        sentinels = _may_be_sentinels(pairs, places, numbers, of_pair[kept], hashes)
        return cls(of_pair[kept], before[kept], after[kept], (listed[kept], other_listed[kept]), dense[kept], sentinels)


def _may_be_sentinels(pairs: Pairs, places: Ints, numbers: Flags, of_pair: Ints, hashes: Hashes) -> Flags:
    """Whether values are where sentinels and defaults mostly are, as in `number_evidence.may_be_sentinels`."""
    found: Flags = np.isin(hashes, HASHES_OF_NOTHING) & ~numbers[of_pair]
    known = np.flatnonzero(numbers)
    for points in (*common_ranges(pairs, places), np.zeros(len(places))):
        of_points = np.zeros(len(places), np.uint64)
        of_points[known] = hashes_of_whole(points[known])
        found |= numbers[of_pair] & (hashes == of_points[of_pair])
    return found


def _mind_values_of_one_side(
    sides: Sequence[Listed], totals: Floats, rare: Floats, among: Flags, places: Ints, found: Evidence
) -> None:
    """Say of columns that more of the rare values are in one sample alone than chance makes: none counts by itself.

    Each time that a value was seen is in a sample with the chance of its part of all rows, so that all ``t`` are with
    the ``t``-th power of that. Many names in other letter case are such values.
    """
    among = among & (np.minimum(*(np.bincount(side.pairs, minlength=len(places)) for side in sides)) > MAX_CODES)
    if not among.any():
        return
    (keys, pairs, weights), (others, other_pairs, other_weights) = (
        [one[among[side.pairs]] for one in (side.keys, side.pairs, side.weights)] for side in sides
    )
    at = np.minimum(keys.searchsorted(others), len(keys) - 1)
    shared = keys[at] == others
    seen = np.concatenate([weights, other_weights[~shared]])
    pair = np.concatenate([pairs, other_pairs[~shared]])
    seen[at[shared]] += other_weights[shared]
    alone = np.arange(len(seen)) // len(keys)  # 0 and 1 where it is of the first and the second side
    alone[at[shared]] = -1
    few = seen < rare[pair]
    seen, pair, alone = seen[few], pair[few], alone[few]
    for side, (size, other) in enumerate(zip(totals, totals[::-1], strict=True)):
        chance = (size / (size + other))[pair] ** seen
        there, expected, variance = (
            np.bincount(pair, of, len(places))
            for of in (seen * (alone == side), seen * chance, seen**2 * chance * (1 - chance))
        )
        more, deviation = there - expected, np.sqrt(np.maximum(variance, 1))
        chances = 2 * normal_tails(more / deviation)
        counts = reached(more / size / SHARE_UNIT, chances, np.ones(len(places))) >= 1
        for line in np.flatnonzero(counts & (chances <= SELDOM)).tolist():
            found.blurred[places[line]] = True
            share = percent(there[line] / size[line])
            text = f"{share} of the values are rare ones of one profile alone, and chance makes fewer."
            found.texts[int(places[line]), "blind"] = text


@dataclass
class _Tables:
    """Counts of values, a row a pair; what is beyond a row's last value is zero."""

    pairs: Pairs
    cells: _Cells
    cell: Ints
    before: Floats
    after: Floats
    dense: Flags
    lossless: Flags

    def part(self, lines: Ints) -> _Tables:
        """Take some of the rows."""
        counts = self.before[lines], self.after[lines]
        return _Tables(self.pairs, self.cells, self.cell[lines], *counts, self.dense[lines], self.lossless[lines])

    def value(self, line: int, column: int) -> str:
        """Return the value of a cell."""
        cell = self.cell[line, column]
        for (summary, _), items in zip(self.pairs.sides, self.cells.items, strict=True):
            if items[cell] >= 0:
                return summary.frequent_value(int(items[cell]))
        return ""

    def number(self, line: int, column: int) -> float | str:
        """Return the number that the value of a cell spells; the value where a double would not have its digits."""
        value = self.value(line, column)
        if value in _FLAGS:
            return _FLAGS[value]
        number = float(value) if spells_number(value) else math.nan
        return number if abs(number) < _LARGEST_WHOLE else value


_FLAGS = {"True": 1.0, "False": 0.0}
_LARGEST_WHOLE = 2.0**53


def _weigh_tables(
    tables: _Tables, sizes: Sizes, places: Ints, numbers: Flags, single: Flags, wholes: Floats, found: Evidence
) -> None:
    """Compare shares of items, a row a pair; of those that are `single`, each value by itself alone."""
    p, q = (counts / size[:, None] for counts, size in ((tables.before, sizes.n), (tables.after, sizes.m)))
    p, q = (shares / np.maximum(1.0, row_sums(shares))[:, None] for shares in (p, q))
    apart = (~numbers[places] | found.sharp[places])[:, None]
    _weigh_single_items(tables, (np.where(apart, p, 0), np.where(apart, q, 0)), sizes, places, numbers, found)
    several = np.flatnonzero(~single)
    if len(several):
        dense = tables.dense[several]
        shares = (np.where(dense, p[several], 0.0), np.where(dense, q[several], 0.0))
        sizes = Sizes(sizes.n[several], sizes.m[several], sizes.error[several])
        _weigh_all_items(tables.part(several), shares, sizes, places[several], numbers, wholes, found)


def _weigh_all_items(
    tables: _Tables,
    shares: tuple[Floats, Floats],
    sizes: Sizes,
    places: Ints,
    numbers: Flags,
    wholes: Floats,
    found: Evidence,
) -> None:
    """Compare the shares of all dense items together; the last cell is what is in no other."""
    n, m = sizes.n, sizes.m
    p, q = (np.concatenate([one, np.maximum(0, 1 - row_sums(one))[:, None]], axis=1) for one in shares)
    covered = np.minimum(row_sums(p[:, :-1]), row_sums(q[:, :-1]))
    number = numbers[places]
    # Numbers that hardly moved are where they were, whatever the cells say, unless doubles cannot tell them apart.
    number &= ~found.blunt[places]
    gated = number & (found.effects[0, places] == 0)
    few = found.too_few[places].copy()
    measure_cells(p, q, sizes, places, found)
    found.too_few[places] = np.where(number, few, found.too_few[places])
    for place in places.tolist():
        found.basis[place] = "items"
    found.compared[places] = True
    found.blunt[places] = False
    chances = chances_of_counts(p, q, sizes)
    both = np.minimum(1.0, 2 * np.fmin(chances, found.chances[0, places]))
    found.tried[0, places] = np.where(number, 2, 1)
    found.chances[0, places] = np.where(number, both, chances)
    found.effects[0, places] = np.where(gated, 0.0, np.minimum(found.effects[0, places], MAX_EFFECT))
    measures = found.measures
    measures["covered"][places] = covered
    for place in places[covered < 0.5 * wholes[places]].tolist():
        text = f"Only {percent(measures['covered'][place])} of the values are frequent enough to be compared."
        found.texts[place, "blind"] = text
        found.too_few[place] = True
    _mind_cut_texts(tables, p, q, places, found)
    total = n + m
    counts = p * n[:, None] + q * m[:, None]
    filled = counts > _NOTHING * total[:, None]
    squares = np.where(filled, (p - q) ** 2, 0)
    statistic = row_sums(squares / np.where(filled, counts, 1)) * n * m
    measures["chi2"][places] = statistic
    measures["cramers_v"][places] = np.sqrt(statistic / total)
    measures["balanced_v"][places] = np.sqrt(row_sums(squares / np.where(filled, p + q, 1)) / 2)
    # By Cochran, too: at most one expected count in five below 5.
    cells = filled.sum(axis=1)
    rare = sum((filled & (counts * (size / total)[:, None] < FEWEST_OF_ONE)).sum(axis=1) for size in (n, m))
    measures["chi2_degrees"][places] = np.where(tables.lossless & (rare <= 0.4 * cells), cells - 1, np.nan)


def _weigh_single_items(
    tables: _Tables, shares: tuple[Floats, Floats], sizes: Sizes, places: Ints, numbers: Flags, found: Evidence
) -> None:
    """Compare the shares of single values."""
    p, q = shares
    n, m = sizes.n[:, None], sizes.m[:, None]
    errors = ERRORS * np.sqrt(p / n + q / m)
    # Rarer values are not looked at: no change of theirs counts.
    looked_at = (np.maximum(p, q) + errors >= NEW_VALUE_SHARE) & (np.maximum(p * n, q * m) >= FEWEST_SEEN - _ROUNDING)
    several = looked_at.sum(axis=1)
    sentinels = tables.cells.sentinels[tables.cell]
    apart = (looked_at & sentinels).sum(axis=1)
    # Of two values that are all there are, one tells of the other.
    only_two = (several == 2) & (np.minimum(*(row_sums(one * looked_at) for one in (p, q))) >= 1 - _ROUNDING)
    of_sentinels, of_others = (np.where(only_two, 1, times) for times in times_tried(apart, several - apart))
    larger = np.where(p > q, p * n, q * m) >= FEWEST_SEEN - _ROUNDING
    change = np.abs(q - p)
    lines, columns = np.nonzero(
        looked_at & larger & (change + errors >= NEW_VALUE_SHARE) & (sizes.smaller >= FEWEST)[:, None]
    )
    if not len(lines):
        return
    before, after = p[lines, columns], q[lines, columns]
    counts = before * sizes.n[lines], sizes.n[lines], after * sizes.m[lines], sizes.m[lines]
    one = share_chances(*counts, sizes.error[lines])
    tried = np.where(sentinels[lines, columns], of_sentinels[lines], of_others[lines])
    chances = np.minimum(tried * one, _chances_of_one_side(tables, p, q, sizes, lines, columns))
    effects = value_effects(change[lines, columns], before, after)
    number = numbers[places[lines]]
    spots = [
        partial(tables.number if is_number else tables.value, line, column)
        for is_number, line, column in zip(number.tolist(), lines.tolist(), columns.tolist(), strict=True)
    ]
    # A number beyond all of the other sample is not one of several that may have changed.
    new = np.flatnonzero(number & (np.minimum(before, after) == 0) & (effects > 0))
    if len(new):
        points = np.array([spot if isinstance(spot := spots[one](), float) else np.nan for one in new.tolist()])
        fewest = counts[0][new], counts[2][new]  # numbers are compared here where their lists are exact
        beyond = chances_outside(tables.pairs, places[lines[new]], points, fewest)
        chances[new] = np.minimum(chances[new], beyond)
    Candidates(places[lines], effects, chances, as_if_tried(chances, one), before, after, spots).note(found)


def _chances_of_one_side(tables: _Tables, p: Floats, q: Floats, sizes: Sizes, lines: Ints, columns: Ints) -> Floats:
    """Probability that any value that was seen so often, or oftener, is of this sample alone; 1 where it is of both.

    Each time that a value was seen is in the second sample with the chance ``m / (n + m)``, so that all ``t`` are with
    ``(m / (n + m)) ** t`` at most. Values that are common in both add next to nothing to the sum over all, so that no
    other has to be corrected for; of those not listed there are as many as have room. It is one of two tests, each of
    both samples.
    """
    chances = np.ones(len(lines))
    new = np.flatnonzero(tables.lossless[lines] & (np.minimum(p, q)[lines, columns] == 0))
    if not len(new):
        return chances
    rows = lines[new]
    n, m = sizes.n[rows][:, None], sizes.m[rows][:, None]
    seen = p[rows] * n + q[rows] * m
    often = seen[np.arange(len(new)), columns[new]][:, None]
    unlisted = np.maximum(n + m - row_sums(seen)[:, None], 0)
    share = np.where((q[rows, columns[new]] > 0)[:, None], m, n) / (n + m)
    alone = row_sums(np.where(seen >= often - _ROUNDING, share**seen, 0))
    alone += (share**often * unlisted / often)[:, 0]
    chances[new] = np.minimum(4 * alone, 1.0)
    return chances


def _mind_cut_texts(tables: _Tables, p: Floats, q: Floats, places: Ints, found: Evidence) -> None:
    """Say of columns whose texts are cut off that what follows may differ."""
    cut = np.zeros(tables.cell.shape, np.bool_)
    for (summary, _), items in zip(tables.pairs.sides, tables.cells.items, strict=True):
        item = items[tables.cell]
        long = (item >= 0) & (summary.frequent_lengths[np.maximum(item, 0)] >= MAX_CHARACTERS)
        for line, column in np.argwhere(long & (tables.before + tables.after > 0)).tolist():
            cut[line, column] |= len(summary.frequent_value(int(item[line, column]))) >= MAX_CHARACTERS
    if not cut.any():
        return
    shares = np.minimum(row_sums(p[:, :-1] * cut), row_sums(q[:, :-1] * cut))
    for place in places[shares >= 0.5].tolist():
        found.texts[place, "blind"] = f"Profiles keep {MAX_CHARACTERS} characters of a text; what follows may differ."
        found.too_few[place] = True


def came_and_went(pairs: Pairs, place: int, found: Evidence) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the values that are new, and those that are gone; None unless both sketches counted everything."""
    rows = [int(side[place]) for _, side in pairs.sides]
    if any(summary.frequent_offset[row] for (summary, _), row in zip(pairs.sides, rows, strict=True)):
        return None
    flags = bool(found.as_values[place]) or "boolean" in pairs.types[place]
    keys = []
    for (summary, _), row in zip(pairs.sides, rows, strict=True):
        begin, end = summary.frequent_offsets[row : row + 2].tolist()
        hashes = summary.frequent_hashes[begin:end].tolist()
        keys.append([int(HASHES_OF_FLAGS.get(one, one)) if flags else one for one in hashes])
    values = [summary.frequent_values(row) for (summary, _), row in zip(pairs.sides, rows, strict=True)]
    known, others = (frozenset(one) for one in keys)
    return (
        tuple(value for key, value in zip(keys[1], values[1], strict=True) if key not in known),
        tuple(value for key, value in zip(keys[0], values[0], strict=True) if key not in others),
    )

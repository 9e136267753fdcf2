"""How columns differ that hold numbers beside text or objects: the part that does not name the type, by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .evidence import DOUBLED_SHARE, FAMILIES, FEWEST, OF_NUMBERS, SUSPICIOUS, Evidence, few_rows, reached
from .item_evidence import weigh_items
from .number_evidence import weigh_numbers
from .sketches.frequent_items import spells_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .evidence import Pairs
    from .sketches import Floats, Ints
    from .summary import ProfileSummary

    Flags = NDArray[np.bool_]

_FRACTIONAL, _BOOLEAN, _STRING, _OBJECT = 1, 2, 3, 4  # columns of the types
_MUCH = 0.1
"""The share of a part of which it is said that it cannot be compared."""

_CERTAIN = 1e-4
_NOTHING_BESIDE = "Of a part of the values, which are of another type, nothing is kept that could be compared."
_FAMILIES_OF_NUMBERS = ("values", "shares", "mean", "spread", "range")
_FAMILIES_OF_TEXTS = ("values", "shares")
_DOUBTS = ("boundless", "blunt", "blurred")
_FLAGS = frozenset({"True", "False"})


def weigh_mixed(pairs: Pairs, numbers: Flags, found: Evidence) -> None:
    """Compare frequent items, and the parts of columns that hold numbers beside text or objects.

    Parameters
    ----------
    pairs : Pairs
    numbers : ndarray of bool
        Which of them were compared as numbers.
    found : Evidence
    """
    of_numbers = _Parts.of(pairs, pairs.numbers, ~numbers)
    texts = tuple(types[:, _STRING].astype(np.float64) for types in pairs.of("types"))
    of_texts = _Parts.of(pairs, texts, numbers & (np.minimum(*pairs.of("frequent_total")) > 0))
    # Numbers have a distance: they are not compared one by one where they are compared by it.
    apart = ~of_numbers.few
    places, wholes, without = of_numbers.places[apart], np.ones(len(pairs)), np.zeros(len(pairs), np.bool_)
    wholes[places] -= of_numbers.largest[apart]
    without[places] = True
    # Apart, since pairs of one baseline share its columns.
    weigh_items(pairs, numbers, found, wholes, ~without)
    if len(places):
        weigh_items(_without_numbers(pairs, places), numbers, found, wholes, without)
        for place in places.tolist():
            if (place, "blind") in found.texts:
                found.texts[place, "blind"] = _NOTHING_BESIDE
    _name_shares(pairs, numbers, found)
    objects = [types[:, _OBJECT:].sum(axis=1) for types in pairs.of("types")]
    of_objects = _Parts.of(pairs, objects, found.compared)
    for place in of_objects.places[of_objects.smallest >= _MUCH].tolist():
        found.too_few[place] = True
        found.texts.setdefault((place, "blind"), _NOTHING_BESIDE)
    if len(of_numbers.places):
        _weigh_numbers(pairs, of_numbers, found)
    if len(of_texts.places):
        _weigh_texts(pairs, of_texts, found)


@dataclass(frozen=True)
class _Parts:
    """Values that are some of all of a column, in both profiles; an element a pair of such columns.

    Attributes
    ----------
    places : ndarray of int64
        The pairs.
    sizes : tuple of two ndarrays of float
    smallest, largest : ndarray of float
        Their share of all values, in the profile where it is smaller, and larger.
    """

    places: Ints
    sizes: tuple[Floats, Floats]
    smallest: Floats
    largest: Floats

    @classmethod
    def of(cls, pairs: Pairs, sizes: Sequence[Floats], among: Flags) -> _Parts:
        shares = [size / types.sum(axis=1) for size, types in zip(sizes, pairs.of("types"), strict=True)]
        smallest, largest = np.minimum(*shares), np.maximum(*shares)
        places = np.flatnonzero(among & (np.minimum(*sizes) >= FEWEST) & (smallest >= DOUBLED_SHARE) & (largest < 1))
        first, second = (size[places] for size in sizes)
        return cls(places, (first, second), smallest[places], largest[places])

    @property
    def few(self) -> Flags:
        """Whether they are too few to tell all that would count."""
        found: Flags = few_rows(*self.sizes)
        return found


def _name_shares(pairs: Pairs, numbers: Flags, found: Evidence) -> None:
    """Remember which shares are of the numbers alone, where there are other values."""
    others = [types.sum(axis=1) > side for types, side in zip(pairs.of("types"), pairs.numbers, strict=True)]
    for place in np.flatnonzero(numbers & np.logical_or(*others)).tolist():
        if isinstance(found.spots.get(place), float) and found.basis[place] == "deciles":
            found.shares["shares"][2][place] = OF_NUMBERS


def _weigh_numbers(pairs: Pairs, parts: _Parts, found: Evidence) -> None:
    places, few, much = parts.places, parts.few, parts.smallest >= _MUCH
    for place, first, second in zip(*(one[few & much].tolist() for one in (places, *parts.sizes)), strict=True):
        found.too_few[place] = True
        text = f"Too few numbers among the other values ({first:,.0f} and {second:,.0f}) to tell a drift from chance."
        found.texts.setdefault((place, "blind"), text)
    types = np.add(*(types[places] for types in pairs.of("types")))
    flags = types[:, _BOOLEAN] == types[:, :_STRING].sum(axis=1)
    kinds = np.where(types[:, _FRACTIONAL] > 0, "fractional", np.where(flags, "boolean", "integral")).tolist()
    part = replace(
        pairs, before=pairs.before[places], after=pairs.after[places], types=[(kind, kind) for kind in kinds]
    )
    own = Evidence.about(len(places))
    weigh_numbers(part, np.ones(len(places), np.bool_), own)
    own.shares["shares"][2][:] = OF_NUMBERS
    # Of few numbers only what is certain counts: else every text with a handful of them would be open.
    own.chances[:, few] = np.where(own.chances[:, few] <= _CERTAIN, own.chances[:, few], np.nan)
    _join(found, places, own, _FAMILIES_OF_NUMBERS)
    for doubt in _DOUBTS:
        getattr(found, doubt)[places] |= getattr(own, doubt) & much & ~few
    for measure in ("ks", "ks_error", "wasserstein", "wasserstein_noise", "mean_shift", "spread_ratio"):
        found.measures[measure][places[~few]] = own.measures[measure][~few]


def _weigh_texts(pairs: Pairs, parts: _Parts, found: Evidence) -> None:
    places = parts.places
    whole = _without_numbers(pairs, places)
    part = replace(
        whole, before=whole.before[places], after=whole.after[places], types=[("string", "string")] * len(places)
    )
    own = Evidence.about(len(places))
    weigh_items(part, np.zeros(len(places), np.bool_), own, parts.smallest)
    _join(found, places, own, _FAMILIES_OF_TEXTS)
    for place in places[(own.too_few | ~own.compared) & (parts.smallest >= _MUCH)].tolist():
        found.too_few[place] = True
        text = "Most of the texts among the numbers are too rare to be compared."
        found.texts.setdefault((place, "blind"), text)


def _without_numbers(pairs: Pairs, places: Ints) -> Pairs:
    """Drop frequent items that spell numbers or booleans from some pairs, and any with their columns; totals stay."""
    first, second = (_dropped(side, rows[places]) for side, rows in pairs.sides)
    return replace(pairs, first=first, second=second)


def _dropped(summary: ProfileSummary, rows: Ints) -> ProfileSummary:
    kept = np.ones(len(summary.frequent_weights), np.bool_)
    for row in np.unique(rows).tolist():
        begin, end = summary.frequent_offsets[row : row + 2].tolist()
        kept[begin:end] = [value not in _FLAGS and not spells_number(value) for value in summary.frequent_values(row)]
    return replace(
        summary,
        frequent_offsets=np.append(0, np.cumsum(kept))[summary.frequent_offsets],
        frequent_weights=summary.frequent_weights[kept],
        frequent_lengths=summary.frequent_lengths[kept],
        frequent_hashes=summary.frequent_hashes[kept],
        frequent_text=summary.frequent_text[np.repeat(kept, summary.frequent_lengths)],
    )


def _join(found: Evidence, places: Ints, own: Evidence, families: tuple[str, ...]) -> None:
    """Keep of whole and part what changed more surely; where both were tested, each has half of the level."""
    for part, place in enumerate(places.tolist()):
        for name in families:
            family = FAMILIES.index(name)
            effect, chance, tried = (float(one[family, part]) for one in (own.effects, own.chances, own.tried))
            known, known_chance, known_tried = (
                float(one[family, place]) for one in (found.effects, found.chances, found.tried)
            )
            if np.isnan(effect) or np.isnan(chance):
                continue
            if not (np.isnan(known) or np.isnan(known_chance)):
                chance, known_chance = min(1.0, 2 * chance), min(1.0, 2 * known_chance)
                tried, known_tried = 2 * tried, 2 * known_tried
                if _weight(effect, chance, tried) <= _weight(known, known_chance, known_tried):
                    found.note(name, place, known, known_chance, known_tried)
                    continue
            found.note(name, place, effect, chance, tried)
            if name in found.shares:
                found.note_shares(name, place, *(one[part] for one in own.shares[name]))
            if name == "shares":
                found.spots[place] = own.spots[part]
            if name == "values":
                found.basis[place] = own.basis[part]
                for measures, others in ((found.measures[key], own.measures[key]) for key in _OF_CELLS):
                    measures[place] = others[part]


def _weight(effect: float, chance: float, tried: float) -> tuple[bool, float, float]:
    counts = reached(np.array([effect]), np.array([chance]), np.array([tried]))[0] >= 1 and chance <= SUSPICIOUS
    return counts, -chance, effect


_OF_CELLS = ("js_distance", "js_noise", "psi", "chi2", "chi2_degrees", "cramers_v", "balanced_v", "covered")

"""What two summaries say about the difference of their columns: measures, sizes of effects, and how sure they are.

Everything is computed for all columns at once. An effect is a size in units of the verdict's thresholds; beside it
stands the probability that chance alone makes such a difference between two samples of one distribution. The tests
condition on both samples taken together (permutation), so that they hold whatever the distribution; `drift` says
which they are and where they are from. `row_evidence`, `number_evidence` and `item_evidence` fill in what is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..basics import with_checksum, without_checksum
from .errors import ProfileError
from .numerics import chi_squared_quantiles, chi_squared_tails, normal_quantiles, normal_tails, row_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .sketches import Floats, Ints
    from .summary import ProfileSummary

    Flags = NDArray[np.bool_]

JS_UNIT = 0.1
SHARE_UNIT = 0.04
DOUBLED_SHARE = 0.01
NEW_VALUE_SHARE = 0.005
MAX_EFFECT = 10.0

FEWEST = 10
"""Values below which nothing is said."""

FEWEST_OF_ONE = 5
"""Of fewer expected of one value, the formulas for many say nothing (W. Cochran, Biometrics 10, 1954)."""

SUSPICIOUS = 0.5
"""How often chance makes, at most, what is left open where it is not certain."""

SELDOM = SUSPICIOUS / 2
"""The same where chance has many to choose from: the farthest values, those near others, rare ones of one sample."""

ERRORS = 2.0
"""Standard errors by which an effect may be larger than it was measured."""

TELLING_CELLS = 4
"""Cells of which a strong drift would fill a few: what few rows must tell apart."""

FEWEST_SEEN = 3
"""How often a value must have been seen in either sample for its share to be compared by itself."""

OF_NUMBERS = 1
"""What the shares of `shares` are of, where it is not all values."""

CHUNK = 128
"""Rows that are compared at once: few enough for the processor's cache."""

_LEAST_CHANCE = 1e-300  # smaller ones are not told apart
_PRACTICALLY_NONE = 8  # a share this many times smaller than another
_PSI_FLOOR = 1e-4
_CONFIDENCE, _USUAL_CONFIDENCE = 0.99, 0.95
_JENSEN_SHANNON_CURVATURE = 8 * np.log(2)
_NOTHING = 1e-12  # what rounding leaves of an empty cell
_FEW_OF_MANY = 6  # times as many values

FAMILIES = ("values", "shares", "mean", "spread", "nulls", "types", "conditions", "range", "metrics")
"""What is tested of a column."""

MEASURED = (
    "js_distance",
    "js_noise",
    "psi",
    "wasserstein",
    "wasserstein_noise",
    "ks",
    "ks_error",
    "chi2",
    "chi2_degrees",
    "cramers_v",
    "balanced_v",
    "covered",
    "null_delta",
    "unique_delta",
    "mean_shift",
    "spread_ratio",
)


@dataclass
class Evidence:
    """What is known about pairs of columns; every array has an element for each.

    Attributes
    ----------
    measures : dict of str to ndarray of float
        By the names of `Drift`'s fields; NaN where the sketches do not say.
    effects, chances : ndarray of float, shape (families, pairs)
        Size of each effect in units of its threshold, and the probability that chance makes such a difference; NaN
        where it was not measured.
    tried : ndarray of float, shape (families, pairs)
        With how much each chance was multiplied, because several things were looked at.
    shares : dict of str to (ndarray of float, ndarray of float, ndarray of int64)
        By family: a share in the baseline and in the other profile, and of what (a row of numbers or names that the
        family has).
    spots : dict of int to (float or callable)
        By pair: the value whose share changed most surely: a number, or what returns one or a text.
    too_few : ndarray of bool
        Whether even a strong drift of the values might be chance.
    compared : ndarray of bool
        Whether the values could be compared at all.
    boundless : ndarray of bool
        Whether mean and spread, which would tell of a tail, are not known: beside infinite values, or where squares are
        too large or too small for a double.
    blunt : ndarray of bool
        Whether the values are whole numbers so large that doubles hardly tell them apart.
    sharp : ndarray of bool
        Whether neighbouring whole numbers are far enough from each other to be different values.
    blurred : ndarray of bool
        Whether a value's share changed as chance hardly makes it, and the sketches are not exact enough to be sure.
    repeating : ndarray of bool
        Whether values repeat more often, or less, than they would in two samples of one distribution.
    running : ndarray of bool
        Whether both columns look like running numbers, see `number_evidence`.
    as_values : ndarray of bool
        Whether texts were compared with numbers or booleans, as what they spell.
    basis : list of (str or None)
    texts : dict of (int, str) to str
        Words that need more than numbers, by pair and what they are about.
    """

    measures: dict[str, Floats]
    effects: Floats
    chances: Floats
    tried: Floats
    shares: dict[str, tuple[Floats, Floats, Ints]]
    spots: dict[int, float | Callable[[], float | str]]
    too_few: Flags
    compared: Flags
    boundless: Flags
    blunt: Flags
    sharp: Flags
    blurred: Flags
    repeating: Flags
    running: Flags
    as_values: Flags
    basis: list[str | None]
    sizes: Ints
    texts: dict[tuple[int, str], str] = field(default_factory=dict)

    @classmethod
    def about(cls, many: int) -> Evidence:
        """Begin with nothing known about so many pairs."""
        return cls(
            measures={name: np.full(many, np.nan) for name in MEASURED},
            effects=np.full((len(FAMILIES), many), np.nan),
            chances=np.full((len(FAMILIES), many), np.nan),
            tried=np.ones((len(FAMILIES), many)),
            shares={
                name: (np.full(many, np.nan), np.full(many, np.nan), np.full(many, -1, np.int64))
                for name in ("nulls", "types", "range", "shares")
            },
            spots={},
            too_few=np.zeros(many, np.bool_),
            compared=np.zeros(many, np.bool_),
            boundless=np.zeros(many, np.bool_),
            blunt=np.zeros(many, np.bool_),
            sharp=np.zeros(many, np.bool_),
            blurred=np.zeros(many, np.bool_),
            repeating=np.zeros(many, np.bool_),
            running=np.zeros(many, np.bool_),
            as_values=np.zeros(many, np.bool_),
            basis=[None] * many,
            sizes=np.zeros((many, 2), np.int64),
        )

    def part(self, start: int, stop: int) -> Evidence:
        """Take some of the pairs."""
        own = range(start, stop)
        made = Evidence.about(0)
        for name in self.__dataclass_fields__:
            values = getattr(self, name)
            if isinstance(values, np.ndarray):
                setattr(made, name, values[:, start:stop] if name in _OF_FAMILIES else values[start:stop])
        made.basis = self.basis[start:stop]
        made.measures = {name: values[start:stop] for name, values in self.measures.items()}
        made.shares = {
            name: (before[start:stop], after[start:stop], of[start:stop])
            for name, (before, after, of) in self.shares.items()
        }
        made.spots = {place - start: spot for place, spot in self.spots.items() if place in own}
        made.texts = {(place - start, about): text for (place, about), text in self.texts.items() if place in own}
        return made

    def to_bytes(self) -> bytes:
        """Write it, for `from_bytes`."""
        spots = {place: spot() if callable(spot) else float(spot) for place, spot in self.spots.items()}
        texts = [(place, about, text) for (place, about), text in self.texts.items()]
        head = msgspec.msgpack.encode((self.basis, spots, texts))
        kinds = [array.dtype for array in Evidence.about(0).arrays()]
        arrays = b"".join(array.astype(kind).tobytes() for array, kind in zip(self.arrays(), kinds, strict=True))
        content = len(head).to_bytes(8, "little") + head + arrays
        return _MAGIC + with_checksum(content)

    @classmethod
    def from_bytes(cls, content: bytes, many: int) -> Evidence:
        """Read what `to_bytes` wrote of so many pairs.

        Raises
        ------
        ProfileError
            It is none, of others, was written by another version, or is damaged.
        """
        try:
            if content[: len(_MAGIC)] != _MAGIC:
                raise _damaged()
            whole = without_checksum(content[len(_MAGIC) :])
            place = 8 + int.from_bytes(whole[:8], "little")
            basis, spots, texts = msgspec.msgpack.decode(whole[8:place], type=_Words)
            made = cls.about(many)
            for array in made.arrays():
                flat = np.frombuffer(whole, array.dtype, array.size, place)
                array[...] = flat.reshape(array.shape)
                place += array.nbytes
            if len(basis) != many or place != len(whole):
                raise _damaged()
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            raise _damaged() from error
        made.basis = basis
        made.spots = {pair: partial(str, spot) if isinstance(spot, str) else spot for pair, spot in spots.items()}
        made.texts = {(pair, about): text for pair, about, text in texts}
        return made

    def arrays(self) -> list[NDArray[Any]]:
        """All arrays, in the order in which they are written."""
        shares = [array for three in self.shares.values() for array in three]
        own = [array for name in self.__dataclass_fields__ if isinstance(array := getattr(self, name), np.ndarray)]
        return [*self.measures.values(), *shares, *own]

    def note(self, family: str, rows: Any, effects: Any, chances: Any, tried: Any = 1) -> None:
        """Keep what was found of a family."""
        place = FAMILIES.index(family)
        self.tried[place, rows] = tried
        self.effects[place, rows] = effects
        self.chances[place, rows] = chances

    def note_shares(self, family: str, rows: Any, before: Any, after: Any, of: Any) -> None:
        """Keep the shares that a family's effect is of."""
        for array, values in zip(self.shares[family], (before, after, of), strict=True):
            array[rows] = values


_Words = tuple[list[str | None], dict[int, float | str], list[tuple[int, str, str]]]
_MAGIC = b"SBW-PAIR\x08"


def _damaged() -> ProfileError:
    return ProfileError("What was kept of two profiles is damaged, or of another version.")


_OF_FAMILIES = frozenset({"effects", "chances", "tried"})


@dataclass(frozen=True)
class Pairs:
    """Columns of two summaries, a pair an element.

    Attributes
    ----------
    first, second : ProfileSummary
        The baseline and the other.
    before, after : ndarray of int64
        Rows of the columns in each.
    types : sequence of (str, str)
        Their inferred types.
    """

    first: ProfileSummary
    second: ProfileSummary
    before: Ints
    after: Ints
    types: Sequence[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.before)

    @property
    def sides(self) -> tuple[tuple[ProfileSummary, Ints], tuple[ProfileSummary, Ints]]:
        """Each summary, and the rows of the columns in it."""
        return (self.first, self.before), (self.second, self.after)

    def of(self, array: str) -> tuple[Any, Any]:
        """Take an array of the summaries, by pair."""
        return getattr(self.first, array)[self.before], getattr(self.second, array)[self.after]

    def any_of(self, kinds: frozenset[str]) -> Flags:
        """Whether either column is of one of these types, by pair."""
        known = np.array([kind in kinds for kind in self._kinds[0]], np.bool_)
        found: Flags = np.logical_or.reduce(known[self._kinds[1]], axis=1)
        return found

    @cached_property
    def _kinds(self) -> tuple[list[str], Ints]:
        """All types, and which of them each column of each pair has, shape (pairs, 2)."""
        places: dict[str, int] = {}
        codes = [places.setdefault(kind, len(places)) for pair in self.types for kind in pair]
        return list(places), np.array(codes, np.int64).reshape(-1, 2)

    @cached_property
    def numbers(self) -> tuple[Floats, Floats]:
        """How many numbers each distribution holds."""
        n, m = self.of("kll_n")
        return n.astype(np.float64), m.astype(np.float64)

    @cached_property
    def error(self) -> Floats:
        """The rank errors of both sketches together."""
        first, second = self.of("kll_error")
        both: Floats = first + second
        return both


@dataclass(frozen=True)
class Sizes:
    """How many values two samples hold, and by how much a share in them may be wrong; an element a pair."""

    n: Floats
    m: Floats
    error: Floats

    @property
    def smaller(self) -> Floats:
        """Values of the smaller sample."""
        return np.minimum(self.n, self.m)

    @property
    def scale(self) -> Floats:
        """What the variance of a difference is multiplied with."""
        return 1 / self.n + 1 / self.m


# --- what chance does


def share_chances(first: Any, of_first: Any, second: Any, of_second: Any, error: Any = 0.0) -> Any:
    """Probability that two samples of one population differ so much in a share, at most.

    Parameters
    ----------
    first, second : array_like of float
        How many are such, in each sample.
    of_first, of_second : array_like of float
        The samples' sizes.
    error : array_like of float
        By how much the difference of the shares may be wrong.
    """
    a, n, b, m = (np.asarray(one, np.float64) for one in (first, of_first, second, of_second))
    pooled = (a + b) / (n + m)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 0))
    return chances_of_means(np.maximum(np.abs(b / m - a / n) - error, 0), spread, np.maximum(pooled, 1 - pooled), n, m)


def chances_of_means(distance: Any, spread: Any, farthest: Any, n: Any, m: Any) -> Any:
    """Probability that means of two samples, drawn from what both hold together, are so far apart.

    The deviation of that difference is exact: ``spread * sqrt((1/n + 1/m) * N / (N - 1))``. Its tail is a normal one
    while no single value weighs much; where one does, S. Bernstein's inequality says how much heavier it can be: the
    exponent shrinks by ``1 + z * farthest / (3 * smaller * deviation)``.
    """
    total = n + m
    deviation = spread * np.sqrt((1 / n + 1 / m) * total / np.maximum(total - 1, 1))
    z = distance / deviation
    heavier = 1 + z * farthest / (3 * np.minimum(n, m) * deviation)
    chances = 2 * normal_tails(z / np.sqrt(heavier))
    return np.where(distance == 0, 1.0, np.where(deviation > 0, np.minimum(chances, 1.0), 1.0))


def chances_of_counts(p: Floats, q: Floats, sizes: Sizes) -> Floats:
    """Test shares of several cells, a row a pair: Pearson's chi-squared statistic, two samples.

    Cells of which fewer than five are expected in the smaller sample are one, which where it is still too small joins
    the smallest other. The tail is that of the chi-squared distribution, what exceeds its mean shrunk as in
    `chances_of_means` by what one value in the smallest cell weighs.
    """
    n, m, smaller = sizes.n, sizes.m, sizes.smaller[:, None]
    pooled = (p * n[:, None] + q * m[:, None]) / (n + m)[:, None]
    few = pooled * smaller < FEWEST_OF_ONE
    rows = np.arange(len(p))
    smallest = np.where(few, np.inf, pooled).argmin(axis=1)
    merged = []
    for shares in (p, q, pooled):
        rest = row_sums(np.where(few, shares, 0))
        kept = np.where(few, 0, shares)
        merged.append((kept, rest))
    joins = (merged[2][1] * smaller[:, 0] < FEWEST_OF_ONE) & ~few.all(axis=1)
    for kept, rest in merged:
        kept[rows, smallest] += np.where(joins, rest, 0)
        rest[joins] = 0
    p, q, pooled = (np.concatenate([kept, rest[:, None]], axis=1) for kept, rest in merged)
    filled = pooled > _NOTHING
    apart = np.maximum(np.abs(p - q) - sizes.error[:, None], 0)
    squares = row_sums(np.where(filled, apart * apart / np.where(filled, pooled, 1), 0))
    statistic = squares / sizes.scale
    degrees = filled.sum(axis=1) - 1.0
    least = np.where(filled, pooled, 1).min(axis=1) * smaller[:, 0]
    excess = np.maximum(statistic - degrees, 0)
    heavier = 1 + np.sqrt(excess / np.maximum(least, 1)) / 3
    return chi_squared_tails(statistic - excess + excess / heavier, degrees)


# --- how large a difference is


def reached(effects: Floats, chances: Floats, tried: Floats) -> Floats:
    """Raise to what counts the effects that may be as large: those within two standard errors, or a twentieth, of it.

    The standard error is taken from the effect and its probability, as of a normal variable; what chance exceeds in
    every second comparison is nearer to no change than that, and stays.

    Parameters
    ----------
    effects, chances, tried : ndarray of float
        As in `Evidence`.
    """
    found: Floats = effects.copy()
    near = (effects < 1) & (chances <= SUSPICIOUS)
    deviations = -normal_quantiles(np.maximum(chances[near] / tried[near], _LEAST_CHANCE) / 2)
    most = effects[near] * np.maximum(1 + ERRORS / deviations, 1.05)
    found[near] = np.where(most >= 1, 1.0, effects[near])
    return found


def times_tried(sentinels: Any, others: Any) -> tuple[Any, Any]:
    """With how much to multiply the chances of single values: of those that may be sentinels, and of the others.

    Of sixty numbers chance changes one nearly always, but seldom the smallest. So where few of many values may be
    sentinels, these have half of the level, and all others the other half: any weights hold the level that are known
    before the data and add up to one (C. Genovese, K. Roeder and L. Wasserman, Biometrika 93, 2006).

    Parameters
    ----------
    sentinels, others : ndarray of int
        How many values of each kind are looked at.
    """
    every = sentinels + others
    apart = (sentinels > 0) & (_FEW_OF_MANY * sentinels < every)
    return np.where(apart, 2 * sentinels, every), np.where(apart, 2 * others, every)


def as_if_tried(chances: Floats, single: Floats) -> Floats:
    """Return with how much a single test's chances were multiplied."""
    return np.maximum(np.where(single > 0, chances / single, 1.0), 1.0)


def share_effects(before: Any, after: Any) -> Any:
    """Size of a change of share: four points count, and one point where it, or the rest, at least doubled or halved.

    Less than one point, and less than twice as much, counts in proportion, the latter by its logarithm.
    """
    change = np.abs(after - before)
    doublings = np.fmax(_doublings(before, after), _doublings(1 - before, 1 - after))
    points = np.where(change > 0, np.minimum(np.minimum(change / DOUBLED_SHARE, doublings), 1.0), 0.0)
    return np.minimum(np.maximum(change / SHARE_UNIT, points), MAX_EFFECT)


def _doublings(before: Any, after: Any) -> Any:
    return np.log2(np.maximum(before, after) / np.minimum(before, after))


def value_effects(change: Any, before: Any, after: Any) -> Any:
    """Size of a change of one value's share by `change`.

    It counts as any share does, but never as strong, unless the value is new or gone (eight times as rare): then half a
    point counts and eight are strong. What one point counts grows with the logarithm of the ratio.
    """
    smaller, larger = np.minimum(before, after), np.maximum(before, after)
    doublings = np.log2(larger / smaller)
    weight = np.clip((doublings + 1) / 2, 1, DOUBLED_SHARE / NEW_VALUE_SHARE)
    points = np.where(doublings < 1, np.minimum(doublings, change / DOUBLED_SHARE), weight * change / DOUBLED_SHARE)
    size = np.where(change > 0, np.maximum(change / SHARE_UNIT, points), 0)
    came = smaller * _PRACTICALLY_NONE <= larger
    return np.minimum(np.maximum(np.minimum(size, 1.0), np.where(came, change / SHARE_UNIT, 0)), MAX_EFFECT)


@dataclass(frozen=True)
class Candidates:
    """Values whose shares changed; an element of each array is one of them, and a pair may have several.

    Attributes
    ----------
    places : ndarray of int64
        The pair.
    effects, chances, tried : ndarray of float
        The chances have been multiplied with `tried`, as many values were looked at.
    before, after : ndarray of float
        The shares.
    spots : sequence of (float or callable)
        The number, or what returns it or the text.
    """

    places: Ints
    effects: Floats
    chances: Floats
    tried: Floats
    before: Floats
    after: Floats
    spots: Sequence[float | Callable[[], float | str]]

    def note(self, found: Evidence) -> None:
        """Keep of each pair the value that changed most surely, of those whose change counts."""
        effects = np.where((self.effects >= 1) & (self.chances > SUSPICIOUS), 0.0, self.effects)
        chances = np.minimum(self.chances, 1.0)
        counts = (reached(effects, chances, self.tried) >= 1) & (chances <= SUSPICIOUS)
        order = np.lexsort((-effects, np.where(counts, chances, 1.0), ~counts, self.places))
        first = np.append(True, np.diff(self.places[order]) > 0) if len(order) else order.astype(np.bool_)
        ahead = order[first]
        places = self.places[ahead]
        known, known_chances, known_tried = (one[1, places] for one in (found.effects, found.chances, found.tried))
        known_counts = (reached(known, known_chances, known_tried) >= 1) & (known_chances <= SUSPICIOUS)
        better = np.isnan(known) | (counts[ahead] & ~known_counts)
        surer = (chances[ahead] < known_chances) | ((chances[ahead] == known_chances) & (effects[ahead] > known))
        better |= (counts[ahead] == known_counts) & surer
        ahead, places = ahead[better], places[better]
        found.note("shares", places, effects[ahead], chances[ahead], self.tried[ahead])
        found.note_shares("shares", places, self.before[ahead], self.after[ahead], 0)
        found.spots |= {place: self.spots[one] for place, one in zip(places.tolist(), ahead.tolist(), strict=True)}


def measure_cells(
    p: Floats, q: Floats, sizes: Sizes, rows: Any, found: Evidence, *, most_degrees: int = 1 << 30
) -> None:
    """Measure Jensen-Shannon distance and PSI of cells, a row a pair.

    From four to `most_degrees` of freedom count where it is decided whether there are too few values; none of a
    constant.
    """
    measures = found.measures
    middle = (p + q) / 2
    joint, one, other = (
        row_sums(shares * np.log2(shares, where=shares > 0, out=np.zeros_like(shares))) for shares in (middle, p, q)
    )
    divergence = np.clip((one + other) / 2 - joint, 0, 1)
    filled = middle > 0
    degrees = filled.sum(axis=1) - 1
    telling = np.where(degrees > 0, np.clip(degrees, TELLING_CELLS, most_degrees), 0)
    scale = sizes.scale
    # With m = (p + q)/2 the divergence is near sum((p - q)**2 / m) / (8 ln 2), and between samples of one distribution
    # that sum is (1/n + 1/m) times a chi-squared variable. A cell that is also wrong by the error adds error**2 / m.
    wrong = row_sums(np.where(filled, np.minimum(sizes.error[:, None], middle) ** 2 / np.where(filled, middle, 1), 0))
    noise, usual = (
        np.sqrt((scale * chi_squared_quantiles(confidence, freedom) + wrong) / _JENSEN_SHANNON_CURVATURE)
        for confidence, freedom in ((_CONFIDENCE, degrees), (_USUAL_CONFIDENCE, telling))
    )
    high, low = np.maximum(p, _PSI_FLOOR), np.maximum(q, _PSI_FLOOR)
    measures["js_distance"][rows] = np.sqrt(divergence)
    measures["js_noise"][rows] = noise
    measures["psi"][rows] = row_sums(np.where(filled, (high - low) * np.log(high / low), 0))
    # What chance adds to the divergence on average is no part of the effect.
    effect = np.sqrt(np.maximum(divergence - scale * degrees / _JENSEN_SHANNON_CURVATURE, 0)) / JS_UNIT
    found.effects[0, rows] = effect
    found.too_few[rows] = (usual > 2 * JS_UNIT) | (sizes.smaller < FEWEST)


def few_rows(n: Any, m: Any) -> Any:
    """Whether so few rows leave even a strong drift of some cells uncertain: below about ninety in each profile."""
    noise = (1 / n + 1 / m) * chi_squared_quantiles(_USUAL_CONFIDENCE, TELLING_CELLS) / _JENSEN_SHANNON_CURVATURE
    return (noise > (2 * JS_UNIT) ** 2) | (np.minimum(n, m) < FEWEST)


# --- words


def too_few(first: int, second: int) -> str:
    """Say that there are too few values."""
    return f"Too few values ({first:,} and {second:,}) to tell a drift from chance."


def percent(share: float) -> str:
    """Write a share so that what is neither nothing nor all does not look so."""
    value = float(share) * 100
    if 0 < value < 0.01:
        return "less than 0.01 %"
    if 99.99 < value < 100:
        return "more than 99.99 %"
    return f"{value:.3g} %"


def from_to(before: float, after: float, digits: int) -> str:
    """Write what a figure was and is, with so many digits, or as many more as tell both apart."""
    if before == after:
        return f"from {before:.{digits}g} to {after:.{digits}g}"
    texts = [(f"{before:.{more}g}", f"{after:.{more}g}") for more in range(digits, _MOST_DIGITS + 1)]
    told = next((pair for pair in texts if pair[0] != pair[1]), texts[-1])
    return f"from {told[0]} to {told[1]}"


def from_to_percent(before: float, after: float) -> str:
    """Write what a share was and is, as `percent` does, or with as many more digits as tell both apart."""
    first, second = percent(before), percent(after)
    if first == second and before != after:
        return f"{from_to(before * 100, after * 100, 3).replace(' to ', ' % to ')} %"
    return f"from {first} to {second}"


def short(text: str) -> str:
    """Cut a value of the data to what fits in a sentence."""
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


_MAX_SHOWN = 60
_MOST_DIGITS = 17  # they tell all doubles apart

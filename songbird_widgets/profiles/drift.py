"""How far a column of one profile is from the same column of another, from their sketches alone.

The first profile is the baseline. A column drifted when a difference is both large and certain.

**Large.** Each difference has a size, in units of what counts as moderate; twice that is strong.

- *values*: the Jensen-Shannon distance in units of 0.1, less what chance adds to it on average; of numbers on the
  baseline's deciles, of text, booleans and codes (up to twelve different whole numbers) item by item. Numbers have a
  distance: where they moved by less than 0.05 deviations on average the cells do not count, unless the same few codes
  changed their shares. The Wasserstein distance counts in units of a quarter of the baseline's standard deviation.
- *shares*: the share of any one value, be it a word, a code, a zero, a sentinel within the range. Four points are
  moderate, or one point where the share at least doubled or halved, or half a point where the value is new or gone;
  then eight are strong. A number's share counts by no more than it changed within 0.05 deviations of it; where more
  numbers are there than lets that be told, and up to twelve are looked at, by no more than these changed there. Where
  the distribution is an estimate, the frequent items tell the shares of numbers if they are more exact.
- *mean*, *spread*: exact in a profile. The mean in units of 0.2 standard deviations of the baseline (J. Cohen,
  Statistical Power Analysis, 1988, calls that a small effect), the standard deviation in factors of 1.5. This is what
  finds tails: outliers, amounts in another currency.
- *nulls*, *types*, *conditions*, *metrics* (rows that a metric of one's own counts): four points of share are moderate,
  eight are strong; of all but conditions one point is moderate where their share, or that of all others, at least
  doubled or halved. Infinite values count like nulls. Whole numbers, fractions and booleans are one type; texts that
  spell nothing but numbers are compared with numbers, and the change of type is said.
- *range*: a quarter of a percent of the values farther outside the other profile's range than half a deviation is
  moderate, one percent strong. This finds sentinels where the deviation is too large for the mean to show them.

Where numbers stand beside text or objects, the part that does not name the column's type is compared by itself, too,
each with half of the level, if it holds one percent of the values; of fewer than about ninety numbers only what is
certain counts.

Running numbers (whole, of one sign, every value once, hardly a gap) say by their values only how many came before: of a
column of them in both profiles, nulls, types and conditions are compared. So are those that repeat, as orders do in
line items: hundreds of numbers, up to eight rows each on average and evenly, where the later begin at the others' end.

**Certain.** Each difference has a probability that chance makes it between two samples of one distribution. All tests
condition on both samples taken together (E. Pitman, J. R. Stat. Soc. Suppl. 4, 1937), so that they hold for whatever
distribution, with ties, with few rows and with unequal ones:

- values: Wilcoxon's rank sum (Biometrics Bull. 1, 1945), A. Mood's squared ranks (Ann. Math. Stat. 25, 1954), and
  Pearson's chi-squared on cells that hold equally many of both samples together (for items: on the items); a third of
  the level each. The sketches' rank errors are taken off the differences before.
- mean and spread: the exact variance of the difference under permutation. Where few values decide a mean, as in heavy
  tails, its distribution is not normal; the exponent of the tail is then that of S. Bernstein's inequality (see
  R. Bardenet and O.-A. Maillard, Bernoulli 21, 2015, for drawing without replacement), with the exact minimum and
  maximum. Beside it counts how many values lie beyond all of the other profile (E. Gumbel and H. von Schelling, Ann.
  Math. Stat. 21, 1950).
- shares: the same inequality for shares; of single values, times the number of values that might have shown it. Where
  few of many are such as sentinels mostly are (the ends of the range, zero, words for nothing), these have half of the
  level (C. Genovese, K. Roeder and L. Wasserman, Biometrika 93, 2006). Where all values are counted exactly, a new or
  lost one has an exact test, too: that all of its occurrences, or those of any value as frequent, are in one sample.

A comparison of many columns makes many tests. S. Holm's procedure (Scand. J. Stat. 6, 1979) keeps the probability that
chance makes *any* column of the comparison drift below 0.2 %.

**None** is said where all these differences were looked at and none of them is left open; **unknown** where one is. A
difference is left open that is not certain, may be as large as what counts, and is more than chance makes in every
second comparison:

- it is within two standard errors of what counts: its confidence interval reaches it. To say that nothing changed is a
  test of equivalence (D. Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987), so that what just counts reads ``none`` in
  one comparison of twenty where the rows tell as much.
- chance makes it, or more, at most every second time (the median of what chance makes). Where the rows tell less than
  that, the first condition alone would leave nearly every column open: a share of a half has a standard error of two
  points in two profiles of a thousand rows, and four count. Of such shares, what just counts reads ``none`` in one
  comparison of eight, and half of the equal ones read ``unknown``; with one time in four it was one of four, and a
  quarter.

Of means, spreads, nulls, types and metrics any that counts and is not certain is open, however often chance makes it:
of heavy tails it may do so always. Of *range*, few values are open only where they are very far: by more than three
deviations, and by more than the other profile's own range reaches beyond its median; and the farthest values of a long
tail only where chance makes that less often than one time in four.

Unknown is, too, a column of which even a strong drift would not be certain:

- of too few values (below about ninety in each profile), unless nothing differs at all;
- of text of which more of the rare values are in one profile alone than chance makes (words in other letter case);
- of mostly values that were seen so seldom that any two samples have few in common (identifiers, times);
- without any sketch, of numbers whose mean and deviation are not known (beside infinite ones), or of whole numbers so
  large that doubles do not tell them apart;
- of a quarter as many different values again, or as little, as two samples of one distribution would have;
- where a value's share changed by little more than the sketches, or the values beside it, tell exactly.

Where there is nothing but nulls in both profiles, nothing differs. A note of ``none`` says how large a shift, or a
change of a share, would have been certain where that is more than a strong one.

An effect that is certain counts, too, if it is within two standard errors, or a twentieth, of what counts: it may be as
large. What is certain and smaller is said in a note.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .calendar_columns import tells_date
from .drift_model import Drift, DriftTest
from .drift_words import Sentences
from .evidence import FAMILIES, FEWEST, SUSPICIOUS, Evidence, Pairs, reached
from .item_evidence import came_and_went
from .mixed_evidence import weigh_mixed
from .number_evidence import gaps_of_sketches, weigh_numbers
from .numerics import chi_squared_tail, kolmogorov_tail
from .row_evidence import weigh_rows
from .thresholds import STRONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .drift_model import Verdict
    from .sketches import Floats, Ints, KllSketch
    from .summary import ProfileSummary
    from .thresholds import Thresholds


LEVEL = 0.002
"""How often chance alone may make any column of a comparison seem to drift."""

_NUMERIC = frozenset({"integral", "fractional", "boolean"})
_TEXT_LIKE = frozenset({"string", "object", "tensor"})
_STILL = 1e-9  # a mean may differ by so much of a deviation, and be the same
QUIET = 0.99  # the largest score of what did not drift
_OF_VALUES = frozenset({"values", "shares", "mean", "spread", "range"})
_OF_MANY = 2  # families whose effect is of many cells or values: chance makes some of it always


def weigh(pairs: Pairs) -> Evidence:
    """Compare columns of two summaries."""
    found = Evidence.about(len(pairs))
    with np.errstate(all="ignore"):
        weigh_rows(pairs, found)
        numbers = (pairs.numbers[0] > 0) & (pairs.numbers[1] > 0) & ~pairs.any_of(_TEXT_LIKE)
        weigh_numbers(pairs, numbers, found)
        weigh_mixed(pairs, numbers, found)
    found.chances[0, found.compared & (found.sizes.min(axis=1, initial=FEWEST) < FEWEST)] = 1.0
    return found


def judge(
    sizes: Floats, chances: Floats, doubtful: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], Floats, NDArray[np.bool_]]:
    """Judge columns by what was found of them.

    Parameters
    ----------
    sizes, chances : ndarray of float, shape (families, columns)
        What `reached` says of the effects, and chances as in `Evidence`.
    doubtful : ndarray of bool
        Whether even a large change of a column might not show.

    Returns
    -------
    significant : ndarray of bool, shape (families, columns)
    scores : ndarray of float
    unknown : ndarray of bool
        Whether nothing can be said of a column.
    """
    significant = rejected_by_holm(chances, LEVEL)
    sure = np.where(significant & (sizes >= 1), sizes, 0)
    scores: Floats = sure.max(axis=0, initial=0.0)
    open_: NDArray[np.bool_] = (sizes >= 1) & (chances <= SUSPICIOUS)
    open_[_OF_MANY:] |= sizes[_OF_MANY:] >= 1
    unsure = (open_ & ~significant).any(axis=0)
    unknown: NDArray[np.bool_] = (scores < 1) & (unsure | doubtful)
    quiet = np.where(np.isnan(sizes), 0, sizes).max(axis=0, initial=0.0)
    return significant, np.where(scores >= 1, scores, np.where(unknown, 0.0, np.minimum(quiet, QUIET))), unknown


def pairs_of(baseline: ProfileSummary, other: ProfileSummary, names: Sequence[str]) -> Pairs:
    """Return the columns of two profiles that are to be compared, with their inferred types."""
    rows = [[side.places[name] for name in names] for side in (baseline, other)]
    kinds = [[side.inferred_types[row] for row in own] for side, own in zip((baseline, other), rows, strict=True)]
    before, after = (np.array(own, np.int64) for own in rows)
    return Pairs(baseline, other, before, after, list(zip(*kinds, strict=True)))


class Drifts:
    """The drift of all columns that two profiles share; verdicts of all at once, measures of one when asked for.

    Parameters
    ----------
    baseline, other : ProfileSummary
    names : sequence of str
        Columns that both have and that can be read.
    evidence : Evidence, optional
        What was found of them, if that is known already.
    thresholds : Thresholds, optional
        From which scores on a change is moderate, and strong.
    """

    def __init__(
        self,
        baseline: ProfileSummary,
        other: ProfileSummary,
        names: Sequence[str],
        evidence: Evidence | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.baseline = baseline
        self.other = other
        self._names = names
        self.places = {name: place for place, name in enumerate(names)}
        self._pairs = pairs_of(baseline, other, names)
        self.before: Ints = self._pairs.before
        self.after: Ints = self._pairs.after
        self.types = self._pairs.types
        self.evidence: Evidence = weigh(self._pairs) if evidence is None else evidence
        self.doubtful: NDArray[np.bool_] = (
            self.evidence.too_few
            | self.evidence.boundless
            | self.evidence.blunt
            | self.evidence.blurred
            | self.evidence.repeating
            | ~self.evidence.compared
        )
        effects, chances = self.evidence.effects, self.evidence.chances
        self._sizes = effects if thresholds is None else thresholds.rescaled(effects, names)
        tests = max(int(np.count_nonzero(~np.isnan(chances))), 1)
        self._sentences = Sentences(self._pairs, self.evidence, names, LEVEL / tests)
        most = reached(self._sizes, chances, self.evidence.tried)
        self._reached: NDArray[np.bool_] = most >= 1
        self.significant, self.ranks, self.unknown = judge(most, chances, self.doubtful)
        self.scores = self.ranks if thresholds is None else self._raw_scores(thresholds.moderate_of(names))

    def _raw_scores(self, moderate: Floats) -> Floats:
        """Return the scores in units of the default thresholds, whichever hold here."""
        effects = np.where(np.isnan(self.evidence.effects), 0, self.evidence.effects)
        counts = self.significant & self._reached
        sure = np.where(counts, np.maximum(effects, np.where(self._sizes < 1, moderate, 0)), 0).max(axis=0, initial=0)
        quiet = np.minimum(effects.max(axis=0, initial=0), QUIET * moderate)
        return np.where(self.ranks >= 1, sure, np.where(self.unknown, 0.0, quiet))

    def verdict(self, name: str) -> Verdict:
        """Return the verdict on one column."""
        return self.verdicts[self.places[name]]

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each column, in their order."""
        return [
            "unknown" if unknown else "strong" if rank >= STRONG else "moderate" if rank >= 1 else "none"
            for rank, unknown in zip(self.ranks.tolist(), self.unknown.tolist(), strict=True)
        ]

    @cached_property
    def running(self) -> list[str]:
        """Running numbers that moved: of these, values are not judged."""
        still = np.abs(self.evidence.measures["mean_shift"]) <= _STILL
        return [self._names[place] for place in np.flatnonzero(self.evidence.running & ~still).tolist()]

    @cached_property
    def calendar(self) -> frozenset[str]:
        """Columns that tell the date, of which nothing but the values drifted: they do wherever the days differ."""
        counts = self.significant & self._reached
        others = counts[[place for place, family in enumerate(FAMILIES) if family not in _OF_VALUES]].any(axis=0)
        moved = [self._names[place] for place in np.flatnonzero((self.ranks >= 1) & ~others).tolist()]
        return frozenset(name for name in moved if tells_date(self.baseline, name) and tells_date(self.other, name))

    def rank(self, name: str) -> float:
        """Return the score of one column in units of its own thresholds, to sort by."""
        return float(self.ranks[self.places[name]])

    def score(self, name: str) -> float:
        """Return the score of one column."""
        return float(self.scores[self.places[name]])

    def type_change(self, name: str) -> tuple[str, str] | None:
        """Return the inferred types before and after, if they differ."""
        types = self.types[self.places[name]]
        return types if types[0] != types[1] and "unknown" not in types else None

    def brief(self, name: str) -> Drift:
        """Return verdict, score and reasons of one column, and whether its type changed; no measures."""
        reasons = self.reasons(name)
        return Drift(self.verdict(name), self.score(name), reasons, type_change=self.type_change(name))

    def describe(self, name: str) -> Drift:
        """Return all measures of one column, and why the verdict is what it is."""
        place = self.places[name]
        found = self.evidence
        measures = self._measures(place)
        notes: list[str] = []
        first, second = self.baseline.kll(int(self.before[place])), self.other.kll(int(self.after[place]))
        if "ks" in measures and first and second:
            self._measure_more(place, first, second, measures, notes)
        counted = came_and_went(self._pairs, place, found) if found.basis[place] == "items" else None
        degrees = found.measures["chi2_degrees"][place]
        if "chi2" in measures and np.isfinite(degrees):
            measures["chi2_p"] = chi_squared_tail(measures["chi2"], int(degrees))
        elif "chi2" in measures:
            notes.append(
                "No chi-squared p-value: too many values are too rare for it."
                if counted is not None
                else "No chi-squared p-value and no list of new values: rare values were dropped from the count."
            )
        verdict = self.verdict(name)
        tests = self._tests(place)
        if self._sentences.are_all_null(place):
            notes.append("Every value is null in both.")
        change = self.type_change(name)
        if change is not None:
            if _NUMERIC.issuperset(change):
                notes.append(_type_changed(change))  # whole numbers become fractions as soon as a null is among them
            elif found.as_values[place]:
                notes.append(f"{_type_changed(change)[:-1]}; the texts spell such values, and are compared as values.")
            else:
                notes.append("Values of different types are not compared.")
        notes += self._small_changes(place, tests)
        if verdict == "none" and not found.running[place]:
            notes += self._sentences.would_have_seen(place)
        reasons = self.reasons(name)
        notes += [
            text for text in self._sentences.other_metrics(name) if not any(text[:-1] in reason for reason in reasons)
        ]
        new, vanished = counted or (None, None)
        basis = found.basis[place]
        return Drift(
            verdict,
            self.score(name),
            reasons,
            tuple(notes),
            basis="items" if basis == "items" else "deciles" if basis else None,
            type_change=change,
            new_values=new,
            vanished_values=vanished,
            tests=tuple(tests),
            **measures,
        )

    def reasons(self, name: str) -> tuple[str, ...]:
        """Say why the verdict on one column is what it is, the largest effect first and distances last."""
        place = self.places[name]
        verdict = self.verdict(name)
        reasons = []
        if verdict != "none":
            measures = self._measures(place)
            reasons = [
                text
                # A distance says least to a reader: last of what counts.
                for test in sorted(self._tests(place), key=lambda test: (test.kind == "values", -test.effect))
                if (verdict == "unknown" or test.significant) and self._counts(place, test)
                for text in self._sentences.of_test(place, test, verdict, measures)
            ]
        change = self.type_change(name)
        if change is not None and not _NUMERIC.issuperset(change) and not self.evidence.as_values[place]:
            reasons.insert(0, _type_changed(change))
        if verdict == "unknown":
            reasons += self._sentences.why_unknown(place)
        if name in self.calendar:
            reasons.insert(0, "It tells the date, so it differs wherever the days do.")
        if self.evidence.running[place] and not reasons:
            reasons.append("This looks like a running number, of which new values are no drift.")
        return tuple(dict.fromkeys(reasons))

    def _counts(self, place: int, test: DriftTest) -> bool:
        return bool(self._reached[FAMILIES.index(test.kind), place])

    def _measures(self, place: int) -> dict[str, float]:
        found = {key: float(values[place]) for key, values in self.evidence.measures.items() if key in _SHOWN}
        return {key: value for key, value in found.items() if math.isfinite(value)}

    def _tests(self, place: int) -> list[DriftTest]:
        effects, chances = self.evidence.effects[:, place].tolist(), self.evidence.chances[:, place].tolist()
        sure = self.significant[:, place].tolist()
        return [
            DriftTest(kind, effect, chance, significant)
            for kind, effect, chance, significant in zip(FAMILIES, effects, chances, sure, strict=True)
            if not math.isnan(effect) and not math.isnan(chance)
        ]

    def _measure_more(
        self, place: int, first: KllSketch, second: KllSketch, measures: dict[str, float], notes: list[str]
    ) -> None:
        """Measure with the whole sketches, of which the verdict needs but an outline."""
        measures["ks"], moved = gaps_of_sketches(first, second)
        squares = float(self.baseline.moments[self.before[place], 1])
        if "wasserstein" in measures and squares > 0 and math.isfinite(moved):
            measures["wasserstein"] = moved / math.sqrt(squares / max(first.n - 1, 1))
        error = measures["ks_error"]
        pairs = first.n * second.n / (first.n + second.n)
        if error < _NEGLIGIBLE_ERROR * _CRITICAL_KS / math.sqrt(pairs):
            measures["ks_p"] = kolmogorov_tail(measures["ks"], pairs)
        elif measures["ks"] <= error:
            notes.append("The Kolmogorov-Smirnov distance is within the sketches' error.")
        else:
            notes.append("No Kolmogorov-Smirnov p-value: for so many values the sketches are not exact enough.")
        low, high = min(first.min, second.min), max(first.max, second.max)
        if math.isfinite(low) and math.isfinite(high):
            measures["hellinger"] = hellinger(first, second, low, high)
            if "wasserstein" not in measures:
                notes.append("The Wasserstein distance needs a baseline with a spread.")
        else:
            notes.append("Wasserstein and Hellinger distance are undefined beside infinite values.")

    def _small_changes(self, place: int, tests: Sequence[DriftTest]) -> list[str]:
        """What certainly changed, by too little to count."""
        measures = self._measures(place)
        return [
            text
            for test in tests
            if test.significant and not self._counts(place, test)
            if test.effect >= (_SMALL if test.kind in _SHARES_OF_ROWS else _SMALLER)
            for text in self._sentences.of_test(place, test, "none", measures)
        ]


def _type_changed(change: tuple[str, str]) -> str:
    return f"The type changed from {change[0]} to {change[1]}."


_SHOWN = frozenset(Drift.__dataclass_fields__)
_SMALL, _SMALLER = 0.1, 0.25
_SHARES_OF_ROWS = frozenset({"nulls", "types", "conditions", "metrics"})
# The Kolmogorov-Smirnov test's p-value means nothing once the sketches' error is near the critical distance.
_NEGLIGIBLE_ERROR = 0.2
_CRITICAL_KS = 1.358  # for a level of 5 %


def rejected_by_holm(chances: Floats, level: float) -> NDArray[np.bool_]:
    """Which of many tests are significant together: the smallest at level/m, the next at level/(m - 1), ….

    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6 (1979): the probability that any
    true hypothesis is rejected stays below the level, however the tests depend on each other. NaN is no test.
    """
    flat = chances.ravel()
    order = flat.argsort()  # NaN last
    order = order[: np.count_nonzero(~np.isnan(flat))]
    passed = flat[order] <= level / np.arange(len(order), 0, -1)
    count = int(passed.argmin()) if not passed.all() else len(order)
    rejected = np.zeros(len(flat), np.bool_)
    rejected[order[:count]] = True
    return rejected.reshape(chances.shape)


def hellinger(first: KllSketch, second: KllSketch, low: float, high: float) -> float:
    """Hellinger distance on equal bins over the exact range, as whylogs makes them: one for four values, 2 to 30."""
    bins = min(30, max(2, math.ceil((first.n + second.n) / 4)))
    high += abs(high) * 1e-7 if high else 1e-7  # whylogs' bins are open to the right
    steps = np.arange(1, bins) / bins
    edges = low * (1 - steps) + high * steps  # high - low may be too large for a double
    p, q = first.pmf(edges), second.pmf(edges)
    return math.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum())))

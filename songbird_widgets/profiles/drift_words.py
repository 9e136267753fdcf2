"""What is said of a column's drift: sentences for people, each of them true of both profiles."""

from __future__ import annotations

import math
import re
from statistics import NormalDist
from typing import TYPE_CHECKING

from .evidence import (
    ERRORS,
    FAMILIES,
    FEWEST,
    OF_NUMBERS,
    SHARE_UNIT,
    from_to,
    from_to_percent,
    percent,
    short,
    too_few,
)
from .number_evidence import MEAN_UNIT, smallest_shift
from .row_evidence import GROUP_NAMES, INFINITE
from .thresholds import STRONG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .drift_model import DriftTest, Verdict
    from .evidence import Evidence, Pairs

_FEW_ROWS = 200
"""Values below which what may be chance is said to be so for their number."""


class Sentences:
    """What to say of columns.

    Parameters
    ----------
    pairs : Pairs
    found : Evidence
    names : sequence of str
        Of the columns.
    chance : float
        How often chance makes, at most, what is certain.
    """

    def __init__(self, pairs: Pairs, found: Evidence, names: Sequence[str], chance: float) -> None:
        self._pairs = pairs
        self._found = found
        self._names = names
        self._chance = chance

    def of_test(self, place: int, test: DriftTest, verdict: Verdict, measures: Mapping[str, float]) -> list[str]:
        """Say what was found, in a sentence or two."""
        found = []
        if test.kind == "values":
            distance, moved = measures.get("js_distance", 0.0), measures.get("wasserstein", 0.0)
            if verdict == "unknown" or distance >= _SAID_DISTANCE or moved < _SAID_MOVE:
                found.append(f"The distributions are {distance:.2g} apart (Jensen-Shannon).")
            if moved >= _SAID_MOVE:
                found.append(f"Values moved by {_figure(moved)} sd on average.")
        elif test.kind in {"mean", "spread"}:
            found.append(self._moment(place, test.kind))
        elif test.kind in {"conditions", "metrics"}:
            found.append(self._found.texts[place, test.kind])
        else:
            found.append(self._share(place, test.kind))
        if verdict == "unknown" and found:
            found[-1] = f"{found[-1][:-1]}, but {self._excuse(place, test)}."
        return found

    def _share(self, place: int, kind: str) -> str:
        """Say how a share changed."""
        shares = self._found.shares[kind]
        before, after, of = float(shares[0][place]), float(shares[1][place]), int(shares[2][place])
        if kind == "range":
            return f"{percent(after)} of the {self._ranged(place)} lie far outside {_RANGES[of]}."
        went = f"went {from_to_percent(before, after)}."
        if kind == "types":
            return f"The share of {GROUP_NAMES[of]} {went}"
        if kind == "nulls":
            return f"{'Infinite values' if of == INFINITE else 'Nulls'} {went}"
        value = self._found.spots[place]
        known = value() if callable(value) else value
        if isinstance(known, str):
            shown = f"“{short(known)}”"
        else:
            shown = str(bool(known)) if self._are_flags(place) else f"{known + 0.0:.10g}"
        error = self._error_of_share(place, known)
        known_to = f" (± {percent(error).removesuffix(' %')} points)." if error else "."
        among = f" among the {self._ranged(place)}" if of == OF_NUMBERS else ""
        return f"The share of {shown}{among} {went[:-1]}{known_to}"

    def _are_flags(self, place: int) -> bool:
        """Whether all numbers are booleans."""
        if self._pairs.types[place] == ("boolean", "boolean"):
            return True
        counts = [side.types[rows[place]] for side, rows in self._pairs.sides]
        return all(types[_BOOLEAN] > 0 and types[_BOOLEAN] == types[:_STRING].sum() for types in counts)

    def _ranged(self, place: int) -> str:
        """Name what distributions are of: values, or those of them that are numbers where there are others."""
        sides = self._pairs.sides
        if all(side.types[rows[place]].sum() <= side.kll_n[rows[place]] for side, rows in sides):
            return "values"
        return "booleans" if self._are_flags(place) else "numbers"

    def _error_of_share(self, place: int, value: float | str) -> float:
        """Return by how much the share of a single value may be wrong in either profile."""
        rows = [(side, int(of_side[place])) for side, of_side in self._pairs.sides]
        listed = "fractional" not in self._pairs.types[place] and all(
            side.frequent_offset[row] == 0 and side.frequent_total[row] == side.kll_n[row] for side, row in rows
        )
        if isinstance(value, float) and self._found.basis[place] == "deciles" and not listed:
            inexact = [
                float(side.kll_error[row])
                for side, row in rows
                if side.kll_ends[row, 0] != side.kll_ends[row, 1]
                and side.kll_ends[row, 0] <= value <= side.kll_ends[row, 1]
            ]
            return max(inexact, default=0.0)
        return max(float(side.frequent_unlisted[row] / max(side.frequent_total[row], 1)) for side, row in rows)

    def would_have_seen(self, place: int) -> list[str]:
        """Say how large a shift of numbers, or of a share, would have been certain, if only more than a strong one."""
        if math.isnan(self._found.effects[0, place]) or math.isnan(self._found.chances[0, place]):
            return []
        shift = self._certain_shift(place)
        if self._found.basis[place] == "deciles":
            said = f"A shift of {_figure(shift)} sd or more would have been certain."
            return [said] if shift > STRONG * MEAN_UNIT else []
        change = shift * self._largest_deviation(place)
        said = f"A share that changed by {_figure(100 * change)} points or more would have been certain."
        return [said] if change > STRONG * SHARE_UNIT else []

    def _certain_shift(self, place: int) -> float:
        return smallest_shift(self._found.sizes[place], self._chance)

    def _largest_deviation(self, place: int) -> float:
        """Return the deviation of a value's share that has the largest, which is the commonest value's."""
        shares = []
        for side, rows in self._pairs.sides:
            begin, end = side.frequent_offsets[rows[place] : rows[place] + 2].tolist()
            most = int(side.frequent_weights[begin:end].max(initial=0)) + int(side.frequent_offset[rows[place]])
            shares.append(min(most / max(int(side.frequent_total[rows[place]]), 1), 1.0))
        return max(math.sqrt(share * (1 - share)) for share in shares)

    def other_metrics(self, name: str) -> list[str]:
        """Say which figures of metrics that whylogs does not have changed; what chance does to them is not known."""
        before, after = self._pairs.first.metrics.get(name, {}), self._pairs.second.metrics.get(name, {})
        changed = [
            f"{short(metric)} went {from_to(before[metric], after[metric], 6)}."
            for metric in sorted(before.keys() & after.keys())
            if before[metric] != after[metric] and not (math.isnan(before[metric]) and math.isnan(after[metric]))
        ]
        return changed[:_MOST_METRICS]

    def _moment(self, place: int, kind: str) -> str:
        row, other = self._pairs.before[place], self._pairs.after[place]
        if kind == "mean":
            before, after = self._pairs.first.moments[row, 0], self._pairs.second.moments[other, 0]
            shift = self._found.measures["mean_shift"][place]
            size = f" ({_figure(abs(shift))} sd)" if math.isfinite(shift) else ""
            return f"The mean moved {from_to(before, after, 4)}{size}."
        before, after = (
            math.sqrt(summary.moments[rows, 1] / max(summary.kll_n[rows] - 1, 1))
            for summary, rows in ((self._pairs.first, row), (self._pairs.second, other))
        )
        return f"The standard deviation went {from_to(before, after, 3)}."

    def _excuse(self, place: int, test: DriftTest) -> str:
        if test.kind == "metrics" and test.p == 1:
            return "what chance does to it is not known"
        few = int(self._found.sizes[place].min()) if self._found.sizes[place].any() else 0
        inexact = test.kind in {"shares", "range"} and self._pairs.error[place] > 0
        enough = "" if inexact or test.kind not in _OF_SHARES else self._enough(place, test)
        if few < _FEW_ROWS:
            return f"with so few values that may be chance{enough}"
        if inexact:
            return "chance or the error of the sketches may have made that"
        return f"{'a few extreme values or ' if test.kind in _OF_EXTREMES else ''}chance may have made that{enough}"

    def _enough(self, place: int, test: DriftTest) -> str:
        """Say of how many rows a change of this share would be certain if it counts, and excluded if there is none.

        Its standard error must be so much smaller than what counts that both hold, two standard errors apart.
        """
        tried = float(self._found.tried[FAMILIES.index(test.kind), place])
        chances = (max(chance / tried, _LEAST_CHANCE) for chance in (test.p, self._chance))
        seen, certain = (-NormalDist().inv_cdf(chance / 2) for chance in chances)
        rows = [float(side.counts[own[place], 0]) for side, own in self._pairs.sides]
        if seen <= 0 or not min(rows):
            return ""
        enough = 2 / (1 / rows[0] + 1 / rows[1]) * (min(test.effect, 1.0) * (certain + ERRORS) / seen) ** 2
        digits = 1 - math.floor(math.log10(enough))
        return f" (about {round(enough, digits):,.0f} rows in each would tell)"

    def why_unknown(self, place: int) -> list[str]:
        """Say what cannot be told, beside the tests that are open."""
        found = self._found
        said = [self._repeating(place)] if found.repeating[place] else []
        if (place, "blind") in found.texts:
            return [*said, _DATES if self._look_like_dates(place) else found.texts[place, "blind"]]
        if found.boundless[place] and not found.too_few[place]:
            return [f"{self._boundless(place)}, so a tail may have changed."]
        if found.blunt[place]:
            return ["Numbers as large as these are kept without their last digits, in which they may differ."]
        if found.blurred[place]:
            return ["The share of a value changed, but by little more than the sketches are exact."]
        if found.compared[place]:
            return [*said, *([self._too_few(place)] if found.too_few[place] else [])]
        return [*said, self._nothing_to_compare(place)]

    def _boundless(self, place: int) -> str:
        before, after = (int(side.counts[rows[place], _INFINITE]) for side, rows in self._pairs.sides)
        if before or after:
            return f"Mean and deviation are not known beside infinite values ({before:,}, and now {after:,})"
        return "Mean and deviation are not known (too large or too small)"

    def _repeating(self, place: int) -> str:
        counts = []
        for side, rows in self._pairs.sides:
            values = int(side.counts[rows[place], 0] - side.counts[rows[place], 1])
            counts.append((min(round(float(side.distinct[rows[place], 0])), values), values))  # an estimate may be more
        (distinct, values), (others, other_values) = counts
        return (
            f"Values repeat differently: about {distinct:,} of {values:,} were different, and now {others:,} of "
            f"{other_values:,}."
        )

    def _nothing_to_compare(self, place: int) -> str:
        counts = [side.counts[rows[place]] for side, rows in self._pairs.sides]
        counted = [side.counted[rows[place]] for side, rows in self._pairs.sides]
        for rows, known, which in zip(counts, counted, ("the baseline", "the other profile"), strict=True):
            if known and not rows[0]:
                return "There are no rows to compare."
            if known and rows[1] >= rows[0]:
                return f"In {which} every value is null."
        if "object" in self._pairs.types[place]:
            return "whylogs keeps nothing of dates, times and other objects that could be compared."
        if any(self._names[place] in side.metrics for side in (self._pairs.first, self._pairs.second)):
            return "What chance does to figures of metrics that whylogs does not have is not known."
        return "The profiles hold no sketch of these values (whylogs keeps none for this type)."

    def are_all_null(self, place: int) -> bool:
        """Whether there is nothing but nulls in either profile."""
        counts = [side.counts[rows[place]] for side, rows in self._pairs.sides]
        return all(0 < rows[0] <= rows[1] for rows in counts)

    def _look_like_dates(self, place: int) -> bool:
        """Whether the values, of which none could be compared, begin like dates."""
        found = []
        for side, rows in self._pairs.sides:
            begin, end = side.frequent_offsets[rows[place] : rows[place] + 2].tolist()
            found += [side.frequent_value(item) for item in range(begin, min(end, begin + _LOOKED_AT))]
        return bool(found) and all(map(_DATE.match, found))

    def _too_few(self, place: int) -> str:
        text = too_few(*self._found.sizes[place].tolist())
        if self._found.basis[place] != "deciles" or self._found.sizes[place].min() < FEWEST:
            return text
        return f"{text[:-1]}: only a shift of {_figure(self._certain_shift(place))} sd or more would be certain."


def _figure(value: float) -> str:
    """Write a number with two digits, larger ones whole."""
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"


_RANGES = ("the baseline's range", "the range of the other profile")
_BOOLEAN, _STRING = 2, 3  # columns of the types
_INFINITE = 3  # column of the counts
_MOST_METRICS = 5
_LOOKED_AT = 8
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?([T ]|$)|\d{1,2}[./]\d{1,2}[./]\d{4}\b|\d\d:\d\d(:\d\d|$)")
_DATES = "These look like dates or times, nearly all of which are seen once: they are not compared value by value."
_SAID_DISTANCE, _SAID_MOVE = 0.1, 0.25
_OF_EXTREMES = frozenset({"mean", "spread", "range"})
_OF_SHARES = frozenset({"shares", "nulls", "types", "conditions"})
_LEAST_CHANCE = 1e-300

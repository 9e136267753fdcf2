"""A dataset over time: every day against one baseline, column by column.

`compare_days` says of each day what `compare` says of that day and the baseline: the same verdicts, scores and
reasons, and the figures beside them, as one small `DayComparison` that can be kept. `Trends` puts days in a row.

**Many days, many columns.** What is almost certain in one comparison happens by chance in one of many. A day's verdict
is what `compare` says of it alone; a column *drifted* on a day if the same change is certain among all tests of all
columns on all days shown, too: S. Holm's procedure (Scand. J. Stat. 6, 1979), over all of them, keeps the probability
that chance makes any column drift on any day below `drift.LEVEL`, however the tests depend on each other (they do: all
share the baseline). A verdict that holds alone and not among all is *uncertain*: it is shown, and not counted.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from ..basics import with_checksum, without_checksum
from .comparison import Versus
from .drift import LEVEL, judge, rejected_by_holm
from .drift_model import ABSENT
from .errors import ProfileError
from .evidence import FAMILIES, reached
from .statistics import QUANTILE_RANKS
from .thresholds import STRONG
from .weighing import weigh_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .drift_model import Verdict
    from .sketches import Floats, Ints
    from .summary import ProfileSummary

FIGURES = ("count", "null_fraction", "mean", "stddev", "median", "unique_estimate")
"""What is known of a column on a day, by the names of `ColumnStatistics`; NaN where the profile does not say."""

VERDICTS: tuple[Verdict, ...] = ("none", "unknown", "moderate", "strong", "missing", "new")
"""Verdicts in the order of their codes in `DayComparison.verdicts` and `Trends.verdicts`."""

NONE, UNKNOWN, MODERATE, STRONGLY, MISSING, NEW = range(len(VERDICTS))
_CODES = {verdict: code for code, verdict in enumerate(VERDICTS)}

MAX_REASON = 300
"""Characters of a reason that are kept."""

MAX_DAYS = 400
"""Days that are shown in a row, the latest ones."""

MAX_CELLS = 200_000
"""Columns times days that are shown in a row; with more columns fewer days are."""

_COMPARED, _ABSENT, _ADDED, _UNREADABLE = range(4)
_MEDIAN = QUANTILE_RANKS.index(0.5)
_MAGIC = b"SBW-DAY\x07"


@dataclass(frozen=True, eq=False)
class DayComparison:
    """One day against the baseline; a column is an element of every array.

    Attributes
    ----------
    names : tuple of str
        Every column that either has, sorted.
    rows : int or None
        Rows of the day; None where nothing was counted.
    state : ndarray of uint8
        Whether a column was compared, or only one of both has it, or it cannot be read.
    leading : ndarray of int32
        The column that the verdict is of: its own place, or that of a part; -1 where nothing was compared.
    doubtful : ndarray of bool
        Whether even a large change might not show.
    calendar : ndarray of bool
        Whether a column tells the date and nothing else of it drifted, as `Comparison.calendar` says.
    effects, chances : ndarray of float, shape (families, columns)
        As in `Evidence`, effects as `reached` raises them; NaN where nothing was tested.
    figures : ndarray of float, shape (figures, columns)
        By `FIGURES`.
    reasons : dict of int to str
        Why, of the columns that drifted, by place.
    """

    names: tuple[str, ...]
    rows: int | None
    state: NDArray[np.uint8]
    leading: NDArray[np.int32]
    doubtful: NDArray[np.bool_]
    calendar: NDArray[np.bool_]
    effects: Floats
    chances: Floats
    figures: Floats
    reasons: dict[int, str]

    @cached_property
    def _judged(self) -> tuple[NDArray[np.uint8], Floats]:
        _, scores, unknown = judge(self.effects, self.chances, self.doubtful)
        codes = np.where(
            unknown, UNKNOWN, np.where(scores >= STRONG, STRONGLY, np.where(scores >= 1, MODERATE, NONE))
        ).astype(np.uint8)
        leading = np.maximum(self.leading, 0)
        codes, scores = codes[leading], scores[leading]
        for state, code, score in (
            (_ABSENT, MISSING, ABSENT),
            (_ADDED, NEW, ABSENT),
            (_UNREADABLE, UNKNOWN, 0.0),
        ):
            codes[self.state == state], scores[self.state == state] = code, score
        return codes, scores

    @property
    def verdicts(self) -> NDArray[np.uint8]:
        """What `compare` says of each column, by its place in `VERDICTS`."""
        return self._judged[0]

    @property
    def scores(self) -> Floats:
        """The scores of these verdicts."""
        return self._judged[1]

    def to_bytes(self) -> bytes:
        """Write it, for `from_bytes`."""
        head = _Head(self.names, self.rows, self.reasons)
        encoded = msgspec.msgpack.encode(head)
        parts = [len(encoded).to_bytes(8, "little"), encoded]
        parts += [np.ascontiguousarray(getattr(self, name), kind).tobytes() for name, (kind, _) in _ARRAYS.items()]
        return _MAGIC + with_checksum(b"".join(parts))

    @classmethod
    def from_bytes(cls, content: bytes) -> DayComparison:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ProfileError
            It is none, was written by another version, or is damaged.
        """
        try:
            if content[: len(_MAGIC)] != _MAGIC:
                raise _damaged()
            whole = without_checksum(content[len(_MAGIC) :])
            end = 8 + int.from_bytes(whole[:8], "little")
            head = msgspec.msgpack.decode(whole[8:end], type=_Head)
            arrays: dict[str, Any] = {}
            many = len(head.names)
            for name, (kind, rows) in _ARRAYS.items():
                array: NDArray[Any] = np.frombuffer(whole, kind, many * rows, end)
                end += array.nbytes
                arrays[name] = array.reshape(rows, many) if rows > 1 else array
            if end != len(whole) or (many and int(arrays["leading"].max()) >= many):
                raise _damaged()
        except (ValueError, TypeError, OverflowError, msgspec.MsgspecError) as error:
            raise _damaged() from error
        return cls(head.names, head.rows, **arrays, reasons=head.reasons)


class _Head(msgspec.Struct):
    names: tuple[str, ...]
    rows: int | None
    reasons: dict[int, str]


_ARRAYS = {
    "state": ("u1", 1),
    "leading": ("<i4", 1),
    "doubtful": ("?", 1),
    "calendar": ("?", 1),
    "effects": ("<f8", len(FAMILIES)),
    "chances": ("<f8", len(FAMILIES)),
    "figures": ("<f8", len(FIGURES)),
}


def _damaged() -> ProfileError:
    return ProfileError("What was kept of a day is damaged.")


def most_days(columns: int) -> int:
    """Return how many days of so many columns are shown in a row."""
    return max(2, min(MAX_DAYS, MAX_CELLS // max(columns, 1)))


def left_out(days: int, columns: int) -> str:
    """Say in words that only the latest of these days are shown; empty if all are."""
    most = most_days(columns)
    if days <= most:
        return ""
    why = f", because the baseline has {columns:,} columns" if most < MAX_DAYS else ""
    return f"The latest {most:,} days of this range are shown{why}. Choose another range to see earlier ones."


def compare_days(baseline: ProfileSummary, days: Sequence[ProfileSummary]) -> list[DayComparison]:
    """Compare each of several days with the baseline, all columns of several days at once."""
    return [
        _of(day, Versus(baseline, day, evidence))
        for day, evidence in zip(days, weigh_each(baseline, days), strict=True)
    ]


def _of(day: ProfileSummary, versus: Versus) -> DayComparison:
    verdicts = versus.verdicts
    names = tuple(verdicts)
    places = {name: place for place, name in enumerate(names)}
    many = len(names)
    drifts = versus.drifts
    own = np.fromiter((places[name] for name in drifts.places), np.int64, len(drifts.places))
    state = np.full(many, _COMPARED, np.uint8)
    for absent, code in ((versus.missing, _ABSENT), (versus.new, _ADDED), (versus.problems, _UNREADABLE)):
        state[[places[name] for name in absent if state[places[name]] == _COMPARED]] = code
    leading = np.full(many, -1, np.int32)
    leading[own] = own
    for name in versus.parts:
        leading[places[name]] = places[versus.leading(name)]
    effects, chances = np.full((2, len(FAMILIES), many), np.nan)
    found = drifts.evidence
    effects[:, own], chances[:, own] = reached(found.effects, found.chances, found.tried), found.chances
    doubtful = np.zeros(many, np.bool_)
    doubtful[own] = drifts.doubtful
    calendar = np.zeros(many, np.bool_)
    calendar[[places[name] for name in drifts.calendar]] = True
    reasons = {
        place: " ".join(versus.reasons(name))[:MAX_REASON]
        for place, (name, verdict) in enumerate(verdicts.items())
        if verdict in {"moderate", "strong"}
    }
    figures = figures_of(day, names)
    made = DayComparison(names, day.rows, state, leading, doubtful, calendar, effects, chances, figures, reasons)
    codes = np.fromiter(map(_CODES.__getitem__, verdicts.values()), np.uint8, many)
    made.__dict__["_judged"] = codes, np.fromiter(map(versus.ranks.__getitem__, names), np.float64, many)
    return made


def figures_of(summary: ProfileSummary, names: Sequence[str]) -> Floats:
    """Return the figures of columns, shape (figures, columns); NaN for a column that the profile lacks.

    Parameters
    ----------
    summary : ProfileSummary
    names : sequence of str
    """
    rows = np.fromiter((summary.places.get(name, -1) for name in names), np.int64, len(names))
    found = np.full((len(FIGURES), len(rows)), np.nan)
    here = np.flatnonzero(rows >= 0)
    at = rows[here]
    with np.errstate(all="ignore"):
        counts = summary.counts[at].astype(np.float64)
        n = summary.kll_n[at]
        moments = np.where((summary.has_moments[at] & (n > 0))[:, None], summary.moments[at], np.nan)
        deviation = np.where(n > 1, np.sqrt(moments[:, 1] / np.maximum(n - 1, 1)), moments[:, 1] * 0)
        every = (
            np.where(summary.counted[at], counts[:, 0], np.nan),
            counts[:, 1] / np.where(counts[:, 0] > 0, counts[:, 0], np.nan),
            moments[:, 0],
            deviation,
            np.where(n > 0, summary.quantiles[at, _MEDIAN], np.nan),
            summary.distinct[at, 0],
        )
    for place, values in enumerate(every):
        found[place, here] = np.where(np.isfinite(values), values, np.nan)
    unreadable = [place for place, name in enumerate(names) if name in summary.problems]
    found[:, unreadable] = np.nan
    return found


class Episode(NamedTuple):
    """When a column drifted, by places of days.

    Attributes
    ----------
    first, last : int
        The first and the last day on which it did.
    since : int or None
        From which day on it did on every day that can tell, up to the last one; None if it does no more.
    days : int
        On how many.
    worst : int
        The day of the highest score.
    """

    first: int
    last: int
    since: int | None
    days: int
    worst: int


class Trends:
    """Days in a row against one baseline.

    Parameters
    ----------
    comparisons : sequence of (DayComparison or None)
        By day, in order of time; None for a day of which nothing is known (yet), or that is the baseline itself.

    Attributes
    ----------
    names : tuple of str
        Every column of the baseline or any day, sorted.
    figures : ndarray of float, shape (figures, columns, days)
        By `FIGURES`; NaN where a profile does not say.
    verdicts : ndarray of uint8, shape (columns, days)
        What `compare` says of each day alone, by place in `VERDICTS`; ``unknown`` for a day without comparison.
    scores : ndarray of float, shape (columns, days)
    drifted : ndarray of bool, shape (columns, days)
        Where a moderate or strong drift is certain among all days and columns, too.
    told : ndarray of bool, shape (columns, days)
        Where a column that drifted only tells the date: it does wherever the days differ.
    known : ndarray of bool
        By day, whether it was compared.
    tests : int
        How many tests were made altogether.
    """

    def __init__(self, comparisons: Sequence[DayComparison | None]) -> None:
        self.comparisons = tuple(comparisons)
        self.names = _union(one.names for one in self.comparisons if one)
        shape = (len(self.names), len(self.comparisons))
        self.known: NDArray[np.bool_] = np.array([one is not None for one in self.comparisons], np.bool_)
        self.figures: Floats = np.full((len(FIGURES), *shape), np.nan)
        self.verdicts: NDArray[np.uint8] = np.full(shape, UNKNOWN, np.uint8)
        self.scores: Floats = np.zeros(shape)
        self.drifted: NDArray[np.bool_] = np.zeros(shape, np.bool_)
        self.told: NDArray[np.bool_] = np.zeros(shape, np.bool_)
        places = {name: place for place, name in enumerate(self.names)}
        rows_of: dict[tuple[str, ...], Ints] = {}
        compared = [(day, one) for day, one in enumerate(self.comparisons) if one]
        certain = _certain([one for _, one in compared])
        for (day, one), sure in zip(compared, certain, strict=True):
            rows = rows_of.get(one.names)
            if rows is None:
                rows = rows_of[one.names] = np.fromiter((places[name] for name in one.names), np.int64, len(one.names))
            self.figures[:, rows, day] = one.figures
            self.verdicts[rows, day] = one.verdicts
            self.scores[rows, day] = one.scores
            # A column that no day's profile has was never there.
            self.drifted[rows, day] = sure[np.maximum(one.leading, 0)] & (one.state == _COMPARED)
            self.told[rows, day] = self.drifted[rows, day] & one.calendar
        self.tests = sum(int(np.count_nonzero(~np.isnan(one.chances))) for _, one in compared)

    @cached_property
    def absent(self) -> NDArray[np.bool_]:
        """Where only one of day and baseline has a column, shape (columns, days)."""
        found: NDArray[np.bool_] = (self.verdicts == MISSING) | (self.verdicts == NEW)
        return found

    @cached_property
    def uncertain(self) -> NDArray[np.bool_]:
        """Where a day alone would be said to drift, and chance may have made that among so many."""
        alone: NDArray[np.bool_] = (self.verdicts == MODERATE) | (self.verdicts == STRONGLY)
        return alone & ~self.drifted

    @cached_property
    def calendar(self) -> NDArray[np.bool_]:
        """Columns that drifted, and on none of the days did more than tell the date."""
        more = np.logical_or.reduce(self.drifted & ~self.told, axis=1)
        found: NDArray[np.bool_] = np.logical_or.reduce(self.told, axis=1) & ~more
        return found

    @cached_property
    def changed(self) -> NDArray[np.bool_]:
        """Columns that drifted, came or went on any day."""
        changed: NDArray[np.bool_] = np.logical_or.reduce(self.drifted, axis=1) | self.came_or_went
        return changed

    @cached_property
    def came_or_went(self) -> NDArray[np.bool_]:
        """Columns that only some of the days, or only the baseline, have."""
        found: NDArray[np.bool_] = np.logical_or.reduce(self.absent & self.known, axis=1)
        return found

    def episode(self, column: int) -> Episode | None:
        """Say when a column (by its place in `names`) drifted; None if it never did."""
        days = np.flatnonzero(self.drifted[column])
        if not len(days):
            return None
        since = int(self._since[column])
        worst = days[self.scores[column, days].argmax()]
        return Episode(int(days[0]), int(days[-1]), None if since < 0 else since, len(days), int(worst))

    @cached_property
    def _since(self) -> Ints:
        """From which day on each column drifted to the end, as in `Episode`; -1 where it does not."""
        places = np.arange(self.drifted.shape[1])
        # It goes on while no later day that can tell says otherwise.
        quiet = self.known & (self.verdicts == NONE)
        last_quiet = np.where(quiet, places, -1).max(axis=1, initial=-1)
        going_on = self.drifted & (places > last_quiet[:, None])
        found: Ints = np.where(going_on.any(axis=1), _first_of(going_on), -1)
        return found

    @cached_property
    def _began(self) -> Ints:
        """The day on which what goes on began, else the first on which a column drifted; past all if it never did."""
        found: Ints = np.where(self._since >= 0, self._since, _first_of(self.drifted))
        return found

    def began(self, column: int) -> int | None:
        """Return the day on which the drift of a column began, by its place.

        Of a drift that goes on, an earlier day that passed is not its beginning.
        """
        return int(self._began[column]) if self.drifted[column].any() else None

    @cached_property
    def order(self) -> Ints:
        """Places of the columns, by what they say.

        Those that drifted come first, the one whose drift began earliest before all; then those that came or went,
        those that only tell the date, and the others; among equals by score.
        """
        quiet = np.where(self.absent | ~self.known, 0, self.scores).max(axis=1, initial=0)
        real = self.drifted.any(axis=1) & ~self.calendar
        kinds = np.select([real, self.came_or_went, self.calendar], [0, 1, 2], 3)
        order: Ints = np.lexsort((np.arange(len(self.names)), -quiet, -self.largest, self._began, kinds))
        return order

    @cached_property
    def largest(self) -> Floats:
        """The highest score of each column on a day on which it drifted; 0 where it never did."""
        found: Floats = np.where(self.drifted, self.scores, 0).max(axis=1, initial=0)
        return found

    def reason(self, column: int, day: int) -> str:
        """Say why a column drifted on a day, in words; empty if it did not."""
        one = self.comparisons[day]
        if one is None:
            return ""
        place = _place(one.names, self.names[column])
        return "" if place is None else one.reasons.get(place, "")


def _place(names: tuple[str, ...], name: str) -> int | None:
    place = bisect_left(names, name)
    return place if place < len(names) and names[place] == name else None


def _first_of(days: NDArray[np.bool_]) -> Ints:
    """Return the first day of each column; one past the last where there is none."""
    # There may be no day at all.
    found: Ints = np.pad(days, ((0, 0), (0, 1)), constant_values=True).argmax(axis=1)
    return found


def _union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*set(names))))


def _certain(comparisons: Sequence[DayComparison]) -> list[NDArray[np.bool_]]:
    """Which columns drifted on each day even among all tests of all days."""
    if not comparisons:
        return []
    widths = np.cumsum([one.chances.shape[1] for one in comparisons])
    chances = np.concatenate([one.chances for one in comparisons], axis=1)
    effects = np.concatenate([one.effects for one in comparisons], axis=1)
    with np.errstate(invalid="ignore"):
        sure = (rejected_by_holm(chances, LEVEL) & (effects >= 1)).any(axis=0)
    return np.split(sure, widths[:-1])

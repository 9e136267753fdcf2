"""What is known of each day beside a baseline: compared once, kept, and read by whoever shows many days.

A day's comparison is kept in a small file named by the hashes of both contents. When uploads to a dataset have come to
rest, its days are compared with its first references, beside the loop; whoever asks for other baselines compares them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import __version__
from ..basics import with_checksum, without_checksum
from ..budget import Budget, WorkStoppedError, checkpoint
from ..profiles import DayComparison, ProfileError, compare_days, shared_names
from ..profiles.trends import most_days
from . import kept_files
from .handler import logger
from .kept_evidence import KeptEvidence
from .memory import return_freed_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..profiles import ProfileSummary
    from .metadata import Metadata
    from .rows import Arrival, DayRow
    from .summaries import Summaries

REST_SECONDS = 1.0
"""How long nothing has arrived for a dataset before its days are compared."""

WORK_SECONDS = 120.0
"""How long the days of one dataset are compared before others have their turn."""

MAX_TRIED = 20
"""References, and then days, that are tried for an own baseline until one can be read."""

MAX_PREPARED = 4
"""References with which days are compared before anybody asks for it; with the first day they are, too."""

MAX_LIKELY = 20
"""References whose pairs are weighed before anybody asks for it, and newest days beside the own baseline."""

MAX_LIKELY_DAYS = 8
"""Newest days that are weighed beside each other, and beside the references, before anybody asks for it."""

MAX_WEIGHED = 40_000
"""Columns that such pairs share, and that are weighed after an upload."""

_COURSE = "course 3"  # what is kept of days in a row, by its version
_MAX_WAITING = 1_000
_GROUP = 16  # days that are compared before anything else is looked at


class Baseline(NamedTuple):
    """What days are compared with: its value in URLs, what its content depends on, and what it holds."""

    value: str
    fingerprint: str
    summary: ProfileSummary


class Compared(NamedTuple):
    """Days beside a baseline.

    Attributes
    ----------
    days : list of DayRow
        In order of time.
    comparisons : list of (DayComparison or None)
        None for a day that could not be compared, or was not yet.
    problems : dict of int to str
        Why a day cannot be compared, by place.
    waiting : int
        Days that are not compared yet.
    """

    days: list[DayRow]
    comparisons: list[DayComparison | None]
    problems: dict[int, str]
    waiting: int


class DayComparisons:
    """The comparisons of a service's days.

    Parameters
    ----------
    directory : Path
        Made if it is missing; everything in it can be made again.
    metadata, summaries
        Where profiles are known, and what is known of them.
    """

    def __init__(self, directory: Path, metadata: Metadata, summaries: Summaries) -> None:
        self._directory = directory
        self._metadata = metadata
        self._summaries = summaries
        self._condition = threading.Condition()
        self._waiting: dict[tuple[str, str], float] = {}
        self._asked: dict[tuple[str, str], str] = {}
        self._closed = False
        self._thread: threading.Thread | None = None
        self._budget = Budget(0)
        #: Held while some days are compared, so that nobody compares them twice.
        self._comparing = threading.Lock()
        #: Of pairs of profiles, for the pages that show them side by side.
        self.evidence = KeptEvidence(directory)

    # What arrives

    def arrived(self, arrival: Arrival) -> None:
        """Have the days of a dataset compared with its own baseline, as soon as nothing more arrives for it."""
        self.expect(arrival.org_id, arrival.dataset_id)

    def expect(self, org_id: str, dataset_id: str, value: str = "") -> None:
        """Have the days of a dataset compared with its own baseline soon.

        Parameters
        ----------
        value : str, optional
            Another baseline, which someone looks at, by its value in URLs; the latest one is taken first.
        """
        with self._condition:
            if len(self._waiting) >= _MAX_WAITING or self._closed:
                return
            if value:
                self._asked[org_id, dataset_id] = value
            self._waiting[org_id, dataset_id] = time.monotonic() + (0 if value else REST_SECONDS)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="days", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self) -> None:
        """Compare no more days."""
        with self._condition:
            self._closed = True
            self._budget.cancel()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _next(self) -> tuple[str, str] | None:
        """Wait for a dataset that has come to rest; None when there is nothing more to do."""
        with self._condition:
            while not self._closed:
                key = min(self._waiting, key=self._waiting.__getitem__, default=None)
                if key is None:
                    self._condition.wait()
                elif (left := self._waiting[key] - time.monotonic()) > 0:
                    self._condition.wait(left)
                else:
                    del self._waiting[key]
                    return key
        return None

    def _work(self) -> None:
        while (key := self._next()) is not None:
            self._budget = Budget(WORK_SECONDS)
            try:
                with self._budget.spent():
                    self._compare_own(*key)
            except (ProfileError, FileNotFoundError, WorkStoppedError):
                pass  # a page that shows it says so, or compares the rest
            except Exception:  # the next one may well be compared
                logger.exception("days could not be compared; it is tried again when a page asks for them")
            return_freed_memory()

    def _compare_own(self, org_id: str, dataset_id: str) -> None:
        asked = self._asked.pop((org_id, dataset_id), "")
        own = self.own_baseline(org_id, dataset_id)
        for baseline in [self._baseline(org_id, dataset_id, asked) if asked else None, own]:
            if baseline is not None:
                self._compare_all(org_id, dataset_id, baseline)
        self._weigh_likely(org_id, dataset_id)
        others = [row.id for row in self._metadata.references(org_id, dataset_id, limit=MAX_PREPARED)]
        first = self._metadata.first_day(org_id, dataset_id)
        for value in [*others[1:], *([str(first.day)] if first and others else [])]:
            with contextlib.suppress(ProfileError, FileNotFoundError):  # a page that shows it says so
                baseline = self._baseline(org_id, dataset_id, value)
                if baseline is not None:
                    self._compare_all(org_id, dataset_id, baseline)

    def _compare_all(self, org_id: str, dataset_id: str, baseline: Baseline) -> None:
        """Compare the days that are shown in a row with a baseline, unless something more arrives."""
        days = self.days(org_id, dataset_id, columns=len(baseline.summary.names))
        self.compared(org_id, dataset_id, baseline, days, alone=False)

    def _weigh_likely(self, org_id: str, dataset_id: str) -> None:
        """Weigh the pairs that are likely to be looked at, until enough is weighed or something more arrives."""
        key = (org_id, dataset_id)
        days: list[str | DayRow] = [*self._metadata.days(*key, limit=MAX_LIKELY)]
        references = [row.sha256 or "" for row in self._metadata.references(*key, limit=MAX_LIKELY)]
        own = references[0] if references else self._metadata.first_day(*key)
        among = [*references, *days[:MAX_LIKELY_DAYS]]
        left = MAX_WEIGHED
        for first, others in [*([(own, days)] if own else []), *((one, among) for one in among)]:
            for group in self._unweighed(first, others):
                if left <= 0 or self._is_called(*key):
                    return
                checkpoint()
                with contextlib.suppress(ProfileError, FileNotFoundError):  # a page that shows it says so
                    baseline = self._summary(*key, first)
                    known = [(_digest(one), summary) for one in group if (summary := self._readable(*key, one))]
                    self.evidence.of(_digest(first), baseline, known)
                    left -= sum(len(shared_names(baseline, other)) for _, other in known)

    def _unweighed(self, first: str | DayRow, others: Sequence[str | DayRow]) -> Iterator[Sequence[str | DayRow]]:
        """Yield the profiles that were not weighed beside a baseline yet, some at a time."""
        own = _digest(first)
        missing = [one for one in others if _digest(one) != own and not self.evidence.has(own, _digest(one))]
        for begin in range(0, len(missing), _GROUP):
            yield missing[begin : begin + _GROUP]

    def _summary(self, org_id: str, dataset_id: str, one: str | DayRow) -> ProfileSummary:
        """Return what a reference, by its hash, or a day holds.

        Raises
        ------
        ProfileError, FileNotFoundError
            It cannot be read, or is gone.
        """
        kept = self._summaries
        return (kept.of_upload(one) if isinstance(one, str) else kept.of_day(org_id, dataset_id, one)).summary

    def _readable(self, org_id: str, dataset_id: str, one: str | DayRow) -> ProfileSummary | None:
        with contextlib.suppress(ProfileError, FileNotFoundError):
            return self._summary(org_id, dataset_id, one)
        return None

    # What pages ask for

    def _baseline(self, org_id: str, dataset_id: str, value: str) -> Baseline | None:
        """Return a baseline by its value in URLs; None if it is not there. Raises like `_summary`."""
        row = self._metadata.reference(org_id, dataset_id, value)
        if row is not None and row.sha256:
            return Baseline(value, row.sha256, self._summaries.of_upload(row.sha256).summary)
        day = self._metadata.day(org_id, dataset_id, int(value)) if value.lstrip("-").isdecimal() else None
        if day is None:
            return None
        return Baseline(value, day.digest, self._summaries.of_day(org_id, dataset_id, day).summary)

    def own_baseline(self, org_id: str, dataset_id: str) -> Baseline | None:
        """Return what a dataset's days are compared with unless someone chose, or None.

        It is its first reference, else its first day; one that cannot be read leaves that to the next one.
        """
        key = (org_id, dataset_id)
        for row in self._metadata.references(*key, limit=MAX_TRIED):
            summary = self._readable(*key, row.sha256 or "")
            if summary is not None:
                return Baseline(row.id, row.sha256 or "", summary)
        for day in self._metadata.first_days(*key, MAX_TRIED):
            summary = self._readable(*key, day)
            if summary is not None:
                return Baseline(str(day.day), day.digest, summary)
        return None

    def days(
        self, org_id: str, dataset_id: str, *, columns: int, start: int | None = None, end: int | None = None
    ) -> list[DayRow]:
        """Return the days that are shown in a row, in order of time, and one more before them if there are more.

        Parameters
        ----------
        columns : int
            Of the baseline.
        start, end : int, optional
            The first and the last day, in ms.
        """
        limit = most_days(columns)
        return self._metadata.days(org_id, dataset_id, limit=limit + 1, start=start, end=end)[::-1]

    def compared(
        self,
        org_id: str,
        dataset_id: str,
        baseline: Baseline,
        days: Sequence[DayRow],
        until: float | None = None,
        *,
        alone: bool = True,
    ) -> Compared:
        """Return days beside a baseline, and compare those that were not yet.

        Parameters
        ----------
        baseline : Baseline
        days : sequence of DayRow
        until : float, optional
            `time.monotonic` when to stop comparing; what is left is for the next time. None for all that it takes.
        alone : bool, optional
            Whether to go on though something arrives for the dataset.

        Raises
        ------
        WorkStoppedError
            When the work's budget is spent.
        """
        found = [self._kept(baseline, day) for day in days]
        problems: dict[int, str] = {}
        missing = [place for place, one in enumerate(found) if one is None and str(days[place].day) != baseline.value]
        left = len(missing)
        for begin in range(0, len(missing), _GROUP):
            checkpoint()
            if (until is not None and time.monotonic() > until) or (not alone and self._is_called(org_id, dataset_id)):
                break
            group = missing[begin : begin + _GROUP]
            left -= len(group)
            with self._comparing:
                self._compare_group(
                    org_id, dataset_id, baseline, [(place, days[place]) for place in group], found, problems
                )
        return Compared(list(days), found, problems, left)

    def _compare_group(
        self,
        org_id: str,
        dataset_id: str,
        baseline: Baseline,
        group: Sequence[tuple[int, DayRow]],
        found: list[DayComparison | None],
        problems: dict[int, str],
    ) -> None:
        """Compare some days, unless someone else did meanwhile."""
        summaries = []
        for place, day in group:
            found[place] = self._kept(baseline, day)
            if found[place] is not None:
                continue
            try:
                summaries.append((place, day, self._summaries.of_day(org_id, dataset_id, day).summary))
            except ProfileError as error:
                problems[place] = str(error)
            except FileNotFoundError:
                problems[place] = "Its file is missing from the store."
        compared = compare_days(baseline.summary, [summary for _, _, summary in summaries])
        for (place, day, _), one in zip(summaries, compared, strict=True):
            found[place] = one
            kept_files.keep(self._path(baseline, day), [one.to_bytes()], "the comparison of a day")

    def kept(self, baseline: Baseline, days: Sequence[DayRow]) -> list[DayComparison | None]:
        """Return what is known of days already."""
        return [self._kept(baseline, day) for day in days]

    def kept_course(self, baseline: Baseline, days: Sequence[DayRow]) -> list[tuple[str, str]] | None:
        """Return what `keep_course` kept of these very days; None if that is nothing."""
        try:
            content = without_checksum(self._course_path(baseline, days).read_bytes())
            found = msgspec.msgpack.decode(content, type=list[tuple[str, str]])
        except (OSError, ValueError):  # msgspec's errors are values', too
            return None
        return found if len(found) == len(days) else None

    def keep_course(self, baseline: Baseline, days: Sequence[DayRow], course: Sequence[tuple[str, str]]) -> None:
        """Keep what was said of days in a row, all of which were compared: a kind and a text each."""
        content = with_checksum(msgspec.msgpack.encode(course))
        kept_files.keep(self._course_path(baseline, days), [content], "the course of a dataset")

    def _course_path(self, baseline: Baseline, days: Sequence[DayRow]) -> Path:
        known = (f"{day.day} {day.digest}" for day in days)
        return kept_files.path_of(self._directory, _COURSE, __version__, baseline.value, baseline.fingerprint, *known)

    def _is_called(self, *key: str) -> bool:
        with self._condition:
            return key in self._waiting

    # Files

    def _path(self, baseline: Baseline, day: DayRow) -> Path:
        return kept_files.path_of(self._directory, baseline.fingerprint, day.digest)

    def _kept(self, baseline: Baseline, day: DayRow) -> DayComparison | None:
        try:
            return DayComparison.from_bytes(self._path(baseline, day).read_bytes())
        except (OSError, ProfileError):
            return None


def _digest(one: str | DayRow) -> str:
    """Return what the content of a reference, which is its hash, or of a day depends on."""
    return one if isinstance(one, str) else one.digest

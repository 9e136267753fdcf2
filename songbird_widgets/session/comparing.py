"""Comparing what is selected: from bytes in memory or in files, else from what the endpoint returns."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from ..basics import DAY_MS
from .errors import SelectionError, SessionError
from .selection import arrange, different, own_baseline, resolve, there_is

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from ..observatory import ComparisonResult, TrendResult
    from ..observatory.trend_results import DayContent
    from ..profiles import ProfileSummary
    from .models import SessionProfile
    from .remote import RemoteSession
    from .store import ProfileStore, Snapshot

MAX_SUMMARIES = 8
"""Summaries of what was compared last that are kept: another choice of the same days need not be read again."""

# What a side's comparison depends on: its label, and the contents of its uploads.
_SideKey = tuple[str, ...]


class Comparisons:
    """Compares what is selected in a store, one comparison at a time, and keeps the last one.

    Parameters
    ----------
    store : ProfileStore
        What is selected, and the bytes that are at hand.
    """

    def __init__(self, store: ProfileStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._summaries: OrderedDict[_SideKey, tuple[ProfileSummary, str]] = OrderedDict()
        self._last: tuple[tuple[_SideKey, ...], ComparisonResult] | None = None

    def known(self) -> ComparisonResult | None:
        """Return the comparison of what is selected if it was made already."""
        last = self._last
        return last[1] if last is not None and last[0] == _subject(*_selected(self._store)) else None

    def make(
        self,
        remote: RemoteSession,
        what: Sequence[object] = (),
        thresholds: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
    ) -> ComparisonResult:
        """Return the comparison of what is named, by default of what is selected.

        Parameters
        ----------
        remote : RemoteSession
        what : sequence of object
        thresholds, columns
            As `songbird_widgets.compare` takes them.

        Raises
        ------
        SelectionError
            If nothing is selected, or what is named cannot be.
        SessionError
            If bytes are not here and the endpoint does not give them back.
        ProfileError
            If a side has nothing that can be read, or none has one of `columns`.
        SongbirdError
            If the endpoint was asked and refused, or did not answer.
        """
        from ..observatory import display
        from ..profiles import compare_profiles, read_thresholds

        limits = None if thresholds is None else read_thresholds(thresholds)
        usual = limits is None and columns is None
        with self._lock:
            now = self._store.snapshot()
            chosen = arrange(different(resolve(one, now.profiles) for one in what)) if what else now.selected
            if not chosen:
                raise SelectionError(
                    f"Nothing is selected: choose up to three with session.select(...). {there_is(now.profiles)}"
                )
            subject = _subject(now, chosen)
            if usual and self._last is not None and self._last[0] == subject:
                return self._last[1]
            sides = [self._side(remote, item, now, key) for item, key in zip(chosen, subject, strict=True)]
            summaries, labels = [summary for summary, _ in sides], [label for _, label in sides]
            result = display(compare_profiles(summaries, labels, limits, columns))
            if usual and not what:
                self._last = subject, result
            return result

    def trends(self, remote: RemoteSession, baseline: object = None) -> TrendResult:
        """Return every day beside a baseline; raises as `make` does.

        Parameters
        ----------
        baseline : object, optional
            Anything that names one of the profiles; by default the first that is selected, else the first reference by
            name, else the first day.
        """
        from ..observatory import follow
        from ..profiles.trends import left_out, most_days

        with self._lock:
            now = self._store.snapshot()
            days = sorted(
                {p.slot: p for p in now.profiles if p.kind == "batch" and p.dataset_timestamp is not None}.values(),
                key=lambda item: item.dataset_timestamp or 0,
            )
            usual = next(iter(now.selected), None) or own_baseline(now.profiles)
            first = usual if baseline is None else resolve(baseline, now.profiles)
            if first is None:
                raise SelectionError("There are no profiles to show over time: session.add(...) some of several days.")
            summary, label = _summed_up(first.choice, self._contents(remote, first, now.uploads(first)))
            columns = len(summary.names)
            shown = [self._day(remote, item, now, first) for item in days[-most_days(columns) :]]
            return follow(label, summary, (read() for read in shown), left_out(len(days), columns))

    def _day(
        self, remote: RemoteSession, item: SessionProfile, now: Snapshot, baseline: SessionProfile
    ) -> Callable[[], DayContent]:
        """Return a function that reads one day, so that only one is in memory at a time."""

        def read() -> DayContent:
            from ..observatory.trend_results import DayContent
            from ..profiles import ProfileError

            uploads = now.uploads(item)
            day = (item.dataset_timestamp or 0) // DAY_MS * DAY_MS
            if item.slot == baseline.slot:
                return DayContent(day, None, uploads=len(uploads), is_baseline=True)
            try:
                summary, _ = _summed_up(item.choice, self._contents(remote, item, uploads))
            except ProfileError as error:
                return DayContent(day, None, str(error), len(uploads))
            return DayContent(day, summary, uploads=len(uploads))

        return read

    def _side(
        self, remote: RemoteSession, item: SessionProfile, now: Snapshot, key: _SideKey
    ) -> tuple[ProfileSummary, str]:
        """Return the summary of one side, and its label."""
        known = self._summaries.get(key)
        if known is None:
            known = _summed_up(item.choice, self._contents(remote, item, now.uploads(item)))
            self._summaries[key] = known
        self._summaries.move_to_end(key)
        while len(self._summaries) > MAX_SUMMARIES:
            self._summaries.popitem(last=False)
        return known

    def _contents(self, remote: RemoteSession, item: SessionProfile, uploads: Iterable[SessionProfile]) -> list[bytes]:
        here: dict[SessionProfile, bytes | None] = {upload: self._store.bytes_of(upload) for upload in uploads}
        if None not in here.values():
            return [data for data in here.values() if data is not None]
        unsent = [data for upload, data in here.items() if upload.state != "uploaded" and data is not None]
        return [*_files(remote.files(item)), *unsent]


def _selected(store: ProfileStore) -> tuple[Snapshot, Sequence[SessionProfile]]:
    now = store.snapshot()
    return now, now.selected


def _subject(now: Snapshot, chosen: Sequence[SessionProfile]) -> tuple[_SideKey, ...]:
    return tuple(
        (item.choice, *sorted(p.sha256 or p.profile_id or p.key for p in now.uploads(item))) for item in chosen
    )


def _files(content: bytes) -> Iterator[bytes]:
    """Return the profiles in what an endpoint has sent: one, or an archive of them."""
    from ..profiles import ProfileSource, find_sources

    for source in find_sources(content):
        if isinstance(source, ProfileSource):
            yield source.content if isinstance(source.content, bytes) else source.content.read_bytes()


def _summed_up(label: str, contents: list[bytes]) -> tuple[ProfileSummary, str]:
    """Merge the uploads of one side; the label says how many could not be added to the others."""
    from ..profiles import ProfileError, addable, merge_profiles, read_profile, summarize

    profiles, problem = [], None
    for content in contents:
        try:
            profiles.append(read_profile(content))
        except ProfileError as error:
            problem = error
    if not profiles:
        raise problem or SessionError(f"There is nothing to read of {label}.")
    whole = [profiles[place] for place in addable([profile.segments for profile in profiles])]
    missing = len(contents) - len(whole)
    if missing:
        label = f"{label} (without {missing} of {len(contents)} uploads)"
    return summarize(whole[0] if len(whole) == 1 else merge_profiles(whole)), label

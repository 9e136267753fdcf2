"""What pages need of each profile, computed once and kept: summaries of uploads and of whole days.

A summary is made when its profile arrives, beside the loop, and kept in a file named by the profile's hash. One that
is missing, was written by another version or is damaged is made anew by whoever asks. The profiles of a day are kept
merged, so that one more costs one merger: the file says which uploads it holds, and what came later is added.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import mmap
import os
import queue
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ..basics import with_checksum, without_checksum
from ..budget import Budget, WorkStoppedError, checkpoint
from ..observatory.formatting import timestamp
from ..profiles import ProfileError, ProfileSummary, addable, merge_profiles, read_profile, summarize
from ..profiles.data_model import fullest
from . import kept_files
from .handler import logger
from .memory import return_freed_memory
from .rows import Figures
from .tables import chained
from .upload_urls import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from pathlib import Path

    from ..profiles import Profile
    from .blobs import BlobStore
    from .metadata import Metadata
    from .rows import Arrival, DayRow, ProfileRow

T = TypeVar("T")

MAX_KEPT_BYTES = 4_000_000_000
"""Bytes of all summaries; beyond, those that were used longest ago are removed."""

MAX_WAITING = 10_000
"""Arrivals whose summaries are still to be made; those of further ones are made when a page asks for them."""

QUIET_SECONDS = 0.1
"""How long no upload has arrived before summaries are made: uploads go first."""

ARRIVAL_SECONDS = 120.0
"""How long the summary of an arrival may take; beyond, it is left to whoever asks for it."""

MAX_FIGURES = 200
"""Figures of arrivals that are noted at once."""

MAX_BYTES_AT_ONCE = 64 << 20
"""Bytes of uploads that are held in memory while a day is merged; one that is larger is held alone."""

_POLL_SECONDS = 0.1
_TIDY_EVERY = 200
_MAGIC = b"SBW-KEPT\x03"
_PROBLEM_CHARACTERS = 2_000


class _Head(msgspec.Struct, frozen=True):
    """What a file begins with."""

    digest: str
    problem: str = ""
    uploads: int = 1
    after: tuple[int, str] = (0, "")
    damaged: tuple[tuple[str, str], ...] = ()
    segmented: bool = False  # whether an upload covers a segment only
    summary: int = 0  # bytes
    profile: int = 0  # bytes of the merged profile of a day
    check: str = ""  # of the merged profile


class _SegmentsCameError(Exception):
    """An upload covers a segment: all uploads of its day must be looked at together."""


class Kept(msgspec.Struct, frozen=True):
    """A summary, and the uploads of a day that it leaves out, with the reason.

    They cannot be read, or cover a segment of a whole that is there, too.
    """

    summary: ProfileSummary
    damaged: tuple[tuple[str, str], ...] = ()


class Summaries:
    """The summaries of a service.

    Parameters
    ----------
    directory : Path
        Made if it is missing; everything in it can be made again.
    metadata, blobs
        Where profiles are known and kept.
    """

    def __init__(self, directory: Path, metadata: Metadata, blobs: BlobStore) -> None:
        self._directory = directory
        self._metadata = metadata
        self._blobs = blobs
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[Kept]] = {}
        self._waiting: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._last_arrival = 0.0
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._figures: queue.SimpleQueue[Figures] = queue.SimpleQueue()  # that are to be noted
        self._budget = Budget(0)  # of the summary that is made beside the pages
        #: Told of each upload whose summary was made.
        self.then: Callable[[Arrival], None] | None = None

    # What arrives

    def arrived(self, arrival: Arrival) -> None:
        """Have the summary of an upload made, or that of its day."""
        self._last_arrival = time.monotonic()
        if self._waiting.qsize() >= MAX_WAITING:
            return
        self._waiting.put(arrival)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="summaries", daemon=True)
                self._thread.start()

    def _make(self, arrival: Arrival) -> None:
        day = None
        if arrival.day is not None:
            day = self._metadata.day(arrival.org_id, arrival.dataset_id, arrival.day)
        if arrival.day is None or (day and day.digest == arrival.sha256):
            summary = self.of_upload(arrival.sha256).summary
            columns = sum(parent is None for parent in summary.parents)
            self._figures.put(Figures(arrival.profile_id, summary.rows, columns))
        elif day:
            self.of_day(arrival.org_id, arrival.dataset_id, day)
        if self.then is not None:
            self.then(arrival)

    def _work(self) -> None:
        while (arrival := self._waiting.get()) is not None:
            while (left := self._last_arrival + QUIET_SECONDS - time.monotonic()) > 0:
                time.sleep(left)
            self._budget = Budget(ARRIVAL_SECONDS)
            try:
                with self._budget.spent():
                    self._make(arrival)
            except (ProfileError, FileNotFoundError, WorkStoppedError):
                pass  # a page that shows it says so
            except Exception:  # the next one may well be made
                logger.exception("a summary could not be made; it is tried again when a page asks for it")
            if self._waiting.empty() or self._figures.qsize() >= MAX_FIGURES:
                self._note_figures()
            return_freed_memory()

    def _note_figures(self) -> None:
        figures = []
        with contextlib.suppress(queue.Empty):
            while True:
                figures.append(self._figures.get_nowait())
        try:
            if figures:
                self._metadata.note_figures(figures)
        except Exception:  # the listing says less
            logger.exception("rows and columns of what arrived could not be noted")

    def close(self) -> None:
        """Make no more summaries."""
        while not self._waiting.empty():
            with contextlib.suppress(queue.Empty):
                self._waiting.get_nowait()
        self._waiting.put(None)
        self._budget.cancel()
        if self._thread is not None:
            self._thread.join()

    # What pages ask for

    def of_upload(self, sha256: str) -> Kept:
        """Return the summary of a content.

        Raises
        ------
        ProfileError
            When it is no readable profile.
        FileNotFoundError
            When it is gone from the store.
        """
        return self._once(sha256, lambda: self._of_upload(sha256))

    def of_day(self, org_id: str, dataset_id: str, day: DayRow) -> Kept:
        """Return the summary of all uploads of a day.

        Raises
        ------
        ProfileError
            When none of them is a readable profile.
        FileNotFoundError
            When one of them is gone from the store.
        """
        if day.uploads == 1:
            return self.of_upload(day.digest)
        return self._once((org_id, dataset_id, day.day, day.digest), lambda: self._of_day(org_id, dataset_id, day))

    def discard(self, org_id: str, dataset_id: str, day: int | None, digest: str) -> None:
        """Remove what is kept of an upload or a day, because it is damaged; it is made anew when asked for."""
        paths = [self._directory / digest[:2] / digest]
        if day is not None:
            paths.append(self._day_path(org_id, dataset_id, day))
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        with self._lock:  # what others have just opened is damaged, too: nobody is to wait for that
            self._under_way.pop(digest, None)
            self._under_way.pop((org_id, dataset_id, day, digest), None)

    def _day_path(self, org_id: str, dataset_id: str, day: int) -> Path:
        name = hashlib.sha256(f"{org_id}\n{dataset_id}\n{day}".encode()).hexdigest()
        return self._directory / "days" / name

    def _once(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Return what `make` makes; who asks for what is being made waits for it, as long as his own time lasts."""
        while True:
            with self._lock:
                future = self._under_way.get(key)
                if future is None:
                    future = self._under_way[key] = Future()
                    break
            with contextlib.suppress(FutureTimeout, WorkStoppedError):  # whoever made it was stopped: try again
                return future.result(_POLL_SECONDS)
            checkpoint()
        try:
            made = make()
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            future.set_result(made)
            return made
        finally:
            with self._lock:
                if self._under_way.get(key) is future:
                    del self._under_way[key]

    def _of_upload(self, sha256: str) -> Kept:
        path = self._directory / sha256[:2] / sha256
        found = _open(path)
        if found and found.head.digest == sha256:
            if found.head.problem:
                raise ProfileError(found.head.problem)
            with contextlib.suppress(ProfileError):  # damaged, or of another version
                return Kept(found.summary())
        try:
            summary = summarize(read_profile(self._blobs.read(sha256)))
        except ProfileError as error:
            self._write(path, _Head(sha256, problem=str(error)[:_PROBLEM_CHARACTERS]))
            raise
        parts = summary.to_parts()
        self._write(path, _Head(sha256, summary=_size(parts)), *parts)
        return Kept(summary)

    def _of_day(self, org_id: str, dataset_id: str, day: DayRow) -> Kept:
        path = self._day_path(org_id, dataset_id, day.day)
        found = _open(path)
        if found and found.head.digest == day.digest:
            if found.head.problem:
                raise ProfileError(found.head.problem)
            with contextlib.suppress(ProfileError):
                return Kept(found.summary(), found.head.damaged)
        # A whole may come after its segments: then those that were added up must be left out.
        if found and found.head.uploads < day.uploads and not found.head.segmented:
            rows = self._metadata.day_uploads(org_id, dataset_id, day.day, after=found.head.after)
            if chained(found.head.digest, [row.sha256 or "" for row in rows]) == day.digest:
                with contextlib.suppress(ProfileError, _SegmentsCameError):
                    return self._merged(path, found.head, found.profile(), rows)
        rows = self._metadata.day_uploads(org_id, dataset_id, day.day)
        return self._merged(path, _Head("", uploads=0), None, rows)

    def _merged(self, path: Path, head: _Head, merged: Profile | None, rows: list[ProfileRow]) -> Kept:
        """Add uploads to what is merged already, and keep the whole."""
        damaged, problem = list(head.damaged), head.problem
        # What fits into memory at once is read once; of more first what there is, and then some at a time.
        at_once = sum(row.size or 0 for row in rows) <= MAX_BYTES_AT_ONCE
        read: dict[str, Profile] = {}
        segments: dict[str, tuple[tuple[tuple[str, str], ...], str | None]] = {}
        for row in rows:
            checkpoint()
            try:
                profile = read_profile(self._blobs.read(row.sha256 or ""))
                columns = [profile.column(column) for column in profile.column_names]
            except ProfileError as error:
                damaged.append((_called(row), str(error)))
                problem = problem or str(error)
            else:
                segments[row.id] = profile.segments, profile.segment
                self._figures.put(Figures(row.id, fullest(columns), len(columns)))
                problem = ""
                if at_once:
                    read[row.id] = profile
        segmented = any(of_row for of_row, _ in segments.values())
        if segmented and head.uploads:
            raise _SegmentsCameError
        readable = [row for row in rows if row.id in segments]
        taken = {readable[place].id for place in addable([segments[row.id][0] for row in readable])}
        damaged += [
            (_called(row), f"It covers a segment only, {segments[row.id][1]}, and is not added to the others.")
            for row in readable
            if row.id not in taken
        ]
        whole, content = merged, b""
        for group in _groups([row for row in readable if row.id in taken]):
            before = read_profile(content) if content else merged
            added = [
                read.pop(row.id) if row.id in read else read_profile(self._blobs.read(row.sha256 or ""))
                for row in group
            ]
            whole, content, refused = _joined(before, added)
            damaged += [(_called(group[place]), reason) for place, reason in refused]
        last = rows[-1]
        state = _Head(
            digest=chained(head.digest, [row.sha256 or "" for row in rows]),
            uploads=head.uploads + len(rows),
            after=(last.upload_timestamp or 0, last.id),
            damaged=tuple(damaged),
            segmented=segmented,
        )
        if whole is None:
            self._write(path, msgspec.structs.replace(state, problem=problem[:_PROBLEM_CHARACTERS]))
            raise ProfileError(problem)
        content = content or whole.to_bytes()
        summary = summarize(whole)
        summarized = summary.to_parts()
        check = hashlib.sha256(content).hexdigest()
        kept = msgspec.structs.replace(state, summary=_size(summarized), profile=len(content), check=check)
        self._write(path, kept, *summarized, content)
        return Kept(summary, tuple(damaged))

    # Files

    def _write(self, path: Path, head: _Head, *parts: bytes | memoryview) -> None:
        """Keep a file; without room for it pages still come, each made anew."""
        encoded = with_checksum(msgspec.msgpack.encode(head))
        start = len(_MAGIC) + 4 + len(encoded)
        content = [_MAGIC, len(encoded).to_bytes(4, "little"), encoded, bytes(-start % 8), *parts]
        kept_files.keep(path, content, "a summary")
        if next(self._numbers) % _TIDY_EVERY == 0:
            self._tidy()

    def _tidy(self) -> None:
        """Remove what was used longest ago, while there is too much."""
        with contextlib.suppress(OSError):
            files = [(path.stat(), path) for path in self._directory.rglob("*") if path.is_file()]
            total = sum(found.st_size for found, _ in files)
            for found, path in sorted(files, key=lambda one: one[0].st_atime):
                if total <= MAX_KEPT_BYTES:
                    return
                path.unlink(missing_ok=True)
                total -= found.st_size


def _size(parts: Iterable[bytes | memoryview]) -> int:
    return sum(memoryview(part).nbytes for part in parts)


def _groups(rows: Iterable[ProfileRow]) -> Iterator[list[ProfileRow]]:
    """Yield uploads in groups that fit into memory at once."""
    group: list[ProfileRow] = []
    size = 0
    for row in rows:
        if group and size + (row.size or 0) > MAX_BYTES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(row)
        size += row.size or 0
    if group:
        yield group


def _joined(before: Profile | None, added: list[Profile]) -> tuple[Profile | None, bytes, list[tuple[int, str]]]:
    """Join profiles, without those that cannot be added: they would count more, or hold more, than a profile can.

    Returns
    -------
    Profile or None
        The whole, which reads its columns from its parts.
    bytes
        The same as a file.
    list of (int, str)
        The places of those that were left out, with the reason.
    """
    checkpoint()
    try:
        whole = merge_profiles([*([before] if before else []), *added])
        content = _as_file(whole)
    except ProfileError as error:
        if len(added) == 1:
            reason = f"It cannot be added to the others. {error}"
            return before, before.to_bytes() if before else b"", [(0, reason)]
    else:
        return whole, content, []
    half = len(added) // 2
    _, content, refused = _joined(before, added[:half])
    joined, content, others = _joined(read_profile(content) if content else before, added[half:])
    return joined, content, [*refused, *((place + half, reason) for place, reason in others)]


def _as_file(whole: Profile) -> bytes:
    content = whole.to_bytes()
    if len(content) > MAX_PROFILE_BYTES:
        raise ProfileError("The uploads of this day hold together more than a profile can.")
    read_profile(content)  # which refuses too many columns
    return content


def _called(row: ProfileRow) -> str:
    return f"{row.id}, {timestamp(row.dataset_timestamp)}"


def give_back(summary: ProfileSummary) -> None:
    """Give back the memory of what was read of a summary's file; what is needed once more is read again."""
    content: object = summary.items.base
    mapped = content.obj if isinstance(content, memoryview) else None
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


class _File:
    def __init__(self, content: memoryview, head: _Head, start: int) -> None:
        self._content = content
        self.head = head
        self._start = start

    def summary(self) -> ProfileSummary:
        made = ProfileSummary.from_bytes(self._content[self._start : self._start + self.head.summary])
        give_back(made)  # checking has touched all of it, and a page needs little
        return made

    def profile(self) -> Profile | None:
        """The merged profile; None when all uploads so far were damaged."""
        if self.head.problem:
            return None
        start = self._start + self.head.summary
        content = bytes(self._content[start : start + self.head.profile])
        if hashlib.sha256(content).hexdigest() != self.head.check:
            raise ProfileError("The merged profile is damaged.")
        return read_profile(content)


def _open(path: Path) -> _File | None:
    """Open a file of this version; None when there is none."""
    try:
        with path.open("rb") as file:
            if os.name == "nt":  # where a file that is mapped cannot be replaced
                content = memoryview(file.read())
            else:
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # ValueError for an empty file
        return None
    if bytes(content[: len(_MAGIC)]) != _MAGIC:
        return None
    begin = len(_MAGIC) + 4
    end = begin + int.from_bytes(content[begin - 4 : begin], "little")
    try:
        head = msgspec.msgpack.decode(without_checksum(content[begin:end]), type=_Head)
    except ValueError:  # msgspec's errors are values', too
        return None
    start = end + -end % 8
    if len(content) != start + head.summary + head.profile:
        return None
    return _File(content, head, start)

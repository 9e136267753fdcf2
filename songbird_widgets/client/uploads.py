"""Profiles to an endpoint, one or thousands: a slot each, minted just before its bytes are sent."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from . import errors
from . import models as m
from .conversation import Exchange, Failure, Outcome, Reply, Steps, attempts, call, no_answer
from .errors import Cancelled, SongbirdError
from .operations import check
from .retry import Repeat
from .secrecy import Discreet, excerpt, origin_of, plain, secrets_of

if TYPE_CHECKING:
    from .configuration import Settings
    from .songbird import AsyncSongbird, Songbird

State: TypeAlias = Literal["sending", "uploaded", "failed", "cancelled"]
Slot: TypeAlias = "m.CreateDatasetProfileUploadResponse | m.LogSessionReferenceResponse"

_CHUNK = 256 * 1024
_PROGRESS_STEP = 1024 * 1024
_SLOWEST = 32 * 1024  # bytes a second: who takes a profile more slowly has stopped working
_GROUP_ITEMS = 8  # references that share a request for slots, as long as their bytes leave at once
_GROUP_BYTES = 4 * 1024 * 1024
_IN_VAIN = 3  # failures to connect in a row, each after its own repetitions, before the rest is given up
_FATAL = (errors.SessionExpired, errors.AuthenticationError, errors.NotFound)  # for one slot: for all others too

_log = logging.getLogger("songbird_widgets.client")


class ProfileUpload(Discreet, frozen=True):
    """One profile to upload.

    Parameters
    ----------
    content
        Its bytes, or the file that holds them, which is streamed.
    kind
        ``"batch"`` (known by its timestamp) or ``"reference"`` (known by its id, shown by its alias).
    dataset_timestamp
        Milliseconds since 1970 UTC; a batch must have one.
    alias
        What people call a reference.
    segment_tags, region
        Which segment of the dataset a batch is; where to store it.
    key
        The caller's own name for it, echoed in progress and result.
    """

    _shown = ("kind", "dataset_timestamp", "alias", "segment_tags", "region", "key")
    content: bytes | Path
    kind: Literal["batch", "reference"]
    dataset_timestamp: int | None = None
    alias: str | None = None
    segment_tags: tuple[m.SegmentTag, ...] = ()
    region: str | None = None
    key: str = ""


class UploadProgress(Discreet, frozen=True):
    """How far one profile is: `sent` of `total` bytes. `sent` starts again when an attempt is repeated.

    `profile_id` comes with the state ``"uploaded"``, so that an arrival can be written down as it happens.
    """

    _shown = ("key", "state", "sent", "total", "profile_id")
    key: str
    state: State
    sent: int
    total: int
    profile_id: str | None = None


class UploadResult(Discreet, frozen=True):
    """What became of one profile: its final id and link, or why not. The link carries the session id."""

    _shown = ("key", "state", "profile_id", "error")
    key: str
    state: Literal["uploaded", "failed", "cancelled"]
    profile_id: str | None = None
    observatory_url: str | None = None
    error: SongbirdError | None = None


class _Item:
    """A profile on its way: checked, its body made anew for every attempt, and how far it is."""

    def __init__(self, index: int, profile: ProfileUpload, job: _Job) -> None:
        self.index, self.profile, self.job = index, profile, job
        self.blocking = isinstance(profile.content, Path)  # whether reading it waits for a disk
        self.size = self.sent = 0
        self.problem: SongbirdError | None = None
        try:
            self.size = _size(profile.content)
            self.reference = m.LogReferenceRequest(profile.alias, profile.dataset_timestamp, profile.region)
            self.request = self._request()
            check(self.request)
        except SongbirdError as error:
            self.problem = error

    def _request(self) -> m.Request[Any]:
        """Make the message that asks for this profile's own slot."""
        p = self.profile
        if p.kind == "batch":
            batch = m.LogAsyncRequest(cast("int", p.dataset_timestamp), tuple(p.segment_tags), p.region)
            return m.CreateDatasetProfileUploadRequest(batch, self.job.session_id)
        if p.kind != "reference":
            raise errors.ValidationError("A profile is a batch or a reference.")
        return m.CreateReferenceProfileUploadRequest(self.reference, self.job.session_id)

    def chunks(self) -> Iterator[bytes]:
        """Return the bytes, telling how far they are, until the caller says stop."""
        self.sent, told = 0, 0
        content = self.profile.content
        for chunk in _from_file(content, self.size) if isinstance(content, Path) else _from_memory(content):
            if self.job.stopped():
                raise Cancelled("Stopped while sending a profile.")
            yield chunk
            self.sent += len(chunk)
            if self.sent - told >= _PROGRESS_STEP and self.sent < self.size:
                told = self.sent
                self.tell("sending")

    def tell(self, state: State, profile_id: str | None = None) -> None:
        """Tell the caller how far it is."""
        self.job.tell(UploadProgress(self.profile.key, state, self.sent, self.size, profile_id))


def _size(content: bytes | Path) -> int:
    if isinstance(content, Path):
        try:
            size, problem = content.stat().st_size, "" if content.is_file() else "it is not a file"
        except OSError as error:
            size, problem = 0, _reason(error)
        if problem:
            raise errors.ValidationError(f"{plain(content.name)} cannot be read: {problem}.")
    elif isinstance(content, (bytes, bytearray, memoryview)):
        size = memoryview(content).nbytes
    else:
        raise errors.ValidationError(f"A profile's content must be bytes or a Path, not {type(content).__name__}.")
    if not size:
        raise errors.ValidationError("The profile is empty: it has no bytes.")
    return size


def _reason(error: OSError) -> str:
    return (error.strerror or "no reason given").lower()


def _from_memory(content: bytes) -> Iterator[bytes]:
    view = memoryview(content).cast("B")
    for start in range(0, len(view), _CHUNK):
        yield bytes(view[start : start + _CHUNK])


def _from_file(path: Path, size: int) -> Iterator[bytes]:
    problem, left = "it changed while it was being sent", size
    try:
        with path.open("rb") as file:
            while left:
                chunk = file.read(min(_CHUNK, left))
                left -= len(chunk)
                if not chunk or (not left and file.read(1)):
                    break  # before the last byte leaves, so that no torn profile arrives
                yield chunk
            else:
                return
    except OSError as error:
        problem = _reason(error)
    raise errors.ValidationError(f"{plain(path.name)} cannot be read: {problem}.")


class _Job:
    """What the workers of one call share: the profiles still to come, the results, and when to stop."""

    def __init__(  # noqa: PLR0917 - called in two places below
        self,
        settings: Settings,
        session_id: str,
        profiles: Iterable[ProfileUpload],
        cancelled: Callable[[], bool],
        concurrency: int,
        on_progress: Callable[[UploadProgress], None] | None,
    ) -> None:
        if concurrency < 1:
            raise errors.ConfigurationError("The concurrency must be a number of uploads at once, 1 or more.")
        # It is halted by an exception outside of any upload.
        self.settings, self.session_id, self.halted = settings, session_id, False
        self._given_up: SongbirdError | None = None  # by a failure that all others would share
        self.finished: dict[int, UploadResult] = {}
        self._source, self._count, self._in_vain = iter(profiles), 0, 0
        self._next: _Item | None = None
        self._sized = len(profiles) if isinstance(profiles, Collection) else None
        self._on_progress, self._cancelled, self._lock = on_progress, cancelled, threading.Lock()
        known = concurrency**2 if self._sized is None else self._sized
        self.workers = max(1, min(concurrency, known))
        self._group = max(1, min(_GROUP_ITEMS, -(-known // concurrency)))

    def stopped(self) -> bool:
        """Whether to send nothing more."""
        return self.halted or self._cancelled()

    def pause(self, seconds: float) -> None:
        """Wait, unless stopped."""
        until = time.monotonic() + seconds
        while not self.stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def tell(self, progress: UploadProgress) -> None:
        """Tell the caller, whose own mistakes must not cost him his uploads."""
        if self._on_progress is not None:
            try:
                self._on_progress(progress)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is not ours
                self._on_progress = None
                _log.warning("on_progress raised %s: no further progress is told.", type(error).__name__)

    def take(self) -> list[_Item]:
        """Return the next profile, or a few references to share a request for slots; at the end none."""
        taken: list[_Item] = []
        room = _GROUP_BYTES
        with self._lock:
            while len(taken) < self._group and (item := self._following()) is not None:
                alone = item.profile.kind != "reference" or item.size > room
                if taken and alone:
                    break
                self._next = None
                taken.append(item)
                room -= item.size
                if alone:
                    break
        return taken

    def _following(self) -> _Item | None:
        if self._next is None and not (self._sized is None and (self._given_up is not None or self.stopped())):
            profile = next(self._source, None)
            if profile is not None:
                self._next = _Item(self._count, profile, self)
                self._count += 1
        return self._next

    def upload(self, items: list[_Item]) -> Steps[None]:
        """Hold the conversations that upload some profiles, one after the other; each gets its result."""
        try:
            slots = yield from self._slots([item for item in items if item.problem is None])
            for item in items:
                problem = item.problem or self._given_up
                if problem is None and self.stopped():
                    break
                if problem is None:
                    problem = yield from self._one(item, slots.get(item.index))
                if problem is not None:
                    self._finish(item, problem)
        finally:
            for item in items:
                if item.index not in self.finished:
                    self._finish(item, Cancelled("Stopped before it was sent completely."))

    def results(self) -> list[UploadResult]:
        """Return what became of each profile, those included that nobody came to."""
        while items := self.take():
            for item in items:
                self._finish(item, item.problem or self._given_up or Cancelled("Stopped before it was sent."))
        return [self.finished[index] for index in sorted(self.finished)]

    def _finish(self, item: _Item, outcome: Slot | SongbirdError) -> None:
        key = item.profile.key
        if isinstance(outcome, SongbirdError):
            outcome.__traceback__ = None  # it would keep the profile's bytes alive
            result = UploadResult(key, "cancelled" if isinstance(outcome, Cancelled) else "failed", error=outcome)
        else:
            result = UploadResult(key, "uploaded", outcome.id, outcome.observatory_url)
            self._in_vain, item.sent = 0, item.size
        self.finished[item.index] = result
        item.tell(result.state, result.profile_id)

    def _judge(self, error: SongbirdError, fatal: tuple[type[SongbirdError], ...] = ()) -> SongbirdError:
        """Give the rest up if all others would fail in the same way."""
        self._in_vain += isinstance(error, (errors.EndpointUnreachable, errors.EndpointTimeout))
        if isinstance(error, fatal) or self._in_vain >= _IN_VAIN:
            self._given_up = error
        return error

    def _slots(self, items: list[_Item]) -> Steps[dict[int, Slot]]:
        """Ask for slots for several references at once; whoever gets none this way asks for himself."""
        references = tuple(item.reference for item in items)
        if len(references) < 2:
            return {}
        group = m.BatchCreateReferenceProfileUploadRequest(m.BatchLogReferenceRequest(references), self.session_id)
        try:
            slots = (yield from call(group, self.settings)).parse().references
        except SongbirdError as error:
            self._judge(error, _FATAL[:2])  # not NotFound: this endpoint may not know groups
            return {}
        same = [r.alias in {None, s.alias} for r, s in zip(references, slots, strict=False)]
        if len(slots) != len(items) or not all(same):
            return {}  # which slot is whose would be a guess
        return {item.index: slot for item, slot in zip(items, slots, strict=True)}

    def _one(self, item: _Item, slot: Slot | None) -> Steps[SongbirdError | None]:
        """Upload one profile, and return why not; a slot that has expired is renewed once."""
        item.tell("sending")
        refusal: SongbirdError | None = None
        for _ in range(2):
            if slot is None:
                try:
                    slot = cast("Slot", (yield from call(item.request, self.settings)).parse())
                except SongbirdError as error:
                    return self._judge(error, _FATAL)
            host = origin_of(slot.upload_url)
            if not host.startswith("http"):
                return errors.ResponseError("The endpoint gave an address for the upload that cannot be used.")
            outcome = yield from self._put(item, slot.upload_url)
            if isinstance(outcome, Failure):
                failed = no_answer(outcome, "sending a profile", host, self.settings.timeout)
                failed.operation = "upload"
                return self._judge(failed)
            if 200 <= outcome.status < 300:
                self._finish(item, slot)
                return None
            refusal = self._refusal(host, outcome, secrets_of(slot.upload_url))
            if outcome.status != 403:
                break
            slot = None
        return refusal

    def _refusal(self, host: str, reply: Reply, secrets: tuple[str, ...]) -> SongbirdError:
        shown = excerpt(reply.body, (*self.settings.secrets, self.session_id, *secrets))
        said = f"{host} did not take the profile ({reply.status})" + (f": {shown}." if shown else ".")
        advice = "Try again; if it stays so, ask who runs the endpoint."
        return errors.UploadRefused(said, status=reply.status, operation="upload", advice=advice)

    def _put(self, item: _Item, url: str) -> Steps[Outcome]:
        content, extra = item.profile.content, item.size / _SLOWEST
        # Few bytes go out as they are: nothing could be told about their progress.
        body = content if isinstance(content, bytes) and item.size <= _CHUNK else item

        def make(left: float) -> Exchange:
            timeout = min(self.settings.timeout, left)
            return Exchange("upload", "PUT", url, (("Content-Length", str(item.size)),), body, timeout + extra, timeout)

        return (yield from attempts(make, Repeat.STORAGE, self.settings.retry, time.monotonic() + extra))


def upload_profiles(
    client: Songbird,
    session_id: str,
    profiles: Iterable[ProfileUpload],
    *,
    concurrency: int = 16,
    on_progress: Callable[[UploadProgress], None] | None = None,
    cancel: threading.Event | None = None,
) -> list[UploadResult]:
    """Upload profiles, several at a time, and say of each what became of it.

    Parameters
    ----------
    client
        The client to send with; it is as usable afterwards as before, also after a cancel.
    session_id
        The session that gets them.
    profiles
        What to upload. An iterator is asked for the next only when a worker is free, and not after a cancel.
    concurrency
        How many at once at most: as many threads as there is waiting to share.
    on_progress
        Called from worker threads at the start and end of each profile, and with every MiB in between.
    cancel
        Set it to stop: what is under way is broken off, what was not begun is not sent.

    Returns
    -------
    list of UploadResult
        In the order of `profiles`. Failures are in there, not raised. A session that has expired, or an
        endpoint that is not there, ends the upload: the rest is reported as failed for that reason.
    """
    cancelled = (cancel or threading.Event()).is_set
    job = _Job(client.settings, session_id, profiles, cancelled, concurrency, on_progress)
    futures: list[Future[None]] = []

    def work() -> None:
        while items := job.take():
            wall, cpu = time.perf_counter(), time.thread_time()
            client.run(job.upload(items), job.stopped, job.pause)
            # Threads that wait for Python's lock instead of the network only get in each other's way.
            employ(int((time.perf_counter() - wall) / max(1e-6, time.thread_time() - cpu)))

    def employ(wanted: int) -> None:
        while len(futures) < min(wanted, job.workers):
            futures.append(pool.submit(contextvars.copy_context().run, work))

    with ThreadPoolExecutor(job.workers, thread_name_prefix="songbird-upload") as pool:
        try:
            employ(1)
            while busy := [future for future in futures if not future.done()]:
                done = len(job.finished)
                wait(busy, 0.02 if len(futures) < job.workers else None, FIRST_COMPLETED)
                if len(job.finished) == done:  # all wait for something slow: more of them can
                    employ(job.workers)
        finally:
            job.halted = True
    for future in futures:
        future.result()
    return job.results()


async def aupload_profiles(
    client: AsyncSongbird,
    session_id: str,
    profiles: Iterable[ProfileUpload],
    *,
    concurrency: int = 16,
    on_progress: Callable[[UploadProgress], None] | None = None,
    cancel: asyncio.Event | None = None,
) -> list[UploadResult]:
    """Upload profiles as `upload_profiles` does, with tasks of this event loop instead of threads."""
    cancel = cancel or asyncio.Event()
    job = _Job(client.settings, session_id, profiles, cancel.is_set, concurrency, on_progress)

    async def work() -> None:
        async with client.single() as worker:
            while items := job.take():
                await worker.run(job.upload(items))

    tasks = [asyncio.ensure_future(work()) for _ in range(job.workers)]
    everyone = asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
    stop = asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait([everyone, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        job.halted = not all(task.done() for task in tasks)
        for task in (*tasks, stop, everyone):
            task.cancel()
        await asyncio.wait([*tasks, stop, everyone])
    for task in tasks:
        if not task.cancelled():
            task.result()
    return job.results()

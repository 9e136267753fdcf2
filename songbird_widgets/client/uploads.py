"""Profiles to an endpoint, one or thousands: a slot each, minted just before its bytes are sent."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from . import models as m
from .conversation import Exchange, Failure, Outcome, RawResponse, Steps, attempts, call, no_answer
from .errors import (
    AuthenticationError,
    Cancelled,
    ConfigurationError,
    EndpointTimeout,
    EndpointUnreachable,
    NotFound,
    ResponseError,
    SessionExpired,
    SongbirdError,
    UploadRefused,
    ValidationError,
)
from .operations import check
from .retry import Repeat
from .secrecy import excerpt, origin_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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

_log = logging.getLogger("songbird_widgets.client")


@dataclass(frozen=True)
class ProfileUpload:
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

    content: bytes | Path = field(repr=False)
    kind: Literal["batch", "reference"]
    dataset_timestamp: int | None = None
    alias: str | None = None
    segment_tags: tuple[m.SegmentTag, ...] = ()
    region: str | None = None
    key: str = ""


@dataclass(frozen=True)
class UploadProgress:
    """How far one profile is: `sent` of `total` bytes. `sent` starts again when an attempt is repeated.

    `profile_id` comes with the state ``"uploaded"``, so that an arrival can be written down as it happens.
    """

    key: str
    state: State
    sent: int
    total: int
    profile_id: str | None = None


@dataclass(frozen=True)
class UploadResult:
    """What became of one profile: its final id and link, or why not. The link carries the session id."""

    key: str
    state: Literal["uploaded", "failed", "cancelled"]
    profile_id: str | None = None
    observatory_url: str | None = field(default=None, repr=False)
    error: SongbirdError | None = None


class _Item:
    """A profile on its way: its body, made anew for every attempt, and how far it is."""

    def __init__(self, index: int, profile: ProfileUpload, job: _Job) -> None:
        self.index, self.profile, self._job = index, profile, job
        self.size = 0
        self.sent = 0
        self.blocking = isinstance(profile.content, Path)
        self.reference = m.LogReferenceRequest(profile.alias, profile.dataset_timestamp, profile.region)

    def measure(self) -> None:
        """Find the size out, and refuse what no endpoint would take."""
        content = self.profile.content
        if isinstance(content, Path):
            try:
                self.size = content.stat().st_size
                problem = None if content.is_file() else "it is not a file"
            except OSError as error:
                problem = (error.strerror or "no reason given").lower()
            if problem is not None:
                raise ValidationError(f"{plain(content.name)} cannot be read: {problem}.")
        elif isinstance(content, (bytes, bytearray, memoryview)):
            self.size = len(content)
        else:
            raise ValidationError(
                f"A profile's content must be bytes or a path, not {type(content).__name__}."
            )
        if not self.size:
            raise ValidationError("The profile is empty: it has no bytes.")

    def request(self, session_id: str) -> m.Request[Any]:
        """Make the message that asks for this profile's own slot."""
        p = self.profile
        if p.kind == "batch":
            batch = m.LogAsyncRequest(cast("int", p.dataset_timestamp), tuple(p.segment_tags), p.region)
            return m.CreateDatasetProfileUploadRequest(batch, session_id)
        if p.kind == "reference":
            return m.CreateReferenceProfileUploadRequest(self.reference, session_id)
        raise ValidationError("A profile is a batch or a reference.")

    def chunks(self) -> Iterator[bytes]:
        self.sent, told = 0, 0
        for chunk in self._read():
            if self._job.stopped():
                raise Cancelled("Stopped while sending a profile.")
            yield chunk
            self.sent += len(chunk)
            if self.sent - told >= _PROGRESS_STEP and self.sent < self.size:
                told = self.sent
                self.tell("sending")

    def _read(self) -> Iterator[bytes]:
        content = self.profile.content
        if not isinstance(content, Path):
            view = memoryview(content).cast("B")
            for start in range(0, self.size, _CHUNK):
                yield bytes(view[start : start + _CHUNK])
            return
        problem = "it changed while it was being sent"
        try:
            with content.open("rb") as file:
                left = self.size
                while left and (chunk := file.read(min(_CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
                if not left and not file.read(1):
                    return
        except OSError as error:
            problem = (error.strerror or "no reason given").lower()
        raise ValidationError(f"{plain(content.name)} cannot be read: {problem}.")

    def tell(self, state: State) -> None:
        self._job.tell(UploadProgress(self.profile.key, state, self.sent, self.size))


class _Job:
    """What the workers of one call share: the profiles still to come, the results, and when to stop."""

    def __init__(
        self,
        settings: Settings,
        session_id: str,
        profiles: Iterable[ProfileUpload],
        concurrency: int,
        on_progress: Callable[[UploadProgress], None] | None,
        cancelled: Callable[[], bool],
    ) -> None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ConfigurationError("The concurrency must be a number of uploads at once, 1 or more.")
        self.settings, self.session_id = settings, session_id
        self.results: dict[int, UploadResult] = {}
        self.halted = False  # by a failure that ends all, or by an exception outside of any upload
        self.given_up: SongbirdError | None = None
        self._source = iter(profiles)
        self._count = 0
        self._in_vain = 0
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._put_back: deque[_Item] = deque()
        known = (
            len(cast("Sequence[ProfileUpload]", profiles)) if hasattr(profiles, "__len__") else concurrency**2
        )
        self.group = max(1, min(_GROUP_ITEMS, -(-known // concurrency)))
        self.workers = max(1, min(concurrency, known))

    def stopped(self) -> bool:
        return self.halted or self._cancelled()

    def tell(self, progress: UploadProgress) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(progress)
        except Exception as error:  # noqa: BLE001 - the caller's mistake must not cost him his uploads
            self._on_progress = None
            _log.warning("on_progress raised %s: no further progress is told.", type(error).__name__)

    def take(self) -> list[_Item]:
        """Return the next profile, or a few references that can share a request for slots."""
        taken: list[_Item] = []
        room = _GROUP_BYTES
        with self._lock:
            while len(taken) < self.group:
                item = self._next()
                if item is None:
                    break
                if taken and (item.profile.kind != "reference" or item.size > room):
                    self._put_back.append(item)
                    break
                taken.append(item)
                room -= item.size
                if item.profile.kind != "reference" or room <= 0:
                    break
        return taken

    def _next(self) -> _Item | None:
        while True:
            if self._put_back:
                return self._put_back.popleft()
            profile = next(self._source, None)
            if profile is None:
                return None
            item = _Item(self._count, profile, self)
            self._count += 1
            if self.given_up is not None or self.stopped():
                self.finish(item, self.given_up or Cancelled("Not sent: the upload was stopped before."))
                continue
            try:
                item.measure()
                check(item.request(self.session_id))
            except SongbirdError as error:
                self.finish(item, error)
                continue
            return item

    def finish(self, item: _Item, outcome: Slot | SongbirdError) -> None:
        key = item.profile.key
        if not isinstance(outcome, SongbirdError):
            result = UploadResult(key, "uploaded", outcome.id, outcome.observatory_url)
            self._in_vain = 0
            item.sent = item.size
        else:
            outcome.__traceback__ = None  # it would keep the profile's bytes alive
            result = UploadResult(
                key, "cancelled" if isinstance(outcome, Cancelled) else "failed", error=outcome
            )
        self.results[item.index] = result
        self.tell(UploadProgress(key, result.state, item.sent, item.size, result.profile_id))

    def judge(self, error: SongbirdError) -> None:
        """Give the rest up if a request for a slot failed in a way that all others would too."""
        if isinstance(error, (EndpointUnreachable, EndpointTimeout)):
            self._in_vain += 1
        if isinstance(error, (SessionExpired, AuthenticationError, NotFound)) or self._in_vain >= _IN_VAIN:
            self.given_up = error

    def upload(self, items: list[_Item]) -> Steps[None]:
        """Hold the conversations that upload some profiles, one after the other."""
        slots: list[Slot | None] = [None] * len(items)
        if len(items) > 1:
            slots = yield from self._slots(items)
        for item, slot in zip(items, slots, strict=True):
            if self.given_up is not None or self.stopped():
                self.finish(item, self.given_up or Cancelled("Not sent: the upload was stopped before."))
                continue
            item.tell("sending")
            try:
                outcome: Slot | SongbirdError = yield from self._one(item, slot)
            except SongbirdError as error:
                outcome = error
            self.finish(item, outcome)

    def _slots(self, items: list[_Item]) -> Steps[list[Slot | None]]:
        references = tuple(item.reference for item in items)
        message = m.BatchCreateReferenceProfileUploadRequest(
            m.BatchLogReferenceRequest(references), self.session_id
        )
        try:
            raw: RawResponse[m.BatchLogSessionReferenceResponse] = yield from call(message, self.settings)
            answered = raw.parse().references
        except SongbirdError:
            return [None] * len(items)  # each asks for itself, and fails for its own reasons
        if [slot.alias for slot in answered] != [reference.alias for reference in references]:
            return [None] * len(items)  # which slot is whose would be a guess
        return list(answered)

    def _one(self, item: _Item, slot: Slot | None) -> Steps[Slot]:
        renewed = False
        while True:
            if slot is None:
                try:
                    raw: RawResponse[Any] = yield from call(item.request(self.session_id), self.settings)
                    slot = cast("Slot", raw.parse())
                except SongbirdError as error:
                    self.judge(error)
                    raise
            outcome = yield from self._put(item, slot.upload_url)
            if isinstance(outcome, Failure):
                error = no_answer(
                    outcome, "sending a profile", origin_of(slot.upload_url), self.settings.timeout
                )
                error.operation = "upload"
                raise error
            if 200 <= outcome.status < 300:  # noqa: PLR2004 - HTTP's successes
                return slot
            if outcome.status != 403 or renewed:  # noqa: PLR2004 - how storage says that a URL has expired
                secrets = (*self.settings.secrets, self.session_id, slot.upload_url.partition("?")[2])
                said = excerpt(outcome.body, secrets)
                raise UploadRefused(
                    f"{origin_of(slot.upload_url)} did not take the profile ({outcome.status})"
                    + (f": {said}." if said else "."),
                    status=outcome.status,
                    operation="upload",
                    advice="Try again; if it stays so, ask who runs the endpoint.",
                )
            slot, renewed = None, True

    def _put(self, item: _Item, url: str) -> Steps[Outcome]:
        extra = item.size / _SLOWEST
        headers = (("User-Agent", "songbird-widgets"), ("Content-Length", str(item.size)))
        content = item.profile.content
        # Small bytes go out as they are: nothing could be told about their progress.
        body = content if isinstance(content, bytes) and item.size <= _CHUNK else item

        def make(left: float) -> Exchange:
            timeout = min(self.settings.timeout, left)
            return Exchange("upload", "PUT", url, headers, body, timeout + extra, timeout)

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
        What to upload; an iterator is asked for the next one only when a worker is free.
    concurrency
        How many at once.
    on_progress
        Called from worker threads at the start and end of each profile, and with every MiB in between.
    cancel
        Set it to stop: what is under way is broken off, what was not begun is not sent.

    Returns
    -------
    list of UploadResult
        In the order of `profiles`. Failures are in there, not raised. A session that has expired, or an endpoint
        that is not there, ends the upload: the rest is reported as failed for that reason.
    """
    job = _Job(
        client.settings, session_id, profiles, concurrency, on_progress, (cancel or threading.Event()).is_set
    )

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while not job.stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def work() -> None:
        try:
            while items := job.take():
                client.run(job.upload(items), job.stopped, wait)
        except BaseException:
            job.halted = True
            raise

    with ThreadPoolExecutor(job.workers, thread_name_prefix="songbird-upload") as pool:
        futures = [pool.submit(contextvars.copy_context().run, work) for _ in range(job.workers)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            job.halted = True
            raise
    return [job.results[index] for index in sorted(job.results)]


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
    stop = cancel or asyncio.Event()
    job = _Job(client.settings, session_id, profiles, concurrency, on_progress, stop.is_set)

    async def work() -> None:
        worker = client.single()
        try:
            while items := job.take():
                await worker.run(job.upload(items))
        finally:
            await worker.aclose()

    tasks = [asyncio.ensure_future(work()) for _ in range(job.workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        job.halted = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [job.results[index] for index in sorted(job.results)]

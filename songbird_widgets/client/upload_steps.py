"""The steps of an upload: profiles are checked, given slots just before their bytes leave, sent, and reported.

Which thread or task takes the steps is a matter of `uploads`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar, cast

from ..basics import one_line, reason_of
from ..secret import Secret
from . import errors
from . import models as m
from .calls import private
from .checks import check
from .errors import Cancelled, SongbirdError
from .redaction import Redacted, origin_of
from .request import HTTPRequest, build_request
from .response import damaged_upload, refused_upload
from .sending import answered, sent

if TYPE_CHECKING:
    import asyncio

    from .songbird import AsyncSongbird, Songbird
    from .transport import Transport

T = TypeVar("T")
State: TypeAlias = Literal["sending", "uploaded", "failed", "cancelled"]
Slot: TypeAlias = "m.CreateDatasetProfileUploadResponse | m.LogSessionReferenceResponse"

CHUNK_BYTES = 256 * 1024
PROGRESS_BYTES = 1024 * 1024
MIN_BYTES_PER_SECOND = 32 * 1024  # who takes a profile more slowly has stopped working
MAX_GROUP_ITEMS = 32  # references that share a request for slots, as long as their bytes leave at once
MAX_GROUP_BYTES = 4 * 1024 * 1024
MAX_DAMAGED = 3  # times that something else arrived than was sent
ARRIVED_HEADER = "x-content-sha256"
"""In it songbird-widgets' own service says what has arrived."""
MAX_CONCURRENCY = 100
MAX_FAILURES = 3  # to connect in a row, each after its own repetitions, before the rest is given up
_POLL_SECONDS = 0.05
_UNANSWERED = (errors.EndpointUnreachable, errors.EndpointTimeout)
# What refuses one slot refuses all others too; but for NotFound, which may also mean that groups are not known.
_FATAL_FOR_GROUPS = (errors.SessionExpired, errors.AuthenticationError, errors.ConfigurationError)
_FATAL = (*_FATAL_FOR_GROUPS, errors.NotFound)


class ProfileUpload(Redacted, frozen=True):
    """One profile to upload.

    Parameters
    ----------
    content : bytes or Path
        Its bytes, or the file that holds them, which is streamed.
    kind : str
        ``"batch"`` (known by its timestamp) or ``"reference"`` (known by its id, shown by its alias).
    dataset_timestamp : int, optional
        Milliseconds since 1970 UTC; a batch must have one.
    alias : str, optional
        What people call a reference.
    segment_tags, region : tuple of SegmentTag, str, optional
        Which segment of the dataset a batch is; where to store it.
    key : str
        The caller's own name for it, echoed in events and result.
    """

    _shown = ("kind", "dataset_timestamp", "alias", "segment_tags", "region", "key")
    content: bytes | Path
    kind: Literal["batch", "reference"]
    dataset_timestamp: int | None = None
    alias: str | None = None
    segment_tags: tuple[m.SegmentTag, ...] = ()
    region: str | None = None
    key: str = ""


class UploadResult(Redacted, frozen=True):
    """What became of one profile: its final id and link, or why not.

    Parameters
    ----------
    key : str
        The caller's name for the profile.
    state : str
        ``"uploaded"``, ``"failed"`` or ``"cancelled"``; of events also ``"sending"``.
    profile_id, link : str, Secret, optional
        Of what was uploaded. The link carries the session id; `observatory_url` is the link as text.
    error : SongbirdError, optional
        Why it was not. If it is `ambiguous`, the profile may have arrived nevertheless.
    """

    _shown: ClassVar[tuple[str, ...]] = ("key", "state", "profile_id", "error")
    key: str
    state: State
    profile_id: str | None = None
    link: Secret | None = None
    error: SongbirdError | None = None

    @property
    def observatory_url(self) -> str | None:
        """The page of what was uploaded."""
        return None if self.link is None else self.link.reveal()


class UploadEvent(UploadResult, frozen=True):
    """How far one profile is, or what became of it.

    Each profile has one event that is not ``"sending"``, and it is its last.

    Parameters
    ----------
    sent, total : int
        Bytes sent of the profile's. They start again when an attempt is repeated; what failed has sent none.
    """

    _shown = ("key", "state", "sent", "total", "profile_id", "error")
    sent: int = 0
    total: int = 0


class _Item:
    """A profile on its way: checked, its body made anew for every attempt, and how far it is."""

    def __init__(self, index: int, profile: ProfileUpload, upload: Upload) -> None:
        self.index, self.profile, self.upload = index, profile, upload
        self.key = getattr(profile, "key", "")
        self.size = 0
        self.begun = False  # whether bytes may have arrived
        self.whole = False  # whether the last attempt has sent all bytes
        self.digest = hashlib.sha256()  # of a file's bytes, as they were sent
        self.problem: SongbirdError | None = None
        try:
            if not isinstance(profile, ProfileUpload):
                raise errors.ValidationError(f"What is uploaded is a ProfileUpload, not {type(profile).__name__}.")
            self.size = _size(profile.content)
            self.reference = m.LogReferenceRequest(profile.alias, profile.dataset_timestamp, profile.region)
            self.message = self._message()
            check(self.message)
        except SongbirdError as error:
            self.problem = error.with_traceback(None)

    def _message(self) -> m.Request[Any]:
        """Make the message that asks for this profile's own slot."""
        profile, target = self.profile, self.upload.target
        if profile.kind not in ("batch", "reference"):
            raise errors.ValidationError("A profile is a batch or a reference.")
        if profile.kind == "reference":
            if isinstance(target, m.Dataset):
                return m.LogDatasetReferenceRequest(self.reference, target.org_id, target.dataset_id)
            return m.CreateReferenceProfileUploadRequest(self.reference, target.reveal())
        moment = cast("int", profile.dataset_timestamp)
        batch = m.LogAsyncRequest(moment, profile.segment_tags, profile.region)
        if isinstance(target, m.Dataset):
            return m.LogDatasetProfileRequest(batch, target.org_id, target.dataset_id)
        return m.CreateDatasetProfileUploadRequest(batch, target.reveal())

    def event(self, state: State, sent: int = 0, **outcome: Any) -> UploadEvent:
        """Return what is to be told of it."""
        return UploadEvent(self.key, state, sent=sent, total=self.size, **outcome)

    def arrived_whole(self, said: str | None) -> bool:
        """Whether all bytes were sent, before the answer came, and are what arrived, as far as the endpoint tells."""
        if said is None or not self.whole:
            return self.whole
        content = self.profile.content
        digest = self.digest if isinstance(content, Path) else hashlib.sha256(content)
        return said.strip().lower() == digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Return the bytes, telling how far they are, until the caller says stop."""
        sent, told, content, self.whole, self.digest = 0, 0, self.profile.content, False, hashlib.sha256()
        for chunk in _from_file(content, self.size) if isinstance(content, Path) else _from_memory(content):
            if sent and self.upload.stopped():
                raise Cancelled("Stopped while sending a profile.")
            if isinstance(content, Path):
                self.digest.update(chunk)
            yield chunk
            sent += len(chunk)
            if sent - told >= PROGRESS_BYTES and sent < self.size:
                told = sent
                self.upload.tell(self.event("sending", sent))
        self.whole = True  # not before: an answer may come, and end the attempt, while something is left to send


def _size(content: object) -> int:
    if isinstance(content, Path):
        try:
            size, problem = content.stat().st_size, "" if content.is_file() else "it is not a file"
        except (OSError, ValueError) as error:
            size, problem = 0, reason_of(error).lower()
        if problem:
            raise _unreadable(content, problem)
    elif isinstance(content, (bytes, bytearray, memoryview)) and memoryview(content).c_contiguous:
        size = memoryview(content).nbytes
    else:
        raise errors.ValidationError(f"A profile's content must be bytes or a Path, not {type(content).__name__}.")
    if not size:
        raise errors.ValidationError("The profile is empty: it has no bytes.")
    return size


def _unreadable(path: Path, problem: str) -> SongbirdError:
    return errors.ValidationError(f"{one_line(path.name or str(path))} cannot be read: {problem}.")


def _from_memory(content: bytes) -> Iterator[bytes]:
    view = memoryview(content).cast("B")
    for start in range(0, len(view), CHUNK_BYTES):
        yield bytes(view[start : start + CHUNK_BYTES])


def _from_file(path: Path, size: int) -> Iterator[bytes]:
    problem, left = "it changed while it was being sent", size
    try:
        with path.open("rb") as file:
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                left -= len(chunk)
                if not chunk or (not left and file.read(1)):
                    break  # before the last byte leaves, so that no torn profile arrives
                yield chunk
            else:
                return
    except OSError as error:
        problem = reason_of(error).lower()
    raise _unreadable(path, problem)


class Upload:
    """What the workers of one upload share: the profiles still to come, the results, and when to stop."""

    def __init__(
        self,
        kind: type[Songbird | AsyncSongbird],
        client: Songbird | AsyncSongbird,
        target: Secret | m.Dataset,
        profiles: Iterable[ProfileUpload],
        concurrency: int,
        cancel: threading.Event | asyncio.Event | None,
    ) -> None:
        if not isinstance(client, kind):
            raise errors.ConfigurationError(f"This upload needs {kind.__name__}, not {type(client).__name__}.")
        if not isinstance(target, (Secret, m.Dataset)):
            raise errors.ValidationError(f"The session id must be text, not {type(target).__name__}.")
        if not hasattr(concurrency, "__index__") or concurrency < 1:
            raise errors.ConfigurationError("The concurrency must be a number of uploads at once, 1 or more.")
        concurrency = min(concurrency, MAX_CONCURRENCY)
        self.settings, self.target = client.settings, target
        self.tell: Callable[[UploadEvent | None], object] = lambda _: None
        self.halted = False  # by an exception, or because nobody wants its events any more
        self.given_up: SongbirdError | None = None  # by a failure that all others would share
        self._cancelled = cancel.is_set if cancel is not None else lambda: False
        self._failures = 0
        self._last: dict[int, UploadEvent] = {}
        self._under_way: dict[int, _Item] = {}
        self._lock = threading.Lock()
        known = concurrency * MAX_GROUP_ITEMS
        self._sized = isinstance(profiles, Collection)
        if self._sized:
            profiles = tuple(profiles)  # what the caller changes meanwhile makes no difference
            known = len(profiles)
        self._groups = self._grouped(iter(profiles), max(1, min(MAX_GROUP_ITEMS, -(-known // concurrency))))
        # The first worker uses the client's connections, each other one has its own.
        self.workers = [Worker(self, client, first=not n) for n in range(max(1, min(concurrency, known)))]

    def _grouped(self, profiles: Iterator[ProfileUpload], most: int) -> Iterator[list[_Item]]:
        """Yield small references in a row together, and others alone; nobody asks an iterator for more after a stop."""
        group: list[_Item] = []
        room, index = MAX_GROUP_BYTES, 0
        while self._sized or not (self.given_up or self.stopped()):
            try:
                item = _Item(index, next(profiles), self)
            except StopIteration:
                break
            index += 1
            alone = item.problem is not None or item.profile.kind != "reference"
            if group and (alone or item.size > room):
                yield group
                group, room = [], MAX_GROUP_BYTES
            group.append(item)
            room -= item.size
            if alone or len(group) == most:
                yield group
                group, room = [], MAX_GROUP_BYTES
        if group:
            yield group

    def stopped(self) -> bool:
        """Whether to send nothing more."""
        return self.halted or self._cancelled()

    def take(self) -> list[_Item]:
        """Return the next profile, or a few references to share a request for slots; at the end or a stop none."""
        with self._lock:
            taken = [] if self.stopped() else next(self._groups, [])
            self._under_way.update((item.index, item) for item in taken)
        return taken

    def finish(self, item: _Item, slot: Slot | None = None, error: SongbirdError | None = None) -> None:
        """Give a profile its result, if it has none."""
        with self._lock:
            if item.index in self._last:
                return
            self._under_way.pop(item.index, None)
            if slot is not None:
                last = item.event("uploaded", item.size, profile_id=slot.id, link=Secret.of(slot.observatory_url))
                self._failures = 0
            else:
                unsure = item.begun if error is None else error.ambiguous
                if error is None or (self.stopped() and isinstance(error, _UNANSWERED)):
                    arrived = " It may have arrived." if unsure else ""
                    error = Cancelled(f"Stopped before it was sent completely.{arrived}", ambiguous=unsure)
                error.__traceback__ = None  # it would keep the profile's bytes alive
                last = item.event("cancelled" if isinstance(error, Cancelled) else "failed", error=error)
            self._last[item.index] = last
            self.tell(last)

    def failed(self, error: SongbirdError, fatal: tuple[type[SongbirdError], ...] = ()) -> None:
        """Give the rest up if all others would fail in the same way."""
        self._failures += isinstance(error, _UNANSWERED)
        if isinstance(error, fatal) or self._failures >= MAX_FAILURES:
            self.given_up = error

    def end(self) -> None:
        """Give those their results who have none: what is still under way, and what nobody came to."""
        with self._lock:
            items = [*self._under_way.values(), *(item for group in self._groups for item in group)]
        for item in items:
            self.finish(item, error=item.problem or (None if item.begun else self.given_up))

    def results(self) -> list[UploadResult]:
        """Return what became of each profile, in their order."""
        last = (event for _, event in sorted(self._last.items()))
        return [UploadResult(event.key, event.state, event.profile_id, event.link, event.error) for event in last]


class Worker:
    """Uploads profiles one after the other, as a thread or a task."""

    def __init__(self, upload: Upload, client: Songbird | AsyncSongbird, *, first: bool) -> None:
        self._upload, self._client, self._first = upload, client, first

    async def work(self) -> None:
        """Upload what is left to take; then, or if something raises, which stops the others, tell None."""
        own: Transport | None = None
        try:
            self._transport: Transport = self._client.transport()
            if not self._first:
                self._transport = own = self._transport.for_one()
            while items := self._upload.take():
                await self._send_all(items)
        except BaseException:
            self._upload.halted = True
            raise
        finally:
            if own is not None:
                await own.close()
            self._upload.tell(None)

    @private
    async def _send_all(self, items: list[_Item]) -> None:
        try:
            slots = await self._group_slots([item for item in items if item.problem is None])
            for item in items:
                slot, error = None, item.problem or self._upload.given_up
                try:
                    if error is None and not self._upload.stopped():
                        slot = await self._send(item, slots.get(item.index))
                except SongbirdError as failure:
                    error = failure
                self._upload.finish(item, slot, error)
        finally:
            for item in items:
                self._upload.finish(item)

    async def _group_slots(self, items: list[_Item]) -> dict[int, Slot]:
        """Ask for slots for several references at once; whoever gets none this way asks for himself."""
        references, target = tuple(item.reference for item in items), self._upload.target
        if len(references) < 2 or isinstance(target, m.Dataset) or self._upload.stopped():
            return {}
        group = m.BatchLogReferenceRequest(references)
        message = m.BatchCreateReferenceProfileUploadRequest(group, target.reveal())
        try:
            slots = (await self._asked(message, _FATAL_FOR_GROUPS)).references
        except SongbirdError:
            return {}
        same = [r.alias in {None, s.alias} for r, s in zip(references, slots, strict=False)]
        if len(slots) != len(items) or not all(same):
            return {}  # which slot is whose would be a guess
        return {item.index: slot for item, slot in zip(items, slots, strict=True)}

    async def _asked(self, message: m.Request[T], fatal: tuple[type[SongbirdError], ...]) -> T:
        try:
            request = build_request(message, self._upload.settings)
            return cast("T", (await answered(request, self._transport, self._wait)).parse())
        except SongbirdError as error:
            self._upload.failed(error, fatal)
            raise

    async def _wait(self, seconds: float) -> bool:
        """Wait, unless stopped, and return whether it is."""
        until = time.monotonic() + seconds
        while not self._upload.stopped() and (left := until - time.monotonic()) > 0:
            await self._transport.sleep(min(left, _POLL_SECONDS))
        return self._upload.stopped()

    async def _send(self, item: _Item, slot: Slot | None) -> Slot:
        """Upload one profile and return the slot that took it; one that has expired is renewed once."""
        self._upload.tell(item.event("sending"))
        refusal: SongbirdError | None = None
        renewed = damaged = 0
        while renewed < 2 and damaged < MAX_DAMAGED:
            if slot is None:
                slot = cast("Slot", await self._asked(item.message, _FATAL))
            if not origin_of(slot.upload_url).lower().startswith("http"):
                raise errors.ResponseError("The endpoint gave an address for the upload that cannot be used.")
            request = self._put(item, slot.upload_url)
            if self._upload.stopped():
                raise Cancelled("Stopped before it was sent.")
            item.begun = True
            try:
                response = await sent(request, self._transport, self._wait)
            except SongbirdError as error:
                self._upload.failed(error)
                raise
            if response.success and item.arrived_whole(response.headers.get(ARRIVED_HEADER)):
                return slot
            if response.success:
                damaged += 1
                refusal = damaged_upload(request, whole=item.whole)
                continue
            item.begun, refusal = False, refused_upload(request, response)
            if response.status != 403:
                break
            renewed += 1
            slot = None
        raise cast("SongbirdError", refusal)

    def _put(self, item: _Item, url: str) -> HTTPRequest:
        extra, settings, target = item.size / MIN_BYTES_PER_SECOND, self._upload.settings, self._upload.target
        return HTTPRequest(
            operation=m.UPLOAD,
            url=Secret(url),
            headers=(("Content-Length", Secret(str(item.size))),),
            content=item.chunks,
            timeout=settings.timeout,
            seconds=settings.timeout + extra,
            retry=settings.retry,
            deadline=time.monotonic() + settings.retry.budget + extra,
            secrets=settings.secrets if isinstance(target, m.Dataset) else (*settings.secrets, target),
            blocking=isinstance(item.profile.content, Path),
        )

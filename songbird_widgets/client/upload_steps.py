"""The steps of an upload: profiles are checked, given slots just before their bytes leave, sent, and reported.

Which thread or task takes the steps is a matter of `uploads`; nothing is sent here.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from ..secret import Hidden, Secret
from . import errors
from . import models as m
from .errors import Cancelled, SongbirdError
from .operations import UPLOAD, check
from .outcome import Failure
from .redaction import Redacted, origin_of, plain
from .request import HTTPRequest, build_request
from .response import damaged_upload, refused_upload, unanswered
from .sending import Steps, answered, sent

if TYPE_CHECKING:
    import asyncio

    from .configuration import Settings

State: TypeAlias = Literal["sending", "uploaded", "failed", "cancelled"]

CHUNK_BYTES = 256 * 1024
PROGRESS_BYTES = 1024 * 1024
MIN_BYTES_PER_SECOND = 32 * 1024  # who takes a profile more slowly has stopped working
MAX_GROUP_ITEMS = 32  # references that share a request for slots, as long as their bytes leave at once
MAX_GROUP_BYTES = 4 * 1024 * 1024
MAX_DAMAGED = 3  # times that something else arrived than was sent
ARRIVED_HEADER = "x-content-sha256"
"""In it songbird-widgets' own service says what has arrived."""
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


class UploadEvent(Redacted, frozen=True):
    """How far one profile is, or what became of it.

    Each profile has one event that is not ``"sending"``, and it is its last. The link carries the session id.

    Parameters
    ----------
    key : str
        The caller's name for the profile.
    state : str
        ``"sending"``, ``"uploaded"``, ``"failed"`` or ``"cancelled"``.
    sent, total : int
        Bytes sent of the profile's. They start again when an attempt is repeated; what failed has sent none.
    profile_id, link : str, Secret, optional
        Of what was uploaded; `observatory_url` is the link as text.
    error : SongbirdError, optional
        Why it was not. If it is `ambiguous`, the profile may have arrived nevertheless.
    """

    _shown = ("key", "state", "sent", "total", "profile_id", "error")
    key: str
    state: State
    sent: int
    total: int
    profile_id: str | None = None
    link: Secret | None = None
    error: SongbirdError | None = None

    @property
    def observatory_url(self) -> str | None:
        """The page of what was uploaded."""
        return None if self.link is None else self.link.reveal()


class UploadResult(Redacted, frozen=True):
    """What became of one profile: its final id and link, or why not. The link carries the session id."""

    _shown = ("key", "state", "profile_id", "error")
    key: str
    state: Literal["uploaded", "failed", "cancelled"]
    profile_id: str | None = None
    link: Secret | None = None
    error: SongbirdError | None = None

    @property
    def observatory_url(self) -> str | None:
        """The page of what was uploaded."""
        return None if self.link is None else self.link.reveal()


class _Slot(Redacted, frozen=True):
    """Where the bytes of a profile go."""

    _shown = ("id",)
    id: str
    alias: str | None
    url: Secret
    link: Secret | None

    @classmethod
    def of(cls, slot: m.CreateDatasetProfileUploadResponse | m.LogSessionReferenceResponse) -> _Slot:
        return cls(slot.id, getattr(slot, "alias", None), Secret(slot.upload_url), Secret.of(slot.observatory_url))


class _Item:
    """A profile on its way: checked, its body made anew for every attempt, and how far it is."""

    def __init__(self, index: int, profile: ProfileUpload, upload: Upload) -> None:
        self.index, self.profile, self.upload = index, profile, upload
        self.size = 0
        self.begun = False  # whether bytes may have arrived
        self.digest = ""  # of a file, as it was sent: its SHA-256 in hexadecimal
        self.problem: SongbirdError | None = None
        try:
            self.size = _size(profile.content)
            self.reference = m.LogReferenceRequest(profile.alias, profile.dataset_timestamp, profile.region)
            check(self.message().reveal())
        except SongbirdError as error:
            self.problem = error

    def message(self) -> Hidden[m.Request[Any]]:
        """Make the message that asks for this profile's own slot."""
        profile, target = self.profile, self.upload.target
        if profile.kind == "batch":
            tags, moment = tuple(profile.segment_tags), cast("int", profile.dataset_timestamp)
            batch = m.LogAsyncRequest(moment, tags, profile.region)
            if isinstance(target, m.Dataset):
                return Hidden(m.LogDatasetProfileRequest(batch, target.org_id, target.dataset_id))
            return Hidden(m.CreateDatasetProfileUploadRequest(batch, target.reveal()))
        if profile.kind != "reference":
            raise errors.ValidationError("A profile is a batch or a reference.")
        if isinstance(target, m.Dataset):
            return Hidden(m.LogDatasetReferenceRequest(self.reference, target.org_id, target.dataset_id))
        return Hidden(m.CreateReferenceProfileUploadRequest(self.reference, target.reveal()))

    def event(self, state: State, sent: int, *outcome: Any) -> UploadEvent:
        """Return what is to be told of it; `outcome` is profile id, link and error."""
        return UploadEvent(self.profile.key, state, sent, self.size, *outcome)

    def arrived_whole(self, said: str | None) -> bool:
        """Whether what arrived is what was sent, as far as the endpoint tells."""
        if said is None:
            return True
        content = self.profile.content
        sent = self.digest if isinstance(content, Path) else hashlib.sha256(content).hexdigest()
        return said.strip().lower() == sent

    def chunks(self) -> Iterator[bytes]:
        """Return the bytes, telling how far they are, until the caller says stop."""
        sent, told, content, digest = 0, 0, self.profile.content, hashlib.sha256()
        for chunk in _from_file(content, self.size) if isinstance(content, Path) else _from_memory(content):
            if self.upload.stopped():
                raise Cancelled("Stopped while sending a profile.")
            digest.update(chunk)
            if sent + len(chunk) == self.size:  # after the last piece nobody may come back here
                self.digest = digest.hexdigest()
            yield chunk
            sent += len(chunk)
            if sent - told >= PROGRESS_BYTES and sent < self.size:
                told = sent
                self.upload.tell(self.event("sending", sent))


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
        problem = _reason(error)
    raise errors.ValidationError(f"{plain(path.name)} cannot be read: {problem}.")


class Upload:
    """What the workers of one upload share: the profiles still to come, the results, and when to stop.

    A worker takes a few profiles, and then the steps that upload them, until there are no more.
    """

    def __init__(
        self,
        settings: Settings,
        target: Secret | m.Dataset,
        profiles: Iterable[ProfileUpload],
        concurrency: int,
        cancel: threading.Event | asyncio.Event | None,
    ) -> None:
        if concurrency < 1:
            raise errors.ConfigurationError("The concurrency must be a number of uploads at once, 1 or more.")
        self.settings, self.target = settings, target
        self.tell: Callable[[UploadEvent | None], object] = lambda _: None
        self.halted = False  # by an exception, or because nobody wants its events any more
        self._cancelled = cancel.is_set if cancel is not None else lambda: False
        self._given_up: SongbirdError | None = None  # by a failure that all others would share
        self._failures = 0
        self._last: dict[int, UploadEvent] = {}
        self._under_way: dict[int, _Item] = {}
        self._lock = threading.Lock()
        self._sized = isinstance(profiles, Collection)
        known = len(profiles) if isinstance(profiles, Collection) else concurrency**2
        self.workers = max(1, min(concurrency, known))
        self._groups = self._grouped(iter(profiles), max(1, min(MAX_GROUP_ITEMS, -(-known // concurrency))))

    def _grouped(self, profiles: Iterator[ProfileUpload], most: int) -> Iterator[list[_Item]]:
        """Yield small references in a row together, and others alone; nobody asks an iterator for more after a stop."""
        group: list[_Item] = []
        room, index = MAX_GROUP_BYTES, 0
        while self._sized or not (self._given_up or self.stopped()):
            if (profile := next(profiles, None)) is None:
                break
            item, alone = _Item(index, profile, self), profile.kind != "reference"
            index += 1
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

    def wait(self, seconds: float) -> bool:
        """Wait, unless stopped, and return whether it is."""
        until = time.monotonic() + seconds
        while not self.stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_SECONDS))
        return self.stopped()

    @contextlib.contextmanager
    def worker(self) -> Iterator[None]:
        """Tell None when a worker ends; what it raises stops the others."""
        try:
            yield
        except BaseException:
            self.halted = True
            raise
        finally:
            self.tell(None)

    def take(self) -> list[_Item]:
        """Return the next profile, or a few references to share a request for slots; at the end or a stop none."""
        with self._lock:
            taken = [] if self.stopped() else next(self._groups, [])
            self._under_way.update((item.index, item) for item in taken)
        return taken

    def steps(self, items: list[_Item]) -> Steps[None]:
        """Upload some profiles, one after the other."""
        try:
            slots = yield from self._group_slots([item for item in items if item.problem is None])
            for item in items:
                slot, error = None, item.problem or self._given_up
                try:
                    if error is None and not self.stopped():
                        slot = yield from self._send(item, slots.get(item.index))
                except SongbirdError as failure:
                    error = failure
                self._finish(item, slot, error)
        finally:
            for item in items:
                self._finish(item, None, None)

    def end(self) -> None:
        """Give those their results who have none: what is still under way, and what nobody came to."""
        with self._lock:
            items = [*self._under_way.values(), *(item for group in self._groups for item in group)]
        for item in items:
            self._finish(item, None, item.problem or (None if item.begun else self._given_up))

    def results(self) -> list[UploadResult]:
        """Return what became of each profile, in their order."""
        last = (event for _, event in sorted(self._last.items()))
        return [UploadResult(e.key, cast("Any", e.state), e.profile_id, e.link, e.error) for e in last]

    def _finish(self, item: _Item, slot: _Slot | None, error: SongbirdError | None) -> None:
        """Give a profile its result, if it has none."""
        if slot is not None:
            last = item.event("uploaded", item.size, slot.id, slot.link)
        else:
            unsure = item.begun if error is None else error.ambiguous
            if error is None or (self.stopped() and isinstance(error, _UNANSWERED)):
                arrived = " It may have arrived." if unsure else ""
                error = Cancelled(f"Stopped before it was sent completely.{arrived}", ambiguous=unsure)
            error.__traceback__ = None  # it would keep the profile's bytes alive
            last = item.event("cancelled" if isinstance(error, Cancelled) else "failed", 0, None, None, error)
        with self._lock:
            self._under_way.pop(item.index, None)
            if item.index not in self._last:
                self._last[item.index] = last
                self._failures = 0 if slot is not None else self._failures
                self.tell(last)

    def _judged(self, error: SongbirdError, fatal: tuple[type[SongbirdError], ...] = ()) -> SongbirdError:
        """Give the rest up if all others would fail in the same way."""
        self._failures += isinstance(error, _UNANSWERED)
        if isinstance(error, fatal) or self._failures >= MAX_FAILURES:
            self._given_up = error
        return error

    def _asked(self, message: Hidden[m.Request[Any]], fatal: tuple[type[SongbirdError], ...]) -> Steps[Any]:
        try:
            return (yield from answered(build_request(message, self.settings))).parse()
        except SongbirdError as error:
            raise self._judged(error, fatal) from None

    def _group_slots(self, items: list[_Item]) -> Steps[dict[int, _Slot]]:
        """Ask for slots for several references at once; whoever gets none this way asks for himself."""
        references = tuple(item.reference for item in items)
        if len(references) < 2 or isinstance(self.target, m.Dataset) or self.stopped():
            return {}
        group = m.BatchLogReferenceRequest(references)
        message = Hidden(m.BatchCreateReferenceProfileUploadRequest(group, self.target.reveal()))
        try:
            slots = [_Slot.of(slot) for slot in (yield from self._asked(message, _FATAL_FOR_GROUPS)).references]
        except SongbirdError:
            return {}
        same = [r.alias in {None, s.alias} for r, s in zip(references, slots, strict=False)]
        if len(slots) != len(items) or not all(same):
            return {}  # which slot is whose would be a guess
        return {item.index: slot for item, slot in zip(items, slots, strict=True)}

    def _send(self, item: _Item, slot: _Slot | None) -> Steps[_Slot]:
        """Upload one profile and return the slot that took it; one that has expired is renewed once."""
        self.tell(item.event("sending", 0))
        refusal: SongbirdError | None = None
        renewed = damaged = 0
        while renewed < 2 and damaged < MAX_DAMAGED:
            if slot is None:
                slot = _Slot.of((yield from self._asked(item.message(), _FATAL)))
            if not origin_of(slot.url.reveal()).startswith("http"):
                raise errors.ResponseError("The endpoint gave an address for the upload that cannot be used.")
            request = self._put(item, slot.url)
            if self.stopped():
                raise Cancelled("Stopped before it was sent.")
            item.begun = True
            outcome = yield from sent(request)
            if isinstance(outcome, Failure):
                raise self._judged(unanswered(request, outcome))
            if outcome.success and item.arrived_whole(outcome.headers.get(ARRIVED_HEADER)):
                return slot
            if outcome.success:
                damaged += 1
                refusal = damaged_upload(request)
                continue
            item.begun, refusal = False, refused_upload(request, outcome)
            if outcome.status != 403:
                break
            renewed += 1
            slot = None
        raise cast("SongbirdError", refusal)

    def _put(self, item: _Item, url: Secret) -> HTTPRequest:
        content, extra, settings = item.profile.content, item.size / MIN_BYTES_PER_SECOND, self.settings
        return HTTPRequest(
            operation=UPLOAD,
            url=url,
            headers=(("Content-Length", Secret(str(item.size))),),
            # Few bytes go out as they are: nothing could be told about their progress.
            content=content if isinstance(content, bytes) and item.size <= CHUNK_BYTES else item.chunks,
            timeout=settings.timeout,
            seconds=settings.timeout + extra,
            retry=settings.retry,
            deadline=time.monotonic() + settings.retry.budget + extra,
            secrets=settings.secrets if isinstance(self.target, m.Dataset) else (*settings.secrets, self.target),
            blocking=isinstance(content, Path),
        )

"""One upload: take a lease in the ledger, send, and apply each event once, to ledger and store."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ..basics import duration_text, size_text
from ..client.errors import EndpointUnreachable, SessionExpired
from .ledger_tables import LedgerEntry
from .models import UploadProgress

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from ..client import ProfileUpload, UploadEvent
    from ..secret import Secret
    from .content import Content
    from .models import SessionProfile
    from .remote import RemoteSession

_POLL_SECONDS = 0.25


class ProgressTracker:
    """Bytes and profiles of one upload.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each profile, by key.
    clock : callable
        Seconds; replaced by tests.
    """

    def __init__(self, sizes: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes = dict(sizes)
        self._sent = dict.fromkeys(sizes, 0)
        self._ends: dict[str, str] = {}
        self._bytes_total = sum(self._sizes.values())
        self._bytes_sent = 0
        self._clock = clock
        self._began = clock()
        self.elsewhere = 0

    def note(self, key: str, state: str, sent: int) -> None:
        """Note what became of a profile so far."""
        # Bytes of a profile that did not arrive do not count as sent.
        now = min(sent, self._sizes[key]) if state in ("sending", "uploaded") else 0
        self._bytes_sent += now - self._sent[key]
        self._sent[key] = now
        if state != "sending":
            self._ends[key] = state

    def progress(self) -> UploadProgress:
        """Return how far it is."""
        total, ends = len(self._sizes), list(self._ends.values())
        seconds = self._clock() - self._began
        rate = self._bytes_sent / seconds if seconds > 0 else 0.0
        done, failed, over = ends.count("uploaded"), ends.count("failed"), len(ends) == total
        remaining = None if over or not rate else (self._bytes_total - self._bytes_sent) / rate
        head = f"{done} of {total} uploaded"
        if failed:
            head += f", {failed} failed"
        if over and done + failed < total:
            head += f", {total - done - failed} cancelled"
        if over:
            text = f"{head}: {size_text(self._bytes_sent)} in {duration_text(seconds)}"
        else:
            text = f"{head}: {size_text(self._bytes_sent)} of {size_text(self._bytes_total)}"
            text += f", {size_text(rate)}/s" if rate else ""
            text += f", {duration_text(remaining)} left" if remaining is not None else ""
            text += f"; another notebook is sending {self.elsewhere}" if self.elsewhere else ""
        return UploadProgress(
            total=total,
            done=done,
            failed=failed,
            bytes_sent=self._bytes_sent,
            bytes_total=self._bytes_total,
            rate=rate,
            remaining=remaining,
            text=text,
        )


class SessionUpload:
    """Sends what has not arrived of a session, each for itself: one that fails keeps nothing else from going on.

    Parameters
    ----------
    remote : RemoteSession
        The session to send to.
    cancel : threading.Event
        Set it to stop.
    on_change : callable
        Called on the thread of `run` when something has changed.
    """

    def __init__(self, remote: RemoteSession, cancel: threading.Event, on_change: Callable[[], None]) -> None:
        self._remote = remote
        self._store = remote.store
        self._ledger = remote.ledger
        self._cancel = cancel
        self._on_change = on_change
        self._waiting = remote.store.waiting()
        self._mine: list[str] = []
        self._tracker = self._new_tracker()

    def _new_tracker(self) -> ProgressTracker:
        return ProgressTracker({item.key: item.size for item in self._waiting})

    def __len__(self) -> int:
        return len(self._waiting)

    def progress(self) -> UploadProgress:
        """Return how far it is."""
        return self._tracker.progress()

    def run(self) -> list[SessionProfile]:
        """Send, and return the profiles that this upload took on, as they are then.

        Raises
        ------
        SongbirdError
            If the endpoint cannot be asked at all.
        """
        session_id = self._remote.begin()
        self._tracker = self._new_tracker()  # not before: the time to start a service is no part of the rate
        try:
            rest = self._round(session_id, self._waiting)
            while rest and not self._cancel.wait(_POLL_SECONDS):
                rest = self._round(session_id, rest)
            for item in rest:
                self._tracker.note(item.key, "cancelled", 0)
        except BaseException:
            # The endpoint could not be asked at all: what is being sent waits again.
            under_way = [item for item in self._store.get(self._mine) if item.state == "uploading"]
            self._store.update((replace(item, state="added", sent=0) for item in under_way), uncertain=True)
            raise
        finally:
            self._ledger.release(session_id)
        return self._store.get(self._mine)

    def _round(self, session_id: Secret, profiles: list[SessionProfile]) -> list[SessionProfile]:
        """Send what nobody else is sending, and return the rest."""
        ready = [pair for pair in map(self._checked, profiles) if pair is not None]
        lease = self._ledger.lease(session_id, (LedgerEntry(item, content) for item, content in ready))
        for item in profiles:
            arrived = lease.uploaded.get(item.key)
            if arrived is None:
                continue
            self._store.take_over(item.key, arrived)
            if arrived.key != item.key:  # another kernel profiled the same data
                self._ledger.forget(session_id, {item.key})
            self._tracker.note(item.key, "uploaded", item.size)
        self._tracker.elsewhere = len(lease.elsewhere)
        granted = {item.key: (item, content) for item, content in ready if item.key in lease.granted}
        self._mine += granted
        self._store.update(item for item, _ in granted.values())
        self._on_change()
        lost = self._send(session_id, granted.values())
        if lost:
            # The local service ends itself when idle, and may have done so just now.
            self._remote.endpoint.restart()
            self._send(session_id, [granted[key] for key in lost], again=True)
        return [item for item in profiles if item.key in lease.elsewhere]

    def _checked(self, item: SessionProfile) -> tuple[SessionProfile, Content] | None:
        content = self._store.content(item.key)
        problem = "Its bytes are no longer here. Add it again." if content is None else content.problem(item.sha256)
        if content is not None and problem is None:
            return replace(item, state="uploading", problem=None, sent=0), content
        self._mine.append(item.key)
        self._tracker.note(item.key, "failed", 0)
        self._fail(item, problem or "")
        return None

    def _send(
        self, session_id: Secret, ready: Iterable[tuple[SessionProfile, Content]], *, again: bool = False
    ) -> list[str]:
        """Send and follow; return the keys of what a local service that has gone did not take."""
        from ..client import iter_uploads

        uploads = [_as_upload(item, content) for item, content in ready]
        if not uploads:
            return []
        items = {upload.key: item for upload, (item, _) in zip(uploads, ready, strict=True)}
        may_restart = self._remote.endpoint.local and not again
        lost = []
        for event in iter_uploads(self._remote.endpoint.client(), self._remote.target(), uploads, cancel=self._cancel):
            item = items[event.key]
            gone = event.state == "failed" and isinstance(event.error, EndpointUnreachable)
            if gone and may_restart and not self._cancel.is_set():
                lost.append(event.key)
                continue
            if event.state == "sending":
                self._store.update([replace(item, sent=event.sent)])
            elif event.state == "uploaded":
                # The ledger first: what is shown as uploaded must still be known after a kill.
                arrived = replace(item, state="uploaded", sent=item.size, profile_id=event.profile_id)
                self._ledger.confirm(session_id, [arrived])
                self._store.update([arrived])
            elif event.state == "cancelled":
                self._store.update([replace(item, state="added")], uncertain=_may_have_arrived(event))
            else:
                self._fail(item, str(event.error or "It did not arrive."), uncertain=_may_have_arrived(event))
                if isinstance(event.error, SessionExpired):
                    self._remote.become("expired")
            self._tracker.note(event.key, event.state, event.sent)
            self._on_change()
        return lost

    def _fail(self, item: SessionProfile, problem: str, *, uncertain: bool = False) -> None:
        if self._remote.session_id is not None:
            self._ledger.fail(self._remote.session_id, item.key, problem)
        self._store.update([replace(item, state="failed", problem=problem)], uncertain=uncertain)


def _may_have_arrived(event: UploadEvent) -> bool:
    return event.error is None or event.error.ambiguous


def _as_upload(item: SessionProfile, content: Content) -> ProfileUpload:
    from ..client import ProfileUpload, SegmentTag

    return ProfileUpload(
        content=content.data,
        kind=item.kind,
        dataset_timestamp=item.dataset_timestamp,
        alias=item.alias,
        segment_tags=tuple(SegmentTag(key, value) for key, value in content.segment_tags),
        key=item.key,
    )

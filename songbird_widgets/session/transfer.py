"""One upload: what has not arrived is written down, sent, and its outcome made known as it comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..client.errors import EndpointUnreachable, SessionExpired
from .jobs import beside
from .progress import Tally

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from ..client.uploads import ProfileUpload, UploadEvent, UploadResult
    from .connection import Connection
    from .contents import Content
    from .journal import Journal
    from .roster import Roster
    from .state import SessionProfile, UploadStatus


class Transfer:
    """Sends profiles of a session, each for itself: one that fails keeps nothing else from going on.

    Parameters
    ----------
    connection, journal, roster
        Of the session.
    waiting : list of SessionProfile
        What to send.
    cancel : threading.Event
        Set it to stop.
    on_progress : callable
        Called on the thread of `send` with how far it is, whenever the roster has changed.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        journal: Journal,
        roster: Roster,
        waiting: list[SessionProfile],
        cancel: threading.Event,
        on_progress: Callable[[UploadStatus], None],
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._roster = roster
        self._waiting = waiting
        self._cancel = cancel
        self._on_progress = on_progress
        self._tally = Tally({item.key: item.size for item in waiting})
        self.expired = False

    def send(self, session_id: str) -> list[SessionProfile]:
        """Send, and return the profiles as they are then.

        Raises
        ------
        SongbirdError
            If the endpoint cannot be asked at all.
        """
        ready = self._checked()
        self._journal.announce(ready)
        self._roster.change(item for item, _ in ready)
        self._report()
        try:
            self._settle(self._passes(session_id, ready))
        except BaseException:
            # Nothing could be sent at all: what is not there waits again.
            under_way = self._roster.pick(item.key for item, _ in ready)
            self._roster.change(replace(item, state="added", sent=0) for item in under_way if item.state == "uploading")
            raise
        self._report()
        return self._roster.pick(item.key for item in self._waiting)

    def _passes(self, session_id: str, ready: list[tuple[SessionProfile, Content]]) -> list[UploadResult]:
        results = self._pass(session_id, ready)
        lost = {result.key for result in results if isinstance(result.error, EndpointUnreachable)}
        if not lost or not self._connection.local or self._cancel.is_set():
            return results
        # The local service ends itself when idle, and may have done so just now.
        self._settle(result for result in results if result.key not in lost)
        self._connection.restart()
        return self._pass(session_id, [(item, content) for item, content in ready if item.key in lost])

    def _checked(self) -> list[tuple[SessionProfile, Content]]:
        ready = []
        for item in self._waiting:
            content = self._roster.content(item.key)
            problem = "Its bytes are no longer here. Add it again." if content is None else content.problem(item.sha256)
            if content is None or problem is not None:
                self._tally.note(item.key, "failed", 0)
                self._fail(item, problem or "")
            else:
                ready.append((replace(item, state="uploading", problem=None, sent=0), content))
        return ready

    def _pass(self, session_id: str, ready: list[tuple[SessionProfile, Content]]) -> list[UploadResult]:
        from ..client.uploads import upload_profiles

        items = {item.key: item for item, _ in ready}

        def note(progress: UploadEvent) -> None:
            # The journal first: what people are told has arrived must still be known after a kill.
            if progress.state == "uploaded":
                arrived = _arrived(items[progress.key], progress.profile_id)
                self._journal.confirm([arrived])
                self._roster.change([arrived])
            self._tally.note(progress.key, progress.state, progress.sent)

        client = self._connection.client()
        uploads = [_as_upload(item, content) for item, content in ready]
        return beside(
            lambda: upload_profiles(client, session_id, uploads, on_progress=note, cancel=self._cancel),
            self._report,
        )

    def _report(self) -> None:
        self._roster.progress(self._tally.changed())
        self._on_progress(self._tally.status())

    def _settle(self, results: Iterable[UploadResult]) -> None:
        outcomes = {result.key: result for result in results}
        for item in self._roster.pick(outcomes):
            result = outcomes[item.key]
            if result.state == "uploaded":
                self._roster.change([_arrived(item, result.profile_id)])
            elif result.state == "cancelled":
                self._roster.change([replace(item, state="added", problem=None, sent=0)])
            else:
                self._fail(item, str(result.error or "It did not arrive."))
                self.expired |= isinstance(result.error, SessionExpired)

    def _fail(self, item: SessionProfile, problem: str) -> None:
        self._journal.fail(item.key, problem)
        self._roster.change([replace(item, state="failed", problem=problem)])


def _arrived(item: SessionProfile, profile_id: str | None) -> SessionProfile:
    return replace(item, state="uploaded", problem=None, sent=item.size, profile_id=profile_id)


def _as_upload(item: SessionProfile, content: Content) -> ProfileUpload:
    from ..client.models import SegmentTag
    from ..client.uploads import ProfileUpload

    return ProfileUpload(
        content=content.data,
        kind=item.kind,
        dataset_timestamp=item.dataset_timestamp,
        alias=item.alias,
        segment_tags=tuple(SegmentTag(key, value) for key, value in content.segment_tags),
        key=item.key,
    )

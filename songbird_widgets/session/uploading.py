"""Uploading in the background: one upload after the other, followed by the traits of the session."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..client.errors import EndpointUnreachable, SongbirdError
from .errors import SessionError
from .executor import SerialExecutor, Throttle, tick_until_done
from .models import ProfileList
from .progress_display import progress_display
from .traits import SessionTraits
from .upload import SessionUpload

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .models import SessionProfile

    Sent = tuple[list[SessionProfile], list[str]]


class UploadingSession(SessionTraits):
    """The traits of a `Session`, and how it uploads."""

    def __init__(self) -> None:
        super().__init__()
        self._uploads = SerialExecutor("songbird-upload")
        self._cancel = threading.Event()
        self._upload: SessionUpload | None = None
        self._told = 0  # how many of the warnings the end of an upload has told

    def _begin_upload(self) -> Future[Sent]:
        self._cancel = cancel = threading.Event()
        return self._uploads.submit(lambda: self._send(cancel))

    def _cancel_uploads(self) -> None:
        self._uploads.clear()
        self._cancel.set()

    def _upload_and_follow(self) -> ProfileList:
        """Upload, show the progress until it is done, and return what arrived."""
        screen, job = progress_display(), None
        try:  # also while it begins: what an interrupt left in the queue would be sent later
            job = self._begin_upload()
            tick_until_done(job, lambda: screen.update(self.progress) if self.busy else None)
        except KeyboardInterrupt:
            self._cancel_uploads()
            if job is not None:
                tick_until_done(job, lambda: None)
            screen.end(self.progress, ())
            raise
        if job.cancelled():
            return ProfileList()
        sent, remarks = job.result()
        if sent or remarks:
            screen.end(self.progress, remarks)
        return ProfileList(item for item in sent if item.state == "uploaded")

    def _send(self, cancel: threading.Event) -> Sent:
        """Upload, on the upload thread; return what was sent and what there is to say of it."""
        publish = Throttle(self._publish, "songbird-upload")
        try:
            self._resume()
            self._find_arrived()
            upload = SessionUpload(self._remote, cancel, publish)
            if not upload:
                return [], []
            self._upload = upload
            self._publish()
            self.set_trait("busy", True)
            sent = upload.run()
            publish.stop()
            self._publish()
            self._upload = None  # what is told of its progress now stays so
            return sent, self._tell_of(sent)
        except SongbirdError as error:
            self._tell("error", str(error))
            raise
        except Exception as error:
            # In the background nothing else would tell. Its text is not shown: it may hold an address with a token.
            self._tell("error", f"The upload broke off ({type(error).__name__}). Upload again to send the rest.")
            raise
        finally:
            publish.stop()
            self._publish()
            self._upload = None
            self.set_trait("busy", False)  # last, so that whoever waits for it finds the notice

    def _find_arrived(self) -> None:
        """Ask what has arrived of an upload that broke off: sent again, it would count twice.

        With nothing to send it asks whether all that was uploaded is still there.
        """
        idle = not self._store.waiting()
        if not self._store.uncertain and not idle:
            return
        try:
            if idle:
                self._remote.check_uploaded()
            else:
                self._remote.refresh()
        except (EndpointUnreachable, SessionError):
            raise
        except SongbirdError:
            pass  # another service may have no listing; the upload itself will tell anything else

    def _tell_of(self, sent: list[SessionProfile]) -> list[str]:
        """Say how an upload ended, and return what failed and what else went wrong."""
        failed = [f"{item.label}: {item.problem}" for item in sent if item.state == "failed"]
        warnings, self._told = self._warnings[self._told :], len(self._warnings)
        if failed:
            rest = "Upload again to send the rest."
            lines = [f"{len(failed):,} of {len(sent):,} could not be uploaded. {rest}", *failed, *warnings]
            self._tell("error", "\n".join(lines))
        else:
            self._tell("warning" if warnings else "info", "\n".join([self.progress.text, *warnings]))
        return [*failed, *warnings]

    def _publish(self) -> None:
        if self._upload is not None:
            self.set_trait("progress", self._upload.progress())
        super()._publish()

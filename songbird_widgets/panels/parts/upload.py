"""Send what was added: progress, cancel, and retry of what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...basics import shorten
from ..words import MAX_NAME, MAX_TEXT
from .base import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

# More lines than this say nothing new; the list shows every profile with its state.
_MAX_FAILURES = 20
_MAX_UNDER_WAY = 6


class UploadPart(Part):
    """How far the upload is, what failed and why.

    Uploads run beside the cells: the kernel stays usable and the progress goes on under a busy cell.
    """

    name = "upload"
    watched = frozenset({"profiles", "progress", "busy", "state", "notice"})

    def facts(self) -> dict[str, Any]:
        session = self.session
        progress, notice = session.progress, session.notice
        added, failed = session.in_state("added"), session.in_state("failed")
        return {
            "waiting": len(added),
            "bytesWaiting": sum(p.size for p in (*added, *failed)),
            "uploaded": len(session.in_state("uploaded")),
            "underWay": [
                {"label": shorten(p.label, MAX_NAME), "sent": p.sent, "size": p.size}
                for p in session.in_state("uploading")[:_MAX_UNDER_WAY]
            ],
            "failed": len(failed),
            "failures": [
                {"label": shorten(p.label, MAX_NAME), "problem": shorten(p.problem or "", 500)}
                for p in failed[:_MAX_FAILURES]
            ],
            "total": progress.total,
            "done": progress.done,
            "lost": progress.failed,
            "bytesSent": progress.bytes_sent,
            "bytesTotal": progress.bytes_total,
            "rate": progress.rate,
            "remaining": progress.remaining,
            "busy": session.busy,
            "trouble": shorten(notice.text, MAX_TEXT) if notice is not None and notice.level == "error" else "",
            "state": session.state,
        }

    def do_upload(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Send what has not arrived yet."""
        self.session.upload(wait=False)

    def do_cancel(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Stop the upload."""
        self.session.cancel()

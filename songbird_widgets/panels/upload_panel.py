"""Send what was added: progress in bars and words, cancel, and retry of what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Panel, module, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

# More lines than this say nothing new; the picker lists every profile with its state.
_MOST_FAILURES = 20
_MOST_UNDER_WAY = 6


class UploadPanel(Panel):
    """The upload of a Session: how far it is, what failed and why; buttons to start, cancel and retry.

    Uploads run beside the cells: the kernel stays usable and the progress goes on under a busy cell.

    Parameters
    ----------
    session : Session
        The session to upload into.
    """

    _esm = module("upload_panel.js")
    _watched = ("profiles", "progress", "busy", "state", "notice")

    def _facts(self) -> dict[str, Any]:
        profiles = self.session.profiles
        progress = self.session.progress
        notice = self.session.notice
        states = {state: [p for p in profiles if p.state == state] for state in ("added", "uploading", "failed")}
        return {
            "waiting": len(states["added"]),
            "bytesWaiting": sum(p.size for state in ("added", "failed") for p in states[state]),
            "uploaded": sum(p.state == "uploaded" for p in profiles),
            "sending": len(states["uploading"]),
            "underWay": [
                {"label": sentence(p.label, 120), "sent": p.sent, "size": p.size}
                for p in states["uploading"][:_MOST_UNDER_WAY]
            ],
            "failed": len(states["failed"]),
            "failures": [
                {"label": sentence(p.label, 120), "problem": sentence(p.problem, 500)}
                for p in states["failed"][:_MOST_FAILURES]
            ],
            "total": progress.total,
            "done": progress.done,
            "lost": progress.failed,
            "bytesSent": progress.bytes_sent,
            "bytesTotal": progress.bytes_total,
            "busy": self.session.busy,
            "text": sentence(progress.text, 500),
            "trouble": sentence(notice.text) if notice is not None and notice.level == "error" else "",
            "closed": self.session.state in {"claimed", "expired"},
        }

    def _do_upload(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self.session.upload(wait=False)

    def _do_cancel(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self.session.cancel()

"""Delete what was uploaded, for good: what is chosen, or the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...basics import shorten
from ...session import SessionError
from ..words import MAX_NAME, failure
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence


class DeletePart(Part):
    """Delete days and references, or the session, at the endpoint and here; the browser asks before it does."""

    name = "delete"
    watched = frozenset({"profiles", "selection", "state"})
    owner_only = frozenset({"delete"})
    for_visitors = False

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._deleting = False
        self._result = ""

    def facts(self) -> dict[str, Any]:
        return {
            "chosen": [
                {"label": shorten(p.choice, MAX_NAME), "uploads": len(self.session.uploads_of(p))}
                for p in self.session.selection
            ],
            "uploaded": len(self.session.in_state("uploaded")),
            "deleting": self._deleting,
            "result": self._result,
            "closed": self.session.state in {"claimed", "expired"},
        }

    def do_delete(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Delete what was confirmed: the session, or what is chosen if it is still that."""
        if content.get("what") == "session":
            count = len(self.session.in_state("uploaded"))
            self._begin(self.session.delete, f"The session is deleted, with {_profiles(count)}.")
            return
        chosen = self.session.selection
        if [shorten(p.choice, MAX_NAME) for p in chosen] != content.get("labels"):
            raise LookupError("What is chosen has changed since: nothing was deleted.")
        doomed = [upload for one in chosen for upload in self.session.uploads_of(one)]
        if not doomed:
            return
        if any(p.state == "uploading" for p in doomed):
            raise SessionError("Some of it is being uploaded: wait for the upload, or cancel it, and delete it then.")

        def delete() -> None:
            waiting = [p for p in doomed if p.state != "uploaded"]
            if len(waiting) < len(doomed):  # without any, the session would be deleted
                self.session.delete(*(p for p in doomed if p.state == "uploaded"))
            if waiting:
                self.session.remove(*waiting)

        labels = " and ".join(shorten(p.choice, MAX_NAME) for p in chosen)
        self._begin(delete, f"Deleted {labels}: {_profiles(len(doomed))}.")

    def _begin(self, delete: Any, result: str) -> None:
        with self.panel.lock:
            if self._deleting:
                return
            self._deleting, self._result = True, ""
            self.show()

        def work() -> None:
            problem = ""
            try:
                delete()
            except Exception as error:  # shown to the person
                problem = failure(error)
            with self.panel.lock:
                self._deleting, self._result = False, "" if problem else result
                self.panel.fail(self, problem)
                self.show()

        self.panel.later(self, work)


def _profiles(count: int) -> str:
    return f"{count:,} profile{'' if count == 1 else 's'}"

"""The session line: which endpoint, which session, how it is; and the way to another one."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ...basics import shorten
from ...client import SongbirdError
from ..words import MAX_NAME, MAX_TEXT, secret
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import LedgerSession, Notice

_PAUSE_SECONDS = 5.0
_MAX_EARLIER = 12
_STATE_WORDS = {
    "new": "not begun yet: the first upload creates it",
    "open": "open",
    "claimed": "claimed: its profiles belong to the organization now",
    "expired": "deleted or expired: nothing of it can be reached any more",
    "unreachable": "the endpoint does not answer",
}


class SessionPart(Part):
    """Endpoint (without secrets), the shortened id and the state in words, and the last notice.

    It also turns the session to a new one, to an earlier one of this user, or to one whose id is known.
    """

    name = "session"
    watched = frozenset({"state", "endpoint_label", "short_id", "notice", "busy", "name"})
    automatic = frozenset({"ping", "look"})
    owner_only = frozenset({"recall", "continue", "open", "rename"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._looked_at = float("-inf")
        self._earlier: list[LedgerSession] = []
        self._dismissed: Notice | None = None

    def facts(self) -> dict[str, Any]:
        session = self.session
        notice = session.notice
        # What another part says is not said twice.
        elsewhere = (session.progress.text, *self.panel.told)
        if notice is not None and (notice is self._dismissed or not notice.text or notice.text in elsewhere):
            notice = None
        return {
            "endpoint": shorten(session.endpoint_label, 300),
            "id": session.short_id,
            "name": session.name,
            "state": session.state,
            "words": _STATE_WORDS[session.state],
            "busy": session.busy,
            "notice": None if notice is None else {"level": notice.level, "text": shorten(notice.text, MAX_TEXT)},
        }

    def do_dismiss(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Show the notice no more."""
        self._dismissed = self.session.notice
        self.show()

    def do_rename(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Call the session what was typed."""
        self.session.name = shorten(str(content.get("name") or ""), MAX_NAME)

    def do_identify(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Give the id to who asks for it, in a message of its own: it is in no widget's state."""
        self.panel.later(self, lambda: self.panel.send({"part": self.name, "id": self.session.session_id}))

    def do_look(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Look for what others uploaded, on the browser's own motion: not more often than is useful."""
        now = time.monotonic()
        session = self.session
        if session.busy or session.state != "open" or now - self._looked_at < _PAUSE_SECONDS:
            return
        self._looked_at = now

        def look() -> None:
            # Nobody asked: an endpoint that is away becomes the state, and needs no message.
            with contextlib.suppress(SongbirdError):
                session.refresh()

        self.panel.later(self, look)

    def do_recall(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """List this user's earlier sessions."""

        def recall() -> None:
            self._earlier = self.session.recent(_MAX_EARLIER)
            earlier = [
                {
                    "id": one.short_id,
                    "name": one.name or "",
                    "endpoint": shorten(one.label, MAX_NAME),
                    "state": one.state,
                    "used": one.used,
                    "profiles": one.profiles,
                    "unfinished": one.unfinished,
                }
                for one in self._earlier
            ]
            self.panel.send({"part": self.name, "earlier": earlier})

        self.panel.later(self, recall)

    def do_continue(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Turn to one of the sessions that were listed."""
        earlier = self._earlier[int(content["place"])]
        self.panel.later(self, lambda: self.session.switch(earlier.endpoint, earlier.session_id))

    def do_open(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Turn to the session that was typed, or to a new one of the endpoint that was typed."""
        session_id = secret(buffers)
        endpoint = str(content.get("endpoint") or "").strip() or None
        self.panel.later(self, lambda: self.session.switch(endpoint, session_id))

    def do_refresh(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Ask the endpoint what the session holds."""
        self.panel.later(self, self.session.refresh)

"""The session line: which endpoint, which session, how it is; and the way to another one."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ..client import SongbirdError
from .base import Panel, module, sentence, unsealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import LedgerSession, Session

_PAUSE_SECONDS = 5.0
_MOST_EARLIER = 12
_WORDS = {
    "new": "not begun yet: the first upload creates it",
    "open": "open",
    "claimed": "claimed: its profiles belong to the organization now",
    "expired": "expired: make a new one with Session()",
    "unreachable": "the endpoint does not answer",
}


class SessionPanel(Panel):
    """Endpoint (without secrets), the shortened id and the state of a Session, in words, and its last notice.

    It also turns the session to a new one, to an earlier one of this user, or to one whose id is known.

    Parameters
    ----------
    session : Session
        The session to show.
    """

    _esm = module("session_panel.js")
    _watched = ("state", "endpoint_label", "short_id", "notice", "busy")
    _by_itself = frozenset({"look"})
    _of_the_owner = frozenset({"recall", "continue", "open"})

    def __init__(self, session: Session, **layout: Any) -> None:
        self._looked_at = float("-inf")
        self._earlier: list[LedgerSession] = []
        super().__init__(session, **layout)

    def _facts(self) -> dict[str, Any]:
        notice = self.session.notice
        if notice is not None and notice.text == self.session.progress.text:
            notice = None  # the upload says so itself
        return {
            "endpoint": sentence(self.session.endpoint_label, 300),
            "id": self.session.short_id,
            "state": self.session.state,
            "words": _WORDS[self.session.state],
            "busy": self.session.busy,
            "visited": self._visited,
            "notice": None if notice is None else {"level": notice.level, "text": sentence(notice.text)},
        }

    def _do_identify(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Give the id to who asks for it, in a message of its own: it is in no widget's state."""
        self._later(lambda: self.send({"id": self.session.session_id}))

    def _do_look(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
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

        self._later(look)

    def _do_recall(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        def recall() -> None:
            self._earlier = self.session.recent(_MOST_EARLIER)
            self.send(
                {
                    "earlier": [
                        {
                            "id": earlier.short_id,
                            "endpoint": sentence(earlier.label, 120),
                            "state": earlier.state,
                            "used": earlier.used,
                            "profiles": earlier.profiles,
                            "unfinished": earlier.unfinished,
                        }
                        for earlier in self._earlier
                    ]
                }
            )

        self._later(recall)

    def _do_continue(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        earlier = self._earlier[int(content["place"])]
        self._later(lambda: self.session.switch(earlier.endpoint, earlier.session_id))

    def _do_open(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Turn to the session that was typed, or to a new one of the endpoint that was typed."""
        session_id = unsealed(buffers)
        endpoint = str(content.get("endpoint") or "").strip() or None
        self._later(lambda: self.session.switch(endpoint, session_id))

    def _do_refresh(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self._later(self.session.refresh)

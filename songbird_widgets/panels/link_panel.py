"""The observatory links of what is selected: side by side and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..session import anchor, followable
from .base import Panel, in_words, module, sentence

if TYPE_CHECKING:
    from ..session import ObservatoryLink, Session


class LinkPanel(Panel):
    """Links to the observatory for the selection of a Session.

    A link is asked for as soon as something is selected, beside the cells. It is shown only while it is true:
    when the selection changes, the old link is gone before the new one is there.

    Parameters
    ----------
    session : Session
        The session whose selection to link to.
    """

    _esm = module("link_panel.js")
    _watched = ("selection", "profiles", "state")

    def __init__(self, session: Session, **layout: Any) -> None:
        self._asked: object = None
        self._link: ObservatoryLink | None = None
        self._reason = ""
        super().__init__(session, **layout)

    def _subject(self) -> tuple[object, ...]:
        """Return all that a link depends on."""
        session = self.session
        ended = session.state in {"claimed", "expired"}
        return tuple((p.key, p.profile_id, p.state) for p in session.selection), ended

    def _show(self) -> None:
        with self._lock:
            subject = self._subject()
            if subject != self._asked:
                self._asked, self._link, self._reason = subject, None, ""
                selection, ended = subject
                if selection and not ended:
                    self._later(lambda: self._ask(subject))
            super()._show()

    def _ask(self, subject: object) -> None:
        link: ObservatoryLink | None = None
        reason = ""
        try:
            link = self.session.link
            if not followable(link.href):
                link, reason = (
                    None,
                    "The endpoint answered a link that is no http(s) address, so it is not shown.",
                )
        except Exception as error:  # noqa: BLE001 - shown to the person
            reason = in_words(error)
        with self._lock:
            if subject == self._asked:  # else the selection has changed meanwhile, and this link is stale
                self._link, self._reason = link, reason
                super()._show()

    def _facts(self) -> dict[str, Any]:
        link = self._link
        selection = self.session.selection
        return {
            "selected": len(selection),
            "ended": self.session.state in {"claimed", "expired"},
            "reason": sentence(self._reason),
            "main": ""
            if link is None
            else anchor(link.href, link.text if len(selection) == 1 else "Open side by side"),
            "each": []
            if link is None
            else [
                anchor(single.href, sentence(profile.label, 60))
                for single, profile in zip(link.individual, selection, strict=False)
            ],
        }

    def _do_again(self, _content: dict[str, Any], _buffers: object) -> None:
        with self._lock:
            self._asked = None
            self._show()

"""The observatory links of what is selected: side by side and one by one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ...basics import shorten
from ...client import SongbirdError
from ...session import followable
from ..words import MAX_TEXT, middle_out
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import SessionProfile


class LinkPart(Part):
    """Links to the observatory for the selection, which the session asks for; without one, to all days."""

    name = "link"
    watched = frozenset({"selection", "profiles", "state", "busy", "current_link", "link_problem"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._all_days: dict[str, str] | None = None
        self._beside: SessionProfile | None = None

    def follow(self) -> None:
        """Ask for the page of all days where nothing is selected."""
        session = self.session
        if not session.busy and not session.selection:
            beside = session.trends_baseline
            if beside != self._beside:
                self._beside, self._all_days = beside, None
                if beside is not None:
                    self.panel.later(self, lambda: self._find(beside))
        self.show()

    def _find(self, beside: SessionProfile) -> None:
        with contextlib.suppress(SongbirdError):  # nobody asked
            link = self.session.trends_link
            if self.session.selection:  # it may be beside what was selected since: ask again when nothing is
                self._beside = None
            elif self._beside == beside and followable(link.href):
                self._all_days = {"href": link.href, "text": f"{link.text}, beside {middle_out(beside.choice, 40)}"}
                self.show()

    def facts(self) -> dict[str, Any]:
        session = self.session
        link, selection, reason = session.current_link, session.selection, session.link_problem
        ended = session.state in {"claimed", "expired"}
        if link is not None and not followable(link.href):
            link, reason = None, "The endpoint answered a link that is no http(s) address, so it is not shown."
        main, each, trends = None, [], session.current_trends_link
        over_time = self._all_days if not selection and not ended else None
        if link is not None and not ended:
            main = {"href": link.href, "text": link.text if len(selection) == 1 else "Open side by side"}
            each = [
                {"href": single.href, "text": middle_out(profile.choice, 60)}
                for single, profile in zip(link.individual, selection, strict=False)
            ]
            if trends is not None:
                over_time = {"href": trends.href, "text": trends.text}
        return {
            "selected": len(selection),
            "ended": ended,
            "waiting": self._missing(),
            "reason": shorten(reason, MAX_TEXT),
            "main": main,
            "each": each,
            "trends": over_time,
        }

    def _missing(self) -> list[str]:
        """Name what is selected and of which nothing has arrived: it has no page yet."""
        waiting = {p.slot: p.choice for p in self.session.selection if p.state != "uploaded"}
        if waiting:
            for profile in self.session.profiles:
                if profile.state == "uploaded":
                    waiting.pop(profile.slot, None)
        return list(waiting.values())

    def do_again(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Ask for the link once more."""

        def ask() -> None:
            with contextlib.suppress(SongbirdError):  # why there is none is a fact of the session
                _ = self.session.link

        self.panel.later(self, ask)

"""Pick up to three: references, and days with their uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...basics import shorten
from ...session import SelectionError
from ..listing import listing_of
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import SessionProfile


class PickerPart(Part):
    """The session's profiles as a list to choose three from.

    The cap of three is the session's own. Chosen profiles are chips P1 to P3 above the list, in the colours of the
    observatory. What is chosen here is `session.selection`, and the other way round.
    """

    name = "picker"
    watched = frozenset({"profiles", "selection", "busy", "state"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._listing = listing_of(self.session)

    def state(self) -> dict[str, Any]:
        self._listing.follow(self.session)
        return {"rows": self._listing.rows, "states": self._listing.states, **super().state()}

    def facts(self) -> dict[str, Any]:
        numbered = [(self._listing.number(p), p) for p in self.session.selection]
        return {
            "chosen": [self._chosen(number, p) for number, p in numbered if number is not None],
            "problems": self._listing.problems,
            "gone": self.session.state == "expired",  # what was uploaded, with the session
        }

    def _chosen(self, number: int, profile: SessionProfile) -> dict[str, Any]:
        uploads = self.session.uploads_of(profile)
        counts = [upload.rows for upload in uploads if upload.rows is not None]
        return {
            "number": number,
            "label": profile.choice,
            "kind": profile.kind,
            "uploads": max(1, len(uploads)),
            "rows": sum(counts) if 0 < len(uploads) == len(counts) else None,
        }

    def _profile(self, number: object) -> SessionProfile:
        return self._listing.profile(number, self.session.profiles)

    def do_choose(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Add to the selection."""
        self.session.select(self._profile(content.get("number")))

    def do_release(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Take out of the selection."""
        self.session.deselect(self._profile(content.get("number")))

    def do_replace(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Choose one instead of another, in its place."""
        selection = list(self.session.selection)
        selection[_place(content, selection)] = self._profile(content.get("number"))
        self.session.selection = tuple(selection)

    def do_swap(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Move one of the selection a place forward."""
        selection = list(self.session.selection)
        place = _place(content, selection)
        if place > 0:
            selection[place - 1 : place + 1] = selection[place], selection[place - 1]
        self.session.selection = tuple(selection)

    def do_enter(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Choose by what was typed: an alias, a reference id, a date or a timestamp, listed yet or not."""
        text = shorten(str(content.get("text") or ""), 300).strip()

        def choose() -> None:
            try:
                self.session.select(text)
            except SelectionError:
                self.session.refresh()  # somebody else may have uploaded it
                self.session.select(text)

        self.panel.later(self, choose)


def _place(content: dict[str, Any], selection: Sequence[SessionProfile]) -> int:
    place = content.get("place")
    if not isinstance(place, int) or not 0 <= place < len(selection):
        raise LookupError("That one is no longer chosen. The list has been brought up to date.")
    return place

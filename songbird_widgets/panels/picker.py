"""Pick up to three profiles: one list of references and batches, drawn row by row as it scrolls."""

from __future__ import annotations

import time
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import traitlets

from ..session import SelectionError
from .base import Panel, module, sentence
from .rows import pack, pack_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import Session, SessionProfile

# While an upload runs, states change many times a second; the eye needs no more than this.
_PAUSE_SECONDS = 0.1
# Reasons are sentences; the first ones are enough to act on.
_MOST_REASONS = 200


class ProfilePicker(Panel):
    """The session's profiles as a list to choose three from.

    A click, Space or Enter chooses a profile or lets it go. The cap of three is the session's own: a fourth
    is refused by `Session.selection`, and its message is shown here. Chosen profiles are chips P1 to P3 above
    the list, in the colours of the observatory. What is chosen here is `session.selection`, and the other way
    round.

    Parameters
    ----------
    session : Session
        The session to pick from.
    """

    _esm = module("timeline.js", "picker.js")
    _watched = ("profiles", "selection", "busy")

    #: The rows; see `panels.rows`.
    rows = traitlets.Bytes().tag(sync=True)
    #: One byte a row: its state.
    states = traitlets.Bytes().tag(sync=True)

    def __init__(self, session: Session, **layout: Any) -> None:
        self._numbers: dict[str, int] = {}
        self._keys: list[str] | None = None
        self._shown_at = 0.0
        super().__init__(session, **layout)

    def _show(self) -> None:
        with self._lock:
            profiles: tuple[SessionProfile, ...] = self.session.profiles
            keys = [profile.key for profile in profiles]
            same_rows = keys == self._keys
            now = time.monotonic()
            with self.hold_sync():
                if not same_rows:
                    new = [key for key in keys if key not in self._numbers]
                    self._numbers.update(zip(new, count(len(self._numbers)), strict=False))
                    self.rows = pack(profiles, [self._numbers[key] for key in keys])
                    self._keys = keys
                # States can wait while an upload runs, and `busy` brings the last ones; a choice can't.
                if not (same_rows and self.session.busy and now - self._shown_at < _PAUSE_SECONDS):
                    self.states = pack_states(profiles)
                    self._shown_at = now
                self.facts = self._facts()

    def _facts(self) -> dict[str, Any]:
        selection: tuple[SessionProfile, ...] = self.session.selection
        failed = islice((p for p in self.session.profiles if p.problem), _MOST_REASONS)
        return {
            "chosen": [
                {"number": self._numbers[p.key], "label": sentence(p.label, 120), "kind": p.kind}
                for p in selection
                if p.key in self._numbers
            ],
            "problems": {str(self._numbers[p.key]): sentence(p.problem, 500) for p in failed if p.key in self._numbers},
        }

    def _profile(self, number: object) -> SessionProfile:
        profiles: tuple[SessionProfile, ...] = self.session.profiles
        for profile in profiles:
            if self._numbers.get(profile.key) == number:
                return profile
        raise LookupError("That profile is no longer in the session. The list has been brought up to date.")

    def _do_choose(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        try:
            self.session.select(self._profile(content.get("number")))
        finally:
            self.send({"settled": True})

    def _do_release(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        try:
            self.session.deselect(self._profile(content.get("number")))
        finally:
            self.send({"settled": True})

    def _do_enter(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Choose by what was typed: an alias, a reference id, a date or a timestamp, listed yet or not."""
        text = sentence(content.get("text") or "", 300).strip()

        def choose() -> None:
            try:
                self.session.select(text)
            except SelectionError:
                self.session.refresh()  # somebody else may have uploaded it
                self.session.select(text)

        self._later(choose)

    def _do_clear(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self.session.selection = ()

"""Pick up to three profiles: one list of references and batches, drawn row by row as it scrolls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import traitlets

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

    _esm = module("picker.js")
    _watched = ("profiles", "selection", "busy")

    #: The rows; see `panels.rows`.
    rows = traitlets.Bytes().tag(sync=True)
    #: One byte a row: its state.
    states = traitlets.Bytes().tag(sync=True)

    def __init__(self, session: Session, **layout: Any) -> None:
        self._numbers: dict[str, int] = {}
        self._packed: tuple[tuple[Any, ...], ...] | None = None
        self._shown_at = 0.0
        super().__init__(session, **layout)

    def _show(self) -> None:
        with self._lock:
            profiles = self.session.profiles
            described = tuple((p.key, p.label, p.kind) for p in profiles)
            same_rows = described == self._packed
            if same_rows and self.session.busy and time.monotonic() - self._shown_at < _PAUSE_SECONDS:
                profiles = ()  # states can wait, and `busy` brings the last ones; a choice can't
            numbers = [self._numbers.setdefault(key, len(self._numbers)) for key, _, _ in described]
            with self.hold_sync():
                if not same_rows:
                    self.rows = pack(profiles, numbers)
                    self._packed = described
                if profiles or not described:
                    self.states = pack_states(profiles)
                    self._shown_at = time.monotonic()
                self.facts = self._facts()

    def _facts(self) -> dict[str, Any]:
        failed = [p for p in self.session.profiles if p.problem][:_MOST_REASONS]
        return {
            "chosen": [
                {"number": self._numbers[p.key], "label": sentence(p.label, 120), "kind": p.kind}
                for p in self.session.selection
                if p.key in self._numbers
            ],
            "problems": {str(self._numbers[p.key]): sentence(p.problem, 500) for p in failed},
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

    def _do_clear(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self.session.selection = ()

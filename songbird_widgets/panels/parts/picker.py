"""Pick up to three: references, and days with their uploads."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ...basics import DAY_MS, shorten
from ...session import SelectionError
from ..rows import pack, pack_states
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import SessionProfile

# While an upload runs, states change many times a second; the eye needs no more than this.
_PAUSE_SECONDS = 0.1
# Reasons are sentences; the first ones are enough to act on.
_MAX_REASONS = 20


class PickerPart(Part):
    """The session's profiles as a list to choose three from.

    The cap of three is the session's own. Chosen profiles are chips P1 to P3 above the list, in the colours of the
    observatory. What is chosen here is `session.selection`, and the other way round.
    """

    name = "picker"
    watched = frozenset({"profiles", "selection", "busy"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._numbers: dict[str, int] = {}
        self._profiles: tuple[SessionProfile, ...] | None = None
        self._keys: list[str] | None = None
        self._rows = self._states = b""
        self._problems: dict[str, str] = {}
        self._shown_at = 0.0
        # Of each profile: its number; the days since 1970 of a batch, and its rows; NaN where there are none or they
        # are unknown.
        self._places = self._days = self._counts = np.zeros(0)

    def state(self) -> dict[str, Any]:
        profiles: tuple[SessionProfile, ...] = self.session.profiles
        # A choice changes no profile: then nothing is gone through.
        if profiles is not self._profiles:
            self._read(profiles)
        return {"rows": self._rows, "states": self._states, **super().state()}

    def _read(self, profiles: tuple[SessionProfile, ...]) -> None:
        keys = [profile.key for profile in profiles]
        same_rows = keys == self._keys
        now = time.monotonic()
        if not same_rows:
            known = self._numbers
            new = [key for key in keys if key not in known] if known else keys
            known.update(zip(new, range(len(known), len(known) + len(new)), strict=True))
            numbers = [self._numbers[key] for key in keys]
            self._rows = pack(profiles, numbers)
            self._keys = keys
            self._places = np.array(numbers)
            times = [p.dataset_timestamp if p.kind == "batch" else None for p in profiles]
            self._days = np.array(times, "f8") // DAY_MS  # None becomes NaN
            self._counts = np.array([p.rows for p in profiles], "f8")
        # States can wait while an upload runs, and `busy` brings the last ones.
        if same_rows and self.session.busy and now - self._shown_at < _PAUSE_SECONDS:
            return
        self._states = pack_states(profiles)
        failed = islice((p for p in profiles if p.problem), _MAX_REASONS)
        self._problems = {str(self._numbers[p.key]): shorten(p.problem or "", 300) for p in failed}
        self._shown_at = now
        self._profiles = profiles

    def facts(self) -> dict[str, Any]:
        return {
            "chosen": [self._chosen(p) for p in self.session.selection if p.key in self._numbers],
            "problems": self._problems,
        }

    def _chosen(self, profile: SessionProfile) -> dict[str, Any]:
        uploads, rows = 1, profile.rows
        if profile.kind == "batch" and profile.dataset_timestamp is not None:
            counts = self._counts[self._days == profile.dataset_timestamp // DAY_MS]
            uploads = max(1, len(counts))
            total = counts.sum()
            rows = None if np.isnan(total) else int(total)
        return {
            "number": self._numbers[profile.key],
            "label": profile.choice,
            "kind": profile.kind,
            "uploads": uploads,
            "rows": rows,
        }

    def _profile(self, number: object) -> SessionProfile:
        profiles: tuple[SessionProfile, ...] = self.session.profiles
        found = np.flatnonzero(self._places == number).tolist() if isinstance(number, int) else []
        if found and found[0] < len(profiles):
            profile: SessionProfile = profiles[found[0]]
            if self._numbers.get(profile.key) == number:
                return profile
        raise LookupError("That profile is no longer in the session. The list has been brought up to date.")

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

    def do_clear(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Let all go."""
        self.session.selection = ()


def _place(content: dict[str, Any], selection: Sequence[SessionProfile]) -> int:
    place = content.get("place")
    if not isinstance(place, int) or not 0 <= place < len(selection):
        raise LookupError("That one is no longer chosen. The list has been brought up to date.")
    return place

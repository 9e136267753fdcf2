"""The list of a session as its pickers show it: packed once, however many of them there are."""

from __future__ import annotations

import threading
import time
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from ..basics import shorten
from .rows import STATES, fields, pack, pack_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import Session, SessionProfile

# While an upload runs, states change many times a second; the eye needs no more than this.
_PAUSE_SECONDS = 0.1
# Reasons are sentences; the first ones are enough to act on.
_MAX_REASONS = 20
_FAILED = STATES.index("failed")


class Listing:
    """Rows, states and reasons of a session's profiles, and the number by which the browser calls each.

    Attributes
    ----------
    rows, states : bytes
        See `panels.rows`.
    problems : dict of str to str
        Why profiles failed, by their numbers.
    """

    def __init__(self) -> None:
        self.rows = self.states = b""
        self.problems: dict[str, str] = {}
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._profiles: tuple[SessionProfile, ...] | None = None
        self._keys: list[str] | None = None
        self._columns: list[int | None] = []
        self._places = np.zeros(0)  # the number of each profile
        self._read_at = 0.0

    def follow(self, session: Session) -> None:
        """Bring the list in step with the session; a choice changes no profile, so nothing is gone through then."""
        with self._lock:
            if session.profiles is not self._profiles:
                self._read(session.profiles, busy=session.busy)

    def _read(self, profiles: tuple[SessionProfile, ...], *, busy: bool) -> None:
        # What others uploaded is counted by the endpoint a moment after it is listed.
        keys, columns = fields(profiles, "key", "columns")
        same_rows = keys == self._keys and columns == self._columns
        now = time.monotonic()
        if not same_rows:
            known = self._numbers
            numbers: Sequence[int] = range(len(keys))
            new = [key for key in keys if key not in known] if known else keys
            first = not known
            known.update(zip(new, range(len(known), len(known) + len(new)), strict=True))
            if not first:
                numbers = [known[key] for key in keys]
            self.rows = pack(profiles, numbers)
            self._keys, self._columns = keys, columns
            self._places = np.array(numbers)
        # States can wait while an upload runs, and `busy` brings the last ones.
        if same_rows and busy and now - self._read_at < _PAUSE_SECONDS:
            return
        self.states = pack_states(profiles)
        problems = (p for p in profiles if p.problem) if _FAILED in self.states else ()
        failed = islice(problems, _MAX_REASONS)
        self.problems = {str(self._numbers[p.key]): shorten(p.problem or "", 300) for p in failed}
        self._read_at = now
        self._profiles = profiles

    def number(self, profile: SessionProfile) -> int | None:
        """Return the number of a profile; None if it is not listed."""
        return self._numbers.get(profile.key)

    def profile(self, number: object, profiles: tuple[SessionProfile, ...]) -> SessionProfile:
        """Return the profile of a number.

        Raises
        ------
        LookupError
            If it is no longer there.
        """
        found = np.flatnonzero(self._places == number).tolist() if isinstance(number, int) else []
        if found and found[0] < len(profiles):
            profile: SessionProfile = profiles[found[0]]
            if self._numbers.get(profile.key) == number:
                return profile
        raise LookupError("That profile is no longer in the session. The list has been brought up to date.")


_listings: WeakKeyDictionary[Session, Listing] = WeakKeyDictionary()


def listing_of(session: Session) -> Listing:
    """Return the one listing of a session."""
    return _listings.setdefault(session, Listing())

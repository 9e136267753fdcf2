"""The comparisons that pages looked at last: what follows, another page of columns or one of them, is at hand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..observatory.sides import Side
    from ..observatory.view import View

MAX_COLUMNS = 4_000
"""Columns of all views that are kept, side by side; the latest is kept however many it has.

A view of 3,000 columns holds about 5 MB.
"""


class ViewCache:
    """Keeps the latest views."""

    def __init__(self) -> None:
        self._views: OrderedDict[tuple[object, ...], View] = OrderedDict()
        self._lock = threading.Lock()

    def through(self, sides: Sequence[Side], make: Callable[[Sequence[Side]], View]) -> View:
        """Return the view of these sides: the one of before, unless anything in them changed.

        Parameters
        ----------
        sides
            As they were found.
        make
            Loads what they hold.
        """
        key = tuple((side.value, side.label, side.fingerprint, side.problem is None) for side in sides)
        with self._lock:
            view = self._views.get(key)
            if view is not None:
                self._views.move_to_end(key)
                return view
            self._make_room(max(map(_weight, self._views.values()), default=0))
        view = make(sides)
        if len(view.shown) < len(sides):
            return view  # what is wrong may be mended
        with self._lock:
            self._make_room(_weight(view))
            self._views[key] = view
        return view

    def _make_room(self, columns: int) -> None:
        """Drop the views that were looked at longest ago, until so many more columns fit in."""
        while self._views and sum(map(_weight, self._views.values())) + columns > MAX_COLUMNS:
            self._views.popitem(last=False)

    def discard(self, view: View) -> None:
        """Keep a view no longer."""
        with self._lock:
            self._views = OrderedDict((key, one) for key, one in self._views.items() if one is not view)


def _weight(view: View) -> int:
    return sum(len(side.summary.names) for side in view.shown if side.summary)

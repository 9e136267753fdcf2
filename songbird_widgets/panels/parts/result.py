"""What came of comparing the selection: the comparison's card, made beside the cells."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from ...basics import shorten
from ...session import followable
from ...session.executor import SerialExecutor
from ..words import MAX_TEXT, failure
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...observatory import ComparisonResult


MAX_LINK_SECONDS = 1.0
"""How long a comparison waits for the link of the selection, which takes less and is wanted sooner."""


class ResultPart(Part):
    """The comparison of what is selected, as a card; the last selection wins.

    While it is made the card of the selection before stays, marked as such.
    """

    name = "result"
    watched = frozenset({"selection", "profiles", "busy", "state", "current_link"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._worker = SerialExecutor("songbird-result")
        self._number = 0
        self._slots: tuple[str, ...] = ()
        self._result: ComparisonResult | None = None
        self._card = b""
        self._headline = self._problem = ""
        self._comparing = False

    def state(self) -> dict[str, Any]:
        return {"card": self._card, **super().state()}

    def facts(self) -> dict[str, Any]:
        link = self.session.current_link
        if link is not None and (not followable(link.href) or self.session.state in {"claimed", "expired"}):
            link = None
        return {
            "selected": len(self.session.selection),
            "comparing": self._comparing,
            "headline": shorten(self._headline, MAX_TEXT),
            "problem": self._problem,
            "link": None if link is None else {"href": link.href, "text": "Open the full page"},
        }

    def follow(self) -> None:
        """Compare what is selected, if it is not what is shown."""
        slots = tuple(profile.slot for profile in self.session.selection)
        with self.panel.lock:
            # While an upload runs the profiles change all the time, and `busy` brings the last change.
            if slots != self._slots or not self.session.busy:
                self._number += 1
                self._comparing = bool(slots) and (self._comparing or slots != self._slots)
                self._slots = slots
                if slots:
                    number = self._number
                    self._worker.submit(lambda: self._compare(number))
                else:
                    self._result, self._card, self._headline, self._problem = None, b"", "", ""
            self.show()

    def _compare(self, number: int) -> None:
        """Compare what is selected, unless something else is wanted by now."""
        self.session.wait_for_link(MAX_LINK_SECONDS)
        if number != self._number:
            return
        if self._result is None or self.session.current_comparison is not self._result:
            with self.panel.lock:
                self._comparing = number == self._number
                self.show()
            result, card, headline, problem = None, b"", "", ""
            try:
                result = self.session.compare()
                card = zlib.compress(result._repr_mimebundle_()["text/html"].encode("utf-8", "replace"), 6)
                headline = result.to_text().partition("\n")[0]
            except Exception as error:  # shown to the person
                problem = failure(error)
        else:
            result, card, headline, problem = self._result, self._card, self._headline, ""
        with self.panel.lock:
            if number == self._number:
                self._result, self._card, self._headline, self._problem = result, card, headline, problem
                self._comparing = False
                self.show()

    def do_again(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Compare once more."""
        self._slots = ()
        self.follow()

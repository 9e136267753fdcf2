"""A progress bar for what takes long: in a notebook's cell, or on a terminal."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

BAR_AFTER = 1.0
"""Seconds after which a bar appears."""


class ProgressBar:
    """A bar of tqdm that appears when work takes long and goes when it ends; until then tqdm is not loaded.

    Parameters
    ----------
    total : int
        How much there is to do; it may become more.
    **options
        Of tqdm.

    Attributes
    ----------
    total, done : int
    name : str
        What is being worked on.
    """

    def __init__(self, total: int = 0, **options: Any) -> None:
        self.total = total
        self.done = 0
        self.name = ""
        self._options = options
        self._begun = time.monotonic()
        self._bar: Any = None

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int) -> None:
        """Say how much is done."""
        self.done = done
        if self._bar is None:
            if time.monotonic() - self._begun < BAR_AFTER:
                return
            # A kernel's stderr is no terminal either, but there the bar is a widget.
            disable = False if "ipykernel.zmqshell" in sys.modules else None
            self._bar = import_module("tqdm.auto").tqdm(
                desc=self.name or None, total=self.total, disable=disable, leave=False, **self._options
            )
            if hasattr(self._bar, "start_t"):  # it is shown
                self._bar.start_t -= BAR_AFTER
        self._bar.total = self.total
        self._bar.set_description(self.name, refresh=False)
        self._bar.update(done - self._bar.n)

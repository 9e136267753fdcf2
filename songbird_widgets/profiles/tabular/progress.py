"""A progress bar for what takes long: in a notebook's cell, or on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BAR_AFTER = 1.0
"""Seconds after which a bar appears."""


@contextmanager
def progress_bar(total: int | None = None, **options: Any) -> Iterator[Any]:
    """Return a bar of tqdm that appears when the work takes long, and goes with it.

    Parameters
    ----------
    total : int, optional
        How much there is to do.
    **options
        Of tqdm: `unit`, `unit_scale`.
    """
    tqdm = import_module("tqdm.auto").tqdm
    # A kernel's stderr is no terminal either, but there the bar is a widget.
    disable = False if "ipykernel.zmqshell" in sys.modules else None
    with tqdm(total=total, delay=BAR_AFTER, disable=disable, leave=False, **options) as bar:
        yield bar

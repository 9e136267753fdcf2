"""A process that serves an application, of one user or of a team: its log, its start and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from ..local.identity import LocalServiceError
from .handler import logger

if TYPE_CHECKING:
    from .app import Application

_PRELOAD_SECONDS = 1.0
_GRACE_SECONDS = 2.5
"""How long what was begun may go on when the service ends."""


async def preload(app: Application) -> None:
    """Have the pages ready before the first one is asked for, and after the first uploads were taken."""
    await asyncio.sleep(_PRELOAD_SECONDS)
    try:
        loop, executor = asyncio.get_running_loop(), app.settings["executor"]
        await loop.run_in_executor(executor, _prepare_observatory)
        app.add_observatory()
        await loop.run_in_executor(executor, app.settings["observatory"].warm_up)
    except Exception:  # nobody waits for it, and uploads go on
        logger.exception("the observatory could not be prepared; it is tried again when a page is asked for")


def _prepare_observatory() -> None:
    """Load what pages need, and compile their templates."""
    from ..observatory.rendering import prepare
    from . import page_handlers  # noqa: F401

    prepare()


async def finish(app: Application, seconds: float = _GRACE_SECONDS) -> None:
    """Wait until what was begun has been answered, so many seconds at most."""
    end = time.monotonic() + seconds
    while app.is_busy() and time.monotonic() < end:  # noqa: ASYNC110 (a broken connection sets no event)
        await asyncio.sleep(0.05)


def print_address(address: str) -> None:
    """Print where the service answers.

    Raises
    ------
    LocalServiceError
        When nobody can read it.
    """
    try:
        sys.stdout.write(f"The Songbird service answers at {address}\n")
        sys.stdout.flush()
    except OSError as error:
        raise LocalServiceError(f"Where the service answers cannot be printed: {error.strerror}.") from error


def log_to(handler: logging.Handler) -> None:
    """Send the service's log to `handler`; of other libraries only what is wrong."""
    logging.basicConfig(
        level=logging.WARNING, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logger.setLevel(logging.INFO)


def stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if os.name == "nt":  # where loops take no signals
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)

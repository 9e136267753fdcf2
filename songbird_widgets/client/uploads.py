"""Uploads of many profiles at once, by threads or by the tasks of an event loop, each with its own result."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import time
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from ..secret import Secret
from .calls import finished
from .errors import ConfigurationError
from .songbird import AsyncSongbird, Songbird
from .upload_steps import ProfileUpload, Upload, UploadEvent, UploadResult, Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator

    from .models import Dataset

GRACE_SECONDS = 0.5  # for what is under way when the caller says stop
_LOOK_SECONDS = 0.05  # between two looks at whether to stop

_log = logging.getLogger("songbird_widgets.client")


def iter_uploads(
    client: Songbird,
    session_id: str | Dataset,
    profiles: Iterable[ProfileUpload],
    *,
    concurrency: int = 16,
    cancel: threading.Event | None = None,
) -> Iterator[UploadEvent]:
    """Upload profiles, several at a time, and yield what happens to each as it happens.

    Parameters
    ----------
    client : Songbird
        The client to send with; it is as usable afterwards as before, also after a cancel.
    session_id : str or Dataset
        The session that gets them, or the dataset of the organization whose key the client has.
    profiles : iterable of ProfileUpload
        What to upload. An iterator is asked for the next only when a worker is free, and not after a cancel.
    concurrency : int
        How many at once at most; not more than 100.
    cancel : threading.Event, optional
        Set it to stop: what was not begun is not sent, and what is under way is waited for only half a second.

    Yields
    ------
    UploadEvent
        The start of each profile, every MiB in between, and its end. Failures are in there, not raised. A session
        that has expired, or an endpoint that is not there, ends the upload: the rest fails for that reason.
    """
    target = Secret.of(session_id)
    del session_id  # frames of an error show what is left
    return _events(Upload(Songbird, client, target, profiles, concurrency, cancel))


def upload_profiles(
    client: Songbird,
    session_id: str | Dataset,
    profiles: Iterable[ProfileUpload],
    *,
    concurrency: int = 16,
    on_progress: Callable[[UploadEvent], None] | None = None,
    cancel: threading.Event | None = None,
) -> list[UploadResult]:
    """Upload profiles as `iter_uploads` does, and return what became of each.

    `on_progress` is called with every event; the results are in the order of `profiles`.
    """
    target = Secret.of(session_id)
    del session_id
    upload = Upload(Songbird, client, target, profiles, concurrency, cancel)
    for event in _events(upload):
        on_progress = _told(on_progress, event)
    return upload.results()


def aiter_uploads(
    client: AsyncSongbird,
    session_id: str | Dataset,
    profiles: Iterable[ProfileUpload],
    *,
    concurrency: int = 16,
    cancel: asyncio.Event | None = None,
) -> AsyncIterator[UploadEvent]:
    """Upload profiles as `iter_uploads` does, with tasks of this event loop instead of threads."""
    target = Secret.of(session_id)
    del session_id
    return _aevents(Upload(AsyncSongbird, client, target, profiles, concurrency, cancel))


async def aupload_profiles(
    client: AsyncSongbird,
    session_id: str | Dataset,
    profiles: Iterable[ProfileUpload],
    *,
    concurrency: int = 16,
    on_progress: Callable[[UploadEvent], None] | None = None,
    cancel: asyncio.Event | None = None,
) -> list[UploadResult]:
    """Upload profiles as `upload_profiles` does, with tasks of this event loop instead of threads."""
    target = Secret.of(session_id)
    del session_id
    upload = Upload(AsyncSongbird, client, target, profiles, concurrency, cancel)
    async with contextlib.aclosing(_aevents(upload)) as events:
        async for event in events:
            on_progress = _told(on_progress, event)
    return upload.results()


def _told(on_progress: Callable[[UploadEvent], None] | None, event: UploadEvent) -> Any:
    """Tell the caller, whose own mistakes must not cost him his uploads; return whom to tell the next."""
    try:
        if on_progress is not None:
            on_progress(event)
    except Exception as error:  # whatever it is, it is not ours
        _log.warning("on_progress raised %s: no further progress is told.", type(error).__name__)
        return None
    return on_progress


def _events(upload: Upload) -> Iterator[UploadEvent]:
    from concurrent.futures import ThreadPoolExecutor

    events: Queue[UploadEvent | None] = Queue()  # in Python 3.10 SimpleQueue.get may wait longer than it is told to
    upload.tell = events.put
    pool = ThreadPoolExecutor(len(upload.workers), thread_name_prefix="songbird-upload")
    futures = [pool.submit(contextvars.copy_context().run, _work, worker) for worker in upload.workers]
    try:
        working, until, process = len(futures), float("inf"), os.getpid()
        while working and time.monotonic() < until:
            if os.getpid() != process:  # where the workers are not
                raise ConfigurationError("This upload is of the process that began it, not of its fork.")
            if upload.stopped():
                until = min(until, time.monotonic() + GRACE_SECONDS)
            with contextlib.suppress(Empty):
                event = events.get(timeout=_LOOK_SECONDS)
                working -= event is None
                if event is not None:
                    yield event
        upload.end()
        while not events.empty():
            if (event := events.get()) is not None:
                yield event
        for future in futures:
            if not working or future.done():
                future.result()
    finally:
        upload.halted = True
        pool.shutdown(wait=False, cancel_futures=True)


def _work(worker: Worker) -> None:
    finished(worker.work())


async def _aevents(upload: Upload) -> AsyncGenerator[UploadEvent, None]:
    events: asyncio.Queue[UploadEvent | None] = asyncio.Queue()
    upload.tell = events.put_nowait
    tasks = [asyncio.create_task(worker.work()) for worker in upload.workers]
    stopping = asyncio.create_task(_stop(tasks, upload))
    try:
        working = len(tasks)
        while working:
            event = await events.get()
            working -= event is None
            if event is not None:
                yield event
            elif upload.halted:
                _cancel(tasks)
        upload.end()
        while not events.empty():
            if (event := events.get_nowait()) is not None:
                yield event
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):  # and no cancellation
                raise result
    finally:
        upload.halted = True
        _cancel([*tasks, stopping])
        await asyncio.wait([*tasks, stopping])


async def _stop(tasks: list[asyncio.Task[None]], upload: Upload) -> None:
    for _ in iter(upload.stopped, True):  # so that a threading.Event, whose wait would block the loop, does as well
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.sleep(GRACE_SECONDS)
    _cancel(tasks)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()

"""Background work: the only place where a session starts threads.

A widget's trait that changes on such a thread reaches the browser even while a cell computes; tasks on the
kernel's event loop would wait for the cell. Kernels of the 7.0 series look the current cell up in a context
variable, so each job runs in a copy of the context that asked for it.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TICK_SECONDS = 0.1
"""Seconds between two reports of progress."""


class SerialExecutor:
    """Jobs done one after the other, on a thread that ends when there is nothing left to do.

    Parameters
    ----------
    name : str
        Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[_Job[Any]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Do `call` after what was submitted before."""
        job = _Job(call)
        with self._lock:
            self._jobs.append(job)
            if self._thread is None:
                # A daemon does not keep the interpreter from ending; the ledger knows what is left to send.
                self._thread = threading.Thread(target=self._drain, name=self._name, daemon=True)
                self._thread.start()
        return job.future

    def clear(self) -> None:
        """Drop the jobs that have not begun."""
        with self._lock:
            waiting = list(self._jobs)
            self._jobs.clear()
        for job in waiting:
            job.future.cancel()
            job.future.set_running_or_notify_cancel()  # without this, waiting threads are not woken

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            job.run()


def tick_until_done(future: Future[T], tick: Callable[[], None]) -> None:
    """Do `tick` ten times a second until `future` is done."""
    while not wait([future], timeout=TICK_SECONDS).done:
        tick()


class Throttle:
    """Call something at most once in some seconds, and once more after the last request; never twice at once.

    Parameters
    ----------
    call : callable
        What to call: at once if the last call is long enough ago, else later on a thread of its own.
    name : str
        Name of that thread.
    seconds : float
        The least time between two calls.
    """

    def __init__(self, call: Callable[[], object], name: str, seconds: float = TICK_SECONDS) -> None:
        self._call = call
        self._name = name
        self._seconds = seconds
        self._lock = threading.Lock()
        self._calling = threading.Lock()
        self._last = float("-inf")
        self._timer: threading.Timer | None = None

    def __call__(self) -> None:
        with self._lock:
            left = self._last + self._seconds - time.monotonic()
            if left > 0:
                if self._timer is None:
                    self._timer = threading.Timer(left, contextvars.copy_context().run, (self._late,))
                    self._timer.name, self._timer.daemon = self._name, True
                    self._timer.start()
                return
            self._last = time.monotonic()
        with self._calling:
            self._call()

    def _late(self) -> None:
        with self._calling:
            with self._lock:
                if self._timer is None:
                    return  # stopped
                self._timer, self._last = None, time.monotonic()
            self._call()

    def stop(self) -> None:
        """Cancel what is due later, and wait for a call that is under way."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        with self._calling:
            pass


class _Job(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self.future: Future[T] = Future()
        self._call = call
        self._context = contextvars.copy_context()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._context.run(self._call)
        except BaseException as error:  # raised again where the result is asked for
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

"""The threads that make pages: few, shared fairly, each page with its budget of time."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import Unavailable
from .memory import return_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..budget import Budget

T = TypeVar("T")

MAX_WAITING = 32
"""Pages of one owner that wait; further ones are refused."""

MAX_WAITING_OF_ALL = 512


@dataclass(frozen=True)
class _Job:
    owner: str
    budget: Budget
    call: Callable[[], Any]
    future: Future[Any]


class Makers:
    """Makes pages on threads of their own; one owner has no more than one of the threads at a time.

    So whoever asks for pages that take long does not keep others from theirs. Owners take turns.

    Parameters
    ----------
    threads : int
        How many pages are made at once.
    """

    def __init__(self, threads: int = 2) -> None:
        self._most = threads
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._count = 0
        self._running: Counter[str] = Counter()
        self._budgets: set[Budget] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    async def run(self, owner: str, budget: Budget, function: Callable[..., T], *args: Any) -> T:
        """Return what `function` returns when it was this owner's turn.

        Raises
        ------
        WorkStoppedError
            When the budget was spent before or meanwhile.
        Unavailable
            When too many pages wait already, or the service ends.
        """
        return await asyncio.wrap_future(self._submit(_Job(owner, budget, lambda: function(*args), Future())))

    def _submit(self, job: _Job) -> Future[Any]:
        with self._condition:
            if self._closed:
                raise Unavailable("The service is ending. Try again in a moment.")
            if len(self._waiting.get(job.owner, ())) >= MAX_WAITING or self._count >= MAX_WAITING_OF_ALL:
                raise Unavailable("Too many pages are waiting already. Try again in a moment.")
            self._waiting.setdefault(job.owner, deque()).append(job)
            self._count += 1
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name="observatory", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._condition.notify()
        return job.future

    def _next(self) -> _Job | None:
        """Take the next job of an owner for whom none is being done, or None; the lock is held."""
        for owner, queue in self._waiting.items():
            if not self._running[owner]:
                job = queue.popleft()
                self._count -= 1
                del self._waiting[owner]
                if queue:
                    self._waiting[owner] = queue  # at the end: others come first
                return job
        return None

    def _work(self) -> None:
        while True:
            with self._condition:
                while (job := self._next()) is None:
                    if self._closed:
                        return
                    self._condition.wait()
                self._running[job.owner] += 1
                self._budgets.add(job.budget)
            try:
                _do(job)
            finally:
                with self._condition:
                    self._budgets.discard(job.budget)
                    self._running[job.owner] -= 1
                    if not self._running[job.owner]:
                        del self._running[job.owner]
                    self._condition.notify_all()
            return_freed_memory()

    def close(self) -> None:
        """Stop what is being made, refuse what waits, and wait for the threads."""
        with self._condition:
            self._closed = True
            waiting = [job for queue in self._waiting.values() for job in queue]
            self._waiting.clear()
            for budget in self._budgets:
                budget.cancel()
            self._condition.notify_all()
        for job in waiting:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(Unavailable("The service is ending. Try again in a moment."))
        for thread in self._threads:
            thread.join()


def _do(job: _Job) -> None:
    if not job.future.set_running_or_notify_cancel():
        return
    try:
        with job.budget.spent():
            result = job.call()
    except BaseException as error:  # whoever waits gets it
        job.future.set_exception(error)
    else:
        job.future.set_result(result)

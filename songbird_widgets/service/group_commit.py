"""Writes of many requests in one transaction: each is answered once it is on disk, and they share the wait for it."""

from __future__ import annotations

import contextlib
import copy
import functools
import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import sqlalchemy as sa

T = TypeVar("T")
A = TypeVar("A")

MAX_GROUP = 256
"""Writes in one transaction."""

GATHER_SECONDS = 0.005
"""How long a transaction waits at most for writes that are being prepared."""


def one_by_one(make: Callable[[sa.Connection, A], T]) -> Callable[[sa.Connection, Sequence[A]], list[T | Exception]]:
    """Return what writes several items, of what writes one and refuses one by a `ServiceError` before it writes."""

    @functools.wraps(make)
    def make_all(connection: sa.Connection, items: Sequence[A]) -> list[T | Exception]:
        results: list[T | Exception] = []
        for item in items:
            try:
                results.append(make(connection, item))
            except ServiceError as error:
                results.append(error)
        return results

    return make_all


class GroupCommit:
    """One thread that writes; whatever waits when it begins a transaction, or is about to, goes into that one.

    SQLite has one writer at a time and waits for the disk at the end of each transaction, so that eight writes in
    one transaction cost hardly more than one.

    Parameters
    ----------
    begin : callable
        Opens a transaction, which is committed at the end of the context and rolled back when that fails.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._begin = begin
        # Not a SimpleQueue: in Python 3.10 its `get` waits for ever if time is over before it looks.
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue()
        self._preparing: list[object] = []  # which grows and shrinks in one step each, whatever the thread
        self._thread = threading.Thread(target=self._run, name="songbird-writer", daemon=True)
        self._thread.start()

    def write(self, make: Callable[[sa.Connection, Sequence[A]], list[T | Exception]], item: A) -> Future[T]:
        """Have something written, and return what tells once it is on disk.

        Parameters
        ----------
        make : callable
            Gets a connection and all items that wait for the same callable; returns a result or an exception for
            each, and has written nothing of what it answers with an exception.
        item
            What to write.

        Returns
        -------
        Future
            Of the result; or of what `make` answered as an exception, or whatever kept the transaction from being
            committed. What it calls when it is done is called by the thread that writes, and must not wait for it.
        """
        waiting = _Waiting(make, item)
        self._waiting.put(waiting)
        return waiting.future

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """Have the next transaction wait a moment for what is written after this block."""
        self._preparing.append(None)
        try:
            yield
        finally:
            self._preparing.pop()

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            ending = False
            end = time.monotonic() + GATHER_SECONDS
            while len(group) < MAX_GROUP and not ending:
                try:
                    following = self._waiting.get(timeout=max(end - time.monotonic(), 0) if self._preparing else 0)
                except queue.Empty:
                    break
                if following is None:
                    ending = True
                else:
                    group.append(following)
            self._commit(group)
            if ending:
                return

    def _commit(self, group: list[_Waiting]) -> None:
        results: dict[int, Any] = {}
        began = False
        try:
            with self._begin() as connection:
                began = True
                for make in dict.fromkeys(waiting.make for waiting in group):
                    of_kind = [waiting for waiting in group if waiting.make == make]
                    made = make(connection, [waiting.item for waiting in of_kind])
                    results.update(zip(map(id, of_kind), made, strict=True))
        except Exception as error:  # whoever waits gets it
            # Where none can begin, as with a database that another program holds, each would wait as long as all.
            if len(group) == 1 or not began:
                for waiting in group:  # one that they share would keep the frames of all
                    waiting.future.set_exception(copy.copy(error))
                return
            for waiting in group:  # one that cannot be written must not cost the others theirs
                self._commit([waiting])
            return
        for waiting in group:
            result = results[id(waiting)]
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)


class _Waiting:
    def __init__(self, make: Callable[..., Any], item: Any) -> None:
        self.make = make
        self.item = item
        self.future: Future[Any] = Future()

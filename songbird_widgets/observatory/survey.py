"""Looking at every column of profiles, in processes of their own.

To sort a thousand columns by drift all of them have to be decoded and compared: a second of work. Threads would
share one interpreter, so everyone else would wait for it; so this is done by helper processes, on all processors. A
helper is started when needed, ends when it was not for a while, and at the latest with its parent, when its standard
input closes. It imports no more than the reader of profiles: so this module, which is the observatory's alone, lies
beside its package, whose import brings tornado and the templates along.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar, cast

from songbird_widgets.profiles import (
    Column,
    ColumnStatistics,
    Drift,
    Profile,
    ProfileError,
    column_statistics,
    compare_columns,
    merge_profiles,
    read_profile,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")

IDLE_SECONDS = 60.0
"""How long helpers wait for more work; each holds some 40 MB."""

MAX_HELPERS = 2

What = Literal["facts", "marks"]

Found = dict[str, tuple[Any, ...]]
"""By name of column: the `Facts` of each side, or the `Mark` of each but the first."""


@dataclass(frozen=True)
class Facts:
    """One column of one profile.

    Parameters
    ----------
    statistics
        What its sketches and counters say; None when they cannot be read.
    trouble
        Why they cannot.
    """

    statistics: ColumnStatistics | None
    trouble: str | None = None


@dataclass(frozen=True)
class Mark:
    """How far a column of another profile is from P1's.

    Parameters
    ----------
    verdict
        ``none``, ``moderate``, ``strong``, ``unknown``, ``missing`` or ``new``.
    score
        To sort by: 1 is moderate, 2 is strong.
    why
        Reasons in words.
    """

    verdict: str
    score: float
    why: str
    type_changed: bool = False

    @property
    def drifted(self) -> bool:
        """Whether the values changed noticeably."""
        return self.verdict in {"moderate", "strong"}


def open_profile(contents: Sequence[bytes]) -> Profile:
    """Read the files of one side; several are the parts of one day."""
    opened = [read_profile(content) for content in contents]
    return opened[0] if len(opened) == 1 else merge_profiles(opened)


def read_column(profile: Profile, name: str) -> Column | str:
    """Return a column, or why it cannot be read."""
    try:
        return profile.column(name)
    except ProfileError as error:
        return str(error)


def facts_of(column: Column | str | None) -> Facts | None:
    """Sum up a column as it was read; None where there is none."""
    if column is None:
        return None
    return Facts(None, column) if isinstance(column, str) else Facts(column_statistics(column))


def drift_of(before: Column | str | None, after: Column | str | None) -> Drift | None:
    """Compare columns as they were read; None where neither side has one."""
    for column in (before, after):
        if isinstance(column, str):
            return Drift("unknown", 0.0, (column,))
    if before is None and after is None:
        return None
    return compare_columns(cast("Column | None", before), cast("Column | None", after))


def mark_of(before: Column | str | None, after: Column | str | None) -> Mark | None:
    """Say how far a column is from the first side's; None where neither side has one."""
    drift = drift_of(before, after)
    if drift is None:
        return None
    return Mark(drift.verdict, drift.score, " ".join(drift.reasons[:2]), drift.type_change is not None)


def return_memory() -> None:
    """Have the C library give large blocks back to the system as soon as they are free.

    glibc stops doing so for blocks as large as the first that was freed, so that profiles of 10 MB that come and go
    leave a hundred. Elsewhere there is no such setting, nor need.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)


_M_MMAP_THRESHOLD = -3  # of <malloc.h>


# --- in a helper


def look(files: Sequence[Sequence[Path]], names: Sequence[str], what: What) -> Found:
    """Look at columns of each side's files."""
    sides = [open_profile([path.read_bytes() for path in paths]) for paths in files]
    known = [frozenset(side.column_names) for side in sides]
    found: Found = {}
    for name in names:
        columns = [read_column(side, name) if name in has else None for side, has in zip(sides, known, strict=True)]
        if what == "facts":
            found[name] = tuple(map(facts_of, columns))
        else:
            found[name] = tuple(mark_of(columns[0], other) for other in columns[1:])
    return found


def main() -> None:
    """Answer what comes from the parent until it ends or wants no more."""
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not get among the answers
    return_memory()
    gc.disable()  # columns come and go by the thousand, and none is in a cycle
    with outgoing:
        while request := _receive(incoming):
            pickle.dump(look(*request), outgoing, pickle.HIGHEST_PROTOCOL)
            outgoing.flush()
            gc.collect()


def _receive(stream: BinaryIO) -> Any:
    try:
        return pickle.load(stream)  # noqa: S301 - a pipe to our own parent or child
    except EOFError:
        return None


# --- in the service


class Surveyors:
    """The helpers, and what they are at.

    One survey is made after the other, each by all helpers; whoever wants one that is being made waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="survey")
        self._rest: threading.Timer | None = None
        self._closed = False

    def begin(self, key: Hashable, make: Callable[[], T], *, ahead: bool = False) -> Future[T] | None:
        """Have a survey made, unless it is being made already.

        Parameters
        ----------
        key
            What distinguishes it.
        make
            Makes it and keeps it.
        ahead
            Nobody waits for it: it is only made when there is nothing else to do; else None is returned.
        """
        with self._lock:
            if ahead and self._under_way:
                return None
            if key not in self._under_way:
                self._under_way[key] = self._thread.submit(self._made, key, make)
            return self._under_way[key]

    def _made(self, key: Hashable, make: Callable[[], T]) -> T:
        try:
            return make()
        finally:
            with self._lock:
                del self._under_way[key]

    def look(self, files: Sequence[Sequence[Path]], names: Sequence[str], what: What) -> Found:
        """Look at columns with all helpers; here, where they cannot be had. Only from what `begin` runs."""
        found: Found = {}
        try:
            for part in self._answers(files, names, what):
                found |= part
        except (OSError, EOFError, pickle.UnpicklingError):  # no processes, or one was killed
            self.end()
            if self._closed:
                raise
            return look(files, names, what)
        self._end_when_idle()
        return found

    def expect(self) -> None:
        """Start the helpers ahead of the survey that will be asked for: that takes a quarter of a second."""
        with contextlib.suppress(RuntimeError):  # at the end of the service
            self._thread.submit(self._expect)

    def _expect(self) -> None:
        if any(helper.poll() is not None for helper in self._helpers):
            self.end()
        with contextlib.suppress(OSError):  # a survey will do without
            self.start()
        self._end_when_idle()

    def _end_when_idle(self) -> None:
        if self._rest:
            self._rest.cancel()
        self._rest = threading.Timer(IDLE_SECONDS, partial(self._thread.submit, self.end))
        self._rest.daemon = True
        self._rest.start()

    def _answers(self, *request: Any) -> Iterator[Found]:
        files, names, what = request
        self.start()
        # Neighbours are often alike, so that every n-th column is a fair share.
        for index, helper in enumerate(self._helpers):
            assert helper.stdin  # noqa: S101 - for the type checker: it is a pipe
            pickle.dump((files, names[index :: len(self._helpers)], what), helper.stdin)
            helper.stdin.flush()
        for helper in self._helpers:
            assert helper.stdout  # noqa: S101
            yield pickle.load(helper.stdout)  # noqa: S301 - a pipe from our own child

    def start(self) -> None:
        """Start the helpers, unless they run."""
        while len(self._helpers) < min(os.cpu_count() or 1, MAX_HELPERS):
            self._helpers.append(
                subprocess.Popen(  # noqa: S603 - our own code
                    # Not -m: what the helper sends is of this module, and would be of __main__ there.
                    [sys.executable, "-c", f"from {__name__} import main; main()"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    # Ctrl-C in a terminal is for the service alone; it then ends its helpers itself.
                    start_new_session=True,
                )
            )

    def end(self) -> None:
        """End the helpers."""
        while self._helpers:
            with (
                contextlib.suppress(OSError),
                self._helpers.pop() as helper,
            ):  # closing a broken pipe may fail
                helper.kill()

    def close(self) -> None:
        """End everything, at the end of the service: what is under way fails."""
        self._closed = True
        if self._rest:
            self._rest.cancel()
        for helper in tuple(self._helpers):
            helper.kill()
        self._thread.shutdown(cancel_futures=True)
        self.end()

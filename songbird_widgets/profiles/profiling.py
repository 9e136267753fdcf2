"""Make profiles of data: what whylogs 1.6.4 makes with its default schema, in a fraction of the time."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np

from ..basics import as_timestamp, meant
from . import dask_frames, spark_frames
from .archives import unpacked_files
from .builder import Run, TableBuilder
from .errors import ProfileError
from .recognition import as_table, is_path, paths_of
from .tabular.files import Manner, ReadAgainError, find_paths, parts_of_files, path_shown
from .tabular.names import INDEX, check_columns
from .tabular.progress import ProgressBar
from .tabular.tables import parts_of
from .tabular.values import ValueNotProfiledError
from .version1 import read_version_1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from .data_model import Profile
    from .tabular.tables import TablePart

Period = Literal["day", "hour", "week"]

NOT_PROFILED = "Not in the profile: "
"""How the note of a column begins that could not be profiled."""

_ENGINES = (dask_frames, spark_frames)
_MAX_THREADS = 8
_MAX_BATCHES = 10_000
_DAY = 86_400_000
_PERIODS: dict[str, tuple[int, int]] = {
    # milliseconds, and when the first one began: weeks begin on Mondays, and 1970 on a Thursday
    "hour": (3_600_000, 0),
    "day": (_DAY, 0),
    "week": (7 * _DAY, 4 * _DAY),
}


class ProfilingWarning(UserWarning):
    """Some of the data is not in the profile, or not as one would expect; the message says what and why."""


def profile(data: Any, *, timestamp: int | str | date | None = None, columns: Sequence[str] | None = None) -> Profile:
    """Make the profile of a data set.

    Parameters
    ----------
    data : table, path or glob
        A frame of pandas, polars (lazy, too) or any other library with the Arrow C stream (pyarrow tables, readers
        and data sets, DuckDB relations, …), a numpy record array, a list of dicts, a dict of columns, a Dask or Spark
        data frame; or where Parquet, CSV, JSON-lines or Arrow files lie, or archives (zip, tar) of them: a path, a glob
        or a list of these, which is one data set. Everything but pandas, numpy and Python's own needs pyarrow.
    timestamp : int, str, datetime.date or datetime.datetime, optional
        When the data are from: milliseconds since 1970, a date or a datetime, also as ISO 8601 text; UTC without a
        zone. Default: now.
    columns : sequence of str, optional
        The columns to profile, by the names that the profile has; all by default.

    Returns
    -------
    Profile
        What `read_profile` would return for the file that whylogs 1.6.4 writes: types, counts, bounds, mean and
        deviation, sketches of values (KLL), of distinct ones (HLL) and of frequent ones. As in whylogs, a missing
        number counts as NaN, too.

    Raises
    ------
    ProfileError
        The data are no table, lack one of `columns`, or no column could be profiled.
    TypeError
        `columns` is no list of strings; or `timestamp` no time.

    Warns
    -----
    ProfilingWarning
        A column cannot be profiled; the message names its first row that is wrong. The others are in the profile. Or
        a column of a CSV file is taken as text, since not all of its values are of one type.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> profile = sw.profile({"price": [9.5, 12.0, None], "city": ["Bonn", "Oslo", "Bonn"]}, timestamp=0)
    >>> profile.column("price").mean, profile.column("price").counts.null
    (10.75, 1)
    >>> profile.column("city").frequent_items.estimates
    {'Bonn': 2, 'Oslo': 1}
    """
    made, notes = make_profile(data, timestamp=timestamp, columns=columns)
    _warn(notes)
    return made


def make_profile(
    data: Any, *, timestamp: int | str | date | None = None, columns: Sequence[str] | None = None
) -> tuple[Profile, list[str]]:
    """Make a profile as `profile` does, but return the warnings instead of giving them."""
    moment = None if timestamp is None else as_timestamp(timestamp)
    wanted = None if columns is None else check_columns(columns)
    notes: list[str] = []
    for engine in _ENGINES:
        if engine.is_frame(data):
            result = engine.profile_partitions(data, wanted, moment)
            return _finished(result.content, result.problems, notes), notes
    builder = _counted(data, wanted, TableBuilder, notes)
    return _finished(builder.to_bytes(moment), builder.problems, notes), notes


def _warn(notes: Iterable[str]) -> None:
    for note in dict.fromkeys(notes):
        warnings.warn(note, ProfilingWarning, stacklevel=3)


def profile_batches(
    data: Any, timestamp_column: str, *, by: Period = "day", columns: Sequence[str] | None = None
) -> list[Profile]:
    """Make a profile of each day, hour or week of a data set, by the times in one of its columns.

    Parameters
    ----------
    data : table, path or glob
        As in `profile`, but no Dask or Spark data frame.
    timestamp_column : str
        A column of datetimes, dates or ISO 8601 strings. What has no zone is UTC; days and weeks are those of UTC,
        weeks begin on Mondays.
    by : {"day", "hour", "week"}, optional
    columns : sequence of str, optional
        The columns to profile; all by default, the one of times among them.

    Returns
    -------
    list of Profile
        By time; the data set's timestamp of each is the beginning of its day, hour or week.

    Raises
    ------
    ProfileError
        As in `profile`; or there is no row, or none with a time, or the column does not hold times, or they cover more
        than 10,000 batches.

    Warns
    -----
    ProfilingWarning
        As in `profile`; and of rows without a time, which are in no batch.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> orders = {"ordered": ["2026-01-01T23:00", "2026-01-02T01:00", "2026-01-02"], "items": [1, 4, 2]}
    >>> for batch in sw.profile_batches(orders, "ordered"):
    ...     print(batch.dataset_timestamp, batch.column("items").ints_max)
    1767225600000 1
    1767312000000 4
    """
    if by not in _PERIODS:
        raise ValueError(f"Batches are made by 'day', 'hour' or 'week', not by {by!r}.")
    (timestamp_column,) = check_columns([timestamp_column])
    if any(engine.is_frame(data) for engine in _ENGINES):
        raise ProfileError(
            "No batches can be made of a Dask or Spark data frame: profile each of its days by itself, the rows of one "
            "day with timestamp=…."
        )
    wanted = None if columns is None else list(dict.fromkeys([*check_columns(columns), timestamp_column]))
    notes: list[str] = []
    batches = _counted(data, wanted, lambda: _Batches(timestamp_column, by, columns), notes)
    if not batches.rows:
        of = f"{Path(data).name} has" if is_path(data) else "the data have"
        raise ProfileError(f"No batches can be made: {of} no rows.")
    if not batches.builders:
        raise ProfileError("No batches can be made: no row has a time.", column=timestamp_column)
    if batches.timeless:
        rows = "1 row has" if batches.timeless == 1 else f"{batches.timeless:,} rows have"
        are = "is" if batches.timeless == 1 else "are"
        notes.append(f"{rows} no time in column {timestamp_column!r}, and {are} in no batch.")
    made = [_finished(one.to_bytes(start), one.problems, notes) for start, one in sorted(batches.builders.items())]
    _warn(notes)
    return made


class _Batches:
    """Counts a table by the times of its rows."""

    def __init__(self, column: str, by: Period, only: Sequence[str] | None) -> None:
        self.builders: dict[int, TableBuilder] = {}
        self.rows = self.timeless = 0
        self._column, self._by, self._only = column, by, only

    def add(self, part: TablePart, run: Run) -> None:
        length, origin = _PERIODS[self._by]
        times = self._times(part)
        missing = np.isnat(times)
        self.rows += part.rows
        self.timeless += int(np.count_nonzero(missing))
        if missing.all():
            return
        starts = (times.astype(np.int64) - origin) // length * length + origin
        for start, rows in _groups(starts, np.flatnonzero(~missing)):
            if start not in self.builders and len(self.builders) >= _MAX_BATCHES:
                raise ProfileError(
                    f"The times cover more than {_MAX_BATCHES:,} batches by {self._by}.", column=self._column
                )
            builder = self.builders.setdefault(start, TableBuilder(self._only))
            builder.add(part if len(rows) == part.rows else part.take(rows), run)

    def _times(self, part: TablePart) -> np.ndarray[Any, np.dtype[np.datetime64]]:
        if self._column not in part.names:
            problem = part.problems.get(self._column)
            hint = INDEX if self._column in part.index else meant(self._column, part.names)
            reason = f"{problem}." if problem else f"the data have no column of this name.{hint}"
            raise ProfileError(f"No batches can be made: {reason}", column=self._column)
        try:
            return part.times(self._column)
        except ValueNotProfiledError as error:
            said = ": ".join(filter(None, [part.where(error.row), error.reason]))
            raise ProfileError(f"No batches can be made: {said}.", column=self._column) from None


class _Counter(Protocol):
    def add(self, part: TablePart, run: Run) -> None: ...


_C = TypeVar("_C", bound=_Counter)


def _counted(data: Any, columns: Sequence[str] | None, begin: Callable[[], _C], notes: list[str]) -> _C:
    """Count all parts; from the beginning again where the columns of a file are not what they seemed at first.

    Parameters
    ----------
    data, columns
        As in `profile`.
    begin : callable
        Makes a counter of nothing.
    notes : list of str
        Takes what is worth a warning.
    """

    def count(parts: Iterable[TablePart], bar: ProgressBar | None = None) -> _C:
        counter = begin()
        with _threads() as threads:

            def run(add: Callable[[TablePart, str], None], part: TablePart, names: Sequence[str]) -> None:
                if bar is not None:
                    bar.total += len(names)
                for _ in threads.map(add, repeat(part), names):
                    if bar is not None:
                        bar.reach(bar.done + 1)

            for part in parts:
                counter.add(part, run)
        return counter

    given, data = paths_of(data)
    if not given:
        data = as_table(data)
        with closing(ProgressBar(unit=" columns")) as bar:
            return count(parts_of(data, columns), bar)
    manner = Manner()
    with unpacked_files(path for one in given for path in _found(one)) as paths:
        while True:
            try:
                return count(parts_of_files(paths, columns, notes, manner))
            except ReadAgainError as error:
                manner = error.manner
                notes.clear()


def _found(pattern: str | os.PathLike[str]) -> list[Path]:
    try:
        return find_paths(pattern)
    except ProfileError as error:
        raise ProfileError(f"{path_shown(pattern)}: {error.reason}") from None


def _groups(starts: np.ndarray[Any, np.dtype[np.int64]], rows: Any) -> Iterator[tuple[int, Any]]:
    order = rows[starts[rows].argsort(kind="stable")]
    found, firsts = np.unique(starts[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, firsts[1:]), strict=True)


def _threads() -> ThreadPoolExecutor:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(min(count, _MAX_THREADS), thread_name_prefix="profile")


def _finished(content: bytes, problems: Mapping[str, str], notes: list[str]) -> Profile:
    """Read the profile that was made, and note the columns that are not in it."""
    made = read_version_1(content)
    shown = [f"{column_shown(name)} ({reason})" for name, reason in problems.items()]
    if shown and not made.column_names:
        raise ProfileError("No column could be profiled: " + "; ".join(shown[:3]) + ".")
    notes += [f"{NOT_PROFILED}{problem}." for problem in shown]
    return made


def column_shown(name: str) -> str:
    """Name a column as notes do."""
    return f"column {name if len(name) <= 80 else name[:80] + '…'!r}"

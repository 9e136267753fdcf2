"""Building a profile: columns count values part by part, and are written as whylogs writes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from . import version1_writer as writer
from .data_model import Counts, Types
from .sketches import hashing
from .sketches.frequent_items_builder import FrequentItemsBuilder
from .sketches.hll_builder import HllBuilder
from .sketches.kll_builder import KllBuilder
from .tabular.values import ValueNotProfiledError, most_frequent, tally, texts_of_floats

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .sketches.kll import Floats, Ints
    from .tabular.tables import TablePart
    from .tabular.values import Values
    from .version1_writer import Component

_ROOM_OF_ALL, _MIN_ROOM, _MAX_ROOM = 1 << 20, 1 << 10, 1 << 12  # frequent items kept while counting
_MADE_BY = "songbird_widgets.version"
_TRUTHS = np.array([0.0, 1.0])


Run = Callable[[Callable[["TablePart", str], None], "TablePart", Sequence[str]], None]


class ColumnBuilder:
    """Counts one column, as whylogs 1.6.4 does with its default schema.

    Parameters
    ----------
    room : int
        How many frequent items are kept while counting.
    """

    __slots__ = (
        "_distribution",
        "_frequent_items",
        "_hll",
        "_largest",
        "_m2",
        "_mean",
        "_metrics",
        "_smallest",
        "counts",
        "types",
    )

    def __init__(self, room: int) -> None:
        self.counts = np.zeros(len(Counts._fields), np.int64)
        self.types = np.zeros(len(Types._fields), np.int64)
        self._metrics: set[str] = set()
        self._distribution = KllBuilder()
        self._mean = 0.0
        self._m2 = 0.0
        self._hll = HllBuilder()
        self._frequent_items = FrequentItemsBuilder(room)
        self._smallest: int | None = None
        self._largest: int | None = None

    def add(self, values: Values) -> None:
        """Count a part of the column."""
        strings = values.strings
        infinite = int(np.count_nonzero(np.isinf(values.floats))) if len(values.floats) else 0
        self.counts += (values.n, values.null, values.nan, infinite, values.true)
        self.types += (
            len(values.integers),
            len(values.floats),
            values.booleans,
            strings.total if strings is not None else 0,
            values.objects,
            values.tensors,
        )
        self._metrics |= values.metrics
        if not values.metrics:
            return
        # In whylogs' order, so that running figures (the estimate of distinct values, the mean) come out the same.
        distinct, counts = tally(values.integers)
        self._add_distinct(values, distinct)
        self._add_numbers(values.floats)
        self._add_integers(values.integers, distinct, counts)
        self._add_truths(values.booleans, values.true)
        if "frequent_items" in values.metrics:
            self._add_frequent_items(values, distinct, counts)

    def _add_distinct(self, values: Values, distinct: Ints) -> None:
        if len(distinct):
            self._hll.add(hashing.hash_integers(values.integers))
        if len(values.floats):
            self._hll.add(hashing.hash_doubles(values.floats))
        if values.strings is not None:
            self._hll.add(values.strings.values.hashes())
        if values.booleans:
            truths = [1] * (values.true > 0) + [0] * (values.true < values.booleans)
            self._hll.add(hashing.hash_integers(np.array(truths, np.int64)))

    def _add_numbers(self, floats: Floats) -> None:
        if len(floats):
            self._add_moments(floats)
            self._distribution.add_sorted(np.sort(floats))

    def _add_integers(self, integers: Ints, distinct: Ints, counts: Ints) -> None:
        if not len(integers):
            return
        self._add_moments(integers)
        self._distribution.add_sorted(distinct.astype(np.float64), counts)
        smallest, largest = int(distinct[0]), int(distinct[-1])
        self._smallest = smallest if self._smallest is None else min(smallest, self._smallest)
        self._largest = largest if self._largest is None else max(largest, self._largest)

    def _add_truths(self, booleans: int, true: int) -> None:
        if not booleans:
            return
        counts = np.array([booleans - true, true], np.int64)
        for truth in (1, 0):
            self._combine_moments(int(counts[truth]), float(truth), 0.0)
            if counts[truth]:
                self._distribution.add_sorted(_TRUTHS[truth : truth + 1], counts[truth : truth + 1])

    def _add_moments(self, numbers: Floats | Ints) -> None:
        n = len(numbers)
        with np.errstate(all="ignore"):  # with infinities mean and m2 are infinite or NaN, as in whylogs
            self._combine_moments(n, float(numbers.mean()), float(numbers.var(ddof=1)) * (n - 1) if n > 1 else 0.0)

    def _combine_moments(self, n: int, mean: float, m2: float) -> None:
        """Join means and sums of squared deviations (Chan, Golub, LeVeque 1979, eq. 2.1)."""
        if not n:
            return
        known = self._distribution.n
        both = known + n
        apart = mean - self._mean
        if n == 1:  # as whylogs does it, which matters only with infinities
            self._mean += apart / both
            self._m2 += apart * (mean - self._mean)
        else:
            self._mean = (self._mean * known + mean * n) / both
            self._m2 += m2 + apart * apart * known * n / both

    def _add_frequent_items(self, values: Values, distinct: Ints, counts: Ints) -> None:
        items = self._frequent_items
        if len(distinct):
            places, missed, missed_total = most_frequent(counts, items.room)
            if places is not None:
                distinct, counts = distinct[places], counts[places]
            texts = list(map(str, distinct.tolist()))
            items.add(texts, counts.tolist(), missed=missed, missed_total=missed_total)
        found = [values.strings] if values.strings is not None else []
        if len(values.floats):
            found.append(texts_of_floats(values.floats))
        for strings in found:
            chosen, weights, missed, missed_total = strings.items(items.room)
            items.add(chosen, weights, missed=missed, missed_total=missed_total)
        truths = {"True": values.true, "False": values.booleans - values.true}
        for text, count in truths.items():
            if count:
                items.add([text], [count])

    def components(self) -> Iterator[Component]:
        """Write what was counted."""
        yield from writer.counters("counts", Counts._fields, self.counts.tolist())
        yield from writer.counters("types", Types._fields, self.types.tolist())
        if "ints" in self._metrics:
            yield from writer.integer_bounds(self._smallest, self._largest)
        if "distribution" in self._metrics:
            yield from writer.distribution(self._distribution.to_bytes(), self._mean, self._m2)
        if "cardinality" in self._metrics:
            yield writer.cardinality(self._hll.to_bytes())
        if "frequent_items" in self._metrics:
            yield writer.frequent_items(self._frequent_items.to_bytes())


class TableBuilder:
    """Counts the columns of a table, part by part.

    Parameters
    ----------
    only : collection of str, optional
        The columns to count; all by default.

    Attributes
    ----------
    problems : dict of str to str
        By column: why it cannot be profiled. It is not in the profile then.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        self.problems: dict[str, str] = {}
        self._only = None if only is None else frozenset(only)
        self._columns: dict[str, ColumnBuilder] = {}

    def add(self, part: TablePart, run: Run | None = None) -> None:
        """Count a part of the table.

        Parameters
        ----------
        part : TablePart
        run : callable, optional
            What calls a function with the part and each of some columns; one after the other by default.
        """
        for name in filter(self._counts, part.problems):
            self._fail(name, ": ".join(filter(None, [part.where(None), part.problems[name]])))
        names = list(filter(self._counts, part.names))
        room = min(max(_ROOM_OF_ALL // max(len(names), 1), _MIN_ROOM), _MAX_ROOM)
        for name in names:
            if name not in self._columns and name not in self.problems:
                self._columns[name] = ColumnBuilder(room)
        if run is None:
            for name in names:
                self._add_column(part, name)
        else:
            run(self._add_column, part, names)

    def _counts(self, name: str) -> bool:
        return self._only is None or name in self._only

    def _add_column(self, part: TablePart, name: str) -> None:
        column = self._columns.get(name)
        if column is None:
            return
        try:
            column.add(part.values(name))
        except ValueNotProfiledError as error:
            self._fail(name, ": ".join(filter(None, [part.where(error.row), error.reason])))
        except Exception as error:  # whatever a library raises for one column must not cost the others
            self._fail(name, ": ".join(filter(None, [part.where(None), type(error).__name__, str(error)])))

    def _fail(self, name: str, reason: str) -> None:
        self._columns.pop(name, None)
        self.problems.setdefault(name, reason)

    def to_bytes(self, timestamp: int | None = None) -> bytes:
        """Write the profile of what was counted.

        Parameters
        ----------
        timestamp : int, optional
            The data set's timestamp in ms, UTC; now by default.
        """
        now = time.time_ns() // 1_000_000
        return writer.write_columns(
            ((name, column.components()) for name, column in self._columns.items()),
            dataset_timestamp=now if timestamp is None else timestamp,
            creation_timestamp=now,
            tags={},
            metadata={_MADE_BY: __version__},
        )

"""What a profile holds: columns with counts, moments and sketches, and facts about the whole data set."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..basics import meant, size_text, time_text, write_whole
from .errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike

    from .performance import Performance
    from .sketches import DistinctEstimate, FrequentItemsSketch, HllSketch, KllSketch

SEGMENT_TAG = "whylogs.tag."
"""What whylogs puts before the name of a column by which it made segments."""


class Counts(NamedTuple):
    """Rows of a column: all, null, NaN (which are counted among the nulls, too), infinite, and true."""

    n: int = 0
    null: int = 0
    nan: int = 0
    inf: int = 0
    true: int = 0


class Types(NamedTuple):
    """Values of a column that are not null, by type."""

    integral: int = 0
    fractional: int = 0
    boolean: int = 0
    string: int = 0
    object: int = 0
    tensor: int = 0


@dataclass(slots=True)  # freezing it would take as long as reading its counters
class Column:
    """One column of a profile, as whylogs counted it.

    Attributes
    ----------
    name : str
    counts : Counts
    types : Types
    ints_min, ints_max : int or None
        Smallest and largest integer; None when there was none, or whylogs did not keep them.
    mean : float or None
        As stored: 0.0 for no numbers, ``inf`` after an infinity. None when the column has no distribution.
    variance : float or None
        Sample variance (n - 1); 0.0 for fewer than two numbers, NaN after an infinity.
    kll : KllSketch or None
        The distribution of the numbers (booleans count as 0 and 1).
    cardinality : HllSketch, DistinctEstimate or None
        How many distinct values.
    frequent_items : FrequentItemsSketch or None
        The values seen most often; whylogs keeps none for columns of floats.
    conditions : mapping of str to int
        Rows that met each named condition; ``total`` is the number of rows that were tried.
    others : mapping of str to Column
        Parts of compound metrics, each like a column of its own: ``"unicode_range/emoticon"``; and the sketches of
        metrics that whylogs does not have, by their path.
    metrics : mapping of str to (int or float)
        Figures of metrics that whylogs does not have, by their path.
    aggregates : mapping of str to {"min", "max", "other"}
        What those of these figures are that are no sums over the rows.
    counted, typed : bool
        Whether rows were counted, and types; a schema may leave either out, and zeros then say nothing.
    """

    name: str
    counts: Counts = field(default_factory=Counts)
    types: Types = field(default_factory=Types)
    ints_min: int | None = None
    ints_max: int | None = None
    mean: float | None = None
    m2: float | None = None
    kll: KllSketch | None = None
    cardinality: HllSketch | DistinctEstimate | None = None
    frequent_items: FrequentItemsSketch | None = None
    conditions: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, Column] = field(default_factory=dict)
    metrics: Mapping[str, int | float] = field(default_factory=dict)
    aggregates: Mapping[str, str] = field(default_factory=dict)
    counted: bool = True
    typed: bool = True

    @property
    def values(self) -> FrequentItemsSketch | None:
        """The frequent items, spelled as values: in a column without text, numbers are one however they were spelled.

        whylogs 1.0 wrote the integer 3 as ``3.000000``, later versions write ``3``.
        """
        items, types = self.frequent_items, self.types
        if items is None or types.string or types.object or types.tensor:
            return items
        if not self.typed and (self.kll is None or self.kll.n != items.total):
            return items
        return items.as_values(booleans=bool(types.boolean and (types.integral or types.fractional)))

    @property
    def variance(self) -> float | None:
        """Sample variance of the numbers."""
        if self.m2 is None or self.kll is None:
            return None
        if self.kll.n <= 1:
            return 0.0
        return self.m2 / (self.kll.n - 1)

    @property
    def stddev(self) -> float | None:
        """Sample standard deviation of the numbers."""
        variance = self.variance
        if variance is None:
            return None
        return math.sqrt(variance) if variance >= 0 else math.nan


@dataclass(frozen=True, repr=False)
class Profile:
    """A profile: what is known about one data set.

    Attributes
    ----------
    dataset_timestamp, creation_timestamp : int
        Milliseconds since 1970, UTC.
    version : str
        The whylogs version that wrote it; empty when it did not say.
    tags, metadata : mapping of str to str
    segments : tuple of (str, str)
        Columns and values of the segment that this profile covers, ``(("city", "Oslo"),)``; empty for a whole
        data set.
    column_names : tuple of str
        Sorted.
    size : int
        Bytes of the file; of a merged profile, which is none yet, those of all the files together.
    is_file : bool
        Whether the profile is one that was read or made, and not one that was merged of several.
    performance : Performance or None
        How a model did, where whylogs logged that.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> profile = sw.profile({"price": [9.5, 12.0], "city": ["Bonn", "Oslo"]}, timestamp=1767225600000)
    >>> profile.column_names, profile.rows
    (('city', 'price'), 2)
    >>> profile.save("2026-01-01.bin")
    """

    dataset_timestamp: int
    creation_timestamp: int
    version: str
    tags: Mapping[str, str]
    metadata: Mapping[str, str]
    segments: tuple[tuple[str, str], ...]
    column_names: tuple[str, ...]
    size: int
    paths: tuple[str, ...]
    _read: Callable[[str], Column]
    _write: Callable[[Profile], bytes] = field(compare=False)
    performance: Performance | None = None
    is_file: bool = True

    def __repr__(self) -> str:
        count = len(self.column_names)
        columns = f"{count:,} column{'' if count == 1 else 's'}"
        size = f"{size_text(self.size)}, " if self.is_file else ""
        return f"<Profile: {columns}, {size}data of {time_text(self.dataset_timestamp)}>"

    def column(self, name: str) -> Column:
        """Read one column.

        Nothing is kept: a caller that needs a column twice keeps it.

        Raises
        ------
        KeyError
            The profile has no column of that name; the message names one that may be meant.
        ProfileError
            The column's bytes are damaged.
        """
        try:
            return self._read(name)
        except KeyError:
            raise KeyError(f"The profile has no column {name!r:.200}.{meant(name, self.column_names)}") from None

    @property
    def segment(self) -> str | None:
        """The segment's name, ``"city = Oslo"``; None for a whole data set."""
        return segment_name(self.segments)

    @cached_property
    def rows(self) -> int | None:
        """Rows of the data set, which are those of the fullest column; None where nothing was counted.

        All columns are read; those that are damaged do not count.
        """
        return fullest(self._readable())

    def _readable(self) -> Iterator[Column]:
        for name in self.column_names:
            with contextlib.suppress(ProfileError):
                yield self.column(name)

    def to_bytes(self) -> bytes:
        """Return the profile as a file: the bytes that were read, or, of a merged one, what whylogs 1.6.4 reads.

        Raises
        ------
        ProfileError
            A column of a merged profile is damaged.
        """
        return self._write(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the profile to a file; an existing one is replaced, and stays as it is if that fails."""
        write_whole(path, self.to_bytes())

    def parent_of(self, name: str) -> str | None:
        """Name of the column that this one was split from, or None.

        Before a guest upload whylogs makes every part of a compound metric a column of its own, named
        ``column.part``.
        """
        dot = len(name)
        for _ in range(_MAX_DOTS):
            dot = name.rfind(".", 0, dot)
            if dot < 0:
                return None
            if name[dot + 1 :] in self._parts and name[:dot] in self._known_names:
                return name[:dot]
        return None

    @cached_property
    def _known_names(self) -> frozenset[str]:
        return frozenset(self.column_names)

    @cached_property
    def _parts(self) -> frozenset[str]:
        """How parts of compound metrics are called in names of columns: ``part`` or ``metric.part``."""
        compound = [path.partition(":")[0] for path in self.paths if ":" in path]
        return frozenset([path.partition("/")[2] for path in compound] + [path.replace("/", ".") for path in compound])


def as_it_was(data: bytes, _: Profile) -> bytes:
    """Write a profile that was read as the bytes that it was read of."""
    return data


def fullest(columns: Iterable[Column]) -> int | None:
    """Return the rows of the column that counted most; None where none counted."""
    return max((column.counts.n for column in columns if column.counted), default=None)


def segment_name(tags: Iterable[tuple[str, str]]) -> str | None:
    """Return the name of a segment, ``"city = Oslo, year = 2024"``; None for no tags."""
    return ", ".join(f"{key.removeprefix(SEGMENT_TAG)} = {value}" for key, value in tags) or None


_MAX_DOTS = 3  # a part and its metric; a hostile name may have millions


def segment_of(tags: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Pick the tags that tell a segment, without what whylogs puts before their names."""
    return tuple((key.removeprefix(SEGMENT_TAG), value) for key, value in tags if key.startswith(SEGMENT_TAG))

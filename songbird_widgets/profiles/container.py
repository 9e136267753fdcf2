"""What a profile is, and version 1 of its format: headers, columns and components, read lazily by column.

Layout: ``WHY1``, a delimited segment header, a delimited profile header, then the chunks, one or
more a column. The headers are read at once, a column when it is asked for; no column can make the reader look
at bytes of another.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..basics import size_text, time_text, write_whole
from ..budget import checkpoint
from . import protobuf
from .errors import ProfileError
from .protobuf import DELIMITED, FIXED64, VARINT
from .sketches import DistinctEstimate, FrequentItemsSketch, HllSketch, KllSketch
from .writer import write_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike

    from .performance import Performance

MAGIC = b"WHY1"
_INT64_END = (1 << 63) - 1
_COLUMN_CHUNK = 2
# Numbers of the component messages' fields.
_N, _D, _FREQUENT_ITEMS, _HLL, _KLL = 2, 3, 4, 5, 6
MAX_ENTRIES = 300_000
"""Columns and names of metrics that a profile's header may list; memory is bounded by it."""
_MOST_CHUNKS = 1000  # of a column; whylogs writes one
_MOST_TAGS = 10_000
SEGMENT_TAG = "whylogs.tag."
"""What whylogs puts before the name of a column by which it made segments."""
_MAX_TIMESTAMP = 253_402_300_799_999  # the last ms of the year 9999: what a datetime can hold


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
        Bytes of the file.
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
    performance: Performance | None = None
    _content: bytes | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        count = len(self.column_names)
        columns = f"{count:,} column{'' if count == 1 else 's'}"
        return f"<Profile: {columns}, {size_text(self.size)}, data of {time_text(self.dataset_timestamp)}>"

    def column(self, name: str) -> Column:
        """Read one column.

        Nothing is kept: a caller that needs a column twice keeps it.

        Raises
        ------
        KeyError
            The profile has no column of that name.
        ProfileError
            The column's bytes are damaged.
        """
        return self._read(name)

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
        return write_profile(self) if self._content is None else self._content

    def save(self, path: str | PathLike[str]) -> None:
        """Write the profile to a file; an existing one is replaced, and stays as it is if that fails."""
        write_whole(path, self.to_bytes())

    def parent_of(self, name: str) -> str | None:
        """Name of the column that this one was split from, or None.

        Before a guest upload whylogs makes every part of a compound metric a column of its own, named
        ``column.part``.
        """
        dot = len(name)
        for _ in range(_MOST_DOTS):
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


def fullest(columns: Iterable[Column]) -> int | None:
    """Return the rows of the column that counted most; None where none counted."""
    return max((column.counts.n for column in columns if column.counted), default=None)


def segment_name(tags: Iterable[tuple[str, str]]) -> str | None:
    """Return the name of a segment, ``"city = Oslo, year = 2024"``; None for no tags."""
    return ", ".join(f"{key.removeprefix(SEGMENT_TAG)} = {value}" for key, value in tags) or None


_MOST_DOTS = 3  # a part and its metric; a hostile name may have millions


def read_version_1(data: bytes) -> Profile:
    """Read the headers of a file that begins with `MAGIC`; its columns are read when asked for."""
    end = len(data)
    first, last = protobuf.delimited(data, len(MAGIC), end)
    segments = _segments(data, first, last)
    first, chunks = protobuf.delimited(data, last, end)
    if first == chunks:
        raise ProfileError("The file is corrupt: its profile header is empty.", offset=last)
    return _profile(data, first, chunks, segments)


def _segments(data: bytes, first: int, last: int) -> tuple[tuple[str, str], ...]:
    tags: list[tuple[str, str]] = []
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (4, DELIMITED):
            tags += [
                read_pair(data, begin, end)
                for inner, kind, begin, end in protobuf.fields(data, start, stop)
                if (inner, kind) == (1, DELIMITED)
            ]
    return tuple((key.removeprefix(SEGMENT_TAG), value) for key, value in tags)


def segment_of(tags: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Pick the tags that tell a segment, without what whylogs puts before their names."""
    return tuple((key.removeprefix(SEGMENT_TAG), value) for key, value in tags if key.startswith(SEGMENT_TAG))


def read_pair(data: bytes, first: int, last: int) -> tuple[str, str]:
    """Read a message of two strings: a map entry or a segment tag."""
    key = value = ""
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            key = protobuf.text(data, start, stop)
        elif (number, wire) == (2, DELIMITED):
            value = protobuf.text(data, start, stop)
    return key, value


@dataclass
class Properties:
    """What both versions of the format say of a profile as a whole, in fields of the same numbers."""

    created: int = 0
    dataset: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def read(self, data: bytes, first: int, last: int) -> None:
        """Read the message in ``data[first:last]``."""
        for number, wire, start, stop in protobuf.fields(data, first, last):
            if (number, wire) == (4, VARINT):
                self.created = _timestamp(start, first)
            elif (number, wire) == (5, VARINT):
                self.dataset = _timestamp(start, first)
            elif number in {6, 7} and wire == DELIMITED:
                key, value = read_pair(data, start, stop)
                target = self.tags if number == 6 else self.metadata
                target[key] = value
                if len(target) > _MOST_TAGS:
                    raise ProfileError(f"The profile has more than {_MOST_TAGS} tags, too many to be read here.")


def _timestamp(value: int, offset: int) -> int:
    value = protobuf.signed(value)
    if abs(value) > _MAX_TIMESTAMP:
        raise ProfileError("The file is corrupt: its timestamp is no date.", offset=offset)
    return value


def _profile(data: bytes, first: int, chunks: int, segments: tuple[tuple[str, str], ...]) -> Profile:
    properties = Properties()
    offsets: dict[str, list[int]] = {}
    paths: dict[int, str] = {}
    entries = 0
    for number, wire, start, stop in protobuf.fields(data, first, chunks):
        if wire != DELIMITED:
            continue
        if number == 1:
            properties.read(data, start, stop)
        elif number == 2:
            name, places = _column_offsets(data, start, stop)
            offsets[name] = places
        elif number == 5:
            index, path = _path(data, start, stop)
            paths[index] = path
        entries += number in {2, 5}
        if entries > MAX_ENTRIES:
            raise ProfileError(
                f"The profile has more than {MAX_ENTRIES} columns and metrics, too many to be read here."
            )
    reader = _ColumnReader(data, chunks, offsets, paths)
    return Profile(
        dataset_timestamp=properties.dataset,
        creation_timestamp=properties.created,
        version=properties.metadata.get("whylogs.version", ""),
        tags=properties.tags,
        metadata=properties.metadata,
        segments=segments or segment_of(properties.tags.items()),
        column_names=tuple(sorted(offsets)),
        size=len(data),
        paths=tuple(paths.values()),
        _read=reader.read,
        _content=data,
    )


def _column_offsets(data: bytes, first: int, last: int) -> tuple[str, list[int]]:
    name = ""
    places: list[int] = []
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            name = protobuf.text(data, start, stop)
        elif (number, wire) == (2, DELIMITED):
            # One more than is allowed is enough to know.
            places = list(islice(_offsets(data, start, stop), _MOST_CHUNKS + 1))
    if len(places) > _MOST_CHUNKS:
        raise ProfileError(f"The file is corrupt: a column has more than {_MOST_CHUNKS} parts.", column=name)
    return name, places


def _offsets(data: bytes, first: int, last: int) -> Iterator[int]:
    for number, wire, value, end in protobuf.fields(data, first, last):
        if (number, wire) == (1, VARINT):
            yield value
        elif (number, wire) == (1, DELIMITED):  # packed
            position = value
            while position < end:
                place, position = protobuf.varint(data, position, end)
                yield place


def _path(data: bytes, first: int, last: int) -> tuple[int, str]:
    index, path = 0, ""
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, VARINT):
            index = start
        elif (number, wire) == (2, DELIMITED):
            path = protobuf.text(data, start, stop)
    return index, path


# A component's value as the container holds it: a number, or a sketch's bytes.
_Component = int | float | KllSketch | HllSketch | FrequentItemsSketch
_SKETCHES: dict[int, type[KllSketch | HllSketch | FrequentItemsSketch]] = {
    _FREQUENT_ITEMS: FrequentItemsSketch,
    _HLL: HllSketch,
    _KLL: KllSketch,
}


class _ColumnReader:
    """Finds and reads the chunks of a column.

    No two chunks may share a byte, so that all columns together cost no more than one walk through the file,
    whatever the offsets claim.
    """

    def __init__(self, data: bytes, chunks: int, offsets: dict[str, list[int]], paths: dict[int, str]) -> None:
        self.data = data
        self.chunks = chunks
        self.offsets = offsets
        self.paths = paths
        # What entries said before, by their bytes; and whose double follows, by the first bytes of entries.
        self.counters: dict[bytes, tuple[str, int]] = {}
        self.doubles: dict[bytes, str] = {}
        # Most profiles hold nothing but simple metrics; then a column needs no sorting out.
        self.simple = _KNOWN_PATHS.issuperset(paths.values())
        self.starts = sorted(place for places in offsets.values() for place in places)
        area = len(data) - chunks
        for index, place in enumerate(self.starts):
            if place >= area:
                raise ProfileError("The file is truncated: a column should begin beyond its end.", offset=len(data))
            if index and place == self.starts[index - 1]:
                raise ProfileError("The file is corrupt: two columns begin at one place.", offset=chunks + place)

    def read(self, name: str) -> Column:
        checkpoint()
        components: dict[str, _Component] = {}
        try:
            for place in self.offsets[name]:
                self._read_chunk(place, components)
        except ProfileError as error:
            raise ProfileError(error.reason, offset=error.offset, column=name) from error
        return _simple_column(name, components) if self.simple else _column(name, components)

    def _read_chunk(self, place: int, components: dict[str, _Component]) -> None:
        data = self.data
        following = bisect_right(self.starts, place)
        end = self.chunks + self.starts[following] if following < len(self.starts) else len(data)
        start, stop = protobuf.delimited(data, self.chunks + place, end)
        kind = length = 0
        for number, wire, value, _ in protobuf.fields(data, start, stop):
            if (number, wire) == (1, VARINT):
                kind = value
            elif (number, wire) == (3, VARINT):
                length = value
        if kind != _COLUMN_CHUNK:
            raise ProfileError("The file is corrupt: no column begins where the header says.", offset=start)
        if stop + length > end:
            raise ProfileError(
                f"The file is truncated or corrupt: a column of {length} bytes begins here, "
                f"but only {end - stop} follow.",
                offset=stop,
            )
        self._read_entries(stop, stop + length, components)

    def _read_entries(self, position: int, end: int, components: dict[str, _Component]) -> None:
        data, counters, doubles = self.data, self.counters, self.doubles
        while position < end:
            # Most of a column are counters, short entries of which the same profile has many alike, and means, which
            # differ in their last eight bytes only.
            after = position + 2 + data[position + 1] if position + 1 < end else end
            if after <= end:
                if known := counters.get(data[position:after]):
                    components[known[0]] = known[1]
                    position = after
                    continue
                if path := doubles.get(data[position : position + _DOUBLE_AT]):
                    components[path] = protobuf.double(data, position + _DOUBLE_AT)
                    position = after
                    continue
            number, wire, first, last = next(protobuf.fields(data, position, end))
            if number == 1 and wire == DELIMITED:
                path, component = self._component(first, last)
                if component is not None:
                    components[path] = component
                    if last - position <= _LONGEST_COUNTER:
                        self._remember(data[position:last], path, component)
            position = last

    def _remember(self, entry: bytes, path: str, component: _Component) -> None:
        if type(component) is int and len(self.counters) < _MOST_COUNTERS:
            self.counters[entry] = path, component
        elif type(component) is float and entry[:_DOUBLE_AT] == _DOUBLE_HEAD % entry[3:4]:
            self.doubles[entry[:_DOUBLE_AT]] = path

    def _component(self, first: int, last: int) -> tuple[str, _Component | None]:
        data = self.data
        index, start, stop = _entry(data, first, last)
        path = self.paths.get(index)
        if path is None:
            raise ProfileError("The file is corrupt: a metric in it has no name.", offset=first)
        component: _Component | None = None
        for number, wire, value, end in protobuf.fields(data, start, stop):
            if number == _N and wire == VARINT:
                component = protobuf.signed(value)
            elif number == _D and wire == FIXED64:
                component = protobuf.double(data, value)
            elif number in _SKETCHES and wire == DELIMITED:
                try:
                    component = _SKETCHES[number].read(_sketch_bytes(data, value, end))
                except ProfileError as error:
                    raise ProfileError(error.reason, offset=value) from error
        return path, component


_LONGEST_COUNTER = 26  # bytes of an entry that is remembered
_MOST_COUNTERS = 4096
_INDEX, _VALUE, _CONTENT = 1 << 3 | VARINT, 2 << 3 | DELIMITED, 1 << 3 | DELIMITED
# How the entry of a double begins: 13 bytes, the path's number, and a message of a double.
_DOUBLE_HEAD = bytes([1 << 3 | DELIMITED, 13, _INDEX]) + b"%b" + bytes([_VALUE, 9, _D << 3 | FIXED64])
_DOUBLE_AT = 7
_SHORTEST_ENTRY, _LARGEST_BYTE = 4, 0x7F  # of an entry's bytes, and of a varint of one byte


def _entry(data: bytes, first: int, last: int) -> tuple[int, int, int]:
    """Read an entry of a map from numbers to messages: the number, and the bounds of the message."""
    # Nearly all are laid out like this: a number of one byte, then a message up to the end.
    short = last - first >= _SHORTEST_ENTRY and data[first] == _INDEX and data[first + 1] <= _LARGEST_BYTE
    if short and (start := protobuf.sole(data, first + 2, last, _VALUE)):
        return data[first + 1], start, last
    index = start = stop = 0
    for number, wire, value, end in protobuf.fields(data, first, last):
        if number == 1 and wire == VARINT:
            index = value
        elif number == 2 and wire == DELIMITED:
            start, stop = value, end
    return index, start, stop


def _sketch_bytes(data: bytes, first: int, last: int) -> bytes:
    if start := protobuf.sole(data, first, last, _CONTENT):
        return data[start:last]
    content = b""
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            content = data[start:stop]
    return content


_CONDITION = "condition_count/"


def _column(name: str, components: Mapping[str, _Component]) -> Column:
    """Put the components of one column, by path, into their places."""
    conditions: dict[str, int] = {}
    parts: dict[str, dict[str, _Component]] = {}
    plain: dict[str, _Component] = {}
    metrics: dict[str, int | float] = {}
    for path, component in components.items():
        if path.startswith(_CONDITION):
            conditions[path.removeprefix(_CONDITION)] = _integer(component, name)
        elif ":" in path:  # metric/part:metric/component
            part, _, inner = path.rpartition(":")
            parts.setdefault(part, {})[inner] = component
        elif path in _KNOWN_PATHS:
            plain[path] = component
        elif isinstance(component, (int, float)):
            metrics[path] = component
        else:
            parts[path] = {_PLACES[type(component)]: component}
    others = {part: _simple_column(part, inner) for part, inner in parts.items()}
    return replace(_simple_column(name, plain), conditions=conditions, others=others, metrics=metrics)


def _simple_column(name: str, plain: Mapping[str, _Component]) -> Column:
    smallest, largest = _bounds(plain, name)
    kll = plain.get("distribution/kll")
    hll = plain.get("cardinality/hll")
    items = plain.get("frequent_items/frequent_strings")
    return Column(
        name=name,
        counts=Counts(*_integers(plain, _COUNTS, name)),
        types=Types(*_integers(plain, _TYPES, name)),
        ints_min=smallest,
        ints_max=largest,
        mean=_number(plain.get("distribution/mean")),
        m2=_number(plain.get("distribution/m2")),
        kll=kll if isinstance(kll, KllSketch) else None,
        cardinality=hll if isinstance(hll, HllSketch) else None,
        frequent_items=items if isinstance(items, FrequentItemsSketch) else None,
        counted=_COUNTS[0] in plain,
        typed=not plain.keys().isdisjoint(_TYPES),
    )


_COUNTS = ("counts/n", "counts/null", "counts/nan", "counts/inf", "counts/true")
_TYPES = (
    "types/integral",
    "types/fractional",
    "types/boolean",
    "types/string",
    "types/object",
    "types/tensor",
)
_PLACES: dict[type, str] = {
    KllSketch: "distribution/kll",
    HllSketch: "cardinality/hll",
    FrequentItemsSketch: "frequent_items/frequent_strings",
}
_KNOWN_PATHS = frozenset(
    {*_COUNTS, *_TYPES, *_PLACES.values(), "ints/min", "ints/max", "distribution/mean", "distribution/m2"}
)


def _integers(plain: Mapping[str, _Component], paths: tuple[str, ...], column: str) -> list[int]:
    values = [plain.get(path, 0) for path in paths]
    return [value if type(value) is int and value >= 0 else _integer(value, column) for value in values]


def _integer(component: _Component, column: str) -> int:
    """Read a count; whylogs writes some of them as doubles (2000.0)."""
    if isinstance(component, int) and component >= 0:
        return component
    if isinstance(component, float) and 0 <= component < _INT64_END:  # false for NaN
        return int(component)
    raise ProfileError("The file is corrupt: a count in it is not one.", column=column)


def _number(component: _Component | None) -> float | None:
    return float(component) if isinstance(component, (int, float)) else None


def _bounds(plain: Mapping[str, _Component], column: str) -> tuple[int | None, int | None]:
    """Read the integers' bounds; whylogs begins with max < min and leaves it so when no integer came."""
    found = []
    for path in ("ints/min", "ints/max"):
        value = plain.get(path)
        if value is None:
            return None, None
        if isinstance(value, float) and math.isfinite(value):
            value = int(value)
        if not isinstance(value, int):
            raise ProfileError("The file is corrupt: an integer bound in it is no integer.", column=column)
        found.append(value)
    smallest, largest = found
    return (smallest, largest) if smallest <= largest else (None, None)

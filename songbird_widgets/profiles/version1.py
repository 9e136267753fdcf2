"""Version 1 of the format, read: headers at once, columns when they are asked for.

Layout: ``WHY1``, a delimited segment header, a delimited profile header, then the chunks, one or more a column. No
column can make the reader look at bytes of another.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..budget import checkpoint
from . import protobuf
from .data_model import SEGMENT_TAG, Column, Counts, Profile, Types, as_it_was, segment_of
from .errors import ProfileError
from .properties import MAX_ENTRIES, Properties, read_pair
from .protobuf import DELIMITED, FIXED64, VARINT
from .sketches import FrequentItemsSketch, HllSketch, KllSketch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAGIC = b"WHY1"
_INT64_END = (1 << 63) - 1
_COLUMN_CHUNK = 2
# Numbers of the component messages' fields.
_TYPE, _N, _D, _FREQUENT_ITEMS, _HLL, _KLL = 1, 2, 3, 4, 5, 6
_AGGREGATES = {1: "min", 2: "max"}  # by the component's type; 0 is a sum
_MAX_CHUNKS = 1000  # of a column; whylogs writes one


def end_of_version_1(data: bytes, start: int) -> int:
    """Find where a profile's chunks end that begins with `MAGIC` at a place.

    Raises
    ------
    ProfileError
        A header is cut off or corrupt.
    """
    end = len(data)
    _, position = protobuf.delimited(data, start + len(MAGIC), end)
    first, chunks = protobuf.delimited(data, position, end)
    length = 0
    for number, wire, value, _ in protobuf.fields(data, first, chunks):
        if (number, wire) == (4, VARINT):
            length = value
    return min(chunks + length, end)


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
        _write=partial(as_it_was, data),
    )


def _column_offsets(data: bytes, first: int, last: int) -> tuple[str, list[int]]:
    name = ""
    places: list[int] = []
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            name = protobuf.text(data, start, stop)
        elif (number, wire) == (2, DELIMITED):
            # One more than is allowed is enough to know.
            places = list(islice(_offsets(data, start, stop), _MAX_CHUNKS + 1))
    if len(places) > _MAX_CHUNKS:
        raise ProfileError(f"The file is corrupt: a column has more than {_MAX_CHUNKS} parts.", column=name)
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


class _Figure(NamedTuple):
    """A number of a metric that whylogs does not have, which is no sum."""

    value: int | float
    aggregate: str


# A component's value as the format holds it: a number, or a sketch's bytes.
_Component = int | float | _Figure | KllSketch | HllSketch | FrequentItemsSketch
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
        # Most entries of a profile are counters, of which many are alike: what each said, by its bytes.
        self.counters: dict[bytes, tuple[str, _Component | None]] = {}
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
        data, counters = self.data, self.counters
        for number, wire, first, last in protobuf.fields(data, position, end):
            if number != 1 or wire != DELIMITED:
                continue
            entry = data[first:last] if last - first <= _MAX_COUNTER_BYTES else b""
            found = counters.get(entry)
            if found is None:
                found = self._component(first, last)
                if entry and type(found[1]) is int and len(counters) < _MAX_COUNTERS:
                    counters[entry] = found
            path, component = found
            if component is not None:
                components[path] = component

    def _component(self, first: int, last: int) -> tuple[str, _Component | None]:
        data = self.data
        index, start, stop = _entry(data, first, last)
        path = self.paths.get(index)
        if path is None:
            raise ProfileError("The file is corrupt: a metric in it has no name.", offset=first)
        component: _Component | None = None
        kind = 0
        for number, wire, value, end in protobuf.fields(data, start, stop):
            if number == _TYPE and wire == VARINT:
                kind = value
            elif number == _N and wire == VARINT:
                component = protobuf.signed(value)
            elif number == _D and wire == FIXED64:
                component = protobuf.double(data, value)
            elif number in _SKETCHES and wire == DELIMITED:
                try:
                    component = _SKETCHES[number].read(_sketch_bytes(data, value, end))
                except ProfileError as error:
                    raise ProfileError(error.reason, offset=value) from error
        if kind and isinstance(component, (int, float)) and path not in _KNOWN_PATHS:
            component = _Figure(component, _AGGREGATES.get(kind, "other"))
        return path, component


_MAX_COUNTER_BYTES = 24  # bytes of an entry that is remembered
_MAX_COUNTERS = 4096


def _entry(data: bytes, first: int, last: int) -> tuple[int, int, int]:
    """Read an entry of a map from numbers to messages: the number, and the bounds of the message."""
    index = start = stop = 0
    for number, wire, value, end in protobuf.fields(data, first, last):
        if number == 1 and wire == VARINT:
            index = value
        elif number == 2 and wire == DELIMITED:
            start, stop = value, end
    return index, start, stop


def _sketch_bytes(data: bytes, first: int, last: int) -> bytes:
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
    aggregates: dict[str, str] = {}
    for path, found in components.items():
        component, aggregate = found if isinstance(found, _Figure) else (found, "")
        if path.startswith(_CONDITION):
            conditions[path.removeprefix(_CONDITION)] = _integer(component, name)
        elif ":" in path:  # metric/part:metric/component
            part, _, inner = path.rpartition(":")
            parts.setdefault(part, {})[inner] = component
        elif path in _KNOWN_PATHS:
            plain[path] = component
        elif isinstance(component, (int, float)):
            metrics[path] = component
            if aggregate:
                aggregates[path] = aggregate
        else:
            parts[path] = {_PLACES[type(component)]: component}
    others = {part: _simple_column(part, inner) for part, inner in parts.items()}
    return replace(
        _simple_column(name, plain), conditions=conditions, others=others, metrics=metrics, aggregates=aggregates
    )


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

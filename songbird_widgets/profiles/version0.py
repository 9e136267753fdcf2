"""Version 0 of the format: one protobuf message a profile, without a magic number.

whylogs 0 wrote nothing else, and whylogs 1 writes every profile with performance metrics so. A file is a message
with its length before it, several of these one after the other, or one message alone. The columns are messages in a
map; their sketches are those of version 1, with floats in place of doubles where whylogs 0 wrote them. Field
numbers are those of the descriptors that the whylogs package carries (``whylogs.core.proto.v0``).
"""

from __future__ import annotations

import json
from functools import partial

import numpy as np

from ..budget import checkpoint
from . import protobuf
from .data_model import SEGMENT_TAG, Column, Counts, Profile, Types
from .errors import ProfileError
from .performance import MAX_MATRIX_LABELS, ConfusionMatrix, Performance, RegressionMetrics
from .properties import MAX_ENTRIES, Properties
from .protobuf import DELIMITED, FIXED64, VARINT
from .sketches import FrequentItemsSketch, HllSketch, KllSketch
from .version1 import MAGIC
from .writing import write_profile

_PROPERTIES, _COLUMNS, _MODEL = 1, 2, 10
# Of the properties: schema version 1, 2; session id 3; timestamps 4, 5; tags and metadata 6, 7.
_PROPERTY_WIRES = {1: VARINT, 2: VARINT, 3: DELIMITED, 4: VARINT, 5: VARINT, 6: DELIMITED, 7: DELIMITED}
# Of the types: unknown 0, null 1, fractional 2, integral 3, boolean 4, string 5.
_UNKNOWN, _NULL, _FRACTIONAL, _INTEGRAL, _BOOLEAN, _STRING = range(6)
_TYPES = 6
_MAX_COUNTED = 1 << 53
"""More rows than this no confusion matrix counts; below it, sums of them cannot overflow."""


def message_of_version_0(data: bytes, start: int) -> tuple[int, int] | None:
    """Find the message of version 0 that begins at a place, with its length before it or without.

    Returns
    -------
    (int, int) or None
        Its first and last byte (exclusive); None if none begins there.

    Raises
    ------
    ProfileError
        It is cut off or corrupt.
    """
    if _begins_delimited(data, start):
        return protobuf.delimited(data, start, len(data))
    if not _begins_message(data, start, len(data)):
        return None
    return start, _end_of_message(data, start)


def _end_of_message(data: bytes, start: int) -> int:
    """Find where a message ends that has no length before it: with the file, or where the next profile begins."""
    last = start
    for number, _, _, stop in protobuf.fields(data, start, len(data)):
        if last > start and number == _PROPERTIES and _begins_message(data, last, len(data)):
            return last
        last = stop
        if data.startswith(MAGIC, last) or _begins_delimited(data, last):
            return last
    return last


def begins_version_0(head: bytes) -> bool:
    """Whether bytes begin as a version 0 file does; it need not be all of it."""
    return _begins_delimited(head, 0) or _begins_message(head, 0, len(head))


def _begins_delimited(data: bytes, start: int) -> bool:
    try:
        length, first = protobuf.varint(data, start, min(len(data), start + 10))
    except ProfileError:
        return False
    # A message that is cut off is still one.
    return length > 0 and _begins_message(data, first, min(first + length, len(data)))


def _begins_message(data: bytes, first: int, last: int) -> bool:
    """Whether a message begins with properties that name a schema version and a time."""
    known = set()
    try:
        number, wire, start, stop = next(protobuf.fields(data, first, last))
        if (number, wire) != (_PROPERTIES, DELIMITED):
            return False
        for inner, kind, _, _ in protobuf.fields(data, start, stop):
            if _PROPERTY_WIRES.get(inner) != kind:
                return False
            known.add(inner)
            if {1, 4} <= known or {1, 5} <= known:
                return True
    except (ProfileError, StopIteration):
        return False
    return False


def read_version_0(data: bytes, first: int, last: int, *, size: int) -> Profile:
    """Read one message of a version 0 file, which takes `size` bytes of it; columns are read when asked for."""
    properties = Properties()
    places: dict[str, tuple[int, int]] = {}
    performance: Performance | None = None
    entries = 0
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if wire != DELIMITED:
            continue
        if number == _PROPERTIES:
            properties.read(data, start, stop)
        elif number == _COLUMNS:
            entries += 1
            if entries > MAX_ENTRIES:
                raise ProfileError(f"The profile has more than {MAX_ENTRIES} columns, too many to be read here.")
            name, place = _column_place(data, start, stop)
            places[name] = place
        elif number == _MODEL:
            performance = _performance(data, start, stop)
    return Profile(
        dataset_timestamp=properties.dataset,
        creation_timestamp=properties.created,
        version=properties.metadata.get("whylogs.version", ""),
        tags=properties.tags,
        metadata=properties.metadata,
        segments=_segments(properties.tags),
        column_names=tuple(sorted(places)),
        size=size,
        paths=(),
        _read=partial(_read, data, places),
        _write=write_profile,
        performance=performance,
    )


def _segments(tags: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Read the segment from the tags: one tag a column from whylogs 1, one tag of JSON from whylogs 0."""
    found = [(key.removeprefix(SEGMENT_TAG), value) for key, value in tags.items() if key.startswith(SEGMENT_TAG)]
    if not found and "segment" in tags:
        try:
            listed = json.loads(tags["segment"])
            found = [(str(one["key"]), str(one["value"])) for one in listed]
        except (ValueError, TypeError, KeyError, RecursionError):
            found = [("segment", tags["segment"])]
    return tuple(found)


def _column_place(data: bytes, first: int, last: int) -> tuple[str, tuple[int, int]]:
    name, place = "", (first, first)
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            name = protobuf.text(data, start, stop)
        elif (number, wire) == (2, DELIMITED):
            place = start, stop
    return name, place


def _read(data: bytes, places: dict[str, tuple[int, int]], name: str) -> Column:
    checkpoint()
    first, last = places[name]
    try:
        return _column(name, data, first, last)
    except ProfileError as error:
        raise ProfileError(error.reason, offset=error.offset or first, column=name) from error


def _column(name: str, data: bytes, first: int, last: int) -> Column:
    column = Column(name)
    counts: tuple[int, int, int] = (0, 0, 0)
    types: list[int] = [0] * _TYPES
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if wire != DELIMITED:
            continue
        if number == 2:
            counts = _counters(data, start, stop)
        elif number == 3:
            types = _type_counts(data, start, stop)
        elif number == 4:
            _read_numbers(column, data, start, stop)
        elif number == 7 and (sketch := _bytes(data, start, stop)):
            column.frequent_items = FrequentItemsSketch.read(sketch)
        elif number == 8 and (sketch := _bytes(data, start, stop)):
            column.cardinality = HllSketch.read(sketch)
    rows, true, null = counts
    # whylogs counts nulls among the types; early versions had a counter for them.
    column.counts = Counts(n=rows, null=max(null, types[_NULL]), true=true)
    column.types = Types(
        integral=types[_INTEGRAL],
        fractional=types[_FRACTIONAL],
        boolean=types[_BOOLEAN],
        string=types[_STRING],
        object=types[_UNKNOWN],
    )
    items = column.frequent_items
    if items is not None and not items.values and rows > column.counts.null:
        # Written by all columns, also by those (of floats) whose values whylogs did not track, or all lost.
        column.frequent_items = None
    return column


def _counters(data: bytes, first: int, last: int) -> tuple[int, int, int]:
    """Read the counts of rows, of true and of null."""
    found = [0, 0, 0]
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if number == 1 and wire == VARINT:
            found[0] = _count(start, first)
        elif number in {2, 3} and wire == DELIMITED:  # wrapped, to tell 0 from nothing
            for inner, kind, value, _ in protobuf.fields(data, start, stop):
                if (inner, kind) == (1, VARINT):
                    found[number - 1] = _count(value, start)
    return found[0], found[1], found[2]


def _type_counts(data: bytes, first: int, last: int) -> list[int]:
    found = [0] * _TYPES
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) != (1, DELIMITED):
            continue
        kind = count = 0
        for inner, way, value, _ in protobuf.fields(data, start, stop):
            if (inner, way) == (1, VARINT):
                kind = value
            elif (inner, way) == (2, VARINT):
                count = _count(value, start)
        if kind < len(found):
            found[kind] = count
    return found


def _count(value: int, offset: int) -> int:
    value = protobuf.signed(value)
    if value < 0:
        raise ProfileError("The file is corrupt: a count in it is not one.", offset=offset)
    return value


def _bytes(data: bytes, first: int, last: int) -> bytes:
    content = b""
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            content = data[start:stop]
    return content


def _read_numbers(column: Column, data: bytes, first: int, last: int) -> None:
    mean = m2 = 0.0
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if wire != DELIMITED:
            continue
        if number == 1:
            _, m2, mean = _variance(data, start, stop)
        elif number == 3:
            column.ints_min, column.ints_max = _longs(data, start, stop)
        elif number == 4 and stop > start:
            column.kll = KllSketch.read_floats_or_doubles(data[start:stop])
    if column.kll is not None:
        column.mean, column.m2 = mean, m2


def _variance(data: bytes, first: int, last: int) -> tuple[int, float, float]:
    """Read the count, the sum of squared deviations, and the mean."""
    count, m2, mean = 0, 0.0, 0.0
    for number, wire, start, _ in protobuf.fields(data, first, last):
        if (number, wire) == (1, VARINT):
            count = _count(start, first)
        elif (number, wire) == (2, FIXED64):
            m2 = protobuf.double(data, start)
        elif (number, wire) == (3, FIXED64):
            mean = protobuf.double(data, start)
    return count, m2, mean


def _longs(data: bytes, first: int, last: int) -> tuple[int | None, int | None]:
    count = smallest = largest = 0
    for number, wire, value, _ in protobuf.fields(data, first, last):
        if wire != VARINT:
            continue
        if number == 1:
            count = value
        elif number == 2:
            smallest = protobuf.signed(value)
        elif number == 3:
            largest = protobuf.signed(value)
    return (smallest, largest) if count and smallest <= largest else (None, None)


# --- performance metrics


def _performance(data: bytes, first: int, last: int) -> Performance | None:
    fields: list[str] = []
    confusion: ConfusionMatrix | None = None
    regression: RegressionMetrics | None = None
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if wire != DELIMITED:
            continue
        if number == 1:
            fields.append(protobuf.text(data, start, stop))
        elif number == 10:
            for inner, kind, begin, end in protobuf.fields(data, start, stop):
                if (inner, kind) == (1, DELIMITED):
                    confusion = _confusion(data, begin, end)
                elif (inner, kind) == (3, DELIMITED):
                    regression = _regression(data, begin, end)
    if confusion is None and regression is None and not fields:
        return None
    return Performance(confusion, regression, tuple(fields))


def _confusion(data: bytes, first: int, last: int) -> ConfusionMatrix | None:
    labels: list[str] = []
    names = ["", "", ""]
    counts: list[int] = []
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if wire != DELIMITED:
            continue
        if number == 1:
            labels.append(protobuf.text(data, start, stop))
            if len(labels) > MAX_MATRIX_LABELS:
                raise ProfileError(
                    f"The profile's confusion matrix has more than {MAX_MATRIX_LABELS} labels, too many to be read "
                    "here.",
                    offset=start,
                )
        elif number in {2, 3, 4}:
            names[number - 2] = protobuf.text(data, start, stop)
        elif number == 10:
            counts.append(_cell(data, start, stop))
    size = len(labels)
    if len(counts) != size * size:
        raise ProfileError("The file is corrupt: its confusion matrix does not fit its labels.", offset=first)
    if not size:
        return None
    return ConfusionMatrix(tuple(labels), np.array(counts, np.int64).reshape(size, size), *names)


def _cell(data: bytes, first: int, last: int) -> int:
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            count, _, _ = _variance(data, start, stop)
            if count > _MAX_COUNTED:
                raise ProfileError("The file is corrupt: a count in it is not one.", offset=start)
            return count
    return 0


def _regression(data: bytes, first: int, last: int) -> RegressionMetrics | None:
    if first == last:
        return None
    names = ["", ""]
    count = 0
    sums = [0.0, 0.0, 0.0]
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if number in {1, 2} and wire == DELIMITED:
            names[number - 1] = protobuf.text(data, start, stop)
        elif number == 3 and wire == VARINT:
            count = start
        elif number in {4, 5, 6} and wire == FIXED64:
            sums[number - 4] = protobuf.double(data, start)
    # whylogs 1 keeps no names and writes "0".
    if names == ["0", "0"]:
        names = ["", ""]
    return RegressionMetrics(count, sums[0], sums[1], sums[2], names[0], names[1])

"""Writing version 1 of the format as whylogs 1 does; the layout is described in `version1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .protobuf_writer import bytes_field, double_field, encode_varint, number_field, text_field
from .sketches import HllSketch
from .sketches.frequent_items_builder import FrequentItemsBuilder
from .sketches.hll_builder import HllBuilder
from .sketches.kll_builder import KllBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .data_model import Column, Profile
    from .sketches import FrequentItemsSketch, KllSketch

_MAGIC = b"WHY1"
_COLUMN_CHUNK = 2
_MAX_INTEGER = (1 << 63) - 1  # with which whylogs begins its bounds
# How whylogs joins the values of a component when it merges: by its type, unless a number says otherwise.
_BY_TYPE, _BY_MINIMUM, _BY_MAXIMUM = 0, 1, 2
_HOW = {"min": _BY_MINIMUM, "max": _BY_MAXIMUM}

# A component of a column: its path, and its message.
Component = tuple[str, bytes]


def integer(path: str, value: int, how: int = _BY_TYPE) -> Component:
    """Make the component of a whole number."""
    return path, (number_field(1, how) if how else b"") + number_field(2, value)


def fraction(path: str, value: float, how: int = _BY_TYPE) -> Component:
    """Make the component of a double."""
    return path, (number_field(1, how) if how else b"") + double_field(3, value)


def frequent_items(sketch: bytes, prefix: str = "") -> Component:
    """Make the component of a sketch of frequent strings."""
    return f"{prefix}frequent_items/frequent_strings", bytes_field(4, bytes_field(1, sketch))


def cardinality(sketch: bytes, prefix: str = "") -> Component:
    """Make the component of an HLL sketch."""
    return f"{prefix}cardinality/hll", bytes_field(5, bytes_field(1, sketch))


def distribution(sketch: bytes, mean: float, m2: float, prefix: str = "") -> list[Component]:
    """Make the components of a distribution: a KLL sketch, the mean, the sum of squared deviations."""
    return [
        (f"{prefix}distribution/kll", bytes_field(6, bytes_field(1, sketch))),
        fraction(f"{prefix}distribution/mean", mean),
        fraction(f"{prefix}distribution/m2", m2),
    ]


def integer_bounds(smallest: int | None, largest: int | None, prefix: str = "") -> list[Component]:
    """Make the components of the integers' bounds; without integers those that whylogs begins with."""
    return [
        integer(f"{prefix}ints/max", -_MAX_INTEGER if largest is None else largest, _BY_MAXIMUM),
        integer(f"{prefix}ints/min", _MAX_INTEGER if smallest is None else smallest, _BY_MINIMUM),
    ]


def counters(group: str, names: Iterable[str], values: Iterable[int], prefix: str = "") -> list[Component]:
    """Make the components of some counters."""
    return [integer(f"{prefix}{group}/{name}", value) for name, value in zip(names, values, strict=True)]


def write_columns(
    columns: Iterable[tuple[str, Iterable[Component]]],
    *,
    dataset_timestamp: int,
    creation_timestamp: int,
    tags: Mapping[str, str],
    metadata: Mapping[str, str],
    segments: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Write a profile.

    Parameters
    ----------
    columns : iterable of (str, iterable of Component)
        The columns' names and components.
    dataset_timestamp, creation_timestamp : int
        Milliseconds since 1970, UTC.
    tags, metadata : mapping of str to str
    segments : iterable of (str, str), optional
        The tags of the segment that the columns cover.
    """
    paths: dict[str, int] = {}
    chunks: list[bytes] = []
    offsets: list[bytes] = []
    place = 0
    for name, components in sorted(columns, key=lambda column: column[0]):
        message = b"".join(
            bytes_field(1, number_field(1, paths.setdefault(path, len(paths))) + bytes_field(2, component))
            for path, component in components
        )
        header = number_field(1, _COLUMN_CHUNK) + number_field(3, len(message))
        chunk = encode_varint(len(header)) + header + message
        # As packed numbers, which is what protobuf makes of repeated ones.
        offsets.append(bytes_field(2, text_field(1, name) + bytes_field(2, bytes_field(1, encode_varint(place)))))
        chunks.append(chunk)
        place += len(chunk)
    properties = b"".join(
        [
            number_field(4, creation_timestamp),
            number_field(5, dataset_timestamp),
            *(bytes_field(6, text_field(1, key) + text_field(2, value)) for key, value in tags.items()),
            *(bytes_field(7, text_field(1, key) + text_field(2, value)) for key, value in metadata.items()),
        ]
    )
    header = b"".join(
        [
            bytes_field(1, properties),
            *offsets,
            number_field(4, place),
            *(bytes_field(5, number_field(1, index) + text_field(2, path)) for path, index in paths.items()),
        ]
    )
    pairs = b"".join(bytes_field(1, text_field(1, key) + text_field(2, value)) for key, value in segments)
    segment = number_field(1, 1) + bytes_field(4, pairs) if pairs else b""
    return b"".join([_MAGIC, encode_varint(len(segment)), segment, encode_varint(len(header)), header, *chunks])


def write_version_1(profile: Profile, *, timestamp: int, columns: Iterable[str]) -> bytes:
    """Write a profile.

    Parameters
    ----------
    profile : Profile
    timestamp : int
        The data set's timestamp in ms, UTC.
    columns : iterable of str
        The columns to write.

    Raises
    ------
    ProfileError
        A column's bytes are damaged.
    """
    return write_columns(
        ((name, _column_components(profile.column(name))) for name in columns),
        dataset_timestamp=timestamp,
        creation_timestamp=profile.creation_timestamp,
        tags=profile.tags,
        metadata=profile.metadata,
        segments=profile.segments,
    )


def _column_components(column: Column, prefix: str = "") -> Iterator[Component]:
    """Turn a column that was read or merged into components again."""
    if column.counted:
        yield from counters("counts", column.counts._fields, column.counts, prefix)
    if column.typed:
        yield from counters("types", column.types._fields, column.types, prefix)
    if column.ints_min is not None:
        yield from integer_bounds(column.ints_min, column.ints_max, prefix)
    if column.kll is not None:
        yield from distribution(_kll(column.kll), column.mean or 0.0, column.m2 or 0.0, prefix)
    if isinstance(column.cardinality, HllSketch):
        yield cardinality(_hll(column.cardinality), prefix)
    if column.frequent_items is not None:
        yield frequent_items(_items(column.frequent_items), prefix)
    for name, count in column.conditions.items():
        yield integer(f"{prefix}condition_count/{name}", count)
    for path, value in column.metrics.items():
        how = _HOW.get(column.aggregates.get(path, ""), _BY_TYPE)
        yield integer(path, value, how) if isinstance(value, int) else fraction(path, value, how)
    for part, inner in column.others.items():
        yield from _part_components(part, inner)


def _part_components(part: str, inner: Column) -> Iterator[Component]:
    """Turn a part of a compound metric into components, or the one sketch of a metric that whylogs does not have."""
    compound = inner.counted or inner.typed or inner.mean is not None
    found = list(_column_components(inner, f"{part}:"))
    if compound or inner.kll is None:
        yield from found if compound or len(found) != 1 else [(part, found[0][1])]
    else:
        yield part, bytes_field(6, bytes_field(1, _kll(inner.kll)))


def _kll(sketch: KllSketch) -> bytes:
    builder = KllBuilder(sketch.k)
    builder.join(sketch)
    return builder.to_bytes()


def _hll(sketch: HllSketch) -> bytes:
    builder = HllBuilder(sketch.lg_k)
    builder.join(sketch)
    return builder.to_bytes()


def _items(sketch: FrequentItemsSketch) -> bytes:
    builder = FrequentItemsBuilder(len(sketch.values))
    builder.join(sketch)
    return builder.to_bytes()

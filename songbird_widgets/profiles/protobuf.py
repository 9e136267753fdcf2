"""Reading the protobuf wire format, as far as profiles need it, without generated code.

Source: https://protobuf.dev/programming-guides/encoding/. Everything is bounded by the ``end`` that the
caller gives, so a lying length is noticed where it is read.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from .errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5

MAX_INT64 = (1 << 63) - 1
"""The largest whole number with a sign, and so the most rows that a profile can count."""

_DOUBLE = Struct("<d")
_CONTINUES = 0x80
_MAX_VARINT_BITS = 70  # ten groups of seven bits
_UINT64 = (1 << 64) - 1
_INT64_SIGN = 1 << 63


def varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read an unsigned varint; returns its value and the position after it."""
    value = shift = 0
    start = position
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return value & _UINT64, position
        shift += 7
        if shift >= _MAX_VARINT_BITS:
            raise ProfileError("The file is corrupt: a number in it never ends.", offset=start)
    raise ProfileError("The file is truncated: it ends inside a number.", offset=start)


def signed(value: int) -> int:
    """Read a varint's value as a two's complement int64."""
    return value - (1 << 64) if value & _INT64_SIGN else value


def double(data: bytes, position: int) -> float:
    """Read the little-endian double at a position that `fields` has checked."""
    value: float = _DOUBLE.unpack_from(data, position)[0]
    return value


def text(data: bytes, start: int, end: int) -> str:
    """Read a protobuf string, which is UTF-8 by definition."""
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise ProfileError("The file is corrupt: a name in it is not UTF-8.", offset=start) from error


def fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Walk the fields of the message in ``data[position:end]``.

    Yields
    ------
    number, wire : int
        Field number and wire type.
    first, last : int
        For a varint its value and the position after it; for everything else the bounds of its bytes.
    """
    # Profiles are full of short messages, so this loop is most of the reader's time: keys, lengths and values
    # of one or two bytes are read in place, the rest in `varint`.
    while position < end:
        key = data[position]
        position += 1
        if key >= _CONTINUES:
            key, position = varint(data, position - 1, end)
        wire = key & 7
        if wire in {DELIMITED, VARINT}:
            if position < end and (value := data[position]) < _CONTINUES:
                position += 1
            elif position + 1 < end and (high := data[position + 1]) < _CONTINUES:
                value = value & 0x7F | high << 7
                position += 2
            else:
                value, position = varint(data, position, end)
            if wire == VARINT:
                yield key >> 3, wire, value, position
                continue
            last = position + value
            if last > end:
                raise ProfileError(
                    "The file is truncated or corrupt: a part says that it is longer than what holds it.",
                    offset=position,
                )
            yield key >> 3, wire, position, last
            position = last
        elif wire in {FIXED64, FIXED32}:
            last = position + (8 if wire == FIXED64 else 4)
            if last > end:
                raise ProfileError("The file is truncated: it ends inside a number.", offset=position)
            yield key >> 3, wire, position, last
            position = last
        else:
            raise ProfileError("The file is corrupt: it holds a field of a kind that does not exist.", offset=position)


def delimited(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a length and return the bounds of the message after it."""
    length, start = varint(data, position, end)
    if start + length > end:
        raise ProfileError(
            f"The file is truncated: {length} bytes should follow here, but only {end - start} do.",
            offset=position,
        )
    return start, start + length

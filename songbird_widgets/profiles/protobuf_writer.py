"""Writing the protobuf wire format: fields as bytes (https://protobuf.dev/programming-guides/encoding/)."""

from __future__ import annotations

from struct import Struct

from .protobuf import DELIMITED, FIXED64, VARINT

_DOUBLE = Struct("<d")
_UINT64 = (1 << 64) - 1
_SMALL = [bytes([value]) for value in range(0x80)]


def encode_varint(value: int) -> bytes:
    """Write a whole number; one below 0 as its 64 bits."""
    if 0 <= value < 0x80:  # nearly all are
        return _SMALL[value]
    value &= _UINT64
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def number_field(field: int, value: int) -> bytes:
    """Write a field of a whole number; its own number is below 16."""
    return _SMALL[field << 3 | VARINT] + encode_varint(value)


def double_field(field: int, value: float) -> bytes:
    """Write a field of a double."""
    return _SMALL[field << 3 | FIXED64] + _DOUBLE.pack(value)


def bytes_field(field: int, content: bytes) -> bytes:
    """Write a field of bytes or of a message."""
    return _SMALL[field << 3 | DELIMITED] + encode_varint(len(content)) + content


def text_field(field: int, value: str) -> bytes:
    """Write a field of text."""
    return bytes_field(field, value.encode())

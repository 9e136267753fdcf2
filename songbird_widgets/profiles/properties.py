"""Timestamps, tags and metadata of a profile, which both versions of the format hold in the same fields."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import protobuf
from .errors import ProfileError
from .protobuf import DELIMITED, VARINT

MAX_ENTRIES = 300_000
"""Columns and names of metrics that a profile may list; memory is bounded by it."""

_MAX_TAGS = 10_000
_MAX_TIMESTAMP = 253_402_300_799_999  # the last ms of the year 9999: what a datetime can hold


@dataclass
class Properties:
    """Timestamps, tags and metadata of a profile."""

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
                if len(target) > _MAX_TAGS:
                    raise ProfileError(f"The profile has more than {_MAX_TAGS} tags, too many to be read here.")


def _timestamp(value: int, offset: int) -> int:
    value = protobuf.signed(value)
    if abs(value) > _MAX_TIMESTAMP:
        raise ProfileError("The file is corrupt: its timestamp is no date.", offset=offset)
    return value


def read_pair(data: bytes, first: int, last: int) -> tuple[str, str]:
    """Read a message of two strings: a map entry or a segment tag."""
    key = value = ""
    for number, wire, start, stop in protobuf.fields(data, first, last):
        if (number, wire) == (1, DELIMITED):
            key = protobuf.text(data, start, stop)
        elif (number, wire) == (2, DELIMITED):
            value = protobuf.text(data, start, stop)
    return key, value

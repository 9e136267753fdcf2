"""A digest of what a profile holds, equal for profiles that were made of the same data at different times."""

from __future__ import annotations

import hashlib

from . import protobuf
from .errors import ProfileError
from .properties import Properties
from .protobuf import DELIMITED
from .version1 import MAGIC


def described(data: bytes) -> tuple[str, int | None]:
    """Return a digest of what a profile holds, and when it was made.

    Parameters
    ----------
    data : bytes
        A profile's file.

    Returns
    -------
    str
        Equal for equal segments, tags and columns; empty of what is no profile of whylogs 1.
    int or None
        Milliseconds since 1970, UTC.
    """
    if not data.startswith(MAGIC):
        return "", None
    digest = hashlib.sha256()
    properties = Properties()
    try:
        first, last = protobuf.delimited(data, len(MAGIC), len(data))
        digest.update(data[first:last])
        first, chunks = protobuf.delimited(data, last, len(data))
        for number, wire, start, stop in protobuf.fields(data, first, chunks):
            if wire != DELIMITED:
                continue
            if number == 1:
                properties.read(data, start, stop)
                digest.update(repr(sorted(properties.tags.items())).encode("utf-8", "surrogatepass"))
            else:
                digest.update(b"%d %d " % (number, stop - start))
                digest.update(memoryview(data)[start:stop])
    except ProfileError:
        return "", None
    digest.update(memoryview(data)[chunks:])
    return digest.hexdigest(), properties.created

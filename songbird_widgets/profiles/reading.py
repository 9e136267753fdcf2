"""Reading a profile from bytes, whatever version of the format they are, and saying what else they may be."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .data_model import as_it_was
from .errors import ProfileError
from .merge import join_profiles
from .version0 import begins_version_0, message_of_version_0, read_version_0
from .version1 import MAGIC, end_of_version_1, read_version_1

if TYPE_CHECKING:
    from .data_model import Profile


def read_profile(source: bytes | bytearray | memoryview | str | os.PathLike[str]) -> Profile:
    """Read a profile's headers; its columns are read when asked for.

    Parameters
    ----------
    source : bytes, memoryview, str or os.PathLike
        The whole file, or the path that leads to it. A file may hold several profiles, one behind the other: they are
        shown merged (`split_profiles` tells them apart).

    Raises
    ------
    ProfileError
        It is no profile (the message says what it looks like), is cut off, or is corrupt.
    OSError
        There is no such file, or it cannot be opened.
    TypeError
        It is neither bytes nor a path.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> sw.profile({"price": [9.5, 12.0]}).save("prices.bin")
    >>> sw.read_profile("prices.bin").column_names
    ('price',)
    """
    if isinstance(source, (str, os.PathLike)):
        data = Path(source).expanduser().read_bytes()
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    else:
        raise TypeError(
            f"read_profile takes a path or bytes, not {type(source).__name__}: songbird_widgets.profile makes one "
            "of data."
        )
    places = _places(data)
    if not places:
        raise ProfileError(_looks_like(data))
    profiles = [
        read_version_1(data[first:last])
        if data.startswith(MAGIC, start)
        else read_version_0(data, first, last, size=last - start)
        for start, first, last in places
    ]
    if len({profile.segments for profile in profiles}) > 1:
        # A whole and its segments, or overlapping segments, would count rows twice.
        raise ProfileError(
            f"The file holds {len(profiles)} profiles of different segments: `split_profiles` takes them apart."
        )
    return replace(join_profiles(profiles), _write=partial(as_it_was, data), is_file=True)


def _places(data: bytes) -> list[tuple[int, int, int]]:
    """Find the profiles in a file, of either version, one behind the other.

    Returns
    -------
    list of (int, int, int)
        Where each begins, and the first and last byte (exclusive) to read of it; empty if the file is something else.

    Raises
    ------
    ProfileError
        A profile is cut off or corrupt, or followed by something else.
    """
    places: list[tuple[int, int, int]] = []
    start = 0
    while start < len(data):
        if data.startswith(MAGIC, start):
            last = _following(data, end_of_version_1(data, start))
            places.append((start, start, last))
        elif message := message_of_version_0(data, start):
            places.append((start, *message))
        elif places:
            raise ProfileError("The file is corrupt: what follows a profile is none.", offset=start)
        else:
            break
        if len(places) > _MAX_PROFILES:
            raise ProfileError(f"The file holds more than {_MAX_PROFILES} profiles, too many to read here.")
        start = places[-1][-1]
    return places


def _following(data: bytes, end: int) -> int:
    """Find the next profile behind one of version 1; what trails the last one belongs to it."""
    following = data.find(MAGIC, end)
    last = len(data) if following < 0 else following
    trailer = range(end, min(end + _MAX_TRAILER, last) + 1)
    return next((place for place in trailer if message_of_version_0(data, place)), last)


_MAX_PROFILES = 10_000  # in one file
_MAX_TRAILER = 16  # bytes behind a profile of version 1; whylogs writes 9 behind a segment's


def is_profile(head: bytes) -> bool:
    """Whether bytes begin as a profile of either version does; some thousand of them are enough."""
    return head.startswith(MAGIC) or begins_version_0(head)


def split_profiles(data: bytes) -> list[bytes]:
    """Cut a file of several profiles into files of one each; any other file stays what it is.

    Raises
    ------
    ProfileError
        The file begins with a profile and is damaged there or behind it.
    """
    places = _places(data)
    if len(places) <= 1:
        return [data]
    return [data[start:last] for start, _, last in places]


_BEGINS = (
    "A whylogs profile begins with WHY1. Of data, make one with songbird_widgets.profile or `songbird-widgets profile`."
)


def _looks_like(data: bytes) -> str:
    """Say what a file is that is no profile."""
    if MAGIC.startswith(data):
        return f"The file is truncated: it has only {len(data)} bytes." if data else "The file is empty (0 bytes)."
    for mark, what in _KNOWN_FILES:
        if data.startswith(mark):
            return f"This is {what}, not a profile. {_BEGINS}"
    start = data[:1024].lstrip().lower()
    for mark, what in _KNOWN_TEXTS:
        if start.startswith(mark):
            return f"This is {what}"
    # A character may be cut in two at the end of the part that is looked at.
    words = data[:1024].decode(errors="replace").rstrip("\ufffd")
    if all(letter.isprintable() or letter in "\r\n\t" for letter in words) and "\ufffd" not in words:
        return f"This looks like text, not a profile. {_BEGINS}"
    return f"This is not a whylogs profile. {_BEGINS}"


_ZIP = "a zip archive (to take the profiles in it, add the archive itself)"
_KNOWN_FILES = (
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x80\x05\x95", "a Python pickle"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xfd7zXZ", "an xz file (unpack it)"),
    (b"BZh91AY&SY", "a bzip2 file (unpack it)"),
    (b"\x28\xb5\x2f\xfd", "a zstd file (unpack it)"),
)
_HTML = "an HTML page, not a profile: perhaps a sign-in or error page was saved instead of the file."
_XML = "XML, not a profile: perhaps an object store's error was saved instead of the file."
_JSON = f"JSON, not a profile. {_BEGINS}"
_KNOWN_TEXTS = (
    (b"<!doctype html", _HTML),
    (b"<html", _HTML),
    (b"<?xml", _XML),
    (b"<error", _XML),
    (b"{", _JSON),
    (b"[", _JSON),
)

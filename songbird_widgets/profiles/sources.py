"""Where profiles come from: paths, globs, archives, bytes, open files, whylogs' objects and data frames.

Everything becomes a stream of `ProfileSource` (ready to upload) and `SourceError` (what is wrong with one of
the things given). whylogs is recognised by what its objects can do and imported only to profile a data frame.
"""

from __future__ import annotations

import glob
import hashlib
import io
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .container import MAGIC
from .errors import ProfileError
from .reading import read_profile
from .timestamps import to_milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

Kind = Literal["batch", "reference"]

_GLOB_SIGNS = frozenset("*?[")
_TAG_PREFIX = "whylogs.tag."
# Profiles shrink three to twenty times in an archive. What claims more than this is made to fill the memory.
_MOST_EXPANSION = 100
_EXPANSION_ALLOWED = 1 << 20
_BOMB = (
    f"The archive unpacks to more than {_MOST_EXPANSION} times its size, which no archive of profiles does: "
    "unpack it and add the files."
)


class SourceError(ValueError):
    """One of the things given holds no profile that can be uploaded.

    Attributes
    ----------
    name : str
        What it is called: a path, an archive and its member, a mapping's key.
    reason : str
        One sentence: what is wrong and what to do. ``str(error)`` is both.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{_shown(name)}: {reason}")


def _shown(name: str) -> str:
    """Fit a name into one line of a message, whatever is in it."""
    plain = name if name.isprintable() else repr(name)
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:_LONGEST_NAME]}…"


_LONGEST_NAME = 200


@dataclass(frozen=True)
class ProfileSource:
    """One profile, read once and found to be sound, ready to be uploaded.

    Attributes
    ----------
    name : str
        For people: a file name, an archive and its member, a mapping's key.
    content : bytes or pathlib.Path
        The file, or where it lies.
    kind : {"batch", "reference"}
    alias : str or None
        Name of a reference; None for a batch.
    dataset_timestamp : int
        Milliseconds since 1970, UTC.
    segment_tags : tuple of (str, str)
        Of the segment that the profile covers; empty for a whole data set.
    columns : int
    rows : int or None
        The largest count of a column; None without columns.
    size : int
        Bytes.
    sha256 : str
        Hexadecimal.
    problem : str or None
        Something that does not keep the profile from being uploaded, but is worth knowing.
    """

    name: str
    content: bytes | Path
    kind: Kind
    alias: str | None
    dataset_timestamp: int
    segment_tags: tuple[tuple[str, str], ...]
    columns: int
    rows: int | None
    size: int
    sha256: str
    problem: str | None = None

    def __repr__(self) -> str:
        what = f"reference {self.alias!r}" if self.kind == "reference" else f"batch {self.dataset_timestamp}"
        return f"<ProfileSource {self.name!r}: {what}, {self.columns} columns, {self.size} bytes>"


def find_sources(
    source: Any,
    *,
    alias: str | None = None,
    timestamp: int | date | None = None,
    kind: Kind | None = None,
) -> Iterator[ProfileSource | SourceError]:
    """Find the profiles in whatever a user has.

    Parameters
    ----------
    source : path, glob, bytes, file object, whylogs object, DataFrame, or an iterable or mapping of these
        A path may lead to a profile or to a zip archive of profiles (``.bin``). Of whylogs: a result set,
        segmented or not, a profile or a view. A mapping's keys are aliases, as in ``why.log(multiple=…)``.
    alias : str, optional
        Makes the one profile found a reference of that name.
    timestamp : int or datetime.date or datetime.datetime, optional
        Milliseconds since 1970; a date or a datetime without a zone is UTC. Default: the profile's own.
    kind : {"batch", "reference"}, optional
        ``"reference"`` without an alias names each profile after its file. Default: a reference where there
        is an alias, else a batch.

    Yields
    ------
    ProfileSource or SourceError
        An error stands for one thing that cannot be used, and does not keep the others back.

    Raises
    ------
    ValueError
        The arguments contradict each other: nothing was looked at.
    """
    if kind not in {None, "batch", "reference"}:
        raise ValueError(f"A profile is a 'batch' or a 'reference', not {kind!r}.")
    if kind == "batch" and alias is not None:
        raise ValueError("A batch is known by its timestamp: leave out alias, or kind='batch'.")
    moment = None if timestamp is None else to_milliseconds(timestamp)
    return _find(source, _Wanted(alias, moment, kind))


@dataclass(frozen=True)
class _Wanted:
    """What the caller asked for."""

    alias: str | None
    timestamp: int | None
    kind: Kind | None


@dataclass(frozen=True)
class _Found:
    """Bytes that may be a profile, and what they are called."""

    name: str
    stem: str
    data: bytes
    path: Path | None = None


def _find(source: Any, wanted: _Wanted) -> Iterator[ProfileSource | SourceError]:
    if isinstance(source, Mapping):
        for key, inner in source.items():
            named = wanted if wanted.kind == "batch" else replace(wanted, alias=str(key))
            yield from _take(_called(str(key), inner), named)
    else:
        yield from _take(_expand(source), wanted)


def _called(name: str, source: Any) -> Iterator[_Found | SourceError]:
    """Find what has no name of its own, as bytes have none, under the name that a mapping gives it."""
    for found in _expand(source):
        if isinstance(source, (str, Path)):
            yield found
        elif isinstance(found, SourceError):
            yield SourceError(name, found.reason)
        else:
            yield replace(found, name=name, stem=name)


def _take(founds: Iterator[_Found | SourceError], wanted: _Wanted) -> Iterator[ProfileSource | SourceError]:
    if wanted.alias is None:
        for found in founds:
            yield found if isinstance(found, SourceError) else _checked(found, wanted)
        return
    # An alias names one profile: look at all before taking any.
    everything = list(founds)
    profiles = [found for found in everything if isinstance(found, _Found)]
    yield from (found for found in everything if isinstance(found, SourceError))
    if len(profiles) > 1:
        yield SourceError(
            wanted.alias,
            f"One alias cannot name {len(profiles)} profiles ({profiles[0].name}, {profiles[1].name}, …): "
            "add them one by one, or with kind='reference' to name each after its file.",
        )
    else:
        yield from (_checked(found, wanted) for found in profiles)


def _checked(found: _Found, wanted: _Wanted) -> ProfileSource | SourceError:
    """Read a profile as a whole, so that a damaged one is found now and not on a page."""
    try:
        profile = read_profile(found.data)
        counts = [profile.column(name).counts.n for name in profile.column_names]
    except ProfileError as error:
        return SourceError(found.name, str(error))
    kind = wanted.kind or ("batch" if wanted.alias is None else "reference")
    return ProfileSource(
        name=found.name,
        content=found.data if found.path is None else found.path,
        kind=kind,
        alias=(wanted.alias or found.stem) if kind == "reference" else None,
        dataset_timestamp=profile.dataset_timestamp if wanted.timestamp is None else wanted.timestamp,
        segment_tags=tuple((key.removeprefix(_TAG_PREFIX), value) for key, value in profile.segments),
        columns=len(counts),
        rows=max(counts, default=None),
        size=len(found.data),
        sha256=hashlib.sha256(found.data).hexdigest(),
        problem=None if counts else "It has no columns: nothing was logged into it.",
    )


def _expand(source: Any) -> Iterator[_Found | SourceError]:
    """Turn anything into bytes with names."""
    if isinstance(source, (str, Path)):
        yield from _from_path(source)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield from _unpacked(_Found("bytes", "profile", bytes(source)))
    elif any(hasattr(source, method) for method in _OF_WHYLOGS):
        yield from _from_whylogs(source)
    elif hasattr(source, "columns") and hasattr(source, "iloc"):
        yield from _from_data_frame(source)
    elif hasattr(source, "read"):
        yield from _from_file(source)
    elif isinstance(source, Iterable):
        for inner in source:
            yield from _expand(inner)
    else:
        yield SourceError(
            type(source).__name__,
            "This is nothing that holds a profile: give a path, bytes, an open file, "
            "a whylogs result set, profile or view, or a data frame.",
        )


def _from_path(source: str | Path) -> Iterator[_Found | SourceError]:
    text = str(source)
    if text.startswith(("http://", "https://", "s3://", "gs://")):
        yield SourceError(text.partition("?")[0], "Addresses are not fetched: give the downloaded file's path.")
        return
    try:
        path = Path(source).expanduser()
        if isinstance(source, str) and _GLOB_SIGNS.intersection(source) and not path.exists():
            # glob takes absolute patterns, which Path.glob does not.
            paths = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
            if not paths:
                yield SourceError(text, "No file has a name like that.")
        else:
            paths = [path]
    except (OSError, ValueError, RuntimeError) as error:
        yield SourceError(text, f"This is no path that can be opened ({_why(error)}).")
        return
    for each in paths:
        yield from _from_one_path(each)


def _from_one_path(path: Path) -> Iterator[_Found | SourceError]:
    try:
        if path.is_dir():
            files = str(path / "*.bin")
            yield SourceError(str(path), f"This is a directory: give the files in it, like {files!r}.")
            return
        if path.exists() and not path.is_file():
            yield SourceError(str(path), "This is no file but a device or a pipe.")
            return
        data = path.read_bytes()
    except FileNotFoundError:
        yield SourceError(str(path), "There is no such file.")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        yield SourceError(str(path), f"The file cannot be read ({_why(error)}).")
    else:
        yield from _unpacked(_Found(path.name, path.stem, data, path.resolve()))


def _from_file(source: Any) -> Iterator[_Found | SourceError]:
    given = getattr(source, "name", None)
    path = Path(given) if isinstance(given, str) else Path("file")
    try:
        data = source.read()
    except (OSError, ValueError) as error:
        yield SourceError(path.name, f"The file cannot be read ({_why(error)}).")
        return
    if not isinstance(data, (bytes, bytearray, memoryview)):
        yield SourceError(path.name, "The file was opened as text: open it with mode 'rb'.")
        return
    yield from _unpacked(_Found(path.name, path.stem, bytes(data)))


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# --- archives


def _unpacked(found: _Found) -> Iterator[_Found | SourceError]:
    """Take the profiles out of an archive; anything else stays what it is."""
    if found.data.startswith(MAGIC) or not found.data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield found
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(found.data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        yield SourceError(found.name, f"The zip archive is damaged ({_why(error)}).")
        return
    with archive:
        members = [member for member in archive.infolist() if _is_profile(member.filename)]
        if not members:
            yield SourceError(found.name, "The zip archive holds no profile (no .bin file).")
        left = _MOST_EXPANSION * len(found.data) + _EXPANSION_ALLOWED
        for member in members:
            inner = _member(archive, member, found, left)
            yield inner
            if isinstance(inner, _Found):
                left -= len(inner.data)
            elif inner.reason == _BOMB:
                return  # the next member would take as long


def _is_profile(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.lower().endswith(".bin") and not last.startswith(".") and not name.startswith("__MACOSX/")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, found: _Found, left: int) -> _Found | SourceError:
    name = f"{found.name}:{member.filename}"
    # Only these two are unpacked in steps of bounded size.
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return SourceError(name, "It is packed by a rare method: unpack it and add the files.")
    try:
        with archive.open(member) as stream:
            data = stream.read(left + 1)  # the size that the archive claims may be a lie
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        return SourceError(name, f"The zip archive is damaged here ({_why(error)}).")
    except RuntimeError:
        return SourceError(name, "The zip archive is encrypted: unpack it and add the files.")
    if len(data) > left:
        return SourceError(
            name,
            _BOMB,
        )
    return _Found(name, Path(member.filename).stem, data)


# --- whylogs

# What result sets, views, segments' views and profiles have, in this order, and nothing else does.
_OF_WHYLOGS = ("get_writables", "serialize", "profile_view", "track")


def _from_whylogs(source: Any) -> Iterator[_Found | SourceError]:
    """Serialise result sets, profiles and views, by what they can do rather than by their class."""
    name = type(source).__name__
    try:
        for view in _views(source):
            yield _Found(name, name, _serialized(view))
    except Exception as error:  # noqa: BLE001 - whylogs' errors are of any kind; each is this source's alone
        yield SourceError(name, f"whylogs cannot write it ({_why(error)}).")


def _views(source: Any) -> list[Any]:
    if hasattr(source, "get_writables"):  # a result set: one view, or one a segment
        return list(source.get_writables() or ())
    if hasattr(source, "serialize") or hasattr(source, "profile_view"):
        return [source]
    return [source.view()]


def _serialized(view: Any) -> bytes:
    if hasattr(view, "serialize"):
        return bytes(view.serialize())
    # The view of one segment can only be written to a file, which then carries its tags.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # whylogs prefers its writers, which write the same.
        warnings.simplefilter("ignore", DeprecationWarning)
        path = Path(folder) / "segment.bin"
        view.write(str(path))
        return path.read_bytes()


def _from_data_frame(frame: Any) -> Iterator[_Found | SourceError]:
    try:
        core = import_module("whylogs.core")  # optional, and takes seconds to import
    except ImportError:
        yield SourceError(
            "DataFrame",
            "A data frame must be profiled first, and whylogs is not installed here: "
            "pip install 'songbird-widgets[whylogs]', or give a profile.",
        )
        return
    except Exception as error:  # noqa: BLE001 - whylogs 1.6 breaks in many ways beside numpy 2
        yield SourceError(
            "DataFrame",
            f"A data frame must be profiled first, and whylogs does not work here ({_why(error)}).",
        )
        return
    try:
        profile = core.DatasetProfile()
        profile.track(pandas=frame)
    except Exception as error:  # noqa: BLE001 - whatever whylogs finds wrong with the frame
        yield SourceError("DataFrame", f"whylogs cannot profile it ({_why(error)}).")
        return
    yield from _from_whylogs(profile)

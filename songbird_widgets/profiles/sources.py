"""Where profiles come from: paths, globs, archives, bytes, open files, whylogs' objects and data of any kind.

Everything becomes a stream of `ProfileSource` (ready to upload) and `SourceError` (what is wrong with one of
the things given).
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..basics import as_timestamp, reason_of, size_text, time_text
from .archives import file_name, holds_files, is_archive, unpack
from .data_model import Profile, fullest
from .errors import ProfileError
from .merge import addable, join_profiles
from .profiling import make_profile
from .reading import is_profile, read_profile, split_profiles
from .recognition import (
    is_data,
    is_of_whylogs,
    is_path,
    is_row,
    is_row_without_names,
    may_hold_profiles,
    paths_of,
    refusal_of,
    refusal_of_rows,
)
from .tabular.files import advice_on, file_format, find_paths, path_shown

if TYPE_CHECKING:
    import os
    from datetime import date

    from ..basics import Kind


class SourceWarning(UserWarning):
    """Something worth knowing about what was given, which can be used all the same."""


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

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, str]]:
        return type(self), (self.name, self.reason)


def _shown(name: str) -> str:
    """Fit a name into one line of a message, whatever is in it; the end of a path tells files apart."""
    plain = name if name.isprintable() else repr(name)
    return plain if len(plain) <= _MAX_NAME else f"…{plain[-_MAX_NAME:]}"


_MAX_NAME = 200


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
    notes : tuple of str
        What of the data is not in the profile that was made of them, or not as one would expect.
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
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        what = f"reference {self.alias!r}" if self.kind == "reference" else f"batch {time_text(self.dataset_timestamp)}"
        return f"<ProfileSource {self.name!r}: {what}, {self.columns} columns, {size_text(self.size)}>"


def find_sources(
    source: Any,
    *,
    alias: str | None = None,
    timestamp: int | str | date | None = None,
    kind: Kind | None = None,
) -> Iterator[ProfileSource | SourceError]:
    """Find the profiles in whatever a user has.

    Parameters
    ----------
    source : path, glob, bytes, file object, whylogs object, data, or an iterable or mapping of these
        A path may lead to a profile, to an archive of profiles (zip, tar or gzip) or to data (Parquet, CSV, JSON lines,
        Arrow), of which a profile is made; an open file may be any of these, too, by its content and its name.
        Of whylogs: a result set, segmented or not, a profile or a view; one that was logged with a name is a
        reference of that name. Data are
        what `profile` takes: a data frame or a series of any library, a list of dicts, a dict of columns. Any other
        mapping's keys are aliases, as in ``why.log(multiple=…)``.
    alias : str, optional
        Makes the one profile found a reference of that name. Segments of one data set are named behind it:
        ``train (city = Oslo)``.
    timestamp : int, str, datetime.date or datetime.datetime, optional
        Milliseconds since 1970, a date or a datetime, also as ISO 8601 text; UTC without a zone. Default: the profile's
        own.
    kind : {"batch", "reference"}, optional
        ``"reference"`` without an alias names each profile after its file, or its segment. Default: a reference
        where there is an alias, else a batch. A segment is a reference, too, called after what it is of
        (``city = Oslo``): a batch is known by its day alone, and there a segment would be added to its whole.

    Yields
    ------
    ProfileSource or SourceError
        An error stands for one thing that cannot be used, and does not keep the others back.

    Raises
    ------
    ValueError
        The arguments contradict each other: nothing was looked at.

    Warns
    -----
    SourceWarning
        What was given has lost something before it came here; the message says what, and what to do.
    """
    if kind not in {None, "batch", "reference"}:
        raise ValueError(f"A profile is a 'batch' or a 'reference', not {kind!r}.")
    if kind == "batch" and alias is not None:
        raise ValueError("A batch is known by its timestamp: leave out alias, or kind='batch'.")
    moment = None if timestamp is None else as_timestamp(timestamp)
    return _find(source, _Wanted(alias, moment, kind))


def read_as_one(source: Any, name: str, notes: list[str]) -> Profile:
    """Read whatever a user has as one profile: what `find_sources` takes, or several files of data by a glob.

    Parameters
    ----------
    source
    name : str
        What to call it in errors and notes.
    notes : list of str
        Takes what is worth a warning.

    Raises
    ------
    SourceError
        It, or a part of it, holds no profile.
    ProfileError
        It holds none, or such as would count rows twice; or cannot be read or profiled.
    """
    if isinstance(source, Profile):
        return source
    paths, source = paths_of(source)
    if paths and all(map(_leads_to_data, paths)):
        made, said = make_profile(paths)
        notes += [f"{name}: {note}" for note in said]
        return made
    profiles = []
    for found in find_sources(source):
        if isinstance(found, SourceError):
            raise found if paths else SourceError(f"{name} ({found.name})", found.reason)
        notes += [f"{name}: {note}" for note in found.notes]
        content = found.content
        profiles.append(read_profile(content if isinstance(content, bytes) else content.read_bytes()))
    if not profiles:
        raise ProfileError(f"{name} holds no profile.")
    if len(addable([profile.segments for profile in profiles])) < len(profiles):
        raise ProfileError(f"{name} holds a whole and its segments, or overlapping segments: take them one by one.")
    return join_profiles(profiles)


def _leads_to_data(pattern: str | os.PathLike[str]) -> bool:
    """Whether a path or a glob leads to files, and all of them hold data."""
    try:
        return all(_is_table(_head(path), path.name) for path in find_paths(pattern))
    except (ProfileError, OSError):
        return False


@dataclass(frozen=True)
class _Wanted:
    """What the caller asked for."""

    alias: str | None
    timestamp: int | None
    kind: Kind | None


@dataclass(frozen=True)
class _Found:
    """Bytes that may be a profile, and what they are called.

    `alias` is the name that whoever made it gave it, and makes it a reference unless a batch is asked for.
    """

    name: str
    stem: str
    data: bytes
    path: Path | None = None
    alias: str | None = None
    notes: tuple[str, ...] = ()


def _find(source: Any, wanted: _Wanted) -> Iterator[ProfileSource | SourceError]:
    if isinstance(source, Mapping) and not is_data(source) and refusal_of(source) is None:
        for key, inner in source.items():
            named = wanted if wanted.kind == "batch" else replace(wanted, alias=str(key))
            yield from _take(_called(str(key), inner), named)
    else:
        yield from _take(_expand(source), wanted)


def _called(name: str, source: Any) -> Iterator[_Found | SourceError]:
    """Find what is under a key of a mapping; what has no name of its own, as bytes have none, is called by the key."""
    for found in _expand(source):
        if is_path(source):
            yield found
        elif isinstance(found, SourceError):
            yield SourceError(f"{name} ({found.name})", found.reason)
        else:
            yield replace(found, name=name, stem=name)


def _take(founds: Iterator[_Found | SourceError], wanted: _Wanted) -> Iterator[ProfileSource | SourceError]:
    checked = (found if isinstance(found, SourceError) else _checked(found, wanted) for found in founds)
    if wanted.alias is None:
        yield from checked
        return
    # An alias names one profile: look at all before taking any.
    everything = list(checked)
    profiles = [found for found in everything if isinstance(found, ProfileSource)]
    yield from (found for found in everything if isinstance(found, SourceError))
    if len({profile.alias for profile in profiles}) < len(profiles):
        yield SourceError(
            wanted.alias,
            f"One alias cannot name {len(profiles)} profiles ({profiles[0].name}, {profiles[1].name}, …): "
            "add them one by one, or with kind='reference' to name each after its file.",
        )
    else:
        yield from profiles


def _checked(found: _Found, wanted: _Wanted) -> ProfileSource | SourceError:
    """Read a profile as a whole, so that damage is found before the upload and not on a page."""
    try:
        read = read_profile(found.data)
        columns = [read.column(name) for name in read.column_names]
    except ProfileError as error:
        return SourceError(found.name, str(error))
    alias = _alias(found, wanted, read.segment)
    empty = not columns and read.performance is None
    return ProfileSource(
        name=found.name,
        content=found.data if found.path is None else found.path,
        kind="batch" if alias is None else "reference",
        alias=alias,
        dataset_timestamp=read.dataset_timestamp if wanted.timestamp is None else wanted.timestamp,
        segment_tags=read.segments,
        columns=len(columns),
        rows=fullest(columns),
        size=len(found.data),
        sha256=hashlib.sha256(found.data).hexdigest(),
        problem="It has no columns: nothing was logged into it." if empty else None,
        notes=found.notes,
    )


def _alias(found: _Found, wanted: _Wanted, segment: str | None) -> str | None:
    """Name a reference; None for a batch."""
    if wanted.kind == "batch":
        return None
    given = found.alias if wanted.alias is None else wanted.alias
    if segment is not None:
        return f"{given} ({segment})" if given else segment
    return found.stem if given is None and wanted.kind == "reference" else given


def _expand(source: Any, depth: int = 0) -> Iterator[_Found | SourceError]:
    """Turn whatever was given into profiles' bytes with names."""
    if is_path(source):
        yield from _from_path(source)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield from _from_bytes(bytes(source), Path("bytes"), "profile")
    elif isinstance(source, Profile):
        yield from _from_profile(source)
    elif is_of_whylogs(source):
        yield from _from_whylogs(source)
    elif refusal := refusal_of(source):
        yield SourceError(type(source).__name__, refusal)
    elif is_data(source):
        yield from _from_data(source)
    elif hasattr(source, "read"):
        yield from _from_file(source)
    elif isinstance(source, Iterable) and depth < _MAX_DEPTH:
        yield from _from_iterable(source, depth)
    else:
        yield SourceError(type(source).__name__, _NOTHING)


_MAX_DEPTH = 20  # of lists in lists; one that holds itself has no end
_NOTHING = (
    "This is nothing that holds a profile: give a path, bytes, an open file, a whylogs result set, profile or view, "
    "or a data frame."
)
_MAX_USELESS = 10_000  # things of a collection

_NAMELESS = "These are rows without names of columns: give dicts, or a data frame."


def _from_iterable(source: Iterable[Any], depth: int) -> Iterator[_Found | SourceError]:
    """Take what gives rows of one table as that table; of anything else, each thing by itself."""
    first = [] if isinstance(source, Mapping) else list(islice(source, 1))
    if first and (refusal := refusal_of_rows(first[0])):
        yield SourceError(type(source).__name__, refusal)
        return
    if not isinstance(source, Iterator):
        yield from _from_each(source, depth)
        return
    whole = chain(first, source)
    if first and isinstance(first[0], Mapping) and is_row(first[0]):
        yield from _from_data(whole, type(source).__name__)
    else:
        yield from _from_each(whole, depth)


def _from_each(sources: Iterable[Any], depth: int) -> Iterator[_Found | SourceError]:
    """Look at each thing of a collection; what is of no use in it is refused once, and of much the rest is not read."""
    useless: list[Any] = []
    for key, inner in sources.items() if isinstance(sources, Mapping) else ((None, inner) for inner in sources):
        if key is not None:
            for found in _called(str(key), inner):
                yield found if isinstance(found, SourceError) else replace(found, alias=str(key))
        elif may_hold_profiles(inner) and not is_row_without_names(inner):
            yield from _expand(inner, depth + 1)
        elif len(useless) < _MAX_USELESS:
            useless.append(inner)
        else:
            break  # it may never end
    if useless:
        first = type(useless[0]).__name__
        more = " or more" if len(useless) == _MAX_USELESS else ""
        yield SourceError(
            first if len(useless) == 1 else f"{len(useless)}{more} things, the first a {first}",
            _NAMELESS if is_row_without_names(useless[0]) else _NOTHING,
        )


def _from_path(source: str | os.PathLike[str]) -> Iterator[_Found | SourceError]:
    try:
        paths = find_paths(source)
    except ProfileError as error:
        yield SourceError(path_shown(source), error.reason)
        return
    for each in paths:
        yield from _from_one_path(each)


def _from_one_path(path: Path) -> Iterator[_Found | SourceError]:
    try:
        head = _head(path)
        if _is_table(head, path.name):
            yield from _from_table(path)
            return
        if not is_profile(head) and (advice := advice_on(head, path.name)):
            yield SourceError(str(path), advice)
            return
        data = _read(path)
    except (OSError, ValueError) as error:
        yield SourceError(str(path), f"The file cannot be read ({_why(error)}).")
    else:
        yield from _unpacked(_Found(path.name, path.stem, data, path.resolve()))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _read(path: Path) -> bytes:
    """Read a file; of one that is no profile and no archive, only the beginning, which says what it is."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        return head + file.read() if is_profile(head) or is_archive(head) else head


_HEAD = 1 << 16


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
    yield from _from_bytes(bytes(data), path, path.stem)


def _from_bytes(data: bytes, path: Path, stem: str) -> Iterator[_Found | SourceError]:
    if not _is_table(data[:_HEAD], path.name):
        advice = None if is_profile(data[:_HEAD]) else advice_on(data[:_HEAD], path.name)
        found = _Found(path.name, stem, data)
        yield from [SourceError(path.name, advice)] if advice else _unpacked(found)
        return
    with tempfile.TemporaryDirectory() as folder:
        # Under its own name, which errors tell, as far as it may be a file's.
        file = Path(folder) / file_name(path.name)
        file.write_bytes(data)
        yield from _from_table(file)


def _why(error: Exception) -> str:
    return reason_of(error) or type(error).__name__


# --- archives


def _unpacked(found: _Found) -> Iterator[_Found | SourceError]:
    """Take profiles and data out of an archive, or profiles out of a file of several; the rest stays what it is."""
    if not is_archive(found.data):
        yield from _split(found)
        return
    for member in unpack(found.data):
        name = f"{found.name}:{member.name}" if member.name else found.name
        if member.problem is not None:
            yield SourceError(name, member.problem)
        else:
            inner = Path(member.name.replace("\\", "/") if member.name else found.stem)
            if _is_table(member.data[:_HEAD], inner.name):
                for made in _from_bytes(member.data, inner, inner.stem):
                    yield SourceError(name, made.reason) if isinstance(made, SourceError) else replace(made, name=name)
            else:
                yield from _split(_Found(name, inner.stem, member.data))


def _split(found: _Found) -> Iterator[_Found | SourceError]:
    try:
        parts = split_profiles(found.data)
    except ProfileError as error:
        yield SourceError(found.name, str(error))
        return
    if len(parts) == 1:
        yield found
        return
    for number, part in enumerate(parts, 1):
        yield replace(found, name=f"{found.name}#{number}", stem=f"{found.stem}-{number}", data=part, path=None)


# --- whylogs


def _from_whylogs(source: Any) -> Iterator[_Found | SourceError]:
    """Write result sets, profiles and views as whylogs writes them."""
    name = type(source).__name__
    try:
        views = _views(source)
        if not views:
            yield SourceError(name, "It holds no profile: nothing was logged into it.")
        if len(views) == 1 and _is_merged(source, views[0]):
            warnings.warn(_MERGED, SourceWarning, stacklevel=2)
        for view in views:
            alias = (getattr(view, "metadata", None) or {}).get("name") or None
            yield _Found(alias or name, alias or name, _serialized(view), alias=alias)
    except Exception as error:  # whatever whylogs raises is a problem of this source alone
        yield SourceError(name, f"whylogs cannot write it ({_why(error)}).")


_MERGED = (
    "This result set was merged from several, as why.log(multiple=…) does, and is taken as the one profile that it is. "
    "To keep them apart, log each by itself and add them by name: session.add({'a': why.log(a), 'b': why.log(b)})."
)


def _is_merged(source: Any, view: Any) -> bool:
    """Whether a result set holds what was logged in this process, and no longer the profile that it was logged into."""
    if type(source).__name__ != "ViewResultSet":
        return False
    return any(getattr(column, "_success_count", 0) for column in view.get_columns().values())


def _views(source: Any) -> list[Any]:
    if hasattr(source, "get_writables"):  # a result set: one view, or one a segment
        views = list(source.get_writables() or ())
        # whylogs leaves out all partitions but the first.
        for partition in (getattr(source, "partitions", None) or ())[1:]:
            for segment, made in (source.segments_in_partition(partition) or {}).items():
                view = made.view() if hasattr(made, "track") else made
                views.append(type(views[0])(profile_view=view, segment=segment, partition=partition))
        return views
    return [source.view()] if hasattr(source, "track") and hasattr(source, "view") else [source]


def _serialized(view: Any) -> bytes:
    if hasattr(view, "serialize_delimited"):  # whylogs 0
        return bytes(view.serialize_delimited())
    # `serialize` leaves out performance metrics, and the view of one segment can only be written to a file.
    if hasattr(view, "serialize") and not getattr(view, "model_performance_metrics", None):
        return bytes(view.serialize())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # whylogs prefers its writers, which write the same.
        warnings.simplefilter("ignore", DeprecationWarning)
        path = Path(folder) / "profile.bin"
        view.write(str(path))
        return path.read_bytes()


# --- data


def _from_profile(made: Profile) -> Iterator[_Found | SourceError]:
    try:
        yield _Found("Profile", "profile", made.to_bytes())
    except ProfileError as error:  # a merged one, of which a part is damaged
        yield SourceError("Profile", str(error))


def _is_table(head: bytes, name: str) -> bool:
    """Whether a file holds data: Parquet and Arrow by how they begin, CSV and JSON lines by their names."""
    if not head or is_profile(head) or holds_files(head, name):
        return False
    return file_format(head, name) is not None


def _from_table(path: Path) -> Iterator[_Found | SourceError]:
    try:
        made, notes = make_profile(path)
    except ProfileError as error:
        yield SourceError(path.name, str(error).removeprefix(f"{path.name}: "))
    else:
        stem = path.name.partition(".")[0] or path.name
        yield _Found(path.name, stem, made.to_bytes(), notes=tuple(notes))


def _from_data(data: Any, name: str | None = None) -> Iterator[_Found | SourceError]:
    name = name or type(data).__name__
    try:
        made, notes = make_profile(data)
    except ProfileError as error:
        yield SourceError(name, str(error))
    else:
        yield _Found(name, name, made.to_bytes(), notes=tuple(notes))

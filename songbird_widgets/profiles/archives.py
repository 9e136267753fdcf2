"""Archives of profiles and data: zip, tar and gzip. Members are told by their content; what is unpacked is bounded.

A member is taken if it begins as a profile, Parquet or Arrow file does, whatever its name, or if it is called ``.bin``,
so that a damaged one is heard of, or as files of CSV or JSON lines are. Nothing else is unpacked.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from ..basics import reason_of
from .errors import ProfileError
from .reading import is_profile
from .tabular.files import advice_on, file_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_MEMBERS = 10_000
"""Members of an archive that are looked at."""

MAX_UNPACKED = 1 << 30
"""Bytes that the profiles of one archive may have together."""

# Profiles shrink three to twenty times in an archive; one that unpacks to more than this is meant to fill the memory.
_MAX_RATIO = 30
_RATIO_ALLOWANCE = 8 << 20
_HEAD = 1 << 14  # bytes of a member that tell whether it is a profile
_ZIP_ENTRY, _ZIP_END, _ZIP_END_SIZE = b"PK\x01\x02", b"PK\x05\x06", 22
_ZIP, _GZIP = (b"PK\x03\x04", _ZIP_END), b"\x1f\x8b"
_GZIP_STEP = 1 << 20  # bytes that are unpacked at once
_TAR_AT, _TAR = 257, b"ustar"
_ZIP_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # only these are unpacked in bounded steps
# All that the standard library raises for damaged archives.
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError),
    *(OSError, ValueError, OverflowError, RecursionError, struct.error),
)
_PACKED = (".zip", ".gz", ".tgz", ".tar", ".7z", ".xz", ".bz2", ".zst")


class Member(NamedTuple):
    """A profile or data of an archive, or why there is none; the name is the member's, empty for the archive itself."""

    name: str
    data: bytes
    problem: str | None = None


class _TooMuchError(Exception):
    """The archive unpacks to more than one of profiles of its size would."""


class _Budget:
    """How much of an archive may still be unpacked."""

    def __init__(self, size: int) -> None:
        self.left = min(MAX_UNPACKED, _MAX_RATIO * size + _RATIO_ALLOWANCE)

    def read(self, stream: IO[bytes], limit: int | None = None) -> bytes:
        """Read a stream to its end, or `limit` bytes of it."""
        # The size that an archive claims may be a lie.
        data = stream.read(self.left + 1 if limit is None else min(limit, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise _TooMuchError
        return data


def is_archive(data: bytes) -> bool:
    """Whether bytes begin as a zip, tar or gzip file does; some hundred of them are enough."""
    return data.startswith((*_ZIP, _GZIP)) or _is_tar(data)


def _is_tar(data: bytes) -> bool:
    """Whether bytes begin as a tar file does: with its mark, or as of before 1988 with a checksum alone."""
    if data[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return True
    try:
        return bool(tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape").name)
    except (tarfile.TarError, ValueError):
        return False


def holds_files(head: bytes, name: str) -> bool:
    """Whether a file is an archive to be unpacked, and no file of data that is packed or of a kind that holds a zip.

    Parameters
    ----------
    head : bytes
        Its first bytes, some hundred of them.
    name : str
    """
    if not is_archive(head) or advice_on(head, name) is not None:
        return False
    return not head.startswith(_GZIP) or file_format(head, name) is None


@contextmanager
def unpacked_files(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Put what archives among some files hold into a temporary directory, which goes at the end.

    Yields
    ------
    list of pathlib.Path
        The files; instead of an archive those in it.

    Raises
    ------
    ProfileError
        A file cannot be read, or an archive, or one of the files in it that hold profiles or data, not be unpacked.
    """
    found: list[Path] = []
    with TemporaryDirectory() as folder:
        for path in paths:
            try:
                with path.open("rb") as file:
                    head = file.read(_HEAD)
                    if not holds_files(head, path.name):
                        found.append(path)
                        continue
                    content = head + file.read()
            except OSError as error:
                raise ProfileError(f"{path.name}: The file cannot be read ({reason_of(error)}).") from error
            for member in unpack(content):
                if member.problem is not None:
                    raise ProfileError(f"{path.name}{':' * bool(member.name)}{member.name}: {member.problem}")
                name = PurePosixPath(member.name.replace("\\", "/") or path.stem)
                # Names of directories may be those of columns and their values, as city=Oslo.
                inner = Path(folder, str(len(found)), *(file_name(part) for part in name.parent.parts if "=" in part))
                inner.mkdir(parents=True)
                found.append(inner / file_name(name.name))
                found[-1].write_bytes(member.data)
        yield found


def file_name(name: str) -> str:
    """Return what a file may be called everywhere that is to be told by a name."""
    return re.sub(r"[\x00-\x1f/\\:]", "_", name)[-100:].lstrip(".") or "data"


def unpack(data: bytes) -> Iterator[Member]:
    """Take profiles and data out of an archive, one after the other.

    Parameters
    ----------
    data : bytes
        For which `is_archive` is true.

    Yields
    ------
    Member
        A profile, a file of data, or what is wrong with a member or the archive.
    """
    budget = _Budget(len(data))
    any_member = False
    try:
        for member in _members(data, budget):
            any_member = True
            yield member
    except _TooMuchError:
        yield Member(
            "",
            b"",
            f"The archive unpacks to more than {min(MAX_UNPACKED, _MAX_RATIO * len(data) + _RATIO_ALLOWANCE) >> 20} "
            "MiB, which no archive of profiles of its size does: unpack it and add the files.",
        )
        return
    if not any_member:
        yield Member(
            "", b"", "The archive holds no profile and no data: nothing in it begins or is called as they are."
        )


def _members(data: bytes, budget: _Budget) -> Iterator[Member]:
    if data.startswith(_ZIP):
        return _zip_members(data, budget)
    if data.startswith(_GZIP):
        return _gzip_members(data, budget)
    return _tar_members(data, budget)


def _is_wanted(name: str) -> bool:
    """Whether a member may be a profile by its name: macOS and others put files of their own into archives."""
    path = PurePosixPath(name.replace("\\", "/"))
    return "__MACOSX" not in path.parts and not path.name.startswith(".")


def _looked_at(name: str, open_member: Callable[[], IO[bytes] | None], budget: _Budget) -> Iterator[Member]:
    """Yield a member that is a profile or data, or should be one; of any other only the beginning is read."""
    called_profile = name.lower().endswith(".bin")
    if name.lower().endswith(_PACKED):
        yield Member(name, b"", "This is an archive in the archive: unpack it and add the files.")
        return
    try:
        with open_member() or io.BytesIO() as stream:
            head = budget.read(stream, _HEAD)
            if called_profile or is_profile(head) or _is_data(head, name):
                yield Member(name, head + budget.read(stream))
            else:
                budget.left += len(head)
    except _DAMAGE as error:
        # Damage is told only of what may be a profile by its name: called .bin, or without a suffix.
        if called_profile or not PurePosixPath(name).suffix:
            yield Member(name, b"", f"The archive is damaged here ({error}).")


def _is_data(head: bytes, name: str) -> bool:
    """Whether a member is data; files called ``.json`` mostly describe other members."""
    return not name.lower().endswith(".json") and file_format(head, name) is not None


def _zip_members(data: bytes, budget: _Budget) -> Iterator[Member]:
    # Counted first: reading the listing takes some hundred bytes of memory for each member.
    if data.count(_ZIP_ENTRY) > MAX_MEMBERS:
        yield _too_many()
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGE as error:
        yield Member("", b"", f"The zip archive is damaged ({error}).")
        return
    with archive:
        entries = archive.infolist()
        ahead = min((entry.header_offset for entry in entries), default=0)
        end = data.rfind(_ZIP_END) + _ZIP_END_SIZE
        if ahead or data[end + len(archive.comment) :].strip(b"\0"):
            place = "Ahead of" if ahead else "Behind"
            yield Member("", b"", f"{place} the zip archive there is more, which was not read: unpack it.")
        for entry in entries:
            if entry.is_dir() or not _is_wanted(entry.filename):
                continue
            if entry.flag_bits & 1:
                problem = "The zip archive is encrypted: unpack it and add the files."
            elif entry.compress_type not in _ZIP_METHODS:
                problem = "It is packed by a rare method: unpack it and add the files."
            else:
                yield from _looked_at(entry.filename, partial(archive.open, entry), budget)
                continue
            if PurePosixPath(entry.filename).suffix.lower() in {"", ".bin"}:
                yield Member(entry.filename, b"", problem)


def _tar_members(data: bytes, budget: _Budget) -> Iterator[Member]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for count, entry in enumerate(archive):
                if count >= MAX_MEMBERS:
                    yield _too_many()
                    return
                if entry.isreg() and not entry.issparse() and _is_wanted(entry.name):
                    yield from _looked_at(entry.name, partial(archive.extractfile, entry), budget)
            behind = data[archive.offset :]
            if not behind:  # not even the empty blocks that end it: it may have been cut between two members
                yield Member("", b"", "The tar archive is truncated: its end is missing, and perhaps some members.")
            elif behind.strip(b"\0"):
                yield Member("", b"", "Behind the end of the tar archive there is more, which was not read: unpack it.")
    except _DAMAGE as error:
        yield Member("", b"", f"The tar archive is damaged ({error}).")


def _gzip_members(data: bytes, budget: _Budget) -> Iterator[Member]:
    try:
        with gzip.open(io.BytesIO(data)) as stream:  # which may be of several members, one behind the other
            content = b"".join(iter(partial(budget.read, cast("IO[bytes]", stream), _GZIP_STEP), b""))
    except EOFError:
        yield Member("", b"", "The gzip file is truncated.")
        return
    except _DAMAGE as error:
        yield Member("", b"", f"The gzip file is damaged ({error}).")
        return
    if content.startswith((*_ZIP, _GZIP)):
        yield Member("", b"", "This is an archive in an archive: unpack it and add the files.")
    elif is_archive(content):
        yield from _tar_members(content, budget)
    else:
        yield Member("", content)


def _too_many() -> Member:
    return Member("", b"", f"The archive has more than {MAX_MEMBERS:,} members: unpack it and add the files.")

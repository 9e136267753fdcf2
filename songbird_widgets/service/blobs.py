"""Profile bytes in a directory, each under the SHA-256 of its content.

A blob is written to a temporary file, synced, renamed, and its directory synced, before anyone is told about
it: a kill at any moment leaves either the whole blob or none. Equal profiles share one blob, and a blob never
changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import secrets
import shutil
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from .errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Self

PART_BYTES = 1 << 18

_DISK_SECONDS = 0.25  # each look at the disk is a call of the system on the service's loop

_KEY = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{2}")


class Incoming(Protocol):
    """A blob on its way: `write` its pieces, then `keep` it or `discard` it; leaving the context discards it."""

    size: int
    key: str  # once it is kept

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def write(self, data: bytes | bytearray) -> None:
        """Add the next piece."""

    def keep(self) -> str:
        """Make the blob permanent and return its key."""

    def discard(self) -> None:
        """Forget the blob, unless it was kept."""


class BlobStore(Protocol):
    """Where the service keeps bytes: a directory (`Blobs`), or an object store (`object_store.ObjectStore`)."""

    def read(self, key: str) -> bytes:
        """Return the bytes of a blob; FileNotFoundError when there is none."""

    def size(self, key: str) -> int:
        """Return the size of a blob in bytes; raises like `read`."""

    def written(self, key: str) -> float:
        """Return when a blob was written last, in seconds since 1970; raises like `read`."""

    def parts(self, key: str) -> Iterator[bytes]:
        """Return the bytes of a blob, some at a time; raises like `read`."""

    def prefixes(self) -> list[str]:
        """Return what the keys of blobs begin with, by which they lie together."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of blobs that begin with one of `prefixes`."""

    def remove(self, key: str, needed: Callable[[], bool]) -> bool:
        """Remove a blob that is not on its way into the database, unless it is needed; tell whether it is gone."""

    def write(self, data: bytes) -> str:
        """Keep bytes for good and return their key."""

    def incoming(self) -> Incoming:
        """Return a blob that arrives piece by piece."""

    def disk(self) -> tuple[int, int] | None:
        """Return the bytes that its disk has free and in all; None where there is none to fill."""

    def check(self) -> None:
        """Raise `errors.Unavailable` when it cannot be used."""


def check_key(key: str) -> None:
    """Refuse what is no blob's key.

    Raises
    ------
    ValueError
    """
    if not _KEY.fullmatch(key):
        raise ValueError("A blob's key is 64 hexadecimal digits.")


class Blobs:
    """A directory of blobs.

    Parameters
    ----------
    directory : Path
        Made if it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made once: each takes as long to make as a file.
        self._directories = {f"{number:02x}": directory / f"{number:02x}" for number in range(256)}
        #: Held while a blob is kept or removed; and the blobs kept of which the database does not know yet.
        self.lock = threading.Lock()
        self.unconfirmed: Counter[str] = Counter()
        self._disk: tuple[float, tuple[int, int] | None] = (-_DISK_SECONDS, None)

    def sweep(self, older_than: float = 0) -> None:
        """Remove what a killed process left half-written.

        Parameters
        ----------
        older_than : float, optional
            In seconds; 0, which is right at the start of the only writer, for all.
        """
        for leftover in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime >= older_than:
                    leftover.unlink()

    def disk(self) -> tuple[int, int] | None:
        """The bytes that its disk has free for this user, and in all, as of just now; None when nobody can tell."""
        looked, known = self._disk
        now = time.monotonic()
        if now - looked >= _DISK_SECONDS:
            try:
                found = shutil.disk_usage(self._incoming)
                known = found.free, found.total
            except OSError:  # whoever writes there says what is wrong
                known = None
            self._disk = now, known
        return known

    def check(self) -> None:
        """Raise `Unavailable` when the directory is gone or cannot be written to."""
        if not os.access(self._incoming, os.W_OK):
            raise Unavailable("The service's directory of profiles cannot be written to.")

    def path(self, key: str) -> Path:
        """Where the blob of a key lies, whether or not it exists.

        Raises
        ------
        ValueError
            When `key` is no blob's key.
        """
        check_key(key)
        return self._directories[key[:2]] / key

    def read(self, key: str) -> bytes:
        """The bytes of a blob.

        Raises
        ------
        FileNotFoundError
            When it was never written, or someone removed it.
        """
        return self.path(key).read_bytes()

    def prefixes(self) -> list[str]:
        """What the keys of the blobs that are here begin with, by which they lie together."""
        return sorted(path.name for path in self._directory.iterdir() if _PREFIX.fullmatch(path.name))

    def keys(self, prefix: str) -> list[str]:
        """The keys of the blobs that begin with one of `prefixes`."""
        with contextlib.suppress(FileNotFoundError):
            return [path.name for path in (self._directory / prefix).iterdir() if _KEY.fullmatch(path.name)]
        return []

    def remove(self, key: str, needed: Callable[[], bool]) -> bool:
        """Remove a blob that is not on its way into the database, unless it is needed.

        Parameters
        ----------
        needed : callable
            Asked when no blob of this key can be kept meanwhile.

        Returns
        -------
        bool
            Whether it is gone.
        """
        with self.lock:
            if self.unconfirmed[key] or needed():
                return False
            self.path(key).unlink(missing_ok=True)
            return True

    def size(self, key: str) -> int:
        """The size of a blob in bytes; raises like `read`."""
        return self.path(key).stat().st_size

    def written(self, key: str) -> float:
        """When a blob was written last, in seconds since 1970; raises like `read`."""
        return self.path(key).stat().st_mtime

    def parts(self, key: str) -> Iterator[bytes]:
        """The bytes of a blob, some at a time; raises like `read`.

        No file stays open between them: a reader may take long.
        """
        path = self.path(key)
        place = 0
        while True:
            with path.open("rb") as file:
                file.seek(place)
                part = file.read(PART_BYTES)
            if not part:
                return
            place += len(part)
            yield part

    def write(self, data: bytes) -> str:
        """Keep `data` for good.

        Returns
        -------
        str
            Its key, the SHA-256 of its content in hexadecimal.
        """
        with self.incoming() as blob:
            blob.write(data)
            return blob.keep()

    def incoming(self) -> IncomingBlob:
        """A blob that arrives piece by piece."""
        return IncomingBlob(self, self._incoming)


_NUMBERS = itertools.count()
_PROCESS = secrets.token_hex(8)  # containers that share a directory have the same process ids


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class IncomingBlob:
    """A blob on its way: `write` its pieces, then `keep` it or `discard` it.

    Leaving the context discards what was not kept; a blob that was kept is not swept before that.
    """

    def __init__(self, blobs: Blobs, directory: Path) -> None:
        self._path = directory / f"{_PROCESS}-{next(_NUMBERS)}"
        self._blobs = blobs
        self._file: int | None = None
        self._begun = False
        self._hash = hashlib.sha256()
        self.key = ""
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.key:
            self.discard()
            return
        with self._blobs.lock:
            self._blobs.unconfirmed[self.key] -= 1
            if not self._blobs.unconfirmed[self.key]:
                del self._blobs.unconfirmed[self.key]

    def write(self, data: bytes | bytearray) -> None:
        """Add the next piece."""
        file, rest = self._opened(), memoryview(data)
        while rest:  # less may be taken at once
            rest = rest[os.write(file, rest) :]
        self._hash.update(data)
        self.size += len(data)

    def keep(self) -> str:
        """Make the blob permanent and return its key."""
        os.fsync(self._opened())
        self._close()
        key = self._hash.hexdigest()
        target = self._blobs.path(key)
        with self._blobs.lock:
            try:
                self._path.replace(target)
            except FileNotFoundError:  # the first of its prefix
                target.parent.mkdir(mode=0o700, exist_ok=True)
                _sync_directory(target.parent.parent)
                self._path.replace(target)
            self._blobs.unconfirmed[key] += 1
            self.key = key
        _sync_directory(target.parent)
        return key

    def discard(self) -> None:
        """Forget the blob, unless it was kept."""
        self._close()
        if self._begun and not self.key:
            self._path.unlink(missing_ok=True)

    def _opened(self) -> int:
        # Each call of the system lets other threads run first, so there are no more of them than must be.
        if self._file is None:
            self._file = os.open(self._path, _NEW_FILE, 0o600)
            self._begun = True
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def _sync_directory(path: Path) -> None:
    """Make a rename in `path` outlast a power cut. Windows has no such call, and its rename is journalled."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

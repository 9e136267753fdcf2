"""Profile bytes in an object store: S3 and what speaks like it, Google Cloud Storage, Azure.

Blobs lie under ``blobs/``, each under the SHA-256 of its content as in a directory (`blobs.Blobs`). What clients put
straight into the store lies under ``incoming/`` until it is taken over (`direct_uploads`). Credentials come from where
the store's own tools take them: environment variables, files, the machine's or the pod's role.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..local.identity import LocalServiceError
from .blobs import PART_BYTES, check_key
from .errors import Unavailable
from .failures import is_new
from .handler import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

SCHEMES = ("s3://", "gs://", "az://", "azure://", "abfs://", "abfss://")

YOUNG_SECONDS = 3600.0
"""Blobs of this age are not removed, whoever needs them."""

_MEMORY = 8 << 20
_QUERY = re.compile(r"\?[^\s\"')]*")
_OPTIONS: dict[str, Any] = {
    "client_options": {"allow_http": True, "timeout": "60s", "connect_timeout": "5s"},
    # The clients of the service try again, too, and wait no longer than that.
    "retry_config": {"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
}


@dataclass(frozen=True)
class StoredUpload:
    """An object that a client put: for which slot, in which scope, and when, how large and which."""

    scope: str
    profile_id: str
    size: int
    etag: str
    modified: datetime


class ObjectStore:
    """Blobs in an object store.

    Parameters
    ----------
    address : str
        ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.
    endpoint : str, optional
        URL of an S3-compatible server other than Amazon's. Clients must reach it, too.

    Raises
    ------
    LocalServiceError
        When the address is wrong, or what it needs is not installed.
    """

    def __init__(self, address: str, endpoint: str | None = None) -> None:
        try:
            import obstore
            from obstore.store import from_url
        except ModuleNotFoundError:
            raise LocalServiceError(
                "An object store needs obstore, which is not installed here: pip install obstore."
            ) from None
        self._obstore = obstore
        self._errors = obstore.exceptions
        self.shown = address
        config = {} if endpoint is None else {"endpoint": endpoint}
        try:
            self._store: Any = from_url(address, config=config, **_OPTIONS)
        except (ValueError, self._errors.BaseError) as error:
            raise LocalServiceError(f"{address} is no address of an object store: {_reason(error)}.") from None
        # Azure takes a PUT only with a header of its own, which clients of presigned URLs do not send.
        self.takes_uploads = not address.startswith(("az", "abfs"))

    def check(self) -> None:
        """Ask the store something.

        Raises
        ------
        Unavailable
            When it does not answer, or refuses.
        """
        with self._asking("list"):
            next(iter(self._obstore.list(self._store, "incoming/", chunk_size=1)), None)

    def disk(self) -> tuple[int, int] | None:
        """Return None: a store grows."""
        return None

    # Blobs

    def read(self, key: str) -> bytes:
        """Return the bytes of a blob.

        Raises
        ------
        FileNotFoundError
            When it was never written, or someone removed it.
        Unavailable
            When the store does not answer.
        """
        return self._get(_blob(key))

    def size(self, key: str) -> int:
        """Return the size of a blob in bytes; raises like `read`."""
        with self._asking("look"):
            return int(self._obstore.head(self._store, _blob(key))["size"])

    def parts(self, key: str) -> Iterator[bytes]:
        """Return the bytes of a blob, some at a time; raises like `read`. No connection waits between them."""
        size = self.size(key)
        for start in range(0, size, PART_BYTES):
            with self._asking("read"):
                end = min(start + PART_BYTES, size)
                part = bytes(self._obstore.get_range(self._store, _blob(key), start=start, end=end))
            yield part

    def prefixes(self) -> list[str]:
        """Return what the keys of blobs begin with, by which they lie together."""
        with self._asking("list"):
            found = self._obstore.list_with_delimiter(self._store, "blobs/")["common_prefixes"]
            return sorted(place.rpartition("/")[2] for place in found)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of blobs that begin with one of `prefixes`, except young ones."""
        with self._asking("list"):
            chunks = self._obstore.list(self._store, f"blobs/{prefix}/")
            found = [one for chunk in chunks for one in chunk if not _is_young(one)]
            return [one["path"].rpartition("/")[2] for one in found]

    def remove(self, key: str, needed: Callable[[], bool]) -> bool:
        """Remove a blob unless it is needed, or so young that it may be on its way into the database.

        Who keeps one looks once more after that (`has`): it may have been old until then.
        """
        with contextlib.suppress(FileNotFoundError), self._asking("delete"):
            if needed() or _is_young(self._obstore.head(self._store, _blob(key))):
                return False
            self._obstore.delete(self._store, _blob(key))
        return True

    def written(self, key: str) -> float:
        """Return when a blob was written last, in seconds since 1970; raises like `read`."""
        with self._asking("read"):
            return float(self._obstore.head(self._store, _blob(key))["last_modified"].timestamp())

    def has(self, key: str) -> bool:
        """Tell whether a blob is there."""
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def write(self, data: bytes) -> str:
        """Keep `data` for good and return its key, the SHA-256 of its content in hexadecimal."""
        key = hashlib.sha256(data).hexdigest()
        self.put(key, data)
        return key

    def put(self, key: str, data: Any) -> None:
        """Keep bytes, or a file of them, under their key."""
        with self._asking("write"):
            self._obstore.put(self._store, _blob(key), data)

    def incoming(self) -> IncomingObject:
        """Return a blob that arrives piece by piece."""
        return IncomingObject(self)

    # What clients put

    def upload_url(self, scope: str, profile_id: str, seconds: int) -> str:
        """Return a presigned URL that takes the bytes of a profile."""
        with self._asking("sign"):
            place = f"incoming/{scope}/{profile_id}"
            return str(self._obstore.sign(self._store, "PUT", place, expires_in=timedelta(seconds=seconds)))

    def list_incoming(self, scope: str = "") -> Iterator[StoredUpload]:
        """Yield what clients put and was not removed yet, in one scope or in all."""
        with self._asking("list"):
            for chunk in self._obstore.list(self._store, f"incoming/{scope}/" if scope else "incoming/"):
                for found in chunk:
                    parts = found["path"].split("/")
                    if len(parts) == 3:
                        etag = found["e_tag"] or f"{found['last_modified'].isoformat()} {found['size']}"
                        yield StoredUpload(parts[1], parts[2], found["size"], etag, found["last_modified"])

    def read_incoming(self, one: StoredUpload) -> bytes:
        """Return what a client put; FileNotFoundError when it is gone already, or another is in its place."""
        return self._get(f"incoming/{one.scope}/{one.profile_id}", one.size)

    def remove_incoming(self, one: StoredUpload) -> None:
        """Remove what a client put."""
        with self._asking("delete"), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, f"incoming/{one.scope}/{one.profile_id}")

    def _get(self, path: str, size: int | None = None) -> bytes:
        with self._asking("read"):
            found = self._obstore.get(self._store, path)
            if size is not None and found.meta["size"] != size:  # it may be larger than any that is read
                raise FileNotFoundError
            return bytes(found.bytes())

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (self._errors.NotFoundError, FileNotFoundError):
            raise FileNotFoundError(f"The store has no such object ({what}).") from None
        except self._errors.BaseError as error:
            if is_new(f"the store did not {what}"):
                logger.warning("the object store did not %s: %s", what, _reason(error))
            raise Unavailable("The service's object store does not answer. Try again in a moment.") from None


class IncomingObject:
    """A blob on its way through the service, as `blobs.IncomingBlob` is one."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed by `discard`
        self._hash = hashlib.sha256()
        self.key = ""
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, data: bytes | bytearray) -> None:
        """Add the next piece."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def keep(self) -> str:
        """Make the blob permanent and return its key."""
        key = self._hash.hexdigest()
        self._file.seek(0)
        self._store.put(key, self._file)
        self.key = key
        return key

    def discard(self) -> None:
        """Forget what was not kept."""
        self._file.close()


def _is_young(found: Any) -> bool:
    return bool((datetime.now(timezone.utc) - found["last_modified"]).total_seconds() < YOUNG_SECONDS)


def _blob(key: str) -> str:
    check_key(key)
    return f"blobs/{key[:2]}/{key}"


def _reason(error: Exception) -> str:
    """Return the first line of what is wrong, without queries of URLs: they may be signed."""
    return _QUERY.sub("", (str(error).strip().splitlines() or [type(error).__name__])[0])[:500].rstrip(".")

"""Uploads that clients put straight into an object store, and how the service learns of them.

A slot names an object below ``incoming/``, in a folder of its dataset. No store tells the service what arrived, so it
looks: when someone lists or shows a dataset that has young slots, in that dataset's folder, and every few seconds in
all of them. What is found is read, kept under its hash and confirmed, in that order; so it appears once and whole, and
one that two replicas find is the same for both. An object stays until its URL has expired and nobody can change it:
one that was put again with other bytes is taken again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .errors import ResourceGone, ResourceNotFound, Unavailable
from .handler import logger
from .rows import UploadRow
from .upload_urls import LIFETIME, MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .metadata import Metadata
    from .object_store import ObjectStore, StoredUpload
    from .rows import Arrival

SWEEP_SECONDS = 5.0
"""How often the service looks into all folders."""

EXPIRED_SECONDS = LIFETIME + 15 * 60
"""An object of this age can be put no more, however wrong the clocks."""

_AT_ONCE = 8
_GROUP = 500


class DirectUploads:
    """Makes presigned URLs and takes over what was put to them.

    Parameters
    ----------
    metadata, store
        Where slots are known and bytes are kept.
    arrived : callable
        Told of each upload that was confirmed.
    """

    def __init__(self, metadata: Metadata, store: ObjectStore, arrived: Callable[[Arrival], None]) -> None:
        self._metadata = metadata
        self._store = store
        self._arrived = arrived
        self._takers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="arrivals")
        self._too_large: set[str] = set()
        self._looks = _Looks()

    def close(self) -> None:
        """Finish what was begun."""
        self._takers.shutdown()

    def url(self, _origin: str, org_id: str, dataset_id: str, profile_id: str) -> str:
        """Return an address of the store that takes the bytes of a profile for `upload_urls.LIFETIME` seconds."""
        return self._store.upload_url(_scope(org_id, dataset_id), profile_id, LIFETIME)

    def take(self, org_id: str, dataset_id: str) -> None:
        """Take over what has arrived for a dataset, so that who looks now sees it.

        Raises
        ------
        Unavailable
            When the store or the database does not answer.
        """
        young = time.time_ns() // 1_000_000 - 1000 * EXPIRED_SECONDS
        if self._metadata.has_open_slots(org_id, dataset_id, young):
            scope = _scope(org_id, dataset_id)
            self._looks.run(scope, lambda: self._take(self._store.list_incoming(scope), remove=False))

    def sweep(self) -> None:
        """Take over what has arrived for any dataset, and remove what was taken over and is old: one replica at a time.

        Raises
        ------
        Unavailable
            When the store or the database does not answer.
        """
        with self._metadata.alone_in_sweep() as alone:
            if alone:
                self._take(self._store.list_incoming(), remove=True)

    def _take(self, found: Iterable[StoredUpload], *, remove: bool) -> None:
        group: list[StoredUpload] = []
        for one in found:
            group.append(one)
            if len(group) == _GROUP:
                self._take_group(group, remove=remove)
                group = []
        self._take_group(group, remove=remove)

    def _take_group(self, group: list[StoredUpload], *, remove: bool) -> None:
        if not group:
            return
        taken = self._metadata.etags([one.profile_id for one in group])
        new = [one for one in group if one.profile_id in taken and taken[one.profile_id] != one.etag]
        failures = [error for error in self._takers.map(self._take_one, new) if error is not None]
        if failures:
            raise failures[0]
        if remove:
            now = datetime.now(timezone.utc)
            done = [one for one in group if taken.get(one.profile_id) == one.etag or one.size > MAX_PROFILE_BYTES]
            old = [one for one in done if (now - one.modified).total_seconds() > EXPIRED_SECONDS]
            list(self._takers.map(self._store.remove_incoming, old))

    def _take_one(self, one: StoredUpload) -> Unavailable | None:
        if one.size > MAX_PROFILE_BYTES:
            if one.profile_id not in self._too_large:
                self._too_large.add(one.profile_id)
                logger.warning("an upload of %d bytes is too large and is not taken over", one.size)
            return None
        try:
            data = self._store.read_incoming(one)
            key = self._store.write(data)
            arrival = self._metadata.confirm(UploadRow(one.profile_id, len(data), key, etag=one.etag))
            if not self._store.has(key):  # it was there before, unneeded, and was just being removed
                self._store.write(data)
            self._arrived(arrival)
        except Unavailable as error:
            return error
        except ResourceGone:  # its session ended, or its transaction was aborted
            self._store.remove_incoming(one)
        except (FileNotFoundError, ResourceNotFound):
            pass  # removed meanwhile: another replica had taken it over
        return None


class _Looks:
    """Looks into folders: who asks for one while another is under way shares the next one with all who wait.

    One that has begun may have passed over what was put just before somebody asked, so it is no answer to him.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._next: dict[str, Future[None]] = {}

    def run(self, scope: str, look: Callable[[], None]) -> None:
        """Return when a look has ended that began after this was called; raises what it raised."""
        with self._lock:
            shared = self._next.get(scope)
            mine: Future[None] | None = None
            if shared is None:
                shared = mine = self._next[scope] = Future()
            before = self._under_way.get(scope)
        if mine is None:
            shared.result()
            return
        if before is not None:
            before.exception()  # waits; what it failed at is no matter here
        with self._lock:
            del self._next[scope]
            self._under_way[scope] = mine
        try:
            look()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(None)
        finally:
            with self._lock:
                if self._under_way.get(scope) is mine:
                    del self._under_way[scope]


def _scope(org_id: str, dataset_id: str) -> str:
    """Return the folder of a dataset: names of datasets hold anything."""
    return hashlib.sha256(f"{org_id}\n{dataset_id}".encode()).hexdigest()[:24]

"""The PUT of a profile to a signed address (`upload_urls`).

The service takes any bytes, as an object store would: whylogs does not look at the PUT's answer, so a refusal
would go unseen, while the observatory shows a broken profile for what it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

from tornado.web import url

from .errors import OutOfSpace, QuotaExceeded, ResourceGone, ResourceNotFound
from .handler import BodyHandler
from .rows import UploadRow
from .upload_urls import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from tornado.routing import URLSpec

    from .arrivals import Arrivals
    from .blobs import Incoming
    from .metadata import Metadata
    from .quotas import Quotas
    from .rows import Arrival
    from .upload_urls import UploadSigner

#: Bytes gathered in memory before they go to disk; most profiles are smaller: one trip to the executor.
_BUFFER = 1 << 20


class UploadHandler(BodyHandler):
    """``PUT /uploads/{profile_id}``: answered once the bytes are on disk and known to the database."""

    operation = "upload"
    limit = MAX_PROFILE_BYTES
    length_required = True

    def initialize(self) -> None:
        self._buffer = bytearray()
        self._blob: Incoming | None = None
        self._keeping = False
        self._claimed: tuple[str | None, int] | None = None
        self.begun = True  # its bytes are on their way

    async def admit(self) -> None:
        profile_id = self.path_args[0]
        signer = cast("UploadSigner", self.settings["upload_signer"])
        signer.check(profile_id, self.get_query_argument("expires", ""), self.get_query_argument("signature", ""))
        size = int(self.request.headers["Content-Length"].partition(",")[0])
        if size >= _BUFFER:  # which goes to the disk before all of it is here
            self._claimed = (await self.work(self._claim, profile_id, size), size)

    def _claim(self, profile_id: str, size: int) -> str | None:
        """Claim room for a large upload and return its session; blocks."""
        self.room.check_disk(size)
        session_id, before = self.metadata.slot(profile_id)
        if session_id is not None and size > before:
            held, guests = self.metadata.held(session_id)
            for count, waiting in zip((held, guests), self.room.under_way(session_id), strict=True):
                count.add(0, waiting)
            if refusal := cast("Quotas", self.settings["quotas"]).refusal(held, guests, 0, size - before):
                raise refusal
        self.room.claim(session_id, size)
        return session_id

    def _release(self) -> None:
        if self._claimed is not None:
            self.room.release(*self._claimed)
            self._claimed = None

    def on_finish(self) -> None:
        self._release()

    async def data_received(self, chunk: bytes) -> None:
        if self.refusal is not None:
            return
        self._buffer += chunk
        if len(self._buffer) < _BUFFER:
            return
        data, self._buffer = self._buffer, bytearray()
        try:
            if self._blob is None:
                self._blob = self.blobs.incoming()
            await self.work(self._blob.write, data)
        except Exception as error:
            self.keep_failure(error)
            await self._discard()  # at once: where the disk is full, its bytes are needed

    async def put(self, profile_id: str) -> None:
        if self.refusal is not None:
            await self._discard()
            raise self.refusal
        self._keeping = True
        self.room.check_disk()
        loop, blob = asyncio.get_running_loop(), self._blob or self.blobs.incoming()
        waiting: asyncio.Future[Arrival] = loop.create_future()

        def keep() -> None:
            _keep(blob, self._buffer, self.metadata, profile_id).add_done_callback(tell)

        def tell(done: Future[Arrival]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile; what was noted remains
                loop.call_soon_threadsafe(_settle, waiting, done)

        try:
            with blob:
                self.settings["executor"].submit(keep)
                arrival = await waiting
        except (ResourceGone, ResourceNotFound, QuotaExceeded, OutOfSpace):
            if blob.key:
                await self.work(self.retention.remove_blob, blob.key)
            raise
        self.set_header("X-Content-SHA256", arrival.sha256)
        cast("Arrivals", self.settings["arrivals"]).add(arrival)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._release()
        if not self._keeping and self._blob is not None:
            self.settings["executor"].submit(self._blob.discard)

    async def _discard(self) -> None:
        if self._blob is not None:
            await self.work(self._blob.discard)
            self._blob = None


def _keep(blob: Incoming, rest: bytearray, metadata: Metadata, profile_id: str) -> Future[Arrival]:
    """Make the bytes permanent, and only then have the database told; return what tells when it is done."""
    try:
        with metadata.preparing():
            blob.write(rest)
            key = blob.keep()
        return metadata.begin_to_confirm(UploadRow(profile_id, blob.size, key))
    except BaseException as error:
        blob.discard()
        failed: Future[Arrival] = Future()
        failed.set_exception(error)
        return failed


def _settle(waiting: asyncio.Future[Arrival], done: Future[Arrival]) -> None:
    if waiting.done():  # nobody waits any more
        return
    if error := done.exception():
        waiting.set_exception(error)
    else:
        waiting.set_result(done.result())


def routes() -> list[URLSpec]:
    """The addresses of uploads."""
    return [url("/uploads/([A-Za-z0-9-]+)", UploadHandler)]

"""The client: `Songbird` for threads, `AsyncSongbird` for an event loop; both hold the same conversations."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import models as m
from .configuration import Settings, checked_key, configure
from .conversation import Pause, RawResponse, Steps, call
from .operations import batch_request, link_request, reference_request, references_request, request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import SupportsIndex

    import httpx
    from typing_extensions import Self

    from .retry import Retry
    from .transport import AsyncWire, Wire

T = TypeVar("T")
_CONNECTIONS = 100


class _Client:
    """What both clients share: settings, and no way to print or pickle a key."""

    settings: Settings
    _owner = True

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | Retry | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options that shares this one's connections; closing it leaves them open.

        Parameters
        ----------
        timeout
            Seconds that one attempt may take.
        retries
            How often to try again, or a whole `Retry` policy.
        headers
            More headers to send with each operation; never with the bytes of a profile.
        """
        self._wire()  # so that both have the same
        other = copy.copy(self)
        other.settings = self.settings.changed(timeout, retries, headers)
        other._owner = False
        return other

    def _wire(self) -> Any:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(endpoint={self.settings.origin!r}, api_key={self.settings.key_label!r})"

    def __reduce__(self) -> str:
        raise TypeError("A client holds connections and secrets and cannot be pickled: make a new one over there.")


class Songbird(_Client):
    """A client of a Songbird endpoint, usable from many threads, and in a forked child.

    Parameters
    ----------
    endpoint
        Where to talk to. Else SONGBIRD_ENDPOINT, then WHYLABS_API_ENDPOINT, then this user's local service, which is
        started if need be.
    api_key
        For `get_session` and `claim_guest_session`, and sent with no other. Else SONGBIRD_API_KEY, then
        WHYLABS_API_KEY.
    timeout
        Seconds that one attempt may take, from connecting to the last byte. Sending a profile's bytes may take
        longer, in proportion to their number.
    retries
        How often to try again what may be repeated, or a whole `Retry` policy.
    headers
        More headers to send with each operation; never with the bytes of a profile.
    http_client, transport
        An `httpx.Client`, or a transport, to send everything through. They stay their owner's: he closes them.
    proxy
        The proxy's URL; else the usual environment variables say, except for this computer's own addresses.
    verify
        False to trust anyone; a file or folder of certificates to trust; or an `ssl.SSLContext`.

    Raises
    ------
    ConfigurationError
        If one of these is unusable.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int | Retry = 3,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.Client | None = None,
        transport: httpx.BaseTransport | None = None,
        proxy: str | None = None,
        verify: bool | str | Path | ssl.SSLContext = True,
    ) -> None:
        self.settings = configure(endpoint, api_key, timeout, retries, headers)
        self._route = {"http_client": http_client, "transport": transport, "proxy": proxy, "verify": verify}
        self._made: list[Wire] = []  # shared with what with_options returns

    def _wire(self) -> Wire:
        if not self._made:
            from .transport import Route, Wire  # noqa: PLC0415 - httpx costs too much to import before it is needed

            self._made.append(Wire(Route(**cast("Any", self._route)), _CONNECTIONS))
        return self._made[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client made."""
        if self._owner:
            self._wire().close()

    def run(
        self,
        steps: Steps[T],
        stopped: Callable[[], bool] | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> T:
        """Hold a conversation to its end; `stopped` and `wait` let an upload be cancelled in between."""
        wire = self._wire()
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    wait(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(wire.send(step, stopped))
        except StopIteration as end:
            return cast("T", end.value)

    def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a request message and return the answer as it came, with ``parse()`` to read it.

        An answer that refuses is returned too; no answer at all raises as ever.
        """
        return self.run(call(message, self.settings, None if api_key is None else checked_key(api_key)))

    def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        return self.raw(message, api_key).parse()

    def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """Open a guest session for a user id of one's own choosing (a UUID, say); its id is a bearer: keep it safe."""
        return self.send(request(m.CreateSessionRequest, user_id, user_id=user_id))

    def get_session(
        self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None
    ) -> m.GetSessionResponse:
        """Return a session's organization, model and user; needs an API key, the client's or this one."""
        return self.send(request(m.GetSessionRequest, session_id, session_id=session_id), api_key)

    def create_dataset_profile_upload(
        self,
        session_id: str | m.CreateDatasetProfileUploadRequest,
        dataset_timestamp: SupportsIndex | None = None,
        segment_tags: Iterable[m.SegmentTag] = (),
        region: str | None = None,
    ) -> m.CreateDatasetProfileUploadResponse:
        """Ask for a slot for a batch: an id, and a URL that takes the profile's bytes for about 15 minutes.

        Parameters
        ----------
        session_id
            The session, or the whole request message.
        dataset_timestamp
            Milliseconds since 1970 UTC: what the batch is known by.
        segment_tags
            Which segment of the dataset it is.
        region
            Where to store it, for endpoints that have a choice.
        """
        return self.send(batch_request(session_id, dataset_timestamp, segment_tags, region))

    def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """Ask for a slot for a reference profile, which is known by the id in the answer and shown by its alias."""
        return self.send(reference_request(session_id, alias, dataset_timestamp, region))

    def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """Ask for slots for several reference profiles at once."""
        return self.send(references_request(session_id, references))

    def claim_guest_session(
        self,
        session_id: str | m.ClaimGuestSessionRequest,
        org_id: str | None = None,
        api_key: str | None = None,
    ) -> m.ClaimGuestSessionResponse:
        """Move a session's profiles into an organization for good; the session expires.

        An error whose `ambiguous` is true leaves open whether that happened. The claim is then not repeated:
        `get_session` says that the session has expired if it did.
        """
        claim = request(m.ClaimGuestSessionRequest, session_id, session_id=session_id, org_id=org_id)
        return self.send(claim, api_key)

    def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """Return the link that shows one to three profiles side by side, and one link for each alone."""
        return self.send(link_request(session_id, batch_profile_timestamps, reference_profile_ids))

    def list_session_profiles(
        self, session_id: str | m.ListSessionProfilesRequest
    ) -> m.ListSessionProfilesResponse:
        """Return what was uploaded to a session, oldest first; endpoints other than songbird-widgets' raise NotFound."""
        return self.send(request(m.ListSessionProfilesRequest, session_id, session_id=session_id))


class AsyncSongbird(_Client):
    """The same client for asyncio; every operation is awaited, and it belongs to the event loop that it is used on.

    The parameters are those of `Songbird`; `http_client` is an `httpx.AsyncClient`, `transport` an asynchronous one.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int | Retry = 3,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: str | None = None,
        verify: bool | str | Path | ssl.SSLContext = True,
    ) -> None:
        self.settings = configure(endpoint, api_key, timeout, retries, headers)
        self._route = {"http_client": http_client, "transport": transport, "proxy": proxy, "verify": verify}
        self._made: list[AsyncWire] = []  # shared with what with_options returns

    def _wire(self) -> AsyncWire:
        if not self._made:
            from .transport import AsyncWire, Route  # noqa: PLC0415 - httpx costs too much to import before it is needed

            self._made.append(AsyncWire(Route(**cast("Any", self._route)), _CONNECTIONS))
        return self._made[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that this client made."""
        if self._owner:
            await self._wire().aclose()

    def single(self) -> AsyncSongbird:
        """Return a client of one connection to each host, sharing this one's certificates: for a worker of many."""
        worker = copy.copy(self)
        worker._made, worker._owner = [self._wire().single()], True
        return worker

    async def run(self, steps: Steps[T]) -> T:
        """Hold a conversation to its end."""
        wire = self._wire()
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await wire.pause(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(await wire.send(step))
        except StopIteration as end:
            return cast("T", end.value)

    async def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """As `Songbird.raw`."""
        return await self.run(call(message, self.settings, None if api_key is None else checked_key(api_key)))

    async def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """As `Songbird.send`."""
        return (await self.raw(message, api_key)).parse()

    async def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """As `Songbird.create_session`."""
        return await self.send(request(m.CreateSessionRequest, user_id, user_id=user_id))

    async def get_session(
        self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None
    ) -> m.GetSessionResponse:
        """As `Songbird.get_session`."""
        return await self.send(request(m.GetSessionRequest, session_id, session_id=session_id), api_key)

    async def create_dataset_profile_upload(
        self,
        session_id: str | m.CreateDatasetProfileUploadRequest,
        dataset_timestamp: SupportsIndex | None = None,
        segment_tags: Iterable[m.SegmentTag] = (),
        region: str | None = None,
    ) -> m.CreateDatasetProfileUploadResponse:
        """As `Songbird.create_dataset_profile_upload`."""
        return await self.send(batch_request(session_id, dataset_timestamp, segment_tags, region))

    async def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """As `Songbird.create_reference_profile_upload`."""
        return await self.send(reference_request(session_id, alias, dataset_timestamp, region))

    async def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """As `Songbird.batch_create_reference_profile_upload`."""
        return await self.send(references_request(session_id, references))

    async def claim_guest_session(
        self,
        session_id: str | m.ClaimGuestSessionRequest,
        org_id: str | None = None,
        api_key: str | None = None,
    ) -> m.ClaimGuestSessionResponse:
        """As `Songbird.claim_guest_session`."""
        claim = request(m.ClaimGuestSessionRequest, session_id, session_id=session_id, org_id=org_id)
        return await self.send(claim, api_key)

    async def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """As `Songbird.get_session_profile_observatory_link`."""
        return await self.send(link_request(session_id, batch_profile_timestamps, reference_profile_ids))

    async def list_session_profiles(
        self, session_id: str | m.ListSessionProfilesRequest
    ) -> m.ListSessionProfilesResponse:
        """As `Songbird.list_session_profiles`."""
        return await self.send(request(m.ListSessionProfilesRequest, session_id, session_id=session_id))

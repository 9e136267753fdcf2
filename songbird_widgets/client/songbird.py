"""The client: `Songbird` for threads, `AsyncSongbird` for an event loop; both hold the same conversations."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import models as m
from .configuration import checked_key, configure
from .conversation import Pause, RawResponse, Steps, call
from .errors import ValidationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from pathlib import Path
    from typing import Concatenate, ParamSpec, SupportsIndex

    import httpx
    from typing_extensions import Self

    from .retry import Retry
    from .transport import AsyncWire, Wire

    P = ParamSpec("P")

T = TypeVar("T")
_R = TypeVar("_R", bound=m.Request[Any])


class _Client:
    """What both clients share: settings, and no way to print or pickle a secret."""

    _wire_kind = ""

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int | Retry = 3,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.Client | httpx.AsyncClient | None = None,
        transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        proxy: str | None = None,
        verify: bool | str | Path | ssl.SSLContext = True,
    ) -> None:
        self.settings = configure(endpoint, api_key, timeout, retries, headers)
        self._route = (http_client, transport, proxy, verify)
        self._wires: list[Any] = []  # none or one, shared with what with_options returns
        self._owner = True
        if http_client is not None or transport is not None or proxy is not None:
            self._wire()  # so that one that does not fit is refused here

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | Retry | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options and the same connections, which closing it leaves open."""
        other = copy.copy(self)
        other.settings = self.settings.changed(timeout, retries, headers)
        other._owner = False  # noqa: SLF001 - its own class
        return other

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        return other

    def _wire(self) -> Any:
        if not self._wires:
            from . import transport

            self._wires.append(getattr(transport, self._wire_kind)(transport.Route(*self._route)))
        return self._wires[0]  # the first, should two threads have made one each

    def __repr__(self) -> str:
        return f"{type(self).__name__}(endpoint={self.settings.origin!r}, api_key={self.settings.key_label!r})"

    def __reduce__(self) -> str:
        raise TypeError("A client holds connections and secrets and cannot be pickled: make a new one.")


def _request(kind: type[_R], given: object, *before: object) -> _R:
    """Return the request message that was given as one, or make it; what was given is its last field."""
    return given if isinstance(given, kind) else cast("Any", kind)(*before, given)


class Songbird(_Client):
    """A client of a Songbird endpoint, usable from many threads and in a forked child.

    Parameters
    ----------
    endpoint
        Where to talk to. Else SONGBIRD_ENDPOINT, then WHYLABS_API_ENDPOINT, then this user's local service,
        which is started if need be.
    api_key
        For `get_session` and `claim_guest_session`, and sent with no other. Else SONGBIRD_API_KEY, then
        WHYLABS_API_KEY.
    timeout
        Seconds that one attempt may take, from connecting to the last byte; more for a profile's bytes, in
        proportion to their number.
    retries
        How often to try again what may be repeated, or a whole `Retry` policy.
    headers
        More headers to send with each operation; never with the bytes of a profile.
    http_client, transport
        An httpx client or transport to send everything through. It stays its owner's, who closes it.
    proxy
        The proxy's URL; else the usual environment variables say, except for this computer's own addresses.
    verify
        False to trust anyone; a file or folder of certificates to trust; or an `ssl.SSLContext`.

    Raises
    ------
    ConfigurationError
        If one of these is unusable.
    """

    _wire_kind = "Wire"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        if self._owner and self._wires:
            cast("Wire", self._wire()).close()

    def run(
        self, steps: Steps[T], stopped: Callable[[], bool] = lambda: False, wait: Callable[[float], Any] = time.sleep
    ) -> T:
        """Hold a conversation to its end; `stopped` and `wait` let an upload be cancelled in between."""
        wire: Wire = self._wire()
        outcome = None
        with contextlib.closing(steps):
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    return cast("T", end.value)
                outcome = wait(step.seconds) if isinstance(step, Pause) else wire.send(step, stopped)

    def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        return self.run(call(message, self.settings, None if api_key is None else checked_key(api_key)))

    def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        return self.raw(message, api_key).parse()

    def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """Open a guest session for a user id of one's own choosing; its id is a bearer: keep it safe."""
        return self.send(_request(m.CreateSessionRequest, user_id))

    def get_session(self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None) -> m.GetSessionResponse:
        """Return a session's organization, model and user; needs an API key, the client's or this one."""
        return self.send(_request(m.GetSessionRequest, session_id), api_key)

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
        body = m.LogAsyncRequest(cast("int", dataset_timestamp), tuple(segment_tags), region)
        return self.send(_request(m.CreateDatasetProfileUploadRequest, session_id, body))

    def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """Ask for a slot for a reference profile, known by the id in the answer and shown by its alias."""
        body = m.LogReferenceRequest(alias, cast("int | None", dataset_timestamp), region)
        return self.send(_request(m.CreateReferenceProfileUploadRequest, session_id, body))

    def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """Ask for slots for several reference profiles at once."""
        body = m.BatchLogReferenceRequest(tuple(references))
        return self.send(_request(m.BatchCreateReferenceProfileUploadRequest, session_id, body))

    def claim_guest_session(
        self, session_id: str | m.ClaimGuestSessionRequest, org_id: str | None = None, api_key: str | None = None
    ) -> m.ClaimGuestSessionResponse:
        """Move a session's profiles into an organization for good; the session expires.

        An error whose `ambiguous` is true leaves open whether that happened. The claim is then not repeated:
        `get_session` says that the session has expired if it did.
        """
        return self.send(_request(m.ClaimGuestSessionRequest, session_id, org_id), api_key)

    def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """Return the link that shows one to three profiles side by side, and one link for each alone."""
        moments = cast("tuple[int, ...]", tuple(batch_profile_timestamps))
        if isinstance(reference_profile_ids, str):
            raise ValidationError("The reference profile ids must be a list of ids, not one text.")
        body = m.GetProfileObservatoryLinkRequest(moments, tuple(reference_profile_ids))
        return self.send(_request(m.GetSessionProfileObservatoryLinkRequest, session_id, body))

    def list_session_profiles(self, session_id: str | m.ListSessionProfilesRequest) -> m.ListSessionProfilesResponse:
        """Return what was uploaded to a session, oldest first; NotFound where an endpoint cannot tell."""
        return self.send(_request(m.ListSessionProfilesRequest, session_id))


def _awaited(
    method: Callable[Concatenate[Songbird, P], T],
) -> Callable[Concatenate[AsyncSongbird, P], Coroutine[Any, Any, T]]:
    """Make an operation of `Songbird` one of `AsyncSongbird`, where `send` is to be awaited."""

    async def operation(self: AsyncSongbird, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await cast("Awaitable[T]", method(cast("Songbird", self), *args, **kwargs))

    functools.update_wrapper(operation, method)
    return operation


class AsyncSongbird(_Client):
    """The same for asyncio. A client belongs to the event loop that it is first used on.

    The parameters are those of `Songbird`, with an `httpx.AsyncClient` or an asynchronous transport.
    """

    _wire_kind = "AsyncWire"

    create_session = _awaited(Songbird.create_session)
    get_session = _awaited(Songbird.get_session)
    create_dataset_profile_upload = _awaited(Songbird.create_dataset_profile_upload)
    create_reference_profile_upload = _awaited(Songbird.create_reference_profile_upload)
    batch_create_reference_profile_upload = _awaited(Songbird.batch_create_reference_profile_upload)
    claim_guest_session = _awaited(Songbird.claim_guest_session)
    get_session_profile_observatory_link = _awaited(Songbird.get_session_profile_observatory_link)
    list_session_profiles = _awaited(Songbird.list_session_profiles)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        if self._owner and self._wires:
            await cast("AsyncWire", self._wire()).aclose()

    def single(self) -> AsyncSongbird:
        """Return a client of one connection to each host, for a worker among many."""
        worker = copy.copy(self)
        worker._wires = [cast("AsyncWire", self._wire()).single()]  # noqa: SLF001 - its own class
        worker._owner = True  # noqa: SLF001
        return worker

    async def run(self, steps: Steps[T]) -> T:
        """Hold a conversation to its end."""
        wire: AsyncWire = self._wire()
        outcome = None
        with contextlib.closing(steps):
            while True:
                try:
                    step = steps.send(outcome)
                except StopIteration as end:
                    return cast("T", end.value)
                outcome = await (asyncio.sleep(step.seconds) if isinstance(step, Pause) else wire.send(step))

    async def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        return await self.run(call(message, self.settings, None if api_key is None else checked_key(api_key)))

    async def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        return (await self.raw(message, api_key)).parse()

"""The client: `Songbird` for threads, `AsyncSongbird` for an event loop, each over one httpx client."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, cast

from ..secret import Secret
from . import models as m
from .configuration import checked_key, configure
from .request import HTTPRequest, build_request
from .sending import Steps, answered

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import httpx
    from typing_extensions import Self

    from .response import RawResponse
    from .retry import Retry
    from .transport import AsyncTransport, Transport

T = TypeVar("T")
_R = TypeVar("_R", bound=m.Request[Any])

# Frames of an error show their variables: what comes as text and is secret is put away before anything can fail.


class _Client:
    """What both clients share: settings, and no way to print or pickle a secret."""

    _transport_kind = ""

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
        private = Secret.of(endpoint), Secret.of(api_key), _private(headers), Secret.of(proxy)
        del endpoint, api_key, headers, proxy
        self.settings = configure(private[0], private[1], timeout, retries, private[2])
        self._means = (http_client, transport, private[3], verify)
        self._transports: list[Any] = []  # none or one, shared with what with_options returns
        self._owner = True
        if http_client is not None or transport is not None or private[3] is not None:
            self._transport()  # so that one that does not fit is refused here

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | Retry | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options and the same connections, which closing it leaves open."""
        more = _private(headers)
        del headers
        other = copy.copy(self)
        other.settings = self.settings.changed(timeout, retries, more)
        other._owner = False  # its own class
        return other

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        return other

    def _transport(self) -> Any:
        if not self._transports:
            from . import transport  # and httpx with it, only when something is to be sent

            self._transports.append(getattr(transport, self._transport_kind)(*self._means, route=self.settings.route))
        return self._transports[0]  # the first, should two threads have made one each

    def _request(self, message: m.Request[Any], api_key: Secret | None) -> HTTPRequest:
        return build_request(message, self.settings, None if api_key is None else checked_key(api_key))

    def __repr__(self) -> str:
        if not hasattr(self, "settings"):  # in a traceback of what was wrong with them
            return f"{type(self).__name__}()"
        return f"{type(self).__name__}(endpoint={self.settings.origin!r}, api_key={self.settings.key_label!r})"

    def __reduce__(self) -> str:
        raise TypeError("A client holds connections and secrets and cannot be pickled: make a new one.")


def _private(headers: Mapping[str, str] | None) -> dict[str, Any]:
    return {name: Secret.of(value) for name, value in (headers or {}).items()}


def _message(kind: type[_R], given: object, *before: object) -> _R:
    """Return the request message that was given as one, or make it; what was given is its last field."""
    return given if isinstance(given, kind) else cast("Any", kind)(*before, given)


def _items(values: Iterable[Any]) -> Any:
    """Return values as a tuple; one text, which would fall apart into characters, is left to be refused."""
    return values if isinstance(values, str) else tuple(values)


class Songbird(_Client):
    """A client of a Songbird endpoint, usable from many threads and in a forked child.

    Each operation takes its values, or the whole request message instead of the first of them.

    Parameters
    ----------
    endpoint : str, optional
        Where to talk to. Else SONGBIRD_ENDPOINT, then WHYLABS_API_ENDPOINT, then this user's local service,
        which is started if need be.
    api_key : str, optional
        For `get_session` and `claim_guest_session`, and sent with no other. Else SONGBIRD_API_KEY, then
        WHYLABS_API_KEY.
    timeout : float
        Seconds that one attempt may take, from connecting to the last byte; more for a profile's bytes, in
        proportion to their number. It is looked at between the pieces of an answer.
    retries : int or Retry
        How often to try again what may be repeated, or a whole `Retry` policy.
    headers : mapping of str to str, optional
        More headers to send with each operation; never with the bytes of a profile.
    http_client, transport : httpx.Client, httpx.BaseTransport, optional
        What to send everything through. It stays its owner's, who closes it.
    proxy : str, optional
        The proxy's URL; else the usual environment variables say, except for this computer's own addresses.
    verify : bool, str, Path or ssl.SSLContext
        False to trust anyone; a file or folder of certificates to trust; or a context.

    Raises
    ------
    ConfigurationError
        If one of these is unusable.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> with sw.Songbird() as client:
    ...     client.create_session("anyone").id.startswith("session-")
    True
    """

    _transport_kind = "Transport"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        if self._owner and self._transports:
            cast("Transport", self._transport()).close()

    def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        key = Secret.of(api_key)
        del api_key
        return self.run(answered(self._request(message, key)))

    def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        key = Secret.of(api_key)
        del api_key
        return self.raw(message, key).parse()

    def run(self, steps: Steps[T], wait: Callable[[float], object] = time.sleep) -> T:
        """Take some steps; `wait` returns True to send nothing any more."""
        came: object = None
        with contextlib.closing(steps):
            while True:
                try:
                    step = steps.send(came)
                except StopIteration as end:
                    return cast("T", end.value)
                came = self._transport().send(step) if isinstance(step, HTTPRequest) else wait(step)

    def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """Open a guest session for a user id of one's own choosing; its id is a bearer: keep it safe."""
        return self.send(_message(m.CreateSessionRequest, user_id))

    def get_session(self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None) -> m.GetSessionResponse:
        """Return a session's organization, model and user; needs an API key, the client's or this one."""
        message, key = _message(m.GetSessionRequest, session_id), Secret.of(api_key)
        del session_id, api_key
        return self.send(message, key)

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
        session_id : str or CreateDatasetProfileUploadRequest
            The session, or the whole request message.
        dataset_timestamp : int
            Milliseconds since 1970 UTC: what the batch is known by.
        segment_tags : iterable of SegmentTag
            Which segment of the dataset it is.
        region : str, optional
            Where to store it, for endpoints that have a choice.
        """
        body = m.LogAsyncRequest(cast("int", dataset_timestamp), _items(segment_tags), region)
        message = _message(m.CreateDatasetProfileUploadRequest, session_id, body)
        del session_id
        return self.send(message)

    def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """Ask for a slot for a reference profile, known by the id in the answer and shown by its alias."""
        body = m.LogReferenceRequest(alias, cast("int | None", dataset_timestamp), region)
        message = _message(m.CreateReferenceProfileUploadRequest, session_id, body)
        del session_id
        return self.send(message)

    def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """Ask for slots for several reference profiles at once."""
        body = m.BatchLogReferenceRequest(_items(references))
        message = _message(m.BatchCreateReferenceProfileUploadRequest, session_id, body)
        del session_id
        return self.send(message)

    def claim_guest_session(
        self, session_id: str | m.ClaimGuestSessionRequest, org_id: str | None = None, api_key: str | None = None
    ) -> m.ClaimGuestSessionResponse:
        """Move a session's profiles into an organization for good; the session expires.

        An error whose `ambiguous` is true leaves open whether that happened. The claim is then not repeated:
        `get_session` says that the session has expired if it did.
        """
        message, key = _message(m.ClaimGuestSessionRequest, session_id, org_id), Secret.of(api_key)
        del session_id, api_key
        return self.send(message, key)

    def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """Return the link that shows one to three profiles side by side, and one link for each alone."""
        body = m.GetProfileObservatoryLinkRequest(_items(batch_profile_timestamps), _items(reference_profile_ids))
        message = _message(m.GetSessionProfileObservatoryLinkRequest, session_id, body)
        del session_id
        return self.send(message)

    def list_session_profiles(
        self, session_id: str | m.ListSessionProfilesRequest, after: str | None = None, limit: int | None = None
    ) -> m.ListSessionProfilesResponse:
        """Return what was uploaded to a session, oldest first; NotFound where an endpoint cannot tell."""
        kind = m.ListSessionProfilesRequest
        message = session_id if isinstance(session_id, kind) else kind(session_id, after, limit)
        del session_id
        return self.send(message)

    def delete_session(self, session_id: str | m.DeleteSessionRequest) -> m.DeleteResponse:
        """Delete a session with all its profiles, on songbird-widgets' own service.

        It may be asked for again when it is not answered: `SessionExpired` then says that it is gone already.
        """
        message = _message(m.DeleteSessionRequest, session_id)
        del session_id
        return self.send(message)

    def delete_profile(self, session_id: str | m.DeleteProfileRequest, profile_id: str = "") -> m.DeleteResponse:
        """Delete a profile of a session, on songbird-widgets' own service; NotFound says that it is gone already."""
        message = _message(m.DeleteProfileRequest, session_id, profile_id)
        del session_id
        return self.send(message)


class AsyncSongbird(_Client):
    """The same for asyncio. A client belongs to the event loop that it is first used on.

    The parameters are those of `Songbird`, with an `httpx.AsyncClient` or an asynchronous transport.

    Examples
    --------
    >>> import asyncio
    >>> import songbird_widgets as sw
    >>> async def begin():
    ...     async with sw.AsyncSongbird() as client:
    ...         return (await client.create_session("anyone")).id.startswith("session-")
    >>> asyncio.run(begin())
    True
    """

    _transport_kind = "AsyncTransport"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        if self._owner and self._transports:
            await cast("AsyncTransport", self._transport()).aclose()

    def single(self) -> AsyncSongbird:
        """Return a client of one connection to each host, for a worker among many."""
        worker = copy.copy(self)
        worker._transports = [cast("AsyncTransport", self._transport()).single()]  # its own class
        worker._owner = True
        return worker

    async def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        key = Secret.of(api_key)
        del api_key
        return await self.run(answered(self._request(message, key)))

    async def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        key = Secret.of(api_key)
        del api_key
        return (await self.raw(message, key)).parse()

    async def run(self, steps: Steps[T]) -> T:
        """Take some steps."""
        came: object = None
        with contextlib.closing(steps):
            while True:
                try:
                    step = steps.send(came)
                except StopIteration as end:
                    return cast("T", end.value)
                came = await (self._transport().send(step) if isinstance(step, HTTPRequest) else asyncio.sleep(step))

    async def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """Open a guest session, as `Songbird.create_session` does."""
        return await self.send(_message(m.CreateSessionRequest, user_id))

    async def get_session(
        self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None
    ) -> m.GetSessionResponse:
        """Return a session's organization, model and user, as `Songbird.get_session` does."""
        message, key = _message(m.GetSessionRequest, session_id), Secret.of(api_key)
        del session_id, api_key
        return await self.send(message, key)

    async def create_dataset_profile_upload(
        self,
        session_id: str | m.CreateDatasetProfileUploadRequest,
        dataset_timestamp: SupportsIndex | None = None,
        segment_tags: Iterable[m.SegmentTag] = (),
        region: str | None = None,
    ) -> m.CreateDatasetProfileUploadResponse:
        """Ask for a slot for a batch, as `Songbird.create_dataset_profile_upload` does."""
        body = m.LogAsyncRequest(cast("int", dataset_timestamp), _items(segment_tags), region)
        message = _message(m.CreateDatasetProfileUploadRequest, session_id, body)
        del session_id
        return await self.send(message)

    async def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """Ask for a slot for a reference, as `Songbird.create_reference_profile_upload` does."""
        body = m.LogReferenceRequest(alias, cast("int | None", dataset_timestamp), region)
        message = _message(m.CreateReferenceProfileUploadRequest, session_id, body)
        del session_id
        return await self.send(message)

    async def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """Ask for slots for several references, as `Songbird.batch_create_reference_profile_upload` does."""
        body = m.BatchLogReferenceRequest(_items(references))
        message = _message(m.BatchCreateReferenceProfileUploadRequest, session_id, body)
        del session_id
        return await self.send(message)

    async def claim_guest_session(
        self, session_id: str | m.ClaimGuestSessionRequest, org_id: str | None = None, api_key: str | None = None
    ) -> m.ClaimGuestSessionResponse:
        """Move a session's profiles into an organization for good, as `Songbird.claim_guest_session` does."""
        message, key = _message(m.ClaimGuestSessionRequest, session_id, org_id), Secret.of(api_key)
        del session_id, api_key
        return await self.send(message, key)

    async def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """Return the link that shows one to three profiles side by side, and one link for each alone."""
        body = m.GetProfileObservatoryLinkRequest(_items(batch_profile_timestamps), _items(reference_profile_ids))
        message = _message(m.GetSessionProfileObservatoryLinkRequest, session_id, body)
        del session_id
        return await self.send(message)

    async def list_session_profiles(
        self, session_id: str | m.ListSessionProfilesRequest, after: str | None = None, limit: int | None = None
    ) -> m.ListSessionProfilesResponse:
        """Return what was uploaded to a session, as `Songbird.list_session_profiles` does."""
        kind = m.ListSessionProfilesRequest
        message = session_id if isinstance(session_id, kind) else kind(session_id, after, limit)
        del session_id
        return await self.send(message)

    async def delete_session(self, session_id: str | m.DeleteSessionRequest) -> m.DeleteResponse:
        """Delete a session with all its profiles, as `Songbird.delete_session` does."""
        message = _message(m.DeleteSessionRequest, session_id)
        del session_id
        return await self.send(message)

    async def delete_profile(self, session_id: str | m.DeleteProfileRequest, profile_id: str = "") -> m.DeleteResponse:
        """Delete a profile of a session, as `Songbird.delete_profile` does."""
        message = _message(m.DeleteProfileRequest, session_id, profile_id)
        del session_id
        return await self.send(message)

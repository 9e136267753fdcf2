"""The client: `Songbird` for threads, `AsyncSongbird` for an event loop, each over one httpx client."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, cast, overload

from ..secret import Hidden, Secret
from . import models as m
from .configuration import checked_key, configure
from .request import HTTPRequest, build_request
from .sending import Steps, answered

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from pathlib import Path
    from typing import Concatenate

    import httpx
    from typing_extensions import ParamSpec, Self

    from .response import RawResponse
    from .retry import Retry
    from .transport import AsyncTransport, Transport

    P = ParamSpec("P")
    R = TypeVar("R")

    class _Operation(Generic[P, R]):
        """An operation as a method of either client."""

        def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None: ...

        @overload
        def __get__(self, client: Songbird, kind: Any) -> Callable[P, R]: ...
        @overload
        def __get__(self, client: AsyncSongbird, kind: Any) -> Callable[P, Coroutine[Any, Any, R]]: ...
        @overload
        def __get__(self, client: None, kind: Any) -> Callable[..., Any]: ...
        def __get__(self, client: Any, kind: Any) -> Any: ...

else:

    def _Operation(method: Any) -> Any:  # noqa: N802 - only the types of the methods are put another way
        return method


T = TypeVar("T")

# Frames of an error show their variables: what comes as text and is secret is put away before anything can fail.


class _Client:
    """What both clients share: settings, the operations, and no way to print or pickle a secret."""

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
        other._owner = False
        return other

    def single(self) -> Self:
        """Return a client of one connection to each host, for a worker among many."""
        other = copy.copy(self)
        other._transports = [self._transport().single()]
        other._owner = True
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

    def _steps(self, message: Hidden[m.Request[T]], key: Secret | None) -> Steps[RawResponse[T]]:
        return answered(build_request(message, self.settings, None if key is None else checked_key(key)))

    def _ask(self, message: Hidden[m.Request[T]], key: Secret | None = None) -> T:
        """Return what answers a message; `AsyncSongbird` returns what is to be awaited for it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        if not hasattr(self, "settings"):  # in a traceback of what was wrong with them
            return f"{type(self).__name__}()"
        return f"{type(self).__name__}(endpoint={self.settings.origin!r}, api_key={self.settings.key_label!r})"

    def __reduce__(self) -> str:
        raise TypeError("A client holds connections and secrets and cannot be pickled: make a new one.")

    @_Operation
    def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """Open a guest session for a user id of one's own choosing; its id is a bearer: keep it safe."""
        return self._ask(_message(m.CreateSessionRequest, Hidden(user_id)))

    @_Operation
    def get_session(self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None) -> m.GetSessionResponse:
        """Return a session's organization, model and user; needs an API key, the client's or this one."""
        given, key = Hidden(session_id), Secret.of(api_key)
        del session_id, api_key
        return self._ask(_message(m.GetSessionRequest, given), key)

    @_Operation
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
        given = Hidden(session_id)
        del session_id
        body = m.LogAsyncRequest(cast("int", dataset_timestamp), _items(segment_tags), region)
        return self._ask(_message(m.CreateDatasetProfileUploadRequest, given, body))

    @_Operation
    def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """Ask for a slot for a reference profile, known by the id in the answer and shown by its alias."""
        given = Hidden(session_id)
        del session_id
        body = m.LogReferenceRequest(alias, cast("int | None", dataset_timestamp), region)
        return self._ask(_message(m.CreateReferenceProfileUploadRequest, given, body))

    @_Operation
    def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """Ask for slots for several reference profiles at once."""
        given = Hidden(session_id)
        del session_id
        body = m.BatchLogReferenceRequest(_items(references))
        return self._ask(_message(m.BatchCreateReferenceProfileUploadRequest, given, body))

    @_Operation
    def claim_guest_session(
        self, session_id: str | m.ClaimGuestSessionRequest, org_id: str | None = None, api_key: str | None = None
    ) -> m.ClaimGuestSessionResponse:
        """Move a session's profiles into an organization for good; the session expires.

        An error whose `ambiguous` is true leaves open whether that happened. The claim is then not repeated:
        `get_session` says that the session has expired if it did.
        """
        given, key = Hidden(session_id), Secret.of(api_key)
        del session_id, api_key
        return self._ask(_message(m.ClaimGuestSessionRequest, given, org_id), key)

    @_Operation
    def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """Return the link that shows one to three profiles side by side, and one link for each alone."""
        given = Hidden(session_id)
        del session_id
        body = m.GetProfileObservatoryLinkRequest(_items(batch_profile_timestamps), _items(reference_profile_ids))
        return self._ask(_message(m.GetSessionProfileObservatoryLinkRequest, given, body))

    @_Operation
    def list_session_profiles(
        self, session_id: str | m.ListSessionProfilesRequest, after: str | None = None, limit: int | None = None
    ) -> m.ListSessionProfilesResponse:
        """Return what was uploaded to a session, oldest first; NotFound where an endpoint cannot tell."""
        given = Hidden(session_id)
        del session_id
        return self._ask(_message(m.ListSessionProfilesRequest, given, after=after, limit=limit))

    @_Operation
    def delete_session(self, session_id: str | m.DeleteSessionRequest) -> m.DeleteResponse:
        """Delete a session with all its profiles, on songbird-widgets' own service.

        It may be asked for again when it is not answered: `SessionExpired` then says that it is gone already.
        """
        given = Hidden(session_id)
        del session_id
        return self._ask(_message(m.DeleteSessionRequest, given))

    @_Operation
    def delete_profile(self, session_id: str | m.DeleteProfileRequest, profile_id: str = "") -> m.DeleteResponse:
        """Delete a profile of a session, on songbird-widgets' own service; NotFound says that it is gone already."""
        given = Hidden(session_id)
        del session_id
        return self._ask(_message(m.DeleteProfileRequest, given, profile_id))


def _private(headers: Mapping[str, str] | None) -> dict[str, Any]:
    return {name: Secret.of(value) for name, value in (headers or {}).items()}


def _message(
    kind: Callable[..., m.Request[T]], given: Hidden[Any], *before: object, **after: object
) -> Hidden[m.Request[T]]:
    """Return the request message that was given as one, or make it: what was given follows `before`."""
    return given if isinstance(given.reveal(), cast("type", kind)) else Hidden(kind(*before, given.reveal(), **after))


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
        given, key = Hidden(message), Secret.of(api_key)
        del message, api_key
        return self.run(self._steps(given, key))

    def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        given, key = Hidden(message), Secret.of(api_key)
        del message, api_key
        return self._ask(given, key)

    def _ask(self, message: Hidden[m.Request[T]], key: Secret | None = None) -> T:
        return self.run(self._steps(message, key)).parse()

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


class AsyncSongbird(_Client):
    """The same for asyncio: what `Songbird` returns is awaited. A client belongs to the loop that it is first used on.

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

    async def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        given, key = Hidden(message), Secret.of(api_key)
        del message, api_key
        return await self.run(self._steps(given, key))

    async def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        given, key = Hidden(message), Secret.of(api_key)
        del message, api_key
        return await self._ask(given, key)

    async def _ask(self, message: Hidden[m.Request[T]], key: Secret | None = None) -> T:  # type: ignore[override]
        return (await self.run(self._steps(message, key))).parse()

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

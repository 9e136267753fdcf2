"""The client: `Songbird` for threads, `AsyncSongbird` for an event loop, each over one httpx client."""

from __future__ import annotations

import copy
import importlib
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, cast, overload

from ..secret import Secret
from . import models as m
from .calls import finished, private
from .configuration import checked_key, configure
from .errors import ConfigurationError
from .request import build_request
from .sending import answered

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from pathlib import Path
    from typing import Concatenate, ParamSpec

    import httpx
    from typing_extensions import Self

    from .response import RawResponse
    from .retry import Retry
    from .transport import Transport

    P = ParamSpec("P")
    R = TypeVar("R")

    class _Operation(Generic[P, R]):
        """A method that `Songbird` has as it is, and `AsyncSongbird` as a coroutine."""

        @overload
        def __get__(self, client: Songbird, kind: Any) -> Callable[P, R]: ...
        @overload
        def __get__(self, client: AsyncSongbird, kind: Any) -> Callable[P, Coroutine[Any, Any, R]]: ...
        @overload
        def __get__(self, client: None, kind: Any) -> Callable[..., Any]: ...
        def __get__(self, client: Any, kind: Any) -> Any: ...


T = TypeVar("T")


def _operation(method: Callable[Concatenate[Any, P], R]) -> _Operation[P, R]:
    return cast("_Operation[P, R]", private(method))


def _load_transport() -> None:
    importlib.import_module(".transport", __package__)  # and httpx with it, as slow as a local service that starts


class _Client:
    """What both clients share: settings, the operations, and no way to print or pickle a secret."""

    _asynchronous: bool

    @private
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
        self.settings = configure(endpoint, api_key, timeout, retries, headers, _load_transport)
        if not isinstance(proxy, (str, NoneType)):
            raise ConfigurationError(f"The proxy must be a URL as text, not {type(proxy).__name__}.")
        self._means = (http_client, transport, Secret.of(proxy), verify)
        self._transports: list[Transport] = []  # none or one, shared with what with_options returns
        self._owner = True
        if self._means != (None, None, None, True):
            self.transport()  # so that what does not fit is refused here

    @private
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
        other._owner = False
        return other

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        return other

    def transport(self) -> Transport:
        """Return what sends this client's requests."""
        if not self._transports:
            from . import transport  # and httpx with it, only when something is to be sent

            made = transport.Transport(*self._means, route=self.settings.route, asynchronous=self._asynchronous)
            self._transports.append(made)
        return self._transports[0]  # the first, should two threads have made one each

    def _ask(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Return what answers a message, or of `AsyncSongbird` what is to be awaited for it."""
        return cast("T", self._run(self._answer(message, api_key, parse=True)))

    async def _answer(self, message: m.Request[Any], api_key: str | None, *, parse: bool) -> Any:
        key = None if api_key is None else checked_key(api_key)
        response = await answered(build_request(message, self.settings, key), self.transport())
        return response.parse() if parse else response

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return coroutine if self._asynchronous else finished(coroutine)

    async def _close(self) -> None:
        if self._owner and self._transports:
            await self.transport().close()

    def __repr__(self) -> str:
        if not hasattr(self, "settings"):  # in a traceback of what was wrong with them
            return f"{type(self).__name__}()"
        return f"{type(self).__name__}(endpoint={self.settings.origin!r}, api_key={self.settings.key_label!r})"

    def __reduce__(self) -> str:
        raise TypeError("A client holds connections and secrets and cannot be pickled: make a new one.")

    @_operation
    def raw(self, message: m.Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        return cast("RawResponse[T]", self._run(self._answer(message, api_key, parse=False)))

    @_operation
    def send(self, message: m.Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        return self._ask(message, api_key)

    @_operation
    def create_session(self, user_id: str | m.CreateSessionRequest) -> m.CreateSessionResponse:
        """Open a guest session for a user id of one's own choosing; its id is a bearer: keep it safe."""
        return self._ask(_message(m.CreateSessionRequest, user_id))

    @_operation
    def get_session(self, session_id: str | m.GetSessionRequest, *, api_key: str | None = None) -> m.GetSessionResponse:
        """Return a session's organization, model and user; needs an API key, the client's or this one."""
        return self._ask(_message(m.GetSessionRequest, session_id), api_key)

    @_operation
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
        return self._ask(_message(m.CreateDatasetProfileUploadRequest, session_id, body))

    @_operation
    def create_reference_profile_upload(
        self,
        session_id: str | m.CreateReferenceProfileUploadRequest,
        alias: str | None = None,
        dataset_timestamp: SupportsIndex | None = None,
        region: str | None = None,
    ) -> m.LogSessionReferenceResponse:
        """Ask for a slot for a reference profile, known by the id in the answer and shown by its alias."""
        body = m.LogReferenceRequest(alias, cast("int | None", dataset_timestamp), region)
        return self._ask(_message(m.CreateReferenceProfileUploadRequest, session_id, body))

    @_operation
    def batch_create_reference_profile_upload(
        self,
        session_id: str | m.BatchCreateReferenceProfileUploadRequest,
        references: Iterable[m.LogReferenceRequest] = (),
    ) -> m.BatchLogSessionReferenceResponse:
        """Ask for slots for several reference profiles at once."""
        body = m.BatchLogReferenceRequest(_items(references))
        return self._ask(_message(m.BatchCreateReferenceProfileUploadRequest, session_id, body))

    @_operation
    def claim_guest_session(
        self, session_id: str | m.ClaimGuestSessionRequest, org_id: str | None = None, api_key: str | None = None
    ) -> m.ClaimGuestSessionResponse:
        """Move a session's profiles into an organization for good; the session expires.

        An error whose `ambiguous` is true leaves open whether that happened. The claim is then not repeated:
        `get_session` says that the session has expired if it did.
        """
        return self._ask(_message(m.ClaimGuestSessionRequest, session_id, org_id), api_key)

    @_operation
    def get_session_profile_observatory_link(
        self,
        session_id: str | m.GetSessionProfileObservatoryLinkRequest,
        batch_profile_timestamps: Iterable[SupportsIndex] = (),
        reference_profile_ids: Iterable[str] = (),
    ) -> m.GetProfileObservatoryLinkResponse:
        """Return the link that shows one to three profiles side by side, and one link for each alone."""
        body = m.GetProfileObservatoryLinkRequest(_items(batch_profile_timestamps), _items(reference_profile_ids))
        return self._ask(_message(m.GetSessionProfileObservatoryLinkRequest, session_id, body))

    @_operation
    def list_session_profiles(
        self, session_id: str | m.ListSessionProfilesRequest, after: str | None = None, limit: int | None = None
    ) -> m.ListSessionProfilesResponse:
        """Return what was uploaded to a session, oldest first; NotFound where an endpoint cannot tell."""
        return self._ask(_message(m.ListSessionProfilesRequest, session_id, after=after, limit=limit))

    @_operation
    def name_session(self, session_id: str | m.NameSessionRequest, name: str | None = None) -> m.NameSessionResponse:
        """Give a session a name, or none, in its owner's list of sessions, on songbird-widgets' own service."""
        return self._ask(_message(m.NameSessionRequest, session_id, m.SessionName(name)))

    @_operation
    def delete_session(self, session_id: str | m.DeleteSessionRequest) -> m.DeleteResponse:
        """Delete a session with all its profiles, on songbird-widgets' own service.

        It may be asked for again when it is not answered: `SessionExpired` then says that it is gone already.
        """
        return self._ask(_message(m.DeleteSessionRequest, session_id))

    @_operation
    def delete_profile(self, session_id: str | m.DeleteProfileRequest, profile_id: str = "") -> m.DeleteResponse:
        """Delete a profile of a session, on songbird-widgets' own service; NotFound says that it is gone already."""
        return self._ask(_message(m.DeleteProfileRequest, session_id, profile_id))


def _message(kind: Callable[..., m.Request[T]], given: Any, *before: object, **after: object) -> m.Request[T]:
    """Return the request message that was given as one, or make it: what was given follows `before`."""
    return cast("m.Request[T]", given) if isinstance(given, cast("type", kind)) else kind(*before, given, **after)


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

    _asynchronous = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        finished(self._close())


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

    _asynchronous = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        await self._close()

"""The client: `Songbird` for threads, `AsyncSongbird` for an event loop, each over one httpx client."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import inspect
import random
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import operations
from .configuration import checked_key, configure
from .redaction import Secret
from .request import answered, build_request
from .retry import pause_before_retry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path
    from typing import Concatenate, ParamSpec

    import httpx
    from typing_extensions import Self

    from .models import Request
    from .operations import Call
    from .request import HTTPRequest, Steps
    from .response import Outcome, RawResponse
    from .retry import Retry
    from .transport import AsyncTransport, Transport

    P = ParamSpec("P")

T = TypeVar("T")


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
        del endpoint, api_key, headers, proxy  # frames of an error show what is left
        self.settings = configure(private[0], private[1], timeout, retries, private[2])
        self._route = (http_client, transport, private[3], verify)
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
        other._owner = False  # noqa: SLF001 - its own class
        return other

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__
        return other

    def _transport(self) -> Any:
        if not self._transports:
            from . import transport

            self._transports.append(getattr(transport, self._transport_kind)(transport.Route(*self._route)))
        return self._transports[0]  # the first, should two threads have made one each

    def _pause(self, request: HTTPRequest, outcome: Outcome, attempt: int) -> float | None:
        return pause_before_retry(
            self.settings.retry,
            request.operation.repeat,
            outcome,
            attempt,
            left=request.deadline - time.monotonic(),
            now=time.time(),
            jitter=random.random(),  # noqa: S311 - no secret
        )

    def __repr__(self) -> str:
        if not hasattr(self, "settings"):  # in a traceback of what was wrong with them
            return f"{type(self).__name__}()"
        return f"{type(self).__name__}(endpoint={self.settings.origin!r}, api_key={self.settings.key_label!r})"

    def __reduce__(self) -> str:
        raise TypeError("A client holds connections and secrets and cannot be pickled: make a new one.")


def _private(headers: Mapping[str, str] | None) -> dict[str, Any]:
    return {name: Secret.of(value) for name, value in (headers or {}).items()}


def _documented(method: Any, build: Callable[..., Any]) -> Any:
    """Give a method the name, documentation and parameters of the function that builds its call."""
    functools.update_wrapper(method, build)
    signature = inspect.signature(build)
    receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    answer = signature.return_annotation.removeprefix("Call[").removesuffix("]")
    parameters = [receiver, *signature.parameters.values()]
    method.__signature__ = signature.replace(parameters=parameters, return_annotation=answer)
    return method


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate[Songbird, P], T]:
    def method(self: Songbird, /, *args: P.args, **kwargs: P.kwargs) -> T:
        call = build(*args, **kwargs)
        del args, kwargs  # they hold the session id, and frames of an error show what is left
        return self.send(call.message, cast("Any", call.api_key))

    return cast("Callable[Concatenate[Songbird, P], T]", _documented(method, build))


def _async_method(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncSongbird, P], Coroutine[Any, Any, T]]:
    async def method(self: AsyncSongbird, /, *args: P.args, **kwargs: P.kwargs) -> T:
        call = build(*args, **kwargs)
        del args, kwargs
        return await self.send(call.message, cast("Any", call.api_key))

    return cast("Callable[Concatenate[AsyncSongbird, P], Coroutine[Any, Any, T]]", _documented(method, build))


class Songbird(_Client):
    """A client of a Songbird endpoint, usable from many threads and in a forked child.

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
    """

    _transport_kind = "Transport"

    create_session = _method(operations.create_session)
    get_session = _method(operations.get_session)
    create_dataset_profile_upload = _method(operations.create_dataset_profile_upload)
    create_reference_profile_upload = _method(operations.create_reference_profile_upload)
    batch_create_reference_profile_upload = _method(operations.batch_create_reference_profile_upload)
    claim_guest_session = _method(operations.claim_guest_session)
    get_session_profile_observatory_link = _method(operations.get_session_profile_observatory_link)
    list_session_profiles = _method(operations.list_session_profiles)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client made, once what is under way has ended; it sends nothing more."""
        if self._owner and self._transports:
            cast("Transport", self._transport()).close()

    def raw(self, message: Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        key = Secret.of(api_key)
        del api_key
        request = build_request(message, self.settings, None if key is None else checked_key(key))
        return self.run(answered(request))

    def send(self, message: Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        key = cast("Any", Secret.of(api_key))
        del api_key
        return self.raw(message, key).parse()

    def run(self, steps: Steps[T], wait: Callable[[float], object] = time.sleep) -> T:
        """Send each request of some steps until it is answered; `wait` returns True to repeat none any more."""
        outcome: Any = None
        with contextlib.closing(steps):
            while True:
                try:
                    request = steps.send(outcome)
                except StopIteration as end:
                    return cast("T", end.value)
                outcome = self._outcome(request, wait)

    def _outcome(self, request: HTTPRequest, wait: Callable[[float], object]) -> Outcome:
        transport: Transport = self._transport()
        attempt = 0
        while True:
            attempt += 1
            outcome = transport.send(request)
            pause = self._pause(request, outcome, attempt)
            if pause is None or wait(pause):
                return outcome


class AsyncSongbird(_Client):
    """The same for asyncio. A client belongs to the event loop that it is first used on.

    The parameters are those of `Songbird`, with an `httpx.AsyncClient` or an asynchronous transport.
    """

    _transport_kind = "AsyncTransport"

    create_session = _async_method(operations.create_session)
    get_session = _async_method(operations.get_session)
    create_dataset_profile_upload = _async_method(operations.create_dataset_profile_upload)
    create_reference_profile_upload = _async_method(operations.create_reference_profile_upload)
    batch_create_reference_profile_upload = _async_method(operations.batch_create_reference_profile_upload)
    claim_guest_session = _async_method(operations.claim_guest_session)
    get_session_profile_observatory_link = _async_method(operations.get_session_profile_observatory_link)
    list_session_profiles = _async_method(operations.list_session_profiles)

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
        worker._transports = [cast("AsyncTransport", self._transport()).single()]  # noqa: SLF001 - its own class
        worker._owner = True  # noqa: SLF001
        return worker

    async def raw(self, message: Request[T], api_key: str | None = None) -> RawResponse[T]:
        """Send a message and return the answer as it came, also one that refuses; ``parse()`` reads it."""
        key = Secret.of(api_key)
        del api_key
        request = build_request(message, self.settings, None if key is None else checked_key(key))
        return await self.run(answered(request))

    async def send(self, message: Request[T], api_key: str | None = None) -> T:
        """Send a request message and return the message that answers it; raises `SongbirdError`."""
        key = cast("Any", Secret.of(api_key))
        del api_key
        return (await self.raw(message, key)).parse()

    async def run(self, steps: Steps[T]) -> T:
        """Send each request of some steps until it is answered."""
        outcome: Any = None
        with contextlib.closing(steps):
            while True:
                try:
                    request = steps.send(outcome)
                except StopIteration as end:
                    return cast("T", end.value)
                outcome = await self._outcome(request)

    async def _outcome(self, request: HTTPRequest) -> Outcome:
        transport: AsyncTransport = self._transport()
        attempt = 0
        while True:
            attempt += 1
            outcome = await transport.send(request)
            pause = self._pause(request, outcome, attempt)
            if pause is None:
                return outcome
            await asyncio.sleep(pause)

"""Where a session lives: an endpoint that was named, or this user's local service."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, TypeVar

from ..client.errors import ConfigurationError, EndpointUnreachable, SessionExpired
from ..client.redaction import origin_of
from ..client.retry import Retry
from ..local import discovery, local_service
from .errors import SessionError
from .links import ObservatoryLink, followable, under

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..client import Songbird

T = TypeVar("T")

_AT_HOME = Retry(attempts=3, first_pause=0.05, longest_pause=0.1)


class Connection:
    """A client, made when it is first needed.

    Parameters
    ----------
    endpoint : str or None
        As given; None for the environment's, else the local service.
    api_key : str or None
        As given.
    client : Songbird or None
        One to use instead; it stays its owner's.
    on_change : callable
        Called with ``"reached"``, ``"unreachable"`` or ``"expired"`` as requests show it.
    """

    def __init__(
        self,
        endpoint: str | None,
        api_key: str | None,
        client: Songbird | None,
        on_change: Callable[[str], None],
    ) -> None:
        self.endpoint = None if client is not None else _named(endpoint)
        self._argument = endpoint
        self._api_key = api_key
        self._given = client
        self._made: Songbird | None = None
        self._on_change = on_change
        self._lock = threading.Lock()

    @property
    def local(self) -> bool:
        """Whether this is the local service because nobody named another."""
        return self.endpoint is None and self._given is None

    @property
    def label(self) -> str:
        """The endpoint as people may see it."""
        if self._given is not None:
            return self._given.settings.origin
        return "local service" if self.endpoint is None else origin_of(self.endpoint)

    def client(self) -> Songbird:
        """Return the client.

        Raises
        ------
        SongbirdError
            If the endpoint cannot be one, or the local service cannot be started.
        """
        from ..client import Songbird

        if self._given is not None:
            return self._given
        with self._lock:
            if self._made is None:
                try:
                    # The local service is here or gone: patience would not bring it back, a restart does.
                    retries = _AT_HOME if self.local else Retry()
                    # What a variable names is left to the client, whose errors name the variable.
                    by_variable = self._argument is None and _named(None) == self.endpoint
                    endpoint = None if by_variable else self.endpoint
                    self._made = Songbird(endpoint, self._api_key, retries=retries)
                    # A notebook that is run again drops its session without a word.
                    weakref.finalize(self, self._made.close)
                except local_service.LocalServiceError as error:
                    raise SessionError(str(error)) from None
            return self._made

    def ask(self, call: Callable[[Songbird], T]) -> T:
        """Ask something of the endpoint.

        Raises
        ------
        SongbirdError
            If it does not answer, or refuses.
        """
        try:
            try:
                answer = call(self.client())
            except EndpointUnreachable as error:
                # An answer that broke off may have been the answer to something that must not be done twice.
                if not self.local or error.ambiguous:
                    raise
                self.restart()
                answer = call(self.client())
        except EndpointUnreachable:
            self._on_change("unreachable")
            raise
        except SessionExpired:
            self._on_change("expired")
            raise
        self._on_change("reached")
        return answer

    def restart(self) -> None:
        """Start the local service again: it ends itself when idle, and may answer elsewhere now."""
        try:
            local_service.ensure()
        except local_service.LocalServiceError as error:
            raise SessionError(str(error)) from None
        self.close()

    def close(self) -> None:
        """Let go of connections; the next request makes new ones."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def organization(self, org_id: str | None, api_key: str | None) -> tuple[str, str | None]:
        """Return the organization to claim for and its key; the local service knows both."""
        if org_id is None:
            if not self.local:
                raise ConfigurationError("Name the organization that is to get the profiles: session.claim(org_id).")
            org_id = _local_organization()
        return org_id, self.key(api_key)

    def key(self, api_key: str | None = None) -> str | None:
        """Return the key to ask with; None leaves it to the client, which knows the environment's."""
        given = api_key or self._api_key
        return local_service.organization_key() if given is None and self.local else given

    def link(self, url: str, text: str, individual: Sequence[ObservatoryLink] = ()) -> ObservatoryLink:
        """Return an address of the observatory as the browser reaches it.

        Raises
        ------
        SessionError
            If it is no address to follow.
        """
        if not followable(url) or url.startswith("/"):
            raise SessionError("The endpoint answered with a link that is no http(s) address, so it is not shown.")
        relay = discovery.relay()
        service = None if relay is None else local_service.find()
        if relay is None or service is None or origin_of(url) != service.origin:
            return ObservatoryLink(url, individual=individual, text=text)
        best = url if relay.public_url is None else under(relay.public_url, url)
        return ObservatoryLink(best, href=under(relay.path, url), individual=individual, text=text)


def _named(endpoint: str | None) -> str | None:
    """Return the endpoint that the argument or the environment names; None means the local service."""
    if endpoint is not None:
        return endpoint
    # The client reads the same ones. It is not asked, for it would start the local service to answer.
    named = (os.environ.get(name, "") for name in ("SONGBIRD_ENDPOINT", "WHYLABS_API_ENDPOINT"))
    return next((value for value in named if value.strip()), None)


def _local_organization() -> str:
    try:
        return local_service.ensure().organization_id
    except local_service.LocalServiceError as error:
        raise SessionError(str(error)) from None

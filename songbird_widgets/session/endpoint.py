"""Where a session lives: an endpoint that was named, or this user's local service."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ..client.configuration import checked_endpoint
from ..client.errors import AuthenticationError, ConfigurationError, EndpointUnreachable
from ..client.redaction import origin_of
from ..client.retry import Retry
from ..local import discovery, identity, local_service
from ..secret import Secret
from .errors import SessionError
from .links import ObservatoryLink, followable, under

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..client import Songbird

T = TypeVar("T")

_LOCAL_RETRY = Retry(attempts=3, first_pause=0.05, longest_pause=0.1)


class Endpoint:
    """A client, made when it is first needed.

    Parameters
    ----------
    url : Secret or None
        As given, for its path may be one; None for the environment's, else the local service.
    api_key : Secret or None
        As given.
    client : Songbird or None
        One to use instead; it stays its owner's.

    Raises
    ------
    ConfigurationError
        If the URL that is given cannot be one; that of the environment is checked on first use.
    """

    def __init__(
        self, url: Secret | None = None, api_key: Secret | None = None, client: Songbird | None = None
    ) -> None:
        self.url = None if client is not None else _named(url)
        # What a variable names is left to the client, whose errors name the variable.
        self._argument = url
        self._api_key = api_key
        self._given = client
        self._made: Songbird | None = None
        self._lock = threading.Lock()

    @property
    def local(self) -> bool:
        """Whether this is the local service because nobody named another."""
        return self.url is None and self._given is None

    @property
    def label(self) -> str:
        """The endpoint as people may see it."""
        if self._given is not None:
            return self._given.settings.origin
        return "local service" if self.url is None else origin_of(_revealed(self.url))

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
                    self._made = Songbird(
                        _revealed(self._argument),
                        _revealed(self._api_key),
                        retries=_LOCAL_RETRY if self.local else Retry(),
                    )
                    # A notebook that is run again drops its session without a word.
                    weakref.finalize(self, self._made.close)
                except local_service.LocalServiceError as error:
                    raise SessionError(str(error)) from None
            return self._made

    def request(self, call: Callable[[Songbird], T]) -> T:
        """Ask something of the endpoint; a local service that has ended is started again.

        Raises
        ------
        SongbirdError
            If it does not answer, or refuses.
        """
        try:
            return call(self.client())
        except AuthenticationError:
            if not self._rotated():
                raise
        except EndpointUnreachable as error:
            # An answer that broke off may have been the answer to something that must not be done twice.
            if not self.local or error.ambiguous:
                raise
        self.restart()
        return call(self.client())

    def _rotated(self) -> bool:
        """Tell whether the local service was given new secrets since its client was made."""
        with self._lock:
            made = self._made
        if not self.local or made is None:
            return False
        known = identity.Identity.read(identity.default_data_dir())
        return known is not None and known.secret.reveal() not in made.settings.endpoint.reveal()

    def restart(self) -> None:
        """Start the local service again: it ends itself when idle, and may answer elsewhere now."""
        try:
            local_service.ensure()
        except local_service.LocalServiceError as error:
            raise SessionError(str(error)) from None
        self.close()

    def moved(self) -> bool:
        """Tell whether the local service has ended since it was asked last, or answers elsewhere now.

        It costs a look at a file. What was asked before may lead to where nobody answers; the next request finds the
        service, or starts it.
        """
        with self._lock:
            made = self._made
        if not self.local or made is None:
            return False
        record = identity.Record.read(identity.default_data_dir())
        if record is not None and urlsplit(made.settings.origin).port == record.port:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Let go of connections; the next request makes new ones."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def organization(self, org_id: str | None, api_key: Secret | None) -> tuple[str, Secret | None]:
        """Return the organization to claim for and its key; the local service knows both."""
        if org_id is None:
            if not self.local:
                raise ConfigurationError("Name the organization that is to get the profiles: session.claim(org_id).")
            try:
                org_id = local_service.ensure().organization_id
            except local_service.LocalServiceError as error:
                raise SessionError(str(error)) from None
        return org_id, self.key(api_key)

    def key(self, api_key: Secret | None = None) -> Secret | None:
        """Return the key to ask with; None leaves it to the client, which knows the environment's."""
        given = api_key or self._api_key
        return Secret(local_service.organization_key()) if given is None and self.local else given

    def links(self, urls: Iterable[tuple[str, str]]) -> list[ObservatoryLink]:
        """Return addresses of the observatory, each with its text, as the browser reaches them.

        Raises
        ------
        SessionError
            If one is no address to follow.
        """
        given = list(urls)
        if any(not followable(url) or url.startswith("/") for url, _ in given):
            del urls, given  # frames of an error show what is left
            raise SessionError("The endpoint answered with a link that is no http(s) address, so it is not shown.")
        relay = discovery.relay()
        relayed = None if relay is None else self._relayed_origin(given[0][0])
        links = []
        for url, text in given:
            if relay is None or origin_of(url) != relayed:
                links.append(ObservatoryLink(url, text=text))
            else:
                best = url if relay.public_url is None else under(relay.public_url, url)
                links.append(ObservatoryLink(best, href=under(relay.path, url), text=text))
        return links

    def _relayed_origin(self, url: str) -> str | None:
        """Return the origin of the service that the relay leads to: this user's local one."""
        if self.local:
            return origin_of(url)
        if urlsplit(url).hostname != "127.0.0.1":
            return None
        # Somebody named an endpoint on this machine: it may be the local service all the same.
        service = local_service.find()
        return None if service is None else service.origin


def _revealed(given: Any) -> Any:
    return given.reveal() if isinstance(given, Secret) else given


def _named(url: Secret | None) -> Secret | None:
    """Return the endpoint that the argument or the environment names; None means the local service."""
    if url is not None:
        try:
            return checked_endpoint(_revealed(url))
        except ConfigurationError as error:
            raise error.with_traceback(None) from None  # whose frames hold the address
    # The client reads the same ones. It is not asked, for it would start the local service to answer.
    named = (os.environ.get(name, "") for name in ("SONGBIRD_ENDPOINT", "WHYLABS_API_ENDPOINT"))
    return next((Secret(value) for value in named if value.strip()), None)

"""Where a client talks to and with what: from arguments, the environment, or the local service."""

from __future__ import annotations

import os
import re
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from ..secret import Secret
from .errors import ConfigurationError
from .redaction import Redacted, is_host, origin_of
from .retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..local.route import Route

MAX_TIMEOUT_SECONDS = 1_000_000_000  # sockets take no more than about nine times that
_ENDPOINT_VARIABLES = ("SONGBIRD_ENDPOINT", "WHYLABS_API_ENDPOINT")
_KEY_VARIABLES = ("SONGBIRD_API_KEY", "WHYLABS_API_KEY")
_PUBLIC_KEY_ID = re.compile(r"[A-Za-z0-9]{10}\.")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS = frozenset(
    {"x-api-key", "host", "content-length", "transfer-encoding", "accept-encoding", "x-request-id"}
)


class Settings(Redacted, frozen=True, dict=True):
    """What every request of a client has in common."""

    _shown = ("origin", "key_label", "timeout", "retry")
    endpoint: Secret  # its path may be one
    api_key: Secret | None
    timeout: float
    retry: Retry
    headers: tuple[tuple[str, Secret], ...] = ()
    route: Route | None = None  # to the local service, if it is that

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port: what may be shown of the endpoint."""
        return origin_of(self.endpoint.reveal())

    @property
    def key_label(self) -> str:
        """What may be shown of the API key: its public id, if it has one."""
        match = _PUBLIC_KEY_ID.match(self.api_key.reveal() if self.api_key else "")
        return "none" if self.api_key is None else f"{match[0] if match else ''}…"

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything of the settings that must be blanked out of what a server says."""
        path = urlsplit(self.endpoint.reveal()).path
        parts = tuple(Secret(part) for part in (path, *path.split("/")) if part)
        return (*((self.api_key,) if self.api_key else ()), *parts, *(value for _, value in self.headers))

    def changed(
        self, timeout: float | None, retries: int | Retry | None, headers: Mapping[str, Any] | None
    ) -> Settings:
        """Return the same settings with some of them changed; headers are added to those that are there."""
        seconds = self.timeout if timeout is None else _seconds(timeout)
        policy, extra = self.retry if retries is None else _retry(retries), (*self.headers, *_headers(headers))
        return msgspec.structs.replace(self, timeout=seconds, retry=policy, headers=extra)


def configure(
    endpoint: object,
    api_key: object,
    timeout: float,
    retries: int | Retry,
    headers: Mapping[str, Any] | None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Settings:
    """Find out where to talk to, and check it; the local service is started only if nothing names another.

    While the local service starts, which has another core for it, `meanwhile` is called.
    """
    endpoint, source = _first(endpoint, "the argument endpoint", _ENDPOINT_VARIABLES)
    api_key, key_source = _first(api_key, "the argument api_key", _KEY_VARIABLES)
    key = None if api_key is None else checked_key(api_key, key_source)
    options: dict[str, Any] = {"timeout": _seconds(timeout), "retry": _retry(retries), "headers": _headers(headers)}
    if endpoint is not None:
        address, route = checked_endpoint(endpoint, source), None
        if "/k/" in address.reveal():  # it may be the local service's
            from ..local import local_service

            route = local_service.route_to(address)
    else:
        from ..local import local_service

        beside = threading.Thread(target=meanwhile, daemon=True)
        beside.start()
        service = local_service.ensure()
        beside.join()
        address, route = Secret(service.endpoint), service.route
    return Settings(address, key, **options, route=route)


def checked_key(api_key: object, source: str = "the argument api_key") -> Secret:
    """Return an API key as it can be sent in a header, without white space around it."""
    key = api_key.strip() if isinstance(api_key, str) else ""
    if not key:
        raise ConfigurationError(f"The API key from {source} is empty or no text.")
    if not key.isascii() or not key.isprintable() or " " in key:
        advice = "Copy it once more, alone."
        raise ConfigurationError(f"The API key from {source} holds characters that no key has.", advice=advice)
    return Secret(key)


def _first(value: object, argument: str, variables: tuple[str, ...]) -> tuple[object, str]:
    if value is not None:
        return value, argument
    name = next((name for name in variables if os.environ.get(name, "").strip()), None)
    return (None, "") if name is None else (os.environ[name], f"the variable {name}")


def checked_endpoint(given: object, source: str = "the argument endpoint") -> Secret:
    """Return an endpoint as requests are made to it, without white space around it or a slash at its end."""
    endpoint = given.strip().rstrip("/") if isinstance(given, str) else ""
    if not _is_address(endpoint):
        advice = "It looks like https://songbird.example.com, without user name, query or fragment."
        raise ConfigurationError(f"The endpoint from {source} is not an address that can be used.", advice=advice)
    return Secret(endpoint)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return False
    return usable and text.isascii() and text.isprintable() and not any(c in text for c in ' ?#@\\"<>')


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= MAX_TIMEOUT_SECONDS:
        raise ConfigurationError("The timeout must be a number of seconds above 0, at most 1,000,000,000.")
    return float(timeout)


def _retry(retries: object) -> Retry:
    if isinstance(retries, Retry):
        return retries
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ConfigurationError("retries must be a number of repetitions, 0 or more, or a Retry.")
    return Retry(attempts=retries + 1)


def _headers(headers: Mapping[str, Any] | None) -> tuple[tuple[str, Secret], ...]:
    given: dict[Any, Any] = dict(headers or {})
    for name, value in given.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError("A header's name holds characters that no header's name has.")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(f"The header {name} is set by the client itself.")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"The header {name} holds characters that cannot be sent.")
    return tuple((name, Secret(value)) for name, value in given.items())

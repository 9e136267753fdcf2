"""How often a session, a key or an address may ask: each has a bucket of requests that fills again at a steady rate."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from .errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tornado.httputil import HTTPServerRequest

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_RATE = 100.0
"""Requests a second for a long time."""

BURST_SECONDS = 10.0
"""So many seconds' requests may come at once."""

FAILURE_COST = 10
"""Requests of an address that one for which it had no right, or that found nothing, counts as: ids are not guessed."""

_MAX_OWNERS = 50_000
_NAMED = re.compile(r"/v0/sessions/(?:observatory-link/)?([^/?]+)|/uploads/([^/?]+)")
_FREE = ("/health", "/ready", "/metrics", "/static/")


class Rates:
    """The buckets of a process, those that were used last.

    Parameters
    ----------
    rate : float
        Requests a second of each owner.
    proxies : sequence of networks, optional
        From where ``X-Forwarded-For`` is believed.
    """

    def __init__(self, rate: float, proxies: Sequence[Network] = ()) -> None:
        self._rate = rate
        self._burst = rate * BURST_SECONDS
        self._proxies = proxies
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, request: HTTPServerRequest) -> None:
        """Take a request out of its owner's bucket.

        Raises
        ------
        TooManyRequests
            When that is empty, or the bucket of the address that it comes from.
        """
        if request.path.startswith(_FREE):
            return
        owner, address = owner_of(request), self.address_of(request)
        shared = owner is None
        wait = self._take(owner or f"address {address or request.remote_ip}", 1)
        if wait is None and not shared and address is not None:
            wait = self._take(f"address {address}", 0)
        if wait is not None:
            error = TooManyRequests(
                f"More requests came from here than {self._rate:g} a second for long. Try again in a moment."
            )
            error.retry_after = math.ceil(wait)
            raise error

    def note(self, request: HTTPServerRequest, status: int) -> None:
        """Count a request that had no right, or named what is unknown, against the address that it came from."""
        failed = status in {401, 403} or (status == 404 and "X-API-Key" not in request.headers)
        if failed and (address := self.address_of(request)) is not None:
            self._take(f"address {address}", FAILURE_COST)

    def address_of(self, request: HTTPServerRequest) -> str | None:
        """Return the address that a request came from; None when some proxy, unknown here, stands between."""
        peer, forwarded = str(request.remote_ip), request.headers.get("X-Forwarded-For")
        if forwarded is None:
            return peer
        addresses = [peer, *reversed([part.strip() for part in forwarded.split(",")])]
        for place, address in enumerate(addresses):
            if not self._is_proxy(address):
                return address if place else None
        return addresses[-1]

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)

    def _take(self, owner: str, count: float) -> float | None:
        """Take requests out of a bucket; return the seconds until there is one again if it was empty."""
        now = time.monotonic()
        left, since = self._buckets.get(owner, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        wait = None if left >= 1 else (1 - left) / self._rate
        if wait is None or count > 1:
            left = max(left - count, -self._burst)
        self._buckets[owner] = (left, now)
        self._buckets.move_to_end(owner)
        if len(self._buckets) > _MAX_OWNERS:
            self._buckets.popitem(last=False)
        return wait


def owner_of(request: HTTPServerRequest) -> str | None:
    """Return whose bucket a request is taken out of, without anything that opens it; None for that of its address."""
    if key := request.headers.get("X-API-Key"):
        return _hashed("key", key)
    token = request.query_arguments.get("sessionToken")
    if token:
        return _hashed("session", token[0].decode("utf-8", "replace"))
    found = _NAMED.match(request.path)
    return found and (_hashed("session", found[1]) if found[1] else _hashed("upload", found[2]))


def _hashed(kind: str, secret: str) -> str:
    return f"{kind} {hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()[:32]}"

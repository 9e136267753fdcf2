"""Where the bytes of a slot are to be put: addresses of the service itself, signed and good for a while."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from .errors import Forbidden

if TYPE_CHECKING:
    from ..secret import Secret

#: How long an upload URL is good for, in seconds: what object stores' presigned URLs usually have.
LIFETIME = 15 * 60

MAX_PROFILE_BYTES = 256 << 20


class UploadURLs(Protocol):
    """Where the bytes of a slot are to be put: to the service (`UploadSigner`) or to a store (`DirectUploads`)."""

    def url(self, origin: str, org_id: str, dataset_id: str, profile_id: str, /) -> str:
        """Return an address that takes the bytes of a profile for `LIFETIME` seconds.

        Parameters
        ----------
        origin
            Where clients reach the service.
        org_id, dataset_id, profile_id
            The slot.
        """

    def take(self, org_id: str, dataset_id: str) -> None:
        """Learn what was put for a dataset, so that who looks now sees it; blocks."""


class UploadSigner:
    """Makes and checks upload URLs.

    Parameters
    ----------
    key : Secret
        The service's signing key.
    """

    def __init__(self, key: Secret) -> None:
        self._key = key

    def url(self, origin: str, _org_id: str, _dataset_id: str, profile_id: str) -> str:
        """An address at `origin` that takes the bytes of a profile for `LIFETIME` seconds."""
        expires = int(time.time()) + LIFETIME
        query = urlencode({"expires": expires, "signature": self._signature(profile_id, str(expires))})
        return f"{origin}/uploads/{profile_id}?{query}"

    def take(self, _org_id: str, _dataset_id: str) -> None:
        """Do nothing: each upload was confirmed with its answer."""

    def check(self, profile_id: str, expires: str, signature: str) -> None:
        """Refuse a URL that was not made here, was changed, or has expired.

        Raises
        ------
        Forbidden
            With the reason.
        """
        expected = self._signature(profile_id, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise Forbidden("The signature of this upload URL is wrong. Use the URL exactly as it was given out.")
        if int(expires) < time.time():  # what was signed is a number
            raise Forbidden("This upload URL has expired. Ask for a new upload slot and PUT the profile there.")

    def _signature(self, profile_id: str, expires: str) -> str:
        text = f"PUT\n{profile_id}\n{expires}".encode("utf-8", "replace")
        return hmac.new(self._key.reveal().encode(), text, hashlib.sha256).hexdigest()

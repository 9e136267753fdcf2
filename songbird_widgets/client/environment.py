"""What surrounds a client: the proxy to a host, and the certificates to trust. Wrong settings are told by name."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import ipaddress
import os
import re
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from ..basics import reason_of
from ..secret import Secret
from .errors import ConfigurationError
from .redaction import Redacted, is_host, origin_of, plain

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")  # how OpenSSL finds a certificate in a directory


class Proxy(Redacted, frozen=True):
    """A proxy, and which setting names it; its URL may hold a password."""

    _shown = ("label",)
    url: Secret
    source: str

    @property
    def label(self) -> str:
        """The proxy as people may see it."""
        return f"the proxy {origin_of(self.url.reveal())} (from {self.source})"

    @property
    def advice(self) -> str:
        """What to do about a proxy that does not work."""
        variable = "_" in self.source
        return f"Check {self.source}" + (", or name the host in NO_PROXY if it needs no proxy." if variable else ".")

    def for_httpx(self, trust: Trust) -> httpx.Proxy:
        """Return it as httpx takes it."""
        address = self.url.reveal()
        return httpx.Proxy(address, ssl_context=trust.context() if address.lower().startswith("https:") else None)

    def checked(self) -> Proxy:
        """Return the proxy itself, or raise `ConfigurationError` if it cannot be used."""
        said, scheme = f"The proxy from {self.source} is", _scheme(self.url)
        if not scheme:
            advice = "It looks like http://proxy.example.com:3128."
            raise ConfigurationError(f"{said} not an address that can be used.", advice=advice)
        if scheme not in {"http", "https", "socks5", "socks5h"}:
            advice = "It begins with http://, https://, socks5:// or socks5h://."
            raise ConfigurationError(f"{said} of a kind that cannot be used ({scheme}).", advice=advice)
        if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
            advice = f"Install it (pip install 'httpx[socks]'), or change {self.source}."
            raise ConfigurationError(f"{said} a SOCKS proxy, for which the package socksio is missing.", advice=advice)
        return self


def _scheme(url: Secret) -> str:
    with contextlib.suppress(ValueError, httpx.InvalidURL):
        parsed = httpx.URL(url.reveal())
        return parsed.scheme if is_host(parsed.host) and 0 < (parsed.port or 1) < 65_536 else ""
    return ""


def proxy_for(scheme: str, host: str, port: int | None) -> Proxy | None:
    """Return the proxy that the environment names for a host, or None.

    The variables are those of curl, in lower or upper case: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and
    ``NO_PROXY``; else the system's settings where Python knows them. This computer itself needs no proxy.
    """
    proxies = getproxies()
    if _is_exempt(host, port or _DEFAULT_PORTS.get(scheme), proxies.get("no", "")):
        return None
    for name in (scheme, "all"):
        if address := proxies.get(name, "").strip():
            variables = (f"{name}_proxy", f"{name}_proxy".upper())
            source = next((v for v in variables if os.environ.get(v)), "this computer's settings")
            return Proxy(Secret(address if "://" in address else f"http://{address}"), source).checked()
    return None


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    address = None
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
    if host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback):
        return True
    for entry in map(str.strip, exempt.split(",")):
        if entry == "*" or (entry.startswith("*.") and f".{host}".endswith(entry[1:].lower())):
            return True
        with contextlib.suppress(ValueError):
            if address is not None and address in ipaddress.ip_network(entry.strip("[]"), strict=False):
                return True
    return bool(proxy_bypass(host if port is None else f"{host}:{port}"))


class Trust:
    """The certificates to trust, read when a secure connection is first made.

    Parameters
    ----------
    verify : bool, str, Path or ssl.SSLContext
        True for ``SSL_CERT_FILE``, else ``SSL_CERT_DIR``, else certifi's; False to trust anyone; or a PEM file,
        a directory as OpenSSL wants it, or a context.
    """

    def __init__(self, verify: Any) -> None:
        if not isinstance(verify, (bool, str, Path, ssl.SSLContext)) or verify == "":
            said = "What verify says must be True, False, a PEM file, a directory or an ssl.SSLContext."
            raise ConfigurationError(said)
        self._verify = verify
        self._context = verify if isinstance(verify, ssl.SSLContext) else None
        self._lock = threading.Lock()

    def context(self, *, secure: bool = True) -> ssl.SSLContext:
        """Return the context of all secure connections; else one that trusts nobody, without the milliseconds."""
        if not secure:
            return _nobody()
        with self._lock:
            if self._context is None:
                self._context = self._made()
            return self._context

    def advice(self) -> str:
        """What to do about an authority that is not trusted."""
        name, _ = self._source()
        if name:
            return f"If you trust it, add its authority to what {name} names, or pass verify."
        advice = "If you trust it, set SSL_CERT_FILE to a PEM file with its authority, or pass verify."
        unread = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)
        return f"{advice} {unread} is not read here." if unread else advice

    def _source(self) -> tuple[str, str]:
        """Return which setting names the certificates, and their path; two empty texts for httpx's own."""
        if isinstance(self._verify, (str, Path)):
            return "the argument verify", os.fspath(self._verify)
        if self._verify is not True:
            return "the argument verify" if self._verify else "", ""
        names = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
        return (names[0], os.environ[names[0]]) if names else ("", "")

    def _made(self) -> ssl.SSLContext:
        name, path = self._source()
        try:
            if not path:
                return httpx.create_ssl_context(verify=bool(self._verify), trust_env=False)
            reason = _no_certificates(path, directory=name == "SSL_CERT_DIR")
            if not reason:
                folder = all(Path(part).is_dir() for part in path.split(os.pathsep))
                return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
        except ssl.SSLError:
            reason = "there are no PEM certificates in it"
        except (OSError, ValueError) as error:
            reason, log = reason_of(error).lower(), os.environ.get("SSLKEYLOGFILE")
            if log and getattr(error, "filename", None) == log:
                said = f"The file {plain(log)}, which SSLKEYLOGFILE names, cannot be written: {reason}."
                raise ConfigurationError(said, advice="Unset it, or let it name one that can be written.") from None
        if not path:
            raise ConfigurationError(f"No certificates to trust could be loaded: {reason}.")
        said = f"The certificates to trust cannot be read from {plain(path)}, which {name} names: {reason}."
        raise ConfigurationError(said, advice="Let it name a PEM file" + (", or unset it." if name.isupper() else "."))


@functools.cache
def _nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _no_certificates(path: str, *, directory: bool) -> str:
    """Return why a folder has no certificates, which OpenSSL would not say; "" if there may be some."""
    folders = [Path(part) for part in path.split(os.pathsep) if Path(part).is_dir()]
    if not folders:
        return "there is no such directory" if directory else ""
    found = any(_HASHED_NAME.fullmatch(file.name) for folder in folders for file in folder.iterdir())
    return "" if found else "no file there has a name as `openssl rehash` gives it"

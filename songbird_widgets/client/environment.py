"""What surrounds a client: the proxy to a host, and the certificates to trust. Wrong settings are told by name."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import os
import re
import ssl
import threading
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx

from .errors import ConfigurationError
from .redaction import Redacted, Secret, origin_of, plain

MAX_PORT = 65_535
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
        if "_" in self.source:  # a variable
            return f"Check {self.source}, or name the host in NO_PROXY if it needs no proxy."
        return f"Check {self.source}."

    def checked(self) -> Proxy:
        """Return the proxy itself, or raise `ConfigurationError` if it cannot be used."""
        scheme = _scheme(self.url)
        if scheme is None:
            said = f"The proxy from {self.source} is not an address that can be used."
            raise ConfigurationError(said, advice="It looks like http://proxy.example.com:3128.")
        if scheme not in {"http", "https", "socks5", "socks5h"}:
            said = f"The proxy from {self.source} is of a kind that cannot be used ({scheme})."
            raise ConfigurationError(said, advice="It begins with http://, https://, socks5:// or socks5h://.")
        if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
            said = f"The proxy from {self.source} is a SOCKS proxy, for which the package socksio is missing."
            advice = f"Install it (pip install 'httpx[socks]'), or change {self.source}."
            raise ConfigurationError(said, advice=advice)
        return self

    def for_httpx(self, trust: Trust) -> httpx.Proxy:
        """Return the proxy as httpx wants it."""
        url = self.url.reveal()
        return httpx.Proxy(url, ssl_context=trust.context() if url.lower().startswith("https:") else None)


def _scheme(url: Secret) -> str | None:
    with contextlib.suppress(ValueError, httpx.InvalidURL):
        parsed = httpx.URL(url.reveal())
        if parsed.scheme and parsed.host and 0 < (parsed.port or 1) <= MAX_PORT:
            return parsed.scheme
    return None


def proxy_for(scheme: str, host: str, port: int | None) -> Proxy | None:
    """Return the proxy that the environment names for a host, or None.

    The variables are those of curl, in lower or upper case: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and
    ``NO_PROXY``; else the system's settings where Python knows them. This computer itself needs no proxy.
    """
    if _is_loopback(host):
        return None
    proxies = getproxies()
    if _is_exempt(host, port or _DEFAULT_PORTS.get(scheme), proxies.get("no", "")):
        return None
    for name in (scheme, "all"):
        if address := proxies.get(name, "").strip():
            variables = (f"{name}_proxy", f"{name}_proxy".upper())
            source = next((v for v in variables if os.environ.get(v)), "this computer's settings")
            return Proxy(Secret(address if "://" in address else f"http://{address}"), source).checked()
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    for entry in (entry.strip() for entry in exempt.split(",")):
        if entry == "*":
            return True
        if entry.startswith("*.") and f".{host}".endswith(entry[1:].lower()):
            return True
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False):
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

    def __init__(self, verify: bool | str | Path | ssl.SSLContext) -> None:
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def context(self) -> ssl.SSLContext:
        """Return the SSLContext of all connections; making one takes tens of milliseconds."""
        with self._lock:
            if self._context is None:
                self._context = self._made()
            return self._context

    @staticmethod
    def no_context() -> ssl.SSLContext:
        """Return a context that trusts nobody, for connections that are not secure."""
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def advice(self) -> str:
        """What to do about an authority that is not trusted."""
        if self._verify is not True:
            return "If you trust it, add its authority to what the argument verify names."
        if name := _variable():
            return f"If you trust it, add its authority to what {name} names, or pass verify."
        advice = "If you trust it, set SSL_CERT_FILE to a PEM file with its authority, or pass verify."
        unread = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)
        return f"{advice} {unread} is not read here." if unread else advice

    def _made(self) -> ssl.SSLContext:
        if isinstance(self._verify, ssl.SSLContext):
            return self._verify
        if isinstance(self._verify, bool):
            name = _variable() if self._verify else None
            path = os.environ[name] if name else None
        else:
            name, path = "the argument verify", os.fspath(self._verify)
        reason = None if path is None else _unreadable(path, directory=name == "SSL_CERT_DIR")
        if reason is None:
            try:
                if isinstance(self._verify, bool):
                    return httpx.create_ssl_context(verify=self._verify)
                if Path(str(path)).is_dir():
                    return ssl.create_default_context(capath=path)
                return ssl.create_default_context(cafile=path)
            except (OSError, ValueError) as error:
                reason = _reason(error)
        if path is None:
            keylog = "SSLKEYLOGFILE" if os.environ.get("SSLKEYLOGFILE") else None
            said = f"No certificates to trust could be loaded: {reason}."
            advice = f"Unset {keylog}, or let it name a file that can be written." if keylog else None
            raise ConfigurationError(said, advice=advice)
        said = f"The certificates to trust cannot be read from {plain(path)}, which {name} names: {reason}."
        advice = "Let it name a PEM file" + (", or unset it." if str(name).isupper() else ".")
        raise ConfigurationError(said, advice=advice)


def _variable() -> str | None:
    return next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), None)


def _unreadable(path: str, *, directory: bool) -> str | None:
    """Return why there are no certificates at a path, or None if there may be."""
    folders = [Path(part) for part in path.split(os.pathsep) if Path(part).is_dir()]
    if not directory and not folders:
        try:
            with Path(path).open("rb"):
                return None
        except (OSError, ValueError) as error:
            return _reason(error)
    if not folders:
        return "there is no such directory"
    try:
        found = any(_HASHED_NAME.fullmatch(file.name) for folder in folders for file in folder.iterdir())
    except OSError as error:
        return _reason(error)
    return None if found else "no file there has a name as `openssl rehash` gives it"


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return "there are no PEM certificates in it"
    return (getattr(error, "strerror", None) or "it cannot be opened").lower()

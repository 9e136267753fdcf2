"""Why a request has no answer, from the exceptions of httpx and what caused them."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import TYPE_CHECKING

import httpx

from .errors import SongbirdError
from .redaction import plain
from .response import Failure
from .retry import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import Proxy, Trust

# The first that fits. No text of an exception is used: httpx's carry URLs and header values.
_FAILURES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Failure], ...] = (
    (httpx.ConnectTimeout, Failure(FailureKind.CONNECT, "no answer to the attempt to connect")),
    (httpx.PoolTimeout, Failure(FailureKind.CONNECT, "no connection was free")),
    ((httpx.TimeoutException, TimeoutError), Failure(FailureKind.TIMEOUT)),
    ((httpx.UnsupportedProtocol, httpx.InvalidURL), Failure(FailureKind.LOCAL, "its address cannot be used")),
    (httpx.LocalProtocolError, Failure(FailureKind.LOCAL, "its address or one of its headers cannot be used")),
    ((httpx.NetworkError, httpx.RemoteProtocolError, OSError), Failure(FailureKind.BROKEN)),
)
# Why no connection came about, by errno: of an endpoint, and of a proxy.
_NO_CONNECTION = {
    errno.ENOENT: ("nothing is listening there", "nothing is listening at"),  # at a Unix socket
    errno.ECONNREFUSED: ("nothing is listening there", "nothing is listening at"),
    errno.ENETUNREACH: ("no network leads there", "no network leads to"),
    errno.EHOSTUNREACH: ("no network leads there", "no network leads to"),
    errno.EMFILE: ("this process has too many open files", "too many files are open to connect to"),
    errno.ENFILE: ("this computer has too many open files", "too many files are open to connect to"),
}
_OTHER_NAME = ("its certificate is for another name", "Use the name that the certificate has.")
# By OpenSSL's X509_V_ERR_…; any other is an authority that is not trusted.
_CERTIFICATES = {
    9: ("its certificate is not valid yet", "Check this computer's clock."),
    10: ("its certificate has expired", "Ask who runs it; and check this computer's clock."),
    62: _OTHER_NAME,
    63: _OTHER_NAME,
    64: _OTHER_NAME,
}
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}


def failure_of(error: Exception, host: str, proxy: Proxy | None, trust: Trust) -> Failure | None:
    """Return why there is no answer, or None if it is not for a reason that a network has.

    `proxy` is what the request went through, as far as it is known.
    """
    if isinstance(error, SongbirdError):
        error.__traceback__ = error.__context__ = None
        return Failure(FailureKind.LOCAL, error=error)
    if isinstance(error, httpx.ProxyError):
        status = str(error)[:3]  # of the answer to CONNECT; SOCKS has none
        return refused_by_proxy(proxy, int(status) if status.isdecimal() else None)
    if proxy is not None and type(error).__module__.startswith("socksio"):  # whose errors httpx lets through
        return Failure(FailureKind.UNUSABLE, f"{proxy.label} does not answer as a SOCKS proxy does", proxy.advice)
    if isinstance(error, httpx.ConnectError):
        return _not_connected(error, host, proxy, trust)
    if isinstance(error, httpx.ConnectTimeout) and proxy is not None:
        return Failure(FailureKind.UNUSABLE, f"{proxy.label} does not answer", proxy.advice)
    return next((failure for kinds, failure in _FAILURES if isinstance(error, kinds)), None)


def refused_by_proxy(proxy: Proxy | None, status: int | None) -> Failure:
    """Say that a proxy did not pass the request on."""
    label = "a proxy on the way" if proxy is None else proxy.label
    if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        where = "the proxy's address" if proxy is None else proxy.source
        advice = f"Put them into {where}: http://USER:PASSWORD@HOST:PORT."
        return Failure(FailureKind.UNUSABLE, f"{label} wants a user name and password (407)", advice)
    shown = "" if status is None else f" ({status})"
    advice = "Ask who runs the proxy." if proxy is None else proxy.advice
    return Failure(FailureKind.UNUSABLE, f"{label} refused to connect{shown}", advice)


def _not_connected(error: Exception, host: str, proxy: Proxy | None, trust: Trust) -> Failure:
    from ..local.route import StrangerError  # here, because few need it

    there, at = "", "no connection to"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return _not_secure(cause, trust, "" if proxy is None else f", on the way through {proxy.label}")
        if isinstance(cause, StrangerError):
            return Failure(
                FailureKind.UNUSABLE, str(cause), "Your local service has ended; a new session starts it again."
            )
        if isinstance(cause, socket.gaierror):
            if proxy is not None:
                return Failure(FailureKind.UNUSABLE, f"the name of {proxy.label} is not known (DNS)", proxy.advice)
            # A name server that does not answer now may do so later.
            kind = FailureKind.CONNECT if cause.errno == socket.EAI_AGAIN else FailureKind.UNUSABLE
            return Failure(kind, f"the name {plain(host)} is not known (DNS)", "Check the address and the network.")
        if isinstance(cause, OSError) and cause.errno in _NO_CONNECTION:
            there, at = _NO_CONNECTION[cause.errno]
            break
    if proxy is not None:
        return Failure(FailureKind.UNUSABLE, f"{at} {proxy.label}", proxy.advice)
    return Failure(FailureKind.CONNECT, there, "Close some of them." if "open files" in there else None)


def _not_secure(error: ssl.SSLError, trust: Trust, way: str) -> Failure:
    detail, advice = "no secure connection (TLS) came about", "Check the address, and who answers there."
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = ("its certificate is not trusted", trust.advice())
        detail, advice = _CERTIFICATES.get(error.verify_code, untrusted)
        detail += f" ({error.verify_message})"
    elif error.reason in _NO_TLS:
        detail, advice = "it speaks no TLS", "Check the port; or if it is meant to be insecure, write http://."
    return Failure(FailureKind.UNUSABLE, detail + way, advice)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        for inner in getattr(error, "exceptions", ()):  # of the addresses that a name has, each failed for its reason
            yield from _causes(inner)
        error = error.__cause__ or error.__context__

"""Peers that never come to an end, though each byte of theirs is in time: the caller has control back all the same."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from songbird_widgets import client as c

SESSION = "session-6LpLSESSIONCANARY"
SECONDS = 8.0  # in which a busy machine connects
MODES = ("threads", "asyncio")
HTTP, HTTPS = "http://127.0.0.1:{}", "https://127.0.0.1:{}"
FAR = "https://songbird.example.com"  # reached through a proxy only
TIME_OUT = r"did not finish answering .+ in \d+(\.\d)? s\. Try again"
NO_PROXY = r"No connection to https://songbird.example.com: the proxy \w+://127.0.0.1:\d+ \(from .+\) does not answer"
NO_TLS = "No connection to https://127.0.0.1:.+ no answer to the attempt to connect"


def endless(line, piece):
    """Send something again and again, slowly enough to leave the processor to others."""
    while not line.server.closing.is_set():
        line.sock.sendall(piece)
        time.sleep(0.03)


def interim(line):
    endless(line, b"".join(b"HTTP/1.1 %d Wait\r\nX-Wait: a while\r\n\r\n" % status for status in (100, 102, 103)))


def slow_head(line):
    line.sock.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    endless(line, b"x")


def slow_body(line):
    line.send(200, b"{", length=10**9)
    endless(line, b" ")


def slow_body_to_the_end_of_the_connection(line):
    line.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    endless(line, b" ")


def slow_chunks(line):
    line.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    endless(line, b"1\r\n \r\n")


def slow_greeting(line):
    line.sock.recv(1)  # not before the client's
    line.sock.sendall(b"\x16\x03\x03\x3f\xff\x02")  # the beginning of a TLS record of 16 kB
    endless(line, b"\0")


def refusal_of_what_is_not_read(line):
    line.send(503, b"later")
    line.server.closing.wait()


def slow_reading(line):
    while not line.server.closing.is_set():
        line.sock.recv(1)
        time.sleep(0.03)


UNREAD = (refusal_of_what_is_not_read, slow_reading)  # where the end of the connection, behind the rest, never comes


def silence(line):
    line.wait()


def then(behave, *before):
    """Read a request, and send something, before anything else."""

    def after(line):
        line.head()
        for piece in before:
            line.sock.sendall(piece)
        behave(line)

    return after


@dataclass
class Case:
    """A behaviour, on what it is shown, and what is said about it."""

    behave: Callable[[Any], None]
    says: str = TIME_OUT
    on: str = "request"  # or the second request of a connection, the PUT, or a new connection
    endpoint: str = HTTP
    proxy: str | None = None
    secure: bool = False  # whether the server speaks TLS


CONNECTED = b"HTTP/1.1 200 Connected\r\n\r\n"
CASES = {
    **{behave.__name__: Case(behave) for behave in (interim, slow_head, slow_body, slow_chunks)},
    "body to the end of the connection": Case(slow_body_to_the_end_of_the_connection),
    "interim after another answer": Case(interim, on="second"),
    "head after another answer": Case(slow_head, on="second"),
    "interim by TLS": Case(interim, endpoint=HTTPS, secure=True),
    "body by TLS after another answer": Case(slow_body, on="second", endpoint=HTTPS, secure=True),
    "interim to a profile": Case(interim, on="PUT"),
    "head to a profile": Case(slow_head, on="PUT"),
    "refusal of a profile that is not read": Case(refusal_of_what_is_not_read, on="PUT"),
    "profile read slowly": Case(slow_reading, on="PUT"),
    "TLS that says nothing": Case(silence, NO_TLS, on="connection", endpoint=HTTPS),
    "TLS that greets slowly": Case(slow_greeting, NO_TLS, on="connection", endpoint=HTTPS),
    "proxy that says nothing": Case(silence, NO_PROXY, "connection", FAR, HTTP),
    "proxy that answers slowly": Case(then(slow_head), NO_PROXY, "connection", FAR, HTTP),
    "proxy with interim answers": Case(then(interim), NO_PROXY, "connection", FAR, HTTP),
    "proxy to silence": Case(then(silence, CONNECTED), NO_PROXY, "connection", FAR, HTTP),
    "proxy to slow TLS": Case(then(slow_greeting, CONNECTED), NO_PROXY, "connection", FAR, HTTP),
    "secure proxy that answers slowly": Case(then(slow_head), NO_PROXY, "connection", FAR, HTTPS, secure=True),
    "secure proxy to slow TLS": Case(then(slow_greeting, CONNECTED), NO_PROXY, "connection", FAR, HTTPS, secure=True),
    "SOCKS proxy that says nothing": Case(silence, NO_PROXY, "connection", FAR, "socks5://127.0.0.1:{}"),
}


def shown(case):
    """Return a behaviour of the server in conftest.py that meets what the case is about."""

    def behave(line, seen):
        met = {
            "connection": seen is None,
            "request": seen is not None,
            "second": seen is not None and len(line.server.seen) == 2,
            "PUT": seen is not None and seen.method == "PUT",
        }
        if not met[case.on]:
            return False
        if case.on in {"request", "second"}:
            line.body(seen)
        line.reset = True
        case.behave(line)
        return True

    return behave


def run(case, mode, server, trusting):
    """Return the error with which the case ends."""
    options: dict[str, Any] = {"timeout": SECONDS, "retries": 0, "verify": trusting}
    if case.proxy is not None:
        options["proxy"] = case.proxy.format(server.port)
    endpoint = case.endpoint.format(server.port)
    server.upload_origin = endpoint
    profiles = [c.ProfileUpload(bytes(16 * 1024 * 1024), "batch", 5)]  # more than is on the way

    def perform():
        with c.Songbird(endpoint, **options) as client:
            if case.on == "PUT":
                return c.upload_profiles(client, SESSION, profiles)[0].error
            for _ in range(2):
                client.create_session("u")
            return None

    async def aperform():
        async with c.AsyncSongbird(endpoint, **options) as client:
            if case.on == "PUT":
                return (await c.aupload_profiles(client, SESSION, profiles))[0].error
            for _ in range(2):
                await client.create_session("u")
            return None

    try:
        return perform() if mode == "threads" else asyncio.run(aperform())
    except c.SongbirdError as error:
        return error


@pytest.fixture(scope="module")
def ended(server_class):
    """Run all cases side by side, since each of them takes its whole time."""
    authority, secure, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(secure)
    authority.configure_trust(trusting)
    patch = pytest.MonkeyPatch()
    patch.setattr("songbird_widgets.client.upload_steps.MIN_BYTES_PER_SECOND", 10**9)

    def perform(name, mode):
        case = CASES[name]
        server = server_class(shown(case), secure if case.secure else None)
        try:
            return run(case, mode, server, trusting), case.behave in UNREAD or server.idle()
        finally:
            server.close()

    cases = [(name, mode) for name in CASES for mode in MODES]
    with ThreadPoolExecutor(len(cases)) as pool:
        yield dict(zip(cases, pool.map(perform, *zip(*cases, strict=True)), strict=True))
    patch.undo()


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_what_never_ends_is_given_up_and_named(ended, name, mode):
    if "SOCKS" in name and importlib.util.find_spec("socksio") is None and os.environ.get("CI") != "true":
        pytest.skip("socksio is not installed here")
    case, (error, idle) = CASES[name], ended[name, mode]
    assert re.search(case.says, str(error))
    assert type(error) is (c.EndpointTimeout if case.says == TIME_OUT else c.EndpointUnreachable)
    assert error.ambiguous is (case.says == TIME_OUT)
    assert idle, "a connection is still open"

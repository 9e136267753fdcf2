"""The fault matrix: what can go wrong on a network, times every operation and the PUT, in threads and in asyncio.

Each case ends in the right recovery or the right error, within its time, with nothing sent twice that must not be,
no connection left open, and no secret in anything that can be seen.
"""

from __future__ import annotations

import asyncio
import pickle
import re
import socket
import ssl
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import pytest
import trustme

from songbird_widgets import client as c

SESSION = "session-6LpLSESSIONCANARY"
KEY = "canarykey0.KEYCANARYKEYCANARY:org-1"
CANARY = re.compile("SESSIONCANARY|KEYCANARY|PATHCANARY|SIGNATURECANARY|HEADERCANARY|PROXYCANARY")
CONTENT = b"WHY1" + bytes(range(256)) * 1200  # 300 KB: more than one piece

OPERATIONS = {
    "create_session": ("user",),
    "get_session": (SESSION,),
    "create_dataset_profile_upload": (SESSION, 1373414400000),
    "create_reference_profile_upload": (SESSION, "train"),
    "batch_create_reference_profile_upload": (
        SESSION,
        [c.LogReferenceRequest("a"), c.LogReferenceRequest("b")],
    ),
    "claim_guest_session": (SESSION, "org-JpsdM6"),
    "get_session_profile_observatory_link": (SESSION, [1373414400000], ["ref-1"]),
    "list_session_profiles": (SESSION,),
}
KEYED = {"get_session", "claim_guest_session"}
ALL = (*OPERATIONS, "PUT")


# What goes wrong. Each is a behaviour of the server in conftest.py: it returns True if it has dealt with a request.


def on_request(act):
    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.reset = True
        act(line, seen)
        return True

    return behave


def reset_on_connect(line, seen):
    if seen is None:
        line.abort()


def reset_inside_request(line, seen):
    if seen is None:
        line.sock.recv(20)
        line.abort()


def reset_inside_body(line, seen):
    if seen is not None:
        line.body(seen, most=10)
        line.abort()


def trickle_head(line, seen):
    del seen
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 10_000:
        if line.server.closing.is_set():
            return
        line.sock.sendall(bytes([byte]))
        time.sleep(0.02)


def trickle_body(line, seen):
    del seen
    line.send(200, b"{", length=100_000)
    while not line.server.closing.is_set():
        line.sock.sendall(b" ")
        time.sleep(0.02)


def half_head(line, seen):
    del seen
    line.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-")
    line.wait()


def half_body(line, seen):
    del seen
    line.send(200, b'{"id": ', length=50)
    line.wait()


def cut_chunked(line, seen):
    del seen
    line.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{")


BROKEN = {
    "reset on connect": reset_on_connect,
    "reset inside request": reset_inside_request,
    "reset inside body": reset_inside_body,
    "reset after request": on_request(lambda line, _: line.abort()),
    "closed after request": on_request(lambda *_: None),
    "truncated head": on_request(lambda line, _: line.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-")),
    "truncated body": on_request(lambda line, _: line.send(200, b'{"id": ', length=50)),
    "truncated chunk": on_request(cut_chunked),
    "no HTTP": on_request(lambda line, _: line.sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")),
    "other service": on_request(lambda line, _: line.sock.sendall(b"\x15\x03\x01\x00\x02\x02\x46" * 20)),
}
STALLED = {
    "stalled": on_request(lambda line, _: line.wait()),
    "stalled head": on_request(half_head),
    "stalled body": on_request(half_body),
    "trickling head": on_request(trickle_head),
    "trickling body": on_request(trickle_body),
}

STATUS_ERRORS = {
    400: c.BadRequest,
    401: c.AuthenticationError,
    403: c.AuthenticationError,
    404: c.NotFound,
    408: c.ResponseError,
    409: c.Conflict,
    410: c.SessionExpired,
    413: c.PayloadTooLarge,
    422: c.ResponseError,
    429: c.RateLimited,
    500: c.ServerError,
    501: c.ServerError,
    502: c.ServerError,
    503: c.ServerError,
    504: c.ServerError,
}
FORMS = ("json", "text", "html")


def status_fault(status, form, headers=()):
    """Refuse with a status, in words that give away everything the server knows."""

    def act(line, seen):
        gossip = f"{SESSION} {KEY} {seen.target} {line.server.endpoint}{seen.target} sessionToken={SESSION}"
        if form == "json":
            body = '{"message": "Resource session with ID %s not found. %s", "requestId": "r-1", "type": "X"}'
            content = (body % (SESSION, gossip.replace('"', ""))).encode()
        elif form == "html":
            content = f"<html><head><title>x</title></head><body><h1>Oh</h1><p>{gossip}</p><script>x</script>".encode()
        else:
            content = gossip.encode() + b"\xff\xfe\x00\r\n\xe2\x80\xaeX"
        line.send(status, content, headers)
        line.reset = False

    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        act(line, seen)
        return True

    return behave


def s3_denial(line, seen):
    if seen is None:
        return False
    line.body(seen)
    query = seen.target.partition("?")[2]
    content = "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
    content += f"<Q>{query}</Q>"
    line.send(403, content.encode(), ["Content-Type: application/xml"])
    return True


# How a case is run, and what it must come to.


@dataclass
class Ran:
    value: Any = None
    error: c.SongbirdError | None = None
    seconds: float = 0.0
    seen: list[Any] = field(default_factory=list)
    idle: bool = True
    settings: Any = None
    threads: int = 0


def only_for(operation, behave, times):
    """Let a behaviour meet only what is tested, as often as said."""
    lock = threading.Lock()
    left = [times]

    def filtered(line, seen):
        if seen is None:
            if operation == "PUT" or behave not in {reset_on_connect, reset_inside_request}:
                return False
        elif (seen.method == "PUT") is not (operation == "PUT"):
            return False
        with lock:
            if left[0] <= 0:
                return False
            left[0] -= 1
        if seen is not None and behave in {reset_on_connect, reset_inside_request}:
            line.body(seen, most=20)
            line.abort()
        return behave(line, seen)

    return filtered


def run(server, operation, mode, **options):
    options = {"timeout": 5.0, "headers": {"X-Team": "HEADERCANARY"}, **options}
    profile = c.ProfileUpload(CONTENT, "batch", 1373414400000, key="k")
    ran = Ran()
    before = threading.active_count()
    began = time.monotonic()

    def perform():
        with c.Songbird(server.endpoint, KEY, **options) as client:
            ran.settings = client.settings
            if operation == "PUT":
                return c.upload_profiles(client, SESSION, [profile])
            return getattr(client, operation)(*OPERATIONS[operation])

    async def aperform():
        async with c.AsyncSongbird(server.endpoint, KEY, **options) as client:
            ran.settings = client.settings
            if operation == "PUT":
                return await c.aupload_profiles(client, SESSION, [profile])
            return await getattr(client, operation)(*OPERATIONS[operation])

    try:
        ran.value = perform() if mode == "threads" else asyncio.run(aperform())
    except c.SongbirdError as error:
        ran.error = error
    ran.seconds = time.monotonic() - began
    if operation == "PUT" and ran.value is not None:
        (result,) = ran.value
        ran.error = result.error
    ran.seen = [seen for seen in server.seen if (seen.method == "PUT") is (operation == "PUT")]
    ran.threads = threading.active_count() - before
    return ran


def well_behaved(ran, server, operation):
    """Check what holds however a case ends."""
    assert server.idle(), "a connection is still open"
    for seen in server.seen:
        assert ("x-api-key" in seen.headers) is (operation in KEYED and seen.method != "PUT")
        assert "transfer-encoding" not in seen.headers
        if seen.method == "PUT":
            assert seen.headers["content-length"] == str(len(CONTENT))
            assert seen.target.endswith("?a=1&X-Amz-Signature=SIGNATURECANARY%2Bx%2f'~(")
            assert not {"content-type", "authorization", "cookie", "x-team", "x-request-id"} & set(seen.headers)
            if seen.complete:
                assert seen.body == CONTENT
        else:
            assert re.fullmatch(r"[0-9a-f]{32}", seen.headers["x-request-id"])
    if ran.error is not None:
        nothing_shown(ran.error)
        if operation != "PUT" and not isinstance(ran.error, c.ConfigurationError):
            assert ran.error.operation == operation
            assert ran.error.request_id
            assert ran.error.request_id in str(ran.error)
    assert not CANARY.search(repr(ran.value))
    assert not CANARY.search(repr(ran.settings))


def nothing_shown(error):
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - just made here
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    seen = "".join([str(error), repr(error), repr(error.args), repr(vars(error)), str(pickle.dumps(error))])
    seen += "".join(traceback.format_exception(error))
    assert not CANARY.search(seen), seen
    assert "\n" not in str(error)
    assert "\x00" not in str(error)
    assert "\u202e" not in str(error)


def may_be_repeated(operation, what):
    """Say what the contract's table says, for another attempt after a failure."""
    if operation == "PUT":
        return what in {"broken", "timeout", 408, 429, 500, 502, 503, 504}
    if operation == "claim_guest_session":
        return what == 429
    return what in {"broken", "timeout", 429, 502, 503, 504}


FAST = c.Retry(attempts=3, budget=10, first_pause=0.001, longest_pause=0.002)
MODES = ("threads", "asyncio")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("times", [1, 99])
def test_broken_connection(serve, fault, operation, mode, times):
    server = serve(only_for(operation, BROKEN[fault], times))
    ran = run(server, operation, mode, retries=FAST)
    repeated = may_be_repeated(operation, "broken")
    if fault == "reset on connect" and ran.error is None:
        # Seen before anything was sent, it is no connection at all, and then a claim may be tried again too.
        assert times == 1
        assert len([seen for seen in ran.seen if seen.complete]) == 1
        return well_behaved(ran, server, operation)
    if repeated and times == 1:
        assert ran.error is None
        assert ran.value is not None
    else:
        assert type(ran.error) is c.EndpointUnreachable
        assert ran.error.ambiguous or fault == "reset on connect"
    if fault not in {"reset on connect", "reset inside request"}:
        assert len(ran.seen) == (min(times + 1, 3) if repeated else 1)
    elif operation == "claim_guest_session":
        assert not [seen for seen in ran.seen if seen.complete]
    if operation == "claim_guest_session":
        assert ("get_session" in str(ran.error)) is ran.error.ambiguous
    return well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", STATUS_ERRORS)
def test_status(serve, status, form, operation, mode):
    server = serve(only_for(operation, status_fault(status, form), 99))
    ran = run(server, operation, mode, retries=FAST)
    expected = c.UploadRefused if operation == "PUT" else STATUS_ERRORS[status]
    assert type(ran.error) is expected
    assert ran.error.status == status
    assert str(status) in str(ran.error)
    attempts = 3 if may_be_repeated(operation, status) else 1
    if operation == "PUT" and status == 403:
        assert len({seen.target for seen in ran.seen}) == 2, "exactly one new slot"
        attempts = 2
    assert len(ran.seen) == attempts
    if form != "json" and operation != "PUT" and status != 404:
        assert "session-6LpL…" in str(ran.error), "a session is recognisable"
    if operation == "claim_guest_session":
        assert ran.error.ambiguous is (status >= 500)
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_status_that_passes(serve, status, operation, mode):
    server = serve(only_for(operation, status_fault(status, "text"), 1))
    ran = run(server, operation, mode, retries=FAST)
    if may_be_repeated(operation, status):
        assert ran.error is None
        assert len(ran.seen) == 2
        if operation != "PUT":
            assert len({seen.headers["x-request-id"] for seen in ran.seen}) == 1
    else:
        assert len(ran.seen) == 1
        assert ran.error.status == status
    well_behaved(ran, server, operation)


WAITS = {
    "seconds": ("Retry-After: 0", 0.0),
    "decimal": ("Retry-After: 0.2", 0.2),
    "milliseconds": ("Retry-After-Ms: 150", 0.15),
    "date": (f"Retry-After: {formatdate(0, usegmt=True)}", 0.0),
    "nonsense": ("Retry-After: soon\x85", 0.0),
    "negative": ("Retry-After: -5", 0.0),
    "too long": ("Retry-After: 3600", None),
    "endless": ("Retry-After: inf", 0.0),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("wait", WAITS)
def test_retry_after(serve, wait, operation, mode):
    header, seconds = WAITS[wait]
    server = serve(only_for(operation, status_fault(429, "text", [header]), 1))
    ran = run(server, operation, mode, retries=FAST)
    if seconds is None:
        assert len(ran.seen) == 1
        assert ran.error.status == 429
        assert ran.seconds < 5
    else:
        assert ran.error is None
        assert len(ran.seen) == 2
        assert ran.seconds >= seconds
    well_behaved(ran, server, operation)


SLOW = [(f, o, m, n) for f in STALLED for o in ALL for m in MODES for n in (1, 99)]


@pytest.fixture(scope="module")
def slow(server_class, record_class):
    """Run the cases that wait side by side, since each of them takes its whole time."""
    import logging

    handler, root = record_class(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    policy = c.Retry(attempts=2, budget=3.0, first_pause=0.001, longest_pause=0.002)

    patch = pytest.MonkeyPatch()
    patch.setattr("songbird_widgets.client.uploads.MIN_BYTES_PER_SECOND", len(CONTENT) * 10)

    def perform(case):
        fault, operation, mode, times = case
        server = server_class(only_for(operation, STALLED[fault], times))
        ran = run(server, operation, mode, retries=policy, timeout=0.5)
        ran.idle = server.idle(3)
        server.close()
        return case, (ran, server)

    try:
        with ThreadPoolExecutor(12) as pool:
            yield dict(pool.map(perform, SLOW))
        assert not handler.leaks()
    finally:
        patch.undo()
        root.setLevel(level)
        root.removeHandler(handler)


@pytest.mark.parametrize("case", SLOW, ids=lambda case: "-".join(map(str, case)))
def test_stalled(slow, case):
    _, operation, _, times = case
    ran, server = slow[case]
    assert ran.idle
    repeated = may_be_repeated(operation, "timeout")
    if repeated and times == 1:
        assert ran.error is None
        assert len(ran.seen) == 2
    else:
        assert type(ran.error) is c.EndpointTimeout
        assert ran.error.ambiguous
        assert len(ran.seen) == (2 if repeated else 1)
    assert ran.seconds < 60, "it would have waited for ever"
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
def test_refused(serve, operation, mode):
    server = serve()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    if operation == "PUT":
        server.upload_origin = f"http://127.0.0.1:{port}"
    else:
        server.endpoint = f"http://127.0.0.1:{port}/k/PATHCANARY"
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is c.EndpointUnreachable
    assert not ran.error.ambiguous
    assert f"http://127.0.0.1:{port}" in str(ran.error)
    assert "nothing is listening" in str(ran.error)
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
def test_connects_late(serve, operation, mode, monkeypatch):
    """Nothing was sent while there was no connection: even a claim is tried again."""
    server, failures = serve(), []
    real = socket.socket.connect

    def refuse_first(self, address):
        if address[1] == server.port and not failures:
            failures.append(address)
            raise ConnectionRefusedError(111, "Connection refused")
        return real(self, address)

    if mode == "asyncio":
        loop_connect = asyncio.selector_events.BaseSelectorEventLoop.sock_connect

        async def refuse_first_async(self, sock, address):
            if address[1] == server.port and not failures:
                failures.append(address)
                raise ConnectionRefusedError(111, "Connection refused")
            return await loop_connect(self, sock, address)

        monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", refuse_first_async)
    else:
        monkeypatch.setattr(socket.socket, "connect", refuse_first)
    ran = run(server, operation, mode, retries=FAST)
    assert failures
    assert ran.error is None
    assert len(ran.seen) == 1
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
def test_unknown_name(serve, operation, mode, monkeypatch):
    real = socket.getaddrinfo

    def lookup(host, *args, **kwargs):
        if host in {"songbird.invalid", b"songbird.invalid"}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    server = serve()
    if operation == "PUT":
        server.upload_origin = "http://songbird.invalid"
    else:
        server.endpoint = "http://songbird.invalid/k/PATHCANARY"
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is c.EndpointUnreachable
    assert "songbird.invalid" in str(ran.error)
    assert "DNS" in str(ran.error)
    assert not ran.error.ambiguous
    well_behaved(ran, server, operation)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_context(authority, name="127.0.0.1"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def answer_in_plain(line, seen):
    del seen
    line.sock.recv(1000)
    line.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    return True


TLS = ("trusted", "unknown authority", "other name", "no TLS")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("case", TLS)
def test_tls(serve, authority, case, operation, mode):
    trust = ssl.create_default_context()
    (trustme.CA() if case == "unknown authority" else authority).configure_trust(trust)
    name = "songbird.example.com" if case == "other name" else "127.0.0.1"
    secure = serve(context=server_context(authority, name)) if case != "no TLS" else serve(answer_in_plain)
    secure.origin = f"https://127.0.0.1:{secure.port}"
    plain = serve() if operation == "PUT" else secure
    plain.upload_origin = secure.origin
    if operation != "PUT":
        plain.endpoint = f"{secure.origin}/k/PATHCANARY"
    ran = run(plain, operation, mode, retries=FAST, verify=trust)
    if case == "trusted":
        assert ran.error is None
        return
    assert type(ran.error) is c.EndpointUnreachable
    assert secure.accepted == 1, "trying again makes no other certificate"
    assert "certificate" in str(ran.error) if case != "no TLS" else "TLS" in str(ran.error)
    assert not secure.seen
    nothing_shown(ran.error)
    assert secure.idle()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("status", [403, 407, 502])
def test_proxy_refuses(serve, status, operation, mode):
    def refuse(line, seen):
        if seen is None or (operation == "PUT" and seen.method != "CONNECT"):
            return False
        line.send(status, b"no PROXYCANARY", ["Proxy-Authenticate: Basic realm=PROXYCANARY"])
        line.reset = True
        return True

    proxy, server = serve(refuse), serve()
    if operation == "PUT":
        server.upload_origin = "https://storage.example.com"
    else:
        server.endpoint = "https://songbird.example.com/k/PATHCANARY"
    via = proxy if operation != "PUT" else serve(relay_to(server, refuse))
    ran = run(server, operation, mode, retries=FAST, proxy=f"http://user:PROXYCANARY@127.0.0.1:{via.port}")
    assert type(ran.error) is c.EndpointUnreachable
    assert "proxy" in str(ran.error)
    nothing_shown(ran.error)
    assert [seen.method for seen in via.seen if seen.method == "CONNECT"] == ["CONNECT"]
    assert via.idle()


def relay_to(server, refuse):
    """Forward plain requests as a proxy does, and refuse the tunnels."""

    def behave(line, seen):
        if seen is None:
            return False
        if seen.method == "CONNECT":
            return refuse(line, seen)
        line.body(seen)
        seen.target = seen.target[len(server.origin) :]
        server.answer(line, seen)
        return True

    return behave


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ALL)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_elsewhere(serve, status, operation, mode):
    other = serve()

    def redirect(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(status, b"", [f"Location: {other.origin}{seen.target}", "Set-Cookie: id=KEYCANARY"])
        return True

    server = serve(only_for(operation, redirect, 99))
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is (c.UploadRefused if operation == "PUT" else c.ResponseError)
    assert ran.error.status == status
    assert not other.accepted, "nothing goes to another origin, least of all a key"
    assert len(ran.seen) == 1
    if operation != "PUT":
        assert other.origin in str(ran.error)
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_within(serve, status, operation, mode):
    """Within the endpoint a redirect is followed where nothing of the request is lost."""

    def redirect(line, seen):
        if seen is None or "moved" in seen.target:
            return False
        line.body(seen)
        line.send(status, b"", [f"Location: {seen.target.replace('/v0/', '/moved/../v0/')}"])
        return True

    server = serve(only_for(operation, redirect, 1))
    ran = run(server, operation, mode, retries=FAST)
    if status in {307, 308} or operation in {"get_session", "list_session_profiles"}:
        assert ran.error is None
        assert len(ran.seen) == 2
    else:
        assert type(ran.error) is c.ResponseError
        assert len(ran.seen) == 1
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_redirect_in_circles(serve, operation, mode):
    def redirect(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(307, b"", [f"Location: {seen.target}"])
        return True

    server = serve(redirect)
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is c.ResponseError
    assert "circles" in str(ran.error)
    assert len(ran.seen) == 4
    well_behaved(ran, server, operation)


NOT_THE_CONTRACT = {
    "nothing": b"",
    "HTML": b"<!doctype html><html><body>Log in, SESSIONCANARY"[:-14] + b"</body></html>",
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "no JSON": b'{"id": ',
    "another type": b"[1, 2, 3]",
    "a missing field": b'{"unknown": true}',
    "a field of another type": b'{"id": 7, "session": [], "references": {}, "observatoryUrl": 1, "datasetId": 0}',
    "null": b"null",
    "deep": b'{"x": ' * 5000,
    "long": b'{"id": "' + b"\xe2\x80\xae" * 100_000,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "claim_guest_session"])
@pytest.mark.parametrize("answer", NOT_THE_CONTRACT)
def test_success_that_is_none(serve, answer, operation, mode):
    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(200, NOT_THE_CONTRACT[answer], ["X-Request-Id: theirs-1"])
        return True

    server = serve(behave)
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is c.ResponseError
    assert ran.error.status == 200
    assert ran.error.request_id == "theirs-1"
    assert len(str(ran.error)) < 700
    assert len(ran.seen) == 1
    if answer == "HTML":
        assert "Log in" in str(ran.error)
        assert "<" not in str(ran.error)
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
def test_storage_denies_then_takes(serve, mode):
    server = serve(only_for("PUT", s3_denial, 1))
    ran = run(server, "PUT", mode, retries=FAST)
    assert ran.error is None
    first, second = ran.seen
    assert first.target != second.target
    (result,) = ran.value
    assert server.known[second.target] == CONTENT
    slots = [seen for seen in server.seen if seen.method == "POST"]
    assert len(slots) == 2
    assert result.profile_id.startswith("log-")
    assert result.profile_id == "log-21", "the id of the slot that took it"
    well_behaved(ran, server, "PUT")


@pytest.mark.parametrize("mode", MODES)
def test_storage_denies_for_good(serve, mode):
    server = serve(only_for("PUT", s3_denial, 99))
    ran = run(server, "PUT", mode, retries=FAST)
    assert type(ran.error) is c.UploadRefused
    assert "Request has expired" in str(ran.error)
    assert len(ran.seen) == 2
    well_behaved(ran, server, "PUT")

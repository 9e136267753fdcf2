"""The fault matrix: what can go wrong on a network, with every operation and the PUT, in threads and in asyncio.

One of what breaks meets each operation; all of it, what is refused and what stalls, each kind of operation. Whether it
passes or stays, and threads or asyncio, take turns so that every pair of two of them is there. Each case ends in the
right recovery or the right error, within its time, with nothing sent twice that must not be, no connection left open,
and no secret in anything that can be seen.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import pickle
import re
import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import pytest

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
    "name_session": (SESSION, "flights"),
    "delete_session": (SESSION,),
    "delete_profile": (SESSION, "log-1"),
}
KEYED = {"get_session", "claim_guest_session"}
ALL = (*OPERATIONS, "PUT")
KINDS = ("create_session", "get_session", "claim_guest_session", "PUT")  # repeatable, with a key, neither, stored


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
    507: c.PayloadTooLarge,
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
    options = {"timeout": 60.0, "headers": {"X-Team": "HEADERCANARY"}, **options}
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
            if not str(ran.error).startswith("No connection"):  # else nobody has the request
                assert ran.error.request_id
                assert ran.error.request_id in str(ran.error)
    assert not CANARY.search(repr(ran.value))
    assert not CANARY.search(repr(ran.settings))


def nothing_shown(error):
    copied = pickle.loads(pickle.dumps(error))
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


def pairs(*factors):
    """Choose combinations in which each value of each factor meets each value of each other factor."""
    cases = {case: set(itertools.combinations(enumerate(case), 2)) for case in itertools.product(*factors)}
    missing, chosen = set().union(*cases.values()), []
    while missing:
        chosen.append(max(cases, key=lambda case: len(missing & cases[case])))
        missing -= cases[chosen[-1]]
    return chosen


def named(case):
    return "-".join(map(str, case))


# Each fault with each kind of operation, and one of them with each operation.
BREAKING = dict.fromkeys([*pairs(BROKEN, KINDS, MODES, (1, 99)), *pairs(["closed after request"], ALL, MODES, (1, 99))])


@pytest.mark.parametrize(("fault", "operation", "mode", "times"), BREAKING, ids=str)
def test_what_broke_is_sent_again_only_where_that_is_safe(serve, fault, operation, mode, times):
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


@pytest.mark.parametrize(("status", "operation", "mode", "form"), pairs(STATUS_ERRORS, KINDS, MODES, FORMS), ids=str)
def test_each_status_is_its_own_error(serve, status, operation, mode, form):
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


@pytest.mark.parametrize(("status", "operation", "mode"), pairs((408, 429, 500, 502, 503, 504), KINDS, MODES), ids=str)
def test_a_status_that_passes_is_waited_out_where_that_is_safe(serve, status, operation, mode):
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


@pytest.mark.parametrize("operation", ["claim_guest_session", "PUT"])
@pytest.mark.parametrize("wait", WAITS)
def test_an_endpoint_says_how_long_to_wait(serve, wait, operation):
    header, seconds = WAITS[wait]
    server = serve(only_for(operation, status_fault(429, "text", [header]), 1))
    ran = run(server, operation, "threads", retries=FAST)
    if seconds is None:
        assert len(ran.seen) == 1
        assert ran.error.status == 429
    else:
        assert ran.error is None
        assert len(ran.seen) == 2
        assert ran.seconds >= seconds
    well_behaved(ran, server, operation)


def test_a_refusal_and_its_advice_are_two_sentences(serve):
    def limit(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(429, b"Too Many Requests")
        return True

    ran = run(serve(limit), "create_session", "threads", retries=0)
    assert "(429): Too Many Requests. Wait a while, then try again." in str(ran.error)


SLOW = pairs(STALLED, KINDS, MODES, (1, 99))
STALL_SECONDS = 10.0  # in which a busy machine does what does not stall


@pytest.fixture(scope="module")
def slow(server_class, record_class):
    """Run the cases that wait side by side, since each of them takes its whole time."""
    handler, root = record_class(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    policy = c.Retry(attempts=2, budget=600.0, first_pause=0.001, longest_pause=0.002)
    patch = pytest.MonkeyPatch()
    patch.setattr("songbird_widgets.client.upload_steps.MIN_BYTES_PER_SECOND", len(CONTENT) * 10)

    def perform(case):
        fault, operation, mode, times = case
        server = server_class(only_for(operation, STALLED[fault], times))
        ran = run(server, operation, mode, retries=policy, timeout=STALL_SECONDS)
        ran.idle = server.idle()
        server.close()
        return case, (ran, server)

    try:
        with ThreadPoolExecutor(len(SLOW)) as pool:
            yield dict(pool.map(perform, SLOW))
        assert not handler.leaks()
    finally:
        patch.undo()
        root.setLevel(level)
        root.removeHandler(handler)


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW, ids=named)
def test_what_does_not_come_to_an_end_is_given_up_in_time(slow, case):
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
        assert re.search(r" in \d+(\.\d)? s\.", str(ran.error)), "how long it really took"
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ["create_session", "PUT"])
def test_where_nothing_listens_that_is_what_is_said(serve, nobody, operation, mode):
    server = serve()
    if operation == "PUT":
        server.upload_origin = nobody
    else:
        server.endpoint = f"{nobody}/k/PATHCANARY"
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is c.EndpointUnreachable
    assert not ran.error.ambiguous
    assert nobody in str(ran.error)
    assert "nothing is listening" in str(ran.error)
    assert "request id" not in str(ran.error)  # nobody has it
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", ["claim_guest_session", "PUT"])
def test_what_was_never_sent_is_tried_again_even_a_claim(serve, operation, mode, monkeypatch):
    server, failures = serve(), []
    real = socket.socket.connect
    loop_connect = asyncio.selector_events.BaseSelectorEventLoop.sock_connect

    def refuse_first(self, address):
        if mode == "threads" and address[1] == server.port and not failures:
            failures.append(address)
            raise ConnectionRefusedError(111, "Connection refused")
        return real(self, address)

    async def refuse_first_async(self, sock, address):
        if address[1] == server.port and not failures:
            failures.append(address)
            raise ConnectionRefusedError(111, "Connection refused")
        return await loop_connect(self, sock, address)

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", refuse_first_async)
    monkeypatch.setattr(socket.socket, "connect", refuse_first)
    ran = run(server, operation, mode, retries=FAST)
    assert failures
    assert ran.error is None
    assert len(ran.seen) == 1
    well_behaved(ran, server, operation)


def redirecting(status, location, *headers):
    """Answer each request with a redirect to what `location` makes of it."""

    def redirect(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(status, b"", [f"Location: {location(seen)}", *headers])
        return True

    return redirect


@pytest.mark.parametrize(("status", "operation", "mode"), pairs((301, 302, 303, 307, 308), KINDS, MODES), ids=str)
def test_nothing_goes_to_another_origin(serve, status, operation, mode):
    other = serve()

    redirect = redirecting(status, lambda seen: f"{other.origin}{seen.target}", "Set-Cookie: id=KEYCANARY")
    server = serve(only_for(operation, redirect, 99))
    ran = run(server, operation, mode, retries=FAST)
    assert type(ran.error) is (c.UploadRefused if operation == "PUT" else c.ResponseError)
    assert ran.error.status == status
    assert not other.accepted, "nothing goes to another origin, least of all a key"
    assert len(ran.seen) == 1
    if operation != "PUT":
        assert other.origin in str(ran.error)
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("operation", ["create_session", "get_session"])
@pytest.mark.parametrize(("status", "mode"), pairs((301, 302, 303, 307, 308), MODES), ids=str)
def test_within_the_endpoint_a_redirect_is_followed_where_nothing_is_lost(serve, status, operation, mode):
    moved = redirecting(status, lambda seen: seen.target.replace("/v0/", "/moved/../v0/"))

    def redirect(line, seen):
        if seen is not None and "moved" in seen.target:
            return False
        return moved(line, seen)

    server = serve(only_for(operation, redirect, 1))
    ran = run(server, operation, mode, retries=FAST)
    if status in {307, 308} or operation == "get_session":
        assert ran.error is None
        assert len(ran.seen) == 2
    else:
        assert type(ran.error) is c.ResponseError
        assert len(ran.seen) == 1
    well_behaved(ran, server, operation)


@pytest.mark.parametrize("where", ["/a b", "http://user:KEYCANARY@{host}/", "javascript:alert(1)", "http://[::1"])
def test_a_redirect_to_what_is_no_address_says_so(serve, where):
    server = serve(redirecting(307, lambda seen: where.format(host=seen.headers["host"])))
    ran = run(server, "create_session", "threads", retries=FAST)
    assert type(ran.error) is c.ResponseError
    assert "redirects opening a session to an address that cannot be used" in str(ran.error)
    assert len(ran.seen) == 1
    well_behaved(ran, server, "create_session")


@pytest.mark.parametrize("mode", MODES)
def test_redirects_in_circles_end(serve, mode):
    server = serve(redirecting(307, lambda seen: seen.target))
    ran = run(server, "create_session", mode, retries=FAST)
    assert type(ran.error) is c.ResponseError
    assert "circles" in str(ran.error)
    assert len(ran.seen) == 4
    well_behaved(ran, server, "create_session")


@pytest.mark.parametrize("mode", MODES)
def test_the_cookies_of_an_endpoint_are_not_kept(serve, mode):
    def set_cookie(line, seen):
        if seen is None or seen.method == "PUT":
            return False
        line.body(seen)
        answer = json.dumps(line.server.result(seen)).encode()
        line.send(200, answer, ["Set-Cookie: id=KEYCANARY; Path=/"])
        return True

    server = serve(set_cookie)
    ran = run(server, "PUT", mode)
    assert ran.error is None
    well_behaved(ran, server, "PUT")
    assert not [seen for seen in server.seen if "cookie" in seen.headers]


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
ANSWERING = [name for name in OPERATIONS if name != "claim_guest_session"]


@pytest.mark.parametrize(("answer", "operation"), list(zip(NOT_THE_CONTRACT, itertools.cycle(ANSWERING), strict=False)))
def test_a_success_that_is_none_says_what_is_wrong_with_it(serve, answer, operation):
    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(200, NOT_THE_CONTRACT[answer], ["X-Request-Id: theirs-1"])
        return True

    server = serve(behave)
    ran = run(server, operation, "threads", retries=FAST)
    assert type(ran.error) is c.ResponseError
    assert ran.error.status == 200
    assert ran.error.request_id == "theirs-1"
    assert len(str(ran.error)) < 700
    assert len(ran.seen) == 1
    if answer == "HTML":
        assert "Log in" in str(ran.error)
        assert "<" not in str(ran.error)
    well_behaved(ran, server, operation)


@pytest.mark.parametrize(("status", "mode"), [(200, "threads"), (500, "asyncio")])
def test_what_was_packed_unasked_is_never_unpacked(serve, status, mode):
    packed = gzip.compress(bytes(5_000_000))  # 5 kB

    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        assert seen.headers["accept-encoding"] == "identity"
        line.send(status, packed, ["Content-Encoding: gzip"])
        return True

    ran = run(serve(behave), "get_session", mode, retries=0)
    assert type(ran.error) is (c.ResponseError if status == 200 else c.ServerError)
    assert ran.error.status == status
    assert ("compressed" in str(ran.error)) is (status == 200)
    assert "\N{REPLACEMENT CHARACTER}" not in str(ran.error)


@pytest.mark.parametrize("mode", MODES)
def test_a_slot_that_has_expired_is_renewed_and_the_final_id_told(serve, mode):
    server = serve(only_for("PUT", s3_denial, 1))
    ran = run(server, "PUT", mode, retries=FAST)
    assert ran.error is None
    first, second = ran.seen
    assert first.target != second.target
    (result,) = ran.value
    assert server.known[second.target] == CONTENT
    slots = [seen for seen in server.seen if seen.method == "POST"]
    assert len(slots) == 2
    assert result.profile_id == "log-21", "the id of the slot that took it"
    well_behaved(ran, server, "PUT")


@pytest.mark.parametrize("mode", MODES)
def test_a_slot_that_expires_again_is_a_refusal(serve, mode):
    server = serve(only_for("PUT", s3_denial, 99))
    ran = run(server, "PUT", mode, retries=FAST)
    assert type(ran.error) is c.UploadRefused
    assert "Request has expired" in str(ran.error)
    assert len(ran.seen) == 2
    well_behaved(ran, server, "PUT")

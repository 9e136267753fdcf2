"""What a guest, a stranger or a file may cost: time, memory, connections; and that it is others who do not pay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from songbird_widgets.budget import Budget
from songbird_widgets.service import datasets, makers, page_handlers, server
from songbird_widgets.service.errors import Unavailable

JULY_8 = 1_373_241_600_000


def connect(service):
    address = urlsplit(service.base)
    return socket.create_connection((address.hostname, address.port), timeout=120)


def request(service, session, path="profiles", profile=JULY_8, **parameters):
    query = "&".join(f"{name}={value}" for name, value in {"profile": profile, **parameters}.items())
    host = urlsplit(service.base).netloc
    target = f"/resources/model-1/{path}?{query}&sessionToken={session}"
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def page(service, session, path="profiles", **parameters):
    parameters = {"profile": JULY_8, "sessionToken": session, **parameters}
    return service.call("GET", f"/resources/model-1/{path}", params=parameters)


def is_cut_off(connection):
    """Whether the other side ends the connection."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 16):
            pass
    return True


def uploaded(service, content=b"some bytes"):
    session = service.session()
    assert service.put(service.announce(session), content).status_code == 200
    return session


def test_connections_that_ask_nothing_keep_nobody_out(serve_directory, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 3600.0)  # so the idle ones are not gone before the others come
    with serve_directory(tmp_path, max_connections=50) as service, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(service)) for _ in range(120)]
        for half in idle[::3]:
            half.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: ")
        session = service.session()
        assert service.put(service.announce(session)).status_code == 200
        assert len(service.listed(session)) == 1


def test_who_is_being_answered_is_not_cut_off_for_newcomers(serve_directory, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_YIELD_SECONDS", 60.0)  # what is sent here does not stall, though a machine may
    content = os.urandom(3 << 20)
    with serve_directory(tmp_path, max_connections=20) as service, contextlib.ExitStack() as stack:
        session = service.session()
        sending = [stack.enter_context(connect(service)) for _ in range(8)]
        for connection in sending:
            address = urlsplit(service.announce(session)["uploadUrl"])
            head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\nExpect: 100-continue\r\n"
            connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode())
            assert connection.recv(99).startswith(b"HTTP/1.1 100")  # so it is under way
        for _ in range(60):
            stack.enter_context(connect(service))
        for connection in sending:
            connection.sendall(content)
            assert connection.recv(99).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: ", id="half a head"),
        pytest.param(b"PUT /uploads/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx", id="half a body"),
    ],
)
def test_who_sends_too_slowly_is_cut_off(service, monkeypatch, sent):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(server, "STALL_SECONDS", 0.5)
    with connect(service) as connection:
        connection.sendall(sent)
        assert is_cut_off(connection)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nX-Long: ",
        b"PUT /uploads/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n",
    ],
)
def test_a_byte_now_and_then_does_not_help(service, monkeypatch, head):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.7)
    monkeypatch.setattr(server, "STALL_SECONDS", 0.7)
    with connect(service) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head)
        for _ in range(600):
            connection.sendall(b"x")
            time.sleep(0.1)
        pytest.fail("It was let go on for a minute.")


def test_a_connection_in_use_may_rest_for_a_while(service, monkeypatch):
    with connect(service) as connection:
        for _ in range(2):
            connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(9999).startswith(b"HTTP/1.1 404")
            monkeypatch.setattr(server, "HEADER_SECONDS", 0.3)
            time.sleep(1)
        monkeypatch.setattr(server, "IDLE_SECONDS", 0.3)
        assert is_cut_off(connection)


@pytest.mark.slow
def test_a_large_file_nobody_reads_costs_no_memory_and_ends(own_service, monkeypatch, eventually):
    session = uploaded(own_service, os.urandom(60 << 20))
    process = psutil.Process()
    before = process.memory_info().rss
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(connect(own_service)) for _ in range(20)]
        for reader in readers:
            reader.sendall(request(own_service, session, "profiles.bin"))
        time.sleep(1)
        assert process.memory_info().rss - before < 60 << 20
        monkeypatch.setattr(server, "STALL_SECONDS", 0.5)
        eventually(lambda: not own_service.app.is_busy(), pause=0.5)  # collecting garbage keeps others waiting
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := readers[0].recv(1 << 20):
                received += len(part)
        assert received < 60 << 20


def test_a_listing_without_a_limit_is_sent_in_parts(own_service, monkeypatch):
    session = own_service.session()
    monkeypatch.setattr(datasets, "LIST_LIMIT", 7)
    for count in range(1, 23):
        own_service.put(own_service.announce(session, count * 86_400_000), b"profile %d" % count)
        if count in {6, 7, 8, 14, 22}:
            answer = own_service.call("GET", f"/v0/sessions/{session}/profiles")
            paged = own_service.call("GET", f"/v0/sessions/{session}/profiles?limit=5").json()
            following = paged
            while following["next"] is not None:
                address = f"/v0/sessions/{session}/profiles?limit=5&after={following['next']}"
                following = own_service.call("GET", address).json()
                paged["profiles"] += following["profiles"]
            assert answer.json() == {**paged, "next": None}
            assert len(answer.json()["profiles"]) == count
            assert ("Content-Length" in answer.headers) == (count <= 7)
    monkeypatch.setattr(datasets, "LISTING_SECONDS", 0.0)
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        own_service.call("GET", f"/v0/sessions/{session}/profiles")


def test_a_file_is_sent_whole_and_a_day_of_files_as_a_zip(service):
    session, contents = service.session(), [os.urandom(3 << 20), b"small"]
    service.put(service.announce(session), contents[0])
    answer = page(service, session, "profiles.bin")
    assert (answer.content, answer.headers["Content-Length"]) == (contents[0], str(len(contents[0])))
    service.put(service.announce(session), contents[1])
    answer = page(service, session, "profiles.bin")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == contents


def test_an_export_in_parts_is_what_one_at_once_would_be(service, wide_profile):
    session = uploaded(service, wide_profile(120))
    for form in ("json", "csv"):
        at_once, in_parts = (page(service, session, f"profiles.{form}", limit=limit) for limit in (1_000, 5_000))
        assert "Content-Length" not in in_parts.headers
        if form == "json":
            assert {**in_parts.json(), "limit": 1_000} == at_once.json()
            assert len(in_parts.json()["columns"]) == 120
        else:
            assert in_parts.text == at_once.text


def test_a_page_whose_time_is_over_says_so(service, monkeypatch, wide_profile):
    session = uploaded(service, wide_profile(3_000))
    monkeypatch.setattr(page_handlers, "PAGE_SECONDS", 0.0)
    answer = page(service, session)
    assert answer.status_code == 504
    assert "longer than an answer may" in answer.text
    service.check(page(service, session, "profiles.json"), 504)
    monkeypatch.undo()
    assert page(service, session).status_code == 200


def test_an_export_whose_time_is_over_is_seen_to_be_cut_short(service, monkeypatch, wide_profile):
    session = uploaded(service, wide_profile(3_000))
    # It is over once the first part was sent.
    monkeypatch.setattr(Budget, "extend", lambda budget, _: setattr(budget, "_end", 0.0))
    with connect(service) as connection:
        connection.sendall(request(service, session, "profiles.json", limit=90_000))
        received = b""
        while part := connection.recv(1 << 16):
            received += part
        assert received.startswith(b"HTTP/1.1 200")
        assert b"\r\n0\r\n\r\n" not in received


def test_a_page_ends_when_its_reader_leaves(own_service, wide_profile, monkeypatch, eventually):
    session, check, reached = uploaded(own_service, wide_profile(3_000)), Budget.check, threading.Event()
    assert page(own_service, session).status_code == 200
    makers = own_service.app.settings["observatory"].makers

    def never_ready(budget):
        if budget in makers._budgets:
            reached.set()
            while not budget._cancelled:
                time.sleep(0.01)
        check(budget)

    monkeypatch.setattr(Budget, "check", never_ready)
    with connect(own_service) as connection:
        connection.sendall(request(own_service, session))
        assert reached.wait(60)
        assert makers._running
    eventually(lambda: not makers._running)


def test_pages_that_take_long_do_not_keep_others_waiting(own_service, wide_profile, eventually):
    hostile, other = uploaded(own_service, wide_profile(30_000)), uploaded(own_service, wide_profile(3))
    assert page(own_service, other).status_code == 200
    makers = own_service.app.settings["observatory"].makers
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            connection = stack.enter_context(connect(own_service))
            connection.sendall(request(own_service, hostile, "profiles.csv", limit=90_000))
        eventually(lambda: makers._running and makers._waiting)
        for _ in range(3):
            assert page(own_service, other).status_code == 200
        assert makers._waiting, "the other's pages came before the end of these"


def test_too_many_pages_at_once_are_refused(own_service, monkeypatch, wide_profile, eventually):
    session = uploaded(own_service, wide_profile(2_000))
    page(own_service, session)
    makers = own_service.app.settings["observatory"].makers
    monkeypatch.setattr("songbird_widgets.service.makers.MAX_WAITING", 2)
    free = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        pool.submit(asyncio.run, makers.run(session, Budget(120), free.wait))
        eventually(lambda: makers._running)
        answers = [pool.submit(page, own_service, session, "profiles.json") for _ in range(6)]
        eventually(lambda: sum(answer.done() for answer in answers) == 4)
        free.set()
        statuses = sorted(answer.result().status_code for answer in answers)
        assert statuses == [200, 200, 503, 503, 503, 503]


def test_who_was_refused_a_page_keeps_nobody_from_theirs(monkeypatch):
    monkeypatch.setattr(makers, "MAX_WAITING_OF_ALL", 2)
    free, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        return free.wait(60)

    async def ask():
        made = makers.Makers(threads=1)
        first = asyncio.create_task(made.run("a", Budget(120), hold))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        waiting = [asyncio.create_task(made.run("b", Budget(120), str)) for _ in range(2)]
        await asyncio.sleep(0)  # in which both are noted
        with pytest.raises(Unavailable):
            await made.run("c", Budget(120), str)
        free.set()
        assert await asyncio.gather(first, *waiting) == [True, "", ""]
        assert await made.run("c", Budget(120), str) == ""
        made.close()

    asyncio.run(ask())


@pytest.mark.parametrize("form", ["profiles", "profiles.json"])
def test_who_is_to_come_again_is_told_when(own_service, monkeypatch, form):
    session = uploaded(own_service)
    page(own_service, session)
    monkeypatch.setattr("songbird_widgets.service.makers.MAX_WAITING", 0)
    answer = page(own_service, session, form)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_malformed_request_gets_the_contracts_error(service):
    for nonsense in (b"nonsense\r\n\r\n", b"GET / HTTP/9.9.9\r\n\r\n", b"GET /\r\n\r\n"):
        with connect(service) as connection:
            connection.sendall(nonsense)
            head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"Content-Type: application/json" in head
        assert set(json.loads(body)) == {"message", "requestId", "type"}

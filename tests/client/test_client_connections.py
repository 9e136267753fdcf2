"""Whose connections are used, for how long, and by whom."""

from __future__ import annotations

import asyncio
import errno
import gc
import inspect
import json
import os
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import trustme

from songbird_widgets import client as c

SESSION = "session-6LpLSESSIONCANARY"


def test_connections_are_kept_and_closed(endpoint):
    with c.Songbird(endpoint.endpoint) as client:
        for _ in range(5):
            client.create_session("u")
        assert endpoint.accepted == 1
    assert endpoint.idle()
    with pytest.raises(c.ConfigurationError, match="closed"):
        client.create_session("u")
    client.close()


def test_async_connections_are_kept_and_closed(endpoint):
    async def main():
        async with c.AsyncSongbird(endpoint.endpoint) as client:
            for _ in range(3):
                await client.create_session("u")
            assert endpoint.accepted == 1
            await asyncio.gather(*(client.create_session("u") for _ in range(10)))
        with pytest.raises(c.ConfigurationError, match="closed"):
            await client.create_session("u")

    asyncio.run(main())
    assert endpoint.idle()


def slow(asked, go_on):
    """Answer only when told to."""

    def behave(_, seen):
        if seen is not None:
            asked.set()
            go_on.wait(120)
        return False

    return behave


def test_what_is_under_way_ends_before_its_connection_is_closed(serve):
    asked, go_on = threading.Event(), threading.Event()
    server = serve(slow(asked, go_on))
    client = c.Songbird(server.endpoint, retries=0)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.create_session, "u")
        assert asked.wait(60)
        client.close()
        with pytest.raises(c.ConfigurationError, match="closed"):
            client.create_session("u")
        go_on.set()
        assert answer.result().id == SESSION
    assert server.idle()


def test_async_what_is_under_way_ends_before_its_connection_is_closed(serve):
    asked, go_on = threading.Event(), threading.Event()
    server = serve(slow(asked, go_on))

    async def main():
        client = c.AsyncSongbird(server.endpoint, retries=0)
        answer = asyncio.create_task(client.create_session("u"))
        assert await asyncio.to_thread(asked.wait, 120)
        await client.aclose()
        with pytest.raises(c.ConfigurationError, match="closed"):
            await client.create_session("u")
        go_on.set()
        assert (await answer).id == SESSION

    asyncio.run(main())
    assert server.idle()


def test_a_client_that_is_closed_while_it_connects_leaks_nothing(serve):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    connecting, greeting = threading.Event(), threading.Event()

    class Late:
        @staticmethod
        def wrap_socket(sock, *, server_side):
            connecting.set()
            greeting.wait(120)
            return context.wrap_socket(sock, server_side=server_side)

    server = serve(context=Late)
    client = c.Songbird(server.endpoint, retries=0, verify=False)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.create_session, "u")
        assert connecting.wait(60)
        client.close()
        greeting.set()
        assert answer.result().id == SESSION
    assert server.idle()
    del client, answer, pool
    gc.collect()  # a socket that is left over warns, and a warning is an error


def test_many_threads_share_a_client(endpoint):
    answers, errors = [], []

    def work(client):
        try:
            answers.extend(client.create_session("u").id for _ in range(10))
        except Exception as error:  # shown below
            errors.append(error)

    with c.Songbird(endpoint.endpoint) as client:
        threads = [threading.Thread(target=work, args=(client,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert len(answers) == 160
    assert endpoint.idle()


@pytest.mark.parametrize("mode", ["threads", "asyncio"])
def test_uploads_keep_their_connections_where_the_storage_is_another_host(serve, mode):
    api, storage = serve(), serve()
    api.upload_origin = storage.origin
    profiles = [c.ProfileUpload(b"WHY1", "batch", 5)] * 40

    async def main():
        async with c.AsyncSongbird(api.endpoint) as client:
            return await c.aupload_profiles(client, SESSION, profiles, concurrency=4)

    if mode == "asyncio":
        results = asyncio.run(main())
    else:
        with c.Songbird(api.endpoint) as client:
            results = c.upload_profiles(client, SESSION, profiles, concurrency=4)
    assert {result.state for result in results} == {"uploaded"}
    assert len(storage.of("PUT")) == 40
    assert max(api.accepted, storage.accepted) < 20, "one for each of four workers, and some anew after a pause"


def test_typed_messages_and_keywords_ask_the_same(endpoint):
    tags = (c.SegmentTag("k", "v"),)
    pairs = [
        ("create_session", ("u",), c.CreateSessionRequest("u")),
        ("get_session", (SESSION,), c.GetSessionRequest(SESSION)),
        (
            "create_dataset_profile_upload",
            (SESSION, 5, tags, "eu"),
            c.CreateDatasetProfileUploadRequest(c.LogAsyncRequest(5, tags, "eu"), SESSION),
        ),
        (
            "create_reference_profile_upload",
            (SESSION, "a", 5, "eu"),
            c.CreateReferenceProfileUploadRequest(c.LogReferenceRequest("a", 5, "eu"), SESSION),
        ),
        (
            "batch_create_reference_profile_upload",
            (SESSION, [c.LogReferenceRequest("a")]),
            c.BatchCreateReferenceProfileUploadRequest(
                c.BatchLogReferenceRequest((c.LogReferenceRequest("a"),)), SESSION
            ),
        ),
        ("claim_guest_session", (SESSION, "org"), c.ClaimGuestSessionRequest("org", SESSION)),
        (
            "get_session_profile_observatory_link",
            (SESSION, [5], ["r"]),
            c.GetSessionProfileObservatoryLinkRequest(c.GetProfileObservatoryLinkRequest((5,), ("r",)), SESSION),
        ),
        ("list_session_profiles", (SESSION,), c.ListSessionProfilesRequest(SESSION)),
    ]
    with c.Songbird(endpoint.endpoint, "key") as client:
        for name, arguments, message in pairs:
            by_words, by_message = getattr(client, name)(*arguments), getattr(client, name)(message)
            assert type(by_words) is type(by_message) is type(client.send(message))
            first, second, third = endpoint.seen[-3:]
            assert (first.method, first.target, first.body) == (second.method, second.target, second.body)
            assert (first.method, first.target, first.body) == (third.method, third.target, third.body)


def test_raw_answers(serve):
    def behave(line, seen):
        if seen is None or seen.method == "POST":
            return False
        line.send(410, b'{"message": "gone", "requestId": "r", "type": "Gone"}', ["X-Extra: 1", "X-Request-Id: r-9"])
        return True

    server = serve(behave)
    with c.Songbird(server.endpoint) as client:
        raw = client.raw(c.CreateSessionRequest("u"))
        assert raw.status == 200
        assert b'"more": 1' in raw.content
        assert raw.headers["content-type"] == "application/json"
        assert raw.parse().id == SESSION
        raw = client.raw(c.ListSessionProfilesRequest(SESSION))
        assert (raw.status, raw.headers["x-extra"], raw.request_id) == (410, "1", "r-9")
        with pytest.raises(c.SessionExpired, match="gone"):
            raw.parse()
        with pytest.raises(c.ValidationError, match="does not ask"):
            client.raw(c.CreateSessionResponse("x"))

    async def main():
        async with c.AsyncSongbird(server.endpoint) as client:
            return await client.raw(c.CreateSessionRequest("u"))

    assert asyncio.run(main()).parse().id == SESSION


def test_injected_client_is_used_and_left_open(endpoint):
    calls, bodies = [], []

    def look(request):
        calls.append(request.method)
        if request.method == "POST":
            bodies.append(json.loads(request.content))

    with httpx.Client(
        headers={"Authorization": "Bearer KEYCANARY"},
        cookies={"a": "KEYCANARY"},
        auth=("user", "KEYCANARY"),
        event_hooks={"request": [look]},
    ) as mine:
        with c.Songbird(endpoint.endpoint, http_client=mine) as client:
            client.create_session("u")
            (result,) = c.upload_profiles(client, SESSION, [c.ProfileUpload(b"x" * 600_000, "batch", 5)])
        assert result.state == "uploaded"
        assert calls == ["POST", "POST", "PUT"]
        assert [*bodies[0], *bodies[1]] == ["userId", "datasetTimestamp", "segmentTags"]
        assert not mine.is_closed
    put = endpoint.of("PUT")[0]
    assert put.target.endswith("?a=1&X-Amz-Signature=SIGNATURECANARY%2Bx%2f'~("), "byte for byte"
    assert not {"authorization", "cookie", "transfer-encoding", "content-type"} & set(put.headers)
    assert put.headers["content-length"] == "600000"
    assert put.body == b"x" * 600_000


def test_injected_async_client(endpoint):
    async def main():
        async with httpx.AsyncClient() as mine:
            async with c.AsyncSongbird(endpoint.endpoint, http_client=mine) as client:
                await client.create_session("u")
                results = await c.aupload_profiles(client, SESSION, [c.ProfileUpload(b"x" * 600_000, "batch", 5)] * 3)
            assert not mine.is_closed
        return results

    assert [result.state for result in asyncio.run(main())] == ["uploaded"] * 3


def test_injected_transport():
    def answer(request):
        assert request.headers["x-request-id"]
        if request.url.path.endswith("upload"):
            slot = {
                "id": "log-1",
                "datasetId": "m",
                "observatoryUrl": "http://o",
                "uploadUrl": "http://s/x?y=KEYCANARY",
            }
            return httpx.Response(200, json=slot)
        return httpx.Response(200, json={"id": "session-12345678"})

    with c.Songbird("http://songbird.test", transport=httpx.MockTransport(answer)) as client:
        assert client.create_session("u").id == "session-12345678"
        assert client.create_dataset_profile_upload("s", 5).id == "log-1"

    async def main():
        async with c.AsyncSongbird("http://songbird.test", transport=httpx.MockTransport(answer)) as client:
            return await client.create_session("u")

    assert asyncio.run(main()).id == "session-12345678"


@pytest.mark.parametrize(
    "failing", [httpx.ConnectError, httpx.ReadTimeout, httpx.InvalidURL, httpx.RemoteProtocolError]
)
def test_failures_of_an_injected_transport(failing):
    def answer(request):
        raise failing(f"{request.url} KEYCANARY")

    policy = c.Retry(attempts=2, first_pause=0.001)
    client = c.Songbird("http://h/k/PATHCANARY", transport=httpx.MockTransport(answer), retries=policy)
    with client, pytest.raises(c.SongbirdError) as caught:
        client.create_session("u")
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_not_blamed_on_the_endpoint(number):
    def answer(_):
        raise httpx.ConnectError("") from OSError(number, os.strerror(number))

    transport = httpx.MockTransport(answer)
    with (
        c.Songbird("http://h", transport=transport, retries=0) as client,
        pytest.raises(c.EndpointUnreachable) as caught,
    ):
        client.create_session("u")
    assert "too many open files. Close some of them" in str(caught.value)


def test_a_name_that_cannot_be_looked_up_is_no_address():
    with c.Songbird("http://xn--a", retries=0) as client, pytest.raises(c.ConfigurationError, match="cannot be used"):
        client.create_session("u")


def test_errors_that_are_nobodys_failure_come_through():
    def answer(_):
        raise ZeroDivisionError

    with (
        c.Songbird("http://h", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(ZeroDivisionError),
    ):
        client.create_session("u")


def test_what_does_not_fit_is_refused():
    with httpx.Client() as mine:
        with pytest.raises(c.ConfigurationError, match=r"httpx.AsyncClient, not Client"):
            c.AsyncSongbird("http://h", http_client=mine)
        with pytest.raises(c.ConfigurationError, match="not both"):
            c.Songbird("http://h", http_client=mine, proxy="http://p:1")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # nobody can close what a loop that is gone has open
def test_second_event_loop(endpoint):
    def used_twice():
        client = c.AsyncSongbird(endpoint.endpoint)

        async def main():
            await client.create_session("u")

        asyncio.run(main())
        with pytest.raises(c.ConfigurationError, match="another event loop"):
            asyncio.run(main())

    used_twice()
    gc.collect()


@pytest.mark.parametrize("kind", [c.Songbird, c.AsyncSongbird])
def test_operations_have_their_names_documentation_and_parameters(kind):
    assert "side by side" in kind.get_session_profile_observatory_link.__doc__
    assert kind.get_session.__name__ == "get_session"
    signature = inspect.signature(kind("http://h").claim_guest_session)
    assert list(signature.parameters) == ["session_id", "org_id", "api_key"]
    assert signature.return_annotation == "m.ClaimGuestSessionResponse"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_survives_a_fork(endpoint):
    with c.Songbird(endpoint.endpoint) as client:
        client.create_session("u")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - in another process
            code = b"failed"
            try:
                client.create_session("child")
                client.close()
                code = b"done"
            finally:
                os.write(writing, code)
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 100) == b"done"
        os.close(reading)
        os.close(writing)
        client.create_session("u")
        assert endpoint.accepted == 2, "each process has its own connection, and the parent's still works"
        assert [seen.connection for seen in endpoint.seen] == [1, 2, 1]


def test_proxies_of_the_environment(serve, monkeypatch):
    def forward(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(200, b'{"id": "session-12345678"}')
        return True

    proxy, local = serve(forward), serve()
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
    with c.Songbird("http://songbird.example.com/k/PATHCANARY") as client:
        assert client.create_session("u").id == "session-12345678"
    assert proxy.seen[0].target == "http://songbird.example.com/k/PATHCANARY/v0/sessions"
    with c.Songbird(local.endpoint) as client:
        client.create_session("u")
    assert len(proxy.seen) == 1, "this computer needs none"
    monkeypatch.setenv("no_proxy", "songbird.invalid")
    with c.Songbird("http://songbird.invalid", retries=0) as client, pytest.raises(c.EndpointUnreachable):
        client.create_session("u")
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("how", ["proxy", "http_client"])
def test_presigned_urls_pass_a_proxy_as_they_are(serve, how):
    server = serve()

    def forward(line, seen):
        if seen is None:
            return False
        line.body(seen)
        assert seen.target.startswith(server.origin), "a proxy is told the whole address"
        seen.target = seen.target[len(server.origin) :]
        server.answer(line, seen)
        return True

    proxy = serve(forward)
    address = f"http://127.0.0.1:{proxy.port}"
    if how == "http_client":  # whose proxy nobody tells: what httpx encodes anew cannot go through one
        with httpx.Client(proxy=address) as mine, c.Songbird(server.endpoint, http_client=mine) as client:
            assert client.create_session("u").id == SESSION
        return
    profiles = [c.ProfileUpload(b"WHY1", "batch", 5)]
    with c.Songbird(server.endpoint, proxy=address) as client:
        c.upload_profiles(client, SESSION, profiles)

    async def main():
        async with c.AsyncSongbird(server.endpoint, proxy=address) as client:
            await c.aupload_profiles(client, SESSION, profiles)

    asyncio.run(main())
    targets = [seen.target for seen in proxy.of("PUT")]
    assert len(targets) == 2
    assert all(target.endswith("?a=1&X-Amz-Signature=SIGNATURECANARY%2Bx%2f'~(") for target in targets)


def test_importing_loads_no_httpx():
    code = (
        "import sys, songbird_widgets.client as c; c.Songbird('http://h'); c.AsyncSongbird('http://h');"
        "print([m for m in ('httpx', 'httpcore', 'anyio', 'tornado', 'ipywidgets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plain_http_builds_no_trust_store(endpoint):
    code = (
        "import ssl, sys\n"
        "def refuse(*a, **k): raise SystemExit('a trust store was loaded')\n"
        "ssl.SSLContext.load_verify_locations = ssl.SSLContext.load_default_certs = refuse\n"
        "import songbird_widgets.client as c\n"
        "with c.Songbird(sys.argv[1]) as client: print(client.create_session('u').id[:8])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, endpoint.endpoint], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "session-", done.stderr


def test_an_answer_without_end_is_cut(serve, monkeypatch):
    monkeypatch.setattr("songbird_widgets.client.transport.MAX_ANSWER_BYTES", 100_000)

    def flood(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(200, b"x" * 200_000, length=10**12)
        line.wait()
        line.reset = True
        return True

    server = serve(flood)
    with c.Songbird(server.endpoint, retries=0) as client, pytest.raises(c.EndpointUnreachable):
        client.create_session("u")
    assert server.idle()

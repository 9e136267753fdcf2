"""Uploads: many at once, each with its own result, whatever happens to the others."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest

from songbird_widgets import client as c

SESSION = "session-6LpLSESSIONCANARY"
FAST = c.Retry(attempts=2, budget=10, first_pause=0.001, longest_pause=0.002)


def batch(key, content=b"x" * 100, **more):
    return c.ProfileUpload(content, "batch", 1373414400000, key=str(key), **more)


def reference(key, content=b"x" * 100):
    return c.ProfileUpload(content, "reference", alias=f"alias {key}", key=str(key))


@pytest.fixture(params=["threads", "asyncio"])
def upload(request):
    """Upload in both ways with the same arguments; `heard` is set once a cancel has reached the event loop, if any."""

    def perform(server, profiles, cancel=None, timeout=60.0, **options):
        settings = {"retries": FAST, "timeout": timeout}
        if request.param == "threads":
            perform.heard.set()
            with c.Songbird(server.endpoint, **settings) as client:
                return c.upload_profiles(client, SESSION, profiles, cancel=cancel, **options)

        async def main():
            async with c.AsyncSongbird(server.endpoint, **settings) as client:
                event = None
                if cancel is not None:
                    event, loop = asyncio.Event(), asyncio.get_running_loop()

                    def tell():
                        cancel.wait(120)
                        loop.call_soon_threadsafe(lambda: (event.set(), perform.heard.set()))

                    threading.Thread(target=tell).start()
                return await c.aupload_profiles(client, SESSION, profiles, cancel=event, **options)

        return asyncio.run(main())

    perform.heard = threading.Event()
    return perform


def test_everything_arrives_as_it_is(endpoint, upload, tmp_path):
    contents = {}
    profiles = []
    for n, size in enumerate([1, 2, 1000, 262_143, 262_144, 262_145, 1_500_000]):
        content = bytes([n]) * size
        file = tmp_path / f"{n}.bin"
        file.write_bytes(content)
        for kind, what in ((batch, content), (batch, file), (reference, content), (reference, file)):
            contents[str(len(profiles))] = content
            profiles.append(kind(len(profiles), what))
    results = upload(endpoint, profiles)
    assert [result.key for result in results] == list(contents)
    assert {result.state for result in results} == {"uploaded"}
    assert len({result.profile_id for result in results}) == len(profiles)
    assert all("sessionToken" in result.observatory_url for result in results)
    assert sorted(endpoint.known.values()) == sorted(contents.values())
    for seen in endpoint.of("PUT"):
        assert set(seen.headers) == {"host", "content-length"}
        assert seen.headers["content-length"] == str(len(seen.body))
    assert endpoint.idle()


def test_bytearrays_and_views(endpoint, upload):
    view = memoryview(bytearray(range(200)) * 2000)
    results = upload(endpoint, [batch(0, bytearray(b"abc")), batch(1, view)])
    assert {result.state for result in results} == {"uploaded"}
    assert sorted(endpoint.known.values(), key=len) == [b"abc", bytes(view)]


def test_each_has_its_own_result(serve, upload, tmp_path):
    def behave(line, seen):
        if seen is None or seen.method != "POST":
            return False
        line.body(seen)
        if b'"bad"' in seen.body:
            line.send(400, b'{"message": "I do not like it"}')
            return True
        seen.headers["content-length"] = "0"
        line.buffer = b""
        line.server.answer(line, seen)
        return True

    (tmp_path / "empty.bin").write_bytes(b"")
    profiles = [
        batch("good"),
        batch("missing", tmp_path / "missing.bin"),
        batch("folder", tmp_path),
        batch("empty", b""),
        batch("empty file", tmp_path / "empty.bin"),
        batch("no bytes", "text"),
        c.ProfileUpload(b"x", "batch", key="no time"),
        c.ProfileUpload(b"x", "batch", 1373414400, key="seconds"),
        c.ProfileUpload(b"x", "reference", alias=" ", key="alias"),
        c.ProfileUpload(b"x", "other", 5, key="kind"),
        batch("refused", region="bad"),
        reference("last"),
    ]
    results = {result.key: result for result in upload(serve(behave), profiles)}
    words = {
        "missing": "missing.bin cannot be read: no such file",
        "folder": "it is not a file",
        "empty": "has no bytes",
        "empty file": "has no bytes",
        "no bytes": "must be bytes or a Path, not str",
        "no time": "dataset timestamp",
        "seconds": "Multiply by 1000",
        "alias": "alias is empty",
        "kind": "a batch or a reference",
        "refused": "I do not like it",
    }
    assert list(results) == [profile.key for profile in profiles]
    assert {key for key, result in results.items() if result.state == "uploaded"} == {"good", "last"}
    for key, text in words.items():
        assert results[key].state == "failed"
        assert text in str(results[key].error)
        assert results[key].profile_id is None
        assert results[key].error.__traceback__ is None


def test_references_share_requests_for_slots(endpoint, upload):
    results = upload(endpoint, [reference(n) for n in range(80)], concurrency=2)
    assert {result.state for result in results} == {"uploaded"}
    groups = [seen for seen in endpoint.seen if seen.target.endswith("/references")]
    assert sorted(len(re.findall(rb'"alias"', group.body)) for group in groups) == [16, 32, 32]
    assert not [seen for seen in endpoint.seen if seen.target.endswith("/reference")]


def test_large_references_do_not_wait_for_each_other(endpoint, upload):
    upload(endpoint, [reference(n, b"x" * 3_000_000) for n in range(4)], concurrency=1)
    order = [seen.method for seen in endpoint.seen]
    assert order == ["POST", "PUT"] * 4


@pytest.mark.parametrize("answer", ["404", "fewer", "others"])
def test_endpoint_that_does_not_know_groups(serve, upload, answer):
    def behave(line, seen):
        if seen is None or not seen.target.endswith("/references"):
            return False
        line.body(seen)
        if answer == "404":
            line.send(404, b"no such page")
            return True
        result = line.server.result(seen)
        if answer == "fewer":
            result["references"].pop()
        else:
            result["references"].reverse()
        line.send(200, json.dumps(result).encode())
        return True

    server = serve(behave)
    results = upload(server, [reference(n) for n in range(4)], concurrency=2)
    assert {result.state for result in results} == {"uploaded"}
    assert len([seen for seen in server.seen if seen.target.endswith("/reference")]) == 4


def test_concurrency_is_bounded_and_used(serve, upload):
    busy, most, lock, all_there = [0], [0], threading.Lock(), threading.Event()

    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            if busy[0] == 6:
                all_there.set()
        all_there.wait(120)
        time.sleep(0.02)  # a seventh would come
        with lock:
            busy[0] -= 1
        seen.headers["content-length"] = "0"
        line.server.answer(line, seen)
        return True

    results = upload(serve(behave), [batch(n) for n in range(30)], concurrency=6)
    assert {result.state for result in results} == {"uploaded"}
    assert most[0] == 6


def test_an_iterator_is_asked_only_when_someone_is_free(endpoint, upload):
    given, done = [0], [0]

    def profiles():
        for n in range(60):
            given[0] += 1
            assert given[0] - done[0] <= 4 * 8 + 4, "it runs ahead"
            yield batch(n)

    def on_progress(progress):
        done[0] += progress.state == "uploaded"

    results = upload(endpoint, profiles(), concurrency=4, on_progress=on_progress)
    assert len(results) == 60
    assert {result.state for result in results} == {"uploaded"}


def test_an_iterator_that_fails(endpoint, upload):
    def profiles():
        yield batch(0)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        upload(endpoint, profiles())
    assert endpoint.idle()


def test_nothing_to_upload(endpoint, upload):
    assert upload(endpoint, []) == []
    assert upload(endpoint, iter([])) == []
    assert not endpoint.accepted
    with pytest.raises(c.ConfigurationError, match="concurrency"):
        upload(endpoint, [batch(0)], concurrency=0)


def test_progress(endpoint, upload, tmp_path):
    told = []
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 3_500_000)
    upload(endpoint, [batch("f", file), batch("b", b"y" * 10)], on_progress=told.append, concurrency=1)
    large = [event for event in told if event.key == "f"]
    assert [event.state for event in large] == ["sending"] * 4 + ["uploaded"]
    assert [event.sent for event in large] == [0, 1_048_576, 2_097_152, 3_145_728, 3_500_000]
    assert {event.total for event in large} == {3_500_000}
    assert large[-1].profile_id.startswith("log-")
    small = [event for event in told if event.key == "b"]
    assert [(event.state, event.sent) for event in small] == [("sending", 0), ("uploaded", 10)]


def events_of(server, profiles, mode, **options):
    """Collect the events of an upload, in threads or in asyncio."""

    async def main():
        async with c.AsyncSongbird(server.endpoint, retries=FAST) as client:
            return [event async for event in c.aiter_uploads(client, SESSION, profiles, **options)]

    if mode == "asyncio":
        return asyncio.run(main())
    with c.Songbird(server.endpoint, retries=FAST) as client:
        return list(c.iter_uploads(client, SESSION, profiles, **options))


@pytest.mark.parametrize("mode", ["threads", "asyncio"])
def test_each_profile_has_exactly_one_last_event(serve, tmp_path, mode):
    def behave(line, seen):
        if seen is None or seen.method != "PUT" or len(seen.target) % 2:
            return False
        line.body(seen)
        line.send(400, b"no")
        return True

    profiles = [*(batch(n) for n in range(12)), reference("r"), batch("none", tmp_path / "none.bin")]
    events = events_of(serve(behave), profiles, mode)
    last = [event for event in events if event.state != "sending"]
    assert sorted(event.key for event in last) == sorted(profile.key for profile in profiles)
    for event in last:
        following = events[events.index(event) + 1 :]
        assert event.key not in {other.key for other in following}, "nothing follows the last event"
        if event.state == "uploaded":
            assert event.profile_id
            assert "sessionToken" in event.observatory_url
            assert (event.sent, event.error) == (event.total, None)
        else:
            assert event.state == "failed"
            assert (event.sent, event.profile_id) == (0, None), "what did not land was not sent"
            assert event.error
        assert "CANARY" not in repr(event)


@pytest.mark.parametrize("mode", ["threads", "asyncio"])
def test_who_stops_listening_ends_the_upload(endpoint, mode):
    profiles = [batch(n) for n in range(200)]

    async def main():
        async with c.AsyncSongbird(endpoint.endpoint) as client:
            events = c.aiter_uploads(client, SESSION, profiles, concurrency=2)
            assert (await anext(events)).state == "sending"
            await events.aclose()

    if mode == "asyncio":
        asyncio.run(main())
    else:
        with c.Songbird(endpoint.endpoint) as client:
            events = c.iter_uploads(client, SESSION, profiles, concurrency=2)
            assert next(events).state == "sending"
            events.close()
    assert endpoint.idle()
    assert len(endpoint.of("PUT")) < 200


@pytest.mark.parametrize("mode", ["threads", "asyncio"])
def test_slots_of_the_api_of_2023_are_accepted(serve, mode):
    def behave(line, seen):
        if seen is None or seen.method == "PUT":
            return False
        line.body(seen)
        answer = line.server.result(seen)
        for slot in answer.get("references", [answer]):
            for name in ("datasetId", "observatoryUrl"):
                slot.pop(name, None)
            slot["modelId"] = "model-1"
        answer.pop("observatoryUrl", None)
        line.send(200, json.dumps(answer).encode())
        return True

    events = events_of(serve(behave), [batch(0), *(reference(n) for n in range(3))], mode, concurrency=1)
    last = [event for event in events if event.state != "sending"]
    assert [(event.state, event.observatory_url) for event in last] == [("uploaded", None)] * 4


def test_a_callback_that_raises_costs_no_upload(endpoint, upload, records):
    def on_progress(_):
        raise ZeroDivisionError(SESSION)

    results = upload(endpoint, [batch(n) for n in range(5)], on_progress=on_progress)
    assert {result.state for result in results} == {"uploaded"}
    assert len([text for text in records.texts if "ZeroDivisionError" in text and "WARNING" not in text]) == 1


def test_progress_is_told_on_the_callers_thread(endpoint, upload):
    threads = set()
    upload(endpoint, [batch(n) for n in range(3)], on_progress=lambda _: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize(("where", "sized"), [("slot", True), ("answer", False), ("answer", True), ("body", False)])
def test_a_cancel_gives_control_back_and_reports_what_is_known(serve, upload, where, sized):
    reached, cancel, go_on = threading.Event(), threading.Event(), threading.Event()

    def behave(line, seen):
        if seen is None:
            return False
        if where == "slot" or seen.method == "PUT":
            line.body(seen, most=10 if where == "body" else None)
            reached.set()
            go_on.wait()
            return line.abort()
        return False

    server = serve(behave)
    profiles = [batch(n, b"x" * (30_000_000 if where == "body" else 400_000)) for n in range(6)]
    threading.Thread(target=lambda: (reached.wait(120), cancel.set())).start()
    try:  # nothing else ends it
        results = upload(server, profiles if sized else iter(profiles), cancel=cancel, concurrency=2, timeout=3600.0)
    finally:
        go_on.set()
    assert {result.state for result in results} == {"cancelled"}
    assert {type(result.error) for result in results} == {c.Cancelled}
    assert len(results) == 6 if sized else len(results) <= 4
    if where == "answer":  # its bytes are there, and nobody knows whether they were kept
        assert any(result.error.ambiguous for result in results)
    assert server.idle()


def test_what_lands_while_a_cancel_waits_is_reported_as_uploaded(serve, upload, monkeypatch):
    monkeypatch.setattr("songbird_widgets.client.uploads.GRACE_SECONDS", 120.0)
    cancel = threading.Event()

    def behave(_, seen):
        if seen is not None and seen.method == "PUT":
            cancel.set()
            upload.heard.wait(60)
        return False

    results = upload(serve(behave), [batch(n) for n in range(20)], cancel=cancel, concurrency=1)
    assert [result.state for result in results] == ["uploaded"] + ["cancelled"] * 19


def test_a_client_is_usable_after_a_cancel_and_its_worker_ends_with_what_it_waited_for(serve):
    cancel, go_on = threading.Event(), threading.Event()

    def behave(line, seen):
        if seen is None or seen.method != "PUT" or cancel.is_set():
            return False
        cancel.set()
        line.body(seen, most=10)
        go_on.wait()
        return line.abort()

    server = serve(behave)
    with c.Songbird(server.endpoint, timeout=3600.0) as client:
        (result,) = c.upload_profiles(client, SESSION, [batch(0)], cancel=cancel)  # the caller has control back
        assert (result.state, result.error.ambiguous) == ("cancelled", True)
        results = c.upload_profiles(client, SESSION, [batch(0), batch(1)])
        assert [result.state for result in results] == ["uploaded", "uploaded"]
        go_on.set()
        workers = [thread for thread in threading.enumerate() if thread.name.startswith("songbird-upload")]
        for worker in workers:
            worker.join(60)
        assert not any(worker.is_alive() for worker in workers)
    assert server.idle()


def test_cancelled_before_it_began(endpoint):
    cancel = threading.Event()
    cancel.set()
    with c.Songbird(endpoint.endpoint) as client:
        results = c.upload_profiles(client, SESSION, [batch(n) for n in range(5)], cancel=cancel)
    assert [result.state for result in results] == ["cancelled"] * 5
    assert not endpoint.accepted


def test_a_cancelled_task_leaves_nothing_behind(serve):
    all_arrived = threading.Barrier(6)

    def behave(line, seen):
        if seen is None or seen.method != "PUT":
            return False
        line.body(seen)
        all_arrived.wait(60)
        line.wait()
        line.reset = True
        return True

    server = serve(behave)

    async def main():
        async with c.AsyncSongbird(server.endpoint) as client:
            task = asyncio.create_task(c.aupload_profiles(client, SESSION, [batch(n) for n in range(5)]))
            await asyncio.to_thread(all_arrived.wait, 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert server.idle()


@pytest.mark.parametrize(("status", "kind"), [(410, c.SessionExpired), (404, c.NotFound), (403, c.AuthenticationError)])
def test_a_session_that_is_gone_ends_it(serve, upload, status, kind):
    def behave(line, seen):
        if seen is None or seen.method != "POST" or line.server.of("POST").index(seen) < 3:
            return False
        line.body(seen)
        line.send(status, b'{"message": "gone"}')
        return True

    server = serve(behave)
    results = upload(server, [batch(n) for n in range(200)], concurrency=2)
    states = [result.state for result in results]
    assert len(results) == 200
    assert states.count("uploaded") == 3
    assert states.count("failed") == 197
    assert {type(result.error) for result in results if result.error} == {kind}
    assert len(server.of("POST")) <= 3 + 2, "the others were not even tried"


def test_an_endpoint_that_is_gone_ends_it(upload, nobody):
    results = upload(SimpleNamespace(endpoint=nobody), [batch(n) for n in range(100)], concurrency=2)
    assert {result.state for result in results} == {"failed"}
    assert {type(result.error) for result in results} == {c.EndpointUnreachable}


def test_one_storage_failure_ends_nothing(serve, upload):
    broken = []

    def behave(line, seen):
        if seen is None or seen.method != "PUT" or (len(line.server.of("PUT")) not in {2, 3}):
            return False
        broken.append(seen)
        return line.abort()

    server = serve(behave)
    results = upload(server, [batch(n) for n in range(10)], concurrency=1)
    assert [result.state for result in results].count("uploaded") == 9
    assert len(broken) == 2


def test_what_is_confirmed_before_all_of_it_was_sent_is_not_uploaded(serve, upload):
    def behave(line, seen):
        if seen is None or seen.method != "PUT":
            return False
        line.body(seen, most=10)
        line.send(200, b"", ["Connection: close"])
        line.reset = True
        return True

    (result,) = upload(serve(behave), [batch(0, bytes(40_000_000))])
    assert result.state == "failed"
    assert result.error.ambiguous


NO_PROFILES = {
    "None": None,
    "bytes": b"WHY1",
    "a name that no file can have": batch("", Path("a\0b")),
    "a view with gaps": batch("", memoryview(b"WHY1")[::2]),
    "a text": batch("", "WHY1"),
    "no bytes": batch("", b""),
    "no kind": c.ProfileUpload(b"WHY1", ["batch"], 5),
    "no tags": batch("", segment_tags=5),
    "no time": c.ProfileUpload(b"WHY1", "batch"),
}


@pytest.mark.parametrize("kind", [list, iter])
def test_what_is_no_profile_to_upload_fails_for_itself_alone(endpoint, upload, kind):
    results = upload(endpoint, kind([batch(0), *NO_PROFILES.values(), batch(1)]), concurrency=1)
    assert [result.state for result in results] == ["uploaded", *["failed"] * len(NO_PROFILES), "uploaded"]
    assert {type(result.error) for result in results[1:-1]} == {c.ValidationError}
    assert {result.key for result in results[1:-1]} == {""}


@pytest.mark.parametrize("concurrency", [0, 1.5, "4", None])
def test_a_concurrency_that_is_none_is_refused(endpoint, upload, concurrency):
    with pytest.raises(c.ConfigurationError, match="concurrency must be"):
        upload(endpoint, [batch(0)], concurrency=concurrency)
    assert not endpoint.accepted


def test_the_largest_concurrency_costs_no_more_than_a_hundred(endpoint, upload):
    assert {result.state for result in upload(endpoint, iter([batch(0)]), concurrency=10**9)} == {"uploaded"}


@pytest.mark.parametrize("session", [None, 5, b"session-6LpLSESSIONCANARY"])
def test_a_session_that_is_no_text_is_refused(endpoint, session):
    with c.Songbird(endpoint.endpoint) as client, pytest.raises(c.ValidationError, match="session id must be text"):
        c.upload_profiles(client, session, [batch(0)])


def test_the_client_of_the_other_kind_is_refused(endpoint):
    with pytest.raises(c.ConfigurationError, match="needs Songbird, not AsyncSongbird"):
        c.upload_profiles(c.AsyncSongbird(endpoint.endpoint), SESSION, [batch(0)])
    with c.Songbird(endpoint.endpoint) as client, pytest.raises(c.ConfigurationError, match="needs AsyncSongbird"):
        asyncio.run(c.aupload_profiles(client, SESSION, [batch(0)]))


@pytest.mark.parametrize("kind", [asyncio.Event, threading.Event])
def test_asyncio_is_cancelled_by_an_event_of_either_kind(endpoint, kind):
    async def main():
        cancel = kind()
        async with c.AsyncSongbird(endpoint.endpoint) as client:
            before = await c.aupload_profiles(client, SESSION, [batch(0)], cancel=cancel)
            cancel.set()
            return before, await c.aupload_profiles(client, SESSION, [batch(0)], cancel=cancel)

    before, after = asyncio.run(main())
    assert (before[0].state, after[0].state) == ("uploaded", "cancelled")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # is multi-threaded, and that is the case
def test_an_upload_is_not_continued_in_a_fork(endpoint):
    with c.Songbird(endpoint.endpoint) as client:
        events = c.iter_uploads(client, SESSION, [batch(n) for n in range(20)], concurrency=2)
        next(events)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - in another process
            said = b"it went on"
            try:
                list(events)
            except c.ConfigurationError as error:
                said = str(error).encode()
            finally:
                os.write(writing, said)
                os._exit(0)
        last = [event for event in events if event.state == "uploaded"]
        os.waitpid(child, 0)
        assert b"not of its fork" in os.read(reading, 1000)
        os.close(reading)
        os.close(writing)
    assert len(last) == 20


@pytest.mark.parametrize("change", ["grows", "shrinks", "vanishes"])
def test_a_file_that_changes_meanwhile_is_not_sent_to_its_end(endpoint, upload, tmp_path, change):
    file = tmp_path / "profile.bin"
    file.write_bytes(b"x" * 2_000_000)

    class Changing(type(file)):
        """A path whose file changes once it is open."""

        def open(self, *arguments, **options):
            if change == "vanishes":
                raise FileNotFoundError(2, "No such file or directory")
            stream = file.open(*arguments, **options)
            with file.open("r+b") as other:
                other.truncate(1_000_000 if change == "shrinks" else 3_000_000)
            return stream

    results = upload(endpoint, [batch(0, Changing(file)), batch(1)], concurrency=1)
    assert results[0].state == "failed"
    assert "profile.bin cannot be read" in str(results[0].error)
    assert results[1].state == "uploaded"
    assert len([seen for seen in endpoint.of("PUT") if seen.complete]) == 1
    assert endpoint.idle()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://h/x?KEYCANARY",
        "file:///etc/passwd",
        "http://h/a b?S=KEYCANARY",
        "http://h/é",
        "http:///x?S=KEYCANARY",
        "http://a..b/x?S=KEYCANARY",
        "http://xn--a/x?S=KEYCANARY",
        f"http://{'a' * 64}/x?S=KEYCANARY",
    ],
)
def test_addresses_that_cannot_be_used(serve, upload, url):
    def behave(line, seen):
        if seen is None or seen.method != "POST":
            return False
        line.body(seen)
        line.send(200, json.dumps({**line.server.result(seen), "uploadUrl": url}).encode())
        return True

    (result,) = upload(serve(behave), [batch(0)])
    assert result.state == "failed"
    assert isinstance(result.error, (c.ResponseError, c.ConfigurationError))
    assert "CANARY" not in str(result.error)


def test_memory_does_not_grow_with_what_is_sent(endpoint, upload, tmp_path):
    file = tmp_path / "profile.bin"
    file.write_bytes(b"x" * 4_000_000)
    endpoint.behave = swallow
    upload(endpoint, [batch(0, file)])
    tracemalloc.start()
    try:
        results = upload(endpoint, (batch(n, file) for n in range(12)), concurrency=4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {result.state for result in results} == {"uploaded"}
    assert peak < 12_000_000, "48 MB were sent"


def swallow(line, seen):
    """Take a body without keeping it."""
    if seen is None or seen.method != "PUT":
        return False
    left = int(seen.headers["content-length"]) - len(line.buffer)
    line.buffer = b""
    buffer = bytearray(65536)
    while left > 0:
        left -= line.sock.recv_into(buffer)
    line.send(200)
    return True

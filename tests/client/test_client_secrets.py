"""Secrets in frames: what a verbose traceback, a debugger or an error reporter shows of a failed call."""

from __future__ import annotations

import asyncio
import operator
import pickle
import re

import pytest

from songbird_widgets import client as c
from songbird_widgets.client.request import build_request
from songbird_widgets.client.upload_steps import Upload, _Item
from songbird_widgets.secret import Secret

SESSION = "session-6LpLSESSIONCANARY"
KEY = "canarykey0.KEYCANARYKEYCANARY:org-1"
CANARY = re.compile("SESSIONCANARY|KEYCANARY|PATHCANARY|SIGNATURECANARY|HEADERCANARY|PROXYCANARY")
SIGNED = "http://127.0.0.1:1/uploads/x?signature=SIGNATURECANARY"
ENDPOINT = "http://127.0.0.1:1/k/PATHCANARY"


def test_a_secret_prints_as_stars_and_cannot_be_pickled():
    secret = Secret(KEY)
    assert {repr(secret), str(secret), f"{secret}", operator.mod("%s", secret), repr([secret])} == {"***", "[***]"}
    assert secret.reveal() == KEY
    assert secret == Secret(KEY)
    assert secret != KEY
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def asynchronously(call):
    async def main(endpoint, options):
        async with c.AsyncSongbird(endpoint, KEY, **options) as client:
            await call(client)

    return lambda endpoint, **options: asyncio.run(main(endpoint, options))


def synchronously(call):
    def main(endpoint, **options):
        with c.Songbird(endpoint, KEY, **options) as client:
            call(client)

    return main


def upload(client):
    """Fail outside of any upload, so that the error comes through all frames."""

    def profiles():
        raise LookupError("mine")
        yield

    return list(c.iter_uploads(client, SESSION, profiles()))


CALLS = {
    "nothing listens": synchronously(lambda client: client.get_session(SESSION)),
    "nothing listens, asyncio": asynchronously(lambda client: client.get_session(SESSION)),
    "a key for one call": synchronously(lambda client: client.claim_guest_session(SESSION, "org", KEY)),
    "a key that is none": synchronously(lambda client: client.get_session(SESSION, api_key="KEY CANARY KEYCANARY")),
    "an id that is none": synchronously(lambda client: client.list_session_profiles(f"{SESSION} ")),
    "an id that is none, asyncio": asynchronously(lambda client: client.list_session_profiles(f"{SESSION} ")),
    "a time that is none": synchronously(lambda client: client.create_dataset_profile_upload(SESSION, 5.5)),
    "items that are none": synchronously(lambda client: client.get_session_profile_observatory_link(SESSION, 5)),
    "a message": synchronously(lambda client: client.send(c.ClaimGuestSessionRequest("org", SESSION), KEY)),
    "a message as it comes": synchronously(lambda client: client.raw(c.GetSessionRequest(SESSION), KEY)),
    "an iterator that fails": synchronously(upload),
    "no concurrency": synchronously(lambda client: c.upload_profiles(client, SESSION, [], concurrency=0)),
    "an endpoint that is none": lambda _, **options: c.Songbird("ftp://h/KEYCANARY", KEY, **options),
    "a client's key that is none": lambda _, **options: c.Songbird(ENDPOINT, "KEY CANARY KEYCANARY", **options),
    "a header that is none": lambda _, **__: c.Songbird(ENDPOINT, headers={"X": "HEADERCANARY\n"}),
    "a proxy that is none": lambda _, **__: c.Songbird(ENDPOINT, KEY, proxy="ftp://PROXYCANARY@h"),
    "options that are none": synchronously(lambda client: client.with_options(headers={"X": "HEADERCANARY\n"})),
}


@pytest.mark.parametrize("case", CALLS)
def test_no_frame_of_the_client_holds_a_secret(shown_in_frames, case):
    with pytest.raises((c.SongbirdError, LookupError, TypeError)) as caught:
        CALLS[case](ENDPOINT, retries=c.Retry(attempts=2, first_pause=0.001), headers={"X-Team": "HEADERCANARY"})
    assert_hidden(shown_in_frames(caught.value))


def assert_hidden(shown):
    assert [line for line in shown if "songbird_widgets" in line], "frames of the package are looked at"
    assert [line for line in shown if CANARY.search(line)] == []


# Where something may fail that is nobody's fault, or somebody press Ctrl+C: each layer from our own to the sockets.
OF_REQUESTS = [
    "songbird_widgets.client.request.check",
    "songbird_widgets.client.songbird.build_request",
    "songbird_widgets.client.sending.sent",
    "songbird_widgets.client.transport._parsed",
    "songbird_widgets.client.transport.Transport._transport_for",
    "songbird_widgets.client.transport.RawResponse",
    "songbird_widgets.client.response.msgspec.json.decode",
    "httpx.Request.__init__",
    "h11.Connection.send",
]
OF_MODE = {
    "threads": ["httpx.HTTPTransport.handle_request", "httpcore.HTTPConnection.handle_request"],
    "asyncio": ["httpx.AsyncHTTPTransport.handle_async_request", "httpcore.AsyncHTTPConnection.handle_async_request"],
}
OF_UPLOADS = [
    "songbird_widgets.client.upload_steps.Upload.take",
    "songbird_widgets.client.upload_steps.Worker._send",
    "songbird_widgets.client.upload_steps.Worker._put",
    "songbird_widgets.client.upload_steps._Item.event",
    "songbird_widgets.client.upload_steps.sent",
    "songbird_widgets.client.upload_steps.origin_of",
    "httpx.Request.__init__",
]
MODES = {"threads": synchronously, "asyncio": asynchronously}


def failing(kind):
    def fail(*_, **__):
        raise kind

    return fail


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize(("mode", "layer"), [(mode, layer) for mode in MODES for layer in OF_REQUESTS + OF_MODE[mode]])
def test_a_request_that_fails_in_any_layer_shows_no_secret(endpoint, shown_in_frames, monkeypatch, mode, layer, kind):
    claim = MODES[mode](lambda client: client.claim_guest_session(SESSION, "org", api_key=KEY))
    monkeypatch.setattr(layer, failing(kind))
    with pytest.raises(kind) as caught:
        claim(endpoint.endpoint, headers={"X-Team": "HEADERCANARY"})
    assert_hidden(shown_in_frames(caught.value))


@pytest.mark.parametrize("mode", MODES)
def test_where_an_error_came_from_is_logged_for_who_looks_for_it(endpoint, records, monkeypatch, mode):
    monkeypatch.setattr("songbird_widgets.client.transport._parsed", failing(ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        MODES[mode](lambda client: client.create_session("u"))(endpoint.endpoint)
    assert [text for text in records.texts if re.search(r"ZeroDivisionError came from .*transport\.py:\d+\)", text)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layer", OF_UPLOADS)
def test_an_upload_that_fails_in_any_layer_shows_no_secret(endpoint, shown_in_frames, monkeypatch, mode, layer):
    profiles = [c.ProfileUpload(b"x", "reference", alias="a", key=str(n)) for n in range(2)]
    upload = {"threads": c.upload_profiles, "asyncio": c.aupload_profiles}[mode]
    perform = MODES[mode](lambda client: upload(client, SESSION, profiles, concurrency=1))
    monkeypatch.setattr(layer, failing(ZeroDivisionError))
    with pytest.raises(ZeroDivisionError) as caught:
        perform(endpoint.endpoint, headers={"X-Team": "HEADERCANARY"})
    assert_hidden(shown_in_frames(caught.value))


def test_no_field_of_a_request_shows_a_secret_to_who_looks_into_it():
    with c.Songbird(ENDPOINT, KEY, headers={"X-Team": "HEADERCANARY"}) as client:
        request = build_request(c.ClaimGuestSessionRequest("org", SESSION), client.settings, Secret(KEY))
        upload = Upload(c.Songbird, client, Secret(SESSION), [], 1, None)
        put = upload.workers[0]._put(_Item(0, c.ProfileUpload(b"x", "batch", 0), upload), SIGNED)
    for made in (request, put):
        for name in set(made.__struct_fields__) - {"content"}:  # which is the message itself
            assert not CANARY.search(repr(getattr(made, name))), name
    assert [value.reveal() for name, value in request.headers if name == "X-API-Key"] == [KEY]
    assert put.url.reveal() == SIGNED


@pytest.mark.parametrize("status", [200, 302, 410, 500])
def test_no_frame_of_the_client_holds_a_secret_of_an_answer(serve, shown_in_frames, status):
    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(status, f"{SESSION} {KEY}".encode(), [f"Location: http://other.example.com/{SESSION}"])
        return True

    with c.Songbird(serve(behave).endpoint, KEY, retries=0) as client, pytest.raises(c.SongbirdError) as caught:
        client.get_session(SESSION)
    assert_hidden(shown_in_frames(caught.value))

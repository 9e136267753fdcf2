"""Secrets in frames: what a verbose traceback, a debugger or an error reporter shows of a failed call."""

from __future__ import annotations

import asyncio
import operator
import pickle
import re
import traceback

import pytest

from songbird_widgets import client as c
from songbird_widgets.client.request import build_request
from songbird_widgets.client.uploads import _Item, _Upload
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
def test_no_frame_of_the_client_holds_a_secret(case):
    try:
        CALLS[case](ENDPOINT, retries=c.Retry(attempts=2, first_pause=0.001), headers={"X-Team": "HEADERCANARY"})
    except (c.SongbirdError, LookupError) as error:
        shown = ours(error)
    assert shown, "frames of the client are looked at"
    assert not CANARY.search(shown), shown


def test_no_field_of_a_request_shows_a_secret_to_who_looks_into_it():
    with c.Songbird(ENDPOINT, KEY, headers={"X-Team": "HEADERCANARY"}) as client:
        request = build_request(c.ClaimGuestSessionRequest("org", SESSION), client.settings, Secret(KEY))
        upload = _Upload(client.settings, Secret(SESSION), [], 1, None)
        put = upload._put(_Item(0, c.ProfileUpload(b"x", "batch", 0), upload), Secret(SIGNED))
    for made in (request, put):
        for name in set(made.__struct_fields__) - {"content"}:  # which is the message itself
            assert not CANARY.search(repr(getattr(made, name))), name
    assert [value.reveal() for name, value in request.headers if name == "X-API-Key"] == [KEY]
    assert put.url.reveal() == SIGNED


@pytest.mark.parametrize("status", [200, 302, 410, 500])
def test_no_frame_of_the_client_holds_a_secret_of_an_answer(serve, status):
    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(status, f"{SESSION} {KEY}".encode(), [f"Location: http://other.example.com/{SESSION}"])
        return True

    with c.Songbird(serve(behave).endpoint, KEY, retries=0) as client, pytest.raises(c.SongbirdError) as caught:
        client.get_session(SESSION)
    assert not CANARY.search(ours(caught.value))


def ours(error):
    """Return the local variables of the package's own frames, as a verbose traceback shows them."""
    summary = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in summary.stack if "songbird_widgets" in frame.filename]
    return "\n".join(f"{frame.name}: {frame.locals}" for frame in frames)

"""No frame of what fails in a session holds what gives access."""

from __future__ import annotations

import httpx
import pytest

from songbird_widgets import Session
from songbird_widgets.client import Songbird
from songbird_widgets.client.errors import SongbirdError
from songbird_widgets.session.ledger import Ledger

SESSION_ID = "session-canary" + "s" * 16
KEY = "publicpart.canarykey" + "x" * 30 + ":org-1"
ENDPOINT = "https://songbird.example.com/k/canarysecret"
SIGNED = "https://store.example.com/bucket/1?X-Amz-Signature=canarysignature"


@pytest.fixture
def session(profile_bytes, tmp_path, monkeypatch):
    """A session with one uploaded profile whose endpoint fails at whatever is asked of it from then on."""
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "data"))
    works = [True]

    def answer(request):
        if request.method == "PUT" and works[0]:
            return httpx.Response(200)
        if request.url.path.endswith("/v0/sessions"):
            return httpx.Response(200, json={"id": SESSION_ID})
        if request.url.path.endswith("/references") or request.url.path.endswith("/reference"):
            slot = {
                "id": "ref-1",
                "modelId": "model-1",
                "alias": "train",
                "observatoryUrl": "https://x/",
                "uploadUrl": SIGNED,
            }
            whole = {"references": [slot], "observatoryUrl": "https://x/"}
            return httpx.Response(200, json=whole if request.url.path.endswith("s") else slot)
        return httpx.Response(400, json={"message": "No.", "requestId": "1", "type": "InvalidArgument"})

    client = Songbird(ENDPOINT, KEY, retries=1, transport=httpx.MockTransport(answer))
    with client, Session(client=client) as made:
        made.add(profile_bytes("batch-2013-07-08.bin"), alias="train")
        assert [one.state for one in made.upload()] == ["uploaded"]
        works[0] = False
        yield made


CALLS = {
    "claim": lambda session: session.claim("org-1"),
    "claim with a key": lambda session: session.claim("org-1", KEY),
    "info": lambda session: session.info(),
    "refresh": lambda session: session.refresh(),
    "delete": lambda session: session.delete("train"),
    "delete all": lambda session: session.delete(),
    "link": lambda session: (session.select("train"), session.link),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_frame_of_a_session_that_fails_holds_what_gives_access(session, shown_in_frames, call):
    with pytest.raises(SongbirdError) as caught:
        call(session)
    lines = shown_in_frames(caught.value)
    assert lines
    assert [line for line in lines if "canary" in line] == []


def test_no_frame_holds_what_the_ledger_knows_of_a_session(session, shown_in_frames, monkeypatch):
    assert session.session_id == SESSION_ID
    # A session that is continued, of which something is wrong after the ledger was asked.
    monkeypatch.setattr("songbird_widgets.session.session.RemoteSession", None)
    assert Ledger().recent()[0].session_id == SESSION_ID
    with pytest.raises(TypeError) as caught:
        Session(session_id=SESSION_ID)
    assert [line for line in shown_in_frames(caught.value) if "canary" in line] == []

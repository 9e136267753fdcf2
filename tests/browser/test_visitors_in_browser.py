"""A Voilà with two visitors at once: neither sees anything of the other, nor of its owner."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1
from playwright.sync_api import expect

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
NAMES = ("ada", "bob")
OWNER = f"""
import json
from songbird_widgets.session import Session
session = Session()
session.add({str(PROFILES / "reference-july.bin")!r}, alias="owners-own")
session.upload()
print(json.dumps([session.session_id, session.short_id, "owners-own"]))
"""
SOCKETS = """
window.sockets = [];
window.WebSocket = class extends window.WebSocket {
  constructor(...all) { super(...all); window.sockets.push(this); }
};
"""
SEND = """
data => {
  const socket = window.sockets.find((one) => one.readyState === 1 && one.url.includes('/channels'));
  socket.send(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
}
"""


@pytest.fixture
def owners(environment):
    """What there is of the owner, and must not be seen: a session among the recent ones, and a key."""
    done = subprocess.run(
        [sys.executable, "-c", OWNER], env=environment, check=True, capture_output=True, text=True, timeout=300
    )
    return [*json.loads(done.stdout), environment["SONGBIRD_API_KEY"]]


def arrive(desk, name):
    """Visit the dashboard, and upload a profile of one's own."""
    visitor = desk("voila")
    visitor.name = name
    visitor.page.add_init_script(SOCKETS)
    visitor.frames = visitor.listen()
    with visitor.page.expect_response(lambda answer: "/render/" in answer.url) as answer:
        visitor.open("visitors.ipynb")
    visitor.html = answer.value.text()
    add = visitor.panel("add")
    add.get_by_label("Reference", exact=True).check()
    add.get_by_label("Alias of the reference").fill(f"profile-of-{name}")
    add.locator("input[type=file]").set_input_files(PROFILES / "reference-first-quarter.bin")
    expect(add.get_by_role("status")).to_contain_text("Added 1 profile")
    return visitor


def identify(visitor):
    """Return the header and content of the message by which the visitor's own browser asked for the id."""
    for way, data in visitor.frames:
        if way == "out" and b'"do":"identify"' in data:
            _, (header, _parent, _metadata, content, *_) = deserialize_msg_from_ws_v1(data)
            return json.loads(header), json.loads(content)
    raise AssertionError("the browser did not ask")


def send(visitor, header, content):
    parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
    data = serialize_msg_to_ws_v1(parts, "shell")
    visitor.page.evaluate(SEND, base64.b64encode(data).decode())


def test_two_visitors_at_once_see_nothing_of_each_other_nor_of_the_owner(desk, owners):
    desk("voila").write("visitors.ipynb", "import songbird_widgets as sw\nsession = sw.Session()\nsession")
    visitors = [arrive(desk, name) for name in NAMES]
    for visitor in visitors:
        visitor.panel("upload").get_by_role("button", name="Upload 1 profile").click()
    for visitor in visitors:
        expect(visitor.panel("upload").get_by_role("status")).to_have_text("The profile is uploaded.")
        visitor.panel("picker").get_by_role("option").click()
        visitor.copy_session_id()
        visitor.panel("session").get_by_role("button", name="Ask the endpoint again").click()
    for visitor in visitors:
        option = visitor.panel("picker").get_by_role("option")
        expect(option).to_have_count(1)
        expect(option).to_contain_text(f"profile-of-{visitor.name}")
        expect(visitor.panel("session").get_by_text("Another session")).to_be_hidden()
        link = visitor.panel("link").get_by_role("link")
        visitor.token = parse_qs(urlsplit(link.get_attribute("href")).query)["sessionToken"][0]
        with visitor.page.context.expect_page() as opened:
            link.click()
        expect(opened.value.locator("h1")).to_contain_text(f"profile-of-{visitor.name}")
        visitor.observatory = opened.value.content()

    # Who speaks to the kernel without the page's help gets no recent sessions, and runs no code.
    for visitor in visitors:
        header, content = identify(visitor)
        code = {"code": "1 + 1", "silent": False, "store_history": False, "allow_stdin": False}
        send(visitor, {**header, "msg_id": "made-up-1", "msg_type": "execute_request"}, code)
        data = {"method": "custom", "content": {"part": "session", "do": "recall"}}
        send(visitor, {**header, "msg_id": "made-up-2"}, {**content, "data": data})
        expect(visitor.panel("session").get_by_role("alert")).to_contain_text("not open to a dashboard's visitors")
        received = b"".join(data for way, data in visitor.frames if way == "in")
        assert b"not open to a dashboard" in received
        assert b"execute_reply" not in received
        assert b'"earlier"' not in received

    tokens = [visitor.token for visitor in visitors]
    assert len(set(tokens)) == len(NAMES)
    kernels = [visitor.sockets[0].split("/api/kernels/")[1].split("/")[0] for visitor in visitors]
    for visitor in visitors:
        others = [one for one in visitors if one is not visitor]
        foreign = owners + [one.token for one in others] + [f"profile-of-{one.name}" for one in others]
        foreign += [kernel for kernel, one in zip(kernels, visitors, strict=True) if one is not visitor]
        assert len(visitor.frames) > 20
        pages = f"{visitor.html} {visitor.page.content()} {visitor.observatory}".encode()
        seen = b"".join([pages, *(data for _, data in visitor.frames)])
        assert f"profile-of-{visitor.name}".encode() in seen
        assert not [secret for secret in foreign if secret.encode() in seen]
    for path in ("api/kernels", "api/sessions", "api/contents", "voila/api/kernels"):
        try:
            with urllib.request.urlopen(visitors[0].front_end.url + path, timeout=60) as answer:
                told = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                told = error.read().decode()
        assert not [kernel for kernel in kernels if kernel in told]
    log = visitors[0].front_end.log.read_text("utf-8", "replace")
    assert not [secret for secret in [*tokens, *owners] if secret in log]

"""The relay behind Jupyter's own login, in a real Jupyter server."""

from __future__ import annotations

import contextlib
import json
import re
import textwrap
import threading
import time
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest


def tail(link):
    """A link of the local service as it goes through the relay."""
    parts = urlsplit(link)
    return f"songbird{parts.path}?{parts.query}"


def test_a_link_shows_its_page_to_who_is_logged_in(jupyter, uploaded):
    answer = jupyter.ask(tail(uploaded["link"]))
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "july" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_exports_and_static_files_too(jupyter, uploaded):
    data = jupyter.ask(tail(uploaded["link"]).replace("/profiles?", "/profiles.json?"))
    assert data.headers["Content-Type"].startswith("application/json")
    assert [profile["label"] for profile in json.loads(data.text)["profiles"]] == ["july", "2013-07-08"]
    table = jupyter.ask(tail(uploaded["link"]).replace("/profiles?", "/profiles.csv?"))
    assert table.headers["Content-Type"].startswith("text/csv")
    head = jupyter.ask(tail(uploaded["link"]), method="HEAD")
    assert (head.status, head.text) == (200, "")


def test_nobody_else_sees_anything(jupyter, uploaded):
    for path in (tail(uploaded["link"]), f"songbird/organizations/{uploaded['organization']}", "songbird/"):
        answer = jupyter.ask(path, token=None)
        assert answer.status in (302, 403)
        assert "july" not in answer.text
        if answer.status == 302:
            assert "/login" in answer.headers["Location"]


def test_a_token_in_the_address_opens_it_and_goes_no_further(jupyter, uploaded):
    answer = jupyter.ask(f"{tail(uploaded['link'])}&token=canary-jupyter-token", token=None)
    assert answer.status == 200
    assert "canary-jupyter-token" not in answer.text


@pytest.mark.usefixtures("uploaded")
def test_browsers_that_are_let_in_see_the_home_page_and_what_it_links_to(jupyter):
    browser = {"Accept": "text/html,*/*"}
    for _ in range(2):  # the second time with the sign-in of the first
        page = jupyter.ask("songbird/", headers=browser)
        assert page.status == 200
        assert "Your sessions" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "/s/" not in page.text
    linked = unescape(re.search(r'href="(resources/[^"]+)"', page.text)[1])
    assert "july" in jupyter.ask(f"songbird/{linked}").text
    assert jupyter.ask("songbird/").status == 204
    stranger = jupyter.ask("songbird/", token=None, headers=browser)
    assert stranger.status in (302, 403)
    assert "Your sessions" not in stranger.text


def test_its_user_is_the_local_organization(jupyter, uploaded):
    organization = jupyter.ask(f"songbird/organizations/{uploaded['organization']}")
    assert organization.status == 200
    assert uploaded["organization"] in organization.text
    assert uploaded["key"] not in organization.text
    unknown = jupyter.ask("songbird/resources/model-does-not-exist/profiles?profile=1")
    assert unknown.status == 404


@pytest.mark.parametrize(
    "path",
    [
        "songbird/v0/sessions",
        "songbird/v0/sessions/{id}/profiles",
        "songbird/k/x/v0/sessions",
        "songbird/health",
        "songbird/stop",
        "songbird/static/../v0/sessions/{id}/profiles",
        "songbird/static/%2e%2e/v0/sessions/{id}/profiles",
        "songbird/static/..%2fv0%2fsessions",
        "songbird/resources/..%2f..%2fv0/sessions",
        "songbird/resourcesx",
        "songbird/resources/model-1%0d%0aX-Injected:%20yes/profiles?sessionToken={id}",
        "songbird//127.0.0.1/x",
    ],
)
def test_the_api_is_not_relayed(jupyter, uploaded, path):
    answer = jupyter.ask(path.format(id=uploaded["id"]))
    assert answer.status in (400, 403, 404)
    assert uploaded["id"] not in answer.text
    assert "X-Injected" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_only_reading_is_relayed(jupyter, uploaded, method):
    assert jupyter.ask(tail(uploaded["link"]), method=method, body=b"x").status in (403, 404, 405)


def test_a_refusal_of_the_service_comes_through(jupyter):
    answer = jupyter.ask("songbird/resources/model-1/profiles?profile=1&sessionToken=session-nonsense")
    assert answer.status in (401, 403, 404)
    assert "<html" in answer.text


def test_following_a_link_brings_the_service_back(jupyter, uploaded, stopped):
    del stopped
    assert "july" in jupyter.ask(tail(uploaded["link"])).text


def test_the_log_tells_no_secrets(jupyter, uploaded):
    jupyter.ask(tail(uploaded["link"]) + "x")
    jupyter.ask(f"{tail(uploaded['link'])}&token=canary-jupyter-token", token=None)
    log = jupyter.log.read_text("utf-8", "replace")
    assert uploaded["key"] not in log
    assert f"sessionToken={uploaded['id']}" not in unquote(log)


def test_a_request_that_is_refused_is_logged_without_its_session(jupyter, uploaded, eventually):
    path = f"songbird/resources/nowhere/profiles?profile=1&sessionToken={uploaded['id']}"
    assert jupyter.ask(path).status in (403, 404)
    eventually(lambda: "songbird/resources/nowhere/profiles" in jupyter.log.read_text("utf-8", "replace"))
    assert f"sessionToken={uploaded['id']}" not in unquote(jupyter.log.read_text("utf-8", "replace"))


@pytest.mark.parametrize("token", ["canary-jupyter-token", None], ids=["logged in", "logged out"])
@pytest.mark.parametrize(
    "path", ["resources/canary-one/profiles", "v0/canary-two", "nowhere/canary-three", "?canary-four"]
)
def test_no_query_below_the_relay_is_logged(jupyter, path, token):
    target = f"songbird/{path}{'&' if '?' in path else '?'}sessionToken=session-canary-token&profile=1"
    answer = jupyter.ask(target, token=token)
    assert answer.status in (204, 302, 403, 404)
    if answer.status == 302:  # whose page is logged as well
        assert "canary-token" not in answer.headers["Location"]
    jupyter.ask(target, token=token, method="POST", body=b"")
    jupyter.ask("api/status")  # what was logged before is written now
    assert "session-canary-token" not in unquote(jupyter.log.read_text("utf-8", "replace"))


def test_the_service_sees_nothing_of_jupyters_login_and_its_failures_are_pages(serve_jupyter):
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if "redirect" in self.path:
                self.send_response(302)
                self.send_header("Location", "/resources/model-2/profiles?x=1")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = b"<p>a page without a policy</p>" * 100_000
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Set-Cookie", "evil=1")
            self.send_header("X-Evil", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2 if "broken" in self.path else None])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        program = textwrap.dedent(f"""
            from songbird_widgets.local import local_service
            answers = 4
            from songbird_widgets.jupyter import relay
            from tornado.tcpclient import TCPClient
            relay._RouteClient = TCPClient  # this service cannot prove to be ours
            class Found:
                origin = "http://127.0.0.1:{service.server_port}"
                route = None
            def ensure():
                global answers
                answers -= 1
                if answers < 0:
                    raise local_service.LocalServiceError("It did not start. <b>Disk</b> full.")
                return Found()
            local_service.ensure = ensure
            local_service.organization_key = lambda: "canary-organization-key"
            from jupyter_server.serverapp import main
            main()
        """)
        try:
            with serve_jupyter("/", program) as server:
                cookie = {
                    "Cookie": "username-127-0-0-1=canary-cookie; _xsrf=canary-xsrf",
                    "Referer": "http://x/?canary",
                }
                page = server.ask(
                    "songbird/resources/m%20x/profiles?profile=1&sessionToken=session-a&token=canary-jupyter-token&a=%26+b",
                    headers={**cookie, "Accept-Language": "de", "X-API-Key": "canary-forged"},
                )
                redirect = server.ask("songbird/resources/redirect")
                with pytest.raises(Exception, match=r"IncompleteRead|closed|reset|Remote end"):
                    server.ask("songbird/static/broken.js")
                service.shutdown()
                service.server_close()
                silent = server.ask("songbird/static/x.js")
                broken = server.ask("songbird/static/x.js")
        finally:
            service.shutdown()
            thread.join()
    assert silent.status == 502
    assert "did not answer" in silent.text
    assert broken.status == 503
    assert "The local Songbird service cannot be started" in broken.text
    assert "&lt;b&gt;Disk&lt;/b&gt; full." in broken.text
    path, headers = seen[0]
    assert path == "/resources/m%20x/profiles?profile=1&sessionToken=session-a&a=%26+b"
    assert headers["accept-language"] == "de"
    assert "canary" not in str(seen[0])
    assert not {"cookie", "authorization", "referer", "x-api-key"} & set(headers)
    assert seen[1][1]["x-api-key"] == "canary-organization-key"
    assert redirect.headers["Location"] == "/songbird/resources/model-2/profiles?x=1"
    assert "x-api-key" not in seen[2][1]
    # A page without a policy of its own would have Jupyter's origin to itself.
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert "X-Evil" not in page.headers
    assert "evil" not in page.headers.get("Set-Cookie", "")
    assert len(page.text) == 3_000_000


def test_a_kernel_of_the_server_links_through_it(jupyter, environment):
    kernel = json.loads(jupyter.ask("api/kernels", method="POST", body=b"{}").text)
    try:
        base = urlsplit(jupyter.base).path
        said = run_in(kernel["id"], environment, _LINKING)
        href, link, relay, front_end = said.splitlines()[-4:]
        assert href.startswith(f"{base}songbird/resources/model-1/profiles?profile=")
        assert link.startswith(f"{jupyter.base}songbird/resources/")
        assert "july" in jupyter.ask(href.removeprefix(base)).text
        assert "canary-jupyter-token" not in relay
        assert front_end == "jupyter"
        # A kernel whose environment was cleaned finds the server by its record.
        said = run_in(kernel["id"], environment, _WITHOUT_VARIABLE)
        assert said.splitlines()[-1] == f"{base}songbird/"
    finally:
        jupyter.ask(f"api/kernels/{kernel['id']}", method="DELETE")


_LINKING = """
import os
from pathlib import Path
from songbird_widgets.session import Session
from songbird_widgets.local import discovery
session = Session()
session.add(os.environ["TEST_PROFILE"], alias="july")
session.upload()
session.select("july")
print(session.link.href, session.link, os.environ["SONGBIRD_RELAY"], discovery.front_end(), sep="\\n")
"""
_WITHOUT_VARIABLE = """
del os.environ["SONGBIRD_RELAY"]
print(discovery.relay().path)
"""


def kernel_info(client):
    """Wait for a kernel whose heart may not beat yet."""
    for _ in range(60):
        with contextlib.suppress(RuntimeError):
            client.wait_for_ready(60)
            return
        time.sleep(0.5)
    pytest.fail("the kernel does not answer")


def run_in(kernel_id, environment, code):
    """Run code in a kernel of the server, by its own connection file, and return what it printed."""
    from pathlib import Path

    from jupyter_client import BlockingKernelClient

    profile = Path(__file__).parents[2] / "examples" / "profiles" / "reference-july.bin"
    client = BlockingKernelClient()
    client.load_connection_file(str(Path(environment["JUPYTER_RUNTIME_DIR"]) / f"kernel-{kernel_id}.json"))
    client.start_channels()
    printed = []
    try:
        kernel_info(client)

        def note(message):
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])

        code = f"import os; os.environ['TEST_PROFILE'] = {str(profile)!r}\n{code}"
        reply = client.execute_interactive(code, timeout=180, output_hook=note)
        assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
    return "".join(printed)

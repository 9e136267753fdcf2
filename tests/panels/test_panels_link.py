from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from songbird_widgets.panels import LinkPanel
from songbird_widgets.session import Session


@pytest.fixture
def panel(uploaded):
    return LinkPanel(uploaded)


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def test_a_selection_brings_its_links(panel, uploaded, eventually):
    assert panel.link_facts["main"] is None
    uploaded.select("july", "2013-07-10", "2013-07-14")
    main = eventually(lambda: panel.link_facts["main"])
    assert main["text"] == "Open side by side"
    assert [one["text"] for one in panel.link_facts["each"]] == ["july", "2013-07-10", "2013-07-14"]
    assert "july" in get(main["href"])
    for one in panel.link_facts["each"]:
        assert "P1" in get(one["href"])


def test_the_page_over_time_is_linked_where_there_are_days_to_follow(session, flights, eventually):
    panel = LinkPanel(session)
    session.add(flights / "batch-2013-07-08.bin")
    session.upload()
    session.select("2013-07-08")
    eventually(lambda: panel.link_facts["main"])
    assert panel.link_facts["trends"] is None
    session.add(flights / "batch-2013-07-09.bin")
    session.upload()
    trends = eventually(lambda: panel.link_facts["trends"])
    assert trends["text"] == "Every column over time"
    assert "2013-07-09" in get(trends["href"])


def test_without_a_selection_the_page_over_time_is_linked_beside_the_sessions_own_baseline(
    session, flights, eventually
):
    panel = LinkPanel(session)
    session.add(flights / "batch-2013-07-08.bin", flights / "batch-2013-07-09.bin")
    assert panel.link_facts["trends"] is None
    session.upload()
    trends = eventually(lambda: panel.link_facts["trends"])
    assert trends["text"] == "Every column over time, beside 2013-07-08"
    assert "2013-07-09" in get(trends["href"])
    session.select("2013-07-09")
    assert eventually(lambda: panel.link_facts["trends"])["text"] == "Every column over time"
    session.deselect()
    assert eventually(lambda: panel.link_facts["trends"]) == trends
    session.delete()
    assert eventually(lambda: panel.link_facts["ended"])
    assert panel.link_facts["trends"] is None


def test_a_stale_link_is_gone_before_the_new_one_is_there(panel, uploaded, eventually):
    uploaded.select("july")
    first = eventually(lambda: panel.link_facts["main"])
    seen = []
    panel.observe(lambda change: seen.append((change["new"]["selected"], change["new"]["main"])), "link_facts")
    uploaded.select("2013-07-10")
    second = eventually(lambda: panel.link_facts["main"])
    assert [main for selected, main in seen if selected == 2]
    assert first not in [main for selected, main in seen if selected == 2]
    assert first["href"] != second["href"]
    uploaded.deselect()
    assert panel.link_facts["main"] is None


def test_what_is_not_uploaded_is_said_and_the_link_comes_with_the_upload(session, flights, eventually):
    panel = LinkPanel(session)
    session.add(flights / "batch-2013-07-08.bin")
    session.select("2013-07-08")
    assert panel.link_facts["waiting"] == ["2013-07-08"]
    session.upload()
    assert eventually(lambda: panel.link_facts["main"])
    assert panel.link_facts["reason"] == ""


class Foreign(BaseHTTPRequestHandler):
    """An endpoint that takes everything and answers a link that no browser should follow."""

    link = ""

    def answer(self, **body):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        here = f"http://127.0.0.1:{self.server.server_port}/"
        if "observatory-link" in self.path:
            self.answer(observatoryUrl=self.link, individualObservatoryUrls=[self.link])
        elif self.path.endswith("/upload"):
            self.answer(id="log-1", datasetId="model-1", observatoryUrl=here, uploadUrl=f"{here}put")
        else:
            self.answer(id="session-foreign")

    def do_PUT(self):
        self.answer()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "java\tscript:x", "lab"],
)
def test_a_dangerous_link_is_not_shown(flights, eventually, url):
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Hostile", (Foreign,), {"link": url})) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with Session(f"http://127.0.0.1:{server.server_port}") as session:
            panel = LinkPanel(session)
            session.add(flights / "batch-2013-07-08.bin")
            session.upload()
            session.select("2013-07-08")
            assert "no http(s) address" in eventually(lambda: panel.link_facts["reason"])
            assert panel.link_facts["main"] is None
            assert panel.link_facts["each"] == []
        server.shutdown()


def test_a_link_is_address_and_text_and_no_html(session, flights, eventually):
    name = '"><img src=x onerror=alert(1)>'
    session.add(flights / "reference-july.bin", alias=name)
    session.add(flights / "batch-2013-07-08.bin")
    session.upload()
    panel = LinkPanel(session)
    session.selection = session.profiles
    eventually(lambda: panel.link_facts["main"])
    assert panel.link_facts["each"][0]["text"] == name
    assert "<" not in panel.link_facts["each"][0]["href"]

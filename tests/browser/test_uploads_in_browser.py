"""Uploads as a browser shows them: beside a busy cell, in a reopened notebook and a new tab, after a kernel restart."""

from __future__ import annotations

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from songbird_widgets.local import local_service

GATE = "/k/gate"


class Gate(ThreadingHTTPServer):
    """Another address of the local service, which lets only as many profiles through as it is told to."""

    daemon_threads = True

    def __init__(self, service):
        super().__init__(("127.0.0.1", 0), Passing)
        self.service = urlsplit(service.endpoint)
        self.endpoint = f"http://127.0.0.1:{self.server_port}{GATE}"  # what has the service's secret goes past it
        self.shut = False
        self.passed = []
        self._places = threading.Semaphore(0)

    def let(self, count):
        for _ in range(count):
            self._places.release()

    def turn_away(self, count):
        """Break off the uploads that wait here, whose kernel is gone."""
        self.shut = True
        self.let(count)

    def wait(self):
        self._places.acquire()
        return not self.shut


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "PUT":
            if not self.server.wait():
                self.close_connection = True
                return
            self.server.passed.append(body)
        connection = http.client.HTTPConnection(self.server.service.netloc, timeout=60)
        path = self.path.replace(GATE, self.server.service.path, 1)
        connection.request(self.command, path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type") or "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = pass_on

    def log_message(self, *_):
        pass


@pytest.fixture
def gate(environment, monkeypatch):
    monkeypatch.setenv("SONGBIRD_DATA_DIR", environment["SONGBIRD_DATA_DIR"])
    with Gate(local_service.ensure()) as gate:
        thread = threading.Thread(target=gate.serve_forever)
        thread.start()
        yield gate
        gate.turn_away(20)
        gate.shutdown()
        thread.join()


def begin(gate):
    return (
        f"import songbird_widgets as sw\nsession = sw.Session({gate.endpoint!r})\n"
        "session.add('profiles/batch-2013-07-*.bin')\nsession"
    )


@pytest.fixture
def seven(desk, gate):
    """A notebook with the panel of seven profiles that are not sent yet, and another cell."""

    def open_with(cell, **options):
        someone = desk("lab", height=1400, **options)
        someone.write("uploads.ipynb", begin(gate), cell)
        someone.open("uploads.ipynb")
        someone.wait_for_kernel()
        someone.run_cell(0)
        expect(someone.panel("upload").get_by_role("button", name="Upload 7 profiles")).to_be_visible()
        return someone

    return open_with


def status_of(page):
    return page.locator(".songbird-upload").first.get_by_role("status")


def test_progress_is_seen_while_a_cell_computes(seven, gate, tmp_path):
    end = tmp_path / "end"
    # Never lets the kernel's event loop run.
    someone = seven(f"import os\nprint('computing')\nwhile not os.path.exists({str(end)!r}): sum(range(10_000))")
    page, status = someone.page, status_of(someone.page)
    someone.panel("upload").get_by_role("button", name="Upload 7 profiles").click()
    expect(status).to_contain_text("0 of 7")
    someone.run_cell(1)
    cell = page.locator(".jp-Notebook .jp-Cell").nth(1)
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text("computing")
    # Not the kernel's own word: it is idle whenever a subshell has handled something beside the cell.
    prompt = cell.locator(".jp-InputArea-prompt")
    bar = someone.panel("upload").get_by_role("progressbar")
    # Who hears the page is told now and then, and not of every change.
    expect(status).to_have_attribute("aria-live", "off")
    expect(someone.panel("upload").locator("[aria-live=polite]")).to_contain_text("of 7 uploaded")
    expect(status).to_contain_text("no news for some seconds")
    for count, words in ((2, "2 of 7 uploaded"), (3, "5 of 7 uploaded"), (2, "All 7 profiles are uploaded.")):
        gate.let(count)
        expect(status).to_contain_text(words)
        expect(prompt).to_have_text("[*]:")
        if "of 7" in words:
            expect(bar).to_have_attribute("aria-valuetext", re.compile(words))
    expect(status).to_have_attribute("aria-live", "polite")
    end.touch()
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))


def test_a_reopened_notebook_and_a_newly_loaded_tab_show_how_far_it_is(seven, gate):
    someone = seven("")
    page = someone.page
    someone.panel("picker").get_by_role("option", name="2013-07-08").click()
    someone.panel("upload").get_by_role("button", name="Upload 7 profiles").click()
    gate.let(3)
    expect(status_of(page)).to_contain_text("3 of 7 uploaded")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    assert someone.leave()
    someone.open("uploads.ipynb")
    expect(status_of(page)).to_contain_text("3 of 7 uploaded")
    expect(someone.panel("picker").locator(".sb-chip[data-p]")).to_contain_text("2013-07-08")
    second = page.context.new_page()
    front_end = someone.front_end
    second.goto(f"{front_end.url}lab/workspaces/second/tree/uploads.ipynb?token={front_end.token}")
    expect(status_of(second)).to_contain_text("3 of 7 uploaded")
    gate.let(4)
    for tab in (page, second):
        expect(status_of(tab)).to_have_text("All 7 profiles are uploaded.")
        expect(tab.locator(".songbird-picker").first.get_by_role("option")).to_have_count(7)
    # What is done in one tab shows in the other.
    second.locator(".songbird-picker").first.get_by_role("option", name="2013-07-10").click()
    chips = page.locator(".songbird-picker").first.locator(".sb-chip[data-p]")
    expect(chips.nth(1)).to_contain_text("2013-07-10")


def test_after_a_kernel_restart_the_rest_is_offered_and_only_the_rest_is_sent(seven, gate):
    someone = seven("import songbird_widgets as sw\nsession = sw.Session()\nsession")
    page = someone.page
    someone.panel("upload").get_by_role("button", name="Upload 7 profiles").click()
    gate.let(3)
    expect(status_of(page)).to_contain_text("3 of 7 uploaded")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()")
    gate.turn_away(4)
    someone.run_cell(1)

    panel = page.locator(".songbird-panel").last
    line = panel.locator(".songbird-session")
    expect(line).to_contain_text("not begun yet")
    line.get_by_text("Another session").click()
    latest = line.get_by_role("listitem").first
    expect(latest).to_contain_text("7 profiles")
    expect(latest).to_contain_text("4 not sent")
    latest.get_by_role("button").click()
    upload = panel.locator(".songbird-upload")
    expect(upload.get_by_role("status")).to_contain_text("3 uploaded")
    gate.shut = False
    gate.let(7)
    upload.get_by_role("button", name="Upload 4 profiles").click()
    expect(upload.get_by_role("status")).to_have_text("All 7 profiles are uploaded.")
    assert len(gate.passed) == len(set(gate.passed)) == 7

"""What a document keeps of a session: a table and a link, where nobody is there to use a panel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROFILES = EXAMPLES / "profiles"
VIEW = "application/vnd.jupyter.widget-view+json"
KEY = "canarykey1.canaryCanaryCanary:org-canary"
SELECTED = ["july", "2013-07-10", "2013-07-14"]
PATIENCE = "--ExecutePreprocessor.startup_timeout=300"  # its kernel takes its time to start on a busy machine
REST = ["first-quarter", *(f"2013-07-{day:02}" for day in (8, 9, 11, 12, 13))]


class Page(HTMLParser):
    """The rows of tables, the addresses of links, and everything that is not the address of a link."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.links, self.rest = [], {}, []
        self._cell = self._link = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")
            self._cell = self.rows[-1]
        elif tag == "a":
            self._link = dict(attrs).get("href", "")
        self.rest += [str(value) for name, value in attrs if (tag, name) != ("a", "href")]

    def handle_endtag(self, tag):
        if tag == "td":
            self._cell = None
        elif tag == "a":
            self._link = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell[-1] += data
        if self._link is not None:
            self.links[data] = self._link
        self.rest.append(data)

    def handle_comment(self, data):
        self.rest.append(data)


@pytest.fixture(scope="module")
def examples(environment, tmp_path_factory):
    """Run the notebooks of the examples and export them by nbconvert; returns where they lie."""
    directory = tmp_path_factory.mktemp("export") / "examples"
    shutil.copytree(EXAMPLES, directory)
    notebooks = [f"{name}.ipynb" for name in ("quickstart", "dashboard", "own_data")]
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", *notebooks, PATIENCE],
        cwd=directory,
        env={**environment, "WHYLABS_API_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert KEY not in done.stderr
    return directory


@pytest.fixture(params=["quickstart", "dashboard"])
def exported(request, examples):
    return (examples / f"{request.param}.html").read_text("utf-8")


@pytest.mark.slow
def test_own_data_are_compared_and_kept_from_top_to_bottom(examples):
    shown = (examples / "own_data.html").read_text("utf-8")
    assert re.search("2 of 4 columns drifted: (price, country|country, price)", shown)
    assert (examples / "september.bin").stat().st_size > 1000


def test_an_exported_notebook_has_the_table_and_a_link_that_opens(exported):
    page = Page(exported)
    rows = {row[2]: (row[0], row[3]) for row in page.rows if len(row) == 4}
    assert rows == {
        **dict.fromkeys(SELECTED, ("✓", "uploaded")),
        **dict.fromkeys(REST, ("", "uploaded")),
    }
    link = page.links["Open side by side in the observatory"]
    with urllib.request.urlopen(link, timeout=60) as answer:
        shown = answer.read().decode()
    headline = re.search(r"<h1>(.*?)</h1>", shown, re.DOTALL)[1]
    assert [label for label in SELECTED + REST if label in headline] == SELECTED
    assert "of 16 columns drifted" in exported


def test_an_exported_notebook_tells_no_secret(exported, environment):
    code = "from songbird_widgets.local import local_service as s; import json;"
    code += "print(json.dumps([s.ensure().endpoint.rpartition('/')[2], s.organization_key()]))"
    said = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    for secret in (KEY, KEY.partition(".")[2], *json.loads(said.stdout)):
        assert secret
        assert secret not in exported
    page = Page(exported)
    (session_id,) = set(re.findall(r"sessionToken=([\w-]+)", " ".join(page.links.values())))
    assert exported.count(session_id) == exported.count(f"sessionToken={session_id}")
    assert session_id not in " ".join(page.rest)


@pytest.fixture(scope="module")
def kernel(starting):
    with starting() as (kernel, _):
        kernel.run(
            "import songbird_widgets as sw\nfrom songbird_widgets.local import local_service\n"
            "from songbird_widgets.session import display\n"
            f"session = sw.Session()\nsession.add({str(PROFILES / 'batch-2013-07-08.bin')!r})\n"
            f"session.add({str(PROFILES / 'reference-july.bin')!r}, alias='july')"
        )
        yield kernel


def bundle(kernel):
    (shown,) = [content["data"] for kind, content in kernel.run("session") if kind == "execute_result"]
    assert VIEW in shown
    return shown


def test_beside_the_panel_is_the_link_of_what_is_selected(kernel):
    kernel.run("session.select('july')")
    assert "<a " not in bundle(kernel)["text/html"]  # it is not uploaded yet
    kernel.run("session.upload(); display._LINK_SECONDS = 60")
    link = Page(bundle(kernel)["text/html"]).links["Open in the observatory"]
    assert kernel.says("print(session.link)").strip() == link
    kernel.run("session.select('2013-07-08')")
    both = Page(bundle(kernel)["text/html"]).links["Open side by side in the observatory"]
    assert both.count("profile=") == 2
    kernel.run("session.deselect()")
    assert "<a " not in bundle(kernel)["text/html"]


def test_a_document_links_to_an_address_and_not_to_a_path(starting):
    # As a Jupyter server leaves it to its kernels, which this process is the parent of.
    relay = {"pid": os.getpid(), "base_url": "/user/ada/", "url": "http://127.0.0.1:8888/"}
    with starting(SONGBIRD_RELAY=json.dumps(relay)) as (kernel, _):
        shown = kernel.run(
            "import songbird_widgets as sw\nfrom songbird_widgets.session import display\n"
            f"session = sw.Session()\nsession.add({str(PROFILES / 'batch-2013-07-08.bin')!r})\n"
            "session.upload(); session.select('2013-07-08'); session.link\nsession"
        )[-1][1]["data"]
        (link,) = Page(shown["text/html"]).links.values()
        assert link.startswith("http://127.0.0.1:8888/user/ada/songbird/resources/")
        assert kernel.says("print(session.link.href)").startswith("/user/ada/songbird/resources/")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that makes a process pause")
def test_a_service_that_does_not_answer_holds_up_no_display(kernel):
    kernel.run(
        "import os, signal\nsession.deselect(); display._LINK_SECONDS = 0.3\n"
        "pid = local_service.ensure().pid; os.kill(pid, signal.SIGSTOP); session.select('2013-07-08')"
    )
    try:
        assert "<a " not in bundle(kernel)["text/html"]
    finally:
        kernel.run("os.kill(pid, signal.SIGCONT)")
    kernel.run("display._LINK_SECONDS = 60")
    assert Page(bundle(kernel)["text/html"]).links


def test_a_service_that_is_gone_leaves_the_table(kernel):
    kernel.run(
        "session.deselect(); ensure = local_service.ensure\n"
        "def broken(): raise local_service.LocalServiceError('not now')\n"
        "local_service.stop(); local_service.ensure = broken; session.select('july')"
    )
    try:
        page = Page(bundle(kernel)["text/html"])
        assert not page.links
        assert {row[2] for row in page.rows if len(row) == 4} == {"july", "2013-07-08"}
    finally:
        kernel.run("local_service.ensure = ensure")

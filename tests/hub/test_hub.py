"""Two users of one hub: each one's links lead to the own relay, and nobody sees the other's session."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from jupyter_client import BlockingKernelClient
from playwright.sync_api import expect

KEY = "from songbird_widgets.local import local_service as s; print(s.organization_key(), end='')"
# What the quickstart selects, and then the link of its panel.
LINK = """
import songbird_widgets as sw
session = sw.Session()
session.add("profiles/reference-july.bin", alias="july")
session.add("profiles/batch-2013-07-*.bin")
session.upload()
session.select("july", "2013-07-14", "2013-07-10")
print(session.link.href, end="")
"""


def run_quickstart(page):
    """Run the notebook that is open in JupyterLab and return the panel's link for three profiles."""
    page.wait_for_function(
        """() => {
          const context = window.jupyterapp?.shell.currentWidget?.context?.sessionContext;
          return ['idle', 'busy'].includes(context?.session?.kernel?.status);
        }"""
    )
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    expect(page.locator(".songbird-picker").get_by_role("option")).to_have_count(9)
    link = page.locator(".songbird-link").get_by_role("link", name="side by side")
    expect(link).to_be_visible()
    return link


def run_in_kernel(context, hub, user, code):
    """Run code in a new kernel of the user's server, without a front end, and return what it printed."""
    server = f"{hub.url}user/{user}/"
    (token,) = (one["value"] for one in context.cookies(server) if one["name"] == "_xsrf" and user in one["path"])
    answer = context.request.post(f"{server}api/kernels", headers={"X-XSRFToken": token}, data={"path": "."})
    assert answer.status == 201, answer.text()
    client = BlockingKernelClient()
    runtime = hub.home(user) / ".local" / "share" / "jupyter" / "runtime"
    client.load_connection_file(str(runtime / f"kernel-{answer.json()['id']}.json"))
    client.start_channels()
    printed = []
    try:
        for _ in range(20):
            with contextlib.suppress(RuntimeError):  # its heart may not beat yet
                client.wait_for_ready(60)
                break
        reply = client.execute_interactive(
            code, timeout=300, output_hook=lambda message: printed.append(message["content"].get("text", ""))
        )
        assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
    return "".join(printed)


def organization_key(hub, user):
    """Read the key of a user's local organization, as that user can."""
    environment = {"HOME": str(hub.home(user)), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", KEY], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def ada(visit):
    page = visit("ada", "lab/tree/quickstart.ipynb")
    return page, run_quickstart(page)


def test_the_panels_link_goes_through_the_users_own_relay_and_nobody_elses(ada, visit, hub, browser):
    page, link = ada
    href = link.get_attribute("href")
    assert href.startswith("/user/ada/songbird/resources/")
    with page.context.expect_page() as opened:
        link.click()
    observatory = opened.value
    expect(observatory.locator("table.columns")).to_be_visible()
    assert urlsplit(observatory.url).path.startswith("/user/ada/songbird/resources/")
    for place, label in enumerate(("july", "2013-07-14", "2013-07-10"), 1):
        expect(observatory.locator("h1")).to_contain_text(label)
        lines = observatory.locator("table.columns tbody").first.locator("tr").filter(has_text=f"P{place}")
        expect(lines).to_have_count(1)

    # Somebody without a login is sent to the hub's form.
    stranger = browser.new_context()
    shown = stranger.new_page()
    shown.goto(hub.url + href.lstrip("/"))
    expect(shown.get_by_label("Password")).to_be_visible()
    stranger.close()
    page_of_ada = page.content()
    page.context.close()

    # Another user has a session of the own, and the hub lets nobody into another one's server.
    other = visit("bob", "songbird/")
    others_link = run_in_kernel(other.context, hub, "bob", LINK)
    assert others_link.startswith("/user/bob/songbird/resources/")
    tokens = [parse_qs(urlsplit(address).query)["sessionToken"][0] for address in (href, others_link)]
    assert tokens[0] != tokens[1]
    other.goto(hub.url + others_link.lstrip("/"))
    expect(other.locator("h1")).to_contain_text("2013-07-14")
    page_of_other = other.content()
    other.goto(f"{hub.url}user/bob/songbird/")
    expect(other.locator("h1")).to_have_text("Your sessions")
    page_of_other += other.content()
    refused = other.context.new_page()
    for path in (href, "/user/ada/songbird/organizations/", "/user/ada/songbird/"):
        answer = refused.goto(hub.url + path.lstrip("/"))
        assert answer.status in (403, 404)
        assert refused.locator("table.columns").count() == 0
        assert "2013-07-14" not in refused.content()

    # Even with the token at hand, the own relay leads to the own service only.
    answer = refused.goto(hub.url + href.lstrip("/").replace("user/ada/", "user/bob/"))
    assert answer.status == 404
    assert refused.locator("table.columns").count() == 0

    keys = [organization_key(hub, user) for user in ("ada", "bob")]
    assert keys[0] != keys[1]
    log = hub.log.read_text("utf-8", "replace")
    for secret in (tokens[0], keys[0]):
        assert secret not in page_of_other
        assert secret not in log, [line for line in log.splitlines() if secret in line]
    for secret in (tokens[1], keys[1]):
        assert secret not in page_of_ada
    for user, foreign in (("bob", tokens[0]), ("ada", tokens[1])):
        kept = hub.home(user) / ".local" / "share" / "jupyter" / "songbird"
        files = [file for file in kept.rglob("*") if file.is_file()]
        assert files
        assert not [file for file in files if foreign.encode() in file.read_bytes()]

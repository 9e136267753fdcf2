"""The examples in the front ends, with pictures; and the main job: pick, follow the link, find the figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

ORACLE = Path(__file__).parents[1] / "profiles" / "data"


def numbers(row):
    """Every number that a line of the observatory's table shows, in the cells and in their tooltips."""
    texts = row.locator("td").evaluate_all("cells => cells.map(cell => `${cell.title} ${cell.innerText}`)")
    text = " ".join(texts).replace("\N{MINUS SIGN}", "-")
    return [float(match.replace(",", "")) for match in re.findall(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?", text)]


def shows(found, value, tolerance=2e-3):
    return any(abs(one - value) <= tolerance * max(1.0, abs(value)) for one in found)


def check_figures(observatory, profiles):
    """Compare the page with whylogs' own figures of the same profiles, P1 to P3 in their order."""
    expect(observatory.locator("table.columns")).to_be_visible()
    for column in ("dep_delay", "distance", "air_time"):
        body = observatory.locator("tbody").filter(has=observatory.get_by_role("link", name=column, exact=True))
        for place, name in enumerate(profiles, 1):
            line = body.locator("tr").filter(has_text=f"P{place}")
            expect(line).to_have_count(1)
            oracle = json.loads((ORACLE / f"{name}.whylogs.json").read_text("utf-8"))[column]
            found = numbers(line)
            for figure in (
                oracle["counts"]["n"],
                oracle["dist"]["mean"],
                oracle["dist"]["stddev"],
                oracle["dist"]["min"],
                oracle["dist"]["max"],
            ):
                assert shows(found, figure), f"{column} of P{place} ({name}): {figure} is not among {found}"


def run(desk, name, notebook):
    """Run an example until its link is there, and keep pictures of it: in both themes, but in Voilà, which has one."""
    someone = desk(name, height=1600)
    someone.open(f"{notebook}.ipynb")
    someone.run_all()
    expect(someone.panel("link").get_by_role("link", name="side by side")).to_be_visible()
    for dark in (True, False) if name != "voila" else (False,):
        if name != "voila":
            someone.use_theme(dark=dark)
        expect(someone.panel("picker")).to_have_attribute("data-theme", "dark" if dark else "light")
        someone.photograph(f"{notebook}-in-{name}", dark=dark)
    return someone


def test_what_whylogs_logs_in_a_notebook_is_picked_and_linked(desk, front_ends, whylogs_kernel):
    front_ends("lab").use_kernel("whylogs_guest_session.ipynb", whylogs_kernel)
    someone = run(desk, "lab", "whylogs_guest_session")
    picker = someone.panel("picker")
    expect(picker.get_by_role("listbox").get_by_role("option")).to_have_count(4)
    for place, label in enumerate(("monday", "tuesday")):
        expect(picker.locator(".sb-chip[data-p]").nth(place)).to_contain_text(label)
    with someone.page.context.expect_page() as opened:
        someone.panel("link").get_by_role("link", name="side by side").click()
    for label in ("monday", "tuesday"):
        expect(opened.value.locator("h1")).to_contain_text(label)
    expect(opened.value.locator("table.columns")).to_be_visible()
    # What it prints itself leads past the relay, straight to the service that it uploaded to.
    printed = set(re.findall(r"http://127\S+sessionToken=[\w-]+", someone.page.locator("body").inner_text()))
    pages = [someone.page.context.request.get(address).text() for address in printed]
    for alias in ("monday", "monday again", "tuesday"):
        assert any(alias in page for page in pages)


@pytest.mark.parametrize("name", ["lab", "notebook", "voila"])
def test_from_the_notebook_to_three_profiles_side_by_side(desk, name):
    someone = run(desk, name, "quickstart")
    page, picker = someone.page, someone.panel("picker")
    options = picker.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_count(9)
    whole = "labels => labels.every(label => label.scrollWidth <= label.clientWidth)"
    assert options.locator(".sb-label").evaluate_all(whole), "a name is cut off"

    # Behind Voilà sit visitors: the owner's files and other sessions are not offered to them.
    mine = name != "voila"
    expect(someone.panel("add").get_by_role("combobox", name="Path or glob")).to_be_visible(visible=mine)
    expect(someone.panel("session").get_by_text("Another session")).to_be_visible(visible=mine)

    # The notebook has chosen three; let them go, and choose others by clicking.
    chips = picker.locator(".sb-chip[data-p]")
    expect(chips).to_have_count(3)
    for left in (2, 1, 0):
        picker.get_by_role("button", name="Remove P1").click()
        expect(chips).to_have_count(left)
    over_time = someone.panel("link").get_by_role("link")
    expect(over_time).to_have_text("Every column over time, beside first-quarter")
    expect(over_time).to_have_count(1)
    for place, label in enumerate(("first-quarter", "2013-07-10", "2013-07-13"), 1):
        option = picker.get_by_role("listbox").get_by_role("option", name=label)
        option.click()
        expect(option).to_have_attribute("aria-selected", "true")
        expect(option.locator(".sb-mark")).to_have_text(f"P{place}")

    # Instead of a fourth, it is offered to replace one of the three; until then nothing changes.
    picker.get_by_role("listbox").get_by_role("option", name="2013-07-08").click()
    expect(picker.get_by_role("button", name="Replace P")).to_have_count(3)
    picker.get_by_role("button", name="Keep all three").click()
    expect(picker.get_by_role("listbox").get_by_role("option", name="2013-07-08")).to_have_attribute(
        "aria-selected", "false"
    )
    expect(chips).to_have_count(3)

    links = someone.panel("link").get_by_role("link")
    expect(links).to_have_count(5)  # side by side, one by one, over time
    for link in links.all():
        assert link.get_attribute("href").startswith(f"{someone.front_end.base_url}songbird/resources/")
        assert link.get_attribute("rel") == "noopener noreferrer"
    with page.context.expect_page() as opened:
        someone.panel("link").get_by_role("link", name="side by side").click()
    observatory = opened.value
    check_figures(observatory, ["reference-first-quarter", "batch-2013-07-10", "batch-2013-07-13"])
    assert observatory.evaluate("window.opener") is None

    with page.context.expect_page() as opened:
        links.nth(2).click()
    check_figures(opened.value, ["batch-2013-07-10"])


def test_the_dashboard_shows_readers_what_changed(desk):
    someone = desk("voila", height=1600)
    someone.open("dashboard.ipynb")
    picker, card = someone.panel("picker"), someone.panel("result").locator(".songbird-card")
    expect(card).to_contain_text("P1 (baseline): july")
    expect(card).to_contain_text("columns drifted")
    for part in ("session", "add", "upload", "claim"):
        expect(someone.panel(part)).to_have_count(0)
    picker.get_by_role("button", name="P3: move").click()
    expect(card).to_contain_text("P2: 2013-07-10")
    picker.get_by_role("button", name="Remove P1").click()
    expect(card).to_contain_text("P1 (baseline): 2013-07-10")
    with someone.page.context.expect_page() as opened:
        someone.panel("result").get_by_role("link", name="Open the full page").click()
    expect(opened.value.locator("h1")).to_contain_text("2013-07-10")

"""What people do with the panels: keys, files, failures, secrets, themes, narrow cells."""

from __future__ import annotations

import subprocess

from playwright.sync_api import expect

SESSION = """
import songbird_widgets as sw
session = sw.Session()
session.add("profiles/reference-july.bin", alias="july")
session.add("profiles/batch-2013-07-*.bin")
"""


HOSTILE = [
    '<img src=x onerror="window.pwned=1">\u202e"><a href=javascript:alert(1)>',
    "one\ntwo\r\n\x00\x1b[31m\u2066three",
    "x" * 4_000,
    "&lt;b&gt;&quot; ' onmouseover=window.pwned=1 '",
    "\u202ea\u202d\u2069\n<script>window.pwned=5</script>\r\n",
]
ELSEWHERE = """
import os, sys
from songbird_widgets.local import local_service
from songbird_widgets.session import Session
session = Session(session_id=sys.argv[1])
session.add(sys.argv[2], alias="from-another-kernel")
session.upload()
os.environ.update(WHYLABS_API_ENDPOINT=local_service.ensure().endpoint, WHYLABS_SESSION_ID=sys.argv[1])
import pandas
import whylogs as why
why.init(upload_on_log=True, allow_local=False)
why.log(pandas.DataFrame({"distance": [200.0, 733.0]}), name="from-whylogs")
"""


def test_upload_and_pick_with_the_keyboard_alone(lab):
    someone = lab(SESSION + "session")
    page, picker = someone.page, someone.panel("picker")
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    someone.panel("upload").get_by_role("button", name="Upload 8 profiles").focus()
    page.keyboard.press("Enter")
    expect(someone.panel("upload").get_by_role("status")).to_have_text("All 8 profiles are uploaded.")

    picker.get_by_role("searchbox").focus()
    page.keyboard.type("2013-07-1")
    expect(picker.get_by_role("listbox").get_by_role("option")).to_have_count(5)
    page.keyboard.press("ArrowDown")  # into the list
    page.keyboard.press("Space")  # 14 July, the newest
    expect(picker.locator(".sb-chip[data-p]")).to_have_count(1)
    page.keyboard.press("End")
    page.keyboard.press("Enter")  # 10 July
    chips = picker.locator(".sb-chip[data-p]")
    expect(chips).to_have_count(2)
    expect(chips.nth(0)).to_contain_text("2013-07-14")
    expect(chips.nth(1)).to_contain_text("2013-07-10")
    expect(picker.get_by_role("listbox")).to_be_focused()
    # Keys that would run, cut or leave cells stay in the list.
    for key in ("j", "k", "d", "d", "x", "a", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    expect(picker.get_by_role("listbox")).to_be_focused()
    active = picker.get_by_role("listbox").get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-posinset", "3")
    expect(picker.get_by_role("status")).to_contain_text("P1 2013-07-14, P2 2013-07-10")
    # A chip that goes leaves the keys with the next one, the last one with the list.
    picker.get_by_role("button", name="Remove P1, 2013-07-14").focus()
    page.keyboard.press("Enter")
    expect(picker.get_by_role("button", name="Remove P1, 2013-07-10")).to_be_focused()
    page.keyboard.press("Space")
    expect(chips).to_have_count(0)
    expect(picker.get_by_role("listbox")).to_be_focused()


def test_failures_are_shown_where_they_happen(lab, tmp_path):
    someone = lab(
        SESSION + "session",
        'unreachable = sw.Session("http://127.0.0.1:1")\n'
        'unreachable.add("profiles/batch-2013-07-08.bin")\nunreachable.select("2013-07-08")\nunreachable',
    )
    page, add = someone.page, someone.panel("add")
    add.get_by_role("combobox", name="Path or glob").fill("no/such/*.bin")
    page.keyboard.press("Enter")
    expect(add.locator(".sb-failures")).to_contain_text("no/such/*.bin")

    bad = tmp_path / "notes.bin"
    bad.write_text("no profile at all")
    good = tmp_path / "mine.bin"
    good.write_bytes((someone.front_end.root / "profiles" / "batch-2013-07-08.bin").read_bytes())
    again = tmp_path / "reference.bin"
    again.write_bytes((someone.front_end.root / "profiles" / "reference-first-quarter.bin").read_bytes())
    add.locator("input[type=file]").set_input_files([bad, good, again])
    expect(add.locator(".sb-failures")).to_contain_text("notes.bin")
    expect(add.get_by_role("status")).to_contain_text("Added 2 profiles")

    # The other session's endpoint does not answer.
    second = page.locator(".songbird-panel").nth(1)
    second.locator(".songbird-upload").get_by_role("button", name="Upload").click()
    expect(second.locator(".songbird-session")).to_contain_text("the endpoint does not answer")
    expect(second.locator(".songbird-session .sb-notice")).to_contain_text("127.0.0.1:1")
    expect(second.locator(".songbird-link")).to_contain_text("not uploaded yet")


def test_hostile_names_are_only_text(lab, tmp_path):
    someone = lab(
        f"import songbird_widgets as sw\nsession = sw.Session()\nfor alias in {HOSTILE!r}:\n"
        "    session.add('profiles/reference-july.bin', alias=alias)\n"
        "session.upload()\nsession.select(*[p for p in session.profiles if p.state == 'uploaded'][:3])\nsession"
    )
    page, picker = someone.page, someone.panel("picker")
    links = someone.panel("link").get_by_role("link")
    expect(links).to_have_count(4)
    for link in links.all():
        assert link.get_attribute("href").startswith(f"{someone.front_end.base_url}songbird/resources/")
    expect(picker.locator(".sb-chip[data-p]")).to_have_count(3)
    options = picker.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_count(len(HOSTILE))
    for option in options.all():
        assert option.bounding_box()["height"] == 34
        option.hover()
    expect(picker).to_contain_text("<img src=x")
    failures = someone.panel("upload").locator(".sb-failures")  # what no service takes, with its reason
    expect(failures).to_contain_text("contains a NUL character")
    expect(failures).to_contain_text("longer than 1000 characters")
    bad = tmp_path / "<img src=x onerror=window.pwned=2>\u202e.bin"
    bad.write_text("<script>window.pwned=3</script>")
    add = someone.panel("add")
    add.locator("input[type=file]").set_input_files(bad)
    expect(add.locator(".sb-failures")).to_contain_text("img src=x onerror")
    add.get_by_role("radio", name="Reference").check()
    add.get_by_label("Alias of the reference").fill("y" * 10_000)
    add.get_by_role("combobox", name="Path or glob").fill("profiles/reference-july.bin")
    page.keyboard.press("Enter")
    expect(add.locator(".sb-failures")).to_contain_text("10000 characters long")
    picker.get_by_role("searchbox").fill("<script>window.pwned=4</script>")
    page.keyboard.press("Enter")
    expect(picker.get_by_role("alert")).to_contain_text("<script>")
    for panel in page.locator(".songbird").all():
        assert panel.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    assert page.locator(".songbird :is(img, script, iframe)").count() == 0
    assert page.evaluate("window.pwned") is None


def test_what_whylogs_and_another_kernel_upload_shows_by_itself(lab, environment, whylogs_python):
    someone = lab(SESSION + "session.upload()\nsession")
    page, picker = someone.page, someone.panel("picker")
    expect(picker.get_by_role("option")).to_have_count(8)
    someone.panel("session").get_by_role("button", name="Copy the id of session").click()
    expect(someone.panel("session").get_by_text("copied")).to_be_visible()
    session_id = page.evaluate("navigator.clipboard.readText()")
    profile = someone.front_end.root / "profiles" / "reference-first-quarter.bin"
    subprocess.run(
        [whylogs_python, "-c", ELSEWHERE, session_id, profile],
        env=environment, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    # Whoever comes back to the page sees it at once, and who stays within ten seconds.
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(picker.get_by_role("option")).to_have_count(10)
    for alias in ("from-whylogs", "from-another-kernel"):
        expect(picker.get_by_role("option", name=alias)).to_contain_text("uploaded")
    expect(someone.panel("upload").get_by_role("status")).to_have_text("All 10 profiles are uploaded.")


def test_from_a_path_to_the_observatory_and_a_claim_with_the_keyboard_alone(lab):
    someone = lab("import songbird_widgets as sw\nsession = sw.Session()\nsession")
    page, keyboard = someone.page, someone.page.keyboard
    cells = page.locator(".jp-Notebook .jp-Cell").count()

    def tab_to(target):
        """Go on with Tab until it is reached, as somebody without a mouse does."""
        for _ in range(25):
            if target.evaluate("element => element === document.activeElement"):
                return
            keyboard.press("Tab")
        expect(target).to_be_focused()

    add, picker, claim = someone.panel("add"), someone.panel("picker"), someone.panel("claim")
    someone.panel("session").locator("summary").focus()
    tab_to(add.get_by_role("combobox", name="Path or glob"))
    keyboard.type("profiles/reference-july.bin")
    tab_to(add.get_by_role("radio", name="Batch"))
    keyboard.press("ArrowRight")
    tab_to(add.get_by_label("Alias of the reference"))
    keyboard.type("by-hand")
    keyboard.press("Enter")
    expect(add.get_by_role("status")).to_contain_text("Added 1 profile: by-hand")
    tab_to(add.locator("summary"))
    keyboard.press("Enter")
    tab_to(add.get_by_role("textbox", name="Alias of reference-july.bin"))
    keyboard.press("End")
    keyboard.type("-2")
    tab_to(picker.get_by_role("listbox"))
    expect(picker.get_by_role("option", name="by-hand-2")).to_be_visible()
    keyboard.press("Space")
    expect(picker.get_by_role("status")).to_contain_text("P1 by-hand-2")
    tab_to(someone.panel("upload").get_by_role("button", name="Upload 1 profile"))
    keyboard.press("Enter")
    expect(someone.panel("upload").get_by_role("status")).to_have_text("The profile is uploaded.")
    link = someone.panel("link").get_by_role("link")
    expect(link).to_be_visible()
    tab_to(link)
    with page.context.expect_page() as opened:
        keyboard.press("Enter")
    expect(opened.value.locator("h1")).to_contain_text("by-hand-2")
    page.bring_to_front()
    tab_to(claim.locator("summary"))
    keyboard.press("Enter")
    tab_to(claim.get_by_role("button", name="Claim…"))
    keyboard.press("Enter")
    expect(claim.get_by_role("button", name="Back")).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(claim.get_by_role("button", name="Claim for good")).to_be_focused()
    keyboard.press("Enter")
    expect(claim.get_by_role("status")).to_contain_text("belong to the organization now")
    expect(someone.panel("session").get_by_role("status").first).to_contain_text("claimed")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_two_panels_stay_in_step(lab):
    someone = lab(
        SESSION + "session.upload()\nsession", "from songbird_widgets.panels import *\nProfilePicker(session)"
    )
    pickers = someone.page.locator(".songbird-picker")
    expect(pickers).to_have_count(2)
    pickers.nth(1).get_by_role("option", name="july").click()
    for place in (0, 1):
        expect(pickers.nth(place).locator(".sb-chip[data-p]")).to_have_count(1)
    pickers.nth(0).get_by_role("button", name="Remove P1").click()
    for place in (0, 1):
        expect(pickers.nth(place).locator(".sb-chip[data-p]")).to_have_count(0)


def test_edit_before_sending_then_time_line_and_preview(lab):
    someone = lab(SESSION + "session")
    page, picker, add = someone.page, someone.panel("picker"), someone.panel("add")
    rows = picker.get_by_role("listbox").get_by_role("option")
    add.get_by_text("8 profiles not sent yet").click()
    add.get_by_label("Alias of reference-july.bin").fill("summer")
    page.keyboard.press("Tab")
    expect(rows.first).to_contain_text("summer")
    add.get_by_role("button", name="Take 2013-07-14 out again").click()
    expect(rows).to_have_count(7)
    someone.panel("upload").get_by_role("button", name="Upload 7 profiles").click()
    expect(someone.panel("upload").get_by_role("status")).to_have_text("All 7 profiles are uploaded.")

    bars = picker.locator(".sb-timeline rect")
    expect(bars).to_have_count(6)
    bars.nth(2).click()
    expect(picker.locator(".sb-chip[data-p]")).to_contain_text("2013-07-10")
    expect(bars.nth(2)).to_have_attribute("data-p", "1")
    picker.get_by_label("First day to show").fill("2013-07-12")
    expect(rows).to_have_count(3)  # two days, and the reference, which belongs to none
    picker.get_by_role("button", name="All dates").click()
    expect(rows).to_have_count(7)
    picker.get_by_role("searchbox").fill("1373328000000")  # 9 July in ms
    page.keyboard.press("Enter")
    expect(picker.locator(".sb-chip[data-p]")).to_have_count(2)

    link = someone.panel("link")
    link.get_by_text("Preview here").click()
    frame = link.frame_locator("iframe")
    expect(frame.locator("table.columns")).to_be_visible()
    expect(frame.locator("html")).to_have_attribute("data-theme", "light")
    picker.get_by_role("button", name="Remove P1").click()
    picker.get_by_role("button", name="Remove P1").click()
    expect(link.locator("iframe")).to_have_count(0)

    session_line = someone.panel("session")
    session_line.get_by_role("button", name="Copy the id of session").click()
    expect(session_line.get_by_text("copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("session-")

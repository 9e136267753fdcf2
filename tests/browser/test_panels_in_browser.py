"""What people do with the panels: keys, files, failures, secrets, themes, narrow cells."""

from __future__ import annotations

import base64
import re
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
    "one\ntwo\r\n\x07\x1b[31m\u2066three",
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


def test_profiles_are_uploaded_picked_and_deleted_with_the_keyboard_alone(lab):
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
    third = picker.locator("[aria-posinset='3']").get_attribute("id")
    expect(picker.get_by_role("listbox")).to_have_attribute("aria-activedescendant", third)
    expect(picker.get_by_role("status")).to_contain_text("P1 2013-07-14, P2 2013-07-10")
    # A chip that goes leaves the keys with the next one, the last one with the list.
    picker.get_by_role("button", name="Remove P1, 2013-07-14").focus()
    page.keyboard.press("Enter")
    expect(picker.get_by_role("button", name="Remove P1, 2013-07-10")).to_be_focused()
    page.keyboard.press("Space")
    expect(chips).to_have_count(0)
    expect(picker.get_by_role("listbox")).to_be_focused()

    # What is chosen is deleted after asking.
    search = picker.get_by_role("searchbox")
    for label in ("july", "2013-07-10"):
        search.focus()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type(label)
        expect(picker.get_by_role("option")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(chips.last).to_contain_text(label)
    page.keyboard.press("Escape")
    expect(picker.get_by_role("option")).to_have_count(8)
    delete_with_keys(page, picker, someone.panel("delete"))


def delete_with_keys(page, picker, delete):
    delete.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(delete.get_by_role("button", name="Delete what is chosen…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(delete.get_by_role("group", name="Confirm the deletion")).to_contain_text("Delete july and 2013-07-10?")
    expect(delete.get_by_role("button", name="Back")).to_be_focused()
    page.keyboard.press("Escape")
    expect(picker.get_by_role("option")).to_have_count(8)
    expect(delete.get_by_role("button", name="Delete what is chosen…")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(delete.get_by_role("status")).to_have_text("Deleted july and 2013-07-10: 2 profiles.")
    expect(picker.get_by_role("option")).to_have_count(6)


def test_failures_are_shown_where_they_happen(lab, tmp_path):
    someone = lab(
        SESSION + "session",
        'unreachable = sw.Session("http://127.0.0.1:1")\n'
        'unreachable.add("profiles/batch-2013-07-08.bin")\nunreachable.select("2013-07-08")\nunreachable',
        "from songbird_widgets.panels import UploadPanel\nUploadPanel(unreachable)",
    )
    page, add = someone.page, someone.panel("add")
    add.get_by_role("combobox", name="Path or glob").fill("no/such/*.bin")
    page.keyboard.press("Enter")
    expect(add.locator(".sb-message")).to_contain_text("no/such/*.bin")
    add.get_by_role("button", name="Dismiss: no/such/*.bin").click()
    expect(add.locator(".sb-message")).to_have_count(0)
    expect(someone.panel("session").locator(".sb-notice")).to_have_count(0)  # it was said once

    bad = tmp_path / "notes.bin"
    bad.write_text("no profile at all")
    good = tmp_path / "mine.bin"
    good.write_bytes((someone.front_end.root / "profiles" / "batch-2013-07-08.bin").read_bytes())
    again = tmp_path / "reference.bin"
    again.write_bytes((someone.front_end.root / "profiles" / "reference-first-quarter.bin").read_bytes())
    add.locator("input[type=file]").set_input_files([bad, good, again])
    expect(add.locator(".sb-message[data-tone=bad]")).to_contain_text("notes.bin")
    expect(add.locator(".sb-message[data-tone=good]")).to_contain_text("Added 1 profile:")
    expect(add.locator(".sb-message[data-tone=info]")).to_contain_text("mine.bin the session has it already")

    # The other session's endpoint does not answer.
    second = page.locator(".songbird-panel").nth(1)
    second.locator(".songbird-upload").get_by_role("button", name="Upload").click()
    expect(second.locator(".songbird-session")).to_contain_text("the endpoint does not answer")
    expect(second.locator(".songbird-session .sb-notice")).to_contain_text("127.0.0.1:1")
    expect(second.locator(".songbird-link")).to_contain_text("not uploaded yet")
    expect(second.locator(".sb-trouble")).to_have_count(0)
    expect(someone.page.locator(".songbird-panel").nth(2).get_by_role("alert")).to_contain_text("127.0.0.1:1")


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
    expect(failures).to_contain_text("longer than 1000 characters")
    bad = tmp_path / "<img src=x onerror=window.pwned=2>\u202e.bin"
    bad.write_text("<script>window.pwned=3</script>")
    add = someone.panel("add")
    add.locator("input[type=file]").set_input_files(bad)
    expect(add.locator(".sb-messages")).to_contain_text("img src=x onerror")
    add.get_by_role("radio", name="Reference").check()
    add.get_by_label("Alias of the reference").fill("y" * 10_000)
    add.get_by_role("combobox", name="Path or glob").fill("profiles/reference-july.bin")
    page.keyboard.press("Enter")
    expect(add.locator(".sb-messages")).to_contain_text("10000 characters long")
    picker.get_by_role("searchbox").fill("<script>window.pwned=4</script>")
    page.keyboard.press("Enter")
    expect(picker.get_by_role("alert")).to_contain_text("<script>")
    for panel in page.locator(".songbird").all():
        assert panel.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    assert page.locator(".songbird :is(img, script, iframe)").count() == 0
    assert page.evaluate("window.pwned") is None


def test_the_launcher_opens_ones_sessions_and_what_is_uploaded_elsewhere_shows_by_itself(
    lab, environment, whylogs_python
):
    someone = lab(SESSION + "session.upload()\nsession")
    page, picker = someone.page, someone.panel("picker")
    expect(picker.get_by_role("option")).to_have_count(8)
    session_id = someone.copy_session_id()
    page.evaluate("() => { window.jupyterapp.commands.execute('launcher:create'); }")
    with page.context.expect_page() as opened:
        page.locator(".jp-LauncherCard", has_text="Songbird sessions").locator("visible=true").last.click()
    expect(opened.value.locator("h1")).to_have_text("Your sessions")
    expect(opened.value.get_by_role("row").filter(has_text="2013-07-08 to 2013-07-14").first).to_be_visible()

    page.bring_to_front()
    someone.open("test.ipynb")
    expect(picker.get_by_role("option")).to_have_count(8)
    profile = someone.front_end.root / "profiles" / "reference-first-quarter.bin"
    subprocess.run(
        [whylogs_python, "-c", ELSEWHERE, session_id, profile],
        env=environment, check=True, capture_output=True, timeout=300,
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
    keyboard.press("Escape")
    expect(claim.get_by_role("button", name="Claim…")).to_be_focused()
    keyboard.press("Enter")
    expect(claim.get_by_role("button", name="Back")).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(claim.get_by_role("button", name="Claim for good")).to_be_focused()
    keyboard.press("Enter")
    expect(claim.get_by_role("status")).to_contain_text("belong to org-")
    expect(someone.panel("session").get_by_role("status").first).to_contain_text("claimed")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


DROP = """
([selector, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector(selector).dispatchEvent(event);
  }
}
"""


def test_dropped_and_edited_before_sending_then_chosen_on_the_time_line(lab):
    someone = lab(
        "import songbird_widgets as sw\nsession = sw.Session()\n"
        "session.add('profiles/reference-july.bin', alias='july')\n"
        "session.add('profiles/batch-2013-07-09.bin')\nsession.add('profiles/batch-2013-07-1*.bin')\nsession"
    )
    page, picker, add = someone.page, someone.panel("picker"), someone.panel("add")
    rows = picker.get_by_role("listbox").get_by_role("option")
    # A file may be dropped anywhere on the panel.
    data = (someone.front_end.root / "profiles" / "batch-2013-07-08.bin").read_bytes()
    for selector, name, said in (
        (".songbird-link", "one.bin", "Added 1 profile: 2013-07-08"),
        (".songbird-picker .sb-option", "two.bin", "two.bin the session has it already, as batch 2013-07-08."),
    ):
        page.evaluate(DROP, [selector, name, base64.b64encode(data).decode()])
        expect(add.locator(".sb-message")).to_have_text([said])
    expect(rows).to_have_count(8)

    expect(add.get_by_text("8 profiles not sent yet")).to_be_visible()
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
    page.keyboard.press("Tab")
    expect(rows).to_have_count(3)  # two days, and the reference, which belongs to none
    picker.get_by_role("button", name="All dates").click()
    expect(rows).to_have_count(7)
    picker.get_by_role("searchbox").fill("1373328000000")  # 9 July in ms
    page.keyboard.press("Enter")
    expect(picker.locator(".sb-chip[data-p]")).to_have_count(2)

    assert someone.copy_session_id().startswith("session-")


DAYS = """
import songbird_widgets as sw
session = sw.Session()
for hour in range(7):
    data = open(f"profiles/batch-2013-07-{8 + hour:02d}.bin", "rb").read()
    session.add(data, timestamp=f"2013-07-20T{hour:02d}:00:00Z")
session.add("profiles/batch-2013-07-*.bin")
session.upload()
session
"""


def test_a_day_is_one_row_that_unfolds_and_is_chosen_whole(lab):
    someone = lab(DAYS)
    page, picker = someone.page, someone.panel("picker")
    options = picker.get_by_role("option")
    expect(options).to_have_count(8)
    expect(picker).to_contain_text("8 days of 14 uploads")
    day = picker.get_by_role("option", name="2013-07-20")
    expect(day).to_contain_text("7 uploads")
    picker.get_by_role("listbox").focus()
    page.keyboard.press("ArrowRight")
    upload = picker.get_by_role("option", name="03:00:00Z")
    expect(upload).to_be_visible()
    zone = picker.get_by_label("Time zone of the times shown")
    zone.fill("america/new_york")
    page.keyboard.press("Tab")
    expect(picker.get_by_role("option", name="2013-07-19 23:00:00")).to_be_visible()
    expect(picker.locator(".sb-hint")).to_contain_text("Days stay those of UTC")
    expect(day).to_have_attribute("title", re.compile("2013-07-19 20:00 to 2013-07-20 20:00 in America/New_York"))
    zone.fill("nowhere")
    page.keyboard.press("Tab")
    expect(zone).to_have_value("America/New_York")
    zone.fill("UTC")
    page.keyboard.press("Tab")
    upload.click()
    expect(picker.locator(".sb-hint")).to_contain_text("one batch of 7 uploads: the whole day is chosen")
    for line in (day, upload):
        expect(line.locator(".sb-mark")).to_have_text("P1")
    chip = picker.locator(".sb-chip[data-p]")
    expect(chip).to_contain_text("2013-07-20")
    expect(chip).to_contain_text("7 uploads")
    link = someone.panel("link").get_by_role("link", name="Open in the observatory")
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.locator("h1")).to_contain_text("2013-07-20")
    rows = int(
        page.evaluate("() => document.querySelector('.sb-option .sb-cell-rows').firstChild.data.replace(/,/g, '')")
    )
    assert rows > 5_000
    expect(opened.value.locator("body")).to_contain_text(f"{rows:,}")
    page.bring_to_front()
    picker.get_by_role("listbox").focus()
    page.keyboard.press("ArrowLeft")
    expect(options).to_have_count(8)


def test_a_fourth_replaces_one_in_place_the_order_is_changed_and_a_second_panel_stays_in_step(lab):
    someone = lab(
        SESSION + "session.upload()\nsession.select('2013-07-08', '2013-07-09', '2013-07-10')\nsession",
        "from songbird_widgets.panels import *\nProfilePicker(session)",
    )
    page, picker = someone.page, someone.panel("picker")
    labels = picker.locator(".sb-chip[data-p] .sb-chip-label")
    fourth = picker.get_by_role("option", name="2013-07-13")
    pickers = page.locator(".songbird-picker")
    # All is drawn that comes by itself.
    expect(pickers).to_have_count(2)
    expect(someone.panel("link").get_by_role("link", name="side by side")).to_be_visible()
    expect(someone.panel("result").locator(".songbird-card")).to_be_visible()
    fourth.scroll_into_view_if_needed()
    before = fourth.bounding_box()
    fourth.click()
    expect(picker.get_by_role("button", name="Replace P1, 2013-07-08, with 2013-07-13")).to_be_focused()
    assert fourth.bounding_box() == before  # the list stays under the mouse
    page.keyboard.press("Escape")
    expect(labels).to_have_text(["2013-07-08", "2013-07-09", "2013-07-10"])
    expect(picker.get_by_role("listbox")).to_be_focused()
    fourth.click()
    picker.get_by_role("button", name="Replace P2").click()
    expect(labels).to_have_text(["2013-07-08", "2013-07-13", "2013-07-10"])
    expect(fourth.locator(".sb-mark")).to_have_text("P2")
    picker.get_by_role("button", name="Move 2013-07-13 before 2013-07-08, to P1").click()
    expect(labels).to_have_text(["2013-07-13", "2013-07-08", "2013-07-10"])
    expect(fourth.locator(".sb-mark")).to_have_text("P1")

    # With the keyboard the same, and what is pressed again goes on with the same profile.
    picker.get_by_role("button", name="P3: move 2013-07-10").focus()
    page.keyboard.press("Enter")
    expect(labels).to_have_text(["2013-07-13", "2013-07-10", "2013-07-08"])
    expect(picker.get_by_role("button", name="P2: move 2013-07-10")).to_be_focused()
    page.keyboard.press("Enter")
    expect(labels).to_have_text(["2013-07-10", "2013-07-13", "2013-07-08"])
    expect(picker.get_by_role("listitem").filter(has_text="2013-07-10")).to_be_focused()
    expect(picker.get_by_role("status")).to_contain_text("P1 2013-07-10, P2 2013-07-13, P3 2013-07-08")

    # What is done in one panel shows in the other.
    chips = [pickers.nth(place).locator(".sb-chip[data-p]") for place in (0, 1)]
    pickers.nth(1).get_by_role("button", name="Remove P1").click()
    for shown in chips:
        expect(shown).to_have_count(2)
    pickers.nth(0).get_by_role("button", name="Remove P1").click()
    for shown in chips:
        expect(shown).to_have_count(1)
    pickers.nth(1).get_by_role("option", name="july").click()
    for shown in chips:
        expect(shown).to_have_count(2)


def test_a_dashboard_is_used_with_the_keyboard_alone(lab):
    someone = lab(SESSION + "session.upload()\nsw.dashboard(session)")
    page, picker, result = someone.page, someone.panel("picker"), someone.panel("result")
    labels = picker.locator(".sb-chip[data-p] .sb-chip-label")
    search = picker.get_by_role("searchbox", name="Filter profiles by alias, date or file")
    for place, label in enumerate(("july", "2013-07-08", "2013-07-09")):
        search.focus()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type(label)
        expect(picker.get_by_role("option")).to_have_count(1)
        page.keyboard.press("Enter")  # the only one that matches
        expect(labels.nth(place)).to_have_text(label)
    expect(picker.get_by_role("status")).to_contain_text("P1 july, P2 2013-07-08, P3 2013-07-09. 3 of 3.")
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(picker.get_by_role("option")).to_have_count(8)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")  # behind july
    page.keyboard.press("Space")
    expect(picker.get_by_role("button", name="Replace P1, july, with 2013-07-14")).to_be_focused()
    page.keyboard.press("Tab")
    expect(picker.get_by_role("button", name="Replace P2, 2013-07-08, with 2013-07-14")).to_be_focused()
    page.keyboard.press("Enter")
    expect(labels).to_have_text(["july", "2013-07-14", "2013-07-09"])
    expect(picker.get_by_role("listbox")).to_be_focused()
    picker.get_by_role("button", name="P2: move 2013-07-14 before july, to P1").focus()
    page.keyboard.press("Enter")
    expect(labels).to_have_text(["2013-07-14", "july", "2013-07-09"])
    expect(result.get_by_role("status")).to_contain_text("columns drifted")
    expect(result.locator(".songbird-card")).to_contain_text("P1 (baseline): 2013-07-14")
    rest = result.locator("summary")
    rest.focus()
    page.keyboard.press("Enter")
    expect(result.get_by_role("group", name="Further columns")).to_be_visible()
    result.get_by_role("link", name="Open the full page").focus()
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    expect(opened.value.locator("h1")).to_contain_text("2013-07-14")


def test_a_panel_says_that_its_kernel_is_busy_or_gone_and_goes_on_after_a_restart(lab, tmp_path):
    end = tmp_path / "end"
    someone = lab(SESSION + "session", f"import os\nwhile not os.path.exists({str(end)!r}): sum(range(10_000))")
    page, panel = someone.page, someone.page.locator(".songbird-panel")
    someone.panel("picker").get_by_role("option", name="july").click()
    try:
        expect(page.locator(".sb-kernel")).to_contain_text("running a cell")
        expect(someone.panel("picker")).not_to_have_attribute("inert", "")
    finally:
        end.touch()
    expect(panel).to_have_attribute("data-kernel", "there")
    expect(someone.panel("picker").locator(".sb-chip[data-p]")).to_contain_text("july")

    page.evaluate("() => { window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel(); }")
    check_says_kernel_is_gone(someone)
    someone.wait_for_kernel()
    someone.run_all()
    expect(page.locator(".sb-kernel")).to_have_count(0)
    expect(panel).to_have_attribute("data-kernel", "there")


def check_says_kernel_is_gone(someone):
    expect(someone.page.locator(".sb-kernel")).to_contain_text("Run → Run All Cells")
    for part in ("session", "add", "picker", "upload", "link", "result", "claim", "delete"):
        expect(someone.panel(part)).to_have_attribute("inert", "")


def test_the_comparison_follows_the_choice_and_stays_in_the_notebook_without_a_kernel(lab):
    selected = "session.add('profiles/reference-first-quarter.bin', alias='first-quarter')\nsession.upload()\n"
    someone = lab(SESSION + selected + "session.select('first-quarter', 'july')\nsession")
    page = someone.page
    card, copy = someone.panel("result").locator(".songbird-card"), page.locator(".songbird-static")
    expect(card).to_contain_text("of 16 columns drifted")
    expect(card.locator("svg.spark").first).to_be_visible()
    someone.panel("picker").get_by_role("option", name="2013-07-10").click()
    expect(card).to_contain_text("P3: 2013-07-10")
    expect(copy).to_contain_text("P3: 2013-07-10")  # what the notebook keeps, below the panel
    expect(copy).not_to_be_visible()
    expect(page.locator(".songbird-panel")).to_have_attribute("data-kernel", "there")
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown(); }")
    check_says_kernel_is_gone(someone)
    expect(copy).to_be_visible()
    expect(copy).to_contain_text("Run the cell again")

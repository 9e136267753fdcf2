"""What people do with the panels: keys, files, failures, secrets, themes, narrow cells."""

from __future__ import annotations

from playwright.sync_api import expect

SESSION = """
import songbird_widgets as sw
session = sw.Session()
session.add("profiles/reference-july.bin", alias="july")
session.add("profiles/batch-2013-07-*.bin")
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


def test_hostile_names_are_only_text(lab):
    name = '<img src=x onerror="window.pwned=1">\u202e"><a href=javascript:alert(1)>'
    someone = lab(
        f"{SESSION}session.add('profiles/reference-first-quarter.bin', alias={name!r})\n"
        "session.upload()\nsession.select(session.profiles[-1])\nsession"
    )
    expect(someone.panel("link").get_by_role("link")).to_have_count(1)
    expect(someone.panel("picker").locator(".sb-chip[data-p]")).to_contain_text("<img src=x")
    someone.panel("picker").get_by_role("option").first.hover()
    assert someone.page.locator(".songbird img").count() == 0
    assert someone.page.evaluate("window.pwned") is None


def test_theme_and_width(lab):
    someone = lab(SESSION + "session.upload()\nsession", width=560, fresh=True)
    page, picker = someone.page, someone.panel("picker")
    for dark in (True, False):
        someone.use_theme(dark=dark)
        expect(picker).to_have_attribute("data-theme", "dark" if dark else "light")
        scheme = picker.evaluate("element => getComputedStyle(element).colorScheme")
        assert scheme == ("dark" if dark else "light")
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.set_viewport_size({"width": 480, "height": 1400})
    expect(picker).to_have_attribute("data-narrow", "true")
    for panel in page.locator(".songbird").all():
        assert panel.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    option = picker.get_by_role("listbox").get_by_role("option").first
    expect(option).to_be_visible()
    option.click()
    expect(option).to_have_attribute("aria-selected", "true")


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

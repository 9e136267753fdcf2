"""How the panels look and are read: narrow, wide, in a grid of Voilà, light and dark; pictures are kept."""

from __future__ import annotations

import json

from playwright.sync_api import expect

import songbird_widgets as sw

SESSION = """
import ipywidgets
import songbird_widgets as sw
session = sw.Session()
session.add("profiles/reference-july.bin", alias="july")
session.add("profiles/batch-2013-07-*.bin")
session.upload()
session.add("profiles/reference-first-quarter.bin", alias="first-quarter")
session.select("july", "2013-07-14", "2013-07-10")
try: session.add("profiles/none-*.bin")
except sw.SongbirdError: pass
"""
NARROW = "ipywidgets.Box([session.panel()], layout={'width': '360px'})"
GRID = """
from songbird_widgets.panels import *
ipywidgets.GridBox(
    [ProfilePicker(session), AddPanel(session), UploadPanel(session), SessionPanel(session, ("session",)),
     LinkPanel(session), ClaimPanel(session)],
    layout=ipywidgets.Layout(grid_template_columns="1.4fr 1fr 1fr", grid_gap="10px", align_items="flex-start"),
)
"""
# What sticks out of its box, or is cut off without a mark that it is.
OUTSIDE = """
root => [...root.querySelectorAll('*')].filter((one) => {
  const style = getComputedStyle(one);
  if (one.closest('.sb-unseen, .sb-unit, svg, option, datalist, iframe, .sb-figures > *')) return false;
  if (!one.getClientRects().length) return false;
  const [inner, outer] = [one.getBoundingClientRect(), root.getBoundingClientRect()];
  const cut = one.scrollWidth > one.clientWidth + 1 && style.overflowX !== 'visible'
    && style.textOverflow !== 'ellipsis' && !['auto', 'scroll'].includes(style.overflowX)
    && !['INPUT', 'SELECT'].includes(one.tagName) && style.display !== 'inline';
  return cut || inner.right > outer.right + 1 || inner.left < outer.left - 1;
}).map((one) => one.outerHTML.slice(0, 200))
"""


ALIKE = """
import ipywidgets
import songbird_widgets as sw
from songbird_widgets.panels import ProfilePicker
session = sw.Session()
for end in ("first-quarter-for-training", "first-quarter-for-testing", "second-quarter-for-testing"):
    session.add("profiles/reference-july.bin", alias=f"flights-of-new-york-city-of-2013-{end}")
session.add("profiles/batch-2013-07-08.bin")
session.selection = session.profiles[:3]
ipywidgets.VBox([ipywidgets.Box([ProfilePicker(session)], layout={"width": width}) for width in ("500px", "360px")])
"""
# What can be read of each name, about: the rest is cut off.
SHOWN = """
names => names.map((name) => [...name.querySelectorAll('span')].map(({ textContent, clientWidth, scrollWidth }) => {
  const share = clientWidth / scrollWidth;
  return share >= 1 ? textContent : textContent.slice(0, Math.floor(textContent.length * share) - 2);
}).join(' … '))
"""


# With the rest of the page, whose headings and landmarks are there, too; these do not matter to colours.
VIOLATIONS = """
async (coloursOnly) => {
  const options = { resultTypes: ['violations'] };
  if (coloursOnly) options.runOnly = ['color-contrast', 'link-in-text-block'];
  const include = [...document.querySelectorAll('.songbird, .songbird-static')];
  const { violations } = await axe.run(coloursOnly ? { include } : document, options);
  const ours = ({ target }) => document.querySelector(target[0])?.closest('.songbird, .songbird-static');
  return violations
    .map(({ id, nodes }) => [id, nodes.filter(ours).map((node) => node.html.slice(0, 200))])
    .filter(([id, nodes]) => id !== 'region' && nodes.length);  // which regions there are is the page's own affair
}
"""


def check_accessibility(page, axe, *, colours_only=False):
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(content=axe)
    return page.evaluate(VIOLATIONS, colours_only)


def open_all(page):
    """Unfold whatever is folded."""
    page.evaluate("() => document.querySelectorAll('.songbird details').forEach((one) => { one.open = true; })")


def test_in_a_wide_and_a_narrow_cell_in_both_themes(desk, axe):
    someone = desk("lab", height=3600, width=1700)
    someone.write("looks.ipynb", SESSION + "session", NARROW)
    someone.open("looks.ipynb")
    someone.run_all()
    pickers = someone.page.locator(".songbird-picker")
    expect(pickers).to_have_count(2)
    expect(pickers.nth(0)).to_have_attribute("data-narrow", "false")
    expect(pickers.nth(1)).to_have_attribute("data-narrow", "true")
    for link in someone.page.locator(".songbird-link").all():
        expect(link.get_by_role("link", name="side by side")).to_be_visible()
    for dark, state in ((False, ""), (True, "-unfolded")):
        someone.use_theme(dark=dark)
        theme = "dark" if dark else "light"
        for picker in pickers.all():
            expect(picker).to_have_attribute("data-theme", theme)
            assert picker.evaluate("element => getComputedStyle(element).colorScheme") == theme
        if state:
            open_all(someone.page)
            for session in someone.page.locator(".songbird-session").all():
                expect(session.get_by_role("listitem").first).to_be_visible()
        for place, name in enumerate(("wide", "narrow")):
            someone.photograph(f"panel-{name}{state}", dark=dark, place=place)
        assert check_accessibility(someone.page, axe) == []
    panels = someone.page.locator(".songbird")
    for panel in panels.all():
        assert panel.evaluate(OUTSIDE) == []
    someone.page.set_viewport_size({"width": 640, "height": 3600})
    expect(pickers.nth(0)).to_have_attribute("data-narrow", "true")
    pickers.nth(0).get_by_role("option", name="2013-07-14").click()
    for picker in pickers.all():
        expect(picker.get_by_role("option", name="2013-07-14")).to_have_attribute("aria-selected", "false")


def test_several_panels_below_a_heading_are_accessible_in_whatever_state(lab, axe):
    heading = "from IPython.display import Markdown, display\ndisplay(Markdown('# Flights'))\nsw.dashboard(session)"
    someone = lab(
        SESSION + heading, "from songbird_widgets.panels import ProfilePicker\nProfilePicker(session)", "session"
    )
    page, picker = someone.page, someone.panel("picker")
    expect(someone.panel("result").locator(".songbird-card")).to_be_visible()
    expect(page.locator(".songbird-picker")).to_have_count(3)
    for part in page.locator(".songbird-picker").all():
        expect(part.get_by_role("heading", name="Profiles", level=2)).to_be_visible()
    assert check_accessibility(page, axe) == []
    picker.get_by_role("option", name="2013-07-12").click()
    expect(picker.get_by_role("button", name="Replace P")).to_have_count(3)
    assert check_accessibility(page, axe) == []
    someone.front_end.end_kernels()
    expect(page.locator(".sb-kernel").first).to_contain_text("no kernel any more")
    assert check_accessibility(page, axe) == []


FAILING = """
import pathlib
import songbird_widgets as sw
gone = pathlib.Path("gone.bin")
gone.write_bytes(pathlib.Path("profiles/reference-july.bin").read_bytes())
session = sw.Session()
session.add("profiles/batch-2013-07-08.bin")
session.add(gone, alias="gone")
gone.unlink()
session.upload()
session.select("gone", "2013-07-08")
session
"""


def test_what_failed_its_mend_and_the_reopened_notebook_are_accessible_in_both_themes(lab, axe):
    someone = lab(FAILING, wait_for="upload")
    page, upload, root = someone.page, someone.panel("upload"), someone.front_end.root

    def check_both():
        for dark in (True, False):
            someone.use_theme(dark=dark)
            assert check_accessibility(page, axe, colours_only=dark) == []  # another theme changes only these

    expect(upload.locator(".sb-failures")).to_contain_text("can no longer be read")
    check_both()
    (root / "gone.bin").write_bytes((root / "profiles" / "reference-july.bin").read_bytes())
    upload.get_by_role("button", name="Retry 1 that failed").click()
    expect(upload.get_by_role("status")).to_have_text("All 2 profiles are uploaded.")
    expect(upload.locator(".sb-failures")).to_have_count(0)
    expect(someone.panel("link").get_by_role("link", name="side by side")).to_be_visible()
    check_both()

    kept = page.locator(".songbird-static")
    expect(kept.locator("td", has_text="failed")).to_have_count(0)
    expect(kept.locator(".songbird-card")).to_contain_text("P1 (baseline): gone")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    someone.front_end.end_kernels()
    someone.loaded = False
    someone.open("test.ipynb")
    expect(kept).to_be_visible()
    expect(kept.get_by_role("row").filter(has_text="gone")).to_contain_text("uploaded")
    expect(kept.locator(".songbird-card")).to_contain_text("P1 (baseline): gone")
    expect(kept).to_contain_text("Run the cell again")
    check_both()


def test_in_a_notebook_that_is_not_trusted_charts_are_text(desk):
    someone = desk("lab")
    profiles = someone.front_end.root / "profiles"
    shown = sw.compare(profiles / "reference-july.bin", profiles / "batch-2013-07-14.bin")._repr_mimebundle_()
    someone.write("untrusted.ipynb", "verdict")
    path = someone.front_end.root / "untrusted.ipynb"
    document = json.loads(path.read_text("utf-8"))
    document["cells"][0]["outputs"] = [{"output_type": "display_data", "data": shown, "metadata": {}}]
    path.write_text(json.dumps(document), "utf-8")
    someone.open("untrusted.ipynb")
    card = someone.page.locator(".songbird-card")
    expect(card.locator("samp").first).to_be_visible()
    expect(card.get_by_text("1 to 31", exact=True)).to_be_visible()
    expect(card.locator("svg")).to_have_count(0)
    expect(card.locator(".ends").first).to_be_hidden()


def test_long_names_that_begin_alike_stay_distinguishable(desk):
    someone = desk("lab", height=1800)
    someone.write("alike.ipynb", ALIKE)
    someone.open("alike.ipynb")
    someone.run_all()
    expect(someone.page.locator(".sb-chip[data-p]")).to_have_count(6)
    for picker in someone.page.locator(".songbird-picker").all():
        for names in (".sb-chip .sb-halves", ".sb-option .sb-halves"):
            assert len(set(picker.locator(names).evaluate_all(SHOWN))) == 3
        whole = "flights-of-new-york-city-of-2013-second-quarter-for-testing"
        expect(picker.get_by_role("option", name=whole)).to_be_visible()
        expect(picker.get_by_role("button", name=f"Remove P3, {whole}")).to_be_visible()
        picker.get_by_role("option", name="2013-07-08").click()
        expect(picker.locator(".sb-replace .sb-halves")).to_have_count(3)
        assert len(set(picker.locator(".sb-replace .sb-halves").evaluate_all(SHOWN))) == 3
    for panel in someone.page.locator(".songbird").all():
        assert panel.evaluate(OUTSIDE) == []


def test_in_a_dark_grid_of_voila(desk, axe):
    someone = desk("voila", height=1100)
    someone.write("grid.ipynb", SESSION + GRID)
    someone.open("grid.ipynb", dark=True)
    expect(someone.panel("link").get_by_role("link", name="side by side")).to_be_visible()
    expect(someone.panel("picker")).to_have_attribute("data-theme", "dark")
    someone.photograph("voila-grid", dark=True)
    assert check_accessibility(someone.page, axe) == []
    for panel in someone.page.locator(".songbird").all():
        assert panel.evaluate(OUTSIDE) == []

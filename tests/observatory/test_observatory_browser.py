"""Pages in real Chromium: with scripts and without, by keyboard, narrow and wide, light and dark."""

import html
import http.server
import re
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

import songbird_widgets as sw

JULY_8, DAY_MS = 1373241600000, 86_400_000
ODDITIES = Path(__file__).parents[1] / "profiles" / "data"
WAIT_MS = 120_000  # only what hangs takes so long


class Tabs:
    """A page for each way to look, which goes on to the next address: a new one takes longer than most tests."""

    def __init__(self, browser):
        self._browser = browser
        self._pages = {}
        self.origin = ""
        self.noticed = []

    def _new(self, **options):
        context = self._browser.new_context(**options)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("console", lambda message: self.noticed.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.noticed.append(str(error)))
        page.on("request", self._look)
        return page

    def _look(self, request):
        if not request.url.startswith((self.origin, "blob:", "data:")):
            self.noticed.append(request.url)

    def open(self, url, *, viewport=(1280, 900), **options):
        key = frozenset(options.items())
        if key not in self._pages or self._pages[key].is_closed():
            self._pages[key] = self._new(**options)
        page = self._pages[key]
        page.set_viewport_size(dict(zip(("width", "height"), viewport, strict=True)))
        self.origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        page.goto(url)
        while page.locator("[data-waiting]").count():  # what is still being computed
            page.wait_for_timeout(100)
            page.goto(url)
        return page


@pytest.fixture(scope="module")
def tabs(browser):
    return Tabs(browser)


@pytest.fixture
def open_page(tabs):
    """Opens pages that must log no error and ask nobody but the service."""
    tabs.noticed.clear()
    yield tabs.open
    assert tabs.noticed == []


@pytest.fixture(scope="module")
def chosen(flights):
    return flights.profiles["july"], str(JULY_8), str(JULY_8 + DAY_MS)


def chosen_in(page):
    return parse_qs(urlsplit(page.url).query)["profile"]


def wait_for_chosen(page, *profiles):
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("profile") == list(profiles))


def test_profiles_are_changed_added_and_removed_by_clicking(open_page, flights, chosen):
    page = open_page(flights.url(*chosen[:2]))
    expect(page.locator("button:visible", has_text="Change")).to_have_count(0)
    page.select_option("#add", chosen[2])
    wait_for_chosen(page, *chosen)
    page.get_by_role("link", name="Make baseline").first.click()
    wait_for_chosen(page, chosen[1], chosen[0], chosen[2])
    page.get_by_role("link", name="Remove P3").click()
    wait_for_chosen(page, chosen[1], chosen[0])
    page.select_option("article.p1 select", flights.profiles["first-quarter"])
    wait_for_chosen(page, flights.profiles["first-quarter"], chosen[0])
    expect(page.locator("article.p1 h2")).to_have_text("first-quarter")


def test_sorting_filtering_and_searching_need_no_script(open_page, flights, chosen):
    page = open_page(flights.url(*chosen), java_script_enabled=False)
    expect(page.locator("table.columns tbody")).to_have_count(16)
    page.get_by_role("link", name="Mean").click()
    page.wait_for_url("**sort=mean**")
    means = page.locator("table.columns tbody tr.l1 td.c-mean").all_inner_texts()
    known = [float(text.replace(",", "").replace("−", "-")) for text in means if text != "–"]
    assert known == sorted(known, reverse=True)
    page.fill("#q", "delay")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("table.columns tbody .name a")).to_have_text(["dep_delay", "arr_delay"])
    page.get_by_role("button", name="Add").wait_for(state="detached")
    page.locator("article.p3").get_by_role("link", name="Remove").click()
    page.select_option("#add", flights.profiles["first-quarter"])
    page.get_by_role("button", name="Add").click()
    wait_for_chosen(page, *chosen[:2], flights.profiles["first-quarter"])
    page.get_by_role("link", name="arr_delay").click()
    expect(page.locator("h1")).to_have_text("arr_delay")
    page.get_by_role("link", name="90").click()
    expect(page.locator("svg.figure:visible").first).to_be_visible()
    page.get_by_role("link", name="← All columns").click()
    expect(page.locator("table.columns tbody")).to_have_count(2)


def test_choosing_stops_at_three(open_page, flights):
    page = open_page(flights.url())
    boxes = page.locator("input[type=checkbox]")
    button = page.get_by_role("button", name="Show side by side")
    expect(button).to_be_disabled()
    for index in range(3):
        boxes.nth(index).check()
    expect(boxes.nth(3)).to_be_disabled()
    expect(page.locator("[data-chosen]")).to_contain_text("3 of 3 chosen")
    button.click()
    page.wait_for_selector("article.p3")


def test_the_timeline_leads_to_a_batch(open_page, flights):
    page = open_page(flights.url())
    page.locator(".strip a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("table.columns")
    expect(page.locator("article.p1 h2")).to_have_text(re.compile("^2013-07-"))


def test_a_search_shows_what_it_finds_while_one_types_and_keeps_what_is_chosen(open_page, flights, chosen):
    page = open_page(flights.url(*chosen))
    page.locator("#q").press_sequentially("delay")
    page.wait_for_url("**q=delay**")
    expect(page.locator("table.columns tbody")).to_have_count(2)
    expect(page.locator("#q")).to_be_focused()
    page.select_option("#sort", "name")
    page.wait_for_url("**sort=name**")
    expect(page.locator("table.columns tbody")).to_have_count(2)
    page.goto(flights.url())
    page.get_by_role("checkbox", name="2013-07-09").check()
    page.locator("#q").press_sequentially("july")
    page.wait_for_url("**q=july**")
    expect(page.locator("ul.choose li")).to_have_count(2)
    expect(page.locator("ul.choose input:checked")).to_have_value(str(JULY_8 + DAY_MS))


def test_large_charts_say_what_is_under_the_pointer(open_page, flights, chosen):
    page = open_page(flights.url(*chosen, column="carrier"))
    chart = page.locator("svg.figure[data-chart=items]:visible").bounding_box()
    page.mouse.move(chart["x"] + chart["width"] / 2, chart["y"] + 30)
    expect(page.locator(".tip")).to_have_text(re.compile("^[^%]*(%[^%]*){3}$"))
    page.goto(flights.url(*chosen, column="arr_delay"))
    for kind, said in (("histogram", " to "), ("distribution", "at most"), ("box", "quartiles")):
        figure = page.locator(f"svg.figure[data-chart={kind}]:visible")
        figure.scroll_into_view_if_needed()
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        figure.hover()
        expect(page.locator(".tip")).to_contain_text(said)
        expect(page.locator(".tip")).to_be_visible()


def eventually(page, holds):
    """Wait for what a page's script brings about; its policy lets no expression be evaluated to wait for."""
    end = time.monotonic() + WAIT_MS / 1000
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        page.wait_for_timeout(20)


def test_a_table_is_never_cut_off(open_page, flights, chosen):
    page = open_page(flights.url(*chosen))

    def right():
        return page.locator("table.columns").evaluate("table => table.getBoundingClientRect().right")

    def scrolls():
        return page.locator(".table-frame").evaluate("frame => getComputedStyle(frame).overflowX") == "auto"

    for width in (1000, 1200, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        eventually(page, lambda width=width: right() <= width - 24 or scrolls())
    eventually(page, lambda: right() <= width - 24)


def test_a_click_on_a_chart_opens_that_day_beside_the_baseline(open_page, flights):
    reference = flights.profiles["july"]
    page = open_page(flights.url(reference).replace("/profiles?", "/trends?"))
    chart = page.locator("tr[data-column=dep_delay] svg.course.drift")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.999, box["y"] + 20)
    expect(page.locator(".tip")).to_have_text(re.compile("^2013-07-14score "))
    page.mouse.move(
        *[page.locator("tr[data-column=dep_delay] svg.course.mean").bounding_box()[key] + 9 for key in "xy"]
    )
    expect(page.locator(".tip")).to_have_text(re.compile("^2013-07-08about "))
    chart.click(position={"x": box["width"] - 1, "y": 20})
    page.wait_for_url("**column=dep_delay**")
    assert chosen_in(page) == [reference, str(JULY_8 + 6 * DAY_MS)]
    page.get_by_role("link", name="Over time").click()
    page.wait_for_selector(".trend-figures")
    expect(page.locator("h1")).to_have_text("dep_delay over time")
    page.locator("svg.trend.drift:visible a").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/profiles?**")
    wait_for_chosen(page, reference, str(JULY_8 + DAY_MS))


def test_days_are_reached_and_chosen_without_scripts(open_page, flights):
    page = open_page(flights.url().replace("/profiles?", "/trends?"), java_script_enabled=False)
    page.fill("input[name=from]", "2013-07-10")
    page.select_option("select[name=profile]", str(JULY_8))
    page.get_by_role("button", name="Show").click()
    expect(page.locator("h1")).to_have_text("Over time, beside 2013-07-08")
    expect(page.locator(".strip a")).to_have_count(5)
    page.locator("table.trends").get_by_role("link", name="dep_delay").click()
    page.locator("table.days").get_by_role("link", name="2013-07-12").click()
    wait_for_chosen(page, str(JULY_8), str(JULY_8 + 4 * DAY_MS))
    page.go_back()
    page.locator("svg.trend.mean:visible").locator("a").nth(3).click()
    wait_for_chosen(page, str(JULY_8), str(JULY_8 + 5 * DAY_MS))
    page.goto(flights.url().replace("/profiles?", "/trends?"))
    page.locator("tr[data-column=dep_delay] svg.course.mean").click()
    expect(page.locator("h1")).to_have_text("dep_delay over time")


def test_the_keyboard_reaches_search_and_rows(open_page, flights, chosen):
    page = open_page(flights.url(*chosen))
    page.keyboard.press("/")
    page.keyboard.type("air")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=air**")
    page.get_by_role("link", name="air_time").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**column=air_time**")


def test_the_theme_follows_the_browser_the_switch_and_the_url(open_page, flights, chosen):
    def background(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = background(open_page(flights.url(*chosen), color_scheme="light"))
    page = open_page(flights.url(*chosen), color_scheme="dark")
    dark = background(page)
    assert light != dark
    page.get_by_role("button", name="Light").click()
    expect(page.locator("body")).to_have_css("background-color", light)
    page.reload()
    assert background(page) == light
    page.evaluate("localStorage.clear()")  # other tests have the same context
    assert background(open_page(flights.url(*chosen, theme="dark"), color_scheme="light")) == dark
    assert background(open_page(flights.url(*chosen, theme="light"), color_scheme="dark")) == light


@pytest.mark.parametrize("parameters", [{}, {"column": "arr_delay"}, {"column": "carrier"}])
def test_nothing_sticks_out(open_page, flights, chosen, parameters):
    for url in (flights.url(*chosen, **parameters), flights.url(**parameters).replace("/profiles?", "/trends?")):
        page = open_page(url)
        for width in (360, 768, 1280, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            # What a page's script changes at another width comes a moment later.
            eventually(
                page, lambda page=page, width=width: page.evaluate("document.documentElement.scrollWidth") <= width
            )


def test_a_chart_is_saved_as_svg_and_png(open_page, flights, chosen):
    page = open_page(flights.url(*chosen, column="arr_delay"))
    with page.expect_download() as waiting:
        page.get_by_role("link", name="SVG").first.click()
    svg = Path(waiting.value.path()).read_text()
    assert svg.startswith("<svg xmlns=")
    assert "july" in svg
    with page.expect_download() as waiting:
        page.get_by_role("button", name="PNG").first.click()
    assert Path(waiting.value.path()).read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def elsewhere():
    """Another server of this machine, whose pages hold a frame; returns its port and a setter of the frame's URL."""

    class Page(http.server.BaseHTTPRequestHandler):
        framed = ""

        def do_GET(self):
            body = f'<!doctype html><title>parent</title><iframe src="{html.escape(self.framed)}"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], lambda url: setattr(Page, "framed", url)
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize(("host", "allowed"), [("127.0.0.1", True), ("localhost", True), ("evil.localhost", False)])
def test_only_pages_of_this_machine_may_frame_the_page(browser, open_page, flights, chosen, elsewhere, host, allowed):
    port, frame = elsewhere
    open_page(flights.url(*chosen))  # so that all of it is known
    frame(flights.url(*chosen))
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{host}:{port}/", wait_until="load")
    shown = page.frames[1].locator("article.p3 h2").count()
    context.close()
    assert bool(shown) is allowed


def test_the_page_works_under_any_prefix(open_page, flights, chosen, service):
    prefix = f"/k/{service.secret}"
    url = flights.url(*chosen).replace("/resources/", f"{prefix}/resources/")
    page = open_page(url)
    expect(page.locator(".badge.p1").first).to_have_css("background-color", "rgb(14, 116, 144)")
    expect(page.locator("[data-theme-switch]")).to_be_visible()
    page.get_by_role("link", name="arr_delay").click()
    page.wait_for_url(f"**{prefix}/resources/**column=arr_delay**")
    page.get_by_role("link", name="Songbird observatory").click()
    page.wait_for_selector("form[data-choose]")
    page.wait_for_url(f"**{prefix}/resources/**")


def test_print_shows_the_table_and_no_controls(open_page, flights, chosen):
    page = open_page(flights.url(*chosen), color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("table.columns tbody").first).to_be_visible()
    expect(page.locator("select:visible, button:visible, input:visible")).to_have_count(0)
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    assert page.pdf(format="A4", landscape=True).startswith(b"%PDF")
    page.close()  # others are no print


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, flights, chosen, axe, guest, scheme):
    odd = [
        guest.reference("kinds", (ODDITIES / "edge-kinds.bin").read_bytes()),
        guest.reference("<b>never</b>", None),
        guest.batch(JULY_8, (ODDITIES / "edge-conditions.bin").read_bytes()),
    ]
    conditions = guest.json(odd[2])["columns"][0]["name"]
    urls = [
        (flights.url(*chosen), 1280),
        (flights.url(*chosen, sort="drift", order="desc", show="drifted"), 360),
        (flights.url(*chosen, column="arr_delay"), 1280),
        (flights.url(chosen[0], column="carrier"), 360),
        (flights.url(), 1280),
        (flights.url().replace("/profiles?", "/trends?"), 1280),
        (flights.url(column="dep_delay").replace("/profiles?", "/trends?"), 360),
        (guest.url(*odd), 1280),
        (guest.url(odd[2], column=conditions), 1280),
        (flights.url(*chosen, q="nothing like it"), 1280),
    ]
    # Another theme changes nothing but the colours.
    rules = {} if scheme == "light" else {"runOnly": ["color-contrast", "link-in-text-block"]}
    for url, width in urls if scheme == "light" else (urls[0], urls[2], urls[5]):
        page = open_page(url, color_scheme=scheme, viewport=(width, 900), bypass_csp=True)
        page.evaluate(axe)
        result = page.evaluate("rules => axe.run(document, {resultTypes: ['violations'], ...rules})", rules)
        found = [
            (one["id"], one["impact"], [node["html"][:200] for node in one["nodes"][:3]])
            for one in result["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert found == [], url


def test_a_report_shows_all_its_columns_and_a_card_whole_names(open_page, tmp_path):
    many = np.arange(12_000)
    comparison = sw.compare(
        before={"discount_pct": many % 30, "price_total": many * 641.7},
        after={"discount_pct": many % 30 + 9, "price_total": many * 741.7},
    )
    page = open_page(comparison.save(tmp_path / "report.html").as_uri(), viewport=(1280, 900))
    assert page.locator(".table-frame").evaluate("frame => frame.scrollWidth <= frame.clientWidth")
    html_of_card = comparison._repr_mimebundle_()["text/html"]
    card = tmp_path / "card.html"
    card.write_text(f"<meta charset=utf-8><div style='width: 760px'>{html_of_card}</div>", "utf-8")
    name = open_page(card.as_uri()).locator("tbody bdi").first
    lines = "name => { const all = new Range(); all.selectNodeContents(name); return all.getClientRects().length }"
    assert (name.text_content(), name.evaluate(lines)) == ("discount_pct", 1)

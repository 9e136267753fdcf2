"""The page of one column, its charts as files, and the original files."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from bs4 import BeautifulSoup

from songbird_widgets.profiles import profile, read_profile
from songbird_widgets.profiles.writing import write_profile

FLIGHTS = Path(__file__).parents[2] / "examples" / "profiles"
ODDITIES = Path(__file__).parents[1] / "profiles" / "data"
JULY_8, DAY_MS = 1373241600000, 86_400_000


@pytest.fixture(scope="module")
def chosen(flights):
    return flights.profiles["july"], str(JULY_8), str(JULY_8 + DAY_MS)


def soup(response):
    return BeautifulSoup(response.text, "html.parser")


def sheet(page, heading):
    table = page.find("h2", string=heading).find_parent("section").select_one("table.sheet")
    return {row.th.text: [cell.text for cell in row.select("td")] for row in table.select("tbody tr")}


def test_a_numeric_column_shows_all_that_is_known(flights, chosen):
    page = soup(flights.page(*chosen, column="arr_delay"))
    headings = [heading.text for heading in page.select("main section h2")]
    for heading in (
        "Drift from P1",
        "Histogram",
        "Cumulative distribution",
        "Box plots",
        "Figures",
        "Quantiles",
    ):
        assert heading in headings
    july = read_profile((FLIGHTS / "reference-july.bin").read_bytes()).column("arr_delay")
    quantiles = sheet(page, "Quantiles")
    assert quantiles["Minimum"][0] == f"{july.kll.min:g}".replace("-", "−")
    assert quantiles["Median"][0] == f"{july.kll.quantiles([0.5])[0]:g}".replace("-", "−")
    assert sheet(page, "Types")["fractional"][0] == f"{july.types.fractional:,}"
    assert "Frequent items" not in headings


@pytest.mark.parametrize(("bins", "unit"), [(30, "percent"), (60, "count"), (90, "percent")])
def test_the_histogram_can_be_drawn_otherwise(flights, chosen, bins, unit):
    page = soup(flights.page(*chosen, column="arr_delay", bins=bins, y=unit, scale="log", range="all"))
    rows = sheet(page, "Histogram")
    assert len(rows) == bins
    if unit == "count":
        total = sum(int(cells[0].replace(",", "")) for cells in rows.values())
        july = read_profile((FLIGHTS / "reference-july.bin").read_bytes()).column("arr_delay")
        assert total == pytest.approx(july.kll.n, abs=bins)
    else:
        assert all(cell.endswith(" %") for cells in rows.values() for cell in cells)


def test_a_long_tail_is_drawn_over_its_middle_and_the_rest_is_named(guest):
    rng = np.random.default_rng(7)
    amounts = rng.lognormal(0, 2.5, 5000)
    day = guest.batch(JULY_8, profile({"amount": amounts.tolist()}).to_bytes())
    page = soup(guest.page(day, column="amount"))
    drawn = page.select_one("svg[data-chart=histogram]")
    assert float(drawn["data-high"]) == pytest.approx(np.quantile(amounts, 0.99), rel=0.1)
    assert "Not shown: up to" in page.text
    whole = soup(guest.page(day, column="amount", range="all"))
    assert float(whole.select_one("svg[data-chart=histogram]")["data-high"]) == amounts.max()
    assert "Not shown" not in whole.text
    assert guest.json(day)["columns"][0]["histogram"]["edges"][-1] == amounts.max()


def test_numbers_as_far_apart_as_doubles_go_are_drawn(guest):
    ends = np.array([-1.7e308, 1.7e308])
    day = guest.batch(JULY_8, profile({"x": (ends * np.linspace(0.5, 1, 1500)[:, None]).ravel()}).to_bytes())
    charts = str(soup(guest.page(day, column="x")).select("svg"))
    assert "data-chart" in charts
    assert not re.search(r"\b(nan|inf)\b", charts)


def test_delays_are_drawn_where_most_of_them_are_and_waiting_times_to_their_end(guest, flights, chosen):
    july = read_profile((FLIGHTS / "reference-july.bin").read_bytes()).column("arr_delay")
    page = soup(flights.page(chosen[0], column="arr_delay"))
    drawn = page.select_one("svg[data-chart=histogram]")
    low, high = july.kll.quantiles([0.01, 0.99])
    assert (float(drawn["data-low"]), float(drawn["data-high"])) == (low, high)
    assert "Not shown: up to 1.9 % of a profile's numbers" in page.text
    waits = np.random.default_rng(7).exponential(3, 5000)
    day = guest.batch(JULY_8, profile({"wait": waits.tolist()}).to_bytes())
    drawn = soup(guest.page(day, column="wait")).select_one("svg[data-chart=histogram]")
    assert float(drawn["data-high"]) == waits.max()


def test_frequent_items_come_with_their_counts(flights, chosen):
    page = soup(flights.page(*chosen, column="carrier"))
    items = sheet(page, "Frequent items")
    july = read_profile((FLIGHTS / "reference-july.bin").read_bytes()).column("carrier").frequent_items
    for item in july.items:
        assert f"{item.estimate:,}" in items[item.value][0]
    assert "Counts are exact" in page.text


def test_counts_that_were_not_kept_exactly_are_shown_as_ranges(guest):
    profile = guest.reference("kinds", (ODDITIES / "edge-kinds.bin").read_bytes())
    items = sheet(soup(guest.page(profile, column="zipf")), "Frequent items")
    assert items["w1"][0] == "25.9 % to 25.9 % · 2,589 to 2,591"


def test_values_that_may_have_occurred_once_are_not_listed_as_frequent(guest):
    profile = guest.reference("kinds", (ODDITIES / "edge-kinds.bin").read_bytes())
    page = soup(guest.page(profile, column="uuid"))
    assert "id-00000" not in page.text
    assert not page.find(string="Frequent items")
    assert "no value stands out" in soup(guest.page(profile, q="uuid")).text


def test_values_seen_once_are_not_listed_though_nothing_was_dropped(guest):
    rows = profile({"city": ["Oslo", "Oslo", "Bonn"], "id": ["a", "b", "c"]})
    reference = guest.reference("few", rows.to_bytes())
    listed = {
        column["name"]: [item["value"] for item in column["profiles"]["P1"]["frequentItems"]]
        for column in guest.json(reference)["columns"]
    }
    assert listed == {"city": ["Oslo"], "id": []}
    assert set(sheet(soup(guest.page(reference, column="city")), "Frequent items")) == {"Oslo"}
    assert not soup(guest.page(reference, column="id")).find(string="Frequent items")


def test_figures_of_other_metrics_are_shown_under_their_names(guest):
    whole = profile({"city": ["Oslo", "Bonn"]})
    city = replace(whole.column("city"), metrics={"mine/short": 1, "mine/mean": 4.5})
    reference = guest.reference("mine", write_profile(replace(whole, _read=lambda _: city)))
    (column,) = guest.json(reference)["columns"]
    assert column["profiles"]["P1"]["metrics"] == {"mine/short": 1, "mine/mean": 4.5}
    assert set(sheet(soup(guest.page(reference, column="city")), "Other metrics")) == {"mine/short", "mine/mean"}
    assert "mine/short=1; mine/mean=4.5" in guest.page(reference, form=".csv").text


def test_conditions_are_listed(guest):
    profile = guest.reference("conditions", (ODDITIES / "edge-conditions.bin").read_bytes())
    read = read_profile((ODDITIES / "edge-conditions.bin").read_bytes())
    name = next(name for name in read.column_names if read.column(name).conditions)
    conditions = read.column(name).conditions
    shown = sheet(soup(guest.page(profile, column=name)), "Conditions")
    assert set(shown) == set(conditions) - {"total"}
    for condition, cells in shown.items():
        assert f"{conditions[condition]:,} of {conditions['total']:,}" in cells[0]


def test_parts_of_a_compound_metric_are_columns_of_their_own(guest):
    profile = guest.reference("ranges", (ODDITIES / "edge-unicode-ranges.bin").read_bytes())
    columns = guest.json(profile)["columns"]
    parts = [column for column in columns if column["parent"]]
    assert parts
    assert sheet(soup(guest.page(profile, column=parts[0]["name"])), "Quantiles")
    rows = soup(guest.page(profile)).select("tbody.sub .name a")
    assert [row.text for row in rows] == [column["name"] for column in parts]


def test_a_column_that_is_nowhere(flights, chosen):
    answer = flights.page(*chosen, column="<b>nothing</b>")
    assert answer.status_code == 404
    assert "There is no such column" in answer.text
    assert "<b>nothing" not in answer.text
    assert flights.page(*chosen, column="nothing", form=".json").status_code == 404


@pytest.mark.slow
def test_neighbours_lead_through_all_columns(flights, chosen):
    page = soup(flights.page(*chosen, column="origin"))
    seen = []
    while page is not None:
        seen.append(page.h1.text)
        following = page.select_one("a[rel=next]")
        page = following and soup(flights.http.get(f"{flights.base}/resources/model-1/{following['href']}"))
    names = [column["name"] for column in flights.json(*chosen)["columns"]]
    assert seen == names[names.index("origin") :]


@pytest.mark.slow
def test_every_column_of_every_kind_has_a_page(guest):
    profiles = [guest.reference(name, (ODDITIES / f"{name}.bin").read_bytes()) for name in ("edge-kinds", "edge-tiny")]
    for column in guest.json(*profiles)["columns"]:
        for parameters in ({}, {"y": "count", "scale": "log", "bins": 90}):
            assert guest.page(*profiles, column=column["name"], **parameters).status_code == 200


@pytest.mark.parametrize("chart", ["histogram", "distribution", "box"])
def test_charts_are_files_of_their_own(flights, chosen, chart):
    answer = flights.page(*chosen, column="arr_delay", chart=chart, form=".svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="arr_delay-{chart}.svg"'
    drawing = ET.fromstring(answer.text)
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[-3:] == ["P1 july", "P2 2013-07-08", "P3 2013-07-09"]
    assert "class=" not in answer.text
    assert "style" not in answer.text


def test_what_cannot_be_drawn_says_so(flights, chosen):
    for parameters in (
        {"column": "carrier", "chart": "histogram"},
        {"column": "carrier", "chart": "evil"},
        {},
    ):
        answer = flights.page(*chosen, form=".svg", **parameters)
        assert answer.status_code == 404
        assert answer.json()["type"] == "ResourceNotFound"


def test_the_original_file_comes_back(flights):
    answer = flights.page(flights.profiles["july"], form=".bin")
    assert answer.content == (FLIGHTS / "reference-july.bin").read_bytes()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="july.bin"'
    assert flights.page(flights.profiles["july"], str(JULY_8), form=".bin").status_code == 400
    assert flights.page("ref-unknown", form=".bin").status_code == 404


def test_a_days_files_come_back_together(guest):
    contents = [(FLIGHTS / f"batch-2013-07-{day:02}.bin").read_bytes() for day in (8, 9)]
    for content in contents:
        guest.batch(JULY_8, content)
    answer = guest.page(str(JULY_8), form=".bin")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="2013-07-08.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == contents


def test_an_unreadable_file_can_still_be_had(guest):
    profile = guest.reference("../../odd name\r\n<b>", b"hello")
    answer = guest.page(profile, form=".bin")
    assert answer.content == b"hello"
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9._-]+\.bin"', answer.headers["Content-Disposition"])


def hostile_profile(name):
    """A real profile with one column renamed, in the header, to something hostile of the same length."""
    data = (FLIGHTS / "batch-2013-07-08.bin").read_bytes()
    old = b"sched_arr_time"
    new = name.encode()
    assert len(new) == len(old)
    assert data.count(old) >= 1
    return data.replace(old, new)


@pytest.mark.parametrize(
    "name", ["<img src=x o=>", "=HYPERLINK(1)1", "\u202eevil</svg> ", "' onload='x'//", 'a&b"c\n\td<x>y  ']
)
def test_hostile_column_names_are_text_everywhere(guest, name):
    profile = guest.reference("h", hostile_profile(name))
    data = guest.json(profile)
    assert name in [column["name"] for column in data["columns"]]
    for answer in (guest.page(profile), guest.page(profile, column=name), guest.page(profile, q=name)):
        assert answer.status_code == 200
        page = soup(answer)
        assert not page.select("img, iframe, script:not([src])")
        assert not [tag for tag in page.find_all() if any(one.startswith("on") for one in tag.attrs)]
        assert "\u202e" not in page.get_text()
        assert page.h1
    svg = guest.page(profile, column=name, chart="items", form=".svg")
    if svg.status_code == 200:
        ET.fromstring(svg.text)
        assert re.fullmatch(r'attachment; filename="[A-Za-z0-9._-]+"', svg.headers["Content-Disposition"])
    csv = guest.page(profile, form=".csv")
    assert not re.search(r"^=", csv.text, re.MULTILINE)

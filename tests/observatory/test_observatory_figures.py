"""What a page and its data say, against what whylogs itself reports for the same files."""

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup

from songbird_widgets.observatory import formatting
from songbird_widgets.profiles import profile

ODDITIES = Path(__file__).parents[1] / "profiles" / "data"
JULY_8, DAY_MS = 1373241600000, 86_400_000
TYPES = ("integral", "fractional", "boolean", "string", "object", "tensor")


def oracle(name):
    return json.loads((ODDITIES / f"{name}.whylogs.json").read_text())


def same(value, expected, relative=1e-12):
    if expected is None or not math.isfinite(expected):
        return value is None
    return value == pytest.approx(expected, rel=relative, abs=1e-300)


def check_column(column, expected):
    counts, types = expected["counts"], expected["types"]
    assert column["count"] == counts["n"]
    assert column["nullCount"] == counts["null"]
    assert column["nullFraction"] == pytest.approx(counts["null"] / counts["n"])
    assert column["typeCounts"] == {name: types[name] for name in TYPES}
    distribution = expected.get("dist")
    if distribution and distribution["n"]:
        assert same(column["mean"], distribution["mean"])
        assert same(column["stddev"], distribution["stddev"])
        assert column["median"] == distribution["q"][5]
        for key, mine in (("min", "min"), ("max", "max")):
            if math.isfinite(distribution[key]):
                assert column[mine] == distribution[key]
    else:
        assert column["mean"] is column["min"] is column["median"] is None
    if expected.get("card"):
        assert same(column["uniqueEstimate"], expected["card"][0], 1e-9)
    listed = {item["value"]: item["estimate"] for item in column["frequentItems"]}
    for value, estimate, *_ in expected.get("fi_nfn") or []:
        if value in listed:
            assert listed[value] == estimate


def test_three_flight_profiles_have_the_oracles_figures(flights):
    chosen = (flights.profiles["july"], flights.profiles["first-quarter"], str(JULY_8 + 2 * DAY_MS))
    data = flights.json(*chosen)
    names = ("reference-july", "reference-first-quarter", "batch-2013-07-10")
    assert [one["place"] for one in data["profiles"]] == ["P1", "P2", "P3"]
    assert [one["label"] for one in data["profiles"]] == ["july", "first-quarter", "2013-07-10"]
    for place, name in zip(("P1", "P2", "P3"), names, strict=True):
        expected = oracle(name)
        assert {column["name"] for column in data["columns"]} == set(expected)
        for column in data["columns"]:
            check_column(column["profiles"][place], expected[column["name"]])


@pytest.mark.parametrize("name", ["edge-kinds", "edge-tiny"])
def test_every_kind_of_column_has_the_oracles_figures(guest, name):
    profile = guest.reference(name, (ODDITIES / f"{name}.bin").read_bytes())
    data = guest.json(profile)
    expected = oracle(name)
    assert {column["name"] for column in data["columns"]} == set(expected)
    for column in data["columns"]:
        check_column(column["profiles"]["P1"], expected[column["name"]])


def test_an_infinity_is_a_greatest_value_and_no_mean(guest):
    profile = guest.reference("kinds", (ODDITIES / "edge-kinds.bin").read_bytes())
    data = guest.json(profile, **{"feature-highlight": "inf"})
    (column,) = data["columns"]
    assert column["profiles"]["P1"]["max"] == "Infinity"
    assert column["profiles"]["P1"]["mean"] is None
    html = guest.page(profile, **{"feature-highlight": "inf"}).text
    row = BeautifulSoup(html, "html.parser").select_one("table.columns tbody tr")
    assert row.select_one(".c-max").text == "∞"
    assert row.select_one(".c-mean").text == "–"
    assert row.select_one(".c-stddev").text == "–"


def test_the_csv_says_what_the_json_says(flights):
    chosen = (flights.profiles["july"], str(JULY_8))
    data = flights.json(*chosen, sort="mean", order="desc")
    rows = list(csv.DictReader(io.StringIO(flights.page(*chosen, form=".csv", sort="mean", order="desc").text)))
    assert [(row["column"], row["place"]) for row in rows] == [
        (column["name"], place) for column in data["columns"] for place in ("P1", "P2")
    ]
    for row in rows:
        column = next(one for one in data["columns"] if one["name"] == row["column"])["profiles"][row["place"]]
        for key in ("count", "nullCount", "mean", "stddev", "min", "max", "median", "uniqueEstimate"):
            assert row[key] == ("" if column[key] is None else str(column[key]))


def test_the_page_says_what_the_json_says(flights):
    chosen = (flights.profiles["july"], flights.profiles["first-quarter"], str(JULY_8))
    data = flights.json(*chosen)
    page = BeautifulSoup(flights.page(*chosen).text, "html.parser")
    bodies = page.select("table.columns tbody")
    assert [body.select_one("th.name a").text for body in bodies] == [column["name"] for column in data["columns"]]
    for body, column in zip(bodies, data["columns"], strict=True):
        for line, place in zip(body.select("tr"), ("P1", "P2", "P3"), strict=True):
            figures = column["profiles"][place]
            assert line.select_one("th.who").text == place
            assert line.select_one(".c-count").text == f"{figures['count']:,}"
            assert line.select_one(".c-nulls").text == formatting.percent(figures["nullFraction"])
            shown = line.select_one(".c-mean")
            if figures["mean"] is None:
                assert shown.text == "–"
            else:
                written = float(shown.text.replace(",", "").replace("−", "-"))
                assert written == pytest.approx(figures["mean"], rel=1e-3)
                assert figures["mean"] == 0 or written != 0
                assert float(shown.get("title") or shown.text.replace(",", "")) == figures["mean"]


def test_a_days_uploads_are_shown_as_one(guest):
    profiles = [ODDITIES.parents[2] / "examples" / "profiles" / f"batch-2013-07-{day:02}.bin" for day in (8, 9)]
    for index, path in enumerate(profiles):
        guest.batch(JULY_8 + index * 3_600_000, path.read_bytes())
    data = guest.json(str(JULY_8 + 7_200_000))
    (profile,) = data["profiles"]
    assert len(profile["uploads"]) == 2
    first, second = oracle("batch-2013-07-08"), oracle("batch-2013-07-09")
    for column in data["columns"]:
        figures, a, b = column["profiles"]["P1"], first[column["name"]], second[column["name"]]
        assert figures["count"] == a["counts"]["n"] + b["counts"]["n"]
        assert figures["nullCount"] == a["counts"]["null"] + b["counts"]["null"]
        if figures["mean"] is not None:
            n, m = a["dist"]["n"], b["dist"]["n"]
            assert figures["mean"] == pytest.approx((a["dist"]["mean"] * n + b["dist"]["mean"] * m) / (n + m))
            assert figures["min"] == min(a["dist"]["min"], b["dist"]["min"])
    assert "2 uploads merged" in guest.page(str(JULY_8)).text


def test_histograms_share_their_axis_and_are_one_path_a_profile(flights):
    chosen = (flights.profiles["july"], str(JULY_8), str(JULY_8 + DAY_MS))
    data = flights.json(*chosen, **{"feature-highlight": "arr_delay"})
    histogram = data["columns"][0]["histogram"]
    figures = data["columns"][0]["profiles"]
    assert histogram["edges"][0] == min(figures[place]["min"] for place in figures)
    assert histogram["edges"][-1] == max(figures[place]["max"] for place in figures)
    for fractions in histogram["fractions"].values():
        assert sum(fractions) == pytest.approx(1)
    page = BeautifulSoup(flights.page(*chosen).text, "html.parser")
    for spark in page.select("svg.spark"):
        assert spark["role"] == "img"
        assert re.match(r"(Histogram|Frequent items)", spark["aria-label"])
        assert 1 <= len(spark.select("path")) <= 3
        assert not spark.select("rect")


def test_people_see_no_more_different_values_than_values_and_data_hold_the_estimate(guest):
    data = profile({"x": np.arange(8_000, 11_000)}).to_bytes()
    baseline, day = guest.reference("train", data), guest.batch(JULY_8, data)
    assert guest.json(baseline, day)["columns"][0]["profiles"]["P2"]["uniqueEstimate"] > 3_000
    cells = BeautifulSoup(guest.page(baseline, day).text, "html.parser").select("td.c-unique")
    assert [cell.text for cell in cells] == ["3,000", "3,000"]
    assert all(cell["title"].endswith(" and 3,000") for cell in cells)
    guest.batch(JULY_8 + DAY_MS, data)
    pairs = {"sessionToken": guest.id, "column": "x"}
    page = guest.http.get(f"{guest.base}/resources/model-1/trends", params=pairs).raise_for_status().text
    assert "3,000" in page
    assert "3,010" not in page

"""Drift on the page and in its data is what profiles/drift.py says of the same files."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from songbird_widgets.profiles import compare_profiles, read_profile

FLIGHTS = Path(__file__).parents[2] / "examples" / "profiles"
ODDITIES = Path(__file__).parents[1] / "profiles" / "data"
JULY_8, DAY_MS = 1373241600000, 86_400_000


@pytest.fixture(scope="module")
def chosen(flights):
    return flights.profiles["july"], str(JULY_8 + 2 * DAY_MS), str(JULY_8)


@pytest.fixture(scope="module")
def expected():
    read = {
        name: read_profile((FLIGHTS / f"{name}.bin").read_bytes())
        for name in ("reference-july", "batch-2013-07-10", "batch-2013-07-08")
    }
    july, first, second = read.values()
    comparison = compare_profiles([july, first, second])
    drifts = {name: comparison.drift(name) for name in comparison.names}
    return {f"P{side + 1}": {name: found[side] for name, found in drifts.items()} for side in (1, 2)}


def soup(response):
    return BeautifulSoup(response.text, "html.parser")


def test_the_data_hold_every_measure(flights, chosen, expected):
    data = flights.json(*chosen)
    for column in data["columns"]:
        assert column["drift"].keys() == {"P2", "P3"}
        for place, drift in column["drift"].items():
            right = expected[place][column["name"]]
            assert drift["verdict"] == right.verdict
            assert drift["score"] == right.score
            assert drift["measures"]["js_distance"] == right.js_distance
            assert drift["measures"]["psi"] == right.psi
            assert drift["reasons"] == list(right.reasons)


def test_the_page_says_each_verdict_as_a_word_with_its_mark(flights, chosen, expected):
    words = {"none": "○ none", "moderate": "◐ moderate", "strong": "● strong", "unknown": "? unclear"}
    for body in soup(flights.page(*chosen)).select("table.columns tbody"):
        name = body.select_one(".name a").text
        cells = [cell.text for cell in body.select(".c-drift")]
        drifts = [expected[place][name] for place in ("P2", "P3")]
        scores = ["" if drift.verdict == "unknown" else f" {drift.score:.1f}" for drift in drifts]
        assert cells == [
            "baseline",
            *(words[drift.verdict] + score for drift, score in zip(drifts, scores, strict=True)),
        ]


def test_what_drifted_most_comes_first(flights, chosen, expected):
    answer = flights.json(*chosen)
    assert (answer["sort"], answer["order"]) == ("drift", "desc")
    columns = answer["columns"]
    assert flights.json(*chosen, sort="drift", order="desc")["columns"] == columns
    scores = {
        column["name"]: max(expected[place][column["name"]].score for place in ("P2", "P3")) for column in columns
    }
    dates = scores.pop("day")
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    drifted = [name for name, score in scores.items() if score >= 1]
    assert dates > max(scores.values())
    assert columns[len(drifted)]["name"] == "day", "what tells the date comes after all that drifted otherwise"


def test_the_summary_counts_what_the_filters_show(flights, chosen, expected):
    drifted = {name for name in expected["P2"] if any(expected[place][name].drifted for place in ("P2", "P3"))}
    page = soup(flights.page(*chosen))
    assert page.select_one(".summary strong").text == f"{len(drifted)} of 16 columns"
    shown = flights.json(*chosen, show="drifted")
    assert {column["name"] for column in shown["columns"]} == drifted
    chips = {chip.contents[0].strip(): chip.b.text for chip in page.select(".chip") if chip.b}
    assert chips["Drifted"] == str(len(drifted))
    assert int(chips["Discrete"]) + int(chips["Non-discrete"]) == int(chips["All"]) == 16


def test_another_baseline_turns_the_comparison_round(flights, chosen):
    there = flights.json(chosen[0], chosen[1], column="arr_delay")["columns"][0]["drift"]["P2"]
    back = flights.json(chosen[1], chosen[0], column="arr_delay")["columns"][0]["drift"]["P2"]
    assert there["measures"]["null_delta"] == -back["measures"]["null_delta"]


def test_one_profile_has_no_drift(flights, chosen):
    page = soup(flights.page(chosen[0]))
    assert not page.select(".c-drift")
    assert "Drift" not in page.select_one("thead").text
    assert flights.page(chosen[0], sort="drift").status_code == 200


def test_missing_and_new_columns_can_be_filtered(guest):
    kinds = guest.reference("kinds", (ODDITIES / "edge-kinds.bin").read_bytes())
    flight = guest.batch(JULY_8, (FLIGHTS / "batch-2013-07-08.bin").read_bytes())
    missing = guest.json(kinds, flight, show="missing")["columns"]
    new = guest.json(kinds, flight, show="new")["columns"]
    assert {column["drift"]["P2"]["verdict"] for column in missing} == {"missing"}
    assert {column["drift"]["P2"]["verdict"] for column in new} == {"new"}
    assert len(missing) + len(new) == 31
    assert soup(guest.page(kinds, flight)).select_one(".summary strong")["class"] == ["drift-missing"]


def test_a_damaged_column_cannot_be_told(guest):
    whole = (FLIGHTS / "batch-2013-07-08.bin").read_bytes()
    cut = guest.reference("cut", whole[:-4000] + b"\xff" * 4000)
    good = guest.batch(JULY_8, whole)
    verdicts = [column["drift"]["P2"]["verdict"] for column in guest.json(good, cut)["columns"]]
    assert set(verdicts) == {"none", "unknown"}
    summary = soup(guest.page(good, cut)).select_one(".summary").text
    assert summary.endswith(f" · {verdicts.count('unknown')} unclear"), "each column says why, not the summary"

"""A dataset over time: over HTTP, in HTML, JSON and CSV, for hostile names, many days and strangers."""

import csv
import io
import re
from threading import current_thread

import numpy as np
import pytest

from songbird_widgets.profiles import DayComparison, profile
from songbird_widgets.profiles import trends as limits

DAY_MS = 86_400_000
FIRST = 1_704_067_200_000  # 2024-01-01


def day_of(seed, shift=0.0, rows=1_000, **more):
    random = np.random.default_rng(seed)
    data = {
        "amount": random.normal(10 + shift, 2, rows),
        "colour": random.choice(["red", "green"], rows),
        "price": random.normal(5, 1, rows),
    }
    return profile(data | more).to_bytes()


@pytest.fixture(scope="module")
def month(service):
    """A reference and twelve days, on the eighth of which the amount moved."""
    guest = service.guest()
    guest.reference("train", day_of(0, rows=3_000))
    for day in range(12):
        guest.batch(FIRST + day * DAY_MS, day_of(day + 1, shift=5.0 * (day == 7)))
    return guest


def trends(guest, form="", **parameters):
    pairs = {"sessionToken": guest.id, **parameters}
    return guest.http.get(f"{guest.base}/resources/model-1/trends{form}", params=pairs)


def test_the_column_that_drifted_comes_first_with_its_day_and_why(month):
    page = trends(month).raise_for_status().text
    assert (
        '<strong class="drift-strong">1 of 3 columns</strong> drifted from <bdi>train</bdi> in 12 days: '
        "<bdi>amount</bdi> (2024-01-08)" in page
    )
    assert page.index(">amount</a>") < page.index(">colour</a>")
    assert "The mean moved from" in page
    data = trends(month, ".json").raise_for_status().json()
    first = data["columns"][0]
    assert (first["name"], first["drift"]["first"], first["drift"]["days"]) == ("amount", "2024-01-08", 1)
    assert first["drifted"].index(True) == 7
    assert [day["rows"] for day in data["days"]] == [1_000] * 12
    assert all(column["drift"] is None for column in data["columns"][1:])


def test_a_column_that_only_tells_the_date_comes_last_and_colours_no_day(guest):
    guest.reference("train", day_of(0, rows=3_000, day=np.full(3_000, 1)))
    for day in range(3):
        guest.batch(FIRST + day * DAY_MS, day_of(day + 1, shift=5.0 * (day == 1), day=np.full(1_000, day + 2)))
    data = trends(guest, ".json").json()
    assert [column["name"] for column in data["columns"]][:2] == ["amount", "day"]
    assert [column["name"] for column in trends(guest, ".json", sort="score").json()["columns"]][:2] == [
        "amount",
        "day",
    ]
    page = trends(guest).text
    assert page.index(">amount</a>") < page.index(">day</a>")
    assert "<bdi>amount</bdi> (2024-01-02), <bdi>day</bdi> (2024-01-01) · 1 only because the days differ" in page
    for text in (page, guest.page().text):
        assert 'class="day none"' in text
        assert text.count('class="day strong"') == 1
        assert "2 columns drifted, 1 of them only because the days differ" in text
        assert "1 column drifted, only because the days differ" in text


def test_what_goes_on_began_after_what_passed_and_the_worst_day_is_told(guest):
    guest.reference("train", day_of(0, rows=3_000))
    for day, shift in enumerate((0, 5, 0, 0, 0.6, 0.6, 3)):
        guest.batch(FIRST + day * DAY_MS, day_of(day + 1, shift=shift))
    page = trends(guest).raise_for_status().text
    assert "<bdi>amount</bdi> (2024-01-05)" in page
    row = re.sub("<[^>]+>", "", page)
    assert "Since 2024-01-05, and first on 2024-01-02." in row
    assert "Most on 2024-01-02: The mean moved from" in row


def test_every_day_says_what_its_own_page_says(month):
    data = trends(month, ".json").json()
    reference = data["baseline"]["profile"]
    for index in (0, 7):
        compared = month.json(reference, data["days"][index]["profile"])
        said = {column["name"]: column["drift"]["P2"]["verdict"] for column in compared["columns"]}
        assert {column["name"]: column["verdict"][index] for column in data["columns"]} == said


def test_what_the_session_page_says_of_its_days_is_computed_once(guest, monkeypatch):
    guest.reference("train", day_of(0, rows=3_000))
    for day in range(3):
        guest.batch(FIRST + day * DAY_MS, day_of(day + 1))
    trends(guest).raise_for_status()  # now all days are compared
    page = guest.page().raise_for_status().text
    assert "column drifted" not in page
    read, whole = [], DayComparison.from_bytes
    monkeypatch.setattr(
        DayComparison, "from_bytes", lambda content: read.append(current_thread().name) or whole(content)
    )
    assert guest.page().text == page
    assert "observatory" not in read  # the thread that makes pages
    guest.batch(FIRST + DAY_MS, day_of(9, shift=8, rows=2_000))
    trends(guest).raise_for_status()
    assert "1 column drifted" in guest.page().text


def test_csv_has_a_line_for_each_column_and_day(month):
    answer = trends(month, ".csv", column="amount")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["column"], line["day"], line["drifted"]) for line in lines][6:8] == [
        ("amount", "2024-01-07", "false"),
        ("amount", "2024-01-08", "true"),
    ]
    assert len(lines) == 12
    assert "attachment" in answer.headers["content-disposition"]


def test_range_search_columns_and_order_are_in_the_url(month):
    ranged = trends(month, ".json", **{"from": "2024-01-03", "to": "2024-01-05"}).json()
    assert [day["day"] for day in ranged["days"]] == ["2024-01-03", "2024-01-04", "2024-01-05"]
    assert ranged["columns"][0]["drift"] is None
    assert {column["name"] for column in trends(month, ".json", q="R").json()["columns"]} == {"colour", "price"}
    by_name = trends(month, ".json", sort="name", limit=2, offset=1).json()
    assert [column["name"] for column in by_name["columns"]] == ["colour", "price"]
    assert trends(month, ".json", column="price").json()["total"] == 1
    alone = trends(month, column="amount")
    assert alone.status_code == 200
    assert alone.text.count("<tr>") == 14  # a head, the baseline and twelve days


def test_a_range_without_days_says_so_in_every_form(month):
    nothing = {"from": "2031-01-01"}
    trends(month, **nothing).raise_for_status()
    data = trends(month, ".json", **nothing).raise_for_status().json()
    assert (data["days"], data["columns"], data["total"]) == ([], [], 0)
    assert len(trends(month, ".csv", **nothing).raise_for_status().text.splitlines()) == 1


def test_a_day_can_be_the_baseline_and_is_not_compared_with_itself(month):
    data = trends(month, ".json", profile=str(FIRST + 7 * DAY_MS + 5)).json()
    assert data["baseline"]["label"] == "2024-01-08"
    assert [day["compared"] for day in data["days"]].count(False) == 1
    amount = data["columns"][0]
    assert (amount["name"], amount["drift"]["days"], amount["verdict"][7]) == ("amount", 11, None)


def test_the_page_of_profiles_and_the_session_page_lead_there(month):
    reference = trends(month, ".json").json()["baseline"]["profile"]
    assert f"trends?profile={reference}&amp;sessionToken={month.id}" in month.page(reference).text
    session = month.page().text
    assert f'href="trends?sessionToken={month.id}"' in session
    assert 'aria-label="2024-01-08, ' in session
    assert "1 column drifted" in session


def test_strangers_see_nothing_and_nothing_says_what_to_do(service, month, guest):
    url = f"{service.base}/resources/model-1/trends"
    assert service.http.get(url).status_code == 401
    assert service.http.get(url, params={"sessionToken": "session-x"}).status_code == 404
    assert service.http.get(url, params={"sessionToken": guest.id, "profile": "ref-unknown"}).status_code == 404
    empty = trends(guest)
    assert empty.status_code == 404
    assert "Nothing has been uploaded yet" in empty.text
    assert "No days here" in trends(month, **{"from": "1999-01-01", "to": "1999-02-01"}).text
    assert trends(month, column="nobody").status_code == 404
    assert (
        trends(month, ".json", **{"from": "yesterday", "to": "9" * 40, "limit": "-3", "offset": "x"}).status_code == 200
    )


def test_hostile_names_are_text_and_columns_may_come_and_go(guest):
    evil = "<script>alert(1)</script>\"'&\n=x"
    numbers = np.random.default_rng(1).normal(size=1_000)
    guest.batch(FIRST, day_of(1))
    guest.batch(FIRST + DAY_MS, day_of(2, **{evil: numbers, "=1+1": numbers, "x" * 3_000: numbers}))
    page = trends(guest).text
    assert "<script>alert" not in page
    assert "Not in the baseline, there on 1 day" in page
    assert trends(guest, column=evil).status_code == 200
    assert "\r\n'=1+1," in trends(guest, ".csv").text
    assert trends(guest, column="x" * 3_000).status_code == 200


def test_a_damaged_day_is_named_and_the_others_are_shown(guest):
    guest.reference("train", day_of(0))
    guest.batch(FIRST, day_of(1))
    guest.batch(FIRST + DAY_MS, b"WHY1" + bytes(60))
    data = trends(guest, ".json").json()
    assert [day["compared"] for day in data["days"]] == [True, False]
    assert data["days"][1]["problem"]
    assert trends(guest).status_code == 200


@pytest.mark.parametrize("kind", ["reference", "day"])
def test_where_the_first_cannot_be_read_days_are_compared_with_the_next_one(guest, kind):
    for day in range(2):
        guest.batch(FIRST + day * DAY_MS, day_of(day))
    damaged = b"WHY1" + bytes(60)
    if kind == "reference":
        guest.reference("a", damaged)
        guest.reference("b", day_of(9))
    else:
        guest.batch(FIRST - DAY_MS, damaged)
    data = trends(guest, ".json").json()
    assert data["baseline"]["label"] == ("b" if kind == "reference" else "2024-01-01")
    assert bool([day for day in data["days"] if day["problem"]]) == (kind == "day")
    assert trends(guest).status_code == 200


def test_an_upload_more_to_a_day_changes_that_day(guest):
    guest.reference("train", day_of(0, rows=3_000))
    for day in range(3):
        guest.batch(FIRST + day * DAY_MS, day_of(day + 1))
    assert trends(guest, ".json").json()["columns"][0]["drift"] is None
    guest.batch(FIRST + DAY_MS, day_of(9, shift=8, rows=2_000))
    data = trends(guest, ".json").json()
    assert (data["days"][1]["uploads"], data["columns"][0]["drift"]["first"]) == (2, "2024-01-02")


def test_more_days_than_are_shown_are_said_to_be_left_out(guest, monkeypatch):
    monkeypatch.setattr(limits, "MAX_DAYS", 4)
    for day in range(6):
        guest.batch(FIRST + day * DAY_MS, day_of(day))
    data = trends(guest, ".json").json()
    assert data["days"][0]["day"] == "2024-01-03"
    assert "The latest 4 days of this range are shown" in data["leftOut"]
    assert "The latest 4 days" in trends(guest).text

"""`Session.trends`: every day beside a baseline, as data and as HTML, before anything is uploaded and after."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from bs4 import BeautifulSoup

from songbird_widgets.session import SelectionError, Session


def data(seed, shift=0.0, rows=1_000):
    random = np.random.default_rng(seed)
    return {"amount": random.normal(10 + shift, 2, rows), "colour": random.choice(["red", "green"], rows)}


@pytest.fixture
def week(session):
    session.add(data(0, rows=3_000), alias="train")
    for day in range(1, 8):
        session.add(data(day, shift=5.0 * (day == 5)), timestamp=f"2024-01-{day:02}")
    return session


def test_what_drifted_and_when_is_data_before_anything_is_uploaded(week):
    trends = week.trends()
    assert trends.drifted == ("amount",)
    frame = trends.to_pandas()
    drifted = frame[frame.drifted]
    assert [(column, f"{day:%Y-%m-%d}") for column, day in drifted.index] == [("amount", "2024-01-05")]
    assert frame.loc[("amount", "2024-01-02"), "mean"] == pytest.approx(10, abs=0.3)
    assert trends.to_dict()["columns"][0]["drift"]["first"] == "2024-01-05"
    assert "1 of 2 columns drifted from train in 7 days: amount (2024-01-05)" in repr(trends)


def test_days_that_say_too_little_are_no_days_without_drift(session):
    session.add(data(0, rows=3_000), alias="train")
    session.add(data(1), timestamp="2024-01-01")
    session.add(data(2, rows=3), timestamp="2024-01-02")
    assert "none of 2 columns drifted beside train · 1 day says too little to tell" in repr(session.trends())


def test_it_displays_as_html_that_needs_nothing(week, tmp_path):
    trends = week.trends()
    shown = trends._repr_mimebundle_()
    assert "amount: On 2024-01-05." in shown["text/plain"]
    assert shown["text/html"].count("<svg") == 7  # text has no mean
    with pytest.raises(ValueError, match=r"in \.html, not '\.pdf'"):
        trends.save(tmp_path / "trends.pdf")
    assert not (tmp_path / "trends.pdf").exists()
    for html in (shown["text/html"], trends.save(tmp_path / "trends.html").read_text()):
        assert "amount" in html
        assert [part for part in ("<script", "href=", "http:", "https:", "src=") if part in html] == []


def test_without_drawings_and_style_sheets_its_charts_are_text(week):
    shown = BeautifulSoup(week.trends()._repr_mimebundle_()["text/html"], "html.parser")
    drift, mean, nulls, unique = [text.get_text(" ", strip=True) for text in shown.select("tr")[1].select(".text")]
    assert re.fullmatch("[▁▂▃]{4}█[▁▂▃]{2} 0 to ≥ 4", drift)
    assert re.fullmatch(r"[▁▂]{4}█[▁▂]{2} 9\.\d+ to 1\d\.\d+", mean)
    assert nulls == "▁▁▁▁▁▁▁ 0 % to 0 %"
    assert re.fullmatch("[▇█]{7} 0 to 1,0\\d\\d", unique)
    assert {part["style"] for part in shown.select(".scale, .ends")} == {"display:none"}


@pytest.mark.parametrize("selected", ["train", "valid", "2024-01-05"])
def test_it_says_what_the_page_says_of_the_first_that_is_selected(week, selected):
    week.add(data(9, shift=1.0, rows=3_000), alias="valid")
    week.selection = [selected, "2024-01-02"]
    here = week.trends().to_dict()["columns"]
    week.upload()
    link = week.trends_link
    (first,) = parse_qs(urlsplit(link).query)["profile"]
    assert first in (week.selection[0].profile_id, str(week.selection[0].dataset_timestamp))
    there = httpx.get(link.replace("/trends?", "/trends.json?"), trust_env=False, timeout=60).json()["columns"]
    assert here == there


def test_the_page_has_a_baseline_of_its_own_where_nothing_is_selected(week):
    with pytest.raises(SelectionError, match=r"session\.upload"):
        _ = week.trends_link
    week.upload()
    link = week.trends_link
    assert week.selection == ()
    assert parse_qs(urlsplit(link).query)["profile"] == [p.profile_id for p in week.profiles if p.alias == "train"]
    there = httpx.get(link.replace("/trends?", "/trends.json?"), trust_env=False, timeout=60).json()["columns"]
    assert there == week.trends().to_dict()["columns"]


def test_a_day_may_be_the_baseline_and_what_is_unknown_is_refused(week):
    trends = week.trends(baseline="2024-01-05")
    assert trends.drifted == ("amount",)
    assert trends.to_dict()["columns"][0]["drift"]["days"] == 6
    with pytest.raises(SelectionError):
        week.trends(baseline="nobody")


def test_a_session_without_profiles_says_what_to_do():
    with Session() as empty, pytest.raises(SelectionError, match=r"session\.add"):
        empty.trends()


def test_a_session_of_references_alone_shows_that_nothing_is_compared(session):
    session.add({"level": [1.5, 2.5]}, alias="train")
    trends = session.trends()
    assert "Nothing is compared with" in trends._repr_mimebundle_()["text/plain"]
    assert trends.to_dict()["columns"] == []
    assert trends.to_pandas().empty


def test_its_sentences_are_whole_and_its_charts_are_dated(session):
    value = "a word of the data that is as long as it may be in a sentence"[:60]
    session.add({"level": np.random.default_rng(0).normal(15, 4, 3_000), "word": ["x"] * 3_000}, alias="train")
    session.add({"level": np.full(3_000, 85.0), "word": [value] * 3_000}, timestamp="2024-01-01")
    trends = session.trends()
    shown = trends._repr_mimebundle_()
    for column in trends.to_dict()["columns"]:
        assert column["drift"]["reason"].endswith(".")
        assert column["drift"]["reason"] in shown["text/plain"]
    assert "The share of 85 went from 0 % to 100 %." in shown["text/plain"]
    assert f"“{value}”" in shown["text/plain"]
    assert "…" not in shown["text/plain"] + shown["text/html"]
    assert shown["text/html"].count("<span>2024-01-01</span>") >= 6
    session.select("train", "2024-01-01")
    compared = session.compare()
    assert "…" not in compared.to_text()
    for column in compared.columns.values():
        assert " ".join(column.drift.reasons[:2]) in compared.to_text()

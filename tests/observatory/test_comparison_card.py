"""`compare` gives a verdict that shows itself in a cell, with no server and no script."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from bs4 import BeautifulSoup

import songbird_widgets as sw
from songbird_widgets.profiles import ConfusionMatrix, Performance, ThresholdsError

JULY, JULY_8 = "reference-july.bin", "batch-2013-07-08.bin"


@pytest.fixture
def july(profile_path):
    return profile_path(JULY)


def test_the_headline_names_what_drifted_most_first(july, profile_path):
    comparison = sw.compare(july, profile_path(JULY_8))
    drifted = comparison.drifted
    assert repr(comparison).startswith(f"<Comparison: {len(drifted)} of 16 columns drifted: {drifted[0]}, ")
    scores = [comparison.columns[name].drift.score for name in drifted]
    assert scores[:-1] == sorted(scores[:-1], reverse=True)


def test_what_tells_the_date_comes_after_what_drifted(july, profile_path):
    comparison = sw.compare(july, profile_path(JULY_8))
    assert comparison.drifted[-1] == "day"
    assert comparison.columns["day"].drift.score > comparison.columns[comparison.drifted[0]].drift.score
    assert comparison.columns["day"].drift.reasons[0].startswith("It tells the date")
    assert "and, as the days differ, day" in repr(comparison)
    html = comparison._repr_mimebundle_()["text/html"]
    assert html.index(f">{comparison.drifted[-2]}<") < html.index(">day<")
    days = sw.compare(july, profile_path(JULY_8), columns=["day"])
    assert repr(days).startswith("<Comparison: 1 of 1 column drifted, as the days differ: day")


def test_columns_tell_the_date_by_their_values_or_their_names():
    rows = np.arange(600)
    dates = {
        "month": rows % 2 + 1,
        "ORDER_DATE": 20260101 + rows % 20,
        "pickupDay": rows % 20 + 1,
        "at": 1.75e9 + rows * 60,
        "made": [f"2026-01-{one % 20 + 1:02}" for one in rows],
    }
    values = {"calls_per_day": rows % 20 + 1, "grace_day": rows % 20 + 0.5, "price": rows % 20, "days_off": rows % 20}
    before = pd.DataFrame(dates | values)
    after = before.assign(**{name: before[name] + 8 for name in before if name not in {"made", "at"}})
    after = after.assign(at=before["at"] + 86_400 * 9, made=before["made"].str.replace("2026-01", "2026-02"))
    result = sw.compare(before, after)
    assert set(result.drifted) == {*dates, *values}
    assert set(result.drifted[len(values) :]) == set(dates)
    nulls = after.assign(month=after["month"].where(rows % 5 > 0))
    assert "month" in sw.compare(before, nulls).drifted[: len(values) + 1], "nulls are no matter of dates"


def test_profiles_are_called_by_keyword_mapping_or_file(july, profile_path):
    other = profile_path(JULY_8)
    assert sw.compare(base=july, new=other).labels == ("base", "new")
    assert sw.compare({"a name": july, "b": other}).labels == ("a name", "b")
    assert sw.compare(july, other.read_bytes()).labels == ("reference-july", "P2")


def test_of_equal_profiles_no_column_drifted(july):
    assert repr(sw.compare(july, july)).startswith("<Comparison: None of 16 columns drifted")


def test_the_card_is_static_and_small(july, profile_path):
    bundle = sw.compare(july, profile_path(JULY_8), kinds=profile_path("edge-kinds.bin"))._repr_mimebundle_()
    html = bundle["text/html"]
    assert "<script" not in html
    assert "http" not in html
    assert len(html) < 60_000
    assert "P3 " in html
    assert "15 new" in bundle["text/plain"]


def test_without_drawings_and_style_sheets_the_card_shows_distributions_as_text():
    before = pd.DataFrame({"n": range(3000), "city": ["Oslo"] * 2000 + ["Bonn"] * 1000})
    after = pd.DataFrame({"n": [0] * 1500 + [2999] * 1500, "city": ["Oslo"] * 3000})
    card = BeautifulSoup(sw.compare(before, after)._repr_mimebundle_()["text/html"], "html.parser")
    for element in card.select("style, svg"):  # as JupyterLab does in a notebook that it does not trust
        element.decompose()
    seen = {
        row.th.text: [line.get_text(" ", strip=True) for line in row.select(".text > *")]
        for row in card.select("tr")[1:]
    }
    assert seen["city"] == ["P1 Oslo: 66.7 %, Bonn: 33.3 %", "P2 Oslo: 100 %"]
    assert re.fullmatch("P1 ▂{15}", seen["n"][0])
    assert re.fullmatch("P2 █▁{13}█", seen["n"][1])
    assert seen["n"][2] == "0 to 2,999"
    assert {ends["style"] for ends in card.select(".ends")} == {"display:none"}


def test_files_of_data_are_profiled_and_compared(july, tmp_path):
    old, new, parts = tmp_path / "old.csv", tmp_path / "new.jsonl", str(tmp_path / "part-*.csv")
    old.write_text("price\n" + "".join(f"{price}\n" for price in range(500)))
    new.write_text("".join(json.dumps({"price": 3 * price}) + "\n" for price in range(500)))
    for number in range(2):
        (tmp_path / f"part-{number}.csv").write_text("price\n" + "".join(f"{x}\n" for x in range(number, 500, 2)))
    compared = sw.compare(old, new, str(old))
    assert compared.labels == ("old (P1)", "new", "old (P3)")
    assert compared.drifted == ("price",)
    parted = sw.compare(a=old, b=parts)
    assert [side.column("price").counts.n for side in parted.sides] == [500, 500]
    assert parted.drifted == ()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(sw.ProfileError, match=r"broken\.parquet: The file cannot be read"):
        sw.compare(july, tmp_path / "broken.parquet")


def test_what_holds_no_profile_is_named(july, tmp_path):
    missing = tmp_path / "nothing.bin"
    with pytest.raises(ValueError, match=r"nothing\.bin.*no such file"):
        sw.compare(july, missing)
    with pytest.raises(ValueError, match="One to 3 profiles"):
        sw.compare(july, july, july, july)


def test_the_card_and_the_report_hold_no_markup_of_the_data(tmp_path):
    attack = "<img src=x onerror=alert(1)>"
    rows = [{attack: f"{attack}{number % 3}"} for number in range(60)]
    comparison = sw.compare({attack: rows, "b": rows})
    written = comparison.save(tmp_path / "report.html").read_text("utf-8")
    for html in (comparison._repr_mimebundle_()["text/html"], written):
        assert "<img" not in html
        assert "&lt;img" in html


def test_a_saved_report_is_one_file_without_script_or_address(july, profile_path, tmp_path):
    path = sw.compare(july, profile_path(JULY_8)).save(tmp_path / "report.html")
    html = path.read_text("utf-8")
    assert html.count('<section class="panel column"') == 16
    assert len(html) < 10_000 * 16 + 30_000
    for forbidden in ("<script", "http:", "https:", "src=", "@import", "url(http"):
        assert forbidden not in html


def test_the_comparison_hands_itself_out_as_data(july, profile_path):
    comparison = sw.compare(july=july, day=profile_path(JULY_8))
    table = comparison.to_pandas()
    assert table.loc[("arr_delay", "day"), "js_distance"] == comparison.columns["arr_delay"].drift.js_distance
    assert table.loc[("day", "day"), "drift"] == "strong"
    data = comparison.to_dict()
    assert [profile["label"] for profile in data["profiles"]] == ["july", "day"]
    assert data["columns"][len(comparison.drifted) - 1]["name"] == "day"
    assert json.dumps(data, allow_nan=False)


def test_without_pandas_it_says_what_needs_none(july, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pandas is not installed here: .* to_dict\(\) needs none"):
        sw.compare(july, july).to_pandas()


def test_every_kind_of_data_is_compared_with_every_other(tmp_path):
    frame = pd.DataFrame({"price": range(500), "city": ["Bonn", "Oslo"] * 250})
    frame.to_csv(tmp_path / "prices.csv", index=False)
    made = sw.profile(frame)
    made.save(tmp_path / "prices.bin")
    kinds = [
        pl.DataFrame({name: frame[name].tolist() for name in frame}),
        frame.to_dict("records"),
        frame.to_dict("list"),
        tmp_path / "prices.csv",
        str(tmp_path / "prices.bin"),
        made.to_bytes(),
        made,
    ]
    with (tmp_path / "prices.csv").open("rb") as file:
        results = [sw.compare(frame, kind) for kind in [*kinds, file]]
    for comparison in results:
        assert comparison.drifted == ()
        assert comparison.names == ("city", "price")
        assert [side.column("price").counts.n for side in comparison.sides] == [500, 500]


def test_a_comparison_is_saved_in_the_format_that_the_name_ends_in(july, profile_path, tmp_path):
    comparison = sw.compare(july=july, day=profile_path(JULY_8))
    assert json.loads(comparison.save(tmp_path / "out.json").read_text("utf-8")) == json.loads(
        json.dumps(comparison.to_dict())
    )
    table = pd.read_csv(comparison.save(tmp_path / "out.csv"))
    assert set(table["column"]) == set(comparison.names)
    assert comparison.save(tmp_path / "out.HTML").read_text("utf-8").startswith("<!doctype html>")
    for name in ("out.txt", "out"):
        with pytest.raises(ValueError, match=r"end it in \.html, \.json or \.csv, not '(\.txt|nothing)'"):
            comparison.save(tmp_path / name)
        assert not (tmp_path / name).exists()
    with pytest.raises(FileNotFoundError, match="no directory to write into"):
        comparison.save(tmp_path / "nowhere" / "out.html")


def test_thresholds_say_for_all_and_for_each_column_what_counts(july, profile_path, tmp_path):
    day = profile_path(JULY_8)
    before = sw.compare(july, day)
    scores = {name: before.columns[name].drift.score for name in before.drifted}
    limits = tmp_path / "limits.toml"
    limits.write_text("moderate = 1e6\n[columns.day]\nmoderate = 0.5\nstrong = 1\n[columns.hour]\nmoderate = inf\n")
    after = sw.compare(july, day, thresholds=limits)
    assert after.drifted == ("day",)
    assert {name: after.columns[name].drift.score for name in scores} == scores, "a score is what it is"
    assert sw.compare(july, day, thresholds={}).drifted == before.drifted
    stricter = sw.compare(july, day, thresholds={"strong": 1.0})
    assert {stricter.columns[name].drift.verdict for name in before.drifted} == {"strong"}


def test_the_text_says_what_is_unclear_and_why_and_a_distance_last():
    days = pd.date_range("2026-01-01", periods=5000, freq="h")
    before = pd.DataFrame(
        {"when": days, "temp": np.random.default_rng(1).normal(15, 4, 5000), "ok": [True, False] * 2500}
    )
    after = before.assign(temp=85.0, ok=[True] * 5000)
    text = sw.compare(before, after).to_text()
    assert re.fullmatch("2 of 3 columns drifted: .*; 1 unclear", text.splitlines()[0])
    assert re.search(r"when .*: unclear. whylogs keeps nothing of dates", text)
    assert re.search(r"temp .*strong, score [\d.]+\. The (mean moved|share of 85|standard deviation)", text)
    assert "The share of True went from 50 % to 100 %." in text or "The share of False went from 50 % to 0 %." in text


def test_the_headline_counts_what_was_compared_and_what_some_side_tells():
    before = pd.DataFrame({"x": range(1000), "y": ["a"] * 1000})
    after = pd.DataFrame({"id": range(1000)})
    assert sw.compare(a=before, b=after, columns=["x"]).to_text().startswith("None of 1 column drifted; 1 missing\n")
    text = sw.compare(a=before, b=before, c=before[:5], columns=["y"]).to_text()
    assert text.startswith("None of 1 column drifted; 1 unclear\n  y (c): unclear. Too few values")


def test_running_numbers_that_moved_are_named_where_the_verdict_is_said():
    before = pd.DataFrame({"id": range(500), "page": range(500), "ok": [True] * 500})
    result = sw.compare(a=before, b=before.assign(id=before["id"] + 500), c=before)
    said = "None of 3 columns drifted; 1 running number not judged: id"
    bundle = result._repr_mimebundle_()
    assert (repr(result), bundle["text/plain"]) == (f"<Comparison: {said}>", said)
    assert BeautifulSoup(bundle["text/html"], "html.parser").p.text == said
    assert sw.compare(before, before.assign(id=before["id"] - 500)).drifted == ("id",)


def test_the_headline_names_what_is_no_drift_and_yet_worth_knowing():
    codes = np.arange(400) % 7
    before = pd.DataFrame({"code": codes, "flag": codes > 3, "gone": None})
    after = before.assign(code=codes.astype(str), flag=(codes > 3).astype(int))
    said = "2 with another type: code (integral to string), flag (boolean to integral); 1 of nothing but nulls: gone"
    assert str(sw.compare(before, after)) == f"None of 3 columns drifted; {said}"
    assert str(sw.compare(before, before)) == "None of 3 columns drifted; 1 of nothing but nulls: gone"


def test_the_text_says_how_many_columns_it_leaves_out():
    before = pd.DataFrame({f"old {place}": range(300) for place in range(20)})
    lines = str(sw.compare(before, before.rename(columns=lambda name: f"new{name[3:]}"))).splitlines()
    assert (len(lines), lines[-1]) == (17, "  … 25 more columns drifted, came or went")


def test_infinite_values_are_said_where_little_else_can_be():
    values = np.random.default_rng(2).normal(size=500)
    text = str(sw.compare({"x": values}, {"x": np.where(np.arange(500) < 1, np.inf, values)}))
    assert "infinite values (0, and now 1)" in text


def test_profiles_of_one_name_are_told_apart():
    data = pd.DataFrame({"x": range(100)})
    assert len(set(sw.compare(data, data, P1=data).labels)) == 3
    assert len(set(sw.compare({1: data, "1": data}).labels)) == 2
    assert sw.compare({"": data, " ": data, "x": data}).labels == ("P1", "P2", "x")


@pytest.mark.parametrize("wrong", [0, None, ("a", "b")])
def test_columns_are_named_by_strings(wrong):
    with pytest.raises(TypeError, match="Columns are named by strings"):
        sw.compare([{"x": 1}], [{"x": 2}], columns=[wrong])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("moderat = 1", "limits.toml: there is no key 'moderat'. Allowed are moderate, strong and columns."),
        ("strong = 'x'", "limits.toml: strong is 'x'. Allowed is a number above 0"),
        ("strong = nan", "strong is 'nan'"),
        (f"strong = 1{'0' * 400}", "strong is an integer too large"),
        ("moderate = true", "moderate is 'True'"),
        ("moderate = 3\nstrong = 2", "strong is 2, less than moderate, 3"),
        ("[columns]\nday = 3", "[columns.'day'] is no table"),
        ("[columns.day]\nstong = 3", "[columns.'day']: there is no key 'stong'. Allowed are moderate and strong."),
        ("[columns.dya]\nstrong = 3", "No profile has a column called 'dya'"),
        ("moderate = ", "limits.toml is no TOML"),
    ],
)
def test_thresholds_that_are_wrong_name_the_key_and_what_is_allowed(july, tmp_path, content, said):
    limits = tmp_path / "limits.toml"
    limits.write_text(content)
    with pytest.raises(ThresholdsError, match=re.escape(said)):
        sw.compare(july, july, thresholds=limits)


@pytest.mark.parametrize("wrong", [2, 1.5, True, ["moderate"], b"limits.toml"])
def test_thresholds_of_another_type_are_refused_with_what_is_allowed(wrong):
    said = f"Thresholds are of type {type(wrong).__name__}. Allowed are a mapping"
    with pytest.raises(ThresholdsError, match=re.escape(said)):
        sw.compare(a={"x": [1]}, b={"x": [2]}, thresholds=wrong)


def test_thresholds_in_a_directory_are_refused_with_what_is_allowed(tmp_path):
    with pytest.raises(ThresholdsError, match=r"is a directory\. Allowed is the path of a TOML file\."):
        sw.compare(a={"x": [1]}, b={"x": [2]}, thresholds=tmp_path)


def test_performance_metrics_are_shown_as_what_they_are(profile_path, tmp_path):
    comparison = sw.compare(profile_path("version0/new-classification.bin"))
    matrix = comparison.to_dict()["profiles"][0]["performance"]["confusion_matrix"]
    html = comparison.save(tmp_path / "report.html").read_text("utf-8")
    assert matrix["total"] == sum(map(sum, matrix["counts"]))
    assert f"{matrix['total']:,} predictions, accuracy" in html
    assert "is empty" not in html


def test_a_model_that_became_worse_is_said_wherever_columns_are(tmp_path):
    sides = {
        name: replace(
            sw.profile({"x": [1.5] * 100}),
            performance=Performance(ConfusionMatrix(("no", "yes"), np.array([[right, 1000 - right], [0, 0]]))),
        )
        for name, right in (("january", 900), ("july", 800))
    }
    compared = sw.compare(**sides)
    assert compared.to_dict()["performanceDrift"]["P2"]["verdict"] == "strong"
    html = compared.save(tmp_path / "report.html").read_text("utf-8")
    for shown in (str(compared), html, compared._repr_mimebundle_()["text/html"]):
        assert "The accuracy went from 90 % to 80 %." in shown


ROWS = [{"price": price % 20, "country": "DE"} for price in range(400)]


def test_a_comparison_prints_as_what_it_says():
    moved = [{**row, "price": row["price"] * 3} for row in ROWS]
    result = sw.compare(january=ROWS, july=moved)
    assert str(result) == result.to_text() != repr(result)


def test_columns_restrict_what_is_compared_and_unknown_ones_are_refused(july, profile_path):
    result = sw.compare(july, profile_path(JULY_8), columns=["hour", "day"])
    assert result.names == ("day", "hour")
    assert result.drifted == ("day",)
    assert set(result.to_pandas().index.get_level_values("column")) == {"day", "hour"}
    assert sw.compare([{"a": 1}] * 9, [{"b": 1}] * 9, columns=["a"]).columns["a"].drift.verdict == "missing"
    with pytest.raises(sw.ProfileError, match="No profile has a column called nobody, nothing"):
        sw.compare(july, july, columns=["day", "nothing", "nobody"])
    with pytest.raises(TypeError, match="a list of names"):
        sw.compare(july, july, columns="day")


def test_files_of_one_name_are_called_by_the_folders_that_tell_them_apart(tmp_path, july):
    content = july.read_bytes()
    for folder in ("train/eu", "today/eu", "today/us"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "data.bin").write_bytes(content)
    train, today, other = (tmp_path / folder / "data.bin" for folder in ("train/eu", "today/eu", "today/us"))
    assert sw.compare(train, today, other).labels == ("train/eu/data", "today/eu/data", "us/data")
    assert sw.compare(str(train), str(train)).labels == ("data (P1)", "data (P2)")


def test_a_warning_names_the_data_set_and_points_to_the_caller(tmp_path):
    (tmp_path / "twice.csv").write_text("a,a,b\n1,2,3\n")
    wide = [{"b": 1, "wide": 1 << 70}]
    for data, name in ((wide, "now"), (tmp_path / "twice.csv", "now")):
        with pytest.warns(UserWarning, match=f"^{name}: .*Not in the profile: column") as seen:
            sw.compare(before=[{"b": 1}], now=data)
        assert [warning.filename for warning in seen] == [__file__]


def test_public_names_are_all_that_the_package_offers():
    assert {name for name in dir(sw) if not name.startswith("__")} == set(sw.__all__) - {"__version__"}


def test_a_column_of_addresses_lists_none_of_them_as_frequent(tmp_path):
    random = np.random.default_rng(0)
    mails = [[f"user{i}@example.org" for i in random.integers(low, low + 5_000, 20_000)] for low in (0, 2_000)]
    kinds = random.choice(["red", "green"], 20_000)
    before, after = ({"mail": each, "kind": kinds} for each in mails)
    report = sw.compare(before, after).save(tmp_path / "report.html").read_text()
    listed = BeautifulSoup(report, "html.parser")
    assert not [cell for cell in listed.select("table.sheet th") if "@" in cell.text]
    assert "none of them frequent: each makes up" in listed.text
    assert [cell.text for cell in listed.select("table.sheet tbody th") if cell.text in {"red", "green"}]

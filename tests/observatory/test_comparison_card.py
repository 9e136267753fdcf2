"""`compare` gives a verdict that shows itself in a cell, with no server and no script."""

from __future__ import annotations

import json

import pytest

import songbird_widgets as sw

JULY, JULY_8 = "reference-july.bin", "batch-2013-07-08.bin"


@pytest.fixture
def july(profile_path):
    return profile_path(JULY)


def test_the_headline_names_what_drifted_most_first(july, profile_path):
    comparison = sw.compare(july, profile_path(JULY_8))
    drifted = comparison.drifted
    assert drifted[0] == "day"
    assert repr(comparison).startswith(f"<Comparison: {len(drifted)} of 16 columns drifted: day, ")
    scores = [comparison.columns[name].drift.score for name in drifted]
    assert scores == sorted(scores, reverse=True)


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


def test_files_of_data_are_profiled_and_compared(july, tmp_path):
    old, new, parts = tmp_path / "old.csv", tmp_path / "new.jsonl", str(tmp_path / "part-*.csv")
    old.write_text("price\n" + "".join(f"{price}\n" for price in range(500)))
    new.write_text("".join(json.dumps({"price": 3 * price}) + "\n" for price in range(500)))
    for number in range(2):
        (tmp_path / f"part-{number}.csv").write_text("price\n" + "".join(f"{x}\n" for x in range(number, 500, 2)))
    compared = sw.compare(old, new, str(old))
    assert compared.labels == ("old", "new", "old")
    assert compared.drifted == ("price",)
    parted = sw.compare(a=old, b=parts)
    assert [side.column("price").counts.n for side in parted.sides] == [500, 500]
    assert parted.drifted == ()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(sw.ProfileError, match=r"broken\.parquet cannot be read"):
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
    assert data["columns"][0]["name"] == "day"
    assert json.dumps(data, allow_nan=False)


def test_performance_metrics_are_shown_as_what_they_are(profile_path, tmp_path):
    comparison = sw.compare(profile_path("version0/new-classification.bin"))
    matrix = comparison.to_dict()["profiles"][0]["performance"]["confusion_matrix"]
    html = comparison.save(tmp_path / "report.html").read_text("utf-8")
    assert matrix["total"] == sum(map(sum, matrix["counts"]))
    assert f"{matrix['total']:,} predictions, accuracy" in html
    assert "is empty" not in html

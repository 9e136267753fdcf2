"""Profiles of many columns: helper processes look at them, and nothing depends on there being any."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from bs4 import BeautifulSoup

from songbird_widgets.observatory.survey import Surveyors, look
from songbird_widgets.profiles import column_statistics, compare_profiles, read_profile


@pytest.fixture(scope="module")
def expected(wide_files):
    return compare_profiles(*map(read_profile, wide_files))


@pytest.fixture
def files(wide_files, tmp_path):
    paths = [tmp_path / "1.bin", tmp_path / "2.bin"]
    for path, data in zip(paths, wide_files, strict=True):
        path.write_bytes(data)
    return [[path] for path in paths]


@pytest.fixture
def surveyors():
    made = Surveyors()
    yield made
    made.close()


def soup(response):
    return BeautifulSoup(response.text, "html.parser")


def test_the_first_page_comes_uncounted_and_the_next_one_counted(wide, expected):
    guest, names = wide
    page = soup(guest.page(*names))
    assert page.select_one(".summary[data-counting] a").text == "Find what drifted from wide 1"
    assert len(page.select("table.columns tbody")) == 50
    counted = soup(guest.page(*names, count="all"))
    drifted = sum(drift.drifted for drift in expected.values())
    assert counted.select_one(".summary strong").text == f"{drifted} of 400 columns"
    assert soup(guest.page(*names)).select_one(".summary") == counted.select_one(".summary")
    assert "data-counting" not in str(counted)


def test_all_columns_are_sorted_by_drift(wide, expected):
    guest, names = wide
    data = guest.json(*names, sort="drift", order="desc", limit=400)
    scores = [expected[column["name"]].score for column in data["columns"]]
    assert len(scores) == 400
    assert scores == sorted(scores, reverse=True)
    assert [column["drift"]["P2"]["score"] for column in data["columns"]] == scores


def test_all_columns_are_sorted_and_filtered_by_what_they_hold(wide, wide_files):
    guest, names = wide
    profile = read_profile(wide_files[0])
    known = {name: column_statistics(profile.column(name)) for name in profile.column_names}
    shown = guest.json(*names, sort="mean", order="desc", type="integral", limit=400)["columns"]
    means = [known[column["name"]].mean for column in shown]
    assert means == sorted(means, reverse=True)
    assert len(means) == sum(one.inferred_type == "integral" for one in known.values())


def test_helpers_find_what_is_found_here(surveyors, files, expected):
    names = sorted(expected)
    for what in ("marks", "facts"):
        assert surveyors.begin(what, lambda what=what: surveyors.look(files, names, what)).result() == look(
            files, names, what
        )
    found = look(files, names, "marks")
    assert {name: mark.verdict for name, (mark,) in found.items()} == {
        name: drift.verdict for name, drift in expected.items()
    }


def test_a_killed_helper_is_done_without_and_replaced(surveyors, files, expected):
    names = sorted(expected)
    whole = surveyors.look(files, names, "marks")
    helpers = list(surveyors._helpers)
    for helper in helpers:
        helper.kill()
        helper.wait()
    assert surveyors.look(files, names, "marks") == whole
    assert surveyors.look(files, names, "marks") == whole
    assert not {helper.pid for helper in helpers} & {helper.pid for helper in surveyors._helpers}


def test_without_helpers_it_works_all_the_same(surveyors, files, expected, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    assert len(surveyors.look(files, sorted(expected), "marks")) == 400
    assert surveyors._helpers == []


def test_a_file_that_went_away_is_an_error_and_no_hang(surveyors, files, expected, capfd):
    files[1][0].unlink()
    with pytest.raises(FileNotFoundError):
        surveyors.look(files, sorted(expected), "marks")
    assert "FileNotFoundError" in capfd.readouterr().err  # the helper's own, in the service's log


PARENT = """
from songbird_widgets.observatory.survey import Surveyors
surveyors = Surveyors()
surveyors.start()
print(*(helper.pid for helper in surveyors._helpers), flush=True)
input()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_helpers_do_not_outlive_a_killed_parent():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        helpers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while any(map(alive, helpers)):
        assert time.monotonic() < end, "a helper is still there"
        time.sleep(0.05)
    assert helpers


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_counts_follow_on_the_page(browser, wide):
    guest, names = wide
    page = browser.new_page()
    page.goto(guest.url(*names))
    page.wait_for_selector(".summary strong[class^=drift]")
    assert page.locator("nav[aria-label=Filters] .chip", has_text="Drifted").locator("b").count() == 1
    page.close()


def test_what_nobody_waits_for_is_not_queued(surveyors):
    hold = threading.Event()
    first = surveyors.begin("first", hold.wait)
    assert surveyors.begin("ahead", dict, ahead=True) is None
    assert surveyors.begin("first", dict) is first
    second = surveyors.begin("second", lambda: "made")
    hold.set()
    assert second.result() == "made"


def test_the_end_waits_for_no_survey(files, expected):
    surveyors = Surveyors()
    surveyors.start()
    for helper in surveyors._helpers:
        helper.send_signal(signal.SIGSTOP if os.name != "nt" else signal.SIGTERM)
    under_way = surveyors.begin("first", lambda: surveyors.look(files, sorted(expected), "marks"))
    waiting = surveyors.begin("second", dict)
    while not under_way.running():
        time.sleep(0.01)
    surveyors.close()
    assert waiting.cancelled()
    assert isinstance(under_way.exception(), (EOFError, OSError))
    assert surveyors._helpers == []

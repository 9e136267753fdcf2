"""A dataset over time: each day says what comparing it says, and many days raise no false alarm."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from songbird_widgets.profiles import ProfileError, compare_profiles, profile, read_profile, summarize
from songbird_widgets.profiles.statistics import column_statistics
from songbird_widgets.profiles.trends import FIGURES, VERDICTS, DayComparison, Trends, compare_days

EXAMPLES = Path(__file__).parents[2] / "examples" / "profiles"
DATA = Path(__file__).parent / "data"


@cache
def read(name):
    path = EXAMPLES / name
    return summarize(read_profile(path if path.exists() else DATA / name))


def day_of(seed, columns=6, rows=400, **changed):
    """A profile of numbers, integers, texts and nulls of one distribution, but for what is changed."""
    random = np.random.default_rng(seed)
    data = {}
    for number in range(columns):
        kind = number % 4
        if kind == 0:
            values = random.normal(10, 2, rows)
        elif kind == 1:
            values = random.integers(0, 1000, rows)
        elif kind == 2:
            values = random.choice(["red", "green", "blue"], rows)
        else:
            values = np.where(random.random(rows) < 0.2, np.nan, random.exponential(3, rows))
        data[f"c{number:02}"] = values
    for name, change in changed.items():
        data[name] = change(data[name])
    return summarize(profile(data))


def said_of(day):
    return {
        name: (VERDICTS[code], float(score))
        for name, code, score in zip(day.names, day.verdicts, day.scores, strict=True)
    }


def by_comparing(baseline, day):
    comparison = compare_profiles([baseline, day])
    return {name: (verdict, comparison.precedence(name)[1]) for name, verdict in comparison.verdicts(1).items()}


def test_each_day_says_what_comparing_it_says():
    flights = [read(f"batch-2013-07-{day:02}.bin") for day in range(8, 15)]
    odd = [read(path.name) for path in sorted(DATA.glob("*.bin"))]
    small = day_of(1, rows=20)
    days = [*flights, *odd, small, read("reference-first-quarter.bin")]
    for baseline in (read("reference-july.bin"), odd[0], small):
        compared = compare_days(baseline, days)
        assert len(compared) == len(days)
        for one, day in zip(compared, days, strict=True):
            assert said_of(one) == by_comparing(baseline, day)


def test_figures_and_reasons_are_those_of_the_comparison():
    baseline, day = read("reference-july.bin"), read("reference-first-quarter.bin")
    one, _ = compare_days(baseline, [day, baseline])
    comparison = compare_profiles([baseline, day])
    assert one.rows == day.rows
    for place, name in enumerate(one.names):
        statistics = column_statistics(day.column(name))
        known = [getattr(statistics, figure) for figure in FIGURES]
        assert [None if np.isnan(value) else value for value in one.figures[:, place]] == pytest.approx(known)
        drift = comparison.drift(name)[1]
        assert one.reasons.get(place, "") == (" ".join(drift.reasons)[:300] if drift.drifted else "")


def test_what_is_kept_of_a_day_is_read_again_unless_it_is_damaged():
    (one,) = compare_days(read("reference-july.bin"), [read("batch-2013-07-08.bin")])
    content = one.to_bytes()
    again = DayComparison.from_bytes(content)
    assert said_of(again) == said_of(one)
    assert again.reasons == one.reasons
    places = (9, 30, len(content) // 2, len(content) - 1)
    changed = [content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :] for place in places]
    for damaged in (b"", content[:-1], content[:40], b"x" + content[1:], content + b"\0", *changed):
        with pytest.raises(ProfileError):
            DayComparison.from_bytes(damaged)


@pytest.fixture(scope="module")
def months():
    """A baseline, and 60 days of 30 columns of the same distributions."""
    return day_of(0, 30, 2_000), [day_of(seed, 30) for seed in range(1, 61)]


@pytest.mark.slow
def test_drift_planted_on_one_of_many_days_is_the_first_column_and_names_the_day(months):
    baseline, days = months
    planted = [*days[:42], day_of(63, 30, c20=lambda values: values + 4), *days[43:]]
    trends = Trends(compare_days(baseline, planted))
    first = int(trends.order[0])
    assert trends.names[first] == "c20"
    assert trends.episode(first) == (42, 42, None, 1, 42)
    assert trends.drifted.sum() == 1
    assert "mean moved from 9.977 to 14.14" in trends.reason(first, 42)


@pytest.mark.slow
def test_equal_days_show_no_drift(months):
    baseline, days = months
    trends = Trends(compare_days(baseline, days))
    assert not trends.changed.any()
    assert not trends.uncertain.any()


def test_a_drift_that_is_certain_alone_and_not_among_many_is_uncertain():
    baseline = day_of(0, 1, 300)
    shifted = next(
        day
        for day in (day_of(1, 1, 150, c00=lambda values, by=by: values + by) for by in np.arange(0.6, 1.2, 0.02))
        if said_of(compare_days(baseline, [day])[0])["c00"][0] == "moderate"
    )
    equal = [day_of(seed, 1, 300) for seed in range(2, 60)]
    trends = Trends(compare_days(baseline, [*equal, shifted]))
    assert trends.uncertain[0, -1]
    assert not trends.drifted.any()


def test_days_with_few_rows_say_that_they_cannot_tell():
    enough = [day_of(seed, rows=5_000) for seed in range(3)]
    trends = Trends(compare_days(enough[0], [enough[1], day_of(4, rows=8), enough[2]]))
    assert {VERDICTS[code] for code in trends.verdicts[:, 1]} == {"unknown"}
    assert {VERDICTS[code] for code in trends.verdicts[:, 0]} == {"none"}


def test_an_episode_goes_on_over_days_that_cannot_tell():
    def shift(values):
        return values + 5

    quiet, drifted = [day_of(seed, 2, 2_000) for seed in (1, 2)], [day_of(seed, 2, c00=shift) for seed in (3, 4, 5)]
    days = [quiet[0], drifted[0], quiet[1], drifted[1], day_of(6, 2, rows=8), drifted[2]]
    trends = Trends(compare_days(day_of(0, 2, 2_000), days))
    assert trends.episode(trends.names.index("c00")) == (1, 5, 3, 3, 1)
    assert trends.began(trends.names.index("c00")) == 3, "the drift of the first day passed"
    assert trends.episode(trends.names.index("c01")) is None
    assert trends.began(trends.names.index("c01")) is None


def test_columns_that_only_tell_the_date_follow_what_drifted_as_on_the_page_of_two_profiles():
    random = np.random.default_rng(7)

    def on(day, shift=0.0, gone=0):
        values = {
            "amount": random.normal(shift, 1, 800),
            "day": np.full(800, day),
            "month": np.where(np.arange(800) < gone, np.nan, 7.0 + day // 31),
            "quiet": random.normal(size=800),
        }
        return summarize(profile(values))

    baseline, days = on(1), [on(2), on(40), on(41, shift=0.7), on(5, gone=400)]
    trends = Trends([DayComparison.from_bytes(day.to_bytes()) for day in compare_days(baseline, days)])
    assert [trends.names[place] for place in trends.order] == ["month", "amount", "day", "quiet"]
    assert [trends.names[place] for place in np.flatnonzero(trends.calendar)] == ["day"]
    told = {name: trends.told[place].tolist() for place, name in enumerate(trends.names)}
    assert told["day"] == [True, True, True, True]
    assert told["month"] == [False, True, True, False]
    for place, day in enumerate(days):
        calendar = compare_profiles([baseline, day]).calendar
        assert calendar == {name for name in trends.names if told[name][place]}


def test_columns_that_come_and_go_are_told_from_drifts_and_follow_them():
    random = np.random.default_rng(5)
    base = summarize(
        profile({"a": random.normal(size=500), "b": random.normal(size=500), "c": random.normal(size=500)})
    )
    first = summarize(profile({"a": random.normal(size=500), "c": random.normal(size=500)}))
    second = summarize(profile({name: random.normal(4 * (name == "c"), 1, 500) for name in "abcd"}))
    trends = Trends([*compare_days(base, [first]), None, *compare_days(base, [second])])
    assert [trends.names[place] for place in trends.order] == ["c", "b", "d", "a"]
    assert [VERDICTS[code] for code in trends.verdicts[1]] == ["missing", "unknown", "none"]
    assert trends.known.tolist() == [True, False, True]

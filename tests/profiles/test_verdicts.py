"""Verdicts on data whose truth is known, made into profiles and compared."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from songbird_widgets.profiles import (
    MEASURES,
    Column,
    ConfusionMatrix,
    Counts,
    DistinctEstimate,
    FrequentItemsSketch,
    Performance,
    ProfileError,
    RegressionMetrics,
    Types,
    column_statistics,
    compare_columns,
    compare_profiles,
    merge_profiles,
    profile,
    read_profile,
    summarize,
    weigh_each,
)
from songbird_widgets.profiles.drift import Drifts
from songbird_widgets.profiles.evidence import from_to, from_to_percent, value_effects
from songbird_widgets.profiles.performance_drift import compare_performance
from songbird_widgets.profiles.version1_writer import write_version_1


def drift_of(before, after):
    first, second = (profile({"x": np.asarray(values)}) for values in (before, after))
    return compare_columns(first.column("x"), second.column("x"))


def verdicts_alone(first, second):
    """The verdict on each column of two profiles as if they had no others: what `compare_columns` says, but at once."""
    sides = [summarize(side) for side in (first, second)]
    (evidence,) = weigh_each(sides[0], sides[1:])
    return [
        Drifts(*sides, [name], evidence.part(place, place + 1)).verdict(name)
        for place, name in enumerate(sides[0].names)
    ]


def verdicts_of_pairs(pairs):
    return verdicts_alone(*(profile({str(place): pair[side] for place, pair in enumerate(pairs)}) for side in (0, 1)))


@pytest.fixture
def random():
    return np.random.default_rng(20_24)


def amounts(random, n):
    return np.round(random.lognormal(3, 1, n), 2)


def ages(random, n):
    return np.clip(random.normal(40, 15, n), 0, 99).astype(int)


# --- tails


def test_two_percent_of_the_amounts_in_cents_are_seen_in_mean_and_spread(random):
    after = amounts(random, 20_000)
    after[:400] *= 100
    found = drift_of(amounts(random, 20_000), after)
    assert found.verdict == "strong"
    assert "The mean moved" in " ".join(found.reasons)
    assert "The standard deviation went" in " ".join(found.reasons)
    assert found.js_distance < 0.1  # the deciles are where they were


@pytest.mark.parametrize("which", ["both sides", "above", "below"])
def test_one_percent_of_outliers_is_a_drift_and_so_is_their_end(random, which):
    plain, tailed = random.normal(size=20_000), random.normal(size=20_000)
    far = 100 * random.normal(size=200)
    tailed[:200] = {"both sides": far, "above": np.abs(far), "below": -np.abs(far)}[which]
    assert drift_of(plain, tailed).verdict == "strong"
    assert drift_of(tailed, plain).verdict == "strong"


@pytest.mark.parametrize("sentinel", [-999, 9999])
def test_sentinels_are_found_or_said_to_be_uncertain(random, sentinel):
    for n, verdicts in ((20_000, {"strong"}), (1000, {"strong", "moderate", "unknown"})):
        after = ages(random, n)
        after[: n // 100] = sentinel
        assert drift_of(ages(random, n), after).verdict in verdicts
    both = [np.append(ages(random, 9900), np.full(100, sentinel)) for _ in range(2)]
    assert drift_of(*both).verdict == "none"


@pytest.mark.parametrize(
    "draw",
    [
        lambda random, n: random.pareto(1, n),
        lambda random, n: random.lognormal(0, 2, n),
        lambda random, n: random.standard_cauchy(n),
        lambda random, n: random.standard_t(2, n),
    ],
    ids=["Pareto", "lognormal", "Cauchy", "t"],
)
def test_equal_heavy_tails_never_drift_and_their_moments_are_called_uncertain(random, draw):
    found = [drift_of(draw(random, n), draw(random, m)) for n, m in ((5000, 5000), (300, 20_000)) for _ in range(5)]
    assert not any(drift.drifted for drift in found)
    unknown = [drift for drift in found if drift.verdict == "unknown"]
    assert all("chance" in drift.reasons[0] for drift in unknown)


@pytest.mark.slow
def test_heavy_tails_do_not_hide_that_the_middle_moved():
    random = np.random.default_rng([99, 13])
    pairs = [(random.standard_cauchy(2000), 2 + random.standard_cauchy(2000)) for _ in range(40)]
    assert verdicts_of_pairs(pairs).count("strong") == 40


# --- numbers have a distance


def test_numbers_that_hardly_moved_did_not_drift_though_none_is_the_same(random):
    for many in (200, 8):
        tens = 10 * random.integers(0, many, (2, 8000))
        found = drift_of(tens[0], tens[1] - 1)
        assert found.verdict == "none"
        assert found.wasserstein < 0.1


def test_clock_times_are_numbers(random):
    times = (5 * random.integers(60, 270, (2, 20_000))).astype(int)
    assert drift_of(*times).verdict == "none"
    assert drift_of(times[0], times[1] + 3).verdict == "none"
    assert drift_of(times[0], times[1] + 180).verdict == "strong"


def test_a_constant_that_moves_is_a_drift_unless_by_rounding():
    assert drift_of(np.full(500, 7.0), np.full(300, 7.5)).verdict == "strong"
    assert drift_of(np.full(500, 0.1), np.full(300, np.nextafter(0.1, 1))).verdict == "none"


def test_numbers_far_from_zero_are_compared_by_what_doubles_tell_apart(random):
    noise = random.normal(0, 1000, (2, 2000))
    for before, after in ((noise[0], 2 * noise[1]), (2 * noise[0], noise[1]), (noise[0], noise[1] + 2000)):
        assert drift_of(1e15 + before, 1e15 + after).verdict == "strong"
    assert drift_of(*(1e15 + noise)).verdict == "none"


def test_codes_that_change_their_shares_are_a_drift(random):
    before, after = random.choice(12, 3000), random.choice(12, 3000, p=np.tile([0.5, 1.5], 6) / 12)
    assert drift_of(before, after).drifted


@pytest.mark.parametrize("n", [1000, 20_000])
@pytest.mark.parametrize("share", [0.01, 0.02])
def test_a_sentinel_is_no_part_of_a_wide_range(random, n, share):
    for plain in (random.uniform(0, 2000, (2, n)), random.lognormal(5, 2, (2, n))):
        after = np.where(random.random(n) < share, -999, plain[1])
        assert drift_of(plain[0], after).verdict != "none"
        assert drift_of(after, plain[0]).verdict != "none"
        assert not drift_of(*plain).drifted


def test_values_that_begin_to_repeat_are_not_said_to_be_equal(random):
    every = random.permutation(100_000)
    before, same, after = every[:5000], every[5000:10_000], every[:500][random.integers(0, 500, 5000)]
    assert drift_of(before, same).verdict == "none"
    found = drift_of(before, after)
    assert (found.verdict, found.reasons[0].startswith("Values repeat differently: about 5,0")) == ("unknown", True)
    assert drift_of(random.integers(0, 1000, 20_000), random.integers(0, 1000, 2000)).verdict == "none"
    thousand = np.arange(1000) * 1000  # of which by chance two thirds are drawn
    assert drift_of(thousand, thousand[random.integers(0, 1000, 1000)]).verdict == "unknown"


def test_a_minus_one_at_the_edge_of_the_range_is_no_drift(random):
    before = random.integers(0, 100, 20_000) * 10
    assert drift_of(before, before - 1).verdict == "none"


@pytest.mark.parametrize("scale", [1e200, 1e300, 1e-300])
def test_a_tail_that_the_moments_cannot_hold_is_unknown(random, scale):
    before, after = random.normal(size=(2, 5000)) * scale
    after[:100] *= 100
    found = drift_of(before, after)
    assert found.verdict == "unknown"
    assert "tail" in found.reasons[0]


def test_a_tail_beside_infinite_values_is_unknown_and_what_moved_among_them_is_found(random):
    before, after = random.normal(size=(2, 5000))
    before[:50] = after[:50] = np.inf
    tailed = np.where(np.arange(5000) < 150, after * 1000, after)
    assert drift_of(before, tailed).verdict == "unknown"
    low, high = np.where(np.arange(5000) < 500, -np.inf, before), np.where(np.arange(5000) < 500, np.inf, before)
    assert drift_of(low, high).verdict == "strong"


def test_long_texts_that_begin_alike_are_not_said_to_be_equal():
    before, after = (np.array(["x" * 130 + end for end in ends * 500], object) for ends in ("ab", "cd"))
    assert drift_of(before, after).verdict == "unknown"
    assert drift_of(before, np.array(["y" * 130] * 1000, object)).verdict == "strong"


def test_four_points_of_a_flag_are_a_drift(random):
    before, after, same = (random.random(10_000) < share for share in (0.3, 0.36, 0.3))
    assert drift_of(before, after).verdict == "moderate"
    assert drift_of(before.astype(int), after.astype(int)).verdict == "moderate"
    assert drift_of(before, same).verdict == "none"


# --- single values


def replaced(random, values, share, value):
    return np.where(random.random(len(values)) < share, value, values)


def of(random, values, shares, n=5000):
    return np.array(values)[random.choice(len(values), n, p=np.array(shares) / sum(shares))]


SINGLE_VALUES = {
    "sentinels within the range of amounts": lambda r: (
        r.lognormal(5, 2, 5000),
        replaced(r, r.lognormal(5, 2, 5000), 0.02, 9999),
    ),
    "zeros among amounts": lambda r: (r.exponential(size=5000), replaced(r, r.exponential(size=5000), 0.03, 0)),
    "zeros among few zeros": lambda r: (
        replaced(r, r.exponential(size=5000), 0.8, 0),
        replaced(r, r.exponential(size=5000), 0.88, 0),
    ),
    "a row that repeats itself": lambda r: (r.normal(size=5000), replaced(r, r.normal(size=5000), 0.05, 0.5)),
    "a heap that vanished": lambda r: (replaced(r, r.normal(size=5000), 0.04, 0.5), r.normal(size=5000)),
    "a rare flag": lambda r: (r.random(5000) < 0.01, r.random(5000) < 0.035),
    "a rare word": lambda r: (of(r, list("abc"), [1, 50, 49]), of(r, list("abc"), [4, 48, 48])),
    "a new word": lambda r: (of(r, list("ab"), [1, 1]), of(r, list("abc"), [49, 49, 2])),
    "a lost word": lambda r: (of(r, list("abc"), [49, 49, 2]), of(r, list("ab"), [1, 1])),
    "neighbouring codes": lambda r: (of(r, range(20), [8, 4] * 10), of(r, range(20), [4, 8] * 10)),
    "codes beyond 2**53": lambda r: (2**60 + of(r, range(3), [6, 3, 1]), 2**60 + of(r, range(3), [1, 3, 6])),
    "case": lambda r: (of(r, ["Oslo", "Bergen"], [6, 4]), of(r, ["Oslo", "Bergen", "oslo"], [57, 40, 3])),
    "nulls that became empty": lambda r: (
        np.where(r.random(5000) < 0.1, None, "a"),
        np.where(r.random(5000) < 0.1, "", "a").astype(object),
    ),
}


@pytest.mark.parametrize("name", SINGLE_VALUES)
def test_the_share_of_a_single_value_is_minded(random, name):
    before, after = SINGLE_VALUES[name](random)
    assert drift_of(before, after).drifted
    assert not drift_of(before, random.permutation(before)).drifted


def test_a_handful_of_sentinels_among_amounts_is_suspicious(random):
    for share in (0.005, 0.01, 0.02):
        after = random.lognormal(5, 2, 1000)
        after[: int(share * 1000)] = 9999
        assert drift_of(random.lognormal(5, 2, 1000), after).verdict != "none"


def test_a_change_that_chance_may_make_is_unknown_and_named():
    found = drift_of(*(np.arange(1000) < many for many in (10, 30)))
    assert found.verdict == "unknown"
    assert found.reasons[0].startswith("The share of True went from 1 % to 3 %, but ")
    rows = int(re.search(r"\(about ([\d,]+) rows in each would tell\)", found.reasons[0])[1].replace(",", ""))
    assert drift_of(*(np.arange(rows) < many * rows // 1000 for many in (10, 30))).verdict == "moderate"
    assert drift_of(*(np.arange(rows) < 10 * rows // 1000 for _ in range(2))).verdict == "none"


def test_running_numbers_are_compared_by_all_but_their_values(random):
    found = drift_of(np.arange(3000), np.arange(3000, 9000))
    assert (found.verdict, found.score) == ("none", 0)
    assert any("running number" in note for note in found.reasons)
    assert drift_of(np.arange(3000, 9000), np.arange(3000)).verdict == "none", "whichever was first"
    assert drift_of(np.arange(3000), np.arange(-3000, 0)).verdict == "strong", "none changes its sign"
    assert drift_of(np.arange(-3000, 0), np.arange(3000)).verdict == "strong"
    holes = np.where(random.random(6000) < 0.2, None, np.arange(3000, 9000))
    assert drift_of(np.arange(3000), holes).verdict == "strong"
    assert drift_of(random.integers(0, 3000, 3000), 3000 + random.integers(0, 3000, 3000)).verdict == "strong"


def order_lines(random, first, many):
    """The order number of each line item: every order has one to eight."""
    return np.repeat(np.arange(first, first + many), random.integers(1, 9, many))


def test_order_numbers_in_line_items_run_on_from_month_to_month(random):
    for first, many, later in ((5000, 1000, 1100), (100_000, 10_000, 9000), (2_000_000, 250, 240)):
        months = order_lines(random, first, many), order_lines(random, first + many, later)
        for before, after in (months, months[::-1]):
            found = drift_of(before, after)
            assert (found.verdict, found.score) == ("none", 0)
            assert any("running number" in reason for reason in found.reasons)
    assert drift_of(months[0], np.where(random.random(len(months[1])) < 0.2, None, months[1])).verdict == "strong"


def test_numbers_that_repeat_and_moved_do_not_run_on(random):
    orders = order_lines(random, 5000, 1000)
    pairs = {
        "scores": (random.integers(0, 500, 3000), random.integers(500, 1000, 3000)),
        "minutes of the day": (random.integers(0, 720, 4000), random.integers(720, 1440, 4000)),
        "years": (random.integers(1900, 1950, 2000), random.integers(1950, 2000, 2000)),
        "ports": (random.integers(1024, 32_768, 5000), random.integers(32_768, 61_000, 5000)),
        "not even": tuple(random.triangular(low, low + 500, low + 1000, 8000).astype(int) for low in (2000, 3000)),
        "an overlap": (orders, order_lines(random, 5600, 1000)),
        "far on": (orders, order_lines(random, 50_000, 1000)),
        "one heap": (orders, np.append(order_lines(random, 6000, 1000), np.full(200, 6500))),
        "a sentinel": (orders, np.append(order_lines(random, 6000, 1000), np.zeros(100, int))),
        "fractions": (orders + 0.5, order_lines(random, 6000, 1000) + 0.5),
    }
    assert {name: drift_of(*pair).verdict for name, pair in pairs.items()} == dict.fromkeys(pairs, "strong")


def test_what_changed_by_too_little_to_count_is_noted_with_its_size(random):
    values = random.normal(0, 1, 20_000)
    found = drift_of(values, values + 0.1)
    assert (found.verdict, found.reasons) == ("none", ())
    assert f"The distributions are {found.js_distance:.2g} apart (Jensen-Shannon)." in found.notes
    assert any(note.startswith("The mean moved from ") for note in found.notes)


def test_identifiers_that_begin_to_repeat_are_said_to(random):
    once, again = (np.array([f"id{value:07}" for value in random.integers(0, most, 20_000)]) for most in (10**7, 5_000))
    found = drift_of(once, again)
    assert found.verdict == "unknown"
    different = re.match(r"Values repeat differently: about ([\d,]+) of 20,000 were different", found.reasons[0])
    assert different, found.reasons
    assert int(different[1].replace(",", "")) <= 20_000, "an estimate is no more than there are values"


def test_whole_numbers_that_doubles_cannot_tell_apart_are_unknown(random):
    found = drift_of(*(2**60 + random.integers(0, 100_000, (2, 2000))))
    assert (found.verdict, "last digits" in found.reasons[0]) == ("unknown", True)
    assert drift_of(np.full(500, 2**60), np.full(500, 2**60 + 1)).verdict == "strong"
    assert drift_of(np.full(500, 2**60 + 1), np.full(500, 2**60 + 1)).verdict == "none"
    wide, moved = (2**60 + shift + random.integers(0, 10**9, 2000) for shift in (0, 10**9))
    assert drift_of(wide, moved).verdict == "strong"


def test_dates_are_said_to_be_dates(random):
    start = np.datetime64("2024-01-01", "s")
    days = [start + (shift + random.integers(0, 86_400, 2000)).astype("m8[s]") for shift in (0, 864_000)]
    texts = drift_of(*(day.astype(str).astype(object) for day in days))
    assert (texts.verdict, "dates" in texts.reasons[0]) == ("unknown", True)
    objects = drift_of(*days)
    assert (objects.verdict, "dates" in objects.reasons[0]) == ("unknown", True)


def test_what_moved_is_written_with_as_many_digits_as_tell_it_apart(random):
    tight = 1 + 1e-7 * random.normal(size=1000)
    found = drift_of(tight, tight + 1e-7)
    assert found.reasons[0].startswith("The mean moved from 1 to 1.0000001")
    assert from_to_percent(0.5, 0.50001) == "from 50 % to 50.001 %"
    assert from_to_percent(2e-6, 3e-6) == "from 0.0002 % to 0.0003 %"
    assert from_to(1.0, np.nextafter(1.0, 2), 4) == "from 1 to 1.0000000000000002"
    assert from_to(7.0, 7.0, 4) == "from 7 to 7"
    same = compare_performance(classified(900, 100), classified(900, 100))
    assert same.notes == ("The accuracy is 90 % in both.",)


def test_a_new_value_among_others_that_are_near_is_found_or_not_known(random):
    for sentinel, share in ((0, 0.03), (-1, 0.02)):
        for n in (1000, 10_000):
            before, after = random.lognormal(6, 1.5, (2, n)).astype(int)
            after[: int(share * n)] = sentinel
            assert drift_of(before, after).verdict != "none"


def test_the_farthest_of_many_zeros_is_not_suspicious_unless_it_is_very_far():
    before = np.append(np.zeros(80), np.linspace(1, 30, 20))
    assert drift_of(before, np.append(before[:-1], 45)).verdict == "none"
    assert drift_of(before, np.append(before[:-1], 9999)).verdict == "unknown"


def test_columns_of_nothing_but_nulls_are_equal():
    found = drift_of(np.full(100, np.nan), np.full(300, np.nan))
    assert (found.verdict, found.notes) == ("none", ("Every value is null in both.",))


def test_what_a_share_is_that_the_sketches_do_not_tell_exactly_is_said(random):
    ids = random.integers(0, 10**9, (2, 2000)).astype(str).astype(object)
    ids[1, :200] = "none"
    reason = drift_of(*ids).reasons[0]
    before, after, error = map(float, re.search(r"from (.+) % to (.+) % \(± (.+) points\)", reason).groups())
    assert before <= error < 1
    assert abs(after - 10) <= error
    zeros = np.where(np.arange(500) < 100, -0.0, random.normal(size=500))
    assert drift_of(random.normal(size=500), zeros).reasons[0].startswith("The share of 0 went from 0 % to 20 %")


def test_few_rows_say_what_would_have_been_certain(random):
    few = drift_of(random.normal(size=30), random.normal(size=30))
    assert few.verdict == "unknown"
    assert "only a shift of 0.97 sd or more would be certain" in few.reasons[-1]
    more = drift_of(np.arange(120.0), np.arange(120.0) + 0.5)
    assert (more.verdict, more.notes[-1]) == ("none", "A shift of 0.48 sd or more would have been certain.")
    flags = np.arange(120) < 60
    assert drift_of(flags, flags).notes[-1] == "A share that changed by 24 points or more would have been certain."
    assert drift_of(np.arange(30) < 15, np.arange(1000) < 500).verdict == "unknown"


def test_an_effect_that_may_be_as_large_as_what_counts_counts():
    def shifted(by):
        values = np.linspace(-1.7, 1.7, 4000)
        return drift_of(values, values + by * values.std(ddof=1))

    assert [shifted(by).verdict for by in (0.12, 0.19, 0.2)] == ["none", "moderate", "moderate"]
    small = shifted(0.12)
    assert any(note.startswith("The mean moved from") for note in small.notes)  # certain, and too small to count


def test_many_words_of_which_some_are_replaced_drift(random):
    words = np.array([f"word {place}" for place in range(500)], object)
    others = np.where(np.arange(500) < 50, words + " again", words)
    before, same, after = (of(random, values, np.ones(500), 10_000) for values in (words, words, others))
    assert drift_of(before, same).verdict == "none"
    assert drift_of(before, after).verdict == "strong"


def test_many_rare_words_of_one_profile_alone_are_not_said_to_be_equal(random):
    countries = np.array([f"Country {place}" for place in range(200)], object)

    def drawn():
        return of(random, countries, 1 / np.arange(3, 203), 2000)

    def in_other_case(values):
        return np.where(random.random(2000) < 0.05, np.char.upper(values.astype(str)), values)

    found = [drift_of(drawn(), in_other_case(drawn())) for _ in range(10)]
    assert [one.verdict for one in found].count("none") <= 1
    reasons = [reason for one in found if one.verdict == "unknown" for reason in one.reasons]
    assert any("of the values are rare ones of one profile alone" in reason for reason in reasons)
    assert [drift_of(drawn(), drawn()).verdict for _ in range(10)].count("none") >= 4


@pytest.mark.parametrize("sentinel", [-1, 0, 999])
def test_sentinels_just_beyond_the_range_of_a_thousand_are_suspected(random, sentinel):
    found = []
    for _ in range(5):
        before, after = (np.clip(random.normal(40, 15, 1000), 1, 99).astype(int) for _ in range(2))
        after[:10] = sentinel
        found.append(drift_of(before, after).verdict)
    assert "none" not in found


def test_shares_within_the_error_of_sketches_are_not_known(random):
    before, after = amounts(random, 10_000), amounts(random, 10_000)
    after[:60] = 20
    found = drift_of(before, after)
    assert found.verdict == "unknown"
    assert found.reasons[0].startswith("The share of 20 went from 0 % to 0.6")
    assert "error of the sketches" in found.reasons[0]


@pytest.mark.parametrize("rows", [(10_000, 10_000), (100_000, 100_000), (10_000, 1000)])
def test_half_a_percent_of_new_zeros_beyond_the_exact_minimum_is_found(random, rows):
    before, after = (amounts(random, n) for n in rows)
    after[: len(after) // 200] = 0
    found = drift_of(before, after)
    assert found.verdict == "moderate"
    assert re.match(r"The share of 0 went from 0 % to 0\.[45]\d* %", found.reasons[0]), found.reasons


@pytest.mark.parametrize("value", [50.0, 55.5, 20.0])
def test_a_value_that_comes_or_goes_among_numbers_that_never_repeat_is_not_overlooked(random, value):
    for share, verdicts in ((0.005, {"unknown", "moderate"}), (0.01, {"moderate"})):
        before, after = random.normal(50, 10, 10_000), random.normal(50, 10, 10_000)
        after[: int(10_000 * share)] = value
        assert drift_of(before, after).verdict in verdicts
        assert drift_of(after, before).verdict in verdicts


def test_frequent_whole_numbers_are_known_better_than_their_distribution(random):
    def counts():
        return np.rint(random.lognormal(9, 1, 10_000)).astype(int)

    before, after = counts(), counts()
    after[:50] = 5000
    found = drift_of(before, after)
    assert found.verdict == "moderate"
    assert re.match(r"The share of 5,?000 went from", found.reasons[0]), found.reasons
    assert drift_of(counts(), counts()).verdict == "none"


# --- numbers beside text


def beside(random, share, others, numbers):
    """An object column: texts or other objects in this share, and numbers."""
    made = np.empty(len(numbers), object)
    made[:] = [
        other if chance < share else number
        for chance, other, number in zip(random.random(len(numbers)), others, numbers.tolist(), strict=True)
    ]
    return made


@pytest.mark.parametrize(("share", "kind"), [(0.03, "text"), (0.3, "list"), (0.7, "text"), (0.97, "list")])
def test_numbers_that_drift_beside_other_values_are_found(random, share, kind):
    others = ["a"] * 5000 if kind == "text" else [[1, 2]] * 5000
    plain, same = random.normal(size=(2, 5000))
    whole = random.integers(0, 10**6, (2, 5000))
    for before, after in ((plain, same + 2), (plain, 4 * same), (whole[0], whole[1] + 10**6)):
        assert drift_of(beside(random, share, others, before), beside(random, share, others, after)).drifted
    assert not drift_of(beside(random, share, others, plain), beside(random, share, others, same)).drifted


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_texts_that_drift_beside_numbers_are_found(random, share):
    before, same, after = (
        beside(random, share, of(random, list(values), [1, 1]), random.normal(size=5000))
        for values in ("xy", "xy", "xz")
    )
    assert drift_of(before, same).verdict == "none"
    found = drift_of(before, after)
    assert found.verdict == "strong"
    assert "The share of “" in found.reasons[0]
    tens = [beside(random, share, ["x"] * 5000, 10 * random.integers(0, 100, 5000) - one) for one in (0, 1)]
    assert not drift_of(*tens).drifted, "numbers that hardly moved are where they were"


def test_what_cannot_be_compared_of_mixed_values_is_unknown(random):
    names = random.integers(0, 10**9, 5000).astype(str)
    sides = [beside(random, 0.3, "id" + names.astype(object), random.normal(size=5000)) for _ in range(2)]
    found = drift_of(*sides)
    assert (found.verdict, "texts among the numbers are too rare" in found.reasons[-1]) == ("unknown", True)
    few = [beside(random, 0.8, ["a"] * 200, random.normal(size=200)) for _ in range(2)]
    found = drift_of(*few)
    assert (found.verdict, "Too few numbers among the other values" in found.reasons[-1]) == ("unknown", True)
    for share in (0.3, 0.8):
        lists = [beside(random, share, [[1, 2]] * 5000, random.integers(0, 5, 5000)) for _ in range(2)]
        found = drift_of(*lists)
        assert (found.verdict, "of another type, nothing is kept" in found.reasons[-1]) == ("unknown", True)


def test_shares_of_numbers_beside_other_values_are_said_to_be_of_the_numbers(random):
    def flags(share):
        return beside(random, 0.75, ["a"] * 5000, random.random(5000) < share)

    assert any(
        "True among the booleans went from" in reason or "False among the booleans went from" in reason
        for reason in drift_of(flags(0.2), flags(0.6)).reasons
    )
    before, after = (beside(random, 0.75, ["a"] * 5000, by + random.normal(size=5000)) for by in (0, 9))
    assert any("of the numbers lie far outside" in reason for reason in drift_of(before, after).reasons)


# --- values, not spellings


def test_flags_are_the_same_as_booleans_and_as_numbers(random):
    flags = random.random((2, 4000)) < 0.3
    assert drift_of(flags[0], flags[1].astype(int)).verdict == "none"
    assert drift_of(flags[0].astype(int), flags[1]).verdict == "none"
    assert drift_of(flags[0], ~flags[1]).verdict == "strong"


def test_texts_that_spell_the_values_of_the_other_column_are_one_with_them(random):
    flags = random.random((2, 10_000)) < 0.3
    texts = np.where(flags[1], "True", "False").astype(object)
    found = drift_of(flags[0], texts)
    assert (found.verdict, found.type_change) == ("none", ("boolean", "string"))
    assert "The type changed from boolean to string; the texts spell such values" in found.notes[0]
    assert drift_of(texts, ~flags[0]).verdict == "strong"
    digits = random.integers(0, 5, (2, 10_000))
    assert drift_of(digits[0], digits[1].astype(str).astype(object)).verdict == "none"
    written = np.array([f"{digit:f}" for digit in digits[1]], object)
    assert drift_of(digits[0].astype(str).astype(object), written).verdict == "none"
    assert drift_of(texts, np.where(flags[0], "1", "0").astype(object)).verdict == "strong"  # both are text


def integers(spelled):
    weights = np.array([300, 200, 100], np.int64)
    items = FrequentItemsSketch(spelled, weights, offset=0, total=600)
    return Column("x", Counts(n=600), Types(integral=600), frequent_items=items)


def test_a_number_is_one_value_however_it_was_spelled():
    old, new = integers(["3.000000", "2.000000", "-0.000000"]), integers(["3", "2", "0"])
    assert old.values.values == new.values.values == ("3", "2", "0")
    assert compare_columns(old, new).verdict == "none"


def test_spellings_are_merged_as_one_value(profile_bytes):
    whole = read_profile(profile_bytes("reference-july.bin"))
    hours = merge_profiles([whole, whole]).column("hour").values
    assert all("." not in value for value in hours.values)
    text = Column(
        "x",
        Counts(n=2),
        Types(string=2),
        frequent_items=FrequentItemsSketch(["3.000000", "3"], np.array([1, 1]), offset=0, total=2),
    )
    assert len(text.values.values) == 2  # as text they are two


# --- shares


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.2, 0.22, "none"),
        (0, 0.02, "moderate"),
        (0.2, 0.26, "moderate"),
        (0, 0.06, "moderate"),
        (0.1, 0.3, "strong"),
        (0.3, 0.3, "none"),
        (0.99, 0.97, "moderate"),
        (0.97, 0.99, "moderate"),
    ],
)
def test_nulls_count_by_the_points_they_moved(random, before, after, verdict):
    sides = [np.where(random.random(20_000) < share, np.nan, random.normal(size=20_000)) for share in (before, after)]
    found = drift_of(*sides)
    assert found.verdict == verdict
    if verdict == "none" and after != before:
        assert any(note.startswith("Nulls went from ") for note in found.notes)


def conditions(met):
    return Column("x", Counts(n=1000), Types(string=1000), conditions={"total": 1000, "is an address": met})


def test_conditions_that_fewer_rows_meet_are_a_drift():
    found = compare_columns(conditions(980), conditions(700))
    assert found.verdict == "strong"
    assert found.reasons == ("Rows that meet “is an address” went from 98 % to 70 %.",)
    assert not compare_columns(conditions(980), conditions(975)).drifted


def test_text_among_numbers_is_a_drift():
    items = FrequentItemsSketch(["5"], np.array([1000]), offset=0, total=1000)
    mixed = [
        Column("x", Counts(n=1000), Types(integral=1000 - text, string=text), frequent_items=items) for text in (0, 200)
    ]
    found = compare_columns(*mixed)
    assert found.verdict == "strong"
    assert "The share of text went from 0 % to 20 %." in found.reasons


# --- what was not counted


def bare(values):
    """A column that holds only a metric of pictures, as `log_image` makes it."""
    parts = {f"image/{name}": profile({name: part}).column(name) for name, part in values.items()}
    return Column("image", counted=False, typed=False, others=parts)


def test_pictures_drift_as_their_brightness_does(random):
    dark = {"Brightness.mean": random.normal(30, 3, 40), "Hue.mean": np.full(40, 7.0)}
    light = {"Brightness.mean": random.normal(240, 3, 40), "Hue.mean": np.full(40, 7.0)}
    found = compare_columns(bare(dark), bare(light))
    assert found.verdict == "strong"
    assert found.reasons[0].startswith("image.Brightness.mean: ")
    assert not compare_columns(bare(dark), bare(dark)).drifted


def test_rows_that_were_not_counted_are_not_zero(random):
    whole = profile({"x": random.normal(size=1000)}).column("x")
    lean = replace(whole, counts=Counts(), types=Types(), counted=False, typed=False)
    statistics = column_statistics(lean)
    assert statistics.count is statistics.null_count is statistics.null_fraction is None
    assert (statistics.inferred_type, statistics.mean) == ("fractional", whole.mean)
    assert compare_columns(lean, lean).verdict == "none"
    moved = profile({"x": random.normal(1, 1, 1000)}).column("x")
    assert compare_columns(lean, moved).verdict == "strong"


def custom(rows, metrics, aggregates=()):
    return Column("x", Counts(n=rows), Types(string=rows), metrics=metrics, aggregates=dict(aggregates))


def test_rows_that_a_metric_of_ones_own_counts_drift_as_shares():
    before = custom(1000, {"mine/short": 10})
    found = compare_columns(before, custom(2000, {"mine/short": 160}))
    assert (found.verdict, found.reasons) == ("moderate", ("Rows that “mine/short” counts went from 1 % to 8 %.",))
    assert compare_columns(before, custom(2000, {"mine/short": 24})).verdict == "none"


def test_figures_of_which_nobody_knows_what_chance_does_are_named_where_they_changed():
    found = compare_columns(custom(1000, {"mine/mean": 3.1}), custom(1000, {"mine/mean": 8.2}))
    assert found.verdict == "unknown"
    assert found.reasons[0] == "mine/mean went from 3.1 to 8.2, but what chance does to it is not known."
    largest = {"mine/largest": "max"}
    sides = [custom(1000, {"mine/largest": value}, largest) for value in (3, 900)]
    assert compare_columns(*sides).verdict == "unknown"  # no rows are counted by it
    joined = merge_profiles([made_of(side) for side in sides]).column("x")
    assert (joined.metrics, joined.aggregates) == ({"mine/largest": 900}, largest)
    joined = merge_profiles([made_of(custom(10, {"mine/short": 3})) for _ in range(2)]).column("x")
    assert joined.metrics == {"mine/short": 6}


def made_of(column):
    """A profile of one column, as it is read again."""
    content = write_version_1(replace(profile({"x": ["a"]}), _read=lambda _: column), timestamp=0, columns=["x"])
    return read_profile(content)


# --- models


def classified(right, wrong):
    counts = np.array([[right // 2, wrong], [0, right - right // 2]], np.int64)
    return Performance(ConfusionMatrix(("no", "yes"), counts)).to_dict()


def predicted(random, n, spread):
    errors = random.normal(0, spread, n)
    sums = (float(np.abs(errors).sum()), float(errors.sum()), float((errors**2).sum()))
    return Performance(regression=RegressionMetrics(n, *sums)).to_dict()


def test_a_model_that_became_worse_drifted(random):
    found = compare_performance(classified(900, 100), classified(800, 200))
    assert (found.verdict, found.reasons) == ("strong", ("The accuracy went from 90 % to 80 %.",))
    assert compare_performance(classified(900, 100), classified(897, 103)).verdict == "none"
    assert compare_performance(classified(18, 2), classified(16, 4)).verdict == "unknown"
    assert compare_performance(classified(18, 2), classified(18, 2)).verdict == "unknown", "too few to tell"
    assert compare_performance(classified(270, 30), classified(260, 40)).verdict == "unknown", "it may be four points"
    assert compare_performance(classified(9000, 1000), classified(8650, 1350)).verdict == "moderate"
    good, same, worse = (predicted(random, 2000, spread) for spread in (1, 1, 1.5))
    assert compare_performance(good, same).verdict == "none"
    assert compare_performance(good, worse).verdict == "strong"
    assert compare_performance(good, classified(9, 1)) is compare_performance(None, good) is None


# --- files that lie


COUNTS = (0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64)
FIGURES = (0.0, -1.0, np.nan, np.inf, -np.inf, 1.797e308, -1e308, 5e-324)


def mutated(random, column):
    def count(known=None):
        return known if known is not None and random.random() < 0.6 else COUNTS[random.integers(len(COUNTS))]

    def figure():
        return float(random.choice(FIGURES))

    changes = {
        "counts": Counts(*map(count, column.counts)),
        "types": Types(*map(count, column.types)),
        "mean": figure(),
        "m2": figure(),
        "cardinality": DistinctEstimate(figure(), figure(), figure()),
        "ints_min": count(),
        "ints_max": count(),
        "conditions": {"total": count(), "a": count(), "b": count()},
        "metrics": {"custom/figure": figure(), "custom/count": count()},
        "counted": random.random() < 0.5,
        "typed": random.random() < 0.5,
    }
    chosen = random.choice(list(changes), random.integers(1, 4), replace=False)
    return replace(column, **{str(name): changes[name] for name in chosen})


@pytest.mark.slow
def test_impossible_figures_are_an_error_or_left_out_of_what_is_said(random):
    columns = [
        profile({"x": values}).column("x")
        for values in (random.normal(size=300), random.integers(0, 5, 300), of(random, list("abc"), [1, 2, 3], 300))
    ]
    refused = 0
    for _ in range(120):
        pair = [mutated(random, columns[random.integers(3)]) for _ in range(2)]
        try:
            found = compare_columns(*pair)
        except ProfileError:
            refused += 1
            continue
        shares = re.findall(r"(-?[\d.e+]+) %", " ".join([*found.reasons, *found.notes]))
        assert all(0 <= float(share) <= 100 for share in shares), found.reasons
        assert all(0 <= test.p <= 1 and 0 <= test.effect <= 10 for test in found.tests)
        measures = [getattr(found, name) for name in ("score", *MEASURES)]
        assert all(measure is None or np.isfinite(measure) for measure in measures)
    assert 0 < refused < 120


# --- rates


EQUAL = {
    "normal": lambda random, n: random.normal(size=n),
    "lognormal": lambda random, n: random.lognormal(0, 2, n),
    "Poisson": lambda random, n: random.poisson(1, n),
    "large Poisson": lambda random, n: random.poisson(100, n),
    "ages": ages,
    "prices": lambda random, n: np.array([0.99, 1.99, 4.99, 9.99, 19.99])[
        random.choice(5, n, p=[0.4, 0.3, 0.2, 0.07, 0.03])
    ],
    "hours": lambda random, n: random.integers(0, 24, n),
    "mostly zero": lambda random, n: np.where(random.random(n) < 0.8, 0, random.exponential(size=n)),
    "rarely yes": lambda random, n: random.random(n) < 0.05,
    "words": lambda random, n: np.array(list("abcde"))[random.choice(5, n, p=[0.5, 0.3, 0.1, 0.06, 0.04])],
}


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(30, 30), (30, 1000), (1000, 30), (100, 100)], ids=str)
def test_equal_columns_of_few_rows_do_not_drift(sizes):
    random = np.random.default_rng(sizes)
    sides = [
        profile({f"{name} {run}": draw(random, n) for name, draw in EQUAL.items() for run in range(20)}) for n in sizes
    ]
    verdicts = verdicts_alone(*sides)
    assert len(verdicts) == 200
    assert not {"moderate", "strong"} & set(verdicts)


@pytest.mark.slow
def test_what_must_be_found_is_found():
    random = np.random.default_rng(6)
    words = np.array(["a", "b", "c"])
    pairs = {
        "1 sd": [(random.normal(size=100), random.normal(1, 1, 100)) for _ in range(40)],
        "0.3 sd": [(random.normal(size=1000), random.normal(0.3, 1, 1000)) for _ in range(40)],
        "words": [
            (words[random.choice(3, 1000, p=[0.5, 0.3, 0.2])], words[random.choice(3, 1000, p=[0.3, 0.3, 0.4])])
            for _ in range(40)
        ],
    }
    for kind, these in pairs.items():
        found = verdicts_of_pairs(these)
        assert found.count("strong") + found.count("moderate") >= (40 if kind == "words" else 38), kind


def some(share, value, draw):
    return lambda random, n: np.where(random.random(n) < share, value, draw(random, n))


def flag(share):
    return lambda random, n: random.random(n) < share


def normal(random, n):
    return random.normal(size=n)


def exponential(random, n):
    return random.exponential(size=n)


def letters(*shares):
    return lambda random, n: of(random, list("abcd")[: len(shares)], shares, n)


def degrees(random, n):
    return np.round(random.normal(8, 9, n)).astype(int)


def some_words(share, word):
    """One word among sixty others."""
    return lambda random, n: np.where(
        random.random(n) < share, word, np.char.add("w", random.integers(0, 60, n).astype(str))
    ).astype(object)


RUNS = 40
MOMENTS = {
    "a mean": (normal, lambda random, n: random.normal(0.2, 1, n)),
    "a spread": (normal, lambda random, n: random.normal(0, 1.5, n)),
}


AS_LARGE_AS_COUNTS = {
    "zeros": (some(0.8, 0.0, exponential), some(0.85, 0.0, exponential)),
    "flag": (flag(0.3), flag(0.36)),
    "rare flag": (flag(0.01), flag(0.03)),
    "nulls": (some(0.2, np.nan, normal), some(0.26, np.nan, normal)),
    "rare nulls": (some(0.01, np.nan, normal), some(0.03, np.nan, normal)),
    "first nulls": (normal, some(0.01, np.nan, normal)),
    "shares of words": (letters(5, 3, 2), letters(4.5, 3, 2.5)),
    "a new word": (letters(5, 3, 2), letters(5, 3, 2, 0.1)),
    "a lost word": (letters(5, 3, 2, 0.1), letters(5, 3, 2)),
    "sentinels below": (ages, some(0.01, -1, ages)),
    "sentinels above": (ages, some(0.01, 9999, ages)),
    **MOMENTS,
}


OF_SENTINELS = {
    "the smallest number": (some(0.01, -1, ages), some(0.03, -1, ages)),
    "the largest number": (some(0.01, 120, ages), some(0.03, 120, ages)),
    "zero": (degrees, some(0.03, 0, degrees)),
    "an empty text": (some_words(0.005, ""), some_words(0.02, "")),
    "a word for nothing": (some_words(0.01, "unknown"), some_words(0.03, "unknown")),
}


def verdicts_of(before, after, n, runs=RUNS):
    random = np.random.default_rng(n)
    return verdicts_alone(*(profile({str(run): draw(random, n) for run in range(runs)}) for draw in (before, after)))


@pytest.mark.slow
@pytest.mark.parametrize("name", AS_LARGE_AS_COUNTS)
def test_a_thousand_rows_that_drifted_as_much_as_counts_seldom_read_none(name):
    before, after = AS_LARGE_AS_COUNTS[name]
    assert verdicts_of(before, after, 1000).count("none") <= 0.1 * RUNS


JUST_COUNTS = {
    "flag": (flag(0.5), flag(0.54)),
    "rare flag": (flag(0.01), flag(0.022)),
    "nulls": (some(0.2, np.nan, normal), some(0.24, np.nan, normal)),
    "rare nulls": (some(0.01, np.nan, normal), some(0.02, np.nan, normal)),
    "infinite values": (normal, some(0.01, np.inf, normal)),
    "shares of words": (letters(5, 3, 2), letters(5, 2.6, 2.4)),
    "a new word": (letters(5, 5), letters(4.975, 4.975, 0.05)),
    "a sentinel below": (ages, some(0.005, -1, ages)),
    **MOMENTS,
}


@pytest.mark.slow
def test_a_thousand_rows_that_drifted_as_much_as_just_counts_seldom_read_none():
    found = {name: verdicts_of(before, after, 1000).count("none") for name, (before, after) in JUST_COUNTS.items()}
    assert sum(found.values()) <= 0.08 * RUNS * len(found), found
    assert max(found.values()) <= 0.2 * RUNS, found


@pytest.mark.slow
def test_most_equal_columns_of_a_thousand_rows_read_none_and_none_of_them_drifted():
    befores = [before for before, _ in (*AS_LARGE_AS_COUNTS.values(), *JUST_COUNTS.values(), *OF_SENTINELS.values())]
    verdicts = [verdict for before in befores for verdict in verdicts_of(before, before, 1000, runs=12)]
    assert not {"moderate", "strong"} & set(verdicts)
    assert verdicts.count("none") >= 0.6 * len(verdicts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (letters(5, 5), letters(5, 5, 0.05)),
        (ages, some(0.005, -1, ages)),
        (some(0.005, -1, ages), some(0.015, -1, ages)),
        (some(0.01, np.nan, normal), some(0.02, np.nan, normal)),
    ],
    ids=["a new word", "a new number", "a rare number", "rare nulls"],
)
def test_ten_thousand_rows_that_drifted_as_much_as_counts_do_not_read_none(before, after):
    assert verdicts_of(before, after, 10_000).count("none") <= 0.1 * RUNS
    assert verdicts_of(before, before, 10_000).count("none") >= 0.95 * RUNS


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_SENTINELS)
def test_a_thousand_rows_with_more_of_a_sentinel_among_many_values_seldom_read_none(name):
    before, after = OF_SENTINELS[name]
    assert verdicts_of(before, after, 1000).count("none") <= 0.2 * RUNS


@pytest.mark.slow
def test_a_hundred_equal_rows_are_said_to_be_equal_more_often_than_not():
    random = np.random.default_rng(8)
    draws = (EQUAL["normal"], ages, EQUAL["hours"], EQUAL["words"])
    pairs = [(draw(random, 100), draw(random, 100)) for draw in draws for _ in range(20)]
    verdicts = verdicts_of_pairs(pairs)
    assert verdicts.count("none") > 0.5 * len(verdicts)
    assert not {"moderate", "strong"} & set(verdicts)


@pytest.mark.slow
def test_a_page_of_many_equal_columns_holds_no_alarm():
    random = np.random.default_rng(3)
    sides = [profile({f"c{place}": random.normal(size=500) for place in range(100)}) for _ in range(3)]
    counts = compare_profiles(sides).counts
    assert all(one.strong == one.moderate == 0 for one in counts[1:])


# --- measures


# What whylogs 1.6.4 says of the corpus' pairs, to four digits.
HELLINGER = {
    "bimodal": 0.4570,
    "constant-moved": 1.0,
    "exact": 0.2390,
    "few-same": 0.5474,
    "heavy-tail": 0.0521,
    "items-booleans": 0.1401,
    "lognormal": 0.0530,
    "same-10k-200k": 0.0215,
    "same-2m": 0.0260,
    "shift-0.3": 0.1064,
    "wider": 0.3225,
    "zeros": 0.1648,
}


@pytest.mark.parametrize("name", HELLINGER)
def test_the_hellinger_distance_is_whylogs_over_the_exact_range(corpus, name):
    sides = [read_profile((corpus / f"drift-{name}-{place}.bin").read_bytes()).column("x") for place in (1, 2)]
    assert compare_columns(*sides).hellinger == pytest.approx(HELLINGER[name], abs=5.1e-5)


def test_distances_of_values_are_undefined_beside_infinities(random):
    found = drift_of(np.append(random.normal(size=500), np.inf), random.normal(size=500))
    assert found.hellinger is found.wasserstein is None
    assert "undefined beside infinite values" in " ".join(found.notes)


def test_balanced_v_does_not_depend_on_the_rows():
    def words(rows, shares):
        counts = np.array([round(rows * share) for share in shares], np.int64)
        items = FrequentItemsSketch(["a", "b", "c"], counts, offset=0, total=int(counts.sum()))
        return Column("x", Counts(n=rows), Types(string=rows), frequent_items=items)

    before = words(1000, (0.7, 0.2, 0.1))
    near, far = (compare_columns(before, words(rows, (0.2, 0.2, 0.6))) for rows in (1000, 10_000_000))
    assert near.balanced_v == pytest.approx(near.cramers_v)
    assert far.balanced_v == pytest.approx(near.balanced_v)
    assert far.cramers_v < near.cramers_v / 10


def test_measures_of_a_part_of_the_values_say_which_part(random):
    ids = random.integers(0, 10**9, 20_000).astype(str)
    sides = [np.where(random.random(20_000) < 0.3, "none", np.roll(ids, shift)) for shift in (0, 7)]
    found = drift_of(*sides)
    assert found.covered == pytest.approx(0.3, abs=0.05)
    assert found.verdict == "unknown"


def test_a_drift_carries_every_test_that_its_verdict_is_made_of(random):
    found = drift_of(random.normal(size=900), random.normal(1, 1, 800))
    kinds = {test.kind: test for test in found.tests}
    assert kinds.keys() == {"values", "mean", "spread", "nulls", "types", "range"}
    assert found.score == max(test.effect for test in found.tests if test.significant)
    assert kinds["mean"].p < 1e-10
    assert kinds["nulls"].p == 1


@pytest.mark.parametrize(
    ("before", "after", "effect"), [(0.1, 0.13, 0.75), (0.1, 0.14, 1), (0.01, 0.02, 1), (0, 0.005, 1), (0.2, 0.2, 0)]
)
def test_the_size_of_a_change_of_share_is_that_of_its_thresholds(before, after, effect):
    with np.errstate(all="ignore"):
        found = value_effects(np.array([after - before]), np.array([before]), np.array([after]))
    assert found == pytest.approx([effect])


def columns_of_all_kinds(seed, rows, columns=33):
    """Profile numbers, codes, texts, flags and mixed columns, each with values of its own number and shape."""
    random, data = np.random.default_rng(seed), {}
    for number in range(columns):
        drawn = random.poisson(number, rows)
        kinds = (
            random.normal(0, 1 + seed / 9, rows),
            drawn,
            random.choice([f"w{word}" for word in range(2 + number)], rows),
            random.random(rows) < 0.3,
            np.round(random.lognormal(1, 1, rows), 2),
            [f"x{value}" if value % 3 else float(value) for value in drawn.tolist()],
        )
        data[f"c{number:02}"] = kinds[number % len(kinds)]
    return profile(data)


def test_what_is_found_of_two_profiles_does_not_depend_on_what_is_compared_beside_them():
    baseline, *others = (
        summarize(columns_of_all_kinds(seed, rows)) for seed, rows in enumerate((1000, 3000, 50, 400, 10_000))
    )
    for other, among_others in zip(others, weigh_each(baseline, others), strict=True):
        (alone,) = weigh_each(baseline, [other])
        for name in ("effects", "chances", "tried"):
            np.testing.assert_array_equal(getattr(among_others, name), getattr(alone, name), name)
        for name, values in alone.measures.items():
            np.testing.assert_array_equal(among_others.measures[name], values, name)


def test_a_column_has_the_verdict_that_it_would_have_alone():
    sides = [columns_of_all_kinds(seed, rows) for seed, rows in ((0, 1000), (1, 400))]
    alone = [compare_columns(*(side.column(name) for side in sides)).verdict for name in sides[0].column_names]
    assert verdicts_alone(*sides) == alone
    assert {"none", "unknown", "moderate"} <= set(alone)

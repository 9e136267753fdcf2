"""The measures of drift against scipy on the raw data, and the traps into which others fell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from songbird_widgets.profiles import (
    MEASURES,
    Column,
    Counts,
    Drift,
    FrequentItemsSketch,
    KllSketch,
    Types,
    compare_columns,
    compare_profiles,
    profile,
    read_profile,
)

NUMBERS = [
    "same-10k-200k",
    "same-2m",
    "shift-0.1",
    "shift-0.3",
    "shift-1",
    "wider",
    "lognormal",
    "exact",
    "exact-same",
    "constant-same",
    "constant-moved",
    "zeros",
    "heavy-tail",
    "infinite",
    "bimodal",
]
EXACT_ITEMS = ["items-same-10k-200k", "items-moved", "items-new", "items-600-same", "items-booleans"]


@pytest.fixture(scope="module")
def raw(corpus):
    return json.loads((corpus / "drift.json").read_text("utf-8"))


def pair(corpus, name):
    return [read_profile((corpus / f"drift-{name}-{place}.bin").read_bytes()).column("x") for place in (1, 2)]


@pytest.fixture(scope="module")
def drift(corpus):
    return lambda name: compare_columns(*pair(corpus, name))


@pytest.fixture(scope="module")
def drift_pairs(corpus):
    return [pair(corpus, name) for name in [*NUMBERS, *EXACT_ITEMS, "items-zipf-moved", "few-same", "items-unique"]]


@pytest.mark.parametrize("name", NUMBERS)
def test_measures_of_numbers_are_those_of_the_raw_data_within_the_sketches_error(raw, drift, name):
    expected, found = raw[name], drift(name)
    assert found.basis == "deciles"
    assert found.js_distance == pytest.approx(expected["js_distance"], abs=0.02)
    assert found.psi == pytest.approx(expected["psi"], rel=0.1, abs=0.01)
    assert found.ks == pytest.approx(expected["ks"], abs=1.5 * found.ks_error + 1e-9)
    assert found.ks_beyond_error <= expected["ks"] + 1e-9
    if found.ks_p is not None:
        assert found.ks_p == pytest.approx(expected["ks_p"], rel=0.05)
    if "wasserstein" in expected:
        # A few far values weigh more in this distance than the sketch's error in rank tells.
        allowed = 1.5 * found.ks_error * expected["span"] + 1e-9
        allowed = allowed if name in {"lognormal", "heavy-tail"} else min(0.02, allowed)
        assert found.wasserstein == pytest.approx(expected["wasserstein"], abs=allowed)
        assert found.mean_shift == pytest.approx(expected["mean_shift"], rel=1e-6, abs=1e-9)
        # Bins with few values are where a sketch is weakest, and this distance minds them most.
        assert found.hellinger == pytest.approx(expected["hellinger"], abs=0.12 if found.ks_error else 1e-9)


@pytest.mark.parametrize("name", EXACT_ITEMS)
def test_measures_of_exactly_counted_items_are_those_of_the_raw_data(raw, drift, name):
    expected, found = raw[name], drift(name)
    assert found.basis == "items"
    for measure in ("js_distance", "chi2", "chi2_p", "cramers_v"):
        assert getattr(found, measure) == pytest.approx(expected[measure], rel=1e-6), measure


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        # The same distribution, and sizes or shapes that made others see drift.
        ("same-10k-200k", "none"),
        ("same-2m", "none"),
        ("exact-same", "none"),
        ("constant-same", "none"),
        ("items-same-10k-200k", "none"),
        ("items-600-same", "none"),
        ("items-zipf-same", "none"),
        # Significant at any level, and small.
        ("shift-0.1", "none"),
        ("shift-0.3", "moderate"),
        ("lognormal", "moderate"),
        ("heavy-tail", "moderate"),
        ("items-moved", "moderate"),
        ("items-booleans", "moderate"),
        ("infinite", "moderate"),  # one percent, of none
        ("shift-1", "strong"),
        ("wider", "strong"),
        ("bimodal", "strong"),
        ("zeros", "strong"),
        ("exact", "strong"),
        ("constant-moved", "strong"),
        ("items-new", "strong"),
        ("items-zipf-moved", "strong"),
        # What sketches cannot say.
        ("few-same", "unknown"),
        ("items-unique", "unknown"),
    ],
)
def test_the_verdict_goes_by_the_size_of_the_effect(drift, name, verdict):
    found = drift(name)
    assert found.verdict == verdict
    assert found.drifted == (verdict in {"moderate", "strong"})
    assert (found.score >= 2) == (verdict == "strong")
    assert bool(found.reasons) == (verdict != "none")


def test_two_million_equal_rows_are_within_the_sketch_error_and_have_no_p(drift):
    found = drift("same-2m")
    assert found.ks_p is None
    assert found.ks_beyond_error == 0
    assert "within the sketches' error" in found.notes[0]


def test_a_lognormal_shift_hides_in_equal_bins_and_not_in_deciles(drift):
    found = drift("lognormal")
    assert found.psi > 0.15
    assert found.hellinger < 0.15  # where whylogs sees no drift


def test_infinities_leave_what_they_make_meaningless_unsaid(drift):
    found = drift("infinite")
    assert found.wasserstein is found.hellinger is found.mean_shift is None
    assert found.js_distance < 0.05
    assert any("infinite" in note for note in found.notes)


def test_no_frequent_items_is_no_all_clear(drift):
    found = drift("items-unique")
    assert found.js_distance is found.chi2 is found.new_values is None
    assert "cannot tell" in found.reasons[0]


def test_new_and_vanished_items_are_listed_where_everything_was_counted(drift):
    assert drift("items-new").new_values == ("level 3",)
    assert drift("items-new").vanished_values == ()
    assert drift("items-zipf-moved").new_values is None


def test_a_p_of_dropped_items_is_not_given(drift):
    found = drift("items-zipf-same")
    assert found.chi2 is not None
    assert found.chi2_p is None
    assert any("dropped" in note for note in found.notes)


# --- what needs no whylogs


def numbers(values, *, null=0, kind="fractional", name="x"):
    """A column of numbers with an exact sketch."""
    array = np.sort(np.asarray(values, np.float64))
    n = len(array)
    kll = KllSketch(
        n=n,
        k=1024,
        minimum=float(array[0]) if n else np.nan,
        maximum=float(array[-1]) if n else np.nan,
        values=array,
        levels=np.ones(1, np.int64),
        counts=[n],
        rank_error=0.0,
    )
    with np.errstate(invalid="ignore", over="ignore"):
        mean = float(array.mean()) if n else 0.0
        m2 = float(((array - mean) ** 2).sum())
    counts = Counts(n=n + null, null=null)
    return Column(name, counts, Types(**{kind: n}), mean=mean, m2=m2, kll=kll)


def strings(counts, *, offset=0):
    total = sum(counts.values()) + offset
    items = FrequentItemsSketch(list(counts), np.array(list(counts.values()), np.int64), offset=offset, total=total)
    return Column("x", Counts(n=total), Types(string=total), frequent_items=items)


def test_a_column_of_one_profile_only_is_missing_or_new():
    column = numbers([1, 2])
    assert compare_columns(column, None).verdict == "missing"
    assert compare_columns(None, column).verdict == "new"
    assert compare_columns(column, None).score > compare_columns(strings({"a": 9}), column).score


def test_a_changed_type_is_a_strong_drift_unless_both_are_numbers():
    found = compare_columns(numbers(range(500)), strings({"a": 300, "b": 200}))
    assert (found.verdict, found.type_change) == ("strong", ("fractional", "string"))
    assert found.js_distance is None
    found = compare_columns(numbers(range(500), kind="integral"), numbers(range(500)))
    assert (found.verdict, found.type_change) == ("none", ("integral", "fractional"))


def test_nulls_that_come_are_a_drift_though_the_values_stay():
    values = list(range(1000))
    found = compare_columns(numbers(values), numbers(values, null=1000))
    assert found.verdict == "strong"
    assert found.null_delta == 0.5
    assert found.reasons == ("Nulls went from 0 % to 50 %.",)
    assert found.js_distance == 0


def test_nulls_of_a_handful_of_rows_may_be_chance():
    assert compare_columns(strings({"a": 9}), strings({"a": 10})).null_delta == 0
    found = compare_columns(numbers([1, 2, 3]), numbers([1, 2], null=1))
    assert found.verdict == "unknown"


def test_all_null_says_so():
    found = compare_columns(numbers(range(900)), numbers([], null=900))
    assert found.verdict == "strong"
    both = compare_columns(numbers([], null=900), numbers([], null=900))
    assert (both.verdict, both.notes) == ("none", ("Every value is null in both.",))


def test_a_constant_that_moves_by_a_hair_is_seen():
    found = compare_columns(numbers([0.1] * 400), numbers([np.nextafter(0.1, 1)] * 400))
    assert found.js_distance == 1
    assert found.wasserstein is None


def test_a_moved_tail_is_seen_though_the_deciles_stay():
    values = np.linspace(0, 1, 1000)
    tail = np.where(values > 0.95, values + 30, values)
    found = compare_columns(numbers(values), numbers(tail))
    assert found.js_distance == 0
    assert found.verdict == "strong"
    assert "moved" in found.reasons[0]


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308], [5e-324, 1e-323], [np.inf, -np.inf], [np.inf] * 3, [0.0]])
def test_numbers_at_the_edge_of_doubles_neither_warn_nor_fail(values):
    column = numbers(values * 300)
    found = compare_columns(column, column)
    assert found.verdict == "none"
    assert found.js_distance == 0


def test_rare_items_that_cannot_be_told_apart_are_unknown_not_equal():
    found = compare_columns(strings({"a": 60, "b": 20}, offset=920), strings({"a": 61, "b": 20}, offset=919))
    assert found.verdict == "unknown"


def counted(values):
    found, counts = np.unique(np.asarray(values, str), return_counts=True)
    return strings(dict(zip(found.tolist(), counts.tolist(), strict=True)))


@pytest.mark.parametrize("n", [3, 12, 50, 300, 800])
@pytest.mark.parametrize(
    "draw",
    [
        lambda random, n: random.integers(0, 10**12, n),
        lambda random, n: np.datetime64("2024-01-01") + random.integers(0, 10**9, n).astype("m8[s]"),
        lambda random, n: random.integers(0, 2 * n, n),
        lambda random, n: np.where(random.random(n) < 0.5, "none", random.integers(0, 10**9, n).astype(str)),
    ],
    ids=["identifiers", "times", "names", "half-empty"],
)
def test_values_seen_once_or_twice_are_no_drift_but_nothing_to_go_by(draw, n):
    random = np.random.default_rng(n)
    found = compare_columns(counted(draw(random, n)), counted(draw(random, n)))
    assert found.verdict in {"none", "unknown"}
    assert found.verdict == "unknown" or found.js_distance < 0.1


def test_words_of_one_language_are_no_drift_though_each_text_has_words_of_its_own():
    random = np.random.default_rng(7)
    for n in (300, 1000, 5000):
        found = compare_columns(counted(random.zipf(1.5, n)), counted(random.zipf(1.5, n)))
        assert found.verdict == "none"
        assert found.new_values


def test_a_drift_among_identifiers_is_still_seen():
    random = np.random.default_rng(7)
    ids = random.integers(0, 10**9, 2000).astype(str)
    half, tenth = (np.where(random.random(2000) < share, "none", ids) for share in (0.5, 0.1))
    assert compare_columns(counted(half), counted(tenth)).verdict == "strong"


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_a_handful_of_rows_tells_nothing(n):
    for before, after in (
        (numbers([1.0] * n), numbers([9.0] * n)),
        (numbers(range(n)), numbers(range(100, 100 + n))),
        (strings({"a": n}), strings({"b": n})),
        (numbers(range(n)), numbers([], null=n)),
        (strings({"a": n}), strings({"a": n})),
    ):
        found = compare_columns(before, after)
        assert found.verdict == "unknown"
        assert found.reasons


def test_a_dozen_rows_may_tell_what_is_plain():
    assert compare_columns(strings({"a": 12}), strings({"b": 12})).verdict == "strong"
    assert compare_columns(numbers([1.0] * 12), numbers([9.0] * 12)).verdict == "strong"


def drifts_of(baseline, other):
    comparison = compare_profiles([baseline, other])
    return {name: comparison.drift(name)[1] for name in comparison.names}


def test_a_damaged_column_is_unknown_and_the_rest_is_compared(profile_bytes):
    content = bytearray(profile_bytes("reference-july.bin"))
    good = read_profile(bytes(content))
    place = content.index(bytes([10, 1, 7]), 2000)  # the family byte of a frequent items or HLL sketch
    content[place + 2] = 99
    drifts = drifts_of(good, read_profile(bytes(content)))
    damaged = [found for found in drifts.values() if "corrupt" in "".join(found.reasons)]
    assert [found.verdict for found in damaged] == ["unknown"]
    assert drifts["tailnum"].verdict == "unknown"  # thousands of aircraft, none frequent
    assert sum(found.verdict == "none" for found in drifts.values()) == 14


def test_a_thunderstorm_week_differs_from_its_month(profile_bytes):
    month, first = (read_profile(profile_bytes(f"{name}.bin")) for name in ("reference-july", "batch-2013-07-08"))
    drifts = drifts_of(month, first)
    assert drifts["day"].verdict == "strong"
    assert drifts["origin"].verdict == "none"
    _, summary = compare_profiles([month, first]).counts
    assert summary is not None
    assert summary.columns == 16
    assert summary.strong + summary.moderate == sum(found.drifted for found in drifts.values())
    assert drifts_of(month, month).keys() == drifts.keys()
    assert not any(found.drifted for found in drifts_of(month, month).values())


def test_columns_tell_the_date_by_their_names_and_numbers_by_their_size_or_by_their_texts():
    def of(day):
        seconds = 1_700_000_000.0 + 86_400 * day + 61 * np.arange(200.0)
        data = {"day": np.full(200, day), "amount": np.full(200, day), "calls_per_day": np.full(200, day)}
        data |= {"month": np.full(200, day + 20), "seen_at": seconds, "seen_ms": seconds * 1e3, "huge": seconds * 1e12}
        return data | {"when": [f"2024-01-{day:02}"] * 200, "what": [f"version {day}"] * 200}

    comparison = compare_profiles([profile(of(3)), profile(of(9))])
    assert {"amount", "calls_per_day", "month", "what"} < set(comparison.drifted)
    assert comparison.calendar == {"day", "seen_at", "seen_ms", "when"}


def test_every_measure_of_the_result_is_explained():
    measures = set(MEASURES) - {"ks", "chi2"}
    assert measures <= set(Drift.__dataclass_fields__)
    for measure in MEASURES.values():
        assert measure.title
        assert measure.formula
        assert measure.reading


def test_verdicts_of_all_columns_are_those_of_each(profile_bytes):
    names = ("reference-july", "batch-2013-07-08", "edge-kinds")
    comparison = compare_profiles([read_profile(profile_bytes(f"{name}.bin")) for name in names], labels=names)
    for side in (1, 2):
        verdicts = comparison.verdicts(side)
        for name in comparison.names:
            drift = comparison.drift(name)[side]
            assert (drift is None) == (name not in verdicts)
            if drift is not None:
                assert drift.verdict == verdicts[name]
                assert drift.score <= comparison.precedence(name)[1]
        drifts = [comparison.drift(name)[side] for name in verdicts]
        counts = comparison.counts[side]
        assert counts.columns == len(drifts)
        assert counts.type_changed == sum(drift.type_change is not None for drift in drifts)
        for verdict in ("strong", "moderate", "unknown", "missing", "new"):
            assert getattr(counts, verdict) == sum(drift.verdict == verdict for drift in drifts)

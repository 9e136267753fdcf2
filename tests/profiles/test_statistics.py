"""Statistics, types, discreteness, insights and histograms of columns."""

from __future__ import annotations

import numpy as np
import pytest

from songbird_widgets.profiles import (
    QUANTILE_RANKS,
    Column,
    Counts,
    FrequentItemsSketch,
    KllSketch,
    Types,
    column_statistics,
    histogram,
    merge_profiles,
    read_profile,
)
from songbird_widgets.profiles.statistics import inferred_type

NO_TYPES = {"integral": 0, "fractional": 0, "boolean": 0, "string": 0, "object": 0, "tensor": 0}


@pytest.fixture(scope="module")
def kinds(profile_bytes):
    return read_profile(profile_bytes("edge-kinds.bin"))


def numbers(*values, weight=1):
    array = np.sort(np.array(values, np.float64))
    kll = KllSketch(
        n=len(array) * weight,
        k=1024,
        minimum=float(array[0]),
        maximum=float(array[-1]),
        values=array,
        levels=np.array([weight]),
        counts=[len(array)],
        rank_error=0.0,
    )
    return Column("x", Counts(n=kll.n), Types(fractional=kll.n), mean=0.0, m2=0.0, kll=kll)


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ({}, "unknown"),
        ({"integral": 71, "string": 29}, "integral"),
        ({"integral": 70, "string": 30}, "integral"),
        ({"integral": 35, "fractional": 25, "string": 40}, "fractional"),
        ({"integral": 20, "fractional": 20, "string": 60}, "string"),
        ({"string": 45, "integral": 40, "boolean": 15}, "string"),
        ({"boolean": 60, "integral": 40}, "boolean"),
        ({"integral": 30, "fractional": 30, "boolean": 40}, "fractional"),
        ({"boolean": 40, "object": 35, "integral": 25}, "unknown"),
    ],
)
def test_inferred_type(types, kind):
    assert inferred_type(NO_TYPES | types) == kind


@pytest.mark.parametrize(
    ("name", "kind", "discrete"),
    [
        ("norm", "fractional", False),
        ("uniq_int", "integral", False),
        ("small_int", "integral", True),
        ("cat", "string", True),
        ("uuid", "string", True),
        ("bool", "boolean", True),
        ("const", "fractional", False),
        ("mixed", "fractional", False),
        ("allnull", "unknown", True),
        ("date", "object", True),
    ],
)
def test_types_and_discreteness_of_every_kind(kinds, name, kind, discrete):
    statistics = column_statistics(kinds.column(name))
    assert (statistics.inferred_type, statistics.is_discrete) == (kind, discrete)


def test_what_is_not_known_is_none_and_zero_is_zero(kinds):
    null = column_statistics(kinds.column("allnull"))
    assert null.null_fraction == 1
    assert null.mean is null.stddev is null.minimum is null.maximum is null.median is None
    assert null.quantiles == {}
    assert null.type_fraction is None
    assert null.unique_estimate == 0
    date = column_statistics(kinds.column("date"))
    assert date.unique_estimate is None
    assert column_statistics(numbers(0, 0)).minimum == 0
    constant = column_statistics(kinds.column("const"))
    assert (constant.stddev, constant.mean, constant.minimum, constant.maximum) == (0, 3, 3, 3)


def test_an_infinity_makes_the_moments_unknown_and_not_the_rest(kinds):
    infinite = column_statistics(kinds.column("inf"))
    assert infinite.mean is infinite.stddev is None
    assert infinite.maximum == np.inf
    assert abs(infinite.median) < 0.1
    assert set(infinite.quantiles) == set(QUANTILE_RANKS)


def test_negative_columns_end_below_zero(kinds):
    negative = column_statistics(kinds.column("neg"))
    assert negative.minimum < negative.median < negative.maximum < 0
    assert histogram([kinds.column("neg")]).edges[-1] == negative.maximum


def test_bounds_of_large_integers_are_exact():
    base = numbers(2.0**60)
    column = Column("x", base.counts, Types(integral=1), ints_min=2**60, ints_max=2**60 + 1, kll=base.kll)
    assert column_statistics(column).minimum == 2**60
    assert column_statistics(column).maximum == 2**60 + 1


def test_insights_name_mixed_types_imbalance_and_nulls(kinds):
    found = {name: [i.kind for i in column_statistics(kinds.column(name)).insights] for name in kinds.column_names}
    assert found["mixed"] == ["mixed_types"]
    assert found["bool"] == ["imbalanced"]
    assert found["nulls"] == ["nulls"]
    assert found["norm"] == found["cat"] == []
    assert column_statistics(kinds.column("bool")).insights[0].text == "Imbalanced: “True” is 69.1 % of the values."


@pytest.mark.parametrize(("shares", "imbalanced"), [((51, 49), False), ((63, 37), True), ((51, 25, 24), True)])
def test_about_half_of_two_values_is_no_imbalance(shares, imbalanced):
    items = FrequentItemsSketch(list("abc"[: len(shares)]), np.array(shares), offset=0, total=100)
    column = Column("x", Counts(n=100), Types(string=100), frequent_items=items)
    assert [one.kind for one in column_statistics(column).insights] == ["imbalanced"] * imbalanced


def test_an_insight_never_rounds_up_to_all():
    items = FrequentItemsSketch(["a", "b" * 5000], np.array([999_999, 1]), offset=0, total=1_000_000)
    column = Column("x", Counts(n=1_000_000), Types(string=1_000_000), frequent_items=items)
    assert "99.9 %" in column_statistics(column).insights[0].text
    items = FrequentItemsSketch(["b" * 5000], np.array([5]), offset=0, total=5)
    text = column_statistics(Column("x", Counts(n=5), Types(string=5), frequent_items=items)).insights[0].text
    assert len(text) < 120
    assert "100 %" in text


# --- histograms


def test_columns_share_their_edges(kinds):
    shared = histogram([kinds.column("norm"), None, kinds.column("neg"), kinds.column("cat")], bins=60)
    assert len(shared.edges) == 61
    assert shared.edges[0] == kinds.column("neg").kll.min
    assert shared.edges[-1] == kinds.column("norm").kll.max
    assert shared.counts[1] is shared.counts[3] is None
    assert shared.counts[0].sum() == shared.counts[2].sum() == 10_000
    assert shared.fractions[0].sum() == pytest.approx(1)


def test_bins_hold_what_they_should():
    shared = histogram([numbers(0, 1, 2, 3, 3, 4)], bins=4)
    assert shared.edges.tolist() == [0, 1, 2, 3, 4]
    assert shared.counts[0].tolist() == [1, 1, 1, 3]


def test_a_constant_has_one_bin_around_it():
    shared = histogram([numbers(7, 7), numbers(7)])
    assert shared.edges.tolist() == [6.5, 7.5]
    assert [counts.tolist() for counts in shared.counts] == [[2], [1]]


def test_infinities_are_left_out_and_lower_the_fractions(kinds):
    shared = histogram([numbers(-np.inf, 0, 1, np.inf)], bins=2)
    assert shared.edges.tolist() == [0, 0.5, 1]
    assert shared.counts[0].tolist() == [1, 1]
    assert shared.fractions[0].tolist() == [0.25, 0.25]
    real = histogram([kinds.column("inf")])
    assert np.isfinite(real.edges).all()
    assert real.fractions[0].sum() == pytest.approx(0.99, abs=0.005)


@pytest.mark.parametrize(
    "values", [(-1.7e308, 1.7e308), (5e-324, 1e-323), (1e300, 1e300), (np.inf, np.inf), (0, 5e-324)]
)
def test_no_bins_overflow(values):
    shared = histogram([numbers(*values)])
    assert (np.diff(shared.edges) >= 0).all()
    if np.isfinite(values).all():
        assert shared.counts[0].sum() == 2


def test_nothing_to_draw_has_no_edges():
    shared = histogram([None, None])
    assert shared.edges.tolist() == []
    assert shared.counts == (None, None)


# --- compound metrics


def test_parts_of_a_compound_metric_are_columns_of_their_own(profile_bytes):
    text = read_profile(profile_bytes("edge-unicode-ranges.bin")).column("txt")
    length = text.others["unicode_range/string_length"]
    assert length.counts.n == text.counts.n
    assert length.kll.k == 256
    assert column_statistics(length).inferred_type == "integral"


def test_columns_that_whylogs_split_know_their_parent(profile_bytes):
    profile = read_profile(profile_bytes("edge-unicode-ranges.bin"))
    split = merge_profiles([profile, profile])
    names = (*split.column_names, "txt.emoticon", "txt.unicode_range.emoticon", "txt.other", "other.emoticon")
    object.__setattr__(split, "column_names", names)
    parents = [split.parent_of(name) for name in names]
    assert parents == [None, "txt", "txt", None, None]

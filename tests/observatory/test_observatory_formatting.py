import math

import pytest

from songbird_widgets.observatory import formatting as f


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.0, "0"),
        (0.004, "0.004"),
        (-0.004123456, "−0.004123"),
        (1379.1247, "1,379"),
        (12.4561, "12.46"),
        (2.5, "2.5"),
        (123456789, "123,456,789"),
        (0.00001234567, "1.235×10⁻⁵"),
        (-1.5e20, "−1.5×10²⁰"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (None, "–"),
        (1e-320, "1×10⁻³²⁰"),
    ],
)
def test_a_number_keeps_what_is_significant(value, written):
    assert f.number(value) == written


def test_numbers_that_stand_under_each_other_share_their_decimals_and_stay_distinct():
    assert f.numbers([1379.1247, 1379.4, 12.5]) == ["1,379.1", "1,379.4", "12.5"]
    assert f.numbers([-1.5, 2.0, 3.25]) == ["−1.50", "2.00", "3.25"]
    assert f.numbers([0.12345678, 0.12345679]) == ["0.12345678", "0.12345679"]
    assert f.numbers([0.004, 250.0, 0]) == ["0.004", "250.000", "0"]
    assert f.numbers([29.743820700001, 29.743820700002]) == ["29.74", "29.74"]  # no digit that is read tells them apart


def test_small_beside_large_is_never_written_as_zero():
    small, large = f.numbers([0.000213, 98765.4321])
    assert small not in {"0", "0.0", "0.00"}
    assert float(small) == pytest.approx(0.000213)
    assert large.startswith("98,765")


@pytest.mark.parametrize(
    ("fraction", "written"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50.0 %"),
        (0.00004, "0.004 %"),
        (0.99999, "99.999 %"),
        (0.12345, "12.3 %"),
        (1e-12, "1×10⁻¹⁰ %"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_share_is_all_or_nothing_only_if_it_is(fraction, written):
    assert f.percent(fraction) == written


def test_every_share_between_none_and_all_is_written_as_such():
    for exponent in range(1, 16):
        for digit in (1, 2.5, 4, 9.99):
            assert f.percent(digit * 10**-exponent / 10) != "0 %"
            assert f.percent(1 - digit * 10**-exponent / 10) != "100 %"


def test_times_are_dates_unless_they_have_a_time():
    assert f.timestamp(1373241600000) == "2013-07-08"
    assert f.timestamp(1373241660000) == "2013-07-08 00:01 UTC"
    assert f.day(1373241660000) == "2013-07-08"
    assert f.timestamp(0) == "1970-01-01"
    assert f.timestamp(-1) == "1969-12-31 23:59 UTC"
    assert f.timestamp(-62_135_596_800_000) == "0001-01-01"
    assert f.timestamp(-62_135_596_740_000) == "0001-01-01 00:01 UTC"
    assert f.timestamp(10**18) == "1000000000000000000 ms"
    assert f.timestamp(None) == "–"


def test_sizes():
    assert [f.size(n) for n in (0, 999, 4839, 151177, 14_200_000, 2_500_000_000)] == [
        "0 bytes",
        "999 bytes",
        "4.8 kB",
        "151 kB",
        "14.2 MB",
        "2.5 GB",
    ]


def test_text_is_clipped_in_the_middle_and_shows_no_control_characters():
    assert f.clipped("a\x00b\u202ec\nd") == "a�b�c␣d"
    assert f.clipped("") == "(empty)"
    assert (f.clipped("\u200b\x07"), len(f.clipped("\u200b" * 10_000_000))) == ("\\u200b\\x07", 80)
    assert (
        f.clipped("\U0001f469\u200d\U0001f4bb \u0915\u094d\u200d\u0937")
        == "\U0001f469\u200d\U0001f4bb \u0915\u094d\u200d\u0937"
    )
    assert f.clipped("day\u200dlight \u200d\U0001f4bb") == "day�light �\U0001f4bb"
    assert f.isolated("<b>\u05d0") == "<bdi>&lt;b&gt;\u05d0</bdi>"
    assert f.clipped("x" * 10_000_000, 21) == "x" * 10 + "…" + "x" * 10


def test_exact_is_what_is_stored():
    assert f.exact(0.1) == "0.1"
    assert f.exact(3.0) == "3"
    assert f.exact(1e300) == "1e+300"
    assert f.exact(None) == ""

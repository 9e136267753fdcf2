from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from songbird_widgets.observatory.query import PageQuery, parse
from songbird_widgets.observatory.trend_query import day_text, days_of, parse_trends

TOKEN = "session-0123456789"


def arguments_of(url):
    return parse_qs(urlsplit(url).query, keep_blank_values=True, max_num_fields=None)


def test_an_empty_query_is_the_default_page():
    assert parse({}) == PageQuery()
    assert PageQuery().url() == "profiles"
    assert PageQuery().url(".json") == "profiles.json"


def test_the_old_parameters_are_understood():
    asked = parse(
        {
            "profile": ["ref-a", "1373241600000", "ref-a"],
            "sessionToken": [TOKEN],
            "feature-highlight": ["x", "y"],
            "limit": ["30"],
            "offset": ["60"],
        }
    )
    assert asked.profiles == ("ref-a", "1373241600000")
    assert asked.token == TOKEN
    assert asked.highlights == ("x", "y")
    assert (asked.limit, asked.offset) == (30, 60)


@pytest.mark.parametrize("nonsense", ["", "-1", "x", "9" * 5000, "\uff11\uff12", "1_0", "0x10", "1e3", "null"])
def test_numbers_that_mean_nothing_are_passed_over(nonsense):
    asked = parse({"limit": [nonsense], "offset": [nonsense], "bins": [nonsense]})
    assert (asked.limit, asked.offset, asked.bins) == (50, 0, 30)


def test_words_that_mean_nothing_are_passed_over():
    asked = parse({"sort": ["evil"], "show": ["evil", "missing"], "type": ["evil"], "theme": ["evil"]})
    assert (asked.sort, asked.show, asked.types, asked.theme) == ("", ("missing",), (), "")


text = st.text(max_size=20)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(
        PageQuery,
        profiles=st.lists(text.filter(bool), unique=True, max_size=4).map(tuple),
        token=text,
        search=text.map(str.strip),
        highlights=st.lists(text, unique=True, max_size=3).map(tuple),
        sort=st.sampled_from(["name", "mean", "drift"]),
        descending=st.booleans(),
        limit=st.integers(1, 1000),
        offset=st.integers(0, 99999),
        show=st.sampled_from([(), ("missing",), ("drifted", "discrete")]),
        types=st.sampled_from([(), ("string",)]),
        column=st.none() | text,
        bins=st.sampled_from([30, 60, 90]),
        counts=st.booleans(),
        log=st.booleans(),
        theme=st.sampled_from(["", "dark"]),
    )
)
def test_a_url_leads_back_to_the_same_page(asked):
    assert parse(arguments_of(asked.url())) == asked


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.text())
def test_urls_are_relative_and_hold_no_raw_text(profile, column):
    url = PageQuery(profiles=(profile,), column=column).url()
    assert url.startswith("profiles?")
    assert not set(url) & set("\"'<> \n\r\t#\\")


def test_sorting_again_turns_round_and_leads_to_the_first_page():
    asked = PageQuery(offset=100)
    once = parse(arguments_of(asked.sorted_by("mean")))
    assert (once.sort, once.descending, once.offset) == ("mean", True, 0)
    twice = parse(arguments_of(once.sorted_by("mean")))
    assert (twice.sort, twice.descending) == ("mean", False)
    assert parse(arguments_of(twice.sorted_by("name"))).descending is False


def test_hidden_fields_carry_all_but_what_the_form_asks_for():
    asked = PageQuery(profiles=("a", "b"), token=TOKEN, search="x", sort="mean", offset=50)
    assert asked.hidden("q", "offset") == [
        ("profile", "a"),
        ("profile", "b"),
        ("sessionToken", TOKEN),
        ("sort", "mean"),
    ]


def test_a_repr_shows_no_token():
    assert TOKEN not in repr(PageQuery(profiles=("a",), token=TOKEN))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2024", ("2024-01-01", "2024-12-31")),
        ("2024-02", ("2024-02-01", "2024-02-29")),
        ("2023-12-", ("2023-12-01", "2023-12-31")),
        ("2024-02-29", ("2024-02-29", "2024-02-29")),
        ("02-29", ("", "")),
        ("2024-13", ("", "")),
        ("٢٠٢٤", ("", "")),
    ],
)
def test_a_search_for_a_part_of_the_calendar_is_a_range_of_days(text, days):
    assert tuple(map(day_text, days_of(text))) == days


def test_the_page_of_many_days_keeps_what_it_was_asked_for():
    asked = {
        "profile": ["ref-1"],
        "from": ["2024-02-01"],
        "to": ["2024-01-01"],
        "column": ["a&b", ""],
        "sort": ["score"],
    }
    query = parse_trends(asked)
    assert (day_text(query.start), day_text(query.end)) == ("2024-01-01", "2024-02-01")
    again = parse_trends(parse_qs(urlsplit(query.url(offset=50)).query, keep_blank_values=True))
    assert (again.columns, again.sort, again.offset, again.baseline) == (("a&b", ""), "score", 50, "ref-1")
    assert parse_trends({"sort": ["evil"], "from": ["9999999999999999"], "limit": ["1_0"]}) == parse_trends({})

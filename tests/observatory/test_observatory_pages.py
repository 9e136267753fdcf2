"""Pages and their data in every state that profiles can be in."""

import gzip
import re
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

ODDITIES = Path(__file__).parents[1] / "profiles" / "data"
FLIGHTS = Path(__file__).parents[2] / "examples" / "profiles"
JULY_8, DAY_MS = 1373241600000, 86_400_000


def soup(response):
    return BeautifulSoup(response.text, "html.parser")


def names(response):
    return [link.get_text() for link in soup(response).select("table.columns tbody th.name a")]


@pytest.fixture(scope="module")
def chosen(flights):
    return flights.profiles["july"], str(JULY_8), str(JULY_8 + DAY_MS)


# What the page holds


def test_the_page_shows_up_to_three_profiles_by_letter_and_name(flights, chosen):
    for count in (1, 2, 3):
        page = soup(flights.page(*chosen[:count]))
        cards = page.select("article.profile")
        assert [card.select_one(".badge").text for card in cards] == ["P1", "P2", "P3"][:count]
        assert [card.h2.text for card in cards] == ["july", "2013-07-08", "2013-07-09"][:count]
        for body in page.select("table.columns tbody"):
            assert [who.text for who in body.select("th.who")] == ["P1", "P2", "P3"][:count]


def test_the_order_of_the_url_is_the_order_of_the_page(flights, chosen):
    cards = soup(flights.page(*reversed(chosen))).select("article.profile h2")
    assert [card.text for card in cards] == ["2013-07-09", "2013-07-08", "july"]


def test_a_fourth_profile_is_refused_with_what_to_do(flights, chosen):
    answer = flights.page(*chosen, flights.profiles["first-quarter"])
    assert answer.status_code == 400
    assert "At most three" in answer.text
    answer = flights.page(*chosen, flights.profiles["first-quarter"], form=".json")
    assert answer.status_code == 400
    assert answer.json()["type"] == "InvalidArgument"


def test_a_batch_is_known_by_any_time_of_its_day(flights):
    late = flights.json(str(JULY_8 + DAY_MS - 1))
    assert late["profiles"][0]["label"] == "2013-07-08"


def test_nothing_chosen_lists_the_sessions_profiles(flights):
    page = soup(flights.page())
    boxes = page.select("input[type=checkbox][name=profile]")
    assert {box["value"] for box in boxes} >= {*flights.profiles.values(), str(JULY_8)}
    labels = [box.find_parent("label").get_text(" ", strip=True) for box in boxes]
    assert labels[0].startswith("first-quarter")
    assert labels[2].startswith("2013-07-14")
    answer = flights.page(form=".json")
    assert answer.status_code == 400
    assert "profile" in answer.json()["message"]


def test_a_session_without_profiles_says_how_to_upload(guest):
    answer = guest.page()
    assert answer.status_code == 200
    assert "session.upload()" in answer.text


# Search, order, pages


def test_search_filters_and_highlights_narrow_the_rows(flights, chosen):
    assert names(flights.page(*chosen, q="TIME", sort="name")) == [
        "air_time",
        "arr_time",
        "dep_time",
        "sched_arr_time",
        "sched_dep_time",
    ]
    assert names(flights.page(*chosen, sort="name", **{"feature-highlight": ["origin", "dest"]})) == ["dest", "origin"]
    strings = names(flights.page(*chosen, type="string", sort="name"))
    assert strings == ["carrier", "dest", "origin", "tailnum"]
    discrete = names(flights.page(*chosen, show="discrete"))
    other = names(flights.page(*chosen, show="non-discrete"))
    assert sorted(discrete + other) == names(flights.page(*chosen, sort="name"))
    nothing = flights.page(*chosen, q="no such column")
    assert nothing.status_code == 200
    assert "No column matches" in nothing.text


def test_rows_are_ordered_by_any_figure_of_p1_and_absent_ones_come_last(flights, chosen):
    for key, field in (
        ("mean", "mean"),
        ("nulls", "nullFraction"),
        ("unique", "uniqueEstimate"),
        ("max", "max"),
    ):
        for order in ("asc", "desc"):
            columns = flights.json(*chosen, sort=key, order=order)["columns"]
            values = [column["profiles"]["P1"][field] for column in columns]
            known = [value for value in values if value is not None]
            assert known == sorted(known, reverse=order == "desc")
            assert values == known + [None] * (len(values) - len(known))
    sort = soup(flights.page(*chosen, sort="mean", order="desc")).select("th[aria-sort]")
    assert [(head.get_text(strip=True)[:4], head["aria-sort"]) for head in sort] == [("Mean", "descending")]


def test_pages_of_columns_follow_each_other(flights, chosen):
    seen = []
    url = flights.url(*chosen, limit=5)
    while url:
        response = flights.http.get(url)
        seen += names(response)
        following = soup(response).select_one("a[rel=next]")
        url = following and urljoin(url, following["href"])
    assert seen == names(flights.page(*chosen))
    assert len(seen) == 16
    beyond = flights.page(*chosen, limit=5, offset=5000)
    assert names(beyond) == seen[-1:]


@pytest.mark.slow
def test_every_link_and_form_of_the_page_is_relative_and_answers(flights, chosen):
    url = flights.url(*chosen, q="e")
    page = soup(flights.http.get(url))
    addresses = {link["href"] for link in page.select("a[href]")} | {form["action"] for form in page.select("form")}
    addresses |= {tag["src"] for tag in page.select("[src]")} | {tag["href"] for tag in page.select("link[href]")}
    for address in addresses:
        assert not re.match(r"[a-z]+:|/", address), address
        if not address.startswith("#"):
            assert flights.http.get(urljoin(url, address)).status_code in {200, 401}, address


def test_moving_profiles_is_a_matter_of_links(flights, chosen):
    url = flights.url(*chosen, q="time", sort="mean")
    page = soup(flights.http.get(url))
    baseline = page.select("article.p2 .actions a")[0]
    asked = parse_qs(urlsplit(baseline["href"]).query)
    assert asked["profile"] == [chosen[1], chosen[0], chosen[2]]
    assert asked["q"] == ["time"]
    remove = page.select("article.p2 .actions a")[1]
    assert parse_qs(urlsplit(remove["href"]).query)["profile"] == [chosen[0], chosen[2]]
    form = page.select_one("article.p2 form")
    fields = [(field["name"], field.get("value", "*")) for field in form.select("input[type=hidden], select")]
    assert [value for name, value in fields if name == "profile"] == [chosen[0], "*", chosen[2]]
    assert ("sessionToken", flights.id) in fields
    used = {option["value"] for option in form.select("option[disabled]")}
    assert used == {chosen[0], chosen[2]}


# States


def test_a_reference_that_never_arrived(guest):
    profile = guest.reference("train", None)
    answer = guest.page(profile)
    assert answer.status_code == 404
    assert "never arrived" in answer.text
    assert "train" in answer.text
    answer = guest.page(profile, form=".json")
    assert answer.status_code == 404
    assert answer.json().keys() == {"message", "requestId", "type"}
    assert "announced" in answer.json()["message"]


def test_a_batch_that_never_arrived_and_one_that_never_was(guest):
    assert "never arrived" in guest.page(guest.batch(JULY_8, None)).text
    answer = guest.page(str(JULY_8 + DAY_MS))
    assert answer.status_code == 404
    assert "no such batch" in answer.text


@pytest.mark.parametrize("value", ["ref-nonsense", "-", "9" * 15, "9" * 16, "9" * 400, "0", "-5", "<b>x</b>", "é"])
def test_a_profile_that_is_unknown(guest, value):
    answer = guest.page(value)
    assert answer.status_code == 404
    assert "There is no such" in answer.text
    assert "<b>x</b>" not in answer.text


def damaged():
    whole = (FLIGHTS / "batch-2013-07-08.bin").read_bytes()
    return {
        "text": b"hello, this is text",
        "html": b"<!doctype html><p>sign in",
        "nothing": b"",
        "truncated": whole[:700],
        "zip": (ODDITIES / "edge-segments.zip").read_bytes(),
        "magic": b"WHY1" + b"\xff" * 400,
    }


@pytest.mark.parametrize("name", damaged())
def test_a_file_that_cannot_be_read_says_what_it_is(guest, name):
    profile = guest.reference(name, damaged()[name])
    answer = guest.page(profile)
    assert answer.status_code == 422
    assert "cannot be read" in answer.text
    said = guest.page(profile, form=".json")
    assert said.status_code == 422
    assert said.json()["type"] == "UnreadableProfile"


def test_a_profile_of_version_0_is_shown(guest):
    answer = guest.page(guest.reference("v0", (ODDITIES / "edge-v0.bin").read_bytes()), form=".json")
    assert answer.status_code == 200
    assert answer.json()["profiles"][0]["rows"] == 10_000


def test_a_column_that_cannot_be_read_leaves_the_others(guest):
    whole = (FLIGHTS / "batch-2013-07-08.bin").read_bytes()
    profile = guest.reference("cut", whole[:-4000] + b"\xff" * 4000)
    answer = guest.page(profile)
    assert answer.status_code == 200
    rows = soup(answer).select("table.columns tbody tr")
    broken = [row for row in rows if row.select_one(".absent")]
    assert broken
    assert len(broken) < len(rows)
    assert all("Cannot be read" in row.text for row in broken)


def test_one_bad_profile_leaves_the_others(guest):
    good = guest.batch(JULY_8, (FLIGHTS / "batch-2013-07-08.bin").read_bytes())
    bad = guest.reference("bad", b"hello")
    never = guest.reference("never", None)
    answer = guest.page(bad, good, never)
    assert answer.status_code == 200
    page = soup(answer)
    assert len(page.select("article .problem")) == 2
    assert {who.text for who in page.select("table.columns tbody th.who")} == {"P2"}
    data = guest.json(bad, good, never)
    assert [one["problem"] and one["problem"]["type"] for one in data["profiles"]] == [
        "UnreadableProfile",
        None,
        "ResourceNotFound",
    ]


def test_an_empty_profile_says_that_it_is_empty(guest):
    without_rows = guest.reference("no rows", (ODDITIES / "edge-empty.bin").read_bytes())
    without_columns = guest.reference("no columns", b"WHY1\x00\x06\x0a\x04\x08\x01\x10\x01")
    for profile, columns in ((without_rows, ["a"]), (without_columns, [])):
        answer = guest.page(profile)
        assert answer.status_code == 200
        assert "is empty: nothing was logged into it" in answer.text
        assert [column["name"] for column in guest.json(profile)["columns"]] == columns
    assert "hold no columns" in answer.text


def test_a_segment_names_its_tags(guest):
    profile = guest.reference("part", (ODDITIES / "edge-segment.bin").read_bytes())
    segment = guest.json(profile)["profiles"][0]["segment"]
    assert segment
    key, value = next(iter(segment.items()))
    assert f"{key} = {value}" in guest.page(profile).text


def test_columns_missing_from_a_profile_say_so(guest):
    kinds = guest.reference("kinds", (ODDITIES / "edge-kinds.bin").read_bytes())
    july = guest.batch(JULY_8, (FLIGHTS / "batch-2013-07-08.bin").read_bytes())
    page = soup(guest.page(kinds, july))
    rows = page.select("table.columns tbody")
    assert len(rows) == 31
    assert all(len(row.select(".absent")) == 1 for row in rows)
    assert len(names(guest.page(kinds, july, show="only-in-one"))) == 31


def test_a_hostile_alias_is_text(guest):
    alias = "<img src=x onerror=alert(1)>\"'\u202e&amp; =1+1"
    profile = guest.reference(alias, (ODDITIES / "edge-tiny.bin").read_bytes())
    for answer in (guest.page(profile), guest.page()):
        assert "<img" not in answer.text
        assert "\u202e" not in answer.text
        assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text
    rows = guest.page(guest.reference("=cmd|' /C calc'!A0", (ODDITIES / "edge-tiny.bin").read_bytes()), form=".csv")
    assert "'=cmd" in rows.text
    assert ",=cmd" not in rows.text


def test_a_name_too_long_for_a_url_is_shown_without_a_link(guest):
    whole = (FLIGHTS / "batch-2013-07-08.bin").read_bytes()
    profile = guest.reference("long", with_a_column_named(whole, "x" * 100_000))
    answer = guest.page(profile)
    assert answer.status_code == 200
    assert len(answer.text) < 400_000
    assert soup(answer).select_one("table.columns .name strong").text.startswith("xxx")


def with_a_column_named(whole, name):
    """The profile `whole` with one more column, whose chunk is that of its first one."""
    position = whole.index(b"WHY1") + 4
    segment, position = varint(whole, position)
    head = position + segment
    size, begin = varint(whole, head)
    entry = b"\x0a" + encoded(len(name)) + name.encode() + b"\x12\x02\x0a\x00"
    header = whole[begin : begin + size] + b"\x12" + encoded(len(entry)) + entry
    return whole[:head] + encoded(len(header)) + header + whole[begin + size :]


def varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


def encoded(value):
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def test_a_kept_summary_that_was_damaged_is_made_anew(guest, service):
    profile = guest.reference("july", (FLIGHTS / "reference-july.bin").read_bytes())
    right = guest.json(profile)
    kept = service.directory / "summaries"
    path = kept / right["profiles"][0]["uploads"][0]["sha256"][:2] / right["profiles"][0]["uploads"][0]["sha256"]
    for place in (1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8):
        other = guest.reference(f"the same, {place}", (FLIGHTS / "reference-july.bin").read_bytes())
        content = bytearray(path.read_bytes())
        content[int(len(content) * place)] ^= 255
        path.write_bytes(content)
        assert guest.json(other)["columns"] == right["columns"]
        assert guest.page(other).status_code == 200


def test_a_damaged_upload_spoils_only_itself_and_is_named(guest):
    whole = (FLIGHTS / "batch-2013-07-08.bin").read_bytes()
    guest.batch(JULY_8, whole)
    guest.batch(JULY_8 + 3_600_000, b"no profile at all")
    other = (FLIGHTS / "batch-2013-07-09.bin").read_bytes()
    day = guest.batch(JULY_8, other)
    (shown,) = guest.json(day)["profiles"]
    rows = [
        guest.json(guest.reference(str(len(content)), content))["profiles"][0]["rows"] for content in (whole, other)
    ]
    assert shown["rows"] == sum(rows)
    (damaged,) = shown["damaged"]
    assert damaged["upload"] == f"{shown['uploads'][1]['id']}, 2013-07-08 01:00 UTC"
    said = soup(guest.page(day)).select_one("article.profile .problem").text
    assert "Shown without 1 upload (" in said
    assert damaged["upload"] in said


# Form of the answers


def test_answers_are_compressed_where_it_is_understood(flights, chosen):
    url = flights.url(*chosen)
    plain = flights.http.get(url, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    with flights.http.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as small:
        assert small.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(b"".join(small.iter_raw())).decode() == plain.text


def test_head_answers_like_get_without_a_body(flights, chosen):
    for form in ("", ".json", ".csv"):
        url = flights.url(*chosen, form=form)
        head = flights.http.head(url, headers={"Accept-Encoding": "identity"})
        whole = flights.http.get(url, headers={"Accept-Encoding": "identity"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]


def test_static_files_are_kept_by_their_version(flights):
    page = soup(flights.page())
    for tag, attribute in (("link[rel=stylesheet]", "href"), ("script", "src"), ("link[rel=icon]", "href")):
        url = urljoin(flights.url(), page.select_one(tag)[attribute])
        answer = flights.http.get(url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", answer.text)
    assert flights.http.get(f"{flights.base}/static/../app.py").status_code == 404
    assert flights.http.get(f"{flights.base}/static/missing.css").status_code == 404


def test_an_address_with_a_nul_character_is_refused(flights):
    assert flights.page("\x00").status_code == 400


def test_the_session_page_finds_references_by_name_and_days_by_date(guest):
    for alias in ("Train_1", "trainX1", "100 %"):
        guest.reference(alias, (FLIGHTS / "reference-july.bin").read_bytes())
    for day in range(3):
        guest.batch(JULY_8 + day * 30 * DAY_MS, (FLIGHTS / "batch-2013-07-08.bin").read_bytes())

    def found(search):
        return [label.get_text() for label in soup(guest.page(q=search)).select("ul.choose label span:first-of-type")]

    assert found("TRAIN_") == ["Train_1"]
    assert found("%") == ["100 %"]
    assert found("2013-08") == ["2013-08-07"]
    assert found("09-0") == ["2013-09-06"]
    assert found("nobody") == []

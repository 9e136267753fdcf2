from __future__ import annotations

import pytest

from songbird_widgets.panels import ProfilePicker
from songbird_widgets.session import Session

FIRST_BATCH = 2  # the two references were added first


@pytest.fixture
def picker(uploaded):
    return ProfilePicker(uploaded)


def chosen(picker):
    return [one["label"] for one in picker.picker_facts["chosen"]]


def test_choosing_here_is_the_sessions_selection(picker, uploaded, say):
    say(picker, {"do": "choose", "number": 1})
    assert [p.label for p in uploaded.selection] == ["july"]
    assert chosen(picker) == ["july"]
    say(picker, {"do": "release", "number": 1})
    assert uploaded.selection == ()
    assert chosen(picker) == []


def test_selecting_in_code_shows_here(picker, uploaded):
    uploaded.select("2013-07-10", "july")
    assert chosen(picker) == ["july", "2013-07-10"]


def test_two_pickers_stay_in_step(picker, uploaded, say):
    other = ProfilePicker(uploaded)
    say(other, {"do": "choose", "number": 0})
    assert chosen(picker) == chosen(other) == ["first-quarter"]


def test_a_fourth_is_refused_in_words_and_nothing_changes(picker, uploaded, say, failure):
    for number in (1, FIRST_BATCH, FIRST_BATCH + 1):
        say(picker, {"do": "choose", "number": number})
    assert failure(picker) == ""
    before = uploaded.selection
    say(picker, {"do": "choose", "number": FIRST_BATCH + 2})
    assert "at most 3" in failure(picker)
    assert "july" in failure(picker)
    assert uploaded.selection == before
    say(picker, {"do": "release", "number": 1})
    assert failure(picker) == ""


def test_a_fourth_can_take_the_place_of_one(picker, uploaded, say, failure):
    uploaded.select("july", "2013-07-08", "2013-07-09")
    say(picker, {"do": "replace", "number": FIRST_BATCH + 4, "place": 1})
    assert chosen(picker) == ["july", "2013-07-12", "2013-07-09"]
    say(picker, {"do": "replace", "number": FIRST_BATCH, "place": 7})
    assert "no longer chosen" in failure(picker)
    assert chosen(picker) == ["july", "2013-07-12", "2013-07-09"]


def test_the_order_can_be_changed(picker, uploaded, say):
    uploaded.select("2013-07-08", "2013-07-09", "2013-07-10")
    say(picker, {"do": "swap", "place": 2})
    assert chosen(picker) == ["2013-07-08", "2013-07-10", "2013-07-09"]
    say(picker, {"do": "swap", "place": 1})
    assert [p.label for p in uploaded.selection] == ["2013-07-10", "2013-07-08", "2013-07-09"]


def test_a_day_is_chosen_with_all_its_uploads(session, say, flights):
    for hour in (1, 2, 5):
        data = (flights / f"batch-2013-07-{8 + hour:02d}.bin").read_bytes()
        session.add(data, timestamp=f"2013-07-08T{hour:02d}:00:00Z")
    picker = ProfilePicker(session)
    say(picker, {"do": "choose", "number": 1})
    (one,) = picker.picker_facts["chosen"]
    assert (one["label"], one["uploads"]) == ("2013-07-08", 3)
    assert one["rows"] == sum(p.rows for p in session.profiles)
    say(picker, {"do": "release", "number": 2})  # another upload of the day
    assert picker.picker_facts["chosen"] == []


def test_each_answer_settles_what_the_browser_showed_early(picker, say, failure):
    picker.comm.sent.clear()
    say(picker, {"do": "choose", "number": 99})
    assert "no longer in the session" in failure(picker)
    assert {"ack": 1} in [message["data"].get("content") for message in picker.comm.sent]


def test_numbers_stay_when_profiles_come(picker, uploaded, say, flights):
    uploaded.add(flights / "batch-2013-07-08.bin", alias="more")
    say(picker, {"do": "choose", "number": 1})
    assert chosen(picker) == ["july"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "choose",
        [],
        {},
        {"do": None},
        {"do": "__init__"},
        {"do": "choose"},
        {"do": "choose", "number": {"a": 1}},
    ],
)
def test_nonsense_from_the_browser_changes_nothing(picker, uploaded, say, content):
    say(picker, content)
    assert uploaded.selection == ()


def test_rows_are_sent_once_and_states_alone_after_that(session, flights):
    picker = ProfilePicker(session)
    session.add(flights / "batch-2013-07-08.bin")
    picker.comm.sent.clear()
    session.upload()
    names = {name for message in picker.comm.sent for name in message["data"].get("state", {})}
    assert picker.states == b"\x02"
    assert "rows" not in names


def test_a_closed_picker_follows_no_longer(picker, uploaded):
    picker.close()
    uploaded.select("july")
    assert chosen(picker) == []


@pytest.mark.parametrize("text", ["2013-07-10", "1373414400000", " july ", "2013-07-10T08:30:00Z"])
def test_what_is_typed_is_chosen(picker, say, eventually, text):
    say(picker, {"do": "enter", "text": text})
    assert eventually(lambda: chosen(picker)) in (["2013-07-10"], ["july"])


def test_what_another_kernel_uploaded_can_be_typed(own, say, eventually, flights):
    picker = ProfilePicker(own)
    with Session(session_id=own.session_id) as other:
        other.add(flights / "batch-2013-07-08.bin", alias="from elsewhere")
        other.upload()
    say(picker, {"do": "enter", "text": "from elsewhere"})
    assert eventually(lambda: chosen(picker)) == ["from elsewhere"]


def test_what_is_typed_and_nowhere_is_said(picker, uploaded, say, eventually, failure):
    say(picker, {"do": "enter", "text": "nonsense"})
    assert "nonsense" in eventually(lambda: failure(picker))
    assert uploaded.selection == ()

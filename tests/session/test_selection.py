"""Which profile is meant, and that three is the most."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
import traitlets

from songbird_widgets.basics import DAY_MS as DAY
from songbird_widgets.session import SelectionError
from songbird_widgets.session.models import SessionProfile
from songbird_widgets.session.selection import arrange, extend, resolve, timestamp_of

JULY_8 = 1373241600000


def batch(key, timestamp, state="uploaded"):
    label = datetime.fromtimestamp(timestamp / 1000, timezone.utc).strftime("%Y-%m-%d")
    return SessionProfile(key=key, kind="batch", label=label, state=state, dataset_timestamp=timestamp)


def reference(key, alias, profile_id=None):
    return SessionProfile(
        key=key,
        kind="reference",
        label=alias,
        state="uploaded",
        alias=alias,
        profile_id=profile_id or f"ref-{key}",
    )


ALL = (
    reference("r1", "july", "ref-zv5Q"),
    reference("r2", "quarter"),
    batch("b8", JULY_8),
    batch("b9", JULY_8 + DAY),
    batch("b9late", JULY_8 + DAY + 3_600_000),
    batch("b10", JULY_8 + 2 * DAY + 7),
)


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("july", "r1"),
        (" july ", "r1"),
        ("ref-zv5Q", "r1"),
        ("ref-r2", "r2"),
        (ALL[0], "r1"),
        ("2013-07-08", "b8"),
        ("2013-07-08T23:59:59.999Z", "b8"),
        ("2013-07-08 10:00", "b8"),
        ("2013-07-09T01:00:00+02:00", "b8"),
        ("2013-07-08T20:00:00-0400", "b9"),
        (date(2013, 7, 8), "b8"),
        (datetime.fromisoformat("2013-07-08T12:00"), "b8"),  # without a zone it is UTC
        (datetime(2013, 7, 8, 22, 30, tzinfo=timezone(timedelta(hours=-2))), "b9"),
        (JULY_8, "b8"),
        (str(JULY_8), "b8"),
        (float(JULY_8), "b8"),
        (np.int64(JULY_8), "b8"),
        (np.datetime64("2013-07-08"), "b8"),
        (np.datetime64("2013-07-08T05:00:00"), "b8"),
        (JULY_8 + DAY - 1, "b8"),
        ("2013-07-09", "b9"),
        ("20130709", "b9"),
        (JULY_8 + DAY + 3_600_000, "b9late"),
        ("2013-07-10", "b10"),
    ],
)
def test_every_way_to_name_a_profile(what, key):
    assert resolve(what, ALL).key == key


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nobody", r"No profile has the alias or id 'nobody'.*'july' and 'quarter'; batches '2013-07-08'"),
        ("", "No profile has the alias or id ''"),
        ("2013-07-20", r"There is no batch of 2013-07-20 \(UTC\)"),
        (date(2014, 1, 1), "There is no batch of 2014-01-01"),
        ("2013-13-45", "looks like an ISO date but is none: month must be in 1..12"),
        (JULY_8 // 1000, r"1373241600 looks like seconds;.* it is 1373241600000 \(2013-07-08 UTC\)"),
        (str(JULY_8 // 1000), "looks like seconds"),
        ("20131345", "looks like an ISO date but is none"),
        (20130708, r"looks like a date;.* it is 1373241600000 \(2013-07-08 UTC\)"),
        (JULY_8 * 1000, r"looks like microseconds;.* it is 1373241600000 "),
        (JULY_8 * 1_000_000, r"looks like nanoseconds;.* it is 1373241600000 "),
        (10**30, "is beyond the calendar"),
        (True, "True is neither a name nor a time"),
        (1.5, "A float is neither"),
        (float("nan"), "A float is neither"),
        (None, "A NoneType is neither"),
        (b"july", "A bytes is neither"),
        (["july"], "A list is neither"),
        (np.datetime64("NaT", "ms"), "NaT is no time"),
        (SessionProfile(key="x", kind="batch", label="other"), "'other' is not a profile of this session"),
    ],
)
def test_what_means_nothing_is_refused_with_what_there_is(what, message):
    with pytest.raises(SelectionError, match=message):
        resolve(what, ALL)


def test_nothing_to_select_from_says_how_to_get_something():
    with pytest.raises(SelectionError, match=r"no profiles yet: add some with session\.add"):
        resolve("july", ())


def test_one_alias_of_two_references_means_the_newest():
    earlier, later = (replace(reference(key, "july"), upload_timestamp=when) for key, when in (("r3", 5), ("r4", 9)))
    waiting = replace(earlier, key="r5", state="failed", upload_timestamp=None, profile_id=None)
    assert resolve("july", (later, earlier)).key == "r4"
    assert resolve(" july", (waiting, later, earlier)).key == "r5"
    assert resolve("ref-r3", (later, earlier)).key == "r3"


def test_a_name_that_is_the_id_of_one_and_the_alias_of_another_is_ambiguous():
    twice = (*ALL, reference("r3", "ref-zv5Q", "ref-other"))
    with pytest.raises(SelectionError, match=r"each of 2 references: ref-zv5Q, ref-other\. Select one by its id"):
        resolve("ref-zv5Q", twice)


def test_an_alias_that_looks_like_a_date_is_an_alias():
    assert resolve("2013-07-08", (*ALL, reference("rd", "2013-07-08"))).key == "rd"


def test_a_number_is_a_time_and_its_text_an_alias_first():
    there = (*ALL, reference("rn", "1373760000000"), reference("rm", str(JULY_8)))
    assert resolve(str(JULY_8), there).key == "rm"
    assert resolve(JULY_8, there).kind == "batch"
    with pytest.raises(SelectionError, match=r"no batch of 2013-07-14 \(UTC\)\. The alias .* text: '1373760000000'"):
        resolve(1373760000000, there)


def test_a_small_timestamp_that_is_there_is_no_seconds():
    assert resolve(200_000_000, (*ALL, batch("early", 200_000_000))).key == "early"


def test_of_one_day_the_uploaded_batch_stands_for_it():
    day = (batch("a", JULY_8, "failed"), batch("b", JULY_8 + 5))
    assert resolve("2013-07-08T12:00", day).key == "b"


def test_a_selection_keeps_its_order_with_one_batch_a_day():
    assert [item.key for item in arrange([ALL[3], ALL[0], ALL[4]])] == ["b9", "r1"]


def test_what_is_added_to_a_selection_is_put_references_first_unless_it_has_another_order():
    assert [item.key for item in extend([ALL[3]], [ALL[0]])] == ["r1", "b9"]
    assert [item.key for item in extend([ALL[3], ALL[0]], [ALL[1]])] == ["b9", "r1", ALL[1].key]


def test_a_fourth_is_refused_naming_what_is_selected_and_what_to_drop():
    with pytest.raises(SelectionError) as caught:
        extend(ALL[:3], [ALL[5]])
    text = str(caught.value)
    assert "'2013-07-10' would make 4" in text
    assert "Selected now: 'july', 'quarter' and '2013-07-08'" in text
    assert "session.deselect('2013-07-08')" in text


def test_four_at_once_are_refused_naming_them():
    with pytest.raises(SelectionError, match=r"4 profiles are too many: at most 3.*Choose 3 of 'july', 'quarter',"):
        extend((), [ALL[0], ALL[1], ALL[2], ALL[5]])


def test_what_is_selected_already_takes_no_place():
    assert extend(ALL[:3], [ALL[0], ALL[2]]) == ALL[:3]
    assert len(extend((ALL[0], ALL[1], ALL[3]), [ALL[4]])) == 3


def test_the_error_is_what_traitlets_and_python_expect():
    assert issubclass(SelectionError, (traitlets.TraitError, ValueError))


@pytest.mark.parametrize("nasty", ["\x00", "a\u202eb", "a\nb", "x" * 10_000_000, "<script>", "\ud800"])
def test_hostile_names_come_back_in_one_short_line(nasty):
    with pytest.raises(SelectionError) as caught:
        resolve(nasty, (reference("r", nasty + "!"),))
    text = str(caught.value)
    assert len(text) < 500
    assert not set(text) & set("\x00\u202e\n\ud800")


def test_times_for_add():
    assert timestamp_of("2013-07-08") == timestamp_of("20130708") == JULY_8
    assert timestamp_of("20200229") == timestamp_of("2020-02-29")
    assert timestamp_of(datetime(2013, 7, 8, tzinfo=timezone.utc)) == JULY_8
    assert timestamp_of(str(JULY_8)) == JULY_8
    with pytest.raises(SelectionError, match="neither an ISO date nor milliseconds"):
        timestamp_of("yesterday")
    with pytest.raises(SelectionError, match="looks like seconds"):
        timestamp_of(JULY_8 // 1000)
    for moment in (True, None, [JULY_8]):
        with pytest.raises(SelectionError, match="A timestamp is milliseconds since 1970"):
            timestamp_of(moment)

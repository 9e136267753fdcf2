"""The comparison of what is selected: from bytes at hand, or from the service."""

from __future__ import annotations

import pytest

from songbird_widgets import ComparisonResult, compare, dashboard
from songbird_widgets.session import SelectionError, Session, SessionError, SessionProfile


def test_what_is_selected_is_compared_and_the_first_is_the_baseline(session, profiles):
    session.add(profiles / "reference-july.bin", alias="july")
    session.add(profiles / "reference-first-quarter.bin", alias="first quarter")
    with pytest.raises(SelectionError, match="Nothing is selected"):
        session.compare()
    session.selection = ("july", "first quarter")
    result = session.compare()
    assert isinstance(result, ComparisonResult)
    assert result.labels == ("july", "first quarter")
    expected = compare(
        {"july": profiles / "reference-july.bin", "first quarter": profiles / "reference-first-quarter.bin"}
    )
    assert result.to_dict() == expected.to_dict()
    assert session.state == "new"  # nothing was uploaded or asked for it
    assert session.current_comparison is session.compare() is result
    session.selection = ("first quarter", "july")
    assert session.current_comparison is None
    assert session.compare().labels == ("first quarter", "july")


def test_a_continued_session_compares_what_the_service_gives_back(full):
    full.select("july", "2013-07-08")
    here = full.compare().to_dict()
    with Session(session_id=full.session_id) as again:
        again.select("july", "2013-07-08")
        assert again.compare().to_dict() == here


def test_a_day_is_compared_with_all_its_uploads_wherever_their_bytes_are(session, profiles):
    session.add(profiles / "batch-2013-07-08.bin")
    session.add(profiles / "batch-2013-07-10.bin", timestamp="2013-07-08T12:00")
    session.upload()
    with Session(session_id=session.session_id) as again:
        again.add(profiles / "batch-2013-07-12.bin", timestamp="2013-07-08T18:00")
        again.select("2013-07-08")
        (side,) = again.compare().sides
    each = [compare(profiles / f"batch-2013-07-{day}.bin").sides[0].rows for day in ("08", "10", "12")]
    assert side.rows == sum(each)


def test_bytes_of_data_stay_at_hand_after_the_upload_within_bounds(session, monkeypatch):
    rows = [{"price": float(price)} for price in range(200)]
    session.add(rows, alias="a")
    monkeypatch.setattr("songbird_widgets.session.store.MAX_BYTES_IN_MEMORY", session.profiles[0].size + 10)
    session.add(rows + rows, alias="b")
    session.upload()
    at_hand = [session._store.bytes_of(profile) is not None for profile in session.profiles]
    assert at_hand == [True, False]
    session.select("a", "b")
    assert session.compare().sides[1].rows == 400


def test_an_endpoint_that_gives_nothing_back_is_said(endpoint_that):
    with (
        endpoint_that(status=404, body=b"no") as endpoint,
        Session(endpoint, session_id="session-123456789") as session,
    ):
        session._store.restore(
            [(SessionProfile("k", "reference", "july", "uploaded", alias="july", profile_id="ref-1"), None)]
        )
        session.select("july")
        with pytest.raises(SessionError, match=r"'july' are no longer here, and http://127.* gives none back"):
            session.compare()


def test_a_file_that_changed_is_not_compared_for_what_was_uploaded(session, profiles, tmp_path):
    file = tmp_path / "july.bin"
    file.write_bytes((profiles / "reference-july.bin").read_bytes())
    session.add(file, alias="july")
    session.upload()
    file.write_bytes((profiles / "batch-2013-07-08.bin").read_bytes())
    session.select("july")
    assert session.compare().sides[0].rows == compare(profiles / "reference-july.bin").sides[0].rows


def test_what_is_named_is_compared_in_that_order_and_the_selection_stays(full):
    full.select("july", "2013-07-08")
    selected = full.compare()
    assert full.compare("2013-07-08", "july").labels == ("2013-07-08", "july")
    assert [profile.label for profile in full.selection] == ["july", "2013-07-08"]
    assert full.current_comparison is selected
    for wrong in (("nobody",), [profile.label for profile in full.profiles if profile.kind == "batch"][:4]):
        with pytest.raises(SelectionError):
            full.compare(*wrong)
    assert full.current_comparison is selected


def test_a_dashboard_of_something_else_says_what_it_takes():
    with pytest.raises(TypeError, match="takes a Session, not str"):
        dashboard("profiles")


def test_thresholds_and_columns_hold_for_one_comparison_and_not_for_the_selection(full):
    full.select("july", "2013-07-14")
    usual = full.compare()
    assert usual.drifted[-1] == "day"
    calm = full.compare(thresholds={"columns": {"day": {"moderate": float("inf")}}})
    assert calm.drifted == usual.drifted[:-1]
    assert full.compare(columns=["day", "hour"]).names == ("day", "hour")
    assert full.compare() is full.current_comparison is usual
    with pytest.raises(ValueError, match="no key 'strng'"):
        full.compare(thresholds={"strng": 1})

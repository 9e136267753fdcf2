"""What was uploaded can be deleted: a profile, a day, the whole session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from songbird_widgets.client import EndpointUnreachable, Songbird
from songbird_widgets.session import SelectionError, Session, SessionError

DAY = [{"price": price % 20} for price in range(300)]

pytestmark = pytest.mark.slow  # a local service


def listed(session):
    client = session._remote.endpoint.client()
    return [one.id for one in client.list_session_profiles(session.session_id).profiles]


def test_a_day_and_a_reference_are_deleted_here_and_there(full):
    full.select("july", "2013-07-08", "2013-07-09")
    full.delete("2013-07-08", "july")
    assert len(full.profiles) == len(listed(full)) == 7
    assert [profile.label for profile in full.selection] == ["2013-07-09"]
    with Session(session_id=full.session_id) as again:
        assert {profile.key for profile in again.profiles} == {profile.key for profile in full.profiles}
        again.delete(again.profiles[0])
    full.delete(full.profiles[0])  # which is gone already
    assert len(full.profiles) == len(listed(full)) == 6


def test_what_was_not_uploaded_is_removed_and_not_deleted(session, profiles):
    session.add(profiles / "batch-2013-07-08.bin")
    with pytest.raises(SelectionError, match="take it out"):
        session.delete("2013-07-08")
    assert len(session.profiles) == 1


def test_deleting_nothing_that_is_there_changes_nothing(full):
    with pytest.raises(SelectionError):
        full.delete("july", "nonsense")
    assert len(full.profiles) == len(listed(full)) == 9


def test_a_deleted_session_is_over(full):
    identifier = full.session_id
    full.delete()
    assert len(full.profiles) == 0
    assert full.state == "expired"
    with pytest.raises(SessionError):
        full.add("anything.bin")
    with Session(session_id=identifier) as again:
        assert len(again.profiles) == 0
        assert again.state == "expired"


def test_what_another_kernel_has_deleted_is_sent_again(session):
    session.add(DAY, alias="k")
    session.upload()
    with Session(session_id=session.session_id) as other:
        other.delete("k")
    assert session.add(DAY, alias="k").note == ""
    assert [profile.state for profile in session.profiles] == ["added"]
    (again,) = session.upload()
    assert listed(session) == [again.profile_id]
    with Session(session_id=session.session_id) as other:
        other.delete("k")
    assert session.upload() == []
    assert session.profiles == ()
    assert "'k' is no longer at" in session.notice.text


@pytest.mark.parametrize("asked", ["add", "upload"])
def test_a_session_that_another_kernel_has_deleted_is_said_to_be_over(session, asked):
    session.add(DAY, alias="k")
    session.upload()
    with Session(session_id=session.session_id) as other:
        other.delete()
    with pytest.raises(SessionError, match="was deleted"):
        session.add(DAY, alias="k") if asked == "add" else session.upload()
    assert session.state == "expired"
    assert session.profiles == ()


def test_what_was_deleted_with_another_ledger_is_not_restored(session, profiles):
    session.add(profiles / "batch-2013-07-08.bin", DAY)
    session.upload()
    client = session._remote.endpoint.client()
    client.delete_profile(session.session_id, session.profiles[0].profile_id)
    with Session(session_id=session.session_id) as again:
        assert [profile.profile_id for profile in again.profiles] == listed(session)


def test_what_was_uploaded_is_there_already_as_far_as_is_known(session, monkeypatch):
    session.add(DAY, alias="k")
    session.upload()

    def refuse(*_):
        raise EndpointUnreachable("Nobody answers.")

    monkeypatch.setattr(Songbird, "send", refuse)
    assert "It is not known whether what was uploaded is still there" in session.add(DAY, alias="k").note
    assert [profile.state for profile in session.profiles] == ["uploaded"]


def test_what_arrived_twice_is_shown_once(session, profiles):
    """A kernel that was killed had sent it, and the next one sent it again."""
    session.add(profiles / "batch-2013-07-08.bin")
    (landed,) = session.upload()
    session._store.update([replace(landed, state="added", profile_id=None, sent=0)])
    session._ledger.erase(session._remote.session_id, [landed.key])
    session._remote._listed = None
    session.refresh = lambda: None
    session.upload()
    with Session(session_id=session.session_id) as again:
        assert len(again.profiles) == 1
        again.delete("2013-07-08")
        assert listed(again) == []

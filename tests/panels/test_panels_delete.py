from __future__ import annotations

import pytest

from songbird_widgets.client import SongbirdError
from songbird_widgets.panels import SessionPanel
from songbird_widgets.session import Session


@pytest.fixture
def delete(own):
    return SessionPanel(own, ("delete",))


def test_what_is_chosen_is_deleted_with_all_uploads_of_its_day(delete, own, say, eventually, failure, flights):
    own.add(flights / "batch-2013-07-09.bin", timestamp="2013-07-08T05:00:00Z")  # of the same day, and not sent
    own.select("2013-07-08", "july")
    assert delete.delete_facts["chosen"] == [{"label": "july", "uploads": 1}, {"label": "2013-07-08", "uploads": 2}]
    say(delete, {"do": "delete", "what": "chosen", "labels": ["july", "2013-07-08"]})
    eventually(lambda: delete.delete_facts["result"] or failure(delete))
    assert delete.delete_facts["result"] == "Deleted july and 2013-07-08: 3 profiles."
    assert len(own.profiles) == 7
    assert own.selection == ()
    with Session(session_id=own.session_id) as again:
        again.refresh()
        assert {p.label for p in again.profiles} == {p.label for p in own.profiles}


def test_nothing_is_deleted_if_another_choice_was_confirmed(delete, own, say, failure):
    own.select("july")
    say(delete, {"do": "delete", "what": "chosen", "labels": ["2013-07-08"]})
    assert "nothing was deleted" in failure(delete)
    own.deselect()
    say(delete, {"do": "delete", "what": "chosen", "labels": []})
    assert len(own.profiles) == 9
    assert own.state == "open"


def test_the_session_is_deleted_and_is_over_then(delete, own, say, eventually):
    say(delete, {"do": "delete", "what": "session"})
    eventually(lambda: delete.delete_facts["result"])
    assert delete.delete_facts["result"] == "The session is deleted, with 9 profiles."
    assert delete.delete_facts["closed"]
    assert own.profiles == ()


def test_of_a_session_that_another_kernel_has_deleted_nothing_is_said_to_be_there(own):
    whole = SessionPanel(own)
    with Session(session_id=own.session_id) as other:
        other.delete()
    with pytest.raises(SongbirdError, match="deleted"):
        own.refresh()
    assert whole.session_facts["words"] == "deleted or expired: nothing of it can be reached any more"
    assert whole.picker_facts["gone"]
    assert (whole.upload_facts["state"], whole.upload_facts["uploaded"]) == ("expired", 9)
    shown, _ = own._repr_mimebundle_()
    for text in shown.values():
        assert "gone" in text
        assert "uploaded" not in text


def test_visitors_of_a_dashboard_neither_see_it_nor_may_ask_for_it(own, say, monkeypatch):
    monkeypatch.setenv("VOILA_REQUEST_URL", "http://127.0.0.1/voila/render/dashboard.ipynb")
    panel = SessionPanel(own)
    assert "delete" not in panel.parts
    say(panel, {"part": "delete", "do": "delete", "what": "session", "message": 1})
    assert own.state == "open"

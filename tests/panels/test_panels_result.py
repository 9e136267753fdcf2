from __future__ import annotations

import threading
import zlib

import songbird_widgets as sw
from songbird_widgets.panels import ResultPanel
from songbird_widgets.session import Session, SessionProfile


def card(panel):
    return zlib.decompress(panel.card).decode()


def test_the_card_follows_the_selection(uploaded, eventually):
    panel = ResultPanel(uploaded)
    assert (panel.result_facts["selected"], panel.card) == (0, b"")
    uploaded.select("first-quarter", "july")
    eventually(lambda: panel.result_facts["headline"] and not panel.result_facts["comparing"])
    assert panel.result_facts["headline"] == uploaded.compare().to_text().splitlines()[0]
    assert card(panel) == uploaded.compare()._repr_mimebundle_()["text/html"]
    assert eventually(lambda: panel.result_facts["link"])["text"] == "Open the full page"
    assert uploaded.session_id not in card(panel)
    uploaded.selection = ("july", "first-quarter")
    eventually(lambda: "P1 (baseline): <bdi>july</bdi>" in card(panel))
    uploaded.deselect()
    assert (panel.result_facts["headline"], panel.card) == ("", b"")


def test_of_many_selections_the_last_one_is_shown_and_no_other_is_made(uploaded, eventually, monkeypatch):
    begun, go, made = threading.Event(), threading.Event(), []
    compare = Session.compare

    def slow(session):
        chosen = [profile.choice for profile in session.selection]
        begun.set()
        assert go.wait(60)
        made.append(chosen)
        return compare(session)

    monkeypatch.setattr(Session, "compare", slow)
    panel = ResultPanel(uploaded)
    uploaded.select("july")
    assert begun.wait(60)
    assert panel.result_facts["comparing"]
    for day in ("2013-07-08", "2013-07-10", "2013-07-12"):
        uploaded.selection = ("july", day)
    go.set()
    eventually(lambda: not panel.result_facts["comparing"])
    assert made == [["july"], ["july", "2013-07-12"]]
    assert "P2: <bdi>2013-07-12</bdi>" in card(panel)


def test_why_there_is_no_card_is_a_sentence_until_there_is_one(session, flights, eventually, say):
    session._store.restore([(SessionProfile("k", "reference", "lost", "uploaded", alias="lost"), None)])
    session.add(flights / "reference-july.bin", alias="july")
    panel = ResultPanel(session)
    session.select("lost")
    problem = eventually(lambda: panel.result_facts["problem"])
    assert problem.startswith("The bytes of 'lost' are no longer here")
    say(panel, {"do": "again"})
    session.selection = ("july",)
    eventually(lambda: panel.result_facts["headline"])
    assert panel.result_facts["problem"] == ""


def test_a_dashboard_is_for_readers(uploaded):
    panel = sw.dashboard(uploaded)
    assert panel.parts == ["picker", "result"]

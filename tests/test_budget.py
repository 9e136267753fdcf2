"""Work with a budget lets others have a turn, and more often while someone waits for a short answer."""

from __future__ import annotations

from types import SimpleNamespace

from songbird_widgets import budget


class Request:
    """What someone waits for."""


def turns(monkeypatch):
    """How often work of a tenth of a second, with a checkpoint every half a millisecond, lets others have a turn."""
    clock, given = [0.0], []
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=given.append))
    with budget.Budget(10).spent():
        for _ in range(200):
            clock[0] += 0.0005
            budget.checkpoint()
    return len(given)


def test_work_gives_way_at_every_checkpoint_while_a_request_is_answered(monkeypatch):
    request = Request()
    budget.begin_urgent(request)
    assert turns(monkeypatch) == 200
    budget.end_urgent(request)
    assert turns(monkeypatch) <= 50


def test_a_request_that_is_gone_is_urgent_no_more(monkeypatch):
    budget.begin_urgent(Request())
    assert turns(monkeypatch) <= 50

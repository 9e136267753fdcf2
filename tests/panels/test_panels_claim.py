from __future__ import annotations

import pytest

from songbird_widgets.local import local_service
from songbird_widgets.panels import ClaimPanel
from songbird_widgets.session import Session

CANARY = "canarykeys.this-key-must-be-nowhere-but-in-its-one-message"


@pytest.fixture
def panel(uploaded):
    return ClaimPanel(uploaded)


def test_a_claim_ends_the_session(own, say, eventually, failure):
    panel = ClaimPanel(own)
    say(panel, {"do": "claim", "organization": ""})
    eventually(lambda: panel.claim_facts["state"] == "claimed")
    eventually(lambda: not panel.claim_facts["claiming"])
    assert failure(panel) == ""
    organization = local_service.ensure().organization_id
    assert f"belong to {organization} now" in panel.claim_facts["result"]
    link = eventually(lambda: panel.claim_facts["link"])
    assert link["text"] == f"Open {organization}"
    assert link["href"].endswith(f"/organizations/{organization}")
    with Session(session_id=own.session_id) as again:  # also later, from the ledger
        assert again.state == "claimed"
        assert again.organization_link == link["href"]


def test_a_wrong_key_is_said_and_can_be_tried_again(panel, uploaded, say, eventually, failure):
    say(panel, {"do": "claim", "organization": "org-other"}, [CANARY.encode()])
    eventually(lambda: failure(panel) and not panel.claim_facts["claiming"])
    assert uploaded.state == "open"


def test_the_key_is_in_nothing_that_goes_to_the_browser(panel, uploaded, say, eventually, wire, caplog, failure):
    caplog.set_level(0)
    say(panel, {"do": "claim", "organization": "org-other"}, [CANARY.encode()])
    eventually(lambda: failure(panel))
    for comm in wire:
        assert CANARY not in str(comm.sent)
    assert CANARY not in str(panel.get_state())
    assert CANARY not in repr(panel) + repr(uploaded) + failure(panel)
    # The transport of widgets logs, at DEBUG, the message that carries the key.
    assert "claim" in "".join(record.getMessage() for record in caplog.records if record.name == "Comm")
    assert CANARY not in caplog.text


def test_an_endless_organization_is_refused(panel, uploaded, say, failure):
    say(panel, {"do": "claim", "organization": "x" * 1000})
    assert "too long" in failure(panel)
    assert uploaded.state == "open"

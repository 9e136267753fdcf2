"""A session over a dataset of an organization, in place of a guest session."""

from __future__ import annotations

import httpx
import pytest

from songbird_widgets.client.errors import ConfigurationError, SongbirdError
from songbird_widgets.service.app import close_app, make_app
from songbird_widgets.session import Session, SessionError

ORGANIZATION = "org-Canary"
KEY = "publicpart.canarykey" + "x" * 40 + ":" + ORGANIZATION


@pytest.fixture
def endpoint(serve, tmp_path):
    def make():
        return make_app(tmp_path, secret=None, organization=(ORGANIZATION, KEY))

    with serve(make, close_app, max_body_size=1 << 20) as (base, app):
        app.settings["organizations"].create("org-other")
        yield base


@pytest.fixture
def open_session(endpoint):
    """Open a session over a dataset; all are closed in the end."""
    opened = []

    def make(dataset_id="model-7", key=KEY, org_id=ORGANIZATION):
        opened.append(Session(endpoint, org_id=org_id, dataset_id=dataset_id, api_key=key))
        return opened[-1]

    yield make
    for session in opened:
        session.close()


def test_it_uploads_selects_links_and_compares_as_a_guest_session_does(open_session, profile_path):
    session = open_session()
    session.add(profile_path("batch-2013-07-08.bin"), alias="train")
    session.add(profile_path("batch-2013-07-09.bin"), profile_path("batch-2013-07-10.bin"))
    assert [item.state for item in session.upload()] == ["uploaded"] * 3
    session.select("train", "2013-07-09")
    page = httpx.get(session.link, headers={"X-API-Key": KEY}, trust_env=False, timeout=60)
    assert page.status_code == 200
    assert "train" in page.text
    assert "sessionToken" not in session.link
    assert httpx.get(session.link, trust_env=False, timeout=60).status_code == 401
    assert KEY not in repr(session) + session.link

    other = open_session()
    other.refresh()
    assert [item.choice for item in other.profiles] == [item.choice for item in session.profiles]
    other.select("train", "2013-07-09")
    assert other.compare().to_pandas().equals(session.compare().to_pandas())
    with pytest.raises(SessionError, match=f"organization {ORGANIZATION} already"):
        other.claim()


def test_another_dataset_holds_nothing_of_it(open_session, profile_path):
    first = open_session("model-1")
    first.add(profile_path("batch-2013-07-08.bin"))
    first.upload()
    second = open_session("model-2")
    second.refresh()
    assert len(second.profiles) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": "publicpart.wrong" + "y" * 40}, "not known to this service"),
        ({"org_id": "org-other"}, f"belongs to organization {ORGANIZATION}"),
        ({"dataset_id": "../.."}, "letters, digits"),
        ({"dataset_id": "a dataset"}, "characters that no id has"),
    ],
)
def test_what_is_not_the_organizations_is_refused(open_session, profile_path, options, said):
    def upload():
        session = open_session(**options)
        session.add(profile_path("batch-2013-07-08.bin"))
        session.upload()
        return session.profiles[0].problem

    try:
        problem = upload()
    except SongbirdError as error:
        problem = str(error)
    assert said in problem
    assert "canarykey" not in problem


def test_half_a_dataset_is_none():
    with pytest.raises(ConfigurationError, match="an organization and one of its datasets"):
        Session("http://127.0.0.1:1", org_id="org-1")
    with pytest.raises(ConfigurationError, match="or a session"):
        Session("http://127.0.0.1:1", "session-1", org_id="org-1", dataset_id="model-1")

"""The sign-ins of browsers end at all replicas, and with the process where there is one alone."""

from __future__ import annotations

import httpx
import pytest

from songbird_widgets.secret import Secret
from songbird_widgets.service import sign_ins
from songbird_widgets.service.app import close_app
from songbird_widgets.service.database import Database
from songbird_widgets.service.settings import TeamSettings
from songbird_widgets.service.sign_ins import SignedIn, SignIns
from songbird_widgets.service.team import make_team_app

KEY = "publicpart.canarykey" + "x" * 40 + ":org-1"


@pytest.fixture
def replica(serve):
    """Serve an organization's profiles over a database: ``with replica(directory, url) as (base, app)``."""

    def running(directory, database_url=None):
        def make():
            app = make_team_app(TeamSettings(database_url=database_url, data_dir=directory), directory)
            app.settings["metadata"].add_organization("org-1", Secret(KEY))
            return app

        return serve(make, close_app)

    return running


def signed_in(base):
    """Return the page of the organization as a browser with a new sign-in sees it, and what the browser has of it."""
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as browser:
        answer = browser.post("/sign-in", data={"key": KEY})
        assert answer.headers["Location"] == "organizations/org-1"
        assert browser.get("/organizations/org-1").status_code == 200
        return dict(browser.cookies)


def status(base, cookies):
    return httpx.get(f"{base}/organizations/org-1", cookies=cookies, trust_env=False, timeout=60).status_code


def sign_out(base, cookies):
    assert httpx.post(f"{base}/sign-out", cookies=cookies, trust_env=False, timeout=60).status_code == 200


def test_who_signs_out_at_one_replica_is_signed_out_at_all(replica, postgresql, tmp_path_factory):
    url = postgresql.database()
    with (
        replica(tmp_path_factory.mktemp("a"), url) as (first, _),
        replica(tmp_path_factory.mktemp("b"), url) as (second, _),
    ):
        cookies, others = signed_in(first), signed_in(second)
        assert [status(base, one) for base in (first, second) for one in (cookies, others)] == [200] * 4
        sign_out(second, cookies)
        # Whoever kept the cookie has nothing of it; another browser's sign-in goes on.
        assert [status(base, cookies) for base in (first, second)] == [401, 401]
        assert [status(base, others) for base in (first, second)] == [200, 200]
    with replica(tmp_path_factory.mktemp("c"), url) as (third, _):  # replicas come and go
        assert [status(third, one) for one in (cookies, others)] == [401, 200]


def test_the_sign_ins_of_a_service_of_one_process_end_with_it(replica, tmp_path):
    with replica(tmp_path) as (base, _):
        cookies = signed_in(base)
    with replica(tmp_path) as (base, _):
        assert status(base, cookies) == 401


@pytest.fixture
def known(tmp_path):
    database = Database.in_directory(tmp_path)
    yield SignIns(database, own_paths=True)
    database.close()


def test_a_sign_in_ends_after_its_time(known, monkeypatch):
    opens = SignedIn(person="ada")
    token, cookie = known.begin(opens)
    assert known.find(token, cookie) == opens
    monkeypatch.setattr(sign_ins, "SECONDS", -1)
    assert known.find(*known.begin(opens)) is None
    assert known.find(token, cookie) == opens


def test_path_and_cookie_are_of_no_use_alone(known):
    (token, cookie), (other_token, other_cookie) = (known.begin(SignedIn(key_hash="f" * 64)) for _ in range(2))
    for pair in ((token, other_cookie), (other_token, cookie), ("", cookie), (token, Secret(""))):
        assert known.find(*pair) is None
        known.end(*pair)
    assert known.find(token, cookie) == known.find(other_token, other_cookie) == SignedIn(key_hash="f" * 64)


def test_the_oldest_sign_ins_of_one_key_make_room_and_those_of_others_stay(known, monkeypatch):
    monkeypatch.setattr(sign_ins, "MAX_SIGN_INS", 3)
    other = known.begin(SignedIn(person="ada"))
    pairs = []
    for seconds in range(5):
        monkeypatch.setattr(sign_ins, "SECONDS", 10_000 + seconds)
        pairs.append(known.begin(SignedIn(key_hash="f" * 64)))
    assert [known.find(*pair) is not None for pair in pairs] == [False, False, True, True, True]
    assert known.find(*other) is not None

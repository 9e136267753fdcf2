"""How often one may ask of a team's service, and that it is others who are not kept waiting."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest
from tornado.httputil import HTTPHeaders

from songbird_widgets.client import Songbird
from songbird_widgets.local.identity import LocalServiceError
from songbird_widgets.service import rates
from songbird_widgets.service.app import close_app
from songbird_widgets.service.people import networks
from songbird_widgets.service.rates import Rates
from songbird_widgets.service.settings import TeamSettings
from songbird_widgets.service.team import make_team_app


@pytest.fixture
def base(serve, tmp_path):
    """The address of a service that takes one request a second, and ten at once."""
    settings = TeamSettings(data_dir=tmp_path, requests_per_second=1)
    with serve(lambda: make_team_app(settings, tmp_path), close_app) as (address, _):
        yield address


@pytest.fixture
def clock(monkeypatch):
    """The seconds of a clock that goes when a test says so, however fast the machine is."""
    seconds = [1_000.0]
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    return seconds


@pytest.fixture
def http(base):
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as client:
        yield client


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_answered(base, http, clock):
    with Songbird(base, retries=1) as client:
        busy, other = (client.create_session("someone").id for _ in range(2))
    answers = [http.get(f"/v0/sessions/{busy}/profiles") for _ in range(30)]
    assert {answer.status_code for answer in answers[:10]} == {200}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert refused[0].json()["type"] == "TooManyRequests"
    assert "than 1 a second" in refused[0].json()["message"]
    link = f"/resources/model-1/profiles?sessionToken={busy}"
    assert any(http.get(link).status_code == 429 for _ in range(40))  # by whatever way
    assert http.get(f"/v0/sessions/{other}/profiles").status_code == 200
    assert http.get("/health").status_code == 200
    clock[0] += 1.5
    assert http.get(f"/v0/sessions/{busy}/profiles").status_code == 200


def test_the_client_waits_as_it_is_told(base):
    with Songbird(base, retries=5) as client:
        session = client.create_session("someone").id
        for _ in range(10):
            client.list_session_profiles(session)


@pytest.mark.usefixtures("clock")
def test_ids_are_not_guessed(http):
    statuses = [http.get(f"/v0/sessions/session-{number}/profiles").status_code for number in range(20)]
    assert statuses.count(404) < 10
    assert statuses.count(429) > 10


@pytest.mark.usefixtures("clock")
def test_sessions_and_sign_ins_are_counted_by_address(http):
    answers = [http.post("/v0/sessions", json={"userId": "me"}) for _ in range(30)]
    assert 429 in {answer.status_code for answer in answers}


def request(path, address="10.0.0.1", query=None, **headers):
    given = HTTPHeaders({name.replace("_", "-"): value for name, value in headers.items()})
    return SimpleNamespace(path=path, remote_ip=address, headers=given, query_arguments=query or {})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.5", None, "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", None),  # anybody may write that
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.7", "10.0.0.7"),
        ("10.0.0.1", "nonsense", "nonsense"),
    ],
)
def test_an_address_is_believed_where_a_proxy_says_it(peer, forwarded, address):
    made = Rates(1, networks("10.0.0.0/8"))
    headers = {} if forwarded is None else {"X_Forwarded_For": forwarded}
    assert made.address_of(request("/", peer, **headers)) == address


def test_what_it_remembers_is_bounded_and_holds_no_secret(monkeypatch):
    monkeypatch.setattr(rates, "_MAX_OWNERS", 50)
    made = Rates(100)
    for number in range(500):
        made.check(request(f"/v0/sessions/session-canary{number}/profiles"))
        made.check(request("/v0/x", X_API_Key=f"canary{number}"))
        made.check(request("/resources/x", query={"sessionToken": [b"canary%d" % number]}))
    assert len(made._buckets) == 50
    assert "canary" not in repr(made._buckets)


@pytest.mark.parametrize("text", ["-1", "0.5", "many", "nan", "inf"])
def test_what_is_no_rate_is_said(text):
    with pytest.raises(LocalServiceError, match="is no number of requests a second"):
        TeamSettings.of({"requests_per_second": text}, {})

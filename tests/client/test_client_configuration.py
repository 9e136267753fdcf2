"""Where a client talks to, and with which key: arguments, environment, local service, in this order."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import pytest

from songbird_widgets import client as c
from songbird_widgets.local import local_service


def test_arguments_come_first(monkeypatch):
    monkeypatch.setenv("SONGBIRD_ENDPOINT", "http://from.environment")
    monkeypatch.setenv("SONGBIRD_API_KEY", "environment")
    assert told(c.Songbird("http://from.argument/", " argument ")) == ("http://from.argument", "argument")


def told(client):
    return client.settings.endpoint.reveal(), client.settings.api_key.reveal()


@pytest.mark.parametrize("client", [c.Songbird, c.AsyncSongbird])
def test_then_the_environment(monkeypatch, client):
    monkeypatch.setenv("WHYLABS_API_ENDPOINT", "http://whylabs")
    monkeypatch.setenv("WHYLABS_API_KEY", "whylabs")
    assert told(client()) == ("http://whylabs", "whylabs")
    monkeypatch.setenv("SONGBIRD_ENDPOINT", "http://songbird")
    monkeypatch.setenv("SONGBIRD_API_KEY", "songbird")
    assert told(client()) == ("http://songbird", "songbird")
    monkeypatch.setenv("SONGBIRD_ENDPOINT", "  ")
    assert told(client())[0] == "http://whylabs"


def test_then_the_local_service(monkeypatch, endpoint):
    asked = []
    running = SimpleNamespace(endpoint=endpoint.endpoint, route=None)
    monkeypatch.setattr(local_service, "ensure", lambda: asked.append(1) or running)
    with pytest.raises(c.ConfigurationError):
        c.Songbird(api_key="not good")
    assert not asked, "nothing is started for a client that cannot be"
    with c.Songbird() as client:
        assert client.create_session("u").id.startswith("session-")
    assert asked == [1]


BAD_ENDPOINTS = [
    "",
    "songbird.example.com",
    "ftp://songbird.example.com",
    "http://",
    "http://user:KEYCANARY@host",
    "http://host/?key=KEYCANARY",
    "http://host/#KEYCANARY",
    "http://host:99999",
    "http://host:KEYCANARY",
    "http://ho st/KEYCANARY",
    "http://höst/",
    "http://a..b/KEYCANARY",
    f"http://{'a' * 64}.example/KEYCANARY",
    "http://[::1",
    "http://host/\nKEYCANARY",
    7,
]


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS)
def test_bad_endpoints(endpoint):
    with pytest.raises(c.ConfigurationError, match="argument endpoint") as caught:
        c.Songbird(endpoint)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("key", ["", "  ", "KEYCANARY\nX", "KEY CANARY", "KEYCANARYé", "\x00KEYCANARY", 7])
def test_bad_keys(key):
    with pytest.raises(c.ConfigurationError, match="argument api_key") as caught:
        c.Songbird("http://h", key)
    assert "CANARY" not in str(caught.value)


def test_bad_key_names_its_variable(monkeypatch):
    monkeypatch.setenv("WHYLABS_API_KEY", "KEY CANARY")
    with pytest.raises(c.ConfigurationError, match="WHYLABS_API_KEY"):
        c.Songbird("http://h")


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "5"},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": 1e10},
        {"timeout": True},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"headers": {"X\r\nY": "HEADERCANARY"}},
        {"headers": {"X": "HEADERCANARY\r\nY: 1"}},
        {"headers": {"X": "é"}},
        {"headers": {"X": 1}},
        {"headers": {"x-api-key": "HEADERCANARY"}},
        {"headers": {"Content-Length": "1"}},
        {"proxy": "PROXYCANARY"},
        {"proxy": "ftp://user:PROXYCANARY@host"},
        {"proxy": 5},
        {"verify": None},
        {"verify": ""},
        {"verify": 0},
        {"http_client": "no client"},
        {"transport": "no transport"},
    ],
    ids=repr,
)
def test_bad_options(options):
    with pytest.raises(c.ConfigurationError) as caught:
        c.Songbird("http://h", **options)
    assert "CANARY" not in str(caught.value)


def test_what_a_client_shows():
    client = c.Songbird("http://h:1/k/PATHCANARY", "canarykey0.KEYCANARY:org-1", headers={"X": "HEADERCANARY"})
    assert repr(client) == "Songbird(endpoint='http://h:1', api_key='canarykey0.…')"
    assert repr(c.Songbird("http://h", "KEYCANARY")) == "Songbird(endpoint='http://h', api_key='…')"
    assert repr(c.AsyncSongbird("http://h")) == "AsyncSongbird(endpoint='http://h', api_key='none')"
    assert "CANARY" not in repr(client.settings)
    with pytest.raises(TypeError, match="cannot be pickled") as caught:
        pickle.dumps(client)
    assert "CANARY" not in str(caught.value)


def test_with_options_changes_only_what_is_said(endpoint):
    with c.Songbird(endpoint.endpoint, "key", headers={"X-One": "1"}) as client:
        other = client.with_options(timeout=3, retries=0, headers={"X-Two": "2"})
        assert (client.settings.timeout, client.settings.retry.attempts) == (30.0, 4)
        assert (other.settings.timeout, other.settings.retry.attempts) == (3.0, 1)
        other.create_session("u")
        client.create_session("u")
        assert {n: v for n, v in endpoint.seen[0].headers.items() if n.startswith("x-")}.keys() == {
            "x-one",
            "x-two",
            "x-request-id",
        }
        assert "x-two" not in endpoint.seen[1].headers
        assert endpoint.accepted == 1, "both use one connection"
        other.close()
        client.create_session("u")
        assert endpoint.accepted == 1, "closing the other one leaves it open"
        assert copy.copy(client).settings == client.settings
    assert endpoint.idle()


def test_headers_may_replace_the_clients_own(endpoint):
    with c.Songbird(endpoint.endpoint, headers={"user-agent": "mine/1"}) as client:
        client.create_session("u")
    assert endpoint.seen[0].headers["user-agent"] == "mine/1"


@pytest.mark.parametrize("operation", ["get_session", "claim_guest_session"])
def test_an_operation_that_needs_a_key_says_so(endpoint, operation):
    arguments = ("session-12345678", "org-1")[: 1 + (operation == "claim_guest_session")]
    with c.Songbird(endpoint.endpoint) as client:
        with pytest.raises(c.ConfigurationError, match="SONGBIRD_API_KEY") as caught:
            getattr(client, operation)(*arguments)
        assert caught.value.operation == operation
        assert not endpoint.accepted
        getattr(client, operation)(*arguments, api_key="for.this.call")
    assert endpoint.seen[0].headers["x-api-key"] == "for.this.call"

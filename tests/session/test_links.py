"""Links: followed only where they should be, and rebased to what the browser reaches."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import urllib.request
from urllib.parse import parse_qsl, urlsplit

import pytest

from songbird_widgets.local import local_service
from songbird_widgets.session import ObservatoryLink, anchor, followable
from songbird_widgets.session.links import in_order


@pytest.mark.parametrize(
    "href",
    [
        "http://127.0.0.1:1/resources/model-1/profiles?profile=1&sessionToken=session-x",
        "https://example.com",
        "/user/alice/songbird/resources/x",
    ],
)
def test_addresses_that_are_followed(href):
    assert followable(href)
    html = anchor(href, "text")
    assert html.startswith("<a href=")
    assert 'target="_blank" rel="noopener noreferrer"' in html


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example.com/x",
        "/\\evil.example.com",
        "\\\\evil.example.com",
        "/\t/evil.example.com",
        "http:///x",
        "http://",
        "https:evil",
        "relative/path",
        "",
        "http://[::1",
        "http://a b/",
        "/a\x00b",
    ],
)
def test_addresses_that_are_not(href):
    assert not followable(href)
    assert anchor(href, "<b>text</b>") == "&lt;b&gt;text&lt;/b&gt;"


def test_everything_in_a_link_is_escaped():
    html = anchor('https://example.com/?a="><script>', '"><script>')
    assert "<script>" not in html
    assert html.count('"') == 6


def test_a_link_is_its_url_and_shows_itself_as_html():
    single = ObservatoryLink("https://example.com/1", text="july & co")
    link = ObservatoryLink("https://example.com/2", href="/songbird/2", individual=[single, single], text="all")
    assert link == "https://example.com/2"
    html = link._repr_html_()
    assert '<a href="/songbird/2"' in html
    assert html.count("<a ") == 3
    assert "july &amp; co" in html
    assert ObservatoryLink("https://example.com/1", individual=[single])._repr_html_().count("<a ") == 1


@pytest.mark.parametrize(
    "place",
    [
        ("/", "http://localhost:8888/?token=canary", "", "", "/songbird/", "http://localhost:8888"),
        ("/user/alice/", None, "", "", "/user/alice/songbird/", None),
        (
            "/user/alice/",
            None,
            "https://hub.example.com/user/alice/",
            "",
            "/user/alice/songbird/",
            "https://hub.example.com",
        ),
        (
            "/v/",
            None,
            "",
            "https://show.example.com/v/voila/render/a.ipynb",
            "/v/songbird/",
            "https://show.example.com",
        ),
    ],
)
def test_links_of_the_local_service_lead_through_the_relay(full, monkeypatch, place):
    base_url, url, hub, voila, path, public = place
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    monkeypatch.setenv("SONGBIRD_RELAY", json.dumps({"pid": 4711, "base_url": base_url, "url": url}))
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", hub)
    monkeypatch.setenv("VOILA_REQUEST_URL", voila)
    full.select("july", "2013-07-08")
    link = full.link
    assert link.href.startswith(f"{path}resources/model-1/profiles?profile=ref-")
    assert link.href.endswith(f"&sessionToken={full.session_id}")
    if public is None:
        assert link.startswith("http://127.0.0.1:")
    else:
        assert link == public + link.href
    assert "canary" not in link + link._repr_html_()
    assert all(single.href.startswith(path) for single in link.individual)


def test_a_relay_of_another_server_is_not_ours(full, monkeypatch):
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    monkeypatch.setenv("SONGBIRD_RELAY", json.dumps({"pid": 1, "base_url": "/", "url": None}))
    full.select("july")
    assert full.link.href == full.link


def test_a_link_shows_what_is_selected_in_its_order(full):
    full.selection = ("2013-07-10", "july", "2013-07-08")
    link = full.link
    shown = [value for name, value in parse_qsl(urlsplit(link).query) if name == "profile"]
    july = next(profile.profile_id for profile in full.selection if profile.kind == "reference")
    assert shown == ["1373414400000", july, "1373241600000"]
    assert [one.text for one in link.individual] == ["2013-07-10", "july", "2013-07-08"]
    assert f"profile={july}" in link.individual[1]
    with urllib.request.urlopen(link, timeout=60) as answer:
        headline = re.search(r"<h1>(.*?)</h1>", answer.read().decode(), re.DOTALL)[1]
    assert headline.index("2013-07-10") < headline.index("july") < headline.index("2013-07-08")


@pytest.mark.slow
def test_a_link_follows_the_local_service_to_another_port(full):
    full.select("july")
    first = full.link
    assert full.link is first
    local_service.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else may have taken it already, which is as good
            taken.bind(("127.0.0.1", urlsplit(first).port))
            taken.listen()
        second = full.link
        assert urlsplit(second).port != urlsplit(first).port
        assert full.current_link is second
        with urllib.request.urlopen(second, timeout=60) as answer:
            assert answer.status == 200


def test_the_order_of_an_address_that_shows_other_profiles_is_left_alone():
    url = "https://a.example/resources/m/profiles?profile=ref-1&profile=2&sessionToken=t%2Fx"
    assert in_order(url, ["2", "ref-1"]) == url.replace("ref-1&profile=2", "2&profile=ref-1")
    for others in (["ref-1", "2"], ["2"], ["2", "3"], ["2", "2"]):
        assert in_order(url, others) == url
    assert in_order("https://a.example/x", ["2"]) == "https://a.example/x"

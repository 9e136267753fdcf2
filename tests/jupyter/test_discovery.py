"""Which front end this is, and where its relay is, from what servers leave in the environment."""

from __future__ import annotations

import json
import os

import pytest

from songbird_widgets.jupyter import discovery

VARIABLES = (
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
    "JUPYTERHUB_PUBLIC_URL",
    "JUPYTERHUB_SERVICE_PREFIX",
    "SONGBIRD_RELAY",
    "VOILA_BASE_URL",
    "VOILA_REQUEST_URL",
)


@pytest.fixture(autouse=True)
def _bare(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))


def test_a_script_has_neither():
    assert discovery.relay() is None
    assert discovery.front_end() == "script"


def test_what_a_server_publishes_its_kernels_find(monkeypatch):
    monkeypatch.setenv("SONGBIRD_RELAY", "")
    discovery.publish("/user/alice/", "http://127.0.0.1:8888/user/alice/lab?token=canary")
    assert "canary" not in os.environ["SONGBIRD_RELAY"]
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    assert discovery.relay() == discovery.Relay(
        "/user/alice/songbird/", "http://127.0.0.1:8888/user/alice/songbird/"
    )


@pytest.mark.parametrize(
    "published",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"pid": 7}',
        '{"pid": 7, "base_url": 3}',
        '{"pid": 8, "base_url": "/", "url": null}',
        "\x00",
        "9" * 10_000,
    ],
)
def test_anything_else_in_the_variable_is_passed_over(monkeypatch, published):
    monkeypatch.setattr(os, "environ", {**os.environ, "JPY_PARENT_PID": "7", "SONGBIRD_RELAY": published})
    assert discovery.relay() is None


@pytest.mark.parametrize(
    ("environment", "front_end"),
    [
        ({"JPY_PARENT_PID": "7"}, "nbconvert"),
        ({"JPY_PARENT_PID": "7", "JPY_SESSION_NAME": "/a.ipynb"}, "jupyter"),
        ({"JPY_PARENT_PID": "7", "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/"}, "hub"),
        ({"JPY_PARENT_PID": "7", "VOILA_BASE_URL": "/"}, "voila"),
    ],
)
def test_front_ends(monkeypatch, environment, front_end):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert discovery.front_end() == front_end


@pytest.mark.parametrize(
    "record",
    [
        "{",
        "{}",
        json.dumps({"url": "http+unix://socket/", "base_url": "/", "token": "canary"}),
        json.dumps({"url": "file:///etc/passwd", "base_url": "/", "token": "canary"}),
        json.dumps({"url": "http://127.0.0.1:1/", "base_url": "/", "token": "canary"}),
    ],
)
def test_a_record_of_a_server_that_has_no_relay(monkeypatch, tmp_path, record):
    discovery._recorded.cache_clear()
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    (tmp_path / "jpserver-4711.json").write_text(record)
    assert discovery.relay() is None
    discovery._recorded.cache_clear()

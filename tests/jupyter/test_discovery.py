"""Which front end this is, and where its relay is, from what servers leave in the environment."""

from __future__ import annotations

import html
import json
import os

import pytest

from songbird_widgets.local import discovery

VARIABLES = (
    "COLAB_RELEASE_TAG",
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
    "JUPYTERHUB_PUBLIC_URL",
    "JUPYTERHUB_SERVICE_PREFIX",
    "SONGBIRD_RELAY",
    "VOILA_BASE_URL",
    "VOILA_REQUEST_URL",
    "VSCODE_CWD",
    "VSCODE_PID",
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
    assert discovery.relay() == discovery.Relay("/user/alice/songbird/", "http://127.0.0.1:8888/user/alice/songbird/")


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
        ({"JPY_PARENT_PID": "7", "JPY_SESSION_NAME": "/a.ipynb", "COLAB_RELEASE_TAG": "release"}, "colab"),
        ({"JPY_PARENT_PID": "7", "JPY_SESSION_NAME": "/a.ipynb", "VSCODE_PID": "8"}, "jupyter"),
        ({"VSCODE_PID": "8"}, "script"),
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


@pytest.mark.parametrize(
    ("variables", "front_end", "words", "label"),
    [
        (
            {"VSCODE_CWD": "/home/ada"},
            "vscode",
            ["jupyter.widgetScriptSources", "forwards the local service's port"],
            False,
        ),
        (
            {"COLAB_RELEASE_TAG": "release"},
            "colab",
            ["output.enable_custom_widget_manager()", "Colab's own port proxy"],
            True,
        ),
    ],
)
def test_a_front_end_that_wants_more_says_so(starting, variables, front_end, words, label):
    with starting(**variables) as (kernel, _):
        shown = kernel.run("import songbird_widgets as sw\nfrom songbird_widgets.local import discovery\nsw.Session()")[
            -1
        ][1]["data"]
        for text in (shown["text/plain"], html.unescape(shown["text/html"])):
            assert all(some in text for some in words)
        assert kernel.says("print(discovery.front_end(), end='')") == front_end
        # In Colab no other widget may be there to say it.
        found = kernel.says(
            "import ipywidgets\n"
            "for child in getattr(sw.Session().panel(), 'children', ()):\n"
            "    if isinstance(child, ipywidgets.Label): print(child.value)"
        )
        assert all((some in found) == label for some in words)
        elsewhere = kernel.run("sw.Session(endpoint='https://songbird.example')")[-1][1]["data"]
        assert "local service" not in elsewhere["text/plain"]
        assert words[0] in elsewhere["text/plain"]


COLAB = """
import sys, types
google, colab, output = (types.ModuleType(name) for name in ("google", "google.colab", "google.colab.output"))
output._widgets = types.SimpleNamespace(_installed_url=None)
def enable_custom_widget_manager():
    output._widgets._installed_url = "https://ssl.gstatic.com/manager.min.js"
output.enable_custom_widget_manager = enable_custom_widget_manager
sys.modules.update({"google": google, "google.colab": colab, "google.colab.output": output})
import songbird_widgets as sw
sw.Session()
"""


def test_colab_is_told_with_a_cells_result_where_its_widget_manager_is(starting):
    """Colab tells it itself of what is displayed, and not of a result: manzt/anywidget#63."""
    with starting() as (kernel, _):
        ((_, shown),) = kernel.run(COLAB)
    view = "application/vnd.jupyter.widget-view+json"
    assert view in shown["data"]
    manager = {"custom_widget_manager": {"url": "https://ssl.gstatic.com/manager.min.js"}}
    assert shown["metadata"] == {view: {"colab": manager}}

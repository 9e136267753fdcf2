"""The commands for organizations, keys and members."""

from __future__ import annotations

import sqlite3

import httpx
import pytest

from songbird_widgets.__main__ import main
from songbird_widgets.service.app import close_app, make_app


@pytest.fixture
def run(tmp_path, capsys):
    """Run a command over a directory; return its status and what it printed."""

    def command(*arguments):
        status = main([*arguments, "--data-dir", str(tmp_path)])
        return status, *capsys.readouterr()

    return command


def test_a_key_is_shown_once_kept_hashed_and_ends_when_it_is_revoked(run, tmp_path, serve):
    assert run("org", "create", "org-1")[0] == 0
    status, key, said = run("key", "create", "org-1", "--name", "nightly job")
    key = key.strip()
    assert status == 0
    assert key.partition(".")[0] in (listed := run("key", "list", "org-1")[1])
    assert "nightly job" in listed
    assert key[10] == "."  # whylogs insists on it
    assert key.endswith(":org-1")
    secret = key.partition(".")[2].partition(":")[0]
    assert len(secret) == 50
    assert secret not in listed + said
    with sqlite3.connect(tmp_path / "songbird.db") as database:
        kept = "".join(map(str, database.execute("SELECT * FROM keys").fetchall()))
    database.close()
    assert secret not in kept

    def slot(base):
        body = {"datasetTimestamp": 0, "segmentTags": []}
        headers = {"X-API-Key": key}
        path = "/v0/organizations/org-1/log/async/model-1"
        return httpx.post(base + path, json=body, headers=headers, trust_env=False, timeout=60).status_code

    with (
        serve(lambda: make_app(tmp_path, secret=None), close_app, max_body_size=1 << 20) as (base, _),
        httpx.Client(base_url=base, trust_env=False, timeout=60) as browser,
    ):
        assert slot(base) == 200
        assert browser.post("/sign-in", data={"key": key}).status_code == 303
        assert browser.get("/organizations/org-1").status_code == 200
        assert run("key", "revoke", "org-1", key[:10])[0] == 0
        assert slot(base) == 401
        assert browser.get("/organizations/org-1").status_code == 401
    assert "revoked" in run("key", "list", "org-1")[1]


def test_members_come_and_go(run):
    run("org", "create", "org-1")
    for person in ("grace", "ada", "grace"):
        assert run("member", "add", "org-1", person)[0] == 0
    assert run("member", "list", "org-1")[1] == "ada\ngrace\n"
    assert run("member", "remove", "org-1", "grace")[0] == 0
    assert run("member", "list", "org-1")[1] == "ada\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["org", "create", "org-1"], "There is an organization org-1 already"),
        (["org", "create", "../org"], "letters, digits"),
        (["key", "create", "org-2"], "There is no organization org-2"),
        (["key", "list", "org-2"], "There is no organization org-2"),
        (["key", "revoke", "org-1", "abcdefghij"], "has no key abcdefghij"),
        (["member", "add", "org-2", "ada"], "There is no organization org-2"),
        (["member", "add", "org-1", ""], "A person's name"),
        (["member", "remove", "org-1", "ada"], "ada is no member"),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, said):
    run("org", "create", "org-1")
    status, printed, error = run(*arguments)
    assert (status, printed) == (1, "")
    assert said in error

"""The service for a team behind a real JupyterHub, which lets people in."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

CONFIGURATION = """
c.JupyterHub.bind_url = {public!r}
c.JupyterHub.hub_bind_url = {internal!r}
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allowed_users = {{"ada", "bob", "eve"}}
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.api_url = {api!r}
c.JupyterHub.services = [
    {{
        "name": "songbird",
        "url": {service!r},
        "oauth_no_confirm": True,
        "command": [{python!r}, "-m", "songbird_widgets", "serve"],
        "environment": {{
            "SONGBIRD_BIND": {bind!r},
            "SONGBIRD_PUBLIC_URL": {base!r},
            "SONGBIRD_DATA_DIR": {data!r},
            "PYTHONPATH": {root!r},
        }},
    }}
]
c.JupyterHub.load_roles = [
    {{"name": "songbird-users", "scopes": ["access:services!service=songbird"], "users": ["ada", "bob"]}}
]
"""


@pytest.fixture(scope="module")
def hub(start_server, proxy_command, ports, tmp_path_factory):
    """Start a hub whose service we are; returns its URL, ours, the password and our data directory."""
    directory = tmp_path_factory.mktemp("hub")
    public, internal, api, service = (f"http://127.0.0.1:{port}/" for port in ports(4))
    base, password, data = f"{public}services/songbird", secrets.token_hex(8), directory / "songbird"
    settings = {
        "public": public,
        "internal": internal,
        "api": api,
        "service": service,
        "password": password,
        "proxy": proxy_command,
        "python": sys.executable,
        "bind": urlsplit(service).netloc,
        "base": base,
        "data": str(data),
        "root": str(Path(__file__).parents[2]),
    }
    (directory / "hub.py").write_text(CONFIGURATION.format(**settings), "utf-8")
    environment = {**os.environ, "HOME": str(directory), "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32)}
    command = [sys.executable, "-m", "jupyterhub", "-f", "hub.py"]
    where = {"cwd": directory, "env": environment, "own_group": False, "patience": 30}
    with start_server(command, f"{public}hub/health", directory / "log", **where) as process:
        started = psutil.Process(process.pid).children(recursive=True)
        try:
            deadline = time.monotonic() + 120
            while httpx.get(f"{base}/health", trust_env=False, timeout=120).status_code != 200:
                assert time.monotonic() < deadline, (directory / "log").read_text("utf-8", "replace")
                time.sleep(0.2)
            started = psutil.Process(process.pid).children(recursive=True)
            yield public, base, password, data, directory / "log"
        finally:
            for one in started:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.terminate()


@pytest.fixture
def visit(hub):
    """Log a person in to the hub and return a browser's worth of cookies."""
    public, _, password, *_ = hub
    opened = []

    def log_in(user):
        http = httpx.Client(trust_env=False, follow_redirects=True, timeout=60)
        opened.append(http)
        page = http.get(f"{public}hub/login")
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert token, f"{page.status_code} {page.text}"
        form = {"username": user, "password": password, "_xsrf": token[1]}
        answer = http.post(f"{public}hub/login?next=/hub/token", data=form)
        assert answer.url.path == "/hub/token", answer.text
        return http

    yield log_in
    for http in opened:
        http.close()


@pytest.fixture(scope="module")
def organization(hub):
    from songbird_widgets.__main__ import main

    data = str(hub[3])
    assert main(["org", "create", "org-1", "--data-dir", data]) == 0
    assert main(["member", "add", "org-1", "ada", "--data-dir", data]) == 0
    return "org-1"


def test_the_hub_says_who_comes_and_members_see_their_organization(hub, visit, organization):
    _, base, _, _, log = hub
    ada = visit("ada")
    refused = ada.get(f"{base}/organizations/{organization}")
    assert refused.status_code == 401
    assert "Sign in with JupyterHub" in refused.text
    page = ada.get(f"{base}/sign-in/hub", params={"next": f"organizations/{organization}"})
    assert (page.status_code, str(page.url)) == (200, f"{base}/organizations/{organization}")
    assert f"Profiles of {organization}" in page.text
    assert ada.get(base + "/organizations").url.path.endswith(f"/organizations/{organization}")
    kept = {cookie.name: cookie.value for cookie in ada.cookies.jar if cookie.name == "songbird_person"}
    signed_out = ada.post(f"{base}/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    assert signed_out.status_code == 200
    assert ada.get(f"{base}/organizations/{organization}").status_code == 401
    assert kept
    again = httpx.get(f"{base}/organizations/{organization}", cookies=kept, trust_env=False, timeout=60)
    assert again.status_code == 401
    bob = visit("bob").get(f"{base}/sign-in/hub")
    assert bob.status_code == 403
    assert "member of none" in bob.text
    assert not re.search(r"code=(?!\[secret\])", log.read_text("utf-8", "replace"))


def test_whom_the_hub_does_not_let_in_and_a_sign_in_that_was_not_begun_here_open_nothing(hub, visit, organization):
    _, base, *_ = hub
    assert visit("eve").get(f"{base}/sign-in/hub").status_code == 403  # the hub itself
    with httpx.Client(trust_env=False, timeout=60) as stranger:
        for query in ({}, {"code": "x", "state": "y"}):
            assert stranger.get(f"{base}/oauth_callback", params=query).status_code == 400
        began = stranger.get(f"{base}/sign-in/hub")
        state = httpx.URL(began.headers["Location"]).params["state"]
        answer = stranger.get(f"{base}/oauth_callback", params={"code": "forged", "state": state})
        assert answer.status_code == 403
        assert stranger.get(f"{base}/organizations/{organization}").status_code == 401

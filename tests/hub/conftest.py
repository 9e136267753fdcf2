"""A real JupyterHub on loopback, with real Chromium in front of it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
USERS = ("ada", "bob")
WAIT_MS = 120_000  # on a busy machine a user's server takes its time
# The other extensions installed here only cost time.
_OTHERS = ("notebook", "voila.server_extension", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim")
SERVER_ARGUMENTS = [
    "--allow-root",
    "--LabApp.expose_app_in_browser=True",
    f"--ServerApp.jpserver_extensions={dict.fromkeys(_OTHERS, False)}",
]

CONFIGURATION = """
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_bind_url = {hub_url!r}
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allowed_users = set({users!r})
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.api_url = {proxy_url!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r}
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {arguments!r}
c.LocalProcessSpawner.interrupt_timeout = 1
c.Spawner.start_timeout = 150
c.Spawner.http_timeout = 150
c.Spawner.notebook_dir = {home!r} + "/examples"
c.Spawner.default_url = "/lab"
"""


@dataclass(frozen=True)
class Hub:
    """A running hub; `url` ends with a slash."""

    url: str
    password: str
    homes: Path
    log: Path

    def home(self, user):
        return self.homes / user


def _home(homes, user):
    home = homes / user
    shutil.copytree(EXAMPLES, home / "examples")
    settings = home / ".jupyter" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), "utf-8")


def _environment(home):
    """A user's own home, with everything in it where it lies by default."""
    kept = {name: value for name, value in os.environ.items() if name != "SONGBIRD_DATA_DIR"}
    return {**kept, "HOME": str(home), "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32)}


@pytest.fixture(scope="session")
def hub(start_server, ports, proxy_command, tmp_path_factory):
    """Start a hub with two users, each with a home that holds the examples."""
    directory = tmp_path_factory.mktemp("hub")
    homes = directory / "homes"
    for user in USERS:
        _home(homes, user)
    public, internal, api = (f"http://127.0.0.1:{port}/" for port in ports(3))
    password = secrets.token_hex(8)
    (directory / "hub.py").write_text(
        CONFIGURATION.format(
            url=public,
            hub_url=internal,
            proxy=proxy_command,
            proxy_url=api,
            password=password,
            users=USERS,
            arguments=SERVER_ARGUMENTS,
            home=f"{homes}/{{username}}",
            python=sys.executable,
        ),
        "utf-8",
    )
    log = directory / "hub.log"
    command = [sys.executable, "-m", "jupyterhub", "-f", "hub.py"]
    where = {"cwd": directory, "env": _environment(directory), "own_group": False, "patience": 60}
    try:
        with start_server(command, f"{public}hub/health", log, **where):
            yield Hub(public, password, homes, log)
    finally:
        # The hub ends its users' servers and its proxy; the local services outlive them on purpose.
        for user in USERS:
            command = [sys.executable, "-m", "songbird_widgets", "stop"]
            subprocess.run(command, env=_environment(homes / user), check=False, capture_output=True, timeout=300)


@pytest.fixture
def visit(browser, hub):
    """Log somebody in through the hub's form, who came for a page of the own server: ``visit("ada", "lab")``."""
    contexts = []

    def log_in(user, path):
        context = browser.new_context(viewport={"width": 1280, "height": 1600})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{hub.url}hub/spawn/{user}?next=/user/{user}/{path}")
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(hub.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{hub.url}user/{user}/{path}*")
        return page

    yield log_in
    for context in contexts:
        context.close()

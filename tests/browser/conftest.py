"""Real Chromium and front ends: one browser, one server a front end, one JupyterLab page for most tests."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PICTURES = ROOT / "build" / "artifacts"  # kept as an output of a CI run
KEY = "canarykeys.the-key-of-the-servers-owner-must-be-nowhere"
WAIT_MS = 120_000  # long, for it only ends what hangs
# JupyterLab runs as on a hub, for what holds there holds at the root too; the others show the root.
BASE_URLS = {"lab": "/user/ada/", "notebook": "/", "voila": "/"}
# The other extensions of the server that are installed here only cost time.
_OTHERS = ("jupyter_lsp", "jupyter_server_terminals", "voila.server_extension")
OTHER_EXTENSIONS = {"lab": (*_OTHERS, "notebook", "notebook_shim"), "notebook": _OTHERS}
# Notebook 7 throws on an empty notebook, JupyterLab at two changes of theme, the manager of its widgets when a
# notebook is closed before the kernel has answered: their scripts lie under static/. Ours are modules from blob:
# addresses.
_PLACES = re.compile(r"(?:https?|blob):[^\s)]+")
_FRONT_END = re.compile(r"/static/(lab|notebook)/|/extensions/@jupyter-widgets/jupyterlab-manager/static/")


def is_foreign(stack: str) -> bool:
    """Tell whether an error of the page came from the front end's own scripts alone."""
    places = _PLACES.findall(stack)
    return bool(places) and all(_FRONT_END.search(place) for place in places)


@dataclass(frozen=True)
class FrontEnd:
    """A running server of one front end."""

    name: str
    url: str
    token: str
    root: Path
    environment: dict[str, str]
    log: Path
    base_url: str

    def ask(self, path: str, method: str = "GET"):
        """Speak to the Jupyter server's own API, as its user."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=WAIT_MS / 1000) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def use_kernel(self, notebook, name):
        """Let a notebook of the examples directory run in another kernel."""
        path = self.root / notebook
        document = json.loads(path.read_text("utf-8"))
        document["metadata"]["kernelspec"] = {"name": name, "display_name": name, "language": "python"}
        path.write_text(json.dumps(document), "utf-8")

    def end_kernels(self):
        if self.name == "voila":
            return  # Voilà ends a visitor's kernel itself
        for session in self.ask("api/sessions"):
            # One that a test has ended, or is about to, may be gone by now.
            with contextlib.suppress(urllib.error.HTTPError):
                self.ask(f"api/sessions/{session['id']}", "DELETE")


def write_settings(environment):
    """Let the front ends of this home ask nothing, and hold a saved notebook all that it can hold of a panel.

    Nor does JupyterLab look by itself, with npm, whether it has to be built again.
    """
    page = Path(environment["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"buildAvailable": False, "buildCheck": False}), "utf-8")
    settings = Path(environment["JUPYTER_CONFIG_DIR"]) / "lab" / "user-settings"
    for name, values in {
        "@jupyterlab/apputils-extension/notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
            "doNotDisturbMode": True,
        },
        "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    }.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values), "utf-8")


@pytest.fixture(scope="session")
def environment(environment):
    write_settings(environment)
    return {**environment, "SONGBIRD_API_KEY": KEY}


@pytest.fixture(scope="session")
def whylogs_kernel(environment, whylogs_python):
    """Install a kernel of the environment that has whylogs, and return its name."""
    folder = Path(environment["JUPYTER_DATA_DIR"]) / "kernels" / "whylogs"
    folder.mkdir(parents=True)
    command = [str(whylogs_python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python with whylogs", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")
    return folder.name


@contextmanager
def running_front_end(start_server, ports, name, environment, directory):
    """Start one front end on a copy of the examples and wait until it answers."""
    base_url = BASE_URLS[name]
    root = directory / "examples"
    shutil.copytree(EXAMPLES, root)
    (port,), token = ports(1), secrets.token_hex(16)
    url = f"http://127.0.0.1:{port}{base_url}"
    if name == "voila":
        command = [sys.executable, "-m", "songbird_widgets.jupyter.voila", str(root), "--no-browser"]
        command += [f"--Voila.port={port}", "--Voila.ip=127.0.0.1", f"--Voila.base_url={base_url}"]
        command += ["--VoilaConfiguration.file_allowlist=.*"]
        ready = url
    else:
        module = {"lab": "jupyterlab", "notebook": "notebook"}[name]
        command = [sys.executable, "-m", module, "--no-browser", "--expose-app-in-browser", "--allow-root"]
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
        command += [f"--ServerApp.root_dir={root}", f"--ServerApp.base_url={base_url}"]
        command += [f"--IdentityProvider.token={token}"]
        command += [f"--ServerApp.jpserver_extensions={dict.fromkeys(OTHER_EXTENSIONS[name], False)}"]
        ready = f"{url}api/status?token={token}"
    log = directory / "server.log"
    where = {"cwd": root, "env": environment, "own_group": True, "patience": 60}
    with start_server(command, ready, log, **where):
        yield FrontEnd(name, url, token, root, environment, log, base_url)


@pytest.fixture(scope="session")
def front_ends(start_server, ports, environment, tmp_path_factory):
    """Start each front end once, when it is first asked for by name."""
    running: dict[str, FrontEnd] = {}
    with ExitStack() as stack:

        def start(name):
            if name not in running:
                directory = tmp_path_factory.mktemp(name)
                made = running_front_end(start_server, ports, name, environment, directory)
                running[name] = stack.enter_context(made)
            return running[name]

        yield start


def _bytes(data):
    return data.encode() if isinstance(data, str) else data


class Desk:
    """One fresh browser context, and what a person does in it."""

    def __init__(self, page, front_end):
        self.page = page
        self.front_end = front_end
        self.errors: list[str] = []
        self.sockets: list[str] = []
        self.loaded = False
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))

    def open(self, notebook, *, dark=False):
        """Open a notebook of the examples directory; Voilà runs it at once, and only it takes a theme here."""
        if self.loaded:
            self.page.evaluate(
                """async (path) => {
                  const { commands, serviceManager } = window.jupyterapp;
                  await serviceManager.kernelspecs.refreshSpecs(); // one may be new
                  await commands.execute('docmanager:open', { path });
                }""",
                notebook,
            )
        else:
            # A workspace of its own: the server would open again what earlier tests had open.
            lab = f"lab/workspaces/{secrets.token_hex(4)}/tree/"
            place = {"lab": lab, "notebook": "notebooks/", "voila": "voila/render/"}[self.front_end.name]
            theme = "&theme=dark" if dark else ""
            address = f"{self.front_end.url}{place}{notebook}?token={self.front_end.token}{theme}"
            self.page.goto(address)
        if self.front_end.name != "voila":
            self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.commands")
            self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.loaded = self.front_end.name == "lab"

    def listen(self):
        """Keep what goes through the websockets that are opened from now on: ``[("in", bytes), ("out", bytes)]``."""
        frames = []

        def opened(socket):
            self.sockets.append(socket.url)
            for event, way in (("framereceived", "in"), ("framesent", "out")):
                socket.on(event, lambda data, way=way: frames.append((way, _bytes(data))))

        self.page.on("websocket", opened)
        return frames

    def leave(self):
        """Close what is open in a JupyterLab that stays loaded, for loading it takes longer than most tests.

        Returns whether it can be used again: JupyterLab's own scripts may fail at being left amid something.
        """
        for other in self.page.context.pages[1:]:
            other.close()
        try:
            self.page.evaluate("() => [...window.jupyterapp.shell.widgets('main')].forEach((one) => one.dispose())")
            if self.page.evaluate("() => document.body.dataset.jpThemeLight") == "false":
                self.use_theme(dark=False)
        except PlaywrightError:
            return False
        return True

    def run_all(self):
        """Run every cell; Voilà has done it already."""
        if self.front_end.name == "voila":
            return
        self.wait_for_kernel()
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def run_cell(self, place):
        """Run one cell of the notebook in JupyterLab, or add it to those that wait."""
        self.page.evaluate(
            """place => {
              window.jupyterapp.shell.currentWidget.content.activeCellIndex = place;
              window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            place,
        )

    def wait_for_kernel(self):
        """Wait until the notebook has its kernel: before that, running a cell does nothing."""
        self.page.wait_for_function(
            """() => {
              const shell = window.jupyterapp.shell;
              const context = shell.currentWidget?.context?.sessionContext;
              return ['idle', 'busy'].includes(context?.session?.kernel?.status);
            }"""
        )

    def panel(self, kind="picker"):
        """The first panel of a kind: session, add, picker, upload, link or claim."""
        return self.page.locator(f".songbird-{kind}").first

    def copy_session_id(self):
        """Click on the shortened id of the session, and return what is in the clipboard then."""
        self.page.evaluate("() => navigator.clipboard.writeText('')")
        self.panel("session").get_by_role("button", name="Copy the id of session").click()
        said = self.panel("session").locator(".sb-line > [role=status]").last
        expect(said).to_contain_text("id is copied")
        return self.page.evaluate("() => navigator.clipboard.readText()")

    def use_theme(self, *, dark):
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })", name)
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str(not dark).lower()}'")

    def photograph(self, name, *, dark, place=0):
        """Keep a picture of the page with a panel in sight, by default the first."""
        self.page.locator(".songbird-session").nth(place).evaluate("panel => panel.scrollIntoView({ block: 'start' })")
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}-{'dark' if dark else 'light'}.png", animations="disabled")

    def write(self, name, *cells):
        """Write a notebook of code cells beside the examples, to be opened by its name."""
        document = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{i}",
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                    "source": cell,
                }
                for i, cell in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.front_end.root / name).write_text(json.dumps(document), "utf-8")


class Opened:
    """The browser, and the one JupyterLab page that stays loaded, from file to file of this directory."""

    def __init__(self):
        self._stack = ExitStack()
        self._browser = None
        self.kept: list[Desk] = []

    def browser(self, run_browser):
        if self._browser is None:
            self._browser = self._stack.enter_context(run_browser())
        return self._browser

    def close(self):
        self._stack.close()
        self._browser = None
        self.kept.clear()


OPENED = Opened()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """End the browser where tests of other directories follow: some run event loops of their own."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        OPENED.close()


@pytest.fixture
def browser(run_browser):
    return OPENED.browser(run_browser)


@pytest.fixture
def desk(browser, front_ends):
    """A function that seats a person at a front end: ``desk("lab", width=380)``.

    The first JupyterLab of a test is the one that is loaded already.
    """
    seated, kept = [], OPENED.kept

    def seat(name, *, width=1280, height=900):
        front_end = front_ends(name)
        shared = name == "lab" and not any(one in kept for one in seated)
        if shared and kept:
            someone = kept[0]
            someone.page.set_viewport_size({"width": width, "height": height})
        else:
            context = browser.new_context(viewport={"width": width, "height": height})
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            someone = Desk(context.new_page(), front_end)
            if shared:
                kept.append(someone)
        seated.append(someone)
        return someone

    yield seat
    errors = []
    for someone in seated:
        errors += [error for error in someone.errors if not is_foreign(error)]
        someone.errors.clear()
        if someone not in kept or errors or not someone.leave():
            kept[:] = [one for one in kept if one is not someone]
            someone.page.context.close()
        someone.front_end.end_kernels()
    assert not errors, f"the page threw: {errors}"


@pytest.fixture
def lab(desk):
    """Run cells in a notebook of JupyterLab and wait for the panel."""

    def run(*cells, wait_for="picker", **options):
        someone = desk("lab", **{"height": 1400, **options})
        someone.write("test.ipynb", *cells)
        someone.open("test.ipynb")
        someone.run_all()
        expect(someone.panel(wait_for)).to_be_visible()
        return someone

    return run

"""The demo: the shipped examples in JupyterLab or Voilà, on the local service."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from html import escape
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jupyter_core.paths import jupyter_runtime_dir

from ..local import child, local_service

if TYPE_CHECKING:
    from collections.abc import Callable

_EXAMPLES = "share/songbird-widgets/examples"
_FIRST_PORT = 8888
_START_SECONDS = 60.0


class DemoError(RuntimeError):
    """The demo can't run; the text says why and what to do."""


def run(*, voila: bool = False, port: int | None = None, browser: bool = True) -> int:
    """Start the local service and JupyterLab (or Voilà) on the examples, and wait until it ends.

    Parameters
    ----------
    voila : bool
        Show ``dashboard.ipynb`` as a Voilà dashboard instead of ``quickstart.ipynb`` in JupyterLab.
    port : int, optional
        Port to listen on; by default the first free one from 8888.
    browser : bool
        Open the page in a browser.

    Returns
    -------
    int
        The exit status of JupyterLab or Voilà.

    Raises
    ------
    DemoError
        If something needed is missing, or the port is taken.
    """
    needed = "voila" if voila else "jupyterlab"
    if util.find_spec(needed) is None:
        raise DemoError(f"The demo needs {needed}, which is not installed here: pip install {needed}")
    chosen = _free_port(port)
    service = local_service.ensure()
    examples = copy_examples(Path(service.data_dir) / "examples")
    command = _voila_command(examples, chosen) if voila else _lab_command(examples, chosen)
    if not browser and not voila:
        command.append("--no-browser")
    # In the environment: other users can read the arguments of a process, but not that.
    token = secrets.token_urlsafe(24)
    environment = {**os.environ, "JUPYTER_TOKEN": token} if voila else None
    # SIGTERM ends the server, too, by the `except` below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"Songbird service  {service.origin}  (data in {service.data_dir})", flush=True)
    # Jupyter runs configuration files in its working directory; in the present one others may be able to write some.
    with subprocess.Popen(command, cwd=examples.anchor, env=environment) as process:
        try:
            url = _wait(process, lambda: _voila_url(chosen, token) if voila else _lab_url(process.pid))
            print(f"{'Dashboard' if voila else 'JupyterLab':<16}  {url}")
            print("Press Ctrl+C to stop it. The service ends itself when idle; `songbird-widgets stop` ends it now.")
            sys.stdout.flush()
            if voila and browser:
                _open(url)  # Voilà would open it without the token
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def copy_examples(target: Path) -> Path:
    """Copy the shipped examples to a directory of the user's, keeping what they changed there.

    Parameters
    ----------
    target : Path
        The directory to fill; made if missing. Files that exist in it are left alone.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    DemoError
        If this installation came without the examples.
    """
    source = _shipped_examples()
    for shipped in sorted(source.rglob("*")):
        copy = target / shipped.relative_to(source)
        if shipped.is_file() and not copy.exists() and ".ipynb_checkpoints" not in shipped.parts:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped, copy)
    return target


def _shipped_examples() -> Path:
    # The installer knows where it put the data files, whatever the scheme (virtual environment, --user, system).
    for file in metadata.files("songbird-widgets") or ():
        if file.as_posix().endswith(f"{_EXAMPLES}/quickstart.ipynb"):
            found = Path(str(file.locate())).parent
            if found.is_dir():
                return found
    raise DemoError(
        "This installation came without the examples: install songbird-widgets again, from a wheel or its sources."
    )


def _free_port(wanted: int | None) -> int:
    candidates = range(_FIRST_PORT, _FIRST_PORT + 100) if wanted is None else (wanted,)
    for port in candidates:
        with socket.socket() as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    if wanted is None:
        raise DemoError(f"No port from {_FIRST_PORT} to {_FIRST_PORT + 99} is free. Choose one with --port.")
    raise DemoError(f"Port {wanted} is in use. Choose another with --port, or leave --port out.")


def _lab_command(examples: Path, port: int) -> list[str]:
    command = [*child.command("jupyterlab"), str(examples / "quickstart.ipynb")]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={examples}", "--log-level=ERROR"]
    # It passes on the settings of Notebook 6, and warns of an old one of them that it reads itself.
    command += ["--ServerApp.jpserver_extensions={'notebook_shim': False}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Containers and bare machines know only root; the server listens on loopback and asks for its token.
        command.append("--allow-root")
    return command


def _voila_command(examples: Path, port: int) -> list[str]:
    command = [*child.command("songbird_widgets.jupyter.voila"), str(examples / "dashboard.ipynb")]
    command += [f"--Voila.port={port}", "--Voila.ip=127.0.0.1", "--Voila.log_level=ERROR"]
    # Every user of this machine reaches the port: as in JupyterLab, only who has the token sees the page.
    return [*command, "--Voila.auto_token=True", "--no-browser"]


def _open(url: str) -> None:
    """Open an address in a browser by way of a file: other users can read the arguments with which one is started."""
    directory = Path(jupyter_runtime_dir())
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    page = directory / f"songbird-demo-{os.getpid()}.html"
    page.unlink(missing_ok=True)
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(url)}">')
    webbrowser.open(page.as_uri())


def _wait(process: subprocess.Popen[bytes], answer: Callable[[], str | None]) -> str:
    """Ask until there is an answer; fail when the process has ended, or after a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"It ended before it was ready (exit status {process.returncode}); its messages are above.")
        url = answer()
        if url is not None:
            return url
        time.sleep(0.1)
    raise DemoError(f"It did not answer within {_START_SECONDS:.0f} s; its messages are above.")


def _lab_url(pid: int) -> str | None:
    """Return the address with its token, once JupyterLab has written its record and listens."""
    try:
        server = json.loads((Path(jupyter_runtime_dir()) / f"jpserver-{pid}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not _listens(server["port"]):
        return None
    return f"{server['url']}lab/tree/quickstart.ipynb?token={quote(server['token'], safe='')}"


def _voila_url(port: int, token: str) -> str | None:
    return f"http://127.0.0.1:{port}/?token={token}" if _listens(port) else None


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True

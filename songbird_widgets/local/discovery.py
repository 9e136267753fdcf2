"""Which front end this kernel serves, and where the browser finds the relay of the local service.

The server extension (and our Voilà) publish where they are in an environment variable that the kernels
started after it inherit. A kernel whose environment was cleaned finds the server by the record that every
Jupyter server keeps beside its kernels' connection files.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_runtime_dir

FrontEnd = Literal["jupyter", "hub", "voila", "colab", "vscode", "nbconvert", "ipython", "script"]

RELAY_VARIABLE = "SONGBIRD_RELAY"
"""Environment variable in which a server says where its relay is, as JSON."""

_PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Relay:
    """Where the browser reaches the local service through its Jupyter.

    Attributes
    ----------
    path : str
        Absolute path on the page's own origin, with a slash at the end: ``/user/alice/songbird/``.
    public_url : str or None
        The same with scheme and host as far as they are known outside of the page.
    """

    path: str
    public_url: str | None


def relay() -> Relay | None:
    """Find the relay of the server that started this kernel.

    Returns
    -------
    Relay or None
        None if the server has none, or there is no server.
    """
    server = os.environ.get("JPY_PARENT_PID", "")
    # Kernels are told which process started them; a variable left by another server is not about this one.
    published = _decoded(os.environ.get(RELAY_VARIABLE, ""))
    if published is not None and server and str(published.get("pid")) == server:
        base_url, url = published.get("base_url"), published.get("url")
        if isinstance(base_url, str):
            return _relay(base_url, url if isinstance(url, str) else None)
    return _recorded(server) if server.isdecimal() else None


def publish(base_url: str, url: str | None) -> None:
    """Tell the kernels started from now on where this server's relay is.

    Parameters
    ----------
    base_url : str
        The server's base URL path, such as ``/user/alice/``.
    url : str or None
        Its public address, if it is known; only scheme and host are kept of it, never a token.
    """
    os.environ[RELAY_VARIABLE] = json.dumps({"pid": os.getpid(), "base_url": base_url, "url": _origin(url)})


def front_end() -> FrontEnd:
    """Tell what shows the output of this process, as far as its environment says."""
    environment = os.environ
    if environment.get("VOILA_REQUEST_URL") or environment.get("VOILA_BASE_URL"):
        return "voila"
    # Colab's own notebooks know it by its module; its kernels run behind a Jupyter server of its own.
    if "google.colab" in sys.modules or environment.get("COLAB_RELEASE_TAG"):
        return "colab"
    started = environment.get("JPY_PARENT_PID")
    if started and environment.get("JUPYTERHUB_SERVICE_PREFIX"):
        return "hub"
    if started and (environment.get("JPY_SESSION_NAME") or relay() is not None):
        return "jupyter"
    # VS Code starts kernels itself. A remote one's lack the first variable, its terminals have neither.
    if in_kernel() and (environment.get("VSCODE_PID") or environment.get("VSCODE_CWD")):
        return "vscode"
    # nbconvert and nbclient start kernels too, but keep no server's sessions.
    return "nbconvert" if started else "script" if _ipython() is None else "ipython"


_FOR_PANELS = {
    "colab": "Colab shows panels once custom widgets are enabled: run `from google.colab import output` and "
    "`output.enable_custom_widget_manager()`, then this cell again.",
    "vscode": "VS Code shows panels if its setting jupyter.widgetScriptSources says where to load widgets from.",
}
_FOR_LINKS = {
    "colab": "Links to the local service lead to Colab's machine, which a browser reaches through Colab's own "
    "port proxy only.",
    "vscode": "In a remote window, links open while VS Code forwards the local service's port.",
}


def advice(*, local: bool) -> str:
    """Say what this front end wants, by its documentation, before it shows panels and opens links.

    Parameters
    ----------
    local : bool
        Whether the links lead to the local service.

    Returns
    -------
    str
        Sentences; empty where nothing need be done.
    """
    where = front_end()
    said = [_FOR_PANELS.get(where, ""), _FOR_LINKS.get(where, "") if local else ""]
    return " ".join(filter(None, said))


def in_kernel() -> bool:
    """Tell whether this is a Jupyter kernel, whose front end can show HTML and widgets."""
    return getattr(_ipython(), "kernel", None) is not None


def _ipython() -> Any:
    # Asked only if someone has loaded it: a plain script has none.
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def _relay(base_url: str, url: str | None) -> Relay:
    path = f"/{base_url.strip('/')}/songbird/".replace("//", "/")
    origin = _origin(os.environ.get("JUPYTERHUB_PUBLIC_URL")) or _origin(os.environ.get("VOILA_REQUEST_URL"))
    origin = origin or _origin(url)
    return Relay(path, None if origin is None else origin + path)


def _origin(url: str | None) -> str | None:
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.hostname else None


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@functools.lru_cache(maxsize=4)
def _recorded(pid: str) -> Relay | None:
    """Find the server by its record, and ask it whether it has a relay: it may run without the extension."""
    try:
        record = _decoded((Path(jupyter_runtime_dir()) / f"jpserver-{pid}.json").read_text("utf-8"))
    except OSError:
        return None
    if record is None or not isinstance(record.get("url"), str) or not isinstance(record.get("base_url"), str):
        return None
    if _origin(record["url"]) is None:
        return None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.addheaders = [("Authorization", f"token {record.get('token', '')}")]
    try:
        with opener.open(f"{record['url'].rstrip('/')}/songbird/", timeout=_PROBE_SECONDS) as answer:
            there = answer.headers.get("X-Songbird-Relay") == "1"
    except (OSError, ValueError):
        return None
    return _relay(record["base_url"], record["url"]) if there else None

"""The server extension: the relay behind Jupyter's own login.

Whoever is logged in to a Jupyter server can run code as its user, and that user is the local organization: so
the organization's pages are relayed too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..local import discovery
from . import home
from .relay import handlers

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the relay's routes; called by the server while it loads its extensions."""
    server.web_app.add_handlers(  # type: ignore[no-untyped-call]
        ".*$", [home.route(server.base_url), *handlers(server.base_url, organization=True)]
    )


async def _start_jupyter_server_extension(server: ServerApp) -> None:
    """Tell the kernels where the relay is.

    Called when the server listens: at load time a busy port would have been published.
    """
    # On a hub the server's own address is one that only the hub's proxy reaches.
    hub = "JUPYTERHUB_SERVICE_PREFIX" in os.environ
    discovery.publish(server.base_url, None if hub or server.sock else server.public_url)

"""The service for a team: the same application, over the database and the store that its settings name.

A replica keeps nothing of its own but what it can compute again, so any number of them answer for each other behind a
balancer. What they must agree on, the signing key, is in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from .. import __version__
from ..local.identity import INSTANCE_LOCK, LocalServiceError, default_data_dir, make_private_dir
from ..secret import Secret
from . import operation, people
from .app import close_app, make_app
from .blobs import Blobs
from .database import Database, DatabaseAwayError
from .direct_uploads import SWEEP_SECONDS
from .errors import Unavailable
from .handler import logger
from .object_store import SCHEMES, ObjectStore
from .process import finish, log_to, preload, print_address, stop_on_signals
from .rates import Rates
from .server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .app import Application
    from .blobs import BlobStore
    from .direct_uploads import DirectUploads
    from .settings import TeamSettings

_LEFT_SECONDS = 3600.0
_GRACE_SECONDS, _LAST_SECONDS = 15.0, 2.0
"""How long what was begun may go on when a replica ends, and each part of the rest."""

_START_SECONDS = 60.0
"""How long a replica waits for a database that is not there yet."""


def run(settings: TeamSettings) -> int:
    """Serve until SIGTERM or SIGINT and return the exit status; when it is 1, the reason was printed."""
    log_to(operation.log_handler())
    try:
        with data_directory(settings) as data_dir:
            asyncio.run(_serve(settings, data_dir))
    except (LocalServiceError, Unavailable) as error:
        print(f"songbird-widgets: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def data_directory(settings: TeamSettings) -> Iterator[Path]:
    """Yield the directory for what is kept on this machine, locked if that is more than what can be computed again."""
    keeps = settings.database_url is None or settings.storage is None
    if settings.data_dir is None and not keeps:
        with tempfile.TemporaryDirectory(prefix="songbird-") as temporary:
            yield Path(temporary)
        return
    data_dir = (settings.data_dir or default_data_dir()).absolute()
    make_private_dir(data_dir)
    if settings.database_url is not None:
        yield data_dir
        return
    lock = FileLock(data_dir / INSTANCE_LOCK)
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        raise LocalServiceError(
            f"A service already runs over {data_dir}. End it first, or name another directory with --data-dir."
        ) from None
    try:
        yield data_dir
    finally:
        lock.release()


def open_database(settings: TeamSettings, data_dir: Path) -> Database:
    """Open the database of the settings."""
    return Database.at(settings.database_url) if settings.database_url else Database.in_directory(data_dir)


def open_storage(settings: TeamSettings, data_dir: Path) -> BlobStore:
    """Open the store of the settings.

    Raises
    ------
    LocalServiceError
        When it is none.
    """
    storage = settings.storage or str(data_dir / "blobs")
    if storage.startswith(SCHEMES):
        return ObjectStore(storage, settings.storage_endpoint)
    if "://" in storage:
        raise LocalServiceError(f"{storage} is no store that the service can use: {', '.join(SCHEMES)} or a directory.")
    directory = Blobs(Path(storage).absolute())
    directory.sweep(older_than=_LEFT_SECONDS)  # other replicas may be writing
    return directory


def make_team_app(settings: TeamSettings, data_dir: Path, hub: people.Hub | None = None) -> Application:
    """Make the application of a replica; see `app.make_app`."""
    header = settings.proxy_user_header
    proxy = header and people.SignInProxy.of(header, settings.proxy_addresses, settings.proxy_secret)
    public_url = settings.public_url or (None if hub is None else hub.public_url)
    if hub is not None and public_url is None:
        raise LocalServiceError("Say where browsers reach this service behind JupyterHub, with --public-url.")
    storage = open_storage(settings, data_dir)
    database = open_database(settings, data_dir)
    app = make_app(
        data_dir,
        secret=None,
        signing_key=Secret(database.setting("signing_key")),
        database=database,
        blobs=storage,
        public_url=public_url,
        keep_days=settings.keep_days,
        quotas=settings.quotas,
    )
    if settings.requests_per_second:
        app.rates = Rates(settings.requests_per_second, people.networks(settings.proxy_addresses))
    operation.add_to(app)
    people.add_to(app, proxy or None, hub)
    return app


async def _serve(settings: TeamSettings, data_dir: Path) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    with contextlib.closing(_listen(*settings.bind)) as listener:
        app = await _made(settings, data_dir, stop)
        if app is None:
            return
        server = Server(app)
        server.add_socket(listener)
        host, port = settings.bind[0], listener.getsockname()[1]
        logger.info("songbird-widgets %s answers on %s port %d", __version__, host, port)
        print_address(settings.public_url or f"http://{host}:{port}")
        app.settings["retention"].start()
        tasks = [asyncio.create_task(preload(app))]
        if "direct_uploads" in app.settings:
            tasks.append(asyncio.create_task(_sweep(app, stop)))
        await stop.wait()
        app.settings["stopping"] = True
        server.stop()
        await finish(app, _GRACE_SECONDS)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        close_app(app, _LAST_SECONDS)
        logger.info("ended")


async def _made(settings: TeamSettings, data_dir: Path, stop: asyncio.Event) -> Application | None:
    """Make the application once its database answers; None if it is told to stop before."""
    hub = people.Hub.of(os.environ)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return await asyncio.get_running_loop().run_in_executor(None, make_team_app, settings, data_dir, hub)
        except (DatabaseAwayError, Unavailable) as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("not yet: %s", error)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), 1)
            if stop.is_set():
                return None


async def _sweep(app: Application, stop: asyncio.Event) -> None:
    """Take over what arrived, every few seconds, for as long as the service runs."""
    direct: DirectUploads = app.settings["direct_uploads"]
    while not stop.is_set():
        try:
            await asyncio.get_running_loop().run_in_executor(None, direct.sweep)
        except Unavailable as error:
            logger.warning("uploads are not taken over just now: %s", error)
        except Exception:  # it is tried again
            logger.exception("uploads could not be taken over; it is tried again")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise LocalServiceError(f"The service cannot listen on {host} port {port}: {error.strerror}.") from error
    listener.setblocking(False)
    return listener

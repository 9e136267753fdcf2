"""The service of one user, which answers on loopback until it is told to stop.

``songbird-widgets serve`` runs it in the foreground through `run`, and the local service, which
`songbird_widgets.local.local_service` starts as ``python -m songbird_widgets.service``, detached.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from tornado.netutil import bind_unix_socket
from tornado.web import url

from .. import __version__
from ..local.identity import (
    HOST,
    IDENTITY_FILE,
    INSTANCE_LOCK,
    SOCKET_FILE,
    Identity,
    LocalServiceError,
    Record,
    default_data_dir,
    make_private_dir,
    socket_path,
)
from .app import Application, close_app, make_app
from .handler import logger
from .process import finish, log_to, preload, print_address, stop_on_signals
from .proofs import ServiceProof, Stop
from .retention import DEFAULT_DAYS
from .server import Server
from .settings import days_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: How long connections may take to close when the service ends, and all that ends together.
_LAST_SECONDS = 0.5
_END_SECONDS = 4.0
#: How often it looks whether it should end.
_LOOK_SECONDS = 5.0


def run(
    data_dir: Path | None = None,
    port: int | None = None,
    keep_days: float | None = None,
    quotas: Mapping[str, object] | None = None,
) -> int:
    """Serve in the foreground: print the endpoint, then the log, until Ctrl-C or `songbird-widgets stop`.

    Parameters
    ----------
    data_dir, port, keep_days, quotas : optional
        As `serve` takes them.

    Returns
    -------
    int
        The exit status 1, if it could not serve; the reason was printed. After serving, the process ends here.
    """
    log_to(logging.StreamHandler())
    try:
        serve(data_dir, port, announce=print_address, keep_days=keep_days, quotas=quotas)
    except LocalServiceError as error:
        print(f"songbird-widgets: {error}", file=sys.stderr)
        return 1
    return 0


def serve(
    data_dir: Path | None = None,
    port: int | None = None,
    *,
    idle_seconds: float | None = None,
    announce: Callable[[str], None] | None = None,
    keep_days: float | None = None,
    quotas: Mapping[str, object] | None = None,
) -> None:
    """Serve on loopback until SIGTERM, SIGINT, a stop request, or idleness; then the process ends, with status 0.

    Parameters
    ----------
    data_dir : Path, optional
        By default the one of this user's local service; it is made if missing.
    port : int, optional
        By default the port that this data directory had before, or any free one.
    idle_seconds : float, optional
        End after so many seconds without a request; by default never.
    announce : callable, optional
        Called once with the endpoint, which holds the secret, when requests are answered.
    keep_days : float, optional
        Days after its last upload for which a guest session is kept, 0 for ever; by default what SONGBIRD_KEEP_DAYS
        says, else 30.
    quotas : mapping, optional
        What guests may keep, by `quotas.NAMES`; by default what the variables of these names say.

    Raises
    ------
    LocalServiceError
        When it cannot be started; its message is for people.
    """
    data_dir = (data_dir or default_data_dir()).absolute()
    make_private_dir(data_dir)
    os.umask(0o077)  # what is written here is this user's alone
    lock = FileLock(data_dir / INSTANCE_LOCK)
    try:
        lock.acquire(timeout=0.5)  # whoever asks whether it is free holds it for a moment
    except Timeout:
        record = Record.read(data_dir)
        where = f" (process {record.pid} on {record.host}, port {record.port})" if record else ""
        raise LocalServiceError(
            f"A service already runs over {data_dir}{where}. Use that one, or end it with `songbird-widgets stop`."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise _unusable(data_dir, error) from error
    try:
        served = data_dir.stat()
        asyncio.run(_serve(data_dir, served, port, idle_seconds, announce, keep_days=keep_days, quotas=quotas))
        _end_process()
    except OSError as error:
        raise _unusable(data_dir, error) from error
    finally:
        lock.release()


def _end_process() -> None:
    """End this process with its lock, by which others know that it has ended.

    Python would take seconds to take its modules apart, with the lock released.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it may be gone
            stream.flush()
    os._exit(0)


def _unusable(data_dir: Path, error: Exception) -> LocalServiceError:
    reason = getattr(error, "strerror", None) or error
    return LocalServiceError(
        f"The service cannot go on over {data_dir}: {reason}. Set SONGBIRD_DATA_DIR to a local directory that you may "
        "write to."
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":  # there it would let two services share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _open_listener(port: int | None, usual: int | None) -> socket.socket:
    """The port that was asked for, or else the usual one, or else any."""
    try:
        return _listen(port if port is not None else usual or 0)
    except OSError as error:
        if port is not None:
            raise LocalServiceError(
                f"Port {port} cannot be used: {error.strerror}. Choose another one with --port."
            ) from error
        return _listen(0)


def _own_socket(data_dir: Path) -> socket.socket | None:
    """The Unix socket through which this user's programs come; None where there can be none."""
    path = socket_path(data_dir)
    if path is None:
        return None
    try:
        return bind_unix_socket(str(path), mode=0o600)  # in the place of one that a killed service left
    except (OSError, ValueError) as error:
        logger.warning("no Unix socket: %s", error)
        return None


async def _serve(
    data_dir: Path,
    served: os.stat_result,
    port: int | None,
    idle_seconds: float | None,
    announce: Callable[[str], None] | None,
    *,
    keep_days: float | None,
    quotas: Mapping[str, object] | None,
) -> None:
    identity = Identity.read(data_dir)
    listener = _open_listener(port, identity.port if identity else None)
    own_socket = _own_socket(data_dir)
    record = Record.of_this_process(listener.getsockname()[1], has_socket=own_socket is not None)
    with contextlib.closing(listener):
        if identity is None:
            identity = Identity.new(record.port)
            identity.write(data_dir)
        app = make_app(
            data_dir,
            secret=identity.secret,
            signing_key=identity.signing_key,
            organization=(identity.organization_id, identity.organization_key),
            keep_days=days_of(os.environ.get("SONGBIRD_KEEP_DAYS") or str(DEFAULT_DAYS))
            if keep_days is None
            else keep_days,
            quotas=quotas,
        )
        stop = asyncio.Event()
        app.settings.update(identity=identity, port=record.port, stop=stop.set, last_used=lambda: app.last_used)
        app.wildcard_router.add_rules([url("/health", ServiceProof), url("/stop", Stop)])
        server = Server(app)
        try:
            server.add_sockets([listener] if own_socket is None else [listener, own_socket])
            stop_on_signals(stop)
            app.settings["retention"].start()
            record.write(data_dir)
            if announce is not None:
                announce(identity.endpoint(record.port).reveal())
            logger.info("songbird-widgets %s answers on http://%s:%d", __version__, HOST, record.port)
            preloading = asyncio.create_task(preload(app))
            await _wait(app, stop, data_dir, served, idle_seconds)
            preloading.cancel()
        finally:
            # Whatever hangs: all that was confirmed is on disk, and a kill loses none of it.
            last = threading.Timer(_END_SECONDS, os._exit, [0])
            last.daemon = True
            last.start()
            # First the record goes, so that nobody is sent here any more; then what was begun is finished.
            record.remove(data_dir)
            server.stop()
            if own_socket is not None:
                own_socket.close()
                if _is_served(data_dir, served):  # else the socket there is another service's
                    with contextlib.suppress(OSError):
                        (data_dir / SOCKET_FILE).unlink()
            await finish(app)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(server.close_all_connections(), _LAST_SECONDS)
            if close_app(app):
                last.cancel()
            logger.info("ended")


async def _wait(
    app: Application, stop: asyncio.Event, data_dir: Path, served: os.stat_result, idle_seconds: float | None
) -> None:
    """Return when the service is to end: told to, unused for long, or without the directory it serves."""
    while not stop.is_set():
        unused = time.monotonic() - app.last_seen
        if idle_seconds is not None and unused >= idle_seconds and not app.is_busy():
            logger.info("unused for %.0f seconds", unused)
            return
        if not (_is_served(data_dir, served) and (data_dir / IDENTITY_FILE).exists()):
            logger.warning("the data directory is gone, or another one is in its place")
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), min(_LOOK_SECONDS, idle_seconds or _LOOK_SECONDS))


def _is_served(data_dir: Path, served: os.stat_result) -> bool:
    """Whether a directory is still the one that is served: what is written goes there by its path."""
    try:
        return os.path.samestat(data_dir.stat(), served)
    except OSError:
        return False

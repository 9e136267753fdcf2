"""Find or start the one detached service of this user.

Whoever needs the service (a kernel, the command line, the server extension) calls `ensure`. The service is
a process of its own that outlives them all and ends itself when nobody has used it for a while. A record on
disk tells where it runs, and an answer that only this user's service can give makes the record true: it signs
a random number with a key that lies beside the record. The endpoint's secret is never sent to whoever happens
to listen at the port.

``SONGBIRD_DATA_DIR`` overrides where the record, the database and the profiles lie.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from songbird_widgets import __version__

from . import child
from .identity import (
    HOST,
    INSTANCE_LOCK,
    LOG_FILE,
    Identity,
    LocalServiceError,
    Record,
    default_data_dir,
    make_private_dir,
)
from .route import Route

if TYPE_CHECKING:
    from pathlib import Path

    from songbird_widgets.secret import Secret

__all__ = [
    "LocalService",
    "LocalServiceError",
    "data_directory",
    "ensure",
    "find",
    "organization_key",
    "rotate",
    "route_to",
    "stop",
    "way_in",
]

#: Seconds without a request after which the service ends itself.
IDLE_SECONDS = 4 * 3600.0

_START_LOCK = "start.lock"
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
#: How long one that is ending may take: it finishes the requests it has begun.
_SETTLE_SECONDS = 12.0
_POLL_SECONDS = 0.005
#: An older service is replaced only when nobody has used it for so many seconds.
_QUIET_SECONDS = 60


@dataclass(frozen=True)
class LocalService:
    """The running service.

    Attributes
    ----------
    route : Route
        How our own programs reach it.
    pid, port : int
        Its process and port.
    data_dir : Path
        Where its sessions and profiles lie.
    organization_id : str
        The local organization; its key is `organization_key`.
    """

    route: Route
    pid: int
    port: int
    data_dir: Path
    organization_id: str
    _endpoint: Secret = field(repr=False)

    @property
    def endpoint(self) -> str:
        """What clients and WHYLABS_API_ENDPOINT take. It holds this user's secret."""
        return self._endpoint.reveal()

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``, without the secret."""
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True)
class _Answer:
    """What a service that is ours says of itself."""

    service: LocalService
    identity: Identity
    version: str
    unused_seconds: int


def data_directory() -> Path:
    """Where this user's sessions, profiles and records lie; made, for its owner alone, if it is missing.

    Raises
    ------
    LocalServiceError
        When it cannot be made, or is not this user's alone.
    """
    directory = default_data_dir()
    make_private_dir(directory)
    return directory


def find() -> LocalService | None:
    """The service, if it runs and answers.

    Raises
    ------
    LocalServiceError
        When the data directory cannot be used.
    """
    answer = _find(data_directory())
    return answer.service if answer else None


def ensure() -> LocalService:
    """The service, started if it does not run.

    Raises
    ------
    LocalServiceError
        When it cannot be started; the message says why.
    """
    directory = data_directory()
    answer = _find(directory)
    if answer is not None and not _is_outdated(answer):
        return answer.service
    with _only_starter(directory):
        answer = _settled(directory)
        if answer is not None and _is_outdated(answer):
            _end(answer)
            answer = None
        return (answer or _start(directory)).service


def stop() -> bool:
    """End the service; its sessions and profiles stay.

    Returns
    -------
    bool
        Whether one was running.

    Raises
    ------
    LocalServiceError
        When one runs and does not answer, or does not end.
    """
    directory = data_directory()
    with _only_starter(directory):
        answer = _settled(directory)
        if answer is None:
            return False
        _end(answer)
        return True


def way_in() -> str:
    """Return an address that opens the service's home page in a browser, once, within a minute.

    Raises
    ------
    LocalServiceError
        When the service cannot be started, or does not answer.
    """
    service = ensure()
    identity, nonce = Identity.read(service.data_dir), secrets.token_hex(16)
    if identity is None:
        raise LocalServiceError(
            f"The local service runs, but its identity is gone from {service.data_dir}. Restart it."
        )
    proof = identity.proof("open", nonce, service.port, service.pid)
    headers = {"X-Songbird-Proof": proof, "Content-Length": "0"}
    try:
        said = service.route.ask("POST", f"/open?nonce={nonce}", headers)
        return f"{service.origin}/open/{said['ticket']}"
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise LocalServiceError(
            "The local service gave no way in: it may be an older version. `songbird-widgets stop` ends it; try again."
        ) from error


def organization_key() -> str:
    """The API key of this user's local organization, made when the service first starts.

    Raises
    ------
    LocalServiceError
        When there is none yet and the service cannot be started.
    """
    directory = data_directory()
    identity = Identity.read(directory)
    if identity is None:
        ensure()
        identity = Identity.read(directory)
    if identity is None:
        raise LocalServiceError(f"The local service runs, but its identity is gone from {directory}. Restart it.")
    return identity.organization_key.reveal()


def route_to(endpoint: Secret) -> Route | None:
    """The route to this user's local service, if an endpoint is its endpoint, at whatever port it was; else None."""
    origin, slash, secret = endpoint.reveal().partition("/k/")
    if not slash or not re.fullmatch(r"http://(127\.0\.0\.1|localhost)(:\d+)?", origin):
        return None
    directory = default_data_dir()
    try:
        identity = Identity.read(directory)
    except LocalServiceError:
        return None
    if identity is None or not hmac.compare_digest(identity.secret.reveal().encode(), secret.encode()):
        return None
    return Route.to(data_directory(), identity, Record.read(directory))


def rotate() -> bool:
    """Give the service new secrets, where old ones may have leaked.

    The endpoint (and what WHYLABS_API_ENDPOINT was set to), upload URLs that were not used yet, sign-ins and the
    local organization's key end. Sessions, their ids and links, profiles and the port remain.

    Returns
    -------
    bool
        Whether a service was running; it was ended, and starts again when it is needed.

    Raises
    ------
    LocalServiceError
        When one runs and does not end.
    """
    directory = data_directory()
    with _only_starter(directory):
        answer = _settled(directory)
        if answer is not None:
            _end(answer)
        identity = Identity.read(directory)
        if identity is not None:
            identity.renewed().write(directory)
    return answer is not None


@contextlib.contextmanager
def _only_starter(directory: Path) -> Any:
    """Hold the lock under which services are started and stopped, so that of many starters one starts."""
    try:
        with FileLock(directory / _START_LOCK, timeout=2 * _START_SECONDS):
            yield
    except Timeout:
        raise LocalServiceError(
            f"Another program has been starting the local service for too long. See {directory / LOG_FILE}."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise _unusable(directory, error) from error


def _unusable(directory: Path, error: Exception) -> LocalServiceError:
    """Say what a file system refuses: it is full, read-only, or has no locks."""
    why = getattr(error, "strerror", None) or error
    return LocalServiceError(
        f"The service's data directory {directory} cannot be used: {why}. "
        "Set SONGBIRD_DATA_DIR to a local directory that you may write to."
    )


def _runs(directory: Path) -> bool:
    """Whether some process serves this directory: it holds a lock that ends with it."""
    lock = FileLock(directory / INSTANCE_LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError) as error:
        raise _unusable(directory, error) from error
    lock.release()
    return False


def _settled(directory: Path) -> _Answer | None:
    """The service, or None when none runs; one that is just starting or ending is waited for.

    Raises
    ------
    LocalServiceError
        When one runs and does not answer.
    """
    end = time.monotonic() + _SETTLE_SECONDS
    while True:
        answer = _find(directory)
        if answer is not None or not _runs(directory):
            return answer
        if time.monotonic() > end:
            break
        time.sleep(_POLL_SECONDS)
    record = Record.read(directory)
    process = f"process {record.pid} on {record.host}" if record else f"whatever holds {directory / INSTANCE_LOCK}"
    raise LocalServiceError(
        f"The local service runs but does not answer here. End {process}, or set SONGBIRD_DATA_DIR "
        "to another directory."
    )


def _find(directory: Path) -> _Answer | None:
    record = Record.read(directory)
    identity = Identity.read(directory) if record else None
    if record is None or identity is None:
        return None
    nonce, route = secrets.token_hex(16), Route.to(directory, identity, record)
    proof = {"X-Songbird-Proof": route.question(nonce)}  # strangers are told less
    try:
        said = route.ask("GET", f"/health?nonce={nonce}", proof)
        # Were anything believed before the proof, a stranger at the port could pose as the service.
        if not route.answers(nonce, said):
            return None
        pid, version, unused = int(said["pid"]), str(said["version"]), int(said["unusedSeconds"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    endpoint = identity.endpoint(record.port)
    service = LocalService(route, pid, record.port, directory, identity.organization_id, endpoint)
    return _Answer(service, identity, version, unused)


def _is_outdated(answer: _Answer) -> bool:
    return answer.unused_seconds >= _QUIET_SECONDS and _numbers(answer.version) < _numbers(__version__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _start(directory: Path) -> _Answer:
    if not sys.executable:
        raise LocalServiceError("This Python does not know its own path, so it cannot start the local service.")
    before = Record.read(directory)
    command = [*child.command("songbird_widgets.service"), "--data-dir", str(directory)]
    detached: dict[str, Any] = {"start_new_session": True}  # else an interrupted kernel would take it along
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    try:
        log = os.open(directory / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise _unusable(directory, error) from error
    try:
        begin = os.fstat(log).st_size
        process = subprocess.Popen(
            [*command, "--idle-seconds", str(IDLE_SECONDS)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory.anchor,  # a directory that the user may want to unmount or delete must not be held
            **detached,
        )
    finally:
        os.close(log)
    # Reaps the process when it ends before this one does.
    threading.Thread(target=process.wait, name="songbird-service-reaper", daemon=True).start()
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if Record.read(directory) not in (None, before):
            answer = _find(directory)
            if answer is not None:
                return answer
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    raise LocalServiceError(f"The local service did not start. {_last_words(directory, begin)}")


def _last_words(directory: Path, begin: int) -> str:
    """The last line of the log since `begin`, for the person whose service did not start."""
    path = directory / LOG_FILE
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(begin)
        lines = [line.strip() for line in file.read(20_000).decode("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return f"It said: {lines[-1][:500]} (more in {path})"
    return f"Its log, {path}, does not say why."


def _end(answer: _Answer) -> None:
    service, nonce = answer.service, secrets.token_hex(16)
    proof = answer.identity.proof("stop", nonce, service.port, service.pid)
    try:
        service.route.ask("POST", f"/stop?nonce={nonce}", {"X-Songbird-Proof": proof, "Content-Length": "0"})
        with FileLock(service.data_dir / INSTANCE_LOCK, timeout=_STOP_SECONDS):
            return
    except (OSError, http.client.HTTPException, ValueError) as error:  # filelock's Timeout is an OSError
        raise LocalServiceError(
            f"The local service was asked to end and did not. End process {service.pid} by hand."
        ) from error

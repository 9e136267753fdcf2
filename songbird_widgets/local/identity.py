"""What a service keeps about itself in its data directory: who it is, and where it runs just now.

Two small JSON files, readable by their owner only:

``identity.json``
    Made once and kept: the secret of the endpoint's path, the signing key, the port, the local organization
    and its key. A restarted service is the same service again, so earlier links and endpoints stay valid.
``service.json``
    The record of the running process. It is a hint and nothing more: whoever reads it must ask the address in
    it for a proof (see `Identity.proof`) before believing it.
``service.sock``
    The Unix socket of the running process, which this user alone can reach.

Only the standard library is imported here, because kernels read these files too.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import re
import secrets
import shlex
import socket
import stat
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..secret import Secret

IDENTITY_FILE = "identity.json"
RECORD_FILE = "service.json"
INSTANCE_LOCK = "service.lock"
LOG_FILE = "service.log"
HOST = "127.0.0.1"

SOCKET_FILE = "service.sock"
SOCKET_PORT = 0
"""What stands for the port in proofs on a connection to the socket: there the port may be another by now."""

_MAX_SOCKET_PATH = 100  # bytes: systems take from 103

#: What the service and the sessions of this user keep in a data directory; other files in it are not theirs.
_OURS = re.compile(r"\.?(?:identity|service|start|songbird|ledger)\.|(?:blobs|summaries|spool|senders|examples)$")

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class LocalServiceError(RuntimeError):
    """The service cannot be used or started here; the message says why, and what to do."""


def random_text(length: int) -> str:
    """Letters and digits from the system's randomness.

    Parameters
    ----------
    length : int
        Number of characters; each carries log2(62) = 5.95 bits, so 22 of them carry more than 128.
    """
    number, letters = secrets.randbelow(len(_LETTERS) ** length), []
    for _ in range(length):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)


def default_data_dir() -> Path:
    """The data directory of this user: ``SONGBIRD_DATA_DIR``, else ``songbird`` in Jupyter's own."""
    given = os.environ.get("SONGBIRD_DATA_DIR")
    if given:
        return Path(given).expanduser().absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "songbird"


def make_private_dir(path: Path) -> None:
    """Make a directory that its owner alone may enter; one that is there already must be so, and what is in it too.

    Raises
    ------
    LocalServiceError
        When it cannot be made, or others have had a hand in it; nothing was changed then.
    """
    try:
        if not path.is_symlink():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalServiceError(
            f"The service's data directory {path} cannot be made: {error.strerror or error}. "
            "Set SONGBIRD_DATA_DIR to a directory that you may write to."
        ) from error
    check_private_dir(path)


def check_private_dir(path: Path) -> None:
    """Refuse a data directory that others may enter, or that holds what others have made or may change.

    Raises
    ------
    LocalServiceError
        When it is no directory of this user alone, or one of its files is a link, another's or open to others.
    """
    try:
        if path.is_symlink():
            raise LocalServiceError(
                f"The service's data directory {path} is a link. Set SONGBIRD_DATA_DIR to the directory itself, "
                f"{os.path.realpath(path)}."
            )
        status = path.stat()
        if not hasattr(os, "getuid"):
            return  # Windows: directories of a user are private by what they inherit
        if status.st_uid != os.getuid():
            raise LocalServiceError(
                f"The service's data directory {path} belongs to another user (uid {status.st_uid}). "
                "Set SONGBIRD_DATA_DIR to a directory of your own."
            )
        if status.st_mode & 0o077:
            raise LocalServiceError(
                f"The service's data directory {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}). "
                f"Run: chmod 700 {shlex.quote(str(path))}"
            )
        for entry in _entries(path):
            if _OURS.match(entry.name):
                _check_entry(entry)
                if entry.is_dir():
                    for part in _entries(Path(entry.path)):
                        _check_entry(part)
    except OSError as error:
        raise LocalServiceError(
            f"The service's data directory {path} cannot be read: {error.strerror or error}. "
            "Set SONGBIRD_DATA_DIR to a directory of your own."
        ) from error


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


def _check_entry(entry: os.DirEntry[str]) -> None:
    """Refuse a part of a data directory that does not belong to this user alone."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # removed meanwhile by another program of ours
        return
    advice = "Move it away, and look who put it there."
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        problem = "is a link"
    elif kind not in {stat.S_IFREG, stat.S_IFDIR} and (kind != stat.S_IFSOCK or entry.name != SOCKET_FILE):
        problem = "is neither a file nor a directory"
    elif status.st_uid != os.getuid():
        problem = f"belongs to another user (uid {status.st_uid})"
    elif status.st_mode & 0o022:
        problem = f"may be changed by others (mode {stat.S_IMODE(status.st_mode):04o})"
        advice = f"If it is as you left it, run: chmod go-w {shlex.quote(entry.path)}"
    else:
        return
    raise LocalServiceError(f"{entry.path} {problem}, so the service's data cannot be trusted. {advice}")


def socket_path(data_dir: Path) -> Path | None:
    """Where the service over a directory has its Unix socket; None where there can be none."""
    path = data_dir / SOCKET_FILE
    return path if hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= _MAX_SOCKET_PATH else None


def _read_file(path: Path) -> bytes:
    """Read a file; one that is a link, or that would make its reader wait, is an error."""
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        return file.read()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only; a crash leaves the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes it 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        if os.name != "nt":  # a power cut must not bring the old one back: it may hold secrets that were replaced
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


_IDENTITY_TYPES: dict[str, type[Any]] = {
    "secret": Secret,
    "signing_key": Secret,
    "port": int,
    "organization_id": str,
    "organization_key": Secret,
}

_RECORD_TYPES: dict[str, type[Any]] = {"pid": int, "port": int, "host": str, "started": int, "has_socket": bool}


def _checked(value: Any, type_: type[Any]) -> Any:
    value = Secret.of(value) if type_ is Secret else value
    if type(value) is not type_ or (type_ is not bool and value in {0, "", Secret("")}):
        raise TypeError("a value is missing or of the wrong type")
    return value


@dataclass(frozen=True)
class Identity:
    """Who this service is.

    Attributes
    ----------
    secret : Secret
        The part of the endpoint's path without which no session can be created.
    signing_key : Secret
        Signs upload URLs and health proofs; never leaves the data directory.
    port : int
        The port to listen on again after a restart.
    organization_id : str
        The local organization, into which this user claims sessions.
    organization_key : Secret
        Its API key.
    """

    secret: Secret
    signing_key: Secret
    port: int
    organization_id: str
    organization_key: Secret

    @classmethod
    def new(cls, port: int) -> Identity:
        """A fresh identity with a secret, a signing key and a local organization of its own."""
        organization = f"org-{random_text(6)}"
        return cls(
            secret=Secret(random_text(32)),
            signing_key=Secret(random_text(43)),
            port=port,
            organization_id=organization,
            organization_key=_organization_key(organization),
        )

    def renewed(self) -> Identity:
        """The same service with a new endpoint, new signatures and a new key of its organization."""
        new = Identity.new(self.port)
        return replace(
            new, organization_id=self.organization_id, organization_key=_organization_key(self.organization_id)
        )

    @classmethod
    def read(cls, data_dir: Path) -> Identity | None:
        """The identity kept in `data_dir`, or None when none was made yet.

        Raises
        ------
        LocalServiceError
            When the file is there and cannot be used. It is not replaced silently: with it go the endpoint,
            the links and the organization's key.
        """
        path = data_dir / IDENTITY_FILE
        try:
            values = json.loads(_read_file(path))
            return cls(**{name: _checked(values[name], type_) for name, type_ in _IDENTITY_TYPES.items()})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LocalServiceError(
                f"{path} cannot be read ({type(error).__name__}). Restore it from a backup, or move it away "
                "to have a new one made: then the old endpoint, its links and the organization's key end."
            ) from None

    def write(self, data_dir: Path) -> None:
        """Keep this identity in `data_dir`."""
        values = {name: getattr(self, name) for name in _IDENTITY_TYPES}
        plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in values.items()}
        write_private(data_dir / IDENTITY_FILE, json.dumps(plain, indent=1))

    def endpoint(self, port: int) -> Secret:
        """The address for clients of the service at `port`: what goes into WHYLABS_API_ENDPOINT."""
        return Secret(f"http://{HOST}:{port}/k/{self.secret.reveal()}")

    def proof(self, action: Literal["health", "details", "stop", "open"], nonce: str, port: int, pid: int = 0) -> str:
        """What only this user's programs can say about `nonce`.

        The service says it to be believed; others, to be told its details, to be let in, or to stop the process `pid`.
        The port is part of it, so that a stranger that listens where the service used to cannot pass the question on
        to the service at another port.
        """
        text = f"{action}\n{nonce}\n{port}\n{pid}"
        return hmac.new(self.signing_key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


def _organization_key(organization_id: str) -> Secret:
    return Secret(f"{random_text(10)}.{random_text(50)}:{organization_id}")


@dataclass(frozen=True)
class Record:
    """Where the service runs: machine, process id, port, when it started (ns since the epoch), on a socket or not."""

    pid: int
    port: int
    host: str
    started: int
    has_socket: bool

    @classmethod
    def of_this_process(cls, port: int, *, has_socket: bool) -> Record:
        """The record of the calling process, which listens on `port`, and on the data directory's socket or not."""
        return cls(os.getpid(), port, socket.gethostname(), time.time_ns(), has_socket)

    @classmethod
    def read(cls, data_dir: Path) -> Record | None:
        """The record in `data_dir`, or None when there is none or it makes no sense."""
        try:
            values = json.loads(_read_file(data_dir / RECORD_FILE))
            record = cls(**{name: _checked(values[name], type_) for name, type_ in _RECORD_TYPES.items()})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return record if 0 < record.port < 65536 else None

    def write(self, data_dir: Path) -> None:
        """Write this record into `data_dir`."""
        write_private(data_dir / RECORD_FILE, json.dumps(asdict(self), indent=1))

    def remove(self, data_dir: Path) -> None:
        """Remove this record, and no other process's."""
        if Record.read(data_dir) == self:
            with contextlib.suppress(OSError):
                (data_dir / RECORD_FILE).unlink()

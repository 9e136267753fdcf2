"""What the service for a team is told: by options, and by environment variables of the same names.

A database URL may hold a password, and everybody on a machine can read the arguments of its processes. So an option
takes one without a password only; with one it comes from ``SONGBIRD_DATABASE_URL``, or from a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..local.identity import LocalServiceError
from . import quotas
from .rates import DEFAULT_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BIND = ("127.0.0.1", 8080)

NAMES = (
    "database_url",
    "database_url_file",
    "storage",
    "storage_endpoint",
    "public_url",
    "bind",
    "keep_days",
    "proxy_user_header",
    "proxy_addresses",
    "proxy_secret_file",
    "requests_per_second",
)
"""Options; each has a variable in capitals with the prefix ``SONGBIRD_``, as those of `quotas.NAMES` have."""

_OF_BOTH = ("keep_days",)  # which a local service has, too


@dataclass(frozen=True)
class TeamSettings:
    """Where a service keeps its data and where it answers.

    Attributes
    ----------
    database_url : str or None
        None for SQLite in the data directory.
    storage : str or None
        ``s3://…``, ``gs://…``, ``az://…`` or a directory; None for one in the data directory.
    storage_endpoint : str or None
        URL of an S3-compatible server.
    public_url : str or None
        Where clients reach the service; without a trailing slash.
    bind : tuple of str and int
        Address and port to listen on.
    proxy_user_header : str or None
        The header in which a proxy that authenticates names the person.
    proxy_addresses : str
        Networks from which it is believed, separated by commas.
    proxy_secret : str or None
        What the proxy must send along.
    keep_days : float
        Days after its last upload for which a guest session is kept; 0 for ever.
    quotas : mapping
        What guests may keep, as given on the command line, by `quotas.NAMES`.
    requests_per_second : float
        Of each session, key and address; 0 for as many as one likes.
    data_dir : Path or None
        None for the user's own when something is kept there, else for a temporary one.
    """

    database_url: str | None = field(default=None, repr=False)
    storage: str | None = None
    storage_endpoint: str | None = None
    public_url: str | None = None
    bind: tuple[str, int] = DEFAULT_BIND
    data_dir: Path | None = None
    keep_days: float = 30
    quotas: Mapping[str, object] = field(default_factory=dict)
    requests_per_second: float = DEFAULT_RATE
    proxy_user_header: str | None = None
    proxy_addresses: str = ""
    proxy_secret: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, options: Mapping[str, object], environment: Mapping[str, str]) -> TeamSettings | None:
        """Gather settings; None when none is set, as for a local service.

        Parameters
        ----------
        options
            What was given on the command line, by `NAMES`, and ``data_dir``; None for what was not given.
        environment
            As `os.environ`.

        Raises
        ------
        LocalServiceError
            When one of them is wrong; the message does not repeat a database URL.
        """
        given = {name: str(options.get(name) or environment.get(f"SONGBIRD_{name.upper()}") or "") for name in NAMES}
        if not any(text for name, text in given.items() if name not in _OF_BOTH):
            return None
        if _password(str(options.get("database_url") or "")):
            raise LocalServiceError(
                "Everybody on this machine can read the arguments of a command, and this database URL holds a "
                "password. Set SONGBIRD_DATABASE_URL, or put the URL into a file for --database-url-file."
            )
        database_url = given["database_url"]
        if given["database_url_file"] and not options.get("database_url"):
            database_url = _content(given["database_url_file"])
        proxy_secret = environment.get("SONGBIRD_PROXY_SECRET", "")
        if given["proxy_secret_file"]:
            proxy_secret = _content(given["proxy_secret_file"])
        data_dir = options.get("data_dir")
        return cls(
            database_url=database_url or None,
            storage=given["storage"] or None,
            storage_endpoint=_url("storage endpoint", given["storage_endpoint"]) or None,
            public_url=_url("public URL", given["public_url"]) or None,
            bind=_bind(given["bind"]) if given["bind"] else DEFAULT_BIND,
            data_dir=data_dir if isinstance(data_dir, Path) else None,
            keep_days=days_of(given["keep_days"]) if given["keep_days"] else 30,
            quotas=quotas_of(options),
            requests_per_second=_rate(given["requests_per_second"]) if given["requests_per_second"] else DEFAULT_RATE,
            proxy_user_header=given["proxy_user_header"] or None,
            proxy_addresses=given["proxy_addresses"],
            proxy_secret=proxy_secret or None,
        )


def _password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password) or "password=" in url
    except ValueError:
        return "@" in url


def _content(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalServiceError(f"{path} cannot be read: {error}.") from None


def _url(what: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        parts = None
    if text and (parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query):
        raise LocalServiceError(f"The {what} {text} is no http:// or https:// address.")
    return text.rstrip("/")


def quotas_of(options: Mapping[str, object]) -> dict[str, object]:
    """Return what a command line says of what guests may keep."""
    return {name: options[name] for name in quotas.NAMES if options.get(name) is not None}


def days_of(text: str) -> float:
    """Return the days for which guest sessions are kept; raises `LocalServiceError` for what is no number of them."""
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days < 100_000:
        raise LocalServiceError(f"{text} is no number of days for which to keep guest sessions.")
    return days


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1
    if not (rate == 0 or 1 <= rate < 1_000_000):
        raise LocalServiceError(f"{text} is no number of requests a second: 1 or more, or 0 for as many as one likes.")
    return rate


def _bind(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise LocalServiceError(f"{text} is no address and port to listen on, such as 0.0.0.0:8080.")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 (":8080" means every address)

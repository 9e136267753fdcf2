"""Options that give access, an endpoint or a session's id: from a file, the environment, or an argument.

Everybody on a machine can read the arguments of a program while it runs; files and the environment are its user's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..session import LedgerSession

MAX_RECENT = 1_000
"""Sessions of this user among which one is looked for by the first letters of its id."""

_MAX_CHARACTERS = 10_000
_MAX_NAMED = 5
_READABLE = "Others on this machine may read the arguments of a program while it runs. "

HELP = (
    f"{_READABLE}A session's id opens the session: others do not see it in a file (--session-file) or in the "
    "variable SONGBIRD_SESSION, nor an endpoint in --endpoint-file or SONGBIRD_ENDPOINT, nor a key in SONGBIRD_API_KEY."
)


class AccessError(Exception):
    """An option does not give the access that it should; the message says which and why."""


def add_endpoint(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the ways to name an endpoint."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--endpoint", help=f"a Songbird endpoint (default: $SONGBIRD_ENDPOINT, else {default})")
    ways.add_argument(
        "--endpoint-file", metavar="FILE", help="a file that holds the endpoint, hidden from others; - for stdin"
    )


def add_session(parser: argparse.ArgumentParser) -> None:
    """Add the ways to name a session that is to be continued."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--session",
        metavar="ID",
        help="continue this session (default: $SONGBIRD_SESSION, else a new one); of one begun here, the first letters "
        "of its id are enough",
    )
    add_session_file(ways)


def add_session_file(parser: argparse._ActionsContainer) -> None:
    """Add the way to name a session that is no argument."""
    parser.add_argument(
        "--session-file", metavar="FILE", help="a file that holds the session's id, hidden from others; - for stdin"
    )


def endpoint_of(options: argparse.Namespace) -> str | None:
    """Return the endpoint that the options name; what the environment names is read where a client is made.

    Raises
    ------
    AccessError
        When the file cannot be read.
    """
    if options.endpoint_file is not None:
        return _content(options.endpoint_file, "--endpoint-file", "an endpoint")
    endpoint: str | None = options.endpoint
    if endpoint is not None and "/k/" in endpoint:
        _warn("an endpoint with its secret", "SONGBIRD_ENDPOINT", "--endpoint-file")
    return endpoint


def session_of(options: argparse.Namespace, recent: Sequence[LedgerSession]) -> str | None:
    """Return the id of the session that the options or ``SONGBIRD_SESSION`` name; None if they name none.

    Parameters
    ----------
    options : argparse.Namespace
        With ``session`` and ``session_file``.
    recent : sequence of LedgerSession
        The sessions of this user: the first letters of the id of one of them, as they are listed, are enough.

    Raises
    ------
    AccessError
        When the file cannot be read, the id is empty, or several sessions may be meant.
    """
    named = _named_session(options)
    if named is None:
        return None
    if not named.strip():
        raise AccessError("The session's id is empty. songbird-widgets sessions lists yours.")
    begun = named.rstrip("…")
    known = [session for session in recent if session.session_id.startswith(begun)]
    if not begun or any(len(begun) < len(session.short_id.rstrip("…")) for session in known):
        raise AccessError(
            f"{one_line(named)} is too short for a session's id: give at least the letters that songbird-widgets "
            "sessions lists."
        )
    ids = [session.session_id for session in known]
    if len(ids) > 1 and named not in ids:
        some = ", ".join(dict.fromkeys(session.short_id.rstrip("…") for session in known[:_MAX_NAMED]))
        more = f" and {len(ids) - _MAX_NAMED:,} more" if len(ids) > _MAX_NAMED else ""
        raise AccessError(
            f"{one_line(named)} begins {len(ids)} sessions ({some}{more}): give more letters, as songbird-widgets "
            "sessions lists them."
        )
    session_id = ids[0] if len(ids) == 1 else named
    if session_id == options.session:  # all of it was an argument
        _warn("a session's id", "SONGBIRD_SESSION", "--session-file")
    return session_id


def _named_session(options: argparse.Namespace) -> str | None:
    if options.session_file is not None:
        return _content(options.session_file, "--session-file", "a session's id")
    if options.session is not None:
        return str(options.session)
    return os.environ.get("SONGBIRD_SESSION", "").strip() or None


def _warn(what: str, variable: str, option: str) -> None:
    sys.stderr.write(f"songbird-widgets: {_READABLE}This one was given {what}: use {variable} or {option} instead.\n")


def _content(path: str, option: str, what: str) -> str:
    """Return the one line of a file."""
    try:
        if path == "-":
            text = sys.stdin.readline(_MAX_CHARACTERS + 1)
        else:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(_MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise AccessError(f"{option}: {path} cannot be read: {why}.") from None
    text = text.strip()
    if not text or len(text.split()) > 1 or len(text) > _MAX_CHARACTERS:
        where = "standard input" if path == "-" else path
        raise AccessError(f"{option}: {where} does not hold {what}, and nothing else, on one line.")
    return text

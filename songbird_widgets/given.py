"""What gives access, as the command line takes it: from a file, the environment, or an argument.

Everybody on a machine can read the arguments of a program while it runs; files and the environment are its user's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

_MAX_CHARACTERS = 10_000

READABLE = "Others on this machine may read the arguments of a program while it runs. "


class GivenError(Exception):
    """A file does not hold what it should; the message says which and why."""


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
    GivenError
        When the file cannot be read.
    """
    if options.endpoint_file is not None:
        return _content(options.endpoint_file, "--endpoint-file", "an endpoint")
    given: str | None = options.endpoint
    if given is not None and "/k/" in given:
        _warn("an endpoint with its secret", "SONGBIRD_ENDPOINT", "--endpoint-file")
    return given


def session_of(options: argparse.Namespace) -> str | None:
    """Return the session that the options or ``SONGBIRD_SESSION`` name.

    Raises
    ------
    GivenError
        When the file cannot be read.
    """
    if options.session_file is not None:
        return _content(options.session_file, "--session-file", "a session's id")
    given: str | None = options.session
    return given or os.environ.get("SONGBIRD_SESSION", "").strip() or None


def warn_of_session() -> None:
    """Say on standard error that a session's id was an argument."""
    _warn("a session's id", "SONGBIRD_SESSION", "--session-file")


def _warn(what: str, variable: str, option: str) -> None:
    sys.stderr.write(f"songbird-widgets: {READABLE}This one was given {what}: use {variable} or {option} instead.\n")


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
        raise GivenError(f"{option}: {path} cannot be read: {why}.") from None
    text = text.strip()
    if not text or len(text.split()) > 1 or len(text) > _MAX_CHARACTERS:
        where = "standard input" if path == "-" else path
        raise GivenError(f"{option}: {where} does not hold {what}, and nothing else, on one line.")
    return text

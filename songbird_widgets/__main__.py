"""The command line: ``songbird-widgets compare | profile | upload | sessions | demo | open | status | …``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from . import __version__
from .commands import compare, profile, service, sessions, upload
from .commands.messages import refuse
from .service import administration

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit status: 0 done, 1 not done (the reason is on standard error), 2 a wrong command line, 3 drift that
        ``compare --fail-on`` does not allow, 4 nothing that it does not allow, but of some of the data that it judges
        it cannot be told, 130 interrupted, 141 nobody reads on.
    """
    options = parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        if sys.stdout is not None:  # it may be closed from the start
            sys.stdout.flush()  # here, where a reader that has gone is still understood
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads this, `head` say, has seen enough
        _forget_output()
        return 141
    except OSError as error:  # a disk that is full, say
        _forget_output()
        return refuse(error)
    return status


def _forget_output() -> None:
    """Let what Python flushes at its end not fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; the function that does what is asked is its result's ``run``."""
    parser = argparse.ArgumentParser(
        prog="songbird-widgets",
        description="See what changed in your data: compare files or whylogs profiles, make profiles, upload them to a "
        "session and see up to three side by side.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (compare, profile, upload, sessions, service):
        group.add(commands)
    administration.add_commands(commands, sessions.note)
    return parser


if __name__ == "__main__":
    sys.exit(main())

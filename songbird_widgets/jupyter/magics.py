"""``%songbird``: commands to a session in a cell."""

from __future__ import annotations

import argparse
import os
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.magic import Magics, line_magic, magics_class

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..session import Session

NAME = "session"
"""The variable of the notebook whose session is meant."""

_SPARE_NAME = "songbird_session"


def register(shell: InteractiveShell) -> None:
    """Make ``%songbird`` known to a shell."""
    shell.register_magics(SongbirdMagics)


@magics_class
class SongbirdMagics(Magics):
    """The line magic ``%songbird`` with its commands."""

    @line_magic
    def songbird(self, line: str) -> Any:
        """Show the session, or do something with it; ``%songbird --help`` says what."""
        from ..session import SongbirdError

        try:
            # As a shell would, but for Windows, where a backslash is part of a path.
            options = _parser().parse_args(shlex.split(line, posix=os.name == "posix"))
            return options.run(self._session(), options)
        except _Said as said:
            print(said)
        except (SongbirdError, ValueError) as error:
            # Its text is for the user. Any other error is a mistake of ours and shows its traceback.
            print(f"%songbird: {error}")
        return None

    def _session(self) -> Session:
        """Return the session of the notebook, made and named now if it has none."""
        from ..session import Session

        variables: dict[str, Any] = self.shell.user_ns if self.shell is not None else {}
        for name in (NAME, _SPARE_NAME):
            known = variables.get(name)
            if isinstance(known, Session):
                return known
        # A variable of that name that holds something else is the user's and is left alone.
        name = _SPARE_NAME if NAME in variables else NAME
        variables[name] = session = Session()
        return session


class _Said(Exception):
    """A message of argparse, which would end the process after it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Said(f"{self.prog}: {message}\n{self.format_usage()}".rstrip())

    def print_help(self, file: object = None) -> None:
        del file
        raise _Said(self.format_help().rstrip())


def _parser() -> _Parser:
    parser = _Parser(
        prog="%songbird",
        description=f"Show the session of this notebook (the variable {NAME!r}; made if there is none), "
        "or do something with it.",
    )
    parser.set_defaults(run=lambda session, _: session)
    commands = parser.add_subparsers(metavar="COMMAND")

    upload = commands.add_parser("upload", help="add profiles and send what has not arrived yet")
    upload.add_argument("files", nargs="*", metavar="FILES", help="paths and globs of profiles (.bin, .zip)")
    upload.add_argument("--alias", help="make the one profile a reference of this name")
    upload.set_defaults(run=_upload)

    select = commands.add_parser("select", help="select up to three profiles instead of those selected now")
    select.add_argument(
        "profiles",
        nargs="*",
        metavar="PROFILE",
        help="alias, reference id, ISO date or milliseconds since 1970",
    )
    select.set_defaults(run=_select)

    link = commands.add_parser("link", help="show the link of what is selected")
    link.set_defaults(run=lambda session, _: session.link)

    status = commands.add_parser("status", help="say what the session holds")
    status.set_defaults(run=_status)
    return parser


def _upload(session: Session, options: argparse.Namespace) -> None:
    from ..session import AddError

    problem = None
    if options.files:
        try:
            session.add(*options.files, alias=options.alias)
        except AddError as error:
            problem = error
    if not session.upload() and problem is None:
        print("There was nothing left to send.")
    if problem is not None:
        raise problem


def _select(session: Session, options: argparse.Namespace) -> None:
    session.selection = options.profiles
    selected = ", ".join(profile.label for profile in session.selection)
    print(f"Selected: {selected}" if selected else "Nothing is selected.")


def _status(session: Session, _: argparse.Namespace) -> None:
    from ..session import session_text

    print(session_text(session))

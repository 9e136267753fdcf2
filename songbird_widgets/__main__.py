"""The command line: ``songbird-widgets demo | serve | status | stop | upload``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .basics import MAX_COMPARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .session import LedgerSession, Session, SessionProfile
    from .session.models import Kind

_MAX_RECENT = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit status: 0 done, 1 not done (the reason is on standard error), 2 a wrong command line, 130
        interrupted, 141 nobody reads on.
    """
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()  # here, where a reader that has gone is still understood
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever reads this, `head` say, has seen enough. What Python flushes at its end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="songbird-widgets",
        description="Upload whylogs profiles to a Songbird session and see up to three side by side.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="open the example notebook (or dashboard) on the local service")
    demo.add_argument("--voila", action="store_true", help="open the dashboard in Voilà instead of JupyterLab")
    demo.add_argument("--port", type=_port, help="port of JupyterLab or Voilà (default: the first free one from 8888)")
    demo.add_argument("--no-browser", action="store_true", help="print the URL and open no browser")
    demo.set_defaults(run=_demo)

    serve = commands.add_parser("serve", help="run the service in the foreground")
    serve.add_argument(
        "--port", type=_port_or_any, help="port to listen on, 0 for any free one (default: the one used last)"
    )
    serve.add_argument("--data-dir", type=Path, help="directory of sessions and profiles (default: the user's own)")
    serve.set_defaults(run=_serve)

    status = commands.add_parser("status", help="say whether the local service runs, and where")
    status.add_argument("--json", action="store_true", help="print endpoint, pid and data_dir as JSON")
    status.add_argument("--show-key", action="store_true", help="also show the local organization and its API key")
    status.set_defaults(run=_status)

    stop = commands.add_parser("stop", help="end the local service; sessions and profiles stay")
    stop.set_defaults(run=_stop)

    upload = commands.add_parser(
        "upload",
        help="upload profiles from the shell and print the observatory link",
        description="Upload profiles to a session (a new one by default) and print the link of the selected ones.",
        epilog="example: songbird-widgets upload --reference july=reference-july.bin batch-*.bin "
        "--select july 2013-07-08 2013-07-09",
    )
    upload.add_argument("files", nargs="*", metavar="FILES", help="profiles (.bin, .zip) to upload as batches")
    upload.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="[ALIAS=]FILE",
        help="a profile to upload as a reference; its alias is the file's name by default; may be repeated",
    )
    upload.add_argument(
        "--select",
        nargs="+",
        default=[],
        metavar="PROFILE",
        help="up to three to link: alias, reference id, ISO date or timestamp in ms (default: the first three)",
    )
    upload.add_argument("--endpoint", help="a Songbird endpoint (default: $SONGBIRD_ENDPOINT, else the local service)")
    upload.add_argument(
        "--session",
        metavar="ID",
        help="continue this session (default: a new one); of one begun here, the first letters of its id are enough",
    )
    upload.set_defaults(run=_upload)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def _port_or_any(text: str) -> int:
    return 0 if text == "0" else _port(text)


def _fail(message: str) -> int:
    print(f"songbird-widgets: {message}", file=sys.stderr)
    return 1


def _demo(options: argparse.Namespace) -> int:
    from .jupyter import demo
    from .local import local_service

    try:
        return demo.run(voila=options.voila, port=options.port, browser=not options.no_browser)
    except (demo.DemoError, local_service.LocalServiceError) as error:
        return _fail(str(error))


def _serve(options: argparse.Namespace) -> int:
    from .service import app

    return app.run(data_dir=options.data_dir, port=options.port)


def _status(options: argparse.Namespace) -> int:
    from .local import local_service

    try:
        service = local_service.find()
    except local_service.LocalServiceError as error:
        return _fail(str(error))
    if service is None:
        if options.json:
            print(json.dumps(None))
        return _fail("The local service is not running. It starts by itself when a session needs it.")
    facts = {"endpoint": service.endpoint, "pid": service.pid, "data_dir": str(service.data_dir)}
    if options.show_key:
        facts |= {"organization": service.organization_id, "key": local_service.organization_key()}
    if options.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name.replace('_', ' '):<12}  {value}")
    return 0


def _stop(_: argparse.Namespace) -> int:
    from .local import local_service

    try:
        ended = local_service.stop()
    except local_service.LocalServiceError as error:
        return _fail(str(error))
    print("The local service has ended." if ended else "The local service was not running.")
    return 0


def _upload(options: argparse.Namespace) -> int:
    from .client import SongbirdError
    from .local.local_service import LocalServiceError
    from .session import LedgerError, Session, SessionError

    if not options.files and not options.reference and not options.session:
        return _fail("Name at least one profile to upload; see songbird-widgets upload --help.")
    try:
        session_id = options.session and _full_id(options.session, Session.recent(_MAX_RECENT))
        with Session(endpoint=options.endpoint, session_id=session_id) as session:
            try:
                return _upload_into(session, options)
            except KeyboardInterrupt:
                print(_stopped(session), file=sys.stderr)
                return 130
    except (SongbirdError, SessionError, LedgerError, LocalServiceError) as error:
        return _fail(str(error))


def _full_id(given: str, recent: Sequence[LedgerSession]) -> str:
    """Return the id of the one session that this user has begun and that is meant by a short id."""
    begun = given.rstrip("…")
    known = [session.session_id for session in recent if session.session_id.startswith(begun)]
    return known[0] if len(known) == 1 else given


def _upload_into(session: Session, options: argparse.Namespace) -> int:
    """Add, upload and link what can be; say what could not, and answer 1 if there was any."""
    from .session import AddError, SelectionError

    status = 0
    wanted: list[tuple[list[str], str | None, Kind]] = [
        ([path], alias, "reference") for alias, path in map(_reference, options.reference)
    ]
    if options.files:
        wanted.append((options.files, None, "batch"))
    for paths, alias, kind in wanted:
        try:
            added = session.add(*paths, alias=alias, kind=kind)
        except AddError as error:
            status = _fail(str(error))
        else:
            if added.note:
                print(f"songbird-widgets: {added.note}", file=sys.stderr)
    try:
        session.select(*options.select)
    except SelectionError as error:
        return _fail(f"--select: {error} Nothing was uploaded.")
    landed = session.upload()  # it says on standard error what failed
    if any(profile.state != "uploaded" for profile in session.profiles):
        status = 1
    # Who continues a session wants its link, also if everything has arrived after all.
    there = landed or [profile for profile in session.profiles if profile.state == "uploaded" and options.session]
    if not there:
        return _fail("Nothing was uploaded.")
    return _print_link(session, there) or status


def _stopped(session: Session) -> str:
    uploaded = sum(profile.state == "uploaded" for profile in session.profiles)
    said = f"songbird-widgets: Stopped. {uploaded} of {len(session.profiles)} profiles are uploaded."
    if not session.short_id:
        return said
    return f"{said} To send the rest: songbird-widgets upload --session {session.short_id.rstrip('…')}"


def _print_link(session: Session, uploaded: Sequence[SessionProfile]) -> int:
    """Print the link of what is selected and uploaded, by default of the first."""
    status = 0
    missing = [profile for profile in session.selection if profile.state != "uploaded"]
    if missing:
        session.deselect(*missing)
        labels = ", ".join(profile.label for profile in missing)
        status = _fail(f"The link leaves out what was not uploaded: {labels}.")
    if not session.selection:
        session.select(*uploaded[:MAX_COMPARED])
    print(session.link)
    return status


def _reference(text: str) -> tuple[str | None, str]:
    """Split ``[ALIAS=]FILE``; a file whose own name holds a "=" needs no alias to be found."""
    alias, sign, path = text.partition("=")
    return (alias, path) if sign and alias and not Path(text).exists() else (None, text)


if __name__ == "__main__":
    sys.exit(main())

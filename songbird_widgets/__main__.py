"""The command line: ``songbird-widgets demo | serve | status | stop | upload``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .session import Session
    from .session.models import Kind


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit status: 0 done, 1 not done (the reason is on standard error), 2 a wrong command line.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130


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
    serve.add_argument("--port", type=_port, help="port to listen on (default: the one used last, else a free one)")
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
    upload.add_argument("--session", metavar="ID", help="continue this session (default: a new one)")
    upload.set_defaults(run=_upload)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


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

    service = local_service.find()
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

    print("The local service has ended." if local_service.stop() else "The local service was not running.")
    return 0


def _upload(options: argparse.Namespace) -> int:
    from .client import SongbirdError
    from .local.local_service import LocalServiceError
    from .session import Session, SessionError

    if not options.files and not options.reference:
        return _fail("Name at least one profile to upload; see songbird-widgets upload --help.")
    try:
        with Session(endpoint=options.endpoint, session_id=options.session) as session:
            return _upload_into(session, options)
    except (SongbirdError, SessionError, LocalServiceError) as error:
        return _fail(str(error))


def _upload_into(session: Session, options: argparse.Namespace) -> int:
    """Add, upload and link what can be; say what could not, and answer 1 if there was any."""
    from .session import AddError

    status = 0
    wanted: list[tuple[list[str], str | None, Kind]] = [
        ([path], alias, "reference") for alias, path in map(_reference, options.reference)
    ]
    if options.files:
        wanted.append((options.files, None, "batch"))
    for paths, alias, kind in wanted:
        try:
            session.add(*paths, alias=alias, kind=kind)
        except AddError as error:
            status = _fail(str(error))
    landed = session.upload()
    for profile in session.profiles:
        if profile.state == "failed":
            status = _fail(f"{profile.name}: {profile.problem}")
    if not landed:
        return status or _fail("Nothing was uploaded.")
    session.select(*(options.select or landed[:3]))
    print(session.link)
    return status


def _reference(text: str) -> tuple[str | None, str]:
    """Split ``[ALIAS=]FILE``; a file whose own name holds a "=" needs no alias to be found."""
    alias, sign, path = text.partition("=")
    return (alias, path) if sign and alias and not Path(text).exists() else (None, text)


if __name__ == "__main__":
    sys.exit(main())

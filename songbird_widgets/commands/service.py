"""The commands of the local service: ``demo``, ``open``, ``serve``, ``status``, ``rotate`` and ``stop``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path

from ..basics import size_text
from ..service import administration
from .messages import fail


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    demo = commands.add_parser("demo", help="open the example notebook (or dashboard) on the local service")
    demo.add_argument("--voila", action="store_true", help="open the dashboard in Voilà instead of JupyterLab")
    demo.add_argument("--port", type=_port, help="port of JupyterLab or Voilà (default: the first free one from 8888)")
    demo.add_argument("--no-browser", action="store_true", help="print the URL and open no browser")
    demo.set_defaults(run=_demo)

    opened = commands.add_parser(
        "open",
        help="open the page of your sessions in a browser",
        description="Open the page of your sessions in a browser: of all that you have begun on the local service.",
    )
    opened.add_argument(
        "--no-browser", action="store_true", help="print an address that opens it once, within a minute"
    )
    opened.set_defaults(run=_open)

    serve = commands.add_parser("serve", help="run the service in the foreground")
    serve.add_argument(
        "--port", type=_port_or_any, help="port to listen on, 0 for any free one (default: the one used last)"
    )
    serve.add_argument("--data-dir", type=Path, help="directory of sessions and profiles (default: the user's own)")
    administration.add_team(serve)
    serve.set_defaults(run=_serve)

    status = commands.add_parser("status", help="say whether the local service runs, and where")
    status.add_argument("--json", action="store_true", help="print endpoint, pid and data_dir as JSON")
    status.add_argument("--show-key", action="store_true", help="also show the local organization and its API key")
    status.set_defaults(run=_status)

    commands.add_parser(
        "rotate",
        help="give the local service new secrets, where old ones may have leaked",
        description="End the local service and give it a new endpoint, new signatures and a new organization key. "
        "What was made with the old ones ends: WHYLABS_API_ENDPOINT in running programs, upload URLs, sign-ins, the "
        "key. Sessions, their ids and links, and profiles remain: a link that has leaked still opens its session.",
    ).set_defaults(run=_rotate)

    commands.add_parser("stop", help="end the local service; sessions and profiles stay").set_defaults(run=_stop)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def _port_or_any(text: str) -> int:
    return 0 if text == "0" else _port(text)


def _demo(options: argparse.Namespace) -> int:
    from ..jupyter import demo
    from ..local import local_service

    try:
        return demo.run(voila=options.voila, port=options.port, browser=not options.no_browser)
    except (demo.DemoError, local_service.LocalServiceError) as error:
        return fail(str(error))


def _open(options: argparse.Namespace) -> int:
    import webbrowser

    from ..local import local_service

    try:
        address = local_service.way_in()
    except local_service.LocalServiceError as error:
        return fail(str(error))
    if options.no_browser or not webbrowser.open(address):
        print(f"Open this once, within a minute: {address}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from ..local.identity import LocalServiceError
    from ..service.settings import TeamSettings, days_of, quotas_of

    try:
        settings = TeamSettings.of(vars(options), os.environ)
        keep_days = None if options.keep_days is None else days_of(options.keep_days)
    except LocalServiceError as error:
        return fail(str(error))
    if settings is None:
        from ..service import loopback

        quotas = quotas_of(vars(options))
        return loopback.run(data_dir=options.data_dir, port=options.port, keep_days=keep_days, quotas=quotas)
    if options.port is not None:
        return fail("--port is for the local service. Name address and port of a team's with --bind.")
    from ..service import team

    return team.run(settings)


def _status(options: argparse.Namespace) -> int:
    from ..local import local_service

    try:
        service = local_service.find()
    except local_service.LocalServiceError as error:
        return fail(str(error))
    if service is None:
        if options.json:
            print(json.dumps(None))
        return fail("The local service is not running. It starts by itself when a session needs it.")
    used = _bytes_in(service.data_dir)
    facts: dict[str, object] = {"endpoint": service.endpoint, "pid": service.pid, "data_dir": str(service.data_dir)}
    facts["disk_used"] = used if options.json else size_text(used)
    if options.show_key:
        facts |= {"organization": service.organization_id, "key": local_service.organization_key()}
    if options.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name.replace('_', ' '):<12}  {value}")
    return 0


def _bytes_in(directory: Path) -> int:
    """Return the bytes of all files in a directory that another process works in."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}{os.sep}{name}").st_size
    return total


def _rotate(_: argparse.Namespace) -> int:
    from ..local import local_service

    try:
        ended = local_service.rotate()
    except local_service.LocalServiceError as error:
        return fail(str(error))
    print(
        "The local service has new secrets"
        + (" and has ended; it starts again when a session needs it." if ended else ".")
        + "\nEnded: its endpoint (set WHYLABS_API_ENDPOINT anew, to what songbird-widgets status says once the service "
        "runs again), upload URLs that were not "
        "used yet, sign-ins, and the local organization's key.\n"
        "Remaining: sessions, their ids and links, and profiles. A link that has leaked still opens its session."
    )
    return 0


def _stop(_: argparse.Namespace) -> int:
    from ..local import local_service

    try:
        ended = local_service.stop()
    except local_service.LocalServiceError as error:
        return fail(str(error))
    print("The local service has ended." if ended else "The local service was not running.")
    return 0

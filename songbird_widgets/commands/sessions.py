"""``songbird-widgets sessions`` and ``delete``: the sessions that were begun on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime, timezone

from ..basics import one_line
from . import access_options
from .messages import fail

_LOCAL = "local service"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    sessions = commands.add_parser(
        "sessions",
        help="list your sessions, the latest first",
        description="List the sessions that you have begun on this machine: short id, state, where they live, how many "
        "profiles they have, when they were used last, name. A short id is enough for upload --session and delete.",
    )
    sessions.add_argument("--most", type=_count, default=20, metavar="N", help="how many (default: 20)")
    sessions.set_defaults(run=_sessions)

    delete = commands.add_parser(
        "delete",
        help="delete a session, or profiles of it, for good",
        description="Delete a session with all that was uploaded to it, or some of its profiles.",
        epilog=f"example: songbird-widgets delete session-6LpL 2013-07-08 july. {access_options.HELP}",
    )
    delete.add_argument(
        "session",
        nargs="?",
        metavar="SESSION",
        help="of one begun here, the first letters of its id are enough; left out with --session-file, and with "
        "$SONGBIRD_SESSION",
    )
    delete.add_argument(
        "profiles", nargs="*", metavar="PROFILE", help="alias, reference id, ISO date or timestamp in ms: these alone"
    )
    access_options.add_session_file(delete)
    access_options.add_endpoint(delete, "where the session was begun")
    delete.set_defaults(run=_delete)


def note(session_id: str) -> None:
    """List a session of the local service among the user's own; on standard error it is said why that failed."""
    from ..client import SongbirdError
    from ..session import LedgerError, Session

    try:
        with Session(session_id=session_id) as session:
            if session.endpoint_label == _LOCAL:  # no id for an endpoint that a variable names
                session.refresh()
    except (SongbirdError, LedgerError) as error:
        fail(f"songbird-widgets sessions does not list it yet: {error}")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= access_options.MAX_RECENT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {access_options.MAX_RECENT}")
    return int(text)


def _sessions(options: argparse.Namespace) -> int:
    from ..session import LedgerError, Session

    try:
        recent = Session.recent(options.most)
    except LedgerError as error:
        return fail(str(error))
    if not recent:
        print("There are no sessions yet: songbird-widgets upload begins one.")
        return 0
    rows = [("SESSION", "STATE", "WHERE", "PROFILES", "LAST USED", "NAME")]
    for one in recent:
        used = datetime.fromtimestamp(one.used / 1000, timezone.utc)
        waiting = f" ({one.unfinished} not sent)" if one.unfinished else ""
        rows.append(
            (
                one.short_id.rstrip("…"),
                "deleted or expired" if one.state == "expired" else one.state,  # an endpoint need not say which
                _LOCAL if one.endpoint is None else one_line(one.label),
                f"{one.profiles}{waiting}",
                f"{used:%Y-%m-%d %H:%M} UTC",
                one_line(one.name or ""),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _delete(options: argparse.Namespace) -> int:
    from ..client import SongbirdError
    from ..local.local_service import LocalServiceError
    from ..session import LedgerError, Session, SessionError

    try:
        profiles, elsewhere = options.profiles, options.session_file is not None or "SONGBIRD_SESSION" in os.environ
        named = options.session is not None and options.session.startswith("session-")
        if elsewhere and options.session is not None and (options.session_file is not None or not named):
            profiles, options.session = [options.session, *profiles], None  # it is the first of the profiles
        recent = Session.recent(access_options.MAX_RECENT)
        session_id = access_options.session_of(options, recent)
        if session_id is None:
            print("songbird-widgets delete: name a session; songbird-widgets sessions lists yours.", file=sys.stderr)
            return 2
        over = next((one for one in recent if one.session_id == session_id and one.state != "open"), None)
        if over is not None:
            was = "was claimed by an organization" if over.state == "claimed" else "was deleted, or has expired"
            return fail(f"Session {over.short_id} {was}: there is nothing to delete.")
        with Session(endpoint=access_options.endpoint_of(options), session_id=session_id) as session:
            before = len(session.profiles)
            session.delete(*profiles)
            deleted = before - len(session.profiles)
    except (SongbirdError, SessionError, LedgerError, LocalServiceError, access_options.AccessError) as error:
        return fail(str(error))
    what = f"{deleted} profile{'' if deleted == 1 else 's'}"
    print(f"Deleted: {what}." if profiles else f"Deleted: the session, with {what}.")
    return 0

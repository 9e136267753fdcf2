"""``songbird-widgets upload``: profiles into a session, and the link of what is selected of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics import MAX_COMPARED
from . import access_options
from .messages import fail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..basics import Kind
    from ..session import Session, SessionProfile


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    upload = commands.add_parser(
        "upload",
        help="upload profiles from the shell and print the observatory link",
        description="Upload profiles to a session (a new one by default) and print the link of the selected ones.",
        epilog="example: songbird-widgets upload --reference july=reference-july.bin batch-*.bin "
        f"--select july 2013-07-08 2013-07-09. {access_options.HELP}",
    )
    upload.add_argument(
        "files",
        nargs="*",
        metavar="FILES",
        help="profiles, data files (Parquet, CSV, JSON lines, Arrow) or archives of them, to upload as batches",
    )
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
    access_options.add_endpoint(upload, "the local service")
    access_options.add_session(upload)
    upload.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ..client import SongbirdError
    from ..local.local_service import LocalServiceError
    from ..session import LedgerError, Session, SessionError

    swallowed = [one for one in options.select if not options.files and Path(one).is_file()]
    if swallowed:
        return fail(f"--select: {swallowed[0]} is a file: name files before --select. Nothing was uploaded.")
    if len(set(options.select)) > MAX_COMPARED:
        many = f"{len(set(options.select))} profiles are too many: at most {MAX_COMPARED} are shown side by side"
        return fail(f"--select: {many}. Nothing was uploaded.")
    try:
        session_id = access_options.session_of(options, Session.recent(access_options.MAX_RECENT))
        if not options.files and not options.reference and not session_id:
            return fail("Name at least one profile to upload; see songbird-widgets upload --help.")
        with Session(endpoint=access_options.endpoint_of(options), session_id=session_id) as session:
            try:
                return _upload_into(session, options, continued=session_id is not None)
            except KeyboardInterrupt:
                print(_stopped(session), file=sys.stderr)
                return 130
    except (SongbirdError, SessionError, LedgerError, LocalServiceError, access_options.AccessError) as error:
        return fail(str(error))


def _upload_into(session: Session, options: argparse.Namespace, *, continued: bool) -> int:
    """Add, upload and link what can be; say what could not, and answer 1 if there was any."""
    from ..session import AddError, SelectionError

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
            status = fail(str(error))
        else:
            if added.note:
                print(f"songbird-widgets: {added.note}", file=sys.stderr)
    try:
        session.select(*options.select)
    except SelectionError as error:
        return fail(f"--select: {error} Nothing was uploaded.")
    landed = session.upload()  # it says on standard error what failed
    if any(profile.state != "uploaded" for profile in session.profiles):
        status = 1
    # Who continues a session wants its link, also if everything has arrived after all.
    there = landed or [profile for profile in session.profiles if profile.state == "uploaded" and continued]
    if not there:
        return fail("Nothing was uploaded.")
    if session.short_id:
        begun = session.short_id.rstrip("…")
        print(f"songbird-widgets: Session {begun}; to continue it: upload --session {begun} …", file=sys.stderr)
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
        status = fail(f"The link leaves out what was not uploaded: {labels}.")
    if not session.selection:
        session.select(*uploaded[:MAX_COMPARED])
    print(session.link)
    return status


def _reference(text: str) -> tuple[str | None, str]:
    """Split ``[ALIAS=]FILE``; a file whose own name holds a "=" needs no alias to be found."""
    alias, sign, path = text.partition("=")
    return (alias, path) if sign and alias and not Path(text).exists() else (None, text)

"""The command line: ``songbird-widgets compare | profile | upload | sessions | demo | open | status | …``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import warnings
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__, given
from .basics import MAX_COMPARED, one_line, one_line_path, reason_of, size_text
from .service import administration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .profiles import Comparison
    from .profiles.profiling import Period
    from .session import LedgerSession, Session, SessionProfile
    from .session.models import Kind

_MAX_RECENT = 1000
_MOST_NAMED = 5


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
        description="See what changed in your data: compare files or whylogs profiles, make profiles, upload them to a "
        "session and see up to three side by side.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    compare = commands.add_parser(
        "compare",
        help="say what drifted between two or three data files or profiles",
        description="Compare data files (Parquet, CSV, JSON lines, Arrow) or profiles; the first is the baseline.",
        epilog=_COMPARE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("data", nargs="+", metavar="DATA", help="two or three files; the first is the baseline")
    compare.add_argument("--html", type=Path, metavar="FILE", help="also write the report as one HTML file")
    compare.add_argument("--json", action="store_true", help="print everything as JSON instead of what drifted as text")
    compare.add_argument(
        "--columns",
        action="append",
        metavar="COLUMN[,COLUMN…]",
        help="compare, show and judge these only; may be repeated",
    )
    compare.add_argument(
        "--fail-on",
        choices=["moderate", "strong"],
        help="exit with status 3 if a column drifted so; moderate is also a column that is missing or new; with "
        "status 4 if nothing can be told, for want of rows",
    )
    compare.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="from which scores on a change counts, as TOML (see below)"
    )
    compare.set_defaults(run=_compare)

    demo = commands.add_parser("demo", help="open the example notebook (or dashboard) on the local service")
    demo.add_argument("--voila", action="store_true", help="open the dashboard in Voilà instead of JupyterLab")
    demo.add_argument("--port", type=_port, help="port of JupyterLab or Voilà (default: the first free one from 8888)")
    demo.add_argument("--no-browser", action="store_true", help="print the URL and open no browser")
    demo.set_defaults(run=_demo)

    opened = commands.add_parser("open", help="open the page of your sessions in a browser")
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

    administration.add_commands(commands)

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

    upload = commands.add_parser(
        "upload",
        help="upload profiles from the shell and print the observatory link",
        description="Upload profiles to a session (a new one by default) and print the link of the selected ones.",
        epilog="example: songbird-widgets upload --reference july=reference-july.bin batch-*.bin "
        f"--select july 2013-07-08 2013-07-09. {_SECRETS_HELP}",
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
    given.add_endpoint(upload, "the local service")
    given.add_session(upload)
    upload.set_defaults(run=_upload)

    _add_sessions(commands)
    _add_delete(commands)

    profile = commands.add_parser(
        "profile",
        help="make profiles of data files",
        description="Make a whylogs profile of a Parquet, CSV, JSON-lines or Arrow file, or of each day in it.",
        epilog="example: songbird-widgets profile flights.parquet -o flights.bin --timestamp-column departed --by day",
    )
    profile.add_argument("data", metavar="DATA", help="a file, or a quoted pattern of files that are one data set")
    profile.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: DATA's name, with .bin")
    profile.add_argument("-f", "--force", action="store_true", help="replace profiles that are there already")
    profile.add_argument(
        "--columns", action="append", metavar="COLUMN[,COLUMN…]", help="profile these only; may be repeated"
    )
    when = profile.add_mutually_exclusive_group()
    when.add_argument("--timestamp", type=_moment, metavar="DATE", help="when the data are from (default: now)")
    when.add_argument(
        "--timestamp-column",
        metavar="COLUMN",
        help="make a batch of each day by the times in this column; the day is added to the name of its file",
    )
    profile.add_argument("--by", choices=["day", "hour", "week"], help="with --timestamp-column (default: day)")
    profile.set_defaults(run=_profile)
    return parser


_COMPARE_HELP = """\
exit status:
  0    done; no drift that --fail-on does not allow
  1    a file cannot be read, or a column or a threshold is not as it should be; the reason is on standard error
  2    a wrong command line
  3    drift that --fail-on does not allow
  4    no such drift was found, but it cannot be told: a side has no rows, or nothing can be told of any column (too
       few rows, say), or a column cannot be read; standard error says which. Single columns of which nothing can be
       told (too few values, or dates, of which whylogs keeps nothing) are named there, too, and hold nothing up

thresholds: the score of a change is its size; from 1 on it is moderate, from 2 on strong, unless FILE says
  moderate = 1.5
  strong = 3
  [columns.price]
  strong = 2
  [columns."updated at"]
  moderate = inf              # never

in a CI job (GitHub Actions):
  - run: songbird-widgets compare train.parquet today.parquet --html report.html --fail-on strong
  - uses: actions/upload-artifact@v4
    if: always()
    with: {name: drift, path: report.html}
"""


_SECRETS_HELP = (
    f"{given.READABLE}A session's id opens the session: others do not see it in a file (--session-file) or in the "
    "variable SONGBIRD_SESSION, nor an endpoint in --endpoint-file or SONGBIRD_ENDPOINT, nor a key in SONGBIRD_API_KEY."
)


def _add_sessions(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sessions = commands.add_parser(
        "sessions",
        help="list your sessions, the latest first",
        description="List the sessions that you have begun on this machine: short id, state, where they live, how many "
        "profiles they have, when they were used last, name. A short id is enough for upload --session and delete.",
    )
    sessions.add_argument("--most", type=_count, default=20, metavar="N", help="how many (default: 20)")
    sessions.set_defaults(run=_sessions)


def _add_delete(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    delete = commands.add_parser(
        "delete",
        help="delete a session, or profiles of it, for good",
        description="Delete a session with all that was uploaded to it, or some of its profiles.",
        epilog=f"example: songbird-widgets delete session-6LpL 2013-07-08 july. {_SECRETS_HELP}",
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
    given.add_session_file(delete)
    given.add_endpoint(delete, "where the session was begun")
    delete.set_defaults(run=_delete)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date or time (like 2026-01-31 or 2026-01-31T12:00Z)"
        ) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def _port_or_any(text: str) -> int:
    return 0 if text == "0" else _port(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MAX_RECENT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_RECENT}")
    return int(text)


def _fail(message: str) -> int:
    print(f"songbird-widgets: {message}", file=sys.stderr)
    return 1


def _refused(error: Exception) -> int:
    """Say what was refused; of a file, which one and why."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{one_line_path(os.fsdecode(error.filename), 200)}: "
        return _fail(f"{where}{reason_of(error)}.")
    return _fail(str(error))


def _compare(options: argparse.Namespace) -> int:
    from .observatory import compare, display
    from .profiles import ProfileError, SourceError, ThresholdsError
    from .profiles import compare as compare_profiles

    if not 2 <= len(options.data) <= MAX_COMPARED:
        print(f"songbird-widgets compare: give two or three files, not {len(options.data)}.", file=sys.stderr)
        return 2
    if options.html and options.html.suffix.lower() not in {".html", ".htm"}:
        print(f"songbird-widgets compare: --html: {options.html} does not end in .html.", file=sys.stderr)
        return 2
    with _warnings_said():
        try:
            comparison = compare(*options.data, thresholds=options.thresholds)
            if options.columns:
                chosen = _chosen_columns(options.columns, comparison.names)
                comparison = display(
                    compare_profiles(comparison.sides, comparison.labels, comparison.thresholds, chosen)
                )
            if options.html:
                comparison.save(options.html)
        except (ProfileError, SourceError, ThresholdsError, OSError) as error:
            return _refused(error)
    print(json.dumps(comparison.to_dict()) if options.json else comparison.to_text())
    if options.fail_on is None:
        return 0
    failing = {"strong"} if options.fail_on == "strong" else {"moderate", "strong", "missing", "new"}
    untold = _say_what_cannot_be_told(comparison)
    sides = range(1, len(comparison.sides))
    if any(not failing.isdisjoint(comparison.verdicts(side).values()) for side in sides):
        return 3
    return 4 if untold else 0


def _say_what_cannot_be_told(comparison: Comparison) -> bool:
    """Say on standard error of which sides and columns it is not known whether they drifted.

    Returns
    -------
    bool
        Whether that keeps the comparison from passing: not where other columns can be told.
    """
    empty = [
        label for label, side in zip(comparison.labels, comparison.sides, strict=True) if not side.rows and side.names
    ]
    empty += [label for label, side in zip(comparison.labels, comparison.sides, strict=True) if not side.names]
    for label in empty:
        _fail(f"{label} has no rows: it cannot be told whether anything drifted.")
    untold = bool(empty)
    for place in range(1, len(comparison.sides)):
        first, label = comparison.labels[0], comparison.labels[place]
        if first in empty or label in empty:
            continue
        verdicts, few = comparison.verdicts(place), set(comparison.too_few(place))
        unknown = [name for name, verdict in verdicts.items() if verdict == "unknown"]
        untold |= len(unknown) == len(verdicts) or any(comparison.problem(name) for name in unknown)
        before, after = comparison.sides[0].rows or 0, comparison.sides[place].rows or 0
        small = f"{label} ({after:,} rows)" if after <= before else f"{first} ({before:,} rows)"
        for names, why in (
            ([name for name in unknown if name in few], f"there is too little in {small}"),
            ([name for name in unknown if name not in few], "the profiles say too little of them"),
        ):
            if names:
                shown = ", ".join(one_line(name) for name in names[:_MOST_NAMED])
                more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
                _fail(f"Of {shown}{more} it cannot be told whether they drifted in {label}: {why}.")
    return untold


def _listed(given: Sequence[str] | None) -> list[str] | None:
    """Take names of columns apart, where nobody knows yet which there are."""
    return None if given is None else [name for text in given for name in text.split(",") if name]


def _chosen_columns(given: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the columns that are asked for; a comma may also be part of a name."""
    chosen: list[str] = []
    for text in given:
        chosen += [text] if text in known else _listed([text]) or ()
    return chosen


@contextmanager
def _warnings_said() -> Iterator[list[str]]:
    """Say on standard error, each once, what is warned of within."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said += dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning))
    for one in said:
        _fail(one)


def _demo(options: argparse.Namespace) -> int:
    from .jupyter import demo
    from .local import local_service

    try:
        return demo.run(voila=options.voila, port=options.port, browser=not options.no_browser)
    except (demo.DemoError, local_service.LocalServiceError) as error:
        return _fail(str(error))


def _open(options: argparse.Namespace) -> int:
    import webbrowser

    from .local import local_service

    try:
        address = local_service.way_in()
    except local_service.LocalServiceError as error:
        return _fail(str(error))
    if options.no_browser or not webbrowser.open(address):
        print(f"Open this once, within a minute: {address}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from .local.identity import LocalServiceError
    from .service.settings import Settings, days_of, quotas_of

    try:
        settings = Settings.of(vars(options), os.environ)
        keep_days = None if options.keep_days is None else days_of(options.keep_days)
    except LocalServiceError as error:
        return _fail(str(error))
    if settings is None:
        from .service import app

        quotas = quotas_of(vars(options))
        return app.run(data_dir=options.data_dir, port=options.port, keep_days=keep_days, quotas=quotas)
    if options.port is not None:
        return _fail("--port is for the local service. Name address and port of a team's with --bind.")
    from .service import team

    return team.run(settings)


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


def _sessions(options: argparse.Namespace) -> int:
    from .session import LedgerError, Session

    try:
        recent = Session.recent(options.most)
    except LedgerError as error:
        return _fail(str(error))
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
                one.state,
                "local service" if one.endpoint is None else one_line(one.label),
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
    from .client import SongbirdError
    from .local.local_service import LocalServiceError
    from .session import LedgerError, Session, SessionError

    try:
        profiles, elsewhere = options.profiles, options.session_file is not None or "SONGBIRD_SESSION" in os.environ
        named = options.session is not None and options.session.startswith("session-")
        if elsewhere and options.session is not None and (options.session_file is not None or not named):
            profiles, options.session = [options.session, *profiles], None  # it is the first of the profiles
        recent = Session.recent(_MAX_RECENT)
        session_id = _session_id(options, recent)
        if session_id is None:
            print("songbird-widgets delete: name a session; songbird-widgets sessions lists yours.", file=sys.stderr)
            return 2
        over = next((one for one in recent if one.session_id == session_id and one.state != "open"), None)
        if over is not None:
            was = "was claimed by an organization" if over.state == "claimed" else "was deleted, or has expired"
            return _fail(f"Session {over.short_id} {was}: there is nothing to delete.")
        with Session(endpoint=given.endpoint_of(options), session_id=session_id) as session:
            before = len(session.profiles)
            session.delete(*profiles)
            deleted = before - len(session.profiles)
    except (SongbirdError, SessionError, LedgerError, LocalServiceError, given.GivenError) as error:
        return _fail(str(error))
    what = f"{deleted} profile{'' if deleted == 1 else 's'}"
    print(f"Deleted: {what}." if profiles else f"Deleted: the session, with {what}.")
    return 0


def _rotate(_: argparse.Namespace) -> int:
    from .local import local_service

    try:
        ended = local_service.rotate()
    except local_service.LocalServiceError as error:
        return _fail(str(error))
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
    from .local import local_service

    try:
        ended = local_service.stop()
    except local_service.LocalServiceError as error:
        return _fail(str(error))
    print("The local service has ended." if ended else "The local service was not running.")
    return 0


def _profile(options: argparse.Namespace) -> int:
    from .profiles import ProfileError, profile, profile_batches

    if options.by and not options.timestamp_column:
        return _fail("--by needs --timestamp-column: the column whose times tell the batches apart.")
    output: Path = options.output or Path(f"{Path(options.data).name.partition('.')[0].strip('*?[]') or 'profile'}.bin")
    columns = _listed(options.columns)
    if not options.timestamp_column and (problem := _in_the_way([output], options)):
        return _fail(problem)  # before a long file is read for nothing
    with _warnings_said() as said:
        try:
            if options.timestamp_column:
                by: Period = options.by or "day"
                made = profile_batches(options.data, options.timestamp_column, by=by, columns=columns)
                named = [(output.with_stem(f"{output.stem}-{_period(one.dataset_timestamp, by)}"), one) for one in made]
            else:
                named = [(output, profile(options.data, timestamp=options.timestamp, columns=columns))]
            if problem := _in_the_way([path for path, _ in named], options):
                return _fail(problem)
            for path, one in named:
                one.save(path)
                print(path)
        except (ProfileError, OSError) as error:
            return _refused(error)
    return 1 if said or not named else 0


def _in_the_way(outputs: Sequence[Path], options: argparse.Namespace) -> str | None:
    """Say which of the files to be written must not be."""
    there = [path for path in outputs if path.exists()]
    for path in there:
        if Path(options.data).exists() and path.samefile(options.data):
            return f"{path} is the data itself: name another file with -o."
    if not there or options.force:
        return None
    more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
    return f"{there[0]}{more} there already, and nothing was written. --force replaces it."


def _period(timestamp: int, by: str) -> str:
    start = datetime.fromtimestamp(timestamp / 1000, timezone.utc)
    return start.strftime("%Y-%m-%dT%H" if by == "hour" else "%Y-%m-%d")


def _upload(options: argparse.Namespace) -> int:
    from .client import SongbirdError
    from .local.local_service import LocalServiceError
    from .session import LedgerError, Session, SessionError

    swallowed = [one for one in options.select if not options.files and Path(one).is_file()]
    if swallowed:
        return _fail(f"--select: {swallowed[0]} is a file: name files before --select. Nothing was uploaded.")
    try:
        session_id = _session_id(options, Session.recent(_MAX_RECENT))
        if not options.files and not options.reference and not session_id:
            return _fail("Name at least one profile to upload; see songbird-widgets upload --help.")
        with Session(endpoint=given.endpoint_of(options), session_id=session_id) as session:
            try:
                return _upload_into(session, options, continued=session_id is not None)
            except KeyboardInterrupt:
                print(_stopped(session), file=sys.stderr)
                return 130
    except (SongbirdError, SessionError, LedgerError, LocalServiceError, given.GivenError) as error:
        return _fail(str(error))


def _session_id(options: argparse.Namespace, recent: Sequence[LedgerSession]) -> str | None:
    """Return the id of the session that is meant; by a short id, the one that this user has begun."""
    from .client.redaction import short_id

    named = given.session_of(options)
    if named is None:
        return None
    begun = named.rstrip("…")
    known = [session.session_id for session in recent if session.session_id.startswith(begun)]
    if not begun or any(len(begun) < len(short_id(one)) - 1 for one in known):
        raise given.GivenError(
            f"{one_line(named)} is too short for a session's id: give at least the letters that songbird-widgets "
            "sessions lists."
        )
    if len(known) > 1 and named not in known:
        some = ", ".join(session.rstrip("…") for session in dict.fromkeys(short_id(one) for one in known[:_MOST_NAMED]))
        more = f" and {len(known) - _MOST_NAMED:,} more" if len(known) > _MOST_NAMED else ""
        raise given.GivenError(
            f"{one_line(named)} begins {len(known)} sessions ({some}{more}): give more letters, as songbird-widgets "
            "sessions lists them."
        )
    session_id = known[0] if len(known) == 1 else named
    if session_id == options.session:  # all of it was an argument
        given.warn_of_session()
    return session_id


def _upload_into(session: Session, options: argparse.Namespace, *, continued: bool) -> int:
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
    there = landed or [profile for profile in session.profiles if profile.state == "uploaded" and continued]
    if not there:
        return _fail("Nothing was uploaded.")
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

"""``songbird-widgets profile``: profiles of data files."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics import as_timestamp, day_of
from .columns import add_columns, split_names
from .messages import fail, refuse, warnings_said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..profiles.profiling import Period


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    profile = commands.add_parser(
        "profile",
        help="make profiles of data files",
        description="Make a whylogs profile of a Parquet, CSV, JSON-lines or Arrow file, or of each day in it.",
        epilog="example: songbird-widgets profile flights.parquet -o flights.bin --timestamp-column departed --by day",
    )
    profile.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help="a file, a quoted pattern, or an archive (zip, tar); several files are one data set, and need -o",
    )
    profile.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: DATA's name, with .bin")
    profile.add_argument("-f", "--force", action="store_true", help="replace profiles that are there already")
    add_columns(profile, "profile")
    when = profile.add_mutually_exclusive_group()
    when.add_argument("--timestamp", type=_moment, metavar="DATE", help="when the data are from (default: now)")
    when.add_argument(
        "--timestamp-column",
        metavar="COLUMN",
        help="make a batch of each day by the times in this column; the day is added to the name of its file",
    )
    profile.add_argument("--by", choices=["day", "hour", "week"], help="with --timestamp-column (default: day)")
    profile.set_defaults(run=_run)


def _moment(text: str) -> str:
    try:
        as_timestamp(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} Give a date or time like 2026-01-31 or 2026-01-31T12:00Z.") from None
    return text


def _run(options: argparse.Namespace) -> int:
    from ..profiles import ProfileError, profile, profile_batches

    if options.by and not options.timestamp_column:
        return fail("--by needs --timestamp-column: the column whose times tell the batches apart.")
    if len(options.data) > 1 and options.output is None:
        return fail("Several files are one data set: name its profile with -o.")
    name = Path(options.data[0]).name.partition(".")[0].strip("*?[]")
    output: Path = options.output or Path(f"{name or 'profile'}.bin")
    columns = None if options.columns is None else split_names(options.columns)
    if problem := _obstacle(output, options):
        return fail(problem)  # before a long file is read for nothing
    data = options.data if len(options.data) > 1 else options.data[0]
    with warnings_said() as said:
        try:
            if options.timestamp_column:
                by: Period = options.by or "day"
                made = profile_batches(data, options.timestamp_column, by=by, columns=columns)
                named = [(output.with_stem(f"{output.stem}-{_period(one.dataset_timestamp, by)}"), one) for one in made]
            else:
                named = [(output, profile(data, timestamp=options.timestamp, columns=columns))]
            if problem := _in_the_way([path for path, _ in named], options):
                return fail(problem)
            for path, one in named:
                one.save(path)
                print(path)
        except (ProfileError, OSError) as error:
            return refuse(error)
    return 1 if said or not named else 0


def _obstacle(output: Path, options: argparse.Namespace) -> str | None:
    """Say what is known to go wrong before anything is read."""
    from ..profiles import ProfileError
    from ..profiles.tabular.files import find_paths, path_shown

    for data in options.data:
        try:
            find_paths(data)
        except ProfileError as error:
            return f"{path_shown(data)}: {error.reason}"
    if output.is_dir():
        return f"{output} is a directory: name a file in it with -o."
    return None if options.timestamp_column else _in_the_way([output], options)


def _in_the_way(outputs: Sequence[Path], options: argparse.Namespace) -> str | None:
    """Say which of the files to be written must not be."""
    there = [path for path in outputs if path.exists()]
    for path in there:
        if any(path.samefile(data) for data in options.data if Path(data).exists()):
            return f"{path} is the data itself: name another file with -o."
    if not there or options.force:
        return None
    more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
    return f"{there[0]}{more} there already, and nothing was written. --force replaces it."


def _period(timestamp: int, by: str) -> str:
    start = datetime.fromtimestamp(timestamp / 1000, timezone.utc)
    return f"{day_of(start)}T{start:%H}" if by == "hour" else day_of(start)

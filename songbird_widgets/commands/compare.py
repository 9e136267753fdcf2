"""``songbird-widgets compare``: what drifted between two or three files, for people and for CI."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics import MAX_COMPARED, column_text
from .columns import add_columns, chosen_columns
from .messages import fail, refuse, warnings_said

if TYPE_CHECKING:
    from ..profiles import Comparison

_MAX_NAMED = 5

_HELP = """\
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


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    compare = commands.add_parser(
        "compare",
        help="say what drifted between two or three data files or profiles",
        description="Compare data files (Parquet, CSV, JSON lines, Arrow) or profiles; the first is the baseline.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("data", nargs="+", metavar="DATA", help="two or three files; the first is the baseline")
    compare.add_argument("--html", type=Path, metavar="FILE", help="also write the report as one HTML file")
    compare.add_argument("--json", action="store_true", help="print everything as JSON instead of what drifted as text")
    add_columns(compare, "compare, show and judge")
    compare.add_argument(
        "--fail-on",
        choices=["moderate", "strong"],
        help="exit with status 3 if a column drifted so; moderate is also a column that is missing or new; with "
        "status 4 if nothing can be told, for want of rows",
    )
    compare.add_argument(
        "--thresholds", type=Path, metavar="FILE", help="from which scores on a change counts, as TOML (see below)"
    )
    compare.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ..observatory import compare, display
    from ..profiles import ProfileError, SourceError, ThresholdsError, compare_profiles
    from ..profiles.profiling import NOT_PROFILED, column_shown

    if not 2 <= len(options.data) <= MAX_COMPARED:
        print(f"songbird-widgets compare: give two or three files, not {len(options.data)}.", file=sys.stderr)
        return 2
    if options.html and options.html.suffix.lower() not in {".html", ".htm"}:
        print(f"songbird-widgets compare: --html: {options.html} does not end in .html.", file=sys.stderr)
        return 2
    chosen = None
    with warnings_said() as said:
        try:
            comparison = compare(*options.data, thresholds=options.thresholds)
            if options.columns:
                chosen = chosen_columns(options.columns, comparison.names)
                comparison = display(
                    compare_profiles(comparison.sides, comparison.labels, comparison.thresholds, chosen)
                )
            if options.html:
                comparison.save(options.html)
        except (ProfileError, SourceError, ThresholdsError, OSError) as error:
            return refuse(error)
    print(json.dumps(comparison.to_dict()) if options.json else comparison.to_text())
    if options.fail_on is None:
        return 0
    failing = {"strong"} if options.fail_on == "strong" else {"moderate", "strong", "missing", "new"}
    shown = [""] if chosen is None else [column_shown(name) for name in chosen]
    not_profiled = any(f"{NOT_PROFILED}{name}" in note for note in said for name in shown)
    untold = _say_what_cannot_be_told(comparison) or not_profiled
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
        fail(f"{label} has no rows: it cannot be told whether anything drifted.")
    untold = bool(empty)
    for place in range(1, len(comparison.sides)):
        first, label = comparison.labels[0], comparison.labels[place]
        if first in empty or label in empty:
            continue
        verdicts = comparison.verdicts(place)
        unknown = [name for name, verdict in verdicts.items() if verdict == "unknown"]
        untold |= len(unknown) == len(verdicts) or any(comparison.problem(name) for name in unknown)
        by_reason: dict[str, list[str]] = {}
        for name in unknown[:_MAX_NAMED]:
            drift = comparison.verdict(name)[place]
            by_reason.setdefault(" ".join(drift.reasons if drift else ()), []).append(column_text(name))
        for reason, names in by_reason.items():
            they = "it" if len(names) == 1 else "they"
            fail(f"Of {', '.join(names)} it cannot be told whether {they} drifted in {label}. {reason}".rstrip())
        more = len(unknown) - _MAX_NAMED
        if more > 0:
            fail(f"Nor can it be told of {more:,} more column{'' if more == 1 else 's'} in {label}.")
    return untold

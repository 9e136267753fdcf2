"""The option ``--columns`` of commands that may look at some columns only."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_columns(command: argparse.ArgumentParser, purpose: str) -> None:
    """Add the option; `purpose` says what becomes of the columns that are named."""
    command.add_argument(
        "--columns",
        action="append",
        metavar="COLUMN[,COLUMN…]",
        help=f"{purpose} these only; may be repeated; a name with a comma stands in double quotes: "
        "'\"price, net\",city'",
    )


def split_names(given: Sequence[str]) -> list[str]:
    """Split what was given at its commas, as a row of CSV is, where it is not known which columns there are."""
    return [name for text in given for name in _split(text) if name]


def _split(text: str) -> list[str]:
    # csv reads lines, and a name without quotes may hold the end of one.
    return next(csv.reader([text]), []) if '"' in text else text.split(",")


def chosen_columns(given: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the columns that were asked for; a comma, or a quotation mark, may also be part of a known name."""
    chosen: list[str] = []
    for text in given:
        chosen += [text] if text in known else split_names([text])
    return chosen

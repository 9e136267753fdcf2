"""`compare`: from whatever holds data or profiles to a comparison that displays itself."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from songbird_widgets.basics import write_whole
from songbird_widgets.profiles import (
    MAX_SIDES,
    Comparison,
    Profile,
    ProfileSummary,
    ProfilingWarning,
    compare_profiles,
    read_as_one,
    read_thresholds,
)

from . import card, exports, report
from .query import PageQuery
from .sides import Side
from .view import View

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult(Comparison):
    """A comparison that displays itself in a cell, and hands itself out as data and as a file; made by `compare`.

    Attributes
    ----------
    names, drifted : tuple of str
        All columns; those that drifted, what drifted most first.
    columns : dict of str to ColumnComparison
        By name, what drifted most first: `statistics` and `drifts` of each profile, and `drift`, the largest.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> result = sw.compare(january={"price": [4, 5, 5, 6] * 50}, july={"price": [5, 6, 6, 7] * 50})
    >>> result
    <Comparison: 1 of 1 column drifted: price>
    >>> result.columns["price"].drift.verdict, round(result.columns["price"].drift.mean_shift, 1)
    ('strong', 1.4)
    """

    @cached_property
    def _view(self) -> View:
        sides = zip(self.labels, self.sides, strict=True)
        return View([Side(label, "data", label, summary) for label, summary in sides], self)

    def __repr__(self) -> str:
        return f"<Comparison: {card.headline(self._view)}>"

    def __str__(self) -> str:
        return self.to_text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.to_text(), "text/html": card.as_html(self._view)}

    def to_text(self) -> str:
        """Return a few lines: what drifted, and why."""
        return card.as_text(self._view)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as the observatory's JSON does: ``profiles`` and ``columns``, what drifted most first."""
        query = PageQuery(limit=max(1, len(self.names)))
        return exports.as_json("comparison", self._view, query, [()] * len(self.sides))

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each column and profile: its figures, and the drift from the first profile.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        exports.require_pandas()
        import pandas as pd

        rows = exports.rows_of(self._view, self._view.selected(PageQuery()))
        index = pd.MultiIndex.from_tuples(
            [(row.pop("column"), row.pop("profile")) for row in rows], names=["column", "profile"]
        )
        frame: pd.DataFrame = pd.DataFrame(rows, index=index)
        return frame

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the comparison to a file, in the format that its name ends in.

        ``.html`` is one file with the table and every column's page, which needs no script and no server; ``.json`` is
        what `to_dict` returns, ``.csv`` the table in full.

        Parameters
        ----------
        path
            Where to; a file that is there is replaced, and stays as it is if that fails.

        Returns
        -------
        Path
            Where it lies.

        Raises
        ------
        ValueError
            The name ends in something else; nothing is written.
        OSError
            It cannot be written there.

        Examples
        --------
        >>> import songbird_widgets as sw
        >>> prices = [{"price": price % 20} for price in range(200)]
        >>> sw.compare(prices, prices).save("report.html").name
        'report.html'
        """
        suffix = Path(path).suffix.lower()
        if suffix not in _WRITERS:
            raise ValueError(
                f"The name of the file says what to write: end it in .html, .json or .csv, not {suffix or 'nothing'!r}."
            )
        return write_whole(path, _WRITERS[suffix](self, self._view))


def _csv(_: ComparisonResult, view: View) -> bytes:
    return b"".join(exports.csv_parts(view, PageQuery(limit=max(1, len(view.names)))))


_WRITERS: dict[str, Callable[[ComparisonResult, View], bytes]] = {
    ".html": lambda _, view: report.as_html(view).encode(),
    ".htm": lambda _, view: report.as_html(view).encode(),
    ".json": lambda result, _: json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False).encode(),
    ".csv": _csv,
}


def compare(
    *data: Any,
    thresholds: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    **named: Any,
) -> ComparisonResult:
    """Compare up to three data sets or profiles; the first is the baseline.

    Parameters
    ----------
    *data : DataFrame, path, bytes, Profile, ProfileSummary, whylogs object, or one mapping of names to these
        Whatever `profile` and `Session.add` take: frames and series of any library, lists of dicts, dicts of columns,
        paths or globs of profiles and of data files (Parquet, CSV, JSON lines, Arrow), bytes and open files of both,
        whylogs' results. Several profiles or files in one argument (a glob, an archive) are compared as one.
    thresholds : path of a TOML file, or mapping, optional
        From which scores on a change counts: ``moderate`` (1 by default) and ``strong`` (2), and the same by column
        under ``columns``: ``{"strong": 3, "columns": {"price": {"moderate": 0.5}}}``. ``inf`` is never.
    columns : sequence of str, optional
        The columns to compare; all by default. A data set that is called so has to come in a mapping.
    **named
        The same as `data`, called by the keyword.

    Returns
    -------
    ComparisonResult

    Raises
    ------
    ValueError
        There is nothing to compare, or more than three; or `thresholds` cannot be used.
    SourceError
        One of them holds no profile; the message says which, why, and what to do.
    ProfileError
        A profile cannot be read, data cannot be profiled, or none of them has one of `columns`.

    Warns
    -----
    ProfilingWarning
        A column of a data set cannot be profiled, or not as one would expect; the message begins with the data set.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> january = [{"price": price % 20} for price in range(200)]
    >>> july = [{"price": 2 * (price % 20)} for price in range(200)]
    >>> sw.compare(january=january, july=july).drifted
    ('price',)
    >>> sw.compare({"in January": january, "in July": july}, thresholds={"moderate": 30}).drifted
    ()
    """
    if len(data) == 1 and not named and isinstance(data[0], Mapping):
        given = [(str(name), one) for name, one in data[0].items()]
    else:
        given = [*zip(_labels(data), data, strict=True), *named.items()]
    given = [(name if name.strip() else f"P{place}", one) for place, (name, one) in enumerate(given, start=1)]
    names = [name for name, _ in given]
    given = [
        (f"{name} (P{place})" if names.count(name) > 1 else name, one)
        for place, (name, one) in enumerate(given, start=1)
    ]
    if not 1 <= len(given) <= MAX_SIDES:
        raise ValueError(f"One to {MAX_SIDES} profiles can be compared, not {len(given)}.")
    limits = None if thresholds is None else read_thresholds(thresholds)
    if isinstance(columns, str):
        raise TypeError(f"columns takes a list of names, not a string: [{columns!r}].")
    notes: list[str] = []
    sides = [_side(name, one, notes) for name, one in given]
    for note in dict.fromkeys(notes):
        warnings.warn(note, ProfilingWarning, stacklevel=2)
    return display(compare_profiles(sides, [name for name, _ in given], limits, columns))


def display(comparison: Comparison) -> ComparisonResult:
    """Return a comparison as one that displays itself."""
    return ComparisonResult(
        comparison.sides, comparison.labels, comparison.thresholds, comparison.evidence, comparison.only
    )


def _labels(data: Sequence[Any]) -> list[str]:
    """Call files by their names, with as many of their folders as tell them apart; what has none by its place."""
    names = _told_apart([Path(one) if isinstance(one, (str, os.PathLike)) else None for one in data])
    places = [f"P{place}" for place in range(1, len(data) + 1)]
    return [
        place if not name else f"{name} ({place})" if names.count(name) > 1 else name
        for name, place in zip(names, places, strict=True)
    ]


def _told_apart(paths: Sequence[Path | None]) -> list[str]:
    """Return a name for each path: its stem, where several have that, with the folders from which on they differ."""
    # Path.expanduser raises where there is no such home.
    places = [
        () if path is None else (*Path(os.path.expanduser(path)).absolute().parts[1:-1], path.stem)  # noqa: PTH111
        for path in paths
    ]
    names = []
    for place in places:
        alike = [other for other in places if other != place and other[-1:] == place[-1:]]
        length = 1
        while any(other[-length:] == place[-length:] for other in alike):
            length += 1
        names.append("/".join(place[-length:]))
    return names


def _side(name: str, source: Any, notes: list[str]) -> Profile | ProfileSummary:
    return source if isinstance(source, ProfileSummary) else read_as_one(source, name, notes)

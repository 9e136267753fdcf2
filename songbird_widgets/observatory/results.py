"""`compare`: from whatever holds data or profiles to a comparison that displays itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from songbird_widgets.profiles import (
    Comparison,
    Profile,
    ProfileError,
    ProfileSummary,
    SourceError,
    addable,
    find_sources,
    leads_to_data,
    merge_profiles,
    profile,
    read_profile,
)
from songbird_widgets.profiles import compare as compare_profiles

from . import card, exports, report
from .query import PageQuery
from .sides import Side
from .view import View

if TYPE_CHECKING:
    import os

    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult(Comparison):
    """A comparison that displays itself in a cell, and hands itself out as data and as a file; made by `compare`."""

    @cached_property
    def _view(self) -> View:
        sides = zip(self.labels, self.sides, strict=True)
        return View([Side(label, "data", label, summary) for label, summary in sides], self)

    def __repr__(self) -> str:
        return f"<Comparison: {card.headline(self._view)}>"

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
        import pandas as pd

        rows = exports.rows_of(self._view, self._view.selected(PageQuery()))
        index = pd.MultiIndex.from_tuples(
            [(row.pop("column"), row.pop("profile")) for row in rows], names=["column", "profile"]
        )
        frame: pd.DataFrame = pd.DataFrame(rows, index=index)
        return frame

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one HTML file that holds the table and every column's page, and needs no script and no server.

        Parameters
        ----------
        path
            Where to; a file that is there is replaced.

        Returns
        -------
        Path
            Where it lies.
        """
        target = Path(path)
        target.write_text(report.as_html(self._view), "utf-8")
        return target


def compare(*data: Any, **named: Any) -> ComparisonResult:
    """Compare up to three data sets or profiles; the first is the baseline.

    Parameters
    ----------
    *data : DataFrame, path, bytes, Profile, ProfileSummary, whylogs object, or one mapping of names to these
        Whatever `Session.add` takes, and paths or globs of data files: Parquet, CSV, JSON lines, Arrow. Several
        profiles or files in one argument (a glob, an archive) are compared as one.
    **named
        The same, called by the keyword.

    Returns
    -------
    ComparisonResult

    Raises
    ------
    ValueError
        There is nothing to compare, or more than three.
    SourceError
        One of them holds no profile; the message says which, why, and what to do.
    ProfileError
        A profile cannot be read.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> january = [{"price": price} for price in range(100)]
    >>> july = [{"price": 2 * price} for price in range(100)]
    >>> sw.compare(january=january, july=july).drifted
    ('price',)
    """
    if len(data) == 1 and not named and isinstance(data[0], Mapping):
        given = [(str(name), one) for name, one in data[0].items()]
    else:
        given = [(_label(one, place), one) for place, one in enumerate(data, start=1)] + list(named.items())
    sides = [_side(name, one) for name, one in given]
    return display(compare_profiles(sides, [name for name, _ in given]))


def display(comparison: Comparison) -> ComparisonResult:
    """Return a comparison as one that displays itself."""
    return ComparisonResult(comparison.sides, comparison.labels)


def _label(source: Any, place: int) -> str:
    """Call what has no name of its own by its place."""
    return Path(source).stem if isinstance(source, (str, Path)) else f"P{place}"


def _side(name: str, source: Any) -> Profile | ProfileSummary:
    if isinstance(source, (Profile, ProfileSummary)):
        return source
    if isinstance(source, (str, Path)) and leads_to_data(source):
        return profile(source)
    profiles = []
    for found in find_sources(source):
        if isinstance(found, SourceError):
            raise found
        content = found.content
        profiles.append(read_profile(content if isinstance(content, bytes) else content.read_bytes()))
    if not profiles:
        raise ProfileError(f"{name} holds no profile.")
    if len(addable([profile.segments for profile in profiles])) < len(profiles):
        raise ProfileError(f"{name} holds a whole and its segments, or overlapping segments: compare them one by one.")
    return profiles[0] if len(profiles) == 1 else merge_profiles(profiles)

"""`compare`: from whatever holds data or profiles to a comparison that displays itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from songbird_widgets.profiles import (
    Comparison,
    Profile,
    ProfileError,
    ProfileSummary,
    SourceError,
    addable,
    find_sources,
    merge_profiles,
    read_profile,
)
from songbird_widgets.profiles import compare as compare_profiles

from . import card


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult(Comparison):
    """A comparison that displays itself in a cell; made by `compare`."""

    def __repr__(self) -> str:
        return f"<Comparison: {card.headline(self)}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": card.as_text(self), "text/html": card.as_html(self)}


def compare(*data: Any, **named: Any) -> ComparisonResult:
    """Compare up to three data sets or profiles; the first is the baseline.

    Parameters
    ----------
    *data : DataFrame, path, bytes, Profile, ProfileSummary, whylogs object, or one mapping of names to these
        Whatever `Session.add` takes. Several profiles in one argument (a glob, an archive) are compared as one.
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

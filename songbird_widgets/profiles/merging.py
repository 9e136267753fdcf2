"""Profiles, and whatever else holds profiles or data, merged into one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from .data_model import Profile
from .merge import join_profiles
from .profiling import ProfilingWarning
from .sources import read_as_one

if TYPE_CHECKING:
    from collections.abc import Iterable


def merge_profiles(profiles: Iterable[Any]) -> Profile:
    """Join profiles, lazily by column.

    Counts, types and conditions add up, moments combine by the parallel variance formula, sketches by their
    union. The timestamps are the earliest, tags and metadata the first that say something, size the sum.

    Parameters
    ----------
    profiles : list, tuple, set or iterator of Profile, path, bytes or whatever else `compare` takes for one side
        One or more, in the order in which they were logged.

    Raises
    ------
    TypeError
        This is no list.
    ValueError
        There is none.
    SourceError
        One of them holds no profile.
    ProfileError
        One cannot be read; or, here or when a column is read: they count more than 64 bits hold.

    Warns
    -----
    ProfilingWarning
        As in `profile`, where one is data.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> days = [sw.profile({"price": [9.5, 12.0]}), sw.profile({"price": [11.0]})]
    >>> sw.merge_profiles(days).column("price").counts.n
    3
    """
    # A frame, a mapping or a text can be iterated over, too, but holds no profiles.
    if isinstance(profiles, (str, bytes, bytearray, memoryview)) or not isinstance(
        profiles, (Sequence, AbstractSet, Iterator, ValuesView)
    ):
        raise TypeError(f"merge_profiles takes a list of profiles, not one thing ({type(profiles).__name__}): use […].")
    listed = list(profiles)
    if all(isinstance(one, Profile) for one in listed):
        return join_profiles(listed)
    notes: list[str] = []
    read = [read_as_one(one, f"Profile {place}", notes) for place, one in enumerate(listed, start=1)]
    for note in dict.fromkeys(notes):
        warnings.warn(note, ProfilingWarning, stacklevel=2)
    return join_profiles(read)

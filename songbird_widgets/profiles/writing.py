"""Writing a profile, in the version of the format that has a place for what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version0_writer import write_version_0
from .version1_writer import write_version_1

if TYPE_CHECKING:
    from collections.abc import Collection

    from .data_model import Profile


def write_profile(profile: Profile, *, without: Collection[str] = (), timestamp: int | None = None) -> bytes:
    """Write all that is known of a profile's columns, so that whylogs 1.6.4 reads it.

    Parameters
    ----------
    profile : Profile
    without : collection of str, optional
        Columns to leave out.
    timestamp : int, optional
        The data set's timestamp in ms, UTC; the profile's own by default.

    Raises
    ------
    ProfileError
        A column's bytes are damaged.
    """
    columns = [name for name in profile.column_names if name not in without]
    when = profile.dataset_timestamp if timestamp is None else timestamp
    if profile.performance is not None:
        return write_version_0(profile, profile.performance, timestamp=when, columns=columns)
    return write_version_1(profile, timestamp=when, columns=columns)

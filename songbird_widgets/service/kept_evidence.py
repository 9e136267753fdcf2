"""What was found of pairs of profiles: weighed once, kept, and read by whoever shows them beside each other.

It is kept in a small file named by the hashes of both contents. Pairs that are likely to be looked at are weighed when
their profiles have arrived (`day_comparisons`), the others when they are asked for.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .. import __version__
from ..profiles import Evidence, ProfileError, shared_names, weigh_profiles
from . import kept_files

if TYPE_CHECKING:
    from pathlib import Path

    from ..profiles import ProfileSummary


class KeptEvidence:
    """The evidence of pairs of profiles.

    Parameters
    ----------
    directory : Path
        Made if it is missing; everything in it can be made again.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, first: str, baseline: ProfileSummary, second: str, other: ProfileSummary) -> Evidence:
        """Return what was found of a profile beside a baseline, or find it now.

        Parameters
        ----------
        first, second : str
            The hashes of their contents.
        baseline, other : ProfileSummary
        """
        many = len(shared_names(baseline, other))
        path = self._path(first, second)
        with contextlib.suppress(OSError, ProfileError):
            return Evidence.from_bytes(path.read_bytes(), many)
        found = weigh_profiles(baseline, other)
        kept_files.keep(path, [found.to_bytes()], "what was found of two profiles")
        return found

    def has(self, first: str, second: str) -> bool:
        """Whether something is kept of a profile beside a baseline."""
        return self._path(first, second).exists()

    def _path(self, first: str, second: str) -> Path:
        return kept_files.path_of(self._directory, __version__, first, second)

"""What was found of pairs of profiles: weighed once, kept, and read by whoever shows them beside each other.

It is kept in a small file named by the hashes of both contents. Pairs that are likely to be looked at are weighed when
their profiles have arrived (`day_comparisons`), the others when they are asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from typing import TYPE_CHECKING

from songbird_widgets import __version__
from songbird_widgets.profiles import Evidence, ProfileError, shared_names, weigh_profiles

from .handler import logger

if TYPE_CHECKING:
    from pathlib import Path

    from songbird_widgets.profiles import ProfileSummary


class KeptEvidence:
    """The evidence of pairs of profiles.

    Parameters
    ----------
    directory : Path
        Made if it is missing; everything in it can be made again.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

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
        self._keep(path, found)
        return found

    def has(self, first: str, second: str) -> bool:
        """Whether something is kept of a profile beside a baseline."""
        return self._path(first, second).exists()

    def _path(self, first: str, second: str) -> Path:
        name = hashlib.sha256(f"{__version__}\n{first}\n{second}".encode()).hexdigest()
        return self._directory / name[:2] / name

    def _keep(self, path: Path, found: Evidence) -> None:
        """Keep what was found; without room for it pages still come."""
        temporary = self._directory / f"{os.getpid()}-{next(self._numbers)}.pair"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(temporary, "wb", opener=_open_private) as file:
                file.write(found.to_bytes())
            temporary.replace(path)
        except OSError as error:
            logger.warning("what was found of two profiles could not be kept: %s", error.strerror)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

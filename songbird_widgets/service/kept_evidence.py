"""What was found of pairs of profiles: weighed once, kept, and read by whoever shows them beside each other.

It is kept in a small file named by the hashes of both contents. Pairs that are likely to be looked at are weighed when
their profiles have arrived (`day_comparisons`), the others when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import __version__
from ..profiles import Evidence, ProfileError, shared_names, weigh_each
from . import kept_files

if TYPE_CHECKING:
    from collections.abc import Sequence
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

    def of(self, first: str, baseline: ProfileSummary, others: Sequence[tuple[str, ProfileSummary]]) -> list[Evidence]:
        """Return what was found of profiles beside a baseline, or find it now.

        Parameters
        ----------
        first : str
            The hash of the baseline's content.
        baseline : ProfileSummary
        others : sequence of (str, ProfileSummary)
            The hash of each other content, and what it holds.
        """
        found = [self._kept(first, baseline, *other) for other in others]
        missing = [place for place, one in enumerate(found) if one is None]
        for place, weighed in zip(missing, weigh_each(baseline, [others[place][1] for place in missing]), strict=True):
            content = weighed.to_bytes()
            kept_files.keep(self._path(first, others[place][0]), [content], "what was found of two profiles")
            # What was weighed holds on to all that was weighed with it.
            found[place] = Evidence.from_bytes(content, len(shared_names(baseline, others[place][1])))
        return [one for one in found if one is not None]

    def _kept(self, first: str, baseline: ProfileSummary, second: str, other: ProfileSummary) -> Evidence | None:
        try:
            content = self._path(first, second).read_bytes()
            return Evidence.from_bytes(content, len(shared_names(baseline, other)))
        except (OSError, ProfileError):
            return None

    def has(self, first: str, second: str) -> bool:
        """Whether something is kept of a profile beside a baseline."""
        return self._path(first, second).exists()

    def _path(self, first: str, second: str) -> Path:
        return kept_files.path_of(self._directory, __version__, first, second)

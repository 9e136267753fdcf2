"""The profiles that a page puts side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from songbird_widgets.profiles import ProfileSummary

    from .problems import ProblemText


@dataclass(frozen=True)
class Side:
    """One of the profiles that a page was asked for.

    Parameters
    ----------
    value
        The ``profile`` parameter's value.
    kind
        ``batch`` or ``reference``.
    label
        What people call it: its alias, or its day.
    summary
        What it holds, unless there is a problem.
    problem
        Why it cannot be shown.
    upload_count
        Of how many files it is made; several for a batch day that was uploaded in parts.
    damaged
        Uploads of the day that it is shown without, and why: they cannot be read, or cover a segment of the whole.
    fingerprint
        What its content depends on: equal ones hold the same.
    """

    value: str
    kind: str
    label: str
    summary: ProfileSummary | None = None
    problem: ProblemText | None = None
    upload_count: int = 0
    damaged: tuple[tuple[str, str], ...] = ()
    fingerprint: str = ""

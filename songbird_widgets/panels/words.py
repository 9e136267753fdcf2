"""Foreign text as a panel shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..basics import DAY_MS, shorten, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import SessionProfile

MAX_TEXT = 2_000
MAX_NAME = 120


def failure(error: BaseException) -> str:
    """Say what went wrong as a person reads it."""
    return shorten(str(error), MAX_TEXT) or f"{type(error).__name__}: it came without an explanation."


def secret(buffers: Sequence[memoryview]) -> str | None:
    """Read the secret that came with a message: as a buffer, because kernels log what messages say."""
    return b"".join(buffers).decode("utf-8", "replace").strip() or None


def choice_label(profile: SessionProfile) -> str:
    """Return what can be chosen of a profile: the day of a batch, the alias of a reference."""
    if profile.kind == "batch" and profile.dataset_timestamp is not None:
        return time_text(profile.dataset_timestamp // DAY_MS * DAY_MS)
    return shorten(profile.label, MAX_NAME)

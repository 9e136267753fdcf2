"""Foreign text as a panel shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..basics import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TEXT = 2_000
MAX_NAME = 120


def failure(error: BaseException) -> str:
    """Say what went wrong as a person reads it."""
    return shorten(str(error), MAX_TEXT) or f"{type(error).__name__}: it came without an explanation."


def middle_out(text: str, length: int) -> str:
    """Cut a name to at most `length` characters in its middle: begin and end tell names apart."""
    if len(text) <= length:
        return text
    end = length // 2
    return f"{text[: length - end - 1]}…{text[-end:]}"


def secret(buffers: Sequence[memoryview]) -> str | None:
    """Read the secret that came with a message: as a buffer, because kernels log what messages say."""
    return b"".join(buffers).decode("utf-8", "replace").strip() or None

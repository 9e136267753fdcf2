"""What commands say on standard error."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..basics import failure_text

if TYPE_CHECKING:
    from collections.abc import Iterator


def fail(message: str) -> int:
    """Say why something was not done, and return the exit status of that."""
    print(f"songbird-widgets: {message}", file=sys.stderr)
    return 1


def refuse(error: Exception) -> int:
    """Say what was refused; of a file, which one and why."""
    return fail(failure_text(error))


@contextmanager
def warnings_said() -> Iterator[list[str]]:
    """Say on standard error, each once, what is warned of within."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said += dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning))
    for one in said:
        fail(one)

"""Files of what was computed: private, whole or not there; any that is missing can be made again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING
from uuid import uuid4

from .failures import is_new
from .handler import logger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def path_of(directory: Path, *keys: str) -> Path:
    """Return where that lies which is known by some keys."""
    name = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    return directory / name[:2] / name


def keep(path: Path, parts: Iterable[bytes | memoryview], what: str) -> None:
    """Write a file, in place of one that is there; without room for it pages still come.

    Parameters
    ----------
    path : Path
        Its directories are made if they are missing.
    parts : iterable of bytes or memoryview
        Its content.
    what : str
        What it holds, for the log.
    """
    partial = path.with_name(f"{uuid4().hex}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(partial, "wb", opener=_open_private) as file:
            file.writelines(parts)
        partial.replace(path)
    except OSError as error:
        if is_new(f"{what} could not be kept"):
            logger.warning("%s could not be kept: %s", what, error.strerror)
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

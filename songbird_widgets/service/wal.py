"""Whether SQLite's journal is damaged: SQLite itself passes over what follows a damaged frame without a word.

Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = {0x377F0682, 0x377F0683}
_HEADER, _FRAME = 32, 24


def set_aside_if_damaged(database: Path) -> Path | None:
    """Copy the journal of a database if it holds commits that SQLite will not read, before it is overwritten.

    What a power cut leaves half-written is the last transaction, which nobody was told of: a single commit that is
    not read is no damage.

    Parameters
    ----------
    database : Path
        Nobody has it open; neither it nor its journal need exist.

    Returns
    -------
    Path or None
        The copy.
    """
    journal = database.with_name(f"{database.name}-wal")
    commits = _commits(journal)
    if commits is not None and len(commits) < 2:
        return None
    aside = database.with_name(f"{database.name}-wal.damaged")
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(database)) as connection:
        read = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        if commits is None or sum(frame > read for frame in commits) > 1:
            shutil.copyfile(journal, aside)  # the last connection removes it
            return aside
    return None


def _commits(journal: Path) -> list[int] | None:
    """Return the numbers of the frames that end a transaction, from 1 on; None if the head is no journal's."""
    try:
        with journal.open("rb") as file:
            head = file.read(_HEADER)
            if len(head) < _HEADER:
                return []
            magic, _, page, _, *salts = struct.unpack(">6I", head[:24])
            if magic not in _MAGIC or not 512 <= page <= 65536:
                return None
            found, number = [], 0
            while len(frame := file.read(_FRAME)) == _FRAME:
                number += 1
                _, size, *own = struct.unpack(">4I", frame[:16])
                if own == salts and size:
                    found.append(number)
                file.seek(page, 1)
            return found
    except FileNotFoundError:
        return []

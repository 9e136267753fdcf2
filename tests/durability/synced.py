"""A disk that loses at a power cut what was not synced: a program is run with `synced.c`, which remembers what was.

`after_power_cut` then makes the directory as it may be found after the cut. Of each file and each directory there is
what was synced last, or what was written since, or, of a file, some pages of the one and some of the other: a disk
promises no order.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

PAGE = 4096


@functools.cache
def library() -> Path:
    """Return `synced.c`, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("There is no C compiler; `sh tests/install-programs.sh` installs one.")
    path = Path(tempfile.mkdtemp(prefix="songbird-synced-")) / "synced.so"
    source = Path(__file__).with_name("synced.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(path), str(source), "-ldl", "-lpthread"], check=True)
    return path


def environment(memory: Path, *, forget: str = "") -> dict[str, str]:
    """Return what a program needs in its environment so that what it syncs is remembered.

    Parameters
    ----------
    memory : Path
        Where, on the same file system as what it writes.
    forget : str, optional
        Remember nothing of files and directories whose paths hold this, as if the disk lied about them.
    """
    for kind in ("files", "names", "held"):
        (memory / kind).mkdir(parents=True, exist_ok=True)
    forgetful = {"SONGBIRD_SYNCED_FORGETS": forget} if forget else {}
    return {"LD_PRELOAD": str(library()), "SONGBIRD_SYNCED": str(memory), **forgetful}


def after_power_cut(directory: Path, memory: Path, target: Path, chance: random.Random, unsynced: float) -> None:
    """Make `target` what `directory`, whose program was just ended, may be after a power cut.

    Parameters
    ----------
    unsynced : float
        How likely a file or a directory has what was written since the last sync: 0 for never.
    """
    target.mkdir(mode=0o700)
    now = {path.stat().st_ino: path for path in (directory, *directory.rglob("*")) if not path.is_symlink()}
    _restore(directory.stat().st_ino, now, memory, target, chance, unsynced)


def _restore(
    inode: int, now: dict[int, Path], memory: Path, target: Path, chance: random.Random, unsynced: float
) -> None:
    for name, child in _entries(inode, now, memory, chance, unsynced).items():
        path = target / name
        is_directory = now[child].is_dir() if child in now else (memory / "names" / str(child)).exists()
        if is_directory:
            path.mkdir(mode=0o700)
            _restore(child, now, memory, path, chance, unsynced)
        elif child not in now or not now[child].is_socket():
            path.touch(mode=0o600)
            path.write_bytes(_content(child, now, memory, chance, unsynced))


def _entries(inode: int, now: dict[int, Path], memory: Path, chance: random.Random, unsynced: float) -> dict[str, int]:
    remembered = memory / "names" / str(inode)
    if inode in now and chance.random() < unsynced:
        return {path.name: path.stat().st_ino for path in now[inode].iterdir() if not path.is_symlink()}
    if not remembered.exists():
        return {}
    lines = (line.split(" ", 1) for line in remembered.read_text().splitlines())
    return {name: int(number) for number, name in lines if name not in {".", ".."}}


def _content(inode: int, now: dict[int, Path], memory: Path, chance: random.Random, unsynced: float) -> bytes:
    remembered = memory / "files" / str(inode)
    synced = remembered.read_bytes() if remembered.exists() else b""
    if inode not in now or chance.random() >= unsynced:
        return synced
    written = now[inode].read_bytes()
    if chance.random() < 0.5:
        return written
    pages = range(0, max(len(synced), len(written)), PAGE)
    mixed = (written if chance.random() < 0.5 else synced for _ in pages)
    return b"".join(one[start : start + PAGE] for start, one in zip(pages, mixed, strict=True))

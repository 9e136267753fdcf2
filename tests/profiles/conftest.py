"""The profiles that these tests read, and where they lie."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

DATA = Path(__file__).parent / "data"
EXAMPLES = Path(__file__).parents[2] / "examples" / "profiles"


@pytest.fixture(scope="session")
def profile_path():
    """Where a sample profile lies: the flights with the examples, the odd ones beside these tests."""

    def find(name: str) -> Path:
        for folder in (DATA, EXAMPLES):
            if (folder / name).exists():
                return folder / name
        raise FileNotFoundError(name)

    return find


@pytest.fixture(scope="session")
def profile_bytes(profile_path):
    def read(name: str) -> bytes:
        return profile_path(name).read_bytes()

    return read


@pytest.fixture(scope="session")
def corpus(whylogs_python, request, tmp_path_factory):
    """A folder of profiles made by the real whylogs, with the figures of three oracles (see make_corpus.py).

    Making it takes half a minute, so it is kept in the cache of pytest until what makes it changes.
    """
    script = Path(__file__).with_name("make_corpus.py")
    key = hashlib.sha256(script.read_bytes() + str(whylogs_python).encode()).hexdigest()[:16]
    cache = getattr(request.config, "cache", None)
    base = cache.mkdir("profiles") if cache is not None else tmp_path_factory.mktemp("profiles")
    folder = Path(base) / key
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            folder.mkdir(exist_ok=True)
            command = [str(whylogs_python), str(script), str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
            assert (folder / "complete").exists(), done.stderr
    return folder

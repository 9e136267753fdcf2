"""The profiles that these tests read, and where they lie."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

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
def corpus(tmp_path_factory):
    """A folder of profiles that the real whylogs made, with the figures of three oracles (see make_corpus.py)."""
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(DATA / "corpus.tar.xz") as archive:
        for member in archive:
            (folder / member.name).write_bytes(archive.extractfile(member).read())
    return folder

"""The profiles that these tests read, and where they lie."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A folder of profiles that the real whylogs made, with the figures of three oracles (see make_corpus.py)."""
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(DATA / "corpus.tar.xz") as archive:
        for member in archive:
            (folder / member.name).write_bytes(archive.extractfile(member).read())
    return folder

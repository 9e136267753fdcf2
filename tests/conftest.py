"""What tests of several rooms need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def whylogs_python():
    """The Python of an environment with whylogs 1.6.4, which needs an older numpy than these tests."""
    given = os.environ.get("SONGBIRD_TEST_WHYLOGS_PYTHON")
    if given is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Set SONGBIRD_TEST_WHYLOGS_PYTHON to the Python of an environment with whylogs.")
        pytest.skip("SONGBIRD_TEST_WHYLOGS_PYTHON names no Python with whylogs.")
    return Path(given)

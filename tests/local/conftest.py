"""A data directory of its own for each test, and nothing left running."""

from __future__ import annotations

import pytest

from songbird_widgets.local import local_service


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data directory whose local service is ended after the test."""
    directory = tmp_path / "data"
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(directory))
    yield directory
    local_service.stop()

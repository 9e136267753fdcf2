"""Panels on a real Session and service; only the wire to the browser is recorded instead of drawn."""

from __future__ import annotations

from pathlib import Path

import comm
import pytest
from comm.base_comm import BaseComm

from songbird_widgets.session import Session

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"


class RecordingComm(BaseComm):
    """The kernel's end of a widget's wire, which keeps what would go to the browser."""

    def __init__(self, *args, **kwargs):
        self.sent = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        self.sent.append({"type": msg_type, "data": data, "metadata": metadata, "buffers": buffers or [], **keys})


@pytest.fixture(autouse=True)
def wire(monkeypatch):
    """Every comm that is opened, and all that was sent through each."""
    comms = []

    def create(*args, **kwargs):
        made = RecordingComm(*args, **kwargs)
        comms.append(made)
        return made

    monkeypatch.setattr(comm, "create_comm", create)
    return comms


@pytest.fixture(scope="session")
def data_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("songbird")


@pytest.fixture(autouse=True)
def own_service(data_directory, monkeypatch):
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(data_directory))


@pytest.fixture(scope="session", autouse=True)
def stop_service(data_directory, keep_data_in):
    yield
    with keep_data_in(data_directory):
        pass


@pytest.fixture
def session():
    with Session() as session:
        yield session


@pytest.fixture
def own(session):
    """A session of the test's own, with two references and seven batches in the service."""
    session.add(PROFILES / "reference-first-quarter.bin", alias="first-quarter")
    session.add(PROFILES / "reference-july.bin", alias="july")
    session.add(str(PROFILES / "batch-2013-07-*.bin"))
    assert len(session.upload()) == 9
    return session


_shared: list[str] = []


@pytest.fixture
def uploaded(request):
    """The same, uploaded once for all tests that change nothing in the service, and resumed."""
    if not _shared:
        _shared.append(request.getfixturevalue("own").session_id)
    with Session(session_id=_shared[0]) as session:
        assert len(session.profiles) == 9
        yield session


@pytest.fixture
def flights():
    """The directory of the shipped profiles."""
    return PROFILES


@pytest.fixture
def say():
    """Say something to a panel, or to its only part, as the browser does: through its comm."""

    def say(panel, content, buffers=()):
        if isinstance(content, dict) and len(panel.parts) == 1:
            content = {"part": panel.parts[0], "message": 1, **content}
        message = {
            "content": {"data": {"method": "custom", "content": content}},
            "buffers": [*map(memoryview, buffers)],
        }
        panel.comm.handle_msg(message)

    return say


@pytest.fixture
def replies():
    """What a panel answered, acknowledgements left out."""

    def replies(panel):
        contents = [m["data"]["content"] for m in panel.comm.sent if m["data"].get("method") == "custom"]
        return [{k: v for k, v in one.items() if k != "part"} for one in contents if "ack" not in one]

    return replies


@pytest.fixture
def failure():
    """What a panel's only part says went wrong."""
    return lambda panel: panel.failures.get(panel.parts[0], "")

"""A real local service in a directory of its own, and nothing of this user's environment."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from songbird_widgets.session import Session

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where the service of these tests lives."""
    return tmp_path_factory.mktemp("songbird")


@pytest.fixture(autouse=True)
def isolated(monkeypatch, data_dir):
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(data_dir))


@pytest.fixture(scope="session", autouse=True)
def _stop(data_dir, keep_data_in):
    yield
    with keep_data_in(data_dir):
        pass


@pytest.fixture
def profiles():
    return PROFILES


@pytest.fixture
def session():
    with Session() as made:
        yield made


@pytest.fixture
def full(session):
    """A session with two references and seven batches, uploaded."""
    session.add(PROFILES / "reference-july.bin", alias="july")
    session.add(PROFILES / "reference-first-quarter.bin", alias="first quarter")
    session.add(str(PROFILES / "batch-*.bin"))
    assert len(session.upload()) == 9
    return session


@contextlib.contextmanager
def answering(status=200, body=b"", content_type="text/html", seen=None):
    """An endpoint that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            if seen is not None:
                seen.append((self.command, self.path, dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def endpoint_that():
    return answering

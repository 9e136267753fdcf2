"""The real service, over HTTP on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from songbird_widgets.profiles.protobuf_writer import bytes_field, encode_varint, number_field, text_field
from songbird_widgets.service import failures
from songbird_widgets.service.app import Application, close_app, make_app
from songbird_widgets.service.server import Server

JULY_8 = 1_373_241_600_000

# Each is looked for in whatever the service logs.
SECRET = "canarysecret" + "s" * 20
SIGNING_KEY = "canarysigning" + "k" * 30
ORGANIZATION = "org-Canary"
KEY = "publicpart.canarykey" + "x" * 40 + ":" + ORGANIZATION


@dataclass
class Service:
    """The service as its clients see it: `call` is one request, the rest are shorthands of the contract."""

    base: str
    app: Application
    directory: Path
    http: httpx.Client
    secret: str = SECRET
    signing_key: str = SIGNING_KEY
    organization: str = ORGANIZATION
    key: str = KEY

    def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {})}
        if key is not None:
            headers["X-API-Key"] = key
        return self.http.request(method, self.base + path, headers=headers, **options)

    def session(self) -> str:
        answer = self.call("POST", f"/k/{SECRET}/v0/sessions", json={"userId": "someone"})
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def announce(self, session: str, timestamp: int = JULY_8) -> dict[str, Any]:
        answer = self.call(
            "POST", f"/v0/sessions/{session}/upload", json={"datasetTimestamp": timestamp, "segmentTags": []}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def announce_reference(self, session: str, alias: str = "train") -> dict[str, Any]:
        answer = self.call("POST", f"/v0/sessions/{session}/reference", json={"alias": alias})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, slot: dict[str, Any], content: bytes = b"some bytes") -> httpx.Response:
        return self.http.put(slot["uploadUrl"], content=content)

    def listed(self, session: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/v0/sessions/{session}/profiles")
        assert answer.status_code == 200, answer.text
        return answer.json()["profiles"]

    def claim(self, session: str, organization: str = ORGANIZATION, key: str | None = KEY) -> httpx.Response:
        return self.call("POST", f"/v0/sessions/{session}/claim", params={"org_id": organization}, key=key)

    @staticmethod
    def check(answer: httpx.Response, status: int, parameter: str | None = None) -> str:
        """Assert that an answer is an error in the contract's shape; returns its message."""
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        body = answer.json()
        assert set(body) == {"message", "requestId", "type"} | ({"parameter"} if parameter is not None else set())
        assert body["requestId"] == answer.headers["X-Request-Id"]
        assert re.fullmatch("[A-Z][A-Za-z]+", body["type"])
        if parameter is not None:
            assert body["parameter"] == parameter
        assert body["message"][-1] == "."
        assert not set(answer.headers) & {"server", "etag"}
        return body["message"]


@pytest.fixture(scope="session")
def serve_directory(serve):
    """Serve what lies in a directory: ``with serve_directory(path) as service``."""

    @contextmanager
    def running(directory, **options):
        def make():
            return make_app(directory, secret=SECRET, signing_key=SIGNING_KEY, organization=(ORGANIZATION, KEY))

        with (
            serve(make, close_app, server=Server, **options) as (base, app),
            httpx.Client(timeout=60, trust_env=False) as http,
        ):
            yield Service(base, app, directory, http)

    return running


@pytest.fixture(scope="session")
def service(serve_directory, tmp_path_factory):
    with serve_directory(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def own_service(serve_directory, tmp_path):
    """One that a test may break."""
    with serve_directory(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def unsaid(monkeypatch):
    """Let each failure be logged once a test, whatever tests before it have made the service say."""
    monkeypatch.setattr(failures, "_said", {})
    monkeypatch.setattr(failures, "_LOG_SECONDS", 1e9)  # however long the test takes


@pytest.fixture
def session(service):
    return service.session()


@pytest.fixture(scope="session")
def wide_profile():
    """Make a profile that is small to send and much to look at: its columns have a counter of rows and nothing else."""
    return lambda columns: profile_of([f"column{index}" for index in range(columns)])


@pytest.fixture(scope="session")
def counting_profile():
    """Make a profile of one column that has so many rows."""
    return lambda count: profile_of(["column"], count)


def profile_of(names: list[str], count: int = 7) -> bytes:
    body = bytes_field(1, number_field(1, 0) + bytes_field(2, number_field(2, count)))
    head = number_field(1, 2) + number_field(3, len(body))
    chunk = encode_varint(len(head)) + head + body
    parts = [bytes_field(1, number_field(5, 1_373_241_600_000))]
    parts += [
        bytes_field(2, text_field(1, name) + bytes_field(2, number_field(1, index * len(chunk))))
        for index, name in enumerate(names)
    ]
    header = b"".join([*parts, bytes_field(5, number_field(1, 0) + text_field(2, "counts/n"))])
    return b"WHY1" + encode_varint(0) + encode_varint(len(header)) + header + chunk * len(names)


@pytest.fixture
def run_whylogs(whylogs_python, tmp_path):
    """Run a script with whylogs, which knows no more than these variables.

    Returns what it printed as JSON behind PRINTED, and all that it wrote.
    """

    def run(script, **variables):
        kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
        environment = {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(tmp_path),
            "WHYLOGS_CONFIG_PATH": str(tmp_path / "whylogs"),
            "WHYLOGS_NO_ANALYTICS": "1",
            **variables,
        }
        command = [str(whylogs_python), "-c", script]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("PRINTED"))
        return json.loads(line.removeprefix("PRINTED")), done.stdout + done.stderr

    return run

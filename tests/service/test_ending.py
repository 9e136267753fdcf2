"""The service ends within five seconds, whatever it is doing; and starts where scripts want it to."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from songbird_widgets.local import local_service

pytestmark = pytest.mark.slow

JULY_8 = 1_373_241_600_000


def busy(service, wide_profile, stack):
    """Have a page made, a file unread and an upload under way, and return the connection of this."""
    base = f"http://127.0.0.1:{service.port}"
    with httpx.Client(timeout=60, trust_env=False) as http:
        session = http.post(f"{service.endpoint}/v0/sessions", json={"userId": "x"}).json()["id"]

        def slot(timestamp):
            body = {"datasetTimestamp": timestamp, "segmentTags": []}
            return http.post(f"{base}/v0/sessions/{session}/upload", json=body).json()["uploadUrl"]

        for day, content in enumerate((wide_profile(50_000), os.urandom(20 << 20))):
            assert http.put(slot(JULY_8 + day * 86_400_000), content=content).status_code == 200
        unfinished = urlsplit(slot(JULY_8))
    page = f"GET /resources/model-1/profiles%s?profile=%d&sessionToken={session} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for request in (
        page % ("", JULY_8),
        page % (".bin", JULY_8 + 86_400_000),
        f"PUT {unfinished.path}?{unfinished.query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\nhalf",
    ):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        connection.sendall(request.encode())
    time.sleep(0.5)
    return connection


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("by", ["stop", "signal"])
def test_it_ends_within_seconds_whatever_it_is_doing(wide_profile, by):
    service = local_service.ensure()
    with contextlib.ExitStack() as stack:
        upload = busy(service, wide_profile, stack)
        process = psutil.Process(service.pid)
        began = time.monotonic()
        if by == "stop":
            assert local_service.stop()
        else:
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() - began < 60  # five on a machine that has time
                with contextlib.suppress(ConnectionError):
                    upload.sendall(bytes(10_000))  # which would keep it for hours
                time.sleep(0.1)


@pytest.mark.parametrize("more", [["--port", "0"], ["--bind", "127.0.0.1:0"]], ids=["local", "team"])
def test_where_the_endpoint_cannot_be_printed_it_is_that_which_is_said(tmp_path, more):
    command = [sys.executable, "-m", "songbird_widgets", "serve", "--data-dir", str(tmp_path / "data"), *more]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(writing)
    assert done.returncode == 1
    assert "songbird-widgets: Where the service answers cannot be printed: " in done.stderr
    assert "Traceback" not in done.stderr


def test_any_free_port_is_taken_and_the_endpoint_printed_first(tmp_path):
    command = [sys.executable, "-m", "songbird_widgets", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            found = re.fullmatch(
                r"The Songbird service answers at (http://127\.0\.0\.1:\d+/k/\w+)\n", process.stdout.readline()
            )
            answer = httpx.post(f"{found[1]}/v0/sessions", json={"userId": "x"}, trust_env=False, timeout=60)
            assert answer.status_code == 200
        finally:
            process.terminate()
            process.communicate(timeout=300)

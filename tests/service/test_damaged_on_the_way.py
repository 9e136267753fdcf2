"""Bytes that something on the way to the service changes are not reported as uploaded."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit

import pytest

from songbird_widgets import client as c

MARK, CHANGED = b"\1", b"\2"  # single bytes, which arrive in one part, however the stream is cut
CONTENT = b"WHY1" + b"x" * 50_000 + MARK + b"y" * 400_000


class Flipping:
    """A proxy that changes a byte of so many uploads."""

    def __init__(self, base, times):
        address = urlsplit(base)
        self._target, self.left = (address.hostname, address.port), times
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(self._target)
                threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source, target, there):
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 20):
                if there and self.left and MARK in part:
                    part = part.replace(MARK, CHANGED)
                    self.left -= 1
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self._socket.close()


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize(("times", "state"), [(1, "uploaded"), (99, "failed")])
def test_what_was_changed_on_the_way_is_sent_again_or_said_to_have_failed(service, tmp_path, times, state, from_file):
    session, content = service.session(), CONTENT
    if from_file:
        content = tmp_path / "profile.bin"
        content.write_bytes(CONTENT)
    with (
        contextlib.closing(Flipping(service.base, times)) as proxy,
        c.Songbird(f"http://127.0.0.1:{proxy.port}/k/{service.secret}") as client,
    ):
        (result,) = c.upload_profiles(client, session, [c.ProfileUpload(content, "batch", 1_373_241_600_000)])
    assert result.state == state
    if state == "uploaded":
        (listed,) = service.listed(session)
        assert listed["size"] == len(CONTENT)
    else:
        assert "is not what was sent" in str(result.error)


def test_few_bytes_are_verified_too(service):
    session = service.session()
    with (
        contextlib.closing(Flipping(service.base, 99)) as proxy,
        c.Songbird(f"http://127.0.0.1:{proxy.port}/k/{service.secret}") as client,
    ):
        upload = c.ProfileUpload(b"few bytes" + MARK, "batch", 1_373_241_600_000)
        (result,) = c.upload_profiles(client, session, [upload])
    assert result.state == "failed"

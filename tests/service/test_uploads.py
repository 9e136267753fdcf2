"""Upload URLs, and the PUT that answers them."""

from __future__ import annotations

import contextlib
import gc
import http.client
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from songbird_widgets.service import upload_urls, uploads
from songbird_widgets.service.blobs import Blobs

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"


def incoming(service):
    return list((service.directory / "blobs" / "incoming").iterdir())


def test_the_url_is_whole_and_of_about_fifteen_minutes(service, session):
    before = int(time.time())
    address = urlsplit(service.announce(session)["uploadUrl"])
    after = time.time()
    assert f"{address.scheme}://{address.netloc}" == service.base
    assert service.secret not in address.path
    fields = dict(field.split("=") for field in address.query.split("&"))
    assert before + 800 < int(fields["expires"]) <= after + 900
    assert len(fields["signature"]) == 64


def test_a_changed_url_is_refused(service, session):
    slot, other = service.announce(session), service.announce(session)
    address = slot["uploadUrl"]
    for wrong in (
        address.replace(slot["id"], other["id"]),
        address.replace("expires=", "expires=1"),
        address.replace("expires=", "expires=x"),
        address[:-1] + ("0" if address[-1] != "0" else "1"),
        address.partition("?")[0],
        address + "&signature=ü",
    ):
        service.check(service.http.put(wrong, content=b"x"), 403)
    assert service.listed(session) == []


def test_an_expired_url_is_refused_and_says_so(service, session, monkeypatch):
    slot = service.announce(session)
    later = time.time() + upload_urls.LIFETIME + 1
    monkeypatch.setattr(upload_urls.time, "time", lambda: later)
    answer = service.put(slot)
    monkeypatch.undo()
    assert "expired" in service.check(answer, 403)
    assert service.put(slot).status_code == 200


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (5 << 20) + 3])
def test_any_bytes_of_any_size_are_taken(service, session, size):
    slot, content = service.announce(session), os.urandom(size)
    assert service.put(slot, content).status_code == 200
    (profile,) = service.listed(session)
    assert (profile["size"], profile["sha256"]) == (size, sha256(content).hexdigest())
    metadata = service.app.settings["metadata"]
    (row,) = metadata.profiles(*dataset(metadata, session))
    assert service.app.settings["blobs"].read(row.sha256) == content
    assert incoming(service) == []


def dataset(metadata, session):
    row = metadata.session(session)
    return row.org_id, row.dataset_id


def test_the_same_url_names_the_same_profile(service, session):
    slot = service.announce(session)
    for content in (b"first", b"first", b"second"):
        assert service.put(slot, content).status_code == 200
    (profile,) = service.listed(session)
    assert profile["sha256"] == sha256(b"second").hexdigest()


def test_profiles_of_one_day_are_kept_side_by_side(service, session):
    for content in (b"morning", b"evening"):
        service.put(service.announce(session), content)
    assert len(service.listed(session)) == 2


def test_a_body_without_a_length_is_refused(service, session):
    answer = service.http.put(service.announce(session)["uploadUrl"], content=iter([b"some", b"bytes"]))
    service.check(answer, 411)
    assert service.listed(session) == []


def test_too_large_a_profile_is_refused_and_the_answer_arrives(service, session, monkeypatch):
    monkeypatch.setattr(uploads.UploadHandler, "limit", 3 << 20)
    slot = service.announce(session)
    service.check(service.put(slot, bytes(8 << 20)), 413)
    assert service.listed(session) == []
    assert service.put(slot, bytes(3 << 20)).status_code == 200


def test_a_refusal_arrives_even_if_the_profile_is_large(service, session):
    address = service.announce(session)["uploadUrl"]
    service.check(service.http.put(address + "0", content=bytes(8 << 20)), 403)


def test_a_failure_before_the_bytes_arrive_is_answered_and_the_connection_goes_on(own_service):
    slot = own_service.announce(own_service.session())
    with own_service.app.settings["metadata"]._database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE profiles RENAME TO profiles_gone")
    address = urlsplit(slot["uploadUrl"])
    with contextlib.closing(http.client.HTTPConnection(address.hostname, address.port)) as connection:
        for method, path, content, status in (
            ("PUT", f"{address.path}?{address.query}", bytes(4 << 20), 500),
            ("PUT", f"{address.path}?{address.query}&signature=%ff", bytes(4 << 20), 400),
            ("GET", "/nowhere", None, 404),
        ):
            connection.request(method, path, content)
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (status, True)
            assert connection.sock is not None


def test_an_absurd_length_is_refused_at_once(service, session):
    address = urlsplit(service.announce(session)["uploadUrl"])
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        request = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        connection.sendall(f"{request}Content-Length: {1 << 62}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_an_upload_that_breaks_off_leaves_nothing(service, session, eventually):
    address = urlsplit(service.announce(session)["uploadUrl"])
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.putrequest("PUT", f"{address.path}?{address.query}")
    connection.putheader("Content-Length", str(10 << 20))
    connection.endheaders()
    connection.send(bytes(4 << 20))
    eventually(lambda: incoming(service))
    connection.close()
    eventually(lambda: not incoming(service))
    assert service.listed(session) == []
    gc.collect()
    eventually(lambda: not service.app.is_busy(), pause=0.5)  # collecting garbage keeps others waiting


def test_many_at_once_all_land(service, session):
    profiles = [path.read_bytes() + bytes(more) for path in sorted(PROFILES.glob("*.bin")) for more in range(4)]
    slots = [service.announce(session) for _ in profiles]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(service.put, slots, profiles))
    assert {answer.status_code for answer in answers} == {200}
    landed = {profile["id"]: profile["sha256"] for profile in service.listed(session)}
    assert landed == {slot["id"]: sha256(data).hexdigest() for slot, data in zip(slots, profiles, strict=True)}


def test_a_claim_amid_uploads_leaves_none_half_moved(service):
    session = service.session()
    slots = [service.announce(session) for _ in range(24)]
    begun = threading.Barrier(9)

    def put(part):
        begun.wait()
        return [service.put(slot, slot["id"].encode()).status_code for slot in part]

    with ThreadPoolExecutor(9) as pool:
        uploading = [pool.submit(put, slots[i::8]) for i in range(8)]
        begun.wait()
        claimed = service.claim(session)
        answers = [status for part in uploading for status in part.result()]
    assert claimed.status_code == 200
    assert set(answers) <= {200, 410}
    claimed_dataset = service.app.settings["metadata"].datasets(service.organization)[-1]
    assert claimed_dataset.profiles == answers.count(200)


def test_a_store_that_cannot_write_answers_with_an_internal_error(own_service, caplog):
    session = own_service.session()
    slot = own_service.announce(session)
    (own_service.directory / "blobs" / "incoming").rmdir()
    for size in (10, 4 << 20):
        own_service.check(own_service.put(slot, bytes(size)), 500)
    assert own_service.listed(session) == []
    (own_service.directory / "blobs" / "incoming").mkdir()
    assert own_service.put(slot).status_code == 200
    assert "Traceback" in caplog.text
    assert urlsplit(slot["uploadUrl"]).query not in caplog.text


def test_blobs_are_swept_kept_and_never_found_by_a_path(tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    key = blobs.write(b"content")
    assert key == sha256(b"content").hexdigest()
    left = blobs.incoming()
    left.write(b"half")
    Blobs(tmp_path / "blobs").sweep()
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []
    left.discard()
    assert blobs.read(key) == b"content"
    for wrong in ("", "../songbird.db", key.upper(), key + "\n", "a" * 63):
        with pytest.raises(ValueError, match="64 hexadecimal"):
            blobs.read(wrong)
    with pytest.raises(FileNotFoundError):
        blobs.read("0" * 64)

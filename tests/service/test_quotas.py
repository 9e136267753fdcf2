"""What guests may keep: of each session and of all together, and what the disk must have left."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from songbird_widgets.local.identity import LocalServiceError
from songbird_widgets.service import quotas
from songbird_widgets.service.quotas import Quotas, size_of

DAY = 86_400_000


@pytest.fixture
def limited(serve_directory, tmp_path, monkeypatch):
    """Serve with quotas: ``with limited(session_bytes="1MB") as service``."""

    def serving(**limits):
        for name, value in limits.items():
            monkeypatch.setenv(f"SONGBIRD_{name.upper()}", str(value))
        return serve_directory(tmp_path)

    return serving


def held(service):
    """What the service has counted for all sessions, and what its tables say."""
    metadata = service.app.settings["metadata"]
    with metadata._database.read() as connection:
        counted = quotas.held(connection, ())[""]
        is_open = "claimed is null and ended is null"
        query = f"""
            select count(*), coalesce(sum(size), 0), (select count(*) from sessions where {is_open})
            from profiles join sessions on session_id = sessions.id where {is_open}
        """
        rows, size, sessions = connection.exec_driver_sql(query).one()
    return (counted.profiles, counted.size), (rows + sessions, size)


@pytest.mark.parametrize("size", [300_000, 3_000_000])  # what is written at its end, and what is written as it comes
def test_a_session_holds_no_more_bytes_than_it_may(limited, size):
    with limited(session_bytes=3 * size + 10) as service:
        session, other = service.session(), service.session()
        slots = [service.announce(session) for _ in range(5)]
        assert [service.put(slot, os.urandom(size)).status_code for slot in slots[:3]] == [200] * 3
        message = service.check(service.put(slots[3], os.urandom(size)), 413)
        assert "This session holds" in message
        assert "Delete profiles of it" in message
        assert service.put(slots[4], b"small").status_code == 200  # what there is room for is taken
        assert service.put(slots[0], os.urandom(size)).status_code == 200  # and what takes the place of another
        assert service.put(service.announce(other), os.urandom(size)).status_code == 200
        assert len(service.listed(session)) == 4
        assert (
            sum(path.stat().st_size for path in (service.directory / "blobs").rglob("*") if path.is_file()) < 6 * size
        )
        service.call("DELETE", f"/v0/sessions/{session}/profiles/{slots[1]['id']}")
        assert service.put(slots[3], os.urandom(size)).status_code == 200


def test_uploads_at_once_share_the_room_there_is(limited):
    size = 2_000_000
    with limited(session_bytes=5 * size) as service:
        session = service.session()
        slots = [service.announce(session) for _ in range(12)]
        with ThreadPoolExecutor(12) as pool:
            statuses = sorted(pool.map(lambda slot: service.put(slot, os.urandom(size)).status_code, slots))
        assert 1 <= statuses.count(200) <= 5
        assert set(statuses) == {200, 413}
        assert not list((service.directory / "blobs" / "incoming").iterdir())
        for _ in range(5 - statuses.count(200)):
            assert service.put(service.announce(session), os.urandom(size)).status_code == 200
        assert len(service.listed(session)) == 5
        service.check(service.call("POST", f"/v0/sessions/{session}/reference", json={}), 413)


def test_a_session_has_no_more_profiles_than_it_may(limited):
    with limited(session_profiles=5) as service:
        session = service.session()
        for _ in range(3):
            service.announce(session)
        answer = service.call("POST", f"/v0/sessions/{session}/references", json={"references": [{}] * 3})
        assert "holds 3 profiles, and a guest session may hold 5 here" in service.check(answer, 413)
        answer = service.call("POST", f"/v0/sessions/{session}/references", json={"references": [{}] * 2})
        assert answer.status_code == 200


def test_all_guests_together_hold_no_more_than_they_may(limited):
    with limited(guest_bytes="1MB", session_bytes="0", guest_profiles=8) as service:
        sessions = [service.session() for _ in range(3)]
        slot = service.announce(sessions[0])
        assert service.put(slot, os.urandom(900_000)).status_code == 200
        message = service.check(service.put(service.announce(sessions[1]), os.urandom(200_000)), 507)
        assert "All guest sessions of this service together may hold 1.0 MB, and hold 900 kB." in message
        assert service.claim(sessions[0]).status_code == 200  # the organization has it now
        assert service.put(service.announce(sessions[1]), os.urandom(200_000)).status_code == 200
        for _ in range(4):
            service.announce(sessions[2])
        service.check(service.call("POST", f"/k/{service.secret}/v0/sessions", json={"userId": "one more"}), 507)


def test_a_disk_is_not_filled(own_service, monkeypatch):
    session = own_service.session()
    slots = [own_service.announce(session) for _ in range(3)]
    whole = 100_000_000_000
    monkeypatch.setattr(own_service.app.settings["blobs"], "disk", lambda: (1_005_000_000, whole))
    assert own_service.put(slots[0], os.urandom(3_000_000)).status_code == 200
    assert "1.0 GB of it stay free" in own_service.check(own_service.put(slots[1], os.urandom(6_000_000)), 507)
    monkeypatch.setattr(own_service.app.settings["blobs"], "disk", lambda: (999_000_000, whole))
    own_service.check(own_service.put(slots[1]), 507)
    own_service.check(own_service.call("POST", f"/v0/sessions/{session}/reference", json={}), 507)
    own_service.check(own_service.call("POST", f"/k/{own_service.secret}/v0/sessions", json={"userId": "one"}), 507)
    assert len(own_service.listed(session)) == 1
    assert own_service.call("DELETE", f"/v0/sessions/{session}").status_code == 200


def test_what_is_counted_is_what_is_there(own_service):
    sessions = [own_service.session() for _ in range(4)]
    for number, session in enumerate(sessions):
        slots = [own_service.announce(session, DAY * day) for day in (1, 1, 2)] + [
            own_service.announce_reference(session)
        ]
        for slot, content in zip(slots, (b"equal", b"equal", b"other %d" % number, b"reference"), strict=True):
            own_service.put(slot, content)
        own_service.put(slots[2], b"in its place, and longer")
        own_service.announce(session)
    counted, there = held(own_service)
    assert counted == there == (24, 4 * (5 + 5 + 24 + 9))
    own_service.call("DELETE", f"/v0/sessions/{sessions[0]}/profiles/{slots[0]['id']}")
    first = own_service.listed(sessions[0])[0]["id"]
    own_service.call("DELETE", f"/v0/sessions/{sessions[0]}/profiles/{first}")  # with its twin
    own_service.call("DELETE", f"/v0/sessions/{sessions[1]}")
    own_service.claim(sessions[2])
    counted, there = held(own_service)
    assert counted == there == (3 + 1 + 5 + 1, 24 + 9 + 43)
    own_service.app.settings["retention"].sweep()
    assert held(own_service) == (counted, there)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("20GB", 20 * 10**9), ("512 MiB", 512 << 20), ("1.5k", 1500), ("7b", 7), ("2TiB", 2 << 40)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "-1", "GB", "1 PB", "1e9", "ten", "1..5GB", "1GB\n1", "٣GB"])
def test_what_is_no_size_is_said(text):
    with pytest.raises(LocalServiceError, match="is no size"):
        size_of(text)


def test_by_default_guests_may_fill_half_of_the_free_disk():
    class Disk:
        def disk(self):
            return 40_000_000_000, 100_000_000_000

    class Store:
        def disk(self):
            return None

    assert Quotas.of({}, {}, Disk(), 20_000_000_000) == Quotas(15 * 10**9, 200_000, 30 * 10**9, 5_000_000)
    assert Quotas.of({}, {}, Store(), 0) == Quotas(50 * 10**9, 200_000, 2 * 10**12, 5_000_000)
    assert Quotas.of({"guest_bytes": "8GB"}, {}, Store(), 0) == Quotas(4 * 10**9, 200_000, 8 * 10**9, 5_000_000)
    assert Quotas.of({"session_bytes": "0", "guest_bytes": "0"}, {}, Store(), 0) == Quotas(
        None, 200_000, None, 5_000_000
    )
    given = {"session_bytes": "0", "session_profiles": "0", "guest_bytes": "7GB", "guest_profiles": "9"}
    assert Quotas.of(given, {"SONGBIRD_GUEST_BYTES": "1GB"}, Disk(), 0) == Quotas(None, None, 7 * 10**9, 9)
    with pytest.raises(LocalServiceError, match="no number of profiles"):
        Quotas.of({"guest_profiles": "many"}, {}, Disk(), 0)

"""What is deleted, expires and is swept; and that equal content is there once."""

from __future__ import annotations

import os
import time
from hashlib import sha256

import pytest

from songbird_widgets.service import retention as retention_module
from songbird_widgets.service import session_writes, upload_writes

DAY_MS = 86_400_000
JULY_8 = 1_373_241_600_000


def blobs_of(service):
    return {path.name for path in (service.directory / "blobs").glob("??/*")}


def key(content):
    return sha256(content).hexdigest()


def put(service, session, content, **where):
    slot = service.announce(session, **where)
    assert service.put(slot, content).status_code == 200
    return slot["id"]


def page(service, session, profile=JULY_8, form=".json"):
    return service.call(
        "GET", f"/resources/model-1/profiles{form}", params={"profile": profile, "sessionToken": session}
    )


@pytest.fixture
def later(monkeypatch):
    """Let the service's clock be so many days ahead."""

    def set_clock(days):
        ahead = int(days * DAY_MS)
        for module in (session_writes, upload_writes, retention_module):
            monkeypatch.setattr(module, "now_ms", lambda: time.time_ns() // 1_000_000 + ahead)

    return set_clock


def test_equal_content_of_a_day_is_one_profile(own_service, profile_bytes):
    session, content = own_service.session(), profile_bytes("edge-tiny.bin")
    slots = [own_service.announce(session, JULY_8 + hour) for hour in (0, 1, 2, DAY_MS)]
    for slot in slots:
        assert own_service.put(slot, content).status_code == 200
    assert [one["id"] for one in own_service.listed(session)] == [slots[0]["id"], slots[3]["id"]]
    (one,) = page(own_service, session).json()["profiles"]
    assert len(one["uploads"]) == 1


def test_equal_content_at_once_is_one_profile(own_service):
    from concurrent.futures import ThreadPoolExecutor

    session = own_service.session()
    slots = [own_service.announce(session) for _ in range(24)]
    with ThreadPoolExecutor(12) as pool:
        assert {one.status_code for one in pool.map(lambda slot: own_service.put(slot, b"equal"), slots)} == {200}
    assert len(own_service.listed(session)) == 1


def test_references_are_one_if_name_and_content_are(own_service, profile_bytes):
    session, content = own_service.session(), profile_bytes("edge-tiny.bin")
    slots = [own_service.announce_reference(session, alias) for alias in ("train", "train", "test")]
    for slot in slots:
        own_service.put(slot, content)
    assert [one["alias"] for one in own_service.listed(session)] == ["train", "test"]
    for slot in slots:  # each id that was given out goes on opening it
        assert page(own_service, session, slot["id"]).status_code == 200


def test_what_was_equal_and_is_replaced_leaves_the_other(own_service):
    session = own_service.session()
    first, second = own_service.announce(session), own_service.announce(session)
    for slot, content in ((first, b"one"), (second, b"one"), (first, b"two")):
        assert own_service.put(slot, content).status_code == 200
    assert {one["id"]: one["sha256"] for one in own_service.listed(session)} == {
        first["id"]: key(b"two"),
        second["id"]: key(b"one"),
    }
    assert own_service.put(first, b"one").status_code == 200
    assert [one["sha256"] for one in own_service.listed(session)] == [key(b"one")]


def test_a_profile_can_be_deleted_and_its_bytes_go(own_service, profile_bytes):
    session, content = own_service.session(), profile_bytes("edge-tiny.bin")
    mine, other = put(own_service, session, content), put(own_service, session, b"other")
    assert page(own_service, session).status_code == 200
    address = f"/v0/sessions/{session}/profiles/{mine}"
    assert own_service.call("DELETE", address).json() == {}
    assert [one["id"] for one in own_service.listed(session)] == [other]
    assert blobs_of(own_service) == {key(b"other")}
    assert not list((own_service.directory / "summaries").glob(f"??/{key(content)}"))
    own_service.check(own_service.call("DELETE", address), 404)
    own_service.call("DELETE", f"/v0/sessions/{session}/profiles/{other}")
    assert own_service.listed(session) == []
    own_service.check(page(own_service, session), 404)


def test_bytes_that_another_profile_has_stay(own_service):
    sessions = [own_service.session(), own_service.session()]
    mine, _ = (put(own_service, session, b"shared") for session in sessions)
    own_service.call("DELETE", f"/v0/sessions/{sessions[0]}/profiles/{mine}")
    assert blobs_of(own_service) == {key(b"shared")}


def test_nobody_deletes_what_is_anothers(own_service):
    mine, other = own_service.session(), own_service.session()
    profile = put(own_service, mine, b"mine")
    own_service.check(own_service.call("DELETE", f"/v0/sessions/{other}/profiles/{profile}"), 404)
    assert len(own_service.listed(mine)) == 1


def test_a_session_can_be_deleted_with_all_it_holds(own_service):
    session, other = own_service.session(), own_service.session()
    slot = own_service.announce(session)
    for day in range(5):
        put(own_service, session, b"day %d" % day, timestamp=JULY_8 + day * DAY_MS)
    put(own_service, other, b"other")
    assert own_service.call("DELETE", f"/v0/sessions/{session}").json() == {}
    message = own_service.check(own_service.call("GET", f"/v0/sessions/{session}/profiles"), 410)
    assert "was deleted on" in message
    own_service.check(own_service.put(slot), 410)
    own_service.check(own_service.call("DELETE", f"/v0/sessions/{session}"), 410)
    own_service.check(page(own_service, session), 410)
    own_service.app.settings["retention"].sweep()
    assert blobs_of(own_service) == {key(b"other")}
    assert len(own_service.listed(other)) == 1


def test_a_guest_session_expires_thirty_days_after_its_last_upload(own_service, later):
    session, unused, claimed = (own_service.session() for _ in range(3))
    put(own_service, claimed, b"claimed")
    own_service.claim(claimed)
    later(20)
    before = time.time_ns() // 1_000_000
    put(own_service, session, b"used again")
    answer = own_service.call("GET", f"/v0/sessions/{session}/profiles").json()
    assert before <= answer["expires"] - 50 * DAY_MS <= time.time_ns() // 1_000_000
    shown = own_service.call("GET", "/resources/model-1/profiles", params={"sessionToken": session}).text
    day = time.strftime("%Y-%m-%d", time.gmtime(answer["expires"] / 1000))
    assert f"kept until {day}" in shown
    sweep = own_service.app.settings["retention"].sweep
    later(31)
    sweep()
    assert len(own_service.listed(session)) == 1
    assert "expired" in own_service.check(own_service.call("GET", f"/v0/sessions/{unused}/profiles"), 410)
    later(51)
    sweep()
    own_service.check(own_service.call("GET", f"/v0/sessions/{session}/profiles"), 410)
    assert blobs_of(own_service) == {key(b"claimed")}
    datasets = own_service.app.settings["metadata"].datasets(own_service.organization)
    assert [dataset.profiles for dataset in datasets] == [1]
    later(51 + 91)
    sweep()
    own_service.check(own_service.call("GET", f"/v0/sessions/{session}/profiles"), 404)


def test_what_nobody_needs_is_swept(own_service, later):
    session = own_service.session()
    slot = own_service.announce(session)
    for content in (b"first", b"second"):
        own_service.put(slot, content)
    for _ in range(3):
        own_service.announce(session)
    own_service.app.settings["blobs"].write(b"nobody's")
    assert len(blobs_of(own_service)) == 3
    sweep = own_service.app.settings["retention"].sweep
    sweep()
    assert len(blobs_of(own_service)) == 3  # they may be of a database that is to be restored
    for path in (own_service.directory / "blobs").glob("??/*"):
        os.utime(path, (0, 0))
    sweep()
    assert blobs_of(own_service) == {key(b"second")}
    fresh = own_service.announce(session)
    assert own_service.put(fresh, b"third").status_code == 200
    later(2)
    waiting = own_service.announce(session)
    sweep()
    assert own_service.put(waiting, b"fourth").status_code == 200
    with own_service.app.settings["retention"]._database.read() as connection:
        assert connection.exec_driver_sql("select count(*) from profiles").scalar() == 3


@pytest.mark.slow
def test_sweeping_loses_nothing_that_arrives_meanwhile(own_service):
    import threading
    from concurrent.futures import ThreadPoolExecutor

    session, ended = own_service.session(), threading.Event()
    sweep = own_service.app.settings["retention"].sweep

    def sweeping():
        while not ended.is_set():
            sweep()

    thread = threading.Thread(target=sweeping)
    thread.start()
    contents = [os.urandom(2_000) for _ in range(60)]
    retention_module.ORPHAN_DAYS, before = -1, retention_module.ORPHAN_DAYS
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda content: put(own_service, session, content), contents))
    finally:
        ended.set()
        thread.join()
        retention_module.ORPHAN_DAYS = before
    assert {one["sha256"] for one in own_service.listed(session)} == blobs_of(own_service) == set(map(key, contents))

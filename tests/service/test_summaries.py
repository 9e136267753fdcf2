"""Summaries are made when profiles arrive, made anew when they are no good, and one bad upload spoils only itself."""

from __future__ import annotations

import asyncio
import sys
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from songbird_widgets.observatory.sides import Side
from songbird_widgets.observatory.view import View
from songbird_widgets.profiles import ProfileError, compare_profiles, merge_profiles, profile, read_profile, summarize
from songbird_widgets.profiles.writing import write_profile
from songbird_widgets.service import summaries as summaries_module
from songbird_widgets.service import view_cache
from songbird_widgets.service.blobs import Blobs
from songbird_widgets.service.database import Database
from songbird_widgets.service.metadata import Metadata
from songbird_widgets.service.process import preload
from songbird_widgets.service.rows import Figures, NewProfile, UploadRow
from songbird_widgets.service.summaries import Summaries, give_back

FLIGHTS = Path(__file__).parents[2] / "examples" / "profiles"
CONTENTS = [path.read_bytes() for path in sorted(FLIGHTS.glob("batch-*.bin"))]
JULY_8 = 1_373_241_600_000


class Store:
    """Metadata, blobs and summaries of one session, whose uploads are of one day."""

    def __init__(self, folder: Path) -> None:
        self.metadata = Metadata(Database.in_directory(folder))
        self.blobs = Blobs(folder / "blobs")
        self.directory = folder / "summaries"
        self.summaries = Summaries(self.directory, self.metadata, self.blobs)
        self.session = self.metadata.session(self.metadata.create_session("someone"))
        self.key = (self.session.org_id, self.session.dataset_id)

    def upload(self, *contents: bytes, arrive: bool = False) -> None:
        batches = [NewProfile("batch", dataset_timestamp=JULY_8)] * len(contents)
        _, ids = self.metadata.announce(self.session.session_id, batches)
        for profile_id, content in zip(ids, contents, strict=True):
            self.blobs.write(content)
            arrival = self.metadata.confirm(UploadRow(profile_id, len(content), sha256(content).hexdigest()))
            if arrive:
                self.summaries.arrived(arrival)

    def day(self):
        return self.summaries.of_day(*self.key, self.metadata.day(*self.key, JULY_8))

    def files(self):
        return [path for path in self.directory.rglob("*") if path.is_file()]


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    yield made
    made.summaries.close()
    made.metadata.close()


def same(one, other):
    """Whether two summaries show the same columns alike."""
    comparison = compare_profiles([one, other])
    return one.names == other.names and {comparison.verdicts(1)[name] for name in one.names} <= {"none", "unknown"}


def in_memory(files):
    """The kB of these files that this process has mapped and in memory."""
    paths, found, mapped = {str(path) for path in files}, 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):  # the addresses of a mapping, and last its file
            mapped = words[-1] in paths
        elif words[0] == "Rss:" and mapped:
            found += int(words[1])
    return found


def test_the_summary_of_an_upload_is_that_of_its_profile(store):
    store.upload(CONTENTS[0])
    (row,) = store.metadata.profiles(*store.key)
    for _ in range(2):  # made, and then read
        kept = store.summaries.of_upload(row.sha256)
        assert kept.summary.to_bytes() == summarize(read_profile(CONTENTS[0])).to_bytes()
    assert len(store.files()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
def test_what_was_read_of_a_summary_is_given_back_and_can_be_read_again(store):
    store.upload(CONTENTS[0])
    (row,) = store.metadata.profiles(*store.key)
    store.summaries.of_upload(row.sha256)
    summary = store.summaries.of_upload(row.sha256).summary
    before = summary.to_bytes()
    assert in_memory(store.files()) > 0
    give_back(summary)
    assert in_memory(store.files()) == 0
    assert summary.to_bytes() == before


def test_a_view_that_is_dropped_for_the_next_is_dropped_before_that_is_made(monkeypatch):
    summary = summarize(read_profile(CONTENTS[0]))
    monkeypatch.setattr(view_cache, "MAX_COLUMNS", len(summary.names))
    cache = view_cache.ViewCache()

    def sides(value):
        return (Side(value, "reference", value, summary=summary, fingerprint=value),)

    first = weakref.ref(cache.through(sides("first"), View))
    assert cache.through(sides("first"), View) is first()
    there = []
    cache.through(sides("second"), lambda found: there.append(first()) or View(found))
    assert there == [None]


def test_what_arrives_is_summarised_without_anybody_asking(store, eventually):
    store.upload(CONTENTS[0], CONTENTS[1], arrive=True)
    eventually(lambda: any(path.parent.name == "days" for path in store.files()))
    for content in CONTENTS[:2]:
        store.blobs.path(sha256(content).hexdigest()).unlink()  # needed no more
    assert store.day().summary.rows == sum(summarize(read_profile(content)).rows for content in CONTENTS[:2])


def test_what_arrives_is_summarised_though_no_page_was_asked_for(own_service, eventually):
    session = own_service.session()
    slot = own_service.announce_reference(session)
    assert own_service.put(slot, CONTENTS[0]).status_code == 200
    asyncio.run(preload(own_service.app))
    kept = own_service.directory / "summaries" / (digest := sha256(CONTENTS[0]).hexdigest())[:2] / digest
    eventually(kept.exists)


def test_the_listing_tells_rows_and_columns_once_they_are_counted(own_service, eventually):
    session = own_service.session()
    contents = {}
    for place, content in enumerate(CONTENTS[:4]):  # three of one day
        slot = own_service.announce(session) if place else own_service.announce_reference(session)
        assert own_service.put(slot, content).status_code == 200
        contents[slot["id"]] = content
    slot = own_service.announce_reference(session, "damaged")
    assert own_service.put(slot, b"no profile").status_code == 200
    asyncio.run(preload(own_service.app))
    eventually(lambda: sum("columns" in one for one in own_service.listed(session)) == len(contents))
    for one in own_service.listed(session):
        if one["id"] == slot["id"]:
            assert "rows" not in one
            continue
        summary = summarize(read_profile(contents[one["id"]]))
        assert (one["rows"], one["columns"]) == (summary.rows, len(read_profile(contents[one["id"]]).column_names))


def test_other_bytes_in_a_slot_are_counted_anew(store):
    store.upload(CONTENTS[0])
    (row,) = store.metadata.profiles(*store.key)
    store.metadata.note_figures([Figures(row.id, 7, 8)])
    (row,) = store.metadata.profiles(*store.key)
    assert (row.rows, row.columns) == (7, 8)
    store.metadata.confirm(UploadRow(row.id, 3, sha256(b"new").hexdigest()))
    (row,) = store.metadata.profiles(*store.key)
    assert (row.rows, row.columns) == (None, None)


@pytest.mark.parametrize("harm", ["missing", "old", "cut", "empty"])
def test_one_that_is_no_good_is_made_anew(store, harm):
    store.upload(*CONTENTS[:2])
    right = store.day().summary.to_bytes()
    (path,) = store.files()
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes({"old": b"SBW-KEPT\x00" + content[9:], "cut": content[:-9], "empty": b""}[harm])
    assert store.day().summary.to_bytes() == right
    assert store.day().summary.to_bytes() == right


def test_what_is_kept_of_damaged_uploads_is_made_anew_where_it_is_damaged_itself(store):
    store.upload(CONTENTS[0], b"WHY1 damaged")
    right = store.day().damaged
    (path,) = store.files()
    content = bytearray(path.read_bytes())
    content[content.index(b"truncated")] ^= 2
    path.write_bytes(content)
    assert store.day().damaged == right


def test_two_at_once_do_no_harm(store):
    store.upload(*CONTENTS[:3])
    other = Summaries(store.directory, store.metadata, store.blobs)
    day = store.metadata.day(*store.key, JULY_8)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda index: (store.summaries, other)[index % 2].of_day(*store.key, day), range(16)))
    assert len({one.summary.to_bytes() for one in made}) == 1
    assert len(store.files()) == 1
    other.close()


def test_who_found_a_summary_damaged_waits_for_none_that_was_opened_before(store, monkeypatch):
    store.upload(CONTENTS[0])
    key = sha256(CONTENTS[0]).hexdigest()
    opened, go_on = threading.Event(), threading.Event()
    read = Summaries._of_upload

    def slow_at_first(summaries, digest):
        if not opened.is_set():
            opened.set()
            go_on.wait(60)
        return read(summaries, digest)

    monkeypatch.setattr(Summaries, "_of_upload", slow_at_first)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(store.summaries.of_upload, key)
        try:
            assert opened.wait(60)
            store.summaries.discard(*store.key, None, key)
            assert pool.submit(store.summaries.of_upload, key).result(60).summary.names
            assert not before.done()
        finally:
            go_on.set()


def test_the_page_that_warms_the_service_up_can_be_made(own_service):
    own_service.app.add_observatory()
    own_service.app.settings["observatory"].warm_up()


def test_a_day_grows_by_what_arrives(store):
    for count, content in enumerate(CONTENTS[:4], start=1):
        store.upload(content)
        whole = summarize(merge_profiles([read_profile(one) for one in CONTENTS[:count]]))
        assert same(store.day().summary, whole)
        assert store.day().summary.rows == whole.rows


def some_rows(seed):
    random = np.random.default_rng(seed)
    words = [f"word {word}" for word in random.integers(0, 5_000, 1_200).tolist()]
    return profile({"number": random.normal(0, 1, 1_200), "word": words}).to_bytes()


def cost_of_one_more(store, content, monkeypatch):
    """Bytes of uploads that are read, calls that are made, and bytes that are kept, for one more upload to a day."""
    store.upload(content)
    read, calls, blob = [], [0], store.blobs.read

    def count(*_):
        calls[0] += 1

    with monkeypatch.context() as patch:
        patch.setattr(store.blobs, "read", lambda key: read.append(blob(key)) or read[-1])
        sys.setprofile(count)
        try:
            store.day()
        finally:
            sys.setprofile(None)
    assert [sha256(one).digest() for one in read] == [sha256(content).digest()]
    (kept,) = store.files()
    return calls[0], kept.stat().st_size


def test_the_41st_upload_of_a_day_costs_what_the_third_did(store, monkeypatch):
    contents = [some_rows(seed) for seed in range(41)]
    store.upload(*contents[:2])
    store.day()
    few_calls, few_bytes = cost_of_one_more(store, contents[2], monkeypatch)
    store.upload(*contents[3:40])
    store.day()
    calls, size = cost_of_one_more(store, contents[40], monkeypatch)
    assert calls <= 1.25 * few_calls
    assert size <= 2 * few_bytes  # the sketches have filled up
    assert store.day().summary.rows == 41 * 1_200


def test_a_damaged_upload_spoils_only_itself(store):
    cut = CONTENTS[1][: len(CONTENTS[1]) // 2]
    store.upload(cut)
    with pytest.raises(ProfileError):
        store.day()
    store.upload(CONTENTS[0])
    store.upload(b"no profile at all", CONTENTS[2])
    for _ in range(2):
        found = store.day()
        assert found.summary.rows == sum(summarize(read_profile(CONTENTS[index])).rows for index in (0, 2))
        assert len(found.damaged) == 2
        assert all(name.startswith("log-") and reason for name, reason in found.damaged)


def test_uploads_that_count_more_than_a_profile_can_are_left_out(store, counting_profile):
    store.upload(*(counting_profile(count) for count in (1 << 62, (1 << 62) + 1, 5, (1 << 62) - 6, 7)))
    for _ in range(2):
        found = store.day()
        assert found.summary.rows == (1 << 63) - 1
        assert len(found.damaged) == 2
        assert all("the profiles to merge count more rows than there can be" in reason for _, reason in found.damaged)
    store.upload(counting_profile(1))
    assert len(store.day().damaged) == 3


def test_a_day_that_would_be_larger_than_a_profile_may_be_leaves_out_what_is_too_much(store, monkeypatch):
    contents = [profile({f"{part}-{number}": [1.5] for number in range(20)}).to_bytes() for part in range(6)]
    monkeypatch.setattr(summaries_module, "MAX_PROFILE_BYTES", int(3.5 * len(contents[0])))
    store.upload(*contents)
    found = store.day()
    assert len(found.summary.names) == 60
    assert len(found.damaged) == 3
    assert "hold together more than a profile can" in found.damaged[0][1]


def test_a_day_of_large_uploads_is_merged_some_at_a_time(store, monkeypatch):
    numbers = np.random.default_rng(7)
    contents = [profile({f"{n}": numbers.normal(size=1_000) for n in range(8)}).to_bytes() for _ in range(16)]
    store.upload(*contents)
    peaks, days = [], []
    for at_once in (1 << 30, 3 * len(contents[0])):
        monkeypatch.setattr(summaries_module, "MAX_BYTES_AT_ONCE", at_once)
        for path in store.files():
            path.unlink()
        tracemalloc.start()
        days.append(store.day().summary)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert same(*days)
    assert days[1].rows == 16 * 1_000
    assert peaks[1] < peaks[0] / 2


def test_a_file_that_is_gone_from_the_store_is_said(store):
    store.upload(*CONTENTS[:2])
    store.blobs.path(sha256(CONTENTS[0]).hexdigest()).unlink()
    with pytest.raises(FileNotFoundError):
        store.day()


def test_without_room_for_summaries_they_are_made_for_each_page(store, caplog):
    store.directory.write_bytes(b"a file where the directory should be")
    store.upload(*CONTENTS[:2])
    for _ in range(3):
        assert same(store.day().summary, store.day().summary)
    assert len([record for record in caplog.records if "a summary could not be kept" in record.getMessage()]) == 1
    store.directory.unlink()


def segment(content, **tags):
    """A profile as whylogs writes it of a segment."""
    return replace(read_profile(content), segments=tuple(tags.items()), _write=write_profile).to_bytes()


def test_segments_are_never_added_to_their_whole_whatever_comes_first(store):
    oslo, bergen = segment(CONTENTS[0], city="Oslo"), segment(CONTENTS[1], city="Bergen")
    store.upload(oslo)
    store.upload(bergen)
    rows = [read_profile(content).rows for content in CONTENTS[:3]]
    assert store.day().summary.rows == rows[0] + rows[1]
    store.upload(segment(CONTENTS[0], carrier="AA"))
    ((_, reason),) = store.day().damaged
    assert store.day().summary.rows == rows[0] + rows[1]
    assert "carrier = AA" in reason
    store.upload(CONTENTS[2])
    assert store.day().summary.rows == rows[2]
    assert len(store.day().damaged) == 3
    store.upload(segment(CONTENTS[1], city="Tromsø"))
    assert store.day().summary.rows == rows[2]
    assert "city = Tromsø" in store.day().damaged[-1][1]

from __future__ import annotations

import io
import zipfile

import pytest

from songbird_widgets.panels import AddPanel

PIECE = 65_536


@pytest.fixture
def add(session):
    panel = AddPanel(session)
    yield panel
    panel.close()


@pytest.fixture
def settled(add, eventually):
    """Wait until the panel has read what it was given."""
    return lambda: eventually(lambda: not add.add_facts["busy"])


def said(panel, tone):
    """What the panel says of one tone: pairs of a file's name and the words."""
    return [(one["name"], one["text"]) for one in panel.add_facts["messages"] if one["tone"] == tone]


def send_file(panel, say, name, data, *, number="f1", **options):
    say(panel, {"do": "begin", "file": number, "name": name, "size": len(data)})
    for at in range(0, max(len(data), 1), PIECE):
        say(panel, {"do": "piece", "file": number, "at": at, **options}, [memoryview(data[at : at + PIECE])])


def test_a_glob_adds_batches(add, session, say, settled, flights):
    say(add, {"do": "add", "source": str(flights / "batch-*.bin")})
    settled()
    assert said(add, "good") == [("", "Added 7 profiles: 2013-07-08, 2013-07-09, 2013-07-10, 2013-07-11, …")]
    assert len(add.add_facts["messages"]) == 1
    assert {p.kind for p in session.profiles} == {"batch"}


def test_an_alias_makes_a_reference(add, session, say, settled, flights):
    path = str(flights / "reference-july.bin")
    say(add, {"do": "add", "source": path, "kind": "reference", "alias": " july "})
    settled()
    assert [(p.kind, p.alias) for p in session.profiles] == [("reference", "july")]


def test_a_reference_without_an_alias_is_called_as_its_file(add, session, say, settled, flights):
    say(add, {"do": "add", "source": str(flights / "reference-july.bin"), "kind": "reference", "alias": ""})
    settled()
    assert session.profiles[0].alias == "reference-july"


@pytest.mark.parametrize("source", ["no/such/file.bin", "no-such-*.bin", "."])
def test_a_bad_path_is_named_with_its_reason(add, session, say, settled, source):
    say(add, {"do": "add", "source": source})
    settled()
    ((name, reason),) = said(add, "bad")
    assert name
    assert reason
    assert session.profiles == ()


def test_a_bad_file_keeps_nothing_else_from_going_on(add, session, say, settled, flights, tmp_path):
    (tmp_path / "a.bin").write_bytes((flights / "batch-2013-07-08.bin").read_bytes())
    (tmp_path / "b.bin").write_text("these are no bytes of a profile")
    (tmp_path / "c.bin").write_bytes((flights / "batch-2013-07-09.bin").read_bytes()[:5000])
    say(add, {"do": "add", "source": str(tmp_path / "*.bin")})
    settled()
    assert said(add, "good") == [("", "Added 1 profile: 2013-07-08")]
    assert sorted(name.split("/")[-1] for name, _ in said(add, "bad")) == ["b.bin", "c.bin"]
    assert len(session.profiles) == 1


def test_an_empty_path_is_asked_for(add, say, failure):
    say(add, {"do": "add", "source": "  "})
    assert "path or a glob" in failure(add)


def test_a_file_from_the_browser_comes_in_pieces(add, session, say, settled, flights, replies):
    data = (flights / "batch-2013-07-08.bin").read_bytes()
    send_file(add, say, "from-browser.bin", data)
    settled()
    assert [p.name for p in session.profiles] == ["from-browser.bin"]
    assert session.profiles[0].size == len(data)
    assert replies(add)[0] == {"file": "f1", "at": 0}
    assert {"file": "f1", "at": PIECE} in replies(add)
    assert replies(add)[-1] == {"file": "f1", "done": True}
    assert len(session.upload()) == 1


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b\\c.bin", "\x00\n.bin", "", "x" * 5000, "..", "<b>.bin", "\u202egpj.bin"]
)
def test_a_name_from_the_browser_leads_nowhere(add, session, say, settled, flights, name, failure):
    send_file(add, say, name, (flights / "batch-2013-07-08.bin").read_bytes())
    settled()
    assert failure(add) == ""
    assert len(session.profiles) == 1


def test_pieces_out_of_order_are_refused(add, session, say, replies):
    say(add, {"do": "begin", "file": "f", "name": "a.bin", "size": 10})
    say(add, {"do": "piece", "file": "f", "at": 5}, [memoryview(b"12345")])
    assert "wrong order" in dict(said(add, "bad"))["a.bin"]
    assert replies(add)[-1] == {"file": "f", "failed": True}  # so that the browser sends the next one
    say(add, {"do": "piece", "file": "f", "at": 0}, [memoryview(b"12345")])
    assert "Choose it again" in str(said(add, "bad"))
    assert session.profiles == ()


def test_more_than_announced_is_refused(add, say):
    say(add, {"do": "begin", "file": "f", "name": "a.bin", "size": 3})
    say(add, {"do": "piece", "file": "f", "at": 0}, [memoryview(b"12345")])
    assert "wrong order" in dict(said(add, "bad"))["a.bin"]


def test_no_more_files_are_open_than_views_can_send(add, say, replies):
    for number in range(12):
        say(add, {"do": "begin", "file": f"f{number}", "name": "a.bin", "size": 10})
    assert [reply["file"] for reply in replies(add) if reply.get("at") == 0] == [f"f{number}" for number in range(8)]
    assert len(add._parts["add"]._arrivals) == 8


def test_a_file_too_large_is_refused_before_it_is_sent(add, say, replies):
    say(add, {"do": "begin", "file": "f", "name": "a.bin", "size": 2**40})
    assert "larger than 1 GiB" in dict(said(add, "bad"))["a.bin"]
    assert replies(add) == [{"file": "f", "failed": True}]


def test_a_file_of_data_from_the_browser_is_profiled(add, session, say, settled):
    send_file(add, say, "trips.csv", b"city,n\nBonn,1\nOslo,2\n", kind="reference", alias="")
    settled()
    assert [(p.kind, p.alias, p.rows, p.columns) for p in session.profiles] == [("reference", "trips", 2, 2)]


def test_an_empty_file_is_named(add, say, settled):
    send_file(add, say, "empty.bin", b"")
    settled()
    assert said(add, "bad")[0][0] == "empty.bin"


def test_a_duplicate_is_said_and_counted_once(add, session, say, settled, flights):
    data = (flights / "batch-2013-07-08.bin").read_bytes()
    send_file(add, say, "one.bin", data)
    settled()
    send_file(add, say, "again.bin", data, more=True)
    settled()
    assert said(add, "good") == [("", "Added 1 profile: 2013-07-08")]
    assert said(add, "info") == [("again.bin", "the session has it already, as batch 2013-07-08.")]
    assert len(session.profiles) == 1


def test_a_second_data_set_of_a_day_is_said_to_be_merged(add, session, say, settled, flights):
    session.add(flights / "batch-2013-07-08.bin")
    session.add((flights / "batch-2013-07-09.bin").read_bytes(), timestamp="2013-07-08T05:00:00Z")
    assert said(add, "info") == []  # nobody added them here
    send_file(add, say, "noon.bin", (flights / "batch-2013-07-10.bin").read_bytes())
    settled()
    assert said(add, "info") == []
    say(add, {"do": "edit", "key": session.profiles[1].key, "kind": "batch", "text": "2013-07-11"})
    (path,) = [str(flights / "batch-2013-07-11.bin")]
    say(add, {"do": "add", "source": path, "kind": "batch"})
    settled()
    ((_, words),) = said(add, "info")
    assert words.startswith("2013-07-11 has 2 profiles: a day is one batch")
    assert "alias" in words
    say(add, {"do": "edit", "key": session.profiles[-1].key, "kind": "reference", "text": "other"})
    assert said(add, "info") == []  # it is no longer true


def test_a_message_is_gone_when_it_is_dismissed_or_no_longer_true(add, session, say, settled, flights):
    say(add, {"do": "add", "source": "no-such.bin"})
    settled()
    (message,) = add.add_facts["messages"]
    say(add, {"do": "dismiss", "id": message["id"]})
    assert add.add_facts["messages"] == []

    send_file(add, say, "bad.bin", b"no profile", number="f2")
    settled()
    send_file(add, say, "bad.bin", (flights / "batch-2013-07-08.bin").read_bytes(), number="f3")
    settled()
    assert said(add, "bad") == []  # the file is right now
    session.upload()
    assert add.add_facts["messages"] == []  # what was added has been sent

    say(add, {"do": "add", "source": "nothing*.bin"})
    settled()
    send_file(add, say, "good.bin", (flights / "batch-2013-07-09.bin").read_bytes(), number="f5", more=True)
    settled()
    assert said(add, "bad") == [("nothing*.bin", "No file has a name like that.")]
    session.upload()
    assert add.add_facts["messages"] == []  # the next thing that was done has succeeded

    send_file(add, say, "bad.bin", b"no profile", number="f4")
    settled()
    assert said(add, "bad")
    session.switch()
    assert add.add_facts["messages"] == []  # they were of the other session


def test_files_half_arrived_leave_nothing_behind(add, say):
    say(add, {"do": "begin", "file": "f", "name": "a.bin", "size": 10})
    path = add._parts["add"]._arrivals["f"].path
    assert path.exists()
    say(add, {"do": "abandon", "file": "f"})
    assert not path.exists()


def test_what_waits_is_shown_before_it_is_sent(add, session, flights):
    session.add(flights / "batch-2013-07-08.bin")
    (waiting,) = add.add_facts["waiting"]
    assert waiting["kind"] == "batch"
    assert waiting["label"] == "2013-07-08"
    assert (waiting["rows"], waiting["columns"]) == (1004, 16)
    session.upload()
    assert add.add_facts["waiting"] == []


def test_alias_time_and_kind_can_be_edited(add, session, say, flights, failure):
    session.add(flights / "batch-2013-07-08.bin")
    say(add, {"do": "edit", "key": session.profiles[0].key, "kind": "batch", "text": "2013-08-01"})
    assert session.profiles[0].label == "2013-08-01"
    say(add, {"do": "edit", "key": session.profiles[0].key, "kind": "reference", "text": ""})
    assert session.profiles[0].alias == "batch-2013-07-08"
    say(add, {"do": "edit", "key": session.profiles[0].key, "kind": "reference", "text": " calm day "})
    assert session.profiles[0].alias == "calm day"
    assert failure(add) == ""
    assert [p.label for p in session.upload()] == ["calm day"]


def test_a_time_that_is_none_is_said_and_changes_nothing(add, session, say, flights, failure):
    session.add(flights / "batch-2013-07-08.bin")
    say(add, {"do": "edit", "key": session.profiles[0].key, "kind": "batch", "text": "next Tuesday"})
    assert failure(add)
    assert session.profiles[0].label == "2013-07-08"
    assert add.comm.sent[-1]["data"]["content"] == {"ack": 1}  # and the browser shows again what is true


def test_what_waits_can_be_taken_out_again(add, session, say, flights, failure):
    session.add(str(flights / "batch-*.bin"))
    say(add, {"do": "remove", "key": session.profiles[0].key})
    assert len(session.profiles) == 6
    say(add, {"do": "remove", "key": "no such key"})
    assert "no longer in the session" in failure(add)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("prof", ["profiles/"]),
        ("profiles/re", ["profiles/reference.bin"]),
        ("profiles/.h", []),
        ("no/such/", []),
    ],
)
def test_paths_are_completed_on_the_kernels_side(add, say, eventually, tmp_path, monkeypatch, typed, offered, replies):
    (tmp_path / "profiles").mkdir()
    for name in ("reference.bin", "readme.txt", "batch.bin"):
        (tmp_path / "profiles" / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    say(add, {"do": "complete", "text": typed})
    assert eventually(lambda: replies(add))[-1] == {"completed": typed, "paths": offered}


@pytest.mark.parametrize("typed", ["\x00", "/" * 5000, "~nobody-of-this-name/x", "a\nb"])
def test_completing_nonsense_offers_nothing(add, say, eventually, typed, failure, replies):
    say(add, {"do": "complete", "text": typed})
    eventually(lambda: replies(add))
    assert failure(add) == ""


@pytest.mark.filterwarnings("ignore::songbird_widgets.profiles.ProfilingWarning")
def test_what_is_warned_of_while_data_are_profiled_is_said(session, say, eventually, tmp_path):
    panel = AddPanel(session)
    file = tmp_path / "mixed.csv"
    file.write_text("price,when\n" + "1,2\n" * 600_000 + "n/a!,3\n", "utf-8")
    say(panel, {"do": "add", "source": str(file)})
    eventually(lambda: session.profiles and not panel.add_facts["busy"])
    said = [one["text"] for one in panel.add_facts["messages"] if one["tone"] == "info"]
    assert any("price" in text for text in said), panel.add_facts["messages"]


def test_an_archive_of_thousands_that_are_none_names_some_and_counts_the_rest(add, session, say, settled):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(3_000):
            archive.writestr(f"{number}.bin", b"no profile")
    send_file(add, say, "many.zip", content.getvalue())
    settled()
    bad = said(add, "bad")
    assert len(bad) == 41
    assert bad[0][0] == "many.zip:0.bin"
    assert bad[-1] == ("", "and 2,960 more that could not be added.")
    assert session.profiles == ()

"""A session on the real local service, without any notebook."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from datetime import datetime, timezone

import pytest

from songbird_widgets.client import ConfigurationError, SessionExpired, Songbird
from songbird_widgets.client.models import ListSessionProfilesRequest
from songbird_widgets.local import local_service
from songbird_widgets.profiles import profile as make_profile
from songbird_widgets.session import AddError, SelectionError, Session, SessionError


def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def test_constructing_one_asks_nobody(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("network"))
    session = Session()
    assert (session.state, session.profiles, session.selection, session.short_id) == ("new", (), (), "")
    assert session.endpoint_label == "local service"


def test_a_misspelt_keyword_or_trait_is_refused_with_the_one_that_is_meant(shown_in_frames):
    with pytest.raises(TypeError, match=r"no 'nmae'\. Did you mean 'name'\?"):
        Session(nmae="x")
    with pytest.raises(TypeError, match="Did you mean 'api_key'") as caught:
        Session(api_kye="canary")
    assert not [line for line in shown_in_frames(caught.value) if "canary" in line]
    with Session() as session:
        with pytest.raises(AttributeError, match="Did you mean 'selection'"):
            session.selction = ("july",)
        with pytest.raises(AttributeError, match="no 'anything' that can be set"):
            session.anything = 1
        session.name = "x"
        assert session.name == "x"


def test_the_whole_way_from_files_to_three_side_by_side(full):
    assert full.state == "open"
    assert {profile.state for profile in full.profiles} == {"uploaded"}
    assert all(profile.profile_id and profile.sent == profile.size for profile in full.profiles)
    assert full.upload() == []
    full.select("2013-07-08", "july", 1373414400000)
    assert [profile.label for profile in full.selection] == ["july", "2013-07-08", "2013-07-10"]
    link = full.link
    assert full.link is link
    assert full.current_link is link
    page = json.loads(fetch(link.replace("/profiles?", "/profiles.json?")))
    assert [profile["label"] for profile in page["profiles"]] == ["july", "2013-07-08", "2013-07-10"]
    assert [single.text for single in link.individual] == ["july", "2013-07-08", "2013-07-10"]
    assert all("<html" in fetch(single) for single in link.individual)


def test_a_link_goes_with_its_selection(full):
    full.select("july")
    first = full.link
    full.select("2013-07-09")
    assert full.current_link is None
    assert full.link != first
    full.deselect("2013-07-09")
    full.deselect("july")
    assert full.current_link is None
    with pytest.raises(SelectionError, match=r"Nothing is selected.*There are: references 'july'"):
        _ = full.link


def test_what_is_not_uploaded_can_be_selected_but_not_linked(session, profiles):
    session.add(profiles / "reference-july.bin", alias="july")
    session.select("july")
    with pytest.raises(SelectionError, match=r"'july' is not uploaded yet: session\.upload\(\)"):
        _ = session.link
    session.upload()
    assert session.selection[0].state == "uploaded"
    assert session.link.startswith("http://127.0.0.1:")


def test_the_selection_is_checked_in_the_model(full):
    full.select("july", "2013-07-08", "2013-07-09")
    before = full.selection
    with pytest.raises(SelectionError, match="Drop one first"):
        full.select("2013-07-10")
    with pytest.raises(SelectionError, match="too many"):
        full.selection = full.profiles
    with pytest.raises(SelectionError, match=r"alias or id 'nobody'"):
        full.select("nobody")
    assert full.selection == before
    full.selection = ["2013-07-10", "first quarter"]
    assert [profile.label for profile in full.selection] == ["2013-07-10", "first quarter"]
    full.selection = "july"
    assert [profile.label for profile in full.selection] == ["july"]
    full.selection = datetime(2013, 7, 10, tzinfo=timezone.utc)
    assert [profile.label for profile in full.selection] == ["2013-07-10"]
    for twice in (
        ["july", "july"],
        ["july", full.profiles[0]],
        ["2013-07-10", datetime(2013, 7, 10, tzinfo=timezone.utc)],
    ):
        with pytest.raises(SelectionError, match="is named twice"):
            full.selection = twice
        with pytest.raises(SelectionError, match="is named twice"):
            full.select(*twice)
        with pytest.raises(SelectionError, match="is named twice"):
            full.compare(*twice)
    for nothing in (None, "", b"july"):
        with pytest.raises(SelectionError, match=r"alias or id ''|neither a name nor a time"):
            full.selection = nothing
    assert [profile.label for profile in full.selection] == ["2013-07-10"]
    full.deselect()
    assert full.selection == ()


def test_two_uploads_of_one_day_are_one_batch(session, profiles):
    session.add(profiles / "batch-2013-07-08.bin", profiles / "batch-2013-07-09.bin", timestamp="2013-07-08")
    session.upload()
    session.select(*session.profiles)
    assert len(session.selection) == 1
    assert "2 uploads of 2013-07-08: all uploads of a UTC day are one batch" in session.notice.text
    page = json.loads(fetch(session.link.replace("/profiles?", "/profiles.json?")))
    assert len(page["profiles"]) == 1


def test_two_data_sets_of_one_day_are_said_to_be_one_batch_and_how_to_keep_them_apart(session, profiles):
    one, two = profiles / "reference-july.bin", profiles / "reference-first-quarter.bin"
    assert session.add(one, timestamp="2013-07-08").note == ""
    added = session.add(two, timestamp="2013-07-08T12:00")
    assert added.note.startswith(
        "2013-07-08 has 2 data sets now: all that is uploaded of one UTC day becomes one batch"
    )
    assert 'session.add(..., alias="...")' in added.note
    assert session.notice.text == added.note
    assert session.add(two, alias="quarter").note == ""


def test_equal_bytes_of_one_day_are_one_profile(session, profiles):
    file = profiles / "batch-2013-07-08.bin"
    session.add(file, timestamp="2013-07-08T01:00")
    session.add(file, timestamp="2013-07-08T02:00")
    session.add(file, timestamp="2013-07-09T02:00")
    assert len(session.profiles) == 2


def test_what_was_added_reads_as_a_list_in_a_cell(session, profiles):
    added = session.add(profiles / "batch-2013-07-08.bin", profiles / "batch-2013-07-09.bin")
    assert [profile.label for profile in added] == ["2013-07-08", "2013-07-09"]
    assert repr(added) == (
        "batch      2013-07-08                added         151 kB  batch-2013-07-08.bin\n"
        "batch      2013-07-09                added         152 kB  batch-2013-07-09.bin"
    )
    assert repr(added[0]) == "<batch '2013-07-08', added, 151 kB>"
    assert repr(session.upload()).count("uploaded") == 2
    assert repr(session.upload()) == "[]"


def test_adding_again_adds_nothing(full, profiles):
    again = full.add(str(profiles / "batch-*.bin"))
    assert len(full.profiles) == 9
    assert {profile.state for profile in again} == {"uploaded"}
    assert full.upload() == []


def test_the_same_bytes_under_another_name_are_another_profile(session, profiles):
    path = profiles / "batch-2013-07-08.bin"
    one, two, three = (
        session.add(path)[0],
        session.add(path, alias="a")[0],
        session.add(path, kind="reference")[0],
    )
    assert len({one.key, two.key, three.key}) == 3
    assert (one.kind, two.alias, three.alias) == ("batch", "a", "batch-2013-07-08")


def test_bad_files_are_named_and_the_rest_goes_on(session, profiles, tmp_path):
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    text = folder / "notes.bin"
    text.write_text("hello")
    truncated = folder / "half.bin"
    truncated.write_bytes((profiles / "batch-2013-07-08.bin").read_bytes()[:5000])
    with pytest.raises(AddError) as caught:
        session.add(
            profiles / "batch-2013-07-09.bin",
            folder / "missing.bin",
            tmp_path,
            text,
            truncated,
            42,
            b"",
            b"WHY1",
        )
    assert [profile.label for profile in caught.value.added] == ["2013-07-09"]
    reasons = {problem.name.rpartition("/")[2]: problem.reason for problem in caught.value.problems}
    assert len(caught.value.problems) == 7
    assert "no such file" in reasons["missing.bin"].lower()
    assert "directory" in reasons[tmp_path.name]
    assert "text" in reasons["notes.bin"]
    assert "half.bin" in reasons
    assert "(the other 1 was)" in str(caught.value)
    assert session.notice.level == "warning"
    assert len(session.upload()) == 1


def test_one_alias_for_several_is_refused(session, profiles):
    with pytest.raises(AddError, match="One alias cannot name 2 profiles"):
        session.add(profiles / "batch-2013-07-08.bin", profiles / "batch-2013-07-09.bin", alias="both")
    assert session.profiles == ()


def test_contradicting_arguments_are_refused(session, profiles):
    with pytest.raises(ValueError, match="batch"):
        session.add(profiles / "batch-2013-07-08.bin", alias="a", kind="batch")


@pytest.mark.parametrize("alias", ["", " ", "x" * 100_000, "\ud800", "a\0b"])
def test_an_alias_that_no_endpoint_takes_is_refused_at_once(session, profiles, alias):
    with pytest.raises(AddError, match="alias"):
        session.add(profiles / "reference-july.bin", alias=alias)
    with pytest.raises(AddError, match="alias"):
        session.add({alias: profiles / "reference-july.bin"})
    assert session.profiles == ()


def test_hostile_aliases_reach_the_page_and_nothing_else(session, profiles):
    alias = "<img src=x onerror=alert(1)>\u202e\n"
    profile = session.add(profiles / "reference-july.bin", alias=alias)[0]
    assert profile.alias == alias
    assert not set(profile.label) & set("\u202e\n")
    session.upload()
    session.select(alias)
    assert "<img src=x" not in fetch(session.link)
    assert "<img src=x" not in session._repr_mimebundle_()[0]["text/html"]
    assert "<img src=x" not in session.link._repr_html_()


def test_only_what_failed_is_sent_again(session, profiles, tmp_path):
    gone = tmp_path / "gone.bin"
    gone.write_bytes((profiles / "batch-2013-07-09.bin").read_bytes())
    changed = tmp_path / "changed.bin"
    changed.write_bytes((profiles / "batch-2013-07-10.bin").read_bytes())
    session.add(profiles / "batch-2013-07-08.bin", gone, changed)
    gone.unlink()
    changed.write_bytes((profiles / "batch-2013-07-11.bin").read_bytes())
    assert [profile.label for profile in session.upload()] == ["2013-07-08"]
    states = {profile.label: (profile.state, profile.problem) for profile in session.profiles}
    assert states["2013-07-09"][0] == states["2013-07-10"][0] == "failed"
    assert "can no longer be read" in states["2013-07-09"][1]
    assert "has changed since it was added" in states["2013-07-10"][1]
    assert session.notice.level == "error"
    gone.write_bytes((profiles / "batch-2013-07-09.bin").read_bytes())
    assert [profile.label for profile in session.upload()] == ["2013-07-09"]


def test_editing_and_removing_before_the_upload(session, profiles):
    session.add(profiles / "batch-2013-07-08.bin", profiles / "batch-2013-07-09.bin")
    session.select("2013-07-08")
    renamed = session.edit("2013-07-08", alias="monday")
    assert (renamed.kind, renamed.label) == ("reference", "monday")
    assert session.selection == (renamed,)
    moved = session.edit("2013-07-09", timestamp="2013-08-01")
    assert (moved.kind, moved.label) == ("batch", "2013-08-01")
    with pytest.raises(ValueError, match="alias"):
        session.edit("monday", alias="")
    session.remove("2013-08-01")
    assert [profile.label for profile in session.profiles] == ["monday"]
    assert len(session.upload()) == 1
    with pytest.raises(SelectionError, match="is uploaded: it can no longer"):
        session.edit("monday", alias="tuesday")
    with pytest.raises(SelectionError, match="is uploaded: it can no longer"):
        session.remove("monday")


def test_uploading_in_the_background_tells_by_traits(session, profiles):
    seen, done = [], threading.Event()
    session.observe(lambda change: seen.append((change["new"], session.progress.text, session.notice)), "busy")
    session.observe(lambda change: change["new"] or done.set(), "busy")
    session.add(str(profiles / "batch-*.bin"))
    assert session.upload(wait=False) == []
    assert done.wait(120)
    assert session.progress.done == session.progress.total == 7
    assert session.progress.bytes_sent == session.progress.bytes_total == sum(p.size for p in session.profiles)
    assert session.progress.text.startswith("7 of 7 uploaded")
    # Who is told of the end finds all that is said of it.
    assert session.notice.level == "info"
    assert [busy for busy, _, _ in seen] == [True, False]
    assert seen[1][1:] == (session.progress.text, session.notice)


def test_how_an_upload_ended_is_told_by_the_progress_that_stays(session, profiles):
    told = []
    session.observe(lambda _change: told.append(session.progress), "notice")
    session.add(profiles / "batch-2013-07-08.bin")
    session.upload()
    assert told[-1] is session.progress


def test_two_uploads_at_once_send_each_profile_once(session, profiles):
    session.add(str(profiles / "batch-*.bin"))
    landed = []
    threads = [threading.Thread(target=lambda: landed.extend(session.upload())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(landed) == 7
    other = Session(session_id=session.session_id)
    assert len(other.profiles) == 7
    other.close()


@pytest.mark.slow
def test_it_carries_on_when_the_service_has_gone(full, profiles):
    local_service.stop()
    full.select("july")
    assert "<html" in fetch(full.link)
    local_service.stop()
    full.add(profiles / "batch-2013-07-08.bin", alias="once more")
    assert len(full.upload()) == 1
    assert full.state == "open"


@pytest.mark.slow
def test_another_kernel_continues_the_session(full, profiles):
    with Session(session_id=full.session_id) as other:
        assert [(p.label, p.state, p.profile_id) for p in other.profiles] == [
            (p.label, p.state, p.profile_id) for p in full.profiles
        ]
        other.select("july")
        assert "<html" in fetch(other.link)
        other.add(profiles / "batch-2013-07-14.bin", alias="from the other")
        other.upload()
    with pytest.raises(SelectionError, match=r"'from the other'.*There are: .*session\.refresh\(\) asks"):
        full.select("from the other")
    full.refresh()
    full.select("from the other")
    assert full.profiles[-1].label == "from the other"
    assert full.profiles[-1].state == "uploaded"


def test_switching_takes_along_what_was_not_sent(full, profiles):
    first = full.session_id
    full.select("july", "2013-07-08")
    _ = full.link
    full.add(profiles / "batch-2013-07-08.bin", alias="unsent")
    full.select("unsent")
    full.switch()
    assert (full.state, full.short_id, full.current_link) == ("new", "", None)
    assert [(p.label, p.state) for p in full.profiles] == [("unsent", "added")]
    assert [p.label for p in full.selection] == ["unsent"]
    assert len(full.upload()) == 1
    second = full.session_id
    assert second != first
    full.switch(session_id=first)
    assert len(full.profiles) == 9
    assert [p.choice for p in full.selection] == ["july", "2013-07-08"]  # as it was left
    assert full.session_id == first
    full.select("july")
    assert "<html" in fetch(full.link)
    with Session(session_id=second) as other:
        assert [p.label for p in other.profiles] == ["unsent"]


def test_profiles_turn_uploaded_as_they_arrive_and_not_before(session, profiles):
    session.add(str(profiles / "batch-*.bin"))
    seen = []

    def note(change):
        arrived = [profile for profile in change["new"] if profile.state == "uploaded"]
        assert all(profile.profile_id for profile in arrived)
        seen.append(len(arrived))

    session.observe(note, "profiles")
    session.upload()
    assert seen == sorted(seen)
    assert seen[-1] == 7


def test_claiming_hands_the_profiles_over_and_ends_the_session(full):
    full.select("july")
    link = full.link
    info = full.info()
    assert (info.session_id, info.model_id) == (full.session_id, "model-1")
    full.claim()
    assert full.state == "claimed"
    assert full.current_link is None
    with pytest.raises(SessionError, match="was claimed by an organization"):
        _ = full.link
    with pytest.raises(SessionError, match="was claimed"):
        full.upload()
    with pytest.raises(SessionError, match="was claimed"):
        full.claim()
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(link)
    assert caught.value.code == 410
    caught.value.close()
    with pytest.raises(SessionExpired):
        full.refresh()
    assert full.state == "claimed"
    service = local_service.ensure()
    request = urllib.request.Request(
        f"{service.origin}/organizations/{service.organization_id}",
        headers={"X-API-Key": local_service.organization_key()},
    )
    assert "july" in fetch(request)


def test_a_claimed_session_is_over_for_everyone(full, profiles):
    with Session(session_id=full.session_id) as other:
        other.claim()
        full.add(profiles / "batch-2013-07-08.bin", alias="too late")
        with pytest.raises(SelectionError):
            full.select("nothing here")
        assert full.upload() == []
        assert full.state == "expired"
        problem = full.profiles[-1].problem
        assert "was claimed by organization" in problem
        assert "Start a new session" in problem
        assert "expired" not in problem, "it says which of the two it was"
        assert [p.state for p in full.profiles[:9]] == ["uploaded"] * 9


def test_nothing_to_claim(session):
    with pytest.raises(SessionError, match="Nothing was uploaded"):
        session.claim()


def test_background_work_reports_its_failure_as_a_notice(full):
    with pytest.raises(SelectionError):
        full.submit(lambda: full.link).result(120)
    assert full.notice.level == "error"
    assert "Nothing is selected" in full.notice.text
    full.select("july")
    assert full.submit(lambda: full.link).result(120) == full.link


def test_what_a_front_end_without_widgets_shows(full):
    full.select("july")
    _ = full.link
    bundle, _ = full._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "* reference  july" in bundle["text/plain"]
    assert bundle["text/html"].count("<tr>") == 10
    assert 'rel="noopener noreferrer"' in bundle["text/html"]
    assert full.session_id not in bundle["text/plain"]


def test_a_long_session_is_listed_page_by_page_and_later_from_where_it_ended(full, profiles, monkeypatch):
    monkeypatch.setattr("songbird_widgets.session.remote._PAGE", 4)
    asked = []
    send = Songbird.send

    def sent(client, request):
        if isinstance(request, ListSessionProfilesRequest):
            asked.append(request.after)
        return send(client, request)

    monkeypatch.setattr(Songbird, "send", sent)
    with Session(session_id=full.session_id) as again:
        assert len(again.profiles) == 9
        assert len(asked) == 3
        assert asked[0] is None
        full.add(profiles / "batch-2013-07-10.bin", timestamp="2013-08-01")
        full.upload()
        again.refresh()
        assert len(again.profiles) == 10
        assert asked[3:] == [asked[2]]


def test_a_session_has_the_name_that_its_owner_gives_it(profiles):
    with Session(name="  flights\nof July ") as session:
        assert session.name == "flights\ufffdof July"
        session.add(profiles / "batch-2013-07-08.bin")
        session.upload()
        session.name = "flights"
        assert session.recent(1)[0].name == "flights"
        with Session(session_id=session.session_id) as again:
            assert again.name == "flights"
            again.switch()
            assert again.name == ""
            again.name = "another"
        assert session.recent(1)[0].name == "flights"
        assert "'flights'" in repr(session)


def test_a_session_that_is_continued_has_its_selection_again(full):
    full.selection = ("2013-07-10", "july")
    left = full.session_id
    full.switch()
    assert full.selection == ()
    full.switch(session_id=left)
    assert [profile.choice for profile in full.selection] == ["2013-07-10", "july"]


FRAME = [{"price": price % 20} for price in range(300)]
DEARER = [{"price": 3 * (price % 20)} for price in range(300)]


def test_an_alias_that_is_not_uploaded_yet_is_given_other_data_in_its_place(session):
    session.add(FRAME, alias="o")
    session.add(FRAME, alias="p")
    session.select("o", "p")
    again = session.add(DEARER, alias="o")
    assert [profile.label for profile in session.profiles] == ["o", "p"]
    assert again.note == "'o': what was added under this name before, and not uploaded, is replaced."
    assert session.selection == session.profiles
    assert session.compare().drifted == ("price",)


def test_an_alias_that_was_uploaded_means_what_was_added_last(session):
    (first,) = session.add(FRAME, alias="o")
    session.upload()
    session.select("o")
    (second,) = again = session.add(DEARER, alias="o")
    assert "'o' means from now on what was added last" in again.note
    session.upload()
    session.select("o")  # the same cell again: it replaces what it selected before
    assert [profile.key for profile in session.selection] == [second.key]
    session.selection = [session.profiles[0], session.profiles[1]]
    assert [profile.key for profile in session.selection] == [first.key, second.key]
    assert session.compare().drifted == ("price",)
    with Session(session_id=session.session_id) as continued:
        continued.select("o")
        assert continued.selection[0].key == second.key


@pytest.mark.parametrize("uploaded", [True, False])
def test_an_alias_means_again_what_is_added_to_it_again(session, tmp_path, uploaded):
    made = {name: tmp_path / f"{name}.bin" for name in ("a", "b")}
    for name, data in (("a", FRAME), ("b", DEARER)):
        make_profile(data).save(made[name])
    for kind in (FRAME, DEARER), (made["a"], made["b"]):
        alias = f"july{len(session.profiles)}"
        (first,) = session.add(kind[0], alias=alias)
        session.upload()
        session.add(kind[1], alias=alias)
        session.selection = alias
        if uploaded:
            session.upload()
        again = session.add(kind[0], alias=alias)
        assert f"'{alias}' means again the same data as before" in again.note
        assert ("since, and not uploaded, is dropped" in again.note) == (not uploaded)
        session.select(alias)
        assert [profile.key for profile in session.selection] == [first.key]
        session.upload()
        session.refresh()
        session.selection = [alias]
        assert [profile.key for profile in session.selection] == [first.key]
        assert len([one for one in session.profiles if one.alias == alias]) == (2 if uploaded else 1)
        # What is new after that has the alias.
        (newer,) = session.add([{"price": 9.5}] * 300, alias=alias)
        session.upload()
        session.refresh()
        session.selection = alias
        assert session.selection[0].key == newer.key


@pytest.mark.parametrize("named", [{"alias": "o"}, {}, {"timestamp": "2024-01-01"}])
def test_cells_that_are_run_again_in_another_kernel_add_nothing(session, named):
    (first,) = session.add(FRAME, **named)
    session.upload()
    with Session(session_id=session.session_id) as continued:
        assert "there already, with the same data" in continued.add(FRAME, **named).note
        assert continued.upload() == []
        assert [profile.key for profile in continued.profiles] == [first.key]
        continued.add(DEARER, **named)
        continued.upload()
        assert len(continued.profiles) == 2
    session.refresh()
    assert len(session.profiles) == 2


@pytest.mark.parametrize("named", [{"alias": "o"}, {}, {"timestamp": "2024-01-01"}])
def test_kernels_that_do_not_look_at_each_other_send_the_same_data_once(session, named):
    session.upload()
    with Session(session_id=session.session_id) as other:
        (theirs,) = other.add(FRAME, **named)
        other.selection = [theirs]
        (ours,) = session.add(FRAME, **named)
        assert theirs.key != ours.key
        assert len(session.upload()) == 1
        assert other.upload() == []
        assert other.progress.done == other.progress.total == 1
        assert [profile.key for profile in other.profiles] == [ours.key]
        assert [(profile.key, profile.state) for profile in other.selection] == [(ours.key, "uploaded")]
    session.refresh()
    assert len(session.profiles) == 1


def test_what_an_alias_means_again_is_known_to_the_next_kernel(session):
    (first,) = session.add(FRAME, alias="o")
    session.upload()
    session.add(DEARER, alias="o")
    session.upload()
    session.add(FRAME, alias="o")
    with Session(session_id=session.session_id) as continued:
        continued.select("o")
        assert [profile.key for profile in continued.selection] == [first.key]


def test_cells_that_change_an_alias_can_be_run_again(session):
    for _ in range(3):
        for data in (FRAME, DEARER):
            (added,) = session.add(data, alias="july")
            session.upload()
            session.selection = "july"
            assert session.selection[0].key == added.key
    assert len(session.profiles) == 2


@pytest.mark.parametrize("uploaded", [True, False])
@pytest.mark.parametrize("named", [{"alias": "o"}, {}])
def test_equal_data_that_were_profiled_again_are_not_added_twice(session, named, uploaded):
    session.add(FRAME, **named)
    if uploaded:
        session.upload()
    again = session.add(FRAME, **named)
    assert "there already, with the same data" in again.note
    assert len(session.profiles) == 1
    assert len(session.add(DEARER, timestamp="2024-01-01")) == 1
    assert len(session.profiles) == 2


def test_equal_data_of_two_times_that_were_named_are_two_data_sets(session):
    session.add(FRAME, timestamp="2024-01-01T01:00")
    session.add(FRAME, timestamp="2024-01-01T02:00")
    assert len(session.profiles) == 2
    assert "there already" in session.add(FRAME, timestamp="2024-01-01T02:00").note
    assert len(session.profiles) == 2


def test_what_is_added_in_one_step_replaces_nothing_of_it(session, tmp_path):
    for folder, data in (("a", FRAME), ("b", DEARER)):
        (tmp_path / folder).mkdir()
        make_profile(data).save(tmp_path / folder / "train.bin")
    added = session.add(tmp_path / "a/train.bin", tmp_path / "b/train.bin", kind="reference")
    assert len(added) == len(session.profiles) == 2


def test_a_session_that_was_not_looked_at_claims_nothing(full):
    with Session(session_id=full.session_id) as continued:
        assert "not looked at yet" in repr(continued)
        assert len(continued.profiles) == 9
        assert "9 profiles" in repr(continued)


@pytest.mark.parametrize(
    "read",
    [
        lambda session: session.profiles,
        lambda session: session.select("july"),
        lambda session: session.selection,
        lambda session: session.compare(),
        lambda session: session.trends(),
        lambda session: session.link,
        lambda session: session.add(FRAME, alias="july"),
        lambda session: session.refresh(),
    ],
)
def test_whatever_is_read_of_a_session_that_nobody_has_says_so(read):
    with Session(session_id="session-NobodyHasMadeThisOneEver") as session:
        for _ in range(2):
            with pytest.raises(SessionError, match=r"no session with the id session-Nob.*Session\(\) starts") as told:
                read(session)
        assert "NobodyHasMade" not in str(told.value) + repr(session)
    assert not any("Nobody" in one.session_id for one in Session.recent())


@pytest.mark.parametrize("session_id", ["", " \n", 5, b"session-1"])
def test_what_is_no_id_is_refused_at_once(session, session_id):
    error = ConfigurationError if isinstance(session_id, str) else TypeError
    for call in (Session, session.switch):
        with pytest.raises(error, match=r"session_id (is empty|must be text.*not (int|bytes))"):
            call(session_id=session_id)
    assert session.state == "new"


def test_turning_to_a_session_that_nobody_has_changes_nothing(full):
    before = full.profiles
    with pytest.raises(SessionError, match="has no session with the id"):
        full.switch(session_id="session-NobodyHasMadeThisOneEver")
    assert full.profiles is before
    full.select("july")
    assert full.link

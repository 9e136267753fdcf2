"""A session as one zip file, and back."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import zipfile

import pytest

from songbird_widgets.__main__ import main
from songbird_widgets.local.identity import random_text
from songbird_widgets.service import session_files, session_writes
from songbird_widgets.service.app import close_app, make_app
from songbird_widgets.service.blobs import IncomingBlob
from songbird_widgets.service.errors import InvalidArgument


@pytest.fixture
def app(tmp_path):
    made = make_app(tmp_path, secret=None, organization=("org-1", "key"))
    yield made
    close_app(made)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    def command(*arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        status = main([*map(str, arguments), "--data-dir", str(tmp_path)])
        return status, *capsys.readouterr()

    return command


def fill(app):
    from songbird_widgets.service.rows import NewProfile, UploadRow

    metadata, blobs = app.settings["metadata"], app.settings["blobs"]
    session = metadata.create_session("someone")
    profiles = [
        NewProfile("reference", "train"),
        NewProfile("batch", None, 1_373_241_600_005, (("carrier", "AA"),), "eu"),
        NewProfile("reference", "never sent"),
    ]
    _, ids = metadata.announce(session, profiles)
    for profile_id, content in zip(ids, (b"one", b"two" * 1000), strict=False):
        metadata.confirm(UploadRow(profile_id, len(content), blobs.write(content)))
    return session


def held(app, session):
    metadata = app.settings["metadata"]
    row = metadata.session(session)
    return [
        (one.kind, one.alias, one.dataset_timestamp, one.sha256, tags, region)
        for one, tags, region in metadata.exported(row.org_id, row.dataset_id)
    ]


def test_a_session_goes_out_and_comes_back(app, run, tmp_path):
    session = fill(app)
    file = tmp_path / "session.zip"
    status, said, error = run("session", "export", file, stdin=session + "\n")
    assert (status, error) == (0, "")
    assert said.startswith("2 uploads")
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert [archive.read(one["file"]) for one in manifest["profiles"]] == [b"one", b"two" * 1000]
    assert session not in json.dumps(manifest)
    status, printed, _ = run("session", "import", file)
    assert status == 0
    assert printed.strip() != session
    assert held(app, printed.strip()) == held(app, session)
    assert run("session", "import", file, "--dataset", "org-1/flights")[0] == 0
    again = tmp_path / "dataset.zip"
    assert run("session", "export", again, "--dataset", "org-1/flights")[1].startswith("2 uploads")
    assert run("session", "export", again, "--dataset", "org-1/flights")[0] == 1  # it is there: nothing is overwritten


def test_the_first_letters_of_an_id_are_enough_where_they_mean_one_session(app, run, tmp_path, monkeypatch):
    session = fill(app)
    assert run("session", "export", tmp_path / "1.zip", stdin=f"{session[:12]}\n")[1].startswith("2 uploads")
    assert run("session", "export", tmp_path / "2.zip", stdin=f"{session[:12]}…")[1].startswith("2 uploads")
    assert "not found" in run("session", "export", tmp_path / "3.zip", stdin=session[:11])[2]
    monkeypatch.setattr(session_writes, "random_text", lambda length: session[8:12] + random_text(length - 4))
    fill(app)
    assert "several sessions" in run("session", "export", tmp_path / "3.zip", stdin=session[:12])[2]
    assert run("session", "export", tmp_path / "4.zip", stdin=session)[0] == 0


@pytest.mark.parametrize("typed", ["", "\n"])
def test_no_id_is_said(run, tmp_path, typed):
    status, _, said = run("session", "export", tmp_path / "x.zip", stdin=typed)
    assert (status, "no id on standard input" in said) == (1, True)
    assert not (tmp_path / "x.zip").exists()


def broken(file, target, change):
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(target, "w") as made:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest)
            made.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(format="another"), "not written by"),
        (lambda m: m["profiles"][1].update(sha256="0" * 64), "damaged"),
        (lambda m: m["profiles"][1].update(size=1), "damaged"),
        (lambda m: m["profiles"][1].update(file="../x"), "cannot be imported"),
        (lambda m: m["profiles"][1].update(datasetTimestamp=-1), "cannot be."),
        (lambda m: m["profiles"][1].update(kind="other"), "profiles[1].kind"),
        (lambda m: m["profiles"][0].update(alias="a\0"), "cannot be."),
        (lambda m: m.pop("profiles"), "cannot be imported"),
        (lambda m: m["profiles"].append(m["profiles"][0]), "several uploads of the manifest are one file"),
        (lambda m: m["profiles"][1].update(segmentTags=[{"key": "a", "value": "b"}] * 1_001), "cannot be."),
    ],
)
def test_what_is_not_whole_is_refused_and_changes_nothing(app, run, tmp_path, change, said):
    file, changed = tmp_path / "session.zip", tmp_path / "changed.zip"
    run("session", "export", file, stdin=fill(app))
    broken(file, changed, change)
    before = app.settings["metadata"].datasets("org-1")
    status, printed, error = run("session", "import", changed, "--dataset", "org-1/flights")
    assert (status, printed) == (1, "")
    assert said in error
    assert app.settings["metadata"].datasets("org-1") == before


def packed_anew(file, target, method):
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(target, "w", method) as made:
        for name in archive.namelist():
            made.writestr(name, archive.read(name))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_as_export_never_does_is_refused_unread(app, run, tmp_path, method):
    file, changed = tmp_path / "session.zip", tmp_path / "changed.zip"
    run("session", "export", file, stdin=fill(app))
    packed_anew(file, changed, method)
    assert "method that export never uses" in run("session", "import", changed)[2]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_whatever_is_damaged_in_a_file_is_said(app, run, tmp_path, method):
    file, changed = tmp_path / "session.zip", tmp_path / "changed.zip"
    run("session", "export", file, stdin=fill(app))
    packed_anew(file, changed, method)
    whole = changed.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        for content in (damaged, whole[:place]):
            with contextlib.suppress(InvalidArgument):  # a bit that nobody reads may be any
                session_files.read(io.BytesIO(content))


def test_a_file_whose_parts_overlap_is_refused(app, run, tmp_path):
    file = tmp_path / "session.zip"
    run("session", "export", file, stdin=fill(app))
    content = bytearray(file.read_bytes())
    last = content.rindex(b"PK\x01\x02")
    content[last + 42 : last + 46] = (10).to_bytes(4, "little")  # where the last member begins
    file.write_bytes(content)
    assert "parts of it overlap" in run("session", "import", file)[2]


def test_a_session_that_cannot_be_filled_is_ended(app, run, tmp_path, monkeypatch):
    file = tmp_path / "session.zip"
    run("session", "export", file, stdin=fill(app))
    before = len(app.settings["metadata"].newest_sessions(10))
    whole = IncomingBlob.keep
    kept = []

    def keep(blob):
        if kept:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        kept.append(blob)
        return whole(blob)

    monkeypatch.setattr(IncomingBlob, "keep", keep)
    status, printed, said = run("session", "import", file)
    assert (status, printed, said) == (1, "", "songbird-widgets: No space left on device.\n")
    assert kept
    assert len(app.settings["metadata"].newest_sessions(10)) == before


def test_what_is_no_zip_and_a_session_that_is_not_there_are_said(run, tmp_path):
    (tmp_path / "file").write_bytes(b"nothing")
    assert "cannot be imported" in run("session", "import", tmp_path / "file")[2]
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x", "y")
    assert "holds no session" in run("session", "import", tmp_path / "other.zip")[2]
    missing = run("session", "import", tmp_path / "nowhere")
    assert missing[0] == 1
    assert missing[2].endswith("nowhere: No such file or directory.\n")
    assert "not found" in run("session", "export", tmp_path / "x.zip", stdin="session-unknown")[2]
    assert "There is no dataset" in run("session", "export", tmp_path / "x.zip", "--dataset", "org-1/none")[2]
    assert not (tmp_path / "x.zip").exists()

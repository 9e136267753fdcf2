"""A data directory is used only if it is this user's alone, with all that the service keeps in it."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import stat
import subprocess
import sys

import pytest

from songbird_widgets.__main__ import main
from songbird_widgets.local import local_service
from songbird_widgets.local.local_service import LocalServiceError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither modes nor uids")
as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
NOBODY = 65534


@pytest.fixture
def directory(tmp_path, monkeypatch):
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(path))
    return path


def content(directory):
    """All that is there, as far as it can be seen without opening it."""
    found = [os.lstat(path) for path in sorted([directory, *directory.rglob("*")])]
    return [(one.st_ino, one.st_mode, one.st_uid, one.st_size, one.st_mtime_ns) for one in found]


def assert_refused(directory, *words):
    """Refuse it whoever asks, in one sentence that holds these words, and change nothing."""
    before = content(directory)
    for call in (local_service.find, local_service.ensure, local_service.stop, local_service.organization_key):
        with pytest.raises(LocalServiceError) as refused:
            call()
        assert not [word for word in words if word not in str(refused.value)], str(refused.value)
    for arguments in (["serve", "--data-dir", str(directory)], ["status"], ["org", "create", "org-1"]):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert main(arguments) == 1
        assert (out.getvalue(), err.getvalue().count("\n")) == ("", 1)
        assert words[0] in err.getvalue()
    assert content(directory) == before


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o710, 0o1777])
def test_one_that_is_open_to_others_is_refused_with_the_command_that_closes_it(directory, mode):
    directory.chmod(mode)
    assert_refused(directory, "is open to others", f"Run: chmod 700 {shlex.quote(str(directory))}")


def test_a_new_one_is_private_whatever_the_umask(directory):
    directory.rmdir()
    code = "import os; os.umask(0); from songbird_widgets.local import local_service; local_service.data_directory()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_link_to_one_is_refused_with_the_place_to_name_instead(directory, tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(directory)
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(link))
    with pytest.raises(LocalServiceError, match=f"is a link. .*{directory}"):
        local_service.ensure()
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(LocalServiceError, match="is a link"):
        local_service.ensure()
    assert not (tmp_path / "nowhere").exists()
    assert not list(directory.iterdir())


@as_root
def test_one_of_another_user_is_refused(directory):
    os.chown(directory, NOBODY, NOBODY)
    assert_refused(directory, "belongs to another user (uid 65534)")


@pytest.mark.parametrize(
    "name",
    [
        "identity.json",
        "service.json",
        "service.log",
        "service.lock",
        "songbird.db",
        "blobs",
        "examples",
        "ledger.sqlite3",
    ],
)
def test_a_link_within_is_refused_by_name(directory, tmp_path, name):
    target = tmp_path / "target"
    target.mkdir() if name in {"blobs", "examples"} else target.write_bytes(b"")
    (directory / name).symlink_to(target)
    assert_refused(directory, f"{directory / name} is a link")
    assert not target.is_file() or target.read_bytes() == b""


def test_a_link_among_the_blobs_is_refused_by_name(directory, tmp_path):
    (directory / "blobs").mkdir(mode=0o700)
    (directory / "blobs" / "ab").symlink_to(tmp_path)
    assert_refused(directory, f"{directory / 'blobs' / 'ab'} is a link")


@pytest.mark.parametrize("name", ["identity.json", "service.json", "service.log", "songbird.db"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_nobody_waits_at_it(directory, name):
    os.mkfifo(directory / name, 0o600)
    assert_refused(directory, f"{directory / name} is neither a file nor a directory")


@as_root
@pytest.mark.parametrize("name", ["identity.json", "songbird.db-wal"])
def test_what_another_user_has_left_within_is_refused_by_name(directory, name):
    (directory / name).touch(mode=0o600)
    os.chown(directory / name, NOBODY, NOBODY)
    assert_refused(directory, f"{directory / name} belongs to another user (uid 65534)")


@pytest.mark.parametrize("mode", [0o666, 0o660])
def test_what_others_may_write_within_is_refused_with_the_command_that_closes_it(directory, mode):
    (directory / "songbird.db").touch()
    (directory / "songbird.db").chmod(mode)
    assert_refused(directory, "may be changed by others", f"chmod go-w {shlex.quote(str(directory / 'songbird.db'))}")


def test_what_is_not_the_services_is_left_in_peace(directory, tmp_path):
    (directory / "notes").symlink_to(tmp_path)
    (directory / "notes.txt").touch()
    (directory / "notes.txt").chmod(0o666)
    assert local_service.find() is None

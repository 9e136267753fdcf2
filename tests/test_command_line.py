"""The command line, run as a shell runs it, against a service of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from songbird_widgets.local import local_service
from songbird_widgets.session import Session

pytestmark = pytest.mark.slow  # each starts processes

PROFILES = Path(__file__).parents[1] / "examples" / "profiles"
COMMAND = [sys.executable, "-W", "error", "-m", "songbird_widgets"]


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Run `songbird-widgets …` with a home of its own; end its service afterwards."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments, stdin="", **changed):
        environment = {**os.environ, **changed}
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )

    yield run
    local_service.stop()


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode("utf-8")


@pytest.mark.parametrize("command", ["", "compare", "demo", "serve", "status", "stop", "upload"])
def test_help_is_there_for_every_command(shell, command):
    done = shell(*command.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: songbird-widgets {command}".rstrip())


def test_no_command_is_a_wrong_command_line(shell):
    done = shell()
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_upload_starts_the_service_and_prints_a_link_that_answers(shell):
    done = shell(
        "upload",
        "--reference", f"july={PROFILES / 'reference-july.bin'}",
        PROFILES / "batch-2013-07-08.bin",
        PROFILES / "batch-2013-07-09.bin",
        "--select", "july", "2013-07-08",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (link,) = done.stdout.split()
    figures = json.loads(get(link.replace("/profiles?", "/profiles.json?")))
    assert [profile["label"] for profile in figures["profiles"]] == ["july", "2013-07-08"]


def test_upload_selects_the_first_three_when_nothing_is_said(shell):
    batches = sorted(PROFILES.glob("batch-*.bin"))[:4]
    done = shell("upload", *batches)
    assert done.returncode == 0, done.stderr
    assert len(re.findall("[?&]profile=", done.stdout)) == 3


def test_a_bad_file_is_named_and_the_others_are_uploaded(shell, tmp_path):
    bad = tmp_path / "notes.txt"
    bad.write_text("not a profile")
    done = shell("upload", bad, PROFILES / "batch-2013-07-08.bin")
    assert done.returncode == 1
    assert "notes.txt" in done.stderr
    assert "sessionToken" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["upload"], "at least one profile"),
        (["upload", "--select", "july", PROFILES / "batch-2013-07-08.bin"], "name files before --select"),
        (["upload", "missing.bin"], "missing.bin"),
        (
            ["upload", PROFILES / "batch-2013-07-08.bin", "--select", "nobody"],
            "There are: batches '2013-07-08'. Nothing was uploaded.",
        ),
        (["upload", PROFILES / "batch-2013-07-08.bin", "--endpoint", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["upload", PROFILES / "batch-2013-07-08.bin", "--endpoint", "nonsense"], "endpoint"),
        (["upload", PROFILES / "batch-2013-07-08.bin", "--session", "session-unknown"], "session"),
    ],
)
def test_what_goes_wrong_is_said_without_a_traceback(shell, arguments, said):
    done = shell(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("shell")
def test_a_selected_profile_that_fails_is_said_once_and_left_out_of_the_link(tmp_path):
    gone = tmp_path / "gone.bin"
    shutil.copy(PROFILES / "batch-2013-07-09.bin", gone)
    code = f"""
import os, sys
from songbird_widgets.__main__ import main
from songbird_widgets.session import Session
upload = Session.upload
def after_the_file_is_gone(session):
    os.unlink({str(gone)!r})
    return upload(session)
Session.upload = after_the_file_is_gone
sys.exit(main(sys.argv[1:]))
"""
    batch = str(PROFILES / "batch-2013-07-08.bin")
    command = [sys.executable, "-c", code, "upload", batch, str(gone), "--select", "2013-07-08", "2013-07-09"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert len(re.findall("[?&]profile=", done.stdout)) == 1
    assert done.stderr.count("can no longer be read") == 1
    assert "The link leaves out what was not uploaded: 2013-07-09." in done.stderr


def test_an_interrupted_upload_says_what_landed_and_how_to_go_on(shell):
    local_service.ensure()
    files = [str(path) for path in sorted(PROFILES.glob("batch-*.bin"))]
    code = f"""
import sys, os, signal
from songbird_widgets.__main__ import main
from songbird_widgets.session import Session
def interrupt(change):
    if any(profile.state == "uploaded" for profile in change["new"]):
        change["owner"].unobserve(interrupt, "profiles")
        os.kill(os.getpid(), signal.SIGINT)
made = Session.__init__
def __init__(session, *args, **options):
    made(session, *args, **options)
    session.observe(interrupt, "profiles")
Session.__init__ = __init__
sys.exit(main(["upload", *{files!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    said = re.search(
        r"Stopped\. (\d) of 7 profiles are uploaded\. To send the rest: songbird-widgets (.*)", done.stderr
    )
    assert 1 <= int(said[1]) <= 7
    assert re.fullmatch(r"upload --session session-\w{4}", said[2])
    again = shell(*said[2].split())  # what was on its way may have arrived after all
    assert again.returncode == 0, again.stderr
    session_id = re.search("sessionToken=(.*)", again.stdout)[1]
    assert session_id.startswith(said[2].rpartition(" ")[2])
    listing = json.loads(get(f"{local_service.find().origin}/v0/sessions/{session_id}/profiles"))
    assert len(listing["profiles"]) == 7


@pytest.mark.parametrize("way", ["argument", "short id", "variable", "file", "stdin"])
def test_a_session_comes_by_argument_variable_or_file_and_an_argument_is_warned_of(shell, tmp_path, way):
    with Session() as session:
        session.add(PROFILES / "batch-2013-07-08.bin")
        session.upload()
        (tmp_path / "id").write_text(session.session_id + "\n")
        arguments, changed = {
            "argument": (["--session", session.session_id], {}),
            "short id": (["--session", session.short_id.rstrip("…")], {}),
            "variable": ([], {"SONGBIRD_SESSION": session.session_id}),
            "file": (["--session-file", tmp_path / "id"], {}),
            "stdin": (["--session-file", "-"], {"stdin": session.session_id}),
        }[way]
        done = shell("upload", PROFILES / "batch-2013-07-09.bin", *arguments, **changed)
        assert f"sessionToken={session.session_id}" in done.stdout
        warned = "Others on this machine may read the arguments" in done.stderr
        assert warned == ("SONGBIRD_SESSION or --session-file" in done.stderr) == (way == "argument")
        assert session.session_id not in done.stderr
        if way == "short id":
            return
        left = shell("delete", *([session.session_id] if way == "argument" else arguments), "2013-07-09", **changed)
        assert left.stdout == "Deleted: 1 profile.\n"
        assert ("Others on this machine" in left.stderr) == (way == "argument")
    with Session(session_id=(tmp_path / "id").read_text().strip()) as again:
        assert [profile.label for profile in again.profiles] == ["2013-07-08"]


def test_an_endpoint_comes_by_file_and_one_with_its_secret_among_the_arguments_is_warned_of(shell, tmp_path):
    endpoint = local_service.ensure().endpoint
    (tmp_path / "endpoint").write_text(endpoint)
    day = PROFILES / "batch-2013-07-08.bin"
    by_file = shell("upload", day, "--endpoint-file", tmp_path / "endpoint")
    by_argument = shell("upload", day, "--endpoint", endpoint)
    assert (by_file.returncode, by_argument.returncode) == (0, 0)
    assert "Others" not in by_file.stderr
    assert "SONGBIRD_ENDPOINT or --endpoint-file" in by_argument.stderr
    assert endpoint not in by_argument.stderr


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\x00", b"x" * 20_000])
def test_a_file_that_holds_no_session_is_said_and_nothing_is_uploaded(shell, tmp_path, content):
    if content is not None:
        (tmp_path / "id").write_bytes(content)
    done = shell("upload", PROFILES / "batch-2013-07-08.bin", "--session-file", tmp_path / "id")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"--session-file: {tmp_path / 'id'}" in done.stderr
    assert local_service.find() is None


@pytest.mark.parametrize("command", ["upload", "delete"])
def test_help_says_who_may_read_arguments_and_what_to_use_instead(shell, command):
    said = " ".join(shell(command, "--help").stdout.split())
    for word in ("Others on this machine", "--session-file", "SONGBIRD_SESSION", "--endpoint-file", "SONGBIRD_API_KEY"):
        assert word in said


def test_who_reads_only_the_beginning_gets_no_traceback(shell):
    local_service.ensure()
    for command in ("status --show-key", "--help"):
        line = f"{shlex.join(COMMAND)} {command} | head -c 1"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
    reader, writer = os.pipe()
    os.close(reader)  # nobody reads at all
    done = subprocess.run([*COMMAND, "status"], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
    assert shell("status").returncode == 0


@pytest.mark.parametrize("command", [["status"], ["stop"], ["upload", PROFILES / "batch-2013-07-08.bin"]])
def test_a_data_directory_that_cannot_be_is_said_without_a_traceback(shell, tmp_path, command):
    (tmp_path / "file").write_text("")
    done = shell(*command, SONGBIRD_DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert "cannot be made: Not a directory. Set SONGBIRD_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_and_stop_say_what_is(shell):
    done = shell("status")
    assert done.returncode == 1
    assert "not running" in done.stderr
    assert shell("stop").stdout == "The local service was not running.\n"

    assert shell("upload", PROFILES / "batch-2013-07-08.bin").returncode == 0
    facts = json.loads(shell("status", "--json").stdout)
    assert set(facts) == {"endpoint", "pid", "data_dir", "disk_used"}
    os.kill(facts["pid"], 0)
    assert "key" not in shell("status").stdout
    shown = shell("status", "--show-key").stdout
    assert re.search(r"^key +\w{10}\.\S+$", shown, re.MULTILINE)

    assert shell("stop").stdout == "The local service has ended.\n"
    assert shell("status").returncode == 1


def test_serve_prints_an_endpoint_that_works_as_it_is(shell, tmp_path):
    with subprocess.Popen(
        [*COMMAND, "serve", "--data-dir", str(tmp_path / "served")], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            endpoint = re.search(r"http://\S+", server.stdout.readline())[0]
            done = shell("upload", PROFILES / "batch-2013-07-08.bin", WHYLABS_API_ENDPOINT=endpoint)
            assert done.returncode == 0, done.stderr
            assert "<table" in get(done.stdout.strip())
            assert local_service.find() is None
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 0


def test_compare_says_what_drifted_and_fails_where_it_is_told_to(shell, tmp_path):
    july, day, report = PROFILES / "reference-july.bin", PROFILES / "batch-2013-07-08.bin", tmp_path / "report.html"
    done = shell("compare", july, day, "--html", report)
    assert (done.returncode, done.stderr) == (0, "")
    assert "columns drifted: day, " in done.stdout
    assert "</html>" in report.read_text("utf-8")
    assert shell("compare", july, day, "--fail-on", "strong").returncode == 3
    assert shell("compare", "--columns", "hour,origin", july, day, "--fail-on", "strong").returncode == 0
    assert shell("compare", "--columns", "hour", "--columns", "day", july, day, "--fail-on", "strong").returncode == 3
    (tmp_path / "limits.toml").write_text("moderate = inf\n")
    assert shell("compare", july, day, "--fail-on", "strong", "--thresholds", tmp_path / "limits.toml").returncode == 0
    (tmp_path / "limits.toml").write_text("mode = 1\n")
    done = shell("compare", july, day, "--thresholds", tmp_path / "limits.toml")
    assert (done.returncode, "there is no key 'mode'" in done.stderr) == (1, True)
    data = json.loads(shell("compare", july, july, "--json").stdout)
    assert {column["drift"]["P2"]["verdict"] for column in data["columns"]} <= {"none", "unknown"}


def test_compare_takes_files_of_data(shell, tmp_path):
    for name, factor in (("train", 1), ("today", 3)):
        rows = "".join(f"{factor * price},DE\n" for price in range(500))
        (tmp_path / f"{name}.csv").write_text(f"price,country\n{rows}")
    done = shell("compare", tmp_path / "train.csv", tmp_path / "today.csv", "--fail-on", "strong")
    assert (done.returncode, done.stderr) == (3, "")
    assert "1 of 2 columns drifted: price" in done.stdout


def test_profile_replaces_nothing_unless_it_is_told_to(shell, tmp_path):
    data, made = tmp_path / "train.csv", tmp_path / "train.bin"
    data.write_text("price\n1\n")
    made.write_bytes(b"something else")
    done = shell("profile", data, "-o", made)
    assert (done.returncode, made.read_bytes()) == (1, b"something else")
    assert "train.bin is there already, and nothing was written. --force replaces it." in done.stderr
    assert shell("profile", data, "-o", made, "--force").stdout == f"{made}\n"
    assert made.read_bytes().startswith(b"WHY1")
    done = shell("profile", data, "-o", data, "--force")
    assert (done.returncode, data.read_text()) == (1, "price\n1\n")


def test_compare_names_what_it_cannot_read(shell, tmp_path):
    july = PROFILES / "reference-july.bin"
    done = shell("compare", july, tmp_path / "missing.parquet")
    assert done.returncode == 1
    assert "missing.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell("compare", july).returncode == 2
    assert "nonsense" in shell("compare", july, july, "--columns", "nonsense").stderr

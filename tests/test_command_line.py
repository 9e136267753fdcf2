"""The command line against a service of its own: by `main` in this process, or as a shell runs it."""

from __future__ import annotations

import argparse
import contextlib
import io
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
from types import SimpleNamespace

import polars as pl
import pytest

from songbird_widgets.__main__ import main
from songbird_widgets.commands.access_options import AccessError, session_of
from songbird_widgets.local import local_service
from songbird_widgets.profiles import read_profile
from songbird_widgets.session import Session
from songbird_widgets.session.models import LedgerSession

pytestmark = pytest.mark.slow  # most start a service

PROFILES = Path(__file__).parents[1] / "examples" / "profiles"
COMMAND = [sys.executable, "-W", "error", "-m", "songbird_widgets"]


def home_in(directory):
    return {"HOME": str(directory / "home"), "SONGBIRD_DATA_DIR": str(directory / "data")}


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory, keep_data_in):
    variables = home_in(tmp_path_factory.mktemp("shared"))
    yield variables
    with keep_data_in(variables["SONGBIRD_DATA_DIR"]):
        pass


@pytest.fixture
def alone():
    """Let a test have a home, and so a service and a ledger, of its own."""


@pytest.fixture
def home(request, tmp_path, monkeypatch):
    """The variables of a home: that of all tests here, or with `alone` one whose service ends with the test."""
    own = "alone" in request.fixturenames
    variables = home_in(tmp_path) if own else request.getfixturevalue("shared_home")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield variables
    if own:
        local_service.stop()


@pytest.fixture
def call(home):
    """Run `songbird-widgets …` in this process."""

    def run(*arguments, stdin="", **changed):
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr("sys.stdin", io.StringIO(stdin))
            for name, value in {**home, **changed}.items():
                patch.setenv(name, value)
            try:
                status = main([str(argument) for argument in arguments])
            except SystemExit as ended:  # of argparse
                status = ended.code
        return SimpleNamespace(returncode=status, stdout=out.getvalue(), stderr=err.getvalue())

    return run


@pytest.fixture
def shell(home):
    """Run `songbird-widgets …` as a shell does."""

    def run(*arguments, **changed):
        environment = {**os.environ, **home, **changed}
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)

    return run


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode("utf-8")


@pytest.mark.parametrize("command", ["", "compare", "demo", "serve", "sessions", "status", "stop", "upload"])
def test_help_is_there_for_every_command(call, command):
    done = call(*command.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: songbird-widgets {command}".rstrip())


def test_no_command_is_a_wrong_command_line(call):
    done = call()
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


@pytest.mark.usefixtures("alone")
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


def test_upload_selects_the_first_three_when_nothing_is_said(call):
    batches = sorted(PROFILES.glob("batch-*.bin"))[:4]
    done = call("upload", *batches)
    assert done.returncode == 0, done.stderr
    assert len(re.findall("[?&]profile=", done.stdout)) == 3


def test_a_bad_file_is_named_and_the_others_are_uploaded(call, tmp_path):
    bad = tmp_path / "notes.txt"
    bad.write_text("not a profile")
    done = call("upload", bad, PROFILES / "batch-2013-07-08.bin")
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
        (
            ["upload", PROFILES / "batch-2013-07-08.bin", "--select", "1", "2", "3", "4"],
            "--select: 4 profiles are too many: at most 3",
        ),
        (["upload", PROFILES / "batch-2013-07-08.bin", "--endpoint", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["upload", PROFILES / "batch-2013-07-08.bin", "--endpoint", "nonsense"], "endpoint"),
        (["upload", PROFILES / "batch-2013-07-08.bin", "--session", "session-unknown"], "session"),
    ],
)
def test_what_goes_wrong_is_said_without_a_traceback(call, arguments, said):
    done = call(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_selected_profile_that_fails_is_said_once_and_left_out_of_the_link(call, tmp_path, monkeypatch):
    gone = tmp_path / "gone.bin"
    shutil.copy(PROFILES / "batch-2013-07-09.bin", gone)
    upload = Session.upload

    def upload_after_the_file_is_gone(session):
        gone.unlink()
        return upload(session)

    monkeypatch.setattr(Session, "upload", upload_after_the_file_is_gone)
    done = call("upload", PROFILES / "batch-2013-07-08.bin", gone, "--select", "2013-07-08", "2013-07-09")
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
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


def test_a_session_comes_by_argument_variable_or_file_and_an_argument_is_warned_of(call, tmp_path):
    for way in ("argument", "short id", "variable", "file", "stdin"):
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
            done = call("upload", PROFILES / "batch-2013-07-09.bin", *arguments, **changed)
            assert f"sessionToken={session.session_id}" in done.stdout, way
            warned = "Others on this machine may read the arguments" in done.stderr
            assert warned == ("SONGBIRD_SESSION or --session-file" in done.stderr) == (way == "argument"), way
            assert session.session_id not in done.stderr, way
            if way == "short id":
                continue
            left = call("delete", *([session.session_id] if way == "argument" else arguments), "2013-07-09", **changed)
            assert left.stdout == "Deleted: 1 profile.\n", way
            assert ("Others on this machine" in left.stderr) == (way == "argument"), way
        with Session(session_id=(tmp_path / "id").read_text().strip()) as again:
            assert [profile.label for profile in again.profiles] == ["2013-07-08"], way


def test_an_endpoint_comes_by_file_and_one_with_its_secret_among_the_arguments_is_warned_of(call, tmp_path):
    endpoint = local_service.ensure().endpoint
    (tmp_path / "endpoint").write_text(endpoint)
    day = PROFILES / "batch-2013-07-08.bin"
    by_file = call("upload", day, "--endpoint-file", tmp_path / "endpoint")
    by_argument = call("upload", day, "--endpoint", endpoint)
    assert (by_file.returncode, by_argument.returncode) == (0, 0)
    assert "Others" not in by_file.stderr
    assert "SONGBIRD_ENDPOINT or --endpoint-file" in by_argument.stderr
    assert endpoint not in by_argument.stderr


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\x00", b"x" * 20_000])
def test_a_file_that_holds_no_session_is_said_and_nothing_is_uploaded(call, tmp_path, content):
    if content is not None:
        (tmp_path / "id").write_bytes(content)
    done = call("upload", PROFILES / "batch-2013-07-08.bin", "--session-file", tmp_path / "id")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"--session-file: {tmp_path / 'id'}" in done.stderr
    assert local_service.find() is None


@pytest.mark.parametrize("command", ["upload", "delete"])
def test_help_says_who_may_read_arguments_and_what_to_use_instead(call, command):
    said = " ".join(call(command, "--help").stdout.split())
    for word in ("Others on this machine", "--session-file", "SONGBIRD_SESSION", "--endpoint-file", "SONGBIRD_API_KEY"):
        assert word in said


def test_who_reads_only_the_beginning_gets_no_traceback(shell):
    local_service.ensure()
    for command in ("status --show-key", "--help"):
        line = f"{shlex.join(COMMAND)} {command} | head -c 1"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=300, check=False)
        assert done.stderr == ""
    reader, writer = os.pipe()
    os.close(reader)  # nobody reads at all
    done = subprocess.run([*COMMAND, "status"], stdout=writer, stderr=subprocess.PIPE, timeout=300, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
    assert shell("status").returncode == 0


@pytest.mark.parametrize(
    ("command", "where", "status", "said"),
    [
        (["sessions"], ">&-", 0, ""),
        (["profile", "rows.csv"], ">&-", 0, ""),
        (["profile", "rows.csv"], ">/dev/full", 1, "songbird-widgets: No space left on device.\n"),
        (
            ["compare", PROFILES / "batch-2013-07-08.bin", PROFILES / "batch-2013-07-09.bin", "--json"],
            ">/dev/full",
            1,
            "songbird-widgets: No space left on device.\n",
        ),
    ],
    ids=["sessions closed", "profile closed", "profile full", "compare full"],
)
def test_an_output_that_is_closed_or_full_is_no_traceback(tmp_path, command, where, status, said):
    (tmp_path / "rows.csv").write_text("n\n1\n")
    line = shlex.join([*COMMAND, *map(str, command)])
    environment = {**os.environ, "SONGBIRD_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        ["bash", "-c", f"{line} {where}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["https://example.com/a.csv?X=secret"], "https://example.com/a.csv: Addresses are not fetched"),
        (["missing.csv"], "missing.csv: There is no such file."),
        (["rows.csv", "-o", "."], ". is a directory: name a file in it with -o."),
    ],
)
def test_profile_looks_at_where_data_come_from_and_go_before_it_begins(call, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("n\n1\n")
    (tmp_path / "a.bin").touch()
    done = call("profile", *arguments)
    assert done.returncode == 1
    assert f"songbird-widgets: {said}" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("command", [["status"], ["stop"], ["upload", PROFILES / "batch-2013-07-08.bin"]])
def test_a_data_directory_that_cannot_be_is_said_without_a_traceback(call, tmp_path, command):
    (tmp_path / "file").write_text("")
    done = call(*command, SONGBIRD_DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert "cannot be made: Not a directory. Set SONGBIRD_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("alone")
def test_status_and_stop_say_what_is(call):
    done = call("status")
    assert done.returncode == 1
    assert "not running" in done.stderr
    assert call("stop").stdout == "The local service was not running.\n"

    assert call("upload", PROFILES / "batch-2013-07-08.bin").returncode == 0
    facts = json.loads(call("status", "--json").stdout)
    assert set(facts) == {"endpoint", "pid", "data_dir", "disk_used"}
    os.kill(facts["pid"], 0)
    assert "key" not in call("status").stdout
    shown = call("status", "--show-key").stdout
    assert re.search(r"^key +\w{10}\.\S+$", shown, re.MULTILINE)

    assert call("stop").stdout == "The local service has ended.\n"
    assert call("status").returncode == 1


@pytest.mark.usefixtures("alone")
def test_serve_prints_an_endpoint_that_works_as_it_is(call, tmp_path):
    with subprocess.Popen(
        [*COMMAND, "serve", "--data-dir", str(tmp_path / "served")], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            endpoint = re.search(r"http://\S+", server.stdout.readline())[0]
            done = call("upload", PROFILES / "batch-2013-07-08.bin", WHYLABS_API_ENDPOINT=endpoint)
            assert done.returncode == 0, done.stderr
            assert "<table" in get(done.stdout.strip())
            assert local_service.find() is None
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(timeout=300) == 0


def test_compare_says_what_drifted_and_fails_where_it_is_told_to(call, tmp_path):
    july, day, report = PROFILES / "reference-july.bin", PROFILES / "batch-2013-07-08.bin", tmp_path / "report.html"
    done = call("compare", july, day, "--html", report)
    assert (done.returncode, done.stderr) == (0, "")
    assert "columns drifted: " in done.stdout
    assert "</html>" in report.read_text("utf-8")
    assert call("compare", july, day, "--fail-on", "strong").returncode == 3
    assert call("compare", "--columns", "hour,origin", july, day, "--fail-on", "strong").returncode == 0
    assert call("compare", "--columns", "hour", "--columns", "day", july, day, "--fail-on", "strong").returncode == 3
    (tmp_path / "limits.toml").write_text("moderate = inf\n")
    assert call("compare", july, day, "--fail-on", "strong", "--thresholds", tmp_path / "limits.toml").returncode == 0
    (tmp_path / "limits.toml").write_text("mode = 1\n")
    done = call("compare", july, day, "--thresholds", tmp_path / "limits.toml")
    assert (done.returncode, "there is no key 'mode'" in done.stderr) == (1, True)
    data = json.loads(call("compare", july, july, "--json").stdout)
    assert {column["drift"]["P2"]["verdict"] for column in data["columns"]} <= {"none", "unknown"}


def test_compare_takes_files_of_data(call, tmp_path):
    for name, factor in (("train", 1), ("today", 3)):
        rows = "".join(f"{factor * price},DE\n" for price in range(500))
        (tmp_path / f"{name}.csv").write_text(f"price,country\n{rows}")
    done = call("compare", tmp_path / "train.csv", tmp_path / "today.csv", "--fail-on", "strong")
    assert (done.returncode, done.stderr) == (3, "")
    assert "1 of 2 columns drifted: price" in done.stdout


def test_profile_replaces_nothing_unless_it_is_told_to(call, tmp_path):
    data, made = tmp_path / "train.csv", tmp_path / "train.bin"
    data.write_text("price\n1\n")
    made.write_bytes(b"something else")
    done = call("profile", data, "-o", made)
    assert (done.returncode, made.read_bytes()) == (1, b"something else")
    assert "train.bin is there already, and nothing was written. --force replaces it." in done.stderr
    assert call("profile", data, "-o", made, "--force").stdout == f"{made}\n"
    assert made.read_bytes().startswith(b"WHY1")
    done = call("profile", data, "-o", data, "--force")
    assert (done.returncode, data.read_text()) == (1, "price\n1\n")


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["price,city"], ("city", "price")),
        (["price", "city"], ("city", "price")),
        (['"a,b",city', "price"], ("a,b", "city", "price")),
        (['"a,b"'], ("a,b",)),
        (['"say ""hi"""', 'say "ho"'], ('say "hi"', 'say "ho"')),
    ],
)
def test_columns_are_named_as_in_a_row_of_csv(call, tmp_path, columns, names):
    data, made = tmp_path / "orders.jsonl", tmp_path / "orders.bin"
    rows = [
        {"a,b": n % 20, "price": n % 20, "city": "Bonn", 'say "hi"': 1, 'say "ho"': 1, "rest": 1} for n in range(300)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [argument for column in columns for argument in ("--columns", column)]
    assert call("profile", data, "-o", made, *asked).stderr == ""
    assert read_profile(made).column_names == names
    compared = json.loads(call("compare", data, data, "--json", *asked).stdout)
    assert sorted(column["name"] for column in compared["columns"]) == sorted(names)


def test_profile_takes_what_a_shell_makes_of_a_pattern_as_one_data_set(call, tmp_path):
    files, made = [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "both.bin"
    for file in files:
        file.write_text("price\n1\n")
    done = call("profile", *files)
    assert (done.returncode, "name its profile with -o" in done.stderr) == (1, True)
    assert call("profile", *files, "-o", made).stdout == f"{made}\n"
    assert read_profile(made).rows == 2
    done = call("profile", *files, "-o", files[1], "--force")
    assert (done.returncode, "is the data itself" in done.stderr) == (1, True)
    done = call("profile", *files, tmp_path / "c.csv", "-o", made, "--force")
    assert (done.returncode, "c.csv: There is no such file" in done.stderr) == (1, True)


def test_profile_takes_each_form_of_a_time_and_refuses_what_is_none(call, tmp_path):
    data, made = tmp_path / "train.csv", tmp_path / "train.bin"
    data.write_text("price\n1\n")
    for moment in ("2013-07-08", "20130708", "2013-07-08T02:00+02:00", "1373241600000"):
        assert call("profile", data, "-o", made, "--force", "--timestamp", moment).returncode == 0
        assert read_profile(made.read_bytes()).dataset_timestamp == 1_373_241_600_000
    for moment, said in (("yesterday", "neither an ISO date"), ("1373241600", "looks like seconds")):
        done = call("profile", data, "--timestamp", moment)
        assert (done.returncode, said in done.stderr) == (2, True)


def test_the_days_and_hours_of_early_years_have_four_digits_in_names_of_files(call, tmp_path):
    data, made = tmp_path / "old.csv", tmp_path / "old.bin"
    data.write_text("when,n\n0980-02-03T04:05,1\n")
    for by, name in (("day", "old-0980-02-03.bin"), ("hour", "old-0980-02-03T04.bin")):
        done = call("profile", data, "-o", made, "--timestamp-column", "when", "--by", by)
        assert done.stdout == f"{tmp_path / name}\n"


def test_compare_names_what_it_cannot_read(call, tmp_path):
    july = PROFILES / "reference-july.bin"
    done = call("compare", july, tmp_path / "missing.parquet")
    assert done.returncode == 1
    assert "missing.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    assert call("compare", july).returncode == 2
    assert "nonsense" in call("compare", july, july, "--columns", "nonsense").stderr


def rows_of(path, rows, price="{}", country="DE"):
    path.write_text("price,country\n" + "".join(f"{price.format(row % 20)},{country}\n" for row in range(rows)))
    return path


@pytest.mark.parametrize("level", ["moderate", "strong"])
@pytest.mark.parametrize(("before", "after", "named"), [(500, 0, "after has no rows"), (0, 500, "before has no rows")])
def test_an_empty_side_does_not_pass(call, tmp_path, before, after, named, level):
    first, second = rows_of(tmp_path / "before.csv", before), rows_of(tmp_path / "after.csv", after)
    done = call("compare", first, second, "--fail-on", level)
    assert done.returncode == 4
    assert named in done.stderr
    assert call("compare", first, second).returncode == 0  # nobody asked


def test_what_cannot_be_told_for_want_of_rows_does_not_pass_and_drift_comes_first(call, tmp_path):
    full, few = rows_of(tmp_path / "full.csv", 500), rows_of(tmp_path / "few.csv", 1)
    done = call("compare", full, few, "--fail-on", "moderate")
    assert done.returncode == 4
    assert done.stderr.startswith(
        "songbird-widgets: Of country, price it cannot be told whether they drifted in few. Too few values"
    )
    moved = rows_of(tmp_path / "moved.csv", 500, price="{}00")
    assert call("compare", full, moved, few, "--fail-on", "strong").returncode == 3
    assert call("compare", full, full, "--fail-on", "strong").returncode == 0


def test_why_it_cannot_be_told_is_what_the_comparison_says_of_the_column(call, tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    for path, rare in ((first, 50), (second, 30)):  # shares that chance may have changed, and texts seen once
        rows = (f"{path.stem} {row},{'a' if row % 100 < rare else 'b'},{row}\n" for row in range(100))
        path.write_text("text,share,number\n" + "".join(rows))
    done = call("compare", first, second, "--fail-on", "moderate")
    unclear = re.findall(r"^  (\w+) \(second\): unclear\. (.+)$", done.stdout, re.MULTILINE)
    said = dict(
        re.findall(r"Of (\w+) it cannot be told whether it drifted in second\. (.+)$", done.stderr, re.MULTILINE)
    )
    assert {"text", "share"} <= said.keys() == dict(unclear).keys()
    assert all(said[name].startswith(reason) for name, reason in unclear)
    assert "too little" not in done.stderr


def test_unclear_columns_beyond_the_first_five_are_counted(call, tmp_path):
    data = tmp_path / "wide.csv"
    data.write_text(",".join(f"c{place}" for place in range(8)) + "\n" + ",".join("12345678") + "\n")
    said = call("compare", data, data, "--fail-on", "moderate").stderr
    assert "Nor can it be told of 3 more columns in wide (P2)." in said


def test_a_column_of_which_nothing_is_kept_is_named_and_does_not_hold_up_the_others(call, tmp_path):
    data = tmp_path / "days.csv"
    for name, shown in (("day", "day"), ("", "(empty)")):
        data.write_text(f"{name},n\n" + "".join(f"2026-01-{row % 28 + 1:02},{row % 9}\n" for row in range(900)))
        done = call("compare", data, data, "--fail-on", "strong")
        assert (done.returncode, f"Of {shown} it cannot be told whether it drifted" in done.stderr) == (0, True)
    data.write_text(data.read_text().replace(",n", "day,n", 1))
    assert call("compare", data, data, "--columns", "day", "--fail-on", "strong").returncode == 4


def test_a_column_that_cannot_be_profiled_does_not_pass_unless_others_are_asked_for(call, tmp_path):
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"
    once.write_text("a,n\n" + "".join(f"1,{row % 9}\n" for row in range(500)))
    twice.write_text("a,a,n\n" + "".join(f"1,1,{row % 9}\n" for row in range(500)))
    for columns, status in (([], 4), (["--columns", "a"], 4), (["--columns", "n"], 0)):
        done = call("compare", once, twice, "--fail-on", "strong", *columns)
        assert (done.returncode, "Not in the profile: column 'a'" in done.stderr) == (status, True)


def test_compare_shows_judges_and_writes_the_columns_that_are_asked_for(call, tmp_path):
    july, day, report = PROFILES / "reference-july.bin", PROFILES / "batch-2013-07-08.bin", tmp_path / "report.html"
    done = call("compare", july, day, "--columns", "hour,origin", "--html", report, "--json")
    assert {column["name"] for column in json.loads(done.stdout)["columns"]} == {"hour", "origin"}
    assert "dep_delay" not in report.read_text("utf-8")
    done = call("compare", july, day, "--columns", "hour")
    assert "of 1 column" in done.stdout


def test_what_a_file_system_refuses_is_said_without_an_error_number(call, tmp_path):
    july = PROFILES / "reference-july.bin"
    done = call("compare", july, july, "--html", tmp_path / "missing" / "report.html")
    assert (done.returncode, "Errno" in done.stderr) == (1, False)
    assert f"{os.sep}missing: There is no directory to write into." in done.stderr  # a long path is shortened


def test_a_data_file_that_is_uploaded_twice_is_one_profile(call, shell, tmp_path):
    pl.DataFrame({"price": [price % 20 for price in range(300)]}).write_parquet(tmp_path / "a.parquet")
    with Session() as session:
        for run, said in ((call, ""), (shell, "there already, with the same data")):
            done = run("upload", tmp_path / "a.parquet", SONGBIRD_SESSION=session.session_id)
            assert done.returncode == 0, done.stderr
            assert said in done.stderr
        session.refresh()
        assert len(session.profiles) == 1


@pytest.mark.usefixtures("alone")
def test_a_session_that_is_imported_is_one_of_ones_own(call, tmp_path):
    assert call("upload", PROFILES / "batch-2013-07-08.bin").returncode == 0
    (begun,) = [one.session_id for one in Session.recent()]
    file = tmp_path / "session.zip"
    assert call("session", "export", file, stdin=begun[:12]).returncode == 0
    done = call("session", "import", file)
    assert (done.returncode, done.stderr) == (0, "")
    imported = done.stdout.strip()
    assert re.match(rf"{imported[:12]} +open +local service +1 ", call("sessions").stdout.splitlines()[1])
    assert call("delete", imported[:12]).returncode == 0


def test_an_id_that_fits_several_is_refused():
    known = [LedgerSession(f"session-abcd{end}", None, "", "open", 1, 2, 3, 0) for end in ("efgh", "ijkl")]
    options = argparse.Namespace(session="session-abcd", session_file=None)
    with pytest.raises(AccessError, match="begins 2 sessions"):
        session_of(options, known)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("named", ["", " "])
def test_an_empty_id_means_no_session_and_nothing_is_uploaded(call, named):
    for command in (["upload", PROFILES / "batch-2013-07-08.bin", "--session", named], ["delete", named]):
        done = call(*command)
        assert (done.returncode, "id is empty" in done.stderr) == (1, True)
    assert local_service.find() is None


@pytest.mark.parametrize("begun", ["…", "s", "session", "session-", "session-…", "session-{0}", "session-{0}…"])
def test_less_of_an_id_than_is_listed_means_no_session(call, begun):
    with Session() as session:
        session.add(PROFILES / "batch-2013-07-08.bin")
        session.upload()
        named = begun.format(session.session_id[8:11])
        done = call("delete", named)
        assert (done.returncode, "too short" in done.stderr) == (1, True)
        session.refresh()
        assert len(session.profiles) == 1


@pytest.mark.usefixtures("alone")
def test_sessions_are_listed_and_one_that_was_deleted_is_over(call):
    assert "no sessions yet" in call("sessions").stdout
    begun = [call("upload", PROFILES / "batch-2013-07-08.bin").stderr for _ in range(2)]
    short = [re.search(r"Session (session-\w{4});", said)[1] for said in begun]
    listed = call("sessions").stdout.splitlines()
    assert [line.split()[0] for line in listed[1:]] == short[::-1]
    assert re.match(r"session-\w{4} +open +local service +1 +\d{4}-\d\d-\d\d \d\d:\d\d UTC$", listed[1])
    assert len(call("sessions", "--most", 1).stdout.splitlines()) == 2
    assert call("delete", short[0]).returncode == 0
    assert f"{short[0]}  deleted or expired  local service" in call("sessions").stdout
    done = call("delete", short[0])
    assert (done.returncode, "nothing to delete" in done.stderr, "Session()" in done.stderr) == (1, True, False)

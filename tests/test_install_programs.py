"""What install-programs.sh asks apt-get for, on machines that have some of the programs already.

apt-get is a script here: it keeps what it was asked for, and makes the programs that such a package would bring. So is
sudo.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("install-programs.sh")
SERVERS = ("haproxy", "cc", "initdb")
PROGRAM = '#!/bin/sh\n[ "$1" != ci ] || mkdir node_modules\n'
APT_GET = """#!/bin/sh
echo "$*" >> "{log}"
[ "$1" = install ] || exit {update}
case "$3" in
    nodejs) brings="node {npm_of_nodejs}" ;;
    default-jre-headless) brings=java ;;
    postgresql) brings=initdb ;;
    gcc) brings=cc ;;
    *) brings="$3" ;;
esac
for program in $brings; do cp "{program}" "{bin}/$program"; done
"""


@pytest.fixture
def ask(tmp_path):
    """Run the script where these programs exist; return what apt-get was asked for, and how it ended."""

    def run(*programs, npm_of_nodejs="", update=0, user=0, sudo=False):
        bin_directory, log = tmp_path / "bin", tmp_path / "log"
        bin_directory.mkdir()
        log.touch()
        program = tmp_path / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        for name in programs:
            shutil.copy(program, bin_directory / name)
        for name in ("cmp", "cp", "dirname", "env", "mkdir"):
            (bin_directory / name).symlink_to(shutil.which(name))
        settings = {"log": log, "bin": bin_directory, "program": program}
        scripts = {
            "id": f"#!/bin/sh\necho {user}\n",
            "apt-get": APT_GET.format(npm_of_nodejs=npm_of_nodejs, update=update, **settings),
        }
        if sudo:
            scripts["sudo"] = f'#!/bin/sh\necho "sudo $*" >> "{log}"\nexec "$@"\n'
        for name, text in scripts.items():
            (bin_directory / name).write_text(text)
            (bin_directory / name).chmod(0o755)
        places = [tmp_path / "tests", tmp_path / "songbird_widgets" / "panels" / "js"]
        for place in places:
            place.mkdir(parents=True)
            (place / "package-lock.json").touch()
        script = shutil.copy(SCRIPT, places[0])
        command = [shutil.which("sh"), script]
        done = subprocess.run(
            command, env={"PATH": str(bin_directory)}, capture_output=True, text=True, timeout=300, check=False
        )
        for place in places:
            assert (place / "node_modules" / ".installed").exists() == (done.returncode == 0)
        return log.read_text().splitlines(), done

    return run


@pytest.mark.parametrize(
    ("programs", "npm_of_nodejs", "installed"),
    [
        ((), "", ["chromium", "default-jre-headless", "haproxy", "gcc", "postgresql", "nodejs", "npm"]),
        ((), "npm", ["chromium", "default-jre-headless", "haproxy", "gcc", "postgresql", "nodejs"]),
        (("node", "npm", *SERVERS), "npm", ["chromium", "default-jre-headless"]),
        (("node", "java", *SERVERS), "", ["chromium", "npm"]),
        (("chromium", "java", *SERVERS), "", ["nodejs", "npm"]),
        (("chromium", "java", "haproxy", "cc", "pg_createcluster"), "npm", ["nodejs"]),
        (("google-chrome", "node", "npm", *SERVERS), "npm", ["default-jre-headless"]),
        (("google-chrome", "node", "npm", "java", *SERVERS), "npm", []),
    ],
    ids=[
        "nothing, Debian",
        "nothing, NodeSource",
        "node and npm",
        "Debian's node alone",
        "Chromium, Debian",
        "Chromium, NodeSource",
        "all but Java",
        "all",
    ],
)
def test_only_what_is_missing_is_installed_each_by_itself(ask, programs, npm_of_nodejs, installed):
    asked, done = ask(*programs, npm_of_nodejs=npm_of_nodejs)
    assert done.returncode == 0, done.stderr
    assert asked == ["update"] * bool(installed) + [f"install -y {package}" for package in installed]


def test_a_package_source_that_does_not_answer_is_no_reason_to_give_up(ask):
    asked, done = ask("node", "npm", "java", *SERVERS, update=100)
    assert done.returncode == 0, done.stderr
    assert asked == ["update", "install -y chromium"]


def test_who_is_not_root_installs_with_sudo_what_only_root_may(ask):
    asked, done = ask("node", "npm", "java", *SERVERS, user=1000, sudo=True)
    assert done.returncode == 0, done.stderr
    install = "apt-get install -y chromium"
    # The environment does not pass through sudo: what apt-get needs of it is given behind it.
    assert [line for line in asked if line.startswith("sudo")] == [
        "sudo apt-get update",
        f"sudo env DEBIAN_FRONTEND=noninteractive {install}",
    ]
    assert install.removeprefix("apt-get ") in asked


def test_who_may_not_install_is_told_what_to_run_as_root(ask):
    asked, done = ask("node", "npm", "java", *SERVERS, user=1000)
    assert done.returncode == 1
    assert asked == []
    assert "As root, run: apt-get install -y chromium" in done.stderr


def test_where_all_is_there_nobody_has_to_be_root(ask):
    asked, done = ask("google-chrome", "node", "npm", "java", *SERVERS, user=1000)
    assert done.returncode == 0, done.stderr
    assert asked == []

"""What tests of several rooms need: an environment with whylogs, made once, and a browser, started once."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
# whylogs 1.6.4 fails on newer numpy and pandas. Then second oracles for sketches and distances, the package
# itself, which must work beside whylogs, and the kernel that runs its notebook.
REQUIREMENTS = ("whylogs==1.6.4", "numpy<2", "pandas<3", "datasketches", "scipy", "ipykernel")
FIRST_PYTHON_WITHOUT_WHEELS = (3, 13)

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    """Put what needs the browser last: while Playwright runs, its event loop is this thread's only one."""
    items.sort(key=lambda item: "browser" in item.fixturenames)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium. Without one a test is skipped, on a continuous integration server it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        _give_up("No Chromium is on PATH; install it with `apt-get install chromium`.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def profile_path():
    """Where a sample profile lies: the flights with the examples, the odd ones beside these tests."""

    def find(name: str) -> Path:
        for folder in (ROOT / "tests" / "profiles" / "data", ROOT / "examples" / "profiles"):
            if (folder / name).exists():
                return folder / name
        raise FileNotFoundError(name)

    return find


@pytest.fixture(scope="session")
def profile_bytes(profile_path):
    def read(name: str) -> bytes:
        return profile_path(name).read_bytes()

    return read


@pytest.fixture(scope="session")
def axe(request, tmp_path_factory):
    """The source of axe-core, installed by npm into pytest's cache."""
    cache = getattr(request.config, "cache", None)
    folder = Path(cache.mkdir("axe-core") if cache is not None else tmp_path_factory.mktemp("axe-core"))
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        options = ["--prefix", str(folder), "--no-save", "--no-audit", "--no-fund"]
        try:
            subprocess.run(["npm", "install", *options, "axe-core@4"], check=True, capture_output=True, timeout=240)
        except (OSError, subprocess.SubprocessError) as error:
            _give_up(f"npm could not install axe-core, which checks pages for accessibility: {error}")
    return script.read_text("utf-8")


@pytest.fixture(scope="session")
def whylogs_python(request, tmp_path_factory):
    """The Python of an environment with whylogs, which needs an older numpy than these tests.

    SONGBIRD_TEST_WHYLOGS_PYTHON names a ready one; else it is made once and kept in the cache of pytest.
    Where that is impossible the test is skipped, on a continuous integration server it fails.
    """
    given = os.environ.get("SONGBIRD_TEST_WHYLOGS_PYTHON")
    if given:
        return _usable(Path(given), "SONGBIRD_TEST_WHYLOGS_PYTHON names")
    if sys.version_info >= FIRST_PYTHON_WITHOUT_WHEELS:
        _give_up(
            f"whylogs has no wheels for Python {sys.version_info[0]}.{sys.version_info[1]}: "
            "name the Python of an environment that has it in SONGBIRD_TEST_WHYLOGS_PYTHON."
        )
    cache = getattr(request.config, "cache", None)
    base = cache.mkdir("whylogs") if cache is not None else tmp_path_factory.mktemp("whylogs")
    wanted = "\n".join([sys.version, *REQUIREMENTS, (ROOT / "pyproject.toml").read_text("utf-8")])
    folder = Path(base) / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--no-input", *REQUIREMENTS, "-e", str(ROOT)])
            (folder / "complete").write_text(wanted, "utf-8")
    return _usable(python, "The environment that these tests made has")


@contextmanager
def answering_server(
    command: list[str], ready: str, log: Path, *, cwd: Path, env: dict[str, str], own_group: bool, patience: float
) -> Iterator[None]:
    """Run a server until the block ends, which begins once `ready` answers; it has `patience` seconds to end itself."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=own_group
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(ready, timeout=5).close()
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{command[2]} did not start ({error}):\n{log.read_text('utf-8', 'replace')[-4000:]}")
                time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


@pytest.fixture(scope="session")
def start_server():
    return answering_server


def _usable(python: Path, whose: str) -> Path:
    check = [str(python), "-c", "import whylogs, scipy, datasketches, ipykernel, songbird_widgets"]
    try:
        done = subprocess.run(check, capture_output=True, text=True, timeout=300, check=False)
    except OSError as error:
        _give_up(f"{whose} a Python that cannot be started: {error}")
    if done.returncode:
        _give_up(
            f"{whose} a Python that lacks whylogs, scipy, datasketches, ipykernel or songbird_widgets: {_last(done)}"
        )
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        _give_up(f"The environment with whylogs cannot be made: {_last(done)}")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]


def _give_up(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)

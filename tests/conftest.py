"""What tests of several rooms need, each once: a clean environment, servers, a browser, whylogs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import importlib.metadata
import itertools
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
NODE_MODULES = Path(__file__).parent / "node_modules"
MAX_WORKERS = 6  # each may start a browser and front ends of its own
START_SECONDS = 180.0
EXPECT_MS = 120_000  # front ends on a busy machine take their time
EVENTUALLY_SECONDS = 120.0
PROCESS_SECONDS = 300.0  # what a short command may take on a busy machine: long, for it only ends what hangs
# Below the ports that systems give to connections and to who asks for any: nobody else takes one before it is used.
FIRST_PORT, PORTS_OF_A_WORKER = 10_000, 1_000

# Files whose tests one process runs one after the other: they share a browser and what is loaded in it, or the servers
# of a team.
TOGETHER = (
    (
        "tests/browser/test_main_job_in_browser.py",
        "tests/browser/test_looks_in_browser.py",
        "tests/browser/test_visitors_in_browser.py",
    ),
    (
        "tests/browser/test_panels_in_browser.py",
        "tests/browser/test_uploads_in_browser.py",
        "tests/browser/test_secrets_in_browser.py",
    ),
    (
        "tests/service/test_metadata.py",
        "tests/service/test_team_service.py",
        "tests/service/test_team_replicas.py",
        "tests/service/test_whylogs_organization.py",
        "tests/service/test_sign_ins.py",
        "tests/durability/test_replicas_lose_nothing.py",
    ),
)

# A test has the marks of what it uses; pyproject.toml says what they mean.
MARKS = {
    "browser": ["browser"],
    "panel_tools": ["slow"],
    "object_store": ["slow"],
    "team": ["slow"],
    "postgresql": ["slow"],
    "exported": ["slow"],
    "home": ["slow"],  # of a local service that is started and killed
    "start_server": ["slow"],
    "starting": ["slow"],
    "whylogs_python": ["slow", "network"],
}

# What of a developer's environment would change what tests see.
FOREIGN = re.compile(
    r"(SONGBIRD_(?!TEST_)|WHYLABS_|WHYLOGS_|JUPYTER|JPY_|VOILA_|SERVER_|VSCODE_|COLAB_|IPYTHONDIR$|XDG_"
    r"|(HTTP|HTTPS|ALL|NO)_PROXY$)",
    re.IGNORECASE,
)
# With it, for what has to reach a package registry.
SURROUNDINGS = dict(os.environ)

# These tests and the hundreds of processes that they start compile each module once, not once each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# whylogs 1.6.4 fails on newer numpy and pandas, and has no wheels for newer Pythons. Then second oracles for
# sketches and distances, and the kernel that runs the notebook of whylogs.
WHYLOGS_REQUIREMENTS = ("whylogs==1.6.4", "numpy<2", "pandas<3", "datasketches", "scipy", "ipykernel")
WHYLOGS_MINORS = (12, 11, 10)

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a file together, and those of files that share what takes long to start."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return next((" ".join(files) for files in TOGETHER if path in files), path)

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_xdist_auto_num_workers(config):
    """Return the number of processes that share the tests: one for each processor and one more, for tests mostly wait.

    Single files run in this process: they take less time than it takes to start others. PYTEST_XDIST_AUTO_NUM_WORKERS
    says otherwise, as always with pytest-xdist.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # pytest-xdist reads it
    if all(Path(argument.partition("::")[0]).is_file() for argument in config.args):
        return 0
    return min((os.cpu_count() or 1) + 1, MAX_WORKERS)


def pytest_collection_modifyitems(items):
    """Mark tests by what they use, and begin with the files that take long, lest the last worker be alone with one.

    The files with browsers come first, then those with other slow tests; of these and of the rest the largest.

    What drives browsers, kernels and servers of others is run once more if it fails, and the report says so (R).
    """
    for item in items:
        for fixture in set(MARKS).intersection(item.fixturenames):
            for mark in MARKS[fixture]:
                item.add_marker(mark)
        if any(item.get_closest_marker(mark) for mark in ("browser", "slow")):
            item.add_marker(pytest.mark.flaky(reruns=1))
    with_browser = {item.path for item in items if item.get_closest_marker("browser")}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    cases = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in with_browser, item.path not in slow, -cases[item.path]))


def pytest_collection_finish():
    """Let no later collection of garbage look through the modules and tests that are loaded now: they stay."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory):
    """Nothing of the developer's own settings, and no way to the developer's own local service."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if FOREIGN.match(name)]:
            patch.delenv(name)
        # A thread of a test that has ended may start a service here.
        with data_kept_in(tmp_path_factory.mktemp("nobody") / "data"):
            yield


def home_environment(home: Path) -> dict[str, str]:
    """Return an environment in which all that Jupyter, IPython and Songbird keep lies below a directory."""
    (home / "runtime").mkdir(parents=True)
    return {
        **{name: value for name, value in os.environ.items() if not FOREIGN.match(name)},
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "SONGBIRD_DATA_DIR": str(home / "songbird"),
        "XDG_CACHE_HOME": str(home / "cache"),
        # For the Python with whylogs, in which the package is not installed.
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def nobody():
    """An address where nobody listens, for as long as the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="session")
def eventually():
    """Wait until a condition holds, which another thread or process brings about, and return what it is then."""

    def wait(condition, pause=0.01):
        end = time.monotonic() + EVENTUALLY_SECONDS
        while not (value := condition()):
            assert time.monotonic() < end, "it did not come about"
            time.sleep(pause)
        return value

    return wait


@pytest.fixture(scope="session")
def shown_in_frames():
    """What verbose tracebacks and error reporters show of an error: a line for each thing that they find in its frames.

    They print the local variables of every frame, of the causes too, and look one level into them: what containers
    hold, and what attributes objects have. Frames of tests are left out.
    """
    return _shown_in_frames


def _shown_in_frames(error: BaseException) -> list[str]:
    lines, errors = [], [error]
    for each in errors:  # which grows
        others = (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
        errors += [other for other in others if other is not None and other not in errors]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if Path(frame.f_code.co_filename).is_relative_to(ROOT / "tests"):
                continue
            for name, value in frame.f_locals.items():
                place = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}: {name}"
                lines += [f"{place}{path} = {text}" for path, text in _looked_into(value)]
    return lines


def _looked_into(value: object) -> Iterator[tuple[str, str]]:
    yield "", _printed(value)
    if isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return
    fields = {name: getattr(value, name, None) for name in getattr(value, "__struct_fields__", ())}
    for name, held in {**getattr(value, "__dict__", {}), **fields}.items():
        yield f".{name}", _printed(held)
        for key, item in _items_of(held):
            yield f".{name}[{key}]", _printed(item)
    for key, item in _items_of(value):
        yield f"[{key}]", _printed(item)


def _items_of(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        return [("key", key) for key in value] + list(value.items())
    return list(enumerate(value)) if isinstance(value, (list, tuple, set, frozenset)) else []


def _printed(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return type(error).__name__


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
def environment(tmp_path_factory):
    """The environment of a new home; its local service ends with the tests."""
    made = home_environment(tmp_path_factory.mktemp("user") / "home")
    yield made
    stop_service(made)


@contextmanager
def data_kept_in(directory: Path) -> Iterator[Path]:
    """Let this be the data directory of this process until the block ends, and with it the local service there."""
    from songbird_widgets.local import local_service

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONGBIRD_DATA_DIR", str(directory))
        try:
            yield directory
        finally:
            local_service.stop()


@pytest.fixture(scope="session")
def keep_data_in():
    return data_kept_in


def place_of_sockets() -> Path:
    """Return where the paths of Unix sockets are short enough, even where temporary files have a long one."""
    usual, short = Path(tempfile.gettempdir()), Path("/tmp")
    return short if len(str(usual)) > 40 and os.access(short, os.W_OK) else usual


@pytest.fixture(scope="session")
def sockets():
    return place_of_sockets()


@pytest.fixture
def home(sockets):
    """A data directory of the test's own, with a path that is short enough for a Unix socket wherever tests run."""
    with (
        tempfile.TemporaryDirectory(prefix="songbird-", dir=sockets, ignore_cleanup_errors=True) as folder,
        data_kept_in(Path(folder) / "data") as directory,
    ):
        yield directory


def stop_service(environment: dict[str, str]) -> None:
    """End the local service of a home: it outlives kernels on purpose, and must not outlive the tests."""
    command = [sys.executable, "-m", "songbird_widgets", "stop"]
    subprocess.run(command, env=environment, check=False, capture_output=True, timeout=PROCESS_SECONDS)


@pytest.fixture(scope="session")
def surroundings():
    """The environment as it was, for what has to reach a package registry."""
    return SURROUNDINGS


@pytest.fixture(scope="session")
def serve():
    """Serve a Tornado application from a thread: ``with serve(make, close) as (base, application)``.

    `make` is called on the thread's loop; `server` is the class to serve with, by default Tornado's HTTPServer; other
    arguments are those of that class.
    """
    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets

    @contextmanager
    def running(make, close, server=HTTPServer, **options):
        ready, started = {}, threading.Event()

        async def main() -> None:
            application = make()
            (sock,) = bind_sockets(0, "127.0.0.1")
            serving = server(application, **options)
            serving.add_sockets([sock])
            stop = asyncio.Event()
            base = f"http://127.0.0.1:{sock.getsockname()[1]}"
            ready.update(base=base, application=application, stop=stop, loop=asyncio.get_running_loop())
            started.set()
            await stop.wait()
            serving.stop()
            await serving.close_all_connections()
            close(application)

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        assert started.wait(300)
        try:
            yield ready["base"], ready["application"]
        finally:
            ready["loop"].call_soon_threadsafe(ready["stop"].set)
            thread.join(300)
            assert not thread.is_alive()

    return running


class PostgreSQL:
    """A PostgreSQL server in a directory of its own; root starts it as another user, because it refuses root."""

    def __init__(self, directory: Path, programs: Path, user: str) -> None:
        self._programs = programs
        self._as_user = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
        self._data = directory / "data"
        self._log = directory / "log"
        self._password = "canarypassword" + secrets.token_hex(16)
        (self.port,) = free_ports(1)
        (directory / "password").write_text(self._password)
        if self._as_user:
            for path in (directory, directory / "password"):
                shutil.chown(path, user)
        options = ["--auth=scram-sha-256", "--username=songbird", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", self._data, f"--pwfile={directory / 'password'}", *options)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as_user, str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr + (self._log.read_text() if self._log.exists() else "")

    def start(self) -> None:
        # Without syncing what is written, for only a power cut would lose that: a busy disk takes half a minute for it.
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        command = [*self._as_user, str(self._programs / "pg_ctl"), "-D", str(self._data), "-l", str(self._log)]
        command += ["-w", "-o", settings, "start"]
        nothing = subprocess.DEVNULL  # the server would hold a pipe open
        subprocess.run(
            command, cwd="/", stdin=nothing, stdout=nothing, stderr=nothing, timeout=PROCESS_SECONDS, check=True
        )

    def stop(self, mode: str = "fast") -> None:
        """End it: "fast" closes its connections, "immediate" is as if it were killed."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://songbird:{self._password}@127.0.0.1:{self.port}/{name}"

    def database(self) -> str:
        """Make a database and return its URL."""
        import psycopg

        name = f"songbird_{secrets.token_hex(8)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def run_postgresql():
    """Debian's PostgreSQL, running; ``sh tests/install-programs.sh`` installs it."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(homes[-1]) if homes else shutil.which("initdb")
    if found is None:
        _give_up("No PostgreSQL is installed; `sh tests/install-programs.sh` installs it.")
    # Not below pytest's own directories: those belong to this user alone.
    directory = Path(tempfile.mkdtemp(prefix="songbird-postgresql-"))
    try:
        server = PostgreSQL(directory, Path(found).parent, "postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


postgresql = pytest.fixture(run_postgresql, scope="session", name="postgresql")


@dataclass
class ObjectStoreServer:
    """An S3-compatible server: its URL, and the environment that lets one in."""

    endpoint: str
    environment: dict[str, str]
    bucket: str = "songbird"

    def place(self) -> str:
        """Return a new place for profiles in it."""
        return f"s3://{self.bucket}/{secrets.token_hex(6)}"


def run_object_store(folder: Path):
    """A server of moto's, in a process of its own; credentials are in the environment until the end."""
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIACANARY",
        "AWS_SECRET_ACCESS_KEY": "canarystore" + secrets.token_hex(16),
        "AWS_REGION": "us-east-1",
    }
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    running = answering_server(
        command, f"{endpoint}/moto-api/", folder / "log", cwd=folder, env=dict(os.environ), own_group=True, patience=5
    )
    with running, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        made = ObjectStoreServer(endpoint, environment)
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{made.bucket}", method="PUT"), timeout=120).close()
        yield made


@pytest.fixture(scope="session")
def object_store(tmp_path_factory):
    yield from run_object_store(tmp_path_factory.mktemp("moto"))


HAPROXY = """
global
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 2s
    timeout check 10s
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch
    retry-on conn-failure
    default-server inter 200ms fall 1 rise 1
frontend service
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    option httpchk GET /ready
{replicas}
frontend store
    bind 127.0.0.1:{store_port}
    default_backend store
backend store
    server moto {store}
"""


class Team:
    """Replicas of the service behind HAProxy, over PostgreSQL and an object store that is behind it, too."""

    def __init__(
        self, directory: Path, postgresql: PostgreSQL, object_store: ObjectStoreServer, count: int, **settings: str
    ) -> None:
        self.directory, self.postgresql = directory, postgresql
        self.url, self.store_url, *self.replica_urls = (f"http://127.0.0.1:{port}" for port in free_ports(count + 2))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not FOREIGN.match(name)},
            **object_store.environment,
            "SONGBIRD_DATABASE_URL": postgresql.database(),
            "SONGBIRD_STORAGE": object_store.place(),
            "SONGBIRD_STORAGE_ENDPOINT": self.store_url,
            "SONGBIRD_PUBLIC_URL": self.url,
            **settings,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        hosts = [url.removeprefix("http://") for url in self.replica_urls]
        settings = HAPROXY.format(
            socket=self.socket,
            port=self.url.rpartition(":")[2],
            store_port=self.store_url.rpartition(":")[2],
            store=object_store.endpoint.removeprefix("http://"),
            replicas="\n".join(f"    server replica{n} {host} check" for n, host in enumerate(hosts)),
        )
        (directory / "haproxy.cfg").write_text(settings)
        log = (directory / "haproxy.log").open("wb")
        self.balancer = subprocess.Popen(
            ["haproxy", "-f", str(directory / "haproxy.cfg")], stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        for url in self.replica_urls:
            self.start(url)

    @property
    def socket(self) -> Path:
        return place_of_sockets() / f"haproxy-{os.getpid()}-{self.url.rpartition(':')[2]}"

    def start(self, url: str) -> None:
        """Start the replica of a URL."""
        with (self.directory / f"log-{url.rpartition(':')[2]}").open("ab") as log:
            self.processes[url] = subprocess.Popen(
                [sys.executable, "-m", "songbird_widgets", "serve", "--bind", url.removeprefix("http://")],
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self, url: str) -> None:
        """End a replica as a power cut would."""
        self.processes[url].kill()
        self.processes[url].wait()

    def wait(self) -> None:
        """Return once all replicas are ready, and the balancer knows it."""
        deadline = time.monotonic() + 3 * START_SECONDS  # of all, one after another
        for url in [*self.replica_urls, self.url]:
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{url}/ready", timeout=60).close()
                    break
                assert time.monotonic() < deadline, self.logs()
                time.sleep(0.1)

    def store_answers(self, answers: bool) -> None:
        """Have the store answer, or the balancer say 503 in its place."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(str(self.socket))
            control.sendall(b"enable server store/moto\n" if answers else b"disable server store/moto\n")
            while control.recv(4096):
                pass

    def logs(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace")[-4000:] for path in sorted(self.directory.glob("*log*")))

    def close(self) -> None:
        for process in [*self.processes.values(), self.balancer]:
            process.terminate()
        for process in [*self.processes.values(), self.balancer]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.socket.unlink(missing_ok=True)


def _numbers_of_ports() -> Iterator[int]:
    """Give the ports of this worker of pytest-xdist, beginning anywhere, for there may be other runs of these tests."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % MAX_WORKERS
    first, offset = FIRST_PORT + worker * PORTS_OF_A_WORKER, random.randrange(PORTS_OF_A_WORKER)
    return (first + (offset + number) % PORTS_OF_A_WORKER for number in itertools.count())


_ports = _numbers_of_ports()


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, and which nobody else is given until they are used."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port := next(_ports)))
            found.append(port)
    return found


@pytest.fixture(scope="session")
def ports():
    return free_ports


@pytest.fixture(scope="module")
def team(tmp_path_factory, postgresql, object_store):
    """Three replicas behind a balancer."""
    if shutil.which("haproxy") is None:
        _give_up("HAProxy is not installed; `sh tests/install-programs.sh` installs it.")
    made = Team(tmp_path_factory.mktemp("team"), postgresql, object_store, 3)
    try:
        made.wait()
        yield made
    finally:
        made.close()


@contextmanager
def running_browser():
    """Run headless Chromium. Without one a test is skipped, on a continuous integration server it fails."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=EXPECT_MS)
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        _give_up("No Chromium is on PATH; `sh tests/install-programs.sh` installs it.")
    with sync_playwright() as playwright:
        surroundings = {**os.environ, "TMPDIR": str(place_of_sockets())}  # its profile holds one
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS, env=surroundings)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def run_browser():
    return running_browser


@pytest.fixture(scope="module")
def browser(run_browser):
    """Chromium until the end of the file: before, this thread has a running event loop, and tests may run their own."""
    with run_browser() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, which checks pages for accessibility."""
    return _node_module("axe-core/axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def proxy_command():
    """The command that starts JupyterHub's proxy."""
    return ["node", str(_node_module("configurable-http-proxy/bin/configurable-http-proxy"))]


def _node_module(path: str) -> Path:
    if not (NODE_MODULES / path).exists():
        _give_up(f"{path.partition('/')[0]} is not installed; `sh tests/install-programs.sh` does it.")
    return NODE_MODULES / path


@pytest.fixture(scope="session")
def whylogs_python(request, tmp_path_factory):
    """The Python of an environment with whylogs, which needs an older numpy than these tests.

    SONGBIRD_TEST_WHYLOGS_PYTHON names a ready one, which finds the package by PYTHONPATH; else it is made once, with
    the first Python found that can have whylogs, and kept in the cache of pytest.
    Where that is impossible the test is skipped, on a continuous integration server it fails.
    """
    given = os.environ.get("SONGBIRD_TEST_WHYLOGS_PYTHON")
    if given:
        return _usable(Path(given), "SONGBIRD_TEST_WHYLOGS_PYTHON names")
    interpreter = next(filter(_can_have_whylogs, _interpreters()), None)
    if interpreter is None:
        _give_up(
            "whylogs has wheels for Python 3.12 and older, and none of these is found on PATH, by pyenv or by uv: "
            "name the Python of an environment that has it in SONGBIRD_TEST_WHYLOGS_PYTHON."
        )
    cache = getattr(request.config, "cache", None)
    base = cache.mkdir("whylogs") if cache is not None else tmp_path_factory.mktemp("whylogs")
    needed = [one for one in importlib.metadata.requires("songbird-widgets") or [] if "extra ==" not in one]
    wanted = "\n".join([interpreter, *WHYLOGS_REQUIREMENTS, *sorted(needed)])
    folder = Path(base) / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _run([interpreter, "-m", "venv", "--clear", str(folder)])
            # Python compiles what it imports, once.
            install = ["-m", "pip", "install", "--quiet", "--no-input", "--no-compile", "--disable-pip-version-check"]
            _run([str(python), *install, *WHYLOGS_REQUIREMENTS, *needed])
            (folder / "complete").write_text(wanted, "utf-8")
    return _usable(python, "The environment that these tests made has")


def _interpreters() -> Iterator[str]:
    """Every Python on this machine that may be able to have whylogs, this one first."""
    if sys.version_info[1] in WHYLOGS_MINORS:
        yield sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR")
    uv_pythons = Path(uv) if uv else Path.home() / ".local" / "share" / "uv" / "python"
    for minor in WHYLOGS_MINORS:
        if found := shutil.which(f"python3.{minor}"):
            yield found
        for path in (*pyenv.glob(f"3.{minor}.*/bin/python3"), *uv_pythons.glob(f"cpython-3.{minor}.*/bin/python3")):
            yield str(path)


def _can_have_whylogs(interpreter: str) -> bool:
    # pyenv's python3.12 is there and does not run unless that version is chosen; Debian's may lack ensurepip.
    command = [interpreter, "-c", "import ensurepip, venv"]
    try:
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0
    except OSError:
        return False


@contextmanager
def answering_server(
    command: list[str], ready: str, log: Path, *, cwd: Path, env: dict[str, str], own_group: bool, patience: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends, which begins once `ready` answers; yields its process.

    It has `patience` seconds to end itself.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=own_group
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(ready, timeout=60).close()
                break
            except OSError as error:
                if getattr(error, "code", 500) < 500:
                    break  # it answers, if only that this needs a login
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{command[2]} did not start ({error}):\n{log.read_text('utf-8', 'replace')[-4000:]}")
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


@pytest.fixture(scope="session")
def start_server():
    return answering_server


def _usable(python: Path, whose: str) -> Path:
    check = [str(python), "-c", "import whylogs, scipy, datasketches, ipykernel, songbird_widgets.session"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            check, env=environment, capture_output=True, text=True, timeout=PROCESS_SECONDS, check=False
        )
    except OSError as error:
        _give_up(f"{whose} a Python that cannot be started: {error}")
    if done.returncode:
        _give_up(
            f"{whose} a Python that lacks whylogs, scipy, datasketches, ipykernel or what the package needs: "
            f"{_last(done)}"
        )
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, env=SURROUNDINGS, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        _give_up(f"The environment with whylogs cannot be made: {_last(done)}")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]


def _give_up(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)

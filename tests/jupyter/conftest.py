"""Real Jupyter servers, kernels and Voilà, with a home of their own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
PROFILES = ROOT / "examples" / "profiles"
TOKEN = "canary-jupyter-token"
_OTHERS = ("jupyterlab", "notebook", "voila", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim")
_EXTENSIONS = {"songbird_widgets": True, **dict.fromkeys(_OTHERS, False)}


@pytest.fixture(scope="session")
def uploaded(environment):
    """A session with two profiles: its id, its link, and what the local service is."""
    code = f"""
import json
from songbird_widgets.session import Session
from songbird_widgets.local import local_service
session = Session()
session.add({str(PROFILES / "reference-july.bin")!r}, alias="july")
session.add({str(PROFILES / "batch-2013-07-08.bin")!r})
session.upload()
session.select("july", "2013-07-08")
service = local_service.ensure()
print(json.dumps({{"id": session.session_id, "link": session.link, "origin": service.origin,
    "organization": service.organization_id, "key": local_service.organization_key()}}))
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@dataclass
class Answer:
    status: int
    headers: dict
    text: str


@dataclass
class Server:
    """A running server; `base` ends with a slash."""

    base: str
    pid: int
    log: Path

    def ask(self, path, *, token=TOKEN, method="GET", headers=None, body=None):
        request = urllib.request.Request(self.base + path, data=body, method=method, headers=dict(headers or {}))
        if token:
            request.add_header("Authorization", f"token {token}")
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=300) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode("utf-8", "replace"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@pytest.fixture(scope="session")
def running(environment, start_server, ports):
    """Run a server until the block ends."""

    @contextmanager
    def run(command, directory, base_path="/", *, path_that_answers):
        (port,) = ports(1)
        command = [part.replace("{port}", str(port)) for part in command]
        base, log = f"http://127.0.0.1:{port}{base_path}", directory / f"server-{port}.log"
        where = {"cwd": directory, "env": environment, "own_group": False, "patience": 60}
        with start_server(command, base + path_that_answers, log, **where) as process:
            yield Server(base, process.pid, log)

    return run


def jupyter_command(base_path, program=None):
    start = [sys.executable, "-c", program] if program else [sys.executable, "-m", "jupyter_server"]
    return [
        *start,
        "--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.base_url={base_path}",
        f"--IdentityProvider.token={TOKEN}",
        "--ServerApp.open_browser=False",
        "--ServerApp.allow_root=True",
        # the other extensions installed here only cost time
        f"--ServerApp.jpserver_extensions={_EXTENSIONS}",
    ]


@pytest.fixture(scope="session")
def serve_jupyter(running, tmp_path_factory):
    """Start a Jupyter server: ``with serve_jupyter(base_path, program) as server``."""

    def start(base_path="/", program=None):
        directory = tmp_path_factory.mktemp("server")
        command = jupyter_command(base_path, program)
        return running(command, directory, base_path, path_that_answers=f"api/status?token={TOKEN}")

    return start


@pytest.fixture(scope="session")
def serve_voila(running, tmp_path_factory):
    """Start our Voilà: ``with serve_voila(notebook, base_path) as server``."""

    def start(notebook, base_path="/", *options):
        command = [sys.executable, "-m", "songbird_widgets.jupyter.voila", str(notebook), "--no-browser", *options]
        command += ["--port={port}", "--Voila.ip=127.0.0.1", f"--Voila.base_url={base_path}"]
        directory = tmp_path_factory.mktemp("voila")
        return running(command, directory, base_path, path_that_answers="songbird/")

    return start


@pytest.fixture(scope="session")
def jupyter(serve_jupyter):
    """A Jupyter server with the extension, under a base URL that is made to confuse."""
    with serve_jupyter("/user/songbird/") as server:
        yield server


@pytest.fixture
def stopped(environment):
    """The local service has just ended."""
    code = "from songbird_widgets.local import local_service; local_service.stop()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=300)


SHOWN = {"stream", "display_data", "update_display_data", "execute_result", "error"}


class Kernel:
    """A kernel whose cells can be run one by one."""

    def __init__(self, client):
        self.client = client

    def run(self, code, *, fails=False, kinds=SHOWN):
        """Run a cell and return its messages of these kinds in order; by default its outputs."""
        outputs = []

        def note(message):
            if message["msg_type"] in kinds:
                outputs.append((message["msg_type"], message["content"]))

        reply = self.client.execute_interactive(code, timeout=180, output_hook=note)["content"]
        assert (reply["status"] == "error") == fails, reply
        return outputs

    def says(self, code):
        return "".join(content["text"] for kind, content in self.run(code) if kind == "stream")

    def send(self, comm_id, content, subshell=None):
        """Send the custom message of a widget's view."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)

    def subshell(self):
        """Return the id of a new subshell, which handles messages beside a busy cell; None if it has none."""
        reply = self.client.kernel_info(reply=True, timeout=180)["content"]
        if "kernel subshells" not in reply.get("supported_features", []):
            return None
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return self.client.get_control_msg(timeout=180)["content"]["subshell_id"]


@pytest.fixture(scope="session")
def starting(environment, sockets):
    """Start a kernel: ``with starting(NAME="value of a variable") as (kernel, manager)``."""

    @contextmanager
    def start(**variables):
        # By sockets, whose paths must be short: a port could be another's by the time the kernel takes it.
        by = {"transport": "ipc", "connection_file": f"{folder}/{next(numbers)}.json"}
        manager = KernelManager(kernel_name="python3", **by)
        manager.start_kernel(env={**environment, **variables})
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(180)
            yield Kernel(client), manager
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    numbers = itertools.count()
    with tempfile.TemporaryDirectory(dir=sockets) as folder:
        yield start

"""The local service under load, beside named peers in one run: uploads, slots and sessions a second, and their time.

    python tests/benchmarks/service_load.py

By 1, 8 and 64 clients, each over a connection of its own: durable uploads of 40 kB beside raw write, fsync and rename
without any server, a bare tornado that does the same, and moto's S3, which keeps everything in memory; then slots and
sessions. At last uploads by 8 clients with 1,000 idle connections and with a guest beside them who asks for pages of
a profile of 20,000 columns. Best of the rounds; memory is the service's.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

sys.path.insert(0, str(Path(__file__).parent))
from service_puts import ROOT, SIZE, Bare, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Request = tuple[str, str, bytes]


class Raw:
    """No server: threads that write, sync and rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def keep(self, content: bytes) -> None:
        """Keep some bytes."""
        handle, path = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(path).replace(f"{path}.kept")
        handle = os.open(self.folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


class Moto:
    """Moto's S3, in a thread of this process."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would print a line for each request
        self._numbers = itertools.count()
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        ask(self.port, ("PUT", "/bucket", b""))

    def objects(self, count: int) -> list[str]:
        """Return paths of new objects: without a signature it lets nobody replace one."""
        return [f"/bucket/{next(self._numbers)}" for _ in range(count)]

    def end(self) -> None:
        """End it."""
        self._server.stop()


def ask(port: int, request: Request, connection: socket.socket | None = None) -> bytes:
    """Send one request and return the body of the answer; it must be a success."""
    with contextlib.ExitStack() as stack:
        if connection is None:
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        method, path, body = request
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = connection.recv(65536)
            if not part:
                raise RuntimeError("The connection ended.")
            answer += part
        head_bytes, _, content = answer.partition(b"\r\n\r\n")
        if head_bytes.split(b" ", 2)[1] not in {b"200", b"201"}:
            raise RuntimeError(answer[:300].decode("utf-8", "replace"))
        lengths = [line for line in head_bytes.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        while len(content) < length:
            part = connection.recv(65536)
            if not part:
                raise RuntimeError("The connection ended.")
            content += part
        return content


def timed(works: list[Callable[[Callable[[], contextlib.AbstractContextManager[None]]], None]]) -> tuple[float, float]:
    """Run one thread for each work; return steps a second and the 99th percentile of a step in ms."""
    taken: list[float] = []

    @contextlib.contextmanager
    def step() -> Iterator[None]:
        began = time.perf_counter()
        yield
        taken.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(step,)) for work in works]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return len(taken) / seconds, sorted(taken)[int(len(taken) * 0.99)] * 1000


def over_http(port: int, requests: list[Request], clients: int, *, keep: bool = True) -> tuple[float, float]:
    """Send requests by so many clients, each on one connection, unless the server keeps none."""

    def work(part: list[Request]) -> Callable[..., None]:
        def run(step: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                for request in part:
                    with step():
                        ask(port, request, connection if keep else None)

        return run

    return timed([work(requests[index::clients]) for index in range(clients)])


def raw_writes(raw: Raw, clients: int, each: int) -> tuple[float, float]:
    """Write by so many threads."""

    def run(step: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        for _ in range(each):
            content = os.urandom(SIZE)
            with step():
                raw.keep(content)

    return timed([run] * clients)


def puts(paths: list[str]) -> list[Request]:
    return [("PUT", path, os.urandom(SIZE)) for path in paths]


def wide_profile(columns: int) -> bytes:
    """Make a profile of many columns, small to send and much to look at."""
    from songbird_widgets.profiles import profile

    return profile({f"column{index}": [1.5] for index in range(columns)}).to_bytes()


@contextlib.contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """Hold connections that ask nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield


@contextlib.contextmanager
def hostile_pages(service: Service, columns: int) -> Iterator[None]:
    """Ask for exports of a wide profile all the time."""
    body = json.dumps({"userId": "hostile"}).encode()
    session = json.loads(ask(service.port, ("POST", f"/k/{service.secret}/v0/sessions", body)))["id"]
    slot = json.dumps({"datasetTimestamp": 1_373_241_600_000, "segmentTags": []}).encode()
    address = json.loads(ask(service.port, ("POST", f"/v0/sessions/{session}/upload", slot)))["uploadUrl"]
    ask(service.port, ("PUT", "/" + address.split("/", 3)[3], wide_profile(columns)))
    query = f"profile=1373241600000&limit=100000&sessionToken={session}"
    request = f"GET /resources/model-1/profiles.json?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.settimeout(1)
                connection.sendall(request)
                with contextlib.suppress(TimeoutError):
                    while not ended.is_set() and connection.recv(1 << 20):
                        pass

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    given = parser.parse_args()
    rounds, counts = (1, (2,)) if given.tiny else (given.rounds, (1, 8, 64))
    total, idle, columns = (10, 20, 50) if given.tiny else (400, 1_000, 20_000)
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folders = [Path(directory) / part for part in ("raw", "bare", "here")]
        for folder in folders:
            folder.mkdir(mode=0o700)
        raw, bare, service = Raw(folders[0]), Bare(folders[1]), Service(folders[2], ROOT)
        stack.callback(bare.end)
        stack.callback(service.end)
        moto = None
        with contextlib.suppress(ImportError):
            moto = Moto()
            stack.callback(moto.end)

        def show(name: str, measure: Callable[[], tuple[float, float]]) -> None:
            found = [measure() for _ in range(rounds)]
            rate, p99 = max(one for one, _ in found), min(one for _, one in found)
            print(f"    {name:<44} {rate:6.0f}/s, p99 {p99:6.1f} ms", flush=True)

        user = json.dumps({"userId": "benchmark"}).encode()
        slot = json.dumps({"datasetTimestamp": 1_373_241_600_000, "segmentTags": []}).encode()
        for clients in counts:
            each = max(total // clients, 5)
            print(f"{clients} clients:")
            show("raw write, fsync, rename", lambda clients=clients, each=each: raw_writes(raw, clients, each))
            many = clients * each
            for name, server in (("bare tornado, fsync, rename", bare), ("the service", service)):
                show(
                    f"upload of 40 kB to {name}",
                    lambda server=server, clients=clients, many=many: over_http(
                        server.port, puts(server.slots(many)), clients
                    ),
                )
            if moto is not None:
                show(
                    "upload of 40 kB to moto's S3, in memory",
                    lambda clients=clients, many=many: over_http(
                        moto.port, puts(moto.objects(many)), clients, keep=False
                    ),
                )
            slots, sessions = f"/v0/sessions/{service.session}/upload", f"/k/{service.secret}/v0/sessions"
            for name, path, body in (("slots", slots, slot), ("sessions", sessions, user)):
                show(
                    name,
                    lambda path=path, body=body, clients=clients, many=many: over_http(
                        service.port, [("POST", path, body)] * many, clients
                    ),
                )
        clients = counts[min(1, len(counts) - 1)]
        many = max(total // clients, 5) * clients
        print(f"{clients} clients, beside:")
        with idle_connections(service.port, idle):
            show(f"{idle} idle connections", lambda: over_http(service.port, puts(service.slots(many)), clients))
        with hostile_pages(service, columns):
            show(f"exports of {columns} columns", lambda: over_http(service.port, puts(service.slots(many)), clients))
        memory = psutil.Process(service.process.pid).memory_info().rss / 1e6
        print(f"memory of the service at the end: {memory:.0f} MB")


if __name__ == "__main__":
    main()

"""How many durable uploads a second the service takes, beside another version of itself and a bare tornado.

    git worktree add build/before <commit>
    python tests/benchmarks/service_puts.py --before build/before

Profiles of 40 kB are put by 1, 8 and 64 clients to slots that were asked for before. The bare server writes, syncs and
renames a file for each and does nothing else. All run in turns; the best round of each counts.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

ROOT = Path(__file__).parents[2]
SIZE = 40_000

BARE = """
import asyncio, os, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from tornado import web, httpserver, netutil
folder, pool = sys.argv[1], ThreadPoolExecutor(8)
def keep(name, data):
    handle, path = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(data); file.flush(); os.fsync(file.fileno())
    os.replace(path, os.path.join(folder, name))
    handle = os.open(folder, os.O_RDONLY); os.fsync(handle); os.close(handle)
class Put(web.RequestHandler):
    async def put(self, name):
        await asyncio.get_running_loop().run_in_executor(pool, keep, name, self.request.body)
async def main():
    server = httpserver.HTTPServer(web.Application([("/uploads/(.*)", Put)], log_function=lambda handler: None))
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Bare:
    """A tornado server that only writes."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BARE, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.port = int(self.process.stdout.readline())
        self._made = 0

    def slots(self, count: int) -> list[str]:
        self._made += count
        return [f"/uploads/{self._made - index}" for index in range(count)]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Service:
    """The service of a source tree."""

    def __init__(self, folder: Path, tree: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "songbird_widgets.service", "--data-dir", str(folder), "--idle-seconds", "900"],
            env={**os.environ, "PYTHONPATH": str(tree)},
            cwd=tree,
        )
        record = folder / "service.json"
        while not record.exists():
            time.sleep(0.02)
        self.port = json.loads(record.read_text())["port"]
        self.secret = secret = json.loads((folder / "identity.json").read_text())["secret"]
        self.base = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(timeout=60, trust_env=False)
        answer = self.http.post(f"{self.base}/k/{secret}/v0/sessions", json={"userId": "benchmark"})
        self.session = answer.raise_for_status().json()["id"]

    def slots(self, count: int) -> list[str]:
        """Return the paths of as many slots for references."""
        body = {"references": [{}] * count}
        answer = self.http.post(f"{self.base}/v0/sessions/{self.session}/references", json=body).raise_for_status()
        urls = [urlsplit(slot["uploadUrl"]) for slot in answer.json()["references"]]
        return [f"{url.path}?{url.query}" for url in urls]

    def end(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(30)


def put(port: int, paths: list[str], bodies: list[bytes]) -> None:
    """Put one body after the other over one connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for path, body in zip(paths, bodies, strict=True):
            head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200"), answer


def rate(server: Bare | Service, clients: int, each: int) -> tuple[float, float]:
    """Return how many were put in a second, and the milliseconds of processor time that each took."""
    paths = server.slots(clients * each)
    parts = [(paths[index::clients], [os.urandom(SIZE) for _ in range(each)]) for index in range(clients)]
    threads = [threading.Thread(target=put, args=(server.port, *part)) for part in parts]
    process = psutil.Process(server.process.pid)
    before, begin = process.cpu_times(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, after = time.perf_counter() - begin, process.cpu_times()
    worked = after.user + after.system - before.user - before.system
    return clients * each / seconds, worked / (clients * each) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of another version")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    given = parser.parse_args()
    if given.tiny:
        given.rounds = 1
    with tempfile.TemporaryDirectory() as directory:
        folders = [Path(directory) / part for part in ("bare", "here", "before")]
        for folder in folders:
            folder.mkdir(mode=0o700)
        servers: dict[str, Bare | Service] = {"bare tornado": Bare(folders[0]), "here": Service(folders[1], ROOT)}
        if given.before:
            servers["before"] = Service(folders[2], given.before.absolute())
        try:
            for clients in (2,) if given.tiny else (1, 8, 64):
                each = 5 if given.tiny else max(400 // clients, 10)
                rates = {name: [] for name in servers}
                for _ in range(given.rounds):
                    for name, server in servers.items():
                        rates[name].append(rate(server, clients, each))
                print(f"{clients} clients:")
                for name, measured in rates.items():
                    best, worked = max(one for one, _ in measured), min(one for _, one in measured)
                    print(f"    {name:<13} {best:5.0f}/s, {worked:.2f} ms of processor time each", flush=True)
        finally:
            for server in servers.values():
                server.end()


if __name__ == "__main__":
    main()

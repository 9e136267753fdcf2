"""Kill the service, kernels and the power at random moments, and count what is lost, half-written or there twice.

    python tests/durability/crashes.py --rounds 200

A round is one of these, by turns, each with a session of its own:

- *service*: eight uploaders put profiles; the service is killed (SIGKILL), started anew, and asked for what it had
  confirmed;
- *power*: the same, but what was not synced is lost (`synced`): a second service over what the disk then has must know
  all that was confirmed;
- *kernels*: two processes send the same session; one or both are killed (SIGKILL), sometimes the service, too; a third
  finishes it. Each profile must be there once.

It ends with status 1 if anything was lost, half-written, twice, or there without having been sent. ``--seed`` repeats
the moments as far as the machine lets it. ``--forget TEXT`` lets the disk of power rounds lie about files whose paths
hold a text, "/" in all: then it must end with status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))
import synced

UPLOADERS = 8
DAY_MS = 86_400_000
JULY_8 = 1_373_241_600_000
PROFILES = 40  # of a session that kernels send
FRESH_EVERY = 20  # rounds in one data directory

KERNEL = """
import json, sys
from pathlib import Path
from songbird_widgets.session import Session
files = sorted(Path(sys.argv[2]).iterdir())
with Session(session_id=sys.argv[1]) as session:
    for day, file in enumerate(files):
        content = file if day % 2 else file.read_bytes()
        session.add(content, timestamp=1373241600000 + day * 86400000, **({"alias": file.stem} if day % 5 == 0 else {}))
    print("ready", flush=True)
    session.upload()
    print(json.dumps([profile.state for profile in session.profiles]), flush=True)
"""


@dataclass
class Found:
    """What became of the profiles of some rounds."""

    confirmed: int = 0
    lost: int = 0
    half_written: int = 0
    twice: int = 0
    foreign: int = 0
    unfinished: int = 0
    rounds: Counter[str] = field(default_factory=Counter)

    @property
    def bad(self) -> int:
        """How much is not as it was promised."""
        return self.lost + self.half_written + self.twice + self.foreign + self.unfinished

    def __str__(self) -> str:
        rounds = ", ".join(f"{count} {name}" for name, count in sorted(self.rounds.items()))
        return (
            f"{rounds}: {self.confirmed} confirmed, {self.lost} lost, {self.half_written} half-written, "
            f"{self.twice} twice, {self.foreign} never sent, {self.unfinished} sessions unfinished"
        )


class Service:
    """A process of the service over a directory."""

    def __init__(self, directory: Path, environment: dict[str, str] | None = None) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self.directory = directory
        (directory / "service.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "songbird_widgets.service", "--data-dir", str(directory), "--idle-seconds", "600"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        self.port = self._wait()
        identity = json.loads((directory / "identity.json").read_bytes())
        self.secret = identity["secret"]

    def _wait(self) -> int:
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, KeyError):
                record = json.loads((self.directory / "service.json").read_bytes())
                if record["pid"] == self.process.pid:
                    return int(record["port"])
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise RuntimeError(f"The service over {self.directory} did not start.")

    def ask(self, method: str, path: str, body: object = None) -> dict:
        """Ask over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} was answered with {answer.status}: {content[:300]!r}")
        return json.loads(content)

    def session(self) -> str:
        """Begin a session."""
        return self.ask("POST", f"/k/{self.secret}/v0/sessions", {"userId": "crashes"})["id"]

    def listed(self, session: str) -> list[dict]:
        """Return all that a session has; raises `RuntimeError` if there is no such session."""
        found, after = [], ""
        while after is not None:
            part = self.ask("GET", f"/v0/sessions/{session}/profiles?limit=1000&after={after}")
            found += part["profiles"]
            after = part.get("next")
        return found

    def kill(self) -> None:
        """End it without warning."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(120)


class Uploaders:
    """Threads that put profiles until the service is gone, and remember what it confirmed."""

    def __init__(self, service: Service, session: str, chance: random.Random) -> None:
        self.lock = threading.Lock()
        self.begun: set[str] = set()
        self.confirmed: set[str] = set()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._put, args=(service, session, random.Random(chance.random())))
            for _ in range(UPLOADERS)
        ]
        for thread in self._threads:
            thread.start()

    def _put(self, service: Service, session: str, chance: random.Random) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, RuntimeError):
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
            with contextlib.closing(connection):
                while not self._ended.is_set():
                    body = json.dumps({"datasetTimestamp": JULY_8 + chance.randrange(30) * DAY_MS, "segmentTags": []})
                    connection.request("POST", f"/v0/sessions/{session}/upload", body)
                    address = urlsplit(json.loads(connection.getresponse().read())["uploadUrl"])
                    content = os.urandom(chance.choice((200, 4_000, 40_000, 1_500_000)))
                    key = hashlib.sha256(content).hexdigest()
                    with self.lock:
                        self.begun.add(key)
                    connection.request("PUT", f"{address.path}?{address.query}", content)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 200:
                        with self.lock:
                            self.confirmed.add(key)

    def wait_for_confirmed(self, count: int) -> None:
        """Wait, at most some minutes, until that many are confirmed."""
        deadline = time.monotonic() + 200
        while len(self.so_far()) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def so_far(self) -> set[str]:
        """Return what was confirmed so far."""
        with self.lock:
            return set(self.confirmed)

    def end(self) -> None:
        """Wait for the threads."""
        self._ended.set()
        for thread in self._threads:
            thread.join(200)


def check(service: Service, session: str, begun: set[str], confirmed: set[str], found: Found) -> None:
    """Compare what a service has with what it confirmed."""
    found.confirmed += len(confirmed)
    try:
        listed = [one["sha256"] for one in service.listed(session)]
    except RuntimeError:  # the session, too, was confirmed
        found.lost += 1 + len(confirmed)
        return
    found.lost += len(confirmed.difference(listed))
    found.foreign += len(set(listed) - begun)
    found.twice += len(listed) - len(set(listed))
    for key in set(listed):
        path = service.directory / "blobs" / key[:2] / key
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != key:
            found.half_written += 1


def service_round(directory: Path, chance: random.Random, found: Found) -> None:
    """Kill the service under load."""
    service = Service(directory)
    try:
        session = service.session()
        uploaders = Uploaders(service, session, chance)
        time.sleep(chance.uniform(0.02, 1.5))
        service.kill()
        uploaders.end()
        service = Service(directory)
        check(service, session, uploaders.begun, uploaders.confirmed, found)
    finally:
        service.kill()


def power_round(directory: Path, chance: random.Random, found: Found, forget: str = "") -> None:
    """Cut the power under load."""
    folder = Path(tempfile.mkdtemp(dir=directory.parent))
    before, memory, after = folder / "before", folder / "memory", folder / "after"
    service = Service(before, synced.environment(memory, forget=forget))
    try:
        session = service.session()
        uploaders = Uploaders(service, session, chance)
        if forget:  # there must be something to lose
            uploaders.wait_for_confirmed(20)
        time.sleep(chance.uniform(0.05, 1.5))
        service.process.send_signal(signal.SIGSTOP)
        confirmed = uploaders.so_far()
        service.kill()
        uploaders.end()
        unsynced = 0.0 if forget else chance.choice((0.0, 0.3, 1.0))
        synced.after_power_cut(before, memory, after, chance, unsynced)
        try:
            service = Service(after)
        except RuntimeError as error:  # what does not start has lost everything
            print(error)
            found.confirmed += len(confirmed)
            found.lost += 1 + len(confirmed)
            return
        check(service, session, uploaders.begun, confirmed, found)
    finally:
        service.kill()
        shutil.rmtree(folder, ignore_errors=True)


def kernels_round(directory: Path, chance: random.Random, found: Found) -> None:
    """Kill kernels that send one session, and let another one finish it."""
    service = Service(directory)
    try:
        session = service.session()
        files = Path(tempfile.mkdtemp(dir=directory.parent))
        keys = set()
        for number in range(PROFILES):
            content = _profile(f"{session[-6:]}-{number}", chance.choice((1, 200)))
            (files / f"{number:03}.bin").write_bytes(content)
            keys.add(hashlib.sha256(content).hexdigest())
        kernels = [_kernel(directory, session, files) for _ in range(2)]
        for kernel in kernels:
            kernel.stdout.readline()
        time.sleep(chance.uniform(0, 0.6))
        for kernel in kernels[: chance.choice((1, 1, 2))]:
            kernel.send_signal(signal.SIGKILL)
        if chance.random() < 0.3:
            service.kill()
        for kernel in kernels:
            kernel.communicate(timeout=300)
        last = _kernel(directory, session, files)
        states = json.loads(last.communicate(timeout=300)[0].splitlines()[-1])
        found.unfinished += set(states) != {"uploaded"}
        if service.process.poll() is not None:
            _stop_local(directory)
            service = Service(directory)
        check(service, session, keys, keys, found)
        shutil.rmtree(files)
    finally:
        service.kill()


def _kernel(directory: Path, session: str, files: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", KERNEL, session, str(files)],
        env={**os.environ, "SONGBIRD_DATA_DIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _stop_local(directory: Path) -> None:
    """End the service that a kernel has started in place of the one that was killed."""
    command = [sys.executable, "-m", "songbird_widgets", "stop"]
    environment = {**os.environ, "SONGBIRD_DATA_DIR": str(directory)}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)


def _profile(name: str, columns: int) -> bytes:
    """Make a small profile whose bytes no other has."""
    from songbird_widgets.profiles import profile

    return profile({f"{name}-{index}": [index, 1.5] for index in range(columns)}).to_bytes()


KINDS = {"service": service_round, "power": power_round, "kernels": kernels_round}


def run(rounds: int, seed: int, kinds: list[str], forget: str = "") -> Found:
    """Do so many rounds and return what was found."""
    chance, found = random.Random(seed), Found()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            directory = Path(folder) / f"data-{number // FRESH_EVERY}"
            if number % FRESH_EVERY == 0 and number:
                shutil.rmtree(Path(folder) / f"data-{number // FRESH_EVERY - 1}", ignore_errors=True)
            kind = kinds[number % len(kinds)]
            if kind == "power":
                power_round(directory, chance, found, forget)
            else:
                KINDS[kind](directory, chance, found)
            found.rounds[kind] += 1
            if number % 10 == 9 or found.bad:
                print(found, flush=True)
            if found.bad:
                break
    return found


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=["service", "power", "service", "kernels"])
    parser.add_argument("--forget", default="", help="let the disk lie about files whose paths hold this")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    found = run(given.rounds, given.seed, given.kinds, given.forget)
    print(found)
    return 1 if found.bad else 0


if __name__ == "__main__":
    sys.exit(main())

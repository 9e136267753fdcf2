"""What replicas of the service for a team bear, and how answers grow with an organization.

    python tests/benchmarks/team_load.py [--seconds 5] [--profiles 1000000]

Real parts: PostgreSQL, an S3-compatible server (moto's, in Python: its own limit is printed beside), HAProxy, and one,
two, three replicas. All share this machine with the clients, so what scales is seen in the processor time that replicas
take for a request, which is printed beside how many were answered a second.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg

ROOT = Path(__file__).parents[2]
DAY_MS = 86_400_000
FIRST_DAY = 10_000
CONTENTS = [path.read_bytes() for path in sorted((ROOT / "examples" / "profiles").glob("*.bin"))]


def load_shared():
    """Return the servers that tests start, too."""
    spec = importlib.util.spec_from_file_location("shared", ROOT / "tests" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["shared"] = module
    spec.loader.exec_module(module)
    return module


class Load:
    """Clients that ask for one thing as often as they can."""

    def __init__(self, team, seconds: float, clients: int) -> None:
        self.team, self.seconds, self.clients = team, seconds, clients

    def run(self, ask) -> tuple[float, float, float]:
        """Return answers a second, their median time (ms), and what of the replicas' processors each took (ms)."""
        start = threading.Barrier(self.clients + 1)

        def work() -> list[float]:
            mine: list[float] = []
            with httpx.Client(trust_env=False, timeout=60) as http:
                start.wait()
                end = time.perf_counter() + self.seconds
                while not mine or time.perf_counter() < end:
                    begin = time.perf_counter()
                    answer = ask(http)
                    assert answer.status_code == 200, answer.text
                    mine.append(time.perf_counter() - begin)
            return mine

        with ThreadPoolExecutor(self.clients) as pool:
            working = [pool.submit(work) for _ in range(self.clients)]
            start.wait()
            begin, before = time.perf_counter(), self.processor_seconds()
            times = [one for future in working for one in future.result()]
            spent, used = time.perf_counter() - begin, self.processor_seconds() - before
        return len(times) / spent, 1000 * sorted(times)[len(times) // 2], 1000 * used / len(times)

    def processor_seconds(self) -> float:
        """Return what all replicas have used so far."""
        used = [psutil.Process(process.pid).cpu_times() for process in self.team.processes.values()]
        return sum(one.user + one.system for one in used)


PROFILE_COLUMNS = (
    "id, org_id, dataset_id, kind, alias, dataset_timestamp, segment_tags, announced, uploaded, size, sha256, blob, day"
)


def fill(url: str, org_id: str, dataset_id: str, count: int) -> None:
    """Write the rows of `count` profiles, a batch for each of as many days, every tenth a reference."""

    digests = [hashlib.sha256(content).hexdigest() for content in CONTENTS]
    given = {
        "org": org_id,
        "dataset": dataset_id,
        "count": count,
        "digests": digests,
        "sizes": [len(content) for content in CONTENTS],
        "kinds": len(CONTENTS),
        "first": FIRST_DAY,
        "day": DAY_MS,
    }
    rows = """
        SELECT CASE WHEN n % 10 = 0 THEN 'ref-' ELSE 'log-' END || %(dataset)s || '-' || lpad(n::text, 8, '0'),
            %(org)s, %(dataset)s, CASE WHEN n % 10 = 0 THEN 'reference' ELSE 'batch' END,
            CASE WHEN n % 10 = 0 THEN 'alias ' || n END, CASE WHEN n % 10 <> 0 THEN (%(first)s + n) * %(day)s END,
            '[]', 1, n + 1, (%(sizes)s::bigint[])[1 + n % %(kinds)s], (%(digests)s::text[])[1 + n % %(kinds)s],
            (%(digests)s::text[])[1 + n % %(kinds)s], CASE WHEN n % 10 <> 0 THEN (%(first)s + n) * %(day)s END
        FROM generate_series(0::bigint, %(count)s - 1) AS n
    """.replace("n % ", "n %% ")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO datasets VALUES (%s, %s, 1)", (org_id, dataset_id))
        # All at once, and indexed at the end: row by row it would take minutes.
        connection.execute("SET session_replication_role = replica")
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'profiles'"
        indexes = connection.execute(f"{query} AND indexname <> 'profiles_pkey'").fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(f"INSERT INTO profiles ({PROFILE_COLUMNS}) {rows}", given)
        for _, definition in indexes:
            connection.execute(definition)
        query = "INSERT INTO days SELECT org_id, dataset_id, day, 1, size, sha256 FROM profiles WHERE dataset_id = %s"
        connection.execute(f"{query} AND day IS NOT NULL", (dataset_id,))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def database_size(team) -> int:
    """Return the bytes of all that the database holds by now."""
    with psycopg.connect(team.environment["SONGBIRD_DATABASE_URL"]) as connection:
        return connection.execute("SELECT pg_database_size(current_database())").fetchone()[0]


def best(http: httpx.Client, url: str, rounds: int = 5) -> float:
    """Return the milliseconds of the quickest of several answers."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        answer = http.get(url)
        assert answer.status_code == 200, answer.text
        found.append(1000 * (time.perf_counter() - begin))
    return min(found)


@contextmanager
def running(shared, count: int):
    """Run replicas, and all that they need, until the end of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgresql = stack.enter_context(contextmanager(shared.run_postgresql)())
        store = stack.enter_context(contextmanager(shared.run_object_store)(folder))
        team = shared.Team(folder, postgresql, store, count, SONGBIRD_REQUESTS_PER_SECOND="0")
        stack.callback(team.close)
        team.wait()
        yield team


def administer(team, *arguments: str) -> str:
    """Run a command of the administration and return what it printed."""
    import subprocess

    command = [sys.executable, "-m", "songbird_widgets", *arguments]
    return subprocess.run(command, env=team.environment, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.tiny:
        options.seconds, options.clients, options.profiles = 0, 2, 30
    shared = load_shared()
    counts = (1,) if options.tiny else (1, 2, 3)
    print(f"{'replicas':>8}  {'what':<22}{'a second':>10}{'median ms':>11}{'processor ms each':>19}")
    for count in counts:
        with running(shared, count) as team:
            measure(team, count, options)
            if count == counts[-1]:
                grow(team, options)


def measure(team, count: int, options: argparse.Namespace) -> None:
    """Measure slots, uploads and pages with so many replicas."""
    load = Load(team, options.seconds, options.clients)
    with httpx.Client(trust_env=False, timeout=60) as http:
        session = http.post(f"{team.url}/v0/sessions", json={"userId": "load"}).json()["id"]
        address = f"{team.url}/v0/sessions/{session}/upload"

        def slot(client: httpx.Client, day: int = 0) -> httpx.Response:
            return client.post(address, json={"datasetTimestamp": (FIRST_DAY + day) * DAY_MS, "segmentTags": []})

        # In a session of its own: while slots of one are open, who looks at it asks the store what has arrived.
        shown = http.post(f"{team.url}/v0/sessions", json={"userId": "load"}).json()["id"]
        for day, content in enumerate(CONTENTS[:3]):
            body = {"datasetTimestamp": (FIRST_DAY + day) * DAY_MS, "segmentTags": []}
            made = http.post(f"{team.url}/v0/sessions/{shown}/upload", json=body)
            http.put(made.json()["uploadUrl"], content=content)
        assert len(http.get(f"{team.url}/v0/sessions/{shown}/profiles").json()["profiles"]) == 3
        page = f"{team.url}/resources/model-1/profiles?sessionToken={shown}" + "".join(
            f"&profile={(FIRST_DAY + day) * DAY_MS}" for day in range(3)
        )
        for url in team.replica_urls:
            assert http.get(page.replace(team.url, url)).status_code == 200

        def upload(client: httpx.Client) -> httpx.Response:
            return client.put(slot(client, 9).json()["uploadUrl"], content=CONTENTS[3])

        asked = {
            "pages of three": lambda client: client.get(page),
            "slots": slot,
            "slot and upload": upload,
        }
        for name, ask in asked.items():
            rate, median, processor = load.run(ask)
            print(f"{count:>8}  {name:<22}{rate:>10,.0f}{median:>11.1f}{processor:>19.2f}", flush=True)


def grow(team, options: argparse.Namespace) -> None:
    """Measure what is asked of datasets of growing size in one organization."""
    administer(team, "org", "create", "org-1")
    key = administer(team, "key", "create", "org-1").splitlines()[0]
    sizes = [size for size in (10_000, 100_000, 1_000_000) if size <= options.profiles] or [options.profiles]
    with httpx.Client(trust_env=False, timeout=120, headers={"X-API-Key": key}) as http:
        for content in CONTENTS:
            body = {"alias": hashlib.sha256(content).hexdigest()}
            made = http.post(f"{team.url}/v0/organizations/org-1/log/reference/seed", json=body)
            assert made.status_code == 200, f"{made.status_code} {made.headers} {made.text}"
            httpx.put(made.json()["uploadUrl"], content=content, trust_env=False)
        assert len(http.get(f"{team.url}/v0/organizations/org-1/datasets/seed/profiles").json()["profiles"])
        base = team.replica_urls[0]
        headings = ("first page ms", "last page ms", "own page ms", "three ms", "trends ms", "database MB")
        print(f"\n{'profiles':>10}" + "".join(f"{heading:>15}" for heading in headings))
        for size in sizes:
            name = f"model-{size}"
            fill(team.environment["SONGBIRD_DATABASE_URL"], "org-1", name, size)
            listing = f"{base}/v0/organizations/org-1/datasets/{name}/profiles?limit=100"
            last = size - 101 if size > 101 else 0
            after = f"{last + 1}.{'log' if last % 10 else 'ref'}-{name}-{last:08}"
            pages = f"{base}/resources/{name}"
            days = [FIRST_DAY + index for index in range(size) if index % 10][-3:]
            asked = (
                listing,
                f"{listing}&after={after}",
                f"{pages}/profiles",
                f"{pages}/profiles?" + "&".join(f"profile={day * DAY_MS}" for day in days),
                f"{pages}/trends.json",
            )
            found = [*(best(http, url) for url in asked), database_size(team) / 1e6]
            print(f"{size:>10,}" + "".join(f"{one:>15.1f}" for one in found), flush=True)


if __name__ == "__main__":
    main()

"""What answers cost in a session of many profiles, beside the same in a session of 1,000.

    python tests/benchmarks/service_growth.py [--profiles 100000] [--uploads 500]

The service runs as a process of its own. Rows of the session are written into its database, all of one small profile,
a batch a day and every tenth a reference; what is asked then goes over HTTP. Milliseconds are the best of several.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from service_puts import ROOT, Service, put

from songbird_widgets.profiles import profile

DAY_MS = 86_400_000
PROFILE = (ROOT / "examples" / "profiles" / "batch-2013-07-08.bin").read_bytes()


def fill(folder: Path, session: str, count: int) -> None:
    """Write the rows of `count` profiles."""
    digest = hashlib.sha256(PROFILE).hexdigest()
    with sqlite3.connect(folder / "songbird.db", timeout=60) as database:
        org_id, dataset_id = database.execute(
            "SELECT org_id, dataset_id FROM sessions WHERE id = ?", (session,)
        ).fetchone()
        rows, days = [], []
        for index in range(count):
            reference = index % 10 == 0
            day = None if reference else (index + 1) * DAY_MS
            rows.append(
                (
                    f"{'ref' if reference else 'log'}-{session[-8:]}{index:08}",
                    session,
                    org_id,
                    dataset_id,
                    "reference" if reference else "batch",
                    f"alias {index}" if reference else None,
                    day,
                    "[]",
                    1,
                    index + 1,
                    len(PROFILE),
                    digest,
                    digest,
                    day,
                )
            )
            if not reference:
                days.append((org_id, dataset_id, day, 1, len(PROFILE), digest))
        database.executemany(
            "INSERT INTO profiles (id, session_id, org_id, dataset_id, kind, alias, dataset_timestamp, segment_tags,"
            " announced, uploaded, size, sha256, blob, day) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        database.executemany("INSERT INTO days VALUES (?, ?, ?, ?, ?, ?)", days)
    database.close()


def timed(function, rounds: int) -> float:
    """Return the milliseconds of the quickest of several calls."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        function()
        best = min(best, (time.perf_counter() - begin) * 1000)
    return best


class Session:
    """A session of some size."""

    def __init__(self, service: Service, folder: Path, count: int) -> None:
        self.service = service
        answer = service.http.post(f"{service.base}/k/{service.secret}/v0/sessions", json={"userId": "benchmark"})
        self.id = answer.raise_for_status().json()["id"]
        self.upload()
        if count:
            fill(folder, self.id, count)

    def get(self, path: str, **parameters: object) -> None:
        self.service.http.get(f"{self.service.base}{path}", params=parameters).raise_for_status()

    def upload(self, timestamp: int = 0, content: bytes = PROFILE) -> None:
        body = {"datasetTimestamp": timestamp, "segmentTags": []}
        answer = self.service.http.post(f"{self.service.base}/v0/sessions/{self.id}/upload", json=body)
        url = urlsplit(answer.raise_for_status().json()["uploadUrl"])
        put(self.service.port, [f"{url.path}?{url.query}"], [content])

    def measure(self, rounds: int) -> dict[str, float]:
        """Return what each answer costs."""
        page = "/resources/model-1/profiles"
        days = [str(number * DAY_MS) for number in (2, 3, 4)]
        link = f"{self.service.base}/v0/sessions/observatory-link/{self.id}"
        body = {"batchProfileTimestamps": [2 * DAY_MS], "referenceProfileIds": [f"ref-{self.id[-8:]}{10:08}"]}
        answers = {
            "listing, 1,000 at once": lambda: self.get(f"/v0/sessions/{self.id}/profiles", limit=1000),
            "session page": lambda: self.get(page, sessionToken=self.id),
            "page of three": lambda: self.get(page, profile=days, sessionToken=self.id),
            "link": lambda: self.service.http.post(link, json=body).raise_for_status(),
            "one more upload": lambda: self.upload(5_000_000 * DAY_MS // 1000),
        }
        return {name: timed(answer, rounds) for name, answer in answers.items()}


def some_hour(seed: int) -> bytes:
    """Return a profile of 16 columns and 500 rows; equal content would be kept once."""
    random = np.random.default_rng(seed)
    numbers = {f"number {place}": random.normal(place, 1 + place, 500) for place in range(8)}
    words = {f"word {place}": [f"word {word}" for word in random.integers(0, 5 + place, 500)] for place in range(8)}
    return profile({**numbers, **words}).to_bytes()


def grow(service: Service, folder: Path, uploads: int) -> None:
    """Print what uploads to one day cost, and the page after each."""
    session = Session(service, folder, 0)
    costs, pages = [], []
    for content in [some_hour(seed) for seed in range(uploads)]:
        costs.append(timed(lambda content=content: session.upload(0, content), 1))
        pages.append(timed(lambda: session.get("/resources/model-1/profiles", profile="0", sessionToken=session.id), 1))
    for name, values in (("upload", costs), ("page after it", pages)):
        first, last = statistics.median(values[1:11]), statistics.median(values[-10:])
        print(f"{name} to one day: first ten {first:.0f} ms, last ten of {uploads} {last:.0f} ms, {last / first:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        service = Service(folder, ROOT)
        try:
            few = Session(service, folder, 100 if given.tiny else 1_000)
            many = Session(service, folder, 200 if given.tiny else given.profiles)
            rounds = 1 if given.tiny else 9
            before, after = few.measure(rounds), many.measure(rounds)
            for name, cost in before.items():
                print(f"{name:<24} {cost:7.1f} ms, with many {after[name]:7.1f} ms: {after[name] / cost:.2f}")
            grow(service, folder, 3 if given.tiny else given.uploads)
        finally:
            service.end()


if __name__ == "__main__":
    main()

"""How fast the page of a dataset over time is: 90 days of 50 columns, and a year of 200.

    python tests/benchmarks/observatory_trends.py
    python tests/benchmarks/observatory_trends.py --tiny

The service runs as a process of its own, and every request goes over HTTP. Days are compared with the first references
when they come; "cold" is a page against a day, with which no other was compared before, from summaries that are kept:
it answers after half a second with the days that were compared until then. Processor time is that of the whole process,
and distorted less by a busy machine than the clock.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from observatory_pages import ROOT, Service, cost

from songbird_widgets.profiles import profile

DAY_MS = 86_400_000
FIRST = 1_704_067_200_000
ROWS = 1_000


def day(seed: int, columns: int, shift: float = 0.0) -> bytes:
    """Return a profile of one distribution, but that one column may be shifted."""
    random = np.random.default_rng(seed)
    data = {}
    for number in range(columns):
        kind = number % 4
        if kind == 0:
            values = random.normal(10 + shift * (number == 4), 2, ROWS)
        elif kind == 1:
            values = random.integers(0, 1000, ROWS)
        elif kind == 2:
            values = random.choice(["red", "green", "blue"], ROWS)
        else:
            values = np.where(random.random(ROWS) < 0.2, np.nan, random.exponential(3, ROWS))
        data[f"column_{number:03}"] = values
    return profile(data).to_bytes()


def url(service: Service, form: str = "", **parameters: object) -> str:
    """Return the address of the page."""
    return f"{service.base}/resources/model-1/trends{form}?{urlencode({'sessionToken': service.session, **parameters})}"


def report(service: Service, folder: Path, days: int, columns: int, *, tiny: bool) -> None:
    """Print every figure of a dataset of so many days and columns."""
    references = []
    for number in range(2):
        path = folder / f"baseline-{number}.bin"
        path.write_bytes(day(number, columns))
        references.append(service.upload(path))
    for index in range(days):
        body = {"datasetTimestamp": FIRST + index * DAY_MS, "segmentTags": []}
        slot = service.http.post(f"{service.base}/v0/sessions/{service.session}/upload", json=body).raise_for_status()
        content = day(index + 2, columns, 4.0 * (index == days // 2))
        service.http.put(slot.json()["uploadUrl"], content=content).raise_for_status()
    before = service.worked()
    if not tiny:
        service.rest()
    print(f"{days} days of {columns} columns: {service.worked() - before:.0f} ms of processor time after the uploads")
    warm = [cost(service, url(service, profile=references[0])) for _ in range(5)]
    other = min(cost(service, url(service, profile=references[1])) for _ in range(3))
    first, worked = cost(service, url(service, profile=FIRST))
    session = min(cost(service, service.url([])) for _ in range(3))
    data = min(cost(service, url(service, ".json", profile=references[0], limit=columns)) for _ in range(3))
    column = min(cost(service, url(service, profile=references[0], column="column_004")) for _ in range(3))
    size = len(service.timed(url(service, profile=references[0]))[1])
    print(f"page, compared when the days came: {min(warm)[0]:.0f} ms ({min(warm)[1]:.0f} ms of processor time)")
    print(f"page against the second reference: {other[0]:.0f} ms ({other[1]:.0f} ms of processor time)")
    print(f"page against a day, cold: {first:.0f} ms ({worked:.0f} ms of processor time)")
    print(f"one column: {column[0]:.0f} ms; JSON of all: {data[0]:.0f} ms; the session's page: {session[0]:.0f} ms")
    print(f"size of the page: {size / 1e3:.0f} kB; memory: {service.memory():.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for days, columns in [(3, 5)] if given.tiny else [(90, 50), (365, 200)]:
            folder = Path(directory) / f"{days}"
            service = Service(folder, ROOT)
            try:
                service.timed(service.url([]))  # imports and templates, once a process
                report(service, folder, days, columns, tiny=given.tiny)
            finally:
                service.end()


if __name__ == "__main__":
    main()

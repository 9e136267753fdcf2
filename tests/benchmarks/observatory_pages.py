"""How fast the observatory is with three profiles of 1,000 columns, and how much memory its process takes.

    python tests/benchmarks/observatory_pages.py --whylogs-python /path/to/python-with-whylogs
    python tests/benchmarks/observatory_pages.py a.bin b.bin c.bin …
    python tests/benchmarks/observatory_pages.py --tiny

Without files, six profiles of 2,000 rows are made by whylogs, which needs an interpreter that has it. The service
runs as a process of its own, and every request goes over HTTP.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "profiles"

MAKE = """
import sys, numpy as np, pandas as pd, whylogs as why
folder, columns = sys.argv[1], int(sys.argv[2])
for number in range(6):
    r = np.random.default_rng(number)
    data = {}
    for i in range(columns):
        kind, shift = i % 4, number * 0.05 * (i % 7)
        if kind == 0: values = r.normal(shift, 1 + shift, 2000)
        elif kind == 1: values = r.integers(0, 50 + i % 400, 2000)
        elif kind == 2: values = np.where(r.random(2000) < 0.1, np.nan, r.lognormal(shift, 1, 2000))
        else: values = r.choice(["red", "green", "blue", "a longer word", f"only {number}"], 2000)
        data[f"column_{i:04}"] = values
    why.log(pd.DataFrame(data)).view().write(f"{folder}/wide-{number}.bin")
"""


def made(python: str, folder: Path, columns: int) -> list[Path]:
    """Let whylogs make profiles."""
    subprocess.run([python, "-c", MAKE, str(folder), str(columns)], check=True, capture_output=True)
    return sorted(folder.glob("wide-*.bin"))


class Service:
    """The local service of a source tree as a process, spoken to over HTTP."""

    def __init__(self, folder: Path, tree: Path) -> None:
        folder.mkdir(mode=0o700)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "songbird_widgets.service", "--data-dir", str(folder), "--idle-seconds", "600"],
            env={**os.environ, "PYTHONPATH": str(tree)},
            cwd=tree,
        )
        identity, record = folder / "identity.json", folder / "service.json"
        while not record.exists():
            time.sleep(0.02)
        port, secret = json.loads(record.read_text())["port"], json.loads(identity.read_text())["secret"]
        self.base = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(timeout=60, trust_env=False)
        answer = self.http.post(f"{self.base}/k/{secret}/v0/sessions", json={"userId": "benchmark"})
        self.session = answer.raise_for_status().json()["id"]

    def upload(self, path: Path) -> str:
        """Upload a profile as a reference."""
        url = f"{self.base}/v0/sessions/{self.session}/reference"
        slot = self.http.post(url, json={"alias": path.stem}).raise_for_status().json()
        self.http.put(slot["uploadUrl"], content=path.read_bytes()).raise_for_status()
        return str(slot["id"])

    def url(self, profiles: list[str], **parameters: object) -> str:
        """Return the URL of a page."""
        pairs = [("profile", one) for one in profiles] + [("sessionToken", self.session), *parameters.items()]
        return f"{self.base}/resources/model-1/profiles?{urlencode(pairs)}"

    def timed(self, url: str) -> tuple[float, bytes]:
        """Return the milliseconds until the page was there, and the page."""
        begin = time.perf_counter()
        page = self.http.get(url).raise_for_status().content
        return (time.perf_counter() - begin) * 1000, page

    def worked(self) -> float:
        """Return the milliseconds of processor time that the process and its children used.

        A busy machine distorts it less than the time on the clock.
        """
        times = [one.cpu_times() for one in self.processes()]
        return sum(one.user + one.system for one in times) * 1000

    def rest(self) -> None:
        """Wait until it does nothing any more: what is made when profiles arrive, is."""
        quiet, before = 0, self.worked()
        while quiet < 4:
            time.sleep(0.7)
            now = self.worked()
            quiet, before = (quiet + 1 if now - before < 30 else 0), now

    def memory(self) -> float:
        """Return the resident memory of the process and its children in MB."""
        return sum(one.memory_info().rss for one in self.processes()) / 1e6

    def processes(self) -> list[psutil.Process]:
        """Return the process, and those that it started."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children()]

    def end(self) -> None:
        """Stop the process."""
        self.http.close()
        self.process.terminate()
        self.process.wait(20)


def worst_wait(service: Service, url: str) -> tuple[float, float]:
    """Load a page and meanwhile ask for a session's profiles; returns the page's and the worst wait in ms."""
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        listing = f"{service.base}/v0/sessions/{service.session}/profiles"
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not done.is_set():
                begin = time.perf_counter()
                client.get(listing).raise_for_status()
                waits.append((time.perf_counter() - begin) * 1000)
                time.sleep(0.002)

    other = threading.Thread(target=ask)
    other.start()
    time.sleep(0.2)
    waits.clear()
    took, _ = service.timed(url)
    done.set()
    other.join()
    return took, max(waits)


# The page's CSP refuses what wait_for_function does, which is to evaluate text in the page again and again.
PAINT = """() => new Promise((resolve) => {
  const look = (list) => list.getEntriesByName('first-contentful-paint').forEach((paint) => resolve(paint.startTime));
  new PerformanceObserver(look).observe({ type: 'paint', buffered: true });
})"""


def painted(url: str, rounds: int) -> list[float]:
    """Return the milliseconds until Chromium had painted the page, several times over."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    times = []
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=arguments)
        for _ in range(rounds + 1):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(url)
            times.append(float(page.evaluate(PAINT)))
            page.close()
        browser.close()
    return times[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profiles", nargs="*", type=Path)
    parser.add_argument("--whylogs-python", default=os.environ.get("SONGBIRD_WHYLOGS_PYTHON"))
    parser.add_argument("--before", type=Path, help="a checkout of another version, measured as well")
    parser.add_argument("--columns", type=int, default=1000)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        flights = sorted(EXAMPLES.glob("*.bin"))[:3]
        paths = flights if given.tiny else given.profiles or made(given.whylogs_python, folder, given.columns)
        trees = {"here": ROOT, **({"before": given.before.absolute()} if given.before else {})}
        for name, tree in trees.items():
            print(f"--- {name}")
            service = Service(folder / name, tree)
            try:
                report(service, paths, tiny=given.tiny)
            finally:
                service.end()


def cost(service: Service, url: str) -> tuple[float, float]:
    """Return the milliseconds of a page on the clock, and of processor time."""
    before = service.worked()
    took, _ = service.timed(url)
    return took, service.worked() - before


def report(service: Service, paths: list[Path], *, tiny: bool) -> None:
    """Print every figure."""
    print(f"profiles: {len(paths)}, {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB")
    service.timed(service.url([]))  # imports and templates, once a process
    ids = [service.upload(path) for path in paths]
    flights = [service.upload(path) for path in sorted(EXAMPLES.glob("*.bin"))[-3:]]
    if not tiny:
        service.rest()
    print(f"memory before: {service.memory():.0f} MB")
    for name, profiles in (("three flight profiles", flights), ("three wide profiles", ids[:3])):
        url = service.url(profiles, sort="name")
        took, worked = cost(service, url)
        again = statistics.median(service.timed(url)[0] for _ in range(9))
        print(f"{name}, by name: cold {took:.0f} ms ({worked:.0f} ms of processor time), warm {again:.1f} ms")
    page = service.timed(url)[1]
    print(f"size: {len(page) / 1e3:.0f} kB, gzipped {len(gzip.compress(page, 3)) / 1e3:.0f} kB")
    sets = [ids[index : index + 3] for index in (1, 2, 3)] if len(ids) >= 6 else [ids[:3][::-1]]
    waited = 0.0
    for number, profiles in enumerate(sets):
        url = service.url(profiles, sort="drift", order="desc")
        if number < len(sets) - 1:
            took, worked = cost(service, url)
        else:
            before = service.worked()
            took, waited = worst_wait(service, url)
            worked = service.worked() - before
        again = statistics.median(service.timed(url)[0] for _ in range(5))
        print(f"sorted by drift: cold {took:.0f} ms ({worked:.0f} ms of processor time), warm {again:.1f} ms")
    print(f"longest wait of another request behind the last: {waited:.0f} ms")
    url = service.url(ids[:3])
    print(f"painted in Chromium: {', '.join(f'{one:.0f}' for one in painted(url, 1 if tiny else 5))} ms")
    triples = [[a, b, c] for a in ids for b in ids for c in ids if len({a, b, c}) == 3]
    peak = 0.0
    pages = 3 if tiny else 100
    for number in range(pages):
        service.timed(service.url(triples[number % len(triples)], offset=number * 50 % 1000))
        peak = max(peak, service.memory())
    print(f"memory after {pages} different pages: {service.memory():.0f} MB, at most {peak:.0f} MB")


if __name__ == "__main__":
    main()

"""How quick the local service is, beside what it should be. Usage: python service_speed.py

Every figure is the median over the rounds, with the worst in brackets; the client is imported already.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from songbird_widgets.client import ProfileUpload, Songbird, upload_profiles
from songbird_widgets.local import local_service
from songbird_widgets.profiles import read_profile

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
ROUNDS = 10


def timed(function):
    begin = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begin


def show(what, seconds, target):
    middle, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    verdict = "ok" if middle <= target else "MISSED"
    print(f"{what:<58} {middle:7.1f} ms (worst {worst:6.1f})   target {target:4d} ms   {verdict}")


def nine_profiles():
    uploads = []
    for path in sorted(PROFILES.glob("*.bin")):
        if path.name.startswith("reference"):
            uploads.append(ProfileUpload(content=path, kind="reference", alias=path.stem, key=path.name))
        else:
            timestamp = read_profile(path.read_bytes()).dataset_timestamp
            uploads.append(ProfileUpload(content=path, kind="batch", dataset_timestamp=timestamp, key=path.name))
    return uploads


def measure(rounds):
    figures = {name: [] for name in ("first", "start", "found", "answer", "upload", "stop")}
    uploads = nine_profiles()
    for turn in range(rounds):
        client, seconds = timed(Songbird)
        with client:
            session, answer = timed(lambda client=client: client.create_session("benchmark").id)
            figures["first" if turn == 0 else "start"].append(seconds + answer)
            for _ in range(5):
                figures["found"].append(timed(local_service.ensure)[1])
                figures["answer"].append(timed(lambda client=client: client.create_session("benchmark"))[1])
            results, seconds = timed(lambda client=client, session=session: upload_profiles(client, session, uploads))
            assert [result.state for result in results] == ["uploaded"] * len(uploads), results
            figures["upload"].append(seconds)
        figures["stop"].append(timed(local_service.stop)[1])
    return figures, len(uploads)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="only see that it runs")
    rounds = 2 if parser.parse_args().tiny else ROUNDS
    with tempfile.TemporaryDirectory() as directory:
        os.environ["SONGBIRD_DATA_DIR"] = directory
        try:
            figures, count = measure(rounds)
        finally:
            local_service.stop()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {rounds} rounds")
    show("needed for the first time -> a session is created", figures["first"], 500)
    show("needed, not running -> a session is created", figures["start"], 500)
    show("needed, running -> found and verified", figures["found"], 50)
    show("running -> a session is created", figures["answer"], 50)
    show(f"{count} real profiles uploaded and safe on disk", figures["upload"], 500)
    show("asked to end -> ended", figures["stop"], 1000)


if __name__ == "__main__":
    main()

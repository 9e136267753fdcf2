"""How fast the client is, beside whylogs 1.6.4 and whylabs-client 0.6.16, in one run.

    python tests/benchmarks/client_speed.py --peer-python PATH [--user-python PATH] [--rounds 5]
    python tests/benchmarks/client_speed.py --tiny

The peer's Python is that of an environment with whylogs, made for example by
``python3.11 -m venv peer && peer/bin/pip install 'whylogs[whylabs]==1.6.4' 'numpy<2' 'pandas<3'``.
The user's is that of an environment as users have it, ``python3.11 -m venv user && user/bin/pip install . ipykernel``:
the first answer is judged there, since httpx imports click and rich where tools for development brought them along.
Both sides run in processes of their own against the server of client_server.py, taking turns; the best round of each
counts, since whatever else a computer does only makes a round worse. Exits with 1 if a target is missed. With --tiny
each job is done once with a few profiles, with no peer unless it is named, and only a job that breaks is a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CONTENT = bytes(40_000)
MEGABYTE = 1_000_000


def profiles(kind, count, content=CONTENT):
    from songbird_widgets.client import ProfileUpload

    alias = "alias {}".format if kind == "references" else lambda _: None
    name = "reference" if kind == "references" else "batch"
    return [ProfileUpload(content, name, 1373414400000, alias(n), key=str(n)) for n in range(count)]


def ours(port, job, count):
    """Do one of our jobs in this process and return seconds a profile or request."""
    from songbird_widgets import client as c

    session, endpoint = "session-benchmark", f"http://127.0.0.1:{port}"
    kind, _, how = job.partition(" ")

    async def in_asyncio():
        async with c.AsyncSongbird(endpoint) as client:
            await client.create_dataset_profile_upload(session, 1373414400000)
            wall, cpu = time.perf_counter(), time.process_time()
            results = await c.aupload_profiles(client, session, profiles(kind, count))
            return wall, cpu, results

    if how == "asyncio":
        wall, cpu, results = asyncio.run(in_asyncio())
    else:
        with c.Songbird(endpoint) as client:
            client.create_dataset_profile_upload(session, 1373414400000)
            made = [] if kind == "slots" else profiles(kind, count)
            wall, cpu = time.perf_counter(), time.process_time()
            results = c.upload_profiles(client, session, made)
            for _ in range(count if kind == "slots" else 0):
                client.create_dataset_profile_upload(session, 1373414400000)
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    if any(result.state != "uploaded" for result in results):
        raise SystemExit(f"an upload failed: {results[0]}")
    return {name: value / count for name, value in seconds.items()}


def importing(port):
    """Return the milliseconds until imported, and until the first answer, where widgets are in use already."""
    for name in ("ipykernel.ipkernel", "ipywidgets"):
        importlib.import_module(name)
    began = time.perf_counter()
    importlib.import_module("songbird_widgets")
    imported = time.perf_counter()
    from songbird_widgets.client import Songbird

    loaded = time.perf_counter()
    client = Songbird(f"http://127.0.0.1:{port}")
    client.create_dataset_profile_upload("session-benchmark", 1373414400000)
    answered = time.perf_counter()
    client.close()
    figures = {"import": imported - began, "client": loaded - imported, "first": answered - began}
    return {name: seconds * 1000 for name, seconds in figures.items()}


def memory(port, count):
    """Return the megabytes by which a process grows at most while it uploads files of 1 MB."""
    from songbird_widgets import client as c

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "profile.bin")
        file.write_bytes(bytes(MEGABYTE))
        with c.Songbird(f"http://127.0.0.1:{port}") as client:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            results = c.upload_profiles(client, "session-benchmark", profiles("batches", count, file))
    if any(result.state != "uploaded" for result in results):
        raise SystemExit(f"an upload failed: {results[0]}")
    return {"grown": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / MEGABYTE}


@contextlib.contextmanager
def server(latency):
    command = [sys.executable, str(HERE / "client_server.py"), "--latency", str(latency)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)


def apart(command):
    """Run a job in a process of its own and return what it measured."""
    environment = {
        **os.environ,
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "songbird-benchmark")),
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled only once
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def best(rounds, **commands):
    """Take turns, and return for each command the least of every figure."""
    seen = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seen[name].append(apart([str(part) for part in command]))
    return {name: {key: min(one[key] for one in all_) for key in all_[0]} for name, all_ in seen.items()}


class Report:
    """Prints each figure beside its target, and remembers whether one was missed."""

    def __init__(self, *, judged):
        self.judged, self.missed = judged, False

    def say(self, what, figure, target, met):
        word = ("ok  " if met else "MISS") if self.judged else "ran "
        sys.stdout.write(f"{word} {what}: {figure} (target {target})\n")
        sys.stdout.flush()
        self.missed |= self.judged and not met


def compare(peer_python, user_python, rounds, count, report):
    me = [sys.executable, __file__, "--job"]

    def run(rounds, peer, **jobs):
        """Do our jobs, and the peer's if there is one."""
        commands = {name: [*me, *job] for name, job in jobs.items()}
        if peer_python is not None:
            commands["peer"] = [peer_python, HERE / "client_peer.py", *peer]
        done = best(rounds, **commands)
        return done if peer_python is not None else {**done, "peer": {"wall": float("nan"), "cpu": float("nan")}}

    with server(0) as port:
        done = run(rounds, (port, "slots", count // 2), ours=("slots", port, count // 2))
        mine, theirs = done["ours"]["cpu"], done["peer"]["cpu"]
        figure = f"{mine * 1e6:.0f} µs, whylabs-client {theirs * 1e6:.0f} µs, {mine / theirs:.2f} times"
        report.say("CPU of a slot request", figure, "at most 1.1 times", mine <= 1.1 * theirs)
        for kind, goal in (("batches", 1.6), ("references", 1.8)):
            done = run(rounds, (port, kind, count), ours=(kind, port, count))
            mine, theirs = 1 / done["ours"]["wall"], 1 / done["peer"]["wall"]
            figure = f"{mine:.0f}/s, whylogs {theirs:.0f}/s, {mine / theirs:.2f} times"
            what = f"{count} {kind} of 40 KB to loopback"
            report.say(what, figure, f"at least {goal} times", mine >= goal * theirs)
        done = best(rounds, ours=[*me, "import", port, 1])["ours"]
        report.say("import songbird_widgets", f"{done['import']:.1f} ms", "at most 5 ms", done["import"] <= 5)
        figure = f"{done['first']:.1f} ms, of which the client's own modules {done['client']:.1f} ms"
        if user_python is not None:
            as_user = [user_python, *me[1:], "import", port, 1]
            done = best(rounds, user=as_user)["user"]
            own = f"{done['first']:.1f} ms, of which the client's own modules {done['client']:.1f} ms"
            figure = f"{own}; {figure} where this runs"
        report.say("import to first answer", figure, "at most 80 ms", done["first"] <= 80)
        grown = apart([str(part) for part in (*me, "memory", port, count)])["grown"]
        report.say(f"memory for {count} files of 1 MB", f"{grown:.1f} MB more", "at most 64 MB", grown <= 64)
    with server(30) as port:
        for kind, requests in (("batches", 2), ("references", 1)):
            done = run(
                max(1, rounds // 2),
                (port, kind, max(1, count // 10)),
                ours=(kind, port, count),
                task=(f"{kind} asyncio", port, count),
            )
            mine, tasks, theirs = (1 / done[name]["wall"] for name in ("ours", "task", "peer"))
            figure = f"{mine:.0f}/s, whylogs {theirs:.1f}/s, {mine / theirs:.1f} times"
            report.say(f"{count} {kind}, 30 ms, 16 at once", figure, "at least 14 times", mine >= 14 * theirs)
            if requests == 2:  # each batch is two requests of 30 ms; references share requests for slots
                share = mine * requests * 0.030 / 16
                report.say("of that, of 16/latency", f"{share:.0%}", "at least 85 %", share >= 0.85)
            figure = f"{tasks:.0f}/s, {tasks / mine:.2f} times threads"
            report.say(f"the same {kind} in asyncio", figure, "at least 0.8 times", tasks >= 0.8 * mine)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="the Python of an environment with whylogs")
    parser.add_argument("--user-python", help="the Python of an environment with the package and ipykernel alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="only see that everything runs")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job, port, count = arguments.job[0], int(arguments.job[1]), int(arguments.job[2])
        done = {"import": lambda: importing(port), "memory": lambda: memory(port, count)}
        sys.stdout.write(json.dumps(done.get(job, lambda: ours(port, job, count))()) + "\n")
        return 0
    if not arguments.peer_python and not arguments.tiny:
        parser.error("--peer-python is needed")
    report = Report(judged=not arguments.tiny)
    rounds, count = (1, 20) if arguments.tiny else (arguments.rounds, 1000)
    compare(arguments.peer_python, arguments.user_python, rounds, count, report)
    return int(report.missed)


if __name__ == "__main__":
    raise SystemExit(main())

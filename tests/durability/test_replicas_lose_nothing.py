"""What was confirmed is there, and nothing else is, whatever happens to replicas, database and store meanwhile."""

from __future__ import annotations

import os
import random
import threading
import time
from hashlib import sha256

from songbird_widgets.client import ProfileUpload, Songbird, upload_profiles

ROUNDS = int(os.environ.get("SONGBIRD_TEST_ROUNDS", "4"))
PROFILES = 12
TRIES = 5
DAY = 86_400_000


def test_no_round_loses_what_was_confirmed_or_shows_what_was_not_sent(team):
    chance = random.Random(16)
    done = {"confirmed": 0, "failed": 0, "late": 0}
    harm = [kill_a_replica, end_the_database, refuse_in_the_store, kill_all_replicas]
    for number in range(ROUNDS):
        with Songbird(team.url, timeout=60, retries=4) as client:
            session = until(lambda c=client: c.create_session("someone")).id
            uploads = [profile(number, index) for index in range(PROFILES)]
            harming = threading.Thread(target=harm[number % len(harm)], args=(team, chance))
            harming.start()
            results = upload_profiles(client, session, uploads, concurrency=4)
            harming.join()
            team.wait()
            confirmed = {result.key for result in results if result.state == "uploaded"}
            listed = until(lambda c=client, s=session: c.list_session_profiles(s)).profiles
            sent = {sha256(upload.content).hexdigest(): upload.key for upload in uploads}
            found = [sent[entry.sha256] for entry in listed]  # KeyError: nobody sent this
            assert len(found) == len(set(found)), "one appears twice"
            assert confirmed <= set(found), f"round {number}: lost {confirmed - set(found)}"
            assert {r.profile_id for r in results if r.state == "uploaded"} <= {entry.id for entry in listed}
            # What failed may have arrived: its answer was lost. Sent again, everything is there, once for each.
            rest, missing = [upload for upload in uploads if upload.key not in found], uploads
            for _ in range(TRIES):
                complete = until(lambda c=client, s=session: c.list_session_profiles(s)).profiles
                there = {sent[entry.sha256] for entry in complete}
                missing = [upload for upload in uploads if upload.key not in there]
                if not missing:
                    break
                upload_profiles(client, session, missing)
            assert not missing
            assert sorted(sent[entry.sha256] for entry in complete) == sorted(sent.values())
            done["confirmed"] += len(confirmed)
            done["failed"] += len(rest)
            done["late"] += len(set(found) - confirmed)
    print(f"{ROUNDS} rounds: 0 lost, 0 phantom; {done}")
    assert done["confirmed"]


def profile(number, index):
    content = b"profile %d of round %d " % (index, number) + b"x" * (1000 * index)
    if index % 3 == 0:
        return ProfileUpload(content, "reference", alias=f"reference {index}", key=f"{index}")
    return ProfileUpload(content, "batch", (16_000 + index % 4) * DAY, key=f"{index}")


def until(ask):
    """Ask again until there is an answer, for a while."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def kill_a_replica(team, chance):
    url = chance.choice(team.replica_urls)
    time.sleep(chance.uniform(0, 0.2))
    team.kill(url)
    team.start(url)


def kill_all_replicas(team, chance):
    time.sleep(chance.uniform(0, 0.2))
    for url in team.replica_urls:
        team.kill(url)
    for url in team.replica_urls:
        team.start(url)


def end_the_database(team, chance):
    time.sleep(chance.uniform(0, 0.2))
    team.postgresql.stop("immediate")
    time.sleep(chance.uniform(0, 0.3))
    team.postgresql.start()


def refuse_in_the_store(team, chance):
    time.sleep(chance.uniform(0, 0.1))
    team.store_answers(False)
    time.sleep(chance.uniform(0.1, 0.6))
    team.store_answers(True)

"""Three replicas behind a balancer, as a notebook sees them."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx

# Says nothing of where the service is.
NOTEBOOK = """
import json, sys
import songbird_widgets as sw

with sw.Session() as session:
    session.add(*sys.argv[2:])
    session.add(sys.argv[1], alias="train")
    session.upload()
    session.select("train", "2013-07-09")
    verdict = session.compare().to_pandas().to_json()
    print(json.dumps({"link": session.link, "states": [item.state for item in session.profiles], "verdict": verdict}))
"""


def test_a_notebook_moves_from_the_local_service_to_the_teams_by_its_endpoint_alone(team, environment, profile_path):
    files = [str(profile_path(f"batch-2013-07-{day:02}.bin")) for day in (8, 9, 10)]

    def run(**more):
        command = [sys.executable, "-c", NOTEBOOK, *files]
        done = subprocess.run(
            command, env={**environment, **more}, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    here = run()
    there = run(SONGBIRD_ENDPOINT=team.url)
    assert there["states"] == here["states"] == ["uploaded"] * 3
    assert there["verdict"] == here["verdict"]
    assert there["link"].startswith(team.url + "/resources/")
    assert not here["link"].startswith(team.url)
    # Whichever replica answers, it is the same page.
    pages = {httpx.get(there["link"], trust_env=False, timeout=60).text for _ in range(6)}
    each = {
        httpx.get(there["link"].replace(team.url, url), trust_env=False, timeout=60).text for url in team.replica_urls
    }
    assert len(pages | each) == 1
    for url in team.replica_urls:
        metrics = httpx.get(f"{url}/metrics", trust_env=False, timeout=60).text
        assert 'operation="observatory"' in metrics

"""whylogs itself, unchanged, in a guest session with the local service."""

from __future__ import annotations

import subprocess
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from songbird_widgets.local import local_service
from songbird_widgets.profiles import read_profile

SCRIPT = """
import json, pandas, whylogs as why
from whylogs.api.whylabs.session import session

seen = []
for name in ("upload_reference_profiles", "upload_batch_profile"):
    def keep(self, *args, call=getattr(session.GuestSession, name)):
        result = call(self, *args)
        seen.append([result.viewing_url, result.individual_viewing_urls])
        return result
    setattr(session.GuestSession, name, keep)

why.init(upload_on_log=True, allow_local=False)
frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})
why.log(frame, name="foo")
why.log(frame)
why.log(multiple={"foo": frame, "bar": frame.rename(columns={"a": "c"})})
print("PRINTED" + json.dumps(seen))
"""


def selected(link):
    return [value for name, value in parse_qsl(urlsplit(link).query) if name == "profile"]


def test_whylogs_uploads_and_its_links_answer(home, tmp_path, run_whylogs):
    service = local_service.ensure()
    seen, wrote = run_whylogs(SCRIPT, WHYLABS_API_ENDPOINT=service.endpoint)
    (named, [foo]), (unnamed, nothing), (both, singles) = seen
    assert nothing is None
    assert selected(named) == selected(foo)
    assert selected(both) == [name for single in singles for name in selected(single)]

    # whylogs says so too, on its terminal
    assert named in wrote

    token = dict(parse_qsl(urlsplit(named).query))["sessionToken"]
    listing = httpx.get(f"{service.origin}/v0/sessions/{token}/profiles", trust_env=False, timeout=60).json()[
        "profiles"
    ]
    assert [(profile["kind"], profile.get("alias")) for profile in listing] == [
        ("reference", "foo"),
        ("batch", None),
        ("reference", "foo"),
        ("reference", "bar"),
    ]
    columns = []
    for profile in listing:
        blob = home / "blobs" / profile["sha256"][:2] / profile["sha256"]
        columns.append(set(read_profile(blob.read_bytes()).column_names))
    assert columns == [{"a", "b"}, {"a", "b"}, {"a", "b"}, {"c", "b"}]

    assert selected(named) == [listing[0]["id"]]
    assert selected(unnamed) == [str(listing[1]["datasetTimestamp"] // 86_400_000 * 86_400_000)]
    assert selected(both) == [listing[2]["id"], listing[3]["id"]]
    for link in (named, foo, unnamed, both, *singles):
        answer = httpx.get(link, trust_env=False, timeout=60)
        assert answer.status_code == 200
        shown = httpx.get(link.replace("/profiles?", "/profiles.json?"), trust_env=False, timeout=60).json()
        assert len(shown["profiles"]) == len(selected(link))

    # the second call of whylogs found its session alive, and so made no new one
    config = (tmp_path / "whylogs" / "config.ini").read_text()
    assert config.count(token) == 1
    assert token not in (home / "service.log").read_text()


@pytest.fixture
def whylogs_version(whylogs_python):
    code = "import whylogs; print(whylogs.__version__)"
    return subprocess.run([str(whylogs_python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_it_is_the_whylogs_that_people_have(whylogs_version):
    assert whylogs_version == "1.6.4"

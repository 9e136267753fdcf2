"""whylogs itself, unchanged, with an organization's key: its writer, and its session."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from songbird_widgets.profiles import read_profile
from songbird_widgets.service.app import close_app
from songbird_widgets.service.settings import TeamSettings
from songbird_widgets.service.team import data_directory, make_team_app

SCRIPT = """
import datetime, json, pandas, whylogs as why
from whylogs.api.logger.transient import TransientLogger
from whylogs.api.whylabs.session import session
from whylogs.api.writer.whylabs import WhyLabsWriter, WhyLabsTransaction
from whylogs.core.feature_weights import FeatureWeights
from whylogs.core.segmentation_partition import segment_on_column
from whylogs.core.schema import DatasetSchema

told = {}
seen = told["links"] = []
for name in ("upload_reference_profiles", "upload_batch_profile"):
    def keep(self, *args, call=getattr(session.ApiKeySession, name)):
        result = call(self, *args)
        seen.append([result.viewing_url, result.individual_viewing_urls])
        return result
    setattr(session.ApiKeySession, name, keep)

why.init(upload_on_log=True)
frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})
day = datetime.datetime(2026, 7, 8, 5, tzinfo=datetime.timezone.utc)
why.log(frame, name="foo")
why.log(frame)
why.log(multiple={"foo": frame, "bar": frame.rename(columns={"a": "c"})})

writer = WhyLabsWriter()
results = TransientLogger().log(frame.rename(columns={"a": "d"}))
results.set_dataset_timestamp(day)
told["batch"] = writer.write(results)
told["reference"] = WhyLabsWriter().option(reference_profile_name="july").write(results)
told["sync"] = WhyLabsWriter().option(reference_profile_name="sync", prefer_sync=True).write(results)

schema = DatasetSchema(segments=segment_on_column("b"))
segmented = TransientLogger(schema=schema).log(frame.dropna())
segmented.set_dataset_timestamp(day)
told["segmented"] = WhyLabsWriter().write(segmented)
told["segmented reference"] = WhyLabsWriter().option(reference_profile_name="parts").write(segmented)

transaction = WhyLabsWriter()
with WhyLabsTransaction(transaction):
    others = TransientLogger().log(frame.rename(columns={"a": "e"}))
    others.set_dataset_timestamp(day)
    told["in transaction"] = transaction.write(others)
    told["status"] = len(transaction.transaction_status()["files"])
aborted = WhyLabsWriter()
aborted.start_transaction()
told["aborted write"] = aborted.write(results)
aborted.abort_transaction()
try:
    aborted.commit_transaction()
except Exception as error:
    told["abort"] = type(error).__name__

told["weights"] = WhyLabsWriter().write(FeatureWeights({"a": 0.5}))
told["weights kept"] = WhyLabsWriter().get_feature_weights().weights
told["output"] = WhyLabsWriter().tag_output_columns(["b"])
told["metric"] = WhyLabsWriter().tag_custom_performance_column("a")
print("PRINTED" + json.dumps(told))
"""

DAY, JULY_8 = 86_400_000, 1_783_468_800_000


def selected(link):
    return [value for name, value in parse_qsl(urlsplit(link).query) if name == "profile"]


@pytest.fixture
def team(serve, postgresql, object_store):
    """A service for a team and the key of its organization."""
    settings = TeamSettings(
        database_url=postgresql.database(), storage=object_store.place(), storage_endpoint=object_store.endpoint
    )
    with ExitStack() as stack:
        directory = stack.enter_context(data_directory(settings))
        served = serve(lambda: make_team_app(settings, directory), close_app, max_body_size=1 << 20)
        base, app = stack.enter_context(served)
        app.settings["organizations"].create("org-1")
        yield base, app, app.settings["organizations"].create_key("org-1", "whylogs")


def test_whylogs_writes_with_a_key_and_its_links_answer(team, run_whylogs):
    base, app, key = team
    names = {"WHYLABS_API_ENDPOINT": base, "WHYLABS_API_KEY": key, "WHYLABS_DEFAULT_DATASET_ID": "model-7"}
    told, wrote = run_whylogs(SCRIPT, **names)

    def get(link, **options):
        return httpx.get(link, headers={"X-API-Key": key}, trust_env=False, timeout=60, **options)

    answer = get(f"{base}/v0/organizations/org-1/datasets/model-7/profiles")
    assert answer.status_code == 200, answer.text
    listing = answer.json()["profiles"]
    assert sorted(one["alias"] for one in listing if one["kind"] == "reference") == sorted(
        ["foo", "foo", "bar", "july", "sync", "parts (b=x)", "parts (b=y)"]
    )
    batches = [one for one in listing if one["kind"] == "batch"]
    on_july_8 = [one for one in batches if one["datasetTimestamp"] // DAY * DAY == JULY_8]
    assert len(batches) == 5
    assert len(on_july_8) == 4  # whole, two segments, and that of the transaction
    by_id = {one["id"]: one for one in listing}
    for what in ("batch", "reference", "sync", "in transaction"):
        success, profile_id = told[what]
        assert success
        content = app.settings["blobs"].read(by_id[profile_id]["sha256"])
        assert set(read_profile(content).column_names) == {"e" if what == "in transaction" else "d", "b"}
    assert told["segmented"][0]
    assert told["segmented reference"][0]
    assert told["status"] == 1
    assert told["aborted write"][1] not in by_id
    assert told["abort"] == "TransactionAbortedException"
    assert told["weights kept"] == {"a": 0.5}
    assert told["output"][0]
    assert told["metric"][0]

    (named, _), (unnamed, [day]), (both, singles) = told["links"]
    (today,) = {one["datasetTimestamp"] // DAY * DAY for one in batches} - {JULY_8}
    assert selected(unnamed) == selected(day) == [str(today)]
    assert selected(both) == [name for single in singles for name in selected(single)]
    for link in (named, unnamed, both, *singles):
        assert httpx.get(link, trust_env=False, timeout=60).status_code == 401  # members only
        assert get(link).status_code == 200
        shown = get(link.replace("/profiles?", "/profiles.json?")).json()
        assert len(shown["profiles"]) == len(selected(link))
    assert key not in wrote

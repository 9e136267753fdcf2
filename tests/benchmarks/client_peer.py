"""What whylogs 1.6.4 does to upload profiles, for client_speed.py to compare with; runs in whylogs' own environment.

whylogs asks whylabs-client for a slot and calls ``requests.put``, one profile after the other; for references it asks
for all slots at once. (Its pause of two seconds after each call is left out.) Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time

import requests
from whylabs_client import ApiClient, Configuration
from whylabs_client.api.sessions_api import (
    BatchLogReferenceRequest,
    LogAsyncRequest,
    LogReferenceRequest,
    SessionsApi,
)


def main(port, job, count):
    configuration = Configuration(host=f"http://127.0.0.1:{port}", api_key={"ApiKeyAuth": "xxxxxxxxxx." + "x" * 50})
    configuration.discard_unknown_keys = True
    api = SessionsApi(ApiClient(configuration))
    session, content = "session-benchmark", bytes(40_000)

    def slot():
        request = LogAsyncRequest(dataset_timestamp=1373414400000, dataset="model-1", segment_tags=[])
        return api.create_dataset_profile_upload(session, request)

    slot()
    wall, cpu = time.perf_counter(), time.process_time()
    if job == "slots":
        for _ in range(count):
            slot()
    elif job == "batches":
        for _ in range(count):
            requests.put(slot().upload_url, data=content)  # whylogs sets none
    else:
        wanted = [LogReferenceRequest(alias=f"alias {n}", datasetTimestamp=0) for n in range(count)]
        request = BatchLogReferenceRequest(session_id=session, references=wanted)
        answer = api.batch_create_reference_profile_upload(batch_log_reference_request=request, session_id=session)
        for reference in answer.references:
            requests.put(reference.upload_url, data=content)  # whylogs sets none
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    sys.stdout.write(json.dumps({name: value / count for name, value in seconds.items()}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

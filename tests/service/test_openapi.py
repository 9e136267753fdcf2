"""The OpenAPI document says what the service does: schemathesis tries what it allows and much that it does not."""

from __future__ import annotations

import re

import httpx
import hypothesis
import pytest

from songbird_widgets.service.app import close_app
from songbird_widgets.service.openapi import OPERATIONS
from songbird_widgets.service.settings import TeamSettings
from songbird_widgets.service.team import make_team_app


@pytest.fixture(scope="module")
def served(serve, tmp_path_factory):
    """A service: its address, the header with a key, a session, and its organizations."""
    directory = tmp_path_factory.mktemp("openapi")
    made = TeamSettings(data_dir=directory, requests_per_second=0)
    with serve(lambda: make_team_app(made, directory), close_app, max_body_size=1 << 20) as (base, app):
        organizations = app.settings["organizations"]
        organizations.create("org-1")
        key = organizations.create_key("org-1")
        session = app.settings["metadata"].create_session("someone")
        yield base, {"X-API-Key": key}, {"session_id": session, "org_id": "org-1"}, organizations


@pytest.fixture(scope="module")
def schema(served):
    import schemathesis  # here, for it takes a second to load

    return schemathesis.openapi.from_url(f"{served[0]}/openapi.json")


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_schemathesis_finds_it_true(operation, served, schema):
    _, headers, path, organizations = served
    if operation.name == "claim_guest_session":
        path = {**path, "session_id": "session-unknown"}  # the one there is used by the others
    given_path = {name: value for name, value in path.items() if f"{{{name}}}" in operation.path}
    given_query = {}
    if operation.path.startswith("/v1/transaction/"):
        given_query["transaction_id"] = organizations.begin("org-1", "model-1").id

    strategy = schema[operation.path][operation.method.upper()].as_strategy()

    @hypothesis.settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=strategy)
    def run(case):
        case.path_parameters = {**(case.path_parameters or {}), **given_path}
        case.query = {**(case.query or {}), **given_query}
        case.call_and_validate(timeout=120, headers=headers)

    run()


def test_every_operation_of_the_api_is_in_it(served):
    base, *_ = served
    document = httpx.get(f"{base}/openapi.json", trust_env=False, timeout=60).json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": base}]
    named = {one["operationId"] for methods in document["paths"].values() for one in methods.values()}
    assert named == {operation.name for operation in OPERATIONS}
    assert all(re.fullmatch("/v[01]/.*", path) for path in document["paths"])

"""The API as an OpenAPI 3.1 document: ``GET /openapi.json``."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import msgspec
from tornado.web import url

from .. import __version__
from ..client import models
from . import organization_handlers as organizations
from .checks import LAST_TIMESTAMP, LIST_LIMIT, TEXT_LIMIT
from .handler import Handler

_PARAMETER = re.compile(r"{(\w+)}")
_NO_NUL = "^[^\\u0000]*$"
_TEXT: dict[str, Any] = {"maxLength": TEXT_LIMIT, "pattern": _NO_NUL}
_TIME: dict[str, Any] = {"minimum": 0, "maximum": LAST_TIMESTAMP}
_NAME: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"}

_ID: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}

# What the messages' types do not say, by the names of fields.
_BOUNDS: dict[str, dict[str, Any]] = {
    "userId": {**_TEXT, "minLength": 1},
    "alias": {**_TEXT, "minLength": 1},
    "region": _TEXT,
    "key": {**_TEXT, "minLength": 1},
    "value": _TEXT,
    "datasetTimestamp": _TIME,
    "segmentTags": {"maxItems": LIST_LIMIT},
    "segments": {"maxItems": LIST_LIMIT},
    "tags": {"maxItems": LIST_LIMIT},
    "references": {"minItems": 1, "maxItems": LIST_LIMIT},
    "batchProfileTimestamps": {"maxItems": LIST_LIMIT, "items": {"type": "integer", **_TIME}},
    "referenceProfileIds": {"maxItems": LIST_LIMIT, "items": {"type": "string", "minLength": 1, **_TEXT}},
    "datasetId": _NAME,
}


class RequestId(models.Message, frozen=True):
    """What an operation answers that has nothing else to say."""

    request_id: str


@dataclass(frozen=True)
class DescribedOperation:
    """One operation of the API."""

    method: str
    path: str
    name: str
    about: str
    body: Any = None
    answer: Any = None
    keyed: bool = False
    parameters: tuple[dict[str, Any], ...] = ()


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


_SESSION = "/v0/sessions/{session_id}"
_ORGANIZATION = "/v0/organizations/{org_id}"
_PAGING = (
    _query("limit", {"type": "integer", "minimum": 1, "maximum": LIST_LIMIT}),
    _query("after", {"type": "string", "pattern": r"^[0-9]{1,16}\.[A-Za-z0-9-]{1,64}$"}),
)
_TRANSACTION = (_query("transaction_id", {"type": "string", "pattern": _NO_NUL}, required=True),)
_RESOURCE = ({"name": "X-WHYLABS-RESOURCE", "in": "header", "required": True, "schema": _NAME},)

OPERATIONS = (
    DescribedOperation(
        "post",
        "/v0/sessions",
        "create_session",
        "Open a guest session.",
        models.CreateSessionRequest,
        models.CreateSessionResponse,
    ),
    DescribedOperation(
        "get", _SESSION, "get_session", "What is known of a session.", answer=models.GetSessionResponse, keyed=True
    ),
    DescribedOperation(
        "post",
        f"{_SESSION}/upload",
        "create_dataset_profile_upload",
        "A slot for a batch.",
        models.LogAsyncRequest,
        models.CreateDatasetProfileUploadResponse,
    ),
    DescribedOperation(
        "post",
        f"{_SESSION}/reference",
        "create_reference_profile_upload",
        "A slot for a reference.",
        models.LogReferenceRequest,
        models.LogSessionReferenceResponse,
    ),
    DescribedOperation(
        "post",
        f"{_SESSION}/references",
        "batch_create_reference_profile_upload",
        "Slots for several references.",
        models.BatchLogReferenceRequest,
        models.BatchLogSessionReferenceResponse,
    ),
    DescribedOperation(
        "post",
        "/v0/sessions/observatory-link/{session_id}",
        "get_session_profile_observatory_link",
        "The links that show a selection.",
        models.GetProfileObservatoryLinkRequest,
        models.GetProfileObservatoryLinkResponse,
    ),
    DescribedOperation(
        "post",
        f"{_SESSION}/claim",
        "claim_guest_session",
        "Move a session's profiles into an organization and close it.",
        answer=models.ClaimGuestSessionResponse,
        keyed=True,
        parameters=(_query("org_id", _ID, required=True),),
    ),
    DescribedOperation(
        "get",
        f"{_SESSION}/profiles",
        "list_session_profiles",
        "What was uploaded to a session, oldest first.",
        answer=models.ListSessionProfilesResponse,
        parameters=_PAGING,
    ),
    DescribedOperation(
        "post",
        f"{_ORGANIZATION}/log/async/{{dataset_id}}",
        "log_async",
        "A slot for a batch of a dataset, which is made if it is missing.",
        models.LogAsyncRequest,
        organizations.AsyncLogResponse,
        keyed=True,
    ),
    DescribedOperation(
        "post",
        "/v1/log/async",
        "log_profile",
        "The same, for the dataset in a header.",
        models.LogAsyncRequest,
        organizations.AsyncLogResponse,
        keyed=True,
        parameters=_RESOURCE,
    ),
    DescribedOperation(
        "post",
        f"{_ORGANIZATION}/log/reference/{{dataset_id}}",
        "log_reference",
        "A slot for a reference of a dataset.",
        models.LogReferenceRequest,
        organizations.LogReferenceResponse,
        keyed=True,
    ),
    DescribedOperation(
        "post",
        f"{_ORGANIZATION}/log/observatory-link/{{dataset_id}}",
        "get_profile_observatory_link",
        "The links that show a selection to members.",
        models.GetProfileObservatoryLinkRequest,
        models.GetProfileObservatoryLinkResponse,
        keyed=True,
    ),
    DescribedOperation(
        "post",
        f"{_ORGANIZATION}/dataset-profiles/models/{{dataset_id}}/reference-profile",
        "create_reference_profile",
        "A slot for each segment of a reference.",
        organizations.CreateReferenceProfileRequest,
        organizations.CreateReferenceProfileResponse,
        keyed=True,
    ),
    DescribedOperation(
        "get",
        f"{_ORGANIZATION}/datasets/{{dataset_id}}/profiles",
        "list_dataset_profiles",
        "What was uploaded to a dataset, oldest first, at most 1,000 at once.",
        answer=models.ListSessionProfilesResponse,
        keyed=True,
        parameters=_PAGING,
    ),
    DescribedOperation(
        "post",
        "/v1/transaction",
        "start_transaction",
        "Begin a transaction.",
        organizations.TransactionStartRequest,
        organizations.LogTransactionMetadata,
        keyed=True,
    ),
    DescribedOperation(
        "post",
        "/v1/transaction/log",
        "log_transaction",
        "A slot for a batch that appears when the transaction is committed.",
        models.LogAsyncRequest,
        organizations.AsyncLogResponse,
        keyed=True,
        parameters=_TRANSACTION,
    ),
    DescribedOperation(
        "post",
        "/v1/transaction/commit",
        "commit_transaction",
        "Let everything of a transaction appear.",
        organizations.TransactionCommitRequest,
        RequestId,
        keyed=True,
        parameters=_TRANSACTION,
    ),
    DescribedOperation(
        "post",
        "/v1/transaction/abort",
        "abort_transaction",
        "Drop a transaction.",
        answer=RequestId,
        keyed=True,
        parameters=_TRANSACTION,
    ),
)


@functools.cache
def document() -> dict[str, Any]:
    """Return the document, without the server's address."""
    types = [models.ErrorResponse]
    types += [one for operation in OPERATIONS for one in (operation.body, operation.answer) if one is not None]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for schema in components.values():
        for name, field in schema.get("properties", {}).items():
            _bound(field, _BOUNDS.get(name, {}))
    selection = ("batchProfileTimestamps", "referenceProfileIds")
    components["GetProfileObservatoryLinkRequest"]["anyOf"] = [
        {"required": [name], "properties": {name: {"minItems": 1}}} for name in selection
    ]
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Songbird", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
    }


def _bound(field: dict[str, Any], bounds: dict[str, Any]) -> None:
    """Write bounds into the schema of a field, or of what it is when it is not null."""
    for schema in field.get("anyOf", [field]):
        if schema.get("type") != "null":
            schema.update(bounds)


def _described(operation: DescribedOperation) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in _PARAMETER.findall(operation.path)
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.about,
        "parameters": [*parameters, *operation.parameters],
        "responses": {
            "200": {"description": "Done.", "content": _content(operation.answer)},
            "default": {"description": "Not done; the message says why.", "content": _content(models.ErrorResponse)},
        },
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    if operation.keyed:
        described["security"] = [{"ApiKeyAuth": []}]
    return described


def _path_schema(name: str) -> dict[str, Any]:
    return _NAME if name == "dataset_id" else _ID


def _content(message: Any) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{message.__name__}"}}}


class OpenAPI(Handler):
    """``GET /openapi.json``."""

    operation = "openapi"

    def get(self) -> None:
        self.answer({**document(), "servers": [{"url": self.origin}]})


def routes() -> list[Any]:
    """The address of the document."""
    return [url("/openapi.json", OpenAPI)]

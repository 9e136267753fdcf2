"""The organization side of the API: what whylogs' writer and its session with an API key ask for, and a listing.

The organization is the key's. Where an address names one, it must be that one.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, cast

import msgspec
from tornado.web import url

from ..client import models
from .checks import LIST_LIMIT, check_batch, check_count, check_references, check_text
from .datasets import (
    DatasetOperation,
    ListingHandler,
    check_selection,
    new_batch,
    new_reference,
    organization_of_key,
    upload_time,
)
from .errors import Forbidden, InvalidArgument, ResourceNotFound
from .organizations import check_name
from .rows import NewProfile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tornado.routing import URLSpec

    from .arrivals import Arrivals
    from .handler import Handler
    from .organizations import Organizations
    from .rows import Arrival

_UNKNOWN_COLUMN = {"classifier": "input", "dataType": "unknown", "discreteness": "unknown"}


class Segment(models.Message, frozen=True):
    """A segment of a dataset."""

    tags: tuple[models.SegmentTag, ...]


class AsyncLogResponse(models.Message, frozen=True):
    """A slot for a batch of an organization."""

    id: str
    model_id: str
    upload_url: str
    upload_timestamp: int
    tags: Segment


class LogReferenceResponse(models.Message, frozen=True):
    """A slot for a reference of an organization."""

    id: str
    model_id: str
    alias: str
    upload_url: str
    upload_timestamp: int


class CreateReferenceProfileRequest(models.Message, frozen=True):
    """A reference whose segments are about to be uploaded, each by itself."""

    alias: str | None = None
    dataset_timestamp: int | None = None
    segments: tuple[Segment, ...] = msgspec.field(default_factory=lambda: ())
    region: str | None = None


class CreateReferenceProfileResponse(models.Message, frozen=True):
    """Slots for the segments of a reference."""

    id: str
    alias: str
    dataset_id: str
    segments: tuple[Segment, ...]
    upload_urls: tuple[str, ...]
    upload_timestamp: int


class TransactionStartRequest(models.Message, frozen=True):
    """Begin a transaction for a dataset."""

    dataset_id: str


class TransactionCommitRequest(models.Message, frozen=True):
    """End a transaction."""

    verbose: bool = False


class LogTransactionMetadata(models.Message, frozen=True):
    """A transaction; `expiration_time` in ms."""

    org_id: str
    dataset_id: str
    transaction_id: str
    expiration_time: int
    aborted: bool


async def _organization(handler: Handler, org_id: str) -> None:
    """Refuse who has no key of an organization."""
    owner = await organization_of_key(handler)
    if not hmac.compare_digest(owner.encode(), org_id.encode("utf-8", "replace")):
        raise Forbidden(f"The API key belongs to organization {owner}, and the address names another one.", "org_id")


def _alias(alias: str | None) -> str | None:
    return alias or None  # whylogs sends an empty one for none


class _Operation(DatasetOperation):
    @property
    def organizations(self) -> Organizations:
        return cast("Organizations", self.settings["organizations"])

    def announce(
        self, org_id: str, dataset_id: str, profiles: Sequence[NewProfile], transaction_id: str | None = None
    ) -> list[tuple[str, str]]:
        """Return id and upload URL of a slot for each profile; blocks."""
        self.room.check_disk()
        ids = self.organizations.announce(org_id, dataset_id, profiles, transaction_id)
        return [(slot.profile_id, slot.upload_url) for slot in self.slots(org_id, dataset_id, ids)]

    async def answer_batch(
        self, org_id: str, dataset_id: str, message: models.LogAsyncRequest, transaction_id: str | None = None
    ) -> None:
        """Answer with a slot for a batch."""
        ((profile_id, upload_url),) = await self.work(
            self.announce, org_id, dataset_id, [new_batch(message)], transaction_id
        )
        self.answer(AsyncLogResponse(profile_id, dataset_id, upload_url, upload_time(), Segment(message.segment_tags)))


class LogAsync(_Operation):
    """``POST /v0/organizations/{org}/log/async/{dataset}``: a slot for a batch."""

    operation = "log_async"

    async def post(self, org_id: str, dataset_id: str) -> None:
        await _organization(self, org_id)
        message = self.message(models.LogAsyncRequest)
        check_batch(message)
        await self.answer_batch(org_id, check_name(dataset_id, "A dataset", "dataset_id"), message)


class LogProfile(_Operation):
    """``POST /v1/log/async``: the same, for the dataset in the header ``X-WHYLABS-RESOURCE``."""

    operation = "log_profile"

    async def post(self) -> None:
        org_id = await organization_of_key(self)
        message = self.message(models.LogAsyncRequest)
        check_batch(message)
        dataset_id = self.request.headers.get("X-WHYLABS-RESOURCE", "")
        await self.answer_batch(org_id, check_name(dataset_id, "A dataset", "X-WHYLABS-RESOURCE"), message)


class LogReference(_Operation):
    """``POST /v0/organizations/{org}/log/reference/{dataset}``: a slot for a reference."""

    operation = "log_reference"

    async def post(self, org_id: str, dataset_id: str) -> None:
        await _organization(self, org_id)
        message = self.message(models.LogReferenceRequest)
        message = msgspec.structs.replace(message, alias=_alias(message.alias))
        check_references([message], "")
        check_name(dataset_id, "A dataset", "dataset_id")
        ((profile_id, upload_url),) = await self.work(self.announce, org_id, dataset_id, [new_reference(message)])
        alias = message.alias or profile_id
        self.answer(LogReferenceResponse(profile_id, dataset_id, alias, upload_url, upload_time()))


class CreateReferenceProfile(_Operation):
    """``POST /v0/organizations/{org}/dataset-profiles/models/{dataset}/reference-profile``: a slot for each segment.

    Each segment is a reference of its own, whose alias names it; the id that is answered is the first one's.
    """

    operation = "create_reference_profile"

    async def post(self, org_id: str, dataset_id: str) -> None:
        await _organization(self, org_id)
        message = self.message(CreateReferenceProfileRequest)
        check_name(dataset_id, "A dataset", "dataset_id")
        check_count(message.segments, "segments")
        alias = _alias(message.alias)
        whole = models.LogReferenceRequest(alias, message.dataset_timestamp, message.region)
        check_references([whole], "")
        profiles = []
        for index, segment in enumerate(message.segments):
            check_count(segment.tags, f"segments[{index}].tags")
            for tag in segment.tags:
                check_text(tag.key, f"segments[{index}].tags.key")
                check_text(tag.value, f"segments[{index}].tags.value", empty=True)
            shown = ", ".join(f"{tag.key}={tag.value}" for tag in segment.tags)
            named = f"{alias or 'reference'} ({shown})" if shown else alias
            tags = tuple((tag.key, tag.value) for tag in segment.tags)
            profiles.append(NewProfile("reference", named, message.dataset_timestamp, tags, message.region))
        slots = await self.work(self.announce, org_id, dataset_id, profiles or [new_reference(whole)])
        first = slots[0][0]
        urls = tuple(upload_url for _, upload_url in slots)
        segments = message.segments
        self.answer(CreateReferenceProfileResponse(first, alias or first, dataset_id, segments, urls, upload_time()))


class GetProfileObservatoryLink(_Operation):
    """``POST /v0/organizations/{org}/log/observatory-link/{dataset}``: the links that show a selection to members."""

    operation = "get_profile_observatory_link"

    async def post(self, org_id: str, dataset_id: str) -> None:
        await _organization(self, org_id)
        message = self.message(models.GetProfileObservatoryLinkRequest)
        check_selection(message)
        if not await self.work(self.metadata.has_dataset, org_id, dataset_id):
            raise ResourceNotFound(f"Resource dataset with ID {dataset_id[:40]} not found.", "dataset_id")
        self.answer(await self.links(message, org_id, dataset_id))


class ListDatasetProfiles(ListingHandler):
    """``GET /v0/organizations/{org}/datasets/{dataset}/profiles``: what was uploaded, at most 1,000 at once."""

    operation = "list_dataset_profiles"

    async def get(self, org_id: str, dataset_id: str) -> None:
        await _organization(self, org_id)

        def find() -> tuple[str, str]:
            if not self.metadata.has_dataset(org_id, dataset_id):
                raise ResourceNotFound(f"Resource dataset with ID {dataset_id[:40]} not found.", "dataset_id")
            return org_id, dataset_id

        await self.answer_listing(find, most=LIST_LIMIT)


class Transactions(_Operation):
    """``/v1/transaction``: begin one (``POST``), or ask which profiles it has (``GET``)."""

    operation = "transaction"

    async def get(self) -> None:
        org_id = await organization_of_key(self)
        found = await self.work(self.organizations.transaction, org_id, self.get_query_argument("transaction_id", ""))
        self.answer({"files": await self.work(self.organizations.uploads_of, found)})

    async def post(self) -> None:
        org_id = await organization_of_key(self)
        message = self.message(TransactionStartRequest)
        dataset_id = check_name(message.dataset_id, "A dataset", "datasetId")
        made = await self.work(self.organizations.begin, org_id, dataset_id)
        self.answer(LogTransactionMetadata(org_id, dataset_id, made.id, made.expires, aborted=False))


class LogTransaction(_Operation):
    """``POST /v1/transaction/log?transaction_id=``: a slot for a batch that appears with the others."""

    operation = "log_transaction"

    async def post(self) -> None:
        org_id = await organization_of_key(self)
        message = self.message(models.LogAsyncRequest)
        check_batch(message)
        found = await self.work(self.organizations.transaction, org_id, self.get_query_argument("transaction_id", ""))
        if found.state != "open":
            raise ResourceNotFound(f"This transaction is {found.state} already.", "transaction_id")
        await self.answer_batch(org_id, found.dataset_id, message, found.id)


class CommitTransaction(_Operation):
    """``POST /v1/transaction/commit?transaction_id=``."""

    operation = "commit_transaction"

    async def post(self) -> None:
        org_id = await organization_of_key(self)
        self.message(TransactionCommitRequest)
        for arrival in await self.work(self._commit, org_id, self.get_query_argument("transaction_id", "")):
            cast("Arrivals", self.settings["arrivals"]).add(arrival)
        self.answer({"requestId": self.request_id})

    def _commit(self, org_id: str, transaction_id: str) -> list[Arrival]:
        found = self.organizations.transaction(org_id, transaction_id)
        self.upload_urls.take(org_id, found.dataset_id)
        return self.organizations.commit(org_id, transaction_id)


class AbortTransaction(_Operation):
    """``POST /v1/transaction/abort?transaction_id=``."""

    operation = "abort_transaction"

    async def post(self) -> None:
        org_id = await organization_of_key(self)
        await self.work(self.organizations.abort, org_id, self.get_query_argument("transaction_id", ""))
        self.answer({"requestId": self.request_id})


class _Document(_Operation):
    """What a client keeps with a dataset: any JSON object."""

    async def kept(self, org_id: str, dataset_id: str, name: str) -> tuple[dict[str, Any], int, int] | None:
        found = await self.work(self.organizations.document, org_id, dataset_id, name)
        return None if found is None else (msgspec.json.decode(found["content"]), found["version"], found["changed"])

    async def keep(self, org_id: str, dataset_id: str, name: str) -> None:
        await _organization(self, org_id)
        check_name(dataset_id, "A dataset", "dataset_id")
        content = msgspec.json.encode(self.message(dict[str, Any])).decode()
        await self.work(self.organizations.keep_document, org_id, dataset_id, name, content)
        self.answer({"requestId": self.request_id})


class ColumnWeights(_Document):
    """``/v0/organizations/{org}/dataset/{dataset}/weights``: weights of the columns."""

    operation = "column_weights"

    async def get(self, org_id: str, dataset_id: str) -> None:
        await _organization(self, org_id)
        kept = await self.kept(org_id, dataset_id, "weights")
        if kept is None:
            raise ResourceNotFound("This dataset has no weights.", "dataset_id")
        content, version, changed = kept
        metadata = {"author": org_id, "version": version, "updatedTimestamp": changed}
        self.answer({"segmentWeights": content.get("segmentWeights", []), "metadata": metadata})

    async def put(self, org_id: str, dataset_id: str) -> None:
        await self.keep(org_id, dataset_id, "weights")


class ColumnSchema(_Document):
    """``/v0/organizations/{org}/models/{dataset}/schema/column/{column}``: whether it is an input or an output."""

    operation = "entity_schema_column"

    async def get(self, org_id: str, dataset_id: str, column: str) -> None:
        await _organization(self, org_id)
        kept = await self.kept(org_id, dataset_id, _named("column", column))
        self.answer(_UNKNOWN_COLUMN if kept is None else kept[0])

    async def put(self, org_id: str, dataset_id: str, column: str) -> None:
        await self.keep(org_id, dataset_id, _named("column", column))


class MetricSchema(_Document):
    """``PUT /v0/organizations/{org}/models/{dataset}/schema/metric``: a column that is a performance metric."""

    operation = "entity_schema_metric"

    async def put(self, org_id: str, dataset_id: str) -> None:
        message = self.message(dict[str, Any])
        label = message.get("label")
        if not isinstance(label, str):
            raise InvalidArgument("label is missing.", "label")
        await self.keep(org_id, dataset_id, _named("metric", label))


def _named(kind: str, name: str) -> str:
    check_text(name, kind)
    return f"{kind}/{name}"


def routes() -> list[URLSpec]:
    """The addresses of the organization side."""
    organization = "/v0/organizations/([^/]+)"
    return [
        url(f"{organization}/log/async/([^/]+)", LogAsync),
        url(f"{organization}/log/reference/([^/]+)", LogReference),
        url(f"{organization}/log/observatory-link/([^/]+)", GetProfileObservatoryLink),
        url(f"{organization}/dataset-profiles/models/([^/]+)/reference-profile", CreateReferenceProfile),
        url(f"{organization}/datasets/([^/]+)/profiles", ListDatasetProfiles),
        url(f"{organization}/dataset/([^/]+)/weights", ColumnWeights),
        url(f"{organization}/models/([^/]+)/schema/column/([^/]+)", ColumnSchema),
        url(f"{organization}/models/([^/]+)/schema/metric", MetricSchema),
        url("/v1/log/async", LogProfile),
        url("/v1/transaction", Transactions),
        url("/v1/transaction/log", LogTransaction),
        url("/v1/transaction/commit", CommitTransaction),
        url("/v1/transaction/abort", AbortTransaction),
    ]

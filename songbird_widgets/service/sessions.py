"""The seven operations of the sessions API, and the listing of a session's profiles."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from tornado.web import url

from songbird_widgets.client import models

from .errors import Forbidden, InvalidArgument, ResourceNotFound, Unauthorized
from .handler import Handler, JsonHandler
from .metadata import NewProfile, SessionRow, day_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tornado.routing import URLSpec

    from .uploads import UploadSigner

#: How many profiles the observatory shows side by side.
SIDE_BY_SIDE = 3

_LAST_TIMESTAMP = 253_402_300_799_999  # the end of the year 9999, the last that datetime knows
_TEXT_LIMIT = 1_000
_LIST_LIMIT = 1_000


def observatory_url(origin: str, dataset_id: str, profiles: Sequence[str], session_id: str) -> str:
    """The address of the page that shows `profiles`: reference ids, or batch days in ms."""
    query = urlencode([*(("profile", profile) for profile in profiles), ("sessionToken", session_id)])
    return f"{origin}/resources/{dataset_id}/profiles?{query}"


def _check_text(text: str, parameter: str, *, empty: bool = False) -> None:
    if not text and not empty:
        raise InvalidArgument(f"{parameter} is empty.", parameter)
    if len(text) > _TEXT_LIMIT:
        raise InvalidArgument(f"{parameter} is longer than {_TEXT_LIMIT} characters.", parameter)
    if "\0" in text:
        raise InvalidArgument(f"{parameter} contains a NUL character.", parameter)


def _check_timestamp(timestamp: int, parameter: str) -> None:
    if not 0 <= timestamp <= _LAST_TIMESTAMP:
        raise InvalidArgument(
            f"{parameter} is no time between the years 1970 and 9999 in milliseconds since 1970 (UTC).",
            parameter,
        )


def _now() -> int:
    """Now in ms: generated clients cannot read a slot without the time of the upload."""
    return time.time_ns() // 1_000_000


def _check_count(items: Sequence[object], parameter: str) -> None:
    if len(items) > _LIST_LIMIT:
        raise InvalidArgument(f"{parameter} has {len(items)} entries; send at most {_LIST_LIMIT}.", parameter)


class CreateSession(JsonHandler):
    """``POST /v0/sessions``, through the endpoint with the secret only."""

    operation = "create_session"

    async def admit(self) -> None:
        # The application lets no wrong secret through, so having one is enough here.
        if not (self.request.uri or "").startswith("/k/"):
            raise Forbidden(
                "Sessions are created through the service's own endpoint, which holds a secret of its user: "
                "`songbird-widgets status` prints it."
            )

    async def post(self) -> None:
        message = self.message(models.CreateSessionRequest)
        _check_text(message.user_id, "userId")
        self.answer(models.CreateSessionResponse(id=await self.work(self.metadata.create_session, message.user_id)))


class GetSession(Handler):
    """``GET /v0/sessions/{session_id}``, with any API key that this service knows."""

    operation = "get_session"

    async def delete(self, session_id: str) -> None:
        """End the session and remove its profiles: for whoever has its id, as all of it is."""
        await self.work(self.retention.delete_session, session_id)
        self.answer({})

    async def get(self, session_id: str) -> None:
        await _organization(self)
        session = await self.work(self.metadata.session, session_id)
        self.answer(
            models.GetSessionResponse(
                session=models.SessionMetadata(
                    session_id=session.session_id,
                    org_id=session.org_id,
                    model_id=session.dataset_id,
                    user_id=session.user_id,
                )
            )
        )


class _SessionOperation(JsonHandler):
    """An operation on a session whose id is all that it takes."""

    @property
    def signer(self) -> UploadSigner:
        return cast("UploadSigner", self.settings["upload_signer"])

    def link(self, session: SessionRow, profiles: Sequence[str]) -> str:
        return observatory_url(self.origin, session.dataset_id, profiles, session.session_id)

    async def announce_references(
        self, session_id: str, references: Sequence[models.LogReferenceRequest], parameter: str
    ) -> tuple[SessionRow, tuple[models.LogSessionReferenceResponse, ...]]:
        """Slots for reference profiles; `parameter` says how to name the fields of each in errors."""
        for index, reference in enumerate(references):
            prefix = parameter.format(index)
            if reference.alias is not None:
                _check_text(reference.alias, f"{prefix}alias")
            if reference.dataset_timestamp is not None:
                _check_timestamp(reference.dataset_timestamp, f"{prefix}datasetTimestamp")
            if reference.region is not None:
                _check_text(reference.region, f"{prefix}region", empty=True)
        profiles = [
            NewProfile("reference", alias=item.alias, dataset_timestamp=item.dataset_timestamp, region=item.region)
            for item in references
        ]
        session, ids = await self.work(self.metadata.announce, session_id, profiles)
        return session, tuple(
            models.LogSessionReferenceResponse(
                id=profile_id,
                model_id=session.dataset_id,
                # The published client insists on an alias, so a nameless reference is called by its id.
                alias=profile_id if reference.alias is None else reference.alias,
                observatory_url=self.link(session, [profile_id]),
                upload_url=self.signer.url(self.origin, profile_id),
                upload_timestamp=_now(),
            )
            for profile_id, reference in zip(ids, references, strict=True)
        )


class CreateDatasetProfileUpload(_SessionOperation):
    """``POST /v0/sessions/{session_id}/upload``: a slot for a batch."""

    operation = "create_dataset_profile_upload"

    async def post(self, session_id: str) -> None:
        message = self.message(models.LogAsyncRequest)
        _check_timestamp(message.dataset_timestamp, "datasetTimestamp")
        _check_count(message.segment_tags, "segmentTags")
        for index, tag in enumerate(message.segment_tags):
            _check_text(tag.key, f"segmentTags[{index}].key")
            _check_text(tag.value, f"segmentTags[{index}].value", empty=True)
        if message.region is not None:
            _check_text(message.region, "region", empty=True)
        profile = NewProfile(
            "batch",
            dataset_timestamp=message.dataset_timestamp,
            segment_tags=tuple((tag.key, tag.value) for tag in message.segment_tags),
            region=message.region,
        )
        session, (profile_id,) = await self.work(self.metadata.announce, session_id, [profile])
        self.answer(
            models.CreateDatasetProfileUploadResponse(
                id=profile_id,
                dataset_id=session.dataset_id,
                observatory_url=self.link(session, [str(day_start(message.dataset_timestamp))]),
                upload_url=self.signer.url(self.origin, profile_id),
                upload_timestamp=_now(),
                # What the generated clients of 2023 read in place of the dataset's id.
                model_id=session.dataset_id,
            )
        )


class CreateReferenceProfileUpload(_SessionOperation):
    """``POST /v0/sessions/{session_id}/reference``: a slot for one reference profile."""

    operation = "create_reference_profile_upload"

    async def post(self, session_id: str) -> None:
        message = self.message(models.LogReferenceRequest)
        _, (slot,) = await self.announce_references(session_id, [message], "")
        self.answer(slot)


class BatchCreateReferenceProfileUpload(_SessionOperation):
    """``POST /v0/sessions/{session_id}/references``: slots for several reference profiles."""

    operation = "batch_create_reference_profile_upload"

    async def post(self, session_id: str) -> None:
        references = self.message(models.BatchLogReferenceRequest).references
        if not references:
            raise InvalidArgument("references is empty: name at least one reference profile.", "references")
        _check_count(references, "references")
        session, slots = await self.announce_references(session_id, references, "references[{}].")
        self.answer(
            models.BatchLogSessionReferenceResponse(
                references=slots,
                observatory_url=self.link(session, [slot.id for slot in slots[:SIDE_BY_SIDE]]),
            )
        )


class GetSessionProfileObservatoryLink(_SessionOperation):
    """``POST /v0/sessions/observatory-link/{session_id}``: the links that show a selection."""

    operation = "get_session_profile_observatory_link"

    async def post(self, session_id: str) -> None:
        message = self.message(models.GetProfileObservatoryLinkRequest)
        timestamps, references = message.batch_profile_timestamps, message.reference_profile_ids
        _check_count(timestamps, "batchProfileTimestamps")
        _check_count(references, "referenceProfileIds")
        for index, timestamp in enumerate(timestamps):
            _check_timestamp(timestamp, f"batchProfileTimestamps[{index}]")
        for index, profile_id in enumerate(references):
            _check_text(profile_id, f"referenceProfileIds[{index}]")
        session = await self.work(self.metadata.session, session_id)
        if not timestamps and not references:
            raise InvalidArgument(
                "Nothing is selected: name one to three in batchProfileTimestamps or referenceProfileIds."
            )
        unknown = await self.work(self.metadata.unknown_references, session, references)
        if unknown:
            named = ", ".join(profile_id[:40] for profile_id in unknown[:SIDE_BY_SIDE])
            more = f" and {len(unknown) - SIDE_BY_SIDE} more" if len(unknown) > SIDE_BY_SIDE else ""
            raise ResourceNotFound(
                f"Resource reference profile with ID {named}{more} not found.", "referenceProfileIds"
            )
        profiles = [*references, *(str(day_start(timestamp)) for timestamp in timestamps)]
        different = list(dict.fromkeys(profiles))  # two times of one day are one batch, shown once
        self.answer(
            models.GetProfileObservatoryLinkResponse(
                observatory_url=self.link(session, different[:SIDE_BY_SIDE]),
                individual_observatory_urls=tuple(self.link(session, [profile]) for profile in profiles),
            )
        )


class ClaimGuestSession(JsonHandler):
    """``POST /v0/sessions/{session_id}/claim?org_id=``, with a key of that organization and no body."""

    operation = "claim_guest_session"

    async def post(self, session_id: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        await _organization(self)
        org_id = self.get_query_argument("org_id", "")
        if not org_id:
            raise InvalidArgument("org_id is missing: name the organization that claims the session.", "org_id")
        key = self.request.headers["X-API-Key"]
        await self.work(self.metadata.claim, session_id, org_id, key)
        self.answer(models.ClaimGuestSessionResponse())


class ListSessionProfiles(Handler):
    """``GET /v0/sessions/{session_id}/profiles``: what was uploaded; an addition to the contract.

    With ``limit=`` (1 to 1,000) it answers so many at most and says where it goes on: ``next``, to be sent as
    ``after=``. What is uploaded later comes later, so that one can also ask for what is new.
    """

    operation = "list_session_profiles"

    async def get(self, session_id: str) -> None:
        after, limit = self._after(), self._limit()
        session = await self.work(self.metadata.session, session_id)
        more = None if limit is None else limit + 1
        rows = await self.work(self.metadata.profiles, session.org_id, session.dataset_id, after=after, limit=more)
        goes_on = limit is not None and len(rows) > limit
        rows = rows[:limit]
        self.answer(
            models.ListSessionProfilesResponse(
                dataset_id=session.dataset_id,
                profiles=tuple(
                    models.ListedProfile(
                        id=row.id,
                        kind=row.kind,
                        upload_timestamp=row.upload_timestamp or 0,
                        size=row.size or 0,
                        sha256=row.sha256 or "",
                        alias=row.alias,
                        dataset_timestamp=row.dataset_timestamp,
                    )
                    for row in rows
                ),
                next=f"{rows[-1].upload_timestamp}.{rows[-1].id}" if goes_on else None,
                expires=await self.work(self.retention.expires, session_id),
            )
        )

    def _limit(self) -> int | None:
        text = self.get_query_argument("limit", None)
        if text is None:
            return None
        if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= _LIST_LIMIT:
            raise InvalidArgument(f"limit is no number from 1 to {_LIST_LIMIT}.", "limit")
        return int(text)

    def _after(self) -> tuple[int, str]:
        text = self.get_query_argument("after", "")
        if not text:
            return (0, "")
        found = _AFTER.fullmatch(text)
        if not found:
            raise InvalidArgument("after is not what an earlier listing gave as next.", "after")
        return int(found[1]), found[2]


class DeleteProfile(Handler):
    """``DELETE /v0/sessions/{session_id}/profiles/{profile_id}``; an addition to the contract."""

    operation = "delete_profile"

    async def delete(self, session_id: str, profile_id: str) -> None:
        await self.work(self.retention.delete_profile, session_id, profile_id)
        self.answer({})


_LIMIT = re.compile("[0-9]{1,4}")
_AFTER = re.compile(r"([0-9]{1,16})\.([A-Za-z0-9-]{1,64})")


async def _organization(handler: Handler) -> str:
    """The organization whose key came with the request."""
    key = handler.request.headers.get("X-API-Key")
    if not key:
        raise Unauthorized("This operation needs an API key in the header X-API-Key.")
    organization = await handler.work(handler.metadata.organization_for_key, key)
    if organization is None:
        raise Unauthorized("This API key is not known to this service.")
    return organization


def routes() -> list[URLSpec]:
    """The addresses of the sessions API."""
    session = "/v0/sessions/([^/]+)"
    return [
        url("/v0/sessions", CreateSession),
        url("/v0/sessions/observatory-link/([^/]+)", GetSessionProfileObservatoryLink),
        url(session, GetSession),
        url(f"{session}/upload", CreateDatasetProfileUpload),
        url(f"{session}/reference", CreateReferenceProfileUpload),
        url(f"{session}/references", BatchCreateReferenceProfileUpload),
        url(f"{session}/claim", ClaimGuestSession),
        url(f"{session}/profiles", ListSessionProfiles),
        url(f"{session}/profiles/([^/]+)", DeleteProfile),
    ]

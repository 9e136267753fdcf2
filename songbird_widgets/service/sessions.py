"""The seven operations of the sessions API, and the listing of a session's profiles."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tornado.web import url

from ..basics import MAX_COMPARED
from ..client import models
from ..secret import Secret
from .checks import check_batch, check_count, check_references, check_text
from .datasets import (
    DatasetOperation,
    ListingHandler,
    check_selection,
    new_batch,
    new_reference,
    organization_of_key,
    upload_time,
)
from .errors import Forbidden, InvalidArgument, ResourceGone, ResourceNotFound
from .handler import Handler, JsonHandler
from .rows import day_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tornado.routing import URLSpec

    from .datasets import UploadSlot
    from .rows import NewProfile, SessionRow


class CreateSession(JsonHandler):
    """``POST /v0/sessions``; of a local service through the endpoint with the secret only."""

    operation = "create_session"

    async def admit(self) -> None:
        # The application lets no wrong secret through, so having one is enough here.
        if self.settings["endpoint_is_secret"] and not (self.request.uri or "").startswith("/k/"):
            raise Forbidden(
                "Sessions are created through the service's own endpoint, which holds a secret of its user: "
                "`songbird-widgets status` prints it."
            )

    async def post(self) -> None:
        message = self.message(models.CreateSessionRequest)
        check_text(message.user_id, "userId")
        self.room.check_disk()
        self.answer(models.CreateSessionResponse(id=await self.work(self.metadata.create_session, message.user_id)))


class GetSession(Handler):
    """``GET /v0/sessions/{session_id}``, with any API key that this service knows."""

    operation = "get_session"

    async def delete(self, session_id: str) -> None:
        """End the session and remove its profiles: for whoever has its id, as all of it is."""
        await self.work(self.retention.delete_session, session_id)
        self.answer({})

    async def get(self, session_id: str) -> None:
        await organization_of_key(self)
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


class NameSession(JsonHandler):
    """``POST /v0/sessions/{session_id}/name``: what its owner calls it."""

    operation = "name_session"

    async def post(self, session_id: str) -> None:
        message = self.message(models.SessionName)
        if message.name is not None:
            check_text(message.name, "name")
        await self.work(self.metadata.name_session, session_id, message.name)
        self.answer(models.NameSessionResponse())


class _SessionOperation(DatasetOperation):
    """An operation on a session whose id is all that it takes."""

    def link(self, session: SessionRow, profiles: Sequence[str]) -> str:
        return self.observatory_url(session.dataset_id, profiles, session.session_id)

    def announce(self, session_id: str, profiles: Sequence[NewProfile]) -> tuple[SessionRow, list[UploadSlot]]:
        """Slots for profiles, in the order given; blocks."""
        self.room.check_disk()
        if "direct_uploads" in self.settings and self.settings["quotas"].is_filling(self.metadata.held(session_id)[0]):
            # What a store has taken is counted when it is found there.
            found = self.metadata.session(session_id)
            self.upload_urls.take(found.org_id, found.dataset_id)
        session, ids = self.metadata.announce(session_id, profiles)
        return session, self.slots(session.org_id, session.dataset_id, ids)

    async def announce_references(
        self, session_id: str, references: Sequence[models.LogReferenceRequest], parameter: str
    ) -> tuple[SessionRow, tuple[models.LogSessionReferenceResponse, ...]]:
        """Slots for reference profiles; `parameter` says how to name the fields of each in errors."""
        check_references(references, parameter)
        session, slots = await self.work(self.announce, session_id, [new_reference(one) for one in references])
        return session, tuple(
            models.LogSessionReferenceResponse(
                id=slot.profile_id,
                model_id=session.dataset_id,
                # The published client insists on an alias, so a nameless reference is called by its id.
                alias=slot.profile_id if reference.alias is None else reference.alias,
                observatory_url=self.link(session, [slot.profile_id]),
                upload_url=slot.upload_url,
                upload_timestamp=upload_time(),
            )
            for slot, reference in zip(slots, references, strict=True)
        )


class CreateDatasetProfileUpload(_SessionOperation):
    """``POST /v0/sessions/{session_id}/upload``: a slot for a batch."""

    operation = "create_dataset_profile_upload"

    async def post(self, session_id: str) -> None:
        message = self.message(models.LogAsyncRequest)
        check_batch(message)
        session, (slot,) = await self.work(self.announce, session_id, [new_batch(message)])
        self.answer(
            models.CreateDatasetProfileUploadResponse(
                id=slot.profile_id,
                dataset_id=session.dataset_id,
                observatory_url=self.link(session, [str(day_start(message.dataset_timestamp))]),
                upload_url=slot.upload_url,
                upload_timestamp=upload_time(),
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
        check_count(references, "references")
        session, slots = await self.announce_references(session_id, references, "references[{}].")
        self.answer(
            models.BatchLogSessionReferenceResponse(
                references=slots,
                observatory_url=self.link(session, [slot.id for slot in slots[:MAX_COMPARED]]),
            )
        )


class GetSessionProfileObservatoryLink(_SessionOperation):
    """``POST /v0/sessions/observatory-link/{session_id}``: the links that show a selection."""

    operation = "get_session_profile_observatory_link"

    async def post(self, session_id: str) -> None:
        message = self.message(models.GetProfileObservatoryLinkRequest)
        check_selection(message)
        session = await self.work(self.metadata.session, session_id)
        self.answer(await self.links(message, session.org_id, session.dataset_id, session.session_id))


class ClaimGuestSession(JsonHandler):
    """``POST /v0/sessions/{session_id}/claim?org_id=``, with a key of that organization and no body."""

    operation = "claim_guest_session"

    async def post(self, session_id: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        await organization_of_key(self)
        org_id = self.get_query_argument("org_id", "")
        if not org_id:
            raise InvalidArgument("org_id is missing: name the organization that claims the session.", "org_id")
        key = Secret(self.request.headers["X-API-Key"])
        await self.work(self._claim, session_id, org_id, key)
        self.answer(models.ClaimGuestSessionResponse())

    def _claim(self, session_id: str, org_id: str, key: Secret) -> None:
        with contextlib.suppress(ResourceNotFound, ResourceGone):  # said by the claim, after what is wrong with the key
            session = self.metadata.session(session_id)
            self.upload_urls.take(session.org_id, session.dataset_id)
        self.metadata.claim(session_id, org_id, key)


class ListSessionProfiles(ListingHandler):
    """``GET /v0/sessions/{session_id}/profiles``: what was uploaded."""

    operation = "list_session_profiles"

    async def get(self, session_id: str) -> None:
        def find() -> tuple[str, str]:
            session = self.metadata.session(session_id)
            return session.org_id, session.dataset_id

        await self.answer_listing(find, expires=lambda: self.retention.expires(session_id))


class DeleteProfile(Handler):
    """``DELETE /v0/sessions/{session_id}/profiles/{profile_id}``; an addition to the contract."""

    operation = "delete_profile"

    async def delete(self, session_id: str, profile_id: str) -> None:
        await self.work(self.retention.delete_profile, session_id, profile_id)
        self.answer({})


def routes() -> list[URLSpec]:
    """The addresses of the sessions API."""
    session = "/v0/sessions/([^/]+)"
    return [
        url("/v0/sessions", CreateSession),
        url("/v0/sessions/observatory-link/([^/]+)", GetSessionProfileObservatoryLink),
        url(session, GetSession),
        url(f"{session}/name", NameSession),
        url(f"{session}/upload", CreateDatasetProfileUpload),
        url(f"{session}/reference", CreateReferenceProfileUpload),
        url(f"{session}/references", BatchCreateReferenceProfileUpload),
        url(f"{session}/claim", ClaimGuestSession),
        url(f"{session}/profiles", ListSessionProfiles),
        url(f"{session}/profiles/([^/]+)", DeleteProfile),
    ]

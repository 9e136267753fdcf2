"""What a guest session and an organization do alike with a dataset: slots, links, the listing of its profiles."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec

from ..basics import MAX_COMPARED
from ..client import models
from ..secret import Secret
from .checks import LIST_LIMIT, check_count, check_text, check_timestamp
from .errors import InvalidArgument, ResourceNotFound, TookTooLong, Unauthorized
from .handler import Handler, JsonHandler
from .rows import NewProfile, day_start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .rows import ProfileRow

LISTING_SECONDS = 120.0
"""How long a listing without ``limit=`` may take."""

_NO_PROFILES = b'"profiles":[]'
_LIMIT = re.compile("[0-9]{1,4}")
_AFTER = re.compile(r"([0-9]{1,16})\.([A-Za-z0-9-]{1,64})")


@dataclass(frozen=True)
class UploadSlot:
    """A profile that was announced, and where its bytes are to be put."""

    profile_id: str
    upload_url: str = field(repr=False)


def upload_time() -> int:
    """Return the time now in ms: generated clients cannot read a slot without the time of the upload."""
    return time.time_ns() // 1_000_000


def new_batch(message: models.LogAsyncRequest) -> NewProfile:
    """Return what is known of a batch when its slot is asked for."""
    tags = tuple((tag.key, tag.value) for tag in message.segment_tags)
    return NewProfile("batch", dataset_timestamp=message.dataset_timestamp, segment_tags=tags, region=message.region)


def new_reference(message: models.LogReferenceRequest) -> NewProfile:
    """Return what is known of a reference when its slot is asked for."""
    return NewProfile(
        "reference", alias=message.alias, dataset_timestamp=message.dataset_timestamp, region=message.region
    )


async def organization_of_key(handler: Handler) -> str:
    """Return the organization whose key came with a request.

    Raises
    ------
    Unauthorized
        When none did, or none that is known.
    """
    key = Secret(handler.request.headers.get("X-API-Key", ""))
    if not key.reveal():
        raise Unauthorized("This operation needs an API key in the header X-API-Key.")
    organization = await handler.work(handler.metadata.organization_for_key, key)
    if organization is None:
        raise Unauthorized("This API key is not known to this service.")
    return organization


class DatasetOperation(JsonHandler):
    """An operation on a dataset."""

    def slots(self, org_id: str, dataset_id: str, profile_ids: Sequence[str]) -> list[UploadSlot]:
        """Return where the bytes of profiles are to be put; may block."""
        key = (self.origin, org_id, dataset_id)
        return [UploadSlot(profile_id, self.upload_urls.url(*key, profile_id)) for profile_id in profile_ids]

    def observatory_url(self, dataset_id: str, profiles: Sequence[str], token: str | None = None) -> str:
        """Return the address of the page that shows profiles: reference ids, or batch days in ms."""
        query = [("profile", profile) for profile in profiles]
        if token is not None:
            query.append(("sessionToken", token))
        return f"{self.origin}/resources/{quote(dataset_id, safe='')}/profiles?{urlencode(query)}"

    async def links(
        self, message: models.GetProfileObservatoryLinkRequest, org_id: str, dataset_id: str, token: str | None = None
    ) -> models.GetProfileObservatoryLinkResponse:
        """Return the links that show a selection, which `check_selection` has let through.

        Raises
        ------
        InvalidArgument
            When nothing is selected.
        ResourceNotFound
            When a reference is unknown.
        """
        timestamps, references = message.batch_profile_timestamps, message.reference_profile_ids
        if not timestamps and not references:
            raise InvalidArgument(
                "Nothing is selected: name one to three in batchProfileTimestamps or referenceProfileIds."
            )
        unknown = await self.work(self.metadata.unknown_references, org_id, dataset_id, references)
        if unknown:
            named = ", ".join(profile_id[:40] for profile_id in unknown[:MAX_COMPARED])
            more = f" and {len(unknown) - MAX_COMPARED} more" if len(unknown) > MAX_COMPARED else ""
            raise ResourceNotFound(
                f"Resource reference profile with ID {named}{more} not found.", "referenceProfileIds"
            )
        profiles = [*references, *(str(day_start(timestamp)) for timestamp in timestamps)]
        different = list(dict.fromkeys(profiles))  # two times of one day are one batch, shown once
        return models.GetProfileObservatoryLinkResponse(
            observatory_url=self.observatory_url(dataset_id, different[:MAX_COMPARED], token),
            individual_observatory_urls=tuple(self.observatory_url(dataset_id, [one], token) for one in profiles),
        )


def check_selection(message: models.GetProfileObservatoryLinkRequest) -> None:
    """Refuse a selection whose times and ids cannot be any."""
    timestamps, references = message.batch_profile_timestamps, message.reference_profile_ids
    check_count(timestamps, "batchProfileTimestamps")
    check_count(references, "referenceProfileIds")
    for index, timestamp in enumerate(timestamps):
        check_timestamp(timestamp, f"batchProfileTimestamps[{index}]")
    for index, profile_id in enumerate(references):
        check_text(profile_id, f"referenceProfileIds[{index}]")


class ListingHandler(Handler):
    """A listing of uploaded profiles, oldest upload first; an addition to the contract.

    With ``limit=`` (1 to 1,000) it answers so many at most and says where it goes on: ``next``, to be sent as
    ``after=``. What is uploaded later comes later, so that one can also ask for what is new. Without, all are sent,
    some at a time, as they are read.
    """

    async def answer_listing(
        self,
        find: Callable[[], tuple[str, str]],
        *,
        most: int | None = None,
        expires: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Answer with the profiles of a dataset.

        Parameters
        ----------
        find
            Returns organization and dataset, or raises; blocks.
        most
            How many without ``limit=``.
        expires
            Returns when all of it expires, in ms, or None; blocks.
        """
        after, given = self._after(), self._limit(most)
        limit = given or LIST_LIMIT
        key, rows = await self.work(self._list, find, after, limit + 1)
        goes_on = len(rows) > limit
        rows = rows[:limit]
        answer = models.ListSessionProfilesResponse(
            dataset_id=key[1],
            profiles=tuple(listed(row) for row in rows),
            next=_place(rows) if goes_on else None,
            expires=await self.work(expires),
        )
        if goes_on and given is None:
            await self._stream(key, answer, rows)
        else:
            self.answer(answer)

    def _list(
        self, find: Callable[[], tuple[str, str]], after: tuple[int, str], limit: int
    ) -> tuple[tuple[str, str], list[ProfileRow]]:
        key = find()
        self.upload_urls.take(*key)
        return key, self.metadata.profiles(*key, after=after, limit=limit)

    async def _stream(
        self, key: tuple[str, str], answer: models.ListSessionProfilesResponse, rows: list[ProfileRow]
    ) -> None:
        """Send all profiles of a dataset, of which the first have been found."""
        frame = msgspec.json.encode(msgspec.structs.replace(answer, profiles=(), next=None))
        place = frame.index(_NO_PROFILES) + len(_NO_PROFILES) - 1
        left = LISTING_SECONDS
        self.set_header("Content-Type", "application/json")
        self.write(frame[:place])
        while rows:
            self.write(msgspec.json.encode([listed(row) for row in rows])[1:-1])
            await self.flush()  # a reader who is slow is waited for
            began, after = time.monotonic(), (rows[-1].upload_timestamp or 0, rows[-1].id)
            rows = await self.work(self.metadata.profiles, *key, after=after, limit=LIST_LIMIT)
            left -= time.monotonic() - began
            if left < 0:
                raise TookTooLong("The listing took longer than an answer may.")
            self.write(b"," if rows else b"")
        await self.finish(frame[place:])

    def _limit(self, most: int | None) -> int | None:
        text = self.get_query_argument("limit", None)
        if text is None:
            return most
        if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= LIST_LIMIT:
            raise InvalidArgument(f"limit is no number from 1 to {LIST_LIMIT}.", "limit")
        return int(text)

    def _after(self) -> tuple[int, str]:
        text = self.get_query_argument("after", "")
        if not text:
            return (0, "")
        found = _AFTER.fullmatch(text)
        if not found:
            raise InvalidArgument("after is not what an earlier listing gave as next.", "after")
        return int(found[1]), found[2]


def _place(rows: Sequence[ProfileRow]) -> str:
    """Return where a listing goes on."""
    return f"{rows[-1].upload_timestamp}.{rows[-1].id}"


def listed(row: ProfileRow) -> models.ListedProfile:
    """Return an uploaded profile as listings and exports have it."""
    return models.ListedProfile(
        id=row.id,
        kind=row.kind,
        upload_timestamp=row.upload_timestamp or 0,
        size=row.size or 0,
        sha256=row.sha256 or "",
        alias=row.alias,
        dataset_timestamp=row.dataset_timestamp,
        rows=row.rows,
        columns=row.columns,
    )

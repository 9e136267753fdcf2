"""What is written of uploads: each is confirmed once, and the days follow.

What `GroupCommit` runs returns a result or an exception for each item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from . import quotas, tables
from .errors import ResourceGone, ResourceNotFound
from .quotas import Held
from .rows import Arrival, DayRow, UploadRow, day_row, now_ms, select_uploads
from .session_writes import refusal_of
from .tables import chained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping, Sequence

    from .errors import ServiceError
    from .quotas import Quotas
    from .rows import Figures


def confirm_uploads(
    connection: sa.Connection, uploads: Sequence[UploadRow], limits: Quotas
) -> list[Arrival | Exception]:
    """Note uploads of one transaction of the database.

    No transaction's time of upload is that of another, so that whoever lists what came after a certain one
    (`profiles`) misses none.
    """
    slots = _slots(connection, {upload.profile_id for upload in uploads})
    held = quotas.held(connection, {slot["session_id"] for slot in slots.values() if slot["session_id"]})
    more: dict[str, Held] = {}
    results: list[Arrival | Exception] = []
    kept: dict[str, UploadRow] = {}
    staged: dict[str, UploadRow] = {}
    for upload in uploads:
        slot = slots.get(upload.profile_id)
        if slot is None:
            results.append(_no_slot())
        elif slot["transaction_state"] == "aborted":
            results.append(ResourceGone("The transaction of this upload was aborted."))
        # What the store has taken of a claimed session goes where the others went.
        elif (refusal := refusal_of(slot)) and (upload.etag is None or slot["claimed"] is None):
            results.append(refusal)
        elif refused := _take_room(slot, upload, held, more, limits):
            results.append(refused)
        else:
            if slot["claimed"] is not None:
                slot = {**slot, "org_id": slot["claimed_by"], "dataset_id": slot["claimed_dataset"]}
                slots[upload.profile_id] = slot
            results.append(Arrival(slot["org_id"], slot["dataset_id"], slot["day"], upload.sha256, upload.profile_id))
            if upload.etag is None or upload.etag != slot["etag"]:  # else another replica was faster
                (staged if slot["transaction_state"] == "open" else kept)[upload.profile_id] = upload
    _write_uploads(connection, slots, staged, None)
    if kept:
        _show_uploads(connection, slots, kept)
    quotas.change(connection, more, held)
    return results


def _take_room(
    slot: MutableMapping[str, Any], upload: UploadRow, held: Mapping[str, Held], more: dict[str, Held], limits: Quotas
) -> ServiceError | None:
    """Count the bytes of an upload in its session; return why there is no room for them."""
    session = held.get(slot["session_id"]) if slot["session_id"] else None
    if session is None:  # an organization's
        return None
    size = upload.size - slot["held"]
    # What a store has taken already was promised a place with its slot.
    if size > 0 and upload.etag is None and (refused := limits.refusal(session, held[tables.ALL_SESSIONS], 0, size)):
        return refused
    for count in (session, held[tables.ALL_SESSIONS], more.setdefault(slot["session_id"], Held())):
        count.add(0, size)
    slot["held"] = upload.size
    return None


def _show_uploads(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, UploadRow]
) -> None:
    """Note uploads that are to be listed and shown from now on."""
    now = _next_upload(connection)
    kept = _without_twins(connection, slots, uploads, now)
    _write_uploads(connection, slots, kept, now)
    _note_days(connection, [(slots[one.profile_id], one) for one in sorted(kept.values(), key=_by_id)])


def _write_uploads(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, UploadRow], now: int | None
) -> None:
    if uploads:
        rows = [
            {
                "profile_id": one.profile_id,
                "org": slots[one.profile_id]["org_id"],
                "dataset": slots[one.profile_id]["dataset_id"],
                "bytes": one.size,
                "hash": one.sha256,
                "etag_taken": one.etag,
                "now": now,
            }
            for one in uploads.values()
        ]
        connection.execute(_TAKEN, rows)


_TAKEN = (
    tables.profiles.update()
    .where(tables.profiles.c.id == sa.bindparam("profile_id"))
    .values(
        uploaded=sa.bindparam("now"),
        org_id=sa.bindparam("org"),
        dataset_id=sa.bindparam("dataset"),
        same_as=None,
        size=sa.bindparam("bytes"),
        etag=sa.bindparam("etag_taken"),
        sha256=sa.bindparam("hash"),
        blob=sa.bindparam("hash"),
        data_rows=None,
        data_columns=None,
    )
)


def note_figures(connection: sa.Connection, figures: Sequence[Sequence[Figures]]) -> list[Exception | None]:
    """Note what data of profiles hold, for the listing."""
    rows = [{"profile_id": one.profile_id, "some": one.rows, "wide": one.columns} for some in figures for one in some]
    if rows:
        connection.execute(_COUNTED, rows)
    return [None] * len(figures)


_COUNTED = (
    tables.profiles.update()
    .where(tables.profiles.c.id == sa.bindparam("profile_id"))
    .values(data_rows=sa.bindparam("some"), data_columns=sa.bindparam("wide"))
)


def confirm_committed(connection: sa.Connection, transaction_id: str) -> list[Arrival]:
    """Let the uploads of a client's transaction, which is being committed, appear at one moment."""
    profiles = tables.profiles.c
    query = sa.select(profiles.id, profiles.size, profiles.sha256, profiles.etag).where(
        profiles.transaction_id == transaction_id, profiles.sha256.is_not(None)
    )
    uploads = {row.id: UploadRow(row.id, row.size, row.sha256, row.etag) for row in connection.execute(query)}
    slots = _slots(connection, uploads)
    if uploads:
        _show_uploads(connection, slots, uploads)
    return [
        Arrival(slot["org_id"], slot["dataset_id"], slot["day"], slot["sha256"], slot["id"]) for slot in slots.values()
    ]


def _next_upload(connection: sa.Connection) -> int:
    last = connection.execute(_CLOCK).scalar() or 0
    now = max(now_ms(), last + 1)
    connection.execute(_SET_CLOCK, {"last_upload": now})
    return now


_CLOCK = sa.select(tables.clock.c.last_upload)
_SET_CLOCK = tables.clock.update()


def _without_twins(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, UploadRow], now: int
) -> dict[str, UploadRow]:
    """Leave out what is there already: equal content of one day, or of references of one name, is one profile.

    It may arrive twice when a kernel that was killed had sent it, and the next one sends it again.
    """
    profiles = tables.profiles.c
    by_dataset: dict[tuple[str, str], list[UploadRow]] = {}
    for one in uploads.values():
        slot = slots[one.profile_id]
        by_dataset.setdefault((slot["org_id"], slot["dataset_id"]), []).append(one)
    rest: dict[str, UploadRow] = {}
    for (org_id, dataset_id), some in by_dataset.items():
        given = {"org": org_id, "dataset": dataset_id, "hashes": list({one.sha256 for one in some})}
        own = [slots[one.profile_id] for one in some]
        days = list({slot["day"] for slot in own if slot["day"] is not None})
        aliases = list({slot["alias"] for slot in own if slot["day"] is None and slot["alias"] is not None})
        rows = [*connection.execute(_OF_DAYS, {**given, "days": days})] if days else []
        rows += [*connection.execute(_OF_ALIASES, {**given, "aliases": aliases})] if aliases else []
        rows = [row for row in rows if row.uploaded is not None]
        known: dict[tuple[Any, ...], str] = {tuple(row[2:]): row.id for row in rows}
        replaced: list[str] = []
        for one in some:
            slot = slots[one.profile_id]
            what = (one.sha256, *(slot[name] for name in _ALIKE))
            twin = known.setdefault(what, one.profile_id)
            if slot["uploaded"] is not None and slot["sha256"] != one.sha256:
                replaced.append(one.profile_id)
                known.pop((slot["sha256"], *what[1:]), None)
            nameless = (
                slot["kind"] == "reference" and slot["alias"] is None
            )  # it is called by its id, so none is like it
            if twin == one.profile_id or nameless:
                if slot["uploaded"] is None or slot["sha256"] != one.sha256:
                    rest[one.profile_id] = one
                continue
            connection.execute(
                tables.profiles.update()
                .where(profiles.id == one.profile_id)
                .values(
                    uploaded=None,
                    same_as=twin,
                    org_id=org_id,
                    dataset_id=dataset_id,
                    size=one.size,
                    sha256=one.sha256,
                    blob=one.sha256,
                    etag=one.etag,
                )
            )
        if replaced:
            _release_twins(connection, [slots[profile_id] for profile_id in replaced], now)
            renew_days(connection, {(org_id, dataset_id, slots[profile_id]["day"]) for profile_id in replaced})
    return rest


_ALIKE = ("kind", "day", "alias", "segment_tags")
_OF_CONTENT = sa.select(
    *(tables.profiles.c[name] for name in ("id", "uploaded", "sha256", *_ALIKE)),
).where(
    tables.profiles.c.org_id == sa.bindparam("org"),
    tables.profiles.c.dataset_id == sa.bindparam("dataset"),
    tables.profiles.c.sha256.in_(sa.bindparam("hashes", expanding=True)),
)
# By the index of contents: equal content of other days may be all that a dataset holds, and a day have many uploads.
# SQLite would take the index of days if the time of upload were asked for.
_OF_DAYS = _OF_CONTENT.where(tables.profiles.c.day.in_(sa.bindparam("days", expanding=True)))
_OF_ALIASES = _OF_CONTENT.where(
    tables.profiles.c.day.is_(None), tables.profiles.c.alias.in_(sa.bindparam("aliases", expanding=True))
)


def _release_twins(connection: sa.Connection, slots: Sequence[Mapping[Any, Any]], now: int) -> None:
    """Have the first twin of each profile whose content was replaced stand for that content."""
    profiles = tables.profiles.c
    for slot in slots:
        query = sa.select(profiles.id).where(
            profiles.sha256 == slot["sha256"],
            profiles.org_id == slot["org_id"],
            profiles.dataset_id == slot["dataset_id"],
            profiles.same_as == slot["id"],
        )
        twins = list(connection.execute(query.order_by(profiles.announced)).scalars())
        for twin in twins:
            values = {"same_as": None, "uploaded": now} if twin == twins[0] else {"same_as": twins[0]}
            connection.execute(tables.profiles.update().where(profiles.id == twin).values(**values))


def _by_id(upload: UploadRow) -> str:
    return upload.profile_id


def _note_days(connection: sa.Connection, uploads: Sequence[tuple[Mapping[Any, Any], UploadRow]]) -> None:
    """Add uploads of one transaction, in the order of their ids, to their days."""
    by_day: dict[tuple[str, str, int], list[tuple[Mapping[Any, Any], UploadRow]]] = {}
    for slot, upload in uploads:
        if slot["day"] is not None:
            by_day.setdefault((slot["org_id"], slot["dataset_id"], slot["day"]), []).append((slot, upload))
    for key, added in by_day.items():
        given = dict(zip(("org", "dataset", "of_day"), key, strict=True))
        row = connection.execute(_DAY, given).mappings().first()
        before = DayRow(key[2], 0, 0, "") if row is None else day_row(row)
        if all(slot["uploaded"] is None for slot, _ in added):
            values = {
                "uploads": before.uploads + len(added),
                "size": before.size + sum(upload.size for _, upload in added),
                "digest": chained(before.digest, (upload.sha256 for _, upload in added)),
            }
        else:  # put once more to the same slot
            values = _whole_day(connection, key)
        if row is None:
            names = dict(zip(("org_id", "dataset_id", "day"), key, strict=True))
            connection.execute(tables.days.insert(), {**names, **values})
        else:
            connection.execute(_CHANGE_DAY, {**given, **values})


_ONE_DAY = (
    tables.days.c.org_id == sa.bindparam("org"),
    tables.days.c.dataset_id == sa.bindparam("dataset"),
    tables.days.c.day == sa.bindparam("of_day"),
)
_DAY = sa.select(*(tables.days.c[name] for name in ("day", "uploads", "size", "digest"))).where(*_ONE_DAY)
_CHANGE_DAY = tables.days.update().where(*_ONE_DAY)


def renew_days(connection: sa.Connection, keys: Iterable[tuple[str, str, int | None]]) -> None:
    """Gather days anew from their uploads."""
    for org_id, dataset_id, day in keys:
        if day is None:
            continue
        where = (tables.days.c.org_id == org_id, tables.days.c.dataset_id == dataset_id, tables.days.c.day == day)
        connection.execute(tables.days.delete().where(*where))
        values = _whole_day(connection, (org_id, dataset_id, day))
        if values["uploads"]:
            connection.execute(tables.days.insert().values(org_id=org_id, dataset_id=dataset_id, day=day, **values))


def _whole_day(connection: sa.Connection, key: tuple[str, str, int]) -> dict[str, Any]:
    query = (
        select_uploads(*key[:2])
        .where(tables.profiles.c.day == key[2])
        .order_by(tables.profiles.c.uploaded, tables.profiles.c.id)
    )
    uploads = connection.execute(query).all()
    return {
        "uploads": len(uploads),
        "size": sum(row.size for row in uploads),
        "digest": chained("", (row.sha256 for row in uploads)),
    }


def _slots(connection: sa.Connection, profile_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    rows = connection.execute(_SLOTS, {"ids": list(profile_ids)}).mappings()
    return {row["id"]: dict(row) for row in rows}


_SLOTS = (
    sa.select(
        *(
            tables.profiles.c[name]
            for name in (
                "id",
                "session_id",
                "org_id",
                "dataset_id",
                "day",
                "uploaded",
                "sha256",
                "kind",
                "alias",
                "segment_tags",
                "etag",
            )
        ),
        sa.func.coalesce(tables.profiles.c.size, 0).label("held"),
        *(tables.sessions.c[name] for name in ("ended", "ended_why", "claimed", "claimed_by", "claimed_dataset")),
        tables.transactions.c.state.label("transaction_state"),
    )
    .join_from(tables.profiles, tables.sessions, tables.profiles.c.session_id == tables.sessions.c.id, isouter=True)
    .join(tables.transactions, tables.profiles.c.transaction_id == tables.transactions.c.id, isouter=True)
    .where(tables.profiles.c.id.in_(sa.bindparam("ids", expanding=True)))
)


def _no_slot() -> ResourceNotFound:
    return ResourceNotFound("This upload slot does not exist. Ask for a new one.")

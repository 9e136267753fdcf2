"""What is written of uploads: each is confirmed once, and the days follow.

What `GroupCommit` runs returns a result or an exception for each item.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from . import quotas, tables
from .errors import ResourceGone, ResourceNotFound
from .group_commit import MAX_GROUP
from .quotas import Held
from .rows import Arrival, UploadRow, now_ms, select_uploads
from .session_writes import refusal_of
from .statements import Statement
from .tables import chained

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence

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
    held = _held(slots.values())
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
    now = max(now_ms(), next(iter(slots.values()))["last_upload"] + 1)
    _SET_CLOCK.run(connection, [{"last_upload": now}])
    kept, renewed = _without_twins(connection, slots, uploads, now)
    _write_uploads(connection, slots, kept, now)
    _note_days(connection, [(slots[one.profile_id], one) for one in sorted(kept.values(), key=_by_id)], renewed)


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
        _TAKEN.run(connection, rows)


_TAKEN = Statement(
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


_SET_CLOCK = Statement(tables.clock.update().values(last_upload=sa.bindparam("last_upload")))


def _without_twins(
    connection: sa.Connection, slots: Mapping[str, Mapping[Any, Any]], uploads: Mapping[str, UploadRow], now: int
) -> tuple[dict[str, UploadRow], set[tuple[str, str, int | None]]]:
    """Leave out what is there already: equal content of one day, or of references of one name, is one profile.

    It may arrive twice when a kernel that was killed had sent it, and the next one sends it again. Returns the rest,
    and the days that were gathered anew because a content of theirs was replaced.
    """
    profiles = tables.profiles.c
    by_dataset: dict[tuple[str, str], list[UploadRow]] = {}
    for one in uploads.values():
        slot = slots[one.profile_id]
        by_dataset.setdefault((slot["org_id"], slot["dataset_id"]), []).append(one)
    rest: dict[str, UploadRow] = {}
    renewed: set[tuple[str, str, int | None]] = set()
    for (org_id, dataset_id), some in by_dataset.items():
        given = {"org": org_id, "dataset": dataset_id}
        hashes = list({one.sha256 for one in some})
        own = [slots[one.profile_id] for one in some]
        days = list({slot["day"] for slot in own if slot["day"] is not None})
        aliases = list({slot["alias"] for slot in own if slot["day"] is None and slot["alias"] is not None})
        rows = _find(connection, _of_days, given, hashes, days) if days else []
        rows += _find(connection, _of_aliases, given, hashes, aliases) if aliases else []
        known: dict[tuple[Any, ...], str] = {row[2:]: row[0] for row in rows if row[1] is not None}
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
            of_dataset = {(org_id, dataset_id, slots[profile_id]["day"]) for profile_id in replaced}
            renew_days(connection, of_dataset)
            renewed |= of_dataset
    return rest, renewed


_ALIKE = ("kind", "day", "alias", "segment_tags")
_OF_CONTENT = sa.select(
    *(tables.profiles.c[name] for name in ("id", "uploaded", "sha256", *_ALIKE)),
).where(
    tables.profiles.c.org_id == sa.bindparam("org"),
    tables.profiles.c.dataset_id == sa.bindparam("dataset"),
)


# By the index of contents: equal content of other days may be all that a dataset holds, and a day have many uploads.
# SQLite would take the index of days if the time of upload were asked for.
@functools.cache
def _of_days(hashes: int, days: int) -> Statement:
    profiles = tables.profiles.c
    return Statement(_OF_CONTENT.where(_among(profiles.sha256, "hash", hashes), _among(profiles.day, "of", days)))


@functools.cache
def _of_aliases(hashes: int, aliases: int) -> Statement:
    profiles = tables.profiles.c
    named = profiles.day.is_(None), _among(profiles.alias, "of", aliases)
    return Statement(_OF_CONTENT.where(_among(profiles.sha256, "hash", hashes), *named))


def _find(
    connection: sa.Connection,
    statement: Callable[[int, int], Statement],
    given: Mapping[str, str],
    hashes: Sequence[str],
    others: Sequence[Any],
) -> list[tuple[Any, ...]]:
    """Return the rows of a dataset that have one of some hashes, and one of some days or aliases."""
    rows: list[tuple[Any, ...]] = []
    for some in _groups(hashes):
        for few in _groups(others):
            named = {**given, **_numbered("hash", some), **_numbered("of", few)}
            rows += statement(len(some), len(few)).rows(connection, named)
    return rows


def _groups(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values, some at a time; what is asked for twice fills up, so that there are few statements."""
    for start in range(0, len(values), MAX_GROUP):
        some = list(values[start : start + MAX_GROUP])
        yield some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))


def _among(column: sa.Column[Any], name: str, count: int) -> sa.ColumnElement[bool]:
    return column.in_([sa.bindparam(f"{name}_{number}", type_=column.type) for number in range(count)])


def _numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{name}_{number}": value for number, value in enumerate(values)}


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


def _note_days(
    connection: sa.Connection,
    uploads: Sequence[tuple[Mapping[Any, Any], UploadRow]],
    renewed: Collection[tuple[str, str, int | None]],
) -> None:
    """Add uploads of one transaction, in the order of their ids, to their days."""
    by_day: dict[tuple[str, str, int], list[tuple[Mapping[Any, Any], UploadRow]]] = {}
    for slot, upload in uploads:
        if slot["day"] is not None:
            by_day.setdefault((slot["org_id"], slot["dataset_id"], slot["day"]), []).append((slot, upload))
    changed: list[dict[str, Any]] = []
    for key, added in by_day.items():
        if key in renewed or any(slot["uploaded"] is not None for slot, _ in added):  # put once more to the same slot
            renew_days(connection, [key])
            continue
        before = added[0][0]
        more = {
            **dict(zip(("of_org", "of_dataset", "of_day"), key, strict=True)),
            "more": (before["day_uploads"] or 0) + len(added),
            "bytes": (before["day_size"] or 0) + sum(upload.size for _, upload in added),
            "chain": chained(before["day_digest"] or "", (upload.sha256 for _, upload in added)),
        }
        if before["day_uploads"] is None:
            _NEW_DAY.run(connection, [more])
        else:
            changed.append(more)
    if changed:
        _CHANGE_DAY.run(connection, changed)


_DAY_VALUES: dict[str, Any] = {
    "uploads": sa.bindparam("more"),
    "size": sa.bindparam("bytes"),
    "digest": sa.bindparam("chain"),
}
_NEW_DAY = Statement(
    tables.days.insert().values(
        org_id=sa.bindparam("of_org"), dataset_id=sa.bindparam("of_dataset"), day=sa.bindparam("of_day"), **_DAY_VALUES
    )
)
_CHANGE_DAY = Statement(
    tables.days.update()
    .where(
        tables.days.c.org_id == sa.bindparam("of_org"),
        tables.days.c.dataset_id == sa.bindparam("of_dataset"),
        tables.days.c.day == sa.bindparam("of_day"),
    )
    .values(**_DAY_VALUES)
)


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
    """Return slots with all that is asked of them: their sessions, what these hold, and their days, as they are."""
    slots: dict[str, dict[str, Any]] = {}
    for ids in _groups(list(profile_ids)):
        for row in _slots_among(len(ids)).rows(connection, _numbered("id", ids)):
            slots[row[0]] = dict(zip(_SLOT_NAMES, row, strict=True))
    return slots


def _held(slots: Iterable[Mapping[str, Any]]) -> dict[str, Held]:
    """Return what the sessions of slots hold, and all sessions, as `quotas.held` does."""
    held: dict[str, Held] = {}
    for slot in slots:
        held[tables.ALL_SESSIONS] = Held(slot["guest_profiles"], slot["guest_bytes"])
        if slot["session_bytes"] is not None:
            held[slot["session_id"]] = Held(slot["session_profiles"], slot["session_bytes"])
    return held


_of_session, _of_all = tables.usage.alias("of_session"), tables.usage.alias("of_all")
_SLOT_COLUMNS = {
    **{
        name: tables.profiles.c[name]
        for name in (
            *("id", "session_id", "org_id", "dataset_id", "day", "uploaded", "sha256", "kind", "alias"),
            *("segment_tags", "etag"),
        )
    },
    "held": sa.func.coalesce(tables.profiles.c.size, 0),
    **{name: tables.sessions.c[name] for name in ("ended", "ended_why", "claimed", "claimed_by", "claimed_dataset")},
    "transaction_state": tables.transactions.c.state,
    "session_profiles": _of_session.c.profiles,
    "session_bytes": _of_session.c.size,
    "guest_profiles": _of_all.c.profiles,
    "guest_bytes": _of_all.c.size,
    "last_upload": tables.clock.c.last_upload,
    "day_uploads": tables.days.c.uploads,
    "day_size": tables.days.c.size,
    "day_digest": tables.days.c.digest,
}
_SLOT_NAMES = tuple(_SLOT_COLUMNS)
# What was put to a claimed session's slots belongs where its profiles are by now.
_of_its_day = (
    (tables.days.c.org_id == sa.func.coalesce(tables.sessions.c.claimed_by, tables.profiles.c.org_id))
    & (tables.days.c.dataset_id == sa.func.coalesce(tables.sessions.c.claimed_dataset, tables.profiles.c.dataset_id))
    & (tables.days.c.day == tables.profiles.c.day)
)
_SLOTS = sa.select(*_SLOT_COLUMNS.values()).select_from(
    tables.profiles.outerjoin(tables.sessions, tables.profiles.c.session_id == tables.sessions.c.id)
    .outerjoin(tables.transactions, tables.profiles.c.transaction_id == tables.transactions.c.id)
    .outerjoin(_of_session, tables.profiles.c.session_id == _of_session.c.session_id)
    .outerjoin(tables.days, _of_its_day)
    .join(_of_all, _of_all.c.session_id == sa.literal_column("''"))
    .join(tables.clock, sa.true())
)


@functools.cache
def _slots_among(count: int) -> Statement:
    return Statement(_SLOTS.where(_among(tables.profiles.c.id, "id", count)))


def _no_slot() -> ResourceNotFound:
    return ResourceNotFound("This upload slot does not exist. Ask for a new one.")

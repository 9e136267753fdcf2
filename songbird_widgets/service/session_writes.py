"""What is written of sessions: they begin, take slots for profiles, and are claimed.

What `GroupCommit` runs returns a result or an exception for each item.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..local.identity import random_text
from . import quotas, tables
from .errors import ResourceGone, ResourceNotFound
from .group_commit import one_by_one
from .quotas import Held
from .rows import SessionRow, day_start, now_ms, session_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .errors import ServiceError
    from .quotas import Quotas
    from .rows import NewProfile


def create_sessions(connection: sa.Connection, user_ids: Sequence[str], limits: Quotas) -> list[str | Exception]:
    """Begin a session for each user, in an organization and a dataset of its own; return their ids."""
    created, guests = now_ms(), quotas.held(connection, ())[tables.ALL_SESSIONS]
    results: list[str | Exception] = []
    made = []
    for user_id in user_ids:
        refusal = limits.refusal(Held(), guests, 1, 0)
        if refusal is not None:
            results.append(refusal)
            continue
        guests.add(1, 0)
        session_id = f"session-{random_text(24)}"
        made.append((session_id, f"org-{random_text(12)}", user_id))
        results.append(session_id)
    if made:
        connection.execute(tables.organizations.insert(), [{"id": org_id, "created": created} for _, org_id, _ in made])
        connection.execute(
            tables.datasets.insert(), [{"org_id": org_id, "id": "model-1", "created": created} for _, org_id, _ in made]
        )
        connection.execute(
            tables.sessions.insert(),
            [
                {"id": session_id, "org_id": org_id, "dataset_id": "model-1", "user_id": user_id, "created": created}
                for session_id, org_id, user_id in made
            ],
        )
        quotas.begin(connection, [session_id for session_id, _, _ in made])
    return results


@one_by_one
def name_sessions(connection: sa.Connection, named: tuple[str, str | None]) -> None:
    """Keep what its owner calls an open session."""
    session_id, name = named
    open_session(connection, session_id)
    connection.execute(tables.sessions.update().where(tables.sessions.c.id == session_id).values(name=name))


@one_by_one
def claim_sessions(connection: sa.Connection, claim: tuple[str, str]) -> str:
    """Move the profiles of a session into a new dataset of an organization; return the id of that."""
    session_id, org_id = claim
    now = now_ms()
    session = open_session(connection, session_id)
    taken = connection.execute(sa.select(tables.datasets.c.id).where(tables.datasets.c.org_id == org_id)).scalars()
    numbers = [int(text) for text in (name.removeprefix("model-") for name in taken) if text.isdecimal()]
    dataset_id = f"model-{max(numbers, default=0) + 1}"
    connection.execute(tables.datasets.insert().values(org_id=org_id, id=dataset_id, created=now))
    connection.execute(
        tables.profiles.update()
        .where(
            tables.profiles.c.session_id == session.session_id,
            tables.profiles.c.uploaded.is_not(None) | tables.profiles.c.same_as.is_not(None),
        )
        .values(org_id=org_id, dataset_id=dataset_id)
    )
    connection.execute(
        tables.days.update()
        .where(tables.days.c.org_id == session.org_id, tables.days.c.dataset_id == session.dataset_id)
        .values(org_id=org_id, dataset_id=dataset_id)
    )
    connection.execute(
        tables.sessions.update()
        .where(tables.sessions.c.id == session.session_id)
        .values(claimed=now, claimed_by=org_id, claimed_dataset=dataset_id)
    )
    quotas.end(connection, session.session_id)
    return dataset_id


def new_ids(profiles: Sequence[NewProfile]) -> list[str]:
    """Return an id for each of several profiles."""
    return [("log-" if profile.kind == "batch" else "ref-") + random_text(16) for profile in profiles]


def slot_rows(
    key: tuple[str, str],
    ids: Sequence[str],
    profiles: Sequence[NewProfile],
    *,
    session_id: str | None = None,
    transaction_id: str | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of profiles of a dataset whose bytes are to come."""
    now = now_ms()
    return [
        {
            "id": profile_id,
            "session_id": session_id,
            "transaction_id": transaction_id,
            "org_id": key[0],
            "dataset_id": key[1],
            "kind": profile.kind,
            "alias": profile.alias,
            "dataset_timestamp": profile.dataset_timestamp,
            "segment_tags": json.dumps(profile.segment_tags),
            "region": profile.region,
            "announced": now,
            "day": None
            if profile.kind != "batch" or profile.dataset_timestamp is None
            else day_start(profile.dataset_timestamp),
        }
        for profile_id, profile in zip(ids, profiles, strict=True)
    ]


def announce_profiles(
    connection: sa.Connection, requests: Sequence[tuple[str, Sequence[NewProfile]]], limits: Quotas
) -> list[tuple[SessionRow, list[str]] | Exception]:
    """Note profiles of sessions whose bytes are to come; return each session and their ids."""
    session_ids = {session_id for session_id, _ in requests}
    found, held = _sessions(connection, session_ids), quotas.held(connection, session_ids)
    guests = held[tables.ALL_SESSIONS]
    more: dict[str, Held] = {}
    results: list[tuple[SessionRow, list[str]] | Exception] = []
    rows = []
    for session_id, profiles in requests:
        row = found.get(session_id)
        refusal: ServiceError | None = _no_session(session_id) if row is None else refusal_of(row)
        refusal = refusal or limits.refusal(held[session_id], guests, len(profiles), 0)
        if row is None or refusal is not None:
            results.append(refusal or _no_session(session_id))
            continue
        for count in (held[session_id], guests, more.setdefault(session_id, Held())):
            count.add(len(profiles), 0)
        ids = new_ids(profiles)
        results.append((session_row(row), ids))
        rows += slot_rows((row["org_id"], row["dataset_id"]), ids, profiles, session_id=session_id)
    if rows:
        connection.execute(tables.profiles.insert(), rows)
        quotas.change(connection, more, held)
    return results


def _sessions(connection: sa.Connection, session_ids: Iterable[str]) -> dict[str, Mapping[Any, Any]]:
    return {row["id"]: row for row in connection.execute(_SESSIONS, {"ids": list(session_ids)}).mappings()}


_SESSIONS = sa.select(tables.sessions).where(tables.sessions.c.id.in_(sa.bindparam("ids", expanding=True)))


def open_session(connection: sa.Connection, session_id: str) -> SessionRow:
    """Return a session that is open; raises as `Metadata.session` does."""
    row = _sessions(connection, [session_id]).get(session_id)
    if row is None:
        raise _no_session(session_id)
    if refusal := refusal_of(row):
        raise refusal
    return session_row(row)


def _no_session(session_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"Resource session with ID {_shortened(session_id)} not found.")


def refusal_of(row: Mapping[Any, Any]) -> ResourceGone | None:
    """What there is to say of a session that was claimed or has ended."""
    if row["ended"] is not None:
        day = f"{datetime.fromtimestamp(row['ended'] / 1000, timezone.utc):%Y-%m-%d}"
        why = "was deleted" if row["ended_why"] == "deleted" else "had not been used for long and expired"
        return ResourceGone(
            f"This session {why} on {day}, with its profiles. Start a new session to upload them again."
        )
    if row["claimed"] is None:
        return None
    return ResourceGone(
        f"This session was claimed by organization {row['claimed_by']} and is closed for good; its "
        f"profiles are in dataset {row['claimed_dataset']} there. Start a new session to upload more."
    )


def _shortened(secret: str) -> str:
    """Enough of a bearer id to recognise a typo by, too little to use."""
    return "".join(c if c.isprintable() else "?" for c in secret[:12]) + ("…" if len(secret) > 12 else "")

"""Points in time as milliseconds since 1970, UTC."""

from __future__ import annotations

from datetime import date, datetime, time, timezone


def to_milliseconds(moment: int | date) -> int:
    """Turn a point in time into milliseconds since 1970; what has no zone is UTC."""
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    elif isinstance(moment, date):
        aware = datetime.combine(moment, time(), timezone.utc)
    elif isinstance(moment, int):
        return moment
    else:
        raise TypeError(f"A timestamp is milliseconds since 1970, a date or a datetime, not {type(moment).__name__}.")
    return round(aware.timestamp() * 1000)

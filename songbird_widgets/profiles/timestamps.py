"""Points in time as milliseconds since 1970, UTC."""

from __future__ import annotations

from datetime import date, datetime, time

from .. import basics


def as_timestamp(moment: int | date) -> int:
    """Turn a point in time into milliseconds since 1970; what has no zone is UTC.

    Raises
    ------
    TypeError
        It is no point in time.
    ValueError
        It is a number that is seconds, or of another unit, rather than milliseconds.
    """
    if isinstance(moment, datetime):
        return basics.to_milliseconds(moment)
    if isinstance(moment, date):
        return basics.to_milliseconds(datetime.combine(moment, time()))
    if not isinstance(moment, int):
        raise TypeError(f"A timestamp is milliseconds since 1970, a date or a datetime, not {type(moment).__name__}.")
    mistaken = basics.mistaken_unit(moment)
    if mistaken is not None:
        unit, converted = mistaken
        raise ValueError(
            f"{moment} looks like {unit}; timestamps are milliseconds since 1970. "
            f"In milliseconds it is {converted} ({basics.time_text(converted)} UTC)."
        )
    return moment

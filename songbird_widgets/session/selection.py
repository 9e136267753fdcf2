"""Which profiles are meant by an alias, an id, a date or a timestamp; and that at most three are selected."""

from __future__ import annotations

import operator
import re
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

from .errors import SelectionError
from .state import DAY, SessionProfile, shown, shown_time, utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST = 3
"""Profiles on one observatory page; the hosted service drops a fourth without a word."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_LISTED = 12

# As milliseconds these are days of 1970 to 1973, as seconds the years 1973 to 5138.
_SECONDS = range(10**8, 10**11)
# As milliseconds these lie beyond the year 5138.
_MICROSECONDS = 100_000_000_000_000
_NANOSECONDS = 100_000_000_000_000_000


def arrange(items: Iterable[SessionProfile]) -> tuple[SessionProfile, ...]:
    """Return a selection in the order of the observatory page, one profile a slot.

    References come first, then batches, each in the order given. Of several batches of one UTC day, which the
    observatory merges, the first stands for all.

    Raises
    ------
    SelectionError
        If more than three slots are taken.
    """
    slots: dict[str, SessionProfile] = {}
    for item in items:
        slots.setdefault(item.slot, item)
    arranged = tuple(sorted(slots.values(), key=lambda item: item.kind != "reference"))
    if len(arranged) > MOST:
        raise SelectionError(
            f"{len(arranged)} profiles are too many: at most {MOST} are shown side by side. "
            f"Choose {MOST} of {names(arranged)}."
        )
    return arranged


def extend(selected: Sequence[SessionProfile], more: Sequence[SessionProfile]) -> tuple[SessionProfile, ...]:
    """Return `selected` with `more`.

    Raises
    ------
    SelectionError
        If that would be more than three: it says what is selected and how to drop one.
    """
    taken = {item.slot for item in selected}
    new = list({item.slot: item for item in more if item.slot not in taken}.values())
    if len(taken) + len(new) > MOST:
        if not selected:
            arrange(new)
        example = next((item for item in selected if item.kind == "batch"), selected[-1])
        raise SelectionError(
            f"{names(new)} would make {len(taken) + len(new)}: at most {MOST} profiles are shown side by "
            f"side. Selected now: {names(selected)}. Drop one first, e.g. "
            f"session.deselect({shown(example.label)!r})."
        )
    return arrange([*selected, *new])


def resolve(what: object, profiles: Sequence[SessionProfile]) -> SessionProfile:
    """Find the profile that is meant.

    Parameters
    ----------
    what : SessionProfile, str, date, datetime or int
        A profile of the session; an alias or reference id; an ISO date or date and time; a date or datetime
        (UTC unless it says otherwise); milliseconds since 1970. A moment means the batch of its UTC day.
    profiles : sequence of SessionProfile
        What there is.

    Raises
    ------
    SelectionError
        If nothing or more than one thing is meant: it lists what there is.
    """
    if isinstance(what, SessionProfile):
        for profile in profiles:
            if profile.key == what.key:
                return profile
        raise SelectionError(f"{shown(what.label)!r} is not a profile of this session. {there_is(profiles)}")
    if isinstance(what, str):
        return _by_name(what, profiles)
    timestamp = _timestamp(what, profiles)
    return _by_day(timestamp, shown_time(timestamp), profiles)


def timestamp_of(what: object) -> int:
    """Return the milliseconds since 1970 that a date, datetime, ISO text or number means.

    Raises
    ------
    SelectionError
        If it means no time, or looks like another unit.
    """
    if isinstance(what, str):
        name = what.strip()
        moment = _iso(name)
        if moment is not None:
            return moment
        if _INTEGER.fullmatch(name):
            return _milliseconds(int(name), ())
        raise SelectionError(f"{shown(name)!r} is neither an ISO date nor milliseconds since 1970.")
    return _timestamp(what, ())


def _by_name(text: str, profiles: Sequence[SessionProfile]) -> SessionProfile:
    name = text.strip()
    found = [profile for profile in profiles if profile.profile_id == name or (profile.alias == text and text)]
    found = found or [profile for profile in profiles if profile.alias is not None and profile.alias.strip() == name]
    if len(found) == 1:
        return found[0]
    if found:
        each = ", ".join(profile.profile_id or f"{shown(profile.name)} (not uploaded yet)" for profile in found)
        raise SelectionError(
            f"{shown(name)!r} is the alias of {len(found)} references: {each}. Select one by its id, "
            "or by its entry in session.profiles."
        )
    moment = _iso(name)
    if moment is not None:
        return _by_day(moment, name, profiles)
    if _INTEGER.fullmatch(name):
        timestamp = _milliseconds(int(name), profiles)
        return _by_day(timestamp, shown_time(timestamp), profiles)
    raise SelectionError(
        f"No profile has the alias or id {shown(name)!r}, and it is not an ISO date. {there_is(profiles)}"
    )


def _by_day(timestamp: int, name: str, profiles: Sequence[SessionProfile]) -> SessionProfile:
    slot = f"batch:{timestamp // DAY}"
    batches = [profile for profile in profiles if profile.slot == slot]
    if not batches:
        raise SelectionError(f"There is no batch of {shown(name)} (UTC). {there_is(profiles)}")
    exact = [profile for profile in batches if profile.dataset_timestamp == timestamp]
    # One day is one batch: whichever stands for it, an uploaded one can be linked to at once.
    return min(exact or batches, key=lambda profile: profile.state != "uploaded")


def _timestamp(what: object, profiles: Sequence[SessionProfile]) -> int:
    if isinstance(what, datetime):
        moment = what if what.tzinfo is not None else what.replace(tzinfo=timezone.utc)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(what, date):
        return _timestamp(datetime.combine(what, time()), profiles)
    if type(what).__module__ == "numpy" and type(what).__name__ == "datetime64":
        converted = what.astype("datetime64[ms]").item()  # type: ignore[attr-defined]
        if converted is None:
            raise SelectionError("NaT is no time.")
        return _timestamp(converted, profiles)
    if isinstance(what, bool):
        raise SelectionError(f"{what} is neither a name nor a time.")
    if isinstance(what, float) and what.is_integer():
        return _milliseconds(int(what), profiles)
    try:
        return _milliseconds(operator.index(what), profiles)  # type: ignore[arg-type]
    except TypeError:
        raise SelectionError(
            f"A {type(what).__name__} is neither a name nor a time. Give an alias, a reference id, "
            "an ISO date, a datetime, milliseconds since 1970, or an entry of session.profiles."
        ) from None


def _milliseconds(number: int, profiles: Sequence[SessionProfile]) -> int:
    if any(profile.kind == "batch" and profile.dataset_timestamp == number for profile in profiles):
        return number
    for unit, fits, converted in (
        ("seconds", abs(number) in _SECONDS, number * 1000),
        ("nanoseconds", abs(number) >= _NANOSECONDS, number // 1_000_000),
        ("microseconds", abs(number) >= _MICROSECONDS, number // 1000),
    ):
        if fits:
            moment = utc(converted)
            if moment is None:
                raise SelectionError(f"{shown(str(number))} is beyond the calendar.")
            raise SelectionError(
                f"{number} looks like {unit}; timestamps are milliseconds since 1970. "
                f"In milliseconds it is {converted} ({shown_time(converted)} UTC)."
            )
    return number


def _iso(text: str) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        offset = timezone.utc
        if zone and zone.upper() != "Z":
            sign = -1 if zone[0] == "-" else 1
            offset = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])))
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=offset,
        )
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError) as error:
        raise SelectionError(f"{text!r} looks like an ISO date but is none: {error}.") from None


def names(profiles: Iterable[SessionProfile]) -> str:
    """List labels as people do."""
    each = [repr(shown(profile.label)) for profile in profiles]
    if len(each) > _LISTED:
        each[_LISTED:] = [f"{len(each) - _LISTED} more"]
    return " and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def there_is(profiles: Sequence[SessionProfile]) -> str:
    """Say what can be selected."""
    if not profiles:
        return "The session has no profiles yet: add some with session.add(...)."
    parts = []
    references = [profile for profile in profiles if profile.kind == "reference"]
    if references:
        parts.append(f"references {names(references)}")
    days = list({profile.slot: profile for profile in profiles if profile.kind == "batch"}.values())
    if days:
        parts.append(f"batches {names(days)}")
    return f"There are: {'; '.join(parts)}."

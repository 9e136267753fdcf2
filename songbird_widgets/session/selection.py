"""Which profiles are meant by an alias, an id, a date or a timestamp; and that at most three are selected."""

from __future__ import annotations

import math
import operator
import re
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

from ..basics import DAY_MS, MAX_COMPARED, from_milliseconds, mistaken_unit, one_line, time_text, to_milliseconds
from .errors import SelectionError
from .models import SessionProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_COMPACT = re.compile(r"\d{8}", re.ASCII)  # a date, rather than hours of 1970
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_MAX_LISTED = 12


def arrange(items: Iterable[SessionProfile]) -> tuple[SessionProfile, ...]:
    """Return a selection in the order given, the first of which is the baseline: one profile a slot.

    Of several batches of one UTC day, which the observatory merges, the first stands for all.

    Raises
    ------
    SelectionError
        If more than three slots are taken.
    """
    slots: dict[str, SessionProfile] = {}
    for item in items:
        slots.setdefault(item.slot, item)
    arranged = tuple(slots.values())
    if len(arranged) > MAX_COMPARED:
        raise SelectionError(
            f"{len(arranged)} profiles are too many: at most {MAX_COMPARED} are shown side by side. "
            f"Choose {MAX_COMPARED} of {names(arranged)}."
        )
    return arranged


def extend(selected: Sequence[SessionProfile], more: Sequence[SessionProfile]) -> tuple[SessionProfile, ...]:
    """Return `selected` with `more`: references first, unless somebody has put them into another order.

    Raises
    ------
    SelectionError
        If that would be more than three: it says what is selected and how to drop one.
    """
    taken = {item.slot for item in selected}
    new = list({item.slot: item for item in more if item.slot not in taken}.values())
    if len(taken) + len(new) > MAX_COMPARED:
        if not selected:
            arrange(new)
        example = next((item for item in selected if item.kind == "batch"), selected[-1])
        instead = ", ".join(repr(one_line(item.label)) for item in list(more)[:MAX_COMPARED])
        raise SelectionError(
            f"{names(new)} would make {len(taken) + len(new)}: at most {MAX_COMPARED} profiles are shown side by "
            f"side. Selected now: {names(selected)}, and select() adds to that. Drop one first, e.g. "
            f"session.deselect({one_line(example.label)!r}), or replace all: session.selection = [{instead}]."
        )
    extended = arrange([*selected, *new])
    return _references_first(extended) if tuple(selected) == _references_first(selected) else extended


def _references_first(profiles: Iterable[SessionProfile]) -> tuple[SessionProfile, ...]:
    return tuple(sorted(profiles, key=lambda item: item.kind != "reference"))


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
        raise SelectionError(f"{one_line(what.label)!r} is not a profile of this session. {there_is(profiles)}")
    if isinstance(what, str):
        return _by_name(what, profiles)
    timestamp = _timestamp(what, profiles)
    return _by_day(timestamp, time_text(timestamp), profiles)


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
        raise SelectionError(f"{one_line(name)!r} is neither an ISO date nor milliseconds since 1970.")
    return _timestamp(what, ())


def _by_name(text: str, profiles: Sequence[SessionProfile]) -> SessionProfile:
    name = text.strip()
    found = [profile for profile in profiles if profile.profile_id == name]
    named = [profile for profile in profiles if profile.alias == text and text]
    named = named or [profile for profile in profiles if profile.alias is not None and profile.alias.strip() == name]
    if len({profile.alias for profile in named}) == 1:
        named = [newest(named)]
    found += [profile for profile in named if profile not in found]
    if len(found) == 1:
        return found[0]
    if found:
        each = ", ".join(profile.profile_id or f"{one_line(profile.name)} (not uploaded yet)" for profile in found)
        raise SelectionError(
            f"{one_line(name)!r} may mean each of {len(found)} references: {each}. Select one by its id, "
            "or by its entry in session.profiles."
        )
    moment = _iso(name)
    if moment is not None:
        return _by_day(moment, name, profiles)
    if _INTEGER.fullmatch(name):
        timestamp = _milliseconds(int(name), profiles)
        return _by_day(timestamp, time_text(timestamp), profiles)
    raise SelectionError(
        f"No profile has the alias or id {one_line(name)!r}, and it is not an ISO date. {there_is(profiles)}"
    )


def newest(named: Iterable[SessionProfile]) -> SessionProfile:
    """Return which of several references of one alias it means: the one that was added or uploaded last."""

    def age(entry: tuple[int, SessionProfile]) -> tuple[bool, float, int]:
        place, profile = entry
        return profile.state in ("added", "failed"), named_at(profile), place

    return max(enumerate(named), key=age)[1]


def named_at(profile: SessionProfile) -> float:
    """Return when an alias began to mean a profile, in milliseconds since 1970: added, added again, or uploaded."""
    known = [when for when in (profile.alias_timestamp, profile.upload_timestamp) if when is not None]
    return max(known, default=math.inf)


def _by_day(timestamp: int, name: str, profiles: Sequence[SessionProfile]) -> SessionProfile:
    slot = f"batch:{timestamp // DAY_MS}"
    batches = [profile for profile in profiles if profile.slot == slot]
    if not batches:
        raise SelectionError(f"There is no batch of {one_line(name)} (UTC). {there_is(profiles)}")
    exact = [profile for profile in batches if profile.dataset_timestamp == timestamp]
    # All uploads of a day are one batch; one that is uploaded can be linked to at once.
    return min(exact or batches, key=lambda profile: profile.state != "uploaded")


def _timestamp(what: object, profiles: Sequence[SessionProfile]) -> int:
    if isinstance(what, datetime):
        return to_milliseconds(what)
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
    mistaken = mistaken_unit(number)
    if mistaken is not None:
        unit, converted = mistaken
        raise SelectionError(
            f"{number} looks like {unit}; timestamps are milliseconds since 1970. "
            f"In milliseconds it is {converted} ({time_text(converted)} UTC)."
        )
    if from_milliseconds(number) is None:
        raise SelectionError(f"{one_line(str(number))} is beyond the calendar.")
    return number


def _iso(text: str) -> int | None:
    if _COMPACT.fullmatch(text):
        return _iso(f"{text[:4]}-{text[4:6]}-{text[6:]}")
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
        return to_milliseconds(moment)
    except (ValueError, OverflowError) as error:
        raise SelectionError(f"{text!r} looks like an ISO date but is none: {error}.") from None


def names(profiles: Iterable[SessionProfile]) -> str:
    """List labels in words: ``'a', 'b' and 'c'``."""
    each = [repr(one_line(profile.label)) for profile in profiles]
    if len(each) > _MAX_LISTED:
        each[_MAX_LISTED:] = [f"{len(each) - _MAX_LISTED} more"]
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

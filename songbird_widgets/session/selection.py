"""Which profiles are meant by an alias, an id, a date or a timestamp; and that at most three are selected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from ..basics import DAY_MS, MAX_COMPARED, as_timestamp, may_say_time, one_line, time_text
from .errors import SelectionError
from .models import SessionProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def different(meant: Iterable[SessionProfile]) -> tuple[SessionProfile, ...]:
    """Return what is meant by the entries of one call.

    Raises
    ------
    SelectionError
        If two of them mean the same profile: fewer would be compared than were named.
    """
    found: dict[str, SessionProfile] = {}
    for profile in meant:
        if profile.key in found:
            raise SelectionError(
                f"{names([profile])} is named twice, and a profile is not compared with itself: name it once, or "
                "another one in its place."
            )
        found[profile.key] = profile
    return tuple(found.values())


def of_one_day(meant: Iterable[SessionProfile]) -> str:
    """Say which of several profiles are one batch, because they are of one UTC day; empty if none are."""
    slots: dict[str, list[SessionProfile]] = {}
    for profile in meant:
        slots.setdefault(profile.slot, []).append(profile)
    merged = [day for day in slots.values() if len(day) > 1]
    if not merged:
        return ""
    days = " and ".join(f"{len(day)} uploads of {day[0].choice}" for day in merged[:MAX_COMPARED])
    return (
        f"Selected were {days}: all uploads of a UTC day are one batch. To compare two data sets of one day with each "
        "other, add one of them with an alias."
    )


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
        (UTC unless it says otherwise); milliseconds since 1970. A moment means the batch of its UTC day. A text that is
        an alias or an id is that, whatever else it may say; a number is always a moment.
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
    return _batch_of(what, profiles)


def timestamp_of(what: object) -> int:
    """Return the milliseconds since 1970 that a date, datetime, ISO text or number means.

    Raises
    ------
    SelectionError
        If it means no time, or looks like another unit.
    """
    try:
        return as_timestamp(what)
    except (TypeError, ValueError) as error:
        raise SelectionError(str(error)) from None


def _batch_of(moment: object, profiles: Sequence[SessionProfile]) -> SessionProfile:
    """Find the batch of a moment's UTC day; the time of a batch that there is counts, whatever it looks like."""
    times = {profile.dataset_timestamp for profile in profiles if profile.kind == "batch"} - {None}
    try:
        timestamp = as_timestamp(moment, cast("set[int]", times))
    except TypeError:
        kind = moment if isinstance(moment, bool) else f"A {type(moment).__name__}"
        raise SelectionError(
            f"{kind} is neither a name nor a time. Give an alias, a reference id, "
            "an ISO date, a datetime, milliseconds since 1970, or an entry of session.profiles."
        ) from None
    except ValueError as error:
        raise SelectionError(str(error)) from None
    return _by_day(timestamp, profiles, "" if isinstance(moment, str) else str(moment))


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
    if may_say_time(name):
        return _batch_of(name, profiles)
    raise SelectionError(
        f"No profile has the alias or id {one_line(name)!r}, and it is not an ISO date. {_known(profiles)}"
    )


def own_baseline(profiles: Sequence[SessionProfile]) -> SessionProfile | None:
    """Return what days are compared with if nobody says so: the first reference by name, else the first day."""
    references = [profile for profile in profiles if profile.kind == "reference"]
    if references:
        first = min(references, key=lambda item: (item.label.casefold(), item.key))
        return newest(one for one in references if one.alias == first.alias)
    days = (profile for profile in profiles if profile.kind == "batch" and profile.dataset_timestamp is not None)
    return min(days, key=lambda item: item.dataset_timestamp or 0, default=None)


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


def _by_day(timestamp: int, profiles: Sequence[SessionProfile], number: str = "") -> SessionProfile:
    slot = f"batch:{timestamp // DAY_MS}"
    batches = [profile for profile in profiles if profile.slot == slot]
    if not batches:
        called = any(number and number in (profile.alias, profile.profile_id) for profile in profiles)
        alias = f" The alias of a reference is a text: {number!r}." if called else ""
        raise SelectionError(f"There is no batch of {time_text(timestamp)} (UTC).{alias} {_known(profiles)}")
    exact = [profile for profile in batches if profile.dataset_timestamp == timestamp]
    # All uploads of a day are one batch; one that is uploaded can be linked to at once.
    return min(exact or batches, key=lambda profile: profile.state != "uploaded")


def names(profiles: Iterable[SessionProfile]) -> str:
    """List labels in words: ``'a', 'b' and 'c'``."""
    each = [repr(one_line(profile.label)) for profile in profiles]
    if len(each) > _MAX_LISTED:
        each[_MAX_LISTED:] = [f"{len(each) - _MAX_LISTED:,} more"]
    return " and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def _known(profiles: Sequence[SessionProfile]) -> str:
    """Say what can be selected, and how to see what others have uploaded since to a session that was uploaded to."""
    asked = " session.refresh() asks for what others have uploaded since."
    return there_is(profiles) + (asked if any(profile.state == "uploaded" for profile in profiles) else "")


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

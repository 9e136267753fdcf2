"""What no endpoint would take, refused before anything is sent."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, SupportsIndex

from ..basics import DAY_MS, MAX_COMPARED, MAX_TIMESTAMP_MS, mistaken_unit, time_text
from . import models as m
from .errors import ValidationError
from .redaction import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_ID_CHARACTERS = 256
_MAX_TEXT_CHARACTERS = 4096
# What makes milliseconds of what `mistaken_unit` knows.
_STEPS = {
    "seconds": "Multiply by 1000",
    "microseconds": "Divide by 1000",
    "nanoseconds": "Divide by 1000000",
    "a date": "Use that day's beginning",
}


def check(message: m.Message) -> None:
    """Raise `ValidationError` for what no endpoint would take, in any message that asks for something."""
    for name in message.__struct_fields__:
        value, what = getattr(message, name), name.replace("_", " ")
        if isinstance(message, m.SegmentTag):
            what = f"segment tag's {what}"
        if isinstance(value, m.Message):
            check(value)
        elif name in _LISTS:
            _check_list(value, what, *_LISTS[name])
        elif value is not None or not (name in _OPTIONAL or isinstance(message, m.LogReferenceRequest)):
            _CHECKS.get(name, text)(value, what)
    if isinstance(message, m.GetProfileObservatoryLinkRequest):
        count = len(message.batch_profile_timestamps) + len(message.reference_profile_ids)
        if not count:
            raise ValidationError("No profile is selected.", advice="Select one to three profiles.")
        if count > MAX_COMPARED:
            said = f"{count} profiles are selected, but a page shows at most {MAX_COMPARED}."
            raise ValidationError(said, advice=f"Take {count - MAX_COMPARED} away.")
    if isinstance(message, m.BatchLogReferenceRequest) and not message.references:
        raise ValidationError("There are no references to upload.")


def _check_list(value: object, what: str, kind: type, check_item: Callable[..., object]) -> None:
    if isinstance(value, str):
        raise ValidationError(f"The {what} must be a list, not one text.")
    if not isinstance(value, (tuple, list)) or not all(isinstance(item, kind) for item in value):
        raise ValidationError(f"The {what} must be a tuple or list of {kind.__name__}.")
    for item in value:
        check_item(item) if check_item is check else check_item(item, what.removesuffix("s"))


def identifier(value: object, what: str) -> None:
    """Refuse what cannot be an id; the value itself is not shown, since it may be a secret."""
    text(value, what)
    if len(str(value)) > _MAX_ID_CHARACTERS:
        raise ValidationError(
            f"The {what} is {len(str(value))} characters long; no id has more than {_MAX_ID_CHARACTERS}."
        )
    if value in {".", ".."} or not str(value).isprintable() or " " in str(value):
        raise ValidationError(f"The {what} holds characters that no id has (spaces, line breaks or the like).")


def text(value: object, what: str, *, may_be_empty: bool = False) -> None:
    """Refuse what is no text, or empty, or cannot be sent."""
    if not isinstance(value, str):
        raise ValidationError(f"The {what} must be text, not {type(value).__name__}.")
    if len(value) > _MAX_TEXT_CHARACTERS:
        raise ValidationError(f"The {what} is {len(value)} characters long; at most {_MAX_TEXT_CHARACTERS} are sent.")
    if not may_be_empty and not plain(value):
        raise ValidationError(f"The {what} is empty.")
    if "\0" in value:
        raise ValidationError(f"The {what} holds characters that cannot be sent (NUL).")
    if not value.isascii() and value.encode("utf-8", "ignore").decode("utf-8") != value:
        raise ValidationError(f"The {what} holds half a character (a lone surrogate) and cannot be sent.")


def timestamp(value: SupportsIndex, what: str = "dataset timestamp") -> int:
    """Return a timestamp in milliseconds since 1970 UTC as a plain int, also if it came as numpy's.

    Raises
    ------
    ValidationError
        If it is not a whole number, lies before 1970, or looks like seconds, microseconds or nanoseconds.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        advice = "Use int(moment.timestamp() * 1000)." if hasattr(value, "timestamp") else None
        kind = type(value).__name__
        raise ValidationError(f"The {what} must be milliseconds since 1970 as an int, not {kind}.", advice=advice)
    number = operator.index(value)
    if number < 0:
        raise ValidationError(f"The {what} {number if number > -(10**20) else '(a huge number)'} lies before 1970.")
    mistaken = mistaken_unit(number)
    if mistaken is not None:
        unit, milliseconds = mistaken
        day = time_text(milliseconds - milliseconds % DAY_MS)
        said = f"The {what} {number} looks like {unit} ({day}), but milliseconds are expected."
        raise ValidationError(said, advice=f"{_STEPS[unit]}: {milliseconds}.")
    if number > MAX_TIMESTAMP_MS:
        raise ValidationError(f"The {what} is not a time: it lies after the year 9999.")
    return number


def _limit(value: object, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValidationError(f"The {what} must be a whole number from 1 on.")


_CHECKS: dict[str, Callable[..., object]] = {
    "session_id": identifier,
    "org_id": identifier,
    "dataset_id": identifier,
    "profile_id": identifier,
    "after": identifier,
    "limit": _limit,
    "dataset_timestamp": timestamp,
    "value": partial(text, may_be_empty=True),
}
_OPTIONAL = frozenset({"alias", "region", "after", "limit", "name"})
_LISTS: dict[str, tuple[type, Callable[..., object]]] = {
    "segment_tags": (m.SegmentTag, check),
    "references": (m.LogReferenceRequest, check),
    "batch_profile_timestamps": (object, timestamp),
    "reference_profile_ids": (object, identifier),
}

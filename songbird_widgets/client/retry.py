"""When to try again, and after how long: pure functions of what came back and of the attempt."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Retry(msgspec.Struct, frozen=True):
    """How patient a client is.

    Parameters
    ----------
    attempts : int
        How often to try in all; 1 means never again.
    budget : float
        Seconds for all attempts and pauses of one call together.
    first_pause, longest_pause : float
        Seconds of the first pause and of the longest; they double in between.
    longest_wait : float
        Seconds of the longest ``Retry-After`` that is obeyed; a server that asks for more ends the call.
    """

    attempts: int = 4
    budget: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 8.0
    longest_wait: float = 30.0


class FailureKind(Enum):
    """Why no answer came."""

    CONNECT = "no connection"
    UNUSABLE = "no connection, and trying again will not make one (TLS, proxy, name)"
    BROKEN = "the connection broke"
    TIMEOUT = "time ran out"
    LOCAL = "the request could not be made here"


class Repeat(Enum):
    """What may be repeated: after which HTTP statuses, and without a whole answer for which reasons."""

    HARMLESS = frozenset({429, 502, 503, 504, FailureKind.CONNECT, FailureKind.BROKEN, FailureKind.TIMEOUT})
    UNSENT = frozenset({429, FailureKind.CONNECT})  # only what certainly was not done
    STORAGE = HARMLESS | {408, 500}  # the same URL names the same object


def pause_before_retry(
    policy: Retry, attempt: int, headers: Mapping[str, str], *, left: float, now: float, jitter: float
) -> float | None:
    """Return the seconds to wait after attempt number `attempt`, or None to take what came as it is.

    `headers` are those of the answer, `left` the seconds that the budget still has, `now` the seconds since 1970.
    Pauses double with each attempt; `jitter`, from 0 to 1, shortens them by up to half, so that clients that failed
    together do not return together.
    """
    asked = retry_after(headers, now)
    if attempt >= policy.attempts or (asked is not None and asked > policy.longest_wait):
        return None
    backoff = min(policy.longest_pause, policy.first_pause * 2 ** min(attempt - 1, 30))
    pause = max(asked or 0.0, backoff * (1 - jitter / 2))
    return pause if pause < left else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds a server asks to wait, from its headers (names in lower case), or None.

    ``Retry-After-Ms`` counts milliseconds; ``Retry-After`` seconds, or it names a date, for which `now` is
    needed, in seconds since 1970.
    """
    milliseconds, value = _number(headers.get("retry-after-ms")), headers.get("retry-after")
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None

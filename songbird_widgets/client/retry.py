"""When to try again, and after how long: pure functions."""

from __future__ import annotations

import random
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
    attempts
        How often to try in all; 1 means never again.
    budget
        Seconds for all attempts and pauses of one call together.
    first_pause, longest_pause
        Seconds of the first pause and of the longest; they double in between.
    longest_wait
        Seconds of the longest ``Retry-After`` that is obeyed; a server that asks for more ends the call.
    """

    attempts: int = 4
    budget: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 8.0
    longest_wait: float = 30.0


class Trouble(Enum):
    """Why no answer came."""

    CONNECT = "no connection"
    REFUSED = "no connection, and trying again will not make one (TLS, proxy)"
    BROKEN = "the connection broke"
    TIMEOUT = "time ran out"
    LOCAL = "the request could not be made here"


class Repeat(Enum):
    """What may be repeated: the HTTP statuses, and whether also if no whole answer came to what was sent."""

    HARMLESS = (frozenset({429, 502, 503, 504}), True)
    UNSENT = (frozenset({429}), False)  # only what certainly was not done
    STORAGE = (frozenset({408, 429, 500, 502, 503, 504}), True)  # the same URL names the same object

    def allows(self, what: int | Trouble) -> bool:
        """Decide whether a status, or the reason why none came, allows another attempt."""
        statuses, after_sending = self.value
        if isinstance(what, int):
            return what in statuses
        return what is Trouble.CONNECT or (after_sending and what in {Trouble.BROKEN, Trouble.TIMEOUT})


def pause_before(policy: Retry, attempt: int, elapsed: float, asked: float | None) -> float | None:
    """Return the seconds to wait after attempt number `attempt`, or None to give up.

    `elapsed` is the seconds since the first attempt began, `asked` those that the server asked for. They
    double with each attempt, with jitter, so that clients that failed together do not return together.
    """
    if attempt >= policy.attempts or (asked is not None and asked > policy.longest_wait):
        return None
    backoff = min(policy.longest_pause, policy.first_pause * 2 ** min(attempt - 1, 30))
    pause = max(asked or 0.0, backoff * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
    return pause if elapsed + pause < policy.budget else None


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

"""When to try again, and after how long: pure functions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Retry:
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


class Repeat(Enum):
    """What may be repeated: see the contract's table."""

    ANY = "any failure that may pass: doing it twice is harmless"
    UNSENT = "only what certainly did not happen"
    UPLOAD = "any failure that may pass, storage's own included: the same URL names the same object"


class Trouble(Enum):
    """Why no answer came."""

    CONNECT = "no connection"
    REFUSED_FOR_GOOD = "a connection that trying again will not make: TLS, proxy"
    BROKEN = "the connection broke"
    TIMEOUT = "time ran out"
    LOCAL = "the request could not be made here"
    CANCELLED = "the caller said stop"


_PASSING = {
    Repeat.ANY: frozenset({429, 502, 503, 504}),
    Repeat.UNSENT: frozenset({429}),
    Repeat.UPLOAD: frozenset({408, 429, 500, 502, 503, 504}),
}


def may_repeat(repeat: Repeat, what: int | Trouble) -> bool:
    """Decide whether a failure allows another attempt.

    Parameters
    ----------
    repeat
        What the operation allows.
    what
        The HTTP status that came, or why none came.
    """
    if isinstance(what, int):
        return what in _PASSING[repeat]
    if what in {Trouble.BROKEN, Trouble.TIMEOUT}:
        return repeat is not Repeat.UNSENT
    return what is Trouble.CONNECT


def pause_before(policy: Retry, attempt: int, elapsed: float, asked: float | None) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    Parameters
    ----------
    policy
        How patient to be.
    attempt
        How many attempts there have been.
    elapsed
        Seconds since the first one began.
    asked
        Seconds that the server asked for, if it did.

    Notes
    -----
    Exponential backoff with jitter between half and all of it, so that many clients that failed together do not
    come back together.
    """
    if attempt >= policy.attempts or (asked is not None and asked > policy.longest_wait):
        return None
    backoff = min(policy.longest_pause, policy.first_pause * 2 ** (attempt - 1))
    pause = backoff * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    if asked is not None:
        pause = max(asked, pause)
    return pause if elapsed + pause < policy.budget else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long a server asks to wait.

    Parameters
    ----------
    headers
        The answer's, names in lower case.
    now
        Seconds since 1970, for a server that names a date.

    Returns
    -------
    float or None
        Seconds, at least 0; None if the server does not say, or not so that one could understand it.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
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

"""What all rooms need in one way only: days, times, units, sizes, and how foreign text is shortened.

It imports nothing of ours, so every room may import it.
"""

from __future__ import annotations

import errno
import operator
import os
import re
import unicodedata
import zlib
from datetime import date, datetime, time, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Kind: TypeAlias = Literal["batch", "reference"]
"""What a session knows a profile as: by its UTC day, or by its id and alias."""

MAX_COMPARED = 3
"""Profiles side by side on one observatory page; the hosted service drops a fourth without a word."""

DAY_MS = 86_400_000
"""Milliseconds of a batch's period: sessions know a batch by its UTC day."""

MAX_TIMESTAMP_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: no later time can be written as a date."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# As milliseconds these are days of 1970 to 1973, as seconds the years 1973 to 5138.
_SECONDS = range(10**8, 10**11)
# As milliseconds these are hours of the first of January 1970.
_DATES = range(19_700_101, 21_000_101)
_LINE = 80
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_COMPACT = re.compile(r"\d{8}", re.ASCII)  # a date, rather than hours of 1970
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_NO_TIME = "NaT is no time."
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that have no ink
_NUMBER_OF_ERROR = re.compile(r"\[(?:Errno|errno|WinError|Windows error) \d+\] ")


def mistaken_unit(number: int) -> tuple[str, int] | None:
    """Tell whether a number that should be milliseconds since 1970 is of another unit by its size.

    Parameters
    ----------
    number : int
        What was given as milliseconds since 1970.

    Returns
    -------
    (str, int) or None
        "seconds", "microseconds", "nanoseconds" or "a date" (20240229), and the same moment in milliseconds; None
        if it can be milliseconds, or is no time at all.
    """
    size = abs(number)
    if number in _DATES:
        try:
            day = datetime(number // 10_000, number // 100 % 100, number % 100, tzinfo=timezone.utc)
        except ValueError:
            return None
        return "a date", to_milliseconds(day)
    if size in _SECONDS:
        return "seconds", number * 1000
    if MAX_TIMESTAMP_MS < size <= MAX_TIMESTAMP_MS * 1000:
        return "microseconds", number // 1000
    if MAX_TIMESTAMP_MS * 1000 < size <= MAX_TIMESTAMP_MS * 1_000_000:
        return "nanoseconds", number // 1_000_000
    return None


def to_milliseconds(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970, exactly; one without a zone is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def from_milliseconds(timestamp: int) -> datetime | None:
    """Return the UTC moment of milliseconds since 1970, or None beyond the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(milliseconds=timestamp)
    except OverflowError:
        return None


def time_text(timestamp: int) -> str:
    """Write milliseconds since 1970 as people read them: the UTC date, and the time of day unless it is midnight."""
    moment = from_milliseconds(timestamp)
    if moment is None:
        return f"{timestamp} ms"
    if timestamp % DAY_MS == 0:
        return day_of(moment)
    precision = "milliseconds" if timestamp % 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def day_of(moment: datetime) -> str:
    """Write the date of a moment: always four digits of the year, of which strftime leaves out zeros."""
    return moment.date().isoformat()


def as_timestamp(moment: object, known: Collection[int] = ()) -> int:
    """Turn a point in time into milliseconds since 1970; what has no zone is UTC.

    Parameters
    ----------
    moment : int, str, datetime.date, datetime.datetime or numpy.datetime64
        A number is milliseconds since 1970, a text an ISO 8601 date (and time) or such a number.
    known : collection of int, optional
        Milliseconds that are right even if they look like another unit.

    Raises
    ------
    TypeError
        It is of a type that is no point in time; bool is one of these.
    ValueError
        It is a number that is seconds, or of another unit, rather than milliseconds; a text that says no time; or
        beyond the years 1 to 9999.
    """
    if isinstance(moment, str):
        return _from_text(moment.strip(), known)
    if type(moment).__module__ == "numpy" and type(moment).__name__ == "datetime64":
        moment = moment.astype("datetime64[ms]").item()  # type: ignore[attr-defined]
        if moment is None:
            raise ValueError(_NO_TIME)
    if isinstance(moment, date):
        return _from_date(moment)
    if isinstance(moment, float) and moment.is_integer():
        moment = int(moment)
    if type(moment).__name__ not in ("bool", "bool_"):  # numpy 1.26 takes its own for an index
        try:
            return _checked(operator.index(moment), known)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(
        f"A timestamp is milliseconds since 1970, a date, a datetime or ISO text, not {type(moment).__name__}."
    )


def may_say_time(text: str) -> bool:
    """Whether a text has the form of a date, a time or milliseconds, rather than of a name."""
    return any(form.fullmatch(text.strip()) for form in (_ISO, _COMPACT, _INTEGER))


def _from_date(moment: date) -> int:
    if moment != moment:  # NaT of pandas is a datetime by its class
        raise ValueError(_NO_TIME)
    timestamp = to_milliseconds(moment if isinstance(moment, datetime) else datetime.combine(moment, time()))
    if from_milliseconds(timestamp) is None:  # by its zone
        raise ValueError(f"{one_line(str(moment))} is beyond the calendar in UTC.")
    return timestamp


def _from_text(text: str, known: Collection[int]) -> int:
    moment = _from_iso(text)
    if moment is not None:
        return moment
    if _INTEGER.fullmatch(text):
        return _checked(int(text), known)
    raise ValueError(f"{one_line(text)!r} is neither an ISO date nor milliseconds since 1970.")


def _checked(number: int, known: Collection[int]) -> int:
    if number in known:
        return number
    mistaken = mistaken_unit(number)
    if mistaken is not None:
        unit, converted = mistaken
        raise ValueError(
            f"{number} looks like {unit}; timestamps are milliseconds since 1970. "
            f"In milliseconds it is {converted} ({time_text(converted)} UTC)."
        )
    if from_milliseconds(number) is None:
        raise ValueError(f"{one_line(str(number))} is beyond the calendar.")
    return number


def _from_iso(text: str) -> int | None:
    if _COMPACT.fullmatch(text):
        return _from_iso(f"{text[:4]}-{text[4:6]}-{text[6:]}")
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
        return _from_date(moment)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} looks like an ISO date but is none: {error}.") from None


def duration_text(seconds: float) -> str:
    """Write seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size_text(size: float) -> str:
    """Write a number of bytes in decimal units: kB is 1,000 bytes."""
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000 or unit == "GB":
            break
    return f"{size:.0f} {unit}" if unit == "kB" and size >= 10 else f"{size:.1f} {unit}"


def with_checksum(content: bytes) -> bytes:
    """Put a checksum (CRC-32) before what is kept in a file, by which `without_checksum` finds damage."""
    return zlib.crc32(content).to_bytes(4, "little") + content


def without_checksum(content: bytes | memoryview) -> memoryview:
    """Return what `with_checksum` was given; raises `ValueError` if it is damaged."""
    kept = memoryview(content)[4:]
    if len(content) < 4 or zlib.crc32(kept) != int.from_bytes(content[:4], "little"):
        raise ValueError("The checksum is another one.")
    return kept


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file; an existing one is replaced, and stays as it is if that fails.

    Returns
    -------
    Path
        Where it lies.

    Raises
    ------
    OSError
        It cannot be written; ``filename`` is the directory that is missing.
    """
    target = Path(path).expanduser()
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no directory to write into", str(target.parent))
    partial = target.with_name(f".{target.name[-100:]}.{uuid4().hex}")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def reason_of(error: Exception) -> str:
    """Say in one line why something was refused: without an error's number, and without control characters."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return one_line(_NUMBER_OF_ERROR.sub("", said.partition("\n")[0]), 300)


def shorten(text: str, length: int = _LINE) -> str:
    """Cut a text to at most `length` characters, the last of which then is an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def written_out(text: str) -> str:
    r"""Return a text, or its code points as ``\u200b`` where none of its characters can be seen."""
    if not text or any(_is_seen(char) for char in text):
        return text
    return text.encode("unicode_escape", "surrogatepass").decode("ascii")


def _is_seen(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CZM" and char not in _BLANK


def one_line(text: str, length: int = _LINE) -> str:
    """Make foreign text fit for one line of a message: no control or direction marks, and not endless.

    Of a text in which nothing can be seen, the code points are written, so that two of them can be told apart.
    """
    # Cut first: a name may be 10 MB long.
    cut = written_out(text[: length + 1])
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char for char in cut)
    return shorten(cut, length)


def column_text(name: str) -> str:
    """Make the name of a column fit for one line of a message; an empty one is seen, too."""
    return one_line(name) or "(empty)"


def meant(name: object, known: Iterable[str]) -> str:
    """Ask whether a name that is not known is a misspelt one of those that are; nothing where none is like it."""
    from difflib import get_close_matches  # what rarely is needed

    if not isinstance(name, str) or len(name) > _LINE:
        return ""
    names = {one.lower(): one for one in islice(known, _MOST_LIKE) if len(one) <= _LINE}
    like = get_close_matches(name.lower(), names, n=1)
    return f" Did you mean {names[like[0]]!r}?" if like else ""


_MOST_LIKE = 10_000  # names that are looked at


def one_line_path(path: str, length: int = _LINE) -> str:
    """Do the same with a path, but keep the end of a long one: that tells files apart."""
    end = one_line(path[-length:], length)
    return end if len(path) <= length else f"…{end[1:]}"


def failure_text(error: Exception) -> str:
    """Say in one sentence why something failed; of a file, which one: the end of a long path is kept."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{one_line_path(os.fsdecode(error.filename), 200)}: "
        return f"{where}{reason_of(error)}."
    return str(error)

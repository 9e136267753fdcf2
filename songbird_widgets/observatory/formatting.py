"""Numbers, times and sizes as people read them: never 0.00 for 0.004, and 0 is a value like others."""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..basics import DAY_MS, day_of, size_text, written_out

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE = "\N{EN DASH}"
"""Stands where there is no value."""

MINUS = "\N{MINUS SIGN}"
"""As wide as a digit, and never taken for a hyphen."""

_DIGITS = 4
_MAX_DIGITS = 8
_LARGE = 1e15
_SMALL = 1e-4
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def number(value: float | None) -> str:
    """Write one number with four significant digits, whole numbers in full."""
    return numbers([value])[0]


def numbers(values: Sequence[float | None]) -> list[str]:
    """Write numbers that stand under each other, with the same decimals, as many as tell them apart.

    Parameters
    ----------
    values
        Comparable values; None is written as a dash, infinities as ∞.
    """
    plain = [value for value in values if value is not None and (value == 0 or _SMALL <= abs(value) < _LARGE)]
    decimals = _decimals(plain)
    return [_write(value, decimals) for value in values]


def _decimals(values: Sequence[float]) -> int:
    """Count decimals: four digits of the largest, more where values would look alike, none to spare."""
    fractional = [abs(value) for value in values if value % 1]
    if not fractional:
        return 0
    exponent = math.floor(math.log10(max(fractional)))
    decimals = max(_DIGITS - 1 - exponent, 0)
    smallest = math.floor(math.log10(min(fractional)))
    # Two digits of the smallest, too, unless it would make the largest unreadable.
    wanted = max(decimals, 1 - smallest)
    if exponent + wanted < _MAX_DIGITS:
        decimals = wanted
    # Values that look alike with all the digits that can be read need none of them.
    distinct = len({round(value, max(decimals, _MAX_DIGITS - exponent)) for value in values})
    while len({round(value, decimals) for value in values}) < distinct:
        decimals += 1
    return max([len(f"{value:.{decimals}f}".partition(".")[2].rstrip("0")) for value in fractional])


def _write(value: float | None, decimals: int) -> str:
    if value is None or math.isnan(value):
        return NONE
    if _SMALL <= abs(value) < _LARGE:
        written = f"{abs(value):,.{decimals}f}"
        if written[0] == "0" and float(written) == 0:
            return number(value)
        return f"{MINUS}{written}" if value < 0 else written
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return _scientific(value)


def _scientific(value: float) -> str:
    mantissa, _, exponent = f"{abs(value):.{_DIGITS - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    power = str(int(exponent)).translate(_SUPERSCRIPT)
    return f"{MINUS if value < 0 else ''}{mantissa}\N{MULTIPLICATION SIGN}10{power}"


def count(value: int | None) -> str:
    """Write a count in full, thousands apart."""
    return NONE if value is None else f"{value:,}"


def percent(fraction: float | None) -> str:
    """Write a fraction as a percentage: 0 % only for nothing, 100 % only for all.

    Parameters
    ----------
    fraction
        Between 0 and 1.
    """
    if fraction is None or not math.isfinite(fraction):
        return NONE
    if fraction in {0, 1}:
        return f"{fraction * 100:.0f} %"
    shown = fraction * 100
    if shown > 99:
        missing = 100 - shown
        decimals = min(max(-math.floor(math.log10(missing)), 1), 6) if missing > 0 else 6
        if missing < 10**-6:
            return ">99.999999 %"
        written = f"{min(shown, 100 - 10**-decimals):.{decimals}f}"
        return f"{written.rstrip('0') if decimals > 1 else written} %"
    if shown < 1e-6:
        return f"{_scientific(shown)} %"
    decimals = 1 if shown >= 1 else 1 - math.floor(math.log10(shown))
    written = f"{shown:.{decimals}f}"
    return f"{written.rstrip('0').rstrip('.') if '.' in written and shown < 1 else written} %"


def exact(value: float | None) -> str:
    """Write a number as it is stored, for tooltips and data."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < _LARGE else repr(float(value))


def timestamp(ms: int | None) -> str:
    """Write epoch milliseconds as a date, with the time (UTC) unless it is midnight."""
    if ms is None:
        return NONE
    try:
        moment = _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return f"{ms} ms"
    if ms % DAY_MS == 0:
        return day_of(moment)
    return f"{day_of(moment)} {moment:%H:%M} UTC"


def day(ms: int | None) -> str:
    """Write the UTC day that epoch milliseconds fall on."""
    return timestamp(None if ms is None else ms - ms % DAY_MS)


def size(n_bytes: int | None) -> str:
    """Write a number of bytes."""
    if n_bytes is None:
        return NONE
    return size_text(n_bytes)


def clipped(text: str, most: int = 80) -> str:
    """Return `text` visibly: control and direction characters replaced, the middle of a long one left out.

    Of a text in which nothing can be seen, the code points are written.
    """
    text = written_out(text) if len(text) <= most else text
    if len(text) > most:
        kept = (most - 1) // 2
        text = f"{text[: most - 1 - kept]}…{text[-kept:]}"
    return visible(text) or "(empty)"


def visible(text: str) -> str:
    """Return `text` with control and direction characters replaced, and whole: a sentence of ours is never cut.

    Joiners stay where they make one sign of two, as in emoji and in the scripts of India.
    """
    if text.isprintable():
        return text
    around = zip(text, f" {text}", f"{text[1:]} ", strict=False)
    return "".join(
        char
        if char.isprintable() or (char in _JOINERS and _is_joined(before) and _is_joined(after))
        else "␣"
        if char.isspace()
        else "�"
        for char, before, after in around
    )


_JOINERS = frozenset("\u200c\u200d")
_JOINED = frozenset({"So", "Sk", "Lo", "Mn", "Mc"})


def _is_joined(char: str) -> bool:
    return unicodedata.category(char) in _JOINED


def isolated(text: str, most: int = 80) -> Markup:
    """Return what `clipped` makes of a name for a sentence, whose order it does not change if it runs to the left."""
    return Markup("<bdi>{}</bdi>").format(clipped(text, most))

"""What may be shown of secrets: session ids shortened, addresses as origins, answers as short safe excerpts."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST_SECRET = 4  # anything shorter would blank out ordinary words
_URL = re.compile(r"(https?://)(?:[^\s/?#\"'<>@]*@)?([^\s/?#\"'<>]*)([^\s\"'<>]*)", re.IGNORECASE)
_QUERY_VALUE = re.compile(r"([?&;][\w.-]+=)[^&;\s\"'<>]+")
_SESSION_ID = re.compile(r"\bsession-([A-Za-z0-9_-]{5,})")
_UNSEEN_ELEMENT = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")


def short_id(identifier: str) -> str:
    """Shorten an id that is a bearer, so that people can recognise it and nobody can use it.

    Parameters
    ----------
    identifier
        A session id such as ``session-6LpLjnAE``.

    Returns
    -------
    str
        The word before the first hyphen and four characters, for example ``session-6LpL…``.
    """
    prefix, hyphen, rest = identifier.partition("-")
    if not hyphen or len(prefix) > 12:  # noqa: PLR2004 - no id in use has a longer word in front
        prefix, hyphen, rest = "", "", identifier
    shown = rest[:4] if len(rest) >= 8 else ""  # noqa: PLR2004 - half of a shorter one would give it away
    return f"{plain(prefix)}{hyphen}{plain(shown)}…"


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: all of it that is never secret."""
    match = _URL.match(url)
    return plain(match[1] + match[2]) if match else "(no URL)"


def plain(text: str) -> str:
    """Make text one harmless line: no control, direction or other invisible characters."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(visible.split())


def redact(text: str, secrets: Iterable[str]) -> str:
    """Blank every secret out of a text, also where a server percent-encoded it.

    Parameters
    ----------
    text
        Words that came from elsewhere.
    secrets
        What must not be seen; session ids stay recognisable (see `short_id`).

    Returns
    -------
    str
        The text without the secrets, without anything of a URL beyond its origin, and without the value of
        anything that looks like a query parameter.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            shown = short_id(secret) if secret.startswith("session-") else "…"
            for form in {secret, quote(secret, safe=""), quote(secret)}:
                text = text.replace(form, shown)
    text = _URL.sub(lambda m: m[1] + m[2] + ("/…" if m[3] else ""), text)
    text = _QUERY_VALUE.sub(r"\1…", text)
    return _SESSION_ID.sub(lambda m: short_id(m[0]), text)


def excerpt(body: bytes, secrets: Iterable[str], length: int = 160) -> str:
    """Show the start of an answer that was not understood.

    Parameters
    ----------
    body
        The answer as it came: any bytes.
    secrets
        See `redact`. They are blanked out before the text is cut, so that none is left half shown.
    length
        The most characters to show.

    Returns
    -------
    str
        One line of visible text without markup; empty for an empty answer.
    """
    text = body[:65_536].decode("utf-8", "replace")
    text = plain(_TAG.sub(" ", _UNSEEN_ELEMENT.sub(" ", redact(text, secrets))))
    text = redact(text, secrets)  # once more: dropping markup may have joined the pieces of one
    return text if len(text) <= length else text[: length - 1] + "…"

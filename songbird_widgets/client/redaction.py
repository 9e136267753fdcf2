"""What may be shown of secrets: session ids shortened, addresses as origins, answers as excerpts."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

import msgspec

from ..secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable


_SHORTEST_SECRET = 4  # anything shorter would blank out ordinary words
_URL = re.compile(r"((?:https?|socks5h?)://)(?:[^\s/?#\"'<>@]*@)?([^\s/?#\"'<>]*)([^\s\"'<>]*)", re.IGNORECASE)
_QUERY_VALUE = re.compile(r"([?&;][\w.-]+=)[^&;\s\"'<>]+")
_SESSION_ID = re.compile(r"\bsession-[A-Za-z0-9_-]{5,}")
_UNSEEN_ELEMENT = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")


class Redacted(msgspec.Struct, frozen=True):
    """Something immutable whose contents may be secret: its repr has only the fields that `_shown` names."""

    _shown: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> Any:  # msgspec's own would show everything
        yield repr(self)


def short_id(identifier: str) -> str:
    """Shorten an id that is a bearer to ``session-6LpL…``: people can recognise it and nobody can use it."""
    prefix, hyphen, rest = identifier.partition("-")
    if not hyphen or len(prefix) > 12:
        prefix, hyphen, rest = "", "", identifier
    shown = rest[:4] if len(rest) >= 8 else ""
    return f"{plain(prefix)}{hyphen}{plain(shown)}…"


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: all of it that is never secret."""
    match = _URL.match(url)
    return plain(match[1] + match[2]) if match else "(no URL)"


def is_host(name: str) -> bool:
    """Whether a name can be looked up at all: its parts are neither empty nor longer than 63 characters."""
    try:
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


def secrets_of(url: str) -> tuple[Secret, ...]:
    """Return what must not be seen of a presigned URL: its query, and every value in it, encoded and not."""
    query = url.partition("?")[2]
    values = re.findall(r"=([^&]+)", query)
    return tuple(map(Secret, (query, *values, *map(unquote, values)))) if query else ()


def plain(text: str) -> str:
    """Make text one harmless line: no control, direction or other invisible characters."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    return " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split())


def redact(text: str, secrets: Iterable[str | Secret]) -> str:
    """Blank secrets out of a text, also where a server percent-encoded them.

    Of URLs only the origin is left, and no value of anything that looks like a query parameter.
    """
    revealed = {secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets}
    for secret in sorted(revealed, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            shown = short_id(secret) if secret.startswith("session-") else "…"
            for form in {secret, quote(secret, safe=""), quote(secret)}:
                text = text.replace(form, shown)
    text = _URL.sub(lambda m: m[1] + m[2] + ("/…" if m[3] else ""), text)
    return _SESSION_ID.sub(lambda m: short_id(m[0]), _QUERY_VALUE.sub(r"\1…", text))


def excerpt(body: bytes, secrets: Iterable[str | Secret], length: int = 160) -> str:
    """Show the start of an answer that was not understood, as one line of at most `length` characters.

    Secrets are blanked out before markup is dropped and the text is cut, lest one be left half shown, and
    once more afterwards, since that may have joined the pieces of one.
    """
    text = redact(body[:65_536].decode("utf-8", "replace"), secrets)
    text = redact(plain(_TAG.sub(" ", _UNSEEN_ELEMENT.sub(" ", text))), secrets)
    return text if len(text) <= length else text[: length - 1] + "…"

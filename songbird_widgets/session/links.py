"""Observatory links: strings that can be clicked where they are displayed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self


class ObservatoryLink(str):
    """The address of an observatory page.

    As a string it is the best absolute URL. It carries the session's id: whoever holds it sees the session.

    Attributes
    ----------
    href : str
        What a page in this Jupyter should link to: a path of the same origin where the server relays the
        local service, else the URL itself.
    individual : tuple of ObservatoryLink
        The selected profiles one by one, in the order of the selection.
    text : str
        What the link is called.
    """

    __slots__ = ("href", "individual", "text")

    href: str
    individual: tuple[ObservatoryLink, ...]
    text: str

    def __new__(
        cls,
        url: str,
        *,
        href: str | None = None,
        individual: Sequence[ObservatoryLink] = (),
        text: str = "Open in the observatory",
    ) -> Self:
        link = super().__new__(cls, url)
        link.href = url if href is None else href
        link.individual = tuple(individual)
        link.text = text
        return link

    def _repr_html_(self) -> str:
        links = [anchor(self.href, self.text)]
        if len(self.individual) > 1:
            links += [anchor(single.href, single.text) for single in self.individual]
        return " · ".join(links)


def anchor(href: str, text: str) -> str:
    """Return an HTML link that opens in a new tab, or the text alone if the address is not one to follow.

    Only http(s) URLs and absolute paths of the same origin are followed, whatever an endpoint answers.
    """
    if not followable(href):
        return escape(text)
    return f'<a href="{escape(href)}" target="_blank" rel="noopener noreferrer">{escape(text)}</a>'


def followable(href: str) -> bool:
    """Tell whether an address is an http(s) URL or an absolute path of the same origin."""
    # Browsers drop tabs and newlines from an address and read a backslash as a slash: none of them is let in.
    if any(char <= " " or char in "\\\x7f" for char in href):
        return False
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return bool(parts.hostname)
    return not parts.scheme and not parts.netloc and href.startswith("/") and not href.startswith("//")


def under(prefix: str, url: str) -> str:
    """Return path and query of a URL below another prefix, which ends with a slash."""
    parts = urlsplit(url)
    return prefix + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")

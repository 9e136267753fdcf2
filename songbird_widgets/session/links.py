"""Observatory links: strings that can be clicked where they are displayed."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

# Browsers drop tabs and newlines from an address and read a backslash as a slash, so none may be in one.
_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x20\\\x7f]")


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

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> session = sw.Session()
    >>> added = session.add({"price": [9.5, 12.0]}, alias="january")
    >>> landed = session.upload()
    >>> session.select("january")
    >>> len(session.link.individual)
    1
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
    if _NOT_IN_ADDRESSES.search(href):
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


def in_order(url: str, profiles: Sequence[str]) -> str:
    """Return the address of a page that shows its profiles in another order; one that shows others is left alone.

    Parameters
    ----------
    url : str
        What an endpoint answered. It lists references first, and a page shows P1 to P3 as its address does.
    profiles : sequence of str
        The values of its parameters ``profile``, in the order that is wanted.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    given = [value for name, value in query if name == "profile"]
    if given == list(profiles) or sorted(given) != sorted(profiles):
        return url
    wanted = iter(profiles)
    query = [(name, next(wanted) if name == "profile" else value) for name, value in query]
    return urlunsplit(parts._replace(query=urlencode(query)))


def over_time(link: ObservatoryLink) -> ObservatoryLink:
    """Return the link to the page of all days beside a link's first profile."""

    def moved(url: str) -> str:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        first = next((value for name, value in query if name == "profile"), None)
        kept = [(name, value) for name, value in query if name != "profile" or value == first]
        path = f"{parts.path.rpartition('/')[0]}/trends"
        return urlunsplit(parts._replace(path=path, query=urlencode(list(dict.fromkeys(kept)))))

    return ObservatoryLink(moved(link), href=moved(link.href), text="Every column over time")


class LinkCache:
    """The link that was asked for last; several threads that want it at once ask only once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: tuple[object, Future[ObservatoryLink], int] | None = None

    def get(self, subject: object, ask: Callable[[], ObservatoryLink]) -> ObservatoryLink:
        """Return the link of a subject; `ask` for it unless somebody has done so or is just doing it.

        Raises
        ------
        SongbirdError
            What `ask` raised. The next call asks again.
        """
        with self._lock:
            if self._asked is not None and self._asked[0] == subject:
                _, future, thread = self._asked
                if future.done() and future.exception() is None:
                    return future.result()
                if not future.done() and thread == threading.get_ident():
                    return ask()  # an observer that the request itself calls: waiting would never end
                mine = future.done()
            else:
                mine = True
            if mine:
                future = Future()
                self._asked = (subject, future, threading.get_ident())
        if mine:
            try:
                future.set_result(ask())
            except BaseException as error:  # raised in all threads that wait for it
                future.set_exception(error)
        return future.result()

    def peek(self, subject: object) -> ObservatoryLink | None:
        """Return the link of a subject if it is known."""
        with self._lock:
            if not subject or self._asked is None or self._asked[0] != subject:
                return None
            future = self._asked[1]
            return future.result() if future.done() and future.exception() is None else None

    def clear(self) -> None:
        """Forget it."""
        with self._lock:
            self._asked = None

"""The traits of a session, which follow its store and the state of the session at its endpoint."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import wait
from typing import TYPE_CHECKING, TypeVar, cast

import traitlets

from ..basics import meant, one_line
from ..client.errors import SongbirdError
from ..client.redaction import short_id
from .comparing import Comparisons
from .errors import SelectionError
from .executor import SerialExecutor
from .ledger import Ledger
from .links import ObservatoryLink, over_time
from .models import Notice, UploadProgress
from .selection import of_one_day
from .store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..observatory import ComparisonResult
    from .models import Level, ProfileState, SessionProfile
    from .remote import RemoteSession

T = TypeVar("T")

MAX_SESSION_NAME = 80
"""Characters of a session's name."""


class _Selection(traitlets.Tuple):
    """Assigning it selects in the store; only `_publish` sets the trait itself."""

    def __set__(self, obj: traitlets.HasTraits, value: object) -> None:
        cast("SessionTraits", obj)._replace_selection(value)  # noqa: SLF001 - its own class


class SessionTraits(traitlets.HasTraits):
    """The traits of a `Session`, each set by `_publish` alone, which may be called from any thread."""

    #: "new" until something was uploaded; "open"; "claimed"; "expired"; "unreachable" after the endpoint was
    #: not.
    state = traitlets.Enum(("new", "open", "claimed", "expired", "unreachable"), "new", read_only=True)
    #: What its owner calls the session; it can be changed at any time, and is kept on this machine only.
    name = traitlets.Unicode()
    #: The endpoint as people may see it: no path, no secret.
    endpoint_label = traitlets.Unicode(read_only=True)
    #: The session id, shortened so that it opens nothing; empty while there is none.
    short_id = traitlets.Unicode(read_only=True)
    #: Whether an upload is going on.
    busy = traitlets.Bool(default_value=False, read_only=True)
    #: Every profile of the session, in the order in which they came: a tuple of `SessionProfile`.
    profiles = traitlets.Tuple(read_only=True)
    #: What is selected: at most three `SessionProfile`, the first of which is the baseline. Assign anything that
    #: `select` takes, or several of it in the order that is wanted.
    selection = _Selection()
    #: How far the upload is: an `UploadProgress`.
    progress = traitlets.Instance(UploadProgress, (), read_only=True)
    #: The last message for people: a `Notice`, or None.
    notice = traitlets.Instance(Notice, allow_none=True, read_only=True)
    #: The observatory link of what is selected, asked for as soon as all of it is uploaded; None until it is there.
    #: It carries the session's id.
    current_link = traitlets.Instance(ObservatoryLink, allow_none=True, read_only=True)
    #: Why there is no link of what is selected, in words; empty if nothing went wrong.
    link_problem = traitlets.Unicode(read_only=True)

    _remote: RemoteSession

    if not TYPE_CHECKING:  # type checkers would take any name then

        def __setattr__(self, name: str, value: object) -> None:
            # A misspelt trait would be kept, and do nothing.
            if not name.startswith("_") and not hasattr(type(self), name):
                known = [one for one in dir(SessionTraits) if one in self.traits()]
                raise AttributeError(f"A session has no {one_line(name)!r} that can be set.{meant(name, known)}")
            super().__setattr__(name, value)

    def __init__(self) -> None:
        super().__init__()
        # The traits follow the store. They are set without any lock, so that observers may take their own.
        self._store = ProfileStore()
        # Problems of the ledger and of a session that is continued, and how many of them `notice` has told.
        self._warnings: list[str] = []
        self._warned = 0
        self._ledger = Ledger(on_problem=self._warnings.append)
        self._comparisons = Comparisons(self._store)
        self._link_requests = SerialExecutor("songbird-link")
        self._wanted: object = None

    @property
    def local(self) -> bool:
        """Whether the session lives in this user's local service because nobody named an endpoint."""
        return self._remote.endpoint.local

    @property
    def link(self) -> ObservatoryLink:
        """The observatory page of the selection, side by side; ``.individual`` one by one.

        Raises
        ------
        SelectionError
            If nothing is selected, or something that is not uploaded yet.
        SongbirdError
            If the endpoint gives no link.
        """
        self._resume()
        try:
            link = self._remote.link()
        except SelectionError:
            raise
        except SongbirdError as error:
            self.set_trait("link_problem", str(error))
            raise
        finally:
            self._publish()
        self.set_trait("link_problem", "")
        return link

    def wait_for_link(self, seconds: float) -> None:
        """Wait until a link that is being asked for has come, or could not be got.

        Parameters
        ----------
        seconds : float
            At most.
        """
        wait([self._link_requests.submit(lambda: None)], timeout=seconds)

    def in_state(self, state: ProfileState) -> list[SessionProfile]:
        """Return the profiles of one state, in their order.

        Parameters
        ----------
        state : {"added", "uploading", "uploaded", "failed"}
            Which.
        """
        return list(self._store.snapshot().index.states[state])

    def uploads_of(self, profile: SessionProfile) -> tuple[SessionProfile, ...]:
        """Return what is compared as one with a profile: all batches of its UTC day, or the reference itself.

        Parameters
        ----------
        profile : SessionProfile
            One of `profiles`.
        """
        return tuple(self._store.snapshot().uploads(profile))

    @property
    def trends_baseline(self) -> SessionProfile | None:
        """What `trends_link` shows all days beside: the first that is selected, else the session's own choice.

        None while less than two days are uploaded, and of an endpoint without that page.
        """
        now = self._store.snapshot()
        if not self._remote.has_trends or self._remote.over or not now.spans_days:
            return None
        return now.selected[0] if now.selected else now.own_baseline

    @property
    def current_trends_link(self) -> ObservatoryLink | None:
        """The link to the page of all days beside the first that is selected.

        None while there is no link of the selection, of an endpoint without that page, and with less than two days.
        """
        link = self.current_link
        return None if link is None or self.trends_baseline is None else over_time(link)

    @property
    def current_comparison(self) -> ComparisonResult | None:
        """The comparison of what is selected, if `Session.compare` or a panel has made it; else None."""
        return self._comparisons.known()

    def __repr__(self) -> str:
        now = self._store.snapshot()
        count = f"{len(now.profiles):,} profile{'' if len(now.profiles) == 1 else 's'}"
        called = filter(None, [repr(self.name) if self.name else "", self.short_id])
        held = [self.state, count, f"{len(now.selected)} selected"] if self._remote.asked else ["not looked at yet"]
        parts = [*called, *held, self.endpoint_label]
        return f"Session({', '.join(parts)})"

    @traitlets.default("profiles")
    def _first_profiles(self) -> tuple[SessionProfile, ...]:
        self._resume()
        return self._store.snapshot().profiles

    @traitlets.default("selection")
    def _first_selection(self) -> tuple[SessionProfile, ...]:
        self._resume()
        return self._store.snapshot().selected

    @traitlets.validate("name")
    def _one_line(self, proposal: dict[str, str]) -> str:
        return one_line(proposal["value"].strip(), MAX_SESSION_NAME)

    @traitlets.observe("name")
    def _keep_name(self, _change: object) -> None:
        remote = getattr(self, "_remote", None)
        if remote is not None:
            remote.rename(self.name)

    def _replace_selection(self, what: object) -> None:
        if what is None:
            raise SelectionError("None is neither a name nor a time. session.deselect() selects nothing.")
        one = isinstance(what, (str, bytes)) or not isinstance(what, Iterable)
        self._resume()
        self._selected(self._store.replace_selection((what,) if one else cast("Iterable[object]", what)))

    def _selected(self, meant: Iterable[SessionProfile]) -> None:
        """Publish a selection, and say which of what was named are one batch."""
        merged = of_one_day(meant)
        if merged:
            self._tell("warning", merged)
        self._publish()

    def _resume(self) -> bool:
        """Ask once what a continued session holds; tell whether that was now."""
        resumed = self._remote.resume()
        if resumed:
            self._publish()
        return resumed

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            self._publish()

    def _tell(self, level: Level, text: str) -> None:
        self.set_trait("notice", Notice(level, text))

    def _publish(self) -> None:
        """Set the traits to what the store holds now, also when several threads do so at once."""
        self._publish_state()
        self._follow_selection()  # first, so that observers of the selection find its link requested
        while True:
            now, link = self._store.snapshot(), self._remote.known_link()
            if self.profiles is now.profiles and self.selection is now.selected and self.current_link is link:
                break
            self.set_trait("current_link", link)
            self.set_trait("profiles", now.profiles)
            self.set_trait("selection", now.selected)

    def _publish_state(self) -> None:
        """Set the traits of the session's state; unlike `profiles`, they need no answer of the endpoint."""
        remote = self._remote
        self.set_trait("endpoint_label", remote.endpoint.label)
        self.set_trait("short_id", "" if remote.session_id is None else short_id(remote.session_id.reveal()))
        self.set_trait("state", remote.state)
        if len(self._warnings) > self._warned:
            self._warned = len(self._warnings)
            self._tell("warning", self._warnings[-1])

    def _follow_selection(self) -> None:
        """Ask in the background for the link as soon as there can be one; once for each selection."""
        wanted = self._remote.linkable()
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self.set_trait("link_problem", "")
        if wanted and self._remote.known_link() is None:
            self._link_requests.submit(lambda: self.link if self._wanted == wanted else None)

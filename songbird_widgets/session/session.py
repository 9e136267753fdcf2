"""A Songbird session in Python: its profiles, what is selected of them, the link, and what became of it."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import traitlets

from ..client.errors import EndpointUnreachable, NotFound, SessionExpired, SongbirdError
from ..client.redaction import short_id
from . import contents, display
from .connection import Connection
from .contents import Content
from .errors import AddError, SelectionError, SessionError
from .jobs import Lane, follow
from .journal import Journal, recent_sessions
from .links import ObservatoryLink
from .roster import Roster
from .selection import names, there_is, timestamp_of
from .state import Kind, Level, Notice, Problem, SessionProfile, UploadStatus, shown, shown_size
from .transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from ..client import Songbird
    from ..client.models import SessionMetadata
    from ..profiles import ProfileSource
    from .ledger import LedgerSession

T = TypeVar("T")


class Session(traitlets.HasTraits):
    """A guest session: add profiles, upload them, select up to three, and see them side by side.

    Nothing is asked of the endpoint until something is needed of it; the session itself is made with the
    first upload. Every method may be called from any thread. As the last line of a cell a session shows its
    panel.

    Parameters
    ----------
    endpoint : str, optional
        URL of a Songbird endpoint. By default the one of the environment, else the local service, which is
        started when it is needed. A session that is continued is looked for where it was made.
    session_id : str, optional
        Continue this session instead of making a new one.
    api_key : str, optional
        Key of an organization, needed for `claim` and `info` only; by default the one of the environment, and
        for the local service its own organization's.
    user_id : str, optional
        Name under which the session is made; a random one by default.
    client : Songbird, optional
        A client to use instead of one made from `endpoint` and `api_key`. It is left open.

    Raises
    ------
    ConfigurationError
        On first use, if the endpoint or the key cannot be one.
    """

    #: "new" until something was uploaded; "open"; "claimed"; "expired"; "unreachable" after the endpoint was
    #: not.
    state = traitlets.Enum(("new", "open", "claimed", "expired", "unreachable"), "new", read_only=True)
    #: The endpoint as people may see it: no path, no secret.
    endpoint_label = traitlets.Unicode(read_only=True)
    #: The session id, shortened to what opens nothing; empty while there is none.
    short_id = traitlets.Unicode(read_only=True)
    #: Whether an upload is going on.
    busy = traitlets.Bool(default_value=False, read_only=True)
    #: Every profile of the session, in the order in which they came: a tuple of `SessionProfile`.
    profiles = traitlets.Tuple(read_only=True)
    #: What is selected, references first: at most three `SessionProfile`. Assign anything that `select`
    #: takes.
    selection = traitlets.Tuple()
    #: How far the upload is: an `UploadStatus`.
    progress = traitlets.Instance(UploadStatus, (), read_only=True)
    #: The last message for people: a `Notice`, or None.
    notice = traitlets.Instance(Notice, allow_none=True, read_only=True)
    #: The last `link`, as long as it is the one of the selection; else None. It carries the session's id.
    current_link = traitlets.Instance(ObservatoryLink, allow_none=True, read_only=True)

    def __init__(
        self,
        endpoint: str | None = None,
        session_id: str | None = None,
        *,
        api_key: str | None = None,
        user_id: str | None = None,
        client: Songbird | None = None,
    ) -> None:
        super().__init__()
        self._user_id = user_id or str(uuid.uuid4())
        self._journal = Journal(lambda reason: self._tell("warning", reason))
        # What is true; the traits follow it and are set without any lock, so that observers may take their
        # own.
        self._roster = Roster()
        self._linked: tuple[list[str], ObservatoryLink] | None = None
        # One at a time makes the session, or asks what it holds.
        self._opening = threading.RLock()
        self._uploads = Lane("songbird-upload")
        self._requests = Lane("songbird-request")
        self._cancel = threading.Event()
        self._open(endpoint, session_id, api_key, client)

    def _open(self, endpoint: str | None, session_id: str | None, api_key: str | None, client: Songbird | None) -> None:
        known = None
        if session_id is not None and client is None:
            known = self._journal.known(session_id)
            endpoint = endpoint or (known.endpoint if known else None)
        self._connection = Connection(endpoint, api_key, client, self._hear)
        self._session_id = session_id
        self._asked = session_id is None
        self._asking = False
        self.set_trait("endpoint_label", self._connection.label)
        self.set_trait("short_id", "" if session_id is None else short_id(session_id))
        self.set_trait("state", "new" if session_id is None else known.state if known else "open")

    # -- adding ---------------------------------------------------------------------------------------------

    def add(
        self,
        *sources: object,
        alias: str | None = None,
        timestamp: object = None,
        kind: Kind | None = None,
    ) -> list[SessionProfile]:
        """Add profiles, to be sent by the next `upload`.

        Parameters
        ----------
        *sources : object
            Paths, globs, zips, bytes, file objects, whylogs objects, DataFrames (where whylogs is installed),
            or lists and mappings (name to source) of these.
        alias : str, optional
            Makes the one profile that is given a reference of this name.
        timestamp : int, str, date or datetime, optional
            The time of the data instead of the one in the profile: ms since 1970, an ISO text, or a date.
        kind : {"batch", "reference"}, optional
            By default a reference if it has an alias, else a batch. A reference without an alias gets its
            file's name.

        Returns
        -------
        list of SessionProfile
            What was added. What the session has already, the same bytes under the same name, is not added
            twice.

        Raises
        ------
        AddError
            If something could not be added; everything else was.
        SessionError
            If the session is over.
        ValueError
            If the arguments contradict each other; nothing was added.
        """
        from ..profiles import ProfileSource, find_sources

        self._not_over()
        when = None if timestamp is None else timestamp_of(timestamp)
        found: list[ProfileSource] = []
        problems: list[Problem] = []
        for source in sources:
            for item in find_sources(source, alias=alias, timestamp=when, kind=kind):
                if isinstance(item, ProfileSource):
                    found.append(item)
                else:
                    problems.append(Problem(shown(item.name), item.reason))
        if alias is not None and len(found) > 1:
            reason = f"One alias cannot name {len(found)} profiles: add them one by one."
            problems += [Problem(shown(item.name), reason) for item in found]
            found = []
        outcomes = [self._take(source) for source in found]
        problems += [outcome for outcome in outcomes if isinstance(outcome, Problem)]
        taken = {item.key: item for item in outcomes if isinstance(item, SessionProfile)}
        self._publish()
        if problems:
            error = AddError(list(taken.values()), problems)
            self._tell("warning", str(error))
            raise error
        return list(taken.values())

    def _take(self, source: ProfileSource) -> SessionProfile | Problem:
        try:
            return self._roster.take(contents.added(source), Content.of(source))
        except SongbirdError as error:
            return Problem(shown(source.name), str(error))

    def edit(self, what: object, *, alias: str | None = None, timestamp: object = None) -> SessionProfile:
        """Give a profile that was not uploaded another alias or time.

        Parameters
        ----------
        what : object
            Anything that `select` takes.
        alias : str, optional
            Makes it a reference of this name.
        timestamp : int, str, date or datetime, optional
            The time of its data. Without an alias it makes a batch of it.

        Raises
        ------
        SelectionError
            If nothing or more than one profile is meant, or it is being or was uploaded.
        ValidationError
            If no endpoint would take it like that.
        """
        when = None if timestamp is None else timestamp_of(timestamp)
        old, new = self._roster.edit(what, lambda profile: contents.renamed(profile, alias, when))
        if new.key != old:
            self._journal.forget([old])
        self._publish()
        return new

    def remove(self, *what: object) -> None:
        """Take profiles that were not uploaded out of the session again.

        Parameters
        ----------
        *what : object
            Anything that `select` takes.

        Raises
        ------
        SelectionError
            If nothing or more than one profile is meant, or one is being or was uploaded.
        """
        self._resume()
        self._journal.forget(self._roster.remove(what))
        self._publish()

    # -- uploading ------------------------------------------------------------------------------------------

    def upload(self, wait: bool = True) -> list[SessionProfile]:
        """Send what has not arrived yet.

        One that fails keeps nothing else from going on: its `SessionProfile` has the state ``"failed"`` and
        says why. Calling it again sends exactly the rest.

        Parameters
        ----------
        wait : bool
            Return when it is done, showing the progress meanwhile. Otherwise it goes on in the background,
            and the traits `busy`, `progress` and `profiles` tell.

        Returns
        -------
        list of SessionProfile
            What landed: its arrival was confirmed. Empty with ``wait=False``.

        Raises
        ------
        SongbirdError
            If nothing could be sent at all.
        """
        self._not_over()
        self._cancel = cancel = threading.Event()
        job = self._uploads.submit(lambda: self._send(cancel))
        if not wait:
            return []
        screen: display.Progress | None = None

        def show() -> None:
            nonlocal screen
            if self.busy:
                screen = screen or display.progress()
                screen.update(self.progress)

        try:
            follow(job, show)
        except KeyboardInterrupt:
            self.cancel()
            follow(job, show)
            raise
        if job.cancelled():
            return []
        sent = job.result()
        if sent:
            (screen or display.progress()).end(self.progress, [item for item in sent if item.state == "failed"])
        return [item for item in sent if item.state == "uploaded"]

    def cancel(self) -> None:
        """Stop the upload: what has arrived stays, and the next `upload` sends the rest."""
        self._uploads.clear()
        self._cancel.set()

    def _send(self, cancel: threading.Event) -> list[SessionProfile]:
        self._resume()

        def report(status: UploadStatus) -> None:
            self._publish()
            self.set_trait("progress", status)

        try:
            self._find_arrived()
            waiting = self._waiting()
            if not waiting:
                return []
            size = sum(item.size for item in waiting)
            text = f"{len(waiting)} to upload: {shown_size(size)}"
            self.set_trait("progress", UploadStatus(total=len(waiting), bytes_total=size, text=text))
            self.set_trait("busy", True)
            session_id = self._begin()
            transfer = Transfer(
                connection=self._connection,
                journal=self._journal,
                roster=self._roster,
                waiting=waiting,
                cancel=cancel,
                on_progress=report,
            )
            sent = transfer.send(session_id)
        except SongbirdError as error:
            self._tell("error", str(error))
            raise
        except Exception as error:
            # In the background nobody would hear of it. What it says is not shown: it may hold an address with a token.
            self._tell("error", f"The upload broke off ({type(error).__name__}). Upload again to send the rest.")
            raise
        finally:
            self._publish()
            self.set_trait("busy", False)
        if transfer.expired:
            self._hear("expired")
        failed = [f"{item.label}: {item.problem}" for item in sent if item.state == "failed"]
        if failed:
            rest = "Upload again to send the rest."
            self._tell("error", "\n".join([f"{len(failed)} of {len(sent)} could not be uploaded. {rest}", *failed]))
        else:
            self._tell("info", self.progress.text)
        return sent

    def _waiting(self) -> list[SessionProfile]:
        return [item for item in self._roster.look()[0] if item.state in ("added", "failed")]

    def _find_arrived(self) -> None:
        """Ask what has arrived after all of an upload that broke off: sent again, it would count twice."""
        if self._session_id is None or not self._waiting():
            return
        try:
            self._merge(self._session_id)
        except EndpointUnreachable:
            raise
        except SongbirdError:
            pass  # another service may have no listing, and whatever else it is, the upload will say

    # -- selecting ------------------------------------------------------------------------------------------

    def select(self, *what: object) -> None:
        """Add to the selection: at most three profiles are shown side by side.

        Parameters
        ----------
        *what : SessionProfile, str, date, datetime or int
            Entries of `profiles`; aliases or reference ids; ISO dates or times, dates or datetimes (UTC
            unless they say otherwise) and milliseconds since 1970, which mean the batch of their UTC day.

        Raises
        ------
        SelectionError
            If one is unknown or ambiguous, or if there would be more than three. Nothing changes then.
        """
        self._resume()
        self._roster.select(what)
        self._publish()

    def deselect(self, *what: object) -> None:
        """Take profiles out of the selection; all of them if none is named.

        Parameters
        ----------
        *what : object
            Anything that `select` takes.

        Raises
        ------
        SelectionError
            If one is unknown or ambiguous. Nothing changes then.
        """
        self._resume()
        if what:
            self._roster.deselect(what)
        else:
            self._roster.choose(())
        self._publish()

    @traitlets.validate("selection")
    def _valid_selection(self, proposal: Mapping[str, Any]) -> tuple[SessionProfile, ...]:
        value: tuple[Any, ...] = proposal["value"]
        if isinstance(value, _Published):
            return tuple(value)
        self._resume()
        return self._roster.choose(value)

    # -- linking --------------------------------------------------------------------------------------------

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
        self._not_over()
        self._resume()
        items, chosen = self._roster.look()
        if not chosen:
            raise SelectionError(f"Nothing is selected: choose up to three with session.select(...). {there_is(items)}")
        arrived = {item.slot for item in items if item.state == "uploaded"}
        missing = [item for item in chosen if item.slot not in arrived]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise SelectionError(f"{names(missing)} {verb} not uploaded yet: session.upload() sends what is left.")
        linked, slots = self._linked, _slots(chosen)
        if linked is not None and linked[0] == slots:
            return linked[1]
        link = self._ask_link(chosen)
        self._linked = (slots, link)
        if _slots(self._roster.look()[1]) == slots:
            self.set_trait("current_link", link)
        return link

    def _ask_link(self, chosen: tuple[SessionProfile, ...]) -> ObservatoryLink:
        session_id = self._begin()
        batches = [item.dataset_timestamp for item in chosen if item.kind == "batch"]
        references = [item.profile_id for item in chosen if item.kind == "reference"]
        answer = self._connection.ask(
            lambda client: client.get_session_profile_observatory_link(
                session_id,
                [timestamp for timestamp in batches if timestamp is not None],
                [profile_id for profile_id in references if profile_id is not None],
            )
        )
        link = self._connection.link
        each = zip(answer.individual_observatory_urls, chosen)  # noqa: B905 - an endpoint may answer fewer
        text = "Open side by side in the observatory" if len(chosen) > 1 else "Open in the observatory"
        return link(answer.observatory_url, text, [link(url, item.label) for url, item in each])

    @traitlets.observe("selection")
    def _follow_selection(self, change: Mapping[str, Any]) -> None:
        linked = self._linked
        fits = linked is not None and linked[0] == _slots(change["new"])
        self.set_trait("current_link", linked[1] if linked is not None and fits else None)

    # -- the session itself ---------------------------------------------------------------------------------

    @property
    def local(self) -> bool:
        """Whether the session lives in this user's local service because nobody named an endpoint."""
        return self._connection.local

    @property
    def session_id(self) -> str:
        """The id: whoever has it can add to the session and see it. Asking for it makes the session.

        Raises
        ------
        SongbirdError
            If the endpoint does not make one.
        """
        return self._begin()

    def claim(self, org_id: str | None = None, api_key: str | None = None) -> None:
        """Hand the session's profiles to an organization for good. The session is over then.

        Parameters
        ----------
        org_id : str, optional
            The organization; for the local service its own by default.
        api_key : str, optional
            The organization's key; by default the session's, and for the local service its own
            organization's.

        Raises
        ------
        SessionError
            If there is nothing to claim.
        SongbirdError
            If the endpoint refuses, or did not answer: then the error says whether the claim may have been
            made.
        """
        self._not_over()
        self._resume()
        session_id = self._session_id
        if session_id is None or not any(item.state == "uploaded" for item in self._roster.look()[0]):
            raise SessionError("Nothing was uploaded to this session, so there is nothing to claim.")
        org_id, key = self._connection.organization(org_id, api_key)
        try:
            self._connection.ask(lambda client: client.claim_guest_session(session_id, org_id, key))
        except SongbirdError as error:
            if not (error.ambiguous and self._was_claimed(session_id, org_id, key)):
                raise
        self._become("claimed")
        self._tell("info", f"The session's profiles belong to {shown(org_id)} now. Its links open no more.")

    def _was_claimed(self, session_id: str, org_id: str, key: str | None) -> bool:
        """Ask what became of a claim that was not answered: it must not be made twice."""
        try:
            session = self._connection.client().get_session(session_id, api_key=key).session
        except SessionExpired:
            return True
        except SongbirdError:
            return False
        return session.org_id == org_id

    def info(self) -> SessionMetadata:
        """Ask the endpoint for the session's metadata; needs an API key.

        Raises
        ------
        SongbirdError
            If the endpoint refuses, or there is no key.
        """
        session_id, key = self._begin(), self._connection.key()
        return self._connection.ask(lambda client: client.get_session(session_id, api_key=key)).session

    def refresh(self) -> None:
        """Ask the endpoint what the session holds, also of what whylogs or another kernel uploaded.

        Endpoints that cannot list a session's profiles leave everything as it is.

        Raises
        ------
        SongbirdError
            If the endpoint cannot be reached, or the session is over.
        """
        self._resume()
        if self._session_id is not None:
            self._merge(self._session_id)

    def switch(self, endpoint: str | None = None, session_id: str | None = None, *, api_key: str | None = None) -> None:
        """Turn to another session or endpoint; panels of this one follow.

        What was not sent yet comes along. The session that is left stays as it is, and can be continued by
        its id.

        Parameters
        ----------
        endpoint, session_id, api_key : str, optional
            As for a new `Session`.
        """
        self.cancel()
        # After this job, nothing is sent to the old session any more.
        self._uploads.submit(lambda: None).result()
        with self._opening:
            self._connection.close()
            self._journal.leave()
            self._roster.leave()
            self._linked = None
            self._open(endpoint, session_id, api_key, None)
        self.set_trait("current_link", None)
        self.set_trait("progress", UploadStatus())
        self.set_trait("notice", None)
        self._resume()
        self._publish()

    def panel(self) -> Any:
        """Return a widget that shows the session, to be put into a layout of one's own.

        Raises
        ------
        ImportError
            If ipywidgets or anywidget is not installed.
        """
        return display.panel(self)

    @staticmethod
    def recent(most: int = 20) -> list[LedgerSession]:
        """Return this user's sessions of all kernels, the latest first.

        Parameters
        ----------
        most : int
            How many.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        return recent_sessions(most)

    def close(self) -> None:
        """Stop an upload and let go of connections and files. The session itself stays where it is."""
        self.cancel()
        self._connection.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Do something with the session in the background; a failure becomes the `notice` too.

        Parameters
        ----------
        call : callable
            For example ``session.refresh`` or ``lambda: session.link``.

        Returns
        -------
        concurrent.futures.Future
            Its result, or the error it ended with.
        """

        def attempt() -> T:
            try:
                return call()
            except Exception as error:
                self._tell("error", str(error))
                raise

        return self._requests.submit(attempt)

    def __repr__(self) -> str:
        items, chosen = self._roster.look()
        count = f"{len(items)} profile{'' if len(items) == 1 else 's'}"
        parts = [
            *filter(None, [self.short_id]),
            self.state,
            count,
            f"{len(chosen)} selected",
            self.endpoint_label,
        ]
        return f"Session({', '.join(parts)})"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        del include, exclude  # Jupyter picks from the whole
        return display.bundle(self)

    # -- what is underneath ---------------------------------------------------------------------------------

    @traitlets.default("profiles")
    def _first_profiles(self) -> tuple[SessionProfile, ...]:
        self._resume()
        return self._roster.look()[0]

    def _resume(self) -> None:
        """Find out once what a continued session holds."""
        if self._asked:
            return
        with self._opening:
            # Another thread may have asked meanwhile, or this one be asking just now.
            if self._asked or self._asking or self._session_id is None:  # type: ignore[redundant-expr]
                return
            self._asking = True
            self._journal.begin(self._session_id, self._connection.endpoint, self._connection.label)
            self._roster.recall(self._journal.recall())
            try:
                self._merge(self._session_id)
            except SongbirdError as error:
                self._tell("warning", f"Shown is what is known here of the session. {error}")
            self._asked, self._asking = True, False
            self._publish()

    def _merge(self, session_id: str) -> None:
        try:
            listing = self._connection.ask(lambda client: client.list_session_profiles(session_id))
        except NotFound:
            if self._connection.local:
                raise
            self._publish()
            return  # another service than ours: it has no listing
        self._journal.confirm(self._roster.merge(contents.listed(entry) for entry in listing.profiles))
        self._publish()

    def _begin(self) -> str:
        """Return the session's id, made now if there is none."""
        with self._opening:
            if self._session_id is None:
                session_id = self._connection.ask(lambda client: client.create_session(self._user_id)).id
                self._journal.begin(session_id, self._connection.endpoint, self._connection.label)
                self._session_id = session_id
                self.set_trait("short_id", short_id(session_id))
                self._become("open")
            return self._session_id

    def _hear(self, news: str) -> None:
        """Follow what requests show of the session."""
        if news == "expired":
            self._become("expired")
        elif news == "unreachable":
            self._become("unreachable")
        elif self.state == "unreachable":
            self._become("new" if self._session_id is None else "open")

    def _become(self, state: str) -> None:
        over = ("claimed", "expired")
        if self.state == state or (self.state in over and state != "claimed"):
            return
        self.set_trait("state", state)
        if state in over:
            self._linked = None
            self.set_trait("current_link", None)
            self._journal.mark(state)

    def _not_over(self) -> None:
        if self.state in ("claimed", "expired"):
            what = "was claimed by an organization" if self.state == "claimed" else "has expired"
            raise SessionError(
                f"This session {what}: nothing can be added to it or linked any more. Start a new one with Session()."
            )

    def _tell(self, level: Level, text: str) -> None:
        self.set_trait("notice", Notice(level, text))

    def _publish(self) -> None:
        """Bring the traits in step with what is true, also when several threads do so at once."""
        while True:
            items, chosen = self._roster.look()
            if self.profiles is items and self.selection == chosen:
                return
            self.set_trait("profiles", items)
            self.set_trait("selection", _Published(chosen))


class _Published(tuple[SessionProfile, ...]):
    """A selection that was checked already."""

    __slots__ = ()


def _slots(items: Iterable[SessionProfile]) -> list[str]:
    return [item.slot for item in items]

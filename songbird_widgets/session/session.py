"""A Songbird session in Python: its profiles, what is selected of them, the link, and what became of it."""

from __future__ import annotations

import contextlib
import threading
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import traitlets

from ..client.configuration import named_endpoint
from ..client.errors import EndpointUnreachable, NotFound, SessionExpired, SongbirdError
from ..client.secrecy import origin_of, short_id
from ..jupyter import discovery, local_service
from . import contents, display
from .contents import Content
from .errors import AddError, SelectionError, SessionError
from .jobs import Lane, beside, follow
from .ledger import Ledger, LedgerEntry, LedgerError
from .links import ObservatoryLink, followable
from .progress import Tally
from .selection import arrange, extend, names, resolve, there_is, timestamp_of
from .state import Kind, Level, Notice, Problem, SessionProfile, UploadStatus, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from ..client import Songbird
    from ..client.models import SessionMetadata
    from ..client.uploads import ProfileUpload, UploadProgress, UploadResult
    from ..profiles import ProfileSource

T = TypeVar("T")


class Session(traitlets.HasTraits):
    """A guest session: add profiles, upload them, select up to three, and see them side by side.

    Nothing is asked of the endpoint until something is needed of it; the session itself is made with the first
    upload. Every method may be called from any thread. As the last line of a cell a session shows its panel.

    Parameters
    ----------
    endpoint : str, optional
        URL of a Songbird endpoint. By default the one of the environment, else the local service, which is
        started when it is needed.
    session_id : str, optional
        Continue this session instead of making a new one.
    api_key : str, optional
        Key of an organization, needed for `claim` and `info` only; by default the one of the environment, and
        for the local service its own organization's.
    user_id : str, optional
        Name under which the session is made; a random one by default.
    client : Songbird, optional
        A client to use instead of one made from `endpoint` and `api_key`. It is left open.
    """

    #: "new" until something was uploaded; "open"; "claimed"; "expired"; "unreachable" after the endpoint was not.
    state = traitlets.Enum(("new", "open", "claimed", "expired", "unreachable"), "new", read_only=True)
    #: The endpoint as people may see it: no path, no secret.
    endpoint_label = traitlets.Unicode(read_only=True)
    #: The session id, shortened to what opens nothing; empty while there is none.
    short_id = traitlets.Unicode(read_only=True)
    #: Whether an upload is going on.
    busy = traitlets.Bool(default_value=False, read_only=True)
    #: Every profile of the session, in the order in which they came: a tuple of `SessionProfile`.
    profiles = traitlets.Tuple(read_only=True)
    #: What is selected, references first: at most three `SessionProfile`. Assign anything that `select` takes.
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
        self._endpoint = named_endpoint(endpoint)
        self._api_key = api_key
        self._user_id = user_id or str(uuid.uuid4())
        self._client = client
        self._given_client = client is not None
        self._session_id = session_id
        self._merged = session_id is None
        # What is true; the traits follow it. It is changed under the lock and published without it, so that an
        # observer may take any lock of its own.
        self._items: tuple[SessionProfile, ...] = ()
        self._chosen: tuple[str, ...] = ()
        self._contents: dict[str, Content] = {}
        self._linked: tuple[list[str], ObservatoryLink] | None = None
        self._lock = threading.RLock()
        # One at a time asks for a session, a client, or what the session holds.
        self._opening = threading.RLock()
        self._uploads = Lane("songbird-upload")
        self._requests = Lane("songbird-request")
        self._cancel = threading.Event()
        self._ledger: Ledger | None = Ledger(local_service.data_directory())
        self.set_trait("endpoint_label", self._label())
        if session_id is not None:
            self.set_trait("short_id", short_id(session_id))
            self.set_trait("state", "open")

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
            Paths, globs, zips, bytes, file objects, whylogs objects, DataFrames (where whylogs is installed), or
            lists and mappings (name to source) of these.
        alias : str, optional
            Makes the one profile that is given a reference of this name.
        timestamp : int, str, date or datetime, optional
            The time of the data instead of the one in the profile: ms since 1970, an ISO text, or a date.
        kind : {"batch", "reference"}, optional
            By default a reference if it has an alias, else a batch. A reference without an alias gets its file's
            name.

        Returns
        -------
        list of SessionProfile
            What was added. What the session has already, the same bytes under the same name, is not added twice.

        Raises
        ------
        AddError
            If something could not be added; everything else was.
        SessionError
            If the session is over.
        """
        from ..profiles import ProfileSource, find_sources  # noqa: PLC0415 - numpy only when it is needed

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
            raise AddError(
                (),
                [
                    Problem(shown(item.name), f"one alias ({shown(alias)!r}) for {len(found)} profiles")
                    for item in found
                ],
            )
        result = self._take(found, problems)
        if problems:
            error = AddError(result, problems)
            self._tell("warning", str(error))
            raise error
        return result

    def _take(self, found: Iterable[ProfileSource], problems: list[Problem]) -> list[SessionProfile]:
        taken: dict[str, SessionProfile] = {}
        with self._lock:
            items = {item.key: item for item in self._items}
            for source in found:
                try:
                    profile = contents.added(source)
                except SongbirdError as error:
                    problems.append(Problem(shown(source.name), str(error)))
                    continue
                known = items.get(profile.key)
                if known is None or known.state == "failed":
                    self._contents[profile.key] = Content.of(source)
                    items[profile.key] = profile
                taken[profile.key] = items[profile.key]
            self._items = tuple(items.values())
        self._publish()
        return list(taken.values())

    def remove(self, *what: object) -> None:
        """Take profiles that were not uploaded out of the session again.

        Parameters
        ----------
        *what : object
            Anything that `select` takes.

        Raises
        ------
        SelectionError
            If nothing or more than one profile is meant, or one is uploaded or being uploaded.
        """
        self._resume()
        with self._lock:
            going = [resolve(item, self._items) for item in what]
            for profile in going:
                if profile.state in ("uploaded", "uploading"):
                    raise SelectionError(
                        f"{shown(profile.label)!r} is {profile.state}: it cannot be removed."
                    )
            keys = {profile.key for profile in going}
            self._items = tuple(item for item in self._items if item.key not in keys)
            self._chosen = tuple(key for key in self._chosen if key not in keys)
            for key in keys:
                self._contents.pop(key, None)
        self._journal(lambda ledger, session_id: ledger.forget(session_id, keys))
        self._publish()

    # -- uploading ------------------------------------------------------------------------------------------

    def upload(self, wait: bool = True) -> list[SessionProfile]:
        """Send what has not arrived yet.

        One that fails keeps nothing else from going on: its `SessionProfile` has the state ``"failed"`` and says
        why. Calling it again sends exactly the rest.

        Parameters
        ----------
        wait : bool
            Return when it is done, showing the progress meanwhile. Otherwise it goes on in the background, and
            the traits `busy`, `progress` and `profiles` tell.

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
        job = self._uploads.submit(lambda: self._send_all(cancel))
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
        landed, failed = job.result()
        if landed or failed:
            (screen or display.progress()).end(self.progress, failed)
        return landed

    def cancel(self) -> None:
        """Stop the upload: what has arrived stays, the rest can be sent by the next `upload`."""
        self._uploads.clear()
        self._cancel.set()

    def _send_all(self, cancel: threading.Event) -> tuple[list[SessionProfile], list[SessionProfile]]:
        self._resume()
        with self._lock:
            waiting = [item for item in self._items if item.state in ("added", "failed")]
        if not waiting:
            return [], []
        self.set_trait("busy", True)
        try:
            sent = self._send(waiting, cancel)
        except SongbirdError as error:
            self._change({item.key: item for item in waiting})
            self._tell("error", str(error))
            raise
        finally:
            self.set_trait("busy", False)
        landed = [item for item in sent if item.state == "uploaded"]
        failed = [item for item in sent if item.state == "failed"]
        if failed:
            reasons = "\n".join(f"{item.label}: {item.problem}" for item in failed)
            self._tell(
                "error",
                f"{len(failed)} of {len(sent)} could not be uploaded. Upload again to send the rest.\n{reasons}",
            )
        else:
            self._tell("info", self.progress.text)
        return landed, failed

    def _send(self, waiting: Sequence[SessionProfile], cancel: threading.Event) -> list[SessionProfile]:
        tally = Tally({item.key: item.size for item in waiting})
        self.set_trait("progress", tally.status())
        session_id = self._begin()
        ready: dict[str, tuple[SessionProfile, Content]] = {}
        for item in waiting:
            try:
                content = self._contents.get(item.key)
                if content is None:
                    raise SessionError("Its bytes are no longer here. Add it again.")
                content.check(item.sha256)
            except SessionError as error:
                tally.note(item.key, "failed", 0)
                self._change({item.key: replace(item, state="failed", problem=str(error))})
            else:
                ready[item.key] = replace(item, state="uploading", problem=None, sent=0), content
        self._announce(ready.values())
        self._change({key: item for key, (item, _) in ready.items()})
        results = self._transfer(session_id, ready, tally, cancel)
        if self._local() and any(isinstance(result.error, EndpointUnreachable) for result in results):
            # The local service ends itself when idle, and may have done so just now.
            self._reconnect()
            again = {r.key: ready[r.key] for r in results if isinstance(r.error, EndpointUnreachable)}
            results = [r for r in results if r.key not in again]
            results += self._transfer(session_id, again, tally, cancel)
        for result in results:
            self._settle(result)
        self.set_trait("progress", tally.status())
        with self._lock:
            keys = {item.key for item in waiting}
            return [item for item in self._items if item.key in keys]

    def _transfer(
        self,
        session_id: str,
        ready: Mapping[str, tuple[SessionProfile, Content]],
        tally: Tally,
        cancel: threading.Event,
    ) -> list[UploadResult]:
        from ..client.uploads import upload_profiles  # noqa: PLC0415 - httpx only when it is needed

        def note(progress: UploadProgress) -> None:
            # The journal first: what people are told has arrived must be known after a kill.
            if progress.state == "uploaded":
                key, profile_id = progress.key, progress.profile_id
                self._journal(lambda ledger, session: ledger.confirm(session, key, profile_id, None))
            tally.note(progress.key, progress.state, progress.sent)

        client = self._connect()
        uploads = [_as_upload(item, content) for item, content in ready.values()]
        return beside(
            lambda: upload_profiles(client, session_id, uploads, on_progress=note, cancel=cancel),
            lambda: self._report(tally),
        )

    def _report(self, tally: Tally) -> None:
        moved = tally.changed()
        with self._lock:
            changed = {
                item.key: replace(item, sent=moved[item.key])
                for item in self._items
                if item.key in moved and item.state == "uploading"
            }
        self._change(changed)
        self.set_trait("progress", tally.status())

    def _settle(self, result: UploadResult) -> None:
        """Make the outcome of one profile known."""
        with self._lock:
            item = next(item for item in self._items if item.key == result.key)
        if result.state == "uploaded":
            self._journal(lambda ledger, session: ledger.confirm(session, item.key, result.profile_id, None))
            self._contents.pop(item.key, None)
            item = replace(item, state="uploaded", problem=None, sent=item.size, profile_id=result.profile_id)
        elif result.state == "cancelled":
            item = replace(item, state="added", problem=None, sent=0)
        else:
            problem = str(result.error) if result.error else "It did not arrive."
            self._journal(lambda ledger, session: ledger.fail(session, item.key, problem))
            item = replace(item, state="failed", problem=problem)
        self._change({item.key: item})
        if isinstance(result.error, SessionExpired):
            self._become("expired")

    # -- selecting ------------------------------------------------------------------------------------------

    def select(self, *what: object) -> None:
        """Add to the selection: at most three profiles are shown side by side.

        Parameters
        ----------
        *what : SessionProfile, str, date, datetime or int
            Entries of `profiles`; aliases or reference ids; ISO dates or times, dates or datetimes (UTC unless
            they say otherwise) and milliseconds since 1970, which mean the batch of their UTC day.

        Raises
        ------
        SelectionError
            If one is unknown or ambiguous, or if there would be more than three. Nothing changes then.
        """
        self._resume()
        with self._lock:
            more = [resolve(item, self._items) for item in what]
            self._chosen = tuple(item.key for item in extend(self._selected(), more))
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
            If one is unknown, or is not selected. Nothing changes then.
        """
        self._resume()
        with self._lock:
            kept = list(self._selected())
            for item in what:
                # Among what is selected an alias may be unique that is not so among all.
                slot = resolve(item, kept).slot if kept else resolve(item, self._items).slot
                kept = [profile for profile in kept if profile.slot != slot]
            self._chosen = tuple(profile.key for profile in kept) if what else ()
        self._publish()

    def _selected(self) -> tuple[SessionProfile, ...]:
        items = {item.key: item for item in self._items}
        return tuple(items[key] for key in self._chosen if key in items)

    @traitlets.validate("selection")
    def _valid_selection(self, proposal: Mapping[str, Any]) -> tuple[SessionProfile, ...]:
        value: tuple[Any, ...] = proposal["value"]
        if isinstance(value, _Published):
            return tuple(value)
        self._resume()
        with self._lock:
            chosen = arrange(resolve(item, self._items) for item in value)
            self._chosen = tuple(item.key for item in chosen)
        return chosen

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
        with self._lock:
            chosen, items = self._selected(), self._items
        if not chosen:
            raise SelectionError(
                f"Nothing is selected: choose up to three with session.select(...). {there_is(items)}"
            )
        arrived = {item.slot for item in items if item.state == "uploaded"}
        missing = [item for item in chosen if item.slot not in arrived]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise SelectionError(
                f"{names(missing)} {verb} not uploaded yet: session.upload() sends what is left."
            )
        slots = _slots(chosen)
        if self._linked is not None and self._linked[0] == slots:
            return self._linked[1]
        session_id = self._begin()
        batches = [item.dataset_timestamp for item in chosen if item.kind == "batch"]
        references = [item.profile_id for item in chosen if item.kind == "reference"]
        answer = self._ask(
            lambda client: client.get_session_profile_observatory_link(
                session_id, batch_profile_timestamps=batches, reference_profile_ids=references
            )
        )
        each = zip(answer.individual_observatory_urls, chosen)  # noqa: B905 - an endpoint may answer fewer
        text = "Open side by side in the observatory" if len(chosen) > 1 else "Open in the observatory"
        link = self._as_link(
            answer.observatory_url, text, [self._as_link(url, item.label) for url, item in each]
        )
        with self._lock:
            self._linked = (slots, link)
            still = _slots(self._selected()) == slots
        if still:
            self.set_trait("current_link", link)
        return link

    @traitlets.observe("selection")
    def _unlink(self, change: Mapping[str, Any]) -> None:
        linked = self._linked
        if linked is None or linked[0] != _slots(change["new"]):
            self.set_trait("current_link", None)
        else:
            self.set_trait("current_link", linked[1])

    def _as_link(self, url: str, text: str, individual: Sequence[ObservatoryLink] = ()) -> ObservatoryLink:
        if not followable(url) or url.startswith("/"):
            raise SessionError("The endpoint answered a link that is no http(s) address, so it is not shown.")
        relay = discovery.relay()
        service = None if relay is None else local_service.find()
        if relay is None or service is None or origin_of(url) != service.origin:
            return ObservatoryLink(url, individual=individual, text=text)
        parts = urlsplit(url)
        tail = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        best = url if relay.public_url is None else relay.public_url + tail
        return ObservatoryLink(best, href=relay.path + tail, individual=individual, text=text)

    # -- the session itself ---------------------------------------------------------------------------------

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
            The organization's key; by default the session's, and for the local service its own organization's.

        Raises
        ------
        SongbirdError
            If the endpoint refuses.
        """
        raise NotImplementedError

    def info(self) -> SessionMetadata:
        """Ask the endpoint for the session's metadata; needs an API key.

        Raises
        ------
        SongbirdError
            If the endpoint refuses, or there is no key.
        """
        session_id = self._begin()
        return self._ask(lambda client: client.get_session(session_id)).session

    def refresh(self) -> None:
        """Ask the endpoint which profiles the session holds, also what whylogs or another kernel uploaded.

        Endpoints that cannot list a session's profiles leave everything as it is.

        Raises
        ------
        SongbirdError
            If the endpoint cannot be reached, or the session is over.
        """
        self._resume()
        if self._session_id is not None:
            self._merge_listing(self._session_id)

    def close(self) -> None:
        """Stop an upload and let go of connections and files. The session itself stays where it is."""
        self.cancel()
        with self._opening:
            if self._client is not None and not self._given_client:
                self._client.close()
                self._client = None
            if self._ledger is not None:
                self._ledger.close()

    def __enter__(self) -> Session:
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
        name = self.short_id or "new"
        parts = [name] if self.state == name else [name, self.state]
        parts += [f"{len(self._items)} profiles", f"{len(self._chosen)} selected", self.endpoint_label]
        return f"Session({', '.join(parts)})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude  # Jupyter picks from the whole
        return display.bundle(self)

    @traitlets.default("profiles")
    def _first_profiles(self) -> tuple[SessionProfile, ...]:
        self._resume()
        return self._items

    # -- what is underneath ---------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Find out once what a continued session holds."""
        if self._merged:
            return
        with self._opening:
            if self._merged or self._session_id is None:
                return
            self._merged = True
            self._recall(self._session_id)
            try:
                self._merge_listing(self._session_id)
            except SongbirdError as error:
                self._tell("warning", f"Shown is what is known here of the session. {error}")

    def _recall(self, session_id: str) -> None:
        """Take over what the ledger knows of the session."""
        ledger = self._ledger
        if ledger is None:
            return
        try:
            entries = ledger.entries(session_id)
            ledger.begin(session_id, None if self._local() else self._endpoint, self.endpoint_label)
        except LedgerError as error:
            self._without_ledger(error)
            return
        with self._lock:
            known = {item.key for item in self._items}
            for entry in entries:
                if entry.path is not None:
                    self._contents.setdefault(entry.profile.key, Content(entry.path))
            self._items = (*(e.profile for e in entries if e.profile.key not in known), *self._items)
        self._publish()

    def _merge_listing(self, session_id: str) -> None:
        try:
            listing = self._ask(lambda client: client.list_session_profiles(session_id))
        except NotFound:
            if self._local():
                raise
            return  # another service than ours: it has no listing
        with self._lock:
            items = {item.key: item for item in self._items}
            ids = {item.profile_id: item.key for item in self._items if item.profile_id}
            for entry in listing.profiles:
                new = contents.listed(entry)
                key = ids.get(entry.id, new.key)
                known = items.get(key)
                if known is not None and known.profile_id not in (None, entry.id):
                    # The same bytes were uploaded twice under one name, by whylogs for example.
                    key, known = f"{key}-{entry.id}", None
                if known is None:
                    items[key] = replace(new, key=key)
                elif known.state != "uploading":
                    items[key] = replace(
                        known,
                        state="uploaded",
                        problem=None,
                        sent=known.size,
                        profile_id=entry.id,
                        upload_timestamp=entry.upload_timestamp,
                    )
                    self._contents.pop(key, None)
            self._items = tuple(items.values())
            confirmed = [item for item in self._items if item.state == "uploaded"]
        for item in confirmed:
            self._journal(
                lambda ledger, session, item=item: ledger.confirm(  # type: ignore[misc]
                    session, item.key, item.profile_id, item.upload_timestamp
                )
            )
        self._publish()

    def _begin(self) -> str:
        """Return the session's id, made now if there is none."""
        with self._opening:
            if self._session_id is None:
                self._session_id = self._ask(lambda client: client.create_session(self._user_id)).id
                self._journal(
                    lambda ledger, session: ledger.begin(
                        session, None if self._local() else self._endpoint, self.endpoint_label
                    )
                )
                self.set_trait("short_id", short_id(self._session_id))
                self._become("open")
            return self._session_id

    def _connect(self) -> Songbird:
        from ..client import Songbird  # noqa: PLC0415 - httpx only when it is needed

        with self._opening:
            if self._client is None:
                self._client = Songbird(self._endpoint, self._api_key)
                self.set_trait("endpoint_label", self._label())
            return self._client

    def _reconnect(self) -> None:
        """Start the local service again, which may answer elsewhere now."""
        with self._opening:
            local_service.ensure()
            if self._client is not None and not self._given_client:
                self._client.close()
                self._client = None

    def _ask(self, call: Callable[[Songbird], T]) -> T:
        try:
            try:
                answer = call(self._connect())
            except EndpointUnreachable:
                if not self._local():
                    raise
                self._reconnect()
                answer = call(self._connect())
        except EndpointUnreachable:
            self._become("unreachable")
            raise
        except SessionExpired:
            self._become("expired")
            raise
        if self.state == "unreachable":
            self._become("new" if self._session_id is None else "open")
        return answer

    def _local(self) -> bool:
        return self._endpoint is None and not self._given_client

    def _label(self) -> str:
        return "local service" if self._local() else origin_of(self._endpoint or "")

    def _become(self, state: str) -> None:
        if self.state in ("claimed", "expired") and state != "claimed":
            return
        self.set_trait("state", state)
        if state in ("claimed", "expired"):
            self._linked = None
            self.set_trait("current_link", None)
            self._journal(lambda ledger, session: ledger.mark(session, state))

    def _not_over(self) -> None:
        if self.state in ("claimed", "expired"):
            raise SessionError(
                f"This session is {'claimed by an organization' if self.state == 'claimed' else 'expired'}: nothing "
                "can be added to it or linked any more. Start a new one with Session()."
            )

    def _tell(self, level: Level, text: str) -> None:
        self.set_trait("notice", Notice(level, text))

    def _change(self, changed: Mapping[str, SessionProfile]) -> None:
        if changed:
            with self._lock:
                self._items = tuple(changed.get(item.key, item) for item in self._items)
            self._publish()

    def _publish(self) -> None:
        """Bring the traits in step with what is true."""
        while True:
            with self._lock:
                items, chosen = self._items, self._selected()
            if self.profiles is items and self.selection == chosen:
                return
            self.set_trait("profiles", items)
            self.set_trait("selection", _Published(chosen))

    def _announce(self, ready: Iterable[tuple[SessionProfile, Content]]) -> None:
        """Write down what is about to be sent, and keep the bytes that are in no file."""

        def write(ledger: Ledger, session_id: str) -> None:
            entries = [
                LedgerEntry(
                    item,
                    ledger.spool(item.sha256, content.data)
                    if isinstance(content.data, bytes)
                    else content.data,
                )
                for item, content in ready
            ]
            ledger.announce(session_id, entries)

        self._journal(write)

    def _journal(self, write: Callable[[Ledger, str], None]) -> None:
        if self._ledger is None or self._session_id is None:
            return
        try:
            write(self._ledger, self._session_id)
        except LedgerError as error:
            self._without_ledger(error)

    def _without_ledger(self, error: LedgerError) -> None:
        """Go on without the ledger: losing the journal must not cost the upload."""
        self._ledger = None
        self._tell("warning", f"{error} The session goes on, but cannot be finished after a kernel restart.")


class _Published(tuple[SessionProfile, ...]):
    """A selection that was checked already."""

    __slots__ = ()


def _slots(items: Iterable[SessionProfile]) -> list[str]:
    return [item.slot for item in items]


def _as_upload(item: SessionProfile, content: Content) -> ProfileUpload:
    from ..client.models import SegmentTag  # noqa: PLC0415
    from ..client.uploads import ProfileUpload  # noqa: PLC0415

    return ProfileUpload(
        content=content.data,
        kind=item.kind,
        dataset_timestamp=item.dataset_timestamp,
        alias=item.alias,
        segment_tags=tuple(SegmentTag(key, value) for key, value in content.segment_tags),
        key=item.key,
    )

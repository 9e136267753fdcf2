"""`Session`: what a user does with profiles, by method and, through its traits, in a panel."""

from __future__ import annotations

import contextlib
import inspect
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from ..basics import meant, one_line
from ..client.errors import ConfigurationError
from ..client.models import Dataset
from ..secret import Hidden, Secret
from . import adding, content, display
from .dataset import RemoteDataset
from .endpoint import Endpoint
from .errors import AddError, SelectionError
from .executor import SerialExecutor
from .ledger import Ledger
from .links import ObservatoryLink, over_time
from .models import ProfileList, UploadProgress
from .remote import RemoteSession
from .selection import timestamp_of
from .uploading import UploadingSession

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Never, Self

    from ..basics import Kind
    from ..client import Songbird
    from ..client.models import SessionMetadata
    from ..observatory import ComparisonResult, TrendResult
    from .models import LedgerSession, SessionProfile

T = TypeVar("T")


class Session(UploadingSession):
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
        Continue this session instead of making a new one. One that is not there is refused at once by the local
        service, and by others when something is uploaded to it or linked: their API cannot tell before.
    api_key : str, optional
        Key of an organization, needed for `claim` and `info` only; by default the one of the environment, and
        for the local service its own organization's.
    org_id, dataset_id : str, optional
        Upload to this dataset of an organization and show what it holds, with the organization's key, in place of a
        guest session. The first upload makes the dataset, where the endpoint allows that.
    user_id : str, optional
        Name under which the session is made; a random one by default.
    client : Songbird, optional
        A client to use instead of one made from `endpoint` and `api_key`. It is left open.
    name : str, optional
        What to call the session, in lists of sessions; by default what it was called before.

    Raises
    ------
    TypeError, ConfigurationError
        If `session_id` is no text, or empty; if `endpoint` cannot be one; if a keyword is unknown.
    ConfigurationError
        On first use, if the key cannot be one, or the endpoint of the environment.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> session = sw.Session()
    >>> added = session.add([{"price": price % 20} for price in range(200)], alias="january")
    >>> landed = session.upload()
    >>> session.select("january")
    >>> session.link.startswith("http")
    True
    """

    def __init__(
        self,
        endpoint: str | None = None,
        session_id: str | None = None,
        *,
        api_key: str | None = None,
        org_id: str | None = None,
        dataset_id: str | None = None,
        user_id: str | None = None,
        client: Songbird | None = None,
        name: str = "",
        **unknown: Never,
    ) -> None:
        if unknown:
            keyword = next(iter(unknown))
            unknown.clear()  # a misspelt key is none to show with this frame
            known = inspect.signature(Session).parameters
            raise TypeError(f"Session takes no {one_line(keyword)!r}.{meant(keyword, known)}")
        super().__init__()
        place, identifier, key = Secret.of(endpoint), Secret.of(session_id), Secret.of(api_key)
        del endpoint, session_id, api_key
        if (org_id is None) != (dataset_id is None) or (org_id is not None and identifier is not None):
            raise ConfigurationError("Name an organization and one of its datasets, or a session, or none of them.")
        self._dataset = None if org_id is None or dataset_id is None else Dataset(org_id, dataset_id)
        self._user_id = user_id or str(uuid.uuid4())
        self._requests = SerialExecutor("songbird-request")
        self._chosen: dict[Secret, list[str]] = {}  # keys of what was selected, by session that was left
        self._remote = self._open(place, identifier, key, client, name)
        self.name = self._remote.name
        self._publish_state()

    def _open(
        self,
        endpoint: Secret | None,
        session_id: Secret | None,
        api_key: Secret | None,
        client: Songbird | None = None,
        name: str = "",
    ) -> RemoteSession:
        if session_id is not None:
            _check_id(session_id)
        if self._dataset is not None:
            where = Endpoint(endpoint, api_key, client)
            return RemoteDataset(where, self._ledger, self._store, dataset=self._dataset, warn=self._warnings.append)
        known = Hidden(None if session_id is None or client is not None else self._ledger.session(session_id))
        place = Secret.of(_of(known, "endpoint")) if endpoint is None else endpoint
        remote = RemoteSession(
            Endpoint(place, api_key, client),
            self._ledger,
            self._store,
            session_id=session_id,
            user_id=self._user_id,
            name=name or _of(known, "name") or "",
            warn=self._warnings.append,
        )
        state = _of(known, "state")
        if state in ("claimed", "expired"):
            remote.become("claimed" if state == "claimed" else "expired")
        return remote

    # -- adding ---------------------------------------------------------------------------------------------

    def add(
        self,
        *sources: object,
        alias: str | None = None,
        timestamp: object = None,
        kind: Kind | None = None,
    ) -> ProfileList:
        """Add profiles, to be sent by the next `upload`.

        Parameters
        ----------
        *sources : object
            What `profile` takes (DataFrames, Arrow data, rows, data files), profiles by path, glob, zip, bytes or
            file object, whylogs objects, or lists and mappings (name to source) of these.
        alias : str, optional
            Makes the one profile that is given a reference of this name.
        timestamp : int, str, date or datetime, optional
            The time of the data instead of the one in the profile: ms since 1970, an ISO text, or a date.
        kind : {"batch", "reference"}, optional
            By default a reference if it has an alias, else a batch. A reference without an alias gets its
            file's name.

        Returns
        -------
        ProfileList
            What was added, as a list of `SessionProfile`; its `note` says if several became one batch, as all
            of one UTC day do. What the session has already, the same data in the same place, is not added twice, also
            when a frame was profiled again. Other data under an alias that is there replace what was not uploaded
            yet; beside what was uploaded, the alias means them from now on.

        Raises
        ------
        AddError
            If something could not be added; everything else was.
        SessionError
            If the session is over.
        ValueError
            If the arguments contradict each other; nothing was added.
        """
        self._remote.check_open()
        when = None if timestamp is None else timestamp_of(timestamp)
        self._resume()
        try:
            added, problems, replaced, again = adding.add(
                self._store,
                sources,
                alias=alias,
                timestamp=when,
                kind=kind,
                check_uploaded=self._remote.check_uploaded,
            )
        finally:
            self._publish()
        if replaced:
            self._forget(set(replaced))
        if again and self._remote.session_id is not None:
            self._ledger.confirm(self._remote.session_id, again)
        if problems:
            error = AddError(added, problems)
            self._tell("warning", str(error))
            raise error
        if added.note:
            self._tell("info", added.note)
        return added

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
        old, new = self._store.edit(what, lambda profile: content.renamed(profile, alias, when))
        if new.key != old:
            self._forget({old})
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
        self._forget(self._store.remove(what))
        self._publish()

    def _forget(self, keys: set[str]) -> None:
        if self._remote.session_id is not None:
            self._ledger.forget(self._remote.session_id, keys)

    # -- uploading ------------------------------------------------------------------------------------------

    def upload(self, wait: bool = True) -> ProfileList:
        """Send what has not arrived yet.

        One that fails keeps nothing else from going on: its `SessionProfile` has the state ``"failed"`` and
        says why. Calling it again sends exactly the rest. Of several kernels that continue one session each
        sends what no other is sending.

        Parameters
        ----------
        wait : bool
            Return when it is done, showing the progress meanwhile. Otherwise it goes on in the background,
            and the traits `busy`, `progress` and `profiles` tell.

        Returns
        -------
        ProfileList
            What this call sent and the endpoint confirmed. Empty with ``wait=False``.

        Raises
        ------
        SongbirdError
            If nothing could be sent at all.
        """
        self._remote.check_open()
        if wait:
            return self._upload_and_follow()
        self._begin_upload()
        return ProfileList()

    def cancel(self) -> None:
        """Stop the upload: what has arrived stays, and the next `upload` sends the rest."""
        self._cancel_uploads()

    # -- selecting ------------------------------------------------------------------------------------------

    def select(self, *what: object) -> None:
        """Add to the selection: at most three profiles are shown side by side, references first.

        The first of them is the baseline, which the others are compared with. What is selected already stays where it
        is. To select something else instead, or in another order, assign `selection`.

        Parameters
        ----------
        *what : SessionProfile, str, date, datetime or int
            Entries of `profiles`; aliases or reference ids; ISO dates or times, dates or datetimes (UTC
            unless they say otherwise) and milliseconds since 1970, which mean the batch of their UTC day. A text that
            is an alias or an id is that, whatever else it may say; a number is always a time.

        Raises
        ------
        SelectionError
            If one is unknown, ambiguous or named twice, or if there would be more than three. Nothing changes then.
        """
        self._resume()
        self._selected(self._store.select(what))

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
            self._store.deselect(what)
        else:
            self._store.replace_selection(())
        self._publish()

    # -- comparing ------------------------------------------------------------------------------------------

    def compare(
        self,
        *what: object,
        thresholds: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
    ) -> ComparisonResult:
        """Compare what is selected, or what is named; the first is the baseline. Nothing need be uploaded for it.

        Of a batch, all uploads of its UTC day are compared as one, as the observatory shows them.

        Parameters
        ----------
        *what : object
            Up to three of anything that `select` takes, in the order in which they are to be compared. They do not
            become the selection, which is compared if nothing is named.
        thresholds, columns : optional
            From which scores on a change counts, and the columns to compare, as `songbird_widgets.compare` takes them.

        Returns
        -------
        ComparisonResult
            Displays itself in a cell; ``.to_pandas()``, ``.to_dict()``, ``.save("report.html")``, ``.drifted``.

        Raises
        ------
        SelectionError
            If nothing is selected; or one that is named is unknown, ambiguous or named twice, or there are more than
            three.
        SessionError
            If bytes are no longer here and the endpoint gives none back: the local service does, others may not.
        ProfileError
            If nothing of one side can be read, or none has one of `columns`.
        ValueError
            If `thresholds` cannot be used.
        SongbirdError
            If the endpoint was asked and refused, or did not answer.

        Examples
        --------
        >>> import songbird_widgets as sw
        >>> session = sw.Session()
        >>> added = session.add([{"price": price % 20} for price in range(200)], alias="january")
        >>> added = session.add([{"price": 2 * (price % 20)} for price in range(200)], alias="july")
        >>> session.select("january", "july")
        >>> session.compare().drifted
        ('price',)
        >>> session.compare(thresholds={"columns": {"price": {"moderate": 30}}}).drifted
        ()
        """
        self._resume()
        return self._ask(lambda: self._comparisons.make(self._remote, what, thresholds, columns))

    def trends(self, baseline: object = None) -> TrendResult:
        """Compare every day with one baseline: what drifted, and when it began.

        Parameters
        ----------
        baseline : object, optional
            Anything that `select` takes; by default the first that is selected, as the page has it, else the first
            reference by name, else the first day.

        Returns
        -------
        TrendResult
            Displays itself in a cell; ``.to_pandas()``, ``.to_dict()``, ``.save("trends.html")``, ``.drifted``.

        Raises
        ------
        SelectionError
            If nothing is called that, or there are no profiles.
        SessionError, ProfileError, SongbirdError
            As `compare`.

        Examples
        --------
        >>> import songbird_widgets as sw
        >>> session = sw.Session()
        >>> added = session.add([{"price": price % 20} for price in range(200)], alias="train")
        >>> for day, factor in enumerate((1, 1, 2), start=1):
        ...     data = [{"price": factor * (price % 20)} for price in range(200)]
        ...     added = session.add(data, timestamp=f"2024-01-{day:02}")
        >>> session.trends().drifted
        ('price',)
        """
        self._resume()
        return self._ask(lambda: self._comparisons.trends(self._remote, baseline))

    @property
    def trends_link(self) -> ObservatoryLink:
        """The link to the page of every column over time, beside the first that is selected.

        If nothing is, beside the first reference by name that is uploaded, else the first day. The local service and
        services like it have that page; the hosted one does not.

        Raises
        ------
        SelectionError
            If nothing is uploaded, or something that is selected is not.
        SongbirdError
            If the endpoint gives no link.
        """
        if self.selection:
            return over_time(self.link)
        baseline = self._store.snapshot().own_baseline
        if baseline is None:
            raise SelectionError(
                "Nothing is uploaded yet that could be shown over time: session.add(...) profiles of several days, and "
                "session.upload()."
            )
        return over_time(self._ask(lambda: self._remote.link_of(baseline)))

    # -- the session itself ---------------------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        """The id: whoever has it can add to the session and see it. Asking for it makes the session.

        Raises
        ------
        SongbirdError
            If the endpoint does not make one.
        """
        return self._ask(self._remote.begin).reveal()

    def claim(self, org_id: str | None = None, api_key: str | None = None) -> ObservatoryLink | None:
        """Hand the session's profiles to an organization for good. The session is over then.

        Parameters
        ----------
        org_id : str, optional
            The organization; for the local service its own by default.
        api_key : str, optional
            The organization's key; by default the session's, and for the local service its own
            organization's.

        Returns
        -------
        ObservatoryLink or None
            The organization's page, which lists the profiles from now on; None where nobody says where it is.

        Raises
        ------
        SessionError
            If there is nothing to claim.
        SongbirdError
            If the endpoint refuses, or did not answer: then the error says whether the claim may have been
            made.
        """
        key = Secret.of(api_key)
        del api_key
        self._resume()
        claimed = self._ask(lambda: self._remote.claim(org_id, key))
        self._tell("info", f"The session's profiles belong to {one_line(claimed)} now. Its links open no more.")
        return self.organization_link

    @property
    def organization_link(self) -> ObservatoryLink | None:
        """The page of the organization that claimed the session; None if none did, or nobody says where it is."""
        return self._remote.organization_link()

    def delete(self, *what: object) -> None:
        """Delete what was uploaded, for good: at the endpoint, where it is songbird-widgets' own service, and here.

        Parameters
        ----------
        *what : object
            Anything that `select` takes. A day means all its uploads, an entry of `profiles` that one alone. Without
            any, the whole session is deleted, and is over then.

        Raises
        ------
        SelectionError
            If one is unknown, ambiguous, or was not uploaded (see `remove`). Nothing is deleted then.
        SessionError
            If the session is over.
        SongbirdError
            If the endpoint refuses, or does not answer.
        """
        self._resume()
        try:
            if what:
                self._ask(lambda: self._remote.delete(what))
            else:
                self._ask(self._remote.delete_session)
        finally:
            self._publish()

    def info(self) -> SessionMetadata:
        """Ask the endpoint for the session's metadata; needs an API key.

        Raises
        ------
        SongbirdError
            If the endpoint refuses, or there is no key.
        """
        return self._ask(self._remote.info)

    def refresh(self) -> None:
        """Ask the endpoint what the session holds, also of what whylogs or another kernel uploaded.

        Endpoints that cannot list a session's profiles leave everything as it is.

        Raises
        ------
        SongbirdError
            If the endpoint cannot be reached, or the session is over.
        """
        if not self._resume():
            self._ask(self._remote.refresh)

    def switch(self, endpoint: str | None = None, session_id: str | None = None, *, api_key: str | None = None) -> None:
        """Turn to another session or endpoint; panels of this one follow.

        What was not sent yet comes along. The session that is left stays as it is, and can be continued by
        its id.

        Parameters
        ----------
        endpoint, session_id, api_key : str, optional
            As for a new `Session`.

        Raises
        ------
        SessionError
            If the endpoint has no session of that id. Nothing changes then.
        """
        place, identifier, key = Secret.of(endpoint), Secret.of(session_id), Secret.of(api_key)
        del endpoint, session_id, api_key
        left, self._dataset = self._dataset, None
        try:
            remote = self._open(place, identifier, key)
            remote.check_there()
        except Exception:
            self._dataset = left
            raise
        self.cancel()
        # After this job, nothing is sent to the old session any more.
        self._uploads.submit(lambda: None).result()
        self._remote.endpoint.close()
        if self._remote.session_id is not None:
            self._chosen[self._remote.session_id] = [profile.key for profile in self.selection]
        self._store.leave()
        self._remote = remote
        self.name = self._remote.name
        self.set_trait("progress", UploadProgress())
        self.set_trait("notice", None)
        self._resume()
        if identifier is not None and not self._store.snapshot().selected:
            self._store.replace_selection(self._store.get(self._chosen.get(identifier, ())))
        self._publish()

    def panel(self) -> Any:
        """Return a widget that shows the session, to be put into a layout of one's own.

        Raises
        ------
        ImportError
            If ipywidgets or anywidget is not installed.
        """
        return display.panels().panel(self)

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
        with contextlib.closing(Ledger()) as ledger:
            return ledger.recent(most)

    def close(self) -> None:
        """Stop an upload and let go of connections and files. The session itself stays where it is."""
        self.cancel()
        self._link_requests.clear()
        self._remote.endpoint.close()
        self._ledger.close()

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

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        del include, exclude  # Jupyter picks from the whole
        return display.bundle(self, self.compare)

    def _ipython_display_(self) -> None:
        display.show(self)


def _check_id(session_id: Secret) -> None:
    """Refuse at once what names no session; it is not shown, for other types than text may hold a secret, too."""
    if not isinstance(session_id, Secret):
        raise TypeError(f"session_id must be text, as session.session_id gives it, not {type(session_id).__name__}.")
    if not session_id.reveal().strip():
        raise ConfigurationError("The session_id is empty. Leave it out for a new session.")


def _of(known: Hidden[LedgerSession | None], name: str) -> Any:
    """Return what the ledger knows of a session; None if it knows none."""
    return getattr(known.reveal(), name, None)

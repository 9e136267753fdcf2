"""A session at its endpoint: made when it is needed, asked what it holds, linked to, claimed."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote

from ..basics import DAY_MS, one_line
from ..client import models as m
from ..client.errors import EndpointUnreachable, NotFound, SessionExpired, SongbirdError
from ..client.redaction import short_id
from ..secret import Secret
from . import content
from .errors import SelectionError, SessionError
from .executor import SerialExecutor
from .links import LinkCache, ObservatoryLink, in_order
from .models import SessionProfile
from .selection import names, resolve, there_is

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from ..client import Songbird
    from .endpoint import Endpoint
    from .ledger import Ledger
    from .store import ProfileStore

T = TypeVar("T")

_PAGE = 1_000
_MAX_PAGES = 1_000

SessionState = Literal["new", "open", "claimed", "expired", "unreachable"]


class RemoteSession:
    """One session of one endpoint. It calls nobody back: who uses it looks afterwards at what has changed.

    Parameters
    ----------
    endpoint, ledger, store
        Where it lives, where it is written down, and what is known of its profiles.
    session_id : Secret or None
        None makes it with the first call of `begin`.
    user_id : str
        Name under which it is made.
    warn : callable
        Called with a sentence if what it holds could not be asked.
    name : str
        What its owner calls it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        store: ProfileStore,
        *,
        session_id: Secret | None,
        user_id: str,
        warn: Callable[[str], None],
        name: str = "",
    ) -> None:
        self.endpoint = endpoint
        self.ledger = ledger
        self.store = store
        self.session_id = session_id
        self.state: SessionState = "new" if session_id is None else "open"
        self._user_id = user_id
        self.name = name
        self._warn = warn
        self._links = LinkCache()
        # One at a time makes the session, or asks what it holds.
        self._opening = threading.RLock()
        self._resumed = session_id is None
        # The dataset's name and how far the session was listed: one at a time lists it.
        self.dataset_id: str | None = None
        self._listed: str | None = None
        self._lists = False
        self.organization_id: str | None = None
        self._listing = threading.Lock()
        self._names = SerialExecutor("songbird-name")

    @property
    def over(self) -> bool:
        """Whether nothing can be added to it or linked any more."""
        return self.state in ("claimed", "expired")

    @property
    def has_trends(self) -> bool:
        """Whether the endpoint has pages over time, as far as is known: our own service, which lists profiles, does."""
        return self.endpoint.local or self._lists

    def check_open(self) -> None:
        """Refuse what a session that is over cannot do.

        Raises
        ------
        SessionError
            If it is over.
        """
        if self.over:
            what = "was claimed by an organization" if self.state == "claimed" else "was deleted, or has expired"
            raise SessionError(
                f"This session {what}: nothing can be added to it or linked any more. Start a new one with Session()."
            )

    def request(self, call: Callable[[Songbird], T]) -> T:
        """Ask something of the endpoint, and see from how it ends what became of the session.

        Raises
        ------
        SongbirdError
            If it does not answer, or refuses.
        """
        try:
            answer = self.endpoint.request(call)
        except EndpointUnreachable:
            self.become("unreachable")
            raise
        except SessionExpired:
            self.become("expired")
            raise
        if self.state == "unreachable":
            self.become("new" if self.session_id is None else "open")
        return answer

    def become(self, state: SessionState) -> None:
        """Follow what was seen of the session; one that is over stays so."""
        if self.state == state or (self.over and state != "claimed"):
            return
        self.state = state
        if self.over and self.session_id is not None:
            self._links.clear()
            self.ledger.mark(self.session_id, state)

    def begin(self) -> Secret:
        """Return the session's id, made now if there is none."""
        with self._opening:
            if self.session_id is None:
                session_id = Secret(self.request(lambda client: client.create_session(self._user_id)).id)
                self.ledger.begin(session_id, self.endpoint.url, self.endpoint.label, self.name)
                self.session_id = session_id
                self.become("open")
                if self.name:
                    self._tell_name()
            return self.session_id

    def rename(self, name: str) -> None:
        """Call it something else."""
        if name == self.name:
            return
        self.name = name
        if self.session_id is not None:
            self.ledger.rename(self.session_id, name)
            self._tell_name()

    def _tell_name(self) -> None:
        """Have the local service list the session under its name."""
        session_id, name = self.session_id, self.name
        if session_id is None or not self.endpoint.local or self.over:
            return

        def tell() -> None:
            with contextlib.suppress(SongbirdError):  # the list shows when it was made instead
                self.request(lambda client: client.name_session(session_id.reveal(), name or None))

        self._names.submit(tell)

    @property
    def asked(self) -> bool:
        """Whether it is known what the session holds."""
        return self._resumed

    def resume(self) -> bool:
        """Find out once what a continued session holds; tell whether this call has done so.

        Raises
        ------
        SessionError
            If the endpoint has no session of that id.
        """
        with self._opening:
            if self._resumed or self.session_id is None:
                return False
            self.store.restore((entry.profile, entry.content) for entry in self.ledger.entries(self.session_id))
            try:
                self.refresh()
            except NotFound:  # it is not written down as one of this user's
                raise self._nowhere(self.session_id) from None
            except SongbirdError as error:
                self._warn(f"Shown is what is known here of the session. {error}")
            self.ledger.begin(self.session_id, self.endpoint.url, self.endpoint.label, self.name)
            self._resumed = True
            if self.name:
                self._tell_name()
        return True

    def check_there(self) -> None:
        """Refuse an id that the endpoint says it has no session of.

        Raises
        ------
        SessionError
            If so. An endpoint that does not answer, or cannot tell, refuses nothing.
        """
        session_id = self.session_id
        if session_id is None or self._resumed or not self.endpoint.local:
            return
        try:
            self.request(lambda client: client.send(self._ask_listing(session_id)))
        except NotFound:
            raise self._nowhere(session_id) from None
        except SongbirdError:
            return

    def _nowhere(self, session_id: Secret) -> SessionError:
        return SessionError(
            f"{self.endpoint.label} has no session with the id {short_id(session_id.reveal())}: it may be mistyped or "
            "deleted, or of another endpoint. Session() starts a new one."
        )

    def refresh(self) -> None:
        """Ask what the session holds; an endpoint that cannot tell changes nothing."""
        session_id = self.session_id
        if session_id is None:
            return
        with self._listing:
            uploaded = [one.key for one in self.store.snapshot().index.states["uploaded"]]
            listed: set[str] = set()
            whole = self._listed is None
            for _ in range(_MAX_PAGES):
                after = self._listed
                try:
                    page = self.request(lambda client: client.send(self._ask_listing(session_id)))
                except NotFound:
                    if self.endpoint.local:
                        raise
                    return  # another service than ours: it has no listing
                self.dataset_id, self._lists = page.dataset_id, True
                if not self._resumed:  # of a session that the ledger does not know it takes no profiles
                    self.ledger.begin(session_id, self.endpoint.url, self.endpoint.label, self.name)
                self.ledger.confirm(
                    session_id, self.store.merge(content.profile_of_listing(entry) for entry in page.profiles)
                )
                listed.update(entry.id for entry in page.profiles)
                # What is uploaded later is listed later: next time it is enough to go on from here.
                self._listed = page.next or after
                if page.next is None:
                    # Only what had arrived before the listing began must be in it.
                    if whole:
                        self._drop_deleted(session_id, uploaded, listed)
                    return
                if page.next == after:
                    return

    def check_uploaded(self) -> None:
        """See whether all that was uploaded is still there: others may have deleted it, or the session.

        Raises
        ------
        SessionError
            If the session is over, or the endpoint has none of that id.
        SongbirdError
            If the endpoint refuses, or does not answer.
        """
        session_id = self.session_id
        if session_id is None:
            return
        with self._listing:
            self._listed = None
        try:
            self.refresh()
        except NotFound:
            raise self._nowhere(session_id) from None
        except SessionExpired:
            if self.ledger.session(session_id) is not None:
                # Another kernel that deleted the session has struck out what was uploaded; a claim leaves it.
                left = {entry.profile.key for entry in self.ledger.entries(session_id)}
                uploaded = self.store.snapshot().index.states["uploaded"]
                self.store.drop([one for one in uploaded if one.key not in left])
            self.check_open()
            raise

    def _drop_deleted(self, session_id: Secret, keys: Iterable[str], listed: Collection[str]) -> None:
        gone = [
            one
            for one in self.store.get(keys)
            if one.state == "uploaded" and one.profile_id is not None and one.profile_id not in listed
        ]
        if not gone:
            return
        self.ledger.erase(session_id, [one.key for one in gone])
        self.store.drop(gone)
        self._links.clear()
        verb = "is" if len(gone) == 1 else "are"
        self._warn(f"{names(gone)} {verb} no longer at {self.endpoint.label}: deleted by somebody else, or expired.")

    def _ask_listing(self, session_id: Secret) -> m.Request[m.ListSessionProfilesResponse]:
        return m.ListSessionProfilesRequest(session_id.reveal(), self._listed, _PAGE)

    def target(self) -> str | m.Dataset:
        """Return where uploads go, as `client.iter_uploads` takes it."""
        return self.begin().reveal()

    def known_link(self) -> ObservatoryLink | None:
        """Return the link of what is selected, if it was asked for already."""
        return self._links.peek(self.linkable())

    def linkable(self) -> object:
        """Return what the link of the selection depends on; something false if there cannot be one."""
        return None if self.over else self.store.snapshot().link_subject

    def link(self) -> ObservatoryLink:
        """Return the link of what is selected.

        Raises
        ------
        SelectionError
            If nothing is selected, or something that is not uploaded yet.
        SongbirdError
            If the endpoint gives no link.
        """
        self.check_open()
        now = self.store.snapshot()
        if not now.selected:
            raise SelectionError(
                f"Nothing is selected: choose up to three with session.select(...). {there_is(now.profiles)}"
            )
        if now.missing:
            verb = "is" if len(now.missing) == 1 else "are"
            raise SelectionError(f"{names(now.missing)} {verb} not uploaded yet: session.upload() sends what is left.")
        if self.endpoint.moved():
            self._links.clear()
        return self._links.get(now.link_subject, lambda: self._ask_link(now.selected))

    def link_of(self, profile: SessionProfile) -> ObservatoryLink:
        """Return the link of one uploaded profile, selected or not.

        Raises
        ------
        SongbirdError
            If the endpoint gives no link.
        """
        self.check_open()
        return self._ask_link((profile,))

    def _ask_link(self, selected: tuple[SessionProfile, ...]) -> ObservatoryLink:
        session_id = self.begin()
        batches = [item for item in selected if item.kind == "batch"]
        references = [item for item in selected if item.kind == "reference"]
        asked = m.GetProfileObservatoryLinkRequest(
            tuple(item.dataset_timestamp for item in batches if item.dataset_timestamp is not None),
            tuple(item.profile_id for item in references if item.profile_id is not None),
        )
        answer = self.request(lambda client: client.send(self._link_request(asked, session_id)))
        text = "Open side by side in the observatory" if len(selected) > 1 else "Open in the observatory"
        # Endpoints list references first, and may answer fewer.
        shown = zip([*references, *batches], answer.individual_observatory_urls, strict=False)
        urls = {item.key: url for item, url in shown}
        url = in_order(answer.observatory_url, [_in_address(item) for item in selected])
        together, *individual = self.endpoint.links(
            [(url, text), *((urls[item.key], item.choice) for item in selected if item.key in urls)]
        )
        return ObservatoryLink(together, href=together.href, individual=individual, text=text)

    def _link_request(
        self, asked: m.GetProfileObservatoryLinkRequest, session_id: Secret
    ) -> m.Request[m.GetProfileObservatoryLinkResponse]:
        return m.GetSessionProfileObservatoryLinkRequest(asked, session_id.reveal())

    def files(self, profile: SessionProfile) -> bytes:
        """Return the bytes of a reference, or of all uploads of a batch's day: one file, or a zip of several.

        Raises
        ------
        SessionError
            If the endpoint gives none back, or the session is over.
        SongbirdError
            If it does not answer, or refuses.
        """
        self.check_open()
        session_id = self.session_id
        if session_id is not None and self.dataset_id is None:
            self.refresh()
        dataset_id, address = self.dataset_id, _in_address(profile)
        if session_id is None or dataset_id is None or not address:
            raise SessionError(
                f"The bytes of {names([profile])} are no longer here, and {self.endpoint.label} gives none back. "
                "Compare the data itself with songbird_widgets.compare(...), or add its file again."
            )
        return self.request(lambda client: client.send(self._files_request(dataset_id, address, session_id)))

    def _files_request(self, dataset_id: str, profile: str, session_id: Secret) -> m.Request[bytes]:
        return m.GetProfileFilesRequest(dataset_id, profile, session_id.reveal())

    def claim(self, org_id: str | None, api_key: Secret | None) -> str:
        """Hand the session's profiles to an organization, and return which.

        Raises
        ------
        SessionError
            If there is nothing to claim.
        SongbirdError
            If the endpoint refuses, or did not answer: then the error says whether the claim may have been made.
        """
        self.check_open()
        session_id = self.session_id
        if session_id is None or not any(item.state == "uploaded" for item in self.store.snapshot().profiles):
            raise SessionError("Nothing was uploaded to this session, so there is nothing to claim.")
        org_id, key = self.endpoint.organization(org_id, api_key)
        try:
            self.request(lambda client: client.claim_guest_session(session_id.reveal(), org_id, revealed(key)))
        except SongbirdError as error:
            if not (error.ambiguous and self._was_claimed(session_id, org_id, key)):
                raise
        self.organization_id = org_id
        self.become("claimed")
        return org_id

    def organization_link(self) -> ObservatoryLink | None:
        """Return the page of the organization that claimed the session; None if it was not, or nobody knows which.

        Raises
        ------
        SongbirdError
            If the local service cannot be started.
        """
        if self.state != "claimed":
            return None
        organization = self.organization_id
        if organization is None and self.endpoint.local:
            organization, _ = self.endpoint.organization(None, None)
        if organization is None or not (self.endpoint.local or self.dataset_id):
            return None  # where another service has its page, nobody says
        url = f"{self.endpoint.client().settings.origin}/organizations/{quote(organization, safe='')}"
        return self.endpoint.links([(url, f"Open {one_line(organization, 40)}")])[0]

    def _was_claimed(self, session_id: Secret, org_id: str, key: Secret | None) -> bool:
        """Ask what became of a claim that was not answered: it must not be made twice."""
        try:
            session = self.endpoint.client().get_session(session_id.reveal(), api_key=revealed(key)).session
        except SessionExpired:
            return True
        except SongbirdError:
            return False
        return session.org_id == org_id

    def delete(self, what: Iterable[object]) -> list[SessionProfile]:
        """Delete uploaded profiles at the endpoint, and return them; what was not uploaded is refused.

        Raises
        ------
        SelectionError
            If one is unknown, ambiguous, or not uploaded. Nothing is deleted then.
        SongbirdError
            If the endpoint refuses, or does not answer; what it has deleted until then is gone.
        """
        self.check_open()
        profiles = self.store.snapshot().profiles
        meant: dict[str, SessionProfile] = {}
        for each in what:
            found = resolve(each, profiles)
            same = [found] if isinstance(each, SessionProfile) else [one for one in profiles if one.slot == found.slot]
            meant.update((one.key, one) for one in same)
        session_id = self.session_id
        waiting = [one for one in meant.values() if one.profile_id is None or one.state != "uploaded"]
        if waiting or session_id is None:
            raise SelectionError(f"{names(waiting)} was not uploaded: take it out with session.remove(...).")
        for profile in meant.values():
            with contextlib.suppress(NotFound):  # it is gone already
                self.request(partial(_delete_profile, session_id, profile.profile_id or ""))
            self.ledger.erase(session_id, [profile.key])
            self.store.drop([profile])
        self._links.clear()
        return list(meant.values())

    def delete_session(self) -> None:
        """Delete the session with all that was uploaded to it; it is over then.

        Raises
        ------
        SongbirdError
            If the endpoint refuses, or does not answer.
        """
        self.check_open()
        session_id = self.session_id
        if session_id is None:
            return
        uploaded = [one for one in self.store.snapshot().profiles if one.state == "uploaded"]
        with contextlib.suppress(SessionExpired):  # it is gone already
            self.request(lambda client: client.delete_session(session_id.reveal()))
        self.ledger.erase(session_id, [one.key for one in uploaded])
        self.store.drop(uploaded)
        self.become("expired")

    def info(self) -> m.SessionMetadata:
        """Ask for the session's metadata; needs an API key."""
        session_id, key = self.begin(), self.endpoint.key()
        return self.request(lambda client: client.get_session(session_id.reveal(), api_key=revealed(key))).session


def _delete_profile(session_id: Secret, profile_id: str, client: Songbird) -> object:
    return client.delete_profile(session_id.reveal(), profile_id)


def revealed(key: Secret | None) -> str | None:
    """Return the text of a key for the call that takes it."""
    return None if key is None else key.reveal()


def _in_address(profile: SessionProfile) -> str:
    """Return what stands for a profile in the address of an observatory page."""
    if profile.kind == "reference":
        return profile.profile_id or ""
    return str((profile.dataset_timestamp or 0) // DAY_MS * DAY_MS)

"""The ledger as a session writes it: where the ledger fails, the session goes on without and says so."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from ..local import local_service
from .contents import Content
from .ledger import Ledger, LedgerEntry, LedgerError, LedgerSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .state import SessionProfile

T = TypeVar("T")


def recent_sessions(most: int) -> list[LedgerSession]:
    """Return this user's sessions, the latest first.

    Raises
    ------
    LedgerError
        If the ledger cannot be read.
    """
    with contextlib.closing(_ledger()) as ledger:
        return ledger.recent(most)


def _ledger() -> Ledger:
    try:
        return Ledger(local_service.data_directory())
    except local_service.LocalServiceError as error:
        raise LedgerError(str(error)) from None


class Journal:
    """What one session writes down.

    Parameters
    ----------
    on_loss : callable
        Called once with the reason if the ledger cannot be used.
    """

    def __init__(self, on_loss: Callable[[str], None]) -> None:
        self._on_loss = on_loss
        self._ledger: Ledger | None = None
        self._session_id: str | None = None
        self._try(self._open, None)

    def _open(self) -> None:
        self._ledger = _ledger()

    def known(self, session_id: str) -> LedgerSession | None:
        """Return what is known of a session."""
        ledger = self._ledger
        return None if ledger is None else self._try(lambda: ledger.session(session_id), None)

    def begin(self, session_id: str, endpoint: str | None, label: str) -> None:
        """Write about this session from now on."""
        self._session_id = session_id

        def write(ledger: Ledger, session: str) -> None:
            ledger.begin(session, endpoint, label)
            ledger.tidy()

        self._write(write)

    def leave(self) -> None:
        """Write about no session until the next one begins."""
        self._session_id = None

    def recall(self) -> list[tuple[SessionProfile, Content | None]]:
        """Return the profiles of this session that were written down, and where the bytes are."""
        ledger, session_id = self._ledger, self._session_id
        if ledger is None or session_id is None:
            return []
        nothing: list[LedgerEntry] = []
        entries = self._try(lambda: ledger.entries(session_id), nothing)
        return [(entry.profile, None if entry.path is None else Content(entry.path)) for entry in entries]

    def announce(self, ready: Iterable[tuple[SessionProfile, Content]]) -> None:
        """Write down what is about to be sent, and keep the bytes that are in no file."""

        def write(ledger: Ledger, session_id: str) -> None:
            entries = []
            for item, content in ready:
                data = content.data
                path = ledger.spool(item.sha256, data) if isinstance(data, bytes) else data
                entries.append(LedgerEntry(item, path))
            ledger.announce(session_id, entries)

        self._write(write)

    def confirm(self, items: Iterable[SessionProfile]) -> None:
        """Write down what has arrived."""
        rows = list(items)
        self._write(lambda ledger, session: ledger.confirm(session, rows))

    def fail(self, key: str, problem: str) -> None:
        """Write down why a profile has not arrived."""
        self._write(lambda ledger, session: ledger.fail(session, key, problem))

    def forget(self, keys: Iterable[str]) -> None:
        """Strike out what is not to be sent after all."""
        self._write(lambda ledger, session: ledger.forget(session, keys))

    def mark(self, state: str) -> None:
        """Write down what became of the session."""
        self._write(lambda ledger, session: ledger.mark(session, state))

    def close(self) -> None:
        """Close the ledger's file; the next use opens it again."""
        if self._ledger is not None:
            self._ledger.close()

    def _write(self, write: Callable[[Ledger, str], object]) -> None:
        ledger, session_id = self._ledger, self._session_id
        if ledger is not None and session_id is not None:
            self._try(lambda: write(ledger, session_id), None)

    def _try(self, action: Callable[[], T], otherwise: T) -> T:
        try:
            return action()
        except LedgerError as error:
            # Losing the journal must not cost the upload.
            self._ledger = None
            self._on_loss(f"{error} The session goes on, but could not be finished after a restart of the kernel.")
            return otherwise

"""The model behind the panels: a `Session`, with no widgets and no notebook needed."""

from ..client.errors import SongbirdError
from .display import as_html, as_text
from .errors import AddError, SelectionError, SessionError
from .ledger import LedgerError, LedgerSession
from .links import ObservatoryLink, anchor, followable
from .session import Session
from .state import Notice, Problem, SessionProfile, UploadStatus

__all__ = [
    "AddError",
    "LedgerError",
    "LedgerSession",
    "Notice",
    "ObservatoryLink",
    "Problem",
    "SelectionError",
    "Session",
    "SessionError",
    "SessionProfile",
    "SongbirdError",
    "UploadStatus",
    "anchor",
    "as_html",
    "as_text",
    "followable",
]

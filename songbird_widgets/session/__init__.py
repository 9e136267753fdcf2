"""The model behind the panels: a `Session`, with no widgets and no notebook needed."""

from .errors import AddError, SelectionError, SessionError
from .ledger import LedgerError
from .links import ObservatoryLink, anchor, followable
from .session import Session
from .state import Notice, Problem, SessionProfile, UploadStatus

__all__ = [
    "AddError",
    "LedgerError",
    "Notice",
    "ObservatoryLink",
    "Problem",
    "SelectionError",
    "Session",
    "SessionError",
    "SessionProfile",
    "UploadStatus",
    "anchor",
    "followable",
]

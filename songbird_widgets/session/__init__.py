"""The model behind the panels: a `Session`, with no widgets and no notebook needed."""

from ..client.errors import SongbirdError
from .display import as_html, as_text, use_panels
from .errors import AddError, SelectionError, SessionError
from .ledger import LedgerError
from .links import ObservatoryLink, anchor, followable
from .models import LedgerSession, Notice, Problem, ProfileList, SessionProfile, UploadProgress
from .session import Session

__all__ = [
    "AddError",
    "LedgerError",
    "LedgerSession",
    "Notice",
    "ObservatoryLink",
    "Problem",
    "ProfileList",
    "SelectionError",
    "Session",
    "SessionError",
    "SessionProfile",
    "SongbirdError",
    "UploadProgress",
    "anchor",
    "as_html",
    "as_text",
    "followable",
    "use_panels",
]

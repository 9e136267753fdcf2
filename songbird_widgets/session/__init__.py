"""The model behind the panels: a `Session`, with no widgets and no notebook needed."""

from ..client.errors import SongbirdError
from .display import session_html, session_text, use_panels
from .errors import AddError, LedgerError, SelectionError, SessionError
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
    "followable",
    "session_html",
    "session_text",
    "use_panels",
]

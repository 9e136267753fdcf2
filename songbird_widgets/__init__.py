"""Songbird sessions in Jupyter: upload whylogs profiles, pick up to three, see them side by side.

Importing the package costs next to nothing: each public name is loaded from its room when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .client import AsyncSongbird, Songbird, SongbirdError
    from .observatory import ComparisonResult, compare
    from .panels import dashboard
    from .profiles import Profile, ProfileError, merge_profiles, profile, profile_batches, read_profile
    from .session import ObservatoryLink, Session, SessionProfile

__version__ = "0.1.0"

__all__ = [
    "AsyncSongbird",
    "ComparisonResult",
    "ObservatoryLink",
    "Profile",
    "ProfileError",
    "Session",
    "SessionProfile",
    "Songbird",
    "SongbirdError",
    "__version__",
    "compare",
    "dashboard",
    "merge_profiles",
    "profile",
    "profile_batches",
    "read_profile",
]

_ROOMS = {
    "AsyncSongbird": "client",
    "ComparisonResult": "observatory",
    "ObservatoryLink": "session",
    "Profile": "profiles",
    "ProfileError": "profiles",
    "Session": "session",
    "SessionProfile": "session",
    "Songbird": "client",
    "SongbirdError": "client",
    "compare": "observatory",
    "dashboard": "panels",
    "merge_profiles": "profiles",
    "profile": "profiles",
    "profile_batches": "profiles",
    "read_profile": "profiles",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = import_module(f".{_ROOMS[name]}", __name__)
    if _ROOMS[name] == "session":
        # A session may import no panels: they are handed in, and loaded when a session is first displayed.
        room.use_panels(lambda: import_module(".panels", __name__))
    value = getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server which module holds the extension."""
    return [{"module": "songbird_widgets.jupyter.extension"}]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%songbird``; called by ``%load_ext songbird_widgets``."""
    from .jupyter.magics import register

    register(shell)

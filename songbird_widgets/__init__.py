"""What changed in your data: whylogs profiles made, compared, uploaded and seen side by side. A tour.

**Compare.** Two or three data frames, files or profiles; the first is the baseline. ::

    import songbird_widgets as sw

    result = sw.compare(last_month=before, this_month=after)
    result                                # in a cell: what drifted, how much, and why
    result.drifted                        # ('price', 'country')
    result.columns["price"].drift.reasons
    result.to_pandas()
    result.save("report.html")            # one file to mail; .json and .csv, too

`compare` returns a `ComparisonResult`. In a shell: ``songbird-widgets compare before.parquet after.parquet``.

**Profile.** A profile says what a data set holds in some kilobytes a column, as whylogs 1.6.4 writes and reads them. ::

    profile = sw.profile(frame)           # pandas, polars, Arrow, DuckDB, Dask, Spark, rows, files; a Profile
    profile.save("today.bin")
    days = sw.profile_batches("orders.parquet", "ordered", by="day")
    week = sw.merge_profiles(days)
    sw.read_profile("today.bin").column("price").mean

`profile`, `profile_batches`, `merge_profiles` and `read_profile` work with `Profile`; what is wrong with data or a file
is a `ProfileError`.

**Session.** Profiles are uploaded into a session of an endpoint, by default the local service, and up to three are
chosen, by method or in the panel that a session shows as the last line of a cell. ::

    session = sw.Session()
    session.add(frame, alias="train")     # with a name: a reference
    session.add("profiles/*.bin")         # without: batches, known by their days; each is a SessionProfile
    session.upload()
    session.select("train", "2026-01-31")
    session.compare()                     # the same result as above
    session.link                          # an ObservatoryLink: the page with all figures
    sw.dashboard(session)                 # for readers: pick, and see

**The client alone.** `Songbird` and `AsyncSongbird` speak to any endpoint of the sessions API; what goes wrong is a
`SongbirdError`.

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
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server which module holds the extension."""
    return [{"module": "songbird_widgets.jupyter.extension"}]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%songbird``; called by ``%load_ext songbird_widgets``."""
    from .jupyter.magics import register

    register(shell)

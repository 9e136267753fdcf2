"""The panel that a session displays as the last line of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ipywidgets  # type: ignore[import-untyped]  # it ships no types
from IPython.display import DisplayHandle, publish_display_data

from ..local import discovery
from ..session import Session, display, session_html
from ..session.executor import Throttle
from .panel import SessionPanel

if TYPE_CHECKING:
    from collections.abc import Callable

_COPY_SECONDS = 1.0
# What of a panel its copy shows.
_COPIED = ["card", "link_facts", "session_facts", "states", "picker_facts"]
_REMARK = "This is what the notebook keeps of a session's panel. Run the cell again to use the panel."
_VIEW = "application/vnd.jupyter.widget-view+json"
# One panel a session where the session displays itself: a cell that is run again shows the same one, not one more.
_displayed: WeakKeyDictionary[Session, SessionPanel] = WeakKeyDictionary()


def panel(session: Session) -> SessionPanel | ipywidgets.VBox:
    """Return a widget that shows a session, to display or to put into a layout of one's own.

    Parameters
    ----------
    session : Session
        The session to show.

    Returns
    -------
    SessionPanel or ipywidgets.VBox
        In Colab, what to do for a panel to be shown is above it, in a widget that Colab shows before any other.
    """
    shown = SessionPanel(session)
    if discovery.front_end() != "colab":
        return shown
    return ipywidgets.VBox([ipywidgets.Label(discovery.advice(local=session.local)), shown])


class SessionDocument:
    """A session where nobody is there to use a panel: table and comparison, and no widget whose state would be kept.

    Parameters
    ----------
    session : Session
        The session to show.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return display.bundle(self._session, self._session.compare)


def dashboard(session: Session) -> SessionPanel | SessionDocument:
    """Return a widget for readers: they choose up to three profiles of a session, and see how they compare.

    Nothing can be added, uploaded or claimed with it.

    Parameters
    ----------
    session : Session
        The session to show.

    Returns
    -------
    SessionPanel or SessionDocument
        The latter where a notebook becomes a document: by nbconvert, papermill and the like.

    Raises
    ------
    TypeError
        It is no session.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> sw.dashboard(sw.Session()).parts
    ['picker', 'result']
    """
    if not isinstance(session, Session):
        raise TypeError(
            f"dashboard takes a Session, not {type(session).__name__}: session = songbird_widgets.Session(), add to it "
            "what is to be seen, and give that. songbird_widgets.compare takes data and files."
        )
    if discovery.in_kernel() and display.for_a_document():
        return SessionDocument(session)
    return SessionPanel(session, ("picker", "result"))


def display_bundle(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the widget view of a session's panel, to be put beside its HTML and text.

    Parameters
    ----------
    session : Session
        The session that is displayed.

    Returns
    -------
    dict, dict
        The view's MIME type with what Jupyter needs to show it, and the metadata that Colab wants: where its manager
        of custom widgets is.
    """
    shown = _displayed.get(session)
    if shown is None or shown.comm is None:
        shown = _displayed[session] = SessionPanel(session)
    data, metadata = shown._repr_mimebundle_() or ({}, {})
    return {_VIEW: data[_VIEW]}, metadata


def display_with_copy(session: Session) -> None:
    """Display a session's panel, and below it what the notebook is to keep of it: table and comparison.

    The panel hides the copy as long as it lives. JupyterLab shows nothing of an output whose widget is gone, so the
    copy is an output of its own; it follows the panel.

    Parameters
    ----------
    session : Session
        The session that is displayed.
    """
    data, metadata = display_bundle(session)
    handle = DisplayHandle()  # type: ignore[no-untyped-call]
    show: Callable[..., None] = handle.display
    publish: Callable[..., None] = publish_display_data
    publish({**data, "text/plain": repr(session)}, metadata)
    show(_copy(session), raw=True)
    shown = _displayed[session]
    if shown.copying is not None:  # where it was displayed before
        shown.unobserve(shown.copying, _COPIED)
    update: Callable[..., None] = handle.update

    def write() -> None:
        if shown.comm is not None and not session.busy:
            update(_copy(session), raw=True)

    later = Throttle(write, "songbird-copy", _COPY_SECONDS)
    shown.copying = lambda _change: later()
    shown.observe(shown.copying, _COPIED)


def _copy(session: Session) -> dict[str, str]:
    return {"text/plain": "", "text/html": session_html(session, _REMARK)}

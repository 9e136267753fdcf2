"""The panel that a session displays as the last line of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ipywidgets  # type: ignore[import-untyped]  # it ships no types

from ..local import discovery
from .panel import SessionPanel

if TYPE_CHECKING:
    from ..session import Session

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


def dashboard(session: Session) -> SessionPanel:
    """Return a widget for readers: they choose up to three profiles of a session, and see how they compare.

    Nothing can be added, uploaded or claimed with it.

    Parameters
    ----------
    session : Session
        The session to show.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> sw.dashboard(sw.Session()).parts
    ['picker', 'result']
    """
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

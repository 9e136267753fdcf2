"""All panels of a Session together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ipywidgets  # type: ignore[import-untyped]  # it ships no types

from ..local import discovery
from .add_panel import AddPanel
from .claim_panel import ClaimPanel
from .link_panel import LinkPanel
from .picker import ProfilePicker
from .session_panel import SessionPanel
from .upload_panel import UploadPanel

if TYPE_CHECKING:
    from ..session import Session

_VIEW = "application/vnd.jupyter.widget-view+json"
# One panel a session where the session displays itself: a cell that is run again shows the same one, not one
# more.
_displayed: WeakKeyDictionary[Session, ipywidgets.VBox] = WeakKeyDictionary()


def panel(session: Session) -> ipywidgets.VBox:
    """Put every panel of a session into one: two columns where there is room, one in a narrow cell.

    Parameters
    ----------
    session : Session
        The session to show. Any number of panels may show the same one; they stay in step.

    Returns
    -------
    ipywidgets.VBox
        A widget to display or to put into a layout of one's own.
    """
    main = ipywidgets.VBox([AddPanel(session), ProfilePicker(session)])
    side = ipywidgets.VBox([UploadPanel(session), LinkPanel(session), ClaimPanel(session)])
    columns = ipywidgets.Box([main, side])
    parts = [SessionPanel(session), columns]
    if discovery.front_end() == "colab":
        # A widget of ipywidgets itself, which Colab shows before it shows any other.
        parts.insert(0, ipywidgets.Label(discovery.advice(local=session.local)))
    whole = ipywidgets.VBox(parts)
    for box, name in ((main, "column"), (side, "column"), (columns, "columns"), (whole, "panel")):
        box.add_class(f"songbird-{name}")
    return whole


def display_bundle(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the widget view of a session's panel, to be put beside its HTML and text.

    Parameters
    ----------
    session : Session
        The session that is displayed.

    Returns
    -------
    dict, dict
        The view's MIME type with what Jupyter needs to show it, and the metadata that Colab wants: where its
        manager of custom widgets is.
    """
    shown = _displayed.get(session)
    if shown is None or shown.comm is None:
        shown = _displayed[session] = panel(session)
    bundle: dict[str, Any] = shown._repr_mimebundle_()
    # Colab adds the metadata itself to what is displayed, but not to a cell's result; anywidget, and so the session
    # line, knows it.
    _, metadata = shown.children[-2]._repr_mimebundle_()
    return {_VIEW: bundle[_VIEW]}, metadata

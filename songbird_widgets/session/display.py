"""A session where it is displayed: its panel, else a table, else lines of text."""

from __future__ import annotations

import sys
from concurrent.futures import wait
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from ..local import discovery
from .executor import SerialExecutor
from .links import anchor

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from .models import SessionProfile
    from .traits import SessionTraits

_MAX_ROWS = 100
_LINK_SECONDS = 0.7
# A document is looked at when it is complete, so it can wait longer.
_DOCUMENT_SECONDS = 10.0


class Panels(Protocol):
    """What can show a session as widgets."""

    def panel(self, session: SessionTraits) -> Any:
        """Return a widget."""

    def display_bundle(self, session: SessionTraits) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what Jupyter displays as a widget, and metadata."""

    def display_with_copy(self, session: SessionTraits) -> None:
        """Display the panel, and beside it what a notebook is to keep of it."""


_load_panels: Callable[[], Any] | None = None


def use_panels(load: Callable[[], Any]) -> None:
    """Set where the panels come from: a session may not import them, so they are handed in.

    Parameters
    ----------
    load : callable
        Returns a `Panels` whenever a session is displayed. It may raise ImportError.
    """
    global _load_panels  # noqa: PLW0603 - one for all sessions
    _load_panels = load


def panels() -> Panels:
    """Return the panels that were handed in.

    Raises
    ------
    ImportError
        If there are none, or ipywidgets or anywidget is not installed.
    """
    if _load_panels is None:
        raise ImportError("Import songbird_widgets.panels first: this session was made without its panels.")
    loaded: Panels | None = _load_panels()
    if loaded is None:
        raise ImportError("The panels are switched off here.")
    return loaded


def show(session: SessionTraits) -> None:
    """Display the panel and what the notebook keeps of it, where a front end shows outputs one below the other.

    JupyterLab shows nothing else of an output whose widget is gone, so table and card are an output of their own there.

    Raises
    ------
    NotImplementedError
        Where the session is displayed as what `bundle` returns.
    """
    if not discovery.in_kernel() or for_a_document() or discovery.front_end() not in {"jupyter", "hub", "voila"}:
        raise NotImplementedError
    try:
        loaded = panels()
    except ImportError:
        raise NotImplementedError from None
    loaded.display_with_copy(session)


def bundle(session: SessionTraits, compare: Callable[[], object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what Jupyter displays: the panel where widgets can be shown, HTML and text beside it; and metadata.

    Parameters
    ----------
    session : SessionTraits
        The session.
    compare : callable
        Compares what is selected, which a document shows.
    """
    kernel = discovery.in_kernel()
    document = kernel and for_a_document()
    if kernel:
        waits = [_link(session)]
        if document and session.selection:
            waits.append(SerialExecutor("songbird-result").submit(compare))
        wait(filter(None, waits), timeout=_DOCUMENT_SECONDS if document else _LINK_SECONDS)
    static = {"text/plain": session_text(session), "text/html": session_html(session)}
    if document or not kernel:
        return static, {}
    try:
        view, metadata = panels().display_bundle(session)
    except ImportError:
        return static, {}
    return {**static, **view}, metadata


def session_text(session: SessionTraits) -> str:
    """Return a session as a few lines of text."""
    lines = [repr(session)]
    selected = {profile.slot for profile in session.selection}
    for profile in session.profiles[:_MAX_ROWS]:
        mark = "*" if profile.slot in selected else " "
        lines.append(f" {mark} {profile.kind:<9}  {profile.label:<24}  {_state(profile, session)}")
    if len(session.profiles) > _MAX_ROWS:
        lines.append(f"   and {len(session.profiles) - _MAX_ROWS:,} more")
    advice = discovery.advice(local=session.local)
    if advice:
        lines.append(advice)
    return "\n".join(lines)


def session_html(session: SessionTraits, remark: str = "") -> str:
    """Return a session as a static table, with the comparison of what is selected if there is one.

    Every foreign text is escaped.
    """
    selected = {profile.slot for profile in session.selection}
    rows = "".join(
        f"<tr>{_cell('✓' if profile.slot in selected else '')}{_cell(profile.kind)}"
        f"{_cell(profile.label)}{_cell(_state(profile, session))}</tr>"
        for profile in session.profiles[:_MAX_ROWS]
    )
    more = len(session.profiles) - _MAX_ROWS
    parts = [f"<p>{escape(_line(session))}</p>"]
    if rows:
        head = "".join(
            f'<th {_CELL_STYLE} scope="col">{name}</th>' for name in ("Selected", "Kind", "Profile", "State")
        )
        parts.append(f"<table {_TABLE_STYLE}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    if more > 0:
        parts.append(f"<p>and {more:,} more</p>")
    link = session.current_link
    if link is not None:
        # In a saved document the path of a relay would be relative to nothing.
        address = str(link) if link.endswith(link.href) else link.href
        parts.append(f"<p>{anchor(address, link.text)}</p>")
    parts += [f"<p>{escape(words)}</p>" for words in (discovery.advice(local=session.local), remark) if words]
    comparison = session.current_comparison
    if comparison is not None:
        parts.append(comparison._repr_mimebundle_()["text/html"])
    return f'<div class="songbird-static">{"".join(parts)}</div>'


# Jupyter's own style centres tables and makes all columns equally wide.
_TABLE_STYLE = 'style="table-layout:auto!important;margin:0 0 .6em!important;width:auto"'
_CELL_STYLE = 'style="text-align:left!important"'


def _cell(text: str) -> str:
    return f"<td {_CELL_STYLE}>{escape(text)}</td>"


def _link(session: SessionTraits) -> Future[Any] | None:
    """Ask in the background for the link of the selection, so that the HTML has it if it comes in time."""
    chosen = session.selection
    if not chosen or session.current_link is not None or session.state != "open":
        return None
    if any(profile.state != "uploaded" for profile in chosen):
        return None
    return SerialExecutor("songbird-link").submit(lambda: session.link)


def for_a_document() -> bool:
    """Tell whether the cell is run by nbconvert, papermill or the like, with nobody to use a panel.

    They cannot answer `input()`, and say so. The page that they write would show a widget only with the help
    of the internet, and then one without a kernel; Voilà's pages have one.
    """
    shell = sys.modules["IPython"].get_ipython()
    if not hasattr(shell, "get_parent"):
        return False  # another kernel than ipykernel
    request: dict[str, Any] = shell.get_parent().get("content", {})
    return request.get("allow_stdin") is False and discovery.front_end() != "voila"


def _line(session: SessionTraits) -> str:
    return f"Songbird session {session.short_id or '(new)'}, {session.state}, at {session.endpoint_label}"


def _state(profile: SessionProfile, session: SessionTraits) -> str:
    if profile.state == "uploaded" and session.state == "expired":
        return "gone"  # with the session
    return f"{profile.state}: {profile.problem}" if profile.problem else profile.state

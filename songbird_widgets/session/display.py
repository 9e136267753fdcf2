"""A session where it is displayed: its panel, else a table, else lines; and the progress of an upload."""

from __future__ import annotations

import sys
from concurrent.futures import wait
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from ..local import discovery
from .executor import SerialExecutor
from .links import anchor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from .models import SessionProfile, UploadProgress
    from .traits import SessionTraits

_MAX_ROWS = 100
_LINK_SECONDS = 0.7
# A document keeps what it gets, and nobody looks at it before it is done.
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
    """Take panels from here: a session knows that there may be some, and whoever has them hands them in.

    Parameters
    ----------
    load : callable
        Returns a `Panels` whenever a session is displayed. It may raise ImportError.
    """
    global _load_panels  # noqa: PLW0603 - one for all sessions
    _load_panels = load


def _panels() -> Panels:
    if _load_panels is None:
        raise ImportError("Import songbird_widgets.panels first: this session was made without its panels.")
    panels: Panels | None = _load_panels()
    if panels is None:
        raise ImportError("The panels are switched off here.")
    return panels


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
        panels = _panels()
    except ImportError:
        raise NotImplementedError from None
    panels.display_with_copy(session)


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
    static = {"text/plain": as_text(session), "text/html": as_html(session)}
    if document or not kernel:
        return static, {}
    try:
        view, metadata = _panels().display_bundle(session)
    except ImportError:
        return static, {}
    return {**static, **view}, metadata


def panel(session: SessionTraits) -> Any:
    """Return a widget that shows a session, to be put into a layout of one's own."""
    return _panels().panel(session)


def as_text(session: SessionTraits) -> str:
    """Return a session as a few lines of text."""
    lines = [repr(session)]
    selected = {profile.slot for profile in session.selection}
    for profile in session.profiles[:_MAX_ROWS]:
        mark = "*" if profile.slot in selected else " "
        lines.append(f" {mark} {profile.kind:<9}  {profile.label:<24}  {_state(profile)}")
    if len(session.profiles) > _MAX_ROWS:
        lines.append(f"   and {len(session.profiles) - _MAX_ROWS:,} more")
    advice = discovery.advice(local=session.local)
    if advice:
        lines.append(advice)
    return "\n".join(lines)


def as_html(session: SessionTraits, remark: str = "") -> str:
    """Return a session as a static table, with the comparison of what is selected if there is one.

    Every foreign text is escaped.
    """
    selected = {profile.slot for profile in session.selection}
    rows = "".join(
        f"<tr>{_cell('✓' if profile.slot in selected else '')}{_cell(profile.kind)}"
        f"{_cell(profile.label)}{_cell(_state(profile))}</tr>"
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
        # A document that is kept has no origin to which the path of a relay would be relative.
        address = str(link) if link.endswith(link.href) else link.href
        parts.append(f"<p>{anchor(address, link.text)}</p>")
    parts += [f"<p>{escape(words)}</p>" for words in (discovery.advice(local=session.local), remark) if words]
    comparison = session.current_comparison
    if comparison is not None:
        parts.append(comparison._repr_mimebundle_()["text/html"])
    return f'<div class="songbird-static">{"".join(parts)}</div>'


# Jupyter gives each table columns of one width, in the middle of the page.
_TABLE_STYLE = 'style="table-layout:auto!important;margin:0 0 .6em!important;width:auto"'
_CELL_STYLE = 'style="text-align:left!important"'


def _cell(text: str) -> str:
    return f"<td {_CELL_STYLE}>{escape(text)}</td>"


def _link(session: SessionTraits) -> Future[Any] | None:
    """Ask beside the cell for the link of the selection, so that the HTML holds it if it comes in time."""
    chosen = session.selection
    if not chosen or session.current_link is not None or session.state != "open":
        return None
    if any(profile.state != "uploaded" for profile in chosen):
        return None
    return SerialExecutor("songbird-link").submit(lambda: session.link)


def for_a_document() -> bool:
    """Tell whether nobody is there to use a panel: nbconvert, papermill and the like run the cell.

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


def _state(profile: SessionProfile) -> str:
    return f"{profile.state}: {profile.problem}" if profile.problem else profile.state


class Progress(Protocol):
    """Where the progress of an upload is shown while a cell waits for it."""

    def update(self, status: UploadProgress) -> None:
        """Show how far it is."""

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        """Show how it ended, and what else there is to say: what failed, with its reason."""


def progress() -> Progress:
    """Return the display that fits: the cell's output in a notebook, else a line on standard error."""
    if not discovery.in_kernel():
        return _LineProgress()
    # Readers of a Voilà page send nothing themselves: they are told what went wrong, and no more.
    return _Remarks() if discovery.front_end() == "voila" else _CellProgress()


class _CellProgress:
    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
        self._shown = False

    def update(self, status: UploadProgress) -> None:
        self._show(status, ())

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        self._show(status, remarks)

    def _show(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        listed = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
        share = status.bytes_sent / status.bytes_total if status.bytes_total else 1.0
        data = {
            "text/plain": "\n".join([status.text, *remarks]),
            # The words say what the bar shows: a bar alone is silent for screen readers.
            "text/html": f'<div role="status"><progress aria-hidden="true" max="1" value="{share:.3f}">'
            f"</progress> {escape(status.text)}{f'<ul>{listed}</ul>' if listed else ''}</div>",
        }
        show = self._handle.update if self._shown else self._handle.display
        show(data, raw=True)  # type: ignore[no-untyped-call]
        self._shown = True


class _Remarks:
    def update(self, status: UploadProgress) -> None:
        """Show nothing: it goes on."""

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        if remarks:
            _CellProgress().end(status, remarks)


class _LineProgress:
    def __init__(self) -> None:
        # Not for files and pipes: a line that is rewritten ten times a second would fill them.
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._width = 0

    def update(self, status: UploadProgress) -> None:
        if self._live:
            print(f"\r{status.text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(status.text)

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        if sys.stderr is None:
            return
        self.update(status)
        print(file=sys.stderr) if self._live else print(status.text, file=sys.stderr)
        for remark in remarks:
            print(f"  {remark}", file=sys.stderr)

"""The panel of a Session: one widget with parts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from ..basics import meant, one_line
from ..local import discovery
from ..session.executor import SerialExecutor
from .bundle import SCRIPT
from .parts.add import AddPart
from .parts.claim import ClaimPart
from .parts.delete import DeletePart
from .parts.link import LinkPart
from .parts.picker import PickerPart
from .parts.result import ResultPart
from .parts.session import SessionPart
from .parts.upload import UploadPart
from .words import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..session import Session
    from .parts.base import Part

_PARTS: dict[str, type[Part]] = {
    part.name: part
    for part in (SessionPart, AddPart, PickerPart, UploadPart, LinkPart, ResultPart, ClaimPart, DeletePart)
}
PARTS = tuple(_PARTS)
"""Names of all parts, in the order in which they are shown."""


class SessionPanel(anywidget.AnyWidget):
    """A view of a Session: all of it, or some parts.

    The kernel tells the browser by traits, the browser tells the kernel by custom messages only, each acknowledged. So
    nothing that a person types, an API key above all, is ever part of a widget's state, and a page reload or a second
    tab shows what is true. Any number of panels may show the same session; they stay in step.

    Parameters
    ----------
    session : Session
        The session to show. It outlives the panel; close a panel with `close`.
    parts : sequence of str
        What to show of ``"session"`` (endpoint, state, other sessions), ``"add"``, ``"picker"``, ``"upload"``,
        ``"link"``, ``"result"`` (the comparison of what is selected), ``"claim"`` and ``"delete"`` (which visitors of a
        dashboard do not see); by default all.
    **layout : object
        Traits of any widget, such as `layout`.

    Raises
    ------
    TypeError
        If there is no trait of such a name.
    ValueError
        If a part has no such name, or none is named.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> from songbird_widgets.panels import SessionPanel
    >>> SessionPanel(sw.Session(), parts=("picker", "link")).parts
    ['picker', 'link']
    """

    _esm = SCRIPT

    #: The parts that are shown.
    parts = traitlets.List(traitlets.Unicode(), read_only=True).tag(sync=True)
    #: Whether a dashboard's visitors see it, and not the kernel's owner.
    visited = traitlets.Bool(read_only=True).tag(sync=True)
    #: What each part shows: plain JSON, no session id, no key. Empty for a part that is not shown.
    session_facts = traitlets.Dict().tag(sync=True)
    add_facts = traitlets.Dict().tag(sync=True)
    picker_facts = traitlets.Dict().tag(sync=True)
    upload_facts = traitlets.Dict().tag(sync=True)
    link_facts = traitlets.Dict().tag(sync=True)
    result_facts = traitlets.Dict().tag(sync=True)
    claim_facts = traitlets.Dict().tag(sync=True)
    delete_facts = traitlets.Dict().tag(sync=True)
    #: The comparison's card: HTML, deflated.
    card = traitlets.Bytes().tag(sync=True)
    #: The rows of the list; see `panels.rows`. Then one byte a row: its state.
    rows = traitlets.Bytes().tag(sync=True)
    states = traitlets.Bytes().tag(sync=True)
    #: What went wrong in the last action of a part, in words, by the part's name.
    failures = traitlets.Dict().tag(sync=True)

    #: Keeps in step what a notebook keeps of the panel, where it is displayed.
    copying: Callable[[object], None] | None = None
    _following = False

    def __init__(self, session: Session, parts: Sequence[str] = PARTS, **layout: Any) -> None:
        unknown = [name for name in parts if name not in _PARTS]
        if unknown or not parts:
            what = f"{unknown[0]!r} is no part of a panel" if unknown else "A panel needs a part"
            raise ValueError(f"{what}: there are {', '.join(PARTS)}.")
        for name in set(layout).difference(self.trait_names()):
            raise TypeError(f"A panel takes no {one_line(name)!r}.{meant(name, ['parts', *self.trait_names()])}")
        self.session = session
        self.lock = threading.RLock()
        self.told: tuple[str, ...] = ()
        self._worker = SerialExecutor("songbird-panel")
        # A continued session finds out what it holds before anything waits for this panel's lock.
        _ = session.profiles
        self._parts: dict[str, Part] = {}
        visited = discovery.front_end() == "voila"
        self.set_trait("visited", visited)
        self.set_trait("parts", [name for name in dict.fromkeys(parts) if _PARTS[name].for_visitors or not visited])
        self._parts = {name: _PARTS[name](self) for name in self.parts}
        state: dict[str, Any] = {}
        for part in self._parts.values():
            state.update(part.state())
        super().__init__(**state, **layout)
        self.on_msg(self._on_message)
        session.observe(self._on_change, sorted(self._watched()))
        self._following = True
        for part in self._parts.values():
            part.follow()

    def _watched(self) -> set[str]:
        return {trait for part in self._parts.values() for trait in part.watched}

    def close(self) -> None:
        """Stop following the session and drop the view."""
        if self._following:  # a widget is closed again when it is collected
            self._following = False
            self.session.unobserve(self._on_change, sorted(self._watched()))
            for part in self._parts.values():
                part.close()
        super().close()

    def later(self, part: Part, work: Callable[[], object]) -> None:
        """Do what may take time beside the cells, one after the other, and show what goes wrong."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # shown to the person
                self.fail(part, failure(error))

        self._worker.submit(guarded)

    def fail(self, part: Part, words: str) -> None:
        """Show what went wrong in a part, or that nothing does any more."""
        # Under the lock: a trait set while another thread sends the state in one piece could be lost.
        with self.lock:
            kept = {name: text for name, text in self.failures.items() if name != part.name}
            self.failures = {**kept, part.name: words} if words else kept

    def tell(self, text: str) -> None:
        """Note what a part says itself of the session's last notice, so that the session line need not."""
        self.told = (text,) if text else ()
        line = self._parts.get("session")
        if line is not None:
            line.show()

    def _on_change(self, change: Any) -> None:
        # An exception in an observer would reach the code that set the trait, or nobody at all.
        for part in self._parts.values():
            if change["name"] not in part.watched:
                continue
            try:
                part.follow()
            except Exception as error:  # shown to the person
                self.fail(part, failure(error))

    def _on_message(self, _widget: object, content: Any, buffers: Sequence[memoryview]) -> None:
        if not isinstance(content, dict):
            return  # of another version of the view, or of anywidget itself
        part = self._parts.get(content["part"]) if isinstance(content.get("part"), str) else None
        name = content.get("do")
        handler = getattr(part, f"do_{name}", None) if isinstance(name, str) else None
        if part is None or handler is None:
            return
        # Exceptions in callbacks vanish in every front end, so each one is shown here.
        try:
            if name not in part.automatic:
                self.fail(part, "")
            if self.visited and name in part.owner_only:
                self.fail(part, "This is not open to a dashboard's visitors: its author does it in a notebook.")
            else:
                handler(content, buffers)
        except Exception as error:  # shown to the person
            self.fail(part, failure(error))
        finally:
            self.send({"ack": content.get("message")})


class AddPanel(SessionPanel):
    """Add profiles to a Session: a `SessionPanel` with this one part."""

    def __init__(self, session: Session, **layout: Any) -> None:
        super().__init__(session, ("add",), **layout)


class ProfilePicker(SessionPanel):
    """The session's profiles as a list to choose three from: a `SessionPanel` with this one part."""

    def __init__(self, session: Session, **layout: Any) -> None:
        super().__init__(session, ("picker",), **layout)


class UploadPanel(SessionPanel):
    """The upload of a Session, started, watched, cancelled and retried: a `SessionPanel` with this one part."""

    def __init__(self, session: Session, **layout: Any) -> None:
        super().__init__(session, ("upload",), **layout)


class LinkPanel(SessionPanel):
    """Links to the observatory for the selection of a Session: a `SessionPanel` with this one part."""

    def __init__(self, session: Session, **layout: Any) -> None:
        super().__init__(session, ("link",), **layout)


class ResultPanel(SessionPanel):
    """The comparison of what is selected of a Session: a `SessionPanel` with this one part."""

    def __init__(self, session: Session, **layout: Any) -> None:
        super().__init__(session, ("result",), **layout)


class ClaimPanel(SessionPanel):
    """Hand a Session's profiles over to an organization: a `SessionPanel` with this one part."""

    def __init__(self, session: Session, **layout: Any) -> None:
        super().__init__(session, ("claim",), **layout)

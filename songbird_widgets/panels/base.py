"""What every panel has in common: it shows facts of a Session, and its handlers fail in words."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from ..local import discovery
from ..session.executor import SerialExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..session import Session

_STATIC = Path(__file__).parent / "static"
STYLE = (_STATIC / "panel.css").read_text("utf-8")
_COMMON = (_STATIC / "common.js").read_text("utf-8")

_LONGEST = 2_000


def module(*names: str) -> str:
    """Read a panel's ES module, made of one file or more, with what all panels share in front of it."""
    return "".join([_COMMON, *((_STATIC / name).read_text("utf-8") for name in names)])


def sentence(value: object, longest: int = _LONGEST) -> str:
    """Shorten hostile text (a file name of 10 MB) to what a person reads."""
    text = str(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def unsealed(buffers: Sequence[memoryview]) -> str | None:
    """Read the secret that came with a message: as a buffer, because kernels log what messages say."""
    return b"".join(buffers).decode("utf-8", "replace").strip() or None


def in_words(error: BaseException) -> str:
    """Say what went wrong as a person reads it."""
    return sentence(error) or f"{type(error).__name__}: it came without an explanation."


class Panel(anywidget.AnyWidget):
    """A view of one part of a Session.

    The kernel tells the browser by traits (`facts` and what subclasses add), the browser tells the kernel by
    custom messages only, ``{"do": name, ...}``, each answered by the method ``_do_name``. So nothing that a
    person types, an API key above all, is ever part of a widget's state, and a page reload or a second tab
    shows what is true.

    Parameters
    ----------
    session : Session
        The session to show. It outlives the panel; close a panel with `close`.
    """

    _css = STYLE

    #: What the view shows: plain JSON, no session id, no key.
    facts = traitlets.Dict().tag(sync=True)
    #: What went wrong in this panel's last action, in words; empty when nothing did.
    failure = traitlets.Unicode().tag(sync=True)

    #: Traits of the session whose change changes `facts`.
    _watched: ClassVar[Sequence[str]] = ()
    #: Messages that no person sends, so that they dismiss no failure that a person has yet to read.
    _by_itself: ClassVar[frozenset[str]] = frozenset()
    #: Messages that only the kernel's owner may send. Behind Voilà sit visitors: they must not reach the owner's
    #: files, other sessions or keys.
    _of_the_owner: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, session: Session, **layout: Any) -> None:
        # Changes arrive from the session's threads and from the main thread; the lock keeps an older view of
        # the session from overwriting a newer one.
        self._lock = threading.RLock()
        self._lane = SerialExecutor("songbird-panel")
        self._following = False
        self._visited = discovery.front_end() == "voila"
        self.session = session
        # A continued session finds out what it holds before anything waits for this panel's lock.
        _ = session.profiles
        super().__init__(**layout)
        self.on_msg(self._on_message)
        session.observe(self._on_change, list(self._watched))
        self._following = True
        self._show()

    def close(self) -> None:
        """Stop following the session and drop the view."""
        if self._following:  # a widget is closed again when it is collected
            self._following = False
            self.session.unobserve(self._on_change, list(self._watched))
        super().close()

    def _facts(self) -> dict[str, Any]:
        raise NotImplementedError

    def _show(self) -> None:
        with self._lock:
            self.facts = self._facts()

    def _later(self, work: Callable[[], object]) -> None:
        """Do what may take time beside the cells, one after the other, and show what goes wrong."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - shown to the person
                self._fail(in_words(error))

        self._lane.submit(guarded)

    def _on_change(self, _change: object) -> None:
        # An exception in an observer would reach the code that set the trait, or nobody at all.
        try:
            self._show()
        except Exception as error:  # noqa: BLE001 - shown to the person
            self._fail(in_words(error))

    def _fail(self, words: str) -> None:
        # Under the lock: a trait set while another thread sends the state in one piece could be lost.
        with self._lock:
            self.failure = words

    def _on_message(self, _widget: object, content: Any, buffers: Sequence[memoryview]) -> None:
        # Exceptions in callbacks vanish in every front end, so each one is shown here.
        try:
            name = content.get("do") if isinstance(content, dict) else None
            handler = getattr(self, f"_do_{name}", None) if isinstance(name, str) else None
            if handler is None:
                return  # of another version of the view, or of anywidget itself
            if name not in self._by_itself:
                self._fail("")
            self._refuse_visitors(name)
            handler(content, buffers)
        except Exception as error:  # noqa: BLE001 - shown to the person
            self._fail(in_words(error))

    def _refuse_visitors(self, name: object) -> None:
        if self._visited and name in self._of_the_owner:
            raise PermissionError("This is not open to a dashboard's visitors: its author does it in a notebook.")

    def _do_forget(self, _content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Dismiss the failure: `_on_message` has done it."""

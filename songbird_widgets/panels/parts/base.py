"""What every part of a panel has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ...session import Session


class PartHost(Protocol):
    """What a part needs of the panel that it belongs to."""

    session: Session
    #: Held while the widget's traits are set.
    lock: threading.RLock
    #: What parts say of the session's last notice themselves.
    told: tuple[str, ...]
    #: Whether a dashboard's visitors see the panel, and not the kernel's owner.
    visited: bool

    def later(self, part: Part, work: Callable[[], object]) -> None:
        """Do what may take time beside the cells, one after the other, and show what goes wrong."""

    def fail(self, part: Part, words: str) -> None:
        """Show what went wrong in a part, or that nothing does any more."""

    def tell(self, text: str) -> None:
        """Note what a part says itself of the session's last notice."""

    def send(self, content: dict[str, Any]) -> None:
        """Send the browser a message."""

    def hold_sync(self) -> AbstractContextManager[None]:
        """Send the traits that are set within in one message."""


class Part:
    """One part of a panel.

    The browser asks with ``{"part": name, "do": what, ...}``, answered by the method ``do_what``. What a part shows is
    plain JSON without any session id or key.

    Parameters
    ----------
    panel : PartHost
        The widget that the part belongs to.
    """

    #: How the browser calls the part.
    name: ClassVar[str]
    #: Traits of the session whose change changes what is shown.
    watched: ClassVar[frozenset[str]]
    #: Messages that no person sends, so that they dismiss no failure that a person has yet to read.
    automatic: ClassVar[frozenset[str]] = frozenset({"ping"})
    #: Messages that only the kernel's owner may send. Behind Voilà sit visitors: they must not reach the owner's files,
    #: other sessions or keys.
    owner_only: ClassVar[frozenset[str]] = frozenset()
    #: Whether a dashboard's visitors see the part.
    for_visitors: ClassVar[bool] = True

    def __init__(self, panel: PartHost) -> None:
        self.panel = panel
        self.session = panel.session

    def facts(self) -> dict[str, Any]:
        """Return what the browser shows."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the widget's traits that belong to this part."""
        return {f"{self.name}_facts": self.facts()}

    def show(self) -> None:
        """Bring the widget in step with what is true."""
        # Changes arrive from the session's threads and from the main thread; the lock keeps an older view of the
        # session from overwriting a newer one.
        with self.panel.lock, self.panel.hold_sync():
            for trait, value in self.state().items():
                setattr(self.panel, trait, value)

    def follow(self) -> None:
        """Do what a change of the session asks for."""
        self.show()

    def close(self) -> None:
        """Let go of what the part holds."""

    def do_ping(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Nothing: that the message is handled is the answer."""

    def do_forget(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Dismiss the failure, as every message of a person does."""

"""Secrets, and values that hold them, as objects that do not show them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Hidden(Generic[T_co]):
    """A value that holds a secret: a response, a message, an address. It prints as ``***``.

    Frames of a traceback show their local variables, and so do debuggers and error reporters; whatever prints them
    prints this. `reveal` returns the value.
    """

    __slots__ = ("_held",)

    def __init__(self, held: T_co) -> None:
        self._held = held

    def reveal(self) -> T_co:
        """Return the value."""
        return self._held

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("A secret cannot be pickled.")


class Secret(Hidden[str]):
    """Text that gives access: an API key, a session id, an address with either in it."""

    __slots__ = ()

    @staticmethod
    def of(value: Any) -> Any:
        """Return text as a secret, and anything else as it is."""
        return Secret(value) if isinstance(value, str) else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._held == other._held

    def __hash__(self) -> int:
        return hash(self._held)

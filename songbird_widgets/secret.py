"""Text that gives access, as an object that does not show it."""

from __future__ import annotations

from typing import Any


class Secret:
    """Text that gives access: an API key, a session id, an address with either in it. It prints as ``***``.

    Frames of a traceback show their local variables, and so do debuggers and error reporters; whatever prints them
    prints this. `reveal` gives the text to what sends it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @staticmethod
    def of(value: Any) -> Any:
        """Return text as a secret, and anything else as it is."""
        return Secret(value) if isinstance(value, str) else value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("A secret cannot be pickled.")

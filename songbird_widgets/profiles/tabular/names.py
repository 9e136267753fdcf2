"""Names of columns: one without a name, or with a name of another, cannot be profiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Names:
    """The columns of a table by their names.

    Parameters
    ----------
    names : iterable
        Whatever names the columns, in their order.

    Attributes
    ----------
    places : dict of str to int
        Of the columns that can be told apart.
    problems : dict of str to str
        By name: why the columns called so cannot.
    """

    def __init__(self, names: Iterable[Any]) -> None:
        self.problems: dict[str, str] = {}
        found: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            found.setdefault(self._text(name, place), []).append(place)
        for name, places in found.items():
            if len(places) > 1:
                listed = " and ".join([", ".join(map(str, places[:-1][:9])), str(places[-1])])
                self.problems[name] = f"columns {listed} have this one name, counted from 0: rename them"
        self.places = {name: places[0] for name, places in found.items() if name not in self.problems}

    def _text(self, name: Any, place: int) -> str:
        try:
            text = name if type(name) is str else str(name)
        except Exception:  # whatever a foreign object raises
            text = f"column {place}"
            self.problems[text] = f"its name is an object that has no text ({type(name).__name__})"
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            self.problems[text] = "its name holds half of a character (a lone surrogate)"
        return text

    def select(self, wanted: Sequence[str]) -> list[int]:
        """Return the places of some columns.

        Raises
        ------
        ProfileError
            There is no column of a name, or it cannot be profiled.
        """
        for name in wanted:
            if name in self.problems:
                raise ProfileError(f"This column cannot be profiled: {self.problems[name]}.", column=name)
            if name not in self.places:
                raise ProfileError("The data have no column of this name.", column=name)
        return [self.places[name] for name in wanted]

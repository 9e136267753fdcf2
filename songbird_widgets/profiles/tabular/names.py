"""Names of columns: one without a name, or with a name of another, cannot be profiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...basics import meant
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
        labels = list(names)
        for place, name in enumerate(labels):
            found.setdefault(self._text(name, place), []).append(place)
        for name, places in found.items():
            if len(places) > 1:
                listed = " and ".join([", ".join(map(str, places[:-1][:9])), str(places[-1])])
                of_one_type = len({type(labels[place]) for place in places}) == 1
                said = "" if of_one_type else " as text"  # 1 and "1"
                self.problems[name] = f"columns {listed} have this one name{said}, counted from 0: rename them"
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

    def select(self, wanted: Sequence[str], index: Iterable[object] = ()) -> list[int]:
        """Return the places of some columns.

        Parameters
        ----------
        wanted : sequence of str
        index : iterable
            Names of what is no column but an index of the table.

        Raises
        ------
        ProfileError
            There is no column of a name, or it cannot be profiled.
        """
        for name in wanted:
            if name in self.problems:
                raise ProfileError(f"This column cannot be profiled: {self.problems[name]}.", column=name)
            if name not in self.places:
                hint = INDEX if name in index else meant(name, self.places)
                raise ProfileError(f"The data have no column of this name.{hint}", column=name)
        return [self.places[name] for name in wanted]


INDEX = " It is the index: give the frame's reset_index()."


def check_columns(columns: Sequence[object]) -> list[str]:
    """Return names of columns that were asked for, each once.

    Raises
    ------
    TypeError
        These are not names, or not a list of them.
    ProfileError
        There are none.
    """
    if isinstance(columns, str):
        raise TypeError(f"columns takes a list of names, not a string: [{columns!r:.80}].")
    names: list[str] = []
    for name in columns:
        if not isinstance(name, str):
            kind = type(name).__name__
            raise TypeError(f"Columns are named by strings, as profiles keep them, not by {kind}: {name!r:.60}.")
        names.append(name)
    if not names:
        raise ProfileError("No column is named.")
    return list(dict.fromkeys(names))

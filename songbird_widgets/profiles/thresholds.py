"""How large a change must be to count: the same for every column, or its own for some; from a TOML file or a mapping.

The score of a change is its size in units of what counts as moderate by default (see `drift`): 1 is moderate, 2 is
strong. A threshold says from which score on it is, and ``inf`` that it never is; scores stay what they are. Where
``moderate`` alone is set, and beyond what is strong by default, it is both. ::

    moderate = 1.5
    strong = 3

    [columns.price]
    strong = 2

    [columns."updated at"]
    moderate = inf
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..basics import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from .sketches import Floats

MODERATE, STRONG = 1.0, 2.0
"""The scores from which a change is moderate and strong, unless something else is said."""

_LEVELS = ("moderate", "strong")
_SHOWN = 60


class ThresholdsError(ValueError):
    """Thresholds that cannot be used; the message names the key and says what is allowed."""


@dataclass(frozen=True)
class Thresholds:
    """From which scores on a change is moderate, and strong.

    Attributes
    ----------
    moderate, strong : float
        Of every column that has none of its own.
    columns : mapping of str to (float, float)
        By column: both.
    """

    moderate: float = MODERATE
    strong: float = STRONG
    columns: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def check_names(self, names: Iterable[str]) -> None:
        """Look whether every column with thresholds of its own is there.

        Raises
        ------
        ThresholdsError
            One is not: its name may be misspelt.
        """
        known = set(names)
        unknown = sorted(set(self.columns).difference(known))
        if unknown:
            raise ThresholdsError(
                f"No profile has a column called {unknown[0][:_SHOWN]!r}, which has thresholds."
                f"{meant(unknown[0], known)}"
            )

    def rescaled(self, effects: Floats, names: Sequence[str]) -> Floats:
        """Return sizes of changes in units of these thresholds: from 1 on moderate, from 2 on strong.

        Parameters
        ----------
        effects : ndarray of float, shape (families, columns)
            In units of the default thresholds.
        names : sequence of str
            Of the columns.
        """
        if (self.moderate, self.strong) == (MODERATE, STRONG) and not self.columns:
            return effects
        moderate, strong = self._levels_of(names).T
        with np.errstate(all="ignore"):
            between = 1 + (effects - moderate) / (strong - moderate)
            scaled: Floats = np.where(
                effects < moderate, effects / moderate, np.where(effects < strong, between, 2 * effects / strong)
            )
        return np.where(np.isnan(effects), effects, scaled)

    def moderate_of(self, names: Sequence[str]) -> Floats:
        """Return from which score on a change of each column is moderate."""
        return self._levels_of(names)[:, 0]

    def _levels_of(self, names: Sequence[str]) -> Floats:
        usual = (self.moderate, self.strong)
        return np.array([self.columns.get(name, usual) for name in names], np.float64).reshape(-1, 2)


def read_thresholds(source: str | PathLike[str] | Mapping[str, Any] | Thresholds | None) -> Thresholds:
    """Read thresholds.

    Parameters
    ----------
    source : path of a TOML file, or mapping
        Keys are ``moderate``, ``strong`` and ``columns``, a table by column of ``moderate`` and ``strong``. A column
        takes what it does not say from the whole. None for the default.

    Raises
    ------
    ThresholdsError
        There is another key, or a value is no number above 0, or strong is less than moderate; or the source is
        neither a path of a file nor a mapping.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> read_thresholds({"moderate": 1.5, "columns": {"price": {"moderate": 3, "strong": 6}}})
    Thresholds(moderate=1.5, strong=2.0, columns={'price': (3.0, 6.0)})
    """
    if source is None:
        return Thresholds()
    if isinstance(source, Thresholds):
        return source
    if isinstance(source, Mapping):
        return _of_table(source, "thresholds")
    try:
        path = Path(source).expanduser()
    except TypeError:
        raise ThresholdsError(
            f"Thresholds are of type {type(source).__name__}. Allowed are a mapping such as "
            '{"moderate": 1.5, "strong": 3}, and the path of a TOML file.'
        ) from None
    if path.is_dir():
        raise ThresholdsError(f"{path.name or path} is a directory. Allowed is the path of a TOML file.")
    toml = _toml()
    try:
        content = toml.loads(path.read_bytes().decode())
    except UnicodeDecodeError:
        raise ThresholdsError(f"{path.name} is not encoded as UTF-8.") from None
    except toml.TOMLDecodeError as error:
        raise ThresholdsError(f"{path.name} is no TOML: {error}.") from None
    return _of_table(content, path.name)


def _toml() -> Any:
    try:
        return importlib.import_module("tomllib")
    except ImportError:  # Python 3.10
        return importlib.import_module("tomli")


def _of_table(table: Mapping[str, Any], where: str) -> Thresholds:
    _check_keys(table, (*_LEVELS, "columns"), where)
    usual = _levels(table, (MODERATE, STRONG), where)
    columns = table.get("columns", {})
    if not isinstance(columns, Mapping):
        raise ThresholdsError(f'{where}: columns is no table: write [columns."NAME"] and under it strong = 3.')
    own = {}
    for name, inner in columns.items():
        place = f"{where}, [columns.{str(name)[:_SHOWN]!r}]"
        if not isinstance(inner, Mapping):
            raise ThresholdsError(f"{place} is no table: moderate and strong are allowed in one.")
        _check_keys(inner, _LEVELS, place)
        own[str(name)] = _levels(inner, usual, place)
    return Thresholds(*usual, own)


def _check_keys(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    for key in table:
        if key not in allowed:
            known = f"{', '.join(allowed[:-1])} and {allowed[-1]}"
            raise ThresholdsError(f"{where}: there is no key {str(key)[:_SHOWN]!r}. Allowed are {known}.")


def _shown(value: object) -> str:
    # Python writes no integers of thousands of digits.
    return (
        "an integer too large" if isinstance(value, int) and value > sys.float_info.max else f"{str(value)[:_SHOWN]!r}"
    )


def _is_score(value: object) -> bool:
    """Whether it is a number above 0; of integers, one that a float can hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return 0 < value <= sys.float_info.max or value == math.inf


def _levels(table: Mapping[str, Any], usual: tuple[float, float], where: str) -> tuple[float, float]:
    for key in _LEVELS:
        value = table.get(key, 1)
        if not _is_score(value):
            raise ThresholdsError(
                f"{where}: {key} is {_shown(value)}. Allowed is a number above 0, the score from which on a "
                f"change is {key}; inf for never."
            )
    moderate = float(table.get("moderate", usual[0]))
    # Who says only what is moderate does not want it to be strong before that.
    strong = float(table.get("strong", max(usual[1], moderate)))
    if "moderate" not in table:
        moderate = min(moderate, strong)
    if strong < moderate:
        raise ThresholdsError(
            f"{where}: strong is {strong:g}, less than moderate, {moderate:g}. Allowed is as much or more."
        )
    return moderate, strong

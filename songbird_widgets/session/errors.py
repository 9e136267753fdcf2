"""Errors of a session itself; those of requests are the client's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ..client.errors import SongbirdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .models import Problem, SessionProfile


class SessionError(SongbirdError):
    """What was asked cannot be done with this session as it is; the text says why and what to do."""


class SelectionError(SessionError, traitlets.TraitError, ValueError):
    """The selection cannot be what was asked: nothing changed."""


class LedgerError(Exception):
    """The ledger cannot be read or written; the text says where it is and why."""


class AddError(SessionError, ValueError):
    """Some sources could not be added; the others were.

    Attributes
    ----------
    added : tuple of SessionProfile
        What the same call did add.
    problems : tuple of Problem
        What it did not, each with its reason.
    """

    def __init__(self, added: Sequence[SessionProfile], problems: Sequence[Problem]) -> None:
        self.added = tuple(added)
        self.problems = tuple(problems)
        lines = [f"  {problem.name}: {problem.reason}" for problem in self.problems[:_MAX_SHOWN]]
        if len(self.problems) > _MAX_SHOWN:
            lines.append(f"  and {len(self.problems) - _MAX_SHOWN} more")
        head = f"{len(self.problems)} could not be added"
        if self.added:
            head += f" (the other {len(self.added)} {'was' if len(self.added) == 1 else 'were'})"
        super().__init__("\n".join([f"{head}:", *lines]))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.added, self.problems)


_MAX_SHOWN = 20

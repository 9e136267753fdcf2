"""What a failure shows of a request: nothing that gives access.

Tracebacks show the variables of frames when error reporters, debuggers or verbose tracebacks print them, and paths,
queries and headers of requests hold session ids, keys and signatures.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import StatementError
from tornado.httputil import HTTPServerRequest

from ..secret import Hidden

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable


class PrivateText(str):
    """Text of an address: it prints as ``***``, and is text in every other respect."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


class PrivateRequest(HTTPServerRequest):
    """A request that shows nothing of what it holds.

    Parameters
    ----------
    request : HTTPServerRequest
        What to hold; it is not used any more.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        object.__setattr__(self, "held", Hidden(request.__dict__))

    def __getattribute__(self, name: str) -> Any:
        # Before the class is asked: in tornado 6.5 it has defaults of what is held.
        held = object.__getattribute__(self, "held").reveal()
        return held[name] if name in held else object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__getattribute__(self, "held").reveal()[name] = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method})"


def private_arguments(arguments: Iterable[Any]) -> list[Any]:
    """Return the arguments of a path as private text; what is no text is left for the handler to refuse."""
    private = []
    for argument in arguments:
        try:
            private.append(PrivateText(argument.decode()) if isinstance(argument, bytes) else argument)
        except UnicodeDecodeError:
            private.append(argument)
    return private


def forget_variables(error: BaseException | None) -> None:
    """Clear the variables of all frames that an error and its causes came through; where each was raised remains."""
    known: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in known:
            known.append(one)
            traceback.clear_frames(one.__traceback__)
            if isinstance(one, StatementError):
                one.params = None
            waiting += [one.__cause__, one.__context__]


def forget_variables_of(record: logging.LogRecord) -> bool:
    """Clear those of what is about to be logged; a filter that lets everything through."""
    if record.exc_info:
        forget_variables(record.exc_info[1])
    return True

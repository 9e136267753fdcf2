"""How calls are made: coroutines without an event loop, and errors without the frames that hold secrets.

What threads and asyncio do alike is written once, as coroutines. Over a transport that blocks, these never wait.
"""

from __future__ import annotations

import functools
import logging
import traceback
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from ..secret import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger("songbird_widgets.client")


def finished(coroutine: Coroutine[Any, Any, R]) -> R:
    """Return what a coroutine returns that never waits for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("R", end.value)
    coroutine.close()
    raise RuntimeError("this waits for an event loop")


def private(call: Callable[P, R]) -> Callable[P, R]:
    """Make a function, or a coroutine function, whose errors show none of the frames within.

    Verbose tracebacks, debuggers and error reporters print the variables of every frame; in those of a request, also
    in the libraries', are keys, session ids and signed URLs. Where an error came from is logged at DEBUG.
    """

    @functools.wraps(call)
    def outermost(*arguments: P.args, **options: P.kwargs) -> R:
        given = Hidden((arguments, options))
        del arguments, options
        try:
            made = call(*given.reveal()[0], **given.reveal()[1])
            return cast("R", _private(made)) if isinstance(made, CoroutineType) else made
        except BaseException as error:
            failure = _bare(error)
        raise failure

    return outermost


async def _private(coroutine: Any) -> Any:
    try:
        return await coroutine
    except BaseException as error:
        failure = _bare(error)
    raise failure


def _bare(error: BaseException) -> BaseException:
    if _log.isEnabledFor(logging.DEBUG):
        places = [
            f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)
        ]
        _log.debug("%s came from %s", type(error).__name__, ", ".join(places))
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)

"""How a Python process of ours is started, so that it imports nothing from the directory in which it works."""

from __future__ import annotations

import sys

# Others may write there. What -P does is done by hand for Python 3.10; `sys` is part of the interpreter.
_BY_HAND = "import sys; del sys.path[0]; import runpy; runpy.run_module({!r}, run_name='__main__', alter_sys=True)"


def command(module: str) -> list[str]:
    """Return the beginning of a command that runs a module."""
    if sys.version_info >= (3, 11):
        return [sys.executable, "-P", "-m", module]
    return [sys.executable, "-c", _BY_HAND.format(module)]

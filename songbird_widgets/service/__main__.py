"""The process of the local service: ``python -m songbird_widgets.service --data-dir DIR --idle-seconds N``.

`songbird_widgets.local.local_service` starts it; people start ``songbird-widgets serve``.
"""

from __future__ import annotations

import argparse
import logging.handlers
import sys
from pathlib import Path

from ..local.identity import LOG_FILE, LocalServiceError, make_private_dir
from .loopback import serve
from .process import log_to


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that looks after its size now and then: to do so before each line takes longer than to write it."""

    _lines = 0

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        self._lines += 1
        return self._lines % 50 == 1 and bool(super().shouldRollover(record))


def main() -> int:
    """Serve in this process, with the log in the data directory."""
    parser = argparse.ArgumentParser(prog="python -m songbird_widgets.service")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--idle-seconds", type=float, required=True)
    arguments = parser.parse_args()
    try:
        make_private_dir(arguments.data_dir)
        log_to(_LogFile(arguments.data_dir / LOG_FILE, maxBytes=1_000_000, backupCount=1, encoding="utf-8"))
        serve(arguments.data_dir, idle_seconds=arguments.idle_seconds)
    except LocalServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

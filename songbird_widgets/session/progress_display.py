"""The progress of an upload where it is displayed: in the cell that waits for it, else on standard error."""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Protocol

from ..local import discovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .models import UploadProgress


class ProgressDisplay(Protocol):
    """Where the progress of an upload is shown while a cell waits for it."""

    def update(self, status: UploadProgress) -> None:
        """Show how far it is."""

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        """Show how it ended, and what else there is to say: what failed, with its reason."""


def progress_display() -> ProgressDisplay:
    """Return the display that fits: the cell's output in a notebook, else a line on standard error."""
    if not discovery.in_kernel():
        return _LineProgress()
    # Readers of a Voilà page upload nothing themselves: they are told only what went wrong.
    return _Remarks() if discovery.front_end() == "voila" else _CellProgress()


class _CellProgress:
    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
        self._shown = False

    def update(self, status: UploadProgress) -> None:
        self._show(status, ())

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        self._show(status, remarks)

    def _show(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        listed = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
        share = status.bytes_sent / status.bytes_total if status.bytes_total else 1.0
        data = {
            "text/plain": "\n".join([status.text, *remarks]),
            # The text says what the bar shows: screen readers say nothing useful of a bar.
            "text/html": f'<div role="status"><progress aria-hidden="true" max="1" value="{share:.3f}">'
            f"</progress> {escape(status.text)}{f'<ul>{listed}</ul>' if listed else ''}</div>",
        }
        show = self._handle.update if self._shown else self._handle.display
        show(data, raw=True)  # type: ignore[no-untyped-call]
        self._shown = True


class _Remarks:
    def update(self, status: UploadProgress) -> None:
        """Show nothing."""

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        if remarks:
            _CellProgress().end(status, remarks)


class _LineProgress:
    def __init__(self) -> None:
        # A file or a pipe would fill with a line that is rewritten ten times a second.
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._width = 0

    def update(self, status: UploadProgress) -> None:
        if self._live:
            print(f"\r{status.text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(status.text)

    def end(self, status: UploadProgress, remarks: Sequence[str]) -> None:
        if sys.stderr is None:
            return
        self.update(status)
        print(file=sys.stderr) if self._live else print(status.text, file=sys.stderr)
        for remark in remarks:
            print(f"  {remark}", file=sys.stderr)

"""Pages that show one to three profiles side by side; and the same as data."""

from __future__ import annotations

from .handlers import routes

__all__ = ["routes"]

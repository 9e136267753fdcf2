"""Pages that show one to three profiles side by side; and the same as data."""

from __future__ import annotations

from .handlers import routes
from .pages import prepare

__all__ = ["prepare", "routes"]

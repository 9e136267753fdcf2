"""Pages that show one to three profiles side by side, and the same as data: no HTTP, no database."""

from .results import ComparisonResult, compare, display

__all__ = ["ComparisonResult", "compare", "display"]

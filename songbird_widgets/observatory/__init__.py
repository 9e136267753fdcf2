"""Pages that show one to three profiles side by side, and the same as data: no HTTP, no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .results import ComparisonResult, compare, display
    from .trend_results import TrendResult, follow

__all__ = ["ComparisonResult", "TrendResult", "compare", "display", "follow"]


def __getattr__(name: str) -> Any:
    """Load what is asked for: whoever only writes a date needs neither numpy nor Jinja2."""
    if name in __all__:
        from . import results, trend_results

        return getattr(trend_results if name in {"TrendResult", "follow"} else results, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

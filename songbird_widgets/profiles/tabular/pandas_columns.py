"""Columns of pandas."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrow_columns import from_arrow
from .category_columns import from_categories
from .numpy_columns import from_numbers, from_numpy
from .object_columns import from_objects
from .values import FRACTIONAL, INTEGRAL, OTHER, TEXT, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def from_series(series: Any) -> Values:
    """Take a column of pandas."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return from_numpy(series.to_numpy())
    if taken := _BY_DTYPE.get(type(dtype).__name__):
        return taken(series)
    missing = series.isna().to_numpy()
    if isinstance(getattr(dtype, "numpy_dtype", None), np.dtype):
        return _from_nullable(series, missing)
    if _is_simple(dtype.type):
        return from_objects(series.astype(object).tolist(), _metrics_of(dtype.type))
    null = int(np.count_nonzero(missing))
    return Values(OTHER, len(series), null=null, objects=len(series) - null)


def _from_strings(series: Any) -> Values:
    if series.dtype.storage == "pyarrow":
        return from_arrow(series.array.__arrow_array__())
    return from_objects(series.to_numpy(dtype=object, na_value=None).tolist())


_BY_DTYPE: dict[str, Callable[[Any], Values]] = {
    "CategoricalDtype": lambda series: from_categories(series.cat.categories.tolist(), series.cat.codes.to_numpy()),
    "ArrowDtype": lambda series: from_arrow(series.array.__arrow_array__()),
    "StringDtype": _from_strings,
    "SparseDtype": lambda series: from_numpy(series.sparse.to_dense().to_numpy()),
}


def _from_nullable(series: Any, missing: NDArray[Any]) -> Values:
    """Take nullable integers, floats or booleans."""
    number = series.dtype.numpy_dtype
    null = int(np.count_nonzero(missing))
    found = from_numbers(series[~missing].to_numpy(dtype=number))
    found.n, found.null = len(series), null
    found.nan = 0 if number.kind == "b" else null
    return found


def _is_simple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, (str, int, float, Decimal, bool, np.number, np.bool_))


def _metrics_of(kind: type) -> frozenset[str]:
    if issubclass(kind, str):
        return TEXT
    return FRACTIONAL if issubclass(kind, (float, np.floating, Decimal)) else INTEGRAL

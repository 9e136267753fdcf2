"""Columns of numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .object_columns import from_list, from_objects
from .values import FRACTIONAL, INTEGRAL, MAX_INTEGER, OTHER, TEXT, ValueNotProfiledError, Values, too_large

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..sketches.kll import Ints


def from_numpy(array: NDArray[Any]) -> Values:
    """Take a column of an array's dtype."""
    kind, n = array.dtype.kind, len(array)
    if array.ndim > 1:
        tensors = n if kind in "biufc" and array.size else 0
        return Values(TEXT, n, tensors=tensors, objects=n - tensors)
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        return from_list(array.tolist())
    if kind in "OUT":
        return from_objects(array.tolist())
    if kind in "mM":
        null = int(np.count_nonzero(np.isnat(array)))
        return Values(OTHER, n, null=null, objects=n - null)
    if kind == "c":
        null = int(np.count_nonzero(np.isnan(array)))
        return Values(OTHER, n, null=null, nan=null, objects=n - null)
    return from_numbers(array) if kind in "biuf" else Values(TEXT, n, objects=n)


def from_numbers(array: NDArray[Any]) -> Values:
    """Take a column of integers, floats or booleans of any width."""
    kind, n = array.dtype.kind, len(array)
    if kind == "b":
        return Values(INTEGRAL, n, booleans=n, true=int(np.count_nonzero(array)))
    if kind in "iu":
        return Values(INTEGRAL, n, integers=_int64(array))
    with np.errstate(over="ignore"):  # a longer double may be infinite as one of 64 bits
        floats = array.astype(np.float64, copy=False)
    missing = np.isnan(floats)
    null = int(np.count_nonzero(missing))
    return Values(FRACTIONAL, n, null=null, nan=null, floats=floats[~missing] if null else floats)


def _int64(array: NDArray[Any]) -> Ints:
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and len(array):
        large = array > np.uint64(MAX_INTEGER)
        if large.any():
            row = int(large.argmax())
            raise ValueNotProfiledError(too_large(int(array[row])), row)
    return array.astype(np.int64, copy=False)

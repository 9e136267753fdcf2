"""Columns of Python objects, whose values may be of several types."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from .values import (
    FRACTIONAL,
    INTEGRAL,
    MAX_INTEGER,
    NO_INTEGERS,
    TEXT,
    Strings,
    ValueNotProfiledError,
    Values,
    too_large,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..sketches.kll import Floats, Ints


def from_list(values: list[Any]) -> Values:
    """Take a list, which has no dtype, as what its values are: all integers, numbers, booleans, or anything."""
    found = from_objects(values)
    numbers = len(found.floats) + len(found.integers)
    rest = found.objects or found.tensors or found.strings or (found.booleans and numbers)
    if rest or not (numbers or found.booleans) or any(isinstance(value, Decimal) for value in values):
        return found
    found.metrics = INTEGRAL
    if numbers:
        found.nan = found.null
    if len(found.floats):
        found.metrics = FRACTIONAL
        found.floats = np.concatenate([found.floats, found.integers.astype(np.float64)])
        found.integers = NO_INTEGERS
    return found


def from_objects(values: list[Any], metrics: frozenset[str] = TEXT) -> Values:
    """Take values one by one, each for what it is; a column of mixed objects is one of text to whylogs."""
    result = Values(metrics, len(values))
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        counted = Counter(values)
        result.null = counted.pop(None, 0)
        if counted:
            result.strings = Strings.counted(counted)
        return encodable(result, values)
    groups: dict[type, list[Any]] = {kind: [] for kind in kinds}
    if len(groups) == 1:
        groups[next(iter(kinds))] = values
    else:
        for value in values:
            groups[type(value)].append(value)
    floats: list[Floats] = []
    integers: list[Ints] = []
    strings: list[list[str]] = []
    for kind, group in groups.items():
        _take_group(result, kind, group, (floats, integers, strings), values)
    if floats:
        result.floats = np.concatenate(floats)
    if integers:
        result.integers = np.concatenate(integers)
    if strings:
        result.strings = Strings.counted(Counter(str(value) for group in strings for value in group))
    return encodable(result, values)


def encodable(result: Values, values: list[Any]) -> Values:
    """Look whether all strings are UTF-8 that can be written."""
    if result.strings is not None:
        try:
            "".join(result.strings.values.to_list()).encode()
        except UnicodeEncodeError:
            row = next(row for row, value in enumerate(values) if isinstance(value, str) and not _is_encodable(value))
            raise ValueNotProfiledError("the string is half of a character (a lone surrogate)", row) from None
    return result


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _take_group(
    result: Values,
    kind: type,
    group: list[Any],
    into: tuple[list[Floats], list[Ints], list[list[str]]],
    values: list[Any],
) -> None:
    floats, integers, strings = into
    if kind is type(None) or _is_missing_of_pandas(kind):
        result.null += len(group)
    elif issubclass(kind, (bool, np.bool_)):
        result.booleans += len(group)
        result.true += sum(map(bool, group))
    elif issubclass(kind, (float, np.floating, Decimal)):
        numbers = _as_floats(group, kind, values)
        missing = np.isnan(numbers)
        count = int(np.count_nonzero(missing))
        result.null += count
        result.nan += count
        floats.append(numbers[~missing])
    elif issubclass(kind, (int, np.integer)) and not issubclass(kind, np.timedelta64):
        integers.append(_as_integers(group, kind, values))
    elif issubclass(kind, str):
        strings.append(group)
    elif issubclass(kind, (np.datetime64, np.timedelta64)):
        null = sum(1 for value in group if np.isnat(value))
        result.null += null
        result.objects += len(group) - null
    elif issubclass(kind, (complex, np.complexfloating)):
        null = sum(1 for value in group if np.isnan(value))
        result.null += null
        result.nan += null
        result.objects += len(group) - null
    elif issubclass(kind, (list, np.ndarray)):
        tensors = sum(map(_is_tensor, group))
        result.tensors += tensors
        result.objects += len(group) - tensors
    else:
        result.objects += len(group)


def _is_missing_of_pandas(kind: type) -> bool:
    return kind.__name__ in {"NAType", "NaTType"} and kind.__module__.startswith("pandas.")


def _as_floats(group: list[Any], kind: type, values: list[Any]) -> Floats:
    try:
        return np.array(group, np.float64)
    except (ValueError, TypeError, OverflowError):
        for value in group:
            try:
                float(value)
            except (ValueError, TypeError, OverflowError):
                row = next(row for row, other in enumerate(values) if other is value)
                raise ValueNotProfiledError(f"the {kind.__name__} cannot be turned into a float", row) from None
        raise


def _as_integers(group: list[Any], kind: type, values: list[Any]) -> Ints:
    try:
        if issubclass(kind, np.integer):
            group = list(map(int, group))
        return np.array(group, np.int64)
    except OverflowError:
        row = next(
            row
            for row, value in enumerate(values)
            if isinstance(value, (int, np.integer)) and not -MAX_INTEGER - 1 <= int(value) <= MAX_INTEGER
        )
        raise ValueNotProfiledError(too_large(int(values[row])), row) from None


def _is_tensor(value: list[Any] | NDArray[Any]) -> bool:
    """Whether this is an array of numbers, or lists that make one."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):  # lists of unequal lengths
        return False
    return array.ndim > 0 and array.size > 0 and bool(np.issubdtype(array.dtype, np.number))

"""Columns of Arrow, of whatever library they come from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProfileError
from ..sketches import hashing
from .category_columns import from_categories
from .numpy_columns import from_numbers
from .object_columns import from_objects
from .values import INTEGRAL, OTHER, TEXT, Strings, ValueNotProfiledError, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ..sketches.hashing import Hashes
    from ..sketches.kll import Ints


def arrow(what: str = "This kind of data") -> Any:
    """Import pyarrow, which is optional.

    Parameters
    ----------
    what : str, optional
        What is to be read by it, for the error.

    Raises
    ------
    ProfileError
        It is not installed.
    """
    try:
        # `pyarrow` does not import this; here, so that no thread finds it half imported by another.
        import_module("pyarrow.compute")
        return import_module("pyarrow")
    except ImportError:
        raise ProfileError(
            f"{what} is read by way of Arrow, and pyarrow is not installed here: pip install pyarrow."
        ) from None


def from_arrow(column: Any) -> Values:
    """Take an Arrow array, in one part or in several."""
    pa = arrow()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    taken = next((taken for names, taken in _BY_TYPE if any(getattr(pa.types, name)(kind) for name in names)), None)
    if taken is not None:
        return taken(column)
    return _from_objects(column, TEXT)


def _from_objects(column: Any, metrics: frozenset[str]) -> Values:
    n, null = len(column), column.null_count
    return Values(metrics, n, null=null, objects=n - null)


def _from_booleans(column: Any) -> Values:
    true = arrow().compute.sum(column).as_py() or 0
    n, null = len(column), column.null_count
    return Values(INTEGRAL, n, null=null, booleans=n - null, true=int(true))


def _from_numbers(column: Any) -> Values:
    null = column.null_count
    present = column.drop_null() if null else column
    try:
        found = from_numbers(present.to_numpy(zero_copy_only=False))
    except ValueNotProfiledError as error:
        if not null or error.row is None:
            raise
        valid = column.is_valid().to_numpy(zero_copy_only=False)  # the row was counted among those not missing
        raise ValueNotProfiledError(error.reason, int(np.flatnonzero(valid)[error.row])) from None
    found.n, found.null, found.nan = len(column), found.null + null, found.nan + null
    return found


def _from_decimals(column: Any) -> Values:
    pa = arrow()
    null = column.null_count
    floats = pa.compute.cast(column.drop_null(), pa.float64()).to_numpy(zero_copy_only=False)
    return Values(TEXT, len(column), null=null, floats=floats)


def _from_strings(column: Any) -> Values:
    pa = arrow()
    found = Values(TEXT, len(column), null=column.null_count)
    if len(column) > found.null:
        # The counting of strings is known for these types only.
        large = column.cast(pa.large_string())
        counted = (large.drop_null() if found.null else large).value_counts()
        texts = _ArrowTexts(counted.field(0), column)
        found.strings = Strings(texts, counted.field(1).to_numpy(zero_copy_only=False))
    return found


class _ArrowTexts:
    """Distinct strings of Arrow, and the column that they are from."""

    __slots__ = ("_column", "_data", "_lengths", "_starts", "_values")

    def __init__(self, values: Any, column: Any) -> None:
        self._column = column
        _, offsets, data = values.buffers()
        bounds = np.frombuffer(offsets, np.int64, len(values) + 1, 8 * values.offset)
        self._values = values
        self._starts: Ints = bounds[:-1]
        self._lengths: Ints = np.diff(bounds)
        self._data: NDArray[np.uint8] = np.frombuffer(data or b"", np.uint8)

    def __len__(self) -> int:
        return len(self._values)

    def hashes(self) -> Iterator[tuple[Hashes, Hashes]]:
        filled = np.flatnonzero(self._lengths)
        yield from hashing.hash_bytes(self._data, self._starts[filled], self._lengths[filled])

    def longer_than(self, length: int) -> bool:
        return int(self._lengths.max(initial=0)) > length

    def to_list(self, places: Ints | None = None) -> list[str]:
        chosen = self._values if places is None else self._values.take(arrow().array(places))
        try:
            texts: list[str] = chosen.to_pylist()
        except UnicodeDecodeError:
            raise ValueNotProfiledError("the string is not encoded as UTF-8", _first_broken(self._column)) from None
        return texts


def _first_broken(column: Any) -> int | None:
    """Find the first string that is not UTF-8."""
    for row, value in enumerate(column):
        try:
            value.as_py()
        except UnicodeDecodeError:
            return row
    return None


def _from_dictionary(column: Any) -> Values:
    pa = arrow()
    codes = column.indices.cast(pa.int64())  # of unsigned ones, as polars has, none is below 0
    categories = column.dictionary.to_pylist()
    numbers = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if None in categories:
        missing = categories.index(None)
        numbers[numbers == missing] = -1
        categories[missing] = ""
    return from_categories(categories, numbers)


def _from_lists(column: Any) -> Values:
    pa = arrow()
    n, null, inner = len(column), column.null_count, column.type.value_type
    if pa.types.is_integer(inner) or pa.types.is_floating(inner):
        lengths = pa.compute.list_value_length(column.drop_null())
        tensors = int(np.count_nonzero(lengths.to_numpy(zero_copy_only=False)))
        return Values(TEXT, n, null=null, tensors=tensors, objects=n - null - tensors)
    if pa.types.is_nested(inner):
        return from_objects(column.to_pylist())
    return _from_objects(column, TEXT)


# By what pyarrow.types calls them; anything else is an object to a profile.
_BY_TYPE: tuple[tuple[tuple[str, ...], Callable[[Any], Values]], ...] = (
    (("is_boolean",), _from_booleans),
    (("is_integer", "is_floating"), _from_numbers),
    (("is_decimal",), _from_decimals),
    (("is_string", "is_large_string", "is_string_view"), _from_strings),
    (("is_dictionary",), _from_dictionary),
    (("is_run_end_encoded",), lambda column: from_arrow(arrow().compute.run_end_decode(column))),
    (
        ("is_temporal",),
        lambda column: Values(OTHER, len(column), null=column.null_count, objects=len(column) - column.null_count),
    ),
    (("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view"), _from_lists),
    (("is_null",), lambda column: Values(TEXT, len(column), null=len(column))),
)

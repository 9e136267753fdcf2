"""Murmur3, 128 bits for 64-bit machines, of whole arrays at once.

A. Appleby's public domain function (https://github.com/aappleby/smhasher), with the seed and the encodings of Apache
DataSketches, so that equal values fall on equal places of a sketch whoever made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .kll import Floats, Ints

Hashes = NDArray[np.uint64]

_SEED = np.uint64(9001)  # DataSketches' default
_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_F1, _F2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_ADD1, _ADD2 = np.uint64(0x52DCE729), np.uint64(0x38495AB5)
_FIVE, _33 = np.uint64(5), np.uint64(33)
_BLOCK = 16  # bytes that one round takes in
_HALF = 8
_FEW = 32  # strings, for which numpy's calls cost more than Python's arithmetic
_ALL_BITS = (1 << 64) - 1
# As many values as keep all intermediate arrays in a core's second cache.
HASHED_AT_ONCE = 1 << 14


def hash_integers(values: Ints) -> Iterator[tuple[Hashes, Hashes]]:
    """Hash int64s, each as its eight bytes; yields both halves of the hashes, in parts and in order."""
    return _hash_words(np.ascontiguousarray(values, "<i8").view("<u8"))


def hash_doubles(values: Floats) -> Iterator[tuple[Hashes, Hashes]]:
    """Hash doubles other than NaN, each as its eight bytes; minus zero counts as zero."""
    return _hash_words((np.ascontiguousarray(values, "<f8") + 0.0).view("<u8"))


def hash_strings(values: Iterable[str]) -> Iterator[tuple[Hashes, Hashes]]:
    """Hash strings as UTF-8.

    Raises
    ------
    UnicodeEncodeError
        A string holds half of a surrogate pair.
    """
    encoded = [value.encode() for value in values]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    ends = np.cumsum(lengths)
    return hash_bytes(np.frombuffer(b"".join(encoded), np.uint8), ends - lengths, lengths)


def hash_bytes(data: NDArray[np.uint8], starts: Ints, lengths: Ints) -> Iterator[tuple[Hashes, Hashes]]:
    """Hash parts of one buffer.

    Parameters
    ----------
    data : ndarray of uint8
    starts, lengths : ndarray of int64
        Where each part begins, and how many bytes it has.
    """
    padded = np.zeros(len(data) + 2 * _BLOCK, np.uint8)
    padded[: len(data)] = data
    # Eight bytes from any place on, as one number: a view whose elements overlap.
    words = np.ndarray(len(data) + _BLOCK, "<u8", padded.data, strides=(1,))
    for first in range(0, len(starts), HASHED_AT_ONCE):
        part = slice(first, first + HASHED_AT_ONCE)
        yield _hash_parts(words, starts[part], lengths[part])


def _hash_parts(words: Hashes, starts: Ints, lengths: Ints) -> tuple[Hashes, Hashes]:
    h1 = np.full(len(starts), _SEED)
    h2 = h1.copy()
    blocks = lengths // _BLOCK
    for block in range(int(blocks.max(initial=0))):
        longer = np.flatnonzero(blocks > block)
        if len(longer) < _FEW:
            for part in longer.tolist():
                first, last = int(starts[part]) + block * _BLOCK, int(starts[part] + blocks[part] * _BLOCK)
                h1[part], h2[part] = _taken_in(
                    int(h1[part]), int(h2[part]), words[first:last:_BLOCK], words[first + _HALF : last : _BLOCK]
                )
            break
        places = starts[longer] + block * _BLOCK
        a = h1[longer] ^ _mixed1(words[places])
        b = h2[longer]
        a = (_rotated(a, 27) + b) * _FIVE + _ADD1
        b ^= _mixed2(words[places + _HALF])
        h1[longer] = a
        h2[longer] = (_rotated(b, 31) + a) * _FIVE + _ADD2
    rest = lengths % _BLOCK
    places = starts + blocks * _BLOCK
    h1 ^= _mixed1(words[places] & _masks(np.minimum(rest, _HALF)))
    h2 ^= _mixed2(words[places + _HALF] & _masks(np.maximum(rest - _HALF, 0)))
    size = lengths.astype(np.uint64)
    return _finished(h1 ^ size, h2 ^ size)


def _taken_in(h1: int, h2: int, low: Hashes, high: Hashes) -> tuple[int, int]:
    """Take in blocks one after the other: of one long string this is faster than arrays of one element."""
    for first in range(0, len(low), HASHED_AT_ONCE):
        part = slice(first, first + HASHED_AT_ONCE)
        for k1, k2 in zip(_mixed1(low[part]).tolist(), _mixed2(high[part]).tolist(), strict=True):
            h1 ^= k1
            h1 = (((h1 << 27 | h1 >> 37) & _ALL_BITS) + h2) * 5 + 0x52DCE729 & _ALL_BITS
            h2 ^= k2
            h2 = (((h2 << 31 | h2 >> 33) & _ALL_BITS) + h1) * 5 + 0x38495AB5 & _ALL_BITS
    return h1, h2


def _masks(count: Ints) -> Hashes:
    """Return masks that keep the lowest `count` bytes, 0 to 8."""
    masks: Hashes = _MASKS[count]
    return masks


_MASKS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)


def _hash_words(words: Hashes) -> Iterator[tuple[Hashes, Hashes]]:
    size = np.uint64(_HALF)
    for first in range(0, len(words), HASHED_AT_ONCE):
        h1 = _mixed1(words[first : first + HASHED_AT_ONCE])
        h1 ^= _SEED ^ size
        yield _finished(h1, np.full(len(h1), _SEED ^ size))


def _finished(h1: Hashes, h2: Hashes) -> tuple[Hashes, Hashes]:
    h1 += h2
    h2 += h1
    _finish(h1)
    _finish(h2)
    h1 += h2
    h2 += h1
    return h1, h2


def _finish(h: Hashes) -> None:
    h ^= h >> _33
    h *= _F1
    h ^= h >> _33
    h *= _F2
    h ^= h >> _33


def _mixed1(words: Hashes) -> Hashes:
    mixed = _rotated(words * _C1, 31)
    mixed *= _C2
    return mixed


def _mixed2(words: Hashes) -> Hashes:
    mixed = _rotated(words * _C2, 33)
    mixed *= _C1
    return mixed


def _rotated(words: Hashes, bits: int) -> Hashes:
    rotated: Hashes = words << np.uint64(bits)
    rotated |= words >> np.uint64(64 - bits)
    return rotated

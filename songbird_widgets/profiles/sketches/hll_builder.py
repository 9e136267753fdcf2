"""An HLL sketch in the making: takes values, joins others, and writes what Apache DataSketches reads."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from .hll import HllSketch, coupon_estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .hashing import Hashes
    from .hll import Coupons, Registers

LG_K = 12  # whylogs' choice: 4,096 registers, 1.3 % error
_MAX_LIST = 7  # coupons of a list; more make a set
_MIN_LG_K_OF_SET = 8
_ADDRESS_BITS, _VALUE_BITS, _MAX_ZEROS = 26, 6, 62
_ADDRESS = np.uint64((1 << _ADDRESS_BITS) - 1)
_ONE = np.uint64(1)
_STEP = 1 << 10
_SHORT = 16  # bits of numbers that numpy sorts by their digits, ten times as fast as others
_ESCAPE = 15  # what four bits cannot hold
_LARGE = 32  # values from here on are summed apart, as the format wants it
_COMPACT, _OUT_OF_ORDER, _EMPTY = 8, 16, 4
_FAMILY = 7
_HALVES = np.ldexp(1.0, -np.arange(_MAX_ZEROS + 2))  # 2**-value of every value of a register


class HllBuilder:
    """Counts distinct values, as ``hll_sketch(12)`` of Apache DataSketches does.

    Few values are kept as coupons (26 address bits and the number of leading zeros of the hash plus one), more as
    registers. The running estimate (E. Cohen, arXiv:1306.3284) is kept while values come in, and given up when
    sketches are joined.
    """

    __slots__ = ("_coupons", "_hip", "_registers", "_spread", "lg_k")

    def __init__(self, lg_k: int = LG_K) -> None:
        self.lg_k = lg_k
        self._coupons: Coupons = np.empty(0, np.uint32)
        self._registers: Registers | None = None
        self._hip: float | None = 0.0
        self._spread = float(1 << lg_k)  # the sum of 2**-register

    def add(self, hashes: Iterable[tuple[Hashes, Hashes]]) -> None:
        """Count values by the halves of their hashes, see `hashing`."""
        for h1, h2 in hashes:
            self._add_coupons(_coupons(h1, h2))

    def join(self, sketch: HllSketch) -> None:
        """Count all that a sketch of the same size counted.

        Raises
        ------
        ValueError
            The sketch has another number of registers.
        """
        if sketch.lg_k != self.lg_k:
            raise ValueError(f"An HLL sketch of 2**{sketch.lg_k} registers cannot join one of 2**{self.lg_k}.")
        coupons = sketch.coupons
        if coupons is not None:
            self._add_coupons(coupons)
            return
        if self._registers is None:
            mine, self._coupons = self._coupons, self._coupons[:0]
            self._set_registers(sketch.registers.copy(), sketch.hip)
            self._add_coupons(mine)
        else:
            self._set_registers(np.maximum(self._registers, sketch.registers), None)

    def _set_registers(self, registers: Registers, hip: float | None) -> None:
        self._registers = registers
        self._hip = hip
        self._spread = float(np.ldexp(1.0, -registers.astype(np.int32)).sum())

    def _add_coupons(self, coupons: Coupons) -> None:
        while self._registers is None and len(coupons):
            # In small steps: few coupons are needed to fill what there is room for, and sorting more would be in vain.
            left = self._collected(coupons[:_STEP])
            coupons = np.concatenate([left, coupons[_STEP:]])
        if self._registers is not None and len(coupons):
            self._raise_registers(self._registers, coupons)

    def _collected(self, coupons: Coupons) -> Coupons:
        """Keep coupons while there are few; returns those that came after they became registers."""
        both = np.concatenate([self._coupons, coupons])
        _, first = np.unique(both, return_index=True)
        # A set fills three quarters of its table; below 2**8 registers there is no set.
        most = _MAX_LIST if self.lg_k < _MIN_LG_K_OF_SET else 3 << (self.lg_k - 5)
        if len(first) <= most:
            first.sort()
            self._coupons = both[first]
            return coupons[:0]
        first.sort()
        last = int(first[most])  # the coupon for which there is no room any more
        registers = np.zeros(1 << self.lg_k, np.uint8)
        known = both[first[: most + 1]]
        np.maximum.at(registers, known & np.uint32((1 << self.lg_k) - 1), (known >> _ADDRESS_BITS).astype(np.uint8))
        self._coupons = both[:0]
        self._set_registers(registers, coupon_estimate(most + 1))
        return both[last + 1 :]

    def _raise_registers(self, registers: Registers, coupons: Coupons) -> None:
        slots = coupons & np.uint32(len(registers) - 1)
        values = coupons >> np.uint32(_ADDRESS_BITS)
        larger = np.flatnonzero(values > registers[slots])
        if not len(larger):
            return
        slots, values = slots[larger], values[larger]
        if self._hip is None:
            np.maximum.at(registers, slots, values.astype(np.uint8))
            return
        # The running estimate needs each step of each register, in the order of the values: per register those values
        # that are larger than all before. With the register's number in the high bits, one running maximum does it.
        order = slots.astype(np.uint32 if self.lg_k > _SHORT else np.uint16).argsort(kind="stable")
        keys = (slots << np.uint32(_VALUE_BITS) | values)[order]
        step = np.ones(len(keys), bool)
        step[1:] = keys[1:] > np.maximum.accumulate(keys)[:-1]
        order, keys = order[step], keys[step]
        at, after = keys >> np.uint32(_VALUE_BITS), (keys & np.uint32((1 << _VALUE_BITS) - 1)).astype(np.uint8)
        before = registers[at]
        same = at[1:] == at[:-1]
        before[1:][same] = after[:-1][same]
        gained = _HALVES[after] - _HALVES[before]
        in_time = gained[order.astype(np.uint16 if len(slots) <= 1 << _SHORT else np.int64).argsort(kind="stable")]
        spreads = self._spread + np.cumsum(in_time)
        self._hip += len(registers) / self._spread + float((len(registers) / spreads[:-1]).sum())
        self._spread = float(spreads[-1])
        last = np.ones(len(at), bool)
        last[:-1] = ~same
        registers[at[last]] = after[last]

    def sketch(self) -> HllSketch:
        """Return what was counted, as a sketch to ask."""
        if self._registers is None:
            return HllSketch(self.lg_k, coupons=self._coupons)
        return HllSketch(self.lg_k, registers=self._registers, hip=self._hip)

    def to_bytes(self) -> bytes:
        """Write the sketch as ``serialize_compact`` does, registers in four bits."""
        if self._registers is not None:
            return self._register_bytes(self._registers)
        count = len(self._coupons)
        content = self._coupons.astype("<u4").tobytes()
        if count <= _MAX_LIST:
            return pack("<8B", 2, 1, _FAMILY, self.lg_k, 3, _COMPACT | (0 if count else _EMPTY), count, 0) + content
        return pack("<8BI", 3, 1, _FAMILY, self.lg_k, _lg_table(count), _COMPACT, 0, 1, count) + content

    def _register_bytes(self, registers: Registers) -> bytes:
        lowest = int(registers.min())
        nibbles = registers - np.uint8(lowest)
        escaped = np.flatnonzero(nibbles >= _ESCAPE)
        nibbles[escaped] = _ESCAPE
        pairs = registers[escaped].astype(np.uint32) << np.uint32(_ADDRESS_BITS) | escaped.astype(np.uint32)
        small = registers < _LARGE
        spreads = [float(np.ldexp(1.0, -registers[which].astype(np.int32)).sum()) for which in (small, ~small)]
        flags = _COMPACT | (_OUT_OF_ORDER if self._hip is None else 0)
        head = pack(
            "<8B3dII",
            *(10, 1, _FAMILY, self.lg_k, _lg_table(len(escaped)) if len(escaped) else 0, flags, lowest, 2),
            self._hip or 0.0,
            *spreads,
            int(np.count_nonzero(registers == lowest)),
            len(escaped),
        )
        packed = nibbles[0::2] | nibbles[1::2] << np.uint8(4)
        return b"".join([head, packed.tobytes(), pairs.astype("<u4").tobytes()])


def _lg_table(count: int) -> int:
    """Binary logarithm of the size of the hash table that DataSketches keeps so many in, three quarters full."""
    lg_size = 5
    while 4 * count > 3 << lg_size:
        lg_size += 1
    return lg_size


def _coupons(h1: Hashes, h2: Hashes) -> Coupons:
    """Make a coupon of each hash: 26 bits of one half, and the leading zeros of the other plus one."""
    # The exponent of a double is the place of the highest bit; that the bits below it are taken away keeps the
    # conversion from rounding up to the next power of two.
    top = h2 & ~(h2 >> _ONE)
    exponents = top.astype(np.float64).view(np.int64) >> 52
    zeros = np.minimum(1023 + 63 - exponents, _MAX_ZEROS)  # also right for 0, whose exponent is 0
    coupons: Coupons = ((zeros + 1).astype(np.uint64) << np.uint64(_ADDRESS_BITS) | h1 & _ADDRESS).astype(np.uint32)
    return coupons

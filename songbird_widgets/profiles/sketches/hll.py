"""HLL: how many distinct values a stream had (Flajolet et al., HyperLogLog, 2007)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import corrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

Registers = NDArray[np.uint8]
Coupons = NDArray[np.uint32]

_U32 = Struct("<I")

_HLL_FAMILY = 7
_HLL_FLAG_EMPTY, _HLL_FLAG_COMPACT, _HLL_FLAG_OUT_OF_ORDER = 4, 8, 16
_HLL_LIST, _HLL_SET, _HLL_ARRAY = 0, 1, 2
_HLL_4, _HLL_6, _HLL_8 = 0, 1, 2
_HLL_REGISTERS_AT = 40
_HLL_MIN_LG_K, _HLL_MAX_LG_K = 4, 21
_COUPON_ADDRESS_BITS = 26
# A coupon list's relative standard error, 0.409 / 2**13, is far below what anyone would read off a page.
_COUPON_ERROR = 0.409 / (1 << 13)
# Measured quantiles of (estimate / truth - 1) at lg_k = 12, from DataSketches' simulation: {deviations: (low,
# high)}, in order (HIP estimator) and out of order. Other sizes use the asymptotic error, which is within 3 %
# of such figures.
_HLL_12_IN_ORDER = {
    1: (0.012936253, -0.012920332),
    2: (0.02613829, -0.025572893),
    3: (0.039387631, -0.037896952),
}
_HLL_12_MERGED = {
    1: (0.016155679, -0.016186662),
    2: (0.032825719, -0.031827816),
    3: (0.049677541, -0.046973459),
}
_HLL_12 = 12
_MAX_VALUES = 2.0**64  # hashes have no more bits that count
_HIP_ERROR, _MERGED_ERROR = math.sqrt(math.log(2)), 1.03896


@dataclass(frozen=True)
class DistinctEstimate:
    """What a sketch said of the number of distinct values, without the sketch.

    Attributes
    ----------
    estimate, lower, upper : float
        The bounds are at two deviations (about 95 % confidence).
    """

    estimate: float
    lower: float
    upper: float


class HllSketch:
    """How many distinct values a stream had, roughly.

    While few are known the sketch is a list of *coupons* (26 address bits, then the number of leading zeros
    of the hash plus one), and nearly exact; then ``2 ** lg_k`` registers that hold the largest such number
    per address.

    Attributes
    ----------
    lg_k : int
        Binary logarithm of the number of registers (12 in whylogs: about 1.3 % error).
    """

    __slots__ = ("__dict__", "_coupons", "_hip", "_packed", "lg_k")

    def __init__(
        self,
        lg_k: int,
        *,
        coupons: Coupons | None = None,
        packed: tuple[bytes, bytes, int, int] | None = None,
        registers: Registers | None = None,
        hip: float | None = None,
    ) -> None:
        self.lg_k = lg_k
        self._coupons = coupons
        self._packed = packed
        self._hip = hip  # the estimate kept while the values came in; None once sketches were merged
        if registers is not None:
            self.__dict__["registers"] = registers

    @classmethod
    def read(cls, data: bytes) -> HllSketch:
        """Read the bytes of one ``hll_sketch``, compact or not; raises `ProfileError`."""
        if len(data) < 8:
            raise corrupt("an HLL sketch is cut off")
        lg_k, flags, mode, target = data[3], data[5], data[7] & 3, data[7] >> 2 & 3
        if data[2] != _HLL_FAMILY or not _HLL_MIN_LG_K <= lg_k <= _HLL_MAX_LG_K or target > _HLL_8:
            raise corrupt("what should be an HLL sketch is none")
        if flags & _HLL_FLAG_EMPTY:
            return cls(lg_k, coupons=np.empty(0, np.uint32))
        if mode == _HLL_LIST:
            return cls(lg_k, coupons=_coupons(data, 8, data[6], lg_k))
        if mode == _HLL_SET:
            if len(data) < 12:
                raise corrupt("an HLL sketch is cut off")
            return cls(lg_k, coupons=_coupons(data, 12, _U32.unpack_from(data, 8)[0], lg_k))
        if mode == _HLL_ARRAY:
            return cls._read_registers(data, lg_k, target, flags)
        raise corrupt("an HLL sketch is in a mode that does not exist")

    @classmethod
    def _read_registers(cls, data: bytes, lg_k: int, target: int, flags: int) -> HllSketch:
        size = {_HLL_4: (1 << lg_k) // 2, _HLL_6: (1 << lg_k) * 6 // 8, _HLL_8: 1 << lg_k}[target]
        if target == _HLL_6:
            size += 1  # the writer's slack, so that it may read 16 bits at once
        end = _HLL_REGISTERS_AT + size
        if len(data) < end:
            raise corrupt("an HLL sketch is cut off")
        escapes = b""
        if target == _HLL_4:
            count = _U32.unpack_from(data, 36)[0]
            # Not compact: the whole hash table with holes, its size in byte 4.
            slots = count if flags & _HLL_FLAG_COMPACT else min(1 << min(data[4], 31), len(data)) if count else 0
            escapes = data[end : end + 4 * slots]
            if len(escapes) != 4 * slots or slots > 1 << lg_k:
                raise corrupt("an HLL sketch is cut off")
        hip: float | None = None
        if not flags & _HLL_FLAG_OUT_OF_ORDER:
            hip = float(np.frombuffer(data, "<f8", 1, 8)[0])
            if not 0 <= hip <= _MAX_VALUES:  # false for NaN, too
                raise corrupt("an HLL sketch's estimate is not a number")
        return cls(lg_k, packed=(data[_HLL_REGISTERS_AT:end], escapes, target, data[6]), hip=hip)

    @classmethod
    def union(cls, sketches: Sequence[HllSketch]) -> HllSketch:
        """Join sketches, one after the other into the first; a list goes into registers value by value."""
        joined = sketches[0]
        for sketch in sketches[1:]:
            joined = joined._joined(sketch)
        return joined

    def _joined(self, other: HllSketch) -> HllSketch:
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        if self._coupons is None and other._coupons is None:
            lg_k = min(self.lg_k, other.lg_k)
            return HllSketch(lg_k, registers=np.maximum(self._folded(lg_k), other._folded(lg_k)))
        # A list goes into the other sketch value by value, so that the estimate kept so far stays valid.
        if self._coupons is not None and other._coupons is None:
            return _poured(self._coupons, other)
        return _poured(other._coupons, self)

    @property
    def coupons(self) -> Coupons | None:
        """The coupons, while there are few; None once they became registers."""
        return self._coupons

    @property
    def hip(self) -> float | None:
        """The estimate kept while values came in; None for coupons, and after sketches were joined."""
        return self._hip

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever counted."""
        return self._coupons is not None and len(self._coupons) == 0

    @cached_property
    def registers(self) -> Registers:
        """The ``2 ** lg_k`` registers."""
        size = 1 << self.lg_k
        if self._coupons is not None:
            registers = np.zeros(size, np.uint8)
            slots = self._coupons & (size - 1)
            np.maximum.at(registers, slots, (self._coupons >> _COUPON_ADDRESS_BITS).astype(np.uint8))
            return registers
        assert self._packed is not None
        body, escapes, target, lowest = self._packed
        stored = np.frombuffer(body, np.uint8)
        if target == _HLL_8:
            return stored
        if target == _HLL_6:
            bits = np.unpackbits(stored[: size * 6 // 8], bitorder="little").reshape(size, 6)
            return np.packbits(bits, axis=1, bitorder="little")[:, 0]
        registers = np.empty(size, np.uint8)
        registers[0::2] = stored & 15
        registers[1::2] = stored >> 4
        registers += np.uint8(lowest & 63)
        # What does not fit into four bits is kept beside them, whole.
        pairs = np.frombuffer(escapes, "<u4")
        pairs = pairs[pairs != 0]
        registers[pairs & (size - 1)] = pairs >> _COUPON_ADDRESS_BITS
        return registers

    def _folded(self, lg_k: int) -> Registers:
        """The registers of a smaller sketch of the same stream: an address keeps its low bits."""
        folded: Registers = self.registers.reshape(-1, 1 << lg_k).max(axis=0)
        return folded

    @cached_property
    def estimate(self) -> float:
        """Distinct values, estimated.

        From coupons: the number of values of which so many coupons are expected. From registers in order: the
        HIP estimate that was kept on the way (E. Cohen, arXiv:1306.3284). After a merge: from the registers.
        """
        if self._coupons is not None:
            return coupon_estimate(len(self._coupons))
        if self._hip is not None:
            return self._hip
        return _from_registers(self.registers)

    @property
    def lower(self) -> float:
        """The lower bound at two deviations (about 95 % confidence), see `bounds`."""
        return self.bounds(2)[0]

    @property
    def upper(self) -> float:
        """The upper bound at two deviations (about 95 % confidence), see `bounds`."""
        return self.bounds(2)[1]

    def bounds(self, deviations: int) -> tuple[float, float]:
        """Lower and upper bound of the estimate.

        Parameters
        ----------
        deviations : {1, 2, 3}
            About 68, 95 or 99.7 % confidence. whylogs' ``lower_1`` and ``upper_1`` are ``bounds(1)``.

        Returns
        -------
        lower, upper : float
        """
        estimate = self.estimate
        if self._coupons is not None:
            known = len(self._coupons)
            error = deviations * _COUPON_ERROR
            return max(estimate / (1 + error), known), max(estimate / (1 - error), known)
        if self.lg_k == _HLL_12:
            low, high = (_HLL_12_MERGED if self._hip is None else _HLL_12_IN_ORDER)[deviations]
        else:
            low = deviations * (_MERGED_ERROR if self._hip is None else _HIP_ERROR) / math.sqrt(1 << self.lg_k)
            high = -low
        # Each register that was touched proves a value of its own.
        return max(estimate / (1 + low), float(np.count_nonzero(self.registers))), estimate / (1 + high)


class _Filling:
    """A sketch that takes coupons, promoted from list to registers where DataSketches promotes it."""

    def __init__(self, start: HllSketch) -> None:
        self.lg_k = start.lg_k
        self.hip: float | None = start._hip
        self.coupons: dict[int, None] | None = None
        self.registers: list[int] = []
        if start._coupons is not None:
            self.coupons = dict.fromkeys(start._coupons.tolist())
        else:
            self._set_registers(start.registers)

    def _set_registers(self, registers: Registers) -> None:
        self.registers = registers.tolist()
        self.spread = math.fsum(math.ldexp(1.0, -value) for value in self.registers)

    def add(self, coupon: int) -> None:
        if self.coupons is not None:
            self.coupons[coupon] = None
            # A list of 8 becomes a set, which may fill three quarters of 2**(lg_k - 3); below lg_k 8 there is
            # no set.
            full = _MIN_SET - 1 if self.lg_k < 8 else 3 << (self.lg_k - 5)
            if len(self.coupons) > full:
                self._promote()
            return
        slot, value = coupon & (len(self.registers) - 1), coupon >> _COUPON_ADDRESS_BITS
        old = self.registers[slot]
        if value > old:
            if self.hip is not None:
                self.hip += len(self.registers) / self.spread
            self.spread += math.ldexp(1.0, -value) - math.ldexp(1.0, -old)
            self.registers[slot] = value

    def _promote(self) -> None:
        assert self.coupons is not None
        known = self.coupons
        self.coupons = None
        self._set_registers(np.zeros(1 << self.lg_k, np.uint8))
        for coupon in known:
            self.add(coupon)
        self.hip = coupon_estimate(len(known))

    def sketch(self) -> HllSketch:
        if self.coupons is not None:
            return HllSketch(self.lg_k, coupons=np.array(list(self.coupons), np.uint32))
        return HllSketch(self.lg_k, registers=np.array(self.registers, np.uint8), hip=self.hip)


def _poured(coupons: Coupons | None, into: HllSketch) -> HllSketch:
    filling = _Filling(into)
    for coupon in () if coupons is None else coupons.tolist():
        filling.add(coupon)
    return filling.sketch()


def _coupons(data: bytes, start: int, count: int, lg_k: int) -> Coupons:
    slots = count
    if not data[5] & _HLL_FLAG_COMPACT:
        # The table as it lay in memory, holes (zeros) included; its size is in byte 4.
        slots = min(1 << min(data[4], 31), len(data))
    if len(data) < start + 4 * slots:
        raise corrupt("an HLL sketch is cut off")
    table = np.frombuffer(data, "<u4", slots, start)
    coupons: Coupons = table[table != 0]
    if len(coupons) != count or count > max(_MIN_SET, (3 << lg_k) >> 5):
        raise corrupt("an HLL sketch's count is not what it holds")
    return coupons


_MIN_SET = 8

# Two values share a coupon when 26 address bits and the leading zeros agree: 2**-26 * sum over v of 4**-v.
_SAME_COUPON = math.ldexp(1.0, -_COUPON_ADDRESS_BITS) / 3


@lru_cache(maxsize=4096)
def coupon_estimate(count: int) -> float:
    """Solve ``count = n - n(n-1)/2 * p`` for n, p being the chance that two values share a coupon.

    That is the expected number of distinct coupons to second order; the third is below 1e-13 of it for the
    few hundred coupons that a list holds before it becomes registers.
    """
    n = float(count)
    for _ in range(8):  # a fixed point that gains five digits a round
        n = count + n * (n - 1) / 2 * _SAME_COUPON
    return n


def _from_registers(registers: Registers) -> float:
    """Estimate distinct values from registers alone, as DataSketches does after a union.

    With few values, the count of untouched registers tells most: linear counting (K. Whang et al., ACM TODS
    15, 1990). From 0.64 values a register on, the harmonic mean of ``2 ** register`` does (P. Flajolet et
    al., HyperLogLog, 2007), its bias removed exactly: the estimate is the number of values for which that
    mean is the expected one.
    """
    m = len(registers)
    counts = np.bincount(registers).tolist()
    spread = math.fsum(math.ldexp(count, -value) for value, count in enumerate(counts))
    by_mean = m * _values_a_register(spread / m) / (1 + 1.079 / m)  # the mean of reciprocals is a little above
    if by_mean > 3 * m:
        return by_mean
    by_zeros = m * math.log((m + 0.5) / (counts[0] + 0.5))
    return by_mean if (by_mean + by_zeros) / 2 > _CROSSOVER * m else by_zeros


_CROSSOVER = 0.64


def _values_a_register(spread: float) -> float:
    """Solve ``sum over k of 2**-k * exp(-x * 2**-k) / 2 = spread`` for x.

    The left side is the expected ``2 ** -register`` when x values fell on the register (Poisson), by the
    distribution ``P(register <= k) = exp(-x * 2**-k)``.
    """
    x = 0.0
    for _ in range(100):  # Newton's method; the sum is convex and falls, so it comes from the left and never overshoots
        value = slope = 0.0
        for k in range(70):
            step = math.ldexp(1.0, -k)
            term = step * math.exp(-x * step) / 2
            value += term
            slope += step * term
        change = (value - spread) / slope
        x += change
        if change <= _PRECISION * x:
            break
    return x


_PRECISION = 1e-10

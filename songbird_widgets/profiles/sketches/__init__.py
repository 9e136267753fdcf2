"""The three sketches inside a profile: KLL (quantiles), HLL (distinct values) and frequent strings.

Each class reads the bytes that Apache DataSketches' C++ library (and whylogs' fork of it) writes, with numpy
alone, and answers what that library would answer. All numbers in the bytes are little-endian.
"""

from .frequent_items import FrequentItem, FrequentItemsSketch
from .hll import DistinctEstimate, HllSketch
from .kll import Floats, Ints, KllSketch

__all__ = ["DistinctEstimate", "Floats", "FrequentItem", "FrequentItemsSketch", "HllSketch", "Ints", "KllSketch"]

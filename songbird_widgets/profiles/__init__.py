"""whylogs profiles: read with numpy alone, summarised, compared, and taken from wherever they are.

`read_profile` reads a file's headers and, lazily, its columns; `column_statistics` and `histogram` say what a
column holds; `merge_profiles` shows several as one; `find_sources` turns paths, archives, bytes and whylogs'
own objects into uploads.
"""

from .container import Column, Counts, Profile, Types, read_profile
from .errors import ProfileError
from .merge import merge_profiles
from .sketches import FrequentItem, FrequentItemsSketch, HllSketch, KllSketch
from .sources import ProfileSource, SourceError, find_sources, to_milliseconds
from .statistics import QUANTILE_RANKS, ColumnStatistics, Histogram, Insight, column_statistics, histogram

__all__ = [
    "QUANTILE_RANKS",
    "Column",
    "ColumnStatistics",
    "Counts",
    "FrequentItem",
    "FrequentItemsSketch",
    "Histogram",
    "HllSketch",
    "Insight",
    "KllSketch",
    "Profile",
    "ProfileError",
    "ProfileSource",
    "SourceError",
    "Types",
    "column_statistics",
    "find_sources",
    "histogram",
    "merge_profiles",
    "read_profile",
    "to_milliseconds",
]

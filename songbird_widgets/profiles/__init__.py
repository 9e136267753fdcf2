"""whylogs profiles: made and read with numpy, summarised, compared, and taken from wherever they are.

`profile` makes one of data, `profile_batches` one of each day; `read_profile` reads a file's headers and, lazily, its
columns; `summarize` reads them all once; `column_statistics` and `histogram` say what a column holds;
`compare_profiles` says how far up to three profiles are apart, `compare_days` and `Trends` how far each day is from
one; `merge_profiles` shows several as one; `find_sources` turns paths, archives, bytes and whylogs' own objects into
uploads.
"""

from .comparison import (
    MAX_SIDES,
    ColumnComparison,
    Comparison,
    compare_columns,
    compare_profiles,
    shared_names,
)
from .data_model import Column, Counts, Profile, Types
from .drift_model import Drift, DriftSummary, DriftTest
from .errors import ProfileError
from .evidence import Evidence
from .measures import MEASURES, Measure
from .merge import addable
from .merging import merge_profiles
from .performance import ConfusionMatrix, Performance, RegressionMetrics
from .profiling import ProfilingWarning, profile, profile_batches
from .reading import read_profile, split_profiles
from .sketches import DistinctEstimate, FrequentItem, FrequentItemsSketch, HllSketch, KllSketch
from .sources import ProfileSource, SourceError, SourceWarning, find_sources, read_as_one
from .statistics import QUANTILE_RANKS, ColumnStatistics, Histogram, Insight, column_statistics, histogram
from .summarizing import summarize
from .summary import ProfileSummary
from .thresholds import Thresholds, ThresholdsError, read_thresholds
from .trends import DayComparison, Trends, compare_days
from .weighing import weigh_each

__all__ = [
    "MAX_SIDES",
    "MEASURES",
    "QUANTILE_RANKS",
    "Column",
    "ColumnComparison",
    "ColumnStatistics",
    "Comparison",
    "ConfusionMatrix",
    "Counts",
    "DayComparison",
    "DistinctEstimate",
    "Drift",
    "DriftSummary",
    "DriftTest",
    "Evidence",
    "FrequentItem",
    "FrequentItemsSketch",
    "Histogram",
    "HllSketch",
    "Insight",
    "KllSketch",
    "Measure",
    "Performance",
    "Profile",
    "ProfileError",
    "ProfileSource",
    "ProfileSummary",
    "ProfilingWarning",
    "RegressionMetrics",
    "SourceError",
    "SourceWarning",
    "Thresholds",
    "ThresholdsError",
    "Trends",
    "Types",
    "addable",
    "column_statistics",
    "compare_columns",
    "compare_days",
    "compare_profiles",
    "find_sources",
    "histogram",
    "merge_profiles",
    "profile",
    "profile_batches",
    "read_as_one",
    "read_profile",
    "read_thresholds",
    "shared_names",
    "split_profiles",
    "summarize",
    "weigh_each",
]

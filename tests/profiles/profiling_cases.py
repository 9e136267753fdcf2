"""Columns of every kind, made alike by pandas 2 and 3; run by whylogs' Python it writes what whylogs makes of them.

SONGBIRD_TEST_WHYLOGS_PYTHON profiling_cases.py data/profiling-oracle.bin
"""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

LARGE = 5_000
INF, NAN = float("inf"), float("nan")


def small():
    """Values and dtype of each column; None leaves the values as numpy or pandas has them."""
    mixed = [1, 2.5, "x", True, None, dt.date(2020, 1, 1), Decimal(3), [1, 2], (1, 2), {"a": 1}, b"x", NAN, INF]
    mixed += [np.array([1.5]), pd.Timestamp("2020"), [], ["a"], np.float32(1.1), np.int8(4), np.bool_(False), 3 + 4j]
    mixed += [uuid.UUID(int=1), pd.NaT, np.str_("y"), pd.NA, np.array(5), [[True]]]
    return {
        "all missing": ([None, None], object),
        "all nan": ([NAN, NAN], "f8"),
        "booleans": ([True, False, True], "?"),
        "bytes": ([b"a", b"b"], object),
        "categories of booleans": (pd.Categorical([True, False, True]), None),
        "categories of numbers": (pd.Categorical([1.5, 2.5, 1.5]), None),
        "categories of strings": (pd.Categorical(["a", "b", "c", "a"], categories=["z", "c", "b", "a"]), None),
        "dates": ([dt.date(2020, 1, 1), None], object),
        "days": (pd.to_datetime(["2020-01-01", None]), None),
        "days with zone": (pd.to_datetime(["2020-01-01", None]).tz_localize("UTC"), None),
        "decimals": ([Decimal("1.5"), Decimal("NaN"), Decimal("Infinity"), Decimal("-2e400"), None], object),
        "durations": (pd.to_timedelta([1, None]), None),
        "empty": ([], object),
        "empty numbers": ([], "i8"),
        "empty strings": (["", "a", ""], object),
        "five and five": ([5, "5", 5.0], object),
        "halves": ([1.1, NAN, INF], "f2"),
        "infinite": ([INF, -INF, 1.0], "f8"),
        "integers of the ends": ([-(2**63), 2**63 - 1], "i8"),
        "intervals": (pd.interval_range(0, 2), None),
        "long strings": (["a" * 128 + "b", "a" * 128 + "c", "é" * 200], object),
        "missing of three kinds": (["a", None, NAN, pd.NA, "b"], object),
        "mixed": (mixed, object),
        "nullable booleans": ([True, None, False], "boolean"),
        "nullable floats": ([1.5, None, 3], "Float64"),
        "nullable integers": ([1, None, 3], "Int64"),
        "nullable strings": (["a", None, "b"], "string"),
        "one": ([7], "i8"),
        "one infinite": ([INF], "f8"),
        "one true": ([True], "?"),
        "periods": (pd.period_range("2020", periods=2, freq="D"), None),
        "singles": ([1.1, NAN, INF], "f4"),
        "sparse": (pd.arrays.SparseArray([0, 0, 1]), None),
        "strings": (["Žilina", "Bonn", "Bonn", "鳥", "a\x00b"], object),
        "tiny and huge": ([5e-324, 1e308, -1e308], "f8"),
        "unsigned": ([1, 2**63 - 5], "u8"),
        "zeros": ([0.0, -0.0], "f8"),
        "zeros among objects": ([0.0, -0.0, "a"], object),
    }


def large():
    """Columns beyond what sketches hold exactly."""
    rng = np.random.default_rng(2026)
    words = [f"{'é' * (place % 5)}word {place}" for place in range(3_000)]
    return {
        "many categories": (pd.Categorical([words[place] for place in rng.integers(0, 700, LARGE)]), None),
        "many floats": (rng.normal(size=LARGE), "f8"),
        "many floats and gaps": (np.where(rng.random(LARGE) < 0.1, NAN, rng.pareto(1, LARGE)), "f8"),
        "many integers": (rng.integers(0, 600, LARGE), "i4"),
        "many mixed": ([n if n % 3 else str(n) if n % 2 else n / 7 for n in range(LARGE)], object),
        "many strings": ([words[place] for place in rng.integers(0, 3_000, LARGE)], object),
        "many wide integers": (rng.integers(-(2**60), 2**60, LARGE), "i8"),
    }


def series():
    """Every column by its name."""
    return {name: pd.Series(values, dtype=kind) for name, (values, kind) in {**small(), **large()}.items()}


def main(target):
    from whylogs.core import DatasetProfile, DatasetProfileView

    columns, times = {}, {}
    for name, column in series().items():
        profile = DatasetProfile()
        profile.track(pandas=pd.DataFrame({name: column}))
        view = profile.view()
        columns |= view.get_columns()
        times = {"dataset_timestamp": view.dataset_timestamp, "creation_timestamp": view.creation_timestamp}
    Path(target).write_bytes(DatasetProfileView(columns=columns, **times).serialize())


if __name__ == "__main__":
    main(sys.argv[1])

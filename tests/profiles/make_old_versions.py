"""Make a small profile with an old whylogs, and write down what that version says of it.

Not a test, but what made its oracles; run with the Python of an environment that has the version::

    uv venv -p 3.9 old
    uv pip install -p old/bin/python "whylogs==1.1.45" "numpy<1.24" "pandas<2" "protobuf<4" "setuptools<70"
    WHYLOGS_NO_ANALYTICS=True old/bin/python tests/profiles/make_old_versions.py

writes ``data/old_versions/VERSION.bin`` and ``.json``. All versions profile the same rows.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import whylogs as why
from whylogs.core import DatasetProfile
from whylogs.core.configs import SummaryConfig

FOLDER = Path(__file__).parent / "data" / "old_versions"
RANKS = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
ROWS = 400


def frame() -> pd.DataFrame:
    random = np.random.default_rng(11)
    some = random.random(ROWS) < 0.2
    return pd.DataFrame(
        {
            "normal": np.round(random.normal(size=ROWS), 3),
            "integer": random.integers(0, 7, ROWS),
            "negative": random.integers(-3, 3, ROWS),
            "constant": np.full(ROWS, 3),
            "boolean": random.random(ROWS) < 0.3,
            "word": np.array(["alpha", "beta", "żółw", ""])[random.integers(0, 4, ROWS)],
            "nulls": np.where(some, np.nan, np.round(random.exponential(size=ROWS), 3)),
            "mixed": [(row % 5, f"m{row % 7}", None)[row % 3] for row in range(ROWS)],
        }
    )


def figures_of(column) -> dict:
    metrics = {name: column.get_metric(name) for name in column.get_metric_names()}
    found = {
        "counts": {name: int(getattr(metrics["counts"], name).value) for name in ("n", "null")},
        "types": {
            name: int(getattr(metrics["types"], name).value)
            for name in ("integral", "fractional", "boolean", "string", "object")
        },
    }
    distribution = metrics.get("distribution")
    if distribution is not None and distribution.kll.value.get_n():
        sketch = distribution.kll.value
        found["distribution"] = {
            "n": sketch.get_n(),
            "min": sketch.get_min_value(),
            "max": sketch.get_max_value(),
            "mean": float(distribution.mean.value),
            "stddev": float(distribution.stddev),
            "quantiles": list(sketch.get_quantiles(RANKS)),
        }
    if "cardinality" in metrics:
        found["cardinality"] = metrics["cardinality"].hll.value.get_estimate()
    if "frequent_items" in metrics:
        items = metrics["frequent_items"].to_summary_dict(SummaryConfig())["frequent_strings"]
        found["frequent_items"] = sorted([item.value, int(item.est)] for item in items)
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    profile = DatasetProfile(dataset_timestamp=dt.datetime(2023, 8, 11, tzinfo=dt.timezone.utc))
    profile.track(pandas=frame())
    view = profile.view()
    path = FOLDER / f"{why.__version__}.bin"
    view.write(str(path))
    columns = {name: figures_of(column) for name, column in view.get_columns().items()}
    path.with_suffix(".json").write_text(json.dumps(columns, indent=0, sort_keys=True, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()

"""Make profiles with the real whylogs, and write down what three libraries say of them.

Not a test, but what made their oracles: run it with the Python of an environment that has whylogs 1.6.4,
datasketches and scipy (``python make_corpus.py``), and commit ``data/corpus.tar.xz``. ``make_corpus.py --check``
instead asks these libraries again about the profiles that are committed, and fails where they say something else.

In the archive each ``NAME.bin`` has its figures in ``NAME.json``; ``merge-*.bin`` are the parts of ``merged-*.bin``;
``drift-NAME-{1,2}.bin`` belong to the measures of the raw data in ``drift.json``.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import tarfile
import tempfile
import warnings
import zipfile
from pathlib import Path

import datasketches
import numpy as np
import pandas as pd
import whylogs as why
import whylogs_sketching
from scipy import stats
from scipy.spatial.distance import jensenshannon
from whylogs.core import DatasetProfile, DatasetProfileView
from whylogs.core.metrics import MetricConfig
from whylogs.core.metrics.condition_count_metric import Condition, ConditionCountConfig, ConditionCountMetric
from whylogs.core.metrics.unicode_range import UnicodeRangeMetric
from whylogs.core.resolvers import STANDARD_RESOLVER, MetricSpec, ResolverSpec
from whylogs.core.schema import DatasetSchema, DeclarativeSchema
from whylogs.core.segmentation_partition import segment_on_column

ARCHIVE = Path(__file__).parent / "data" / "corpus.tar.xz"
RANKS = [0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0]
WHEN = dt.datetime(2023, 8, 11, tzinfo=dt.timezone.utc)
WORDS = np.array(["alpha", "beta", "gamma", "żółw", "日本", "a" * 300, "", "<b>&'\"", "=1+1", "line\nbreak"])


# --- profiles


# Enough for sketches that are full, which are large: every kind of column is in the smaller profiles.
LARGE = ["normal", "integer", "identifier", "zipf", "category", "both infinities", "mixed"]


def short(numbers: np.ndarray) -> np.ndarray:
    """Numbers of few bits: sketches hold some thousands of them, and the archive of these stays small."""
    return np.ldexp(np.round(np.ldexp(numbers, 11)), -11)


def kinds(rows: int, seed: int) -> pd.DataFrame:
    """Every kind of column, or those of LARGE if there are many rows."""
    random = np.random.default_rng(seed)
    normal = random.normal(size=rows)
    if rows > 400:
        normal = short(normal)
    frame = every_kind(rows, seed, random, normal)
    return frame[LARGE] if rows > 400 else frame


def every_kind(rows: int, seed: int, random: np.random.Generator, normal: np.ndarray) -> pd.DataFrame:
    some = random.random(rows) < 0.2
    return pd.DataFrame(
        {
            "normal": normal,
            "lognormal": random.lognormal(size=rows),
            "tiny": normal * 1e-300,
            "huge": normal * 1e150,
            "constant": np.full(rows, 3.0),
            "zero": np.zeros(rows, dtype=int),
            "negative": -random.exponential(5, rows),
            "integer": random.integers(0, 20, rows),
            "many integers": np.arange(rows),
            "large integers": random.integers(2**60, 2**62, rows),
            "boolean": random.random(rows) < 0.7,
            "category": WORDS[random.integers(0, len(WORDS), rows)],
            "identifier": [f"id-{seed}-{row:09d}" for row in range(rows)],
            "zipf": [f"w{rank}" for rank in random.zipf(1.6, rows)],
            "nulls": np.where(some, np.nan, normal),
            "all null": [None] * rows,
            "infinite": np.where(some, np.inf, normal),
            "both infinities": np.where(some, -np.inf, np.where(normal > 1, np.inf, normal)),
            "mixed": [(row, row + 0.5, f"m{row % 7}", None, row % 2 == 0)[row % 5] for row in range(rows)],
            "date": pd.date_range("2020-01-01", periods=rows, freq="s"),
        }
    )


def profile(frame: pd.DataFrame, schema=None) -> DatasetProfileView:
    made = DatasetProfile(schema=schema, dataset_timestamp=WHEN) if schema else DatasetProfile(dataset_timestamp=WHEN)
    made.track(pandas=frame)
    return made.view()


def profiles():
    for rows in (1, 2, 9, 400, 3000, 60_000):
        yield f"kinds-{rows}", profile(kinds(rows, rows))
    random = np.random.default_rng(1)
    many = 2_000_000
    yield (
        "rows-2000000",
        profile(
            pd.DataFrame(
                {
                    "normal": short(random.normal(size=many)),
                    "integer": random.integers(0, 1000, many),
                    "category": WORDS[random.integers(0, 5, many)],
                }
            )
        ),
    )
    yield "columns-1", profile(pd.DataFrame({"only": [1, 2, 3]}))
    yield (
        "columns-100",
        profile(pd.DataFrame(random.integers(0, 9, (12, 100)), columns=[f"c{i}" for i in range(100)])),
    )
    names = [
        "",
        " ",
        "żółw",
        "日本語",
        "😀",
        "e\u0301",
        "\u202eabc",
        "a.b.c",
        "a/b:c",
        "line\nbreak",
        "nul\0",
        "<i>",
        "x" * 5000,
    ]
    yield "names", profile(pd.DataFrame({name: [1, 2, 2] for name in names}))
    yield "rows-0", DatasetProfile(dataset_timestamp=WHEN).view()
    yield "conditions", profile(kinds(2000, 5), condition_schema())
    yield (
        "unicode",
        profile(pd.DataFrame({"text": [*WORDS.tolist() * 60, "😀🙃", "ΑΒΓ", "1 2 3"]}), unicode_schema()),
    )
    yield "small-k", profile(kinds(5000, 6), small_schema())


def condition_schema():
    conditions = {
        "is alpha": Condition(lambda value: value == "alpha"),
        "odd:name/of": Condition(lambda value: len(str(value)) > 4),
    }
    spec = ResolverSpec(
        column_name="category",
        metrics=[MetricSpec(ConditionCountMetric, ConditionCountConfig(conditions=conditions))],
    )
    return DeclarativeSchema([*STANDARD_RESOLVER, spec])


def unicode_schema():
    spec = ResolverSpec(column_name="text", metrics=[MetricSpec(UnicodeRangeMetric)])
    return DeclarativeSchema([*STANDARD_RESOLVER, spec])


def small_schema():
    """Sketches of other sizes than usual."""
    return DatasetSchema(default_configs=MetricConfig(kll_k=64, hll_lg_k=9, fi_lg_max_k=5))


def names(seed: int, rows: int) -> pd.DataFrame:
    """Strings of which there are too many to count them all."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "skewed": [f"user-{one}" for one in random.zipf(1.3, rows) % 50_000],
            "unique": [f"{one:x}" for one in random.integers(0, 2**62, rows)],
            "long": ["ü" * (one % 40) + str(one) for one in random.integers(0, 1200, rows)],
            "few": [f"{one:08}" for one in random.integers(0, 700, rows)],
            "number": random.integers(0, 5000, rows),
        }
    )


def merges():
    def part(seed: int, rows: int) -> DatasetProfileView:
        return profile(kinds(rows, seed))

    yield "few", [part(11, 5), part(12, 9)]
    yield "list-into-array", [part(13, 20_000), part(14, 30)]
    yield "array-into-list", [part(15, 30), part(16, 20_000)]
    yield "two-sets", [part(17, 300), part(18, 310)]
    yield "arrays", [part(19, 20_000), part(20, 30_000)]
    yield "middle", [part(21, 3000), part(22, 3500)]
    yield "three", [part(23, 2000), part(24, 100), part(25, 9000)]
    yield "full tables", [profile(names(seed, rows)) for seed, rows in enumerate((4000, 900, 20_000, 1500))]
    yield "full small tables", [profile(names(seed, 3000), small_schema()) for seed in range(3)]
    yield "other columns", [part(26, 50), profile(pd.DataFrame({"new": [1.5, 2.5], "integer": [1, 2]}))]
    overlapping = kinds(4000, 27)
    yield "overlapping", [profile(overlapping[:3000]), profile(overlapping[1000:])]
    text = pd.DataFrame({"text": WORDS.tolist() * 40})
    yield "unicode", [profile(text, unicode_schema()), profile(text[5:100], unicode_schema())]
    yield (
        "conditions",
        [profile(kinds(700, 28), condition_schema()), profile(kinds(300, 29), condition_schema())],
    )


# --- figures


def figures(view: DatasetProfileView) -> dict:
    return {name: column_figures(column) for name, column in view.get_columns().items()}


def column_figures(column) -> dict:
    found = {}
    for name in column.get_metric_names():
        metric = column.get_metric(name)
        if name in METRICS:
            found[name] = METRICS[name](metric)
        elif name == "unicode_range":
            found["others"] = {
                f"{name}/{part}": {inner: METRICS[inner](value) for inner, value in metrics.items() if inner in METRICS}
                for part, metrics in metric.submetrics.items()
            }
    return found


def distribution(metric) -> dict:
    kll = metric.kll.value
    found = {"n": kll.get_n(), "mean": metric.mean.value, "stddev": metric.stddev, "m2": metric.m2.value}
    if not kll.get_n():
        return found
    low, high = kll.get_min_value(), kll.get_max_value()
    found |= {
        "min": low,
        "max": high,
        "quantiles": kll.get_quantiles(RANKS),
        "estimation": kll.is_estimation_mode(),
    }
    if np.isfinite([low, high, high - low]).all() and low < high:
        points = sorted(set(np.linspace(low, high, 9).tolist()))
        found |= {"points": points, "pmf": kll.get_pmf(points), "cdf": kll.get_cdf(points)}
        found["apache"] = apache_kll(kll.serialize(), points)
    return found


def apache_kll(content: bytes, points: list) -> dict:
    """The same sketch, read by Apache's library: it wants five ints of preamble where whylogs writes six."""
    if content[0] == 6:
        content = bytes([5]) + content[1:20] + content[24:]
    kll = datasketches.kll_doubles_sketch.deserialize(content)
    # Apache takes the points as inclusive unless told otherwise.
    return {"pmf": list(kll.get_pmf(points, False)), "cdf": list(kll.get_cdf(points, False))}


def cardinality(metric) -> dict:
    hll = metric.hll.value
    return {
        "estimate": hll.get_estimate(),
        "bounds": {k: [hll.get_lower_bound(k), hll.get_upper_bound(k)] for k in (1, 2, 3)},
    }


def frequent_items(metric) -> dict:
    sketch = metric.frequent_strings.value
    content = sketch.serialize()
    certain = datasketches.frequent_items_error_type.NO_FALSE_POSITIVES
    apache = datasketches.frequent_strings_sketch.deserialize(content)
    possible = datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES
    kind = whylogs_sketching.frequent_items_error_type
    return {
        "certain": sorted(sketch.get_frequent_items(kind.NO_FALSE_POSITIVES)),
        "possible": sorted(sketch.get_frequent_items(kind.NO_FALSE_NEGATIVES)),
        "total": sketch.get_total_weight(),
        "apache": {
            "certain": sorted(apache.get_frequent_items(certain)),
            "possible": sorted(apache.get_frequent_items(possible)),
            "offset": apache.get_frequent_items(possible)[0][3] - apache.get_frequent_items(possible)[0][2]
            if apache.num_active_items
            else 0,
        },
    }


def values(*names: str):
    def read(metric) -> dict:
        return {name: getattr(metric, name).value for name in names}

    return read


METRICS = {
    "counts": values("n", "null", "nan", "inf", "true"),
    "types": values("integral", "fractional", "boolean", "string", "object", "tensor"),
    "ints": values("min", "max"),
    "distribution": distribution,
    "cardinality": cardinality,
    "frequent_items": frequent_items,
    "condition_count": lambda metric: {
        "total": metric.total.value,
        **{k: v.value for k, v in metric.matches.items()},
    },
}


# --- drift


def drift_pairs():
    for name, first, second in long_drift_pairs():
        yield name, short(first), short(second)


def long_drift_pairs():
    random = np.random.default_rng(3)
    yield "same-10k-200k", random.normal(size=10_000), random.normal(size=200_000)
    yield "same-2m", random.normal(size=2_000_000), random.normal(size=2_000_000)
    yield "shift-0.1", random.normal(size=30_000), random.normal(0.1, 1, 30_000)
    yield "shift-0.3", random.normal(size=30_000), random.normal(0.3, 1, 30_000)
    yield "shift-1", random.normal(size=30_000), random.normal(1, 1, 20_000)
    yield "wider", random.normal(size=30_000), random.normal(0, 2, 30_000)
    yield "lognormal", random.lognormal(0, 1.5, 50_000), random.lognormal(0.65, 1.5, 50_000)
    yield "exact", random.normal(size=500), random.normal(0.5, 1, 400)
    yield "exact-same", random.normal(size=600), random.normal(size=700)
    yield "few-same", random.normal(size=12), random.normal(size=9)
    yield "constant-same", np.full(5000, 7.0), np.full(800, 7.0)
    yield "constant-moved", np.full(5000, 7.0), np.full(5000, 7.5)
    yield (
        "zeros",
        np.where(random.random(20_000) < 0.6, 0, random.exponential(size=20_000)),
        np.where(random.random(20_000) < 0.3, 0, random.exponential(size=20_000)),
    )
    yield "heavy-tail", random.standard_t(2, 40_000), random.standard_t(2, 40_000) * 1.5
    infinite = random.normal(size=20_000)
    yield "infinite", np.where(random.random(20_000) < 0.01, np.inf, infinite), infinite[::-1].copy()
    yield (
        "bimodal",
        random.normal(size=30_000),
        np.where(random.random(30_000) < 0.5, random.normal(-1.5, 0.5, 30_000), random.normal(1.5, 0.5, 30_000)),
    )


def item_pairs():
    random = np.random.default_rng(4)

    def words(shares, rows):
        names = np.array([f"level {i}" for i in range(len(shares))])
        return names[random.choice(len(shares), rows, p=np.array(shares) / sum(shares))]

    yield "items-same-10k-200k", words([5, 3, 2, 1, 1], 10_000), words([5, 3, 2, 1, 1], 200_000)
    yield "items-moved", words([5, 3, 2, 1, 1], 10_000), words([3, 5, 2, 1, 1], 12_000)
    yield "items-new", words([5, 3, 2], 5000), words([5, 3, 2, 2], 5000)
    zipf = 1 / np.arange(1, 4001) ** 1.1
    yield "items-zipf-same", words(zipf, 10_000), words(zipf, 200_000)
    yield "items-zipf-moved", words(zipf, 100_000), words(np.roll(zipf, 3), 100_000)
    many = np.ones(600)
    yield "items-600-same", words(many, 10_000), words(many, 200_000)
    yield (
        "items-unique",
        np.array([f"a{i}" for i in range(20_000)]),
        np.array([f"b{i}" for i in range(20_000)]),
    )
    yield "items-booleans", random.random(5000) < 0.5, random.random(9000) < 0.7


def measures(first: np.ndarray, second: np.ndarray) -> dict:
    """What scipy says of the raw numbers."""
    deciles = np.quantile(first, np.arange(1, 10) / 10, method="inverted_cdf")
    cuts = np.unique(deciles)
    heavy = [cut for cut in cuts if np.mean(first == cut) >= 0.05]
    cuts = np.union1d(cuts, np.nextafter(heavy, np.inf))
    p, q = (
        np.bincount(np.searchsorted(cuts, raw, side="right"), minlength=len(cuts) + 1) / len(raw)
        for raw in (first, second)
    )
    high, low = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    found = {
        "js_distance": float(jensenshannon(p, q, base=2)),
        "psi": float(((high - low) * np.log(high / low)).sum()),
    }
    test = stats.ks_2samp(first, second, method="asymp")
    found |= {"ks": float(test.statistic), "ks_p": float(test.pvalue)}
    if np.isfinite(first).all() and np.isfinite(second).all() and first.std():
        found["wasserstein"] = float(stats.wasserstein_distance(first, second) / first.std(ddof=1))
        found["span"] = float((max(first.max(), second.max()) - min(first.min(), second.min())) / first.std(ddof=1))
        found["mean_shift"] = float((second.mean() - first.mean()) / first.std(ddof=1))
        edges = np.linspace(min(first.min(), second.min()), max(first.max(), second.max()), 31)
        p, q = (np.histogram(raw, edges)[0] / len(raw) for raw in (first, second))
        found["hellinger"] = float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))
    return found


def item_measures(first: np.ndarray, second: np.ndarray) -> dict:
    table = pd.crosstab(np.repeat([0, 1], [len(first), len(second)]), np.concatenate([first, second])).to_numpy()
    p, q = table / table.sum(axis=1, keepdims=True)
    test = stats.chi2_contingency(table, correction=False)
    return {
        "js_distance": float(jensenshannon(p, q, base=2)),
        "chi2": float(test.statistic),
        "chi2_p": float(test.pvalue),
        "cramers_v": float(stats.contingency.association(table, method="cramer")),
    }


# --- all of it


def write(folder: Path, name: str, view: DatasetProfileView) -> None:
    content = view.serialize()
    (folder / f"{name}.bin").write_bytes(content)
    again = figures(DatasetProfileView.deserialize(content))
    (folder / f"{name}.json").write_text(json.dumps(again, default=float), "utf-8")


def make(folder: Path) -> None:
    for name, view in profiles():
        write(folder, name, view)
    for name, parts in merges():
        views = []
        for place, part in enumerate(parts):
            content = part.serialize()
            (folder / f"merge-{name}-{place}.bin").write_bytes(content)
            views.append(DatasetProfileView.deserialize(content))
        merged = views[0]
        for view in views[1:]:
            merged = merged.merge(view)
        write(folder, f"merged-{name}", merged)
    drift = {}
    for name, first, second in drift_pairs():
        drift[name] = measures(first, second)
        for place, raw in enumerate((first, second), 1):
            (folder / f"drift-{name}-{place}.bin").write_bytes(profile(pd.DataFrame({"x": raw})).serialize())
    for name, first, second in item_pairs():
        drift[name] = item_measures(first, second)
        for place, raw in enumerate((first, second), 1):
            (folder / f"drift-{name}-{place}.bin").write_bytes(profile(pd.DataFrame({"x": raw})).serialize())
    (folder / "drift.json").write_text(json.dumps(drift), "utf-8")
    frame = kinds(90, 8)[["integer", "normal", "category"]].assign(integer=np.arange(90) % 3)
    results = why.log(frame, schema=segments(), dataset_timestamp=WHEN)
    with zipfile.ZipFile(folder / "segments.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for place, view in enumerate(results.get_writables()):
            path = folder / f"segment-{place}.bin"
            view.write(str(path))
            archive.write(path, path.name)


def segments():
    return DatasetSchema(segments=segment_on_column("integer"))


def check(folder: Path) -> list[str]:
    """Return the names of profiles of which these libraries say something else than what is written down."""
    differing = []
    for path in sorted(folder.glob("*.json")):
        if path.name != "drift.json":
            view = DatasetProfileView.deserialize(path.with_suffix(".bin").read_bytes())
            now = json.loads(json.dumps(figures(view), default=float))
            # As text, for not-a-number equals nothing.
            if json.dumps(now, sort_keys=True) != json.dumps(json.loads(path.read_text("utf-8")), sort_keys=True):
                differing.append(path.stem)
    return differing


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:] == ["--check"]:
            with tarfile.open(ARCHIVE) as archive:
                for member in archive:
                    (Path(folder) / member.name).write_bytes(archive.extractfile(member).read())
            if differing := check(Path(folder)):
                sys.exit(f"Figures differ: {', '.join(differing)}")
            return
        make(Path(folder))
        with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
            # Figures first, then profiles: what is alike lies together.
            for path in sorted(Path(folder).iterdir(), key=lambda path: (path.suffix, path.name)):
                archive.add(path, path.name)


if __name__ == "__main__":
    main()

"""The measures of drift, explained: for the page, and for whoever wonders where a formula is from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """What a measure is: for the page that explains it.

    Attributes
    ----------
    title, formula, source, reading : str
        ``reading`` says how to read the number.
    """

    title: str
    formula: str
    source: str
    reading: str


MEASURES = {
    "js_distance": Measure(
        "Jensen-Shannon distance",
        "√(½ Σ p·log₂(p/m) + ½ Σ q·log₂(q/m)), m = (p + q)/2, on deciles or frequent items",
        "J. Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37 (1991)",
        "0 is the same, 1 is nothing in common; 0.1 counts as moderate, 0.2 as strong.",
    ),
    "psi": Measure(
        "Population stability index",
        "Σ (p - q)·ln(p/q), cells below 0.0001 raised to it, over the same cells",
        "S. Kullback and R. Leibler, On information and sufficiency, Ann. Math. Stat. 22 (1951), symmetrised",
        "By convention below 0.1 is stable and above 0.25 has shifted; no theory is behind these numbers.",
    ),
    "wasserstein": Measure(
        "Wasserstein distance, in standard deviations of the baseline",
        "∫ |F(x) - G(x)| dx / sd",
        "L. Vaserstein, Probl. Inf. Transm. 5 (1969)",
        "How far the values moved on average; 0.25 counts as moderate, 0.5 as strong.",
    ),
    "ks": Measure(
        "Kolmogorov-Smirnov distance",
        "max |F(x) - G(x)|, less the rank errors 2.296/k^0.9723 of both sketches",
        "N. Smirnov, Bull. Math. Univ. Moscou 2 (1939); rank error: Apache DataSketches, KLL accuracy",
        "The largest gap between the cumulative distributions that the sketches cannot explain.",
    ),
    "chi2": Measure(
        "Chi-squared, two samples",
        "Σ (observed - expected)²/expected over both rows of the contingency table",
        "K. Pearson, Philos. Mag. 50 (1900)",
        "Grows with the number of rows: read Cramér's V of equally large profiles instead.",
    ),
    "cramers_v": Measure(
        "Cramér's V",
        "√(χ² / N), N being the rows of both",
        "H. Cramér, Mathematical Methods of Statistics (1946), ch. 21",
        "0 is no association between value and profile, 1 is a perfect one; small when one profile has far more rows.",
    ),
    "balanced_v": Measure(
        "Cramér's V of equally large profiles",
        "√(½ Σ (p - q)²/(p + q))",
        "as Cramér's V, both profiles weighing the same; the triangular discrimination of F. Topsøe, IEEE Trans. Inf. "
        "Theory 46 (2000)",
        "0 is the same, 1 is nothing in common, whatever the numbers of rows.",
    ),
    "covered": Measure(
        "Share of the values that were compared",
        "Σ of the cells' shares, in the profile where it is smaller",
        "",
        "Jensen-Shannon distance, PSI and chi-squared of items know this part of the values; the rest is one cell.",
    ),
    "hellinger": Measure(
        "Hellinger distance",
        "√(½ Σ (√p - √q)²) on 30 equal bins from the smallest to the largest value of both",
        "E. Hellinger, J. reine angew. Math. 136 (1909); bins as in whylogs",
        "Kept to compare with whylogs, which sees drift from 0.15; equal bins hide shifts of skewed columns.",
    ),
    "null_delta": Measure(
        "Change of the null fraction",
        "nulls₂/rows₂ - nulls₁/rows₁",
        "",
        "0.04, four in a hundred rows more, counts as moderate, 0.08 as strong; where they, or the "
        "other rows, at least doubled or halved, 0.01 is moderate, too; all beyond what chance explains.",
    ),
    "unique_delta": Measure(
        "Change of the unique ratio", "unique₂/rows₂ - unique₁/rows₁", "", "Depends on the number of rows."
    ),
    "mean_shift": Measure(
        "Change of the mean, in standard deviations of the baseline",
        "(mean₂ - mean₁)/sd₁",
        "G. Glass, Educ. Researcher 5 (1976)",
        "Exact. 0.2 counts as moderate, 0.4 as strong, beyond what chance explains.",
    ),
    "spread_ratio": Measure(
        "Standard deviation, as a multiple of the baseline's",
        "sd₂/sd₁",
        "",
        "Exact. From 1.5 (or 1/1.5) on it counts as moderate, from 2.25 as strong, beyond what chance explains.",
    ),
}

"""Which of several models predicts the same measurements better: a bootstrap of rows, and Williams' test.

The bootstrap draws rows with replacement (whole families at once, where rows belong together: mutants of one promoter,
steps of one trajectory) and correlates every model on the same draws, so that differences are paired. Intervals are
percentiles (Efron and Tibshirani 1993, chapters 13 and 16).

Williams' t (1959) is the test that Steiger (1980, Psychological Bulletin 87:245) recommends for two correlations that
share a variable, here the measurements. It takes rows for independent and normal; the bootstrap needs neither, but
knows no p below 2 / (samples + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from proformer.errors import InputError
from proformer.evaluation.metrics import pearson

SAMPLES = 2000
ELEMENTS = 1 << 21  # of one array at work


@dataclass(frozen=True)
class Resampled:
    """Correlations of m models with the measurements in B samples: `pearson` and `spearman`, float64 [B, m]."""

    pearson: np.ndarray
    spearman: np.ndarray


def bootstrap(
    truth: np.ndarray, predictions: np.ndarray, family: np.ndarray, samples: int = SAMPLES, seed: int = 0
) -> Resampled:
    """Correlate `predictions` [m, n] with `truth` [n] in bootstrap samples of the families (int [n], any labels).

    Spearman ρ is that of each sample, ties at their average rank. NaN where a model is constant in a sample.
    """
    if samples < 1:
        raise InputError(f"bootstrap samples: found {samples}, expected at least 1")
    _, family = np.unique(family, return_inverse=True)
    count, n = int(family.max()) + 1, len(truth)
    random = np.random.default_rng(seed)
    linear = [_standard(values) for values in (truth, *predictions)]
    ranks = [_Ranks(values) for values in (truth, *predictions)]
    pearsons, spearmans = [], []
    block = max(1, ELEMENTS // max(n, count))
    for start in range(0, samples, block):
        size = min(block, samples - start)
        drawn = random.integers(0, count, (size, count)) + np.arange(size)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)[:, family].astype(np.float64)
        pearsons.append(_weighted(weights, linear[0], linear[1:]))
        ranked = ranks[0].weighted(weights)
        spearmans.append(np.hstack([_weighted(weights, ranked, [rank.weighted(weights)]) for rank in ranks[1:]]))
    return Resampled(np.concatenate(pearsons), np.concatenate(spearmans))


def interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the draws that are defined; NaN where fewer than nine in ten are."""
    defined = draws[np.isfinite(draws)]
    if len(defined) < 0.9 * len(draws):
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def williams(r_a: float, r_b: float, r_ab: float, n: int) -> tuple[float, float]:
    """Williams' t (n - 3 degrees of freedom) and two-sided p of r_a = r_b; `r_ab` is between the two models.

    NaN where a correlation is undefined, n is below 4, or the two predictions are the same up to scale.
    """
    if n < 4 or not np.isfinite([r_a, r_b, r_ab]).all() or 1 - r_ab < 1e-12:
        return np.nan, np.nan
    determinant = max(1 - r_a**2 - r_b**2 - r_ab**2 + 2 * r_a * r_b * r_ab, 0.0)
    mean = (r_a + r_b) / 2
    below = 2 * determinant * (n - 1) / (n - 3) + mean**2 * (1 - r_ab) ** 3
    t = (r_a - r_b) * np.sqrt((n - 1) * (1 + r_ab) / below)
    return float(t), float(2 * stats.t.sf(abs(t), n - 3))


def pair_tests(truth: np.ndarray, predictions: np.ndarray, resampled: Resampled) -> pd.DataFrame:
    """One row per pair of models (columns a, b: their indices): difference of Pearson r, its interval and both tests.

    `p_bootstrap` is two-sided: twice the share of samples in which the difference has the other sign or is 0. Pairs
    with an undefined r have NaN. p values after Holm count all pairs.
    """
    r = [pearson(row, truth) for row in predictions]
    rows = []
    for a, b in combinations(range(len(predictions)), 2):
        t, p = williams(r[a], r[b], pearson(predictions[a], predictions[b]), len(truth))
        draws = resampled.pearson[:, a] - resampled.pearson[:, b]
        low, high = interval(draws)
        defined = draws[np.isfinite(draws)]
        tail = min((defined <= 0).sum(), (defined >= 0).sum())
        shared = min(1.0, 2 * (tail + 1) / (len(defined) + 1)) if np.isfinite(low) else np.nan
        rows.append((a, b, r[a], r[b], r[a] - r[b], low, high, shared, t, p))
    names = ["a", "b", "pearson_a", "pearson_b", "difference", "low", "high", "p_bootstrap", "williams_t", "p_williams"]
    table = pd.DataFrame(rows, columns=names)
    for kind in ("bootstrap", "williams"):
        known = table[f"p_{kind}"].dropna().sort_values(kind="stable")
        adjusted = (known * np.arange(len(known), 0, -1)).cummax().clip(upper=1.0)
        table[f"p_{kind}_holm"] = adjusted.reindex(table.index)
    return table


def _standard(values: np.ndarray) -> np.ndarray:
    """Mean 0 and sd 1, so that weighted sums of squares lose no digits; constant values become NaN."""
    values = np.asarray(values, dtype=np.float64)
    spread = values.std()
    return np.full(len(values), np.nan) if spread <= 1e-12 * abs(values.mean()) else (values - values.mean()) / spread


def _weighted(weights: np.ndarray, y: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """Weighted correlation of y with each of `others` ([n] or [B, n]) in each row of `weights` [B, n]: [B, m]."""

    def mean(values: np.ndarray) -> np.ndarray:
        return (weights @ values if values.ndim == 1 else np.einsum("bn,bn->b", weights, values)) / total

    total = weights.sum(axis=1)
    mean_y = mean(y)
    variance_y = mean(y * y) - mean_y**2
    columns = []
    for x in others:
        mean_x = mean(x)
        variance_x = mean(x * x) - mean_x**2
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (mean(x * y) - mean_x * mean_y) / np.sqrt(variance_x * variance_y)
        columns.append(np.where((variance_x > 1e-12) & (variance_y > 1e-12), r, np.nan))
    return np.stack(columns, axis=1)


class _Ranks:
    """Average ranks of values that are drawn several times or not at all."""

    def __init__(self, values: np.ndarray) -> None:
        levels, self.level = np.unique(values, return_inverse=True)
        self.order = np.argsort(self.level, kind="stable")
        self.starts = np.searchsorted(self.level[self.order], np.arange(len(levels)))

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Ranks in each sample, scaled to 0..1: float64 [B, n] for weights [B, n]."""
        sizes = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        middle = np.cumsum(sizes, axis=1) - sizes / 2
        return (middle / weights.sum(axis=1, keepdims=True))[:, self.level]

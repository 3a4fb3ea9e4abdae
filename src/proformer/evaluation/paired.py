"""Which of several models predicts the same measurements better: a bootstrap of rows, and Williams' test.

The bootstrap draws rows with replacement (whole groups at once, where rows belong together: mutants of one promoter,
steps of one trajectory) and scores every model on the same draws, so that differences are paired. Intervals are
percentiles (Efron and Tibshirani 1993, chapters 13 and 16).

Williams' t (1959) is the test that Steiger (1980, Psychological Bulletin 87:245) recommends for two correlations that
share a variable, here the measurements. It takes rows for independent and normal; the bootstrap needs neither, but
knows no p below 2 / (samples + 1).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from proformer.errors import InputError
from proformer.evaluation.metrics import METRICS, codes, pearson
from proformer.evaluation.statistics import holm
from proformer.tasks import MetricName

SAMPLES = 2000
ELEMENTS = 1 << 20  # of one array at work


def bootstrap(
    metric: MetricName,
    truth: np.ndarray,
    predictions: np.ndarray,
    group: np.ndarray,
    samples: int = SAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """One metric of `predictions` [m, n] (or [m, n, P]) and `truth` [n] ([n, P]) in bootstrap samples: float64 [B, m].

    Groups (int [n], any labels) are drawn whole. NaN where a metric is undefined in a sample.
    """
    if samples < 1:
        raise InputError(f"bootstrap samples: found {samples}, expected at least 1")
    if METRICS[metric].ordinal:
        predictions = codes(predictions.reshape(len(predictions), -1)).reshape(predictions.shape)
    if METRICS[metric].ordinal == 2:
        truth = codes(truth.ravel()).reshape(truth.shape)
    found, metric_of = np.empty((samples, len(predictions))), METRICS[metric].rows
    for places, rows in drawn_rows(group, samples, seed, ELEMENTS // predictions.size):
        shape = (len(predictions), len(rows), -1)
        found[places] = metric_of(predictions[:, rows].reshape(shape), truth[rows].reshape(shape[1:])).T
    return found


def drawn_rows(group: np.ndarray, samples: int, seed: int, size: int = 64) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (numbers of samples [s], their rows [s, n]): as many groups as there are, drawn with replacement.

    About `size` samples come together, those that have as many rows. Samples follow from the seed alone.
    """
    random = np.random.default_rng(seed)
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order, starts = np.argsort(group, kind="stable"), np.cumsum(sizes) - sizes
    for first in range(0, samples, max(1, size)):
        drawn = random.integers(0, len(sizes), (min(max(1, size), samples - first), len(sizes)))
        totals = sizes[drawn].sum(axis=1)
        for total in np.unique(totals):
            places = np.flatnonzero(totals == total)
            chosen = drawn[places].ravel()
            count = sizes[chosen]
            rows = np.repeat(starts[chosen] - (np.cumsum(count) - count), count) + np.arange(count.sum())
            yield first + places, order[rows].reshape(len(places), total)


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


def pair_tests(truth: np.ndarray, predictions: np.ndarray, resampled: np.ndarray) -> pd.DataFrame:
    """One row per pair of models (columns a, b: their indices): difference of Pearson r, its interval and both tests.

    resampled: Pearson r in bootstrap samples [B, m]. `p_bootstrap` is two-sided: twice the share of samples in which
    the difference has the other sign or is 0. Pairs with an undefined r have NaN. p values after Holm count all pairs.
    """
    r = [pearson(row, truth) for row in predictions]
    rows = []
    for a, b in combinations(range(len(predictions)), 2):
        t, p = williams(r[a], r[b], pearson(predictions[a], predictions[b]), len(truth))
        draws = resampled[:, a] - resampled[:, b]
        low, high = interval(draws)
        defined = draws[np.isfinite(draws)]
        tail = min((defined <= 0).sum(), (defined >= 0).sum())
        shared = min(1.0, 2 * (tail + 1) / (len(defined) + 1)) if np.isfinite(low) else np.nan
        rows.append((a, b, r[a], r[b], r[a] - r[b], low, high, shared, t, p))
    names = ["a", "b", "pearson_a", "pearson_b", "difference", "low", "high", "p_bootstrap", "williams_t", "p_williams"]
    table = pd.DataFrame(rows, columns=names)
    for kind in ("bootstrap", "williams"):
        table[f"p_{kind}_holm"] = holm(table[f"p_{kind}"])
    return table

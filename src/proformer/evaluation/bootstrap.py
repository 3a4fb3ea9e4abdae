"""How far a DREAM score depends on the sequences at hand, and which model comes first: resampling as in the challenge.

"We sampled 10 % of the test data 10,000 times and, for each sample, calculated the performance of each model and the
rankings of the models for both Pearson and Spearman Scores" (Rafi et al., Methods). Neither the text nor the
published code says more. Here a sample is drawn without replacement: 10 % of each single subset's rows and of the
rows in none of them, which together are the sample of all rows, and 10 % of each pair subset's pairs. Every model is
judged on the same samples.

Intervals. Samples of m of n rows spread more widely than the whole set does: without replacement, the variance of a
statistic over samples is σ²(1/m - 1/n), over whole sets σ²/n. So beside the percentiles of the samples stands an
interval for the whole set: their distances from the samples' mean, times √(m / (n - m)), a third at 10 %, around the
value itself. Taking them from the mean leaves out that r² of few rows is too high. Pairs count as independent, although
many share a sequence: intervals of pair subsets are somewhat too narrow.
"""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from proformer.errors import InputError
from proformer.evaluation.dream import SCORES, WEIGHTS, Benchmark, rows_needed
from proformer.evaluation.dream_files import ALL, SINGLES
from proformer.evaluation.metrics import METRICS

SAMPLES, FRACTION, LEVEL = 10_000, 0.1, 0.95
FEWEST = 3  # rows of a stratum in a sample
BLOCK = 50  # samples of one random stream: results do not depend on the number of threads
ELEMENTS = 1 << 17  # of one array at work: it stays in the cache
STATISTICS = ("pearson", "spearman")


@dataclass(frozen=True)
class Resampled:
    """Correlations in every sample: `found` float64 [samples, subsets, 2 (r, ρ), models], NaN where undefined."""

    benchmark: Benchmark
    models: tuple[str, ...]
    fraction: float
    found: np.ndarray

    @cached_property
    def scores(self) -> np.ndarray:
        """Pearson and Spearman Score in every sample: float64 [samples, 2, models]."""
        weights = np.array([WEIGHTS[name] for name in self.benchmark.subsets])
        parts = np.stack([self.found[:, :, 0] ** 2, self.found[:, :, 1]], axis=2)
        return np.einsum("s,bskm->bkm", weights / weights.sum(), parts)

    def draws(self, subset: str, measure: str) -> np.ndarray:
        """One measure of one subset (or a weighted score) in every sample: float64 [samples, models]."""
        if measure in SCORES:
            return self.scores[:, [*SCORES].index(measure)]
        place = list(self.benchmark.subsets).index(subset)
        return self.found[:, place, 0] ** 2 if measure == "r2" else self.found[:, place, STATISTICS.index(measure)]

    def taken(self, subset: str) -> float:
        """The share of a subset's rows or pairs in a sample; of a weighted score, the share that was asked for."""
        rows = self.benchmark.subsets.get(subset)
        return self.fraction if rows is None or subset == ALL else _taken(len(rows), self.fraction) / len(rows)


def resample(
    benchmark: Benchmark,
    predictions: Mapping[str, np.ndarray],
    samples: int = SAMPLES,
    fraction: float = FRACTION,
    seed: int = 1,
    threads: int | None = None,
) -> Resampled:
    """Correlate every model with the truth in `samples` samples of a `fraction` of the test data.

    `predictions`: by name float64 [N]. Threads change the time alone, never a digit.
    """
    if samples < 1 or not 0 < fraction < 1 or seed < 0:
        given = f"{samples} samples of {fraction}, seed {seed}"
        raise InputError(
            f"bootstrap: found {given}, expected samples from 1, a fraction between 0 and 1, a seed from 0"
        )
    size = len(benchmark.truth)
    stack = np.stack([benchmark.truth, *(values[:size] for values in predictions.values())])
    groups = list(_groups(benchmark, stack, fraction))
    found = np.empty((samples, len(benchmark.subsets), len(STATISTICS), len(predictions)))

    def work(first: int) -> None:
        for i, group in enumerate(groups):
            group.fill(np.random.default_rng([seed, i, first // BLOCK]), found[first : first + BLOCK])

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        list(pool.map(work, range(0, samples, BLOCK)))
    return Resampled(benchmark, tuple(predictions), fraction, found)


def with_intervals(table: pd.DataFrame, resampled: Resampled) -> pd.DataFrame:
    """Add to a `score_table` the columns low, high (for the whole set), sample_low, sample_high, undefined.

    The ends hold 95 %. `undefined` counts the samples without a value; the ends leave them out.
    """
    ends = []
    for model, subset, measure, value in table[["model", "subset", "measure", "value"]].itertuples(index=False):
        if np.isnan(value) or subset in resampled.benchmark.approximate:
            ends.append((np.nan,) * 5)
            continue
        draws = resampled.draws(subset, measure)[:, resampled.models.index(model)]
        ends.append((*_interval(draws, value, resampled.taken(subset)), int(np.isnan(draws).sum())))
    columns = ["low", "high", "sample_low", "sample_high", "undefined"]
    added = pd.DataFrame(ends, columns=columns, index=table.index).astype({"undefined": "Int64"})
    return table.join(added)


def rank_table(resampled: Resampled) -> pd.DataFrame:
    """Rank the models in every sample by both scores; 1 is best, ties share a rank, an undefined score comes last.

    Columns: place, model, rank (the mean of the two that follow), rank_pearson, rank_spearman (means over samples),
    first_pearson, first_spearman (share of samples in which the model is best).
    """
    scores = np.nan_to_num(resampled.scores, nan=-np.inf)
    ranks = rankdata(-scores, axis=2)
    mean, first = ranks.mean(axis=0), (scores == scores.max(axis=2, keepdims=True)).mean(axis=0)
    table = pd.DataFrame({"model": resampled.models, "rank": mean.mean(axis=0)})
    for i, statistic in enumerate(STATISTICS):
        table[f"rank_{statistic}"], table[f"first_{statistic}"] = mean[i], first[i]
    table.insert(0, "place", table["rank"].rank(method="min").astype(int))
    return table.sort_values(["rank", "model"], ignore_index=True)


def difference_table(table: pd.DataFrame, resampled: Resampled) -> pd.DataFrame:
    """Compare all pairs of models on the same samples: both weighted scores, and r, r² and ρ of all rows.

    Columns: model_a, model_b, subset, measure, difference (a - b), low, high (95 %, for the whole set), a_better and
    b_better (share of samples; an undefined value is worse than any). The interval speaks of other test sequences, not
    of another training run.
    """
    benchmark, rows = resampled.benchmark, []
    measures = [(benchmark.title, name) for name in SCORES]
    measures += [(ALL, name) for name in ("pearson", "r2", "spearman")] if ALL in benchmark.subsets else []
    values = table.set_index(["subset", "measure", "model"])["value"]
    for subset, measure in measures:
        draws = resampled.draws(subset, measure)
        for i, j in combinations(range(len(resampled.models)), 2):
            a, b = resampled.models[i], resampled.models[j]
            difference = values[subset, measure, a] - values[subset, measure, b]
            gaps = draws[:, i] - draws[:, j]
            ends = _interval(gaps, difference, resampled.taken(subset))[:2]
            x, y = np.nan_to_num(draws[:, [i, j]].T, nan=-np.inf)
            rows.append((a, b, subset, measure, difference, *ends, float((x > y).mean()), float((x < y).mean())))
    columns = ["model_a", "model_b", "subset", "measure", "difference", "low", "high", "a_better", "b_better"]
    return pd.DataFrame(rows, columns=columns)


def _interval(draws: np.ndarray, value: float, fraction: float) -> tuple[float, float, float, float]:
    """Return the ends for the whole set, then those of the samples."""
    draws = draws[~np.isnan(draws)]
    if not len(draws) or np.isnan(value):
        return (np.nan,) * 4
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    shrink = np.sqrt(fraction / (1 - fraction)) if fraction < 1 else np.nan  # three rows say nothing of others
    return value + shrink * (low - draws.mean()), value + shrink * (high - draws.mean()), low, high


@dataclass(frozen=True)
class _Group:
    """Units that are drawn together: rows, in strata, or the pairs of one subset.

    `values` float64 [1 + models, units], the truth first; `strata`: units of each and how many of them a sample takes;
    `subsets`: place in the benchmark and columns of the sample.
    """

    values: np.ndarray
    strata: list[tuple[np.ndarray, int]]
    subsets: list[tuple[int, np.ndarray]]

    def fill(self, rng: np.random.Generator, block: np.ndarray) -> None:
        """Draw a sample for each row of `block` [samples, subsets, 2, models] and write its correlations."""
        drawn = np.empty((len(block), sum(size for _, size in self.strata)), dtype=np.intp)
        for sample in drawn:
            parts = [units[rng.choice(len(units), size, replace=False, shuffle=False)] for units, size in self.strata]
            sample[:] = np.concatenate(parts)
        for place, columns in self.subsets:
            step = max(1, ELEMENTS // (len(self.values) * max(len(columns), 1)))
            for start in range(0, len(block), step):
                x = self.values[:, drawn[start : start + step][:, columns]]
                for statistic, values in enumerate((x, rankdata(x, axis=2))):
                    block[start : start + step, place, statistic] = METRICS["pearson"].rows(values[1:], values[0]).T


def _groups(benchmark: Benchmark, stack: np.ndarray, fraction: float) -> Iterator[_Group]:
    """Make the group of rows and one group per subset of pairs; `stack` float64 [1 + models, N]."""
    names = list(benchmark.subsets)
    singles = [name for name in names if name in SINGLES]
    rows = rows_needed(benchmark, [name for name in names if benchmark.subsets[name].ndim == 1] or None)
    if singles or ALL in names:
        member = np.zeros(len(rows), dtype=np.int64)
        for bit, name in enumerate(singles):
            member |= np.isin(rows, benchmark.subsets[name]).astype(np.int64) << bit
        classes = np.unique(member)
        strata = [_stratum(np.flatnonzero(member == kind), fraction) for kind in classes]
        owner = np.repeat(classes, [size for _, size in strata])
        subsets = [(names.index(name), np.flatnonzero(owner >> bit & 1)) for bit, name in enumerate(singles)]
        subsets += [(names.index(ALL), np.arange(len(owner)))] if ALL in names else []
        yield _Group(stack[:, rows], strata, subsets)
    for name in names:
        if benchmark.subsets[name].ndim == 2:
            values = benchmark.values(name, stack)
            strata = [_stratum(np.arange(values.shape[1]), fraction)]
            yield _Group(values, strata, [(names.index(name), np.arange(strata[0][1]))])


def _stratum(units: np.ndarray, fraction: float) -> tuple[np.ndarray, int]:
    return units, _taken(len(units), fraction)


def _taken(n: int, fraction: float) -> int:
    return min(n, max(FEWEST, round(fraction * n)))

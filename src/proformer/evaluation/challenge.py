"""What the DREAM papers compute over all entries (Rafi et al. 2024, and its preprint), from the same benchmark.

Figures are those of the final paper: ranks in bootstrap samples (1B-C), how far the worst model is from the best one
(1F-G), ensembles and correlations of models (preprint 4), changes of expression by subset of pairs (S3).
"""

from collections.abc import Mapping
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from proformer.errors import InputError
from proformer.evaluation import PUBLISHED
from proformer.evaluation.bootstrap import Resampled
from proformer.evaluation.dream import SCORES, WEIGHTS, Benchmark, rows_needed, score_table
from proformer.evaluation.metrics import METRICS
from proformer.files import read_table

MEASURED = "measured"  # the truth, among models
QUANTILES = {"low": 0.025, "q1": 0.25, "median": 0.5, "q3": 0.75, "high": 0.975}


def published_challenge() -> pd.DataFrame:
    """The private scores of six entries as printed, a table as of `score_table`; see `published/README.md`."""
    return read_table(PUBLISHED / "challenge.tsv", keep_default_na=False)


def rank_shares(resampled: Resampled) -> pd.DataFrame:
    """How often each model has each rank, by each weighted score; 1 is best, ties share their mean rank.

    Columns: model, score, rank, share (of the samples).
    """
    ranks = rankdata(-np.nan_to_num(resampled.scores, nan=-np.inf), axis=2)
    tables = []
    for place, score in enumerate(SCORES):
        for column, model in enumerate(resampled.models):
            rank, count = np.unique(ranks[:, place, column], return_counts=True)
            share = count / len(ranks)
            tables.append(pd.DataFrame({"model": model, "score": score, "rank": rank, "share": share}))
    return pd.concat(tables, ignore_index=True)


def disparity(scores: pd.DataFrame) -> pd.DataFrame:
    """(best - worst) / best over the models of a `score_table`, by subset, of r² and ρ; undefined values do not count.

    Columns: subset, measure, best, best_model, worst, worst_model, disparity.
    """
    table = scores[scores["subset"].isin(WEIGHTS) & scores["measure"].isin(SCORES.values())].dropna(subset="value")
    groups = table.groupby(["subset", "measure"], sort=False)["value"]
    found = {}
    for end, places in (("best", groups.idxmax()), ("worst", groups.idxmin())):
        found[end], found[f"{end}_model"] = (table.loc[places, name].to_numpy() for name in ("value", "model"))
    ends = pd.DataFrame(found, index=groups.size().index).reset_index()
    return ends.assign(disparity=(ends["best"] - ends["worst"]) / ends["best"])


def correlations(benchmark: Benchmark, predictions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Pearson r of every two models, and of each with the truth, in every subset.

    Columns: subset, a, b, pearson; each pair once, NaN where undefined.
    """
    everything = {MEASURED: benchmark.truth, **predictions}
    rows = []
    for subset in benchmark.shown:
        values = {name: benchmark.values(subset, row) for name, row in everything.items()}
        for a, b in combinations_with_replacement(values, 2):
            rows.append((subset, a, b, float(METRICS["pearson"].rows(values[a], values[b]))))
    return pd.DataFrame(rows, columns=["subset", "a", "b", "pearson"])


def ensembles(benchmark: Benchmark, predictions: Mapping[str, np.ndarray], rows: np.ndarray) -> pd.DataFrame:
    """Score the linear regression of the truth on the best 1, 2, … models, fitted to `rows` of the test set alone.

    The papers state neither members nor rows. Here models with a defined r on these rows join in its order, as long as
    there are rows for them. Returns a `score_table` of models called "best 1", …, empty for fewer than three rows, with
    the columns members, their number; added, the last of them; and trained_on, the number of rows. Raises InputError
    for rows that are scored.
    """
    if len(both := np.intersect1d(rows, rows_needed(benchmark))):
        raise InputError(f"ensembles: found row {both[0]} among those that train and those that are scored")
    truth = benchmark.truth
    r = {name: float(METRICS["pearson"].rows(values[rows], truth[rows])) for name, values in predictions.items()}
    order = sorted((name for name in r if not np.isnan(r[name])), key=lambda name: -r[name])[: max(0, len(rows) - 2)]
    tables = [score_table(benchmark, {}).assign(members=[], added=[], trained_on=[])]
    for number, added in enumerate(order, 1):
        columns = np.column_stack([np.ones(len(truth)), *(predictions[name][: len(truth)] for name in order[:number])])
        weights = np.linalg.lstsq(columns[rows], truth[rows], rcond=None)[0]
        table = score_table(benchmark, {f"best {number}": columns @ weights})
        tables.append(table.assign(members=number, added=added, trained_on=len(rows)))
    return pd.concat(tables, ignore_index=True)


def rows_to_train_on(benchmark: Benchmark, predictions: Mapping[str, np.ndarray]) -> np.ndarray:
    """The public rows of which no subset needs any, and which every model predicts: int64 [n]."""
    rows = np.setdiff1d(benchmark.public, rows_needed(benchmark))
    return rows[np.isfinite([values[rows] for values in predictions.values()]).all(axis=0)]


def changes(benchmark: Benchmark) -> pd.DataFrame:
    """Measured changes of expression, |alternative - reference|, in each subset of pairs: quantiles and their mean.

    Columns: subset, n, mean, and those of QUANTILES.
    """
    rows = []
    for subset, pairs in benchmark.shown.items():
        if pairs.ndim == 2:
            size = np.abs(benchmark.values(subset, benchmark.truth))
            quantiles = dict(zip(QUANTILES, np.quantile(size, [*QUANTILES.values()]), strict=True))
            rows.append({"subset": subset, "n": len(size), "mean": size.mean()} | quantiles)
    return pd.DataFrame(rows, columns=["subset", "n", "mean", *QUANTILES])

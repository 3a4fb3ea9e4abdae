"""Cross-validated models (Rafi et al. 2024, Fig. 3): averaged within a test fold, one value a fold, and paired tests.

All models that were trained without a test fold, each with another validation fold, predict it; the mean of their
predictions is scored. Each model is then compared with a standard by a paired two-sided t test over the folds.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.datasets.store import Store, open_store
from proformer.errors import InputError
from proformer.evaluation import PUBLISHED
from proformer.evaluation.collect import point_of
from proformer.evaluation.metrics import METRICS
from proformer.evaluation.statistics import holm
from proformer.files import read_table
from proformer.models.folder import read_description

RUN = "run"  # the source of this run's values
FOLDS = ["dataset", "model", "task", "metric", "fold", "value", "n", "averaged", "parameters", "source"]
TESTS = [
    "dataset",
    "task",
    "metric",
    "model",
    "standard",
    "folds",
    "mean",
    "mean_standard",
    "difference",
    "t",
    "p",
    "p_holm",
]
COUNTS, PROFILE = "counts_pearson", "jensen_shannon_median"
UNIFORM = "uniform"  # the column of what a profile reaches that is everywhere alike
PEAKS = 0  # region_set of the peaks, in stores of windows around given regions


def score_folds(
    results: Path, datasets: Collection[str], runs: Collection[str], folds: Collection[str]
) -> pd.DataFrame:
    """Score the models of these runs on the test folds of data sets: a table with the columns `FOLDS`.

    Numbers: Pearson and Spearman, task by task. Counts and profile: r of log(1 + counts), and the median of the
    Jensen-Shannon distances, beside that of a uniform profile (`UNIFORM`, a column of its own); on peaks alone, where
    windows are of peaks and others. Published numbers of the same data sets stand below, with their source.
    Raises InputError when nothing is there to score.
    """
    rows: list[dict[str, Any]] = []
    for dataset in datasets:
        for (model, fold), members in _members(results, dataset, runs, folds).items():
            truth = open_store(results / f"data/{dataset}/fold~{members[0][1]}/test.safetensors")
            predicted = _mean(results, [path for path, _, _ in members], truth)
            key = {"dataset": dataset, "model": model, "fold": fold, "averaged": len(members), "source": RUN}
            key["parameters"] = members[0][2]
            rows += [key | found for found in _values(truth, predicted)]
    if not rows:
        raise InputError(f"{results}: found no models of {', '.join(runs)} on folds of {', '.join(datasets)}")
    published = read_table(PUBLISHED / "benchmarks.tsv", keep_default_na=False)
    table = pd.concat([pd.DataFrame(rows), published[published["dataset"].isin(datasets)]], ignore_index=True)
    return table[[*FOLDS, *[UNIFORM] * (UNIFORM in table)]]


def _members(
    results: Path, dataset: str, runs: Collection[str], folds: Collection[str]
) -> dict[tuple[str, str], list[tuple[str, str, int]]]:
    """The models that are averaged, by name and test fold: path below `models`, draw, and parameters."""
    found: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    root = results / "models"
    for file in sorted((root / f"dataset~{dataset}").glob("*/model.json")):
        path = str(file.parent.relative_to(root))
        made = read_description(file.parent)
        point = point_of(made, path)
        fold = point["axes"].get("fold", "")
        if point["run"] in runs and fold in folds:
            axes = [str(level) for axis, level in point["axes"].items() if axis != "fold"]
            name = " ".join([point["run"], *axes])
            found.setdefault((name, fold.rpartition("-")[0]), []).append((path, fold, made["parameters"]))
    return found


def _mean(results: Path, paths: list[str], truth: Store) -> np.ndarray:
    """The mean of what models predict of a test fold: float64 [N, T, P]."""
    total = np.zeros(truth.target.shape)
    for path in paths:
        file = results / "predictions" / path / "test.safetensors"
        values = open_store(file).target
        if values.shape != truth.target.shape:
            raise InputError(f"{file}: found predictions of {list(values.shape)}, expected {list(truth.target.shape)}")
        total += values
    return total / len(paths)


def _values(truth: Store, predicted: np.ndarray) -> Iterator[dict[str, Any]]:
    """Metrics of the predictions of a test fold, task by task."""
    task, chosen = truth.task, slice(None)
    if "region_set" in truth.columns:
        chosen = np.flatnonzero(np.asarray(truth.columns["region_set"]) == PEAKS)  # type: ignore[assignment]
    measured = np.asarray(truth.target[chosen], dtype=np.float64)
    predicted = predicted[chosen]
    for number, name in enumerate(task.names):
        more: dict[str, dict[str, float]] = {}
        x, y = predicted[:, number], measured[:, number]
        if task.kind == "counts and profile":
            log_counts = (np.log1p(values.sum(axis=1)) for values in (x, y))
            distances, flat = (METRICS["jensen_shannon"].rows(each, y) for each in (x, np.ones_like(y)))
            values = {COUNTS: METRICS["pearson"].rows(*log_counts), PROFILE: np.nanmedian(distances)}
            more = {PROFILE: {UNIFORM: float(np.nanmedian(flat))}}
        else:
            values = {metric: METRICS[metric].rows(x.ravel(), y.ravel()) for metric in ("pearson", "spearman")}
        for metric, value in values.items():
            yield {"task": name, "metric": metric, "value": float(value), "n": len(x)} | more.get(metric, {})


def with_ceilings(folds: pd.DataFrame, ceilings: pd.DataFrame, files: Mapping[str, str]) -> pd.DataFrame:
    """Add what a perfect model reaches: the column ceiling, of the data sets whose simulated file is named."""
    known = ceilings.set_index(["file", "task", "metric"])["value"].to_dict()
    keys = zip(folds["dataset"].map(files), folds["task"], folds["metric"], strict=True)
    return folds.assign(ceiling=[known.get(key, np.nan) for key in keys])


def paired_tests(folds: pd.DataFrame, standard: str) -> pd.DataFrame:
    """Each model against the standard over the test folds: a table with the columns `TESTS`.

    p is that of a paired two-sided t test, undefined for fewer than two folds; p_holm after Holm over the models and
    tasks of a data set and metric.
    """
    from scipy import stats

    rows = []
    for (dataset, task, metric), group in folds[folds["source"] == RUN].groupby(
        ["dataset", "task", "metric"], sort=False
    ):
        wide = group.pivot(index="fold", columns="model", values="value")
        for model in [name for name in dict.fromkeys(group["model"]) if name != standard and standard in wide]:
            both = wide[[model, standard]].dropna()
            differ = len(both) > 1 and (both[model] - both[standard]).std() > 0
            test = stats.ttest_rel(both[model], both[standard]) if differ else None
            means = both.mean()
            key = (dataset, task, metric, model, standard, len(both), means[model], means[standard])
            found = (float(test.statistic), float(test.pvalue)) if test else (np.nan, np.nan)
            rows.append((*key, means[model] - means[standard], *found))
    table = pd.DataFrame(rows, columns=TESTS[:-1])
    families = table.groupby(["dataset", "metric"], sort=False)["p"]
    return table.assign(p_holm=families.transform(lambda p: holm(p)) if len(table) else table["p"])

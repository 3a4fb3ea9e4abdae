"""Models of coverage on the test part of a data set, by metrics that are fair to all of them (Toneyan et al. 2022).

Quantitative models of any resolution and models of labels are scored on the same windows: by Pearson r and squared
error of coverage at their own bins, at coarser ones and after smoothing; by how well their coverage tells windows with
peaks from others; and by how much their predictions vary when the window is shifted. Tracks, such as those of a second
replicate, are scored as if they were predictions: no model can be expected to be better.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.evaluation.collect import point_of
from proformer.evaluation.judgement import Judgement
from proformer.evaluation.metrics import METRICS
from proformer.evaluation.profile_shifts import robustness
from proformer.evaluation.profile_windows import (
    BINS,
    COLUMNS,
    OWN,
    PEAKS,
    SMOOTHED,
    WHOLE,
    WINDOWS,
    HeldOut,
    binned,
    predicted,
    smoothed,
)
from proformer.evaluation.streaming import PearsonAccumulator
from proformer.models.folder import TrainedModel

EPSILON = 1e-7  # as the Poisson loss has it
ABOUT = ["model", "kind", "run", "dataset"]  # then the axes, and these:
ABOUT += ["trained_on", "parameters", "best_epoch", "trained_shift", "trained_bp", "seed"]


class Sums:
    """Running sums over the sequences of a test set, per task, from which the metrics follow."""

    def __init__(self) -> None:
        self.whole: list[PearsonAccumulator] = []
        self.log: Any = 0.0  # [T]: truth · log(prediction)
        self.sequences: int = 0
        self.r: Any = 0.0
        self.defined: Any = 0.0  # sequences whose r is defined

    def update(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add predictions and truths of sequences, [B, T, P]."""
        if not len(x):
            return
        self.whole = self.whole or [PearsonAccumulator() for _ in range(x.shape[1])]
        for task, running in enumerate(self.whole):
            running.update(x[:, task], y[:, task])
        with np.errstate(invalid="ignore", divide="ignore"):
            self.log = self.log + (y * np.log(np.maximum(x, 0) + EPSILON)).sum(axis=(0, 2))
        self.sequences += len(x)
        if x.shape[2] > 1:
            r = METRICS["pearson"].rows(x, y)
            self.r = self.r + np.nansum(r, axis=0)
            self.defined = self.defined + np.isfinite(r).sum(axis=0)

    def scores(self) -> Iterator[tuple[str, str, np.ndarray, Any]]:
        """Over what, metric, its value of each task, and of how many sequences.

        scaled_…: of predictions times the ratio of all coverage to all predicted, per task (Methods, "Scaling").
        """
        if not self.sequences:
            return
        n, x, y, square_x, square_y, product = np.array([[*task.state().values()] for task in self.whole]).T
        log = self.log / n
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = y / x
            yield WHOLE, "pearson", np.array([task.value for task in self.whole]), self.sequences
            yield WHOLE, "mse", (square_x + square_y - 2 * product) / n + (x - y) ** 2, self.sequences
            yield WHOLE, "poisson_nll", x - log, self.sequences
            scaled = (factor * factor * square_x + square_y - 2 * factor * product) / n  # their means are the same
            yield WHOLE, "scaled_mse", scaled, self.sequences
            yield WHOLE, "scaled_poisson_nll", factor * x - log - y * np.log(factor), self.sequences
            if np.ndim(self.defined):
                yield "sequence", "pearson", self.r / self.defined, self.defined


Predict = Callable[[slice], np.ndarray]  # coverage [B, T, P] of rows of the test part, or logits [B, T, 1]


def score(test: HeldOut, predict: Predict, size: int | None, plan: Judgement) -> pd.DataFrame:
    """All scores of coverage that is predicted in bins of `size` bp, or of labels (None): `COLUMNS`."""
    greatest = np.concatenate([np.asarray(test.store.target[rows]).max(axis=(1, 2)) for rows in test.rows()])
    label, coverage = test.label, test.store.task.kind == "profile"
    subsets: dict[str, Any] = {WHOLE: np.ones(len(greatest), bool)} | (
        {PEAKS: label.any(axis=1)} if label is not None and coverage else {}
    )
    subsets |= {f"above {limit:g}": greatest > limit for limit in plan.thresholds}
    sums: dict[tuple[str, str, int], Sums] = {}
    means: list[tuple[np.ndarray, np.ndarray]] = []
    for rows in test.rows():
        x, y = predict(rows).astype(np.float64), test.truth(rows)
        means.append((x.mean(axis=2), y.mean(axis=2)))
        if size is None or not coverage:
            continue
        own = binned(y, size // test.step)
        for name, chosen in subsets.items():
            sums.setdefault((name, OWN, size), Sums()).update(x[chosen[rows]], own[chosen[rows]])
        for bp in plan.bins:
            if bp >= size and bp % size == 0 and test.length % bp == 0:
                pair = binned(x, bp // size), binned(own, bp // size)
                sums.setdefault((WHOLE, BINS, bp), Sums()).update(*pair)
                pair = smoothed(x, bp // size), smoothed(own, bp // size)
                sums.setdefault((WHOLE, SMOOTHED, bp), Sums()).update(*pair)
    found = [
        (subset, how, bp, over, name, metric, value, n)
        for (subset, how, bp), running in sums.items()
        for over, metric, values, numbers in running.scores()
        for name, value, n in zip(test.store.task.names, values, np.broadcast_to(numbers, values.shape), strict=True)
    ]
    x, y = (np.concatenate(side) for side in zip(*means, strict=True))
    for subset, chosen in subsets.items():
        if subset.startswith("above"):
            continue
        for task, name in enumerate(test.store.task.names):
            pairs: dict[Any, np.ndarray] = {"pearson": y} | (
                {"auroc": label, "aupr": label} if label is not None else {}
            )
            for metric, truth in pairs.items():
                pair = x[chosen, task], truth[chosen, task].astype(np.float64)
                known = np.isfinite(pair).all() and chosen.any()
                value = float(METRICS[metric].rows(*pair)) if known else np.nan
                found.append((subset, WINDOWS, test.length, WHOLE, name, metric, value, int(chosen.sum())))
    return pd.DataFrame(found, columns=COLUMNS)


def judge(model: TrainedModel, name: str, store: Store, plan: Judgement) -> pd.DataFrame:
    """All scores of one model, with what it is: run, axes, data set and seed.

    Raises InputError for a model of other tasks than the test part's, or that cannot read its windows.
    """
    if model.task.names != store.task.names:
        raise InputError(f"{name}: found the tasks {', '.join(model.task.names)}, expected those of {store.path}")
    test = HeldOut(store, model.description["layout"]["length"])
    size = model.task.bin if model.task.kind == "profile" else None
    if size and size % test.step:
        raise InputError(f"{name}: found bins of {size} bp, expected several of the test part's {test.step}")

    def predict(rows: slice) -> np.ndarray:
        return predicted(model, test.codes(rows))

    table = score(test, predict, size, plan)
    if size:
        table = pd.concat([table, robustness(test, model, size, plan)], ignore_index=True)
    return with_model(table, model, name)


def with_model(table: pd.DataFrame, model: TrainedModel, name: str) -> pd.DataFrame:
    """Scores with what their model is: run, axes, data set and seed; empty for weights that were imported."""
    point, made = point_of(model.description, Path(name).name), {"data": {}, "training": {}} | model.description
    axes = {axis: str(level) for axis, level in point["axes"].items()}
    label = " ".join([point["run"], *axes.values()])
    about = {"model": label, "kind": model.task.kind, "run": point["run"], "dataset": point["dataset"], **axes}
    windows, training = made["data"].get("windows", {}), made["training"]
    limit = windows.get("threshold")
    about["trained_on"] = "peaks" if windows.get("rows") == "peaks" else f"threshold {limit or 0:g}"
    about |= {"parameters": made["parameters"], "best_epoch": made.get("best_epoch", np.nan)}
    about["trained_shift"] = training.get("shift", 0) if training.get("place") != "middle" else 0
    about |= {"trained_bp": model.task.bin if model.task.kind == "profile" else np.nan}
    about["seed"] = training.get("seed", np.nan)
    return table.assign(**about)[[*about, *COLUMNS]].assign(folder=name)


def judge_all(models: Mapping[str, TrainedModel], store: Store, plan: Judgement) -> pd.DataFrame:
    """All scores of models, by their folders, and of the tracks that are compared: one long table.

    Raises InputError for models that read other lengths: they would see other parts of the windows.
    """
    lengths = {folder: model.description["layout"]["length"] for folder, model in models.items()}
    for folder, length in lengths.items():
        if length != (first := next(iter(lengths.values()))):
            raise InputError(f"{folder}: found a model that reads {length} bp, expected {first} as the others do")
    tables = [judge(model, folder, store, plan) for folder, model in models.items()]
    return joined([*tables, *_tracks(store, next(iter(lengths.values())), plan)])


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Scores in one table, whose axes stand before what they were trained on."""
    joined = pd.concat(tables, ignore_index=True)
    axes = [name for name in joined if name not in (*ABOUT, *COLUMNS, "folder")]
    return joined[[*ABOUT[:4], *axes, *ABOUT[4:], *COLUMNS, "folder"]]


def _tracks(store: Store, length: int, plan: Judgement) -> Iterator[pd.DataFrame]:
    """Scores of the tracks that stand in the store to be compared, in bins of the store's own."""
    test = HeldOut(store, length)
    for number, name in enumerate(store.meta.get("compared", [])):
        table = score(test, partial(test.truth, column=f"compared_{number}"), test.step, plan)
        yield table.assign(model=name, kind="tracks", trained_bp=test.step)

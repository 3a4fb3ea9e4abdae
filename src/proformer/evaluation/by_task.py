"""The table of metrics: each along the last axis of float64 arrays, for every task of a data set."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from proformer.evaluation.metrics import PearsonAccumulator, _checked, _flat, _ranks
from proformer.tasks import MetricName

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def _rank_rows(values: np.ndarray) -> np.ndarray:
    return np.apply_along_axis(_ranks, -1, values)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    n = x.shape[-1]
    mean_x, mean_y = x.mean(axis=-1), y.mean(axis=-1)
    x, y = x - mean_x[..., None], y - mean_y[..., None]
    xx, yy, xy = (x * x).sum(axis=-1), (y * y).sum(axis=-1), (x * y).sum(axis=-1)
    flat = _flat(xx, mean_x, n) | _flat(yy, mean_y, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flat, np.nan, np.clip(xy / np.sqrt(xx) / np.sqrt(yy), -1, 1))


def _poisson_nll(rate: np.ndarray, count: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (rate - count * np.log(rate + 1e-7)).mean(axis=-1)


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
        middle = (p + q) / 2
        nats = sum(np.where(a == 0, 0, a * np.log(a / middle)).sum(axis=-1) for a in (p, q))
    return np.sqrt(np.maximum(nats / 2, 0))


def _auroc(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The share of pairs of a positive and a negative in which the positive scores higher, ties counting half."""
    positive = (label > 0.5).sum(axis=-1)
    above = (_rank_rows(score) * (label > 0.5)).sum(axis=-1) - positive * (positive + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / (positive * (label.shape[-1] - positive))


def _aupr(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Area under precision over recall, by trapezoids between distinct scores (as GOPHER computes it)."""

    def of_row(both: np.ndarray) -> float:
        values, positive = np.split(both, 2)
        order = np.argsort(-values, kind="stable")
        last = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)  # of each distinct score
        hits = np.cumsum(positive[order] > 0.5)[last]
        if not hits[-1]:
            return math.nan
        precision = np.concatenate([[1.0], hits / (last + 1)])
        return float(np.trapezoid(precision, np.concatenate([[0.0], hits / hits[-1]])))

    return np.apply_along_axis(of_row, -1, np.concatenate([score, label], axis=-1))


@dataclass(frozen=True)
class Metric:
    """`rows(prediction, truth)`: float64 [..., n] to [...], NaN where undefined; `sign`: 1 if more is better, or -1."""

    rows: Callable[[np.ndarray, np.ndarray], np.ndarray]
    sign: int = 1


METRICS: dict[MetricName, Metric] = {
    "pearson": Metric(_pearson),
    "spearman": Metric(lambda x, y: _pearson(_rank_rows(x), _rank_rows(y))),
    "r2": Metric(lambda x, y: _pearson(x, y) ** 2),  # as in the paper's Fig. 4b
    "mse": Metric(lambda x, y: ((x - y) ** 2).mean(axis=-1), -1),
    "poisson_nll": Metric(_poisson_nll, -1),  # without the constant ln y!
    "jensen_shannon": Metric(_jensen_shannon, -1),  # the distance: square root of the divergence in nats
    "auroc": Metric(_auroc),
    "aupr": Metric(_aupr),
}


def measure(
    name: MetricName, prediction: ArrayLike, truth: ArrayLike, over: Literal["all", "sequence"] = "all"
) -> np.ndarray:
    """One metric of predictions [N, T, P], per task: float64 [T].

    over: "all" sequences and positions at once; or within each "sequence", over its positions, and then the mean of
    the sequences for which it is defined. Raises as `pearson`.
    """
    n, tasks, positions = np.shape(prediction)
    x, y = (values.reshape(n, tasks, positions) for values in _checked(prediction, truth))
    if over == "all":
        return METRICS[name].rows(*(values.transpose(1, 0, 2).reshape(tasks, -1) for values in (x, y)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        return np.nanmean(METRICS[name].rows(x, y), axis=0)


class Streamed:
    """Metrics of batches [B, T, P] that come one after another and are not kept: float64 [T] each.

    Pearson, r², MSE and Poisson NLL are over all sequences and positions; the others, for which sums do not suffice,
    are means over sequences. NaN in a batch makes Pearson NaN, as in `PearsonAccumulator`.
    """

    def __init__(self, names: Sequence[MetricName]) -> None:
        self.names = tuple(names)
        self.correlations: list[PearsonAccumulator] = []
        self.sums: dict[MetricName, np.ndarray] = {}
        self.counts: dict[MetricName, np.ndarray] = {}

    def update(self, prediction: ArrayLike, truth: ArrayLike) -> None:
        """Add a batch."""
        x, y = (np.asarray(values, dtype=np.float64) for values in (prediction, truth))
        self.correlations = self.correlations or [PearsonAccumulator() for _ in range(x.shape[1])]
        for name in self.names:
            if name not in ("pearson", "r2"):
                values = METRICS[name].rows(x, y)
                self.sums[name] = self.sums.get(name, 0) + np.nansum(values, axis=0)
                self.counts[name] = self.counts.get(name, 0) + (~np.isnan(values)).sum(axis=0)
        if {"pearson", "r2"} & set(self.names):
            for task, correlation in enumerate(self.correlations):
                correlation.update(x[:, task], y[:, task])

    def values(self) -> dict[MetricName, np.ndarray]:
        """Each metric so far."""
        r = np.array([correlation.value for correlation in self.correlations])
        found: dict[MetricName, np.ndarray] = {"pearson": r, "r2": r * r}
        with np.errstate(invalid="ignore", divide="ignore"):
            return {n: found[n] if n in found else self.sums[n] / self.counts[n] for n in self.names}

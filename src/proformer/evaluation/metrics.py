"""The table of metrics, each along the last axis of arrays: over all values, or within each sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from proformer.errors import InputError
from proformer.tasks import MetricName

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

EPSILON = 2.0**-52


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis from 1, ties at their average; of `codes` in less time than of the values themselves.

    scipy's `rankdata` would take half a second of each training to import.
    """
    coded = values if values.dtype.kind == "u" else codes(values)
    flat = coded.reshape(math.prod(values.shape[:-1]), values.shape[-1]).astype(np.intp)
    size = int(flat.max(initial=0)) + 1
    keys = flat + size * np.arange(len(flat))[:, None]
    count = np.bincount(keys.ravel(), minlength=size * len(flat)).reshape(len(flat), size)
    middle = np.cumsum(count, axis=1) - (count - 1) / 2
    return np.take_along_axis(middle, flat, axis=1).reshape(values.shape)


def codes(values: np.ndarray) -> np.ndarray:
    """Values along the last axis as whole numbers from 0 in the same order, equal ones equal: uint32."""
    if values.ndim > 1:
        return np.apply_along_axis(codes, -1, values)
    return np.unique(values, return_inverse=True)[1].astype(np.uint32)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if (n := x.shape[-1]) < 2:
        return np.full(x.shape[:-1], np.nan)
    mean_x, mean_y = x.mean(axis=-1), y.mean(axis=-1)
    x, y = x - mean_x[..., None], y - mean_y[..., None]
    xx, yy, xy = (x * x).sum(axis=-1), (y * y).sum(axis=-1), (x * y).sum(axis=-1)
    constant = flat(xx, mean_x, n) | flat(yy, mean_y, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(constant, np.nan, np.clip(xy / np.sqrt(xx) / np.sqrt(yy), -1, 1))


def _mse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x - y) ** 2).mean(axis=-1) if x.shape[-1] else np.full(x.shape[:-1], np.nan)


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
    above = (ranks(score) * (label > 0.5)).sum(axis=-1) - positive * (positive + 1) / 2
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

    both = np.concatenate(np.broadcast_arrays(score.astype(np.float64), label), axis=-1)
    return np.apply_along_axis(of_row, -1, both)


@dataclass(frozen=True)
class Metric:
    """`rows(prediction, truth)`: float64 [..., n] to [...], NaN where undefined; `sign`: 1 if more is better, or -1.

    ordinal: of how many of prediction and truth only the order matters, so that `codes` can replace them.
    """

    rows: Callable[[np.ndarray, np.ndarray], np.ndarray]
    sign: int = 1
    ordinal: int = 0


METRICS: dict[MetricName, Metric] = {
    "pearson": Metric(_pearson),
    "spearman": Metric(lambda x, y: _pearson(ranks(x), ranks(y)), ordinal=2),
    "r2": Metric(lambda x, y: _pearson(x, y) ** 2),  # as in the paper's Fig. 4b
    "mse": Metric(_mse, -1),
    "poisson_nll": Metric(_poisson_nll, -1),  # without the constant ln y!
    "jensen_shannon": Metric(_jensen_shannon, -1),  # the distance: square root of the divergence in nats
    "auroc": Metric(_auroc, ordinal=1),
    "aupr": Metric(_aupr, ordinal=1),
}
NUMBERS: tuple[MetricName, ...] = ("pearson", "spearman", "r2", "mse")  # of one number per sequence


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson r of two arrays of one shape, computed in float64; NaN when either is constant.

    Raises InputError for different shapes and for NaN or infinite values.
    """
    return score(x, y, ["pearson"])["pearson"]


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman ρ: Pearson r of the ranks, ties at their average rank. Raises as `pearson`."""
    return score(x, y, ["spearman"])["spearman"]


def score(prediction: ArrayLike, truth: ArrayLike, names: Sequence[MetricName] = NUMBERS) -> dict[str, float]:
    """Return n and metrics of all values together: pearson, spearman, r2 (= pearson²) and mse. Raises as `pearson`."""
    x, y = (values.reshape(-1) for values in checked(prediction, truth))
    return {"n": len(x)} | {name: float(METRICS[name].rows(x, y)) for name in names}


def measure(name: MetricName, prediction: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """One metric of predictions [N, T, P], per task, over all sequences and positions: float64 [T].

    Raises as `pearson`.
    """
    by_task = (values.transpose(1, 0, 2).reshape(values.shape[1], -1) for values in checked(prediction, truth))
    return METRICS[name].rows(*by_task)


def checked(prediction: ArrayLike, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64; raises InputError for different shapes and for NaN or infinite values."""
    x, y = (np.asarray(values, dtype=np.float64) for values in (prediction, truth))
    for name, values in (("first", x), ("second", y)):
        if bad := int((~np.isfinite(values)).sum()):
            raise InputError(f"correlation, {name} array: found {bad} NaN or infinite values, expected none")
    check_shapes(x, y)
    return x, y


def flat(square: Any, mean: Any, n: float) -> Any:
    """Say whether a centred sum of squares is no more than the rounding error of its mean."""
    return square <= n * (16 * EPSILON * mean) ** 2


def check_shapes(x: Any, y: Any) -> None:
    """Raise InputError for different shapes."""
    if x.shape != y.shape:
        raise InputError(f"correlation: found shapes {tuple(x.shape)} and {tuple(y.shape)}, expected equal shapes")

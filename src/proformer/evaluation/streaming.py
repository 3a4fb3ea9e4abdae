"""Metrics of batches that come one after another and are not kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from proformer.evaluation.metrics import METRICS, check_shapes, flat
from proformer.tasks import MetricName

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass
class PearsonAccumulator:
    """Pearson r over batches that come one after another.

    Keeps the count, both means and the centred sums of squares and products in float64, and merges batches by the
    pairwise update of Chan, Golub and LeVeque (1983), which loses no digits however far the means are from zero.
    With torch tensors the sums stay on their device: `update` does not wait for it, `value` and `state` do.
    `PearsonAccumulator(**state)` goes on from what `state` returned.

    A NaN in any batch makes the value NaN: a diverged model has no r, and that is no error here.
    """

    n: float = 0  # a whole number
    mean_x: Any = 0.0  # or a 0-d tensor, as what follows
    mean_y: Any = 0.0
    square_x: Any = 0.0
    square_y: Any = 0.0
    product: Any = 0.0

    def update(self, x: Any, y: Any) -> PearsonAccumulator:
        """Add a batch: two numpy arrays (or sequences), or two torch tensors, of one shape; returns itself."""
        x, y = _double(x), _double(y)
        check_shapes(x, y)
        x, y = x.reshape(-1), y.reshape(-1)
        if not (n := x.shape[0]):
            return self
        mean_x, mean_y = x.mean(), y.mean()
        dx, dy = x - mean_x, y - mean_y
        shift_x, shift_y = mean_x - self.mean_x, mean_y - self.mean_y
        weight = self.n * n / (self.n + n)
        self.square_x = self.square_x + (dx * dx).sum() + shift_x * shift_x * weight
        self.square_y = self.square_y + (dy * dy).sum() + shift_y * shift_y * weight
        self.product = self.product + (dx * dy).sum() + shift_x * shift_y * weight
        self.n += n
        self.mean_x = self.mean_x + shift_x * (n / self.n)
        self.mean_y = self.mean_y + shift_y * (n / self.n)
        return self

    @property
    def value(self) -> float:
        """Pearson r so far; NaN for fewer than two pairs or when either side is constant up to rounding."""
        n, mean_x, mean_y, square_x, square_y, product = self.state().values()
        if n < 2 or flat(square_x, mean_x, n) or flat(square_y, mean_y, n):
            return math.nan
        r = product / math.sqrt(square_x) / math.sqrt(square_y)
        return r if math.isnan(r) else max(-1.0, min(1.0, r))

    def state(self) -> dict[str, float]:
        """Return the sums as plain numbers, for a checkpoint."""
        return {name: number if name == "n" else float(number) for name, number in vars(self).items()}


def _double(values: Any) -> Any:
    """Return float64 values: a torch tensor on its own device (Apple's has no float64: on the CPU), else numpy."""
    if hasattr(values, "detach"):
        values = values.detach()
        return (values.cpu() if values.device.type == "mps" else values).double()
    return np.asarray(values, dtype=np.float64)


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

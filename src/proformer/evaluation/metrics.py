"""Pearson and Spearman correlation: of whole arrays, or streamed over batches on any device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from proformer.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

EPSILON = 2.0**-52
STATE = ("n", "mean_x", "mean_y", "square_x", "square_y", "product")


class PearsonAccumulator:
    """Pearson r over batches that come one after another.

    Keeps the count, both means and the centred sums of squares and products in float64, and merges batches by the
    pairwise update of Chan, Golub and LeVeque (1983), which loses no digits however far the means are from zero.
    With torch tensors the sums stay on their device: `update` does not wait for it, `value` and `state` do.

    A NaN in any batch makes the value NaN: a diverged model has no r, and that is no error here.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean_x = self.mean_y = self.square_x = self.square_y = self.product = 0.0  # or 0-d tensors

    def update(self, x: Any, y: Any) -> PearsonAccumulator:
        """Add a batch: two numpy arrays (or sequences), or two torch tensors, of one shape; returns itself."""
        x, y = _double(x), _double(y)
        if x.shape != y.shape:
            raise InputError(f"correlation: found shapes {tuple(x.shape)} and {tuple(y.shape)}, expected equal shapes")
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
        if n < 2 or _flat(square_x, mean_x, n) or _flat(square_y, mean_y, n):
            return math.nan
        r = product / math.sqrt(square_x) / math.sqrt(square_y)
        return r if math.isnan(r) else max(-1.0, min(1.0, r))

    def state(self) -> dict[str, float]:
        """Return the sums as plain numbers, for a checkpoint."""
        return {"n": self.n} | {name: float(getattr(self, name)) for name in STATE[1:]}

    @classmethod
    def from_state(cls, state: dict[str, float]) -> PearsonAccumulator:
        """Go on from what `state` returned."""
        accumulator = cls()
        for name in STATE:
            setattr(accumulator, name, int(state[name]) if name == "n" else float(state[name]))
        return accumulator


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson r of two arrays of one shape, computed in float64; NaN when either is constant.

    Raises InputError for different shapes and for NaN or infinite values.
    """
    return PearsonAccumulator().update(*_checked(x, y)).value


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman ρ: Pearson r of the ranks, ties at their average rank. Raises as `pearson`."""
    x, y = _checked(x, y)
    return PearsonAccumulator().update(_ranks(x), _ranks(y)).value


def _ranks(values: Any) -> Any:
    """Ranks from 1, ties at their average; scipy's `rankdata` without the import, half a second of each training."""
    import numpy as np

    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def score(prediction: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """Return n, pearson, spearman, r2 (= pearson², as in the paper's Fig. 4b) and mse. Raises as `pearson`."""
    prediction, truth = _checked(prediction, truth)
    r = PearsonAccumulator().update(prediction, truth).value
    difference = prediction - truth
    mse = float((difference * difference).mean()) if len(truth) else math.nan
    return {"n": len(truth), "pearson": r, "spearman": spearman(prediction, truth), "r2": r * r, "mse": mse}


def _double(values: Any) -> Any:
    """Return float64 values: a torch tensor on its own device (Apple's has no float64: on the CPU), else numpy."""
    if hasattr(values, "detach"):
        values = values.detach()
        return (values.cpu() if values.device.type == "mps" else values).double()
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _flat(square: float, mean: float, n: float) -> bool:
    """Say whether a centred sum of squares is no more than the rounding error of its mean."""
    return square <= n * (16 * EPSILON * mean) ** 2


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    arrays = []
    for name, values in (("first", x), ("second", y)):
        array = _double(values)
        array = array.cpu().numpy() if hasattr(array, "detach") else array
        if bad := int((~np.isfinite(array)).sum()):
            raise InputError(f"correlation, {name} array: found {bad} NaN or infinite values, expected none")
        arrays.append(array)
    if arrays[0].shape != arrays[1].shape:
        found = " and ".join(str(array.shape) for array in arrays)
        raise InputError(f"correlation: found shapes {found}, expected equal shapes")
    return arrays[0].reshape(-1), arrays[1].reshape(-1)

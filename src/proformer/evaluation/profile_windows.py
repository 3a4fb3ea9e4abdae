"""The windows of a test part on which models of coverage are scored, and what a model predicts of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from proformer.datasets.store import Store
from proformer.errors import InputError
from proformer.models.folder import TrainedModel
from proformer.training.validation import predict_codes

ROWS = 64  # windows that are predicted at once
WHOLE, PEAKS = "all", "peaks"  # subsets of the windows
OWN, BINS, SMOOTHED, WINDOWS, SHIFTS, VARIANTS = "own bins", "bins", "smoothed", "windows", "shifts", "variants"
COLUMNS = ["subset", "how", "bp", "over", "task", "metric", "value", "n"]


@dataclass(frozen=True)
class HeldOut:
    """The middles of the windows of a test part, as long as models read them."""

    store: Store
    length: int
    step: int = field(init=False)

    def __post_init__(self) -> None:
        window, task = self.store.codes.shape[1], self.store.task
        step = task.bin or 1
        whole = task.kind == "profile" and self.store.target.shape[2] * step == window
        if not whole and task.kind != "binary":
            found = f"targets of the kind {task.kind!r}"
            raise InputError(f"{self.store.path}: found {found}, expected labels, or profiles of whole windows")
        if not 0 < self.length <= window or (window - self.length) % (2 * step):
            raise InputError(f"{self.store.path}: found windows of {window} bp for a model that reads {self.length}")
        object.__setattr__(self, "step", step)

    @property
    def label(self) -> np.ndarray | None:
        """Which tasks have a peak in each window, where that is known: bool [N, T]."""
        if self.store.task.kind == "binary":
            return np.asarray(self.store.target[:, :, 0]) > 0
        return np.asarray(self.store.columns["label"], bool) if "label" in self.store.columns else None

    @property
    def start(self) -> int:
        """Where the middle begins."""
        return (self.store.codes.shape[1] - self.length) // 2

    def codes(self, rows: slice | np.ndarray) -> np.ndarray:
        """Codes of the middles: uint8 [B, length]."""
        return np.asarray(self.store.codes[rows, self.start : self.start + self.length])

    def truth(self, rows: slice, column: str = "target") -> np.ndarray:
        """Coverage of the middles: float64 [B, T, length / step]; NaN [B, T, 1] where there are labels alone."""
        if self.store.task.kind == "binary":
            return np.full((rows.stop - rows.start, len(self.store.task.names), 1), np.nan)
        first = self.start // self.step
        return np.asarray(self.store.columns[column][rows, :, first : first + self.length // self.step], np.float64)

    def rows(self) -> Iterator[slice]:
        """All rows, some at a time."""
        for first in range(0, len(self.store), ROWS):
            yield slice(first, min(first + ROWS, len(self.store)))


def binned(values: np.ndarray, by: int) -> np.ndarray:
    """Means of so many positions: [B, T, P] to [B, T, P / by]."""
    return values.reshape(*values.shape[:2], -1, by).mean(axis=3) if by > 1 else values


def smoothed(values: np.ndarray, by: int) -> np.ndarray:
    """Means of a box of so many positions, wherever it lies within the window: [B, T, P - by + 1]."""
    total = np.cumsum(np.pad(values, ((0, 0), (0, 0), (1, 0))), axis=2)
    return (total[:, :, by:] - total[:, :, :-by]) / by


def predicted(model: TrainedModel, codes: np.ndarray) -> np.ndarray:
    """Coverage that a model predicts [B, T, P] in the source's units, or the logits of labels [B, T, 1]."""
    device = next(model.model.parameters()).device
    with torch.inference_mode():
        output = predict_codes(model.model, torch.from_numpy(np.array(codes)).to(device))
        output = output.double() if model.task.kind == "binary" else model.task.restore(output)
    return output.cpu().numpy()

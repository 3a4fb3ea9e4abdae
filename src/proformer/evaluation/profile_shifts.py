"""How much predictions of coverage vary when their window is shifted (Toneyan et al. 2022, Fig. 3)."""

import numpy as np
import pandas as pd

from proformer.evaluation.judgement import Judgement
from proformer.evaluation.metrics import METRICS
from proformer.evaluation.profile_windows import COLUMNS, PEAKS, ROWS, SHIFTS, HeldOut, predicted
from proformer.models.folder import TrainedModel


def starts(test: HeldOut, plan: Judgement) -> np.ndarray:
    """Where shifted predictions begin in the window, distinct where there are enough places: int64 [S]."""
    room = test.store.codes.shape[1] - test.length
    return np.sort(np.random.default_rng(plan.seed).permutation(room + 1)[: plan.shifts])


def shifted(test: HeldOut, model: TrainedModel, rows: np.ndarray, at: np.ndarray, size: int) -> np.ndarray:
    """Predictions from each start, at base resolution, of what all of them see: float64 [S, B, T, common bp]."""
    room = test.store.codes.shape[1] - test.length
    codes = np.asarray(test.store.codes[rows])
    found = []
    for start in at.tolist():
        values = predicted(model, codes[:, start : start + test.length]).repeat(size, axis=2)
        found.append(values[:, :, room - start : test.length - start])
    return np.stack(found)


def robustness(test: HeldOut, model: TrainedModel, size: int, plan: Judgement) -> pd.DataFrame:
    """The variation score, and r within each sequence of single and of robust predictions of what all shifts see.

    Variation: the standard deviation over shifts, averaged over positions, divided by the mean prediction; its mean is
    over the windows with a peak of the task. Robust: the mean over shifts.
    """
    room = test.store.codes.shape[1] - test.length
    if not plan.shifts or not 0 < room < test.length or test.store.task.kind == "binary":
        return pd.DataFrame(columns=COLUMNS)
    label = test.label
    label = np.ones((len(test.store), len(test.store.task.names)), bool) if label is None else label
    known = np.flatnonzero(label.any(axis=1))
    known = np.sort(np.random.default_rng(plan.seed).permutation(known)[: plan.shifted_windows])
    at = starts(test, plan)
    totals: dict[str, list[np.ndarray]] = {"variation": [], "pearson": [], "robust_pearson": []}
    for first in range(0, len(known), ROWS):
        rows = known[first : first + ROWS]
        values = shifted(test, model, rows, at, size)
        robust = values.mean(axis=0)
        truth = np.asarray(test.store.target[rows], np.float64).repeat(test.step, axis=2)[:, :, room : test.length]
        single = shifted(test, model, rows, np.array([test.start]), size)[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            totals["variation"].append(values.std(axis=0).mean(axis=2) / robust.mean(axis=2))
        totals["pearson"].append(METRICS["pearson"].rows(single, truth))
        totals["robust_pearson"].append(METRICS["pearson"].rows(robust, truth))
    found = []
    for metric, parts in totals.items():
        values = np.concatenate(parts) if parts else np.empty((0, len(test.store.task.names)))
        for task, name in enumerate(test.store.task.names):
            own = values[label[known, task], task]
            own = own[np.isfinite(own)]
            value = own.mean() if len(own) else np.nan
            found.append(
                (PEAKS, SHIFTS, 2 * test.length - test.store.codes.shape[1], "sequence", name, metric, value, len(own))
            )
    return pd.DataFrame(found, columns=COLUMNS)

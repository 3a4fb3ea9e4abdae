"""The effect of a change of the sequence: log2 of a ratio of amounts, or the difference of logarithms."""

import numpy as np
from scipy.special import expit

from proformer.tasks import Task


def is_logarithm(task: Task) -> bool:
    """Whether predictions are logarithms, as measured values and their bins are, and effects of them differences.

    Values of which training takes log(1 + y) are none.
    """
    return task.kind in ("value", "values", "bins") and task.scale != "log1p"


def amounts(task: Task, values: np.ndarray) -> np.ndarray:
    """Of what `explain.attribution.summarise` gives, what ratios are made of: probabilities, reads, or coverage."""
    return {"binary": expit, "counts and profile": np.expm1}.get(task.kind, np.asarray)(values)


def log_ratio(alternative: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """log2 of alternative by reference; not finite where an amount is not above 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log2(alternative / reference)

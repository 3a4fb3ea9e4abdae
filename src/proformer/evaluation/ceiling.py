"""Ceilings: how well a perfect model of simulated data predicts what was measured of them."""

from functools import cache
from pathlib import Path

import numpy as np

from proformer.datasets.store import open_store
from proformer.evaluation.evaluate import VALUE, contrasts, read_measurements
from proformer.evaluation.metrics import score
from proformer.simulate.perfect import perfect_codes, perfect_sequences, perfect_windows


@cache
def store_ceiling(path: Path, experiment: Path | None = None) -> dict[str, float]:
    """n, pearson, spearman, … of a store's targets and what a perfect model predicts of its sequences.

    `experiment`: the folder of a simulated ATAC-seq experiment, when the store holds windows of it.
    """
    store = open_store(path)
    known = perfect_windows(experiment, store.columns, store.meta) if experiment else perfect_codes(store.codes)
    return score(known, np.asarray(store.target).ravel())


@cache
def file_ceiling(path: Path) -> dict[str, float]:
    """The same of a file of measured sequences as `evaluate` takes it; change_n, change_pearson, … of changes."""
    measured = read_measurements(path)
    perfect, truth, found = perfect_sequences(measured.sequences), measured.values[:, 0, 0], dict[str, float]()
    for what, _, values_of in contrasts(measured.table):
        numbers = score(values_of(perfect), values_of(truth))
        found |= {name if what == VALUE else f"{what}_{name}": value for name, value in numbers.items()}
    return found

"""Ceilings: how well a perfect model of simulated promoters would do, held against what was measured of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from proformer.datasets.store import open_store
from proformer.evaluation.contrasts import CHANGE, contrast, contrasts
from proformer.evaluation.evaluate import read_measurements
from proformer.evaluation.metrics import score
from proformer.simulate.perfect import perfect_codes, perfect_sequences
from proformer.simulate.perfect_windows import perfect_windows


@cache
def store_ceiling(path: Path, experiment: Path | None = None) -> dict[str, float]:
    """n, pearson, spearman, … of a store's targets and what a perfect model predicts of its sequences.

    `experiment`: the folder of a simulated ATAC-seq experiment, when the store holds windows of it.
    """
    store = open_store(path)
    if experiment:
        perfect = perfect_windows(experiment, store.columns, store.meta)
    else:
        perfect = perfect_codes(np.asarray(store.codes))
    return score(perfect, np.asarray(store.target).ravel())


@cache
def file_ceiling(path: Path) -> dict[str, float]:
    """The same of a file of measured sequences as `evaluate` takes it; change_n, change_pearson, … of changes."""
    measured = read_measurements(path)
    perfect = perfect_sequences(measured.sequences)
    found: dict[str, float] = {}
    for what, rows, base in contrasts(measured.table):
        truth = contrast(measured.values[:, 0, 0], rows, base)
        numbers = score(contrast(perfect, rows, base), truth)
        found |= {f"{what}_{name}" if what == CHANGE else name: value for name, value in numbers.items()}
    return found

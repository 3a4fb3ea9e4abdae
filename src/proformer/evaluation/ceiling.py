"""Ceilings: how well a perfect model of simulated promoters would do, held against what was measured of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from proformer.datasets.measured import is_evaluation, read_evaluation
from proformer.datasets.rows import read_rows
from proformer.datasets.store import open_store
from proformer.evaluation.metrics import score
from proformer.evaluation.peers import score_table
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
    """The same of a file as `compare_files` takes it: `sequence<TAB>value`, or a table of `proformer measured`."""
    if is_evaluation(path):
        table = read_evaluation(path)
        return score_table(perfect_sequences(table["sequence"].tolist()), table)
    sequences: list[str] = []
    values: list[np.ndarray] = []
    for rows in read_rows(path):
        values.append(rows.values())
        sequences += [rows.text(row).upper() for row in range(len(rows))]
    return score(perfect_sequences(sequences), np.concatenate(values))

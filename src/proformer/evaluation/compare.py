"""Predictions against measurements, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from proformer.datasets.measured import is_evaluation, read_evaluation
from proformer.datasets.rows import read_rows
from proformer.errors import InputError
from proformer.evaluation.metrics import score
from proformer.evaluation.peers import run_entry, score_table


def compare_files(predictions: Path, truth: Path) -> dict[str, float]:
    """Score a prediction table (columns sequence, prediction) against the same rows in the same order.

    truth: `sequence<TAB>value`, or a table of `proformer measured`, of which distinct rows count, and changes from
    their references are scored, too. Raises InputError when the rows do not belong together: another number, or another
    sequence in a row.
    """
    if not predictions.is_file():
        raise InputError(f"{predictions}: no such file")
    if is_evaluation(truth):
        measured = read_evaluation(truth)
        return score_table(run_entry("", "", predictions, measured).prediction, measured)
    table = pd.read_csv(predictions, sep="\t")
    if missing := {"sequence", "prediction"} - set(table.columns):
        raise InputError(f"{predictions}: no column {missing.pop()!r}; `proformer predict` writes the table")
    values: list[np.ndarray] = []
    row = 0
    for rows in read_rows(truth):
        values.append(rows.values())
        for index in range(len(rows)):
            if row < len(table) and table["sequence"].iloc[row].upper() != rows.text(index).upper():
                raise rows.fail(index, "another sequence", f"that of the predictions, {table['sequence'].iloc[row]}")
            row += 1
    if row != len(table):
        raise InputError(f"{predictions}: {len(table)} predictions, but {truth} has {row} rows")
    return score(table["prediction"].to_numpy(np.float64), np.concatenate(values))

"""What is compared on an evaluation table: the values of its rows, and the changes of rows from their references."""

from __future__ import annotations

import numpy as np
import pandas as pd

VALUE, CHANGE = "value", "change"
Contrast = tuple[str, np.ndarray | slice, np.ndarray | None]  # what; the rows; the rows to subtract from them, if any


def contrasts(table: pd.DataFrame | None) -> list[Contrast]:
    """Values of distinct rows, and changes of those that have a reference, of a table of `proformer measured`.

    None stands for measurements of another kind: values of all rows.
    """
    if table is None:
        return [(VALUE, slice(None), None)]
    distinct, reference = table["role"] == "row", table["reference"].to_numpy()
    changed = np.flatnonzero(distinct & (reference >= 0))
    found: list[Contrast] = [(VALUE, np.flatnonzero(distinct), None)]
    return found + ([(CHANGE, changed, reference[changed])] if len(changed) > 2 else [])


def contrast(values: np.ndarray, rows: np.ndarray | slice, base: np.ndarray | None) -> np.ndarray:
    """The values of some rows, or their changes from others."""
    return values[rows] if base is None else values[rows] - values[base]


def families(table: pd.DataFrame) -> np.ndarray:
    """Rows that belong together, those with one reference, have the same number: int [n]."""
    reference = table["reference"].to_numpy()
    return np.where(reference >= 0, reference, np.arange(len(table)))

"""Predicted against measured values as counts in a grid: what a figure shows of 71,103 points."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from proformer.evaluation.dream import Benchmark
from proformer.evaluation.metrics import score

MOST = 48  # cells a side; fewer for few points (Rice's rule)
COLUMNS = ["model", "subset", "measured_low", "measured_high", "predicted_low", "predicted_high", "count"]


def density_table(benchmark: Benchmark, predictions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Count the rows (or differences of pairs) of each subset in a grid of cells over their range.

    `predictions`: by name float64 [N]. Returns one row per cell that holds any: its edges and count; and n, pearson
    and spearman of the subset (NaN where undefined).
    """
    tables = []
    for model, values in predictions.items():
        for name in benchmark.shown:
            measured, predicted = benchmark.values(name, benchmark.truth), benchmark.values(name, values)
            bins = min(MOST, math.ceil(2 * len(measured) ** (1 / 3)))
            counts, x, y = np.histogram2d(measured, predicted, bins)
            i, j = np.nonzero(counts)
            cells = (model, name, x[i], x[i + 1], y[j], y[j + 1], counts[i, j].astype(int))
            found = score(predicted, measured)
            numbers = {key: found[key] for key in ("n", "pearson", "spearman")}
            tables.append(pd.DataFrame(dict(zip(COLUMNS, cells, strict=True)) | numbers))
    return pd.concat(tables, ignore_index=True)

"""The sampled ATAC-seq windows: distance to summit, GC content, target, and target by distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from proformer.figures import style

PANELS = {"distance": "distance to summit, bp", "gc": "G+C content, %", "target": "target: signal of the centre"}
BINS = 25


@style.styled
def draw(windows: pd.DataFrame, label: str = "", letter: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw a table with a row per window, distance (bp), gc (0 to 1), target: histograms, and the target by distance.

    Returns the figure (180 mm wide) and what is drawn: panel, low, high (edges of a bin), count, and q25, median, q75
    of the target in it for the panel `target by distance`. Raises InputError for missing columns or no rows.
    """
    style.needed(windows, list(PANELS), "windows")
    windows = windows.assign(gc=100 * windows["gc"])
    n = len(windows)
    figure = style.new(style.DOUBLE, 48, letter, f"{label or 'this run'}: n = {n:,} window{'s' * (n > 1)}")
    panels = figure.subplots(1, 4)
    tables = []
    for axes, (column, name) in zip(panels, PANELS.items(), strict=False):
        edges = _edges(windows[column].to_numpy(dtype=float), whole=column == "gc")
        count, _ = np.histogram(windows[column], edges)
        axes.stairs(count, edges, fill=True, color=style.BLUE, alpha=0.8)
        axes.set(xlabel=name, xlim=(edges[0], edges[-1]))
        tables.append(pd.DataFrame({"panel": column, "low": edges[:-1], "high": edges[1:], "count": count}))
    panels[0].set_ylabel("windows")
    by = _by_distance(windows)
    middle = (by["low"] + by["high"]) / 2
    panels[3].fill_between(middle, by["q25"], by["q75"], color=style.BLUE, alpha=0.25, linewidth=0, label="quartiles")
    panels[3].plot(middle, by["median"], color=style.BLUE, marker="." if len(by) < 3 else "", label="median")
    panels[3].set(xlabel=PANELS["distance"], ylabel="target")
    panels[3].legend(loc="best")
    drawn = pd.concat([*tables, by.assign(panel="target by distance")], ignore_index=True)
    return figure, drawn[["panel", "low", "high", "count", "q25", "median", "q75"]]


def _edges(values: np.ndarray, whole: bool = False) -> np.ndarray:
    """Edges of at most 25 bins; `whole`: of whole numbers, so that none holds more possible values than another."""
    low, high = float(values.min()), float(values.max())
    if whole:
        step = max(1, int(np.ceil((high - low + 1) / BINS)))
        return np.arange(np.floor(low) - 0.5, high + 0.5 + step, step)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _by_distance(windows: pd.DataFrame) -> pd.DataFrame:
    edges = _edges(windows["distance"].to_numpy(dtype=float))
    place = np.clip(np.searchsorted(edges, windows["distance"], side="right") - 1, 0, len(edges) - 2)
    groups = windows.groupby(place)["target"]
    table = groups.quantile([0.25, 0.5, 0.75]).unstack().set_axis(["q25", "median", "q75"], axis=1)
    found = table.index.to_numpy()
    return table.assign(low=edges[found], high=edges[found + 1], count=groups.size()).reset_index(drop=True)

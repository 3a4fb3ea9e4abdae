"""Fig. 2c (and 3b): the grid of models as a table of validation r, coloured, the best of each row outlined."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from proformer.evaluation.heads import head_order
from proformer.evaluation.statistics import average_seeds, checked
from proformer.figures import style


@style.styled
def draw(grid: pd.DataFrame, label: str = "", letter: str = "c") -> tuple[Figure, pd.DataFrame]:
    """Draw a grid table of one data set: rows are width (attention heads) x blocks, columns the heads; r over seeds.

    The colour scale spans the values within Tukey's fences, so that failed models do not wash out all others.
    Returns the figure (85 mm wide, 180 mm beyond six columns) and the drawn cells, with `best` for each row's best.
    """
    grid = checked(style.one_dataset(grid))
    points = average_seeds(grid)
    heads = head_order(points["head"])
    rows = ["dim", "heads", "blocks"]
    cells = points.pivot(index=rows, columns="head", values="r")[heads].sort_index()
    points["best"] = (points["r"] > 0) & (points["r"] == points.groupby(rows)["r"].transform("max"))
    width = style.SINGLE if len(heads) <= 6 else style.DOUBLE
    figure = style.new(width, 24 + 4.4 * max(len(cells), 2), letter, style.source(grid, label))
    axes = figure.subplots()
    colours = matplotlib.colormaps["cividis"].with_extremes(under="#e0e0e0", bad="white")
    low, high = _range(points["r"].to_numpy())
    norm = Normalize(low, high)
    best = [(i, j) for (i, j), r in np.ndenumerate(cells.to_numpy()) if r == cells.iloc[i].max() > 0]
    texts = cells.map(lambda r: "–" if np.isnan(r) else f"{r:.4f}").to_numpy()
    mesh = style.heat_map(axes, cells.to_numpy(), texts, colours, norm, best)
    inset = len(heads) / 150 * style.SINGLE / width  # some 0.4 mm, however wide a cell is
    for i, j in best:
        axes.add_patch(Rectangle((j + inset, i + 0.08), 1 - 2 * inset, 0.84, fill=False, linewidth=0.9, zorder=2))
    axes.set_xlabel("expression heads")
    axes.set_xticklabels(heads)
    firsts = ~cells.index.get_level_values("dim").duplicated()
    for i in np.flatnonzero(firsts)[1:]:
        axes.axhline(i, color="white", linewidth=3, zorder=1.2)
    names = [
        f"{d} ({h})   {b:>2}" if first else f"{b:>2}" for (d, h, b), first in zip(cells.index, firsts, strict=True)
    ]
    axes.set_yticklabels(names)
    offset: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "right"}
    axes.annotate("width (heads)  blocks", (0, 1), (-4, 4), size=style.SMALL, **offset)
    ideal = f" (a perfect model: {points['ceiling'].max():.3f})" if "ceiling" in points else ""
    label, extend = f"Pearson r, validation{ideal}", "min" if points["r"].min() < low else "neither"
    style.colour_bar(figure, mesh, axes, label, extend=extend).xaxis.set_major_locator(MaxNLocator(5))
    columns = [
        "dataset",
        *rows,
        "head",
        "r",
        *points.columns.intersection(["ceiling"]),
        "n_seeds",
        "n_undefined",
        "best",
    ]
    return figure, points.sort_values(rows, kind="stable")[columns]


def _range(values: np.ndarray) -> tuple[float, float]:
    q1, q3 = np.percentile(values, [25, 75])
    inside = values[values >= q1 - 1.5 * (q3 - q1)]
    low, high = float(inside.min()), float(inside.max())
    return (low, high) if high > low else (low - 0.05, high + 0.05)

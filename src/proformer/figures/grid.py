"""Fig. 2c (and 3b): the grid of models as a table of validation r, coloured, the best of each row outlined."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from proformer.evaluation.statistics import average_seeds, head_order
from proformer.figures import style


@style.styled
def draw(grid: pd.DataFrame, label: str = "", letter: str = "c") -> tuple[Figure, pd.DataFrame]:
    """Draw a grid table of one data set: rows are width (attention heads) x blocks, columns the heads; r over seeds.

    The colour scale spans the values within Tukey's fences, so that failed models do not wash out all others.
    Returns the figure (85 mm wide, 180 mm beyond six columns) and the drawn cells, with `best` for each row's best.
    """
    points = average_seeds(style.one_dataset(grid))
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
    mesh = axes.pcolormesh(cells.to_numpy(), cmap=colours, norm=norm, edgecolors="white", linewidth=0.8)
    for (i, (key, row)), (j, head) in [(a, b) for a in enumerate(cells.iterrows()) for b in enumerate(heads)]:
        r, best = row[head], row[head] == row.max() > 0
        text = "–" if np.isnan(r) else f"{r:.4f}"
        weight = "bold" if best else "normal"
        axes.text(
            j + 0.5,
            i + 0.5,
            text,
            ha="center",
            va="center_baseline",
            size=style.SMALL,
            weight=weight,
            color=style.readable(colours(norm(r))),
        )
        if best:
            axes.add_patch(
                Rectangle((j + 0.04, i + 0.08), 0.92, 0.84, fill=False, edgecolor="black", linewidth=0.9, zorder=2)
            )
        if j == 0 and i and key[0] != cells.index[i - 1][0]:
            axes.axhline(i, color="white", linewidth=3, zorder=1.2)
    axes.set(xticks=np.arange(len(heads)) + 0.5, yticks=np.arange(len(cells)) + 0.5, xlabel="expression heads")
    axes.set_xticklabels(heads)
    firsts = ~cells.index.get_level_values("dim").duplicated()
    names = [
        f"{d} ({h})   {b:>2}" if first else f"{b:>2}" for (d, h, b), first in zip(cells.index, firsts, strict=True)
    ]
    axes.set_yticklabels(names)
    axes.annotate(
        "width (heads)  blocks", (0, 1), (-4, 4), "axes fraction", "offset points", ha="right", size=style.SMALL
    )
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(
        mesh,
        ax=axes,
        orientation="horizontal",
        aspect=40,
        pad=0.02,
        extend="min" if points["r"].min() < low else "neither",
    )
    bar.ax.tick_params(length=2)
    bar.ax.xaxis.set_major_locator(MaxNLocator(5))
    ideal = f" (a perfect model: {points['ceiling'].max():.3f})" if "ceiling" in points else ""
    bar.set_label(f"Pearson r, validation{ideal}", labelpad=2)
    bar.outline.set_visible(False)
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

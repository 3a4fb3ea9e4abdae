"""Fig. 2d: mean r by number of blocks and by head, over widths and seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from proformer.evaluation.heads import head_order, head_title
from proformer.evaluation.statistics import checked
from proformer.figures import style


@style.styled
def draw(grid: pd.DataFrame, label: str = "", letter: str = "d") -> tuple[Figure, pd.DataFrame]:
    """Draw a grid table of one data set: a bar is the mean, a dot a run (width x seed), a whisker one sd of the runs.

    Bars start at zero. An undefined r counts as 0. Returns the figure (85 mm wide, 180 mm beyond 30 bars) and what is
    drawn: `element` bar (r the mean, sd, n; no width) or dot (one run).
    """
    runs = checked(style.one_dataset(grid)).fillna({"r": 0.0})
    heads, blocks = head_order(runs["head"]), sorted(runs["blocks"].unique())
    bars = runs.groupby(["blocks", "head"])["r"].agg(r="mean", sd="std", n="size").reset_index()
    colours = style.head_colours(heads)
    wide = len(heads) * len(blocks) > 30
    note = f"whiskers: sd; {style.source(grid, label)}"
    figure = style.new(style.DOUBLE if wide else style.SINGLE, 60, letter, note)
    axes = figure.subplots()
    step = min(0.84 / len(heads), 0.25)
    for j, head in enumerate(heads):
        chosen = bars[bars["head"] == head]
        x = np.array([blocks.index(b) for b in chosen["blocks"]]) + (j - (len(heads) - 1) / 2) * step
        axes.bar(x, chosen["r"], 0.9 * step, color=colours[head], label=head_title(head))
        known = chosen["sd"].notna().to_numpy()
        axes.errorbar(x[known], chosen["r"][known], chosen["sd"][known], fmt="none", ecolor="black", elinewidth=0.6)
        for centre, b in zip(x, chosen["blocks"], strict=True):
            r = runs.loc[(runs["head"] == head) & (runs["blocks"] == b)].sort_values(["dim", "seed"])["r"]
            spread = (np.arange(len(r)) - (len(r) - 1) / 2) / max(len(r), 2) * 0.6 * step
            keywords: dict[str, Any] = {
                "markersize": 1.8,
                "color": "white",
                "markeredgecolor": "black",
                "markeredgewidth": 0.4,
            }
            axes.plot(centre + spread, r, "o", clip_on=False, zorder=3, **keywords)
    axes.axhline(0, color="black", linewidth=0.6)
    style.ceiling(axes, runs)
    axes.set(xticks=range(len(blocks)), xlabel="macaron blocks", ylabel="Pearson r, validation")
    axes.set_xticklabels([str(b) for b in blocks])
    axes.set_xlim(-0.6, len(blocks) - 0.4)
    axes.tick_params(axis="x", length=0)
    handles, labels = axes.get_legend_handles_labels()
    bars_first = sorted(zip(handles, labels, strict=True), key=lambda entry: entry[1] == style.PERFECT)
    figure.legend(*zip(*bars_first, strict=True), loc="outside upper center", ncols=min(len(bars_first), 6))
    ceiling = [*runs.columns.intersection(["ceiling"])]
    dots = runs[["blocks", "head", "dim", "seed", "r", *ceiling]].assign(element="dot")
    drawn = pd.concat([bars.assign(element="bar"), dots], ignore_index=True)
    return figure, drawn[["element", "blocks", "head", "dim", "seed", "r", "sd", "n", *ceiling]]

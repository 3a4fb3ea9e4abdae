"""Fig. 2b (and 4a): Pearson r by epoch on training and validation sequences, average pooling against many heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from proformer.errors import InputError
from proformer.evaluation.heads import head_order, head_title
from proformer.figures import style

PANELS = {"train_r": "training", "validation_r": "validation"}
NEEDED = ["dataset", "dim", "heads", "blocks", "head", "seed", "epoch", *PANELS]


@style.styled
def draw(epochs: pd.DataFrame, label: str = "", letter: str = "b", final: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw an epochs table of one data set, width and depth; thin lines are seeds, thick ones their mean.

    Each head's best epoch, by the mean validation r, is marked in both panels; with `final`, the head of the final
    model, its best epoch alone, as a red dotted line (Fig. 4a). An undefined r is drawn as 0.
    On simulated data, a dashed line is the validation r of a perfect model.
    Returns the figure (85 mm wide) and the drawn numbers: panel, head, seed (a number or `mean`), epoch, r, best.
    Raises InputError for missing columns, more than one model size, or a `final` that is not there.
    """
    if missing := [column for column in NEEDED if column not in epochs]:
        raise InputError(f"epochs table: found no column {', '.join(missing)}, expected {', '.join(NEEDED)}")
    style.one_dataset(epochs, ("dataset", "dim", "heads", "blocks"))
    first = epochs.iloc[0]
    model = f"width {first['dim']}, {first['blocks']} blocks"
    drawn = _drawn(epochs)
    heads = head_order(drawn["head"])
    if final and final not in heads:
        raise InputError(f"epochs table: found no head {final}, expected it among {', '.join(heads)}")
    colours = style.head_colours(heads)
    figure = style.new(style.SINGLE, 52, letter, f"{model}; {style.source(epochs, label)}")
    panels = figure.subplots(1, 2, sharey=True)
    marker = "." if epochs["epoch"].nunique() <= 10 else ""
    for axes, panel in zip(panels, PANELS.values(), strict=True):
        chosen = drawn[drawn["panel"] == panel]
        lines = sorted(chosen.groupby(["head", "seed"]), key=lambda item: heads.index(item[0][0]))
        for (head, seed), line in lines:
            mean = seed == "mean"
            keywords = {"linewidth": 1.4, "label": head_title(head)} if mean else {"linewidth": 0.4, "alpha": 0.6}
            axes.plot(line["epoch"], line["r"], color=colours[head], marker=marker, markersize=3, **keywords)
            if mean and head == final:
                axes.axvline(line.loc[line["best"], "epoch"].iloc[0], color="red", linewidth=0.9, linestyle=":")
            elif mean and not final:
                best = line[line["best"]].iloc[0]
                axes.axvline(best["epoch"], color=colours[head], linewidth=0.7, linestyle=":")
                axes.plot(best["epoch"], best["r"], "o", color=colours[head], markersize=4, markerfacecolor="white")
        axes.set(title=panel, xlabel="epoch")
        style.integer_axis(axes)
    panels[0].set_ylabel("Pearson r")
    sign: dict[str, Any] = {"color": "red", "linestyle": ":"}
    if not final:
        sign = {"color": style.DARK, "linestyle": "", "marker": "o", "markersize": 4, "markerfacecolor": "white"}
    named = f"best epoch, {head_title(final)}" if final else "best epoch"
    panels[0].plot([], [], label=named, **sign)
    if "ceiling" in epochs:
        style.ceiling(panels[1], epochs)
        drawn = drawn.assign(ceiling=np.where(drawn["panel"] == "validation", epochs["ceiling"].iloc[0], np.nan))
    entries = {
        name: line for axes in panels[::-1] for line, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=len(entries))
    return figure, drawn


def _drawn(epochs: pd.DataFrame) -> pd.DataFrame:
    seeds = epochs.fillna({"train_r": 0.0, "validation_r": 0.0}).assign(seed=epochs["seed"].astype(str))
    mean = seeds.groupby(["head", "epoch"], as_index=False)[list(PANELS)].mean().assign(seed="mean")
    best = mean.loc[mean.groupby("head")["validation_r"].idxmax(), ["head", "epoch"]]
    columns = ["head", "seed", "epoch", *PANELS]
    table = pd.concat([seeds[columns], mean[columns]]).melt(columns[:3], list(PANELS), "panel", "r")
    table["panel"] = table["panel"].map(PANELS)
    marks = set(best.itertuples(index=False, name=None))
    table["best"] = [
        seed == "mean" and (head, epoch) in marks
        for head, seed, epoch in table[["head", "seed", "epoch"]].itertuples(index=False, name=None)
    ]
    return table[["panel", *columns[:3], "r", "best"]]

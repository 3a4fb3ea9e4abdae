"""Learning curves: Fig. 2b and 4a, average pooling against many heads; and those of every model of a data set."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from proformer.errors import InputError
from proformer.evaluation.heads import head_order, head_title
from proformer.figures import style

PANELS = {"train_r": "training", "validation_r": "validation"}
SIZE = ["dataset", "dim", "heads", "blocks"]
POINT = ["head", "seed", "epoch"]
NEEDED = ["dataset", "run", "model", "seed", "epoch", "part", "metric", "value"]
COLOURS = {"training": style.GREY, "validation": style.BLUE}
COLUMNS = 5  # panels side by side
RING: dict[str, Any] = {"marker": "o", "markersize": 4, "markerfacecolor": "white"}


@style.styled
def convergence(epochs: pd.DataFrame, letter: str = "b", final: str = "") -> style.Drawn:
    """Draw an epochs table of one data set, width and depth; thin lines are seeds, thick ones their mean.

    Each head's best epoch, by the mean validation r, is marked in both panels; with `final`, the head of the final
    model, only its best epoch, as a red dotted line (Fig. 4a). An undefined r is drawn as 0.
    On simulated data, a dashed line is the validation r of a perfect model.
    Returns the figure (85 mm wide) and the drawn numbers: panel, head, seed (a number or `mean`), epoch, r, best.
    Raises InputError for missing columns, more than one model size, or a `final` that is not there.
    """
    style.one_dataset(style.needed(epochs, [*SIZE, *POINT, *PANELS], "epochs"), SIZE)
    first, drawn = epochs.iloc[0], _numbers(epochs)
    heads = head_order(drawn["head"])
    if final and final not in heads:
        raise InputError(f"epochs table: found no head {final}, expected it among {', '.join(heads)}")
    note = f"width {first['dim']}, {first['blocks']} blocks; {style.source(epochs)}"
    figure = style.new(style.SINGLE, 52, letter, note)
    panels, colours = figure.subplots(1, 2, sharey=True), style.head_colours(heads)
    for axes, panel in zip(panels, PANELS.values(), strict=True):
        for head in heads:
            lines = drawn[(drawn["panel"] == panel) & (drawn["head"] == head)]
            _lines(axes, lines, "r", 10, linewidth=1.4, label=head_title(head), color=colours[head], markersize=3)
            best = lines[lines["best"]].iloc[0]
            if head == final:
                axes.axvline(best["epoch"], color="red", linewidth=0.9, linestyle=":")
            elif not final:
                axes.axvline(best["epoch"], color=colours[head], linewidth=0.7, linestyle=":")
                axes.plot(best["epoch"], best["r"], color=colours[head], **RING)
        axes.set(title=panel, xlabel="epoch")
        style.integer_axis(axes)
    panels[0].set_ylabel("Pearson r")
    if final:
        panels[0].plot([], [], color="red", linestyle=":", label=f"best epoch, {head_title(final)}")
    else:
        panels[0].plot([], [], color=style.DARK, linestyle="", label="best epoch", **RING)
    if "ceiling" in epochs:
        style.ceiling(panels[1], epochs)
        drawn = drawn.assign(ceiling=np.where(drawn["panel"] == "validation", epochs["ceiling"].iloc[0], np.nan))
    entries: dict[str, Any] = {}
    for axes in panels[::-1]:
        lines, names = axes.get_legend_handles_labels()
        entries |= dict(zip(names, lines, strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=len(entries))
    return figure, drawn


@style.styled
def learning(epochs: pd.DataFrame, metric: str = "pearson", letter: str = "") -> style.Drawn:
    """Draw one metric of an epochs table of `proformer compare`, of one data set: a small panel per model.

    Thin lines are seeds, thick ones their mean. Metrics of several tasks are means over tasks. Undefined values leave
    a gap. Returns the figure (180 mm wide, 85 mm for one or two models) and the drawn numbers: model, part, seed (a
    number or `mean`), epoch, value. Raises InputError for missing columns and for a metric that is not in the table.
    """
    style.one_dataset(style.needed(epochs, NEEDED, "epochs"))
    epochs = epochs.assign(model=style.point_names(epochs))
    table = style.needed(epochs[epochs["metric"] == metric], [], f"epochs ({metric})")
    mean = table.groupby(["model", "part", "epoch"], sort=False, as_index=False)["value"].mean()
    drawn = pd.concat([table.astype({"seed": str}), mean.assign(seed="mean")], ignore_index=True)
    models = list(dict.fromkeys(table["model"]))
    note = f"this run: {style.counted(len(models), table['seed'].nunique())}"
    width = style.SINGLE if len(models) < 3 else style.DOUBLE
    figure, panels = style.panels(len(models), COLUMNS, (18, 29), letter, note, width, sharey=True)
    for axes, model in zip(panels, models, strict=True):
        for part, lines in drawn[drawn["model"] == model].groupby("part", sort=False):
            _lines(axes, lines, "value", 1, linewidth=1.3, label=part, color=COLOURS[part])
        axes.set_title(model)
        style.integer_axis(axes)
    for axes in panels[-COLUMNS:]:
        axes.set_xlabel("epoch")
    for axes in panels[::COLUMNS]:
        axes.set_ylabel(style.METRICS.get(metric, metric))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure, drawn[["model", "part", "seed", "epoch", "value"]].replace({np.nan: None})


def _lines(axes: Axes, table: pd.DataFrame, y: str, dotted: int, **mean: Any) -> None:
    """Draw a thin line per seed and one of their mean, with dots where it has no more than `dotted` epochs."""
    for seed, line in table.groupby("seed", sort=False):
        look = mean if seed == "mean" else mean | {"linewidth": 0.4, "alpha": 0.6, "label": None}
        axes.plot(line["epoch"], line[y], marker="." if len(line) <= dotted else "", **look)


def _numbers(epochs: pd.DataFrame) -> pd.DataFrame:
    seeds = epochs.fillna(dict.fromkeys(PANELS, 0.0)).astype({"seed": str}).assign(best=False)
    mean = seeds.groupby(["head", "epoch"], as_index=False)[list(PANELS)].mean().assign(seed="mean")
    mean["best"] = mean.index.isin(mean.groupby("head")["validation_r"].idxmax())
    table = pd.concat([seeds, mean])[[*POINT, *PANELS, "best"]].melt([*POINT, "best"], [*PANELS], "panel", "r")
    return table.assign(panel=table["panel"].map(PANELS))[["panel", *POINT, "r", "best"]]

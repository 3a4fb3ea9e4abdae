"""Learning curves of every model of a data set, a small panel each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from proformer.figures import style

NEEDED = ["dataset", "run", "model", "seed", "epoch", "part", "metric", "value"]
COLOURS = {"training": style.GREY, "validation": style.BLUE}
COLUMNS = 5  # panels side by side


@style.styled
def draw(
    epochs: pd.DataFrame, metric: str = "pearson", label: str = "", letter: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw one metric of an epochs table of `proformer compare`, of one data set.

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
    columns = min(COLUMNS, len(models))
    rows = -(-len(models) // columns)
    note = f"{label or 'this run'}: {style.counted(len(models), table['seed'].nunique())}"
    figure = style.new(style.SINGLE if columns < 3 else style.DOUBLE, 18 + 29 * rows, letter, note)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in panels.flat[len(models) :]:
        axes.set_axis_off()
    for place, (axes, model) in enumerate(zip(panels.flat, models, strict=False)):
        for (part, seed), line in drawn[drawn["model"] == model].groupby(["part", "seed"], sort=False):
            keywords = {"linewidth": 1.3, "label": part} if seed == "mean" else {"linewidth": 0.4, "alpha": 0.6}
            marker = "." if len(line) == 1 else ""
            axes.plot(line["epoch"], line["value"], color=COLOURS[part], marker=marker, **keywords)
        axes.set_title(model)
        style.integer_axis(axes)
        if place + columns >= len(models):
            axes.set_xlabel("epoch")
    for axes in panels[:, 0]:
        axes.set_ylabel(style.METRICS.get(metric, metric))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure, drawn[["model", "part", "seed", "epoch", "value"]].replace({np.nan: None})

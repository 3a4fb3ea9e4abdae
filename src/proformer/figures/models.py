"""All models of a data set beside each other: one metric on every evaluation set, task by task."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from proformer.figures import style

NEEDED = ["dataset", "run", "model", "seed", "evaluation", "task", "metric", "over", "value", "low", "high"]
COLUMNS = 4  # panels side by side
MEAN = "mean"


@style.styled
def draw(comparison: pd.DataFrame, metric: str = "pearson", over: str = "all", letter: str = "") -> style.Drawn:
    """Draw one metric of a comparison table of one data set: a panel per evaluation set and task, a row per model.

    Points are means over seeds, small ones single seeds; whiskers are mean ends of 95 % intervals, where there are any.
    Models are in the order of the first panel. A dashed line is a perfect model of simulated data. Returns the figure
    (180 mm wide) and the drawn means: evaluation, task, model, value, low, high, n_seeds. Raises InputError for missing
    columns and when nothing was measured by the metric.
    """
    style.one_dataset(style.needed(comparison, NEEDED, "comparison"))
    comparison = comparison.assign(model=style.point_names(comparison))
    chosen = comparison[(comparison["metric"] == metric) & (comparison["over"] == over)]
    seeds = style.needed(chosen, [], f"comparison ({metric}, {over})")
    groups = seeds.groupby(["evaluation", "task", "model"], sort=False)
    ceiling = [*seeds.columns.intersection(["ceiling"])]
    # One undefined seed leaves the mean undefined: it is no average of the others.
    means = groups[["value", "low", "high", *ceiling]].agg(lambda values: values.mean(skipna=False))
    means = means.assign(n_seeds=groups["seed"].nunique()).reset_index()
    pairs = dict.fromkeys(zip(means["evaluation"], means["task"], strict=True))
    shown = sorted(pairs, key=lambda pair: pair[0] != "validation")
    means["place"] = [shown.index(key) for key in zip(means["evaluation"], means["task"], strict=True)]
    means = means.sort_values(["place", "value"], ascending=[True, False], ignore_index=True)
    models = list(dict.fromkeys(means["model"]))
    note = f"this run: {style.counted(len(models), seeds['seed'].nunique())}"
    height, same_scale = (14, 13 + 3.6 * len(models)), metric not in ("mse", "poisson_nll")
    figure, panels = style.panels(len(shown), COLUMNS, height, letter, note, sharey=True, sharex=same_scale)
    for axes, (evaluation, task) in zip(panels, shown, strict=True):
        of_panel = (seeds["evaluation"] == evaluation) & (seeds["task"] == task)
        _panel(axes, models, seeds[of_panel], means[(means["evaluation"] == evaluation) & (means["task"] == task)])
        axes.set_title(evaluation if seeds["task"].nunique() == 1 else f"{evaluation}: {task}")
        axes.set_xlabel(style.METRICS.get(metric, metric))
    panels[0].set_yticks(range(len(models)), models)
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    if entries := panels[0].get_legend_handles_labels()[0]:
        figure.legend(entries, [style.PERFECT], loc="outside upper center")
    return figure, means.drop(columns="place")


def _panel(axes: Axes, models: list[str], seeds: pd.DataFrame, means: pd.DataFrame) -> None:
    place = {model: y for y, model in enumerate(models)}
    across = axes.get_yaxis_transform()
    axes.hlines(range(len(models)), 0, 1, transform=across, color="#e6e6e6", linewidth=0.5, zorder=0)
    several = seeds[seeds.duplicated("model", keep=False)]
    axes.plot(several["value"], several["model"].map(place), "o", color=style.BLUE, markersize=1.8, alpha=0.5)
    known = means[np.isfinite(means["low"])]
    axes.hlines(known["model"].map(place), known["low"], known["high"], color="black", linewidth=0.7)
    axes.plot(means["value"], means["model"].map(place), "o", color=style.BLUE, markersize=3.6)
    for mean in means[means["value"].isna()].itertuples():
        words: dict[str, Any] = {"size": style.SMALL, "va": "center", "color": style.GREY}
        axes.text(0.02, place[mean.model], "undefined", transform=across, **words)
    style.ceiling(axes, seeds, upright=True)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.spines["left"].set_visible(False)

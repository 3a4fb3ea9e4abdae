"""Cross-validated models on other data (Rafi et al. 2024, Fig. 3): values by fold beside targets, and parameters."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from proformer.evaluation.folds import COUNTS, FOLDS, PROFILE, RUN
from proformer.figures import style

METRICS = style.METRICS | {COUNTS: "r of log(1 + counts)", PROFILE: "1 − median Jensen–Shannon distance"}
SHOWN = ("pearson", COUNTS, PROFILE)
COLUMNS = 3  # panels side by side


@style.styled
def draw(folds: pd.DataFrame, tests: pd.DataFrame, standard: str = "", letter: str = "") -> style.Drawn:
    """Draw a panel for each data set, task and metric: points are test folds, lines their means, diamonds targets.

    Returns the figure (180 mm wide) and the drawn values. Raises InputError for missing columns and no rows.
    """
    folds = style.needed(folds, FOLDS, "folds")
    folds = style.needed(folds[folds["metric"].isin(SHOWN)], [], "folds").copy()
    of_profiles = folds["metric"] == PROFILE
    folds.loc[of_profiles, "value"] = 1 - folds.loc[of_profiles, "value"]
    own = folds[folds["source"] == RUN]
    keys = list(own.groupby(["dataset", "task", "metric"], sort=False).groups)
    models = list(dict.fromkeys(own["model"]))
    n = int(own.groupby("dataset")["fold"].nunique().max())
    note = f"this run: {style.counted(len(models), 1)}, {n} test fold{'s' * (n > 1)}"
    height = (14, 16 + 4.2 * len(models))
    figure, panels = style.panels(len(keys), COLUMNS, height, letter, note, sharey=True)
    for axes, key in zip(panels, keys, strict=True):
        here = (folds[["dataset", "task", "metric"]] == list(key)).all(axis=1)
        of_panel = (tests[["dataset", "task", "metric"]] == list(key)).all(axis=1)
        _panel(axes, folds[here], tests[of_panel], models)
        axes.set_title(f"{key[0]}: {key[1].removesuffix('_log2_enrichment')}")
        axes.set_xlabel(METRICS[key[2]])
    panels[0].set_yticks(range(len(models)), [f"{model} *" if model == standard else model for model in models])
    panels[0].set_ylim(len(models) - 0.4, -0.6)
    entries: dict[str, Any] = {}
    for axes in panels:
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(entries.values(), entries, loc="outside upper center", ncols=4)
    return figure, folds.reset_index(drop=True)


def _panel(axes: Axes, rows: pd.DataFrame, tests: pd.DataFrame, models: list[str]) -> None:
    place = {model: y for y, model in enumerate(models)}
    own, targets = rows[rows["source"] == RUN], rows[(rows["source"] != RUN) & rows["model"].isin(models)]
    shift = np.random.default_rng(1).uniform(-0.12, 0.12, len(own))
    axes.plot(
        own["value"],
        own["model"].map(place) + shift,
        "o",
        color=style.BLUE,
        markersize=2.4,
        alpha=0.7,
        label="test fold",
    )
    means = own.groupby("model")["value"].mean()
    axes.vlines(
        means, means.index.map(place) - 0.3, means.index.map(place) + 0.3, colors="black", linewidth=1.2, label="mean"
    )
    if len(targets):
        look: dict[str, Any] = {"markersize": 3.2, "color": "white", "markeredgecolor": style.VERMILLION}
        axes.plot(targets["value"], targets["model"].map(place) + 0.3, "D", label="published or measured again", **look)
    for test in tests.itertuples():
        if np.isfinite(test.p_holm):
            words: dict[str, Any] = {"size": style.SMALL, "color": style.GREY, "ha": "right", "va": "bottom"}
            words["bbox"] = style.PLATE
            axes.text(
                1, place[test.model] - 0.2, f"p = {test.p_holm:.2g}", transform=axes.get_yaxis_transform(), **words
            )
    style.ceiling(axes, own, upright=True)
    axes.tick_params(axis="y", length=0)


@style.styled
def parameters(folds: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw the parameters of each model, in millions; of several data sets, those that differ have a bar each.

    Returns the figure (85 mm wide) and the drawn numbers.
    """
    own = style.needed(folds, FOLDS, "folds")
    own = style.needed(own[own["source"] == RUN], [], "folds")
    drawn = own.groupby(["model", "parameters"], sort=False)["dataset"].agg(
        lambda names: ", ".join(dict.fromkeys(names))
    )
    table = drawn.reset_index()
    several = table.duplicated("model", keep=False)
    names = table["model"].where(~several, table["model"] + ": " + table["dataset"])
    figure = style.new(style.SINGLE, 16 + 5 * len(table), letter, "this run")
    axes = figure.subplots()
    axes.barh(names, table["parameters"] / 1e6, color=style.BLUE, height=0.6)
    for y, count in enumerate(table["parameters"]):
        axes.text(count / 1e6, y, f" {count:,.0f}", va="center", size=style.SMALL)
    axes.set_xlabel("parameters (millions)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlim(0, 1.25 * table["parameters"].max() / 1e6)
    axes.invert_yaxis()
    return figure, table

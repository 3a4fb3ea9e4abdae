"""Cross-validated models on other data (Rafi et al. 2024, Fig. 3): values by fold beside targets, and parameters."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from proformer.evaluation.folds import COUNTS, FOLDS, PROFILE, RUN, UNIFORM
from proformer.figures import style

METRICS = style.METRICS | {COUNTS: "r of log(1 + counts)", PROFILE: "1 − median Jensen–Shannon distance"}
SHOWN = ("pearson", COUNTS, PROFILE)
SETS = {"starrseq": "Drosophila", "hepg2": "HepG2", "k562": "K562", "wtc11": "WTC11"}
TASKS = {"Dev_log2_enrichment": "developmental", "Hk_log2_enrichment": "housekeeping", "mean_value": "", "cuts": ""}
COLUMNS = 3  # panels side by side
MARKERS = "Ds^vP"  # of targets, by where they are from
BELOW = 0.32  # rows, by which targets stand below their model's row, or above


@style.styled
def draw(folds: pd.DataFrame, tests: pd.DataFrame, standard: str = "", letter: str = "") -> style.Drawn:
    """Draw a panel for each data set, task and metric: points are test folds, lines their means.

    Open marks are targets, one kind for each source, with their mean; models that have targets alone have rows, too.
    Returns the figure (180 mm wide) and the drawn values. Raises InputError for missing columns and no rows.
    """
    folds = style.needed(folds, FOLDS, "folds")
    folds = style.needed(folds[folds["metric"].isin(SHOWN)], [], "folds").copy()
    of_profiles = folds["metric"] == PROFILE
    for column in ("value", *([UNIFORM] if UNIFORM in folds else [])):
        folds.loc[of_profiles, column] = 1 - folds.loc[of_profiles, column]
    own, targets = folds[folds["source"] == RUN], folds[folds["source"] != RUN]
    keys = list(own.groupby(["dataset", "task", "metric"], sort=False).groups)
    models = list(dict.fromkeys([*own["model"], *targets["model"]]))
    n = int(own.groupby("dataset")["fold"].nunique().max())
    note = f"this run: {style.counted(own['model'].nunique(), 1)}, {n} test fold{'s' * (n > 1)}"
    note += f"; p: t tests against {standard}, after Holm" if tests["p_holm"].notna().any() else ""
    marks = dict(zip(dict.fromkeys(targets["source"]), MARKERS, strict=False))
    height = (14 + 3 * -(-len(marks) // 2), 14 + 6 * len(models))
    figure, panels = style.panels(len(keys), COLUMNS, height, letter, note, sharey=True)
    for axes, key in zip(panels, keys, strict=True):
        here = (folds[["dataset", "task", "metric"]] == list(key)).all(axis=1)
        of_panel = (tests[["dataset", "task", "metric"]] == list(key)).all(axis=1)
        _panel(axes, folds[here], tests[of_panel], models, marks)
        axes.set_title(", ".join(filter(None, [SETS.get(key[0], key[0]), TASKS.get(key[1], key[1])])))
        axes.set_xlabel(METRICS[key[2]])
    names = [f"{model}\n(standard)" if model == standard else model for model in models]
    panels[0].set_yticks(range(len(models)), names)
    panels[0].set_ylim(len(models) - 0.4, -0.6)
    entries: dict[str, Any] = {}
    for axes in panels:
        entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    ordered = sorted(entries, key=lambda label: label.startswith("target"))
    figure.legend([entries[label] for label in ordered], ordered, loc="outside upper center", ncols=2 if marks else 4)
    return figure, folds.reset_index(drop=True)


def _panel(axes: Axes, rows: pd.DataFrame, tests: pd.DataFrame, models: list[str], marks: Mapping[str, str]) -> None:
    place = {model: y for y, model in enumerate(models)}
    own, targets = rows[rows["source"] == RUN], rows[rows["source"] != RUN]
    shift = np.random.default_rng(1).uniform(-0.12, 0.12, len(own))
    look: dict[str, Any] = {"color": style.BLUE, "markersize": 2.4, "alpha": 0.7, "label": "test fold"}
    axes.plot(own["value"], own["model"].map(place) + shift, "o", **look)
    means = own.groupby("model")["value"].mean()
    y = means.index.map(place)
    axes.vlines(means, y - 0.22, y + 0.22, colors="black", linewidth=1.2, label="mean")
    real = "target, of real data" if "ceiling" in own and own["ceiling"].notna().any() else "target"
    seen: Counter[str] = Counter()
    for (model, source), group in targets.groupby(["model", "source"], sort=False):
        y = place[model] + (0.0 if model not in means else BELOW if seen[model] % 2 == 0 else -BELOW)
        seen[model] += 1
        look = {"markersize": 3.2, "color": "white", "markeredgecolor": style.VERMILLION, "label": f"{real}: {source}"}
        axes.plot(group["value"], [y] * len(group), marks[source], linestyle="", **look)
        words: dict[str, Any] = {"size": style.SMALL, "color": style.VERMILLION, "va": "center", "bbox": style.PLATE}
        text = f"{group['value'].mean():.3f}".replace("0.", ".", 1)
        axes.annotate(
            text, (group["value"].max(), y), (3.5, 0), textcoords="offset points", annotation_clip=False, **words
        )
    for test in tests.itertuples():
        if np.isfinite(test.p_holm):
            words = {"size": style.SMALL, "color": style.GREY, "va": "center"}
            axes.text(1.02, place[test.model], f"p = {test.p_holm:.2g}", transform=axes.get_yaxis_transform(), **words)
    style.ceiling(axes, own, upright=True)
    if UNIFORM in own and own[UNIFORM].notna().any():
        line: dict[str, Any] = {"color": style.GREY, "linewidth": 0.7, "linestyle": (0, (1, 2)), "zorder": 0}
        axes.axvline(own[UNIFORM].mean(), label="uniform profile", **line)
    axes.margins(x=0.16 if len(targets) else 0.05)  # room for the numbers
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

"""Fig. 5: Pearson r of Proformer and its peers on evaluation sets, by where each number comes from."""

from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from proformer.evaluation.evaluate import CHANGE
from proformer.evaluation.peers import CEILINGS, COLUMNS, MEAN, MODELS, PRINTED, PROFORMER, RECOMPUTED, RUN
from proformer.figures import style

BARS: dict[str, dict[str, Any]] = {
    PRINTED: {"facecolor": "white", "hatch": "//////", "label": "printed in a paper"},
    RECOMPUTED: {"facecolor": "#d9d9d9", "hatch": "......", "label": "recomputed from published predictions"},
    RUN: {"facecolor": "#9ecae1", "hatch": "", "label": "trained in this run"},
    PROFORMER: {"facecolor": style.ORANGE, "hatch": "xxxxxx", "label": "Proformer of this run"},
}
LOWEST = 60.0  # mm, one row of panels
NOTE = 130  # letters to a line of the note
CROWD = 18  # bars, beyond which a panel takes the whole width


@style.styled
def draw(*scores: pd.DataFrame, label: str = "", letter: str = "") -> style.Drawn:
    """Draw tables of `evaluation.peers.score_set`, one panel per set and kind; a bar is r, or its mean over seeds.

    Whiskers are 95 % bootstrap intervals. Bars start at zero; each carries its number. Panels of changes come last; two
    are side by side unless one has more than `CROWD` bars.
    Models without a defined r have no bar and say so. Returns the figure (180 mm wide) and what is drawn.
    """
    bars = one_row_per_bar(style.needed(pd.concat(scores, ignore_index=True), COLUMNS, "scores"))
    panels = sorted(dict.fromkeys(zip(bars["set"], bars["what"], strict=True)), key=lambda panel: panel[1] == CHANGE)
    crowded = bars.groupby(["set", "what"]).size().max() > CROWD
    columns = 1 if crowded else 2
    note = wrap("whiskers: 95 % bootstrap intervals" + (f". {label}" if label else ""), NOTE, break_on_hyphens=False)
    height = (5 + 3 * len(note), LOWEST if len(panels) <= columns else LOWEST - 4)
    figure, grid = style.panels(len(panels), columns, height, letter, "\n".join(note))
    shown = [
        _panel(axes, bars[(bars["set"] == name) & (bars["what"] == what)])
        for axes, (name, what) in zip(grid, panels, strict=True)
    ]
    for axes, models, below in zip(grid, shown, shown[columns:], strict=False):
        if models == below:
            axes.set_xticklabels([])  # the names are below
    present = [keywords for source, keywords in BARS.items() if source in set(bars["source"])]
    handles: list[Any] = [Patch(edgecolor=style.DARK, linewidth=0.5, **keywords) for keywords in present]
    handles += grid[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), handlelength=2.2, handleheight=1.1)
    return figure, bars


def one_row_per_bar(scores: pd.DataFrame) -> pd.DataFrame:
    """Keep the mean over seeds where there is one, else the only row of a set, kind, source and model."""
    key = ["set", "what", "source", "model"]
    scores = scores.assign(seed=scores["seed"].astype("string").fillna("").astype(object))
    mean = scores["seed"] == MEAN
    kept = scores[mean | ~mean.groupby([scores[name] for name in key]).transform("any")]
    return kept[[*COLUMNS, *kept.columns.intersection(CEILINGS)]].reset_index(drop=True)


def _panel(axes: Axes, bars: pd.DataFrame) -> list[str]:
    """Draw a panel; return its models from left to right."""
    order = {name: place for place, name in enumerate(MODELS)}
    # A variant, `DanQ (wide)`, comes after the model that it is one of.
    models = sorted(set(bars["model"]), key=lambda model: (order.get(model.split(" (")[0], len(order)), model))
    groups = {model: bars[bars["model"] == model] for model in models}
    width = min(0.9 / max(len(group) for group in groups.values()), 0.4)
    for place, group in enumerate(groups.values()):
        ordered = sorted(group.itertuples(), key=lambda bar: list(BARS).index(bar.source))
        for j, bar in enumerate(ordered):
            x = place + (j - (len(ordered) - 1) / 2) * width
            _bar(axes, x, 0.92 * width, bar)
    first = bars.iloc[0]
    n = bars["n"].max()
    title = first["title"] + (", changes of expression" if first["what"] == CHANGE else "")
    axes.set_title(title + (f": n = {n:,.0f}" if n == n else ""))
    axes.axhline(0, color="black", linewidth=0.6)
    style.ceiling(axes, bars, CEILINGS[0])
    lowest = np.floor(5 * np.nanmin([0.0, *bars["pearson"], *bars["pearson_low"]])) / 5
    lowest, step = (lowest, 0.2) if lowest > -0.5 else (-1.0, 0.5)
    axes.set(xticks=range(len(models)), ylabel="Pearson r", yticks=np.arange(lowest, 1.01, step))
    axes.set_ylim(lowest, 1 + 0.2 * (1 - lowest))  # room for the numbers
    axes.set_xticklabels(models, rotation=35, ha="right", rotation_mode="anchor")
    room = max(0.0, (6 - len(models)) / 2)  # so that few models have no broad bars
    axes.set_xlim(-0.6 - room, len(models) - 0.4 + room)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_bounds(lowest, 1)
    return models


def _bar(axes: Axes, x: float, width: float, bar: Any) -> None:
    words: dict[str, Any] = {"ha": "center", "va": "bottom", "size": style.SMALL - 0.5, "rotation": 90}
    if np.isnan(bar.pearson):
        axes.text(x, 0.02, "undefined", color=style.GREY, **words)
        return
    keywords = {name: value for name, value in BARS[bar.source].items() if name != "label"}
    axes.bar(x, bar.pearson, width, edgecolor=style.DARK, linewidth=0.5, **keywords)
    top = bar.pearson
    if np.isfinite([bar.pearson_low, bar.pearson_high]).all():
        axes.plot([x, x], [bar.pearson_low, bar.pearson_high], color="black", linewidth=0.8, solid_capstyle="butt")
        top = max(top, bar.pearson_high)
    axes.text(x, max(top, 0) + 0.015, f"{bar.pearson:.3f}", bbox=style.PLATE, **words)

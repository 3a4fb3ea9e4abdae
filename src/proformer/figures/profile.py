"""ATAC-seq signal around summits: mean and quartiles by distance, and one row of a heat map per summit."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from proformer.figures import style


@style.styled
def draw(
    profile: pd.DataFrame, heatmap: pd.DataFrame, label: str = "", letter: str = ""
) -> tuple[Figure, pd.DataFrame]:
    """Draw profile (position, mean, q25, q75) above heatmap (row, bin, signal); both in bp from the summit.

    Rows are in the order of their numbers, the first on top. `bin` is the first base of a bin, or its middle when the
    bins lie symmetrically about 0. The colours end at the 99th percentile. Returns the figure (85 mm wide) and the two
    tables as one, `element` profile or heatmap. Raises InputError for missing columns or no rows.
    """
    style.needed(profile, ["position", "mean", "q25", "q75"], "profile")
    style.needed(heatmap, ["row", "bin", "signal"], "heat map")
    profile = profile.sort_values("position")
    cells = heatmap.pivot(index="row", columns="bin", values="signal").sort_index()
    edges, rows = _edges(cells.columns.to_numpy(dtype=float)), len(cells)
    note = f"{label or 'this run'}: {rows:,} summit{'s' * (rows > 1)} shown, highest signal on top"
    figure = style.new(style.SINGLE, 105, letter, note)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.8])
    position = profile["position"]
    keywords = {"color": style.BLUE, "alpha": 0.25, "linewidth": 0, "label": "quartiles"}
    upper.fill_between(position, profile["q25"], profile["q75"], **keywords)
    upper.plot(position, profile["mean"], color=style.BLUE, label="mean")
    upper.set(ylabel="signal, per million", ylim=(0, None))
    upper.legend(loc="upper right")
    top = float(np.nanquantile(cells.to_numpy(), 0.99)) or 1.0
    mesh = lower.pcolormesh(
        edges, np.arange(rows + 1) + 0.5, cells.to_numpy(), cmap=matplotlib.colormaps["cividis"], vmin=0, vmax=top,
        rasterized=True,
    )  # fmt: skip
    lower.invert_yaxis()
    lower.set(xlabel="distance from summit, bp", ylabel="summits", xlim=(edges[0], edges[-1]))
    lower.set_yticks([1, rows] if rows > 1 else [1])
    style.colour_bar(figure, mesh, lower, "signal, per million", pad=0.03, extend="max")
    drawn = pd.concat([profile.assign(element="profile"), heatmap.assign(element="heatmap")], ignore_index=True)
    return figure, drawn[["element", "position", "mean", "q25", "q75", "row", "bin", "signal"]]


def _edges(bins: np.ndarray) -> np.ndarray:
    step = float(np.median(np.diff(bins))) if len(bins) > 1 else 1.0
    first = bins - step / 2 if abs(bins[0] + bins[-1]) < step / 4 else bins
    return np.append(first, first[-1] + step)

"""Predicted against measured expression in every subset of the DREAM test data, as a density."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from proformer.evaluation.density import COLUMNS
from proformer.evaluation.dream import WEIGHTS
from proformer.evaluation.dream_files import PAIRS
from proformer.figures import style

NUMBERS = ["n", "pearson", "spearman"]


@style.styled
def draw(density: pd.DataFrame, label: str = "", letter: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw a density table of one model: a panel per subset, colours count sequences or pairs on a common log scale.

    Each panel holds n, r and ρ. Returns the figure (180 mm wide) and the drawn cells.
    """
    style.one_dataset(style.needed(density, [*COLUMNS, *NUMBERS], "density"), ["model"])
    subsets = [name for name in WEIGHTS if name in set(density["subset"])]
    note = f"{density['model'].iloc[0]}; {label or 'this run'}"
    figure, panels = style.panels(len(subsets), 3, (26, 52), letter, note)
    norm = LogNorm(1, max(2, density["count"].max()))
    for axes, name in zip(panels, subsets, strict=True):
        cells = density[density["subset"] == name]
        x, y = (_edges(cells, axis) for axis in ("measured", "predicted"))
        counts = np.full((len(y) - 1, len(x) - 1), np.nan)
        place = np.searchsorted(y, cells["predicted_low"]), np.searchsorted(x, cells["measured_low"])
        counts[place] = cells["count"]
        axes.pcolormesh(x, y, counts, cmap=matplotlib.colormaps["viridis"], norm=norm, rasterized=True)
        n, r, rho = cells[NUMBERS].iloc[0]
        numbers = "r and ρ undefined" if np.isnan(r) else f"r = {r:.3f}, ρ = {rho:.3f}"
        axes.set_title(f"{name.replace('_', ' ')}{', differences' if name in PAIRS else ''}\nn = {int(n):,}, {numbers}")
        axes.margins(0.03)
        axes.set(xlabel="measured expression", ylabel="predicted expression")
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    mesh = ScalarMappable(norm, matplotlib.colormaps["viridis"])
    bar = style.colour_bar(figure, mesh, panels, "sequences or pairs per cell", pad=0.02, aspect=60, shrink=0.6)
    bar.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    bar.xaxis.set_minor_formatter(NullFormatter())
    return figure, density[[*COLUMNS, *NUMBERS]]


def _edges(cells: pd.DataFrame, axis: str) -> np.ndarray:
    return np.unique(cells[[f"{axis}_low", f"{axis}_high"]])

"""Predicted against measured expression in every subset of the DREAM test data, as a density."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from proformer.errors import InputError
from proformer.evaluation.density import COLUMNS
from proformer.evaluation.dream import APPROXIMATE, SHOWN
from proformer.evaluation.dream_files import ALL, PAIRS
from proformer.evaluation.heads import without_seed
from proformer.figures import style

NUMBERS = ["n", "pearson", "spearman"]


LEADING = 6  # models


@style.styled
def draw(density: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw a density table of one model: a panel per subset, colours count sequences or pairs on a common log scale.

    Each panel holds n, r and ρ. Returns the figure (180 mm wide) and the drawn cells.
    """
    style.one_dataset(style.needed(density, [*COLUMNS, *NUMBERS], "density"), ["model"])
    subsets = [name for name in SHOWN if name in set(density["subset"])]
    differences = (*PAIRS, APPROXIMATE)
    titles = {name: f"{name.replace('_', ' ')}{', differences' if name in differences else ''}" for name in subsets}
    panels = {titles[name]: density[density["subset"] == name] for name in subsets}
    return _draw(panels, f"{density['model'].iloc[0]}; this run", letter), density[[*COLUMNS, *NUMBERS]]


@style.styled
def draw_leading(density: pd.DataFrame, ranks: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw all rows of the leading models of a table of ranks, a panel each; see `draw`."""
    style.needed(density, [*COLUMNS, *NUMBERS], "density")
    panels = {model: density[(density["model"] == model) & (density["subset"] == ALL)] for model in ranks["model"]}
    leading = {model: cells for model, cells in panels.items() if len(cells)}
    shown = {without_seed(model): leading[model] for model in [*leading][:LEADING]}
    if not shown:
        raise InputError(f"density table: found no cells of the subset {ALL}, expected some")
    return _draw(shown, "this run", letter), pd.concat(shown.values())[[*COLUMNS, *NUMBERS]]


def _draw(cells_of: dict[str, pd.DataFrame], note: str, letter: str) -> Figure:
    """A panel for each title, three in a row."""
    figure, panels = style.panels(len(cells_of), 3, (26, 52), letter, note)
    norm = LogNorm(1, max(2, *(cells["count"].max() for cells in cells_of.values())))
    for axes, (title, cells) in zip(panels, cells_of.items(), strict=True):
        x, y = (_edges(cells, axis) for axis in ("measured", "predicted"))
        counts = np.full((len(y) - 1, len(x) - 1), np.nan)
        place = np.searchsorted(y, cells["predicted_low"]), np.searchsorted(x, cells["measured_low"])
        counts[place] = cells["count"]
        axes.pcolormesh(x, y, counts, cmap=matplotlib.colormaps["viridis"], norm=norm, rasterized=True)
        n, r, rho = cells[NUMBERS].iloc[0]
        numbers = "r and ρ undefined" if np.isnan(r) else f"r = {r:.3f}, ρ = {rho:.3f}"
        axes.set_title(f"{title}\nn = {int(n):,}, {numbers}")
        axes.margins(0.03)
        axes.set(xlabel="measured expression", ylabel="predicted expression")
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    mesh = ScalarMappable(norm, matplotlib.colormaps["viridis"])
    bar = style.colour_bar(figure, mesh, panels, "sequences or pairs per cell", pad=0.02, aspect=60, shrink=0.6)
    bar.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
    bar.xaxis.set_minor_formatter(NullFormatter())
    return figure


def _edges(cells: pd.DataFrame, axis: str) -> np.ndarray:
    return np.unique(cells[[f"{axis}_low", f"{axis}_high"]])

"""Models of coverage on measured variants (Toneyan et al. 2022, Fig. 5): effects, and what robust predictions gain."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from proformer.evaluation.profile_windows import VARIANTS, WHOLE, WINDOWS
from proformer.figures import style
from proformer.figures.gopher import KINDS, NAMES, chosen_rows, edges_of, means, note_of, order_of


@style.styled
def effects(table: pd.DataFrame, alleles: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw predictions of both alleles of a variant, and effects of all changes of its element (Fig. 5a)."""
    table = style.needed(table, ["model", "element", "position", "measured", "standard", "robust"], "effects")
    alleles = style.needed(alleles, ["element", "variant", "position", "reference", "alternative"], "alleles")
    own = table[table["element"] == alleles["element"].iloc[0]]
    ways = [name for name in ("measured", "standard", "robust") if own[name].notna().any()]
    figure = style.new(style.DOUBLE, 40 + 17 * len(ways), letter, f"{own['element'].iloc[0]}, {note_of(table)}")
    grid = figure.add_gridspec(2, 1, height_ratios=[1.6, len(ways)])
    curves = figure.add_subplot(grid[0])
    panels = grid[1].subgridspec(len(ways), 1).subplots(sharex=True, squeeze=False)[:, 0]
    edges = edges_of(alleles["position"])
    for column, colour in (("reference", "black"), ("alternative", style.VERMILLION)):
        curves.stairs(
            alleles[column], edges, baseline=None, color=colour, label=f"{column}, {alleles['variant'].iloc[0]}"
        )
    curves.axvline(int(alleles["variant"].iloc[0][1:-1]), color=style.GREY, linewidth=0.6, linestyle=":")
    curves.set_ylabel("coverage")
    curves.xaxis.set_major_formatter("{x:.0f}")
    figure.legend(*curves.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    places = np.arange(own["position"].min(), own["position"].max() + 1)
    for axes, name in zip(panels, ways, strict=True):
        cells = own.pivot_table(index="alternative", columns="position", values=name)
        cells = cells.reindex(index=[*"ACGT"], columns=places)
        limit = float(np.nanpercentile(np.abs(cells.to_numpy()), 99)) or 1.0
        colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad="#d8d8d8")
        sides = np.append(places, places[-1] + 1)
        mesh = axes.pcolormesh(sides, np.arange(5), cells, cmap=colours, vmin=-limit, vmax=limit)
        axes.set_yticks(np.arange(4) + 0.5, [*"ACGT"])
        axes.invert_yaxis()
        axes.tick_params(left=False)
        axes.set_ylabel(name)
        bar = figure.colorbar(mesh, ax=axes, aspect=8, pad=0.01, ticks=[-limit / 2, 0, limit / 2], format="{x:.2g}")
        bar.outline.set_visible(False)  # type: ignore[operator]
    panels[-1].set_xlim(places[0], places[-1] + 1)
    panels[-1].xaxis.set_major_formatter("{x:.0f}")
    panels[-1].set_xlabel("position (bp)")
    return figure, own


@style.styled
def variants(scores: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw r on the whole test part against mean r with measured effects of variants (Fig. 5b)."""
    keys = ["kind", "model"]
    whole = means(chosen_rows(scores, how=WINDOWS, subset=WHOLE), keys)[[*keys, "pearson"]]
    ours = means(chosen_rows(scores, how=VARIANTS), keys)[[*keys, "robust_pearson"]]
    table = ours.merge(whole, on=keys).dropna()
    figure = style.new(style.SINGLE, 78, letter)
    axes = figure.subplots()
    for kind, (colour, name) in KINDS.items():
        own = table[table["kind"] == kind]
        if len(own):
            axes.scatter(own["robust_pearson"], own["pearson"], s=14, color=colour, alpha=0.8, linewidths=0, label=name)
    axes.set_xlabel("r with measured effects of variants, mean of elements")
    axes.set_ylabel(NAMES["pearson"] + " of the windows' coverage")
    figure.legend(loc="outside upper center", ncols=2)
    if len(table) <= 16:
        style.label_points(axes, zip(table["robust_pearson"], table["pearson"], table["model"], strict=True))
    return figure, table


@style.styled
def gains(scores: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw what robust predictions of variants gain, a bar per model, and how gains are distributed (Fig. 5c)."""
    rows = chosen_rows(scores, how=VARIANTS).fillna({"trained_shift": 0})
    table = means(rows, ["run", "model", "trained_shift"]).dropna(subset=["pearson", "robust_pearson"])
    table["gain"] = table["robust_pearson"] - table["pearson"]
    table["place"] = table["run"].map(order_of(rows["run"]))
    table = table.sort_values(["place", "gain"], ignore_index=True)
    figure = style.new(style.DOUBLE, 70, letter)
    bars, curve = figure.subplots(1, 2, width_ratios=[3, 1])
    places = np.arange(len(table)) + table.pop("place").to_numpy()  # a gap between runs
    for shifted, colour, name in ((True, style.BLUE, "trained with random shifts"), (False, style.ORANGE, "without")):
        own = (table["trained_shift"] > 0).to_numpy() == shifted
        if own.any():
            bars.bar(places[own], table["gain"][own], color=colour, width=0.8, label=name)
            curve.ecdf(table["gain"][own], color=colour)
    bars.axhline(0, color=style.DARK, linewidth=0.6)
    curve.axvline(0, color=style.DARK, linewidth=0.6)
    middles = pd.Series(places).groupby(table["run"].to_numpy(), sort=False).mean()
    bars.set_xticks(middles, middles.index, rotation=30, ha="right", rotation_mode="anchor")
    bars.tick_params(bottom=False)
    bars.set_ylabel("r, robust less standard")
    curve.set_xlabel("r, robust less standard")
    curve.xaxis.set_major_locator(MaxNLocator(3))
    curve.set_ylabel("share of models")
    figure.legend(*bars.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure, table


@style.styled
def elements(scores: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw r of every model with measured effects by element, standard and robust."""
    table = means(chosen_rows(scores, how=VARIANTS), ["subset", "model", "kind"])
    names = table.groupby("subset")["robust_pearson"].median().sort_values(ascending=False).index.tolist()
    figure = style.new(style.DOUBLE, 70, letter)
    axes = figure.subplots()
    ways = (("pearson", "standard", style.GREY, -0.16), ("robust_pearson", "robust", style.BLUE, 0.16))
    for metric, name, colour, aside in ways:
        at = table["subset"].map(order_of(pd.Series(names))) + aside
        axes.scatter(at, table[metric], s=7, color=colour, alpha=0.7, linewidths=0, label=name)
    axes.axhline(0, color=style.DARK, linewidth=0.6)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_ylabel("r with measured effects")
    figure.legend(loc="outside upper center", ncols=2)
    return figure, table

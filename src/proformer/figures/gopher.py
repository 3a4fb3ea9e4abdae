"""Models of coverage (Toneyan et al. 2022): losses, resolutions, training and test sets, robustness, and labels.

Figures of variants are in `gopher_variants`.

Tables are those of `proformer profiles`, or numbers of the paper in the same columns. Values are means over tasks, bars
and bands are left out: the tasks of one model are no sample.
"""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import LogLocator, NullFormatter

from proformer.errors import InputError
from proformer.evaluation.profile_claims import PLAIN
from proformer.evaluation.profile_windows import OWN, PEAKS, SHIFTS, WHOLE, WINDOWS
from proformer.figures import style

BASE = ["how", "subset", "over", "metric", "value"]
NAMES = style.METRICS | {"scaled_mse": "mean squared error, scaled predictions", "variation": "variation score"}
KINDS = {"binary": (style.BLUE, "models of labels"), "profile": (style.ORANGE, "models of coverage"),
         "tracks": (style.DARK, "further tracks")}  # fmt: skip


@style.styled
def tracks(examples: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw measured (grey) and predicted coverage of the windows with the most, a row per task (Fig. 2a)."""
    table = chosen_rows(examples, kind="track")
    rows, tasks = table["row"].unique()[:4], table["task"].unique()[:5]
    table = table[table["row"].isin(rows) & table["task"].isin(tasks)]
    figure = style.new(style.DOUBLE, 14 + 22 * len(tasks), letter, note_of(table))
    panels = figure.subplots(len(tasks), len(rows), squeeze=False, sharex=True, sharey="row")
    for i, task in enumerate(tasks):
        for j, row in enumerate(rows):
            axes, own = panels[i, j], table[(table["task"] == task) & (table["row"] == row)]
            edges = edges_of(own["position"])
            axes.stairs(own["truth"], edges, fill=True, color="#c0c0c0", label="measured")
            axes.stairs(own["prediction"], edges, color=style.VERMILLION, linewidth=0.8, label="predicted")
            if i == 0:
                axes.set_title(f"window {row}")
        panels[i, 0].set_ylabel(task)
    for axes in panels[-1]:
        axes.set_xlabel("bp")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure, table


@style.styled
def losses(scores: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw r against the error of scaled predictions, a colour per loss, bins as numbers (Fig. 2b, ED 1a)."""
    table = means(chosen_rows(scores, how=OWN, subset=WHOLE, over=WHOLE), ["loss", "trained_bp"])
    drawn = table[(table["scaled_mse"] > 0) & table["pearson"].notna()]
    figure = style.new(style.SINGLE, 80, letter)
    axes = figure.subplots()
    for place, (colour, (loss, own)) in enumerate(zip(_colours(), drawn.groupby("loss", sort=False), strict=False)):
        own = own.sort_values("trained_bp")
        size = 7 - 1.2 * place  # losses that give the same are rings around each other
        axes.plot(own["scaled_mse"], own["pearson"], "o-", color=colour, markersize=size, linewidth=0.6, label=loss)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(NAMES["scaled_mse"])
    axes.set_ylabel(NAMES["pearson"])
    figure.legend(loc="outside upper center", ncols=3)
    bins = drawn["trained_bp"].map("{:g}".format)
    style.label_points(axes, zip(drawn["scaled_mse"], drawn["pearson"], bins, strict=True))
    return figure, table[["loss", "trained_bp", "pearson", "scaled_mse"]]


@style.styled
def resolutions(scores: pd.DataFrame, how: str = "bins", letter: str = "") -> style.Drawn:
    """Draw r of models by the bins they were trained on (rows) at coarser ones, or smoothed (2c, ED 1b, 2)."""
    table = means(chosen_rows(scores, how=how, over=WHOLE), ["trained_bp", "bp"])
    cells = table.pivot(index="trained_bp", columns="bp", values="pearson")
    figure = style.new(style.SINGLE, 30 + 6.5 * len(cells), letter)
    axes = figure.subplots()
    known = cells.to_numpy()[np.isfinite(cells.to_numpy())]
    if not len(known):
        raise InputError("scores table: found no r, expected some")
    norm: Any = Normalize(known.min(), max(known.max(), known.min() + 1e-9))
    texts = np.where(cells.isna(), "", cells.map("{:.3f}".format))
    colours = matplotlib.colormaps["cividis"].with_extremes(bad="white")
    mesh = style.heat_map(axes, cells.to_numpy(), texts, colours, norm)
    axes.set_xticklabels([f"{bp:g}" for bp in cells.columns])
    axes.set_yticklabels([f"{bp:g}" for bp in cells.index])
    axes.set_xlabel("evaluated at bins of (bp)" if how == "bins" else "evaluated after smoothing by (bp)")
    axes.set_ylabel("trained at bins of (bp)")
    style.colour_bar(figure, mesh, axes, NAMES["pearson"])
    return figure, table[["trained_bp", "bp", "pearson"]]


@style.styled
def lines(scores: pd.DataFrame, series: str = "trained_on", title: str = "", letter: str = "") -> style.Drawn:
    """Draw r at the models' own bins against these, a line for each value of a column (Fig. 2d)."""
    plain = scores[scores["loss"].fillna(PLAIN) == PLAIN] if "loss" in scores and series != "loss" else scores
    table = means(chosen_rows(plain, how=OWN, subset=WHOLE, over=WHOLE), [series, "trained_bp"])
    figure = style.new(style.SINGLE, 70, letter)
    axes = figure.subplots()
    for colour, (name, own) in zip(_colours(), table.groupby(series, sort=True), strict=False):
        own = own.sort_values("trained_bp")
        axes.plot(own["trained_bp"], own["pearson"], "o-", color=colour, markersize=3, label=str(name))
    _bins_axis(axes, table["trained_bp"])
    axes.set_ylabel(NAMES["pearson"])
    figure.legend(title=title or None, loc="outside upper center", ncols=3)
    return figure, table[[series, "trained_bp", "pearson"]]


@style.styled
def thresholds(scores: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw r within sequences against the threshold of the test set, a line per bin of the models (Fig. 2e)."""
    rows = scores[scores["subset"].str.startswith("above ")]
    rows = rows.assign(above=rows["subset"].str.removeprefix("above ").astype(float))
    table = means(chosen_rows(rows, how=OWN, over="sequence"), ["trained_bp", "above"]).dropna(subset="pearson")
    figure = style.new(style.SINGLE, 70, letter)
    axes = figure.subplots()
    shades = matplotlib.colormaps["viridis"](np.linspace(0.05, 0.9, max(table["trained_bp"].nunique(), 1)))
    for colour, (bp, own) in zip(shades, table.groupby("trained_bp"), strict=True):
        axes.plot(own["above"], own["pearson"], "o-", color=colour, markersize=3, label=f"{bp:g} bp")
    axes.set_xlabel("test windows whose greatest coverage is above")
    axes.set_ylabel("Pearson r within sequences")
    figure.legend(loc="outside upper center", ncols=4)
    return figure, table[["trained_bp", "above", "pearson"]]


@style.styled
def shifts(examples: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw predictions of one window from several starts, where all of them see it (Fig. 3a)."""
    table = chosen_rows(examples, kind="shift")
    figure = style.new(style.SINGLE, 60, letter, note_of(table))
    axes = figure.subplots()
    for colour, (start, own) in zip(_colours(), table.groupby("shift"), strict=False):
        label = f"from {start:g} bp"
        axes.stairs(own["prediction"], edges_of(own["position"]), baseline=None, color=colour, label=label)
    axes.set_xlabel("bp of what all see")
    axes.set_ylabel(f"coverage of {table['task'].iloc[0]}")
    figure.legend(loc="outside upper center", ncols=3)
    return figure, table


@style.styled
def robustness(scores: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw r within sequences against the variation over shifts, a colour per augmentation (Fig. 3b)."""
    rows = chosen_rows(scores, how=SHIFTS)
    table = means(rows, ["augmentation", "trained_on", "seed"]).dropna(subset=["variation", "pearson"])
    figure = style.new(style.SINGLE, 75, letter)
    axes = figure.subplots()
    markers = dict(zip(sorted(table["trained_on"].unique()), "o^sDv", strict=False))
    for colour, (name, own) in zip(_colours(), table.groupby("augmentation", sort=False), strict=False):
        for trained, part in own.groupby("trained_on"):
            place: Any = {"color": colour, "marker": markers.get(trained, "x"), "s": 18, "label": f"{name}, {trained}"}
            axes.scatter(part["variation"], part["pearson"], **place)
    axes.set_xlabel("variation score (lower: steadier)")
    axes.set_ylabel("Pearson r within sequences")
    figure.legend(loc="outside upper center", ncols=2)
    return figure, table[["augmentation", "trained_on", "seed", "variation", "pearson"]]


@style.styled
def labels(examples: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw the mean predicted coverage of windows with and without a peak (Fig. 4a): what an AUROC is computed from."""
    table = chosen_rows(examples, kind="label")
    tasks = table["task"].unique()[:6]
    table = table[table["task"].isin(tasks)]
    figure, panels = style.panels(len(tasks), 3, (16, 38), letter, note_of(table))
    for axes, task in zip(panels, tasks, strict=True):
        own = table[table["task"] == task]
        bins = np.histogram_bin_edges(np.log10(own["prediction"].clip(lower=1e-6)), 30).tolist()
        for value, colour, name in ((0, style.GREY, "no peak"), (1, style.VERMILLION, "peak")):
            part = np.log10(own.loc[own["label"] == value, "prediction"].clip(lower=1e-6))
            axes.hist(part, bins, density=len(part) > 0, histtype="stepfilled", alpha=0.6, color=colour, label=name)
        axes.set_title(task)
        axes.set_xlabel("log10 of predicted coverage")
        axes.set_yticks([])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure, table[["model", "task", "row", "prediction", "label"]]


@style.styled
def both(scores: pd.DataFrame, metric: str = "auroc", letter: str = "") -> style.Drawn:
    """Draw AUROC (or AUPR) against r of window's coverage, where peaks are and everywhere (Fig. 4b, ED 3)."""
    table = means(chosen_rows(scores, how=WINDOWS), ["kind", "model", "subset"])
    table = table.dropna(subset=["pearson", metric])
    figure = style.new(style.DOUBLE, 78, letter)
    panels = figure.subplots(1, 2)
    for axes, subset in zip(panels, (PEAKS, WHOLE), strict=True):
        for kind, (colour, name) in KINDS.items():
            own = table[(table["subset"] == subset) & (table["kind"] == kind)]
            if len(own):
                axes.scatter(own["pearson"], own[metric], s=12, color=colour, alpha=0.8, linewidths=0, label=name)
        axes.set_title("windows with a peak" if subset == PEAKS else "all windows")
        axes.set_xlabel("Pearson r of the windows' coverage")
        axes.set_ylabel(NAMES[metric])
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    few = table[table.groupby(["subset", "kind"])["model"].transform("size") <= 8]
    for axes, subset in zip(panels, (PEAKS, WHOLE), strict=True):
        own = few[few["subset"] == subset]
        style.label_points(axes, zip(own["pearson"], own[metric], own["model"], strict=True))
    return figure, table[["kind", "model", "subset", "pearson", metric]]


def order_of(names: pd.Series) -> dict[str, int]:
    """The place of each name by its first appearance."""
    return {name: place for place, name in enumerate(names.unique())}


def chosen_rows(table: pd.DataFrame, **values: str) -> pd.DataFrame:
    """The rows with these values; raises InputError where there are none."""
    for column, value in values.items():
        if column not in table:
            raise InputError(f"found no column {column!r}, expected one of {', '.join(table)}")
        table = table[table[column] == value]
    if table.empty:
        raise InputError(f"found no rows with {values}, expected some")
    return table


def means(scores: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Means over all else, a column per metric."""
    table = style.needed(scores, [*keys, "metric", "value"], "scores")
    wide = table.pivot_table(index=keys, columns="metric", values="value", aggfunc="mean", dropna=False, sort=False)
    wide = wide.dropna(how="all").reset_index().rename_axis(columns=None)
    return wide.reindex(columns=[*keys, *(name for name in wide if name not in keys)])


def _bins_axis(axes: Axes, bins: pd.Series) -> None:
    axes.set_xscale("log", base=2)
    places = sorted(bins.dropna().unique())
    axes.set_xticks(places, [f"{bp:g}" for bp in places])
    axes.minorticks_off()
    axes.set_xlabel("bins that models are trained on (bp)")


def edges_of(starts: pd.Series) -> list[float]:
    """Where bins begin, and the last one ends."""
    return [*starts, 2 * starts.iloc[-1] - starts.iloc[-2]] if len(starts) > 1 else [0, 1]


def _colours() -> list[str]:
    return [*style.SERIES, style.DARK, "#56b4e9"]


def note_of(examples: pd.DataFrame) -> str:
    """Which model is drawn."""
    return f"predicted by {examples['model'].iloc[0]}"

"""What models have learnt: attribution, logos, motifs, importance of patterns, design, certainty."""

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import Normalize

from proformer.explain.questions import MATCHED
from proformer.figures import style
from proformer.figures.logos import logo

METHODS = {
    "ism": "mutagenesis",
    "gradient": "gradient × input",
    "smoothgrad": "SmoothGrad",
    "integrated": "integrated",
    "deeplift": "DeepLIFT",
}
MEASURES = {"auroc": "AUROC of binding sites", "r_truth": "r with the true effect", "r_ism": "r with mutagenesis"}


def _names(table: pd.DataFrame) -> pd.Series:
    """Run and seed; the seed is left out where there is one."""
    text = table["seed"].map(lambda seed: f"{seed:g}" if isinstance(seed, float) else str(seed), na_action="ignore")
    if text.replace("", np.nan).nunique() < 2:
        return table["run"].astype(str)
    return table["run"].astype(str) + text.fillna("").map(lambda seed: seed and f", seed {seed}")


def _colours(names: list[str]) -> dict[str, str]:
    rest = [name for name in names if name != style.PERFECT]
    return {name: style.SERIES[place % len(style.SERIES)] for place, name in enumerate(rest)} | {
        style.PERFECT: style.DARK
    }


@style.styled
def attribution(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw a cell for each model and method, a panel per measure that is there; returns the drawn cells.

    Measures: AUROC of the letters of binding sites by |contribution| and r with the true contributions, on simulated
    promoters; r with in-silico mutagenesis.
    """
    table = style.needed(table, ["run", "seed", "method", "sequences"], "attribution").assign(name=_names(table))
    measures = [name for name in MEASURES if name in table and table[name].notna().any()]
    names, methods = [*dict.fromkeys(table["name"])], [name for name in METHODS if name in set(table["method"])]
    figure = style.new(style.DOUBLE, 26 + 6 * len(names), letter, f"n = {table['sequences'].iloc[0]} sequences")
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for axes, measure in zip(panels, measures, strict=True):
        values = table.pivot_table(index="name", columns="method", values=measure).reindex(names)
        values = values.reindex(methods, axis=1)
        low = 0.5 if measure == "auroc" else 0.0
        texts = values.map(lambda value: "–" if pd.isna(value) else f"{value:.2f}").to_numpy()
        shades = np.nan_to_num(values.to_numpy(float), nan=low)
        style.heat_map(axes, shades, texts, colormaps["Blues"], Normalize(low, 1))
        axes.set_xticklabels([METHODS[method] for method in methods])
        axes.set_yticklabels(names)
        axes.set_xlabel(MEASURES[measure])
    return figure, table[["run", "seed", "method", *measures, "sequences"]]


@style.styled
def logos(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw what each letter contributes by in-silico mutagenesis: a column per sequence, a row per model."""
    table = style.needed(table, ["run", "seed", "sequence", "position", "code", "contribution"], "logos")
    table = table.assign(name=_names(table))
    names, sequences = [*dict.fromkeys(table["name"])], sorted(set(table["sequence"]))
    figure = style.new(style.DOUBLE, 8 + 18 * len(names), letter)
    panels = figure.subplots(len(names), len(sequences), squeeze=False, sharex="col")
    for row, name in enumerate(names):
        for column, sequence in enumerate(sequences):
            chosen = table[(table["name"] == name) & (table["sequence"] == sequence)]
            heights = np.zeros((len(chosen), 4))
            heights[np.arange(len(chosen)), chosen["code"]] = chosen["contribution"]
            logo(panels[row, column], heights, chosen["position"].min())
        panels[row, 0].set_title(name, loc="left")
    for axes in panels[-1]:
        axes.set_xlabel("position (nt)")
    return figure, table.drop(columns="name")


@style.styled
def motifs(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw the motifs of the filters that are nearest to a known one: a row per model, with the name and q of that."""
    table = style.needed(table, ["run", "seed", "filter", "target", "q", "position", *"ACGT"], "filters' motifs")
    table = table.assign(name=_names(table))
    names = [*dict.fromkeys(table["name"])]
    columns = int(table.groupby("name")["filter"].nunique().max())
    figure = style.new(style.DOUBLE, 8 + 19 * len(names), letter, "height of a column: information (bits)")
    panels = figure.subplots(len(names), columns, squeeze=False)
    for name, row in zip(names, panels, strict=True):
        chosen = table[table["name"] == name]
        for axes, (_, motif) in zip(row, chosen.groupby("filter", sort=False), strict=False):
            logo(axes, motif[[*"ACGT"]].to_numpy())
            axes.set(ylim=(0, 2), xticks=[], yticks=[0, 2])
            target = motif["target"].iloc[0]
            axes.set_title("no known motif" if pd.isna(target) else f"{str(target)[:24]}, q = {motif['q'].iloc[0]:.1g}")
        for axes in row[chosen["filter"].nunique() :]:
            axes.set_axis_off()
        row[0].set_ylabel(fill(name, 12))
    return figure, table.drop(columns="name")


@style.styled
def filters(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw how many filters of each model resemble a known motif, and the mean q value (Toneyan et al., Fig. ED4)."""
    table = style.needed(table, ["run", "seed", "filters", "hit_ratio", "mean_q"], "filters").dropna(subset="hit_ratio")
    names, y = _names(table), np.arange(len(table))
    figure = style.new(style.DOUBLE, 22 + 5 * len(table), letter)
    panels = figure.subplots(1, 2, sharey=True)
    labels = {"hit_ratio": f"share of filters with q < {MATCHED:g}", "mean_q": "mean q value of the nearest motif"}
    for axes, (column, label) in zip(panels, labels.items(), strict=True):
        axes.barh(y, table[column], 0.7, color=style.BLUE)
        for place, value in zip(y, table[column], strict=True):
            axes.text(value, place, f" {value:.2f}", va="center_baseline", size=style.SMALL)
        axes.set(xlabel=label, xlim=(0, 1.12))
    texts = [f"{name} ({count:.0f} filters)" for name, count in zip(names, table["filters"], strict=True)]
    panels[0].set_yticks(y, texts)
    panels[0].invert_yaxis()
    return figure, table


@style.styled
def importance(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw experiments with patterns, a panel each: what is varied against importance, a line per model.

    Flanks are ranked; of two patterns, what both do beyond the sum of each.
    """
    table = style.needed(table, ["run", "seed", "experiment", "pattern", "x", "importance"], "importance")
    table = table.assign(name=_names(table)).dropna(subset="x")
    table = table[~table["pattern"].str.contains(": (?:both|sum)$")]
    table["panel"] = table["pattern"].where(table["experiment"] != "flanks", "flanks")
    shown = [*table.groupby(["experiment", "panel"], sort=False)]
    colours = _colours([*dict.fromkeys(table["name"])])
    figure, panels = style.panels(len(shown), 3, (16, 42), letter, "")
    words = {
        "positions": "position (nt)",
        "copies": "copies",
        "flanks": "rank of the flanks",
        "distances": "distance (nt)",
    }
    words |= {"occlusion": "matches, occluded"}
    handles: dict[str, Any] = {}
    for axes, ((experiment, pattern), rows) in zip(panels, shown, strict=True):
        for name, line in rows.groupby("name", sort=False):
            line = line.sort_values("x")
            kind = "--" if name == style.PERFECT else "-"
            marker = "o" if len(line) < 6 else ""
            handles[name] = axes.plot(
                line["x"], line["importance"], color=colours[name], marker=marker, ms=2.5, linestyle=kind
            )[0]
        axes.axhline(0, color=style.GREY, linewidth=0.4)
        axes.set(title=pattern, xlabel=words[experiment], ylabel="importance")
        style.integer_axis(axes)
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=6)
    return figure, table.drop(columns=["name", "panel"])


@style.styled
def design(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw predictions against edits, the mean of all sequences; dashed: what is truly expressed, where it is known."""
    table = style.needed(table, ["run", "seed", "row", "step", "edits", "predicted"], "design").assign(
        name=_names(table)
    )
    known = "true" in table and table["true"].notna().any()
    columns = ["edits", "predicted", *(["true"] if known else [])]
    points = table.groupby(["run", "seed", "name", "step"], sort=False, dropna=False)
    drawn = points[columns].mean().reset_index().assign(n=points.size().to_numpy())
    colours = _colours([*dict.fromkeys(drawn["name"])])
    figure = style.new(style.SINGLE, 72, letter, f"n = {table['row'].nunique()} sequences")
    axes = figure.subplots()
    for name, line in drawn.groupby("name", sort=False):
        axes.plot(line["edits"], line["predicted"], color=colours[name], label=name, marker="o", ms=2.5)
        if known:
            axes.plot(line["edits"], line["true"], color=colours[name], linestyle="--", marker="o", ms=2.5, mfc="white")
    axes.set(xlabel="edits", ylabel="expression" + (": predicted (—), true (- -)" if known else ", predicted"))
    style.integer_axis(axes)
    figure.legend(loc="outside upper center", ncols=3)
    return figure, drawn.drop(columns="name")


@style.styled
def coverage(table: pd.DataFrame, letter: str = "", width: str = "constant") -> style.Drawn:
    """Draw nominal against real coverage, a panel per set that calibrates, a line per subset; means over models."""
    columns = ["run", "calibrated_on", "width", "subset", "nominal", "real", "n"]
    table = style.needed(table, columns, "coverage")
    table = table[table["width"] == width]
    keys = ["calibrated_on", "subset", "nominal"]
    drawn = table.groupby(keys, sort=False).agg({"real": "mean", "n": "first", "run": "nunique"}).reset_index()
    sets, subsets = ([*dict.fromkeys(drawn[name])] for name in ("calibrated_on", "subset"))
    figure = style.new(style.DOUBLE, 78, letter, f"mean of {drawn['run'].max()} models")
    panels = figure.subplots(1, len(sets), squeeze=False, sharey=True)[0]
    for axes, name in zip(panels, sets, strict=True):
        axes.plot([0.45, 1], [0.45, 1], color=style.GREY, linewidth=0.6, linestyle=":")
        for place, subset in enumerate(subsets):
            line = drawn[(drawn["calibrated_on"] == name) & (drawn["subset"] == subset)]
            label = f"{subset} ({line['n'].iloc[0]})" if len(line) else subset
            axes.plot(line["nominal"], line["real"], color=style.SERIES[place % 6], marker="o", ms=2.5, label=label)
        axes.set(title=f"calibrated on {name}", xlabel="nominal coverage", xlim=(0.45, 1))
    panels[0].set_ylabel("real coverage")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6)
    return figure, drawn.rename(columns={"run": "models"})


@style.styled
def effects(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw how well the effects of variants are predicted: r and the share of right directions, by set of pairs."""
    table = style.needed(table, ["run", "subset", "n", "pearson", "sign"], "effects")
    names, subsets = ([*dict.fromkeys(table[name])] for name in ("run", "subset"))
    colours = _colours(names)
    figure = style.new(style.DOUBLE, 68, letter)
    panels = figure.subplots(1, 2)
    labels = {"pearson": "Pearson r of the change", "sign": "share of right directions"}
    for axes, (measure, label) in zip(panels, labels.items(), strict=True):
        for place, name in enumerate(names):
            values = table[table["run"] == name].set_index("subset")[measure].reindex(subsets)
            x = np.arange(len(subsets)) + (place - (len(names) - 1) / 2) * 0.8 / len(names)
            axes.bar(x, values, 0.8 / len(names), color=colours[name], label=name)
        sizes = table.groupby("subset")["n"].first()
        axes.set_xticks(range(len(subsets)), [f"{name.replace('_', ' ')}\n(n = {sizes[name]:,})" for name in subsets])
        axes.set_ylabel(label)
    panels[1].axhline(0.5, color=style.GREY, linewidth=0.6, linestyle=":")
    handles, texts = panels[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper center", ncols=6)
    return figure, table

"""What models have learnt: attribution, logos, motifs, importance of patterns, design, certainty."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

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
CONTROLS = {"": "trained", "_untrained": "before training", "_shuffled": "trained, shuffled motifs"}
NULLS = {"dinucleotide": "pairs\nkept", "mononucleotide": "letters\nkept", "profile": "profile", "none": "as they\nare"}
DESIGNERS = {"greedy": "greedy", "evolution": "genetic algorithm", "ledidi": "ledidi"}
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


def _cut(name: str, most: int = 26) -> str:
    """A name without its end where it is long: names of motifs need not have blanks to break at."""
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def trained_on(table: pd.DataFrame) -> str:
    """How many sequences the models of a table were trained on, where it says so."""
    numbers = table["trained_on"].dropna() if "trained_on" in table else ()
    if not len(numbers):
        return ""
    least, most = int(min(numbers)), int(max(numbers))
    return f"trained on n = {least:,} sequences" if least == most else f"trained on n = {least:,} to {most:,} sequences"


def _legend(figure: Figure, handles: Mapping[str, Any], wide: int = 44) -> None:
    """Put a legend above the panels, in as many columns as fit in; the figure grows by its rows."""
    names = [fill(name, wide) for name in handles]
    width, height = figure.get_size_inches()
    for columns in range(min(6, len(names)), 0, -1):
        legend = figure.legend(handles.values(), names, loc="outside upper center", ncols=columns)
        box = legend.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        if box.width < 0.98 * width * figure.dpi or columns == 1:
            figure.set_size_inches(width, height + box.height / figure.dpi)
            return
        legend.remove()


@style.styled
def attribution(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw a cell for each model and method, a panel per measure that is there; returns the drawn cells.

    Measures: AUROC of the letters of binding sites by |contribution| and r with the true contributions, on simulated
    promoters; r with in-silico mutagenesis.
    """
    table = style.needed(table, ["run", "seed", "method", "sequences"], "attribution").assign(name=_names(table))
    measures = [name for name in MEASURES if name in table and table[name].notna().any()]
    names, methods = [*dict.fromkeys(table["name"])], [name for name in METHODS if name in set(table["method"])]
    figure = style.new(style.DOUBLE, 34 + 5 * len(names), letter, f"n = {table['sequences'].iloc[0]} sequences")
    panels = figure.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for axes, measure in zip(panels, measures, strict=True):
        values = table.pivot_table(index="name", columns="method", values=measure).reindex(names)
        values = values.reindex(methods, axis=1)
        low = 0.5 if measure == "auroc" else 0.0
        texts = values.map(lambda value: "–" if pd.isna(value) else f"{value:.2f}").to_numpy()
        shades = np.nan_to_num(values.to_numpy(float), nan=low)
        style.heat_map(axes, shades, texts, colormaps["Blues"], Normalize(low, 1))
        axes.set_xticklabels([METHODS[method] for method in methods], rotation=90)
        axes.set_yticklabels([fill(name, 26) for name in names])
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
    note = "; ".join(filter(None, ["height of a column: information (bits)", trained_on(table)]))
    figure = style.new(style.DOUBLE, 8 + 22 * len(names), letter, note)
    panels = figure.subplots(len(names), columns, squeeze=False)
    for name, row in zip(names, panels, strict=True):
        chosen = table[table["name"] == name]
        for axes, (_, motif) in zip(row, chosen.groupby("filter", sort=False), strict=False):
            logo(axes, motif[[*"ACGT"]].to_numpy())
            axes.set(ylim=(0, 2), xticks=[], yticks=[0, 2])
            target = motif["target"].iloc[0]
            known = f"{_cut(str(target))}\nq = {motif['q'].iloc[0]:.1g}"
            axes.set_title("no known motif" if pd.isna(target) else known, size=style.SMALL)
        for axes in row[chosen["filter"].nunique() :]:
            axes.set_axis_off()
        row[0].set_ylabel(fill(name, 14), size=style.SMALL)
    return figure, table.drop(columns="name")


@style.styled
def filters(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw how many filters of each model resemble a known motif, and the mean q value (Toneyan et al., Fig. ED4).

    Beside them are the controls that the table has: the model before training, and known motifs of shuffled columns.
    """
    table = style.needed(table, ["run", "seed", "filters", "hit_ratio", "mean_q"], "filters").dropna(subset="hit_ratio")
    names, y = _names(table), np.arange(len(table))
    kinds = [kind for kind in CONTROLS if f"hit_ratio{kind}" in table]
    figure = style.new(style.DOUBLE, 22 + (1.5 + 3 * len(kinds)) * len(table), letter, trained_on(table))
    panels = figure.subplots(1, 2, sharey=True)
    labels = {"hit_ratio": f"share of filters with q < {MATCHED:g}", "mean_q": "mean q value of the nearest motif"}
    size = 0.8 / len(kinds)
    for axes, (column, label) in zip(panels, labels.items(), strict=True):
        for number, kind in enumerate(kinds):
            values, places = table[f"{column}{kind}"], y + (number - (len(kinds) - 1) / 2) * size
            colour = (style.BLUE, style.ORANGE, style.GREY)[number]
            axes.barh(places, values, 0.9 * size, color=colour, label=CONTROLS[kind])
            for place, value in zip(places, values, strict=True):
                axes.text(value, place, f" {value:.2f}", va="center_baseline", size=style.SMALL)
        axes.set(xlabel=label, xlim=(0, 1.12))
    texts = [f"{name} ({count:.0f} filters)" for name, count in zip(names, table["filters"], strict=True)]
    panels[0].set_yticks(y, [fill(text, 32) for text in texts])
    panels[0].invert_yaxis()
    handles, kinds = panels[0].get_legend_handles_labels()
    if len(kinds) > 1:
        _legend(figure, dict(zip(kinds, handles, strict=True)))
    return figure, table


@style.styled
def importance(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw experiments with patterns, a panel each: what is varied against importance, a line per model.

    Flanks are ranked; of two patterns, what both do beyond the sum of each. All is drawn of the first null model; where
    there are several, a panel for each pattern shows what one copy does under each of them.
    """
    table = style.needed(table, ["run", "seed", "experiment", "pattern", "x", "importance", "null"], "importance")
    table = table.assign(name=_names(table)).dropna(subset=["x", "importance"])
    table = table[~table["pattern"].str.contains(": (?:both|sum)$")]
    nulls = [null for null in dict.fromkeys(table["null"].dropna()) if null]
    one = table[(table["experiment"] == "copies") & (table["x"] == 1)]
    one = one.assign(experiment="nulls", x=one["null"].map({null: place for place, null in enumerate(nulls)}))
    table = table[table["null"].isin(nulls[:1]) | (table["experiment"] == "occlusion")]
    table = pd.concat([table, one] if len(nulls) > 1 else [table], ignore_index=True)
    table["panel"] = table["pattern"].where(table["experiment"] != "flanks", "flanks")
    shown = [*table.groupby(["experiment", "panel"], sort=False)]
    colours = _colours([*dict.fromkeys(table["name"])])
    figure, panels = style.panels(len(shown), 3, (6, 42), letter, "")
    words = {
        "positions": "position (nt)",
        "copies": "copies",
        "flanks": "rank of the flanks",
        "distances": "distance (nt)",
    }
    words |= {"occlusion": "matches, occluded", "nulls": "one copy, by null model"}
    handles: dict[str, Any] = {}
    for axes, ((experiment, pattern), rows) in zip(panels, shown, strict=True):
        for name, line in rows.groupby("name", sort=False):
            line = line.sort_values("x")
            kind = "--" if name == style.PERFECT else "-"
            marker = "o" if len(line) < 6 else ""
            kind = "" if experiment == "nulls" else kind
            drawn = axes.plot(line["x"], line["importance"], color=colours[name], marker=marker, ms=2.5, linestyle=kind)
            handles.setdefault(name, drawn[0])
        axes.axhline(0, color=style.GREY, linewidth=0.4)
        axes.set(title=pattern, xlabel=words[experiment], ylabel="importance")
        style.integer_axis(axes)
        if experiment == "nulls":
            axes.set_xlim(-0.5, len(nulls) - 0.5)
            axes.set_xticks(range(len(nulls)), [NULLS[null] for null in nulls])
    _legend(figure, handles)
    return figure, table.drop(columns=["name", "panel"])


@style.styled
def design(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw predictions against edits, the mean of all sequences, a panel for each way to design.

    Dashed: what is truly expressed, where it is known.
    """
    needed = ["run", "seed", "designer", "row", "step", "edits", "predicted"]
    table = style.needed(table, needed, "design").dropna(subset="predicted")
    table = table.assign(name=_names(table))
    known = "true" in table and table["true"].notna().any()
    columns = ["edits", "predicted", *(["true"] if known else [])]
    points = table.groupby(["run", "seed", "name", "designer", "step"], sort=False, dropna=False)
    drawn = points[columns].mean().reset_index().assign(n=points.size().to_numpy())
    colours, designers = _colours([*dict.fromkeys(drawn["name"])]), [*dict.fromkeys(drawn["designer"])]
    number = table.groupby(["name", "designer"])["row"].nunique().max()
    figure, panels = style.panels(len(designers), 3, (6, 60), letter, f"n = {number} sequences", sharey=True)
    handles: dict[str, Any] = {}
    for axes, designer in zip(panels, designers, strict=True):
        for name, line in drawn[drawn["designer"] == designer].groupby("name", sort=False):
            keys: dict[str, Any] = {"color": colours[name], "marker": "o", "ms": 2.5}
            handles[name] = axes.plot(line["edits"], line["predicted"], **keys)[0]
            if known:
                axes.plot(line["edits"], line["true"], linestyle="--", mfc="white", **keys)
        axes.set(title=DESIGNERS[designer], xlabel="edits")
        style.integer_axis(axes)
    panels[0].set_ylabel("expression" + (": predicted (—), true (- -)" if known else ", predicted"))
    _legend(figure, handles)
    return figure, drawn.drop(columns="name")


@style.styled
def coverage(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw nominal against real coverage: a row per run, a column per set that calibrates and width, a line per subset.

    Widths: the same for all, and by the spread of models where a run has several.
    """
    columns = ["run", "models", "calibrated_on", "calibration", "width", "subset", "nominal", "real", "n"]
    table = style.needed(table, columns, "coverage")
    table = table[table["width"].isin(["constant", "spread"])]
    runs, subsets = ([*dict.fromkeys(table[name])] for name in ("run", "subset"))
    kinds = [*dict.fromkeys(zip(table["calibrated_on"], table["width"], strict=True))]
    figure = style.new(style.DOUBLE, 4 + 48 * len(runs), letter)
    panels = figure.subplots(len(runs), len(kinds), squeeze=False, sharey=True, sharex=True)
    handles: dict[str, Any] = {}
    for run, row in zip(runs, panels, strict=True):
        own = table[table["run"] == run]
        for axes, (name, width) in zip(row, kinds, strict=True):
            chosen = own[(own["calibrated_on"] == name) & (own["width"] == width)]
            axes.plot([0.45, 1], [0.45, 1], color=style.GREY, linewidth=0.6, linestyle=":")
            for place, subset in enumerate(subsets):
                line = chosen[chosen["subset"] == subset]
                kind = "-" if place < len(style.SERIES) else "--"
                label = f"{subset} ({table.loc[table['subset'] == subset, 'n'].iloc[0]:,})"
                colour = style.SERIES[place % len(style.SERIES)]
                handles[label] = axes.plot(
                    line["nominal"], line["real"], color=colour, linestyle=kind, marker="o", ms=2
                )[0]
            if len(chosen):
                text = f"{fill(name, 22)}\n(n = {chosen['calibration'].iloc[0]:,}), {width}"
                axes.set_title(text, size=style.SMALL)
            else:
                axes.set_axis_off()
            axes.set_xlim(0.45, 1)
        models = own["models"].iloc[0]
        row[0].set_ylabel(f"{fill(run, 24)}\n{models} seed{'s' if models > 1 else ''}: real coverage", size=style.SMALL)
    for axes in panels[-1]:
        axes.set_xlabel("nominal coverage")
    _legend(figure, handles)
    return figure, table


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
    _legend(figure, dict(zip(texts, handles, strict=True)))
    return figure, table

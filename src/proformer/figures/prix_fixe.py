"""The Prix Fixe grid (Rafi et al. 2024): scores of all combinations, block by block, their sizes and curves."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from proformer.evaluation.dream import TITLES
from proformer.evaluation.prix_fixe import ROLES, measure_of
from proformer.figures import style

TEAMS = {"autosome": "Autosome", "bhi": "BHI", "unlock_dna": "Unlock_DNA"}
PANELS = {"processor": "data processor, trainer", "first": "first block", "core": "core block", "final": "final block"}
MEASURES = TITLES | {"r": "Pearson r, validation"}


@style.styled
def draw(table: pd.DataFrame, measure: str = "", gain: bool = False, letter: str = "") -> style.Drawn:
    """Draw a cell for each of all combinations: rows are core and first block, columns processor and final block.

    measure: a column of `combinations` (default: what they are compared by), averaged over seeds. gain: what a
    combination has more than the own model of its core's team. Grey cells cannot be trained (–) or have not converged
    (×). Outlined: the teams' own. Returns the figure (180 mm wide) and the drawn cells.
    """
    measure = measure or measure_of(_checked(table))
    points = _points(_checked(table), measure)
    if gain:
        own = points[points["original"]].set_index("core")[measure]
        points[measure] -= points["core"].map(own)
    levels = {role: _levels(table[role]) for role in ROLES}
    rows = pd.MultiIndex.from_product([levels["core"], levels["first"]], names=["core", "first"])
    columns = pd.MultiIndex.from_product([levels["processor"], levels["final"]], names=["processor", "final"])

    def cells(column: str) -> pd.DataFrame:
        return (
            points.pivot(index=rows.names, columns=columns.names, values=column).reindex(rows).reindex(columns, axis=1)
        )

    values, converged = cells(measure).astype(float), cells("converged")
    shades = values.where(converged == True).to_numpy()  # noqa: E712  NaN: not there
    texts = np.where(converged.isna(), "–", np.where(converged == False, "×", values.map("{:.3f}".format)))  # noqa: E712
    if gain:
        texts = np.where(np.isfinite(shades), values.map("{:+.3f}".format), texts)
    figure = style.new(style.DOUBLE, 34 + 5.5 * len(rows), letter, _note(table))
    axes = figure.subplots()
    colours = matplotlib.colormaps["RdBu_r" if gain else "cividis"].with_extremes(bad="#e0e0e0")
    known = shades[np.isfinite(shades)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    norm: Any = CenteredNorm(0, max(abs(low), abs(high), 1e-9)) if gain else Normalize(low, max(high, low + 1e-9))
    own = {(rows.get_loc((p.core, p.first)), columns.get_loc((p.processor, p.final))) for p in _own(points)}
    mesh = style.heat_map(axes, shades, texts, colours, norm, own)
    for i, j in own:
        axes.add_patch(matplotlib.patches.Rectangle((j + 0.03, i + 0.06), 0.94, 0.88, fill=False, lw=1, zorder=2))
    axes.set_xticklabels([TEAMS.get(final, final) for _, final in columns])
    axes.set_yticklabels([TEAMS.get(first, first) for _, first in rows])
    _outer(axes, levels, len(levels["first"]), len(levels["final"]))
    text = MEASURES[measure] + (", more than the own model of the core's team" if gain else "")
    style.colour_bar(figure, mesh, axes, text).xaxis.set_major_locator(MaxNLocator(6))
    return figure, points[["dataset", *ROLES, measure, "converged", "original", "n_seeds"]]


@style.styled
def modules(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw the combinations that converged by their block of each role, a panel per role (Fig. 2C, Suppl. Fig. 8).

    White points are the teams' own, lines the means. Returns the figure (180 mm wide) and the drawn points.
    """
    measure = measure_of(_checked(table))
    points = _points(table, measure)
    points = points[points["converged"]]
    figure = style.new(style.DOUBLE, 62, letter, _note(table))
    panels = figure.subplots(1, len(ROLES), sharey=True)
    random = np.random.default_rng(1)
    for axes, role in zip(panels, ROLES, strict=True):
        levels = _levels(table[role])
        for place, level in enumerate(levels):
            chosen = points[points[role] == level]
            x = place + random.uniform(-0.2, 0.2, len(chosen))
            faces = np.where(chosen["original"], "white", style.SERIES[place % len(style.SERIES)])
            axes.scatter(x, chosen[measure], s=14, c=faces, edgecolors=style.DARK, linewidths=0.5, zorder=2)
            axes.hlines(chosen[measure].mean(), place - 0.32, place + 0.32, colors=style.DARK, linewidth=1.2)
        axes.set_xticks(range(len(levels)), [TEAMS.get(level, level) for level in levels])
        axes.set_xlim(-0.5, len(levels) - 0.5)
        axes.set_title(PANELS[role])
    panels[0].set_ylabel(MEASURES[measure])
    return figure, points[["dataset", *ROLES, measure, "original", "n_seeds"]]


@style.styled
def best(table: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw parameters against score: every combination, each team's own and the best with its core (Fig. 2D-E).

    Returns the figure (85 mm wide) and the drawn points.
    """
    measure = measure_of(_checked(table))
    points = _points(table, measure)
    points = points.assign(millions=points["parameters"] / 1e6)[points["converged"]]
    figure = style.new(style.SINGLE, 75, letter, _note(table))
    axes = figure.subplots()
    for place, core in enumerate(_levels(table["core"])):
        colour, chosen = style.SERIES[place % len(style.SERIES)], points[points["core"] == core]
        axes.scatter(chosen["millions"], chosen[measure], s=8, color=colour, alpha=0.35, linewidths=0)
        own, top = chosen[chosen["original"]], chosen[chosen["best"]]
        axes.scatter(own["millions"], own[measure], s=26, c="white", edgecolors=colour, zorder=3)
        name = f"{TEAMS.get(core, core)}'s core"
        axes.scatter(top["millions"], top[measure], s=26, color=colour, zorder=3, label=name)
        if len(own) and len(top):
            arrow = {"arrowstyle": "->", "color": colour, "linewidth": 0.8, "shrinkA": 4, "shrinkB": 4}
            start, end = (tuple(each[["millions", measure]].iloc[0]) for each in (own, top))
            axes.annotate("", end, start, arrowprops=arrow)
    axes.scatter([], [], s=26, c="white", edgecolors=style.DARK, label="the team's own")
    axes.set_xlabel("parameters (millions)")
    axes.set_ylabel(MEASURES[measure])
    figure.legend(loc="outside upper center", ncols=2)
    return figure, points[["dataset", *ROLES, "parameters", measure, "original", "best", "n_seeds"]]


@style.styled
def curves(epochs: pd.DataFrame, combinations: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw validation r after each epoch, a panel per processor and core block: a colour per first, a line style per
    final block (Suppl. Fig. 9).

    An undefined r (of constant predictions, or a loss that was not finite) is 0, with a circle; the curve of a
    combination that has not converged ends with ×. Returns the figure (180 mm wide) and the drawn means over seeds.
    """
    table = style.one_dataset(style.needed(epochs, ["dataset", *ROLES, "epoch", "validation_r"], "epochs"))
    table = table.assign(undefined=table["validation_r"].isna(), validation_r=table["validation_r"].fillna(0.0))
    groups = table.groupby(["dataset", *ROLES, "epoch"], as_index=False, sort=False)
    drawn = groups.agg({"validation_r": "mean", "undefined": "any"})
    converged = _checked(combinations).groupby(ROLES)["converged"].all()
    drawn = drawn.join(converged, on=ROLES)
    levels = {role: _levels(table[role]) for role in ROLES}
    figure = style.new(style.DOUBLE, 16 + 34 * len(levels["core"]), letter, _note(table))
    panels = figure.subplots(len(levels["core"]), len(levels["processor"]), squeeze=False, sharey=True, sharex=True)
    entries: dict[str, Any] = {}
    styles = dict(zip(levels["final"], ("-", "--", ":", "-."), strict=False))
    colours = dict(zip(levels["first"], style.SERIES, strict=False))
    for i, core in enumerate(levels["core"]):
        for j, processor in enumerate(levels["processor"]):
            axes, here = panels[i, j], drawn[(drawn["core"] == core) & (drawn["processor"] == processor)]
            for (first, final), line in here.groupby(["first", "final"], sort=False):
                marker = "." if len(line) == 1 else ""
                look: dict[str, Any] = {"color": colours[first], "linestyle": styles[final], "marker": marker}
                name = f"first {TEAMS.get(first, first)}, final {TEAMS.get(final, final)}"
                entries.setdefault(name, axes.plot(line["epoch"], line["validation_r"], **look)[0])
                last = line["epoch"] == line["epoch"].max()
                for where, sign in ((line["undefined"], "o"), (last & (line["converged"] == False), "x")):  # noqa: E712
                    places = line.loc[where, ["epoch", "validation_r"]].to_numpy().T
                    mark = {"s": 16, "marker": sign, "linewidths": 0.8, "zorder": 3}
                    face = {"facecolors": "none", "edgecolors": look["color"]} if sign == "o" else {"c": look["color"]}
                    axes.scatter(*places, **mark, **face)
            axes.set_title(f"{TEAMS.get(processor, processor)}'s trainer, {TEAMS.get(core, core)}'s core")
            style.integer_axis(axes)
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    for axes in panels[:, 0]:
        axes.set_ylabel("Pearson r, validation")
    for sign, text in (("o", "undefined, drawn at 0"), ("x", "has not converged")):
        entries[text] = Line2D([], [], color=style.DARK, linestyle="", marker=sign, markersize=4, fillstyle="none")
    figure.legend(entries.values(), entries, loc="outside upper center", ncols=3)
    return figure, drawn


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    return style.one_dataset(style.needed(table, ["dataset", *ROLES, "seed", "converged", "r"], "combinations"))


def _points(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Means over seeds; converged where every seed has."""
    groups = table.groupby(["dataset", *ROLES], sort=False)
    found = groups[[measure, "parameters"]].mean()
    found["converged"], found["original"] = groups["converged"].all(), groups["original"].first()
    found["best"], found["n_seeds"] = groups["best"].any(), groups["seed"].nunique()
    return found.reset_index()


def _own(points: pd.DataFrame) -> Any:
    return points[points["original"]].itertuples()


def _levels(column: pd.Series) -> list[str]:
    """Blocks in the paper's order, others behind."""
    found = list(dict.fromkeys(column))
    return [*(team for team in TEAMS if team in found), *(name for name in found if name not in TEAMS)]


def _outer(axes: Any, levels: dict[str, list[str]], rows: int, columns: int) -> None:
    """Name the groups of rows (cores) and of columns (processors), and part them."""
    for place, core in enumerate(levels["core"]):
        text = TEAMS.get(core, core)
        axes.annotate(text, (0, (place + 0.5) * rows), (-52, 0), textcoords="offset points", xycoords="data",
                      rotation=90, va="center", ha="center")  # fmt: skip
        axes.axhline(place * rows, color="white", linewidth=3, zorder=1.2)
    for place, processor in enumerate(levels["processor"]):
        text = TEAMS.get(processor, processor)
        axes.annotate(text, ((place + 0.5) * columns, 0), (0, 18), textcoords="offset points", ha="center")
        axes.axvline(place * columns, color="white", linewidth=3, zorder=1.2)
    axes.set_ylabel("core block, first block", labelpad=22)
    axes.set_xlabel("data processor with its trainer, final block", labelpad=18)


def _note(table: pd.DataFrame) -> str:
    trained = len(table[ROLES].drop_duplicates())
    return f"this run: {style.counted(trained, table['seed'].nunique())}"

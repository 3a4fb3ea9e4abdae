"""Fig. 2c to 2g (and 3b): the grid of models as a table, as bars, and by each of its axes; Pearson r, validation."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from proformer.errors import InputError
from proformer.evaluation.heads import head_order, head_title
from proformer.evaluation.statistics import FACTORS, GREATER, TWO_SIDED, average_seeds, checked, levels, multiple_heads
from proformer.figures import style

NAMES = {"blocks": "macaron blocks", "dim": "attention heads (width)", "head": "expression heads"}
PAIR = ["a", "b", "p_two_sided", "p_one_sided"]


@style.styled
def draw(grid: pd.DataFrame, letter: str = "c") -> style.Drawn:
    """Draw a grid table of one data set: rows are width (attention heads) x blocks, columns the heads; r over seeds.

    The colour scale spans the values within Tukey's fences, so that failed models do not wash out all others.
    Returns the figure (85 mm wide, 180 mm beyond six columns) and the drawn cells, with `best` for each row's best.
    """
    grid = checked(style.one_dataset(grid))
    points = average_seeds(grid)
    heads = head_order(points["head"])
    rows = ["dim", "heads", "blocks"]
    cells = points.pivot(index=rows, columns="head", values="r")[heads].sort_index()
    points["best"] = (points["r"] > 0) & (points["r"] == points.groupby(rows)["r"].transform("max"))
    width = style.SINGLE if len(heads) <= 6 else style.DOUBLE
    figure = style.new(width, 24 + 4.4 * max(len(cells), 2), letter, style.source(grid))
    axes = figure.subplots()
    colours = matplotlib.colormaps["cividis"].with_extremes(under="#e0e0e0", bad="white")
    low, high = _range(points["r"].to_numpy())
    best = [(i, j) for (i, j), r in np.ndenumerate(cells.to_numpy()) if r == cells.iloc[i].max() > 0]
    texts = cells.map(lambda r: "–" if np.isnan(r) else f"{r:.4f}").to_numpy()
    mesh = style.heat_map(axes, cells.to_numpy(), texts, colours, Normalize(low, high), best)
    inset = len(heads) / 150 * style.SINGLE / width  # some 0.4 mm, however wide a cell is
    for i, j in best:
        axes.add_patch(Rectangle((j + inset, i + 0.08), 1 - 2 * inset, 0.84, fill=False, linewidth=0.9, zorder=2))
    axes.set_xlabel("expression heads")
    axes.set_xticklabels(heads)
    firsts = ~cells.index.get_level_values("dim").duplicated()
    for i in np.flatnonzero(firsts)[1:]:
        axes.axhline(i, color="white", linewidth=3, zorder=1.2)
    named = zip(cells.index, firsts, strict=True)
    axes.set_yticklabels([f"{d} ({h})   {b:>2}" if first else f"{b:>2}" for (d, h, b), first in named])
    offset: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "right"}
    axes.annotate("width (heads)  blocks", (0, 1), (-4, 4), size=style.SMALL, **offset)
    ideal = f" (a perfect model: {points['ceiling'].max():.3f})" if "ceiling" in points else ""
    label, extend = f"Pearson r, validation{ideal}", "min" if points["r"].min() < low else "neither"
    style.colour_bar(figure, mesh, axes, label, extend=extend).xaxis.set_major_locator(MaxNLocator(5))
    columns = ["dataset", *rows, "head", "r", *_ceiling(points), "n_seeds", "n_undefined", "best"]
    return figure, points.sort_values(rows, kind="stable")[columns]


@style.styled
def bars(grid: pd.DataFrame, letter: str = "d") -> style.Drawn:
    """Draw a grid table of one data set: a bar is the mean, a dot a run (width x seed), a whisker one sd of the runs.

    Bars start at zero. An undefined r counts as 0. Returns the figure (85 mm wide, 180 mm beyond 30 bars) and what is
    drawn: `element` bar (r the mean, sd, n; no width) or dot (one run).
    """
    runs = checked(style.one_dataset(grid)).fillna({"r": 0.0})
    heads, blocks = head_order(runs["head"]), sorted(runs["blocks"].unique())
    means = runs.groupby(["blocks", "head"])["r"].agg(r="mean", sd="std", n="size").reset_index()
    colours = style.head_colours(heads)
    width = style.DOUBLE if len(heads) * len(blocks) > 30 else style.SINGLE
    figure = style.new(width, 60, letter, f"whiskers: sd; {style.source(grid)}")
    axes = figure.subplots()
    step = min(0.84 / len(heads), 0.25)
    for j, head in enumerate(heads):
        chosen = means[means["head"] == head]
        x = chosen["blocks"].map(blocks.index) + (j - (len(heads) - 1) / 2) * step
        axes.bar(x, chosen["r"], 0.9 * step, color=colours[head], label=head_title(head))
        axes.errorbar(x, chosen["r"], chosen["sd"], fmt="none", ecolor="black", elinewidth=0.6)
        for centre, b in zip(x, chosen["blocks"], strict=True):
            r = runs.loc[(runs["head"] == head) & (runs["blocks"] == b)].sort_values(["dim", "seed"])["r"]
            spread = (np.arange(len(r)) - (len(r) - 1) / 2) / max(len(r), 2) * 0.6 * step
            axes.plot(centre + spread, r, clip_on=False, zorder=3, **style.CIRCLE)
    axes.axhline(0, color="black", linewidth=0.6)
    style.ceiling(axes, runs)
    _name_levels(axes, "macaron blocks", blocks)
    axes.tick_params(axis="x", length=0)
    handles, labels = axes.get_legend_handles_labels()
    bars_first = sorted(zip(handles, labels, strict=True), key=lambda entry: entry[1] == style.PERFECT)
    figure.legend(*zip(*bars_first, strict=True), loc="outside upper center", ncols=min(len(bars_first), 6))
    columns = ["blocks", "head", "dim", "seed", "r", *_ceiling(runs)]
    drawn = pd.concat([means.assign(element="bar"), runs[columns].assign(element="dot")], ignore_index=True)
    return figure, drawn[["element", *columns[:5], "sd", "n", *columns[5:]]]


@style.styled
def violins(
    grid: pd.DataFrame, tests: pd.DataFrame | None = None, factor: str = "blocks", letter: str = ""
) -> style.Drawn:
    """Draw violins with a box plot inside and the grid points (means over seeds) in grey, without AP and H = 1.

    With `tests` (of `statistics.all_tests`), brackets carry the p values, two-sided | one-sided, uncorrected,
    starred below .05. A group of one point, or of equal ones, has no violin; a pair without p has
    no bracket. Returns the figure (85 mm wide) and what is drawn: `element` point, box or bracket.
    Raises InputError for an unknown factor and when the grid has no model with more than one expression head.
    """
    if factor not in FACTORS:
        raise InputError(f"factor: found {factor!r}, expected one of {', '.join(FACTORS)}")
    grid = checked(style.one_dataset(grid))
    points = multiple_heads(average_seeds(grid))
    if points.empty:
        raise InputError("grid table: found no model with more than one expression head, expected at least one")
    found = levels(points, factor)
    groups = {str(level): points.loc[points[factor] == level, "r"].to_numpy() for level in found}
    pairs = _pairs(tests, factor, points["dataset"].iloc[0], list(groups))
    note = style.source(multiple_heads(grid))
    if "ceiling" in points:
        note = f"r of a perfect model: {points['ceiling'].max():.3f}; {note}"
    if len(pairs):
        note = f"rank-sum p: two-sided | one-sided, uncorrected, * p < 0.05\n{note}"
    figure = style.new(style.SINGLE, 58 + 4 * len(pairs), letter, note)
    axes = figure.subplots()
    _violins(axes, list(groups.values()))
    _brackets(axes, list(groups), pairs, 58)
    _name_levels(axes, NAMES[factor], found)
    if factor == "dim":
        heads = points.groupby("dim")["heads"].unique().map(lambda found: "/".join(map(str, sorted(found))))
        axes.set_xticklabels([f"{heads[dim]} ({dim})" for dim in found])
    boxes = [(level, *np.percentile(r, [25, 50, 75]), r.mean(), len(r)) for level, r in groups.items()]
    tables = [
        points.assign(element="point", level=points[factor].astype(str)),
        pd.DataFrame(boxes, columns=["level", "q1", "median", "q3", "mean", "n"]).assign(element="box"),
        pairs.assign(element="bracket"),
    ]
    columns = ["element", "level", "dim", "heads", "blocks", "head", "r", *_ceiling(points)]
    drawn = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return figure, drawn.reindex(columns=[*columns, "q1", "median", "q3", "mean", "n", *PAIR])


@style.styled
def by_axis(grid: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw the grid table of one run and data set, whatever its axes: a panel per axis, a violin per level.

    In grey are the points of the grid (means over seeds; an undefined r counts as 0), with a box plot where there are
    several. Axes of one level are left out. Returns the figure (180 mm wide, 85 mm for one axis) and the points: axis,
    level, r.
    """
    style.one_dataset(style.needed(grid, ["dataset", "run", "seed", "r"], "grid"), ["dataset", "run"])
    axes = style.axis_columns(grid, "run")
    points = grid.fillna({"r": 0.0}).groupby(axes, sort=False, dropna=False)["r"].mean().reset_index()
    same = {"dim", "heads"} if "width" in axes else set()
    shown = [axis for axis in axes if points[axis].nunique() > 1 and axis not in same] or axes[:1]
    width = style.DOUBLE if len(shown) > 1 else style.SINGLE
    note = f"this run: {style.counted(len(points), grid['seed'].nunique())}"
    figure, panels = style.panels(len(shown), 3, (10, 56), letter, note, width, sharey=True)
    for panel, axis in zip(panels, shown, strict=True):
        found = list(dict.fromkeys(points[axis]))
        _violins(panel, [points.loc[points[axis] == level, "r"].to_numpy() for level in found])
        style.ceiling(panel, grid)
        _name_levels(panel, axis, found)
        if sum(len(str(level)) for level in found) > 30:
            panel.set_xticks(panel.get_xticks(), found, rotation=45, ha="right", rotation_mode="anchor")
    if "ceiling" in grid:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center")
    drawn = pd.concat([points.assign(axis=axis, level=points[axis].astype(str)) for axis in shown], ignore_index=True)
    return figure, drawn[["axis", "level", *axes, "r"]]


def _name_levels(axes: Axes, name: str, found: list) -> None:
    axes.set(xlabel=name, ylabel="Pearson r, validation", xlim=(-0.6, len(found) - 0.4))
    axes.set_xticks(range(len(found)), [str(level) for level in found])


def _ceiling(table: pd.DataFrame) -> list[str]:
    return [*table.columns.intersection(["ceiling"])]


def _range(values: np.ndarray) -> tuple[float, float]:
    q1, q3 = np.percentile(values, [25, 75])
    inside = values[values >= q1 - 1.5 * (q3 - q1)]
    low, high = float(inside.min()), float(inside.max())
    return (low, high) if high > low else (low - 0.05, high + 0.05)


def _pairs(tests: pd.DataFrame | None, factor: str, dataset: str, found: list[str]) -> pd.DataFrame:
    """Return `PAIR` of the pairs to mark: all, or only neighbours beyond six; narrow first."""
    if tests is None:
        return pd.DataFrame(columns=PAIR)
    chosen = tests[(tests["family"] == factor) & (tests["dataset"] == dataset) & tests["p"].notna()]
    chosen = chosen.astype({"a": str, "b": str})
    wide = chosen.pivot(index=["a", "b"], columns="alternative", values="p").reindex(columns=[TWO_SIDED, GREATER])
    table = wide.reset_index().set_axis(PAIR, axis=1)
    table = table[table["a"].isin(found) & table["b"].isin(found)]
    table["start"], end = ([found.index(level) for level in table[side]] for side in "ab")
    table["distance"] = end - table["start"]
    table = table.sort_values(["distance", "start"])
    return table.loc[(table["distance"] == 1) | (len(table) <= 6), PAIR].reset_index(drop=True)


def _violins(axes: Axes, groups: list[np.ndarray]) -> None:
    import seaborn as sns

    sns.violinplot(
        groups, ax=axes, cut=0, width=0.8, density_norm="width", color=style.BLUE, alpha=0.3, linewidth=0.6,
        inner="box", inner_kws={"box_width": 5, "whis_width": 0.9, "color": "0.15", "solid_capstyle": "butt"},
    )  # fmt: skip
    random = np.random.default_rng(0)
    for x, r in enumerate(groups):
        jitter = (0.14 + random.uniform(-0.04, 0.04, len(r))) * (len(r) > 1)  # beside the box, not on it
        axes.plot(x + jitter, r, "o", color=style.GREY, markersize=2, alpha=0.8, markeredgewidth=0, zorder=3)


def _brackets(axes: Axes, found: list[str], pairs: pd.DataFrame, height: float) -> None:
    """Stack one bracket per pair above the data; 4 mm each of the axes, which have about `height` - 18 mm for data."""
    low, high = axes.get_ylim()
    step = (high - low) * 4 / (height - 18)
    for i, pair in enumerate(pairs.itertuples()):
        y = high + i * step
        a, b = found.index(pair.a) + 0.05, found.index(pair.b) - 0.05
        axes.plot([a, a, b, b], [y - 0.15 * step, y, y, y - 0.15 * step], color="black", linewidth=0.6)
        text = " | ".join(
            ("<0.0001" if p < 0.0001 else f"{p:.4f}") + "*" * (p < 0.05) for p in (pair.p_two_sided, pair.p_one_sided)
        )
        axes.text((a + b) / 2, y, text, ha="center", va="bottom", size=style.SMALL)
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    axes.spines["left"].set_bounds(low, high)
    axes.set_ylim(low, high + len(pairs) * step)

"""Fig. 2e-g: r by blocks, by attention heads (width) or by expression heads, without AP and H = 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proformer.errors import InputError
from proformer.evaluation.statistics import FACTORS, GREATER, TWO_SIDED, average_seeds, checked, levels, multiple_heads
from proformer.figures import style

NAMES = {"blocks": "macaron blocks", "dim": "attention heads (width)", "head": "expression heads"}
LETTERS = {"blocks": "e", "dim": "f", "head": "g"}


@style.styled
def draw(
    grid: pd.DataFrame,
    tests: pd.DataFrame | None = None,
    factor: str = "blocks",
    label: str = "",
    letter: str | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw violins with a box plot inside and the grid points (means over seeds) in grey.

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
    note = style.source(multiple_heads(grid), label)
    if "ceiling" in points:
        note = f"r of a perfect model: {points['ceiling'].max():.3f}; {note}"
    if len(pairs):
        note = f"rank-sum p: two-sided | one-sided, uncorrected, * p < 0.05\n{note}"
    figure = style.new(style.SINGLE, 58 + 4 * len(pairs), LETTERS[factor] if letter is None else letter, note)
    axes = figure.subplots()
    _violins(axes, list(groups.values()))
    _brackets(axes, list(groups), pairs, 58)
    axes.set(xticks=range(len(groups)), xlabel=NAMES[factor], ylabel="Pearson r, validation")
    axes.set_xticklabels([_name(points, factor, level) for level in found])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    boxes = [(level, *np.percentile(r, [25, 50, 75]), r.mean(), len(r)) for level, r in groups.items()]
    tables = [
        points.assign(element="point", level=points[factor].astype(str)),
        pd.DataFrame(boxes, columns=["level", "q1", "median", "q3", "mean", "n"]).assign(element="box"),
        pairs.assign(element="bracket"),
    ]
    columns = ["element", "level", "dim", "heads", "blocks", "head", "r", *points.columns.intersection(["ceiling"])]
    columns += ["q1", "median", "q3", "mean", "n"]
    drawn = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return figure, drawn.reindex(columns=[*columns, "a", "b", "p_two_sided", "p_one_sided"])


def _name(points: pd.DataFrame, factor: str, level: object) -> str:
    if factor != "dim":
        return str(level)
    return f"{'/'.join(map(str, sorted(points.loc[points['dim'] == level, 'heads'].unique())))} ({level})"


def _pairs(tests: pd.DataFrame | None, factor: str, dataset: str, found: list[str]) -> pd.DataFrame:
    """Return a, b, p_two_sided, p_one_sided of the pairs to mark: all, or only neighbours beyond six; narrow first."""
    columns = ["a", "b", "p_two_sided", "p_one_sided"]
    if tests is None:
        return pd.DataFrame(columns=columns)
    chosen = tests[(tests["family"] == factor) & (tests["dataset"] == dataset) & tests["p"].notna()]
    chosen = chosen.assign(a=chosen["a"].astype(str), b=chosen["b"].astype(str))
    chosen = chosen[chosen["a"].isin(found) & chosen["b"].isin(found)]
    wide = chosen.pivot(index=["a", "b"], columns="alternative", values="p").reindex(columns=[TWO_SIDED, GREATER])
    table = wide.reset_index().set_axis(columns, axis=1)
    table["distance"] = [found.index(b) - found.index(a) for a, b in zip(table["a"], table["b"], strict=True)]
    table["start"] = [found.index(a) for a in table["a"]]
    table = table[(table["distance"] == 1) | (len(table) <= 6)].sort_values(["distance", "start"])
    return table[columns].reset_index(drop=True)


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
        text = f"{_p(pair.p_two_sided)} | {_p(pair.p_one_sided)}"
        axes.text((a + b) / 2, y, text, ha="center", va="bottom", size=style.SMALL)
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    axes.spines["left"].set_bounds(low, high)
    axes.set_ylim(low, high + len(pairs) * step)


def _p(p: float) -> str:
    return ("<0.0001" if p < 0.0001 else f"{p:.4f}") + "*" * (p < 0.05)

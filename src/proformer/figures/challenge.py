"""Figures of the DREAM papers over all entries: ranks, disparity, ensembles, correlations, changes of expression."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from proformer.evaluation.challenge import QUANTILES, disparity, published_challenge
from proformer.evaluation.dream import PARTIAL, SCORES, SHOWN, TITLES, WEIGHTS
from proformer.evaluation.heads import without_seed
from proformer.figures import style

CELL = 4.6  # mm, of a heat map's row


@style.styled
def draw_ranks(shares: pd.DataFrame, differences: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw in how many samples (%) a model has a rank, and in how many it beats each other, by both weighted scores.

    Tables of `challenge.rank_shares` (ranks of ties are rounded) and `bootstrap.difference_table`. Returns the figure
    (180 mm wide) and what is drawn: score, what (rank or beats), model, of (a rank or a model), percent.
    """
    shares = style.needed(shares, ["model", "score", "rank", "share"], "ranks")
    mean = (shares["rank"] * shares["share"]).groupby(shares["model"]).sum().sort_values(kind="stable")
    models, names = [*mean.index], _names(mean.index)
    note = "% of the bootstrap samples" + _partial(differences)
    figure = style.new(style.DOUBLE, 36 + 2 * CELL * len(models), letter, note)
    panels, drawn = figure.subplots(2, 2), []
    for column, score in enumerate(SCORES):
        ranks = shares[shares["score"] == score].assign(of=lambda table: table["rank"].round().astype(int))
        ranks = ranks.groupby(["model", "of"])["share"].sum().unstack(fill_value=0.0)
        pairs = differences[differences["measure"] == score].set_index(["model_a", "model_b"])
        beats = pairs["a_better"].unstack().reindex(index=models, columns=models)
        beats = beats.fillna(pairs["b_better"].unstack(0).reindex(index=models, columns=models))
        places = range(1, len(models) + 1)
        tables = {"rank": ranks.reindex(index=models, columns=places, fill_value=0.0), "beats": beats}
        for axes, (what, table) in zip(panels[:, column], tables.items(), strict=True):
            labels = [str(place) for place in places] if what == "rank" else names
            texts = table.map(lambda share: "" if not share > 0 else f"{100 * share:.3g}")
            rows = names if column == 0 else [""] * len(names)
            _cells(axes, 100 * table.to_numpy(float), texts.to_numpy(), Normalize(0, 100), labels, rows)
            axes.set_title(f"{TITLES[score]}: {'rank' if what == 'rank' else 'row beats column'}", weight="bold")
            long = (100 * table).rename_axis(index="model", columns="of").stack().rename("percent").reset_index()
            drawn.append(long.assign(score=score, what=what))
    return figure, pd.concat(drawn, ignore_index=True)[["score", "what", "model", "of", "percent"]]


@style.styled
def draw_disparity(scores: pd.DataFrame | None = None, letter: str = "") -> style.Drawn:
    """Draw (best - worst) / best over the models of a scores table by subset, of r² and ρ; by default as published.

    Returns the figure (85 mm wide) and the table of `challenge.disparity`.
    """
    table = published_challenge() if scores is None else scores
    drawn = disparity(style.needed(table, ["model", "subset", "measure", "value"], "scores"))
    subsets = [name for name in WEIGHTS if name in set(drawn["subset"])]
    which = f"{'published' if scores is None else 'this run'}: {table['model'].nunique()} models"
    note = f"(best – worst) / best, %; {which}"
    figure = style.new(style.SINGLE, 20 + 4.4 * len(subsets), letter, note)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, measure in zip(panels, SCORES.values(), strict=True):
        found = drawn[drawn["measure"] == measure].set_index("subset")["disparity"].reindex(subsets) * 100
        axes.barh(range(len(subsets)), found, 0.7, color=style.BLUE)
        for y, value in enumerate(found):
            text = "–" if np.isnan(value) else f"{value:.1f}"
            axes.text(np.nan_to_num(value) + 1, y, text, va="center", size=style.SMALL)
        axes.set(title=TITLES[measure], xlim=(0, 1.3 * max(10.0, 0.0 if found.isna().all() else found.max())))
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(subsets)), [name.replace("_", " ") for name in subsets])
    panels[0].set_ylim(len(subsets) - 0.5, -0.5)
    return figure, drawn


@style.styled
def draw_correlations(correlations: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw Pearson r of models with each other and with the truth: over all rows with numbers, and subset by subset.

    A table of `challenge.correlations`. Returns the figure (180 mm wide) and the table.
    """
    style.needed(correlations, ["subset", "a", "b", "pearson"], "correlations")
    subsets = [name for name in SHOWN if name in set(correlations["subset"])]
    models = [*dict.fromkeys(correlations["a"])]
    names, size = _names(models), len(models)
    rows = -(-(len(subsets) - 1) // 4)
    figure = style.new(style.DOUBLE, 34 + CELL * size + 42 * rows, letter, "this run")
    heights = [26 + CELL * size, 42 * rows][: 1 + bool(rows)]
    upper, *lower = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    low = max(0.0, np.floor(10 * correlations["pearson"].min()) / 10)
    norm = Normalize(low, 1)
    axes = upper.subplots()
    whole = _square(correlations, subsets[0], models)
    texts = np.array([["" if np.isnan(r) else f"{r:.2f}" for r in row] for row in whole])
    mesh = _cells(axes, whole, texts, norm, names, names)
    axes.set_title(subsets[0], loc="left", weight="bold")
    panels = [*lower[0].subplots(rows, 4, squeeze=False).flat] if rows else []
    for axes, name in zip(panels, subsets[1:], strict=False):
        axes.pcolormesh(_square(correlations, name, models), cmap=_colours(), norm=norm)
        axes.set(xticks=[], yticks=[], title=name.replace("_", " "), aspect="equal")
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
    for axes in panels[len(subsets) - 1 :]:
        axes.set_axis_off()
    text = "Pearson r; rows and columns of small panels are those of the large one"
    style.colour_bar(lower[0] if rows else upper, mesh, panels or axes, text, shrink=0.6)
    return figure, correlations


@style.styled
def draw_ensembles(ensembles: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw both weighted scores of linear regressions on the best 1, 2, … models.

    A table of `challenge.ensembles`. Returns the figure (180 mm wide) and the drawn rows.
    """
    drawn = ensembles[ensembles["measure"].isin(SCORES)].sort_values("members", kind="stable")
    rows = int(drawn["members"].max()) if len(drawn) else 0
    note = "no public row is free of the pairs that are scored: nothing to train on"
    if rows:
        note = f"trained on {int(drawn['trained_on'].iloc[0]):,} public rows, none of which is scored{_partial(drawn)}"
    figure = style.new(style.DOUBLE, 22 + 4.4 * max(rows, 2), letter, note)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, score in zip(panels, SCORES, strict=True):
        line = drawn[drawn["measure"] == score]
        axes.plot(line["value"], line["members"], "o-", color=style.BLUE, markersize=3.6)
        for found in line.itertuples():
            text = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "size": style.SMALL}
            text |= {"bbox": style.PLATE}
            value = "undefined" if np.isnan(found.value) else f"{found.value:.4f}"
            axes.annotate(value, (np.nan_to_num(found.value), found.members), **text)
        axes.set(xlabel=TITLES[score])
        axes.margins(x=0.25)
        axes.tick_params(axis="y", length=0)
    added = drawn.drop_duplicates("members")
    signs = ["", *["+ "] * (len(added) - 1)]
    names = [f"{sign}{name}" for sign, name in zip(signs, _names(added["added"]), strict=False)]
    panels[0].set_yticks(added["members"], names)
    panels[0].set_ylim(max(rows, 1) + 0.5, 0.5)
    return figure, drawn


@style.styled
def draw_changes(changes: pd.DataFrame, letter: str = "") -> style.Drawn:
    """Draw the sizes of measured changes of expression in each subset of pairs: quartiles, and where 95 % of them lie.

    A table of `challenge.changes`. Returns the figure (85 mm wide) and the table.
    """
    style.needed(changes, ["subset", "n", "mean", *QUANTILES], "changes")
    note = "box: quartiles; line: 95 %; circle: mean; this run"
    figure = style.new(style.SINGLE, 18 + 9 * len(changes), letter, note)
    axes = figure.subplots()
    for y, row in enumerate(changes.itertuples()):
        axes.plot([row.low, row.high], [y, y], color=style.DARK, linewidth=0.7)
        axes.barh(y, row.q3 - row.q1, 0.5, left=row.q1, color=style.BLUE, alpha=0.5)
        axes.plot([row.median] * 2, [y - 0.25, y + 0.25], color=style.DARK, linewidth=1.2)
        axes.plot(row.mean, y, "o", color="white", markeredgecolor=style.DARK, markersize=3)
    names = [f"{row.subset.replace('_', ' ')}\nn = {row.n:,}" for row in changes.itertuples()]
    axes.set_yticks(range(len(changes)), names)
    axes.set_ylim(len(changes) - 0.5, -0.5)
    axes.set(xlabel="|measured change of expression|", xlim=(0, None))
    axes.tick_params(axis="y", length=0)
    return figure, changes


def _partial(table: pd.DataFrame) -> str:
    """What is to be added where weighted scores lack subsets."""
    return "; scores over the subsets at hand" if PARTIAL in set(table["subset"]) else ""


def _names(models: Any) -> list[str]:
    """Without seeds, unless several of one model are there."""
    short = [without_seed(model) for model in models]
    return short if len(set(short)) == len(short) else [*models]


def _square(table: pd.DataFrame, subset: str, models: list[str]) -> np.ndarray:
    """Both halves of a subset's correlations: float64 [models, models]."""
    half = table[table["subset"] == subset].pivot(index="a", columns="b", values="pearson")
    half = half.reindex(index=models, columns=models)
    return half.where(half.notna(), half.T).to_numpy(float)


def _colours() -> Any:
    return matplotlib.colormaps["cividis"].with_extremes(bad="#eeeeee")


def _cells(axes: Axes, values: np.ndarray, texts: np.ndarray, norm: Any, columns: list[str], rows: list[str]) -> Any:
    """A heat map with its texts and names. Returns the mesh."""
    mesh = style.heat_map(axes, values, texts, _colours(), norm)
    long = max(map(len, columns)) > 3
    axes.set_xticklabels(columns, rotation=90 if long else 0)
    axes.set_yticklabels(rows)
    return mesh

"""Fig. 4b: weighted scores and correlations on the held-out test data; and the heat map of the challenge's subsets."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from proformer.evaluation.challenge import published_challenge
from proformer.evaluation.dream import APPROXIMATE, PARTIAL, SCORE, SCORES, SHOWN, TITLES, WEIGHTS
from proformer.evaluation.dream_files import ALL
from proformer.evaluation.heads import head_title, published_head, published_scores, without_seed
from proformer.figures import style

PAPER = "#b8b8b8"
NEEDED = ["model", "part", "subset", "measure", "value", "n", "note"]
SUBSETS = {"motif_perturbation": "motif\nperturb.", "motif_tiling": "motif\ntiling"}
SUBSETS[APPROXIMATE] = "SNVs,\napprox."


@style.styled
def draw(scores: pd.DataFrame, letter: str = "b") -> style.Drawn:
    """Draw a scores table of `proformer score`, means over seeds, beside the numbers printed in the paper.

    Whiskers are the 95 % intervals for other test sequences (mean ends over seeds), dots the seeds. A value that is
    undefined or not at hand has no bar and says so. Returns the figure (180 mm wide) and what is drawn: source, name,
    published_head, measure, value, low, high, n_seeds, derived, note.
    """
    table = _overall(scores)
    run = _mean_over_seeds(table)
    names = list(dict.fromkeys(run["name"]))
    published = published_scores().rename(columns={"head": "published_head"}).assign(source="published")
    heads = [head for head in published["published_head"].unique() if head not in map(published_head, names)]
    rows = [(name, published_head(name)) for name in names] + [(head_title(head), head) for head in heads]
    note = f"whiskers: 95 %, other test sequences; {_note(scores)}\npublished r: the root of the printed number"
    figure = style.new(style.DOUBLE, 26 + 8.5 * len(rows), letter, note)
    panels = figure.subplots(1, len(TITLES), sharey=True)
    for axes, (measure, title) in zip(panels, TITLES.items(), strict=True):
        for y, (name, head) in enumerate(rows):
            for _, bar in published[
                (published["measure"] == measure) & (published["published_head"] == head)
            ].iterrows():
                _bar(axes, y - 0.2 if name in names else y, bar, [], color=PAPER, hatch="////")
            for _, bar in run[(run["measure"] == measure) & (run["name"] == name)].iterrows():
                seeds = table[(table["measure"] == measure) & (table["name"] == name)]["value"]
                _bar(axes, y + 0.2 if head else y, bar, seeds, color=style.BLUE)
        low = min(0.0, 1.1 * float(np.nanmin([run["value"].min(), run.get("low", run["value"]).min(), 0.0])))
        axes.set(title=title, xlim=(low, 1.3), xticks=[0, 0.5, 1], ylim=(len(rows) - 0.5, -0.5))
        axes.axvline(0, color="black", linewidth=0.6)
        style.ceiling(axes, run[run["measure"] == measure], upright=True)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(rows)), [_row_name(name, head) for name, head in rows])
    panels[0].barh(0, 0, color=PAPER, hatch="////", edgecolor="white", linewidth=0, label="published (Fig. 4b)")
    whole = "" if SCORE in set(scores["subset"]) else ", subsets at hand"
    panels[0].barh(0, 0, color=style.BLUE, label=f"this run{whole}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    own = run.assign(source="run", published_head=run["name"].map(published_head))
    columns = ["source", "name", "published_head", "measure", "value", "low", "high", "n_seeds", "derived", "note"]
    columns += [*run.columns.intersection(["ceiling"])]
    return figure, pd.concat([published, own], ignore_index=True).reindex(columns=columns)


@style.styled
def draw_subsets(scores: pd.DataFrame | None = None, letter: str = "") -> style.Drawn:
    """Draw r² and ρ of every model on every subset, and the weighted scores; colours span each column's range.

    As in the DREAM papers, whose numbers are drawn without a table; means over seeds. An undefined or missing number is
    a dash. Returns the figure (180 mm wide) and its cells: name, subset, measure, value, n_seeds, n, note.
    """
    source = "published" if scores is None else "this run"
    scores = published_challenge() if scores is None else scores
    style.needed(scores, NEEDED, "scores")
    table = _mean_over_seeds(_named(scores[scores["measure"].isin([*SCORES.values(), *SCORES])]))
    if "ceiling" in table:
        first = table.drop_duplicates(["subset", "measure"])
        table = pd.concat([table, first.assign(name=style.PERFECT, value=first["ceiling"])], ignore_index=True)
    names = list(dict.fromkeys(table["name"]))
    figure = style.new(style.DOUBLE, 34 + 9.2 * max(len(names), 2), letter, _note(scores, source))
    panels = figure.subplots(2, 1)
    colours = matplotlib.colormaps["cividis"].with_extremes(bad="#eeeeee")
    title = table["subset"].iloc[-1]
    sizes = scores.groupby("subset")["n"].first()
    shown = [name for name in SHOWN if name in WEIGHTS or name in sizes]
    at_hand = [f"\nn = {sizes[name]:,}" if sizes[name] else "\nnot at hand" for name in shown] + [""]
    for axes, (score, measure) in zip(panels, SCORES.items(), strict=True):
        chosen = table[table["measure"].isin([measure, score])]
        cells = chosen.pivot(index="name", columns="subset", values="value").reindex(index=names)
        cells = cells.reindex(columns=[*shown, title])
        models = cells.drop(index=style.PERFECT, errors="ignore")
        low, high = models.min(), models.max()
        shade = ((cells - low) / (high - low).where(high > low)).where(cells.isna() | (high > low), 0.5)
        shade.loc[shade.index == style.PERFECT] = np.nan
        texts = cells.map(lambda value: "–" if np.isnan(value) else f"{value:.3f}").to_numpy()
        style.heat_map(axes, shade.to_numpy(), texts, colours, Normalize(0, 1))
        columns = [*(SUBSETS.get(name, name) for name in shown), f"{TITLES[score].split()[0]}\nscore"]
        under = at_hand if axes is panels[0] else [""] * len(columns)
        axes.set_xticklabels([f"{column}{line}" for column, line in zip(columns, under, strict=True)])
        axes.set_yticklabels(names)
        axes.axvline(len(shown), color="white", linewidth=3)
        axes.set_title(TITLES[measure], loc="left", weight="bold")
    return figure, table[["name", "subset", "measure", "value", "n_seeds", "n", "note"]]


def _bar(axes: Axes, y: float, bar: pd.Series, seeds: Sequence[float] | pd.Series, **keywords: Any) -> None:
    """Draw one number as a bar, with its interval and seeds where there are any, or say why there is none."""
    value = bar["value"]
    if np.isnan(value):
        text = "not at hand" if bar["note"].startswith("missing") else "undefined"
        axes.text(0.02, y, text, size=style.SMALL, va="center", color=style.GREY)
        return
    axes.barh(y, value, 0.36, edgecolor="white", linewidth=0, **keywords)
    ends = [end for end in (bar.get("low", np.nan), bar.get("high", np.nan)) if not np.isnan(end)]
    axes.plot(ends, [y] * len(ends), color="black", linewidth=0.7)
    dots = list(seeds) if len(seeds) > 1 else []
    axes.plot(dots, [y] * len(dots), **style.CIRCLE)
    axes.text(max(0, value, *ends, *dots) + 0.02, y, f"{value:.3f}", size=style.SMALL, va="center", bbox=style.PLATE)


def _named(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.assign(name=scores["model"].map(without_seed), note=scores["note"].fillna(""))


def _overall(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows that Fig. 4b shows: the weighted scores, and the correlations over all rows."""
    style.needed(scores, NEEDED, "scores")
    shown = scores["subset"].isin([SCORE, PARTIAL, ALL]) & scores["measure"].isin(TITLES)
    return _named(scores[shown])


def _mean_over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    numbers = [name for name in ("value", "low", "high", "ceiling") if name in table]
    groups = table.groupby(["name", "subset", "measure"], sort=False)
    # One undefined seed leaves the mean undefined: it is no average of the others.
    mean = groups[numbers].agg(lambda values: values.mean(skipna=False))
    mean["n_seeds"], mean["n"], mean["note"] = groups.size(), groups["n"].first(), groups["note"].first()
    return mean.reset_index()


def _note(scores: pd.DataFrame, source: str = "this run") -> str:
    part = style.one_dataset(scores, ["part"])["part"].iloc[0]
    partial = PARTIAL in set(scores["subset"])
    sizes = scores[scores["subset"] == ALL]["n"]
    rows = f", {int(sizes.max()):,} sequences" if len(sizes) and sizes.max() else ""
    return f"{source}: {part} part{rows}" + ("; scores over the subsets at hand" if partial else "")


def _row_name(name: str, head: str | None) -> str:
    if head is None or name == head_title(head):
        return name
    return f"{name}\n(paper: {head_title(head)})"

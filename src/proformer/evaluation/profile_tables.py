"""Supplementary tables 2 to 5 and data 3 of Toneyan et al. (2022), from the scores of `evaluation.profiles`."""

import pandas as pd

from proformer.evaluation.profile_windows import OWN, PEAKS, SHIFTS, VARIANTS, WHOLE, WINDOWS

WAYS = {"pearson": "standard", "robust_pearson": "robust"}
MODEL = ["kind", "model", "trained_on", "trained_bp"]


def supplements(scores: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """By number: 2, where peaks are and everywhere, by training set; 3, architectures; 4, models of labels beside those
    of coverage, by each other's metrics; 5, tracks that are compared, such as a replicate's. Means over tasks, seeds.
    """
    quantitative, tracks = scores["kind"] == "profile", scores["kind"] == "tracks"
    own, windows, shifts = (scores["how"] == how for how in (OWN, WINDOWS, SHIFTS))
    subset = scores["subset"].isin([WHOLE, PEAKS])
    architectures = scores["architecture"].notna() if "architecture" in scores else scores["model"].isna()
    return {
        2: _means(scores[quantitative & subset & (own | shifts)]),
        3: _means(scores[quantitative & architectures & own & (scores["subset"] == WHOLE)]),
        4: _means(scores[windows & ~tracks]),
        5: _means(scores[tracks & (scores["subset"] == WHOLE)], ["task", "how", "bp"]),
    }


def by_element(scores: pd.DataFrame) -> pd.DataFrame:
    """r of predicted and measured effects of variants: a row per model and way, a column per element, their mean."""
    rows = scores[scores["how"] == VARIANTS].assign(way=lambda table: table["metric"].map(WAYS))
    table = rows.fillna({"trained_on": "", "trained_bp": 0}).pivot_table(
        index=[*MODEL, "way"], columns="subset", values="value", aggfunc="mean", sort=False
    )
    table.insert(0, "mean", table.mean(axis=1))
    return table.reset_index().rename_axis(columns=None).replace({"trained_bp": {0: pd.NA}})


def _means(scores: pd.DataFrame, further: list[str] | None = None) -> pd.DataFrame:
    """A row per model (and further columns), a column per subset and metric."""
    keys = [*MODEL, *(further or [])]
    names = scores["metric"].where(scores["over"] == WHOLE, scores["metric"] + " per sequence")
    names = names.where(scores["subset"] == WHOLE, names + ", " + scores["subset"])
    texts = scores.fillna({"trained_on": "", "trained_bp": 0})
    table = texts.assign(name=names).pivot_table(index=keys, columns="name", values="value", aggfunc="mean", sort=False)
    return table.reset_index().rename_axis(columns=None).replace({"trained_bp": {0: pd.NA}})

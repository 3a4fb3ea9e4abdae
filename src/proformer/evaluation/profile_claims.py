"""The judges of the claims of Toneyan et al. (2022) on models of coverage, by the scores of `evaluation.profiles`.

Two models (or sets of them) are compared by Wilcoxon's signed-rank test over all that they have in common: tasks, bins,
seeds and axes. Each is a training, so that a run of one seed and few tasks decides little.
"""

import pandas as pd

from proformer.evaluation import PUBLISHED
from proformer.evaluation.claims import (
    ALPHA,
    CONTRADICTS,
    FEW,
    SUPPORTS,
    UNDECIDED,
    Claim,
    Finding,
    card,
    claims_on,
    if_learned,
)
from proformer.evaluation.profile_tables import WAYS
from proformer.evaluation.profile_windows import BINS, OWN, SHIFTS, VARIANTS, WHOLE, WINDOWS
from proformer.files import read_table

PLAIN = "Poisson"  # the loss of runs without an axis of losses
NOT_THERE = Finding("–", UNDECIDED, "this run has not trained what is compared")


def published() -> pd.DataFrame:
    """Numbers of the paper and its drafts: columns of scores, the figure, and `trained_on`."""
    return read_table(PUBLISHED / "gopher.tsv", keep_default_na=False, dtype={"value": float})


def report_card(scores: pd.DataFrame, simulated: bool = False) -> pd.DataFrame:
    """Judge every claim by a table of scores; a card (`claims.card`)."""
    table = scores.assign(**{name: scores.get(name) for name in ("loss", "architecture")})
    table["loss"] = table["loss"].fillna(PLAIN)
    own = chosen(table[table["kind"] == "profile"], how=OWN, subset=WHOLE, over=WHOLE, metric="pearson")
    median = own.groupby("folder")["value"].mean().median()

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        found = if_learned(globals()[claim.judge](table, *claim.arguments), median if median == median else 0.0)
        return found, Finding(_printed(claim), SUPPORTS, "as the paper says")

    return card(claims_on("gopher"), judge, simulated)


def chosen(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows with these values."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def best_loss(scores: pd.DataFrame, run: str) -> Finding:
    """The Poisson loss has a higher r than each other, and a lower squared error of scaled predictions."""
    own = chosen(scores, run=run, how=OWN, subset=WHOLE, over=WHOLE)
    others = [loss for loss in own["loss"].unique() if loss != PLAIN]
    pairs = [
        (metric, loss, _values(own, metric, loss=PLAIN), _values(own, metric, loss=loss))
        for metric in ("pearson", "scaled_mse")
        for loss in others
    ]
    if not pairs or own[own["loss"] == PLAIN].empty:
        return NOT_THERE
    found = [_compare(a, b, more=metric == "pearson", what=f"{loss}, {metric}") for metric, loss, a, b in pairs]
    verdicts = {finding.verdict for finding in found}
    verdict = SUPPORTS if verdicts == {SUPPORTS} else CONTRADICTS if CONTRADICTS in verdicts else UNDECIDED
    return Finding(
        "; ".join(finding.numbers for finding in found), verdict, "signed-rank tests over bins, tasks and seeds"
    )


def best_bin(scores: pd.DataFrame, run: str, low: int, high: int) -> Finding:
    """The best bin to train on, each model in its own, is from `low` to `high` bp."""
    own = chosen(scores, run=run, how=OWN, subset=WHOLE, over=WHOLE, loss=PLAIN, metric="pearson")
    means = own.groupby("trained_bp")["value"].mean()
    inside = means[(means.index >= low) & (means.index <= high)]
    outside = means.drop(inside.index)
    if inside.empty or outside.empty:
        return Finding(_text(means), UNDECIDED, f"no bins both from {low} to {high} bp and beyond")
    keys = ["dataset", "task", "seed"]
    a, b = (own[own["trained_bp"] == each.idxmax()].set_index(keys)["value"] for each in (inside, outside))
    found = _compare(a, b, what=f"{outside.idxmax():g} bp")
    return Finding(_text(means), found.verdict, found.reason)


def coarser_is_higher(scores: pd.DataFrame, run: str) -> Finding:
    """Predictions of the same models have a higher r at coarser bins."""
    rows = chosen(scores, run=run, how=BINS, over=WHOLE, loss=PLAIN, metric="pearson").dropna(subset="value")
    keys = ["folder", "task"]
    by_size = rows.sort_values("bp").set_index(keys)
    fine, coarse = (by_size.groupby(level=keys)["value"].nth(place) for place in (0, -1))
    several = by_size.groupby(level=keys).size() > 1
    return _compare(coarse[several[coarse.index]], fine[several[fine.index]], what="their own bins")


def better_set(scores: pd.DataFrame, runs: list[str], metric: str, subset: str, better: str, worse: str) -> Finding:
    """Models of runs trained on one kind of data set are better than on another: "lowest", "highest", "peaks"."""
    names = {name: float(name.split()[1]) for name in scores["trained_on"].dropna().unique() if "threshold" in name}
    known = {
        "lowest": min(names, key=names.__getitem__, default=""),
        "highest": max(names, key=names.__getitem__, default=""),
    }
    first, second = (known.get(name, name) for name in (better, worse))
    if first == second:
        return NOT_THERE
    rows = chosen(scores, kind="profile", how=OWN, subset=subset, over=WHOLE, metric=metric, loss=PLAIN)
    rows = rows[rows["architecture"].isna() & rows["run"].isin(runs)]
    keys = ["trained_bp", "task", "seed"]
    a, b = (chosen(rows, trained_on=name).set_index(keys)["value"] for name in (first, second))
    return _compare(a, b, more=metric == "pearson", what=f"{second}, {metric}")


def stricter_test_is_higher(scores: pd.DataFrame) -> Finding:
    """r within sequences rises with the threshold of the test set."""
    rows = scores[scores["subset"].str.startswith("above") & (scores["kind"] == "profile")]
    rows = chosen(rows, over="sequence", metric="pearson").dropna(subset="value")
    limits = rows["subset"].str.removeprefix("above ").astype(float)
    if limits.nunique() < 2:
        return NOT_THERE
    keys = ["folder", "task"]
    strict, loose = (rows[limits == limit].set_index(keys)["value"] for limit in (limits.max(), limits.min()))
    return _compare(strict, loose, what=f"above {limits.min():g}")


def augmentation_is_steadier(scores: pd.DataFrame, a: str, b: str, trained_on: str) -> Finding:
    """Predictions vary less over shifts with one augmentation than with another."""
    if "augmentation" not in scores:
        return NOT_THERE
    rows = scores[scores["trained_on"].fillna("").str.startswith(trained_on)]
    rows = chosen(rows, how=SHIFTS, metric="variation").set_index(["dataset", "task", "seed"])
    return _compare(chosen(rows, augmentation=a)["value"], chosen(rows, augmentation=b)["value"], more=False, what=b)


def quantitative_is_higher(scores: pd.DataFrame, metric: str, how: str, subset: str | None = None) -> Finding:
    """All quantitative models are better than all models of labels: on windows, or on the elements of variants."""
    rows = chosen(scores, how=how, metric=metric, **({"subset": subset} if subset else {}))
    means = rows.groupby(["kind", "folder"])["value"].mean()
    if not {"profile", "binary"} <= set(means.index.get_level_values(0)):
        return NOT_THERE
    worst, best = means["profile"].idxmin(), means["binary"].idxmax()
    keys = ["task", "subset"]
    a, b = (rows[rows["folder"] == folder].set_index(keys)["value"] for folder in (worst, best))
    better = int((means["profile"] > means["binary"].max()).sum())
    found = _compare(a, b, what="the best model of labels")
    text = f"{better} of {len(means['profile'])} quantitative models above all models of labels"
    return Finding(text, found.verdict, found.reason)


def architecture_is_higher(scores: pd.DataFrame, a: str, b: str) -> Finding:
    """One architecture has a higher r than another, at the same bins and with the same first activation."""
    rows = chosen(scores, how=OWN, subset=WHOLE, over=WHOLE, metric="pearson")
    rows = rows.assign(first=rows.get("first", "")).set_index(["first", "trained_bp", "task", "seed"])
    return _compare(chosen(rows, architecture=a)["value"], chosen(rows, architecture=b)["value"], what=b)


def robust_is_higher(scores: pd.DataFrame) -> Finding:
    """Robust predictions of variants have a higher r with measured effects, mean over elements, than standard ones."""
    means = variant_means(scores).dropna()
    if means.empty:
        return NOT_THERE
    found = _compare(means["robust"], means["standard"], what="standard predictions")
    higher = int((means["robust"] > means["standard"]).sum())
    return Finding(f"{higher} of {len(means)} models; {found.numbers}", found.verdict, found.reason)


def variants_follow_coverage(scores: pd.DataFrame) -> Finding:
    """Models with a higher r on the whole chromosome have a higher r with measured effects of variants."""
    from scipy import stats

    whole = chosen(scores, how=WINDOWS, subset=WHOLE, metric="pearson").groupby("folder")["value"].mean()
    both = variant_means(scores).join(whole.rename("whole"))[["robust", "whole"]].dropna()
    if len(both) < FEW:
        return NOT_THERE
    r, p = stats.pearsonr(both["robust"], both["whole"])
    verdict = UNDECIDED if not p < ALPHA else SUPPORTS if r > 0 else CONTRADICTS
    return Finding(f"r = {r:.2f}, {len(both)} models", verdict, f"p = {p:.2g}")


def variant_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean over elements of r with measured effects, by the folder of each model: columns standard, robust."""
    rows = chosen(scores, how=VARIANTS)
    means = rows.assign(way=rows["metric"].map(WAYS)).groupby(["folder", "way"])["value"].mean().unstack()
    return means.reindex(columns=[*WAYS.values()])


def _values(own: pd.DataFrame, metric: str, loss: str) -> pd.Series:
    return chosen(own, metric=metric, loss=loss).set_index(["dataset", "trained_bp", "task", "seed"])["value"]


def _compare(a: pd.Series, b: pd.Series, what: str, more: bool = True) -> Finding:
    """Whether a is higher than b (or lower), by what they have in common."""
    from scipy import stats

    both = pd.concat({"a": a, "b": b}, axis=1).dropna()
    if both.empty:
        return NOT_THERE
    difference = both["a"] - both["b"]
    text = f"{both['a'].mean():.3f} against {both['b'].mean():.3f} ({what}; n = {len(both)})"
    p = stats.wilcoxon(difference).pvalue if (difference != 0).any() else 1.0
    if len(both) < FEW:
        return Finding(text, UNDECIDED, f"fewer than {FEW} pairs")
    if not p < ALPHA:
        return Finding(text, UNDECIDED, f"signed-rank test: p = {p:.2g}")
    holds = (difference.median() > 0) == more
    return Finding(text, SUPPORTS if holds else CONTRADICTS, f"signed-rank test: p = {p:.2g}")


def _text(means: pd.Series) -> str:
    return "; ".join(f"{bp:g} bp {value:.3f}" for bp, value in means.items())


def _printed(claim: Claim) -> str:
    """The published numbers of a claim's figure, where there are any."""
    table = published()
    rows = table[table["figure"].isin(claim.figure.split(", "))]
    if rows.empty:
        return "drawn, not printed"
    return f"{len(rows)} numbers in published/gopher.tsv, {rows['value'].min():.3f} to {rows['value'].max():.3f}"

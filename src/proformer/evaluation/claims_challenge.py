"""The claims of the DREAM papers on all entries, held against the published scores and against a run's tables.

The run speaks of an entry only where its submission is scored; claims on models in general are judged on those that
predict as entries do, with r of at least `COMPARABLE` over all rows. Scores that lack subsets decide nothing.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from proformer.evaluation.challenge import MEASURED, disparity, published_challenge
from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED, Claim, Finding, card, claims_on
from proformer.evaluation.dream import APPROXIMATE, PARTIAL, SCORES, WEIGHTS
from proformer.evaluation.dream_files import ALL, PAIRS
from proformer.files import read_table

Tables = Mapping[str, pd.DataFrame]
TABLES = ("scores", "differences", "correlations", "ensembles", "changes")
COMPARABLE, FEWEST = 0.9, 3  # r, and models
TOO_FEW = f"fewer than {FEWEST} models with r ≥ {COMPARABLE} over all rows"
EXTREMES = ["high", "low"]
SURE = 0.975  # of the samples


def report_card(folder: Path, simulated: bool = False) -> pd.DataFrame:
    """Judge every claim on the published scores and on the tables of `proformer score` in a folder (see `TABLES`)."""
    run = {name: read_table(folder / f"{name}.tsv") for name in TABLES}
    printed = {"scores": published_challenge()}

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        found, published = (JUDGES[claim.judge](tables, *claim.arguments) for tables in (run, printed))
        return found, published

    return card(claims_on("challenge"), judge, simulated)


def _leading(tables: Tables, *names: str) -> Finding:
    """Whether these entries are the best in every subset, by r² and ρ; ties allowed."""
    scores = tables["scores"]
    if missing := set(names) - set(scores["model"]):
        return _without(missing)
    values = scores[scores["measure"].isin(SCORES.values()) & scores["subset"].isin(WEIGHTS)].dropna(subset="value")
    values = values.pivot(index=["subset", "measure"], columns="model", values="value")
    others = values.drop(columns=list(names)).max(axis=1)
    behind = values.index[values[list(names)].min(axis=1) < others]
    numbers = f"ahead in {len(values) - len(behind)} of {len(values)} (subsets by r² and ρ)"
    return Finding(numbers, CONTRADICTS if len(behind) else SUPPORTS, "by the scores of the whole set")


def _beats(tables: Tables, better: str, worse: str, measures: list[str]) -> Finding:
    """Whether an entry beats another by these weighted scores: in the samples, or by the printed numbers."""
    scores = tables["scores"]
    if missing := {better, worse} - set(scores["model"]):
        return _without(missing)
    if PARTIAL in set(scores["subset"]):
        return Finding("–", UNDECIDED, "the scores lack subsets: they are not the challenge's")
    if "differences" not in tables:
        values = scores.set_index(["model", "measure"])["value"]
        numbers = [(values[better, measure], values[worse, measure]) for measure in measures]
        verdict = SUPPORTS if all(a > b for a, b in numbers) else CONTRADICTS
        return Finding("; ".join(f"{a:.4f}, {b:.4f}" for a, b in numbers), verdict, "by the printed scores, no samples")
    pairs = tables["differences"].set_index(["model_a", "model_b", "measure"])
    ahead = {(better, worse): "a_better", (worse, better): "b_better"}
    found = [((*pair, measure), side) for pair, side in ahead.items() for measure in measures]
    shares = [pairs.loc[key, side] for key, side in found if key in pairs.index]
    sure = SUPPORTS if min(shares) > SURE else CONTRADICTS if max(shares) < 1 - SURE else UNDECIDED
    text = ", ".join(f"{100 * share:.4g} %" for share in shares)
    return Finding(f"ahead in {text} of the samples", sure, "in samples of 10 % of the test data")


def _most_disparate(tables: Tables, *subsets: str) -> Finding:
    """Whether the best model is farthest ahead of the worst in these subsets."""
    scores = tables["scores"]
    over_all = scores[(scores["subset"] == ALL) & (scores["measure"] == "r2")]
    models = over_all.loc[over_all["value"] >= COMPARABLE**2, "model"]
    if len(models) < FEWEST:
        return Finding("–", UNDECIDED, TOO_FEW)
    table = disparity(scores[scores["model"].isin(models)])
    table = table[table["subset"] != ALL].pivot(index="subset", columns="measure", values="disparity")
    if missing := set(subsets) - set(table.index):
        return _without(missing)
    first, others = table.loc[list(subsets)].min(), table.drop(index=list(subsets)).max()
    ends = [f"{100 * first[m]:.0f} % and more against at most {100 * others[m]:.0f} %" for m in table.columns]
    return Finding("; ".join(ends), SUPPORTS if (first > others).all() else CONTRADICTS, f"over {len(models)} models")


def _agree(tables: Tables, extremes: bool) -> Finding:
    """Whether models correlate more with each other than with the truth; of high and low expression, whether not."""
    if "correlations" not in tables:
        return Finding("–", UNDECIDED, "drawn, not printed")
    table = tables["correlations"][tables["correlations"]["subset"].isin(WEIGHTS)]
    truth = table[(table["a"] == MEASURED) & (table["b"] != MEASURED)]
    models = truth.loc[(truth["subset"] == ALL) & (truth["pearson"] >= COMPARABLE), "b"].tolist()
    if len(models) < FEWEST:
        return Finding("–", UNDECIDED, TOO_FEW)
    pairs = table[table["a"].isin(models) & table["b"].isin(models) & (table["a"] != table["b"])]
    means = [t.groupby("subset")["pearson"].mean() for t in (pairs, truth[truth["b"].isin(models)])]
    each = pd.concat(means, axis=1, keys=["models", "truth"])
    each = each.loc[each.index.isin(EXTREMES) == extremes]
    more = each["models"] > each["truth"]
    if extremes:
        more = ~more
    verdict = SUPPORTS if more.all() else UNDECIDED if more.any() else CONTRADICTS
    numbers = "; ".join(f"{name} {row.models:.2f}, truth {row.truth:.2f}" for name, row in each.iterrows())
    return Finding(numbers, verdict, f"means over {len(models)} models with r ≥ {COMPARABLE}")


def _ensemble_gains(tables: Tables) -> Finding:
    """Whether the regression on all models scores higher than that on the best one."""
    if "ensembles" not in tables:
        return Finding("–", UNDECIDED, "drawn, not printed")
    table = tables["ensembles"]
    scores = table[table["measure"].isin(SCORES)]
    if scores["members"].nunique() < 2:
        return Finding("–", UNDECIDED, "fewer than two models, or no public rows to train on")
    values = scores.pivot(index="members", columns="measure", values="value")
    gains = values.iloc[-1] - values.iloc[0]
    numbers = "; ".join(f"{measure.replace('_', ' ')} {gain:+.4f}" for measure, gain in gains.items())
    if PARTIAL in set(scores["subset"]):
        return Finding(numbers, UNDECIDED, "the scores lack subsets: they are not the challenge's")
    verdict = SUPPORTS if (gains > 0).all() else CONTRADICTS if (gains < 0).all() else UNDECIDED
    return Finding(numbers, verdict, f"all {values.index[-1]} models against the best, fitted to rows not scored")


def _order_of_changes(tables: Tables, *subsets: str) -> Finding:
    """Whether mean measured changes fall from subset to subset; rebuilt pairs of SNVs stand in for the challenge's."""
    if "changes" not in tables:
        return Finding("–", UNDECIDED, "drawn, not printed")
    mean, reason = tables["changes"].set_index("subset")["mean"], "means"
    if "SNVs" in subsets and "SNVs" not in mean.index and APPROXIMATE in mean.index:
        mean, reason = mean.rename({APPROXIMATE: "SNVs"}), "means; the pairs of SNVs are approximate"
    mean = mean.reindex(list(subsets))
    numbers = "; ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in mean.dropna().items())
    if not mean.dropna().is_monotonic_decreasing:
        return Finding(numbers, CONTRADICTS, reason)
    return _without({*mean.index[mean.isna()]}, numbers) if mean.isna().any() else Finding(numbers, SUPPORTS, reason)


def _without(missing: set[str], numbers: str = "–") -> Finding:
    what = "pairs" if missing <= {*PAIRS} else "scores"
    return Finding(numbers, UNDECIDED, f"no {what} of {', '.join(sorted(missing))} are at hand")


JUDGES: dict[str, Callable[..., Finding]] = {
    "leading": _leading,
    "beats": _beats,
    "most_disparate": _most_disparate,
    "agree": _agree,
    "ensemble_gains": _ensemble_gains,
    "order_of_changes": _order_of_changes,
}

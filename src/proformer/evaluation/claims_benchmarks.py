"""The judges of the claims on other data (Rafi et al. 2024, Fig. 3), by the values and the tests of `folds`."""

import numpy as np
import pandas as pd

from proformer.evaluation.claims import (
    ALPHA,
    CONTRADICTS,
    SUPPORTS,
    UNDECIDED,
    Claim,
    Finding,
    card,
    claims_on,
    if_learned,
)
from proformer.evaluation.folds import COUNTS, PROFILE, RUN, paired_tests

FEWEST = 3  # folds
PRINTED = Finding("drawn, not printed", SUPPORTS, "as the paper says of its Figure 3")
LOWER = (PROFILE,)  # metrics of which less is better
BETTER, WORSE = "better", "worse"  # what a significant test finds a model to be


def report_card(folds: pd.DataFrame, tests: pd.DataFrame, benchmark: str, simulated: bool = False) -> pd.DataFrame:
    """Judge the claims on one benchmark: drosophila, human or chromatin (others have none); a card (`claims.card`)."""

    own = folds[folds["source"] == RUN]
    median = own.loc[own["metric"].isin(["pearson", COUNTS]), "value"].median()

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        finding = globals()[claim.judge](own, tests, *claim.arguments)
        return finding if claim.judge == "not_tested" else if_learned(finding, median), PRINTED

    try:
        listed = claims_on(f"benchmark {benchmark}")
    except KeyError:
        listed = []
    return card(listed, judge, simulated)


def beats(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> Finding:
    """A model is better than the standard in all tasks of data sets, by all metrics; contradicted where it is worse."""
    return _judged(_tests(tests, model, metrics), datasets, {BETTER}, {WORSE})


def worse(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> Finding:
    """A model is worse than the standard, or does not beat it (no test proves two equal); contradicted where better."""
    return _judged(_tests(tests, model, metrics), datasets, {WORSE}, {BETTER})


def equals(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> Finding:
    """A model is as good as the standard: contradicted by a significant test; no test can prove it."""
    return _judged(_tests(tests, model, metrics), datasets, set(), {BETTER, WORSE})


def best(
    folds: pd.DataFrame, tests: pd.DataFrame, model: str, rivals: list[str], datasets: list[str], metrics: list[str]
) -> Finding:
    """A model is better than each of its rivals in all tasks of data sets; contradicted where it is worse."""
    turned = [paired_tests(folds[folds["model"].isin([model, rival])], rival) for rival in rivals]
    if absent := [rival for rival, found in zip(rivals, turned, strict=True) if found.empty]:
        return Finding("–", UNDECIDED, f"the run does not compare {model} with {' and '.join(absent)}")
    return _judged(_tests(pd.concat(turned), model, metrics), datasets, {BETTER}, {WORSE})


def more_with_data(folds: pd.DataFrame, tests: pd.DataFrame, models: list[str], metric: str) -> Finding:
    """What models gain over the standard grows with the size of the data set: Spearman's ρ over all test folds."""
    from scipy import stats

    sizes = folds.drop_duplicates(["dataset", "fold"]).groupby("dataset")["n"].sum().sort_values()
    chosen = tests[tests["model"].isin(models) & (tests["metric"] == metric)]
    gains = chosen.pivot_table(index="dataset", columns="model", values="difference").reindex(sizes.index).dropna()
    if len(gains) < 2 or len(gains.columns) < len(models):
        return Finding("–", UNDECIDED, "the run has not trained the models on several data sets")
    text = "; ".join(f"{name} (n = {sizes[name]:,.0f}): {row.mean():+.3f}" for name, row in gains.iterrows())
    if chosen["folds"].min() < FEWEST:
        return Finding(text, UNDECIDED, f"fewer than {FEWEST} test folds")
    wide = folds[(folds["metric"] == metric) & folds["dataset"].isin(gains.index)].pivot_table(
        index=["dataset", "fold"], columns="model", values="value"
    )
    by_fold = (wide[models].mean(axis=1, skipna=False) - wide[chosen["standard"].iloc[0]]).dropna()
    test = stats.spearmanr(by_fold.index.get_level_values("dataset").map(sizes), by_fold)
    reason = (
        f"size of the data set against the mean gain of the models, ρ = {test.statistic:.2f}, p = {test.pvalue:.2g}"
    )
    if not test.pvalue < ALPHA:
        return Finding(text, UNDECIDED, reason)
    return Finding(text, SUPPORTS if test.statistic > 0 else CONTRADICTS, reason)


def not_tested(folds: pd.DataFrame, tests: pd.DataFrame, reason: str) -> Finding:
    """A statement on another implementation, which a run of this one cannot judge."""
    return Finding("not tested", UNDECIDED, reason)


def _tests(tests: pd.DataFrame, model: str, metrics: list[str]) -> pd.DataFrame:
    return tests[(tests["model"] == model) & tests["metric"].isin(metrics)]


def _judged(tests: pd.DataFrame, datasets: list[str], holds: set[str], fails: set[str]) -> Finding:
    """What tests of one model say on data sets: supported where all are among `holds`, contradicted by one of `fails`.

    tests: of `paired_tests`, against one standard or several.
    """
    tests = tests[tests["dataset"].isin(datasets)]
    if tests.empty:
        return Finding("–", UNDECIDED, "the run does not compare the models on these data")
    several = tests["standard"].nunique() > 1
    names = ("over " + tests["standard"] + ", " if several else "") + tests["dataset"] + ", " + tests["task"]
    rows = zip(names, tests.itertuples(), strict=True)
    text = "; ".join(f"{name}: {t.difference:+.3f} (p = {t.p:.2g}, {t.folds} folds)" for name, t in rows)
    if tests["folds"].min() < FEWEST:
        return Finding(text, UNDECIDED, f"fewer than {FEWEST} test folds")
    gain = tests["difference"].where(~tests["metric"].isin(LOWER), -tests["difference"])
    found = pd.Series(np.where(gain > 0, BETTER, WORSE), tests.index).where(tests["p"] < ALPHA, "")
    if found.isin(fails).any():
        words = "; ".join(f"{name}: {how}" for name, how in zip(names, found, strict=True) if how in fails)
        return Finding(text, CONTRADICTS, f"significantly, by paired t tests over the test folds: {words}")
    pairs = set(zip(tests["standard"], tests["dataset"], strict=True))
    if absent := [each for each in datasets for one in set(tests["standard"]) if (one, each) not in pairs]:
        return Finding(text, UNDECIDED, f"the run does not compare the models on {', '.join(dict.fromkeys(absent))}")
    if found.isin(holds).all():
        return Finding(text, SUPPORTS, "significantly, by paired t tests over the test folds")
    return Finding(text, UNDECIDED, "without a significant difference everywhere, which is no proof of equality")

"""The judges of the claims on other data (Rafi et al. 2024, Fig. 3), by the values and the tests of `folds`."""

import pandas as pd

from proformer.errors import InputError
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
from proformer.evaluation.folds import COUNTS, PROFILE, RUN

FEWEST = 3  # folds
PRINTED = Finding("drawn, not printed", SUPPORTS, "as the paper says of its Figure 3")
LOWER = (PROFILE,)  # metrics of which less is better


def report_card(folds: pd.DataFrame, tests: pd.DataFrame, benchmark: str, simulated: bool = False) -> pd.DataFrame:
    """Judge the claims on one benchmark: drosophila, human or chromatin (others have none); a card (`claims.card`)."""

    own = folds[folds["source"] == RUN]
    median = own.loc[own["metric"].isin(["pearson", COUNTS]), "value"].median()

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        finding = globals()[claim.judge](own, tests, *claim.arguments)
        return finding if claim.judge == "refused" else if_learned(finding, median), PRINTED

    try:
        listed = claims_on(f"benchmark {benchmark}")
    except KeyError:
        listed = []
    return card(listed, judge, simulated)


def beats(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> Finding:
    """A model is better than the standard in all tasks of data sets, by all metrics."""
    chosen = _tests(tests, model, datasets, metrics)
    if chosen.empty:
        return Finding("–", UNDECIDED, f"the run does not compare {model} with the standard on these data")
    gain = chosen["difference"].where(~chosen["metric"].isin(LOWER), -chosen["difference"])
    sure = chosen["p"] < ALPHA
    if chosen["folds"].min() < FEWEST:
        return Finding(_text(chosen), UNDECIDED, f"fewer than {FEWEST} test folds")
    verdict = SUPPORTS if (sure & (gain > 0)).all() else CONTRADICTS if (sure & (gain < 0)).any() else UNDECIDED
    return Finding(_text(chosen), verdict, "paired t tests over the test folds")


def equals(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> Finding:
    """A model is as good as the standard: contradicted by a significant test; no test can prove it."""
    chosen = _tests(tests, model, datasets, metrics)
    if chosen.empty or chosen["folds"].min() < FEWEST:
        return Finding(_text(chosen), UNDECIDED, f"fewer than {FEWEST} test folds")
    verdict = CONTRADICTS if (chosen["p"] < ALPHA).any() else UNDECIDED
    return Finding(_text(chosen), verdict, "without a significant difference, which is no proof that there is none")


def worse(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> Finding:
    """A model is worse than the standard."""
    turned = tests.assign(difference=-tests["difference"])
    found = beats(folds, turned, model, datasets, metrics)
    return Finding(_text(_tests(tests, model, datasets, metrics)), found.verdict, found.reason)


def best(folds: pd.DataFrame, tests: pd.DataFrame, model: str, datasets: list[str], metric: str) -> Finding:
    """A model has the highest mean over the folds, in all tasks of data sets."""
    chosen = folds[folds["dataset"].isin(datasets) & (folds["metric"] == metric)]
    means = chosen.groupby(["dataset", "task", "model"], sort=False)["value"].mean().unstack("model")
    if model not in means or len(means.columns) < 3:
        return Finding("–", UNDECIDED, "the run has not trained the models to compare")
    text = "; ".join(
        f"{task}: {row.idxmax()} {row.max():.3f}, {model} {row[model]:.3f}" for (_, task), row in means.iterrows()
    )
    if chosen["fold"].nunique() < FEWEST:
        return Finding(text, UNDECIDED, f"fewer than {FEWEST} test folds")
    return Finding(
        text, SUPPORTS if (means.idxmax(axis=1) == model).all() else CONTRADICTS, "means over the test folds"
    )


def more_with_data(folds: pd.DataFrame, tests: pd.DataFrame, models: list[str], metric: str) -> Finding:
    """What models gain over the standard grows with the size of the data set."""
    sizes = folds.drop_duplicates(["dataset", "fold"]).groupby("dataset")["n"].sum().sort_values()
    chosen = tests[tests["model"].isin(models) & (tests["metric"] == metric)]
    gains = chosen.pivot_table(index="dataset", columns="model", values="difference").reindex(sizes.index).dropna()
    if len(gains) < 2 or len(gains.columns) < len(models):
        return Finding("–", UNDECIDED, "the run has not trained the models on several data sets")
    text = "; ".join(f"{name} (n = {sizes[name]:,.0f}): {row.mean():+.3f}" for name, row in gains.iterrows())
    if chosen["folds"].min() < FEWEST:
        return Finding(text, UNDECIDED, f"fewer than {FEWEST} test folds")
    grows = gains.mean(axis=1).is_monotonic_increasing
    return Finding(text, SUPPORTS if grows else CONTRADICTS, "mean gains of the models, from the smallest data set on")


def refused(folds: pd.DataFrame, tests: pd.DataFrame, recipe: str) -> Finding:
    """A model cannot be built at the benchmark's length."""
    from proformer.models import build, find_recipe

    try:
        build({"model": "chrombpnet"} | find_recipe("chrombpnet", recipe)["model"])
    except InputError as error:
        return Finding("2,114 bp", SUPPORTS, str(error))
    return Finding("2,114 bp", CONTRADICTS, "the model was built")


def _tests(tests: pd.DataFrame, model: str, datasets: list[str], metrics: list[str]) -> pd.DataFrame:
    return tests[(tests["model"] == model) & tests["dataset"].isin(datasets) & tests["metric"].isin(metrics)]


def _text(tests: pd.DataFrame) -> str:
    rows = tests.itertuples()
    return (
        "; ".join(f"{t.dataset}, {t.task}: {t.difference:+.3f} (p = {t.p:.2g}, {t.folds} folds)" for t in rows) or "–"
    )

"""The paper's claims on Fig. 4b, the held-out test data, judged by a run's table of differences between models.

A run decides only with `SEEDS` seeds or more: the intervals are for other test sequences, not for another training, and
the paper's own differences are as small as those between two seeds. A claim of "better" is supported when the interval
lies on its side in every seed, and contradicted when it lies on the other side in every seed; one of "similar" when the
intervals lie within `SIMILAR`, or beyond it, in every seed. Each published number is of one run: its verdict is the
sign of the difference, without a test.
"""

from collections.abc import Callable

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation import FIGURE_5
from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED, Claim, Finding, card, claims_on
from proformer.evaluation.dream import PARTIAL, TITLES
from proformer.evaluation.evaluate import VALUE
from proformer.evaluation.heads import published_head, published_scores, seed_of, without_seed
from proformer.evaluation.peers import PROFORMER, RUN, printed

SEEDS = 3
SIMILAR = 0.005  # of a score: the paper calls .001 and .002 similar, and .008 and .015 an improvement


def report_card(differences: pd.DataFrame, simulated: bool = False) -> pd.DataFrame:
    """Judge every claim on the paper's own numbers and on a run's `difference_table`; a card as of `claims.card`.

    Models are recognised by their names: AP, H = 8, H = 8 + GLU, followed by "(seed 1)".
    """
    if missing := {"model_a", "model_b", "subset", "measure", "difference", "low", "high"} - set(differences):
        raise InputError(f"differences table: found no column {', '.join(sorted(missing))}, expected them all")
    values = published_scores().set_index(["head", "measure"])["value"]

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        return _run(claim, _pairs(claim, differences, published_head)), _published(claim, values)

    return card([claim for claim in claims_on("4") if claim.figure == "4b"], judge, simulated)


def peers_card(pairs: pd.DataFrame, evaluation: str, simulated: bool = False) -> pd.DataFrame:
    """The same of the claims on Figure 5 and one of its evaluation sets: a set of `published/peers.tsv`.

    pairs: of `proformer peers`. Models are recognised by their published names, those of this run alone count.
    """
    numbers = printed(evaluation).assign(measure="pearson").set_index(["model", "measure"])["pearson"]
    sources = pairs[["source_a", "source_b"]].apply(lambda column: column.str.partition(", seed ")[0])
    own = pairs[(pairs["what"] == VALUE) & sources.isin([RUN, PROFORMER]).all(axis=1)]
    seeds = {side: own[f"source_{side}"].str.partition(", seed ")[2] for side in ("a", "b")}
    names = {f"model_{side}": own[f"model_{side}"] + " (seed " + seed + ")" for side, seed in seeds.items()}
    found = own.assign(**names, measure="pearson", subset=evaluation)
    claims = [claim for claim in claims_on("5") if claim.figure == FIGURE_5[evaluation]]
    return card(claims, lambda claim: (_run(claim, _pairs(claim, found, str)), _published(claim, numbers)), simulated)


def _published(claim: Claim, values: pd.Series) -> Finding:
    a, b, measures = claim.arguments
    numbers = [f"{TITLES[m]} {values[a, m]:.3f}, {values[b, m]:.3f}" for m in measures]
    gaps = [values[a, m] - values[b, m] for m in measures]
    holds = all(abs(gap) < SIMILAR if claim.judge == "similar" else gap > 0 for gap in gaps)
    return Finding("; ".join(numbers), SUPPORTS if holds else UNDECIDED, "as printed, one run each")


def _pairs(claim: Claim, differences: pd.DataFrame, published_name: Callable[[str], str | None]) -> pd.DataFrame:
    """The rows that compare the claim's two models with one seed, turned to a - b: measure, seed, difference, ends."""
    a, b, measures = claim.arguments
    table = differences[differences["measure"].isin(measures)]
    first, second = (table[side].map(without_seed).map(published_name) for side in ("model_a", "model_b"))
    same = table["model_a"].map(seed_of) == table["model_b"].map(seed_of)
    turned = table.rename(columns={"model_a": "model_b", "model_b": "model_a"})
    turned[["difference", "low", "high"]] = -table[["difference", "high", "low"]].to_numpy()
    both = pd.concat([table[same & (first == a) & (second == b)], turned[same & (first == b) & (second == a)]])
    return both.assign(seed=both["model_a"].map(seed_of))


def _run(claim: Claim, pairs: pd.DataFrame) -> Finding:
    a, b, measures = claim.arguments
    if set(pairs["measure"]) != set(measures):
        return Finding("–", UNDECIDED, f"the run did not score {a} and {b} by all measures")
    if pairs[["difference", "low", "high"]].isna().any(axis=None):
        return Finding("–", UNDECIDED, "a correlation is undefined: constant predictions")
    seeds = int(pairs.groupby("measure")["seed"].size().min())
    numbers = []
    for measure in measures:
        chosen = pairs[pairs["measure"] == measure]
        ends = f"{chosen['low'].min():+.4f} to {chosen['high'].max():+.4f}"
        numbers.append(f"{TITLES[measure]} {chosen['difference'].mean():+.4f} ({ends})")
    models = " minus ".join(without_seed(pairs[side].iloc[0]) for side in ("model_a", "model_b"))
    text = f"{models}: {'; '.join(numbers)}; {seeds} seed{'s' if seeds > 1 else ''}"
    if claim.judge == "similar":
        holds = pairs["low"].gt(-SIMILAR).all() and pairs["high"].lt(SIMILAR).all()
        fails = any((m["low"] > SIMILAR).all() or (m["high"] < -SIMILAR).all() for _, m in pairs.groupby("measure"))
    else:
        holds, fails = (pairs["low"] > 0).all(), (pairs["high"] < 0).all()
    if PARTIAL in set(pairs["subset"]):
        return Finding(text, UNDECIDED, "the scores lack subsets: they are not the paper's")
    if seeds < SEEDS:
        return Finding(text, UNDECIDED, f"fewer than {SEEDS} seeds: another training could reverse the difference")
    if holds or fails:
        return Finding(text, SUPPORTS if holds else CONTRADICTS, "in every seed, as the 95 % intervals say")
    return Finding(text, UNDECIDED, "the seeds or the measures disagree, or an interval includes both answers")

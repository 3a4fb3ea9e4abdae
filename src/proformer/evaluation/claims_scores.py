"""The paper's claims on Fig. 4b, the held-out test data, held against a run's table of differences between models.

A run decides only with `SEEDS` seeds or more: the intervals speak of other test sequences, not of another training, and
the paper's own differences are as small as those between two seeds. A claim of "better" is supported when the interval
lies on its side in every seed, and contradicted when it lies on the other side in every seed; "similar" when the
intervals lie within `SIMILAR`, or beyond it, in every seed. The published numbers stand alone, one run each: their
verdict is the sign of their difference, and no test says how safely.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED, Finding
from proformer.evaluation.dream import PARTIAL
from proformer.evaluation.finals import published_head, published_scores, seed_of, without_seed

SEEDS = 3
SIMILAR = 0.005  # of a score: the paper calls .001 and .002 similar, and .008 and .015 an improvement
TITLES = {"pearson_score": "Pearson Score", "spearman_score": "Spearman Score", "r2": "r²", "spearman": "Spearman ρ"}
WEIGHTED, UNWEIGHTED = ("pearson_score", "spearman_score"), ("r2", "spearman")


@dataclass(frozen=True)
class Comparison:
    """The claim that `a` is better than `b` (or `similar`) by some measures; heads as the paper's table names them."""

    id: str
    text: str
    a: str
    b: str
    measures: tuple[str, ...]
    similar: bool = False


CLAIMS = [
    Comparison("4.1", "one expression head scores as average pooling does", "1", "AP", WEIGHTED, similar=True),
    Comparison("4.2", "32 expression heads have higher weighted scores than average pooling", "32", "AP", WEIGHTED),
    Comparison("4.3", "32 expression heads have higher weighted scores than one", "32", "1", WEIGHTED),
    Comparison("4.4", "GLU has higher unweighted correlations than without", "32+GLU", "32", UNWEIGHTED),
    Comparison("4.5", "GLU has lower weighted scores than without", "32", "32+GLU", WEIGHTED),
    Comparison("4.6", "GLU has lower weighted scores than average pooling", "AP", "32+GLU", WEIGHTED),
]


def report_card(differences: pd.DataFrame) -> pd.DataFrame:
    """Judge every claim on the paper's own numbers and on a run's `difference_table`; columns as `claims.report_card`.

    Models are told apart by their names: AP, H = 8, H = 8 + GLU, with "(seed 1)" behind.
    """
    if missing := {"model_a", "model_b", "subset", "measure", "difference", "low", "high"} - set(differences):
        raise InputError(f"differences table: found no column {', '.join(sorted(missing))}, expected them all")
    rows = []
    for claim in CLAIMS:
        printed, found = _published(claim), _run(claim, _pairs(claim, differences))
        cells = (claim.id, "4b", claim.text, printed.numbers, found.numbers, found.verdict, found.reason)
        rows.append((*cells, printed.verdict))
    columns = ["claim", "figure", "text", "published", "run", "verdict", "reason", "published_verdict"]
    return pd.DataFrame(rows, columns=columns)


def _published(claim: Comparison) -> Finding:
    values = published_scores().set_index(["head", "measure"])["value"]
    numbers = [f"{TITLES[m]} {values[claim.a, m]:.3f}, {values[claim.b, m]:.3f}" for m in claim.measures]
    gaps = [values[claim.a, m] - values[claim.b, m] for m in claim.measures]
    holds = all(abs(gap) < SIMILAR if claim.similar else gap > 0 for gap in gaps)
    return Finding("; ".join(numbers), SUPPORTS if holds else UNDECIDED, "as printed, one run each")


def _pairs(claim: Comparison, differences: pd.DataFrame) -> pd.DataFrame:
    """The rows that compare the claim's two models with one seed, turned to a - b: measure, seed, difference, ends."""
    table = differences[differences["measure"].isin(claim.measures)]
    heads = {name: published_head(without_seed(name)) for name in {*table["model_a"], *table["model_b"]}}
    first, second = table["model_a"].map(heads), table["model_b"].map(heads)
    same = table["model_a"].map(seed_of) == table["model_b"].map(seed_of)
    turned = table.assign(
        model_a=table["model_b"],
        model_b=table["model_a"],
        difference=-table["difference"],
        low=-table["high"],
        high=-table["low"],
    )
    found = [table[same & (first == claim.a) & (second == claim.b)]]
    found.append(turned[same & (first == claim.b) & (second == claim.a)])
    both = pd.concat(found)
    return both.assign(seed=both["model_a"].map(seed_of))


def _run(claim: Comparison, pairs: pd.DataFrame) -> Finding:
    if set(pairs["measure"]) != set(claim.measures):
        return Finding("–", UNDECIDED, f"the run did not score {claim.a} and {claim.b} by all measures")
    if pairs[["difference", "low", "high"]].isna().any(axis=None):
        return Finding("–", UNDECIDED, "a correlation is undefined: constant predictions")
    seeds = int(pairs.groupby("measure")["seed"].size().min())
    numbers = []
    for measure in claim.measures:
        mine = pairs[pairs["measure"] == measure]
        ends = f"{mine['low'].min():+.4f} to {mine['high'].max():+.4f}"
        numbers.append(f"{TITLES[measure]} {mine['difference'].mean():+.4f} ({ends})")
    models = " minus ".join(without_seed(pairs[side].iloc[0]) for side in ("model_a", "model_b"))
    text = f"{models}: {'; '.join(numbers)}; {seeds} seed{'s' if seeds > 1 else ''}"
    if claim.similar:
        holds = pairs["low"].gt(-SIMILAR).all() and pairs["high"].lt(SIMILAR).all()
        fails = any((m["low"] > SIMILAR).all() or (m["high"] < -SIMILAR).all() for _, m in pairs.groupby("measure"))
    else:
        holds, fails = (pairs["low"] > 0).all(), (pairs["high"] < 0).all()
    if PARTIAL in set(pairs["subset"]):
        return Finding(text, UNDECIDED, "the scores lack subsets: they are not the paper's")
    if seeds < SEEDS:
        return Finding(text, UNDECIDED, f"fewer than {SEEDS} seeds: another training could turn the difference round")
    if holds or fails:
        return Finding(text, SUPPORTS if holds else CONTRADICTS, "in every seed, whatever the test sequences (95 %)")
    return Finding(text, UNDECIDED, "the seeds or the measures disagree, or the intervals hold both answers")

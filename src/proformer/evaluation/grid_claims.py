"""The judges of the claims on Figures 2 and 3, by a grid table; `claims` has the rules of verdicts."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from scipy import stats

from proformer.evaluation import statistics
from proformer.evaluation.claims import (
    ALPHA,
    CONTRADICTS,
    ENOUGH,
    FEW,
    SUPPORTS,
    UNDECIDED,
    Claim,
    Finding,
    card,
    claims_on,
    if_learned,
)
from proformer.evaluation.grid_evidence import Evidence, count_heads, fewest, numbers_of, p_text, point_name
from proformer.evaluation.statistics import GREATER, MANN_WHITNEY, RANKSUM, TWO_SIDED

COLLAPSED = 0.1  # r below which all of the paper's failed models lie
FULL_SIZE = 500_000  # training sequences of the grid: "~ 500 k" in the paper's text
DEEP_WIDTHS, DEEP_BLOCKS = (128, 256), 8  # where the paper's average pooling fails
SMALL_WIDTH, SMALL_BLOCKS = 64, (1, 2)  # where it does well on chromatin accessibility
NAMES = {"pooling": "head", "head": "head", "blocks": "blocks", "dim": "width"}  # of what families of tests compare


def report_card(
    published: pd.DataFrame,
    run: pd.DataFrame,
    dataset: str = "dream",
    figure: str = "2",
    published_dataset: str | None = None,
    simulated: bool = False,
) -> pd.DataFrame:
    """Judge every claim on a figure by the run's grid table, with the same numbers of the published table beside it.

    Returns a card (`claims.card`). `published_dataset`: the data set of the published table, when it is called
    otherwise there. Raises InputError when a table lacks columns or has no rows of the dataset.
    """
    paper, ours = Evidence(published, published_dataset or dataset), Evidence(run, dataset)

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        found, printed = (globals()[claim.judge](evidence, *claim.arguments) for evidence in (ours, paper))
        found = if_learned(found, ours.median)
        return replace(found, reason=f"{found.reason}. Sample: {ours.sample}"), printed

    return card(claims_on(figure), judge, simulated)


def improves(evidence: Evidence, family: str, a: str, b: str, analogy: bool = False) -> Finding:
    """Judge "b is better than a" by the one-sided test; on request by analogy: smallest against largest level."""
    note, test = "", evidence.test(family, a, b, GREATER)
    found = statistics.levels(statistics.multiple_heads(evidence.points), family) if analogy else []
    if test is None and found:
        test = evidence.test(family, str(found[0]), str(found[-1]), GREATER)
        note = f"by analogy, the run's smallest against its largest {NAMES[family]} instead of {a} and {b}: "
    if test is None:
        return _lacking(family, a, b)
    both, two_sided = evidence.test(family, test["a"], test["b"], TWO_SIDED), ""
    if both is not None:
        two_sided = f"; two-sided p = {p_text(both['p'])}{', not significant' * bool(both['p'] >= ALPHA)}"
    verdict, reason = _effect(test["p"], evidence.reverse(test), f"significant, one-sided{two_sided}")
    if fewest(test) < FEW:
        verdict, reason = UNDECIDED, f"fewer than {FEW} points a group, too few for a rank test"
    return Finding(numbers_of(test), verdict, note + reason)


def no_effect(evidence: Evidence, family: str, a: str, b: str, rises: bool = False) -> Finding:
    """Judge "b is not significantly better than a" (average pooling: one-sided, as printed; else two-sided)."""
    test = evidence.test(family, a, b, GREATER if family == "pooling" else TWO_SIDED)
    if test is None:
        return _lacking(family, a, b)
    verdict, reason = _no_effect(test["p"], fewest(test))
    if rises and verdict == SUPPORTS:
        reason = "not significant, and the mean rises"
        if test["mean_b"] <= test["mean_a"]:
            verdict, reason = UNDECIDED, "not significant, but the mean does not rise"
    return Finding(numbers_of(test), verdict, reason)


def saturated(evidence: Evidence) -> Finding:
    """Judge "more than eight expression heads change nothing": all pairs, two-sided, corrected after Holm."""
    tests = evidence.tests[(evidence.tests["family"] == "head") & (evidence.tests["alternative"] == TWO_SIDED)]
    tests = tests[(count_heads(tests["a"]) >= 8) & (count_heads(tests["b"]) >= 8) & tests["p"].notna()]
    if tests.empty:
        return Finding("–", UNDECIDED, "the grid has no two numbers of expression heads from eight on")
    n, corrected, lowest = fewest(tests), tests["p_holm"].min(), tests.loc[tests["p"].idxmin()]
    numbers = f"{len(tests)} pairs; smallest p = {p_text(lowest['p'])} ({lowest['a']} and {lowest['b']}; two-sided "
    return Finding(f"{numbers}{RANKSUM}; Holm {p_text(corrected)}); n ≥ {n} points a group", *_no_effect(corrected, n))


def pooling_fails(evidence: Evidence, widths: Sequence[int] = DEEP_WIDTHS, full_size: int = FULL_SIZE) -> Finding:
    """Judge "average pooling fails (r < .1) at the deepest points of these widths"."""
    runs, own, note = _deepest(evidence, widths)
    pooled = runs[runs["head"] == "AP"]
    if pooled.empty:
        return Finding("–", UNDECIDED, f"{note}average pooling was not run there")
    failed, numbers = _failures(pooled)
    if 2 * failed >= len(pooled):
        return Finding(numbers, SUPPORTS, f"{note}it fails there; the median r of the grid is {evidence.median:.3f}")
    same_size = evidence.n_train is not None and evidence.n_train >= full_size
    if not failed and own and same_size and pooled.groupby("dim").size().min() >= 3:
        return Finding(numbers, CONTRADICTS, "no seed fails, with the paper's own points and amount of data")
    needed = f"the paper's own points, three seeds and {full_size:,} training sequences"
    return Finding(
        numbers,
        UNDECIDED,
        f"{note}failing depends on size and chance: a contradiction needs {needed}",
    )


def multiple_heads_hold(evidence: Evidence, widths: Sequence[int] = DEEP_WIDTHS, heads: int = 8) -> Finding:
    """Judge "models with `heads` or more expression heads do not fail where average pooling does"."""
    runs, _, note = _deepest(evidence, widths)
    pooled, many = runs[runs["head"] == "AP"], runs[count_heads(runs["head"]) >= heads]
    if pooled.empty or many.empty:
        lacking = "average pooling was" if pooled.empty else f"{heads} or more heads were"
        return Finding("–", UNDECIDED, f"{note}{lacking} not run there")
    failed, numbers = _failures(many)
    failed_pooled = _failures(pooled)[0]
    if not failed_pooled:
        return Finding(numbers, UNDECIDED, f"{note}average pooling does not fail there either")
    reason = f"{note}average pooling fails in {failed_pooled} of {len(pooled)} runs there"
    worse = failed / len(many) >= failed_pooled / len(pooled)
    return Finding(numbers, CONTRADICTS if worse else UNDECIDED if failed else SUPPORTS, reason)


def best_point(evidence: Evidence, dim: int, blocks: int) -> Finding:
    """Judge "the best point has this width and depth, and several expression heads"."""
    points = evidence.points.sort_values("r", ascending=False, kind="stable", ignore_index=True)
    best, second = points.iloc[0], points.iloc[min(1, len(points) - 1)]
    numbers = f"best r = {best['r']:.4f}: {point_name(best)}; next {second['r']:.4f}: {point_name(second)}"
    chosen = statistics.multiple_heads(points)
    chosen = chosen[(chosen["dim"] == dim) & (chosen["blocks"] == blocks)]
    if chosen.empty:
        return Finding(numbers, UNDECIDED, f"the grid has no multiple heads at width {dim} with {blocks} blocks")
    if chosen.index[0] == 0:
        return Finding(numbers, SUPPORTS, "that point is best; not tested")
    keys = ["dim", "heads", "blocks", "head"]
    runs = evidence.runs
    a, b = (runs.loc[(runs[keys] == point[keys]).all(axis=1), "r"] for point in (chosen.iloc[0], best))
    p = statistics.rank_test(a, b, MANN_WHITNEY, GREATER)[1]
    reason = f"{point_name(chosen.iloc[0])} has r = {chosen.iloc[0]['r']:.4f}; "
    reason += f"one-sided {MANN_WHITNEY} over {len(a)} and {len(b)} seeds: p = {p_text(p)}"
    return Finding(numbers, CONTRADICTS if p < ALPHA else UNDECIDED, reason)


def pooling_does_well(evidence: Evidence) -> Finding:
    """Judge "average pooling is no worse than the mean of several heads, at the smallest width with 1 and 2 blocks".

    Contradicted when it is worse in every one of at least five runs there (a sign test gives p < .05).
    """
    runs, width, blocks, note = evidence.runs, SMALL_WIDTH, list(SMALL_BLOCKS), ""
    if not {(width, depth) for depth in blocks} <= set(zip(runs["dim"], runs["blocks"], strict=True)):
        width, blocks = runs["dim"].min(), statistics.levels(runs, "blocks")[:2]
        note = f"by analogy, the run's smallest points (width {width}, {' and '.join(map(str, blocks))} blocks): "
    small = runs[(runs["dim"] == width) & runs["blocks"].isin(blocks)]
    small = small.assign(seed=small["seed"].fillna(0))
    keys = ["blocks", "seed"]
    several = statistics.multiple_heads(small).groupby(keys)["r"].mean().rename("several")
    pairs = small[small["head"] == "AP"].set_index(keys)[["r"]].join(several, how="inner")
    if pairs.empty:
        return Finding("–", UNDECIDED, f"{note}average pooling or several heads were not run there")
    mean = pairs.mean()
    numbers = f"mean r {mean['r']:.4f} (AP), {mean['several']:.4f} (several heads); n = {len(pairs)} runs"
    means = pairs.groupby("blocks").mean()
    if (means["r"] >= means["several"]).all():
        return Finding(numbers, SUPPORTS, f"{note}no worse than several heads at either depth; not tested")
    if (pairs["r"] < pairs["several"]).all() and len(pairs) >= FEW:
        return Finding(numbers, CONTRADICTS, f"{note}average pooling is worse in all {len(pairs)} runs there")
    return Finding(numbers, UNDECIDED, f"{note}average pooling is worse there in some runs or depths only")


def falls(evidence: Evidence, head: str, by: str) -> Finding:
    """Judge "this head gets worse as models grow" by size (blocks x width²) or depth (blocks): one-sided Spearman."""
    points = evidence.points[evidence.points["head"] == head]
    size = points["blocks"] * (points["dim"] ** 2 if by == "size" else 1)
    if len(points) < FEW or size.nunique() < 3 or points["r"].nunique() < 2:
        return Finding("–", UNDECIDED, f"fewer than {FEW} points of the head {head}, or fewer than 3 of {by}")
    if by == "depth" and points["blocks"].max() < DEEP_BLOCKS:
        return Finding("–", UNDECIDED, f"the claim is on up to {DEEP_BLOCKS} blocks, which the run lacks")
    rho, p = stats.spearmanr(size, points["r"], alternative="less")
    reverse = stats.spearmanr(size, points["r"], alternative="greater").pvalue
    numbers = f"Spearman ρ = {rho:.3f} of r with {by}, one-sided p = {p:.2g}; n = {len(points)} points"
    return Finding(numbers, *_effect(p, reverse, f"r falls with {by}, significantly"))


def _effect(p: float, reverse: float, found: str) -> tuple[str, str]:
    """Verdict and reason on an effect, by the one-sided p of the claim and of the opposite."""
    if p < ALPHA:
        return SUPPORTS, found
    if reverse < ALPHA:
        return CONTRADICTS, f"significant in the opposite direction (one-sided p = {p_text(reverse)})"
    return UNDECIDED, "not significant, which does not prove that there is no effect"


def _no_effect(p: float, n: int) -> tuple[str, str]:
    """Verdict and reason on the lack of an effect, by the p of a test whose smaller group has n points."""
    if p < ALPHA and n >= FEW:
        return CONTRADICTS, "the difference is significant"
    if n < ENOUGH:
        return UNDECIDED, f"not significant, but the paper has at least {ENOUGH} points a group"
    return SUPPORTS, "not significant"


def _deepest(evidence: Evidence, widths: Sequence[int]) -> tuple[pd.DataFrame, bool, str]:
    """Return the runs where the paper's average pooling fails, else as many largest widths at the greatest depth."""
    runs = evidence.runs
    own = runs[runs["dim"].isin(widths) & (runs["blocks"] == DEEP_BLOCKS)]
    if own["dim"].nunique() == len(widths):
        return own, True, ""
    largest, depth = statistics.levels(runs, "dim")[-len(widths) :], runs["blocks"].max()
    note = f"by analogy, the run's largest, deepest points (width {' and '.join(map(str, largest))}, {depth} blocks): "
    return runs[runs["dim"].isin(largest) & (runs["blocks"] == depth)], False, note


def _failures(runs: pd.DataFrame) -> tuple[int, str]:
    failed = int((runs["r"] < COLLAPSED).sum())
    return failed, f"{failed} of {len(runs)} runs fail (r from {runs['r'].min():.4f} to {runs['r'].max():.4f})"


def _lacking(family: str, a: str, b: str) -> Finding:
    return Finding("–", UNDECIDED, f"the grid lacks {NAMES[family]} {a} or {b}")

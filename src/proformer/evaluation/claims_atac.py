"""The paper's claims on Fig. 3, chromatin accessibility, for `claims.report_card`; the rules of verdicts stand there.

The published table does not bear out all that Fig. 3 might be taken to say: with eight blocks of width 128, eight
expression heads fail as well as average pooling and one head do, and at width 64 the best of each depth is average
pooling (1 and 2 blocks) or a single head (4 and 8), never several. The paper speaks of the "similar trends" of Fig. 2,
so the claim of eight heads is held against this table too, and comes out undecided.
"""

from __future__ import annotations

from scipy import stats

from proformer.evaluation import statistics
from proformer.evaluation.claims import (
    ALPHA,
    CONTRADICTS,
    FEW,
    SUPPORTS,
    UNDECIDED,
    Claim,
    Evidence,
    Finding,
    best_point,
    improves,
    multiple_heads_hold,
    pooling_fails,
)

DATASET = "atac"  # of the published table
WINDOWS = 90_000  # training sequences, in the paper's text
DEEP_WIDTHS = (128,)  # with eight blocks: where average pooling fails
SMALL_WIDTH, SMALL_BLOCKS = 64, (1, 2)


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
    numbers = (
        f"mean r {pairs['r'].mean():.4f} (AP), {pairs['several'].mean():.4f} (several heads); n = {len(pairs)} runs"
    )
    means = pairs.groupby("blocks").mean()
    if (means["r"] >= means["several"]).all():
        return Finding(numbers, SUPPORTS, f"{note}no worse than several heads at either depth; no test says how safely")
    if (pairs["r"] < pairs["several"]).all() and len(pairs) >= FEW:
        return Finding(numbers, CONTRADICTS, f"{note}average pooling is worse in all {len(pairs)} runs there")
    return Finding(numbers, UNDECIDED, f"{note}average pooling is worse there in some runs or depths, too few to tell")


def pooling_falls(evidence: Evidence) -> Finding:
    """Judge "average pooling gets worse as models grow": rank correlation of r with blocks x width², one-sided."""
    points = evidence.points[evidence.points["head"] == "AP"]
    size = points["blocks"] * points["dim"] ** 2
    if len(points) < FEW or size.nunique() < 3 or points["r"].nunique() < 2:
        return Finding("–", UNDECIDED, f"fewer than {FEW} points of average pooling, or fewer than 3 sizes")
    rho, p = stats.spearmanr(size, points["r"], alternative="less")
    numbers = f"Spearman ρ = {rho:.3f} of r with model size, one-sided p = {p:.2g}; n = {len(points)} points"
    if p < ALPHA:
        return Finding(numbers, SUPPORTS, "r falls with size, significantly")
    reverse = stats.spearmanr(size, points["r"], alternative="greater").pvalue
    if reverse < ALPHA:
        return Finding(numbers, CONTRADICTS, f"r rises with size instead (one-sided p = {reverse:.2g})")
    return Finding(numbers, UNDECIDED, "not significant, which is no proof of no effect")


CLAIMS = [
    Claim("1.1", "3b", "8 expression heads beat average pooling", improves, ("pooling", "AP", "8")),
    Claim("1.2", "3b", "16 expression heads beat average pooling", improves, ("pooling", "AP", "16")),
    Claim("1.3", "3b", "32 expression heads beat average pooling", improves, ("pooling", "AP", "32")),
    Claim("1.4", "3b", "64 expression heads beat average pooling", improves, ("pooling", "AP", "64")),
    Claim("2", "3b", "average pooling performs well when the model is small", pooling_does_well),
    Claim("3.1", "3b", "average pooling gets worse as models grow", pooling_falls),
    Claim("3.2", "3b", "average pooling fails (r < 0.1) at 128 wide, 8 blocks", pooling_fails, (DEEP_WIDTHS, WINDOWS)),
    Claim("4.1", "3b", "sixteen or more expression heads do not fail there", multiple_heads_hold, (DEEP_WIDTHS, 16)),
    Claim("4.2", "3b", "nor do eight or more, as in Fig. 2", multiple_heads_hold, (DEEP_WIDTHS, 8)),
    Claim("5", "3b", "the best model is 128 wide, 4 blocks deep, with several heads", best_point, (128, 4)),
]  # fmt: skip

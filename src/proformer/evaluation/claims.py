"""The report card: the paper's claims, one by one, held against a run's grid table; here those on Fig. 2.

A claim names the levels that it speaks of. A run without them is judged by analogy where that can be defended
(smallest against largest width, say), and the reason then says so; else "cannot decide". Verdicts are cautious:

- an effect is supported by a significant test (p < .05, uncorrected, as in the paper; Holm's p stands beside it) and
  contradicted only by a significant test in the other direction, both with at least `FEW` points a group;
- "no effect" is contradicted by a significant test, and supported by a non-significant one only if the groups are
  no smaller than the smallest of the paper (`ENOUGH` points): fewer would miss what the paper could have seen;
- a grid in which little was learned (median r below `LEARNED`) decides nothing.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from proformer.evaluation import statistics
from proformer.evaluation.statistics import GREATER, MANN_WHITNEY, RANKSUM, TWO_SIDED

SUPPORTS, CONTRADICTS, UNDECIDED = "supports", "contradicts", "cannot decide"
# Simulated data judge no claim on real ones: they only show that an effect is found where it was put, or is not there.
SIMULATED = {SUPPORTS: "as simulated: yes", CONTRADICTS: "as simulated: no", UNDECIDED: "as simulated: cannot decide"}
ALPHA = 0.05
COLLAPSED = 0.1  # r below which all of the paper's failed models lie
FEW, ENOUGH = 5, 12  # points a group: normal approximation usable; smallest group in the paper's own tests
LEARNED = 0.2
FULL_SIZE = 500_000  # training sequences of the grid: "~ 500 k" in the paper's text
DEEP_WIDTHS, DEEP_BLOCKS = (128, 256), 8  # where the paper's average pooling fails


@dataclass(frozen=True)
class Finding:
    """What one grid says on one claim: the numbers as text, a verdict, and why."""

    numbers: str
    verdict: str
    reason: str


class Evidence:
    """The grid table of one dataset with its averages and tests, each computed once."""

    def __init__(self, grid: pd.DataFrame, dataset: str):
        grid = statistics.checked(grid)
        grid = statistics.checked(grid[grid["dataset"] == dataset], f"grid table, dataset {dataset}")
        self.runs = grid.assign(r=grid["r"].astype(float).fillna(0.0))
        self.points = statistics.average_seeds(grid)

    @cached_property
    def tests(self) -> pd.DataFrame:
        """Every test of the grid."""
        return statistics.all_tests(self.runs)

    @cached_property
    def _found(self) -> dict[tuple[str, ...], pd.Series]:
        return {
            (test["family"], test["a"], test["b"], test["alternative"]): test
            for _, test in self.tests.iterrows()
            if test["n_a"]
        }

    def test(self, family: str, a: str, b: str, alternative: str) -> pd.Series | None:
        """Return one row of `tests`, or None when the grid lacks a level."""
        return self._found.get((family, a, b, alternative))

    def reverse(self, test: pd.Series) -> float:
        """Return the one-sided p of "a greater than b"."""
        points, factor = statistics.multiple_heads(self.points), test["family"]
        if factor == "pooling":
            points, factor = self.points, "head"
        a, b = (points.loc[points[factor].astype(str) == test[side], "r"] for side in "ab")
        return statistics.compare(b, a, test["test"], GREATER)[1]

    @cached_property
    def median(self) -> float:
        """The median r over the grid points."""
        return float(self.points["r"].median())

    @cached_property
    def n_train(self) -> int | None:
        """The smallest number of training sequences of any run; None when the table does not say."""
        known = self.runs["n_train"].dropna() if "n_train" in self.runs else ()
        return int(min(known)) if len(known) else None

    @property
    def sample(self) -> str:
        """The size of the sample in words."""
        low, high = self.points["n_seeds"].min(), self.points["n_seeds"].max()
        widths, blocks = (", ".join(map(str, statistics.levels(self.points, factor))) for factor in ("dim", "blocks"))
        size = "an unstated number of" if self.n_train is None else f"{self.n_train:,}"
        seeds = f"{low if low == high else f'{low} to {high}'} run{'s' if high > 1 else ''} each"
        return f"{len(self.points)} points (widths {widths}; blocks {blocks}), {seeds}, {size} training sequences"


def improves(evidence: Evidence, family: str, a: str, b: str, analogy: bool = False) -> Finding:
    """Judge "b is better than a" by the one-sided test; on request by analogy: smallest against largest level."""
    note, test = "", evidence.test(family, a, b, GREATER)
    if test is None and analogy:
        found = [str(level) for level in statistics.levels(statistics.multiple_heads(evidence.points), family)]
        test = evidence.test(family, found[0], found[-1], GREATER) if found else None
        note = f"by analogy, the run's smallest against its largest {family} instead of {a} and {b}: "
    if test is None:
        return _lacking(family, a, b)
    if min(test["n_a"], test["n_b"]) < FEW:
        return Finding(_numbers(test), UNDECIDED, f"{note}fewer than {FEW} points a group, too few for a rank test")
    if test["p"] < ALPHA:
        both = evidence.test(family, test["a"], test["b"], TWO_SIDED)
        also = (
            ""
            if both is None
            else f"; two-sided p = {_p(both['p'])}{', not significant' if both['p'] >= ALPHA else ''}"
        )
        return Finding(_numbers(test), SUPPORTS, f"{note}significant, one-sided{also}")
    if (reverse := evidence.reverse(test)) < ALPHA:
        return Finding(_numbers(test), CONTRADICTS, f"{note}significantly worse instead (one-sided p = {_p(reverse)})")
    return Finding(_numbers(test), UNDECIDED, f"{note}not significant, which is no proof of no effect")


def no_effect(evidence: Evidence, family: str, a: str, b: str, rises: bool = False) -> Finding:
    """Judge "b is not significantly better than a" (average pooling: one-sided, as printed; else two-sided)."""
    test = evidence.test(family, a, b, GREATER if family == "pooling" else TWO_SIDED)
    if test is None:
        return _lacking(family, a, b)
    fewest = min(test["n_a"], test["n_b"])
    if test["p"] < ALPHA and fewest >= FEW:
        return Finding(_numbers(test), CONTRADICTS, "the difference is significant")
    if fewest < ENOUGH:
        return Finding(_numbers(test), UNDECIDED, _too_few())
    if rises and test["mean_b"] <= test["mean_a"]:
        return Finding(_numbers(test), UNDECIDED, "not significant, but the mean does not rise")
    return Finding(_numbers(test), SUPPORTS, "not significant, and the mean rises" if rises else "not significant")


def saturated(evidence: Evidence) -> Finding:
    """Judge "more than eight expression heads change nothing": all pairs, two-sided, corrected after Holm."""
    tests = evidence.tests[(evidence.tests["family"] == "head") & (evidence.tests["alternative"] == TWO_SIDED)]
    tests = tests[(_count(tests["a"]) >= 8) & (_count(tests["b"]) >= 8) & tests["p"].notna()]
    if tests.empty:
        return Finding("–", UNDECIDED, "the grid does not compare two numbers of heads from eight up")
    fewest, lowest = int(tests[["n_a", "n_b"]].min(axis=None)), tests.loc[tests["p"].idxmin()]
    numbers = (
        f"{len(tests)} pairs; smallest p = {_p(lowest['p'])} ({lowest['a']} and {lowest['b']}; two-sided {RANKSUM}"
    )
    numbers += f"; Holm {_p(tests['p_holm'].min())}); n ≥ {fewest} points a group"
    if tests["p_holm"].min() < ALPHA and fewest >= FEW:
        return Finding(numbers, CONTRADICTS, "a pair differs significantly, corrected after Holm")
    if fewest < ENOUGH:
        return Finding(numbers, UNDECIDED, _too_few())
    return Finding(numbers, SUPPORTS, "no pair differs significantly")


def pooling_fails(evidence: Evidence, widths: tuple[int, ...] = DEEP_WIDTHS, full_size: int = FULL_SIZE) -> Finding:
    """Judge "average pooling fails (r < .1) at the deepest points of these widths"."""
    runs, own, note = _deepest(evidence, widths)
    pooled = runs[runs["head"] == "AP"]
    if pooled.empty:
        return Finding("–", UNDECIDED, f"{note}average pooling was not run there")
    failed, numbers = _failures(pooled)
    if 2 * failed >= len(pooled):
        return Finding(numbers, SUPPORTS, f"{note}it fails there, while the grid's median r is {evidence.median:.3f}")
    same_size = evidence.n_train is not None and evidence.n_train >= full_size
    if not failed and own and same_size and pooled.groupby("dim").size().min() >= 3:
        return Finding(numbers, CONTRADICTS, "no seed fails, with the paper's own points and amount of data")
    needed = f"the paper's own points, three seeds and {full_size:,} training sequences"
    return Finding(numbers, UNDECIDED, f"{note}failing is a matter of size and chance: to contradict takes {needed}")


def multiple_heads_hold(evidence: Evidence, widths: tuple[int, ...] = DEEP_WIDTHS, fewest: int = 8) -> Finding:
    """Judge "models with `fewest` or more expression heads do not fail where average pooling does"."""
    runs, _, note = _deepest(evidence, widths)
    pooled, many = runs[runs["head"] == "AP"], runs[_count(runs["head"]) >= fewest]
    if pooled.empty or many.empty:
        return Finding("–", UNDECIDED, f"{note}no {'AP' if pooled.empty else f'{fewest} or more heads'} there")
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
    numbers = f"best r = {best['r']:.4f}: {_name(best)}; next {second['r']:.4f}: {_name(second)}"
    mine = statistics.multiple_heads(points)
    mine = mine[(mine["dim"] == dim) & (mine["blocks"] == blocks)]
    if mine.empty:
        return Finding(numbers, UNDECIDED, f"the grid has no multiple heads at width {dim} with {blocks} blocks")
    if mine.index[0] == 0:
        return Finding(numbers, SUPPORTS, "that point is best; no test says how safely")
    keys = ["dim", "heads", "blocks", "head"]
    a, b = (evidence.runs.loc[(evidence.runs[keys] == point[keys]).all(axis=1), "r"] for point in (mine.iloc[0], best))
    p = statistics.compare(a, b, MANN_WHITNEY, GREATER)[1]
    reason = f"{_name(mine.iloc[0])} has r = {mine.iloc[0]['r']:.4f}; "
    reason += f"one-sided {MANN_WHITNEY} over {len(a)} and {len(b)} seeds: p = {_p(p)}"
    return Finding(numbers, CONTRADICTS if p < ALPHA else UNDECIDED, reason)


@dataclass(frozen=True)
class Claim:
    """One statement of the paper and the function, with its arguments, that judges it."""

    id: str
    figure: str
    text: str
    judge: Callable[..., Finding]
    arguments: tuple = ()


CLAIMS = [
    Claim("1.1", "2c", "8 expression heads beat average pooling", improves, ("pooling", "AP", "8")),
    Claim("1.2", "2c", "16 expression heads beat average pooling", improves, ("pooling", "AP", "16")),
    Claim("1.3", "2c", "32 expression heads beat average pooling", improves, ("pooling", "AP", "32")),
    Claim("1.4", "2c", "64 expression heads beat average pooling", improves, ("pooling", "AP", "64")),
    Claim("2", "2c", "one head is not significantly better than average pooling", no_effect, ("pooling", "AP", "1")),
    Claim("3.1", "2c", "average pooling fails (r < 0.1) in the largest, deepest models", pooling_fails),
    Claim("3.2", "2c", "eight or more expression heads do not fail there", multiple_heads_hold),
    Claim("4.1", "2e", "two blocks are better than one", improves, ("blocks", "1", "2", True)),
    Claim("4.2", "2e", "four blocks are better than two", improves, ("blocks", "2", "4")),
    Claim("5", "2e", "eight blocks: slightly above four, not significantly", no_effect, ("blocks", "4", "8", True)),
    Claim("6.1", "2f", "a width of 256 is better than 64", improves, ("dim", "64", "256", True)),
    Claim("6.2", "2f", "widths of 64 and 128 do not differ significantly", no_effect, ("dim", "64", "128")),
    Claim("6.3", "2f", "widths of 128 and 256 do not differ significantly", no_effect, ("dim", "128", "256")),
    Claim("7", "2g", "beyond eight expression heads, more change nothing", saturated),
    Claim("8", "2c", "the best model is 128 wide, 8 blocks deep, with several heads", best_point, (128, 8)),
]


def report_card(
    published: pd.DataFrame,
    run: pd.DataFrame,
    dataset: str = "dream",
    claims: list[Claim] = CLAIMS,
    published_dataset: str | None = None,
    simulated: bool = False,
) -> pd.DataFrame:
    """Judge every claim by the run's grid table, with the same numbers of the published table beside it.

    Columns: claim, figure, text, published, run, verdict, reason, published_verdict (what the same judge says of the
    paper's own table); one row per claim. `published_dataset`: the data set of the published table, when it is called
    otherwise there.
    `simulated`: the run's verdicts are those of `SIMULATED`.

    Raises InputError when a table lacks columns or has no rows of the dataset.
    """
    paper, ours = Evidence(published, published_dataset or dataset), Evidence(run, dataset)
    rows = []
    for claim in claims:
        finding, printed = claim.judge(ours, *claim.arguments), claim.judge(paper, *claim.arguments)
        verdict, reason = finding.verdict, finding.reason
        if ours.median < LEARNED:
            verdict, reason = UNDECIDED, f"the median r of the grid is {ours.median:.3f}: little was learned anywhere"
        reason = f"{reason}. Sample: {ours.sample}"
        cells = (claim.id, claim.figure, claim.text, printed.numbers, finding.numbers, verdict, reason, printed.verdict)
        rows.append(cells)
    columns = ["claim", "figure", "text", "published", "run", "verdict", "reason", "published_verdict"]
    card = pd.DataFrame(rows, columns=columns)
    return as_simulated(card) if simulated else card


def as_simulated(card: pd.DataFrame) -> pd.DataFrame:
    """The card of a run on simulated data: its verdicts say nothing of the paper; those on the paper's table stay."""
    return card.assign(verdict=card["verdict"].map(SIMULATED))


def to_html(card: pd.DataFrame, note: str = "", title: str = "Report card: the claims on Figure 2") -> str:
    """Return the card as one self-contained HTML page; `note` says what the run was."""
    colour = {SUPPORTS: "#0072b2", CONTRADICTS: "#d55e00", UNDECIDED: "#767676"}
    colour |= {SIMULATED[verdict]: shade for verdict, shade in colour.items()}
    found = [verdict for verdict in colour if (verdict in SIMULATED) != card["verdict"].isin(SIMULATED.values()).any()]
    counts = ", ".join(f"{verdict}: {(card['verdict'] == verdict).sum()}" for verdict in found)
    cells = card.map(lambda value: html.escape(str(value)))
    for column in ("verdict", "published_verdict"):
        cells[column] = [f'<b style="color:{colour[verdict]}">{verdict}</b>' for verdict in card[column]]
    with pd.option_context("display.max_colwidth", None):
        table = cells.to_html(index=False, escape=False, border=0)
    style = "body{font:14px sans-serif;margin:1em}table{border-collapse:collapse}"
    style += "td,th{border-bottom:1px solid #ccc;padding:.4em;text-align:left;vertical-align:top}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{style}</style></head><body>\n<h1>{html.escape(title)}</h1>\n<p>{html.escape(note)}</p>\n"
        f"<p>{counts}</p>\n{table}\n</body></html>\n"
    )


def _deepest(evidence: Evidence, widths: tuple[int, ...]) -> tuple[pd.DataFrame, bool, str]:
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


def _count(heads: pd.Series) -> pd.Series:
    """Return the number of expression heads; 0 for average pooling."""
    return pd.to_numeric(heads.str.extract(r"^(\d+)", expand=False)).fillna(0)


def _lacking(family: str, a: str, b: str) -> Finding:
    return Finding("–", UNDECIDED, f"the grid lacks {'head' if family == 'pooling' else family} {a} or {b}")


def _too_few() -> str:
    return f"not significant, but fewer than {ENOUGH} points a group, the paper's smallest"


def _name(point: pd.Series) -> str:
    return f"width {point['dim']}, {point['blocks']} blocks, head {point['head']}"


def _numbers(test: pd.Series) -> str:
    side = "one-sided" if test["alternative"] == GREATER else "two-sided"
    return (
        f"mean r {test['mean_a']:.4f} → {test['mean_b']:.4f}; p = {_p(test['p'])} "
        f"({side} {test['test']}; Holm {_p(test['p_holm'])}); n = {test['n_a']} + {test['n_b']} points"
    )


def _p(p: float) -> str:
    return "undefined" if pd.isna(p) else f"{p:.1e}" if p < 0.0001 else f"{p:.4f}"

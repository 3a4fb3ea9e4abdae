"""The judges of the claims on the Prix Fixe grid (Rafi et al. 2024, Fig. 2), by its table of combinations."""

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
from proformer.evaluation.claims_scores import SEEDS
from proformer.evaluation.prix_fixe import ROLES, importance, measure_of, module_tests

TEAMS = {"autosome": "Autosome.org", "bhi": "BHI", "unlock_dna": "Unlock_DNA"}
SIMILAR_SIZE = 1.1  # "similar or fewer parameters"
PRINTED = Finding("drawn, not printed", SUPPORTS, "as the paper says of its Figure 2")


def report_card(table: pd.DataFrame, simulated: bool = False) -> pd.DataFrame:
    """Judge every claim on the grid of Prix Fixe by the table of `combinations`; a card (`claims.card`)."""

    def judge(claim: Claim) -> tuple[Finding, Finding]:
        return if_learned(globals()[claim.judge](table, *claim.arguments), table["r"].median()), PRINTED

    return card(claims_on("prix fixe"), judge, simulated)


def converged(table: pd.DataFrame) -> Finding:
    """41 of 45 combinations converged."""
    number, share = int(table["converged"].sum()), table["converged"].mean()
    text = f"{number} of {len(table)} trainings"
    return Finding(text, SUPPORTS if share >= 41 / 45 else CONTRADICTS, "at least the paper's 91 %, or not")


def improves(table: pd.DataFrame, team: str) -> Finding:
    """A team's network is better with autosome.org's trainer and soft classification than as the team had it."""
    own = _scores(table, dict.fromkeys(ROLES, team))
    other = _scores(table, {"processor": "autosome", "first": team, "core": team, "final": "autosome"})
    gap = (other - own).dropna()
    if gap.empty:
        return Finding("–", UNDECIDED, "one of the two was not trained, or has not converged")
    text = f"{TEAMS[team]}'s blocks {own.mean():.3f}, with autosome.org's trainer {other.mean():.3f}"
    return _by_seed(text, gap > 0, gap < 0)


def as_good_and_small(table: pd.DataFrame, core: str) -> Finding:
    """The best other combination with a team's core is at least as good as the team's own, and no larger (by a tenth).

    The best is that of the highest mean over seeds, of those that converged with each seed of the team's own.
    """
    of_core = table[(table["core"] == core) & table["converged"]]
    scores = of_core.pivot(index="seed", columns=ROLES, values=measure_of(table))
    own = (core,) * len(ROLES)
    if own not in scores:
        return Finding("–", UNDECIDED, "the team's own combination was not trained, or has not converged")
    scores = scores[scores[own].notna()].dropna(axis=1)
    others = scores.drop(columns=[own])
    if others.empty:
        return Finding("–", UNDECIDED, "no other combination was trained, or none has converged")
    best = others.mean().idxmax()
    sizes = of_core.drop_duplicates(ROLES).set_index(ROLES)["parameters"].astype(float)
    ratio = sizes[best] / sizes[own]
    text = f"{' '.join(best)}: {scores[best].mean():.3f} with {ratio:.2f} times the parameters of the own "
    text += f"({scores[own].mean():.3f})"
    holds = (scores[best] >= scores[own]) & (ratio <= SIMILAR_SIZE)
    return _by_seed(text, holds, ~holds)


def dominates(table: pd.DataFrame, role: str, team: str) -> Finding:
    """A team's block of a role is better than each other one, whatever it is combined with.

    Contradicted where another one is significantly better.
    """
    tests = _tests(table, role)
    tests = tests[(tests["a"] == team) | (tests["b"] == team)]
    if tests.empty:
        return Finding("–", UNDECIDED, f"no two blocks are compared as {role}")
    if _wins(tests, team):
        return Finding(_text(tests), SUPPORTS, "paired signed-rank tests")
    for other in TEAMS:
        if other != team and _wins(tests[(tests["a"] == other) | (tests["b"] == other)], other):
            return Finding(_text(tests), CONTRADICTS, f"{TEAMS[other]}'s is better, by a paired signed-rank test")
    return Finding(_text(tests), UNDECIDED, "not significantly, by paired signed-rank tests")


def none_dominates(table: pd.DataFrame, role: str) -> Finding:
    """No block of a role is better than each other one, whatever it is combined with."""
    tests = _tests(table, role)
    best = [team for team in TEAMS if _wins(tests[(tests["a"] == team) | (tests["b"] == team)], team)]
    if best:
        return Finding(_text(tests), CONTRADICTS, f"{TEAMS[best[0]]}'s block is better than each other one")
    reason = "no block is significantly better than all others, which is no proof that none is"
    return Finding(_text(tests), UNDECIDED, reason)


def matters_most(table: pd.DataFrame, role: str) -> Finding:
    """Of all roles, one explains most of the spread between combinations."""
    shares = importance(table).set_index("role")
    text = "; ".join(f"{name} {row['share']:.0%} (p = {row['p']:.2g})" for name, row in shares.iterrows())
    if shares.empty or pd.isna(shares.loc[role, "p"]):
        return Finding(text or "–", UNDECIDED, f"too few combinations that differ in their {role}")
    first = shares["share"].idxmax()
    if not shares["p"].min() < ALPHA:
        return Finding(text, UNDECIDED, "no role explains significantly much")
    verdict = SUPPORTS if first == role else CONTRADICTS
    return Finding(text, verdict if shares.loc[first, "p"] < ALPHA else UNDECIDED, "F tests of an additive model")


def _scores(table: pd.DataFrame, blocks: dict[str, str]) -> pd.Series:
    """What a combination that has converged scores, by seed."""
    chosen = table[(table[ROLES] == pd.Series(blocks)).all(axis=1) & table["converged"]]
    return chosen.set_index("seed")[measure_of(table)]


def _tests(table: pd.DataFrame, role: str) -> pd.DataFrame:
    """The tests of each two blocks of a role that meet the same others."""
    tests = module_tests(table)
    return tests[(tests["role"] == role) & (tests["pairs"] > 1)]


def _wins(tests: pd.DataFrame, team: str) -> bool:
    """Whether a team's block is significantly better in all tests."""
    higher = (tests["mean_a"] > tests["mean_b"]) == (tests["a"] == team)
    return len(tests) > 0 and bool((higher & (tests["p"] < ALPHA)).all())


def _text(tests: pd.DataFrame) -> str:
    rows = tests.itertuples()
    return "; ".join(f"{t.a} {t.mean_a:.3f}, {t.b} {t.mean_b:.3f}, p = {t.p:.2g}, n = {t.pairs}" for t in rows)


def _by_seed(text: str, holds: pd.Series, fails: pd.Series) -> Finding:
    """A verdict where all seeds agree and there are enough of them."""
    if len(holds) < SEEDS:
        return Finding(text, UNDECIDED, f"fewer than {SEEDS} seeds: another training could turn the difference round")
    verdict = SUPPORTS if holds.all() else CONTRADICTS if fails.all() else UNDECIDED
    return Finding(text, verdict, f"in {int(holds.sum())} of {len(holds)} seeds")

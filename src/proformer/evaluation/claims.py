"""The report card: the paper's claims (`claims.yaml`), one by one, judged by a run.

A claim names the levels that it speaks of. A run without them is judged by analogy where that can be defended
(smallest against largest width, say), and the reason then says so; else "cannot decide". Verdicts are cautious:

- an effect is supported by a significant test (p < .05, uncorrected, as in the paper; Holm's p stands beside it) and
  contradicted only by a significant test in the other direction, both with at least `FEW` points a group;
- "no effect" is contradicted by a significant test, and supported by a non-significant one only if the groups are
  no smaller than the smallest of the paper (`ENOUGH` points): fewer would miss what the paper could have seen;
- a grid in which little was learned (median r below `LEARNED`) decides nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from proformer.tables import to_page

SUPPORTS, CONTRADICTS, UNDECIDED = "supports", "contradicts", "cannot decide"
# Simulated data judge no claim on real ones: they only show that an effect is found where it was put, or is not there.
SIMULATED = {SUPPORTS: "as simulated: yes", CONTRADICTS: "as simulated: no", UNDECIDED: "as simulated: cannot decide"}
ALPHA = 0.05
FEW, ENOUGH = 5, 12  # points a group: normal approximation usable; smallest group in the paper's own tests
LEARNED = 0.2
COLUMNS = ["claim", "figure", "text", "published", "run", "verdict", "reason", "published_verdict"]
COLOURS = {SUPPORTS: "#0072b2", CONTRADICTS: "#d55e00", UNDECIDED: "#767676"}
COLOURS |= {SIMULATED[verdict]: colour for verdict, colour in COLOURS.items()}


@dataclass(frozen=True)
class Finding:
    """What one table says on one claim: the numbers as text, a verdict, and why."""

    numbers: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class Claim:
    """One statement of the paper and the name of the function, with its arguments, that judges it."""

    id: str
    figure: str
    text: str
    judge: str
    arguments: list[Any]


def claims_on(figure: str) -> list[Claim]:
    """The claims on Figure "2", "3" or "4"."""
    listed = yaml.safe_load((resources.files(__package__) / "claims.yaml").read_text(encoding="utf-8"))
    return [Claim(*claim) for claim in listed[figure]]


def card(claims: Iterable[Claim], judge: Callable[[Claim], tuple[Finding, Finding]], simulated: bool) -> pd.DataFrame:
    """One row per claim, `COLUMNS`: what the run says (`judge` returns its finding) and what the paper's numbers say.

    `simulated`: the run's verdicts are those of `SIMULATED`, and say nothing of the paper.
    """
    rows = []
    for claim in claims:
        found, printed = judge(claim)
        verdict = SIMULATED[found.verdict] if simulated else found.verdict
        cells = (printed.numbers, found.numbers, verdict, found.reason, printed.verdict)
        rows.append((claim.id, claim.figure, claim.text, *cells))
    return pd.DataFrame(rows, columns=COLUMNS)


def if_learned(finding: Finding, median: float) -> Finding:
    """The finding; undecided where the median r of all models is below `LEARNED`."""
    if median >= LEARNED:
        return finding
    return Finding(finding.numbers, UNDECIDED, f"the median r of the grid is {median:.3f}: little was learned anywhere")


def to_html(table: pd.DataFrame, note: str = "", title: str = "Report card: the claims on Figure 2") -> str:
    """Return a card as one self-contained HTML page; `note` says what the run was."""
    simulated = table["verdict"].isin(SIMULATED.values()).any()
    verdicts = SIMULATED.values() if simulated else SIMULATED
    counts = ", ".join(f"{verdict}: {(table['verdict'] == verdict).sum()}" for verdict in verdicts)
    return to_page(table, title, [note, counts], COLOURS)

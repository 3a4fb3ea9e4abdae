"""The paper's claims on Fig. 4a, the learning curves of the final models, judged by a run's table of epochs.

As on Fig. 4b a run decides only with `SEEDS` seeds or more, and when all of them agree; and of the best epoch only a
run that trained for longer.
"""

from collections.abc import Callable

import pandas as pd

from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED, Finding, card, claims_on
from proformer.evaluation.claims_scores import SEEDS
from proformer.evaluation.heads import head_order, head_title


def report_card(epochs: pd.DataFrame | None, simulated: bool = False) -> pd.DataFrame:
    """Judge the claims on Fig. 4a by an epochs table of one data set; a card as of `claims.card`."""
    claims = [claim for claim in claims_on("4") if claim.figure == "4a"]
    return card(
        claims, lambda claim: (JUDGES[claim.judge](epochs, *claim.arguments), PUBLISHED[claim.judge]), simulated
    )


def _best_epoch(epochs: pd.DataFrame | None, epoch: int) -> Finding:
    """Whether the final model's validation r is highest after this epoch."""
    table, head = _final(epochs)
    if not head:
        return Finding("–", UNDECIDED, NONE)
    own = table[table["head"] == head]
    best = own.loc[own.groupby("seed")["validation_r"].idxmax(), ["epoch", "validation_r"]]
    last = int(own["epoch"].max())
    numbers = f"{head_title(head)}: {', '.join(map(str, sorted(best['epoch'])))} of {last}"
    numbers += f" (r = {best['validation_r'].mean():.3f})"
    if last <= epoch:
        return Finding(numbers, UNDECIDED, f"trained for no more than {epoch} epochs")
    return _agreed(best["epoch"] == epoch, numbers)


def _above_pooling(epochs: pd.DataFrame | None) -> Finding:
    """Whether the final model's best validation r is above that of average pooling."""
    table, head = _final(epochs)
    if not head or "AP" not in set(table["head"]):
        return Finding("–", UNDECIDED, NONE)
    best = table.groupby(["seed", "head"])["validation_r"].max().unstack()
    gap = (best[head] - best["AP"]).dropna()
    return _agreed(gap > 0, f"{head_title(head)} minus AP: {', '.join(f'{value:+.4f}' for value in gap)}")


def _final(epochs: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    """The rows with a validation r, and the head of the final model: the most expression heads."""
    if epochs is None or not {"head", "seed", "epoch", "validation_r"} <= {*epochs}:
        return pd.DataFrame(), ""
    table = epochs.dropna(subset="validation_r").astype({"head": str})
    plain = [head for head in head_order(table["head"]) if head.isdigit()]
    return table, plain[-1] if plain else ""


def _agreed(holds: pd.Series, numbers: str) -> Finding:
    numbers += f"; {len(holds)} seed{'s' if len(holds) > 1 else ''}"
    if len(holds) < SEEDS:
        return Finding(numbers, UNDECIDED, f"fewer than {SEEDS} seeds: another training could differ")
    if holds.all() or not holds.any():
        return Finding(numbers, SUPPORTS if holds.all() else CONTRADICTS, "in every seed")
    return Finding(numbers, UNDECIDED, "the seeds disagree")


NONE = "the run has no learning curves of such models"
JUDGES: dict[str, Callable[..., Finding]] = {"best_epoch": _best_epoch, "above_pooling": _above_pooling}
PUBLISHED = {
    "best_epoch": Finding("6 of at most 20 (r = 0.7501 in the log)", SUPPORTS, "as printed, one run"),
    "above_pooling": Finding("–", UNDECIDED, "drawn, not printed"),
}
